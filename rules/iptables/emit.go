package iptables

// From the parts of a rule to the rules of a list, and to its text.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// emit adds the rule that has been read to the chain: one rule of the kernel
// for each combination of its addresses, and of those one rule of the list for
// each combination of its choices.
func (p *ruleParser) emit(chain int) error {
	action, target, err := p.action()
	if err != nil {
		return err
	}
	f, t := p.f, p.f.cur
	c := &t.chains[chain]
	src, dst := orNone(p.src), orNone(p.dst)
	ways := 1
	for _, ch := range p.choices {
		if ways *= len(ch); ways > f.limits.MaxElements {
			break
		}
	}
	// Each factor is at most MaxElements, so that the product cannot overflow.
	if n := len(src) * len(dst); n > f.limits.MaxElements || n*ways > f.limits.MaxElements {
		return f.limitError(fmt.Sprintf("the rule stands for more than %d rules", f.limits.MaxElements))
	} else if t.rules+n*ways > f.limits.MaxRules {
		return f.limitError(fmt.Sprintf("table %s has more than %d rules", t.name, f.limits.MaxRules))
	}
	if len(f.found) > 0 && !f.allow {
		return nil // the file is refused: keep no more of it
	}
	r := rules.Rule[rules.Action]{Value: action, Comment: p.comment}
	r.Continue = action.Kind == rules.Pass
	if c.list == nil {
		c.list = rules.NewBuilder[rules.Action](rules.Firewall)
		c.list.SetLimits(f.limits)
	}
	fixed := len(p.scratch)
	for i := range src {
		for j := range dst {
			r.Value.Number = len(c.lines) + 1
			p.scratch = p.appendRule(p.scratch[:fixed], &src[i], &dst[j], target)
			c.lines = append(c.lines, ruleLine{f.keep(p.scratch[fixed:]), f.line, p.packets, p.bytes})
			r.Unknown = p.unknownWith(&src[i], &dst[j])
			for way := range ways {
				r.Conds = p.conditions(&src[i], &dst[j], way)
				before := c.list.Bytes()
				if _, err := c.list.Add(r); err != nil {
					return f.errorLine(err.Error(), "")
				}
				t.rules++
				// The text of the rule is kept too.
				f.bytes += c.list.Bytes() - before + int64(len(p.scratch)-fixed)
				if f.bytes > f.limits.MaxMemory {
					return f.limitError(fmt.Sprintf("the rules take more than %d bytes of memory", f.limits.MaxMemory))
				}
			}
		}
	}
	if action.Kind == rules.Jump || action.Kind == rules.Goto {
		if n := len(c.calls); n == 0 || c.calls[n-1] != action.Chain {
			c.calls = append(c.calls, action.Chain)
		}
	}
	if p.hooks != 0 {
		c.limited = append(c.limited, limitedRule{p.hooks, p.hooksBy.mod.title(), f.line, p.hooksBy.at})
	}
	return nil
}

// unknownWith names what is not known of the rule with the given addresses.
func (p *ruleParser) unknownWith(src, dst *address) string {
	if src.host == "" && dst.host == "" && len(p.unknown) == 0 {
		return ""
	}
	var names []string
	for _, n := range append([]string{src.host, dst.host}, p.unknown...) {
		if n != "" && !contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names) // hosts, matches, targets
	return p.f.intern(strings.Join(names, ", "))
}

var noAddress = []address{{}}

func orNone(list []address) []address {
	if len(list) == 0 {
		return noAddress
	}
	return list
}

// conditions returns the conditions of the rule with the given addresses, in
// the way that way, a number in mixed radix, chooses. They are in the order of
// their fields, so that rules that mean the same look the same. The slice is
// reused.
func (p *ruleParser) conditions(src, dst *address, way int) []rules.Cond {
	all := p.f.conds[:0]
	if src.has {
		all = append(all, src.cond)
	}
	if dst.has {
		all = append(all, dst.cond)
	}
	all = append(all, p.ipConds...)
	all = append(all, p.conds...)
	for _, ch := range p.choices {
		all = append(all, ch[way%len(ch)]...)
		way /= len(ch)
	}
	for i := 1; i < len(all); i++ { // insertion sort: few, and nearly sorted
		for j := i; j > 0 && all[j].Field() < all[j-1].Field(); j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	p.f.conds = all
	return all
}

// action returns what the rule does, and the instance of its target, if any.
func (p *ruleParser) action() (rules.Action, *instance, error) {
	a := rules.Action{Packets: p.packets, Bytes: p.bytes}
	if !p.hasJump {
		return a, nil, nil
	}
	f := p.f
	if p.target >= 0 {
		m := &p.insts[p.target]
		p.scratch = append(p.scratch, ' ')
		from := len(p.scratch)
		p.scratch = p.appendTarget(p.scratch, m)
		a.Text = f.internBytes(p.scratch[from:])
		if !m.mod.modelled {
			a.Kind, a.Verdict = rules.Decide, rules.Unknown
			return a, m, nil
		}
		a.Kind, a.Verdict = m.mod.decides.Kind, m.mod.decides.Verdict
		return a, m, nil
	}
	to := f.cur.byName[p.jump.text] - 1
	if to < 0 {
		if p.isGoto {
			return a, nil, f.errorAt(p.jump, "no chain of this name is declared")
		}
		return a, nil, f.errorAt(p.jump, "neither a declared chain nor a known target")
	}
	if f.cur.chains[to].hook != 0 {
		return a, nil, f.errorAt(p.jump, "rules cannot go to a built-in chain")
	}
	if a.Kind = rules.Jump; p.isGoto {
		a.Kind = rules.Goto
	}
	a.Chain, a.Text = to, f.cur.chains[to].name
	return a, nil, nil
}

// appendRule writes the rule as iptables-save does behind "-A CHAIN ".
func (p *ruleParser) appendRule(b []byte, src, dst *address, target *instance) []byte {
	begin := len(b)
	part := func(s string) {
		if len(b) > begin {
			b = append(b, ' ')
		}
		b = append(b, s...)
	}
	if src.to > src.from {
		if p.srcNot {
			part("!")
		}
		part("-s ")
		b = append(b, p.scratch[src.from:src.to]...)
	}
	if dst.to > dst.from {
		if p.dstNot {
			part("!")
		}
		part("-d ")
		b = append(b, p.scratch[dst.from:dst.to]...)
	}
	if p.iif != "" {
		part(p.iif)
	}
	if p.oif != "" {
		part(p.oif)
	}
	if p.proto >= 0 {
		if p.protoNot {
			part("!")
		}
		part("-p ")
		b = appendProto(b, uint8(p.proto))
	}
	if p.frag != "" {
		part(p.frag)
	}
	for i := range p.insts {
		if i == p.target {
			continue
		}
		m := &p.insts[i]
		part("-m ")
		if m.mod.kind == "" {
			b = appendWord(b, m.at)
		} else {
			b = append(b, m.mod.name...)
		}
		b = p.appendOptions(b, m)
	}
	switch {
	case target != nil:
		part("-j ")
		b = p.appendTarget(b, target)
	case p.isGoto:
		part("-g ")
		b = append(b, p.jump.text...)
	case p.hasJump:
		part("-j ")
		b = append(b, p.jump.text...)
	}
	return b
}

func (p *ruleParser) appendTarget(b []byte, m *instance) []byte {
	if m.mod.kind == "" {
		b = appendWord(b, m.at)
	} else {
		b = append(b, m.mod.name...)
	}
	return p.appendOptions(b, m)
}

// appendOptions writes the options of a module: in the registry's order when
// it is modelled, else as they were given. p.scratch may be b's own array: what
// is read lies before what is written.
func (p *ruleParser) appendOptions(b []byte, m *instance) []byte {
	if m.mod.modelled {
		for i := range m.mod.options {
			for j := range m.given {
				if m.given[j].opt == &m.mod.options[i] {
					b = p.appendOption(b, &m.given[j])
				}
			}
		}
	} else {
		for j := range m.given {
			b = p.appendOption(b, &m.given[j])
		}
	}
	return append(b, m.extra...)
}

func (p *ruleParser) appendOption(b []byte, g *givenOption) []byte {
	if g.silent {
		return b
	}
	if b = append(b, ' '); g.not {
		b = append(b, "! "...)
	}
	b = append(b, "--"...)
	if g.printAs != "" {
		b = append(b, g.printAs...)
	} else {
		b = append(b, g.opt.name...)
	}
	if g.to > g.from || g.opt.words == 1 {
		b = append(b, ' ')
		b = append(b, p.scratch[g.from:g.to]...)
	}
	return b
}
