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
