package tree

// Leaves: the rows of a few entries, in order of rank, holding only the words
// that some row still has to test. A word that every row covers for all keys
// that reach the leaf is no column.
//
// Rows are blocks of 8 words, 32 bytes, so that two share a cache line and
// vector instructions compare two at once. Which key word a column tests is not
// in the row but in its class, named by the leaf's reference; a tree has few.
//
//	short  one block
//	         word 0     tag
//	         words 1-3  narrow columns, words of at most 16 bits: lo | (hi-lo)<<16
//	         words 4-7  two wide columns: lo, hi-lo
//	long   a block as in a short row, then blocks of
//	         words 0-7  four wide columns: lo, hi-lo
//	sparse tag, number of columns, then per column: key word, lo, hi-lo
//
// Unused columns hold for everything. Rows of 5-tuples are short. Sparse rows
// are for schemas of many fields whose rules each ask for a few: they take less
// where most columns would hold for everything.

import (
	"slices"
)

// blockWords is the number of words in a block.
const blockWords = 8

// row is a block of a row.
type row [blockWords]uint32

const (
	anyNarrow  = 0xffff << 16
	narrowCols = 3 // of a row's first block
	maxBlocks  = 8 // of a long row
	sparseGain = 2 // how much smaller sparse rows must be, since they are slower
	maxClasses = 1 << 6
)

// class says which key words the columns of a leaf test. An unused column
// tests word 0, with bounds that hold for everything.
type class struct {
	blocks int32
	// words has the key word of each column at the place of its bounds in the
	// row: at 1, 2, 3 the narrow ones, at 4, 6, 8, 10, ... the wide ones.
	words [maxBlocks * blockWords]uint8
}

const classBytes = 4 + maxBlocks*blockWords

// plainClass is the class of the IPv4 5-tuple: narrow columns in words 3 to 5,
// wide ones in 1 and 2.
var plainClass = class{blocks: 1, words: [maxBlocks * blockWords]uint8{1: 3, 2: 4, 3: 5, 4: 1, 6: 2}}

// PlainKey is the length of the keys of plain trees.
const PlainKey = 6

// place gives the columns, dims of the boxes, their places in a row. Narrow
// columns that find no room in the first block go where wide ones do.
func (b *Builder) place(columns []int) (c class, at []int) {
	at = make([]int, len(columns))
	if b.cfg.Plain {
		for i, d := range columns {
			at[i] = slices.Index(plainClass.words[:], uint8(b.dims[d].Word))
		}
		return plainClass, at
	}
	narrow, next := 1, 4
	for _, wide := range [2]bool{false, true} {
		for i, d := range columns {
			if (b.dims[d].Full.Hi > 0xffff) != wide {
				continue
			}
			if !wide && narrow <= narrowCols {
				at[i] = narrow
				narrow++
			} else {
				at[i] = next
				next += 2
			}
			if at[i] < len(c.words) {
				c.words[at[i]] = uint8(b.dims[d].Word)
			}
		}
	}
	c.blocks = int32(max(next+blockWords-1, blockWords) / blockWords)
	return c, at
}

// classOf returns the number of the class in the tree, adding it when there is
// room.
func (b *Builder) classOf(c class) (int, bool) {
	if i := slices.Index(b.tree.classes, c); i >= 0 {
		return i, true
	}
	if len(b.tree.classes) == maxClasses {
		b.classless = true
		return 0, false // the leaf becomes a sparse one
	}
	b.tree.classes = append(b.tree.classes, c)
	return len(b.tree.classes) - 1, true
}

// leaf writes the rows of the entries; at most maxRows of them.
func (b *Builder) leaf(entries []int32) Ref {
	if len(entries) == 0 {
		return 0
	}
	columns, c, at := b.allColumns, b.allClass, []int(nil)
	if b.packed == nil {
		columns = b.columns(entries)
		c, at = b.place(columns)
	}
	if int(c.blocks) > 1 && b.sparseWords(entries, columns)*sparseGain < len(entries)*int(c.blocks)*blockWords || c.blocks > maxBlocks {
		return b.sparseLeaf(entries, columns)
	}
	class, ok := b.classOf(c)
	if !ok {
		return b.sparseLeaf(entries, columns)
	}
	off := b.room(len(entries) * int(c.blocks))
	out := b.tree.rows[off:]
	if b.packed != nil {
		for i, e := range entries {
			out[i] = b.packed[e]
		}
		return leafRef(off, len(entries), formShort, class)
	}
	for i, e := range entries {
		b.fillRow(out[i*int(c.blocks):][:c.blocks], e, columns, at)
	}
	f := formShort
	if c.blocks > 1 {
		f = formLong
	}
	return leafRef(off, len(entries), f, class)
}

// fillRow writes the row of an entry, whose columns have their places in at.
func (b *Builder) fillRow(r []row, e int32, columns, at []int) {
	r[0] = row{b.tag(e), anyNarrow, anyNarrow, anyNarrow, 0, ^uint32(0), 0, ^uint32(0)}
	for j := 1; j < len(r); j++ {
		r[j] = row{0, ^uint32(0), 0, ^uint32(0), 0, ^uint32(0), 0, ^uint32(0)}
	}
	for i, d := range columns {
		s := b.dims[d].Spans[e]
		block, word := &r[at[i]/blockWords], at[i]%blockWords
		if at[i] <= narrowCols {
			block[word] = s.Lo | (s.Hi-s.Lo)<<16
		} else {
			block[word], block[word+1] = s.Lo, s.Hi-s.Lo
		}
	}
}

// pack writes the rows of all entries in one go, when all leaves have the same
// columns and these fit a block: leaves then copy them.
func (b *Builder) pack() {
	b.packed = nil
	b.allColumns = b.shortColumns()
	if b.allColumns == nil {
		return
	}
	c, at := b.place(b.allColumns)
	b.allClass = c
	b.packed = make([]row, b.boxes.Len())
	for e := range b.packed {
		b.fillRow(b.packed[e:e+1], int32(e), b.allColumns, at)
	}
}

// columns returns the dims that some entry still has to test.
func (b *Builder) columns(entries []int32) (out []int) {
	for d := range b.dims {
		for _, e := range entries {
			if !b.dims[d].Spans[e].Covers(b.reach[d]) {
				out = append(out, d)
				break
			}
		}
	}
	return out
}

// room makes room for n blocks of a leaf and returns the index of the first.
// Leaves of several blocks begin at a cache line; what that leaves free is
// kept for leaves of one.
func (b *Builder) room(n int) int {
	t := &b.tree
	if last := len(b.holes) - 1; n == 1 && last >= 0 {
		off := b.holes[last]
		b.holes = b.holes[:last]
		t.rows[off] = row{}
		return off
	}
	if n > 1 && len(t.rows)%2 != 0 {
		b.holes = append(b.holes, len(t.rows))
		t.rows = append(t.rows, row{})
	}
	off := len(t.rows)
	t.rows = append(t.rows, make([]row, n)...)
	return off
}

// sparseWords returns the size of a sparse leaf of the entries.
func (b *Builder) sparseWords(entries []int32, columns []int) int {
	words := 2 * len(entries)
	for _, d := range columns {
		for _, e := range entries {
			if !b.dims[d].Spans[e].Covers(b.reach[d]) {
				words += 3
			}
		}
	}
	return words
}

func (b *Builder) sparseLeaf(entries []int32, columns []int) Ref {
	var out []uint32
	for _, e := range entries {
		out = append(out, b.tag(e), 0)
		count := len(out) - 1
		for _, d := range columns {
			if s := b.dims[d].Spans[e]; !s.Covers(b.reach[d]) {
				out = append(out, uint32(b.dims[d].Word), s.Lo, s.Hi-s.Lo)
				out[count]++
			}
		}
	}
	b.tree.plain = false
	off := b.room((len(out) + blockWords - 1) / blockWords)
	for i, w := range out {
		b.tree.rows[off+i/blockWords][i%blockWords] = w
	}
	return leafRef(off, len(entries), formSparse, 0)
}
