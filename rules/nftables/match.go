package nftables

// Comparisons and verdict maps: the ways in which they hold.

import (
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// operands reads the left side: an operand, or the parts of a concatenation.
func (t *tableReader) operands(v *value) ([]*operand, error) {
	dims, err := t.parts(t.r, v)
	for _, o := range dims {
		if err == nil && o.ofConnection() && t.tracked[t.chain]&inFront != 0 {
			err = &unmodelled{name: "match " + o.name() + " in front of connection tracking", at: v.at}
		}
	}
	return dims, err
}

func (s *scope) parts(r *reader, v *value) ([]*operand, error) {
	if key, x := v.only(); key == "concat" {
		if x.kind != isList || len(x.list) < 2 {
			return nil, r.expect(x, "a list of two expressions or more")
		}
		var dims []*operand
		for i := range x.list {
			o, err := s.operand(r, &x.list[i])
			if err != nil {
				return nil, err
			}
			if o.supplied() {
				return nil, &unmodelled{name: "match a concatenation with " + o.name(), at: v.at}
			}
			dims = append(dims, o)
		}
		return dims, nil
	}
	o, err := s.operand(r, v)
	if err != nil {
		return nil, err
	}
	return []*operand{o}, nil
}

// ofConnection reports whether the operand is about the packet's connection.
func (o *operand) ofConnection() bool { return strings.HasPrefix(universe[o.field].Name, "ct") }

// supplied reports whether the operand is no field.
func (o *operand) supplied() bool { return o.how == owner }

// compare reads a match statement. It returns the ways in which it holds, or, for
// what is no field, tests.
func (t *tableReader) compare(x *value) ([]labelled, []rules.Test, error) {
	r := t.r
	if err := r.members(x, "match", "op", "left", "right"); err != nil {
		return nil, nil, err
	}
	left, right := x.get("left"), x.get("right")
	if left == nil || right == nil {
		return nil, nil, r.expect(x, `a match with "left" and "right"`)
	}
	op, err := r.text(x, "op")
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains([]string{"==", "!=", "<", ">", "<=", ">=", "in", "!"}, op) {
		return nil, nil, r.errorAt(x.get("op").at, op, `expected one of ==, !=, <, >, <=, >=, in and !`)
	}
	dims, err := t.operands(left)
	if err != nil {
		return nil, nil, err
	}
	not := op == "!="
	if (op == "==" || not || op == "in") && right.kind == isString && len(right.text) > 1 && right.text[0] == '@' {
		labels, err := t.lookNamed(dims, right, not, false)
		return labels, nil, err
	}
	if key, set := right.only(); key == "set" {
		if op != "==" && !not && op != "in" {
			return nil, nil, r.errorAt(x.get("op").at, op, "a set is compared by == or !=")
		}
		e, err := r.readElements(set, dims, false)
		if err != nil {
			return nil, nil, err
		}
		if dims[0].supplied() {
			var list []rules.Interval
			for _, one := range e.list {
				list = append(list, one.dims[0]...)
			}
			return nil, dims[0].tests(normalized(list), not), nil
		}
		labels, err := r.look(dims, e, not, false)
		return labels, nil, err
	}
	if len(dims) > 1 {
		if key, _ := right.only(); key != "concat" || op != "==" && !not {
			return nil, nil, r.expect(right, "a set of concatenations, or one")
		}
		e, err := r.readElements(&value{kind: isList, at: right.at, list: []value{*right}}, dims, false)
		if err != nil {
			return nil, nil, err
		}
		labels, err := r.look(dims, e, not, false)
		return labels, nil, err
	}
	o := dims[0]
	if o.typ.flags && (op == "in" || op == "!") {
		bits, err := r.scalar(right, o.typ)
		if err != nil {
			return nil, nil, err
		}
		ways, ok := o.anyBit(bits, op == "!")
		if !ok {
			return nil, nil, &unmodelled{name: "match bits of " + o.name()}
		}
		return unlabelled(ways), nil, nil
	}
	if op == "!" {
		return nil, nil, r.errorAt(x.get("op").at, op, "only sets of bits are compared by it")
	}
	if key, _ := right.only(); key == "payload" || key == "meta" || key == "ct" {
		return nil, nil, &unmodelled{name: "match of two fields with one another", at: right.at}
	}
	iv, err := r.interval(right, o.typ)
	if err != nil {
		return nil, nil, err
	}
	list := []rules.Interval{iv}
	full := o.typ.full()
	switch op {
	case "<", "<=", ">", ">=":
		// A prefix stands for an operand under its mask.
		if key, _ := right.only(); iv.Lo != iv.Hi && key != "prefix" {
			return nil, nil, r.expect(right, "one value")
		}
		list = nil
		switch {
		case op == "<" && iv.Lo != full.Lo:
			list = []rules.Interval{{Lo: full.Lo, Hi: iv.Lo.Prev()}}
		case op == "<=":
			list = []rules.Interval{{Lo: full.Lo, Hi: iv.Hi}}
		case op == ">" && iv.Hi != full.Hi:
			list = []rules.Interval{{Lo: iv.Hi.Next(), Hi: full.Hi}}
		case op == ">=":
			list = []rules.Interval{{Lo: iv.Lo, Hi: full.Hi}}
		}
	}
	if o.supplied() {
		return nil, o.tests(list, not), nil
	}
	ways, ok := o.ways(list, not, r.limits.MaxElements)
	if !ok {
		return nil, nil, &unmodelled{name: "match these values of " + o.name()}
	}
	return unlabelled(ways), nil, nil
}

func unlabelled(ways []way) (out []labelled) {
	for _, w := range ways {
		out = append(out, labelled{way: w})
	}
	return out
}

// tests are those of the user or group of a packet's socket. Of packets whose
// socket has none, none holds, negated or not.
func (o *operand) tests(list []rules.Interval, not bool) []rules.Test {
	match := func(r xt.IDRange) rules.Test {
		if o.key == "meta skgid" {
			return xt.OwnerMatch{Group: &r}.Test()
		}
		return xt.OwnerMatch{User: &r}.Test()
	}
	if !not {
		var lists [][]rules.Test
		for _, iv := range list {
			lists = append(lists, []rules.Test{match(xt.IDRange{Min: uint32(iv.Lo.Lo), Max: uint32(iv.Hi.Lo)})})
		}
		if len(lists) == 1 {
			return lists[0]
		}
		return []rules.Test{xt.AnyOf(lists...)}
	}
	all := []rules.Test{match(xt.IDRange{Max: 1<<32 - 1})}
	for _, iv := range list {
		all = append(all, match(xt.IDRange{Min: uint32(iv.Lo.Lo), Max: uint32(iv.Hi.Lo), Not: true}))
	}
	return all
}

// lookNamed returns the ways of looking up operands in a named set, or map.
func (t *tableReader) lookNamed(dims []*operand, name *value, not, isMap bool) ([]labelled, error) {
	set, err := t.named(name, isMap)
	if err != nil {
		return nil, err
	}
	key := name.text
	if not {
		key = "!" + key
	}
	for _, o := range dims {
		key += "\x00" + o.key
	}
	if ways, ok := t.looked[key]; ok {
		return ways, nil
	}
	if dims[0].supplied() {
		return nil, &unmodelled{name: "match " + dims[0].name() + " in a named set", at: name.at}
	}
	e, err := t.r.readElements(set.v.get("elem"), dims, isMap)
	if err != nil {
		return nil, err
	}
	ways, err := t.r.look(dims, e, not, isMap)
	if err == nil {
		t.looked[key] = ways
		t.verdicts[key] = e.verdicts
	}
	return ways, err
}

// named finds a named set or map that no rule changes.
func (t *tableReader) named(name *value, isMap bool) (*namedSet, error) {
	set := t.sets[name.text[1:]]
	switch {
	case set == nil:
		return nil, t.r.errorAt(name.at, name.text, "the table has no such set")
	case set.change != "":
		return nil, &unmodelled{name: "set " + name.text + ", which rules change", at: name.at}
	case isMap && !set.verb:
		return nil, t.r.errorAt(name.at, name.text, "not a map of verdicts")
	case !isMap && set.isMap:
		return nil, t.r.errorAt(name.at, name.text, "a map, where a set is expected")
	}
	return set, nil
}

// vmap reads a verdict map. It returns the ways and the verdicts that their labels
// are the places of.
func (t *tableReader) vmap(x *value) ([]labelled, []*value, error) {
	r := t.r
	if err := r.members(x, "vmap", "key", "data"); err != nil {
		return nil, nil, err
	}
	key, data := x.get("key"), x.get("data")
	if key == nil || data == nil {
		return nil, nil, r.expect(x, `a vmap with "key" and "data"`)
	}
	dims, err := t.operands(key)
	if err != nil {
		return nil, nil, err
	}
	if dims[0].supplied() {
		return nil, nil, &unmodelled{name: "vmap of " + dims[0].name(), at: key.at}
	}
	if data.kind == isString && len(data.text) > 1 && data.text[0] == '@' {
		ways, err := t.lookNamed(dims, data, false, true)
		if err != nil {
			return nil, nil, err
		}
		name := data.text
		for _, o := range dims {
			name += "\x00" + o.key
		}
		return ways, t.verdicts[name], nil
	}
	k, set := data.only()
	if k != "set" {
		return nil, nil, r.expect(data, "a set, or the name of a map")
	}
	e, err := r.readElements(set, dims, true)
	if err != nil {
		return nil, nil, err
	}
	ways, err := r.look(dims, e, false, true)
	return ways, e.verdicts, err
}
