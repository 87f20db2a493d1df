package hipac

// A whole new list for a live one: the smallest set of edits is found, and made
// in one transaction, so that rules that stay keep identities and counters.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// ErrSchema means rules of another schema than that of the live list.
var ErrSchema = errors.New("the rules are of another schema")

// Applied is what Apply has changed, or DryApply would change.
type Applied struct {
	Change
	// Kept is the number of rules that stay as and where they are.
	Kept int
	// Script is the edits, as rules.DiffFunc finds them.
	Script *rules.Script
	// IDs are the identities of the new list's rules by position. Of a dry run
	// they are those of the script: 0 for new rules that were given none.
	IDs []rules.ID
	// From is the version that was compared, and Version the one that came of
	// it: From when nothing changed, and always in a dry run.
	From, Version uint64
}

// unlocked is how often lists are compared while others may edit, before they
// are kept waiting: whoever edits all the time would have it go on for ever.
const unlocked = 2

// Apply makes the live rules those of a new list, by the smallest set of edits
// (rules.DiffFunc) in one transaction. Rules that stay, move or are replaced keep
// their identities and counters. New rules have the identities that the new list
// was given for them (rules.List.GivenID), or fresh ones. The list is not changed.
//
// Values says which values are the same, such as rules.ComparableValues[T]();
// with the zero Values they do not count, and rules that stay keep the old one.
//
// The lists are compared while lookups and other edits go on, in time and memory
// in proportion to both. If others have edited meanwhile, they are compared
// again, the third time with the others kept waiting. Where more than an eighth
// of the rules change, the structure is built anew, which takes what NewLive does.
//
// On an error nothing has changed: ErrSchema when the new list is of another
// schema, since the keys of those who look up would not fit it; those of Commit;
// a Values with only one of its functions.
func (v *Live[T]) Apply(ctx context.Context, new *rules.List[T], values rules.Values[T]) (*Applied, error) {
	return v.apply(ctx, new, values, func(tx *Tx[T], a *Applied) error {
		before := tx.list.size()
		ids, err := tx.run(a.Script, new)
		if err != nil {
			return err
		}
		if a.Change, err = tx.result(ctx, before); err != nil {
			return err
		}
		tx.finish()
		a.IDs = ids
		a.Version++
		return nil
	})
}

// DryApply returns what Apply would do, and does nothing. Other edits wait for
// it as for Apply.
func (v *Live[T]) DryApply(ctx context.Context, new *rules.List[T], values rules.Values[T]) (*Applied, error) {
	return v.apply(ctx, new, values, func(tx *Tx[T], a *Applied) error {
		before := tx.list.size()
		_, err := tx.run(a.Script, new)
		if err == nil {
			a.Change, err = tx.result(ctx, before)
		}
		return err
	})
}

// apply finds the script, and has do apply it in a transaction.
func (v *Live[T]) apply(ctx context.Context, new *rules.List[T], values rules.Values[T], do func(*Tx[T], *Applied) error) (*Applied, error) {
	if new == nil {
		return nil, errors.New("no list of rules")
	}
	if !v.Schema().Equal(new.Schema()) {
		return nil, ErrSchema
	}
	var tx *Tx[T]
	var a *Applied
	for try := 0; ; try++ {
		if try == unlocked {
			tx = v.Begin()
			defer tx.Rollback()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := v.Snapshot()
		script, err := rules.DiffFunc(s.List(), new, values)
		if err != nil {
			return nil, err
		}
		a = &Applied{Kept: script.Kept, Script: script, IDs: script.IDs, From: s.Version(), Version: s.Version()}
		if script.Empty() {
			a.Rules = len(script.IDs)
			return a, nil
		}
		if tx != nil {
			break
		}
		tx = v.Begin()
		defer tx.Rollback()
		if v.Snapshot().Version() == a.From {
			break
		}
		tx.Rollback()
		tx = nil
	}
	if err := do(tx, a); err != nil {
		return nil, err
	}
	return a, nil
}

// run makes the edits of a script from the rules of the transaction to the new
// list, and returns the identities of the new list's rules by position. An error
// may leave some of the edits made.
func (e *ListEdit[T]) run(s *rules.Script, new *rules.List[T]) ([]rules.ID, error) {
	if e.list == nil {
		return nil, ErrDone
	}
	// Fresh identities are none of those that are given further down, nor of rules
	// that go: whoever compares them would take a new rule for an old one.
	for i := range new.Len() {
		if new.GivenID(i) {
			e.list.ids.reserve(new.At(i).ID)
		}
	}
	list, were := e.list, map[rules.ID]bool(nil)
	list.avoid = func(id rules.ID) bool {
		if were == nil {
			were = list.known()
		}
		i := new.Position(id)
		return were[id] || i >= 0 && new.GivenID(i)
	}
	defer func() { list.avoid = nil }()
	if e.list.many(len(s.Edits)) {
		return e.exchange(s, new)
	}
	return s.Apply(&scriptEdits[T]{e, new})
}

// scriptEdits makes the edits of a script one by one.
type scriptEdits[T any] struct {
	*ListEdit[T]
	new *rules.List[T]
}

func (e *scriptEdits[T]) Insert(behind rules.ID, position int, id rules.ID) (rules.ID, error) {
	r := copied(e.new.At(position))
	r.ID = id
	if behind == 0 {
		return e.InsertAt(0, r)
	}
	return e.InsertAfter(behind, r)
}

func (e *scriptEdits[T]) Move(rule, behind rules.ID, _ int) error {
	if behind == 0 {
		return e.MoveTo(rule, 0)
	}
	return e.MoveAfter(rule, behind)
}

func (e *scriptEdits[T]) Replace(rule rules.ID, position int) error {
	return e.ListEdit.Replace(rule, copied(e.new.At(position)))
}

// copied returns a rule with conditions of its own: the conditions of a list lie
// in large pieces, which a rule that stays when others go would keep.
func copied[T any](r *rules.Rule[T]) rules.Rule[T] {
	c := *r
	c.Conds = slices.Clone(r.Conds)
	return c
}

// newCopy returns a new member of a rule, which is not among the basics: the commit
// makes these anew.
func (w *editList[T]) newCopy(r *rules.Rule[T], id rules.ID) *member[T] {
	c := copied(r)
	c.ID = id
	return w.newMember(c, w.scratch())
}

// exchange does what a script does at once: the order of the rules is made anew,
// of the members that stay and of new ones, and the tree will be.
func (e *ListEdit[T]) exchange(s *rules.Script, new *rules.List[T]) ([]rules.ID, error) {
	w := e.list
	if had := s.Deleted + len(s.IDs) - s.Inserted; had != w.order.Len() {
		return nil, fmt.Errorf("a script for %d rules, and there are %d", had, w.order.Len())
	}
	type fate uint8
	const (
		stays fate = iota
		replaced
		inserted
	)
	fates := make([]fate, new.Len())
	var deleted []rules.ID
	for _, x := range s.Edits {
		switch x.Op {
		case rules.DeleteRule:
			deleted = append(deleted, x.ID)
		case rules.InsertRule:
			fates[x.New] = inserted
		case rules.ReplaceRule:
			fates[x.New] = replaced
		}
	}
	for i := range fates {
		r := new.At(i)
		if fates[i] != stays {
			if err := cmp.Or(r.Check(w.schema), e.check(r)); err != nil {
				return nil, e.wrap(fmt.Errorf("rule %d: %w", i+1, err))
			}
		}
		if fates[i] != inserted {
			if _, err := e.label(s.IDs[i]); err != nil {
				return nil, err
			}
		}
	}
	for _, id := range deleted {
		if _, err := e.label(id); err != nil {
			return nil, err
		}
	}

	ids := make([]rules.ID, new.Len())
	list := make([]*member[T], new.Len())
	var taken []uint32
	var changed [][2]*rules.Rule[T] // was and is
	bytes := int64(0)
	for i := range list {
		id := s.IDs[i]
		if fates[i] == inserted {
			if id == 0 {
				id = w.ids.free(w.avoid)
				w.ids.reserve(id)
			}
			list[i] = w.newCopy(new.At(i), id)
			if w.counters != nil {
				w.count(list[i])
				taken = append(taken, list[i].counter)
			}
			changed = append(changed, [2]*rules.Rule[T]{nil, list[i].rule})
		} else {
			label, _ := w.ids.get(id)
			list[i] = w.order.Get(label).asBasic()
			if fates[i] == replaced {
				was := list[i]
				list[i] = w.newCopy(new.At(i), id)
				list[i].counter = was.counter
				changed = append(changed, [2]*rules.Rule[T]{was.rule, list[i].rule})
			}
		}
		ids[i] = id
		bytes += list[i].rule.Bytes()
	}
	n, err := w.arrange(list)
	if err != nil {
		for _, c := range taken {
			w.counters.Free(c)
		}
		return nil, err
	}
	for _, id := range deleted {
		label, _ := w.ids.get(id)
		m := w.order.Get(label)
		if w.counters != nil {
			w.freed = append(w.freed, m.counter)
		}
		e.changed(m.rule, nil)
	}
	for _, x := range changed {
		e.changed(x[0], x[1])
	}
	w.taken = append(w.taken, taken...)
	w.adopt(n)
	w.edits += len(s.Edits)
	w.stale = true
	e.bytes = bytes
	e.change.Deleted += s.Deleted
	e.change.Inserted += s.Inserted
	e.change.Moved += s.Moved
	e.change.Replaced += s.Replaced
	return ids, nil
}
