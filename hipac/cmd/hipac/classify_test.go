package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemoOutputs(t *testing.T) {
	golden(t, "demo.text", output(t, ""))
	require.Equal(t, output(t, ""), output(t, "", "classify"))
	golden(t, "demo.color", output(t, "", "--color", "always"))
	for _, form := range []string{"json", "csv", "id"} {
		r := invoke(t, "", "classify", "--output", form)
		require.Equal(t, exitOK, r.code)
		golden(t, "demo."+form, r.stdout)
	}
}

func TestEnginesAgreeOnTheDemo(t *testing.T) {
	for _, chain := range []string{"FORWARD", "INPUT", "OUTPUT"} {
		want := invoke(t, "", "--output", "id", "--chain", chain, "--engine", "linear").stdout
		require.Equal(t, len(demoPackets()), strings.Count(want, "\n"))
		for _, e := range []string{"tree", "index"} {
			require.Equal(t, want, invoke(t, "", "--output", "id", "--chain", chain, "--engine", e).stdout, e)
		}
	}
}

func TestEnginesAgreeOnGeneratedSets(t *testing.T) {
	for seed, n := range []int{1, 7, 60, 800} {
		rules, packets := randomSet(uint64(seed), n, 3000)
		r, p := file(t, "r", rules), file(t, "p", packets)
		want := output(t, "", "--rules", r, "--packets", p, "--output", "id", "--engine", "linear")
		require.Equal(t, 3000, strings.Count(want, "\n"))
		require.Equal(t, n < 100, strings.Contains(want, "\n0\n"), "only small sets leave packets over")
		for _, e := range []string{"tree", "index"} {
			got := output(t, "", "--rules", r, "--packets", p, "--output", "id", "--engine", e)
			require.True(t, want == got, "%s differs from linear on %d rules, seed %d", e, n, seed)
		}
	}
}

func TestIDLinesOfFlatLists(t *testing.T) {
	p := file(t, "p", trace)
	require.Equal(t, "1\n0\n0\n2\n", output(t, "", "--rules", file(t, "r", classbenchRules), "--packets", p, "--output", "id"))
	for _, e := range []string{"tree", "index", "linear"} {
		// The third packet meets a rule that nobody can decide.
		require.Equal(t, "1\n0\nUNKNOWN\t2\n3\n", output(t, "", "--rules", file(t, "r", nativeRules), "--packets", p, "--output", "id", "--engine", e))
	}
}

func TestTheSixthColumnOfClassBenchCountsWhenAskedFor(t *testing.T) {
	r := file(t, "r", classbenchRules)
	csv := "src,dst,sport,dport,proto,flags\n10.0.0.1,192.0.2.1,1,80,tcp,0x200\n10.0.0.1,192.0.2.1,1,80,tcp,0x1000\n"
	require.Equal(t, "1\n0\n", output(t, csv, "--rules", r, "--packets", "-", "--output", "id", "--fields", "6"))
	five := "src,dst,sport,dport,proto\n10.0.0.1,192.0.2.1,1,80,tcp\n10.0.0.1,192.0.2.1,1,80,tcp\n"
	require.Equal(t, "1\n1\n", output(t, five, "--rules", r, "--packets", "-", "--output", "id"))
}

const unknownRules = `*nat
:PREROUTING ACCEPT [0:0]
COMMIT
*filter
:FORWARD DROP [0:0]
:user - [0:0]
-A FORWARD -p tcp -m tcp --dport 80 -j user
-A FORWARD -p udp -j ACCEPT
-A user -s 10.9.0.0/16 -j ACCEPT
-A user -s 10.0.0.0/8 -d host.example -j DROP
COMMIT
`

func TestIDLinesOfTables(t *testing.T) {
	csv := "src,dst,sport,dport,proto\n" +
		"10.9.0.1,192.0.2.1,1,80,tcp\n" + // accepted in the user chain
		"10.0.0.1,192.0.2.1,1,80,tcp\n" + // unknown
		"192.0.2.9,192.0.2.1,1,80,tcp\n" + // comes back, policy
		"192.0.2.9,192.0.2.1,1,53,udp\n" +
		"2001:db8::1,2001:db8::2,1,80,tcp\n"
	r := file(t, "r", unknownRules)
	for _, e := range []string{"tree", "index", "linear"} {
		require.Equal(t, "ACCEPT\tuser/1\nUNKNOWN\tuser/2\nDROP\tFORWARD/policy\nACCEPT\tFORWARD/2\nNONE\tFORWARD/family\n",
			output(t, csv, "--rules", r, "--packets", "-", "--output", "id", "--allow-unknown", "--engine", e))
	}
	text := output(t, csv, "--rules", r, "--packets", "-", "--allow-unknown")
	require.Contains(t, text, "(unknown: host name host.example)")
	// A table without FORWARD is entered at its first chain.
	require.Equal(t, "ACCEPT\tPREROUTING/policy\n",
		output(t, "src,dst\n1.1.1.1,1.1.1.2\n", "--rules", r, "--packets", "-", "--output", "id", "--allow-unknown", "--table", "nat"))
}

func TestTheFamilyOfATableCanBeSaid(t *testing.T) {
	csv := "src,dst\n10.0.0.1,10.0.0.2\n2001:db8::1,2001:db8::2\n"
	r := file(t, "r", "*filter\n-A FORWARD -j DROP\nCOMMIT\n")
	require.Equal(t, "DROP\tFORWARD/1\nNONE\tFORWARD/family\n", output(t, csv, "--rules", r, "--packets", "-", "--output", "id"))
	require.Equal(t, "NONE\tFORWARD/family\nDROP\tFORWARD/1\n", output(t, csv, "--rules", r, "--packets", "-", "--output", "id", "--family", "6"))
}

func TestTextShowsLinesForFewPacketsAndTheSummaryForMany(t *testing.T) {
	rules, packets := randomSet(5, 20, 200)
	r := file(t, "r", rules)
	lines := strings.SplitAfter(packets, "\n")
	few := output(t, strings.Join(lines[:maxLines], ""), "--rules", r, "--packets", "-")
	require.True(t, strings.HasPrefix(few, " #  packet"), few)
	require.Contains(t, few, "\n50 packets\n")
	many := output(t, strings.Join(lines[:maxLines+1], ""), "--rules", r, "--packets", "-")
	require.True(t, strings.HasPrefix(many, "51 packets\n"), many)
	all := output(t, packets, "--rules", r, "--packets", "-", "--verbose")
	require.Equal(t, 200, strings.Count(all, " > "))
	require.Regexp(t, `\n  and \d+ others? \(--top \d+ lists all\)\n`, output(t, packets, "--rules", r, "--packets", "-", "--top", "1"))
	require.NotContains(t, output(t, packets, "--rules", r, "--packets", "-", "--top", "0"), "Decided by")
}

func TestTextOfAFlatList(t *testing.T) {
	r := file(t, "office", nativeRules)
	golden(t, "native.text", strings.ReplaceAll(output(t, trace, "--rules", r, "--packets", "-"), r, "office"))
}

func TestJSONLinesAreObjectsAndTheLastIsTheSummary(t *testing.T) {
	out := output(t, trace, "--rules", file(t, "r", nativeRules), "--packets", "-", "--output", "json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 5)
	var p packetJSON
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &p))
	require.Equal(t, packetJSON{Packet: 3, Summary: "10.9.0.1:1234 > 192.0.2.1:22 tcp", Verdict: "UNKNOWN", Rule: 2.0, Text: "src=10.9.0.0/16", Unknown: "owner",
		Fields: map[string]string{"src": "10.9.0.1", "dst": "192.0.2.1", "sport": "1234", "dport": "22", "proto": "tcp"}}, p)
	var s map[string]summaryJSON
	require.NoError(t, json.Unmarshal([]byte(lines[4]), &s))
	require.Equal(t, 4, s["summary"].Packets)
	require.Len(t, s["summary"].Rules, 3)
	total := 0
	for _, v := range s["summary"].Verdicts {
		total += v.Packets
	}
	require.Equal(t, 4, total)
}

func TestCSVHasAHeaderEvenWithoutPackets(t *testing.T) {
	out := output(t, "src,dst\n", "--rules", file(t, "r", nativeRules), "--packets", "-", "--output", "csv")
	require.Equal(t, strings.Join(csvHeader, ",")+"\n", out)
	out = output(t, trace, "--rules", file(t, "r", nativeRules), "--packets", "-", "--output", "csv")
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 5)
	require.Equal(t, []string{"1", "", "10.0.0.1:1234 > 192.0.2.1:80 tcp", "ACCEPT", "", "1", "src=10.0.0.0/8 dport=80,443 proto=tcp", "the web", "", "", ""}, records[1])
	require.Equal(t, []string{"3", "", "10.9.0.1:1234 > 192.0.2.1:22 tcp", "UNKNOWN", "", "2", "src=10.9.0.0/16", "", "owner", "", ""}, records[3])
}

func TestInterfacesAndStatesComeFromTheFlags(t *testing.T) {
	r := file(t, "r", `*filter
-A FORWARD -i eth0 -m conntrack --ctstate NEW -j DROP
-A FORWARD ! -i eth0 -j REJECT
-A FORWARD -o wan+ -j ACCEPT
COMMIT
`)
	csv := "src,dst,iif\n10.0.0.1,10.0.0.2,\n10.0.0.1,10.0.0.2,eth1\n"
	ids := func(args ...string) string {
		return invoke(t, csv, append([]string{"--rules", r, "--packets", "-", "--output", "id"}, args...)...).stdout
	}
	require.Equal(t, "ACCEPT\tFORWARD/policy\nREJECT\tFORWARD/2\n", ids())
	require.Equal(t, "ACCEPT\tFORWARD/policy\nREJECT\tFORWARD/2\n", ids("--in-interface", "eth0"))
	require.Equal(t, "DROP\tFORWARD/1\nREJECT\tFORWARD/2\n", ids("--in-interface", "eth0", "--ctstate", "NEW"))
	require.Equal(t, "ACCEPT\tFORWARD/3\nREJECT\tFORWARD/2\n", ids("--in-interface", "eth0", "--out-interface", "wan7"))
	// The demonstration's capture names its interfaces.
	capture := file(t, "p", string(demoCapture))
	in := invoke(t, "", "--rules", r, "--packets", capture, "--output", "id", "--capture-interface", "in").stdout
	require.Equal(t, len(demoPackets())-2, strings.Count(in, "REJECT\tFORWARD/2\n"))
	require.NotContains(t, invoke(t, "", "--rules", r, "--packets", capture, "--output", "id").stdout, "REJECT")
}

func TestOutputsOfAllEnginesCountTheSame(t *testing.T) {
	rules, packets := randomSet(9, 50, 10000)
	r := file(t, "r", rules)
	var want string
	for _, e := range []string{"linear", "index", "tree"} {
		out := output(t, packets, "--rules", r, "--packets", "-", "--engine", e)
		out, _, ok := strings.Cut(out, "\nrules ")
		require.True(t, ok)
		if want == "" {
			want = out
		}
		require.Equal(t, want, out, e)
	}
	require.Contains(t, want, "10000 packets\n")
}

func TestTextFromStrangersCannotMoveTheCursor(t *testing.T) {
	rules := "hipac 1\nschema ipv4\nrule any => \"\\x1b[2J\"  # \"a\\x07b\"\n"
	out := output(t, trace, "--rules", file(t, "r", rules), "--packets", "-")
	require.NotContains(t, out, "\x1b")
	require.NotContains(t, out, "\x07")
	require.Contains(t, out, `\x1b[2J`)
	require.Contains(t, out, `a\ab`)
}

func TestPacketsOfAnotherFamilyMatchNothing(t *testing.T) {
	// One of the demonstration's packets is IPv6, one is damaged.
	var want bytes.Buffer
	for i := range demoPackets() {
		switch i {
		case 22:
			want.WriteString("ERROR\n")
		case 23:
			want.WriteString("0\n")
		default:
			fmt.Fprintln(&want, 1)
		}
	}
	r := file(t, "r", "hipac 1\nschema ipv4\nrule any => X\n")
	got := invoke(t, string(demoCapture), "--rules", r, "--packets", "-", "--output", "id")
	require.Equal(t, exitOK, got.code)
	require.Equal(t, want.String(), got.stdout)
	require.Equal(t, "hipac: standard input: packet 23 at byte 4072: truncated packet: ends inside the IP header\n", got.stderr)
}
