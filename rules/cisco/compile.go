package cisco

// From entries to rules.

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// compiler makes rules of lists, once their file has been read.
type compiler struct {
	*parser
	elements int64 // of the groups so far
	depth    int   // of groups in groups

	out     *List
	builder *rules.Builder[string]
	later   map[string]bool // conditions of rules that take fragments other than the first
	all     bool            // a rule takes every packet
}

// step is between the sequence numbers of entries that have none, and the first
// one.
const step = 10

// order sorts the entries by their sequence numbers: one without gets the last one
// of before plus ten.
func (p *parser) order(a *accessList) error {
	last, sorted := 0, true
	for i := range a.entries {
		e := &a.entries[i]
		if e.seq == 0 {
			if last > 1<<31-1-step {
				return p.entryError(a, e, "no sequence number is left behind %d", last)
			}
			e.seq = last + step
		}
		sorted = sorted && e.seq > last
		last = max(last, e.seq)
	}
	if sorted {
		return nil
	}
	slices.SortStableFunc(a.entries, func(x, y entry) int { return x.seq - y.seq })
	for i := range a.entries[1:] {
		if e := &a.entries[i+1]; e.seq == a.entries[i].seq {
			return p.entryError(a, e, "line %d has the sequence number %d, too", a.entries[i].line, e.seq)
		}
	}
	return nil
}

// entryError returns an error about an entry.
func (p *parser) entryError(a *accessList, e *entry, format string, args ...any) error {
	return &rules.ParseError{File: p.in.File(), Line: e.line, Column: 1, Where: a.name, Token: e.text, Reason: fmt.Sprintf(format, args...)}
}

// compile makes the rules of a list. An error ends the work; others are noted.
func (c *compiler) compile(a *accessList, out *List) error {
	c.out, c.builder, c.later = out, rules.NewBuilder[string](Schema), map[string]bool{}
	c.all = false
	c.builder.SetLimits(c.limits)
	if err := c.order(a); err != nil {
		c.goOn(&a.faults, a.name, err)
		return nil
	}
	for i := range a.entries {
		if err := c.entry(a, &a.entries[i]); err != nil && err != errGroup && !c.goOn(&a.faults, a.name, err) {
			return err
		}
	}
	last := rules.Rule[string]{Value: Deny, Comment: "the implicit deny at the end of the list"}
	switch {
	case a.faults.all > 0:
	case len(a.entries) == 0 && a.remarks:
		c.goOn(&a.faults, a.name, &rules.ParseError{File: c.in.File(), Line: a.line, Column: 1, Token: a.name,
			Reason: "a list of remarks alone: whether that is an empty list, which permits everything, is not documented"})
		return nil
	case len(a.entries) == 0:
		last.Value, last.Comment = Permit, "a list without entries permits everything where it is applied"
	}
	if !c.all {
		if err := c.add(0, last); err != nil {
			return err
		}
	}
	out.Rules = c.builder.List()
	return nil
}

// add adds a rule that comes from a line.
func (c *compiler) add(line int, r rules.Rule[string]) error {
	if _, err := c.builder.Add(r); err != nil {
		return &rules.ParseError{File: c.in.File(), Line: line, Where: c.out.Name, Reason: err.Error(), Err: err}
	}
	c.out.Lines = append(c.out.Lines, line)
	c.all = c.all || len(r.Conds) == 0
	return nil
}

// takes reports whether an earlier rule is known to take all fragments other than
// the first that meet the conditions, and notes that one does from now on. It knows
// of rules with the same conditions, or some of them.
func (c *compiler) takes(conds []rules.Cond) bool {
	texts := make([]string, len(conds))
	for i := range conds {
		texts[i] = Schema.FormatCond(&conds[i])
	}
	some := make([]string, 0, len(texts))
	for which := range 1 << len(texts) {
		some = some[:0]
		for i, text := range texts {
			if which>>i&1 == 1 {
				some = append(some, text)
			}
		}
		if c.later[strings.Join(some, " ")] {
			return true
		}
	}
	c.later[strings.Join(texts, " ")] = true
	return false
}

// entry makes the rules of an entry.
func (c *compiler) entry(a *accessList, e *entry) error {
	var base []rules.Cond
	var err error
	if base, err = c.address(base, src, &e.src); err != nil {
		return err
	}
	if base, err = c.address(base, dst, &e.dst); err != nil {
		return err
	}
	comment := e.text
	if e.remark != "" {
		comment += " (" + e.remark + ")"
	}
	if e.service.name == "" {
		return c.rule(e, comment, base, &member{proto: e.proto, sport: e.sport, dport: e.dport, icmp: e.icmp})
	}
	g, err := c.lookup(&e.service, "service")
	if err == nil {
		err = c.services(g, &e.service)
	}
	if err != nil {
		return err
	}
	for _, m := range g.services {
		if m.layer4() && e.fragments {
			return c.entryError(a, e, "fragments other than the first have no ports and messages, and object group %s asks for some: fragments does not go with it", g.name)
		}
		if err := c.rule(e, comment+" ["+g.name+": "+m.text+"]", base, m); err != nil {
			return err
		}
	}
	return nil
}

// rule makes the rule of an entry for one service, and behind it the one for
// fragments other than the first, if there is one.
func (c *compiler) rule(e *entry, comment string, base []rules.Cond, m *member) error {
	conds := slices.Clip(base)
	switch m.proto {
	case anyProtocol:
	case tcpOrUDP:
		conds = append(conds, rules.In(proto, rules.Point(protoTCP), rules.Point(protoUDP)))
	default:
		conds = append(conds, rules.In(proto, rules.Point(uint64(m.proto))))
	}
	if e.dscp >= 0 {
		conds = append(conds, rules.In(dscp, rules.Point(uint64(e.dscp))))
	}
	if e.precedence >= 0 {
		conds = append(conds, rules.Masked(dscp, rules.U64(uint64(e.precedence)<<3), rules.U64(7<<3)))
	}
	if e.tos >= 0 { // bits 1 to 4 of the byte: the last three of the DSCP and the first one of ECN
		conds = append(conds, rules.Masked(dscp, rules.U64(uint64(e.tos)>>1), rules.U64(7)),
			rules.Masked(ecn, rules.U64(uint64(e.tos)&1<<1), rules.U64(2)))
	}
	conds = e.ttl.conds(conds, ttl, 255)
	layer3 := slices.Clip(conds)
	fragments := append(layer3, rules.In(frag, rules.Point(1)))
	if e.fragments {
		conds = fragments
	}
	deep := len(conds)
	conds = m.sport.conds(slices.Clip(conds), sport, 65535)
	conds = m.dport.conds(conds, dport, 65535)
	if m.icmp != nil {
		conds = append(conds, rules.In(icmptype, rules.Point(uint64(m.icmp.kind))))
		if m.icmp.code >= 0 {
			conds = append(conds, rules.In(icmpcode, rules.Point(uint64(m.icmp.code))))
		}
	}
	if f := e.flags; f != nil {
		set, clear := rules.U64(uint64(f.set)), rules.U64(uint64(f.clear))
		if f.all {
			conds = append(conds, rules.Masked(tcpflags, set, set.Or(clear)))
		} else { // not all of them the other way round
			conds = append(conds, rules.Masked(tcpflags, clear, set.Or(clear)).Negate())
		}
	}
	value := Deny
	if e.permit {
		value = Permit
	}
	if err := c.add(e.line, rules.Rule[string]{Conds: conds, Value: value, Comment: comment}); err != nil {
		return err
	}
	switch {
	case len(conds) == deep:
		c.takes(layer3)
		return nil
	case !e.permit || c.takes(layer3):
		return nil
	}
	return c.add(e.line, rules.Rule[string]{Conds: fragments, Value: value, Comment: comment + " (fragments other than the first)"})
}

// conds adds the condition that a comparison is.
func (o *compare) conds(conds []rules.Cond, field int, most uint64) []rules.Cond {
	if o.op == "" {
		return conds
	}
	first := uint64(o.values[0])
	var in []rules.Interval
	switch o.op {
	case "eq", "neq":
		for _, v := range o.values {
			in = append(in, rules.Point(uint64(v)))
		}
	case "lt":
		if first > 0 {
			in = append(in, rules.Span(0, first-1))
		}
	case "gt":
		if first < most {
			in = append(in, rules.Span(first+1, most))
		}
	case "range":
		in = append(in, rules.Span(first, uint64(o.values[1])))
	}
	cond := rules.In(field, in...)
	if o.op == "neq" {
		cond = cond.Negate()
	}
	return append(conds, cond)
}

// address adds the condition that an address is.
func (c *compiler) address(conds []rules.Cond, field int, a *address) ([]rules.Cond, error) {
	if a.group.name != "" {
		g, err := c.lookup(&a.group, "network")
		if err == nil {
			err = c.networks(g, &a.group)
		}
		if err != nil {
			return nil, err
		}
		if len(g.addresses) == 1 && g.addresses[0] == Schema.Field(field).Full() {
			return conds, nil
		}
		return append(conds, rules.InOrder(field, g.addresses)), nil
	}
	n := bits.LeadingZeros32(a.wildcard)
	switch {
	case n == 0 && a.wildcard == ^uint32(0):
		return conds, nil
	case a.wildcard == uint32(1<<(32-n)-1):
		return append(conds, rules.In(field, rules.PrefixInterval(rules.U64(uint64(a.value&^a.wildcard)), n, 32))), nil
	}
	return append(conds, rules.Masked(field, rules.U64(uint64(a.value&^a.wildcard)), rules.U64(uint64(^a.wildcard)))), nil
}

// errGroup is the error of what names a group that has errors of its own.
var errGroup = errors.New("an object group in error")

// lookup returns the group of a name.
func (c *compiler) lookup(n *named, kind string) (*group, error) {
	g := c.groups[n.name]
	if g != nil {
		g.used = true
	}
	switch {
	case g == nil:
		return nil, c.groupError(n, nil, "no object group of the name is in the file")
	case g.kind != kind && g.kind != "network" && g.kind != "service":
		return nil, c.groupError(n, rules.ErrUnsupported, "not modelled: object groups of the kind %s, as this one of line %d", g.kind, g.line)
	case g.kind != kind:
		return nil, c.groupError(n, nil, "an object group of the kind %s, of line %d: expected one of the kind %s", g.kind, g.line, kind)
	}
	if g.faults.all > 0 {
		return nil, errGroup
	}
	return g, nil
}

func (c *compiler) groupError(n *named, cause error, format string, args ...any) error {
	return &rules.ParseError{File: c.in.File(), Line: n.line, Column: n.column, Token: n.name, Reason: fmt.Sprintf(format, args...), Err: cause}
}

// States of a group.
const (
	untouched uint8 = iota
	busy
	done
)

// enter begins with what a group comes to, and reports whether that is known.
func (c *compiler) enter(g *group, n *named) (known bool, err error) {
	switch {
	case g.state == done:
		return true, nil
	case g.state == busy:
		return false, c.groupError(n, nil, "the object group holds itself")
	case c.depth >= c.limits.MaxDepth:
		return false, c.groupError(n, rules.ErrLimit, "object groups nest deeper than %d", c.limits.MaxDepth)
	case len(g.members) == 0:
		return false, c.groupError(n, nil, "the object group of line %d has no members: IOS does not take such a one in an entry", g.line)
	}
	g.state = busy
	c.depth++
	return false, nil
}

func (c *compiler) leave(g *group) {
	g.state = done
	c.depth--
}

// count bounds what groups come to.
func (c *compiler) count(g *group, n int) error {
	c.elements += int64(n)
	switch {
	case n > c.limits.MaxElements:
		return &rules.ParseError{File: c.in.File(), Line: g.line, Reason: fmt.Sprintf("object group %s has more than %d members, with those of groups in it", rules.Excerpt(g.name), c.limits.MaxElements), Err: rules.ErrLimit}
	case c.bytes+64*c.elements > c.limits.MaxMemory:
		return &rules.ParseError{File: c.in.File(), Line: g.line, Reason: fmt.Sprintf("object groups take more than %d bytes of memory", c.limits.MaxMemory), Err: rules.ErrLimit}
	}
	return nil
}

// networks finds the addresses of a group that is named somewhere.
func (c *compiler) networks(g *group, n *named) error {
	if known, err := c.enter(g, n); known || err != nil {
		return err
	}
	defer c.leave(g)
	var in []rules.Interval
	for i := range g.members {
		m := &g.members[i]
		if m.group.name == "" {
			in = append(in, rules.Span(uint64(m.lo), uint64(m.hi)))
			continue
		}
		inner, err := c.lookup(&m.group, "network")
		if err == nil {
			err = c.networks(inner, &m.group)
		}
		if err != nil {
			return err
		}
		if in = append(in, inner.addresses...); len(in) > c.limits.MaxElements {
			return c.count(g, len(in))
		}
	}
	cond := rules.In(src, in...)
	g.addresses, _ = cond.Intervals()
	return c.count(g, len(in))
}

// services finds the services of a group that is named somewhere.
func (c *compiler) services(g *group, n *named) error {
	if known, err := c.enter(g, n); known || err != nil {
		return err
	}
	defer c.leave(g)
	for i := range g.members {
		m := &g.members[i]
		if m.group.name == "" {
			g.services = append(g.services, m)
			continue
		}
		inner, err := c.lookup(&m.group, "service")
		if err == nil {
			err = c.services(inner, &m.group)
		}
		if err != nil {
			return err
		}
		if g.services = append(g.services, inner.services...); len(g.services) > c.limits.MaxElements {
			return c.count(g, len(g.services))
		}
	}
	return c.count(g, len(g.services))
}
