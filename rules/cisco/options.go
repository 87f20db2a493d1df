package cisco

// Options of entries: what stands behind the addresses.

import "strings"

// options reads them, in any order, each one once; an ICMP message stands in front
// of all.
func (p *parser) options(e *entry) error {
	if e.keyword == "icmp" {
		if err := p.icmp(e); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for {
		word := p.peek()
		if word == "" || p.show && strings.HasPrefix(word, "(") && word != "(tag" {
			break
		}
		p.word()
		if seen[word] {
			return p.fail("appears for the second time")
		}
		seen[word] = true
		if err := p.optionWord(e, word); err != nil {
			return err
		}
	}
	if e.fragments && e.layer4() {
		return p.wrong("fragments other than the first have no ports, flags and messages: fragments does not go with them")
	}
	if e.dscp >= 0 && (e.precedence >= 0 || e.tos >= 0) {
		return p.wrong("dscp does not go with precedence and tos: they are parts of one another")
	}
	return nil
}

// layer4 reports whether the entry asks for what fragments other than the first do
// not have. Members of a service group may do so, too.
func (e *entry) layer4() bool {
	return e.sport.op != "" || e.dport.op != "" || e.icmp != nil || e.flags != nil
}

func (p *parser) optionWord(e *entry, word string) error {
	switch word {
	case "log", "log-input":
		return p.cookie()
	case "fragments":
		e.fragments = true
		return nil
	case "dscp":
		return p.named8(&e.dscp, dscps, 63, "a DSCP: 0 to 63, default, ef, cs1 to cs7 or af11 to af43")
	case "precedence":
		return p.named8(&e.precedence, precedences, 7, "a precedence: 0 to 7, or a name from routine to network")
	case "tos":
		return p.named8(&e.tos, toses, 15, "a type of service: 0 to 15, normal, min-monetary-cost, max-reliability, max-throughput or min-delay")
	case "ttl":
		if !isOperator(p.peek()) {
			p.word()
			return p.fail("expected eq, neq, lt, gt or range")
		}
		return p.compare(&e.ttl, anyProtocol, mostValues)
	case "established", "match-any", "match-all":
		if e.keyword != "tcp" {
			return p.fail("for tcp only")
		}
		return p.flags(e, word)
	}
	if why := notModelled[word]; why != "" {
		return p.refuse("%s", why)
	}
	if bit := flagBits[word]; bit != 0 && e.keyword == "tcp" {
		if e.flags != nil {
			return p.refuse("several flags without saying of how many of them it is: match-all +syn +ack, or match-any, does")
		}
		e.flags = &flags{set: bit}
		return nil
	}
	if e.keyword == "igmp" && (digits(word) || igmpMessages[word]) {
		return p.refuse("types of IGMP")
	}
	switch {
	case isOperator(word):
		return p.fail("ports stand behind the address that they belong to")
	case e.keyword == "icmp":
		return p.fail("neither an option nor, in front of all others, an ICMP message that IOS has a name for")
	case e.dport.op == "eq" || e.dport.op == "neq":
		return p.fail("neither a port nor an option")
	}
	return p.fail("not an option that is known here")
}

var igmpMessages = map[string]bool{
	"dvmrp": true, "host-query": true, "host-report": true, "mtrace": true, "mtrace-response": true, "pim": true, "trace": true,
	"v2-leave": true, "v2-report": true, "v2leave": true, "v2report": true, "v3-report": true, "v3report": true,
}

// cookie reads the word that may stand behind log, which lines of the log show.
func (p *parser) cookie() error {
	word := p.peek()
	if word == "(tag" { // as it is shown: (tag = WORD)
		p.word()
		if p.word() != "=" || !strings.HasSuffix(p.word(), ")") {
			return p.fail(`expected "(tag = WORD)"`)
		}
		return nil
	}
	if word == "" || word[0] == '(' || digits(word) || isOption[word] || flagBits[word] != 0 || isOperator(word) || igmpMessages[word] {
		return nil
	}
	if _, ok := icmpMessages[word]; ok {
		return nil
	}
	p.word()
	if next := p.peek(); next != "" && !(p.show && next[0] == '(') {
		return p.fail("neither an option that is known here nor, as the last word, one for the log")
	}
	return nil
}

var isOption = map[string]bool{
	"log": true, "log-input": true, "fragments": true, "dscp": true, "precedence": true, "tos": true, "ttl": true,
	"established": true, "match-any": true, "match-all": true, "time-range": true, "reflect": true, "option": true, "timeout": true,
	"tracked": true,
}

// named8 reads a value by number or name.
func (p *parser) named8(to *int, names map[string]int, most int, what string) error {
	word := p.key()
	n, ok := names[word]
	if !ok {
		n, ok = number(word, most)
	}
	if !ok {
		return p.fail("expected %s", what)
	}
	*to = n
	return nil
}

// flags reads what is behind established, match-any or match-all.
func (p *parser) flags(e *entry, word string) error {
	if e.flags != nil {
		return p.fail("flags are asked for already")
	}
	f := &flags{all: word == "match-all"}
	e.flags = f
	if word == "established" {
		f.set = flagBits["ack"] | flagBits["rst"]
		return nil
	}
	for {
		next := p.peek()
		if next == "" || next[0] != '+' && next[0] != '-' {
			break
		}
		p.word()
		bit := flagBits[next[1:]]
		if bit == 0 {
			return p.fail("expected +FLAG or -FLAG, with ack, fin, psh, rst, syn or urg")
		}
		if (f.set|f.clear)&bit != 0 {
			return p.fail("the flag appears for the second time")
		}
		if next[0] == '+' {
			f.set |= bit
		} else {
			f.clear |= bit
		}
	}
	if f.set|f.clear == 0 {
		p.word()
		return p.fail("expected +FLAG or -FLAG, such as +syn")
	}
	return nil
}

// icmp reads a message by its name, or a type and a code, if there is one.
func (p *parser) icmp(e *entry) error {
	word := p.peek()
	if m, ok := icmpMessages[word]; ok {
		p.word()
		e.icmp = &m
		return nil
	}
	if !digits(word) {
		return nil
	}
	p.word()
	kind, ok := number(word, 255)
	if !ok {
		return p.fail("expected an ICMP type, 0 to 255")
	}
	m := message{kind, -1}
	if digits(p.peek()) {
		if m.code, ok = number(p.word(), 255); !ok {
			return p.fail("expected an ICMP code, 0 to 255")
		}
	}
	e.icmp = &m
	return nil
}
