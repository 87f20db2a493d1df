package rules

// Conditions: what a rule asks of one field. A condition is a set of field
// values - a union of intervals, cut down by a value/mask test, possibly
// negated - and says what becomes of packets that do not have the field.

import (
	"fmt"
	"slices"
)

// Cond is a condition on one field. It holds for a packet whose value v of
// the field satisfies
//
//	(v in one of the intervals) and (v & mask == want)
//
// where either part may be missing, or, when negated, for a value that does
// not. A packet WITHOUT the field satisfies no condition on it, negated or
// not, unless the condition says OrAbsent:
//
//	condition on f                        f absent    f present
//	none                                  true        true
//	full range (Present)                  false       true
//	range, union, mask                    false       by value
//	its negation                          false       by value, inverted
//	empty union                           false       false
//	negated full range                    false       false
//	any of these with OrAbsent            true        as above
//
// That is how the Linux kernel treats ports: a full-range port match still
// needs the header, and "! --sport :" never matches.
//
// A Cond is immutable. Make one with In, Masked or Present.
type Cond struct {
	field    uint8
	not      bool
	orAbsent bool
	ranged   bool // the intervals count, even when there are none
	masked   bool
	ranges   []Interval // ascending, disjoint, not adjacent
	mask     Value
	want     Value
}

// In returns the condition that field i lies in one of the intervals, which
// may overlap and come in any order. Without intervals it holds for nothing.
// The slice is copied.
func In(i int, intervals ...Interval) Cond {
	return Cond{field: fieldIndex(i), ranged: true, ranges: normalize(intervals)}
}

// InOrder is In for intervals that are ascending, disjoint and not adjacent. The
// slice is kept, and must not be changed.
func InOrder(i int, intervals []Interval) Cond {
	return Cond{field: fieldIndex(i), ranged: true, ranges: intervals}
}

// fieldIndex returns i as Cond keeps it; one that no schema has stays so.
func fieldIndex(i int) uint8 {
	if i < 0 || i > 255 {
		return 255
	}
	return uint8(i)
}

// On returns c as a condition on field i instead: for conditions that are made
// before it is known which fields a schema will have.
func (c Cond) On(i int) Cond {
	c.field = fieldIndex(i)
	return c
}

// Masked returns the condition v & mask == want. With bits of want outside
// mask it holds for nothing, and is the same as In without intervals.
func Masked(i int, want, mask Value) Cond {
	return Cond{field: fieldIndex(i)}.AndMasked(want, mask)
}

// Present returns the condition that the packet has field i, whatever its value.
func (s *Schema) Present(i int) Cond { return In(i, s.fields[i].Full()) }

// AndMasked returns c with the test v & mask == want added inside its negation,
// in place of one that it had.
func (c Cond) AndMasked(want, mask Value) Cond {
	if want.And(mask) != want || c.ranged && len(c.ranges) == 0 {
		c.ranged, c.ranges = true, nil // nothing; one way to say it is enough
		c.masked, c.want, c.mask = false, Value{}, Value{}
		return c
	}
	c.masked, c.want, c.mask = true, want, mask
	return c
}

// Negate returns c with its negation flipped; absent packets stay as they are.
func (c Cond) Negate() Cond {
	c.not = !c.not
	return c
}

// OrAbsent returns c holding also for packets that do not have the field.
func (c Cond) OrAbsent() Cond {
	c.orAbsent = true
	return c
}

// Field returns the index of the field that c is about.
func (c *Cond) Field() int { return int(c.field) }

// Negated reports whether c is negated.
func (c *Cond) Negated() bool { return c.not }

// AllowsAbsent reports whether c holds for packets without the field.
func (c *Cond) AllowsAbsent() bool { return c.orAbsent }

// Intervals returns the normalized intervals of c, ascending, disjoint and
// not adjacent, and whether c has an interval part at all. The slice belongs
// to c and must not be changed.
func (c *Cond) Intervals() ([]Interval, bool) { return c.ranges, c.ranged }

// Mask returns the value/mask part of c, and whether it has one.
func (c *Cond) Mask() (want, mask Value, ok bool) { return c.want, c.mask, c.masked }

// Equal reports whether c and d are written the same.
func (c *Cond) Equal(d *Cond) bool {
	return c.field == d.field && c.not == d.not && c.orAbsent == d.orAbsent &&
		c.ranged == d.ranged && c.masked == d.masked && c.mask == d.mask && c.want == d.want &&
		slices.Equal(c.ranges, d.ranges)
}

// Holds reports whether c holds for a packet whose value of the field is v,
// or which does not have it when present is false.
func (c *Cond) Holds(v Value, present bool) bool {
	if !present {
		return c.orAbsent
	}
	in := true
	if c.ranged {
		in = false
		for i := range c.ranges {
			if c.ranges[i].Contains(v) {
				in = true
				break
			}
		}
	}
	if c.masked && v.And(c.mask) != c.want {
		in = false
	}
	return in != c.not
}

// check reports why c does not fit the schema, or nil.
func (c *Cond) check(s *Schema) error {
	if int(c.field) >= len(s.fields) {
		return fmt.Errorf("condition on field %d of a schema of %d", c.field, len(s.fields))
	}
	f := &s.fields[c.field]
	if !c.ranged && !c.masked {
		return fmt.Errorf("field %s: a condition that says nothing; use In, Masked or Present", f.Name)
	}
	for _, iv := range c.ranges {
		if iv.Hi.Less(iv.Lo) {
			return fmt.Errorf("field %s: lower bound %v is above upper bound %v", f.Name, iv.Lo, iv.Hi)
		}
		if f.Max().Less(iv.Hi) {
			return fmt.Errorf("field %s: %v does not fit %d bits", f.Name, iv.Hi, f.Bits)
		}
	}
	if c.masked && c.mask.Or(c.want).BitLen() > f.Bits {
		return fmt.Errorf("field %s: mask %v or value %v does not fit %d bits", f.Name, c.mask, c.want, f.Bits)
	}
	return nil
}

// normalize returns the intervals sorted and merged. Inverted intervals are
// kept as they are for check to report.
func normalize(in []Interval) []Interval {
	out := append(make([]Interval, 0, len(in)), in...)
	if len(out) < 2 {
		return out
	}
	for _, iv := range out {
		if iv.Hi.Less(iv.Lo) {
			return out
		}
	}
	slices.SortFunc(out, func(a, b Interval) int { return a.Lo.Cmp(b.Lo) })
	n := 0
	for _, iv := range out[1:] {
		last := &out[n]
		adjacent := last.Hi != Ones(128) && last.Hi.Next() == iv.Lo
		if adjacent || !last.Hi.Less(iv.Lo) {
			if last.Hi.Less(iv.Hi) {
				last.Hi = iv.Hi
			}
			continue
		}
		n++
		out[n] = iv
	}
	return out[:n+1]
}

// Complement returns the values of field f outside the intervals, which must
// be normalized.
func Complement(f *Field, in []Interval) []Interval {
	out := make([]Interval, 0, len(in)+1)
	next, max := Value{}, f.Max()
	for _, iv := range in {
		if next.Less(iv.Lo) {
			out = append(out, Interval{next, iv.Lo.Prev()})
		}
		if iv.Hi == max {
			return out
		}
		next = iv.Hi.Next()
	}
	return append(out, Interval{next, max})
}
