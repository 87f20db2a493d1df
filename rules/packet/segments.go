package packet

// Segments: a packet's bytes as they lie in memory, in one piece or in
// several. Decoding and all accessors read through here, so that a packet in
// segments gives the answers of the same bytes in one buffer and is never
// copied together: a header that straddles segments is gathered in a few bytes
// on the stack.

import "math"

// Segments are the pieces of a packet, in order. Empty ones are allowed.
type Segments [][]byte

// Len returns the number of bytes of all pieces. O(pieces).
func (s Segments) Len() int {
	n := 0
	for _, b := range s {
		n += len(b)
	}
	return n
}

// gather copies the bytes from offset at on into buf and returns how many
// there were.
func (s Segments) gather(at int, buf []byte) int {
	n := 0
	for _, b := range s {
		if at >= len(b) {
			at -= len(b)
			continue
		}
		n += copy(buf[n:], b[at:])
		at = 0
		if n == len(buf) {
			break
		}
	}
	return n
}

// headLen is how much of a packet in segments is looked at as one piece: the
// longest link header (46 bytes, eight VLAN tags), the longest IPv4 header (60)
// and a TCP header (20) fit. What lies beyond, in chains of IPv6 extension
// headers, is read piece by piece.
const headLen = 256

// DecodeSegments is Decode for a packet that lies in several pieces. The
// Packet refers to the pieces and to the slice of them: neither may change
// while the packet is in use. Offsets (NetOffset and so on) count from the
// first byte of the first piece. It allocates nothing.
func (p *Packet) DecodeSegments(segs Segments, link LinkType) error {
	return p.DecodeSegmentsWire(segs, math.MaxInt, link)
}

// DecodeSegmentsWire is DecodeSegments for a packet of which the length on the
// wire is known, see DecodeWire.
func (p *Packet) DecodeSegmentsWire(segs Segments, wire int, link LinkType) error {
	for len(segs) > 0 && len(segs[0]) == 0 {
		segs = segs[1:]
	}
	switch len(segs) {
	case 0:
		return p.DecodeWire(nil, wire, link)
	case 1:
		return p.DecodeWire(segs[0], wire, link)
	}
	return p.decodePieces(segs[0], segs[1:], segs.Len(), wire, link)
}

// decodePieces decodes a packet of have bytes: first and what follows in rest,
// where more may follow.
func (p *Packet) decodePieces(first []byte, rest Segments, have, wire int, link LinkType) error {
	p.reset()
	var scratch [headLen]byte
	head := first
	if len(head) < min(headLen, have) {
		n := copy(scratch[:], first)
		n += rest.gather(0, scratch[n:])
		head = scratch[:min(n, have)]
	}
	p.data, p.rest = first, rest // for the chain of extension headers
	err := p.decode(head, have, wire, link)
	p.data, p.rest = nil, nil
	if err != nil {
		return err
	}
	// What is kept begins with the piece that holds the first byte of the IP
	// header.
	at, n := p.NetOffset, p.End-p.NetOffset
	for at >= len(first) {
		at -= len(first)
		first, rest = rest[0], rest[1:]
	}
	p.data = first[at:]
	if len(p.data) >= n {
		p.data = p.data[:n]
	} else {
		p.rest = rest
	}
	return nil
}

// gatherHead copies bytes from offset at of the packet's first piece on; it is
// for decodePieces.
func (p *Packet) gatherHead(at int, buf []byte) int {
	n := 0
	if at < len(p.data) {
		n = copy(buf, p.data[at:])
	}
	return n + p.rest.gather(max(at-len(p.data), 0), buf[n:])
}

// Detach makes p forget the bytes that it was decoded from. Its exported
// fields stay; everything that is read from the bytes on demand is absent from
// then on. It is for packets that are kept when their buffer is used again.
func (p *Packet) Detach() { p.data, p.rest, p.exts = nil, nil, 0 }

// Captured returns how many bytes of the IP packet there are, header and all:
// End - NetOffset, or 0 when p was not decoded from bytes.
func (p *Packet) Captured() int {
	if p.data == nil {
		return 0
	}
	return p.End - p.NetOffset
}

// Bytes returns the n bytes at offset at from the IP header: in place where
// they lie in one piece, else copied into buf, which must have room for them.
// It returns nil when the packet has not got them, or buf is too short.
func (p *Packet) Bytes(at, n int, buf []byte) []byte {
	if at < 0 || n < 0 || at > p.Captured() || n > p.Captured()-at || p.data == nil {
		return nil
	}
	if n == 0 {
		return p.data[:0:0]
	}
	if at+n <= len(p.data) {
		return p.data[at : at+n : at+n]
	}
	if at >= len(p.data) {
		if b := p.rest.piece(at - len(p.data)); len(b) >= n {
			return b[:n:n]
		}
	}
	if len(buf) < n {
		return nil
	}
	k := 0
	if at < len(p.data) {
		k = copy(buf[:n], p.data[at:])
		at = len(p.data)
	}
	p.rest.gather(at-len(p.data), buf[k:n])
	return buf[:n:n]
}

// Piece returns the bytes from offset at from the IP header on, as many as lie
// in one piece; none at the end of the packet. To walk over a packet's bytes:
//
//	for at := from; ; {
//		piece := p.Piece(at)
//		if len(piece) == 0 {
//			break
//		}
//		at += len(piece)
//	}
//
// It takes O(pieces) for packets in segments.
func (p *Packet) Piece(at int) []byte {
	n := p.Captured() - at // bytes that are left
	if at < 0 || n <= 0 {
		return nil
	}
	if at < len(p.data) {
		return p.data[at:len(p.data):len(p.data)]
	}
	b := p.rest.piece(at - len(p.data))
	if len(b) > n {
		b = b[:n]
	}
	return b[:len(b):len(b)]
}

// piece returns what there is in one piece from offset at on.
func (s Segments) piece(at int) []byte {
	for _, b := range s {
		if at < len(b) {
			return b[at:]
		}
		at -= len(b)
	}
	return nil
}

// Status says how a look for a header, or a step of a walk over headers, ended.
type Status uint8

// The outcomes of looking for a header.
const (
	// Absent: there is none; of a walk: its end is reached.
	Absent Status = iota
	// Found: it is there.
	Found
	// Short: the packet, by its own length, ends before it does. The kernel's
	// matches mostly drop the packet then.
	Short
	// Uncaptured: it lies in the part of the packet that was not captured.
	Uncaptured
)

// scratch takes the bytes of a short header that straddles segments.
type scratch [20]byte

// read returns the n bytes, at most len(scratch), at offset at from the IP header.
func (p *Packet) read(at, n int, buf *scratch) ([]byte, Status) {
	if at+n <= len(p.data) {
		return p.data[at : at+n], Found
	}
	if b := p.Bytes(at, n, buf[:]); b != nil {
		return b, Found
	}
	if at+n > p.total() {
		return nil, Short
	}
	return nil, Uncaptured
}

// total returns the length of the IP packet as it says itself.
func (p *Packet) total() int {
	if p.Has&HasLength == 0 {
		return math.MaxInt32 // a jumbogram: its length is elsewhere
	}
	return int(p.Length)
}
