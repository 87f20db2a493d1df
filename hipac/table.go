package hipac

// The classifier of a table of chains. Each chain is a tree; evaluation asks
// a chain's tree for the next rule that changes the flow - a verdict, a jump,
// a return - from where it stands, so that a packet costs a few tree lookups,
// however many rules it passes.

import (
	"cmp"
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
	units    []unit         // by chain
	entries  []entry        // by rank
	actions  []action       // by rank
	indexes  []*index.Index // by chain, in place of the tree
	never    []rules.Place  // rules that can never match, in order
	stats    Stats
	cut      *cutTable // for packets that are cut inside a header; nil when no rule reads one
	from     [][]int32 // of a table for cut packets: where its rules come from
}

// BuildTable compiles a table, which it asks for jumps that go nowhere and for
// loops as rules.Table.Check does, but for the limits. Time, memory and errors
// are those of Build over the rules of all chains; chains that are copied into
// their callers (see Stats.Entries) count as often, and at most about double
// the number of rules.
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
	c, err := buildTable(ctx, &own, &o)
	if err == nil {
		c.cut = newCutTable(&own, &o)
	}
	return c, err
}

func buildTable(ctx context.Context, t *rules.Table, o *Options) (*Table, error) {
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
	l := layOut(t, o.Engine != Index)
	if len(l.entries) > maxRules {
		l = layOut(t, false)
	}
	c := &Table{source: t, binder: packet.NewBinder(t.Schema), families: familiesOf(t.Schema), units: l.units, entries: l.entries, actions: l.actions}
	c.countRules()
	if o.Engine == Index {
		return c, c.buildIndexes(ctx, l, o)
	}
	family := familyOf(t)
	cfg := o.config(t.Schema, false)
	cfg.Plain = cfg.Plain || c.asksTupleOnly()
	b := tree.NewBuilder(ctx, cfg)
	inexact := make([]bool, len(l.entries))
	for _, pass := range []bool{false, true} {
		for i := range c.units {
			u := &c.units[i]
			if !u.compiled {
				continue
			}
			boxes, err := lower.Lower(ctx, t.Schema, lower.Source{
				Len:   int(u.to - u.from),
				Conds: func(r int) []rules.Cond { return l.conds(u.from + uint32(r)) },
				Skip:  func(r int) bool { return l.passes[u.from+uint32(r)] != pass },
				Hides: func(r int) bool { return l.hides[u.from+uint32(r)] },
			}, o.MemoryLimit)
			if err != nil {
				return nil, buildError(err, o.MemoryLimit)
			}
			if pass && boxes.Len() == 0 {
				continue
			}
			for e, rank := range boxes.Rank {
				inexact[u.from+rank] = boxes.Inexact[e]
			}
			c.addNever(l, u.from, boxes.Never)
			b.Grow(boxes, u.from)
			root := &u.decide
			if pass {
				root = &u.pass
			}
			if *root, err = c.families.build(b, boxes, family); err != nil {
				return nil, buildError(err, o.MemoryLimit)
			}
		}
		b.KeepHidden() // the rules that only count come behind: they all run
	}
	c.tree = b.Tree()
	c.countInexact(inexact)
	return c, nil
}

// asksTupleOnly reports whether the keys begin as those of the IPv4 5-tuple do,
// and no rule asks for more of them.
func (t *Table) asksTupleOnly() bool {
	s := t.source.Schema
	for i := range s.Len() {
		if i < rules.IPv4Tuple.Len() {
			if s.Field(i).Bits != rules.IPv4Tuple.Field(i).Bits {
				return false
			}
			continue
		}
		for c := range t.source.Chains {
			for _, r := range t.source.Chains[c].Rules.All() {
				for j := range r.Conds {
					if r.Conds[j].Field() == i {
						return false
					}
				}
			}
		}
	}
	return s.Len() >= rules.IPv4Tuple.Len()
}

// buildIndexes makes the field indexes of the engine Index.
func (t *Table) buildIndexes(ctx context.Context, l *layout, o *Options) (err error) {
	t.indexes = make([]*index.Index, len(t.units))
	for i, u := range t.units {
		conds := func(r int) []rules.Cond { return l.conds(u.from + uint32(r)) }
		if t.indexes[i], err = index.Build(ctx, t.source.Schema, int(u.to-u.from), conds, o.MemoryLimit); err != nil {
			return buildError(err, o.MemoryLimit)
		}
		boxes, err := lower.Lower(ctx, t.source.Schema, lower.Source{Len: int(u.to - u.from), Conds: conds}, o.MemoryLimit)
		if err != nil {
			return buildError(err, o.MemoryLimit)
		}
		t.addNever(l, u.from, boxes.Never)
		for e, rank := range boxes.Rank {
			if r := t.ruleAt(u.from + rank); boxes.Inexact[e] && !onlyCounts(r) {
				t.stats.Inexact++
			}
		}
	}
	return nil
}

// addNever notes the rules of the entries that can never match, but for those
// that cannot only because of the jumps that lead to them.
func (t *Table) addNever(l *layout, base uint32, never []uint32) {
	for _, rank := range never {
		e := &l.entries[base+rank]
		if e.rule == endOfGoto {
			continue
		}
		r := t.ruleAt(base + rank)
		if onlyCounts(r) || l.under[base+rank] != 0 && possible(t.source.Schema, r.Conds) {
			continue
		}
		at := rules.Place{Chain: int(e.chain), Rule: int(e.rule)}
		if i, found := slices.BinarySearchFunc(t.never, at, comparePlaces); !found {
			t.never = slices.Insert(t.never, i, at)
			t.stats.Never++
		}
	}
}

func comparePlaces(a, b rules.Place) int {
	return cmp.Or(cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.Rule, b.Rule))
}

// possible reports whether some packet meets the conditions.
func possible(s *rules.Schema, conds []rules.Cond) bool {
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: 1, Conds: func(int) []rules.Cond { return conds }}, math.MaxInt64)
	return err != nil || len(boxes.Never) == 0
}

// ruleAt returns the rule of the entry at a rank.
func (t *Table) ruleAt(rank uint32) *rules.Rule[rules.Action] {
	e := &t.entries[rank]
	return t.source.Chains[e.chain].Rules.At(int(e.rule))
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

// manyFound is the number of rules found on one visit to a unit after which all
// of its entries that match are looked up at once, rather than one by one from
// where evaluation stands: the one costs a lookup each, the other memory.
const manyFound = 16

// frame is where evaluation of a chain stands.
type frame struct {
	chain int32  // of the unit
	found int32  // rules on this visit
	next  uint32 // rank of the next entry
	ahead int32  // 1 + index in walk.lists, 0 for none
}

// walk is an evaluation under way.
type walk struct {
	*Table
	executed func(rules.Place)  // or nil
	finds    int                // rules found
	scanning bool               // from here on, see manyFinds
	lists    [][]uint32         // flow-changing rules that match, of some visits
	passing  map[int32][]uint32 // counting rules that match, by chain
}

// onlyCounts reports whether nothing comes of the rule but its counters.
func onlyCounts(r *rules.Rule[rules.Action]) bool { return r.Continue && r.Value.Ext.Plain() }

// Evaluate sends a packet through the table from the chain at index entry,
// 0 <= entry < len(Chains), and returns what rules.Table.Evaluate does; it
// panics on an entry that there is not. It allocates nothing unless
// jumps nest deeper than 16, or a packet finds more than 16 rules in one
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
// known, with all that tests ask and targets do. executed may be nil. A packet
// that lacks fields (rules.Partial) walks the chains, in time in proportion to
// the rules.
func (t *Table) Run(s rules.Subject, entry int, executed func(rules.Place)) rules.Result {
	if !s.Enters(t.source) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	if rules.Lacks(s) { // few packets: those whose headers were not captured in full
		return t.source.Run(s, entry, executed)
	}
	w := walk{Table: t, executed: executed}
	return w.run(s.Key(), s, entry)
}

// run walks the units; s is nil when only the key is known.
func (w *walk) run(k rules.Key, s rules.Subject, entry int) rules.Result {
	if w.source.Schema.Hotdrop(k) != 0 && w.cut != nil {
		if s == nil {
			s = rules.KeyOnly(slices.Clone(k)) // so that k itself can live on the stack
		}
		return w.cut.run(s, entry, w.executed)
	}
	if !w.units[entry].compiled {
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
		if w.executed != nil && at.next != returned && !w.scans(&at) {
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
		act := w.actions[rank]
		here := rules.Place{Chain: int(at.chain), Rule: int(rank - w.units[at.chain].from)}
		if w.units[at.chain].copies {
			e := &w.entries[rank]
			here = rules.Place{Chain: int(e.chain), Rule: int(e.rule)}
		}
		at.next = rank + 1
		at.found++
		if w.finds++; w.finds == manyFinds {
			w.scanning = true
		}
		switch {
		case here.Rule == endOfGoto:
			at.next = w.entries[rank].next
			continue
		case w.from != nil && w.from[here.Chain][here.Rule] < 0: // a header that is cut
			if o, _ := w.ruleAt(rank).Value.Ext.Ask(s); o == rules.Yes || o == rules.DropBehind {
				return rules.Result{Verdict: rules.Drop, By: w.origin(here), Dropped: true}
			}
			continue
		case act&hasMore != 0:
			r := w.ruleAt(rank)
			if r.Value.Ext.Plain() { // asks for something unknown
				if w.executed != nil {
					w.report(here)
				}
				return rules.Result{Verdict: rules.Unknown, By: w.origin(here), Needs: r.Unknown}
			}
			if s == nil {
				s = rules.KeyOnly(slices.Clone(k))
			}
			result, end, on := w.extended(r, s, w.origin(here))
			if end {
				return result
			}
			if r.Value.Ext.Changes() {
				k = s.Key()
				clear(w.passing)
				w.forget(stack, &at)
			}
			if !on {
				continue
			}
		case w.executed != nil:
			w.report(here)
		}
		switch act.kind() {
		case rules.Decide:
			return rules.Result{Verdict: act.verdict(), By: w.origin(here)}
		case rules.Jump:
			stack = append(stack, at)
			at = w.enter(w.ruleAt(rank).Value.Chain)
		case rules.Goto:
			if at.next = w.entries[rank].next; at.next != returned {
				stack = append(stack, at)
			}
			at = w.enter(w.ruleAt(rank).Value.Chain)
		case rules.Return:
			at.next = w.entries[rank].next
		}
	}
}

// extended asks the tests of a rule whose conditions hold and applies its
// target. end says that result ends the evaluation, on that the rule's action
// follows.
func (w *walk) extended(r *rules.Rule[rules.Action], s rules.Subject, here rules.Place) (result rules.Result, end, on bool) {
	outcome, needs := r.Value.Ext.Outcome(r, s)
	switch outcome {
	case rules.No:
		return result, false, false
	case rules.DropNow:
		return rules.Result{Verdict: rules.Drop, By: here, Dropped: true}, true, false
	}
	if w.executed != nil {
		w.executed(here) // of the source
	}
	return apply(r, s, here, outcome, needs)
}

// apply applies the target of an executed rule whose tests have that outcome.
// Its results are those of extended.
func apply(r *rules.Rule[rules.Action], s rules.Subject, here rules.Place, outcome rules.Outcome, needs string) (result rules.Result, end, on bool) {
	e := r.Value.Ext
	if outcome == rules.DropBehind {
		if e.Target != nil {
			e.Target.Apply(s, here, "")
		}
		return rules.Result{Verdict: rules.Drop, By: here}, true, false
	}
	if outcome == rules.Unsure && e.Ends(r) {
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
	if len(w.lists) > 0 {
		w.scanning = true // lists would have to be made again and again
	}
	w.lists = w.lists[:0]
	at.ahead = 0
	for i := range stack {
		stack[i].ahead = 0
	}
}

// origin returns the place of a rule in the table that was compiled.
func (w *walk) origin(p rules.Place) rules.Place {
	if w.from != nil && p.Rule >= 0 {
		if p.Rule = int(w.from[p.Chain][p.Rule]); p.Rule < 0 {
			p.Rule = ^p.Rule
		}
	}
	return p
}

// report reports a rule as executed.
func (w *walk) report(p rules.Place) { w.executed(w.origin(p)) }

func (w *walk) enter(chain int) frame {
	return frame{chain: int32(chain), next: w.units[chain].from}
}

// next returns the rank of the next entry that matches and changes the flow.
func (w *walk) next(k rules.Key, at *frame) uint32 {
	if at.next == returned {
		return tree.NoMatch
	}
	if w.scans(at) {
		return w.scan(k, at)
	}
	if at.ahead == 0 {
		if w.indexes == nil && at.found < manyFound {
			u := &w.units[at.chain]
			root := u.decide.rootFor(w.families, k)
			if at.next == u.from {
				return w.tree.First(root, k)
			}
			return w.tree.FirstFrom(root, k, at.next)
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

// smallUnit is the size up to which a unit is scanned rather than looked up: a
// lookup costs as much as some conditions.
const smallUnit = 4

// manyFinds is the number of rules found by lookups, in all units, after which
// the rest of an evaluation scans: so many rules match that a lookup for each
// costs more than to look at all.
const manyFinds = 64

// scans reports whether evaluation goes on in the unit by looking at one entry
// after the other. It does not change on a visit but from no to yes, between
// one rule found and the next.
func (w *walk) scans(at *frame) bool {
	u := &w.units[at.chain]
	return w.scanning || u.to-u.from <= smallUnit
}

// scan is next by looking at one entry after the other. It reports the rules
// that only count on the way.
func (w *walk) scan(k rules.Key, at *frame) uint32 {
	u := &w.units[at.chain]
	for rank := at.next; rank < u.to; {
		e := &w.entries[rank]
		if e.rule == endOfGoto {
			if rank = e.next; rank == returned {
				break
			}
			continue
		}
		r := w.ruleAt(rank)
		copied := w.actions[rank]&isCopied != 0
		switch {
		case r.Matches(w.source.Schema, k):
			if !copied && !onlyCounts(r) {
				return rank
			}
			if w.executed != nil {
				w.report(rules.Place{Chain: int(e.chain), Rule: int(e.rule)})
			}
			rank++
		case copied:
			rank = e.next
		default:
			rank++
		}
	}
	return tree.NoMatch
}

// matching returns the ranks of the entries of a unit that match, in order:
// those that only count, or the others.
func (w *walk) matching(k rules.Key, chain int32, pass bool) (out []uint32) {
	u := &w.units[chain]
	if w.indexes == nil {
		r := u.decide
		if pass {
			r = u.pass
		}
		out = w.tree.All(r.rootFor(w.families, k), k, nil)
		slices.Sort(out)
		return out
	}
	for it := w.indexes[chain].Match(k).Iterator(); it.HasNext(); {
		if rank := u.from + it.Next(); onlyCounts(w.ruleAt(rank)) == pass {
			out = append(out, rank)
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
		e := &w.entries[rank]
		w.report(rules.Place{Chain: int(e.chain), Rule: int(e.rule)})
	}
}
