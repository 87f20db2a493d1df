package tree

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

func TestTheZeroConfigHasTheDocumentedDefaults(t *testing.T) {
	require.Equal(t, Config{
		LeafRows: 8, Replication: 4, MaxBytes: 1 << 34, bucketRows: 160,
		parallelRows: 50_000, forkRows: 1 << 14, taskRows: 1 << 11,
	}, Config{}.orDefault())
	set := Config{LeafRows: 1, Replication: 1, MaxBytes: 1, bucketRows: 1, parallelRows: 1, forkRows: 2, taskRows: 3, Workers: 4, KeepHidden: true}
	require.Equal(t, set, set.orDefault(), "what is set stays")
	require.Equal(t, 1, Config{LeafRows: -5}.orDefault().LeafRows)
	require.Equal(t, chainRows, Config{LeafRows: 1 << 20}.orDefault().LeafRows)
	require.True(t, Config{Live: true}.orDefault().KeepHidden)
	require.False(t, Config{}.orDefault().KeepHidden)
}

// There are 65,536 numbers for what rules want; a tree whose rules want more
// different fields than that keeps them by rank.
func TestRulesKeepTheirNeedsWhenTheNumbersRunOut(t *testing.T) {
	const n = 300
	r := rand.New(rand.NewPCG(3, 3))
	boxes := &lower.Boxes{}
	want := map[uint32]uint32{}
	for i := range n {
		boxes.Rank = append(boxes.Rank, uint32(2*i)) // every other rank has no entry
		boxes.Need = append(boxes.Need, 1+r.Uint32N(100))
		boxes.Inexact, boxes.Hides = append(boxes.Inexact, false), append(boxes.Hides, false)
		want[uint32(2*i)] = boxes.Need[i]
	}
	for _, room := range []int{1 << 16, 40, 1, 0} {
		b := NewBuilder(context.Background(), Config{})
		for len(b.tree.needs) < math.MaxUint16+1-room {
			b.tree.needs = append(b.tree.needs, uint32(len(b.tree.needs))<<8)
		}
		b.Grow(boxes, 0)
		require.Equal(t, room < 100, b.tree.wants == nil)
		for rank, need := range want {
			require.Equal(t, need, b.tree.need(rank), "room %d rank %d", room, rank)
		}
		// The next set begins behind the ranks of this one.
		b.Grow(boxes, 2*n)
		for rank, need := range want {
			require.Equal(t, need, b.tree.need(rank))
			require.Equal(t, need, b.tree.need(rank+2*n))
		}
	}
}

func TestLeavesHaveAllColumnsWhenTheseFitAShortRow(t *testing.T) {
	word := func(wide bool) lower.Dim {
		if wide {
			return lower.Dim{Full: lower.Span{Hi: math.MaxUint32}}
		}
		return lower.Dim{Full: lower.Span{Hi: math.MaxUint16}}
	}
	for _, c := range []struct {
		wide, narrow int
		want         bool
	}{{0, 0, true}, {2, 3, true}, {0, 3, true}, {2, 0, true}, {1, 3, true}, {3, 0, false}, {3, 3, false}, {2, 4, false}, {0, 4, false}} {
		b := &Builder{}
		for range c.wide {
			b.dims = append(b.dims, word(true))
		}
		for range c.narrow {
			b.dims = append(b.dims, word(false))
		}
		got := b.shortColumns()
		require.Equal(t, c.want, got != nil, "%+v", c)
		if c.want {
			require.Len(t, got, c.wide+c.narrow)
		}
	}
}

func TestABuildLeavesNoGoroutineBehind(t *testing.T) {
	h := hostile{schema: rules.IPv4Tuple, conds: sites}
	before := runtime.NumGoroutine()
	for range 4 {
		compile(t, h.schema, h.make(500), Config{Workers: 4, parallelRows: 1, forkRows: 50, taskRows: 20})
	}
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		require.Less(t, tries, 5000, "goroutines are left")
		time.Sleep(time.Millisecond)
	}
}

func TestARootOfFixedWordsHasTheEntriesOfTheirValuesAlone(t *testing.T) {
	s := rules.IPv4Tuple
	var conds [][]rules.Cond
	for i := range 60 {
		conds = append(conds, []rules.Cond{is(0, uint64(i%3)), is(4, uint64(i%5))})
	}
	b, _ := grow(t, s, conds, Config{KeepHidden: true})
	for value := range uint32(5) {
		for src := range uint32(3) {
			root, err := b.Root([]Fixed{{Word: 1, Value: src}, {Word: 5, Value: value}}, nil)
			require.NoError(t, err)
			require.True(t, root.isLeaf(), "equal boxes are a leaf")
			require.EqualValues(t, 4, root.rows())
		}
	}
	root, err := b.Root([]Fixed{{Word: 1, Value: 9}}, nil)
	require.NoError(t, err)
	require.True(t, root.isEmpty())
	root, err = b.Root(nil, func(entry int) bool { return entry == 59 })
	require.NoError(t, err)
	require.EqualValues(t, 1, root.rows())
	require.EqualValues(t, 59, b.Tree().First(root, []uint32{0, 2, 0, 0, 0, 4}))
}
