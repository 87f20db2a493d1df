package main

// Rules that can never decide: those that an earlier rule hides and, among the
// chains of iptables, those that no jump brings a packet to.

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// deadRule is a rule that can never decide.
type deadRule struct {
	Chain string `json:"chain,omitempty"`
	Rule  int    `json:"rule"` // its number, from 1
	Text  string `json:"text"`
	// By are the numbers of the rules that hide it: one, or several when the
	// compiler made several rules of it.
	By []int `json:"hidden_by,omitempty"`
}

// deadChain is a chain that no jump leads to.
type deadChain struct {
	Chain string `json:"chain"`
	Rules int    `json:"rules"`
}

// deadRules are the rules of a list or table that can never decide.
type deadRules struct {
	Hidden          []deadRule  `json:"hidden"`
	Unreached       []deadRule  `json:"unreached"`
	UnreachedChains []deadChain `json:"unreached_chains"`
}

// findDead finds them in the table, or in the list when there is none. For
// 100,000 rules it takes 3 to 15 seconds.
func (a *app) findDead(file *files.Rules, t *rules.Table) (*deadRules, error) {
	d := &deadRules{Hidden: []deadRule{}, Unreached: []deadRule{}, UnreachedChains: []deadChain{}}
	var err error
	switch {
	case t != nil:
		err = d.inTable(a.ctx, file, t)
	case file.Native != nil:
		err = inList(a.ctx, d, file.Native)
	default:
		err = inList(a.ctx, d, file.ClassBench)
	}
	if a.ctx.Err() != nil {
		return nil, errInterrupted
	}
	if err != nil {
		return nil, files.Error(file.Name, err)
	}
	return d, nil
}

func inList[T any](ctx context.Context, d *deadRules, l *rules.List[T]) error {
	analysis, err := hipac.Analyze(ctx, l)
	if err != nil {
		return err
	}
	for i := range l.Len() {
		if ctx.Err() != nil || l.At(i).Continue {
			continue
		}
		if by, ok := analysis.HiddenBy(i); ok {
			d.Hidden = append(d.Hidden, deadRule{Rule: i + 1, Text: rules.FormatRule(l.Schema(), l.At(i)), By: []int{by + 1}})
		}
	}
	return ctx.Err()
}

func (d *deadRules) inTable(ctx context.Context, file *files.Rules, t *rules.Table) error {
	var builtin []int
	for i := range t.Chains {
		if t.Chains[i].Policy != rules.NoVerdict {
			builtin = append(builtin, i)
		}
	}
	entered := reached(t, builtin...)
	jumps := make([][]*rules.Rule[rules.Action], len(t.Chains)) // by where they lead
	for i := range t.Chains {
		if !entered[i] {
			continue
		}
		for _, r := range t.Chains[i].Rules.All() {
			if r.Value.Kind == rules.Jump || r.Value.Kind == rules.Goto {
				jumps[r.Value.Chain] = append(jumps[r.Value.Chain], r)
			}
		}
	}
	for i := range t.Chains {
		c := &t.Chains[i]
		if !entered[i] {
			d.UnreachedChains = append(d.UnreachedChains, deadChain{c.Name, numbered(c.Rules)})
		}
		if c.Rules.Len() == 0 {
			continue
		}
		analysis, err := analyzeChain(ctx, c.Rules)
		if err != nil {
			return err
		}
		var met []bool
		if entered[i] && !slices.Contains(builtin, i) {
			met = meeting(ctx, analysis, jumps[i], c.Rules.Len())
		}
		for from, to := 0, 0; from < c.Rules.Len() && ctx.Err() == nil; from = to {
			number := c.Rules.At(from).Value.Number
			for to = from; to < c.Rules.Len() && c.Rules.At(to).Value.Number == number; to++ {
			}
			dead := deadRule{Chain: c.Name, Rule: number}
			dead.Text, _ = file.Tables.Rule(t.Name, c.Name, number)
			if met != nil && !slices.Contains(met[from:to], true) {
				d.Unreached = append(d.Unreached, dead)
			}
			if dead.By = hiddenBy(analysis, c.Rules, from, to); dead.By != nil {
				d.Hidden = append(d.Hidden, dead)
			}
		}
	}
	return ctx.Err()
}

// numbered returns how many rules of its file a chain has.
func numbered(l *rules.List[rules.Action]) int {
	if l.Len() == 0 {
		return 0
	}
	return l.At(l.Len() - 1).Value.Number
}

// analyzeChain is hipac.Analyze with the rules that evaluation may come back
// from, or that nobody knows the verdict of, made to hide nothing.
func analyzeChain(ctx context.Context, l *rules.List[rules.Action]) (*hipac.Analysis[rules.Action], error) {
	b := rules.NewBuilder[rules.Action](l.Schema())
	for _, r := range l.All() {
		flow := *r
		if a := &r.Value; a.Kind == rules.Jump || a.Kind == rules.Decide && a.Verdict == rules.Unknown {
			flow.Continue = true
		}
		if _, err := b.Add(flow); err != nil {
			return nil, err
		}
	}
	return hipac.Analyze(ctx, b.List())
}

// hiddenBy returns the numbers of the rules that hide the rule which the
// positions from up to to of the chain make up, nil when it can decide.
func hiddenBy(analysis *hipac.Analysis[rules.Action], l *rules.List[rules.Action], from, to int) (by []int) {
	for i := from; i < to; i++ {
		if l.At(i).Continue {
			return nil
		}
		hider, ok := analysis.HiddenBy(i)
		if !ok {
			return nil
		}
		if hider < from { // another part of the rule is no other rule
			by = append(by, l.At(hider).Value.Number)
		}
	}
	slices.Sort(by)
	return slices.Compact(by)
}

// meeting says which of the n rules of a chain meet what some jump to it lets
// through.
func meeting(ctx context.Context, analysis *hipac.Analysis[rules.Action], jumps []*rules.Rule[rules.Action], n int) []bool {
	met := make([]bool, n)
	left := n
	for _, j := range jumps {
		if left == 0 || ctx.Err() != nil {
			break
		}
		for i := range analysis.Meeting(j.Conds) {
			if !met[i] {
				met[i] = true
				left--
			}
		}
	}
	return met
}

// write prints at most top of each kind, in lines of so many columns; 0 for
// any length.
func (d *deadRules) write(out *bytes.Buffer, chains bool, top, columns int) {
	fmt.Fprintf(out, "hidden       %s that can never decide, because an earlier one matches all they match\n", plural(len(d.Hidden), "rule"))
	writeDead(out, d.Hidden, top, columns)
	if !chains {
		return
	}
	fmt.Fprintf(out, "not reached  %s that match none of the packets which jumps bring to their chain\n", plural(len(d.Unreached), "rule"))
	writeDead(out, d.Unreached, top, columns)
	shown := d.UnreachedChains[:min(top, len(d.UnreachedChains))]
	for _, c := range shown {
		fmt.Fprintf(out, "  chain %s, %s: not reached by any jump\n", files.Printable(c.Chain), plural(c.Rules, "rule"))
	}
	writeMore(out, len(d.UnreachedChains), len(shown), "chain")
}

func writeDead(out *bytes.Buffer, list []deadRule, top, columns int) {
	shown := list[:min(top, len(list))]
	names := make([]string, len(shown))
	most := 0
	for i := range shown {
		names[i] = files.Printable(place(shown[i].Chain, fmt.Sprint(shown[i].Rule)))
		most = max(most, width(names[i]))
	}
	for i := range shown {
		end := ""
		if by := shown[i].By; len(by) > 0 {
			hiders := make([]string, len(by))
			for j, n := range by {
				hiders[j] = files.Printable(place(shown[i].Chain, fmt.Sprint(n)))
			}
			end = "  hidden by " + strings.Join(hiders, ", ")
		}
		text := files.Printable(shown[i].Text)
		if columns > 0 {
			text = cut(text, max(columns-most-width(end)-4, 12))
		}
		fmt.Fprintf(out, "  %s  %s%s\n", pad(names[i], most), text, end)
	}
	writeMore(out, len(list), len(shown), "other")
}

func writeMore(out *bytes.Buffer, all, shown int, thing string) {
	if all > shown {
		fmt.Fprintf(out, "  and %s (--top %d lists all)\n", plural(all-shown, thing), all)
	}
}
