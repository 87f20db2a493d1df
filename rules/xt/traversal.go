// Package xt is what the matches and targets of iptables mean beyond
// conditions on fields: tests that keep a state (limit, recent), read the
// payload (string, u32) or ask the system (owner, socket), and targets that
// change the packet or report it. It knows nothing of their syntax, which is
// package rules/iptables', nor of how rules are found.
//
// A Traversal is a packet on its way through the tables. It carries the
// decoded packet, what the caller knows besides its bytes, and the State that
// rules with a memory work on. Whatever a test needs and the caller did not
// supply makes its answer rules.Unsure, with a word for what is missing; but
// conditions on fields that packets may be without, such as those of their
// connection or of the Ethernet header (FieldTest), do not hold without them.
//
// The tests and targets are immutable and may be shared by any number of
// goroutines; a Traversal is for one. Sources: iptables-extensions(8) and the
// behaviour of Linux 6.18.
package xt

// This file: the packet on its way, the key that rules see of it, and what
// targets did to it.

import (
	"encoding/binary"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Traversal is a packet under evaluation, a rules.Subject. Start it with a
// packet, then evaluate; targets change Packet and add to Effects. It is for one
// goroutine and meant to be reused.
type Traversal struct {
	// Packet is the decoded packet with what is known besides its bytes. Call
	// Changed after changing it.
	Packet packet.Packet
	// State is what rules remember from packet to packet; without it tests that
	// need a memory are unsure. Traversals may share one.
	State *State
	// Effects are what targets did, in order.
	Effects []Effect

	schema  *rules.Schema
	alike   *rules.Schema // an equal one, which other tables have
	binder  *packet.Binder
	key     rules.Key
	valid   bool // key is that of Packet as it is now
	outside bool // the schema's address fields cannot hold the packet's
	table   *rules.Table
	raw     bool // in a table in front of connection tracking

	ownEnv    packet.Env  // Packet.Env once a target has written to it
	callerEnv *packet.Env // and what it was before
	buf       []byte      // the packet's bytes once a target has changed them
	rewritten bool        // buf is in use
	template  bool        // CT has said how the connection is to be tracked

	reached map[*rules.Table][]hookSet // see hooks
}

// NewTraversal returns a Traversal for tables of a schema.
func NewTraversal(s *rules.Schema) *Traversal {
	t := &Traversal{}
	t.use(s)
	return t
}

func (t *Traversal) use(s *rules.Schema) {
	t.alike = nil
	t.schema, t.binder, t.key, t.valid = s, packet.NewBinder(s), s.NewKey(), false
}

// Start makes the Traversal ready for a packet, which it copies: targets do not
// change the caller's, but for a Conn that it refers to.
func (t *Traversal) Start(p *packet.Packet) {
	t.Reset()
	t.Packet = *p
}

// Reset is Start for a packet that is decoded into Packet itself: it forgets the
// effects, and Packet is to be decoded anew. Targets may have changed its Meta:
// mark, connection state and connection, which the caller sets anew too.
// Meta.Env is again what the caller supplied.
func (t *Traversal) Reset() {
	t.Effects = t.Effects[:0]
	t.valid, t.raw, t.table = false, false, nil
	t.rewritten, t.template = false, false
	if t.Packet.Env == &t.ownEnv {
		t.Packet.Env = t.callerEnv
	}
}

// Changed says that Packet has changed since Key was asked.
func (t *Traversal) Changed() { t.valid = false }

// Key returns the packet's key of the schema of the table that it is in.
func (t *Traversal) Key() rules.Key {
	if !t.valid {
		t.outside = !t.bind()
		t.valid = true
	}
	return t.key
}

// bind fills the key. In front of connection tracking no packet has a
// connection, which rules see as the state INVALID.
func (t *Traversal) bind() bool { return t.bindWith(t.binder, t.key) }

func (t *Traversal) bindWith(b *packet.Binder, k rules.Key) bool {
	if !t.raw {
		return b.Key(&t.Packet, k)
	}
	conn, state, known := t.Packet.Conn, t.Packet.CTState, t.Packet.Known
	untracked := known&packet.KnownCTState != 0 && state&ctUntracked != 0
	switch t.Packet.Conn = nil; {
	case untracked:
	case t.template: // what CT gave it counts as a new connection
		t.Packet.SetCTState(ctNew)
	default:
		t.Packet.SetCTState(ctInvalid)
	}
	ok := b.Key(&t.Packet, k)
	t.Packet.Conn, t.Packet.CTState, t.Packet.Known = conn, state, known
	return ok
}

// Bits of the connection state, see rules.CTStates.
const (
	ctInvalid     = 1
	ctEstablished = 2
	ctRelated     = 4
	ctNew         = 8
	ctUntracked   = 16
)

// Enters reports whether the packet enters the table. A table of one family
// admits that family only; the table nat sees what begins a connection (state
// NEW or RELATED, or unknown) and nothing else; in the table raw connections
// are not known yet.
func (t *Traversal) Enters(table *rules.Table) bool {
	if s := table.Schema; s != t.schema && s != t.alike {
		if t.schema != nil && s.Equal(t.schema) {
			t.alike = s
		} else {
			t.use(s)
		}
	}
	if raw := table.Name == "raw"; raw != t.raw {
		t.raw, t.valid = raw, false
	}
	t.table = table
	if f := table.Family; f != 0 && int(t.Packet.Family) != f {
		return false
	}
	k := t.Key()
	if t.outside || !table.Admits(k) {
		return false
	}
	if table.Name == "nat" && t.Packet.Known&packet.KnownCTState != 0 {
		return t.Packet.CTState&(ctNew|ctRelated) != 0
	}
	return true
}

// Lost implements rules.Partial: fields behind the end of a capture.
func (t *Traversal) Lost() (fields, hotdrop uint32, missing string) {
	return t.binder.Lost(&t.Packet), uint32(t.Packet.MaybeBroken()), uncaptured
}

// Forwarded lowers the TTL, or hop limit, by one, as a router does between the
// hooks PREROUTING and FORWARD; a rules.Path calls it. A packet whose TTL was 0 or 1 goes no further,
// which is the caller's to see.
func (t *Traversal) Forwarded() {
	p := &t.Packet
	if p.TTL == 0 {
		return
	}
	p.TTL--
	t.Changed()
	b := t.bytes()
	switch {
	case p.Family == 6 && len(b) >= 40:
		b[7] = p.TTL
	case p.Family == 4 && len(b) >= 20:
		old := binary.BigEndian.Uint16(b[8:])
		b[8] = p.TTL
		fixChecksum(b, 10, old, binary.BigEndian.Uint16(b[8:]))
	}
}

// Conn returns the packet's connection as rules see it: none in front of
// connection tracking.
func (t *Traversal) Conn() *packet.Conn {
	if t.raw {
		return nil
	}
	return t.Packet.Conn
}

// needsPacket is what a test says that is asked of a key alone.
const needsPacket = "the packet's bytes"

// of returns the subject as a Traversal, or nil when only a key is known.
func of(s rules.Subject) *Traversal {
	t, _ := s.(*Traversal)
	return t
}

// size returns the packet's length in bytes; false when it is not known.
func (t *Traversal) size() (uint64, bool) {
	return uint64(t.Packet.Length), t.Packet.Has&packet.HasLength != 0
}
