package iptables

// The options that every rule has, whatever its matches and target: addresses,
// interfaces, protocol, fragment, and those that name matches and targets.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// ruleOptions are the options that belong to no module.
var ruleOptions []option

func init() {
	addresses := Form{Kind: "address", Syntax: "ADDR[/LENGTH|/MASK][,...]"}
	iface := Form{Kind: "text", Syntax: "NAME[+]", MaxLen: rules.MaxNameLen}
	chain := Form{Kind: "text", Syntax: "CHAIN", MaxLen: maxChainName}
	ruleOptions = []option{
		{name: "source", aliases: []string{"src"}, short: 's', words: 1, not: true, parse: parseSource, form: addresses,
			help: "the source address; a list makes a rule of each"},
		{name: "destination", aliases: []string{"dst"}, short: 'd', words: 1, not: true, parse: parseDestination, form: addresses,
			help: "the destination address; a list makes a rule of each"},
		{name: "in-interface", short: 'i', words: 1, not: true, parse: parseIn, form: iface,
			help: "the interface that the packet came in by; + stands for any ending"},
		{name: "out-interface", short: 'o', words: 1, not: true, parse: parseOut, form: iface,
			help: "the interface that the packet leaves by; + stands for any ending"},
		{name: "protocol", aliases: []string{"proto"}, short: 'p', words: 1, not: true, parse: parseProtocol,
			form: Form{Kind: "enum", Syntax: "NAME|0..255|all", Max: 255, Symbols: []string{"all", "icmp", "igmp", "tcp", "udp", "dccp", "gre", "esp", "ah", "icmpv6", "sctp", "mh", "udplite"}},
			help: "the IP protocol; makes the options of the match of that name available"},
		{name: "fragment", aliases: []string{"fragments"}, short: 'f', not: true, parse: parseFragment,
			help: "fragments behind the first, of IPv4"},
		{name: "match", short: 'm', words: 1, parse: parseMatch, form: Form{Kind: "text", Syntax: "MATCH"},
			help: "use a match, whose options follow"},
		{name: "jump", short: 'j', words: 1, parse: parseJump, form: Form{Kind: "text", Syntax: "TARGET|CHAIN"},
			help: "what is done with the packet, or the chain that is called"},
		{name: "goto", short: 'g', words: 1, parse: parseGoto, form: chain,
			help: "the chain to go on in, without coming back"},
		{name: "set-counters", short: 'c', words: 1, parse: parseCounters, form: Form{Kind: "number", Syntax: "PACKETS BYTES"},
			help: "what the rule's counters begin with"},
		{name: "ipv4", short: '4', parse: parseFamily, help: "a rule for IPv4; ip6tables passes over it"},
		{name: "ipv6", short: '6', parse: parseFamily, help: "a rule for IPv6; iptables passes over it"},
	}
}

// once refuses the second use of a rule option.
func (a *argument) once() error {
	for i := range ruleOptions {
		if &ruleOptions[i] == a.opt {
			if a.p.used>>i&1 != 0 {
				return a.p.f.errorAt(a.at, "-%c is given twice", a.opt.short)
			}
			a.p.used |= 1 << i
		}
	}
	return nil
}

func parseSource(a *argument) (err error) {
	p := a.p
	p.srcAt, p.srcNot = a.vals[0], a.not
	p.src, err = a.addresses(p.src, fieldSrc)
	return err
}

func parseDestination(a *argument) (err error) {
	p := a.p
	p.dstAt, p.dstNot = a.vals[0], a.not
	p.dst, err = a.addresses(p.dst, fieldDst)
	return err
}

func (a *argument) addresses(list []address, field int) ([]address, error) {
	if err := a.once(); err != nil {
		return list, err
	}
	for rest, more := a.vals[0].text, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		addr, err := a.parseAddress(item, field)
		if err != nil {
			return list, err
		}
		if addr.host != "" {
			addr.host = a.p.f.intern("host name " + addr.host)
			a.p.f.unsupported(addr.host, a.nameReason(addr.host, "an address"), a.vals[0])
		}
		if len(list) >= a.p.f.limits.MaxElements {
			return list, &rules.ParseError{File: a.p.f.file, Line: a.p.f.line, Column: a.vals[0].column, Where: a.p.f.where(),
				Reason: fmt.Sprintf("more than %d addresses", a.p.f.limits.MaxElements), Err: rules.ErrLimit}
		}
		list = append(list, addr)
	}
	return list, nil
}

func parseIn(a *argument) error  { return a.iface(&a.p.iif, &a.p.iifAt, fieldIif) }
func parseOut(a *argument) error { return a.iface(&a.p.oif, &a.p.oifAt, fieldOif) }

func (a *argument) iface(printed *string, at *word, field int) error {
	if err := a.once(); err != nil {
		return err
	}
	iv, any, err := parseInterface(a.vals[0].text)
	if err != nil {
		return err
	}
	switch *at = a.at; {
	case a.not && any:
		*printed = "! "
		a.p.ipConds = append(a.p.ipConds, rules.In(field)) // never
	case a.not:
		*printed = "! "
		a.p.ipConds = append(a.p.ipConds, rules.In(field, iv).Negate())
	case any:
		return nil // "-i +" says nothing, and is allowed where the packet has an interface
	default:
		a.p.ipConds = append(a.p.ipConds, rules.In(field, iv))
	}
	*printed += "-" + string(a.opt.short) + " " + a.vals[0].text
	return nil
}

func parseProtocol(a *argument) error {
	if err := a.once(); err != nil {
		return err
	}
	n, err := parseProto(a.vals[0].text)
	switch {
	case err != nil:
		return err
	case n == 0 && a.not:
		return fmt.Errorf("the rule would never match")
	case n == 0:
		return nil
	}
	c := rules.In(fieldProto, rules.Point(uint64(n)))
	a.p.proto, a.p.protoNot, a.p.protoAt = int(n), a.not, a.vals[0]
	if a.not {
		c = c.Negate()
	}
	a.p.ipConds = append(a.p.ipConds, c)
	return nil
}

func parseFragment(a *argument) error {
	if err := a.once(); err != nil {
		return err
	}
	if a.p.family() != 4 {
		return a.p.f.errorAt(a.at, "-f is for IPv4, and these are IPv6 rules")
	}
	is := uint64(1)
	a.p.frag = "-f"
	if a.not {
		is, a.p.frag = 0, "! -f"
	}
	a.p.ipConds = append(a.p.ipConds, rules.In(fieldFrag, rules.Point(is)))
	return nil
}

func parseMatch(a *argument) error {
	m := matchByName[a.vals[0].text]
	if m == nil {
		if a.vals[0].text == "" {
			return fmt.Errorf("empty name")
		}
		if f := a.p.f.matches[a.vals[0].text]; f != nil {
			a.p.register(&registered{match: f}, a.vals[0])
			return nil
		}
		a.p.unheard("match", a.vals[0])
		return nil
	}
	a.p.use(m, a.vals[0])
	return nil
}

func parseJump(a *argument) error {
	if a.p.hasJump {
		return a.p.f.errorAt(a.at, "-%c: the rule has a target already", a.opt.short)
	}
	a.p.hasJump, a.p.jump = true, a.vals[0]
	if m := targetByName[a.p.jump.text]; m != nil {
		a.p.use(m, a.vals[0])
		a.p.target = len(a.p.insts) - 1
	} else if f := a.p.f.targets[a.p.jump.text]; f != nil && a.p.f.cur.byName[a.p.jump.text] == 0 {
		a.p.register(&registered{target: f}, a.vals[0])
		a.p.target = len(a.p.insts) - 1
	} else if a.p.f.cur.byName[a.p.jump.text] == 0 && a.p.foreignOptionNext() {
		// Neither a chain nor a target that we have heard of, but it has options.
		a.p.unheard("target", a.vals[0])
		a.p.target = len(a.p.insts) - 1
	}
	return nil
}

// foreignOptionNext reports whether a long option follows that nothing in the
// rule so far knows.
func (p *ruleParser) foreignOptionNext() bool {
	next := p.words[p.pos:]
	if len(next) > 1 && next[0].text == "!" {
		next = next[1:]
	}
	if len(next) == 0 {
		return false
	}
	name, long := strings.CutPrefix(next[0].text, "--")
	name, _, _ = strings.Cut(name, "=")
	if !long || name == "" {
		return false
	}
	for i := range p.insts {
		if p.insts[i].mod.find(name) != nil {
			return false
		}
	}
	for i := range ruleOptions {
		if ruleOptions[i].name == name || contains(ruleOptions[i].aliases, name) {
			return false
		}
	}
	m := p.implicitMatch()
	return m == nil || m.find(name) == nil
}

func parseGoto(a *argument) error {
	if a.p.hasJump {
		return a.p.f.errorAt(a.at, "-%c: the rule has a target already", a.opt.short)
	}
	a.p.hasJump, a.p.isGoto, a.p.jump = true, true, a.vals[0]
	if targetByName[a.p.jump.text] != nil {
		return fmt.Errorf("not a chain")
	}
	return nil
}

func parseCounters(a *argument) (err error) {
	if err := a.once(); err != nil {
		return err
	}
	p := a.p
	first, second, both := strings.Cut(a.vals[0].text, ",")
	if !both {
		if p.pos == len(p.words) {
			return fmt.Errorf("needs packets and bytes")
		}
		second = p.words[p.pos].text
		p.pos++
	}
	if p.packets, err = parseDecimal(first); err == nil {
		p.bytes, err = parseDecimal(second)
	}
	return err
}

func parseFamily(a *argument) error {
	if want := int(a.opt.short - '0'); want != a.p.family() {
		return a.p.f.errorAt(a.at, "a rule for IPv%d among IPv%d rules", want, a.p.family())
	}
	return nil
}
