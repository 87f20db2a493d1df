package baselines

// From rules to what the papers know. Their rules are boxes: an interval, a
// prefix or a value in each field. Ours ask more of a field: unions, masks,
// negations, and whether the packet has the field at all. Here the conditions of
// a rule on one field become a union of pieces, each an interval and, where that
// does not say it, a value under a mask:
//
//	dport=22,80,443          {22} {80} {443}
//	proto!=6                 {0-5} {7-255}
//	tcpflags&0x17=2          {0-255, &0x17=2}, or the 16 values as intervals
//	not tcpflags&3=1         {&2=2} {&3=0}
//
// A field that the packet does not have is 0 in its key, so that most pieces
// exclude such packets by themselves. A piece with the value 0 in it needs the
// field to be present, or not, as the conditions say.

import (
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// piece is a set of values of a field: those in the interval that agree with
// want in the bits of mask. The mask is 0 where the interval says it all.
type piece struct {
	rules.Interval
	want, mask rules.Value
}

// zero reports whether 0 is in the piece.
func (p *piece) zero() bool { return p.Lo == rules.Value{} && p.want == rules.Value{} }

// fieldSet is what a rule asks of one field.
type fieldSet struct {
	field  int
	pieces []piece // disjoint, ascending where there are no masks
	absent bool    // packets without the field are in it
	loose  bool    // the pieces hold more than that: the rule itself is to be asked
}

const (
	// maxExpand bounds the intervals that a mask is written as, for engines
	// that know intervals only: the 32 values of a byte with three bits given.
	maxExpand = 32
	// maxMeet bounds the pairs that are looked at when two conditions on one
	// field meet and one of them has masks.
	maxMeet = 1 << 14
)

// lowering turns the conditions of rules into sets of pieces, by field.
type lowering struct {
	schema *rules.Schema
	expand bool // write small masks as intervals
	sets   []fieldSet
}

// rule returns a set for each field that the conditions are about, and false
// when no packet meets them. The slice is reused for the next rule.
func (lw *lowering) rule(conds []rules.Cond) ([]fieldSet, bool) {
	lw.sets = lw.sets[:0]
	possible := true
	for i := range conds {
		c := &conds[i]
		set := fieldSet{field: c.Field(), absent: c.AllowsAbsent(), pieces: lw.cond(c)}
		at := slices.IndexFunc(lw.sets, func(s fieldSet) bool { return s.field == set.field })
		if at < 0 {
			at = len(lw.sets)
			lw.sets = append(lw.sets, set)
		} else {
			old := &lw.sets[at]
			old.absent = old.absent && set.absent
			var loose bool
			old.pieces, loose = meet(old.pieces, set.pieces)
			old.loose = old.loose || loose
		}
		possible = possible && (len(lw.sets[at].pieces) > 0 || lw.sets[at].absent)
	}
	return lw.sets, possible
}

// cond returns the pieces of a condition.
func (lw *lowering) cond(c *rules.Cond) []piece {
	f := lw.schema.Field(c.Field())
	ranges, ranged := c.Intervals()
	if !ranged {
		ranges = []rules.Interval{f.Full()}
	}
	want, mask, masked := c.Mask()
	if masked {
		free := mask.Not().And(f.Max())
		n := free.BitLen()
		switch {
		case free == rules.Ones(n): // a prefix
			ranges = clip(ranges, rules.Interval{Lo: want, Hi: want.Or(free)})
			masked = false
		case lw.expand:
			if list := expandMask(want, free); list != nil {
				var out []rules.Interval
				for _, iv := range list {
					out = append(out, clip(ranges, iv)...)
				}
				ranges, masked = out, false
			}
		}
	}
	if !masked {
		if c.Negated() {
			ranges = rules.Complement(f, ranges)
		}
		return plain(ranges)
	}
	if !c.Negated() {
		out := make([]piece, len(ranges))
		for i, iv := range ranges {
			out[i] = piece{iv, want, mask}
		}
		return out
	}
	// Outside the ranges, or inside with a bit of the mask that differs: the
	// pieces go by the first one that does.
	out := plain(rules.Complement(f, ranges))
	for b := f.Bits - 1; b >= 0; b-- {
		bit := rules.U64(1).Shl(b)
		if mask.And(bit) == (rules.Value{}) {
			continue
		}
		upper := mask.And(rules.Ones(b).Not())
		other := want.And(upper).Xor(bit)
		free := upper.Not().And(f.Max())
		if free == rules.Ones(free.BitLen()) {
			out = append(out, plain(clip(ranges, rules.Interval{Lo: other, Hi: other.Or(free)}))...)
			continue
		}
		for _, iv := range ranges {
			out = append(out, piece{iv, other, upper})
		}
	}
	return out
}

func plain(in []rules.Interval) []piece {
	out := make([]piece, len(in))
	for i, iv := range in {
		out[i].Interval = iv
	}
	return out
}

// clip returns the parts of ascending intervals within one.
func clip(in []rules.Interval, to rules.Interval) []rules.Interval {
	var out []rules.Interval
	for _, iv := range in {
		if iv.Overlaps(to) {
			out = append(out, both(iv, to))
		}
	}
	return out
}

// both returns what two overlapping intervals have in common.
func both(a, b rules.Interval) rules.Interval {
	if a.Lo.Less(b.Lo) {
		a.Lo = b.Lo
	}
	if b.Hi.Less(a.Hi) {
		a.Hi = b.Hi
	}
	return a
}

// expandMask returns the values that are want but for the free bits as
// ascending intervals, nil when they are more than maxExpand.
func expandMask(want, free rules.Value) []rules.Interval {
	low := 0 // free bits at the low end make one interval
	for free.And(rules.U64(1).Shl(low)) != (rules.Value{}) {
		low++
	}
	upper := free.And(rules.Ones(low).Not())
	if n := bits.OnesCount64(upper.Hi) + bits.OnesCount64(upper.Lo); 1<<min(n, 20) > maxExpand {
		return nil
	}
	var out []rules.Interval
	for v := (rules.Value{}); ; { // all subsets of upper, ascending
		lo := want.Or(v)
		out = append(out, rules.Interval{Lo: lo, Hi: lo.Or(rules.Ones(low))})
		if v == upper {
			return out
		}
		v = v.Or(upper.Not()).Next().And(upper)
	}
}

// meet returns the pieces that two unions have in common. When that takes too
// long, it is those of a, and loose.
func meet(a, b []piece) (out []piece, loose bool) {
	if !slices.ContainsFunc(a, piece.masks) && !slices.ContainsFunc(b, piece.masks) {
		for len(a) > 0 && len(b) > 0 {
			if a[0].Overlaps(b[0].Interval) {
				out = append(out, piece{Interval: both(a[0].Interval, b[0].Interval)})
			}
			if a[0].Hi.Less(b[0].Hi) {
				a = a[1:]
			} else {
				b = b[1:]
			}
		}
		return out, false
	}
	if len(a)*len(b) > maxMeet {
		return a, true
	}
	for _, x := range a {
		for _, y := range b {
			if x.Overlaps(y.Interval) && x.want.And(y.mask) == y.want.And(x.mask) {
				out = append(out, piece{both(x.Interval, y.Interval), x.want.Or(y.want), x.mask.Or(y.mask)})
			}
		}
	}
	slices.SortFunc(out, func(a, b piece) int { return a.Lo.Cmp(b.Lo) })
	return out, false
}

func (p piece) masks() bool { return p.mask != rules.Value{} }

// hull returns the interval from the lowest to the highest value of the set.
func (s *fieldSet) hull() rules.Interval {
	var h rules.Interval
	for i, p := range s.pieces {
		if i == 0 || p.Lo.Less(h.Lo) {
			h.Lo = p.Lo
		}
		if h.Hi.Less(p.Hi) {
			h.Hi = p.Hi
		}
	}
	if s.absent {
		h.Lo = rules.Value{}
	}
	return h
}
