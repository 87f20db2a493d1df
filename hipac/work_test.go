package hipac_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestDrawnPacketsMatchARuleThatDoesNotContinue(t *testing.T) {
	for _, s := range []*rules.Schema{mixed, rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall} {
		packets := 0
		for seed := range uint64(30) {
			r := rand.New(rand.NewPCG(seed, 9))
			l := randomList(r, s, 1<<r.IntN(9), pools(r, s))
			drawn := hipac.DrawPackets(l, 0, 50)
			require.LessOrEqual(t, len(drawn), 50*s.KeyLen())
			require.Equal(t, drawn, hipac.DrawPackets(l, 0, 50))
			for ; len(drawn) > 0; drawn = drawn[s.KeyLen():] {
				k := rules.Key(drawn[:s.KeyLen()])
				require.NoError(t, s.CheckKey(k))
				_, ok := l.First(k)
				require.True(t, ok)
				packets++
			}
		}
		require.Greater(t, packets, 300)
	}
}

func TestDrawnPacketsCoverTheList(t *testing.T) {
	b := rules.NewBuilder[int](rules.IPv4Tuple)
	for i := range uint64(1000) {
		_, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{rules.In(3, rules.Point(i))}, Continue: i%10 != 0})
		require.NoError(t, err)
	}
	l := b.List()
	drawn := hipac.DrawPackets(l, 0, 50) // one for each 20 rules, of which 2 do not continue
	parts := map[int]int{}
	for ; len(drawn) > 0; drawn = drawn[6:] {
		i, ok := l.First(drawn[:6])
		require.True(t, ok)
		parts[i/20]++
	}
	require.Len(t, parts, 50)
	for _, n := range parts {
		require.Equal(t, 1, n)
	}
}

func TestDrawnAddressesAreOfTheFamilyAskedFor(t *testing.T) {
	s := rules.IPTuple
	for _, c := range []struct {
		rule   string
		family int
		four   bool
	}{{"dport=80", 0, true}, {"dport=80", 4, true}, {"dport=80", 6, false}, {"src=10.0.0.0/8", 6, true}, {"dst=2001:db8::/32", 0, false}} {
		l := listOf(t, s, c.rule)
		k := rules.Key(hipac.DrawPackets(l, c.family, 1))
		for f := range 2 {
			v, ok := s.Get(k, f)
			require.True(t, ok)
			require.Equal(t, c.four, v.Hi == 0 && v.Lo>>32 == 0xffff, "%s, family %d", c.rule, c.family)
		}
	}
}

func TestMeanWorkIsTheSameWithAndWithoutTheList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 10))
	l, _ := plantedList(r, 2000)
	st := build(t, l, nil).Stats()
	require.Equal(t, st.Mean, build(t, l, &hipac.Options{FirstMatchOnly: true}).Stats().Mean)
	require.Equal(t, 128, st.Mean.Packets)
	require.Positive(t, st.Mean.Steps)
	require.LessOrEqual(t, st.Mean.Steps, float64(st.Worst.Steps))
	require.LessOrEqual(t, st.Mean.Leaves, float64(st.Worst.Leaves))
	require.LessOrEqual(t, st.Mean.Spans, float64(st.Worst.Spans))
	require.LessOrEqual(t, st.Mean.Rows, float64(st.Worst.Rows))
	require.Positive(t, st.Mean.Rows)
}

func TestMeanWorkIsThatOfLookups(t *testing.T) {
	b := rules.NewBuilder[int](rules.IPv4Tuple)
	for i := range uint64(6) {
		_, err := b.Add(rules.Rule[int]{Conds: []rules.Cond{rules.In(3, rules.Point(i))}})
		require.NoError(t, err)
	}
	c := build(t, b.List(), nil)
	require.Equal(t, hipac.MeanWork{Packets: 6, Leaves: 1, Rows: 3.5}, c.Stats().Mean) // one leaf: 1, 2, ... 6 rows
	k := rules.Tuple4{DstPort: 3}.Key()
	require.Equal(t, hipac.Work{Leaves: 1, Rows: 4}, c.Work(k[:]))
	require.Zero(t, c.Work(k[:3]))
	require.Zero(t, build(t, b.List(), &hipac.Options{Engine: hipac.Index}).Work(k[:]))
}

func TestTablesShareOutTheirPackets(t *testing.T) {
	table := &rules.Table{Name: "t", Schema: rules.IPv4Tuple}
	for _, n := range []uint64{3000, 0, 6, 1000} {
		b := rules.NewBuilder[rules.Action](table.Schema)
		for i := range n {
			_, err := b.Add(rules.Rule[rules.Action]{Conds: []rules.Cond{rules.In(0, rules.Point(i))}, Value: rules.Action{Kind: rules.Decide, Verdict: rules.Drop}})
			require.NoError(t, err)
		}
		table.Chains = append(table.Chains, rules.Chain{Policy: rules.Accept, Rules: b.List()})
	}
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	mean := c.Stats().Mean
	require.Equal(t, 96+1+32, mean.Packets)
	require.InDelta(t, 1, mean.Leaves, 0.2)
}
