package tree

// Going down a tree with a rule's box: what of it gets into a child, by trying all
// values of a few windows of a word.

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// enterer is an editor at a node that looks at word 1, and may be given keys of reach.
func enterer(box, reach lower.Span) *Editor {
	return &Editor{
		b:      NewBuilder(context.Background(), Config{Live: true}),
		box:    []lower.Span{{}, box},
		reach:  []lower.Span{{}, reach},
		corner: []uint32{0, box.Lo},
	}
}

// spanIn returns a random span within another.
func spanIn(r *rand.Rand, s lower.Span) lower.Span {
	a, b := s.Lo+r.Uint32N(s.Hi-s.Lo+1), s.Lo+r.Uint32N(s.Hi-s.Lo+1)
	return lower.Span{Lo: min(a, b), Hi: max(a, b)}
}

// values returns those of a span for which a condition holds.
func valuesOf(s lower.Span, holds func(x uint32) bool) (out []uint32) {
	for x := uint64(s.Lo); x <= uint64(s.Hi); x++ {
		if holds(uint32(x)) {
			out = append(out, uint32(x))
		}
	}
	return out
}

func hullOf(values []uint32) lower.Span {
	return lower.Span{Lo: values[0], Hi: values[len(values)-1]}
}

func TestEnteringASlotLeavesWhatOfTheBoxGetsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 1))
	whole, cut, aside := 0, 0, 0
	for range 20000 {
		shift, bits := r.IntN(5), r.IntN(4)
		ref := tableRef(2, 1, shift, bits)
		all := lower.Span{Hi: 255}
		if r.IntN(2) == 0 {
			all = lower.Span{Lo: math.MaxUint32 - 255, Hi: math.MaxUint32}
		}
		reach := spanIn(r, all)
		box := spanIn(r, reach)
		e := enterer(box, reach)
		slot := func(x uint32) uint32 { return x >> shift & (1<<bits - 1) }
		touched := map[uint32]bool{}
		for _, x := range valuesOf(box, func(uint32) bool { return true }) {
			touched[slot(x)] = true
		}
		first, n := e.touched(ref)
		require.Equal(t, slot(box.Lo), first)
		require.Len(t, touched, int(n))
		for i := range n {
			at := (first + i) & (1<<bits - 1)
			require.True(t, touched[at])
			before := e.here(1)
			e.enter(ref, at)
			inside := valuesOf(box, func(x uint32) bool { return slot(x) == at })
			require.Contains(t, inside, e.corner[1], "box %v reach %v slot %d of %d at %d", box, reach, at, bits, shift)
			if box.Hi>>shift-box.Lo>>shift < 1<<bits {
				require.Equal(t, hullOf(inside), e.box[1])
				cut++
			} else { // the slot may have several pieces
				require.Equal(t, box, e.box[1])
				whole++
			}
			if reach.Lo>>(shift+bits) == reach.Hi>>(shift+bits) {
				require.Equal(t, hullOf(valuesOf(reach, func(x uint32) bool { return slot(x) == at })), e.reach[1])
			} else {
				require.Equal(t, reach, e.reach[1])
				aside++
			}
			e.back(1, before)
		}
	}
	require.Greater(t, min(whole, cut, aside), 10000)
}

// newLine returns an interval node of so many random parts in a span, from the first
// slot on.
func newLine(r *rand.Rand, all lower.Span, parts int) (l line) {
	bounds := map[uint32]bool{}
	for len(bounds) < parts-1 {
		if x := all.Lo + r.Uint32N(all.Hi-all.Lo+1); x < math.MaxUint32 {
			bounds[x] = true
		}
	}
	var sorted []uint32
	for x := range bounds {
		sorted = append(sorted, x)
	}
	slices.Sort(sorted)
	for i := range intervalBounds {
		l[i] = math.MaxUint32
	}
	copy(l[:], sorted)
	l[intervalBounds] = 0
	return l
}

func TestEnteringAnIntervalLeavesWhatOfTheBoxGetsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(67, 1))
	kept, moved := 0, 0
	for range 20000 {
		all := lower.Span{Hi: 100}
		if r.IntN(2) == 0 {
			all = lower.Span{Lo: math.MaxUint32 - 100, Hi: math.MaxUint32}
		}
		reach := spanIn(r, all)
		box := spanIn(r, reach)
		e := enterer(box, reach)
		e.corner[1] = box.Lo + r.Uint32N(box.Hi-box.Lo+1)
		l := newLine(r, all, 1+r.IntN(intervalBounds+1))
		e.b.tree.lines = []line{l}
		ref := intervalRef(0, 1)
		lo, hi := e.parts(ref)
		require.Equal(t, [2]uint32{l.find(box.Lo), l.find(box.Hi)}, [2]uint32{lo, hi})
		for part := lo; part <= hi; part++ {
			before := e.here(1)
			e.enterPart(ref, part)
			in := func(x uint32) bool { return l.find(x) == part }
			inside := valuesOf(box, in)
			require.Equal(t, hullOf(inside), e.box[1])
			require.Equal(t, hullOf(valuesOf(reach, in)), e.reach[1])
			if in(before.corner) {
				require.Equal(t, before.corner, e.corner[1], "tables passed may rest on it")
				kept++
			} else {
				require.Contains(t, inside, e.corner[1])
				moved++
			}
			e.back(1, before)
		}
	}
	require.Greater(t, min(kept, moved), 10000)
}

func TestChildrenAreThoseThatTheBoxComesTo(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 1))
	shared := 0
	for range 20000 {
		all := lower.Span{Hi: 63}
		box := spanIn(r, all)
		e := enterer(box, all)
		var ref Ref
		var part func(x uint32) uint32
		size := 16
		if r.IntN(2) == 0 {
			ref = tableRef(0, 1, r.IntN(3), 4)
			part = func(x uint32) uint32 { return x >> ref.shift() & 15 }
		} else {
			l := newLine(r, all, 16)
			e.b.tree.lines = []line{l}
			ref, part = intervalRef(0, 1), l.find
		}
		for range size {
			e.b.tree.slots = append(e.b.tree.slots, uint64(leafRef(r.IntN(6), 1, formShort, 0)))
		}
		var want []child
		parts := map[Ref]map[uint32]bool{}
		for x := box.Lo; x <= box.Hi; x++ {
			p := part(x)
			c := Ref(e.b.tree.slots[p])
			if parts[c] == nil {
				parts[c] = map[uint32]bool{}
				want = append(want, child{ref: c, part: p})
			}
			parts[c][p] = true
		}
		for i := range want {
			if want[i].shared = len(parts[want[i].ref]) > 1; want[i].shared {
				shared++
			}
		}
		var room [20]child
		require.ElementsMatch(t, want, e.children(room[:0], ref, 1<<30))
		most := r.IntN(8)
		require.Len(t, e.children(room[:0], ref, most), min(most+1, len(want)), "one beyond most is enough")
	}
	require.Greater(t, shared, 1000)
}
