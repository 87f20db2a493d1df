package order

// The editor: how new versions of a map are made. It copies the leaf and the
// node of an edit once, and then changes its own copies in place until they are
// frozen in a Map.

import (
	"sync/atomic"
	"unsafe"
)

// owners counts the identities that editors own nodes by. They are numbers
// rather than pointers, so that a node keeps no editor alive.
var owners atomic.Uint64

// Editor makes new versions of a Map. It has the reading methods of Map, which
// see the edits made so far; nothing is to be edited in the middle of an
// iteration over an Editor. It is for one goroutine; any number of Editors may
// start from one Map, each for itself.
type Editor[E any] struct {
	view[E]
	id   uint64  // of nodes that are this editor's alone; 0 before the first
	mine bool    // top and counts are this editor's alone
	base *Map[E] // what the view equals, nil after an edit
}

// Edit returns an Editor that starts from m, which stays what it is.
func (m *Map[E]) Edit() *Editor[E] {
	return &Editor[E]{view: m.view, base: m}
}

// Freeze returns a Map of the state the Editor has come to: O(1). The Editor
// may be used on; what it does then is not seen in the Map.
func (e *Editor[E]) Freeze() *Map[E] {
	if e.base == nil {
		e.base = &Map[E]{e.view}
		e.id = 0
		e.mine = false
	}
	return e.base
}

// Insert adds an entry and reports whether it did: not when the label is taken
// or not below Labels, or when the entry is nil. It copies some 2 KB at 100,000
// entries, nothing where this Editor has been since it was last frozen.
func (e *Editor[E]) Insert(label uint32, entry *E) bool {
	if entry == nil || label >= Labels || e.Get(label) != nil {
		return false
	}
	if e.n == 0 {
		e.shift = shiftFor(0)
	}
	n, t := e.reach(label)
	n.insert(slot[E]{entry, label}, e.shift, e.id)
	e.counts[t]++
	e.n++
	e.last = label + 1
	return true
}

// Set replaces the entry of a label and returns the one before. When the label
// has none or the entry is nil, it does nothing and returns nil.
func (e *Editor[E]) Set(label uint32, entry *E) (old *E) {
	old = e.Get(label)
	if old == nil || entry == nil {
		return nil
	}
	n, _ := e.reach(label)
	shift := e.shift
	c := child(label, shift)
	for n.lens[c] == split {
		n = n.reach(c, e.id)
		shift -= fanBits
		c = child(label, shift)
	}
	s := n.ownLeaf(c)
	s[search(s, label, shift)].entry = entry
	return old
}

// Remove removes a label and returns the entry it had, or nil when it had none.
func (e *Editor[E]) Remove(label uint32) (old *E) {
	old = e.Get(label)
	if old == nil {
		return nil
	}
	n, t := e.reach(label)
	n.remove(label, e.shift, e.id)
	e.counts[t]--
	e.n--
	if e.counts[t] == 0 {
		e.top[t] = nil
		e.trim()
	}
	return old
}

// Move gives the entry of m.From the label m.To and reports whether it did: not
// when m.From has no entry, or m.To has one or is not below Labels.
func (e *Editor[E]) Move(m Move) bool {
	if m.To >= Labels || e.Get(m.To) != nil {
		return false
	}
	entry := e.Remove(m.From)
	if entry == nil {
		return false
	}
	last := e.last
	if last == m.From+1 {
		last = m.To + 1
	}
	e.Insert(m.To, entry)
	e.last = last
	return true
}

// reach returns the node at the top for a label, and its place, for the editor
// to change.
func (e *Editor[E]) reach(label uint32) (*node[E], int) {
	e.base = nil
	if e.id == 0 {
		e.id = owners.Add(1)
	}
	if len(e.top) == 0 {
		e.first = label >> (e.shift + fanBits)
	}
	t := e.topOf(label)
	front, behind := max(-t, 0), max(t+1-len(e.top), 0)
	if !e.mine || front+behind > 0 {
		top := make([]*node[E], front+len(e.top)+behind)
		counts := make([]uint32, len(top))
		copy(top[front:], e.top)
		copy(counts[front:], e.counts)
		e.top, e.counts = top, counts
		e.first -= uint32(front)
		e.mine = true
		t += front
	}
	e.top[t] = e.top[t].own(e.id)
	return e.top[t], t
}

// trim drops what is empty at the ends of top.
func (e *Editor[E]) trim() {
	for len(e.top) > 0 && e.top[0] == nil {
		e.top, e.counts = e.top[1:], e.counts[1:]
		e.first++
	}
	for i := len(e.top) - 1; i >= 0 && e.top[i] == nil; i-- {
		e.top, e.counts = e.top[:i], e.counts[:i]
	}
	if len(e.top) == 0 {
		e.top, e.counts = nil, nil
	}
}

// own returns the node itself when it is the owner's, else a copy that is; a
// new one for nil.
func (n *node[E]) own(owner uint64) *node[E] {
	if n == nil {
		return &node[E]{owner: owner}
	}
	if n.owner == owner {
		return n
	}
	m := new(node[E])
	*m = *n
	m.owner, m.owned = owner, 0
	return m
}

// reach returns the node that is child c, for the owner to change.
func (n *node[E]) reach(c uint32, owner uint64) *node[E] {
	m := n.node(c).own(owner)
	n.children[c] = unsafe.Pointer(m)
	return m
}

// roomFor returns how many slots a leaf of n slots has at least: as many as fit
// in the memory that the allocator hands out anyway.
func roomFor(n int) int {
	if n < 8 {
		return (n + 1) &^ 1
	}
	return (n + 7) &^ 7
}

// newLeaf makes leaf c one of l slots for the owner of n and returns them,
// empty.
func (n *node[E]) newLeaf(c uint32, l int) []slot[E] {
	n.lens[c] = uint8(l)
	n.owned |= 1 << c
	if l == 0 {
		n.children[c] = nil
		return nil
	}
	s := make([]slot[E], roomFor(l))
	n.children[c] = unsafe.Pointer(unsafe.SliceData(s))
	return s[:l]
}

// ownLeaf returns leaf c for the owner of n to change.
func (n *node[E]) ownLeaf(c uint32) []slot[E] {
	s := n.leaf(c)
	if n.owned>>c&1 == 0 {
		old := s
		s = n.newLeaf(c, len(old))
		copy(s, old)
	}
	return s
}

// insert adds a slot whose label is not there. The node is the owner's.
func (n *node[E]) insert(x slot[E], shift uint8, owner uint64) {
	n.total++
	c := child(x.label, shift)
	if n.lens[c] == maxLeaf && shift > fanBits {
		n.divide(c, shift, owner)
	}
	if n.lens[c] == split {
		n.reach(c, owner).insert(x, shift-fanBits, owner)
		return
	}
	old := n.leaf(c)
	l := len(old)
	i := search(old, x.label, shift)
	if n.owned>>c&1 != 0 && l < roomFor(l) {
		s := unsafe.Slice(unsafe.SliceData(old), l+1)
		copy(s[i+1:], old[i:])
		s[i] = x
		n.lens[c]++
		return
	}
	s := n.newLeaf(c, l+1)
	copy(s, old[:i])
	s[i] = x
	copy(s[i+1:], old[i:])
}

// divide makes leaf c a node.
func (n *node[E]) divide(c uint32, shift uint8, owner uint64) {
	old := n.leaf(c)
	m := &node[E]{owner: owner, total: uint32(len(old))}
	m.fill(old, shift-fanBits)
	n.children[c] = unsafe.Pointer(m)
	n.lens[c] = split
}

// fill makes the leaves of a node without any from slots in order, all of its
// span.
func (n *node[E]) fill(s []slot[E], shift uint8) {
	for len(s) > 0 {
		c := child(s[0].label, shift)
		l := 1
		for l < len(s) && child(s[l].label, shift) == c {
			l++
		}
		copy(n.newLeaf(c, l), s[:l])
		s = s[l:]
	}
}

// remove removes a label that is there. The node is the owner's.
func (n *node[E]) remove(label uint32, shift uint8, owner uint64) {
	n.total--
	c := child(label, shift)
	if n.lens[c] == split {
		if n.count(c)-1 > minNode {
			n.reach(c, owner).remove(label, shift-fanBits, owner)
			return
		}
		n.join(c)
	}
	old := n.leaf(c)
	l := len(old) - 1
	i := search(old, label, shift)
	if n.owned>>c&1 != 0 && l > 0 {
		copy(old[i:], old[i+1:])
		old[l] = slot[E]{}
		n.lens[c]--
		return
	}
	s := n.newLeaf(c, l)
	copy(s, old[:i])
	copy(s[i:], old[i+1:])
}

// join makes the node that is child c a leaf again.
func (n *node[E]) join(c uint32) {
	m := n.node(c)
	s := n.newLeaf(c, int(m.total))
	m.collect(s)
}

// collect copies all slots of a node to s and returns what is left of it.
func (n *node[E]) collect(s []slot[E]) []slot[E] {
	for c := range uint32(fan) {
		if n.lens[c] == split {
			s = n.node(c).collect(s)
		} else {
			s = s[copy(s, n.leaf(c)):]
		}
	}
	return s
}
