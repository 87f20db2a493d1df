package counters

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Numbers given, freed and given again; pages made and dropped.

func TestWithoutErasNoNumberIsGivenTwice(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	seen := map[uint32]bool{0: true}
	for round := range 10 {
		var nums []uint32
		for range 400 + 100*round {
			n := s.New()
			require.False(t, seen[n])
			seen[n] = true
			nums = append(nums, n)
		}
		for _, n := range nums {
			s.Free(n)
		}
		runtime.GC()
		require.LessOrEqual(t, s.Size().Pages, 1)
	}
}

// A version as a rule set would publish it: the rules' numbers and the era.
type version struct {
	numbers map[uint32]bool
	era     *Era
}

// Random edits, with versions held for a while: a number that a held version
// knows is never given to another rule; once versions are let go, numbers are
// given again, so that their range stays small.
func TestNoNumberIsGivenAgainWhileAVersionKnowsIt(t *testing.T) {
	const rules, commits = 300, 6000
	s := NewSet(Options{Tick: -1})
	rng := rand.New(rand.NewPCG(4, 4))
	now := &version{numbers: map[uint32]bool{}}
	for range rules {
		now.numbers[s.New()] = true
	}
	now.era = s.Era()
	var held []*version
	var highest uint32
	for commit := range commits {
		next := &version{numbers: make(map[uint32]bool, rules)}
		drop, kept := rng.IntN(3), 0
		for n := range now.numbers {
			if kept < drop {
				kept++
				continue
			}
			next.numbers[n] = true
		}
		for len(next.numbers) < rules {
			n := s.New()
			highest = max(highest, n)
			require.False(t, now.numbers[n])
			for _, v := range held {
				require.False(t, v.numbers[n], "commit %d: number %d is in a held version", commit, n)
			}
			next.numbers[n] = true
		}
		for n := range now.numbers {
			if !next.numbers[n] {
				s.Free(n)
			}
		}
		next.era = s.Era()
		if rng.IntN(100) == 0 {
			held = append(held, now)
		}
		now = next
		if len(held) > 4 {
			held = held[1+rng.IntN(3):]
		}
		if commit%200 == 0 {
			runtime.GC()
		}
	}
	require.Equal(t, rules, s.Size().Numbers)
	require.Less(t, highest, uint32(commits*2/3), "numbers are given again")
	runtime.KeepAlive(held)
	runtime.KeepAlive(now)
}

func TestAReusedNumberBeginsAtZero(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	sh, gone := s.Shard(), s.Shard()
	s.Era()
	var nums []uint32
	for range 2 * eraLen {
		n := s.New()
		nums = append(nums, n)
		sh.Count(n, 10)
		gone.Count(n, 10)
		s.Add(n, counts(1, 1, 1))
	}
	gone.Close()
	for _, n := range nums[1:] { // nums[0] keeps the page
		s.Free(n)
		sh.Count(n, 10) // a late reader
		require.Equal(t, Counts{}, s.Read(n))
	}
	s.Era() // the era before is over now
	collectUntil(t, func() bool {
		n := s.New()
		require.Equal(t, Counts{}, s.Read(n))
		return n == nums[1]
	})
	sh.CountAt(nums[1], 6, second(9))
	require.EqualValues(t, 1, s.Read(nums[1]).Packets)
	require.EqualValues(t, 6, s.Read(nums[1]).Bytes)
	require.EqualValues(t, 2, s.Read(nums[0]).Packets-1)
}

func TestLateCountsUnderADroppedPageAreDiscarded(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	sh := s.Shard()
	var nums []uint32
	for range 4 * pageLen {
		nums = append(nums, s.New())
	}
	require.Equal(t, 5, s.Size().Pages) // number 0 is not given
	for _, n := range nums {
		s.Free(n)
	}
	require.Equal(t, 1, s.Size().Pages)
	for _, n := range nums {
		sh.Count(n, 1)
		require.Equal(t, Counts{}, s.Read(n))
	}
	require.Equal(t, 1, s.Size().Pages)
	other := s.Shard() // made when only one page is left
	n := s.New()
	other.Count(n, 1)
	sh.Count(n, 1)
	require.EqualValues(t, 2, s.Read(n).Packets)
}

func TestMemoryReturnsAfterFreeingEverything(t *testing.T) {
	const rules = 100_000
	s := NewSet(Options{Tick: -1})
	sh := s.Shard()
	first := s.New()
	e := s.Era()
	begin, heap := s.Size(), heapBytes()
	for range 3 {
		var nums []uint32
		for range rules {
			nums = append(nums, s.New())
		}
		for _, n := range nums {
			sh.Count(n, 1)
		}
		require.Greater(t, s.Size().Bytes, int64(rules*64))
		rand.Shuffle(rules, func(i, j int) { nums[i], nums[j] = nums[j], nums[i] })
		for _, n := range nums {
			s.Free(n)
		}
		e = s.Era()
		collectUntil(t, func() bool { return len(s.pageList()) <= 2 })
		end := s.Size()
		require.Equal(t, 1, end.Numbers)
		require.LessOrEqual(t, end.Pages, begin.Pages+1)
		require.LessOrEqual(t, end.Bytes, begin.Bytes+40_000, "one spare page at most")
	}
	require.Less(t, heapBytes(), heap+400_000)
	sh.Count(first, 1)
	require.EqualValues(t, 1, s.Read(first).Packets)
	runtime.KeepAlive(e)
}

func (s *Set) pageList() []*pageInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAddingAndDeletingOneRuleKeepsItsPage(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	sh := s.Shard()
	for range 3 * pageLen {
		n := s.New()
		p, _ := split(n)
		pg := sh.mem.pages[p]
		s.Free(n)
		require.Same(t, pg, sh.mem.pages[p])
		require.LessOrEqual(t, s.Size().Pages, 2)
	}
}
