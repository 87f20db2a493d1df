package hipac

// Packets that are cut inside a header. The kernel drops such a packet at the
// first rule that reads the header, once everything in front of the reading
// holds. That is another table: each rule that reads a header has in front of
// it one that drops the packets for which that cannot be done. Few packets
// need it, so it is compiled when the first one comes, in the background; until
// it is there they walk the chains.

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/hipac-go/classifier/rules"
)

// cutTable is the table for cut packets. It is safe for concurrent use.
type cutTable struct {
	source *rules.Table
	opts   *Options
	begun  atomic.Bool
	table  atomic.Pointer[Table]
}

// newCutTable returns the table for the cut packets of t, not compiled yet; nil
// when no rule reads a header.
func newCutTable(t *rules.Table, o *Options) *cutTable {
	if t.Schema.Index("hotdrop") < 0 {
		return nil
	}
	for i := range t.Chains {
		for _, r := range t.Chains[i].Rules.All() {
			if e := r.Value.Ext; e != nil && len(e.Demands) > 0 {
				return &cutTable{source: t, opts: o}
			}
		}
	}
	return nil
}

// BuildCut compiles what packets need that are cut inside a header, which
// otherwise happens in the background when the first such packet comes; until
// then those packets take time in proportion to the number of rules. It takes
// up to twice the time and memory of BuildTable. Errors are those of
// BuildTable.
func (t *Table) BuildCut(ctx context.Context) error {
	if t.cut == nil {
		return nil
	}
	t.cut.begun.Store(true)
	return t.cut.build(ctx)
}

func (c *cutTable) build(ctx context.Context) error {
	if c.table.Load() != nil {
		return nil
	}
	table, from, err := withDrops(c.source)
	if err != nil {
		return err
	}
	compiled, err := buildTable(ctx, table, c.opts)
	if err != nil {
		return err
	}
	compiled.from = from
	c.table.Store(compiled)
	return nil
}

// run evaluates a cut packet.
func (c *cutTable) run(s rules.Subject, entry int, executed func(rules.Place)) rules.Result {
	// A chain that is no unit of its own is walked in the source: what it has
	// copied is not what the other table has.
	if t := c.table.Load(); t != nil && t.units[entry].compiled {
		w := walk{Table: t, executed: executed}
		return w.run(s.Key(), s, entry)
	}
	if !c.begun.Swap(true) {
		go c.build(context.Background()) // an error leaves the walk
	}
	return c.source.Run(s, entry, executed)
}

// withDrops returns the table with the rules that drop, and by chain where its
// rules come from: ^i for one that drops in front of rule i.
func withDrops(t *rules.Table) (*rules.Table, [][]int32, error) {
	field := t.Schema.Index("hotdrop")
	out := *t
	out.Chains = make([]rules.Chain, len(t.Chains))
	from := make([][]int32, len(t.Chains))
	for i := range t.Chains {
		c := t.Chains[i]
		b := rules.NewBuilder[rules.Action](t.Schema)
		b.SetLimits(noLimits)
		var failed error
		add := func(r rules.Rule[rules.Action], place int) {
			r.ID = 0
			_, err := b.Add(r)
			failed = cmp.Or(failed, err)
			from[i] = append(from[i], int32(place))
		}
		for j, r := range c.Rules.All() {
			if e := r.Value.Ext; e != nil {
				for _, d := range e.Demands {
					drop := rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Drop, Number: r.Value.Number}}
					drop.Conds = append(append(drop.Conds, r.Conds[:d.Conds]...), rules.Masked(field, rules.Value{}, rules.U64(uint64(d.Bits))).Negate())
					if d.Tests > 0 {
						drop.Value.Ext = &rules.Extension{Tests: e.Tests[:d.Tests]}
					}
					add(drop, ^j)
				}
			}
			add(*r, j)
		}
		if failed != nil {
			return nil, nil, fmt.Errorf("table %s: chain %s: %w", t.Name, c.Name, failed)
		}
		c.Rules = b.List()
		out.Chains[i] = c
	}
	return &out, from, nil
}
