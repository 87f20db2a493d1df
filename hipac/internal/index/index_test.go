package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// tiny is small enough to try every packet.
var tiny = rules.MustSchema(rules.Field{Name: "a", Bits: 3}, rules.Field{Name: "b", Bits: 4}, rules.Field{Name: "c", Bits: 2})

func randomConds(r *rand.Rand, s *rules.Schema) (out []rules.Cond) {
	for f := range s.Len() {
		for r.IntN(5) < 3 {
			top := s.Field(f).Max().Lo
			ivs := make([]rules.Interval, 1+r.IntN(3)/2)
			for i := range ivs {
				a, b := r.Uint64N(top+1), r.Uint64N(top+1)
				ivs[i] = rules.Span(min(a, b), max(a, b))
			}
			c := rules.In(f, ivs...)
			switch r.IntN(10) {
			case 0:
				c = rules.Masked(f, rules.U64(r.Uint64N(top+1)), rules.U64(r.Uint64N(top+1)))
			case 1:
				c = rules.In(f)
			}
			if r.IntN(6) == 0 {
				c = c.Negate()
			}
			if r.IntN(8) == 0 {
				c = c.OrAbsent()
			}
			out = append(out, c)
			if r.IntN(3) > 0 {
				break
			}
		}
	}
	return out
}

// everyKey calls f with every packet of the schema, absent fields included.
func everyKey(s *rules.Schema, f func(rules.Key)) {
	k := s.NewKey()
	var rec func(i int)
	rec = func(i int) {
		if i == s.Len() {
			f(k)
			return
		}
		for v := range s.Field(i).Max().Lo + 1 {
			s.Set(k, i, rules.U64(v))
			rec(i + 1)
		}
		s.SetAbsent(k, i)
		rec(i + 1)
	}
	rec(0)
}

func matches(s *rules.Schema, conds []rules.Cond, k rules.Key) bool {
	r := rules.Rule[int]{Conds: conds}
	return r.Matches(s, k)
}

func TestMatchAgreesWithBruteForceOnEveryPacket(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		conds := make([][]rules.Cond, 1+r.IntN(60))
		for i := range conds {
			conds[i] = randomConds(r, tiny)
		}
		x, err := Build(context.Background(), tiny, len(conds), func(i int) []rules.Cond { return conds[i] }, 1<<30)
		require.NoError(t, err)
		everyKey(tiny, func(k rules.Key) {
			got := x.Match(k)
			for i := range conds {
				if matches(tiny, conds[i], k) != got.Contains(uint32(i)) {
					t.Fatalf("seed %d rule %d key %v: got %v", seed, i, k, got)
				}
			}
		})
	}
}

func TestMeetingFindsEveryRuleOfARegionAndOnlyThose(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		conds := make([][]rules.Cond, 40)
		for i := range conds {
			conds[i] = randomConds(r, tiny)
		}
		x, err := Build(context.Background(), tiny, len(conds), func(i int) []rules.Cond { return conds[i] }, 1<<30)
		require.NoError(t, err)
		region := Region{}
		for f := range tiny.Len() {
			if r.IntN(3) > 0 {
				top := tiny.Field(f).Max().Lo
				a, b := r.Uint64N(top+1), r.Uint64N(top+1)
				region[f] = rules.Span(min(a, b), max(a, b))
			}
		}
		want := map[uint32]bool{}
		everyKey(tiny, func(k rules.Key) {
			for f, iv := range region {
				if v, present := tiny.Get(k, f); !present || !iv.Contains(v) {
					return
				}
			}
			for i := range conds {
				if matches(tiny, conds[i], k) {
					want[uint32(i)] = true
				}
			}
		})
		got := x.Meeting(region)
		for i := range uint32(len(conds)) {
			_, masked := x.rules[i]
			switch {
			case want[i]:
				require.True(t, got.Contains(i), "seed %d: rule %d is missing", seed, i)
			case !masked && !x.dead(conds[i]):
				require.False(t, got.Contains(i), "seed %d: rule %d does not meet %v", seed, i, region)
			}
		}
	}
}

// dead reports whether a rule has a field with no values outside the region's
// fields, which Meeting does not look at.
func (x *Index) dead(conds []rules.Cond) bool {
	for _, e := range x.lower(conds) {
		if len(e.ranges) == 0 {
			return true
		}
	}
	return false
}

func TestHiddenByAgreesWithBruteForce(t *testing.T) {
	hidden := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		conds := make([][]rules.Cond, 30)
		for i := range conds {
			conds[i] = randomConds(r, tiny)
		}
		get := func(i uint32) []rules.Cond { return conds[i] }
		x, err := Build(context.Background(), tiny, len(conds), func(i int) []rules.Cond { return conds[i] }, 1<<30)
		require.NoError(t, err)
		// sub[i][j]: j matches wherever i does, by trying every packet.
		sub := make([][]bool, len(conds))
		count := make([]int, len(conds))
		for i := range sub {
			sub[i] = make([]bool, len(conds))
			for j := range sub[i] {
				sub[i][j] = true
			}
		}
		everyKey(tiny, func(k rules.Key) {
			var m [30]bool
			for i := range conds {
				if m[i] = matches(tiny, conds[i], k); m[i] {
					count[i]++
				}
			}
			for i := range conds {
				for j := range conds {
					if m[i] && !m[j] {
						sub[i][j] = false
					}
				}
			}
		})
		for i := range uint32(len(conds)) {
			if count[i] == 0 || len(x.rules) > 0 && x.rules[i] != nil {
				continue // never matches, or has a mask: found conservatively
			}
			got, ok := x.HiddenBy(i, get, func(uint32) bool { return true })
			if ok {
				hidden++
				require.Less(t, got, i)
				require.True(t, sub[i][got], "seed %d: rule %d is not hidden by %d", seed, i, got)
			}
			for j := range i {
				if x.rules[j] != nil || (ok && j >= got) {
					continue
				}
				require.False(t, sub[i][j] && plain(conds[i]) && plain(conds[j]), "seed %d: rule %d is hidden by %d, got %v %v", seed, i, j, got, ok)
			}
		}
	}
	require.Greater(t, hidden, 100)
}

// plain reports whether a rule has one interval per field and needs it there.
func plain(conds []rules.Cond) bool {
	seen := map[int]bool{}
	for i := range conds {
		ivs, ranged := conds[i].Intervals()
		if seen[conds[i].Field()] || !ranged || len(ivs) != 1 || conds[i].Negated() || conds[i].AllowsAbsent() {
			return false
		}
		seen[conds[i].Field()] = true
	}
	return true
}

func TestRemoveIsTheReverseOfAdd(t *testing.T) {
	wide := rules.MustSchema(rules.Field{Name: "port", Kind: rules.Port}, rules.Field{Name: "addr", Kind: rules.IPv6})
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 4))
		gen := func() (out []rules.Cond) {
			if r.IntN(4) > 0 {
				a, b := r.Uint64N(3000), r.Uint64N(3000)
				out = append(out, rules.In(0, rules.Span(min(a, b), max(a, b))))
			}
			if r.IntN(4) > 0 {
				out = append(out, rules.In(1, rules.PrefixInterval(rules.Value{Hi: r.Uint64N(8) << 60, Lo: r.Uint64N(4)}, r.IntN(129), 128)))
			}
			return out
		}
		base := make([][]rules.Cond, 50)
		for i := range base {
			base[i] = gen()
		}
		build := func() *Index {
			x, err := Build(context.Background(), wide, len(base), func(i int) []rules.Cond { return base[i] }, 1<<30)
			require.NoError(t, err)
			return x
		}
		x := build()
		before := describe(x)
		extra := make([][]rules.Cond, 80)
		for i := range extra {
			extra[i] = gen()
			x.Add(uint32(1000+i), extra[i])
		}
		for _, i := range r.Perm(len(extra)) {
			x.Remove(uint32(1000+i), extra[i])
		}
		require.Equal(t, before, describe(x), "seed %d", seed)
	}
}

// describe writes out what every elementary interval and block holds.
func describe(x *Index) string {
	out := fmt.Sprint(x.every.ToArray())
	for i := range x.fields {
		f := &x.fields[i]
		if !f.used {
			continue
		}
		out += fmt.Sprint("\nfield ", i, f.any.ToArray())
		f.tree.Ascend(func(el *elementary) bool {
			all := answer{sets: []*set{&el.set}}
			f.at(el.lo, x.schema.Field(i).Bits, &all)
			out += fmt.Sprint(" ", el.lo, ":", all.cut(nil).ToArray())
			return true
		})
	}
	return out
}

func TestBlocksMakeUpTheInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, width := range []int{1, 3, 16, 32, 65, 128} {
		for range 300 {
			a, b := rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}, rules.Value{Hi: r.Uint64(), Lo: r.Uint64()}
			a, b = a.Shr(r.IntN(128)).And(rules.Ones(width)), b.Shr(r.IntN(128)).And(rules.Ones(width))
			if b.Less(a) {
				a, b = b, a
			}
			at, n := a, 0
			blocksOf(rules.Interval{Lo: a, Hi: b}, width, func(bl block) {
				require.Equal(t, at, bl.lo, "blocks are adjacent")
				low := rules.Ones(width - int(bl.length))
				require.Equal(t, rules.Value{}, bl.lo.And(low), "blocks are aligned")
				at = bl.lo.Or(low).Next()
				n++
			})
			require.Equal(t, b.Next(), at)
			require.LessOrEqual(t, n, 2*width)
		}
	}
}

func TestBuildKeepsItsMemoryLimit(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 128})
	conds := func(i int) []rules.Cond {
		return []rules.Cond{rules.In(0, rules.Interval{Lo: rules.U64(uint64(i)), Hi: rules.Value{Hi: 1<<63 + uint64(i), Lo: 7}})}
	}
	_, err := Build(context.Background(), s, 3000, conds, 1<<18)
	require.ErrorIs(t, err, ErrMemory)
	_, err = Build(context.Background(), s, 3000, conds, 1<<30)
	require.NoError(t, err)
}
