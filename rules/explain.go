package rules

// Explanations: what a rule asks of a packet, part by part, and what the packet
// has to say to it.

// Answer is one thing that a rule asks of a packet and what came of it.
type Answer struct {
	// Field is the name of the field that is compared, "" for a test.
	Field string
	// Wanted is the condition as ParseCond reads it, "dport=80,443", or the
	// test's text, "limit --limit 5/min".
	Wanted string
	// Got is the packet's value of the field; "" when it does not have it, and
	// for tests.
	Got string
	// Present says that the packet has the field; false for tests.
	Present bool
	// Outcome is Yes or No for conditions, or Unsure where a Partial lacks the
	// field; for a test whatever it said.
	Outcome Outcome
	// Asked is false for a test that was not asked, since asking it would
	// change what later packets see, or this packet. Outcome then means
	// nothing.
	Asked bool
	// Needs says what is missing when Outcome is Unsure.
	Needs string
}

// Explain says of each condition of the rule what a packet with the key k has
// to say to it. It takes a few allocations for each condition.
func (r *Rule[T]) Explain(s *Schema, k Key) []Answer {
	out := make([]Answer, 0, len(r.Conds))
	for i := range r.Conds {
		c := &r.Conds[i]
		f := s.Field(c.Field())
		v, present := s.Get(k, c.Field())
		a := Answer{Field: f.Name, Wanted: s.FormatCond(c), Present: present, Asked: true}
		if present {
			a.Got = f.FormatValue(v)
		}
		if c.Holds(v, present) {
			a.Outcome = Yes
		}
		out = append(out, a)
	}
	return out
}

// ExplainTests says what the tests of a rule have to say to the packet. Only
// those are asked that change neither what later packets see nor this one.
func (e *Extension) ExplainTests(s Subject) []Answer {
	if e == nil {
		return nil
	}
	out := make([]Answer, 0, len(e.Tests))
	for i := range e.Tests {
		a := Answer{Wanted: e.Tests[i].Text}
		if t := &e.Tests[i]; !t.Stateful && !t.Changes {
			a.Asked = true
			a.Outcome, a.Needs = e.Tests[i].Test.Ask(s)
		}
		out = append(out, a)
	}
	return out
}
