package index

// Queries: the rules that match a point, that meet a region, that cover a
// region. Each collects, field by field, the parts whose union is the field's
// answer, and cuts the candidates down to them; the field with the fewest
// comes first.

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/hipac-go/classifier/rules"
)

// answer is what one field says: the union of some bitmaps and sets.
type answer struct {
	bitmaps []*roaring.Bitmap
	sets    []*set
}

func (a *answer) size() int {
	n := 0
	for _, b := range a.bitmaps {
		n += int(b.GetCardinality())
	}
	for _, s := range a.sets {
		n += s.len()
	}
	return n
}

// cut returns the rules of within, all when it is nil, that are in the answer.
func (a *answer) cut(within *roaring.Bitmap) *roaring.Bitmap {
	out := roaring.New()
	for _, b := range a.bitmaps {
		if within == nil {
			out.Or(b)
		} else {
			out.Or(roaring.And(b, within))
		}
	}
	for _, s := range a.sets {
		s.addTo(out, within)
	}
	return out
}

// combine intersects the answers; all rules when there are none.
func (x *Index) combine(answers []answer) *roaring.Bitmap {
	slices.SortStableFunc(answers, func(a, b answer) int { return cmp.Compare(a.size(), b.size()) })
	var out *roaring.Bitmap
	for i := range answers {
		if out = answers[i].cut(out); out.IsEmpty() {
			return out
		}
	}
	if out == nil {
		return x.every.Clone()
	}
	return out
}

// Match returns the rules that match the key, exactly.
func (x *Index) Match(k rules.Key) *roaring.Bitmap {
	answers := make([]answer, 0, len(x.fields))
	for i := range x.fields {
		f := &x.fields[i]
		if !f.used {
			continue
		}
		a := answer{bitmaps: []*roaring.Bitmap{f.any}}
		if v, present := x.schema.Get(k, i); present {
			f.at(v, x.schema.Field(i).Bits, &a)
		} else {
			a.bitmaps = append(a.bitmaps, f.orAbsent)
		}
		answers = append(answers, a)
	}
	out := x.combine(answers)
	if len(x.rules) == 0 {
		return out
	}
	for _, r := range out.ToArray() {
		for _, c := range x.rules[r] {
			if !c.Holds(x.schema.Get(k, c.Field())) {
				out.Remove(r)
				break
			}
		}
	}
	return out
}

// at adds what covers the value v.
func (f *field) at(v rules.Value, width int, a *answer) {
	a.sets = append(a.sets, &f.find(v).set)
	for length, n := range f.lengths[:width+1] {
		if n == 0 {
			continue
		}
		if s := f.blocks[block{v.And(rules.Ones(width - length).Not()), uint8(length)}]; s != nil {
			a.sets = append(a.sets, s)
		}
	}
}

// Region is a box of values: an interval for some fields, any value of the
// others, absent included.
type Region map[int]rules.Interval

// RegionOf returns the smallest region that holds all packets which meet the
// conditions and have all their fields.
func (x *Index) RegionOf(conds []rules.Cond) Region {
	region := Region{}
	for _, e := range x.lower(conds) {
		switch {
		case e.orAbsent:
		case len(e.ranges) == 0:
			region[e.field] = rules.Interval{Lo: rules.U64(1)} // no value at all
		default:
			region[e.field] = rules.Interval{Lo: e.ranges[0].Lo, Hi: e.ranges[len(e.ranges)-1].Hi}
		}
	}
	return region
}

// Meeting returns the rules that match, or by a bit mask may match, some
// packet of the region.
func (x *Index) Meeting(region Region) *roaring.Bitmap {
	var answers []answer
	for i, iv := range region {
		if iv.Hi.Less(iv.Lo) {
			return roaring.New()
		}
		f := &x.fields[i]
		if !f.used {
			continue
		}
		a := answer{bitmaps: []*roaring.Bitmap{f.any}}
		f.overlapping(iv, func(el *elementary) bool {
			a.sets = append(a.sets, &el.set)
			return true
		})
		// A block meets iv when it holds its low end or begins within it.
		width := x.schema.Field(i).Bits
		for b, s := range f.blocks {
			if (rules.Interval{Lo: b.lo, Hi: b.lo.Or(rules.Ones(width - int(b.length)))}).Overlaps(iv) {
				a.sets = append(a.sets, s)
			}
		}
		answers = append(answers, a)
	}
	return x.combine(answers)
}

// covering returns rules that may cover the region: they cover both ends in
// every field. For a rule of one interval per field that is the same.
func (x *Index) covering(region Region) *roaring.Bitmap {
	var answers []answer
	for i := range x.fields {
		f := &x.fields[i]
		if !f.used {
			continue
		}
		iv, bounded := region[i]
		lo := answer{bitmaps: []*roaring.Bitmap{f.any}}
		if bounded {
			width := x.schema.Field(i).Bits
			hi := answer{bitmaps: []*roaring.Bitmap{f.any}}
			f.at(iv.Lo, width, &lo)
			f.at(iv.Hi, width, &hi)
			answers = append(answers, hi)
		}
		answers = append(answers, lo)
	}
	return x.combine(answers)
}

// HiddenBy returns the lowest rule below rule, of those that hides accepts,
// that matches every packet that rule matches, and false when no single one
// does. conds gives the conditions of a rule.
func (x *Index) HiddenBy(rule uint32, conds func(uint32) []rules.Cond, hides func(uint32) bool) (uint32, bool) {
	mine := x.lower(conds(rule))
	for _, e := range mine {
		if !e.orAbsent && len(e.ranges) == 0 {
			return 0, false // never matches at all
		}
	}
	region := x.RegionOf(conds(rule)) // OrAbsent: only a rule without a condition covers it
	it := x.covering(region).Iterator()
	for it.HasNext() {
		r := it.Next()
		if r >= rule {
			return 0, false
		}
		if _, asked := x.rules[r]; !asked && hides(r) && covers(x.lower(conds(r)), mine) {
			return r, true
		}
	}
	return 0, false
}

// covers reports whether the conditions a hold wherever b do.
func covers(a, b []entry) bool {
	for _, want := range a {
		at := slices.IndexFunc(b, func(e entry) bool { return e.field == want.field })
		if at < 0 || b[at].orAbsent && !want.orAbsent {
			return false
		}
		have := want.ranges // both ascending
		for _, iv := range b[at].ranges {
			for len(have) > 0 && have[0].Hi.Less(iv.Lo) {
				have = have[1:]
			}
			if len(have) == 0 || !have[0].Covers(iv) {
				return false
			}
		}
	}
	return true
}

// First returns the lowest rule that matches the key and that accept is true
// for.
func (x *Index) First(k rules.Key, accept func(uint32) bool) (uint32, bool) {
	for it := x.Match(k).Iterator(); it.HasNext(); {
		if r := it.Next(); accept(r) {
			return r, true
		}
	}
	return 0, false
}
