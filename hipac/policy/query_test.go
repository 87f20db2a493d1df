package policy_test

import (
	"context"
	"math/big"
	"math/rand/v2"
	"slices"
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

func TestRegionsOfListsWithoutVerdictsAreThePacketsOfOtherRules(t *testing.T) {
	regions, several := 0, 0
	for seed := range seeds(3000) {
		rng := rand.New(rand.NewPCG(seed, 13))
		var rs []rules.Rule[int]
		for range 1 + rng.IntN(9) {
			rs = append(rs, rules.Rule[int]{Conds: drawConds(rng), Continue: rng.IntN(9) == 0})
		}
		next := slices.Clone(rs)
		for range 1 + rng.IntN(3) {
			switch i, j := rng.IntN(len(next)), rng.IntN(len(next)); rng.IntN(3) {
			case 0:
				next[i], next[j] = next[j], next[i]
			case 1:
				next[i].Conds = drawConds(rng)
			case 2:
				next = slices.Insert(next, i, rules.Rule[int]{Conds: drawConds(rng)})
			}
		}
		old, err := rules.NewList(tiny, rs...)
		require.NoError(t, err)
		other, err := rules.NewList(tiny, next...)
		require.NoError(t, err)
		keep := 1 + rng.IntN(20)
		d, err := policy.Compare(context.Background(), policy.OfList(old, nil, "none"), policy.OfList(other, nil, "none"), policy.Options{Join: true, Regions: keep})
		require.NoError(t, err)
		require.NoError(t, d.Partial)
		require.LessOrEqual(t, len(d.Regions), keep)
		for _, c := range d.Changes {
			require.Contains(t, [][2]string{{"", ""}, {"none", ""}, {"", "none"}}, [2]string{c.Old, c.New})
		}
		decides := func(l *rules.List[int], k rules.Key) (rules.Place, string) {
			for i, r := range l.All() {
				if !r.Continue && r.Matches(tiny, k) {
					return rules.Place{Rule: i}, rules.FormatRule(tiny, r)
				}
			}
			return rules.Place{Rule: -1}, "none"
		}
		differ, seen, named := int64(0), int64(0), map[int]map[rules.Place]bool{}
		every(func(k rules.Key) {
			a, was := decides(old, k)
			b, is := decides(other, k)
			if was != is {
				differ++
			}
			in := 0
			for n, r := range d.Regions {
				if !holds(tiny, r.Conds, k) {
					continue
				}
				in++
				require.NotEqual(t, was, is, "seed %d", seed)
				require.Equal(t, []bool{a.Rule < 0, b.Rule < 0}, []bool{r.Old.At.Rule < 0, r.New.At.Rule < 0}, "seed %d", seed)
				require.Contains(t, r.Olds, a, "seed %d", seed)
				require.Contains(t, r.News, b, "seed %d", seed)
				if named[n] == nil {
					named[n] = map[rules.Place]bool{}
				}
				a.Chain, b.Chain = 1, 2
				named[n][a], named[n][b] = true, true
				if slices.Equal(k, r.Witness) {
					a.Chain, b.Chain = 0, 0
					require.Equal(t, []rules.Place{a, b}, []rules.Place{r.Old.At, r.New.At}, "seed %d", seed)
				}
			}
			require.LessOrEqual(t, in, 1)
			seen += int64(in)
		})
		for n, r := range d.Regions {
			require.Equal(t, len(r.Olds)+len(r.News), len(named[n]), "seed %d", seed)
			regions++
			if len(r.News) > 1 {
				several++
			}
		}
		sum := new(big.Int)
		for _, c := range d.Changes {
			sum.Add(sum, c.Packets)
		}
		require.Equal(t, differ*d.Packets.Int64(), sum.Int64()*packets, "seed %d", seed)
		require.Equal(t, d.Left > 0, differ > seen, "seed %d", seed)
		require.Equal(t, differ == 0, d.Same())
	}
	require.Greater(t, regions, 2000)
	require.Greater(t, several, 300)
}
