package main

// Rules held out of a list, to be put back at their places, and packets that
// show whether they are there.

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

const (
	// heldShare is the share of rules that are held out, and hiderShare the share
	// of these, at most, that are chosen because they hide others.
	heldShare  = 20
	hiderShare = 8
	// hiddenSample is the number of rules that are looked at, at most, for what
	// hides them.
	hiddenSample = 20_000
	// tries is the number of packets that are drawn in a rule to find one that
	// it decides.
	tries = 8
)

// none is the position of no rule.
const none = -1

// heldOut is a list of which some rules are held out. Positions are those in the
// whole list.
type heldOut[T comparable] struct {
	list *rules.List[T]
	base *rules.List[T] // the others
	held []int32        // positions, ascending
	// number is the number in held of the rule at a position, or none.
	number  []int32
	witness []witness // by number
	hiders  int       // rules that hide others whole, as far as known
}

// witness is a packet inside a rule held out.
type witness struct {
	key rules.Key
	// held are the numbers, in order, of the rules held out that decide the packet
	// when they are there and none before is; without any of them base decides, or
	// none.
	held []int32
	base int32
}

// answer returns the position of the rule that decides when those rules are there
// that are in.
func (w *witness) answer(h []int32, in func(number int32) bool) int32 {
	for _, j := range w.held {
		if in(j) {
			return h[j]
		}
	}
	return w.base
}

// pair is a hidden rule, and one that hides it.
type pair struct{ hidden, by int }

// holdOut holds rules of the list out. full is the whole list, compiled.
func holdOut[T comparable](ctx context.Context, l *rules.List[T], full *hipac.Classifier[T], seed uint64) (*heldOut[T], error) {
	r := rand.New(rand.NewPCG(seed, 1))
	h := &heldOut[T]{list: l, number: make([]int32, l.Len())}
	want := (l.Len() + heldShare - 1) / heldShare
	hidden := map[int]int{} // by the rule that hides
	for _, p := range hiddenRules(l, full, r) {
		if len(hidden) >= max(1, want/hiderShare) {
			break
		}
		hidden[p.by] = p.hidden
	}
	h.hiders = len(hidden)
	chosen := make(map[int]bool, want)
	for p := range hidden {
		chosen[p] = true
	}
	for len(chosen) < want {
		chosen[r.IntN(l.Len())] = true
	}
	var heldRules []rules.Rule[T]
	base := rules.NewBuilder[T](l.Schema())
	base.Own()
	base.Grow(l.Len() - want)
	for i, rule := range l.All() {
		h.number[i] = none
		if chosen[i] {
			h.number[i] = int32(len(h.held))
			h.held = append(h.held, int32(i))
			heldRules = append(heldRules, *rule)
		} else if _, err := base.Add(*rule); err != nil {
			return nil, err
		}
	}
	h.base = base.List()
	held, err := rules.NewList(l.Schema(), heldRules...)
	if err != nil {
		return nil, err
	}
	return h, h.findWitnesses(ctx, held, hidden, seed)
}

// hiddenRules looks for rules that can never decide because of one other rule,
// among some at random.
func hiddenRules[T comparable](l *rules.List[T], full *hipac.Classifier[T], r *rand.Rand) (pairs []pair) {
	some := r.Perm(l.Len())
	some = some[:min(len(some), hiddenSample)]
	list, err := subList(l, some)
	if err != nil {
		return nil
	}
	keys := workload.Inside(list, 1, r.Uint64())
	for i, p := range some {
		by, ok := full.Position(keys.At(i))
		if ok && by < p && !l.At(p).Continue && covers(l.At(by).Conds, l.At(p).Conds) {
			pairs = append(pairs, pair{hidden: p, by: by})
		}
	}
	return pairs
}

// subList returns the rules at some positions as a list.
func subList[T any](l *rules.List[T], positions []int) (*rules.List[T], error) {
	b := rules.NewBuilder[T](l.Schema())
	b.Own()
	for _, p := range positions {
		if _, err := b.Add(rules.Rule[T]{Conds: l.At(p).Conds}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// covers reports whether the conditions a hold wherever b do, as far as single
// intervals tell.
func covers(a, b []rules.Cond) bool {
	for i := range a {
		outer, ok := single(&a[i])
		if !ok {
			return false
		}
		j := slices.IndexFunc(b, func(c rules.Cond) bool { return c.Field() == a[i].Field() })
		if j < 0 {
			return false
		}
		inner, ok := single(&b[j])
		if !ok || inner.Lo.Less(outer.Lo) || outer.Hi.Less(inner.Hi) {
			return false
		}
	}
	return true
}

// single returns the interval of a condition that is one.
func single(c *rules.Cond) (rules.Interval, bool) {
	is, ok := c.Intervals()
	_, _, masked := c.Mask()
	if !ok || len(is) != 1 || masked || c.Negated() || c.AllowsAbsent() {
		return rules.Interval{}, false
	}
	return is[0], true
}

// findWitnesses finds a packet for every rule held out, and what decides it.
// Neither the list under edit nor its kind of tree has a part in it.
func (h *heldOut[T]) findWitnesses(ctx context.Context, held *rules.List[T], hidden map[int]int, seed uint64) error {
	base, err := hipac.Build(ctx, h.base, &hipac.Options{FirstMatchOnly: true})
	if err != nil {
		return err
	}
	own, err := hipac.Build(ctx, held, &hipac.Options{AllMatches: true})
	if err != nil {
		return err
	}
	var under []int // rules that others held out hide
	for _, p := range h.held {
		if q, ok := hidden[int(p)]; ok {
			under = append(under, q)
		}
	}
	list, err := subList(h.list, under)
	if err != nil {
		return err
	}
	inside, below := workload.Inside(held, tries, seed), workload.Inside(list, 1, seed)
	h.witness = make([]witness, len(h.held))
	var found []hipac.Match[T]
	u := 0
	for j, p := range h.held {
		best := none
		look := func(k rules.Key) {
			w := witness{key: k, base: none}
			if m, ok := base.Position(k); ok {
				w.base = int32(h.list.Position(h.base.At(m).ID))
			}
			found = own.LookupAll(k, found[:0], 0)
			for _, m := range found {
				if rule := held.At(m.Position); !rule.Continue && (w.base == none || h.held[m.Position] < w.base) {
					w.held = append(w.held, int32(m.Position))
				}
			}
			// Best is a packet that the rule decides in any company.
			worth := 0
			switch at := slices.Index(w.held, int32(j)); {
			case at == 0:
				worth = 2
			case at > 0:
				worth = 1
			}
			if worth > best {
				best = worth
				h.witness[j] = w
			}
		}
		if _, ok := hidden[int(p)]; ok {
			look(below.At(u))
			u++
		}
		for i := 0; i < tries && best < 2; i++ {
			look(inside.At(j*tries + i))
		}
	}
	return nil
}
