package histories

// Packets aimed at a rule: inside its conditions, at their ends, a step beyond,
// and in what another rule asks for.

import (
	"math/rand/v2"

	"github.com/hipac-go/classifier/rules"
)

// aimer draws packets.
type aimer struct {
	r      *rand.Rand
	s      *rules.Schema
	pool   []rules.Rule[int]
	values [][]rules.Value // by field: ends of intervals
}

func newAimer(h *History, r *rand.Rand) *aimer {
	a := &aimer{r: r, s: h.Schema, pool: h.Pool, values: make([][]rules.Value, h.Schema.Len())}
	for f := range a.values {
		a.values[f] = []rules.Value{{}, h.Schema.Field(f).Max()}
	}
	for i := range h.Pool {
		for j := range h.Pool[i].Conds {
			c := &h.Pool[i].Conds[j]
			ivs, _ := c.Intervals()
			for _, iv := range ivs {
				if v := &a.values[c.Field()]; len(*v) < 1000 {
					*v = append(*v, iv.Lo, iv.Hi)
				}
			}
		}
	}
	return a
}

// key returns a packet aimed at a rule of the pool.
func (a *aimer) key(pool int) rules.Key {
	k := a.s.NewKey()
	rule, other := &a.pool[pool], &a.pool[a.r.IntN(len(a.pool))]
	beyond, mixed := a.r.IntN(3) == 0, a.r.IntN(3) == 0
	for f := range a.s.Len() {
		c := condOn(rule, f)
		if c == nil || mixed && a.r.IntN(3) == 0 {
			if o := condOn(other, f); o != nil {
				c = o
			}
		}
		v, present := a.value(f, c, beyond && a.r.IntN(3) == 0)
		if present {
			a.s.Set(k, f, v)
		} else {
			a.s.SetAbsent(k, f)
		}
	}
	return k
}

// condOn returns a condition of the rule on the field, or nil.
func condOn(r *rules.Rule[int], field int) *rules.Cond {
	for i := range r.Conds {
		if r.Conds[i].Field() == field {
			return &r.Conds[i]
		}
	}
	return nil
}

// value draws a value of a field for a condition, which may be nil, and whether
// the packet has the field.
func (a *aimer) value(f int, c *rules.Cond, beyond bool) (rules.Value, bool) {
	field := a.s.Field(f)
	if a.r.IntN(20) == 0 || c != nil && c.AllowsAbsent() && a.r.IntN(4) == 0 {
		return rules.Value{}, false
	}
	if c == nil {
		switch v := a.values[f][a.r.IntN(len(a.values[f]))]; a.r.IntN(4) {
		case 0:
			return a.random(), true
		case 1:
			return v.Next(), true
		default:
			return v, true
		}
	}
	v := a.values[f][a.r.IntN(len(a.values[f]))]
	ivs, _ := c.Intervals()
	if len(ivs) > 0 {
		iv := ivs[a.r.IntN(len(ivs))]
		switch v = iv.Lo; a.r.IntN(5) {
		case 0, 1:
			v = iv.Hi
		case 2: // inside
			if in := iv.Lo.Or(a.random().And(iv.Lo.Xor(iv.Hi))); iv.Contains(in) {
				v = in
			}
		}
	}
	if want, mask, ok := c.Mask(); ok && a.r.IntN(5) > 0 {
		v = v.And(mask.Not()).Or(want)
		if a.r.IntN(2) == 0 {
			v = want.Or(a.random().And(mask.Not()))
		}
	}
	if beyond || c.Negated() && a.r.IntN(2) == 0 {
		switch a.r.IntN(3) {
		case 0:
			v = v.Next()
		case 1:
			v = v.Prev()
		default:
			v = v.Xor(rules.U64(1).Shl(a.r.IntN(field.Bits)))
		}
	}
	return v, true
}

// random returns a value of all bits; keys cut it to what their field has.
func (a *aimer) random() rules.Value { return rules.Value{Hi: a.r.Uint64(), Lo: a.r.Uint64()} }
