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

// packets is the number that every goes through.
const packets = 5 * 5 * 5

func TestTheAnswerToAQueryIsThatOfEveryPacket(t *testing.T) {
	for seed := range seeds(2000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		table := drawTable(rng)
		f, err := policy.OfChain(table, 0)
		require.NoError(t, err)
		conds, want := drawConds(rng), []string{"ACCEPT", "DROP", ""}[rng.IntN(3)]
		answer, err := policy.Query(context.Background(), f, conds, want, policy.Options{Join: rng.IntN(2) == 0})
		require.NoError(t, err)
		asked, said := 0, 0
		every(func(k rules.Key) {
			in := 0
			for _, r := range answer.Regions {
				if holds(tiny, r.Conds, k) {
					in++
				}
			}
			r := table.Evaluate(k, 0, nil)
			expect := 0
			if holds(tiny, conds, k) {
				asked++
				if want == "" || verdict(r.Verdict) == want {
					said++
					expect = 1
				}
			}
			require.Equal(t, expect, in, "seed %d, %v", seed, k)
		})
		for _, r := range answer.Regions {
			result := table.Evaluate(r.Witness, 0, nil)
			require.Equal(t, r.Old, policy.Decision{Verdict: verdict(result.Verdict), At: place(result)}, "seed %d", seed)
			require.Contains(t, r.Olds, r.Old.At)
		}
		extent := policy.Some
		switch said {
		case 0:
			extent = policy.No
		case asked:
			extent = policy.All
		}
		require.Equal(t, extent, answer.Extent, "seed %d", seed)
	}
}

func TestRegionsJoinedByVerdictAreTheSamePackets(t *testing.T) {
	for seed := range seeds(2000) {
		rng := rand.New(rand.NewPCG(seed, 4))
		old := drawTable(rng)
		other := change(rng, old)
		f, err := policy.OfChain(old, 0)
		require.NoError(t, err)
		g, err := policy.OfChain(other, 0)
		require.NoError(t, err)
		keep := 1 + rng.IntN(50)
		d, err := policy.Compare(context.Background(), f, g, policy.Options{Join: true, Regions: keep})
		require.NoError(t, err)
		require.LessOrEqual(t, len(d.Regions), keep)
		sum, left := new(big.Int), new(big.Int)
		for _, c := range d.Changes {
			sum.Add(sum, c.Packets)
		}
		seen, differ := int64(0), int64(0)
		every(func(k rules.Key) {
			a, b := old.Evaluate(k, 0, nil), other.Evaluate(k, 0, nil)
			if a.Verdict != b.Verdict {
				differ++
			}
			in := 0
			for _, r := range d.Regions {
				if !holds(tiny, r.Conds, k) {
					continue
				}
				in++
				seen++
				require.Equal(t, []string{verdict(a.Verdict), verdict(b.Verdict)}, []string{r.Old.Verdict, r.New.Verdict})
				require.Contains(t, r.Olds, place(a))
				require.Contains(t, r.News, place(b))
			}
			require.LessOrEqual(t, in, 1)
		})
		for _, r := range d.Regions {
			left.Add(left, r.Packets)
			a, b := old.Evaluate(r.Witness, 0, nil), other.Evaluate(r.Witness, 0, nil)
			require.Equal(t, []policy.Decision{{Verdict: verdict(a.Verdict), At: place(a)}, {Verdict: verdict(b.Verdict), At: place(b)}}, []policy.Decision{r.Old, r.New})
		}
		// What rules do not ask for does not count: all packets are a multiple.
		all := d.Packets.Int64()
		require.Equal(t, seen*all, left.Int64()*packets, "seed %d", seed)
		require.Equal(t, differ*all, sum.Int64()*packets, "seed %d", seed)
		require.Equal(t, d.Left > 0, differ > seen, "seed %d", seed)
		require.Equal(t, differ == 0, d.Same())
	}
}

func TestLimitsMakeAResultPartial(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 6))
	f, err := policy.OfChain(drawTable(rng), 0)
	require.NoError(t, err)
	g, err := policy.OfChain(drawTable(rng), 0)
	require.NoError(t, err)
	whole, err := policy.Compare(context.Background(), f, g, policy.Options{})
	require.NoError(t, err)
	require.Greater(t, whole.Boxes, int64(1))
	for name, o := range map[string]policy.Options{"boxes": {Steps: 1}, "bytes": {Memory: 8}} {
		d, err := policy.Compare(context.Background(), f, g, o)
		require.NoError(t, err)
		require.ErrorIs(t, d.Partial, rules.ErrLimit)
		require.ErrorContains(t, d.Partial, name)
		require.False(t, d.Same())
		require.Empty(t, d.Changes)
		a, err := policy.Query(context.Background(), f, nil, "ACCEPT", o)
		require.NoError(t, err)
		require.ErrorIs(t, a.Partial, rules.ErrLimit)
		require.NotContains(t, []policy.Extent{policy.No, policy.All}, a.Extent)
		require.ErrorIs(t, policy.Each(context.Background(), f, g, o, func(*rules.Schema, policy.Region) bool { return true }), rules.ErrLimit)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = policy.Compare(over, f, g, policy.Options{})
	if err != nil { // a walk this short may end before it looks
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestEveryRegionIsHandedOutOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 6))
	f, err := policy.OfChain(drawTable(rng), 0)
	require.NoError(t, err)
	g, err := policy.OfChain(drawTable(rng), 0)
	require.NoError(t, err)
	d, err := policy.Compare(context.Background(), f, g, policy.Options{})
	require.NoError(t, err)
	sum, want := new(big.Int), new(big.Int)
	for _, c := range d.Changes {
		want.Add(want, c.Packets)
	}
	n := 0
	require.NoError(t, policy.Each(context.Background(), f, g, policy.Options{}, func(_ *rules.Schema, r policy.Region) bool {
		n++
		sum.Add(sum, r.Packets)
		return true
	}))
	require.Positive(t, n)
	require.Equal(t, want.String(), sum.String())
	seen := 0
	require.NoError(t, policy.Each(context.Background(), f, g, policy.Options{}, func(*rules.Schema, policy.Region) bool { seen++; return false }))
	require.Equal(t, 1, seen)
}
