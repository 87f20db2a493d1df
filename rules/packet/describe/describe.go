// Package describe is a small language for packets: one line says all that
// rules may ask of a packet, in its headers and beside them.
//
//	tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0 ctstate=NEW
//	udp [2001:db8::1]:5353 > [ff02::fb]:5353 ttl=255 payload="hello\x00"
//	icmp 10.0.0.1 > 10.0.0.2 type=3 code=1 out=eth1 uid=1000
//
// A description is a protocol, a source and a destination with their ports, and
// words in any order: TCP flags ("SYN,ACK"), and NAME=VALUE, see [Words]. What
// it does not say is as plain as can be: see the words for their defaults.
//
// Parse makes the packet's bytes, with right lengths and checksums, and decodes
// them, so that a described packet is like one from a capture. ParseMeta reads
// the words alone that are not of the packet's bytes. Errors are of type *Error
// and name the column. All is pure and may be called concurrently.
package describe

// This file: the public face.

import (
	"fmt"
	"time"

	"github.com/hipac-go/classifier/rules/packet"
)

// Packet is a packet that was described.
type Packet struct {
	// Packet is decoded from Data, and has the Meta of the description.
	packet.Packet
	// Data are the packet's bytes, an Ethernet frame when the description says
	// something of that, else an IP packet.
	Data []byte
	Link packet.LinkType // of Data: LinkEthernet or LinkRaw
	// Time is that of the word time, zero without it.
	Time time.Time

	spec spec
}

// String returns the description in its canonical form, which Parse reads back
// to an equal packet.
func (p *Packet) String() string { return p.spec.String() }

// Error is an error in a description.
type Error struct {
	Text   string // the offending word, or what is left of the description
	Offset int    // where it begins, in bytes from 0
	Reason string
}

// Error gives the column, from 1, the word and the reason.
func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("column %d: %s", e.Offset+1, e.Reason)
	}
	text := e.Text
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return fmt.Sprintf("column %d: %q: %s", e.Offset+1, text, e.Reason)
}

// maxText bounds a description; a payload of 64 KiB fits, written as escapes.
const maxText = 1 << 19

// Parse reads a description. The errors are of type *Error.
func Parse(text string) (*Packet, error) {
	tokens, err := split(text)
	if err != nil {
		return nil, err
	}
	p := &Packet{}
	if err := p.spec.parse(text, tokens); err != nil {
		return nil, err
	}
	if err := p.build(); err != nil {
		return nil, placed(err, tokens)
	}
	return p, nil
}

// placed gives an error about the packet as a whole the place of the word that
// it names.
func placed(err error, tokens []token) error {
	e, ok := err.(*Error)
	if !ok || e.Text == "" {
		return err
	}
	for _, t := range tokens {
		if w, _, err := findWord(t); err == nil && w.Name == e.Text {
			return &Error{Text: t.raw, Offset: t.offset, Reason: e.Reason}
		}
	}
	return err
}

// Meta is what words say of packets besides their bytes. It is immutable.
type Meta struct {
	meta
	smac       uint64 // 0: none
	pktType    uint8
	hasPktType bool
}

// ParseMeta reads words that say what is known of a packet besides its bytes:
// those of Words with Meta or Link. The empty text says nothing.
func ParseMeta(text string) (*Meta, error) {
	tokens, err := split(text)
	if err != nil {
		return nil, err
	}
	s := &spec{}
	for _, t := range tokens {
		w, value, err := findWord(t)
		if err == nil && !w.Meta && !w.Link {
			err = t.fail("a word about a packet's bytes; here those about what its bytes do not say may stand")
		}
		if err == nil {
			err = s.set(w, t, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return &Meta{s.meta, s.smac, s.pktType, s.hasPktType}, nil
}

// Apply gives a decoded packet what the words say. What they do not mention
// stays as it is, but for the connection: with a connection state the packet
// gets a Conn of its own. What its own link header says stays, too.
func (m *Meta) Apply(p *packet.Packet) {
	m.meta.apply(p)
	if m.smac != 0 && p.Has&packet.HasSMAC == 0 {
		p.SMAC, p.Has = m.smac, p.Has|packet.HasSMAC
	}
	if m.hasPktType && p.Has&packet.HasPktType == 0 {
		p.PktType, p.Has = m.pktType, p.Has|packet.HasPktType
	}
}

// Time returns the time that the words give to packets, the zero Time when they
// do not.
func (m *Meta) Time() time.Time { return m.meta.time }

// Format describes a decoded packet in the language, but for its payload and
// the headers' numbers that no rule asks for. What Parse makes of it has the
// same fields, as long as the packet has no IP options or extension headers
// and is whole.
func Format(p *packet.Packet) string {
	s := specOf(p)
	return s.String()
}
