package tree

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

func TestReferencesKeepWhatIsPutIntoThem(t *testing.T) {
	r := tableRef(1<<31-1, 128, 31, 18)
	require.True(t, r.isTable() && !r.isInterval() && !r.isLeaf())
	require.Equal(t, []uint32{1<<31 - 1, 128, 31, 18}, []uint32{r.offset(), r.word(), r.shift(), r.bits()})
	require.False(t, r.hasSpan())
	require.True(t, r.withSpan().hasSpan())
	require.Equal(t, r.word(), r.withSpan().word())

	r = intervalRef(7, 128)
	require.True(t, !r.isTable() && r.isInterval() && !r.isLeaf() && !r.hasSpan())
	require.Equal(t, []uint32{7, 128}, []uint32{r.offset(), r.word()})

	r = leafRef(9, maxRows, formSparse, maxClasses-1)
	require.True(t, !r.isTable() && !r.isInterval() && r.isLeaf() && !r.hasSpan() && !r.isEmpty())
	require.Equal(t, []uint32{9, maxRows, maxClasses - 1}, []uint32{r.offset(), r.rows(), r.class()})
	require.Equal(t, formSparse, r.form())
	require.True(t, Ref(0).isEmpty() && Ref(0).isLeaf())
}

func TestFindCountsTheBoundsBelow(t *testing.T) {
	var l line
	for i := range l {
		l[i] = ^uint32(0)
	}
	require.Zero(t, l.find(0))
	require.Zero(t, l.find(^uint32(0)))
	copy(l[:], []uint32{0, 9, 10, 1<<32 - 2})
	for x, want := range map[uint32]uint32{0: 0, 1: 1, 9: 1, 10: 2, 11: 3, 1<<32 - 2: 3, 1<<32 - 1: 4} {
		require.Equal(t, want, l.find(x), "value %d", x)
	}
	for i := range intervalBounds {
		l[i] = uint32(i) * 10
	}
	for i := range uint32(intervalBounds) {
		require.Equal(t, i, l.find(i*10))
		require.Equal(t, i+1, l.find(i*10+1))
	}
}

func TestPickedBoundsAreDistinctAndAscending(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		edges := make([]uint32, 1+r.IntN(100))
		top := 1 + r.IntN(60)
		for i := range edges {
			edges[i] = uint32(r.IntN(top))
		}
		sorted := append([]uint32(nil), edges...)
		for i := range sorted {
			for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
				sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
			}
		}
		got := pickBounds(sorted)
		require.NotEmpty(t, got)
		require.LessOrEqual(t, len(got), intervalBounds)
		for i, x := range got {
			require.Contains(t, edges, x)
			if i > 0 {
				require.Less(t, got[i-1], x)
			}
		}
	}
}

// Splitting deals every entry to every run that it touches, and to no other.
func TestSplitDealsEntriesToTheSlotsTheyTouch(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 300 {
		c := cut{kind: cutTable, hull: lower.Span{Lo: 0x100, Hi: 0x1ff}, shift: 4, bits: 4, keep: 1 + r.IntN(4)}
		spans := make([]lower.Span, 1+r.IntN(40))
		entries := make([]int32, len(spans))
		for i := range spans {
			a, b := 0x100+uint32(r.IntN(256)), 0x100+uint32(r.IntN(256))
			spans[i] = lower.Span{Lo: min(a, b), Hi: max(a, b)}
			if r.IntN(4) == 0 {
				spans[i] = lower.Span{Lo: 0, Hi: 0x1000}
			}
			entries[i] = int32(i)
		}
		b := NewBuilder(context.Background(), Config{})
		p, ok := b.split(entries, spans, c, float64(16*len(entries)), true)
		if !ok {
			continue
		}
		total := len(p.span)
		where := map[int32][]uint32{}
		empty := 0
		for i, run := range p.runs {
			require.Less(t, run.first, run.end)
			if i > 0 {
				require.Equal(t, p.runs[i-1].end, run.first)
				require.True(t, slices.ContainsFunc(p.some, func(e int32) bool {
					lo, hi := c.slots(spans[e])
					return lo == run.first || hi+1 == run.first
				}), "a run ends where an entry begins or ends")
			}
			for _, e := range run.own {
				for x := run.first; x < run.end; x++ {
					where[e] = append(where[e], x)
				}
			}
			if len(run.own) > 0 {
				total += len(run.own) + len(p.every)
			} else {
				empty = len(p.every)
			}
		}
		require.Equal(t, p.total, total+empty)
		for _, e := range entries {
			lo, hi := c.slots(spans[e])
			var want []uint32
			for x := lo; x <= hi; x++ {
				want = append(want, x)
			}
			switch {
			case contains(p.span, e), contains(p.every, e):
				require.Empty(t, where[e])
			default:
				require.Equal(t, want, where[e])
			}
		}
	}
}

func contains(list []int32, e int32) bool {
	for _, x := range list {
		if x == e {
			return true
		}
	}
	return false
}

// A rule hidden only where a field is present is not hidden where it is not.
func TestARuleIsNotHiddenByOneThatNeedsMoreFields(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 8}, rules.Field{Name: "b", Bits: 8})
	conds := [][]rules.Cond{{s.Present(0)}, {}}
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: 2, Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30)
	require.NoError(t, err)
	b := NewBuilder(context.Background(), Config{})
	b.Grow(boxes, 0)
	root, err := b.Root(nil, nil)
	require.NoError(t, err)
	tree := b.Tree()
	k := s.NewKey()
	require.EqualValues(t, 0, tree.First(root, k))
	s.SetAbsent(k, 0)
	require.EqualValues(t, 1, tree.First(root, k))
}

// The bound on the stack of a lookup rests on the depth of the tree.
func TestNoPathIsDeeperThanTheStack(t *testing.T) {
	s := rules.IPv4Tuple
	r := rand.New(rand.NewPCG(3, 1))
	const n = 4000
	conds := make([][]rules.Cond, n)
	for i := range conds {
		for f := range 4 {
			m := s.Field(f).Max().Lo
			a, b := r.Uint64N(m), r.Uint64N(m)
			conds[i] = append(conds[i], rules.In(f, rules.Span(min(a, b), max(a, b))))
		}
	}
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: n, Conds: func(i int) []rules.Cond { return conds[i] }}, 1<<30)
	require.NoError(t, err)
	b := NewBuilder(context.Background(), Config{LeafRows: 1, Replication: 40, bucketRows: n})
	b.Grow(boxes, 0)
	root, err := b.Root(nil, nil)
	require.NoError(t, err)
	tree := b.Tree()
	deepest := 0
	var walk func(ref Ref, spans int)
	walk = func(ref Ref, spans int) {
		deepest = max(deepest, spans)
		switch {
		case ref.isTable():
			off := ref.offset()
			for i := range uint32(1) << ref.bits() {
				below := spans
				if ref.hasSpan() {
					below++
				}
				walk(Ref(tree.slots[off+i]), below)
			}
			if ref.hasSpan() {
				walk(Ref(tree.slots[off-1]), spans)
			}
		case ref.isInterval():
			l := &tree.lines[ref.offset()]
			for i := range uint32(intervalBounds + 1) {
				walk(Ref(tree.slots[l[intervalBounds]+i]), spans)
				if i < intervalBounds && l[i] == ^uint32(0) {
					break
				}
			}
		}
	}
	walk(root, 0)
	require.Greater(t, deepest, 1)
	require.LessOrEqual(t, deepest, maxPending)
}

// Where the stack of a lookup would be full but for the place of a chain, nodes
// have no spans.
func TestNodesBelowManySpansHaveNone(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 32})
	const n = 256
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: n, Conds: func(i int) []rules.Cond {
		return []rules.Cond{rules.In(i%2, rules.Span(uint64(i), uint64(i)))}
	}}, 1<<30)
	require.NoError(t, err)
	for _, live := range []bool{false, true} {
		most := maxPending - 1
		if live {
			most = maxPending - 3 // edits need two
		}
		for pending, want := range map[int]bool{0: true, most - 1: true, most: false, maxPending: false} {
			b := NewBuilder(context.Background(), Config{Live: live})
			b.Grow(boxes, 0)
			b.pending = pending
			root, err := b.Root(nil, nil)
			require.NoError(t, err)
			require.Equal(t, want, root.hasSpan(), "%d spans wait", pending)
			require.Equal(t, pending, b.pending)
		}
	}
}

// A leaf of few columns per row stores those only.
func TestSparseLeavesHoldOnlyTheColumnsOfTheirRows(t *testing.T) {
	fields := make([]rules.Field, 16)
	for i := range fields {
		fields[i] = rules.Field{Name: string(rune('a' + i)), Bits: 32}
	}
	s := rules.MustSchema(fields...)
	boxes, err := lower.Lower(context.Background(), s, lower.Source{Len: 16, Conds: func(i int) []rules.Cond {
		return []rules.Cond{rules.In(i, rules.Span(5, 9))}
	}}, 1<<30)
	require.NoError(t, err)
	b := NewBuilder(context.Background(), Config{LeafRows: 16})
	b.Grow(boxes, 0)
	root, err := b.Root(nil, nil)
	require.NoError(t, err)
	require.Equal(t, formSparse, root.form())
	tree := b.Tree()
	require.Len(t, tree.rows, 16*5/blockWords)
	for i := range 16 {
		for x, want := range map[uint64]uint32{4: NoMatch, 5: uint32(i), 9: uint32(i), 10: NoMatch} {
			k := s.NewKey()
			s.Set(k, i, rules.U64(x))
			require.Equal(t, want, tree.First(root, k))
			require.Equal(t, NoMatch, tree.FirstFrom(root, k, uint32(i)+1))
		}
	}
}
