package capture

// What packet.Packet reads on demand, of packets that it built itself, compared
// with gopacket's layers: TCP options, chains of IPv6 extension headers, SCTP
// chunks, IPsec headers and tunnels.

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/packet"
)

// headersOf is what our packet says, a line for each header.
func headersOf(p *packet.Packet) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, h := range []struct {
		name   string
		number uint8
	}{{"hop", packet.HopByHop}, {"dst", packet.DestOptions}} {
		if at, n, ok := p.OptionsHeader(h.number); ok {
			line := fmt.Sprint(h.name, " ", n)
			for next, end := at+2, at+n; ; {
				typ, length, after, s := p.Option(next, end)
				if next = after; s != packet.Found {
					break
				}
				if typ > 1 { // gopacket has its own view of padding
					line += fmt.Sprint(" ", typ, ":", length)
				}
			}
			say("%s", line)
		}
	}
	if r, ok := p.RoutingHeader(); ok {
		say("routing %d type %d left %d", r.Length, r.Type, r.SegsLeft)
		if r.Type == 0 {
			for i := range r.Addrs() {
				a, _ := p.RoutingAddr(r, i)
				say("by %08x", a)
			}
		}
	}
	if f, ok := p.FragmentHeader(); ok {
		say("fragment %d more %v id %d", f.Offset, f.More, f.ID)
	}
	if a, s := p.Auth(); s == packet.Found {
		say("ah %d reserved %d spi %d", a.Length, a.Reserved, a.SPI)
	}
	if spi, s := p.ESPSPI(); s == packet.Found {
		say("esp %d", spi)
	}
	if set, s := p.TCPOptions(); s == packet.Found {
		line := "tcp"
		for kind := range 256 {
			if set.Has(uint8(kind)) && kind > 1 {
				line += fmt.Sprint(" ", kind)
			}
		}
		say("%s", line)
	}
	if mss, s := p.MSS(); s == packet.Found {
		say("mss %d", mss)
	}
	for c, s := p.Chunk(packet.Chunk{}); s == packet.Found; c, s = p.Chunk(c) {
		say("chunk %d flags %d", c.Type, c.Flags)
	}
	var inner packet.Packet
	if p.DecodeInner(&inner) == nil {
		say("inner %v > %v %d:%d", inner.SrcAddr(), inner.DstAddr(), inner.SrcPort, inner.DstPort)
	}
	return out
}

// layersOf is what gopacket says, in the same words and order.
func layersOf(data []byte, first gopacket.Decoder) (out []string) {
	by := make([][]string, 8)
	say := func(order int, format string, args ...any) {
		by[order] = append(by[order], fmt.Sprintf(format, args...))
	}
	ipLayers := 0
	for _, l := range gopacket.NewPacket(data, first, gopacket.NoCopy).Layers() {
		switch l := l.(type) {
		case *layers.IPv4, *layers.IPv6:
			if ipLayers++; ipLayers == 2 {
				flow := l.(gopacket.NetworkLayer).NetworkFlow()
				say(7, "inner %v > %v", flow.Src(), flow.Dst())
			}
		case *layers.IPv6HopByHop:
			line := fmt.Sprint("hop ", len(l.Contents))
			for _, o := range l.Options {
				if o.OptionType > 1 {
					line += fmt.Sprint(" ", o.OptionType, ":", o.OptionLength)
				}
			}
			say(0, "%s", line)
		case *layers.IPv6Destination:
			line := fmt.Sprint("dst ", len(l.Contents))
			for _, o := range l.Options {
				if o.OptionType > 1 {
					line += fmt.Sprint(" ", o.OptionType, ":", o.OptionLength)
				}
			}
			say(1, "%s", line)
		case *layers.IPv6Routing:
			say(2, "routing %d type %d left %d", len(l.Contents), l.RoutingType, l.SegmentsLeft)
			for _, a := range l.SourceRoutingIPs {
				say(2, "by %08x", [4]uint32{be32(a), be32(a[4:]), be32(a[8:]), be32(a[12:])})
			}
		case *layers.IPv6Fragment:
			say(3, "fragment %d more %v id %d", l.FragmentOffset, l.MoreFragments, l.Identification)
		case *layers.IPSecAH:
			say(4, "ah %d reserved %d spi %d", l.HeaderLength, l.Reserved, l.SPI)
		case *layers.IPSecESP:
			say(5, "esp %d", l.SPI)
		case *layers.TCP:
			kinds, mss := map[int]bool{}, ""
			for _, o := range l.Options {
				kinds[int(o.OptionType)] = true
				if o.OptionType == layers.TCPOptionKindMSS && len(o.OptionData) == 2 && mss == "" {
					mss = fmt.Sprintf("mss %d", uint16(o.OptionData[0])<<8|uint16(o.OptionData[1]))
				}
			}
			line := "tcp"
			for kind := 2; kind < 256; kind++ {
				if kinds[kind] {
					line += fmt.Sprint(" ", kind)
				}
			}
			say(5, "%s", line)
			if mss != "" {
				say(5, "%s", mss)
			}
		case *layers.UDP:
			if ipLayers == 2 {
				by[7][0] += fmt.Sprintf(" %d:%d", l.SrcPort, l.DstPort)
			}
		case *layers.SCTPInit:
			say(6, "chunk %d flags %d", l.Type, l.Flags)
		case *layers.SCTPSack:
			say(6, "chunk %d flags %d", l.Type, l.Flags)
		case *layers.SCTPCookieEcho:
			say(6, "chunk %d flags %d", l.Type, l.Flags)
		case *layers.SCTPEmptyLayer:
			say(6, "chunk %d flags %d", l.Type, l.Flags)
		}
	}
	for _, lines := range by {
		out = append(out, lines...)
	}
	return out
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func TestHeadersEqualGopackets(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	seen := map[string]int{}
	for range 5000 {
		p := packet.Packet{Family: uint8(4 + 2*r.IntN(2)), TTL: 64, SrcPort: uint16(r.Uint32()), DstPort: uint16(r.Uint32())}
		p.Src, p.Dst = [4]uint32{0x20010db8, 0, 0xffff, 0x0a000001}, [4]uint32{0x20010db8, 0, 0xffff, 0x0a000002}
		if p.Family == 4 {
			p.Src, p.Dst = [4]uint32{2: 0xffff, 3: 0x0a000001}, [4]uint32{2: 0xffff, 3: 0x0a000002}
		}
		p.Proto = []uint8{packet.TCP, packet.TCP, packet.UDP, packet.SCTP, packet.ESP, 4, 47, packet.AH}[r.IntN(7+int(6-p.Family)/2)]
		x := packet.Extras{SPI: r.Uint32(), Next: 59}
		switch p.Proto {
		case packet.TCP:
			for range r.IntN(4) {
				x.Options = append(x.Options, [][]byte{{1}, {2, 4, 5, byte(r.IntN(256))}, {3, 3, 7}, {4, 2}, {8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, {253, 4, 1, 2}}[r.IntN(6)]...)
			}
			for len(x.Options)%4 != 0 { // gopacket ends at the end-of-list kind
				x.Options = append(x.Options, 1)
			}
		case packet.SCTP:
			for range 1 + r.IntN(3) {
				x.Payload = append(x.Payload, [][]byte{{1, 0, 0, 20, 15: 1, 19: 2}, {10, byte(r.IntN(4)), 0, 8, 1, 2, 3, 4}, {11, byte(r.IntN(4)), 0, 4}, {3, 0, 0, 16, 15: 0}}[r.IntN(4)]...)
			}
		case packet.ESP:
			x.Payload = make([]byte, 16)
		case 4, 47:
			inner := packet.Packet{Family: 4, Proto: packet.UDP, SrcPort: 7, DstPort: 8}
			inner.Src[3], inner.Dst[3] = 1, 2
			x.Payload = inner.AppendIP(nil)
		}
		if p.Family == 6 {
			headers := []packet.ExtHeader{
				{Number: packet.HopByHop, Data: []byte{5, 2, 0, 0, 1, 0}},
				{Number: packet.DestOptions, Data: append([]byte{0xc9, 16}, make([]byte, 20)...)},
				{Number: packet.Routing, Data: append([]byte{0, byte(r.IntN(3)), 0, 0, 0, 0}, randomBytes(r, 32)...)},
				{Number: packet.AuthHeader, Data: append([]byte{0, byte(r.IntN(2))}, randomBytes(r, 20)...)},
			}
			for i := range headers {
				if r.IntN(3) == 0 {
					x.ExtHeaders = append(x.ExtHeaders, headers[i])
				}
			}
			if r.IntN(4) == 0 { // gopacket looks at nothing behind it
				p.Proto = 59
				x.ExtHeaders = append(x.ExtHeaders, packet.ExtHeader{Number: packet.Fragment, Data: append([]byte{0, 0}, randomBytes(r, 4)...)})
			}
		}
		data := p.AppendIPWith(nil, &x)
		var got packet.Packet
		require.NoError(t, got.DecodeIP(data))
		require.Zero(t, got.Broken())
		first := gopacket.Decoder(layers.LayerTypeIPv4)
		if p.Family == 6 {
			first = layers.LayerTypeIPv6
		}
		ours := headersOf(&got)
		require.Equal(t, layersOf(data, first), ours, "%x", data)
		for _, line := range ours {
			seen[line[:3]]++
		}
	}
	for _, kind := range []string{"hop", "dst", "rou", "by ", "fra", "ah ", "esp", "tcp", "mss", "chu", "inn"} {
		require.Greater(t, seen[kind], 50, kind)
	}
}
