package tree

import (
	"testing"

	"github.com/stretchr/testify/require"

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
