package hipac_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// mixed is a schema with a field of every kind of width.
var mixed = rules.MustSchema(
	rules.Field{Name: "bit", Bits: 1},
	rules.Field{Name: "tiny", Bits: 3},
	rules.Field{Name: "port", Kind: rules.Port},
	rules.Field{Name: "v4", Kind: rules.IPv4},
	rules.Field{Name: "mac", Kind: rules.MAC},
	rules.Field{Name: "odd", Bits: 77},
	rules.Field{Name: "addr", Kind: rules.IP},
	rules.Field{Name: "name", Kind: rules.Name},
)

// pools holds a few values per field, with their neighbours, so that random
// rules collide, nest and touch.
func pools(r *rand.Rand, s *rules.Schema) [][]rules.Value {
	out := make([][]rules.Value, s.Len())
	for i := range out {
		f := s.Field(i)
		out[i] = []rules.Value{{}, f.Max()}
		for range 4 {
			v := rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.Shr(r.IntN(128)).And(f.Max())
			if f.Kind == rules.IP && r.IntN(2) == 0 {
				v = rules.Value{Lo: 0xffff<<32 | v.Lo&0xffffffff}
			}
			out[i] = append(out[i], v, v.Next().And(f.Max()), v.Prev().And(f.Max()))
		}
	}
	return out
}

func randomCond(r *rand.Rand, s *rules.Schema, i int, pool []rules.Value) rules.Cond {
	f := s.Field(i)
	pick := func() rules.Value { return pool[r.IntN(len(pool))] }
	interval := func() rules.Interval {
		switch r.IntN(3) {
		case 0:
			v := pick()
			return rules.Interval{Lo: v, Hi: v}
		case 1:
			return rules.PrefixInterval(pick(), r.IntN(f.Bits+1), f.Bits)
		}
		a, b := pick(), pick()
		if b.Less(a) {
			a, b = b, a
		}
		return rules.Interval{Lo: a, Hi: b}
	}
	var c rules.Cond
	switch r.IntN(8) {
	case 0:
		mask := rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}.And(f.Max())
		want := pick()
		if r.IntN(4) > 0 {
			want = want.And(mask)
		}
		c = rules.Masked(i, want, mask)
	case 1:
		c = s.Present(i)
	case 2:
		ivs := make([]rules.Interval, r.IntN(5))
		for j := range ivs {
			ivs[j] = interval()
		}
		c = rules.In(i, ivs...)
		if r.IntN(4) == 0 {
			c = c.AndMasked(pick().And(rules.U64(1)), rules.U64(1))
		}
	default:
		c = rules.In(i, interval())
	}
	if r.IntN(6) == 0 {
		c = c.Negate()
	}
	if r.IntN(12) == 0 {
		c = c.OrAbsent()
	}
	return c
}

func randomList(r *rand.Rand, s *rules.Schema, n int, pool [][]rules.Value) *rules.List[int] {
	b := rules.NewBuilder[int](s)
	density := 1 + r.IntN(4)
	for i := range n {
		rule := rules.Rule[int]{Value: i * 10, Continue: r.IntN(5) == 0}
		for f := range s.Len() {
			for r.IntN(4) < density-r.IntN(3) && len(rule.Conds) < 12 {
				rule.Conds = append(rule.Conds, randomCond(r, s, f, pool[f]))
				if r.IntN(5) > 0 {
					break
				}
			}
		}
		if _, err := b.Add(rule); err != nil {
			panic(err)
		}
	}
	return b.List()
}

func randomKey(r *rand.Rand, s *rules.Schema, pool [][]rules.Value, k rules.Key) {
	for f := range s.Len() {
		s.Set(k, f, pool[f][r.IntN(len(pool[f]))])
		if r.IntN(12) == 0 {
			s.SetAbsent(k, f)
		}
	}
}

func positions[T any](ms []hipac.Match[T]) []int {
	out := []int{}
	for _, m := range ms {
		out = append(out, m.Position)
	}
	return out
}

// requireSame compares everything a classifier answers with the linear walk.
func requireSame[T any](t *testing.T, l *rules.List[T], c *hipac.Classifier[T], k rules.Key) {
	t.Helper()
	want, ok := l.First(k)
	got, found := c.Lookup(k)
	if ok != found || ok && got.Position != want {
		require.Failf(t, "wrong first match", "key %v: got %d %v, want %d %v", k, got.Position, found, want, ok)
	}
	require.Equal(t, append([]int{}, slices.Collect(l.Matches(k))...), positions(c.LookupAll(k, nil, 0)), "all matches of %v", k)
	require.Equal(t, append([]int{}, slices.Collect(l.Executed(k))...), positions(c.Executed(k, nil)), "executed for %v", k)
}

func TestRandomListsAgreeWithTheLinearWalk(t *testing.T) {
	for _, s := range []*rules.Schema{mixed, rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall} {
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, 1))
			pool := pools(r, s)
			l := randomList(r, s, 1<<r.IntN(9), pool)
			for _, opts := range []*hipac.Options{nil, {Engine: hipac.Index}, {AllMatches: true, LeafRows: 1 + r.IntN(20), Replication: 1 + 8*r.Float64()}} {
				c, err := hipac.Build(context.Background(), l, opts)
				require.NoError(t, err)
				k := s.NewKey()
				for range 150 {
					randomKey(r, s, pool, k)
					requireSame(t, l, c, k)
				}
			}
			if t.Failed() {
				t.Fatalf("schema %v seed %d", s, seed)
			}
		}
	}
}
