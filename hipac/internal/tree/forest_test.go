package tree

// Forests: trees put together at random rather than built from rules. Nodes of
// every kind lie above one another in orders that no set of rules leads to, and
// what they mean is written down beside them, so that a walk that follows
// references (any of those in Go, or the vector one) has a reference to follow.

import (
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// forestPlan says what a forest is made of.
type forestPlan struct {
	name    string
	words   int // of a key
	plain   bool
	spans   float64 // share of tables that have one
	inexact int     // one rank of so many is; 0 for none
	absent  bool    // some keys lack fields, which some ranks want
	forms   []form
	classes int
	levels  int
}

// forest is a tree whose leaves are known.
type forest struct {
	*Tree
	plan   forestPlan
	r      *rand.Rand
	top    []uint32   // the largest value of each word
	pool   [][]uint32 // values of each word, for bounds and keys
	leaves map[Ref][]forestRow
	nodes  [][]forestNode // by level
}

type forestRow struct {
	tag     uint32
	columns []forestColumn
}

type forestColumn struct{ word, lo, hi uint32 }

type forestNode struct {
	ref     Ref
	least   uint32 // tag
	pending int    // spans that may wait within
}

const forestRanks = 4000

func (f *forest) tag(rank uint32) uint32 {
	if f.plan.inexact > 0 && rank%uint32(f.plan.inexact) == 0 {
		return rank<<1 | 1
	}
	return rank << 1
}

func newForest(p forestPlan, seed uint64) *forest {
	f := &forest{Tree: &Tree{plain: p.plain}, plan: p, r: rand.New(rand.NewPCG(seed, 77)), leaves: map[Ref][]forestRow{}}
	f.top = make([]uint32, p.words)
	f.pool = make([][]uint32, p.words)
	for w := 1; w < p.words; w++ {
		f.top[w] = [3]uint32{1<<32 - 1, 1<<16 - 1, 1<<8 - 1}[f.r.IntN(3)]
		if p.plain {
			f.top[w] = [PlainKey]uint32{0, 1<<32 - 1, 1<<32 - 1, 1<<16 - 1, 1<<16 - 1, 1<<8 - 1}[w]
		}
		f.pool[w] = []uint32{0, 1, f.top[w], f.top[w] - 1, f.top[w] / 2, f.top[w]/2 + 1}
		for range 6 {
			x := f.r.Uint32() & f.top[w]
			f.pool[w] = append(f.pool[w], x, min(x+1, f.top[w]))
		}
	}
	f.needs = make([]uint32, forestRanks)
	if p.absent {
		for i := range f.needs {
			if f.r.IntN(3) == 0 {
				f.needs[i] = 1 << f.r.IntN(4)
			}
		}
	}
	if seed%2 == 0 { // what each rank needs by a number, as in most trees
		f.wants = make([]uint16, forestRanks)
		byRank := f.needs
		f.needs = []uint32{0, 1, 2, 4, 8}
		for i, n := range byRank {
			f.wants[i] = uint16(slices.Index(f.needs, n))
		}
	}
	if p.plain {
		f.classes = []class{plainClass}
	}
	for len(f.classes) < p.classes {
		f.classes = append(f.classes, f.newClass())
	}
	var leaves []forestNode
	for range 40 {
		leaves = append(leaves, f.newLeaf())
	}
	f.nodes = append(f.nodes, leaves)
	for range p.levels {
		var level []forestNode
		for range 12 {
			if f.r.IntN(3) == 0 {
				level = append(level, f.newInterval())
			} else {
				level = append(level, f.newTable())
			}
		}
		f.nodes = append(f.nodes, level)
	}
	// An odd leaf is the last; what is behind it must match nothing that it does.
	if len(f.rows)%2 == 0 {
		f.rows = append(f.rows, matchesAll)
	}
	f.rows = append(f.rows, matchesAll)
	f.vectorize()
	return f
}

// matchesAll is what lies between leaves: a row that nobody may read as his own.
var matchesAll = row{0, anyNarrow, anyNarrow, anyNarrow, 0, ^uint32(0), 0, ^uint32(0)}

// newClass makes a class over random words, whose form f.plan.forms admits.
func (f *forest) newClass() class {
	c := class{blocks: 1}
	if slices.Contains(f.plan.forms, formLong) && f.r.IntN(2) == 0 {
		c.blocks = 2 + f.r.Int32N(maxBlocks-1)
	}
	for at := 1; at < int(c.blocks)*blockWords; at++ {
		w := 1 + f.r.IntN(f.plan.words-1)
		switch {
		case at <= narrowCols && f.top[w] > 1<<16-1, at > narrowCols && at%2 != 0, f.r.IntN(4) == 0:
		default:
			c.words[at] = uint8(w)
		}
	}
	return c
}

// newLeaf makes a leaf of random rows, many of which hold much.
func (f *forest) newLeaf() forestNode {
	n := [...]int{1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 60}[f.r.IntN(13)]
	if f.r.IntN(30) == 0 {
		n = maxRows
	}
	ranks := map[uint32]bool{}
	for len(ranks) < n {
		ranks[f.r.Uint32N(forestRanks)] = true
	}
	var rows []forestRow
	for rank := range ranks {
		rows = append(rows, forestRow{tag: f.tag(rank)})
	}
	slices.SortFunc(rows, func(a, b forestRow) int { return cmp.Compare(a.tag, b.tag) })
	number := f.r.IntN(len(f.classes))
	c := &f.classes[number]
	is := formShort
	if c.blocks > 1 {
		is = formLong
	}
	if slices.Contains(f.plan.forms, formSparse) && (f.r.IntN(3) == 0 || !slices.Contains(f.plan.forms, is)) {
		is = formSparse
	}
	var ref Ref
	if is == formSparse {
		ref = f.writeSparse(rows)
	} else {
		ref = f.write(rows, number)
	}
	f.leaves[ref] = rows
	return forestNode{ref: ref, least: rows[0].tag}
}

// column draws an interval of a word.
func (f *forest) column(w int) forestColumn {
	a, b := f.pool[w][f.r.IntN(len(f.pool[w]))], f.pool[w][f.r.IntN(len(f.pool[w]))]
	switch f.r.IntN(9) {
	case 0, 1, 2, 3, 4:
		a, b = 0, f.top[w]
	case 5:
		a = 0
	case 6:
		b = f.top[w]
	}
	return forestColumn{uint32(w), min(a, b), max(a, b)}
}

func (f *forest) write(rows []forestRow, number int) Ref {
	c := f.classes[number]
	blocks := int(c.blocks)
	if len(rows)*blocks > 1 && len(f.rows)%2 != 0 {
		f.rows = append(f.rows, matchesAll)
	}
	off := len(f.rows)
	for i := range rows {
		block := []row{matchesAll}
		block[0][0] = rows[i].tag
		for len(block) < blocks {
			block = append(block, row{0, ^uint32(0), 0, ^uint32(0), 0, ^uint32(0), 0, ^uint32(0)})
		}
		for at, w := range c.words {
			if w == 0 {
				continue
			}
			col := f.column(int(w))
			rows[i].columns = append(rows[i].columns, col)
			b := &block[at/blockWords]
			if at <= narrowCols {
				b[at] = col.lo | (col.hi-col.lo)<<16
			} else {
				b[at%blockWords], b[at%blockWords+1] = col.lo, col.hi-col.lo
			}
		}
		f.rows = append(f.rows, block...)
	}
	if blocks > 1 {
		return leafRef(off, len(rows), formLong, number)
	}
	return leafRef(off, len(rows), formShort, number)
}

func (f *forest) writeSparse(rows []forestRow) Ref {
	var out []uint32
	for i := range rows {
		n := f.r.IntN(5)
		out = append(out, rows[i].tag, uint32(n))
		for range n {
			col := f.column(1 + f.r.IntN(f.plan.words-1))
			rows[i].columns = append(rows[i].columns, col)
			out = append(out, col.word, col.lo, col.hi-col.lo)
		}
	}
	if len(out) > blockWords && len(f.rows)%2 != 0 {
		f.rows = append(f.rows, matchesAll)
	}
	off := len(f.rows)
	for len(out) > 0 {
		r := matchesAll
		out = out[copy(r[:], out):]
		f.rows = append(f.rows, r)
	}
	return leafRef(off, len(rows), formSparse, 0)
}

// child picks a node, most likely of the last level, with room for spans above.
func (f *forest) child(most int) forestNode {
	if f.r.IntN(12) == 0 {
		return forestNode{least: NoMatch}
	}
	level := len(f.nodes) - 1
	if f.r.IntN(4) == 0 {
		level = f.r.IntN(len(f.nodes))
	}
	if n := f.nodes[level][f.r.IntN(len(f.nodes[level]))]; n.pending <= most {
		return n
	}
	return f.nodes[0][f.r.IntN(len(f.nodes[0]))]
}

func (f *forest) newTable() forestNode {
	w := 1 + f.r.IntN(f.plan.words-1)
	width := bits.Len32(f.top[w])
	size := 1 + f.r.IntN(5)
	shift := f.r.IntN(width - size + 1)
	node := forestNode{least: NoMatch}
	most := maxPending
	span := f.r.Float64() < f.plan.spans
	if span {
		most--
	}
	last := f.child(most)
	if span && f.r.IntN(5) == 0 {
		w, shift, size = 0, 0, 0
		last = f.within(last)
	}
	if span {
		s := f.child(maxPending)
		least := s.least
		if s.ref == 0 {
			least = f.r.Uint32N(2 * forestRanks)
		} else if f.r.IntN(2) == 0 {
			least -= min(least, f.r.Uint32N(2000)) // as if its first rule were hidden there
		}
		f.slots = append(f.slots, uint64(least), uint64(s.ref))
		node.least, node.pending = s.least, s.pending
	}
	node.ref = tableRef(len(f.slots), w, shift, size)
	if span {
		node.ref = node.ref.withSpan()
	}
	for x := range 1 << size {
		if x > 0 && f.r.IntN(3) > 0 {
			last = f.child(most)
		}
		f.slots = append(f.slots, uint64(last.ref))
		node.least, node.pending = min(node.least, last.least), max(node.pending, last.pending+maxPending-most)
	}
	return node
}

// within puts a node into an interval node of one interval. A leaf must not
// follow a table of one slot at once: that is a chain, whose order is known.
func (f *forest) within(n forestNode) forestNode {
	var l line
	for i := range l {
		l[i] = ^uint32(0)
	}
	l[intervalBounds] = uint32(len(f.slots))
	f.slots = append(f.slots, uint64(n.ref))
	f.lines = append(f.lines, l)
	n.ref = intervalRef(len(f.lines)-1, 1)
	return n
}

func (f *forest) newInterval() forestNode {
	w := 1 + f.r.IntN(f.plan.words-1)
	bounds := slices.Clone(f.pool[w])
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	f.r.Shuffle(len(bounds), func(i, j int) { bounds[i], bounds[j] = bounds[j], bounds[i] })
	bounds = bounds[:1+f.r.IntN(min(len(bounds), intervalBounds))]
	slices.Sort(bounds)
	var l line
	for i := range l {
		l[i] = ^uint32(0)
	}
	copy(l[:], bounds)
	l[intervalBounds] = uint32(len(f.slots))
	node := forestNode{least: NoMatch}
	for range len(bounds) + 1 {
		c := f.child(maxPending)
		f.slots = append(f.slots, uint64(c.ref))
		node.least, node.pending = min(node.least, c.least), max(node.pending, c.pending)
	}
	f.lines = append(f.lines, l)
	node.ref = intervalRef(len(f.lines)-1, w)
	return node
}

// lowest is the reference: the lowest tag of rank from or more that matches the
// key, by looking at all spans and all rows.
func (f *forest) lowest(r Ref, key []uint32, from uint32) uint32 {
	lowest := NoMatch
	f.visit(r, key, func(tag uint32) bool {
		if tag>>1 < from {
			return true
		}
		lowest = min(lowest, tag)
		return false
	})
	return lowest
}

// every is the reference for all matches: their ranks, as often as they appear.
func (f *forest) every(r Ref, key []uint32) (ranks []uint32) {
	f.visit(r, key, func(tag uint32) bool {
		ranks = append(ranks, tag>>1)
		return true
	})
	slices.Sort(ranks)
	return ranks
}

// visit calls yield for the rows that match the key, in order of a leaf, until
// it returns false; then goes on with the next leaf.
func (f *forest) visit(r Ref, key []uint32, yield func(tag uint32) bool) {
	off := r.offset()
	switch {
	case r == 0:
		return
	case r.isTable():
		x := key[r.word()] >> r.shift() & (1<<r.bits() - 1)
		f.visit(Ref(f.slots[off+x]), key, yield)
		if r.hasSpan() {
			f.visit(Ref(f.slots[off-1]), key, yield)
		}
		return
	case r.isInterval():
		i := uint32(0)
		for i < intervalBounds && f.lines[off][i] < key[r.word()] {
			i++
		}
		f.visit(Ref(f.slots[f.lines[off][intervalBounds]+i]), key, yield)
		return
	}
next:
	for _, row := range f.leaves[r] {
		if key[0]&f.need(row.tag>>1) != 0 {
			continue
		}
		for _, c := range row.columns {
			if key[c.word] < c.lo || key[c.word] > c.hi {
				continue next
			}
		}
		if !yield(row.tag) {
			return
		}
	}
}

// key makes a key, mostly of values at the ends of intervals.
func (f *forest) key() []uint32 {
	k := make([]uint32, f.plan.words)
	for w := 1; w < f.plan.words; w++ {
		k[w] = f.pool[w][f.r.IntN(len(f.pool[w]))]
		if f.r.IntN(4) == 0 {
			k[w] = f.r.Uint32() & f.top[w]
		}
	}
	if f.plan.absent && f.r.IntN(4) == 0 {
		k[0] = 1 << f.r.IntN(4)
	}
	return k
}

// root picks a node anywhere, the empty leaf among them.
func (f *forest) root() Ref {
	if f.r.IntN(20) == 0 {
		return 0
	}
	level := f.nodes[f.r.IntN(len(f.nodes))]
	return level[f.r.IntN(len(level))].ref
}

// forestPlans are those that the tests go through.
func forestPlans() (out []forestPlan) {
	all := []form{formShort, formLong, formSparse}
	for _, words := range []int{2, 3, 6, 9, 15, 16, 17, 20} {
		out = append(out,
			forestPlan{words: words, spans: 0.3, forms: all[:1], classes: 3, levels: 4},
			forestPlan{words: words, spans: 0.9, forms: all[:1], classes: 1, levels: 8},
			forestPlan{words: words, spans: 0.3, forms: all[:2], classes: 5, levels: 3, absent: true},
			forestPlan{words: words, spans: 0.3, forms: all, classes: maxClasses, levels: 4, inexact: 5, absent: true})
	}
	out = append(out, forestPlan{words: 4, spans: 0.95, forms: all, classes: 8, levels: 11})
	for _, spans := range []float64{0, 0.3, 0.95} {
		out = append(out,
			forestPlan{words: PlainKey, plain: true, spans: spans, forms: all[:1], classes: 1, levels: 13},
			forestPlan{words: PlainKey, plain: true, spans: spans, forms: all[:1], classes: 1, levels: 6},
			forestPlan{words: PlainKey, plain: true, spans: spans, forms: all[:1], classes: 1, levels: 4, inexact: 7, absent: true})
	}
	for i := range out {
		p := &out[i]
		p.name = fmt.Sprintf("words=%d plain=%v spans=%v forms=%d classes=%d levels=%d inexact=%d absent=%v",
			p.words, p.plain, p.spans, len(p.forms), p.classes, p.levels, p.inexact, p.absent)
	}
	return out
}
