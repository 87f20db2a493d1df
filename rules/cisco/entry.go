package cisco

// Lines, and entries of lists.

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// accessList is a list as the configuration has it.
type accessList struct {
	name    string
	entries []entry
}

// entry is a permit or deny.
type entry struct {
	line     int
	text     string
	permit   bool
	proto    int // -1: ip
	src, dst address
	sport    []uint16 // eq
	dport    []uint16
}

// address is an address with a wildcard: bits that are 1 there do not matter.
type address struct{ value, wildcard uint32 }

// line reads one.
func (p *parser) line() error {
	word := p.word()
	switch {
	case word == "ip" && p.peek() == "access-list":
		p.word()
		return p.named()
	case word == "access-list":
		name := p.word()
		n, err := strconv.ParseUint(name, 10, 16)
		if err != nil || !(n >= 100 && n <= 199 || n >= 2000 && n <= 2699) {
			return p.refuse("not an extended access list: 100-199 or 2000-2699")
		}
		p.cur = nil
		p.word()
		return p.entry(p.list(name))
	case p.cur != nil && (word == "permit" || word == "deny" || word == "remark" || digits(word)):
		if digits(word) {
			p.word()
		}
		return p.entry(p.cur)
	case word != "" && word[0] != '!' && p.at == 0:
		p.cur = nil
	case word != "" && word[0] != '!' && p.cur != nil:
		return p.refuse("not modelled in an access list")
	}
	return nil
}

func (p *parser) named() error {
	p.cur = nil
	if p.word() != "extended" {
		return p.refuse("only extended access lists are modelled")
	}
	name := p.word()
	if name == "" {
		return p.fail("expected the name of the list")
	}
	p.cur = p.list(name)
	if p.word() != "" {
		return p.fail("text behind the name")
	}
	return nil
}

func (p *parser) list(name string) *accessList {
	a := p.byName[name]
	if a == nil {
		a = &accessList{name: name}
		p.lists, p.byName[name] = append(p.lists, a), a
	}
	return a
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// entry reads what begins with the last word.
func (p *parser) entry(a *accessList) error {
	e := entry{line: p.number, text: strings.TrimSpace(p.text), proto: -1}
	switch p.text[p.at:p.pos] {
	case "remark":
		return nil
	case "permit":
		e.permit = true
	case "deny":
	default:
		return p.refuse("only permit, deny and remark are modelled")
	}
	switch w := p.word(); {
	case w == "ip":
	case digits(w):
		n, err := strconv.ParseUint(w, 10, 8)
		if err != nil {
			return p.fail("expected a protocol")
		}
		e.proto = int(n)
	default:
		n, ok := rules.ProtocolNumber(w)
		if !ok {
			return p.refuse("protocol not known")
		}
		e.proto = int(n)
	}
	for _, side := range []struct {
		to    *address
		ports *[]uint16
	}{{&e.src, &e.sport}, {&e.dst, &e.dport}} {
		if err := p.address(side.to); err != nil {
			return err
		}
		if (e.proto == 6 || e.proto == 17) && p.peek() == "eq" {
			p.word()
			n, err := strconv.ParseUint(p.word(), 10, 16)
			if err != nil {
				return p.refuse("expected the number of a port")
			}
			*side.ports = append(*side.ports, uint16(n))
		}
	}
	if p.word() != "" {
		return p.refuse("not modelled")
	}
	a.entries = append(a.entries, e)
	return nil
}

func (p *parser) address(to *address) error {
	word := p.word()
	switch word {
	case "any":
		to.wildcard = ^uint32(0)
		return nil
	case "host":
		word = p.word()
	}
	v, ok := ipv4(word)
	if !ok {
		return p.fail("expected any, host ADDRESS or ADDRESS WILDCARD")
	}
	to.value = v
	if strings.HasSuffix(strings.TrimRight(p.text[:p.at], " "), " host") {
		return nil
	}
	if to.wildcard, ok = ipv4(p.word()); !ok {
		return p.fail("expected a wildcard mask such as 0.0.0.255")
	}
	return nil
}

func ipv4(s string) (uint32, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}

// compile makes rules of the list.
func (a *accessList) compile(opts Options) (List, error) {
	b := rules.NewBuilder[string](Schema)
	b.SetLimits(opts.Limits)
	l := List{Name: a.name}
	add := func(line int, value, comment string, conds []rules.Cond) error {
		if _, err := b.Add(rules.Rule[string]{Conds: conds, Value: value, Comment: comment}); err != nil {
			return &rules.ParseError{File: opts.File, Line: line, Where: a.name, Reason: err.Error(), Err: err}
		}
		l.Lines = append(l.Lines, line)
		return nil
	}
	for i := range a.entries {
		e := &a.entries[i]
		conds := e.src.conds(nil, src)
		conds = e.dst.conds(conds, dst)
		if e.proto >= 0 {
			conds = append(conds, rules.In(proto, rules.Point(uint64(e.proto))))
		}
		layer3 := conds
		for f, ports := range [][]uint16{sport: e.sport, dport: e.dport} {
			for _, n := range ports {
				conds = append(conds[:len(conds):len(conds)], rules.In(f, rules.Point(uint64(n))))
			}
		}
		value := Deny
		if e.permit {
			value = Permit
		}
		comment := fmt.Sprintf("line %d: %s", e.line, e.text)
		err := add(e.line, value, comment, conds)
		if err == nil && e.permit && len(conds) > len(layer3) {
			err = add(e.line, value, comment, append(layer3[:len(layer3):len(layer3)], rules.In(frag, rules.Point(1))))
		}
		if err != nil {
			return l, err
		}
	}
	err := add(0, Deny, "the implicit deny at the end of "+a.name, nil)
	l.Rules = b.List()
	return l, err
}

func (a *address) conds(conds []rules.Cond, field int) []rules.Cond {
	mask := ^a.wildcard
	switch n := bits.LeadingZeros32(a.wildcard); {
	case mask == 0:
		return conds
	case a.wildcard == uint32(1<<(32-n)-1):
		return append(conds, rules.In(field, rules.PrefixInterval(rules.U64(uint64(a.value)), n, 32)))
	}
	return append(conds, rules.Masked(field, rules.U64(uint64(a.value&mask)), rules.U64(uint64(mask))))
}
