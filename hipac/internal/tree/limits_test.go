package tree

// Limits that a build keeps: of copies, of spans, of time and of memory.

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// askedContext counts how often it is asked.
type askedContext struct {
	context.Context
	times int
	err   error
}

func (c *askedContext) Err() error { c.times++; return c.err }

func TestABuildLooksAtTheClockOnceIn256Nodes(t *testing.T) {
	ctx := &askedContext{Context: context.Background()}
	b := NewBuilder(ctx, Config{})
	for range 1024 {
		require.True(t, b.ok())
	}
	require.Equal(t, 4, ctx.times)
	ctx.err = context.Canceled
	for range 255 {
		require.True(t, b.ok())
	}
	require.False(t, b.ok())
	require.ErrorIs(t, b.err, context.Canceled)
}

func TestABuildThatHasFailedDoesNotGoOn(t *testing.T) {
	b := NewBuilder(context.Background(), Config{})
	b.err = lower.ErrMemory
	for range 1024 {
		require.False(t, b.ok())
	}
	require.Equal(t, lower.ErrMemory, b.err)
}

func TestBuildersOfAPoolKeepItsLimitAndStopWithIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		other int64 // bytes that others take
		stop  bool
		want  error
	}{
		{"room", 0, false, nil},
		{"others take some", 1, false, lower.ErrMemory},
		{"stopped", 0, true, errStopped},
	} {
		b := NewBuilder(context.Background(), Config{})
		b.tree.slots = make([]uint64, 100)
		b.pool = newPool(1, b.tree.used())
		b.pool.live.Add(c.other)
		if c.stop {
			b.pool.stop()
		}
		for range 600 {
			b.ok()
		}
		require.Equal(t, c.want, b.err, c.name)
	}
}

// What tasks take at a time is more than what they leave, which is all that one
// worker takes.
func TestManyWorkersBuildWhateverOneBuilds(t *testing.T) {
	h := hostile{name: "sites", schema: rules.IPv4Tuple, conds: sites}
	conds := h.make(6000)
	build := func(limit int64, workers int) error {
		b, _ := grow(t, h.schema, conds, Config{MaxBytes: limit, LeafRows: 1, parallelRows: 1, forkRows: 500, taskRows: 100, Workers: workers})
		_, err := b.Root(nil, nil)
		return err
	}
	lo, hi := int64(0), int64(4<<20) // the least that is enough for one is above lo
	for hi-lo > 1000 {
		if mid := (lo + hi) / 2; build(mid, 1) == nil {
			hi = mid
		} else {
			lo = mid
		}
	}
	require.Less(t, hi, int64(4<<20))
	for range 5 {
		require.NoError(t, build(hi, 3))
	}
}

// wordBuilder returns a builder for boxes of one word of 16 bits, and all entries.
func wordBuilder(spans []lower.Span, cfg Config) (*Builder, []int32) {
	b := NewBuilder(context.Background(), cfg)
	boxes := &lower.Boxes{Dims: []lower.Dim{{Word: 1, Full: lower.Span{Hi: 0xffff}, Spans: spans}}}
	var entries []int32
	for i := range spans {
		boxes.Rank, boxes.Need = append(boxes.Rank, uint32(i)), append(boxes.Need, 0)
		boxes.Inexact, boxes.Hides = append(boxes.Inexact, false), append(boxes.Hides, true)
		entries = append(entries, int32(i))
	}
	b.Grow(boxes, 0)
	b.reach, b.hull = []lower.Span{{Hi: 0xffff}}, []lower.Span{{Hi: 0xffff}}
	return b, entries
}

func TestAnIntervalNodeMakesNoMoreCopiesThanItMay(t *testing.T) {
	// Into 1, 2, 4, 1 and 3 of the parts, of which the one of four goes to the span.
	spans := []lower.Span{{Lo: 5, Hi: 9}, {Lo: 5, Hi: 10}, {Lo: 0, Hi: 100}, {Lo: 20, Hi: 20}, {Lo: 10, Hi: 30}}
	for extra, want := range map[float64]bool{2.5: false, 3: true, 50: true} {
		b, entries := wordBuilder(spans, Config{LeafRows: 1, KeepHidden: true})
		_, _, ok := b.interval(entries, cut{kind: cutInterval, bounds: []uint32{10, 20, 30}, keep: 3}, extra, 0, maxSpans)
		require.Equal(t, want, ok, "%v copies", extra)
	}
	b, entries := wordBuilder(spans, Config{LeafRows: 1, KeepHidden: true})
	_, _, ok := b.interval(entries, cut{kind: cutInterval, bounds: []uint32{10, 20, 30}, keep: 0}, 1000, 0, maxSpans)
	require.False(t, ok, "a node of which all is in the span")
	require.Empty(t, b.tree.slots)
}

func TestATableMakesNoMoreCopiesThanItMay(t *testing.T) {
	// Into 1, 2, 4 and 1 of 4 slots, the one of all for as many children as there are.
	spans := []lower.Span{{Lo: 0x0005, Hi: 0x0009}, {Lo: 0x0005, Hi: 0x4005}, {Hi: 0xffff}, {Lo: 0x8000, Hi: 0x8000}}
	c := cut{kind: cutTable, hull: lower.Span{Hi: 0xffff}, shift: 14, bits: 2, keep: 2} // up to all slots
	copies := 1 + 2 + 4 + 1 - len(spans)
	for _, spanOK := range []bool{false, true} {
		b, entries := wordBuilder(spans, Config{})
		p, ok := b.split(entries, spans, c, float64(copies), spanOK)
		require.True(t, ok)
		require.Empty(t, p.span)
		p, ok = b.split(entries, spans, c, float64(copies)-0.5, spanOK)
		require.Equal(t, spanOK, ok)
		if spanOK {
			require.Equal(t, []int32{2}, p.span, "the widest goes to the span")
		}
		none := c
		none.keep = -1
		_, ok = b.split(entries, spans, none, 100, spanOK)
		require.False(t, ok, "all would be in the span")
	}
}

// A span below as many as may nest would be one too many for what looks them up.
func TestTablesHaveSpansWhileTheyMayNest(t *testing.T) {
	spans := []lower.Span{{Lo: 0x0005, Hi: 0x0009}, {Lo: 0x0005, Hi: 0x0005}, {Hi: 0xffff}, {Lo: 0x8000, Hi: 0x8000}, {Lo: 0xc000, Hi: 0xcfff}}
	c := cut{kind: cutTable, hull: lower.Span{Hi: 0xffff}, shift: 14, bits: 2, keep: 9}
	for _, live := range []bool{false, true} {
		for may, want := range map[int]bool{0: false, 1: true, 2: true} {
			b, entries := wordBuilder(spans, Config{LeafRows: 1, KeepHidden: true, Live: live})
			ref, _, ok := b.table(entries, c, 0, 0, may)
			require.Equal(t, want, ok, "%d more may nest", may)
			if ok {
				require.True(t, ref.hasSpan())
				tree := b.Tree()
				for x, all := range map[uint32][]uint32{0: {2}, 5: {0, 1, 2}, 9: {0, 2}, 10: {2}, 0x8000: {2, 3}, 0xffff: {2}, 0xc000: {2, 4}} {
					got := tree.All(ref, []uint32{0, x}, nil)
					slices.Sort(got)
					require.Equal(t, all, got, "value %d", x)
				}
			}
		}
	}
}

// One rule that is wide beside many points, which live trees put into a table of two
// levels.
func TestALiveTableOfTwoLevelsHasASpanOfOneRule(t *testing.T) {
	for at := range 3 {
		spans := []lower.Span{}
		for i := range uint32(2000) {
			if int(i) == at*700 {
				spans = append(spans, lower.Span{Hi: 0xffff})
			}
			spans = append(spans, lower.Span{Lo: i * 32, Hi: i * 32})
		}
		c := cut{kind: cutTable, hull: lower.Span{Hi: 0xffff}, shift: 5, bits: 11, keep: 9}
		b, entries := wordBuilder(spans, Config{Live: true, KeepHidden: true})
		ref, _, ok := b.table(entries, c, 10, 0, maxSpans)
		require.True(t, ok)
		require.True(t, ref.hasSpan())
		tree := b.Tree()
		for x := range uint32(0x10000) {
			var want []uint32
			for i, s := range spans {
				if int(x/32) != i && int(x/32)+1 != i && i != at*700 {
					continue
				}
				if s.Lo <= x && x <= s.Hi {
					want = append(want, uint32(i))
				}
			}
			got := tree.All(ref, []uint32{0, x}, nil)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				require.Equal(t, want, got, "value %d", x)
			}
		}
	}
}

func TestChainsHaveEveryRuleOnce(t *testing.T) {
	for _, n := range []int{chainRows - 1, chainRows, chainRows + 1, 2 * chainRows, 2*chainRows + 1, 5 * chainRows} {
		conds := hostiles[0].make(n)
		tree, root := compile(t, rules.IPv4Tuple, conds, Config{LeafRows: 1, Replication: 1, bucketRows: math.MaxInt, KeepHidden: true})
		rows := rowsOf(tree, root)
		require.Len(t, rows, n)
		require.Equal(t, n, shapeOf(tree, root).Rows)
		r := rand.New(rand.NewPCG(uint64(n), 3))
		for range 20 {
			k := keys(rules.IPv4Tuple, conds, 1+r.IntN(9))[0]
			got := tree.All(root, k, nil)
			slices.Sort(got)
			require.Equal(t, matching(rules.IPv4Tuple, conds, k), got)
		}
	}
}

// A child is built for the keys that get there, and no more: a rule that fills it hides
// one for everything behind.
func TestRulesThatFillAChildHideThoseBehind(t *testing.T) {
	full := lower.Span{Hi: 0xffff}
	for name, c := range map[string]cut{
		"interval": {kind: cutInterval, bounds: []uint32{10, 20, 30}, keep: 4},
		"table":    {kind: cutTable, hull: full, shift: 14, bits: 2, keep: 9},
	} {
		spans := []lower.Span{{Hi: 0x3fff}, {Lo: 0x4000, Hi: 0x7fff}, {Lo: 0x8000, Hi: 0xbfff}, {Lo: 0xc000, Hi: 0xffff}, full}
		if c.kind == cutInterval {
			spans = []lower.Span{{Hi: 9}, {Lo: 10, Hi: 19}, {Lo: 20, Hi: 29}, {Lo: 30, Hi: 0xffff}, full}
		}
		for gap := range 5 { // a child that is not filled, if it is one of the four
			list := slices.Clone(spans)
			if gap < 4 {
				list[gap].Hi--
			}
			b, entries := wordBuilder(list, Config{LeafRows: 8})
			build := b.table
			if c.kind == cutInterval {
				build = b.interval
			}
			ref, _, ok := build(entries, c, 100, 0, maxSpans)
			require.True(t, ok)
			rows := rowsOf(b.Tree(), ref)
			for i := range uint32(4) {
				require.Equal(t, 1, rows[i], "%s, gap %d, rule %d", name, gap, i)
			}
			want := 0
			if gap < 4 {
				want = 1
			}
			require.Equal(t, want, rows[4], "%s, gap %d", name, gap)
		}
	}
}

// Slots in which nothing lies but what lies in all of them have one child.
func TestSlotsWithoutEntriesOfTheirOwnShareAChild(t *testing.T) {
	slot := func(i uint32) lower.Span { return lower.Span{Lo: i << 12, Hi: i<<12 + 5} }
	for _, own := range [][]uint32{{0}, {15}, {1, 3}, {0, 2, 4, 6}, {1, 2, 3, 9}, {5, 6, 15}} {
		spans := []lower.Span{}
		for _, i := range own {
			spans = append(spans, slot(i))
		}
		spans = append(spans, lower.Span{Hi: 0xffff})
		b, entries := wordBuilder(spans, Config{KeepHidden: true})
		ref, _, ok := b.table(entries, cut{kind: cutTable, hull: lower.Span{Hi: 0xffff}, shift: 12, bits: 4, keep: 9}, 100, 0, maxSpans)
		require.True(t, ok)
		leaves := map[uint64]bool{}
		for _, x := range b.tree.slots[ref.offset():][:16] {
			leaves[x] = true
		}
		require.Len(t, leaves, len(own)+1)
		require.Equal(t, len(own)+1, rowsOf(b.Tree(), ref)[uint32(len(own))], "once for each child")
	}
}

// Tables of live trees have at most liveBits: larger ones are two levels.
func TestLargeTablesOfLiveTreesAreTwoLevels(t *testing.T) {
	for bits := uint32(liveBits - 1); bits <= maxLiveTabBits; bits++ {
		for _, live := range []bool{false, true} {
			spans := []lower.Span{}
			for i := range uint32(1) << bits {
				spans = append(spans, lower.Span{Lo: i << (16 - bits), Hi: i << (16 - bits)})
			}
			b, entries := wordBuilder(spans, Config{Live: live, KeepHidden: true})
			ref, _, ok := b.table(entries, cut{kind: cutTable, hull: lower.Span{Hi: 0xffff}, shift: 16 - bits, bits: bits, keep: 9}, 100, 0, maxSpans)
			require.True(t, ok)
			if live && bits > liveBits {
				require.LessOrEqual(t, ref.bits(), uint32(liveBits))
				require.Equal(t, bits-ref.bits(), Ref(b.tree.slots[ref.offset()]).bits())
			} else {
				require.Equal(t, bits, ref.bits())
				require.True(t, Ref(b.tree.slots[ref.offset()]).isLeaf())
			}
		}
	}
}

// A table looks at some bits of a word: keys get to its slots that have others, and
// nothing is hidden from them.
func TestKeysOutsideOfATablesHullFindWhatIsForThem(t *testing.T) {
	full, sub := lower.Span{Hi: 0xffff}, lower.Span{Lo: 0x100, Hi: 0x1ff}
	spans := []lower.Span{{Lo: 0x100, Hi: 0x13f}, {Lo: 0x140, Hi: 0x17f}, {Lo: 0x1c0, Hi: 0x1ff}, full}
	for _, outer := range []lower.Span{full, sub} {
		b, entries := wordBuilder(spans, Config{LeafRows: 1})
		b.reach, b.hull = []lower.Span{full}, []lower.Span{outer}
		ref, _, ok := b.table(entries, cut{kind: cutTable, hull: sub, shift: 6, bits: 2, keep: 9}, 100, 0, maxSpans)
		require.True(t, ok)
		tree := b.Tree()
		for x := range uint32(0x400) {
			want := uint32(3)
			for i, s := range spans[:3] {
				if s.Lo <= x && x <= s.Hi {
					want = uint32(i)
				}
			}
			require.Equal(t, want, tree.First(ref, []uint32{0, x}), "value %#x", x)
		}
	}
}

// nesting returns how deep spans lie within spans, but for chains.
func nesting(t *Tree, ref Ref) (deepest int) {
	switch {
	case ref.isTable():
		for _, x := range t.slots[ref.offset():][:1<<ref.bits()] {
			deepest = max(deepest, nesting(t, Ref(x)))
		}
		if chain := ref.bits() == 0 && Ref(t.slots[ref.offset()]).isLeaf(); ref.hasSpan() && !chain {
			deepest = max(deepest, 1+nesting(t, Ref(t.slots[ref.offset()-1])))
		}
	case ref.isInterval():
		l := &t.lines[ref.offset()]
		for _, x := range t.slots[l[intervalBounds]:][:l.parts()] {
			deepest = max(deepest, nesting(t, Ref(x)))
		}
	}
	return deepest
}

func TestSpansNestAsDeepAsTheyMay(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32})
	r := rand.New(rand.NewPCG(77, 1))
	var conds [][]rules.Cond
	for size := range 31 { // intervals of every size, which overlap
		for range 100 {
			lo := r.Uint64N(1<<32 - 1<<size)
			conds = append(conds, []rules.Cond{rules.In(0, rules.Span(lo, lo+1<<size))})
		}
	}
	r.Shuffle(len(conds), func(i, j int) { conds[i], conds[j] = conds[j], conds[i] })
	for may := range 4 { // four are enough
		b, boxes := grow(t, s, conds, Config{LeafRows: 1, Replication: 1, bucketRows: math.MaxInt, KeepHidden: true})
		b.reach, b.hull = []lower.Span{boxes.Dims[0].Full}, []lower.Span{boxes.Dims[0].Full}
		entries := make([]int32, len(conds))
		for i := range entries {
			entries[i] = int32(i)
		}
		root, _ := b.node(entries, 0, 0, may)
		tree := b.Tree()
		require.Equal(t, may, nesting(tree, root))
	}
}
