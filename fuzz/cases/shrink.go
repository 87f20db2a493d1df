package cases

// Making things smaller: parts are left out as long as what is left still differs
// (A. Zeller, R. Hildebrandt: Simplifying and Isolating Failure-Inducing Input,
// IEEE Transactions on Software Engineering 28(2), 2002), and values become plain.

import (
	"context"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// fewer returns the fewest of some items, in order, that still fail, as far as
// leaving out parts, half of them first and then smaller ones, finds them.
func fewer[E any](ctx context.Context, items []E, fails func([]E) bool) []E {
	for size := (len(items) + 1) / 2; size > 0; size /= 2 {
		for at := 0; at < len(items) && ctx.Err() == nil; {
			keep := slices.Delete(slices.Clone(items), at, min(at+size, len(items)))
			if fails(keep) {
				items = keep
			} else {
				at += size
			}
		}
	}
	return items
}

// plainer returns rules with fewer and plainer conditions that still fail.
func plainer[T any](ctx context.Context, s *rules.Schema, list []rules.Rule[T], fails func([]rules.Rule[T]) bool) []rules.Rule[T] {
	try := func(i int, change func(r *rules.Rule[T])) bool {
		if ctx.Err() != nil {
			return false
		}
		next := slices.Clone(list)
		next[i].Conds = slices.Clone(next[i].Conds)
		change(&next[i])
		if !fails(next) {
			return false
		}
		list = next
		return true
	}
	for i := range list {
		for j := 0; j < len(list[i].Conds); {
			if !try(i, func(r *rules.Rule[T]) { r.Conds = slices.Delete(r.Conds, j, j+1) }) {
				j++
			}
		}
		if list[i].Unknown != "" {
			try(i, func(r *rules.Rule[T]) { r.Unknown = "" })
		}
		for j := range list[i].Conds {
			for _, c := range plainConds(&list[i].Conds[j]) {
				if try(i, func(r *rules.Rule[T]) { r.Conds[j] = c }) {
					break
				}
			}
		}
	}
	return list
}

// plainConds returns conditions that are plainer than one: parts of it, the
// plainest first.
func plainConds(c *rules.Cond) (out []rules.Cond) {
	ivs, ranged := c.Intervals()
	want, mask, masked := c.Mask()
	keep := func(x rules.Cond) rules.Cond {
		if c.Negated() {
			x = x.Negate()
		}
		return x
	}
	if ranged && len(ivs) > 0 {
		for _, iv := range ivs {
			if iv.Lo != iv.Hi {
				for _, p := range []rules.Value{iv.Lo, iv.Hi} {
					if iv := (rules.Interval{Lo: p, Hi: p}); len(ivs) > 1 || masked || c.AllowsAbsent() || c.Negated() {
						out = append(out, rules.In(c.Field(), iv))
					}
				}
			}
			if len(ivs) > 1 || masked || c.AllowsAbsent() {
				out = append(out, rules.In(c.Field(), iv), keep(rules.In(c.Field(), iv)))
			}
		}
	}
	if masked && (ranged || c.AllowsAbsent()) {
		out = append(out, keep(rules.Masked(c.Field(), want, mask)))
	}
	if c.AllowsAbsent() && ranged {
		out = append(out, keep(rules.In(c.Field(), ivs...)))
	}
	return out
}

// narrower returns a packet with plainer values that still fails: fields 0, or with
// as few bits as can be.
func narrower(ctx context.Context, s *rules.Schema, k rules.Key, fails func(rules.Key) bool) rules.Key {
	try := func(change func(k rules.Key)) bool {
		if ctx.Err() != nil {
			return false
		}
		next := slices.Clone(k)
		change(next)
		if slices.Equal(next, k) || !fails(next) {
			return false
		}
		k = next
		return true
	}
	for f := range s.Len() {
		v, present := s.Get(k, f)
		if !present {
			try(func(k rules.Key) { s.Set(k, f, rules.Value{}) })
			continue
		}
		if try(func(k rules.Key) { s.Set(k, f, rules.Value{}) }) {
			continue
		}
		for bit := v.BitLen() - 1; bit >= 0; bit-- {
			one := rules.U64(1).Shl(bit)
			if v.And(one) != (rules.Value{}) && try(func(k rules.Key) { s.Set(k, f, v.Xor(one)) }) {
				v = v.Xor(one)
			}
		}
	}
	return k
}
