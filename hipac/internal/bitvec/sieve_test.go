package bitvec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// sieved is a set whose entries have a box over words 1 and 2, a union in words
// 2 and 3, and bits asked for in words 0 and 3.
type sieved struct {
	*set
	sieve Sieve
	masks [2][]lower.Span // of words 0 and 3: want in Lo, mask in Hi
}

var maskWords = [2]int{0, 3}

func newSieved(r *rand.Rand, n, parts int) *sieved {
	tops := []uint32{1<<20 - 1, math.MaxUint32, 65535, math.MaxUint32}
	s := &sieved{set: newSet(n, tops, func(_, _ int, top uint32) lower.Span { return randomSpan(r, top, top/3, top) })}
	s.dims = s.dims[1:3]
	for w := 2; w < 4; w++ {
		u := Union{Word: w, Reach: lower.Span{Hi: tops[w]}, Start: []uint32{0}}
		for i := range n {
			if r.IntN(3) == 0 {
				u.Spans = append(u.Spans, u.Reach)
			} else {
				at := uint32(r.IntN(50))
				for range r.IntN(parts) {
					to := at + uint32(r.IntN(300))
					u.Spans = append(u.Spans, lower.Span{Lo: at * 7, Hi: to * 7})
					at = to + 2 + uint32(r.IntN(900))
				}
			}
			u.Start = append(u.Start, uint32(len(u.Spans)))
			if w == 2 {
				s.dims[1].Spans[i] = u.Reach // the union stands for it
			}
		}
		s.sieve.Unions = append(s.sieve.Unions, u)
	}
	for k, w := range maskWords {
		for range n {
			m := r.Uint32() & r.Uint32() & r.Uint32() & tops[w]
			if r.IntN(4) == 0 {
				m = 0
			}
			s.masks[k] = append(s.masks[k], lower.Span{Lo: r.Uint32() & m, Hi: m})
		}
		for shift := 0; 1<<shift <= int(tops[w]); shift += 5 + 3*k {
			c := Chunk{Word: w, Shift: shift, Bits: 5 + 3*k}
			for i := range n {
				c.Want = append(c.Want, uint8(s.masks[k][i].Lo>>shift)&(1<<c.Bits-1))
				c.Mask = append(c.Mask, uint8(s.masks[k][i].Hi>>shift)&(1<<c.Bits-1))
			}
			s.sieve.Chunks = append(s.sieve.Chunks, c)
		}
	}
	return s
}

// allows returns whether the sieve lets the entry at position i pass.
func (s *sieved) allows(i int, key []uint32) bool {
	for k, w := range maskWords {
		if key[w]&s.masks[k][i].Hi != s.masks[k][i].Lo {
			return false
		}
	}
	for _, u := range s.sieve.Unions {
		in := false
		for _, sp := range u.of(i) {
			in = in || sp.Lo <= key[u.Word] && key[u.Word] <= sp.Hi
		}
		if !in {
			return false
		}
	}
	return true
}

// key is one that the entry at position i allows, but for some words.
func (s *sieved) key(r *rand.Rand) []uint32 {
	i := r.IntN(len(s.entries))
	k := []uint32{r.Uint32() & (1<<20 - 1), r.Uint32(), uint32(r.IntN(7000)), uint32(r.IntN(7000))}
	if sp := s.dims[0].Spans[i]; r.IntN(8) > 0 {
		k[1] = sp.Lo
	}
	for _, u := range s.sieve.Unions {
		if parts := u.of(i); len(parts) > 0 && r.IntN(8) > 0 {
			sp := parts[r.IntN(len(parts))]
			k[u.Word] = [3]uint32{sp.Lo, sp.Hi, sp.Hi + 1}[r.IntN(3)]
		}
	}
	k[0] = k[0]&^s.masks[0][i].Hi | s.masks[0][i].Lo
	if r.IntN(2) == 0 {
		k[3] = k[3]&^s.masks[1][i].Hi | s.masks[1][i].Lo
	}
	k[2] &= 65535
	return k
}

func TestSievedEntriesAreFoundAndFewOthers(t *testing.T) {
	for _, n := range []int{1, 63, 512, 700, 4096, 4097, 5000} { // 512 fill the last word of a bitmap, 4096 that of a summary
		r := rand.New(rand.NewPCG(17, uint64(n)))
		s := newSieved(r, n, 9)
		p, ok := New(s.dims, nil, s.entries, &s.sieve, math.MaxInt64)
		require.True(t, ok)
		b := p.Append(make([]uint64, 5), tagOf)
		require.EqualValues(t, p.Bytes(), 8*(len(b)-5))
		requireNoGaps(t, b[5:])
		require.ElementsMatch(t, []int{1, 2, 3}, KeyWords(b, 5), "word 0 is no value")
		bound := Bound(b, 5)
		hits, beyond := 0, 0
		for range 500 {
			key := s.key(r)
			got := all(b, 5, key, 0, NoTag)
			passed := map[uint32]bool{}
			for _, pos := range got {
				passed[pos] = true
				if !s.allows(int(pos), key) {
					beyond++
				}
			}
			for _, pos := range s.linear(key) {
				if s.allows(int(pos), key) {
					hits++
					require.True(t, passed[pos], "n %d entry %d key %v", n, pos, key)
				}
			}
			var c Cursor
			c.Open(b, 5, key, 0)
			for ok := true; ok; {
				_, _, ok = c.Next(NoTag)
			}
			require.LessOrEqual(t, c.Work.Words, bound.Words)
			require.LessOrEqual(t, c.Work.Failed, bound.Failed)
		}
		require.Greater(t, hits, 40)
		require.Less(t, beyond, 1+hits/10, "those within a block that they share with others")
	}
}

func TestSievesKeepToTheBudget(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 1))
	s := newSieved(r, 2000, 9)
	full, ok := New(s.dims, nil, s.entries, &s.sieve, math.MaxInt64)
	require.True(t, ok)
	made := 0
	for budget := full.Bytes(); budget > full.Bytes()/4; budget -= full.Bytes() / 16 {
		p, ok := New(s.dims, nil, s.entries, &s.sieve, budget)
		if !ok {
			continue
		}
		made++
		require.LessOrEqual(t, p.Bytes(), budget)
		b := p.Append(nil, tagOf)
		for range 100 {
			key := s.key(r)
			passed := map[uint32]bool{}
			for _, pos := range all(b, 0, key, 0, NoTag) {
				passed[pos] = true
			}
			for _, pos := range s.linear(key) {
				require.True(t, passed[pos] || !s.allows(int(pos), key))
			}
		}
	}
	require.Greater(t, made, 4)
}

// requireNoGaps checks that the parts of a bucket lie one behind the other: what
// is planned for them is exactly what they take.
func requireNoGaps(t *testing.T, b []uint64) {
	t.Helper()
	h := readHeader(b)
	at := headerWords + dimWords*h.dims
	for i := range h.dims {
		d := readDimension(b, i)
		require.Equal(t, at, d.index)
		at += d.count // of a chunk, numbers of entries
		if d.within&chunkBit == 0 {
			top, middle, blocks := indexWords(int(d.count))
			at = d.index + uint32(top+middle+blocks)
		}
		require.Equal(t, at, d.bitmaps)
		at += d.count * (h.words + h.summary)
	}
	require.Equal(t, at, h.rows)
	require.Equal(t, h.rows+h.n*h.columns, h.tags)
	require.Equal(t, h.tags+(h.n+1)/2+slack, h.size)
	require.EqualValues(t, h.size, len(b))
}

func TestIndexesOfBlocksAreOfEights(t *testing.T) {
	for count, want := range map[int][3]int{1: {0, 0, 8}, 8: {0, 0, 8}, 9: {0, 8, 16}, 64: {0, 8, 64}, 65: {8, 16, 72}, 128: {8, 16, 128}, 129: {8, 24, 136}, 512: {8, 64, 512}} {
		top, middle, blocks := indexWords(count)
		require.Equal(t, want, [3]int{top, middle, blocks}, "%d blocks", count)
	}
}

func TestABucketTellsWhatItHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 1))
	for _, n := range []int{1, 2, 65, 300} {
		s := newSieved(r, n, 3)
		s.sieve.Doubtful = n / 2
		p, ok := New(s.dims, nil, s.entries, &s.sieve, math.MaxInt64)
		require.True(t, ok)
		b := p.Append(make([]uint64, 3), tagOf)
		require.Equal(t, n, Len(b, 3))
		require.Equal(t, len(b)-3, Words(b, 3))
		require.Equal(t, n/2, Doubtful(b, 3))
		for pos := range n {
			require.Equal(t, tagOf(pos), Tag(b, 3, uint32(pos)))
			require.EqualValues(t, pos, Position(b, 3, tagOf(pos)))
			require.EqualValues(t, pos+1, Position(b, 3, tagOf(pos)+1))
		}
		require.Zero(t, Position(b, 3, 0))
	}
	// Words are those of every dimension, the last one too.
	tops := []uint32{1 << 20, 1 << 20, 1 << 20}
	s := newSet(50, tops, func(_, _ int, top uint32) lower.Span { return randomSpan(r, top, top/3, top) })
	p, ok := New(s.dims, nil, s.entries, nil, math.MaxInt64)
	require.True(t, ok)
	words := []int{}
	for _, d := range s.dims {
		if d.Word > 0 {
			words = append(words, d.Word)
		}
	}
	require.ElementsMatch(t, words, KeyWords(p.Append(nil, tagOf), 0))
}

func TestACursorThatWasUsedIsOpenedAnew(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 1))
	s := newSieved(r, 9000, 9)
	p, ok := New(s.dims, nil, s.entries, &s.sieve, math.MaxInt64)
	require.True(t, ok)
	b := p.Append(nil, tagOf)
	var used Cursor
	for range 300 {
		key, from := s.key(r), uint32(r.IntN(9000))
		if r.IntN(3) > 0 {
			from = 0
		}
		var fresh Cursor
		fresh.Open(b, 0, key, from)
		used.Open(b, 0, key, from)
		for steps := r.IntN(6); steps > 0; steps-- {
			tag, pos, ok := fresh.Next(NoTag)
			gotTag, gotPos, gotOK := used.Next(NoTag)
			require.Equal(t, []any{tag, pos, ok}, []any{gotTag, gotPos, gotOK})
			require.Equal(t, fresh.Work, used.Work)
			if !ok {
				break
			}
		}
	}
}

func TestRangesUpToTheLastValueOfAWordEnd(t *testing.T) {
	u := &Union{Spans: []lower.Span{{Lo: 3, Hi: 4}, {Lo: math.MaxUint32 - 2, Hi: math.MaxUint32}, {Lo: math.MaxUint32, Hi: math.MaxUint32}}, Start: []uint32{0, 2, 3}}
	for i, want := range [][]int{{3, 4, 253, 254, 255}, {255}} {
		c := Chunk{Bits: 8, Union: u}
		var got []int
		c.each(i, func(v int) { got = append(got, v) })
		require.Equal(t, want, got)
	}
}
