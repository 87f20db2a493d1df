package policy

// Which rules could go, one at a time and one after another, without a packet
// being decided otherwise.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/region"
	"github.com/hipac-go/classifier/rules"
)

// mostDrawn is the number of packets that are drawn before the boxes are walked, of a
// rule that calls others.
const mostDrawn = 512

// judged reports whether a rule may be said to be redundant: it does nothing but
// decide, or lead elsewhere.
func (s *subject) judged() bool {
	return s.kind != rules.Pass && !s.effect
}

// unneeded looks for rules that could go, each by itself.
func (l *lint) unneeded() error {
	return l.each(func(h *helper, s *subject) ([]Finding, error) {
		if s.state != live || !s.judged() || l.callsNothing(s) {
			return nil, nil
		}
		needed, gaveUp, err := l.needed(h, s, nil)
		s.tried = gaveUp
		if err != nil || gaveUp || needed {
			return nil, err
		}
		f := Finding{Code: Redundant, Severity: Warning, Rules: []rules.Place{s.at}, Fix: "remove it"}
		f.Witness = l.witness(s.box)
		var same []int32
		policy := l.sameBehind(h, s, &same)
		f.Others, f.More = l.named(same)
		switch {
		case len(f.Others) == 0 && policy:
			f.Text = fmt.Sprintf("without it packets are decided alike, by what is said where no rule decides: %s", l.fs[s.way.fn].end)
		case len(f.Others) == 0:
			f.Text = "without it packets are decided alike"
		default:
			f.Text = fmt.Sprintf("without it packets are decided alike, by %s", l.names(f.Others, f.More))
			if policy {
				f.Text += " and where no rule decides"
			}
		}
		return []Finding{f}, nil
	})
}

// callsNothing reports whether a rule jumps to a chain without rules.
func (l *lint) callsNothing(s *subject) bool {
	t := l.fs[0].table
	return t != nil && s.kind == rules.Jump && t.Chains[t.Chains[s.at.Chain].Rules.At(s.at.Rule).Value.Chain].Rules.Len() == 0
}

// mark sets the rule's items in out, and mark(false) clears them.
func (l *lint) mark(out [][]bool, s *subject, to bool) {
	for _, w := range s.ways {
		for i, end := l.span(w); i < end; i++ {
			out[w.fn][i] = to
		}
	}
}

// decided returns what an item of a function decides.
func (l *lint) decided(fn, item int32) int32 {
	if item == region.None {
		return l.seqs[fn].EndA
	}
	return l.seqs[fn].Items[item].Value
}

// needed reports whether some packet would be decided otherwise without the rule,
// in a rule set without the items that are gone. It keeps the packet.
func (l *lint) needed(h *helper, s *subject, gone [][]bool) (needed, gaveUp bool, err error) {
	if l.alone(s) {
		s.proven, s.single = true, true
		return true, false, nil
	}
	l.mark(h.out, s, true)
	defer l.mark(h.out, s, false)
	goneOf := func(fn int32) []bool {
		if gone == nil {
			return nil
		}
		return gone[fn]
	}
	try := func(w wayRef, p region.Point) bool {
		q := l.seqs[w.fn]
		h.scratch = q.At(p, len(q.Items), h.scratch[:0])
		a, b := q.Decides(h.scratch, goneOf(w.fn), nil), q.Decides(h.scratch, goneOf(w.fn), h.out[w.fn])
		if l.decided(w.fn, a) == l.decided(w.fn, b) {
			return false
		}
		s.point, s.way, s.next, s.proven = slices.Clone(p), w, b, true
		return true
	}
	if s.point != nil && l.possible(s.point) && try(s.way, s.point) {
		return true, false, nil
	}
	for _, w := range s.ways {
		parts, err := l.acting(w)
		if err != nil {
			return false, false, err
		}
		// Packets of all parts, before one part is walked.
		for k := range manyPoints {
			for _, b := range parts[:min(len(parts), max(1, mostDrawn/manyPoints))] {
				if k > 0 && len(parts) > 1 {
					b = parts[h.rng.IntN(len(parts))]
				}
				if p := h.draw(b); l.possible(p) && try(w, p) {
					return true, false, nil
				}
			}
		}
		q := l.seqs[w.fn]
		for _, b := range parts {
			meeting := q.Meeting(b, 0, len(q.Items))
			if gone != nil {
				meeting = slices.DeleteFunc(meeting, func(i int32) bool { return gone[w.fn][i] })
			}
			steps, err := q.Walk(l.ctx, b, meeting, region.Question{Out: h.out[w.fn], Limits: l.limits()}, func(b region.Box, _, _ int32) bool {
				if !l.holds(b) {
					return true
				}
				needed = try(w, h.inside(b))
				return !needed
			})
			if gaveUp, err := l.gaveUp(steps, err); gaveUp || err != nil || needed {
				return needed, gaveUp, err
			}
		}
	}
	return false, false, nil
}

// acting returns the packets that a rule decides, or takes elsewhere, if they get
// to it on a way: of one that jumps, those that rules of the chains match which it
// calls. The boxes of one rule are disjoint.
func (l *lint) acting(w wayRef) (out []region.Box, err error) {
	f := l.fs[w.fn]
	x := &f.ways[w.way]
	for i := x.from; i < x.to; i++ {
		s := &f.steps[i]
		if s.skip && s.next == int(i)+1 { // nothing comes of it
			continue
		}
		if x.to-x.from == 1 && s.at == x.at {
			return l.boxes(w)
		}
		boxes, err := l.boxesOf(s.at, slices.Concat(f.within, s.conds), s.tests)
		if err != nil {
			return nil, err
		}
		out = append(out, boxes...)
	}
	return out, nil
}

// alone reports whether nothing but the rule says what it says, in a list, so that
// it is needed where a packet gets to it.
func (l *lint) alone(s *subject) bool {
	if l.fs[0].table != nil || s.state != live {
		return false
	}
	f := l.fs[0]
	return l.counts[l.values[f.steps[f.ways[s.at.Rule].from].verdict]] == 1
}

// sameBehind gathers the rules that decide in place of one, as far as some
// packets show, and reports whether the end does.
func (l *lint) sameBehind(h *helper, s *subject, same *[]int32) (end bool) {
	l.mark(h.out, s, true)
	defer l.mark(h.out, s, false)
	look := func(w wayRef, p region.Point) {
		q := l.seqs[w.fn]
		h.scratch = q.At(p, len(q.Items), h.scratch[:0])
		a, b := q.Decides(h.scratch, nil, nil), q.Decides(h.scratch, nil, h.out[w.fn])
		switch {
		case a == b:
		case b == region.None:
			end = true
		default:
			*same = append(*same, l.index0(w.fn, b))
		}
	}
	if l.possible(s.point) {
		look(s.way, s.point)
	}
	for _, w := range s.ways {
		boxes, err := l.boxes(w)
		if err != nil {
			continue
		}
		for _, b := range boxes[:min(len(boxes), 8)] {
			for range 16 {
				if p := h.draw(b); l.possible(p) {
					look(w, p)
				}
			}
		}
	}
	return end
}

// reduce takes the rules that are not needed out, from the last to the first, and
// says how many are left. In a list one round is enough: what shows that a later
// rule is needed is decided by none of the earlier ones, whether they are there or
// not. Where rules skip others it is done until no more can go.
func (l *lint) reduce() error {
	if l.o.KeepAll {
		return nil
	}
	for _, q := range l.seqs {
		l.gone = append(l.gone, make([]bool, len(q.Items)))
	}
	h := l.helper()
	order := make([]int32, len(l.all))
	for i := range order {
		order[i] = int32(i)
	}
	// From the back, in the order in which packets come to them.
	slices.SortStableFunc(order, func(a, b int32) int {
		x, y := &l.all[a], &l.all[b]
		if len(x.ways) == 0 || len(y.ways) == 0 {
			return len(x.ways) - len(y.ways)
		}
		if x.ways[0].fn != y.ways[0].fn {
			return int(y.ways[0].fn - x.ways[0].fn)
		}
		return int(y.ways[0].way - x.ways[0].way)
	})
	list := !slices.ContainsFunc(l.seqs, (*region.Sequence).Skips) && l.fs[0].table == nil
	out := make([]bool, len(l.all))
	total := 0
	var gave bool
	for round := 0; ; round++ {
		before := total
		for n, i := range order {
			if n%1024 == 0 && l.ctx.Err() != nil {
				return l.ctx.Err()
			}
			s := &l.all[i]
			if out[i] {
				continue
			}
			needed, gaveUp, err := l.stays(h, s, list)
			if err != nil {
				return err
			}
			gave = gave || gaveUp
			if needed || gaveUp {
				continue
			}
			out[i] = true
			total++
			l.mark(l.gone, s, true)
		}
		if list || total == before {
			break
		}
	}
	if total == 0 {
		return nil
	}
	f := Finding{Code: Irredundant, Severity: Note, Left: len(l.all) - total, Fix: "remove them"}
	for i := range l.all {
		if out[i] {
			f.Others = append(f.Others, l.all[i].at)
		}
	}
	named := f.Others[:min(len(f.Others), l.o.Named)]
	f.Text = fmt.Sprintf("%d of %d rules would be left without those that are not needed, taken out one after another from the last: %s",
		f.Left, len(l.all), l.names(named, len(f.Others)-len(named)))
	if gave {
		f.Text += "; there may be more"
	}
	return l.found(f)
}

// stays reports whether a rule is needed in what is left.
func (l *lint) stays(h *helper, s *subject, list bool) (needed, gaveUp bool, err error) {
	switch {
	case s.state == unsolved || s.tried:
		return true, true, nil
	case s.state == isNever || s.state == isOutside || len(s.ways) == 0:
		return false, false, nil
	case list && s.state == dead: // what hides it is in front of it, and still there
		return false, false, nil
	case !s.judged():
		return true, false, nil
	case list && s.single, list && s.proven && (s.next == region.None || !l.gone[s.way.fn][s.next]):
		return true, false, nil
	}
	return l.needed(h, s, l.gone)
}
