package chains

// Relations between rules of a chain, and of what ends it.

import (
	"slices"

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
func apart(a, b *rules.Rule[rules.Action]) bool {
	for i := range a.Conds {
		as, ok := plain(&a.Conds[i])
		if !ok {
			continue
		}
		for j := range b.Conds {
			bs, ok := plain(&b.Conds[j])
			if ok && a.Conds[i].Field() == b.Conds[j].Field() &&
				!slices.ContainsFunc(as, func(x rules.Interval) bool { return slices.ContainsFunc(bs, x.Overlaps) }) {
				return true
			}
		}
	}
	return false
}

// stays reports whether the packet behind a rule is what it was in front of it.
func (t *trial) stays(r *rules.Rule[rules.Action]) bool {
	return !t.more || r.Value.Ext == nil && r.Value.Kind != rules.Jump
}

// split makes two rules of one, each with a part of an interval.
func split(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for _, at := range p.places(func(_ int, r *rules.Rule[rules.Action]) bool { return len(r.Conds) > 0 && t.stays(r) }) {
			if len(p.rules[at.Chain]) != p.chains[at.Chain].Rules.Len() { // places are further by now
				continue
			}
			r := *p.at(at)
			j := t.r.IntN(len(r.Conds))
			ivs, ok := plain(&r.Conds[j])
			if !ok || len(ivs) == 0 || ivs[0].Lo == ivs[0].Hi {
				continue
			}
			f := r.Conds[j].Field()
			end := ivs[0].Lo
			if v := t.value(f); ivs[0].Contains(v) && v != ivs[0].Hi {
				end = v
			} else if t.r.IntN(2) == 0 {
				end = ivs[0].Hi.Prev()
			}
			low := rules.In(f, rules.Interval{Lo: ivs[0].Lo, Hi: end})
			high := rules.In(f, append([]rules.Interval{{Lo: end.Next(), Hi: ivs[0].Hi}}, ivs[1:]...)...)
			if t.r.IntN(2) == 0 {
				low, high = high, low
			}
			half := r
			r.Conds, half.Conds = slices.Clone(r.Conds), slices.Clone(r.Conds)
			r.Conds[j], half.Conds[j] = low, high
			rs := slices.Clone(p.rules[at.Chain])
			rs[at.Rule] = r
			p.rules[at.Chain] = slices.Insert(rs, at.Rule+1, half)
			changes++
		}
		return changes
	})
}

// swap lets rules that match no packet both pass one another.
func swap(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for c := range p.rules {
			rs := slices.Clone(p.rules[c])
			p.rules[c] = rs
			for range 3 * len(rs) {
				i := t.r.IntN(len(rs))
				if i+1 < len(rs) && apart(&rs[i], &rs[i+1]) && t.stays(&rs[i]) && t.stays(&rs[i+1]) {
					rs[i], rs[i+1] = rs[i+1], rs[i]
					changes++
				}
			}
		}
		return changes
	})
}

// hide adds rules behind one that ends its chain for every packet that comes to it.
func hide(t *trial) error {
	before, err := t.table(t.size)
	if err != nil {
		return err
	}
	p := programOf(before)
	ends := func() (out []int) {
		for c := range p.rules {
			a := rules.Action{Text: t.text(), Kind: []rules.ActionKind{rules.Decide, rules.Return, rules.Goto}[t.r.IntN(3)], Verdict: rules.Accept}
			if a.Chain = len(p.rules) - 1; a.Kind == rules.Goto && a.Chain <= c {
				a.Kind = rules.Return
			}
			if t.r.IntN(2) == 0 {
				p.rules[c] = append(slices.Clone(p.rules[c]), rules.Rule[rules.Action]{Value: a})
				out = append(out, c)
			}
		}
		return out
	}()
	if before, err = p.table(t.schema); err != nil {
		return err
	}
	for _, c := range ends {
		var to []int
		for i := c + 1; i < len(p.rules); i++ {
			if p.chains[i].Policy == rules.NoVerdict {
				to = append(to, i)
			}
		}
		for range 1 + t.r.IntN(4) {
			p.rules[c] = append(p.rules[c], t.rule(to))
			t.report.Changes++
		}
	}
	after, err := p.table(t.schema)
	if err != nil {
		return err
	}
	return t.equal(tables{before: before, after: after})
}

// endWithReturn puts a return behind all rules of chains.
func endWithReturn(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for c := range p.rules {
			if t.r.IntN(3) > 0 {
				p.rules[c] = append(slices.Clone(p.rules[c]), t.ignored(rules.Action{Kind: rules.Return}))
				changes++
			}
		}
		return changes
	})
}

// endWithPolicy puts a rule that decides as the policy behind all rules of chains
// that packets enter at. Packets that return from a chain do not come to it: those
// chains become chains of their own, which the others begin with a jump to.
func endWithPolicy(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for c := range p.rules {
			if policy := p.chains[c].Policy; policy != rules.NoVerdict {
				body := p.add("body"+p.chains[c].Name, p.rules[c]...)
				p.rules[c] = []rules.Rule[rules.Action]{
					t.ignored(rules.Action{Kind: rules.Jump, Chain: body}),
					t.ignored(rules.Action{Kind: rules.Decide, Verdict: policy}),
				}
				changes++
			}
		}
		return changes
	})
}

// lastGoto makes jumps of gotos that are the last rules of chains.
func lastGoto(t *trial) error {
	before, err := t.table(t.size)
	if err != nil {
		return err
	}
	p, q := programOf(before), programOf(before)
	for c := range p.rules {
		to := len(p.rules) - 1
		if to <= c || p.chains[to].Policy != rules.NoVerdict || t.r.IntN(3) == 0 {
			continue
		}
		r := rules.Rule[rules.Action]{Conds: t.conds(), Value: rules.Action{Text: t.text(), Kind: rules.Goto, Chain: to}}
		p.rules[c] = append(slices.Clone(p.rules[c]), r)
		r.Value.Kind = rules.Jump
		q.rules[c] = append(slices.Clone(q.rules[c]), r)
		t.report.Changes++
	}
	if before, err = p.table(t.schema); err != nil {
		return err
	}
	after, err := q.table(t.schema)
	if err != nil {
		return err
	}
	return t.equal(tables{before: before, after: after})
}

// gotoAsJump makes of each goto a jump and a return for the same packets.
func gotoAsJump(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for c, rs := range p.rules {
			var out []rules.Rule[rules.Action]
			for _, r := range rs {
				out = append(out, r)
				if r.Value.Kind != rules.Goto || !plainly(&r) || t.more && asks(r.Conds, 0) {
					continue
				}
				back := t.ignored(rules.Action{Kind: rules.Return})
				back.Conds = r.Conds
				out[len(out)-1].Value.Kind = rules.Jump
				out = append(out, back)
				changes++
			}
			p.rules[c] = out
		}
		return changes
	})
}
