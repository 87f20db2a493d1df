package packet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/decode"
	"github.com/hipac-go/classifier/rules"
)

// What a part of a packet says that it has lost is all in which its key differs
// from that of the whole packet.
func TestAPartOfAPacketHasLostWhatItSaysAndHasTheRest(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 82))
	lost, kept := 0, 0
	for range 400 {
		data := decode.Draw(r)
		eth := r.IntN(2) == 0
		link := LinkRaw
		if eth {
			link = LinkEthernet
			data = append(raw(t, "0a0000000002 0a0000000001 "+map[byte]string{4: "0800", 6: "86dd"}[data[0]>>4]), data...)
		}
		var whole Packet
		if whole.DecodeWire(data, len(data), link) != nil || whole.Notes&Cut != 0 || whole.Has&HasLength == 0 {
			continue
		}
		for _, s := range append(everyField(), rules.Firewall, rules.MustSchema(rules.Field{Name: "flags", Bits: 16})) {
			b := NewBinder(s)
			full, part := s.NewKey(), s.NewKey()
			require.True(t, b.Key(&whole, full))
			require.Zero(t, b.Lost(&whole))
			require.Zero(t, whole.MaybeBroken())
			for n := whole.NetOffset + 20; n < whole.End; n++ {
				if n > 150 && r.IntN(10) > 0 {
					continue
				}
				var p Packet
				if p.DecodeWire(data[:n], len(data), link) != nil {
					continue
				}
				require.True(t, b.Key(&p, part))
				fields := b.Lost(&p)
				if set, ok := p.ExtHeaderSet(); !ok {
					require.Zero(t, set)
				}
				for i := range s.Len() {
					got, gotOK := s.Get(part, i)
					want, wantOK := s.Get(full, i)
					name := s.Field(i).Name
					switch is := fields>>i&1 == 1; {
					case !is:
						kept++
						if got != want || gotOK != wantOK {
							require.Failf(t, "not said to be lost", "%s in %d bytes of %x (%v): %v %v instead of %v %v", name, n, data, link, got, gotOK, want, wantOK)
						}
					case name == "hotdrop":
						require.Zero(t, (got.Lo^want.Lo)&^uint64(p.MaybeBroken()), "%d bytes of %x", n, data)
					default:
						lost++
						switch name {
						case "hbhlen", "dstlen", "rttype", "rtsegs", "rtlen":
							// What such a header says is known before all of it is.
							require.True(t, !gotOK || got == want, "%s is lost and another, in %d bytes of %x", name, n, data)
						case "frag": // what has no fragment header yet is no fragment
						default:
							require.False(t, gotOK, "%s is lost and there, in %d bytes of %x", name, n, data)
						}
					}
				}
			}
		}
	}
	require.Greater(t, lost, 1000)
	require.Greater(t, kept, 1000)
}

// What is of another protocol is not lost but absent, whatever was captured.
func TestWhatAPacketCannotHaveIsNotLost(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "sport", Bits: 16}, rules.Field{Name: "tcpflags", Bits: 8}, rules.Field{Name: "icmptype", Bits: 8},
		rules.Field{Name: "flags", Bits: 16}, rules.Field{Name: "dccptype", Bits: 4}, rules.Field{Name: "espspi", Bits: 32}, rules.Field{Name: "cpi", Bits: 16},
		rules.Field{Name: "mhtype", Bits: 8}, rules.Field{Name: "ahspi", Bits: 32}, rules.Field{Name: "mss", Bits: 16}, rules.Field{Name: "frag", Bits: 1},
		rules.Field{Name: "fragid", Bits: 32}, rules.Field{Name: "rttype", Bits: 8}, rules.Field{Name: "proto", Bits: 8}, rules.Field{Name: "ecnflags", Bits: 8},
		rules.Field{Name: "hbhlen", Bits: 16}, rules.Field{Name: "dstlen", Bits: 16}, rules.Field{Name: "exthdrs", Bits: 8},
		rules.Field{Name: "eui64", Bits: 1}, rules.Field{Name: "ctmark", Bits: 32})
	b := NewBinder(s)
	for _, c := range []struct {
		family, proto uint8
		want          string
	}{
		{4, TCP, "sport tcpflags flags mss ecnflags"}, {6, TCP, "sport tcpflags flags mss ecnflags"},
		{4, UDP, "sport"}, {6, UDPLite, "sport"}, {4, SCTP, "sport"}, {4, DCCP, "sport dccptype"},
		{4, ICMP, "icmptype flags"}, {6, ICMPv6, "icmptype flags"}, {6, ICMP, ""}, {4, ICMPv6, ""},
		{4, ESP, "espspi"}, {6, ESP, "espspi"}, {4, IPComp, "cpi"}, {6, Mobility, "mhtype"}, {4, AH, "ahspi"}, {4, 99, ""},
	} {
		p := Packet{Family: c.family, Proto: c.proto, Length: 200, SMAC: 1}
		data := p.AppendEthernet(nil)
		if c.proto == Mobility {
			data[14+40] = noNext
		}
		head := 14 + map[uint8]int{4: 20, 6: 40}[c.family]
		var q Packet
		require.NoError(t, q.DecodeWire(data[:head], len(data), LinkEthernet))
		got := ""
		for i := range s.Len() {
			if b.Lost(&q)>>i&1 == 1 {
				got += " " + s.Field(i).Name
			}
		}
		if c.want != "" {
			c.want = " " + c.want
		}
		require.Equal(t, c.want, got, "family %d protocol %d", c.family, c.proto)
	}
}

func TestEveryBitOfAFragmentHeader(t *testing.T) {
	r := rand.New(rand.NewPCG(83, 84))
	for range 500 {
		h := [8]byte{noNext}
		binary.BigEndian.PutUint64(h[:], r.Uint64()&^(0xff<<56)|noNext<<56)
		if r.IntN(2) == 0 {
			h[2], h[3] = 0, h[3]&7
		}
		var p Packet
		require.NoError(t, p.DecodeIP(append(raw(t, ip6("0010", "2c")), append(h[:], make([]byte, 8)...)...)))
		f, ok := p.FragmentHeader()
		require.True(t, ok)
		word := binary.BigEndian.Uint16(h[2:])
		require.Equal(t, FragmentHeader{ID: binary.BigEndian.Uint32(h[4:]), Offset: word / 8, More: word%2 == 1,
			Reserved: uint16(h[1])*4 + word/2%4}, f)
	}
}

func TestOneBitMoreMakesAnotherAddressOfAnInterface(t *testing.T) {
	r := rand.New(rand.NewPCG(85, 86))
	for range 30 {
		mac := r.Uint64() >> 16
		ip := raw(t, ip6("0014", "06")+tcp20)
		binary.BigEndian.PutUint64(ip[16:], (mac>>24^0x020000)<<40|0xfffe<<24|mac&0xffffff)
		eui := func() (is, ok bool) {
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], mac)
			var p Packet
			require.NoError(t, p.DecodeEthernet(append(append(append(raw(t, "0a0000000002"), b[2:]...), 0x86, 0xdd), ip...)))
			return p.EUI64()
		}
		is, ok := eui()
		require.True(t, is && ok)
		for bit := range 64 {
			ip[16+bit/8] ^= 1 << (bit % 8)
			is, ok = eui()
			require.True(t, !is && ok, "bit %d of the address", bit)
			ip[16+bit/8] ^= 1 << (bit % 8)
		}
		for bit := range 48 {
			mac ^= 1 << bit
			is, ok = eui()
			require.True(t, !is && ok, "bit %d of the Ethernet address", bit)
			mac ^= 1 << bit
		}
		var p Packet
		require.NoError(t, p.DecodeIP(ip))
		_, ok = p.EUI64()
		require.False(t, ok, "no Ethernet address")
	}
}

func TestOptionsAreWalkedToTheirEnd(t *testing.T) {
	var p Packet // hop-by-hop: Pad1, a type of 3 bytes, an empty one, one that says more than there is, and a type without length
	require.NoError(t, p.DecodeIP(raw(t, ip6("0010", "00")+"3b01 00 0503010203 0100 1e04 0000 0007")))
	at, n, ok := p.OptionsHeader(HopByHop)
	require.True(t, ok)
	require.Equal(t, []int{40, 16}, []int{at, n})
	_, _, ok = p.OptionsHeader(DestOptions)
	require.False(t, ok)
	type option struct {
		typ, length uint8
		next        int
		s           Status
	}
	var got []option
	for at, end := at+2, at+n; ; {
		typ, length, next, s := p.Option(at, end)
		got = append(got, option{typ, length, next - 40, s})
		if s != Found {
			break
		}
		at = next
	}
	require.Equal(t, []option{{0, 0, 3, Found}, {5, 3, 8, Found}, {1, 0, 10, Found}, {30, 4, 16, Found}, {0, 0, 16, Absent}}, got)
	typ, length, next, s := p.Option(40+15, 40+16)
	require.Equal(t, option{7, 0, 16, Short}, option{typ, length, next - 40, s}, "a type at the end")
	typ, length, next, s = p.Option(40+8, 40+10)
	require.Equal(t, option{1, 0, 10, Found}, option{typ, length, next - 40, s}, "two bytes are an option")

	require.NoError(t, p.DecodeWire(raw(t, ip6("0010", "00")+"3b01 00 05"), 56, LinkRaw))
	typ, length, next, s = p.Option(43, 56)
	require.Equal(t, option{5, 0, 56, Uncaptured}, option{typ, length, next, s})
	typ, length, next, s = p.Option(44, 56)
	require.Equal(t, option{0, 0, 44, Uncaptured}, option{typ, length, next, s})
}

func TestErrorsOfTheseTypesQuoteAPacket(t *testing.T) {
	build := Packet{Proto: UDP, SrcPort: 5, DstPort: 6}
	addrs4(&build)
	quotes := map[uint8][]byte{4: build.AppendIP(nil)}
	build.Family = 6
	quotes[6] = build.AppendIP(nil)
	for _, family := range []uint8{4, 6} {
		for typ := range 256 {
			p := Packet{Family: family, Proto: map[uint8]uint8{4: ICMP, 6: ICMPv6}[family], ICMPType: uint8(typ), Has: HasVLAN}
			data := p.AppendEthernetWith(nil, &Extras{Payload: quotes[family]})
			var outer, inner Packet
			require.NoError(t, outer.DecodeEthernet(data))
			err := outer.DecodeQuoted(&inner)
			want := map[uint8]map[int]bool{4: {3: true, 4: true, 5: true, 11: true, 12: true}, 6: {1: true, 2: true, 3: true, 4: true}}[family][typ]
			if !want {
				require.ErrorIs(t, err, ErrNotIP, "family %d type %d", family, typ)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, []uint16{5, 6}, []uint16{inner.SrcPort, inner.DstPort})
		}
	}
	p := Packet{Family: 4, Proto: UDP, ICMPType: 3}
	addrs4(&p)
	var outer, inner Packet
	require.NoError(t, outer.DecodeEthernet(p.AppendEthernetWith(nil, &Extras{Payload: quotes[4]})))
	outer.ICMPType = 3
	require.ErrorIs(t, outer.DecodeQuoted(&inner), ErrNotIP, "UDP")

	for n := range 48 { // an error that was captured in part
		p := Packet{Family: 4, Proto: ICMP, ICMPType: 3}
		addrs4(&p)
		data := p.AppendIPWith(nil, &Extras{Payload: quotes[4]})
		require.NoError(t, outer.DecodeWire(data[:20+n%36], len(data), LinkRaw))
		err := outer.DecodeQuoted(&inner)
		switch n %= 36; {
		case n < 2:
			require.ErrorIs(t, err, ErrNotIP)
		case n < 28:
			require.ErrorIs(t, err, ErrTruncated, "%d bytes", n)
		default:
			require.NoError(t, err)
		}
	}
}

func TestEveryFlagOfGREAddsAWord(t *testing.T) {
	build := Packet{Proto: UDP, SrcPort: 5, DstPort: 6}
	addrs4(&build)
	quote := build.AppendIP(nil)
	for flags := range 256 {
		words := flags>>7&1 + flags>>5&1 + flags>>4&1
		payload := append(append([]byte{byte(flags), 0, 8, 0}, make([]byte, 4*words)...), quote...)
		p := Packet{Family: 4, Proto: 99}
		data := p.AppendEthernetWith(nil, &Extras{Payload: payload})
		data[14+9] = gre
		var outer, inner Packet
		require.NoError(t, outer.DecodeEthernet(data))
		err := outer.DecodeInner(&inner)
		if flags&0x40 != 0 {
			require.ErrorIs(t, err, ErrNotIP)
			continue
		}
		require.NoError(t, err, fmt.Sprintf("flags %x", flags))
		require.EqualValues(t, 6, inner.DstPort)
	}
}

func TestFlagsOfLaterFragmentsAreWhatStandsInTheirPlace(t *testing.T) {
	b := NewBinder(rules.MustSchema(rules.Field{Name: "ecnflags", Bits: 8}))
	for _, offset := range []string{"0001", "0002", "1fff"} {
		for total := 13; total < 30; total++ {
			data := append(raw(t, ip4("0028", offset, "06")+tcp20), make([]byte, 10)...)[:20+total]
			data[3] = byte(len(data))
			for n := 20; n <= len(data); n++ {
				var p Packet
				require.NoError(t, p.DecodeWire(data[:n], len(data), LinkRaw))
				flags, ok := p.ECNFlags()
				require.Equal(t, total >= 20 && n >= 34, ok, "%d bytes, %d captured", total, n)
				if ok {
					require.EqualValues(t, 0x12, flags)
				}
				require.Equal(t, total >= 20 && n < 34, b.Lost(&p) != 0, "%d bytes, %d captured", total, n)

				data[9] = UDP // which has no flags
				require.NoError(t, p.DecodeWire(data[:n], len(data), LinkRaw))
				require.Zero(t, b.Lost(&p))
				data[9] = TCP
			}
		}
	}
}

func TestHeadersThatAreNotThere(t *testing.T) {
	var p Packet
	require.NoError(t, p.DecodeWire(raw(t, ip4("0028", "0000", "06")), 40, LinkRaw))
	for _, number := range []uint8{HopByHop, Routing, Fragment, AuthHeader, DestOptions} {
		at, length, s := p.ExtHeader(number)
		require.Equal(t, []any{0, 0, Absent}, []any{at, length, s}, "IPv4")
	}
	p = Packet{Family: 6}
	set, ok := p.ExtHeaderSet()
	require.True(t, set == 0 && !ok, "a packet without bytes")
	require.NoError(t, p.DecodeIP(raw(t, ip6("0002", "3c")+"3b00")))
	set, ok = p.ExtHeaderSet()
	require.True(t, set == ExtDst && ok, "a header of two bytes, which says that it has eight")
	p.SetAddrs(netip.Addr{}, netip.Addr{})
	require.Zero(t, p.Src)

	require.NoError(t, p.DecodeIP(raw(t, ip6("0010", "2b")+"3b01 02 07 0000*6")))
	r, ok := p.RoutingHeader()
	require.True(t, ok)
	require.Equal(t, RoutingHeader{At: 40, Length: 16, Next: noNext, Type: 2, SegsLeft: 7}, r)

	m := Packet{Family: 6, Proto: Mobility}
	data := m.AppendIPWith(nil, &Extras{})
	for n := 40; n < len(data); n++ {
		require.NoError(t, p.DecodeWire(data[:n], len(data), LinkRaw))
		require.Equal(t, n < 46, p.MaybeBroken() == BrokenMH, "%d bytes", n)
	}
}

func TestBytesThatLieInOnePieceAreNotCopied(t *testing.T) {
	data := raw(t, ip4("0028", "0000", "06")+tcp20)
	var p Packet
	require.NoError(t, p.DecodeSegments(Segments{data[:20], data[20:30], data[30:]}, LinkRaw))
	for _, c := range [][2]int{{0, 20}, {20, 10}, {20, 1}, {30, 10}, {25, 5}, {39, 1}} {
		require.Equal(t, data[c[0]:c[0]+c[1]], p.Bytes(c[0], c[1], nil), "%v", c)
	}
	require.Nil(t, p.Bytes(19, 2, nil))
	require.Equal(t, data[19:31], p.Bytes(19, 12, make([]byte, 12)))
}

// A segment routing header may be shorter than its segments: the match reads on.
func TestSegmentsBehindTheirHeaderAreLostWithTheirBytes(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "srhlsid", Bits: 128}, rules.Field{Name: "srhtag", Bits: 16})
	data := raw(t, ip6("0018", "2b")+"3b00 0400 0300 0007 20010db8 0000*5 000a")
	b := NewBinder(s)
	for n := 40; n <= len(data); n++ {
		var p Packet
		require.NoError(t, p.DecodeWire(data[:n], len(data), LinkRaw))
		want := uint32(0)
		if n < 64 {
			want = 1
		}
		if n < 48 {
			want = 3
		}
		require.Equal(t, want, b.Lost(&p), "%d bytes", n)
		k := s.NewKey()
		require.True(t, b.Key(&p, k))
		_, ok := s.Get(k, 0)
		require.Equal(t, n == 64, ok)
	}
}
