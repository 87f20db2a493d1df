package workload

// Packets with headers: from keys to packets that can be sent.

import (
	"net/netip"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// PacketOf returns a packet with the values that a key has for the fields that
// packet.Binder knows, of the family, or of the addresses' own when it is 0.
// A header cannot say all that a key can, such as ports without a protocol that
// has them: what the packet decodes to may be another key.
func PacketOf(s *rules.Schema, k rules.Key, family int) *packet.Packet {
	// A packet as plain as can be, where the key says nothing.
	p := &packet.Packet{Proto: packet.UDP, TTL: 64, TCPFlags: 0x10, SMAC: 0x020000000001, DMAC: 0x020000000002}
	var src, dst [4]uint32
	for i := range s.Len() {
		field := s.Field(i)
		if (field.Name == "src" || field.Name == "dst") && family == 0 {
			switch field.Kind {
			case rules.IPv4:
				family = 4
			case rules.IPv6:
				family = 6
			default:
				if field.Bits == 32 {
					family = 4
				}
			}
		}
		v, ok := s.Get(k, i)
		if !ok {
			continue
		}
		x := v.Lo
		switch field.Name {
		case "src":
			src = words(v)
		case "dst":
			dst = words(v)
		case "sport":
			p.SrcPort = uint16(x)
		case "dport":
			p.DstPort = uint16(x)
		case "proto":
			p.Proto = uint8(x)
		case "frag":
			p.FragOffset = 185 * uint16(x&1)
		case "tcpflags":
			p.TCPFlags = uint8(x)
		case "icmptype":
			p.ICMPType = uint8(x)
		case "icmpcode":
			p.ICMPCode = uint8(x)
		case "flags":
			p.TCPFlags, p.ICMPType = uint8(x>>8), uint8(x>>8)
		case "dscp":
			p.TOS |= uint8(x) << 2
		case "ecn":
			p.TOS |= uint8(x) & 3
		case "tos":
			p.TOS = uint8(x)
		case "length":
			p.Length = uint32(min(x, 1500))
		case "ttl":
			p.TTL = uint8(x)
		case "vlan":
			p.VLAN, p.Has = uint16(x), p.Has|packet.HasVLAN
		case "smac":
			p.SMAC = x
		case "dmac":
			p.DMAC = x
		case "pkttype":
			switch x {
			case packet.Broadcast:
				p.DMAC = 0xffffffffffff
			case packet.Multicast:
				p.DMAC = 0x01005e000001
			}
		case "iif":
			p.InIface, p.Known = v, p.Known|packet.KnownIn
		case "oif":
			p.OutIface, p.Known = v, p.Known|packet.KnownOut
		case "ctstate":
			p.SetCTState(uint8(x))
		case "mark":
			p.Mark = uint32(x)
		}
	}
	if family == 0 {
		family = 6
		if mapped(src) || mapped(dst) {
			family = 4
		}
	}
	p.SetAddrs(address(src, family), address(dst, family))
	return p
}

func words(v rules.Value) [4]uint32 {
	return [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)}
}

// mapped reports whether an address of 128 bits is an IPv4 one.
func mapped(a [4]uint32) bool { return a[0]|a[1] == 0 && a[2] == 0xffff }

// address returns an address of the family, cut to IPv4 where need be.
func address(a [4]uint32, family int) netip.Addr {
	var b [16]byte
	for i, w := range a {
		b[4*i], b[4*i+1], b[4*i+2], b[4*i+3] = byte(w>>24), byte(w>>16), byte(w>>8), byte(w)
	}
	if family == 4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	if mapped(a) {
		b[0] = 0x20 // a mapped address would make an IPv4 packet
	}
	return netip.AddrFrom16(b)
}

// unsendable are the protocols that no IPv6 packet has: they are extension
// headers, and the protocol is the one behind them.
func unsendable(proto uint8, family int) bool {
	if family != 6 {
		return false
	}
	switch proto {
	case 0, 43, 44, 51, 60, 135, 139, 140:
		return true
	}
	return false
}

// AppendFrame appends to dst the Ethernet frame of a packet, as
// packet.AppendEthernet, with the headers that protocols beyond TCP, UDP and
// ICMP have, and with the quoted packet in ICMP errors and the inner packet in
// tunnels, so that what analysers of packets show is whole.
func AppendFrame(dst []byte, p *packet.Packet) []byte {
	if p.FragOffset != 0 { // data of a transport header that was before
		return p.AppendEthernetWith(dst, &packet.Extras{Payload: make([]byte, 8)})
	}
	x := packet.Extras{Next: 59, SPI: 1}
	inner := packet.Packet{Family: p.Family, Proto: packet.UDP, TTL: 63, Src: p.Dst, Dst: p.Src, SrcPort: 7, DstPort: 7}
	switch {
	case p.Proto == packet.TCP || p.Proto == packet.UDP:
		return p.AppendEthernet(dst)
	case p.Proto == packet.ICMP && p.Family != 6:
		switch p.ICMPType {
		case 3, 4, 5, 11, 12:
			x.Payload = inner.AppendIP(nil)
		case 13, 14: // three times
			x.Payload = make([]byte, 12)
		case 17, 18: // an address mask
			x.Payload = make([]byte, 4)
		}
	case p.Proto == packet.ICMPv6 && p.Family == 6:
		switch p.ICMPType {
		case 1, 2, 3, 4:
			x.Payload = inner.AppendIP(nil)
		case 134: // router advertisement: two times
			x.Payload = make([]byte, 8)
		case 130, 131, 132, 135, 136: // an address
			x.Payload = make([]byte, 16)
		case 137: // two
			x.Payload = make([]byte, 32)
		}
	case p.Proto == gre, p.Proto == 4 && p.Family != 6, p.Proto == 41 && p.Family == 6:
		x.Payload = inner.AppendIP(nil)
	}
	return p.AppendEthernetWith(dst, &x)
}

// realizer makes keys what packets can be.
type realizer struct {
	schema *rules.Schema
	family int
	binder *packet.Binder
	r      rng
	frame  []byte
	fields map[string]int
}

func newRealizer(s *rules.Schema, family int, r rng) *realizer {
	m := &realizer{schema: s, family: family, binder: packet.NewBinder(s), r: r, fields: map[string]int{}}
	for i := range s.Len() {
		m.fields[s.Field(i).Name] = i
	}
	return m
}

// settle replaces a key by that of the packet that PacketOf makes of it.
func (m *realizer) settle(k rules.Key) {
	made := PacketOf(m.schema, k, m.family)
	if unsendable(made.Proto, int(made.Family)) {
		made.Proto = packet.UDP
	}
	m.frame = AppendFrame(m.frame[:0], made)
	p := packet.Packet{Meta: made.Meta}
	if p.DecodeEthernet(m.frame) == nil {
		m.binder.Key(&p, k) // false for the other family, which the packet is not of
	}
}

// plain gives the fields that a rule leaves free plain values, such as its other
// conditions need them, and settles the key. The origin -1 is no rule.
func (m *realizer) plain(v *venue, k rules.Key, origin int) {
	var asked uint32
	if origin >= 0 {
		for _, c := range v.rules.CondsAt(origin) {
			asked |= 1 << c.Field()
		}
	}
	// set changes the field of a name unless the rule asks for it.
	set := func(name string, x uint64) {
		if i, ok := m.fields[name]; ok && asked>>i&1 == 0 {
			m.schema.Set(k, i, rules.U64(x))
		}
	}
	asks := func(names ...string) bool {
		for _, name := range names {
			if i, ok := m.fields[name]; ok && asked>>i&1 != 0 {
				return true
			}
		}
		return false
	}
	pick := func(list ...uint64) uint64 { return list[m.r.IntN(len(list))] }
	six := PacketOf(m.schema, k, m.family).Family == 6
	ping, other := uint64(icmp), pick(tcp, tcp, tcp, udp, udp)
	if six {
		ping = icmpv6
	}
	switch {
	case asks("tcpflags"):
		set("proto", tcp)
	case asks("icmptype", "icmpcode"):
		set("proto", ping)
	case asks("sport", "dport"):
		set("proto", other)
	case m.r.IntN(10) == 0:
		set("proto", ping)
	default:
		set("proto", other)
	}
	set("frag", 0)
	set("tcpflags", pick(2, 16, 16, 24, 17, 4))
	if set("icmptype", pick(8, 0)); six {
		set("icmptype", pick(128, 129))
	}
	set("icmpcode", 0)
	set("length", 0)
	set("pkttype", 0)
	set("mark", 0)
	set("sport", uint64(1024+m.r.IntN(64512)))
	set("ttl", pick(64, 64, 128, 255, 61, 119))
	if i, ok := m.fields["vlan"]; ok && asked>>i&1 == 0 && m.r.IntN(4) > 0 {
		m.schema.SetAbsent(k, i)
	}
	for _, name := range [...]string{"iif", "oif"} {
		if i, ok := m.fields[name]; ok && asked>>i&1 == 0 {
			m.schema.Set(k, i, rules.NameValue([...]string{"eth0", "eth1", "eth2", "wg0"}[m.r.IntN(4)]))
		}
	}
	if i, ok := m.fields["ctstate"]; ok {
		m.state(v, k, i, origin)
	}
	for _, name := range [...]string{"smac", "dmac"} {
		if i, ok := m.fields[name]; ok && asked>>i&1 == 0 {
			x := uint64(0x02)<<40 | uint64(m.r.IntN(1024))
			m.schema.Set(k, i, rules.U64(x))
		}
	}
	m.settle(k)
}

// state gives a packet one of the states that connections have, such as the rule
// asks for if there is one.
func (m *realizer) state(v *venue, k rules.Key, f, origin int) {
	for range 8 {
		x := rules.U64([...]uint64{8, 2, 2, 2, 4, 1}[m.r.IntN(6)])
		m.schema.Set(k, f, x)
		good := true
		if origin >= 0 {
			for _, c := range v.rules.CondsAt(origin) {
				good = good && (c.Field() != f || c.Holds(x, true))
			}
		}
		if good {
			return
		}
	}
}
