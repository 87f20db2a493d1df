package packet

// Building: the bytes of a packet from its fields, with right lengths and
// checksums, for tests, generators and demonstrations. Decoding what was built
// gives the fields back, unless Proto is the number of an IPv6 extension
// header in an IPv6 packet.

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	maxIPv4 = 65535
	maxIPv6 = 65535 + 40
)

// AppendIP appends to dst the IP packet that p describes and returns the
// extended slice. Family 6 makes an IPv6 packet, any other an IPv4 one; both
// are without options. Has, Notes, the link layer's fields and Meta play no
// part.
//
// The transport header is that of Proto for TCP, UDP, UDPLite, SCTP, DCCP,
// ICMP and ICMPv6; other protocols and later fragments have only a payload.
// Length is the IP total length, raised as far as the headers need it and
// lowered to what IP can carry; the payload is zeros. With MoreFragments the
// payload is raised to a multiple of 8 bytes. A fragment of an IPv6 packet has
// a fragment header.
//
// The checksums are right, but for that of a first fragment, which is made as
// if the packet ended there. It allocates only to extend dst.
func (p *Packet) AppendIP(dst []byte) []byte { return p.AppendIPWith(dst, nil) }

// AppendIPWith is AppendIP for packets with what Extras says; nil: without.
func (p *Packet) AppendIPWith(dst []byte, x *Extras) []byte {
	v6 := p.Family == 6
	fragment := p.FragOffset != 0 || p.MoreFragments
	ipLen, most := 20+x.ipOptions(), maxIPv4
	if v6 {
		ipLen, most = 40+x.extHeaders(), maxIPv6
		if fragment {
			ipLen += 8
		}
	}
	l4 := 0
	if p.FragOffset == 0 {
		l4 = p.headerLen(x)
	}
	var payload []byte
	if x != nil {
		payload = x.Payload
	}
	body := min(max(min(int(p.Length), most)-ipLen, l4+len(payload)), most-ipLen)
	if p.MoreFragments {
		if body = (body + 7) &^ 7; ipLen+body > most {
			body -= 8
		}
	}
	start := len(dst)
	dst = grow(dst, ipLen+body)
	b := dst[start:]
	copy(b[ipLen+l4:], payload)
	if v6 {
		p.putIPv6(b, fragment, x)
	} else {
		p.putIPv4(b, fragment, x)
	}
	if l4 > 0 {
		p.putTransport(b[ipLen:], l4, x)
	}
	return dst
}

// AppendEthernet appends to dst the Ethernet frame that p describes: DMAC,
// SMAC, a VLAN tag when Has says HasVLAN, and the packet that AppendIP makes.
// There is no padding and no frame check sequence.
func (p *Packet) AppendEthernet(dst []byte) []byte { return p.AppendEthernetWith(dst, nil) }

// AppendEthernetWith is AppendEthernet with the packet that AppendIPWith makes.
func (p *Packet) AppendEthernetWith(dst []byte, x *Extras) []byte {
	dst = append(dst, byte(p.DMAC>>40), byte(p.DMAC>>32), byte(p.DMAC>>24), byte(p.DMAC>>16), byte(p.DMAC>>8), byte(p.DMAC),
		byte(p.SMAC>>40), byte(p.SMAC>>32), byte(p.SMAC>>24), byte(p.SMAC>>16), byte(p.SMAC>>8), byte(p.SMAC))
	if p.Has&HasVLAN != 0 {
		dst = append(dst, 0x81, 0x00, byte(p.VLAN>>8&0xf), byte(p.VLAN))
	}
	if p.Family == 6 {
		dst = binary.BigEndian.AppendUint16(dst, etherIPv6)
	} else {
		dst = binary.BigEndian.AppendUint16(dst, etherIPv4)
	}
	return p.AppendIPWith(dst, x)
}

// headerLen returns the length of the transport header that AppendIPWith writes.
func (p *Packet) headerLen(x *Extras) int {
	if n := p.moreHeaderLen(x); n > 0 {
		return n
	}
	switch p.Proto {
	case TCP:
		return 20
	case UDP, UDPLite:
		return 8
	case SCTP, DCCP:
		return 12
	case ICMP:
		if p.Family != 6 {
			return 8
		}
	case ICMPv6:
		if p.Family == 6 {
			return 8
		}
	}
	return 0
}

func (p *Packet) putIPv4(b []byte, fragment bool, x *Extras) {
	ihl := 20 + x.ipOptions()
	b[0] = 0x40 | uint8(ihl/4)
	b[1] = p.TOS
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	frag := p.FragOffset & 0x1fff
	if p.MoreFragments {
		frag |= 0x2000
	}
	if fragment {
		binary.BigEndian.PutUint16(b[4:], 1) // fragments need an identification
	}
	if ihl > 20 {
		copy(b[20:ihl], x.IPOptions)
	}
	if x != nil && x.ID != 0 {
		binary.BigEndian.PutUint16(b[4:], uint16(x.ID))
	}
	binary.BigEndian.PutUint16(b[6:], frag)
	b[8] = p.TTL
	b[9] = p.Proto
	binary.BigEndian.PutUint32(b[12:], p.Src[3])
	binary.BigEndian.PutUint32(b[16:], p.Dst[3])
	binary.BigEndian.PutUint16(b[10:], fold(sum(b[:ihl])))
}

func (p *Packet) putIPv6(b []byte, fragment bool, x *Extras) {
	b[0] = 0x60 | p.TOS>>4
	b[1] = p.TOS << 4
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	b[6] = p.Proto
	b[7] = p.TTL
	for i := range 4 {
		binary.BigEndian.PutUint32(b[8+4*i:], p.Src[i])
		binary.BigEndian.PutUint32(b[24+4*i:], p.Dst[i])
	}
	next, at := &b[6], 40 // where the number of the next header goes, and where it begins
	if x != nil {
		next, at = x.putExtHeaders(b, next)
	}
	if fragment {
		*next, next = extFragment, &b[at]
		frag := p.FragOffset << 3
		if p.MoreFragments {
			frag |= 1
		}
		binary.BigEndian.PutUint16(b[at+2:], frag)
		id := uint32(1)
		if x != nil && x.ID != 0 {
			id = x.ID
		}
		binary.BigEndian.PutUint32(b[at+4:], id)
	}
	*next = p.Proto
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// putTransport writes the transport header, of n bytes, into b, which is the
// header, zeros, and the payload.
func (p *Packet) putTransport(b []byte, n int, x *Extras) {
	check := 0 // offset of the checksum
	switch p.Proto {
	case TCP, UDP, UDPLite, SCTP, DCCP:
		binary.BigEndian.PutUint16(b, p.SrcPort)
		binary.BigEndian.PutUint16(b[2:], p.DstPort)
	}
	switch p.Proto {
	case TCP:
		b[12], b[13] = uint8(n/4)<<4, p.TCPFlags
		binary.BigEndian.PutUint16(b[14:], 65535)
		if n > 20 {
			copy(b[20:n], x.Options)
		}
		check = 16
	case UDP:
		if len(b) <= maxIPv4 {
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		}
		check = 6
	case UDPLite:
		check = 6 // coverage 0: all of it
	case DCCP:
		b[4], b[8] = uint8(n/4), 2<<1 // type DCCP-Data
		if x != nil {
			b[8] = x.Type << 1 & 0x1f
			copy(b[dccpFixed(b[8]):n], x.Options)
		}
		check = 6
	case SCTP:
		binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, castagnoli))
		return
	case ICMP, ICMPv6:
		b[0], b[1] = p.ICMPType, p.ICMPCode
		if x != nil {
			binary.BigEndian.PutUint32(b[4:], x.ICMPRest)
		}
		check = 2
	default:
		if check = p.putMore(b, n, x); check == 0 {
			return
		}
	}
	s := sum(b)
	if p.Proto != ICMP {
		s += p.pseudo(len(b))
	}
	c := fold(s)
	if c == 0 && (p.Proto == UDP || p.Proto == UDPLite) {
		c = 0xffff // 0 means "no checksum"
	}
	binary.BigEndian.PutUint16(b[check:], c)
}

// pseudo returns the sum of the pseudo header: addresses, protocol, length.
func (p *Packet) pseudo(n int) uint64 {
	s := uint64(p.Proto) + uint64(n)
	for i := range 4 {
		if p.Family == 6 || i == 3 {
			s += uint64(p.Src[i]>>16) + uint64(p.Src[i]&0xffff) + uint64(p.Dst[i]>>16) + uint64(p.Dst[i]&0xffff)
		}
	}
	return s
}

// sum adds b as 16-bit numbers.
func sum(b []byte) (s uint64) {
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// fold makes the Internet checksum (RFC 1071) of a sum.
func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// grow extends b by n zero bytes.
func grow(b []byte, n int) []byte {
	if n <= cap(b)-len(b) {
		start := len(b)
		b = b[:start+n]
		clear(b[start:])
		return b
	}
	return append(b, make([]byte, n)...)
}
