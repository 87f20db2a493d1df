//go:build linux

package kernel

// Random programs of matches on connections.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// trackedFragments are the matches on connections of the case tables. connlimit
// is not among them: asked twice of a packet, or in the same tick of the clock,
// the kernel counts a connection that is not confirmed twice.
func trackedFragments(family int) (list []fragment) {
	for _, e := range extensions {
		if e.kind == "match" && e.routes && e.table == "mangle" && e.chain == "" && e.setup == nil && e.each == nil && strings.Contains(e.name, "conn") && e.name != "connlimit" {
			for _, r := range slices.Concat(e.rules, map[int][]string{4: e.rules4, 6: e.rules6}[family]) {
				f := fragment{text: r}
				if rest, ok := strings.CutPrefix(r, "-p "); ok {
					proto, rest, _ := strings.Cut(rest, " ")
					f.proto, f.text = "-p "+proto, rest
				}
				list = append(list, f)
			}
		}
	}
	return list
}

func TestRandomProgramsOfConnectionsCountAsTheKernelDoes(t *testing.T) {
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			list := trackedFragments(family)
			require.NotEmpty(t, list)
			hits, rules := 0, 0
			for i := range max(1, *sets/5) {
				s := *seed + uint64(i)
				g := &generator{rand.New(rand.NewPCG(s, uint64(300+family))), family}
				var b strings.Builder
				b.WriteString("*mangle\n:u - [0:0]\n-A PREROUTING\n")
				for n := range 20 {
					f := pick(g, list...)
					conditions := f.proto + " " + f.text
					if other := pick(g, list...); other.proto == "" && g.oneIn(2) {
						conditions += " " + other.text
					}
					chain := pick(g, "PREROUTING", "PREROUTING", "u")
					target := pick(g, "", "", "-j MARK --or-mark 0x1", "-j CONNMARK --set-xmark 0x3/0xf", "-j CONNMARK --save-mark", "-j CONNMARK --restore-mark", "-j RETURN")
					if chain == "PREROUTING" && g.oneIn(4) {
						target = "-j u"
					}
					if n < 3 {
						target = "" // the first rules see all packets
					}
					b.WriteString("-A " + chain + " " + strings.TrimSpace(strings.TrimSpace(conditions)+" "+target) + "\n")
				}
				b.WriteString("COMMIT\n")
				w := newWorld(t, family)
				w.addRoutes(t)
				j, err := newJudge(t, w, b.String(), []hookSpec{{"mangle", "PREROUTING"}}, func() *xt.State { return &xt.State{} })
				require.NoError(t, err, "seed %d\n%s", s, b.String())
				j.meta = tracked(w)
				j.capture = true
				shots := conversations(family)
				for k := range shots {
					j.fire(&shots[k])
				}
				if j.order != nil {
					j.finish()
					t.Fatalf("seed %d\n%s", s, b.String())
				}
				hits, rules = hits+len(j.hits), rules+21
			}
			t.Logf("%d rules, %d of them hit", rules, hits)
			require.Greater(t, hits*4, rules)
		})
	}
}
