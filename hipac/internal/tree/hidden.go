package tree

// Hidden entries: those that a lookup can never return in a region because an
// earlier one matches wherever they do. They cost no structure there.

import "math/bits"

// dropHidden returns the entries that can be the answer for some key that
// reaches the node.
func (b *Builder) dropHidden(entries []int32) []int32 {
	known := b.known()
	for i, e := range entries {
		if b.boxes.Hides[e] && !b.boxes.Inexact[e] && b.boxes.Need[e]&^known == 0 && b.coversReach(e) {
			entries = entries[:i+1]
			break
		}
	}
	if len(entries) > pruneRows {
		return entries
	}
	kept := make([]int32, 0, len(entries))
next:
	for _, e := range entries {
		for _, q := range kept {
			if b.hides(q, e, known) {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
}

// hides reports whether, of the keys that reach the node, which have the known
// fields, q takes all that e would match behind it.
func (b *Builder) hides(q, e int32, known uint32) bool {
	return b.boxes.Hides[q] && !b.boxes.Inexact[q] && b.boxes.Need[q]&^(b.boxes.Need[e]|known) == 0 && b.coversHere(q, e)
}

// known returns the fields that every key reaching the node has: an absent
// field has words 0.
func (b *Builder) known() uint32 {
	var k uint32
	for d := range b.dims {
		if b.reach[d].Lo > 0 {
			k |= 1 << b.dims[d].Field
		}
	}
	return k
}

// coversReach reports whether entry e holds every key that reaches the node.
func (b *Builder) coversReach(e int32) bool {
	for d := range b.dims {
		if !b.dims[d].Spans[e].Covers(b.reach[d]) {
			return false
		}
	}
	return true
}

// coversHere reports whether, of the keys that reach the node, entry q holds
// all that e holds.
func (b *Builder) coversHere(q, e int32) bool {
	for d := range b.dims {
		r, s := b.reach[d], b.dims[d].Spans[e]
		s.Lo, s.Hi = max(s.Lo, r.Lo), min(s.Hi, r.Hi)
		if s.Lo <= s.Hi && !b.dims[d].Spans[q].Covers(s) {
			return false
		}
	}
	return true
}

// dropEqual returns the entries without those whose box an earlier one has
// that hides it. It is for chains: few sets have one, and comparing all boxes
// would take an eighth of the time of a build.
func (b *Builder) dropEqual(entries []int32) []int32 {
	first := make(map[uint64]int32, len(entries)) // by hash of the box
	kept := make([]int32, 0, len(entries))
	known := b.known()
	for _, e := range entries {
		h := uint64(0)
		for d := range b.dims {
			s := b.dims[d].Spans[e]
			h = bits.RotateLeft64(h^(uint64(s.Lo)<<32|uint64(s.Hi)), 29) * 0x9e3779b97f4a7c15
		}
		q, seen := first[h]
		if seen && b.hides(q, e, known) {
			continue
		}
		if !seen {
			first[h] = e
		}
		kept = append(kept, e)
	}
	return kept
}
