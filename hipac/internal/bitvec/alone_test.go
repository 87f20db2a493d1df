package bitvec

// Entries that are alone: where each bit of a bitmap and of a summary counts, and
// the limits of a bucket.

import (
	"context"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// Bits of a summary that are set for other entries, or for other words of a group,
// would hide one that is missing.
func TestEveryEntryOfALargeBucketIsFoundAlone(t *testing.T) {
	for _, n := range []int{512, 4096, 3*4096 + 77} {
		points := newSet(n, []uint32{1 << 20}, func(i, _ int, _ uint32) lower.Span { return lower.Span{Lo: uint32(i), Hi: uint32(i)} })
		arena := points.build(t, math.MaxInt64)
		for i := range n {
			require.Equal(t, []uint32{uint32(i)}, all(arena, 0, []uint32{uint32(i)}, 0, NoTag))
		}

		// A value of a chunk is asked for by neighbours, so that those of the last
		// word of a bitmap are alone in their group.
		c, union := Chunk{Bits: 8}, &Union{Word: 0, Start: []uint32{0}}
		value := func(i int) uint32 { return uint32(i * 256 / n) }
		for i := range n {
			c.Want, c.Mask = append(c.Want, uint8(value(i))), append(c.Mask, 255)
			union.Spans = append(union.Spans, lower.Span{Lo: value(i), Hi: value(i)})
			union.Start = append(union.Start, uint32(i+1))
		}
		for _, c := range []Chunk{c, {Bits: 8, Union: union}} {
			s := newSet(n, nil, nil)
			p, ok := New(nil, nil, s.entries, &Sieve{Chunks: []Chunk{c}}, math.MaxInt64)
			require.True(t, ok)
			arena := p.Append(nil, tagOf)
			requireNoGaps(t, arena)
			for v := range uint32(256) {
				var want []uint32
				for i := range n {
					if value(i) == v {
						want = append(want, uint32(i))
					}
				}
				require.Equal(t, want, all(arena, 0, []uint32{v}, 0, NoTag))
			}
		}
	}
}

// requireCounted checks that the bitmaps of a bucket have the number of entries that
// its index says, and summaries a bit for each word with entries and no other.
func requireCounted(t *testing.T, b []uint64) {
	t.Helper()
	h := readHeader(b)
	for d := range h.dims {
		is := readDimension(b, d)
		index := b[is.index:]
		if is.within&chunkBit == 0 {
			top, middle, _ := indexWords(int(is.count))
			index = index[top+middle:]
		}
		for i := range is.count {
			row := b[is.bitmaps+i*(h.words+h.summary):][:h.words+h.summary]
			sums, n := make([]uint64, h.summary), 0
			for j, x := range row[h.summary:] {
				if n += bits.OnesCount64(x); x != 0 {
					sums[j/64] |= 1 << (j % 64)
				}
			}
			require.Equal(t, sums, row[:h.summary], "dimension %d block %d", d, i)
			require.EqualValues(t, n, index[i]&(looseBit-1), "dimension %d block %d", d, i)
		}
	}
}

func TestIndexesCountTheEntriesAndSummariesTheWords(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 1))
	for _, n := range []int{1, 64, 700, 4096, 3*4096 + 77} {
		s := newSieved(r, n, 9)
		p, ok := New(s.dims, nil, s.entries, &s.sieve, math.MaxInt64)
		require.True(t, ok)
		requireCounted(t, p.Append(nil, tagOf))
		requireCounted(t, failing(n).build(t, math.MaxInt64))
		// Entries at the beginning of a word are alone in it, and in their block.
		apart := newSet(n, []uint32{1 << 20}, func(i, _ int, _ uint32) lower.Span {
			if i%64 != 0 {
				return lower.Span{}
			}
			return lower.Span{Lo: uint32(i), Hi: uint32(i)}
		})
		arena := apart.build(t, math.MaxInt64)
		requireCounted(t, arena)
		for i := 64; i < n; i += 64 {
			require.Equal(t, []uint32{uint32(i)}, all(arena, 0, []uint32{uint32(i)}, 0, NoTag))
		}
	}
}

func TestAUnionTakesThePlaceOfTheDimensionOfItsWord(t *testing.T) {
	const n = 100
	s := newSet(n, []uint32{n, n, n}, func(i, d int, top uint32) lower.Span { return lower.Span{Lo: uint32(i+d) % n, Hi: top} })
	u := Union{Word: 1, Reach: lower.Span{Hi: n}, Start: []uint32{0}}
	for i := range uint32(n) {
		u.Spans, u.Start = append(u.Spans, lower.Span{Lo: (i + 1) % n, Hi: n}), append(u.Start, i+1)
	}
	p, ok := New(s.dims, nil, s.entries, &Sieve{Unions: []Union{u}}, math.MaxInt64)
	require.True(t, ok)
	arena := p.Append(nil, tagOf)
	require.EqualValues(t, 3, readHeader(arena).dims, "one a word")
	for i := range uint32(n) {
		for _, key := range [][]uint32{{i, 50, 50}, {50, i, 50}, {50, 50, i}} {
			require.Equal(t, s.linear(key), all(arena, 0, key, 0, NoTag))
		}
	}
}

// Every word says nothing but that one entry is out, so that no word of a bitmap is
// empty in any summary.
func TestAWalkOfAFullBucketCountsAllItsWords(t *testing.T) {
	const n = 5000
	for dims := 1; dims <= 7; dims++ {
		s := newSet(n, make([]uint32, dims), func(i, d int, _ uint32) lower.Span {
			if i == 64*d {
				return lower.Span{Lo: 1, Hi: 1}
			}
			return lower.Span{Hi: 1}
		})
		for d := range s.dims {
			s.dims[d].Full.Hi = 1
		}
		arena := s.build(t, math.MaxInt64)
		var c Cursor
		c.Open(arena, 0, make([]uint32, dims), 0)
		found := 0
		for ok := true; ok; {
			if _, _, ok = c.Next(NoTag); ok {
				found++
			}
		}
		require.Equal(t, n-dims, found)
		require.Equal(t, Bound(arena, 0).Words, c.Work.Words, "%d words", dims)
		require.Zero(t, c.Work.Failed)
	}
}

// Where the first words leave nothing of a group, further words are not read, but
// what was read counts.
func TestAWalkThatFindsNothingCountsTheWordsThatItRead(t *testing.T) {
	const n = 5000
	for dims := 2; dims <= 7; dims++ {
		s := newSet(n, make([]uint32, dims), func(i, d int, _ uint32) lower.Span {
			if (i+d)%2 == 0 {
				return lower.Span{Hi: 1}
			}
			return lower.Span{Lo: 1, Hi: 1}
		})
		for d := range s.dims {
			s.dims[d].Full.Hi = 1
		}
		arena := s.build(t, math.MaxInt64)
		var c Cursor
		c.Open(arena, 0, make([]uint32, dims), 0)
		_, _, ok := c.Next(NoTag)
		require.False(t, ok)
		h := readHeader(arena)
		require.EqualValues(t, h.words*uint32(min(dims, unasked))+h.summary*uint32(dims), c.Work.Words, "%d words", dims)
	}
}

func TestBlocksTakeNoMoreRoomThanTheyNeed(t *testing.T) {
	for _, values := range [][]uint32{nil, {5}, {5, 5}, {3, 5}, {5, 3, 5, 9, 3, 7}} {
		blocks := distinct(values)
		require.Equal(t, len(blocks), cap(blocks))
	}
	blocks := distinct([]uint32{5, 3, 5, 9})
	require.Equal(t, []block{{}, {start: 3, at: 1}, {start: 5, at: 2}, {start: 9, at: 1}}, blocks)
}

func TestABucketHasAsManyDimensionsAsACursorHasRoomFor(t *testing.T) {
	const n = 20
	for _, c := range []struct {
		words, chunks, unions int
		ok                    bool
	}{
		{MaxDims, 0, 0, true}, {MaxDims + 1, 0, 0, false},
		{0, MaxDims - 1, 0, true}, {0, MaxDims, 0, false}, // one block says that all entries match
		{1, MaxDims - 1, 0, true}, {1, MaxDims, 0, false}, {1, MaxDims + 9, 0, false},
		{28, 90, 10, true}, {28, 91, 10, false}, {28, 90, 11, false}, {29, 90, 10, false},
	} {
		s := newSet(n, make([]uint32, c.words), func(i, _ int, _ uint32) lower.Span { return lower.Span{Hi: uint32(i)} })
		for d := range s.dims {
			s.dims[d].Full.Hi = n - 1
		}
		sieve := &Sieve{}
		for i := range c.chunks {
			chunk := Chunk{Word: i, Bits: 5, Want: make([]uint8, n), Mask: make([]uint8, n)}
			for e := range n {
				chunk.Want[e], chunk.Mask[e] = uint8(e), 31
			}
			sieve.Chunks = append(sieve.Chunks, chunk)
		}
		for i := range c.unions {
			u := Union{Word: c.words + i, Reach: lower.Span{Hi: n}, Start: []uint32{0}}
			for e := range uint32(n) {
				u.Spans, u.Start = append(u.Spans, lower.Span{Lo: e, Hi: e}), append(u.Start, e+1)
			}
			sieve.Unions = append(sieve.Unions, u)
		}
		p, ok := New(s.dims, nil, s.entries, sieve, math.MaxInt64)
		require.Equal(t, c.ok, ok, "%+v", c)
		if ok {
			arena := p.Append(nil, tagOf)
			require.NoError(t, Check(arena, 0, MaxDims, 0, tagOf(n)))
			key := make([]uint32, MaxDims)
			for i := range key {
				key[i] = 7
			}
			require.Contains(t, all(arena, 0, key, 0, NoTag), uint32(7))
		}
	}
}

// ending is a context that ends after it was asked so often.
type ending struct {
	context.Context
	left int
}

func (c *ending) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestWritingEndsWithTheContextBeforeEveryWord(t *testing.T) {
	const n = 10
	s := newSet(n, []uint32{50, 50}, func(i, _ int, _ uint32) lower.Span { return lower.Span{Hi: uint32(i)} })
	chunk := Chunk{Bits: 1, Want: make([]uint8, n), Mask: make([]uint8, n)}
	for _, chunks := range [][]Chunk{nil, {chunk, chunk}} {
		const asked = 2 // while it is planned
		for left := range 2 + len(chunks) + 1 {
			p, ok := NewContext(&ending{context.Background(), asked + left}, s.dims, nil, s.entries, &Sieve{Chunks: chunks}, math.MaxInt64)
			require.True(t, ok)
			tags := 0
			p.Append(nil, func(i int) uint32 { tags++; return tagOf(i) })
			if left < 2+len(chunks) {
				require.Zero(t, tags, "after %d of %d words", left, 2+len(chunks))
			} else {
				require.Equal(t, n, tags)
			}
		}
		for left := range asked {
			_, ok := NewContext(&ending{context.Background(), left}, s.dims, nil, s.entries, &Sieve{Chunks: chunks}, math.MaxInt64)
			require.False(t, ok)
		}
	}
}
