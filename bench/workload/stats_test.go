package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestStatisticsCountWhatAListHas(t *testing.T) {
	s := rules.IPv4Tuple
	b := rules.NewBuilder[string](s)
	for _, conds := range [][]string{
		{"src=10.0.0.0/8", "dport=80", "proto=6"},
		{"src=10.1.0.0/16", "dst=192.0.2.1", "sport=1024-65535", "proto=17"},
		{"src=10.0.0.0/8", "dst=192.0.2.1", "sport=0-1023", "dport=100-200"},
		{}, {"dport=80"},
	} {
		var r rules.Rule[string]
		for _, text := range conds {
			c, err := s.ParseCond(text)
			require.NoError(t, err)
			r.Conds = append(r.Conds, c)
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	st := Statistics(b.List())
	src, dst, sport, dport, proto := st.Fields[0], st.Fields[1], st.Fields[2], st.Fields[3], st.Fields[4]
	require.Equal(t, 5, st.Rules)
	require.InDelta(t, 0.4, src.Wildcard, 1e-9)
	require.InDeltaMapValues(t, map[int]float64{0: 0.4, 8: 0.4, 16: 0.2}, src.Prefixes, 1e-9)
	require.Equal(t, 2, src.Distinct)
	require.Equal(t, 2, src.Nesting)
	require.InDelta(t, 1.5, src.MeanNesting, 1e-9)
	require.InDelta(t, 0.4, dst.Exact, 1e-9)
	require.InDeltaSlice(t, []float64{0.6, 0.2, 0.2, 0, 0}, sport.Classes[:], 1e-9)
	require.InDeltaSlice(t, []float64{0.4, 0, 0, 0.2, 0.4}, dport.Classes[:], 1e-9)
	require.Equal(t, 2, dport.Distinct)
	require.InDeltaMapValues(t, map[uint64]float64{6: 0.2, 17: 0.2}, proto.Values, 1e-9)
	require.InDelta(t, 0.2, st.PrefixPairs[[2]int{16, 32}], 1e-9)
	require.InDelta(t, 0.4, st.PortPairs[[2]PortClass{WC, EM}], 1e-9)
	require.InDelta(t, 0.2, st.Hidden, 0.06, "the last rule lies behind one that matches everything")
	require.Greater(t, st.Matches, 1.5)
	require.Contains(t, st.String(), "src      wildcard  40.0%")
}

func TestStatisticsTakeAnyList(t *testing.T) {
	for _, s := range schemas() {
		for _, n := range []int{0, 1, 100} {
			l, err := Random(s, RandomConfig{Rules: n, Seed: 1}.Everything())
			require.NoError(t, err)
			st := Statistics(l)
			require.Equal(t, n, st.Rules)
			require.Len(t, st.Fields, s.Len())
			for _, f := range st.Fields {
				require.True(t, f.Wildcard >= 0 && f.Wildcard <= 1+1e-9, f.Name)
			}
			require.NotEmpty(t, st.String())
		}
	}
}
