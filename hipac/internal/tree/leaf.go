package tree

// Leaves: the rows of a few entries, in order of rank, holding only the words
// that some row still has to test. A word that every row covers for all keys
// that reach the leaf is no column.
//
//	leaf  = columns, four words of the key per header word, wide ones first
//	row   = tag, per wide column lo and hi-lo, per narrow column lo | (hi-lo)<<16
//
// Narrow columns are words of at most 16 bits.
//
// A leaf of at most two wide and three narrow columns, as those of 5-tuples
// are, is a quick one: it has exactly two wide and two or three narrow ones,
// padded with columns that hold for everything, so that a lookup compares rows
// of seven or eight words without a loop over columns. That takes a quarter
// off the time of lookups and adds a tenth to their memory.
//
// A sparse leaf is for schemas of many fields whose rules each ask for a few:
// its rows bring their own columns, which takes less where most would hold for
// everything.
//
//	row   = tag, number of columns, per column word of the key, lo, hi-lo

// leaf writes the rows of the entries; at most maxRows of them.
func (b *Builder) leaf(entries []int32) Ref {
	if len(entries) == 0 {
		return leafRef(0, 0, 0, 0)
	}
	var wide, narrow []int // dims
	for d := range b.dims {
		for _, e := range entries {
			if !b.dims[d].Spans[e].Covers(b.reach[d]) {
				if b.dims[d].Full.Hi <= 0xffff {
					narrow = append(narrow, d)
				} else {
					wide = append(wide, d)
				}
				break
			}
		}
	}
	if len(wide) <= 2 && len(narrow) <= 3 {
		return b.quickLeaf(entries, wide, narrow)
	}
	columns := append(wide[:len(wide):len(wide)], narrow...)
	if b.sparseWords(entries, columns) < len(entries)*(1+2*len(wide)+len(narrow)) {
		return b.sparseLeaf(entries, columns)
	}
	off := len(b.tree.leaves)
	out := b.tree.leaves
	for i, d := range columns {
		if i%4 == 0 {
			out = append(out, 0)
		}
		out[len(out)-1] |= uint32(b.dims[d].Word) << (i % 4 * 8)
	}
	for _, e := range entries {
		out = append(out, b.tag(e))
		for _, d := range wide {
			s := b.dims[d].Spans[e]
			out = append(out, s.Lo, s.Hi-s.Lo)
		}
		for _, d := range narrow {
			s := b.dims[d].Spans[e]
			out = append(out, s.Lo|(s.Hi-s.Lo)<<16)
		}
	}
	b.tree.leaves = out
	return leafRef(off, len(entries), len(wide), len(narrow))
}

// Layout of quick leaves.
const (
	quickHeader = 2 // words: four columns, then one
	quickRow2   = 7 // words: tag, two wide columns, two narrow ones
	quickRow3   = 8 // with a third narrow one
	anyNarrow   = 0xffff << 16
)

func (b *Builder) quickLeaf(entries []int32, wide, narrow []int) Ref {
	off := len(b.tree.leaves)
	out := append(b.tree.leaves, 0, 0)
	for i, d := range wide {
		out[off] |= uint32(b.dims[d].Word) << (8 * i)
	}
	for i, d := range narrow {
		i += 2
		out[off+i/4] |= uint32(b.dims[d].Word) << (i % 4 * 8)
	}
	width := max(2, len(narrow))
	for _, e := range entries {
		row := [quickRow3]uint32{b.tag(e), 0, ^uint32(0), 0, ^uint32(0), anyNarrow, anyNarrow, anyNarrow}
		for i, d := range wide {
			s := b.dims[d].Spans[e]
			row[1+2*i], row[2+2*i] = s.Lo, s.Hi-s.Lo
		}
		for i, d := range narrow {
			s := b.dims[d].Spans[e]
			row[5+i] = s.Lo | (s.Hi-s.Lo)<<16
		}
		out = append(out, row[:5+width]...)
	}
	b.tree.leaves = out
	return leafRef(off, len(entries), 2, width) | quickBit
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
	off := len(b.tree.leaves)
	out := b.tree.leaves
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
	b.tree.leaves = out
	return leafRef(off, len(entries), 0, 0) | sparseBit
}
