//go:build linux

package tree

// No walk reads past a slice. Keys, roots and copies of a tree's arrays lie
// against a page that may not be read, behind them or before them: a load of a
// byte outside is a fault. Go's own indexing would notice by itself; the vector
// walk and the walks without bounds checks would not.

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// side is where the forbidden page lies.
type side bool

const (
	behind side = true
	before side = false
)

func (s side) String() string {
	if s == behind {
		return "behind"
	}
	return "before"
}

// guarded returns a copy of s in memory of its own beside a forbidden page.
func guarded[E any](t testing.TB, s []E, where side) []E {
	t.Helper()
	var e E
	page := syscall.Getpagesize()
	size := len(s) * int(unsafe.Sizeof(e))
	room := (size + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, page+room+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(memory)) })
	require.NoError(t, syscall.Mprotect(memory[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(memory[page+room:], syscall.PROT_NONE))
	at := unsafe.Pointer(&memory[page])
	if where == behind {
		at = unsafe.Add(at, room-size)
	}
	out := unsafe.Slice((*E)(at), len(s))
	copy(out, s)
	return out
}

// guard returns the tree with all that lookups read without Go's checks beside
// forbidden pages.
func guard(t testing.TB, tree *Tree, where side) *Tree {
	out := *tree
	out.slots = guarded(t, tree.slots, where)
	out.lines = guarded(t, tree.lines, where)
	out.rows = guarded(t, tree.rows, where)
	out.classes = guarded(t, tree.classes, where)
	out.perms = guarded(t, tree.perms, where)
	out.needs = guarded(t, tree.needs, where)
	if tree.wants != nil {
		out.wants = guarded(t, tree.wants, where)
	}
	return &out
}

// requireNoFault runs f and fails when it touches forbidden memory.
func requireNoFault(t *testing.T, f func()) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		t.Helper()
		if e := recover(); e != nil {
			t.Fatalf("%v\n%s", e, debug.Stack())
		}
	}()
	f()
}

func TestForbiddenPagesAreForbidden(t *testing.T) {
	for _, where := range []side{behind, before} {
		s := guarded(t, []uint32{1, 2, 3}, where)
		require.Equal(t, []uint32{1, 2, 3}, s)
		outside := unsafe.Add(unsafe.Pointer(&s[0]), -4)
		if where == behind {
			outside = unsafe.Add(unsafe.Pointer(&s[0]), 12)
		}
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		require.Panics(t, func() { s[0] = *(*uint32)(outside) })
	}
}

// requireGuarded compares what walks over guarded arrays find with what the tree
// finds for keys of so many words. roots holds a root for each key, or one.
func requireGuarded(t *testing.T, tree *Tree, keys []uint32, words int, roots []Ref) {
	t.Helper()
	n := len(keys) / words
	want := make([]int32, n)
	tree.FirstBatch(keys, words, roots, want, false)
	for _, where := range []side{behind, before} {
		g, keys, roots := guard(t, tree, where), guarded(t, keys, where), guarded(t, roots, where)
		one := guarded(t, make([]uint32, words), where)
		ranks := guarded(t, make([]int32, n), where)
		requireNoFault(t, func() {
			for i, rank := range want {
				copy(one, keys[i*words:])
				root := roots[min(i, len(roots)-1)]
				require.Equal(t, rank, int32(g.First(root, one)), "%v", where)
				require.Equal(t, rank, int32(g.FirstFrom(root, one, 0)), "%v", where)
				if rank >= 0 {
					require.Equal(t, rank, int32(g.FirstFrom(root, one, uint32(rank))), "%v", where)
				}
			}
			for _, vector := range []bool{false, true} {
				clear(ranks)
				g.FirstBatch(keys, words, roots, ranks, vector)
				require.Equal(t, want, ranks, "%v, vector %v", where, vector)
			}
		})
	}
}

func TestWalksInForestsReadNothingOutside(t *testing.T) {
	for _, p := range forestPlans() {
		t.Run(p.name, func(t *testing.T) {
			for seed := range uint64(3) {
				f := newForest(p, 100+seed)
				for _, n := range []int{8, 9, 31, 63, 64} {
					var keys []uint32
					var roots []Ref
					for range n {
						keys, roots = append(keys, f.key()...), append(roots, f.root())
					}
					requireGuarded(t, f.Tree, keys, p.words, roots)
				}
			}
		})
	}
}

// The smallest trees have the least behind them.
func TestWalksInTreesOfOneNodeReadNothingOutside(t *testing.T) {
	for _, p := range forestPlans() {
		if p.plain || p.words > vectorWords {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			p.levels = 0
			for i := range 12 {
				f := newForest(p, 6)
				f.slots, f.lines, f.rows = nil, nil, nil
				leaf := f.newLeaf()
				if len(f.rows)%2 != 0 {
					f.rows = append(f.rows, row{})
				}
				f.nodes = [][]forestNode{{leaf}}
				ref := leaf.ref
				switch i % 4 {
				case 1:
					ref = f.newTable().ref
				case 2:
					ref = f.newInterval().ref
				case 3:
					ref = f.within(leaf).ref
				}
				var keys []uint32
				for range 10 + i {
					keys = append(keys, f.key()...)
				}
				requireGuarded(t, f.Tree, keys, p.words, []Ref{ref})
			}
		})
	}
}

func TestWalksInTreesOfRulesReadNothingOutside(t *testing.T) {
	type set struct {
		name   string
		schema *rules.Schema
		conds  [][]rules.Cond
		cfg    Config
	}
	var sets []set
	r := rand.New(rand.NewPCG(9, 1))
	for _, s := range []struct {
		name   string
		schema *rules.Schema
	}{{"ipv4", rules.IPv4Tuple}, {"ipv6", rules.IPv6Tuple}, {"both", rules.IPTuple}, {"firewall", rules.Firewall}, {"16 words", schemaOf(r, 16)}, {"2 words", schemaOf(r, 2)}} {
		sets = append(sets, set{s.name, s.schema, mixedRules(r, s.schema, 500, 0), Config{}},
			set{s.name + " one by one", s.schema, mixedRules(r, s.schema, 300, 0.1), Config{LeafRows: 1, Replication: 30}},
			set{s.name + " in leaves", s.schema, mixedRules(r, s.schema, 101, 0), Config{LeafRows: 512}})
	}
	for _, h := range hostiles[:7] {
		sets = append(sets, set{h.name, h.schema, h.make(300), Config{bucketRows: 40}})
	}
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			tree, root := compile(t, s.schema, s.conds, s.cfg)
			require.False(t, root.isEmpty())
			var words []uint32
			for i, k := range keys(s.schema, s.conds, 8*BatchSize) {
				if words = append(words, k...); (i+1)%BatchSize == 0 || i == 12 {
					requireGuarded(t, tree, words, s.schema.KeyLen(), []Ref{root})
					words = words[:0]
				}
			}
		})
	}
}

func TestGuardedTreesStayTheSame(t *testing.T) {
	f := newForest(forestPlans()[0], 1)
	require.Equal(t, fmt.Sprint(*f.Tree), fmt.Sprint(*guard(t, f.Tree, behind)))
}

// Every length of keys that the vector walk takes, and two more, by every number of
// keys up to a batch.
func TestWalksOfEveryLengthAndNumberOfKeysReadNothingOutside(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for words := 2; words <= vectorWords+2; words++ {
		s := schemaOf(r, words)
		conds := mixedRules(r, s, 60, 0)
		tree, root := compile(t, s, conds, Config{LeafRows: 2, Replication: 8})
		var all []uint32
		for _, k := range keys(s, conds, BatchSize) {
			all = append(all, k...)
		}
		for _, where := range []side{behind, before} {
			g := guard(t, tree, where)
			for n := 1; n <= BatchSize; n++ {
				some := all[:n*words]
				want, got := make([]int32, n), guarded(t, make([]int32, n), where)
				tree.FirstBatch(some, words, []Ref{root}, want, false)
				some = guarded(t, some, where)
				requireNoFault(t, func() { g.FirstBatch(some, words, []Ref{root}, got, true) })
				require.Equal(t, want, got, "%d words, %d keys, %v", words, n, where)
			}
		}
	}
}
