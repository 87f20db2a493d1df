package region

// Sequences of items, the rules of one list or the merged rules of two.

import "slices"

// Side says in which of two sequences an item is.
type Side uint8

// The sides.
const (
	Both Side = iota
	OnlyA
	OnlyB
)

// None is the item of a packet that no item decides.
const None = -1

// Item is a rule, or a part of one, in a sequence.
type Item struct {
	Rule  int32 // the caller's number of it
	Value int32 // what it decides; the same number is the same verdict
	// Next, where it is not 0, is the position that the packets of the item go on
	// at: nothing is decided. It is behind the item.
	Next int32
	Side Side
}

// Sequence is an ordered sequence of items: the first that matches a packet, of
// those that are not skipped, decides. With items of OnlyA or OnlyB it is two
// sequences at once. Add to it, then Finish it; after that it is immutable and
// safe for any number of goroutines.
type Sequence struct {
	Space *Space
	Items []Item
	// EndA and EndB are the values where no item decides.
	EndA, EndB int32

	hulls  []Span // of item i: hulls[i*dims : (i+1)*dims]
	unions [][]Union
	tree   hulls
	skips  bool // some item has a Next
}

// NewSequence returns an empty sequence.
func NewSequence(x *Space) *Sequence { return &Sequence{Space: x} }

// Add appends an item and returns its position.
func (q *Sequence) Add(it Item, p Piece) int {
	q.Items = append(q.Items, it)
	q.hulls = append(q.hulls, p.Hull...)
	if p.Unions != nil {
		for len(q.unions) < len(q.Items)-1 {
			q.unions = append(q.unions, nil)
		}
		q.unions = append(q.unions, p.Unions)
	}
	return len(q.Items) - 1
}

// Finish makes the sequence ready for questions: O(n log n).
func (q *Sequence) Finish() {
	for len(q.unions) < len(q.Items) {
		q.unions = append(q.unions, nil)
	}
	q.skips = slices.ContainsFunc(q.Items, func(it Item) bool { return it.Next != 0 })
	q.tree = newHulls(q.Space.Dims(), q.hulls)
}

// Hull returns the box around item i; it must not be changed.
func (q *Sequence) Hull(i int) Box {
	d := q.Space.Dims()
	return q.hulls[i*d : (i+1)*d : (i+1)*d]
}

// Unions returns where item i asks for less than its hull.
func (q *Sequence) Unions(i int) []Union { return q.unions[i] }

// Meeting returns the positions of the items that have a packet in common with
// the box, ascending, from position from up to before position to.
func (q *Sequence) Meeting(b Box, from, to int) []int32 {
	out := q.tree.meeting(b, int32(from), int32(to), nil)
	out = slices.DeleteFunc(out, func(i int32) bool { return !q.unionsMeet(i, b) })
	slices.Sort(out)
	return out
}

// covers reports whether item i matches all packets of the box.
func (q *Sequence) covers(i int32, b Box) bool {
	h := q.hulls[int(i)*len(b):]
	for d, s := range b {
		if h[d].Lo > s.Lo || h[d].Hi < s.Hi {
			return false
		}
	}
	for _, u := range q.unions[i] {
		s := b[u.Dim]
		at, _ := slices.BinarySearchFunc(u.Spans, s.Lo, endsBefore)
		if at == len(u.Spans) || u.Spans[at].Lo > s.Lo || u.Spans[at].Hi < s.Hi {
			return false
		}
	}
	return true
}

// unionsMeet reports whether the unions of item i, whose hull meets the box,
// have something in common with it.
func (q *Sequence) unionsMeet(i int32, b Box) bool {
	for _, u := range q.unions[i] {
		s := b[u.Dim]
		at, _ := slices.BinarySearchFunc(u.Spans, s.Lo, endsBefore)
		if at == len(u.Spans) || u.Spans[at].Lo > s.Hi {
			return false
		}
	}
	return true
}

// endsBefore compares for a binary search of the first span that does not end
// before lo.
func endsBefore(s Span, lo uint32) int {
	if s.Hi < lo {
		return -1
	}
	return 1
}
