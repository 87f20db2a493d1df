package iptables

// What errors say beyond "wrong": where an option would be valid, and which
// names look like the one that is not known.

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// lacking says what an option would need that no module in use has, from the
// modules that have it: a protocol, a match, a target; or which option is
// meant.
func (p *ruleParser) lacking(name string) string {
	var protos []uint8
	var modules []string
	for _, m := range sortedModules() {
		if m.family != 0 && m.family != p.family() || m.find(name) == nil {
			continue
		}
		implied := false
		for _, proto := range m.protos {
			if implicit(proto, p.family()) == m {
				protos, implied = append(protos, proto), true
			}
		}
		switch {
		case implied:
		case m.kind == "target":
			modules = append(modules, "-j "+m.name)
		default:
			modules = append(modules, "-m "+m.name)
		}
	}
	if protos != nil {
		slices.SortFunc(protos, func(a, b uint8) int { return protoRank(a) - protoRank(b) })
		modules = append([]string{"-p " + protoList(protos)}, modules...)
	}
	if modules != nil {
		return "--" + name + " needs " + joinNames(modules) + " before it"
	}
	if name == "" {
		var short []string
		for i := range ruleOptions {
			short = append(short, "-"+string(ruleOptions[i].short))
		}
		return "unknown option: with one dash there are " + strings.Join(short, " ")
	}
	var near []string
	for i := range p.insts {
		near = append(near, optionNames(p.insts[i].mod.options)...)
	}
	if m := p.implicitMatch(); m != nil {
		near = append(near, optionNames(m.options)...)
	}
	near = append(near, optionNames(ruleOptions)...)
	found := nearest(name, near)
	if found == nil {
		var all []string
		for _, m := range sortedModules() {
			if m.family == 0 || m.family == p.family() {
				all = append(all, optionNames(m.options)...)
			}
		}
		found = nearest(name, all)
	}
	for i := range found {
		found[i] = "--" + found[i]
	}
	if found == nil {
		return "unknown option: no match or target has it"
	}
	return "unknown option" + didYouMean(found)
}

// protoRank puts protocols in the order of their numbers, UDPLite behind UDP.
func protoRank(p uint8) int {
	if p == protoUDPLite {
		return 2*protoUDP + 1
	}
	return 2 * int(p)
}

// sortedModules returns the registry, matches first, by name.
func sortedModules() (list []*module) {
	for _, byName := range []map[string]*module{matchByName, targetByName} {
		from := len(list)
		for name, m := range byName {
			if name == m.name {
				list = append(list, m)
			}
		}
		part := list[from:]
		sort.Slice(part, func(i, j int) bool { return part[i].name < part[j].name })
	}
	return list
}

func optionNames(options []option) (names []string) {
	for i := range options {
		names = append(append(names, options[i].name), options[i].aliases...)
	}
	return names
}

// notModelledReason says that a feature, such as "match recent", is not
// modelled, and of a match or target that nobody has heard of, which ones look
// like it.
func notModelledReason(feature string) string {
	kind, name, _ := strings.Cut(feature, " ")
	byName := map[string]map[string]*module{"match": matchByName, "target": targetByName}[kind]
	if byName == nil || strings.Contains(name, " --") || byName[name] != nil {
		return feature + " is not modelled"
	}
	var names []string
	for _, m := range sortedModules() {
		if m.kind == kind {
			names = append(append(names, m.name), m.aliases...)
		}
	}
	return feature + " is not modelled" + didYouMean(nearest(name, names))
}

// hint says what the registry knows of the value that was refused for the
// reason: symbols that look like it, and what is acceptable where the reason
// does not say it.
func (a *argument) hint(reason string) string {
	f := &a.opt.form
	if len(a.vals) == 0 || a.p.f.terse || a.p.f.quiet() || strings.Contains(reason, "did you mean") || strings.Contains(reason, "may be") {
		return ""
	}
	var near []string
	for _, v := range a.vals {
		for _, item := range strings.Split(v.text, ",") {
			if !slices.ContainsFunc(f.Symbols, func(s string) bool { return strings.EqualFold(s, item) }) {
				near = append(near, nearest(item, f.Symbols)...)
			}
		}
	}
	if n := a.opt.name; (n == "dport" || n == "sport") && strings.Contains(a.vals[0].text, ",") {
		return "; a list of ports needs -m multiport --" + n + "s"
	}
	h := didYouMean(near[:min(3, len(near))])
	said := false
	for _, words := range []string{"..", " or ", " than ", " only ", "never match", f.Syntax} {
		said = said || strings.Contains(reason, words)
	}
	if !said {
		if h += "; expected " + f.Syntax; f.Max > 0 && !strings.Contains(f.Syntax, "..") {
			h += fmt.Sprintf(" in %d..%d", f.Min, f.Max)
		}
	}
	return h
}

// nameReason says that a name in an option is not modelled, and what would be
// acceptable.
func (a *argument) nameReason(name, acceptable string) string {
	option := a.at.text
	if strings.HasPrefix(option, "--") {
		option = "--" + a.opt.name
	}
	return option + ": " + name + " is not modelled; expected " + acceptable
}

// wanted says what a value looks like, as the end of a message.
func (f *Form) wanted() string {
	switch {
	case f.Syntax != "":
		return ": " + f.Syntax
	case len(f.Symbols) > 0 && len(f.Symbols) <= 8:
		return ": " + joinNames(f.Symbols)
	}
	return ""
}

// place returns the option of the instance that a reason begins with, or else
// the instance itself.
func (m *instance) place(reason string) word {
	name, ok := strings.CutPrefix(reason, "--")
	if ok {
		name, _, _ = strings.Cut(name, " ")
		if g := m.option(name); g != nil && g.column > 0 {
			return word{text: "--" + name, column: g.column}
		}
	}
	return m.at
}
