package packet

// Building packets with options, extension headers and the protocols that
// AppendIP has no header for. Tests, above all those that compare with a
// kernel, are made of such packets.

import "encoding/binary"

// Extras says what a packet has besides what the fields of Packet say. The zero
// Extras is that of a packet without options, with the headers named below.
//
// With an Extras, these protocols have a header too: AH (in IPv4; 12 bytes),
// ESP (8), IPComp (4), GRE (4) and the mobility header (8). IPv4 and IPv6 in IP
// (4, 41) need none: the inner packet is the Payload.
type Extras struct {
	// ID is the identification: of every IPv4 packet, and of IPv6 fragments.
	// 0: 1 in fragments, else 0.
	ID uint32
	// IPOptions are the options of an IPv4 packet, up to 40 bytes, filled with
	// zeros to a multiple of 4.
	IPOptions []byte
	// ExtHeaders are the extension headers of an IPv6 packet, in order. The
	// fragment header that FragOffset and MoreFragments ask for comes behind
	// them. At most MaxExtHeaders are written, and no more than 48 kB of them.
	ExtHeaders []ExtHeader
	// Options are those of TCP, up to 40 bytes, or DCCP, up to 996 bytes, filled
	// with zeros to a multiple of 4.
	Options []byte
	// Type is the packet type of DCCP (0: request), or of a mobility header.
	Type uint8
	// SPI is the security parameter index of AH and ESP, and the compression
	// parameter index of IPComp.
	SPI uint32
	// Next is the protocol behind AH (in IPv4) and IPComp.
	Next uint8
	// ICMPRest is the second word of an ICMP or ICMPv6 header: identifier and
	// sequence number, or MTU, or what the type asks for.
	ICMPRest uint32
	// Payload follows the transport header: chunks of SCTP, the packet in a
	// tunnel (GRE, IP in IP), the quoted packet of an ICMP error, or data. Zeros
	// follow it up to Packet.Length.
	Payload []byte
}

// ExtHeader is an extension header of IPv6.
type ExtHeader struct {
	Number uint8 // HopByHop, Routing, Fragment, AuthHeader or DestOptions
	// Data is what follows the first two bytes (next header and length, which
	// are filled in), filled with zeros to a multiple of 8 bytes, of an
	// authentication header 4. Of a fragment header, whose second byte is
	// reserved, it is offset and flags (2 bytes) and identification (4).
	Data []byte
}

// The protocols with a header of their own when there are Extras.
const (
	ipInIP   = 4
	ipv6InIP = 41
	gre      = 47
)

func pad4(n int) int { return (n + 3) &^ 3 }

// ipOptions returns the length of the options of an IPv4 header.
func (x *Extras) ipOptions() int {
	if x == nil {
		return 0
	}
	return pad4(min(len(x.IPOptions), 40))
}

// length returns the length of the header: 8 to 2048 bytes, in IPv6 AH too.
func (h *ExtHeader) length() int {
	switch h.Number {
	case extFragment:
		return 8
	case extAuth:
		return max(pad4(min(len(h.Data), 255*4+6)+2), 8)
	}
	return (min(len(h.Data), 255*8+6) + 2 + 7) &^ 7
}

const maxExtBytes = 48 << 10

// written returns the extension headers that are written and their length.
func (x *Extras) written() (count, bytes int) {
	for i := range x.ExtHeaders[:min(len(x.ExtHeaders), MaxExtHeaders)] {
		n := x.ExtHeaders[i].length()
		if bytes+n > maxExtBytes {
			return i, bytes
		}
		bytes += n
		count = i + 1
	}
	return count, bytes
}

func (x *Extras) extHeaders() int {
	if x == nil {
		return 0
	}
	_, n := x.written()
	return n
}

// putExtHeaders writes the extension headers; next is where the number of the
// first goes. It returns where that of the header behind them goes and where
// that begins.
func (x *Extras) putExtHeaders(b []byte, next *byte) (*byte, int) {
	count, _ := x.written()
	at := 40
	for i := range x.ExtHeaders[:count] {
		h := &x.ExtHeaders[i]
		n := h.length()
		*next, next = h.Number, &b[at]
		copy(b[at+2:at+n], h.Data)
		switch h.Number {
		case extFragment:
		case extAuth:
			b[at+1] = uint8(n/4 - 2)
		default:
			b[at+1] = uint8(n/8 - 1)
		}
		at += n
	}
	return next, at
}

// moreHeaderLen returns the length of a transport header that Extras has a part
// in, 0 for others.
func (p *Packet) moreHeaderLen(x *Extras) int {
	if x == nil {
		return 0
	}
	switch p.Proto {
	case TCP:
		return 20 + pad4(min(len(x.Options), 40))
	case DCCP:
		return dccpFixed(x.Type<<1&0x1f) + pad4(min(len(x.Options), 996))
	case AH:
		if p.Family != 6 {
			return 12
		}
	case ESP:
		return 8
	case IPComp, gre:
		return 4
	case Mobility:
		if p.Family == 6 {
			return 8
		}
	}
	return 0
}

// putMore writes the header of a protocol that only Extras makes one for, and
// returns the offset of its checksum, 0 for none.
func (p *Packet) putMore(b []byte, n int, x *Extras) (check int) {
	switch p.Proto {
	case AH:
		b[0], b[1] = x.Next, uint8(n/4-2)
		binary.BigEndian.PutUint32(b[4:], x.SPI)
		binary.BigEndian.PutUint32(b[8:], 1)
	case ESP:
		binary.BigEndian.PutUint32(b, x.SPI)
		binary.BigEndian.PutUint32(b[4:], 1)
	case IPComp:
		b[0] = x.Next
		binary.BigEndian.PutUint16(b[2:], uint16(x.SPI))
	case gre:
		binary.BigEndian.PutUint16(b[2:], etherIPv4)
		if len(b) > n && b[n]>>4 == 6 {
			binary.BigEndian.PutUint16(b[2:], etherIPv6)
		}
	case Mobility:
		b[0], b[2] = noNext, x.Type
		return 4
	}
	return 0
}
