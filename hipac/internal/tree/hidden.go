package tree

// Hidden entries: those that a lookup can never return in a region because an
// earlier one matches wherever they do. They cost no structure there.

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
			if b.boxes.Hides[q] && !b.boxes.Inexact[q] && b.boxes.Need[q]&^(b.boxes.Need[e]|known) == 0 && b.coversHere(q, e) {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
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
