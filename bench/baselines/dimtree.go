package baselines

// The tree of the original nf-HiPAC:
//
//	M. Bellion, T. Heinz: nf-HiPAC, High Performance Firewall for Linux Netfilter,
//	2002-2005
//
// A node is one field, its values cut where the intervals of the node's rules begin
// and end, with a child for every elementary interval: nothing, a rule, a list of
// rules, or a node of a later field. Fields that no rule below asks for are
// skipped. A lookup is a binary search in each node on its way:
//
//	dport   0 |        22 |       23 |
//	          nil         sport       nil
//	                      0 | 1024 |
//	                       r7   r3
//
// A rule is copied into every interval that it covers, and so are the rules that
// leave a field open, into all of them; nothing is shared, and a rule that is hidden
// by an earlier one is copied all the same. Only for source and destination do the
// rules that leave the field open lie in a tree of their own behind the node, so
// that a lookup walks up to four paths, all of them to the end, and takes the best
// of their rules.
//
// What is added here: fields of more than 32 bits, whose bounds are compared word by
// word, fields beyond the twelve of the original, in the order of the schema behind
// them, and the rest that intervals do not say (masks, presence where the value 0
// does not tell it): a rule that has one makes its leaf a list with the rules behind
// it. The tree is made at once for the whole list, where the original inserted one
// rule after the other; the nodes are the same. While it is made it takes up to
// twice its memory.

import (
	"context"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var dimTreeMaker = maker(compare.Maker{
	Name:   "dimtree",
	Title:  "nf-HiPAC dimtree",
	Source: "Bellion, Heinz: nf-HiPAC, High Performance Firewall for Linux Netfilter, 2002-2005",
	Note:   "full replication; four paths for source and destination",
}, newDimTree)

// dimOrder is the order of the fields from the top of the tree, those of the
// original; other fields follow.
var dimOrder = []string{"ctstate", "src", "dst", "iif", "oif", "proto", "frag", "dport", "sport", "tcpflags", "icmptype", "icmpcode", "ttl"}

// A reference is a node, a rule, a list of rules or nothing: two bits that say
// which, and an index.
const (
	refNothing = 0
	refRule    = 1 << 30 // + box
	refList    = 2 << 30 // + index in lists
	refNode    = 3 << 30 // + index in nodes, divided by nodeAlign
	refIndex   = 1<<30 - 1
	nodeAlign  = 4
)

// dimTree is the finished tree. A node is, in words of the array nodes,
//
//	the dimension, the number n of intervals, the tree of the rules that leave
//	the field open, n children, and n lower bounds of as many words as the field
//
// and a list is boxes, of which the last has the bit listEnd.
type dimTree struct {
	list  *rules.List[string]
	words int
	dims  []treeDim
	root  uint32
	nodes []uint32
	lists []uint32
	rule  []int32
	rest  []rest
}

// treeDim is a field with its key words.
type treeDim struct {
	field, first, n int
	split           bool // source or destination
}

const listEnd = 1 << 31

// rest is what of a box the tree does not say: word 0 of the key under a mask,
// and whether the rule itself is to be asked.
type rest struct {
	care, state uint32
	ask         bool
}

// sure reports whether nothing remains where those fields are present.
func (r *rest) sure(present uint32) bool { return r.care&^present == 0 && r.state == 0 && !r.ask }

// dimBuild makes a tree.
type dimBuild struct {
	*dimTree
	ctx   context.Context
	mem   *budget
	steps int
	// By box and dimension: the interval of the field.
	spans []rules.Interval
	full  []rules.Interval // by dimension
}

func newDimTree(ctx context.Context, l *rules.List[string], mem *budget) (*dimTree, error) {
	s := l.Schema()
	t := &dimTree{list: l, words: s.KeyLen()}
	b := &dimBuild{dimTree: t, ctx: ctx, mem: mem}
	place := make([]int, s.Len())
	add := func(f int) {
		first, n := s.FieldWords(f)
		name := s.Field(f).Name
		place[f] = len(t.dims)
		t.dims = append(t.dims, treeDim{f, first, n, name == "src" || name == "dst"})
		b.full = append(b.full, s.Field(f).Full())
	}
	for _, name := range dimOrder {
		if f := s.Index(name); f >= 0 {
			add(f)
		}
	}
	for f := range s.Len() {
		if !slices.Contains(dimOrder, s.Field(f).Name) {
			add(f)
		}
	}
	lw := lowering{schema: s, expand: true}
	for i := range l.Len() {
		if err := poll(ctx, i); err != nil {
			return nil, err
		}
		if r := l.At(i); !r.Continue {
			if sets, ok := lw.rule(r.Conds); ok {
				b.add(int32(i), sets, place)
			}
		}
		if err := mem.check(max(t.Bytes(), 32*int64(len(b.spans)))); err != nil {
			return nil, err
		}
	}
	all := make([]uint32, len(t.rule))
	for i := range all {
		all[i] = uint32(i)
	}
	var err error
	if t.root, err = b.tree(0, all, 0); err != nil {
		return nil, err
	}
	return t, nil
}

// add adds the boxes of a rule: the product of its sets, bounded as in box.go.
func (b *dimBuild) add(rule int32, sets []fieldSet, place []int) {
	type option struct {
		rules.Interval
		rest
	}
	options := make([][]option, len(sets))
	for j := range sets {
		set := &sets[j]
		bit := uint32(1) << set.field
		zero := false
		for i := range set.pieces {
			p := &set.pieces[i]
			o := option{p.Interval, rest{ask: p.masks() || set.loose}}
			if p.zero() {
				zero = true
				if !set.absent {
					o.care = bit
				}
			}
			options[j] = append(options[j], o)
		}
		if set.absent && !zero {
			options[j] = append(options[j], option{rules.Interval{}, rest{bit, bit, false}})
		}
	}
	for {
		n, most := 1, 0
		for j, o := range options {
			n = min(n*len(o), maxBoxes+1)
			if len(o) > len(options[most]) {
				most = j
			}
		}
		if n <= maxBoxes {
			break
		}
		options[most] = []option{{sets[most].hull(), rest{ask: true}}}
	}
	var pick [rules.MaxFields]int
	for {
		at := len(b.spans)
		b.spans = append(b.spans, b.full...)
		var r rest
		for j, o := range options {
			one := &o[pick[j]]
			b.spans[at+place[sets[j].field]] = one.Interval
			r = rest{r.care | one.care, r.state | one.state, r.ask || one.ask}
		}
		b.rule = append(b.rule, rule)
		b.rest = append(b.rest, r)
		j := 0
		for ; j < len(options); j++ {
			if pick[j]++; pick[j] < len(options[j]) {
				break
			}
			pick[j] = 0
		}
		if j == len(options) {
			return
		}
	}
}

func (b *dimBuild) span(box uint32, dim int) *rules.Interval {
	return &b.spans[int(box)*len(b.dims)+dim]
}

// tree makes the tree of some boxes, in order, from a dimension on. The fields of
// present are known to be there: the way here led by values other than 0.
func (b *dimBuild) tree(dim int, boxes []uint32, present uint32) (uint32, error) {
	if b.steps++; b.steps&255 == 0 {
		if err := b.ctx.Err(); err != nil {
			return 0, err
		}
	}
	if len(boxes) == 0 {
		return refNothing, nil
	}
	for ; dim < len(b.dims); dim++ {
		if slices.ContainsFunc(boxes, func(x uint32) bool { return *b.span(x, dim) != b.full[dim] }) {
			return b.node(dim, boxes, present)
		}
	}
	return b.leaf(boxes, present)
}

// leaf makes the end of a path: the first box, and others as long as something
// remains to be asked of those before.
func (b *dimBuild) leaf(boxes []uint32, present uint32) (uint32, error) {
	if b.rest[boxes[0]].sure(present) {
		return refRule + boxes[0], nil
	}
	n := 1
	for n < len(boxes) && !b.rest[boxes[n-1]].sure(present) {
		n++
	}
	at := len(b.lists)
	b.lists = append(b.lists, boxes[:n]...)
	b.lists[len(b.lists)-1] |= listEnd
	return refList + uint32(at), b.fits()
}

// fits checks the memory taken so far, and that references reach it.
func (b *dimBuild) fits() error {
	if len(b.lists) > refIndex || len(b.nodes)/nodeAlign > refIndex {
		return b.mem.refuse(b.Bytes())
	}
	return b.mem.check(b.Bytes())
}

// bound is where boxes begin or end.
type bound struct {
	at  rules.Value
	box uint32 // its index among those of the node
	end bool
}

// node makes a node of the dimension.
func (b *dimBuild) node(dim int, boxes []uint32, present uint32) (uint32, error) {
	d := &b.dims[dim]
	var open []uint32
	if d.split {
		var inside []uint32
		for _, x := range boxes {
			if *b.span(x, dim) == b.full[dim] {
				open = append(open, x)
			} else {
				inside = append(inside, x)
			}
		}
		boxes = inside
	}
	bounds := make([]bound, 0, 2*len(boxes))
	for i, x := range boxes {
		iv := b.span(x, dim)
		bounds = append(bounds, bound{iv.Lo, uint32(i), false})
		if iv.Hi != b.full[dim].Hi {
			bounds = append(bounds, bound{iv.Hi.Next(), uint32(i), true})
		}
	}
	slices.SortFunc(bounds, func(x, y bound) int { return x.at.Cmp(y.at) })
	first := 0 // 1 when the first interval has no box
	if bounds[0].at != (rules.Value{}) {
		first = 1
	}
	n := first
	for i := range bounds {
		if i == 0 || bounds[i].at != bounds[i-1].at {
			n++
		}
	}
	at := (len(b.nodes) + nodeAlign - 1) &^ (nodeAlign - 1)
	size := 3 + n + n*d.n
	if err := b.mem.check(b.Bytes() + 4*int64(at+size-len(b.nodes))); err != nil {
		return 0, err
	}
	b.nodes = append(b.nodes, make([]uint32, at+size-len(b.nodes))...)
	if err := b.fits(); err != nil {
		return 0, err
	}
	b.nodes[at], b.nodes[at+1] = uint32(dim), uint32(n)
	child, err := b.tree(dim+1, open, present)
	if err != nil {
		return 0, err
	}
	b.nodes[at+2] = child
	var now, here []uint32 // indices of the boxes of an interval, and they themselves
	for i, c := 0, first; i < len(bounds); c++ {
		v := bounds[i].at
		for ; i < len(bounds) && bounds[i].at == v; i++ {
			j, in := slices.BinarySearch(now, bounds[i].box)
			if bounds[i].end && in {
				now = slices.Delete(now, j, j+1)
			} else if !bounds[i].end && !in {
				now = slices.Insert(now, j, bounds[i].box)
			}
		}
		for j := range d.n {
			b.nodes[at+3+n+c*d.n+j] = uint32(v.Shr(32 * (d.n - 1 - j)).Lo)
		}
		here = here[:0]
		for _, x := range now {
			here = append(here, boxes[x])
		}
		known := present
		if v != (rules.Value{}) {
			known |= 1 << d.field
		}
		if child, err = b.tree(dim+1, here, known); err != nil {
			return 0, err
		}
		b.nodes[at+3+c] = child
	}
	return refNode + uint32(at/nodeAlign), nil
}

// First walks all paths of each key.
func (t *dimTree) First(keys []uint32, out []int32) {
	n := t.words
	for i := range out {
		out[i] = -1
		if b := t.first(keys[i*n : i*n+n]); b != none {
			out[i] = t.rule[b]
		}
	}
}

func (t *dimTree) first(k []uint32) uint32 {
	best := none
	var pending [4]uint32 // no path has more than two nodes of split fields
	pending[0] = t.root
	for n := 1; n > 0; {
		n--
		ref := pending[n]
		for ref >= refNode {
			node := t.nodes[int(ref&refIndex)*nodeAlign:]
			d := &t.dims[node[0]]
			m := int(node[1])
			if node[2] != refNothing {
				pending[n] = node[2]
				n++
			}
			i := 0
			if d.n == 1 {
				i = floor(node[3+m:3+2*m], k[d.first])
			} else {
				i = floorWide(node[3+m:3+m+m*d.n], k[d.first:d.first+d.n])
			}
			ref = node[3+i]
		}
		switch {
		case ref >= refList:
			for i := ref & refIndex; ; i++ {
				b := t.lists[i] &^ listEnd
				if b >= best {
					break
				}
				if t.remains(b, k) {
					best = b
					break
				}
				if t.lists[i]&listEnd != 0 {
					break
				}
			}
		case ref >= refRule:
			best = min(best, ref&refIndex)
		}
	}
	return best
}

// remains reports whether a box whose intervals hold matches a key.
func (t *dimTree) remains(b uint32, k []uint32) bool {
	r := &t.rest[b]
	return k[0]&r.care == r.state && (!r.ask || t.list.At(int(t.rule[b])).Matches(t.list.Schema(), rules.Key(k)))
}

// floorWide returns the last of ascending bounds, of as many words as x, that is
// no larger than x; the first is 0.
func floorWide(bounds, x []uint32) int {
	w := len(x)
	lo := 0
	for n := len(bounds) / w; n > 1; {
		half := n / 2
		if slices.Compare(bounds[(lo+half)*w:(lo+half+1)*w], x) <= 0 {
			lo += half
		}
		n -= half
	}
	return lo
}

// Bytes returns the memory of nodes, lists and rules.
func (t *dimTree) Bytes() int64 {
	return 4*int64(len(t.nodes)+len(t.lists)) + 16*int64(len(t.rule))
}

// Close does nothing.
func (t *dimTree) Close() {}
