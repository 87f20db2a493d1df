package relations

// Relations between schemas that say the same.

import (
	"fmt"

	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// mapped returns an IPv4 address as an IP one.
func mapped(v rules.Value) rules.Value { return v.Or(rules.U64(0xffff << 32)) }

// mapCond returns a condition on an IPv4 address as one on an IP address.
func mapCond(c *rules.Cond) rules.Cond {
	want, mask, masked := c.Mask()
	want, mask = mapped(want), mask.Or(rules.Ones(32).Not())
	ivs, ranged := c.Intervals()
	var out rules.Cond
	if ranged {
		list := make([]rules.Interval, len(ivs))
		for i, iv := range ivs {
			list[i] = rules.Interval{Lo: mapped(iv.Lo), Hi: mapped(iv.Hi)}
		}
		out = rules.In(c.Field(), list...)
		if masked {
			out = out.AndMasked(want, mask)
		}
	} else {
		out = rules.Masked(c.Field(), want, mask)
	}
	if c.Negated() {
		out = out.Negate()
	}
	if c.AllowsAbsent() {
		out = out.OrAbsent()
	}
	return out
}

// mapAddresses asks about IPv4 packets in lists of IPv4 and of both families.
func mapAddresses(t *trial) error {
	l, err := t.list(rules.IPv4Tuple)
	if err != nil {
		return err
	}
	rs := rulesOf(l)
	for i := range rs {
		conds := make([]rules.Cond, len(rs[i].Conds))
		for j := range conds {
			if conds[j] = rs[i].Conds[j]; conds[j].Field() < 2 {
				conds[j] = mapCond(&conds[j])
				t.report.Changes++
			}
		}
		rs[i].Conds = conds
	}
	other, err := build(rules.IPTuple, rs)
	if err != nil {
		return err
	}
	keys, err := t.keys(l)
	if err != nil {
		return err
	}
	return t.equal(l, other, keys, translate(keys, l.Schema(), other.Schema(), []int{0, 1, 2, 3, 4}, func(f int, v rules.Value) rules.Value {
		if f < 2 {
			return mapped(v)
		}
		return v
	}), ways.None)
}

// translate returns keys of one schema as those of another, field f of which is
// number to[f].
func translate(keys []uint32, from, into *rules.Schema, to []int, value func(f int, v rules.Value) rules.Value) (out []uint32) {
	w := from.KeyLen()
	for ; len(keys) > 0; keys = keys[w:] {
		k := into.NewKey()
		for f, g := range to {
			if v, ok := from.Get(rules.Key(keys[:w:w]), f); ok {
				into.Set(k, g, value(f, v))
			} else {
				into.SetAbsent(k, g)
			}
		}
		out = append(out, k...)
	}
	return out
}

// moveFields puts the fields in another order and, where there is room, a field
// between them that no rule asks for.
func moveFields(t *trial) error {
	l, err := t.list(nil)
	if err != nil {
		return err
	}
	s := l.Schema()
	n := s.Len()
	order := t.r.Perm(n + 1) // order[n] is the new field's place
	fields := make([]rules.Field, n+1)
	for f := range n {
		fields[order[f]] = rules.Field{Name: fmt.Sprint("f", f), Bits: s.Field(f).Bits}
	}
	fields[order[n]] = rules.Field{Name: "new", Bits: 1 + t.r.IntN(rules.MaxFieldBits)}
	into, err := rules.NewSchema(fields...)
	if err != nil {
		return err
	}
	t.report.Changes += n + 1
	rs := rulesOf(l)
	for i := range rs {
		conds := make([]rules.Cond, len(rs[i].Conds))
		for j := range conds {
			conds[j] = rs[i].Conds[j].On(order[rs[i].Conds[j].Field()])
		}
		rs[i].Conds = conds
	}
	other, err := build(into, rs)
	if err != nil {
		return err
	}
	keys, err := t.keys(l)
	if err != nil {
		return err
	}
	moved := translate(keys, s, into, order[:n], func(_ int, v rules.Value) rules.Value { return v })
	for k := moved; len(k) > 0; k = k[into.KeyLen():] {
		key := rules.Key(k[:into.KeyLen():into.KeyLen()])
		if into.Set(key, order[n], t.inside(into.Field(order[n]).Full())); t.r.IntN(4) == 0 {
			into.SetAbsent(key, order[n])
		}
	}
	return t.equal(l, other, keys, moved, ways.None)
}
