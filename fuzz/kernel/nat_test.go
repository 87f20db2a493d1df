//go:build linux

package kernel

// Cases of targets that translate addresses, and of those that steer
// connection tracking. Every packet begins a connection of its own; what is
// sent on is compared byte by byte.

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// beginnings are packets that begin connections.
func beginnings(family int) (list []shot) {
	src, dst := []string{"10.1.0.1", "10.1.0.2", "10.1.7.3", "10.1.200.200"}, []string{"192.0.2.9", "198.51.100.7", "203.0.113.255"}
	echo, pICMP := icmp(8, 0), uint8(1)
	if family == 6 {
		src, dst = []string{"2001:db8:a::1", "2001:db8:a::2", "2001:db8:a:7::3", "2001:db8:a:ffff:1:2:3:4"}, []string{"2001:db8:9::9", "2001:db8:8::7", "2001:db8:8:9::ff"}
		echo, pICMP = icmp(128, 0), 58
	}
	n := 0
	for i, a := range src {
		for j, b := range dst {
			add := func(proto uint8, l4 []byte) {
				s := shot{name: "beginning", raw: head{src: a, dst: b, proto: proto, id: 0x1234}.ip(family, l4)}
				fixChecksum(family, s.raw)
				list = append(list, s)
			}
			for k, port := range []int{53, 80, 1000, 1500, 2000, 40000} {
				add(17, udp(1024+n, port, 4+j))
				add(6, tcp(1024+n, port, syn, 2, 4, 5, 0xb4))
				n += 1 + 7*k
			}
			add(17, udp(80+i+4*j, 81, 0))
			add(17, udp(600+i+4*j, 601, 0))
			echo[5] = byte(i + 4*j) // the id
			add(pICMP, slices.Clone(echo))
		}
	}
	return list
}

// natMeta is the meta of packets that are tracked, with the addresses of the
// devices.
func natMeta(w *world) func(*xt.Traversal, *shot) {
	track := tracked(w)
	return func(t *xt.Traversal, s *shot) {
		track(t, s)
		in, out := "10.9.0.1", "10.9.1.1"
		if w.family == 6 {
			in, out = "2001:db8:900::1", "2001:db8:901::1"
		}
		var a packet.Packet
		a.SetAddrs(netip.MustParseAddr(in), netip.MustParseAddr(out))
		t.Packet.Env = &packet.Env{Has: packet.HasInAddr | packet.HasOutAddr, InAddr: a.Src, OutAddr: a.Dst}
	}
}

var (
	natIn  = []hookSpec{{"nat", "PREROUTING"}, {"mangle", "FORWARD"}}
	natOut = []hookSpec{{"mangle", "FORWARD"}, {"nat", "POSTROUTING"}}
)

const (
	seesNAT4 = "*mangle\n-A FORWARD -d 198.51.100.0/28\n-A FORWARD -d 10.77.0.0/16\n-A FORWARD -p tcp -m tcp --dport 1025:2000\n-A FORWARD -m conntrack --ctstate DNAT\n-A FORWARD -m conntrack ! --ctstate DNAT\n-A FORWARD -m conntrack --ctorigdst 192.0.2.9\n-A FORWARD -m conntrack --ctreplsrc 192.0.2.9\nCOMMIT\n"
	seesNAT6 = "*mangle\n-A FORWARD -d 2001:db8:77::/48\n-A FORWARD -p tcp -m tcp --dport 1025:2000\n-A FORWARD -m conntrack --ctstate DNAT\n-A FORWARD -m conntrack --ctorigdst 2001:db8:9::9\n-A FORWARD -m conntrack --ctreplsrc 2001:db8:9::9\nCOMMIT\n"
)

// transparent opens sockets that TPROXY may hand packets to.
func transparent(t *testing.T, w *world) {
	network, a := "0.0.0.0:5000", "udp4"
	if w.family == 6 {
		network, a = "[::]:5000", "udp6"
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_TRANSPARENT, 1)
			syscall.SetsockoptInt(int(fd), syscall.SOL_IPV6, 75, 1)
		})
	}}
	c, err := config.ListenPacket(t.Context(), a, network)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	l, err := config.Listen(t.Context(), strings.Replace(a, "udp", "tcp", 1), network)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
}

var _ = register(
	extension{kind: "target", name: "DNAT", family: 4, table: "nat", hooks: natIn, also: seesNAT4, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{
		"-j DNAT --to-destination 198.51.100.5", "-p tcp -j DNAT --to-destination 198.51.100.5:8080", "-j DNAT --to-destination 10.77.0.1-10.77.0.200", "-p udp -j DNAT --to-destination 10.77.0.1-10.77.3.9:1000-2000", "-p tcp -j DNAT --to-destination :1234", "-p tcp -m tcp --dport 1000:2000 -j DNAT --to-destination 198.51.100.5:3000-4000/1000", "-j DNAT --to-destination 10.77.0.1-10.77.0.200 --persistent", "-p udp -j DNAT --to-destination 198.51.100.6:1500-1600",
	}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "DNAT", family: 6, table: "nat", hooks: natIn, also: seesNAT6, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{
		"-j DNAT --to-destination 2001:db8:77::5", "-p tcp -j DNAT --to-destination [2001:db8:77::5]:8080", "-j DNAT --to-destination 2001:db8:77::1-2001:db8:77::ffff", "-j DNAT --to-destination 2001:db8:77::1-2001:db8:77:3:8::9", "-j DNAT --to-destination 2001:db8:77::1-2001:db8:77::ffff --persistent",
	}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "SNAT", family: 4, table: "nat", chain: "POSTROUTING", hooks: natOut, also: seesNAT4, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{
		"-j SNAT --to-source 198.51.100.5", "-p tcp -j SNAT --to-source 198.51.100.5:1024-60000", "-j SNAT --to-source 10.77.0.1-10.77.0.200", "-j SNAT --to-source 10.77.0.1-10.77.0.200 --persistent", "-j SNAT --to-source 10.1.0.1-10.1.0.2", "-p udp -m udp --sport 80 -j SNAT --to-source :80",
	}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "SNAT", family: 6, table: "nat", chain: "POSTROUTING", hooks: natOut, also: seesNAT6, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{
		"-j SNAT --to-source 2001:db8:77::5", "-j SNAT --to-source 2001:db8:77::1-2001:db8:77::ffff", "-j SNAT --to-source 2001:db8:77::1-2001:db8:77:3:8::9 --persistent",
	}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "SNAT by lot", family: 4, table: "nat", chain: "POSTROUTING", hooks: natOut, random: true, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{
		"-j SNAT --to-source 198.51.100.5 --random", "-j SNAT --to-source 198.51.100.5 --random-fully", "-p tcp -j SNAT --to-source 198.51.100.5:2000-3000 --random", "-p udp -j SNAT --to-source :2000-2010 --persistent", "-j MASQUERADE --random", "-p udp -j MASQUERADE --random-fully", "-p tcp -j MASQUERADE --to-ports 2000-2010",
	}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "DNAT by lot", family: 4, table: "nat", hooks: []hookSpec{{"nat", "PREROUTING"}}, random: true, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{
		"-p tcp -j DNAT --to-destination 198.51.100.5:2000-3000 --random", "-p udp -j REDIRECT --to-ports 1000-1999 --random",
	}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "NETMAP", family: 4, table: "nat", hooks: natIn, also: seesNAT4, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{"-j NETMAP --to 10.77.0.0/16", "-d 192.0.2.0/24 -j NETMAP --to 198.51.100.0/28"}, rules: []string{""}},
	extension{kind: "target", name: "NETMAP of sources", family: 4, table: "nat", chain: "POSTROUTING", hooks: natOut, also: seesNAT4, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{"-j NETMAP --to 10.77.0.0/16"}, rules: []string{""}},
	extension{kind: "target", name: "NETMAP", family: 6, table: "nat", hooks: natIn, also: seesNAT6, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{"-j NETMAP --to 2001:db8:77::/48", "-j NETMAP --to 2001:db8:77:8000::/49"}, rules: []string{""}},
	extension{kind: "target", name: "MASQUERADE", table: "nat", chain: "POSTROUTING", hooks: natOut, routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{"-j MASQUERADE", "-p tcp -j MASQUERADE --to-ports 1024-65535"}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "REDIRECT", table: "nat", hooks: []hookSpec{{"nat", "PREROUTING"}, {"mangle", "INPUT"}}, also: "*mangle\n-A INPUT\n-A INPUT -p tcp -m tcp --dport 8080\n-A INPUT -i hipac0 -m conntrack --ctstate DNAT\nCOMMIT\n",
		routes: true, noPool: true, meta: natMeta, shots: beginnings, each: []string{"-j REDIRECT", "-p tcp -j REDIRECT --to-ports 8080", "-p udp -j REDIRECT --to-ports 1000-1999"}, rules: []string{"", "-p udp"}, rules4: []string{"-d 10.0.0.0/8"}},
	extension{kind: "target", name: "CT", table: "raw", hooks: []hookSpec{{"raw", "PREROUTING"}, {"mangle", "PREROUTING"}}, also: "*mangle\n-A PREROUTING -m state --state UNTRACKED\n-A PREROUTING -m state --state NEW\n-A PREROUTING -m conntrack ! --ctstate UNTRACKED\n-A PREROUTING -m conntrack --ctproto 17\n-A PREROUTING -m connmark --mark 0\n-A PREROUTING -m state --state INVALID\nCOMMIT\n",
		routes: true, noPool: true, meta: tracked, shots: beginnings, each: []string{"-j CT --notrack", "-p tcp -j CT --notrack", "-p udp -j CT --zone 7", "-j NOTRACK", "-p tcp -j CT --zone-orig mark", "-p tcp -j CT --zone-reply 9", "-p udp -j CT --ctevents new,destroy --expevents new"}, rules: []string{"-p udp -j NOTRACK", "-p tcp -j CT --zone 3", "-m state --state INVALID", "-m state --state UNTRACKED", "-m conntrack ! --ctstate NEW"}},
	extension{kind: "target", name: "TPROXY", table: "mangle", routes: true, setup: transparent, noPool: true, shots: beginnings,
		meta: with(func(p *packet.Packet) { p.Env = &packet.Env{Has: packet.HasTransparent, Transparent: true} }),
		each: []string{"-p tcp -j TPROXY --on-port 5000 --tproxy-mark 0x1/0x1", "-p udp -m udp --dport 53 -j TPROXY --on-port 5000 --tproxy-mark 0x1/0x1"}, rules: []string{"", "-p udp"},
		rules4: []string{"-p tcp -j TPROXY --on-port 5000 --on-ip 10.9.0.1"}, rules6: []string{"-p tcp -j TPROXY --on-port 5000 --on-ip 2001:db8:900::1"}},
	extension{kind: "target", name: "TPROXY without a socket", table: "mangle", routes: true, noPool: true, shots: beginnings,
		meta: with(func(p *packet.Packet) { p.Env = &packet.Env{Has: packet.HasTransparent} }),
		each: []string{"-p tcp -j TPROXY --on-port 5001 --tproxy-mark 0x1/0x1"}, rules: []string{"", "-p udp"}},
	extension{kind: "target", name: "SYNPROXY", table: "filter", chain: "FORWARD", hooks: []hookSpec{{"raw", "PREROUTING"}, {"filter", "FORWARD"}}, also: "*raw\n-A PREROUTING -p tcp -j CT --notrack\nCOMMIT\n", routes: true, noPool: true, meta: tracked, shots: beginnings,
		each: []string{"-p tcp -m state --state INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460", "-p tcp -m tcp --dport 80 -m state --state UNTRACKED -j SYNPROXY --ecn"}, rules: []string{"", "-p tcp"}},
	extension{kind: "target", name: "HMARK", table: "mangle", noPool: true, shots: beginnings, each: []string{
		"-j HMARK --hmark-tuple src,dst --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100", "-j HMARK --hmark-tuple src,dst,sport,dport,proto --hmark-rnd 0x1 --hmark-mod 4 --hmark-offset 100", "-p tcp -j HMARK --hmark-tuple sport,dport --hmark-rnd 0x77 --hmark-mod 3 --hmark-offset 101", "-j HMARK --hmark-src-prefix 24 --hmark-dst-prefix 16 --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100",
		"-p udp -j HMARK --hmark-sport-mask 0xff --hmark-dport-mask 0xf --hmark-proto-mask 0x1 --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100", "-p tcp -j HMARK --hmark-sport 0x50 --hmark-dport 0x51 --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100",
	}, rules: []string{"-m mark --mark 100", "-m mark --mark 101", "-m mark --mark 102", "-m mark --mark 103", "-m mark --mark 0"}},
	extension{kind: "target", name: "HMARK of the pool", table: "mangle", rules: []string{"-j HMARK --hmark-tuple src,dst,sport,dport,proto --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100", "-m mark --mark 100", "-m mark --mark 101", "-m mark --mark 102", "-m mark --mark 103", "-m mark --mark 0"}},
	extension{kind: "target", name: "HMARK by SPI", table: "mangle", rules: []string{"-p esp -j HMARK --hmark-spi 0x500 --hmark-spi-mask 0xffff --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100", "-m mark --mark 100", "-m mark --mark 101", "-m mark --mark 102", "-m mark --mark 103", "-m mark --mark 0"}},
	extension{kind: "target", name: "HMARK by connection", table: "mangle", routes: true, noPool: true, meta: tracked, shots: conversations, rules: []string{"-j HMARK --hmark-tuple ct,src,dst,sport,dport --hmark-rnd 0xcafe --hmark-mod 4 --hmark-offset 100", "-m mark --mark 100", "-m mark --mark 101", "-m mark --mark 102", "-m mark --mark 103", "-m mark --mark 0", "-m state --state NEW"}},
)
