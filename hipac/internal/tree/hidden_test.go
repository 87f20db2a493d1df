package tree

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// rowsOf returns the ranks of the rows that a tree has, each as often as it stands
// in one.
func rowsOf(t *Tree, root Ref) map[uint32]int {
	rows := map[uint32]int{}
	t.EachRow(root, func(rank uint32, _ bool) { rows[rank]++ })
	return rows
}

func TestHiddenRulesHaveNoRow(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 16}, rules.Field{Name: "c", Bits: 8})
	between := func(f int, lo, hi uint64) rules.Cond { return rules.In(f, rules.Span(lo, hi)) }
	for _, c := range []struct {
		name  string
		rules [][]rules.Cond
		left  []uint32
	}{
		{"behind one for everything", [][]rules.Cond{{is(0, 1)}, {}, {is(0, 2)}, {is(1, 3)}, {}}, []uint32{0, 1}},
		{"equal boxes", [][]rules.Cond{{is(0, 1)}, {is(0, 1)}, {is(0, 2)}, {is(0, 1)}}, []uint32{0, 2}},
		{"within another box", [][]rules.Cond{{between(0, 5, 9)}, {between(0, 6, 8), is(2, 1)}, {between(0, 5, 9), is(1, 1)}, {between(0, 4, 9)}}, []uint32{0, 3}},
		{"the last word decides", [][]rules.Cond{{between(2, 3, 4)}, {is(2, 3)}, {is(2, 2)}, {between(2, 3, 4)}}, []uint32{0, 2}},
		{"at the ends", [][]rules.Cond{{between(1, 3, 9)}, {between(1, 2, 9)}, {between(1, 3, 10)}, {between(1, 3, 9)}}, []uint32{0, 1, 2}},
		{"a first rule that asks for a field that may be absent", [][]rules.Cond{{s.Present(0)}, {is(0, 3)}, {is(1, 3)}}, []uint32{0, 2}},
		{"a field that keys with a value have", [][]rules.Cond{{is(0, 7)}, {is(0, 7), is(1, 0)}, {between(0, 0, 7)}}, []uint32{0, 2}},
		{"not by one that is inexact", [][]rules.Cond{{rules.Masked(0, rules.U64(1), rules.U64(0x10001))}, {is(0, 1)}}, []uint32{0, 1}},
	} {
		for _, keep := range []bool{false, true} {
			tree, root := compile(t, s, c.rules, Config{KeepHidden: keep})
			rows := rowsOf(tree, root)
			want := len(c.left)
			if keep {
				want = len(c.rules)
			}
			require.Len(t, rows, want, "%s, kept %v", c.name, keep)
			for _, rank := range c.left {
				require.Equal(t, 1, rows[rank], "%s, kept %v", c.name, keep)
			}
		}
	}
}

func TestChainsHaveEqualBoxesOnce(t *testing.T) {
	// Crossing rules that no cut separates, each twice, and no bucket for them.
	s := rules.IPv4Tuple
	h := hostile{schema: s, conds: crossing}
	list := h.make(300)
	conds := append(append([][]rules.Cond{}, list...), list...)
	tree, root := compile(t, s, conds, Config{bucketRows: 1 << 20})
	for rank := range rowsOf(tree, root) {
		require.Less(t, rank, uint32(300))
	}
	for _, key := range keys(s, conds, 200) {
		want := NoMatch
		if got := matching(s, conds, key); len(got) > 0 {
			want = got[0]
		}
		require.Equal(t, want, tree.First(root, key))
	}
}

// A key whose word has another value than 0 has the field: a rule that asks for no
// more hides what is behind it, and one that asks for another field does not.
func TestFieldsAreKnownByTheWordsOfARoot(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 32}, rules.Field{Name: "b", Bits: 16}, rules.Field{Name: "c", Bits: 8})
	for field := range 3 {
		for known := range 3 {
			for value := range uint32(2) {
				b, _ := grow(t, s, [][]rules.Cond{{s.Present(field)}, {}, {is(0, 1), is(1, 1), is(2, 1)}}, Config{}) // the last one makes all words be looked at
				root, err := b.Root([]Fixed{{Word: 1 + known, Value: value}}, nil)
				require.NoError(t, err)
				rows := rowsOf(b.Tree(), root)
				require.Contains(t, rows, uint32(0))
				require.Equal(t, field == known && value > 0, len(rows) == 1, "field %d, word %d is %d", field, known, value)
			}
		}
	}
}

// More rules than are compared with one another: those behind one that takes all go
// all the same.
func TestRulesBehindOneForEverythingHaveNoRow(t *testing.T) {
	s := rules.IPv4Tuple
	for _, front := range []int{0, 1, 50, 3 * pruneRows} {
		var conds [][]rules.Cond
		for i := range front {
			conds = append(conds, []rules.Cond{is(0, uint64(i))})
		}
		for range 2 { // and behind the second, too
			conds = append(conds, nil)
			for i := range 3 * pruneRows {
				conds = append(conds, []rules.Cond{is(1, uint64(i))})
			}
		}
		tree, root := compile(t, s, conds, Config{})
		for rank := range rowsOf(tree, root) {
			require.LessOrEqual(t, rank, uint32(front))
		}
		require.Len(t, rowsOf(tree, root), front+1)
	}
}

// Boxes of one hash need not be equal.
func TestBoxesOfOneHashAreCompared(t *testing.T) {
	step := func(h uint64, s lower.Span) uint64 {
		return bits.RotateLeft64(h^(uint64(s.Lo)<<32|uint64(s.Hi)), 29) * 0x9e3779b97f4a7c15
	}
	first, second := lower.Span{Lo: 1, Hi: 9}, lower.Span{Lo: 2, Hi: 7}
	other := lower.Span{Lo: 5, Hi: 1 << 30}
	// The second word of another box makes up for what the first has done.
	for x := uint32(10); ; x++ {
		third := lower.Span{Lo: x, Hi: x + 1}
		want := uint64(second.Lo)<<32 | uint64(second.Hi)
		made := want ^ step(0, first) ^ step(0, third)
		if other = (lower.Span{Lo: uint32(made >> 32), Hi: uint32(made)}); other.Lo > other.Hi {
			continue
		}
		require.Equal(t, step(step(0, first), second), step(step(0, third), other))
		full := lower.Span{Hi: ^uint32(0)}
		boxes := &lower.Boxes{
			Dims: []lower.Dim{{Word: 1, Full: full, Spans: []lower.Span{first, third, first, third}}, {Word: 2, Full: full, Spans: []lower.Span{second, other, second, other}}},
			Rank: []uint32{0, 1, 2, 3}, Need: make([]uint32, 4), Inexact: make([]bool, 4), Hides: []bool{true, true, true, true},
		}
		b := NewBuilder(context.Background(), Config{})
		b.Grow(boxes, 0)
		b.reach = []lower.Span{full, full}
		require.Equal(t, []int32{0, 1, 3}, b.dropEqual([]int32{0, 1, 2, 3}), "the first box alone is known by the hash")
		return
	}
}

// leafKeys walks all keys of a small universe, and returns those that get to each
// leaf.
func leafKeys(tree *Tree, root Ref, keys [][]uint32) map[Ref][]int {
	out := map[Ref][]int{}
	for i, k := range keys {
		seen := map[Ref]bool{}
		var walk func(ref Ref)
		walk = func(ref Ref) {
			switch {
			case ref.isTable():
				off := ref.offset()
				if ref.hasSpan() {
					walk(Ref(tree.slots[off-1]))
				}
				walk(Ref(tree.slots[off+k[ref.word()]>>ref.shift()&(1<<ref.bits()-1)]))
			case ref.isInterval():
				l := &tree.lines[ref.offset()]
				walk(Ref(tree.slots[l[intervalBounds]+l.find(k[ref.word()])]))
			case !seen[ref]:
				seen[ref] = true
				out[ref] = append(out[ref], i)
			}
		}
		walk(root)
	}
	return out
}

// Every row of a leaf matches some key that gets there, and one that no single
// earlier row of the leaf matches too. What is first is there, for all keys.
func TestLeavesHaveNoRowsThatAnEarlierOneHides(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "a", Bits: 8}, rules.Field{Name: "b", Bits: 4})
	var all [][]uint32
	for a := range uint32(256) {
		for b := range uint32(16) {
			all = append(all, []uint32{0, a, b})
		}
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 73))
		n := 5 + r.IntN(60)
		conds := make([][]rules.Cond, n)
		for i := range conds {
			for f, top := range []uint64{255, 15} {
				// Wide or narrow, at all ends: without a field that may be absent,
				// rules would hide less.
				size := [3]uint64{0, top / 8, top / 2}[r.IntN(3)]
				lo := r.Uint64N(top - size + 1)
				if seed%2 == 1 { // a quarter of the values, beyond which rules are for all
					if size = top / 16; r.IntN(6) == 0 {
						size = 0
					}
					lo = top/4 + 1 + r.Uint64N(4)*(size+1)
					if r.IntN(5) == 0 {
						lo, size = 0, top
					}
				}
				conds[i] = append(conds[i], rules.In(f, rules.Span(lo, lo+size)))
			}
		}
		tree, root := compile(t, s, conds, Config{LeafRows: 1 + r.IntN(4), Replication: 20, bucketRows: 1 << 20})
		holds := func(rank uint32, key int) bool {
			for f := range 2 {
				ivs, _ := conds[rank][f].Intervals()
				if x := uint64(all[key][1+f]); x < ivs[0].Lo.Lo || x > ivs[0].Hi.Lo {
					return false
				}
			}
			return true
		}
		for k := range all {
			want := NoMatch
			for rank := range uint32(n) {
				if holds(rank, k) {
					want = rank
					break
				}
			}
			if got := tree.First(root, all[k]); got != want {
				require.Equal(t, want, got, "seed %d, key %v", seed, all[k])
			}
		}
		for ref, keys := range leafKeys(tree, root, all) {
			if ref.isEmpty() {
				continue
			}
			var ranks []uint32
			tree.eachRow(ref, func(row []uint32) { ranks = append(ranks, row[0]>>1) })
			for i, rank := range ranks {
				var mine []int
				for _, k := range keys {
					if holds(rank, k) {
						mine = append(mine, k)
					}
				}
				require.NotEmpty(t, mine, "seed %d: no key gets to rule %d", seed, rank)
				for _, earlier := range ranks[:i] {
					hidden := true
					for _, k := range mine {
						hidden = hidden && holds(earlier, k)
					}
					require.False(t, hidden, "seed %d: rule %d hides rule %d", seed, earlier, rank)
				}
			}
		}
	}
}
