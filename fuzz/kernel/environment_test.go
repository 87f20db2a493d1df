//go:build linux

package kernel

// Cases of matches on what the system knows of packets: devices, routes,
// sockets, processes.

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// with adds to what the kernel knows of a packet that comes in by the device.
func with(f func(p *packet.Packet)) func(w *world) func(*xt.Traversal, *shot) {
	return func(w *world) func(*xt.Traversal, *shot) {
		return func(t *xt.Traversal, s *shot) {
			w.tunMeta(t, s)
			f(&t.Packet)
		}
	}
}

// addrType returns what the local routes of the namespace say of an address, bits
// of packet.AddrTypes; the kernel asks no others, so that there are no black
// holes and the like. With dev the question is about that device alone.
func addrType(a netip.Addr, dev string) uint16 {
	const unspec, unicast, local, broadcast, multicast = 1, 2, 4, 8, 0x20
	in := func(p string) bool { return netip.MustParsePrefix(p).Contains(a) }
	of := func(device string, t uint16) uint16 {
		if dev != "" && dev != device {
			return unicast
		}
		return t
	}
	switch s := a.String(); {
	case a.Is6():
		switch {
		case in("ff00::/8"):
			return multicast
		case s == "::":
			return unspec
		case s == "2001:db8:900::1":
			return local | unicast
		case s == "::1":
			return local | unicast
		}
		return unicast
	case in("0.0.0.0/8"), s == "255.255.255.255":
		return broadcast
	case in("224.0.0.0/4"):
		return multicast
	case in("127.0.0.0/8"):
		return of("lo", local)
	case s == "10.9.0.1":
		return of(device, local)
	case s == "10.9.1.1":
		return of(device2, local)
	case s == "10.9.0.255":
		return of(device, broadcast)
	}
	return unicast
}

// addresses are packets between addresses that routes tell apart.
func addresses(family int) (list []shot) {
	addrs := []string{"10.9.0.1", "10.9.1.1", "10.9.0.255", "10.9.0.7", "10.1.2.3", "192.0.2.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "10.66.1.1"}
	if family == 6 {
		addrs = []string{"2001:db8:900::1", "2001:db8:900::7", "2001:db8:a::1", "2001:db8:ff::1"}
	}
	for _, src := range addrs {
		for _, dst := range addrs {
			if family == 4 && src == "10.9.0.1" && dst == src {
				continue
			}
			list = append(list, shot{name: src + " to " + dst, raw: head{src: src, dst: dst, proto: 17}.ip(family, udp(7, 9, 0))})
		}
	}
	return list
}

// extraRoutes adds routes of other kinds, and with a realm.
func extraRoutes(t *testing.T, w *world) {
	if w.family == 6 {
		return
	}
	for _, r := range []string{"blackhole 10.66.0.0/16", "10.70.0.0/16 dev " + device2 + " realm 10", "10.71.0.0/16 dev " + device2 + " realm 0x30"} {
		run(t, "", "ip", append([]string{"route", "add"}, strings.Fields(r)...)...)
	}
}

// listen opens sockets for match socket.
func listen(t *testing.T, w *world) {
	any, here := "0.0.0.0:5000", "10.9.0.1:5001"
	if w.family == 6 {
		any, here = "[::]:5000", "[2001:db8:900::1]:5001"
	}
	for _, a := range []string{any, here} {
		c, err := net.ListenPacket("udp", a)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		l, err := net.Listen("tcp", a)
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
	}
}

// marked gives sockets a mark.
func marked(t *testing.T, w *world) {
	listen(t, w)
	w.marks = true
	a := "10.9.0.1:5003"
	if w.family == 6 {
		a = "[2001:db8:900::1]:5003"
	}
	var config net.ListenConfig
	config.Control = func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_MARK, 0x55) })
	}
	c, err := config.ListenPacket(context.Background(), "udp", a)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
}

// socketMeta says which packets have a socket.
func socketMeta(w *world) func(*xt.Traversal, *shot) {
	return with(func(p *packet.Packet) {
		dst := p.DstAddr().String()
		here := dst == "10.9.0.1" || dst == "2001:db8:900::1"
		s := &packet.Socket{Found: p.DstPort == 5000 || p.DstPort == 5001 && here, Wildcard: p.DstPort == 5000}
		if here && p.Proto == packet.UDP && p.DstPort == 5003 && w.marks {
			s.Found, s.Mark = true, 0x55
		}
		p.Env = &packet.Env{Socket: s}
	})(w)
}

// toSockets are packets to ports with and without a socket.
func toSockets(family int) (list []shot) {
	local, other, src := "10.9.0.1", "10.9.0.9", "10.1.2.3"
	if family == 6 {
		local, other, src = "2001:db8:900::1", "2001:db8:900::9", "2001:db8:a::1"
	}
	for _, dst := range []string{local, other} {
		for _, port := range []int{5000, 5001, 5002, 5003} {
			list = append(list, shot{name: "udp", raw: head{src: src, dst: dst, proto: 17}.ip(family, udp(999, port, 0))},
				shot{name: "tcp", raw: head{src: src, dst: dst, proto: 6}.ip(family, tcp(999, port, syn))})
		}
		list = append(list, shot{name: "gre", raw: head{src: src, dst: dst, proto: 47}.ip(family, make([]byte, 20))})
	}
	return list
}

// ownCgroup is the path of the test's control group.
func ownCgroup() string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "/"
	}
	for _, line := range strings.Split(string(b), "\n") {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return path
		}
	}
	return "/"
}

// ownedMeta is what the kernel knows of packets that the test sends itself.
func ownedMeta(w *world) func(*xt.Traversal, *shot) {
	groups, _ := syscall.Getgroups()
	owner := &packet.Owner{Exists: true, File: true, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	for _, g := range groups {
		owner.Groups = append(owner.Groups, uint32(g))
	}
	return func(t *xt.Traversal, s *shot) {
		p := &t.Packet
		p.SetIn("")
		p.SetOut(device2)
		p.PktType, p.Has = packet.Unicast, p.Has|packet.HasPktType
		p.Env = &packet.Env{Owner: owner, Cgroup: &packet.Cgroup{Exists: true, Path: ownCgroup()}, Has: packet.HasPathMTU, PathMTU: 1500}
	}
}

// sent are packets that the namespace sends itself.
func sent(family int) (list []shot) {
	for i := range 6 {
		h := head{src: "10.9.1.1", dst: "192.0.2.9", proto: 17, id: 77, size: 60 + 10*i}
		if family == 6 {
			h.src, h.dst = "2001:db8:901::1", "2001:db8:9::9"
		}
		l4 := udp(1000+i, 53, 0)
		if i%2 == 1 {
			h.proto, l4 = 6, tcp(1000+i, 80, syn)
		}
		list = append(list, shot{name: "own packet", local: true, raw: h.ip(family, l4)})
	}
	return list
}

var _ = register(
	extension{kind: "match", name: "cpu", rules: []string{"-m cpu --cpu 0", "-m cpu ! --cpu 0", "-m cpu --cpu 1", "-m cpu ! --cpu 4095"},
		setup: func(t *testing.T, _ *world) { pinToCPU(t, 0) },
		meta:  with(func(p *packet.Packet) { p.Env = &packet.Env{Has: packet.HasCPU} })},
	extension{kind: "match", name: "devgroup", rules: []string{"-m devgroup --src-group 7", "-m devgroup ! --src-group 7", "-m devgroup --src-group 0x7/0x3", "-m devgroup --src-group 0x3/0x3", "-m devgroup --src-group 0x0", "-m devgroup ! --src-group 0x10/0x10"},
		setup: func(t *testing.T, _ *world) { run(t, "", "ip", "link", "set", device, "group", "7") },
		meta:  with(func(p *packet.Packet) { p.Env = &packet.Env{Has: packet.HasInGroup, InGroup: 7} })},
	extension{kind: "match", name: "devgroup --dst-group", table: "mangle", chain: "FORWARD", routes: true, shots: segments, noPool: true,
		rules: []string{"-m devgroup --dst-group 0x9", "-m devgroup ! --dst-group 0x9", "-m devgroup --dst-group 0x1/0x1", "-m devgroup --src-group 0x7 ! --dst-group 0x2/0x2"},
		setup: func(t *testing.T, _ *world) {
			run(t, "", "ip", "link", "set", device, "group", "7")
			run(t, "", "ip", "link", "set", device2, "group", "9")
		},
		meta: func(w *world) func(*xt.Traversal, *shot) {
			return func(t *xt.Traversal, s *shot) {
				w.forwardMeta(t, s)
				e := t.Packet.Env
				e.Has, e.InGroup, e.OutGroup = e.Has|packet.HasInGroup|packet.HasOutGroup, 7, 9
			}
		}},
	extension{kind: "match", name: "policy", rules: []string{"-m policy --dir in --pol none", "-m policy --dir in --pol ipsec", "-m policy --dir in --pol ipsec --reqid 1"},
		meta: with(func(p *packet.Packet) { p.Env = &packet.Env{Policy: &packet.Policy{}} })},
	extension{kind: "match", name: "physdev", rules: []string{"-m physdev --physdev-in eth0", "-m physdev ! --physdev-in eth0", "-m physdev --physdev-is-in", "-m physdev ! --physdev-is-in", "-m physdev ! --physdev-is-bridged", "-m physdev --physdev-in eth+", "-m physdev ! --physdev-in hipac0 --physdev-is-in"},
		meta: with(func(p *packet.Packet) { p.Env = &packet.Env{Bridge: &packet.Bridge{}} })},
	extension{kind: "match", name: "physdev, when leaving", table: "mangle", chain: "FORWARD", routes: true, shots: segments, noPool: true,
		rules: []string{"-m physdev --physdev-out eth0", "-m physdev ! --physdev-out eth0", "-m physdev --physdev-is-out", "-m physdev ! --physdev-is-out"},
		meta: func(w *world) func(*xt.Traversal, *shot) {
			return func(t *xt.Traversal, s *shot) {
				w.forwardMeta(t, s)
				t.Packet.Env.Bridge = &packet.Bridge{}
			}
		}},
	extension{kind: "match", name: "addrtype", family: 4, table: "raw", routes: true, setup: extraRoutes, noPool: true, shots: addresses,
		rules: []string{"-m addrtype --src-type LOCAL", "-m addrtype --dst-type LOCAL", "-m addrtype ! --dst-type LOCAL", "-m addrtype --dst-type BROADCAST,MULTICAST", "-m addrtype --src-type UNICAST ! --dst-type UNICAST", "-m addrtype --dst-type BLACKHOLE,UNREACHABLE,PROHIBIT", "-m addrtype ! --src-type UNSPEC", "-m addrtype --dst-type LOCAL --limit-iface-in", "-m addrtype --dst-type UNICAST --limit-iface-in", "-m addrtype --dst-type BROADCAST --limit-iface-in", "-m addrtype --dst-type BLACKHOLE", "-m addrtype ! --src-type LOCAL --limit-iface-in"},
		meta: with(func(p *packet.Packet) {
			p.Env = &packet.Env{Has: packet.HasAddrTypes | packet.HasAddrTypesIn, SrcType: addrType(p.SrcAddr(), ""), DstType: addrType(p.DstAddr(), ""), SrcTypeIn: addrType(p.SrcAddr(), device), DstTypeIn: addrType(p.DstAddr(), device)}
		})},
	extension{kind: "match", name: "addrtype --limit-iface-out", family: 4, table: "mangle", chain: "FORWARD", routes: true, noPool: true, shots: addresses,
		rules: []string{"-m addrtype --dst-type LOCAL --limit-iface-out", "-m addrtype --dst-type UNICAST --limit-iface-out", "-m addrtype ! --src-type LOCAL --limit-iface-out", "-m addrtype --src-type UNICAST"},
		meta: func(w *world) func(*xt.Traversal, *shot) {
			return func(t *xt.Traversal, s *shot) {
				w.forwardMeta(t, s)
				p := &t.Packet
				p.Env.Has |= packet.HasAddrTypes | packet.HasAddrTypesOut
				p.Env.SrcType, p.Env.DstType = addrType(p.SrcAddr(), ""), addrType(p.DstAddr(), "")
				p.Env.SrcTypeOut, p.Env.DstTypeOut = addrType(p.SrcAddr(), device2), addrType(p.DstAddr(), device2)
			}
		}},
	extension{kind: "match", name: "addrtype", family: 6, table: "raw", routes: true, noPool: true, shots: addresses,
		rules: []string{"-m addrtype --src-type LOCAL", "-m addrtype --dst-type LOCAL", "-m addrtype ! --dst-type LOCAL", "-m addrtype --dst-type MULTICAST", "-m addrtype ! --dst-type UNICAST"},
		meta: with(func(p *packet.Packet) {
			p.Env = &packet.Env{Has: packet.HasAddrTypes, SrcType: addrType(p.SrcAddr(), ""), DstType: addrType(p.DstAddr(), "")}
		})},
	extension{kind: "match", name: "rpfilter", table: "raw", routes: true, noPool: true,
		rules: []string{"-m rpfilter", "-m rpfilter --invert", "-m rpfilter --loose", "-m rpfilter --loose --invert", "-m rpfilter --validmark", "-m rpfilter --accept-local", "-m rpfilter --loose --accept-local --invert"},
		shots: func(family int) (list []shot) {
			srcs := []string{"10.1.2.3", "10.9.0.7", "192.0.2.1", "10.9.0.1"}
			if family == 6 {
				srcs = []string{"2001:db8:a::1", "2001:db8:900::7", "2001:db8:9::1", "2001:db8:900::1"}
			}
			for _, src := range srcs {
				for _, back := range []bool{false, true} {
					list = append(list, shot{name: "from " + src, back: back, raw: head{src: src, proto: 17}.ip(family, udp(7, 9, 0))})
				}
			}
			return list
		},
		meta: func(w *world) func(*xt.Traversal, *shot) {
			return func(t *xt.Traversal, s *shot) {
				w.tunMeta(t, s)
				src := t.Packet.SrcAddr().String()
				first := strings.HasPrefix(src, "10.1.") || strings.HasPrefix(src, "10.9.0.") || strings.HasPrefix(src, "2001:db8:a:") || strings.HasPrefix(src, "2001:db8:900:")
				kind := uint16(2)
				local6 := src == "2001:db8:900::1" // its device is no matter
				if src == "10.9.0.1" || local6 {
					kind = 4
				}
				t.Packet.Env = &packet.Env{ReversePath: &packet.ReversePath{Type: kind, Interface: first != s.back || local6}}
			}
		}},
	extension{kind: "match", name: "realm", family: 4, table: "mangle", chain: "FORWARD", routes: true, setup: extraRoutes, noPool: true,
		rules: []string{"-m realm --realm 10", "-m realm ! --realm 10", "-m realm --realm 0x30/0x10", "-m realm --realm 0", "-m realm ! --realm 0x2/0x2"},
		shots: func(family int) (list []shot) {
			for _, dst := range []string{"10.70.1.1", "10.71.1.1", "192.0.2.7"} {
				list = append(list, shot{name: "to " + dst, raw: head{src: "10.1.2.3", dst: dst, proto: 17}.ip(4, udp(7, 9, 0))})
			}
			return list
		},
		meta: func(w *world) func(*xt.Traversal, *shot) {
			return func(t *xt.Traversal, s *shot) {
				w.forwardMeta(t, s)
				realm := map[string]uint32{"10.70.1.1": 10, "10.71.1.1": 0x30}[t.Packet.DstAddr().String()]
				t.Packet.Env.Has, t.Packet.Env.Realm = t.Packet.Env.Has|packet.HasRealm, realm
			}
		}},
	extension{kind: "match", name: "socket", table: "mangle", routes: true, setup: listen, noPool: true, shots: toSockets,
		rules: []string{"-m socket", "-m socket --nowildcard", "-m socket --transparent", "-m socket --transparent --nowildcard"},
		meta:  socketMeta},
	extension{kind: "match", name: "socket --restore-skmark", table: "mangle", routes: true, setup: marked, noPool: true, shots: toSockets, meta: socketMeta,
		rules: []string{"-m mark --mark 0x55", "-m socket --nowildcard --restore-skmark", "-m mark --mark 0x55", "-m mark --mark 0", "-j MARK --set-mark 7", "-m socket --restore-skmark", "-m mark --mark 0", "-m mark --mark 7", "-m mark --mark 0x55"}},
	extension{kind: "match", name: "owner", table: "mangle", chain: "OUTPUT", routes: true, noPool: true, shots: sent, meta: ownedMeta,
		rules: []string{"-m owner --uid-owner 0", "-m owner ! --uid-owner 0", "-m owner --uid-owner 0-1000", "-m owner --uid-owner 1-1000", "-m owner --gid-owner 0", "-m owner ! --gid-owner 0", "-m owner --gid-owner 1-4294967294", "-m owner --socket-exists", "-m owner ! --socket-exists", "-m owner --uid-owner 0 --gid-owner 0 --socket-exists", "-m owner --gid-owner 0 --suppl-groups", "-m owner --gid-owner 77 --suppl-groups"}},
	extension{kind: "match", name: "cgroup", table: "mangle", chain: "OUTPUT", routes: true, noPool: true, shots: sent, meta: ownedMeta,
		rules: []string{"-m cgroup --path " + ownCgroup(), "-m cgroup ! --path " + ownCgroup(), "-m cgroup --cgroup 0", "-m cgroup ! --cgroup 0", "-m cgroup --cgroup 1048577"}},
)
