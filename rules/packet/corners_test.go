package packet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// leastOf has, for each protocol with a transport header, the bits of Broken and
// the bytes below which each is set.
var leastOf = []struct {
	family, proto uint8
	below         map[Broken]int
}{
	{4, TCP, map[Broken]int{BrokenTCP: 20, BrokenPorts: 4, BrokenMSS: 20}},
	{6, TCP, map[Broken]int{BrokenTCP: 20, BrokenPorts: 4, BrokenMSS: 20}},
	{4, UDP, map[Broken]int{BrokenUDP: 8, BrokenPorts: 4}},
	{6, UDPLite, map[Broken]int{BrokenUDP: 8, BrokenPorts: 4}},
	{4, SCTP, map[Broken]int{BrokenSCTP: 12, BrokenPorts: 4}},
	{6, DCCP, map[Broken]int{BrokenDCCP: 12, BrokenPorts: 4}},
	{4, ICMP, map[Broken]int{BrokenICMP: 8}},
	{6, ICMPv6, map[Broken]int{BrokenICMP: 8}},
	{6, ICMP, nil},
	{4, ICMPv6, nil},
	{4, AH, map[Broken]int{BrokenAH: 12}},
	{4, ESP, map[Broken]int{BrokenESP: 8}},
	{6, ESP, map[Broken]int{BrokenESP: 8}},
	{4, IPComp, map[Broken]int{BrokenIPComp: 4}},
	{6, Mobility, map[Broken]int{BrokenMH: 6}},
	{4, 99, nil},
}

func TestEveryLengthOfAHeaderBreaksTheMatchesThatAskForMore(t *testing.T) {
	for _, c := range leastOf {
		for n := range 25 {
			b := Packet{Family: c.family, Proto: 99, Length: uint32(n) + 20}
			at := 9
			if c.family == 6 {
				b.Length, at = uint32(n)+40, 6
			}
			addrs4(&b)
			b.Family = c.family
			data := b.AppendIP(nil)
			data[at] = c.proto
			body := data[len(data)-n:]
			set := func(i int, x byte) {
				if i < n {
					body[i] = x
				}
			}
			set(0, 9)
			set(1, 1)
			switch c.proto {
			case TCP:
				set(12, 5<<4) // no options
				set(13, 0x12)
			case DCCP:
				set(4, 3) // the same
				set(8, 2<<1)
			case AH:
				set(1, 1)
			case Mobility:
				set(0, noNext)
				set(1, 0)
			}
			want := Broken(0)
			for bit, least := range c.below {
				if n < least {
					want |= bit
				}
			}
			var p Packet
			require.NoError(t, p.DecodeIP(data))
			require.Equal(t, want, p.Broken(), "family %d protocol %d of %d bytes", c.family, c.proto, n)

			k := portsAndHotdrop.NewKey()
			require.True(t, NewBinder(portsAndHotdrop).Key(&p, k))
			_, has := portsAndHotdrop.Get(k, 0)
			_, brokenPorts := c.below[BrokenPorts]
			require.Equal(t, brokenPorts && n >= 4, has, "ports of protocol %d of %d bytes", c.proto, n)
			if has {
				src, _ := portsAndHotdrop.Get(k, 0)
				dst, _ := portsAndHotdrop.Get(k, 1)
				require.Equal(t, uint64(9<<8|1), src.Lo)
				require.Equal(t, uint64(binary.BigEndian.Uint16(body[2:])), dst.Lo)
			}
		}
	}
}

var portsAndHotdrop = rules.MustSchema(rules.Field{Name: "sport", Kind: rules.Port}, rules.Field{Name: "dport", Kind: rules.Port},
	rules.Field{Name: "hotdrop", Bits: 32})

func TestFieldsOfMissingLayersAreAbsent(t *testing.T) {
	var p Packet
	require.NoError(t, p.DecodeIP(raw(t, ip4("0028", "0000", "06")+tcp20)))
	require.Contains(t, keyText(t, rules.Firewall, &p), "vlan=- smac=- pkttype=-")

	// A chain of extension headers that ends beyond the packet has no protocol.
	require.NoError(t, p.DecodeIP(raw(t, ip6("0002", "2b")+"0600")))
	require.Equal(t, "src=2001:db8::1 dst=2001:db8::2 sport=- dport=- proto=-", keyText(t, rules.IPv6Tuple, &p))
	require.Contains(t, keyText(t, rules.Firewall, &p), "sport=- dport=- proto=-")
}

func TestNamesOfInterfacesFillTheirWords(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "iif", Kind: rules.Name}, rules.Field{Name: "oif", Kind: rules.Name})
	var p Packet
	require.NoError(t, p.DecodeIP(raw(t, ip4("0028", "0000", "06")+tcp20)))
	p.SetIn("wlp0s20f3-guest")
	p.SetOut("0123456789abcde")
	require.Equal(t, "iif=wlp0s20f3-guest oif=0123456789abcde", keyText(t, s, &p))
}

// The five fields are recognized when each has at least its width; else they are
// filled one by one, and a value that a field cannot hold is absent.
func TestATupleOfFieldsThatAreAllNarrow(t *testing.T) {
	f := func(name string, bits int) rules.Field { return rules.Field{Name: name, Bits: bits} }
	var p Packet
	require.NoError(t, p.DecodeIP(raw(t, ip4("0028", "0000", "06")+tcp20)))
	for _, c := range []struct {
		sport, dport, proto int
		want                string
	}{
		{16, 16, 8, "sport=4242 dport=443 proto=6"},
		{17, 20, 9, "sport=4242 dport=443 proto=6"},
		{12, 8, 2, "sport=- dport=- proto=-"},
		{13, 9, 3, "sport=4242 dport=443 proto=6"},
		{15, 16, 2, "sport=4242 dport=443 proto=-"},
		{16, 8, 8, "sport=4242 dport=- proto=6"},
		{40, 16, 8, "sport=4242 dport=443 proto=6"},
	} {
		s := rules.MustSchema(rules.Field{Name: "src", Kind: rules.IPv4}, rules.Field{Name: "dst", Kind: rules.IPv4},
			f("sport", c.sport), f("dport", c.dport), f("proto", c.proto))
		require.Equal(t, "src=10.0.0.1 dst=192.0.2.7 "+c.want, keyText(t, s, &p))
	}
}

func TestEveryBitOfTheLinkHeaderIsBuiltAndDecoded(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		p := Packet{SMAC: r.Uint64() >> 16, DMAC: r.Uint64() >> 16, Proto: UDP}
		if r.IntN(2) == 0 {
			p.Has, p.VLAN = HasVLAN, uint16(r.IntN(1<<12))
		} else {
			p.Has = HasSMAC | HasProto // no tag
		}
		addrs4(&p)
		data := p.AppendEthernet(nil)
		var want [8]byte
		binary.BigEndian.PutUint64(want[:], p.DMAC)
		require.Equal(t, want[2:], data[:6])
		binary.BigEndian.PutUint64(want[:], p.SMAC)
		require.Equal(t, want[2:], data[6:12])
		var q Packet
		require.NoError(t, q.DecodeEthernet(data))
		require.Equal(t, []any{p.SMAC, p.DMAC, p.VLAN, p.Has & HasVLAN}, []any{q.SMAC, q.DMAC, q.VLAN, q.Has & HasVLAN})
	}
}

func TestExtrasAreWhereTheirHeadersHaveThem(t *testing.T) {
	p := Packet{Family: 4, Proto: ICMP, ICMPType: 8}
	options := []byte{7, 7, 4, 1, 2, 3, 4}
	data := p.AppendIPWith(nil, &Extras{ID: 0x1234, IPOptions: options, ICMPRest: 0xdeadbeef})
	require.EqualValues(t, 0x47, data[0])
	require.Equal(t, []byte{0x12, 0x34}, data[4:6])
	require.Equal(t, append(options, 0), data[20:28])
	require.Equal(t, []byte{0xde, 0xad, 0xbe, 0xef}, data[32:36])

	for _, id := range []uint32{0, 1, 2, 0xfffe} {
		p = Packet{Family: 4, Proto: UDP}
		require.EqualValues(t, id, binary.BigEndian.Uint16(p.AppendIPWith(nil, &Extras{ID: id})[4:]))
		p.MoreFragments = true
		require.EqualValues(t, max(id, 1), binary.BigEndian.Uint16(p.AppendIPWith(nil, &Extras{ID: id})[4:]))
		p.Family = 6
		require.EqualValues(t, max(id, 1), binary.BigEndian.Uint32(p.AppendIPWith(nil, &Extras{ID: id})[44:]))
	}
	for typ := range uint8(16) {
		p = Packet{Family: 4, Proto: DCCP}
		require.Equal(t, typ<<1, p.AppendIPWith(nil, &Extras{Type: typ})[28], "DCCP type %d", typ)
	}
}

// A checksum of UDP that comes to 0 is sent as all ones, since 0 means that there
// is none; those of other protocols are sent as they are.
func TestChecksumsThatComeToZero(t *testing.T) {
	for _, proto := range []uint8{UDP, UDPLite, TCP} {
		p := Packet{Proto: proto, SrcPort: 0, DstPort: 0}
		addrs4(&p)
		at := map[uint8]int{UDP: 6, UDPLite: 6, TCP: 16}[proto]
		// What is missing to a sum of 0xffff goes into a port.
		c := binary.BigEndian.Uint16(p.AppendIP(nil)[20+at:])
		p.DstPort = c
		got := binary.BigEndian.Uint16(p.AppendIP(nil)[20+at:])
		if proto == TCP {
			require.Zero(t, got)
		} else {
			require.EqualValues(t, 0xffff, got)
		}
	}
}

func TestSumsOfOddLengthsCountTheLastByteAsTheUpperOne(t *testing.T) {
	require.EqualValues(t, 0x0102+0x0300, sum([]byte{1, 2, 3}))
	require.EqualValues(t, 0xff00, sum([]byte{0xff}))
	require.EqualValues(t, 0xfffe, fold(1))
	require.EqualValues(t, 0xfffe, fold(0x10000))
	require.EqualValues(t, 0xfffd, fold(0x1ffff+1))
}

func TestTheLengthOfAUDPPacketIsInItsHeader(t *testing.T) {
	for _, n := range []int{8, 9, 1000, 65535 - 20} {
		p := Packet{Family: 4, Proto: UDP, Length: uint32(n + 20)}
		require.EqualValues(t, n, binary.BigEndian.Uint16(p.AppendIP(nil)[24:]))
	}
	p := Packet{Family: 6, Proto: UDP, Length: 40 + 65535}
	require.EqualValues(t, 65535, binary.BigEndian.Uint16(p.AppendIP(nil)[44:]))
}

func TestLinkTypesOfPacketsThatComeBack(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "pkttype", Bits: 3})
	for _, c := range []struct {
		family uint8
		dst    uint32
		want   int
	}{{4, 0xdfffffff, Broadcast}, {4, 0xe0000000, Multicast}, {4, 0xefffffff, Multicast}, {4, 0xf0000000, Broadcast}, {4, 0xffffffff, Broadcast}, {6, 0, Multicast}} {
		p := Packet{Family: c.family, Has: HasPktType, PktType: Loopback}
		p.Dst[3] = c.dst
		require.Equal(t, fmt.Sprintf("pkttype=%d", c.want), keyText(t, s, &p))
	}
	for _, as := range []uint8{Unicast, Broadcast, Multicast, OtherHost} {
		p := Packet{Family: 4, Has: HasPktType, PktType: as}
		require.Equal(t, fmt.Sprintf("pkttype=%d", as), keyText(t, s, &p))
	}
}
