package packet

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBuiltPacketsAreTheBytes compares with packets written out by hand; their
// checksums were computed apart from this code.
func TestBuiltPacketsAreTheBytes(t *testing.T) {
	tests := []struct {
		name string
		p    Packet
		want string
	}{
		{"IPv4 UDP", Packet{Proto: UDP, SrcPort: 1, DstPort: 2, TTL: 64},
			"4500001c 00000000 4011aec9 0a000001 c0000207" + "00010002 000833d3"},
		{"IPv4 ICMP with a payload of 2 bytes", Packet{Proto: ICMP, ICMPType: 8, TTL: 1, Length: 30},
			"4500001e 00000000 0101edd7 0a000001 c0000207" + "0800f7ff 00000000 0000"},
		{"a later fragment", Packet{Proto: TCP, TTL: 64, FragOffset: 3, Length: 24},
			"45000018 00010003 4006aed4 0a000001 c0000207" + "00000000"},
		{"a fragment with more to come has a multiple of 8 bytes", Packet{Proto: 47, TTL: 64, MoreFragments: true, Length: 21},
			"4500001c 00012000 402f8eaa 0a000001 c0000207" + "00000000 00000000"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			addrs4(&tc.p)
			require.Equal(t, raw(t, joinHex(tc.want)), tc.p.AppendIP(nil), hex.EncodeToString(tc.p.AppendIP(nil)))
		})
	}
}

// joinHex removes the blanks that split bytes for the eye.
func joinHex(s string) string {
	out := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		if c != ' ' {
			out = append(out, c)
		}
	}
	return string(out)
}

// randomPacket draws fields from small pools.
func randomPacket(r *rand.Rand) Packet {
	pick := func(xs ...uint64) uint64 { return xs[r.IntN(len(xs))] }
	p := Packet{
		Proto: uint8(pick(ICMP, TCP, TCP, UDP, DCCP, ICMPv6, SCTP, UDPLite, 47, 50, 59, 255)),
		TOS:   uint8(pick(0, 0x2e<<2, 3, 255)), TTL: uint8(pick(0, 1, 64, 255)),
		SrcPort: uint16(pick(0, 53, 4242, 65535)), DstPort: uint16(pick(0, 80, 443, 65535)),
		TCPFlags: uint8(pick(0, 2, 18, 255)), ICMPType: uint8(pick(0, 3, 8, 128, 255)), ICMPCode: uint8(pick(0, 1, 255)),
		Length: uint32(pick(0, 40, 41, 60, 576, 1500, 1501)),
		SMAC:   uint64(pick(0, 0x0a0000000001, 1<<48-1)), DMAC: uint64(pick(0x0a0000000002, 0x01005e000001, 1<<48-1)),
	}
	if r.IntN(4) == 0 {
		p.FragOffset = uint16(pick(0, 1, 185, 8191))
		p.MoreFragments = r.IntN(2) == 0
	}
	if r.IntN(3) == 0 {
		p.Has, p.VLAN = HasVLAN, uint16(pick(0, 1, 4095))
	}
	if r.IntN(2) == 0 {
		p.SetAddrs(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(256))}), netip.AddrFrom4([4]byte{255, 255, byte(r.IntN(256)), 255}))
	} else {
		a := [16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.IntN(256))}
		b := [16]byte{0xff, 2, 14: 0xff, 15: byte(r.IntN(256))}
		p.SetAddrs(netip.AddrFrom16(a), netip.AddrFrom16(b))
	}
	return p
}

// TestDecodeIsReverseOfAppend builds packets, decodes them, and builds them
// again from what was decoded.
func TestDecodeIsReverseOfAppend(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := randomPacket(r)
		data := p.AppendEthernet(nil)
		var q Packet
		require.NoError(t, q.DecodeWire(data, len(data), LinkEthernet))
		require.Zero(t, q.Notes&^TinyFragment, "%+v", p)
		require.Equal(t, []any{p.Family, p.Proto, p.Src, p.Dst, p.TOS, p.TTL, p.FragOffset, p.MoreFragments, p.VLAN, p.SMAC, p.DMAC},
			[]any{q.Family, q.Proto, q.Src, q.Dst, q.TOS, q.TTL, q.FragOffset, q.MoreFragments, q.VLAN, q.SMAC, q.DMAC}, "%+v", p)
		require.GreaterOrEqual(t, q.Length, min(p.Length, 1500))
		if q.Has&HasPorts != 0 {
			require.Equal(t, []uint16{p.SrcPort, p.DstPort}, []uint16{q.SrcPort, q.DstPort})
		}
		if q.Has&HasTCPFlags != 0 {
			require.Equal(t, p.TCPFlags, q.TCPFlags)
		}
		if q.Has&HasICMP != 0 {
			require.Equal(t, []uint8{p.ICMPType, p.ICMPCode}, []uint8{q.ICMPType, q.ICMPCode})
		}
		whole := q.FragOffset == 0
		require.Equal(t, whole && (q.Proto == TCP || q.Proto == UDP || q.Proto == UDPLite || q.Proto == SCTP || q.Proto == DCCP), q.Has&HasPorts != 0)
		require.Equal(t, whole && q.Proto == TCP, q.Has&HasTCPFlags != 0)
		require.Equal(t, data, q.AppendEthernet(nil), "%+v", p)
	}
}

func TestAppendKeepsWhatWasThere(t *testing.T) {
	p := Packet{Proto: UDP}
	addrs6(&p)
	alone := p.AppendIP(nil)
	dirty := append([]byte("head"), make([]byte, 200)...)
	for i := range dirty[4:] {
		dirty[4+i] = 0xff
	}
	require.Equal(t, append([]byte("head"), alone...), p.AppendIP(dirty[:4]))
}

func TestAppendKeepsToWhatIPCanCarry(t *testing.T) {
	for _, more := range []bool{false, true} {
		for _, family := range []uint8{4, 6} {
			p := Packet{Family: family, Proto: UDP, Length: 1 << 30, MoreFragments: more}
			data := p.AppendIP(nil)
			var q Packet
			require.NoError(t, q.DecodeWire(data, len(data), LinkRaw))
			require.EqualValues(t, len(data), q.Length)
			require.GreaterOrEqual(t, len(data), 65520)
			if more {
				require.Zero(t, (q.End-q.TransportOffset)%8)
			}
		}
	}
}
