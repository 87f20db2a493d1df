package rules

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAbsentFieldSatisfiesNoConditionUnlessItSaysSo(t *testing.T) {
	s := MustSchema(Field{Name: "f", Bits: 8})
	for _, row := range []struct {
		name    string
		conds   []Cond
		absent  bool
		holds   []uint64 // some present values that satisfy it
		doesNot []uint64
	}{
		{"none", nil, true, []uint64{0, 5, 255}, nil},
		{"full range", []Cond{s.Present(0)}, false, []uint64{0, 5, 255}, nil},
		{"range", []Cond{In(0, Span(3, 7))}, false, []uint64{3, 5, 7}, []uint64{0, 2, 8, 255}},
		{"union", []Cond{In(0, Point(3), Span(9, 10))}, false, []uint64{3, 9, 10}, []uint64{0, 4, 8, 11}},
		{"mask", []Cond{Masked(0, U64(4), U64(6))}, false, []uint64{4, 5, 0xfc}, []uint64{0, 2, 6, 7}},
		{"negated range", []Cond{In(0, Span(3, 7)).Negate()}, false, []uint64{0, 2, 8, 255}, []uint64{3, 5, 7}},
		{"negated union", []Cond{In(0, Point(3), Span(9, 10)).Negate()}, false, []uint64{0, 4, 8, 11}, []uint64{3, 9, 10}},
		{"negated mask", []Cond{Masked(0, U64(4), U64(6)).Negate()}, false, []uint64{0, 2, 6, 7}, []uint64{4, 5, 0xfc}},
		{"empty union", []Cond{In(0)}, false, nil, []uint64{0, 5, 255}},
		{"negated empty union", []Cond{In(0).Negate()}, false, []uint64{0, 5, 255}, nil},
		{"negated full range", []Cond{s.Present(0).Negate()}, false, nil, []uint64{0, 5, 255}},
		{"full range or absent", []Cond{s.Present(0).OrAbsent()}, true, []uint64{0, 5, 255}, nil},
		{"range or absent", []Cond{In(0, Span(3, 7)).OrAbsent()}, true, []uint64{3, 5, 7}, []uint64{0, 2, 8}},
		{"mask or absent", []Cond{Masked(0, U64(4), U64(6)).OrAbsent()}, true, []uint64{4, 5}, []uint64{0, 2}},
		{"negated range or absent", []Cond{In(0, Span(3, 7)).OrAbsent().Negate()}, true, []uint64{0, 2, 8}, []uint64{3, 5, 7}},
		{"empty union or absent", []Cond{In(0).OrAbsent()}, true, nil, []uint64{0, 5, 255}},
		{"negated full range or absent", []Cond{s.Present(0).Negate().OrAbsent()}, true, nil, []uint64{0, 5, 255}},
		{"range and mask", []Cond{In(0, Span(3, 7)).AndMasked(U64(4), U64(4))}, false, []uint64{4, 5, 7}, []uint64{3, 12, 255}},
		{"negated range and mask", []Cond{In(0, Span(3, 7)).AndMasked(U64(4), U64(4)).Negate()}, false, []uint64{3, 12, 255}, []uint64{4, 5, 7}},
		{"mask of nothing", []Cond{Masked(0, Value{}, Value{})}, false, []uint64{0, 5, 255}, nil},
		{"value outside mask", []Cond{Masked(0, U64(3), U64(1))}, false, nil, []uint64{0, 1, 2, 3, 255}},
		{"negated value outside mask", []Cond{Masked(0, U64(3), U64(1)).Negate()}, false, []uint64{0, 1, 2, 3, 255}, nil},
		{"zero Cond", []Cond{{}}, false, []uint64{0, 5, 255}, nil},
		{"two conditions", []Cond{In(0, Span(3, 7)), In(0, Span(6, 9))}, false, []uint64{6, 7}, []uint64{3, 9}},
		{"two conditions, one or absent", []Cond{In(0, Span(3, 7)).OrAbsent(), In(0, Span(6, 9))}, false, []uint64{6, 7}, []uint64{3, 9}},
	} {
		r := Rule[int]{Conds: row.conds}
		k := s.NewKey()
		for _, v := range row.holds {
			s.Set(k, 0, U64(v))
			require.True(t, r.Matches(s, k), "%s: %d", row.name, v)
		}
		for _, v := range row.doesNot {
			s.Set(k, 0, U64(v))
			require.False(t, r.Matches(s, k), "%s: %d", row.name, v)
		}
		s.SetAbsent(k, 0)
		require.Equal(t, row.absent, r.Matches(s, k), "%s: absent", row.name)
	}
}

// universe is small enough to try every value.
const universe = 5

// setOf returns the values of a field of 2^universe values that are in one of
// the intervals.
func setOf(ivs []Interval) (set uint32) {
	for v := range uint64(1 << universe) {
		if slices.ContainsFunc(ivs, func(i Interval) bool { return i.Lo.Lo <= v && v <= i.Hi.Lo }) {
			set |= 1 << v
		}
	}
	return set
}

func TestNormalizedIntervalsHoldTheSameValuesInOrderAndApart(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 1))
	f := &Field{Name: "f", Bits: universe}
	for range 20000 {
		var in []Interval
		for range rnd.IntN(6) {
			lo := rnd.Uint64N(1 << universe)
			in = append(in, Span(lo, lo+rnd.Uint64N(1<<universe-lo)))
		}
		before := slices.Clone(in)
		c := In(0, in...)
		require.Equal(t, before, in, "the caller's slice is untouched")
		out, ranged := c.Intervals()
		require.True(t, ranged)
		require.Equal(t, setOf(in), setOf(out))
		for i := 1; i < len(out); i++ {
			require.True(t, out[i-1].Hi.Next().Less(out[i].Lo), "%v", out)
		}
		rest := Complement(f, out)
		require.Equal(t, ^setOf(in), setOf(rest), "%v", out)
		require.Equal(t, out, Complement(f, rest))
		for v := range uint64(1 << universe) {
			require.Equal(t, setOf(in)>>v&1 != 0, c.Holds(U64(v), true))
		}
	}
}

func TestNormalizeCopesWithTheEndsOf128Bits(t *testing.T) {
	top := Ones(128)
	for _, c := range []struct{ in, want []Interval }{
		{[]Interval{{top, top}, {Value{}, Value{}}}, []Interval{{Value{}, Value{}}, {top, top}}},
		{[]Interval{{Value{}, top}, {top, top}, {Value{}, Value{}}}, []Interval{{Value{}, top}}},
		{[]Interval{{top.Prev(), top.Prev()}, {top, top}}, []Interval{{top.Prev(), top}}},
		{[]Interval{Span(0, ^uint64(0)), {Value{1, 0}, Value{1, 5}}}, []Interval{{Value{}, Value{1, 5}}}},
	} {
		require.Equal(t, c.want, normalize(c.in))
	}
	f := &Field{Bits: 128}
	require.Equal(t, []Interval{{top, top}}, Complement(f, []Interval{{Value{}, top.Prev()}}))
	require.Empty(t, Complement(f, []Interval{{Value{}, top}}))
	require.Equal(t, []Interval{{Value{}, top}}, Complement(f, nil))
}

func TestConditionsThatHoldForNothingAreAllTheSame(t *testing.T) {
	want := In(3)
	for _, c := range []Cond{
		Masked(3, U64(3), U64(1)), In(3).AndMasked(U64(1), U64(1)), In(3, Point(1)).AndMasked(U64(3), U64(1)),
	} {
		require.True(t, want.Equal(&c))
		c = c.Negate().OrAbsent()
		require.False(t, want.Equal(&c))
		require.True(t, c.Negated())
		require.True(t, c.AllowsAbsent())
		require.Equal(t, 3, c.Field())
	}
}

func TestConditionIsNotChangedByMakingAnotherOfIt(t *testing.T) {
	c := In(1, Span(1, 5))
	before := c
	_, _, _ = c.Negate(), c.OrAbsent(), c.AndMasked(U64(1), U64(1))
	require.True(t, before.Equal(&c))
	require.False(t, c.Negated())
	require.False(t, c.AllowsAbsent())
	_, _, masked := c.Mask()
	require.False(t, masked)
}

func TestConditionThatDoesNotFitTheSchemaIsRefused(t *testing.T) {
	s := MustSchema(Field{Name: "f", Bits: 8}, Field{Name: "g", Bits: 128})
	for _, row := range []struct {
		c    Cond
		want string
	}{
		{In(2, Point(1)), "rule 1: condition on field 2 of a schema of 2"},
		{In(-1, Point(1)), "rule 1: condition on field 255 of a schema of 2"},
		{In(256, Point(1)), "rule 1: condition on field 255 of a schema of 2"},
		{Masked(256, U64(1), U64(1)), "rule 1: condition on field 255 of a schema of 2"},
		{In(0, Span(0, 256)), "rule 1: field f: 256 does not fit 8 bits"},
		{In(0, Span(5, 4)), "rule 1: field f: lower bound 5 is above upper bound 4"},
		{In(0, Span(0, 9), Span(5, 4)), "rule 1: field f: lower bound 5 is above upper bound 4"},
		{Masked(0, U64(1), U64(0x101)), "rule 1: field f: mask 257 or value 1 does not fit 8 bits"},
	} {
		_, err := NewList(s, Rule[int]{Conds: []Cond{row.c}})
		require.EqualError(t, err, row.want)
	}
	_, err := NewList(s, Rule[int]{Conds: []Cond{In(0, Span(0, 255)), Masked(1, Ones(128), Ones(128))}})
	require.NoError(t, err)
}
