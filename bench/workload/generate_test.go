package workload

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func generate(t testing.TB, c Config) *rules.List[string] {
	t.Helper()
	l, err := Generate(c)
	require.NoError(t, err)
	return l
}

// digest is a hash of everything in a list.
func digest(l *rules.List[string]) string {
	h := uint64(1)
	for _, r := range l.All() {
		h = mix(h ^ hashString(fmt.Sprint(r.ID, appendConds(nil, r.Conds), r.Value, r.Continue, r.Unknown)))
	}
	return fmt.Sprintf("%016x", h)
}

// forms returns how many different conjunctions of conditions a list has.
func forms(l *rules.List[string]) int {
	seen := map[string]bool{}
	for _, r := range l.All() {
		seen[string(appendConds(nil, r.Conds))] = true
	}
	return len(seen)
}

// distance is the total variation distance of two distributions.
func distance[K comparable](a, b map[K]float64) float64 {
	sum := 0.0
	for k, x := range a {
		sum += math.Abs(x - b[k])
	}
	for k, y := range b {
		if _, ok := a[k]; !ok {
			sum += y
		}
	}
	return sum / 2
}

// expected is what a profile says of the sets drawn from it.
type expected struct {
	src, dst map[int]float64
	pairs    map[[2]int]float64 // lengths, in steps of 8
	protos   map[uint64]float64
	ports    map[[2]PortClass]float64
}

func expect(p *profile, smoothness int) expected {
	e := expected{map[int]float64{}, map[int]float64{}, map[[2]int]float64{}, map[uint64]float64{}, map[[2]PortClass]float64{}}
	cells, pick := jointLengths(p.lengths, smoothness)
	total, last := pick.cum[len(pick.cum)-1], 0.0
	for i, c := range cells {
		w := (pick.cum[i] - last) / total
		last = pick.cum[i]
		e.src[c[0]] += w
		e.dst[c[1]] += w
		e.pairs[[2]int{c[0] / 8, c[1] / 8}] += w
	}
	sum := 0
	for _, q := range p.protos {
		sum += q.weight
	}
	for _, q := range p.protos {
		w := float64(q.weight) / float64(sum)
		if q.number != anyProto {
			e.protos[uint64(q.number)] += w
		}
		if q.ports == nil {
			e.ports[[2]PortClass{WC, WC}] += w
		}
		all := 0
		for _, x := range q.ports {
			all += x.weight
		}
		for _, x := range q.ports {
			e.ports[[2]PortClass{x.src, x.dst}] += w * float64(x.weight) / float64(all)
		}
	}
	return e
}

// The stated distances: total variation between the profile and a set, at
// 1,000 rules 0.10 and at 10,000 rules 0.06 for every statistic.
func TestSetsKeepToTheirProfile(t *testing.T) {
	for _, size := range []struct {
		rules int
		most  float64
	}{{1000, 0.10}, {10000, 0.06}} {
		for i := range profiles {
			p := &profiles[i]
			t.Run(fmt.Sprintf("%s/%d", p.name, size.rules), func(t *testing.T) {
				st := Statistics(generate(t, Config{Family: p.name, Rules: size.rules, Seed: 7}))
				e := expect(p, 2)
				pairs := map[[2]int]float64{}
				for k, x := range st.PrefixPairs {
					pairs[[2]int{k[0] / 8, k[1] / 8}] += x
				}
				require.LessOrEqual(t, distance(st.Fields[0].Prefixes, e.src), size.most, "source lengths")
				require.LessOrEqual(t, distance(st.Fields[1].Prefixes, e.dst), size.most, "destination lengths")
				require.LessOrEqual(t, distance(pairs, e.pairs), size.most, "pairs of lengths")
				require.LessOrEqual(t, distance(st.Fields[4].Values, e.protos), size.most, "protocols")
				require.LessOrEqual(t, distance(st.PortPairs, e.ports), size.most, "pairs of port classes")
			})
		}
	}
}

func TestSetsHaveTheShapeOfTheirKind(t *testing.T) {
	for _, name := range Families() {
		t.Run(name, func(t *testing.T) {
			st := Statistics(generate(t, Config{Family: name, Rules: 10000, Seed: 3}))
			src, dst, sport, dport := st.Fields[0], st.Fields[1], st.Fields[2], st.Fields[3]
			switch name[:2] {
			case "ac":
				require.Less(t, src.Wildcard, 0.10)
				require.Less(t, dst.Wildcard, 0.10)
				require.InDelta(t, 1, sport.Wildcard, 1e-9)
			case "fw":
				require.Greater(t, src.Wildcard+dst.Wildcard, 0.40)
				require.Less(t, sport.Wildcard, 0.85)
			case "ip":
				require.Less(t, sport.Wildcard, 0.90)
				require.Greater(t, src.Exact, 0.20)
			}
			for _, f := range []FieldStats{src, dst} {
				require.LessOrEqual(t, f.Nesting, 9, "prefixes nest a handful deep")
				require.LessOrEqual(t, f.MeanNesting, 5.5)
				require.Less(t, f.Distinct, 7500, "rules share addresses")
				require.Greater(t, f.Distinct, 300)
			}
			require.LessOrEqual(t, sport.Distinct, 50, "few different port ranges")
			require.LessOrEqual(t, dport.Distinct, 260)
			require.LessOrEqual(t, st.Hidden, 0.03)
			require.GreaterOrEqual(t, st.Matches, 1.0)
			require.LessOrEqual(t, st.Matches, 25.0)
		})
	}
}

func TestSetsHaveExactlyTheRulesAskedForAndNoTwoAlike(t *testing.T) {
	for _, name := range Families() {
		for _, n := range []int{1, 2, 17, 1000, 5000} {
			for _, six := range []bool{false, true} {
				l := generate(t, Config{Family: name, Rules: n, Seed: uint64(n), IPv6: six})
				require.Equal(t, n, l.Len(), "%s", name)
				require.Equal(t, n, forms(l), "%s %d", name, n)
			}
		}
	}
}

func TestProfileTooSmallForTheSetSpreadsOut(t *testing.T) {
	p := profile{
		name:    "tiny",
		protos:  []proto{{tcp, 1, []pair{{WC, EM, 1}}}},
		lengths: []block{{1, wild, []share{{4, 1}}}},
		dport:   ports{exact: []uint16{80}},
	}
	m := newMaker(&p, Config{Smoothness: -1})
	r := newRNG(1, "test")
	seen := map[tuple]struct{}{}
	for range 5000 {
		m.unique(r, seen)
	}
	require.Len(t, seen, 5000)
}

// The digests hold the sets of a seed for good: a change of a generator that
// moves them makes measurements incomparable with earlier ones.
func TestSameSeedGivesTheSameSet(t *testing.T) {
	golden := map[string][2]string{
		"acl1": {"6e9a4ff9186432f7", "cbf5c2ff1805249a"},
		"acl2": {"de4e1cb7269e204d", "99107b69fdaefc66"},
		"acl3": {"7bd28ab8f84a05c5", "e44e7d125203db41"},
		"acl4": {"b589d288cc98a5c8", "e59a7b00ade0e6d0"},
		"acl5": {"de29ea967c9a217f", "2bf2a9bea2ef0648"},
		"fw1":  {"1bc751c12670ed49", "eabf1bd56795f563"},
		"fw2":  {"de023e628321a4ef", "78303c69b6027d12"},
		"fw3":  {"e144ec151d2b9730", "56ac53f99f16fd16"},
		"fw4":  {"d508065ebb37eb2e", "8a07425014535bd0"},
		"fw5":  {"a63c51a4c220ae6f", "4c40f3f4a8c93808"},
		"ipc1": {"245769fb67cd4c80", "643e36188688d102"},
		"ipc2": {"a2db4fd4773d13a1", "0d6f031756893608"},
	}
	for _, name := range Families() {
		four := Config{Family: name, Rules: 500, Seed: 42}
		six := four
		six.IPv6 = true
		got := [2]string{digest(generate(t, four)), digest(generate(t, six))}
		require.Equal(t, golden[name], got, "%q: {%q, %q},", name, got[0], got[1])
		require.Equal(t, got[0], digest(generate(t, four)))
		four.Seed++
		require.NotEqual(t, got[0], digest(generate(t, four)), "another seed")
	}
}

func TestWildcardsAreNoConditions(t *testing.T) {
	for _, name := range Families() {
		l := generate(t, Config{Family: name, Rules: 2000, Seed: 5})
		for _, r := range l.All() {
			for i := range r.Conds {
				iv, ok := singleInterval(&r.Conds[i])
				require.True(t, ok)
				require.NotEqual(t, l.Schema().Field(r.Conds[i].Field()).Full(), iv, "rule %d", r.ID)
			}
		}
	}
}

func TestSpecificRulesPrecedeThoseThatCoverThem(t *testing.T) {
	for _, name := range Families() {
		l := generate(t, Config{Family: name, Rules: 1500, Seed: 9})
		hidden := 0
		for i := range l.Len() {
			for j := range i {
				if covers(l.At(j).Conds, l.At(i).Conds) {
					hidden++
					break
				}
			}
		}
		require.LessOrEqual(t, hidden, l.Len()/50, "%s: at most one in fifty is hidden", name)
	}
}

func TestSpecificityGrowsAsRulesShrink(t *testing.T) {
	s := rules.IPv4Tuple
	chain := [][]rules.Cond{
		nil,
		{rules.In(2, rules.Span(0, 65534))},
		{rules.In(2, rules.Span(0, 65533))},
		{rules.In(2, rules.Span(1024, 65533))},
		{rules.In(2, rules.Point(2000))},
		{rules.In(2, rules.Point(2000)), rules.In(0, rules.PrefixInterval(rules.Value{}, 1, 32))},
		{rules.In(2, rules.Point(2000)), rules.In(0, rules.PrefixInterval(rules.Value{}, 32, 32))},
	}
	for i := range chain[1:] {
		require.Less(t, specificity(s, chain[i]), specificity(s, chain[i+1]), "step %d", i+1)
	}
	require.Equal(t, 32<<16, specificity(s, chain[6])-specificity(s, chain[4]))
}

func TestKnobsMoveTheSets(t *testing.T) {
	mean := func(c Config) (length, wild float64) {
		c.Family, c.Rules, c.Seed = "acl2", 4000, 2
		st := Statistics(generate(t, c))
		for n, x := range st.Fields[0].Prefixes {
			length += float64(n) * x
		}
		return length, st.Fields[3].Wildcard
	}
	length, wild := mean(Config{})
	long, _ := mean(Config{AddressScope: 0.8})
	short, _ := mean(Config{AddressScope: -0.8})
	require.Greater(t, long, length+1)
	require.Less(t, short, length-1)
	_, exact := mean(Config{PortScope: 0.8})
	_, loose := mean(Config{PortScope: -0.8})
	require.Less(t, exact, wild-0.03)
	require.Greater(t, loose, wild+0.03)

	lengths := func(smoothness int) int {
		return len(Statistics(generate(t, Config{Family: "fw2", Rules: 4000, Smoothness: smoothness})).Fields[0].Prefixes)
	}
	require.Equal(t, 4, lengths(-1), "the lengths of the profile alone")
	require.Greater(t, lengths(2), 8)
	require.Greater(t, lengths(8), lengths(2))
}

func TestBadConfigurationsAreErrors(t *testing.T) {
	for _, c := range []Config{
		{Family: "acl9", Rules: 10}, {Rules: 10}, {Family: "acl1"}, {Family: "acl1", Rules: -1},
		{Family: "acl1", Rules: rules.DefaultLimits.MaxRules + 1}, {Family: "acl1", Rules: 10, Smoothness: 33},
		{Family: "acl1", Rules: 10, AddressScope: 1.5}, {Family: "acl1", Rules: 10, PortScope: math.NaN()},
	} {
		_, err := Generate(c)
		require.Error(t, err, "%+v", c)
		if c.Family != "" {
			_, err = FirewallSet(c)
			require.Error(t, err, "%+v", c)
		}
	}
}

func TestIPv6SetsLieInGlobalUnicast(t *testing.T) {
	global := rules.PrefixInterval(rules.Value{Hi: 0x2 << 60}, 3, 128)
	l := generate(t, Config{Family: "ipc1", Rules: 3000, Seed: 1, IPv6: true})
	require.Same(t, rules.IPv6Tuple, l.Schema())
	lengths := map[int]int{}
	for _, r := range l.All() {
		for i := range r.Conds {
			c := &r.Conds[i]
			if c.Field() > 1 {
				continue
			}
			iv, _ := singleInterval(c)
			require.True(t, global.Covers(iv))
			n, ok := iv.PrefixLen(128)
			require.True(t, ok)
			lengths[n]++
		}
	}
	require.Greater(t, lengths[128], 1000)
	require.Greater(t, lengths[48], 300)
}

func BenchmarkGenerate(b *testing.B) {
	for _, name := range []string{"acl1", "fw1", "ipc1"} {
		b.Run("set="+name+"/n=100k", func(b *testing.B) {
			for b.Loop() {
				generate(b, Config{Family: name, Rules: 100000, Seed: 1})
			}
		})
	}
}
