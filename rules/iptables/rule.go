package iptables

// One rule: its words are taken to the options of the modules in use, newest
// first, as the tools do it, and become conditions, an action and the text
// that is printed.

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// ruleParser holds the rule that is being read. It is reused from rule to rule.
type ruleParser struct {
	f     *fileReader
	words []word
	pos   int

	src, dst       []address
	srcAt, dstAt   word
	srcNot, dstNot bool
	iif, oif       string // as printed, with "! " when negated; "" when absent
	iifAt, oifAt   word
	proto          int // -1: none
	protoNot       bool
	protoAt        word
	frag           string // "-f", "! -f" or ""
	used           uint32 // short options given, by index in ruleOptions
	ipConds        []rules.Cond

	insts   []instance
	target  int // index in insts, or -1
	jump    word
	isGoto  bool
	hasJump bool
	unknown []string
	comment string

	conds   []rules.Cond   // scratch of arrange
	demands []rules.Demand // and of its result
	made    []rules.Test   // the tests of the rule of the kernel at hand

	packets, bytes uint64
	scratch        []byte   // canonical values of the options
	arg            argument // the option that is being read, and its words
	vals           [2]word
	hooks          hook // where the modules allow it; 0: everywhere
	hooksBy        *instance
}

func (p *ruleParser) family() int { return p.f.rs.Family }

func (p *ruleParser) reset() {
	*p = ruleParser{f: p.f, words: p.words[:0], proto: -1, target: -1,
		src: p.src[:0], dst: p.dst[:0], ipConds: p.ipConds[:0], insts: p.insts[:0],
		conds: p.conds[:0], demands: p.demands[:0], made: p.made[:0], unknown: p.unknown[:0], scratch: p.scratch[:0]}
}

// parse reads the options of the rule from p.words[p.pos:].
func (p *ruleParser) parse() error {
	for p.pos < len(p.words) {
		not := false
		w := p.words[p.pos]
		if w.text == "!" {
			if p.pos++; p.pos == len(p.words) {
				return p.f.errorAt(w, "! needs an option behind it")
			}
			not, w = true, p.words[p.pos]
			if w.text == "!" {
				return p.f.errorAt(w, "! stands twice")
			}
		}
		if p.pos++; len(w.text) < 2 || w.text[0] != '-' || w.text == "--" {
			return p.f.errorAt(w, "expected an option")
		}
		if err := p.option(w, not); err != nil {
			return err
		}
	}
	return p.finish()
}

// option reads the option that w names, and its value.
func (p *ruleParser) option(w word, not bool) error {
	if w.text[1] != '-' {
		for i := range ruleOptions {
			if o := &ruleOptions[i]; o.short == w.text[1] {
				glued, has := w.text[2:], len(w.text) > 2
				if has && o.words == 0 {
					return p.f.errorAt(w, "-%c takes no value", o.short)
				}
				return p.take(nil, o, w, not, glued, has)
			}
		}
		return p.unknownOption(w, "")
	}
	name, glued, has := strings.Cut(w.text[2:], "=")
	for i := len(p.insts) - 1; i >= 0; i-- {
		m := &p.insts[i]
		if o := m.mod.find(name); o != nil {
			return p.take(m, o, w, not, glued, has)
		}
		if i == len(p.insts)-1 && m.mod.kind == "" && !isJumpOption(name) {
			return p.swallow(m, w, not) // nobody knows its options: all that follow may be its own
		}
	}
	for i := range ruleOptions {
		if o := &ruleOptions[i]; o.name == name || contains(o.aliases, name) {
			return p.take(nil, o, w, not, glued, has)
		}
	}
	if m := p.implicitMatch(); m != nil {
		if o := m.find(name); o != nil {
			return p.take(p.use(m, w), o, w, not, glued, has)
		}
	}
	for i := len(p.insts) - 1; i >= 0; i-- {
		if m := &p.insts[i]; !m.mod.modelled {
			return p.swallow(m, w, not)
		}
	}
	if m, o := p.abbreviated(name); o != nil {
		return p.take(m, o, w, not, glued, has)
	}
	return p.unknownOption(w, name)
}

// abbreviated returns the only option that begins with name, and the instance
// that it is of, nil for options of every rule; commands count too. The match that goes with -p is
// put in use when no other knows such an option.
func (p *ruleParser) abbreviated(name string) (in *instance, found *option) {
	if name == "" {
		return nil, nil
	}
	several := false
	look := func(m *instance, options []option) {
		for i := range options {
			o := &options[i]
			fits := strings.HasPrefix(o.name, name)
			for _, a := range o.aliases {
				fits = fits || strings.HasPrefix(a, name)
			}
			switch {
			case !fits || o == found:
			case found != nil:
				several = true
			default:
				in, found = m, o
			}
		}
	}
	for i := len(p.insts) - 1; i >= 0; i-- {
		look(&p.insts[i], p.insts[i].mod.options)
	}
	look(nil, ruleOptions)
	for i := range commands {
		several = several || strings.HasPrefix(commands[i].name, name)
	}
	if m := p.implicitMatch(); found == nil && m != nil {
		if look(nil, m.options); found != nil && !several {
			in = p.use(m, word{text: m.name})
		}
	}
	if several {
		return nil, nil
	}
	return in, found
}

func isJumpOption(name string) bool {
	return name == "jump" || name == "goto" || name == "match"
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// implicitMatch returns the match that -p makes available without -m, unless
// it is in use already.
func (p *ruleParser) implicitMatch() *module {
	if p.proto < 0 {
		return nil
	}
	m := implicit(uint8(p.proto), p.family())
	for i := range p.insts {
		if p.insts[i].mod == m {
			return nil
		}
	}
	return m
}

func (p *ruleParser) use(m *module, at word) *instance {
	if len(p.insts) < cap(p.insts) {
		p.insts = p.insts[:len(p.insts)+1]
		last := &p.insts[len(p.insts)-1]
		*last = instance{mod: m, at: at, given: last.given[:0], items: last.items[:0]}
	} else {
		p.insts = append(p.insts, instance{mod: m, at: at})
	}
	return &p.insts[len(p.insts)-1]
}

// unheard puts a module in use whose name is not in the registry.
func (p *ruleParser) unheard(kind string, at word) {
	p.use(&module{name: kind + " " + at.text}, at)
	p.note(kind+" "+at.text, at)
}

// note records a feature that is not modelled, for the rule and for the file.
func (p *ruleParser) note(feature string, at word) { p.noteAs(feature, "", at) }

// noteAs is note with the reason, "" for the usual one.
func (p *ruleParser) noteAs(feature, reason string, at word) {
	feature = p.f.intern(feature)
	if !contains(p.unknown, feature) {
		p.unknown = append(p.unknown, feature)
		p.f.unsupported(feature, reason, at)
	}
}

// swallow takes an option of module m whose form is not known: all words up to
// the next option.
func (p *ruleParser) swallow(m *instance, w word, not bool) error {
	if !m.noted {
		m.noted = true
		if m.mod.kind != "" {
			p.note(m.mod.title(), m.at)
		}
	}
	keep := func(w string) {
		if m.own != nil {
			m.own.words = append(m.own.words, w)
		}
	}
	m.extra = append(m.extra, ' ')
	if not {
		m.extra = append(m.extra, "! "...)
		keep("!")
	}
	m.extra = appendOptionWord(m.extra, w.text)
	keep(w.text)
	for p.pos < len(p.words) && !p.optionNext() {
		m.extra = append(m.extra, ' ')
		w := p.words[p.pos]
		keep(w.text)
		if p.pos++; w.text == "!" && p.pos < len(p.words) && !p.optionNext() {
			m.extra = append(m.extra, '!') // of the word behind it
		} else {
			m.extra = appendWord(m.extra, w.text)
		}
	}
	return nil
}

// optionNext reports whether the next word looks like an option, or like the
// "!" before one.
func (p *ruleParser) optionNext() bool {
	w := p.words[p.pos]
	if w.text == "!" && !w.quoted {
		return p.pos+1 < len(p.words) && looksLikeOption(p.words[p.pos+1])
	}
	return looksLikeOption(w)
}

func looksLikeOption(w word) bool {
	return !w.quoted && len(w.text) > 1 && w.text[0] == '-' && (w.text[1] < '0' || w.text[1] > '9')
}

// take reads the value of option o of module m, nil for the rule's own.
func (p *ruleParser) take(m *instance, o *option, w word, not bool, glued string, hasGlued bool) error {
	title := w.text
	if hasGlued {
		title = "--" + o.name
	}
	if m != nil && m.mod.modelled && !o.repeat {
		for i := range m.given {
			if m.given[i].opt == o {
				return p.f.errorAt(w, "--%s is given twice", o.name)
			}
		}
	}
	words := o.words
	if words == optionalWord {
		if words = 0; p.pos < len(p.words) && !p.optionNext() {
			words = 1
		}
	}
	vals, n := &p.vals, 0
	if hasGlued {
		if words == 0 {
			return p.f.errorAt(w, "--%s takes no value", o.name)
		}
		vals[0] = word{glued, w.column + len(w.text) - len(glued), w.quoted}
		n = 1
	} else if words > 0 && o.not && p.pos < len(p.words) && p.words[p.pos].text == "!" && !p.words[p.pos].quoted {
		// The old form "-d ! 10.0.0.1".
		if not {
			return p.f.errorAt(p.words[p.pos], "! stands twice")
		}
		not = true
		p.pos++
	}
	for ; n < words; n++ {
		if p.pos == len(p.words) {
			return p.f.errorAt(w, "%s needs a value%s", title, o.form.wanted())
		}
		vals[n] = p.words[p.pos]
		p.pos++
	}
	if not && !o.not {
		return p.f.errorAt(w, "%s cannot be negated", title)
	}
	a := &p.arg
	*a = argument{p: p, m: m, opt: o, not: not, vals: vals[:words], at: w}
	from := len(p.scratch)
	if o.parse == nil {
		p.notModelled(m, o, w)
		for i := range a.vals {
			if i > 0 {
				a.write(" ")
			}
			p.scratch = appendWord(p.scratch, a.vals[i].text)
		}
	} else if err := o.parse(a); err != nil {
		return a.explain(title, err)
	}
	if m != nil {
		m.given = append(m.given, givenOption{o, not, a.silent, a.printAs, from, len(p.scratch), w.column})
	}
	return nil
}

// explain places an error of an option's parser in the file.
func (a *argument) explain(title string, err error) error {
	var placed *rules.ParseError
	if errors.As(err, &placed) {
		return err
	}
	at, reason := a.at, err.Error()
	if len(a.vals) > 0 {
		at = a.vals[0]
	}
	for _, v := range a.vals { // the one that the reason quotes, which need not do it again
		if strings.HasPrefix(reason, strconv.Quote(rules.Excerpt(v.text))+": ") {
			at, reason = v, reason[len(strconv.Quote(rules.Excerpt(v.text)))+2:]
			break
		}
		if quoted, _, ok := strings.Cut(strings.TrimPrefix(reason, "\""), "\""); ok && reason[0] == '"' && strings.Contains(v.text, quoted) {
			at = v
			break
		}
	}
	return a.p.f.errorAt(at, "%s: %s%s", title, reason, a.hint(reason))
}

func (p *ruleParser) notModelled(m *instance, o *option, w word) {
	if m.mod.modelled {
		p.note(m.mod.title()+" --"+o.name, w)
	} else if !m.noted {
		m.noted = true
		p.note(m.mod.title(), m.at)
	}
}

// finish checks the rule as a whole.
func (p *ruleParser) finish() error {
	for i := range p.insts {
		m := &p.insts[i]
		if m.own != nil {
			if err := p.finishRegistered(m); err != nil {
				return err
			}
			continue
		}
		if m.mod.kind == "" {
			continue
		}
		if !m.mod.modelled && !m.noted {
			m.noted = true
			p.note(m.mod.title(), m.at)
		}
		if err := p.finishModule(m); err != nil {
			return err
		}
	}
	if len(p.src) > 1 || len(p.dst) > 1 { // as the tools refuse it
		if p.srcNot {
			return p.f.errorAt(p.srcAt, "addresses cannot be negated in a rule with a list of addresses")
		}
		if p.dstNot {
			return p.f.errorAt(p.dstAt, "addresses cannot be negated in a rule with a list of addresses")
		}
	}
	if p.iifAt.text != "" && p.f.hook&(hookOutput|hookPostrouting) != 0 {
		return p.f.errorAt(p.iifAt, "-i cannot be used in chain %s", p.f.hook)
	}
	if p.oifAt.text != "" && p.f.hook&(hookInput|hookPrerouting) != 0 {
		return p.f.errorAt(p.oifAt, "-o cannot be used in chain %s", p.f.hook)
	}
	return nil
}

// only keeps the rule to the hooks, for the sake of an instance or, as title
// says, of one of its options.
func (p *ruleParser) only(hooks hook, m *instance, title string) error {
	if p.f.hook&^hooks != 0 {
		return p.f.errorAt(m.place(title), "%s cannot be used in chain %s, only in %s", title, p.f.hook, hooks)
	}
	if p.hooks == 0 {
		p.hooks = ^hook(0)
	}
	p.hooks &= hooks
	p.hooksBy = m
	return nil
}

func (p *ruleParser) finishModule(m *instance) error {
	mod := m.mod
	if mod.family != 0 && mod.family != p.family() {
		return p.f.errorAt(m.at, "%s is for IPv%d, and these are IPv%d rules", mod.title(), mod.family, p.family())
	}
	if mod.protos != nil && (mod.protosFamily == 0 || mod.protosFamily == p.family()) && !p.hasProto(mod.protos) {
		where := ""
		if mod.protosFamily != 0 {
			where = fmt.Sprintf(" in IPv%d rules", mod.protosFamily)
		}
		return p.f.errorAt(m.at, "%s needs -p %s%s", mod.title(), protoList(mod.protos), where)
	}
	if mod.tables != nil && !contains(mod.tables, p.f.cur.name) {
		return p.f.errorAt(m.at, "%s cannot be used in table %s, only in %s", mod.title(), p.f.cur.name, joinNames(mod.tables))
	}
	if mod.hooks != 0 {
		if err := p.only(mod.hooks, m, mod.title()); err != nil {
			return err
		}
	}
	if err := p.together(m); err != nil {
		return err
	}
	if mod.needs != needNothing && len(m.given) == 0 || mod.needs == needOne && len(m.given) > 1 {
		names := make([]string, len(mod.options))
		for i := range mod.options {
			names[i] = "--" + mod.options[i].name
		}
		how := "one of "
		if mod.needs == needOne {
			how = "exactly one of "
		}
		return p.f.errorAt(m.at, "%s needs %s%s", mod.title(), how, joinNames(names))
	}
	if mod.finish != nil {
		if err := mod.finish(p, m); err != nil {
			var placed *rules.ParseError
			if errors.As(err, &placed) {
				return err
			}
			return p.f.errorAt(m.place(err.Error()), "%s", err.Error())
		}
	}
	return nil
}
