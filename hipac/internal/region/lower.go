package region

// From the conditions of a rule to boxes: one for most rules, several for those
// with a negated bit mask.

import (
	"errors"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// ErrPieces means that a rule would become too many boxes.
var ErrPieces = errors.New("a rule of too many boxes: several negated bit masks")

// maxPieces bounds the boxes of one rule.
const maxPieces = 1 << 12

// Union is what a rule asks in a dimension where it is more than one span:
// ascending, with coordinates between them.
type Union struct {
	Dim   int
	Spans []Span
}

// Piece is a box less some spans: a rule, or a part of one.
type Piece struct {
	Hull   Box
	Unions []Union
}

// Boxes appends the disjoint boxes that the piece is made of.
func (p *Piece) Boxes(out []Box) ([]Box, error) {
	first := len(out)
	out = append(out, slices.Clone(p.Hull))
	for _, u := range p.Unions {
		for _, b := range out[first:] {
			for _, s := range u.Spans[1:] {
				c := slices.Clone(b)
				c[u.Dim] = s
				out = append(out, c)
			}
			b[u.Dim] = u.Spans[0]
		}
		if len(out)-first > maxPieces {
			return nil, ErrPieces
		}
	}
	return out, nil
}

// bitWant is a bit of a field and its value.
type bitWant struct {
	bit int
	one bool
}

// parts splits a condition into the values that it names and the bits that it
// asks for. Masks that are prefixes, or of small fields, are values.
func (x *Space) parts(c *rules.Cond) (ivs []rules.Interval, bits []bitWant) {
	f := x.schema.Field(c.Field())
	ivs = []rules.Interval{f.Full()}
	if r, ok := c.Intervals(); ok {
		ivs = r
	}
	want, mask, ok := c.Mask()
	if !ok || mask == (rules.Value{}) {
		return ivs, nil
	}
	if top := f.Max(); mask.Or(lowOnes(mask)) == top && mask.And(lowOnes(mask)) == (rules.Value{}) {
		return intersect(ivs, []rules.Interval{{Lo: want, Hi: want.Or(lowOnes(mask))}}), nil
	}
	if f.Bits <= enumerated && f.Kind != rules.Bits {
		var all []rules.Interval
		for v := uint64(0); v < 1<<f.Bits; v++ {
			if rules.U64(v).And(mask) != want {
				continue
			}
			if n := len(all); n > 0 && all[n-1].Hi.Lo+1 == v {
				all[n-1].Hi.Lo = v
			} else {
				all = append(all, rules.Point(v))
			}
		}
		return intersect(ivs, all), nil
	}
	for i := range f.Bits {
		if b := rules.U64(1).Shl(i); mask.And(b) != (rules.Value{}) {
			bits = append(bits, bitWant{i, want.And(b) != (rules.Value{})})
		}
	}
	return ivs, bits
}

// lowOnes returns ones below the lowest bit of mask.
func lowOnes(mask rules.Value) rules.Value { return mask.Prev().And(mask.Not()) }

// intersect returns the values that are in both ascending lists of intervals.
func intersect(a, b []rules.Interval) (out []rules.Interval) {
	for len(a) > 0 && len(b) > 0 {
		iv := a[0]
		if iv.Lo.Less(b[0].Lo) {
			iv.Lo = b[0].Lo
		}
		if b[0].Hi.Less(iv.Hi) {
			iv.Hi = b[0].Hi
		}
		if !iv.Hi.Less(iv.Lo) {
			out = append(out, iv)
		}
		if a[0].Hi.Less(b[0].Hi) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// alternative is one of the disjoint ways in which a condition holds: spans of
// the dimension of values, and bits.
type alternative struct {
	spans []Span
	bits  []bitWant
}

// alternatives returns the ways in which a condition holds.
func (x *Space) alternatives(c *rules.Cond) (out []alternative) {
	d := &x.dims[x.values[c.Field()]]
	ivs, bits := x.parts(c)
	absent := d.absent && c.AllowsAbsent()
	add := func(ivs []rules.Interval, bits []bitWant, absent bool) {
		if spans := d.spans(ivs, absent); len(spans) > 0 {
			out = append(out, alternative{spans, bits})
		}
	}
	if !c.Negated() {
		add(ivs, bits, absent && len(bits) == 0)
	} else {
		// Not in the intervals; or in them, with a first bit that is another.
		add(rules.Complement(x.schema.Field(c.Field()), ivs), nil, absent)
		for i := range bits {
			other := slices.Clone(bits[:i+1])
			other[i].one = !other[i].one
			add(ivs, other, false)
		}
		absent = false
	}
	if absent && len(bits) > 0 {
		add(nil, nil, true)
	}
	return out
}

// spans returns the coordinates of the intervals.
func (d *dim) spans(ivs []rules.Interval, absent bool) (out []Span) {
	add := func(s Span) {
		if n := len(out); n > 0 && out[n-1].Hi+1 >= s.Lo {
			out[n-1].Hi = s.Hi
		} else {
			out = append(out, s)
		}
	}
	if absent {
		add(Span{0, 0})
	}
	for _, iv := range ivs {
		add(Span{d.at(iv.Lo), d.at(iv.Hi)})
	}
	return out
}

// Pieces returns the disjoint boxes that hold the packets for which all
// conditions hold, and all opaque texts do. It returns none for a rule that can
// never match. The conditions must have been noted.
func (x *Space) Pieces(conds []rules.Cond, opaque ...string) ([]Piece, error) {
	sets := make([]map[int][]Span, 1) // by dimension, of those that are asked for
	sets[0] = map[int][]Span{}
	for _, t := range opaque {
		sets[0][x.opaque[t]] = []Span{{1, 1}}
	}
	for i := range conds {
		var next []map[int][]Span
		for _, alt := range x.alternatives(&conds[i]) {
			for _, set := range sets {
				if with := x.and(set, conds[i].Field(), alt); with != nil {
					next = append(next, with)
				}
			}
		}
		if len(next) > maxPieces {
			return nil, ErrPieces
		}
		sets = next
	}
	out := make([]Piece, 0, len(sets))
	for _, set := range sets {
		p := Piece{Hull: x.All()}
		for d := range x.dims {
			spans, ok := set[d]
			if !ok {
				continue
			}
			p.Hull[d] = Span{spans[0].Lo, spans[len(spans)-1].Hi}
			if len(spans) > 1 {
				p.Unions = append(p.Unions, Union{d, spans})
			}
		}
		if x.Feasible(p.Hull) {
			out = append(out, p)
		}
	}
	return out, nil
}

// and returns what is in the set and in the alternative of a field; nil when
// nothing is.
func (x *Space) and(set map[int][]Span, field int, alt alternative) map[int][]Span {
	out := make(map[int][]Span, len(set)+1+len(alt.bits))
	for d, s := range set {
		out[d] = s
	}
	put := func(d int, spans []Span) bool {
		if old, ok := out[d]; ok {
			spans = cross(old, spans)
		}
		out[d] = spans
		return len(spans) > 0
	}
	if !put(x.values[field], alt.spans) {
		return nil
	}
	for _, b := range alt.bits {
		s := Span{0, 0}
		if b.one {
			s = Span{1, 1}
		}
		if !put(x.bitDim(field, b.bit), []Span{s}) {
			return nil
		}
	}
	return out
}

// cross returns the coordinates that are in both lists.
func cross(a, b []Span) (out []Span) {
	for len(a) > 0 && len(b) > 0 {
		if s := (Span{max(a[0].Lo, b[0].Lo), min(a[0].Hi, b[0].Hi)}); s.Lo <= s.Hi {
			out = append(out, s)
		}
		if a[0].Hi < b[0].Hi {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}
