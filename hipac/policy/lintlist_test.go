package policy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

// masked has a field whose masks are told bit by bit.
var masked = rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "m", Bits: 9})

// drawMasked draws conditions on masked.
func drawMasked(rng *rand.Rand) (out []rules.Cond) {
	for f, top := range []uint64{3, 511} {
		var c rules.Cond
		interval := func() rules.Interval {
			a, b := rng.Uint64N(top+1), rng.Uint64N(top+1)
			return rules.Span(min(a, b), max(a, b))
		}
		switch rng.IntN(5) {
		case 0, 1:
			c = rules.In(f, interval())
		case 2, 3:
			mask := uint64(1)<<rng.IntN(9) | 1<<rng.IntN(3)
			c = rules.In(f, interval()).AndMasked(rules.U64(rng.Uint64()&mask&top), rules.U64(mask&top))
		default:
			continue
		}
		if rng.IntN(4) == 0 {
			c = c.Negate()
		}
		out = append(out, c)
	}
	return out
}

// heads has fields that packets have by their protocol.
var heads = rules.MustSchema(rules.Field{Name: "proto", Kind: rules.Proto}, rules.Field{Name: "dport", Kind: rules.Port}, rules.Field{Name: "icmptype", Bits: 8})

// drawHeads draws conditions on heads, with bounds up to 5.
func drawHeads(rng *rand.Rand) (out []rules.Cond) {
	for f := range heads.Len() {
		a, b := rng.Uint64N(6), rng.Uint64N(6)
		c := rules.In(f, rules.Span(min(a, b), max(a, b)))
		if f == 0 {
			c = rules.In(f, rules.Point([]uint64{1, 6, 17, 47}[rng.IntN(4)]))
		}
		if rng.IntN(4) == 0 {
			c = c.Negate()
		}
		if rng.IntN(2) == 0 {
			out = append(out, c)
		}
	}
	return out
}

// everyHead returns a packet of every kind that rules on heads can tell apart.
func everyHead() (keys []rules.Key) {
	for _, p := range []uint64{1, 6, 17, 47, 58, 99, 132} {
		for v := range uint64(8) {
			k := heads.NewKey() // without fields: a fragment, or another protocol
			heads.Set(k, 0, rules.U64(p))
			heads.SetAbsent(k, 1)
			heads.SetAbsent(k, 2)
			switch {
			case v == 7:
			case p == 6 || p == 17 || p == 132:
				heads.Set(k, 1, rules.U64(v))
			case p == 1 || p == 58:
				heads.Set(k, 2, rules.U64(v))
			}
			keys = append(keys, k)
		}
	}
	return keys
}

// listWorld is what brute force knows of a list: every packet, with every answer
// to what is not modelled.
type listWorld struct {
	s     *rules.Schema
	keys  []rules.Key
	holds []map[int]bool
	l     *rules.List[string]
}

func newListWorld(l *rules.List[string]) *listWorld {
	w := &listWorld{s: l.Schema(), l: l}
	k := w.s.NewKey()
	var field func(int)
	field = func(f int) {
		if f == w.s.Len() {
			w.keys = append(w.keys, slices.Clone(k))
			return
		}
		for v := range uint64(1) << w.s.Field(f).Bits {
			w.s.Set(k, f, rules.U64(v))
			field(f + 1)
		}
		w.s.SetAbsent(k, f)
		field(f + 1)
	}
	if w.s == heads {
		w.keys = everyHead()
	} else {
		field(0)
	}
	// Nobody knows of a rule with something unknown whether it matches, nor of another
	// that asks the same.
	w.holds = []map[int]bool{{}}
	for i, r := range l.All() {
		if r.Unknown == "" {
			continue
		}
		for _, h := range slices.Clone(w.holds) {
			with := map[int]bool{i: true}
			for k, v := range h {
				with[k] = v
			}
			w.holds = append(w.holds, with)
		}
	}
	return w
}

func (w *listWorld) matches(i int, k rules.Key, h map[int]bool) bool {
	r := w.l.At(i)
	return r.Matches(w.s, k) && (r.Unknown == "" || h[i])
}

// decides returns the rule that decides, without some, or -1, and the rules that are
// executed.
func (w *listWorld) decides(k rules.Key, h map[int]bool, gone []int, seen func(int)) int {
	for i, r := range w.l.All() {
		if slices.Contains(gone, i) || !w.matches(i, k, h) {
			continue
		}
		if seen != nil {
			seen(i)
		}
		if !r.Continue {
			return i
		}
	}
	return -1
}

func (w *listWorld) verdict(i int) string {
	if i < 0 {
		return "ACCEPT"
	}
	return w.l.At(i).Value
}

// each visits all packets, with all answers.
func (w *listWorld) each(visit func(k rules.Key, h map[int]bool)) {
	for _, h := range w.holds {
		for _, k := range w.keys {
			visit(k, h)
		}
	}
}

func (w *listWorld) same(gone ...int) bool {
	for _, h := range w.holds {
		for _, k := range w.keys {
			if w.verdict(w.decides(k, h, nil, nil)) != w.verdict(w.decides(k, h, gone, nil)) {
				return false
			}
		}
	}
	return true
}

func TestFindingsAboutListsAreThoseOfBruteForce(t *testing.T) {
	counts := map[string]int{}
	check := func(seed uint64, s *rules.Schema, draw func(*rand.Rand) []rules.Cond) {
		rng := rand.New(rand.NewPCG(seed, 12))
		b := rules.NewBuilder[string](s)
		for range rng.IntN(8) {
			r := rules.Rule[string]{Conds: draw(rng), Value: []string{"ACCEPT", "DROP", "LOG"}[rng.IntN(3)], Continue: rng.IntN(8) == 0}
			if rng.IntN(6) == 0 {
				r.Unknown = []string{"x", "y"}[rng.IntN(2)]
			}
			_, err := b.Add(r)
			require.NoError(t, err)
		}
		l := b.List()
		f := policy.OfList(l, func(i int) string { return l.At(i).Value }, "ACCEPT")
		r, err := policy.CollectLint(context.Background(), policy.LintOptions{Overlaps: true, Named: 100}, f)
		require.NoError(t, err)
		require.NoError(t, r.Partial)
		for _, f := range r.Findings {
			counts[fmt.Sprint(f.Code, f.Unknown)]++
		}
		checkListLint(t, seed, newListWorld(l), r)
		if t.Failed() {
			t.Fatalf("seed %d of %d fields", seed, s.Len())
		}
	}
	for seed := range 1500 + *more {
		check(seed, tiny, drawConds)
		check(seed, heads, drawHeads)
		if seed%32 == 0 {
			check(seed, masked, drawMasked)
		}
	}
	for _, c := range []string{"hiddenfalse", "hiddentrue", "redundantfalse", "neverfalse", "behindfalse", "overlapfalse", "overlaptrue", "irredundantfalse"} {
		require.Positive(t, counts[c], c)
	}
}

func checkListLint(t *testing.T, seed uint64, w *listWorld, r *policy.LintReport) {
	type key struct {
		code    policy.Code
		unknown bool
		rule    int
	}
	got := map[key]policy.Finding{}
	var gone []int
	for _, f := range r.Findings {
		if f.Code == policy.Irredundant {
			for _, p := range f.Others {
				gone = append(gone, p.Rule)
			}
			require.Equal(t, w.l.Len()-len(gone), f.Left)
			continue
		}
		for _, at := range f.Rules {
			got[key{f.Code, f.Unknown, at.Rule}] = f
		}
	}
	is := func(c policy.Code, rule int) bool { _, ok := got[key{c, false, rule}]; return ok }
	reached, surely := map[int]bool{}, map[int]bool{}
	w.each(func(k rules.Key, h map[int]bool) {
		all := len(h) == len(w.holds[len(w.holds)-1])
		w.decides(k, h, nil, func(i int) {
			reached[i] = true
			surely[i] = surely[i] || all
		})
	})
	for i, rule := range w.l.All() {
		never := true
		for _, k := range w.keys {
			never = never && !rule.Matches(w.s, k)
		}
		require.Equal(t, never, is(policy.Never, i), "seed %d, rule %d", seed, i)
		require.Equal(t, !never && !reached[i], is(policy.Hidden, i) || is(policy.Behind, i), "seed %d, rule %d", seed, i)
		_, perhaps := got[key{policy.Hidden, true, i}]
		require.Equal(t, reached[i] && !surely[i], perhaps, "seed %d, rule %d", seed, i)
		for _, unknown := range []bool{false, true} {
			f, ok := got[key{policy.Hidden, unknown, i}]
			if !ok {
				continue
			}
			// Those that are named take all, and none could be left out.
			all := w.holds[len(w.holds)-1]
			takes := func(not int) bool {
				for _, k := range w.keys {
					if w.matches(i, k, all) && !slices.ContainsFunc(f.Others, func(p rules.Place) bool {
						return p.Rule != not && p.Rule < i && !w.l.At(p.Rule).Continue && w.matches(p.Rule, k, all)
					}) {
						return false
					}
				}
				return true
			}
			require.True(t, takes(-1), "seed %d, rule %d", seed, i)
			for _, p := range f.Others {
				require.False(t, takes(p.Rule), "seed %d, rule %d without %d", seed, i, p.Rule)
			}
			require.True(t, rule.Matches(w.s, f.Witness), "seed %d, rule %d", seed, i)
		}
		redundant := reached[i] && !rule.Continue && w.same(i)
		require.Equal(t, redundant, is(policy.Redundant, i), "seed %d, rule %d", seed, i)
		if f, ok := got[key{policy.Redundant, false, i}]; ok {
			require.True(t, rule.Matches(w.s, f.Witness), "seed %d, rule %d", seed, i)
		}
		for j := range w.l.Len() {
			if slices.Contains(gone, j) || w.l.At(j).Continue || j != i {
				continue
			}
			require.False(t, w.same(append(slices.Clone(gone), j)...), "seed %d: rule %d could go", seed, j)
		}
	}
	require.True(t, w.same(gone...), "seed %d", seed)
}
