package baselines

// Hash tables under a mask, what tuple space search and TupleMerge are made of. A
// table has a mask for every key word; the boxes in it give all the bits of the
// mask, so that the masked key of a packet finds, in one probe, the only boxes of
// the table that may match it:
//
//	key & mask -> hash -> slot {upper half of the hash, first box} -> next box -> ...
//
// The boxes of a slot are in order, and each is compared in full: the mask may be
// shorter than the box (a port range is hashed by the prefix around it). Slots are
// an open-addressed array of 8 bytes each, at most a quarter full: most probes of a
// lookup find nothing, and the processor does well to foresee that. The hash multiplies
// each masked word with an odd number of its own and sums up, of which the upper
// half is universal (Dietzfelbinger: Universal hashing and k-wise independent
// random variables via integer arithmetic without primes, STACS 1996); the
// products do not wait for one another.

import (
	"cmp"
	"math/bits"
	"slices"
)

// term is one word of a mask.
type term struct{ word, mask uint32 }

// factors are the odd numbers of the key words.
var factors = func() (f [256]uint64) {
	for i := range f {
		f[i] = factor(i)
	}
	return f
}()

type slot struct{ tag, head uint32 } // head is a box + 1, 0 for a free slot

type maskTable struct {
	best  uint32 // the smallest box in the table
	terms []term
	slots []slot  // a power of two
	few   [6]term // where most tables have their terms
	keys  int     // slots in use
	order lowest
	mask  []uint32 // by word
}

// chainEnd is what is known of the boxes of a slot, for updates.
type chainEnd struct{ last, boxes uint32 }

// maskTables is a set of tables, with the boxes that are in them.
type maskTables struct {
	edits
	next  []uint32     // by box: the next one of its slot + 1
	ends  []chainEnd   // by box, for the first of a slot
	owner []*maskTable // by box; nil for one that is out
	order []*maskTable // by best
	size  int64        // bytes of the tables

	mask, value []uint32 // of the box in hand, by word
}

func newMaskTables(bx *boxes) maskTables {
	return maskTables{edits: newEdits(bx), next: make([]uint32, bx.len()), ends: make([]chainEnd, bx.len()), owner: make([]*maskTable, bx.len()),
		mask: make([]uint32, bx.words), value: make([]uint32, bx.words)}
}

// Bytes returns the memory of tables and boxes.
func (ts *maskTables) Bytes() int64 {
	return ts.bx.bytes() + ts.edits.bytes() + 20*int64(len(ts.next)) + ts.size
}

// Close does nothing.
func (ts *maskTables) Close() {}

// tuple stores in mask and value what bits box b gives: of an interval, those
// of the smallest prefix around it. Whether fields are present is no part of it.
func (bx *boxes) tuple(b uint32, mask, value []uint32) {
	clear(mask)
	clear(value)
	for _, t := range bx.tests[bx.start[b]:bx.start[b+1]] {
		if t.word == 0 {
			continue
		}
		m := t.mask
		if t.interval() {
			m <<= bits.Len32(t.lo ^ (t.lo + t.size))
		}
		m &= bx.full[t.word]
		mask[t.word] |= m
		value[t.word] |= t.lo & m
	}
}

// newTable adds a table.
func (ts *maskTables) newTable(mask []uint32) *maskTable {
	t := &maskTable{best: none, mask: slices.Clone(mask), slots: make([]slot, 4)}
	t.terms = t.few[:0]
	for w, m := range mask {
		if m != 0 {
			t.terms = append(t.terms, term{uint32(w), m})
		}
	}
	ts.order = append(ts.order, t)
	ts.size += t.bytes()
	return t
}

// factor returns the odd number of a key word: the outputs of splitmix64.
func factor(word int) uint64 {
	x := uint64(word+1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31 | 1
}

func (t *maskTable) bytes() int64 {
	return 160 + 8*int64(len(t.slots)) + 8*int64(len(t.terms)) + 4*int64(len(t.mask)+cap(t.order.heap))
}

// hash returns the upper half of the hash of a key, or of the values of a box.
func (t *maskTable) hash(k []uint32) uint32 {
	h := uint64(0x9e3779b97f4a7c15)
	for i := range t.terms {
		e := &t.terms[i]
		h += uint64(k[e.word]&e.mask) * factors[uint8(e.word)]
	}
	return uint32(h >> 32)
}

// takes reports whether the table's mask is within another.
func (t *maskTable) takes(mask []uint32) bool {
	for i := range t.terms {
		e := &t.terms[i]
		if mask[e.word]&e.mask != e.mask {
			return false
		}
	}
	return true
}

// agree reports whether box b has the values in hand under the table's mask: a
// slot is for one masked key, whatever the hash says.
func (ts *maskTables) agree(t *maskTable, b uint32) bool {
	var mask, value [maxWords]uint32
	ts.bx.tuple(b, mask[:ts.bx.words], value[:ts.bx.words])
	for i := range t.terms {
		e := &t.terms[i]
		if (value[e.word]^ts.value[e.word])&e.mask != 0 {
			return false
		}
	}
	return true
}

// put adds the box in hand, b, whose mask the table takes. It returns its slot.
func (ts *maskTables) put(t *maskTable, b uint32) int {
	ts.size -= t.bytes()
	if 4*(t.keys+1) > len(t.slots) {
		t.grow()
	}
	tag := t.hash(ts.value)
	last := uint32(len(t.slots) - 1)
	i := tag & last
	for t.slots[i].head != 0 && (t.slots[i].tag != tag || !ts.agree(t, t.slots[i].head-1)) {
		i = (i + 1) & last
	}
	s := &t.slots[i]
	if s.head == 0 {
		t.keys++
	}
	s.tag = tag
	link, end := &s.head, chainEnd{}
	if s.head != 0 {
		if end = ts.ends[s.head-1]; end.last < b {
			link = &ts.next[end.last]
		}
	}
	for *link != 0 && *link-1 < b {
		link = &ts.next[*link-1]
	}
	ts.next[b], *link = *link, b+1
	if ts.next[b] == 0 {
		end.last = b
	}
	end.boxes++
	ts.ends[s.head-1] = end
	ts.owner[b] = t
	t.order.add(b)
	ts.size += t.bytes()
	if b < t.best {
		t.best = b
		reorder(ts.order, t)
	}
	return int(i)
}

func (t *maskTable) top() uint32 { return t.best }

func (t *maskTable) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	last := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.head != 0 {
			i := s.tag & last
			for t.slots[i].head != 0 {
				i = (i + 1) & last
			}
			t.slots[i] = s
		}
	}
}

// take takes box b out of its table, which it returns.
func (ts *maskTables) take(b uint32) *maskTable {
	t := ts.owner[b]
	ts.size -= t.bytes()
	ts.bx.tuple(b, ts.mask, ts.value)
	tag := t.hash(ts.value)
	last := uint32(len(t.slots) - 1)
	i := tag & last
	for t.slots[i].tag != tag || t.slots[i].head == 0 || !ts.agree(t, t.slots[i].head-1) {
		i = (i + 1) & last
	}
	end := ts.ends[t.slots[i].head-1]
	link, before := &t.slots[i].head, b
	for *link != b+1 {
		before = *link - 1
		link = &ts.next[before]
	}
	*link = ts.next[b]
	if end.boxes--; end.last == b {
		end.last = before
	}
	if head := t.slots[i].head; head != 0 {
		ts.ends[head-1] = end
	}
	if t.slots[i].head == 0 { // those behind it that belong before it move up
		t.keys--
		for j := (i + 1) & last; t.slots[j].head != 0; j = (j + 1) & last {
			if home := t.slots[j].tag & last; (j-home)&last >= (j-i)&last {
				t.slots[i], t.slots[j] = t.slots[j], slot{}
				i = j
			}
		}
	}
	ts.owner[b] = nil
	best := t.order.drop(func(b uint32) bool { return ts.owner[b] == t })
	ts.size += t.bytes()
	if best != t.best {
		t.best = best
		reorder(ts.order, t)
	}
	return t
}

// discard removes a table that has become empty: it is the last in the order.
func (ts *maskTables) discard(t *maskTable) {
	ts.size -= t.bytes()
	i := slices.Index(ts.order, t)
	ts.order = slices.Delete(ts.order, i, i+1)
}

// First looks keys up in the tables, best table first, until no table has a
// better box than the one found.
func (ts *maskTables) First(keys []uint32, out []int32) {
	n := ts.bx.words
	for i := range out {
		out[i] = -1
		if b := ts.first(keys[i*n : i*n+n]); b != none {
			out[i] = ts.bx.rule[b]
		}
	}
}

func (ts *maskTables) first(k []uint32) uint32 {
	best := none
	for _, t := range ts.order {
		if t.best >= best {
			break
		}
		tag := t.hash(k)
		last := uint32(len(t.slots) - 1)
		for i := tag & last; ; i = (i + 1) & last {
			s := t.slots[i]
			if s.head == 0 {
				break
			}
			if s.tag != tag {
				continue
			}
			for b := s.head - 1; b < best; b = ts.next[b] - 1 {
				if ts.bx.holds(b, k) {
					best = b
					break
				}
			}
		}
	}
	return best
}

// boxes returns the boxes of a slot.
func (ts *maskTables) boxes(t *maskTable, slot int) (list []uint32) {
	for b := t.slots[slot].head; b != 0; b = ts.next[b-1] {
		list = append(list, b-1)
	}
	return list
}

// all returns the boxes of a table, in order.
func (ts *maskTables) all(t *maskTable) (list []uint32) {
	for i := range t.slots {
		list = append(list, ts.boxes(t, i)...)
	}
	slices.SortFunc(list, cmp.Compare[uint32])
	return list
}
