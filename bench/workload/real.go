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
	p := &packet.Packet{Proto: packet.UDP, TTL: 64, SMAC: 0x020000000001, DMAC: 0x020000000002}
	var src, dst [4]uint32
	set := map[string]func(rules.Value){
		"src":      func(v rules.Value) { src = words(v) },
		"dst":      func(v rules.Value) { dst = words(v) },
		"sport":    func(v rules.Value) { p.SrcPort = uint16(v.Lo) },
		"dport":    func(v rules.Value) { p.DstPort = uint16(v.Lo) },
		"proto":    func(v rules.Value) { p.Proto = uint8(v.Lo) },
		"frag":     func(v rules.Value) { p.FragOffset = 185 * uint16(v.Lo&1) },
		"tcpflags": func(v rules.Value) { p.TCPFlags = uint8(v.Lo) },
		"icmptype": func(v rules.Value) { p.ICMPType = uint8(v.Lo) },
		"icmpcode": func(v rules.Value) { p.ICMPCode = uint8(v.Lo) },
		"flags":    func(v rules.Value) { p.TCPFlags, p.ICMPType = uint8(v.Lo>>8), uint8(v.Lo>>8) },
		"dscp":     func(v rules.Value) { p.TOS |= uint8(v.Lo) << 2 },
		"ecn":      func(v rules.Value) { p.TOS |= uint8(v.Lo) & 3 },
		"tos":      func(v rules.Value) { p.TOS = uint8(v.Lo) },
		"length":   func(v rules.Value) { p.Length = uint32(min(v.Lo, 1500)) },
		"ttl":      func(v rules.Value) { p.TTL = uint8(v.Lo) },
		"vlan":     func(v rules.Value) { p.VLAN, p.Has = uint16(v.Lo), p.Has|packet.HasVLAN },
		"smac":     func(v rules.Value) { p.SMAC = v.Lo },
		"dmac":     func(v rules.Value) { p.DMAC = v.Lo },
		"iif":      func(v rules.Value) { p.InIface, p.Known = v, p.Known|packet.KnownIn },
		"oif":      func(v rules.Value) { p.OutIface, p.Known = v, p.Known|packet.KnownOut },
		"ctstate":  func(v rules.Value) { p.SetCTState(uint8(v.Lo)) },
		"mark":     func(v rules.Value) { p.Mark = uint32(v.Lo) },
	}
	for i := range s.Len() {
		field := s.Field(i)
		if f := set[field.Name]; f != nil {
			if v, ok := s.Get(k, i); ok {
				f(v)
			}
		}
		if family == 0 && (field.Name == "src" || field.Name == "dst") && field.Bits == 32 {
			family = 4
		} else if family == 0 && field.Kind == rules.IPv6 {
			family = 6
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
