// Package bitvec finds the first of many boxes that holds a key, in a time
// that is bounded whatever the boxes are.
//
// # Theory of operation
//
// A tree separates boxes by cutting space. Boxes that are wide in every word
// and lie within, beside or across one another cannot be separated without
// copying them into every part; a bucket takes them as they are. It keeps, for
// every word and every block of the word's values, one bit per entry: whether
// the entry's interval overlaps the block (bit vectors: Lakshman, Stiliadis,
// SIGCOMM 1998). A lookup finds the key's block in each word, and the AND of
// their bitmaps, read in order of rank, holds every entry that matches. Over
// each bitmap lies a summary, one bit per 64, and words that are empty in some
// summary are skipped (aggregated bit vectors: Baboescu, Varghese, SIGCOMM
// 2001).
//
// A word with few boundaries has a block for every elementary interval, and
// its bits are exact. A word with more shares out a limited number of blocks,
// so that a bit may be set for an entry that only overlaps the key's block:
// a candidate is therefore compared with its row, the bounds of those words
// that are not exact.
//
//	entry  word a    word b          blocks of a    0-9  10-19  20-
//	0      [5,12]    [0,9]           entry 0         1     1     0
//	1      [20,90]   [0,9]           entry 1         0     0     1
//	2      [0,30]    any             entry 2         1     1     1
//
// The key a=15 b=7 lies in a's block 10-19, bits 101, and in a block of b with
// bits 111. The first candidate is entry 0; its row says that 15 is beyond 12.
// The next is entry 2.
//
// # Bound
//
// With n entries in k words, a lookup that goes through a whole bucket reads at
// most k*(n/64 + n/4096) words of bitmaps, n rounded up to 512. A candidate that
// fails has a boundary strictly within the key's block of some word, hence at
// most as many fail as there are boundaries within those k blocks. Blocks are cut so that
// the largest number within any of them is the least possible: with B blocks
// never more than 2n/B, and less where entries share boundaries, because a
// value with many boundaries starts a block and is within none. Bound gives
// both figures for a bucket, and a Cursor counts what it does.
//
// # Layout
//
// A bucket is a run of 64-bit words in an array that the caller owns. It holds
// no offsets but such from its own start, and can be copied to another place.
//
//	header   5 words, then 2 per dimension (see header and dimension)
//	index    per chunk, a word per value: its entries
//	         per dimension, a word per block: first value<<32 | loose<<31 |
//	         entries, where loose says that boundaries lie within the block;
//	         before these, two levels of samples (see indexWords)
//	bitmaps  per dimension and block, and per chunk and value (sieve.go): the
//	         summary, then the bitmap
//	rows     per entry and loose dimension: lo | (hi-lo)<<32
//	tags     two to a word
//	slack    64 words
//
// 512 blocks, 5 loose words: 64 + 1 bytes of bitmap and 8 of row per word and
// entry, and a tag: 369 bytes per entry; words of few boundaries take less.
package bitvec

import "slices"

// NoTag is a tag beyond all that entries may have.
const NoTag = ^uint32(0)

// MaxDims is the most dimensions and chunks of a bucket: the words of 32 fields of
// 128 bits. A Cursor has room for so many.
const MaxDims = 128

const (
	// maxBlocks is the number of blocks of a word: 64 bytes per entry. Twice as
	// many halve the candidates that fail, which are few but in sets made for
	// it, and double memory, of which a lookup then finds less in the cache. The
	// index has room for no more: three levels of eight.
	maxBlocks = 512

	// minBlocks is the least number of blocks that a word which has boundaries
	// for them gets, else there is no bucket: below, walking the list is as good.
	minBlocks = 8

	// group is the number of words of a bitmap that are combined at a time.
	// Bitmaps are padded to it. Word by word, with a branch on each summary bit
	// and each word, reading is bound by mispredicted branches; 4 at a time take
	// a tenth longer than 8.
	group = 8

	// unasked is the number of rows that are combined without asking whether
	// anything is left.
	unasked = 4

	// slack is the number of words behind the last bitmap, so that windows of 64
	// words begin anywhere in it.
	slack = 64

	// lookahead is the most candidates whose rows are fetched together. It is
	// of use when rows are not in the cache: where 190 candidates fail in one of
	// 100k entries, a lookup takes 21 us one by one, 15.5 with 8, 13.5 with 16.
	lookahead = 16
)

const (
	headerWords = 5
	dimWords    = 2
	looseBit    = 1 << 31
	noColumn    = 0xff
	maxEntries  = 1 << 30    // so that a descriptor is no padding
	padding     = ^uint64(0) // in the place of a block that there is not
	chunkBit    = 1 << 31    // in dimension.within: it is a chunk, whose shift is below
)

// header is the decoded head of a bucket.
type header struct {
	n       uint32 // entries
	dims    uint32
	words   uint32 // of a bitmap
	summary uint32 // words of a summary
	tags    uint32 // offset
	rows    uint32 // offset
	columns uint32 // loose dimensions: words of a row
	size    uint32 // words of the bucket

	doubtful uint32 // as Sieve has it; see Doubtful
}

func (h *header) put(b []uint64) {
	b[0] = uint64(h.n) | uint64(h.dims)<<32
	b[1] = uint64(h.words) | uint64(h.summary)<<32
	b[2] = uint64(h.tags) | uint64(h.rows)<<32
	b[3] = uint64(h.columns) | uint64(h.size)<<32
	b[4] = uint64(h.doubtful)
}

func readHeader(b []uint64) header {
	return header{
		n: uint32(b[0]), dims: uint32(b[0] >> 32),
		words: uint32(b[1]), summary: uint32(b[1] >> 32),
		tags: uint32(b[2]), rows: uint32(b[2] >> 32),
		columns: uint32(b[3]), size: uint32(b[3] >> 32),
	}
}

// dimension is a decoded dimension of a bucket:
//
//	bits 0-7 word of the key, 8-15 column of the rows, 16-31 number of blocks,
//	32-63 offset of the index; then 0-31 offset of the bitmaps, 32-63 the most
//	boundaries within a block
type dimension struct {
	word, column, count uint32
	index, bitmaps      uint32
	within              uint32
}

func (d *dimension) put(b []uint64) {
	b[0] = uint64(d.word) | uint64(d.column)<<8 | uint64(d.count)<<16 | uint64(d.index)<<32
	b[1] = uint64(d.bitmaps) | uint64(d.within)<<32
}

func readDimension(b []uint64, d uint32) dimension {
	a, c := b[headerWords+dimWords*d], b[headerWords+dimWords*d+1]
	return dimension{
		word: uint32(a) & 0xff, column: uint32(a) >> 8 & 0xff, count: uint32(a) >> 16,
		index: uint32(a >> 32), bitmaps: uint32(c), within: uint32(c >> 32),
	}
}

// Work counts what a lookup does.
type Work struct {
	Words  int64 // of bitmaps and summaries read
	Failed int64 // candidates that were compared with their row in vain
}

// Bound returns the most work that any lookup does in the bucket at off, from
// its first entry to the end, however many matches it goes past.
func Bound(arena []uint64, off uint32) Work {
	b := arena[off:]
	h := readHeader(b)
	w := Work{Words: int64(max(2, h.dims)) * int64(h.words+h.summary)}
	for d := range h.dims {
		dim := readDimension(b, d)
		if dim.within&chunkBit == 0 {
			w.Failed += int64(dim.within)
		}
	}
	w.Failed = min(w.Failed, int64(h.n))
	return w
}

// indexWords returns the words of the index of blocks. The blocks are the last,
// padded to eights. When there are more than 8, the first of every 8 are given
// before, at words 1 to 7 of each 8 for every 64 blocks, and when there are more
// than 64, the first of every 64 before these.
func indexWords(count int) (top, middle, blocks int) {
	if count > 64 {
		top = 8
	}
	if count > 8 {
		middle = (count + 63) / 64 * 8
	}
	return top, middle, (count + 7) / 8 * 8
}

// Len returns the number of entries of the bucket at off.
func Len(arena []uint64, off uint32) int { return int(uint32(arena[off])) }

// Words returns the number of words that the bucket at off takes.
func Words(arena []uint64, off uint32) int { return int(arena[off+3] >> 32) }

// Doubtful returns the number of entries of the bucket at off that may be found,
// not only where blocks are loose, for keys that they do not hold.
func Doubtful(arena []uint64, off uint32) int { return int(uint32(arena[off+4])) }

// KeyWords returns the key words that some entry of the bucket at off tests.
func KeyWords(arena []uint64, off uint32) (words []int) {
	b := arena[off:]
	for d := range readHeader(b).dims {
		if w := int(readDimension(b, d).word); w > 0 && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

// Tag returns the tag of the entry at a position of the bucket at off.
func Tag(arena []uint64, off, pos uint32) uint32 {
	b := arena[off:]
	return tag(b, uint32(b[2]), pos)
}

// tag returns the tag of the entry at a position; tags are ascending.
func tag(b []uint64, tags, pos uint32) uint32 {
	return uint32(b[tags+pos/2] >> (pos % 2 * 32))
}

// Position returns the position of the first entry of the bucket at off whose
// tag is at least tag, or the number of entries. O(log n).
func Position(arena []uint64, off, least uint32) uint32 {
	b := arena[off:]
	return position(b, uint32(b[2]), 0, uint32(b[0]), least)
}

// position is the binary search of Position among positions lo to hi.
func position(b []uint64, tags, lo, hi, least uint32) uint32 {
	for lo < hi {
		if mid := lo + (hi-lo)/2; tag(b, tags, mid) < least {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
