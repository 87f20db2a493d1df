package packet

// Decoding: link layer, IP header, transport header. Every function takes the
// data from its own layer on and looks only at bytes that it has checked to be
// there. Offsets are from the beginning of the data given to Decode.

import (
	"encoding/binary"
	"math"
)

// Limits of decoding.
const (
	// MaxVLANTags is the number of VLAN tags a frame may carry; two are in use.
	MaxVLANTags = 8
	// MaxExtHeaders is the number of IPv6 extension headers a packet may carry.
	// RFC 8200 allows each once (destination options twice); a packet of 64 kB
	// could hold 8,000, which nobody sends but to burn cycles.
	MaxExtHeaders = 64
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

var (
	errShortLink  = &Error{ErrTruncated, "ends inside the link header"}
	errShortIP    = &Error{ErrTruncated, "ends inside the IP header"}
	errEtherType  = &Error{ErrNotIP, "EtherType is neither IPv4 nor IPv6"}
	errFamily     = &Error{ErrNotIP, "address family is neither IPv4 nor IPv6"}
	errVersion    = &Error{ErrMalformed, "IP version is neither 4 nor 6"}
	errVersion4   = &Error{ErrMalformed, "IP version of an IPv4 packet is not 4"}
	errVersion6   = &Error{ErrMalformed, "IP version of an IPv6 packet is not 6"}
	errIHL        = &Error{ErrMalformed, "IPv4 header length is below 20"}
	errTotal      = &Error{ErrMalformed, "IPv4 total length is below the header length"}
	errBeyond     = &Error{ErrMalformed, "IP length is beyond the end of the packet"}
	errTags       = &Error{ErrMalformed, "too many VLAN tags"}
	errExtHeaders = &Error{ErrMalformed, "too many IPv6 extension headers"}
	errLinkType   = &Error{ErrLinkType, "not one of null, loop, ethernet, raw, linux_sll, linux_sll2, ipv4, ipv6"}
)

// Decode fills p, but for its Meta, from data, which begins as the link type
// says. data may hold only the beginning of the packet: an IP length beyond
// it sets the note Cut. On an error, an *Error, the fields of p are
// unspecified. A plain TCP packet takes about 18 ns (BenchmarkDecode).
//
// The Packet refers to data, so that what few rules ask for (options, extension
// headers, payload) is read when it is asked for: data must not change while
// the packet is in use, see Detach.
func (p *Packet) Decode(data []byte, link LinkType) error {
	return p.DecodeWire(data, math.MaxInt, link)
}

// DecodeWire is Decode for data of which the length on the wire is known, as
// captures tell it: a packet whose IP length is beyond wire is malformed.
func (p *Packet) DecodeWire(data []byte, wire int, link LinkType) error {
	p.reset()
	return p.keep(data, p.decode(data, len(data), wire, link))
}

// decode decodes a packet of have bytes, of which data are the first ones: all
// of them or, of a packet in segments, at least headLen.
func (p *Packet) decode(data []byte, have, wire int, link LinkType) error {
	switch link {
	case LinkEthernet:
		return p.ethernet(data, have, wire)
	case LinkRaw, LinkRaw12, LinkRaw14:
		return p.ip(data, 0, have, wire)
	case LinkIPv4:
		return p.ipv4(data, 0, have, wire)
	case LinkIPv6:
		return p.ipv6(data, 0, have, wire)
	case LinkNull, LinkLoop:
		return p.loopback(data, have, wire, link)
	case LinkSLL:
		return p.sll(data, have, wire)
	case LinkSLL2:
		return p.sll2(data, have, wire)
	}
	return errLinkType
}

// DecodeEthernet is Decode for an Ethernet frame.
func (p *Packet) DecodeEthernet(data []byte) error {
	p.reset()
	return p.keep(data, p.ethernet(data, len(data), math.MaxInt))
}

// DecodeIP is Decode for data that begins with an IPv4 or IPv6 header.
func (p *Packet) DecodeIP(data []byte) error {
	p.reset()
	return p.keep(data, p.ip(data, 0, len(data), math.MaxInt))
}

// reset clears what decoding does not set in every packet. It leaves Meta and
// data alone, which need not be cleared and cost more to copy.
func (p *Packet) reset() {
	p.Has, p.Notes = 0, 0
	p.Proto, p.TCPFlags, p.ICMPType, p.ICMPCode, p.PktType = 0, 0, 0, 0, 0
	p.MoreFragments, p.FragOffset = false, 0
	p.SrcPort, p.DstPort, p.VLAN, p.Length = 0, 0, 0, 0
	p.SMAC, p.DMAC = 0, 0
	p.TransportOffset, p.exts = 0, 0
	if p.rest != nil {
		p.rest = nil
	}
}

// keep makes p refer to the bytes that it was decoded from, or forget those of
// a packet before.
func (p *Packet) keep(data []byte, err error) error {
	if err != nil {
		p.data = nil
		return err
	}
	p.data = data[p.NetOffset:p.End]
	return nil
}

func (p *Packet) ethernet(data []byte, have, wire int) error {
	if len(data) < 14 {
		return errShortLink
	}
	d := uint64(binary.BigEndian.Uint32(data))<<16 | uint64(binary.BigEndian.Uint16(data[4:]))
	p.DMAC = d
	p.SMAC = uint64(binary.BigEndian.Uint16(data[6:]))<<32 | uint64(binary.BigEndian.Uint32(data[8:]))
	p.Has = HasSMAC | HasDMAC | HasPktType
	if d>>40&1 != 0 { // the group bit
		p.PktType = Multicast
		if d == 1<<48-1 {
			p.PktType = Broadcast
		}
	}
	return p.etherType(binary.BigEndian.Uint16(data[12:]), data, 14, have, wire)
}

// etherType goes on behind an EtherType: VLAN tags, then IP at offset off.
func (p *Packet) etherType(t uint16, data []byte, off, have, wire int) error {
	for tags := 0; ; tags++ {
		switch t {
		case etherIPv4:
			return p.ipv4(data, off, have, wire)
		case etherIPv6:
			return p.ipv6(data, off, have, wire)
		case 0x8100, 0x88a8, 0x9100: // 802.1Q, 802.1ad, QinQ before its standard
		default:
			return errEtherType
		}
		if tags == MaxVLANTags {
			return errTags
		}
		if len(data) < off+4 {
			return errShortLink
		}
		if tags == 0 {
			p.VLAN = binary.BigEndian.Uint16(data[off:]) & 0xfff
			p.Has |= HasVLAN
		}
		t = binary.BigEndian.Uint16(data[off+2:])
		off += 4
	}
}

func (p *Packet) loopback(data []byte, have, wire int, link LinkType) error {
	if len(data) < 4 {
		return errShortLink
	}
	af := binary.BigEndian.Uint32(data)
	if link == LinkNull && af > 0xffff {
		af = binary.LittleEndian.Uint32(data)
	}
	switch af {
	case 2: // AF_INET everywhere
		return p.ipv4(data, 4, have, wire)
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD, FreeBSD, Darwin
		return p.ipv6(data, 4, have, wire)
	}
	return errFamily
}

// sll decodes a Linux cooked header: packet type, device type, length of the
// address, 8 bytes of address, EtherType; 16 bytes in all.
func (p *Packet) sll(data []byte, have, wire int) error {
	if len(data) < 16 {
		return errShortLink
	}
	p.cooked(binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[4:]), data[6:14])
	return p.etherType(binary.BigEndian.Uint16(data[14:]), data, 16, have, wire)
}

// sll2 decodes the second version: EtherType, 2 bytes reserved, interface
// index, device type, packet type, length of the address, the address; 20 bytes.
func (p *Packet) sll2(data []byte, have, wire int) error {
	if len(data) < 20 {
		return errShortLink
	}
	p.cooked(uint16(data[10]), uint16(data[11]), data[12:20])
	return p.etherType(binary.BigEndian.Uint16(data), data, 20, have, wire)
}

// cooked takes what a cooked header says of the Ethernet one that it stands
// for: the source address and the packet type. Of a packet that is leaving
// (type 4) the type that rules saw is not known.
func (p *Packet) cooked(pktType, addrLen uint16, address []byte) {
	if pktType <= OtherHost {
		p.PktType = uint8(pktType)
		p.Has |= HasPktType
	}
	if addrLen == 6 {
		p.SMAC = uint64(binary.BigEndian.Uint32(address))<<16 | uint64(binary.BigEndian.Uint16(address[4:]))
		p.Has |= HasSMAC
	}
}

func (p *Packet) ip(data []byte, off, have, wire int) error {
	if len(data) <= off {
		return errShortIP
	}
	switch data[off] >> 4 {
	case 4:
		return p.ipv4(data, off, have, wire)
	case 6:
		return p.ipv6(data, off, have, wire)
	}
	return errVersion
}

func (p *Packet) ipv4(data []byte, off, have, wire int) error {
	b := data[off:]
	if len(b) < 20 {
		return errShortIP
	}
	if b[0]>>4 != 4 {
		return errVersion4
	}
	ihl := int(b[0]&15) * 4
	if ihl < 20 {
		return errIHL
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total < ihl {
		return errTotal
	}
	if total > wire-off {
		return errBeyond
	}
	if len(b) < ihl {
		return errShortIP
	}
	end := total
	if total > have-off {
		p.Notes |= Cut
		end = have - off
	}
	if end < len(b) {
		b = b[:end]
	}
	p.Family = 4
	p.TOS = b[1]
	p.Length = uint32(total)
	p.TTL = b[8]
	p.Proto = b[9]
	p.Has |= HasProto | HasLength
	p.Src[0], p.Src[1], p.Src[2], p.Src[3] = 0, 0, 0xffff, binary.BigEndian.Uint32(b[12:])
	p.Dst[0], p.Dst[1], p.Dst[2], p.Dst[3] = 0, 0, 0xffff, binary.BigEndian.Uint32(b[16:])
	p.NetOffset, p.End = off, off+end
	frag := binary.BigEndian.Uint16(b[6:])
	p.MoreFragments = frag&0x2000 != 0
	if frag &= 0x1fff; frag != 0 {
		p.FragOffset = frag
		if frag == 1 && p.Proto == TCP {
			p.Notes |= TinyFragment
		}
		return nil
	}
	p.TransportOffset = off + ihl
	p.transport(b[ihl:], total-ihl)
	return nil
}

// The IPv6 extension headers that are walked over. ESP hides what follows and
// counts as a protocol, as does "no next header" (59).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAuth        = 51
	extDestOptions = 60
)

func isExtHeader(next uint8) bool {
	switch next {
	case extHopByHop, extRouting, extFragment, extAuth, extDestOptions:
		return true
	}
	return false
}

func (p *Packet) ipv6(data []byte, off, have, wire int) error {
	b := data[off:]
	if len(b) < 40 {
		return errShortIP
	}
	if b[0]>>4 != 6 {
		return errVersion6
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	end := have - off
	next := b[6]
	if total == 40 && next == extHopByHop {
		total = math.MaxInt32 // a jumbogram (RFC 2675): its length is elsewhere
	} else {
		p.Length = uint32(total)
		p.Has |= HasLength
		if total > wire-off {
			return errBeyond
		}
		if total > end {
			p.Notes |= Cut
		} else {
			end = total
			b = b[:min(end, len(b))]
		}
	}
	p.Family = 6
	p.TOS = b[0]<<4 | b[1]>>4
	p.TTL = b[7]
	for i := range 4 {
		p.Src[i] = binary.BigEndian.Uint32(b[8+4*i:])
		p.Dst[i] = binary.BigEndian.Uint32(b[24+4*i:])
	}
	p.NetOffset, p.End = off, off+end
	if isExtHeader(next) {
		return p.chain(b, off, end, total, next)
	}
	p.Proto = next
	p.Has |= HasProto
	p.TransportOffset = off + 40
	p.transport(b[40:], total-40)
	return nil
}

// chain walks over the extension headers of an IPv6 packet, the first of which
// has the number next. The packet begins at off, has the length total, end
// bytes of it were captured, and b are the first of them.
func (p *Packet) chain(b []byte, off, end, total int, next uint8) error {
	at := 40
	exts := uint8(0)
walk:
	for n := 0; ; n++ {
		bit, unit, need := uint8(0), 8, 2 // the header's bit; its length is unit times its length field, plus 8
		switch next {
		case extHopByHop:
			bit = ExtHop
		case extDestOptions:
			bit = ExtDst
		case extRouting:
			bit, need = ExtRoute, 4
		case extAuth:
			bit, unit = ExtAuth, 4
		case extFragment:
			bit, unit, need = ExtFrag, 0, 4
		default:
			break walk
		}
		var h uint32 // the header's first 4 bytes, or 2 and zeros
		switch {
		case n == MaxExtHeaders:
			return errExtHeaders
		case at+need > end:
			if p.exts = exts; at+need > total {
				p.Notes |= BrokenChain
			} else {
				p.Notes |= Cut
			}
			return nil
		case at+4 <= len(b):
			h = binary.BigEndian.Uint32(b[at:])
		default:
			h = p.farHeader(b, off, at, need)
		}
		exts |= bit
		next = uint8(h >> 24)
		at += unit*int(h>>16&0xff) + 8
		if bit == ExtFrag {
			frag := uint16(h)
			p.MoreFragments = p.MoreFragments || frag&1 != 0
			if p.FragOffset = frag >> 3; p.FragOffset != 0 {
				if p.exts = exts; isExtHeader(next) {
					p.Notes |= BrokenChain
					return nil
				}
				p.Proto = next
				p.Has |= HasProto
				return nil
			}
		}
	}
	p.exts = exts
	p.Proto = next
	p.Has |= HasProto
	p.TransportOffset = off + at
	if at <= len(b) && (p.rest == nil || end-at <= len(b)-at) {
		p.transport(b[at:], total-at)
		return nil
	}
	return p.farTransport(off, at, end, total)
}

// farHeader returns the first need bytes of an extension header, as the upper
// ones of 4, at the end of b or beyond it.
func (p *Packet) farHeader(b []byte, off, at, need int) uint32 {
	var h [4]byte
	if at+need <= len(b) {
		copy(h[:], b[at:])
	} else {
		p.gatherHead(off+at, h[:need])
	}
	return binary.BigEndian.Uint32(h[:])
}

// farTransport decodes a transport header that is beyond what decode has of
// the packet in one piece, or beyond the packet.
func (p *Packet) farTransport(off, at, end, total int) error {
	var buf scratch
	n := 0
	if at < end {
		n = p.gatherHead(off+at, buf[:min(len(buf), end-at)])
	}
	p.transport(buf[:n], total-at)
	return nil
}

// extNeeds returns how many bytes of an extension header must be there for
// the walk over it, as the kernel has it.
func extNeeds(next uint8) int {
	if next == extFragment || next == extRouting {
		return 4
	}
	return 2
}

// extLen returns the length of an extension header from its length field.
func extLen(next, field uint8) int {
	switch next {
	case extFragment:
		return 8
	case extAuth:
		return int(field)*4 + 8
	}
	return int(field)*8 + 8
}

// transport decodes the transport header in b, as much of it as there is; the
// packet has n bytes of it and of what follows, negative when it ends before.
func (p *Packet) transport(b []byte, n int) {
	var fixed int // the length of the header's fixed part
	switch p.Proto {
	case TCP:
		fixed = 20
		if n >= 20 && len(b) >= 14 {
			p.TCPFlags = b[13]
			p.Has |= HasTCPFlags
		}
	case UDP, UDPLite:
		fixed = 8
	case SCTP, DCCP:
		fixed = 12
	case ICMP, ICMPv6:
		if (p.Proto == ICMP) != (p.Family == 4) {
			return
		}
		if n < 8 {
			p.Notes |= ShortHeader
		} else if len(b) >= 2 {
			p.ICMPType, p.ICMPCode = b[0], b[1]
			p.Has |= HasICMP
		}
		return
	default:
		return
	}
	if n < fixed {
		p.Notes |= ShortHeader
	} else if len(b) >= 4 {
		p.SrcPort = binary.BigEndian.Uint16(b)
		p.DstPort = binary.BigEndian.Uint16(b[2:])
		p.Has |= HasPorts
	}
}
