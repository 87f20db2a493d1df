package cases

// A table of chains with packets, to be evaluated as the walk does: the verdict, who
// decided, and the rules executed, in order.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
)

// Table is a table of chains with packets, which enter it at a chain.
type Table struct {
	Table *rules.Table
	Entry int
	Keys  []uint32
	Ways  []chains.Way
}

// Kind says what is alike.
func (c *Table) Kind() string {
	if len(c.Ways) == 1 {
		return "table, " + c.Ways[0].Name
	}
	return "table"
}

func ruleCount(t *rules.Table) (n int) {
	for i := range t.Chains {
		n += t.Chains[i].Rules.Len()
	}
	return n
}

// Size says how large it is.
func (c *Table) Size() string {
	return fmt.Sprintf("%s in %s, %s", plural(ruleCount(c.Table), "rule"), plural(len(c.Table.Chains), "chain"),
		plural(len(c.Keys)/c.Table.Schema.KeyLen(), "packet"))
}

// Check evaluates all packets in all ways. The error is a *compare.Difference, or
// what a build or an evaluation ended in.
func (c *Table) Check() error {
	_, err := CheckTable(c.Table, c.Entry, c.Keys, c.Ways)
	return err
}

// TableReport says what was compared.
type TableReport struct {
	Packets, Decided, Answers int
	Executed                  []rules.Place // by all packets, each once
}

// CheckTable evaluates packets in all ways, and compares with the walk.
func CheckTable(t *rules.Table, entry int, keys []uint32, all []chains.Way) (report TableReport, err error) {
	w := t.Schema.KeyLen()
	q := &chains.Inquiry{Entries: []int{entry}}
	met := map[rules.Place]bool{}
	for at := 0; at+w <= len(keys); at += w {
		k := rules.Key(keys[at:][:w:w])
		q.Keys = append(q.Keys, k)
		r := t.Evaluate(k, entry, func(p rules.Place) {
			if !met[p] {
				met[p] = true
				report.Executed = append(report.Executed, p)
			}
		})
		report.Packets++
		if r.By.Rule >= 0 {
			report.Decided++
		}
	}
	var want *chains.Answers
	for _, way := range append([]chains.Way{chains.Walk()}, all...) {
		if err := guarded(func() error {
			a, err := way.Build(t)
			if err != nil {
				return fmt.Errorf("%s: %w", way.Name, err)
			}
			got, err := chains.Ask(way.Name, t, a, q)
			if err != nil {
				return err
			}
			if want == nil {
				want = got
				return nil
			}
			n, err := got.Compare(way.Name, t, q, want)
			report.Answers += n
			return err
		}); err != nil {
			return report, err
		}
	}
	return report, nil
}

// placed is a rule with the chain that it is in.
type placed struct {
	chain int
	rule  rules.Rule[rules.Action]
}

// withRules returns the table with other rules; an error for one that is none.
func withRules(t *rules.Table, all []placed) (*rules.Table, error) {
	out := *t
	out.Chains = slices.Clone(t.Chains)
	for i := range out.Chains {
		b := rules.NewBuilder[rules.Action](t.Schema)
		for _, p := range all {
			if p.chain != i {
				continue
			}
			p.rule.ID = 0
			if p.rule.Value.Number == 0 {
				p.rule.Value.Number = b.Len() + 1
			}
			if _, err := b.Add(p.rule); err != nil {
				return nil, err
			}
		}
		out.Chains[i].Rules = b.List()
	}
	return &out, out.Check(rules.Limits{})
}

// without returns the table without a chain that nothing leads to, and the entry.
func without(t *rules.Table, entry, chain int) (*rules.Table, int, bool) {
	if chain == entry {
		return nil, 0, false
	}
	var all []placed
	for i := range t.Chains {
		for _, r := range t.Chains[i].Rules.All() {
			c := *r
			if k := c.Value.Kind; i != chain && (k == rules.Jump || k == rules.Goto) {
				if c.Value.Chain == chain {
					return nil, 0, false
				}
				if c.Value.Chain > chain {
					c.Value.Chain--
				}
			}
			switch {
			case i < chain:
				all = append(all, placed{i, c})
			case i > chain:
				all = append(all, placed{i - 1, c})
			}
		}
	}
	out := *t
	out.Chains = slices.Delete(slices.Clone(t.Chains), chain, chain+1)
	if entry > chain {
		entry--
	}
	next, err := withRules(&out, all)
	return next, entry, err == nil
}

// Shrink leaves out ways, packets, rules, conditions and chains.
func (c *Table) Shrink(ctx context.Context) drive.Case {
	out := *c
	if out.Check() == nil {
		return c
	}
	for _, w := range c.Ways {
		if one := (Table{c.Table, c.Entry, c.Keys, []chains.Way{w}}); len(c.Ways) > 1 && one.Check() != nil {
			out.Ways = one.Ways
			break
		}
	}
	s := c.Table.Schema
	var d *compare.Difference
	if err := out.Check(); errors.As(err, &d) {
		out.Keys = slices.Clone(d.Key)
	}
	take := func(t *rules.Table, entry int) bool {
		next := Table{t, entry, out.Keys, out.Ways}
		if next.Check() == nil {
			return false
		}
		out = next
		return true
	}
	flat := func() []placed { return placedRules(out.Table) }
	for was := ""; was != out.Size() && ctx.Err() == nil; {
		was = out.Size()
		all := fewer(ctx, flat(), func(keep []placed) bool {
			t, err := withRules(out.Table, keep)
			return err == nil && take(t, out.Entry)
		})
		rs := make([]rules.Rule[rules.Action], len(all))
		for i := range all {
			rs[i] = all[i].rule
		}
		plainer(ctx, s, rs, func(next []rules.Rule[rules.Action]) bool {
			keep := slices.Clone(all)
			for i := range keep {
				keep[i].rule = next[i]
			}
			t, err := withRules(out.Table, keep)
			return err == nil && take(t, out.Entry)
		})
		for i := range all {
			keep := slices.Clone(flat())
			if i < len(keep) && keep[i].rule.Value.Ext != nil {
				keep[i].rule.Value.Ext = nil
				if t, err := withRules(out.Table, keep); err == nil {
					take(t, out.Entry)
				}
			}
		}
		for chain := len(out.Table.Chains) - 1; chain >= 0 && ctx.Err() == nil; chain-- {
			if t, entry, ok := without(out.Table, out.Entry, chain); ok {
				take(t, entry)
			}
		}
	}
	narrower(ctx, s, out.Keys, func(k rules.Key) bool {
		next := out
		next.Keys = k
		if len(out.Keys) != s.KeyLen() || next.Check() == nil {
			return false
		}
		out = next
		return true
	})
	return &out
}

// tellAction writes an action: "DROP", "jump 2", "pass".
func tellAction(a *rules.Action) string {
	switch a.Kind {
	case rules.Decide:
		return a.Verdict.String()
	case rules.Jump:
		return fmt.Sprint("jump ", a.Chain)
	case rules.Goto:
		return fmt.Sprint("goto ", a.Chain)
	case rules.Return:
		return "return"
	}
	return "pass"
}

// parseAction reads what tellAction writes.
func parseAction(text string) (a rules.Action, err error) {
	word, number, _ := strings.Cut(text, " ")
	switch word {
	case "pass":
		a.Kind = rules.Pass
	case "return":
		a.Kind = rules.Return
	case "jump", "goto":
		a.Kind = rules.Jump
		if word == "goto" {
			a.Kind = rules.Goto
		}
		a.Chain, err = strconv.Atoi(number)
	default:
		v, ok := rules.ParseVerdict(word)
		if !ok {
			return a, fmt.Errorf("%q: want a verdict, jump N, goto N, return or pass", text)
		}
		a.Kind, a.Verdict = rules.Decide, v
	}
	return a, err
}

// chainLines are the lines of chains: their policies.
func chainLines(all []rules.Chain) (lines [][2]string) {
	for i := range all {
		policy := "-"
		if p := all[i].Policy; p != rules.NoVerdict {
			policy = p.String()
		}
		lines = append(lines, [2]string{"chain", policy})
	}
	return lines
}

// readChains reads what chainLines writes.
func readChains(f *file) (all []rules.Chain, err error) {
	for i, text := range f.each("chain") {
		policy := rules.NoVerdict
		if text != "-" {
			var ok bool
			if policy, ok = rules.ParseVerdict(text); !ok {
				return nil, fmt.Errorf("chain %q: want a verdict or -", text)
			}
		}
		all = append(all, rules.Chain{Name: fmt.Sprint("chain", i), Policy: policy})
	}
	return all, nil
}

// placedList returns rules with their chains and actions as a list that can be
// written. Rules that ask or do more than conditions and actions say cannot be.
func placedList(s *rules.Schema, all []placed) (*rules.List[string], error) {
	b := rules.NewBuilder[string](s)
	for _, p := range all {
		r := &p.rule
		if r.Value.Ext != nil {
			return nil, fmt.Errorf("chain %d: a rule with tests or targets cannot be kept", p.chain)
		}
		if _, err := b.Add(rules.Rule[string]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown, Value: fmt.Sprintf("%d %s", p.chain, tellAction(&r.Value))}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// readPlaced reads what placedList returns, in so many chains.
func readPlaced(l *rules.List[string], chains int) (all []placed, err error) {
	for i, r := range l.All() {
		number, text, _ := strings.Cut(r.Value, " ")
		chain, err := strconv.Atoi(number)
		if err != nil || chain < 0 || chain >= chains {
			return nil, fmt.Errorf("rule %d: %q: no chain of that number", i+1, number)
		}
		a, err := parseAction(text)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		all = append(all, placed{chain, rules.Rule[rules.Action]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown, Value: a}})
	}
	return all, nil
}

// readEntry reads the lines "family" and "entry" of so many chains.
func readEntry(f *file, chains int) (family, entry int, err error) {
	x, err := f.number("family")
	if err != nil {
		return 0, 0, err
	}
	y, err := f.number("entry")
	if err == nil && y >= uint64(chains) {
		err = fmt.Errorf("entry %d of %d chains", y, chains)
	}
	return int(x), int(y), err
}

// placedRules are the rules of a table.
func placedRules(t *rules.Table) (all []placed) {
	for i := range t.Chains {
		for _, r := range t.Chains[i].Rules.All() {
			all = append(all, placed{i, *r})
		}
	}
	return all
}

// Write writes the case. Rules that ask or do more than conditions and actions say
// cannot be written.
func (c *Table) Write(w io.Writer) error {
	lines := [][2]string{{"family", strconv.Itoa(c.Table.Family)}, {"entry", strconv.Itoa(c.Entry)}}
	lines = append(lines, chainLines(c.Table.Chains)...)
	l, err := placedList(c.Table.Schema, placedRules(c.Table))
	if err != nil {
		return err
	}
	for _, way := range c.Ways {
		lines = append(lines, [2]string{"way", way.Name})
	}
	lines = append(lines, packetLines(c.Table.Schema, c.Keys)...)
	if err := writeHead(w, "table", lines...); err != nil {
		return err
	}
	return writeRules(w, l, func(_ int, r *rules.Rule[string]) string { return r.Value })
}

func readTable(f *file, o Options) (*Table, error) {
	l, err := readRules(f.body)
	if err != nil {
		return nil, err
	}
	c := &Table{Table: &rules.Table{Name: "table", Schema: l.Schema()}}
	for _, w := range chains.All()[1:] {
		c.Ways = append(c.Ways, o.Wrong.Table(w))
	}
	if c.Table.Chains, err = readChains(f); err != nil {
		return nil, err
	}
	if c.Table.Family, c.Entry, err = readEntry(f, len(c.Table.Chains)); err != nil {
		return nil, err
	}
	all, err := readPlaced(l, len(c.Table.Chains))
	if err != nil {
		return nil, err
	}
	if c.Table, err = withRules(c.Table, all); err != nil {
		return nil, err
	}
	c.Keys, err = readPackets(f, l.Schema())
	return c, err
}

// Explain writes the chains, the packet, both answers, and the walk.
func (c *Table) Explain(w io.Writer) {
	err := c.Check()
	var d *compare.Difference
	if !errors.As(err, &d) {
		fmt.Fprintf(w, "%v\n", err)
		return
	}
	s := c.Table.Schema
	if d.Key == nil { // of all packets together
		fmt.Fprintf(w, "%s, the walk over the chains: %s\n%s, %s: %s\n", d.Question, d.Want, d.Question, d.Engine, d.Got)
		return
	}
	fmt.Fprintf(w, "packet: %s\n", tellPacket(s, d.Key))
	fmt.Fprintf(w, "%s, the walk over the chains: %s\n%s, %s: %s\n", d.Question, d.Want, d.Question, d.Engine, d.Got)
	if len(c.Table.Chains) <= tellMost {
		for i := range c.Table.Chains {
			ch := &c.Table.Chains[i]
			fmt.Fprintf(w, "chain %d, policy %s\n", i, ch.Policy)
			tellRules(w, ch.Rules.Len(), func(n int) (string, bool) {
				r := ch.Rules.At(n)
				text := tellAnswers(r.Explain(s, d.Key))
				return fmt.Sprintf("  rule %d: %s => %s: %s", n, tellRule(s, r), tellAction(&r.Value), text), text == matches
			})
		}
	}
	var steps []string
	c.Table.Evaluate(d.Key, c.Entry, func(p rules.Place) { steps = append(steps, fmt.Sprintf("%d/%d", p.Chain, p.Rule)) })
	fmt.Fprintf(w, "the walk executes, as chain/rule: %s\n", strings.Join(steps, " "))
}
