package oracle

// Drawing rules that others can express, from the richest to the poorest, and
// packets at their corners.

import (
	"math/rand/v2"

	"github.com/hipac-go/classifier/rules"
)

// dialect is what rules may ask for.
type dialect struct {
	name                string
	source              bool // source addresses, and protocols
	sport, dport, masks bool // ports, and protocols by a mask
	icmp                bool // protocols besides TCP and UDP
	zero                bool // ranges of ports from 0 to less than all
}

// dialects go from rich to poor.
var dialects = []dialect{
	{"5-tuples with protocols by masks", true, true, true, true, true, true},
	{"5-tuples", true, true, true, false, true, true},
	{"5-tuples without source ports", true, false, true, false, true, true},
	{"5-tuples without source ports and ranges from port 0", true, false, true, false, true, false},
	{"5-tuples of TCP and UDP without source ports and ranges from port 0", true, false, true, false, false, false},
	{"destination prefixes", false, false, false, false, false, false},
}

type drawer struct {
	dialect
	r    *rand.Rand
	ipv6 bool
}

func (d *drawer) schema() *rules.Schema {
	if d.ipv6 {
		return rules.IPv6Tuple
	}
	return rules.IPv4Tuple
}

// ports lie next to one another, and at the ends.
var ports = []uint64{0, 1, 2, 79, 80, 81, 443, 1023, 1024, 32767, 32768, 65534, 65535}

// address draws an address of a few: two families of prefixes that nest, and ends.
func (d *drawer) address() rules.Value {
	low := d.r.Uint64N(8) | d.r.Uint64N(3)<<8 | d.r.Uint64N(2)<<16 | 10<<24
	switch d.r.IntN(10) {
	case 0:
		low = 0
	case 1:
		low = 0xffffffff
	case 2:
		low = 0x80000000 - d.r.Uint64N(2)
	case 3:
		low ^= 1 << d.r.IntN(32)
	}
	if !d.ipv6 {
		return rules.U64(low)
	}
	v := rules.Value{Hi: 0x20010db8 << 32, Lo: low}
	switch d.r.IntN(10) {
	case 0:
		return rules.Value{}
	case 1:
		return rules.Ones(128)
	case 2:
		v.Hi |= low
	case 3:
		return rules.Value{Lo: 0xffff<<32 | low} // IPv4, to whom it is
	case 4:
		v = v.Xor(rules.U64(1).Shl(d.r.IntN(128)))
	}
	return v
}

func (d *drawer) prefix(f int) rules.Cond {
	bits := d.schema().Field(f).Bits
	n := []int{0, 1, 8, 15, 16, 23, 24, 25, 29, 30, 31, 32}[d.r.IntN(12)]
	if !d.source && n < 24 && d.r.IntN(6) > 0 { // or else most packets match
		n = 32
	}
	if d.ipv6 && n > 1 {
		n = min(96+n, 128)
		if d.r.IntN(3) == 0 {
			n = []int{31, 32, 33, 63, 64, 65, 95, 96}[d.r.IntN(8)]
		}
	}
	return rules.In(f, rules.PrefixInterval(d.address(), n, bits))
}

func (d *drawer) portRange(f int) rules.Cond {
	n := d.r.IntN(len(ports))
	a, b := ports[n], ports[d.r.IntN(len(ports))]
	if !d.zero && n < 9 { // those who have no ranges from 0 have entries for each port
		b = ports[d.r.IntN(9)]
	}
	if d.r.IntN(2) == 0 {
		b = a
	}
	if !d.zero && min(a, b) == 0 && max(a, b) != 65535 {
		a, b = max(a, 1), max(b, 1)
	}
	return rules.In(f, rules.Span(min(a, b), max(a, b)))
}

func (d *drawer) protocol() rules.Value {
	if !d.icmp || d.r.IntN(4) > 0 {
		return rules.U64([]uint64{6, 17}[d.r.IntN(2)])
	}
	if d.ipv6 {
		return rules.U64(58)
	}
	return rules.U64(1)
}

func (d *drawer) conds() (out []rules.Cond) {
	add := func(c rules.Cond) {
		if d.r.IntN(5) > 1 {
			out = append(out, c)
		}
	}
	dst := d.prefix(1)
	if !d.source {
		return []rules.Cond{dst}
	}
	add(d.prefix(0))
	add(dst)
	if d.sport {
		add(d.portRange(2))
	}
	if d.dport && d.r.IntN(3) > 0 {
		out = append(out, d.portRange(3))
	}
	switch v := d.protocol(); {
	case d.masks && d.r.IntN(6) == 0:
		mask := rules.U64(uint64(d.r.IntN(256)))
		out = append(out, rules.Masked(4, v.And(mask), mask))
	case d.r.IntN(4) > 0:
		out = append(out, rules.In(4, rules.Interval{Lo: v, Hi: v}))
	}
	return out
}

// list draws a list; the last rule may be one for all packets.
func (d *drawer) list(size int) (*rules.List[string], error) {
	b := rules.NewBuilder[string](d.schema())
	for range 1 + d.r.IntN(size) {
		conds := d.conds()
		if len(conds) == 0 {
			continue
		}
		if _, err := b.Add(rules.Rule[string]{Conds: conds}); err != nil {
			return nil, err
		}
	}
	if d.r.IntN(6) == 0 {
		if _, err := b.Add(rules.Rule[string]{}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// packets is how many are asked about for a list.
const packets = 256

// keys draws packets: corners of rules, their neighbours, and values of the pools.
func (d *drawer) keys(l *rules.List[string]) (out []uint32) {
	s := l.Schema()
	for range packets {
		k := s.NewKey()
		s.Set(k, 0, d.address())
		s.Set(k, 1, d.address())
		for f := 2; f < 4; f++ {
			v := ports[d.r.IntN(len(ports))]
			if d.r.IntN(4) == 0 {
				v = uint64(d.r.IntN(1 << 16))
			}
			s.Set(k, f, rules.U64(v))
		}
		s.Set(k, 4, d.protocol())
		if l.Len() > 0 && (d.r.IntN(3) == 0 || d.source && d.r.IntN(2) == 0) {
			conds := l.At(d.r.IntN(l.Len())).Conds
			for i := range conds {
				f := conds[i].Field()
				if ivs, ranged := conds[i].Intervals(); ranged && len(ivs) > 0 && f < 4 {
					v := []rules.Value{ivs[0].Lo, ivs[0].Hi, ivs[0].Lo, ivs[0].Hi.Next().And(s.Field(f).Max()), ivs[0].Lo.Prev().And(s.Field(f).Max())}[d.r.IntN(5)]
					s.Set(k, f, v)
				} else if ranged && len(ivs) > 0 && ivs[0].Lo == ivs[0].Hi {
					s.Set(k, f, ivs[0].Lo)
				}
			}
		}
		out = append(out, k...)
	}
	return out
}
