package policy_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

// more is the number of rule sets that are compared with brute force beyond the
// usual ones: go test ./hipac/policy -run BruteForce -more 1000000
var more = flag.Uint64("more", 0, "compare the findings about so many more drawn rule sets with brute force")

// without returns the table without some rules.
func without(t *rules.Table, gone ...rules.Place) *rules.Table {
	out := *t
	out.Chains = slices.Clone(t.Chains)
	for c := range out.Chains {
		b := rules.NewBuilder[rules.Action](t.Schema)
		for i, r := range t.Chains[c].Rules.All() {
			if slices.Contains(gone, rules.Place{Chain: c, Rule: i}) {
				continue
			}
			if _, err := b.Add(*r); err != nil {
				panic(err)
			}
		}
		out.Chains[c].Rules = b.List()
	}
	return &out
}

// world is what brute force knows of a table.
type world struct {
	t        *rules.Table
	keys     []rules.Key
	verdicts []rules.Verdict // by root and packet
	executed map[rules.Place]bool
}

func look(t *rules.Table) *world {
	w := &world{t: t, executed: map[rules.Place]bool{}}
	every(func(k rules.Key) { w.keys = append(w.keys, slices.Clone(k)) })
	for _, root := range t.Roots() {
		for _, k := range w.keys {
			r := t.Evaluate(k, root, func(p rules.Place) { w.executed[p] = true })
			w.verdicts = append(w.verdicts, r.Verdict)
		}
	}
	return w
}

// same reports whether another table says the same of every packet.
func (w *world) same(t *rules.Table) bool {
	n := 0
	for _, root := range w.t.Roots() {
		for _, k := range w.keys {
			if t.Evaluate(k, root, nil).Verdict != w.verdicts[n] {
				return false
			}
			n++
		}
	}
	return true
}

// matching returns which packets the rule's conditions hold for.
func (w *world) matching(at rules.Place) []bool {
	out := make([]bool, len(w.keys))
	for i, k := range w.keys {
		out[i] = w.t.Chains[at.Chain].Rules.At(at.Rule).Matches(tiny, k)
	}
	return out
}

// entered returns the chains that some packet comes to.
func (w *world) entered() []bool {
	out := make([]bool, len(w.t.Chains))
	for _, c := range w.t.Roots() {
		out[c] = true
	}
	for at := range w.executed {
		if a := &w.t.Chains[at.Chain].Rules.At(at.Rule).Value; a.Kind == rules.Jump || a.Kind == rules.Goto {
			out[a.Chain] = true
		}
	}
	return out
}

func TestFindingsAboutTablesAreThoseOfBruteForce(t *testing.T) {
	counts := map[policy.Code]int{}
	for seed := range 1500 + *more {
		rng := rand.New(rand.NewPCG(seed, 11))
		table := drawTable(rng)
		if rng.IntN(3) == 0 {
			table.Chains[1+rng.IntN(2)].Policy = rules.Drop
		}
		fs, err := policy.OfTable(table)
		require.NoError(t, err)
		r, err := policy.CollectLint(context.Background(), policy.LintOptions{Overlaps: true, Named: 100}, fs...)
		require.NoError(t, err)
		require.NoError(t, r.Partial)
		checkLint(t, seed, look(table), r)
		for _, f := range r.Findings {
			counts[f.Code]++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, c := range []policy.Code{policy.Hidden, policy.Redundant, policy.Never, policy.Unreached, policy.Behind, policy.Empty, policy.Mergeable, policy.Overlap, policy.Irredundant} {
		require.Positive(t, counts[c], c)
	}
}

// checkLint compares a report with brute force.
func checkLint(t *testing.T, seed uint64, w *world, r *policy.LintReport) {
	got := map[policy.Code]map[rules.Place]policy.Finding{}
	chains := map[int]bool{}
	var irredundant *policy.Finding
	for i := range r.Findings {
		f := &r.Findings[i]
		switch {
		case f.Code == policy.Irredundant:
			irredundant = f
			continue
		case len(f.Rules) == 0:
			require.Equal(t, policy.Unreached, f.Code)
			chains[f.Chain] = true
			continue
		}
		for n, at := range f.Rules {
			if n > 0 && f.Code == policy.Mergeable {
				break
			}
			if got[f.Code] == nil {
				got[f.Code] = map[rules.Place]policy.Finding{}
			}
			got[f.Code][at] = *f
		}
	}
	is := func(c policy.Code, at rules.Place) bool { _, ok := got[c][at]; return ok }
	entered := w.entered()
	n := 0
	for c := range w.t.Chains {
		require.Equal(t, !entered[c], chains[c], "seed %d, chain %d", seed, c)
		for i, rule := range w.t.Chains[c].Rules.All() {
			n++
			at := rules.Place{Chain: c, Rule: i}
			own := w.matching(at)
			never := !slices.Contains(own, true)
			require.Equal(t, never, is(policy.Never, at), "seed %d, %v", seed, at)
			silent := is(policy.Hidden, at) || is(policy.Unreached, at) || is(policy.Behind, at)
			require.Equal(t, entered[c] && !never && !w.executed[at], silent, "seed %d, %v", seed, at)
			if f, ok := got[policy.Hidden][at]; ok {
				require.True(t, rule.Matches(tiny, f.Witness), "seed %d, %v", seed, at)
				require.NotEmpty(t, f.Others)
			}
			if f, ok := got[policy.Behind][at]; ok {
				require.Less(t, f.Others[0].Rule, i)
			}
			a := &rule.Value
			empty := a.Kind == rules.Jump && w.t.Chains[a.Chain].Rules.Len() == 0
			require.Equal(t, empty && w.executed[at], is(policy.Empty, at), "seed %d, %v", seed, at)
			redundant := w.executed[at] && a.Kind != rules.Pass && !empty && !calls(w.t, a) && w.same(without(w.t, at))
			require.Equal(t, redundant, is(policy.Redundant, at), "seed %d, %v", seed, at)
			if f, ok := got[policy.Redundant][at]; ok {
				seen := false
				for _, root := range w.t.Roots() {
					w.t.Evaluate(f.Witness, root, func(p rules.Place) { seen = seen || p == at })
				}
				require.True(t, seen, "seed %d, %v", seed, at)
			}
			if f, ok := got[policy.Mergeable][at]; ok {
				merged := without(w.t, f.Rules[1:]...)
				var rs []rules.Rule[rules.Action]
				for j, r := range merged.Chains[c].Rules.All() {
					next := *r
					next.ID = 0
					if j == i {
						next.Conds = f.Conds
					}
					rs = append(rs, next)
				}
				var err error
				merged.Chains[c].Rules, err = rules.NewList(tiny, rs...)
				require.NoError(t, err)
				require.True(t, w.same(merged), "seed %d, %v", seed, at)
			}
			var with []rules.Place
			for j := range i {
				other := w.t.Chains[c].Rules.At(j)
				b := &other.Value
				if at2 := (rules.Place{Chain: c, Rule: j}); a.Kind == rules.Decide && b.Kind == rules.Decide && a.Verdict != b.Verdict &&
					w.executed[at] && w.executed[at2] && correlated(own, w.matching(at2)) {
					with = append(with, at2)
				}
			}
			f := got[policy.Overlap][at]
			require.Equal(t, with, f.Others, "seed %d, %v", seed, at)
			if with != nil {
				require.True(t, rule.Matches(tiny, f.Witness))
			}
		}
	}
	require.Equal(t, n, r.Rules)
	left := w.t
	if irredundant != nil {
		left = without(w.t, irredundant.Others...)
		require.Equal(t, n-len(irredundant.Others), irredundant.Left)
		require.True(t, w.same(left), "seed %d", seed)
	}
	if irredundant != nil || n < 8 {
		for c := range left.Chains {
			for i, rule := range left.Chains[c].Rules.All() {
				if rule.Value.Kind != rules.Pass && !calls(left, &rule.Value) {
					require.False(t, w.same(without(left, rules.Place{Chain: c, Rule: i})), "seed %d: %d/%d could go", seed, c, i)
				}
			}
		}
	}
}

// calls reports whether a rule calls rules that do something besides: none of
// the drawn ones do.
func calls(*rules.Table, *rules.Action) bool { return false }

func correlated(a, b []bool) bool {
	var both, onlyA, onlyB bool
	for i := range a {
		both = both || a[i] && b[i]
		onlyA = onlyA || a[i] && !b[i]
		onlyB = onlyB || b[i] && !a[i]
	}
	return both && onlyA && onlyB
}
