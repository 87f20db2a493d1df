package lower

// What programs hold, and what they cost.

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// lowered returns the boxes of rules.
func lowered(s *rules.Schema, conds ...[]rules.Cond) *Boxes {
	return must(Lower(context.Background(), s, Source{Len: len(conds), Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30))
}

func TestManyMeansOneRuleInEight(t *testing.T) {
	not := []rules.Cond{rules.In(1, rules.Point(7)).Negate()}
	for _, n := range []uint32{1, 2, 5} {
		for last := n - 1; last < 9*n+20; last++ {
			var p Program
			for i := range n - 1 {
				p.Grow(&lowered(odd, not).Program, i)
			}
			p.Grow(&lowered(odd, not).Program, last)
			p.Sort()
			require.Equal(t, last/8 <= n, p.Many(), "%d programs of %d rules", n, last+1)
			if p.Many() {
				require.Zero(t, len(p.ranks)+len(p.start))
				require.Len(t, p.dense, int(last)+1)
			}
		}
	}
	var none Program
	none.Sort()
	require.False(t, none.Many())
}

func TestProgramsHoldTheConditionsThatBoxesDoNotSay(t *testing.T) {
	point, union := rules.In(1, rules.Point(7)), rules.In(1, rules.Point(5), rules.Point(7))
	alone := lowered(odd, []rules.Cond{union})
	both := lowered(odd, []rules.Cond{point.On(0), union, rules.In(5, rules.PrefixInterval(rules.Value{}, 40, 128))})
	require.Equal(t, alone.Program.Size(0), both.Program.Size(0))
	require.Zero(t, lowered(odd, []rules.Cond{point}).Program.Size(0))
	frame := NewFrame(odd)
	require.Equal(t, alone.Program.code, frame.Code([]rules.Cond{point.On(0), union}))
}

func TestProgramsRefuseAbsentFieldsThatTheirRuleWants(t *testing.T) {
	union := rules.In(1, rules.Point(5), rules.Point(7))
	k := odd.NewKey()
	odd.SetAbsent(k, 1)
	for _, c := range []rules.Cond{union, union.Negate(), rules.Masked(1, rules.U64(4), rules.U64(5)), rules.Masked(1, rules.U64(4), rules.U64(5)).Negate()} {
		b := lowered(odd, []rules.Cond{c}, []rules.Cond{c.OrAbsent()})
		require.False(t, b.Program.Holds(0, k))
		require.True(t, b.Program.Holds(1, k))
	}
}

func TestTheLimitOfProgramsIsTheirBytes(t *testing.T) {
	conds := []rules.Cond{rules.In(1, rules.Point(5), rules.Point(7))}
	src := Source{Len: 30, Conds: func(int) []rules.Cond { return conds }}
	b := must(Lower(context.Background(), odd, src, math.MaxInt64))
	bytes := 4 * int64(len(b.Program.code))
	_, err := Lower(context.Background(), odd, src, bytes)
	require.NoError(t, err)
	_, err = Lower(context.Background(), odd, src, bytes-1)
	require.ErrorIs(t, err, ErrMemory)
}

// asked is a context that counts how often it is asked.
type asked struct {
	context.Context
	times int
}

func (c *asked) Err() error { c.times++; return nil }

func TestTheContextIsAskedOnceInSomeHundredRules(t *testing.T) {
	for n, times := range map[int]int{1: 1, 256: 1, 257: 2, 1000: 4} {
		ctx := &asked{Context: context.Background()}
		_, err := Lower(ctx, odd, Source{Len: n, Conds: func(int) []rules.Cond { return nil }}, 1<<30)
		require.NoError(t, err)
		require.Equal(t, times, ctx.times)
	}
}

func TestDimensionsAreThoseOfTheEntriesByWord(t *testing.T) {
	point := rules.In(1, rules.Point(5))
	conds := [][]rules.Cond{{point.On(4), point.On(1)}, {point.On(1)}, {rules.In(1)}, {point.On(0)}, {point.On(2)}, nil}
	src := Source{
		Len:   len(conds),
		Conds: func(i int) []rules.Cond { return conds[i] },
		Skip:  func(i int) bool { return i == 1 },
		Hides: func(i int) bool { return i%2 == 0 },
	}
	b := must(Lower(context.Background(), odd, src, 0))
	require.Equal(t, []uint32{0, 3, 4, 5}, b.Rank)
	require.Equal(t, []uint32{2}, b.Never)
	require.Equal(t, []bool{true, false, true, false}, b.Hides)
	require.Equal(t, []bool{false, false, false, false}, b.Inexact)
	require.Equal(t, []uint32{1<<4 | 1<<1, 1, 1 << 2, 0}, b.Need)
	words := map[int]int{}
	last := 0
	for _, d := range b.Dims {
		require.Greater(t, d.Word, last)
		last = d.Word
		require.Len(t, d.Spans, b.Len())
		words[d.Field]++
	}
	require.Equal(t, map[int]int{0: 1, 1: 1, 2: 2, 4: 4}, words)
	src.Hides = nil
	require.Equal(t, []bool{true, true, true, true}, must(Lower(context.Background(), odd, src, 0)).Hides)
}

func TestMasksOfPrefixesAreExactAndThoseBesideARangeAreNot(t *testing.T) {
	for i := range odd.Len() {
		f := odd.Field(i)
		for free := range f.Bits + 1 {
			mask := f.Max().Xor(rules.Ones(free))
			b := lowered(odd, []rules.Cond{rules.Masked(i, mask, mask)})
			require.False(t, b.Inexact[0], "%s, %d bits free", f.Name, free)
			b = lowered(odd, []rules.Cond{rules.In(i, f.Full()).AndMasked(mask, mask)})
			require.True(t, b.Inexact[0], "%s, %d bits free", f.Name, free)
		}
	}
}

func TestWordTestsAreOfAllConditionsThatAreOfWords(t *testing.T) {
	union := rules.In(1, rules.Point(5), rules.Point(7))
	b := lowered(odd, []rules.Cond{union.OrAbsent(), union.On(0), rules.Masked(5, rules.U64(1), rules.U64(5)), rules.In(4).Negate()})
	var w WordTests
	require.False(t, b.Program.WordTests(0, &w), "an absent field is no word")
	word := func(field int) int { first, _ := odd.FieldWords(field); return first }
	require.Len(t, w.Tests, 2)
	require.Equal(t, word(0), w.Tests[0].Word)
	require.Equal(t, []Span{{5, 5}, {7, 7}}, w.Tests[0].Parts)
	require.Equal(t, WordTest{Word: word(5) + 3, Full: Span{0, math.MaxUint32}, Want: 1, Mask: 5}, w.Tests[1])
	b = lowered(odd, []rules.Cond{union.On(0), rules.In(4).Negate()})
	require.True(t, b.Program.WordTests(0, &w), "what is outside of nothing is everything")
	require.Len(t, w.Tests, 1)
}

// The words before are those of the box.
func TestUnionsAreOfTheFirstWordInWhichTheirRangesDiffer(t *testing.T) {
	for _, field := range []int{3, 5} {
		first, n := odd.FieldWords(field)
		for j := range n {
			at := func(x uint64) rules.Interval { // of one value of word j, and of words before it
				v := rules.Value{}
				for range j {
					v = v.Shl(32).Or(rules.U64(1))
				}
				v = v.Shl(32).Or(rules.U64(x)).Shl(32 * (n - 1 - j))
				return rules.Interval{Lo: v, Hi: v.Or(rules.Ones(32 * (n - 1 - j)))}
			}
			b := lowered(odd, []rules.Cond{rules.In(field, at(0), at(5), at(2))})
			var w WordTests
			require.True(t, b.Program.WordTests(0, &w))
			require.Len(t, w.Tests, 1)
			require.Equal(t, first+j, w.Tests[0].Word)
			require.Equal(t, []Span{{0, 0}, {2, 2}, {5, 5}}, w.Tests[0].Parts)
		}
	}
}

func TestFramesLowerListsByLabel(t *testing.T) {
	conds := [][]rules.Cond{
		{rules.In(1, rules.Point(5))},
		{rules.In(1)},
		{rules.In(1, rules.Point(5), rules.Point(9))},
		{odd.Present(0).Negate()},
		{rules.In(1, rules.Point(9)).Negate()},
		nil,
	}
	labels := []uint32{3, 40, 41, 77, 500, 501}
	b, err := NewFrame(odd).Lower(context.Background(), labels, func(i int) []rules.Cond { return conds[i] }, func(i int) bool { return i == 5 })
	require.NoError(t, err)
	require.Equal(t, []uint32{3, 41, 500}, b.Rank)
	require.Equal(t, []uint32{40, 77}, b.Never)
	k := odd.NewKey()
	for value, holds := range map[uint64][2]bool{5: {true, true}, 9: {true, false}, 7: {false, true}} {
		odd.Set(k, 1, rules.U64(value))
		require.Equal(t, holds, [2]bool{b.Program.Holds(41, k), b.Program.Holds(500, k)})
		require.True(t, b.Program.Holds(3, k))
	}
}

// All unions of a few intervals over values whose words are the least and the
// greatest few, and what is outside of them: the tests of words say what the rule
// says, wholly where they say that they do.
func TestWordTestsOfUnionsAreRightForAllCorners(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "one", Bits: 3}, rules.Field{Name: "two", Bits: 34}, rules.Field{Name: "full", Bits: 64})
	words := [][]uint32{{0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 3}, {0, 1, math.MaxUint32 - 1, math.MaxUint32}}
	low := []uint32{0, 1, math.MaxUint32 - 1, math.MaxUint32}
	// blocks reports whether the last word may be anything.
	blocks := func(ivs []rules.Interval) bool {
		return !slices.ContainsFunc(ivs, func(iv rules.Interval) bool { return uint32(iv.Lo.Lo) != 0 || uint32(iv.Hi.Lo) != math.MaxUint32 })
	}
	whole, part, refused := 0, 0, 0
	for field := range s.Len() {
		var values []rules.Value
		for _, high := range words[field] {
			if field == 0 {
				values = append(values, rules.U64(uint64(high)))
				continue
			}
			for _, x := range low {
				values = append(values, rules.U64(uint64(high)<<32|uint64(x)))
			}
		}
		check := func(ivs ...rules.Interval) {
			for _, c := range []rules.Cond{rules.In(field, ivs...), rules.In(field, ivs...).Negate()} {
				b := lowered(s, []rules.Cond{c})
				if b.Len() == 0 || !b.Inexact[0] {
					continue
				}
				var w WordTests
				isWhole := b.Program.WordTests(0, &w)
				if isWhole {
					whole++
				} else {
					part++
				}
				if field == 0 || !c.Negated() && blocks(ivs) {
					require.True(t, isWhole, "one word says it all: %v", c)
				}
				k := s.NewKey()
				for _, v := range values {
					s.Set(k, field, v)
					want, got := c.Holds(v, true), true
					for i := range w.Tests {
						got = got && w.Tests[i].holds(k[w.Tests[i].Word])
					}
					for _, d := range b.Dims {
						got = got && d.Spans[0].Lo <= k[d.Word] && k[d.Word] <= d.Spans[0].Hi
					}
					if want != got && (want || isWhole) {
						require.Failf(t, "tests of words differ", "%v %v: %v", c, v, w.Tests)
					}
					if !got {
						refused++
					}
				}
			}
		}
		for i := range values {
			for j := i; j < len(values); j++ {
				check(rules.Interval{Lo: values[i], Hi: values[j]})
				for k := j + 1; k < len(values); k++ {
					for l := k; l < len(values); l++ {
						check(rules.Interval{Lo: values[i], Hi: values[j]}, rules.Interval{Lo: values[k], Hi: values[l]})
					}
				}
			}
		}
	}
	require.Greater(t, whole, 200)
	require.Greater(t, part, 200)
	require.Greater(t, refused, 10000)
}
