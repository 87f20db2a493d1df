package iptables

// What rules mean, asked of rules.Table.Evaluate.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// keyOf makes a key from "field=value ..." or "field=-" for an absent one.
// What is not said is a plain TCP packet's without connection tracking.
func keyOf(t *testing.T, table *rules.Table, text string) rules.Key {
	t.Helper()
	s := table.Schema
	k := s.NewKey()
	const usual = "src=192.0.2.1 dst=192.0.2.2 sport=4000 dport=80 proto=tcp iif=eth0 oif=- frag=0 tcpflags=SYN icmptype=- icmpcode=- " +
		"ctstate=- mark=0 dscp=0 ecn=0 tos=0 length=60 ttl=64 smac=- pkttype=unicast "
	for _, f := range strings.Fields(usual + text) {
		name, value, _ := strings.Cut(f, "=")
		i := s.Index(name)
		if i < 0 {
			continue // no rule asks for it
		}
		if value == "-" {
			s.SetAbsent(k, i)
			continue
		}
		v, err := s.Field(i).ParseValue(value)
		require.NoError(t, err)
		s.Set(k, i, v)
	}
	return k
}

const (
	plain    = "ttl=64"
	icmp     = "proto=icmp sport=- dport=- tcpflags=- icmptype=8 icmpcode=0 "
	fragment = "frag=1 sport=- dport=- tcpflags=- "
)

func TestRulesMatchWhatTheKernelMatches(t *testing.T) {
	for _, c := range []struct{ rule, yes, no string }{
		{"-s 192.0.2.0/24", "|src=192.0.2.255", "src=192.0.3.0|src=191.255.255.255"},
		{"! -s 192.0.2.0/24", "src=192.0.3.0", "|src=192.0.2.255"},
		{"-s 0.0.0.0/0", "|src=8.8.8.8", ""},
		{"! -s 0.0.0.0/0", "", "|src=8.8.8.8"},
		{"-d 10.0.2.0/255.0.255.0", "dst=10.77.2.9", "dst=10.77.3.9|dst=11.77.2.9"},
		{"! -d 10.0.2.0/255.0.255.0", "dst=10.77.3.9|", "dst=10.77.2.9"},
		{"-i eth0", plain, "iif=eth1|iif=eth|iif=eth00|iif=-"},
		{"-i eth+", "|iif=eth|iif=eth0123456789ab", "iif=et|iif=eti|iif=ppp0"},
		{"! -i eth+", "iif=ppp0", "|iif=eth"},
		{"-i +", "|iif=-", ""},
		{"! -i +", "", "|iif=-|iif=x"},
		{"-o ppp0", "oif=ppp0", "|oif=ppp1"},
		{"-p tcp", "|" + fragment, "proto=udp|" + icmp},
		{"! -p tcp", "proto=udp|" + icmp, "|" + fragment},
		{"-p all", "|proto=udp|proto=0", ""},
		{"-f", fragment, ""},
		{"! -f", plain, fragment},
		{"-p tcp -m tcp", "|tcpflags=none", fragment + "|proto=udp"},
		{"-p tcp --sport :", "|sport=0|sport=65535", fragment},
		{"-p tcp ! --sport :", "", "|" + fragment},
		{"-p tcp --dport 80", plain, "dport=79|dport=81|" + fragment + "|proto=udp"},
		{"-p tcp ! --dport 80", "dport=79|dport=81", "|" + fragment},
		{"-p udp --dport 1024:2000", "proto=udp dport=1024|proto=udp dport=2000", "dport=1024|proto=udp dport=1023|proto=udp dport=2001"},
		{"-p tcp --syn", "|tcpflags=SYN+PSH|tcpflags=SYN+ECE", "tcpflags=SYN+ACK|tcpflags=none|" + fragment},
		{"-p tcp ! --syn", "tcpflags=SYN+ACK|tcpflags=none", "|" + fragment},
		{"-p tcp --tcp-flags ALL NONE", "tcpflags=none|tcpflags=CWR", "|tcpflags=FIN"},
		{"-p tcp --tcp-flags SYN SYN,ACK", "", "|tcpflags=SYN+ACK|tcpflags=ACK"},
		{"-p tcp ! --tcp-flags SYN SYN,ACK", "|tcpflags=SYN+ACK", fragment},
		{"-p tcp -m multiport --dports 22,80:90", "|dport=22|dport=90", "dport=91|sport=22 dport=21|" + fragment},
		{"-p tcp -m multiport ! --dports 22,80:90", "dport=91|dport=21", "|" + fragment},
		{"-p tcp -m multiport --ports 22,80", "|sport=22 dport=1|sport=80 dport=22", "sport=1 dport=2|" + fragment},
		{"-p tcp -m multiport ! --ports 22,80", "sport=1 dport=2", "|sport=22 dport=1|sport=1 dport=22|" + fragment},
		{"-p icmp --icmp-type 8", icmp + "|" + icmp + "icmpcode=7", icmp + "icmptype=0|proto=icmp " + fragment},
		{"-p icmp --icmp-type 3/1", icmp + "icmptype=3 icmpcode=1", icmp + "icmptype=3|" + icmp + "icmpcode=1"},
		{"-p icmp ! --icmp-type 3/1", icmp + "icmptype=3|" + icmp + "icmpcode=1|" + icmp, icmp + "icmptype=3 icmpcode=1|proto=icmp " + fragment},
		{"-p icmp --icmp-type any", icmp + "|" + icmp + "icmptype=255", "proto=icmp " + fragment},
		{"-p icmp --icmp-type 255/9", icmp, "proto=icmp " + fragment},
		{"-p icmp ! --icmp-type any", "", icmp + "|proto=icmp " + fragment},
		{"-m iprange --src-range 192.0.2.1-192.0.2.3", "|src=192.0.2.3", "src=192.0.2.4|src=192.0.2.0"},
		{"-m iprange ! --dst-range 192.0.2.1-192.0.2.3", "dst=192.0.2.4", "|dst=192.0.2.3"},
		{"-m iprange --src-range 192.0.2.3-192.0.2.1", "", "|src=192.0.2.2"},
		{"-m iprange ! --src-range 192.0.2.3-192.0.2.1", "|src=192.0.2.2", ""},
		{"-m mark --mark 2/3", "mark=2|mark=6", "|mark=3"},
		{"-m mark ! --mark 2/3", "|mark=3", "mark=2|mark=6"},
		{"-m mark --mark 4/3", "", "|mark=4"},
		{"-m mac --mac-source 00:11:22:33:44:55", "smac=00:11:22:33:44:55", "|smac=00:11:22:33:44:56"},
		{"-m mac ! --mac-source 00:11:22:33:44:55", "smac=00:11:22:33:44:56", "|smac=00:11:22:33:44:55"},
		{"-m state --state NEW,ESTABLISHED", "ctstate=NEW|ctstate=ESTABLISHED+DNAT", "|ctstate=INVALID|ctstate=DNAT"},
		{"-m state ! --state NEW,ESTABLISHED", "ctstate=INVALID|ctstate=RELATED", "|ctstate=NEW"},
		{"-m conntrack --ctstate DNAT", "ctstate=NEW+DNAT", "|ctstate=NEW"},
		{"-m tos --tos 0x12", "dscp=4 ecn=2", "|dscp=4|ecn=2"},
		{"-m tos ! --tos 0x12", "|tos=16|tos=2|tos=22", "tos=18"},
		{"-m tos --tos Minimize-Delay", "dscp=4|dscp=52", "|dscp=5|dscp=4 ecn=1"},
		{"-m tos --tos 0x01/0x10", "", "|dscp=4|ecn=1"},
		{"-m tos --tos 0/0", "|dscp=9 ecn=3", ""},
		{"-m tos ! --tos 0/0", "", "|dscp=9 ecn=3"},
		{"-m tos ! --tos 2/3", "|dscp=63 ecn=1", "ecn=2|dscp=63 ecn=2"},
		{"-m dscp --dscp-class AF11", "dscp=10", "|dscp=11"},
		{"-m dscp ! --dscp-class EF", "|dscp=10", "dscp=46"},
		{"-m ecn --ecn-ip-ect 3", "ecn=3", "|ecn=2"},
		{"-m ttl --ttl-eq 64", plain, "ttl=63|ttl=65"},
		{"-m ttl --ttl-lt 64", "ttl=63|ttl=0", "|ttl=65"},
		{"-m ttl --ttl-gt 64", "ttl=65|ttl=255", "|ttl=0"},
		{"-m ttl --ttl-lt 0", "", "|ttl=0"},
		{"-m ttl --ttl-gt 255", "", "|ttl=255"},
		{"-m ttl ! --ttl-eq 64", "ttl=63", ""},
		{"-m length --length 60:70", "|length=70", "length=59|length=71"},
		{"-m length ! --length 60:70", "length=59", "|length=70"},
		{"-m pkttype --pkt-type broadcast", "pkttype=broadcast", "|pkttype=multicast"},
		{"-m comment --comment x", "|" + fragment, ""},
	} {
		rs, err := Read(strings.NewReader("*filter\n:c - [0:0]\n-A c "+c.rule+" -j DROP\nCOMMIT\n"), Options{Family: 4})
		require.NoError(t, err, c.rule)
		table := rs.Tables[0]
		chain := table.Find("c")
		asked := 0
		for want, list := range map[rules.Verdict]string{rules.Drop: c.yes, rules.NoVerdict: c.no} {
			if list == "" {
				continue
			}
			for _, p := range strings.Split(list, "|") {
				asked++
				executed := 0
				got := table.Evaluate(keyOf(t, table, p), chain, func(rules.Place) { executed++ })
				require.Equal(t, want, got.Verdict, "%s on packet %q", c.rule, p)
				require.LessOrEqual(t, executed, 1)
			}
		}
		require.NotZero(t, asked)
	}
}

func TestPortsListedForEitherSideShareOneNumberAndNeverMatchTwice(t *testing.T) {
	rs, err := Read(strings.NewReader(`*filter
:INPUT ACCEPT [0:0]
-A INPUT -p tcp -m multiport --ports 1,2 -m multiport --ports 2,3 -j LOG
-A INPUT -p tcp -j DROP
COMMIT
`), Options{})
	require.NoError(t, err)
	in := &rs.Tables[0].Chains[0]
	var numbers []int
	for _, r := range in.Rules.All() {
		numbers = append(numbers, r.Value.Number)
	}
	require.Equal(t, []int{1, 1, 1, 1, 2}, numbers)
	for s := range 5 {
		for d := range 5 {
			one, two := s == 1 || s == 2 || d == 1 || d == 2, s == 2 || s == 3 || d == 2 || d == 3
			want := []int{2}
			if one && two {
				want = []int{1, 2}
			}
			var got []int
			rs.Tables[0].Evaluate(keyOf(t, rs.Tables[0], fmt.Sprintf("sport=%d dport=%d", s, d)), 0, func(p rules.Place) {
				got = append(got, in.Rules.At(p.Rule).Value.Number)
			})
			require.Equal(t, want, got, "sport %d, dport %d", s, d)
		}
	}
}

func TestChainsJumpReturnAndGoToAsInTheKernel(t *testing.T) {
	rs, err := Read(strings.NewReader(`*filter
:INPUT DROP [0:0]
:a - [0:0]
:b - [0:0]
-A INPUT -p tcp --dport 1 -j a
-A INPUT -p tcp --dport 2 -g a
-A INPUT -p tcp --dport 3 -j RETURN
-A INPUT -p tcp --dport 1:5 -j ACCEPT
-A a -j b
-A a -p tcp --sport 9 -j RETURN
-A a -p tcp --sport 8 -j REJECT
-A b -p tcp --sport 7 -j ACCEPT
COMMIT
`), Options{})
	require.NoError(t, err)
	table := rs.Table("filter")
	for p, want := range map[string]string{
		"dport=1":         "ACCEPT INPUT/4", // a falls through and comes back
		"dport=1 sport=9": "ACCEPT INPUT/4",
		"dport=1 sport=8": "REJECT a/3",
		"dport=1 sport=7": "ACCEPT b/1",
		"dport=2":         "DROP INPUT/policy", // goto does not come back
		"dport=3":         "DROP INPUT/policy", // RETURN from a built-in chain
		"dport=4":         "ACCEPT INPUT/4",
		"dport=6":         "DROP INPUT/policy",
	} {
		got := table.Evaluate(keyOf(t, table, p), table.Find("INPUT"), nil)
		where := "policy"
		if got.By.Rule >= 0 {
			where = fmt.Sprint(table.Chains[got.By.Chain].Rules.At(got.By.Rule).Value.Number)
		}
		require.Equal(t, want, fmt.Sprintf("%v %s/%s", got.Verdict, table.Chains[got.By.Chain].Name, where), p)
	}
}

func TestUnknownFeaturesMakeAnswersUnknownOnlyWhereTheyCouldDecide(t *testing.T) {
	const text = `*filter
:INPUT DROP [0:0]
:a - [0:0]
-A INPUT -p tcp --dport 1 -m foobar ! --rcheck --name x --rsource -j ACCEPT
-A INPUT -p tcp --dport 2 -m quuxs --limit 1/s -j LOG --log-prefix "x "
-A INPUT -p tcp --dport 2 -j ACCEPT
-A INPUT -p tcp --dport 3 -j SAME --to 1.2.3.4
-A INPUT -s gw.example.com -p tcp --dport 4 -j a
-A INPUT -p tcp -m quota2 --name x -m tcp --dport 5 -j ACCEPT
-A INPUT -m brandnew --proto esp --flavour ! mint -p tcp --dport 6 -j NEWTARGET --speed -3 --protocol 17
-A INPUT -p tcp -m conntrack --ctstate NEW --ctdir ORIGINAL --dport 7 -j DROP
COMMIT
`
	_, err := Read(strings.NewReader(text), Options{})
	require.ErrorIs(t, err, rules.ErrUnsupported)
	rs, err := Read(strings.NewReader(text), Options{AllowUnknown: true})
	require.NoError(t, err)
	var names []string
	for _, f := range rs.Unknown {
		names = append(names, f.Name)
		require.Equal(t, 1, f.Uses)
		require.NotZero(t, f.First.Line)
	}
	require.Equal(t, []string{"match foobar", "match quuxs", "target SAME", "host name gw.example.com", "match quota2",
		"match brandnew", "target NEWTARGET"}, names)
	table := rs.Tables[0]
	for p, want := range map[string]rules.Verdict{
		"dport=1": rules.Unknown, "dport=2": rules.Accept, "dport=3": rules.Unknown, "dport=4": rules.Unknown,
		"dport=5": rules.Unknown, "dport=7 ctstate=NEW": rules.Unknown,
		"dport=7": rules.Unknown, "dport=8 ctstate=-": rules.Unknown, // brandnew may have taken --dport for its own
		"proto=udp": rules.Drop,
	} {
		require.Equal(t, want, table.Evaluate(keyOf(t, table, p), 0, nil).Verdict, p)
	}
	in := table.Chains[0].Rules
	require.Equal(t, "match brandnew, target NEWTARGET", in.At(6).Unknown)
	require.True(t, in.At(1).Continue, "an unknown match before a report decides nothing")
	require.Equal(t, `LOG --log-prefix "x "`, in.At(1).Value.Text)
	require.Equal(t, "SAME --to 1.2.3.4", in.At(3).Value.Text)
	line, number := rs.Rule("filter", "INPUT", 7)
	require.Equal(t, "-p tcp -m brandnew --proto esp --flavour ! mint --dport 6 -j NEWTARGET --speed -3 --protocol 17", line)
	require.Equal(t, 10, number)
}

func TestNumbersCountRulesAsTheKernelDoes(t *testing.T) {
	rs, err := Read(strings.NewReader(`*filter
-A INPUT -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4 -m comment --comment "four rules" -j DROP
[7:420] -A INPUT -j ACCEPT
COMMIT
`), Options{})
	require.NoError(t, err)
	in := rs.Table("filter").Chains[0].Rules
	require.Equal(t, 5, in.Len())
	for i, r := range in.All() {
		require.Equal(t, i+1, r.Value.Number)
	}
	require.Equal(t, "four rules", in.At(3).Comment)
	require.EqualValues(t, 7, in.At(4).Value.Packets)
	require.EqualValues(t, 420, in.At(4).Value.Bytes)
	text, line := rs.Rule("filter", "INPUT", 4)
	require.Equal(t, `-s 2.2.2.2/32 -d 4.4.4.4/32 -m comment --comment "four rules" -j DROP`, text)
	require.Equal(t, 2, line)
	for _, bad := range []struct {
		table, chain string
		n            int
	}{{"nat", "INPUT", 1}, {"filter", "x", 1}, {"filter", "INPUT", 0}, {"filter", "INPUT", 6}} {
		text, line := rs.Rule(bad.table, bad.chain, bad.n)
		require.Empty(t, text)
		require.Zero(t, line)
	}
}

func TestARuleThatChangesWhatItAsksIsMetOnce(t *testing.T) {
	rs, err := Read(strings.NewReader(`*mangle
:u - [0:0]
-A PREROUTING -m tos ! --tos 0x13/0x12 -j TOS --xor-tos 0xff
-A PREROUTING -m tos ! --tos 0x12/0x12 -j u
-A u -j TOS --or-tos 0x12
COMMIT
`), Options{})
	require.NoError(t, err)
	table := rs.Tables[0]
	for tos := range 256 {
		p := xt.NewTraversal(table.Schema)
		require.NoError(t, p.Packet.DecodeIP((&packet.Packet{Family: 4, Proto: packet.UDP, TOS: uint8(tos), TTL: 64, Length: 40}).AppendIP(nil)))
		p.Changed()
		met := map[string]int{}
		table.Run(p, table.Find("PREROUTING"), func(at rules.Place) {
			text, _ := rs.Rule("mangle", table.Chains[at.Chain].Name, table.Chains[at.Chain].Rules.At(at.Rule).Value.Number)
			met[text]++
		})
		for text, n := range met {
			require.Equal(t, 1, n, "%s of a packet with TOS %#x", text, tos)
		}
	}
}
