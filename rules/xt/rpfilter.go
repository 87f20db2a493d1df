package xt

// Match rpfilter: whether the machine would send packets back the way that
// the packet came.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// RPFilterMatch asks for the way back to a packet's source. Packets of the
// loopback interface (by its name, lo), from nowhere (:: and, to broadcast and
// local multicast addresses, 0.0.0.0) always pass.
type RPFilterMatch struct {
	Loose       bool // any interface will do
	AcceptLocal bool // the source may be an address of this machine
	Not         bool
}

// Test returns the test. It needs packet.Env.ReversePath for packets that do
// not always pass. Whether the packet's mark takes part in finding the way
// (--validmark) is for whoever supplies that.
func (m RPFilterMatch) Test() rules.Test { return &m }

// Ask implements rules.Test.
func (m *RPFilterMatch) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil {
		return rules.Unsure, "rpfilter"
	}
	if alwaysPasses(&t.Packet) {
		return answer(!m.Not), ""
	}
	if t.Packet.Env == nil || t.Packet.Env.ReversePath == nil {
		return rules.Unsure, "rpfilter"
	}
	r := t.Packet.Env.ReversePath
	ok := false
	switch {
	case r.Type == routeUnicast:
		ok = m.Loose || r.Interface
	case r.Type == routeLocal && m.AcceptLocal:
		ok = m.Loose || r.Interface || t.Packet.Family == 6
	}
	return answer(ok != m.Not), ""
}

// Bits of packet.AddrTypes.
var routeUnicast, routeLocal = addrType("UNICAST"), addrType("LOCAL")

func addrType(name string) uint16 {
	for _, s := range packet.AddrTypes {
		if s.Name == name {
			return uint16(s.Value)
		}
	}
	panic("xt: no type of addresses " + name)
}

var loopback = rules.NameValue("lo")

func alwaysPasses(p *packet.Packet) bool {
	switch {
	case p.Known&packet.KnownIn != 0 && p.InIface == loopback:
		return true
	case p.Family == 6:
		return p.Src == [4]uint32{}
	}
	return p.Src[3] == 0 && (p.Dst[3] == 1<<32-1 || p.Dst[3]>>8 == 0xe00000)
}
