package packet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// presentText writes the fields of the schema that are present, but for those
// named.
func presentText(t *testing.T, s *rules.Schema, p *Packet, but ...string) string {
	t.Helper()
	k := s.NewKey()
	require.True(t, NewBinder(s).Key(p, k))
	require.NoError(t, s.CheckKey(k))
	var out []string
	for i := range s.Len() {
		f := s.Field(i)
		if v, ok := s.Get(k, i); ok && !slices.Contains(but, f.Name) && !(f.Name == "hotdrop" && v == (rules.Value{})) {
			if f.Bits == 128 && f.Kind == rules.Number {
				out = append(out, fmt.Sprintf("%s=%x:%x", f.Name, v.Hi, v.Lo))
			} else {
				out = append(out, f.Name+"="+f.FormatValue(v))
			}
		}
	}
	return strings.Join(out, " ")
}

// tcpHead is a TCP header of 20 bytes with the given data offset.
func tcpHead(doff string) string {
	return "1092 01bb 00000001 00000002 " + doff + "0 12 ffff 0000 0000 "
}

// TestFieldsReadOnDemand holds every field that is read from the bytes to
// packets written out by hand.
func TestFieldsReadOnDemand(t *testing.T) {
	rt0 := "3b04 0002 00000000 20010db8 0000*5 000a 20010db8 0000*5 000b "
	srh := "3b06 0401 0200 1234 20010db8 0000*5 000a 20010db8 0000*5 000b 20010db8 0000*5 000c "
	tests := []struct{ name, data, want string }{
		{"TCP without options", ip4("0028", "0000", "06") + tcpHead("5"), "tcpopts0=0:0 tcpopts1=0:0"},
		{"TCP options", ip4("0038", "0000", "06") + tcpHead("9") + "0204 05b4 01 01 0402 fe03 00 fd 0401 0200",
			"tcpopts0=0:17 tcpopts1=6000000000000000:0 mss=1460"},
		{"an MSS option of another length is none", ip4("002c", "0000", "06") + tcpHead("6") + "0203 0000", "tcpopts0=0:5 tcpopts1=0:0"},
		{"an MSS option that is not whole is none", ip4("002c", "0000", "06") + tcpHead("6") + "0101 0204", "tcpopts0=0:6 tcpopts1=0:0"},
		{"the last option without a length", ip4("002c", "0000", "06") + tcpHead("6") + "0101 0105", "tcpopts0=0:22 tcpopts1=0:0"},
		{"an option of length 0 counts as 1", ip4("002c", "0000", "06") + tcpHead("6") + "0500 0603", "tcpopts0=0:61 tcpopts1=0:0"},
		{"options go on behind the end-of-list kind", ip4("002c", "0000", "06") + tcpHead("6") + "0005 0203", "tcpopts0=0:29 tcpopts1=0:0"},
		{"TCP options longer than the packet", ip4("0028", "0000", "06") + tcpHead("6"), "hotdrop=TCPOPTS+MSS"},
		{"a TCP header that says it is of 16 bytes", ip4("0028", "0000", "06") + tcpHead("4"), "hotdrop=TCPOPTS+MSS"},
		{"TCP options not captured", ip4("002c", "0000", "06") + tcpHead("6") + "0204", ""},
		{"a short TCP header with ports", ip4("0018", "0000", "06") + "1092 01bb", "hotdrop=TCP+MSS"},
		{"a short TCP header without ports", ip4("0017", "0000", "06") + "1092 01", "hotdrop=TCP+PORTS+MSS"},
		{"a TCP fragment at offset 1", ip4("0028", "0001", "06") + tcpHead("6"), "hotdrop=TCP+MSS"},
		{"a later fragment", ip4("0028", "0002", "06") + tcpHead("6"), "hotdrop=MSS"},
		{"a later fragment whose payload looks like a header", ip4("002c", "0002", "06") + tcpHead("6") + "0204 05b4", "mss=1460"},
		{"a short UDP header", ip4("001b", "0000", "11") + "00*7", "hotdrop=UDP"},
		{"a short UDPLite header", ip4("0017", "0000", "88") + "00*3", "hotdrop=UDP+PORTS"},
		{"a short ICMP header", ip4("001b", "0000", "01") + "00*7", "hotdrop=ICMP"},
		{"a short ICMPv6 header", ip6("0007", "3a") + "00*7", "hotdrop=ICMP exthdrs=PROT"},
		{"a short SCTP header", ip4("001f", "0000", "84") + "00*11", "hotdrop=SCTP"},
		{"a short DCCP header", ip4("001f", "0000", "21") + "00*11", "hotdrop=DCCP"},
		{"AH in IPv4", ip4("0020", "0000", "33") + "0604 0102 deadbeef 00000001", "ahspi=3735928559 ahlen=4 ahres=258"},
		{"a short AH in IPv4", ip4("001f", "0000", "33") + "0604 0102 deadbeef 000000", "hotdrop=AH"},
		{"ESP", ip4("001c", "0000", "32") + "deadbeef 00000001", "espspi=3735928559"},
		{"a short ESP", ip4("001b", "0000", "32") + "deadbeef 000000", "hotdrop=ESP"},
		{"ESP in IPv6", ip6("0010", "3c") + "3200 0000*3 deadbeef 00000001", "espspi=3735928559 dstlen=8 exthdrs=ESP+DST"},
		{"IPComp", ip4("0018", "0000", "6c") + "0600 1234", "cpi=4660"},
		{"a short IPComp", ip4("0017", "0000", "6c") + "0600 12", "hotdrop=IPCOMP"},
		{"DCCP request with options", ip4("002c", "0000", "21") + "0001 0002 06 00 0000 00 000000 deadbeef 0003 0500 2080 0304", // 16 bytes, then two units
			"dccptype=0 dccpopts0=0:9 dccpopts1=0:0"},
		{"DCCP data, long sequence numbers", ip4("0028", "0000", "21") + "0001 0002 05 00 0000 05 000000 00000000 2903 0a80",
			"dccptype=2 dccpopts0=0:20000000000 dccpopts1=0:1"},
		{"DCCP whose options would begin in its header", ip4("0020", "0000", "21") + "0001 0002 03 00 0000 08 000000", "hotdrop=DCCPOPTS dccptype=4"},
		{"DCCP whose options are longer than the packet", ip4("0020", "0000", "21") + "0001 0002 04 00 0000 04 000000", "hotdrop=DCCPOPTS dccptype=2"},
		{"IPv6 without extension headers", ip6("0014", "06") + tcpHead("5"), "tcpopts0=0:0 tcpopts1=0:0 exthdrs=PROT"},
		{"no next header", ip6("0000", "3b"), "exthdrs=NONEXT"},
		{"AH in IPv6", ip6("002c", "00") + "3300 0000*3 0602 0001 deadbeef 00000000*2 " + tcpHead("5"),
			"tcpopts0=0:0 tcpopts1=0:0 ahspi=3735928559 ahlen=2 ahres=1 hbhlen=8 exthdrs=PROT+AUTH+HOP"},
		{"a short AH in IPv6", ip6("000b", "33") + "0602 0001 deadbeef 000000", "hotdrop=TCP+PORTS+AH+MSS exthdrs=PROT+AUTH"},
		{"a first fragment", ip6("001c", "2c") + "0605 0007 deadbeef" + tcpHead("5"), "tcpopts0=0:0 tcpopts1=0:0 fragid=3735928559 exthdrs=PROT+FRAG"},
		{"a later fragment of IPv6", ip6("001c", "2c") + "0600 0010 deadbeef" + tcpHead("5"), "hotdrop=MSS fragid=3735928559 exthdrs=PROT+FRAG"},
		{"behind a later fragment only ipv6header looks on", ip6("0010", "2c") + "3c00 0010 deadbeef 3b00 000000000000", "hotdrop=PROTO fragid=3735928559 exthdrs=NONEXT+FRAG+DST"},
		{"a short fragment header", ip6("0007", "2c") + "3b00 0000 deadbe", "hotdrop=FRAG exthdrs=FRAG"},
		{"a fragment header of three bytes", ip6("0003", "2c") + "3b00 00", "hotdrop=PROTO+AH+FRAG+RT+HBH+DST exthdrs=FRAG"},
		{"routing header of type 0", ip6("0028", "2b") + rt0, "rttype=0 rtsegs=2 rtlen=40 exthdrs=NONEXT+ROUTE"},
		{"a routing header longer than the packet", ip6("0027", "2b") + rt0[:len(rt0)-3], "hotdrop=RT exthdrs=ROUTE"},
		{"options headers", ip6("0018", "00") + "3c01 0104 00*4 0502 0000 0100 0000  3b00 000000000000", "hbhlen=16 dstlen=8 exthdrs=NONEXT+DST+HOP"},
		{"a chain that ends in a destination options header", ip6("0009", "00") + "3c00 00*6 3b", "hotdrop=PROTO+AH+FRAG+RT+DST hbhlen=8"},
		{"mobility header", ip6("0008", "87") + "3b00 05 00 0000 0000", "exthdrs=PROT mhtype=5"},
		{"a short mobility header", ip6("0005", "87") + "3b00 05 00 00", "hotdrop=MH exthdrs=PROT"},
		{"a mobility header with another behind it", ip6("0008", "87") + "0600 05 00 0000 0000", "hotdrop=MH exthdrs=PROT"},
		{"segment routing", ip6("0038", "2b") + srh,
			"rttype=4 rtsegs=1 rtlen=56 exthdrs=NONEXT+ROUTE srhnext=59 srhlen=6 srhsegs=1 srhlast=2 srhtag=4660 " +
				"srhpsid=20010db800000000:c srhnsid=20010db800000000:a srhlsid=20010db800000000:a"},
		{"segment routing at its end", ip6("0038", "2b") + strings.Replace(srh, "0401", "0400", 1),
			"rttype=4 rtsegs=0 rtlen=56 exthdrs=NONEXT+ROUTE srhnext=59 srhlen=6 srhsegs=0 srhlast=2 srhtag=4660 " +
				"srhpsid=20010db800000000:b srhlsid=20010db800000000:a"},
		{"segment routing with more segments left than there are", ip6("0038", "2b") + strings.Replace(srh, "0401", "0403", 1),
			"rttype=4 rtsegs=3 rtlen=56 exthdrs=NONEXT+ROUTE"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var p Packet
			require.NoError(t, p.DecodeIP(raw(t, tc.data)))
			var got []string
			for _, s := range everyField()[:2] {
				if text := presentText(t, s, &p, "src", "dst", "sport", "dport", "proto", "ecnflags"); text != "" {
					got = append(got, text)
				}
			}
			require.Equal(t, tc.want, strings.Join(got, " "))
		})
	}
}

func TestPortsOfShortHeadersForSchemasWithHotdrop(t *testing.T) {
	hotdrop := rules.Field{Name: "hotdrop", Kind: rules.Bits, Bits: 32, Symbols: BrokenNames}
	sport, dport := rules.Field{Name: "sport", Kind: rules.Port}, rules.Field{Name: "dport", Kind: rules.Port}
	tuple := []rules.Field{{Name: "src", Kind: rules.IPv4}, {Name: "dst", Kind: rules.IPv4}, sport, dport, {Name: "proto", Kind: rules.Proto}}
	for name, tc := range map[string]struct{ data, want string }{
		"the ports are there":     {ip4("0018", "0000", "06") + "1092 01bb", "sport=4242 dport=443"},
		"a port in part":          {ip4("0017", "0000", "06") + "1092 01", "sport=- dport=-"},
		"a protocol without them": {ip4("0018", "0000", "01") + "1092 01bb", "sport=- dport=-"},
		"a later fragment":        {ip4("0018", "0002", "06") + "1092 01bb", "sport=- dport=-"},
	} {
		var p Packet
		require.NoError(t, p.DecodeIP(raw(t, tc.data)))
		for _, s := range []*rules.Schema{rules.MustSchema(dport, hotdrop, sport), rules.MustSchema(append(tuple, hotdrop)...)} {
			text := keyText(t, s, &p)
			for _, field := range strings.Fields(tc.want) {
				require.Contains(t, strings.Fields(text), field, name)
			}
		}
		require.Equal(t, "dport=- sport=-", keyText(t, rules.MustSchema(dport, sport), &p), "%s, and without hotdrop", name)
	}
}

func TestECNFlagsAreThoseOfTheBytesInPlaceOfTheHeader(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "ecnflags", Bits: 8}, rules.Field{Name: "tcpflags", Bits: 8})
	for name, tc := range map[string]struct{ data, want string }{
		"a header":                 {ip4("0028", "0000", "06") + tcpHead("5"), "ecnflags=18 tcpflags=18"},
		"a short header":           {ip4("0027", "0000", "06") + tcpHead("5"), "ecnflags=- tcpflags=-"},
		"a later fragment":         {ip4("0028", "0002", "06") + tcpHead("5"), "ecnflags=18 tcpflags=-"},
		"a short later fragment":   {ip4("0027", "0002", "06") + tcpHead("5"), "ecnflags=- tcpflags=-"},
		"a later fragment of UDP":  {ip4("0028", "0002", "11") + tcpHead("5"), "ecnflags=- tcpflags=-"},
		"a later fragment of IPv6": {ip6("001c", "2c") + "0600 0010 deadbeef" + tcpHead("5"), "ecnflags=0 tcpflags=-"}, // of the source address
	} {
		var p Packet
		require.NoError(t, p.DecodeIP(raw(t, tc.data)))
		require.Equal(t, tc.want, keyText(t, s, &p), name)
	}
}

func TestEUI64(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "eui64", Bits: 1})
	for name, tc := range map[string]struct{ ether, src, want string }{
		"made from it":        {"0a0000000002 021122334455 86dd", "fe800000 00000000 001122ff fe334455", "eui64=1"},
		"one bit off":         {"0a0000000002 021122334455 86dd", "fe800000 00000000 001122ff fe334454", "eui64=0"},
		"the bit not flipped": {"0a0000000002 021122334455 86dd", "fe800000 00000000 021122ff fe334455", "eui64=0"},
	} {
		data := raw(t, tc.ether+"6b800000 0000 3b40"+tc.src+"20010db8 0000*5 0002")
		var p Packet
		require.NoError(t, p.DecodeEthernet(data))
		require.Equal(t, tc.want, keyText(t, s, &p), name)
		require.NoError(t, p.DecodeIP(data[14:]))
		require.Equal(t, "eui64=-", keyText(t, s, &p), "%s, without Ethernet", name)
	}
}

func TestWalksOverOptionsAddressesAndChunks(t *testing.T) {
	var p Packet
	require.NoError(t, p.DecodeIP(raw(t, ip6("0018", "00")+"3c01 0104 00*4 0502 0000 0100 0005  3b00 000000000000")))
	at, length, ok := p.OptionsHeader(HopByHop)
	require.True(t, ok)
	require.Equal(t, []int{40, 16}, []int{at, length})
	var got []string
	for next, end := at+2, at+length; ; {
		typ, n, after, s := p.Option(next, end)
		got = append(got, fmt.Sprint(typ, n, s))
		if next = after; s != Found {
			break
		}
	}
	require.Equal(t, []string{"1 4 1", "5 2 1", "1 0 1", "0 0 1", "5 0 2"}, got, "the last option has no room for its length")

	require.NoError(t, p.DecodeIP(raw(t, ip6("0028", "2b")+"3b04 0002 00000007 20010db8 0000*5 000a 20010db8 0000*5 000b")))
	r, ok := p.RoutingHeader()
	require.True(t, ok)
	require.Equal(t, 2, r.Addrs())
	reserved, ok := p.RoutingReserved(r)
	require.True(t, ok)
	require.EqualValues(t, 7, reserved)
	a, ok := p.RoutingAddr(r, 1)
	require.True(t, ok)
	require.Equal(t, words(netip.MustParseAddr("2001:db8::b")), a)
	_, ok = p.RoutingAddr(r, 2)
	require.False(t, ok)

	for name, tc := range map[string]struct {
		data string
		want []string
	}{
		"three chunks":          {ip4("0036", "0000", "84") + "00*12 0103 0006 1234 0000 0e00 0004 0000 0009 00*6", []string{"1 3 6", "14 0 4", "0 0 9", "end Absent"}},
		"none":                  {ip4("0020", "0000", "84") + "00*12", []string{"end Short"}},
		"one of length 0":       {ip4("0024", "0000", "84") + "00*12 0103 0000", []string{"end Short"}},
		"the second cut":        {ip4("0027", "0000", "84") + "00*12 0103 0004 010300", []string{"1 3 4", "end Short"}},
		"the second uncaptured": {ip4("0028", "0000", "84") + "00*12 0103 0004 010300", []string{"1 3 4", "end Uncaptured"}},
		"not SCTP":              {ip4("0020", "0000", "11") + "00*12", []string{"end Absent"}},
	} {
		require.NoError(t, p.DecodeIP(raw(t, tc.data)))
		var got []string
		c, s := p.Chunk(Chunk{})
		for ; s == Found; c, s = p.Chunk(c) {
			got = append(got, fmt.Sprint(c.Type, c.Flags, c.Length))
		}
		require.Equal(t, tc.want, append(got, "end "+[]string{"Absent", "Found", "Short", "Uncaptured"}[s]), name)
	}
}

func TestKeyOfMeta(t *testing.T) {
	s := everyField()[2]
	var p Packet
	require.NoError(t, p.DecodeIP(raw(t, frame4)[14:]))
	require.Empty(t, presentText(t, s, &p), "without Conn and Env")
	p.Env = &Env{CPU: 3, InGroup: 4, OutGroup: 5, Realm: 6, SrcType: 2, DstType: 4}
	require.Empty(t, presentText(t, s, &p), "without bits of Has")
	p.Env.Has = HasCPU | HasRealm | HasAddrTypes
	require.Equal(t, "cpu=3 realm=6 srctype=UNICAST dsttype=LOCAL", presentText(t, s, &p))
	p.Env.Has = HasInGroup | HasOutGroup
	require.Equal(t, "ingroup=4 outgroup=5", presentText(t, s, &p))
	p.Env = nil
	four := func(a string) [4]uint32 { return words(netip.MustParseAddr(a)) }
	p.Conn = &Conn{Reply: true, Proto: 6, Mark: 0xffffffff, Status: 6, Expires: 7, Labels: [2]uint64{1, 1 << 63}, Helper: "sip",
		Orig: [2]Endpoint{{four("10.0.0.1"), 1}, {four("10.0.0.2"), 2}}, Repl: [2]Endpoint{{four("10.0.0.3"), 3}, {four("10.0.0.4"), 4}}}
	require.Equal(t, "ctmark=4294967295 ctstatus=SEEN_REPLY+ASSURED ctdir=1 ctproto=6 ctorigsrc=10.0.0.1 ctorigdst=10.0.0.2 ctrepldst=167772164 "+
		"ctorigsport=1 ctorigdport=2 ctreplsport=3 ctrepldport=4 ctexpire=7 ctlabels=8000000000000000:1 cthelper=sip", presentText(t, s, &p))
	p.Family = 6
	p.Conn.Orig[0].Addr = four("2001:db8::1")
	require.Contains(t, presentText(t, s, &p), "ctorigsrc=2001:db8::1 ctreplsrc=::ffff:10.0.0.3 ctorigsport=1", "IPv4 fields cannot hold IPv6 addresses")
	narrow := rules.MustSchema(rules.Field{Name: "ctlabels", Bits: 100}, rules.Field{Name: "ctmark", Bits: 8}, rules.Field{Name: "cthelper", Bits: 128})
	require.Empty(t, presentText(t, narrow, &p), "values that do not fit, a name that is no name")
}
