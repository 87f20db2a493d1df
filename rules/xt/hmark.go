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
		f, outcome := h.find(p)
		switch outcome {
		case rules.Unsure:
			return rules.Unsure, needsPacket
		case rules.No:
			t.Record(at, "HMARK", "", "no header inside", "")
			return rules.Yes, ""
		}
		src, dst, ports, proto = h.addr(&f.src, &h.SrcMask, p), h.addr(&f.dst, &h.DstMask, p), f.ports, f.proto
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

// found is what HMARK takes from a packet.
type found struct {
	src, dst [4]uint32
	proto    uint8
	ports    uint32 // masked and in order
}

// find reads what counts of the packet, or of the one inside an error of ICMP.
// No says that there is no whole header inside, Unsure that the bytes are not
// known.
func (h *HMARK) find(p *packet.Packet) (f found, o rules.Outcome) {
	if p.Captured() == 0 {
		if p.Has&packet.HasICMP != 0 {
			return f, rules.Unsure
		}
		f = found{src: p.Src, dst: p.Dst, proto: p.Proto}
		if p.Has&packet.HasPorts != 0 && !p.MoreFragments {
			f.ports = h.order(uint32(p.SrcPort)<<16 | uint32(p.DstPort))
		}
		return f, rules.Yes
	}
	r := reader{p: p}
	if p.Family == 4 {
		o = h.find4(&r, &f)
	} else {
		o = h.find6(&r, &f)
	}
	if r.cut {
		return f, rules.Unsure
	}
	return f, o
}

// reader reads bytes of a packet.
type reader struct {
	p   *packet.Packet
	buf [40]byte
	cut bool // some were not captured
}

// at returns n bytes, at most 40, at an offset from the IP header, nil when
// the packet has not got them.
func (r *reader) at(at, n int) []byte {
	b := r.p.Bytes(at, n, r.buf[:])
	if b == nil && r.p.Notes&packet.Cut != 0 {
		r.cut = true
	}
	return b
}

func (h *HMARK) find4(r *reader, f *found) rules.Outcome {
	ip, off := r.at(0, 20), 0
	if ip == nil {
		return rules.No
	}
	if ip[9] == packet.ICMP {
		size := int(ip[0]&15) * 4
		if b := r.at(size, 8); b != nil {
			switch b[0] {
			case 3, 4, 5, 11, 12:
				off = size + 8
			}
		}
		if ip = r.at(off, 20); ip == nil {
			return rules.No
		}
	}
	f.src, f.dst, f.proto = [4]uint32{3: binary.BigEndian.Uint32(ip[12:])}, [4]uint32{3: binary.BigEndian.Uint32(ip[16:])}, ip[9]
	if f.proto == packet.ICMP || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return rules.Yes
	}
	h.readPorts(r, f, off+int(ip[0]&15)*4)
	return rules.Yes
}

func (h *HMARK) find6(r *reader, f *found) rules.Outcome {
	next, at, fragment := r.skip(0)
	if next < 0 {
		return rules.Yes // a hash of nothing
	}
	ip := 0
	if !fragment && next == packet.ICMPv6 {
		if b := r.at(at, 8); b != nil && b[0] != 0 && b[0] < 128 {
			ip = at + 8
			if next, at, fragment = r.skip(ip); next < 0 {
				return rules.No
			}
		}
	}
	b := r.at(ip, 40)
	if b == nil {
		return rules.No
	}
	for i := range 4 {
		f.src[i], f.dst[i] = binary.BigEndian.Uint32(b[8+4*i:]), binary.BigEndian.Uint32(b[24+4*i:])
	}
	f.proto = uint8(next)
	if f.proto != packet.ICMPv6 && !fragment {
		h.readPorts(r, f, at)
	}
	return rules.Yes
}

// skip returns the protocol behind the extension headers of the IPv6 header at
// an offset, -1 when it cannot be found, and where its header begins.
// Authentication headers end the chain. fragment says that there is a fragment
// header.
func (r *reader) skip(ip int) (next, at int, fragment bool) {
	b := r.at(ip, 40)
	if b == nil || b[0]>>4 != 6 {
		return -1, 0, false
	}
	next, at = int(b[6]), ip+40
	for {
		switch next {
		case packet.HopByHop, packet.Routing, packet.DestOptions, packet.Fragment, ah:
		default:
			return next, at, fragment
		}
		if b = r.at(at, 2); b == nil {
			return -1, 0, fragment
		}
		if next == ah {
			return next, at, fragment
		}
		size := 8 + 8*int(b[1])
		behind := int(b[0])
		if next == packet.Fragment {
			fragment, size = true, 8
			if b = r.at(at+2, 2); b == nil {
				return -1, 0, fragment
			}
			if binary.BigEndian.Uint16(b)&^7 != 0 {
				switch behind {
				case packet.HopByHop, packet.Routing, packet.DestOptions, packet.Fragment, ah:
					return -1, 0, fragment
				}
				return behind, at, fragment
			}
		}
		next, at = behind, at+size
	}
}

// readPorts reads what is at the beginning of the transport header.
func (h *HMARK) readPorts(r *reader, f *found, at int) {
	switch f.proto {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP, esp:
	case ah:
		at += 4
	default:
		return
	}
	if b := r.at(at, 4); b != nil {
		f.ports = h.order(binary.BigEndian.Uint32(b))
	}
}

// Protocols that have an SPI.
const (
	esp = 50
	ah  = 51
)
