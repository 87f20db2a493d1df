package bitvec

// Buckets from files: those that Append makes pass, and each way in which one can
// be laid out otherwise is refused and named.

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// checked is a bucket that Append made.
type checked struct {
	name  string
	b     []uint64
	words int // of keys: just enough
	n     int
	keys  func(r *rand.Rand) []uint32
}

// checkedBuckets returns buckets of one to four dimensions, with and without
// chunks, blocks and bitmaps that are full, and numbers of entries around those
// that fill a word, a bitmap and a summary.
func checkedBuckets(t *testing.T) (out []checked) {
	r := rand.New(rand.NewPCG(41, 1))
	add := func(name string, s *set, sieve *Sieve, words int, keys func(r *rand.Rand) []uint32) {
		p, ok := New(s.dims, nil, s.entries, sieve, math.MaxInt64)
		require.True(t, ok)
		out = append(out, checked{name, p.Append(nil, tagOf), words, len(s.entries), keys})
	}
	for _, n := range []int{1, 2, 63, 64, 65, 511, 512, 513, 4096, 4097, 8192} {
		s := small(r, n, 2, 30)
		if Bound(s.build(t, math.MaxInt64), 0).Failed == 0 {
			add("exact", s, nil, 2, func(r *rand.Rand) []uint32 { return corner(r, s) })
		}
		sieved := newSieved(r, n, 9)
		add("sieved", sieved.set, &sieved.sieve, 4, sieved.key)
	}
	for n := range 20 { // one and two levels of samples above the blocks
		s := newSet(17*n+5, []uint32{1 << 20}, func(i, _ int, _ uint32) lower.Span {
			return lower.Span{Lo: uint32(i) * 3, Hi: uint32(i)*3 + 1}
		})
		add("points", s, nil, 1, func(r *rand.Rand) []uint32 { return corner(r, s) })
	}
	loose := failing(4000)
	add("loose", loose, nil, len(loose.dims), func(r *rand.Rand) []uint32 { return corner(r, loose) })
	one := newSet(3000, []uint32{math.MaxUint32}, func(_, _ int, top uint32) lower.Span { return randomSpan(r, top, 0, top) })
	add("loose", one, nil, 1, func(r *rand.Rand) []uint32 { return corner(r, one) })
	wild := newSet(70, nil, nil)
	add("wild", wild, nil, 1, func(*rand.Rand) []uint32 { return []uint32{7} })
	chunks := newSet(70, nil, nil)
	sieve := &Sieve{Doubtful: 70}
	for _, c := range []Chunk{{Shift: 31, Bits: 1}, {Shift: 0, Bits: 8}} {
		for i := range 70 {
			c.Want, c.Mask = append(c.Want, uint8(i)&(1<<c.Bits-1)), append(c.Mask, 1<<c.Bits-1)
		}
		sieve.Chunks = append(sieve.Chunks, c)
	}
	add("chunks", chunks, sieve, 1, func(r *rand.Rand) []uint32 { return []uint32{r.Uint32() & 0x800000ff} })
	return out
}

func TestBucketsThatAppendMakesPassTheCheck(t *testing.T) {
	full := 0
	for _, c := range checkedBuckets(t) {
		lo, hi := tagOf(0)>>1, tagOf(c.n-1)>>1+1
		require.NoError(t, Check(c.b, 0, c.words, lo, hi), c.name)
		require.NoError(t, Check(append(make([]uint64, 3), c.b...), 3, c.words+1, 0, NoTag), c.name)
		require.NoError(t, Check(append(c.b[:len(c.b):len(c.b)], 1, 2), 0, c.words, lo, hi), "what is behind a bucket is not looked at")
		require.ErrorContains(t, Check(c.b, 0, c.words-1, lo, hi), "of keys of")
		require.ErrorContains(t, Check(c.b, 0, c.words, lo+1, hi), "a rule of rank 0, where ranks from 1 ")
		require.ErrorContains(t, Check(c.b, 0, c.words, lo, hi-1), "may be")
		require.ErrorContains(t, Check(c.b[:len(c.b)-1], 0, c.words, lo, hi), "ends behind the end")
		for d := range readHeader(c.b).dims {
			if readDimension(c.b, d).count == maxBlocks {
				full++
			}
		}
	}
	require.Positive(t, full, "words with all the blocks that there can be")
}

// dirty is a bucket to be changed: one of four dimensions and chunks of 700 entries
// with loose blocks, one of exact blocks, and one of a single entry.
func dirty(t *testing.T) (loose, exact, one []uint64) {
	r := rand.New(rand.NewPCG(43, 1))
	s := newSieved(r, 700, 9)
	p, ok := New(s.dims, nil, s.entries, &s.sieve, math.MaxInt64)
	require.True(t, ok)
	loose = p.Append(nil, tagOf)
	e := newSet(700, []uint32{1 << 20}, func(i, _ int, _ uint32) lower.Span { return lower.Span{Lo: uint32(i % 90), Hi: uint32(i % 90)} })
	exact = e.build(t, math.MaxInt64)
	one = newSet(1, []uint32{9}, func(_, _ int, _ uint32) lower.Span { return lower.Span{Lo: 3, Hi: 5} }).build(t, math.MaxInt64)
	return loose, exact, one
}

func TestBucketsThatAreLaidOutOtherwiseAreRefused(t *testing.T) {
	loose, exact, one := dirty(t)
	empty := newSet(0, []uint32{9}, nil).build(t, math.MaxInt64)
	low := func(x *uint64, v uint32) { *x = *x&^math.MaxUint32 | uint64(v) }
	high := func(x *uint64, v uint32) { *x = *x&math.MaxUint32 | uint64(v)<<32 }
	dim := func(b []uint64, d int) (words []uint64, is dimension) {
		return b[headerWords+dimWords*d:], readDimension(b, uint32(d))
	}
	change := func(d int, f func(is *dimension)) func(b []uint64) {
		return func(b []uint64) {
			words, is := dim(b, d)
			f(&is)
			is.put(words)
		}
	}
	chunkAt := func(b []uint64) int {
		for d := range readHeader(b).dims {
			if readDimension(b, d).within&chunkBit != 0 {
				return int(d)
			}
		}
		t.Fatal("no chunk")
		return 0
	}(loose)
	// blocks returns the blocks of the first dimension, and the samples above.
	blocks := func(b []uint64) (top, middle, blocks []uint64, count int) {
		_, is := dim(b, 0)
		require.Zero(t, is.within&chunkBit)
		i, j, _ := indexWords(int(is.count))
		index := b[is.index:is.bitmaps]
		return index[:i], index[i : i+j], index[i+j:], int(is.count)
	}
	_, _, _, count := blocks(exact)
	require.Equal(t, 91, count, "with two levels above, and blocks that are padding")
	for _, c := range []struct {
		name   string
		bucket []uint64
		change func(b []uint64)
		want   string
	}{
		{"no entries", empty, nil, "0 entries in 1 words"},
		{"entries beyond all", one, func(b []uint64) { low(&b[0], maxEntries+1) }, "1073741825 entries in 1 words"},
		{"as many entries as there may be", one, func(b []uint64) { low(&b[0], maxEntries) }, "bitmaps are not of 1073741824 entries"},
		{"no dimensions", one, func(b []uint64) { high(&b[0], 0) }, "1 entries in 0 words"},
		{"dimensions beyond all", loose, func(b []uint64) { high(&b[0], MaxDims+1) }, "700 entries in 129 words"},
		{"as many dimensions as there may be", one, func(b []uint64) { high(&b[0], MaxDims) }, "ends in its header"},
		{"columns beyond the dimensions", one, func(b []uint64) { low(&b[3], 2) }, "1 entries in 1 words"},
		{"more in doubt than there are", one, func(b []uint64) { b[4] = 2 }, "1 entries in 1 words"},
		{"something behind the doubtful", one, func(b []uint64) { b[4] = 1 << 32 }, "1 entries in 1 words"},
		{"other words of bitmaps", one, func(b []uint64) { low(&b[1], 16) }, "bitmaps are not of 1 entries"},
		{"other words of summaries", one, func(b []uint64) { high(&b[1], 2) }, "bitmaps are not of 1 entries"},
		{"an end in the dimensions", one, func(b []uint64) { high(&b[3], headerWords+dimWords-1) }, "ends in its header"},
		{"an end behind the dimensions", one, func(b []uint64) { high(&b[3], headerWords+dimWords) }, "bitmaps in another place"},
		{"a word behind the key", loose, change(1, func(is *dimension) { is.word = 4 }), "word 4 of keys of 4"},
		{"no values of a chunk", loose, change(chunkAt, func(is *dimension) { is.count = 0 }), "a chunk of 0 values"},
		{"values of a chunk that are no power of two", loose, change(chunkAt, func(is *dimension) { is.count++ }), "a chunk of"},
		{"values of a chunk beyond all", loose, change(chunkAt, func(is *dimension) { is.count = 512 }), "a chunk of 512 values"},
		{"as many values of a chunk as there may be", loose, change(chunkAt, func(is *dimension) { is.count = 256 }), "bitmaps in another place"},
		{"a shift beyond the word", loose, change(chunkAt, func(is *dimension) { is.within = chunkBit | 32 }), "a chunk of"},
		{"no blocks", one, change(0, func(is *dimension) { is.count = 0 }), "0 blocks of a word"},
		{"blocks beyond all", one, change(0, func(is *dimension) { is.count = maxBlocks + 1 }), "513 blocks of a word"},
		{"as many blocks as there may be", one, change(0, func(is *dimension) { is.count = maxBlocks }), "bitmaps in another place"},
		{"a column behind the last", loose, change(0, func(is *dimension) { is.column = readHeader(loose).columns }), "a bucket with a column"},
		{"blocks elsewhere", one, change(0, func(is *dimension) { is.index++ }), "bitmaps in another place"},
		{"bitmaps elsewhere", one, change(0, func(is *dimension) { is.bitmaps++ }), "bitmaps in another place"},
		{"bitmaps that end behind the end", loose, func(b []uint64) {
			_, is := dim(b, 0)
			high(&b[3], is.bitmaps+3)
		}, "bitmaps in another place"},
		{"an end right behind the bitmaps", one, func(b []uint64) { high(&b[3], readHeader(b).rows) }, "rows in another place"},
		{"two blocks with one start", exact, func(b []uint64) {
			_, _, blocks, _ := blocks(b)
			high(&blocks[1], uint32(blocks[0]>>32))
		}, "not in order"},
		{"the last block where the one before is", exact, func(b []uint64) {
			_, _, blocks, count := blocks(b)
			high(&blocks[count-1], uint32(blocks[count-2]>>32))
		}, "not in order"},
		{"padding that is a block", exact, func(b []uint64) {
			_, _, blocks, count := blocks(b)
			blocks[count] = 1000 << 32
		}, "a block that it cannot have"},
		{"the last of padding", exact, func(b []uint64) {
			_, _, blocks, _ := blocks(b)
			blocks[len(blocks)-1]--
		}, "a block that it cannot have"},
		{"a loose block without a column", exact, func(b []uint64) {
			_, _, blocks, _ := blocks(b)
			blocks[1] |= looseBit
		}, "a block that it cannot have"},
		{"a sample of other blocks", exact, func(b []uint64) {
			_, middle, _, _ := blocks(b)
			middle[1]++
		}, "index is not of its blocks"},
		{"a last sample of other blocks", exact, func(b []uint64) {
			_, middle, _, _ := blocks(b)
			middle[len(middle)-1] = 0
		}, "index is not of its blocks"},
		{"a sample of other samples", exact, func(b []uint64) {
			top, _, _, _ := blocks(b)
			top[1]--
		}, "index is not of its blocks"},
		{"a last sample of other samples", exact, func(b []uint64) {
			top, _, _, _ := blocks(b)
			top[7] = 1
		}, "index is not of its blocks"},
		{"an entry behind the last", exact, func(b []uint64) {
			h := readHeader(b)
			b[h.rows-h.words+700/64] |= 1 << (700 % 64)
		}, "an entry behind the last"},
		{"an entry in the words behind the last", exact, func(b []uint64) { b[readHeader(b).rows-1] |= 1 }, "an entry behind the last"},
		{"an entry of the first chunk behind the last", loose, func(b []uint64) {
			_, is := dim(b, chunkAt)
			b[is.bitmaps+readHeader(b).summary+700/64] |= 1 << 63
		}, "an entry behind the last"},
		{"a word behind the last in a summary", exact, func(b []uint64) {
			_, is := dim(b, 0)
			b[is.bitmaps] |= 1 << 16
		}, "an entry behind the last"},
		{"a last word in a summary", exact, func(b []uint64) {
			_, is := dim(b, 0)
			b[is.bitmaps] |= 1 << 63
		}, "an entry behind the last"},
		{"rows elsewhere", loose, func(b []uint64) { high(&b[2], uint32(b[2]>>32)+1) }, "rows in another place"},
		{"tags elsewhere", loose, func(b []uint64) { low(&b[2], uint32(b[2])-1) }, "rows in another place"},
		{"another end", loose, func(b []uint64) { high(&b[3], uint32(b[3]>>32)-1) }, "rows in another place"},
		{"fewer columns", loose, func(b []uint64) { low(&b[3], 0) }, "a column"},
		{"a rule twice", one2(t), func(b []uint64) { tags := b[uint32(b[2]):]; tags[0] = 8 | 9<<32 }, "rank 4, where ranks from 5 to below 3000 may be"},
		{"rules not in order", loose, func(b []uint64) { tags := b[uint32(b[2]):]; tags[3] = tags[3]>>32 | tags[3]<<32 }, "a rule of rank"},
	} {
		b := append([]uint64{}, c.bucket...)
		keyWords := 1
		if &c.bucket[0] == &loose[0] {
			keyWords = 4
		}
		if c.change != nil {
			require.NoError(t, Check(b, 0, keyWords, 0, 3000))
			c.change(b)
		}
		require.ErrorContains(t, Check(b, 0, keyWords, 0, 3000), c.want, c.name)
		if end := readHeader(b).size; uint64(end) < uint64(len(b)) { // reads nothing behind what the header says
			require.ErrorContains(t, Check(b[:end:end], 0, keyWords, 0, 3000), c.want, c.name)
		}
	}
	for n := range headerWords {
		require.ErrorContains(t, Check(one[:n], 0, 1, 0, 1), "begins behind the end")
	}
	require.ErrorContains(t, Check(one[:headerWords], 0, 1, 0, 1), "ends behind the end")
	require.ErrorContains(t, Check(one, uint32(len(one))-headerWords+1, 1, 0, 1), "begins behind the end")
	require.ErrorContains(t, Check(one, math.MaxUint32, 1, 0, 1), "begins behind the end")
}

// one2 is a bucket of two entries.
func one2(t *testing.T) []uint64 {
	return newSet(2, []uint32{9}, func(_, _ int, _ uint32) lower.Span { return lower.Span{Lo: 3, Hi: 5} }).build(t, math.MaxInt64)
}

// Whatever passes, lookups stay within the bucket and give tags of the ranks that
// were allowed.
func TestLookupsInChangedBucketsThatPassStayInside(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 1))
	passed, refused := 0, 0
	for _, c := range checkedBuckets(t) {
		h := readHeader(c.b)
		lo, hi := uint32(0), tagOf(c.n-1)>>1+1
		for range 150 {
			at := r.IntN(len(c.b) - slack)
			if r.IntN(2) == 0 {
				at = r.IntN(min(len(c.b), headerWords+dimWords*int(h.dims)+100))
			}
			bit := uint64(1) << r.IntN(64)
			c.b[at] ^= bit
			if Check(c.b, 0, c.words, lo, hi) != nil {
				refused++
			} else {
				passed++
				for range 4 {
					var cursor Cursor
					cursor.Open(c.b[:len(c.b):len(c.b)], 0, c.keys(r), uint32(r.IntN(c.n+1)))
					for {
						tag, pos, ok := cursor.Next(NoTag)
						if !ok {
							break
						}
						if pos >= h.n || tag>>1 < lo || tag>>1 >= hi {
							require.Failf(t, "outside", "%s: position %d, tag %d", c.name, pos, tag)
						}
					}
				}
			}
			c.b[at] ^= bit
		}
	}
	require.Greater(t, passed, 1000)
	require.Greater(t, refused, 1000)
}
