package lower

import (
	"context"
	mathbits "math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func (t *WordTest) holds(x uint32) bool {
	in := t.Parts == nil
	for _, s := range t.Parts {
		in = in || s.Lo <= x && x <= s.Hi
	}
	return in && x&t.Mask == t.Want
}

func TestWordTestsHoldForTheKeysOfTheRuleAndWhenWholeForNoOthers(t *testing.T) {
	const n = 600
	r := rand.New(rand.NewPCG(4, 1))
	conds := make([][]rules.Cond, n)
	for i := range conds {
		conds[i] = randomConds(r)
	}
	b := must(Lower(context.Background(), odd, Source{Len: n, Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30))
	var w WordTests
	k := odd.NewKey()
	matched, refused, whole := 0, 0, 0
	for e, rank := range b.Rank {
		if !b.Inexact[e] {
			require.False(t, b.Program.WordTests(rank, &w))
			require.Empty(t, w.Tests)
			continue
		}
		isWhole := b.Program.WordTests(rank, &w)
		if isWhole {
			whole++
		}
		for _, test := range w.Tests {
			for i, s := range test.Parts {
				require.LessOrEqual(t, s.Lo, s.Hi)
				require.True(t, i == 0 || test.Parts[i-1].Hi < s.Lo)
				require.LessOrEqual(t, s.Hi, test.Full.Hi)
			}
		}
		rule := rules.Rule[int]{Conds: conds[rank]}
		for range 400 {
			for i := range odd.Len() {
				pool := values(odd.Field(i))
				odd.Set(k, i, pool[r.IntN(len(pool))])
				if r.IntN(20) == 0 {
					odd.SetAbsent(k, i)
				}
			}
			want := rule.Matches(odd, k)
			got := k[0]&b.Need[e] == 0
			for d := range b.Dims {
				x := k[b.Dims[d].Word]
				got = got && b.Dims[d].Spans[e].Lo <= x && x <= b.Dims[d].Spans[e].Hi
			}
			boxed := got
			for i := range w.Tests {
				got = got && w.Tests[i].holds(k[w.Tests[i].Word])
			}
			if want {
				matched++
				require.True(t, got, "rule %s key %v", rules.FormatRule(odd, &rule), k)
			}
			if boxed && !got {
				refused++
			}
			if isWhole {
				require.Equal(t, want, got, "rule %s key %v", rules.FormatRule(odd, &rule), k)
			}
		}
	}
	require.Greater(t, matched, 300)
	require.Greater(t, refused, 300)
	require.Greater(t, whole, 10)
}

func TestWordsOfFieldsHaveTheBitsOfTheField(t *testing.T) {
	for bits := 1; bits <= 128; bits++ {
		s := rules.MustSchema(rules.Field{Name: "x", Bits: bits})
		f := NewFrame(s)
		first, n := s.FieldWords(0)
		box := make([]Span, s.KeyLen())
		f.Full(box)
		sum := 0
		for j := range n {
			full := fullWord(s.Field(0), n, j)
			require.Zero(t, full.Lo)
			require.Equal(t, full, box[first+j])
			width := mathbits.Len32(full.Hi)
			require.EqualValues(t, uint64(1)<<width-1, full.Hi)
			if j > 0 {
				require.Equal(t, 32, width, "only the first word is short")
			}
			sum += width
		}
		require.Equal(t, bits, sum)
	}
}

func TestSpansCoverAndOverlapAtTheirEnds(t *testing.T) {
	for a := range uint32(5) {
		for b := a; b < 5; b++ {
			for c := range uint32(5) {
				for d := c; d < 5; d++ {
					inside := 0
					for x := c; x <= d; x++ {
						if a <= x && x <= b {
							inside++
						}
					}
					s, u := Span{Lo: a, Hi: b}, Span{Lo: c, Hi: d}
					require.Equal(t, inside == int(d-c)+1, s.Covers(u))
					require.Equal(t, inside > 0, s.Overlaps(u))
				}
			}
		}
	}
}
