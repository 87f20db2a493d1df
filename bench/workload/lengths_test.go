package workload

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func smoothed(smoothness int, cells ...cell) map[[2]uint8]float64 {
	t := tabulate(cells, smoothness)
	out := map[[2]uint8]float64{}
	last := 0.0
	for i, c := range t.cells {
		out[c] += t.pick.cum[i] - last
		last = t.pick.cum[i]
	}
	return out
}

func TestSmoothingMovesTheSumBinomially(t *testing.T) {
	require.Equal(t, map[[2]uint8]float64{{8, 24}: 5}, smoothed(0, cell{8, 24, 5}))
	require.InDeltaMapValues(t, map[[2]uint8]float64{
		{0, 32}: 4, {1, 31}: 2, // no bit more or less: one length may give to the other
		{0, 31}: 4, {1, 32}: 4, {0, 30}: 1, {2, 32}: 1,
	}, smoothed(2, cell{0, 32, 16}), 1e-9)
	inside := smoothed(1, cell{16, 16, 4})
	require.InDeltaMapValues(t, map[[2]uint8]float64{{16, 16}: 2, {15, 16}: 0.5, {16, 15}: 0.5, {17, 16}: 0.5, {16, 17}: 0.5}, inside, 1e-9)
}

func TestSmoothingKeepsTheWeightAtAnyReach(t *testing.T) {
	for _, smoothness := range []int{0, 1, 2, 7, 32, 64} {
		for _, c := range []cell{{0, 0, 10}, {32, 32, 10}, {0, 32, 10}, {13, 20, 10}} {
			sum := 0.0
			for at, w := range smoothed(smoothness, c) {
				require.LessOrEqual(t, max(int(at[0])-c.src, c.src-int(at[0])), smoothness)
				require.LessOrEqual(t, max(int(at[1])-c.dst, c.dst-int(at[1])), smoothness)
				sum += w
			}
			require.InDelta(t, 10, sum, 1e-9)
		}
	}
}

func TestLengthsComeByTheirTotal(t *testing.T) {
	for i := range profiles {
		for _, l := range profiles[i].lengths {
			list := tabulate(l.cells, 2).cells
			for k := range list[1:] {
				require.LessOrEqual(t, list[k][0]+list[k][1], list[k+1][0]+list[k+1][1])
			}
		}
	}
}

func TestEveryPairOfPortClassesHasLengths(t *testing.T) {
	for i := range profiles {
		p := &profiles[i]
		last := p.lengths[len(p.lengths)-1]
		require.Equal(t, [2]PortClass{anyClass, anyClass}, [2]PortClass{last.sport, last.dport}, p.name)
		for _, l := range p.lengths {
			for _, c := range l.cells {
				require.True(t, c.src >= 0 && c.src <= 32 && c.dst >= 0 && c.dst <= 32 && c.weight > 0, "%s: %v", p.name, c)
			}
		}
		require.Equal(t, len(p.lengths)-1, p.lengthsOf(AR, AR), p.name)
	}
}
