package iptables

// Sets and routes: rules that ask them, by conditions and at the leaf.

import (
	"strings"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/route"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

const someSets = `create hosts hash:ip
add hosts 192.0.2.1
create nets hash:net
add nets 192.0.0.0/16
add nets 192.0.2.0/24 nomatch
create doors bitmap:port range 0-1000
add doors 80
create pairs hash:ip,port
add pairs 192.0.2.1,tcp:8080
create timed hash:ip timeout 60
add timed 192.0.2.1
create counted hash:ip counters
add counted 192.0.2.1
create all list:set
add all nets
add all hosts
create cards hash:mac
add cards 00:11:22:33:44:55
create six hash:ip family inet6
`

func sets(t *testing.T) *ipset.Sets {
	t.Helper()
	s, err := ipset.Read(strings.NewReader(someSets), ipset.Options{})
	require.NoError(t, err)
	return s
}

// ruleFor reads one rule of chain c with options.
func ruleFor(t *testing.T, rule string, o Options) (*rules.Table, *rules.Rule[rules.Action]) {
	t.Helper()
	rs, err := Read(strings.NewReader("*filter\n:c - [0:0]\n-A c "+rule+" -j DROP\nCOMMIT\n"), o)
	require.NoError(t, err, rule)
	table := rs.Tables[0]
	return table, table.Chains[table.Find("c")].Rules.At(0)
}

func ask(t *testing.T, table *rules.Table, tr *xt.Traversal, data []byte, prepare func(*packet.Packet)) string {
	t.Helper()
	tr.Reset()
	require.NoError(t, tr.Packet.Decode(data, packet.LinkRaw))
	if prepare != nil {
		prepare(&tr.Packet)
	}
	switch r := table.Run(tr, table.Find("c"), nil); {
	case r.Needs != "":
		return r.Needs
	case r.Verdict == rules.Drop:
		return "yes"
	}
	return "no"
}

func TestSetsAnswerRulesByConditionsWhereTheyCan(t *testing.T) {
	tcp := ip4(t, 6, 0, tcpPlain) // 192.0.2.1:8080 > 192.0.2.2:80
	card := func(p *packet.Packet) { p.SMAC, p.Has = 0x001122334455, p.Has|packet.HasSMAC }
	for _, c := range []struct {
		rule   string
		native bool
		data   []byte
		want   string
	}{
		{"-m set --match-set hosts src", true, tcp, "yes"},
		{"-m set --match-set hosts dst", true, tcp, "no"},
		{"-m set ! --match-set hosts dst", true, tcp, "yes"},
		{"-m set --match-set hosts src,dst,dst", true, tcp, "yes"},
		{"-m set --match-set nets src", true, tcp, "no"},
		{"-m set --match-set nets src --return-nomatch", true, tcp, "yes"},
		{"-m set --match-set doors dst", true, tcp, "yes"},
		{"-m set --match-set doors src", true, tcp, "no"},
		{"-m set ! --match-set doors src", true, tcp, "yes"},
		{"-m set ! --match-set doors dst", true, tcp, "no"},
		{"-m set --match-set doors dst", true, ip4(t, 6, 0, "1f90 0050 0000"), "no"},
		{"-m set ! --match-set doors dst", true, ip4(t, 6, 0, "1f90 0050 0000"), "yes"},
		{"-m set ! --match-set doors dst", true, ip4(t, 6, 9, tcpPlain), "yes"},
		{"-m set ! --match-set doors dst", true, ip4(t, 132, 0, tcpPlain), "yes"},
		{"-m set --match-set cards src", true, tcp, "yes"},
		{"-m set --match-set cards dst", false, tcp, "no"},
		{"-m set --match-set pairs src,src", false, tcp, "yes"},
		{"-m set --match-set pairs src,dst", false, tcp, "no"},
		{"-m set ! --match-set pairs src", false, tcp, "yes"},
		{"-m set --match-set timed src", false, tcp, "yes"},
		{"-m set --match-set counted src --packets-gt 0", false, tcp, "yes"},
		{"-m set --match-set counted src --packets-gt 1", false, tcp, "no"},
		{"-m set --match-set all src", false, tcp, "yes"},
		{"-m set ! --match-set all dst", false, tcp, "yes"},
		{"-m set --match-set nosuch src", false, tcp, "set nosuch"},
	} {
		table, r := ruleFor(t, c.rule, Options{Family: 4, Sets: sets(t)})
		require.Equal(t, c.native, r.Value.Ext.Plain(), c.rule)
		tr := xt.NewTraversal(table.Schema)
		tr.State = &xt.State{}
		require.Equal(t, c.want, ask(t, table, tr, c.data, card), c.rule)
	}
	table, _ := ruleFor(t, "-m set --match-set timed src", Options{Family: 4, Sets: sets(t)})
	require.Equal(t, "the memory of earlier packets", ask(t, table, xt.NewTraversal(table.Schema), tcp, nil))
	require.Equal(t, rules.Unknown, table.Evaluate(table.Schema.NewKey(), table.Find("c"), nil).Verdict)
}

func TestSetsThatEndOrAreChangedAreAskedAlive(t *testing.T) {
	const timed = "-m set --match-set timed src"
	tcp := ip4(t, 6, 0, tcpPlain)
	table, r := ruleFor(t, timed, Options{Family: 4, Sets: sets(t)})
	require.Equal(t, "set --match-set timed src", r.Value.Ext.Tests[0].Text)
	now := time.Date(2024, 5, 14, 9, 30, 0, 0, time.UTC)
	tr := xt.NewTraversal(table.Schema)
	tr.State = &xt.State{Now: func() time.Time { return now }}
	from := sets(t)
	require.Equal(t, "yes", ask(t, table, tr, tcp, nil))
	now = now.Add(59 * time.Second)
	require.Equal(t, "yes", ask(t, table, tr, tcp, nil))
	now = now.Add(time.Second)
	require.Equal(t, "no", ask(t, table, tr, tcp, nil))
	src := ipset.Directions{N: 1, Src: 1}
	c, missing := tr.AddToSet(from, "timed", src, nil, false)
	require.Equal(t, ipset.Changed, c)
	require.Empty(t, missing)
	require.Equal(t, "yes", ask(t, table, tr, tcp, nil))
	in, _, _ := tr.AskSet(from, "timed", &ipset.Query{Directions: src})
	require.True(t, in)
	require.Equal(t, 2, tr.State.Set(from, "timed").Len()+tr.State.Set(from, "hosts").Len())
	c, _ = tr.DeleteFromSet(from, "timed", src)
	require.Equal(t, ipset.Changed, c)
	require.Equal(t, "no", ask(t, table, tr, tcp, nil))
	_, missing = tr.DeleteFromSet(from, "nosuch", src)
	require.Equal(t, "set nosuch", missing)
	require.Nil(t, tr.State.Set(from, "nosuch"))

	f := &fileReader{sets: from, limits: rules.Limits{}.OrDefault()}
	_, err := f.findChanges(strings.NewReader("-A c -j SET --add-set all src --exist\n-A c -j SET --del-set=hosts src\n-A c -m comment --comment \"--add-set doors\" -j SET --map-set cards src\n"))
	require.NoError(t, err)
	require.False(t, f.fixed(from.Find("nets")), "a member of a list that is added to")
	require.False(t, f.fixed(from.Find("all")))
	require.True(t, f.fixed(from.Find("doors")))
	require.True(t, f.fixed(from.Find("cards")))
}

const someRoutes = `default via 192.0.2.254 dev eth0
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1
local 192.0.2.1 dev eth0 table local proto kernel scope host src 192.0.2.1
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.1
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
local 2001:db8::211:22ff:fe33:4455 dev eth0 table local proto kernel metric 0 pref medium
2001:db8::/64 dev eth0 proto kernel metric 256 pref medium
`

func TestTypesOfAddressesComeFromRoutesOrFromThePacket(t *testing.T) {
	routes, err := route.Read(strings.NewReader(someRoutes), route.Options{})
	require.NoError(t, err)
	tcp, tcp6 := ip4(t, 6, 0, tcpPlain), ip6(t, 6, tcpPlain)
	multi := ip4(t, 17, 0, udpPlain)
	multi[16] = 224
	says := func(e packet.Env) func(*packet.Packet) {
		return func(p *packet.Packet) { p.Env = &e; p.SetIn("eth0") }
	}
	for _, c := range []struct {
		rule   string
		family int
		routes *route.Table
		data   []byte
		env    packet.Env
		want   string
	}{
		{"-m addrtype --src-type LOCAL", 4, routes, tcp, packet.Env{}, "yes"},
		{"-m addrtype --dst-type LOCAL", 4, routes, tcp, packet.Env{}, "no"},
		{"-m addrtype --dst-type UNICAST,BROADCAST", 4, routes, tcp, packet.Env{}, "yes"},
		{"-m addrtype ! --dst-type UNICAST", 4, routes, tcp, packet.Env{}, "no"},
		{"-m addrtype --dst-type MULTICAST", 4, routes, multi, packet.Env{}, "yes"},
		{"-m addrtype --src-type LOCAL --limit-iface-in", 4, routes, tcp, packet.Env{}, "yes"},
		{"-m addrtype --src-type LOCAL --limit-iface-out", 4, routes, tcp, packet.Env{}, "the interface"},
		{"-m addrtype --dst-type MULTICAST", 4, nil, multi, packet.Env{}, "yes"},
		{"-m addrtype ! --dst-type MULTICAST,LOCAL", 4, nil, multi, packet.Env{}, "no"},
		{"-m addrtype --src-type LOCAL", 4, nil, tcp, packet.Env{}, "addrtype"},
		{"-m addrtype --src-type LOCAL", 4, nil, tcp, packet.Env{Has: packet.HasAddrTypes, SrcType: route.Local, DstType: route.Unicast}, "yes"},
		{"-m addrtype --dst-type LOCAL", 4, nil, tcp, packet.Env{Has: packet.HasAddrTypes, SrcType: route.Local, DstType: route.Unicast}, "no"},
		{"-m addrtype --dst-type LOCAL --limit-iface-in", 4, nil, tcp, packet.Env{Has: packet.HasAddrTypes}, "addrtype"},
		{"-m addrtype --dst-type LOCAL --limit-iface-in", 4, nil, tcp, packet.Env{Has: packet.HasAddrTypesIn, DstTypeIn: route.Local}, "yes"},
		{"-m addrtype --src-type LOCAL", 6, routes, tcp6, packet.Env{}, "yes"},
		{"-m addrtype --src-type UNICAST,LOCAL", 6, routes, tcp6, packet.Env{}, "yes"},
		{"-m addrtype --dst-type UNICAST,LOCAL", 6, routes, tcp6, packet.Env{}, "no"},
		{"-m addrtype --dst-type UNICAST", 6, nil, tcp6, packet.Env{}, "yes"},
		{"-m addrtype --dst-type UNICAST,MULTICAST", 6, nil, tcp6, packet.Env{}, "no"},
		{"-m addrtype --dst-type UNREACHABLE", 6, nil, tcp6, packet.Env{}, "addrtype"},
		{"-m addrtype --dst-type UNREACHABLE", 6, nil, tcp6, packet.Env{Has: packet.HasAddrTypes, DstType: route.Unreachable}, "yes"},
	} {
		table, r := ruleFor(t, c.rule, Options{Family: c.family, Routes: c.routes})
		require.Equal(t, c.routes != nil && !strings.Contains(c.rule, "limit"), r.Value.Ext.Plain(), c.rule)
		require.Equal(t, c.want, ask(t, table, xt.NewTraversal(table.Schema), c.data, says(c.env)), "%s %+v", c.rule, c.env)
	}
}
