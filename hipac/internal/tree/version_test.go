package tree

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestUndoTakesBackWhatWasDoneSinceTheLastVersion(t *testing.T) {
	for _, cfg := range []Config{{Plain: true}, {Plain: true, bucketRows: 14}, {Plain: true, LeafRows: 1}} {
		r := rand.New(rand.NewPCG(uint64(cfg.bucketRows), 11))
		p := newRuleSource(r, rules.IPv4Tuple, 8, true)
		var list [][]rules.Cond
		for range 200 {
			list = append(list, p.rule())
		}
		e := newEdited(t, rules.IPv4Tuple, list, cfg, nil)
		edit := func() {
			if r.IntN(2) == 0 && len(e.labels) > 50 {
				e.delete(e.labels[r.IntN(len(e.labels))])
			} else if label := uint32(r.IntN(300<<12)) + 1; e.conds[label] == nil {
				e.insert(label, p.rule())
			}
		}
		for step := range 60 {
			v := e.version()
			before := [2]any{e.ed.Bytes(), slices.Clone(e.ed.dead)}
			built := e.rebuilt
			for range r.IntN(12) {
				edit()
			}
			if e.rebuilt > built {
				continue // there is another editor now
			}
			if r.IntN(3) > 0 {
				if r.IntN(2) == 0 {
					e.ed.fail(ErrRebuild) // as an edit that has no room
				}
				e.ed.Undo()
				for _, l := range e.labels {
					if !slices.Contains(v.labels, l) {
						delete(e.conds, l)
					}
				}
				e.root, e.labels = v.root, slices.Clone(v.labels)
				require.NoError(t, e.ed.error())
				require.Equal(t, before, [2]any{e.ed.Bytes(), slices.Clone(e.ed.dead)})
			}
			e.requireNoRest("after undo")
			for range 8 {
				e.check(e.version(), p.key(), fmt.Sprintf("step %d", step))
			}
		}
		require.Greater(t, e.edits, 100)
	}
}

func TestAnEditorCountsWhatItWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 11))
	p := newRuleSource(r, rules.IPv4Tuple, 60, false)
	var list [][]rules.Cond
	for range 400 {
		list = append(list, p.rule())
	}
	e := newEdited(t, rules.IPv4Tuple, list, Config{Plain: true}, nil)
	tree := &e.ed.b.tree
	slots, lines, rows := len(tree.slots), len(tree.lines), len(tree.rows)
	require.True(t, slots > 0 && lines > 0 && rows > 0)
	all, tables := e.ed.Written()
	require.EqualValues(t, 8*slots+64*lines, tables)
	require.EqualValues(t, 8*slots+64*lines+32*rows, all)
	require.Zero(t, e.ed.Rubbish())
	at := e.ed.Bytes()
	for i := range 50 {
		e.insert(uint32(i)<<5|1, p.rule())
		require.Equal(t, e.ed.Bytes()-at, e.ed.Rubbish())
		require.EqualValues(t, 8*cap(tree.slots)+64*cap(tree.lines)+32*cap(tree.rows)-8*len(tree.slots)-64*len(tree.lines)-32*len(tree.rows),
			e.ed.Spare()-int64(classBytes*cap(tree.classes)+permBytes*cap(tree.perms)))
	}
	require.Greater(t, e.ed.Rubbish(), int64(1000))
	again, _ := e.ed.Written()
	require.Equal(t, all, again, "edits are not what was written")
}

func TestAnEditorIsFullWhenTheNextVersionMayNotFit(t *testing.T) {
	e := newEdited(t, rules.IPv4Tuple, [][]rules.Cond{{is(0, 1)}}, Config{Plain: true}, nil)
	tree := &e.ed.b.tree
	for _, c := range []struct {
		room, peak int
		want       bool
	}{{20, 10, false}, {19, 10, true}, {21, 10, false}, {0, 0, false}, {1, 1, true}, {100, 3, false}} {
		e.ed.peak.slots, e.ed.peak.rows = c.peak, 0
		tree.slots = make([]uint64, 5, 5+c.room)
		tables, rows := e.ed.Full()
		require.Equal(t, []bool{c.want, false}, []bool{tables, rows}, "tables: %+v", c)
		e.ed.peak.slots, e.ed.peak.rows = 0, c.peak
		tree.rows = make([]row, 5, 5+c.room)
		tables, rows = e.ed.Full()
		require.Equal(t, []bool{false, c.want}, []bool{tables, rows}, "rows: %+v", c)
		e.ed.peak = mark{}
	}
	// The peak is what a version took, and is forgotten slowly.
	e.ed.peak, e.ed.version = mark{slots: 6400, rows: 12800}, mark{slots: 5, rows: 4}
	tree.rows = make([]row, 6)
	e.ed.seal()
	require.Equal(t, []int{6300, 12600}, []int{e.ed.peak.slots, e.ed.peak.rows})
	tree.slots, tree.rows = make([]uint64, 10005), make([]row, 20006)
	e.ed.seal()
	require.Equal(t, []int{10000, 20000}, []int{e.ed.peak.slots, e.ed.peak.rows})

	e.ed.dead = make([]uint32, maxDead/4)
	require.False(t, e.ed.Crowded())
	e.ed.dead = make([]uint32, maxDead/4+1)
	require.True(t, e.ed.Crowded())
	e.ed.dead = []uint32{3, 5, 9}
	for label := range uint32(11) {
		require.Equal(t, label == 3 || label == 5 || label == 9, e.ed.Dead(label))
		require.Equal(t, e.ed.Dead(label), (&Tree{dead: e.ed.dead}).isDead(label))
	}
	require.False(t, (&Tree{}).isDead(0))
}

func TestAnEditBeyondTheMemoryFails(t *testing.T) {
	e := newEdited(t, rules.IPv4Tuple, [][]rules.Cond{{is(0, 1)}, {is(0, 2)}}, Config{Plain: true}, nil)
	e.ed.b.cfg.MaxBytes = e.ed.b.tree.used()
	require.NoError(t, e.ed.error(), "all of the memory may be used")
	e.ed.b.cfg.MaxBytes--
	require.Error(t, e.ed.error())
	e.ed.Undo()
	require.Error(t, e.ed.error(), "it is still too much")
	e.ed.Undo()
	e.ed.b.cfg.MaxBytes++
	require.NoError(t, e.ed.error())
}

// Rules that fit nowhere go into the span of one link above the root, however many
// there are.
func TestMisfitsShareOneLink(t *testing.T) {
	s := rules.IPv4Tuple
	var list [][]rules.Cond
	for i := range 300 {
		list = append(list, []rules.Cond{rules.In(0, rules.Span(uint64(i)<<8, uint64(i)<<8+255))})
	}
	e := newEdited(t, s, list, Config{Plain: true, LeafRows: 1}, nil)
	require.False(t, e.root.hasSpan())
	r := rand.New(rand.NewPCG(13, 11))
	check := func() {
		v := e.version()
		for range 30 {
			key := s.NewKey()
			s.Set(key, 0, rules.U64(r.Uint64N(301<<8)))
			s.Set(key, 1, rules.U64(r.Uint64N(501<<8)))
			e.check(v, key, "misfits")
		}
	}
	var wide []uint32
	for i := range 520 {
		label := uint32(r.IntN(300<<12)) + 1
		if e.conds[label] != nil {
			continue
		}
		lo := r.Uint64N(100 << 8)
		conds := []rules.Cond{rules.In(0, rules.Span(lo, lo+150<<8))}
		if i < 500 { // apart from one another in the other address; the rest fits nowhere among these either
			conds = append(conds, rules.In(1, rules.Span(uint64(i)<<8, uint64(i)<<8+255)))
		}
		e.insert(label, conds)
		wide = append(wide, label)
		if i%16 == 0 || i >= 500 {
			check()
		}
	}
	require.Greater(t, e.ed.Misfits, 10)
	require.Zero(t, e.rebuilt)
	tree := &e.ed.b.tree
	require.True(t, e.root.isTable() && e.root.hasSpan() && e.root.bits() == 0)
	require.False(t, Ref(tree.slots[e.root.offset()]).hasSpan(), "below the link is the tree as it was")
	require.Equal(t, slices.Min(wide), uint32(tree.slots[e.root.offset()-2])>>1, "the link has the lowest of them")
	for _, label := range wide {
		e.delete(label)
		if label%16 == 0 {
			check()
		}
	}
	e.requireNoRest("without misfits")
}

// Tables skip leading bits that all rules share. A rule with other leading bits goes
// into the same slots, and keys of the others get to it.
func TestRulesOutsideOfWhatATableSkipsAreTested(t *testing.T) {
	for _, s := range []*rules.Schema{rules.MustSchema(rules.Field{Name: "a", Bits: 32}),
		rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 32}, rules.Field{Name: "c", Bits: 32})} {
		for _, base := range []uint64{10 << 24, 0, 255 << 24} {
			r := rand.New(rand.NewPCG(base, 17))
			var list [][]rules.Cond
			for i := range 100 {
				list = append(list, []rules.Cond{rules.In(0, rules.Span(base+uint64(i)<<8, base+uint64(i)<<8+255))})
			}
			e := newEdited(t, s, list, Config{LeafRows: 1}, nil)
			require.True(t, e.root.isTable())
			check := func() {
				v := e.version()
				for range 20 {
					key := s.NewKey()
					window := []uint64{base, 0, 10 << 24, 11 << 24, 255 << 24}[r.IntN(5)]
					s.Set(key, 0, rules.U64(window+r.Uint64N(101)<<8+[3]uint64{0, 128, 255}[r.IntN(3)]))
					e.check(v, key, "windows")
				}
			}
			for range 60 { // slots that nothing of the window is in
				e.delete(e.labels[r.IntN(len(e.labels))])
			}
			for range 80 {
				label := uint32(r.IntN(100<<12)) + 1
				if e.conds[label] != nil {
					continue
				}
				lo := []uint64{0, 10 << 24, 11 << 24, 255 << 24}[r.IntN(4)] + r.Uint64N(100)<<8
				e.insert(label, []rules.Cond{rules.In(0, rules.Span(lo, lo+255))})
				check()
			}
			for len(e.labels) > 50 {
				e.delete(e.labels[r.IntN(len(e.labels))])
				check()
			}
			e.requireNoRest("windows")
		}
	}
}
