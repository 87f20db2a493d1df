package xt

// The target HMARK: a mark that is a hash of the packet's addresses, ports and
// protocol, the same in both directions.

import (
	"encoding/binary"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// HMARK is the target HMARK. The mark becomes a hash, mapped to 0..Modulus-1,
// plus Offset. Ports, or the SPI of ESP and AH, are the 32 bits at the
// beginning of the transport header, the source port above.
type HMARK struct {
	ByConn           bool // by the connection's addresses, not the packet's
	SrcMask, DstMask [4]uint32
	PortMask         uint32
	PortSet          uint32
	ProtoMask        uint16
	Seed             uint32
	Modulus, Offset  uint32
}

// Apply sets the mark. In errors of ICMP it looks at the packet inside.
func (h *HMARK) Apply(s rules.Subject, at rules.Place, unsure string) (rules.Outcome, string) {
	t, outcome, needs := begin(s, at, "HMARK", unsure)
	if t == nil {
		return outcome, needs
	}
	p := &t.Packet
	var src, dst, ports uint32
	proto := uint8(0)
	if h.ByConn {
		conn, known := t.connection()
		if !known {
			return rules.Unsure, needsConn
		}
		if conn == nil {
			t.Record(at, "HMARK", "", "no connection", "")
			return rules.Yes, ""
		}
		src, dst = h.addr(&conn.Orig[0].Addr, &h.SrcMask, p), h.addr(&conn.Repl[0].Addr, &h.DstMask, p)
		if proto = conn.Proto; proto != packet.ICMP {
			ports = h.order(uint32(conn.Orig[0].Port)<<16 | uint32(conn.Repl[0].Port))
		}
	} else {
		inner, ok := h.packet(p)
		if !ok {
			return rules.Unsure, needsPacket
		}
		src, dst = h.addr(&inner.Src, &h.SrcMask, p), h.addr(&inner.Dst, &h.DstMask, p)
		proto, ports = h.ports(inner)
	}
	if dst < src {
		src, dst = dst, src
	}
	hash := jhash3(src, dst, ports, h.Seed) ^ uint32(uint16(proto)&h.ProtoMask)
	t.setMark(at, "HMARK", scale(hash, h.Modulus)+h.Offset)
	return rules.Yes, ""
}

// addr returns the bits of an address that count, as one word.
func (h *HMARK) addr(a, mask *[4]uint32, p *packet.Packet) uint32 {
	if p.Family == 4 {
		return a[3] & mask[3]
	}
	return a[0]&mask[0] ^ a[1]&mask[1] ^ a[2]&mask[2] ^ a[3]&mask[3]
}

// order masks ports and puts the greater one above.
func (h *HMARK) order(ports uint32) uint32 {
	ports = ports&h.PortMask | h.PortSet
	if lo, hi := ports&0xffff, ports>>16; lo > hi {
		return lo<<16 | hi
	}
	return ports
}

// packet returns the packet that counts: the one that an error of ICMP is
// about, else p.
func (h *HMARK) packet(p *packet.Packet) (inner *packet.Packet, ok bool) {
	at, n := p.TransportOffset-p.NetOffset, p.Captured()
	var isError bool
	switch {
	case p.Has&packet.HasICMP == 0:
	case p.Family == 4:
		switch p.ICMPType {
		case 3, 4, 5, 11, 12:
			isError = true
		}
	default:
		isError = p.ICMPType != 0 && p.ICMPType < 128 && !p.MoreFragments && p.FragOffset == 0
	}
	if !isError {
		return p, true
	}
	if n == 0 {
		return nil, false
	}
	inner = &packet.Packet{}
	b := p.Bytes(at+8, n-at-8, make([]byte, n))
	if err := inner.Decode(b, packet.LinkRaw); err != nil || inner.Family != p.Family {
		return nil, false
	}
	return inner, true
}

// ports returns the protocol of a packet and its ports, or SPI, masked and in
// order. In IPv6 an authentication header counts for more than what is behind.
func (h *HMARK) ports(p *packet.Packet) (proto uint8, ports uint32) {
	if p.Family == 6 {
		if a, s := p.Auth(); s == packet.Found {
			if p.MoreFragments || p.FragOffset != 0 {
				return ah, 0
			}
			return ah, h.order(a.SPI)
		}
	}
	if p.Has&packet.HasProto == 0 || p.FragOffset != 0 || p.MoreFragments {
		return p.Proto, 0
	}
	off := 0
	switch p.Proto {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP, esp:
	case ah:
		off = 4
	default:
		return p.Proto, 0
	}
	var buf [4]byte
	if b := p.Bytes(p.TransportOffset-p.NetOffset+off, 4, buf[:]); b != nil {
		return p.Proto, h.order(binary.BigEndian.Uint32(b))
	}
	if p.Has&packet.HasPorts == 0 {
		return p.Proto, 0
	}
	return p.Proto, h.order(uint32(p.SrcPort)<<16 | uint32(p.DstPort))
}

// Protocols that have an SPI.
const (
	esp = 50
	ah  = 51
)
