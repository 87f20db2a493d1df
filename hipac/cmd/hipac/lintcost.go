package main

// The rules that cost more than their share of a lookup, for the command lint.

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
)

// costlyRule is a rule that is asked one by one.
type costlyRule struct {
	Table string   `json:"table"`
	Chain string   `json:"chain"`
	Rule  int      `json:"rule"`
	Line  int      `json:"line"`
	Kinds []string `json:"kinds"` // as in Help
	What  []string `json:"what"`  // the match or target of each
	Text  string   `json:"text"`
}

// why says what of the rule is more than conditions.
func (c *costlyRule) why() string {
	var parts []string
	for k := range c.Kinds {
		parts = append(parts, c.Kinds[k]+" ("+c.What[k]+")")
	}
	return strings.Join(parts, ", ")
}

// costlyChain counts the rules of a chain.
type costlyChain struct {
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	Rules  int    `json:"rules"`
	Costly int    `json:"costly"`
}

type costReport struct {
	File   string        `json:"rules_file"`
	Total  int           `json:"rules"`
	Chains []costlyChain `json:"chains"` // those with costly rules
	Rules  []costlyRule  `json:"costly"`
}

// findCosts looks at all rules of the tables.
func findCosts(file *files.Rules, tables []*rules.Table) *costReport {
	report := &costReport{File: file.Name, Chains: []costlyChain{}, Rules: []costlyRule{}}
	catalog := iptables.Describe()
	for _, t := range tables {
		for i := range t.Chains {
			c := &t.Chains[i]
			n := costlyChain{Table: t.Name, Chain: c.Name, Rules: kernelRules(c)}
			report.Total += n.Rules
			last := 0
			for _, r := range c.Rules.All() {
				kinds, what := costs(catalog, r)
				if kinds == nil || r.Value.Number == last {
					continue
				}
				last = r.Value.Number
				n.Costly++
				rule := costlyRule{Table: t.Name, Chain: c.Name, Rule: last, Kinds: kinds, What: what}
				rule.Text, rule.Line = file.Tables.Rule(t.Name, c.Name, last)
				report.Rules = append(report.Rules, rule)
			}
			if n.Costly > 0 {
				report.Chains = append(report.Chains, n)
			}
		}
	}
	return report
}

// costs says what of a rule is more than conditions and a verdict; nil:
// nothing.
func costs(catalog *iptables.Catalog, r *rules.Rule[rules.Action]) (kinds, what []string) {
	add := func(kind, name string) {
		if !slices.Contains(kinds, kind) || !slices.Contains(what, name) {
			kinds, what = append(kinds, kind), append(what, name)
		}
	}
	if r.Unknown != "" {
		add("unknown", r.Unknown)
	}
	e := r.Value.Ext
	if e.Plain() {
		return kinds, what
	}
	for i := range e.Tests {
		name, _, _ := strings.Cut(e.Tests[i].Text, " ")
		kind := "tests"
		if m := catalog.Find("match", name); m != nil {
			switch m.Class {
			case iptables.Stateful:
				kind = "remembers"
			case iptables.Payload:
				kind = "reads bytes"
			case iptables.Environment:
				kind = "asks system"
			}
		}
		if e.Tests[i].Stateful {
			kind = "remembers"
		}
		add(kind, name)
	}
	if e.Target != nil {
		name, _, _ := strings.Cut(r.Value.Text, " ")
		switch {
		case len(e.Writes) > 0:
			add("changes", name)
		default:
			add("reports", name)
		}
	}
	return kinds, what
}

// write prints the report for people.
func (r *costReport) write(out *bytes.Buffer, c colors, columns int) {
	if len(r.Rules) == 0 {
		fmt.Fprintf(out, "No rule of %s is asked one by one (%s).\n", files.Printable(r.File), plural(r.Total, "rule"))
		return
	}
	fmt.Fprintf(out, "%s\n", c.paint(bold, fmt.Sprintf("%d of %s in %s %s asked one by one", len(r.Rules), plural(r.Total, "rule"), files.Printable(r.File),
		map[bool]string{true: "is", false: "are"}[len(r.Rules) == 1])))
	at, kind := 0, 0
	why := make([]string, len(r.Rules))
	for i := range r.Rules {
		why[i] = files.Printable(r.Rules[i].why())
		at = max(at, width(files.Printable(place(r.Rules[i].Chain, strconv.Itoa(r.Rules[i].Rule)))))
		kind = max(kind, min(width(why[i]), 40))
	}
	next := 0
	for _, chain := range r.Chains {
		fmt.Fprintf(out, "\n%s  %d of %s\n", c.paint(bold, chain.Table+" "+files.Printable(chain.Chain)), chain.Costly, plural(chain.Rules, "rule"))
		for range chain.Costly {
			rule := &r.Rules[next]
			line := "  " + pad(files.Printable(place(rule.Chain, strconv.Itoa(rule.Rule))), at) + "  " + pad(why[next], kind) + "  "
			text := files.Printable(rule.Text)
			if columns > 0 {
				text = cut(text, max(columns-width(line), 20))
			}
			fmt.Fprintf(out, "%s%s\n", line, c.paint(dim, text))
			next++
		}
	}
}
