//go:build linux

package kernel

// Damaged packets: headers that are cut, too long or contradictory, and
// fragments that do not fit together.

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/hipac-go/classifier/rules/packet"
)

// damaged builds a packet of the protocol with random content, drawn from few
// values so that it means something often, and with lengths that are often
// wrong. IPv6 packets have extension headers.
func damaged(r *rand.Rand, family int, proto uint8) []byte {
	body := make([]byte, []int{0, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 19, 20, 24, 28, 32, 36, 40, 48, 60, 64}[r.IntN(21)])
	for i := range body {
		body[i] = []byte{0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 8, 0x50, 59}[r.IntN(14)]
	}
	set := func(at int, v int) {
		if at < len(body) {
			body[at] = byte(v)
		}
	}
	switch proto {
	case packet.TCP:
		set(12, []int{4, 5, 6, 7, 8, 10, 15}[r.IntN(7)]<<4)
		set(13, r.IntN(256))
		if len(body) >= 24 && r.IntN(2) == 0 {
			copy(body[20:], []byte{2, 4, byte(r.IntN(10)), 0})
		}
	case packet.DCCP:
		set(4, r.IntN(12))
		set(8, r.IntN(32))
	case packet.Mobility:
		set(0, []int{59, 6}[r.IntN(2)])
	}
	if family == 4 {
		p := packet.Packet{Family: 4, Proto: proto, TTL: 64}
		p.Src[3], p.Dst[3] = 0x0a000001, 0x0a000002
		b := p.AppendIP(nil)[:20]
		b = append(b, []byte{1, 1, 1, 1, 1, 1, 1, 1}[:4*r.IntN(3)]...)
		ihl := len(b)
		b[0] = 0x40 | byte(ihl/4)
		binary.BigEndian.PutUint16(b[2:], uint16(ihl+len(body)))
		if r.IntN(4) == 0 {
			binary.BigEndian.PutUint16(b[6:], []uint16{1, 2, 0x2000, 0x2001, 100}[r.IntN(5)])
		}
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], checksum(b))
		return append(b, body...)
	}
	p := packet.Packet{Family: 6, Proto: proto, TTL: 64}
	p.Src, p.Dst = [4]uint32{0x20010db8, 0, 0, 1}, [4]uint32{0x20010db8, 0, 0, 2}
	if r.IntN(8) == 0 {
		p.Proto = 59
	}
	var x packet.Extras
	for i := range r.IntN(4) {
		number := []uint8{packet.Routing, packet.Routing, packet.Routing, packet.Fragment, packet.AuthHeader, packet.DestOptions}[r.IntN(6)]
		if i == 0 && r.IntN(4) == 0 {
			number = packet.HopByHop
		}
		data := make([]byte, 6+8*r.IntN(4))
		if number == packet.AuthHeader {
			data = data[:6+len(data[6:])/2]
		}
		if number == packet.HopByHop { // the kernel reads these before its rules: an option to skip
			data[0], data[1] = 0x1e, byte(len(data)-2)
		} else {
			for i := range data {
				data[i] = byte(r.IntN(4))
				if i > 5 && (i-6)%16 == 0 {
					data[i] = byte(r.IntN(256))
				}
			}
		}
		switch number {
		case packet.Routing:
			if r.IntN(2) == 0 {
				data[0] = 4
			}
		case packet.Fragment:
			data[0], data[1] = 0, []byte{0, 1, 2, 8, 17, 16}[r.IntN(6)]
			copy(data[2:], []byte{1, 2, 3, byte(r.IntN(256))})
		case packet.AuthHeader:
			if r.IntN(2) == 0 {
				data[0], data[1] = 0, 0
			}
		}
		x.ExtHeaders = append(x.ExtHeaders, packet.ExtHeader{Number: number, Data: data})
	}
	transport := p.Proto
	p.Proto = 99 // no header but the content
	x.Payload = body
	b := p.AppendIPWith(nil, &x)
	fixLastNext(b, transport)
	if len(b) > 40 && r.IntN(3) == 0 {
		b = b[:40+r.IntN(len(b)-40)]
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	}
	return b
}

// fixLastNext makes 99, the protocol at the end of a chain of extension
// headers, another.
func fixLastNext(b []byte, proto uint8) {
	where, at := 6, 40
	for b[where] != 99 {
		n := int(b[at+1])*8 + 8
		switch b[where] {
		case packet.AuthHeader:
			n = int(b[at+1])*4 + 8
		case packet.Fragment:
			n = 8
		}
		where, at = at, at+n
	}
	b[where] = proto
}

// oddFragments are the fragments of one packet of 24 to 100 bytes, and
// sometimes others that do not fit in.
func oddFragments(r *rand.Rand, family int, id uint32) (list [][]byte) {
	type fragment struct {
		at, end  int
		more     bool
		tos      uint8
		df, long bool // long: with options
	}
	size := []int{24, 40, 48, 64, 100}[r.IntN(5)]
	tos := []uint8{0, 0, 1, 2, 3}[r.IntN(5)]
	var fs []fragment
	for at := 0; at < size; {
		end := min(at+8*(1+r.IntN(4)), size)
		f := fragment{at, end, end < size, tos, r.IntN(2) == 0, r.IntN(4) == 0}
		if r.IntN(6) == 0 {
			f.tos = uint8(r.IntN(4))
		}
		fs = append(fs, f)
		at = end
	}
	if r.IntN(2) == 0 {
		r.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
	}
	for range []int{0, 0, 0, 1, 1, 2, 3}[r.IntN(7)] {
		f := fs[r.IntN(len(fs))]
		switch r.IntN(7) {
		case 0:
			f.at += 8
		case 1:
			f.end -= r.IntN(9)
		case 2:
			f.more = !f.more
		case 3:
			f.end += 8
		case 4:
			f.at = max(0, f.at-8)
		case 5:
			f.end = f.at
		}
		f.end = max(f.end, f.at)
		i := r.IntN(len(fs) + 1)
		fs = append(fs[:i], append([]fragment{f}, fs[i:]...)...)
	}
	proto := []uint8{packet.UDP, packet.TCP, 99}[r.IntN(3)]
	for _, f := range fs {
		var b []byte
		off := uint16(f.at)
		if family == 4 {
			b = []byte{0x45, f.tos, 0, 0, byte(id >> 8), byte(id), 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
			if f.long {
				b[0] = 0x46
				b = append(b, 1, 1, 1, 1)
			}
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)+f.end-f.at))
			off /= 8
			if f.more {
				off |= 0x2000
			}
			if f.df {
				off |= 0x4000
			}
			binary.BigEndian.PutUint16(b[6:], off)
			binary.BigEndian.PutUint16(b[10:], checksum(b))
		} else {
			b = make([]byte, 40)
			b[0], b[1], b[6], b[7] = 0x60, f.tos<<4, packet.Fragment, 64
			copy(b[8:], []byte{0x20, 1, 0xd, 0xb8, 15: 1})
			copy(b[24:], []byte{0x20, 1, 0xd, 0xb8, 15: 2})
			if f.long {
				b[6] = packet.DestOptions
				b = append(b, packet.Fragment, 0, 1, 4, 0, 0, 0, 0)
			}
			if f.more {
				off |= 1
			}
			b = append(b, proto, 0, byte(off>>8), byte(off))
			b = binary.BigEndian.AppendUint32(b, id)
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40+f.end-f.at))
		}
		for i := f.at; i < f.end; i++ {
			b = append(b, byte(i))
		}
		list = append(list, b)
	}
	return list
}
