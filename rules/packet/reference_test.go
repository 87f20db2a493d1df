package packet

// Packets of every length, of which every part was captured, held to the slow decoder
// of fuzz/decode.

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/decode"
	"github.com/hipac-go/classifier/rules"
)

func outlineOf(p *Packet) decode.Outline {
	return decode.Outline{Family: p.Family, TOS: p.TOS, TTL: p.TTL, Proto: p.Proto, TCPFlags: p.TCPFlags, ICMPType: p.ICMPType, ICMPCode: p.ICMPCode,
		Has: uint16(p.Has), Notes: uint8(p.Notes), More: p.MoreFragments, Frag: p.FragOffset, SrcPort: p.SrcPort, DstPort: p.DstPort,
		Length: p.Length, Src: p.SrcAddr(), Dst: p.DstAddr(), Transport: p.TransportOffset, End: p.End}
}

func TestDecodingAgreesWithASlowDecoderForEveryPartOfAPacket(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	var reused Packet
	notes, refused := map[Notes]int{}, 0
	for range 1500 {
		whole := decode.Draw(r)
		least := 40
		if whole[0]>>4 == 4 {
			least = 20
		}
		for n := min(least, len(whole)); n <= len(whole); n++ {
			if n > 120 && n < len(whole)-60 && r.IntN(8) > 0 {
				continue
			}
			data := whole[:n]
			want, ok := decode.IP(data, math.MaxInt)
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
		want, ok := decode.IP(data[:n], math.MaxInt)
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
