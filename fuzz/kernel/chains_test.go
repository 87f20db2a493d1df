//go:build linux

package kernel

// Random chain programs: the counters of every rule and policy.

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/stretchr/testify/require"
)

var (
	sets    = flag.Int("sets", 40, "random rule sets per address family")
	packets = flag.Int("packets", 1500, "packets per rule set")
	seed    = flag.Uint64("seed", 1, "seed of the random rule sets")
)

func TestChainCountersEqualTheKernels(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			tool := map[int]string{4: "iptables", 6: "ip6tables"}[family] + "-legacy"
			tun := enterNamespace(t, false, tool+"-restore", tool+"-save")
			total, hit := 0, 0
			for i := range *sets {
				s := *seed + uint64(i)
				g := &generator{rand.New(rand.NewPCG(s, uint64(family))), family}
				n, h := compareCounters(t, g, tun, tool, s)
				total, hit = total+n, hit+h
			}
			t.Logf("%d sets, %d rules, %d of them hit, %d packets", *sets, total, hit, *sets**packets)
			require.Greater(t, hit*10, total*3, "enough of the rules meet packets")
		})
	}
}

// compareCounters runs one program and returns how many rules it has and how
// many met packets.
func compareCounters(t *testing.T, g *generator, tun int, tool string, seed uint64) (count, hit int) {
	text := g.program()
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{File: fmt.Sprintf("seed%d", seed), Family: g.family})
	require.NoError(t, err, text)
	run(t, text, tool+"-restore")

	table := rs.Table("raw")
	entry := table.Find("PREROUTING")
	counters := make(map[rules.Place][2]uint64) // by chain and Number-1, -1 for the policy
	count1 := func(at rules.Place, length uint32) {
		if at.Rule >= 0 {
			at.Rule = table.Chains[at.Chain].Rules.At(at.Rule).Value.Number - 1
		}
		c := counters[at]
		counters[at] = [2]uint64{c[0] + 1, c[1] + uint64(length)}
	}
	binder := packet.NewBinder(table.Schema)
	key := table.Schema.NewKey()
	var build, p packet.Packet
	p.SetIn(device)
	p.SetOut("")
	var raw []byte
	for range *packets {
		g.packet(&build)
		raw = build.AppendIP(raw[:0])
		require.NoError(t, p.DecodeIP(raw))
		require.Zero(t, p.Notes)
		p.PktType, p.Has = packet.Unicast, p.Has|packet.HasPktType // what TUN makes of all packets
		require.True(t, binder.Key(&p, key))
		result := table.Evaluate(key, entry, func(at rules.Place) { count1(at, p.Length) })
		require.NotEqual(t, rules.NoVerdict, result.Verdict)
		if result.By.Rule < 0 {
			count1(result.By, p.Length)
		}
		n, err := syscall.Write(tun, raw)
		require.NoError(t, err)
		require.Equal(t, len(raw), n)
	}

	want := lines(rs, counters)
	got := savedLines(run(t, "", tool+"-save", "-c", "-t", "raw"))
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Errorf("seed %d:\n  ours   %s\n  kernel %s", seed, want[i], got[i])
		}
	}
	require.Len(t, got, len(want))
	if t.Failed() {
		t.Fatalf("of the program\n%s", text)
	}
	for at, c := range counters {
		if at.Rule >= 0 && c[0] > 0 {
			hit++
		}
	}
	for i := range table.Chains {
		if n := table.Chains[i].Rules.Len(); n > 0 {
			count += table.Chains[i].Rules.At(n - 1).Value.Number
		}
	}
	return count, hit
}

// lines are the policy of the entry chain and all rules as the tool prints
// them, with the given counters.
func lines(rs *iptables.Ruleset, counters map[rules.Place][2]uint64) []string {
	table := rs.Table("raw")
	entry := table.Find("PREROUTING")
	c := counters[rules.Place{Chain: entry, Rule: -1}]
	out := []string{fmt.Sprintf(":PREROUTING %v [%d:%d]", table.Chains[entry].Policy, c[0], c[1])}
	for i := range table.Chains {
		name := table.Chains[i].Name
		for n := 1; ; n++ {
			text, line := rs.Rule("raw", name, n)
			if line == 0 {
				break
			}
			c := counters[rules.Place{Chain: i, Rule: n - 1}]
			out = append(out, strings.TrimRight(fmt.Sprintf("[%d:%d] -A %s %s", c[0], c[1], name, printable(text)), " "))
		}
	}
	return out
}

// What iptables 1.8.9 leaves out when it prints a rule, though the rule in the
// kernel has it.
var (
	lostInterface = regexp.MustCompile(`! -i \+ ?`)
	lostPorts     = regexp.MustCompile(` ! --[sd]port 0:65535`)
	lostFlags     = regexp.MustCompile(`([^!]) --tcp-flags NONE [A-Z,]+`)
)

// printable returns the text of a rule as that version prints it.
func printable(text string) string {
	parts := strings.Split(lostInterface.ReplaceAllString(text, ""), " -m ")
	for i, p := range parts {
		if strings.HasPrefix(p, "tcp") || strings.HasPrefix(p, "udp") {
			parts[i] = lostFlags.ReplaceAllString(lostPorts.ReplaceAllString(p, ""), "$1")
		}
	}
	return strings.TrimRight(strings.Join(parts, " -m "), " ")
}

// savedLines are the same lines out of what the tool prints.
func savedLines(saved string) (out []string) {
	for _, line := range strings.Split(saved, "\n") {
		if strings.HasPrefix(line, ":PREROUTING ") || strings.HasPrefix(line, "[") {
			out = append(out, line)
		}
	}
	return out
}
