package relations

// Relations between rules of a list.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// plain returns the intervals of a condition that holds for them alone.
func plain(c *rules.Cond) ([]rules.Interval, bool) {
	ivs, ranged := c.Intervals()
	_, _, masked := c.Mask()
	return ivs, ranged && !masked && !c.Negated() && !c.AllowsAbsent()
}

// apart reports whether two rules match no packet both, for that they ask for
// different values of a field.
func apart(a, b *rules.Rule[int]) bool {
	for i := range a.Conds {
		as, ok := plain(&a.Conds[i])
		if !ok {
			continue
		}
		for j := range b.Conds {
			bs, ok := plain(&b.Conds[j])
			if !ok || a.Conds[i].Field() != b.Conds[j].Field() {
				continue
			}
			if !slices.ContainsFunc(as, func(x rules.Interval) bool { return slices.ContainsFunc(bs, x.Overlaps) }) {
				return true
			}
		}
	}
	return false
}

// swap lets rules that match no packet both pass one another.
func swap(t *trial) error {
	l, err := t.list(nil)
	if err != nil {
		return err
	}
	rs := rulesOf(l)
	for range 3 * len(rs) {
		i := t.r.IntN(len(rs))
		for i+1 < len(rs) && apart(&rs[i], &rs[i+1]) && t.r.IntN(8) > 0 {
			rs[i], rs[i+1] = rs[i+1], rs[i]
			t.report.Changes++
			i++
		}
	}
	other, err := build(l.Schema(), rs)
	if err != nil {
		return err
	}
	keys, err := t.keys(l)
	if err != nil {
		return err
	}
	return t.equal(l, other, keys, keys, ways.None)
}

// within returns an interval inside one.
func (t *trial) within(iv rules.Interval) rules.Interval {
	a, b := t.inside(iv), t.inside(iv)
	if b.Less(a) {
		a, b = b, a
	}
	return rules.Interval{Lo: a, Hi: b}
}

// inside returns a value of an interval, often one of its ends.
func (t *trial) inside(iv rules.Interval) rules.Value {
	switch t.r.IntN(4) {
	case 0:
		return iv.Lo
	case 1:
		return iv.Hi
	}
	// The bits above the first that differs are those of both ends.
	v := rules.Value{Hi: t.r.Uint64(), Lo: t.r.Uint64()}.And(rules.Ones(iv.Lo.Xor(iv.Hi).BitLen()))
	v = v.Or(iv.Lo.And(rules.Ones(iv.Lo.Xor(iv.Hi).BitLen()).Not()))
	if !iv.Contains(v) {
		return iv.Lo
	}
	return v
}

// hide inserts rules behind others that match all of their packets.
func hide(t *trial) error {
	l, err := t.list(nil)
	if err != nil {
		return err
	}
	s := l.Schema()
	rs := rulesOf(l)
	hidden := l.Len()
	for range 1 + t.r.IntN(5) {
		if len(rs) == 0 {
			break
		}
		i := t.r.IntN(len(rs))
		if rs[i].Continue || rs[i].Value == hidden {
			continue
		}
		r := rules.Rule[int]{Value: hidden, Continue: t.r.IntN(4) == 0}
		for j := range rs[i].Conds {
			c := rs[i].Conds[j]
			if ivs, ok := plain(&c); ok && len(ivs) > 0 && t.r.IntN(3) > 0 {
				c = rules.In(c.Field(), t.within(ivs[t.r.IntN(len(ivs))]))
			}
			r.Conds = append(r.Conds, c)
		}
		if t.r.IntN(3) == 0 {
			f := t.r.IntN(s.Len())
			r.Conds = append(r.Conds, rules.In(f, t.within(s.Field(f).Full())))
		}
		rs = slices.Insert(rs, i+1+t.r.IntN(len(rs)-i), r)
		t.report.Changes++
	}
	other, err := build(s, rs)
	if err != nil {
		return err
	}
	keys, err := t.keys(l, other)
	if err != nil {
		return err
	}
	return t.equal(l, other, keys, keys, hidden)
}

// split makes two rules of one, each with a part of an interval.
func split(t *trial) error {
	l, err := t.list(nil)
	if err != nil {
		return err
	}
	rs := rulesOf(l)
	for range 3 + len(rs)/4 {
		if len(rs) == 0 {
			break
		}
		i := t.r.IntN(len(rs))
		if len(rs[i].Conds) == 0 {
			continue
		}
		j := t.r.IntN(len(rs[i].Conds))
		c := rs[i].Conds[j]
		ivs, ranged := c.Intervals()
		if _, _, masked := c.Mask(); !ranged || masked || c.Negated() || len(ivs) == 0 {
			continue
		}
		n := t.r.IntN(len(ivs))
		if ivs[n].Lo == ivs[n].Hi {
			continue
		}
		m := t.inside(rules.Interval{Lo: ivs[n].Lo, Hi: ivs[n].Hi.Prev()})
		low := rules.In(c.Field(), append(slices.Clone(ivs[:n]), rules.Interval{Lo: ivs[n].Lo, Hi: m})...)
		high := rules.In(c.Field(), append(slices.Clone(ivs[n+1:]), rules.Interval{Lo: m.Next(), Hi: ivs[n].Hi})...)
		if c.AllowsAbsent() {
			low = low.OrAbsent()
		}
		if t.r.IntN(2) == 0 {
			low, high = high, low
		}
		half := rs[i]
		rs[i].Conds, half.Conds = slices.Clone(half.Conds), slices.Clone(half.Conds)
		rs[i].Conds[j], half.Conds[j] = low, high
		rs = slices.Insert(rs, i+1, half)
		t.report.Changes++
	}
	other, err := build(l.Schema(), rs)
	if err != nil {
		return err
	}
	keys, err := t.keys(l, other)
	if err != nil {
		return err
	}
	return t.equal(l, other, keys, keys, ways.None)
}

// widen lets a rule match more. What it matched it still does, and nothing
// changes for packets that an earlier rule decides.
func widen(t *trial) error {
	l, err := t.list(nil)
	if err != nil || l.Len() == 0 {
		return err
	}
	s := l.Schema()
	rs := rulesOf(l)
	at := t.r.IntN(len(rs))
	r := &rs[at]
	r.Conds = slices.Clone(r.Conds)
	for range 1 + t.r.IntN(2) {
		if len(r.Conds) == 0 {
			break
		}
		j := t.r.IntN(len(r.Conds))
		c := &r.Conds[j]
		t.report.Changes++
		ivs, ok := plain(c)
		if !ok || len(ivs) == 0 || t.r.IntN(3) == 0 {
			r.Conds = slices.Delete(r.Conds, j, j+1)
			continue
		}
		iv, full := ivs[t.r.IntN(len(ivs))], s.Field(c.Field()).Full()
		iv = rules.Interval{
			Lo: t.inside(rules.Interval{Lo: full.Lo, Hi: iv.Lo}),
			Hi: t.inside(rules.Interval{Lo: iv.Hi, Hi: full.Hi}),
		}
		*c = rules.In(c.Field(), append(slices.Clone(ivs), iv)...)
	}
	other, err := build(s, rs)
	if err != nil {
		return err
	}
	keys, err := t.keys(l, other)
	if err != nil {
		return err
	}
	for _, w := range t.some() {
		before, err := t.answers(w, l, keys)
		if err != nil {
			return err
		}
		after, err := t.answers(w, other, keys)
		if err != nil {
			return err
		}
		t.count(before)
		for i, was := range before.First {
			is := after.First[i]
			t.report.Comparisons++
			// is == at needs that the rule decides, and that none before it did.
			if is != was && (is != at || r.Continue || was != ways.None && was < at) {
				return differ(w, s, keys, i, "first match, the rule at "+fmt.Sprint(at)+" widened", is, was)
			}
			if before.All == nil {
				continue
			}
			t.report.Comparisons++
			if had, has := before.All[i], after.All[i]; !slices.Equal(without(slices.Clone(had), at), without(slices.Clone(has), at)) ||
				slices.Contains(had, at) && !slices.Contains(has, at) {
				return differ(w, s, keys, i, "all matches, the rule at "+fmt.Sprint(at)+" widened", has, had)
			}
		}
	}
	return nil
}

func differ(w ways.Way, s *rules.Schema, keys []uint32, i int, question string, got, want any) error {
	n := s.KeyLen()
	return &compare.Difference{Engine: w.Name, Question: question, Key: keys[i*n:][:n:n], Got: fmt.Sprint(got), Want: fmt.Sprint(want)}
}
