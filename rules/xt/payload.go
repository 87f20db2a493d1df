package xt

// The bytes of a packet as tests read them: from the IP header on, and no
// further than the packet's own length. What lies beyond a capture's end is
// not known, which is different from what is not there.

import (
	"encoding/binary"
	"math"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// got says how reading bytes ended.
type got uint8

const (
	gotAll  got = iota
	gotEnd      // the packet ends before
	gotLess     // the capture ends before
)

// packetLen returns the length of the IP packet as Linux has it, header and
// all, and how much of it there is to read. have is 0 in a packet of which
// nothing but fields is known.
func packetLen(p *packet.Packet) (total, have int) {
	have = p.Captured()
	switch {
	case p.Notes&packet.Cut == 0:
		total = have
	case p.Has&packet.HasLength != 0:
		total = int(p.Length)
	default:
		total = math.MaxInt32 // a jumbogram
	}
	return total, have
}

// load reads a number of 1, 2 or 4 bytes in network order at offset at.
func load(p *packet.Packet, at int64, size int) (uint32, got) {
	total, have := packetLen(p)
	if at < 0 || at+int64(size) > int64(total) {
		return 0, gotEnd
	}
	if at+int64(size) > int64(have) {
		return 0, gotLess
	}
	var buf [4]byte
	b := p.Bytes(int(at), size, buf[:])
	switch len(b) {
	case 1:
		return uint32(b[0]), gotAll
	case 2:
		return uint32(binary.BigEndian.Uint16(b)), gotAll
	case 4:
		return binary.BigEndian.Uint32(b), gotAll
	}
	return 0, gotLess
}

// bytesOf returns the subject as a Traversal whose packet has bytes, or nil.
func bytesOf(s rules.Subject) *Traversal {
	if t := of(s); t != nil && t.Packet.Captured() > 0 {
		return t
	}
	return nil
}

// Missing returns the test that is always unsure, for lack of what.
func Missing(what string) rules.Test { return missing(what) }

type missing string

func (m missing) Ask(rules.Subject) (rules.Outcome, string) { return rules.Unsure, string(m) }
