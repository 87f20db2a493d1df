//go:build linux

package kernel

// Random chain programs and packets. Values come from small pools, so that
// rules overlap, nest and miss by one, and packets hit their corners.

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/hipac-go/classifier/rules/packet"
)

type generator struct {
	*rand.Rand
	family int
}

var (
	ports     = []int{0, 1, 22, 53, 80, 443, 1023, 1024, 8080, 65534, 65535}
	addrs4    = []string{"10.0.0.1", "10.0.0.2", "10.0.1.255", "10.128.0.0", "192.0.2.9", "192.0.3.9", "224.0.0.5", "255.255.255.255", "0.0.0.0"}
	addrs6    = []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db9::1", "fe80::1", "2001:db8:8000::", "2002::1:2:3:4"}
	flagNames = []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"}
)

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

// not returns "! " now and then.
func (g *generator) not() string {
	if g.oneIn(4) {
		return "! "
	}
	return ""
}

func (g *generator) addr() string {
	if g.family == 6 {
		return pick(g, addrs6...)
	}
	return pick(g, addrs4...)
}

func (g *generator) network() string {
	a := g.addr()
	bits := 32
	if g.family == 6 {
		bits = 128
	}
	switch g.IntN(6) {
	case 0:
		return a
	case 1:
		if g.family == 6 {
			return a + "/" + pick(g, "ffff:ffff::ffff", "::f", "ffff:0:ffff::1", "::")
		}
		return a + "/" + pick(g, "255.0.255.0", "0.0.0.255", "255.255.254.0", "128.0.0.1", "0.0.0.0")
	}
	return fmt.Sprintf("%s/%d", a, g.IntN(bits+1))
}

func (g *generator) portRange() string {
	a, b := pick(g, ports...), pick(g, ports...)
	if a > b {
		a, b = b, a
	}
	return pick(g, fmt.Sprint(a), fmt.Sprintf("%d:%d", a, b), fmt.Sprintf("%d:", a), fmt.Sprintf(":%d", b), ":")
}

func (g *generator) portList() string {
	var list []string
	for range 1 + g.IntN(5) {
		a, b := pick(g, ports...), pick(g, ports...)
		if item := fmt.Sprint(a); a < b && g.oneIn(2) {
			list = append(list, fmt.Sprintf("%d:%d", a, b))
		} else {
			list = append(list, item)
		}
	}
	return strings.Join(list, ",")
}

func (g *generator) flags() string {
	var list []string
	for _, n := range flagNames {
		if g.oneIn(3) {
			list = append(list, n)
		}
	}
	if list == nil {
		return pick(g, "NONE", "ALL")
	}
	return strings.Join(list, ",")
}

// conditions returns the matches of a rule.
func (g *generator) conditions() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	lists := g.oneIn(8) // rules with lists of addresses cannot negate them
	for _, side := range []string{"-s", "-d"} {
		switch {
		case lists && g.oneIn(2):
			add("%s %s,%s", side, g.network(), g.network())
		case lists:
		case g.oneIn(3):
			add("%s%s %s", g.not(), side, g.network())
		}
	}
	if g.oneIn(6) {
		add("%s-i %s", g.not(), pick(g, device, device[:3]+"+", device+"+", device+"x", "eth0", "+"))
	}
	if g.family == 4 && g.oneIn(8) {
		add("%s-f", g.not())
	}
	proto := ""
	if !g.oneIn(3) {
		proto = pick(g, "tcp", "tcp", "udp", "udp", "icmp", "sctp", "gre")
		if proto == "icmp" && g.family == 6 {
			proto = "icmpv6"
		}
		if g.oneIn(8) {
			add("! -p %s", proto)
			proto = ""
		} else {
			add("-p %s", proto)
		}
	}
	for _, m := range g.Perm(10)[:g.IntN(4)] {
		switch m {
		case 0, 1:
			switch proto {
			case "tcp", "udp", "sctp":
				add("-m %s", proto)
				for _, o := range []string{"--sport", "--dport"} {
					if g.oneIn(2) {
						add("%s%s %s", g.not(), o, g.portRange())
					}
				}
				if proto == "tcp" && g.oneIn(3) {
					add("%s--tcp-flags %s %s", g.not(), g.flags(), g.flags())
				}
			case "icmp":
				add("-m icmp %s--icmp-type %s", g.not(), pick(g, "any", "8", "0", "3", "3/1", "3/0", "8/0", "255"))
			case "icmpv6":
				add("-m icmp6 %s--icmpv6-type %s", g.not(), pick(g, "128", "1", "1/1", "1/0", "255"))
			}
		case 2, 3:
			if proto == "tcp" || proto == "udp" || proto == "sctp" {
				add("-m multiport %s%s %s", g.not(), pick(g, "--sports", "--dports", "--ports", "--ports"), g.portList())
			}
		case 4:
			a, b := g.addr(), g.addr()
			if netip.MustParseAddr(b).Less(netip.MustParseAddr(a)) {
				a, b = b, a
			}
			add("-m iprange %s%s %s-%s", g.not(), pick(g, "--src-range", "--dst-range"), a, b)
		case 5:
			lo := g.IntN(1500)
			add("-m length %s--length %d:%d", g.not(), lo, lo+g.IntN(500))
		case 6:
			name := map[int]string{4: "ttl", 6: "hl"}[g.family]
			v := pick(g, 0, 1, 63, 64, 128, 254, 255)
			add("-m %s %s", name, pick(g, fmt.Sprintf("--%s-lt %d", name, v), fmt.Sprintf("--%s-gt %d", name, v), fmt.Sprintf("%s--%s-eq %d", g.not(), name, v)))
		case 7:
			add("-m dscp %s--dscp %d", g.not(), pick(g, 0, 1, 46, 63))
		case 8:
			add("-m tos %s--tos %d/%d", g.not(), g.IntN(256), pick(g, 0, 3, 0xfc, 0x3f, 0x12, 0xff))
		case 9:
			add("%s", pick(g,
				"-m ecn "+g.not()+"--ecn-ip-ect "+fmt.Sprint(g.IntN(4)),
				"-m mark "+g.not()+"--mark "+pick(g, "0", "0/3", "1/3", "1/0"),
				"-m pkttype "+g.not()+"--pkt-type "+pick(g, "unicast", "broadcast", "multicast"),
				`-m comment --comment "some words"`))
		}
	}
	return strings.Join(parts, " ")
}

// program returns a raw table: PREROUTING and user chains that call later ones.
func (g *generator) program() string {
	var b strings.Builder
	chains := 1 + g.IntN(10)
	fmt.Fprintf(&b, "*raw\n:PREROUTING %s [0:0]\n:OUTPUT ACCEPT [0:0]\n", pick(g, "ACCEPT", "DROP"))
	for i := 1; i < chains; i++ {
		fmt.Fprintf(&b, ":u%d - [0:0]\n", i)
	}
	for i := range chains {
		name, n := fmt.Sprintf("u%d", i), g.IntN(10)
		if i == 0 {
			name, n = "PREROUTING", 8+g.IntN(8)
		}
		for range n {
			target := pick(g, "", "", "-j ACCEPT", "-j DROP", "-j RETURN", "-j NFLOG --nflog-group 5")
			if to := i + 1; to < chains && !g.oneIn(3) {
				target = pick(g, "-j", "-j", "-g") + fmt.Sprintf(" u%d", to+g.IntN(chains-to))
			}
			conditions := g.conditions()
			for conditions == "" && target != "" { // would end the chain too soon
				conditions = g.conditions()
			}
			b.WriteString(strings.Join(strings.Fields("-A "+name+" "+conditions+" "+target), " ") + "\n")
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// packet fills p with a packet that reaches raw PREROUTING and that the kernel
// does not drop there outright.
func (g *generator) packet(p *packet.Packet) {
	*p = packet.Packet{Meta: p.Meta, TOS: uint8(g.IntN(256)), Length: uint32(60 + g.IntN(1400)), TCPFlags: uint8(g.IntN(256))}
	if g.oneIn(2) {
		p.TOS = pick(g, uint8(0), 4, 46<<2, 63<<2, 3, 0x12)
	}
	p.TTL = pick(g, uint8(0), 1, 2, 62, 63, 64, 65, 128, 254, 255)
	src, dst := g.near(g.addr()), g.near(g.addr())
	for g.family == 6 && (src.IsMulticast() || src.IsLoopback() || dst.IsLoopback() || dst.IsMulticast()) {
		src, dst = g.near(g.addr()), g.near(g.addr())
	}
	p.SetAddrs(src, dst)
	p.Proto = pick(g, uint8(packet.TCP), packet.TCP, packet.UDP, packet.UDP, packet.ICMP, packet.SCTP, 47)
	if p.Proto == packet.ICMP && g.family == 6 {
		p.Proto = packet.ICMPv6
	}
	p.SrcPort, p.DstPort = uint16(pick(g, ports...)+g.IntN(3)-1), uint16(pick(g, ports...)+g.IntN(3)-1)
	p.ICMPType, p.ICMPCode = pick(g, uint8(0), 1, 3, 8, 128, 255), uint8(g.IntN(3))
	switch g.IntN(8) {
	case 0: // a later fragment; offset 1 is dropped by TCP matches
		p.FragOffset = uint16(2 + g.IntN(20))
		p.MoreFragments = g.oneIn(2)
	case 1:
		p.MoreFragments = true
	}
}

// near returns an address, or one that differs from it in one bit.
func (g *generator) near(s string) netip.Addr {
	a := netip.MustParseAddr(s)
	if !g.oneIn(3) {
		return a
	}
	b := a.AsSlice()
	b[g.IntN(len(b))] ^= 1 << g.IntN(8)
	a, _ = netip.AddrFromSlice(b)
	return a
}
