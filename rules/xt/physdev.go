package xt

// Match physdev: the ports of a bridge that a packet goes through.

import "github.com/hipac-go/classifier/rules"

// PhysdevMatch asks for a packet's way through a bridge. nil parts are not
// asked.
//
// The port that a packet leaves by is known of bridged packets only, and in
// Linux behind the bridge's decision: in FORWARD and POSTROUTING. To the match
// a packet is bridged when it is known.
//
// A packet that has not been in a bridge meets it when all that is asked is
// negated. Of one that has, In is not asked when the port is not known, and
// Out does not hold then, negated or not.
type PhysdevMatch struct {
	In, Out              *NameRange
	IsIn, IsOut, Bridged *bool // whether there is a port on that side, and whether it is bridged
}

// NameRange is the range of names that a name, or its beginning with a "+"
// behind it, stands for.
type NameRange struct {
	Names rules.Interval
	Not   bool
}

func (r *NameRange) holds(v rules.Value) bool { return r.Names.Contains(v) != r.Not }

// Test returns the test. It needs packet.Env.Bridge.
func (m PhysdevMatch) Test() rules.Test { return &m }

// Ask implements rules.Test.
func (m *PhysdevMatch) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil || t.Packet.Env == nil || t.Packet.Env.Bridge == nil {
		return rules.Unsure, "physdev"
	}
	b := t.Packet.Env.Bridge
	none := rules.Value{}
	out := b.Out
	if !b.Bridged {
		out = none
	}
	is := func(want *bool, is bool) bool { return want == nil || *want == is }
	if !is(m.IsIn, b.In != none) || !is(m.IsOut, out != none) || !is(m.Bridged, out != none) {
		return rules.No, ""
	}
	if b.In == none && out == none {
		return answer((m.In == nil || m.In.Not) && (m.Out == nil || m.Out.Not)), ""
	}
	if m.In != nil && b.In != none && !m.In.holds(b.In) {
		return rules.No, ""
	}
	return answer(m.Out == nil || out != none && m.Out.holds(out)), ""
}
