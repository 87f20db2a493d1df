package packet

// Packets inside packets: the payload of a tunnel, and the packet that an ICMP
// error quotes.

import "math"

var (
	errNoInner  = &Error{ErrNotIP, "no tunnel that is known: IPv4, IPv6 or GRE in IP"}
	errGRE      = &Error{ErrNotIP, "GRE of another version, with source routes, or around something else than IP or Ethernet"}
	errNoQuote  = &Error{ErrNotIP, "not an ICMP error that quotes a packet"}
	errInnerCut = &Error{ErrTruncated, "ends inside the header around the inner packet"}
)

// DecodeInner decodes into inner the packet that p carries as a tunnel: IPv4
// (protocol 4) or IPv6 (41) in IP, or GRE (47; RFC 2784 and 2890, version 0)
// around IP or Ethernet. Matches know nothing of it: to them such protocols
// are just protocols. inner's offsets count from the first byte behind the
// tunnel's header; its Meta stays as it is. Nothing is copied.
func (p *Packet) DecodeInner(inner *Packet) error {
	proto := p.Proto
	switch {
	case p.data == nil || p.FragOffset != 0 || p.Has&HasProto == 0:
		return errNoInner
	case proto != ipInIP && proto != ipv6InIP && proto != gre:
		return errNoInner
	}
	at := p.TransportOffset - p.NetOffset
	link := LinkIPv4
	switch proto {
	case ipv6InIP:
		link = LinkIPv6
	case gre:
		var buf scratch
		h, s := p.read(at, 4, &buf)
		if s != Found {
			return errInnerCut
		}
		if h[0]&0x40 != 0 || h[1]&7 != 0 {
			return errGRE
		}
		switch uint16(h[2])<<8 | uint16(h[3]) {
		case etherIPv4:
		case etherIPv6:
			link = LinkIPv6
		case 0x6558: // transparent Ethernet bridging
			link = LinkEthernet
		default:
			return errGRE
		}
		at += 4
		for _, bit := range [...]uint8{0x80, 0x20, 0x10} { // checksum, key, sequence number
			if h[0]&bit != 0 {
				at += 4
			}
		}
	}
	return p.decodeAt(inner, at, p.total()-at, link)
}

// DecodeQuoted decodes into inner the packet that p, an ICMP or ICMPv6 error,
// quotes. Errors quote only the beginning of a packet: the note Cut says so.
// inner's offsets count from the first byte of the quoted packet; its Meta
// stays as it is.
func (p *Packet) DecodeQuoted(inner *Packet) error {
	if p.data == nil || p.Has&HasICMP == 0 {
		return errNoQuote
	}
	link := LinkIPv4
	switch {
	case p.Family == 6 && p.ICMPType >= 1 && p.ICMPType <= 4:
		link = LinkIPv6
	case p.Family == 4 && (p.ICMPType >= 3 && p.ICMPType <= 5 || p.ICMPType == 11 || p.ICMPType == 12):
	default:
		return errNoQuote
	}
	return p.decodeAt(inner, p.TransportOffset-p.NetOffset+8, math.MaxInt, link)
}

// decodeAt decodes the bytes from offset at from the IP header on.
func (p *Packet) decodeAt(inner *Packet, at, wire int, link LinkType) error {
	have := p.Captured() - at
	if have < 0 {
		return errInnerCut
	}
	data, rest := p.data, p.rest
	for at >= len(data) && len(rest) > 0 {
		at -= len(data)
		data, rest = rest[0], rest[1:]
	}
	if at > len(data) {
		return errInnerCut
	}
	data = data[at:]
	return inner.decodePieces(data[:min(len(data), have)], rest, have, wire, link)
}
