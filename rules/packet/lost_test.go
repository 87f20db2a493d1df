package packet

import (
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

func TestFieldsBehindACaptureAreLostAndNotAbsent(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "dport", Bits: 16}, rules.Field{Name: "tcpflags", Bits: 8}, rules.Field{Name: "mss", Bits: 16}, rules.Field{Name: "icmptype", Bits: 8}, rules.Field{Name: "proto", Bits: 8}, rules.Field{Name: "dccptype", Bits: 4})
	const dport, flags, mss, icmp, proto, dccp = 1, 2, 4, 8, 16, 32
	b := NewBinder(s)
	tcp := append([]byte{0x45, 0, 0, 44, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2},
		0, 80, 1, 187, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 255, 255, 0, 0, 0, 0, 2, 4, 5, 180)
	chain := append(append([]byte{0x60, 0, 0, 0, 0, 32, 0, 64}, make([]byte, 32)...), append([]byte{6, 0, 5, 2, 0, 0, 1, 0}, tcp[20:]...)...)
	later := append([]byte{}, tcp...)
	later[7] = 9
	for _, c := range []struct {
		data  []byte
		n     int
		want  uint32
		maybe Broken
		ports bool
	}{
		{tcp, 44, 0, 0, false},
		{tcp, 43, mss, 0, false},
		{tcp, 34, mss, 0, false},
		{tcp, 33, flags | mss, 0, false},
		{tcp, 32, flags | mss, BrokenMSS | BrokenTCPOptions, false},
		{tcp, 23, dport | flags | mss, BrokenMSS | BrokenTCPOptions, true},
		{tcp, 20, dport | flags | mss, BrokenMSS | BrokenTCPOptions, true},
		{later, 20, mss, BrokenMSS, false}, // what stands in the header's place
		{chain, 72, 0, 0, false},
		{chain, 71, mss, 0, false},
		{chain, 48, dport | flags | mss, BrokenMSS | BrokenTCPOptions, true},
		{chain, 41, dport | flags | mss | icmp | proto | dccp, BrokenProto | BrokenTCP | BrokenTCPOptions | BrokenUDP | BrokenICMP | BrokenPorts |
			BrokenSCTP | BrokenDCCP | BrokenDCCPOptions | BrokenESP | BrokenIPComp | BrokenMH | BrokenMSS | BrokenHopByHop | BrokenDestOptions |
			BrokenRouting | BrokenFrag | BrokenAH, true},
	} {
		var p Packet
		require.NoError(t, p.DecodeWire(c.data[:c.n], len(c.data), LinkRaw))
		require.Equal(t, c.want, b.Lost(&p), "%d bytes of %x", c.n, c.data)
		require.Equal(t, c.maybe, p.MaybeBroken(), "%d bytes of %x", c.n, c.data)
		require.Equal(t, c.ports, p.PortsLost(), "%d bytes of %x", c.n, c.data)
	}
	var p Packet
	require.NoError(t, p.DecodeWire(tcp[:44], 44, LinkRaw))
	p = Packet{Family: 4}
	require.Zero(t, b.Lost(&p), "a packet without bytes")
}

// Of every beginning of a packet: what a key has is what the whole packet's key has,
// and of the rest it is known that it is lost.
func TestFieldsOfBeginningsArePresentOrLostAndNeverBoth(t *testing.T) {
	names := []string{"proto", "frag", "sport", "dport", "tcpflags", "icmptype", "icmpcode", "flags", "tcpopts0", "tcpopts1", "mss", "ecnflags",
		"ahspi", "ahlen", "ahres", "espspi", "cpi", "dccptype", "dccpopts0", "fragid", "rttype", "rtsegs", "hbhlen", "dstlen", "mhtype"}
	var fields []rules.Field
	for _, name := range names {
		fields = append(fields, rules.Field{Name: name, Bits: map[string]int{"mss": 16, "ahspi": 32, "espspi": 32, "fragid": 32, "cpi": 16, "sport": 16, "dport": 16, "tcpopts0": 128, "tcpopts1": 128, "dccpopts0": 128, "ahres": 16}[name]})
		if f := &fields[len(fields)-1]; f.Bits == 0 {
			f.Bits = 8
		}
	}
	s := rules.MustSchema(fields...)
	b := NewBinder(s)
	key := func(data []byte, n int) (present, lost uint32) {
		var p Packet
		require.NoError(t, p.DecodeWire(data[:n], len(data), LinkRaw))
		k := s.NewKey()
		b.Key(&p, k)
		return ^k[0] & (1<<len(fields) - 1), b.Lost(&p)
	}
	ip4 := func(proto byte, offset byte, rest ...byte) []byte {
		return append([]byte{0x45, 0, 0, byte(20 + len(rest)), 0, 1, 0, offset, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}, rest...)
	}
	ip6 := func(next byte, rest ...byte) []byte {
		return append(append([]byte{0x60, 0, 0, 0, 0, byte(len(rest)), next, 64}, make([]byte, 32)...), rest...)
	}
	tcp := []byte{0, 80, 1, 187, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 255, 255, 0, 0, 0, 0, 2, 4, 5, 180}
	udp := append([]byte{0, 53, 0, 53, 0, 24, 0, 0}, make([]byte, 16)...)
	ah := []byte{60, 4, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	options := []byte{6, 0, 1, 4, 0, 0, 0, 0}
	for name, data := range map[string][]byte{
		"TCP": ip4(TCP, 0, tcp...), "UDP": ip4(UDP, 0, udp...), "ICMP": ip4(ICMP, 0, 8, 0, 0, 0, 0, 1, 0, 1),
		"TCP later": ip4(TCP, 2, tcp...), "UDP later": ip4(UDP, 2, udp...), "SCTP later": ip4(SCTP, 3, tcp...),
		"AH":               ip4(AuthHeader, 0, append([]byte{6}, append(ah[1:], tcp...)...)...),
		"AH, options, TCP": ip6(AuthHeader, append(append(append([]byte{}, ah...), options...), tcp...)...),
		"ICMPv6":           ip6(ICMPv6, 128, 0, 0, 0, 0, 1, 0, 1),
		"fragment header":  ip6(Fragment, append([]byte{TCP, 0, 0, 1, 0, 0, 0, 9}, tcp...)...),
		"later, IPv6":      ip6(Fragment, append([]byte{UDP, 0, 0, 17, 0, 0, 0, 9}, udp...)...),
		"ESP":              ip4(50, 0, 0, 0, 1, 0, 0, 0, 0, 1),
	} {
		whole, none := key(data, len(data))
		require.Zero(t, none, name)
		for n := len(data) - 1; n >= 20 && (n >= 40 || data[0] == 0x45); n-- {
			present, lost := key(data, n)
			present &^= lost & (1<<1 | 1<<23) // frag is 0 where nobody knows, and options are looked at beyond their length
			require.Zero(t, present&lost, "%s, %d bytes", name, n)
			require.Zero(t, present&^whole, "%s, %d bytes", name, n)
			require.Zero(t, whole&^(present|lost), "%s, %d bytes", name, n)
			if data[0] == 0x45 && data[9] != AuthHeader && data[7] != 0 { // the protocol is known, and has no other fields
				require.Zero(t, lost&^whole, "%s, %d bytes", name, n)
			}
		}
	}
}

// Offsets are exported, and may have been changed.
func TestPacketsQuotedBehindTheBytesAreCut(t *testing.T) {
	inner := []byte{0x45, 0, 0, 20, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
	data := append([]byte{0x45, 0, 0, 48, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 3, 1, 0, 0, 0, 0, 0, 0}, inner...)
	for _, segments := range []Segments{{data}, {data[:30], data[30:]}} {
		var p, q Packet
		require.NoError(t, p.DecodeSegments(segments, LinkRaw))
		require.NoError(t, p.DecodeQuoted(&q))
		for _, more := range []int{21, 100} {
			p.TransportOffset, p.End = 20+more, 1000
			require.ErrorIs(t, p.DecodeQuoted(&q), errInnerCut)
		}
	}
}
