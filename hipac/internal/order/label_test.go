package order

// Patterns of insertion: what relabeling costs, and that the order is kept.

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule is an entry that knows its label, as a user of the package keeps it.
type rule struct{ label uint32 }

// list is a list that is edited by places, relabeling where it must.
type list struct {
	*Editor[rule]
	moves, most, times int
	check              func(after uint32, moves []Move)
}

func newList(n int) *list {
	entries := make([]*rule, n)
	for i := range entries {
		entries[i] = new(rule)
	}
	m, labels := Spread(entries)
	for i, l := range labels {
		entries[i].label = l
	}
	return &list{Editor: m.Edit()}
}

// put inserts an entry behind another, or in front of all when that is nil.
func (l *list) put(behind *rule) *rule {
	after := func() uint32 {
		if behind == nil {
			return None
		}
		return behind.label
	}
	label, ok := l.Room(after())
	if !ok {
		moves := l.Relabel(after())
		if l.check != nil {
			l.check(after(), moves)
		}
		for _, m := range moves {
			l.Get(m.From).label = m.To
			if !l.Move(m) {
				panic("a move that cannot be made")
			}
		}
		l.moves += len(moves)
		l.most = max(l.most, len(moves))
		l.times++
		if label, ok = l.Room(after()); !ok {
			panic("no room after relabeling")
		}
	}
	r := &rule{label}
	if !l.Insert(label, r) {
		panic("the label is taken")
	}
	return r
}

// at returns the entry at a position, nil for -1.
func (l *list) at(i int) *rule {
	_, r := l.At(i)
	return r
}

// before returns the entry in front of another.
func (l *list) before(r *rule) *rule {
	_, p, _ := l.Prev(r.label)
	return p
}

var patterns = []struct {
	name   string
	insert func(l *list, k int, r *rand.Rand)
}{
	{"random", func(l *list, k int, r *rand.Rand) {
		for range k {
			l.put(l.at(r.IntN(l.Len()+1) - 1))
		}
	}},
	{"append", func(l *list, k int, _ *rand.Rand) {
		for range k {
			l.put(l.at(l.Len() - 1))
		}
	}},
	{"prepend", func(l *list, k int, _ *rand.Rand) {
		for range k {
			l.put(nil)
		}
	}},
	{"before-last", func(l *list, k int, _ *rand.Rand) {
		for range k {
			l.put(l.at(l.Len() - 2))
		}
	}},
	{"behind-previous", func(l *list, k int, _ *rand.Rand) {
		p := l.at(l.Len() / 2)
		for range k {
			p = l.put(p)
		}
	}},
	{"before-previous", func(l *list, k int, _ *rand.Rand) {
		p := l.at(l.Len() / 2)
		for range k {
			p = l.put(l.before(p))
		}
	}},
	{"behind-one", func(l *list, k int, _ *rand.Rand) {
		p := l.at(l.Len() / 2)
		for range k {
			l.put(p)
		}
	}},
	{"runs-of-100", func(l *list, k int, r *rand.Rand) {
		var p *rule
		for i := range k {
			if i%100 == 0 {
				p = l.at(r.IntN(l.Len()))
			}
			p = l.put(p)
		}
	}},
	{"two-places-in-turn", func(l *list, k int, _ *rand.Rand) {
		p, q := l.at(l.Len()/3), l.at(l.Len()/2)
		for range k {
			p, q = q, l.put(p)
		}
	}},
	{"growing-stretch", func(l *list, k int, r *rand.Rand) {
		from := l.Len() / 2
		for i := range k {
			l.put(l.at(from + r.IntN(i+1)))
		}
	}},
	{"fixed-position", func(l *list, k int, r *rand.Rand) {
		for range k {
			if l.Len() > 2 {
				label, _ := l.At(r.IntN(l.Len()))
				l.Remove(label)
			}
			l.put(l.at(l.Len() / 2))
		}
	}},
}

func BenchmarkInsertPatterns(b *testing.B) {
	const n = 100_000
	for _, p := range patterns {
		b.Run("pattern="+p.name+"/n=100k", func(b *testing.B) {
			for range b.N {
				l := newList(n)
				p.insert(l, n, rand.New(rand.NewPCG(1, 2)))
				b.ReportMetric(float64(l.moves)/n, "moves/insert")
				b.ReportMetric(float64(l.most), "most-moves")
				b.ReportMetric(float64(l.times), "relabelings")
			}
		})
	}
}

// Every single move keeps the order, whatever the pattern and the length that
// the list had when it was spread.
func TestMovesKeepTheOrderOneByOne(t *testing.T) {
	for _, p := range patterns {
		for _, n := range []int{1, 3, 300} {
			l := newList(n)
			l.check = func(after uint32, moves []Move) {
				require.NotEmpty(t, moves)
				for _, m := range moves {
					// The entry's neighbours enclose its new label.
					require.Equal(t, m.From, l.labelOf(t, m.From))
					require.NotEqual(t, m.From, m.To)
					if prev, _, ok := l.Prev(m.From); ok {
						require.Less(t, prev, m.To)
					}
					if next, _, ok := l.Next(m.From); ok {
						require.Less(t, m.To, next)
					}
					e := l.Get(m.From)
					require.True(t, l.Move(m))
					require.Same(t, e, l.Get(m.To))
					require.Nil(t, l.Get(m.From))
				}
				// The list makes the moves itself.
				for _, m := range slices.Backward(moves) {
					require.True(t, l.Move(Move{m.To, m.From}))
				}
			}
			p.insert(l, 3000, rand.New(rand.NewPCG(uint64(n), 1)))
			for label, e := range l.All() {
				require.Equal(t, label, e.label)
			}
		}
	}
}

func (l *list) labelOf(t *testing.T, label uint32) uint32 {
	e := l.Get(label)
	require.NotNil(t, e)
	return e.label
}

// A list that is filled by a pattern holds the entries in the order in which a
// slice holds them.
func TestInsertionsKeepTheOrderOfASlice(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 40 {
		l := newList(round % 4 * 20)
		var want []*rule
		for _, e := range l.All() {
			want = append(want, e)
		}
		spot := 0
		for range 2000 {
			switch r.IntN(40) {
			case 0:
				spot = r.IntN(len(want) + 1)
			case 1:
				spot = 0
			case 2:
				spot = len(want)
			}
			if round%3 != 0 {
				spot = min(spot+1, len(want))
			}
			spot = min(spot, len(want))
			if len(want) > 10 && r.IntN(5) == 0 {
				i := min(spot, len(want)-1)
				require.Same(t, want[i], l.Remove(want[i].label))
				want = slices.Delete(want, i, i+1)
				spot = i
				continue
			}
			want = slices.Insert(want, spot, l.put(l.at(spot-1)))
		}
		i := 0
		for label, e := range l.All() {
			require.Same(t, want[i], e)
			require.Equal(t, e.label, label)
			i++
		}
		require.Len(t, want, i)
	}
}

// From one entry to many without ever being spread anew, insertions take few
// moves.
func TestGrowingFromNothingTakesFewMoves(t *testing.T) {
	for _, p := range patterns {
		l := newList(1)
		const k = 30_000
		p.insert(l, k, rand.New(rand.NewPCG(3, 4)))
		require.Less(t, l.moves, 20*k, p.name)
		switch p.name {
		case "append", "prepend":
			require.Zero(t, l.moves, p.name)
		case "behind-previous", "before-previous", "before-last", "behind-one", "random":
			require.Less(t, l.moves, k/2, p.name)
		}
	}
}

func TestThereIsRoomInSpreadLists(t *testing.T) {
	for _, n := range []int{0, 1, 2, 63, 64, 65, 4095, 4096, 4097, 70_000} {
		l := newList(n)
		for i := range n {
			label, _ := l.At(i)
			next, _, ok := l.Next(label)
			require.Equal(t, i < n-1, ok)
			room, has := l.Room(label)
			require.True(t, has)
			require.Greater(t, room, label)
			if ok {
				require.Less(t, room, next)
			}
		}
		room, ok := l.Room(None)
		require.True(t, ok)
		if label, _, ok := l.First(); ok {
			require.Less(t, room, label)
		}
	}
}

func TestThereIsNoRoomWhereAllLabelsAreTaken(t *testing.T) {
	e := new(Map[rule]).Edit()
	for _, label := range []uint32{0, 1, 2, 100, Labels - 2, Labels - 1} {
		require.True(t, e.Insert(label, &rule{label}))
	}
	for after, want := range map[uint32]bool{None: false, 0: false, 1: false, 2: true, 100: true, Labels - 2: false, Labels - 1: false, Labels: false, Labels + 1: false} {
		_, ok := e.Room(after)
		require.Equal(t, want, ok, after)
	}
	require.Nil(t, e.Relabel(50), "no entry of that label")
	require.Nil(t, e.Relabel(Labels))
	for _, after := range []uint32{None, 0, 1, Labels - 2, Labels - 1} {
		at := after
		f := e.Freeze().Edit()
		for _, m := range f.Relabel(after) {
			require.True(t, f.Move(m))
			if m.From == after {
				at = m.To
			}
		}
		label, ok := f.Room(at)
		require.True(t, ok)
		require.True(t, f.Insert(label, &rule{label}))
		if after == None {
			require.Equal(t, 0, f.Position(label))
		} else {
			require.Equal(t, e.Position(after)+1, f.Position(label))
		}
	}
}

func TestAnEmptyMapHasRoomButNothingToRelabel(t *testing.T) {
	var m Map[rule]
	label, ok := m.Room(None)
	require.True(t, ok)
	require.Less(t, label, uint32(Labels))
	require.Nil(t, m.Relabel(None))
}
