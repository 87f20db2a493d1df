package policy

// Keeping the boxes of a walk: joined as they come, so that a million of them are
// as many regions as one wants to read. What is not kept is still counted.

import (
	"cmp"
	"iter"
	"math"
	"math/big"
	mathbits "math/bits"
	"slices"
	"sort"

	"github.com/hipac-go/classifier/hipac/internal/region"
)

const (
	// maxSpans bounds the spans of a set that joining makes: more are not read.
	maxSpans = 64
	// maxPairs bounds the pairs of rules that a region names.
	maxPairs = 64
	// keptToJoin bounds the cells that wait to be joined, of about bytesOfCell.
	keptToJoin  = 50_000
	bytesOfCell = 8 << 10
)

// pairOf is the two steps that decide somewhere, -1 where none does; or the numbers
// of what they decide.
type pairOf struct{ a, b int32 }

// cell is a product of sets in which the same class of decisions is made.
type cell struct {
	class int32
	sets  []int32 // by dimension, see cells.sets
	who   []pairOf
	hash  uint64 // the sum of the hashes of the class and of all sets
}

// hashOf is the hash of a set of dimension d, or with d -1 of a class.
func hashOf(d int, id int32) uint64 { return mix(uint64(d+1)<<32 | uint64(uint32(id))) }

func (x *cell) rehash() {
	x.hash = hashOf(-1, x.class)
	for d, id := range x.sets {
		x.hash += hashOf(d, id)
	}
}

// cells keeps cells.
type cells struct {
	p       *pair
	byValue bool // what is decided is a class, whoever does
	keep    int
	list    []cell

	classes map[pairOf]int32
	values  []pairOf // of classes: what is decided on both sides

	ids  []map[string]int32 // by dimension: numbers of sets
	ones []map[uint64]int32 // and of those of one span, by its ends
	sets [][][]region.Span
	size [][]float64 // by dimension and set, the logarithm of about how many packets

	wide  region.Box
	last  region.Box // the box that grows, not in list yet
	by    pairOf
	any   bool
	sums  map[pairOf]*Change // by value: of cells that are not in list any more
	space *big.Int           // opaque and all, of what is not in list any more
	left  int
}

func newCells(p *pair, byValue bool, keep int) *cells {
	dims := p.seq.Space.Dims()
	c := &cells{p: p, byValue: byValue, keep: keep, classes: map[pairOf]int32{}, sums: map[pairOf]*Change{}, space: new(big.Int)}
	c.ids, c.ones, c.sets, c.size = make([]map[string]int32, dims), make([]map[uint64]int32, dims), make([][][]region.Span, dims), make([][]float64, dims)
	for d := range dims {
		c.ids[d], c.ones[d] = map[string]int32{}, map[uint64]int32{}
	}
	return c
}

// value is what the steps decide; where it only counts that it differs, whether they
// do.
func (c *cells) value(by pairOf) pairOf {
	if c.p.apart {
		some := c.p.number("")
		v := pairOf{some, some}
		if by.a == -1 {
			v.a = c.p.number(c.p.old.end)
		}
		if by.b == -1 {
			v.b = c.p.number(c.p.new.end)
		}
		return v
	}
	return pairOf{c.p.number(c.p.old.says(by.a)), c.p.number(c.p.new.says(by.b))}
}

// class numbers what is decided, and unless that is enough who does.
func (c *cells) class(by pairOf) int32 {
	key, v := by, c.value(by)
	if c.byValue {
		key = v
	}
	n, ok := c.classes[key]
	if !ok {
		n = int32(len(c.values))
		c.classes[key] = n
		c.values = append(c.values, v)
	}
	return n
}

// id numbers a set of a dimension.
func (c *cells) id(d int, set []region.Span) int32 {
	if len(set) == 1 {
		return c.one(d, set[0])
	}
	var room [64]byte
	key := room[:0]
	for _, s := range set {
		key = append(key, byte(s.Lo), byte(s.Lo>>8), byte(s.Lo>>16), byte(s.Lo>>24), byte(s.Hi), byte(s.Hi>>8), byte(s.Hi>>16), byte(s.Hi>>24))
	}
	n, ok := c.ids[d][string(key)]
	if !ok {
		n = c.newSet(d, slices.Clone(set))
		c.ids[d][string(key)] = n
	}
	return n
}

// one numbers a set of one span.
func (c *cells) one(d int, s region.Span) int32 {
	key := uint64(s.Lo)<<32 | uint64(s.Hi)
	n, ok := c.ones[d][key]
	if !ok {
		n = c.newSet(d, []region.Span{s})
		c.ones[d][key] = n
	}
	return n
}

func (c *cells) newSet(d int, set []region.Span) int32 {
	c.sets[d] = append(c.sets[d], set)
	c.size[d] = append(c.size[d], math.Log2(c.p.sizeOf(d, set)))
	return int32(len(c.sets[d]) - 1)
}

// add takes a box. Boxes that are cut apart come one after the other, and are
// joined at once.
func (c *cells) add(b region.Box, by pairOf) {
	c.wide = append(c.wide[:0], b...)
	b = c.wide
	c.p.made.widen(b)
	if c.any && by == c.by && c.grow(b) {
		return
	}
	c.flush()
	c.last, c.by, c.any = append(c.last[:0], b...), by, true
}

// grow makes the last box one with b, if they are one.
func (c *cells) grow(b region.Box) bool {
	at := -1
	for d := range b {
		if c.last[d] == b[d] {
			continue
		}
		if at >= 0 || c.last[d].Hi+1 != b[d].Lo {
			return false
		}
		at = d
	}
	if at >= 0 {
		c.last[at].Hi = b[at].Hi
	}
	return true
}

// flush puts the box that grew into the list.
func (c *cells) flush() {
	if !c.any {
		return
	}
	c.any = false
	x := cell{class: c.class(c.by), sets: make([]int32, len(c.last)), who: []pairOf{c.by}}
	for d, s := range c.last {
		x.sets[d] = c.one(d, s)
	}
	x.rehash()
	c.list = append(c.list, x)
	if len(c.list) >= 2*c.keep+1<<12 {
		c.join(false)
		c.trim(c.keep + c.keep/2)
	}
}

// finish ends the taking of boxes.
func (c *cells) finish() {
	c.flush()
	c.join(true)
	c.trim(c.keep)
}

// trim keeps the n largest cells, and counts the others.
func (c *cells) trim(n int) {
	if len(c.list) <= n {
		return
	}
	weights := make([]float64, len(c.list))
	order := make([]int32, len(c.list))
	for i := range c.list {
		order[i] = int32(i)
		for d, id := range c.list[i].sets {
			weights[i] += c.size[d][id]
		}
	}
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(weights[j], weights[i]), cmp.Compare(i, j))
	})
	kept := make([]cell, n)
	for k, i := range order[:n] {
		kept[k] = c.list[i]
	}
	for _, i := range order[n:] {
		c.count(&c.list[i])
		c.left++
	}
	c.list = kept
	// Sets that nobody has any more.
	for d := range c.ids {
		if len(c.sets[d]) > 4*n+1024 {
			c.renumber(d)
		}
	}
}

// renumber forgets the sets of a dimension that no cell has.
func (c *cells) renumber(d int) {
	old := c.sets[d]
	c.ids[d], c.ones[d], c.sets[d], c.size[d] = map[string]int32{}, map[uint64]int32{}, nil, nil
	for i := range c.list {
		c.list[i].sets[d] = c.id(d, old[c.list[i].sets[d]])
		c.list[i].rehash()
	}
	c.p.made.forget()
}

// setsOf returns the sets of a cell.
func (c *cells) setsOf(x *cell) region.Sets {
	out := make(region.Sets, len(x.sets))
	for d, id := range x.sets {
		out[d] = c.sets[d][id]
	}
	return out
}

// count adds a cell to the sums, and returns its packets.
func (c *cells) count(x *cell) *big.Int {
	sets := c.setsOf(x)
	n := c.p.made.count(sets, x.sets)
	v := c.values[x.class]
	sum := c.sums[v]
	if sum == nil {
		sum = &Change{Packets: new(big.Int), Perhaps: new(big.Int)}
		c.sums[v] = sum
	}
	sum.Regions++
	free, tested := 0, false
	for d, set := range sets {
		if c.p.seq.Space.IsOpaque(d) {
			if len(set) == 1 && set[0].Lo == set[0].Hi {
				tested = true
			} else {
				free++
			}
		}
	}
	if tested {
		sum.Perhaps.Add(sum.Perhaps, n)
	} else {
		sum.Packets.Add(sum.Packets, n)
	}
	c.space.Add(c.space, new(big.Int).Lsh(n, uint(free)))
	return n
}

// join joins cells: those that touch, and in the end all that are alike but for
// one dimension, up to maxSpans. It takes O(n log n) for each dimension of a few
// rounds.
func (c *cells) join(all bool) {
	dims := c.p.joinOrder()
	for touching := true; ; {
		before := len(c.list)
		for _, d := range dims {
			c.joinAlong(d, touching)
		}
		switch {
		case len(c.list) < before-before/100:
		case touching && all:
			touching = false
		default:
			return
		}
		if !all {
			return
		}
	}
}

// joinAlong joins the cells that are alike but for dimension d.
func (c *cells) joinAlong(d int, touching bool) {
	gone := make([]bool, len(c.list))
	lo := func(i int32) uint32 { return c.sets[d][c.list[i].sets[d]][0].Lo }
	for group := range c.alikeBut(d) {
		slices.SortFunc(group, func(i, j int32) int { return cmp.Or(cmp.Compare(lo(i), lo(j)), cmp.Compare(i, j)) })
		for k := 0; k < len(group); {
			head := k
			x := &c.list[group[head]]
			set := c.sets[d][x.sets[d]]
			k++
			for ; k < len(group); k++ {
				y := &c.list[group[k]]
				more := c.sets[d][y.sets[d]]
				if !c.alike(x, y, d) || len(set)+len(more) > maxSpans ||
					touching && (len(set) > 1 || len(more) > 1 || set[0].Hi+1 != more[0].Lo) {
					break
				}
				set = normal(slices.Concat(set, more))
				for _, w := range y.who {
					if len(x.who) < maxPairs && !slices.Contains(x.who, w) {
						x.who = append(x.who[:len(x.who):len(x.who)], w)
					}
				}
				gone[group[k]] = true
			}
			if k > head+1 {
				id := c.id(d, set)
				x.hash += hashOf(d, id) - hashOf(d, x.sets[d])
				x.sets[d] = id
			}
		}
	}
	kept := c.list[:0]
	for i := range c.list {
		if !gone[i] {
			kept = append(kept, c.list[i])
		}
	}
	c.list = kept
}

// alikeBut iterates over the groups of two cells and more whose hashes are the same
// without dimension d, in the order of their first cells: by hashing, as sorting them
// all would be most of the work of a comparison.
func (c *cells) alikeBut(d int) iter.Seq[[]int32] {
	bits := 64 - mathbits.LeadingZeros64(uint64(2*len(c.list)))
	first := make([]int32, 1<<bits) // by hash: the first cell of a group and one; 0: none
	next := make([]int32, len(c.list))
	last := make([]int32, len(c.list)) // of groups, by their first cells
	hash := make([]uint64, len(c.list))
	for i := range c.list {
		x := &c.list[i]
		h := x.hash - hashOf(d, x.sets[d])
		hash[i], last[i] = h, int32(i)
		for at := mix(h) >> (64 - bits); ; at = (at + 1) & (1<<bits - 1) {
			head := first[at] - 1
			if head < 0 {
				first[at] = int32(i) + 1
				break
			}
			if hash[head] == h {
				next[last[head]], last[head] = int32(i), int32(i)
				break
			}
		}
	}
	return func(yield func([]int32) bool) {
		var group []int32
		for i := range c.list {
			if last[i] == int32(i) { // alone, or in the middle of a group
				continue
			}
			group = append(group[:0], int32(i))
			for at := int32(i); at != last[i]; {
				at = next[at]
				group = append(group, at)
			}
			if !yield(group) {
				return
			}
		}
	}
}

func (c *cells) alike(x, y *cell, d int) bool {
	if x.class != y.class {
		return false
	}
	for e := range x.sets {
		if e != d && x.sets[e] != y.sets[e] {
			return false
		}
	}
	return true
}

// mix is the finalizer of splitmix64 (G. Steele, D. Lea, C. Flood: Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// changes returns the sums of what changes, the largest first.
func (c *cells) changes() (out []Change) {
	for v, sum := range c.sums {
		sum.Old, sum.New = c.p.verdicts[v.a], c.p.verdicts[v.b]
		out = append(out, *sum)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := &out[i], &out[j]
		return cmp.Or(b.Packets.Cmp(a.Packets), b.Perhaps.Cmp(a.Perhaps), cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New)) < 0
	})
	return out
}
