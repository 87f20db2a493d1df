package tree

// Building: top-down, one node at a time. A node gets its entries in order of
// rank, the region of keys that can reach it, and a share of the replication
// budget; it drops what can never be answered there, and becomes a leaf, a
// table or an interval node as the plan (plan.go) finds cheapest.

import (
	"context"
	"math"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

const (
	// maxDepth bounds the nodes on a path, spans included. Common sets need
	// about 13; what is deeper becomes a chain of leaves.
	maxDepth = 40
	// maxSpans bounds how often a span may lie within a span: each costs a
	// lookup another walk.
	maxSpans = 8
	// chainRows is the number of rows in a leaf of a chain.
	chainRows = 512
	// largeNode is the number of entries of nodes at which the context is looked
	// at; below, at every 256th.
	largeNode = 1 << 12
	// pruneRows is the number of entries up to which a node compares them all
	// with one another for hidden ones.
	pruneRows = 64
)

// Config says how to build. The zero value of a field means its default.
type Config struct {
	// LeafRows is the number of entries that are not cut further; default 8.
	LeafRows int
	// Replication is the number of copies per entry that a build may spend;
	// default 4.
	Replication float64
	// Plain says that keys are those of the IPv4 5-tuple: words 1 to 5 are of
	// 32, 32, 16, 16 and 8 bits, and there are no others.
	Plain bool
	// KeepHidden keeps rules that earlier ones hide, as All needs.
	KeepHidden bool
	// Live makes trees that an Editor can change: with all hidden rules, large
	// tables in two levels, room for spans that edits add, and rules known by
	// labels instead of ranks from 0, so that an Asker must say what a Tree of
	// ranks knows by itself (see Tree.WithAsker).
	Live bool
	// MaxBytes bounds the memory of the tree and, roughly, of the build.
	MaxBytes int64

	// Workers is the number of goroutines that build a large root; default 1.
	// The tree does not depend on it.
	Workers int

	bucketRows                       int // entries that are no bucket; default bucketRows
	parallelRows, forkRows, taskRows int // of parallel building; default parallelRows and so on
}

func (c Config) orDefault() Config {
	if c.LeafRows == 0 {
		c.LeafRows = 8
	}
	if c.Replication == 0 {
		c.Replication = 4
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 34
	}
	if c.bucketRows == 0 {
		c.bucketRows = bucketRows
	}
	if c.parallelRows == 0 {
		c.parallelRows, c.forkRows, c.taskRows = parallelRows, forkRows, taskRows
	}
	c.LeafRows = min(max(c.LeafRows, 1), chainRows)
	c.KeepHidden = c.KeepHidden || c.Live
	return c
}

// Builder makes one Tree out of one or more sets of boxes. It is for one
// goroutine. After an error it must be thrown away.
type Builder struct {
	cfg  Config
	ctx  context.Context
	tree Tree
	err  error

	wantOf map[uint32]uint16
	nodes  int // since the context was last looked at

	// The set being built.
	boxes *lower.Boxes
	dims  []lower.Dim
	base  uint32
	reach []lower.Span // per dim: keys that can get here
	hull  []lower.Span // per dim: reach without what tables skipped unseen
	plan  planner

	pending int // spans that wait while a lookup is at the node being built

	buckets []bucket // to be written

	allColumns []int // of every leaf, when they fit a short row
	allClass   class // of these
	packed     []row // of these, by entry
	holes      []int // free blocks in rows

	// Scratch memory of split, by slot.
	edges []bool
	steps []int32

	clipped []lower.Span // scratch memory of dropHidden

	partsAt [maxDepth][]subtree // scratch memory of the nodes of a path, by depth

	pool  *pool // of the tasks of a large root
	alone bool  // does all tasks itself
	live  int64 // bytes that the pool has counted

	classless bool // some leaf found no class
}

// NewBuilder returns a builder that gives up when the context ends.
func NewBuilder(ctx context.Context, cfg Config) *Builder {
	b := &Builder{cfg: cfg.orDefault(), ctx: ctx, wantOf: map[uint32]uint16{0: 0}}
	b.tree.needs, b.tree.wants, b.tree.plain = []uint32{0}, []uint16{}, cfg.Plain
	b.plan.init(&b.cfg)
	return b
}

// KeepHidden makes the roots that follow keep hidden rules.
func (b *Builder) KeepHidden() { b.cfg.KeepHidden = true }

// Fixed is a word that has one value in all keys of a root.
type Fixed struct {
	Word  int
	Value uint32
}

// Grow takes the next set of boxes, whose ranks begin at base. It must be
// called once per set, before its roots.
func (b *Builder) Grow(boxes *lower.Boxes, base uint32) {
	b.boxes, b.base, b.dims = boxes, base, boxes.Dims
	b.pack()
	if b.cfg.Live {
		return
	}
	b.tree.program.Grow(&boxes.Program, base)
	t := &b.tree
	if n := boxes.Len(); n > 0 && t.wants != nil {
		t.wants = extend(t.wants, int(base+boxes.Rank[n-1])+1)
	}
	last, class := uint32(0), uint16(0) // runs of rules want the same
	for e, rank := range boxes.Rank {
		need := boxes.Need[e]
		if need != last && t.wants != nil {
			if _, ok := b.wantOf[need]; !ok {
				b.addNeed(need)
			}
			last, class = need, b.wantOf[need]
		}
		at := int(base + rank)
		if t.wants == nil {
			t.needs = extend(t.needs, at+1)
			t.needs[at] = need
		} else {
			t.wants[at] = class
		}
	}
}

// addNeed numbers what a rule wants, while there are numbers; then every rank
// has a need of its own.
func (b *Builder) addNeed(need uint32) {
	t := &b.tree
	if len(t.needs) <= math.MaxUint16 {
		b.wantOf[need] = uint16(len(t.needs))
		t.needs = append(t.needs, need)
		return
	}
	byRank := make([]uint32, len(t.wants))
	for i, class := range t.wants {
		byRank[i] = t.needs[class]
	}
	t.wants, t.needs = nil, byRank
}

// shortColumns returns all dims when a short row has room for them: then every
// leaf has the same columns, and the tree one class.
func (b *Builder) shortColumns() []int {
	all := []int{}
	wide := 0
	for d := range b.dims {
		all = append(all, d)
		if b.dims[d].Full.Hi > 0xffff {
			wide++
		}
	}
	if wide > 2 || len(all)-wide > narrowCols {
		return nil
	}
	return all
}

// extend makes s at least n long.
func extend[E any](s []E, n int) []E {
	if n <= len(s) {
		return s
	}
	return append(s, make([]E, n-len(s))...)
}

// Root builds a tree for the keys in which the words of fixed have their
// value, out of the entries of the boxes for which want, when given, is true.
func (b *Builder) Root(fixed []Fixed, want func(entry int) bool) (Ref, error) {
	b.reach = make([]lower.Span, len(b.dims))
	b.hull = make([]lower.Span, len(b.dims))
	for d := range b.dims {
		b.reach[d] = b.dims[d].Full
		for _, f := range fixed {
			if f.Word == b.dims[d].Word {
				b.reach[d] = lower.Span{Lo: f.Value, Hi: f.Value}
			}
		}
	}
	copy(b.hull, b.reach)
	entries := make([]int32, 0, b.boxes.Len())
next:
	for e := range b.boxes.Len() {
		if want != nil && !want(e) {
			continue
		}
		for d := range b.dims {
			if !b.dims[d].Spans[e].Overlaps(b.reach[d]) {
				continue next
			}
		}
		entries = append(entries, int32(e))
	}
	if len(entries) >= b.cfg.parallelRows {
		// What subtrees take that become buckets in the end is not counted by
		// one worker, but by several at a time.
		b.pool = newPool(b.cfg.Workers, 2*b.cfg.MaxBytes)
		b.alone = b.cfg.Workers <= 1
		defer func() {
			b.pool.close()
			b.pool = nil
		}()
	}
	if b.packed != nil && int64(len(entries))*64 < b.cfg.MaxBytes { // about what common sets come to
		b.tree.rows = slices.Grow(b.tree.rows, len(entries)+len(entries)/8)
		b.tree.slots = slices.Grow(b.tree.slots, len(entries))
	}
	from := len(b.tree.slots)
	ref, _ := b.node(entries, max(b.cfg.Replication-1, 0)*float64(len(entries))+16, 0, maxSpans)
	ref = b.fillBuckets(ref, from, len(entries))
	if b.ok() {
		b.ended()
	}
	return ref, b.err
}

// Tree returns what was built, without slack.
func (b *Builder) Tree() *Tree {
	t := b.tree
	t.program.Sort()
	if len(t.rows)%2 != 0 {
		t.rows = append(t.rows, row{}) // vectors load pairs
	}
	t.slots, t.lines, t.rows, t.classes = fit(t.slots), fit(t.lines), fit(t.rows), fit(t.classes)
	if t.wants != nil {
		t.wants = fit(t.wants)
	}
	t.vectorize()
	return &t
}

// fit returns s without the room behind it. It copies even where there is little,
// so that what a tree takes does not depend on how its arrays grew.
func fit[E any](s []E) []E {
	if cap(s) > len(s) {
		return append(make([]E, 0, len(s)), s...)
	}
	return s
}

// ok reports whether building may go on, and looks at the clock and the
// memory from time to time.
func (b *Builder) ok() bool {
	if b.nodes++; b.err == nil && b.nodes&255 == 0 {
		b.err = b.ctx.Err()
		if b.err == nil && b.pool != nil {
			b.err = b.pool.check(b)
		}
	}
	// References have 32 bits for an offset; a node adds less than 2^20 words.
	const most = 1<<32 - 1<<20
	tooLong := uint64(len(b.tree.slots)) > most || uint64(len(b.tree.rows)) > most
	if b.err == nil && (tooLong || b.tree.used() > b.cfg.MaxBytes) {
		b.err = lower.ErrMemory
	}
	return b.err == nil
}

// ended reports whether the context has, and building with it.
func (b *Builder) ended() bool {
	if b.err == nil {
		b.err = b.ctx.Err()
	}
	return b.err != nil
}

// node builds the node for the entries, which may grow by extra copies, and
// says what a lookup in it costs. When that is more than a bucket of all entries
// would cost, it becomes one.
func (b *Builder) node(entries []int32, extra float64, depth, spans int) (Ref, cost) {
	if !b.ok() || len(entries) >= largeNode && b.ended() {
		return 0, cost{}
	}
	if !b.cfg.KeepHidden {
		entries = b.dropHidden(entries)
	}
	if len(entries) <= b.cfg.LeafRows {
		return b.leaf(entries), costOfRows(len(entries))
	}
	if depth >= maxDepth {
		return b.last(entries)
	}
	if b.pending >= b.mostPending() {
		spans = 0
	}
	before := b.mark()
	var ref Ref
	var is cost
	ok := false
	switch c := b.plan.best(b, entries, extra, spans); c.kind {
	case cutTable:
		ref, is, ok = b.table(entries, c, extra, depth, spans)
	case cutInterval:
		ref, is, ok = b.interval(entries, c, extra, depth, spans)
	}
	if !ok {
		return b.last(entries)
	}
	if len(entries) > b.cfg.bucketRows {
		if k := b.costOfBucket(entries); is.mean > k.mean || is.worst > k.worst+bucketSlack {
			b.rollback(before)
			return b.last(entries)
		}
	}
	return ref, is
}

// mostPending is the number of waiting spans at which a node may have none: the
// last place is for a chain. Edits put a span above the root of a live tree and
// one above a bucket.
func (b *Builder) mostPending() int {
	if b.cfg.Live {
		return maxPending - 3
	}
	return maxPending - 1
}

// table builds a table node as the cut says. It reports false, and leaves
// nothing behind, when that would gain nothing.
func (b *Builder) table(entries []int32, c cut, extra float64, depth, spans int) (Ref, cost, bool) {
	size := uint32(1) << c.bits
	dim := &b.dims[c.dim]
	outerReach, outerHull := b.reach[c.dim], b.hull[c.dim]

	p, ok := b.split(entries, dim.Spans, c, extra, spans > 0)
	if !ok {
		return 0, cost{}, false
	}
	hasSpan := len(p.span) > 0
	left := float64(len(entries)) + extra - float64(p.total)
	share := func(n int) float64 { return left * float64(n) / float64(p.total+1) }

	levels := b.cfg.Live && c.bits > liveBits // two, written when the children are there
	if hasSpan && !levels {
		b.tree.slots = append(b.tree.slots, 0, 0)
	}
	off := len(b.tree.slots)
	if !levels {
		b.tree.slots = append(b.tree.slots, make([]uint64, size)...)
	}
	skips := c.hull != outerHull || outerReach != outerHull
	parts := b.partsAt[depth][:0]
	shared := -1 // child of the slots without entries of their own
	for i := range p.runs {
		r := &p.runs[i]
		if len(r.own) == 0 && shared >= 0 {
			r.child = shared
			continue
		}
		r.child = len(parts)
		all := merge(r.own, p.every)
		n := subtree{entries: all, extra: share(len(all)), reach: outerReach, hull: c.hull, spans: spans}
		if len(r.own) == 0 {
			shared = r.child
		} else {
			n.hull = lower.Span{Lo: c.hull.Lo + r.first<<c.shift, Hi: c.hull.Lo + r.end<<c.shift - 1}
			if !skips {
				n.reach = n.hull
			}
		}
		parts = append(parts, n)
	}
	if hasSpan {
		parts = append(parts, subtree{entries: p.span, extra: share(len(p.span)), reach: outerReach, hull: outerHull, spans: spans - 1, isSpan: true})
	}
	b.partsAt[depth] = parts
	is := b.subtrees(c.dim, parts, depth+1, 1)
	slots := b.tree.slots[off:]
	if levels {
		slots = make([]uint64, size)
	}
	for _, r := range p.runs {
		for x := r.first; x < r.end; x++ {
			slots[x] = uint64(parts[r.child].ref)
		}
	}
	var ref Ref
	if levels {
		ref = b.twoLevels(slots, dim.Word, int(c.shift), int(c.bits), hasSpan)
	} else {
		ref = tableRef(off, dim.Word, int(c.shift), int(c.bits))
	}
	if hasSpan {
		ref = ref.withSpan()
		b.setSpan(int(ref.offset()), &parts[len(parts)-1])
	}
	return ref, is, true
}

// Edits copy the tables on their way, so that those of live trees are small. One
// of more than liveBits becomes two levels of about as many bits, together of at
// most maxLiveTabBits.
//
// Chosen by lookups alone and beside 50,000 edits per second, in five sets of
// 100,000 rules. With 7 and 14 bits an edit leaves 2.4 kB. With 8 and 16 bits it
// leaves 4.4 kB, and lookups take as long alone and up to twice as long beside
// edits: what is new in a version is in no reader's cache. With 6 and 12 bits it
// leaves 1.4 kB, and lookups alone take up to a quarter longer.
const (
	liveBits       = 7
	maxLiveTabBits = 2 * liveBits
)

// twoLevels writes the slots of a table as a table of tables, in front of which
// there is room for a span. Second tables with one reference throughout are
// written once.
func (b *Builder) twoLevels(slots []uint64, word, shift, bits int, span bool) Ref {
	low := bits / 2
	up := make([]uint64, 0, 1<<(bits-low))
	even := map[uint64]uint64{}
	for i := 0; i < len(slots); i += 1 << low {
		part := slots[i : i+1<<low]
		same := true
		for _, x := range part {
			same = same && x == part[0]
		}
		if same && even[part[0]] != 0 {
			up = append(up, even[part[0]])
			continue
		}
		ref := uint64(tableRef(len(b.tree.slots), word, shift, low))
		b.tree.slots = append(b.tree.slots, part...)
		up = append(up, ref)
		if same {
			even[part[0]] = ref
		}
	}
	if span {
		b.tree.slots = append(b.tree.slots, 0, 0)
	}
	off := len(b.tree.slots)
	b.tree.slots = append(b.tree.slots, up...)
	return tableRef(off, word, shift+low, bits-low)
}

// setSpan gives the table at off its span.
func (b *Builder) setSpan(off int, span *subtree) {
	b.tree.slots[off-1] = uint64(span.ref)
	b.tree.slots[off-2] = uint64(b.tag(span.entries[0]))
}

// subtree is a child or the span of a node, to be built.
type subtree struct {
	entries     []int32
	extra       float64
	reach, hull lower.Span // in the word that the node cuts
	spans       int
	isSpan      bool
	ref         Ref
	is          cost
}

// subtrees builds the children of a node that cuts dimension dim, and its span,
// the last of them, if it has one. It returns what the node costs, which takes so
// many steps itself.
func (b *Builder) subtrees(dim int, list []subtree, depth int, steps float64) cost {
	hasSpan := list[len(list)-1].isSpan
	b.buildAll(dim, list, depth, hasSpan)
	sum, is := costSum{}, cost{}
	for i := range list {
		if n := &list[i]; n.isSpan {
			is = sum.under(steps).beside(n.is)
		} else {
			sum.add(n.is, len(n.entries))
		}
	}
	if hasSpan {
		return is
	}
	return sum.under(steps)
}

// build builds one of the subtrees of a node.
func (b *Builder) build(dim int, n *subtree, depth int, hasSpan bool) {
	reach, hull := b.reach[dim], b.hull[dim]
	b.reach[dim], b.hull[dim] = n.reach, n.hull
	if hasSpan && !n.isSpan {
		b.pending++
	}
	n.ref, n.is = b.node(n.entries, n.extra, depth, n.spans)
	if hasSpan && !n.isSpan {
		b.pending--
	}
	b.reach[dim], b.hull[dim] = reach, hull
}

// interval builds an interval node as the cut says, as table does.
func (b *Builder) interval(entries []int32, c cut, extra float64, depth, spans int) (Ref, cost, bool) {
	dim := &b.dims[c.dim]
	outerReach, outerHull := b.reach[c.dim], b.hull[c.dim]
	var dealt [intervalBounds + 1][]int32
	var span []int32
	total := 0
	for _, e := range entries {
		lo, hi := c.parts(dim.Spans[e])
		if hi-lo+1 > c.keep {
			span = append(span, e)
			continue
		}
		for p := lo; p <= hi; p++ {
			dealt[p] = append(dealt[p], e)
		}
		total += hi - lo + 1
	}
	total += len(span)
	left := float64(len(entries)) + extra - float64(total)
	if left < 0 || len(span) == len(entries) {
		return 0, cost{}, false
	}
	share := func(n int) float64 { return left * float64(n) / float64(total+1) }

	var l line
	for i := range l {
		l[i] = ^uint32(0)
	}
	for i, x := range c.bounds {
		l[i] = x - 1
	}
	parts := b.partsAt[depth][:0]
	for p := range len(c.bounds) + 1 {
		n := subtree{entries: dealt[p], extra: share(len(dealt[p])), reach: outerReach, hull: outerHull, spans: spans}
		if p > 0 {
			n.reach.Lo, n.hull.Lo = c.bounds[p-1], c.bounds[p-1]
		}
		if p < len(c.bounds) {
			n.reach.Hi, n.hull.Hi = c.bounds[p]-1, c.bounds[p]-1
		}
		parts = append(parts, n)
	}
	hasSpan := len(span) > 0
	if hasSpan {
		parts = append(parts, subtree{entries: span, extra: share(len(span)), reach: outerReach, hull: outerHull, spans: spans - 1, isSpan: true})
	}
	b.partsAt[depth] = parts
	is := b.subtrees(c.dim, parts, depth+1, intervalCost)
	l[intervalBounds] = uint32(len(b.tree.slots))
	for i := range len(c.bounds) + 1 {
		b.tree.slots = append(b.tree.slots, uint64(parts[i].ref))
	}
	ref := intervalRef(len(b.tree.lines), dim.Word)
	b.tree.lines = append(b.tree.lines, l)
	if !hasSpan {
		return ref, is, true
	}
	// A table of one slot carries the span.
	off := len(b.tree.slots) + 2
	b.tree.slots = append(b.tree.slots, 0, 0, uint64(ref))
	b.setSpan(off, &parts[len(parts)-1])
	return tableRef(off, 0, 0, 0).withSpan(), is, true
}

// last builds what is left when no cut is worth it: a bucket of many entries,
// a leaf of few.
func (b *Builder) last(entries []int32) (Ref, cost) {
	if len(entries) > pruneRows && !b.cfg.KeepHidden {
		entries = b.dropEqual(entries)
	}
	if len(entries) > b.cfg.bucketRows {
		return b.bucket(entries)
	}
	return b.chain(entries), costOfRows(len(entries))
}

// chain builds leaves in order of rank, each behind the last as its span.
func (b *Builder) chain(entries []int32) Ref {
	if !b.ok() {
		return 0
	}
	if len(entries) <= chainRows {
		return b.leaf(entries)
	}
	off := len(b.tree.slots) + 2
	head := b.leaf(entries[:chainRows])
	b.tree.slots = append(b.tree.slots, 0, 0, uint64(head))
	rest := b.chain(entries[chainRows:])
	b.tree.slots[off-1] = uint64(rest)
	b.tree.slots[off-2] = uint64(b.tag(entries[chainRows]))
	return tableRef(off, 0, 0, 0).withSpan()
}

// tag returns the tag of an entry's rows.
func (b *Builder) tag(e int32) uint32 {
	t := (b.base + b.boxes.Rank[e]) << 1
	if b.boxes.Inexact[e] {
		t |= 1
	}
	return t
}
