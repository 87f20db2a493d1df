package histories

// Edits, in the live list and in the model at once, and those that must fail.

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// touch notes a rule for packets to be aimed at, and where it is.
func (x *run) touch(e *entry, at int) {
	if len(x.touched) < 64 {
		x.touched = append(x.touched, e.pool)
	}
	x.at = at
}

// insert is an insertion that was made, or was not.
func (x *run) insert(at int, e *entry, given, id rules.ID, err error) error {
	m := x.m
	switch {
	case given != 0 && m.find(given) >= 0:
		x.report.Failed++
		if !errors.Is(err, rules.ErrDuplicateID) {
			return fmt.Errorf("a used identity: got %v", err)
		}
		return nil
	case err != nil:
		return err
	case given != 0 && id != given:
		return fmt.Errorf("got identity %d, want %d", id, given)
	case given == 0 && (id == 0 || m.find(id) >= 0 || m.spent(id)):
		return fmt.Errorf("identity %d had been given out before", id)
	}
	e.id = id
	if !m.had[id] {
		m.had[id] = true
		x.given = append(x.given, id)
	}
	m.list = slices.Insert(m.list, at, e)
	m.last = at
	x.change.Inserted++
	x.touch(e, at)
	return nil
}

// edit makes an edit. The error is a difference.
func (x *run) edit(tx *hipac.Tx[int], e *Edit) error {
	m, n := x.m, len(x.m.list)
	if n == 0 && e.Op >= InsertBefore && e.Op < Flush {
		if err := x.wrong(tx, e); err != nil {
			return fmt.Errorf("in an empty list: %w", err)
		}
		return nil
	}
	at := e.At
	if e.Near {
		at += m.last
	}
	if e.Op == InsertAt {
		at = within(at, n+1)
	} else if n > 0 {
		at = within(at, n)
	}
	var err error
	switch e.Op {
	case Append, InsertAt, InsertBefore, InsertAfter:
		w := m.entry(e.Rule)
		r := m.rule(w)
		r.ID = e.ID
		var id rules.ID
		switch e.Op {
		case Append:
			at = n
			id, err = tx.Append(r)
		case InsertAt:
			id, err = tx.InsertAt(at, r)
		case InsertBefore:
			id, err = tx.InsertBefore(m.list[at].id, r)
		default:
			id, err = tx.InsertAfter(m.list[at].id, r)
			at++
		}
		err = x.insert(at, w, e.ID, id, err)
	case Delete:
		w := m.list[at]
		err = tx.Delete(w.id)
		m.list = slices.Delete(m.list, at, at+1)
		x.gone = w.id
		x.change.Deleted++
		x.touch(w, at)
	case Replace, Revalue:
		was := m.list[at]
		w := m.entry(e.Rule)
		if e.Op == Revalue {
			w.pool, w.cont = was.pool, was.cont != (e.To%4 == 0)
		}
		w.id, w.hits = was.id, was.hits
		r := m.rule(w)
		r.ID = rules.ID(e.To) // does not count
		err = tx.Replace(was.id, r)
		m.list[at] = w
		x.change.Replaced++
		x.touch(was, at)
		x.touch(w, at)
	case MoveTo, MoveBefore, MoveAfter:
		err = x.move(tx, e.Op, at, within(e.To, n))
	case Flush:
		err = tx.Flush()
		x.change.Deleted += n
		m.list = nil
	default:
		err = x.wrong(tx, e)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.Op, err)
	}
	return x.inside(tx)
}

// move moves a rule.
func (x *run) move(tx *hipac.Tx[int], op Op, from, to int) (err error) {
	m := x.m
	w, other := m.list[from], m.list[to]
	switch op {
	case MoveTo:
		err = tx.MoveTo(w.id, to)
	case MoveBefore:
		err = tx.MoveBefore(w.id, other.id)
	default:
		err = tx.MoveAfter(w.id, other.id)
	}
	if op != MoveTo && w == other {
		return err
	}
	m.list = slices.Delete(m.list, from, from+1)
	if op != MoveTo {
		to = slices.Index(m.list, other)
		if op == MoveAfter {
			to++
		}
	}
	m.list = slices.Insert(m.list, to, w)
	m.last = to
	x.change.Moved++
	x.touch(w, to)
	x.touch(other, to)
	return err
}

// inside compares what the transaction sees of itself.
func (x *run) inside(tx *hipac.Tx[int]) error {
	n := len(x.m.list)
	if tx.Len() != n {
		return fmt.Errorf("the transaction sees %d rules, want %d", tx.Len(), n)
	}
	for _, at := range []int{x.at, x.r.IntN(n + 1)} {
		if at >= n {
			continue
		}
		want := x.m.list[at]
		r, err := tx.At(at)
		if err != nil || r.ID != want.id || r.Value != want.value || r.Continue != want.cont {
			return fmt.Errorf("the transaction sees at %d: %v, %v, want %v", at, r, err, *want)
		}
		if p, err := tx.Position(want.id); p != at || err != nil {
			return fmt.Errorf("the transaction sees %d at %d, %v, want %d", want.id, p, err, at)
		}
		if r, err := tx.Rule(want.id); err != nil || r.Value != want.value {
			return fmt.Errorf("the transaction sees as %d: %v, %v, want %v", want.id, r, err, *want)
		}
	}
	return nil
}

// wrong makes an edit that must fail.
func (x *run) wrong(tx *hipac.Tx[int], e *Edit) error {
	x.report.Failed++
	s, n := x.h.Schema, len(x.m.list)
	no := x.gone // an identity that no rule has
	if no == 0 || x.m.find(no) >= 0 {
		no = 0
		if e.To%2 != 0 {
			no = 1 << 50
		}
	}
	some := no // one that a rule has, if there are any
	if n > 0 {
		some = x.m.list[within(e.At, n)].id
	}
	good := x.m.rule(x.m.entry(e.Rule))
	bad := good
	bad.Conds = append(slices.Clip(bad.Conds), rules.In(s.Len(), rules.Point(0)))
	if s.Len() > 0 && e.Rule%2 == 0 {
		f := e.Rule % s.Len()
		bad.Conds[len(bad.Conds)-1] = []rules.Cond{
			rules.In(f, rules.Span(2, 1)),
			rules.Cond{}.On(f),
			rules.In(f, rules.Interval{Hi: rules.Ones(128)}, rules.Point(0)).On(f),
		}[e.Rule/2%3]
		if s.Field(f).Bits == 128 && e.Rule/2%3 == 2 {
			bad.Conds[len(bad.Conds)-1] = rules.Cond{}
		}
	}
	var errs []error
	var want error
	add := func(_ rules.ID, err error) { errs = append(errs, err) }
	switch within(e.To, 6) {
	case 0: // no such rule
		want = hipac.ErrNoRule
		add(tx.InsertBefore(no, good))
		add(tx.InsertAfter(no, good))
		_, err := tx.Rule(no)
		_, err2 := tx.Position(no)
		errs = append(errs, err, err2, tx.Delete(no), tx.Replace(no, good))
	case 1:
		want = hipac.ErrNoRule
		errs = append(errs, tx.MoveTo(no, 0), tx.MoveBefore(no, some), tx.MoveAfter(no, some),
			tx.MoveBefore(some, no), tx.MoveAfter(some, no), tx.MoveBefore(no, no))
	case 2: // no such position
		want = hipac.ErrPosition
		add(tx.InsertAt(-1, good))
		add(tx.InsertAt(n+1, good))
		_, err := tx.At(n)
		_, err2 := tx.At(-1)
		errs = append(errs, err, err2)
		if n > 0 {
			errs = append(errs, tx.MoveTo(some, n), tx.MoveTo(some, -1))
		}
	case 3: // a used identity
		want = rules.ErrDuplicateID
		good.ID = some
		if n > 0 {
			add(tx.Append(good))
			add(tx.InsertAt(n/2, good))
			add(tx.InsertBefore(some, good))
			add(tx.InsertAfter(some, good))
		}
	default: // a condition that does not fit
		add(tx.Append(bad))
		add(tx.InsertAt(n, bad))
		if n > 0 {
			add(tx.InsertBefore(some, bad))
			add(tx.InsertAfter(some, bad))
			errs = append(errs, tx.Replace(some, bad))
		}
	}
	for i, err := range errs {
		if err == nil || want != nil && !errors.Is(err, want) {
			return fmt.Errorf("mistake %d, call %d: got %v, want %v", within(e.To, 6), i, err, want)
		}
	}
	return nil
}
