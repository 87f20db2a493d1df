package cases

// A live table that becomes one table after the other, and packets that the last of
// them should evaluate as the walk does.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Versions is a live table that was other ones before. All have the same chains.
type Versions struct {
	Schema   *rules.Schema
	Family   int
	Chains   []rules.Chain // without rules
	Pool     []placed      // rules
	Versions [][]int       // the numbers in Pool of the rules of each, in order
	Entry    int
	Keys     []uint32
	LeafRows int
	Counters bool
	Wrap     func(chains.Way) chains.Way // of the way that it is; nil changes nothing
}

// Kind says what is alike.
func (c *Versions) Kind() string { return "versions of a live table" }

// used are the rules of the pool that versions have, once each, in order.
func (c *Versions) used() []int {
	all := slices.Concat(c.Versions...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Size says how large it is.
func (c *Versions) Size() string {
	return fmt.Sprintf("%s in %s, %s, %s", plural(len(c.used()), "rule"), plural(len(c.Chains), "chain"), plural(len(c.Versions), "version"), plural(len(c.Keys)/c.Schema.KeyLen(), "packet"))
}

// table returns a version.
func (c *Versions) table(version []int) (*rules.Table, error) {
	t := &rules.Table{Name: "table", Family: c.Family, Schema: c.Schema, Chains: c.Chains}
	var all []placed
	for _, i := range version {
		all = append(all, c.Pool[i])
	}
	return withRules(t, all)
}

// last returns the last version, and how it comes to be.
func (c *Versions) last() (*Table, error) {
	var all []*rules.Table
	for i, v := range c.Versions {
		t, err := c.table(v)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", i, err)
		}
		all = append(all, t)
	}
	n := len(all) - 1
	way := chains.After(all[:n], hipac.LiveOptions{NoBackground: true, LeafRows: c.LeafRows, Counters: c.Counters})
	if c.Wrap != nil {
		way = c.Wrap(way)
	}
	return &Table{all[n], c.Entry, c.Keys, []chains.Way{way}}, nil
}

// Check makes the versions, and evaluates all packets.
func (c *Versions) Check() error {
	t, err := c.last()
	if err != nil {
		return err
	}
	return t.Check()
}

// versions returns the versions of a history, when they alone make its difference;
// nil when they do not.
func (c *Seeded) versions() *Versions {
	var d *chains.HistoryDifference
	if !errors.As(c.Check(), &d) {
		return nil
	}
	v := versionsOf(d, c.Wrap)
	for v.Entry = range v.Chains {
		if v.Check() != nil {
			return v
		}
	}
	return nil
}

// versionsOf takes the versions of a history apart. What rules ask and do beyond
// conditions and actions is left out.
func versionsOf(d *chains.HistoryDifference, wrap func(chains.Way) chains.Way) *Versions {
	last := d.Versions[len(d.Versions)-1]
	c := &Versions{Schema: last.Schema, Family: last.Family, Keys: d.Key, LeafRows: d.Options.LeafRows, Counters: d.Options.Counters, Wrap: wrap}
	chain, pooled := map[string]int{}, map[string]int{}
	for _, t := range slices.Backward(d.Versions) { // policies are those of the last
		for i := range t.Chains {
			name := t.Chains[i].Name
			if _, ok := chain[name]; name == "" || ok {
				continue
			}
			chain[name] = len(c.Chains)
			c.Chains = append(c.Chains, rules.Chain{Name: fmt.Sprint("chain", len(c.Chains)), Policy: t.Chains[i].Policy})
		}
	}
	for _, t := range d.Versions {
		var version []int
		for _, p := range placedRules(t) {
			p.chain = chain[t.Chains[p.chain].Name]
			a := &p.rule.Value
			if a.Ext, a.Number, a.Text = nil, 0, ""; a.Kind == rules.Jump || a.Kind == rules.Goto {
				a.Chain = chain[t.Chains[a.Chain].Name]
			}
			said := fmt.Sprintf("%d %s %s", p.chain, tellAction(a), rules.FormatRule(c.Schema, &rules.Rule[string]{Conds: p.rule.Conds, Continue: p.rule.Continue, Unknown: p.rule.Unknown}))
			n, ok := pooled[said]
			if !ok {
				n = len(c.Pool)
				pooled[said] = n
				c.Pool = append(c.Pool, p)
			}
			version = append(version, n)
		}
		c.Versions = append(c.Versions, version)
	}
	return c
}

// Shrink leaves out versions, packets, rules, conditions and chains. When the last
// version is enough, it is a case of that table.
func (c *Versions) Shrink(ctx context.Context) drive.Case {
	out := *c
	if out.Check() == nil {
		return c
	}
	if t, err := out.last(); err == nil {
		if alone := (&Table{t.Table, t.Entry, t.Keys, chains.All()[1:]}); alone.Check() != nil {
			return alone.Shrink(ctx)
		}
	}
	take := func(change func(next *Versions)) bool {
		next := out
		change(&next)
		if _, err := next.last(); err != nil || next.Check() == nil {
			return false
		}
		out = next
		return true
	}
	last := func() int { return len(out.Versions) - 1 }
	for was := ""; was != out.Size() && ctx.Err() == nil; {
		was = out.Size()
		then := out.Versions[last()]
		fewer(ctx, out.Versions[:last()], func(keep [][]int) bool {
			return take(func(next *Versions) { next.Versions = append(slices.Clone(keep), then) })
		})
		fewer(ctx, out.used(), func(keep []int) bool {
			return take(func(next *Versions) {
				next.Versions = nil
				for _, v := range out.Versions {
					next.Versions = append(next.Versions, slices.DeleteFunc(slices.Clone(v), func(i int) bool { return !slices.Contains(keep, i) }))
				}
			})
		})
		for i := range out.Versions {
			fewer(ctx, out.Versions[i], func(keep []int) bool {
				return take(func(next *Versions) {
					next.Versions = slices.Clone(out.Versions)
					next.Versions[i] = keep
				})
			})
		}
		used := out.used()
		var rs []rules.Rule[rules.Action]
		for _, i := range used {
			rs = append(rs, out.Pool[i].rule)
		}
		plainer(ctx, out.Schema, rs, func(changed []rules.Rule[rules.Action]) bool {
			return take(func(next *Versions) {
				next.Pool = slices.Clone(out.Pool)
				for n, i := range used {
					next.Pool[i].rule = changed[n]
				}
			})
		})
		for chain := len(out.Chains) - 1; chain >= 0 && ctx.Err() == nil; chain-- {
			take(func(next *Versions) { next.leaveOut(chain) })
		}
	}
	if len(out.Keys) > 0 {
		narrower(ctx, out.Schema, out.Keys, func(k rules.Key) bool {
			return take(func(next *Versions) { next.Keys = k })
		})
	}
	return out.tidy()
}

// leaveOut leaves out a chain where it is neither the entry nor one that rules of
// versions are in or lead to; else nothing.
func (c *Versions) leaveOut(chain int) {
	c.Pool = slices.Clone(c.Pool)
	if chain == c.Entry {
		return
	}
	for _, i := range c.used() {
		p := &c.Pool[i]
		if p.chain == chain || leadsTo(p) && p.rule.Value.Chain == chain {
			return
		}
	}
	for i := range c.Pool {
		p := &c.Pool[i]
		if p.chain > chain {
			p.chain--
		}
		if leadsTo(p) && p.rule.Value.Chain > chain {
			p.rule.Value.Chain--
		}
	}
	if c.Entry > chain {
		c.Entry--
	}
	c.Chains = slices.Delete(slices.Clone(c.Chains), chain, chain+1)
}

// leadsTo reports whether a rule leads to a chain.
func leadsTo(p *placed) bool {
	return p.rule.Value.Kind == rules.Jump || p.rule.Value.Kind == rules.Goto
}

// tidy returns the case with the rules in its pool that it uses.
func (c *Versions) tidy() *Versions {
	out := *c
	out.Pool, out.Versions = nil, nil
	used := c.used()
	for _, i := range used {
		out.Pool = append(out.Pool, c.Pool[i])
	}
	for _, v := range c.Versions {
		var numbers []int
		for _, i := range v {
			n, _ := slices.BinarySearch(used, i)
			numbers = append(numbers, n)
		}
		out.Versions = append(out.Versions, numbers)
	}
	return &out
}

// Explain writes the versions, and of the last one what Table does.
func (c *Versions) Explain(w io.Writer) {
	t, err := c.last()
	if err != nil {
		fmt.Fprintf(w, "%v\n", err)
		return
	}
	if len(c.Pool) <= tellMost {
		for i := range c.Pool {
			p := &c.Pool[i]
			fmt.Fprintf(w, "rule %d, of chain %d: %s => %s\n", i, p.chain, tellRule(c.Schema, &p.rule), tellAction(&p.rule.Value))
		}
	}
	if len(c.Versions) <= tellMost {
		for i, v := range c.Versions {
			fmt.Fprintf(w, "version %d has rules %s\n", i, numbers(v))
		}
	}
	fmt.Fprintln(w, "and the last version:")
	t.Explain(w)
}

// numbers writes numbers: "0 2 5", or "none".
func numbers(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(list), "[]")
}

// Write writes the case. Rules are numbered from 0 in the order of the file.
func (c *Versions) Write(w io.Writer) error {
	l, err := placedList(c.Schema, c.Pool)
	if err != nil {
		return err
	}
	lines := [][2]string{{"family", strconv.Itoa(c.Family)}, {"entry", strconv.Itoa(c.Entry)}, {"leafrows", strconv.Itoa(c.LeafRows)}, {"counters", strconv.FormatBool(c.Counters)}}
	lines = append(lines, chainLines(c.Chains)...)
	for _, v := range c.Versions {
		lines = append(lines, [2]string{"version", numbers(v)})
	}
	lines = append(lines, packetLines(c.Schema, c.Keys)...)
	if err := writeHead(w, "versions", lines...); err != nil {
		return err
	}
	return writeRules(w, l, func(_ int, r *rules.Rule[string]) string { return r.Value })
}

func readVersions(f *file, o Options) (*Versions, error) {
	l, err := readRules(f.body)
	if err != nil {
		return nil, err
	}
	c := &Versions{Schema: l.Schema(), Wrap: o.Wrong.Table}
	if c.Chains, err = readChains(f); err != nil {
		return nil, err
	}
	if c.Family, c.Entry, err = readEntry(f, len(c.Chains)); err != nil {
		return nil, err
	}
	rows, err := f.number("leafrows")
	if err != nil {
		return nil, err
	}
	c.LeafRows = int(min(rows, 1<<20))
	if c.Counters, err = strconv.ParseBool(f.last("counters")); err != nil {
		return nil, fmt.Errorf("counters %q: want true or false", f.last("counters"))
	}
	if c.Pool, err = readPlaced(l, len(c.Chains)); err != nil {
		return nil, err
	}
	for _, line := range f.each("version") {
		version := []int{}
		for _, word := range strings.Fields(line) {
			if line == "none" {
				break
			}
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 || n >= len(c.Pool) {
				return nil, fmt.Errorf("version %q: %s: no rule of that number", line, word)
			}
			version = append(version, n)
		}
		c.Versions = append(c.Versions, version)
	}
	if c.Versions == nil {
		return nil, errors.New("there is no line version")
	}
	if c.Keys, err = readPackets(f, l.Schema()); err != nil {
		return nil, err
	}
	_, err = c.last()
	return c, err
}
