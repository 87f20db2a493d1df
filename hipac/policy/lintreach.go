package policy

// Which rules does no packet get to, and why: their own conditions, the ways to
// their chain, or the rules in front of them.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/region"
	"github.com/hipac-go/classifier/rules"
)

const (
	fewPoints  = 6  // packets drawn before one earlier rule is looked for that takes all
	manyPoints = 64 // and before the box is walked
	mostThin   = 24 // rules that hide one together and are tried to be left out
)

// never looks for rules whose own conditions hold for no packet.
func (l *lint) never() error {
	return l.each(func(_ *helper, s *subject) ([]Finding, error) {
		var fields []int
		for i := range s.pieces {
			conds := l.condsOf(rules.Place{Chain: s.at.Chain, Rule: s.at.Rule + i})
			boxes, err := l.boxesOf(s.at, conds, nil)
			if err != nil {
				return nil, err
			}
			if len(boxes) > 0 {
				return nil, nil
			}
			if fields == nil {
				fields = l.contradicting(s.at, conds)
			}
		}
		s.state = isNever
		f := Finding{Code: Never, Severity: Error, Rules: []rules.Place{s.at}, Fix: "correct its conditions, or remove it"}
		schema := l.fs[0].schema
		if len(fields) == 2 {
			f.Text = fmt.Sprintf("it matches no packet: only other protocols than those of its condition on %s have a %s", schema.Field(fields[1]).Name, schema.Field(fields[0]).Name)
		} else if len(fields) == 1 {
			f.Text = fmt.Sprintf("it matches no packet: nothing meets what it asks of %s", schema.Field(fields[0]).Name)
		} else {
			f.Text = "it matches no packet: its conditions contradict each other"
		}
		return []Finding{f}, nil
	})
}

// condsOf returns a rule's own conditions.
func (l *lint) condsOf(at rules.Place) []rules.Cond {
	if t := l.fs[0].table; t != nil {
		return t.Chains[at.Chain].Rules.At(at.Rule).Conds
	}
	return l.fs[0].ways[at.Rule].conds
}

// contradicting returns the field on which conditions contradict each other, or
// the field and that of the protocol; nil, where it is not one alone.
func (l *lint) contradicting(at rules.Place, conds []rules.Cond) []int {
	for i := range conds {
		f := conds[i].Field()
		var same []rules.Cond
		for _, c := range conds {
			if c.Field() == f {
				same = append(same, c)
			}
		}
		if boxes, err := l.boxesOf(at, same, nil); err == nil && len(boxes) == 0 {
			return []int{f}
		}
	}
	if f := l.lacksProtocol(conds); f >= 0 && !l.o.Complete {
		return []int{f, l.fs[0].schema.Index("proto")}
	}
	return nil
}

// ofProtocols are the protocols that have a field, as package packet fills them in.
var ofProtocols = map[string][]uint64{
	"sport": {6, 17, 33, 132, 136}, "dport": {6, 17, 33, 132, 136},
	"tcpflags": {6}, "icmptype": {1, 58}, "icmpcode": {1, 58},
}

// lacksProtocol returns a field that conditions ask for although no packet of the
// protocols that they ask for has it, or -1.
func (l *lint) lacksProtocol(conds []rules.Cond) int {
	s := l.fs[0].schema
	proto := s.Index("proto")
	if proto < 0 || s.Field(proto).Kind != rules.Proto || !slices.ContainsFunc(conds, func(c rules.Cond) bool { return c.Field() == proto }) {
		return -1
	}
	for i := range conds {
		f := conds[i].Field()
		have, ok := ofProtocols[s.Field(f).Name]
		if !ok || conds[i].AllowsAbsent() {
			continue
		}
		some := slices.ContainsFunc(have, func(p uint64) bool {
			for k := range conds {
				if conds[k].Field() == proto && !conds[k].Holds(rules.U64(p), true) {
					return false
				}
			}
			return true
		})
		if !some {
			return f
		}
	}
	return -1
}

// reach finds out which rules some packet gets to. What is said of rules in
// chains that no packet comes to, and behind one that takes all, is left to
// chains.
func (l *lint) reach() error {
	l.lookBehind()
	return l.each(func(h *helper, s *subject) ([]Finding, error) {
		if s.state != notAsked {
			return nil, nil
		}
		s.state = dead
		var names []int32 // what takes its packets
		met, more := false, false
		var box region.Box
		for _, w := range s.ways {
			boxes, err := l.boxes(w)
			if err != nil {
				return nil, err
			}
			var by []int32 // items
			for _, b := range boxes {
				if !met {
					met, s.way, box = true, w, b
				}
				r, gaveUp, err := l.getsTo(h, s, w, b)
				switch {
				case err != nil:
					return nil, err
				case gaveUp:
					s.state = unsolved
				case r.Found != nil:
					s.state, s.box, s.point, s.way = live, r.Found, h.inside(r.Found), w
					f, ok, err := l.maybeHidden(h, s)
					if !ok || err != nil {
						return nil, err
					}
					return l.later(s, f), nil
				}
				more = more || r.More
				by = append(by, r.By...)
			}
			names = append(names, l.thin(w, boxes, by)...)
		}
		switch {
		case s.state == unsolved:
			return nil, nil
		case !met && len(s.ways) > 0:
			s.state = isOutside
			return nil, nil
		case !met:
			return nil, nil
		}
		return l.later(s, l.hidden(s, names, more, box)), nil
	})
}

// later keeps a finding until it is known whether packets come to the chain at
// all; those of a list are handed out at once.
func (l *lint) later(s *subject, f Finding) []Finding {
	if l.fs[0].table == nil {
		return []Finding{f}
	}
	s.finding = &f
	return nil
}

// maybeHidden reports whether no packet gets to a rule, that some do get to,
// where all that is not modelled holds.
func (l *lint) maybeHidden(h *helper, s *subject) (f Finding, ok bool, err error) {
	if len(l.unknown) == 0 {
		return f, false, nil
	}
	var names []int32
	more := false
	var box region.Box
	for _, w := range s.ways {
		boxes, err := l.boxes(w)
		if err != nil {
			return f, false, err
		}
		var by []int32
		for k, b := range boxes {
			b = slices.Clone(b)
			boxes[k] = b
			for _, d := range l.unknown {
				b[d] = region.Span{Lo: 1, Hi: 1}
			}
			r, gaveUp, err := l.getsTo(h, s, w, b)
			if err != nil || gaveUp || r.Found != nil {
				return f, false, err
			}
			more, box = more || r.More, b
			by = append(by, r.By...)
		}
		names = append(names, l.thin(w, boxes, by)...)
	}
	f = l.hidden(s, names, more, box)
	f.Severity, f.Unknown = Note, true
	f.Text = "unknown: whether a packet gets to it depends on what is not modelled of the rules in front of it; where all of that holds, " + f.Text
	f.Fix = "see what those rules match"
	return f, true, nil
}

// index0 returns the index of the subject of an item.
func (l *lint) index0(fn, item int32) int32 {
	at := l.fs[fn].steps[l.stepOf[fn][item]].at
	return l.index[at.Chain][at.Rule]
}

// getsTo looks for packets of the box that get to the rule on a way.
func (l *lint) getsTo(h *helper, s *subject, w wayRef, b region.Box) (r region.Reached, gaveUp bool, err error) {
	q := l.seqs[w.fn]
	to, _ := l.span(w)
	try := func(n int) bool {
		for range n {
			p := h.draw(b)
			if l.possible(p) && q.Gets(p, to, &h.scratch) {
				r.Found = p.Box()
				return true
			}
		}
		return false
	}
	if try(fewPoints) {
		return r, false, nil
	}
	if !q.Skips() {
		if i := q.Covering(b, to); i != region.None {
			r.By = []int32{i}
			return r, false, nil
		}
	}
	if try(manyPoints - fewPoints) {
		return r, false, nil
	}
	r, err = q.Reach(l.ctx, b, q.Meeting(b, 0, to), to, l.some, l.limits())
	gaveUp, err = l.gaveUp(r.Steps, err)
	return r, gaveUp, err
}

// thin returns the rules of items that together take all packets of boxes, without
// those, in a list, that the others do without.
func (l *lint) thin(w wayRef, boxes []region.Box, by []int32) []int32 {
	q, first := l.seqs[w.fn], l.first[w.fn]
	var steps []int32
	for _, i := range by {
		steps = append(steps, l.stepOf[w.fn][i])
	}
	slices.Sort(steps)
	steps = slices.Compact(steps)
	if to, _ := l.span(w); !q.Skips() && len(steps) > 1 && len(steps) <= mostThin {
		limits := l.limits()
		limits.Steps = min(limits.Steps, 1<<12)
		takes := func(steps []int32) bool {
			for _, b := range boxes {
				var meeting []int32
				for _, s := range steps {
					for i := first[s]; i < first[s+1]; i++ {
						if q.Meets(int(i), b) {
							meeting = append(meeting, i)
						}
					}
				}
				r, err := q.Reach(l.ctx, b, meeting, to, l.some, limits)
				l.steps.Add(r.Steps)
				if err != nil || r.Found != nil {
					return false
				}
			}
			return true
		}
		for _, s := range slices.Backward(slices.Clone(steps)) {
			if without := slices.DeleteFunc(slices.Clone(steps), func(x int32) bool { return x == s }); takes(without) {
				steps = without
			}
		}
	}
	var rules []int32
	for _, s := range steps {
		at := l.fs[w.fn].steps[s].at
		rules = append(rules, l.index[at.Chain][at.Rule])
	}
	return rules
}

// hidden is the finding about a rule that others hide.
func (l *lint) hidden(s *subject, by []int32, more bool, box region.Box) Finding {
	f := Finding{Code: Hidden, Severity: Warning, Rules: []rules.Place{s.at}}
	f.Others, f.More = l.named(by)
	if more {
		f.More = max(f.More, 1)
	}
	f.Witness = l.witness(box)
	all := "take every packet that it matches"
	if len(f.Others) == 1 && f.More == 0 {
		all = "takes every packet that it matches"
	}
	f.Text = fmt.Sprintf("no packet gets to it: %s %s", l.names(f.Others, f.More), all)
	f.Fix = "remove it"
	if s.kind == rules.Decide && !l.fs[0].plain {
		own := l.verdict(s.at)
		if other := slices.IndexFunc(by, func(i int32) bool { return l.all[i].kind == rules.Decide && l.verdict(l.all[i].at) != own }); other >= 0 {
			f.Severity = Error
			f.Text += fmt.Sprintf(", and %s says %s, not %s", l.names([]rules.Place{l.all[by[other]].at}, 0), l.verdict(l.all[by[other]].at), own)
			f.Fix = "move it in front of what hides it, or remove it"
		}
	}
	return f
}

// verdict returns what a rule that decides says.
func (l *lint) verdict(at rules.Place) string {
	if t := l.fs[0].table; t != nil {
		return word(t.Chains[at.Chain].Rules.At(at.Rule).Value.Verdict)
	}
	f := l.fs[0]
	return f.steps[f.ways[at.Rule].from].verdict
}

// lookBehind finds the rules behind one that takes every packet.
func (l *lint) lookBehind() {
	for i := 0; i < len(l.all); i++ {
		s := &l.all[i]
		if !l.takesAll(s) {
			continue
		}
		for i+1 < len(l.all) && l.all[i+1].at.Chain == s.at.Chain {
			i++
			if l.all[i].state == notAsked {
				l.all[i].state = dead
			}
		}
	}
}

// takesAll reports whether every packet that gets to a rule ends there.
func (l *lint) takesAll(s *subject) bool {
	if s.pieces != 1 || len(l.condsOf(s.at)) > 0 {
		return false
	}
	switch s.kind {
	case rules.Decide, rules.Goto, rules.Return:
	default:
		return false
	}
	t := l.fs[0].table
	if t == nil {
		return len(l.fs[0].ways[s.at.Rule].tests) == 0
	}
	r := t.Chains[s.at.Chain].Rules.At(s.at.Rule)
	return r.Unknown == "" && (r.Value.Ext == nil || len(r.Value.Ext.Tests) == 0)
}

// chains says which chains no packet comes to, and of the others the rules that
// none of the packets meets which come there, those behind one that takes all,
// and those that call nothing.
func (l *lint) chains() error {
	t := l.fs[0].table
	entered := []bool{true}
	if t != nil {
		entered = make([]bool, len(t.Chains))
		called := make([]bool, len(t.Chains))
		for _, f := range l.fs {
			entered[f.entry] = true
		}
		for i := range l.all {
			s := &l.all[i]
			if s.kind != rules.Jump && s.kind != rules.Goto {
				continue
			}
			to := t.Chains[s.at.Chain].Rules.At(s.at.Rule).Value.Chain
			called[to] = true
			if s.state == live || s.state == unsolved {
				entered[to] = true
			}
		}
		for c := range t.Chains {
			if entered[c] {
				continue
			}
			f := Finding{Code: Unreached, Severity: Warning, Chain: c, Text: fmt.Sprintf("chain %s: no rule calls it", t.Chains[c].Name), Fix: "remove the chain, or call it"}
			if called[c] {
				f.Text = fmt.Sprintf("chain %s: no packet gets to a rule that calls it", t.Chains[c].Name)
			} else if t.Chains[c].Rules.Len() == 0 {
				f.Severity = Note
			}
			if err := l.found(f); err != nil {
				return err
			}
		}
	}
	for i := 0; i < len(l.all); i++ {
		s := &l.all[i]
		if !entered[s.at.Chain] {
			continue
		}
		if s.finding != nil {
			if err := l.found(*s.finding); err != nil {
				return err
			}
		}
		var f Finding
		switch {
		case s.state == isOutside:
			f = Finding{Code: Unreached, Severity: Warning, Rules: []rules.Place{s.at},
				Text: fmt.Sprintf("it matches none of the packets that come to chain %s", t.Chains[s.at.Chain].Name), Fix: "correct its conditions or those of the jumps, or remove it"}
			if len(l.condsOf(s.at)) == 0 || t.Chains[s.at.Chain].Policy != rules.NoVerdict {
				f.Text = "it matches none of the packets that come to the table"
			}
		case t != nil && s.kind == rules.Jump && s.state == live && t.Chains[t.Chains[s.at.Chain].Rules.At(s.at.Rule).Value.Chain].Rules.Len() == 0:
			f = Finding{Code: Empty, Severity: Note, Rules: []rules.Place{s.at},
				Text: fmt.Sprintf("it calls chain %s, which has no rules", t.Chains[t.Chains[s.at.Chain].Rules.At(s.at.Rule).Value.Chain].Name), Fix: "remove the rule, or give the chain rules"}
		case l.takesAll(s):
			f = Finding{Code: Behind, Severity: Warning, Others: []rules.Place{s.at},
				Text: fmt.Sprintf("no packet gets behind rule %s, which takes all", l.name(s.at)), Fix: "move them in front of it, or remove them"}
			for i+1 < len(l.all) && l.all[i+1].at.Chain == s.at.Chain {
				i++
				if l.all[i].state == dead {
					f.Rules = append(f.Rules, l.all[i].at)
				}
			}
		}
		if f.Code == "" || len(f.Rules) == 0 {
			continue
		}
		if err := l.found(f); err != nil {
			return err
		}
	}
	return nil
}
