// Package packet decodes the bytes of a packet into the header fields that
// rules ask for, binds them to the keys of any schema, and builds packets from
// fields. It needs the standard library alone and does not allocate.
//
// A Packet says which fields the packet has, because rules treat a missing
// header in a way of their own: what is not there is absent, never 0. Decoding
// follows the Linux kernel's view of a packet, as its netfilter matches see it
// (RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 3828, RFC 9260, RFC 4340, RFC 792,
// RFC 4443):
//
//   - ports, TCP flags and ICMP type and code need the whole fixed header: 20
//     bytes for TCP, 8 for UDP, UDPLite and ICMP, 12 for SCTP and DCCP. In a
//     packet whose own length has no room for it they are absent and the note
//     ShortHeader is set.
//   - fragments other than the first have a protocol and no ports.
//   - the protocol of an IPv6 packet is the one behind its extension headers.
//   - a capture may hold only the beginning of a packet. Then the fields beyond
//     are absent and the note Cut is set; the IP header must be whole. A key
//     alone does not tell such fields from those that the packet does not have;
//     Binder.Lost does, and evaluation of tables by an xt.Traversal asks it.
//   - a header that is short or contradicts itself makes some matches drop the
//     packet. Broken says which.
//
// What most rules ask for is decoded at once. The rest - options, extension
// headers, payload - is read when it is asked for, by methods or by a Binder's
// key, from the bytes that the packet was decoded from; they must not change as
// long as the packet is in use. They may lie in one buffer or in several
// Segments. Fragments can be made whole by a Defragmenter, and the packet in a
// tunnel decoded by DecodeInner.
//
// Checksums are not verified: captures on the sending machine hold packets
// whose checksums the network card fills in later.
package packet

// This file: the decoded packet, what it says of missing fields, and errors.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Fields is a set of header fields that a packet has or has not. Those without
// a bit are in every IP packet: addresses, family, TOS, TTL, fragment offset.
type Fields uint16

// The fields that may be absent.
const (
	HasProto    Fields = 1 << iota // Proto
	HasPorts                       // SrcPort, DstPort
	HasTCPFlags                    // TCPFlags
	HasICMP                        // ICMPType, ICMPCode
	HasLength                      // Length
	HasVLAN                        // VLAN
	HasSMAC                        // SMAC
	HasDMAC                        // DMAC
	HasPktType                     // PktType
)

// Notes are remarks on a packet that the kernel's matches act upon.
type Notes uint8

// The notes.
const (
	// Cut: the capture holds only the beginning of the packet.
	Cut Notes = 1 << iota
	// ShortHeader: by its own length the packet ends inside the fixed part of
	// its transport header. The kernel drops it at the first rule that asks for
	// a field of that header.
	ShortHeader
	// TinyFragment: an IPv4 TCP fragment at offset 1 (8 bytes), which would
	// overwrite the flags of the first one (RFC 1858). The kernel drops it at
	// the first rule that asks for TCP; it does not do so for IPv6.
	TinyFragment
	// BrokenChain: the protocol cannot be found, because the chain of IPv6
	// extension headers ends beyond the packet, or goes on behind a fragment
	// header that is not the first fragment's. The kernel drops the packet at
	// the first rule that asks for a protocol.
	BrokenChain
)

// Linux's packet types, the values of PktType.
const (
	Unicast   = 0 // to this host
	Broadcast = 1
	Multicast = 2
	OtherHost = 3
	Loopback  = 5 // a copy of what this host sends to many
)

// linkType returns PktType as rules see it.
func (p *Packet) linkType() uint8 {
	switch {
	case p.PktType != Loopback:
		return p.PktType
	case p.Family == 6 || p.Dst[3]>>28 == 14:
		return Multicast
	}
	return Broadcast
}

// Numbers of the IP protocols whose headers are decoded.
const (
	ICMP    = 1
	TCP     = 6
	UDP     = 17
	DCCP    = 33
	ICMPv6  = 58
	SCTP    = 132
	UDPLite = 136
)

// Packet holds the header fields of one IP packet. Fields whose bit in Has is
// not set are 0. The zero Packet is ready for Decode; a Packet is for one
// goroutine and is meant to be reused.
type Packet struct {
	Has    Fields
	Notes  Notes
	Family uint8 // 4 or 6

	Proto    uint8 // IP protocol; for IPv6 the one behind the extension headers
	TCPFlags uint8 // byte 13 of the TCP header
	ICMPType uint8 // of ICMP in IPv4 and of ICMPv6 in IPv6
	ICMPCode uint8
	TOS      uint8 // TOS or traffic class: DSCP and ECN
	TTL      uint8 // TTL or hop limit
	PktType  uint8 // Unicast, Broadcast, Multicast, OtherHost or Loopback

	MoreFragments bool   // another fragment follows
	FragOffset    uint16 // in units of 8 bytes, 0 in the first fragment and in whole packets

	SrcPort, DstPort uint16
	VLAN             uint16 // VLAN id of the outermost tag, 12 bits

	// Length is the IP total length in bytes, for IPv6 the payload length plus
	// 40. It may exceed 65535 for IPv6.
	Length uint32

	// Src and Dst are the addresses as four words, the most significant first;
	// IPv4 addresses are the IPv4-mapped ones, ::ffff:a.b.c.d.
	Src, Dst [4]uint32

	// SMAC and DMAC are Ethernet addresses as 48-bit numbers.
	SMAC, DMAC uint64

	// NetOffset and TransportOffset are where the IP header and the transport
	// header begin in the decoded data, and End is where the packet's bytes end
	// in it. TransportOffset is 0 in later fragments and when Has lacks HasProto;
	// it may lie beyond End.
	NetOffset, TransportOffset, End int

	// The IP packet's bytes, from its header to End: data and, behind it, as much
	// of rest as belongs to it. nil in a packet that was not decoded.
	data []byte
	rest Segments
	exts uint8 // bits of ExtHeaders of the IPv6 extension headers walked over

	// Meta is what the bytes do not say. Decode leaves it alone, so that it may
	// be set once for many packets.
	Meta
}

// Frag reports whether the packet is a fragment that is not the first.
func (p *Packet) Frag() bool { return p.FragOffset != 0 }

// DSCP returns the upper six bits of TOS.
func (p *Packet) DSCP() uint8 { return p.TOS >> 2 }

// ECN returns the lower two bits of TOS.
func (p *Packet) ECN() uint8 { return p.TOS & 3 }

// SrcAddr returns the source address.
func (p *Packet) SrcAddr() netip.Addr { return addr(p.Family, &p.Src) }

// DstAddr returns the destination address.
func (p *Packet) DstAddr() netip.Addr { return addr(p.Family, &p.Dst) }

// SetAddrs sets the family and the addresses, which must be of one family.
func (p *Packet) SetAddrs(src, dst netip.Addr) {
	p.Family = 6
	if src.Is4() {
		p.Family = 4
	}
	p.Src, p.Dst = words(src), words(dst)
}

func addr(family uint8, w *[4]uint32) netip.Addr {
	var b [16]byte
	for i, x := range w {
		binary.BigEndian.PutUint32(b[4*i:], x)
	}
	a := netip.AddrFrom16(b)
	if family == 4 {
		a = a.Unmap()
	}
	return a
}

func words(a netip.Addr) (w [4]uint32) {
	if !a.IsValid() {
		return w
	}
	b := a.As16()
	for i := range w {
		w[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return w
}

// LinkType says how captured data begins: a LINKTYPE number of
// https://www.tcpdump.org/linktypes.html.
type LinkType uint32

// The link types that Decode knows. 12 and 14 are raw IP on some systems.
const (
	LinkNull     LinkType = 0 // 4 bytes of address family in the capturing machine's order
	LinkEthernet LinkType = 1
	LinkRaw12    LinkType = 12
	LinkRaw14    LinkType = 14
	LinkRaw      LinkType = 101 // an IPv4 or IPv6 header
	LinkLoop     LinkType = 108 // as LinkNull, in network order
	LinkSLL      LinkType = 113 // Linux "cooked" capture
	LinkIPv4     LinkType = 228
	LinkIPv6     LinkType = 229
	LinkSLL2     LinkType = 276
)

var linkNames = map[LinkType]string{
	LinkNull: "null", LinkEthernet: "ethernet", LinkRaw12: "raw", LinkRaw14: "raw", LinkRaw: "raw", LinkLoop: "loop",
	LinkSLL: "linux_sll", LinkIPv4: "ipv4", LinkIPv6: "ipv6", LinkSLL2: "linux_sll2",
}

// Supported reports whether Decode knows the link type.
func (l LinkType) Supported() bool {
	_, ok := linkNames[l]
	return ok
}

// String returns the link type's name, or its number.
func (l LinkType) String() string {
	if n, ok := linkNames[l]; ok {
		return n
	}
	return fmt.Sprintf("link type %d", uint32(l))
}

// The kinds of decoding errors, to be tested for with errors.Is.
var (
	ErrTruncated = errors.New("truncated packet")      // ends before its IP header does
	ErrNotIP     = errors.New("not an IP packet")      // ARP, STP and the like
	ErrMalformed = errors.New("malformed packet")      // no IP stack would take it
	ErrLinkType  = errors.New("unsupported link type") // Decode was asked for one it does not know
)

// Error says why a packet could not be decoded. Its Kind is one of the errors
// above. All of them are made in advance, so that decoding never allocates.
type Error struct {
	Kind   error
	Reason string
}

// Error returns the kind and the reason.
func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Reason }

// Unwrap returns e.Kind.
func (e *Error) Unwrap() error { return e.Kind }
