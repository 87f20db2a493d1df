package main

// Counts of rules through reloads: what a rule has decided stays with it while
// it is in the file, wherever it moves.

import (
	"cmp"
	"maps"
	"slices"
)

// chainName names a chain of a file.
type chainName struct{ table, chain string }

// carry finds outcomes of an older version of the program in this one: those of
// rules and policies that are still there and still do the same. Others are left
// out.
func (c *compiled) carry(old *compiled, from map[outcome]int) map[outcome]outcome {
	out := c.program.carry(old.program, from)
	for o, n := range out {
		text, comment := old.describe(o)
		text2, comment2 := c.describe(n)
		if text != text2 || comment != comment2 || old.verdict(o) != c.verdict(n) {
			delete(out, o)
		}
	}
	return out
}

func (p *listProgram[T]) carry(old program, from map[outcome]int) map[outcome]outcome {
	q, ok := old.(*listProgram[T])
	if !ok {
		return nil
	}
	positions := map[int32]bool{}
	for o := range from {
		positions[o.rule] = true
	}
	to := carried(q.marks, p.marks, positions)
	out := map[outcome]outcome{}
	for o := range from {
		at, ok := to[o.rule]
		if o.rule < 0 {
			at, ok = o.rule, true
		}
		if ok {
			n := o
			n.rule = at
			out[o] = n
		}
	}
	return out
}

func (p *tableProgram) carry(old program, from map[outcome]int) map[outcome]outcome {
	q, ok := old.(*tableProgram)
	if !ok {
		return nil
	}
	type place struct {
		stop  int8
		chain int32
	}
	byChain := map[place]map[int32]bool{}
	for o := range from {
		at := place{o.stop, o.chain}
		if byChain[at] == nil {
			byChain[at] = map[int32]bool{}
		}
		byChain[at][o.rule] = true
	}
	chains, rules := map[place]place{}, map[place]map[int32]int32{}
	for at, positions := range byChain {
		name := chainName{q.path[at.stop].Table.Name, q.path[at.stop].Table.Chains[at.chain].Name}
		for stop := range p.path {
			t := p.path[stop].Table
			if t.Name != name.table {
				continue
			}
			for i := range t.Chains {
				if t.Chains[i].Name == name.chain {
					chains[at] = place{int8(stop), int32(i)}
				}
			}
			break
		}
		rules[at] = carried(q.marks[name], p.marks[name], positions)
	}
	out := map[outcome]outcome{}
	for o := range from {
		at := place{o.stop, o.chain}
		to, ok := chains[at]
		if !ok {
			continue
		}
		n := o
		n.stop, n.chain = to.stop, to.chain
		if o.rule >= 0 {
			if n.rule, ok = rules[at][o.rule]; !ok {
				continue
			}
		}
		out[o] = n
	}
	return out
}

// earlierRule is a rule of an earlier version as reports show it, but for its
// place.
type earlierRule struct{ chain, verdict, text, comment string }

// maxEarlier bounds the rules that are remembered which reloads have taken away.
const maxEarlier = 10_000

// turn goes over to another version of the program: from now on counts are of its
// rules. Those of rules that are gone are kept by what they were.
func (s *summary) turn(to *compiled) {
	if to == s.prog {
		return
	}
	from := make(map[outcome]int, len(s.counts))
	counts := map[outcome]int{}
	for o, n := range s.counts {
		if o.kind == bad {
			counts[o] += n
		} else {
			from[o] = n
		}
	}
	same := to.carry(s.prog, from)
	for o, n := range from {
		if next, ok := same[o]; ok {
			counts[next] += n
			continue
		}
		c := ruleCount{Verdict: s.prog.verdict(o), Earlier: true}
		c.Chain, c.Rule = s.prog.ref(o)
		c.Text, c.Comment = s.prog.describe(o)
		key := earlierRule{c.Chain, c.Verdict, c.Text, c.Comment}
		if _, ok := s.earlier[key]; !ok && len(s.earlier) >= maxEarlier {
			// Verdicts are still counted.
			c, key = ruleCount{Verdict: c.Verdict, Earlier: true}, earlierRule{verdict: c.Verdict}
		}
		if s.earlier == nil {
			s.earlier = map[earlierRule]ruleCount{}
		}
		c.Packets = s.earlier[key].Packets + n
		s.earlier[key] = c
	}
	s.counts, s.prog = counts, to
}

// withEarlier adds the rules that are gone to a list. A rule that came back as it
// was is none of them.
func (s *summary) withEarlier(list []ruleCount) []ruleCount {
	if len(s.earlier) == 0 {
		return list
	}
	left := maps.Clone(s.earlier)
	for i := range list {
		r := &list[i]
		key := earlierRule{r.Chain, r.Verdict, r.Text, r.Comment}
		r.Packets += left[key].Packets
		delete(left, key)
	}
	gone := make([]ruleCount, 0, len(left))
	for _, r := range left {
		if r.Rule != "" {
			gone = append(gone, r)
		}
	}
	slices.SortFunc(gone, func(a, b ruleCount) int {
		return cmp.Or(cmp.Compare(a.Chain, b.Chain), cmp.Compare(len(a.Rule), len(b.Rule)), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Text, b.Text), cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.Comment, b.Comment))
	})
	return append(list, gone...)
}
