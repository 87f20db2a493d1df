package bitvec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// set is a bucket's input: boxes over words 0, 1, ... of the key.
type set struct {
	dims    []lower.Dim
	entries []int32
}

// newSet makes a set of n entries with the given largest value per word.
func newSet(n int, top []uint32, span func(i, d int, top uint32) lower.Span) *set {
	s := &set{}
	for d, t := range top {
		dim := lower.Dim{Word: d, Field: d, Full: lower.Span{Hi: t}, Spans: make([]lower.Span, n)}
		for i := range n {
			dim.Spans[i] = span(i, d, t)
		}
		s.dims = append(s.dims, dim)
	}
	for i := range n {
		s.entries = append(s.entries, int32(i))
	}
	return s
}

// linear returns the positions of the entries that hold the key, in order.
func (s *set) linear(key []uint32) []uint32 {
	var out []uint32
next:
	for i, e := range s.entries {
		for _, d := range s.dims {
			if sp := d.Spans[e]; key[d.Word] < sp.Lo || key[d.Word] > sp.Hi {
				continue next
			}
		}
		out = append(out, uint32(i))
	}
	return out
}

// tagOf gives entries tags with gaps.
func tagOf(i int) uint32 { return uint32(i)*3 + 1 }

// build plans and writes the set's bucket.
func (s *set) build(t testing.TB, budget int64) []uint64 {
	t.Helper()
	p, ok := New(s.dims, nil, s.entries, nil, budget)
	require.True(t, ok)
	b := p.Append(nil, tagOf)
	require.EqualValues(t, p.Bytes(), 8*len(b))
	return b
}

// all returns the positions that a cursor finds.
func all(arena []uint64, off uint32, key []uint32, from, best uint32) []uint32 {
	var c Cursor
	var out []uint32
	c.Open(arena, off, key, from)
	for {
		_, pos, ok := c.Next(best)
		if !ok {
			return out
		}
		out = append(out, pos)
	}
}

// hostile are sets that no cut separates. The number of entries is a scale.
var hostile = map[string]func(r *rand.Rand, n int) func(i, d int, top uint32) lower.Span{
	"nested": func(_ *rand.Rand, n int) func(i, d int, top uint32) lower.Span {
		return func(i, _ int, top uint32) lower.Span {
			reach := uint32(uint64(top/2) * uint64(i+1) / uint64(n))
			return lower.Span{Lo: top/2 - reach, Hi: min(top, top/2+1+reach)}
		}
	},
	"sliding": func(_ *rand.Rand, n int) func(i, d int, top uint32) lower.Span {
		return func(i, _ int, top uint32) lower.Span {
			at := uint32(uint64(top/2) * uint64(i) / uint64(n))
			return lower.Span{Lo: at, Hi: at + top/2}
		}
	},
	"crossing": func(_ *rand.Rand, n int) func(i, d int, top uint32) lower.Span {
		return func(i, d int, top uint32) lower.Span {
			if i%5 != d {
				return lower.Span{Hi: top}
			}
			at := uint32(uint64(top) * uint64(i) / uint64(n))
			return lower.Span{Lo: at, Hi: min(top, at+top/uint32(n))}
		}
	},
	"gaps": func(r *rand.Rand, n int) func(i, d int, top uint32) lower.Span {
		return func(i, d int, top uint32) lower.Span {
			if i%5 != d {
				return lower.Span{Hi: top}
			}
			return randomSpan(r, top, 0, top/uint32(n)/5)
		}
	},
	"wide": func(r *rand.Rand, _ int) func(i, d int, top uint32) lower.Span {
		return func(_, _ int, top uint32) lower.Span { return randomSpan(r, top, top/10, top) }
	},
	"tenths": func(r *rand.Rand, _ int) func(i, d int, top uint32) lower.Span {
		return func(_, _ int, top uint32) lower.Span { return randomSpan(r, top, top/20, top/7) }
	},
}

// failing returns a set that the key of all ones goes through to the end with
// as many failures as its blocks allow: every entry constrains one word, and
// begins beyond that.
func failing(n int) *set {
	order := rand.New(rand.NewPCG(31, 1)).Perm(n)
	return newSet(n, wideWords, func(i, d int, top uint32) lower.Span {
		if i%len(wideWords) != d {
			return lower.Span{Hi: top}
		}
		return lower.Span{Lo: 2 + uint32(uint64(top-2)*uint64(order[i])/uint64(n)), Hi: top}
	})
}

// wideWords is the largest values of five full words.
var wideWords = []uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1}

// firewall are entries of 20 words that each ask for three to ten of them.
func firewall(n int) *set {
	r := rand.New(rand.NewPCG(37, 1))
	tops := make([]uint32, 20)
	for d := range tops {
		tops[d] = 1<<(8+d) - 1
	}
	return newSet(n, tops, func(i, _ int, top uint32) lower.Span {
		if r.IntN(20) > 2+i%7 {
			return lower.Span{Hi: top}
		}
		return randomSpan(r, top, top/100, top/3)
	})
}

func randomSpan(r *rand.Rand, top, least, most uint32) lower.Span {
	size := least + uint32(r.Uint64N(uint64(most-least)+1))
	lo := uint32(r.Uint64N(uint64(top-size) + 1))
	return lower.Span{Lo: lo, Hi: lo + size}
}

// tuple is the largest values of the words of a 5-tuple.
var tuple = []uint32{1<<32 - 1, 1<<32 - 1, 1<<16 - 1, 1<<16 - 1, 255}

func randomKey(r *rand.Rand, s *set) []uint32 {
	key := make([]uint32, len(s.dims))
	for d := range key {
		key[d] = uint32(r.Uint64N(uint64(s.dims[d].Full.Hi) + 1))
	}
	return key
}

// small draws sets over few values, with full spans, points, corners and equal
// spans, so that boundaries meet and coincide.
func small(r *rand.Rand, n, dims int, top uint32) *set {
	tops := make([]uint32, dims)
	for d := range tops {
		tops[d] = top >> (d % 3)
	}
	return newSet(n, tops, func(_, _ int, top uint32) lower.Span {
		switch r.IntN(5) {
		case 0:
			return lower.Span{Hi: top}
		case 1:
			x := r.Uint32N(top + 1)
			return lower.Span{Lo: x, Hi: x}
		case 2:
			return lower.Span{Lo: r.Uint32N(top + 1), Hi: top}
		}
		return randomSpan(r, top, 0, top)
	})
}

// corner returns a key at, just before or just behind the bounds of entries.
func corner(r *rand.Rand, s *set) []uint32 {
	key := make([]uint32, len(s.dims))
	for d, dim := range s.dims {
		sp := dim.Spans[s.entries[r.IntN(len(s.entries))]]
		x := sp.Lo
		if r.IntN(2) == 0 {
			x = sp.Hi
		}
		switch r.IntN(4) {
		case 0:
			x = min(dim.Full.Hi, x+1)
		case 1:
			x = max(1, x) - 1
		}
		key[d] = x
	}
	return key
}

// leastBudget returns about the fewest bytes that a bucket can do with.
func leastBudget(s *set) int64 {
	lo, hi := int64(0), int64(1<<40)
	for lo < hi {
		mid := (lo + hi) / 2
		if _, ok := New(s.dims, nil, s.entries, nil, mid); ok {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

func TestCursorFindsWhatALinearScanFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for range 300 {
		n := 1 + r.IntN(700)
		s := small(r, n, 1+r.IntN(7), 1+r.Uint32N(1<<(1+r.IntN(12))))
		least := leastBudget(s)
		for _, budget := range []int64{math.MaxInt64, least, least + r.Int64N(least)} {
			arena := s.build(t, budget)
			for range 40 {
				key := randomKey(r, s)
				if r.IntN(2) == 0 {
					key = corner(r, s)
				}
				want := s.linear(key)
				require.Equal(t, want, all(arena, 0, key, 0, NoTag))
				from := uint32(r.IntN(n + 2))
				best := tagOf(r.IntN(n + 2))
				var rest []uint32
				for _, pos := range want {
					if pos >= from && tagOf(int(pos)) < best {
						rest = append(rest, pos)
					}
				}
				require.Equal(t, rest, all(arena, 0, key, from, best), "from %d best %d", from, best)
			}
		}
	}
}

func TestCursorStopsInEveryPartOfALargeBucket(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	n := 3*4096 + 77
	s := newSet(n, []uint32{63, 1 << 20}, func(i, d int, top uint32) lower.Span {
		if d == 0 {
			return lower.Span{Lo: uint32(i % 64), Hi: uint32(i % 64)}
		}
		return randomSpan(r, top, top/2, top)
	})
	arena := s.build(t, math.MaxInt64)
	for range 50 {
		key := randomKey(r, s)
		want := s.linear(key)
		require.Equal(t, want, all(arena, 0, key, 0, NoTag))
		for range 10 {
			from, best := uint32(r.IntN(n)), tagOf(r.IntN(n))-r.Uint32N(2)
			var rest []uint32
			for _, pos := range want {
				if pos >= from && tagOf(int(pos)) < best {
					rest = append(rest, pos)
				}
			}
			require.Equal(t, rest, all(arena, 0, key, from, best), "from %d best %d", from, best)
		}
	}
}

func TestBestAndFromLowerTheWork(t *testing.T) {
	n := 100000
	s := newSet(n, tuple, hostile["crossing"](nil, n))
	arena := s.build(t, math.MaxInt64)
	key := []uint32{1 << 31, 1 << 31, 1 << 15, 1 << 15, 0}
	s.dims[4].Spans[0] = lower.Span{}
	work := func(from, best uint32) int64 {
		var c Cursor
		c.Open(arena, 0, key, from)
		for {
			_, pos, ok := c.Next(best)
			if !ok {
				return c.Work.Words
			}
			require.Less(t, tagOf(int(pos)), best)
		}
	}
	require.Zero(t, work(0, tagOf(0)))
	for _, rank := range []int{1, 63, 64, 5000, 99999} {
		require.LessOrEqual(t, work(0, tagOf(rank)), int64(5*(rank/64+group+rank/4096+1)), "to rank %d", rank)
		rest := n - rank
		require.LessOrEqual(t, work(uint32(rank), NoTag), int64(5*(rest/64+2*group+rest/4096+2)), "from rank %d", rank)
	}
}

func TestWorkIsWithinTheBound(t *testing.T) {
	for name, gen := range hostile {
		for _, n := range []int{1, 300, 20000} {
			r := rand.New(rand.NewPCG(7, uint64(n)))
			s := newSet(n, tuple, gen(r, n))
			for _, budget := range []int64{math.MaxInt64, 100*int64(n) + 8<<10} {
				p, ok := New(s.dims, nil, s.entries, nil, budget)
				require.True(t, ok, "%s %d", name, n)
				arena := p.Append(nil, tagOf)
				bound := Bound(arena, 0)
				words := int64((n+511)/512*8 + (n+4095)/4096)
				require.LessOrEqual(t, bound.Words, 5*words)
				if budget == math.MaxInt64 {
					require.LessOrEqual(t, bound.Failed, int64(5*(2*n/maxBlocks+1)))
				}
				for i := range 300 {
					key := randomKey(r, s)
					if i%2 == 0 {
						key = corner(r, s)
					}
					var c Cursor
					c.Open(arena, 0, key, 0)
					for {
						if _, _, ok := c.Next(NoTag); !ok {
							break
						}
					}
					require.LessOrEqual(t, c.Work.Words, bound.Words, "%s %d", name, n)
					require.LessOrEqual(t, c.Work.Failed, bound.Failed, "%s %d", name, n)
				}
			}
		}
	}
}

// The candidates of this set fail as often as the bound allows: every entry
// ends within the key's block of one word, and is wild in the others.
func TestBoundOfFailuresIsReached(t *testing.T) {
	n := 50000
	s := newSet(n, []uint32{1<<32 - 1, 1<<32 - 1}, func(i, d int, top uint32) lower.Span {
		if i%2 != d {
			return lower.Span{Hi: top}
		}
		return lower.Span{Hi: uint32(i) * 1000}
	})
	arena := s.build(t, math.MaxInt64)
	bound := Bound(arena, 0)
	worst := int64(0)
	for d := range 2 {
		dim := readDimension(arena, uint32(d))
		for b := range dim.count {
			last := ^uint32(0)
			if b+1 < dim.count {
				top, middle, _ := indexWords(int(dim.count))
				last = uint32(arena[int(dim.index)+top+middle+int(b)+1]>>32) - 1
			}
			var c Cursor
			c.Open(arena, 0, []uint32{last, last}, 0)
			for {
				if _, _, ok := c.Next(NoTag); !ok {
					break
				}
			}
			require.LessOrEqual(t, c.Work.Failed, bound.Failed)
			worst = max(worst, c.Work.Failed)
		}
	}
	require.GreaterOrEqual(t, worst, bound.Failed*9/10)
}

func TestFewBoundariesAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	s := small(r, 2000, 4, 200)
	arena := s.build(t, math.MaxInt64)
	require.Zero(t, Bound(arena, 0).Failed)
	require.Zero(t, readHeader(arena).columns)
}

func TestManyEqualBoundariesStartABlock(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 2))
	n := 20000
	s := newSet(n, []uint32{1<<32 - 1}, func(i, _ int, top uint32) lower.Span {
		if i%2 == 0 {
			return lower.Span{Lo: 1 << 30, Hi: 1<<31 - 1}
		}
		return randomSpan(r, top, 0, top)
	})
	bound := Bound(s.build(t, math.MaxInt64), 0)
	require.LessOrEqual(t, bound.Failed, int64(n/(maxBlocks-2)+1))
}

func TestWordsThatNoEntryConstrainsTakeNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	s := small(r, 500, 2, 1000)
	bytes := 8 * len(s.build(t, math.MaxInt64))
	wild := lower.Dim{Word: 2, Full: lower.Span{Hi: 99}, Spans: make([]lower.Span, 500)}
	within := lower.Dim{Word: 3, Full: lower.Span{Hi: 99}, Spans: make([]lower.Span, 500)}
	for i := range 500 {
		wild.Spans[i] = wild.Full
		within.Spans[i] = lower.Span{Lo: r.Uint32N(10), Hi: 20 + r.Uint32N(10)}
	}
	s.dims = append(s.dims, wild, within)
	reach := []lower.Span{s.dims[0].Full, s.dims[1].Full, wild.Full, {Lo: 9, Hi: 20}}
	p, ok := New(s.dims, reach, s.entries, nil, math.MaxInt64)
	require.True(t, ok)
	require.EqualValues(t, bytes, p.Bytes())
	arena := p.Append(nil, tagOf)
	for range 500 {
		key := randomKey(r, s)
		key[3] = 9 + r.Uint32N(12)
		require.Equal(t, s.linear(key), all(arena, 0, key, 0, NoTag))
	}
}

func TestReachBoundsTheKeysAskedFor(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 2))
	for range 50 {
		s := small(r, 1+r.IntN(3000), 3, 4000)
		reach := make([]lower.Span, 3)
		for d := range reach {
			reach[d] = randomSpan(r, s.dims[d].Full.Hi, 0, s.dims[d].Full.Hi)
		}
		p, ok := New(s.dims, reach, s.entries, nil, math.MaxInt64)
		require.True(t, ok)
		arena := p.Append(nil, tagOf)
		for range 100 {
			key := make([]uint32, 3)
			for d := range key {
				key[d] = reach[d].Lo + r.Uint32N(reach[d].Hi-reach[d].Lo+1)
			}
			require.Equal(t, s.linear(key), all(arena, 0, key, 0, NoTag))
		}
	}
}

func TestEntriesWithoutConditionsAllMatch(t *testing.T) {
	for _, dims := range [][]uint32{{}, {255}} {
		for _, n := range []int{0, 1, 64, 5000} {
			s := newSet(n, dims, func(_, _ int, top uint32) lower.Span { return lower.Span{Hi: top} })
			arena := s.build(t, math.MaxInt64)
			require.Equal(t, n, Len(arena, 0))
			require.Len(t, all(arena, 0, []uint32{3}, 0, NoTag), n)
		}
	}
}

func TestBudgetTakesBlocksAndThenTheBucket(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	n := 10000
	s := newSet(n, tuple, hostile["wide"](r, n))
	full, ok := New(s.dims, nil, s.entries, nil, math.MaxInt64)
	require.True(t, ok)
	require.Less(t, full.Bytes(), int64(400*n))
	last := int64(0)
	for _, perEntry := range []int64{60, 100, 200, 300} {
		p, ok := New(s.dims, nil, s.entries, nil, perEntry*int64(n))
		require.True(t, ok, "%d", perEntry)
		require.LessOrEqual(t, p.Bytes(), perEntry*int64(n))
		require.GreaterOrEqual(t, p.Bytes(), (perEntry*9/10)*int64(n), "what there is is used")
		bound := Bound(p.Append(nil, tagOf), 0).Failed
		if last != 0 {
			require.Less(t, bound, last)
		}
		last = bound
	}
	_, ok = New(s.dims, nil, s.entries, nil, 40*int64(n))
	require.False(t, ok)
	_, ok = New(s.dims, nil, s.entries, nil, -1)
	require.False(t, ok)
}

func TestBucketCanBeMoved(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 1))
	s, other := small(r, 5000, 5, 100000), small(r, 300, 2, 50)
	p, ok := New(s.dims, nil, s.entries, nil, math.MaxInt64)
	require.True(t, ok)
	alone := p.Append(nil, tagOf)
	q, ok := New(other.dims, nil, other.entries, nil, math.MaxInt64)
	require.True(t, ok)
	dirty := make([]uint64, 1<<21)
	for i := range dirty {
		dirty[i] = r.Uint64()
	}
	arena := p.Append(q.Append(dirty[:7], tagOf), tagOf)
	off := uint32(7 + q.Bytes()/8)
	require.Equal(t, Words(arena, 7), int(q.Bytes()/8))
	require.Equal(t, Words(arena, off), len(alone))
	require.Equal(t, alone, arena[off:], "nothing is left of what was there")
	moved := append([]uint64{1, 2, 3}, arena[off:]...)
	for range 200 {
		key := corner(r, s)
		want := all(alone, 0, key, 0, NoTag)
		require.Equal(t, want, all(arena, off, key, 0, NoTag))
		require.Equal(t, want, all(moved, 3, key, 0, NoTag))
		key = corner(r, other)
		require.Equal(t, other.linear(key), all(arena, 7, key, 0, NoTag))
	}
}

func TestPositionIsTheFirstTagNotBelow(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 1))
	s := small(r, 131, 2, 50)
	arena := s.build(t, math.MaxInt64)
	for pos := range 131 {
		require.EqualValues(t, pos, Position(arena, 0, tagOf(pos)))
		require.EqualValues(t, pos+1, Position(arena, 0, tagOf(pos)+1))
	}
	require.Zero(t, Position(arena, 0, 0))
}

func TestManyWords(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 1))
	for _, k := range []int{20, MaxDims} {
		tops := make([]uint32, k)
		for d := range tops {
			tops[d] = 1 << (d % 20)
		}
		s := newSet(600, tops, func(_, _ int, top uint32) lower.Span {
			if r.IntN(k) == 0 {
				return randomSpan(r, top, top/4, top)
			}
			return lower.Span{Hi: top}
		})
		arena := s.build(t, math.MaxInt64)
		for range 100 {
			key := corner(r, s)
			require.Equal(t, s.linear(key), all(arena, 0, key, 0, NoTag))
		}
	}
	s := newSet(10, make([]uint32, MaxDims+1), func(i, _ int, _ uint32) lower.Span { return lower.Span{Hi: uint32(i)} })
	for d := range s.dims {
		s.dims[d].Full.Hi = 9
	}
	_, ok := New(s.dims, nil, s.entries, nil, math.MaxInt64)
	require.False(t, ok)
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 1))
	s := small(r, 5000, 5, 100000)
	arena := s.build(t, math.MaxInt64)
	key := corner(r, s)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var c Cursor
		c.Open(arena, 0, key, 0)
		for {
			if _, _, ok := c.Next(NoTag); !ok {
				return
			}
		}
	}))
}

// FuzzCursor reads a set from bytes, three per entry and word, and compares all
// keys of the universe with the linear scan.
func FuzzCursor(f *testing.F) {
	f.Add([]byte{0, 0, 1, 5, 7, 1, 3, 3, 2, 0, 0, 9}, uint8(2), uint16(9000))
	f.Add([]byte{0, 9, 9, 0, 1, 8, 8, 1}, uint8(1), uint16(100))
	f.Fuzz(func(t *testing.T, data []byte, k uint8, budget uint16) {
		dims := int(k%3) + 1
		n := min(len(data)/(2*dims), 500)
		tops := []uint32{40, 15, 3}[:dims]
		s := newSet(n, tops, func(i, d int, top uint32) lower.Span {
			at := 2 * (i*dims + d)
			a, b := uint32(data[at])%(top+1), uint32(data[at+1])%(top+1)
			return lower.Span{Lo: min(a, b), Hi: max(a, b)}
		})
		p, ok := New(s.dims, nil, s.entries, nil, int64(budget))
		if !ok {
			return
		}
		if p.Bytes() > int64(budget) {
			t.Fatalf("%d bytes of %d", p.Bytes(), budget)
		}
		arena := p.Append(nil, tagOf)
		key := make([]uint32, dims)
		for {
			require.Equal(t, s.linear(key), all(arena, 0, key, 0, NoTag), "%v", key)
			d := 0
			for ; d < dims; d++ {
				if key[d]++; key[d] <= tops[d] {
					break
				}
				key[d] = 0
			}
			if d == dims {
				return
			}
		}
	})
}
