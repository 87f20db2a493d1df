package workload

// Blocklists: sources to drop, single addresses most of them.

import "github.com/hipac-go/classifier/rules"

// blocklist returns a set of sources to drop, no two of them alike, in random
// order: a share of c.Prefixes prefixes, the others single addresses. There is
// no last rule for every packet. Four in ten addresses lie in neighbourhoods of
// a few, a /24 or a /64, as those of one badly kept network do; the others are
// anywhere, of IPv4 within what is announced (not below 1.0.0.0 nor from
// 224.0.0.0 on, nor private). Prefixes have 16 to 30 bits, 24 half of the time,
// of IPv6 32 to 64 bits, 48 half of the time. Addresses may lie in prefixes.
func blocklist(c Config) (*rules.List[string], error) {
	s, width := rules.IPv4Tuple, 32
	if c.IPv6 {
		s, width = rules.IPv6Tuple, 128
	}
	r := newRNG(c.Seed, "blocklist")
	b := rules.NewBuilder[string](s)
	b.Own()
	b.Grow(c.Rules)
	seen := make(map[rules.Interval]struct{}, c.Rules)
	slab := make([]rules.Cond, 0, c.Rules)
	var near rules.Value // the network of the neighbourhood, and how many are to come
	left := 0
	prefixes := int(float64(c.Prefixes) * float64(c.Rules))
	for n := 0; n < c.Rules; {
		var iv rules.Interval
		switch {
		// The share of prefixes among the rules to come, so that it is exact.
		case r.IntN(c.Rules-n) < prefixes:
			iv = rules.PrefixInterval(anywhere(r, width), prefixLength(r, width), width)
		case left > 0:
			left--
			last := near.Or(r.value(8))
			iv = rules.Interval{Lo: last, Hi: last}
		case r.IntN(14) == 0: // ten of these are as many as four tenths
			near = rules.PrefixInterval(anywhere(r, width), width-8, width).Lo
			left = 4 + r.IntN(12)
			continue
		default:
			a := anywhere(r, width)
			iv = rules.Interval{Lo: a, Hi: a}
		}
		if _, dup := seen[iv]; dup {
			continue
		}
		seen[iv] = struct{}{}
		if iv.Lo != iv.Hi {
			prefixes--
		}
		slab = append(slab, rules.In(0, iv))
		if _, err := b.Add(rules.Rule[string]{Conds: slab[n : n+1 : n+1], Value: Drop}); err != nil {
			return nil, err
		}
		n++
	}
	return b.List(), nil
}

// anywhere draws a public address.
func anywhere(r rng, width int) rules.Value {
	if width == 128 {
		return r.value(125).Or(rules.Value{Hi: 2 << 60})
	}
	for {
		a := r.Uint32()
		first, second := a>>24, a>>16&0xff
		private := first == 10 || first == 127 || first == 172 && second&0xf0 == 16 || first == 192 && second == 168
		if first >= 1 && first < 224 && !private {
			return rules.U64(uint64(a))
		}
	}
}

func prefixLength(r rng, width int) int {
	switch half := r.IntN(2) == 0; {
	case half && width == 128:
		return 48
	case half:
		return 24
	case width == 128:
		return 32 + r.IntN(33)
	}
	return 16 + r.IntN(15)
}
