package packet

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// FuzzDecode feeds any bytes to the decoder: it never panics, and what it
// returns keeps to what Packet and Key promise.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{frame4, frame6, late4,
		"0a0000000002 0a0000000001 86dd " + ip6("004c", "00") + "2b00 0000*3  3c01 0000*7  3300 0000*3  0604 0000*11 " + tcp20} {
		data := raw(f, text)
		f.Add(data, uint16(LinkEthernet), uint16(0))
		f.Add(data[14:], uint16(LinkRaw), uint16(len(data)))
	}
	f.Add(raw(f, "0001 0001 0006 0a0000000001 0000 0800 "+ip4("0028", "0000", "06")+tcp20), uint16(LinkSLL), uint16(0))
	f.Add(raw(f, "86dd 0000 00000003 0001 03 06 0a0000000001 0000 "+ip6("001c", "2c")+"0600 0001 00000001 "+tcp20), uint16(LinkSLL2), uint16(0))
	f.Add(raw(f, "02000000 "+ip4("0028", "0000", "06")+tcp20), uint16(LinkNull), uint16(0))
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		p := randomPacket(r)
		f.Add(p.AppendEthernet(nil), uint16(LinkEthernet), uint16(0))
	}
	schemas := []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall,
		rules.MustSchema(rules.Field{Name: "length", Bits: 3}, rules.Field{Name: "flags", Bits: 16}, rules.Field{Name: "smac", Bits: 40},
			rules.Field{Name: "dmac", Bits: 100}, rules.Field{Name: "tos", Bits: 5}, rules.Field{Name: "family", Bits: 3})}
	f.Fuzz(func(t *testing.T, data []byte, link, wire uint16) {
		checkDecode(t, data, LinkType(link), len(data)+int(wire), schemas)
	})
}

func checkDecode(t *testing.T, data []byte, link LinkType, wire int, schemas []*rules.Schema) {
	var p Packet
	if err := p.DecodeWire(data, wire, link); err != nil {
		var typed *Error
		require.ErrorAs(t, err, &typed)
		return
	}
	require.Contains(t, []uint8{4, 6}, p.Family)
	require.True(t, p.NetOffset >= 0 && p.NetOffset+20 <= p.End && p.End <= len(data), "NetOffset %d, End %d, data %d", p.NetOffset, p.End, len(data))
	require.True(t, p.TransportOffset == 0 || p.TransportOffset > p.NetOffset)
	require.True(t, p.VLAN < 1<<12 && p.FragOffset < 1<<13 && p.SMAC < 1<<48 && p.DMAC < 1<<48)
	absent := func(has Fields, zero bool) {
		require.True(t, p.Has&has != 0 || zero, "an absent field is not 0: %+v", p)
	}
	absent(HasProto, p.Proto == 0 && p.Has&(HasPorts|HasTCPFlags|HasICMP) == 0)
	absent(HasPorts, p.SrcPort == 0 && p.DstPort == 0)
	absent(HasTCPFlags, p.TCPFlags == 0)
	absent(HasICMP, p.ICMPType == 0 && p.ICMPCode == 0)
	absent(HasLength, p.Length == 0)
	if p.FragOffset != 0 {
		require.Zero(t, p.Has&(HasPorts|HasTCPFlags|HasICMP))
	}
	everything(t, &p)
	sameInSegments(t, rand.New(rand.NewPCG(uint64(len(data)), uint64(wire))), data, link, wire)
	for _, s := range schemas {
		k := s.NewKey()
		for i := range k {
			k[i] = 0xffffffff
		}
		if NewBinder(s).Key(&p, k) {
			require.NoError(t, s.CheckKey(k))
		}
	}
	if p.Has&HasProto != 0 {
		require.NoError(t, new(Packet).DecodeIP(p.AppendIP(nil)))
	}
}

// TestDecodeOfDamagedPackets changes bytes of good packets at random, which
// gets past the first checks far more often than random bytes do.
func TestDecodeOfDamagedPackets(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	links := []LinkType{LinkNull, LinkEthernet, LinkRaw, LinkSLL, LinkIPv4, LinkIPv6, LinkSLL2}
	schemas := []*rules.Schema{rules.IPTuple, rules.Firewall}
	for range 10_000 {
		p := randomPacket(r)
		data := p.AppendEthernet(nil)
		link := LinkEthernet
		if r.IntN(3) == 0 {
			data, link = data[14:], links[r.IntN(len(links))]
		}
		for range r.IntN(4) {
			data[r.IntN(min(len(data), 80))] = byte([]int{0, 1, 4, 6, 43, 44, 51, 60, 255}[r.IntN(9)])
		}
		data = data[:r.IntN(len(data)+1)]
		checkDecode(t, data[:len(data):len(data)], link, len(data)+r.IntN(2)*2000, schemas)
	}
}
