package tree

// Checking a tree that comes from a file. Lookups follow references without a
// look, and the vector walk and those in Go read without checking bounds. They
// may, when all of this holds, whatever the rest of the arrays says:
//
//   - Every reference is written in the one way that a Builder writes it, and what
//     it names lies in its array: the slots of a table and its span, the line of an
//     interval node and its references, the rows of a leaf, a bucket.
//   - No two nodes of a kind are of one place, or take more room than there is, so
//     that a check of each is linear in the file.
//   - No node is below itself. A path from a root, or from a span, to a leaf has at
//     most maxPath nodes; at most maxPending spans wait; spans nest at most
//     maxNested deep.
//   - The ranks of rows are of the root's rules, ascending in a leaf; what they
//     need and their programs are there.
//   - The leaves and buckets that a lookup may enter hold no more rows together
//     than there are rules, nor are there more spans to enter.
//
// A tree that a Builder made passes. Whether it finds the right rules nobody
// checks: that is in the checksums.

import (
	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/rules/saved"
)

const (
	// maxPath bounds the nodes on a path between spans: a Builder makes maxDepth of
	// them, each of which may be a link and an interval node.
	maxPath = 2*maxDepth + 2
	// maxNested bounds the spans within spans: maxSpans of them, and chains, of
	// 33 million rules.
	maxNested = 1 << 16
)

// extent is what lookups below a node may come to.
type extent struct {
	path    int32 // nodes to the furthest leaf, spans aside
	pending int32 // spans that wait at the same time
	rows    int64 // of leaves and buckets
	spans   int64 // entered
}

// or takes the greater of each.
func (e *extent) or(o extent) {
	e.path, e.pending = max(e.path, o.path), max(e.pending, o.pending)
	e.rows, e.spans = max(e.rows, o.rows), max(e.spans, o.spans)
}

// checked is a node that has been checked, or is about to be.
type checked struct {
	ref  Ref
	root int32 // that it is of
	done bool
	is   extent
}

// checker checks the roots of a tree.
type checker struct {
	tree     *Tree
	keyWords int
	ranks    int // all that rows may have

	slots, lines, rows *saved.Section

	root   int32
	lo, hi uint32 // ranks of the root at hand

	nodes  []checked
	atSlot []uint32 // 1 + number of the table or bucket that begins at a slot
	atLine []uint32
	leaf   []checkedLeaf // by row

	slotsLeft, rowsLeft int64 // that no node has
}

type checkedLeaf struct {
	ref  Ref // that begins there
	root int32
}

func newChecker(t *Tree, keyWords, n int, slots, lines, rows *saved.Section) checker {
	return checker{
		tree: t, keyWords: keyWords, ranks: min(n, t.ranks()), slots: slots, lines: lines, rows: rows,
		atSlot: make([]uint32, len(t.slots)), atLine: make([]uint32, len(t.lines)), leaf: make([]checkedLeaf, len(t.rows)),
		slotsLeft: int64(len(t.slots)), rowsLeft: int64(len(t.rows)),
	}
}

// Check checks a root of rules of ranks from lo up to hi. All roots of a tree that
// are different ones take time and memory linear in its arrays together.
func (l *Loaded) Check(root Ref, lo, hi uint32) error {
	c := &l.checker
	c.root++
	c.lo, c.hi = lo, min(hi, uint32(c.ranks))
	is, err := c.node(root, -1, 0)
	if err != nil {
		return err
	}
	if most := int64(hi) - int64(lo); is.rows > most || is.spans > most {
		return c.bad(-1, "a lookup among %d rules meets %d of them and %d spans", most, is.rows, is.spans)
	}
	return nil
}

// bad is an error at the reference in a slot, or at a root.
func (c *checker) bad(slot int, format string, args ...any) error {
	if slot < 0 {
		slot, format = 0, "root %d: "+format
		args = append([]any{c.root}, args...)
	}
	return c.slots.Damaged(8*slot, format, args...)
}

// node checks the node that the reference in a slot names.
func (c *checker) node(ref Ref, slot, depth int) (is extent, err error) {
	if ref.isEmpty() {
		return is, nil
	}
	if ref.isLeaf() && ref.form() != formBucket {
		return c.rowLeaf(ref, slot)
	}
	var seen *uint32
	off := uint64(ref.offset())
	if ref.isInterval() {
		if off >= uint64(len(c.atLine)) {
			return is, c.bad(slot, "line %d of %d", off, len(c.atLine))
		}
		seen = &c.atLine[off]
	} else {
		if off >= uint64(len(c.atSlot)) {
			return is, c.bad(slot, "slot %d of %d", off, len(c.atSlot))
		}
		seen = &c.atSlot[off]
	}
	if *seen != 0 {
		k := &c.nodes[*seen-1]
		if k.ref != ref || k.root != c.root {
			return is, c.bad(slot, "two nodes are in one place")
		}
		if !k.done {
			return is, c.bad(slot, "a node is below itself")
		}
		return k.is, nil
	}
	number := len(c.nodes)
	c.nodes = append(c.nodes, checked{ref: ref, root: c.root})
	*seen = uint32(number + 1)
	if depth > maxPath+maxNested {
		return is, c.bad(slot, "more than %d nodes below one another", maxPath+maxNested+1)
	}
	switch {
	case ref.isTable():
		is, err = c.table(ref, slot, depth)
	case ref.isInterval():
		is, err = c.interval(ref, slot, depth)
	default:
		is, err = c.bucket(ref, slot)
	}
	if err != nil {
		return is, err
	}
	if is.path > maxPath || is.pending > maxPending {
		return is, c.bad(slot, "a path of %d nodes on which %d spans wait", is.path, is.pending)
	}
	k := &c.nodes[number]
	k.done, k.is = true, is
	return is, nil
}

// cuts reports whether nodes may cut a word of keys.
func (c *checker) cuts(word uint32) bool { return int(word) < c.keyWords }

func (c *checker) table(ref Ref, slot, depth int) (is extent, err error) {
	slots := c.tree.slots
	off, size := uint64(ref.offset()), uint64(1)<<ref.bits()
	canonical := tableRef(int(ref.offset()), int(ref.word()), int(ref.shift()), int(ref.bits()))
	takes := int64(size)
	if ref.hasSpan() {
		canonical = canonical.withSpan()
		takes += 2
	}
	if ref != canonical || !c.cuts(ref.word()) || off+size > uint64(len(slots)) || ref.hasSpan() && off < 2 {
		return is, c.bad(slot, "a table of %d slots at %d of %d, by word %d", size, off, len(slots), ref.word())
	}
	if c.slotsLeft -= takes; c.slotsLeft < 0 {
		return is, c.bad(slot, "nodes overlap")
	}
	if err := c.children(int(off), int(size), depth, &is); err != nil {
		return is, err
	}
	if ref.hasSpan() {
		span, err := c.node(Ref(slots[off-1]), int(off-1), depth+1)
		if err != nil {
			return is, err
		}
		if slots[off-2]>>32 != 0 {
			return is, c.bad(int(off-2), "a tag of more than 32 bits")
		}
		is.pending = max(is.pending+1, span.pending)
		is.rows += span.rows
		is.spans += 1 + span.spans
	}
	is.path++
	return is, nil
}

// children checks the references in a run of slots.
func (c *checker) children(off, n, depth int, is *extent) error {
	last := uint64(0)
	for i, x := range c.tree.slots[off : off+n] {
		if x == last { // most are, in large tables
			continue
		}
		last = x
		child, err := c.node(Ref(x), off+i, depth+1)
		if err != nil {
			return err
		}
		is.or(child)
	}
	return nil
}

func (c *checker) interval(ref Ref, slot, depth int) (is extent, err error) {
	if ref != intervalRef(int(ref.offset()), int(ref.word())) || !c.cuts(ref.word()) {
		return is, c.bad(slot, "an interval node by word %d", ref.word())
	}
	l := &c.tree.lines[ref.offset()]
	parts := l.parts()
	for i := 1; i < intervalBounds; i++ {
		if l[i] < l[i-1] || l[i] == l[i-1] && l[i] != ^uint32(0) {
			return is, c.lines.Damaged(64*int(ref.offset())+4*i, "bounds that are not in order")
		}
	}
	if uint64(l[intervalBounds])+uint64(parts) > uint64(len(c.tree.slots)) {
		return is, c.lines.Damaged(64*int(ref.offset())+4*intervalBounds, "references behind the end")
	}
	if c.slotsLeft -= int64(parts); c.slotsLeft < 0 {
		return is, c.bad(slot, "nodes overlap")
	}
	err = c.children(int(l[intervalBounds]), int(parts), depth, &is)
	is.path++
	return is, err
}

func (c *checker) bucket(ref Ref, slot int) (is extent, err error) {
	if ref != leafRef(int(ref.offset()), 1, formBucket, 0) {
		return is, c.bad(slot, "a bucket with a class")
	}
	if err := bitvec.Check(c.tree.slots, ref.offset(), c.keyWords, c.lo, c.hi); err != nil {
		return is, c.slots.Damaged(8*int(ref.offset()), "%v", err)
	}
	if c.slotsLeft -= int64(bitvec.Words(c.tree.slots, ref.offset())); c.slotsLeft < 0 {
		return is, c.bad(slot, "nodes overlap")
	}
	is.rows = int64(bitvec.Len(c.tree.slots, ref.offset()))
	return is, nil
}

// rowLeaf checks a leaf of rows.
func (c *checker) rowLeaf(ref Ref, slot int) (is extent, err error) {
	t := c.tree
	off, n := uint64(ref.offset()), uint64(ref.rows())
	is.rows = int64(n)
	if off < uint64(len(c.leaf)) && c.leaf[off] == (checkedLeaf{ref, c.root}) {
		return is, nil
	}
	bad := func(row uint64, format string, args ...any) error {
		return c.rows.Damaged(4*blockWords*int(min(row, uint64(len(t.rows)))), format, args...)
	}
	switch {
	case off >= uint64(len(c.leaf)):
		return is, c.bad(slot, "row %d of %d", off, len(c.leaf))
	case c.leaf[off].ref != 0:
		return is, c.bad(slot, "two leaves are in one place")
	case ref != leafRef(int(off), int(n), ref.form(), int(ref.class())) || n == 0:
		return is, c.bad(slot, "a leaf of %d rows", n)
	}
	c.leaf[off] = checkedLeaf{ref, c.root}
	if ref.form() == formSparse {
		if t.plain || ref.class() != 0 {
			return is, c.bad(slot, "a leaf that such trees do not have")
		}
		return is, c.sparse(ref, bad)
	}
	if int(ref.class()) >= len(t.classes) {
		return is, c.bad(slot, "class %d of %d", ref.class(), len(t.classes))
	}
	blocks := uint64(t.classes[ref.class()].blocks)
	switch size := n * blocks; {
	case (ref.form() == formLong) != (blocks > 1):
		return is, c.bad(slot, "a leaf of another class")
	case size > uint64(len(t.rows))-off:
		return is, bad(off, "%d rows behind the last", size)
	case size > 1 && off%2 != 0:
		return is, c.bad(slot, "a leaf that is not at the beginning of a line")
	default:
		if c.rowsLeft -= int64(size); c.rowsLeft < 0 {
			return is, bad(off, "leaves overlap")
		}
	}
	next := c.lo
	for i := off; i < off+n*blocks; i += blocks {
		rank := t.rows[i][0] >> 1
		if rank < next || rank >= c.hi {
			return is, bad(i, "a rule of rank %d behind %d, among %d to %d", rank, next, c.lo, c.hi)
		}
		next = rank + 1
	}
	return is, nil
}

// sparse checks the rows of a sparse leaf.
func (c *checker) sparse(ref Ref, bad func(uint64, string, ...any) error) error {
	data := c.tree.flat()[int(ref.offset())*blockWords:]
	all := len(data)
	next := c.lo
	for range ref.rows() {
		at := uint64(ref.offset()) + uint64(all-len(data))/blockWords
		if len(data) < 2 || uint64(data[1]) > uint64(len(data)-2)/3 {
			return bad(at, "columns are missing")
		}
		rank, columns := data[0]>>1, data[1]
		if rank < next || rank >= c.hi {
			return bad(at, "a rule of rank %d behind %d, among %d to %d", rank, next, c.lo, c.hi)
		}
		next = rank + 1
		for i := range columns {
			if int64(data[2+3*i]) >= int64(c.keyWords) {
				return bad(at, "a column of word %d of keys of %d", data[2+3*i], c.keyWords)
			}
		}
		data = data[2+3*columns:]
	}
	if c.rowsLeft -= int64((all - len(data) + blockWords - 1) / blockWords); c.rowsLeft < 0 {
		return bad(uint64(ref.offset()), "leaves overlap")
	}
	return nil
}
