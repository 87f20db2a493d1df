package order

// The map and its reading side: look-ups by label, counts, neighbours,
// listing. Nothing here stores to what a Map can reach.

import (
	"iter"
	"unsafe"
)

const (
	// Labels is the number of labels: they are 0 <= label < Labels.
	Labels = 1<<30 - 2
	// None stands for no label.
	None = ^uint32(0)

	// fanBits is the logarithm of a node's children. With 64 children of up to
	// 64 entries at first, an edit copies 1 KB of leaf, 640 bytes of node and
	// 12 bytes for each 4096 entries: 2 KB at 100,000 entries, 5 KB at
	// 1,000,000.
	fanBits = 6
	fan     = 1 << fanBits

	// maxLeaf is the number of slots from which a leaf becomes a node: twice
	// what Spread puts there. The leaf is what an edit copies, so that it must
	// not be much larger; smaller ones have leaves split in lists that merely
	// grow by a half, and a look-up in a split leaf loads one node more.
	maxLeaf = 128
	// minNode is the number of entries at which a split leaf becomes a leaf
	// again, well below maxLeaf, lest edits go to and fro.
	minNode = 64
	// split is the length of a leaf that is a node. Lengths are bytes.
	split = 255

	// maxShift has one node span all labels.
	maxShift = 30 - fanBits
)

// Map is an ordered map from labels to entries of type E. It is immutable and
// safe for any number of goroutines. The zero Map is empty. Edit gives an
// Editor for new versions, which share with the old one what they do not
// change.
type Map[E any] struct{ view[E] }

// view is a Map, or what an Editor has made of one so far.
type view[E any] struct {
	top    []*node[E] // by label >> (shift+fanBits), from first; nil when empty
	counts []uint32   // entries of each
	first  uint32
	shift  uint8 // 1<<shift labels to a leaf; 0 in the zero Map
	n      int
	last   uint32 // the label inserted last plus 1, or 0
}

// node spans fan times 1<<shift labels, where shift is 6 less at each level
// below the top.
type node[E any] struct {
	// children points to the first slot of a leaf of lens[i] slots in ascending
	// order, or to a node when lens[i] is split. A leaf has room for
	// roomFor(lens[i]) slots.
	children [fan]unsafe.Pointer
	lens     [fan]uint8
	total    uint32 // entries below
	owner    uint64 // the Editor, while it has not frozen, that may store here
	owned    uint64 // leaves where it may
}

// slot is an entry with its label, side by side for the sake of the cache.
type slot[E any] struct {
	entry *E
	label uint32
}

func (n *node[E]) leaf(c uint32) []slot[E] {
	return unsafe.Slice((*slot[E])(n.children[c]), n.lens[c])
}

func (n *node[E]) node(c uint32) *node[E] { return (*node[E])(n.children[c]) }

// count returns the entries of a child.
func (n *node[E]) count(c uint32) int {
	if l := n.lens[c]; l != split {
		return int(l)
	}
	return int(n.node(c).total)
}

// child returns the child of a label.
func child(label uint32, shift uint8) uint32 { return label >> (shift & 31) & (fan - 1) }

// guess returns the place of a label among n slots of a leaf if its labels are
// spread evenly: the right one in a full leaf that Spread made, and close to it
// after edits at random places. It is below n when n > 0.
func guess(label uint32, shift uint8, n uint64) uint64 {
	return uint64(label&(1<<(shift&31)-1)) * n >> (shift & 63)
}

// nearby is how many slots are scanned from the guess before a binary search.
const nearby = 8

// search returns the number of slots with a smaller label.
func search[E any](s []slot[E], label uint32, shift uint8) int {
	if len(s) == 0 {
		return 0
	}
	i := int(guess(label, shift, uint64(len(s))))
	lo, hi := 0, len(s)
	if s[i].label < label {
		for end := min(i+nearby, len(s)); ; {
			if i++; i == len(s) || s[i].label >= label {
				return i
			}
			if i == end {
				break
			}
		}
		lo = i + 1
	} else {
		for end := max(i-nearby, 0); ; i-- {
			if i == 0 || s[i-1].label < label {
				return i
			}
			if i == end {
				break
			}
		}
		hi = i
	}
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); s[mid].label < label {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Get returns the entry of a label, or nil when there is none. It takes three
// dependent loads, one more for each time that the place was split, and
// allocates nothing.
func (v *view[E]) Get(label uint32) *E {
	shift := v.shift
	t := uint(label>>((shift+fanBits)&31) - v.first)
	if t >= uint(len(v.top)) {
		return nil
	}
	n := v.top[t]
	if n == nil {
		return nil
	}
	c := child(label, shift)
	for n.lens[c] == split {
		n = n.node(c)
		shift -= fanBits
		c = child(label, shift)
	}
	s := n.leaf(c)
	i := guess(label, shift, uint64(len(s)))
	if i >= uint64(len(s)) {
		return nil
	}
	if s[i].label != label {
		if i = uint64(search(s, label, shift)); i >= uint64(len(s)) || s[i].label != label {
			return nil
		}
	}
	return s[i].entry
}

// Len returns the number of entries.
func (v *view[E]) Len() int { return v.n }

// topOf returns the place of a label in top, which may be outside of it.
func (v *view[E]) topOf(label uint32) int {
	return int(label>>((v.shift+fanBits)&31)) - int(v.first)
}

// Position returns the number of entries with a smaller label. It adds up the
// counts in front: O(Len()/4096) and some tens of nanoseconds.
func (v *view[E]) Position(label uint32) int {
	if label >= Labels {
		return v.n
	}
	t := v.topOf(label)
	pos := 0
	for i := range min(t, len(v.counts)) {
		pos += int(v.counts[i])
	}
	if t < 0 || t >= len(v.top) || v.top[t] == nil {
		return pos
	}
	n, shift := v.top[t], v.shift
	for {
		c := child(label, shift)
		for i := range c {
			pos += n.count(i)
		}
		if n.lens[c] != split {
			return pos + search(n.leaf(c), label, shift)
		}
		n = n.node(c)
		shift -= fanBits
	}
}

// At returns the entry at a position with its label, or None and nil when the
// position is not one of 0 <= position < Len(). It costs what Position does.
func (v *view[E]) At(position int) (label uint32, entry *E) {
	if position < 0 || position >= v.n {
		return None, nil
	}
	t := 0
	for ; position >= int(v.counts[t]); t++ {
		position -= int(v.counts[t])
	}
	n := v.top[t]
	for {
		c := uint32(0)
		for {
			k := n.count(c)
			if position < k {
				break
			}
			position -= k
			c++
		}
		if n.lens[c] != split {
			s := n.leaf(c)[position]
			return s.label, s.entry
		}
		n = n.node(c)
	}
}

// Next returns the entry with the least label above the given one.
func (v *view[E]) Next(label uint32) (next uint32, entry *E, ok bool) {
	if label >= Labels {
		return None, nil, false
	}
	return v.least(label + 1)
}

// First returns the entry with the least label.
func (v *view[E]) First() (label uint32, entry *E, ok bool) { return v.least(0) }

// least returns the entry with the least label from the given one on.
func (v *view[E]) least(label uint32) (uint32, *E, bool) {
	for l, e := range v.From(label) {
		return l, e, true
	}
	return None, nil, false
}

// Prev returns the entry with the greatest label below the given one.
func (v *view[E]) Prev(label uint32) (prev uint32, entry *E, ok bool) {
	label = min(label, Labels)
	at := v.topOf(label)
	for t := min(at, len(v.top)-1); t >= 0; t-- {
		n := v.top[t]
		if n == nil {
			continue
		}
		var s *slot[E]
		if t == at {
			s = n.below(label, v.shift)
		} else {
			s = n.greatest()
		}
		if s != nil {
			return s.label, s.entry, true
		}
	}
	return None, nil, false
}

// Last returns the entry with the greatest label.
func (v *view[E]) Last() (label uint32, entry *E, ok bool) { return v.Prev(Labels) }

// below returns the slot with the greatest label below one in the node's span.
func (n *node[E]) below(label uint32, shift uint8) *slot[E] {
	c := child(label, shift)
	if n.lens[c] == split {
		if s := n.node(c).below(label, shift-fanBits); s != nil {
			return s
		}
	} else {
		s := n.leaf(c)
		if i := search(s, label, shift); i > 0 {
			return &s[i-1]
		}
	}
	return n.greatestOf(c)
}

// greatest returns the slot with the greatest label.
func (n *node[E]) greatest() *slot[E] { return n.greatestOf(fan) }

// greatestOf returns the slot with the greatest label in children below c.
func (n *node[E]) greatestOf(c uint32) *slot[E] {
	for c > 0 {
		c--
		if n.lens[c] == split {
			return n.node(c).greatest() // a node is never empty
		}
		if s := n.leaf(c); len(s) > 0 {
			return &s[len(s)-1]
		}
	}
	return nil
}

// All iterates over labels and entries in order.
func (v *view[E]) All() iter.Seq2[uint32, *E] { return v.From(0) }

// From iterates in order over the labels from the given one on, and their
// entries.
func (v *view[E]) From(label uint32) iter.Seq2[uint32, *E] {
	return func(yield func(uint32, *E) bool) {
		if label >= Labels {
			return
		}
		at := v.topOf(label)
		for t := max(at, 0); t < len(v.top); t++ {
			if n := v.top[t]; n != nil && !n.from(label, v.shift, t == at, yield) {
				return
			}
		}
	}
}

// from yields the entries of a node, when inside is true those from a label in
// the node's span on. It reports whether to go on.
func (n *node[E]) from(label uint32, shift uint8, inside bool, yield func(uint32, *E) bool) bool {
	c := uint32(0)
	if inside {
		c = child(label, shift)
	}
	for ; c < fan; c++ {
		if n.lens[c] == split {
			if !n.node(c).from(label, shift-fanBits, inside, yield) {
				return false
			}
		} else {
			s := n.leaf(c)
			if inside {
				s = s[search(s, label, shift):]
			}
			for i := range s {
				if !yield(s[i].label, s[i].entry) {
					return false
				}
			}
		}
		inside = false
	}
	return true
}

// Bytes returns the memory of the map, that of entries not counted. It visits
// the nodes: O(Len()/64).
func (v *view[E]) Bytes() int64 {
	b := int64(unsafe.Sizeof(*v)) + int64(len(v.top))*int64(unsafe.Sizeof(v.top[0])+unsafe.Sizeof(v.counts[0]))
	for _, n := range v.top {
		if n != nil {
			b += n.bytes()
		}
	}
	return b
}

func (n *node[E]) bytes() int64 {
	b := int64(unsafe.Sizeof(*n))
	for c := range uint32(fan) {
		if l := n.lens[c]; l == split {
			b += n.node(c).bytes()
		} else {
			b += int64(roomFor(int(l))) * int64(unsafe.Sizeof(slot[E]{}))
		}
	}
	return b
}
