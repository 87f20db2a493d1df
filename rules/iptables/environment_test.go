package iptables

// Matches on the environment: what they answer for what the caller says, and
// that they say so when the caller says nothing.

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// addrWordsOf returns an address as packets have it.
func addrWordsOf(s string) [4]uint32 {
	var p packet.Packet
	a := netip.MustParseAddr(s)
	p.SetAddrs(a, a)
	return p.Src
}

func bridge(bridged bool, in, out string) *packet.Env {
	return &packet.Env{Bridge: &packet.Bridge{Bridged: bridged, In: rules.NameValue(in), Out: rules.NameValue(out)}}
}

func policies(list ...packet.Transformation) *packet.Env {
	return &packet.Env{Policy: &packet.Policy{In: list, Out: list}}
}

func reversePath(kind string, same bool) *packet.Env {
	for _, s := range packet.AddrTypes {
		if s.Name == kind {
			return &packet.Env{ReversePath: &packet.ReversePath{Type: uint16(s.Value), Interface: same}}
		}
	}
	panic(kind)
}

func TestEnvironmentMatchesAnswerForWhatTheCallerSays(t *testing.T) {
	owner := func(o packet.Owner) *packet.Env { return &packet.Env{Owner: &o} }
	nobody := owner(packet.Owner{})
	user := owner(packet.Owner{Exists: true, File: true, UID: 1000, GID: 100, Groups: []uint32{4, 27}})
	orphan := owner(packet.Owner{Exists: true, UID: 1000, GID: 100})
	group := func(g packet.Cgroup) *packet.Env { return &packet.Env{Cgroup: &g} }
	slice := group(packet.Cgroup{Exists: true, ClassID: 0x100001, Path: "/user.slice/a"})
	socket := func(s packet.Socket) *packet.Env { return &packet.Env{Socket: &s} }
	found, wild := socket(packet.Socket{Found: true}), socket(packet.Socket{Found: true, Wildcard: true, Transparent: true})
	none, unbridged := bridge(false, "", ""), bridge(false, "eth0", "")
	tunnel := packet.Transformation{ReqID: 1, SPI: 500, Proto: 50, Tunnel: true, Src: addrWordsOf("10.1.2.3"), Dst: addrWordsOf("192.0.2.1")}
	transport := packet.Transformation{ReqID: 2, SPI: 501, Proto: 51, Src: addrWordsOf("198.51.100.1"), Dst: addrWordsOf("198.51.100.2")}
	server := &packet.Env{IPVS: &packet.IPVS{Found: true, Reply: true, Proto: 6, Addr: addrWordsOf("192.0.2.80"), Port: 80, Method: 3}}
	passive := &packet.Env{IPVS: &packet.IPVS{Found: true, Proto: 6, Port: 2000, Control: 21}}
	for _, c := range []struct {
		rule string
		env  *packet.Env
		want string
	}{
		{"-m owner --uid-owner 1000", user, "yes"},
		{"-m owner --uid-owner 0-999", user, "no"},
		{"-m owner ! --uid-owner 0-999", user, "yes"},
		{"-m owner --gid-owner 100 --uid-owner 1000", user, "yes"},
		{"-m owner --gid-owner 27", user, "no"},
		{"-m owner --gid-owner 27 --suppl-groups", user, "yes"},
		{"-m owner ! --gid-owner 27 --suppl-groups", user, "no"},
		{"-m owner ! --gid-owner 28 --suppl-groups", user, "yes"},
		{"-m owner --socket-exists", user, "yes"},
		{"-m owner ! --socket-exists", user, "no"},
		{"-m owner ! --socket-exists ! --uid-owner 5", user, "no"},
		{"-m owner --socket-exists", nobody, "no"},
		{"-m owner ! --socket-exists", nobody, "yes"},
		{"-m owner --uid-owner 0-9", nobody, "no"},
		{"-m owner ! --uid-owner 0-9", nobody, "yes"},
		{"-m owner ! --uid-owner 0-9 --gid-owner 1", nobody, "no"},
		{"-m owner ! --gid-owner 1 --suppl-groups", nobody, "no"},
		{"-m owner --socket-exists", orphan, "yes"},
		{"-m owner --uid-owner 1000", orphan, "no"},
		{"-m owner ! --uid-owner 1000", orphan, "yes"},
		{"-m owner --uid-owner 1000", nil, "owner"},

		{"-m cgroup --path /user.slice", slice, "yes"},
		{"-m cgroup --path user.slice//a/", slice, "yes"},
		{"-m cgroup --path /", slice, "yes"},
		{"-m cgroup --path /user.slice/a/b", slice, "no"},
		{"-m cgroup --path /user.sl", slice, "no"},
		{"-m cgroup ! --path /user.sl", slice, "yes"},
		{"-m cgroup --cgroup 0x100001", slice, "yes"},
		{"-m cgroup --cgroup 1", slice, "no"},
		{"-m cgroup ! --cgroup 1", slice, "yes"},
		{"-m cgroup ! --cgroup 1", group(packet.Cgroup{}), "no"},
		{"-m cgroup ! --path /a", group(packet.Cgroup{}), "no"},
		{"-m cgroup --cgroup 1", &packet.Env{}, "cgroup"},

		{"-m socket", found, "yes"},
		{"-m socket", socket(packet.Socket{}), "no"},
		{"-m socket", wild, "no"},
		{"-m socket --nowildcard", wild, "yes"},
		{"-m socket --transparent", found, "no"},
		{"-m socket --transparent --nowildcard", wild, "yes"},
		{"-m socket", nil, "socket"},
		{"-m socket --restore-skmark", nil, "socket"},

		{"-m physdev --physdev-in eth0", unbridged, "yes"},
		{"-m physdev --physdev-in eth+", unbridged, "yes"},
		{"-m physdev ! --physdev-in eth+", unbridged, "no"},
		{"-m physdev --physdev-in eth1", unbridged, "no"},
		{"-m physdev --physdev-is-in", unbridged, "yes"},
		{"-m physdev --physdev-is-out", unbridged, "no"},
		{"-m physdev ! --physdev-is-out", unbridged, "yes"},
		{"-m physdev --physdev-is-bridged", unbridged, "no"},
		{"-m physdev ! --physdev-out eth1", unbridged, "no"}, // there is none
		{"-m physdev --physdev-is-bridged --physdev-out eth1", bridge(true, "eth0", "eth1"), "yes"},
		{"-m physdev --physdev-is-bridged --physdev-out eth2", bridge(true, "eth0", "eth1"), "no"},
		{"-m physdev ! --physdev-in eth1", bridge(true, "", "eth1"), "yes"},  // not asked
		{"-m physdev --physdev-is-bridged", bridge(true, "eth0", ""), "no"},  // not yet
		{"-m physdev --physdev-is-out", bridge(false, "eth0", "eth1"), "no"}, // routed
		{"-m physdev --physdev-in +", none, "no"},
		{"-m physdev ! --physdev-in +", none, "yes"},
		{"-m physdev --physdev-is-in", none, "no"},
		{"-m physdev ! --physdev-is-in ! --physdev-out eth0", none, "yes"},
		{"-m physdev --physdev-is-in", nil, "physdev"},

		{"-m policy --dir in --pol ipsec", policies(tunnel), "yes"},
		{"-m policy --dir in --pol ipsec", policies(), "no"},
		{"-m policy --dir in --pol none", policies(), "yes"},
		{"-m policy --dir in --pol none", policies(tunnel), "no"},
		{"-m policy --dir out --proto ah", policies(tunnel, transport), "yes"}, // one of them
		{"-m policy --dir out --proto ipcomp", policies(tunnel, transport), "no"},
		{"-m policy --dir out ! --proto ah", policies(transport), "no"},
		{"-m policy --dir in --reqid 1 --spi 500", policies(tunnel), "yes"},
		{"-m policy --dir in --reqid 1 --spi 501", policies(tunnel, transport), "no"}, // not of different ones
		{"-m policy --dir in --mode tunnel --tunnel-src 10.0.0.0/8 ! --tunnel-dst 192.0.2.2", policies(tunnel), "yes"},
		{"-m policy --dir in --mode tunnel --tunnel-src 10.1.2.4", policies(tunnel), "no"},
		{"-m policy --dir in --mode tunnel --tunnel-src 10.9.2.3/255.0.255.255", policies(tunnel), "yes"},
		{"-m policy --dir in --strict --proto esp", policies(tunnel), "yes"},
		{"-m policy --dir in --strict --proto esp", policies(tunnel, transport), "no"},
		{"-m policy --dir out --strict --proto esp --next --mode transport", policies(tunnel, transport), "yes"},
		{"-m policy --dir out --strict --mode transport --next --proto esp", policies(tunnel, transport), "no"},
		{"-m policy --dir out", nil, "policy"},

		{"-m rpfilter", reversePath("UNICAST", true), "yes"},
		{"-m rpfilter --invert", reversePath("UNICAST", true), "no"},
		{"-m rpfilter", reversePath("UNICAST", false), "no"},
		{"-m rpfilter --loose --validmark", reversePath("UNICAST", false), "yes"},
		{"-m rpfilter --loose", reversePath("UNREACHABLE", false), "no"},
		{"-m rpfilter", reversePath("LOCAL", true), "no"},
		{"-m rpfilter --accept-local", reversePath("LOCAL", true), "yes"},
		{"-m rpfilter --accept-local", reversePath("LOCAL", false), "no"},
		{"-m rpfilter", nil, "rpfilter"},

		{"-m ipvs --ipvs", server, "yes"},
		{"-m ipvs ! --ipvs", server, "no"},
		{"-m ipvs ! --ipvs", &packet.Env{IPVS: &packet.IPVS{}}, "yes"},
		{"-m ipvs ! --vport 80", &packet.Env{IPVS: &packet.IPVS{}}, "no"},
		{"-m ipvs --vproto tcp --vaddr 192.0.2.0/24 --vport 80 --vdir REPLY --vmethod GATE", server, "yes"},
		{"-m ipvs ! --vaddr 192.0.2.0/24", server, "no"},
		{"-m ipvs --vdir ORIGINAL", server, "no"},
		{"-m ipvs --vmethod MASQ", server, "no"},
		{"-m ipvs ! --vproto 17", server, "yes"},
		{"-m ipvs --vportctl 21", passive, "yes"},
		{"-m ipvs --vportctl 21", server, "no"},
		{"-m ipvs ! --vportctl 21", server, "yes"},
		{"-m ipvs --ipvs", nil, "ipvs"},
	} {
		table, chain := ruleOf(t, c.rule, 4)
		tr := xt.NewTraversal(table.Schema)
		require.NoError(t, tr.Packet.Decode(udp4(t, "x"), packet.LinkRaw))
		tr.Packet.Env = c.env
		require.Equal(t, c.want, say(table.Run(tr, chain, nil)), "%s of %+v", c.rule, c.env)
		if c.env == nil {
			require.Equal(t, c.want, say(table.Evaluate(tr.Key(), chain, nil)), c.rule)
		}
	}
}

func TestReversePathsOfSomePacketsAreNotAsked(t *testing.T) {
	for _, c := range []struct {
		family       int
		in, src, dst string
		want         string
	}{
		{4, "lo", "127.0.0.1", "127.0.0.1", "yes"},
		{4, "eth0", "0.0.0.0", "255.255.255.255", "yes"},
		{4, "eth0", "0.0.0.0", "224.0.0.251", "yes"},
		{4, "eth0", "0.0.0.0", "224.0.1.1", "rpfilter"},
		{4, "eth0", "0.0.0.1", "255.255.255.255", "rpfilter"},
		{6, "lo", "::1", "::1", "yes"},
		{6, "eth0", "::", "ff02::1", "yes"},
		{6, "eth0", "fe80::1", "ff02::1", "rpfilter"},
	} {
		for _, rule := range []string{"-m rpfilter", "-m rpfilter --invert"} {
			table, chain := ruleOf(t, rule, c.family)
			tr := xt.NewTraversal(table.Schema)
			tr.Packet.SetAddrs(netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst))
			tr.Packet.SetIn(c.in)
			want := c.want
			if want == "yes" && strings.HasSuffix(rule, "invert") {
				want = "no"
			}
			require.Equal(t, want, say(table.Run(tr, chain, nil)), "%s %+v", rule, c)
		}
	}
	table, chain := ruleOf(t, "-m rpfilter --accept-local", 6)
	tr := xt.NewTraversal(table.Schema)
	tr.Packet.SetAddrs(netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"))
	tr.Packet.Env = reversePath("LOCAL", false)
	require.Equal(t, "yes", say(table.Run(tr, chain, nil)), "IPv6 takes a local address from any interface")
}

func TestAMarkThatIsRestoredIsSeenBehindTheMatch(t *testing.T) {
	run := func(text string, s packet.Socket) (rules.Result, uint32) {
		t.Helper()
		rs, err := Read(strings.NewReader("*mangle\n"+text+"COMMIT\n"), Options{Family: 4})
		require.NoError(t, err)
		table := rs.Tables[0]
		tr := xt.NewTraversal(table.Schema)
		require.NoError(t, tr.Packet.Decode(udp4(t, "x"), packet.LinkRaw))
		tr.Packet.Mark = 1
		tr.Packet.Env = &packet.Env{Socket: &s}
		return table.Run(tr, table.Find("PREROUTING"), nil), tr.Packet.Mark
	}
	const rest = "-A PREROUTING -m mark --mark 5 -j ACCEPT\n-A PREROUTING -j DROP\n"
	for _, c := range []struct {
		first   string
		socket  packet.Socket
		verdict rules.Verdict
		rule    int
		mark    uint32
	}{
		{"-m socket --restore-skmark", packet.Socket{Found: true, Mark: 5}, rules.Accept, 1, 5},
		{"-m socket", packet.Socket{Found: true, Mark: 5}, rules.Drop, 2, 1},
		{"-m socket --restore-skmark", packet.Socket{Mark: 5}, rules.Drop, 2, 1},
		{"-m socket --restore-skmark", packet.Socket{Found: true, Wildcard: true, Mark: 5}, rules.Drop, 2, 1},
		// The rule does not match, and the mark is restored all the same.
		{"-m socket --restore-skmark -m mark --mark 6 -j DROP", packet.Socket{Found: true, Mark: 5}, rules.Accept, 1, 5},
		// What stands behind the match sees the new mark, what stands in front the old one.
		{"-m mark --mark 1 -m socket --restore-skmark -m mark --mark 5 -j DROP", packet.Socket{Found: true, Mark: 5}, rules.Drop, 0, 5},
		{"-m mark --mark 5 -m socket --restore-skmark -j DROP", packet.Socket{Found: true, Mark: 5}, rules.Drop, 2, 1},
		{"-p tcp -m socket --restore-skmark", packet.Socket{Found: true, Mark: 5}, rules.Drop, 2, 1},
	} {
		got, mark := run("-A PREROUTING "+c.first+"\n"+rest, c.socket)
		require.Equal(t, rules.Result{Verdict: c.verdict, By: rules.Place{Rule: c.rule}}, got, c.first)
		require.Equal(t, c.mark, mark, c.first)
	}
	rs, err := Read(strings.NewReader("*mangle\n-A PREROUTING -m socket --restore-skmark -m mark --mark 5 -j MARK --set-mark 9\nCOMMIT\n"), Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"mark"}, rs.Tables[0].Chains[0].Rules.At(0).Value.Ext.Writes)
}

func TestMatchesOnTheEnvironmentAreRefusedWhereTheKernelRefusesThem(t *testing.T) {
	read := func(text string) error {
		_, err := Read(strings.NewReader(text+"\nCOMMIT\n"), Options{Family: 4})
		return err
	}
	for _, good := range []string{
		"*filter\n-A OUTPUT -m owner --uid-owner 0",
		"*filter\n-A INPUT -m cgroup --cgroup 1",
		"*mangle\n-A PREROUTING -m socket",
		"*raw\n-A PREROUTING -m rpfilter",
		"*filter\n-A FORWARD -m policy --dir in\n-A FORWARD -m policy --dir out",
		"*filter\n-A OUTPUT -m physdev --physdev-in a",
		"*filter\n-A OUTPUT -m physdev --physdev-is-out --physdev-is-bridged",
		"*filter\n:c -\n-A c -m policy --dir in\n-A INPUT -j c",
	} {
		require.NoError(t, read(good), good)
	}
	for bad, why := range map[string]string{
		"*filter\n-A INPUT -m owner --uid-owner 0":                                     "match owner cannot be used in chain INPUT, only in OUTPUT or POSTROUTING",
		"*filter\n-A FORWARD -m cgroup --cgroup 1":                                     "match cgroup cannot be used in chain FORWARD",
		"*filter\n-A FORWARD -m socket":                                                "match socket cannot be used in chain FORWARD",
		"*nat\n-A PREROUTING -m rpfilter":                                              "match rpfilter cannot be used in table nat",
		"*raw\n-A OUTPUT -m rpfilter":                                                  "match rpfilter cannot be used in chain OUTPUT",
		"*filter\n-A OUTPUT -m policy --dir in":                                        "match policy --dir in cannot be used in chain OUTPUT",
		"*filter\n-A INPUT -m policy --dir out":                                        "match policy --dir out cannot be used in chain INPUT",
		"*filter\n-A OUTPUT -m physdev --physdev-out a":                                "cannot be used in chain OUTPUT",
		"*filter\n-A OUTPUT -m physdev --physdev-is-out ! --physdev-is-bridged":        "cannot be used in chain OUTPUT",
		"*filter\n:c - [0:0]\n-A c -m policy --dir in --pol ipsec\n-A OUTPUT -j c":     "match policy",
		"*filter\n:c - [0:0]\n-A c -m physdev --physdev-out a\n-A OUTPUT -j c":         "match physdev",
		"*filter\n:c - [0:0]\n-A c -m owner ! --socket-exists\n-A INPUT -p tcp -j c\n": "match owner",
	} {
		require.ErrorContains(t, read(bad), why, bad)
	}
}

func TestNamesOfUsersAreLookedUpByTheCaller(t *testing.T) {
	const text = "*filter\n-A OUTPUT -m owner --uid-owner alice --gid-owner wheel\n-A OUTPUT -m owner --uid-owner root\nCOMMIT\n"
	o := Options{Family: 4,
		Users:  func(name string) (uint32, bool) { return 1000, name == "alice" },
		Groups: func(name string) (uint32, bool) { return 10, name == "wheel" }}
	_, err := Read(strings.NewReader(text), o)
	require.ErrorContains(t, err, "user name root is not modelled", "the caller's word counts")
	_, err = Read(strings.NewReader(text), Options{Family: 4})
	require.ErrorIs(t, err, rules.ErrUnsupported)
	require.ErrorContains(t, err, "user name alice is not modelled")
	require.ErrorContains(t, err, "group name wheel is not modelled")
	o.Users = func(name string) (uint32, bool) {
		return map[string]uint32{"alice": 1000}[name], name == "alice" || name == "root"
	}
	rs, err := Read(strings.NewReader(text), o)
	require.NoError(t, err)
	line, _ := rs.Rule("filter", "OUTPUT", 1)
	require.Equal(t, "-m owner --uid-owner 1000 --gid-owner 10", line)
	line, _ = rs.Rule("filter", "OUTPUT", 2)
	require.Equal(t, "-m owner --uid-owner 0", line)

	rs, err = Read(strings.NewReader("*filter\n-A OUTPUT -m owner --uid-owner bob -j DROP\nCOMMIT\n"), Options{Family: 4, AllowUnknown: true})
	require.NoError(t, err)
	require.Equal(t, "user name bob", rs.Tables[0].Chains[rs.Tables[0].Find("OUTPUT")].Rules.At(0).Unknown)
}

func TestElementsOfPoliciesGoThroughJSON(t *testing.T) {
	const text = "*filter\n-A INPUT -m policy --dir in --pol ipsec --strict --reqid 1 --next --reqid 2 --mode tunnel --tunnel-src 10.0.0.1 --next ! --spi 0x5\nCOMMIT\n"
	rs, err := Read(strings.NewReader(text), Options{Family: 4})
	require.NoError(t, err)
	again, _ := throughJSON(t, rs, Options{})
	require.Equal(t, printed(t, rs, true), printed(t, again, true))
}
