package hipac

// The classifier of a table of chains. Each chain is a tree; evaluation asks
// a chain's tree for the next rule that changes the flow - a verdict, a jump,
// a return - from where it stands, so that a packet costs a few tree lookups,
// however many rules it passes.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/index"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Table is a compiled rules.Table. It is immutable and safe for any number of
// goroutines; evaluation takes no lock.
type Table struct {
	source   *rules.Table
	binder   *packet.Binder
	families families
	tree     *tree.Tree
	chains   []chain
	never    []uint32 // ranks of rules that can never match, ascending
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
	if t == nil {
		return nil, errors.New("no table")
	}
	if err := t.Check(rules.Limits{MaxDepth: math.MaxInt, MaxWalk: math.MaxInt}); err != nil {
		return nil, err
	}
	own := *t // the caller may change t
	own.Chains = slices.Clone(t.Chains)
	t = &own
	c := &Table{source: t, binder: packet.NewBinder(t.Schema), families: familiesOf(t.Schema), chains: make([]chain, len(t.Chains))}
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
	decide := tree.NewBuilder(ctx, o.config(t.Schema, false))
	base := uint32(0)
	for i := range t.Chains {
		l := t.Chains[i].Rules
		c.chains[i].base = base
		flow := lower.Source{
			Len:   l.Len(),
			Conds: func(r int) []rules.Cond { return l.At(r).Conds },
			Skip:  func(r int) bool { return onlyCounts(l.At(r)) },
			// A rule that comes back, or that may not match after all, hides nothing.
			Hides: func(r int) bool {
				v := &l.At(r).Value
				return (v.Kind != rules.Jump || l.At(r).Unknown != "") && v.Ext.Plain()
			},
		}
		boxes, err := lower.Lower(ctx, t.Schema, flow, o.MemoryLimit)
		if err != nil {
			return nil, buildError(err, o.MemoryLimit)
		}
		c.stats.addList(l.Len(), t.Schema, boxes)
		for _, r := range boxes.Never {
			c.never = append(c.never, base+r)
		}
		if o.Engine == Index {
			if c.chains[i].index, err = index.Build(ctx, t.Schema, l.Len(), flow.Conds, o.MemoryLimit); err != nil {
				return nil, buildError(err, o.MemoryLimit)
			}
			base += uint32(l.Len())
			continue
		}
		decide.Grow(boxes, base)
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
		boxes, err := lower.Lower(ctx, t.Schema, lower.Source{
			Len:   l.Len(),
			Conds: func(r int) []rules.Cond { return l.At(r).Conds },
			Skip:  func(r int) bool { return !onlyCounts(l.At(r)) },
		}, o.MemoryLimit)
		if err != nil {
			return nil, buildError(err, o.MemoryLimit)
		}
		if boxes.Len() == 0 {
			continue
		}
		decide.Grow(boxes, c.chains[i].base)
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

// Source returns the table that was compiled. It must not be changed.
func (t *Table) Source() *rules.Table { return t.source }

// returned is where evaluation of a chain stands after a Return.
const returned = ^uint32(0)

// manyJumps is the number of jumps out of one visit to a chain after which all
// rules of the chain that match are looked up at once, rather than one by one
// from where evaluation stands: the one costs a lookup each, the other memory.
const manyJumps = 32

// frame is where evaluation of a chain stands.
type frame struct {
	chain int32
	jumps int32  // taken from this visit
	next  uint32 // rank of the next rule
	ahead int32  // 1 + index in walk.lists, 0 for none
}

// walk is an evaluation under way.
type walk struct {
	*Table
	executed func(rules.Place)  // or nil
	lists    [][]uint32         // flow-changing rules that match, of some visits
	passing  map[int32][]uint32 // counting rules that match, by chain
}

// onlyCounts reports whether nothing comes of the rule but its counters.
func onlyCounts(r *rules.Rule[rules.Action]) bool { return r.Continue && r.Value.Ext.Plain() }

// Evaluate sends a packet through the table from the chain at index entry,
// 0 <= entry < len(Chains), and returns what rules.Table.Evaluate does; it
// panics on an entry that there is not. It allocates nothing unless
// jumps nest deeper than 16, or a packet takes more than 32 of them in one
// chain.
func (t *Table) Evaluate(k rules.Key, entry int) rules.Result {
	return t.Trace(k, entry, nil)
}

// Trace is Evaluate, and calls executed for every rule executed, in order,
// the deciding one included. It allocates.
func (t *Table) Trace(k rules.Key, entry int, executed func(rules.Place)) rules.Result {
	if len(k) != t.source.Schema.KeyLen() || !t.source.Admits(k) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	w := walk{Table: t, executed: executed}
	return w.run(k, nil, entry)
}

// Run is rules.Table.Run: Evaluate for a packet of which more than its key is
// known, with all that tests ask and targets do. executed may be nil.
func (t *Table) Run(s rules.Subject, entry int, executed func(rules.Place)) rules.Result {
	if !s.Enters(t.source) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	w := walk{Table: t, executed: executed}
	return w.run(s.Key(), s, entry)
}

// run walks the chains; s is nil when only the key is known.
func (w *walk) run(k rules.Key, s rules.Subject, entry int) rules.Result {
	if w.source.Schema.Hotdrop(k) != 0 {
		if s == nil {
			s = rules.KeyOnly(slices.Clone(k))
		}
		return w.source.Run(s, entry, w.executed)
	}
	var buf [16]frame
	stack := buf[:0]
	at := w.enter(entry)
	for {
		rank := w.next(k, &at)
		if w.executed != nil && at.next != returned {
			w.passed(k, &at, rank)
		}
		if rank == tree.NoMatch {
			if len(stack) == 0 {
				return rules.Result{Verdict: w.source.Chains[entry].Policy, By: rules.Place{Chain: entry, Rule: -1}}
			}
			at = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			continue
		}
		here := rules.Place{Chain: int(at.chain), Rule: int(rank - w.chains[at.chain].base)}
		r := w.source.Chains[here.Chain].Rules.At(here.Rule)
		at.next = rank + 1
		if e := r.Value.Ext; !e.Plain() {
			if s == nil {
				s = rules.KeyOnly(slices.Clone(k)) // so that k itself can live on the stack
			}
			result, end, on := w.extended(r, s, here)
			if end {
				return result
			}
			if e.Changes() {
				k = s.Key()
				clear(w.passing)
				w.forget(stack, &at)
			}
			if !on {
				continue
			}
		} else {
			if w.executed != nil {
				w.executed(here)
			}
			if r.Unknown != "" {
				return rules.Result{Verdict: rules.Unknown, By: here, Needs: r.Unknown}
			}
		}
		switch r.Value.Kind {
		case rules.Decide:
			return rules.Result{Verdict: r.Value.Verdict, By: here}
		case rules.Jump:
			at.jumps++
			stack = append(stack, at)
			at = w.enter(r.Value.Chain)
		case rules.Goto:
			at = w.enter(r.Value.Chain)
		case rules.Return:
			at.next = returned
		}
	}
}

// extended asks the tests of a rule whose conditions hold and applies its
// target. end says that result ends the evaluation, on that the rule's action
// follows.
func (w *walk) extended(r *rules.Rule[rules.Action], s rules.Subject, here rules.Place) (result rules.Result, end, on bool) {
	e := r.Value.Ext
	outcome, needs := e.Ask(s)
	switch outcome {
	case rules.No:
		return result, false, false
	case rules.DropNow:
		return rules.Result{Verdict: rules.Drop, By: here, Dropped: true}, true, false
	}
	if r.Unknown != "" {
		outcome, needs = rules.Unsure, r.Unknown
	}
	if w.executed != nil {
		w.executed(here)
	}
	if outcome == rules.Unsure && (!r.Continue || e.Changes()) {
		return rules.Result{Verdict: rules.Unknown, By: here, Needs: needs}, true, false
	}
	if e.Target == nil {
		return result, false, true
	}
	if outcome == rules.Unsure {
		e.Target.Apply(s, here, needs)
		return result, false, false
	}
	switch outcome, needs = e.Target.Apply(s, here, ""); outcome {
	case rules.No:
		return result, false, false
	case rules.DropNow:
		return rules.Result{Verdict: rules.Drop, By: here}, true, false
	case rules.Unsure:
		return rules.Result{Verdict: rules.Unknown, By: here, Needs: needs}, true, false
	}
	return result, false, true
}

// forget drops the lists of matching rules that were made before the packet
// changed.
func (w *walk) forget(stack []frame, at *frame) {
	w.lists = w.lists[:0]
	at.ahead = 0
	for i := range stack {
		stack[i].ahead = 0
	}
}

func (w *walk) enter(chain int) frame {
	return frame{chain: int32(chain), next: w.chains[chain].base}
}

// next returns the rank of the next rule that matches and changes the flow.
func (w *walk) next(k rules.Key, at *frame) uint32 {
	if at.next == returned {
		return tree.NoMatch
	}
	c := &w.chains[at.chain]
	if at.ahead == 0 {
		if c.index == nil && at.jumps < manyJumps {
			return w.tree.FirstFrom(c.decide.rootFor(w.families, k), k, at.next)
		}
		w.lists = append(w.lists, w.matching(k, at.chain, false))
		at.ahead = int32(len(w.lists))
	}
	list := w.lists[at.ahead-1]
	i, _ := slices.BinarySearch(list, at.next)
	if i == len(list) {
		return tree.NoMatch
	}
	return list[i]
}

// matching returns the ranks of the rules of a chain that match, in order:
// those that pass the packet on, or the others.
func (w *walk) matching(k rules.Key, chain int32, pass bool) (out []uint32) {
	c := &w.chains[chain]
	if c.index == nil {
		r := c.decide
		if pass {
			r = c.pass
		}
		out = w.tree.All(r.rootFor(w.families, k), k, nil)
		slices.Sort(out)
		return out
	}
	l := w.source.Chains[chain].Rules
	for it := c.index.Match(k).Iterator(); it.HasNext(); {
		if r := it.Next(); onlyCounts(l.At(int(r))) == pass {
			out = append(out, c.base+r)
		}
	}
	return out
}

// passed reports the rules that only count, from where evaluation stands up to
// the rank before.
func (w *walk) passed(k rules.Key, at *frame, before uint32) {
	found, ok := w.passing[at.chain]
	if !ok {
		if w.passing == nil {
			w.passing = map[int32][]uint32{}
		}
		found = w.matching(k, at.chain, true)
		w.passing[at.chain] = found
	}
	i, _ := slices.BinarySearch(found, at.next)
	for _, rank := range found[i:] {
		if rank >= before {
			break
		}
		w.executed(rules.Place{Chain: int(at.chain), Rule: int(rank - w.chains[at.chain].base)})
	}
}
