package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// grown returns the paths of rules of the given lengths.
func grown(shape trie, seed uint64, length []uint8, like []uint32, common []uint8) []uint32 {
	g := grower{
		r: newRNG(seed, "test"), shape: &shape, spread: shape.levelsSpread(1000),
		length: length, path: make([]uint32, len(length)), like: like, common: common,
	}
	at := make([]int32, len(length))
	for i := range at {
		at[i] = int32(i)
	}
	g.grow(at, 0, 0, 0)
	return g.path
}

func mixedLengths(n int, of ...uint8) []uint8 {
	r := newRNG(1, "lengths")
	length := make([]uint8, n)
	for i := range length {
		length[i] = of[r.IntN(len(of))]
	}
	return length
}

func TestPathsArePrefixesOfTheirLength(t *testing.T) {
	length := mixedLengths(2000, 0, 1, 8, 16, 31, 32)
	for i, p := range grown(trie{deep: 3, branch: bands{50, 50, 50, 50, 50, 50, 50, 50, 50}}, 1, length, nil, nil) {
		require.Zero(t, uint64(p)<<length[i]&(1<<32-1), "/%d", length[i])
	}
}

func TestPrefixesNestNoDeeperThanTheirTrieSays(t *testing.T) {
	length := mixedLengths(3000, 1, 4, 8, 9, 10, 16, 24, 31, 32)
	for deep := 1; deep <= 6; deep++ {
		for _, spread := range []int{0, 60, 320} {
			shape := trie{deep: deep, spread: [3]int{spread}, branch: bands{30, 30, 30, 30, 30, 30, 30, 30, 30}}
			path := grown(shape, uint64(deep), length, nil, nil)
			type prefix struct {
				path   uint32
				length uint8
			}
			all := map[prefix]bool{}
			for i, p := range path {
				all[prefix{p, length[i]}] = true
			}
			most := 0
			for p := range all {
				held := 0
				for l := uint8(1); l <= p.length; l++ {
					held += b2i(all[prefix{p.path &^ (1<<(32-l) - 1), l}])
				}
				most = max(most, held)
			}
			require.Equal(t, deep, most)
		}
	}
}

func TestSpreadLevelsBranchEvenly(t *testing.T) {
	length := mixedLengths(1024, 32)
	distinct := func(spread int) int {
		seen := map[uint32]int{}
		for _, p := range grown(trie{deep: 4, spread: [3]int{spread}}, 1, length, nil, nil) {
			seen[p>>22]++
		}
		for _, n := range seen {
			require.Equal(t, 1024/len(seen), n)
		}
		return len(seen)
	}
	require.Equal(t, 1, distinct(0), "no branch, no spread")
	require.Equal(t, 32, distinct(50))
	require.Equal(t, 1024, distinct(100))
}

func TestSkewIsTheMeanOfItsBand(t *testing.T) {
	length := mixedLengths(200000, 32)
	for _, skew := range []int{0, 30, 90} {
		sum, n := 0.0, 0
		for seed := range uint64(200) {
			shape := trie{deep: 4, branch: bands{100}, skew: bands{skew}}
			ones := 0
			for _, p := range grown(shape, seed, length[:1000], nil, nil) {
				ones += int(p >> 31)
			}
			light := min(ones, 1000-ones)
			sum, n = sum+1-float64(light)/float64(1000-light), n+1
		}
		require.InDelta(t, float64(skew)/100, sum/float64(n), 0.05)
	}
}

func TestDestinationsShareTheirFirstBitsWithSources(t *testing.T) {
	length := mixedLengths(4000, 32)
	shape := trie{deep: 4, spread: [3]int{320}}
	like := grown(shape, 1, length, nil, nil)
	common := make([]uint8, len(length))
	for i := range common {
		common[i] = uint8([...]int{0, 5, 20}[i%3])
	}
	path := grown(shape, 2, length, like, common)
	kept := 0
	for i, p := range path {
		n := 0
		for n < 32 && (p^like[i])>>(31-n) == 0 {
			n++
		}
		kept += b2i(n == int(common[i]))
	}
	require.Greater(t, kept, len(path)*9/10, "but where halves would not be even")
}

func TestIPv6PrefixesHoldOneAnotherAsThoseOfIPv4Do(t *testing.T) {
	length := mixedLengths(300, 0, 1, 8, 16, 24, 28, 31, 32)
	path := grown(trie{deep: 5, spread: [3]int{30}, branch: bands{30, 30, 30, 30, 30, 30, 30, 30, 30}}, 3, length, nil, nil)
	held := 0
	for i := range path {
		for j := range path {
			a := rules.PrefixInterval(rules.U64(uint64(path[i])), int(length[i]), 32)
			b := rules.PrefixInterval(rules.U64(uint64(path[j])), int(length[j]), 32)
			x := rules.PrefixInterval(expand(path[i], int(length[i]), 9), ipv6Lengths[length[i]], 128)
			y := rules.PrefixInterval(expand(path[j], int(length[j]), 9), ipv6Lengths[length[j]], 128)
			require.Equal(t, a.Covers(b), x.Covers(y))
			require.Equal(t, a == b, x == y)
			held += b2i(i != j && a.Covers(b))
		}
	}
	require.Greater(t, held, 1000)
}
