package iptables_test

// What targets do to packets, and what rules behind them see of it.

import (
	"encoding/binary"
	"flag"
	"fmt"
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
	require.NotEmpty(t, b)
	var q packet.Packet
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
	require.Equal(t, of(&q), of(p), text)
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
