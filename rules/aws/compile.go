package aws

// From permissions and entries to rules.

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/hipac-go/classifier/rules"
)

// compiler makes rules of lists, once their file has been read.
type compiler struct {
	*documents
	sets  map[string][]rules.Interval // of groups and prefix lists, by their ids
	bytes int64                       // of sets

	out     *List
	builder *rules.Builder[string]
	all     [2]bool // rules take all packets of IPv4, of IPv6
}

func newCompiler(d *documents) *compiler {
	return &compiler{documents: d, sets: map[string][]rules.Interval{}}
}

// errFault is the error of a source about which a fault has been noted.
var errFault = errors.New("a fault")

// compile makes the rules of a list. An error ends the work; others are noted.
func (c *compiler) compile(l *list, out *List) error {
	c.out, c.builder, c.all = out, rules.NewBuilder[string](Schema), [2]bool{}
	c.builder.SetLimits(c.in.limits)
	for i := range l.perms {
		if err := c.permission(l, &l.perms[i]); err != nil {
			return err
		}
	}
	last := "no rule of " + l.id + " allows it"
	if l.acl {
		last = "no rule of " + l.id + " is about it"
	}
	if c.all != [2]bool{true, true} {
		if err := c.add(l, 0, rules.Rule[string]{Value: Deny, Comment: last}); err != nil {
			return err
		}
	}
	out.Rules = c.builder.List()
	return nil
}

// add adds a rule that comes from a line.
func (c *compiler) add(l *list, line int, r rules.Rule[string]) error {
	if l.faults.all > 0 {
		return nil // only what else is wrong is looked for
	}
	if _, err := c.builder.Add(r); err != nil {
		return &rules.ParseError{File: c.in.file, Line: line, Where: l.name, Reason: err.Error(), Err: err}
	}
	c.out.Lines = append(c.out.Lines, line)
	return nil
}

// permission makes the rules of a permission, one for each source.
func (c *compiler) permission(l *list, p *permission) error {
	field, way, word := src, "ingress", "from"
	if l.egress {
		field, way, word = dst, "egress", "to"
	}
	var traffic []rules.Cond
	if p.proto >= 0 {
		traffic = append(traffic, rules.In(proto, rules.Point(uint64(p.proto))))
	}
	what := c.traffic(p)
	switch {
	case !p.narrow:
	case p.proto == protoTCP || p.proto == protoUDP:
		if p.from > 0 || p.to < 65535 {
			traffic = append(traffic, rules.In(dport, rules.Span(uint64(p.from), uint64(p.to))))
		}
	case p.from >= 0:
		traffic = append(traffic, rules.In(icmptype, rules.Point(uint64(p.from))))
		if p.to >= 0 {
			traffic = append(traffic, rules.In(icmpcode, rules.Point(uint64(p.to))))
		}
	}
	begin := l.id + " " + way + " "
	verdict := Allow
	if l.acl {
		number, verb := fmt.Sprint(p.number), "allow"
		if p.number >= lastNumber {
			number = "*"
		}
		if p.deny {
			verb, verdict = "deny", Deny
		}
		begin += "rule " + number + ": " + verb + " "
	}
	sources := p.sources
	if len(sources) == 0 {
		sources = []source{{at: &value{at: p.at, line: p.line}}}
	}
	for i := range sources {
		s := &sources[i]
		in, name, err := c.source(l, s)
		switch {
		case err == errFault:
			continue
		case err != nil:
			return err
		}
		comment := begin + what + " " + word + " " + name
		if s.description != "" {
			comment += " (" + s.description + ")"
		}
		cond := rules.InOrder(field, in)
		family := 0
		if s.prefix.Addr().Is6() {
			family = 1
			if s.prefix.Bits() == 0 {
				cond = rules.In(field, mapped).Negate() // the same, and reads better
			}
		}
		if p.number >= lastNumber && c.all[family] {
			continue // nothing is left for the implicit deny
		}
		line := s.at.line
		if p.number >= lastNumber {
			line = 0 // it is there whatever one does
		}
		conds := append([]rules.Cond{cond}, traffic...)
		if err := c.add(l, line, rules.Rule[string]{Conds: conds, Value: verdict, Comment: comment}); err != nil {
			return err
		}
		if len(traffic) == 0 && s.prefix.IsValid() && s.prefix.Bits() == 0 {
			c.all[family] = true
		}
	}
	return nil
}

// traffic names what a permission is about.
func (c *compiler) traffic(p *permission) string {
	var name string
	switch p.proto {
	case -1:
		return "all"
	case protoTCP:
		name = "tcp"
	case protoUDP:
		name = "udp"
	case protoICMP:
		name = "icmp"
	case protoICMPv6:
		name = "icmpv6"
	default:
		return fmt.Sprintf("protocol %d", p.proto)
	}
	switch {
	case !p.narrow || p.from < 0:
		return "all " + name
	case p.proto == protoTCP || p.proto == protoUDP:
		switch {
		case p.from == 0 && p.to == 65535:
			return "all " + name
		case p.from == p.to:
			return fmt.Sprintf("%s %d", name, p.from)
		}
		return fmt.Sprintf("%s %d-%d", name, p.from, p.to)
	case p.to < 0:
		return fmt.Sprintf("%s type %d", name, p.from)
	}
	return fmt.Sprintf("%s type %d code %d", name, p.from, p.to)
}

// source returns the addresses of a source, and its name.
func (c *compiler) source(l *list, s *source) ([]rules.Interval, string, error) {
	switch {
	case s.prefix.IsValid():
		return intervals(nil, s.prefix), s.prefix.String(), nil
	case s.list != "":
		in, err := c.prefixSet(l, s)
		return in, s.list, err
	case s.group != "":
		in, err := c.groupSet(l, s)
		return in, s.group, err
	}
	return nil, "nowhere", nil
}

// mapped are the IPv4 addresses as the values of a field of both families.
var mapped = rules.PrefixInterval(rules.Addr16(netip.IPv4Unspecified()), 96, 128)

// intervals adds the addresses of a block, which are of its family alone: ::/0 has
// no IPv4 addresses, though these are values in the midst of it.
func intervals(in []rules.Interval, p netip.Prefix) []rules.Interval {
	v := rules.Addr16(p.Addr())
	if p.Addr().Is4() {
		return append(in, rules.PrefixInterval(v, p.Bits()+96, 128))
	}
	all := rules.PrefixInterval(v, p.Bits(), 128)
	if !all.Contains(mapped.Lo) {
		return append(in, all)
	}
	if all.Lo.Less(mapped.Lo) {
		in = append(in, rules.Interval{Lo: all.Lo, Hi: mapped.Lo.Prev()})
	}
	if mapped.Hi.Less(all.Hi) {
		in = append(in, rules.Interval{Lo: mapped.Hi.Next(), Hi: all.Hi})
	}
	return in
}

// prefixSet returns the addresses of a prefix list.
func (c *compiler) prefixSet(l *list, s *source) ([]rules.Interval, error) {
	p := c.prefixes[s.list]
	if p == nil || !p.entries {
		c.refuse(&l.faults, s.at, "a prefix list whose entries are not in the file: add what aws ec2 get-managed-prefix-list-entries --prefix-list-id %s prints, with a member PrefixListId", s.list)
		return nil, errFault
	}
	p.used = true
	if p.faults.all > 0 {
		return nil, errFault
	}
	return c.set(l, s, "prefix list "+s.list, func(in []rules.Interval) []rules.Interval {
		for _, prefix := range p.prefixes {
			in = intervals(in, prefix)
		}
		return in
	})
}

// groupSet returns the addresses of the network interfaces of a security group.
func (c *compiler) groupSet(l *list, s *source) ([]rules.Interval, error) {
	faces := c.members[s.group]
	_, known := c.owners[s.group]
	switch {
	case !c.anyFace:
		c.refuse(&l.faults, s.at, "the addresses of the network interfaces in security group %s are not in the file: add what aws ec2 describe-network-interfaces prints", s.group)
		return nil, errFault
	case len(faces) == 0 && !known && (s.foreign || s.owner != l.owner):
		c.refuse(&l.faults, s.at, "security group %s is one of another account or VPC, whose network interfaces are not in the file", s.group)
		return nil, errFault
	}
	failed := false
	for _, n := range faces {
		n.used = true
		failed = failed || n.faults.all > 0
	}
	if failed {
		return nil, errFault
	}
	return c.set(l, s, "security group "+s.group, func(in []rules.Interval) []rules.Interval {
		for _, n := range faces {
			for _, a := range n.addresses {
				in = append(in, rules.Interval{Lo: rules.Addr16(a), Hi: rules.Addr16(a)})
			}
		}
		return in
	})
}

// set returns the addresses that have a name, once they are made.
func (c *compiler) set(l *list, s *source, name string, fill func([]rules.Interval) []rules.Interval) ([]rules.Interval, error) {
	if in, ok := c.sets[name]; ok {
		return in, nil
	}
	all := fill(nil)
	cond := rules.In(src, all...)
	in, _ := cond.Intervals()
	c.bytes += int64(64 * len(all))
	var limit string
	switch {
	case len(all) > c.in.limits.MaxElements:
		limit = fmt.Sprintf("%s has more than %d addresses and blocks", name, c.in.limits.MaxElements)
	case c.in.bytes+c.bytes > c.in.limits.MaxMemory:
		limit = fmt.Sprintf("the addresses of groups take more than %d bytes of memory", c.in.limits.MaxMemory)
	}
	if limit != "" {
		e := c.in.fail(s.at.at, s.at.text, limit, rules.ErrLimit)
		e.Where = l.name
		return nil, e
	}
	c.sets[name] = in
	return in, nil
}
