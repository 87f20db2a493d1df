package workload

// Where packets fall: values in, at the ends of and just outside of the
// conditions of rules.

import "github.com/hipac-go/classifier/rules"

// venue draws packets for the rules of a list. It is for one goroutine.
type venue struct {
	rules  rulesOf
	schema *rules.Schema
	own    []rules.Cond // scratch: the conditions of a rule on one field
}

func newVenue(l rulesOf) *venue { return &venue{rules: l, schema: l.Schema()} }

// on returns the conditions of a rule on a field; the slice is valid until
// the next call.
func (v *venue) on(rule, f int) []rules.Cond {
	v.own = v.own[:0]
	for _, c := range v.rules.CondsAt(rule) {
		if c.Field() == f {
			v.own = append(v.own, c)
		}
	}
	return v.own
}

// inside fills k with a packet that the rule matches, if one was found.
func (v *venue) inside(r rng, rule int, k rules.Key) {
	for f := range v.schema.Len() {
		if conds := v.on(rule, f); len(conds) > 0 {
			v.schema.Set(k, f, v.accepted(r, f, conds, false))
		} else {
			v.schema.Set(k, f, v.free(r, f))
		}
	}
}

// vertex fills k with a packet at a corner of the rule, within it, if one was
// found.
func (v *venue) vertex(r rng, rule int, k rules.Key) {
	for f := range v.schema.Len() {
		side := r.IntN(2)
		conds := v.on(rule, f)
		if len(conds) == 0 {
			v.schema.Set(k, f, [...]rules.Value{{}, v.schema.Field(f).Max()}[side])
			continue
		}
		x := v.accepted(r, f, conds, true)
		if iv, ok := singleInterval(&conds[0]); ok && len(conds) == 1 {
			x = [...]rules.Value{iv.Lo, iv.Hi}[side]
		}
		v.schema.Set(k, f, x)
	}
}

// corner fills k with a packet at a corner of a random rule, whose position
// it returns.
func (v *venue) corner(r rng, k rules.Key) int {
	rule := r.IntN(v.rules.Len())
	// One condition is the place where half of the packets step outside; any
	// other one does in a sixteenth.
	outside := -1
	if conds := v.rules.CondsAt(rule); len(conds) > 0 && r.IntN(2) == 0 {
		outside = conds[r.IntN(len(conds))].Field()
	}
	for f := range v.schema.Len() {
		conds := v.on(rule, f)
		switch {
		case len(conds) == 0:
			v.schema.Set(k, f, v.free(r, f))
		case f == outside || r.IntN(16) == 0:
			v.schema.Set(k, f, v.beside(r, f, &conds[r.IntN(len(conds))]))
		default:
			v.schema.Set(k, f, v.accepted(r, f, conds, true))
		}
	}
	return rule
}

// overlap fills k with values of several rules, and returns the position of
// the first of them.
func (v *venue) overlap(r rng, k rules.Key) int {
	first := r.IntN(v.rules.Len())
	second, best := first, -1
	for range 8 {
		other := r.IntN(v.rules.Len())
		if n := v.meet(first, other); other != first && n > best {
			second, best = other, n
		}
	}
	third := r.IntN(v.rules.Len())
	for f := range v.schema.Len() {
		a, b := onField(v.rules.CondsAt(first), f), onField(v.rules.CondsAt(second), f)
		if a != nil && b != nil {
			x, ok := singleInterval(a)
			y, also := singleInterval(b)
			if ok && also && x.Overlaps(y) {
				both := rules.Interval{Lo: larger(x.Lo, y.Lo), Hi: smaller(x.Hi, y.Hi)}
				v.schema.Set(k, f, end(r, both))
				continue
			}
		}
		from := [...]int{first, first, second, second, third}[r.IntN(5)]
		if a == nil || b == nil {
			// Where one of the two is free, the other decides.
			if from = first; a == nil {
				from = second
			}
		}
		if conds := v.on(from, f); len(conds) > 0 {
			v.schema.Set(k, f, v.accepted(r, f, conds, true))
		} else {
			v.schema.Set(k, f, v.free(r, f))
		}
	}
	return first
}

// meet counts the fields in which two rules have values in common, as far as
// single intervals tell; -1 when there is a field in which they have none.
func (v *venue) meet(a, b int) int {
	n := 0
	for f := range v.schema.Len() {
		c, d := onField(v.rules.CondsAt(a), f), onField(v.rules.CondsAt(b), f)
		if c == nil || d == nil {
			continue
		}
		x, ok := singleInterval(c)
		y, also := singleInterval(d)
		if ok && also && !x.Overlaps(y) {
			return -1
		}
		n++
	}
	return n
}

// random fills k with uniform values.
func (v *venue) random(r rng, k rules.Key) {
	for f := range v.schema.Len() {
		v.schema.Set(k, f, r.value(v.schema.Field(f).Bits))
	}
}

// free draws a value of a field that a rule says nothing of: random, 0, the
// largest, or, mostly, one that another rule asks for.
func (v *venue) free(r rng, f int) rules.Value {
	field := v.schema.Field(f)
	switch r.IntN(8) {
	case 0:
		return rules.Value{}
	case 1:
		return field.Max()
	case 2, 3:
		return r.value(field.Bits)
	}
	for range 4 {
		other := r.IntN(v.rules.Len())
		if c := onField(v.rules.CondsAt(other), f); c != nil {
			if ivs, _ := c.Intervals(); len(ivs) > 0 {
				return end(r, ivs[r.IntN(len(ivs))])
			}
		}
	}
	return r.value(field.Bits)
}

// accepted draws a value of field f that all conditions hold for; when it
// finds none in a few attempts, any value. At ends, it prefers the ends of
// intervals.
func (v *venue) accepted(r rng, f int, conds []rules.Cond, ends bool) rules.Value {
	var x rules.Value
	for try := range 8 {
		c := &conds[try%len(conds)]
		if c.Negated() || try >= 6 {
			x = v.beside(r, f, c)
		} else {
			x = pick(r, v.schema.Field(f), c, ends)
		}
		good := true
		for i := range conds {
			good = good && conds[i].Holds(x, true)
		}
		if good {
			break
		}
	}
	return x
}

// pick draws a value of the set of c, its negation aside.
func pick(r rng, field *rules.Field, c *rules.Cond, ends bool) rules.Value {
	x := r.value(field.Bits)
	if ivs, _ := c.Intervals(); len(ivs) > 0 {
		iv := ivs[r.IntN(len(ivs))]
		if ends {
			x = end(r, iv)
		} else {
			x = r.inside(iv)
		}
	}
	if want, mask, ok := c.Mask(); ok {
		x = x.And(mask.Not()).Or(want).And(field.Max())
	}
	return x
}

// beside draws a value next to the set of c: one below or above an interval,
// one bit away from a mask; half of the time for negated conditions, any
// value.
func (v *venue) beside(r rng, f int, c *rules.Cond) rules.Value {
	field := v.schema.Field(f)
	ivs, _ := c.Intervals()
	want, mask, masked := c.Mask()
	if c.Negated() && r.IntN(2) == 0 {
		return r.value(field.Bits)
	}
	if len(ivs) > 0 && (!masked || r.IntN(2) == 0) {
		iv := ivs[r.IntN(len(ivs))]
		below, above := iv.Lo != (rules.Value{}), iv.Hi != field.Max()
		switch {
		case below && (!above || r.IntN(2) == 0):
			return iv.Lo.Prev()
		case above:
			return iv.Hi.Next()
		}
	}
	x := r.value(field.Bits)
	if masked && mask != (rules.Value{}) {
		x = x.And(mask.Not()).Or(want).And(field.Max())
		bit := rules.U64(1).Shl(r.IntN(field.Bits))
		for range 64 {
			if bit.And(mask) != (rules.Value{}) {
				return x.Xor(bit)
			}
			bit = rules.U64(1).Shl(r.IntN(field.Bits))
		}
	}
	return x
}

// end draws an end of the interval or, in a third of the cases, a value
// between.
func end(r rng, iv rules.Interval) rules.Value {
	switch r.IntN(3) {
	case 0:
		return iv.Lo
	case 1:
		return iv.Hi
	}
	return r.inside(iv)
}

func smaller(a, b rules.Value) rules.Value {
	if b.Less(a) {
		return b
	}
	return a
}

func larger(a, b rules.Value) rules.Value {
	if a.Less(b) {
		return b
	}
	return a
}
