package main

// Flat lists as programs.

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/saved"
)

// listProgram is a flat list. T is the type of its rules' values.
type listProgram[T any] struct {
	list     *rules.List[T]
	position func(rules.Key) (int, bool)
	compiled *hipac.Classifier[T] // nil for the linear engine and live lists
	value    func(T) string       // the verdict that a value stands for; nil when it is none
	marks    marks                // of a program that is reloaded
}

func newListProgram[T any](ctx context.Context, l *rules.List[T], e engine, value func(T) string) (*listProgram[T], error) {
	return listProgramOf[T](ctx, &files.Rules{}, l, nil, e, value)
}

// listProgramOf returns the program of the list of a file, whose values have the
// codec if it is a compiled one.
func listProgramOf[T any](ctx context.Context, file *files.Rules, l *rules.List[T], codec saved.Codec[T], e engine, value func(T) string) (*listProgram[T], error) {
	p := &listProgram[T]{list: l, value: value}
	if e == engineLinear {
		p.position = l.First
		return p, nil
	}
	c, err := buildList(ctx, file, l, codec, e)
	if err != nil {
		return nil, err
	}
	p.compiled, p.position = c, c.Position
	return p, nil
}

func (p *listProgram[T]) schema() *rules.Schema { return p.list.Schema() }

func (p *listProgram[T]) decide(k rules.Key, _ *entry) outcome {
	i, ok := p.position(k)
	switch {
	case !ok:
		return p.outside()
	case p.list.At(i).Unknown != "":
		return outcome{kind: unsure, rule: int32(i)}
	}
	return outcome{rule: int32(i)}
}

func (p *listProgram[T]) inOrder() bool { return false }

func (p *listProgram[T]) outside() outcome { return outcome{kind: nothing, rule: -1} }

func (p *listProgram[T]) appendID(dst []byte, o outcome) []byte {
	switch o.kind {
	case bad:
		return append(dst, "ERROR"...)
	case unsure:
		dst = append(dst, "UNKNOWN\t"...)
	}
	return strconv.AppendInt(dst, int64(o.rule)+1, 10)
}

func (p *listProgram[T]) verdict(o outcome) string {
	switch o.kind {
	case decided:
		if p.value != nil {
			if v := p.value(p.list.At(int(o.rule)).Value); v != "" {
				return v
			}
		}
		return "MATCH"
	case unsure:
		return rules.Unknown.String()
	case bad:
		return "ERROR"
	}
	return "NO MATCH"
}

func (p *listProgram[T]) ref(o outcome) (chain, rule string) {
	if o.rule < 0 || o.kind == bad {
		return "", ""
	}
	return "", strconv.Itoa(int(o.rule) + 1)
}

func (p *listProgram[T]) table(outcome) string { return "" }

func (p *listProgram[T]) describe(o outcome) (text, comment string) {
	if o.rule < 0 || o.kind == bad {
		return "", ""
	}
	r := p.list.At(int(o.rule))
	return rules.FormatRule(p.list.Schema(), r), r.Comment
}

func (p *listProgram[T]) unknown(o outcome, _ *entry) string {
	if o.kind != unsure {
		return ""
	}
	return p.list.At(int(o.rule)).Unknown
}

func (p *listProgram[T]) what() string { return plural(p.list.Len(), "rule") }

func (p *listProgram[T]) stats() (hipac.Stats, bool) {
	if p.compiled == nil {
		return hipac.Stats{}, false
	}
	return p.compiled.Stats(), true
}

func (p *listProgram[T]) costs() []hipac.RuleCost {
	if p.compiled == nil {
		return nil
	}
	return p.compiled.RuleCosts()
}

// plural writes a number of things, whose plural ends in s.
func plural[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
