package main

// Rule files as functions of packets, and how reports name their rules.

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/native"
)

// side is a rule file.
type side struct {
	file  *files.Rules
	lines []int // of the rules of a list; nil where unknown
}

// time is the limit of time.
func (f *limitFlags) time() time.Duration { return time.Duration(f.Seconds) * time.Second }

// readSide reads a rule file, with the lines of a list's rules.
func (a *app) readSide(f *files.RuleFlags) (*side, error) {
	r, name, closeFile, err := files.Open(f.Rules, a.stdin)
	if err != nil {
		return nil, err
	}
	s, err := within(a.ctx, func() (*side, error) {
		defer closeFile()
		var text bytes.Buffer
		file, err := files.ReadRules(io.TeeReader(r, &text), name, f)
		if err != nil {
			return nil, err
		}
		s := &side{file: file}
		switch {
		case file.RuleLines != nil:
			s.lines = file.RuleLines
		case file.Tables == nil && file.Compiled == nil && file.List == "":
			s.lines = linesOf(text.Bytes(), file)
		}
		return s, nil
	})
	if err == nil {
		a.tell(s.file)
	}
	return s, err
}

// linesOf returns the lines of the rules of a list, nil where they cannot be told.
func linesOf(text []byte, file *files.Rules) []int {
	begin, n := []byte("@"), 0
	if file.Native != nil {
		if native.IsJSON(text) {
			return nil
		}
		begin, n = []byte("rule"), file.Native.Len()
	} else {
		n = file.ClassBench.Len()
	}
	var lines []int
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
		if number++; bytes.HasPrefix(bytes.TrimLeft(line, " \t"), begin) {
			lines = append(lines, number)
		}
	}
	if len(lines) != n {
		return nil
	}
	return lines
}

// deciderJSON is what decides somewhere: a rule, a chain's policy, or nothing, of a
// list in which no rule matches.
type deciderJSON struct {
	Chain string `json:"chain,omitempty"`
	Rule  any    `json:"rule"` // a number from 1, "policy", "none"
	Line  int    `json:"line,omitempty"`
	Text  string `json:"text,omitempty"`
}

// decider names what decides at a place of a list or a table, which packets enter
// at a chain; t is nil for a list, and for a table that the file does not have.
func (s *side) decider(t *rules.Table, entry int, at rules.Place) deciderJSON {
	switch {
	case s.file.Tables != nil && t == nil:
		return deciderJSON{Rule: "none", Text: "the file does not have it"}
	case t != nil && at.Rule < 0:
		return deciderJSON{Chain: t.Chains[entry].Name, Rule: "policy", Text: t.Chains[entry].Policy.String()}
	case t != nil:
		c := &t.Chains[at.Chain]
		d := deciderJSON{Chain: c.Name, Rule: c.Rules.At(at.Rule).Value.Number}
		d.Text, d.Line = s.file.Tables.Rule(t.Name, c.Name, c.Rules.At(at.Rule).Value.Number)
		return d
	case at.Rule < 0:
		return deciderJSON{Rule: "none"}
	}
	d := deciderJSON{Rule: at.Rule + 1}
	if s.lines != nil {
		d.Line = s.lines[at.Rule]
	}
	if l := s.file.Native; l != nil {
		d.Text = nativeLine(l.Schema(), l.At(at.Rule))
	} else {
		d.Text = classbenchLine(s.file.ClassBench.Schema(), s.file.ClassBench.At(at.Rule))
	}
	return d
}

// String names it: "FORWARD/3", "FORWARD/policy", "rule 12", "no rule".
func (d *deciderJSON) String() string {
	word := fmt.Sprint(d.Rule)
	switch {
	case d.Chain != "":
		return place(d.Chain, word)
	case d.Rule == "none":
		return "no rule"
	}
	return "rule " + word
}

// where is its place in the file, and its text.
func (d *deciderJSON) where() string {
	text := files.Printable(d.Text)
	if d.Line > 0 {
		text = "line " + strconv.Itoa(d.Line) + ": " + text
	}
	return text
}

// none is what becomes of packets that no rule of a list matches.
const none = "NO MATCH"

// list returns the function of a list. valued says that the values of its rules
// are what is decided.
func (s *side) list() (f *policy.Function, valued bool) {
	if l := s.file.Native; l != nil {
		for _, r := range l.All() {
			valued = valued || r.Value != ""
		}
		if !valued {
			return policy.OfList(l, nil, none), false
		}
		return policy.OfList(l, func(i int) string { return l.At(i).Value }, none), true
	}
	return policy.OfList(s.file.ClassBench, nil, none), false
}

// complete says that packets have all fields, as those of traces do.
func (s *side) complete() bool { return s.file.Format == files.ClassBench }
