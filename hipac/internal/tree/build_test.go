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

// Tables of live trees are of two levels: slot by slot they are what one would be.
func TestTwoLevelsAreOneTable(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, bits := range []int{8, 9, maxLiveTabBits} {
		for kind := range 5 {
			slots := make([]uint64, 1<<bits)
			for i := range slots {
				switch kind {
				case 1: // the last slot of each second table differs
					slots[i] = uint64(i>>(bits/2)+1)<<40 + uint64((i+1)&(1<<(bits/2)-1))/(1<<(bits/2)-1)
				case 2: // the first does
					slots[i] = uint64(min(i&(1<<(bits/2)-1), 1) + 1)
				case 3: // all of few values
					slots[i] = uint64(1 + i>>(bits/2)&1)
				case 4:
					slots[i] = r.Uint64N(3)
				}
			}
			span := kind%2 == 0
			b := NewBuilder(context.Background(), Config{Live: true})
			b.tree.slots = []uint64{7, 7, 7}
			ref := b.twoLevels(slots, 3, 9, bits, span)
			require.EqualValues(t, 3, ref.word())
			low := ref.shift() - 9
			require.EqualValues(t, bits, ref.bits()+low)
			if span {
				require.Equal(t, []uint64{0, 0}, b.tree.slots[ref.offset()-2:ref.offset()])
			}
			for i, want := range slots {
				second := Ref(b.tree.slots[ref.offset()+uint32(i)>>low])
				if second != tableRef(int(second.offset()), 3, 9, int(low)) {
					require.Failf(t, "second table", "slot %d: %x", i, second)
				}
				if got := b.tree.slots[second.offset()+uint32(i)&(1<<low-1)]; got != want {
					require.Failf(t, "slot", "bits %d, kind %d, slot %d: %d instead of %d", bits, kind, i, got, want)
				}
			}
			require.Equal(t, []uint64{7, 7, 7}, b.tree.slots[:3])
			written := map[uint64]bool{}
			for _, second := range b.tree.slots[ref.offset():][:1<<ref.bits()] {
				written[second] = true
			}
			if kind == 3 {
				require.Len(t, written, 2, "tables of one reference throughout are written once")
			}
		}
	}
}

// A span of one rule has its room as one of many has.
func TestOneWideRuleBesideManyNarrowOnes(t *testing.T) {
	s := rules.IPv4Tuple
	for _, live := range []bool{false, true} {
		for _, at := range []int{0, 150, 300} {
			var conds [][]rules.Cond
			for i := range 301 {
				c := is(0, uint64(i)<<8)
				if i == at {
					c = is(4, 6)
				}
				conds = append(conds, []rules.Cond{c})
			}
			tree, root := compile(t, s, conds, Config{Live: live, LeafRows: 2})
			tree.asker = everything{}
			for i := range uint64(301) {
				for proto := uint64(5); proto < 7; proto++ {
					key := s.NewKey()
					s.Set(key, 0, rules.U64(i<<8))
					s.Set(key, 4, rules.U64(proto))
					want := NoMatch
					if got := matching(s, conds, key); len(got) > 0 {
						want = got[0]
					}
					require.Equal(t, want, tree.First(root, key), "live %v, wide rule %d, value %d", live, at, i)
				}
			}
		}
	}
}

// everything lets all rules pass whose boxes hold the key.
type everything struct{}

func (everything) Holds(uint32, bool, []uint32) bool { return true }

func TestATreeOfNoRulesMatchesNothing(t *testing.T) {
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.Firewall, rules.MustSchema(rules.Field{Name: "a", Bits: 3})} {
		tree, root := compile(t, s, nil, Config{KeepHidden: true})
		require.Empty(t, tree.classes)
		key := s.NewKey()
		require.Equal(t, NoMatch, tree.First(root, key))
		require.Equal(t, NoMatch, tree.FirstFrom(root, key, 0))
		require.Empty(t, tree.All(root, key, nil))
		require.Equal(t, Work{}, tree.Bound(root))
		require.Equal(t, s == rules.IPv4Tuple, tree.Plain())
	}
}
