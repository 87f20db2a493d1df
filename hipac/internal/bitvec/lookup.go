package bitvec

// Lookup: a cursor over the entries of a bucket that hold a key. Nothing here
// allocates, and nothing but the cursor is written.

import "math/bits"

// Cursor goes through the entries of a bucket whose boxes hold a key, in
// order. It is meant to live on the stack of a lookup: Open it, then call Next
// until it says no or the caller is content. It holds the arena and the key's
// words; the arena must not change meanwhile.
type Cursor struct {
	Work  Work // done since Open
	b     []uint64
	head  header
	from  uint32
	dims  uint32          // rows in use, at least 2
	tests uint32          // tests in use
	super uint32          // number of the 4096 entries at hand
	live  uint64          // of these, the words that are still to be read
	base  uint32          // position of acc[0]
	next  uint32          // words of acc before it are done
	acc   [group]uint64   // candidates
	rows  [maxDims]uint32 // offsets of the summaries of the key's blocks
	test  [maxDims]uint64 // value<<32 | column, where the key's block is loose
}

// Open sets the cursor to the first entry at position from or later in the
// bucket at off. The key must have a word for every dimension of the bucket,
// each within its reach. O(dims * log blocks).
func (c *Cursor) Open(arena []uint64, off uint32, key []uint32, from uint32) {
	b := arena[off:]
	c.Work = Work{}
	c.b, c.head, c.from = b, readHeader(b), from
	stride := c.head.words + c.head.summary
	dims, tests, fewest := c.head.dims, uint32(0), ^uint32(0)
	for d := range dims {
		dim := readDimension(b, d)
		x := key[dim.word]
		blocks := b[dim.blocks:][:dim.count]
		i := search(blocks, x)
		desc := uint32(blocks[i])
		c.rows[d] = dim.bitmaps + i*stride
		if desc&looseBit != 0 {
			c.test[tests] = uint64(x)<<32 | uint64(dim.column)
			tests++
		}
		if count := desc &^ looseBit; count < fewest {
			fewest = count
			c.rows[0], c.rows[d] = c.rows[d], c.rows[0]
		}
	}
	if dims == 1 {
		c.rows[1] = c.rows[0]
		dims = 2
	}
	c.dims, c.tests = dims, tests
	c.super = from/4096 - 1
	c.live = 0
	c.next = group
}

// search returns the number of the last block whose first value is at most x,
// without a branch on the values: with branches, mispredicted, Open takes more
// than twice as long.
func search(blocks []uint64, x uint32) uint32 {
	i, n := 0, len(blocks)
	for n > 1 {
		half := n >> 1
		below := (blocks[i+half]>>32 - uint64(x) - 1) >> 63 // 1 when the block starts at or before x
		i += half & -int(below)
		n -= half
	}
	return uint32(i)
}

// Next returns the tag and position of the next entry that holds the key,
// if its tag is below best. best must not grow from call to call; once Next has
// said no, it is not to be called again.
func (c *Cursor) Next(best uint32) (t, pos uint32, ok bool) {
	for {
		for c.next < group {
			m := c.acc[c.next]
			if m == 0 {
				c.next++
				continue
			}
			c.acc[c.next] = m & (m - 1)
			pos := c.base + c.next*64 + uint32(bits.TrailingZeros64(m))
			if !c.holds(pos) {
				c.Work.Failed++
				continue
			}
			t := tag(c.b, c.head.tags, pos)
			return t, pos, t < best
		}
		if !c.load(best) {
			return NoTag, c.head.n, false
		}
	}
}

// holds compares a candidate with its row.
func (c *Cursor) holds(pos uint32) bool {
	at := c.head.rows + pos*c.head.columns
	row := c.b[at : at+c.head.columns]
	for _, t := range c.test[:c.tests] {
		r := row[uint32(t)]
		if uint32(t>>32)-uint32(r) > uint32(r>>32) {
			return false
		}
	}
	return true
}

// load finds the next words that have candidates.
func (c *Cursor) load(best uint32) bool {
	for {
		for c.live == 0 {
			c.super++
			if c.super >= c.head.summary || !c.enter(best) {
				return false
			}
		}
		b := c.b
		skip := c.head.summary
		read := int64(0)
		for live := c.live; live != 0; {
			g := uint32(bits.TrailingZeros64(live)) &^ (group - 1)
			live &^= (1<<group - 1) << g
			w := c.super*64 + g
			at := w + skip
			x, y := b[c.rows[0]+at:][:group], b[c.rows[1]+at:][:group]
			a0, a1, a2, a3 := x[0]&y[0], x[1]&y[1], x[2]&y[2], x[3]&y[3]
			read += 2 * group
			for _, r := range c.rows[2:c.dims] {
				if a0|a1|a2|a3 == 0 {
					break
				}
				x := b[r+at:][:group]
				a0 &= x[0]
				a1 &= x[1]
				a2 &= x[2]
				a3 &= x[3]
				read += group
			}
			if a0|a1|a2|a3 == 0 {
				continue
			}
			c.acc = [group]uint64{a0, a1, a2, a3}
			c.base, c.next = w*64, 0
			if c.base < c.from {
				c.mask()
			}
			c.live = live
			c.Work.Words += read
			return true
		}
		c.live = 0
		c.Work.Words += read
	}
}

// mask takes away the candidates before the first position wanted.
func (c *Cursor) mask() {
	n := c.from - c.base
	for i := range c.acc {
		c.acc[i] &= ^uint64(0) << min(64, n)
		n -= min(64, n)
	}
}

// enter reads the summaries of the 4096 entries at hand. It reports false when
// none of these can beat best.
func (c *Cursor) enter(best uint32) bool {
	first := c.super * 4096
	end := min(first+4096, c.head.n)
	live := ^uint64(0)
	if tag(c.b, c.head.tags, end-1) >= best {
		end = position(c.b, c.head.tags, first, end, best)
		if end == first {
			return false
		}
		live >>= 63 - (end-1)/64%64
	}
	if c.from > first {
		live &= ^uint64(0) << (c.from / 64 % 64)
	}
	for _, r := range c.rows[:c.dims] {
		live &= c.b[r+c.super]
	}
	c.live = live
	c.Work.Words += int64(c.dims)
	return true
}
