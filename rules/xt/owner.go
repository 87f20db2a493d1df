package xt

// Match owner: who sends a packet.

import "github.com/hipac-go/classifier/rules"

// IDRange is a range of user or group numbers, both ends included.
type IDRange struct {
	Min, Max uint32
	Not      bool
}

func (r *IDRange) holds(id uint32) bool { return (r.Min <= id && id <= r.Max) != r.Not }

// OwnerMatch asks for the socket that sends a packet. nil parts are not asked.
//
// A packet without a socket meets it when all that is asked is negated. So
// does one whose socket has no file any more, as far as user and group go.
type OwnerMatch struct {
	User, Group *IDRange
	// Supplementary counts the groups that the sender is also in.
	Supplementary bool
	// Socket asks whether there is a socket: true, or false for none.
	Socket *bool
}

// Test returns the test. It needs packet.Env.Owner.
func (m OwnerMatch) Test() rules.Test { return &m }

// Ask implements rules.Test.
func (m *OwnerMatch) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil || t.Packet.Env == nil || t.Packet.Env.Owner == nil {
		return rules.Unsure, "owner"
	}
	o := t.Packet.Env.Owner
	negated := (m.User == nil || m.User.Not) && (m.Group == nil || m.Group.Not) // user and group, where they are asked
	if !o.Exists {
		return answer(negated && !m.Supplementary && (m.Socket == nil || !*m.Socket)), ""
	}
	if m.Socket != nil && !*m.Socket {
		return rules.No, ""
	}
	if !o.File {
		return answer(negated), ""
	}
	if m.User != nil && !m.User.holds(o.UID) {
		return rules.No, ""
	}
	return answer(m.Group == nil || m.group(o.GID, o.Groups)), ""
}

func (m *OwnerMatch) group(id uint32, more []uint32) bool {
	r := IDRange{m.Group.Min, m.Group.Max, false}
	in := r.holds(id)
	if m.Supplementary {
		for _, id := range more {
			in = in || r.holds(id)
		}
	}
	return in != m.Group.Not
}
