package main

// Notes: packets that are classified although a part of their headers is not
// there. Behind a capture's end iptables rules know of no verdict, if they ask;
// to other rules the fields are absent, and the verdict may be another one than
// that of the whole packet.

import "github.com/hipac-go/classifier/rules/packet"

// note is what is to be said of a packet's headers.
type note uint8

const (
	noteNone  note = iota
	noteCut        // the capture holds only a part of the headers
	noteShort      // the packet has only a part of the headers
)

// String returns the note as reports have it.
func (n note) String() string { return [...]string{"", "cut", "short"}[n] }

// noteOf returns the note of a decoded packet. A packet that was cut behind
// its headers has lost nothing, and gets none.
func noteOf(p *packet.Packet) note {
	switch {
	case p.Notes&(packet.ShortHeader|packet.TinyFragment|packet.BrokenChain) != 0:
		return noteShort
	case p.Has&packet.HasProto == 0:
		return noteCut // among the extension headers
	case p.Frag():
		return noteNone
	}
	whole := true
	switch p.Proto {
	case packet.TCP:
		whole = p.Has&packet.HasTCPFlags != 0
	case packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP:
		whole = p.Has&packet.HasPorts != 0
	case packet.ICMP:
		whole = p.Family != 4 || p.Has&packet.HasICMP != 0
	case packet.ICMPv6:
		whole = p.Family != 6 || p.Has&packet.HasICMP != 0
	}
	if whole {
		return noteNone
	}
	return noteCut
}

// noteFor returns the note of a packet with the outcome o; none where no rule
// has looked at the packet.
func (e *entry) noteFor(o outcome) note {
	if o.kind == bad || o.kind == foreign || o.kind == known || e.info.Outside {
		return noteNone
	}
	return e.note
}
