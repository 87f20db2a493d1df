package hipac

// The classifier of a table of chains. Each chain is a tree; evaluation asks
// a chain's tree for the next rule that changes the flow - a verdict, a jump,
// a return - from where it stands, so that a packet costs a few tree lookups,
// however many rules it passes.

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/index"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Table is a compiled rules.Table. It is immutable and safe for any number of
// goroutines; evaluation takes no lock, and allocates nothing unless jumps
// nest deeper than 16.
type Table struct {
	source   *rules.Table
	families families
	tree     *tree.Tree
	chains   []chain
	stats    Stats
}

type chain struct {
	base   uint32       // rank of its first rule
	decide roots        // the rules that change the flow
	pass   roots        // the others
	index  *index.Index // in place of both
}

// BuildTable compiles a table, which it asks for jumps that go nowhere and for
// loops as rules.Table.Check does, but for the limits. Time, memory and errors
// are those of Build over the rules of all chains.
func BuildTable(ctx context.Context, t *rules.Table, opts *Options) (*Table, error) {
	o, err := opts.orDefault()
	if err != nil {
		return nil, err
	}
	if err := t.Check(rules.Limits{MaxDepth: math.MaxInt, MaxWalk: math.MaxInt}); err != nil {
		return nil, err
	}
	c := &Table{source: t, families: familiesOf(t.Schema), chains: make([]chain, len(t.Chains))}
	total := 0
	for i := range t.Chains {
		total += t.Chains[i].Rules.Len()
	}
	if total > maxRules {
		return nil, fmt.Errorf("%w: %d", ErrTooManyRules, total)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	family := familyOf(t)
	decide := tree.NewBuilder(ctx, o.config(false))
	base := uint32(0)
	for i := range t.Chains {
		l := t.Chains[i].Rules
		c.chains[i].base = base
		flow := lower.Source{
			Len:   l.Len(),
			Conds: func(r int) []rules.Cond { return l.At(r).Conds },
			Skip:  func(r int) bool { return l.At(r).Continue },
			// A rule that comes back hides nothing.
			Hides: func(r int) bool { return l.At(r).Value.Kind != rules.Jump || l.At(r).Unknown != "" },
		}
		boxes := lower.Lower(t.Schema, flow)
		c.stats.addList(l.Len(), t.Schema, boxes)
		if o.Engine == Index {
			if c.chains[i].index, err = index.Build(ctx, t.Schema, l.Len(), flow.Conds, o.MemoryLimit); err != nil {
				return nil, buildError(err, o.MemoryLimit)
			}
			base += uint32(l.Len())
			continue
		}
		decide.Grow(boxes, base, l.Len())
		if c.chains[i].decide, err = c.families.build(decide, boxes, family); err != nil {
			return nil, buildError(err, o.MemoryLimit)
		}
		base += uint32(l.Len())
	}
	if o.Engine == Index {
		return c, nil
	}
	// The rules that only count come behind, never hidden: they all run.
	decide.KeepHidden()
	for i := range t.Chains {
		l := t.Chains[i].Rules
		boxes := lower.Lower(t.Schema, lower.Source{
			Len:   l.Len(),
			Conds: func(r int) []rules.Cond { return l.At(r).Conds },
			Skip:  func(r int) bool { return !l.At(r).Continue },
		})
		if boxes.Len() == 0 {
			c.chains[i].pass = roots{}
			continue
		}
		decide.Grow(boxes, c.chains[i].base, l.Len())
		if c.chains[i].pass, err = c.families.build(decide, boxes, family); err != nil {
			return nil, buildError(err, o.MemoryLimit)
		}
	}
	c.tree = decide.Tree()
	return c, nil
}

// familyOf returns the family of all addresses in the packets that the table
// admits, 0 when they may differ.
func familyOf(t *rules.Table) int {
	for i := range t.Schema.Len() {
		if f := t.Schema.Field(i); f.Kind == rules.IP && f.Name != "src" && f.Name != "dst" {
			return 0
		}
	}
	return t.Family
}

// Source returns the table that was compiled.
func (t *Table) Source() *rules.Table { return t.source }

// returned is where evaluation of a chain stands after a Return.
const returned = ^uint32(0)

// frame is a place to come back to.
type frame struct {
	chain int32
	next  uint32 // rank
}

// Evaluate sends a packet through the table from the chain at index entry,
// and returns what rules.Table.Evaluate does.
func (t *Table) Evaluate(k rules.Key, entry int) rules.Result {
	return t.walk(k, entry, nil)
}

// Trace is Evaluate, and calls executed for every rule executed, in order,
// the deciding one included.
func (t *Table) Trace(k rules.Key, entry int, executed func(rules.Place)) rules.Result {
	return t.walk(k, entry, executed)
}

func (t *Table) walk(k rules.Key, entry int, executed func(rules.Place)) rules.Result {
	if len(k) != t.source.Schema.KeyLen() || !t.source.Admits(k) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	var buf [16]frame
	stack := buf[:0]
	at := entry
	next := t.chains[at].base
	for {
		c := &t.chains[at]
		rank := tree.NoMatch
		if next != returned {
			rank = t.next(at, k, next)
		}
		if executed != nil && next != returned {
			t.passed(k, at, next, rank, executed)
		}
		if rank == tree.NoMatch {
			if len(stack) == 0 {
				return rules.Result{Verdict: t.source.Chains[entry].Policy, By: rules.Place{Chain: entry, Rule: -1}}
			}
			f := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			at, next = int(f.chain), f.next
			continue
		}
		here := rules.Place{Chain: at, Rule: int(rank - c.base)}
		if executed != nil {
			executed(here)
		}
		r := t.source.Chains[at].Rules.At(here.Rule)
		if r.Unknown != "" {
			return rules.Result{Verdict: rules.Unknown, By: here}
		}
		switch r.Value.Kind {
		case rules.Decide:
			return rules.Result{Verdict: r.Value.Verdict, By: here}
		case rules.Jump:
			stack = append(stack, frame{int32(at), rank + 1})
			at = r.Value.Chain
			next = t.chains[at].base
		case rules.Goto:
			at = r.Value.Chain
			next = t.chains[at].base
		default: // Return; a rule that goes on would not be in this tree
			next = returned
		}
	}
}

// next returns the rank, from the given one on, of the next rule of the chain
// that matches and changes the flow.
func (t *Table) next(at int, k rules.Key, from uint32) uint32 {
	c := &t.chains[at]
	if c.index == nil {
		return t.tree.FirstFrom(c.decide.rootFor(t.families, k), k, from)
	}
	l := t.source.Chains[at].Rules
	r, ok := c.index.First(k, from-c.base, func(r uint32) bool { return !l.At(int(r)).Continue })
	if !ok {
		return tree.NoMatch
	}
	return c.base + r
}

// passed reports the rules that only count, of the ranks from up to before.
func (t *Table) passed(k rules.Key, chain int, from, before uint32, executed func(rules.Place)) {
	c := &t.chains[chain]
	if c.index != nil {
		l := t.source.Chains[chain].Rules
		for it := c.index.Match(k).Iterator(); it.HasNext(); {
			if r := it.Next(); c.base+r >= from && c.base+r < before && l.At(int(r)).Continue {
				executed(rules.Place{Chain: chain, Rule: int(r)})
			}
		}
		return
	}
	if c.pass == (roots{}) {
		return
	}
	var buf [64]uint32
	found := t.tree.All(c.pass.rootFor(t.families, k), k, buf[:0])
	slices.Sort(found)
	for _, rank := range found {
		if rank >= from && rank < before {
			executed(rules.Place{Chain: chain, Rule: int(rank - c.base)})
		}
	}
}
