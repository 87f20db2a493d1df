package packet

// What is read of transport headers when it is asked for: TCP and DCCP
// options, MSS, chunks of SCTP, ESP, IPComp, mobility header, as the kernel's
// matches read them.

import (
	"encoding/binary"

	"github.com/hipac-go/classifier/rules"
)

// header returns the offset, from the IP header, of the transport header of the
// given protocol; n is 0 when the packet has none: it is of another protocol or
// a later fragment. Else n is 1.
func (p *Packet) header(proto uint8) (at, n int) {
	if p.Proto != proto || p.FragOffset != 0 || p.Has&HasProto == 0 || p.data == nil {
		return 0, 0
	}
	return p.TransportOffset - p.NetOffset, 1
}

// HeaderOffset returns where the kernel looks for the transport header, from
// the IP header on: behind the headers of IP also in the later fragments of
// IPv4, where there is payload; and 0 in those of IPv6.
func (p *Packet) HeaderOffset() int {
	switch {
	case p.data == nil || p.Has&HasProto == 0:
		return 0
	case p.FragOffset == 0:
		return p.TransportOffset - p.NetOffset
	case p.Family == 4:
		var buf scratch
		if h, s := p.read(0, 1, &buf); s == Found {
			return int(h[0]&15) * 4
		}
	}
	return 0
}

// OptionSet is a set of option kinds, 0 to 255.
type OptionSet [4]uint64

// Has reports whether a kind is in the set.
func (s *OptionSet) Has(kind uint8) bool { return s[kind>>6]>>(kind&63)&1 != 0 }

// half returns the kinds 0-127 (i = 0) or 128-255 (i = 1) as a field's value,
// the lowest kind the lowest bit.
func (s *OptionSet) half(i int) rules.Value { return rules.Value{Hi: s[2*i+1], Lo: s[2*i]} }

// kinds adds the option kinds in the n bytes at offset at to the set, in the
// way of the kernel's matches tcp and dccp: kinds 0 and 1 are single bytes and
// do not end the list, other kinds have a length behind them, and a length of 0
// counts as 1. A last option without a length, or with one beyond the end,
// counts.
func (p *Packet) kinds(set *OptionSet, at, n int) Status {
	var buf scratch
	var b []byte // the bytes from i on, some of them
	first := 0
	for i := 0; i < n; {
		if i-first+1 >= len(b) { // need the kind and, if there is one, the length
			var s Status
			if b, s = p.read(at+i, min(n-i, len(buf)), &buf); s != Found {
				return s
			}
			first = i
		}
		kind := b[i-first]
		set[kind>>6] |= 1 << (kind & 63)
		if kind < 2 || i+1 == n || b[i-first+1] == 0 {
			i++
			continue
		}
		i += int(b[i-first+1])
	}
	return Found
}

// tcpOptions returns where the options of a TCP header lie.
func (p *Packet) tcpOptions(at int) (n int, s Status) {
	var buf scratch
	if p.total()-at < 20 {
		return 0, Short
	}
	h, s := p.read(at+12, 1, &buf)
	if s != Found {
		return 0, s
	}
	n = int(h[0]>>4)*4 - 20
	if n < 0 || at+20+n > p.total() {
		return 0, Short
	}
	return n, Found
}

// TCPOptions returns the set of the option kinds of a TCP header. Short means
// that the header is not wholly in the packet or says that it is shorter than
// 20 bytes; match tcp drops such a packet when it is asked for an option.
func (p *Packet) TCPOptions() (set OptionSet, s Status) {
	at, n := p.header(TCP)
	if n == 0 {
		return set, Absent
	}
	if n, s = p.tcpOptions(at); s == Found {
		s = p.kinds(&set, at+20, n)
	}
	if s != Found {
		return OptionSet{}, s
	}
	return set, Found
}

// MSS returns the value of the maximum segment size option of a TCP packet,
// whatever its flags, as match tcpmss finds it: options of kind 2 that are not
// 4 bytes long are passed over. Absent: there is no such option. Short means
// that the header or its options are not wholly in the packet, or that the
// header says it is shorter than 20 bytes; the match drops the packet then.
//
// The match does not care for fragments: of a later one it takes payload for
// the header (in IPv6 the IP header itself), and so does MSS.
func (p *Packet) MSS() (mss uint16, s Status) {
	if p.data == nil || p.Has&HasProto == 0 || p.Proto != TCP {
		return 0, Absent
	}
	at := p.HeaderOffset()
	n, s := p.tcpOptions(at)
	if s != Found {
		return 0, s
	}
	var buf scratch
	for i := 0; i < n; {
		b, s := p.read(at+20+i, min(n-i, 4), &buf)
		if s != Found {
			return 0, s
		}
		switch {
		case b[0] == 2 && len(b) == 4 && b[1] == 4:
			return binary.BigEndian.Uint16(b[2:]), Found
		case b[0] < 2 || len(b) == 1 || b[1] == 0:
			i++
		default:
			i += int(b[1])
		}
	}
	return 0, Absent
}

// ECNFlags returns the byte of TCP flags that match ecn looks at for ECE and
// CWR: TCPFlags and, in later fragments, what stands there in its place (see
// HeaderOffset), since the match does not care for fragments.
func (p *Packet) ECNFlags() (flags uint8, ok bool) {
	if p.Has&HasTCPFlags != 0 {
		return p.TCPFlags, true
	}
	if p.data == nil || p.Has&HasProto == 0 || p.Proto != TCP || p.FragOffset == 0 {
		return 0, false
	}
	at := p.HeaderOffset()
	if p.total()-at < 20 {
		return 0, false
	}
	var buf scratch
	h, s := p.read(at+13, 1, &buf)
	if s != Found {
		return 0, false
	}
	return h[0], true
}

// dccp reads the fixed part of a DCCP header: its type, and where its options
// lie by its data offset; s is Short when that is inside the fixed part.
func (p *Packet) dccp() (typ uint8, at, n int, s Status) {
	at, n = p.header(DCCP)
	if n == 0 {
		return 0, 0, 0, Absent
	}
	var buf scratch
	h, s := p.read(at, 12, &buf)
	if s != Found {
		return 0, 0, 0, s
	}
	fixed := dccpFixed(h[8])
	return h[8] >> 1 & 15, at + fixed, int(h[4])*4 - fixed, Found
}

// dccpFixed returns the length of a DCCP header without its options, from the
// byte with the type and the bit for long sequence numbers (RFC 4340, 5.1).
func dccpFixed(b uint8) int {
	n := 12
	if b&1 != 0 {
		n += 4
	}
	switch b >> 1 & 15 {
	case 0: // request
		n += 4
	case 2: // data
	case 3, 4, 5, 6, 8, 9: // acknowledgements, close, sync
		n += 8
	default: // response, reset, and types that do not exist
		n += 12
	}
	return n
}

// DCCPType returns the packet type of a DCCP header.
func (p *Packet) DCCPType() (typ uint8, s Status) {
	typ, _, _, s = p.dccp()
	return typ, s
}

// DCCPOptions returns the set of the option kinds of a DCCP header, as match
// dccp walks over them. Short means that they are not wholly in the packet or
// would begin inside the fixed header; the match drops the packet then.
func (p *Packet) DCCPOptions() (set OptionSet, s Status) {
	_, at, n, s := p.dccp()
	if s != Found {
		return set, s
	}
	if n < 0 || n > 0 && at+n > p.total() {
		return set, Short
	}
	if s = p.kinds(&set, at, n); s != Found {
		return OptionSet{}, s
	}
	return set, Found
}

// Chunk is the header of an SCTP chunk.
type Chunk struct {
	Type, Flags uint8
	Length      uint16 // with these four bytes, without padding
	At          int    // offset from the IP header
}

// Chunk returns the SCTP chunk behind c, or the first one when c is the zero
// Chunk, as match sctp walks over them: chunks are padded to four bytes, and
// the walk ends where the packet does. Short means that a chunk's header is not
// wholly in the packet or has the length 0, and so does a packet without
// chunks; the match drops the packet when it comes there. Absent is the end, or
// a packet that is not SCTP.
func (p *Packet) Chunk(c Chunk) (Chunk, Status) {
	at := 0
	if c == (Chunk{}) {
		start, n := p.header(SCTP)
		if n == 0 {
			return c, Absent
		}
		at = start + 12
	} else if at = c.At + (int(c.Length)+3)&^3; at >= p.total() {
		return Chunk{}, Absent
	}
	var buf scratch
	h, s := p.read(at, 4, &buf)
	if s != Found {
		return Chunk{}, s
	}
	n := binary.BigEndian.Uint16(h[2:])
	if n == 0 {
		return Chunk{}, Short
	}
	return Chunk{h[0], h[1], n, at}, Found
}

// ESPSPI returns the security parameter index of an ESP packet.
func (p *Packet) ESPSPI() (spi uint32, s Status) {
	at, n := p.header(ESP)
	if n == 0 {
		return 0, Absent
	}
	var buf scratch
	h, s := p.read(at, 8, &buf)
	if s != Found {
		return 0, s
	}
	return binary.BigEndian.Uint32(h), Found
}

// CPI returns the compression parameter index of an IPComp packet.
func (p *Packet) CPI() (cpi uint16, s Status) {
	at, n := p.header(IPComp)
	if n == 0 {
		return 0, Absent
	}
	var buf scratch
	h, s := p.read(at, 4, &buf)
	if s != Found {
		return 0, s
	}
	return binary.BigEndian.Uint16(h[2:]), Found
}

// MobilityType returns the type of the mobility header of an IPv6 packet. Short
// means that its 6 bytes are not all there, or that it says that another
// header follows; match mh drops the packet then.
func (p *Packet) MobilityType() (typ uint8, s Status) {
	at, n := p.header(Mobility)
	if n == 0 || p.Family != 6 {
		return 0, Absent
	}
	var buf scratch
	h, s := p.read(at, 6, &buf)
	if s != Found {
		return 0, s
	}
	if h[0] != noNext {
		return 0, Short
	}
	return h[2], Found
}
