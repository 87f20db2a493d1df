package decode

// Packets for the decoders: chains of extension headers, options, fragments, of any
// length, and of lengths that lie.

import (
	"encoding/binary"
	"math/rand/v2"
)

// Draw returns a random IP packet with extension headers or options, and what
// follows it in the buffer.
func Draw(r *rand.Rand) []byte {
	protos := []uint8{tcp, tcp, udp, udpLite, sctp, dccp, icmp, icmpv6, esp, noNext, 47}
	proto := protos[r.IntN(len(protos))]
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	if r.IntN(3) == 0 {
		b := random(20)
		b[0], b[9] = 0x45+byte(r.IntN(3)), proto
		binary.BigEndian.PutUint16(b[6:], [5]uint16{0, 0, 0x2000, 1, 0x4000 | 700}[r.IntN(5)])
		b = append(b, random(r.IntN(50))...)
		binary.BigEndian.PutUint16(b[2:], uint16(max(20, len(b)-r.IntN(5)+r.IntN(9))))
		return b
	}
	b := random(40)
	b[0], b[6] = 0x60, 0
	next := &b[6]
	for range r.IntN(6) {
		number := []uint8{hopByHop, routing, fragment, authHeader, destOptions}[r.IntN(5)]
		*next = number
		units := r.IntN(3)
		if r.IntN(8) == 0 {
			units = r.IntN(60)
		}
		h := random(8 + 8*units)
		h[1] = uint8(units)
		switch number {
		case authHeader:
			h[1] = uint8(2 * units)
		case fragment:
			h = h[:8]
			binary.BigEndian.PutUint16(h[2:], [4]uint16{0, 0, 1, 8 | 1}[r.IntN(4)])
		}
		next = &h[0]
		*next = proto
		at := len(b)
		b = append(b, h...)
		next = &b[at]
	}
	*next = proto
	b = append(b, random(r.IntN(30))...)
	n := len(b) - 40
	if r.IntN(2) == 0 {
		n = r.IntN(n + 1) // the packet ends in the middle of something
	}
	binary.BigEndian.PutUint16(b[4:], uint16(n+r.IntN(2)*r.IntN(12)))
	return b
}
