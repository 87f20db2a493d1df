package connections

// What connections say: letters or random bytes, with enough of a protocol's
// form around them for a dissector. The bytes of a message depend on the
// connection and the place in its stream alone, so that a retransmission holds
// the same ones.
//
// Most bytes come from a block that is made once. Sums over all its beginnings
// give the checksum of a piece of it without a look at its bytes.

import "encoding/binary"

// Payload is what messages hold.
type Payload uint8

// The payloads.
const (
	Letters Payload = iota
	Random          // random bytes
	HTTP            // a request, an answer with a Content-Length
	TLS             // records of application data
	SSH             // banners, then SSH_MSG_IGNORE
	SMTP            // lines: NOOP and 250
	DNS             // a question for TXT, an answer; messages are whole packets
	NTP             // version 4, client and server
	RTP             // PCMU
	payloads
)

var payloadNames = [payloads]string{"letters", "random", "http", "tls", "ssh", "smtp", "dns", "ntp", "rtp"}

func (p Payload) String() string {
	if p < payloads {
		return payloadNames[p]
	}
	return "unknown payload"
}

// messageLimits is how long a message can be.
type messageLimits struct{ min, max uint64 }

func (p Payload) limits(k StepKind) messageLimits {
	l := messageLimits{1, unitBytes.hi}
	switch p {
	case HTTP:
		l.min = 80
	case TLS:
		l.min = 6
	case SSH:
		l.min = 16
	case SMTP:
		l.min = 6
	case DNS:
		l.min, l.max = dnsQuery, 4096
		if k == Back {
			l.min = dnsAnswer
		}
	case NTP:
		l.min, l.max = 48, 48
	case RTP:
		l.min = 12
	}
	return l
}

// filler is a block of bytes that are read from any place: place i holds the
// same as place i+period.
type filler struct {
	bytes []byte
	// even[i] is the sum of the first i pairs of bytes, odd[i] of those that
	// begin one byte later. They stay below 2^32: there are fewer than 2^16.
	even, odd []uint32
}

const (
	period     = 16 << 10 // so that the block stays in the second-level cache
	fillerSize = period + 65536
)

var randomFiller, letterFiller = newFiller(func(x uint64) byte { return byte(x) }),
	newFiller(func(x uint64) byte { return 'a' + byte(x%26) })

func newFiller(of func(uint64) byte) *filler {
	f := &filler{bytes: make([]byte, fillerSize+2), even: make([]uint32, fillerSize/2+1), odd: make([]uint32, fillerSize/2+1)}
	r := newRNG(0, 0)
	for i := range f.bytes {
		if i < period {
			f.bytes[i] = of(r.next())
		} else {
			f.bytes[i] = f.bytes[i-period]
		}
	}
	for i := range fillerSize / 2 {
		f.even[i+1] = f.even[i] + uint32(binary.BigEndian.Uint16(f.bytes[2*i:]))
		f.odd[i+1] = f.odd[i] + uint32(binary.BigEndian.Uint16(f.bytes[2*i+1:]))
	}
	return f
}

// copy fills dst, at most 65535 bytes, from a place and returns the sum of its
// pairs of bytes.
func (f *filler) copy(dst []byte, place uint64) uint64 {
	p := int(place % period)
	n := len(dst)
	copy(dst, f.bytes[p:p+n])
	sums := f.even
	if p&1 == 1 {
		sums = f.odd
	}
	sum := uint64(sums[p/2+n/2] - sums[p/2])
	if n&1 == 1 {
		sum += uint64(dst[n-1]) << 8
	}
	return sum
}

// sumOf adds the pairs of bytes of b.
func sumOf(b []byte) (sum uint64) {
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		sum += v>>48 + v>>32&0xffff + v>>16&0xffff + v&0xffff
	}
	for ; len(b) >= 2; b = b[2:] {
		sum += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

// speech is a message, or what of it is in a packet.
type speech struct {
	payload Payload
	back    bool   // the server says it
	number  uint16 // of the message, in its direction
	salt    uint64 // of the connection
	place   uint64 // of the message in its stream
	size    uint64 // of the message
	asked   uint64 // the size of the question, for DNS
}

// fill writes the bytes of a message from an offset on and returns the sum of
// their pairs.
func (s *speech) fill(dst []byte, offset uint64) uint64 {
	f := letterFiller
	switch s.payload {
	case Random, TLS, SSH, RTP:
		f = randomFiller
	case DNS:
		s.dns(dst, offset)
		return sumOf(dst)
	}
	place := s.salt%period + (s.place+offset)%period
	if s.payload == SSH && s.number == 0 {
		f = letterFiller
	}
	sum := f.copy(dst, place)
	if s.payload > Random && s.frame(dst, offset) {
		return sumOf(dst)
	}
	return sum
}

// frame writes the heads and tails of the records that the message consists of
// and reports whether any of them is in dst.
func (s *speech) frame(dst []byte, offset uint64) (changed bool) {
	record := s.size
	switch s.payload {
	case TLS:
		record = 8 << 10
	case SSH:
		if s.number > 0 {
			record = 16 << 10
		}
	case SMTP:
		record = 64
	}
	// The last record takes what is left over, so that none is too short for
	// its head.
	records := max(1, s.size/record)
	last := records - 1
	var scratch [96]byte
	for i := min(last, offset/record); i <= last; i++ {
		from, n := i*record, record
		if i == last {
			n = s.size - from
		}
		if from >= offset+uint64(len(dst)) {
			break
		}
		head := s.head(scratch[:0], n, i == last)
		changed = overlay(dst, offset, head, from) || changed
		if tail := s.tail(); tail != "" {
			changed = overlay(dst, offset, append(scratch[:0], tail...), from+n-uint64(len(tail))) || changed
		}
	}
	return changed
}

// overlay writes what of b, which is at a place of the message, lies in dst.
func overlay(dst []byte, offset uint64, b []byte, place uint64) bool {
	end := offset + uint64(len(dst))
	if place >= end || place+uint64(len(b)) <= offset {
		return false
	}
	if place < offset {
		b, place = b[offset-place:], offset
	}
	copy(dst[place-offset:], b)
	return true
}

// head appends the head of a record of n bytes.
func (s *speech) head(b []byte, n uint64, last bool) []byte {
	switch s.payload {
	case HTTP:
		if !s.back {
			return append(b, "GET /page HTTP/1.1\r\nHost: www.example\r\nX-Fill: "...)
		}
		const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
		const digits = 10
		b = append(b, head...)
		body := n - min(n, uint64(len(head)+digits+4))
		for i, unit := 0, uint64(1e9); i < digits; i, unit = i+1, unit/10 {
			b = append(b, '0'+byte(body/unit%10))
		}
		return append(b, "\r\n\r\n"...)
	case TLS:
		return binary.BigEndian.AppendUint16(append(b, 23, 3, 3), uint16(n-5))
	case SSH:
		if s.number == 0 {
			return append(b, "SSH-2.0-"...)
		}
		// Length, length of the padding, SSH_MSG_IGNORE, length of its string.
		const padding = 4
		b = binary.BigEndian.AppendUint32(b, uint32(n-4))
		return binary.BigEndian.AppendUint32(append(b, padding, 2), uint32(n-10-padding))
	case SMTP:
		switch {
		case !s.back && n < 7:
			return append(b, "QUIT"...)
		case !s.back:
			return append(b, "NOOP "...)
		case s.number == 0 && last:
			return append(b, "220 "...)
		case s.number == 0:
			return append(b, "220-"...)
		case last:
			return append(b, "250 "...)
		}
		return append(b, "250-"...)
	case NTP:
		first, stratum := byte(0x23), byte(0) // version 4, mode 3: client
		if s.back {
			first, stratum = 0x24, 2 // mode 4: server
		}
		b = append(b, first, stratum, 6, 0xe9)
		for range 11 {
			b = append(b, 0, 0, 0, 0)
		}
		binary.BigEndian.PutUint64(b[40:], mix(s.salt)>>1|1<<63) // when it was sent
		return b
	case RTP:
		b = append(b, 0x80, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(s.salt)+s.number)
		b = binary.BigEndian.AppendUint32(b, uint32(s.salt>>16)+160*uint32(s.number))
		source := uint32(s.salt >> 32)
		if s.back {
			source = ^source
		}
		return binary.BigEndian.AppendUint32(b, source)
	}
	return b
}

func (s *speech) tail() string {
	switch s.payload {
	case HTTP:
		if !s.back {
			return "\r\n\r\n"
		}
	case SSH:
		if s.number == 0 {
			return "\r\n"
		}
	case SMTP:
		return "\r\n"
	}
	return ""
}

// Sizes of DNS messages: a question for a name of 19 bytes, and an answer to it
// with a TXT record that holds nothing.
const (
	dnsHeader = 12
	dnsName   = 19
	dnsQuery  = dnsHeader + dnsName + 4
	dnsAnswer = dnsQuery + 12 + 1
	dnsPad    = 11 + 4 // an OPT record with a padding option (RFC 7830)
)

// dns writes a question or an answer. A question that is a little longer than
// the least has a longer name, a longer one an option of padding.
func (s *speech) dns(dst []byte, offset uint64) {
	size, asked := int(s.size), int(s.asked)
	if !s.back {
		asked = size
	}
	stretch := 0
	if extra := asked - dnsQuery; extra > 0 && extra < dnsPad && (!s.back || size >= dnsAnswer+extra) {
		stretch = extra
	}
	b := make([]byte, 0, 512)
	b = binary.BigEndian.AppendUint16(b, uint16(s.salt)+s.number)
	rest := size - dnsQuery - stretch
	switch {
	case s.back:
		b = append(b, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0)
	case rest > 0:
		b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1)
	default:
		b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	}
	b = append(b, byte(9+stretch))
	for i := range 9 + stretch {
		b = append(b, 'a'+byte(s.salt>>(i%10*6)&63%26))
	}
	b = append(b, "\x07example\x00\x00\x10\x00\x01"...)
	switch {
	case s.back:
		rest -= 12
		b = append(b, 0xc0, 12, 0, 16, 0, 1, 0, 0, 0x0e, 0x10)
		b = binary.BigEndian.AppendUint16(b, uint16(rest))
		for rest > 0 {
			n := min(255, rest-1)
			b = append(b, byte(n))
			at := len(b)
			b = append(b, make([]byte, n)...)
			letterFiller.copy(b[at:], s.salt)
			rest -= n + 1
		}
	case rest > 0:
		b = append(b, 0, 0, 41, 0x10, 0, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(rest-11))
		b = binary.BigEndian.AppendUint16(append(b, 0, 12), uint16(rest-dnsPad))
		b = append(b, make([]byte, rest-dnsPad)...)
	}
	copy(dst, b[min(offset, uint64(len(b))):])
}
