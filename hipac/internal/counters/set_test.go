package counters

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Sums, resets, shards and the clock.

// A handClock is a wall clock that a test sets.
type handClock struct{ ns atomic.Int64 }

func (h *handClock) now() time.Time      { return time.Unix(0, h.ns.Load()) }
func (h *handClock) at(sec int64)        { h.ns.Store(sec * 1e9) }
func (h *handClock) set() *Set           { return NewSet(Options{Now: h.now, Tick: -1}) }
func second(sec int64) time.Time         { return time.Unix(sec, 0) }
func counts(p, b uint64, s int64) Counts { return Counts{p, b, second(s)} }

func TestAnEntryIsHalfACacheLineAndAPageHasNoWaste(t *testing.T) {
	require.EqualValues(t, 32, unsafe.Sizeof(entry{}))
	require.EqualValues(t, 16384, unsafe.Sizeof(page{}))
	s := NewSet(Options{Tick: -1})
	s.New()
	require.Zero(t, uintptr(unsafe.Pointer(s.Shard().mem.pages[0]))%64)
	require.EqualValues(t, uint64(1)<<32, uint64(maxPages)*pageLen)
}

func TestCountsAreSumsOverShards(t *testing.T) {
	var h handClock
	h.at(100)
	s := h.set()
	a, b := s.New(), s.New()
	require.NotZero(t, a)
	require.NotEqual(t, a, b)
	require.Equal(t, Counts{}, s.Read(a))

	one, two := s.Shard(), s.Shard()
	one.Count(a, 60)
	h.at(105)
	s.Tick()
	two.Count(a, 1500)
	two.Count(b, 40)
	require.Equal(t, counts(2, 1560, 105), s.Read(a))
	require.Equal(t, counts(1, 40, 105), s.Read(b))

	one.Close()
	require.Equal(t, counts(2, 1560, 105), s.Read(a), "a closed shard's counts stay")
	one.Close()
	one.Count(a, 7)
	require.Nil(t, one.root[0].Load()[0].Load(), "the closed shard's memory is gone")
	require.Equal(t, counts(2, 1560, 105), s.Read(a), "counts after Close are discarded")
	two.Close()
	require.Equal(t, counts(2, 1560, 105), s.Read(a))

	three := s.Shard()
	three.Count(a, 1)
	require.Equal(t, []Counts{counts(1, 40, 105), counts(3, 1561, 105), {}}, s.ReadMany(nil, []uint32{b, a, 99}))
}

func TestNumbersThatAreNotInUseCountNothing(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	sh := s.Shard()
	all := []uint32{0, 1, pageLen, chunkLen*pageLen - 1, chunkLen * pageLen, math.MaxUint32}
	for _, n := range all {
		sh.Count(n, 1)
		s.Add(n, Counts{Packets: 1})
		require.Equal(t, Counts{}, s.Reset(n))
		s.Free(n)
	}
	n := s.New()
	for _, m := range append(all, n+1) {
		if m != n {
			sh.Count(m, 1)
			require.Equal(t, Counts{}, s.Read(m))
		}
	}
	require.Equal(t, Counts{}, s.Read(n))
	s.Free(n)
	s.Free(n)
	require.Zero(t, s.Size().Numbers)
}

func TestAddedCountsJoinCountedOnes(t *testing.T) {
	var h handClock
	h.at(100)
	s := h.set()
	n := s.New()
	sh := s.Shard()
	s.Add(n, Counts{Packets: 10, Bytes: 1000})
	require.Equal(t, Counts{Packets: 10, Bytes: 1000}, s.Read(n), "without a last hit")
	s.Add(n, counts(1, 1, 90))
	require.Equal(t, counts(11, 1001, 90), s.Read(n))
	sh.Count(n, 9)
	require.Equal(t, counts(12, 1010, 100), s.Read(n))
	sh.Close()
	s.Add(n, counts(0, 0, 95))
	require.Equal(t, counts(12, 1010, 100), s.Read(n))
}

func TestResetReturnsWhatItTakesAndLeavesShardsAlone(t *testing.T) {
	var h handClock
	h.at(100)
	s := h.set()
	n, other := s.New(), s.New()
	gone, sh := s.Shard(), s.Shard()
	gone.Count(n, 5)
	gone.Close()
	sh.Count(n, 6)
	sh.Count(other, 7)
	s.Add(n, counts(1, 1, 50))

	require.Equal(t, counts(3, 12, 100), s.Reset(n))
	require.Equal(t, Counts{}, s.Read(n))
	require.Equal(t, Counts{}, s.Reset(n))
	require.Equal(t, counts(1, 7, 100), s.Read(other))
	p, i := split(n)
	packets, bytes, last := sh.mem.pages[p][i].load()
	require.Equal(t, []uint64{1, 6, 100e9}, []uint64{packets, bytes, last}, "the reader's own words")

	sh.Count(n, 2)
	require.Equal(t, counts(1, 2, 100), s.Read(n), "a hit within the tick of the reset")
	h.at(101)
	s.Tick()
	sh.Count(n, 2)
	require.Equal(t, counts(2, 4, 101), s.Read(n))
	s.ResetAll()
	require.Equal(t, []Counts{{}, {}}, s.ReadMany(nil, []uint32{n, other}))
	sh.Close()
	require.Equal(t, []Counts{{}, {}}, s.ReadMany(nil, []uint32{n, other}), "closing brings nothing back")
	s.Add(n, Counts{Packets: 1})
	require.Equal(t, Counts{Packets: 1}, s.Read(n))
}

func TestAHitInTheTickOfAResetSurvivesClosing(t *testing.T) {
	var h handClock
	h.at(100)
	s := h.set()
	n := s.New()
	sh := s.Shard()
	sh.Count(n, 1)
	s.Reset(n)
	sh.Count(n, 1)
	sh.Close()
	require.Equal(t, counts(1, 1, 100), s.Read(n))
}

func TestSumsWrapWithoutHarm(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	n := s.New()
	sh := s.Shard()
	sh.CountAt(n, math.MaxUint64, time.Time{})
	sh.CountAt(n, 3, time.Time{})
	require.Equal(t, Counts{Packets: 2, Bytes: 2}, s.Read(n))
}

func TestLastHitOfGivenTimes(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Time
		want time.Time
	}{
		{"a capture's time", second(1234), second(1234)},
		{"an earlier one does not replace it", second(1200), second(1234)},
		{"the zero time", time.Time{}, second(1234)},
		{"before 1970", second(-5), second(1234)},
		{"beyond 64 bits", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MaxInt64)},
	} {
		s := NewSet(Options{Tick: -1})
		n := s.New()
		sh := s.Shard()
		sh.CountAt(n, 1, second(1234))
		sh.CountAt(n, 1, c.at)
		require.Equal(t, c.want, s.Read(n).Last, c.name)
	}
}

func TestTheClockNeverGoesBack(t *testing.T) {
	var h handClock
	h.at(100)
	s := h.set()
	sh := s.Shard()
	for _, step := range []struct{ wall, last int64 }{{100, 100}, {130, 130}, {90, 130}, {129, 130}, {131, 131}} {
		h.at(step.wall)
		s.Tick()
		n := s.New()
		sh.Count(n, 1)
		require.Equal(t, second(step.last), s.Read(n).Last)
	}
}

func TestTheClockRunsWhileAShardIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		n := s.New()
		require.Nil(t, s.clock.stop)
		for range 2 {
			one, two := s.Shard(), s.Shard()
			require.NotNil(t, s.clock.stop)
			one.Close()
			require.NotNil(t, s.clock.stop)
			time.Sleep(time.Hour + DefaultTick/2)
			synctest.Wait()
			two.Count(n, 1)
			require.Equal(t, DefaultTick/2, time.Since(s.Read(n).Last), "the last tick was half a tick ago")
			two.Close()
			require.Nil(t, s.clock.stop)
			synctest.Wait() // the bubble would not end with the goroutine left
		}
	})
}

func TestAForgottenShardIsClosed(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	n := s.New()
	func() {
		sh := s.Shard()
		for range 1000 {
			sh.Count(n, 2)
		}
	}()
	collectUntil(t, func() bool { return s.Size().Shards == 0 })
	c := s.Read(n)
	require.EqualValues(t, 1000, c.Packets)
	require.EqualValues(t, 2000, c.Bytes)
}

func TestAForgottenSetIsCollected(t *testing.T) {
	var gone atomic.Bool
	func() {
		s := NewSet(Options{})
		e := s.Era()
		sh := s.Shard()
		sh.Count(s.New(), 1)
		runtime.AddCleanup(s, func(int) { gone.Store(true) }, 0)
		runtime.KeepAlive(e)
	}()
	collectUntil(t, gone.Load)
}

// collectUntil runs the garbage collector until a cleanup has had its effect.
func collectUntil(t *testing.T, done func() bool) {
	t.Helper()
	for range 2000 {
		if runtime.GC(); done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the garbage collector did not find it unreachable")
}

func TestCountAllocatesNothing(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	n := s.New()
	sh := s.Shard()
	at := second(5)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sh.Count(n, 1)
		sh.CountAt(n, 1, at)
		sh.Count(n+pageLen, 1)
		sh.Count(math.MaxUint32, 1)
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Read(n) }))
}

// Readers come and go and count random rules with shards of their own; one
// goroutine reads and checks that no word goes back, one edits other rules and
// so makes and drops pages, one preloads. In the end the totals are exact.
func TestTotalsAreExactAfterConcurrentReaders(t *testing.T) {
	const readers, lives, each, rules = 6, 8, 4000, 1300
	s := NewSet(Options{Tick: time.Millisecond})
	nums := make([]uint32, rules)
	for i := range nums {
		nums[i] = s.New()
	}
	var want [rules][2]atomic.Uint64
	var counting, helping sync.WaitGroup
	done := make(chan struct{})

	for r := range readers {
		counting.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(r)))
			for life := range lives {
				sh := s.Shard()
				for range each {
					i, b := rng.IntN(rules), rng.Uint64N(1500)
					sh.Count(nums[i], b)
					want[i][0].Add(1)
					want[i][1].Add(b)
				}
				if life%2 == 0 {
					sh.Close()
				} // else it is forgotten
			}
		})
	}
	helping.Go(func() {
		var seen [rules]Counts
		var got []Counts
		for round := 0; ; round++ {
			got = s.ReadMany(got[:0], nums)
			for i, c := range got {
				if c.Packets < seen[i].Packets || c.Bytes < seen[i].Bytes || c.Last.Before(seen[i].Last) {
					t.Errorf("rule %d went back from %v to %v", i, seen[i], c)
					return
				}
			}
			copy(seen[:], got)
			select {
			case <-done:
				return
			default:
				runtime.Gosched()
			}
		}
	})
	helping.Go(func() {
		rng := rand.New(rand.NewPCG(2, 0))
		var mine []uint32
		for {
			select {
			case <-done:
				for _, n := range mine {
					s.Free(n)
				}
				return
			default:
			}
			s.Era()
			if len(mine) < 2000 && rng.IntN(5) > 0 {
				mine = append(mine, s.New())
			} else if k := len(mine); k > 0 {
				i := rng.IntN(k)
				s.Free(mine[i])
				mine[i] = mine[k-1]
				mine = mine[:k-1]
			}
		}
	})
	helping.Go(func() {
		rng := rand.New(rand.NewPCG(3, 0))
		for range 2000 {
			i := rng.IntN(rules)
			s.Add(nums[i], Counts{Packets: 2, Bytes: 100})
			want[i][0].Add(2)
			want[i][1].Add(100)
		}
	})
	counting.Wait()
	close(done)
	helping.Wait()

	check := func() {
		for i, c := range s.ReadMany(nil, nums) {
			require.Equal(t, want[i][0].Load(), c.Packets, "packets of rule %d", i)
			require.Equal(t, want[i][1].Load(), c.Bytes, "bytes of rule %d", i)
			require.False(t, c.Last.IsZero())
		}
	}
	check()
	collectUntil(t, func() bool { return s.Size().Shards == 0 })
	check()
	require.Equal(t, rules, s.Size().Numbers)
}

// While readers count, close and open shards, every packet and byte is in
// exactly one Reset or in the last Read.
func TestConcurrentResetsLoseNothing(t *testing.T) {
	const readers, each, rules = 4, 30000, 5
	s := NewSet(Options{})
	var nums []uint32
	for range rules {
		nums = append(nums, s.New())
	}
	var counting, resetting sync.WaitGroup
	done := make(chan struct{})
	for range readers {
		counting.Go(func() {
			sh := s.Shard()
			for k := range each {
				sh.Count(nums[k%rules], 3)
				if k%1000 == 999 {
					sh.Close()
					sh = s.Shard()
				}
			}
			sh.Close()
		})
	}
	var taken [rules]Counts
	resetting.Go(func() {
		for {
			for i, n := range nums {
				c := s.Reset(n)
				taken[i].Packets += c.Packets
				taken[i].Bytes += c.Bytes
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	counting.Wait()
	close(done)
	resetting.Wait()
	for i, n := range nums {
		c := s.Read(n)
		require.EqualValues(t, readers*each/rules, taken[i].Packets+c.Packets)
		require.EqualValues(t, readers*each/rules*3, taken[i].Bytes+c.Bytes)
	}
}

func TestPacketsWithTheirTimeAreCountedOnEveryPage(t *testing.T) {
	s := NewSet(Options{Tick: -1})
	sh := s.Shard()
	var numbers []uint32
	for range 5*pageLen + 7 {
		numbers = append(numbers, s.New())
	}
	sh.Close()
	sh = s.Shard()
	for i, n := range numbers {
		sh.CountAt(n, uint64(i), second(int64(i+1)))
	}
	for i, n := range numbers {
		got := s.Read(n)
		require.Equal(t, [2]uint64{1, uint64(i)}, [2]uint64{got.Packets, got.Bytes})
		require.Equal(t, second(int64(i+1)), got.Last)
	}
}
