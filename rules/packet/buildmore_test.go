package packet

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExtrasAreDecodedBack(t *testing.T) {
	inner4 := (&Packet{Family: 4, Proto: UDP, SrcPort: 5, DstPort: 6, Length: 40}).AppendIP(nil)
	inner6 := (&Packet{Family: 6, Proto: TCP, SrcPort: 7, DstPort: 8}).AppendIP(nil)
	srh := ExtHeader{Routing, append([]byte{4, 0, 0, 0, 0, 7}, make([]byte, 16)...)}
	tests := []struct {
		name   string
		p      Packet
		x      Extras
		total  int
		fields string
	}{
		{"TCP options and IP options", Packet{Family: 4, Proto: TCP}, Extras{IPOptions: []byte{7, 3, 4, 0, 1}, Options: []byte{2, 4, 5, 0xb4, 1}}, 20 + 8 + 28,
			"tcpopts0=0:7 tcpopts1=0:0 mss=1460"},
		{"TCP over extension headers", Packet{Family: 6, Proto: TCP}, Extras{ExtHeaders: []ExtHeader{{HopByHop, nil}, {DestOptions, make([]byte, 7)}, {Routing, []byte{2, 1}}}, Options: []byte{2, 4, 1, 0}}, 40 + 8 + 16 + 8 + 24,
			"tcpopts0=0:4 tcpopts1=0:0 mss=256 rttype=2 rtsegs=1 rtlen=8 hbhlen=8 dstlen=16 exthdrs=PROT+ROUTE+DST+HOP"},
		{"AH and a fragment header in IPv6", Packet{Family: 6, Proto: 99}, Extras{ExtHeaders: []ExtHeader{{Fragment, []byte{0, 1, 0, 0, 0, 9}}, {AuthHeader, []byte{0, 5, 0, 0, 1, 0, 0, 0, 0, 1}}}, Payload: []byte{1}}, 40 + 8 + 12 + 1,
			"ahspi=256 ahlen=1 ahres=5 fragid=9 exthdrs=PROT+AUTH+FRAG"},
		{"segment routing", Packet{Family: 6, Proto: 59}, Extras{ExtHeaders: []ExtHeader{srh}}, 40 + 24,
			"rttype=4 rtsegs=0 rtlen=24 exthdrs=NONEXT+ROUTE srhnext=59 srhlen=2 srhsegs=0 srhlast=0 srhtag=7 srhlsid=0:0"},
		{"a later fragment behind options", Packet{Family: 6, Proto: UDP, FragOffset: 3}, Extras{ID: 77, ExtHeaders: []ExtHeader{{DestOptions, nil}}, Payload: make([]byte, 8)}, 40 + 8 + 8 + 8,
			"fragid=77 dstlen=8 exthdrs=PROT+FRAG+DST"},
		{"AH in IPv4", Packet{Family: 4, Proto: AH}, Extras{SPI: 258, Next: TCP}, 32, "ahspi=258 ahlen=1 ahres=0"},
		{"ESP", Packet{Family: 6, Proto: ESP}, Extras{SPI: 258, Payload: []byte{1, 2, 3}}, 51, "espspi=258 exthdrs=ESP"},
		{"IPComp", Packet{Family: 4, Proto: IPComp}, Extras{SPI: 258}, 24, "cpi=258"},
		{"DCCP", Packet{Family: 4, Proto: DCCP}, Extras{Type: 1, Options: []byte{3, 5, 0, 0, 0, 130}}, 20 + 24 + 8, "dccptype=1 dccpopts0=0:9 dccpopts1=0:4"},
		{"mobility header", Packet{Family: 6, Proto: Mobility}, Extras{Type: 5}, 48, "exthdrs=PROT mhtype=5"},
		{"IPv4 in IPv6", Packet{Family: 6, Proto: 4}, Extras{Payload: inner4}, 80, "exthdrs=PROT"},
		{"GRE", Packet{Family: 4, Proto: 47}, Extras{Payload: inner6}, 24 + 60, ""},
		{"no more than there is room for", Packet{Family: 4, Proto: TCP}, Extras{IPOptions: make([]byte, 60), Options: make([]byte, 60), Payload: make([]byte, 70000)}, 65535,
			"tcpopts0=0:1 tcpopts1=0:0"},
		{"no more extension headers than 48 kB", Packet{Family: 6, Proto: 59}, Extras{ExtHeaders: slices40()}, 40 + 24*2048, "dstlen=2048 exthdrs=NONEXT+DST"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.p.SrcPort, tc.p.DstPort = 4242, 443
			data := tc.p.AppendIPWith(nil, &tc.x)
			require.Len(t, data, tc.total)
			var got Packet
			require.NoError(t, got.DecodeIP(data))
			require.Zero(t, got.Notes)
			require.Equal(t, tc.p.Proto, got.Proto)
			text := presentText(t, everyField()[0], &got, "src", "dst", "sport", "dport", "proto", "hotdrop", "ecnflags")
			if more := presentText(t, everyField()[1], &got); more != "" {
				if text != "" {
					text += " "
				}
				text += more
			}
			require.Equal(t, tc.fields, text)
		})
	}
}

// slices40 are 40 destination options headers of 2048 bytes.
func slices40() (out []ExtHeader) {
	for range 40 {
		out = append(out, ExtHeader{DestOptions, make([]byte, 3000)})
	}
	return out
}

func TestChecksumsOfBuiltPacketsWithExtras(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for range 2000 {
		p := randomPacket(r)
		p.FragOffset, p.MoreFragments = 0, false
		x := randomExtras(r, p.Family)
		data := p.AppendIPWith(nil, &x)
		var got Packet
		require.NoError(t, got.DecodeIP(data))
		require.Zero(t, got.Broken(), "%x", data)
		if p.Family == 4 {
			require.Zero(t, fold(sum(data[:int(data[0]&15)*4])), "IP header")
		}
		body := data[got.TransportOffset:]
		switch {
		case p.Proto == ICMP && p.Family == 4:
			require.Zero(t, fold(sum(body)))
		case p.Proto == TCP || p.Proto == UDP || p.Proto == UDPLite || p.Proto == DCCP || p.Proto == ICMPv6 && p.Family == 6:
			require.Zero(t, fold(sum(body)+got.pseudo(len(body))), "protocol %d", p.Proto)
		}
		if n := got.moreHeaderLen(&x); p.Proto == TCP || p.Proto == DCCP {
			require.Equal(t, string(x.Payload), string(data[got.TransportOffset+n:][:len(x.Payload)]))
		}
	}
}

// randomExtras draws options and headers that are well-formed.
func randomExtras(r *rand.Rand, family uint8) (x Extras) {
	x = Extras{ID: r.Uint32(), Type: uint8(r.IntN(10)), SPI: r.Uint32(), Next: 6, ICMPRest: r.Uint32()}
	for range r.IntN(4) {
		x.Options = append(x.Options, [][]byte{{1}, {2, 4, 5, 180}, {3, 3, 7}, {4, 2}, {8, 10, 1, 2, 3, 4, 5, 6, 7, 8}}[r.IntN(5)]...)
	}
	for range r.IntN(20) {
		x.Payload = append(x.Payload, byte(r.IntN(256)))
	}
	if family == 4 {
		x.IPOptions = make([]byte, r.IntN(12))
		return x
	}
	for range r.IntN(4) {
		number := []uint8{HopByHop, Routing, DestOptions, AuthHeader, Fragment}[r.IntN(5)]
		data := make([]byte, 10+r.IntN(20))
		if number == Routing {
			data[0], data[1] = byte(r.IntN(5)), byte(r.IntN(3))
		}
		x.ExtHeaders = append(x.ExtHeaders, ExtHeader{number, data})
	}
	return x
}

func TestInnerPackets(t *testing.T) {
	build := Packet{Proto: UDP, SrcPort: 5, DstPort: 6, Length: 60, TTL: 9}
	addrs4(&build)
	inner4 := build.AppendIP(nil)
	ether := build.AppendEthernet(nil)
	build.Family = 6
	inner6 := build.AppendIP(nil)
	greWith := func(flags, proto uint16, options int, payload []byte) []byte {
		return append(append([]byte{byte(flags >> 8), byte(flags), byte(proto >> 8), byte(proto)}, make([]byte, options)...), payload...)
	}
	tests := []struct {
		name  string
		outer Packet
		x     Extras
		raw   []byte // payload without what Extras makes
		err   error
	}{
		{"IPv4 in IPv4", Packet{Family: 4, Proto: 4}, Extras{Payload: inner4}, nil, nil},
		{"IPv6 in IPv4", Packet{Family: 4, Proto: 41}, Extras{Payload: inner6}, nil, nil},
		{"IPv4 in IPv6 behind options", Packet{Family: 6, Proto: 4}, Extras{ExtHeaders: []ExtHeader{{DestOptions, nil}}, Payload: inner4}, nil, nil},
		{"GRE around IPv4", Packet{Family: 4, Proto: 47}, Extras{Payload: inner4}, nil, nil},
		{"GRE around IPv6", Packet{Family: 6, Proto: 47}, Extras{Payload: inner6}, nil, nil},
		{"GRE with checksum, key and sequence number", Packet{Family: 4, Proto: 47}, Extras{}, greWith(0xb000, 0x0800, 12, inner4), nil},
		{"GRE around Ethernet", Packet{Family: 4, Proto: 47}, Extras{}, greWith(0, 0x6558, 0, ether), nil},
		{"GRE with source routes", Packet{Family: 4, Proto: 47}, Extras{}, greWith(0x4000, 0x0800, 0, inner4), ErrNotIP},
		{"GRE of version 1", Packet{Family: 4, Proto: 47}, Extras{}, greWith(1, 0x880b, 0, inner4), ErrNotIP},
		{"GRE in part", Packet{Family: 4, Proto: 47}, Extras{}, []byte{0, 0, 8}, ErrTruncated},
		{"a later fragment", Packet{Family: 4, Proto: 4, FragOffset: 1}, Extras{Payload: inner4}, nil, ErrNotIP},
		{"UDP", Packet{Family: 4, Proto: UDP}, Extras{}, nil, ErrNotIP},
		{"longer than the outer one", Packet{Family: 4, Proto: 4}, Extras{Payload: inner4[:59]}, nil, ErrMalformed},
	}
	r := rand.New(rand.NewPCG(31, 32))
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			data := tc.outer.AppendIPWith(nil, &tc.x)
			if tc.raw != nil {
				tc.outer.Length = uint32(20 + len(tc.raw))
				data = append(tc.outer.AppendIP(nil)[:20], tc.raw...)
			}
			for _, segs := range []Segments{{data}, cut(r, data), cut(r, data), cut(r, append(data, 0, 0, 0))} {
				var outer Packet
				require.NoError(t, outer.DecodeSegments(segs, LinkRaw))
				inner := Packet{Meta: Meta{Mark: 7}}
				err := outer.DecodeInner(&inner)
				if tc.err != nil {
					require.ErrorIs(t, err, tc.err)
					continue
				}
				require.NoError(t, err)
				require.Zero(t, inner.Notes)
				require.EqualValues(t, []uint16{5, 6}, []uint16{inner.SrcPort, inner.DstPort})
				require.EqualValues(t, 7, inner.Mark)
				require.Equal(t, 60, inner.Captured())
				var bytes []byte
				for at := 0; len(inner.Piece(at)) > 0; at += len(inner.Piece(at)) {
					bytes = append(bytes, inner.Piece(at)...)
				}
				require.Equal(t, data[len(data)-60:], bytes)
				require.NoError(t, outer.DecodeInner(&outer) /* in place */)
				require.EqualValues(t, 9, outer.TTL)
			}
		})
	}
}

func TestQuotedPackets(t *testing.T) {
	build := Packet{Proto: UDP, SrcPort: 5, DstPort: 6, Length: 600}
	addrs4(&build)
	quote := build.AppendIP(nil)[:28]
	var outer, inner Packet
	for typ, want := range map[uint8]error{3: nil, 4: nil, 5: nil, 11: nil, 12: nil, 0: ErrNotIP, 8: ErrNotIP} {
		p := Packet{Family: 4, Proto: ICMP, ICMPType: typ}
		require.NoError(t, outer.DecodeIP(p.AppendIPWith(nil, &Extras{ICMPRest: 1400, Payload: quote})))
		require.ErrorIs(t, outer.DecodeQuoted(&inner), want, "type %d", typ)
		if want == nil {
			require.Equal(t, Cut, inner.Notes)
			require.EqualValues(t, []uint16{5, 6}, []uint16{inner.SrcPort, inner.DstPort})
			require.Equal(t, netip.MustParseAddr("192.0.2.7"), inner.DstAddr())
		}
	}
	build.Family = 6
	p := Packet{Family: 6, Proto: ICMPv6, ICMPType: 2}
	require.NoError(t, outer.DecodeIP(p.AppendIPWith(nil, &Extras{Payload: build.AppendIP(nil)})))
	require.NoError(t, outer.DecodeQuoted(&inner))
	require.EqualValues(t, 6, inner.DstPort)
	require.ErrorIs(t, inner.DecodeQuoted(&outer), ErrNotIP)
}
