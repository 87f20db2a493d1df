package policy_test

import (
	"context"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

// crossed returns a list of rules that overlap in every field, and one without some
// of them: they differ in many boxes.
func crossed(t *testing.T, n int) (old, new *policy.Function) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 16}, rules.Field{Name: "b", Bits: 16}, rules.Field{Name: "c", Bits: 16})
	rng := rand.New(rand.NewPCG(7, 7))
	all, some := rules.NewBuilder[int](s), rules.NewBuilder[int](s)
	for i := range n {
		var r rules.Rule[int]
		for f := range s.Len() {
			a, b := rng.Uint64N(1<<16), rng.Uint64N(1<<16)
			r.Conds = append(r.Conds, rules.In(f, rules.Span(min(a, b), max(a, b))))
		}
		r.Value = i
		_, err := all.Add(r)
		require.NoError(t, err)
		if i%3 > 0 {
			_, err = some.Add(r)
			require.NoError(t, err)
		}
	}
	return policy.OfList(all.List(), nil, "none"), policy.OfList(some.List(), nil, "none")
}

func TestOfManyBoxesTheLargestAreKeptAndTheOthersCounted(t *testing.T) {
	old, new := crossed(t, 1500)
	o := policy.Options{Regions: 300, Complete: true}
	d, err := policy.Compare(context.Background(), old, new, o)
	require.NoError(t, err)
	require.NoError(t, d.Partial)
	require.Greater(t, d.Boxes, int64(40_000)) // some are joined on the way
	require.Len(t, d.Regions, 300)
	require.Positive(t, d.Left)

	one, boxes := big.NewInt(0), 0
	require.NoError(t, policy.Each(context.Background(), old, new, o, func(_ *rules.Schema, r policy.Region) bool {
		one.Add(one, r.Packets)
		boxes++
		return true
	}))
	sum, regions := big.NewInt(0), 0
	for _, c := range d.Changes {
		sum.Add(sum, c.Packets)
		regions += c.Regions
	}
	require.Equal(t, one, sum)
	require.Equal(t, d.Left+300, regions)
	require.Greater(t, boxes, regions)

	again, err := policy.Compare(context.Background(), old, new, o)
	require.NoError(t, err)
	require.Equal(t, d.Regions, again.Regions)
	require.Equal(t, d.Changes, again.Changes)
}
