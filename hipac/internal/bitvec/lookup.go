package bitvec

// Lookup: a cursor over the entries of a bucket that hold a key. Nothing here
// allocates, and nothing but the cursor is written.

import "math/bits"

// Cursor goes through the entries of a bucket whose boxes hold a key, in
// order. It is meant to live on the stack of a lookup: Open it, then call Next
// until it says no or the caller is content. It holds the arena and the key's
// words; the arena must not change meanwhile.
type Cursor struct {
	Work Work // done since Open

	b    []uint64 // the arena from the bucket's start
	head header
	from uint32 // the first position wanted

	super uint32        // number of the 4096 entries at hand
	live  uint64        // of these, the words that are still to be read
	acc   [group]uint64 // candidates among the words read last
	base  uint32        // position of acc[0]
	next  uint32        // words of acc before this one are done

	queue   [lookahead]uint32 // positions of candidates to be compared
	queued  uint32            // the first in queue that is not done
	filled  uint32            // the end of queue
	ahead   uint32            // how many to queue next time
	touched uint64            // keeps the compiler from leaving loads out

	dims  uint32          // rows in use, at least 2
	tests uint32          // test in use
	rows  [MaxDims]uint32 // offsets of the summaries of the key's blocks, the four sparsest first
	test  [MaxDims]uint64 // value<<32 | column, where the key's block is loose
}

// Open sets the cursor to the first entry at position from or later in the
// bucket at off. The key must have a word for every dimension of the bucket,
// each within its reach. It reads three lines of index per dimension.
func (c *Cursor) Open(arena []uint64, off uint32, key []uint32, from uint32) {
	b := arena[off:]
	c.Work = Work{}
	c.b, c.head, c.from = b, readHeader(b), from
	stride := c.head.words + c.head.summary
	dims, tests := uint32(0), uint32(0)
	least := [unasked]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)} // entries of the first rows
	full := uint32(0)                                                        // a row of ones
	for d := range c.head.dims {
		dim := readDimension(b, d)
		x := key[dim.word]
		var i, count uint32
		if dim.within&chunkBit == 0 {
			var desc uint32
			i, desc = search(b[dim.index:], dim.count, x)
			if desc&looseBit != 0 {
				c.test[tests] = uint64(x)<<32 | uint64(dim.column)
				tests++
			}
			count = desc &^ looseBit
		} else {
			i = x >> (dim.within & 31) & (dim.count - 1)
			count = uint32(b[dim.index+i])
		}
		row := dim.bitmaps + i*stride
		if count == c.head.n {
			full = row
			continue
		}
		c.rows[dims] = row
		if at := min(dims, unasked-1); count < least[at] {
			c.rows[dims] = c.rows[at]
			for ; at > 0 && count < least[at-1]; at-- {
				c.rows[at], least[at] = c.rows[at-1], least[at-1]
			}
			c.rows[at], least[at] = row, count
		}
		dims++
	}
	for ; dims < 2; dims++ {
		if c.rows[dims] = full; dims == 1 {
			c.rows[1] = c.rows[0]
		}
	}
	c.dims, c.tests = dims, tests
	c.super = from/4096 - 1
	if least[0] == 0 {
		c.super = c.head.summary
	}
	c.live = 0
	c.next = group
	c.queued, c.filled, c.ahead = 0, 0, 1
}

// search returns the number of the last block that starts at or before x and
// its descriptor. The index makes it three cache lines, each known after the one
// before, where a binary search reads six and more; and no comparison is a
// branch, of which half would be mispredicted.
func search(index []uint64, count, x uint32) (i, descriptor uint32) {
	y := uint64(x)<<32 | 0xfffffffe // between the descriptors that start with x and padding
	if count > 64 {
		i = below(index, y)
		index = index[8:]
	}
	if count > 8 {
		mid := index
		index = index[(count+63)/64*8:]
		i = i*8 + below(mid[i*8:], y)
	}
	i = i*8 + below(index[i*8:], y)
	return i, uint32(index[i])
}

// below returns how many of the words 1 to 7 are at most y.
func below(b []uint64, y uint64) uint32 {
	w := (*[8]uint64)(b)
	_, c1 := bits.Sub64(y, w[1], 0)
	_, c2 := bits.Sub64(y, w[2], 0)
	_, c3 := bits.Sub64(y, w[3], 0)
	_, c4 := bits.Sub64(y, w[4], 0)
	_, c5 := bits.Sub64(y, w[5], 0)
	_, c6 := bits.Sub64(y, w[6], 0)
	_, c7 := bits.Sub64(y, w[7], 0)
	return 7 - uint32(c1+c2+c3+c4+c5+c6+c7)
}

// Next returns the tag and position of the next entry that holds the key,
// if its tag is below best; else ok is false, and Next is not to be called
// again. best must not grow from call to call. A whole walk does at most the
// work that Bound says; in 5 words of 100k entries that no tree separates, the
// first match of random keys takes 0.3 to 4 us, and 14 us when there is none,
// every word of every bitmap is read from memory and 190 candidates fail.
func (c *Cursor) Next(best uint32) (t, pos uint32, ok bool) {
	for {
		for c.queued < c.filled {
			pos := c.queue[c.queued]
			c.queued++
			if !c.holds(pos) {
				c.Work.Failed++
				continue
			}
			t := tag(c.b, c.head.tags, pos)
			return t, pos, t < best
		}
		if !c.fill(best) {
			return NoTag, c.head.n, false
		}
		if c.filled > 1 && c.tests > 0 {
			c.touch()
		}
	}
}

// touch loads the rows of the candidates, one right after the other.
func (c *Cursor) touch() {
	s := uint64(0)
	for _, pos := range c.queue[:c.filled] {
		at := c.head.rows + pos*c.head.columns
		s |= c.b[at] | c.b[at+c.head.columns-1]
	}
	c.touched = s
}

// fill queues candidates: one at first, and twice as many each time that all
// have failed, so that their rows, which may have to come from memory, come
// together. It looks ahead no further than the lookup has come.
func (c *Cursor) fill(best uint32) bool {
	c.queued, c.filled = 0, 0
	for {
		for c.next < group {
			m := c.acc[c.next]
			if m == 0 {
				c.next++
				continue
			}
			c.acc[c.next] = m & (m - 1)
			c.queue[c.filled%lookahead] = c.base + c.next*64 + uint32(bits.TrailingZeros64(m))
			c.filled++
			if c.filled == c.ahead {
				c.ahead = min(2*c.ahead, lookahead)
				return true
			}
		}
		if c.filled > 0 && c.base/2 > c.queue[0] {
			return true
		}
		if !c.load(best) {
			return c.filled > 0
		}
	}
}

// holds compares a candidate with its row, without a branch on what it holds:
// failures are the rule, and the rows of several candidates can be under way
// at a time.
func (c *Cursor) holds(pos uint32) bool {
	at := c.head.rows + pos*c.head.columns
	row := c.b[at : at+c.head.columns]
	bad := uint64(0)
	for _, t := range c.test[:c.tests] {
		r := row[uint32(t)]
		bad |= r>>32 - uint64(uint32(t>>32)-uint32(r)) // negative when the value is outside
	}
	return bad>>63 == 0
}

// window is the words of a bitmap that belong to one word of the summary.
type window = [64]uint64

// load finds the next words that have candidates. Four rows are combined
// without asking whether there is anything left, which costs less than the
// branches that one would mispredict; the others while there is.
func (c *Cursor) load(best uint32) bool {
	for {
		for c.live == 0 {
			c.super++
			if c.super >= c.head.summary || !c.enter(best) {
				return false
			}
		}
		live := c.live
		skip := c.head.summary + c.super*64
		p := (*window)(c.b[c.rows[0]+skip:])
		q := (*window)(c.b[c.rows[1]+skip:])
		r, s := q, q
		if c.dims > 2 {
			r = (*window)(c.b[c.rows[2]+skip:])
		}
		if c.dims > 3 {
			s = (*window)(c.b[c.rows[3]+skip:])
		}
		read, more := 0, 0 // groups read, and words of them beyond the first four
		for live != 0 {
			g := uint32(bits.TrailingZeros64(live)) & (64 - group)
			live &^= (1<<group - 1) << g
			a0 := p[g] & q[g] & r[g] & s[g]
			a1 := p[g+1] & q[g+1] & r[g+1] & s[g+1]
			a2 := p[g+2] & q[g+2] & r[g+2] & s[g+2]
			a3 := p[g+3] & q[g+3] & r[g+3] & s[g+3]
			a4 := p[g+4] & q[g+4] & r[g+4] & s[g+4]
			a5 := p[g+5] & q[g+5] & r[g+5] & s[g+5]
			a6 := p[g+6] & q[g+6] & r[g+6] & s[g+6]
			a7 := p[g+7] & q[g+7] & r[g+7] & s[g+7]
			read++
			if c.dims > unasked {
				for _, r := range c.rows[unasked:c.dims] {
					if a0|a1|a2|a3|a4|a5|a6|a7 == 0 {
						break
					}
					more++
					x := (*[group]uint64)(c.b[r+skip+g:])
					a0 &= x[0]
					a1 &= x[1]
					a2 &= x[2]
					a3 &= x[3]
					a4 &= x[4]
					a5 &= x[5]
					a6 &= x[6]
					a7 &= x[7]
				}
			}
			if a0|a1|a2|a3|a4|a5|a6|a7 == 0 {
				continue
			}
			c.acc = [group]uint64{a0, a1, a2, a3, a4, a5, a6, a7}
			c.base, c.next = (c.super*64+g)*64, 0
			if c.base < c.from {
				c.mask()
			}
			c.live = live
			c.count(read, more)
			return true
		}
		c.live = 0
		c.count(read, more)
	}
}

// count adds groups of words to the work.
func (c *Cursor) count(read, more int) {
	c.Work.Words += group * (int64(read)*int64(min(c.dims, unasked)) + int64(more))
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
