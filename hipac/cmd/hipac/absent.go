package main

// Fields that rules ask for and no packet has: most often a flag is missing,
// or the file cannot hold the field.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/files"
)

// asked counts, per field, the rules with a condition on it. rule numbers the
// rule at hand; rules that follow one another with one number count once.
type asked struct {
	counts []int
	last   []int
}

func newAsked(s *rules.Schema) *asked { return &asked{make([]int, s.Len()), make([]int, s.Len())} }

func (a *asked) add(rule int, conds []rules.Cond) {
	for i := range conds {
		if f := conds[i].Field(); a.last[f] != rule {
			a.last[f] = rule
			a.counts[f]++
		}
	}
}

func (p *listProgram[T]) asks() []int {
	a := newAsked(p.schema())
	for i, r := range p.list.All() {
		a.add(i+1, r.Conds)
	}
	return a.counts
}

// asks looks at the chains that packets can come to.
func (p *tableProgram) asks() []int {
	a := newAsked(p.schema())
	rule := 0
	for _, t := range tables(p.path) {
		var entries []int
		for _, stop := range p.path {
			if stop.Table == t {
				entries = append(entries, stop.Chain)
			}
		}
		for i, ok := range reached(t, entries...) {
			if !ok {
				continue
			}
			number := 0
			for _, r := range t.Chains[i].Rules.All() {
				if r.Value.Number != number {
					number = r.Value.Number
					rule++
				}
				a.add(rule, r.Conds)
			}
		}
	}
	return a.counts
}

// reached says which chains of a table jumps lead to from the given ones,
// which are reached too.
func reached(t *rules.Table, from ...int) []bool {
	seen := make([]bool, len(t.Chains))
	for _, c := range from {
		seen[c] = true
	}
	for todo := slices.Clone(from); len(todo) > 0; {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, r := range t.Chains[c].Rules.All() {
			if a := &r.Value; (a.Kind == rules.Jump || a.Kind == rules.Goto) && !seen[a.Chain] {
				seen[a.Chain] = true
				todo = append(todo, a.Chain)
			}
		}
	}
	return seen
}

// ofHeaders are the fields that a packet of a capture has or has not by its
// protocol and its link: that all are without one is nothing to remark on.
var ofHeaders = map[string]bool{
	"sport": true, "dport": true, "proto": true, "tcpflags": true, "icmptype": true, "icmpcode": true, "flags": true,
	"vlan": true, "length": true,
}

// absentFields returns a line for each field that rules ask for and no packet
// has; absent has a bit for each field that all packets were without.
// Packets of tables can be given some by --meta.
func absentFields(s *rules.Schema, asks []int, absent uint32, format string, tables bool) (lines []error) {
	isCapture := format == capture.Pcap.String() || format == capture.Pcapng.String()
	for i, n := range asks {
		name := s.Field(i).Name
		if n == 0 || absent>>i&1 == 0 || isCapture && (ofHeaders[name] || tables && !outside(name)) {
			continue
		}
		lines = append(lines, fmt.Errorf("%s for %s, which no packet has%s", verb(n, "rule", "asks", "ask"), name, hint(name, format, tables)))
	}
	return lines
}

// outside reports whether a field of iptables rules is not in the packet's bytes.
func outside(field string) bool {
	return field == "iif" || field == "oif" || strings.HasPrefix(field, "ct") || said(label(field))
}

// hint says what would give packets the field.
func hint(field, format string, tables bool) string {
	flag := map[string]string{"iif": "--in-interface", "oif": "--out-interface", "ctstate": "--ctstate"}[field]
	if word := label(field); tables && flag == "" && said(word) {
		flag = "--meta '" + word + "=...'"
	}
	if tables && flag == "" && strings.HasPrefix(field, "ct") {
		flag = "--ctstate"
	}
	switch format {
	case capture.Pcapng.String():
		if flag != "" && flag != "--ctstate" {
			flag += ", --capture-interface"
		}
	case capture.CSVFlows.String():
		column := !tables || files.IsColumn(field)
		switch {
		case flag != "" && column:
			flag += ", or a column " + field
		case flag == "" && column:
			return ": a column of that name would give it"
		}
	case capture.ClassBench.String():
		switch {
		case field == "flags":
			return ": the trace's sixth column is informational"
		case flag == "":
			return ": a trace has addresses, ports and a protocol only"
		}
	}
	if flag == "" {
		return ""
	}
	return ": see " + flag
}
