package region

// Does a packet of a box get to a place in the sequence, or do the items in front
// of it, together, take all? As the walk, with one side: the box is cut until an
// item takes all of a part, or none is left there. Where the items that meet a
// part are together smaller than it, in coordinates, some packet gets through,
// and the half with the smaller share of items leads to it.

import (
	"context"
	"slices"
)

// mostBy is the number of items that are kept of those that take all.
const mostBy = 256

// Reached is the answer of Reach.
type Reached struct {
	// Found is a box of packets that get there; nil: none does.
	Found Box
	// By are items that, together, take all packets of the box: ascending, not all
	// that could be named, and More where there are too many to keep.
	By    []int32
	More  bool
	Steps int64
}

// Reach looks for packets of the box that get to position to: no item before it
// decides them, or takes them past it. meeting are the items before it that meet
// the box; they are overwritten. some says of boxes whether they hold a packet;
// nil: all do. It fails with ErrLimit and the context's error.
func (q *Sequence) Reach(ctx context.Context, b Box, meeting []int32, to int, some func(Box) bool, l Limits) (Reached, error) {
	r := reacher{to: int32(to), some: some, by: map[int32]struct{}{}}
	r.w = walker{q: q, ctx: ctx, box: slices.Clone(b), ask: Question{Limits: l}}
	r.visit(meeting)
	out := Reached{Found: r.found, More: r.more, Steps: r.w.steps}
	for i := range r.by {
		out.By = append(out.By, i)
	}
	slices.Sort(out.By)
	return out, r.w.err
}

type reacher struct {
	w     walker
	to    int32
	some  func(Box) bool
	found Box
	by    map[int32]struct{}
	more  bool
}

// visit looks at the box; on is false when the search is over.
func (r *reacher) visit(items []int32) (on bool) {
	w := &r.w
	if w.steps++; w.over() {
		return false
	}
	q := w.q
	kept := items[:0]
	var skipTo, unsure int32 // what is skipped for certain, and what may be
	large, share := int32(-1), 0.0
	for _, i := range items {
		next := q.Items[i].Next
		if i < skipTo || next == i+1 { // skipped, or does nothing
			continue
		}
		past := next == 0 || next > r.to
		if i >= unsure && q.covers(i, w.box) {
			if past {
				r.name(i)
				return true
			}
			skipTo = next
			continue
		}
		kept = append(kept, i)
		if !past {
			unsure = max(unsure, next)
			continue
		}
		if s := w.share(i); s > share || large < 0 {
			large, share = i, s
		}
	}
	if large < 0 { // nothing is left that takes a packet
		if r.some == nil || r.some(w.box) {
			r.found = slices.Clone(w.box)
			return false
		}
		return true
	}
	p := r.cut(kept, large)
	old := w.box[p.d]
	halves := [2]Span{{old.Lo, p.at - 1}, {p.at, old.Hi}}
	var parts [2][]int32
	var density [2]float64
	for k, half := range halves {
		parts[k] = w.get()
		for _, i := range kept {
			if h := q.hulls[int(i)*len(w.box)+p.d]; h.Lo <= half.Hi && h.Hi >= half.Lo {
				parts[k] = append(parts[k], i)
				if n := q.Items[i].Next; n == 0 || n > r.to {
					w.box[p.d] = half
					density[k] += w.share(i)
				}
			}
		}
	}
	w.box[p.d] = old
	first := 0
	if density[1] < density[0] {
		first = 1
	}
	w.held += int64(len(parts[0]) + len(parts[1]))
	for k := range 2 {
		half := first ^ k
		w.box[p.d] = halves[half]
		if on = r.visit(w.withoutGaps(parts[half], p.d)); !on {
			break
		}
	}
	w.held -= int64(len(parts[0]) + len(parts[1]))
	w.free = append(w.free, parts[0][:0], parts[1][:0])
	w.box[p.d] = old
	return on
}

// name takes note of an item that takes all packets of a part.
func (r *reacher) name(i int32) {
	if _, ok := r.by[i]; ok {
		return
	}
	if len(r.by) == mostBy {
		r.more = true
		return
	}
	r.by[i] = struct{}{}
}

// cut returns where to cut: at a bound of the item that takes most, or of a skip
// that covers the box, where nothing else can be cut.
func (r *reacher) cut(items []int32, large int32) place {
	w := &r.w
	var room [mostCuts]place
	places := w.bounds(room[:0], large)
	if len(places) == 0 { // it covers the box, behind what may skip it
		for _, i := range items {
			if places = w.bounds(places, i); len(places) > 0 {
				break
			}
		}
	}
	best, least := places[0], -1.0
	for _, p := range places {
		c := w.cost(items, p)
		if least < 0 || c < least {
			best, least = p, c
		}
	}
	return best
}
