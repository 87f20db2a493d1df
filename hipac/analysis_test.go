package hipac_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestAnalysisFindsHiddenRulesAndThoseOfARegion(t *testing.T) {
	l := listOf(t, rules.IPv4Tuple,
		"src=10.0.0.0/8 dport=0-1023",
		"src=10.1.0.0/16 dport=80",    // hidden by the first
		"src=10.1.0.0/16 dport=8080",  //
		"src=10.1.0.0/16",             // not: has no port condition
		"src=10.1.0.0/17 dport=*",     // hidden by the one before
		"src=10.1.2.0/24 proto=0/0x1", // hidden too
		"dport=53 src=192.0.2.0/24")
	a, err := hipac.Analyze(context.Background(), l)
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 0, 4: 3, 5: 3}, maps.Collect(a.Hidden()))
	meeting := func(text string) []int {
		c, err := rules.IPv4Tuple.ParseCond(text)
		require.NoError(t, err)
		return slices.Collect(a.Meeting([]rules.Cond{c}))
	}
	require.Equal(t, []int{0, 3, 4, 5, 6}, meeting("dport=50-60"))
	require.Equal(t, []int{0}, meeting("src=10.2.0.0/16"))
	require.Equal(t, []int{6}, meeting("src=192.0.0.0/8"))
	require.Empty(t, meeting("src={}"))
	require.Equal(t, 1, a.Intervals(2), "no rule has a condition on sport")
	require.Equal(t, []int{1, 8}, []int{a.Intervals(4), a.Intervals(3)}, "0 53 54 80 81 1024 8080 8081")
}
