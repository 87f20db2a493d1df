package region

// The walk over boxes of packets, cut until it is clear who decides on both sides.

import (
	"context"
	"errors"
)

// ErrLimit means that a walk was given up, for its limits.
var ErrLimit = errors.New("limit of the analysis exceeded")

// Limits bound a walk. 0 is no limit.
type Limits struct {
	Steps int64 // boxes
	// Held is the number of positions of items that the walk keeps on its way,
	// 4 bytes each.
	Held int64
}

// Leaf is given the boxes where the two sides differ: disjoint, each with the
// items that decide there, None where none does, Undecided where several may (see
// Question.Apart). It keeps no box without a
// copy, and returns false to end the walk. A box may hold no packet where the
// space has bits: see Space.Feasible.
type Leaf func(b Box, a, b2 int32) bool

// Question is what a walk is about. Zero fields are the whole sequence.
type Question struct {
	// Without are items that are in side A alone, although the sequence has them
	// on both: from Without[0] up to before Without[1].
	Without [2]int32
	// Out, where it is not nil, says for each item whether it is in side A alone,
	// as those of Without are.
	Out []bool
	// Alone gives the items of Without a value that nothing else has, so that the
	// sides differ wherever one of them decides.
	Alone bool
	// Const makes side B decide every packet with the value ConstValue.
	Const      bool
	ConstValue int32
	// Apart ends the walk of a box as soon as it is clear that the sides differ,
	// though not by which items: one of them is decided, and some item will decide on
	// the other, which cannot say the same.
	Apart  bool
	Limits Limits
}

const (
	aloneValue = -1 << 31
	someSteps  = 1 << 10 // between looks at the context
)

// Walk hands the boxes within b where the sides differ to leaf. meeting are the
// items that meet b: see Meeting. It returns the boxes that it looked at, and
// fails with ErrLimit or the context's error; a leaf that ends it is no error.
func (q *Sequence) Walk(ctx context.Context, b Box, meeting []int32, ask Question, leaf Leaf) (steps int64, err error) {
	w := walker{q: q, ctx: ctx, ask: ask, leaf: leaf, box: append(Box(nil), b...)}
	start := state{a: None, b: None}
	if ask.Const {
		start.b = constant
	}
	w.visit(meeting, start)
	return w.steps, w.err
}

const (
	// Undecided is in place of an item that is not known.
	Undecided = -3
	// constant is the item that decides on a side which is a constant.
	constant = -2
)

// state is how far both sides are: the item that decides, and the position
// from which items count.
type state struct {
	a, b         int32
	fromA, fromB int32
}

type walker struct {
	q     *Sequence
	ctx   context.Context
	ask   Question
	leaf  Leaf
	box   Box
	steps int64
	held  int64
	err   error
	free  [][]int32
}

// side returns the side of item i in this question.
func (w *walker) side(i int32) Side {
	if i >= w.ask.Without[0] && i < w.ask.Without[1] || w.ask.Out != nil && w.ask.Out[i] {
		return OnlyA
	}
	return w.q.Items[i].Side
}

// value returns what item i decides.
func (w *walker) value(i int32) int32 {
	if w.ask.Alone && i >= w.ask.Without[0] && i < w.ask.Without[1] {
		return aloneValue
	}
	return w.q.Items[i].Value
}

// decided returns what a side says that is decided by item i, or ended without.
func (w *walker) decided(i, end int32) int32 {
	switch i {
	case None:
		return end
	case constant:
		return w.ask.ConstValue
	}
	return w.value(i)
}

// counts reports for which of the sides item i still matters.
func (w *walker) counts(i int32, s state) (a, b bool) {
	side := w.side(i)
	return s.a == None && side != OnlyB && i >= s.fromA, s.b == None && side != OnlyA && i >= s.fromB
}

// visit walks the box; all is false when the walk is over.
func (w *walker) visit(items []int32, s state) (on bool) {
	if w.steps++; w.over() {
		return false
	}
	// Items that cover the box act, up to one that does not.
	for len(items) > 0 {
		i := items[0]
		a, b := w.counts(i, s)
		if a || b {
			if !w.q.covers(i, w.box) {
				break
			}
			s.act(i, w.q.Items[i].Next, a, b)
		}
		items = items[1:]
		if s.a != None && s.b != None {
			break
		}
	}
	if len(items) == 0 || s.a != None && s.b != None {
		if w.decided(s.a, w.q.EndA) == w.decided(s.b, w.q.EndB) {
			return true
		}
		return w.leaf(w.box, s.a, s.b)
	}
	first, last, alike, apart := w.foresee(items, s)
	if alike {
		return true
	}
	if apart {
		return w.leaf(w.box, orUndecided(s.a), orUndecided(s.b))
	}
	d, at := w.cut(items[:last], first, s)
	old := w.box[d]
	for half := range 2 {
		part := w.get()
		for _, i := range items[:last] {
			if a, b := w.counts(i, s); !a && !b {
				continue
			}
			h := w.q.hulls[int(i)*len(w.box)+d]
			if half == 0 && h.Lo < at || half == 1 && h.Hi >= at {
				part = append(part, i)
			}
		}
		if half == 0 {
			w.box[d] = Span{old.Lo, at - 1}
		} else {
			w.box[d] = Span{at, old.Hi}
		}
		part = w.withoutGaps(part, d)
		w.held += int64(len(part))
		on = w.visit(part, s)
		w.held -= int64(len(part))
		w.free = append(w.free, part[:0])
		if !on {
			break
		}
	}
	w.box[d] = old
	return on
}

func orUndecided(i int32) int32 {
	if i == None {
		return Undecided
	}
	return i
}

// act has item i act on the sides for which it counts.
func (s *state) act(i, next int32, a, b bool) {
	switch {
	case next != 0:
		if a {
			s.fromA = next
		}
		if b {
			s.fromB = next
		}
	default:
		if a {
			s.a = i
		}
		if b {
			s.b = i
		}
	}
}

// over reports whether the walk has to end.
func (w *walker) over() bool {
	if w.steps%someSteps == 0 && w.ctx.Err() != nil {
		w.err = w.ctx.Err()
	}
	if l := w.ask.Limits; l.Steps > 0 && w.steps > l.Steps || l.Held > 0 && w.held > l.Held {
		w.err = ErrLimit
	}
	return w.err != nil
}

// withoutGaps takes out the items whose union in dimension d has a gap where the
// box is.
func (w *walker) withoutGaps(items []int32, d int) []int32 {
	kept := items[:0]
	for _, i := range items {
		if len(w.q.unions[i]) == 0 || w.q.unionsMeet(i, w.box) {
			kept = append(kept, i)
		}
	}
	return kept
}

func (w *walker) get() []int32 {
	if n := len(w.free); n > 0 {
		s := w.free[n-1]
		w.free = w.free[:n-1]
		return s
	}
	return nil
}

// foresee looks for an early end: alike is true when both sides will be decided
// alike whatever becomes of the items, differ when the question is for that and one
// side will not say what the other has said. first is the first item by which the
// sides may come apart, -1 when they are apart; items from last on do not
// matter.
func (w *walker) foresee(items []int32, s state) (first, last int, alike, differ bool) {
	first = -1
	apart := s.a != None || s.b != None || s.fromA != s.fromB
	var values [2]struct {
		one, many bool
		value     int32
	}
	same := false // a side may say what the other one has said
	add := func(side int, v int32) {
		o := &values[side]
		if other := &values[1-side]; other.one && v == other.value {
			same = true
		}
		switch {
		case !o.one:
			o.one, o.value = true, v
		case o.value != v:
			o.many = true
		}
	}
	if s.a != None {
		add(0, w.decided(s.a, 0))
	}
	if s.b != None {
		add(1, w.decided(s.b, 0))
	}
	endA, endB := s.a != None, s.b != None // surely decided by the items so far
	var skipped int32                      // up to here an item may be skipped
	last = len(items)
	for k, i := range items {
		a, b := w.counts(i, s)
		if !a && !b {
			continue
		}
		next := w.q.Items[i].Next
		if !apart && first < 0 && a != b {
			first = k
		}
		matters := apart || first >= 0
		if matters && next == 0 {
			if a && !endA {
				add(0, w.value(i))
			}
			if b && !endB {
				add(1, w.value(i))
			}
		}
		if next > 0 {
			skipped = max(skipped, next)
		} else if i >= skipped && w.q.covers(i, w.box) {
			endA, endB = endA || a, endB || b
			if endA && endB {
				last = k + 1
				break
			}
		}
	}
	if !apart && first < 0 && (endA || w.q.EndA == w.q.EndB) {
		return first, last, true, false
	}
	if !endA {
		add(0, w.q.EndA)
	}
	if !endB {
		add(1, w.q.EndB)
	}
	same = same || !endA || !endB // nobody decides, or somebody: that is told apart
	alike = !values[0].many && !values[1].many && values[0].value == values[1].value
	return first, last, alike, w.ask.Apart && !alike && (s.a == None) != (s.b == None) && !same
}
