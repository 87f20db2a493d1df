//go:build linux

package kernel

// Connections: a namespace with routes, so that packets are forwarded from one
// device to the other and their connections are confirmed, and a model of what
// connection tracking makes of the few kinds of packets that the tests send.

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// Bits of connection states and statuses.
const (
	ctInvalid     = 1
	ctEstablished = 2
	ctRelated     = 4
	ctNew         = 8
	ctUntracked   = 16

	seenReply = 2
	assured   = 4
	confirmed = 8
)

// addRoutes makes the namespace a router: what comes in by one device and is
// not for 10.1.0.0/16 (or 2001:db8:a::/48) goes out by the other one.
func (w *world) addRoutes(t *testing.T) {
	t.Helper()
	w.out = openTUN(t, device2, false)
	up(t, "lo")
	for name, value := range map[string]string{
		"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0",
		"net/ipv4/conf/" + device + "/rp_filter": "0", "net/ipv4/conf/" + device2 + "/rp_filter": "0",
		"net/ipv4/conf/all/send_redirects": "0", "net/ipv4/conf/" + device + "/send_redirects": "0", "net/ipv4/conf/" + device2 + "/send_redirects": "0",
		"net/ipv6/conf/all/forwarding": "1",
	} {
		sysctl(t, name, value)
	}
	if w.family == 4 {
		run(t, "", "ip", "addr", "add", "10.9.0.1/24", "dev", device)
		run(t, "", "ip", "addr", "add", "10.9.1.1/24", "dev", device2)
		run(t, "", "ip", "route", "add", "10.1.0.0/16", "dev", device)
		run(t, "", "ip", "route", "add", "default", "dev", device2)
		return
	}
	run(t, "", "ip", "-6", "addr", "add", "2001:db8:900::1/64", "dev", device, "nodad")
	run(t, "", "ip", "-6", "addr", "add", "2001:db8:901::1/64", "dev", device2, "nodad")
	run(t, "", "ip", "-6", "route", "add", "2001:db8:a::/48", "dev", device)
	run(t, "", "ip", "-6", "route", "add", "default", "dev", device2)
	// The kernel makes the addresses its own in the background.
	for range 200 {
		if local := run(t, "", "ip", "-6", "route", "show", "table", "local"); strings.Contains(local, "local 2001:db8:900::1 ") && strings.Contains(local, "local 2001:db8:901::1 ") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tuple names a connection's direction.
type tuple struct {
	src, dst     netip.Addr
	sport, dport uint16
	proto        uint8
}

func (u tuple) back() tuple { return tuple{u.dst, u.src, u.dport, u.sport, u.proto} }

// tracker models connection tracking: UDP, TCP that begins with SYN, SYN+ACK,
// ACK, and echo requests with their replies. All packets are accepted.
type tracker struct {
	conns map[tuple]*packet.Conn
	next  uint64
}

// track says what the kernel makes of a packet when it comes in, and what of
// its connection when it has gone.
func (c *tracker) track(p *packet.Packet) (done func()) {
	if c.conns == nil {
		c.conns = map[tuple]*packet.Conn{}
	}
	u := tuple{p.SrcAddr(), p.DstAddr(), p.SrcPort, p.DstPort, p.Proto}
	if p.Proto == packet.ICMP || p.Proto == packet.ICMPv6 {
		u.sport = 0x1234 // the identifier, of the packets here
		u.dport = u.sport
	}
	conn := c.conns[u]
	if conn == nil {
		c.next++
		conn = &packet.Conn{ID: c.next, Proto: p.Proto, Expires: 30,
			Orig: [2]packet.Endpoint{{Addr: p.Src, Port: u.sport}, {Addr: p.Dst, Port: u.dport}},
			Repl: [2]packet.Endpoint{{Addr: p.Dst, Port: u.dport}, {Addr: p.Src, Port: u.sport}}}
		c.conns[u], c.conns[u.back()] = conn, conn
	}
	reply := conn.Orig[0] != (packet.Endpoint{Addr: p.Src, Port: u.sport}) || conn.Orig[1] != (packet.Endpoint{Addr: p.Dst, Port: u.dport})
	way := 0
	if reply {
		way = 1
		conn.Status |= seenReply
	}
	conn.Reply = reply
	conn.Seen[way].Packets++
	conn.Seen[way].Bytes += uint64(p.Length)
	state := uint8(ctNew)
	if conn.Status&seenReply != 0 {
		state = ctEstablished
	}
	if p.Proto == packet.TCP && state == ctEstablished && !reply && p.TCPFlags == ack {
		conn.Status |= assured
	}
	p.Conn = conn
	p.SetCTState(state)
	return func() { conn.Status |= confirmed }
}

// tracked is the meta of packets in a namespace that tracks connections. Each
// side has a tracker of its own, because rules may change connections.
func tracked(w *world) func(*xt.Traversal, *shot) {
	trackers := map[*xt.Traversal]*tracker{}
	pending := map[*xt.Traversal]func(){}
	return func(t *xt.Traversal, s *shot) {
		w.tunMeta(t, s)
		if trackers[t] == nil {
			trackers[t] = &tracker{}
		}
		if done := pending[t]; done != nil {
			done() // of the packet before
		}
		pending[t] = trackers[t].track(&t.Packet)
	}
}

// conversations are packets of some connections, both ways.
func conversations(family int) (list []shot) {
	in := []string{"10.1.0.1", "10.1.0.2", "10.1.7.3"}
	out := []string{"192.0.2.9", "198.51.100.7"}
	echo, echoReply, icmpProto := icmp(8, 0), icmp(0, 0), uint8(1)
	if family == 6 {
		in = []string{"2001:db8:a::1", "2001:db8:a::2", "2001:db8:a:7::3"}
		out = []string{"2001:db8:9::9", "2001:db8:8::7"}
		echo, echoReply, icmpProto = icmp(128, 0), icmp(129, 0), 58
	}
	send := func(a, b string, proto uint8, l4 []byte, back bool, size int) {
		s := shot{name: "from inside", raw: head{src: a, dst: b, proto: proto, size: size}.ip(family, l4)}
		if back {
			s.name, s.back = "back", true
		}
		fixChecksum(family, s.raw)
		list = append(list, s)
	}
	for round := range 3 {
		for i, a := range in {
			for j, b := range out {
				sport, dport := 1000+i, 53+j
				size := 60 + 40*round + 10*i + 3*j
				send(a, b, 17, udp(sport, dport, size-48), false, 0)
				if round > 0 || i == 1 {
					send(b, a, 17, udp(dport, sport, size-40), true, 0)
				}
				switch round {
				case 0:
					send(a, b, 6, tcp(2000+i, 80+j, syn), false, 0)
					send(b, a, 6, tcpSeq(80+j, 2000+i, syn|ack, 0, 2), true, 0)
				case 1:
					send(a, b, 6, tcpSeq(2000+i, 80+j, ack, 2, 1), false, 0)
				case 2:
					send(b, a, 6, tcpSeq(80+j, 2000+i, ack, 1, 2), true, 0)
				}
			}
			if i < 2 {
				send(a, out[0], icmpProto, echo, false, 0)
				send(out[0], a, icmpProto, echoReply, true, 0)
			}
		}
	}
	return list
}

var connRules = []string{
	"-m state --state NEW", "-m state ! --state NEW", "-m state --state ESTABLISHED,RELATED", "-m state --state INVALID,UNTRACKED", "-m conntrack --ctstate NEW", "-m conntrack ! --ctstate ESTABLISHED", "-m conntrack --ctstate INVALID", "-m conntrack ! --ctstate INVALID,UNTRACKED,RELATED", "-m conntrack --ctstate DNAT", "-m conntrack ! --ctstate SNAT", "-m conntrack --ctstate NEW,SNAT",
	"-m conntrack --ctproto 17", "-m conntrack ! --ctproto 17", "-m conntrack --ctproto 6 --ctstate NEW",
	"-m conntrack --ctorigsrcport 1000", "-m conntrack ! --ctorigsrcport 1000:1001", "-m conntrack --ctorigdstport 53:80", "-m conntrack --ctreplsrcport 53", "-m conntrack --ctrepldstport 2000:2001", "-m conntrack ! --ctrepldstport 1002",
	"-m conntrack --ctstatus SEEN_REPLY", "-m conntrack ! --ctstatus SEEN_REPLY", "-m conntrack --ctstatus NONE", "-m conntrack --ctstatus CONFIRMED", "-m conntrack --ctstatus ASSURED", "-m conntrack ! --ctstatus ASSURED,EXPECTED", "-m conntrack ! --ctstatus CONFIRMED",
	"-m conntrack --ctdir ORIGINAL", "-m conntrack --ctdir REPLY", "-m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL --ctproto 17 --ctstatus SEEN_REPLY,CONFIRMED",
	"-m helper --helper ftp", "-m helper ! --helper ftp",
	"-m conntrack --ctexpire 0:4294967295", "-m conntrack ! --ctexpire 0:4294967295",
	"-m connmark --mark 0", "-m connmark ! --mark 0", "-m connmark --mark 0/1",
}

var _ = register(
	extension{kind: "match", name: "conntrack, state, connmark, helper", table: "mangle", routes: true, noPool: true, meta: tracked, shots: conversations, rules: connRules,
		rules4: []string{"-m conntrack --ctorigsrc 10.1.0.1", "-m conntrack ! --ctorigsrc 10.1.0.0/24", "-m conntrack --ctorigdst 192.0.2.0/24", "-m conntrack --ctreplsrc 192.0.2.9", "-m conntrack --ctrepldst 10.1.7.3", "-m conntrack ! --ctrepldst 10.1.0.0/16"},
		rules6: []string{"-m conntrack --ctorigsrc 2001:db8:a::1", "-m conntrack ! --ctorigsrc 2001:db8:a::/64", "-m conntrack --ctorigdst 2001:db8:9::/48", "-m conntrack --ctreplsrc 2001:db8:9::9", "-m conntrack --ctrepldst 2001:db8:a:7::3", "-m conntrack ! --ctrepldst 2001:db8:a::/48"}},
	extension{kind: "match", name: "connlabel", table: "mangle", routes: true, noPool: true, meta: tracked, shots: conversations, rules: []string{
		"-m connlabel --label 5", "-m connlabel ! --label 5", "-p udp -m connlabel --label 5 --set", "-m connlabel --label 5", "-p tcp -m connlabel --label 127 --set", "-m connlabel ! --label 127 --set", "-m connlabel --label 127", "-m connlabel --label 0",
	}},
	extension{kind: "match", name: "connbytes", table: "mangle", routes: true, noPool: true, meta: tracked, shots: conversations, rules: []string{
		"-m connbytes --connbytes 2 --connbytes-mode packets --connbytes-dir original", "-m connbytes --connbytes 1:2 --connbytes-mode packets --connbytes-dir both", "-m connbytes ! --connbytes 2:3 --connbytes-mode packets --connbytes-dir both", "-m connbytes --connbytes 1 --connbytes-mode packets --connbytes-dir reply", "-m connbytes --connbytes 200:500 --connbytes-mode bytes --connbytes-dir both", "-m connbytes --connbytes 100 --connbytes-mode bytes --connbytes-dir original", "-m connbytes ! --connbytes 100 --connbytes-mode bytes --connbytes-dir reply",
		"-m connbytes --connbytes 60:90 --connbytes-mode avgpkt --connbytes-dir both", "-m connbytes --connbytes 0:70 --connbytes-mode avgpkt --connbytes-dir original", "-m connbytes ! --connbytes 70:100 --connbytes-mode avgpkt --connbytes-dir reply", "-m connbytes --connbytes 0:0 --connbytes-mode avgpkt --connbytes-dir reply",
	}},
	extension{kind: "match", name: "connlimit", table: "mangle", routes: true, noPool: true, meta: tracked, shots: conversations, rules: []string{
		"-p udp -m connlimit --connlimit-upto 1", "-m connlimit --connlimit-above 2", "-p tcp -m connlimit --connlimit-above 1 --connlimit-daddr", "-m connlimit --connlimit-upto 3 --connlimit-daddr", "-m connlimit --connlimit-above 4 --connlimit-mask 0", "-m connlimit --connlimit-upto 0", "-m connlimit --connlimit-above 3 --connlimit-mask 16 --connlimit-saddr",
	}},
	extension{kind: "match", name: "cluster", table: "mangle", routes: true, noPool: true, meta: tracked, shots: conversations, rules: []string{
		"-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0xdeadbeef", "-m cluster --cluster-total-nodes 2 ! --cluster-local-node 1 --cluster-hash-seed 0xdeadbeef", "-m cluster --cluster-total-nodes 3 --cluster-local-nodemask 0x5 --cluster-hash-seed 0x1", "-m cluster --cluster-total-nodes 32 --cluster-local-nodemask 0x1f --cluster-hash-seed 0x0", "-m cluster --cluster-total-nodes 5 --cluster-local-node 4 --cluster-hash-seed 0x12345678",
	}},
)
