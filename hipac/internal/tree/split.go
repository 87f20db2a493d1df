package tree

// Splitting: how the entries of a node go into a table. Slots that hold the same
// entries are a run, and share a child; entries that touch too many go to the span.

import "github.com/hipac-go/classifier/hipac/internal/lower"

// run is a run of slots of a table that hold the same entries, and so share a
// child.
type run struct {
	first, end uint32  // slots
	own        []int32 // entries that are not in every slot
	child      int     // number of the subtree
}

// parting is how the entries of a node go into a table.
type parting struct {
	span   []int32 // into the span
	every  []int32 // into every slot
	some   []int32 // into some slots
	runs   []run
	copies int // entries of all runs
	total  int // entries in all children, the span included
}

// split parts the entries for the table c. The plan only estimates how many
// copies that makes; when it is more than extra, wide entries go to the span,
// one size class after another. It reports false when nothing is gained. It
// allocates no more than the copies that it may make.
func (b *Builder) split(entries []int32, spans []lower.Span, c cut, extra float64, spanOK bool) (parting, bool) {
	for ; ; c.keep-- {
		p := b.count(entries, spans, c)
		if len(p.span) == len(entries) || len(p.span) > 0 && !spanOK {
			return p, false
		}
		if float64(p.total) <= float64(len(entries))+extra {
			b.hand(&p, spans, c)
			return p, true
		}
	}
}

// count tells where the entries go, and finds the runs and what they come to; b.steps
// has the difference of their numbers of entries at the first slot of each.
func (b *Builder) count(entries []int32, spans []lower.Span, c cut) (p parting) {
	size := 1 << c.bits
	p.some = make([]int32, 0, len(entries))
	b.edges = append(b.edges[:0], make([]bool, size+1)...)
	b.steps = append(b.steps[:0], make([]int32, size+1)...)
	for _, e := range entries {
		s := spans[e]
		switch {
		case c.class(s) > c.keep:
			p.span = append(p.span, e)
		case s.Covers(c.hull):
			p.every = append(p.every, e)
		default:
			p.some = append(p.some, e)
			lo, hi := c.slots(s)
			b.edges[lo], b.edges[hi+1] = true, true
			b.steps[lo]++
			b.steps[hi+1]--
		}
	}
	p.total = len(p.span)
	own, empty := 0, 0
	for x := range size {
		own += int(b.steps[x])
		if x > 0 && !b.edges[x] {
			p.runs[len(p.runs)-1].end++
			continue
		}
		p.runs = append(p.runs, run{first: uint32(x), end: uint32(x) + 1})
		if p.copies += own; own > 0 {
			p.total += own + len(p.every)
		} else {
			empty = len(p.every)
		}
	}
	p.total += empty
	return p
}

// hand gives the runs their entries.
func (b *Builder) hand(p *parting, spans []lower.Span, c cut) {
	list := make([]int32, 0, p.copies)
	own := 0
	for i := range p.runs { // b.steps becomes the run of each slot
		r := &p.runs[i]
		own += int(b.steps[r.first])
		r.own = list[len(list) : len(list) : len(list)+own]
		list = list[:len(list)+own]
		for x := r.first; x < r.end; x++ {
			b.steps[x] = int32(i)
		}
	}
	for _, e := range p.some {
		lo, hi := c.slots(spans[e])
		for i := b.steps[lo]; i <= b.steps[hi]; i++ {
			p.runs[i].own = append(p.runs[i].own, e)
		}
	}
}

// merge returns the union of two ascending lists without common elements.
func merge(a, b []int32) []int32 {
	if len(b) == 0 {
		return a
	}
	out := make([]int32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
