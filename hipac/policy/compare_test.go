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

// seeds goes through n seeds, and as many more as the flag says.
func seeds(n uint64) uint64 { return n + *more }

// tiny has 4 * 5 * 5 packets: a protocol, which all have, and two fields.
var tiny = rules.MustSchema(rules.Field{Name: "p", Kind: rules.Enum, Bits: 2}, rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 2})

// every calls visit with every packet.
func every(visit func(rules.Key)) {
	k := tiny.NewKey()
	var field func(int)
	field = func(f int) {
		if f == tiny.Len() {
			visit(k)
			return
		}
		for v := range uint64(4) {
			tiny.Set(k, f, rules.U64(v))
			field(f + 1)
		}
		tiny.SetAbsent(k, f)
		field(f + 1)
	}
	field(0)
}

func drawConds(rng *rand.Rand) (out []rules.Cond) {
	for f := range tiny.Len() {
		point := func() rules.Interval {
			a, b := rng.Uint64N(4), rng.Uint64N(4)
			return rules.Span(min(a, b), max(a, b))
		}
		var c rules.Cond
		switch rng.IntN(6) {
		case 0, 1:
			c = rules.In(f, point())
		case 2:
			c = rules.In(f, point(), point())
		case 3:
			c = rules.Masked(f, rules.U64(0), rules.U64(1))
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

// drawTable draws a table of three chains, of which each calls later ones.
func drawTable(rng *rand.Rand) *rules.Table {
	t := &rules.Table{Name: "filter", Schema: tiny}
	for c := range 3 {
		b := rules.NewBuilder[rules.Action](tiny)
		for i := range rng.IntN(5) {
			r := rules.Rule[rules.Action]{Conds: drawConds(rng), Value: rules.Action{Number: i + 1}}
			a := &r.Value
			switch k := rng.IntN(10); {
			case k == 0:
				a.Kind, r.Continue = rules.Pass, true
			case k < 3:
				a.Kind = rules.Return
			case k < 6 && c < 2:
				a.Kind = []rules.ActionKind{rules.Jump, rules.Goto}[rng.IntN(2)]
				a.Chain = c + 1 + rng.IntN(2-c)
			default:
				a.Kind, a.Verdict = rules.Decide, []rules.Verdict{rules.Accept, rules.Drop}[rng.IntN(2)]
			}
			if _, err := b.Add(r); err != nil {
				panic(err)
			}
		}
		ch := rules.Chain{Name: fmt.Sprint("c", c), Rules: b.List()}
		if c == 0 {
			ch.Policy = rules.Accept
		}
		t.Chains = append(t.Chains, ch)
	}
	return t
}

// change returns the table with a rule of a chain left out, or two swapped.
func change(rng *rand.Rand, t *rules.Table) *rules.Table {
	out := *t
	out.Chains = slices.Clone(t.Chains)
	c := &out.Chains[rng.IntN(len(out.Chains))]
	var rs []rules.Rule[rules.Action]
	for _, r := range c.Rules.All() {
		rs = append(rs, *r)
	}
	if len(rs) == 0 {
		return &out
	}
	i := rng.IntN(len(rs))
	if rng.IntN(2) == 0 {
		rs = slices.Delete(rs, i, i+1)
	} else {
		j := rng.IntN(len(rs))
		rs[i], rs[j] = rs[j], rs[i]
	}
	for i := range rs {
		rs[i].ID = 0
	}
	l, err := rules.NewList(tiny, rs...)
	if err != nil {
		panic(err)
	}
	c.Rules = l
	return &out
}

// place turns a place of the evaluation into that of a decision.
func place(r rules.Result) rules.Place {
	if r.By.Rule < 0 {
		return rules.Place{Rule: -1}
	}
	return r.By
}

func verdict(v rules.Verdict) string {
	if v == rules.NoVerdict {
		return "NONE"
	}
	return v.String()
}

func holds(s *rules.Schema, conds []rules.Cond, k rules.Key) bool {
	r := rules.Rule[int]{Conds: conds}
	return r.Matches(s, k)
}

func TestTheDifferenceOfTwoTablesIsThatOfEveryPacket(t *testing.T) {
	for seed := range seeds(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		old := drawTable(rng)
		other := drawTable(rng)
		if rng.IntN(2) == 0 {
			other = change(rng, old)
		}
		f, err := policy.OfChain(old, 0)
		require.NoError(t, err)
		g, err := policy.OfChain(other, 0)
		require.NoError(t, err)
		d, err := policy.Compare(context.Background(), f, g, policy.Options{})
		require.NoError(t, err)
		require.NoError(t, d.Partial)
		checkRegions(t, seed, d, func(k rules.Key) (policy.Decision, policy.Decision) {
			a, b := old.Evaluate(k, 0, nil), other.Evaluate(k, 0, nil)
			return policy.Decision{Verdict: verdict(a.Verdict), At: place(a)}, policy.Decision{Verdict: verdict(b.Verdict), At: place(b)}
		})
	}
}

func checkRegions(t *testing.T, seed uint64, d *policy.Difference, decide func(rules.Key) (policy.Decision, policy.Decision)) {
	for _, r := range d.Regions {
		require.True(t, holds(tiny, r.Conds, r.Witness))
		a, b := decide(r.Witness)
		require.Equal(t, r.Old, a, "seed %d", seed)
		require.Equal(t, r.New, b, "seed %d", seed)
	}
	every(func(k rules.Key) {
		a, b := decide(k)
		in := 0
		for _, r := range d.Regions {
			if holds(tiny, r.Conds, k) {
				in++
				require.Equal(t, []policy.Decision{a, b}, []policy.Decision{r.Old, r.New}, "seed %d, %v", seed, k)
			}
		}
		want := 0
		if a.Verdict != b.Verdict {
			want = 1
		}
		if in != want {
			t.Fatalf("seed %d: %v is in %d regions, not %d", seed, k, in, want)
		}
	})
}

func TestTheDifferenceOfTwoListsIsThatOfEveryPacket(t *testing.T) {
	list := func(rng *rand.Rand) *rules.List[string] {
		b := rules.NewBuilder[string](tiny)
		for range rng.IntN(6) {
			_, err := b.Add(rules.Rule[string]{Conds: drawConds(rng), Value: []string{"ACCEPT", "DROP", "LOG"}[rng.IntN(3)], Continue: rng.IntN(8) == 0})
			require.NoError(t, err)
		}
		return b.List()
	}
	for seed := range seeds(2000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		old, other := list(rng), list(rng)
		of := func(l *rules.List[string]) *policy.Function {
			return policy.OfList(l, func(i int) string { return l.At(i).Value }, "NONE")
		}
		d, err := policy.Compare(context.Background(), of(old), of(other), policy.Options{})
		require.NoError(t, err)
		decide := func(l *rules.List[string], k rules.Key) policy.Decision {
			if i, ok := l.First(k); ok {
				return policy.Decision{Verdict: l.At(i).Value, At: rules.Place{Rule: i}}
			}
			return policy.Decision{Verdict: "NONE", At: rules.Place{Rule: -1}}
		}
		checkRegions(t, seed, d, func(k rules.Key) (policy.Decision, policy.Decision) { return decide(old, k), decide(other, k) })
	}
}
