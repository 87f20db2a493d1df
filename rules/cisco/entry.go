package cisco

// Entries of lists, up to the options behind the addresses: options.go has those.

import (
	"net/netip"
	"strings"
)

// accessList is a list as the configuration has it.
type accessList struct {
	name    string
	kind    string // extended, standard, or what is not modelled
	refused bool
	line    int
	entries []entry
	remark  string // of the next entry
	remarks bool   // has some
	faults  faults
}

// entry is a permit or a deny.
type entry struct {
	line, seq    int
	text, remark string // as it is written, with single blanks and without hit counts
	permit       bool
	proto        int    // a number, or anyProtocol
	keyword      string // the name of proto, if it is written by one
	service      named  // a group, in place of proto
	src, dst     address
	sport, dport compare
	icmp         *message
	flags        *flags
	fragments    bool
	dscp         int // -1: any
	precedence   int
	tos          int
	ttl          compare
}

// named is the name of an object group, and where it stands.
type named struct {
	name         string
	line, column int
}

// address is an address with a wildcard, whose bits that are 1 do not matter; or a
// group.
type address struct {
	value, wildcard uint32
	group           named
}

// compare is a comparison of a number: with "eq" and "neq" of any of the values,
// with "range" of both ends. op "" is none.
type compare struct {
	op     string
	values []uint16
}

// flags asks for TCP flags: that those of set are 1 and those of clear 0, all of
// them or any.
type flags struct {
	all        bool
	set, clear uint8
}

// entryWord reports whether a line in a list that begins with the word is an entry,
// also when it is not indented.
func entryWord(word string) bool {
	switch word {
	case "permit", "deny", "remark", "dynamic", "evaluate":
		return true
	}
	return digits(word)
}

// entryLine reads an entry, or a remark, that begins with the word that was read
// last.
func (p *parser) entryLine(a *accessList, word string) error {
	begin, seq := p.at, 0
	if digits(word) {
		var ok bool
		if seq, ok = number(word, 1<<31-1); !ok || seq == 0 {
			return p.fail("expected a sequence number, 1 to 2147483647")
		}
		word = p.key()
	}
	switch word {
	case "permit", "deny":
	case "remark":
		a.remarks = true
		if a.remark != "" {
			a.remark += " "
		}
		if a.remark += p.rest(); len(a.remark) > p.limits.MaxLine {
			return p.limit("remarks of one entry that are longer than %d bytes", p.limits.MaxLine)
		}
		return nil
	case "dynamic":
		return p.refuse("dynamic entries come and go with who has logged in")
	case "evaluate":
		return p.refuse("a reflexive list has entries that come and go with the traffic")
	case "no", "default":
		return p.refuse("a command that takes away: this reads a configuration as it is, not a change to one")
	default:
		return p.fail("expected permit, deny or remark, with or without a sequence number in front")
	}
	e := entry{
		line: p.in.Number(), seq: seq, permit: word == "permit", remark: a.remark,
		proto: anyProtocol, dscp: -1, precedence: -1, tos: -1,
	}
	a.remark = ""
	var err error
	if a.kind == "standard" {
		err = p.standard(&e)
	} else {
		err = p.extended(&e)
	}
	if err != nil {
		return err
	}
	end := len(p.line)
	if p.show && strings.HasPrefix(p.peek(), "(") {
		if end, err = p.hits(); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	e.text = strings.Join(strings.FieldsFunc(p.line[begin:end], func(r rune) bool { return r < 128 && blank(byte(r)) }), " ")
	if len(a.entries) >= p.limits.MaxRules {
		return p.limit("more than %d entries", p.limits.MaxRules)
	}
	a.entries = append(a.entries, e)
	return p.take(400 + len(e.text) + len(e.remark))
}

// hits reads the count behind an entry, and returns where it begins.
func (p *parser) hits() (begin int, err error) {
	word := p.word()
	begin = p.at
	if !digits(strings.TrimPrefix(word, "(")) {
		return 0, p.refuse("expected the number of matches, such as (12 matches)")
	}
	if w := p.key(); w != "matches)" && w != "match)" {
		return 0, p.fail(`expected "matches)"`)
	}
	return begin, nil
}

// standard reads what is behind permit or deny in a standard list.
func (p *parser) standard(e *entry) error {
	e.dst = address{wildcard: ^uint32(0)}
	word := p.key()
	switch word {
	case "any":
		e.src.wildcard = ^uint32(0)
	case "host":
		word = p.key()
		fallthrough
	default:
		shown := p.show && strings.HasSuffix(word, ",")
		v, ok := ipv4(strings.TrimSuffix(word, ","))
		if !ok || !p.show && word != strings.TrimSuffix(word, ",") {
			return p.fail("expected an address, any, or host and an address")
		}
		e.src.value = v
		if shown && (p.key() != "wildcard" || p.key() != "bits") {
			return p.fail(`expected "wildcard bits"`)
		}
		if w, ok := ipv4(p.peek()); ok {
			p.word()
			e.src.wildcard = w
		} else if shown {
			p.word()
			return p.fail("expected the wildcard bits")
		}
	}
	if p.peek() == "log" {
		p.word()
		return p.cookie()
	}
	return nil
}

// extended reads what is behind permit or deny in an extended list.
func (p *parser) extended(e *entry) error {
	word := p.key()
	n, known := protocols[word]
	ports := word == "tcp" || word == "udp"
	switch {
	case known:
		e.proto, e.keyword = n, word
	case word == "object-group":
		if err := p.groupName(&e.service); err != nil {
			return err
		}
	case digits(word):
		n, ok := number(word, 255)
		if !ok {
			return p.fail("expected the number of a protocol, 0 to 255")
		}
		if n == 0 {
			return p.refuse("protocol 0 is every protocol for some releases, and hop-by-hop options for others: write ip for every one")
		}
		e.proto = n
	default:
		return p.fail("expected a protocol: ip, tcp, udp, icmp, another name that IOS has, a number or object-group and a name")
	}
	for _, side := range []struct {
		address *address
		ports   *compare
	}{{&e.src, &e.sport}, {&e.dst, &e.dport}} {
		if err := p.address(side.address); err != nil {
			return err
		}
		if isOperator(p.peek()) {
			if !ports {
				p.word()
				if e.keyword == "sctp" {
					return p.refuse("ports of sctp")
				}
				return p.fail("ports are for tcp and udp, by these names")
			}
			if err := p.compare(side.ports, e.proto, mostValues); err != nil {
				return err
			}
		}
	}
	return p.options(e)
}

// groupName reads the name of an object group.
func (p *parser) groupName(to *named) error {
	name := p.word()
	if name == "" {
		return p.fail("expected the name of an object group")
	}
	*to = named{strings.Clone(name), p.in.Number(), p.at + 1}
	return nil
}

func (p *parser) address(to *address) error {
	word := p.key()
	switch word {
	case "any":
		to.wildcard = ^uint32(0)
		return nil
	case "object-group":
		return p.groupName(&to.group)
	case "addrgroup", "interface", "object", "fqdn-group", "geo-group", "host-group":
		return p.refuse("addresses given by %s", word)
	case "host":
		v, ok := ipv4(p.word())
		if !ok {
			return p.fail("expected an address")
		}
		to.value = v
		return nil
	}
	v, ok := ipv4(word)
	if !ok {
		return p.fail("expected any, host and an address, an address and a wildcard, or object-group and a name")
	}
	if to.wildcard, ok = ipv4(p.word()); !ok {
		return p.fail("expected a wildcard, such as 0.0.0.255: bits that are 1 do not matter")
	}
	to.value = v
	return nil
}

func isOperator(word string) bool {
	switch word {
	case "eq", "neq", "lt", "gt", "range", "portgroup":
		return true
	}
	return false
}

// mostValues is how many values eq and neq take.
const mostValues = 10

// compare reads an operator and its values: ports of the protocol, or with
// anyProtocol numbers up to 255. With eq and neq there may be several.
func (p *parser) compare(to *compare, proto, several int) error {
	to.op = p.key()
	least, most := 1, 1
	switch to.op {
	case "eq", "neq":
		most = several
	case "lt", "gt":
	case "range":
		least, most = 2, 2
	default:
		return p.refuse("ports given by %s", to.op)
	}
	for len(to.values) < most {
		v, ok := value(p.peek(), proto)
		if !ok && len(to.values) >= least {
			break
		}
		p.word()
		if !ok {
			if proto == anyProtocol {
				return p.fail("expected a number from 0 to 255")
			}
			return p.fail("expected a port: a number from 0 to 65535, or a name that IOS has for %s", protocolName(proto))
		}
		to.values = append(to.values, v)
	}
	if to.op == "range" && to.values[0] > to.values[1] {
		return p.fail("the range ends below its beginning")
	}
	return nil
}

func value(word string, proto int) (uint16, bool) {
	if proto == anyProtocol {
		n, ok := number(word, 255)
		return uint16(n), ok
	}
	if digits(word) {
		n, ok := number(word, 65535)
		return uint16(n), ok
	}
	t, isTCP := tcpPorts[word]
	u, isUDP := udpPorts[word]
	switch proto {
	case protoTCP:
		return t, isTCP
	case protoUDP:
		return u, isUDP
	}
	return t, isTCP && isUDP && t == u
}

func protocolName(proto int) string {
	switch proto {
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	}
	return "both tcp and udp"
}

// ipv4 reads an address.
func ipv4(s string) (uint32, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}
