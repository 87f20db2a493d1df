package lower

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// odd has fields of one to four words, most with a partial first word.
var odd = rules.MustSchema(
	rules.Field{Name: "w1", Bits: 5}, rules.Field{Name: "w1full", Bits: 32},
	rules.Field{Name: "w2", Bits: 33}, rules.Field{Name: "w3", Bits: 77},
	rules.Field{Name: "w4", Bits: 97}, rules.Field{Name: "w4full", Bits: 128})

// values lie where words begin and end.
func values(f *rules.Field) (out []rules.Value) {
	add := func(v rules.Value) { out = append(out, v.And(f.Max())) }
	for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 96, 97, 127, 128} {
		v := rules.Ones(n)
		add(v)
		add(v.Next())
		add(v.Prev())
	}
	return out
}

func randomConds(r *rand.Rand) (out []rules.Cond) {
	for range r.IntN(4) {
		i := r.IntN(odd.Len())
		f := odd.Field(i)
		pool := values(f)
		pick := func() rules.Value { return pool[r.IntN(len(pool))] }
		var ivs []rules.Interval
		for range 1 + r.IntN(5)/2 {
			a, b := pick(), pick()
			if b.Less(a) {
				a, b = b, a
			}
			if r.IntN(3) == 0 {
				ivs = append(ivs, rules.PrefixInterval(a, r.IntN(f.Bits+1), f.Bits))
			} else {
				ivs = append(ivs, rules.Interval{Lo: a, Hi: b})
			}
		}
		c := rules.In(i, ivs...)
		switch r.IntN(6) {
		case 0:
			m := pick()
			c = rules.Masked(i, pick().And(m), m)
		case 1:
			m := pick()
			c = c.AndMasked(pick().And(m), m)
		case 2:
			low := rules.Ones(r.IntN(f.Bits + 1))
			c = rules.Masked(i, pick().And(low.Not()), f.Max().Xor(low))
		}
		if r.IntN(5) == 0 {
			c = c.Negate()
		}
		if r.IntN(8) == 0 {
			c = c.OrAbsent()
		}
		out = append(out, c)
	}
	return out
}

func TestBoxNeedAndProgramTogetherAreTheRule(t *testing.T) {
	const n = 400
	r := rand.New(rand.NewPCG(1, 1))
	conds := make([][]rules.Cond, n)
	for i := range conds {
		conds[i] = randomConds(r)
	}
	b := must(Lower(context.Background(), odd, Source{Len: n, Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30))
	require.Equal(t, n, b.Len()+len(b.Never))
	entry := map[int]int{}
	for e, rank := range b.Rank {
		entry[int(rank)] = e
	}
	hits, inexact := 0, 0
	k := odd.NewKey()
	for range 3000 {
		for i := range odd.Len() {
			pool := values(odd.Field(i))
			odd.Set(k, i, pool[r.IntN(len(pool))])
			if r.IntN(10) == 0 {
				odd.SetAbsent(k, i)
			}
		}
		for i := range conds {
			rule := rules.Rule[int]{Conds: conds[i]}
			want := rule.Matches(odd, k)
			e, ok := entry[i]
			got := ok
			if ok {
				for d := range b.Dims {
					x := k[b.Dims[d].Word]
					got = got && b.Dims[d].Spans[e].Lo <= x && x <= b.Dims[d].Spans[e].Hi
				}
				got = got && k[0]&b.Need[e] == 0
				if got && b.Inexact[e] {
					inexact++
					got = b.Program.Holds(uint32(i), k)
				}
			}
			if want != got {
				require.Failf(t, "box differs", "rule %s key %v: got %v", rules.FormatRule(odd, &rule), k, got)
			}
			if want {
				hits++
			}
		}
	}
	require.Greater(t, hits, 10000)
	require.Greater(t, inexact, 10000)
}

func TestPrefixesOfEveryLengthAreExact(t *testing.T) {
	for i := range odd.Len() {
		f := odd.Field(i)
		for length := range f.Bits + 1 {
			c := rules.In(i, rules.PrefixInterval(rules.Ones(128).And(f.Max()), length, f.Bits))
			b := must(Lower(context.Background(), odd, Source{Len: 1, Conds: func(int) []rules.Cond { return []rules.Cond{c} }}, 1<<30))
			require.False(t, b.Inexact[0], "%s/%d", f.Name, length)
			require.Empty(t, b.Program.ranks)
		}
	}
}

func TestWordsThatNoRuleCutsAreNoDimensions(t *testing.T) {
	c := rules.In(5, rules.PrefixInterval(rules.Value{Hi: 0x20010db8 << 32}, 40, 128))
	b := must(Lower(context.Background(), odd, Source{Len: 1, Conds: func(int) []rules.Cond { return []rules.Cond{c} }}, 1<<30))
	require.Len(t, b.Dims, 2, "32 bits of the first word and 8 of the second")
	require.Equal(t, Span{0x20010db8, 0x20010db8}, b.Dims[0].Spans[0])
	require.Equal(t, Span{0, 0x00ffffff}, b.Dims[1].Spans[0])
}

func TestRulesThatCannotMatchHaveNoEntry(t *testing.T) {
	conds := [][]rules.Cond{
		{rules.In(0)},
		{odd.Present(0).Negate()},
		{rules.Masked(1, rules.U64(3), rules.U64(1))},
		{rules.In(1, rules.Span(5, 9)), rules.In(1, rules.Span(10, 20))},
		{rules.In(1, rules.Span(5, 9))},
	}
	b := must(Lower(context.Background(), odd, Source{Len: len(conds), Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30))
	require.Equal(t, []uint32{0, 1, 2, 3}, b.Never)
	require.Equal(t, []uint32{4}, b.Rank)
}

func TestProgramsAreFoundInAnyOrderAfterSort(t *testing.T) {
	for _, step := range []uint32{10, 1000} { // with a table of ranks, and without
		var p Program
		for _, base := range []uint32{2 * step, 0, step} {
			b := must(Lower(context.Background(), odd, Source{Len: 3, Conds: func(i int) []rules.Cond {
				return []rules.Cond{rules.In(1, rules.Point(1+uint64(base)+uint64(i))).Negate()}
			}}, 1<<30))
			p.Grow(&b.Program, base)
		}
		p.Sort()
		require.Equal(t, step == 10, p.dense != nil)
		k := odd.NewKey()
		for _, base := range []uint32{0, step, 2 * step} {
			for i := range uint32(3) {
				for _, x := range []uint32{0, 1, step, step + 1, 2*step + 2} {
					odd.Set(k, 1, rules.U64(1+uint64(x)))
					require.Equal(t, base+i != x, p.Holds(base+i, k), "rank %d value %d", base+i, x)
				}
			}
		}
		require.True(t, p.Holds(5, k), "a rule without a program holds")
		require.True(t, p.Holds(9*step, k))
	}
}

func must(b *Boxes, err error) *Boxes {
	if err != nil {
		panic(err)
	}
	return b
}

func TestSizesOfProgramsAddUp(t *testing.T) {
	for _, sparse := range []int{1, 20} { // one rule in so many has a program
		r := rand.New(rand.NewPCG(uint64(sparse), 4))
		b := must(Lower(context.Background(), odd, Source{Len: 500, Conds: func(i int) []rules.Cond {
			if i%sparse != 0 {
				return nil
			}
			return append(randomConds(r), rules.In(1, rules.Point(uint64(i))).Negate())
		}}, 1<<30))
		p := b.Program
		p.Sort()
		sum, n := 0, 0
		for rank := range uint32(600) {
			if size := p.Size(rank); size > 0 {
				sum += size
				n++
			}
		}
		require.Positive(t, n)
		require.Equal(t, 4*(len(p.code)+2*len(p.ranks)), sum-4*(n-len(p.ranks)), "a place in a table of ranks takes one word")
	}
}

func TestLowerKeepsItsLimitAndItsContext(t *testing.T) {
	var points []rules.Interval
	for i := range uint64(1000) {
		points = append(points, rules.Point(2*i))
	}
	src := Source{Len: 600, Conds: func(int) []rules.Cond { return []rules.Cond{rules.In(1, points...)} }}
	_, err := Lower(context.Background(), odd, src, 1<<20)
	require.ErrorIs(t, err, ErrMemory)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Lower(ctx, odd, src, 1<<30)
	require.ErrorIs(t, err, context.Canceled)
}

// The box of a condition that holds for absent fields reaches down to 0, and
// is still cut above.
func TestOrAbsentKeepsTheUpperEndOfItsBox(t *testing.T) {
	c := rules.In(1, rules.Span(70, 80)).OrAbsent()
	b := must(Lower(context.Background(), odd, Source{Len: 1, Conds: func(int) []rules.Cond { return []rules.Cond{c} }}, 1<<30))
	require.Equal(t, Span{0, 80}, b.Dims[0].Spans[0])
	require.True(t, b.Inexact[0])
	require.Zero(t, b.Need[0])
}
