package main

// The chains of a table as a program.

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
)

// tableProgram is a table that packets enter at one of its chains.
type tableProgram struct {
	set      *iptables.Ruleset
	table    *rules.Table
	entry    int
	evaluate func(rules.Key) rules.Result
	compiled *hipac.Table // nil for the linear engine
}

func newTableProgram(ctx context.Context, set *iptables.Ruleset, t *rules.Table, entry int, e engine) (*tableProgram, error) {
	p := &tableProgram{set: set, table: t, entry: entry}
	if e == engineLinear {
		p.evaluate = func(k rules.Key) rules.Result { return t.Evaluate(k, entry, nil) }
		return p, nil
	}
	c, err := hipac.BuildTable(ctx, t, e.options())
	if err != nil {
		return nil, err
	}
	p.compiled = c
	p.evaluate = func(k rules.Key) rules.Result { return c.Evaluate(k, entry) }
	return p, nil
}

func (p *tableProgram) schema() *rules.Schema { return p.table.Schema }

func (p *tableProgram) decide(k rules.Key) outcome {
	r := p.evaluate(k)
	o := outcome{verdict: r.Verdict, chain: int32(r.By.Chain), rule: int32(r.By.Rule)}
	switch {
	case r.Verdict == rules.Unknown:
		o.kind = unsure
	case r.Verdict == rules.NoVerdict:
		o.kind = foreign // packets enter at chains with a policy only
	case r.By.Rule < 0:
		o.kind = nothing
	}
	return o
}

func (p *tableProgram) outside() outcome {
	return outcome{kind: foreign, chain: int32(p.entry), rule: -1}
}

func (p *tableProgram) rule(o outcome) *rules.Rule[rules.Action] {
	return p.table.Chains[o.chain].Rules.At(int(o.rule))
}

func (p *tableProgram) appendID(dst []byte, o outcome) []byte {
	dst = append(dst, p.verdict(o)...)
	if o.kind == bad {
		return dst
	}
	chain, rule := p.ref(o)
	dst = append(dst, '\t')
	dst = append(dst, chain...)
	dst = append(dst, '/')
	return append(dst, rule...)
}

func (p *tableProgram) verdict(o outcome) string {
	if o.kind == bad {
		return "ERROR"
	}
	return o.verdict.String()
}

func (p *tableProgram) ref(o outcome) (chain, rule string) {
	chain = p.table.Chains[o.chain].Name
	switch o.kind {
	case bad:
		return "", ""
	case foreign:
		return chain, "family"
	case nothing:
		return chain, "policy"
	}
	return chain, strconv.Itoa(p.rule(o).Value.Number)
}

func (p *tableProgram) describe(o outcome) (text, comment string) {
	switch o.kind {
	case bad:
		return "", ""
	case foreign:
		return fmt.Sprintf("not an IPv%d packet", p.table.Family), ""
	case nothing:
		return "policy " + p.table.Chains[o.chain].Policy.String(), ""
	}
	r := p.rule(o)
	text, _ = p.set.Rule(p.table.Name, p.table.Chains[o.chain].Name, r.Value.Number)
	return text, r.Comment
}

func (p *tableProgram) unknown(o outcome) string {
	if o.kind != unsure {
		return ""
	}
	if r := p.rule(o); r.Unknown != "" {
		return r.Unknown
	}
	return "target " + p.rule(o).Value.Text
}

func (p *tableProgram) what() string {
	n := 0
	for i := range p.table.Chains {
		n += p.table.Chains[i].Rules.Len()
	}
	return fmt.Sprintf("%s in %s of table %s, from chain %s", plural(n, "rule"), plural(len(p.table.Chains), "chain"),
		p.table.Name, p.table.Chains[p.entry].Name)
}

func (p *tableProgram) stats() (hipac.Stats, bool) {
	if p.compiled == nil {
		return hipac.Stats{}, false
	}
	return p.compiled.Stats(), true
}

func (p *tableProgram) costs() []hipac.RuleCost {
	if p.compiled == nil {
		return nil
	}
	return p.compiled.RuleCosts()
}
