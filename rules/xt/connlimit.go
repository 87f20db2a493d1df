package xt

// The match connlimit: how many connections an address, or a network, has at
// the same time. Each rule counts for itself the connections of the packets
// that reach it, under the address that the packet has at that moment, and
// forgets them when they end.
//
// Connections are told apart by Conn.ID and, where rules do not see them yet
// (table raw), by the packet's direction too. Their end is EndConnection's to
// say. A packet without a connection is counted while it is here. When more
// than MaxConnections are counted, packets of further ones are dropped, as the
// kernel drops them when it has no memory.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// MaxConnections is how many connections the rules of connlimit of one State
// count at the same time.
const MaxConnections = 1 << 18

// ConnLimit is a match "connlimit".
type ConnLimit struct {
	Above bool      // more than Limit connections, else up to Limit
	Limit uint32    // connections
	Mask  [4]uint32 // of the address; IPv4 addresses are IPv4-mapped
	Dest  bool      // count by the destination address
}

type connLimit struct{ ConnLimit }

// Test returns the match as a test.
func (c ConnLimit) Test() rules.Test { return &connLimit{c} }

// connKey is what connections are counted under.
type connKey struct {
	addr [4]uint32
	zone uint16
}

// connName tells counted connections apart.
type connName struct {
	id    uint64
	reply bool
}

// connMemory is what one rule counts.
type connMemory map[connKey]map[connName]struct{}

// place is where a connection is counted.
type place struct {
	in   connMemory
	key  connKey
	name connName
}

func (c *connLimit) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	p := &t.Packet
	conn, raw := p.Conn, t.raw
	const tracked = ctNew | ctEstablished | ctRelated
	if conn == nil && (p.Known&packet.KnownCTState == 0 || p.CTState&tracked != 0) {
		return rules.Unsure, needsConn
	}
	if conn == nil && p.Notes&packet.ShortHeader != 0 {
		return rules.DropNow, ""
	}
	key := connKey{addr: p.Src}
	if c.Dest {
		key.addr = p.Dst
	}
	for i := range key.addr {
		key.addr[i] &= c.Mask[i]
	}
	m := *own(s, c, func() *connMemory { return &connMemory{} })
	if conn == nil {
		return answer(uint64(len(m[key]))+1 > uint64(c.Limit) == c.Above), ""
	}
	key.zone = conn.Zone
	name := connName{conn.ID, raw && conn.Reply}
	if _, ok := m[key][name]; !ok {
		if s.total >= MaxConnections {
			return rules.DropNow, ""
		}
		if m[key] == nil {
			m[key] = map[connName]struct{}{}
		}
		m[key][name] = struct{}{}
		if s.counted == nil {
			s.counted = map[uint64][]place{}
		}
		s.counted[conn.ID] = append(s.counted[conn.ID], place{m, key, name})
		s.total++
	}
	return answer(uint64(len(m[key])) > uint64(c.Limit) == c.Above), ""
}

// EndConnection says that the connection with this Conn.ID is over: it is
// closed, or its entry has expired. The rules of connlimit count it no more,
// unless another packet of it comes. O(rules that counted it).
func (s *State) EndConnection(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.counted[id] {
		delete(at.in[at.key], at.name)
		if len(at.in[at.key]) == 0 {
			delete(at.in, at.key)
		}
		s.total--
	}
	delete(s.counted, id)
}
