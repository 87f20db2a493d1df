package bitvec

// What a walk reads: from the first entry wanted to the best there is, of the words
// that may hold a match, and not of words that all entries or none allow.

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// bitSet returns entries over words of one bit: bits says what the key of zeros finds
// of entry i in word d.
func bitSet(n, dims int, bits func(i, d int) bool) *set {
	s := newSet(n, make([]uint32, dims), func(i, d int, _ uint32) lower.Span {
		if bits(i, d) {
			return lower.Span{Hi: 1}
		}
		return lower.Span{Lo: 1, Hi: 1}
	})
	for d := range s.dims {
		s.dims[d].Full.Hi = 1
	}
	return s
}

// walk goes through a bucket for the key of zeros, and returns what it finds and the
// words that it reads.
func walk(arena []uint64, dims int, from, best uint32) (found []uint32, words int64) {
	var c Cursor
	c.Open(arena, 0, make([]uint32, dims), from)
	for {
		_, pos, ok := c.Next(best)
		if !ok {
			return found, c.Work.Words
		}
		found = append(found, pos)
	}
}

func TestAWalkReadsFromTheFirstEntryWantedToTheBest(t *testing.T) {
	const n = 2*4096 + 700
	arena := bitSet(n, 2, func(i, d int) bool { return i != 5+d }).build(t, math.MaxInt64)
	var places []uint32
	for _, at := range []int{0, 64, 512, 4032, 4096, 4608, 8192, 8704, n} {
		for off := -2; off <= 2; off++ {
			if p := at + off; p >= 0 && p <= n {
				places = append(places, uint32(p))
			}
		}
	}
	for _, from := range places {
		for _, to := range places {
			var want []uint32
			for p := from; p < to; p++ {
				if p != 5 && p != 6 {
					want = append(want, p)
				}
			}
			words := int64(0)
			if from < to {
				words = int64(2*((to-1)/4096-from/4096+1) + 2*group*((to-1)/512-from/512+1))
			}
			bests := []uint32{tagOf(int(to))}
			if to > 0 {
				bests = append(bests, tagOf(int(to))-1, tagOf(int(to)-1)+1)
			}
			for _, best := range bests {
				found, read := walk(arena, 2, from, best)
				require.Equal(t, want, found, "from %d to %d", from, to)
				if from < to {
					require.Equal(t, words, read, "from %d to %d", from, to)
				} else {
					require.LessOrEqual(t, read, int64(2+2*group), "from %d to %d", from, to)
				}
			}
		}
	}
}

// The first four words leave nothing, and so the others are not read: that takes the
// sparsest to come first, wherever they stand in the key.
func TestTheSparsestWordsComeFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 1))
	const n, dims = 4096, 9
	for range 100 {
		place := r.Perm(dims)
		arena := bitSet(n, dims, func(i, d int) bool {
			if at := place[d]; at < 4 {
				return i%4 != at && i%64 > 16+at // a quarter of what is there is missing from each
			}
			return i != d
		}).build(t, math.MaxInt64)
		found, words := walk(arena, dims, 0, NoTag)
		require.Empty(t, found)
		h := readHeader(arena)
		require.EqualValues(t, 4*h.words+dims*h.summary, words)
	}
}

func TestWordsThatAllEntriesAllowAreNotRead(t *testing.T) {
	const n, dims = 5000, 6
	for allowed := range dims + 1 {
		s := newSet(n, make([]uint32, dims), func(i, d int, _ uint32) lower.Span {
			switch {
			case d < allowed && i > 0: // all of them up to 8
				return lower.Span{Hi: 8}
			case d < allowed || i != 64*d+1:
				return lower.Span{Hi: 9}
			}
			return lower.Span{Lo: 1, Hi: 9}
		})
		for d := range s.dims {
			s.dims[d].Full.Hi = 9
		}
		arena := s.build(t, math.MaxInt64)
		h := readHeader(arena)
		require.EqualValues(t, dims, h.dims)
		_, words := walk(arena, dims, 0, NoTag)
		require.EqualValues(t, max(2, uint32(dims-allowed))*(h.words+h.summary), words, "%d words allow all", allowed)
	}
}

func TestNothingIsReadWhereAWordAllowsNoEntry(t *testing.T) {
	for none := range 3 {
		// All entries ask for another value of the word, or for one of two others.
		s := bitSet(5000, 3, func(i, d int) bool { return d != none && i%3 != d })
		s.dims[none].Full.Hi = 2
		s.dims[none].Spans[7].Hi = 2
		found, words := walk(s.build(t, math.MaxInt64), 3, 0, NoTag)
		require.Empty(t, found)
		require.Zero(t, words)
	}
}

// Words of the bitmaps that are empty in some summary are skipped, also when that is
// the one of the densest word.
func TestWordsThatAreEmptyInSomeSummaryAreSkipped(t *testing.T) {
	const n = 4096
	arena := bitSet(n, 2, func(i, d int) bool {
		if d == 0 { // few, in the first and the last group
			return i == 5 || i == 4000
		}
		return i < 2048
	}).build(t, math.MaxInt64)
	found, words := walk(arena, 2, 0, NoTag)
	require.Equal(t, []uint32{5}, found)
	require.EqualValues(t, 2+2*group, words)
}

func TestNoMoreCandidatesFailThanThereAreEntries(t *testing.T) {
	r := rand.New(rand.NewPCG(83, 1))
	s := newSet(100, wideWords, func(_, _ int, top uint32) lower.Span { return randomSpan(r, top, 0, top) })
	arena := s.build(t, leastBudget(s))
	sum := uint32(0)
	for d := range readHeader(arena).dims {
		sum += readDimension(arena, d).within
	}
	require.Greater(t, sum, uint32(100), "boundaries within blocks")
	require.EqualValues(t, 100, Bound(arena, 0).Failed)
}
