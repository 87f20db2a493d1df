//go:build linux

package kernel

// Random rule sets of nftables' own: flat lists, and chains that call one
// another.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules/packet"
)

// nftProgram draws a rule set in the form of nftprogram.go.
func (g *generator) nftProgram() string {
	var b strings.Builder
	table := "inet"
	if g.oneIn(2) {
		table = map[int]string{4: "ip", 6: "ip6"}[g.family]
	}
	chains, flat := 1+g.IntN(8), 0
	if g.oneIn(4) {
		chains, flat = 1, 40
	}
	fmt.Fprintf(&b, "table %s\n", table)
	for i := range chains {
		n := g.IntN(10)
		if i == 0 {
			fmt.Fprintf(&b, "chain %s %s\nany => pass\n", entryChain, pick(g, "ACCEPT", "DROP"))
			n = 8 + g.IntN(8) + g.IntN(flat+1)
		} else {
			fmt.Fprintf(&b, "chain u%d\n", i)
		}
		for range n {
			action := pick(g, "pass", "pass", "accept", "drop", "return", "pass")
			if to := i + 1; to < chains && !g.oneIn(3) {
				action = pick(g, "jump", "jump", "goto") + fmt.Sprintf(" u%d", to+g.IntN(chains-to))
			}
			conds := g.nftConds()
			for conds == "any" && action != "pass" {
				conds = g.nftConds()
			}
			b.WriteString(conds + " => " + action + "\n")
		}
	}
	return b.String()
}

// is returns "=" or "!=".
func (g *generator) is() string {
	if g.oneIn(4) {
		return "!="
	}
	return "="
}

// list draws one to four values.
func (g *generator) list(draw func() string) string {
	values := []string{draw()}
	for !g.oneIn(2) && len(values) < 4 {
		values = append(values, draw())
	}
	return strings.Join(values, ",")
}

// span draws a value or a range out of a pool.
func (g *generator) span(pool ...int) string {
	a, b := pick(g, pool...), pick(g, pool...)
	if a >= b || g.oneIn(2) {
		return fmt.Sprint(a)
	}
	return fmt.Sprintf("%d-%d", a, b)
}

// nftConds draws the conditions of a rule.
func (g *generator) nftConds() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, side := range []string{"src", "dst"} {
		if !g.oneIn(3) {
			continue
		}
		if net := g.network(); strings.Contains(net, "/") && !isPrefix(net) {
			add("%s%s%s", side, g.is(), net) // value and mask
		} else {
			add("%s%s%s", side, g.is(), g.list(g.addrSpan))
		}
	}
	proto := ""
	switch {
	case g.oneIn(3):
	case g.oneIn(5):
		add("proto%s%s", g.is(), g.list(func() string { return g.span(1, 6, 17, 47, 58, 132, 255, 0) }))
	default:
		icmp := packet.ICMP
		if g.family == 6 {
			icmp = packet.ICMPv6
		}
		proto = fmt.Sprint(pick(g, packet.TCP, packet.TCP, packet.UDP, packet.UDP, icmp, packet.SCTP, 47))
		add("proto=%s", proto)
	}
	for _, side := range []string{"sport", "dport"} {
		if g.oneIn(3) && proto != "1" && proto != "58" {
			add("%s%s%s", side, g.is(), g.list(func() string { return g.span(ports...) }))
		}
	}
	switch {
	case proto == "6" && g.oneIn(3):
		mask := pick(g, 0x12, 0x17, 0x3f, 2, 0xff)
		add("tcpflags%s%#x/%#x", g.is(), g.IntN(256)&mask, mask)
	case (proto == "1" || proto == "58") && g.oneIn(2):
		add("icmptype%s%s", g.is(), g.list(func() string { return g.span(0, 1, 3, 8, 128, 255) }))
		if g.oneIn(3) {
			add("icmpcode%s%s", g.is(), g.span(0, 1, 2))
		}
	}
	switch g.IntN(14) {
	case 0:
		add("iif%s%s", g.is(), pick(g, device, device[:3]+"+", device+"x", "eth0"))
	case 1:
		add("iif=%s,eth0", pick(g, device, "eth1"))
	case 2:
		add("dscp%s%s", g.is(), g.list(func() string { return fmt.Sprint(pick(g, 0, 1, 46, 63)) }))
	case 3:
		add("ecn%s%d", g.is(), g.IntN(4))
	case 4:
		add("length%s%s", g.is(), g.list(func() string { return g.span(0, 60, 61, 100, 500, 800, 1400, 1500) }))
	case 5:
		add("ttl%s%s", g.is(), g.list(func() string { return g.span(0, 1, 63, 64, 128, 254, 255) }))
	case 6:
		add("mark%s%s", g.is(), pick(g, "0", "0/0x3", "0x1/0x3", "1"))
	case 7:
		add("pkttype%s%d", g.is(), g.IntN(3))
	case 8:
		if g.family == 4 {
			add("frag=%d", g.IntN(2))
		}
	}
	if parts == nil {
		return "any"
	}
	return strings.Join(parts, " ")
}

// isPrefix reports whether a network is written with a prefix length.
func isPrefix(net string) bool { return !strings.ContainsAny(net[strings.IndexByte(net, '/'):], ".:") }

// addrSpan draws an address, a prefix or a range.
func (g *generator) addrSpan() string {
	switch g.IntN(4) {
	case 0:
		return g.addr()
	case 1:
		a, b := g.near(g.addr()), g.near(g.addr())
		if b.Less(a) {
			a, b = b, a
		}
		return a.String() + "-" + b.String()
	}
	return fmt.Sprintf("%s/%d", g.addr(), g.IntN(map[int]int{4: 33, 6: 129}[g.family]))
}
