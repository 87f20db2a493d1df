//go:build linux

package kernel

// All tables at once: random rules in every table and hook that a forwarded
// packet comes by, in the order of the kernel, where marks and header fields
// that one table sets are seen by the next.

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// forwardHooks is the way of a packet that is forwarded. The table nat sees
// packets that begin connections, which all of these do.
var forwardHooks = []hookSpec{{"raw", "PREROUTING"}, {"mangle", "PREROUTING"}, {"nat", "PREROUTING"}, {"mangle", "FORWARD"}, {"filter", "FORWARD"}, {"security", "FORWARD"}, {"mangle", "POSTROUTING"}, {"nat", "POSTROUTING"}}

// hooks is the way without the places where what the kernel sends on its own
// account, to find neighbours by IPv6, would count too.
func (g *generator) hooks() (list []hookSpec) {
	for _, h := range forwardHooks {
		if g.family == 4 || h.chain != "POSTROUTING" {
			list = append(list, h)
		}
	}
	return list
}

// allTables returns a file with rules in all of them.
func (g *generator) allTables() string {
	chains := map[string][]string{}
	for _, h := range g.hooks() {
		chains[h.table] = append(chains[h.table], h.chain)
	}
	ttl := map[int]string{4: "ttl", 6: "hl"}[g.family]
	conditions := func() string {
		return pick(g, "-p tcp", "-p udp", "-p tcp -m tcp --dport 80", "-p udp -m udp --dport 1000:2000", "-m mark --mark 0", "-m mark --mark 0x1/0x1", "-m mark ! --mark 0x2/0x2", "-m tos --tos 0x10/0x3f", "-m dscp ! --dscp 0", "-m length --length 0:40",
			"-m "+ttl+" --"+ttl+"-eq 64", "-m "+ttl+" --"+ttl+"-eq 63", "-m "+ttl+" --"+ttl+"-lt 63", "-m statistic --mode nth --every 3 --packet 0", "-m u32 --u32 0x0=0x0:0xffffffff", "-i "+device, "-m comment --comment x", "-m length --length 41:9999")
	}
	var b strings.Builder
	for _, table := range []string{"raw", "mangle", "nat", "filter", "security"} {
		fmt.Fprintf(&b, "*%s\n:user - [0:0]\n", table)
		for range 3 {
			b.WriteString("-A user " + conditions() + pick(g, "", " -j RETURN", " -j MARK --xor-mark 0x3", " -j ACCEPT") + "\n")
		}
		for _, chain := range chains[table] {
			switch {
			case table == "raw":
				b.WriteString("-A " + chain + "\n")
			case table == "mangle": // without a rule like this no connections are tracked, and nat sees nothing
				b.WriteString("-A " + chain + " -m conntrack --ctstate NEW\n")
			}
			for range 3 + g.IntN(4) {
				targets := []string{"", "", " -j MARK --or-mark 0x1", " -j MARK --set-xmark 0x2/0x6", " -j user", " -g user", " -j ACCEPT"}
				if table != "nat" {
					targets = append(targets, " -j RETURN")
				}
				if table == "filter" || table == "security" {
					targets = append(targets, " -j DROP")
				}
				if table == "mangle" {
					targets = append(targets, " -j TOS --set-tos 0x10/0x3f", " -j DSCP --set-dscp 46", fmt.Sprintf(" -j %s --%s-set 64", strings.ToUpper(ttl), ttl))
				}
				cond := conditions()
				if chain == "FORWARD" && g.oneIn(4) {
					cond = "-o " + device2
				}
				if chain == "POSTROUTING" && strings.HasPrefix(cond, "-i ") {
					cond = "-o " + device2
				}
				b.WriteString("-A " + chain + " " + cond + pick(g, targets...) + "\n")
			}
		}
		b.WriteString("COMMIT\n")
	}
	return strings.ReplaceAll(b.String(), "-A user -i "+device, "-A user -p udp")
}

func TestAllTablesOnTheWayOfAPacketCountAsTheKernelDoes(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			hits, captures := 0, 0
			for i := range max(2, *sets/8) {
				s := *seed + uint64(i)
				g := &generator{rand.New(rand.NewPCG(s, uint64(400+family))), family}
				text := g.allTables()
				w := newWorld(t, family)
				w.addRoutes(t)
				j, err := newJudge(t, w, text, g.hooks(), func() *xt.State { return &xt.State{} })
				require.NoError(t, err, "seed %d\n%s", s, text)
				j.meta = natMeta(w)
				j.capture, j.goesOn = true, true
				j.arrival, j.first = true, place{"raw", "PREROUTING", 0}
				shots := beginnings(family)
				for k := range shots[:100] {
					j.fire(&shots[k])
				}
				if j.order != nil {
					j.finish()
					t.Fatalf("seed %d\n%s", s, text)
				}
				hits, captures = hits+len(j.hits), captures+j.captures
			}
			t.Logf("%d rules and policies hit, %d packets sent on", hits, captures/2)
			require.Positive(t, captures)
		})
	}
}
