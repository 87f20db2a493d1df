package tree

// Hidden entries: those that a lookup can never return in a region because an
// earlier one matches wherever they do. They cost no structure there.

import (
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// dropHidden returns the entries that can be the answer for some key that
// reaches the node.
func (b *Builder) dropHidden(entries []int32) []int32 {
	if len(entries) < 2 {
		return entries
	}
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
	b.clip(entries)
	dims := len(b.dims)
	kept := entries[:0]
next:
	for i, e := range entries {
		s := b.clipped[i*dims : i*dims+dims]
		for j, q := range kept {
			if b.covers(b.clipped[j*dims:j*dims+dims], s) && b.mayHide(q, e, known) {
				if len(kept) == i { // the first to go
					kept = append(make([]int32, 0, len(entries)-1), kept...)
				}
				continue next
			}
		}
		if len(kept) == i {
			kept = entries[:i+1]
			continue
		}
		copy(b.clipped[len(kept)*dims:], s)
		kept = append(kept, e)
	}
	return kept
}

// clip puts what the entries hold of the keys that reach the node into
// b.clipped, entry by entry.
func (b *Builder) clip(entries []int32) {
	dims := len(b.dims)
	b.clipped = slices.Grow(b.clipped[:0], len(entries)*dims)[:len(entries)*dims]
	for d := range b.dims {
		r, all := b.reach[d], b.dims[d].Spans
		for i, e := range entries {
			s := all[e]
			b.clipped[i*dims+d] = lower.Span{Lo: max(s.Lo, r.Lo), Hi: min(s.Hi, r.Hi)}
		}
	}
}

// covers reports whether, of clipped spans, those of q hold all that those of e
// hold.
func (b *Builder) covers(q, e []lower.Span) bool {
	for d, s := range e {
		if !q[d].Covers(s) && s.Lo <= s.Hi {
			return false
		}
	}
	return true
}

// hides reports whether, of the keys that reach the node, which have the known
// fields, q takes all that e would match behind it.
func (b *Builder) hides(q, e int32, known uint32) bool {
	return b.mayHide(q, e, known) && b.coversHere(q, e)
}

// mayHide is hides but for what the boxes hold.
func (b *Builder) mayHide(q, e int32, known uint32) bool {
	return b.boxes.Hides[q] && !b.boxes.Inexact[q] && b.boxes.Need[q]&^(b.boxes.Need[e]|known) == 0
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
