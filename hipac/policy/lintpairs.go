package policy

// Pairs of rules: neighbours that could be one, and rules of different verdicts
// that overlap.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/region"
	"github.com/hipac-go/classifier/rules"
)

// mostPorts is the number of ports in one condition: iptables's multiport has
// room for 15, of which a range takes two.
const mostPorts = 15

// neighbours looks for rules, one right behind the other, that could be one.
func (l *lint) neighbours() error {
	for i := 0; i < len(l.all); i++ {
		conds, ok := l.mergeable(i)
		if !ok {
			continue
		}
		f := Finding{Code: Mergeable, Severity: Note, Rules: []rules.Place{l.all[i].at}}
		for i+1 < len(l.all) && l.all[i+1].at.Chain == f.Rules[0].Chain {
			next, ok := l.mergeable(i + 1)
			if !ok || !l.sameAction(&l.all[i], &l.all[i+1]) {
				break
			}
			merged, ok := l.merge(conds, next, l.all[i].kind == rules.Jump)
			if !ok {
				break
			}
			conds = merged
			i++
			f.Rules = append(f.Rules, l.all[i].at)
		}
		if len(f.Rules) < 2 {
			continue
		}
		r := rules.Rule[struct{}]{Conds: conds}
		f.Conds = conds
		f.Text = fmt.Sprintf("%s do the same and could be one", l.names(f.Rules, 0))
		f.Fix = "one rule with: " + rules.FormatRule(l.fs[0].schema, &r)
		if err := l.found(f); err != nil {
			return err
		}
	}
	return nil
}

// mergeable returns the conditions of a rule that may be merged.
func (l *lint) mergeable(i int) ([]rules.Cond, bool) {
	s := &l.all[i]
	if s.state != live || s.pieces != 1 || s.kind == rules.Pass {
		return nil, false
	}
	if t := l.fs[0].table; t != nil {
		r := t.Chains[s.at.Chain].Rules.At(s.at.Rule)
		return r.Conds, r.Unknown == "" && r.Value.Ext.Plain()
	}
	return l.condsOf(s.at), len(l.fs[0].ways[s.at.Rule].tests) == 0
}

// sameAction reports whether two rules of a chain do the same.
func (l *lint) sameAction(a, b *subject) bool {
	if t := l.fs[0].table; t != nil {
		x, y := &t.Chains[a.at.Chain].Rules.At(a.at.Rule).Value, &t.Chains[b.at.Chain].Rules.At(b.at.Rule).Value
		return x.Kind == y.Kind && x.Verdict == y.Verdict && x.Chain == y.Chain && x.Text == y.Text
	}
	return a.kind == b.kind && l.verdict(a.at) == l.verdict(b.at)
}

// merge returns conditions that hold where one of two lists of them does, if they
// differ in one condition only and that can be written as one. apart: and if they
// never both hold.
func (l *lint) merge(a, b []rules.Cond, apart bool) ([]rules.Cond, bool) {
	if len(a) != len(b) {
		return nil, false
	}
	out := slices.Clone(a)
	differs := -1
	var seen uint64
	for i := range a {
		f := a[i].Field()
		j := slices.IndexFunc(b, func(c rules.Cond) bool { return c.Field() == f })
		if j < 0 || seen&(1<<f) != 0 {
			return nil, false
		}
		seen |= 1 << f
		if a[i].Equal(&b[j]) {
			continue
		}
		if differs >= 0 {
			return nil, false
		}
		differs = i
		c, ok := l.union(&a[i], &b[j], apart)
		if !ok {
			return nil, false
		}
		out[i] = c
	}
	return out, differs >= 0
}

// union returns the condition that holds where one of two on a field does.
func (l *lint) union(a, b *rules.Cond, apart bool) (c rules.Cond, ok bool) {
	_, _, aMask := a.Mask()
	_, _, bMask := b.Mask()
	x, aOK := a.Intervals()
	y, bOK := b.Intervals()
	if aMask || bMask || !aOK || !bOK || a.Negated() || b.Negated() || a.AllowsAbsent() != b.AllowsAbsent() {
		return c, false
	}
	for _, iv := range x {
		if apart && slices.ContainsFunc(y, iv.Overlaps) {
			return c, false
		}
	}
	c = rules.In(a.Field(), slices.Concat(x, y)...)
	all, _ := c.Intervals()
	f := l.fs[0].schema.Field(a.Field())
	switch f.Kind {
	case rules.Port:
		n := 0
		for _, iv := range all {
			if n++; iv.Lo != iv.Hi {
				n++
			}
		}
		ok = n <= mostPorts
	case rules.Number, rules.Hex:
		ok = len(all) == 1
	case rules.IPv4, rules.IPv6, rules.IP:
		if len(all) == 1 {
			_, ok = all[0].PrefixLen(f.Bits)
		}
	}
	if a.AllowsAbsent() {
		c = c.OrAbsent()
	}
	return c, ok
}

// overlaps looks for pairs of rules of a chain with different verdicts, of which
// each matches packets that the other does too, and others.
func (l *lint) overlaps() error {
	if !l.o.Overlaps {
		return nil
	}
	for first := 0; first < len(l.all); {
		last := first
		for last < len(l.all) && l.all[last].at.Chain == l.all[first].at.Chain {
			last++
		}
		if err := l.overlapsIn(first, last); err != nil {
			return err
		}
		first = last
	}
	return nil
}

// overlapsIn looks at the rules of one chain.
func (l *lint) overlapsIn(first, last int) error {
	q := region.NewSequence(l.space)
	start := make([]int, last-first+1)
	values := map[string]int32{}
	for i := first; i < last; i++ {
		s := &l.all[i]
		start[i-first] = len(q.Items)
		if s.kind != rules.Decide || s.state != live && s.state != unsolved {
			continue
		}
		v, ok := values[l.verdict(s.at)]
		if !ok {
			v = int32(len(values))
			values[l.verdict(s.at)] = v
		}
		for k := range s.pieces {
			at := rules.Place{Chain: s.at.Chain, Rule: s.at.Rule + k}
			pieces, err := l.space.Pieces(slices.Concat(l.fs[0].within, l.condsOf(at)), l.testsOf(at)...)
			if err != nil {
				return fmt.Errorf("rule %s: %w", l.name(at), err)
			}
			for _, p := range pieces {
				q.Add(region.Item{Rule: int32(i - first), Value: v}, p)
			}
		}
	}
	start[last-first] = len(q.Items)
	q.Finish()
	if len(values) < 2 {
		return nil
	}
	// inside reports whether all packets of a rule are those of another, too.
	inside := func(boxes []region.Box, other int) (bool, error) {
		for _, b := range boxes {
			var items []int32
			for i := start[other]; i < start[other+1]; i++ {
				if q.Meets(i, b) {
					items = append(items, int32(i))
				}
			}
			r, err := q.Reach(l.ctx, b, items, len(q.Items), l.some, l.limits())
			if gaveUp, err := l.gaveUp(r.Steps, err); gaveUp || err != nil || r.Found != nil {
				return false, err
			}
		}
		return true, nil
	}
	boxesOf := func(rule int) (out []region.Box, err error) {
		for i := start[rule]; i < start[rule+1] && err == nil; i++ {
			out, err = (&region.Piece{Hull: q.Hull(i), Unions: q.Unions(i)}).Boxes(out)
		}
		return out, err
	}
	for i := range last - first {
		if start[i] == start[i+1] {
			continue
		}
		boxes, err := boxesOf(i)
		if err != nil {
			return err
		}
		var with []int32
		var witness region.Box
		unknown := true
		done := map[int32]bool{}
		for _, b := range boxes {
			for _, item := range q.Meeting(b, 0, start[i]) {
				if l.steps.Add(1)%1024 == 0 && l.ctx.Err() != nil {
					return l.ctx.Err()
				}
				other := q.Items[item].Rule
				if q.Items[item].Value == q.Items[start[i]].Value || done[other] {
					continue
				}
				if l.steps.Load() > l.o.Steps {
					l.limited.Add(1)
					return nil
				}
				common, ok := l.common(q, b, int(item))
				if !ok {
					continue
				}
				done[other] = true
				theirs, err := boxesOf(int(other))
				if err != nil {
					return err
				}
				in, err := inside(boxes, int(other))
				if err == nil && !in {
					in, err = inside(theirs, i)
				}
				if err != nil {
					return err
				}
				if in {
					continue
				}
				sure := !l.all[first+i].unsure && !l.all[first+int(other)].unsure
				if witness == nil || sure && unknown {
					witness, unknown = common, !sure
				}
				with = append(with, int32(first)+other)
			}
		}
		if len(with) == 0 {
			continue
		}
		s := &l.all[first+i]
		f := Finding{Code: Overlap, Severity: Note, Rules: []rules.Place{s.at}, Unknown: unknown}
		f.Others, f.More = l.named(with)
		f.Witness = l.witness(witness)
		f.Text = fmt.Sprintf("it says %s of packets of which %s", l.verdict(s.at), l.names(f.Others, f.More))
		if len(f.Others)+f.More == 1 {
			f.Text += fmt.Sprintf(" in front of it says %s; each matches others too", l.verdict(f.Others[0]))
		} else {
			f.Text += " in front of it say otherwise; each matches others too"
		}
		if unknown {
			f.Text = "unknown, for matches that may hold or not: " + f.Text
		}
		f.Fix = "see that their order is meant, or make their conditions exclude each other"
		if err := l.found(f); err != nil {
			return err
		}
	}
	return nil
}

// testsOf returns the tests of a rule alone that say the same wherever they stand.
func (l *lint) testsOf(at rules.Place) (out []string) {
	t := l.fs[0].table
	if t == nil {
		return l.fs[0].ways[at.Rule].tests
	}
	if e := t.Chains[at.Chain].Rules.At(at.Rule).Value.Ext; e != nil {
		for _, s := range e.Tests {
			if _, ok := l.space.OpaqueDim(s.Text); ok && !s.Stateful && !s.Changes {
				out = append(out, s.Text)
			}
		}
	}
	return out
}

// common returns packets of the box that an item matches.
func (l *lint) common(q *region.Sequence, b region.Box, item int) (region.Box, bool) {
	boxes, err := (&region.Piece{Hull: q.Hull(item), Unions: q.Unions(item)}).Boxes(nil)
	if err != nil {
		return nil, false
	}
next:
	for _, c := range boxes {
		for d, s := range b {
			c[d].Lo, c[d].Hi = max(c[d].Lo, s.Lo), min(c[d].Hi, s.Hi)
			if c[d].Lo > c[d].Hi {
				continue next
			}
		}
		if l.holds(c) {
			return c, true
		}
	}
	return nil, false
}
