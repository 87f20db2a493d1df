package tree

// What lookups are reckoned to cost, which decides between cuts and buckets.

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/rules"
)

func TestANodeCostsTheMeanOfItsChildrenByTheirEntries(t *testing.T) {
	var s costSum
	require.Equal(t, cost{2, 2}, s.under(2), "no children")
	s.add(cost{2, 3}, 1)
	s.add(cost{4, 9}, 3)
	s.add(cost{4, 5}, 0)
	require.Equal(t, cost{1.5 + 3.5, 1.5 + 9}, s.under(1.5))
	require.Equal(t, cost{1 + spanCost + 10, 2 + spanCost + 20}, cost{1, 2}.beside(cost{10, 20}))
	require.Equal(t, cost{enterCost + 5*rowCost, enterCost + 5*rowCost}, costOfRows(5))
}

// is asks for one value of a field.
func is(field int, x uint64) rules.Cond {
	return rules.In(field, rules.Interval{Lo: rules.U64(x), Hi: rules.U64(x)})
}

func TestABucketCostsItsConstrainedWords(t *testing.T) {
	s := rules.IPv4Tuple
	last := s.Len() - 1
	conds := make([][]rules.Cond, 126)
	for i := range conds { // all ask for the first field, the last one also for the last
		conds[i] = []rules.Cond{is(0, uint64(i))}
	}
	conds[125] = append(conds[125], is(last, 6))
	b, boxes := grow(t, s, conds, Config{})
	_, err := b.Root(nil, nil)
	require.NoError(t, err)
	for _, c := range []struct{ entries, dims int }{{126, 2}, {125, 1}, {63, 1}} {
		list := make([]int32, c.entries)
		for i := range list {
			list[i] = int32(i)
		}
		require.LessOrEqual(t, c.entries, boxes.Len())
		open, words := bucketDimCost*float64(c.dims), float64(c.dims*c.entries)/63
		got := b.costOfBucket(list)
		require.InDelta(t, open+bucketMeanCost*words, got.mean, 1e-9)
		require.InDelta(t, open+bucketWordCost*words, got.worst, 1e-9)
	}
}

func TestWorkGrowsWithTheRowsAndThenByHalving(t *testing.T) {
	cfg := Config{}.orDefault()
	var p planner
	p.init(&cfg)
	require.InDelta(t, leafCost, p.work(0), 1e-9)
	require.InDelta(t, leafCost+8*rowCost, p.work(8), 1e-9)
	require.InDelta(t, leafCost+8*rowCost+2*workSlope, p.work(32), 1e-9)
	for _, n := range []int32{0, 1, 8, 9, 63, 64, 65, 1000} {
		require.InDelta(t, float64(n)*p.work(int(n)), p.sum(n), 1e-9)
	}
	require.InDelta(t, leafCost+0.5*rowCost, p.mean(4, 8), 1e-9)
	require.InDelta(t, leafCost+8*rowCost, p.mean(64, 8), 1e-9)
	require.InDelta(t, p.work(16), p.mean(64, 4), 1e-9)
	require.Equal(t, maxTabBits, p.tableBits)
	cfg.Live = true
	p.init(&cfg)
	require.Equal(t, maxLiveTabBits, p.tableBits)
}

func TestThePlanOfSeparateRulesIsATableOfTheirBits(t *testing.T) {
	s := rules.IPv4Tuple
	var conds [][]rules.Cond
	for i := range 64 { // 10.0.i.0/24, which 6 bits tell apart
		conds = append(conds, []rules.Cond{rules.In(0, rules.PrefixInterval(rules.U64(uint64(10<<24|i<<8)), 24, 32))})
	}
	b, _ := grow(t, s, conds, Config{LeafRows: 1})
	ref, err := b.Root(nil, nil)
	require.NoError(t, err)
	require.True(t, ref.isTable() && !ref.hasSpan())
	require.EqualValues(t, 6, ref.bits())
	require.EqualValues(t, 8, ref.shift())
	tree := b.Tree()
	require.Len(t, tree.slots, 64)
	require.Len(t, tree.rows, 64)
	require.Len(t, tree.classes, 1)
	require.Equal(t, Work{Steps: 1, Leaves: 1, Rows: 1}, tree.Bound(ref))
}

func TestBoundsAreThoseOfTheWorstPath(t *testing.T) {
	// A table of two slots, with a span: a leaf of 3 rows, an interval node of two
	// leaves of 5 and 2 rows, and in the span a leaf of 4.
	var l line
	for i := range l {
		l[i] = ^uint32(0)
	}
	l[0], l[intervalBounds] = 7, 4
	leaf := func(n int) uint64 { return uint64(leafRef(0, n, formShort, 0)) }
	tree := &Tree{slots: []uint64{0, leaf(4), leaf(3), uint64(intervalRef(0, 3)), leaf(2), leaf(5), leaf(9)}, lines: []line{l}}
	require.Equal(t, Work{Steps: 2, Leaves: 2, Spans: 1, Rows: 9}, tree.Bound(tableRef(2, 1, 31, 1).withSpan()))
	require.Equal(t, Work{Steps: 1, Leaves: 1, Rows: 3 + 2}, tree.Bound(intervalRef(0, 3)))
	require.Equal(t, Work{}, tree.Bound(0))
	for i := range intervalBounds { // all 16 intervals are looked at
		l[i] = uint32(i)
	}
	tree.lines[0] = l
	tree.slots = slices.Grow(tree.slots[:4], 16)
	for i := range 16 {
		tree.slots = append(tree.slots, leaf(i+1))
	}
	require.Equal(t, Work{Steps: 1, Leaves: 1, Rows: 16}, tree.Bound(intervalRef(0, 3)))
}

func TestTheBoundOfABucketIsThatOfItsBitmaps(t *testing.T) {
	s := rules.IPv4Tuple
	tree, root := compile(t, s, hostile{schema: s, conds: crossing}.make(1000), Config{})
	require.Equal(t, formBucket, root.form())
	require.EqualValues(t, 1, root.rows(), "a bucket counts as one row")
	b := bitvec.Bound(tree.slots, root.offset())
	require.Equal(t, Work{Leaves: 1, Words: b.Words, Candidates: min(b.Failed+1, 1000)}, tree.Bound(root))
	require.Less(t, b.Failed, int64(math.MaxInt32))
}
