package iptables

// What the options of a module ask of one another and of the rest of the rule,
// as the registry states it: the checker and the catalogue read it from there.
// What is left to code is said in notes.

import (
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// mend completes what the registry says of options: those of which one
// excludes the other exclude each other, as do those of which there is one.
func (m *module) mend() {
	exclude := func(a, b string) {
		o := m.find(a)
		if o == nil {
			panic("iptables: " + m.title() + " has no option --" + a)
		}
		if a != b && !contains(o.excludes, b) {
			o.excludes = append(slices.Clip(o.excludes), b)
		}
	}
	for _, names := range m.oneOf {
		for _, a := range names {
			for _, b := range names {
				exclude(a, b)
			}
		}
	}
	for i := range m.options {
		for _, other := range m.options[i].excludes {
			exclude(other, m.options[i].name)
		}
	}
}

// hasProto reports whether -p names one of the protocols.
func (p *ruleParser) hasProto(protos []uint8) bool {
	return p.proto >= 0 && !p.protoNot && slices.Contains(protos, uint8(p.proto))
}

// together checks the options of a module against one another and the rule.
func (p *ruleParser) together(m *instance) error {
	for i := range m.mod.options {
		if o := &m.mod.options[i]; o.required && !m.has(o.name) {
			return p.f.errorAt(m.at, "%s needs --%s", m.mod.title(), o.name)
		}
	}
	for i := range m.given {
		o := m.given[i].opt
		if o.family != 0 && o.family != p.family() {
			return p.f.errorAt(m.place("--"+o.name), "--%s is for IPv%d, and these are IPv%d rules", o.name, o.family, p.family())
		}
		if o.protos != nil && !p.hasProto(o.protos) {
			return p.f.errorAt(m.place("--"+o.name), "--%s needs -p %s", o.name, protoList(o.protos))
		}
		if o.hooks != 0 {
			if err := p.only(o.hooks, m, "--"+o.name); err != nil {
				return err
			}
		}
		for _, other := range o.excludes {
			if m.has(other) {
				return p.f.errorAt(m.place("--"+o.name), "--%s cannot be used with --%s", o.name, other)
			}
		}
		for _, other := range o.requires {
			if !m.has(other) {
				return p.f.errorAt(m.place("--"+o.name), "--%s needs --%s", o.name, other)
			}
		}
	}
	for _, groups := range [][][]string{m.mod.oneOf, m.mod.anyOf} {
		for _, names := range groups {
			if !slices.ContainsFunc(names, m.has) {
				return p.f.errorAt(m.at, "%s needs %s", m.mod.title(), joinNames(dashes(names)))
			}
		}
	}
	return nil
}

func dashes(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "--" + n
	}
	return out
}

// describeTogether adds to the catalogue's entry what together checks.
func describeTogether(e *Extension, m *module) {
	e.OneOf, e.AnyOf, e.Notes = m.oneOf, m.anyOf, m.notes
	e.ProtocolsFamily = m.protosFamily
	for i := range m.options {
		o, p := &m.options[i], &e.Params[i]
		p.Notes = o.notes
		if o.family != 0 && m.family == 0 {
			p.Families = []int{o.family}
		}
		for _, proto := range o.protos {
			p.Protocols = append(p.Protocols, rules.ProtocolName(proto))
		}
		if o.hooks == 0 {
			continue
		}
		for h, n := range hookNames {
			if o.hooks>>h&1 != 0 && contains(e.Hooks, n) {
				p.Hooks = append(p.Hooks, n)
			}
		}
	}
}

// Restrictions says in short phrases what the option asks of other options and
// of the rule: "only in chains INPUT or FORWARD", "needs -p tcp", "not with
// --set".
func (p *Param) Restrictions() (list []string) {
	if len(p.Families) == 1 {
		list = append(list, "IPv"+string(rune('0'+p.Families[0]))+" only")
	}
	if p.Protocols != nil {
		list = append(list, "needs -p "+joinNames(p.Protocols))
	}
	if p.Hooks != nil {
		list = append(list, "only in chains "+joinNames(p.Hooks))
	}
	if p.Requires != nil {
		list = append(list, "needs "+strings.Join(dashes(p.Requires), " and "))
	}
	if p.Excludes != nil {
		list = append(list, "not with "+joinNames(dashes(p.Excludes)))
	}
	return append(list, p.Notes...)
}

// titles are what people call fields and headers whose names say little.
var titles = map[string]string{
	"tcpopts0": "TCP options", "tcpopts1": "TCP options", "dccpopts0": "DCCP options", "dccpopts1": "DCCP options",
	"ecnflags": "TCP flags", "tcpflags": "TCP flags", "mss": "the TCP option MSS", "exthdrs": "extension headers",
	"ahspi": "SPI of AH", "ahlen": "length of AH", "ahres": "reserved field of AH", "espspi": "SPI of ESP", "cpi": "CPI of IPComp",
	"hbhlen": "length of the hop-by-hop options", "dstlen": "length of the destination options",
	"PORTS": "ports", "TCPOPTS": "TCP options", "MSS": "TCP options up to MSS", "DCCPOPTS": "DCCP options",
}

// Titles returns names of fields (Extension.Reads and Writes, Param.Reads) or
// of headers (Extension.Headers) as people call them, each once.
func Titles(names []string) (list []string) {
	for _, n := range names {
		if t, ok := titles[n]; ok {
			n = t
		}
		list = union(list, []string{n})
	}
	return list
}
