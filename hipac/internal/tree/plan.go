package tree

// Planning: which cut of a node is cheapest. For every word that some entry
// constrains, a few tables (hulls and sizes) and one set of interval bounds
// are tried by counting where the entries would go; the cost of a cut is the
// expected work of a lookup in the children, weighted by their entries, plus
// what the cut itself, a span, copies and slots cost.
//
// The constants were chosen on the twelve ClassBench families at 1k and 10k
// rules and on eight wider sets, by what a lookup of their packets visits:
// tables, interval nodes, leaves, rows and spans, weighted by the time each takes
// (8, 12, 8, 1.5 and 4 ns), and by bytes per rule. Around each the figures change
// by a few percent; far more rows are seen with copyCost 0.05, deeper trees with
// workSlope 3.

import (
	"math"
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

const (
	leafCost      = 0.3  // of entering a leaf, in table steps
	rowCost       = 0.1  // of comparing a row
	intervalCost  = 1.5  // of an interval node
	workSlope     = 1.0  // of halving the entries of a node
	spanCost      = 0.5  // of a span beside its subtree
	spanShare     = 0.7  // of lookups that have to visit a span
	copyCost      = 0.2  // per copy and entry
	slotCost      = 0.04 // per slot and entry
	slotsPerEntry = 1.0  // largest table
	tableSizes    = 3    // tried for a hull: the largest, its half, ...
	copyShare     = 0.05 // of the budget that one node may spend itself
	spanCopyShare = 0.2  // the same for a node in a span within a span: most lookups come by
	leafAtMost    = 48   // entries that a leaf may be the plan for
)

// kind is what a node becomes.
type kind int

const (
	cutNone kind = iota
	cutTable
	cutInterval
)

// cut is a way to cut a node.
type cut struct {
	cost float64
	kind kind
	dim  int
	// table: the hull's words, cut by bits at shift
	hull        lower.Span
	shift, bits uint32
	// interval: the first value of each interval but the first
	bounds []uint32
	// entries up to this size are kept, others go to the span: for tables
	// the size is class, for intervals the number of parts
	keep int
}

// slots returns the slots of a table that a span touches.
func (c *cut) slots(s lower.Span) (lo, hi uint32) {
	mask := uint32(1)<<c.bits - 1
	return max(s.Lo, c.hull.Lo) >> c.shift & mask, min(s.Hi, c.hull.Hi) >> c.shift & mask
}

// class returns the size class of a span: the bits in the number of slots it
// touches beyond one.
func (c *cut) class(s lower.Span) int { return sizeClass(clip(s, c.hull), c.shift) }

// sizeClass is class for a span within the hull.
func sizeClass(s lower.Span, shift uint32) int { return bits.Len32(s.Hi>>shift - s.Lo>>shift) }

// clip returns what two spans share.
func clip(s, t lower.Span) lower.Span {
	return lower.Span{Lo: max(s.Lo, t.Lo), Hi: min(s.Hi, t.Hi)}
}

// parts returns the intervals of an interval node that a span touches.
func (c *cut) parts(s lower.Span) (lo, hi int) {
	lo = part(c.bounds, s.Lo)
	if s.Lo == s.Hi {
		return lo, lo
	}
	return lo, lo + part(c.bounds[lo:], s.Hi)
}

// part returns the number of bounds <= x.
func part(bounds []uint32, x uint32) int {
	lo, hi := 0, len(bounds)
	for lo < hi {
		if mid := (lo + hi) / 2; bounds[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// planner holds the scratch memory of planning.
type planner struct {
	leafRows  int
	tableBits int          // of the largest table
	spans     []lower.Span // of the entries in the dimension being tried
	covering  int          // how many of them cover the node
	inner     []lower.Span // those that do not cover the hull being tried, clipped to it
	occupied  []int32      // entries by slot
	diff      []int32
	edges     []uint32
	parts     []partPair  // by entry
	sums      [64]float64 // n*work(n), so far as n is small
}

// init works out p.sums.
func (p *planner) init(c *Config) {
	p.leafRows, p.tableBits = c.LeafRows, maxTabBits
	if c.Live {
		p.tableBits = maxLiveTabBits
	}
	for n := range p.sums {
		p.sums[n] = float64(n) * p.work(n)
	}
}

// sum returns the work of n lookups among n entries.
func (p *planner) sum(n int32) float64 {
	if int(n) < len(p.sums) {
		return p.sums[n]
	}
	return float64(n) * p.work(int(n))
}

// partPair is the first and last part that a span touches.
type partPair struct{ lo, hi uint8 }

// work returns the expected cost of a lookup among n entries.
func (p *planner) work(n int) float64 {
	if n <= p.leafRows {
		return leafCost + rowCost*float64(n)
	}
	return leafCost + rowCost*float64(p.leafRows) + math.Log2(float64(n)/float64(p.leafRows))*workSlope
}

// least returns what a cut of the entries into so many children costs at least.
// Sums of o*work(o) are least when all o are the same. When less than half of
// the entries are kept, half of them are in the span, else each child has half
// of its share. Those that cover the node are in every child or in the span.
// Entries in the span are no copies, which is worth up to copyCost.
func (p *planner) least(children int, spanOK bool) float64 {
	n := len(p.spans)
	if !spanOK {
		return max(p.mean(n, children), p.work(p.covering))
	}
	span := leafCost + spanShare*spanCost
	return max(min(p.mean(n/2, children), span+spanShare*p.work(n/2)),
		min(p.work(p.covering), span+spanShare*p.work(p.covering))) - copyCost
}

// mean is the work among n entries that are spread evenly.
func (p *planner) mean(n, children int) float64 {
	if each := float64(n) / float64(children); each <= float64(p.leafRows) {
		return leafCost + rowCost*each
	}
	return p.work(n / children)
}

// best returns the cheapest cut of the entries; cutNone when none is.
func (p *planner) best(b *Builder, entries []int32, extra float64, spans int) cut {
	n := len(entries)
	c := cut{cost: math.Inf(1)}
	if n <= leafAtMost {
		c.cost = leafCost + rowCost*float64(n)
	}
	most := float64(n) + extra*copyShare
	if spans < maxSpans-1 {
		most = float64(n) + extra*spanCopyShare
	}
	for d := range b.dims {
		all := b.dims[d].Spans
		hull := b.hull[d]
		if hull.Lo == hull.Hi {
			continue
		}
		p.spans = p.spans[:0]
		p.covering = 0
		for _, e := range entries {
			s := all[e]
			if s.Covers(hull) {
				p.covering++
			}
			p.spans = append(p.spans, s)
		}
		if p.covering == n {
			continue
		}
		if b.dims[d].Full.Hi > 0xffff {
			p.tables(d, hull, most, spans > 0, &c)
		} else {
			p.intervals(d, hull, most, spans > 0, &c)
		}
	}
	if math.IsInf(c.cost, 1) {
		// No table helps. Ranges in wide words are cut by their bounds.
		for d := range b.dims {
			if b.dims[d].Full.Hi > 0xffff && b.hull[d].Lo < b.hull[d].Hi {
				p.spans, p.covering = p.spans[:0], 0
				for _, e := range entries {
					p.spans = append(p.spans, b.dims[d].Spans[e])
				}
				p.intervals(d, b.hull[d], most, spans > 0, &c)
			}
		}
	}
	return c
}

// tables tries tables on dimension d over three hulls: of all entries that do
// not cover the node, and of those that are narrow enough not to blow it up.
func (p *planner) tables(d int, hull lower.Span, most float64, spanOK bool, c *cut) {
	var tried [3]lower.Span
	for i, widest := range [3]int{32, 19, 11} {
		var first, differ uint32
		n := 0
		for _, s := range p.spans {
			if s.Covers(hull) {
				continue
			}
			lo, hi := max(s.Lo, hull.Lo), min(s.Hi, hull.Hi)
			if bits.Len32(hi-lo) > widest {
				continue
			}
			if n == 0 {
				first = lo
			}
			differ |= (lo ^ first) | (hi ^ first)
			n++
		}
		if n < 2 {
			continue
		}
		width := bits.Len32(differ)
		low := uint32(1)<<width - 1 // width 32: 0-1
		tried[i] = lower.Span{Lo: first &^ low, Hi: first | low}
		if slices.Contains(tried[:i], tried[i]) || !p.fits(tried[i]) {
			continue
		}
		largest := min(bits.Len(uint(float64(n)*slotsPerEntry)), p.tableBits, width)
		for b := largest; b >= 1 && b > largest-tableSizes; b-- {
			if 1+slotCost*float64(int(1)<<b)/float64(len(p.spans))+p.least(1<<b, spanOK) >= c.cost {
				continue
			}
			p.table(cut{kind: cutTable, dim: d, hull: tried[i], shift: uint32(width - b), bits: uint32(b)}, most, spanOK, c)
		}
	}
}

// fits reports whether a table may skip to the hull: no entry lies outside it or
// crosses its border. It makes p.inner.
func (p *planner) fits(hull lower.Span) bool {
	p.inner = p.inner[:0]
	for _, s := range p.spans {
		switch {
		case s.Covers(hull):
		case hull.Covers(s):
			p.inner = append(p.inner, s)
		default:
			return false
		}
	}
	return true
}

// table works out the cost of a table, and replaces *best when it is lower.
func (p *planner) table(t cut, most float64, spanOK bool, best *cut) {
	n := len(p.spans)
	size := 1 << t.bits
	every := n - len(p.inner) // entries that are in every slot
	var classes [33]int
	classes[t.bits] = every
	p.occupied = append(p.occupied[:0], make([]int32, size)...)
	used := 0
	low := t.hull.Lo >> t.shift
	for _, s := range p.inner {
		cl := sizeClass(s, t.shift)
		classes[cl]++
		if cl == 0 {
			x := s.Lo>>t.shift - low
			if p.occupied[x] == 0 {
				used++
			}
			p.occupied[x]++
		}
	}
	// Keep as many classes as the budget allows. A wide entry costs a copy for
	// every slot that has a child of its own.
	density := float64(used) / float64(size)
	copies, kept := 0.0, 0
	t.keep = -1
	for cl := 0; cl <= int(t.bits); cl++ {
		each := 1.0
		if cl > 0 {
			each = 1 + float64(int(1)<<cl)*density
		}
		if copies+each*float64(classes[cl]) > most {
			break
		}
		copies += each * float64(classes[cl])
		kept += classes[cl]
		t.keep = cl
	}
	spanned := n - kept
	if kept == 0 || spanned > 0 && !spanOK {
		return
	}
	wide := false
	if kept > classes[0] {
		for _, s := range p.inner {
			cl := sizeClass(s, t.shift)
			if cl == 0 || cl > t.keep {
				continue
			}
			lo, hi := s.Lo>>t.shift-low, s.Hi>>t.shift-low
			if cl > 3 { // many slots: by difference
				if !wide {
					wide = true
					p.diff = append(p.diff[:0], make([]int32, size+1)...)
				}
				p.diff[lo]++
				p.diff[hi+1]--
				continue
			}
			for x := lo; x <= hi; x++ {
				p.occupied[x]++
			}
		}
	}
	all := int32(0)
	if t.keep == int(t.bits) {
		all = int32(every)
	}
	total, work, largest := 0, 0.0, 0
	for x, o := range p.occupied {
		if wide {
			all += p.diff[x]
		}
		if o += all; o > 0 {
			total += int(o)
			work += p.sum(o)
			largest = max(largest, int(o))
		}
	}
	if largest >= n {
		return
	}
	t.cost = 1 + work/float64(total) + slotCost*float64(size)/float64(n) + copyCost*(float64(total)/float64(n)-1)
	if spanned > 0 {
		t.cost += spanShare * (spanCost + p.work(spanned))
	}
	if t.cost < best.cost {
		*best = t
	}
}

// intervals tries an interval node on dimension d, whose bounds are those of
// the entries, or sixteenths of them when there are more than a line holds.
func (p *planner) intervals(d int, hull lower.Span, most float64, spanOK bool, best *cut) {
	n := len(p.spans)
	if intervalCost+p.least(min(intervalBounds, 2*(n-p.covering))+1, spanOK) >= best.cost {
		return
	}
	p.edges = p.edges[:0]
	for _, s := range p.spans {
		if s.Lo > hull.Lo {
			p.edges = append(p.edges, s.Lo)
		}
		if s.Hi < hull.Hi {
			p.edges = append(p.edges, s.Hi+1)
		}
	}
	if len(p.edges) == 0 {
		return
	}
	slices.Sort(p.edges)
	c := cut{kind: cutInterval, dim: d, bounds: pickBounds(p.edges)}
	var classes [intervalBounds + 2]int // by parts touched
	p.parts = p.parts[:0]
	last, at := lower.Span{Lo: 1}, partPair{} // no span is that
	for _, s := range p.spans {
		if s != last { // ports come in runs
			lo, hi := c.parts(s)
			last, at = s, partPair{uint8(lo), uint8(hi)}
		}
		p.parts = append(p.parts, at)
		classes[at.hi-at.lo+1]++
	}
	copies, kept := 0.0, 0
	for parts := 1; parts < len(classes); parts++ {
		if copies+float64(parts*classes[parts]) > most {
			break
		}
		copies += float64(parts * classes[parts])
		kept += classes[parts]
		c.keep = parts
	}
	spanned := n - kept
	if kept == 0 || spanned > 0 && !spanOK {
		return
	}
	var count [intervalBounds + 1]int
	for _, at := range p.parts {
		if int(at.hi-at.lo)+1 > c.keep {
			continue
		}
		for x := at.lo; x <= at.hi; x++ {
			count[x]++
		}
	}
	total, work := 0, 0.0
	for _, o := range count {
		if o >= n {
			return
		}
		total += o
		work += p.sum(int32(o))
	}
	c.cost = intervalCost + work/float64(total) + copyCost*(float64(total)/float64(n)-1)
	if spanned > 0 {
		c.cost += spanShare * (spanCost + p.work(spanned))
	}
	if c.cost < best.cost {
		*best = c
	}
}

// pickBounds returns at most intervalBounds distinct values of the ascending
// edges, spread evenly over them.
func pickBounds(edges []uint32) []uint32 {
	distinct := 1
	for i := 1; i < len(edges); i++ {
		if edges[i] != edges[i-1] {
			distinct++
		}
	}
	out := make([]uint32, 0, intervalBounds)
	for i := 0; i < len(edges); {
		j := i + 1
		for j < len(edges) && edges[j] == edges[i] {
			j++
		}
		if distinct <= intervalBounds || j*(intervalBounds+1) >= len(edges)*(len(out)+1) && len(out) < intervalBounds {
			out = append(out, edges[i])
		}
		i = j
	}
	return out
}
