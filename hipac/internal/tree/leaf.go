package tree

// Leaves: the rows of a few entries, in order of rank, holding only the words
// that some row still has to test. A word that every row covers for all keys
// that reach the leaf is no column.
//
//	leaf  = columns, four words of the key per header word, wide ones first
//	row   = tag, per wide column lo and hi-lo, per narrow column lo | (hi-lo)<<16
//
// Narrow columns are words of at most 16 bits.

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
	off := len(b.tree.leaves)
	out := b.tree.leaves
	for i, d := range append(wide[:len(wide):len(wide)], narrow...) {
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
