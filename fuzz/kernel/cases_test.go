//go:build linux

package kernel

// The case tables: for each extension the rules and the packets of its own;
// every rule meets the pool of packets besides.

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

// extension is the case table of one match or target.
type extension struct {
	kind, name string // "match", "tcp"
	family     int    // 0: both
	table      string // "": raw
	chain      string // "": PREROUTING
	rules      []string
	rules4     []string // of one family only
	rules6     []string
	head       []string   // rules in front of them, all the time
	hooks      []hookSpec // the way of the packets, when it is more than the chain
	also       string     // the text of other tables
	random     bool       // ports are drawn by lot
	each       []string   // targets: each is loaded alone in front of the rules
	shots      func(family int) []shot
	noPool     bool
	tap        bool // the device takes Ethernet frames
	routes     bool // the namespace forwards packets
	meta       func(w *world) func(*xt.Traversal, *shot)
	setup      func(t *testing.T, w *world)
}

var extensions []extension

// The tables of package kernel itself are those whose matches ask for nothing but
// the packet's bytes and memory.
func init() {
	for _, m := range plainTables() {
		register(extension{kind: m.kind, name: m.name, family: m.family, rules: m.rules, rules4: m.rules4, rules6: m.rules6, head: m.head, shots: m.shots, noPool: m.noPool})
	}
}

func register(list ...extension) bool { extensions = append(extensions, list...); return true }

func TestEveryExtensionAnswersAsTheKernelDoes(t *testing.T) {
	covered = coverage{}
	pools := map[int][]shot{4: pool(4), 6: pool(6)}
	for _, e := range extensions {
		for _, family := range []int{4, 6} {
			if e.family != 0 && e.family != family {
				continue
			}
			t.Run(fmt.Sprintf("%s %s IPv%d", e.kind, e.name, family), func(t *testing.T) {
				w := newDeviceWorld(t, family, e.tap)
				if e.routes {
					w.addRoutes(t)
				}
				if e.setup != nil {
					e.setup(t, w)
				}
				var shots []shot
				if e.shots != nil {
					shots = e.shots(family)
				}
				if !e.noPool {
					shots = append(shots, pools[family]...)
				}
				list := append([]string{}, e.rules...)
				if family == 4 {
					list = append(list, e.rules4...)
				} else {
					list = append(list, e.rules6...)
				}
				if e.each == nil {
					e.run(t, w, list, shots)
				}
				for i, target := range e.each {
					if i > 0 && e.meta != nil {
						w = newDeviceWorld(t, family, e.tap) // without the connections of before
						w.addRoutes(t)
					}
					e.run(t, w, append([]string{target}, list...), shots)
				}
			})
		}
	}
	t.Run("and no extension is left out", func(t *testing.T) {
		if f := flag.Lookup("test.run").Value.String(); strings.Contains(f, "/") {
			t.Skipf("-run %s left some out", f)
		}
		covered.check(t)
	})
}

// run loads the rules and fires the packets. Where a packet is dropped at a
// rule because it cannot be read, the rules behind that one are loaded and
// tried again without those in front of them.
func (e extension) run(t *testing.T, w *world, list []string, shots []shot) {
	table, chain := e.table, e.chain
	if table == "" {
		table = "raw"
	}
	if chain == "" {
		chain = "PREROUTING"
	}
	// The first rule of all shows that the packet comes so far.
	e.head = append([]string{""}, e.head...)
	first := 0
	if (chain == "OUTPUT" || chain == "POSTROUTING") && table != "nat" && w.family == 6 { // what the kernel sends on its own account
		e.head, first = append([]string{"-p ipv6-icmp -j ACCEPT"}, e.head...), 1
	}
	hit := make([]bool, len(list))
	missed := make([]bool, len(list))
	again := make([]bool, len(shots)) // packets that have not met all rules
	for i := range again {
		again[i] = true
	}
	for from := 0; from < len(list); {
		var b strings.Builder
		fmt.Fprintf(&b, "*%s\n", table)
		for _, r := range append(append([]string{}, e.head...), list[from:]...) {
			fmt.Fprintf(&b, "-A %s %s\n", chain, r)
		}
		b.WriteString("COMMIT\n" + e.also)
		hooks := e.hooks
		if hooks == nil {
			hooks = []hookSpec{{table, chain}}
		}
		j, err := newJudge(t, w, b.String(), hooks, func() *xt.State { return &xt.State{} })
		require.NoError(t, err)
		j.arrival, j.first, j.own = true, place{table, chain, first}, first == 1
		j.mayMiss = chain != "PREROUTING"
		j.routed = hooks[0].chain == "FORWARD" || hooks[0].chain == "POSTROUTING"
		last := hooks[len(hooks)-1].chain
		j.goesOn = last != "PREROUTING" && last != "INPUT"
		j.random = e.random
		j.capture = e.routes
		if j.routed {
			j.meta = w.forwardMeta
		}
		if e.meta != nil {
			j.meta = e.meta(w)
		}
		if from == 0 {
			checkSaved(t, w, j.rs, table)
		}
		before := make([]int, len(list))
		stop := len(list)
		for i := range shots {
			if !again[i] {
				continue
			}
			for n := from; n < len(list); n++ {
				before[n] = j.hits[place{table, chain, n - from + len(e.head)}]
			}
			j.fire(&shots[i])
			if r := j.sides[0].ended; r.Dropped && r.By.Rule >= len(e.head) {
				at := j.sides[0].steps[0].table.Chains[r.By.Chain].Rules.At(r.By.Rule).Value.Number - 1
				stop = min(stop, from+at-len(e.head))
				continue
			}
			again[i] = false
			for n := from; n < len(list); n++ {
				if j.hits[place{table, chain, n - from + len(e.head)}] > before[n] {
					hit[n] = true
				} else {
					missed[n] = true
				}
			}
		}
		j.finish()
		if j.mayMiss || e.each != nil && e.routes {
			require.Positive(t, j.arrived)
		}
		from = stop + 1
	}
	for n := range list {
		covered.add(w.family, list[n], hit[n], missed[n])
	}
}
