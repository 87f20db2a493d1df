package packet

// A slow decoder of IP packets that is right on sight, and packets of every
// length, of which every part was captured, held to it.

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// outline is what the slow decoder finds.
type outline struct {
	Proto, TCPFlags, ICMPType, ICMPCode uint8
	Has                                 Fields
	Notes                               Notes
	More                                bool
	Frag                                uint16
	SrcPort, DstPort                    uint16
	Length                              uint32
	Transport, End                      int
}

func outlineOf(p *Packet) outline {
	return outline{p.Proto, p.TCPFlags, p.ICMPType, p.ICMPCode, p.Has, p.Notes, p.MoreFragments, p.FragOffset,
		p.SrcPort, p.DstPort, p.Length, p.TransportOffset, p.End}
}

// reference decodes an IP packet of which data was captured, at least the fixed
// header. It reports false for what Decode refuses.
func reference(data []byte) (o outline, ok bool) {
	there := func(at, n int) bool { return at+n <= o.End } // captured
	total, at, next := 0, 0, uint8(0)
	if data[0]>>4 == 4 {
		total = int(binary.BigEndian.Uint16(data[2:]))
		at, next = int(data[0]&15)*4, data[9]
		frag := binary.BigEndian.Uint16(data[6:])
		o.More, o.Frag = frag>>13&1 == 1, frag&(1<<13-1)
		if at < 20 || total < at || len(data) < at {
			return o, false
		}
	} else {
		total = int(binary.BigEndian.Uint16(data[4:])) + 40
		at, next = 40, data[6]
	}
	o.Length, o.Has, o.End = uint32(total), HasLength, min(total, len(data))
	if data[0]>>4 == 6 && total == 40 && next == HopByHop {
		o.Length, o.Has, o.End, total = 0, 0, len(data), math.MaxInt32
	} else if o.End < total {
		o.Notes |= Cut
	}
	for count := 0; data[0]>>4 == 6; count++ {
		need, unit := 2, 8
		switch next {
		case Routing:
			need = 4
		case Fragment:
			need = 4
		case AuthHeader:
			unit = 4
		case HopByHop, DestOptions:
		default:
			need = 0
		}
		if need == 0 {
			break
		}
		if count == MaxExtHeaders {
			return o, false
		}
		if !there(at, need) {
			if at+need > total {
				o.Notes |= BrokenChain
			} else {
				o.Notes |= Cut
			}
			return o, true
		}
		was := next
		next = data[at]
		if was != Fragment {
			at += 8 + unit*int(data[at+1])
			continue
		}
		frag := binary.BigEndian.Uint16(data[at+2:])
		at += 8
		o.More, o.Frag = o.More || frag&1 == 1, frag>>3
		if o.Frag == 0 {
			continue
		}
		switch next {
		case HopByHop, DestOptions, Routing, Fragment, AuthHeader:
			o.Notes |= BrokenChain
		default:
			o.Proto, o.Has = next, o.Has|HasProto
		}
		return o, true
	}
	o.Proto, o.Has = next, o.Has|HasProto
	if o.Frag != 0 {
		if o.Frag == 1 && next == TCP {
			o.Notes |= TinyFragment
		}
		return o, true
	}
	o.Transport = at
	fixed, icmp := 0, false
	switch next {
	case TCP:
		fixed = 20
	case UDP, UDPLite:
		fixed = 8
	case SCTP, DCCP:
		fixed = 12
	case ICMP, ICMPv6:
		if (next == ICMP) == (data[0]>>4 == 4) {
			fixed, icmp = 8, true
		}
	}
	switch {
	case fixed == 0:
	case at+fixed > total:
		o.Notes |= ShortHeader
	case icmp && there(at, 2):
		o.ICMPType, o.ICMPCode, o.Has = data[at], data[at+1], o.Has|HasICMP
	case !icmp && there(at, 4):
		o.SrcPort, o.DstPort, o.Has = binary.BigEndian.Uint16(data[at:]), binary.BigEndian.Uint16(data[at+2:]), o.Has|HasPorts
		if next == TCP && there(at, 14) {
			o.TCPFlags, o.Has = data[at+13], o.Has|HasTCPFlags
		}
	}
	return o, true
}

// chained is a random IP packet with extension headers or options, and what
// follows it in the buffer.
func chained(r *rand.Rand) []byte {
	protos := []uint8{TCP, TCP, UDP, UDPLite, SCTP, DCCP, ICMP, ICMPv6, ESP, noNext, 47}
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
		number := []uint8{HopByHop, Routing, Fragment, AuthHeader, DestOptions}[r.IntN(5)]
		*next = number
		units := r.IntN(3)
		if r.IntN(8) == 0 {
			units = r.IntN(60)
		}
		h := random(8 + 8*units)
		h[1] = uint8(units)
		switch number {
		case AuthHeader:
			h[1] = uint8(2 * units)
		case Fragment:
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

func TestDecodingAgreesWithASlowDecoderForEveryPartOfAPacket(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	var reused Packet
	notes, refused := map[Notes]int{}, 0
	for range 1500 {
		whole := chained(r)
		least := 40
		if whole[0]>>4 == 4 {
			least = 20
		}
		for n := min(least, len(whole)); n <= len(whole); n++ {
			if n > 120 && n < len(whole)-60 && r.IntN(8) > 0 {
				continue
			}
			data := whole[:n]
			want, ok := reference(data)
			var p Packet
			err := p.DecodeIP(data)
			if !ok {
				refused++
				require.Error(t, err)
				require.Error(t, reused.DecodeIP(data))
				require.Zero(t, reused.Captured(), "what could not be decoded has no bytes")
				continue
			}
			require.NoError(t, err)
			if got := outlineOf(&p); got != want {
				require.Equal(t, want, got, "%d bytes of %x", n, whole)
			}
			notes[p.Notes]++
			// Again, in a packet that held another, and in pieces.
			require.NoError(t, reused.Decode(data, LinkRaw))
			reused.Meta = p.Meta
			require.Equal(t, p, reused)
			if r.IntN(4) == 0 {
				require.NoError(t, reused.DecodeSegments(cut(r, data), LinkRaw))
				if got := outlineOf(&reused); got != want {
					require.Equal(t, want, got, "%d bytes of %x in pieces", n, whole)
				}
				if r.IntN(2) == 0 {
					require.NoError(t, reused.DecodeEthernet(append(raw(t, "0a0000000002 0a0000000001 88a8 0007 9100 0008 8100 0009 "+map[int]string{20: "0800", 40: "86dd"}[least]), data...)))
					require.EqualValues(t, 7, reused.VLAN)
				}
			}
		}
	}
	require.Greater(t, refused, 20)
	require.GreaterOrEqual(t, len(notes), 6, "%v", notes)
}

func TestChainsHaveAtMostSoManyHeaders(t *testing.T) {
	for n := MaxExtHeaders - 1; n <= MaxExtHeaders+1; n++ {
		data := raw(t, ip6("0000", "3c"))
		for i := range n {
			next := byte(DestOptions)
			if i == n-1 {
				next = noNext
			}
			data = append(data, next, 0, 0, 0, 0, 0, 0, 0)
		}
		binary.BigEndian.PutUint16(data[4:], uint16(8*n))
		var p Packet
		err := p.DecodeIP(data)
		if n > MaxExtHeaders {
			require.ErrorIs(t, err, ErrMalformed)
			continue
		}
		require.NoError(t, err)
		require.EqualValues(t, noNext, p.Proto)
		set, ok := p.ExtHeaderSet()
		require.True(t, ok)
		require.EqualValues(t, ExtDst|ExtNone, set)
	}
}

func TestPartsOfJumbograms(t *testing.T) {
	// A hop-by-hop header, destination options, and TCP.
	data := raw(t, ip6("0000", "00")+"3c00 c204 00010000 0600 010400000000 "+tcp20)
	b := NewBinder(rules.IPv6Tuple)
	for n := 40; n <= len(data); n++ {
		want, ok := reference(data[:n])
		require.True(t, ok)
		var p Packet
		require.NoError(t, p.DecodeIP(data[:n]))
		require.Equal(t, want, outlineOf(&p), "%d bytes", n)
		require.Equal(t, p.Has&HasPorts == 0, b.Lost(&p) != 0, "%d bytes", n)
	}
}

// In pieces, only the first 256 bytes are looked at as one.
func TestTransportHeadersAcrossTheEndOfTheHead(t *testing.T) {
	for length := 216; length <= 264; length += 8 {
		for more := range 40 {
			data := raw(t, ip6("0000", "3c"))
			data = append(data, append([]byte{TCP, byte((length-40)/8 - 1)}, make([]byte, length-42)...)...)
			data = append(data, append(raw(t, tcp20), make([]byte, more)...)...)
			binary.BigEndian.PutUint16(data[4:], uint16(len(data)-40))
			var whole, pieces Packet
			require.NoError(t, whole.DecodeIP(data))
			require.NoError(t, pieces.DecodeSegments(Segments{data[:100], data[100:230], data[230:]}, LinkRaw))
			require.Equal(t, outlineOf(&whole), outlineOf(&pieces))
			require.NotZero(t, pieces.Has&HasTCPFlags)
		}
	}
}

func TestEveryCutOfAFrameSaysWhichHeaderIsShort(t *testing.T) {
	ip := ip4("0028", "0000", "06") + tcp20
	for _, c := range []struct {
		name string
		link LinkType
		head string
	}{
		{"Ethernet", LinkEthernet, "0a0000000002 0a0000000001 0800"},
		{"VLAN", LinkEthernet, "0a0000000002 0a0000000001 8100 0001 0800"},
		{"two tags", LinkEthernet, "0a0000000002 0a0000000001 88a8 0001 8100 0002 0800"},
		{"the tag of before the standard", LinkEthernet, "0a0000000002 0a0000000001 9100 0001 0800"},
		{"null", LinkNull, "02000000"},
		{"loop", LinkLoop, "00000002"},
		{"cooked", LinkSLL, "0000 0001 0006 0a0000000001 0000 0800"},
		{"cooked, version 2", LinkSLL2, "0800 0000 00000001 0001 00 06 0a0000000001 0000"},
		{"cooked, with a tag", LinkSLL, "0000 0001 0006 0a0000000001 0000 8100 0005 0800"},
		{"raw", LinkRaw, ""},
	} {
		head := len(raw(t, c.head))
		data := append(raw(t, c.head), raw(t, ip)...)
		for n := range data {
			var p Packet
			err := p.Decode(data[:n], c.link)
			switch {
			case n < head:
				require.Equal(t, errShortLink, err, "%s, %d bytes", c.name, n)
			case n < head+20:
				require.Equal(t, errShortIP, err, "%s, %d bytes", c.name, n)
			default:
				require.NoError(t, err)
				require.Equal(t, head, p.NetOffset)
				require.Equal(t, n, p.End)
				require.Equal(t, Cut, p.Notes)
			}
		}
	}
}

func TestAddressFamiliesOfEverySystem(t *testing.T) {
	v4, v6 := raw(t, ip4("0028", "0000", "06")+tcp20), raw(t, ip6("0014", "06")+tcp20)
	for af := range uint32(64) {
		var want []byte
		switch af {
		case 2:
			want = v4
		case 10, 24, 28, 30:
			want = v6
		}
		for _, order := range []struct {
			link LinkType
			put  func([]byte, uint32)
			ok   bool
		}{{LinkNull, binary.LittleEndian.PutUint32, true}, {LinkNull, binary.BigEndian.PutUint32, true},
			{LinkLoop, binary.BigEndian.PutUint32, true}, {LinkLoop, binary.LittleEndian.PutUint32, af == 0}} {
			data := make([]byte, 4)
			order.put(data, af)
			var p Packet
			if want == nil {
				require.ErrorIs(t, p.Decode(append(data, v4...), order.link), ErrNotIP, "family %d", af)
				continue
			}
			err := p.Decode(append(data, want...), order.link)
			if !order.ok {
				require.ErrorIs(t, err, ErrNotIP)
				continue
			}
			require.NoError(t, err, "family %d", af)
			require.EqualValues(t, TCP, p.Proto)
		}
	}
}

func TestHeadersOfExtrasAreAsLongAsTheyMayBe(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5, 6, 7, 10, 39, 40, 41, 995, 996, 997, 1025, 1026, 1027, 1028, 2045, 2046, 2047, 3000} {
		data := make([]byte, n)
		var got Packet
		length := func(number uint8) int {
			p := Packet{Family: 6, Proto: noNext}
			require.NoError(t, got.DecodeIP(p.AppendIPWith(nil, &Extras{ExtHeaders: []ExtHeader{{number, data}}})))
			require.Zero(t, got.Notes)
			return got.TransportOffset - 40
		}
		require.Equal(t, max(8, min((n+2+3)/4*4, 8+255*4)), length(AuthHeader), "%d bytes", n)
		require.Equal(t, min((n+2+7)/8*8, 8+255*8), length(DestOptions), "%d bytes", n)

		p := Packet{Family: 4, Proto: TCP}
		require.Len(t, p.AppendIPWith(nil, &Extras{Options: data}), 40+(min(n, 40)+3)/4*4)
		p.Proto = DCCP // a request: 16 bytes
		require.Len(t, p.AppendIPWith(nil, &Extras{Options: data}), 20+16+(min(n, 996)+3)/4*4)
		p.Proto = noNext
		require.Len(t, p.AppendIPWith(nil, &Extras{IPOptions: data}), 20+(min(n, 40)+3)/4*4)
	}
}

func TestSequenceNumbersAndChecksumsOfExtras(t *testing.T) {
	p := Packet{Family: 4, Proto: AH}
	b := p.AppendIPWith(nil, &Extras{SPI: 9, Next: TCP})[20:]
	require.Equal(t, []byte{TCP, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}, b)
	p.Proto = ESP
	require.Equal(t, []byte{0, 0, 0, 9, 0, 0, 0, 1}, p.AppendIPWith(nil, &Extras{SPI: 9})[20:])
	p = Packet{Family: 6, Proto: Mobility}
	b = p.AppendIPWith(nil, &Extras{Type: 5})[40:]
	require.Equal(t, []byte{noNext, 0, 5, 0}, b[:4])
	require.Zero(t, fold(sum(b)+p.pseudo(len(b))), "the checksum")
	// Others than these have no header, and their payload begins at once.
	for _, proto := range []uint8{noNext, 99, AH, Mobility} {
		p, at := Packet{Family: 4, Proto: proto}, 20
		if proto == AH { // in IPv6 it is an extension header
			p.Family, at = 6, 40
		}
		require.Equal(t, []byte{1, 2}, p.AppendIPWith(nil, &Extras{Payload: []byte{1, 2}})[at:], "protocol %d", proto)
	}
}
