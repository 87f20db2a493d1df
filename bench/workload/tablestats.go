package workload

// Statistics of chains.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// TableStats describes a table of chains.
type TableStats struct {
	Name    string
	Chains  int // with rules
	Rules   int
	Jumps   int            // rules that go to another chain
	Depth   int            // chains that a packet can be in at once
	Longest string         // the chain with the most rules
	Most    int            // its rules
	Tests   int            // rules with tests beyond conditions, such as a random number
	Targets map[string]int // rules by what they do: a verdict, a target, "jump", "return"
	Fields  []FieldStats   // of all rules; shares are of all rules
}

// StatisticsOfTable measures a table, O(rules * fields). The table must have
// been checked, as those that rules/iptables reads have been.
func StatisticsOfTable(t *rules.Table) TableStats {
	out := TableStats{Name: t.Name, Targets: map[string]int{}}
	all := allRules{schema: t.Schema}
	depth := make([]int, len(t.Chains))
	var deep func(c int) int
	deep = func(c int) int {
		if depth[c] > 0 {
			return depth[c]
		}
		below := 0
		for _, r := range t.Chains[c].Rules.All() {
			if k := r.Value.Kind; k == rules.Jump || k == rules.Goto {
				below = max(below, deep(r.Value.Chain))
			}
		}
		depth[c] = below + 1
		return depth[c]
	}
	for i := range t.Chains {
		c := &t.Chains[i]
		if c.Rules.Len() > 0 {
			out.Chains++
		}
		if out.Rules += c.Rules.Len(); c.Rules.Len() > out.Most {
			out.Longest, out.Most = c.Name, c.Rules.Len()
		}
		out.Depth = max(out.Depth, deep(i))
		for _, r := range c.Rules.All() {
			all.conds = append(all.conds, r.Conds)
			what, _, _ := strings.Cut(r.Value.Text, " ")
			switch r.Value.Kind {
			case rules.Jump, rules.Goto:
				out.Jumps++
				what = "jump"
			case rules.Return:
				what = "return"
			}
			out.Targets[what]++
			out.Tests += b2i(r.Value.Ext != nil && len(r.Value.Ext.Tests) > 0)
		}
	}
	one := 1 / float64(max(1, out.Rules))
	for f := range t.Schema.Len() {
		var fs FieldStats
		if fs.measure(all, f, one); fs.Wildcard < 1-one/2 {
			out.Fields = append(out.Fields, fs)
		}
	}
	return out
}

// allRules are the rules of all chains.
type allRules struct {
	schema *rules.Schema
	conds  [][]rules.Cond
}

func (a allRules) Len() int                   { return len(a.conds) }
func (a allRules) Schema() *rules.Schema      { return a.schema }
func (a allRules) CondsAt(i int) []rules.Cond { return a.conds[i] }

// String writes the statistics as a small table, without fields that no rule
// asks for.
func (out TableStats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s: rules %d in %d chains, jumps %d, depth %d, longest chain %s with %d rules, rules with tests %d\n",
		out.Name, out.Rules, out.Chains, out.Jumps, out.Depth, out.Longest, out.Most, out.Tests)
	names := make([]string, 0, len(out.Targets))
	for name := range out.Targets {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		if out.Targets[x] != out.Targets[y] {
			return out.Targets[y] - out.Targets[x]
		}
		return strings.Compare(x, y)
	})
	b.WriteString("targets")
	for _, name := range names {
		fmt.Fprintf(&b, "  %s %d", name, out.Targets[name])
	}
	b.WriteByte('\n')
	writeFields(&b, out.Fields)
	return b.String()
}
