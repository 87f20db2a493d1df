package workload

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/packet"
)

// listsToMeet are sets over every schema that packets are decoded for.
func listsToMeet(t *testing.T) map[string]*rules.List[string] {
	all := map[string]*rules.List[string]{}
	for name, c := range map[string]Config{
		"ipv4": {Family: "acl3"}, "ipv6": {Family: "fw4", IPv6: true}, "firewall": {Family: KindFirewall},
		"nf-hipac": {Family: KindNFHiPAC}, "nf-hipac ipv6": {Family: KindNFHiPAC, IPv6: true},
	} {
		c.Rules, c.Seed = 800, 6
		all[name] = makeSet(t, c).List
	}
	l, err := Random(rules.IPTuple, RandomConfig{Rules: 200, Seed: 1, Masks: true, Unions: true})
	require.NoError(t, err)
	all["any"] = l
	return all
}

func decided(l *rules.List[string]) func(rules.Key) bool {
	return func(k rules.Key) bool {
		_, ok := l.First(k)
		return ok
	}
}

func TestRealPacketsAreWhatTheirFramesDecodeTo(t *testing.T) {
	for name, l := range listsToMeet(t) {
		s := l.Schema()
		binder, got := packet.NewBinder(s), s.NewKey()
		for mode := range numModes {
			n := 0
			cost := func(rules.Key) int64 { n++; return int64(n % 50) }
			k := packets(t, l, PacketConfig{N: 300, Seed: 2, Mode: mode, Real: true, Cost: cost, Tries: 1000, Flows: 200})
			var frame []byte
			for i := range k.Len() {
				made := PacketOf(s, k.At(i), 0)
				frame = AppendFrame(frame[:0], made)
				p := packet.Packet{Meta: made.Meta}
				require.NoError(t, p.DecodeEthernet(frame))
				require.Zero(t, p.Notes, "%s, %v: a whole packet", name, mode)
				require.True(t, binder.Key(&p, got))
				require.Equal(t, k.At(i), got, "%s, %v: packet %d", name, mode, i)
			}
		}
	}
}

func TestRealPacketsInsideARuleMatchIt(t *testing.T) {
	for name, l := range listsToMeet(t) {
		if name == "any" {
			continue // asks for ports of protocols that have none
		}
		k := packets(t, l, PacketConfig{N: 2000, Seed: 2, Mode: Uniform, Real: true})
		hits := 0
		for i := range k.Len() {
			hits += b2i(l.At(k.Origin(i)).Matches(l.Schema(), k.At(i)))
		}
		require.Greater(t, hits, 1900, name)
	}
}

func TestMissesAreDecidedByNoRule(t *testing.T) {
	l := makeSet(t, Config{Family: KindBlocklist, Rules: 3000, Prefixes: 0.5}).List
	for _, real := range []bool{false, true} {
		k := packets(t, l, PacketConfig{N: 2000, Mode: Misses, Matched: decided(l), Real: real})
		different := map[string]bool{}
		for i := range k.Len() {
			require.False(t, decided(l)(k.At(i)))
			require.Equal(t, -1, k.Origin(i))
			different[string(appendKey(nil, k.At(i)))] = true
		}
		require.Greater(t, len(different), 1900)
	}
}

func appendKey(b []byte, k rules.Key) []byte {
	for _, w := range k {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return b
}

func TestAShareOfAllPacketsMisses(t *testing.T) {
	l := makeSet(t, Config{Family: KindBlocklist, Rules: 1000}).List
	for _, mode := range []Mode{Uniform, Zipf, Trace} {
		for _, share := range []float64{0, 0.2, 1} {
			src, err := NewSource(l, PacketConfig{N: 5000, Seed: 3, Mode: mode, Matched: decided(l), MissShare: share})
			require.NoError(t, err)
			k, missed := l.Schema().NewKey(), 0
			for range 5000 {
				origin, err := src.Next(k)
				require.NoError(t, err)
				missed += b2i(!decided(l)(k))
				require.Equal(t, origin >= 0, decided(l)(k))
			}
			require.InDelta(t, share, float64(missed)/5000, 0.03, "%v", mode)
			require.Equal(t, int64(missed), src.Misses().Made)
		}
	}
}

func TestSetsWithoutMissesSaySo(t *testing.T) {
	l := generate(t, Config{Family: "acl1", Rules: 50})
	_, err := Packets(l, PacketConfig{N: 10, Mode: Misses, Matched: decided(l)})
	require.ErrorIs(t, err, ErrNoMisses)
	_, err = Packets(l, PacketConfig{N: 1000, MissShare: 0.5, Matched: decided(l)})
	require.ErrorIs(t, err, ErrNoMisses)
}

func TestRareMissesComeAgain(t *testing.T) {
	// One packet alone is decided by no rule.
	var rs []rules.Rule[string]
	for f := range rules.IPv4Tuple.Len() {
		rs = append(rs, rules.Rule[string]{Conds: []rules.Cond{rules.In(f, rules.Point(uint64(f+1))).Negate()}, Value: Drop})
	}
	l, err := rules.NewList(rules.IPv4Tuple, rs...)
	require.NoError(t, err)
	src, err := NewSource(l, PacketConfig{N: 300, Mode: Misses, Matched: decided(l)})
	require.NoError(t, err)
	k := l.Schema().NewKey()
	for range 300 {
		_, err := src.Next(k)
		require.NoError(t, err)
		require.False(t, decided(l)(k))
	}
	m := src.Misses()
	require.EqualValues(t, 300, m.Made)
	require.EqualValues(t, 299, m.Repeated)
}

func TestWorstPacketsCostMoreThanOthers(t *testing.T) {
	l, err := Adversarial(Nested, 200, 1)
	require.NoError(t, err)
	cost := func(k rules.Key) (n int64) {
		for range l.Matches(k) {
			n++
		}
		return n
	}
	c := PacketConfig{N: 500, Seed: 5, Mode: Worst, Cost: cost, Flows: 100, Tries: 20000}
	src, err := NewSource(l, c)
	require.NoError(t, err)
	k := l.Schema().NewKey()
	var costs []int64
	different := map[string]bool{}
	for range 500 {
		_, err := src.Next(k)
		require.NoError(t, err)
		costs = append(costs, cost(k))
		different[string(appendKey(nil, k))] = true
	}
	w := src.Worst()
	require.Equal(t, WorstReport{Tried: 20000, Packets: 100, Most: costs[0], Least: costs[99], Ordinary: w.Ordinary, OrdinaryCount: 256}, w)
	require.Len(t, different, 100)
	require.Greater(t, w.Least, int64(190), "nearly all rules match")
	require.Less(t, float64(w.Ordinary)/256, 150.0)
	for i := range 99 {
		require.GreaterOrEqual(t, costs[i], costs[i+1], "the costliest first")
	}
	require.Equal(t, costs[:100], costs[100:200], "by turns")
	require.Equal(t, packets(t, l, c).Words(), packets(t, l, c).Words())
}

func TestWorstPacketsOfNothing(t *testing.T) {
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.MustSchema()} {
		l, err := rules.NewList[string](s)
		require.NoError(t, err)
		k := packets(t, l, PacketConfig{N: 5, Mode: Worst, Cost: func(rules.Key) int64 { return 1 }, Tries: 50})
		require.Equal(t, 5, k.Len())
	}
}

func TestPacketsForChainsComeToThem(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, kind := range []string{KindKubeProxy, KindChains} {
			set := makeSet(t, Config{Family: kind, Rules: 1000, Seed: 1, IPv6: six})
			var b bytes.Buffer
			require.NoError(t, set.Write(&b, FormatIptables))
			rs, err := iptables.Read(strings.NewReader(b.String()), iptables.Options{})
			require.NoError(t, err)
			table, entry := rs.Tables[0], rs.Tables[0].Find("FORWARD")
			if entry < 0 {
				entry = table.Find("PREROUTING")
			}
			src, err := NewTableSource(table, entry, PacketConfig{N: 2000, Seed: 1, Mode: Uniform, Real: true})
			require.NoError(t, err)
			k, deep := table.Schema.NewKey(), 0
			chains := map[int]bool{}
			for range 2000 {
				_, err := src.Next(k)
				require.NoError(t, err)
				require.True(t, table.Admits(k))
				own := false
				table.Evaluate(k, entry, func(p rules.Place) {
					chains[p.Chain] = true
					own = own || strings.HasPrefix(table.Chains[p.Chain].Name, "KUBE-SVC-") || p.Chain != entry && kind == KindChains
				})
				deep += b2i(own)
			}
			require.Greater(t, deep, 1200, "%s: packets match rules of chains of their own", kind)
			require.Greater(t, len(chains), 50)
		}
	}
}
