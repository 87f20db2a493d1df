package xt

// Matches on a connection beyond conditions on fields: connbytes, which goes
// by what the connection has transferred so far (Conn.Seen), and connlabel
// --set, which labels it.

import (
	"github.com/hipac-go/classifier/rules"
)

// ConnBytesMode is what connbytes goes by.
type ConnBytesMode uint8

// The modes.
const (
	Packets ConnBytesMode = iota
	Bytes
	BytesPerPacket
)

// ConnBytes is a match "connbytes": the connection's Mode in the given
// directions is in Lo..Hi. It needs a connection, negated or not.
type ConnBytes struct {
	Lo, Hi          uint64
	Not             bool
	Original, Reply bool // directions; both: their sum
	Mode            ConnBytesMode
}

type connBytes struct{ ConnBytes }

// Test returns the match as a test.
func (c ConnBytes) Test() rules.Test { return &connBytes{c} }

func (c *connBytes) Ask(sub rules.Subject) (rules.Outcome, string) {
	_, conn, outcome, needs := connOf(sub)
	if conn == nil {
		return outcome, needs
	}
	var packets, bytes uint64
	for i, counts := range [2]bool{c.Original, c.Reply} {
		if counts {
			packets += conn.Seen[i].Packets
			bytes += conn.Seen[i].Bytes
		}
	}
	what := packets
	switch c.Mode {
	case Bytes:
		what = bytes
	case BytesPerPacket:
		if what = 0; packets != 0 {
			what = bytes / packets
		}
	}
	return answer((c.Lo <= what && what <= c.Hi) != c.Not), ""
}

type setLabel struct {
	label uint8
	not   bool
}

// SetLabel returns the test "connlabel --label n --set", n < 128: it gives the
// connection the label, and holds when it has one.
func SetLabel(label uint8, not bool) rules.Test { return &setLabel{label & 127, not} }

func (l *setLabel) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, conn, outcome, needs := connOf(sub)
	switch {
	case outcome == rules.Unsure:
		return outcome, needs
	case conn == nil:
		return answer(l.not), ""
	}
	conn.Labels[l.label/64] |= 1 << (l.label % 64)
	t.Changed()
	return answer(!l.not), ""
}
