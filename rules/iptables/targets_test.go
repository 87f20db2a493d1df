package iptables_test

// What targets do to packets, and what rules behind them see of it.

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/xt"
)

// packetWith parses "DESCRIPTION | NAME=VALUE ..." where the latter are parts
// of Env that descriptions have no words for.
func packetWith(t *testing.T, text string) *packet.Packet {
	t.Helper()
	text, more, _ := strings.Cut(text, " | ")
	d, err := describe.Parse(text)
	require.NoError(t, err, text)
	p := &d.Packet
	for _, w := range strings.Fields(more) {
		if p.Env == nil {
			p.Env = &packet.Env{}
		}
		name, value, _ := strings.Cut(w, "=")
		addr := func() (w [4]uint32) {
			b := netip.MustParseAddr(value).As16()
			for i := range w {
				w[i] = binary.BigEndian.Uint32(b[4*i:])
			}
			return w
		}
		switch name {
		case "mtu":
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			p.Env.PathMTU, p.Env.Has = uint32(n), p.Env.Has|packet.HasPathMTU
		case "inaddr":
			p.Env.InAddr, p.Env.Has = addr(), p.Env.Has|packet.HasInAddr
		case "outaddr":
			p.Env.OutAddr, p.Env.Has = addr(), p.Env.Has|packet.HasOutAddr
		case "transparent":
			p.Env.Transparent, p.Env.Has = value == "1", p.Env.Has|packet.HasTransparent
		default:
			require.Fail(t, "no such word", w)
		}
	}
	return p
}

// place writes a rule's place: "PREROUTING/2", "c/policy".
func place(table *rules.Table, at rules.Place) string {
	c := &table.Chains[at.Chain]
	if at.Rule < 0 {
		return c.Name + "/policy"
	}
	return fmt.Sprintf("%s/%d", c.Name, c.Rules.At(at.Rule).Value.Number)
}

func TestTargetsDoToPacketsWhatTheKernelsDo(t *testing.T) {
	const file = "testdata/targets.txt"
	in, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimRight(string(in), "\n"), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(runBlock(t, block))
	}
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
		return
	}
	require.Equal(t, string(in), out.String())
}

// runBlock reads a block of rules and packets and returns it with what becomes
// of each packet.
func runBlock(t *testing.T, block string) string {
	t.Helper()
	var out, text strings.Builder
	var packets []string
	entry := ""
	for _, line := range strings.Split(block, "\n") {
		switch {
		case strings.HasPrefix(line, "  "):
		case strings.HasPrefix(line, "> "):
			packets = append(packets, line[2:])
		case strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		default:
			if entry == "" && strings.HasPrefix(line, "-A ") {
				entry = strings.Fields(line)[1]
			}
			text.WriteString(line + "\n")
			out.WriteString(line + "\n")
		}
	}
	if len(packets) == 0 {
		return out.String()
	}
	o := iptables.Options{Family: 4}
	if strings.Contains(packets[0], "::") {
		o.Family = 6
	}
	rs, err := iptables.Read(strings.NewReader(text.String()+"COMMIT\n"), o)
	require.NoError(t, err, block)
	table := rs.Tables[0]
	tr := xt.NewTraversal(table.Schema)
	n := uint32(0)
	tr.State = &xt.State{Random: func() uint32 { n += 0x9e3779b9; return n }}
	for _, d := range packets {
		fmt.Fprintf(&out, "> %s\n", d)
		p := packetWith(t, d)
		env := p.Env
		var before packet.Env
		if env != nil {
			before = *env
		}
		tr.Packet = *p
		tr.Reset()
		result := table.Run(tr, table.Find(entry), nil)
		for i := range tr.Effects {
			e := &tr.Effects[i]
			require.Equal(t, table.Name, e.Table)
			fmt.Fprintf(&out, "  %s %s\n", place(table, e.Rule), e)
		}
		fmt.Fprintf(&out, "  = %v by %s", result.Verdict, place(table, result.By))
		if result.Needs != "" {
			fmt.Fprintf(&out, ", needs %s", result.Needs)
		}
		out.WriteString("\n")
		requireBytesOfPacket(t, &tr.Packet, d)
		if env != nil {
			require.Equal(t, before, *env, "the caller's Env stays as it is")
		}
	}
	return out.String()
}

// requireBytesOfPacket asks that the bytes of a packet say what its fields do,
// and have right checksums.
func requireBytesOfPacket(t *testing.T, p *packet.Packet, text string) {
	t.Helper()
	b := p.Bytes(0, p.Captured(), make([]byte, p.Captured()))
	q := requireFieldsOfBytes(t, p, b, text)

	add := func(sum uint32, b []byte) uint32 {
		for ; len(b) > 1; b = b[2:] {
			sum += uint32(b[0])<<8 | uint32(b[1])
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
		for sum>>16 != 0 {
			sum = sum&0xffff + sum>>16
		}
		return sum
	}
	pseudo := uint32(0)
	if p.Family == 4 {
		require.EqualValues(t, 0xffff, add(0, b[:20]), "header checksum: %s", text)
		pseudo = add(0, b[12:20])
	} else {
		pseudo = add(0, b[8:40])
	}
	if p.FragOffset != 0 || p.MoreFragments || p.Proto != packet.TCP && p.Proto != packet.UDP {
		return
	}
	body := b[q.TransportOffset:]
	require.EqualValues(t, 0xffff, add(pseudo+uint32(p.Proto)+uint32(len(body)), body), "transport checksum: %s", text)
}

// requireFieldsOfBytes asks that the bytes of a packet say what its fields do,
// and returns what is decoded from them.
func requireFieldsOfBytes(t *testing.T, p *packet.Packet, b []byte, text string) *packet.Packet {
	t.Helper()
	require.NotEmpty(t, b)
	q := &packet.Packet{}
	require.NoError(t, q.Decode(b, packet.LinkRaw), text)
	type fields struct {
		Src, Dst         [4]uint32
		Sport, Dport     uint16
		TOS, TTL, Flags  uint8
		Length           uint32
		Has              packet.Fields
		Captured, Offset int
	}
	of := func(p *packet.Packet) fields {
		return fields{p.Src, p.Dst, p.SrcPort, p.DstPort, p.TOS, p.TTL, p.TCPFlags, p.Length, p.Has &^ (packet.HasPktType | packet.HasSMAC | packet.HasDMAC | packet.HasVLAN), p.Captured(), p.TransportOffset - p.NetOffset}
	}
	require.Equal(t, of(q), of(p), text)
	return q
}

func TestTargetsTakeAnyPacket(t *testing.T) {
	text := map[int]string{4: `*raw
-A PREROUTING -j CT --zone 3
COMMIT
*mangle
-A PREROUTING -p tcp -j TCPOPTSTRIP --strip-options 3,4,8
-A PREROUTING -p tcp --syn -j TCPMSS --set-mss 700
-A PREROUTING -p tcp -j ECN --ecn-tcp-ece 1
-A PREROUTING -j ECN --ecn-ip-ect 2
-A PREROUTING -j TTL --ttl-dec 3
-A PREROUTING -j TOS --xor-tos 0x5c
-A PREROUTING -j HMARK --hmark-tuple src,dst,sport,dport,proto --hmark-mod 10 --hmark-rnd 1
-A PREROUTING -j CONNMARK --save-mark
-A PREROUTING -p udp -j TPROXY --on-port 5
COMMIT
*nat
-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:100-200
-A PREROUTING -p udp -j REDIRECT --to-ports 9
-A PREROUTING -j NETMAP --to 10.0.0.0/8
COMMIT
*filter
-A INPUT -p tcp -j SYNPROXY
-A INPUT -j NFQUEUE --queue-balance 1:9
COMMIT
`, 6: `*mangle
-A PREROUTING -p tcp -j TCPOPTSTRIP --strip-options 3,4,8
-A PREROUTING -p tcp --syn -j TCPMSS --set-mss 700
-A PREROUTING -j HL --hl-inc 3
-A PREROUTING -j DSCP --set-dscp 5
-A PREROUTING -j HMARK --hmark-tuple src,dst,spi,proto --hmark-mod 10 --hmark-rnd 1
-A PREROUTING -j DNPT --src-pfx 2001:db8::/48 --dst-pfx fd00::/48
COMMIT
*nat
-A PREROUTING -p udp -j DNAT --to-destination [fd00::1-fd00:1::]:100-200
-A PREROUTING -j NETMAP --to fd00::/16
COMMIT
`}
	rng := rand.New(rand.NewPCG(5, 6))
	for family, text := range text {
		rs, err := iptables.Read(strings.NewReader(text), iptables.Options{Family: family})
		require.NoError(t, err)
		path, err := rs.Path("PREROUTING", "INPUT")
		require.NoError(t, err)
		tr := xt.NewTraversal(rs.Tables[0].Schema)
		tr.State = &xt.State{Random: rng.Uint32}
		changed := 0
		for range 20000 {
			h := packet.Packet{Family: uint8(family), Src: [4]uint32{2: 0xffff, 3: rng.Uint32()}, Dst: [4]uint32{2: 0xffff, 3: rng.Uint32()}, Proto: []uint8{1, 6, 6, 17, 50, 51, 58, 132}[rng.IntN(8)],
				SrcPort: uint16(rng.Uint32()), DstPort: 80, TCPFlags: 2, TTL: 64, Length: uint32(20 + rng.IntN(100))}
			if rng.IntN(8) == 0 {
				h.FragOffset = uint16(rng.IntN(3))
				h.MoreFragments = true
			}
			b := h.AppendIPWith(nil, &packet.Extras{Options: [][]byte{nil, {2, 4, 5, 5, 4, 2, 8, 0}}[rng.IntN(2)]})
			for range rng.IntN(4) {
				b[rng.IntN(len(b))] = byte(rng.Uint32())
			}
			if rng.IntN(4) == 0 {
				b = b[:rng.IntN(len(b))]
			}
			given := string(b)
			segs := packet.Segments{b}
			if n := len(b); n > 1 && rng.IntN(2) == 0 {
				cut := rng.IntN(n)
				segs = packet.Segments{b[:cut], b[cut:]}
			}
			tr.Packet = packet.Packet{}
			if tr.Packet.DecodeSegments(segs, packet.LinkRaw) != nil || int(tr.Packet.Family) != family {
				continue
			}
			tr.Packet.SetCTState(8)
			tr.Packet.Conn = &packet.Conn{}
			tr.Packet.Env = &packet.Env{Has: packet.HasInAddr | packet.HasTransparent, InAddr: [4]uint32{2: 0xffff, 3: 7}, Transparent: true}
			tr.Reset()
			path.Run(tr, nil)
			require.Equal(t, given, string(b), "the caller's bytes stay as they are")
			out := tr.Packet.Bytes(0, tr.Packet.Captured(), make([]byte, tr.Packet.Captured()))
			requireFieldsOfBytes(t, &tr.Packet, out, given)
			changed += len(tr.Effects)
		}
		require.Greater(t, changed, 20000)
	}
}
