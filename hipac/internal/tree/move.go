package tree

// Moving trees from one set of arrays into another.

import (
	"sync"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
)

// mover copies nodes. What is shared in the one is shared in the other.
type mover struct {
	from  *Tree
	slots []uint64
	lines []line
	rows  []row
	stay  bool // rows stay where they are
	// Where nodes went, by where they were: 1 + offset, 0 for not yet.
	slotAt, lineAt, rowAt []uint32
}

// newMover returns a mover without room, for all or for all but rows. release must
// be called when all is moved.
func newMover(t *Tree, rows bool) *mover {
	m := movers.Get().(*mover)
	m.from, m.stay = t, !rows
	m.slotAt, m.lineAt = zeros(m.slotAt, len(t.slots)), zeros(m.lineAt, len(t.lines))
	if rows {
		m.rowAt = zeros(m.rowAt, len(t.rows))
	}
	return m
}

// movers are movers whose memory can be used again: trees under edit are copied
// many times a second.
var movers = sync.Pool{New: func() any { return new(mover) }}

func (m *mover) release() {
	m.from, m.slots, m.lines, m.rows = nil, nil, nil, nil
	movers.Put(m)
}

// zeros returns n zeros, in s where they fit.
func zeros(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}

// move copies the subtree at ref and returns its reference.
func (m *mover) move(ref Ref) Ref {
	switch {
	case ref.isTable():
		return m.table(ref)
	case ref.isInterval():
		return m.interval(ref)
	case ref.isEmpty():
		return 0
	case ref.form() == formBucket:
		off := ref.offset()
		if m.slotAt[off] == 0 {
			m.slotAt[off] = 1 + uint32(len(m.slots))
			m.slots = append(m.slots, m.from.slots[off:][:bitvec.Words(m.from.slots, off)]...)
		}
		return at(ref, m.slotAt[off]-1)
	case m.stay:
		return ref
	}
	off := ref.offset()
	if m.rowAt[off] == 0 {
		n := int(ref.rows())
		switch ref.form() {
		case formLong:
			n *= int(m.from.classes[ref.class()].blocks)
		case formSparse:
			words := 0
			m.from.eachRow(ref, func(row []uint32) { words += len(row) })
			n = (words + blockWords - 1) / blockWords
		}
		if n > 1 && len(m.rows)%2 != 0 { // leaves of several blocks begin at a cache line
			m.rows = append(m.rows, row{})
		}
		m.rowAt[off] = 1 + uint32(len(m.rows))
		m.rows = append(m.rows, m.from.rows[off:][:n]...)
	}
	return at(ref, m.rowAt[off]-1)
}

// at returns the reference with another offset.
func at(ref Ref, off uint32) Ref { return ref&^Ref(^uint32(0)) | Ref(off) }

func (m *mover) table(ref Ref) Ref {
	off := ref.offset()
	if m.slotAt[off] == 0 {
		size := uint32(1) << ref.bits()
		if ref.hasSpan() {
			m.slots = append(m.slots, m.from.slots[off-2], 0)
		}
		to := len(m.slots)
		m.slotAt[off] = 1 + uint32(to)
		m.slots = append(m.slots, m.from.slots[off:off+size]...)
		m.children(to, int(size))
		if ref.hasSpan() {
			span := m.move(Ref(m.from.slots[off-1]))
			m.slots[to-1] = uint64(span)
		}
	}
	return at(ref, m.slotAt[off]-1)
}

// children moves the nodes that the n slots at to refer to.
func (m *mover) children(to, n int) {
	was, is := uint64(0), uint64(0)
	for i := to; i < to+n; i++ {
		if s := m.slots[i]; s != was {
			was, is = s, uint64(m.move(Ref(s)))
		}
		m.slots[i] = is
	}
}

func (m *mover) interval(ref Ref) Ref {
	off := ref.offset()
	if m.lineAt[off] == 0 {
		l := m.from.lines[off]
		refs, n := l[intervalBounds], int(l.parts())
		to := len(m.slots)
		m.slots = append(m.slots, m.from.slots[refs:][:n]...)
		m.children(to, n)
		l[intervalBounds] = uint32(to)
		m.lines = append(m.lines, l)
		m.lineAt[off] = uint32(len(m.lines))
	}
	return at(ref, m.lineAt[off]-1)
}
