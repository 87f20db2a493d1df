package region

// The space of packets in compressed coordinates, and the way back from a box to
// conditions, a packet, and the number of packets.

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// Span is a closed interval of coordinates of one dimension.
type Span struct{ Lo, Hi uint32 }

// Box is a Span for each dimension of a Space.
type Box []Span

// Space is the set of all packets of a schema. Make one with NewSpace, Note all
// conditions that will be lowered, then Freeze it; from then on it is immutable
// and safe for any number of goroutines.
type Space struct {
	schema *rules.Schema
	lacks  func(field int) bool
	dims   []dim
	values []int   // per field the dimension of its values; -1: nobody asks
	bits   [][]int // per field the dimensions of bits of it
	opaque map[string]int
	frozen bool
}

// dim is one dimension.
type dim struct {
	kind  dimKind
	field int
	bit   int    // of Bit
	name  string // of Opaque
	// lows are the lowest values of the elementary intervals, ascending from 0.
	lows []rules.Value
	// absent says that coordinate 0 is of packets without the field; those of
	// intervals begin at 1 then.
	absent bool
}

type dimKind uint8

const (
	valueDim  dimKind = iota // the elementary intervals of a field
	bitDim                   // one bit of a field: 0 or 1; 0 where the field is absent
	opaqueDim                // something that is known by its text alone: it holds (1) or not (0)
)

// enumerated is the width up to which a field's bit masks are told by its
// values, one by one, unless it is a set of named bits.
const enumerated = 8

// NewSpace returns the space of a schema. lacks says of which fields there are
// packets that do not have them; nil: of all.
func NewSpace(s *rules.Schema, lacks func(field int) bool) *Space {
	if lacks == nil {
		lacks = func(int) bool { return true }
	}
	x := &Space{schema: s, lacks: lacks, values: make([]int, s.Len()), bits: make([][]int, s.Len()), opaque: map[string]int{}}
	for i := range x.values {
		x.values[i] = -1
	}
	return x
}

// Schema returns the schema.
func (x *Space) Schema() *rules.Schema { return x.schema }

// Note takes note of the bounds of the conditions.
func (x *Space) Note(conds []rules.Cond) {
	for i := range conds {
		x.note(&conds[i])
	}
}

func (x *Space) note(c *rules.Cond) {
	f := c.Field()
	d := x.valueDim(f)
	ivs, bits := x.parts(c)
	top := x.schema.Field(f).Max()
	for _, iv := range ivs {
		x.dims[d].lows = append(x.dims[d].lows, iv.Lo)
		if iv.Hi != top {
			x.dims[d].lows = append(x.dims[d].lows, iv.Hi.Next())
		}
	}
	for _, b := range bits {
		x.bitDim(f, b.bit)
	}
}

func (x *Space) valueDim(f int) int {
	if x.values[f] < 0 {
		x.values[f] = len(x.dims)
		x.dims = append(x.dims, dim{kind: valueDim, field: f, lows: []rules.Value{{}}, absent: x.lacks(f)})
	}
	return x.values[f]
}

func (x *Space) bitDim(f, bit int) int {
	for _, d := range x.bits[f] {
		if x.dims[d].bit == bit {
			return d
		}
	}
	x.bits[f] = append(x.bits[f], len(x.dims))
	x.dims = append(x.dims, dim{kind: bitDim, field: f, bit: bit})
	return len(x.dims) - 1
}

// Opaque takes note of something about a packet that its fields do not say: the
// text of a test. The same text is the same thing.
func (x *Space) Opaque(text string) {
	if _, ok := x.opaque[text]; !ok {
		x.opaque[text] = len(x.dims)
		x.dims = append(x.dims, dim{kind: opaqueDim, field: -1, name: text})
	}
}

// OpaqueDim returns the dimension of a text that Opaque was given.
func (x *Space) OpaqueDim(text string) (int, bool) {
	d, ok := x.opaque[text]
	return d, ok
}

// Freeze ends the noting.
func (x *Space) Freeze() {
	for i := range x.dims {
		lows := x.dims[i].lows
		slices.SortFunc(lows, rules.Value.Cmp)
		x.dims[i].lows = slices.Clip(slices.Compact(lows))
	}
	x.frozen = true
}

// Dims returns the number of dimensions.
func (x *Space) Dims() int { return len(x.dims) }

// All returns the box of all packets.
func (x *Space) All() Box {
	b := make(Box, len(x.dims))
	for i := range b {
		b[i] = x.full(i)
	}
	return b
}

func (x *Space) full(i int) Span {
	d := &x.dims[i]
	if d.kind != valueDim {
		return Span{0, 1}
	}
	return Span{0, uint32(len(d.lows)-1) + d.first()}
}

// first is the first coordinate of values.
func (d *dim) first() uint32 {
	if d.absent {
		return 1
	}
	return 0
}

// at returns the coordinate whose interval holds v.
func (d *dim) at(v rules.Value) uint32 {
	i, found := slices.BinarySearchFunc(d.lows, v, rules.Value.Cmp)
	if !found {
		i--
	}
	return uint32(i) + d.first()
}

// interval returns the values of a span, and whether it has any: a span may be
// of absent packets alone.
func (x *Space) interval(d *dim, s Span) (iv rules.Interval, ok bool) {
	lo := max(s.Lo, d.first())
	if s.Hi < lo {
		return iv, false
	}
	iv.Lo = d.lows[lo-d.first()]
	iv.Hi = x.schema.Field(d.field).Max()
	if next := int(s.Hi-d.first()) + 1; next < len(d.lows) {
		iv.Hi = d.lows[next].Prev()
	}
	return iv, true
}

// mask returns what the box says of single bits of a field; ok is false where
// they contradict each other.
func (x *Space) mask(b Box, f int) (want, mask rules.Value) {
	for _, d := range x.bits[f] {
		if b[d].Lo != b[d].Hi {
			continue
		}
		bit := rules.U64(1).Shl(x.dims[d].bit)
		mask = mask.Or(bit)
		if b[d].Lo == 1 {
			want = want.Or(bit)
		}
	}
	return want, mask
}

// value returns a value of field f in the box: the least. present is false when
// the box has only packets without the field, ok is false when it has no packet.
func (x *Space) value(b Box, f int) (v rules.Value, present, ok bool) {
	d := &x.dims[x.values[f]]
	s := b[x.values[f]]
	want, mask := x.mask(b, f)
	if iv, has := x.interval(d, s); has {
		if v, ok := atLeast(iv.Lo, want, mask); ok && !iv.Hi.Less(v) {
			return v, true, true
		}
	}
	return rules.Value{}, false, d.absent && s.Lo == 0 && want == rules.Value{}
}

// atLeast returns the least value from v on with the bits of want where mask
// has bits, and false when there is none of 128 bits.
func atLeast(v, want, mask rules.Value) (rules.Value, bool) {
	if v.And(mask) == want {
		return v, true
	}
	// The highest bit that is wrong. Where it is to become 1, all below it become
	// least; where it is to become 0, a free bit above it that is 0 becomes 1.
	wrong := v.And(mask).Xor(want).BitLen() - 1
	if want.Shr(wrong).And(rules.U64(1)) == (rules.Value{}) {
		free := wrong + 1
		for ; free < 128; free++ {
			bit := rules.U64(1).Shl(free)
			if v.And(bit) == (rules.Value{}) && mask.And(bit) == (rules.Value{}) {
				break
			}
		}
		if free == 128 {
			return v, false
		}
		v = v.Or(rules.U64(1).Shl(free))
		wrong = free
	}
	kept := rules.Ones(wrong).Not()
	return v.And(kept).Or(want.And(rules.Ones(wrong))).Or(want.And(rules.U64(1).Shl(wrong))), true
}

// Witness returns a packet in the box, with the least values, and false when it
// holds none. Fields that nobody asks for are 0. What is opaque is not said.
func (x *Space) Witness(b Box) (rules.Key, bool) {
	k := x.schema.NewKey()
	for f, d := range x.values {
		if d < 0 {
			continue
		}
		v, present, ok := x.value(b, f)
		if !ok {
			return nil, false
		}
		if present {
			x.schema.Set(k, f, v)
		} else {
			x.schema.SetAbsent(k, f)
		}
	}
	return k, true
}

// Feasible reports whether the box holds a packet.
func (x *Space) Feasible(b Box) bool {
	for f := range x.bits {
		if len(x.bits[f]) == 0 {
			continue // spans are not empty
		}
		if _, _, ok := x.value(b, f); !ok {
			return false
		}
	}
	return true
}

// Conds returns the conditions that hold for the packets of the box and no
// others, but for what is opaque.
func (x *Space) Conds(b Box) []rules.Cond {
	var out []rules.Cond
	for f, di := range x.values {
		if di < 0 {
			continue
		}
		d, s := &x.dims[di], b[di]
		want, mask := x.mask(b, f)
		if s == x.full(di) && mask == (rules.Value{}) {
			continue
		}
		c := rules.In(f)
		if iv, ok := x.interval(d, s); ok {
			c = rules.In(f, iv)
			if mask != (rules.Value{}) {
				c = c.AndMasked(want, mask)
			}
		}
		if d.absent && s.Lo == 0 && want == (rules.Value{}) {
			c = c.OrAbsent()
		}
		out = append(out, c)
	}
	return out
}

// Opaques returns the texts of which the box says whether they hold.
func (x *Space) Opaques(b Box) (texts []string, holds []bool) {
	for i := range x.dims {
		if x.dims[i].kind == opaqueDim && b[i].Lo == b[i].Hi {
			texts, holds = append(texts, x.dims[i].name), append(holds, b[i].Lo == 1)
		}
	}
	return texts, holds
}

// Count returns the number of packets in the box that differ in fields which
// some rule asks for; being without a field counts as one value of it. What is
// opaque counts twice where the box does not say.
func (x *Space) Count(b Box) *big.Int {
	n := big.NewInt(1)
	for f, di := range x.values {
		if di < 0 {
			continue
		}
		d, s := &x.dims[di], b[di]
		want, mask := x.mask(b, f)
		part := new(big.Int)
		if iv, ok := x.interval(d, s); ok {
			part = countUpTo(iv.Hi, want, mask)
			if iv.Lo != (rules.Value{}) {
				part.Sub(part, countUpTo(iv.Lo.Prev(), want, mask))
			}
		}
		if d.absent && s.Lo == 0 && want == (rules.Value{}) {
			part.Add(part, big.NewInt(1))
		}
		n.Mul(n, part)
	}
	for i := range x.dims {
		if x.dims[i].kind == opaqueDim && b[i].Lo != b[i].Hi {
			n.Lsh(n, 1)
		}
	}
	return n
}

// countUpTo returns the number of values up to v that have the bits of want
// where mask has bits.
func countUpTo(v, want, mask rules.Value) *big.Int {
	bit := func(x rules.Value, i int) bool { return x.Shr(i).And(rules.U64(1)) != (rules.Value{}) }
	free := make([]uint, 129) // free[i]: bits below i that the mask leaves open
	for i := range 128 {
		free[i+1] = free[i]
		if !bit(mask, i) {
			free[i+1]++
		}
	}
	n := new(big.Int)
	for i := 127; i >= 0; i-- {
		asked, one := bit(mask, i), bit(want, i)
		if bit(v, i) && !(asked && one) { // a value with 0 here is below v
			n.Add(n, new(big.Int).Lsh(big.NewInt(1), free[i]))
		}
		if asked && one != bit(v, i) {
			return n
		}
	}
	return n.Add(n, big.NewInt(1)) // v itself
}

// String writes the box as conditions, for tests and messages.
func (x *Space) String(b Box) string {
	r := rules.Rule[struct{}]{Conds: x.Conds(b)}
	s := rules.FormatRule(x.schema, &r)
	texts, holds := x.Opaques(b)
	for i, t := range texts {
		s += fmt.Sprintf(" {%s}=%v", t, holds[i])
	}
	return s
}
