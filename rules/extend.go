package rules

// Extensions: what rules of chains ask and do beyond conditions on fields -
// tests that keep a state, read the payload or ask the system, and targets
// that change the packet or report it.

import "slices"

// Outcome is the answer of a test, or what came of a target.
type Outcome uint8

// The outcomes.
const (
	// No: the test does not hold; the target leaves the packet to later rules.
	No Outcome = iota
	// Yes: the test holds; the target is done, and the rule's action follows.
	Yes
	// DropNow: the packet is dropped at once. By a test, because it cannot be
	// read: without the rule counting as executed.
	DropNow
	// Unsure: nobody can say, for lack of something that the caller did not
	// supply.
	Unsure
	// DropBehind: the test holds, yet the packet is dropped because it cannot be
	// read. The rule counts and its target is applied if the others hold too.
	DropBehind
)

// Subject is a packet under evaluation. What tests and targets ask of it
// beyond its key they find by its type.
type Subject interface {
	// Key returns the packet's fields as they are now, a key of the schema of
	// the table that it entered last. It is valid until a target changes them.
	Key() Key
	// Enters reports whether the packet enters the table, and prepares for it:
	// a table of one family admits only its own, the nat table only what begins
	// a connection.
	Enters(*Table) bool
}

// Test is a match that conditions on fields cannot say. It is immutable and
// shared by goroutines; what it must remember belongs to the Subject.
type Test interface {
	// Ask answers for the packet. The text says what is missing when it is
	// Unsure ("owner"), and is empty otherwise.
	Ask(Subject) (Outcome, string)
}

// Target is what a rule does besides its verdict or jump. It is immutable and
// shared by goroutines.
type Target interface {
	// Apply does it, for the rule at the place. unsure is not empty when it is
	// not known whether the rule matches, and says for lack of what: then
	// nothing is done and the target only makes a note of it.
	Apply(s Subject, at Place, unsure string) (Outcome, string)
}

// Step is a test with the text of its match: "limit --limit 5/min".
type Step struct {
	Test Test
	Text string
	// Stateful says that asking changes what later packets see, so that the
	// test may be asked only of packets that reach it.
	Stateful bool
	// Changes says that asking may change the packet, fields that
	// Extension.Writes names. Such a test is Stateful too.
	Changes bool
	// Drops says that the test may drop the packet.
	Drops bool
}

// Demand is a header that a rule reads: packets that are cut inside it are
// dropped when the rule's conditions and tests in front of it hold.
type Demand struct {
	Bits  uint32 // of the field "hotdrop"
	Conds int    // number of the rule's conditions in front of it
	Tests int    // number of its tests
}

// Extension is what a rule asks and does beyond its conditions and its
// verdict. It is immutable.
type Extension struct {
	// Tests are asked in order once all conditions hold, until one does not.
	Tests []Step
	// Target is applied when the rule matches; nil: none.
	Target Target
	// Writes names the fields that Target, or asking Tests, may change: "mark",
	// "dscp". An unsure rule that changes fields makes the verdict Unknown.
	Writes []string
	// Demands are the headers that the rule reads, in order.
	Demands []Demand
}

// Ask asks the tests in order. A test that does not hold settles the matter
// even behind one that is unsure. A nil Extension says Yes.
func (e *Extension) Ask(s Subject) (Outcome, string) {
	if e == nil {
		return Yes, ""
	}
	return ask(e.Tests, s)
}

func ask(tests []Step, s Subject) (Outcome, string) { return askFrom(Yes, "", tests, s) }

// askFrom is ask behind conditions that hold, or, when result is Unsure, of
// which nobody knows for lack of what is missing.
func askFrom(result Outcome, missing string, tests []Step, s Subject) (Outcome, string) {
	drop := false
	for i := range tests {
		if result == Unsure && tests[i].Stateful { // it may not have been reached
			if tests[i].Changes {
				break // and nobody knows what those behind it would see
			}
			continue
		}
		switch o, needs := tests[i].Test.Ask(s); o {
		case No:
			if drop {
				return DropNow, ""
			}
			return No, ""
		case DropNow:
			if result == Yes {
				return DropNow, ""
			}
		case DropBehind:
			drop = drop || result == Yes
		case Unsure:
			if result == Yes {
				result, missing = Unsure, needs
			}
			if tests[i].Changes {
				return result, missing
			}
		}
	}
	switch {
	case drop && result == Yes:
		return DropBehind, ""
	case drop:
		return DropNow, ""
	}
	return result, missing
}

// Outcome asks the tests of rule r, whose conditions hold, and takes into
// account what is unknown of it.
func (e *Extension) Outcome(r *Rule[Action], s Subject) (Outcome, string) {
	if r.Unknown == "" {
		return e.Ask(s)
	}
	if e.TestsChange() {
		return Unsure, r.Unknown // nobody knows whether it is asked
	}
	o, needs := e.Ask(s)
	switch o {
	case Yes, Unsure:
		return Unsure, r.Unknown
	case DropBehind:
		return DropNow, ""
	}
	return o, needs
}

// TestsChange reports whether asking the tests may change fields of the
// packet, for later rules too when the rule does not match.
func (e *Extension) TestsChange() bool {
	return e != nil && slices.ContainsFunc(e.Tests, func(s Step) bool { return s.Changes })
}

// mayDrop reports whether a test of the rule may drop the packet.
func (e *Extension) mayDrop() bool {
	return e != nil && slices.ContainsFunc(e.Tests, func(s Step) bool { return s.Drops })
}

// Ends reports whether an answer Unsure to rule r makes the verdict Unknown: it
// decides or leads elsewhere, may change the packet, or may drop it.
func (e *Extension) Ends(r *Rule[Action]) bool { return !r.Continue || e.Changes() || e.mayDrop() }

// Changes reports whether the rule may change fields of the packet.
func (e *Extension) Changes() bool { return e != nil && len(e.Writes) > 0 }

// Plain reports whether the rule only counts or decides: nothing is asked of
// the packet beyond conditions, and nothing done.
func (e *Extension) Plain() bool { return e == nil || len(e.Tests) == 0 && e.Target == nil }

// Unreadable reports whether rule r of table t drops the packet because a
// header that it reads is cut.
func (e *Extension) Unreadable(t *Table, r *Rule[Action], s Subject) bool {
	if len(e.Demands) == 0 {
		return false
	}
	k := s.Key()
	hot := t.Schema.Hotdrop(k)
	if hot == 0 {
		return false
	}
	for _, d := range e.Demands {
		if d.Bits&hot == 0 {
			continue
		}
		if holdAll(r.Conds[:d.Conds], t.Schema, k) {
			if o, _ := ask(e.Tests[:d.Tests], s); o == Yes || o == DropBehind {
				return true
			}
		}
	}
	return false
}

func holdAll(conds []Cond, s *Schema, k Key) bool {
	for i := range conds {
		if !conds[i].Holds(s.Get(k, int(conds[i].field))) {
			return false
		}
	}
	return true
}
