package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet/describe"
	"github.com/hipac-go/classifier/rules/xt"
)

const (
	gateBefore = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:web - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT
-A INPUT -s 10.1.0.0/16 -j DROP
-A INPUT -p tcp -m multiport --dports 80,443 -j web
-A INPUT -p icmp --icmp-type 8 -m limit --limit 5/s -j ACCEPT
-A web -s 192.0.2.0/24 -j DROP
-A web -j ACCEPT
COMMIT
`
	shortBefore = "hipac 1\nschema ipv4\n\nrule src=10.0.0.0/8 dport=22 proto=tcp => ACCEPT\nrule src=10.1.0.0/16 => DROP\nrule dport=80,443 proto=tcp => ACCEPT\nrule any => DROP\n"
)

func swapped(text, first, second string) string {
	return strings.NewReplacer(first+"\n", second+"\n", second+"\n", first+"\n").Replace(text)
}

func TestDifferencesOfMeaningAreRegionsWithTheirRules(t *testing.T) {
	for _, tt := range []struct{ name, before, after string }{
		{"swapped", gateBefore, swapped(gateBefore, "-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT", "-A INPUT -s 10.1.0.0/16 -j DROP")},
		{"tests", gateBefore, strings.NewReplacer("5/s", "9/s", "*filter", "*nat\n:PREROUTING DROP\nCOMMIT\n*filter").Replace(gateBefore)},
		{"list", shortBefore, strings.NewReplacer("dport=80,443", "dport=80,8080", "rule any => DROP", "rule any => REJECT").Replace(shortBefore)},
		{"own", classbenchRules, strings.Replace(classbenchRules, "80 : 80", "80 : 81", 1)},
	} {
		before, after := file(t, "before", tt.before), file(t, "after", tt.after)
		clean := strings.NewReplacer(before, "BEFORE", after, "AFTER")
		text := answer(t, exitDifferent, "", "diff", before, after)
		golden(t, "diff-"+tt.name+".text", clean.Replace(text))
		data := answer(t, exitDifferent, "", "diff", before, after, "--output", "json")
		golden(t, "diff-"+tt.name+".json", clean.Replace(data))
		require.True(t, json.Valid([]byte(data)))
		require.Contains(t, answer(t, exitSame, tt.before, "diff", "-", before), ": the same for all packets")
	}
	golden(t, "diff-help.golden", output(t, "", "diff", "--help"))
}

func TestFilesWrittenOtherwiseMeanTheSame(t *testing.T) {
	native := file(t, "a", "hipac 1\nschema ipv4\nrule dport=22-23 => DROP\nrule dport=22 => ACCEPT\nrule any => ACCEPT\n")
	same := file(t, "b", "hipac 1\nschema ip\nrule dport=23 => DROP # b\nrule dport=22 => DROP\nrule any => ACCEPT\n")
	require.Equal(t, exitTrouble, invoke(t, "", "diff", native, same).code) // addresses of another kind
	same = file(t, "c", "hipac 1\nschema ipv4\nrule dport=23 => DROP # b\nrule dport=22 => DROP\nrule any => ACCEPT\n")
	answer(t, exitSame, "", "diff", native, same)
	answer(t, exitDifferent, "", "diff", "--edits", native, same)
	// A port that packets of that protocol do not have is no difference.
	tables := func(rule string) string {
		return file(t, "t", "*filter\n-A INPUT -p icmp -j DROP\n"+rule+"COMMIT\n")
	}
	answer(t, exitSame, "", "diff", tables(""), tables("-A INPUT -p icmp -s 10.0.0.1 -j ACCEPT\n"))
	answer(t, exitSame, "", "diff", tables("-A OUTPUT -j DROP\n"), tables(""), "--chain", "INPUT")
	answer(t, exitDifferent, "", "diff", tables("-A OUTPUT -j DROP\n"), tables(""))
}

func TestADifferenceThatIsNotFoundInTimeIsAnError(t *testing.T) {
	set, _ := randomSet(7, 300, 0)
	other, _ := randomSet(8, 300, 0)
	before, after := file(t, "a", set), file(t, "b", other)
	answer(t, exitDifferent, "", "diff", before, after, "--regions", "1")
	var m meaning
	require.NoError(t, json.Unmarshal([]byte(answer(t, exitDifferent, "", "diff", before, after, "--output", "json", "--regions", "3")), &m))
	require.Len(t, m.Compared[0].Regions, 3)
	require.NotZero(t, m.Compared[0].More)
}

// fleet draws an iptables file of some rules.
func fleet(rng *rand.Rand, n int) []string {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	var lines []string
	for range n {
		line := "-A INPUT"
		if rng.IntN(2) == 0 {
			line += pick(" -s 10.0.0.0/8", " -s 10.1.0.0/16", " -s 10.1.2.0/24", " ! -s 10.1.0.0/16", " -s 192.0.2.7")
		}
		switch rng.IntN(4) {
		case 0:
			line += pick(" -p tcp --dport 22", " -p tcp --dport 80:443", " -p tcp -m multiport --dports 22,80,8080", " -p tcp --syn", " -p tcp ! --dport 25")
		case 1:
			line += pick(" -p udp --dport 53", " -p udp", " -p icmp --icmp-type 8", " ! -p udp")
		}
		if rng.IntN(4) == 0 {
			line += pick(" -m conntrack --ctstate NEW", " -m conntrack --ctstate ESTABLISHED,RELATED", " -i eth0", " -f")
		}
		lines = append(lines, line+" -j "+pick("ACCEPT", "DROP", "REJECT", "aside", "aside", "RETURN"))
	}
	return lines
}

func TestSwappingTwoRulesOfADumpShowsExactlyThePacketsThatMove(t *testing.T) {
	moved := 0
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 9))
		lines := fleet(rng, 30)
		aside := strings.ReplaceAll(strings.ReplaceAll(strings.Join(fleet(rng, 5), "\n"), "-A INPUT", "-A aside"), "-j aside", "-j DROP")
		dump := func(lines []string) string {
			return "*filter\n:INPUT DROP [0:0]\n:aside - [0:0]\n" + strings.Join(lines, "\n") + "\n" + aside + "\nCOMMIT\n"
		}
		before := dump(lines)
		i, j := rng.IntN(len(lines)), rng.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		after := dump(lines)
		r := invoke(t, "", "diff", file(t, "a", before), file(t, "b", after), "--output", "json", "--regions", "100000", "--seconds", "0")
		require.Empty(t, r.stderr)
		var m meaning
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &m))
		var regions []regionJSON
		for _, c := range m.Compared {
			require.Zero(t, c.More)
			regions = append(regions, c.Regions...)
		}
		require.Equal(t, len(regions) > 0, r.code == exitDifferent)

		old, err := iptables.Read(strings.NewReader(before), iptables.Options{})
		require.NoError(t, err)
		next, err := iptables.Read(strings.NewReader(after), iptables.Options{})
		require.NoError(t, err)
		decide := func(set *iptables.Ruleset, text string) (string, rules.Key) {
			p, err := describe.Parse(text)
			require.NoError(t, err, text)
			table := set.Table("filter")
			s := xt.NewTraversal(table.Schema)
			s.Packet = p.Packet
			return table.Run(s, table.Find("INPUT"), nil).Verdict.String(), s.Key()
		}
		// Each region's packet is decided as the region says.
		for _, region := range regions {
			require.NotEmpty(t, region.Witness, "%v", region.Fields)
			a, _ := decide(old, region.Witness)
			b, _ := decide(next, region.Witness)
			require.Equal(t, []string{region.Old, region.New}, []string{a, b}, region.Witness)
		}
		// And a packet that moves is in one region, one that does not in none.
		schema := old.Table("filter").Schema
		for range 2000 {
			src := []string{"10.0.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.7", "198.51.100.1"}[rng.IntN(5)]
			text := []string{"tcp %s:1024 > 192.0.2.1:22", "tcp %s:1 > 192.0.2.1:80", "tcp %s:1 > 192.0.2.1:443 flags=ACK", "tcp %s:1 > 192.0.2.1:25", "tcp %s:1 > 192.0.2.1:8080",
				"udp %s:1 > 192.0.2.1:53", "udp %s:1 > 192.0.2.1:54", "icmp %s > 192.0.2.1 type=8", "icmp %s > 192.0.2.1 type=0", "udp %s > 192.0.2.1 frag", "47 %s > 192.0.2.1"}[rng.IntN(11)]
			text = fmt.Sprintf(text, src) + []string{"", " in=eth0", " in=eth1"}[rng.IntN(3)] + []string{"", " ctstate=NEW", " ctstate=ESTABLISHED", " ctstate=INVALID"}[rng.IntN(4)]
			a, k := decide(old, text)
			b, _ := decide(next, text)
			in := 0
			for _, region := range regions {
				conds, err := schema.ParseConds(strings.Join(region.Conds, " "))
				require.NoError(t, err)
				if (&rules.Rule[int]{Conds: conds}).Matches(schema, k) {
					in++
				}
			}
			want := 0
			if a != b {
				want = 1
				moved++
			}
			require.Equal(t, want, in, "seed %d: %s", seed, text)
		}
	}
	require.NotZero(t, moved)
}
