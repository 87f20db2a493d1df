package connections

// The bytes of packets: headers, checksums, fragments, and ICMP errors that
// quote the packet they are about. RFC 791, 792, 768, 4443, 8200, 9293.

import (
	"encoding/binary"
	"time"
)

const (
	ethernetHeader = 14
	fragmentHeader = 8 // of IPv6
	icmpHeader     = 8
	window         = 65535 // of TCP, in units of 2^windowScale bytes behind the SYN
	windowScale    = 7
	routerTTL      = 63 // of ICMP errors from routers
	// What an ICMP error is long at most (RFC 1812, section 4.3.2.3; RFC 4443,
	// section 2.4).
	maxError4 = 576
	maxError6 = 1280
)

// builder writes packets into buffers of its own.
type builder struct {
	whole, piece []byte // with room for an Ethernet header in front

	// Of the packet in whole, of which fragments are left.
	meta            Packet
	size, limit     int
	index, count    int
	missing         int // from 1
	id              uint32
	overhead, ahead int
}

func newBuilder() builder {
	// The longest packet there is, quoted in an error.
	const most = ethernetHeader + 2*(40+fragmentHeader) + 65536
	return builder{whole: make([]byte, most), piece: make([]byte, most)}
}

// pending reports whether fragments of the last packet are left.
func (b *builder) pending() bool { return b.index < b.count }

// packet makes the packet of an event, or the first fragment of it.
func (b *builder) packet(p *Packet, c *conn, e *event) {
	*p = Packet{Time: time.Duration(e.at), Connection: c.number, Profile: c.index, FromClient: e.from == client}
	ip := b.whole[ethernetHeader:]
	var size, ahead int
	if e.err != noError {
		p.FromClient = !p.FromClient
		size, ahead = b.writeError(ip, c, e)
	} else {
		size, ahead = c.write(ip, e, c.ttl[e.from])
		if limit := int(e.limit); size > limit {
			b.meta, b.size, b.limit, b.ahead = *p, size, limit, ahead
			b.overhead = int(c.overhead)
			b.id = c.fragmentID(e)
			b.count = fragments(size, limit, b.overhead)
			b.index, b.missing = 0, int(e.missing)
			b.skip()
			b.next(p)
			return
		}
	}
	b.done(p, b.whole, size, ahead)
}

// done gives the packet that is in a buffer.
func (b *builder) done(p *Packet, buf []byte, size, ahead int) {
	frame := buf[:ethernetHeader+size]
	p.Data = frame[ethernetHeader:]
	p.Payload = p.Data[ahead:]
	putEthernet(frame, p.FromClient)
	p.frame = frame
}

// next makes the next fragment of the last packet.
func (b *builder) next(p *Packet) {
	*p = b.meta
	ip := b.piece[ethernetHeader:]
	size, ahead := writeFragment(ip, b.whole[ethernetHeader:][:b.size], b.overhead, b.limit, b.index, b.id)
	b.index++
	b.skip()
	b.done(p, b.piece, size, ahead)
}

// skip passes over the fragment that is lost.
func (b *builder) skip() {
	if b.index+1 == b.missing {
		b.index++
	}
}

// perFragment is how many bytes a fragment carries that is not the last one.
func perFragment(limit, overhead int) int {
	if overhead == 40 {
		limit -= fragmentHeader
	}
	return (limit - overhead) &^ 7
}

// fragments is how many fragments a packet of a size is sent in.
func fragments(size, limit, overhead int) int {
	per := perFragment(limit, overhead)
	return (size - overhead + per - 1) / per
}

// writeFragment writes fragment i of a packet and returns its length and that
// of its headers.
func writeFragment(dst, whole []byte, overhead, limit, i int, id uint32) (size, ahead int) {
	per := perFragment(limit, overhead)
	data := whole[overhead+i*per:]
	more := uint16(0)
	if len(data) > per {
		data, more = data[:per], 1
	}
	copy(dst, whole[:overhead])
	if overhead == 40 {
		binary.BigEndian.PutUint16(dst[4:], uint16(fragmentHeader+len(data)))
		dst[40], dst[41] = dst[6], 0
		dst[6] = 44
		binary.BigEndian.PutUint16(dst[42:], uint16(i*per)|more)
		binary.BigEndian.PutUint32(dst[44:], id)
		ahead = 40 + fragmentHeader
	} else {
		binary.BigEndian.PutUint16(dst[2:], uint16(20+len(data)))
		binary.BigEndian.PutUint16(dst[6:], uint16(i*per/8)|more<<13)
		sumIPv4(dst)
		ahead = 20
	}
	return ahead + copy(dst[ahead:], data), ahead
}

// fragmentID is the identification of an IPv6 packet that is sent in fragments.
func (c *conn) fragmentID(e *event) uint32 { return uint32(c.salt>>13)&^0xffff | uint32(e.id) }

// fold brings a sum of pairs of bytes to 16 bits and complements it.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum)
}

func sumIPv4(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], fold(sumOf(b[:20])))
}

// putEthernet writes the header of a frame on the link that the observer is on:
// the client's router has the address 02:00:00:00:00:01 and the server's
// 02:00:00:00:00:02.
func putEthernet(b []byte, fromClient bool) {
	dst, src := uint64(1), uint64(2)
	if fromClient {
		dst, src = 2, 1
	}
	binary.BigEndian.PutUint64(b, (2<<40|dst)<<16|2<<8) // and the first two bytes of src
	binary.BigEndian.PutUint32(b[8:], uint32(src))
	kind := uint16(0x0800)
	if b[ethernetHeader]>>4 == 6 {
		kind = 0x86dd
	}
	binary.BigEndian.PutUint16(b[12:], kind)
}

// putIP writes an IP header for body bytes behind it, and returns its length.
func putIP(b []byte, v6 bool, src, dst address, proto, ttl uint8, id uint16, df bool, body int) int {
	if v6 {
		binary.BigEndian.PutUint32(b, 6<<28)
		binary.BigEndian.PutUint16(b[4:], uint16(body))
		b[6], b[7] = proto, ttl
		binary.BigEndian.PutUint64(b[8:], src.hi)
		binary.BigEndian.PutUint64(b[16:], src.lo)
		binary.BigEndian.PutUint64(b[24:], dst.hi)
		binary.BigEndian.PutUint64(b[32:], dst.lo)
		return 40
	}
	flags := uint16(0)
	if df {
		flags = 1 << 14
	}
	b[0], b[1] = 0x45, 0
	binary.BigEndian.PutUint16(b[2:], uint16(20+body))
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], flags)
	b[8], b[9] = ttl, proto
	binary.BigEndian.PutUint32(b[12:], uint32(src.lo))
	binary.BigEndian.PutUint32(b[16:], uint32(dst.lo))
	sumIPv4(b)
	return 20
}

// write writes the packet of an event as one piece, and returns its length and
// that of its headers. The checksum of the transport header covers what is
// behind it, in whatever pieces it is sent.
func (c *conn) write(b []byte, e *event, ttl uint8) (size, ahead int) {
	v6 := c.overhead == 40
	from, to := e.from, 1-e.from
	proto := uint8(c.Proto)
	if v6 && c.Proto == ICMP {
		proto = 58
	}
	size = c.size(e)
	body := size - int(c.overhead)
	df := !c.fragmented && size <= int(e.limit)
	n := putIP(b, v6, c.ends[from], c.ends[to], proto, ttl, e.id, df, body)
	t := b[n:size]
	said := speech{payload: c.Payload, back: from == server, number: e.number, salt: c.salt, size: uint64(e.message), asked: uint64(e.asked)}
	sum := c.addresses + uint64(proto) + uint64(body)
	switch c.Proto {
	case TCP:
		binary.BigEndian.PutUint16(t, c.ports[from])
		binary.BigEndian.PutUint16(t[2:], c.ports[to])
		binary.BigEndian.PutUint32(t[4:], e.seq)
		binary.BigEndian.PutUint32(t[8:], e.ack)
		ahead = 20
		if e.flags&flagSYN != 0 {
			binary.BigEndian.PutUint16(t[20:], 2<<8|4)
			binary.BigEndian.PutUint16(t[22:], uint16(c.mtu-int(c.overhead)-20))
			binary.BigEndian.PutUint32(t[24:], 1<<24|3<<16|3<<8|windowScale)
			ahead += synOptions
		}
		w := uint16(window)
		if e.flags&flagRST != 0 {
			w = 0
		}
		t[12], t[13] = uint8(ahead)<<2, e.flags
		binary.BigEndian.PutUint16(t[14:], w)
		binary.BigEndian.PutUint32(t[16:], 0)
		sum += sumOf(t[:ahead])
		if e.size > 0 {
			said.place = uint64(e.seq - c.isn[from] - e.offset)
			sum += said.fill(t[ahead:], uint64(e.offset))
		}
		binary.BigEndian.PutUint16(t[16:], fold(sum))
	case UDP:
		ahead = 8
		binary.BigEndian.PutUint16(t, c.ports[from])
		binary.BigEndian.PutUint16(t[2:], c.ports[to])
		binary.BigEndian.PutUint16(t[4:], uint16(body))
		sum += uint64(c.ports[from]) + uint64(c.ports[to]) + uint64(body)
		said.place = uint64(e.number) * 977
		sum += said.fill(t[8:], uint64(e.offset))
		check := fold(sum)
		if check == 0 {
			check = 0xffff // 0 says that there is none (RFC 768)
		}
		binary.BigEndian.PutUint16(t[6:], check)
	case ICMP:
		ahead = icmpHeader
		said.payload = Letters
		said.place = uint64(e.number) * 977 // the answer says what was asked
		if !v6 {
			sum = 0
		}
		t[0], t[1] = echoType(v6, from == server), 0
		binary.BigEndian.PutUint16(t[4:], c.ports[client])
		binary.BigEndian.PutUint16(t[6:], e.number+1)
		sum += uint64(t[0])<<8 + uint64(c.ports[client]) + uint64(e.number+1) + said.fill(t[8:], 0)
		binary.BigEndian.PutUint16(t[2:], fold(sum))
	}
	return size, n + ahead
}

func echoType(v6, reply bool) uint8 {
	switch {
	case v6 && reply:
		return 129
	case v6:
		return 128
	case reply:
		return 0
	}
	return 8
}

// errorTypes are type and code of the errors, in IPv4 and in IPv6.
var errorTypes = [...][2][2]uint8{
	portClosed: {{3, 3}, {1, 4}},
	hostAway:   {{3, 1}, {1, 3}},
	prohibited: {{3, 13}, {1, 1}},
	expired:    {{11, 0}, {3, 0}},
	tooBig:     {{3, 4}, {2, 0}},
}

// writeError writes the ICMP error of an event, which goes to the sender of the
// packet that the event describes.
func (b *builder) writeError(dst []byte, c *conn, e *event) (size, ahead int) {
	v6 := c.overhead == 40
	family, proto, most := 0, uint8(ICMP), min(maxError4, c.mtu)
	if v6 {
		family, proto, most = 1, 58, maxError6
	}
	n := int(c.overhead)
	quote := dst[n+icmpHeader:]
	src, ttl := c.router(v6), uint8(routerTTL)
	seen := c.ttl[e.from] - 1
	switch e.err {
	case portClosed:
		src, ttl = c.ends[1-e.from], c.ttl[1-e.from]
		seen = c.ttl[e.from] - c.hops[1-e.from]
	case expired:
		seen = 1
	}
	var quoted int
	if limit := int(e.limit); c.size(e) > limit && e.err != portClosed {
		// A router has seen the first fragment alone.
		whole := b.piece[ethernetHeader:]
		total, _ := c.write(whole, e, seen)
		quoted, _ = writeFragment(quote, whole[:total], n, limit, 0, c.fragmentID(e))
	} else {
		quoted, _ = c.write(quote, e, seen)
	}
	quoted = min(quoted, most-n-icmpHeader)
	body := icmpHeader + quoted
	putIP(dst, v6, src, c.ends[e.from], proto, ttl, ^e.id, false, body)
	t := dst[n : n+body]
	t[0], t[1] = errorTypes[e.err][family][0], errorTypes[e.err][family][1]
	binary.BigEndian.PutUint16(t[2:], 0)
	binary.BigEndian.PutUint32(t[4:], 0)
	if e.err == tooBig {
		binary.BigEndian.PutUint32(t[4:], uint32(c.pathMTU))
	}
	sum := sumOf(t)
	if v6 {
		sum += src.sum() + c.ends[e.from].sum() + uint64(proto) + uint64(body)
	}
	binary.BigEndian.PutUint16(t[2:], fold(sum))
	return n + body, n + icmpHeader
}

// router is the address of the router that tells errors, of a network that is
// set aside for benchmarks (RFC 2544, RFC 5180).
func (c *conn) router(v6 bool) address {
	if v6 {
		return address{0x2001_0002_0000_0000 | c.salt>>48, c.salt}
	}
	return address{0, 198<<24 | 18<<16 | c.salt>>40&0x1ffff}
}
