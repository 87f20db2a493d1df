package iptables

// Matches with a memory and matches on connections, from their text to what
// they answer to one packet after another.

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// play reads a rule into a chain and sends packets through it, of the form
// "source[/length][@seconds]", and returns "1" for each that the rule matched,
// "0" for others, "!" for those that it dropped and "?" where nobody knows.
func play(t *testing.T, rule, packets string, prepare func(*xt.Traversal)) string {
	t.Helper()
	rs, err := Read(strings.NewReader("*mangle\n:c - [0:0]\n-A c "+rule+" -j ACCEPT\nCOMMIT\n"), Options{Family: 4, ConnLabels: "3 blue\n"})
	require.NoError(t, err, rule)
	table := rs.Tables[0]
	tr := xt.NewTraversal(table.Schema)
	start := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC) // a Monday
	now := start
	tr.State = &xt.State{Now: func() time.Time { return now }, Random: func() uint32 { return 1 << 30 }}
	got := ""
	for _, text := range strings.Fields(packets) {
		text, at, timed := strings.Cut(text, "@")
		if timed {
			d, err := time.ParseDuration(at + "s")
			require.NoError(t, err)
			now = start.Add(d)
		}
		src, size, _ := strings.Cut(text, "/")
		length := uint64(100)
		if size != "" {
			length, err = parseDecimal(size)
			require.NoError(t, err)
		}
		p := &tr.Packet
		*p = packet.Packet{Has: packet.HasProto | packet.HasPorts | packet.HasLength, Proto: packet.UDP, SrcPort: 5000, DstPort: 53, TTL: 64, Length: uint32(length)}
		p.SetAddrs(netip.MustParseAddr("10.0.0."+src), netip.MustParseAddr("192.0.2.1"))
		tr.Reset()
		if prepare != nil {
			prepare(tr)
		}
		matched := "0"
		result := table.Run(tr, table.Find("c"), func(rules.Place) { matched = "1" })
		switch {
		case result.Dropped:
			matched = "!"
		case result.Needs != "":
			matched = "?"
		}
		got += matched
	}
	return got
}

func TestStatefulMatchesAnswerOverTime(t *testing.T) {
	account := func(tr *xt.Traversal) {
		if _, ok := tr.State.Account("web"); !ok {
			tr.State.SetAccount("web", xt.Account{HasQuota: true, Quota: 250})
		}
	}
	for _, c := range []struct {
		rule, packets, want string
		prepare             func(*xt.Traversal)
	}{
		{"-m limit --limit 2/s --limit-burst 3", "1 1 1 1 1@0.4 1@0.5 1@0.6 1@9 1 1 1", "11100101110", nil},
		{"-m limit", "1 1 1 1 1 1 1@1199 1@1200", "11111001", nil},
		{"-s 10.0.0.1 -m limit --limit 1/h --limit-burst 1", "2 2 1 1 2", "00100", nil},
		{"-m limit --limit 1/h --limit-burst 1 -s 10.0.0.1", "2 2 1 1 2", "00100", nil}, // addresses come first wherever they stand
		{"-m limit --limit 1/h --limit-burst 2 -m mark --mark 1", "1 1 1", "000", nil},
		{"-m mark --mark 0 -m limit --limit 1/h --limit-burst 2", "1 1 1", "110", nil},
		{"-m statistic --mode nth --every 2 --packet 0 -m statistic --mode nth --every 2 --packet 0", "1 1 1 1 1 1", "100010", nil},
		{"-s 10.0.0.1,10.0.0.2 -m quota --quota 150", "1 2 1 2", "1100", nil}, // two rules of the kernel
		{"-s 10.0.0.0/8 -m quota --quota 150", "1 2 1 2", "1000", nil},
		{"-m quota --quota 250", "1/100 1/200 1/10", "100", nil},
		{"-m quota ! --quota 250", "1/100 1/200 1/10", "011", nil},
		{"-m statistic --mode nth --every 3 --packet 1", "1 1 1 1 1 1", "010010", nil},
		{"-m statistic --mode nth ! --every 3 --packet 1", "1 1 1 1 1 1", "101101", nil},
		{"-m statistic --mode random --probability 0.4", "1", "0", nil},
		{"-m statistic --mode random --probability 0.6", "1", "1", nil},
		{"-m statistic --mode random ! --probability 0.6", "1", "0", nil},
		{"-m recent --set --name a -m recent --rcheck --name a --hitcount 3", "1 1 2 1 2 1", "000101", nil},
		{"-m recent ! --update --name a --seconds 5 -m recent --set --name a", "1 1@4 1@8 2@8 1@12", "10110", nil}, // what does not hold is not updated,
		{"-m recent --rcheck --name a", "1 1", "00", nil},
		{"-m hashlimit --hashlimit-upto 1/s --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-name a --hashlimit-htable-expire 9000", "1 1 1 2 1@1 1 2", "1101101", nil},
		{"-m hashlimit --hashlimit-above 1/s --hashlimit-burst 2 --hashlimit-name b", "1 1 2 2", "0011", nil},
		{"-m hashlimit --hashlimit-upto 1kb/s --hashlimit-name c", "1/512 1/450 1/100", "110", nil},
		{"-m hashlimit --hashlimit-upto 1/h --hashlimit-mode srcip --hashlimit-htable-size 1 --hashlimit-htable-max 1 --hashlimit-name d", "1 2 1", "1!1", nil},
		{"-m hashlimit --hashlimit-upto 1/h --hashlimit-burst 1 --hashlimit-name e -m hashlimit --hashlimit-upto 1/h --hashlimit-name e", "1", "0", nil}, // one table for both
		{"-m nfacct --nfacct-name web", "1 1 1", "001", account},
		{"-m nfacct --nfacct-name ftp", "1", "?", account},
		{"-m time --timestart 12:00 --timestop 12:00:10", "1 1@10 1@11", "110", nil},
		{"-m time --weekdays Mon,Wed", "1 1@86400 1@172800", "101", nil},
		{"-m time ! --weekdays Mon", "1 1@86400", "01", nil},
		{"-m time --monthdays 7", "1 1@86400", "01", nil},
		{"-m time ! --monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31", "1", "0", nil},
		{"-m time --datestart 2024-05-06T12:00:05 --datestop 2024-05-06T12:00:06", "1 1@5 1@6 1@7", "0110", nil},
		{"-m rateest --rateest none --rateest-gt --rateest-pps 0", "1", "?", nil},
		{"-m rateest --rateest none --rateest-eq --rateest-bps 0", "1", "?", nil},
		{"-m rateest --rateest none ! --rateest-eq --rateest-bps 0", "1", "?", nil},
		{"-m rateest --rateest1 x --rateest-lt --rateest-bps --rateest2 y", "1", "1", func(tr *xt.Traversal) {
			tr.State.Feed(xt.Estimator{Name: "x", EWMALog: 3}, 1)
			for range 9 {
				tr.State.Feed(xt.Estimator{Name: "y", EWMALog: 3}, 1e6)
			}
			now := tr.State.Now()
			tr.State.Now = func() time.Time { return now.Add(time.Second) }
		}},
		{"-m rateest --rateest1 x --rateest-lt --rateest-bps --rateest2 y", "1", "?", func(tr *xt.Traversal) {
			tr.State.Feed(xt.Estimator{Name: "x", EWMALog: 3}, 1)
		}},
		{"-p tcp -m osf --genre Linux", "1", "0", nil},
	} {
		require.Equal(t, c.want, play(t, c.rule, c.packets, c.prepare), "%s: %s", c.rule, c.packets)
	}
}

func TestEstimatorsAreKnownOnceARuleFeedsThem(t *testing.T) {
	ask := func(rules string) (needs string, matched bool) {
		rs, err := Read(strings.NewReader("*mangle\n:c - [0:0]\n:d - [0:0]\n"+rules+"COMMIT\n"), Options{Family: 4})
		require.NoError(t, err)
		tr := xt.NewTraversal(rs.Tables[0].Schema)
		tr.State = &xt.State{}
		tr.Packet.SetAddrs(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.1"))
		result := rs.Tables[0].Run(tr, rs.Tables[0].Find("c"), nil)
		return result.Needs, result.Verdict.String() == "DROP"
	}
	const zero = "-A c -m rateest --rateest x --rateest-eq --rateest-pps 0 -j DROP\n"
	const below = "-A c -m rateest --rateest1 x --rateest-lt --rateest-pps --rateest2 y -j DROP\n"
	const feeds = "-A d -j RATEEST --rateest-name x --rateest-interval 250ms --rateest-ewmalog 1s\n"
	for _, c := range []struct {
		rules, needs string
		matched      bool
	}{
		{zero, "the estimator x", false},
		{strings.ReplaceAll(zero, "x ", "y ") + feeds, "the estimator y", false},
		{zero + feeds, "", true}, // before a packet has come to it
		{feeds + zero, "", true},
		{below + feeds, "the estimator y", false},
		{below + feeds + strings.ReplaceAll(feeds, "x", "y"), "", false},
	} {
		needs, matched := ask(c.rules)
		require.Equal(t, c.needs, needs, c.rules)
		require.Equal(t, c.matched, matched, c.rules)
	}
}

// connected gives the packets connections: one for each source.
func connected(change func(*packet.Conn)) func(*xt.Traversal) {
	conns := map[[4]uint32]*packet.Conn{}
	return func(tr *xt.Traversal) {
		p := &tr.Packet
		c := conns[p.Src]
		if c == nil {
			c = &packet.Conn{ID: uint64(len(conns)), Proto: 17, Orig: [2]packet.Endpoint{{Addr: p.Src, Port: 5000}, {Addr: p.Dst, Port: 53}},
				Repl: [2]packet.Endpoint{{Addr: p.Dst, Port: 53}, {Addr: p.Src, Port: 5000}}, Expires: 30}
			conns[p.Src] = c
		}
		c.Seen[0].Packets++
		c.Seen[0].Bytes += uint64(p.Length)
		if change != nil {
			change(c)
		}
		p.Conn = c
		p.SetCTState(8) // NEW
	}
}

func TestMatchesOnConnections(t *testing.T) {
	invalid := func(tr *xt.Traversal) { tr.Packet.SetCTState(1) }
	untracked := func(tr *xt.Traversal) { tr.Packet.SetCTState(16) }
	for _, c := range []struct {
		rule    string
		plain   string // of a connection's first packet from 10.0.0.1
		changed string // of one with a reply, a mark, labels and a helper
		none    string // of an INVALID packet
	}{
		{"-m conntrack --ctstate NEW", "1", "1", "0"},
		{"-m conntrack ! --ctstate NEW", "0", "0", "1"},
		{"-m conntrack --ctstate NEW,INVALID --ctproto tcp", "0", "0", "1"}, // without a connection the state is all
		{"-m conntrack --ctstate NEW,INVALID --ctproto udp", "1", "1", "1"},
		{"-m conntrack --ctstate INVALID --ctproto udp", "0", "0", "1"},
		{"-m conntrack ! --ctstate ESTABLISHED --ctdir REPLY", "0", "1", "1"},
		{"-m conntrack --ctstate NEW --ctdir REPLY", "0", "1", "0"},
		{"-m conntrack --ctproto udp", "1", "1", "0"},
		{"-m conntrack ! --ctproto udp", "0", "0", "0"},
		{"-m conntrack --ctorigsrc 10.0.0.1", "1", "1", "0"},
		{"-m conntrack ! --ctorigsrc 10.0.0.0/30", "0", "0", "0"},
		{"-m conntrack --ctorigdst 192.0.2.0/255.0.255.0", "1", "1", "0"},
		{"-m conntrack --ctreplsrc 192.0.2.1 --ctrepldst 10.0.0.1", "1", "1", "0"},
		{"-m conntrack --ctorigsrc 0.0.0.0/0", "1", "1", "0"},
		{"-m conntrack ! --ctorigsrc 0.0.0.0/0", "0", "0", "0"},
		{"-m conntrack --ctorigsrcport 5000 --ctorigdstport 50:60", "1", "1", "0"},
		{"-m conntrack ! --ctreplsrcport 53", "0", "0", "0"},
		{"-m conntrack --ctrepldstport 5000:", "1", "1", "0"},
		{"-m conntrack --ctstatus SEEN_REPLY,ASSURED", "0", "1", "0"},
		{"-m conntrack ! --ctstatus SEEN_REPLY", "1", "0", "0"},
		{"-m conntrack --ctstatus NONE", "0", "0", "0"},
		{"-m conntrack ! --ctstatus NONE", "1", "1", "0"},
		{"-m conntrack --ctexpire 20:40", "1", "1", "0"},
		{"-m conntrack ! --ctexpire 20:40", "0", "0", "0"},
		{"-m conntrack --ctdir ORIGINAL", "1", "0", "0"},
		{"-m conntrack --ctdir REPLY", "0", "1", "0"},
		{"-m state --state NEW,RELATED", "1", "1", "0"},
		{"-m state ! --state NEW,RELATED", "0", "0", "1"},
		{"-m connmark --mark 0x5/0xf", "0", "1", "0"},
		{"-m connmark ! --mark 0x5/0xf", "1", "0", "0"},
		{"-m helper --helper ftp", "0", "1", "0"},
		{"-m helper --helper ftp-2121", "0", "1", "0"},
		{"-m helper --helper ft", "0", "0", "0"},
		{"-m helper --helper \"\"", "0", "1", "0"},
		{"-m helper ! --helper ftp", "1", "0", "1"},
		{"-m helper ! --helper \"\"", "1", "0", "1"},
		{"-m connlabel --label 3", "0", "1", "0"},
		{"-m connlabel --label blue", "0", "1", "0"},
		{"-m connlabel ! --label 3", "1", "0", "1"},
		{"-m connlabel --label 3 --set", "1", "1", "0"},
		{"-m connlabel ! --label 3 --set", "0", "0", "1"},
		{"-m connlabel --label 100", "0", "1", "0"},
		{"-m connbytes --connbytes 2 --connbytes-mode packets --connbytes-dir reply", "0", "1", "0"},
		{"-m connbytes --connbytes 0:100 --connbytes-mode bytes --connbytes-dir both", "1", "0", "0"},
		{"-m connbytes ! --connbytes 0:100 --connbytes-mode bytes --connbytes-dir both", "0", "1", "0"},
		{"-m connbytes --connbytes 100:100 --connbytes-mode avgpkt --connbytes-dir original", "1", "1", "0"},
		{"-m connlimit --connlimit-above 0", "1", "1", "1"},
		{"-m connlimit --connlimit-upto 0", "0", "0", "0"},
		{"-m cluster --cluster-total-nodes 1 --cluster-local-node 1 --cluster-hash-seed 1", "1", "1", "0"},
		{"-m cluster --cluster-total-nodes 1 ! --cluster-local-node 1 --cluster-hash-seed 1", "0", "0", "0"},
	} {
		// Behind a test with a memory the conditions are tests themselves.
		for _, rule := range []string{c.rule, "-m statistic --mode nth --every 1 --packet 0 " + c.rule} {
			require.Equal(t, c.plain, play(t, rule, "1", connected(nil)), rule)
			require.Equal(t, c.changed, play(t, rule, "1", connected(func(c *packet.Conn) {
				c.Reply, c.Mark, c.Helper, c.Labels, c.Status = true, 0x15, "ftp", [2]uint64{8, 1 << 36}, 2
				c.Seen[1] = packet.Traffic{Packets: 2, Bytes: 77}
			})), rule)
			require.Equal(t, c.none, play(t, rule, "1", invalid), "%s without a connection", rule)
			if !strings.Contains(rule, "INVALID") {
				require.Equal(t, c.none, play(t, rule, "1", untracked), "%s without a connection", rule)
			}
		}
	}
	require.Equal(t, "0011", play(t, "-m connlimit --connlimit-above 1 --connlimit-mask 31", "1 2 3 2", connected(nil)))
	require.Equal(t, "0011", play(t, "-m connbytes --connbytes 3 --connbytes-mode packets --connbytes-dir original", "1 1 1 1", connected(nil)))
}

func TestLabelsThatAreSetAreSeenByLaterRules(t *testing.T) {
	rs, err := Read(strings.NewReader(`*mangle
:c - [0:0]
-A c -m connlabel --label 7
-A c -p udp -m connlabel --label 7 --set
-A c -m connlabel --label 7
-A c -m connlabel ! --label 7
COMMIT
`), Options{Family: 4})
	require.NoError(t, err)
	table := rs.Tables[0]
	tr := xt.NewTraversal(table.Schema)
	tr.Packet = packet.Packet{Has: packet.HasProto, Proto: packet.UDP}
	tr.Packet.SetAddrs(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"))
	connected(nil)(tr)
	var met []int
	table.Run(tr, table.Find("c"), func(p rules.Place) { met = append(met, p.Rule+1) })
	require.Equal(t, []int{2, 3}, met)
}

func TestRulesShareListsAndTablesByName(t *testing.T) {
	rs, err := Read(strings.NewReader(`*mangle
:c - [0:0]
-A c -s 10.0.0.1 -m recent --set --name x --mask 255.255.255.0
-A c -s 10.0.0.2 -m recent --rcheck --name x
-A c -m hashlimit --hashlimit-upto 1/h --hashlimit-burst 3 --hashlimit-name x
-A c -m hashlimit --hashlimit-upto 1/h --hashlimit-burst 9 --hashlimit-name x
-A c -m hashlimit --hashlimit-upto 1/h --hashlimit-burst 3 --hashlimit-name y
COMMIT
`), Options{Family: 4})
	require.NoError(t, err)
	table := rs.Tables[0]
	tr := xt.NewTraversal(table.Schema)
	tr.State = &xt.State{}
	counts := make([]int, 5)
	for i := range 4 {
		tr.Packet = packet.Packet{Has: packet.HasProto | packet.HasLength, Proto: packet.UDP, Length: 60, TTL: 64}
		tr.Packet.SetAddrs(netip.MustParseAddr(fmt.Sprint("10.0.0.", i%2+1)), netip.MustParseAddr("10.0.0.2"))
		tr.Reset()
		table.Run(tr, table.Find("c"), func(p rules.Place) { counts[p.Rule]++ })
	}
	require.Equal(t, []int{2, 2, 2, 1, 3}, counts)
}

func TestNamesOfLabelsAreReadFromTheirFile(t *testing.T) {
	read := func(labels string) (string, error) {
		rs, err := Read(strings.NewReader("*filter\n-A INPUT -m connlabel --label red\nCOMMIT\n"), Options{ConnLabels: labels})
		if err != nil {
			return "", err
		}
		text, _ := rs.Rule("filter", "INPUT", 1)
		return text, nil
	}
	text, err := read("# of this test\n0\tblue\n127 red # a remark\n\n")
	require.NoError(t, err)
	require.Equal(t, `-m connlabel --label "red"`, text)
	for labels, reason := range map[string]string{"": "neither a label", "128 red": "line 1", "1 blue\n1 red": "line 2", "1 red\n2 red": "line 2", "red": "line 1", "1 red green": "line 1"} {
		_, err := read(labels)
		require.ErrorContains(t, err, reason)
	}
}

func TestChoicesBehindAStatefulMatchAreAskedOnceForAPacket(t *testing.T) {
	require.Equal(t, "1010", play(t, "-p udp -m statistic --mode nth --every 2 --packet 0 -m multiport --ports 53,5000", "1 1 1 1", nil))
	require.Equal(t, "0000", play(t, "-p udp -m statistic --mode nth --every 2 --packet 0 -m multiport --ports 54,5001", "1 1 1 1", nil))
	require.Equal(t, "1010", play(t, "-p udp -m multiport --ports 53,5000 -m statistic --mode nth --every 2 --packet 0", "1 1 1 1", nil))
	require.Equal(t, "1010", play(t, "-m statistic --mode nth --every 2 --packet 0 -m conntrack --ctstate NEW,INVALID --ctproto 17", "1 1 1 1", connected(nil)))
}
