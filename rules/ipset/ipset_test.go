package ipset

// Sets are read, written back, and asked.

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, text string) *Sets {
	t.Helper()
	sets, err := Read(strings.NewReader(text), Options{File: "sets"})
	require.NoError(t, err)
	return sets
}

var start = time.Date(2024, 5, 14, 9, 30, 0, 0, time.UTC)

func written(t *testing.T, s *Sets) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, Write(&b, s, start))
	return b.String()
}

const saved = `create hosts hash:ip family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x7e8ac9ee
add hosts 192.0.2.1
add hosts 192.0.2.7
create sites hash:ip family inet6 hashsize 1024 maxelem 65536 netmask 64 timeout 100 counters comment skbinfo bucketsize 12 initval 0xb92e1f22
add sites 2001:db8:: timeout 49 packets 3 bytes 4 comment "the first" skbmark 0x1/0xff skbprio 1:10 skbqueue 3
add sites 2001:db9:: timeout 0 packets 0 bytes 0
create block bitmap:ip range 192.0.2.0-192.0.2.255 netmask 28
add block 192.0.2.16
create seats bitmap:ip,mac range 192.0.2.0-192.0.2.255
add seats 192.0.2.1,01:02:03:04:05:06
add seats 192.0.2.2
create doors bitmap:port range 0-1000
add doors 22
add doors 80
create nets hash:net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x7e189afd
add nets 10.0.0.0/8
add nets 10.1.0.0/16 nomatch
add nets 10.1.1.1
create shops hash:ip,port family inet hashsize 1024 maxelem 65536
add shops 192.0.2.1,tcp:80
add shops 192.0.2.1,icmp:echo-request
add shops 192.0.2.1,icmp:3/99
add shops 192.0.2.2,vrrp:0
add shops 192.0.2.3,200:0
create pairs hash:ip,port,ip family inet
add pairs 192.0.2.1,tcp:80,192.0.2.2
create ways hash:ip,port,net family inet
add ways 192.0.2.1,tcp:80,10.0.0.0/24
create places hash:net,iface family inet
add places 10.0.0.0/24,eth0
add places 10.0.0.0/8,eth nomatch wildcard
add places 10.0.0.0/8,physdev:eth1
add places 0.0.0.0/0,lo
create cards hash:mac hashsize 1024 maxelem 65536
add cards 01:02:03:0A:0B:0C
create marks hash:ip,mark family inet markmask 0xff
add marks 192.0.2.1,0x00000003
create both hash:ip,mac family inet
add both 192.0.2.1,01:02:03:04:05:06
create links hash:net,net family inet
add links 10.0.0.0/8,192.0.2.0/24
create triples hash:net,port,net family inet
add triples 10.0.0.0/8,udp:53,192.0.2.0/24
create ports6 hash:net,port family inet6
add ports6 2001:db8::/32,ipv6-icmp:neighbour-solicitation
create all list:set size 4
add all nets
add all hosts
`

func TestWhatIpsetSavesReadsAndPrintsTheSame(t *testing.T) {
	s := read(t, saved)
	require.Equal(t, saved, written(t, s))
	require.Equal(t, saved, written(t, read(t, written(t, s))))
	covered := map[string]bool{}
	for _, set := range s.All() {
		covered[set.Type] = true
	}
	require.Len(t, covered, len(Types()), "every type is in the example")
	require.Equal(t, []string{"nets", "hosts"}, s.Find("all").Members())
	require.Nil(t, s.Find("none"))
	var none *Sets
	require.Nil(t, none.Find("hosts"))
	require.Empty(t, none.All())
}

func TestRangesAndShortFormsBecomeEntries(t *testing.T) {
	s := read(t, `# by hand
-N a iphash
-A a 192.0.2.1-192.0.2.3 -exist
add a 192.0.2.8/30

create b nethash
add b 10.0.0.0-10.0.0.5
create c hash:ip,port
add c 192.0.2.1-192.0.2.2,80-81
add c 192.0.2.1,http
create d bitmap:port range 10-20
add d 12-14
create l setlist
add l a
add l b before a
add l c after b
create m hash:ip netmask 24
add m 192.0.2.0-192.0.4.9
`)
	require.Equal(t, `create a hash:ip
add a 192.0.2.1
add a 192.0.2.2
add a 192.0.2.3
add a 192.0.2.8
add a 192.0.2.9
add a 192.0.2.10
add a 192.0.2.11
create b hash:net
add b 10.0.0.0/30
add b 10.0.0.4/31
create c hash:ip,port
add c 192.0.2.2,tcp:80
add c 192.0.2.1,tcp:81
add c 192.0.2.2,tcp:81
add c 192.0.2.1,tcp:80
create d bitmap:port range 10-20
add d 12
add d 13
add d 14
create m hash:ip netmask 24
add m 192.0.2.0
add m 192.0.3.0
add m 192.0.4.0
create l list:set
add l b
add l c
add l a
`, written(t, s))
}

func TestBadLinesAreRefusedWithPlaceAndReason(t *testing.T) {
	for text, reason := range map[string]string{
		"swap a b c":                         "sets:1: expected create or add",
		"create a":                           "expected create NAME TYPE",
		"create a hash:name":                 "not a type of set",
		"create a hash:ip\ncreate a hash:ip": "sets:2: the set is created twice",
		"create " + strings.Repeat("x", 32) + " hash:ip":             "1 to 31 bytes",
		"create a hash:ip size":                                      "needs a value",
		"create a hash:ip colour 3":                                  "not an option of create",
		"create a hash:ip family inet5":                              "inet or inet6",
		"create a hash:ip netmask 33":                                "0..32",
		"create a bitmap:ip":                                         "needs a range",
		"create a bitmap:port range 20-10":                           "expected PORT-PORT",
		"create a hash:ip netmask 0":                                 "1..32",
		"create a bitmap:ip family inet6":                            "for IPv4",
		"add a 1.2.3.4":                                              "no set of this name",
		"create a hash:ip\nadd a ::1":                                "not an IPv4 address",
		"create a hash:ip\nadd a 0.0.0.0":                            "the address 0",
		"create a hash:ip\nadd a 1.2.3.4,80":                         "has 1 parts",
		"create a hash:ip\nadd a 1.2.3.4 nomatch":                    "no networks",
		"create a hash:ip\nadd a 1.2.3.4 timeout 5":                  "not created with a timeout",
		"create a hash:ip\nadd a 1.2.3.4 comment \"x":                "unterminated quote",
		"create a hash:ip\nadd a 1.2.3.4/33":                         "0..32",
		"create a hash:ip family inet6\nadd a ::/64":                 "single ones",
		"create a bitmap:ip range 10.0.0.0/24\nadd a 10.0.1.0":       "outside the set's range",
		"create a hash:ip,port\nadd a 1.2.3.4,icmp:nothing":          "TYPE/CODE",
		"create a hash:ip,port\nadd a 1.2.3.4,nothing:5":             "not a protocol",
		"create a hash:mac\nadd a 01:02:03":                          "not a MAC address",
		"create a hash:net,iface\nadd a 10.0.0.0/8,morethan15bytes0": "interface name",
		"create a list:set\nadd a b":                                 "no set of this name",
		"create a list:set\ncreate b list:set\nadd a b":              "a list cannot be in a list",
		"create a hash:ip skbinfo\nadd a 1.2.3.4 skbprio 3":          "MAJOR:MINOR",
	} {
		_, err := Read(strings.NewReader(text), Options{File: "sets"})
		require.ErrorContains(t, err, reason, text)
	}
	for text, l := range map[string]rules.Limits{
		"create a hash:ip\nadd a 10.0.0.0/8":              {MaxElements: 1000},
		"create a hash:ip\nadd a 10.0.0.0/24":             {MaxRules: 100},
		"create a hash:ip\ncreate b hash:ip":              {MaxChains: 1},
		"create a hash:ip,port\nadd a 10.0.0.0/24,1-6000": {MaxElements: 10000},
	} {
		_, err := Read(strings.NewReader(text), Options{Limits: l})
		require.ErrorIs(t, err, rules.ErrLimit, text)
	}
}

// sent makes a packet from "proto src:sport dst:dport".
func sent(proto uint8, src string, sport uint16, dst string, dport uint16) *packet.Packet {
	p := &packet.Packet{Proto: proto, SrcPort: sport, DstPort: dport, Length: 60, Has: packet.HasProto | packet.HasLength}
	switch proto {
	case packet.ICMP, packet.ICMPv6:
		p.ICMPType, p.ICMPCode, p.SrcPort, p.DstPort = uint8(sport), uint8(dport), 0, 0
		p.Has |= packet.HasICMP
	case packet.TCP, packet.UDP:
		p.Has |= packet.HasPorts
	}
	p.SetAddrs(addr(src), addr(dst))
	return p
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func query(dirs string) *Query {
	q := &Query{}
	for _, d := range strings.Split(dirs, ",") {
		if d == "src" {
			q.Src |= 1 << q.N
		}
		q.N++
	}
	return q
}

func TestPacketsAreInSetsAsTheKernelSays(t *testing.T) {
	sets := read(t, saved)
	tcp := sent(packet.TCP, "192.0.2.1", 4000, "10.0.0.9", 80)
	for _, c := range []struct {
		set, dirs string
		p         *packet.Packet
		want      bool
	}{
		{"hosts", "src", tcp, true},
		{"hosts", "dst", tcp, false},
		{"hosts", "src,dst,dst", tcp, true},
		{"hosts", "src", sent(6, "2001:db8::1", 1, "2001:db8::2", 2), false},
		{"sites", "src", sent(6, "2001:db8::1", 1, "2001:db8:0:1::2", 2), true},
		{"sites", "dst", sent(6, "2001:db8::1", 1, "2001:db8:0:1::2", 2), false},
		{"block", "src", sent(6, "192.0.2.20", 1, "192.0.2.32", 2), true},
		{"block", "dst", sent(6, "192.0.2.20", 1, "192.0.2.32", 2), false},
		{"doors", "dst", tcp, true},
		{"doors", "src", tcp, false},
		{"doors", "dst", sent(132, "192.0.2.1", 1, "192.0.2.2", 80), false},
		{"nets", "dst", tcp, true},
		{"nets", "dst", sent(6, "192.0.2.1", 1, "10.1.2.3", 2), false},
		{"nets", "dst", sent(6, "192.0.2.1", 1, "10.1.1.1", 2), true},
		{"shops", "src,dst", tcp, true},
		{"shops", "src,src", tcp, false},
		{"shops", "src", tcp, false}, // one direction is too few
		{"shops", "src,dst", sent(17, "192.0.2.1", 1, "10.0.0.9", 80), false},
		{"shops", "src,dst", sent(1, "192.0.2.1", 8, "10.0.0.9", 0), true},
		{"shops", "src,dst", sent(1, "192.0.2.1", 3, "10.0.0.9", 99), true},
		{"shops", "src,dst", sent(200, "192.0.2.3", 0, "10.0.0.9", 0), true},
		{"pairs", "src,dst,dst", sent(6, "192.0.2.1", 1, "192.0.2.2", 80), true},
		{"pairs", "src,dst,src", sent(6, "192.0.2.1", 1, "192.0.2.2", 80), false},
		{"ways", "src,dst,dst", tcp, true},
		{"links", "dst,src", tcp, true},
		{"links", "src,dst", tcp, false},
		{"triples", "src,dst,dst", sent(17, "10.3.3.3", 1, "192.0.2.2", 53), true},
		{"ports6", "src,dst", sent(58, "2001:db8::1", 135, "2001:db8::2", 0), true},
		{"all", "src", tcp, true},
		{"all", "dst", tcp, true},
		{"all", "dst", sent(6, "192.0.2.1", 1, "10.1.2.3", 2), false},
	} {
		in, e, missing := sets.Find(c.set).Test(c.p, query(c.dirs), start, sets.Find)
		require.Empty(t, missing)
		require.Equal(t, c.want, in, "%s %s %v", c.set, c.dirs, c.p)
		require.Equal(t, in, in && e != nil)
	}
	q := query("dst")
	q.ReturnNoMatch = true
	in, _, _ := sets.Find("nets").Test(sent(6, "192.0.2.1", 1, "10.1.2.3", 2), q, start, sets.Find)
	require.True(t, in, "the exception is what is asked for")
	in, _, _ = sets.Find("nets").Test(tcp, q, start, sets.Find)
	require.False(t, in)
}

func TestSetsOfLinksAndMarksAskWhatThePacketIsKnownBy(t *testing.T) {
	sets := read(t, saved)
	p := sent(6, "192.0.2.1", 1, "10.0.0.9", 2)
	ask := func(set, dirs string) (bool, string) {
		in, _, missing := sets.Find(set).Test(p, query(dirs), start, sets.Find)
		return in, missing
	}
	_, missing := ask("places", "dst,src")
	require.Equal(t, "the interface", missing)
	p.SetIn("eth0")
	in, _ := ask("places", "dst,src")
	require.True(t, in)
	p.SetIn("eth1")
	in, _ = ask("places", "dst,src")
	require.False(t, in, "the network of eth0 is more specific, and decides")
	p.SetIn("lo")
	in, _ = ask("places", "src,src")
	require.True(t, in)
	in, _ = ask("cards", "src")
	require.False(t, in, "no Ethernet address")
	p.SMAC, p.Has = 0x0102030a0b0c, p.Has|packet.HasSMAC
	in, _ = ask("cards", "src")
	require.True(t, in)
	p.Mark = 0x103
	in, _ = ask("marks", "src,src")
	require.True(t, in, "the set's mask cuts the packet's mark")
	in, _ = ask("seats", "src,src")
	require.False(t, in, "another card")
	p.SMAC = 0x010203040506
	in, _ = ask("seats", "src,src")
	require.True(t, in)
	in, _ = ask("both", "src,src")
	require.True(t, in)
	p.SetAddrs(addr("192.0.2.2"), addr("10.0.0.9"))
	in, _ = ask("seats", "src,src")
	require.True(t, in, "the first card that comes takes the seat")
	p.SMAC = 0x010203040507
	in, _ = ask("seats", "src,src")
	require.False(t, in)
}

func TestEntriesEndWhenTheirTimeIsOver(t *testing.T) {
	first := read(t, "create a hash:ip timeout 10\nadd a 192.0.2.1\nadd a 192.0.2.2 timeout 0\nadd a 192.0.2.3 timeout 3\n").Find("a")
	require.False(t, first.Static())
	s := first.Clone(start)
	in := func(src string, after time.Duration) bool {
		ok, _, _ := s.Test(sent(6, src, 1, "192.0.2.9", 2), query("src"), start.Add(after), nil)
		return ok
	}
	require.True(t, in("192.0.2.1", 9*time.Second))
	require.False(t, in("192.0.2.1", 10*time.Second))
	require.True(t, in("192.0.2.2", time.Hour))
	require.False(t, in("192.0.2.3", 3*time.Second))
	p := sent(6, "192.0.2.1", 1, "192.0.2.9", 2)
	d := query("src").Directions
	require.Equal(t, Unchanged, s.Add(p, d, nil, false, start.Add(5*time.Second), nil))
	require.False(t, in("192.0.2.1", 11*time.Second))
	require.Equal(t, Changed, s.Add(p, d, nil, true, start.Add(5*time.Second), nil), "renewed")
	require.True(t, in("192.0.2.1", 14*time.Second))
	twenty := 20 * time.Second
	require.Equal(t, Changed, s.Add(sent(6, "192.0.2.8", 1, "192.0.2.9", 2), d, &twenty, false, start, nil))
	require.True(t, in("192.0.2.8", 19*time.Second))
	require.Equal(t, Changed, s.Del(p, d, start, nil))
	require.Equal(t, Unchanged, s.Del(p, d, start, nil))
	require.False(t, in("192.0.2.1", 0))
	require.True(t, first.Len() == 3, "the first one is as it was")
}

func TestRulesAddNetworksOfTheLongestPrefixInUse(t *testing.T) {
	sets := read(t, "create n hash:net\nadd n 10.0.0.0/8\nadd n 10.1.0.0/24\ncreate full hash:ip maxelem 1\nadd full 192.0.2.1\ncreate l list:set\nadd l full\nadd l n\n")
	n, l := sets.Find("n"), sets.Find("l")
	d := query("src").Directions
	require.Equal(t, Full, sets.Find("full").Add(sent(6, "192.0.2.2", 1, "10.0.0.9", 2), d, nil, false, start, nil))
	require.Equal(t, Changed, l.Add(sent(6, "192.0.2.2", 1, "10.0.0.9", 2), d, nil, false, start, sets.Find), "the second member takes it")
	in, e, _ := n.Test(sent(6, "192.0.2.77", 1, "10.0.0.9", 2), query("src"), start, nil)
	require.True(t, in)
	require.Equal(t, "192.0.2.0/24", n.element(e))
	require.Equal(t, Changed, l.Del(sent(6, "192.0.2.2", 1, "10.0.0.9", 2), d, start, sets.Find))
	in, _, _ = n.Test(sent(6, "192.0.2.77", 1, "10.0.0.9", 2), query("src"), start, nil)
	require.False(t, in)
}

func TestCountersCountAndAreCompared(t *testing.T) {
	sets := read(t, "create c hash:ip counters\nadd c 192.0.2.1 packets 2 bytes 100\ncreate l list:set counters\nadd l c\n")
	p := sent(6, "192.0.2.1", 1, "10.0.0.9", 2)
	c := sets.Find("c")
	q := query("src")
	q.Packets = Comparison{Greater, 3}
	in, _, _ := c.Test(p, q, start, nil)
	require.False(t, in, "the third packet")
	in, e, _ := c.Test(p, q, start, nil)
	require.True(t, in)
	require.EqualValues(t, 220, e.Bytes)
	q.KeepCounters = true
	c.Test(p, q, start, nil)
	require.EqualValues(t, 4, e.Packets)
	q = query("src")
	q.KeepSubCounters = true
	q.Bytes = Comparison{Equal, 60}
	in, _, _ = sets.Find("l").Test(p, q, start, sets.Find)
	require.True(t, in, "the list's own counter, of its first packet")
	require.EqualValues(t, 4, e.Packets)
	for op, want := range map[CompareOp]bool{Any: true, Equal: true, NotEqual: false, Less: false, Greater: false} {
		require.Equal(t, want, Comparison{op, 5}.holds(5))
	}
}

func TestIntervalsHoldWhatTheSetHolds(t *testing.T) {
	sets := read(t, `create a hash:net
add a 10.0.0.0/8
add a 10.1.0.0/16 nomatch
add a 10.1.1.0/24
add a 10.1.1.128/25 nomatch
add a 0.0.0.0/1 nomatch
add a 192.0.2.0/25
add a 192.0.2.128/25
add a 255.255.255.255
create b hash:ip netmask 24
add b 192.0.2.0
create c bitmap:ip range 192.0.2.3-192.0.2.20 netmask 29
add c 192.0.2.3
add c 192.0.2.16
create d bitmap:port range 1-100
add d 1-3
create e hash:ip,port
create f hash:ip bitmask 255.0.255.0
create g hash:ip timeout 5
add g 192.0.2.1
create h hash:net family inet6
add h 2001:db8::/32
add h 8000::/1
`)
	list, ok := sets.Find("d").Intervals(false)
	require.True(t, ok)
	require.Equal(t, []rules.Interval{rules.Span(1, 3)}, list)
	list, ok = sets.Find("h").Intervals(false)
	require.True(t, ok)
	require.Len(t, list, 2)
	for _, name := range []string{"e", "f", "g"} {
		_, ok := sets.Find(name).Intervals(false)
		require.False(t, ok, name)
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, turned := range []bool{false, true} {
			s := sets.Find(name)
			list, ok := s.Intervals(turned)
			require.True(t, ok)
			q := query("src")
			q.ReturnNoMatch = turned
			asked := 0
			for _, base := range []string{"9.255.255.255", "10.0.0.0", "10.0.255.255", "10.1.0.0", "10.1.0.255", "10.1.1.0", "10.1.1.127", "10.1.1.128", "10.1.2.0",
				"10.2.0.0", "11.0.0.0", "127.255.255.255", "128.0.0.0", "192.0.2.0", "192.0.2.3", "192.0.2.7", "192.0.2.8", "192.0.2.16", "192.0.2.20", "192.0.2.21", "192.0.2.255", "255.255.255.255", "0.0.0.1"} {
				in, _, _ := s.Test(sent(6, base, 1, "192.0.2.9", 2), q, start, nil)
				held := false
				for _, iv := range list {
					held = held || iv.Contains(rules.Addr4(addr(base)))
				}
				require.Equal(t, in, held, "%s %s %v", name, base, turned)
				asked++
			}
			require.NotZero(t, asked)
			for i := 1; i < len(list); i++ {
				require.True(t, list[i-1].Hi.Next().Less(list[i].Lo), "ascending, with gaps")
			}
		}
	}
}

func TestTheFamilyMayStandBehindTheMask(t *testing.T) {
	s := read(t, "create a hash:ip netmask 64 family inet6\nadd a 2001:db8::1\n")
	require.Contains(t, written(t, s), "add a 2001:db8::\n")
}

func FuzzReadGivesSetsThatPrintAndReadBack(f *testing.F) {
	f.Add(saved)
	f.Add("create a hash:ip\nadd a 10.0.0.0/24 -exist\ncreate l list:set\nadd l a before a\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := rules.Limits{MaxElements: 1000, MaxRules: 10000}
		sets, err := Read(strings.NewReader(text), Options{Limits: l})
		if err != nil {
			return
		}
		out := written(t, sets)
		again, err := Read(strings.NewReader(out), Options{Limits: l})
		require.NoError(t, err, out)
		require.Equal(t, out, written(t, again))
		p := sent(6, "10.0.0.1", 80, "10.0.0.2", 90)
		for _, s := range sets.All() {
			s.Intervals(true)
			c := s.Clone(start)
			c.Test(p, query("src,dst,src"), start, sets.Find)
			c.Add(p, query("src,dst,src").Directions, nil, true, start, sets.Find)
			c.Del(p, query("src,dst,src").Directions, start, sets.Find)
		}
	})
}

func TestPortsThatWereNotCapturedAreMissing(t *testing.T) {
	sets := read(t, "create ports hash:ip,port family inet\nadd ports 10.0.0.9,tcp:80\ncreate hosts hash:ip family inet\nadd hosts 10.0.0.9\n")
	data := sent(packet.TCP, "192.0.2.1", 4000, "10.0.0.9", 80).AppendIP(nil)
	for _, n := range []int{len(data), 23} {
		var p packet.Packet
		require.NoError(t, p.DecodeWire(data[:n], len(data), packet.LinkRaw))
		in, _, missing := sets.Find("ports").Test(&p, query("dst,dst"), time.Time{}, sets.Find)
		require.Equal(t, n == len(data), in)
		require.Equal(t, n < len(data), missing != "", missing)
		in, _, missing = sets.Find("hosts").Test(&p, query("dst"), time.Time{}, sets.Find)
		require.True(t, in)
		require.Empty(t, missing)
	}
}
