package region

// Products of sets: what boxes that are alike in all dimensions but one are
// together, told as conditions, packets and numbers.

import (
	"math/big"

	"github.com/hipac-go/classifier/rules"
)

// Sets is a product of sets of coordinates: for each dimension spans, ascending,
// with coordinates between them. A Box is one of single spans.
type Sets [][]Span

// Sets returns the box as sets.
func (b Box) Sets() Sets {
	s := make(Sets, len(b))
	for i := range b {
		s[i] = []Span{b[i]}
	}
	return s
}

// DimOf returns the dimension of the values of a field, -1 where no rule asks for
// it.
func (x *Space) DimOf(field int) int { return x.values[field] }

// DimsOf returns all dimensions of a field: of its values, of single bits.
func (x *Space) DimsOf(field int) []int {
	if x.values[field] < 0 {
		return nil
	}
	return append([]int{x.values[field]}, x.bits[field]...)
}

// BitDims returns the dimensions of single bits of a field, and which bits.
func (x *Space) BitDims(field int) (dims, bits []int) {
	for _, d := range x.bits[field] {
		dims, bits = append(dims, d), append(bits, x.dims[d].bit)
	}
	return dims, bits
}

// FeasibleIn reports whether the box holds a value of a field.
func (x *Space) FeasibleIn(b Box, field int) bool {
	if len(x.bits[field]) == 0 {
		return true // spans are not empty
	}
	_, _, ok := x.value(b, field)
	return ok
}

// IsValue reports whether a dimension is of the values of a field.
func (x *Space) IsValue(d int) bool { return x.dims[d].kind == valueDim }

// IsOpaque reports whether a dimension is of something that fields do not say.
func (x *Space) IsOpaque(d int) bool { return x.dims[d].kind == opaqueDim }

// Kind returns the kind of the field of a dimension, false for an opaque one.
func (x *Space) Kind(d int) (rules.Kind, bool) {
	if x.dims[d].field < 0 {
		return 0, false
	}
	return x.schema.Field(x.dims[d].field).Kind, true
}

// Width returns about how many values a span has of a dimension of a field.
func (x *Space) Width(d int, s Span) float64 {
	dim := &x.dims[d]
	if dim.kind == bitDim {
		return float64(s.Hi-s.Lo) + 1
	}
	n := 0.0
	if iv, ok := x.interval(dim, s); ok {
		n = float64(iv.Hi.Hi-iv.Lo.Hi)*(1<<32)*(1<<32) + float64(iv.Hi.Lo) - float64(iv.Lo.Lo) + 1
	}
	if dim.absent && s.Lo == 0 {
		n++
	}
	return n
}

// Full returns all coordinates of a dimension.
func (x *Space) Full(d int) Span { return x.full(d) }

// Present returns the coordinates of packets with the field of a dimension of
// values, and Absent those of the others, if there are any.
func (x *Space) Present(d int) Span { return Span{x.dims[d].first(), x.full(d).Hi} }

// Absent is the other part of Present.
func (x *Space) Absent(d int) (Span, bool) { return Span{}, x.dims[d].absent }

// Values returns the coordinates of a field's values between two, which must have
// been noted as those of a condition.
func (x *Space) Values(field int, iv rules.Interval) Span {
	d := &x.dims[x.values[field]]
	return Span{d.at(iv.Lo), d.at(iv.Hi)}
}

// fixed is what sets say of single bits of a field.
func (x *Space) fixed(s Sets, f int) (want, mask rules.Value) {
	for _, d := range x.bits[f] {
		if len(s[d]) != 1 || s[d][0].Lo != s[d][0].Hi {
			continue
		}
		bit := rules.U64(1).Shl(x.dims[d].bit)
		mask = mask.Or(bit)
		if s[d][0].Lo == 1 {
			want = want.Or(bit)
		}
	}
	return want, mask
}

// SetConds returns the conditions that hold for the packets of the sets and no
// others of the box all, but for what is opaque.
func (x *Space) SetConds(s Sets, all Box) []rules.Cond {
	var out []rules.Cond
	for f, di := range x.values {
		if di < 0 {
			continue
		}
		d := &x.dims[di]
		want, mask := x.fixed(s, f)
		if len(s[di]) == 1 && s[di][0] == all[di] && mask == (rules.Value{}) {
			continue
		}
		absent := d.absent && s[di][0].Lo == 0 && want == (rules.Value{})
		var ivs []rules.Interval
		for _, span := range s[di] {
			if iv, ok := x.interval(d, span); ok {
				ivs = append(ivs, iv)
			}
		}
		c := rules.In(f, ivs...)
		switch others := rules.Complement(x.schema.Field(f), ivs); {
		case mask != (rules.Value{}) && len(others) == 0:
			c = rules.Masked(f, want, mask)
		case mask != (rules.Value{}) && len(ivs) > 0:
			c = c.AndMasked(want, mask)
		case len(others) > 0 && len(others) < len(ivs):
			c = rules.In(f, others...).Negate()
		}
		if absent {
			c = c.OrAbsent()
		}
		out = append(out, c)
	}
	return out
}

// FieldCount returns the number of values of a field in the sets; being without it
// is one. It is nil for a field that no rule asks for.
func (x *Space) FieldCount(s Sets, f int) *big.Int {
	di := x.values[f]
	if di < 0 {
		return nil
	}
	d := &x.dims[di]
	want, mask := x.fixed(s, f)
	n := new(big.Int)
	for _, span := range s[di] {
		iv, ok := x.interval(d, span)
		switch {
		case !ok:
		case mask == (rules.Value{}):
			part := number(iv.Hi)
			n.Add(n, part.Sub(part, number(iv.Lo)).Add(part, big.NewInt(1)))
		default:
			n.Add(n, countUpTo(iv.Hi, want, mask))
			if iv.Lo != (rules.Value{}) {
				n.Sub(n, countUpTo(iv.Lo.Prev(), want, mask))
			}
		}
	}
	if d.absent && s[di][0].Lo == 0 && want == (rules.Value{}) {
		n.Add(n, big.NewInt(1))
	}
	return n
}

func number(v rules.Value) *big.Int {
	n := new(big.Int).SetUint64(v.Hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(v.Lo))
}

// FieldValue returns a value of a field in the sets, the first of prefer that is
// in them or else the least. present is false where the packet is without the
// field: where there are only such packets or, with without, where there are any.
// ok is false where there is no packet.
func (x *Space) FieldValue(s Sets, f int, prefer []rules.Value, without bool) (v rules.Value, present, ok bool) {
	di := x.values[f]
	d := &x.dims[di]
	want, mask := x.fixed(s, f)
	lacks := d.absent && s[di][0].Lo == 0 && want == rules.Value{}
	if lacks && without {
		return rules.Value{}, false, true
	}
	for _, v := range prefer {
		if v.And(mask) != want {
			continue
		}
		at := d.at(v)
		for _, span := range s[di] {
			if at >= span.Lo && at <= span.Hi {
				return v, true, true
			}
		}
	}
	for _, span := range s[di] {
		if iv, has := x.interval(d, span); has {
			if v, ok := atLeast(iv.Lo, want, mask); ok && !iv.Hi.Less(v) {
				return v, true, true
			}
		}
	}
	return rules.Value{}, false, lacks
}

// OpaqueSets returns the texts of which the sets say whether they hold.
func (x *Space) OpaqueSets(s Sets) (texts []string, holds []bool) {
	for i := range x.dims {
		if x.dims[i].kind == opaqueDim && len(s[i]) == 1 && s[i][0].Lo == s[i][0].Hi {
			texts, holds = append(texts, x.dims[i].name), append(holds, s[i][0].Lo == 1)
		}
	}
	return texts, holds
}

// PointOf returns the box of single coordinates that a packet is in; opaque gives
// the coordinates of opaque dimensions.
func (x *Space) PointOf(k rules.Key, opaque func(d int) uint32) Box {
	b := make(Box, len(x.dims))
	for i := range x.dims {
		d := &x.dims[i]
		var at uint32
		switch d.kind {
		case opaqueDim:
			at = opaque(i)
		case bitDim:
			if v, ok := x.schema.Get(k, d.field); ok && v.Shr(d.bit).And(rules.U64(1)) != (rules.Value{}) {
				at = 1
			}
		default:
			if v, ok := x.schema.Get(k, d.field); ok {
				at = d.at(v)
			}
		}
		b[i] = Span{at, at}
	}
	return b
}

// Decide returns the items that decide the packets of a box of single
// coordinates on both sides, None where none does.
func (q *Sequence) Decide(point Box) (a, b int32) {
	s := state{a: None, b: None}
	for _, i := range q.Meeting(point, 0, len(q.Items)) {
		side := q.Items[i].Side
		s.act(i, q.Items[i].Next, s.a == None && side != OnlyB && i >= s.fromA, s.b == None && side != OnlyA && i >= s.fromB)
	}
	return s.a, s.b
}
