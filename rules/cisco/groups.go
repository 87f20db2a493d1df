package cisco

// Object groups: sets of addresses and of services with a name, which entries and
// other groups ask for.

import (
	"math/bits"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// group is an object group as the configuration has it.
type group struct {
	name    string
	kind    string // network, service, or one that is not modelled
	line    int
	members []member
	faults  faults

	// What it comes to, with the groups in it; see compiler.
	used      bool // by a list that is wanted
	state     uint8
	addresses []rules.Interval
	services  []*member
}

// member is a member of a group: another group, addresses, or a service.
type member struct {
	group        named
	text         string
	lo, hi       uint32 // addresses
	proto        int    // a number, anyProtocol or tcpOrUDP
	sport, dport compare
	icmp         *message
}

// layer4 reports whether the service asks for more than a protocol.
func (m *member) layer4() bool { return m.sport.op != "" || m.dport.op != "" || m.icmp != nil }

// beginGroup reads a line "object-group KIND NAME".
func (p *parser) beginGroup() error {
	p.section, p.group = inGroup, nil
	kind := p.key()
	switch kind {
	case "network", "service":
	case "v6-network", "v6-service", "security", "fqdn", "identity", "local", "security-group", "ip":
		if kind == "ip" {
			kind += " " + p.key()
		}
	default:
		return p.fail("expected network or service")
	}
	name := p.word()
	if name == "" {
		return p.fail("expected the name of the object group")
	}
	g := p.groups[name]
	if g == nil {
		if len(p.groups) >= p.limits.MaxChains {
			return p.limit("more than %d object groups", p.limits.MaxChains)
		}
		g = &group{name: strings.Clone(name), kind: kind, line: p.in.Number()}
		p.groups[g.name] = g
		if err := p.take(200 + len(name)); err != nil {
			return err
		}
	}
	if g.kind != kind {
		return p.fail("object group %s begins at line %d as one of the kind %s", rules.Excerpt(name), g.line, g.kind)
	}
	p.group = g
	if p.peek() != "" {
		p.word()
		return p.fail("text behind the name (groups of an ASA are another format)")
	}
	return nil
}

// memberWord reports whether a line in a group that begins with the word is a
// member, also when it is not indented.
func memberWord(word string) bool {
	switch word {
	case "host", "range", "group-object", "any", "description", "tcp-udp", "service-object", "network-object", "port-object":
		return true
	}
	_, ok := ipv4(word)
	_, service := protocols[word]
	return ok || digits(word) || service && word != "ip"
}

// member reads a member, which begins with the word.
func (p *parser) member(word string) error {
	g := p.group
	if word == "description" || g == nil || g.kind != "network" && g.kind != "service" {
		return nil // of groups that are in error, or not modelled
	}
	m := member{text: strings.Trim(p.line, " \t\r"), proto: anyProtocol}
	var err error
	switch {
	case word == "group-object":
		err = p.groupName(&m.group)
	case word == "no" || word == "default":
		err = p.refuse("a command that takes away: this reads a configuration as it is, not a change to one")
	case g.kind == "network":
		err = p.networkMember(&m, word)
	default:
		err = p.serviceMember(&m, word)
	}
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return err
	}
	if len(g.members) >= p.limits.MaxElements {
		return p.limit("more than %d members in a group", p.limits.MaxElements)
	}
	g.members = append(g.members, m)
	return p.take(200 + len(m.text))
}

// networkMember reads addresses. Their masks are those of networks, and no
// wildcards.
func (p *parser) networkMember(m *member, word string) error {
	var ok bool
	switch word {
	case "any":
		m.hi = ^uint32(0)
		return nil
	case "host":
		if m.lo, ok = ipv4(p.word()); !ok {
			if w := p.line[p.at:p.pos]; w != "" && !strings.ContainsAny(w[:1], "0123456789") {
				return p.refuse("the name of a host, whose address is not in the file")
			}
			return p.fail("expected an address")
		}
		m.hi = m.lo
		return nil
	case "range":
		if m.lo, ok = ipv4(p.word()); ok {
			m.hi, ok = ipv4(p.word())
		}
		switch {
		case !ok:
			return p.fail("expected two addresses behind range")
		case m.lo > m.hi:
			return p.fail("the range ends below its beginning")
		}
		return nil
	}
	if m.lo, ok = ipv4(word); !ok {
		return p.fail("expected host, range, any, group-object, or an address and the mask of a network")
	}
	next := p.word()
	var mask uint32
	if strings.HasPrefix(next, "/") {
		n, ok := number(next[1:], 32)
		if !ok {
			return p.fail("expected the length of a prefix, /0 to /32")
		}
		mask = ^uint32(1<<(32-n) - 1)
	} else if mask, ok = ipv4(next); !ok || bits.OnesCount32(mask) != bits.LeadingZeros32(^mask) {
		return p.fail("expected the mask of a network, such as 255.255.255.0 or /24: no wildcard")
	}
	m.lo &= mask
	m.hi = m.lo | ^mask
	return nil
}

// serviceMember reads a protocol with ports or a message.
func (p *parser) serviceMember(m *member, word string) error {
	n, known := protocols[word]
	switch {
	case word == "tcp-udp":
		m.proto = tcpOrUDP
	case known:
		m.proto = n
	case digits(word):
		var ok bool
		if m.proto, ok = number(word, 255); !ok || m.proto == 0 {
			return p.fail("expected the number of a protocol, 1 to 255")
		}
	default:
		return p.fail("expected a protocol: ip, tcp, udp, tcp-udp, icmp, another name that IOS has, or a number")
	}
	switch {
	case p.peek() == "":
		return nil
	case word == "icmp":
		next := p.key()
		if msg, ok := icmpMessages[next]; ok {
			m.icmp = &msg
			return nil
		}
		kind, ok := number(next, 255)
		if !ok {
			return p.fail("expected an ICMP message that IOS has a name for, or a type from 0 to 255")
		}
		m.icmp = &message{kind, -1}
		if p.peek() != "" {
			if m.icmp.code, ok = number(p.word(), 255); !ok {
				return p.fail("expected an ICMP code, 0 to 255")
			}
		}
		return nil
	case word != "tcp" && word != "udp" && word != "tcp-udp":
		p.word()
		return p.fail("ports are for tcp, udp and tcp-udp, by these names")
	}
	if p.peek() == "source" {
		p.word()
		if err := p.memberPorts(&m.sport, m.proto); err != nil {
			return err
		}
	}
	if p.peek() == "" {
		return nil
	}
	return p.memberPorts(&m.dport, m.proto)
}

// memberPorts reads an operator and ports, or a port alone.
func (p *parser) memberPorts(to *compare, proto int) error {
	word := p.peek()
	switch {
	case word == "neq":
		p.word()
		return p.fail("expected eq, lt, gt, range or a port")
	case isOperator(word):
		return p.compare(to, proto, 1)
	}
	v, ok := value(word, proto)
	p.word()
	if !ok {
		return p.fail("expected eq, lt, gt, range or a port: a number from 0 to 65535, or a name that IOS has for %s", protocolName(proto))
	}
	to.op, to.values = "eq", []uint16{v}
	return nil
}
