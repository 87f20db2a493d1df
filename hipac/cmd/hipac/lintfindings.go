package main

// The findings of the command lint as reports have them: with the text and the
// lines of rules.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// lintCodes are the codes of findings, in the order of reports.
var lintCodes = []struct {
	code     string
	severity string // the usual one
	head     string // of the findings in text
	help     string
	more     string // for SARIF
}{
	{"never", "error", "match no packet", "a rule whose conditions contradict each other", "The rule's own conditions hold for no packet: they contradict each other, name an empty set, or ask for a field that packets of the protocol do not have."},
	{"hidden", "warning", "can never decide", "earlier rules take all that it matches; an error where they say otherwise", "One earlier rule, or several together, take every packet that the rule matches (shadowing). Where the earlier ones decide otherwise it is an error: what the rule says never comes about."},
	{"behind", "warning", "are behind a rule that takes all", "rules behind one that takes every packet", "A rule without conditions takes every packet that gets to it, so that no packet gets behind it."},
	{"unreached", "warning", "no packet comes to", "a chain that no packet comes to, or a rule that meets none of those that come", "No rule that packets get to calls the chain, or none of the packets that come to the rule's chain meet its conditions."},
	{"redundant", "warning", "could go, each by itself", "without it every packet is decided alike", "Rules behind it, or what holds where no rule decides, say the same of every packet that the rule decides. Each such rule could go by itself; see irredundant for all together."},
	{"empty", "note", "call a chain without rules", "it calls a chain without rules", "The rule calls a chain that has no rules."},
	{"mergeable", "note", "could be one rule with the next", "neighbours that do the same and could be one", "Rules, one right behind the other, do the same and differ in one condition; one rule could stand for them."},
	{"overlap", "note", "overlap with rules that say otherwise", "it and an earlier one of another verdict match packets in common, and each others", "Two rules of different verdicts match packets in common, and each some that the other does not (correlation): their order decides, and swapping them changes verdicts."},
	{"cost", "note", "are asked one by one", "what it asks or does is more than conditions (see --cost)", "The rule asks or does something beyond conditions, which is done one by one for every packet that meets its conditions."},
	{"irredundant", "note", "could be shorter", "how many rules are left without those that are not needed", "Rules that are not needed, taken out one after another from the last, until every rule that is left is needed. That is not the least number of rules that mean the same."},
}

func lintNames() (names []string) {
	for i := range lintCodes {
		names = append(names, lintCodes[i].code)
	}
	return names
}

// lintCode returns the place of a code in lintCodes, nil where there is none.
func lintCode(code string) *int {
	i := slices.Index(lintNames(), code)
	if i < 0 {
		return nil
	}
	return &i
}

// lintRule is a rule as findings name it.
type lintRule struct {
	Table string `json:"table,omitempty"`
	Chain string `json:"chain,omitempty"`
	Rule  int    `json:"rule"`           // its number, from 1
	Line  int    `json:"line,omitempty"` // 0: not known
	Text  string `json:"text"`
}

// lintFinding is a finding.
type lintFinding struct {
	Code     string     `json:"code"`
	Severity string     `json:"severity"`
	Unknown  bool       `json:"unknown,omitempty"` // nobody can say, for what is not modelled
	Table    string     `json:"table,omitempty"`   // of one about a chain
	Chain    string     `json:"chain,omitempty"`
	Rules    []lintRule `json:"rules,omitempty"`
	Others   []lintRule `json:"others,omitempty"` // those that hide, say the same, overlap
	More     int        `json:"more_others,omitempty"`
	Text     string     `json:"text"`
	Fix      string     `json:"fix,omitempty"`
	// Witness is a packet that shows it, described where there are words for it;
	// Fields are the fields that it has.
	Witness string            `json:"witness,omitempty"`
	Fields  map[string]string `json:"witness_fields,omitempty"`
	Merged  string            `json:"merged,omitempty"`     // the conditions of one rule for all
	Left    *int              `json:"rules_left,omitempty"` // of irredundant

	severity policy.Severity
	fields   []string
}

// lintCount is how many findings of a code and severity there are.
type lintCount struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Findings int    `json:"findings"`
	Rules    int    `json:"rules"`
}

type lintReport struct {
	File     string        `json:"rules_file"`
	Format   string        `json:"format"`
	Rules    int           `json:"rules"`
	Partial  string        `json:"partial,omitempty"` // why there may be more
	Findings []lintFinding `json:"findings"`
	Counts   []lintCount   `json:"counts"`

	lines   []int  // of the rules of a list
	linesOf string // the file that lines are of
	entries bool   // rules of one line come and go together, those without a line stay
}

// take adds the findings of a report; at names its rules, without their text where
// that is not wanted.
func (r *lintReport) take(cmd *lintCmd, found *policy.LintReport, s *rules.Schema, table string, chain func(int) string, at func(rules.Place) lintRule, conds func(rules.Place) []rules.Cond) {
	r.Rules += found.Rules
	if found.Partial != nil {
		r.Partial = found.Partial.Error()
	}
	for i := range found.Findings {
		f := &found.Findings[i]
		if !cmd.wants(string(f.Code)) {
			continue
		}
		out := lintFinding{Code: string(f.Code), Severity: f.Severity.String(), severity: f.Severity, Unknown: f.Unknown, More: f.More, Text: f.Text, Fix: f.Fix}
		for _, p := range f.Rules {
			out.Rules = append(out.Rules, at(p))
		}
		for _, p := range f.Others {
			out.Others = append(out.Others, at(p))
		}
		if len(f.Rules) == 0 && f.Code != policy.Irredundant {
			out.Table, out.Chain = table, chain(f.Chain)
		}
		if f.Witness != nil {
			out.show(s, f.Witness, conds(f.Rules[0]))
		}
		if f.Code == policy.Irredundant {
			out.Left = &f.Left
		}
		if f.Conds != nil {
			out.Merged = rules.FormatRule(s, &rules.Rule[struct{}]{Conds: f.Conds})
		}
		r.Findings = append(r.Findings, out)
	}
}

// show describes a packet that the conditions hold for.
func (f *lintFinding) show(s *rules.Schema, k rules.Key, conds []rules.Cond) {
	f.Fields = map[string]string{}
	for i := range s.Len() {
		if v, ok := s.Get(k, i); ok && s.Field(i).Name != "hotdrop" {
			f.Fields[s.Field(i).Name] = s.Field(i).FormatValue(v)
			f.fields = append(f.fields, s.Field(i).Name+"="+s.Field(i).FormatValue(v))
		}
	}
	f.Witness = describeKey(s, k, conds)
}

// packet is the witness in words.
func (f *lintFinding) packet() string {
	if f.Witness != "" {
		return f.Witness
	}
	return strings.Join(f.fields, " ")
}

// wholeEntries leaves out findings about parts of entries, of a format in which an
// entry may come to several rules: nobody can remove one of them. Rules of line 0 are
// not in the file.
func wholeEntries(findings []policy.Finding, lines []int) []policy.Finding {
	// byLine counts rules, each once, by the lines that they are of.
	byLine := func(of []rules.Place) map[int]int {
		counts, seen := map[int]int{}, map[int]bool{}
		for _, p := range of {
			if !seen[p.Rule] {
				seen[p.Rule] = true
				counts[lines[p.Rule]]++
			}
		}
		return counts
	}
	var dead []rules.Place // in one way or another
	for i := range findings {
		if f := &findings[i]; !f.Unknown && (f.Code == policy.Hidden || f.Code == policy.Behind || f.Code == policy.Never) {
			dead = append(dead, f.Rules...)
		}
	}
	gone, size, parts := byLine(dead), map[int]int{}, false
	for _, line := range lines {
		size[line]++
		parts = parts || line == 0 || size[line] > 1
	}
	whole := func(of []rules.Place, counts map[int]int) bool {
		return !slices.ContainsFunc(of, func(p rules.Place) bool {
			line := lines[p.Rule]
			return line == 0 || counts[line] < size[line]
		})
	}
	return slices.DeleteFunc(findings, func(f policy.Finding) bool {
		switch f.Code {
		case policy.Hidden, policy.Behind, policy.Never:
			return !f.Unknown && !whole(f.Rules, gone)
		case policy.Redundant, policy.Mergeable:
			return !whole(f.Rules, byLine(f.Rules))
		case policy.Irredundant:
			return parts && (f.More > 0 || !whole(f.Others, byLine(f.Others)))
		}
		return false
	})
}

// lintList finds what there is about a list.
func lintList[T any](ctx context.Context, r *lintReport, cmd *lintCmd, o policy.LintOptions, f *policy.Function, l *rules.List[T], text func(*rules.Schema, *rules.Rule[T]) string) error {
	found, err := policy.CollectLint(ctx, o, f)
	if err != nil {
		return lintError(r.File, err)
	}
	if r.entries {
		found.Findings = wholeEntries(found.Findings, r.lines)
	}
	r.take(cmd, found, f.Schema(), "", func(int) string { return "" }, func(p rules.Place) lintRule {
		rule := lintRule{Rule: p.Rule + 1, Text: text(l.Schema(), l.At(p.Rule))}
		if r.lines != nil {
			rule.Line = r.lines[p.Rule]
		}
		return rule
	}, func(p rules.Place) []rules.Cond { return l.At(p.Rule).Conds })
	return nil
}

// table finds what there is about a table.
func (r *lintReport) table(ctx context.Context, cmd *lintCmd, o policy.LintOptions, file *files.Rules, t *rules.Table, several bool) error {
	number := func(p rules.Place) int { return t.Chains[p.Chain].Rules.At(p.Rule).Value.Number }
	o.Name = func(p rules.Place) string {
		name := place(t.Chains[p.Chain].Name, strconv.Itoa(number(p)))
		if several {
			name = t.Name + " " + name
		}
		return name
	}
	fs, err := policy.OfTable(t)
	if err != nil {
		return lintError(r.File, err)
	}
	found := &policy.LintReport{}
	if fs == nil { // a table without base chains, as nftables has them
		for i := range t.Chains {
			found.Rules += t.Chains[i].Rules.Len()
		}
	} else if found, err = policy.CollectLint(ctx, o, fs...); err != nil {
		return lintError(r.File, err)
	}
	r.take(cmd, found, t.Schema, t.Name, func(c int) string { return t.Chains[c].Name }, func(p rules.Place) lintRule {
		rule := lintRule{Table: t.Name, Chain: t.Chains[p.Chain].Name, Rule: number(p)}
		rule.Text, rule.Line = file.Tables.Rule(t.Name, rule.Chain, rule.Rule)
		return rule
	}, func(p rules.Place) []rules.Cond { return t.Chains[p.Chain].Rules.At(p.Rule).Conds })
	return nil
}

// lintError is an error of a search, with the name of the file.
func lintError(name string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return files.Error(name, err)
}

// costs adds the rules that are asked one by one.
func (r *lintReport) costs(cmd *lintCmd, file *files.Rules, tables []*rules.Table) error {
	if !cmd.wants("cost") {
		return nil
	}
	costs := findCosts(file, tables)
	if cmd.Cost {
		r.Rules = costs.Total
	}
	for i := range costs.Rules {
		c := &costs.Rules[i]
		r.Findings = append(r.Findings, lintFinding{Code: "cost", Severity: policy.Note.String(),
			Rules: []lintRule{{Table: c.Table, Chain: c.Chain, Rule: c.Rule, Line: c.Line, Text: c.Text}},
			Text:  "it is asked one by one: " + c.why(), Fix: "put conditions in front of it that few packets meet"})
	}
	return nil
}

// count sorts the findings by code and counts them.
func (r *lintReport) count() {
	slices.SortStableFunc(r.Findings, func(a, b lintFinding) int {
		if c := *lintCode(a.Code) - *lintCode(b.Code); c != 0 {
			return c
		}
		return int(b.severity) - int(a.severity)
	})
	r.Counts = []lintCount{}
	for i := range r.Findings {
		f := &r.Findings[i]
		n := len(r.Counts)
		if n == 0 || r.Counts[n-1].Code != f.Code || r.Counts[n-1].Severity != f.Severity {
			r.Counts = append(r.Counts, lintCount{Code: f.Code, Severity: f.Severity})
			n++
		}
		r.Counts[n-1].Findings++
		r.Counts[n-1].Rules += len(f.Rules)
	}
}

// of returns "1 error", "2 warnings".
func (r *lintReport) of(s policy.Severity) string {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].severity == s {
			n++
		}
	}
	return plural(n, s.String())
}

// name is how text calls a rule.
func (x *lintRule) name(several bool) string {
	name := place(x.Chain, strconv.Itoa(x.Rule))
	if several {
		name = x.Table + " " + name
	}
	return name
}

// at returns " FILE:LINE", or nothing where the line is not known.
func (r *lintReport) at(x *lintRule) string {
	if x.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", files.Printable(r.linesOf), x.Line)
}
