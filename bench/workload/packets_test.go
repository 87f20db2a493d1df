package workload

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func packets(t testing.TB, l *rules.List[string], c PacketConfig) *Keys {
	t.Helper()
	k, err := Packets(l, c)
	require.NoError(t, err)
	require.Equal(t, c.N, k.Len())
	return k
}

// schemas have fields of every width that keys lay out differently.
func schemas() []*rules.Schema {
	widths := []int{1, 2, 8, 31, 32, 33, 64, 65, 96, 97, 127, 128}
	fields := make([]rules.Field, len(widths))
	for i, w := range widths {
		fields[i] = rules.Field{Name: fmt.Sprintf("f%d", w), Bits: w}
	}
	many := make([]rules.Field, rules.MaxFields)
	for i := range many {
		many[i] = rules.Field{Name: fmt.Sprintf("f%d", i), Bits: 1 + i*4}
	}
	return []*rules.Schema{
		rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall, rules.MustSchema(fields...), rules.MustSchema(many...),
		rules.MustSchema(rules.Field{Name: "bit", Bits: 1}), rules.MustSchema(),
	}
}

func TestKeysAreValidInEveryModeAndSchema(t *testing.T) {
	for _, s := range schemas() {
		for _, n := range []int{0, 1, 50} {
			l, err := Random(s, RandomConfig{Rules: n, Seed: 4}.Everything())
			require.NoError(t, err)
			for mode := range numMixed {
				for _, absent := range []float64{0, 0.2, 1} {
					k := packets(t, l, PacketConfig{N: 300, Seed: 5, Mode: mode, Absent: absent})
					require.Len(t, k.Words(), 300*s.KeyLen())
					missing := 0
					for i := range k.Len() {
						require.NoError(t, s.CheckKey(k.At(i)), "%v: %v", mode, s)
						require.Less(t, k.Origin(i), max(1, n))
						for f := range s.Len() {
							_, ok := s.Get(k.At(i), f)
							missing += b2i(!ok)
						}
					}
					require.InDelta(t, absent*float64(300*s.Len()), missing, 0.15*float64(300*s.Len()), "%v: absent fields", mode)
				}
			}
		}
	}
}

func TestCornerPacketsMatchTheirRuleOftenAndMissItOften(t *testing.T) {
	lists := map[string]*rules.List[string]{}
	for _, name := range Families() {
		lists[name] = generate(t, Config{Family: name, Rules: 1000, Seed: 1})
	}
	lists["ipv6"] = generate(t, Config{Family: "fw1", Rules: 1000, Seed: 1, IPv6: true})
	firewall, err := FirewallSet(Config{Rules: 1000, Seed: 1})
	require.NoError(t, err)
	lists["firewall"] = firewall
	for name, l := range lists {
		k := packets(t, l, PacketConfig{N: 4000, Seed: 1, Mode: Corners})
		own := 0
		for i := range k.Len() {
			own += b2i(l.At(k.Origin(i)).Matches(l.Schema(), k.At(i)))
		}
		require.Greater(t, own, k.Len()/5, name)
		require.Less(t, own, k.Len()*95/100, name)
	}
}

func TestCornerPacketsHitBothEndsOfIntervalsAndOneBeyond(t *testing.T) {
	s := rules.IPv4Tuple
	l, err := rules.NewList(s, rules.Rule[string]{Conds: []rules.Cond{rules.In(3, rules.Span(100, 200), rules.Span(300, 400))}})
	require.NoError(t, err)
	k := packets(t, l, PacketConfig{N: 2000, Mode: Corners})
	seen := map[uint64]int{}
	for i := range k.Len() {
		v, _ := s.Get(k.At(i), 3)
		seen[v.Lo]++
	}
	for _, x := range []uint64{99, 100, 200, 201, 299, 300, 400, 401} {
		require.Greater(t, seen[x], 50, "%d", x)
	}
	require.Greater(t, len(seen), 50, "values between")
}

func TestPacketsInsideARuleMatchIt(t *testing.T) {
	for _, s := range schemas() {
		c := RandomConfig{Rules: 200, Seed: 6, Unions: true, Masks: true, Present: true, OrAbsent: true}
		l, err := Random(s, c)
		require.NoError(t, err)
		k := packets(t, l, PacketConfig{N: 1000, Seed: 1, Mode: Uniform})
		own := 0
		for i := range k.Len() {
			own += b2i(l.At(k.Origin(i)).Matches(s, k.At(i)))
		}
		// A mask on top of intervals may leave nothing to find.
		require.Greater(t, own, 850, "%v", s)

		k = Inside(l, 3, 1)
		require.Equal(t, 3*l.Len(), k.Len())
		own = 0
		for i := range k.Len() {
			require.Equal(t, i/3, k.Origin(i))
			own += b2i(l.At(i/3).Matches(s, k.At(i)))
		}
		require.Greater(t, own, 3*l.Len()*85/100, "%v", s)
	}
}

func TestOverlapPacketsMatchMoreRulesThanRandomOnes(t *testing.T) {
	for _, name := range []string{"fw1", "ipc1", "acl2"} {
		l := generate(t, Config{Family: name, Rules: 1000, Seed: 1})
		count := func(m Mode) int {
			k := packets(t, l, PacketConfig{N: 300, Seed: 1, Mode: m})
			sum := 0
			for i := range k.Len() {
				for range l.Matches(k.At(i)) {
					sum++
				}
			}
			return sum
		}
		require.Greater(t, count(Overlaps), count(Misses), name)
	}
	// Where all rules overlap, most packets lie in the overlap of two.
	l, err := Adversarial(Shifted, 100, 0)
	require.NoError(t, err)
	k := packets(t, l, PacketConfig{N: 300, Seed: 1, Mode: Overlaps})
	in := 0
	for i := range k.Len() {
		in += b2i(len(slices.Collect(l.Matches(k.At(i)))) >= 2)
	}
	require.Greater(t, in, 200)
}

// A packet drawn from inside a rule has that rule or an earlier one for its
// first match: none of them misses.
func TestUniformAndTracePacketsOfFamiliesNeverMiss(t *testing.T) {
	for _, name := range Families() {
		for _, six := range []bool{false, true} {
			l := generate(t, Config{Family: name, Rules: 1000, Seed: 1, IPv6: six})
			for _, mode := range []Mode{Uniform, Trace} {
				k := packets(t, l, PacketConfig{N: 1000, Seed: 1, Mode: mode})
				for i := range k.Len() {
					require.True(t, l.At(k.Origin(i)).Matches(l.Schema(), k.At(i)), "%s: %v packet %d", name, mode, i)
				}
			}
		}
	}
}

func TestTracePacketsLieAtCorners(t *testing.T) {
	l := generate(t, Config{Family: "ipc1", Rules: 1000, Seed: 1})
	s := l.Schema()
	k := packets(t, l, PacketConfig{N: 2000, Seed: 1, Mode: Trace, Repeat: 1e-9})
	low, high, origins := 0, 0, map[int]bool{}
	for i := range k.Len() {
		origins[k.Origin(i)] = true
		for f := range s.Len() {
			iv := s.Field(f).Full()
			if c := onField(l.At(k.Origin(i)).Conds, f); c != nil {
				iv, _ = singleInterval(c)
			}
			x, _ := s.Get(k.At(i), f)
			require.True(t, x == iv.Lo || x == iv.Hi)
			if iv.Lo != iv.Hi {
				low, high = low+b2i(x == iv.Lo), high+b2i(x == iv.Hi)
			}
		}
	}
	require.InDelta(t, 1, float64(low)/float64(high), 0.1)
	require.InDelta(t, 1000*(1-math.Exp(-2)), len(origins), 40, "rules are drawn uniformly")
}

func TestUniformPacketsRepeatAsAskedFor(t *testing.T) {
	l := generate(t, Config{Family: "acl1", Rules: 1000, Seed: 1})
	repeated := func(b float64) int {
		k := packets(t, l, PacketConfig{N: 20000, Seed: 1, Mode: Uniform, Repeat: b})
		same := 0
		for i := 1; i < k.Len(); i++ {
			same += b2i(slices.Equal(k.At(i), k.At(i-1)))
		}
		return same
	}
	little, much := repeated(0), repeated(1)
	require.Greater(t, little, 1000)
	require.Less(t, little, 16000)
	require.Greater(t, much, little)
}

func TestZipfPacketsComeFromAFewFlows(t *testing.T) {
	l := generate(t, Config{Family: "fw1", Rules: 1000, Seed: 1})
	k := packets(t, l, PacketConfig{N: 20000, Seed: 1, Mode: Zipf, Flows: 100})
	count := map[string]int{}
	most := 0
	for i := range k.Len() {
		f := fmt.Sprint(k.At(i))
		count[f]++
		most = max(most, count[f])
	}
	require.LessOrEqual(t, len(count), 100)
	require.Greater(t, len(count), 90)
	require.InDelta(t, 20000/5.19, most, 400, "the first flow has 1 of H(100) = 5.19")
}

func TestSamePacketSeedGivesTheSamePackets(t *testing.T) {
	l := generate(t, Config{Family: "ipc2", Rules: 500, Seed: 1})
	for mode := range numMixed {
		c := PacketConfig{N: 500, Seed: 8, Mode: mode, Absent: 0.05}
		a, b := packets(t, l, c), packets(t, l, c)
		require.Equal(t, a.Words(), b.Words(), "%v", mode)
		c.Seed++
		require.NotEqual(t, a.Words(), packets(t, l, c).Words(), "%v", mode)
	}
	h := uint64(1)
	for _, w := range packets(t, l, PacketConfig{N: 5000, Seed: 8}).Words() {
		h = mix(h ^ uint64(w))
	}
	require.Equal(t, "a18a2dc7dd05802b", fmt.Sprintf("%016x", h), "kept for good")
}

func TestBadPacketConfigurationsAreErrors(t *testing.T) {
	l := generate(t, Config{Family: "acl1", Rules: 10})
	for _, c := range []PacketConfig{{N: -1}, {N: math.MaxInt}, {Mode: numModes}, {Absent: 2}, {Repeat: -1}, {Flows: -1}, {Mode: Worst}, {MissShare: 0.5}, {MissShare: 2}, {Real: true, Absent: 0.5}, {Tries: -1}} {
		_, err := Packets(l, c)
		require.Error(t, err, "%+v", c)
	}
}

func TestModeNamesReadBack(t *testing.T) {
	for mode := range numModes {
		m, ok := ParseMode(mode.String())
		require.True(t, ok)
		require.Equal(t, mode, m)
	}
	_, ok := ParseMode("nothing")
	require.False(t, ok)
}

func BenchmarkPackets(b *testing.B) {
	l := generate(b, Config{Family: "fw1", Rules: 10000, Seed: 1})
	for mode := range numMixed {
		b.Run("mode="+mode.String(), func(b *testing.B) {
			packets(b, l, PacketConfig{N: b.N, Mode: mode})
		})
	}
}
