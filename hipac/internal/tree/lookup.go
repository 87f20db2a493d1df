package tree

// Lookup: walking a tree. The walk keeps the best tag found so far and a
// stack of spans not yet visited; a span or a row whose tag cannot beat the
// best is not looked at. Nothing here allocates or writes shared memory.
//
// Rows of a leaf carry a tag, rank<<1 | inexact, so that tags order as ranks
// do and tell with the same load whether the rule's program must be asked.

// maxPending bounds the spans that wait at one time: each hangs off a node
// of the current path.
const maxPending = maxDepth + 2

// First returns the lowest rank that matches the key, or NoMatch. The key
// must have the layout that the tree was built for.
func (t *Tree) First(root Ref, key []uint32) uint32 {
	return t.FirstFrom(root, key, 0)
}

// FirstFrom returns the lowest rank >= from that matches the key, or NoMatch.
func (t *Tree) FirstFrom(root Ref, key []uint32, from uint32) uint32 {
	best := NoMatch
	var pending [maxPending]uint32
	n := 0
	ref := root
	for {
		for {
			switch ref.kind() {
			case kindTable:
				off := ref.offset()
				if ref.hasSpan() {
					if from > 0 && ref.bits() == 0 && uint32(t.slots[off-2])>>1 <= from && Ref(t.slots[off]).kind() == kindLeaf {
						ref = Ref(t.slots[off-1]) // a chain, whose first leaf is all below from
						continue
					}
					pending[n] = off
					n++
				}
				x := key[ref.word()] >> ref.shift() & (1<<ref.bits() - 1)
				ref = Ref(t.slots[off+x])
				continue
			case kindInterval:
				l := &t.lines[ref.offset()]
				ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
				continue
			}
			break
		}
		if !ref.isEmpty() {
			best = t.leaf(ref, key, best, from)
		}
		for {
			if n == 0 {
				if best == NoMatch {
					return NoMatch
				}
				return best >> 1
			}
			n--
			off := pending[n]
			if uint32(t.slots[off-2]) < best {
				ref = Ref(t.slots[off-1])
				break
			}
		}
	}
}

// find returns the number of the interval that holds x.
func (l *line) find(x uint32) uint32 {
	var c uint64
	for i := range intervalBounds {
		c += (uint64(l[i]) - uint64(x)) >> 63 // 1 when l[i] < x, without a branch
	}
	return uint32(c)
}

// leaf returns the tag of the first row that matches the key, if it is below
// best, else best.
func (t *Tree) leaf(ref Ref, key []uint32, best, from uint32) uint32 {
	if ref.isQuick() {
		return t.quickLeaf(ref, key, best, from)
	}
	if ref.isSparse() {
		return t.sparseLeaf(ref, key, best, from)
	}
	rows, wide, narrow := ref.rows(), ref.wide(), ref.narrow()
	columns := wide + narrow
	header := (columns + 3) / 4
	stride := 1 + 2*wide + narrow
	off := ref.offset()
	cols := t.leaves[off : off+header]
	data := above(t.leaves[off+header:off+header+rows*stride], stride, from)
next:
	for len(data) >= int(stride) {
		row := data[:stride]
		data = data[stride:]
		tag := row[0]
		if tag >= best {
			return best
		}
		q := uint32(1)
		c := uint32(0)
		for ; c < wide; c++ {
			if key[cols[c>>2]>>(c&3*8)&0xff]-row[q] > row[q+1] {
				continue next
			}
			q += 2
		}
		for ; c < columns; c++ {
			if x := key[cols[c>>2]>>(c&3*8)&0xff]; x-row[q]&0xffff > row[q]>>16 {
				continue next
			}
			q++
		}
		if t.accept(tag, key, from) {
			return tag
		}
	}
	return best
}

// quickLeaf is leaf for quick leaves.
func (t *Tree) quickLeaf(ref Ref, key []uint32, best, from uint32) uint32 {
	off := ref.offset()
	cols := t.leaves[off]
	a, b := key[cols&0xff], key[cols>>8&0xff]
	c, d := key[cols>>16&0xff], key[cols>>24]
	off += quickHeader
	if ref.narrow() == 3 {
		e := key[t.leaves[off-1]&0xff]
		data := above(t.leaves[off:off+quickRow3*ref.rows()], quickRow3, from)
		for len(data) >= quickRow3 {
			r := (*[quickRow3]uint32)(data)
			data = data[quickRow3:]
			if r[0] >= best {
				return best
			}
			if a-r[1] <= r[2] && b-r[3] <= r[4] && narrow(c, r[5]) && narrow(d, r[6]) && narrow(e, r[7]) && t.accept(r[0], key, from) {
				return r[0]
			}
		}
		return best
	}
	data := above(t.leaves[off:off+quickRow2*ref.rows()], quickRow2, from)
	for len(data) >= quickRow2 {
		r := (*[quickRow2]uint32)(data)
		data = data[quickRow2:]
		if r[0] >= best {
			return best
		}
		if a-r[1] <= r[2] && b-r[3] <= r[4] && narrow(c, r[5]) && narrow(d, r[6]) && t.accept(r[0], key, from) {
			return r[0]
		}
	}
	return best
}

// above returns the rows whose ranks are from or more. Rows are in order.
func above(data []uint32, stride, from uint32) []uint32 {
	if from == 0 {
		return data
	}
	lo, hi := uint32(0), uint32(len(data))/stride
	for lo < hi {
		if mid := (lo + hi) / 2; data[mid*stride]>>1 < from {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return data[lo*stride:]
}

// sparseLeaf is leaf for sparse leaves.
func (t *Tree) sparseLeaf(ref Ref, key []uint32, best, from uint32) uint32 {
	data := t.leaves[ref.offset():]
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

// accept reports whether a row whose box holds the key is an answer.
func (t *Tree) accept(tag uint32, key []uint32, from uint32) bool {
	return tag>>1 >= from && (tag&1|key[0] == 0 || t.holds(tag, key))
}

// narrow reports whether x lies in a narrow column, counting in 16 bits: the
// word of a padded column may have more.
func narrow(x, column uint32) bool { return uint16(x-column) <= uint16(column>>16) }

// holds reports whether a rule whose box holds the key matches it: the fields
// it needs are there, and its program agrees.
func (t *Tree) holds(tag uint32, key []uint32) bool {
	if absent := key[0]; absent != 0 && absent&t.need(tag>>1) != 0 {
		return false
	}
	return tag&1 == 0 || t.program.Holds(tag>>1, key)
}

// All appends the ranks of all rules that match the key to dst, in no order;
// each appears once. The tree must have been built with Config.KeepHidden.
func (t *Tree) All(root Ref, key []uint32, dst []uint32) []uint32 {
	var pending [maxPending]uint32
	n := 0
	ref := root
	for {
		switch ref.kind() {
		case kindTable:
			off := ref.offset()
			if ref.hasSpan() {
				pending[n] = off
				n++
			}
			ref = Ref(t.slots[off+key[ref.word()]>>ref.shift()&(1<<ref.bits()-1)])
			continue
		case kindInterval:
			l := &t.lines[ref.offset()]
			ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
			continue
		}
		if !ref.isEmpty() {
			dst = t.leafAll(ref, key, dst)
		}
		if n == 0 {
			return dst
		}
		n--
		ref = Ref(t.slots[pending[n]-1])
	}
}

// leafAll appends the ranks of all rows that match the key.
func (t *Tree) leafAll(ref Ref, key []uint32, dst []uint32) []uint32 {
	for from := uint32(0); ; {
		tag := t.leaf(ref, key, NoMatch, from)
		if tag == NoMatch {
			return dst
		}
		dst = append(dst, tag>>1)
		from = tag>>1 + 1
	}
}
