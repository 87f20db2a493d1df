package main

// The command lint: what is remarkable about a rule file. So far that is the
// rules that cost more than their share of a lookup.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
)

type lintCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string `placeholder:"NAME" help:"Only this table." group:"Rules"`
	Cost            bool   `help:"List the rules that are asked one by one."`
	Output          string `enum:"text,json" default:"text" placeholder:"FORM" help:"text (the default) or json."`
	Color           string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
}

// Help is shown in front of the flags.
func (lintCmd) Help() string {
	return `--cost lists the iptables rules that make a lookup longer. Conditions on fields
are compiled: however many rules have them, a packet finds its rule in a few
steps. What is more than a condition stays with its rule, and is done one by one
for every packet that meets the rule's conditions:

    remembers    a match with a memory: limit, recent, quota
    reads bytes  a match on the payload: string, u32, bpf
    asks system  a match on what the system knows: owner, cgroup
    tests        another match that is no condition
    changes      a target that changes the packet: the lookup begins anew behind it
    reports      a target that leaves a note: LOG, NFLOG
    unknown      a match or target that is not modelled

Such rules cost little behind conditions that few packets meet, and as long as
there are few of them.

Examples:

    iptables-save | hipac lint --rules - --cost
    hipac lint --rules save.txt --table filter --cost --output json`
}

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

// Run reports.
func (cmd *lintCmd) Run(a *app) error {
	switch {
	case !cmd.Cost:
		return files.BadUsage("what to look for? --cost lists the rules that are asked one by one")
	case cmd.Rules == "":
		return files.BadUsage("--rules FILE is missing")
	}
	file, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	if file.Tables == nil {
		return files.BadUsage("--cost is for iptables rules, and %s holds %s rules: those have conditions only", file.Name, file.Format)
	}
	list := file.Tables.Tables
	if cmd.Table != "" {
		t, _, err := file.Choose(cmd.Table, "")
		if err != nil {
			return err
		}
		list = []*rules.Table{t}
	}
	report := findCosts(file, list)
	var out bytes.Buffer
	if cmd.Output == "json" {
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		report.write(&out, a.useColors(cmd.Color), columns(a.stdout))
	}
	if err == nil {
		_, err = a.stdout.Write(out.Bytes())
	}
	return err
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
		var parts []string
		for k := range r.Rules[i].Kinds {
			parts = append(parts, r.Rules[i].Kinds[k]+" ("+r.Rules[i].What[k]+")")
		}
		why[i] = files.Printable(strings.Join(parts, ", "))
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
