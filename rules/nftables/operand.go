package nftables

// Operands: what stands on the left of a comparison, and how sets of its values
// become conditions on a field of the packet. A rule breaks off where the packet
// does not have what an operand reads, whatever it is compared with: so do the
// conditions, negated or not, for packets without the field.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// operand is a value of the packet that a rule compares.
type operand struct {
	key   string // tells operands of a table apart
	field int    // in the universe
	typ   *datatype
	// deps are conditions that its being there asks for besides the field.
	deps []rules.Cond
	// add is what the field has more than the value: the IPv6 payload's length and
	// the packet's.
	add rules.Value
	// within are the values of the field that are there; nil: all.
	within []rules.Interval
	// mask and xor say that (value & mask) ^ xor is compared.
	masked    bool
	mask, xor rules.Value
	how       special
}

// special are operands with ways of their own.
type special byte

const (
	plain   special = iota
	ctstate         // the bits are others than the field's
	fragoff         // the field says whether it is 0
	nexthdr         // of two fields
	tcpopt          // whether a bit is set
	exthdr          // the same
	owner           // the user or group of the packet's socket
	family          // one number for IPv4, xor.Hi, and another for IPv6, xor.Lo
)

// way is a set of conditions that hold together: one of those in which a rule can
// match. No packet meets two ways of a rule.
type way []rules.Cond

// never is the way of no packet.
func (o *operand) never() []way { return []way{{rules.In(o.field)}} }

// normalized sorts and joins intervals.
func normalized(list []rules.Interval) []rules.Interval {
	c := rules.In(0, list...)
	list, _ = c.Intervals()
	return list
}

// intersect returns what two normalized lists have in common.
func intersect(a, b []rules.Interval) []rules.Interval {
	var out []rules.Interval
	for i, j := 0, 0; i < len(a) && j < len(b); {
		lo, hi := a[i].Lo, a[i].Hi
		if lo.Less(b[j].Lo) {
			lo = b[j].Lo
		}
		if b[j].Hi.Less(hi) {
			hi = b[j].Hi
		}
		if !hi.Less(lo) {
			out = append(out, rules.Interval{Lo: lo, Hi: hi})
		}
		if a[i].Hi.Less(b[j].Hi) {
			i++
		} else {
			j++
		}
	}
	return out
}

// complement returns the values of so many bits that are not in a normalized list.
func complement(list []rules.Interval, bits int) []rules.Interval {
	f := rules.Field{Bits: bits}
	return rules.Complement(&f, list)
}

// contains reports whether a normalized list has a value.
func contains(list []rules.Interval, v rules.Value) bool {
	i, ok := slices.BinarySearchFunc(list, v, func(iv rules.Interval, v rules.Value) int {
		switch {
		case iv.Hi.Less(v):
			return -1
		case v.Less(iv.Lo):
			return 1
		}
		return 0
	})
	return ok && list[i].Contains(v)
}

// smallBits is how wide a value may be for its sets to be found by trying all.
const smallBits = 16

// bits returns the width of the field.
func (o *operand) bits() int {
	if b := universe[o.field].Bits; b != 0 {
		return b
	}
	if o.within == nil && o.typ.bits == 32 {
		return 32
	}
	return 128
}

// fieldOf returns the values of the field for a normalized list of values, and
// false when intervals cannot say them.
func (o *operand) fieldOf(list []rules.Interval) ([]rules.Interval, bool) {
	switch o.how {
	case plain:
	case ctstate:
		return o.stateValues(o.states(list)), true
	case fragoff:
		return o.fragments(list)
	case family:
		return o.families(list), true
	default:
		return nil, false
	}
	if !o.masked {
		return o.shift(list), true
	}
	if o.typ.bits <= smallBits && o.add == (rules.Value{}) {
		return o.try(list, min(o.typ.bits, o.bits())), true
	}
	if low := o.mask.Not().And(rules.Ones(o.typ.bits)); low == rules.Ones(low.BitLen()) { // a prefix
		var out []rules.Interval
		for _, iv := range list {
			if o.xor != (rules.Value{}) {
				if iv.Lo != iv.Hi {
					return nil, false
				}
				p := iv.Lo.Xor(o.xor)
				iv = rules.Interval{Lo: p, Hi: p}
			}
			// The values whose upper bits lie in the interval.
			hi := iv.Hi.And(low.Not()).Or(low)
			if over := iv.Lo.And(low); over != (rules.Value{}) {
				if iv.Lo = iv.Lo.Or(low); !iv.Lo.Less(rules.Ones(o.typ.bits)) {
					continue
				}
				iv.Lo = iv.Lo.Next()
			}
			if !hi.Less(iv.Lo) {
				out = append(out, rules.Interval{Lo: iv.Lo, Hi: hi})
			}
		}
		return o.shift(normalized(out)), true
	}
	return nil, false
}

// shift turns values into those of the field.
func (o *operand) shift(list []rules.Interval) []rules.Interval {
	if o.add != (rules.Value{}) {
		out := make([]rules.Interval, len(list))
		for i, iv := range list {
			out[i] = rules.Interval{Lo: plus(iv.Lo, o.add), Hi: plus(iv.Hi, o.add)}
		}
		list = out
	}
	if o.within != nil {
		return intersect(list, o.within)
	}
	if most := rules.Ones(o.bits()); len(list) > 0 && most.Less(list[len(list)-1].Hi) {
		return intersect(list, []rules.Interval{{Hi: most}})
	}
	return list
}

// oneOf is the condition that a field, which packets may be without, has one of the
// values of a normalized list: of all addresses of IPv6, that it is none of IPv4.
func oneOf(field int, list []rules.Interval) rules.Cond {
	if slices.Equal(list, v6) {
		return rules.In(field, v4).Negate()
	}
	return rules.InOrder(field, list)
}

// plus adds values that do not run over.
func plus(a, b rules.Value) rules.Value {
	lo := a.Lo + b.Lo
	hi := a.Hi + b.Hi
	if lo < a.Lo {
		hi++
	}
	return rules.Value{Hi: hi, Lo: lo}
}

// try finds the values of a narrow field by asking for each what it stands for.
func (o *operand) try(list []rules.Interval, bits int) (out []rules.Interval) {
	for v := range uint64(1) << bits {
		if !contains(list, rules.U64(v).And(o.mask).Xor(o.xor)) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Hi.Lo+1 == v {
			out[n-1].Hi.Lo = v
		} else {
			out = append(out, rules.Point(v))
		}
	}
	return out
}

// fragments says whether the offset of a fragment is 0.
func (o *operand) fragments(list []rules.Interval) (out []rules.Interval, ok bool) {
	const offset = 0x1fff
	if !o.masked || o.mask != rules.U64(offset) || o.xor != (rules.Value{}) {
		return nil, false
	}
	zero := contains(list, rules.Value{})
	rest := intersect(list, []rules.Interval{rules.Span(1, offset)})
	all := len(rest) == 1 && rest[0] == rules.Span(1, offset)
	if len(rest) > 0 && !all {
		return nil, false
	}
	if zero {
		out = append(out, rules.Point(0))
	}
	if all {
		out = append(out, rules.Point(1))
	}
	return normalized(out), true
}

// families are the source addresses of the families whose numbers are in the list.
func (o *operand) families(list []rules.Interval) []rules.Interval {
	var out []rules.Interval
	four, six := contains(list, rules.U64(o.xor.Hi)), contains(list, rules.U64(o.xor.Lo))
	for _, iv := range o.within {
		if is4 := iv == v4 || iv.Hi == rules.Ones(32); is4 && four || !is4 && six {
			out = append(out, iv)
		}
	}
	return normalized(out)
}

// ways returns the ways in which the operand is in a normalized list of values, or
// is not. ok is false when conditions cannot say it, or in more than most ways.
func (o *operand) ways(list []rules.Interval, not bool, most int) (_ []way, ok bool) {
	var ways []way
	switch o.how {
	case nexthdr:
		ways, ok = o.firstHeader(list, not)
	case tcpopt, exthdr:
		ways, ok = o.bit(list, not)
	case owner:
		return nil, false
	default:
		ways, ok = o.plainWays(list, not, most)
	}
	for i := range ways {
		ways[i] = append(slices.Clip(o.deps), ways[i]...)
	}
	return ways, ok
}

func (o *operand) plainWays(list []rules.Interval, not bool, most int) ([]way, bool) {
	point := len(list) == 1 && list[0].Lo == list[0].Hi
	switch {
	case o.masked && point && o.how == plain:
		return o.maskedWays(list, not), true
	case o.how == ctstate:
		bits := o.states(list)
		if not {
			bits ^= ctStates
		}
		switch bits {
		case 0:
			return o.never(), true
		case ctStates:
			return []way{{rules.InOrder(o.field, o.everything())}}, true
		}
		return []way{{rules.Masked(o.field, rules.Value{}, rules.U64(bits)).Negate()}}, true
	}
	if in, ok := o.fieldOf(list); ok {
		switch {
		case not && o.within != nil:
			in = normalized(intersect(complement(in, o.bits()), o.within))
		case not:
			return []way{{rules.InOrder(o.field, in).Negate()}}, true
		}
		return []way{{oneOf(o.field, in)}}, true
	}
	if !o.masked || o.how != plain {
		return nil, false
	}
	var points []rules.Interval
	for _, iv := range list {
		for v := iv.Lo; ; v = v.Next() {
			if len(points) == min(most, maxMasked) {
				return nil, false
			}
			if points = append(points, rules.Interval{Lo: v, Hi: v}); v == iv.Hi {
				break
			}
		}
	}
	return o.maskedWays(points, not), true
}

// maxMasked bounds the single values under a mask that conditions are made of.
const maxMasked = 1 << 10

// maskedWays are those of single values under a mask.
func (o *operand) maskedWays(list []rules.Interval, not bool) []way {
	var ways []way
	var all way
	if not && o.within != nil {
		all = way{oneOf(o.field, o.within)}
	}
	for _, iv := range list {
		want, mask := iv.Lo.Xor(o.xor), o.mask
		var c rules.Cond
		switch {
		case want.And(mask) != want:
			continue // no value is this one
		case o.add != (rules.Value{}): // an IPv4 address among those of both families
			c = rules.Masked(o.field, want.Or(o.add), mask.Or(rules.Ones(96).Shl(32)))
		default:
			c = rules.Masked(o.field, want, mask)
		}
		switch {
		case not:
			all = append(all, c.Negate())
		case o.within != nil && o.add == (rules.Value{}):
			ways = append(ways, way{oneOf(o.field, o.within), c})
		default:
			ways = append(ways, way{c})
		}
	}
	switch {
	case not && all == nil:
		return []way{{oneOf(o.field, o.everything())}}
	case not:
		return []way{all}
	case ways == nil:
		return o.never()
	}
	return ways
}

// anyBit returns the way in which one of the bits is set, or none of them.
func (o *operand) anyBit(bits rules.Value, none bool) ([]way, bool) {
	if o.masked {
		if o.xor != (rules.Value{}) {
			return nil, false
		}
		bits = bits.And(o.mask)
	}
	switch {
	case o.how == ctstate:
		bits = rules.U64(bits.Lo&15 | bits.Lo>>2&16)
	case o.how != plain || o.add != (rules.Value{}):
		return nil, false
	}
	c := rules.Masked(o.field, rules.Value{}, bits)
	if !none {
		c = c.Negate()
	}
	return []way{append(slices.Clip(way(o.deps)), c)}, true
}

// ctStates are the bits of the field ctstate that say the state; a packet has one of
// them, in nftables too, where UNTRACKED is another one.
const ctStates = 0x1f

// states returns the bits of the field for the states that are in a list.
func (o *operand) states(list []rules.Interval) (bits uint64) {
	for bit := uint64(1); bit < ctStates; bit <<= 1 {
		v := rules.U64(bit&15 | bit&16<<2)
		if o.masked {
			v = v.And(o.mask).Xor(o.xor)
		}
		if contains(list, v) {
			bits |= bit
		}
	}
	return bits
}

// stateValues returns the values of the field that have one of the bits.
func (o *operand) stateValues(bits uint64) (out []rules.Interval) {
	for v := range uint64(1) << o.bits() {
		if v&bits != 0 {
			out = append(out, rules.Point(v))
		}
	}
	return normalized(out)
}

// firstHeader are the ways of "ip6 nexthdr", which is the protocol where there are
// no extension headers.
func (o *operand) firstHeader(list []rules.Interval, not bool) ([]way, bool) {
	if o.masked {
		return nil, false
	}
	for _, number := range []uint64{packet.HopByHop, packet.Routing, packet.Fragment, packet.AuthHeader, packet.DestOptions, 59} {
		if contains(list, rules.U64(number)) {
			return nil, false
		}
	}
	const headers = packet.ExtHop | packet.ExtRoute | packet.ExtFrag | packet.ExtAuth | packet.ExtDst
	without := rules.Masked(fieldExthdrs, rules.Value{}, rules.U64(headers))
	c := rules.InOrder(fieldProto, list)
	if !not {
		return []way{{c, without}}, true
	}
	return []way{{c.Negate(), without}, {without.Negate().OrAbsent()}}, true
}

// bit are the ways of a header or an option that is there, or missing: then the
// field may be absent too.
func (o *operand) bit(list []rules.Interval, not bool) ([]way, bool) {
	missing, there := contains(list, rules.U64(0)) != not, contains(list, rules.U64(1)) != not
	switch {
	case missing && there:
		return []way{{}}, true
	case there:
		return []way{{rules.Masked(o.field, o.mask, o.mask)}}, true
	case missing:
		return []way{{rules.Masked(o.field, rules.Value{}, o.mask).OrAbsent()}}, true
	}
	return o.never(), true
}
