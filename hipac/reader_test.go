package hipac_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

func TestCountsAreExactWhenReadersRestAndSurviveEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := rules.IPv4Tuple
	pool := pools(r, s)
	live, err := hipac.NewLive(context.Background(), randomList(r, s, 300, pool), &hipac.LiveOptions{Counters: true})
	require.NoError(t, err)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	counted := make([]map[rules.ID]hipac.Counts, 4)
	for i := range counted {
		counted[i] = map[rules.ID]hipac.Counts{}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			reader := live.Reader()
			if i%2 == 0 {
				defer reader.Close()
			}
			for n := 0; n < 3000; n++ {
				select {
				case <-stop:
					n = 3000
				default:
				}
				k := s.NewKey()
				randomKey(r, s, pool, k)
				// What is executed may change between the two: only the deciding
				// rule is known for sure.
				m, ok := reader.Lookup(k, n)
				if ok {
					c := counted[i][m.ID]
					c.Packets++
					c.Bytes += uint64(n)
					counted[i][m.ID] = c
				}
			}
		})
	}
	// Rules that decide are moved and replaced, others come and go.
	fixed := map[rules.ID]bool{}
	for _, rule := range live.Snapshot().Rules() {
		fixed[rule.ID] = !rule.Continue
	}
	for range 400 {
		require.NoError(t, live.Edit(context.Background(), func(tx *hipac.Tx[int]) error {
			rule, err := tx.At(r.IntN(tx.Len()))
			require.NoError(t, err)
			switch {
			case !fixed[rule.ID]:
				require.NoError(t, tx.Delete(rule.ID))
				_, err = tx.Append(*randomList(r, s, 1, pool).At(0))
				require.ErrorIs(t, err, rules.ErrDuplicateID) // the identity of the list of one
			case r.IntN(2) == 0:
				require.NoError(t, tx.MoveTo(rule.ID, r.IntN(tx.Len())))
			default:
				n := *rule
				n.Value++
				require.NoError(t, tx.Replace(rule.ID, n))
			}
			n := *randomList(r, s, 1, pool).At(0)
			n.ID, n.Continue = 0, true
			_, err = tx.InsertAt(r.IntN(tx.Len()+1), n)
			return err
		}))
	}
	wg.Wait()
	close(stop)
	want := map[rules.ID]hipac.Counts{}
	for _, m := range counted {
		for id, c := range m {
			sum := want[id]
			sum.Packets += c.Packets
			sum.Bytes += c.Bytes
			want[id] = sum
		}
	}
	require.NotEmpty(t, want)
	live.EachCounter(func(rule *rules.Rule[int], c hipac.Counts) bool {
		if rule.Continue {
			return true
		}
		require.Equal(t, want[rule.ID].Packets, c.Packets, "rule %d", rule.ID)
		require.Equal(t, want[rule.ID].Bytes, c.Bytes, "rule %d", rule.ID)
		require.Equal(t, c.Packets == 0, c.Last.IsZero())
		got, err := live.Counters(rule.ID)
		require.NoError(t, err)
		require.Equal(t, c.Packets, got.Packets)
		return true
	})
	_, err = live.Counters(1 << 40)
	require.ErrorIs(t, err, hipac.ErrNoRule)
	for id := range want {
		was, err := live.ResetCounters(id)
		require.NoError(t, err)
		require.Equal(t, want[id].Packets, was.Packets)
		require.NoError(t, live.AddCounters(id, hipac.Counts{Packets: 7}))
		now, err := live.Counters(id)
		require.NoError(t, err)
		require.Equal(t, uint64(7), now.Packets)
	}
	live.ResetAllCounters()
	live.EachCounter(func(rule *rules.Rule[int], c hipac.Counts) bool {
		require.Zero(t, c.Packets)
		return true
	})
}

func TestReadersCountEveryRuleExecuted(t *testing.T) {
	for _, n := range []int{3, 40} { // walked, and with a tree
		r := rand.New(rand.NewPCG(uint64(n), 2))
		pool := pools(r, mixed)
		l := randomList(r, mixed, n, pool)
		live, err := hipac.NewLive(context.Background(), l, &hipac.LiveOptions{Counters: true})
		require.NoError(t, err)
		reader := live.Reader()
		defer reader.Close()
		want := make([]uint64, n)
		for range 2000 {
			k := mixed.NewKey()
			randomKey(r, mixed, pool, k)
			at, ok := l.First(k)
			m, found := reader.Lookup(k, 100)
			require.Equal(t, ok, found)
			if ok {
				require.Equal(t, l.At(at).ID, m.ID)
			}
			for i := range l.Executed(k) {
				want[i]++
			}
		}
		i := 0
		live.EachCounter(func(rule *rules.Rule[int], c hipac.Counts) bool {
			require.Equal(t, want[i], c.Packets, "rule %d of %d", i, n)
			require.Equal(t, 100*want[i], c.Bytes)
			i++
			return true
		})
	}
}

func TestReadersOfListsThatDoNotCountLookUp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	pool := pools(r, mixed)
	l := randomList(r, mixed, 50, pool)
	live, err := hipac.NewLive(context.Background(), l, nil)
	require.NoError(t, err)
	reader := live.Reader()
	defer reader.Close()
	for range 500 {
		k := mixed.NewKey()
		randomKey(r, mixed, pool, k)
		at, ok := l.First(k)
		m, found := reader.Lookup(k, 100)
		require.Equal(t, ok, found)
		if ok {
			require.Equal(t, l.At(at).ID, m.ID)
		}
	}
	_, ok := reader.Lookup(rules.Key{1}, 1)
	require.False(t, ok)
	c, err := live.Counters(1)
	require.NoError(t, err)
	require.Equal(t, hipac.Counts{}, c)
}
