package tree

// Editing: new versions of a tree by path copying. An edit walks down to the
// leaves that a rule belongs to, writes them anew behind what the arrays hold,
// and likewise every node above up to the root, whose new reference is the new
// version. What a published version reaches is never stored to, so that any
// number of them can be read while the next one is made:
//
//	root 7 ──▶ table 7 ──▶ leaf 3 [r0 r1]          version 1
//	            └────────▶ leaf 5 [r2]
//	root 9 ──▶ table 9 ──▶ leaf 8 [r0 r4 r1]       version 2: r4 is new
//	            └────────▶ leaf 5 [r2]             shared
//
// What versions before the newest alone reach is rubbish in the arrays; Compact
// copies the newest into arrays of its own, and the others go when nobody reads
// them any more.
//
// Where a rule goes. In a table or an interval node it goes into every child
// that its box comes to, when that makes at most maxPlaces leaves to write, else
// into the span. A root that has no place for it gets a link above, whose span
// it goes to: a misfit. A leaf that grows is cut as a build would. Deleting
// finds out at each node, by following one key of the box, whether the rule is
// in the children or in the span.
//
// An edit copies two to ten kilobytes and takes one or two microseconds in sets
// of 100,000 rules.

import (
	"context"
	"errors"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

const (
	// maxPlaces is the number of leaves that an inserted rule may be copied
	// into; beyond, it goes into a span.
	maxPlaces = 16
	// maxForced is the same for a misfit.
	maxForced = 1 << 10
	// maxDead is the number of deleted rows of buckets, which stay until the next
	// build, beyond which there has to be one.
	maxDead = 1 << 12
)

// ErrRebuild means that an edit asks for more than the structure can take: the
// tree must be built anew, with the rule.
var ErrRebuild = errors.New("the tree must be built anew")

// Entry is a rule to insert or delete.
type Entry struct {
	Label   uint32
	Inexact bool
	Box     []lower.Span // by key word; kept until the edit is done
}

// Editor makes versions of a live tree. It is for one goroutine.
type Editor struct {
	b     *Builder // has the arrays
	frame *lower.Frame
	conds func(label uint32) []rules.Cond

	// The edit under way.
	tag    uint32
	orig   []lower.Span // the rule's box, by key word
	box    []lower.Span // of it, what can get to the node at hand
	reach  []lower.Span // keys that can
	corner []uint32     // one of the rule's

	version mark     // of the arrays: what the last version has
	sealed  int      // classes when t.perms were made
	dead    []uint32 // labels of the rows of buckets that are deleted, ascending
	wasDead []uint32 // at the last version
	kept    mark     // of the arrays as they were written last
	caps    [3]int   // room of the arrays, at the last version
	peak    mark     // what a version took beyond the last, at most of late

	// Misfits is the number of rules that had no place since the last build,
	// Splits that of leaves that were cut.
	Misfits, Splits int
}

// NewEditor returns an editor of a tree that was built with Config.Live. Further
// building goes by cfg. conds returns the conditions of a rule that is in the
// tree, or is being inserted.
func NewEditor(t *Tree, f *lower.Frame, cfg Config, conds func(label uint32) []rules.Cond) *Editor {
	cfg.Live = true
	e := &Editor{b: NewBuilder(context.Background(), cfg), frame: f, conds: conds}
	n := f.Schema().KeyLen()
	e.box, e.reach, e.corner = make([]lower.Span, n), make([]lower.Span, n), make([]uint32, n)
	e.b.tree = *t
	if cap(t.slots) == len(t.slots) { // as it was built
		e.b.tree.makeRoom(Tight, true, mark{})
	}
	e.b.tree.classes = slices.Clone(t.classes)
	e.b.tree.wants, e.b.tree.needs = nil, nil
	e.kept = e.b.mark()
	e.version = e.kept
	e.dead = t.dead
	e.seal()
	return e
}

// Tree returns what was made up to now as a version of its own, which later
// edits do not change.
func (e *Editor) Tree(a Asker) *Tree {
	e.seal()
	t := e.b.tree
	t.asker, t.dead = a, e.dead
	return &t
}

// seal makes all nodes public.
func (e *Editor) seal() {
	t := &e.b.tree
	e.peak.slots = max(e.peak.slots-e.peak.slots/64, len(t.slots)-e.version.slots)
	e.peak.rows = max(e.peak.rows-e.peak.rows/64, len(t.rows)-e.version.rows)
	if len(t.rows)%2 != 0 {
		t.rows = append(t.rows, row{}) // vectors load pairs
	}
	e.version = e.b.mark()
	e.caps = e.capacities()
	e.wasDead = e.dead
	if len(t.classes) != e.sealed || t.perms == nil {
		t.vectorize()
		e.sealed = len(t.classes)
	}
}

// Succeed takes the place of another editor of the same rules, whose versions tell
// what one takes: what was edited here up to now is none.
func (e *Editor) Succeed(other *Editor) {
	e.seal()
	e.peak = other.peak
}

// Undo takes back what was done since the last Tree.
func (e *Editor) Undo() {
	e.b.rollback(e.version)
	e.dead = e.wasDead
	e.b.err = nil
}

// Bytes returns the memory that the newest version takes, rubbish included.
func (e *Editor) Bytes() int64 { return e.b.tree.used() }

// Written returns the bytes of the tree as it was built or copied last, and
// those of its tables.
func (e *Editor) Written() (all, tables int64) {
	tables = 8*int64(e.kept.slots) + 64*int64(e.kept.lines)
	return tables + 32*int64(e.kept.rows), tables
}

// Rubbish returns the bytes that came since, most of which Compact would free.
func (e *Editor) Rubbish() int64 {
	t := &e.b.tree
	return 8*int64(len(t.slots)-e.kept.slots) + 64*int64(len(t.lines)-e.kept.lines) + 32*int64(len(t.rows)-e.kept.rows)
}

// Full reports whether the room for edits is used up, of tables and of rows: there
// may be none for the next version.
func (e *Editor) Full() (tables, rows bool) {
	t := &e.b.tree
	return cap(t.slots)-len(t.slots) < 2*e.peak.slots, cap(t.rows)-len(t.rows) < 2*e.peak.rows
}

// Spare returns the bytes of room behind the arrays.
func (e *Editor) Spare() int64 { return int64(e.b.tree.Bytes()) - e.b.tree.used() }

// Grew reports whether the arrays had to grow since the last version, for lack of
// room.
func (e *Editor) Grew() bool { return e.caps != e.capacities() }

func (e *Editor) capacities() [3]int {
	t := &e.b.tree
	return [3]int{cap(t.slots), cap(t.lines), cap(t.rows)}
}

// Crowded reports whether buckets have so many rows that are deleted that the tree
// should be built anew before there are too many.
func (e *Editor) Crowded() bool { return len(e.dead) > maxDead/4 }

// Dead reports whether the label is that of a deleted row in a bucket: it must
// not be given to another rule before the next build.
func (e *Editor) Dead(label uint32) bool {
	_, found := slices.BinarySearch(e.dead, label)
	return found
}

// isDead reports whether the row of a bucket is deleted.
func (t *Tree) isDead(label uint32) bool {
	if len(t.dead) == 0 {
		return false
	}
	_, found := slices.BinarySearch(t.dead, label)
	return found
}

// begin sets out from the root whose keys have the values fixed. It reports
// whether the rule's box has such keys.
func (e *Editor) begin(fixed []Fixed, r Entry) bool {
	e.tag = r.Label << 1
	if r.Inexact {
		e.tag |= 1
	}
	e.orig = r.Box
	e.frame.Full(e.reach)
	for _, f := range fixed {
		e.reach[f.Word] = lower.Span{Lo: f.Value, Hi: f.Value}
	}
	for w := range e.box {
		if !r.Box[w].Overlaps(e.reach[w]) {
			return false
		}
		e.box[w] = clip(r.Box[w], e.reach[w])
		e.corner[w] = e.box[w].Lo
	}
	return true
}

// Insert returns the root with the rule. On an error, ErrRebuild or
// lower.ErrMemory, there must be an Undo next.
func (e *Editor) Insert(root Ref, fixed []Fixed, r Entry) (Ref, error) {
	if !e.begin(fixed, r) {
		return root, nil
	}
	if e.places(root, maxPlaces) <= maxPlaces {
		root = e.insert(root, 0, maxSpans)
		return root, e.error()
	}
	// The rule fits nowhere: into the span of a link above the root, which is a
	// small tree, into as many leaves as it takes.
	e.Misfits++
	if !root.isTable() || root.bits() > 0 || !root.hasSpan() {
		root = e.link(root, e.leafOf([]uint32{r.Label}))
		return root, e.error()
	}
	off := root.offset()
	span := Ref(e.b.tree.slots[off-1])
	if e.places(span, maxForced) > maxForced {
		return root, ErrRebuild
	}
	now := e.insert(span, 0, maxSpans-1)
	root = e.copyTable(root)
	s := e.b.tree.slots[root.offset()-2:]
	s[0], s[1] = min(s[0], uint64(e.tag)), uint64(now)
	return root, e.error()
}

func (e *Editor) error() error {
	if e.b.err == nil && e.b.tree.used() > e.b.cfg.MaxBytes {
		e.b.err = lower.ErrMemory
	}
	return e.b.err
}

// link returns a table of one slot with a span.
func (e *Editor) link(ref, span Ref) Ref {
	t := &e.b.tree
	off := len(t.slots) + 2
	t.slots = append(t.slots, uint64(e.tag), uint64(span), uint64(ref))
	return tableRef(off, 0, 0, 0).withSpan()
}

// place is where an edit stands in a word, to come back to.
type place struct {
	box, reach lower.Span
	corner     uint32
}

func (e *Editor) here(w uint32) place { return place{e.box[w], e.reach[w], e.corner[w]} }
func (e *Editor) back(w uint32, p place) {
	e.box[w], e.reach[w], e.corner[w] = p.box, p.reach, p.corner
}

// touched returns the slots of a table that the box comes to: so many, from first
// on, around the end of the table.
func (e *Editor) touched(ref Ref) (first, n uint32) {
	s, size := e.box[ref.word()], uint32(1)<<ref.bits()
	lo, hi := s.Lo>>ref.shift(), s.Hi>>ref.shift()
	return lo & (size - 1), min(hi-lo, size-1) + 1
}

// enter goes into a slot of a table.
func (e *Editor) enter(ref Ref, slot uint32) {
	w, shift, bits := ref.word(), ref.shift(), ref.bits()
	low := uint32(1)<<shift - 1
	window := uint32(uint64(1)<<(shift+bits) - 1)
	s := &e.box[w]
	base := s.Lo&^window | slot<<shift
	if base|low < s.Lo {
		base += window + 1 // in the next window
	}
	e.corner[w] = max(s.Lo, base)
	if s.Hi>>shift-s.Lo>>shift < 1<<bits { // the slot holds one piece of the box
		*s = lower.Span{Lo: e.corner[w], Hi: min(s.Hi, base|low)}
	}
	if r := &e.reach[w]; r.Lo&^window == r.Hi&^window {
		base := r.Lo&^window | slot<<shift
		*r = lower.Span{Lo: max(r.Lo, base), Hi: min(r.Hi, base|low)}
	}
}

// parts returns the intervals of an interval node that the box comes to.
func (e *Editor) parts(ref Ref) (lo, hi uint32) {
	l, s := &e.b.tree.lines[ref.offset()], e.box[ref.word()]
	return l.find(s.Lo), l.find(s.Hi)
}

// enterPart goes into an interval of an interval node.
func (e *Editor) enterPart(ref Ref, part uint32) {
	l, w := &e.b.tree.lines[ref.offset()], ref.word()
	is := lower.Span{Hi: ^uint32(0)}
	if part > 0 {
		is.Lo = l[part-1] + 1
	}
	if part < intervalBounds {
		is.Hi = l[part]
	}
	e.box[w], e.reach[w] = clip(e.box[w], is), clip(e.reach[w], is)
	if c := &e.corner[w]; *c < is.Lo || *c > is.Hi {
		*c = e.box[w].Lo
	}
}

// child is a child of a node that the rule's box comes to.
type child struct {
	ref, now Ref
	part     uint32 // slot or interval, the first of them
	shared   bool   // there are several
}

// children appends the children of a node that the box comes to, each once. It
// stops when there are more than most.
func (e *Editor) children(dst []child, ref Ref, most int) []child {
	first, n, size := uint32(0), uint32(0), uint32(1)
	var refs []uint64
	if ref.isTable() {
		first, n = e.touched(ref)
		size <<= ref.bits()
		refs = e.b.tree.slots[ref.offset():][:size]
	} else {
		var hi uint32
		first, hi = e.parts(ref)
		n, size = hi-first+1, intervalBounds+1
		refs = e.b.tree.slots[e.b.tree.lines[ref.offset()][intervalBounds]:]
	}
next:
	for i := range n {
		part := (first + i) & (size - 1)
		c := Ref(refs[part])
		for j := len(dst) - 1; j >= 0; j-- { // the last one is likely
			if dst[j].ref == c {
				dst[j].shared = true
				continue next
			}
		}
		if dst = append(dst, child{ref: c, part: part}); len(dst) > most {
			return dst
		}
	}
	return dst
}

// into goes into a child of a node. What is shared is built for the keys of all
// its places, of which nothing is known then that is not known at the node.
func (e *Editor) into(ref Ref, c *child) {
	switch {
	case c.shared:
	case ref.isTable():
		e.enter(ref, c.part)
	default:
		e.enterPart(ref, c.part)
	}
}

// places returns the number of leaves that inserting the rule below the
// reference writes, or a number beyond most.
func (e *Editor) places(ref Ref, most int) int {
	if ref.isLeaf() {
		return 1
	}
	span := ref.isTable() && ref.hasSpan()
	if span && e.besideBucket(ref) {
		return e.places(Ref(e.b.tree.slots[ref.offset()-1]), most)
	}
	n := e.inChildren(ref, most)
	if n > most && span {
		return e.places(Ref(e.b.tree.slots[ref.offset()-1]), most)
	}
	return n
}

// inChildren is places without the span.
func (e *Editor) inChildren(ref Ref, most int) (sum int) {
	var room [maxPlaces + 1]child
	list := e.children(room[:0], ref, most)
	if len(list) > most {
		return most + 1
	}
	at := e.here(ref.word())
	for i := range list {
		if list[i].ref.isLeaf() {
			sum++
		} else {
			e.into(ref, &list[i])
			sum += e.places(list[i].ref, most-sum)
			e.back(ref.word(), at)
		}
		if sum > most {
			break
		}
	}
	return sum
}

// insert returns the node with the rule. pending is the number of spans that
// wait when a lookup gets there, spans how deep they may still nest below.
func (e *Editor) insert(ref Ref, pending, spans int) Ref {
	if ref.isLeaf() {
		return e.insertLeaf(ref, pending, spans)
	}
	span := ref.isTable() && ref.hasSpan()
	if !span || !e.besideBucket(ref) && e.inChildren(ref, maxPlaces) <= maxPlaces {
		if span {
			pending++
		}
		return e.change(ref, func(c Ref) Ref { return e.insert(c, pending, spans) })
	}
	now := e.insert(Ref(e.b.tree.slots[ref.offset()-1]), pending, spans-1)
	ref = e.copyTable(ref)
	s := e.b.tree.slots[ref.offset()-2:]
	s[0], s[1] = min(s[0], uint64(e.tag)), uint64(now)
	return ref
}

// besideBucket reports whether the node is the link of a bucket: what is inserted
// there goes into the link's span.
func (e *Editor) besideBucket(ref Ref) bool {
	if ref.bits() > 0 {
		return false
	}
	c := Ref(e.b.tree.slots[ref.offset()])
	return c.isLeaf() && c.form() == formBucket
}

// change returns the node with its children that the box comes to replaced by
// what do makes of them. Children that are shared stay shared.
func (e *Editor) change(ref Ref, do func(Ref) Ref) Ref {
	var room [maxPlaces + 1]child
	list := e.children(room[:0], ref, 1<<30)
	at := e.here(ref.word())
	changed := false
	for i := range list {
		e.into(ref, &list[i])
		list[i].now = do(list[i].ref)
		e.back(ref.word(), at)
		changed = changed || list[i].now != list[i].ref
	}
	if !changed {
		return ref
	}
	return e.replace(ref, list)
}

// replace returns a copy of the node whose children that the box comes to are
// what list says.
func (e *Editor) replace(ref Ref, list []child) Ref {
	first, n, size := uint32(0), uint32(0), uint32(1)
	var refs []uint64
	if ref.isTable() {
		ref = e.copyTable(ref)
		first, n = e.touched(ref)
		size <<= ref.bits()
		refs = e.b.tree.slots[ref.offset():]
	} else {
		ref = e.copyLine(ref)
		var hi uint32
		first, hi = e.parts(ref)
		n, size = hi-first+1, intervalBounds+1
		refs = e.b.tree.slots[e.b.tree.lines[ref.offset()][intervalBounds]:]
	}
	for i := range n {
		part := (first + i) & (size - 1)
		j := len(list) - 1
		for uint64(list[j].ref) != refs[part] {
			j--
		}
		refs[part] = uint64(list[j].now)
	}
	return ref
}

// copyTable returns a copy of the table at ref.
func (e *Editor) copyTable(ref Ref) Ref {
	off, front := ref.offset(), uint32(0)
	if ref.hasSpan() {
		front = 2
	}
	t := &e.b.tree
	to := uint32(len(t.slots)) + front
	t.slots = append(t.slots, t.slots[off-front:off+1<<ref.bits()]...)
	return ref&^Ref(^uint32(0)) | Ref(to)
}

// copyLine returns a copy of the interval node at ref.
func (e *Editor) copyLine(ref Ref) Ref {
	t := &e.b.tree
	l := t.lines[ref.offset()]
	refs, n := l[intervalBounds], l.parts()
	l[intervalBounds] = uint32(len(t.slots))
	t.slots = append(t.slots, t.slots[refs:refs+n]...)
	t.lines = append(t.lines, l)
	return intervalRef(len(t.lines)-1, int(ref.word()))
}

// parts returns the number of intervals of a line.
func (l *line) parts() uint32 {
	n := uint32(1)
	for n <= intervalBounds && l[n-1] != ^uint32(0) {
		n++
	}
	return n
}

// Delete returns the root without the rule; as it is when the rule is not there.
// Errors are as of Insert.
func (e *Editor) Delete(root Ref, fixed []Fixed, r Entry) (Ref, error) {
	if !e.begin(fixed, r) {
		return root, nil
	}
	root = e.remove(root)
	return root, e.error()
}

func (e *Editor) remove(ref Ref) Ref {
	if ref.isLeaf() {
		return e.removeRow(ref)
	}
	if ref.isInterval() {
		return e.removeBelow(ref, true)
	}
	first, _ := e.touched(ref)
	at := e.here(ref.word())
	e.enter(ref, first)
	inside := e.contains(Ref(e.b.tree.slots[ref.offset()+first]))
	e.back(ref.word(), at)
	if inside {
		return e.removeBelow(ref, true)
	}
	if !ref.hasSpan() {
		return ref
	}
	return e.withSpan(ref, e.remove(Ref(e.b.tree.slots[ref.offset()-1])))
}

// withSpan returns the table with another span.
func (e *Editor) withSpan(ref, span Ref) Ref {
	if span == Ref(e.b.tree.slots[ref.offset()-1]) {
		return ref
	}
	if span.isEmpty() { // the table needs none
		if ref.bits() == 0 {
			return Ref(e.b.tree.slots[ref.offset()])
		}
		return e.copyTable(ref &^ spanBit)
	}
	ref = e.copyTable(ref)
	e.b.tree.slots[ref.offset()-1] = uint64(span)
	return ref
}

// removeBelow returns the node without the rule in its children.
//
// The rule can be in more children than what can get to the node, by the tables
// passed, comes to. What was built for the keys of several places, or for more of
// a word than an edit knows, has rows where no key that matches them gets any more
// when a later edit copies it for one place. They must go too, lest they be taken
// for the rule's that the key is given to next. So all children are visited that
// the whole rule comes to; into those where none of its keys get, whether the rule
// was put into the children or the span cannot be found out, and both are searched
// (purge). real is false in what is below such a child.
func (e *Editor) removeBelow(ref Ref, real bool) Ref {
	at := e.here(ref.word())
	var known []child
	var room, more [maxPlaces + 1]child
	if real {
		known = e.children(room[:0], ref, 1<<30)
	}
	e.box[ref.word()] = e.orig[ref.word()]
	list := e.children(more[:0], ref, 1<<30)
	e.back(ref.word(), at)
	next := 0 // of known, which come in the order of list or nearly so
	changed := false
	for i := range list {
		c := &list[i]
		k := -1
		for j := range known {
			if known[(next+j)%len(known)].ref == c.ref {
				k = (next + j) % len(known)
				next = k + 1
				break
			}
		}
		if k >= 0 {
			e.into(ref, &known[k])
			c.now = e.remove(c.ref)
			e.back(ref.word(), at)
		} else {
			c.now = e.purge(c.ref)
		}
		changed = changed || c.now != c.ref
	}
	if !changed {
		return ref
	}
	e.box[ref.word()] = e.orig[ref.word()]
	ref = e.replace(ref, list)
	e.back(ref.word(), at)
	return ref
}

// purge returns the node without the rule, wherever it is.
func (e *Editor) purge(ref Ref) Ref {
	if ref.isLeaf() {
		return e.removeRow(ref)
	}
	ref = e.removeBelow(ref, false)
	if ref.isTable() && ref.hasSpan() && uint32(e.b.tree.slots[ref.offset()-2]) <= e.tag {
		return e.withSpan(ref, e.purge(Ref(e.b.tree.slots[ref.offset()-1])))
	}
	return ref
}

// contains reports whether the leaf that the corner leads to, or a span on the
// way, has the rule.
func (e *Editor) contains(ref Ref) bool {
	t := &e.b.tree
	for !ref.isLeaf() {
		if ref.isInterval() {
			l := &t.lines[ref.offset()]
			ref = Ref(t.slots[l[intervalBounds]+l.find(e.corner[ref.word()])])
			continue
		}
		off := ref.offset()
		if ref.hasSpan() && uint32(t.slots[off-2]) <= e.tag && e.contains(Ref(t.slots[off-1])) {
			return true
		}
		ref = Ref(t.slots[off+e.corner[ref.word()]>>ref.shift()&(1<<ref.bits()-1)])
	}
	return e.rowOf(ref) >= 0
}
