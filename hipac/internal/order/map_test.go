package order

// Maps against a sorted slice, after every edit, with old versions held.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

type pair struct {
	label uint32
	entry *rule
}

// model is the reference: pairs in order of label.
type model []pair

func (m model) find(label uint32) (int, bool) {
	return slices.BinarySearchFunc(m, label, func(p pair, l uint32) int {
		return int(int64(p.label) - int64(l))
	})
}

func (m model) get(label uint32) *rule {
	if i, ok := m.find(label); ok {
		return m[i].entry
	}
	return nil
}

func pairs(v *view[rule], from uint32) model {
	var got model
	for l, e := range v.From(from) {
		got = append(got, pair{l, e})
	}
	return got
}

// checkAround compares all that is asked of a map by a label.
func checkAround(t *testing.T, v *view[rule], m model, label uint32) {
	t.Helper()
	i, ok := m.find(label)
	if v.Len() != len(m) || v.Get(label) != m.get(label) || v.Position(label) != i {
		require.Equal(t, len(m), v.Len())
		require.Same(t, m.get(label), v.Get(label), "entry of %d", label)
		require.Equal(t, i, v.Position(label), "position of %d", label)
	}
	prev, e, has := v.Prev(label)
	require.Equal(t, i > 0, has)
	if has {
		require.Equal(t, m[i-1], pair{prev, e})
	}
	if ok {
		i++
	}
	next, e, has := v.Next(label)
	require.Equal(t, i < len(m), has)
	if has {
		require.Equal(t, m[i], pair{next, e})
	}
}

func checkWhole(t *testing.T, v *view[rule], m model) {
	t.Helper()
	require.Equal(t, len(m), v.Len())
	if !slices.Equal(m, pairs(v, 0)) {
		require.Equal(t, m, pairs(v, 0))
	}
	for i, p := range m {
		l, e := v.At(i)
		if (pair{l, e}) != p || v.Get(p.label) != p.entry || v.Position(p.label) != i {
			require.Equal(t, p, pair{l, e}, "at %d", i)
			require.Same(t, p.entry, v.Get(p.label))
			require.Equal(t, i, v.Position(p.label))
		}
	}
	for _, i := range []int{-1, len(m)} {
		l, e := v.At(i)
		require.Equal(t, None, l)
		require.Nil(t, e)
	}
	checkShape(t, v)
}

// checkShape checks what must be so of the nodes.
func checkShape(t *testing.T, v *view[rule]) {
	t.Helper()
	total := 0
	var walk func(n *node[rule], shift uint8, least uint32) int
	walk = func(n *node[rule], shift uint8, least uint32) int {
		sum := 0
		for c := range uint32(fan) {
			from := least + c<<shift
			if n.lens[c] == split {
				k := walk(n.node(c), shift-fanBits, from)
				require.Greater(t, k, minNode)
				sum += k
				continue
			}
			s := n.leaf(c)
			require.LessOrEqual(t, len(s), maxLeaf)
			for i := range s {
				if s[i].entry == nil || s[i].label>>shift != from>>shift || i > 0 && s[i-1].label >= s[i].label {
					require.Fail(t, "a wrong leaf", "slot %d of the leaf from %d on: %v", i, from, s)
				}
			}
			sum += len(s)
		}
		require.EqualValues(t, n.total, sum)
		return sum
	}
	require.Len(t, v.counts, len(v.top))
	for i, n := range v.top {
		k := 0
		if n != nil {
			k = walk(n, v.shift, (v.first+uint32(i))<<(v.shift+fanBits))
		}
		require.EqualValues(t, v.counts[i], k)
		require.Equal(t, n == nil, k == 0)
		total += k
	}
	require.Equal(t, v.n, total)
	if len(v.top) > 0 {
		require.NotNil(t, v.top[0])
		require.NotNil(t, v.top[len(v.top)-1])
	}
}

// draws are ways to draw labels; few of them make leaves grow and shrink.
var draws = map[string]func(r *rand.Rand) uint32{
	"anywhere": func(r *rand.Rand) uint32 { return r.Uint32N(Labels) },
	"few":      func(r *rand.Rand) uint32 { return r.Uint32N(300) * 3_500_000 },
	"dense":    func(r *rand.Rand) uint32 { return 1<<29 - 400 + r.Uint32N(800) },
	"ends": func(r *rand.Rand) uint32 {
		if l := r.Uint32N(300); l&1 == 0 {
			return l
		} else {
			return Labels - l
		}
	},
	"scales": func(r *rand.Rand) uint32 { return 1<<28 + r.Uint32()>>(1+r.UintN(31))>>3 },
}

func TestMapEqualsASortedSliceAfterEveryEdit(t *testing.T) {
	for name, draw := range draws {
		for _, n := range []int{0, 5, 700, 9000} {
			t.Run(fmt.Sprintf("labels=%s/n=%d", name, n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(n), 9))
				l := newList(n)
				m := pairs(&l.view, 0)
				e := l.Editor
				type version struct {
					frozen *Map[rule]
					model  model
				}
				var held []version
				for step := range 4000 {
					label := draw(r)
					if n > 0 && r.IntN(3) == 0 && len(m) > 0 {
						label = min(m[r.IntN(len(m))].label+r.Uint32N(2), Labels-1)
					}
					i, ok := m.find(label)
					x := &rule{label}
					// Phases of growing and of shrinking.
					insert := r.IntN(10) < 7
					if step/1000%2 == 1 {
						insert = !insert
					}
					switch op := r.IntN(10); {
					case op == 0:
						old := e.Set(label, x)
						require.Same(t, m.get(label), old)
						if ok {
							m[i].entry = x
						}
					case op == 1 && len(m) > 0:
						from := m[r.IntN(len(m))]
						require.Equal(t, !ok, e.Move(Move{from.label, label}))
						if !ok {
							k, _ := m.find(from.label)
							m = slices.Delete(m, k, k+1)
							k, _ = m.find(label)
							m = slices.Insert(m, k, pair{label, from.entry})
						}
					case insert:
						require.Equal(t, !ok, e.Insert(label, x))
						if !ok {
							m = slices.Insert(m, i, pair{label, x})
						}
					default:
						if !ok && len(m) > 0 {
							i = min(i, len(m)-1)
							label, ok = m[i].label, true
						}
						require.Same(t, m.get(label), e.Remove(label))
						if ok {
							m = slices.Delete(m, i, i+1)
						}
					}
					checkAround(t, &e.view, m, label)
					checkAround(t, &e.view, m, draw(r))
					switch r.IntN(40) {
					case 0:
						f := e.Freeze()
						require.Same(t, f, e.Freeze())
						if r.IntN(4) == 0 {
							held = append(held, version{f, slices.Clone(m)})
						}
						if r.IntN(2) == 0 {
							e = f.Edit()
						}
					case 1:
						if len(held) > 0 {
							// A branch off an old version, thrown away.
							f := held[r.IntN(len(held))]
							b := f.frozen.Edit()
							for range 20 {
								b.Insert(draw(r), x)
								b.Remove(draw(r))
								if l, _ := b.At(r.IntN(b.Len() + 1)); l != None {
									b.Set(l, x)
								}
							}
						}
					}
					if step%500 == 0 {
						checkWhole(t, &e.view, m)
						for _, h := range held {
							checkWhole(t, &h.frozen.view, h.model)
						}
					}
				}
				for _, h := range held {
					checkWhole(t, &h.frozen.view, h.model)
					from := draw(r)
					i, _ := h.model.find(from)
					require.True(t, slices.Equal(h.model[i:], pairs(&h.frozen.view, from)))
				}
			})
		}
	}
}

func TestSpreadLabelsAscendAndFindTheirEntries(t *testing.T) {
	for _, n := range []int{0, 1, 2, 63, 64, 65, 1000, 4096, 4097, 8191, 100_000, 1 << 17, 1<<17 + 1} {
		entries := make([]*rule, n)
		for i := range entries {
			entries[i] = new(rule)
		}
		m, labels := Spread(entries)
		require.Len(t, labels, n)
		want := make(model, n)
		for i := range want {
			want[i] = pair{labels[i], entries[i]}
		}
		if n > 0 {
			// There is room for as many in front and behind.
			require.GreaterOrEqual(t, labels[0], uint32(Labels/5))
			require.LessOrEqual(t, labels[n-1], uint32(Labels/5*4))
			checkWhole(t, &m.view, want)
		}
		require.Equal(t, n, m.Len())
		for i, l := range labels {
			require.EqualValues(t, i%fan, guess(l, m.shift, 64))
		}
	}
}

func TestLabelsOutOfRangeAreAbsentAndNotInserted(t *testing.T) {
	l := newList(100)
	for _, label := range []uint32{Labels, Labels + 1, 1 << 31, 1<<31 + 1<<29, None - 1, None} {
		require.False(t, l.Insert(label, new(rule)))
		require.Nil(t, l.Get(label))
		require.Nil(t, l.Remove(label))
		require.Nil(t, l.Set(label, new(rule)))
		first, _ := l.At(0)
		require.False(t, l.Move(Move{first, label}))
		require.False(t, l.Move(Move{label, 1}))
		require.Equal(t, 100, l.Position(label))
		_, _, ok := l.Next(label)
		require.False(t, ok)
		prev, _, ok := l.Prev(label)
		last, _ := l.At(99)
		require.True(t, ok)
		require.Equal(t, last, prev)
		require.Empty(t, pairs(&l.view, label))
	}
	require.False(t, l.Insert(5, nil))
	first, e := l.At(0)
	require.Nil(t, l.Set(first, nil))
	require.Same(t, e, l.Get(first))
	require.False(t, l.Insert(first, new(rule)), "taken")
}

func TestTheZeroMapIsEmpty(t *testing.T) {
	var m Map[rule]
	require.Zero(t, m.Len())
	require.Nil(t, m.Get(0))
	require.Nil(t, m.Get(1<<29))
	require.Zero(t, m.Position(7))
	_, _, ok := m.First()
	require.False(t, ok)
	_, _, ok = m.Last()
	require.False(t, ok)
	for range m.All() {
		require.Fail(t, "an entry in the empty map")
	}
	e := m.Edit()
	require.Same(t, &m, e.Freeze())
	x := new(rule)
	require.True(t, e.Insert(9, x))
	require.Same(t, x, e.Freeze().Get(9))
	require.Nil(t, m.Get(9))
}

func TestMemoryIsBackWhereItBeganAfterRemovingWhatWasInserted(t *testing.T) {
	m := newList(5000).Freeze()
	before := m.Bytes()
	l := &list{Editor: m.Edit()}
	r := rand.New(rand.NewPCG(7, 7))
	var added []*rule
	p := l.at(2500)
	for range 20_000 {
		p = l.put(p)
		added = append(added, p, l.put(l.at(r.IntN(l.Len()))), l.put(nil), l.put(l.at(l.Len()-1)))
	}
	require.Greater(t, l.Freeze().Bytes(), 5*before)
	r.Shuffle(len(added), func(i, j int) { added[i], added[j] = added[j], added[i] })
	for _, x := range added {
		require.Same(t, x, l.Remove(x.label))
	}
	require.Equal(t, 5000, l.Len())
	require.Less(t, l.Freeze().Bytes(), before*3/2)
	for label := range m.All() {
		l.Remove(label)
	}
	for l.Len() > 0 {
		label, _ := l.At(0)
		l.Remove(label)
	}
	require.Equal(t, new(Map[rule]).Bytes(), l.Freeze().Bytes())
}

func TestGetAllocatesNothing(t *testing.T) {
	l := newList(1000)
	label, _ := l.At(500)
	m := l.Freeze()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		m.Get(label)
		m.Get(label + 1)
		m.Position(label)
		m.At(500)
		m.Room(label)
	}))
}

// Readers on old and new versions while a writer goes on; the race detector
// sees a store to what they can reach.
func TestReadersOfAnyVersionSeeItUnchanged(t *testing.T) {
	type version struct {
		m   *Map[rule]
		sum uint64
	}
	sum := func(m *Map[rule]) (s uint64) {
		for label, e := range m.All() {
			if m.Get(label) != e {
				return 0
			}
			s = s*31 + uint64(label)
		}
		return s
	}
	l := newList(2000)
	var now atomic.Pointer[version]
	m := l.Freeze()
	now.Store(&version{m, sum(m)})
	var done atomic.Bool
	var wrong atomic.Int64
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			held := now.Load()
			for i := 0; !done.Load(); i++ {
				v := now.Load()
				if i%8 == 0 {
					held = v
				}
				if sum(v.m) != v.sum || sum(held.m) != held.sum {
					wrong.Add(1)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(8, 8))
	p := l.at(1000)
	for range 600 {
		for range 1 + r.IntN(5) {
			p = l.put(p)
			l.put(l.at(r.IntN(l.Len())))
			label, _ := l.At(r.IntN(l.Len()))
			if label != p.label {
				l.Remove(label)
			}
		}
		m := l.Freeze()
		now.Store(&version{m, sum(m)})
	}
	done.Store(true)
	readers.Wait()
	require.Zero(t, wrong.Load())
}
