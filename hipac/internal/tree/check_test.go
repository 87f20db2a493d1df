package tree

// Checking a tree from a file: one that a hand wrote, with all kinds of nodes, what
// lookups in it may come to, and each thing that must not be in a file, beside the
// largest that may.

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/saved"
)

// handRules is how many rules the tree by hand has, of ranks from handFirst.
const (
	handFirst = 3
	handRules = 7
)

// byHand returns a tree with a table with a span, an interval node, and leaves of
// short, long and sparse rows; and its root. It has no room to spare.
func byHand() (*Tree, Ref) {
	rank := func(i uint32) row { return row{(handFirst + i) << 1} }
	t := &Tree{
		wants:   make([]uint16, handFirst+handRules),
		classes: []class{{blocks: 1}, {blocks: 2}},
		rows: []row{
			rank(0), rank(1), rank(2), rank(3), rank(4), {},
			{(handFirst + 5) << 1, 1, 3, 7, 9, (handFirst + 6) << 1, 0}, {},
		},
		lines: []line{{10, 20}},
		slots: []uint64{
			(handFirst + 5) << 1, uint64(leafRef(6, 2, formSparse, 0)), // the span of
			uint64(leafRef(0, 2, formShort, 0)), uint64(leafRef(2, 1, formShort, 0)), // the table
			uint64(intervalRef(0, 2)), uint64(leafRef(2, 1, formShort, 0)),
			uint64(leafRef(3, 1, formShort, 0)), uint64(leafRef(4, 1, formLong, 1)), 0, // the intervals
		},
	}
	for i := 2; i < intervalBounds; i++ {
		t.lines[0][i] = math.MaxUint32
	}
	t.lines[0][intervalBounds] = 6
	return t, tableRef(2, 1, 30, 2).withSpan()
}

// handChecker checks a tree for keys of six words.
func handChecker(t *Tree) *Loaded {
	return &Loaded{t, newChecker(t, 6, handFirst+handRules, &saved.Section{Name: sectionSlots}, &saved.Section{Name: sectionLines}, &saved.Section{Name: sectionRows})}
}

func TestWhatLookupsMayComeToIsCounted(t *testing.T) {
	tree, root := byHand()
	for ref, want := range map[Ref]extent{
		root:                            {path: 2, pending: 1, rows: 2 + 2, spans: 1},
		intervalRef(0, 2):               {path: 1, rows: 1},
		leafRef(0, 2, formShort, 0):     {rows: 2},
		leafRef(4, 1, formLong, 1):      {rows: 1},
		leafRef(6, 2, formSparse, 0):    {rows: 2},
		leafRef(6, 1, formSparse, 0):    {rows: 1},
		tableRef(8, 5, 0, 0):            {path: 1},
		tableRef(2, 0, 31, 0):           {path: 1, rows: 2},
		tableRef(6, 0, 1, 1):            {path: 1, rows: 1},
		tableRef(4, 0, 0, 1):            {path: 2, rows: 1},
		0:                               {},
		tableRef(2, 5, 0, 0).withSpan(): {path: 1, pending: 1, rows: 4, spans: 1},
	} {
		c := handChecker(tree)
		c.checker.hi, c.checker.lo = handFirst+handRules, handFirst
		is, err := c.checker.node(ref, -1, 0)
		require.NoError(t, err, ref)
		require.Equal(t, want, is, ref)
	}
	// Rows without columns, which end with the last row.
	tree.rows[7] = row{3 << 1, 0, 4 << 1, 0, 5 << 1, 0, 6 << 1, 0}
	c := handChecker(tree)
	c.checker.hi = handFirst + handRules
	is, err := c.checker.node(leafRef(7, 4, formSparse, 0), -1, 0)
	require.NoError(t, err)
	require.Equal(t, extent{rows: 4}, is)
	tree.rows[7] = row{}

	c = handChecker(tree)
	require.NoError(t, c.Check(root, handFirst, handFirst+handRules))
	require.EqualError(t, c.Check(root, handFirst, handFirst+handRules), "damaged file: section slot at byte 0: root 2: two nodes are in one place")
	require.Zero(t, c.checker.slotsLeft)
	require.EqualValues(t, 1, c.checker.rowsLeft, "the one that makes the number even")
}

func TestWhatIsWrongInATreeIsFound(t *testing.T) {
	const span, table, intervals = 1, 2, 6 // slots
	junk := Ref(1) << laneAt
	for _, tt := range []struct {
		want   string
		damage func(*Tree, *Ref)
	}{
		{"section slot at byte 0: root 1: slot 9 of 9", func(_ *Tree, root *Ref) { *root = tableRef(9, 1, 0, 0) }},
		{"section slot at byte 24: slot 9 of 9", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(tableRef(9, 1, 0, 0)) }},
		{"section slot at byte 8: slot 9 of 9", func(t *Tree, _ *Ref) { t.slots[span] = uint64(tableRef(9, 1, 0, 0)) }},
		{"section slot at byte 32: line 1 of 1", func(t *Tree, _ *Ref) { t.slots[table+2] = uint64(intervalRef(1, 2)) }},
		{"section slot at byte 40: two nodes are in one place", func(t *Tree, _ *Ref) { t.slots[table+3] = uint64(intervalRef(0, 3)) }},
		{"section slot at byte 48: a node is below itself", func(t *Tree, root *Ref) { t.slots[intervals] = uint64(*root) }},
		{"section slot at byte 16: a node is below itself", func(t *Tree, root *Ref) { t.slots[table] = uint64(*root) }},
		{"section slot at byte 64: two nodes are in one place", func(t *Tree, _ *Ref) { t.slots[intervals+2] = uint64(tableRef(2, 1, 30, 2)) }},
		{"section slot at byte 64: nodes overlap", func(t *Tree, _ *Ref) {
			t.slots[intervals+2] = uint64(tableRef(8, 1, 0, 0))
			t.slots[8] = uint64(tableRef(3, 1, 0, 0))
		}},
		{"section slot at byte 0: root 1: a table of 4 slots at 6 of 9, by word 1", func(_ *Tree, root *Ref) { *root = tableRef(6, 1, 30, 2) }},
		{"section slot at byte 0: root 1: a table of 4 slots at 1 of 9, by word 1", func(_ *Tree, root *Ref) { *root = tableRef(1, 1, 30, 2).withSpan() }},
		{"section slot at byte 0: root 1: a table of 4 slots at 2 of 9, by word 6", func(_ *Tree, root *Ref) { *root = tableRef(2, 6, 30, 2).withSpan() }},
		{"section slot at byte 0: root 1: a table of 4 slots at 2 of 9, by word 1", func(_ *Tree, root *Ref) { *root |= junk }},
		{"section slot at byte 0: a tag of more than 32 bits", func(t *Tree, _ *Ref) { t.slots[0] = 1 << 32 }},
		{"section slot at byte 32: an interval node by word 6", func(t *Tree, _ *Ref) { t.slots[table+2] = uint64(intervalRef(0, 6)) }},
		{"section slot at byte 32: an interval node by word 2", func(t *Tree, _ *Ref) { t.slots[table+2] |= uint64(junk) }},
		{"section line at byte 4: bounds that are not in order", func(t *Tree, _ *Ref) { t.lines[0][1] = 10 }},
		{"section line at byte 56: bounds that are not in order", func(t *Tree, _ *Ref) { t.lines[0][14] = 21 }},
		{"section line at byte 60: references behind the end", func(t *Tree, _ *Ref) { t.lines[0][intervalBounds] = 7 }},
		{"section slot at byte 24: a bucket with a class", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(leafRef(8, 1, formBucket, 1)) }},
		{"section slot at byte 16: a bucket with a class", func(t *Tree, _ *Ref) { t.slots[table] = uint64(leafRef(8, 2, formBucket, 0)) }},
		{"section slot at byte 16: row 8 of 8", func(t *Tree, _ *Ref) { t.slots[table] = uint64(leafRef(8, 1, formShort, 0)) }},
		{"section slot at byte 24: two leaves are in one place", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(leafRef(0, 1, formShort, 0)) }},
		{"section slot at byte 24: a leaf of 0 rows", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(leafRef(2, 0, formShort, 0)) }},
		{"section slot at byte 24: a leaf of 1 rows", func(t *Tree, _ *Ref) { t.slots[table+1] |= uint64(junk) }},
		{"section slot at byte 8: a leaf that such trees do not have", func(t *Tree, _ *Ref) { t.plain = true }},
		{"section slot at byte 8: a leaf that such trees do not have", func(t *Tree, _ *Ref) { t.slots[span] = uint64(leafRef(6, 2, formSparse, 1)) }},
		{"section slot at byte 24: class 2 of 2", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(leafRef(2, 1, formShort, 2)) }},
		{"section slot at byte 24: a leaf of another class", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(leafRef(2, 1, formShort, 1)) }},
		{"section slot at byte 56: a leaf of another class", func(t *Tree, _ *Ref) { t.slots[intervals+1] = uint64(leafRef(4, 1, formLong, 0)) }},
		{"section rows at byte 128: 6 rows behind the last", func(t *Tree, _ *Ref) { t.slots[intervals+1] = uint64(leafRef(4, 3, formLong, 1)) }},
		{"section slot at byte 24: a leaf that is not at the beginning of a line", func(t *Tree, _ *Ref) { t.slots[table+1] = uint64(leafRef(1, 2, formShort, 0)) }},
		{"section rows at byte 160: leaves overlap", func(t *Tree, _ *Ref) {
			t.slots[intervals+2] = uint64(leafRef(1, 1, formShort, 0))
			t.slots[intervals+1] = uint64(leafRef(4, 1, formLong, 1))
			t.rows = slices.Clone(t.rows[:7])
			t.slots[table+3] = uint64(leafRef(5, 1, formShort, 0))
			t.rows[5][0] = 9 << 1
		}},
		{"section rows at byte 0: a rule of rank 2 behind 3, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[0][0] = 2<<1 | 1 }},
		{"section rows at byte 32: a rule of rank 3 behind 4, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[1][0] = 3 << 1 }},
		{"section rows at byte 64: a rule of rank 10 behind 3, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[2][0] = 10 << 1 }},
		{"section rows at byte 128: a rule of rank 11 behind 3, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[4][0] = 11 << 1 }},
		{"section rows at byte 192: a rule of rank 2 behind 3, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[6][0] = 2 << 1 }},
		{"section rows at byte 192: a rule of rank 8 behind 9, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[6][5] = 8 << 1 }},
		{"section rows at byte 192: a rule of rank 10 behind 9, among 3 to 10", func(t *Tree, _ *Ref) { t.rows[6][5] = 10 << 1 }},
		{"section rows at byte 192: a column of word 6 of keys of 6", func(t *Tree, _ *Ref) { t.rows[6][2] = 6 }},
		{"section rows at byte 192: a column of word 66 of keys of 6", func(t *Tree, _ *Ref) {
			t.rows[6], t.rows[7] = row{(handFirst + 5) << 1, 2, 3, 7, 9, 66}, row{(handFirst + 6) << 1}
		}},
		{"section rows at byte 192: columns are missing", func(t *Tree, _ *Ref) { t.rows[6][1] = 5 }},
		{"section rows at byte 192: columns are missing", func(t *Tree, _ *Ref) { t.rows[6][6] = 4 }},
	} {
		tree, root := byHand()
		tt.damage(tree, &root)
		err := handChecker(tree).Check(root, handFirst, handFirst+handRules)
		if err == nil || err.Error() != "damaged file: "+tt.want {
			t.Errorf("want %s\n     got  %v", tt.want, err)
		}
	}
}

// nest returns a tree of tables of one slot below each other, with or without empty
// spans.
func nest(n int, spans bool) (*Tree, Ref) {
	t := &Tree{wants: []uint16{0, 0}, classes: []class{{blocks: 1}}, rows: make([]row, 2)}
	root := leafRef(0, 1, formShort, 0)
	for range n {
		if spans {
			t.slots = append(t.slots, 0, 0)
		}
		t.slots = append(t.slots, uint64(root))
		if root = tableRef(len(t.slots)-1, 1, 0, 0); spans {
			root = root.withSpan()
		}
	}
	return t, root
}

// nestInSpans returns tables each of which is the span of the next.
func nestInSpans(n int) (*Tree, Ref) {
	t := &Tree{wants: []uint16{0, 0}, classes: []class{{blocks: 1}}, rows: make([]row, 2)}
	root := leafRef(0, 1, formShort, 0)
	for range n {
		t.slots = append(t.slots, 0, uint64(root), 0)
		root = tableRef(len(t.slots)-1, 1, 0, 0).withSpan()
	}
	return t, root
}

func TestTreesAreAsDeepAsLookupsCanGo(t *testing.T) {
	check := func(tree *Tree, root Ref) (extent, error) {
		c := handChecker(tree)
		c.checker.hi = 2
		return c.checker.node(root, -1, 0)
	}
	is, err := check(nest(maxPath, false))
	require.NoError(t, err)
	require.Equal(t, extent{path: maxPath, rows: 1}, is)
	_, err = check(nest(maxPath+1, false))
	require.EqualError(t, err, "damaged file: section slot at byte 0: root 0: a path of 83 nodes on which 0 spans wait")

	is, err = check(nest(maxPending, true))
	require.NoError(t, err)
	require.Equal(t, extent{path: maxPending, pending: maxPending, rows: 1, spans: maxPending}, is)
	_, err = check(nest(maxPending+1, true))
	require.EqualError(t, err, "damaged file: section slot at byte 0: root 0: a path of 17 nodes on which 17 spans wait")

	is, err = check(nestInSpans(maxPath + maxNested + 1))
	require.NoError(t, err)
	require.Equal(t, extent{path: 1, pending: 1, rows: 1, spans: maxPath + maxNested + 1}, is)
	_, err = check(nestInSpans(maxPath + maxNested + 2))
	require.EqualError(t, err, "damaged file: section slot at byte 32: more than 65619 nodes below one another")
}

func TestALookupMeetsNoMoreThanThereIs(t *testing.T) {
	tree, root := nest(2, true)
	require.NoError(t, handChecker(tree).Check(root, 0, 2))
	tree, root = nest(3, true)
	require.EqualError(t, handChecker(tree).Check(root, 0, 2), "damaged file: section slot at byte 0: root 1: a lookup among 2 rules meets 1 of them and 3 spans")
	// Two leaves on the way of a lookup, one in a span, with all rules of two each.
	tree, root = nest(1, true)
	tree.rows[1][0] = 1 << 1
	leaf := uint64(leafRef(0, 2, formShort, 0))
	tree.slots[1] = leaf
	require.EqualError(t, handChecker(tree).Check(root, 0, 2), "damaged file: section slot at byte 8: two leaves are in one place")
	tree.slots[2] = leaf
	require.EqualError(t, handChecker(tree).Check(root, 0, 2), "damaged file: section slot at byte 0: root 1: a lookup among 2 rules meets 4 of them and 1 spans")
	tree.slots[1] = 0
	require.NoError(t, handChecker(tree).Check(root, 0, 2))
}
