package iptables

// What changes between two files, as rules.DiffTables has it.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/stretchr/testify/require"
)

const diffFile = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:web - [0:0]
:log - [0:0]
-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -m comment --comment "admins" -j ACCEPT
-A INPUT -p tcp -m multiport --dports 80,443 -j web
-A INPUT -m set --match-set bad src -j DROP
-A INPUT -p icmp -m limit --limit 5/min -m hashlimit --hashlimit-upto 1/sec --hashlimit-name h -j ACCEPT
-A OUTPUT -m owner --uid-owner root -j ACCEPT
-A INPUT -m statistic --mode nth --every 3 --packet 0 -m mac --mac-source 02:00:00:00:00:01 -j log
-A web -s 10.0.0.0/8,192.168.0.0/16 -m conntrack --ctstate NEW -m recent --name r --set -j ACCEPT
-A log -j LOG --log-prefix "in: "
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m connlabel --label 3 --set -j MARK --set-xmark 0x1/0xff
-A PREROUTING -j SET --add-set seen src --timeout 60
COMMIT
`

func readDiff(t *testing.T, text string, o Options) []*rules.Table {
	t.Helper()
	rs, err := Read(strings.NewReader(text), o)
	require.NoError(t, err)
	return rs.Tables
}

func readSets(t *testing.T) *ipset.Sets {
	t.Helper()
	var text strings.Builder
	text.WriteString("create seen hash:ip timeout 100\ncreate bad hash:ip,port\n")
	for i := range 9 {
		fmt.Fprintf(&text, "add bad 192.0.2.%d,tcp:80\n", i)
	}
	sets, err := ipset.Read(strings.NewReader(text.String()), ipset.Options{})
	require.NoError(t, err)
	return sets
}

func TestChangesOfFiles(t *testing.T) {
	sets := readSets(t)
	for _, row := range []struct {
		name, from, to string // what is changed in the file
		want           []string
	}{
		{"none", "", "", nil},
		{"counters of a chain", "ACCEPT [0:0]", "ACCEPT [5:300]", nil},
		{"order of chains", ":web - [0:0]\n:log - [0:0]", ":log - [0:0]\n:web - [0:0]", nil},
		{"a comment", "admins", "operators", []string{"INPUT replace 1 by 0"}},
		{"a target's option", `"in: "`, `"input: "`, []string{"log replace 1 by 0"}},
		{"a target", "-m limit --limit 5/min -m hashlimit --hashlimit-upto 1/sec --hashlimit-name h -j ACCEPT",
			"-m limit --limit 5/min -m hashlimit --hashlimit-upto 1/sec --hashlimit-name h -j DROP", []string{"INPUT replace 4 by 3"}},
		{"the rate of a limit", "5/min", "6/min", []string{"INPUT delete 4", "INPUT insert 3"}},
		{"where a jump leads", "80,443 -j web", "80,443 -j log", []string{"INPUT replace 2 by 1"}},
		{"jump to goto", "80,443 -j web", "80,443 -g web", []string{"INPUT replace 2 by 1"}},
		{"a port", "--dport 22", "--dport 23", []string{"INPUT delete 1", "INPUT insert 0"}},
		{"one of several addresses", "192.168.0.0/16", "192.168.1.0/24", []string{"web delete 2", "web insert 1"}},
		{"a rule more", "-A web ", "-A web -p udp -j DROP\n-A web ", []string{"web insert 0"}},
		{"the mark", "0x1/0xff", "0x2/0xff", []string{"PREROUTING replace 1 by 0"}},
		{"the label", "--label 3", "--label 4", []string{"PREROUTING delete 1", "PREROUTING insert 0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := Options{Family: 4, Sets: sets}
			changed := strings.ReplaceAll(diffFile, row.from, row.to)
			if row.from == "" {
				changed = diffFile
			}
			s, err := rules.DiffTables(readDiff(t, diffFile, o), readDiff(t, changed, o))
			require.NoError(t, err)
			var got []string
			for _, table := range s.Tables {
				for _, c := range table.Chains {
					for _, e := range c.Rules.Edits {
						got = append(got, fmt.Sprintf("%s %v", c.Name, e))
					}
				}
			}
			require.Equal(t, row.want, got)
			require.Equal(t, row.want == nil, s.Empty())
		})
	}
}

func TestSetsThatAreReadAnewReplaceTheRulesThatAskThem(t *testing.T) {
	old := readDiff(t, diffFile, Options{Family: 4, Sets: readSets(t)})
	s, err := rules.DiffTables(old, readDiff(t, diffFile, Options{Family: 4, Sets: readSets(t)}))
	require.NoError(t, err)
	require.Equal(t, []int{0, 0, 0, 2}, []int{s.Deleted, s.Inserted, s.Moved, s.Replaced})
}

func TestNamesThatMeanSomethingElseReplaceTheRulesThatHaveThem(t *testing.T) {
	const text = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m owner --uid-owner alice -j ACCEPT\n-A OUTPUT -m owner --uid-owner root -j ACCEPT\nCOMMIT\n"
	with := func(id uint32) []*rules.Table {
		return readDiff(t, text, Options{Family: 4, Users: func(name string) (uint32, bool) { return map[string]uint32{"root": 0, "alice": id}[name], true }})
	}
	s, err := rules.DiffTables(with(1000), with(1000))
	require.NoError(t, err)
	require.True(t, s.Empty())
	s, err = rules.DiffTables(with(1000), with(1001))
	require.NoError(t, err)
	require.Equal(t, 1, s.Kept)
	require.False(t, s.Empty())
}

func TestConditionsThatASchemaHasNoRoomForAreCompared(t *testing.T) {
	file := func(mark int) []*rules.Table {
		var b strings.Builder
		b.WriteString("*mangle\n:FORWARD ACCEPT [0:0]\n")
		// Fields that many rules ask come first, the mark last.
		for n, options := range []string{"-p ah -m ah --ahspi 1", "-p esp -m esp --espspi 1", "-p sctp -m sctp --dport 1", "-p icmp -m icmp --icmp-type 8/0",
			"-m dscp --dscp 1", "-m ecn --ecn-ip-ect 1", "-m length --length 1", "-m ttl --ttl-eq 1", "-m mac --mac-source 02:00:00:00:00:01", "-m pkttype --pkt-type unicast",
			"-m conntrack --ctstate NEW", "-m connmark --mark 1", "-m helper --helper ftp", "-m realm --realm 1", "-p tcp -m tcp --tcp-flags SYN SYN",
			"-p tcp -m tcp --tcp-option 2", "-p tcp -m tcpmss --mss 5", "-p dccp -m dccp --dccp-types RESET", "-m devgroup --src-group 1", "-m cpu --cpu 1", "-i eth0", "-f",
			"-m conntrack --ctproto 6", "-m conntrack --ctorigsrc 10.0.0.1", "-m conntrack --ctorigdst 10.0.0.1", "-m conntrack --ctreplsrc 10.0.0.1", "-m conntrack --ctrepldst 10.0.0.1",
			"-m conntrack --ctexpire 5", "-m conntrack --ctstatus ASSURED", "-m conntrack --ctdir ORIGINAL", "-m conntrack --ctorigsrcport 5", "-m conntrack --ctorigdstport 5"} {
			for range 2 {
				fmt.Fprintf(&b, "-A FORWARD %s -m comment --comment %d\n", options, n)
			}
		}
		fmt.Fprintf(&b, "-A FORWARD -m mark --mark %d\nCOMMIT\n", mark)
		return readDiff(t, b.String(), Options{Family: 4})
	}
	tables := file(1)
	chain := tables[0].Chains[tables[0].Find("FORWARD")].Rules
	require.Equal(t, -1, tables[0].Schema.Index("mark"))
	require.NotNil(t, chain.At(chain.Len()-1).Value.Ext)
	s, err := rules.DiffTables(tables, file(1))
	require.NoError(t, err)
	require.True(t, s.Empty())
	s, err = rules.DiffTables(tables, file(2))
	require.NoError(t, err)
	require.Equal(t, []int{0, 0, 0, 1}, []int{s.Deleted, s.Inserted, s.Moved, s.Replaced})
}
