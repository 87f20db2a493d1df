package xt

// Sets of addresses and ports (package ipset): asked of as they were read, or,
// when rules change them or they change by themselves, as live copies that
// belong to the State.

import (
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
)

// needsSetState is what is missing without a State.
const needsSetState = "the memory of earlier packets"

// UseSets has live copies be made of these sets from now on, also for rules that
// were read with others, and forgets those that there are: the sets have been read
// anew. A name that they do not have is looked up in the rule's own sets.
func (s *State) UseSets(from *ipset.Sets) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets, s.from = nil, from
}

// live returns the live copy of the named set, made of the one in from on
// first use, or nil when there is none. The lock must be held.
func (s *State) live(from *ipset.Sets, name string, now time.Time) *ipset.Set {
	set := s.sets[name]
	if set != nil {
		return set
	}
	var first *ipset.Set
	if s.from != nil {
		first = s.from.Find(name)
	}
	if first == nil {
		first = from.Find(name)
	}
	if first != nil {
		set = first.Clone(now)
		if s.sets == nil {
			s.sets = map[string]*ipset.Set{}
		}
		s.sets[name] = set
	}
	return set
}

// with calls f with the live copy of the named set, the time, and the way to
// other sets, under the State's lock. It returns what is missing when there is
// no State, or no such set.
func (s *State) with(from *ipset.Sets, name string, f func(set *ipset.Set, now time.Time, sets func(string) *ipset.Set)) string {
	if s == nil {
		return needsSetState
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.live(from, name, now)
	if set == nil {
		return "set " + name
	}
	f(set, now, func(other string) *ipset.Set { return s.live(from, other, now) })
	return ""
}

// Set returns a copy of a live set as it is now, or of the one in from when no
// packet has come to it yet; nil when there is none.
func (s *State) Set(from *ipset.Sets, name string) (out *ipset.Set) {
	s.with(from, name, func(set *ipset.Set, now time.Time, _ func(string) *ipset.Set) { out = set.Clone(now) })
	return out
}

// AddToSet adds the packet to the live copy of a set, see ipset.Set.Add. The
// text says what is missing: "set NAME".
func (t *Traversal) AddToSet(from *ipset.Sets, name string, d ipset.Directions, timeout *time.Duration, renew bool) (c ipset.Change, missing string) {
	missing = t.State.with(from, name, func(set *ipset.Set, now time.Time, sets func(string) *ipset.Set) {
		c = set.Add(&t.Packet, d, timeout, renew, now, sets)
	})
	return c, missing
}

// DeleteFromSet takes the packet out of the live copy of a set.
func (t *Traversal) DeleteFromSet(from *ipset.Sets, name string, d ipset.Directions) (c ipset.Change, missing string) {
	missing = t.State.with(from, name, func(set *ipset.Set, now time.Time, sets func(string) *ipset.Set) {
		c = set.Del(&t.Packet, d, now, sets)
	})
	return c, missing
}

// AskSet asks the live copy of a set, and returns a copy of the entry that
// says yes.
func (t *Traversal) AskSet(from *ipset.Sets, name string, q *ipset.Query) (in bool, e ipset.Entry, missing string) {
	absent := t.State.with(from, name, func(set *ipset.Set, now time.Time, sets func(string) *ipset.Set) {
		var found *ipset.Entry
		if in, found, missing = set.Test(&t.Packet, q, now, sets); found != nil {
			e = *found
		}
	})
	if absent != "" {
		missing = absent
	}
	return in, e, missing
}

// InSet returns the test that the packet is in the named set, or is not in it
// when not is set. The set is asked as it stands in from when fixed is set:
// then it, and its members, must be static; else a live copy is.
func InSet(from *ipset.Sets, name string, q ipset.Query, not, fixed bool) rules.Test {
	return &inSet{from, from.Find(name), name, q, not, fixed}
}

type inSet struct {
	from       *ipset.Sets
	set        *ipset.Set
	name       string
	query      ipset.Query
	not, fixed bool
}

func (i *inSet) Ask(s rules.Subject) (rules.Outcome, string) {
	if i.set == nil {
		return rules.Unsure, "set " + i.name
	}
	t := of(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	in, missing := false, ""
	if i.fixed {
		in, _, missing = i.set.Test(&t.Packet, &i.query, time.Time{}, i.from.Find)
	} else {
		in, _, missing = t.AskSet(i.from, i.name, &i.query)
	}
	if missing != "" {
		return rules.Unsure, missing
	}
	return answer(in != i.not), ""
}
