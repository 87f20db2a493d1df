package workload

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// features counts what a list uses.
func features(l *rules.List[string]) map[string]int {
	n := map[string]int{}
	seen := map[string]bool{}
	for i, r := range l.All() {
		text := rules.FormatRule(l.Schema(), r)
		n["identical"] += b2i(seen[text] && len(r.Conds) > 2)
		seen[text] = true
		n["continue"] += b2i(r.Continue)
		n["unknown"] += b2i(r.Unknown != "")
		n["ids"] += b2i(r.ID != rules.ID(i+1))
		fields := map[int]bool{}
		for i := range r.Conds {
			c := &r.Conds[i]
			ivs, ranged := c.Intervals()
			_, _, masked := c.Mask()
			n["union"] += b2i(len(ivs) > 1)
			n["mask"] += b2i(masked)
			n["negation"] += b2i(c.Negated())
			n["orabsent"] += b2i(c.AllowsAbsent())
			n["empty"] += b2i(ranged && len(ivs) == 0)
			n["repeated"] += b2i(fields[c.Field()])
			fields[c.Field()] = true
		}
	}
	for k, v := range n {
		if v == 0 {
			delete(n, k)
		}
	}
	return n
}

func TestFeaturesOfRandomRulesAreSwitches(t *testing.T) {
	base := RandomConfig{Rules: 1000, Seed: 1, Pool: 12}
	for name, set := range map[string]func(*RandomConfig){
		"union":     func(c *RandomConfig) { c.Unions = true },
		"mask":      func(c *RandomConfig) { c.Masks = true },
		"negation":  func(c *RandomConfig) { c.Negation = true },
		"orabsent":  func(c *RandomConfig) { c.OrAbsent = true },
		"empty":     func(c *RandomConfig) { c.EmptyUnions = true },
		"repeated":  func(c *RandomConfig) { c.Repeated = true },
		"continue":  func(c *RandomConfig) { c.Continue = true },
		"unknown":   func(c *RandomConfig) { c.Unknown = true },
		"ids":       func(c *RandomConfig) { c.IDs = true },
		"identical": func(c *RandomConfig) { c.Identical = true },
	} {
		c := base
		set(&c)
		l, err := Random(rules.IPv6Tuple, c)
		require.NoError(t, err)
		got := features(l)
		require.Greater(t, got[name], 10, name)
		if name != "identical" {
			delete(got, "identical") // small pools make some by chance
		}
		require.Less(t, got["identical"], 300)
		for other, count := range got {
			require.True(t, other == name || other == "identical" && count < 300, "%s brings %s", name, other)
		}
	}
	l, err := Random(rules.IPv6Tuple, base.Everything())
	require.NoError(t, err)
	require.Len(t, features(l), 10)
}

func TestFullRangesOfRandomRulesAreASwitch(t *testing.T) {
	count := func(present bool) int {
		l, err := Random(rules.Firewall, RandomConfig{Rules: 1000, Seed: 1, Pool: 40, Present: present})
		require.NoError(t, err)
		n := 0
		for _, r := range l.All() {
			for i := range r.Conds {
				iv, _ := singleInterval(&r.Conds[i])
				n += b2i(iv == l.Schema().Field(r.Conds[i].Field()).Full())
			}
		}
		return n
	}
	require.Greater(t, count(true), count(false)+300)
}

func TestRandomRulesCollideNestAndTouch(t *testing.T) {
	l, err := Random(rules.IPv4Tuple, RandomConfig{Rules: 300, Seed: 2})
	require.NoError(t, err)
	for f := range l.Schema().Len() {
		var ivs []rules.Interval
		for _, r := range l.All() {
			if c := onField(r.Conds, f); c != nil {
				iv, _ := singleInterval(c)
				ivs = append(ivs, iv)
			}
		}
		equal, nested, adjacent, crossing := 0, 0, 0, 0
		for i, a := range ivs {
			for _, b := range ivs[:i] {
				equal += b2i(a == b)
				nested += b2i(a != b && (a.Covers(b) || b.Covers(a)))
				adjacent += b2i(a.Hi.Next() == b.Lo || b.Hi.Next() == a.Lo)
				crossing += b2i(a.Overlaps(b) && !a.Covers(b) && !b.Covers(a))
			}
		}
		for what, n := range map[string]int{"equal": equal, "nested": nested, "adjacent": adjacent, "crossing": crossing} {
			require.Greater(t, n, 20, "%s in field %d", what, f)
		}
	}
}

func TestSameSeedGivesTheSameRandomRules(t *testing.T) {
	for _, s := range schemas() {
		c := RandomConfig{Rules: 100, Seed: 3}.Everything()
		a, err := Random(s, c)
		require.NoError(t, err)
		b, err := Random(s, c)
		require.NoError(t, err)
		require.Equal(t, digest(a), digest(b))
		require.Equal(t, 100, a.Len())
	}
	l, err := Random(rules.Firewall, RandomConfig{Rules: 100, Seed: 3}.Everything())
	require.NoError(t, err)
	require.Equal(t, "b2db4578cbf43d0f", digest(l))
}

func TestBadRandomConfigurationsAreErrors(t *testing.T) {
	for _, c := range []RandomConfig{{Rules: -1}, {Rules: math.MaxInt}, {Pool: -1}, {Pool: 1 << 20}, {Constrain: 2}} {
		_, err := Random(rules.IPv4Tuple, c)
		require.Error(t, err, "%+v", c)
	}
}

func adversarial(t *testing.T, kind Adversary, n int) *rules.List[string] {
	t.Helper()
	l, err := Adversarial(kind, n, 1)
	require.NoError(t, err)
	require.Equal(t, n, l.Len())
	return l
}

func TestAdversarialSetsAreWhatTheySay(t *testing.T) {
	for _, kind := range Adversaries() {
		for _, n := range []int{0, 1, 2, 1000, 20000} {
			require.Equal(t, digest(adversarial(t, kind, n)), digest(adversarial(t, kind, n)), "%v", kind)
		}
	}
	nested := adversarial(t, Nested, 500)
	for i := range 499 {
		require.True(t, covers(nested.At(i+1).Conds, nested.At(i).Conds), "rule %d", i)
	}
	require.Greater(t, forms(nested), 490)

	shifted := adversarial(t, Shifted, 500)
	for i, r := range shifted.All() {
		for f := range r.Conds {
			a, _ := singleInterval(&r.Conds[f])
			b, _ := singleInterval(&shifted.At(0).Conds[f])
			require.Equal(t, sub(b.Hi, b.Lo), sub(a.Hi, a.Lo))
			require.False(t, a.Lo.Less(b.Lo), "rule %d", i)
		}
	}
	require.Equal(t, 500, forms(shifted))

	perField := make([]int, 5)
	for _, r := range adversarial(t, Crossing, 500).All() {
		require.Len(t, r.Conds, 1)
		perField[r.Conds[0].Field()]++
	}
	require.Equal(t, []int{100, 100, 100, 100, 100}, perField)

	for _, r := range adversarial(t, Wide, 500).All() {
		require.Len(t, r.Conds, 5)
	}
	for _, r := range adversarial(t, ShortPrefixes, 500).All() {
		for i := range r.Conds {
			iv, _ := singleInterval(&r.Conds[i])
			n, ok := iv.PrefixLen(32)
			require.True(t, ok && n >= 1 && n <= 16)
		}
	}
	require.Equal(t, 1, forms(adversarial(t, Same, 500)))
	require.Len(t, adversarial(t, Same, 500).At(0).Conds, 5)
	require.Empty(t, adversarial(t, Wild, 500).At(0).Conds)

	_, err := Adversarial(numAdversaries, 10, 1)
	require.Error(t, err)
	_, err = Adversarial(Wild, -1, 1)
	require.Error(t, err)
}

func TestFirewallSetsAreMostlyWild(t *testing.T) {
	for _, n := range []int{1, 2, 5000} {
		l, err := FirewallSet(Config{Rules: n, Seed: 1})
		require.NoError(t, err)
		require.Equal(t, n, l.Len())
		require.Equal(t, n, forms(l))
	}
	l, err := FirewallSet(Config{Rules: 5000, Seed: 1})
	require.NoError(t, err)
	require.Same(t, rules.Firewall, l.Schema())
	st := Statistics(l)
	conds := 0
	for _, r := range l.All() {
		conds += len(r.Conds)
	}
	require.Less(t, float64(conds)/5000, 5.0, "of 20 fields a rule asks for a few")
	for i, f := range st.Fields {
		require.Greater(t, f.Distinct, 0, "%s is used", f.Name)
		if i >= 5 {
			require.Greater(t, f.Wildcard, 0.6, f.Name)
		}
	}
	four := 0
	mapped := rules.PrefixInterval(rules.U64(0xffff<<32), 96, 128)
	for _, r := range l.All() {
		if c := onField(r.Conds, 1); c != nil {
			iv, _ := singleInterval(c)
			four += b2i(mapped.Covers(iv))
		}
	}
	require.InDelta(t, 0.75, float64(four)/5000/(1-st.Fields[1].Wildcard), 0.05, "IPv4 among the destinations")

	again, err := FirewallSet(Config{Rules: 5000, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, digest(l), digest(again))
	require.Equal(t, "f8a688b4763fbcc1", digest(l))
	require.True(t, slices.Contains(Families(), "fw1"))
}
