package workload

// Tuples: rules over the 5-tuple before they become rules of a list.

import "github.com/hipac-go/classifier/rules"

// tuple is a rule over the 5-tuple. proto may be anyProto.
type tuple struct {
	src, dst       rules.Value
	srcLen, dstLen uint8
	sport, dport   [2]uint16
	proto          int16
}

// portRange holds the classes that stand for one range. WC is the zero range,
// so that tuples compare.
var portRange = [numPortClasses][2]uint16{HI: {1024, 65535}, LO: {0, 1023}}

func (t *tuple) portsOf(i int) *[2]uint16 {
	if i == 0 {
		return &t.sport
	}
	return &t.dport
}

// conds returns the number of conditions of t.
func (t *tuple) conds() int {
	return b2i(t.srcLen > 0) + b2i(t.dstLen > 0) + b2i(t.sport != portRange[WC]) + b2i(t.dport != portRange[WC]) + b2i(t.proto != anyProto)
}

// appendConds appends the conditions of t; fields are the indices of src, dst,
// sport, dport and proto.
func (t *tuple) appendConds(conds []rules.Cond, s *rules.Schema, fields [5]int) []rules.Cond {
	if t.srcLen > 0 {
		conds = append(conds, rules.In(fields[0], rules.PrefixInterval(t.src, int(t.srcLen), s.Field(fields[0]).Bits)))
	}
	if t.dstLen > 0 {
		conds = append(conds, rules.In(fields[1], rules.PrefixInterval(t.dst, int(t.dstLen), s.Field(fields[1]).Bits)))
	}
	for i := range 2 {
		if p := t.portsOf(i); *p != portRange[WC] {
			conds = append(conds, rules.In(fields[2+i], rules.Span(uint64(p[0]), uint64(p[1]))))
		}
	}
	if t.proto != anyProto {
		conds = append(conds, rules.In(fields[4], rules.Point(uint64(t.proto))))
	}
	return conds
}

// specificity is that of its conditions, see specificity.
func (t *tuple) specificity() int {
	sum := (int(t.srcLen) + int(t.dstLen)) << 16
	for i := range 2 {
		if p := t.portsOf(i); *p != portRange[WC] {
			sum += 16<<16 - logSize(rules.U64(uint64(p[1]-p[0])))
		}
	}
	if t.proto != anyProto {
		sum += 8 << 16
	}
	return sum
}

// hash tells different tuples apart, but for one pair in 2^64.
func (t *tuple) hash() uint64 {
	h := mix(uint64(t.srcLen)<<40 | uint64(t.dstLen)<<32 | uint64(uint16(t.proto)))
	for _, x := range [...]uint64{
		t.src.Hi, t.src.Lo, t.dst.Hi, t.dst.Lo,
		uint64(t.sport[0])<<48 | uint64(t.sport[1])<<32 | uint64(t.dport[0])<<16 | uint64(t.dport[1]),
	} {
		h = mix(h + 0x9e3779b97f4a7c15 ^ x)
	}
	return h
}
