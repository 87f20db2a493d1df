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
		return "unknown option"
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
