package xt

// What targets did to a packet, in words for people and in values for
// programs; and how they change its bytes.

import (
	"encoding/binary"
	"strconv"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Effect is something that a target did to the packet, or reported of it.
type Effect struct {
	Table  string // the table's name
	Rule   rules.Place
	Target string // its name: "MARK"
	// Detail says what it did, or with which options: "group 5". It is empty
	// where Field, Old and New say all; String has both.
	Detail string
	// Field is the field that changed, "" when none did: "mark". Besides fields
	// that rules can ask for it may be "tos", "priority", "secmark" or
	// "ctsecmark".
	Field string
	// Old and New are the field's values before and behind; addresses have 128
	// bits, those of IPv4 as IPv4-mapped ones. They are the same when the target
	// set what was there.
	Old, New rules.Value
	// Unsure is not empty when it is not known whether the rule matched: for
	// lack of what. Nothing was done then.
	Unsure string
}

// effectFields are how values of fields are written.
var effectFields = map[string]*rules.Field{}

func init() {
	hex := func(name string, bits int) rules.Field { return rules.Field{Name: name, Bits: bits, Kind: rules.Hex} }
	for _, f := range []rules.Field{
		hex("mark", 32), hex("ctmark", 32), hex("secmark", 32), hex("ctsecmark", 32), hex("tos", 8), hex("dscp", 6),
		{Name: "ttl", Bits: 8}, {Name: "mss", Bits: 16},
		{Name: "src", Bits: 128, Kind: rules.IP}, {Name: "dst", Bits: 128, Kind: rules.IP},
		{Name: "tcpflags", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags},
		{Name: "ctstate", Bits: 8, Kind: rules.Bits, Symbols: rules.CTStates},
	} {
		effectFields[f.Name] = &f
	}
}

// String returns what the target did: "MARK: mark 0x0 -> 0x1". It allocates.
func (e *Effect) String() string {
	s := e.Target
	if what := e.What(); what != "" {
		s += ": " + what
	}
	if e.Unsure != "" {
		s += " (if it matches: needs " + e.Unsure + ")"
	}
	return s
}

// What returns Detail, or the field's change in words.
func (e *Effect) What() string {
	if e.Detail != "" || e.Field == "" || e.Unsure != "" {
		return e.Detail
	}
	return e.Field + " " + formatValue(e.Field, e.Old) + " -> " + formatValue(e.Field, e.New)
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// knownState says that the connection's state is known.
const knownState = packet.KnownCTState

func formatValue(field string, v rules.Value) string {
	if field == "priority" {
		return FormatClass(uint32(v.Lo))
	}
	if f := effectFields[field]; f != nil {
		return f.FormatValue(v)
	}
	return v.String()
}

// FormatClass writes a queueing class as tc does: "1:10", hexadecimal.
func FormatClass(c uint32) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 9)
	put := func(x uint32) {
		started := false
		for shift := 12; shift >= 0; shift -= 4 {
			if d := x >> shift & 15; d != 0 || started || shift == 0 {
				b, started = append(b, digits[d]), true
			}
		}
	}
	put(c >> 16)
	b = append(b, ':')
	put(c & 0xffff)
	return string(b)
}

// Record adds an effect that is described in words.
func (t *Traversal) Record(at rules.Place, target, field, detail, unsure string) {
	t.add(Effect{Rule: at, Target: target, Field: field, Detail: detail, Unsure: unsure})
}

// change adds an effect that is the change of a number.
func (t *Traversal) change(at rules.Place, target, field string, old, new uint64) {
	t.add(Effect{Rule: at, Target: target, Field: field, Old: rules.U64(old), New: rules.U64(new)})
}

func (t *Traversal) add(e Effect) {
	if t.table != nil {
		e.Table = t.table.Name
	}
	t.Effects = append(t.Effects, e)
}

// begin is what targets that change something do first. It returns the
// subject as a Traversal, nil when there is nothing to do: outcome and needs
// are the answer then.
func begin(s rules.Subject, at rules.Place, target, unsure string) (t *Traversal, outcome rules.Outcome, needs string) {
	if t = of(s); t == nil {
		return nil, rules.Unsure, needsPacket
	}
	if unsure != "" {
		t.Record(at, target, "", "", unsure)
		return nil, rules.No, ""
	}
	return t, rules.Yes, ""
}

// env returns an Env to be written to: a copy of the caller's.
func (t *Traversal) env() *packet.Env {
	if t.Packet.Env != &t.ownEnv {
		t.ownEnv, t.callerEnv = packet.Env{}, t.Packet.Env
		if t.callerEnv != nil {
			t.ownEnv = *t.callerEnv
		}
		t.Packet.Env = &t.ownEnv
	}
	return t.Packet.Env
}

// bytes returns the packet's bytes to be written to: a copy of the caller's.
// It is nil when there are none.
func (t *Traversal) bytes() []byte {
	if !t.rewritten {
		if b := t.Packet.Rewrite(t.buf); b != nil {
			t.buf, t.rewritten = b, true
		} else {
			return nil
		}
	}
	return t.buf
}

// setByte changes one byte of the IP header, with the header checksum of IPv4.
func (t *Traversal) setByte(at int, value, mask uint8) {
	b := t.bytes()
	if at >= len(b) {
		return
	}
	word := at &^ 1
	if word+1 >= len(b) {
		return
	}
	old := binary.BigEndian.Uint16(b[word:])
	b[at] = b[at]&^mask | value&mask
	if t.Packet.Family == 4 {
		fixChecksum(b, 10, old, binary.BigEndian.Uint16(b[word:]))
	}
}

// fixChecksum updates the Internet checksum at offset at of b for a 16-bit
// word that changed (RFC 1624).
func fixChecksum(b []byte, at int, old, new uint16) {
	if at < 0 || at+2 > len(b) {
		return
	}
	sum := uint32(^binary.BigEndian.Uint16(b[at:])) + uint32(^old) + uint32(new)
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[at:], ^uint16(sum))
}

// needsConn is what a target says that works on the packet's connection when
// it is not known whether there is one.
const needsConn = "the packet's connection"

// connection returns the packet's connection as targets see it, nil when it
// has none, and whether that is known. A packet has none in front of connection
// tracking, and when its state is known to be INVALID or UNTRACKED.
func (t *Traversal) connection() (conn *packet.Conn, known bool) {
	if conn = t.Conn(); conn != nil || t.raw {
		return conn, true
	}
	const tracked = ctNew | ctEstablished | ctRelated
	p := &t.Packet
	return nil, p.Known&packet.KnownCTState != 0 && p.CTState&tracked == 0
}

// connOf returns the Traversal and the connection that a test asks. Without a
// connection conn is nil, and outcome is the test's answer: No, or Unsure when
// it is not known whether there is one.
func connOf(s rules.Subject) (t *Traversal, conn *packet.Conn, outcome rules.Outcome, needs string) {
	if t = of(s); t == nil {
		return nil, nil, rules.Unsure, needsPacket
	}
	conn, known := t.connection()
	if conn == nil && !known {
		return t, nil, rules.Unsure, needsConn
	}
	return t, conn, rules.No, ""
}
