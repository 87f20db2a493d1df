package xt

// Match ipvs: the connection to a virtual server that a packet belongs to.

import "github.com/hipac-go/classifier/rules"

// IPVSMatch asks for the packet's connection to a virtual server. nil parts
// are not asked; any of them that is asked wants that there is a connection,
// negated or not.
type IPVSMatch struct {
	// Is asks whether there is a connection; it does not count when anything
	// else is asked.
	Is      *bool
	Proto   *IDRange
	Addr    *MaskedAddr
	Port    *IDRange
	Reply   *bool
	Method  *IDRange // as in packet.IPVS
	Control *IDRange // port of the controlling connection
}

// Test returns the test. It needs packet.Env.IPVS.
func (m IPVSMatch) Test() rules.Test { return &m }

// Ask implements rules.Test.
func (m *IPVSMatch) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil || t.Packet.Env == nil || t.Packet.Env.IPVS == nil {
		return rules.Unsure, "ipvs"
	}
	c := t.Packet.Env.IPVS
	if m.Proto == nil && m.Addr == nil && m.Port == nil && m.Reply == nil && m.Method == nil && m.Control == nil {
		return answer(m.Is == nil || *m.Is == c.Found), ""
	}
	id := func(r *IDRange, id uint32) bool { return r == nil || r.holds(id) }
	control := m.Control == nil || m.Control.Not
	if m.Control != nil && c.Control != 0 {
		control = m.Control.holds(uint32(c.Control))
	}
	return answer(c.Found && id(m.Proto, uint32(c.Proto)) && id(m.Port, uint32(c.Port)) && control && id(m.Method, uint32(c.Method)) &&
		(m.Reply == nil || *m.Reply == c.Reply) && (m.Addr == nil || m.Addr.holds(&c.Addr))), ""
}
