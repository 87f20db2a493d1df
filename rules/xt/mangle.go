package xt

// Targets that change a header: TOS, DSCP, ECN, TTL, HL, SNPT, DNPT. Besides
// the fields of the packet they change its bytes, so that tests of the payload
// see the change too; those of the caller stay as they are.

import (
	"encoding/binary"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// TOS is the targets TOS and DSCP: the TOS byte, or traffic class, becomes
// tos &^ Mask ^ Value. DSCP has the mask 0xfc.
type TOS struct {
	Name        string // of the target
	Value, Mask uint8
}

// Apply sets the byte.
func (o *TOS) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, o.Name, unsure)
	if t == nil {
		return outcome, needs
	}
	old := t.Packet.TOS
	if o.Name == "DSCP" {
		t.change(at, o.Name, "dscp", uint64(old>>2), uint64((old&^o.Mask^o.Value)>>2))
	} else {
		t.change(at, o.Name, "tos", uint64(old), uint64(old&^o.Mask^o.Value))
	}
	t.setTOS(old&^o.Mask ^ o.Value)
	return rules.Yes, ""
}

func (t *Traversal) setTOS(tos uint8) {
	if t.Packet.TOS == tos {
		return
	}
	t.Packet.TOS = tos
	if t.Packet.Family == 4 {
		t.setByte(1, tos, 0xff)
	} else {
		t.setByte(0, tos>>4, 0x0f)
		t.setByte(1, tos<<4, 0xf0)
	}
	t.Changed()
}

// ECN is the target ECN. It sets the bits of the TOS byte, or those of the TCP
// header.
type ECN struct {
	SetIP    bool
	IP       uint8 // 0..3
	TCPMask  uint8 // of the TCP flags that are set: ECE 0x40, CWR 0x80
	TCPFlags uint8
}

// Apply sets the bits. Packets whose TCP header is cut are dropped.
func (e *ECN) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "ECN", unsure)
	if t == nil {
		return outcome, needs
	}
	if e.SetIP {
		tos := t.Packet.TOS&^3 | e.IP
		t.change(at, "ECN", "tos", uint64(t.Packet.TOS), uint64(tos))
		t.setTOS(tos)
	}
	p := &t.Packet
	if e.TCPMask == 0 || p.Proto != packet.TCP {
		return rules.Yes, ""
	}
	if p.Has&packet.HasTCPFlags == 0 {
		if p.FragOffset != 0 {
			return e.fragment(t, at)
		}
		return rules.DropNow, ""
	}
	flags := p.TCPFlags&^e.TCPMask | e.TCPFlags
	t.change(at, "ECN", "tcpflags", uint64(p.TCPFlags), uint64(flags))
	if flags == p.TCPFlags {
		return rules.Yes, ""
	}
	p.TCPFlags = flags
	if off, ok := p.Header(packet.TCP); ok {
		if b := t.bytes(); off+18 <= len(b) {
			old := binary.BigEndian.Uint16(b[off+12:])
			b[off+13] = flags
			fixChecksum(b, off+16, old, binary.BigEndian.Uint16(b[off+12:]))
		}
	}
	t.Changed()
	return rules.Yes, ""
}

// fragment sets the bits in the payload of a later fragment: the kernel takes it
// for the header, and drops the packet when there are not 20 bytes of it.
func (e *ECN) fragment(t *Traversal, at rules.Place) (rules.Outcome, string) {
	old, ok := t.Packet.ECNFlags()
	if !ok {
		return rules.DropNow, ""
	}
	flags := old&^e.TCPMask | e.TCPFlags
	t.Record(at, "ECN", "", "a later fragment: what is in the place of the flags", "")
	if b := t.bytes(); flags != old && len(b) > 0 {
		if off := int(b[0]&15) * 4; off+20 <= len(b) {
			word := binary.BigEndian.Uint16(b[off+12:])
			b[off+13] = flags
			fixChecksum(b, off+16, word, binary.BigEndian.Uint16(b[off+12:]))
			t.Changed()
		}
	}
	return rules.Yes, ""
}

// TTLMode is what the targets TTL and HL do.
type TTLMode uint8

// The modes.
const (
	TTLSet TTLMode = iota
	TTLDec
	TTLInc
)

// TTL is the targets TTL and HL: the TTL, or hop limit, is set, or moved by N
// and kept in 0..255. A packet that gets the TTL 0 is not dropped by it.
type TTL struct {
	Name string // of the target
	Mode TTLMode
	N    uint8
}

// Apply sets the TTL.
func (l *TTL) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, l.Name, unsure)
	if t == nil {
		return outcome, needs
	}
	old := int(t.Packet.TTL)
	ttl := int(l.N)
	switch l.Mode {
	case TTLDec:
		ttl = max(old-ttl, 0)
	case TTLInc:
		ttl = min(old+ttl, 255)
	}
	t.change(at, l.Name, "ttl", uint64(old), uint64(ttl))
	if ttl == old {
		return rules.Yes, ""
	}
	t.Packet.TTL = uint8(ttl)
	if t.Packet.Family == 4 {
		t.setByte(8, uint8(ttl), 0xff)
	} else {
		t.setByte(7, uint8(ttl), 0xff)
	}
	t.Changed()
	return rules.Yes, ""
}

// NPT is the targets SNPT and DNPT: the prefix of the source, or destination,
// becomes another one, and 16 bits behind it change so that checksums stay
// right (RFC 6296).
type NPT struct {
	Name             string
	Dst              bool // DNPT
	From, To         [4]uint32
	FromBits, ToBits int // at most 64
}

// Apply translates the address. Packets of which no 16 bits can take the
// change are dropped.
func (n *NPT) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, n.Name, unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	if p.Family != 6 {
		return rules.Yes, ""
	}
	addr, field, off := p.Src, "src", 8
	if n.Dst {
		addr, field, off = p.Dst, "dst", 24
	}
	old := addr
	if !n.translate(&addr) {
		t.Record(at, n.Name, "", "the address has no room for the change of checksum", "")
		return rules.DropNow, ""
	}
	t.addressEffect(at, n.Name, field, &old, &addr, "")
	if old == addr {
		return rules.Yes, ""
	}
	if n.Dst {
		p.Dst = addr
	} else {
		p.Src = addr
	}
	if b := t.bytes(); len(b) >= off+16 {
		for i, w := range addr {
			binary.BigEndian.PutUint32(b[off+4*i:], w)
		}
	}
	t.Changed()
	return rules.Yes, ""
}

// translate changes the prefix of an address; it reports whether it could.
func (n *NPT) translate(a *[4]uint32) bool {
	bits := max(n.FromBits, n.ToBits)
	for i := 0; i < bits; i += 32 {
		mask := uint32(0)
		if bits-i < 32 {
			mask = 1<<(32-(bits-i)) - 1
		}
		a[i/32] = a[i/32]&mask | n.To[i/32]&^mask
	}
	word := 3 // of 16 bits
	if bits > 48 {
		for word = 4; word < 8 && uint16(a[word/2]>>(16*(1-word%2))) == 0xffff; word++ {
		}
		if word == 8 {
			return false
		}
	}
	shift := 16 * (1 - word%2)
	sum := fold(a[word/2]>>shift&0xffff + fold(sum16(&n.From)+(0xffff^sum16(&n.To))))
	if sum == 0xffff {
		sum = 0
	}
	a[word/2] = a[word/2]&^(0xffff<<shift) | sum<<shift
	return true
}

// sum16 returns the ones' complement sum of an address's 16-bit words.
func sum16(a *[4]uint32) uint32 {
	sum := uint32(0)
	for _, w := range a {
		sum += w>>16 + w&0xffff
	}
	return fold(sum)
}

func fold(sum uint32) uint32 {
	sum = sum&0xffff + sum>>16
	return sum&0xffff + sum>>16
}
