package bitvec

// Sieve: what else is known of the entries than the box of each. An entry may
// allow a union of ranges of a word, and ask for some bits of a word under a
// mask. The box of such an entry is its hull, and a bucket of hulls would give
// candidates that fail one after another.
//
// A union sets the bits of all blocks that one of its ranges overlaps. Bits
// under masks are looked at in chunks of at most 8: a chunk has a bitmap for each
// value that it can have, and is exact.
//
//	entry  word a & mask      chunk of the last 4 bits  0000 ... 0101 0110 0111
//	0      & 0x0f == 0x05     entry 0                    0        1    0    0
//	1      & 0x02 == 0x02     entry 1                    0        0    1    1
//	2      any                entry 2                    1        1    1    1

import (
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// Sieve is given by position of the entries in the plan.
type Sieve struct {
	Unions []Union
	Chunks []Chunk
	// Doubtful is the number of entries that may be found for keys that they do
	// not hold, by the caller's count; see Doubtful.
	Doubtful int
}

// Union is where entries allow a word to be. It takes the place of the dimension
// of that word.
type Union struct {
	Word  int
	Reach lower.Span   // the values of the word in keys that will be looked up
	Start []uint32     // of the ranges of each entry in Spans, and the end
	Spans []lower.Span // of an entry: ascending and disjoint
}

// of returns the ranges of the entry at position i.
func (u *Union) of(i int) []lower.Span { return u.Spans[u.Start[i]:u.Start[i+1]] }

// Chunk is what entries ask of some bits of a word: that they are Want where
// Mask has bits, or those of a value in one of the ranges of Union. Bits is at
// most 8.
type Chunk struct {
	Word, Shift, Bits int
	Want, Mask        []uint8
	Union             *Union
}

// Bytes returns what the bitmaps of a chunk take of a bucket of n entries.
func (c *Chunk) Bytes(n int) int64 {
	w, s := bitmapWords(n)
	return 8 * int64(1+w+s) << c.Bits
}

// write writes the number of entries for each value of the chunk, and their
// bitmaps.
func (c *Chunk) write(n int, counts, out []uint64, summary int) {
	stride := len(out) >> c.Bits
	free := make([]uint64, stride) // those that ask for nothing
	for i := range n {
		if c.free(i) {
			free[summary+i/64] |= 1 << (i % 64)
		}
	}
	for row := range slices.Chunk(out, stride) {
		copy(row, free)
	}
	for i := range n {
		if !c.free(i) {
			c.each(i, func(v int) { out[v*stride+summary+i/64] |= 1 << (i % 64) })
		}
	}
	v := 0
	for row := range slices.Chunk(out, stride) {
		n := 0
		for i, x := range row[summary:] {
			if x != 0 {
				n += bits.OnesCount64(x)
				row[i/64] |= 1 << (i % 64)
			}
		}
		counts[v] = uint64(n)
		v++
	}
}

// free reports whether the entry at position i asks for nothing.
func (c *Chunk) free(i int) bool {
	if c.Union == nil {
		return int(c.Mask[i])&(1<<c.Bits-1) == 0
	}
	for _, s := range c.Union.of(i) {
		if s.Hi>>c.Shift-s.Lo>>c.Shift >= 1<<c.Bits-1 {
			return true
		}
	}
	return false
}

// each calls do for the values that the entry at position i allows.
func (c *Chunk) each(i int, do func(v int)) {
	all := 1<<c.Bits - 1
	if c.Union != nil {
		for _, s := range c.Union.of(i) {
			// Counted from 0: the last value of a word has none behind it.
			for k := range s.Hi>>c.Shift - s.Lo>>c.Shift + 1 {
				do(int(s.Lo>>c.Shift+k) & all)
			}
		}
		return
	}
	want, other := int(c.Want[i]), all&^int(c.Mask[i])
	if want&other != 0 {
		return
	}
	for v := other; ; v = (v - 1) & other { // all values of the other bits
		do(v | want)
		if v == 0 {
			return
		}
	}
}
