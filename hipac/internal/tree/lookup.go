package tree

// Lookup: walking a tree. The walk keeps the best tag found so far and a
// stack of spans not yet visited; a span or a row whose tag cannot beat the
// best is not looked at. Nothing here allocates or writes shared memory.
//
// Rows of a leaf carry a tag, rank<<1 | inexact, so that tags order as ranks
// do and tell with the same load whether the rule's program must be asked.
//
// Three walks do the same: FirstPlain for trees over the IPv4 5-tuple, whose
// columns are known words of the key, firstAny for all others, and FirstFrom,
// which begins at a given rank, for both.

import "unsafe"

// maxPending bounds the spans that wait at one time: each hangs off a node of
// the current path. It is a power of two, so that the stack is indexed by mask.
const maxPending = 16

// First returns the lowest rank that matches the key, or NoMatch. The key
// must have the layout that the tree was built for.
func (t *Tree) First(root Ref, key []uint32) uint32 {
	if t.plain && len(key) >= PlainKey {
		return t.FirstPlain(root, (*[PlainKey]uint32)(key))
	}
	return t.firstAny(root, key)
}

// FirstPlain is First for plain trees. It reads slots and rows without checking
// bounds, which takes a twentieth off its time: references are those that a
// Builder made, and the words that a plain tree cuts are 1 to 5.
func (t *Tree) FirstPlain(root Ref, key *[PlainKey]uint32) uint32 {
	var pending [maxPending]uint32
	n := uint(0)
	best := NoMatch
	slots, ref := unsafe.Pointer(unsafe.SliceData(t.slots)), root
	rows := unsafe.Pointer(unsafe.SliceData(t.rows))
walk:
	for {
		for ref.isTable() {
			off := ref.offset()
			if ref.hasSpan() {
				pending[n%maxPending] = off
				n++
			}
			x := *(*uint32)(unsafe.Add(unsafe.Pointer(key), uintptr(ref>>wordAt&7)*4))
			x = x >> ref.shift() & (1<<ref.bits() - 1)
			ref = *(*Ref)(unsafe.Add(slots, uintptr(off+x)*8))
		}
		off := ref.offset()
		if ref&(intervalBit|plainBucket) != 0 {
			if ref.isInterval() {
				l := &t.lines[off]
				ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
				continue
			}
			best = t.bucket(ref, key[:], best, 0)
			ref, off = 0, 0 // no rows
		}
		at := uintptr(off) * rowBytes
		for end := at + uintptr(ref.rows())*rowBytes; at != end; at += rowBytes {
			r := (*row)(unsafe.Add(rows, at))
			tag := r[0]
			if tag >= best {
				break
			}
			if key[1]-r[4] <= r[5] && key[2]-r[6] <= r[7] {
				if beyond := narrow(key[3], r[1]) | narrow(key[4], r[2]) | narrow(key[5], r[3]); int32(beyond) >= 0 && (tag&1|key[0] == 0 || t.holds(tag, key[:])) {
					best = tag
					break
				}
			}
		}
		for n > 0 {
			n--
			off := pending[n%maxPending]
			if *(*uint32)(unsafe.Add(slots, uintptr(off-2)*8)) < best {
				ref = *(*Ref)(unsafe.Add(slots, uintptr(off-1)*8))
				continue walk
			}
		}
		return rankOf(best)
	}
}

// Plain reports whether FirstPlain is for the tree.
func (t *Tree) Plain() bool { return t.plain }

// firstAny is First for all other trees. It too reads without checking bounds:
// a tree cuts and compares words of keys of its layout only, which the key has.
func (t *Tree) firstAny(root Ref, key []uint32) uint32 {
	var pending [maxPending]uint32
	n := uint(0)
	best := NoMatch
	slots, ref := unsafe.Pointer(unsafe.SliceData(t.slots)), root
	rows, words := unsafe.Pointer(unsafe.SliceData(t.rows)), unsafe.Pointer(unsafe.SliceData(key))
walk:
	for {
		for ref.isTable() {
			off := ref.offset()
			if ref.hasSpan() {
				pending[n%maxPending] = off
				n++
			}
			ref = *(*Ref)(unsafe.Add(slots, uintptr(off+wordAtIndex(words, ref.word())>>ref.shift()&(1<<ref.bits()-1))*8))
		}
		off := ref.offset()
		if ref.isInterval() {
			l := &t.lines[off]
			ref = Ref(t.slots[l[intervalBounds]+l.find(wordAtIndex(words, ref.word()))])
			continue
		}
		switch ref.form() {
		case formShort:
			if ref.isEmpty() {
				break
			}
			w := &t.classes[ref.class()].words
			a, b := wordAtIndex(words, uint32(w[4])), wordAtIndex(words, uint32(w[6]))
			c, d, e := wordAtIndex(words, uint32(w[1])), wordAtIndex(words, uint32(w[2])), wordAtIndex(words, uint32(w[3]))
			at := uintptr(off) * rowBytes
			for end := at + uintptr(ref.rows())*rowBytes; at != end; at += rowBytes {
				r := (*row)(unsafe.Add(rows, at))
				tag := r[0]
				if tag >= best {
					break
				}
				if a-r[4] <= r[5] && b-r[6] <= r[7] {
					if beyond := narrow(c, r[1]) | narrow(d, r[2]) | narrow(e, r[3]); int32(beyond) >= 0 && (tag&1|key[0] == 0 || t.holds(tag, key)) {
						best = tag
						break
					}
				}
			}
		case formLong:
			best = t.firstLong(ref, key, best)
		case formSparse:
			best = t.sparseLeaf(ref, key, best, 0)
		default:
			best = t.bucket(ref, key, best, 0)
		}
		for n > 0 {
			n--
			off := pending[n%maxPending]
			if *(*uint32)(unsafe.Add(slots, uintptr(off-2)*8)) < best {
				ref = *(*Ref)(unsafe.Add(slots, uintptr(off-1)*8))
				continue walk
			}
		}
		return rankOf(best)
	}
}

// rowBytes is the size of a block.
const rowBytes = 4 * blockWords

// wordAtIndex returns word i of a key.
func wordAtIndex(words unsafe.Pointer, i uint32) uint32 {
	return *(*uint32)(unsafe.Add(words, uintptr(i)*4))
}

// firstLong is longLeaf from the first row on.
func (t *Tree) firstLong(ref Ref, key []uint32, best uint32) uint32 {
	class := &t.classes[ref.class()]
	words := unsafe.Pointer(unsafe.SliceData(key))
	a, b := wordAtIndex(words, uint32(class.words[4])), wordAtIndex(words, uint32(class.words[6]))
	c, d, e := wordAtIndex(words, uint32(class.words[1])), wordAtIndex(words, uint32(class.words[2])), wordAtIndex(words, uint32(class.words[3]))
	rows := unsafe.Pointer(unsafe.SliceData(t.rows))
	step := uintptr(class.blocks) * rowBytes
	at := uintptr(ref.offset()) * rowBytes
next:
	for end := at + uintptr(ref.rows())*step; at != end; at += step {
		this := (*row)(unsafe.Add(rows, at))
		tag := this[0]
		if tag >= best {
			break
		}
		if a-this[4] > this[5] || b-this[6] > this[7] || int32(narrow(c, this[1])|narrow(d, this[2])|narrow(e, this[3])) < 0 {
			continue
		}
		for j := uintptr(blockWords); j < uintptr(class.blocks)*blockWords; j += blockWords {
			q := (*row)(unsafe.Add(unsafe.Pointer(this), j*4))
			w := (*[blockWords]uint8)(class.words[j:])
			if wordAtIndex(words, uint32(w[0]))-q[0] > q[1] || wordAtIndex(words, uint32(w[2]))-q[2] > q[3] ||
				wordAtIndex(words, uint32(w[4]))-q[4] > q[5] || wordAtIndex(words, uint32(w[6]))-q[6] > q[7] {
				continue next
			}
		}
		if tag&1|key[0] == 0 || t.holds(tag, key) {
			return tag
		}
	}
	return best
}

// rankOf returns the rank of a tag.
func rankOf(tag uint32) uint32 {
	if tag == NoMatch {
		return NoMatch
	}
	return tag >> 1
}

// FirstFrom returns the lowest rank >= from that matches the key, or NoMatch.
func (t *Tree) FirstFrom(root Ref, key []uint32, from uint32) uint32 {
	best := NoMatch
	var pending [maxPending]uint32
	n := 0
	ref := root
	for {
		for !ref.isLeaf() {
			off := ref.offset()
			if !ref.isTable() {
				l := &t.lines[off]
				ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
				continue
			}
			if ref.hasSpan() {
				if from > 0 && ref.bits() == 0 && t.asker == nil && uint32(t.slots[off-2])>>1 <= from && Ref(t.slots[off]).isLeaf() {
					ref = Ref(t.slots[off-1]) // a chain, whose first leaf is all below from
					continue
				}
				pending[n%maxPending] = off
				n++
			}
			ref = Ref(t.slots[off+key[ref.word()]>>ref.shift()&(1<<ref.bits()-1)])
		}
		if !ref.isEmpty() {
			best = t.leaf(ref, key, best, from)
		}
		for {
			if n == 0 {
				return rankOf(best)
			}
			n--
			off := pending[n%maxPending]
			if uint32(t.slots[off-2]) < best {
				ref = Ref(t.slots[off-1])
				break
			}
		}
	}
}

// find returns the number of the interval that holds x: that of the bounds
// below it, counted without a branch.
func (l *line) find(x uint32) uint32 {
	y := uint64(x)
	return uint32((uint64(l[0])-y)>>63 + (uint64(l[1])-y)>>63 + (uint64(l[2])-y)>>63 +
		(uint64(l[3])-y)>>63 + (uint64(l[4])-y)>>63 + (uint64(l[5])-y)>>63 +
		(uint64(l[6])-y)>>63 + (uint64(l[7])-y)>>63 + (uint64(l[8])-y)>>63 +
		(uint64(l[9])-y)>>63 + (uint64(l[10])-y)>>63 + (uint64(l[11])-y)>>63 +
		(uint64(l[12])-y)>>63 + (uint64(l[13])-y)>>63 + (uint64(l[14])-y)>>63)
}

// leaf returns the tag of the first row that matches the key, if it is below
// best, else best.
func (t *Tree) leaf(ref Ref, key []uint32, best, from uint32) uint32 {
	switch ref.form() {
	case formLong:
		return t.longLeaf(ref, key, best, from)
	case formSparse:
		return t.sparseLeaf(ref, key, best, from)
	case formBucket:
		return t.bucket(ref, key, best, from)
	}
	w := &t.classes[ref.class()].words
	off := ref.offset()
	a, b := key[w[4]], key[w[6]]
	c, d, e := key[w[1]], key[w[2]], key[w[3]]
	rows := above(t.rows[off:off+ref.rows()], 1, from)
	for i := range rows {
		r := &rows[i]
		if r[0] >= best {
			return best
		}
		if a-r[4] <= r[5] && b-r[6] <= r[7] && int32(narrow(c, r[1])|narrow(d, r[2])|narrow(e, r[3])) >= 0 && t.accept(r[0], key, from) {
			return r[0]
		}
	}
	return best
}

// longLeaf is leaf for long rows.
func (t *Tree) longLeaf(ref Ref, key []uint32, best, from uint32) uint32 {
	class := &t.classes[ref.class()]
	w := &class.words
	off, blocks := ref.offset(), uint32(class.blocks)
	a, b := key[w[4]], key[w[6]]
	c, d, e := key[w[1]], key[w[2]], key[w[3]]
	rows := above(t.rows[off:off+blocks*ref.rows()], blocks, from)
next:
	for ; len(rows) >= int(blocks); rows = rows[blocks:] {
		r := &rows[0]
		if r[0] >= best {
			return best
		}
		if a-r[4] > r[5] || b-r[6] > r[7] || int32(narrow(c, r[1])|narrow(d, r[2])|narrow(e, r[3])) < 0 {
			continue
		}
		for i := uint32(1); i < blocks; i++ {
			q := &rows[i]
			w := w[blockWords*i:]
			if key[w[0]]-q[0] > q[1] || key[w[2]]-q[2] > q[3] || key[w[4]]-q[4] > q[5] || key[w[6]]-q[6] > q[7] {
				continue next
			}
		}
		if t.accept(r[0], key, from) {
			return r[0]
		}
	}
	return best
}

// above returns the rows, of some blocks each, whose ranks are from or more.
// Rows are in order.
func above(rows []row, blocks, from uint32) []row {
	if from == 0 {
		return rows
	}
	lo, hi := uint32(0), uint32(len(rows))/blocks
	for lo < hi {
		if mid := (lo + hi) / 2; rows[mid*blocks][0]>>1 < from {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return rows[lo*blocks:]
}

// sparseLeaf is leaf for sparse rows.
func (t *Tree) sparseLeaf(ref Ref, key []uint32, best, from uint32) uint32 {
	data := t.flat()[int(ref.offset())*blockWords:]
next:
	for range ref.rows() {
		tag, columns := data[0], data[1]
		row := data[2 : 2+3*columns]
		data = data[2+3*columns:]
		if tag >= best {
			return best
		}
		for ; len(row) >= 3; row = row[3:] {
			if key[row[0]]-row[1] > row[2] {
				continue next
			}
		}
		if t.accept(tag, key, from) {
			return tag
		}
	}
	return best
}

// flat returns the words of the rows.
func (t *Tree) flat() []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(t.rows))), blockWords*len(t.rows))
}

// accept reports whether a row whose box holds the key is an answer.
func (t *Tree) accept(tag uint32, key []uint32, from uint32) bool {
	return tag>>1 >= from && (tag&1|key[0] == 0 || t.holds(tag, key))
}

// narrow returns a number that is negative when x does not lie in a narrow
// column. It counts in 16 bits: the word of an unused column may have more.
func narrow(x, column uint32) uint32 { return column>>16 - (x-column)&0xffff }

// holds reports whether a rule whose box holds the key matches it: the fields
// it needs are there, and its program agrees.
func (t *Tree) holds(tag uint32, key []uint32) bool {
	if t.asker != nil {
		return t.asker.Holds(tag>>1, tag&1 != 0, unseen(key))
	}
	if absent := key[0]; absent != 0 && absent&t.need(tag>>1) != 0 {
		return false
	}
	return tag&1 == 0 || t.program.Holds(tag>>1, key)
}

// unseen returns the key such that the compiler does not see where it goes. An
// Asker keeps none, but through an interface that cannot be seen, and every key
// that is looked up would have to be on the heap.
//
//go:nocheckptr
func unseen(key []uint32) []uint32 {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(key)))
	return unsafe.Slice((*uint32)(unsafe.Add(nil, at)), len(key))
}

// All appends the ranks of all rules that match the key to dst, in no order;
// each appears once. The tree must have been built with Config.KeepHidden.
func (t *Tree) All(root Ref, key []uint32, dst []uint32) []uint32 {
	var pending [maxPending]uint32
	n := 0
	ref := root
	for {
		for !ref.isLeaf() {
			off := ref.offset()
			if !ref.isTable() {
				l := &t.lines[off]
				ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
				continue
			}
			if ref.hasSpan() {
				pending[n%maxPending] = off
				n++
			}
			ref = Ref(t.slots[off+key[ref.word()]>>ref.shift()&(1<<ref.bits()-1)])
		}
		if !ref.isEmpty() {
			dst = t.leafAll(ref, key, dst)
		}
		if n == 0 {
			return dst
		}
		n--
		ref = Ref(t.slots[pending[n%maxPending]-1])
	}
}

// leafAll appends the ranks of all rows that match the key.
func (t *Tree) leafAll(ref Ref, key []uint32, dst []uint32) []uint32 {
	if ref.form() == formBucket {
		return t.bucketAll(ref, key, dst)
	}
	for from := uint32(0); ; {
		tag := t.leaf(ref, key, NoMatch, from)
		if tag == NoMatch {
			return dst
		}
		dst = append(dst, tag>>1)
		from = tag>>1 + 1
	}
}
