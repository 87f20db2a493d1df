package baselines

// PartitionSort:
//
//	S. Yingchareonthawornchai, J. Daly, A. X. Liu, E. Torng: A Sorted Partitioning
//	Approach to High-speed and Fast-update OpenFlow Classification. ICNP 2016
//
// A set of rules is sortable, by an order of the fields, when in the first field
// any two rules have the same interval or two that do not meet, and so on in the
// next field among those that have the same. Such rules lie in a tree like words in
// a dictionary: a balanced search tree of intervals of the first field, at each of
// which hangs one for the second field:
//
//	dport  [22]         [80]            [443]
//	         |            |               |
//	src    [10/8]    [10/8] [172.16/12]   r5
//	         r1         r2      r3
//
// A lookup takes at most one way through it and ends at one rule, or at a few that
// are the same, in O(log rules + fields). Any list is a few sortable sets: greedy.go
// finds them. The sets are searched in the order of their best rule, until none has
// a better rule than the one found.
//
// A rule that is inserted goes into the first set that stays sortable with it, else
// into a new one, whose fields come in the order of how much that rule gives of
// them; as long as a set has at most ten rules it is sorted by a better order
// whenever there is one.
//
// The order of fields is one of key words here, the words of a field together. A
// tree in which all rules agree in the next fields skips them (path compression);
// the rule at the end is compared in full. Trees are AVL trees in one array.

import (
	"cmp"
	"context"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var partitionSortMaker = maker(compare.Maker{
	Name:   "partitionsort",
	Title:  "PartitionSort",
	Source: "Yingchareonthawornchai, Daly, Liu, Torng: A Sorted Partitioning Approach to High-speed and Fast-update OpenFlow Classification, ICNP 2016",
	Note:   "made for updates",
}, newPartitionSort)

// youngRules is how many boxes a set has that may still change its order.
const youngRules = 10

// A reference is a node of the trees, 0 for nothing, or with refBox the first of
// some boxes that have the same intervals.
const refBox = 1 << 31

// sortNode is a node of a balanced tree of disjoint intervals of one key word.
type sortNode struct {
	lo, hi      uint32
	left, right uint32
	down        uint32 // reference: the boxes with this interval
	word        uint16 // of the key
	level       uint8  // of the set's order
	height      uint8
}

// sortable is a sortable set.
type sortable struct {
	best  uint32 // the smallest box
	root  uint32
	order []uint16 // key words
	boxes lowest
}

func (s *sortable) top() uint32 { return s.best }

type partitionSort struct {
	edits
	sets  []*sortable // by best
	owner []*sortable // by box; nil for one that is out
	next  []uint32    // by box: the next one with the same intervals + 1
	nodes []sortNode
	free  uint32 // first of the unused nodes, linked by left
	size  int64  // bytes of the sets

	greedy *greedy
	lo, hi []uint32 // intervals of the box in hand, by word
}

func newPartitionSort(ctx context.Context, l *rules.List[string], mem *budget) (*partitionSort, error) {
	bx, err := newBoxes(ctx, l, false, mem)
	if err != nil {
		return nil, err
	}
	e := &partitionSort{edits: newEdits(bx), owner: make([]*sortable, bx.len()), next: make([]uint32, bx.len()),
		nodes: make([]sortNode, 1, bx.len()+1), lo: make([]uint32, bx.words), hi: make([]uint32, bx.words)}
	e.greedy = newGreedy(l.Schema(), bx)
	left := make([]uint32, bx.len())
	for b := range left {
		left[b] = uint32(b)
	}
	for len(left) > 0 {
		kept, order, err := e.greedy.pick(ctx, left)
		if err != nil {
			return nil, err
		}
		slices.Sort(kept)
		s := e.newSet(order)
		for i, b := range kept {
			if err := poll(ctx, i); err != nil {
				return nil, err
			}
			if err := mem.check(e.Bytes()); err != nil {
				return nil, err
			}
			e.hold(b)
			e.put(s, b)
		}
		rest := left[:0]
		for _, b := range left {
			if e.owner[b] == nil {
				rest = append(rest, b)
			}
		}
		left = rest
	}
	e.greedy.forget()
	return e, mem.check(e.Bytes())
}

// Bytes returns the memory of trees and boxes.
func (e *partitionSort) Bytes() int64 {
	return e.bx.bytes() + e.edits.bytes() + 12*int64(len(e.owner)) + 24*int64(len(e.nodes)) + e.size
}

// Close does nothing.
func (e *partitionSort) Close() {}

// Delete takes a rule out: O(log rules + fields).
func (e *partitionSort) Delete(position int) error { return e.edits.delete(position, e) }

// Insert puts it back: O(sets x (log rules + fields)).
func (e *partitionSort) Insert(position int) error { return e.edits.insert(position, e) }

// First looks keys up in the sets, best set first, until no set has a better box
// than the one found.
func (e *partitionSort) First(keys []uint32, out []int32) {
	n := e.bx.words
	for i := range out {
		out[i] = -1
		if b := e.first(keys[i*n : i*n+n]); b != none {
			out[i] = e.bx.rule[b]
		}
	}
}

func (e *partitionSort) first(k []uint32) uint32 {
	best := none
	nodes := e.nodes
	for _, s := range e.sets {
		if s.best >= best {
			break
		}
		ref := s.root
		for ref-1 < refBox-1 { // a node
			n := &nodes[ref]
			switch x := k[n.word]; {
			case x < n.lo:
				ref = n.left
			case x > n.hi:
				ref = n.right
			default:
				ref = n.down
			}
		}
		if ref == 0 {
			continue
		}
		for b := ref &^ refBox; b < best; b = e.next[b] - 1 {
			if e.bx.holds(b, k) {
				best = b
				break
			}
		}
	}
	return best
}

func (e *partitionSort) newSet(order []uint16) *sortable {
	s := &sortable{best: none, order: order}
	e.sets = append(e.sets, s)
	e.size += s.bytes()
	return s
}

func (s *sortable) bytes() int64 { return 96 + 2*int64(len(s.order)) + 4*int64(cap(s.boxes.heap)) }

// span returns the interval of a key word that box b gives, without its masks.
func (bx *boxes) span(b uint32, word uint16) (lo, hi uint32) {
	for _, t := range bx.tests[bx.start[b]:bx.start[b+1]] {
		if t.word == uint32(word) && t.interval() {
			return t.lo, t.lo + t.size
		}
	}
	return 0, bx.full[word]
}

// hold takes box b in hand.
func (e *partitionSort) hold(b uint32) {
	copy(e.hi, e.bx.full)
	clear(e.lo)
	for _, t := range e.bx.tests[e.bx.start[b]:e.bx.start[b+1]] {
		if t.interval() {
			e.lo[t.word], e.hi[t.word] = t.lo, t.lo+t.size
		}
	}
}

func (e *partitionSort) place(b uint32) {
	e.hold(b)
	for _, s := range e.sets {
		if e.fits(s, s.root, 0) {
			e.put(s, b)
			if s.boxes.live <= youngRules {
				e.improve(s)
			}
			return
		}
	}
	e.put(e.newSet(e.orderOf()), b)
}

// orderOf returns the key words in the order of how much the box in hand gives
// of them.
func (e *partitionSort) orderOf() []uint16 {
	order := make([]uint16, 0, len(e.lo)-1)
	for w := 1; w < len(e.lo); w++ {
		order = append(order, uint16(w))
	}
	share := func(w uint16) float64 { return float64(e.hi[w]-e.lo[w]) / float64(max(1, e.bx.full[w])) }
	slices.SortStableFunc(order, func(a, b uint16) int { return cmp.Compare(share(a), share(b)) })
	return order
}

// improve sorts a small set anew, if another order keeps all its boxes.
func (e *partitionSort) improve(s *sortable) {
	all := e.all(s.root, nil)
	e.greedy.learn(all)
	kept, order, _ := e.greedy.pick(context.Background(), slices.Clone(all)) // ends at once
	e.greedy.forget()
	if len(kept) < len(all) || slices.Equal(order, s.order) {
		return
	}
	e.drop(s.root)
	e.size -= s.bytes()
	s.root, s.order = 0, order
	e.size += s.bytes()
	for _, b := range all {
		e.hold(b)
		s.root = e.join(s, s.root, 0, b)
	}
}

// put adds the box in hand, b, to a set that stays sortable with it.
func (e *partitionSort) put(s *sortable, b uint32) {
	e.size -= s.bytes()
	s.root = e.join(s, s.root, 0, b)
	s.boxes.add(b)
	e.size += s.bytes()
	e.owner[b] = s
	if b < s.best {
		s.best = b
		reorder(e.sets, s)
	}
}

func (e *partitionSort) remove(b uint32) {
	s := e.owner[b]
	e.hold(b)
	e.size -= s.bytes()
	s.root = e.part(s.root, b)
	e.owner[b] = nil
	best := s.boxes.drop(func(b uint32) bool { return e.owner[b] == s })
	if best != s.best {
		s.best = best
		reorder(e.sets, s)
	}
	if s.boxes.live == 0 {
		e.sets = e.sets[:len(e.sets)-1]
		return
	}
	e.size += s.bytes()
}
