package bitvec

// Checking a bucket that comes from a file: what lookups rely on without a look.

import (
	"fmt"
	"slices"
)

// Check checks that any lookup in the bucket at off, of keys of so many words, is
// in bounds and gives tags of ranks from lo up to hi, and that the bucket is laid
// out as Append does it for at least one entry. It reads all of the bucket's words,
// see Words, but the inner ones of bitmaps. What it does not check is what bitmaps
// and rows say.
func Check(arena []uint64, off uint32, keyWords int, lo, hi uint32) error {
	if uint64(off)+headerWords > uint64(len(arena)) {
		return fmt.Errorf("a bucket that begins behind the end")
	}
	b := arena[off:]
	h := readHeader(b)
	words, summary := bitmapWords(int(h.n))
	switch {
	case h.n-1 >= maxEntries || h.dims-1 >= MaxDims || h.columns > h.dims || b[4] > uint64(h.n):
		return fmt.Errorf("a bucket of %d entries in %d words", h.n, h.dims)
	case uint64(h.words) != uint64(words) || uint64(h.summary) != uint64(summary):
		return fmt.Errorf("a bucket whose bitmaps are not of %d entries", h.n)
	case uint64(h.size) > uint64(len(b)):
		return fmt.Errorf("a bucket that ends behind the end")
	}
	at := uint64(headerWords) + dimWords*uint64(h.dims)
	stride := uint64(h.words) + uint64(h.summary)
	if at > uint64(h.size) {
		return fmt.Errorf("a bucket that ends in its header")
	}
	for d := range h.dims {
		dim := readDimension(b, d)
		chunk := dim.within&chunkBit != 0
		switch {
		case int(dim.word) >= keyWords:
			return fmt.Errorf("a bucket that tests word %d of keys of %d", dim.word, keyWords)
		case chunk && (dim.count == 0 || 256%dim.count != 0 || dim.within&^chunkBit > 31):
			return fmt.Errorf("a bucket with a chunk of %d values", dim.count)
		case !chunk && dim.count-1 >= maxBlocks:
			return fmt.Errorf("a bucket with %d blocks of a word", dim.count)
		case dim.column >= h.columns && dim.column != noColumn:
			return fmt.Errorf("a bucket with a column %d of %d", dim.column, h.columns)
		}
		index := uint64(dim.count)
		if !chunk {
			top, middle, blocks := indexWords(int(dim.count))
			index = uint64(top + middle + blocks)
		}
		bitmaps := at + index
		end := bitmaps + uint64(dim.count)*stride
		if uint64(dim.index) != at || uint64(dim.bitmaps) != bitmaps || end > uint64(h.size) {
			return fmt.Errorf("a bucket with bitmaps in another place")
		}
		if !chunk {
			if err := checkIndex(b[at:bitmaps], int(dim.count), dim.column != noColumn); err != nil {
				return err
			}
		}
		if err := checkBitmaps(b[bitmaps:end], h); err != nil {
			return err
		}
		at = end
	}
	rows := uint64(h.n) * uint64(h.columns)
	tags := (uint64(h.n) + 1) / 2
	if uint64(h.rows) != at || uint64(h.tags) != at+rows || uint64(h.size) != at+rows+tags+slack {
		return fmt.Errorf("a bucket with rows in another place")
	}
	next := lo
	for pos := range h.n {
		rank := tag(b, h.tags, pos) >> 1
		if rank < next || rank >= hi {
			return fmt.Errorf("a bucket with a rule of rank %d, where ranks from %d to below %d may be", rank, next, hi)
		}
		next = rank + 1
	}
	return nil
}

// checkIndex checks that a search finds a block for every value: the blocks are in
// order, and the levels above them are samples of them.
func checkIndex(index []uint64, count int, column bool) error {
	top, middle, _ := indexWords(count)
	blocks := index[top+middle:]
	for i := 1; i < count; i++ {
		if blocks[i]>>32 <= blocks[i-1]>>32 {
			return fmt.Errorf("a bucket whose blocks are not in order")
		}
	}
	for i, x := range blocks {
		if i >= count && x != padding || i < count && x&looseBit != 0 && !column {
			return fmt.Errorf("a bucket with a block that it cannot have")
		}
	}
	at := func(i int) uint64 {
		if i < count {
			return blocks[i]
		}
		return padding
	}
	for i := range top {
		if index[i] != at(64*i) {
			return fmt.Errorf("a bucket whose index is not of its blocks")
		}
	}
	for i := range middle {
		if index[top+i] != at(8*i) {
			return fmt.Errorf("a bucket whose index is not of its blocks")
		}
	}
	return nil
}

// checkBitmaps checks that no bitmap has a bit behind the last entry.
func checkBitmaps(all []uint64, h header) error {
	bad := uint64(0)
	for row := range slices.Chunk(all, int(h.summary+h.words)) {
		words := row[h.summary:]
		if n := h.words % 64; n != 0 {
			bad |= row[h.summary-1] >> n
		}
		if h.n%64 != 0 {
			bad |= words[h.n/64] >> (h.n % 64)
		}
		for _, x := range words[(h.n+63)/64:] {
			bad |= x
		}
	}
	if bad != 0 {
		return fmt.Errorf("a bucket with an entry behind the last")
	}
	return nil
}
