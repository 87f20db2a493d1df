package histories

// Whole lists: what a step's edits would make of the list is handed over as a new
// one, whose rules are to keep identities and counters.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// wanted returns the list that the edits of a step make, with identities for all
// old rules or for none.
func (x *run) wanted(s *Step) []*entry {
	m := x.m
	list := slices.Clone(m.list)
	given := len(s.Edits)%2 == 0
	for _, e := range s.Edits {
		n := len(list)
		at := 0
		if n > 0 {
			at = within(e.At, n)
		}
		switch {
		case e.Op.inserts() || n == 0:
			w := m.entry(e.Rule)
			if given && e.ID != 0 && e.ID < 1<<41 && m.find(e.ID) < 0 &&
				!slices.ContainsFunc(list, func(o *entry) bool { return o.id == e.ID }) {
				w.id = e.ID
			}
			list = slices.Insert(list, at, w)
		case e.Op == Delete:
			list = slices.Delete(list, at, at+1)
		case e.Op == Replace || e.Op == Revalue:
			w := m.entry(e.Rule)
			if e.Op == Revalue {
				w.pool, w.cont = list[at].pool, list[at].cont
			}
			w.id = list[at].id
			list[at] = w
		case e.Op == Flush:
			list = nil
		case e.Op != Wrong:
			w := list[at]
			list = slices.Insert(slices.Delete(list, at, at+1), within(e.To, n), w)
		}
	}
	for i, w := range list {
		if c := *w; !given {
			c.id = 0
			list[i] = &c
		} else if c.id == 0 {
			c.id = 1<<42 + rules.ID(c.value) // no other has it
			list[i] = &c
		}
	}
	return list
}

// apply hands a list over, and makes it that of the model.
func (x *run) apply(s *Step) error {
	m := x.m
	list := x.wanted(s)
	new, err := m.listOf(list)
	if err != nil {
		return err
	}
	do := x.live.Apply
	if s.End == DryApplied {
		do = x.live.DryApply
	}
	a, err := do(context.Background(), new, rules.ComparableValues[int]())
	switch {
	case x.overLimits(list):
		if !errors.Is(err, rules.ErrLimit) {
			return fmt.Errorf("%d rules: got %v, want a limit's error", len(list), err)
		}
		return nil
	case errors.Is(err, hipac.ErrMemoryLimit) && x.o.MemoryLimit > 0:
		return nil
	case err != nil:
		return err
	}
	if len(a.IDs) != len(list) || a.Rules != len(list) || a.From != x.version ||
		a.Inserted+a.Kept+a.Moved+a.Replaced < len(list) || len(m.list)+a.Inserted-a.Deleted != len(list) {
		return fmt.Errorf("%d rules become %d: got %+v", len(m.list), len(list), a.Change)
	}
	if s.End == DryApplied {
		return nil
	}
	if a.Version != x.version && a.Version != x.version+1 {
		return fmt.Errorf("version %d after %d", a.Version, x.version)
	}
	x.version = a.Version
	was := map[rules.ID]*entry{}
	for _, e := range m.list {
		was[e.id] = e
	}
	m.list = make([]*entry, len(list))
	for i, e := range list {
		id := a.IDs[i]
		old := was[id]
		delete(was, id)
		c := *e
		if c.id != 0 && c.id != id || c.id == 0 && old == nil && (id == 0 || m.spent(id)) {
			return fmt.Errorf("rule %d, which was given identity %d, got %d", i, c.id, id)
		}
		c.id, c.hits = id, &hits{}
		if old != nil {
			c.hits = old.hits
		}
		m.had[id] = true
		m.list[i] = &c
		if old == nil || old.pool != c.pool {
			x.touch(&c, i)
		}
	}
	return x.sameIDs()
}

// sameIDs requires that all identities differ.
func (x *run) sameIDs() error {
	seen := map[rules.ID]bool{}
	for _, e := range x.m.list {
		if seen[e.id] {
			return fmt.Errorf("two rules have identity %d", e.id)
		}
		seen[e.id] = true
	}
	return nil
}
