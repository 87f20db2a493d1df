package nftables

// Sets and maps: anonymous ones, in a rule, and named ones. The elements that a
// packet is looked up among become ways, one or more for each thing that an
// element stands for.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// element is one of a set or a map.
type element struct {
	dims    [][]rules.Interval // for each part of a concatenation: one interval, of the operand's values
	verdict int                // place among the verdicts; 0 in sets
}

// elements are those of a set or a map.
type elements struct {
	list     []element
	rest     int // verdict of all others ("*"); -1: none
	verdicts []*value
}

// labelled is a way with the place of what it leads to.
type labelled struct {
	way   way
	label int
}

// namedSet is a set or a map of a table.
type namedSet struct {
	v      *value // the object
	isMap  bool
	verb   bool   // a map of verdicts
	change string // the statement by which a rule changes it; "": none
}

// elementKeys are what an element may carry that makes no difference to who is in
// the set.
var elementKeys = []string{"val", "timeout", "expires", "comment", "counter", "last"}

// unwrap returns the value of an element, which may carry more. An *unmodelled says
// that what it carries makes a difference.
func (r *reader) unwrap(v *value) (*value, error) {
	for {
		key, x := v.only()
		if key != "elem" || x.kind != isObject {
			return v, nil
		}
		for i, k := range x.keys {
			if !slices.Contains(elementKeys, k) {
				return nil, &unmodelled{name: "set element with " + k, at: x.list[i].at}
			}
		}
		val := x.get("val")
		if val == nil {
			return nil, r.expect(x, `an element with a member "val"`)
		}
		v = val
	}
}

// readElements reads the elements of a set, or of a map of verdicts, for operands.
func (r *reader) readElements(v *value, dims []*operand, isMap bool) (*elements, error) {
	e := &elements{rest: -1}
	if v == nil {
		return e, nil
	}
	items := []value{*v}
	if v.kind == isList {
		items = v.list
	}
	e.list = make([]element, 0, len(items))
	texts := map[string]int{} // verdicts by their text
	for i := range items {
		item, label := &items[i], 0
		if isMap {
			if item.kind != isList || len(item.list) != 2 {
				return nil, r.expect(item, "a list of a value and a verdict")
			}
			verdict := &item.list[1]
			text := textOf(verdict)
			at, known := texts[text]
			if !known {
				at = len(e.verdicts)
				texts[text] = at
				e.verdicts = append(e.verdicts, verdict)
			}
			item, label = &item.list[0], at
		}
		val, err := r.unwrap(item)
		if err != nil {
			return nil, err
		}
		if val.kind == isString && val.text == "*" {
			e.rest = label
			continue
		}
		one := element{verdict: label}
		if len(dims) == 1 {
			iv, err := r.interval(val, dims[0].typ)
			if err != nil {
				return nil, err
			}
			one.dims = [][]rules.Interval{{iv}}
		} else {
			key, parts := val.only()
			if key != "concat" || parts.kind != isList || len(parts.list) != len(dims) {
				return nil, r.expect(val, fmt.Sprintf("a concatenation of %d values", len(dims)))
			}
			for d := range dims {
				iv, err := r.interval(&parts.list[d], dims[d].typ)
				if err != nil {
					return nil, err
				}
				one.dims = append(one.dims, []rules.Interval{iv})
			}
		}
		e.list = append(e.list, one)
	}
	return e, nil
}

// look returns the ways of looking up operands among elements: those of what is
// found, or, of sets, with not of what is not.
func (r *reader) look(dims []*operand, e *elements, not, isMap bool) ([]labelled, error) {
	if len(dims) == 1 {
		return r.lookOne(dims[0], e, not, isMap)
	}
	b := &boxes{dims: dims, residual: e.rest, most: r.limits.MaxElements, work: maxWork}
	if not {
		b.residual = 0
		if e.rest >= 0 {
			b.residual = -1
		}
	}
	for _, one := range e.list {
		box := make([][]rules.Interval, len(dims))
		for d, o := range dims {
			list, ok := o.fieldOf(one.dims[d])
			if !ok {
				return nil, &unmodelled{name: "match a concatenation with " + o.name()}
			}
			box[d] = list
		}
		label := one.verdict
		if not {
			label = -1
		}
		b.boxes, b.labels = append(b.boxes, box), append(b.labels, label)
	}
	return b.split()
}

// name is the operand for messages.
func (o *operand) name() string {
	name, _, _ := strings.Cut(o.key, " &")
	return name
}

func (r *reader) lookOne(o *operand, e *elements, not, isMap bool) ([]labelled, error) {
	lists := make([][]rules.Interval, max(1, len(e.verdicts)))
	var all []rules.Interval
	for _, one := range e.list {
		lists[one.verdict] = append(lists[one.verdict], one.dims[0]...)
		all = append(all, one.dims[0]...)
	}
	for i := range lists {
		lists[i] = normalized(lists[i])
		for j := range i {
			if len(intersect(lists[i], lists[j])) > 0 {
				return nil, &unmodelled{name: "vmap with elements that overlap"}
			}
		}
	}
	var out []labelled
	add := func(list []rules.Interval, not bool, label int) error {
		ways, ok := o.ways(list, not, r.limits.MaxElements)
		if !ok {
			return &unmodelled{name: "match these values of " + o.name()}
		}
		for _, w := range ways {
			out = append(out, labelled{w, label})
		}
		return nil
	}
	if isMap {
		for label := range e.verdicts {
			if len(lists[label]) > 0 {
				if err := add(lists[label], false, label); err != nil {
					return nil, err
				}
			}
		}
		if e.rest >= 0 {
			if err := add(normalized(all), true, e.rest); err != nil {
				return nil, err
			}
		}
		if out == nil {
			out = []labelled{{o.never()[0], 0}}
		}
		return out, nil
	}
	if e.rest >= 0 {
		lists[0] = []rules.Interval{o.typ.full()}
	}
	err := add(lists[0], not, 0)
	return out, err
}

// maxWork bounds the steps of taking the concatenations of one set apart.
const maxWork = 1 << 22

// boxes are the elements of a concatenation as boxes of fields, to be taken apart
// into ones that are disjoint: field by field, the values that lie in the same
// elements go on together.
type boxes struct {
	dims     []*operand
	boxes    [][][]rules.Interval
	labels   []int
	residual int       // label of what is in no box; -1: it is left out
	tails    [][]int32 // of each box: what it asks of the fields from one on, as a number
	first    [][]int32 // of each number the first box that asks it
	out      []labelled
	most     int
	work     int
}

func (b *boxes) split() ([]labelled, error) {
	n := len(b.dims)
	b.tails, b.first = make([][]int32, n+1), make([][]int32, n+1)
	for d := n; d >= 0; d-- {
		seen := map[string]int32{}
		b.tails[d] = make([]int32, len(b.boxes))
		var key []byte
		for i := range b.boxes {
			key = key[:0]
			if d == n {
				key = fmt.Appendf(key, "%d", b.labels[i])
			} else {
				for _, iv := range b.boxes[i][d] {
					key = fmt.Appendf(key, "%x.%x-%x.%x,", iv.Lo.Hi, iv.Lo.Lo, iv.Hi.Hi, iv.Hi.Lo)
				}
				key = fmt.Appendf(key, "|%d", b.tails[d+1][i])
			}
			at, ok := seen[string(key)]
			if !ok {
				at = int32(len(seen))
				seen[string(key)] = at
				b.first[d] = append(b.first[d], int32(i))
			}
			b.tails[d][i] = at
		}
	}
	var deps way
	for _, o := range b.dims {
		deps = append(deps, o.deps...)
	}
	all := make([]int32, len(b.first[0])) // tails at field 0
	for i := range all {
		all[i] = int32(i)
	}
	if err := b.at(0, all, deps); err != nil {
		return nil, err
	}
	if b.out == nil {
		b.out = []labelled{{b.dims[0].never()[0], 0}}
	}
	return b.out, nil
}

// emit adds a way, whose fields from d on may have any value.
func (b *boxes) emit(d int, w way, label int) error {
	if label < 0 {
		return nil
	}
	if len(b.out) >= b.most {
		return fmt.Errorf("%w: the concatenations stand for more than %d rules", rules.ErrLimit, b.most)
	}
	w = slices.Clip(w)
	for ; d < len(b.dims); d++ {
		w = append(w, oneOf(b.dims[d].field, b.dims[d].everything()))
	}
	b.out = append(b.out, labelled{slices.Clip(w), label})
	return nil
}

// everything are all values of the operand's field.
func (o *operand) everything() []rules.Interval {
	if o.within != nil {
		return normalized(o.within)
	}
	return []rules.Interval{{Hi: rules.Ones(o.bits())}}
}

// at goes on with the boxes that ask one of the tails of the fields from d on.
func (b *boxes) at(d int, tails []int32, w way) error {
	if len(tails) == 0 {
		return b.emit(d, w, b.residual)
	}
	if d == len(b.dims) {
		for _, t := range tails[1:] {
			if t != tails[0] {
				return &unmodelled{name: "vmap with elements that overlap"}
			}
		}
		return b.emit(d, w, b.labels[b.first[d][tails[0]]])
	}
	// The places where the boxes begin and end in this field.
	type edge struct {
		at   rules.Value
		ends bool // behind at
		tail int32
	}
	var edges []edge
	for _, t := range tails {
		i := b.first[d][t]
		for _, iv := range b.boxes[i][d] {
			edges = append(edges, edge{iv.Lo, false, b.tails[d+1][i]}, edge{iv.Hi, true, b.tails[d+1][i]})
		}
	}
	slices.SortFunc(edges, func(x, y edge) int {
		if c := x.at.Cmp(y.at); c != 0 {
			return c
		}
		switch {
		case x.ends == y.ends:
			return 0
		case x.ends:
			return 1
		}
		return -1
	})
	type group struct {
		tails []int32
		list  []rules.Interval
	}
	var groups []*group
	byKey := map[string]*group{}
	var key []byte
	active := map[int32]int{}
	add := func(lo, hi rules.Value) error {
		if b.work -= len(active) + 1; b.work < 0 {
			return fmt.Errorf("%w: the concatenations overlap in too many ways", rules.ErrLimit)
		}
		list := make([]int32, 0, len(active))
		for t := range active {
			list = append(list, t)
		}
		slices.Sort(list)
		key = key[:0]
		for _, t := range list {
			key = append(key, byte(t), byte(t>>8), byte(t>>16), byte(t>>24))
		}
		g := byKey[string(key)]
		if g == nil {
			g = &group{tails: list}
			byKey[string(key)], groups = g, append(groups, g)
		}
		g.list = append(g.list, rules.Interval{Lo: lo, Hi: hi})
		return nil
	}
	everything := b.dims[d].everything()
	next, most := everything[0].Lo, everything[len(everything)-1].Hi // the first value that has no group yet
	past := false
	for _, e := range edges {
		switch {
		case !e.ends:
			if next.Less(e.at) {
				if err := add(next, e.at.Prev()); err != nil {
					return err
				}
				next = e.at
			}
			active[e.tail]++
		default:
			if !e.at.Less(next) && !past {
				if err := add(next, e.at); err != nil {
					return err
				}
				if past = e.at == rules.Ones(128); !past {
					next = e.at.Next()
				}
			}
			if active[e.tail]--; active[e.tail] == 0 {
				delete(active, e.tail)
			}
		}
	}
	if !past && !most.Less(next) {
		if err := add(next, most); err != nil {
			return err
		}
	}
	for _, g := range groups {
		list := intersect(normalized(g.list), everything)
		if len(list) == 0 {
			continue
		}
		if err := b.at(d+1, g.tails, append(slices.Clip(w), oneOf(b.dims[d].field, list))); err != nil {
			return err
		}
	}
	return nil
}
