//go:build linux

package kernel

// What is drawn by lot cannot be compared packet by packet: how often it comes
// must be right, in the kernel and here. The bounds are seven standard
// deviations wide, and a few more where hits are rare: a right answer is outside
// of them less than once in 1e11 runs.

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

func TestRandomMatchesComeAsOftenAsTheirProbability(t *testing.T) {
	const n = 20000
	matches := []struct {
		rule string
		p    float64
	}{
		{"-m statistic --mode random --probability 0.5", 0.5},
		{"-m statistic --mode random ! --probability 0.3", 0.7},
		{"-m statistic --mode random --probability 0.01", 0.01},
		{"-m statistic --mode random --probability 0.999", 0.999},
		{"-m statistic --mode random --probability 0", 0},
		{"-m statistic --mode random --probability 0.5 -m statistic --mode random --probability 0.5", 0.25},
	}
	for _, family := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", family), func(t *testing.T) {
			w := newWorld(t, family)
			var b strings.Builder
			b.WriteString("*raw\n")
			for _, m := range matches {
				fmt.Fprintf(&b, "-A PREROUTING %s\n", m.rule)
			}
			b.WriteString("COMMIT\n")
			j, err := newJudge(t, w, b.String(), []hookSpec{{"raw", "PREROUTING"}}, func() *xt.State { return &xt.State{} })
			require.NoError(t, err)
			checkSaved(t, w, j.rs, "raw")
			ours := map[string]map[place]int{}
			s := &shot{name: "datagram", raw: head{proto: 17}.ip(family, udp(1, 2, 3))}
			for range n {
				w.send(t, s)
				for _, side := range j.sides {
					j.predict(side, s)
					if ours[side.name] == nil {
						ours[side.name] = map[place]int{}
					}
					for p := range side.got {
						ours[side.name][p]++
					}
				}
			}
			counted := j.kernel[0].read(t, nil)
			for i, m := range matches {
				bound := 7*math.Sqrt(n*m.p*(1-m.p)) + 12
				if m.p == 0 {
					bound = 0
				}
				require.InDelta(t, n*m.p, float64(counted[j.kernel[0].find("PREROUTING")][i].packets), bound, "the kernel: %s", m.rule)
				for name, hits := range ours {
					require.InDelta(t, n*m.p, float64(hits[place{"raw", "PREROUTING", i}]), bound, "%s: %s", name, m.rule)
				}
			}
		})
	}
}
