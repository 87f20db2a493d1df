package iptables

// One value at a time: Check reads the value of an option as a rule with it
// would, and the catalogue finds out what options ask of a packet by reading
// a value of each.

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// ValueError says what is wrong with the value of an option.
type ValueError struct {
	Param  string // "match tcp --dport"
	Text   string // the value
	Column int    // of the part that is wrong, from 1, in bytes
	Reason string
	Form   Form     // what is acceptable
	Near   []string // symbols that look like what was given
}

// Error writes all of it in a line.
func (e *ValueError) Error() string {
	s := fmt.Sprintf("%s: %q, column %d: %s%s", e.Param, rules.Excerpt(e.Text), e.Column, e.Reason, didYouMean(e.Near))
	if a := e.Form.Accepts(); a != "" {
		s += "; acceptable: " + a
	}
	return s
}

// Check reads text as the value of an option, and returns it in canonical
// form, as iptables-save prints it. The kind is "match" or "target", or "" for
// the options that every rule has; the words of a value that has two are
// separated by a blank. Errors about the value are *ValueErrors; a name that
// there is not gives an error with the nearest ones, an option that is not
// modelled one for which errors.Is(err, rules.ErrUnsupported) holds. What one
// option asks of another is not checked.
func Check(kind, name, param, text string, negated bool, family int) (string, error) {
	c := Describe()
	if family != 4 && family != 6 {
		return "", fmt.Errorf("family %d is neither 4 nor 6", family)
	}
	var m *module
	var p *Param
	var names []string
	title := "--" + strings.TrimLeft(param, "-")
	if kind == "" {
		p = c.Option(param)
		for _, o := range c.Options {
			names = append(append(names, o.Name), o.Aliases...)
		}
	} else {
		e := c.Find(kind, name)
		if e == nil {
			return "", fmt.Errorf("there is no %s %s%s", kind, rules.Excerpt(name), didYouMean(c.Nearest(kind, name)))
		}
		m, p = e.mod, e.Find(param)
		for _, o := range e.Params {
			names = append(append(names, o.Name), o.Aliases...)
		}
		title = m.title() + " " + title
		if m.family != 0 && m.family != family {
			return "", fmt.Errorf("%s is for IPv%d", m.title(), m.family)
		}
	}
	if p == nil {
		return "", fmt.Errorf("there is no option %s%s", rules.Excerpt(title), didYouMean(nearest(strings.TrimLeft(param, "-"), names)))
	}
	if !p.Supported {
		return "", fmt.Errorf("%s is not modelled: %w", title, rules.ErrUnsupported)
	}
	values := []word{{text: text, column: 1}}
	switch {
	case p.Words == 0 || p.Words < 0 && text == "":
		if values = nil; text != "" {
			return "", &ValueError{title, text, 1, "takes no value", p.Form, nil}
		}
	case p.Words > 1:
		words, column, err := splitWords(nil, text, 0)
		if err != nil {
			return "", &ValueError{title, text, column, err.Error(), p.Form, nil}
		}
		if values = words; len(values) != p.Words {
			return "", &ValueError{title, text, 1, fmt.Sprintf("has %d words instead of %d", len(values), p.Words), p.Form, nil}
		}
	}
	t := newTrial(m, family)
	canonical, err := t.read(p.opt, values, negated)
	if err == nil {
		return canonical, nil
	}
	return "", valueError(title, text, values, p, err, func(item string) bool {
		_, err := newTrial(m, family).read(p.opt, []word{{text: item, column: 1}}, negated)
		return err == nil
	})
}

// valueError places the error of a value. fine reports whether an item of a
// list could stand by itself.
func valueError(title, text string, values []word, p *Param, err error, fine func(string) bool) *ValueError {
	e := &ValueError{Param: title, Text: text, Column: 1, Reason: err.Error(), Form: p.Form}
	var placed *rules.ParseError
	if errors.As(err, &placed) {
		e.Reason = placed.Reason
		e.Column = max(1, placed.Column)
	}
	e.Reason = strings.TrimPrefix(e.Reason, "--"+p.Name+": ")
	if len(values) != 1 {
		return e
	}
	item := text
	if strings.Contains(text, ",") {
		at := 0
		for _, part := range strings.Split(text, ",") {
			if !fine(part) {
				e.Column, item = at+1, part
				break
			}
			at += len(part) + 1
		}
	}
	e.Near = nearest(item, p.Form.Symbols)
	return e
}

// trial is a rule with one match or target, to read values in.
type trial struct {
	p *ruleParser
	m *module
}

// newTrial returns a rule with module m in it, nil for none, where the module
// may stand.
func newTrial(m *module, family int) *trial {
	f := &fileReader{limits: rules.Limits{}.OrDefault(), allow: true, terse: true, alone: true, rs: &Ruleset{Family: family},
		features: map[string]int{}, strings: map[string]string{}, text: &strings.Builder{},
		cur: &tableReader{name: "filter", byName: map[string]int{}}}
	f.rule.f = f
	p := &f.rule
	p.reset()
	if m != nil {
		if m.tables != nil {
			f.cur.name = m.tables[0]
		}
		if m.protos != nil {
			p.proto = int(m.protos[0])
		}
		p.use(m, word{text: m.name})
		if m.kind == "target" {
			p.hasJump, p.target, p.jump = true, 0, word{text: m.name}
		}
	}
	return &trial{p, m}
}

// read reads an option and returns its value as it is printed.
func (t *trial) read(o *option, values []word, not bool) (string, error) {
	p := t.p
	p.words, p.pos = append(p.words[:0], values...), 0
	for i := range p.words {
		p.words[i].quoted = true // a value, whatever it looks like
	}
	var m *instance
	if t.m != nil {
		m = &p.insts[0]
	}
	from := len(p.scratch)
	if err := p.take(m, o, word{text: "--" + o.name, column: 1}, not, "", false); err != nil {
		return "", err
	}
	if m == nil {
		return t.ruleOption(o, from), nil
	}
	g := &m.given[len(m.given)-1]
	return string(p.scratch[g.from:g.to]), nil
}

// ruleOption returns the value of one of the options that every rule has.
func (t *trial) ruleOption(o *option, from int) string {
	p := t.p
	switch o.name {
	case "source", "destination":
		return strings.Join(p.addressTexts(), ",")
	case "protocol":
		if p.proto < 0 {
			return "all"
		}
		return string(appendProto(nil, uint8(p.proto)))
	}
	if len(p.arg.vals) > 0 {
		return p.arg.vals[0].text
	}
	return string(p.scratch[from:])
}

func (p *ruleParser) addressTexts() (texts []string) {
	for _, list := range [][]address{p.src, p.dst} {
		for _, a := range list {
			if a.to > a.from {
				texts = append(texts, string(p.scratch[a.from:a.to]))
			} else {
				texts = append(texts, map[int]string{4: "0.0.0.0/0", 6: "::/0"}[p.family()])
			}
		}
	}
	return texts
}

// sample reads some value of the option, and reports whether one was found.
func (t *trial) sample(o *option) bool {
	if o.parse == nil {
		return false
	}
	keep := len(t.p.insts[0].items)
	for _, values := range sampleValues(o, t.p.family()) {
		if _, err := t.read(o, values, false); err == nil {
			return true
		}
		t.p.insts[0].items = t.p.insts[0].items[:keep]
	}
	return false
}

// sampleValues are values, one of which suits most forms.
func sampleValues(o *option, family int) [][]word {
	if o.words == 0 {
		return [][]word{nil}
	}
	f := &o.form
	var list []string
	if o.sample != "" {
		list = append(list, o.sample)
	}
	if f.Default != "" {
		list = append(list, f.Default)
	}
	if f.Kind == "text" {
		list = append(list, "NAME")
	}
	list = append(list, f.Symbols...)
	if f.Max > 0 {
		list = append(list, strconv.FormatUint(f.Min, 10), strconv.FormatUint(f.Max, 10))
	}
	if family == 6 {
		list = append(list, "2001:db8::1", "2001:db8::1-2001:db8::2", "2001:db8::/64")
	} else {
		list = append(list, "192.0.2.1", "192.0.2.1-192.0.2.2", "192.0.2.0/24")
	}
	list = append(list, "1", "1:2", "0x1/0xff", "1/second", "1b/s", "02:00:00:00:00:01", "00:00", "2020-01-01", "SYN", "Mon", "src", "srcip",
		"1,0 0 0 1", "1,6 0 0 1", "0&0=0", "|00|", "a", "4", "3,4", "250ms", "1:1")
	var out [][]word
	if o.words == 2 {
		for _, a := range []string{"NAME", "SYN,ACK", "any", "1"} {
			for _, b := range []string{"SYN", "DATA", "src", "1", "src,src"} {
				out = append(out, []word{{text: a}, {text: b}})
			}
		}
		return out
	}
	for _, s := range list {
		out = append(out, []word{{text: s}})
	}
	return out
}

// trialFamily is a family that module m is for.
func trialFamily(m *module) int {
	if m.family != 0 {
		return m.family
	}
	return 4
}

// probeOption returns the fields that option o of module m asks for: when it
// is read, or else by what the whole match asks for more with it than without.
func probeOption(m *module, o *option) []string {
	family := cmp.Or(o.family, trialFamily(m))
	t := newTrial(m, family)
	if !t.sample(o) {
		return nil
	}
	if fields, _, _ := t.asks(); fields != nil {
		return fields
	}
	whole := func(o *option) (fields []string) {
		if t := newTrial(m, family); t.complete(o) && t.p.finishModule(&t.p.insts[0]) == nil {
			fields, _, _ = t.asks()
		}
		return fields
	}
	without := whole(nil)
	var more []string
	for _, f := range whole(o) {
		if !slices.Contains(without, f) {
			more = append(more, f)
		}
	}
	return more
}

// probe returns the fields that module m asks for whatever its options, what
// its tests lack when the caller supplies nothing, the headers that they read,
// and whether one has a memory: of a rule with the options that it must have,
// and with each of the others.
func probe(m *module) (fields, supply []string, headers uint32, remembers bool) {
	if !m.modelled {
		return nil, nil, 0, false
	}
	try := func(extra *option) {
		t := newTrial(m, trialFamily(m))
		if !t.complete(extra) || t.p.finishModule(&t.p.insts[0]) != nil {
			return
		}
		f, s, h := t.asks()
		fields, supply, headers = union(fields, f), union(supply, s), headers|h
		for _, it := range t.p.insts[0].items {
			remembers = remembers || it.stateful && it.writes == ""
		}
	}
	try(nil)
	for i := range m.options {
		if !m.options[i].required {
			try(&m.options[i])
		}
	}
	return fields, supply, headers, remembers
}

// complete gives the options that the module must have, option extra, and what
// that asks for.
func (t *trial) complete(extra *option) bool {
	var give func(o *option) bool
	has := func(name string) bool { return t.p.insts[0].has(name) }
	give = func(o *option) bool {
		if has(o.name) {
			return true
		}
		if o.protos != nil {
			t.p.proto = int(o.protos[0])
		}
		if !t.sample(o) {
			return false
		}
		for _, other := range o.requires {
			if !give(t.m.find(other)) {
				return false
			}
		}
		return true
	}
	if extra != nil && !give(extra) {
		return false
	}
	for i := range t.m.options {
		if o := &t.m.options[i]; o.required && !give(o) {
			return false
		}
	}
	for _, groups := range [][][]string{t.m.oneOf, t.m.anyOf} {
		for _, names := range groups {
			if !slices.ContainsFunc(names, has) && !give(t.m.find(names[0])) {
				return false
			}
		}
	}
	return true
}

// asks returns the fields of the conditions that the rule has so far, what its
// tests say is missing, and the headers that they read.
func (t *trial) asks() (fields, supply []string, headers uint32) {
	add := func(conds []rules.Cond) {
		for i := range conds {
			fields = union(fields, []string{universe[conds[i].Field()].Name})
		}
	}
	for _, it := range t.p.insts[0].items {
		headers |= it.reads
		switch {
		case it.test != nil:
			if it.asks != "" {
				fields = union(fields, []string{it.asks})
			}
			s := xt.NewTraversal(rules.Firewall)
			s.State = &xt.State{}
			s.Packet.Family = uint8(t.p.family())
			if o, missing := it.test().Ask(s); o == rules.Unsure && missing != "the packet's bytes" && missing != "the packet's length" {
				supply = union(supply, []string{missing})
			}
		case it.either != nil:
			for _, list := range it.either {
				add(list)
			}
		default:
			add([]rules.Cond{it.cond})
		}
	}
	return fields, supply, headers
}
