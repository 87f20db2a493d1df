package iptables

// A rule in JSON becomes the words that it would be in a line of text.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// jsonRule reads a rule of a chain as if it were a line.
func (f *fileReader) jsonRule(chain string, r *jsonRule) error {
	p := &f.rule
	p.reset()
	p.packets, p.bytes = r.packets, r.bytes
	at := f.cur.byName[chain] - 1
	f.hook, f.in = f.cur.chains[at].hook, f.cur.chains[at].name
	f.ruleAt(at, 0)
	if err := f.jsonWords(r); err != nil {
		f.skip(at)
		return err
	}
	if err := p.parse(); err != nil {
		f.skip(at)
		return err
	}
	return p.emit(at)
}

// jsonWords makes the words of a rule.
func (f *fileReader) jsonWords(r *jsonRule) error {
	p := &f.rule
	long := 0
	add := func(w word) {
		p.words = append(p.words, w)
		long += len(w.text) + 1
	}
	options := func(m *module, of string, list []jsonOption) error {
		for _, o := range list {
			if err := f.checkJSONOption(m, of, &o); err != nil {
				return err
			}
			if o.not {
				add(word{text: "!"})
			}
			add(word{text: "--" + o.name})
			for _, v := range o.values {
				add(word{text: v, quoted: true})
			}
		}
		return nil
	}
	if err := options(nil, "", r.options); err != nil {
		return err
	}
	for i := range r.matches {
		m := &r.matches[i]
		add(word{text: "-m"})
		add(word{text: m.name, quoted: true})
		if err := options(matchByName[m.name], "match "+m.name, m.options); err != nil {
			return err
		}
	}
	switch {
	case r.target != nil:
		m := targetByName[r.target.name]
		if m == nil && f.cur.byName[r.target.name] != 0 {
			return f.errorLine("a chain is gone to by jump or goto, not by target", r.target.name)
		}
		add(word{text: "-j"})
		add(word{text: r.target.name, quoted: true})
		if err := options(m, "target "+r.target.name, r.target.options); err != nil {
			return err
		}
	case r.jumpKey == "goto":
		add(word{text: "-g"})
		add(word{text: r.jump, quoted: true})
	case r.jumpKey == "jump":
		if targetByName[r.jump] != nil {
			return f.errorLine("the name of a target, not of a chain", r.jump)
		}
		add(word{text: "-j"})
		add(word{text: r.jump, quoted: true})
	}
	if long > f.limits.MaxLine {
		return f.limitError(fmt.Sprintf("the rule is longer than %d bytes", f.limits.MaxLine))
	}
	return nil
}

// checkJSONOption refuses an option that module m, or every rule when of is
// "", does not have, or that has too few or too many values.
func (f *fileReader) checkJSONOption(m *module, of string, o *jsonOption) error {
	var opt *option
	var names []string
	switch {
	case of == "":
		for i := range ruleOptions {
			switch name := ruleOptions[i].name; {
			case name == "match" || name == "jump" || name == "goto" || name == "set-counters":
			case name == o.name || contains(ruleOptions[i].aliases, o.name):
				opt = &ruleOptions[i]
			default:
				names = append(names, name)
			}
		}
	case m != nil:
		opt = m.find(o.name)
		for i := range m.options {
			names = append(names, m.options[i].name)
		}
	}
	if of != "" {
		of += ": "
	}
	switch {
	case opt != nil && opt.words >= 0 && len(o.values) != opt.words:
		return f.errorLine(fmt.Sprintf("%soption %s has %d values: expected %d", of, o.name, len(o.values), opt.words), "")
	case opt != nil && len(o.values) > max(opt.words, 1):
		return f.errorLine(fmt.Sprintf("%soption %s has %d values: expected at most one", of, o.name, len(o.values)), "")
	case opt != nil || of != "" && (m == nil || !m.modelled) && !isRuleOption(o.name, m == nil):
		return nil
	}
	return f.errorLine(fmt.Sprintf("%sthere is no option %s%s", of, rules.Excerpt(o.name), didYouMean(nearest(o.name, names))), "")
}

// isRuleOption reports whether a line of text would take the option of a
// module as one of the rule itself; of one that nobody has heard of only those
// that name a match or target.
func isRuleOption(name string, unheard bool) bool {
	name, _, _ = strings.Cut(name, "=")
	if unheard {
		return isJumpOption(name)
	}
	for i := range ruleOptions {
		if ruleOptions[i].name == name || contains(ruleOptions[i].aliases, name) {
			return true
		}
	}
	return false
}
