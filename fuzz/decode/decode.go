// Package decode is a second decoder of packets: slow, one step after the other as
// the standards have them (RFC 791, RFC 8200, RFC 2675), and right on sight. The tests
// of package rules/packet and the exercises hold the fast one to it. It imports nothing
// of it, so that no mistake is in both.
package decode

// This file: the slow decoder. draw.go: packets for it.

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// Outline is what the slow decoder finds in a packet. Has and Notes have the bits of
// the types of these names in rules/packet.
type Outline struct {
	Family, TOS, TTL                    uint8
	Proto, TCPFlags, ICMPType, ICMPCode uint8
	Notes                               uint8
	Has                                 uint16
	More                                bool
	Frag                                uint16
	SrcPort, DstPort                    uint16
	Length                              uint32
	Src, Dst                            netip.Addr
	Transport, End                      int // from where the packet begins
}

const (
	hasProto, hasPorts, hasTCPFlags, hasICMP, hasLength = 1, 2, 4, 8, 16

	cut, shortHeader, tinyFragment, brokenChain = 1, 2, 4, 8

	hopByHop, routing, fragment, authHeader, destOptions         = 0, 43, 44, 51, 60
	icmp, tcp, udp, dccp, esp, icmpv6, noNext, sctp, udpLite     = 1, 6, 17, 33, 50, 58, 59, 132, 136
	null, ethernet, raw12, raw14, raw, loop, sll, ip4, ip6, sll2 = 0, 1, 12, 14, 101, 108, 113, 228, 229, 276

	mostHeaders, mostTags = 64, 8
)

// Begin returns where the IP packet begins in data of a link type, a LINKTYPE number,
// whose tags' outermost id is VLAN, -1 without one. It reports false when there is
// none.
func Begin(data []byte, link uint32) (at, vlan int, ok bool) {
	vlan = -1
	kind := 0 // an EtherType
	switch link {
	case raw12, raw14, raw:
		if len(data) > 0 {
			kind = map[byte]int{4: 0x800, 6: 0x86dd}[data[0]>>4]
		}
	case ip4:
		kind = 0x800
	case ip6:
		kind = 0x86dd
	case null, loop:
		if len(data) < 4 {
			return 0, vlan, false
		}
		at = 4
		families := map[uint32]int{2: 0x800, 10: 0x86dd, 24: 0x86dd, 28: 0x86dd, 30: 0x86dd}
		kind = families[binary.BigEndian.Uint32(data)]
		if kind == 0 && link == null {
			kind = families[binary.LittleEndian.Uint32(data)]
		}
	case ethernet, sll, sll2:
		from := 0
		at, from = map[uint32]int{ethernet: 14, sll: 16, sll2: 20}[link], map[uint32]int{ethernet: 12, sll: 14, sll2: 0}[link]
		if len(data) < at {
			return 0, vlan, false
		}
		kind = int(binary.BigEndian.Uint16(data[from:]))
		for tags := 0; kind == 0x8100 || kind == 0x88a8 || kind == 0x9100; tags++ {
			if tags == mostTags || len(data) < at+4 {
				return 0, vlan, false
			}
			if tags == 0 {
				vlan = int(binary.BigEndian.Uint16(data[at:])) % 4096
			}
			kind = int(binary.BigEndian.Uint16(data[at+2:]))
			at += 4
		}
	}
	if kind != 0x800 && kind != 0x86dd || len(data) < at+20 {
		return 0, vlan, false
	}
	version := data[at] >> 4
	if kind == 0x800 && version != 4 || kind == 0x86dd && (version != 6 || len(data) < at+40) {
		return 0, vlan, false
	}
	return at, vlan, true
}

// IP decodes an IP packet of which data was captured, at least its fixed header, and
// which has no more than wire bytes. It reports false for what is no packet.
func IP(data []byte, wire int) (o Outline, ok bool) {
	there := func(at, n int) bool { return at+n <= o.End } // captured
	o.Family, o.TOS, o.TTL = 4, data[1], data[8]
	o.Src, _ = netip.AddrFromSlice(data[12:16])
	o.Dst, _ = netip.AddrFromSlice(data[16:20])
	if data[0]>>4 == 6 {
		o.Family, o.TOS, o.TTL = 6, uint8(binary.BigEndian.Uint16(data)>>4), data[7]
		o.Src, _ = netip.AddrFromSlice(data[8:24])
		o.Dst, _ = netip.AddrFromSlice(data[24:40])
	}
	total, at, next := 0, 0, uint8(0)
	if data[0]>>4 == 4 {
		total = int(binary.BigEndian.Uint16(data[2:]))
		at, next = int(data[0]&15)*4, data[9]
		frag := binary.BigEndian.Uint16(data[6:])
		o.More, o.Frag = frag>>13&1 == 1, frag&(1<<13-1)
		if at < 20 || total < at || len(data) < at {
			return o, false
		}
	} else {
		total = int(binary.BigEndian.Uint16(data[4:])) + 40
		at, next = 40, data[6]
	}
	o.Length, o.Has, o.End = uint32(total), hasLength, min(total, len(data))
	if data[0]>>4 == 6 && total == 40 && next == hopByHop {
		o.Length, o.Has, o.End, total = 0, 0, len(data), math.MaxInt32
	} else if total > wire {
		return o, false
	} else if o.End < total {
		o.Notes |= cut
	}
	for count := 0; data[0]>>4 == 6; count++ {
		need, unit := 2, 8
		switch next {
		case routing:
			need = 4
		case fragment:
			need = 4
		case authHeader:
			unit = 4
		case hopByHop, destOptions:
		default:
			need = 0
		}
		if need == 0 {
			break
		}
		if count == mostHeaders {
			return o, false
		}
		if !there(at, need) {
			if at+need > total {
				o.Notes |= brokenChain
			} else {
				o.Notes |= cut
			}
			return o, true
		}
		was := next
		next = data[at]
		if was != fragment {
			at += 8 + unit*int(data[at+1])
			continue
		}
		frag := binary.BigEndian.Uint16(data[at+2:])
		at += 8
		o.More, o.Frag = o.More || frag&1 == 1, frag>>3
		if o.Frag == 0 {
			continue
		}
		switch next {
		case hopByHop, destOptions, routing, fragment, authHeader:
			o.Notes |= brokenChain
		default:
			o.Proto, o.Has = next, o.Has|hasProto
		}
		return o, true
	}
	o.Proto, o.Has = next, o.Has|hasProto
	if o.Frag != 0 {
		if o.Frag == 1 && next == tcp {
			o.Notes |= tinyFragment
		}
		return o, true
	}
	o.Transport = at
	fixed, control := 0, false
	switch next {
	case tcp:
		fixed = 20
	case udp, udpLite:
		fixed = 8
	case sctp, dccp:
		fixed = 12
	case icmp, icmpv6:
		if (next == icmp) == (data[0]>>4 == 4) {
			fixed, control = 8, true
		}
	}
	switch {
	case fixed == 0:
	case at+fixed > total:
		o.Notes |= shortHeader
	case control && there(at, 2):
		o.ICMPType, o.ICMPCode, o.Has = data[at], data[at+1], o.Has|hasICMP
	case !control && there(at, 4):
		o.SrcPort, o.DstPort, o.Has = binary.BigEndian.Uint16(data[at:]), binary.BigEndian.Uint16(data[at+2:]), o.Has|hasPorts
		if next == tcp && there(at, 14) {
			o.TCPFlags, o.Has = data[at+13], o.Has|hasTCPFlags
		}
	}
	return o, true
}
