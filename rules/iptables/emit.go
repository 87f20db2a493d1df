package iptables

// From the parts of a rule to the rules of a list, and to its text.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// rawRule is a rule whose conditions are about fields of the universe.
type rawRule struct {
	conds   []rules.Cond
	action  rules.Action
	comment string
	unknown string
}

// emit adds the rule that has been read to the chain: one rule of the kernel
// for each combination of its addresses, and of those one rule of the list for
// each combination of its choices.
func (p *ruleParser) emit(chain int) error {
	action, target, err := p.action()
	if err != nil {
		p.f.skip(chain)
		return err
	}
	f, t := p.f, p.f.cur
	c := &t.chains[chain]
	src, dst := orNone(p.src), orNone(p.dst)
	ways := p.ways()
	// Each factor is at most MaxElements, so that the product cannot overflow.
	if n := len(src) * len(dst); ways > f.limits.MaxElements || n > f.limits.MaxElements || n*ways > f.limits.MaxElements {
		return f.limitError(fmt.Sprintf("the rule stands for more than %d rules", f.limits.MaxElements))
	} else if t.rules+n*ways > f.limits.MaxRules {
		return f.limitError(fmt.Sprintf("table %s has more than %d rules", t.name, f.limits.MaxRules))
	}
	if f.doomed() {
		c.skipped += len(src) * len(dst)
		return nil // the file is refused: keep no more of it
	}
	r := rawRule{action: action, comment: p.comment}
	fixed := len(p.scratch)
	first := len(c.lines)
	for i := range src {
		for j := range dst {
			r.action.Number = len(c.lines) + 1
			p.scratch = p.appendRule(p.scratch[:fixed], &src[i], &dst[j], target)
			c.lines = append(room(c.lines), ruleLine{f.keep(p.scratch[fixed:]), f.line, p.packets, p.bytes})
			r.unknown = p.unknownWith(&src[i], &dst[j])
			p.made = p.made[:0]
			var effect rules.Target
			if target != nil && target.target != nil {
				effect = target.target()
			}
			for way := range ways {
				conds, ext := p.arrange(&src[i], &dst[j], way, effect, target)
				r.conds = f.keepConds(conds)
				r.action.Ext, r.action.Piece = ext, way > 0
				t.rules++
				// The text of the rule is kept too.
				if f.bytes += r.bytes() + int64(len(p.scratch)-fixed); f.bytes > f.limits.MaxMemory {
					return f.limitError(fmt.Sprintf("the rules take more than %d bytes of memory", f.limits.MaxMemory))
				}
				c.rules = append(room(c.rules), r)
			}
		}
	}
	if action.Kind == rules.Jump || action.Kind == rules.Goto {
		if n := len(c.calls); n == 0 || c.calls[n-1] != action.Chain {
			c.calls = append(c.calls, action.Chain)
		}
	}
	if p.hooks != 0 {
		c.limited = append(c.limited, limitedRule{p.hooks, p.hooksBy.mod.title(), f.line, p.hooksBy.at, first, len(c.lines)})
	}
	return nil
}

// Sizes in bytes, for Limits.MaxMemory, as rules.Builder counts them.
const (
	ruleBytes      = 128
	condBytes      = 64
	intervalBytes  = 32
	extensionBytes = 160
	testBytes      = 128
)

func (r *rawRule) bytes() int64 {
	n := ruleBytes + condBytes*len(r.conds) + len(r.comment) + len(r.unknown)
	for i := range r.conds {
		ranges, _ := r.conds[i].Intervals()
		n += intervalBytes * len(ranges)
	}
	if e := r.action.Ext; !e.Plain() {
		n += extensionBytes + testBytes*len(e.Tests)
	}
	return int64(n)
}

// room returns the slice with room for one more: doubled when it is full, since
// append grows long slices by a quarter, and copies them often.
func room[T any](s []T) []T {
	if len(s) == cap(s) {
		s = slices.Grow(s, max(8, len(s)))
	}
	return s
}

// condChunk is the number of conditions that share one allocation.
const condChunk = 1024

// keepConds returns a copy of the conditions.
func (f *fileReader) keepConds(conds []rules.Cond) []rules.Cond {
	if len(conds) == 0 {
		return nil
	}
	if cap(f.chunk)-len(f.chunk) < len(conds) {
		f.chunk = make([]rules.Cond, 0, max(condChunk, len(conds)))
	}
	from := len(f.chunk)
	f.chunk = append(f.chunk, conds...)
	return f.chunk[from:len(f.chunk):len(f.chunk)]
}

// ways returns the number of combinations of the rule's choices, cut off
// above the limit.
func (p *ruleParser) ways() int {
	ways := 1
	for i := range p.insts {
		for j := range p.insts[i].items {
			it := &p.insts[i].items[j]
			if it.stateful || it.drops { // choices behind it are tests
				return ways
			}
			if n := len(it.either); n > 0 {
				if ways *= n; ways > p.f.limits.MaxElements {
					return ways
				}
			}
		}
	}
	return ways
}

// arrange puts what the rule with the given addresses asks in order, in the
// way that way, a number in mixed radix, chooses: conditions, which have no
// effect and can be asked together, and tests behind them. What stands behind
// a test with a memory may be asked only when that holds, and becomes a test
// too. The conditions are in scratch space.
func (p *ruleParser) arrange(src, dst *address, way int, effect rules.Target, target *instance) ([]rules.Cond, *rules.Extension) {
	conds := p.conds[:0]
	if src.has {
		conds = append(conds, src.cond)
	}
	if dst.has {
		conds = append(conds, dst.cond)
	}
	conds = append(conds, p.ipConds...)
	sortByField(conds)
	var tests []rules.Step
	var writes []string // fields that asking the tests changes
	demands := p.demands[:0]
	if p.proto >= 0 && p.family() == 6 {
		// The protocol is looked for behind the extension headers, when
		// addresses and interfaces are right.
		last := len(conds) - 1
		for i := range last {
			if conds[i].Field() == fieldProto {
				conds[i], conds[i+1] = conds[i+1], conds[i]
			}
		}
		demands = append(demands, rules.Demand{Bits: uint32(packet.BrokenProto), Conds: last})
	}
	late, n := false, 0
	for i := range p.insts {
		if i == p.target {
			continue
		}
		m := &p.insts[i]
		from := len(conds)
		reads := func(bits uint32) {
			switch {
			case bits == 0:
			case late:
				tests = append(tests, rules.Step{Test: xt.Readable(bits), Text: m.mod.name, Drops: true})
			default:
				sortByField(conds[from:])
				from = len(conds)
				demands = append(demands, rules.Demand{Bits: bits, Conds: len(conds), Tests: len(tests)})
			}
		}
		reads(m.mod.reads)
		text := ""
		for j := range m.items {
			it := &m.items[j]
			reads(it.reads)
			if (it.test != nil || late) && text == "" {
				text = p.matchText(m)
			}
			switch {
			case it.test != nil:
				// The ways of one rule share its tests, and their memory.
				if n++; n > len(p.made) {
					p.made = append(p.made, it.test())
				}
				tests = append(tests, rules.Step{Test: p.made[n-1], Text: text, Stateful: it.stateful, Changes: it.writes != "", Drops: it.drops})
				if it.writes != "" && !contains(writes, it.writes) {
					writes = append(writes, it.writes)
				}
				late = late || it.stateful || it.drops
			case it.either != nil && late:
				lists := make([][]rules.Test, len(it.either))
				for k, list := range it.either {
					for _, c := range list {
						lists[k] = append(lists[k], fieldTest(c, p.family()))
					}
				}
				tests = append(tests, rules.Step{Test: xt.AnyOf(lists...), Text: text})
			case it.either != nil:
				conds = append(conds, it.either[way%len(it.either)]...)
				way /= len(it.either)
			case late:
				tests = append(tests, rules.Step{Test: fieldTest(it.cond, p.family()), Text: text})
			default:
				conds = append(conds, it.cond)
			}
		}
		sortByField(conds[from:])
	}
	p.conds, p.demands = conds, demands
	if tests == nil && effect == nil {
		return conds, p.f.shareDemands(demands)
	}
	if effect != nil {
		writes = union(target.mod.writes, writes)
	}
	e := &rules.Extension{Tests: tests, Target: effect, Writes: writes, Demands: slices.Clone(demands)}
	return conds, e
}

// sortByField puts conditions in the order of their fields, so that rules that
// mean the same look the same: by insertion, they are few and nearly sorted.
func sortByField(conds []rules.Cond) {
	for i := 1; i < len(conds); i++ {
		for j := i; j > 0 && conds[j].Field() < conds[j-1].Field(); j-- {
			conds[j], conds[j-1] = conds[j-1], conds[j]
		}
	}
}

// matchText returns the match as it is printed behind "-m ".
func (p *ruleParser) matchText(m *instance) string {
	from := len(p.scratch)
	p.scratch = p.appendOptions(append(p.scratch, m.mod.name...), m)
	text := p.f.internBytes(p.scratch[from:])
	p.scratch = p.scratch[:from]
	return text
}

// shareDemands returns the Extension of a rule that has nothing but demands;
// equal ones are one.
func (f *fileReader) shareDemands(demands []rules.Demand) *rules.Extension {
	if len(demands) == 0 {
		return nil
	}
	for _, e := range f.demands {
		if slices.Equal(e.Demands, demands) {
			return e
		}
	}
	e := &rules.Extension{Demands: slices.Clone(demands)}
	f.demands = append(f.demands, e)
	return e
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
		decides := &m.mod.decides
		if m.decides != nil {
			decides = m.decides
		}
		a.Kind, a.Verdict = decides.Kind, decides.Verdict
		return a, m, nil
	}
	to := f.cur.byName[p.jump.text] - 1
	if to < 0 && f.allow && !p.isGoto && p.jump.text != "" && !f.cur.broken[p.jump.text] {
		p.unheard("target", p.jump)
		p.target = len(p.insts) - 1
		return p.action()
	}
	if to < 0 {
		if p.isGoto {
			f.missing(p.jump, "no chain of this name is declared", false)
		} else {
			f.missing(p.jump, "neither a declared chain nor a known target", true)
		}
		return a, nil, nil
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
			b = appendWord(b, m.at.text)
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
		b = appendWord(b, m.at.text)
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
