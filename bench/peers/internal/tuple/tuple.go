// Package tuple reads lists of rules as what most filters understand: address
// prefixes, port ranges and a protocol. Rules of any other form are an error that
// says which, and of what the peer cannot say.
package tuple

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

// Rule is a rule of a list over the 5-tuple.
type Rule struct {
	Position     int // in the list, from 0
	Src, Dst     netip.Prefix
	Sport, Dport Ports
	// Proto & ProtoMask is asked for; a mask of 0 is any protocol.
	Proto, ProtoMask uint8
}

// Ports is a closed range of ports.
type Ports struct{ First, Last uint16 }

// All reports whether the range has every port.
func (p Ports) All() bool { return p == anyPort }

var anyPort = Ports{0, 65535}

// All reports whether the rule asks for nothing.
func (r *Rule) All() bool {
	return r.Src.Bits() == 0 && r.Dst.Bits() == 0 && r.Sport.All() && r.Dport.All() && r.ProtoMask == 0
}

// List is a list of rules over the 5-tuple.
type List struct {
	Rules []Rule // without those that never decide
	IPv6  bool

	words, src, dst, sport, dport, proto int // of keys
}

// Names of the fields.
var names = [...]string{"src", "dst", "sport", "dport", "proto"}

// Read reads a list. Rules that continue or that match nothing decide nothing, and
// are left out. What else is no 5-tuple is an error of compare.ErrUnsupported.
func Read(l *rules.List[string]) (*List, error) {
	s := l.Schema()
	t := &List{words: s.KeyLen(), Rules: make([]Rule, 0, l.Len())}
	var fields [len(names)]int
	for i, name := range names {
		if fields[i] = s.Index(name); fields[i] < 0 || s.Len() != len(names) {
			return nil, fmt.Errorf("%w: the fields are %q and not the 5-tuple of IPv4 or IPv6", compare.ErrUnsupported, s)
		}
	}
	switch kind := s.Field(fields[0]).Kind; {
	case kind != s.Field(fields[1]).Kind || kind != rules.IPv4 && kind != rules.IPv6:
		return nil, fmt.Errorf("%w: the fields are %q; addresses must be IPv4 or IPv6", compare.ErrUnsupported, s)
	case kind == rules.IPv6:
		t.IPv6 = true
	}
	for i, word := range []*int{&t.src, &t.dst, &t.sport, &t.dport, &t.proto} {
		*word, _ = s.FieldWords(fields[i])
	}
	for i, r := range l.All() {
		if r.Continue {
			continue
		}
		one, never, err := t.read(s, r, fields)
		if err != nil {
			return nil, fmt.Errorf("%w: rule %d: %w", compare.ErrUnsupported, i+1, err)
		}
		if one.Position = i; !never {
			t.Rules = append(t.Rules, one)
		}
	}
	return t, nil
}

func (t *List) read(s *rules.Schema, r *rules.Rule[string], fields [len(names)]int) (one Rule, never bool, err error) {
	zero := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if t.IPv6 {
		zero = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	one = Rule{Src: zero, Dst: zero, Sport: anyPort, Dport: anyPort}
	if r.Unknown != "" {
		return one, false, fmt.Errorf("it asks for what nobody knows: %s", r.Unknown)
	}
	seen := map[int]bool{}
	for i := range r.Conds {
		c := &r.Conds[i]
		ivs, ranged := c.Intervals()
		want, mask, masked := c.Mask()
		switch {
		case seen[c.Field()]:
			return one, false, fmt.Errorf("two conditions on %s", s.Field(c.Field()).Name)
		case c.Negated() || ranged == masked || len(ivs) > 1:
			return one, false, fmt.Errorf("%s is no range or mask", s.FormatCond(c))
		case ranged && len(ivs) == 0 || masked && want.And(mask) != want:
			never = true
			continue
		}
		seen[c.Field()] = true
		if err := t.cond(s, c, &one, fields); err != nil {
			return one, false, err
		}
	}
	return one, never, nil
}

// cond adds a condition to a rule.
func (t *List) cond(s *rules.Schema, c *rules.Cond, one *Rule, fields [len(names)]int) error {
	ivs, ranged := c.Intervals()
	want, mask, _ := c.Mask()
	switch c.Field() {
	case fields[0], fields[1]:
		p, ok := t.prefix(s.Field(c.Field()).Bits, ivs, want, mask)
		if !ok {
			return fmt.Errorf("%s is no prefix", s.FormatCond(c))
		}
		if c.Field() == fields[0] {
			one.Src = p
		} else {
			one.Dst = p
		}
	case fields[2], fields[3]:
		var p Ports
		switch {
		case ranged:
			p = Ports{uint16(ivs[0].Lo.Lo), uint16(ivs[0].Hi.Lo)}
		case mask.Lo == 0xffff:
			p = Ports{uint16(want.Lo), uint16(want.Lo)}
		default:
			return fmt.Errorf("%s is no range", s.FormatCond(c))
		}
		if c.Field() == fields[2] {
			one.Sport = p
		} else {
			one.Dport = p
		}
	default:
		switch {
		case !ranged:
			one.Proto, one.ProtoMask = uint8(want.Lo), uint8(mask.Lo)
		case ivs[0].Lo == ivs[0].Hi:
			one.Proto, one.ProtoMask = uint8(ivs[0].Lo.Lo), 0xff
		case ivs[0] != s.Field(c.Field()).Full():
			return fmt.Errorf("%s is neither one protocol nor all", s.FormatCond(c))
		}
	}
	return nil
}

// prefix returns what an interval or, without one, a value and a mask stand for.
func (t *List) prefix(bits int, ivs []rules.Interval, want, mask rules.Value) (netip.Prefix, bool) {
	at := want
	var n int
	if len(ivs) > 0 {
		var ok bool
		if n, ok = ivs[0].PrefixLen(bits); !ok {
			return netip.Prefix{}, false
		}
		at = ivs[0].Lo
	} else {
		for n < bits && mask == mask.Or(rules.Ones(n+1).Shl(bits-n-1)) {
			n++
		}
		if mask != rules.Ones(n).Shl(bits-n) {
			return netip.Prefix{}, false
		}
	}
	if t.IPv6 {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], at.Hi)
		binary.BigEndian.PutUint64(b[8:], at.Lo)
		return netip.PrefixFrom(netip.AddrFrom16(b), n), true // with no IPv4 taken out of it, as Value.Addr does
	}
	return netip.PrefixFrom(at.Addr4(), n), true
}

// Packet is the 5-tuple of a packet.
type Packet struct {
	Src, Dst     netip.Addr
	Sport, Dport uint16
	Proto        uint8
}

// Whole reports whether a packet has all five fields. Peers know no others.
func (t *List) Whole(k rules.Key) bool { return k[0] == 0 }

// Proto returns the protocol of a packet.
func (t *List) Proto(k rules.Key) uint8 { return uint8(k[t.proto]) }

// Len returns the number of keys in an array.
func (t *List) Len(keys []uint32) int { return len(keys) / t.words }

// At returns key i of an array.
func (t *List) At(keys []uint32, i int) rules.Key { return keys[i*t.words : (i+1)*t.words] }

// Packet returns the packet of a key.
func (t *List) Packet(k rules.Key) Packet {
	return Packet{Src: t.addr(k[t.src:]), Dst: t.addr(k[t.dst:]),
		Sport: uint16(k[t.sport]), Dport: uint16(k[t.dport]), Proto: uint8(k[t.proto])}
}

func (t *List) addr(words []uint32) netip.Addr {
	if !t.IPv6 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, words[0])))
	}
	var b [16]byte
	for i := range 4 {
		binary.BigEndian.PutUint32(b[4*i:], words[i])
	}
	return netip.AddrFrom16(b)
}

// Bytes returns the packet as it is on the wire, IP header and eight bytes of the
// next one, in which ports are where TCP and UDP have them; for TCP all twenty,
// with the flag SYN.
func (p *Packet) Bytes() []byte {
	payload := 8
	if p.Proto == 6 {
		payload = 20
	}
	var b []byte
	if p.Src.Is4() {
		b = make([]byte, 20+payload)
		b[0] = 4<<4 | 5
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		b[8], b[9] = 64, p.Proto
		copy(b[12:], p.Src.AsSlice())
		copy(b[16:], p.Dst.AsSlice())
	} else {
		b = make([]byte, 40+payload)
		b[0] = 6 << 4
		binary.BigEndian.PutUint16(b[4:], uint16(payload))
		b[6], b[7] = p.Proto, 64
		copy(b[8:], p.Src.AsSlice())
		copy(b[24:], p.Dst.AsSlice())
	}
	next := b[len(b)-payload:]
	binary.BigEndian.PutUint16(next, p.Sport)
	binary.BigEndian.PutUint16(next[2:], p.Dport)
	switch p.Proto {
	case 6:
		next[12], next[13] = 5<<4, 2
	case 17:
		binary.BigEndian.PutUint16(next[4:], 8)
	}
	return b
}
