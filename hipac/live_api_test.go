package hipac_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// port returns a rule for a port.
func port(n int) rules.Rule[int] {
	return rules.Rule[int]{Conds: []rules.Cond{rules.In(3, rules.Point(uint64(n)))}, Value: n}
}

func portKey(n int) rules.Key {
	k := rules.Tuple4{DstPort: uint16(n), Proto: 6}.Key()
	return k[:]
}

func newPorts(t *testing.T, n int, opts *hipac.LiveOptions) *hipac.Live[int] {
	t.Helper()
	var list []rules.Rule[int]
	for i := range n {
		list = append(list, port(i))
	}
	l, err := rules.NewList(rules.IPv4Tuple, list...)
	require.NoError(t, err)
	live, err := hipac.NewLive(context.Background(), l, opts)
	require.NoError(t, err)
	return live
}

func TestErrorsOfEditsLeaveTheTransactionAsItWas(t *testing.T) {
	live := newPorts(t, 20, nil)
	tx := live.Begin()
	defer tx.Rollback()
	_, err := tx.InsertAt(21, port(1))
	require.ErrorIs(t, err, hipac.ErrPosition)
	require.EqualError(t, err, "position out of range: 21, want 0 to 20")
	_, err = tx.InsertAt(-1, port(1))
	require.ErrorIs(t, err, hipac.ErrPosition)
	_, err = tx.At(20)
	require.ErrorIs(t, err, hipac.ErrPosition)
	require.ErrorIs(t, tx.MoveTo(1, 20), hipac.ErrPosition)
	for _, err := range []error{
		tx.Delete(99), tx.MoveTo(99, 0), tx.MoveBefore(99, 1), tx.MoveAfter(1, 99), tx.Replace(99, port(1)),
		second(tx.InsertBefore(99, port(1))), second(tx.InsertAfter(99, port(1))), second(tx.Position(99)), second(tx.Rule(99)),
	} {
		require.ErrorIs(t, err, hipac.ErrNoRule)
		require.EqualError(t, err, "no such rule: 99")
	}
	r := port(1)
	r.ID = 7
	_, err = tx.Append(r)
	require.ErrorIs(t, err, rules.ErrDuplicateID)
	bad := rules.Rule[int]{Conds: []rules.Cond{rules.In(3, rules.Point(1<<20))}}
	_, err = tx.Append(bad)
	require.ErrorContains(t, err, "does not fit 16 bits")
	require.ErrorContains(t, tx.Replace(1, bad), "does not fit 16 bits")
	require.Equal(t, 20, tx.Len())
	require.NoError(t, tx.Commit(context.Background()))
	require.Zero(t, live.Snapshot().Version(), "nothing was changed")
	require.ErrorIs(t, tx.Commit(context.Background()), hipac.ErrDone)
	require.ErrorIs(t, tx.Delete(1), hipac.ErrDone)
	require.ErrorIs(t, tx.Flush(), hipac.ErrDone)
	require.ErrorIs(t, second(tx.Append(port(1))), hipac.ErrDone)
	require.Zero(t, tx.Len())
}

func second[A any](_ A, err error) error { return err }

func TestATransactionBeyondALimitChangesNothing(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		opts hipac.LiveOptions
		want error
		text string
	}{
		"rules":  {hipac.LiveOptions{Limits: rules.Limits{MaxRules: 110}}, rules.ErrLimit, "limit exceeded: 200 rules, at most 110"},
		"memory": {hipac.LiveOptions{Limits: rules.Limits{MaxMemory: 30_000}}, rules.ErrLimit, "bytes of memory, at most 30000"},
		"tree":   {hipac.LiveOptions{MemoryLimit: 20_000}, hipac.ErrMemoryLimit, "memory limit exceeded: 20000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			live := newPorts(t, 100, &c.opts)
			before := live.Snapshot()
			add := func(n int) error {
				return live.Edit(ctx, func(tx *hipac.Tx[int]) error {
					for i := range n {
						if _, err := tx.InsertAt(i, rules.Rule[int]{Conds: []rules.Cond{rules.In(0, rules.Point(uint64(i*977+1)))}}); err != nil {
							return err
						}
					}
					return nil
				})
			}
			n := 100
			if name == "tree" {
				n = 3000
			}
			err := add(n)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Same(t, before, live.Snapshot())
			require.NoError(t, add(5), "small ones go on")
			require.Equal(t, 105, live.Snapshot().Len())
			for i := range 100 {
				m, ok := live.Lookup(portKey(i))
				require.True(t, ok)
				require.Equal(t, rules.ID(i+1), m.ID)
			}
		})
	}
	_, err := hipac.NewLive(ctx, live100(t), &hipac.LiveOptions{Limits: rules.Limits{MaxRules: 50}})
	require.ErrorIs(t, err, rules.ErrLimit)
}

func live100(t *testing.T) *rules.List[int] { return newPorts(t, 100, nil).Snapshot().List() }

func TestDryRunsSayWhatATransactionWouldChangeAndChangeNothing(t *testing.T) {
	live := newPorts(t, 100, nil)
	before := live.Snapshot()
	c, err := live.DryRun(context.Background(), func(tx *hipac.Tx[int]) error {
		for i := range 5 {
			if _, err := tx.Append(port(1000 + i)); err != nil {
				return err
			}
		}
		require.NoError(t, tx.Delete(1))
		require.NoError(t, tx.Replace(2, port(5000)))
		return tx.MoveTo(3, 50)
	})
	require.NoError(t, err)
	require.Equal(t, hipac.Change{Inserted: 5, Deleted: 1, Replaced: 1, Moved: 1, Rules: 104, Bytes: c.Bytes}, c)
	require.Positive(t, c.Bytes)
	require.Same(t, before, live.Snapshot())
	for i := range 100 {
		m, ok := live.Lookup(portKey(i))
		require.True(t, ok)
		require.Equal(t, rules.ID(i+1), m.ID)
	}
	c, err = live.DryRun(context.Background(), func(tx *hipac.Tx[int]) error { return tx.Flush() })
	require.NoError(t, err)
	require.Equal(t, 100, c.Deleted)
	require.Negative(t, c.Bytes)
	require.Equal(t, 100, live.Snapshot().Len())
}

func TestATransactionThatPanicsIsRolledBack(t *testing.T) {
	live := newPorts(t, 30, nil)
	require.Panics(t, func() {
		_ = live.Edit(context.Background(), func(tx *hipac.Tx[int]) error {
			require.NoError(t, tx.Flush())
			panic("no")
		})
	})
	require.Equal(t, 30, live.Snapshot().Len())
	require.NoError(t, live.Edit(context.Background(), func(tx *hipac.Tx[int]) error { return tx.Delete(1) }))
	_, ok := live.Lookup(portKey(0))
	require.False(t, ok)
}

func TestACommitWhoseContextHasEndedChangesNothing(t *testing.T) {
	live := newPorts(t, 2000, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := live.Edit(ctx, func(tx *hipac.Tx[int]) error {
		for i := range 1500 {
			if err := tx.Delete(rules.ID(i + 1)); err != nil {
				return err
			}
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	for _, f := range []func(tx *hipac.Tx[int]) error{
		func(tx *hipac.Tx[int]) error { return tx.Flush() },
		func(tx *hipac.Tx[int]) error { return tx.Delete(4) },
	} {
		require.ErrorIs(t, live.Edit(ctx, f), context.Canceled)
	}
	require.Equal(t, 2000, live.Snapshot().Len())
	_, ok := live.Lookup(portKey(3))
	require.True(t, ok)
}

func TestRulesHiddenByADeletedOneComeBack(t *testing.T) {
	// Everything, then two rules that it hides, one of which hides the other.
	live := newPorts(t, 100, nil)
	ctx := context.Background()
	var all rules.ID
	require.NoError(t, live.Edit(ctx, func(tx *hipac.Tx[int]) (err error) {
		all, err = tx.InsertAt(0, rules.Rule[int]{Value: -1})
		return err
	}))
	m, _ := live.Lookup(portKey(7))
	require.Equal(t, -1, m.Value)
	require.NoError(t, live.Edit(ctx, func(tx *hipac.Tx[int]) error { return tx.Delete(all) }))
	for i := range 100 {
		m, ok := live.Lookup(portKey(i))
		require.True(t, ok)
		require.Equal(t, i, m.Value)
	}
}

func TestLookupsOfLiveListsDoNotAllocate(t *testing.T) {
	for _, n := range []int{5, 500} {
		for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPTuple, mixed} {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			pool := pools(r, s)
			live, err := hipac.NewLive(context.Background(), randomList(r, s, n, pool), &hipac.LiveOptions{Counters: true})
			require.NoError(t, err)
			reader := live.Reader()
			k := s.NewKey()
			keys, ids := make([]uint32, 100*len(k)), make([]rules.ID, 100)
			for name, f := range map[string]func(){
				"lookup": func() { live.Lookup(k) },
				"batch":  func() { live.LookupBatch(keys, ids) },
				"reader": func() { reader.Lookup(k, 100) },
				"tuple":  func() { live.LookupTuple(rules.Tuple{}) },
				"packet": func() { live.LookupPacket(&packet.Packet{}) },
			} {
				least := allocsPerRun(50, func() {
					randomKey(r, s, pool, k)
					f()
				})
				require.Zero(t, least, "%s, %d rules", name, n)
			}
		}
	}
}

// allocsPerRun is testing.AllocsPerRun without what other goroutines allocate
// meanwhile: lists of other tests tidy up behind themselves.
func allocsPerRun(runs int, f func()) float64 {
	least := math.Inf(1)
	for try := 0; try < 20 && least > 0; try++ {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}

// heapNow returns the bytes in use after a collection.
func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryReturnsAfterAddingAndDeletingEverything(t *testing.T) {
	ctx := context.Background()
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: 5000, Seed: 1})
	require.NoError(t, err)
	empty, err := rules.NewList[string](l.Schema())
	require.NoError(t, err)
	live, err := hipac.NewLive(ctx, empty, &hipac.LiveOptions{Counters: true})
	require.NoError(t, err)
	grow := func() {
		for i := range l.Len() {
			require.NoError(t, live.Edit(ctx, func(tx *hipac.Tx[string]) error {
				r := *l.At(l.Len() - 1 - i)
				r.ID = 0
				_, err := tx.InsertAt(0, r)
				return err
			}))
		}
	}
	shrink := func() {
		for live.Snapshot().Len() > 0 {
			require.NoError(t, live.Edit(ctx, func(tx *hipac.Tx[string]) error { return tx.Delete(live.Snapshot().At(0).ID) }))
		}
	}
	settled := func() uint64 {
		h := heapNow()
		for range 40 { // work in the background ends by itself
			time.Sleep(50 * time.Millisecond)
			if n := heapNow(); n >= h-h/100 && n <= h+h/100 {
				return n
			} else {
				h = n
			}
		}
		return h
	}
	grow()
	shrink()
	before := settled()
	grow()
	full := live.Snapshot().Bytes()
	shrink()
	after := settled()
	require.Less(t, live.Snapshot().Bytes(), int64(200))
	require.Positive(t, full)
	require.Less(t, after, before+uint64(full)/10, fmt.Sprintf("of %d bytes", full))
	runtime.KeepAlive(live)
}
