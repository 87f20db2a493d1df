package baselines

// What the rivals that are made for updates share: rules taken out and put back,
// box by box, and the best box of a partition while boxes come and go.
//
// A box is numbered in the order of the rules, so that a smaller number is a
// better answer, and a partition whose smallest box is no better than what was
// found already need not be searched.

import (
	"fmt"
	"slices"
)

// none is no box: it is worse than all.
const none = ^uint32(0)

// placer is a structure that single boxes are put into and taken out of.
type placer interface {
	place(b uint32)
	remove(b uint32)
}

// edits implements the updates of compare.Updater. Boxes stay in memory, lowered,
// while their rules are out: an insert is the work on the structure alone.
type edits struct {
	bx  *boxes
	out []bool // by position
}

func newEdits(bx *boxes) edits { return edits{bx, make([]bool, len(bx.of)-1)} }

func (e *edits) bytes() int64 { return int64(len(e.out)) }

func (e *edits) change(position int, out bool, f func(b uint32)) error {
	switch {
	case position < 0 || position >= len(e.out):
		return fmt.Errorf("rule %d: there are %d, counted from 0", position, len(e.out))
	case e.out[position] == out && out:
		return fmt.Errorf("rule %d is out already", position)
	case e.out[position] == out:
		return fmt.Errorf("rule %d is in already", position)
	}
	e.out[position] = out
	for b := e.bx.of[position]; b < e.bx.of[position+1]; b++ {
		f(b)
	}
	return nil
}

// delete and insert are Delete and Insert of an engine.
func (e *edits) delete(position int, p placer) error { return e.change(position, true, p.remove) }
func (e *edits) insert(position int, p placer) error { return e.change(position, false, p.place) }

// lowest knows the smallest of a changing set of boxes: a binary heap in which
// those that have left stay until they come to the top, or are most of it.
type lowest struct {
	heap []uint32
	live int
}

func (h *lowest) add(b uint32) {
	h.live++
	h.heap = append(h.heap, b)
	for i := len(h.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if h.heap[up] <= h.heap[i] {
			break
		}
		h.heap[up], h.heap[i] = h.heap[i], h.heap[up]
		i = up
	}
}

// drop takes one out that is no longer in, and returns the smallest of those
// that are, or none.
func (h *lowest) drop(in func(b uint32) bool) uint32 {
	h.live--
	if len(h.heap) > 2*h.live+64 {
		kept := h.heap[:0]
		for _, b := range h.heap {
			if in(b) {
				kept = append(kept, b)
			}
		}
		slices.Sort(kept) // a sorted array is a heap
		h.heap = slices.Compact(kept)
	}
	for len(h.heap) > 0 && !in(h.heap[0]) {
		last := len(h.heap) - 1
		h.heap[0] = h.heap[last]
		h.heap = h.heap[:last]
		for i := 0; ; {
			down := 2*i + 1
			if down+1 < last && h.heap[down+1] < h.heap[down] {
				down++
			}
			if down >= last || h.heap[i] <= h.heap[down] {
				break
			}
			h.heap[i], h.heap[down] = h.heap[down], h.heap[i]
			i = down
		}
	}
	if len(h.heap) == 0 {
		return none
	}
	return h.heap[0]
}

// reorder brings a partition whose best box has changed to its place among those
// that are in the order of their best boxes.
func reorder[P interface {
	comparable
	top() uint32
}](order []P, p P) {
	i := slices.Index(order, p)
	for i > 0 && order[i-1].top() > p.top() {
		order[i] = order[i-1]
		i--
	}
	for i+1 < len(order) && order[i+1].top() < p.top() {
		order[i] = order[i+1]
		i++
	}
	order[i] = p
}
