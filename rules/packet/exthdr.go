package packet

// IPv6 extension headers as the kernel's matches see them (ip6tables' ah,
// frag, rt, hbh, dst, ipv6header, srh). They are found and read when they are
// asked for; a packet without extension headers answers at once.

import (
	"encoding/binary"

	"github.com/hipac-go/classifier/rules"
)

// ExtHeaders are the bits of the header set of an IPv6 packet, field exthdrs
// and method ExtHeaderSet, with the values of match ipv6header and its names,
// but NONEXT, which it calls none.
var ExtHeaders = []rules.Symbol{{Name: "PROT", Value: ExtProt}, {Name: "NONEXT", Value: ExtNone}, {Name: "ESP", Value: ExtESP}, {Name: "AUTH", Value: ExtAuth},
	{Name: "FRAG", Value: ExtFrag}, {Name: "ROUTE", Value: ExtRoute}, {Name: "DST", Value: ExtDst}, {Name: "HOP", Value: ExtHop}}

// The bits of ExtHeaders.
const (
	ExtProt  = 1 << iota // a transport protocol, or anything that is none of these
	ExtNone              // no next header (59)
	ExtESP               // encapsulating security payload (50)
	ExtAuth              // authentication header (51)
	ExtFrag              // fragment header (44)
	ExtRoute             // routing header (43)
	ExtDst               // destination options (60)
	ExtHop               // hop-by-hop options (0)
)

// The numbers of the extension headers, for ExtHeader.
const (
	HopByHop    = extHopByHop
	Routing     = extRouting
	Fragment    = extFragment
	AuthHeader  = extAuth
	DestOptions = extDestOptions
)

// Numbers of protocols whose headers are read on demand.
const (
	ESP      = 50
	AH       = extAuth
	IPComp   = 108
	Mobility = 135
	noNext   = 59
)

func extBit(next uint8) uint8 {
	switch next {
	case extHopByHop:
		return ExtHop
	case extDestOptions:
		return ExtDst
	case extRouting:
		return ExtRoute
	case extFragment:
		return ExtFrag
	case extAuth:
		return ExtAuth
	}
	return 0
}

// ExtHeader finds the first extension header of the given number, one of
// HopByHop, Routing, Fragment, AuthHeader and DestOptions, and returns its
// offset from the IP header and the length that it says it has, in bytes. Of a
// later fragment only what is in front of the fragment header, and that
// header, are found. Short means that the chain ends beyond the packet before
// the header is found, or that the header's first two bytes (routing and
// fragment header: four) are not all there; the kernel's matches ah, frag, rt,
// hbh and dst drop the packet then. A header that is found may be longer than
// the packet.
func (p *Packet) ExtHeader(number uint8) (at, length int, s Status) {
	if p.Family != 6 || p.exts&extBit(number) == 0 && p.Notes&(BrokenChain|Cut) == 0 {
		return 0, 0, Absent
	}
	var buf scratch
	h, s := p.read(6, 1, &buf)
	if s != Found {
		return 0, 0, Absent // not decoded from bytes
	}
	next := h[0]
	at = 40
	for n := 0; isExtHeader(next) && n < MaxExtHeaders; n++ {
		h, s := p.read(at, extNeeds(next), &buf)
		if s != Found {
			return 0, 0, s
		}
		length = extLen(next, h[1])
		if next == number {
			return at, length, Found
		}
		if next == extFragment && binary.BigEndian.Uint16(h[2:])>>3 != 0 {
			break
		}
		next = h[0]
		at += length
	}
	return 0, 0, Absent
}

// whole is ExtHeader for the matches that want the header to be wholly in the
// packet; it returns the first n bytes of it, which is
// at least n bytes long.
func (p *Packet) whole(number uint8, n int, buf *scratch) (h []byte, at, length int) {
	at, length, s := p.ExtHeader(number)
	if s != Found || at+length > p.total() {
		return nil, 0, 0
	}
	h, _ = p.read(at, n, buf)
	return h, at, length
}

// ExtHeaderSet returns which headers an IPv6 packet has, as match ipv6header
// sees them: it goes on behind the fragment header of a later fragment as if
// there were headers. ok is false when the chain ends beyond the packet, where
// the match is false, and in IPv4 packets.
func (p *Packet) ExtHeaderSet() (set uint8, ok bool) {
	set, s := p.extHeaderSet()
	return set, s == Found
}

func (p *Packet) extHeaderSet() (set uint8, s Status) {
	if p.Family != 6 {
		return 0, Absent
	}
	var buf scratch
	h, s := p.read(6, 1, &buf)
	if s != Found {
		return 0, s
	}
	next := h[0]
	at, total := 40, p.total()
	for n := 0; at <= total; n++ {
		if next == noNext {
			return set | ExtNone, Found
		}
		if next != ESP && !isExtHeader(next) {
			break
		}
		if total-at < 2 || n == MaxExtHeaders {
			return 0, Short
		}
		if next == ESP {
			return set | ExtESP, Found
		}
		h, s := p.read(at, 2, &buf)
		if s != Found {
			return 0, s
		}
		set |= extBit(next)
		at += extLen(next, h[1])
		next = h[0]
	}
	if next != noNext && next != ESP {
		set |= ExtProt
	}
	return set, Found
}

// FragmentHeader is the fragment header of an IPv6 packet.
type FragmentHeader struct {
	ID       uint32
	Offset   uint16 // in units of 8 bytes
	More     bool
	Reserved uint16 // the reserved byte, shifted left by 2, and the two reserved bits
}

// FragmentHeader returns the first fragment header of an IPv6 packet.
func (p *Packet) FragmentHeader() (f FragmentHeader, ok bool) {
	at, _, s := p.ExtHeader(Fragment)
	if s != Found {
		return f, false
	}
	var buf scratch
	h, s := p.read(at, 8, &buf)
	if s != Found {
		return f, false
	}
	off := binary.BigEndian.Uint16(h[2:])
	return FragmentHeader{binary.BigEndian.Uint32(h[4:]), off >> 3, off&1 != 0, uint16(h[1])<<2 | off>>1&3}, true
}

// RoutingHeader is the routing header of an IPv6 packet.
type RoutingHeader struct {
	At       int // offset from the IP header
	Length   int // in bytes
	Next     uint8
	Type     uint8
	SegsLeft uint8
}

// RoutingHeader returns the first routing header of an IPv6 packet, if it is
// wholly in the packet by the packet's own length.
func (p *Packet) RoutingHeader() (r RoutingHeader, ok bool) {
	var buf scratch
	h, at, length := p.whole(Routing, 4, &buf)
	if h == nil {
		return r, false
	}
	return RoutingHeader{at, length, h[0], h[2], h[3]}, true
}

// Addrs returns the number of addresses that a routing header of type 0 has
// room for.
func (r RoutingHeader) Addrs() int { return (r.Length - 8) / 16 }

// RoutingReserved returns the 32 reserved bits of a routing header of type 0.
func (p *Packet) RoutingReserved(r RoutingHeader) (v uint32, ok bool) {
	var buf scratch
	h, s := p.read(r.At+4, 4, &buf)
	if s != Found {
		return 0, false
	}
	return binary.BigEndian.Uint32(h), true
}

// RoutingAddr returns address i, 0 <= i < r.Addrs(), of a routing header of
// type 0, as in Src.
func (p *Packet) RoutingAddr(r RoutingHeader, i int) (a [4]uint32, ok bool) {
	if i < 0 || i >= r.Addrs() {
		return a, false
	}
	return p.addrAt(r.At + 8 + 16*i)
}

func (p *Packet) addrAt(at int) (a [4]uint32, ok bool) {
	var buf scratch
	h, s := p.read(at, 16, &buf)
	if s != Found {
		return a, false
	}
	for i := range a {
		a[i] = binary.BigEndian.Uint32(h[4*i:])
	}
	return a, true
}

// OptionsHeader returns where the first hop-by-hop or destination options
// header (number: HopByHop, DestOptions) lies, as an offset from the IP
// header, and its length in bytes, if it is wholly in the packet by the
// packet's own length. The options begin two bytes behind at and end at at+length.
func (p *Packet) OptionsHeader(number uint8) (at, length int, ok bool) {
	var buf scratch
	h, at, length := p.whole(number, 2, &buf)
	return at, length, h != nil
}

// Option returns the type of the option at offset at of an options header that
// ends at offset end, the length of its value, and the offset of the option
// behind it, which may be beyond end. An option of type 0 (Pad1) is a single
// byte without a length. The status is Absent at the end and Short when the
// header has no room for the length.
func (p *Packet) Option(at, end int) (typ, length uint8, next int, s Status) {
	if at >= end {
		return 0, 0, at, Absent
	}
	var buf scratch
	h, s := p.read(at, 1, &buf)
	if s != Found {
		return 0, 0, at, s
	}
	if typ = h[0]; typ == 0 {
		return 0, 0, at + 1, Found
	}
	if at+2 > end {
		return typ, 0, end, Short
	}
	if h, s = p.read(at+1, 1, &buf); s != Found {
		return typ, 0, end, s
	}
	return typ, h[0], at + 2 + int(h[0]), Found
}

// SegmentRouting is a segment routing header (RFC 8754).
type SegmentRouting struct {
	At       int // offset from the IP header
	Next     uint8
	Length   uint8 // as in the header, in units of 8 bytes without the first
	SegsLeft uint8
	Last     uint8 // last entry
	// Tag is a number in network byte order, as RFC 8754 has it. Linux's match
	// srh compares the two bytes in the machine's order: --srh-tag 1 holds for
	// the tag 0x0100 on little-endian machines.
	Tag uint16
}

// SegmentRouting returns the segment routing header, as match srh sees it: the
// first routing header, if it is of type 4, wholly in the packet, and has no
// more segments left than the last entry says.
func (p *Packet) SegmentRouting() (r SegmentRouting, ok bool) {
	var buf scratch
	h, at, _ := p.whole(Routing, 8, &buf)
	if h == nil || h[2] != 4 || h[3] > h[4] {
		return r, false
	}
	return SegmentRouting{at, h[0], h[1], h[3], h[4], binary.BigEndian.Uint16(h[6:])}, true
}

// The segments that match srh compares.
const (
	PreviousSID = iota // the one that the packet comes from
	NextSID            // the one after the next
	LastSID            // the first entry of the list, the end of the way
)

// SID returns a segment of r: PreviousSID, NextSID or LastSID. There is no
// previous one at the beginning and no next one at the end.
func (p *Packet) SID(r SegmentRouting, which int) (a [4]uint32, ok bool) {
	at, ok := r.segment(which)
	if !ok {
		return a, false
	}
	return p.addrAt(at)
}

// segment returns the offset of a segment from the IP header. Nothing keeps it
// within the length that the header says it has, as in the kernel's match.
func (r *SegmentRouting) segment(which int) (at int, ok bool) {
	i := 0
	switch which {
	case PreviousSID:
		if r.SegsLeft == r.Last {
			return 0, false
		}
		i = int(r.SegsLeft) + 1
	case NextSID:
		if r.SegsLeft == 0 {
			return 0, false
		}
		i = int(r.SegsLeft) - 1
	}
	return r.At + 8 + 16*i, true
}

// EUI64 reports whether the lower half of an IPv6 packet's source address is
// made from its Ethernet source address (RFC 4291, appendix A), as match eui64
// sees it. ok is false in packets without an Ethernet address, and in IPv4
// packets.
func (p *Packet) EUI64() (is, ok bool) {
	if p.Family != 6 || p.Has&HasSMAC == 0 {
		return false, false
	}
	m := p.SMAC ^ 0x02<<40
	return p.Src[2] == uint32(m>>16)|0xff && p.Src[3] == 0xfe000000|uint32(m&0xffffff), true
}

// Auth is an authentication header.
type Auth struct {
	At       int    // offset from the IP header
	Length   uint8  // as in the header: units of 4 bytes, without the first two
	Reserved uint16 // 0 in proper headers
	SPI      uint32
}

// Auth returns the authentication header: of an IPv4 packet, the one behind
// its IP header; of an IPv6 packet, the first extension header of that kind.
func (p *Packet) Auth() (a Auth, s Status) {
	at, n := 0, 0
	if p.Family == 6 {
		if at, _, s = p.ExtHeader(AuthHeader); s != Found {
			return a, s
		}
	} else if at, n = p.header(AH); n == 0 {
		return a, Absent
	}
	var buf scratch
	h, s := p.read(at, 12, &buf)
	if s != Found {
		return a, s
	}
	return Auth{at, h[1], binary.BigEndian.Uint16(h[2:]), binary.BigEndian.Uint32(h[4:])}, Found
}
