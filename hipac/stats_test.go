package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// plantedList is n common rules, of which one in twenty lies behind an earlier
// one that matches all that it matches. It returns their positions.
func plantedList(r *rand.Rand, n int) (*rules.List[int], []int) {
	s := rules.IPv4Tuple
	b := rules.NewBuilder[int](s)
	var specs [][2]rules.Interval // of addresses
	var ports []rules.Interval
	var planted []int
	for i := range n {
		addrs := [2]rules.Interval{s.Field(0).Full(), s.Field(1).Full()}
		port := s.Field(3).Full()
		if i > 0 && r.IntN(20) == 0 {
			j := r.IntN(i)
			addrs, port = specs[j], ports[j]
			v := rules.U64(addrs[0].Lo.Lo + r.Uint64N(addrs[0].Hi.Lo-addrs[0].Lo.Lo+1))
			addrs[0] = rules.Interval{Lo: v, Hi: v}
			planted = append(planted, i)
		} else {
			for f := range addrs {
				if length := []int{0, 8, 16, 24, 28, 32, 32}[r.IntN(7)]; length > 0 {
					addrs[f] = rules.PrefixInterval(rules.U64(r.Uint64N(40)<<24|r.Uint64()&0xffffff), length, 32)
				}
			}
			if addrs[0].Hi.Lo-addrs[0].Lo.Lo+addrs[1].Hi.Lo-addrs[1].Lo.Lo > 1<<25 || r.IntN(2) == 0 {
				port = rules.Point(r.Uint64N(1024)) // such rules would hide most others
			}
		}
		specs, ports = append(specs, addrs), append(ports, port)
		if _, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{rules.In(0, addrs[0]), rules.In(1, addrs[1]), rules.In(3, port)}}); err != nil {
			panic(err)
		}
	}
	return b.List(), planted
}

func place(rule int) rules.Place { return rules.Place{Rule: rule} }

func TestRulesThatEarlierOnesHideHaveNoRows(t *testing.T) {
	b := rules.NewBuilder[string](rules.IPv4Tuple)
	for _, text := range []string{
		"dport=22", // 0
		"src=10.0.0.0/8",
		"src=10.1.0.0/16 proto=6", // 2: behind 1
		"src=11.0.0.0/9",
		"src=11.128.0.0/9",
		"src=11.0.0.0/8 dport=1-9", // behind 3 and 4 together, which is not looked for
		"dport=22 proto=6",         // 6: behind 0
		"sport!=0-65535",           // 7: never
		"dport=80",                 // 8: continues
		"dport=80 proto=17",        // 9: behind 8, which hides nothing
		"any",
		"proto=17", // 11: behind 10
	} {
		_, err := b.Add(rules.Rule[string]{Conds: rules.IPv4Tuple.MustConds(text), Continue: text == "dport=80"})
		require.NoError(t, err)
	}
	for _, opts := range []*hipac.Options{nil, {FirstMatchOnly: true}, {AllMatches: true}} {
		c := build(t, b.List(), opts)
		st := c.Stats()
		require.Equal(t, []rules.Place{place(2), place(6), place(11)}, st.Hidden)
		require.Equal(t, []int{12, 1, 1}, []int{st.Rules, st.Never, st.Passing})
		for i, cost := range c.RuleCosts() {
			without := slices.Contains([]int{2, 6, 7, 8, 11}, i)
			require.Equal(t, place(i), cost.Place)
			require.Equal(t, without, cost.Rows == 0, "rule %d", i)
		}
	}
}

func TestRulesOfChainsThatEarlierOnesHideHaveNoRows(t *testing.T) {
	s := rules.IPv4Tuple
	chain := func(policy rules.Verdict, rs ...rules.Rule[rules.Action]) rules.Chain {
		l, err := rules.NewList(s, rs...)
		require.NoError(t, err)
		return rules.Chain{Name: fmt.Sprint(policy, len(rs)), Policy: policy, Rules: l}
	}
	rule := func(text string, a rules.Action) rules.Rule[rules.Action] {
		return rules.Rule[rules.Action]{Conds: s.MustConds(text), Value: a, Continue: a.Kind == rules.Pass}
	}
	drop, jump := rules.Action{Kind: rules.Decide, Verdict: rules.Drop}, rules.Action{Kind: rules.Jump, Chain: 1}
	table := &rules.Table{Name: "filter", Schema: s, Chains: []rules.Chain{
		chain(rules.Accept,
			rule("src=10.0.0.0/8", jump), // comes back, and hides nothing
			rule("src=10.1.0.0/16", drop),
			rule("src=10.1.1.0/24", jump),           // 2
			rule("src=10.1.1.1", rules.Action{}),    // counts, hidden or not
			rule("sport!=0-65535", rules.Action{})), // never
		chain(rules.NoVerdict,
			rule("dport=80", rules.Action{Kind: rules.Decide, Verdict: rules.Accept}),
			rule("dport=80 proto=6", drop), // 1: hidden wherever the chain is copied to
			rule("sport!=0-65535", drop),   // never
			rule("proto=6", drop)),
	}}
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	st := c.Stats()
	require.Equal(t, []rules.Place{{Chain: 1, Rule: 1}}, st.Hidden)
	require.Equal(t, []int{9, 1, 2, 13}, []int{st.Rules, st.Never, st.Passing, st.Entries})
	var rows []int
	var places []rules.Place
	for _, cost := range c.RuleCosts() {
		rows, places = append(rows, cost.Rows), append(places, cost.Place)
	}
	require.Equal(t, []int{1, 1, 1, 1, 0, 1, 0, 0, 1}, rows)
	require.Equal(t, rules.Place{Chain: 1, Rule: 3}, places[8])
	require.Positive(t, st.Mean.Packets)
	require.GreaterOrEqual(t, st.Worst.Rows, int64(2))
}

// Where the rule that hides another stands in a span, the two are not compared.
func TestMostHiddenRulesHaveNoRows(t *testing.T) {
	l, planted := plantedList(rand.New(rand.NewPCG(5, 1)), 5000)
	analysis, err := hipac.Analyze(context.Background(), l)
	require.NoError(t, err)
	hidden := map[int]bool{}
	for i := range analysis.Hidden() {
		hidden[i] = true
	}
	for _, i := range planted {
		require.True(t, hidden[i])
	}
	costs := build(t, l, nil).RuleCosts()
	rows, without := 0, 0
	for i, cost := range costs {
		if hidden[i] && cost.Rows == 0 {
			without++
		} else if hidden[i] {
			rows += cost.Rows
		}
	}
	require.GreaterOrEqual(t, without*2, len(hidden))
	require.LessOrEqual(t, rows, len(hidden))
}

func TestRulesWithoutRowsNeverDecide(t *testing.T) {
	for _, s := range []*rules.Schema{mixed, rules.IPv4Tuple, rules.IPTuple, rules.Firewall} {
		found := 0
		for seed := range uint64(25) {
			r := rand.New(rand.NewPCG(seed, 7))
			pool := pools(r, s)
			l := randomList(r, s, 1<<(3+r.IntN(6)), pool)
			hidden := build(t, l, nil).Stats().Hidden
			found += len(hidden)
			k := s.NewKey()
			for range 200 {
				randomKey(r, s, pool, k)
				if i, ok := l.First(k); ok {
					require.NotContains(t, hidden, place(i))
				}
			}
			for _, p := range hidden {
				require.False(t, l.At(p.Rule).Continue)
			}
		}
		require.Positive(t, found, "%v", s)
	}
}

func TestCostsOfRulesAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	l, _ := plantedList(r, 3000)
	c := build(t, l, nil)
	st, costs := c.Stats(), c.RuleCosts()
	require.Len(t, costs, l.Len())
	rows, bytes := 0, 0
	for _, cost := range costs {
		rows += cost.Rows
		bytes += cost.Bytes
	}
	require.Equal(t, st.Rows, rows)
	require.Equal(t, st.Memory.Leaves+st.Memory.Buckets, bytes)
	require.Len(t, st.Costliest, 10)
	slices.SortStableFunc(costs, func(a, b hipac.RuleCost) int { return b.Bytes - a.Bytes })
	require.Equal(t, costs[:10], st.Costliest)
	require.Greater(t, st.Costliest[0].Rows, 1)
}

func TestRulesWithAProgramPayForIt(t *testing.T) {
	var ports []rules.Interval
	for i := range uint64(100) {
		ports = append(ports, rules.Point(2*i))
	}
	l, err := rules.NewList(rules.IPv4Tuple, rules.Rule[int]{Conds: []rules.Cond{rules.In(4, rules.Point(6))}},
		rules.Rule[int]{Conds: []rules.Cond{rules.In(3, ports...)}})
	require.NoError(t, err)
	st := build(t, l, nil).Stats()
	require.Equal(t, 1, st.Inexact)
	require.Equal(t, []hipac.RuleCost{{Place: place(1), Rows: 1, Bytes: 32 + 4*(2+2+2+200)}, {Place: place(0), Rows: 1, Bytes: 32}}, st.Costliest)
	require.GreaterOrEqual(t, st.Memory.Programs, 4*(2+2+2+200))
}

// heap returns the bytes that are in use after f, and not before it.
func heap(f func()) int {
	var before, after runtime.MemStats
	read := func(m *runtime.MemStats) {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(m)
	}
	read(&before)
	f()
	read(&after)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

func TestBytesAreThoseOfTheHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	list, _ := plantedList(r, 10000)
	pool := pools(r, rules.Firewall)
	random := randomList(r, rules.Firewall, 2000, pool)
	table := randomTable(r, rules.IPTuple, 20, 400, pools(r, rules.IPTuple))
	for _, set := range []struct {
		name      string
		tolerance float64
		build     func() interface{ Stats() hipac.Stats }
	}{
		{"list", 0.05, func() interface{ Stats() hipac.Stats } { return build(t, list, nil) }},
		{"list, first match only", 0.05, func() interface{ Stats() hipac.Stats } { return build(t, list, &hipac.Options{FirstMatchOnly: true}) }},
		{"list, all matches", 0.05, func() interface{ Stats() hipac.Stats } { return build(t, list, &hipac.Options{AllMatches: true}) }},
		{"random list", 0.1, func() interface{ Stats() hipac.Stats } { return build(t, random, nil) }},
		{"index", 0.25, func() interface{ Stats() hipac.Stats } { return build(t, list, &hipac.Options{Engine: hipac.Index}) }},
		{"index of a random list", 0.25, func() interface{ Stats() hipac.Stats } {
			return build(t, random, &hipac.Options{Engine: hipac.Index})
		}},
		{"table", 0.1, func() interface{ Stats() hipac.Stats } {
			c, err := hipac.BuildTable(context.Background(), table, nil)
			require.NoError(t, err)
			return c
		}},
	} {
		t.Run(set.name, func(t *testing.T) {
			var c interface{ Stats() hipac.Stats }
			var grown int
			for range 10 {
				c = nil
				grown = heap(func() { c = set.build() })
				if off := float64(c.Stats().Bytes()-grown) / float64(grown); max(off, -off) <= set.tolerance {
					break
				}
				// Live lists of other tests tidy up a moment after their last edit.
				time.Sleep(100 * time.Millisecond)
			}
			st := c.Stats()
			require.InEpsilon(t, grown, st.Bytes(), set.tolerance)
			sum := 0
			for _, p := range st.Memory.Parts() {
				require.GreaterOrEqual(t, p.Bytes, 0, p.Name)
				sum += p.Bytes
			}
			require.Equal(t, st.Bytes(), sum)
			require.LessOrEqual(t, st.TreeBytes, st.Bytes())
			runtime.KeepAlive(c)
		})
	}
}

func TestMemoryOfAllMatchesCountsOnceItIsThere(t *testing.T) {
	l, _ := plantedList(rand.New(rand.NewPCG(8, 1)), 300)
	c := build(t, l, nil)
	before := c.Stats().Memory
	require.Zero(t, before.AllMatches)
	c.LookupAll(l.Schema().NewKey(), nil, 0)
	after := c.Stats().Memory
	require.Positive(t, after.AllMatches)
	require.Equal(t, build(t, l, &hipac.Options{AllMatches: true}).Stats().Memory.AllMatches, after.AllMatches)
}

func TestStringSaysWhatThereIs(t *testing.T) {
	text := func(st hipac.Stats) string {
		return regexp.MustCompile(`[0-9]+(\.[0-9]+)?`).ReplaceAllString(st.String(), "N")
	}
	l := listOf(t, rules.IPv4Tuple, "src=10.0.0.0/8", "dport=80", "dport=80 proto=6")
	require.Equal(t, `rules         N: N continue, N never match, N inexact, N hidden
fields        src N, dport N, proto N
nodes         N: N tables of N slots, N interval nodes, N links, N leaves
spans         N
depth         N
rows          N, N per rule; largest leaf N
mean lookup   N steps, N leaves, N spans, N rows
worst lookup  N steps, N leaves, N spans, N rows
memory        N bytes, N per rule
`, regexp.MustCompile(`(?m)^  .*\n`).ReplaceAllString(text(build(t, l, nil).Stats()), ""))
	require.Regexp(t, `(?m)^  leaves +N$`, text(build(t, l, nil).Stats()))
	require.Equal(t, `rules   N: N continue, N never match, N inexact, N hidden
fields  src N, dport N, proto N
memory  N bytes, about, of the field index
`, text(build(t, l, &hipac.Options{Engine: hipac.Index}).Stats()))
}
