package region

// Questions about one packet, given by its coordinates, and about one item that
// matches a whole box: answered by the tree of hulls alone.

import "slices"

// Point is a packet by its coordinates, one for each dimension.
type Point []uint32

// Box returns the box of the point alone.
func (p Point) Box() Box {
	b := make(Box, len(p))
	for d, v := range p {
		b[d] = Span{v, v}
	}
	return b
}

// Corner returns the lowest point of the box.
func (b Box) Corner() Point {
	p := make(Point, len(b))
	for d, s := range b {
		p[d] = s.Lo
	}
	return p
}

// Skips reports whether some item skips others.
func (q *Sequence) Skips() bool { return q.skips }

// At appends the positions before to of the items that match the point,
// ascending.
func (q *Sequence) At(p Point, to int, out []int32) []int32 {
	first := len(out)
	q.at(p, int32(to), func(i int32) bool {
		out = append(out, i)
		return true
	})
	slices.Sort(out[first:])
	return out
}

// Matches reports whether an item before position to matches the point.
func (q *Sequence) Matches(p Point, to int) (found bool) {
	q.at(p, int32(to), func(int32) bool {
		found = true
		return false
	})
	return found
}

// at visits the items before to that match the point, in no order.
func (q *Sequence) at(p Point, to int32, visit func(int32) bool) {
	t := &q.tree
	if t.dims == 0 {
		for i := int32(0); i < min(to, int32(len(q.Items))); i++ {
			if !visit(i) {
				return
			}
		}
		return
	}
	var down func(level, first int) bool
	down = func(level, first int) bool {
		boxes := t.levels[level]
	next:
		for i := first; i < min(len(boxes)/t.dims, first+fanout); i++ {
			if t.least[level][i] >= to {
				continue
			}
			for d, s := range boxes[i*t.dims:][:t.dims] {
				if s.Lo > p[d] || s.Hi < p[d] {
					continue next
				}
			}
			if level > 0 {
				if !down(level-1, i*fanout) {
					return false
				}
			} else if k := t.order[i]; q.unionsHold(k, p) && !visit(k) {
				return false
			}
		}
		return true
	}
	if len(t.levels) > 0 {
		down(len(t.levels)-1, 0)
	}
}

// unionsHold reports whether the point is in the unions of item i.
func (q *Sequence) unionsHold(i int32, p Point) bool {
	for _, u := range q.unions[i] {
		v := p[u.Dim]
		at, _ := slices.BinarySearchFunc(u.Spans, v, endsBefore)
		if at == len(u.Spans) || u.Spans[at].Lo > v {
			return false
		}
	}
	return true
}

// Meets reports whether item i has a packet in common with the box.
func (q *Sequence) Meets(i int, b Box) bool {
	for d, s := range q.Hull(i) {
		if s.Lo > b[d].Hi || s.Hi < b[d].Lo {
			return false
		}
	}
	return q.unionsMeet(int32(i), b)
}

// Covering returns the first item before position to that matches all packets
// of the box and decides them or skips past to, or None. Where items skip others
// it need not be what decides.
func (q *Sequence) Covering(b Box, to int) int32 {
	best := int32(to)
	t := &q.tree
	past := func(i int32) bool { n := q.Items[i].Next; return n == 0 || int(n) > to }
	if t.dims == 0 {
		for i := range int32(min(to, len(q.Items))) {
			if past(i) {
				return i
			}
		}
		return None
	}
	var down func(level, first int)
	down = func(level, first int) {
		boxes := t.levels[level]
	next:
		for i := first; i < min(len(boxes)/t.dims, first+fanout); i++ {
			if t.least[level][i] >= best {
				continue
			}
			for d, s := range boxes[i*t.dims:][:t.dims] {
				if s.Lo > b[d].Lo || s.Hi < b[d].Hi {
					continue next
				}
			}
			if level > 0 {
				down(level-1, i*fanout)
			} else if k := t.order[i]; past(k) && q.covers(k, b) {
				best = k
			}
		}
	}
	if len(t.levels) > 0 {
		down(len(t.levels)-1, 0)
	}
	if best == int32(to) {
		return None
	}
	return best
}

// Gets reports whether the packet at the point gets to position to: no item in
// front of it decides the packet, or takes it past. scratch may be reused.
func (q *Sequence) Gets(p Point, to int, scratch *[]int32) bool {
	if !q.skips {
		return !q.Matches(p, to)
	}
	*scratch = q.At(p, to, (*scratch)[:0])
	from := int32(0)
	for _, i := range *scratch {
		if i < from {
			continue
		}
		n := q.Items[i].Next
		if n == 0 || int(n) > to {
			return false
		}
		from = n
	}
	return true
}

// Decides returns which of the items, which are all those that match a packet,
// ascending, decides it: None, when none does. Those in gone and in out, which
// may be nil, are as if they were not there.
func (q *Sequence) Decides(items []int32, gone, out []bool) int32 {
	from := int32(0)
	for _, i := range items {
		if i < from || gone != nil && gone[i] || out != nil && out[i] {
			continue
		}
		n := q.Items[i].Next
		if n == 0 {
			return i
		}
		from = n
	}
	return None
}
