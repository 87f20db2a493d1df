package route

// Types of addresses, as routing tables say them.

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

const tables = `default via 192.0.2.254 dev eth0 proto static metric 100
default via 192.0.2.253 dev eth1 metric 50
unreachable 198.51.100.0/24
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1
10.8.7.0/24 dev tun0 scope link
local 10.8.0.0/16 dev tun0 table local
anycast 10.9.0.0/16 dev eth0 table local
local 192.0.2.1 dev eth0 table local proto kernel scope host src 192.0.2.1
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.1
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
prohibit 203.0.113.0/24 table 77
2001:db8::/64 dev eth0 proto kernel metric 256 pref medium
unreachable 2001:db8:9::/48 dev lo metric 1024 pref medium
default via fe80::1 dev eth0 proto ra metric 1024 pref medium
local ::1 dev lo table local proto kernel metric 0 pref medium
local 2001:db8::7 dev eth0 table local proto kernel metric 0 pref medium
anycast 2001:db8::aaaa dev eth0 table local proto kernel metric 0 pref medium
local 2001:db8:d::/64 dev eth0 table local metric 1024 pref medium
anycast 2001:db8:e::7 dev eth0 table local metric 1024 pref medium
multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium
`

func TestTypesAreThoseThatTheKernelTells(t *testing.T) {
	table, err := Read(strings.NewReader(tables), Options{})
	require.NoError(t, err)
	for _, c := range []struct {
		addr, dev string
		want      Type
	}{
		{"192.0.2.1", "", Local}, {"192.0.2.1", "eth0", Local}, {"192.0.2.1", "eth1", Unicast},
		{"192.0.2.255", "", Broadcast}, {"192.0.2.7", "", Unicast}, {"8.8.8.8", "", Unicast},
		{"198.51.100.1", "", Unicast}, {"203.0.113.1", "", Unicast},
		{"10.8.1.1", "", Local}, {"10.8.7.1", "", Unicast}, {"10.9.1.1", "", Anycast},
		{"0.0.0.0", "", Broadcast}, {"0.0.0.1", "", Unicast}, {"255.255.255.255", "", Broadcast}, {"224.0.0.5", "eth7", Multicast}, {"240.0.0.1", "", Unicast},
		{"2001:db8::7", "", Unicast | Local}, {"2001:db8::8", "", Unicast}, {"2001:db8::", "", Unicast | Anycast}, {"2001:db8::aaaa", "", Unicast | Anycast},
		{"2001:db8:9::1", "", Unicast | Unreachable}, {"2001:db8:8::1", "", Unicast}, {"::", "", Unspec}, {"ff02::1", "", Multicast}, {"::1", "", Unicast | Local},
		{"::ffff:1.2.3.4", "", 0}, {"2001:db8::7", "eth1", Unicast | Unreachable},
		{"2001:db8:d::5", "", Unicast | Local}, {"2001:db8:d::5", "eth0", Unicast}, {"2001:db8:e::7", "", Unicast},
	} {
		require.Equal(t, c.want, table.Types(netip.MustParseAddr(c.addr), c.dev), "%s %s", c.addr, c.dev)
	}
	require.Len(t, table.Routes(), 18, "of two default routes one counts, and table 77 not")
	var none *Table
	require.Equal(t, Unicast, none.Types(netip.MustParseAddr("192.0.2.1"), ""))
	require.Equal(t, Unicast|Unreachable, none.Types(netip.MustParseAddr("2001:db8::1"), ""))
	require.Empty(t, none.Routes())
}

func TestIntervalsHoldTheAddressesOfTheTypes(t *testing.T) {
	table, err := Read(strings.NewReader(tables), Options{})
	require.NoError(t, err)
	require.Equal(t, []rules.Interval{
		{Lo: rules.Addr4(netip.MustParseAddr("10.8.0.0")), Hi: rules.Addr4(netip.MustParseAddr("10.8.6.255"))},
		{Lo: rules.Addr4(netip.MustParseAddr("10.8.8.0")), Hi: rules.Addr4(netip.MustParseAddr("10.8.255.255"))},
		{Lo: rules.Addr4(netip.MustParseAddr("127.0.0.0")), Hi: rules.Addr4(netip.MustParseAddr("127.255.255.255"))},
		{Lo: rules.Addr4(netip.MustParseAddr("192.0.2.1")), Hi: rules.Addr4(netip.MustParseAddr("192.0.2.1"))},
	}, table.Intervals(4, Local))
	for _, v4 := range []bool{true, false} {
		family, probes := 6, []string{"::", "::1", "::ffff:1.2.3.4", "2001:db8::", "2001:db8::7", "2001:db8::8", "2001:db8:9::", "2001:db8:a::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}
		if v4 {
			family, probes = 4, []string{"0.0.0.0", "0.0.0.1", "10.7.255.255", "10.8.0.0", "10.8.7.1", "10.9.0.0", "10.10.0.0", "192.0.2.0", "192.0.2.1", "192.0.2.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255"}
		}
		for asked := Type(0); asked < 256; asked++ {
			list := table.Intervals(family, asked)
			for _, p := range probes {
				a := netip.MustParseAddr(p)
				held := false
				for _, iv := range list {
					held = held || iv.Contains(value(a))
				}
				require.Equal(t, Match(v4, asked, table.Types(a, "")), held, "%s %#x", p, asked)
			}
		}
	}
}

func TestBadRoutesAreRefused(t *testing.T) {
	for text, reason := range map[string]string{
		"local":                     "routes:1: expected a prefix",
		"10.0.0.0/33 dev a":         "not a prefix",
		"nowhere dev a":             "neither an address nor a prefix",
		"10.0.0.0/8 metric nothing": "metric is not a number",
	} {
		_, err := Read(strings.NewReader(text), Options{File: "routes"})
		require.ErrorContains(t, err, reason)
	}
	_, err := Read(strings.NewReader(tables), Options{Limits: rules.Limits{MaxRules: 3}})
	require.ErrorIs(t, err, rules.ErrLimit)
	_, err = Read(strings.NewReader(tables), Options{Limits: rules.Limits{MaxInput: 100}})
	require.ErrorIs(t, err, rules.ErrLimit)
	table, err := Read(strings.NewReader("# comment\n\n10/8 dev a\nnexthop via 10.0.0.1\ndefault dev a\n"), Options{Family: 6})
	require.NoError(t, err)
	require.Len(t, table.Routes(), 2)
	require.True(t, table.Routes()[1].Dst.Addr().Is6())
}

func FuzzReadGivesTablesWhoseIntervalsAgreeWithTypes(f *testing.F) {
	f.Add(tables, uint16(Local))
	f.Fuzz(func(t *testing.T, text string, asked uint16) {
		table, err := Read(strings.NewReader(text), Options{Limits: rules.Limits{MaxRules: 100}})
		if err != nil {
			return
		}
		for _, family := range []int{4, 6} {
			for _, iv := range table.Intervals(family, asked) {
				require.True(t, Match(family == 4, asked, table.Types(address(iv.Lo, family), "")))
				require.True(t, Match(family == 4, asked, table.Types(address(iv.Hi, family), "")))
			}
		}
	})
}
