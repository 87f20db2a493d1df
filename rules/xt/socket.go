package xt

// Match socket: whether a socket of this machine would take the packet.

import "github.com/hipac-go/classifier/rules"

// SocketMatch asks for the local socket that a packet is for.
type SocketMatch struct {
	// Transparent: only sockets with the option IP_TRANSPARENT count.
	Transparent bool
	// Wildcard: those count that are bound to any address, too.
	Wildcard bool
	// RestoreMark gives the packet the mark of the socket that is found, before
	// anything behind the match looks at it.
	RestoreMark bool
}

// Test returns the test. It needs packet.Env.Socket.
func (m SocketMatch) Test() rules.Test { return &m }

// Ask implements rules.Test.
func (m *SocketMatch) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil || t.Packet.Env == nil || t.Packet.Env.Socket == nil {
		return rules.Unsure, "socket"
	}
	k := t.Packet.Env.Socket
	if !k.Found || k.Wildcard && !m.Wildcard || m.Transparent && !k.Transparent {
		return rules.No, ""
	}
	if m.RestoreMark && t.Packet.Mark != k.Mark {
		t.Packet.Mark = k.Mark
		t.Changed()
	}
	return rules.Yes, ""
}
