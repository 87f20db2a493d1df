package iptables

// The matches policy and ipvs.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var policyMatch = module{kind: "match", name: "policy", summary: "the IPsec transformations of the packet", modelled: true, class: Environment,
	finish: finishPolicy, options: []option{
		{name: "dir", words: 1, required: true, notes: []string{"in: only in chains PREROUTING, INPUT and FORWARD", "out: only in FORWARD, OUTPUT and POSTROUTING"}, parse: parsePolicyWord,
			help: "those that it has undergone (in), or is to undergo (out)", form: Form{Kind: "enum", Syntax: "in|out", Symbols: []string{"in", "out"}}},
		{name: "pol", words: 1, parse: parsePolicyWord,
			help: "some, or none", form: Form{Kind: "enum", Syntax: "ipsec|none", Symbols: []string{"ipsec", "none"}, Default: "ipsec"}},
		{name: "strict", notes: []string{"not with --pol none", "every element has an option of its own"}, parse: parsePolicyWord, help: "all of them, in order, not just one"},
		{name: "reqid", words: 1, not: true, repeat: true, parse: parsePolicyID,
			help: "the number that the policy has for it", form: Form{Kind: "number", Syntax: "NUMBER", Max: 1<<32 - 1}},
		{name: "spi", words: 1, not: true, repeat: true, parse: parsePolicyID,
			help: "the security parameter index", form: Form{Kind: "number", Syntax: "NUMBER", Max: 1<<32 - 1}},
		{name: "proto", words: 1, not: true, repeat: true, parse: parsePolicyProto,
			help: "the protocol", form: Form{Kind: "enum", Syntax: "esp|ah|ipcomp", Symbols: []string{"esp", "ah", "ipcomp"}}},
		{name: "mode", words: 1, not: true, repeat: true, parse: parsePolicyMode,
			help: "the mode", form: Form{Kind: "enum", Syntax: "tunnel|transport", Symbols: []string{"transport", "tunnel"}}},
		{name: "tunnel-dst", words: 1, notes: []string{"needs --mode tunnel for the same element"}, not: true, repeat: true, parse: parsePolicyAddr,
			help: "the far end of the tunnel", form: Form{Kind: "address", Syntax: "ADDRESS[/MASK]"}},
		{name: "tunnel-src", words: 1, notes: []string{"needs --mode tunnel for the same element"}, not: true, repeat: true, parse: parsePolicyAddr,
			help: "the near end of the tunnel", form: Form{Kind: "address", Syntax: "ADDRESS[/MASK]"}},
		{name: "next", repeat: true, requires: []string{"strict"}, parse: parsePolicyNext, help: "what follows is about the next transformation"},
	}}

// policyParts is the match so far, and the text of each element's options.
type policyParts struct {
	match xt.PolicyMatch
	texts []map[string]string
}

// element returns the element that options are about.
func (d *policyParts) element() *xt.PolicyElement {
	if len(d.texts) == 0 {
		d.match.Elements = append(d.match.Elements, xt.PolicyElement{})
		d.texts = append(d.texts, map[string]string{})
	}
	return &d.match.Elements[len(d.texts)-1]
}

// policyPart returns the element that the option is about, once for each.
func (a *argument) policyPart() (*xt.PolicyElement, error) {
	d := partsOf[policyParts](a.m)
	e := d.element()
	if _, twice := d.texts[len(d.texts)-1][a.opt.name]; twice {
		return nil, a.p.f.errorAt(a.at, "--%s is given twice for one element", a.opt.name)
	}
	return e, nil
}

// policyText keeps the text of the option, whose value is what has been
// written since the place.
func (a *argument) policyText(from int) {
	a.silent = true // printed by its element
	text := " --" + a.opt.name + " " + string(a.p.scratch[from:])
	if a.not {
		text = " !" + text
	}
	d := partsOf[policyParts](a.m)
	d.texts[len(d.texts)-1][a.opt.name] = text
}

func parsePolicyWord(a *argument) error {
	d := partsOf[policyParts](a.m)
	a.silent = true
	switch a.opt.name {
	case "strict":
		d.match.Strict = true
		return nil
	case "dir":
		d.match.Out = a.vals[0].text == "out"
	default:
		d.match.None = a.vals[0].text == "none"
	}
	if !contains(a.opt.form.Symbols, a.vals[0].text) {
		return fmt.Errorf("not %s", joinNames(a.opt.form.Symbols))
	}
	a.write(a.vals[0].text)
	return nil
}

func parsePolicyID(a *argument) error {
	e, err := a.policyPart()
	if err != nil {
		return err
	}
	n, err := parseNumber(a.vals[0].text, 1<<32-1)
	if err != nil {
		return err
	}
	from := len(a.p.scratch)
	r := &xt.IDRange{Min: uint32(n), Max: uint32(n), Not: a.not}
	if a.opt.name == "reqid" {
		e.ReqID = r
		a.writeNumber(n)
	} else {
		e.SPI = r
		a.write(fmt.Sprintf("%#x", n))
	}
	a.policyText(from)
	return nil
}

func parsePolicyProto(a *argument) error {
	e, err := a.policyPart()
	if err != nil {
		return err
	}
	n, err := parseProto(a.vals[0].text)
	if err != nil || n != protoESP && n != protoAH && n != protoIPComp {
		return fmt.Errorf("not esp, ah or ipcomp")
	}
	from := len(a.p.scratch)
	e.Proto = &xt.IDRange{Min: uint32(n), Max: uint32(n), Not: a.not}
	a.p.scratch = appendProto(a.p.scratch, n)
	a.policyText(from)
	return nil
}

func parsePolicyMode(a *argument) error {
	e, err := a.policyPart()
	if err != nil {
		return err
	}
	mode := uint32(0)
	switch a.vals[0].text {
	case "transport":
	case "tunnel":
		mode = 1
	default:
		return fmt.Errorf("not transport or tunnel")
	}
	from := len(a.p.scratch)
	e.Mode = &xt.IDRange{Min: mode, Max: mode, Not: a.not}
	a.write(a.vals[0].text)
	a.policyText(from)
	return nil
}

func parsePolicyAddr(a *argument) error {
	e, err := a.policyPart()
	if err != nil {
		return err
	}
	from := len(a.p.scratch)
	m, err := a.parseMaskedAddr()
	if err != nil {
		return err
	}
	if a.opt.name == "tunnel-src" {
		e.Src = m
	} else {
		e.Dst = m
	}
	a.policyText(from)
	return nil
}

func parsePolicyNext(a *argument) error {
	d := partsOf[policyParts](a.m)
	a.silent = true
	d.element() // the one that ends, which may be empty
	if len(d.texts) == xt.MaxPolicy {
		return a.p.f.errorAt(a.at, "match policy: more than %d elements", xt.MaxPolicy)
	}
	d.match.Elements = append(d.match.Elements, xt.PolicyElement{})
	d.texts = append(d.texts, map[string]string{})
	return nil
}

func finishPolicy(p *ruleParser, m *instance) error {
	d := partsOf[policyParts](m)
	dir, pol, only := "in", "ipsec", hookPrerouting|hookInput|hookForward
	if d.match.Out {
		dir, only = "out", hookForward|outAndPost
	}
	if err := p.only(only, m, "match policy --dir "+dir); err != nil {
		return err
	}
	d.element()
	if d.match.None {
		if pol = "none"; d.match.Strict {
			return fmt.Errorf("match policy: --strict cannot be used with --pol none")
		}
		d.match.Elements, d.texts = nil, nil // the tools leave them out
	}
	m.extra = append(m.extra[:0], " --dir "+dir+" --pol "+pol...)
	if d.match.Strict {
		m.extra = append(m.extra, " --strict"...)
	}
	for i, e := range d.match.Elements {
		if d.match.Strict && e == (xt.PolicyElement{}) {
			return fmt.Errorf("match policy: element %d is empty, and with --strict it must have one of --reqid, --spi, --proto, --mode, --tunnel-dst or --tunnel-src", i+1)
		}
		if e.Src != nil || e.Dst != nil {
			if e.Mode == nil || e.Mode.Min == 1 == e.Mode.Not {
				return fmt.Errorf("match policy: --tunnel-src and --tunnel-dst need --mode tunnel")
			}
		}
		if i > 0 {
			m.extra = append(m.extra, " --next"...)
		}
		for j := range m.mod.options {
			m.extra = append(m.extra, d.texts[i][m.mod.options[j].name]...)
		}
	}
	t, err := d.match.Test()
	if err != nil {
		return err
	}
	m.addTest(t)
	return nil
}

var ipvsMethods = []rules.Symbol{{Name: "MASQ", Value: 0}, {Name: "IPIP", Value: 2}, {Name: "GATE", Value: 3}}

var ipvsMatch = module{kind: "match", name: "ipvs", summary: "the packet's connection to a virtual server", modelled: true, class: Environment, needs: needAny,
	finish: finishIPVS, options: []option{
		{name: "ipvs", notes: []string{"negated not with other options"}, not: true, parse: parseIPVS, help: "it belongs to one; all other options imply it"},
		{name: "vproto", words: 1, not: true, parse: parseIPVS, help: "the protocol", form: Form{Kind: "number", Syntax: "NAME|0..255", Max: 255}},
		{name: "vaddr", words: 1, not: true, parse: parseIPVS, help: "the virtual address", form: Form{Kind: "address", Syntax: "ADDRESS[/MASK]"}},
		{name: "vport", words: 1, not: true, parse: parseIPVS, help: "the virtual port", form: Form{Kind: "number", Syntax: "PORT", Max: 65535}},
		{name: "vdir", words: 1, parse: parseIPVS, help: "the direction of the packet",
			form: Form{Kind: "enum", Syntax: "ORIGINAL|REPLY", Symbols: []string{"ORIGINAL", "REPLY"}}},
		{name: "vmethod", words: 1, not: true, parse: parseIPVS, help: "how packets are forwarded",
			form: Form{Kind: "enum", Syntax: "GATE|IPIP|MASQ", Symbols: []string{"GATE", "IPIP", "MASQ"}}},
		{name: "vportctl", words: 1, not: true, parse: parseIPVS, help: "the virtual port of the connection that controls it", form: Form{Kind: "number", Syntax: "PORT", Max: 65535}},
	}}

func parseIPVS(a *argument) error {
	d := partsOf[xt.IPVSMatch](a.m)
	is := !a.not
	id := func(to **xt.IDRange, n uint64, err error) error {
		*to = &xt.IDRange{Min: uint32(n), Max: uint32(n), Not: a.not}
		if a.opt.name != "vmethod" {
			a.writeNumber(n)
		}
		return err
	}
	switch a.opt.name {
	case "ipvs":
		d.Is = &is
	case "vproto":
		n, err := parseProto(a.vals[0].text)
		return id(&d.Proto, uint64(n), err)
	case "vaddr":
		addr, err := a.parseMaskedAddr()
		d.Addr = addr
		return err
	case "vport":
		n, err := parseDecimalPort(a.vals[0].text)
		return id(&d.Port, n, err)
	case "vportctl":
		n, err := parseDecimalPort(a.vals[0].text)
		return id(&d.Control, n, err)
	case "vdir":
		reply := strings.EqualFold(a.vals[0].text, "REPLY")
		if !reply && !strings.EqualFold(a.vals[0].text, "ORIGINAL") {
			return fmt.Errorf("not ORIGINAL or REPLY")
		}
		d.Reply = &reply
		a.write(strings.ToUpper(a.vals[0].text))
	case "vmethod":
		for _, s := range ipvsMethods {
			if strings.EqualFold(s.Name, a.vals[0].text) {
				a.write(s.Name)
				return id(&d.Method, s.Value, nil)
			}
		}
		return fmt.Errorf("not GATE, IPIP or MASQ")
	}
	return nil
}

func finishIPVS(_ *ruleParser, m *instance) error {
	d := partsOf[xt.IPVSMatch](m)
	if len(m.given) > 1 && d.Is != nil {
		if !*d.Is {
			return fmt.Errorf("match ipvs: ! --ipvs cannot be used with other options")
		}
		d.Is = nil // the others imply it
		for i := range m.given {
			m.given[i].silent = m.given[i].silent || m.given[i].opt.name == "ipvs"
		}
	}
	m.addTest(d.Test())
	return nil
}
