package xt

// Match sctp: which chunks an SCTP packet carries.

import (
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// ChunkRule says which chunks of those listed a packet must have.
type ChunkRule uint8

// The rules for chunks.
const (
	AnyChunk   ChunkRule = iota // at least one of them
	AllChunks                   // each of them
	OnlyChunks                  // nothing else
)

// ChunkMatch asks for the chunks of an SCTP packet (RFC 9260).
type ChunkMatch struct {
	Rule  ChunkRule
	Types [256]bool
	// Flags are what the flags of chunks of a type must be; those without an
	// entry may have any.
	Flags []ChunkFlags
	Not   bool
}

// ChunkFlags is a condition on the flags of chunks of one type.
type ChunkFlags struct{ Type, Mask, Want uint8 }

// Test returns the test. It does not hold in later fragments, negated or not.
// A packet that ends inside a chunk's header, or in which a chunk says that it
// has no length, is dropped; when Not is set the match holds for it all the same.
func (m ChunkMatch) Test() rules.Test { return &m }

const sctpHeader = 12 // bytes

// Ask implements rules.Test.
func (m *ChunkMatch) Ask(s rules.Subject) (rules.Outcome, string) {
	t := bytesOf(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	p := &t.Packet
	if p.Proto != packet.SCTP || p.FragOffset != 0 {
		return rules.No, ""
	}
	total, have := packetLen(p)
	at := p.TransportOffset - p.NetOffset + sctpHeader
	if at > total {
		return rules.DropNow, "" // the match ends before it comes to chunks
	}
	cut := rules.DropNow
	if m.Not {
		cut = rules.DropBehind
	}
	var todo [256]bool // for AllChunks
	left := 0
	if m.Rule == AllChunks {
		todo = m.Types
		for _, is := range todo {
			if is {
				left++
			}
		}
	}
	for {
		if at+4 > total {
			return cut, ""
		}
		var buf [4]byte
		h := p.Bytes(at, 4, buf[:])
		if h == nil || at+4 > have {
			return rules.Unsure, needsPacket
		}
		typ, length := h[0], int(h[2])<<8|int(h[3])
		if length == 0 {
			return cut, ""
		}
		at += (length + 3) &^ 3
		switch fits := m.Types[typ] && m.flagsFit(typ, h[1]); m.Rule {
		case AnyChunk:
			if fits {
				return answer(!m.Not), ""
			}
		case AllChunks:
			if fits && todo[typ] {
				todo[typ] = false
				left--
			}
		case OnlyChunks:
			if !fits {
				return answer(m.Not), ""
			}
		}
		if at >= total {
			break
		}
	}
	holds := m.Rule == OnlyChunks || m.Rule == AllChunks && left == 0
	return answer(holds != m.Not), ""
}

func (m *ChunkMatch) flagsFit(typ, flags uint8) bool {
	for _, f := range m.Flags {
		if f.Type == typ {
			return flags&f.Mask == f.Want
		}
	}
	return true
}
