package workload

// Lists as iptables-save text: one chain of the table filter, a rule of the
// list a line.

import (
	"bufio"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// saveChain is where the rules stand: the one hook whose packets have both
// interfaces.
const saveChain = "FORWARD"

// WriteSave writes a list as iptables-save (or, when its addresses are IPv6,
// ip6tables-save) prints a table filter whose chain FORWARD has the rules in
// their order, one a line, so that the rule at position i is number i+1 of the
// chain. The values, Accept and Drop, become the targets; the policy is ACCEPT.
// rules/iptables reads it back to a table that decides packets by the same
// rules, and the tools load it.
//
// A rule that the form cannot say is an error (rules.ErrUnsupported), and what
// was written before it is no file to keep: a field that iptables does not
// have, addresses of both families in one set, ports without a protocol that
// has them, unions, values of other names, and in IPv6 a protocol that is an
// extension header, for which the rule would never match.
func WriteSave(w io.Writer, l *rules.List[string]) error {
	s := l.Schema()
	f := &saveForm{schema: s, family: 4}
	for i := range 2 {
		if at := s.Index([...]string{"src", "dst"}[i]); at >= 0 {
			switch s.Field(at).Kind {
			case rules.IPv4:
			case rules.IPv6:
				f.family = 6
			default:
				return fmt.Errorf("the rules are of both address families, and iptables-save has one file for each: %w", rules.ErrUnsupported)
			}
		}
	}
	out := bufio.NewWriterSize(w, 1<<16)
	tool := "iptables-save"
	if f.family == 6 {
		tool = "ip6tables-save"
	}
	fmt.Fprintf(out, "# Written by bench as by %s\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n", tool)
	for i, r := range l.All() {
		if err := f.rule(r); err != nil {
			return fmt.Errorf("rule %d (%s): %w: %w", i+1, rules.Excerpt(rules.FormatRule(s, r)), err, rules.ErrUnsupported)
		}
		if _, err := out.Write(f.line); err != nil {
			return err
		}
	}
	out.WriteString("COMMIT\n")
	return out.Flush()
}

// saveForm writes one rule after the other into line.
type saveForm struct {
	schema *rules.Schema
	family int
	line   []byte
	conds  [rules.MaxFields]*rules.Cond // of the rule, by field
	proto  int                          // of the rule, anyProto for none
}

func (f *saveForm) add(words ...string) {
	for _, w := range words {
		f.line = append(f.line, ' ')
		f.line = append(f.line, w...)
	}
}

// take returns the condition on a field, nil for none, and forgets it.
func (f *saveForm) take(name string) *rules.Cond {
	i := f.schema.Index(name)
	if i < 0 {
		return nil
	}
	c := f.conds[i]
	f.conds[i] = nil
	return c
}

func (f *saveForm) rule(r *rules.Rule[string]) error {
	if r.Continue || r.Unknown != "" {
		return fmt.Errorf("it does not decide")
	}
	if r.Value != Accept && r.Value != Drop {
		return fmt.Errorf("its value is neither %s nor %s", Accept, Drop)
	}
	clear(f.conds[:f.schema.Len()])
	for i := range r.Conds {
		c := &r.Conds[i]
		if f.conds[c.Field()] != nil {
			return fmt.Errorf("two conditions on %s", f.schema.Field(c.Field()).Name)
		}
		if c.AllowsAbsent() {
			return fmt.Errorf("a condition on %s that holds without it", f.schema.Field(c.Field()).Name)
		}
		f.conds[c.Field()] = c
	}
	f.line = append(f.line[:0], "-A "+saveChain...)
	// In the order of iptables-save: addresses, interfaces, protocol, fragment,
	// then the matches.
	ranges, err := f.addresses()
	if err != nil {
		return err
	}
	for _, step := range []func() error{f.interfaces, f.protocol, f.fragment, func() error { f.add(ranges...); return nil },
		f.ports, f.icmp, f.state, f.ttl} {
		if err := step(); err != nil {
			return err
		}
	}
	for i, c := range f.conds[:f.schema.Len()] {
		if c != nil {
			return fmt.Errorf("iptables has no match for %s here", f.schema.Field(i).Name)
		}
	}
	f.line = append(f.line, " -j "...)
	f.line = append(f.line, r.Value...)
	f.line = append(f.line, '\n')
	return nil
}

// interval returns the one interval of a condition that is nothing else.
func interval(c *rules.Cond) (rules.Interval, error) {
	iv, ok := singleInterval(c)
	if !ok {
		return iv, fmt.Errorf("a condition that is no single range")
	}
	return iv, nil
}

// number returns the one value of a condition.
func number(c *rules.Cond, what string) (uint64, error) {
	iv, err := interval(c)
	if err != nil || iv.Lo != iv.Hi {
		return 0, fmt.Errorf("a range of %s", what)
	}
	return iv.Lo.Lo, nil
}

// addresses writes those that are prefixes, and returns the match for the others.
func (f *saveForm) addresses() (ranges []string, err error) {
	for _, side := range []struct{ name, option, from string }{{"src", "-s", "--src-range"}, {"dst", "-d", "--dst-range"}} {
		c := f.take(side.name)
		if c == nil {
			continue
		}
		iv, err := interval(c)
		if err != nil {
			return nil, err
		}
		field := f.schema.Field(f.schema.Index(side.name))
		if n, ok := iv.PrefixLen(field.Bits); ok {
			f.add(side.option, field.FormatValue(iv.Lo)+"/"+strconv.Itoa(n))
			continue
		}
		if ranges == nil {
			ranges = []string{"-m", "iprange"}
		}
		ranges = append(ranges, side.from, field.FormatValue(iv.Lo)+"-"+field.FormatValue(iv.Hi))
	}
	return ranges, nil
}

func (f *saveForm) interfaces() error {
	for _, side := range []struct{ name, option string }{{"iif", "-i"}, {"oif", "-o"}} {
		c := f.take(side.name)
		if c == nil {
			continue
		}
		iv, err := interval(c)
		if err != nil {
			return err
		}
		name := f.schema.Field(f.schema.Index(side.name)).FormatValue(iv.Lo)
		if iv.Lo != iv.Hi {
			n, ok := iv.PrefixLen(128)
			if !ok || n%8 != 0 {
				return fmt.Errorf("a range of interface names")
			}
			name += "+"
		}
		f.add(side.option, name)
	}
	return nil
}

// extensions are the protocols beyond 0 that no IPv6 packet has to ip6tables:
// routing, fragment, authentication and destination options headers.
var extensions = [...]int{43, 44, ah, 60}

func (f *saveForm) protocol() error {
	f.proto = anyProto
	c := f.take("proto")
	if c == nil {
		return nil
	}
	n, err := number(c, "protocols")
	if err != nil {
		return err
	}
	f.proto = int(n)
	if n == 0 {
		return fmt.Errorf("protocol 0, which to iptables is any protocol")
	}
	if f.family == 6 && slices.Contains(extensions[:], f.proto) {
		return fmt.Errorf("protocol %d, an extension header in IPv6, which ip6tables passes over in search of the protocol: the rule would never match", n)
	}
	// Names that the tools know by themselves; others they would look up.
	name := strconv.Itoa(f.proto)
	switch f.proto {
	case tcp, udp, icmp, icmpv6, esp, ah, sctp:
		name = rules.ProtocolName(uint8(n))
	}
	f.add("-p", name)
	return nil
}

func (f *saveForm) fragment() error {
	c := f.take("frag")
	if c == nil {
		return nil
	}
	n, err := number(c, "fragments")
	switch {
	case err != nil:
		return err
	case f.family == 6:
		return fmt.Errorf("a fragment, which ip6tables does not ask for by itself")
	case n == 0:
		f.add("!")
	}
	f.add("-f")
	return nil
}

// ports writes the ports and the TCP flags.
func (f *saveForm) ports() error {
	named := false
	match := func() error {
		switch {
		case named:
		case f.proto == tcp || f.proto == udp || f.proto == sctp:
			f.add("-m", rules.ProtocolName(uint8(f.proto)))
		case f.proto == anyProto:
			return fmt.Errorf("ports, and no protocol")
		default:
			return fmt.Errorf("ports, and the protocol %s", rules.ProtocolName(uint8(f.proto)))
		}
		named = true
		return nil
	}
	for _, side := range []struct{ name, option string }{{"sport", "--sport"}, {"dport", "--dport"}} {
		c := f.take(side.name)
		if c == nil {
			continue
		}
		iv, err := interval(c)
		if err == nil {
			err = match()
		}
		if err != nil {
			return err
		}
		text := strconv.FormatUint(iv.Lo.Lo, 10)
		if iv.Lo != iv.Hi {
			text += ":" + strconv.FormatUint(iv.Hi.Lo, 10)
		}
		f.add(side.option, text)
	}
	c := f.take("tcpflags")
	if c == nil {
		return nil
	}
	want, mask, ok := c.Mask()
	if ivs, _ := c.Intervals(); !ok || len(ivs) > 0 || f.proto != tcp || mask.Lo&^0x3f != 0 || want.And(mask) != want {
		return fmt.Errorf("TCP flags in a way that iptables cannot ask for")
	}
	if err := match(); err != nil {
		return err
	}
	if c.Negated() {
		f.add("!")
	}
	f.add("--tcp-flags", symbols(rules.TCPFlags, mask.Lo), symbols(rules.TCPFlags, want.Lo))
	return nil
}

// symbols returns the names of the bits, NONE for none.
func symbols(of []rules.Symbol, bits uint64) string {
	var names []string
	for _, s := range of {
		if s.Value&bits != 0 {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return "NONE"
	}
	return strings.Join(names, ",")
}

func (f *saveForm) icmp() error {
	kind, code := f.take("icmptype"), f.take("icmpcode")
	if kind == nil && code == nil {
		return nil
	}
	match, option := "icmp", "--icmp-type"
	if f.family == 6 {
		match, option = "icmp6", "--icmpv6-type"
	}
	if kind == nil || f.proto != icmp && f.proto != icmpv6 || (f.proto == icmpv6) != (f.family == 6) {
		return fmt.Errorf("an ICMP code without a type, or without the protocol")
	}
	n, err := number(kind, "ICMP types")
	if err != nil {
		return err
	}
	if n == 255 {
		return fmt.Errorf("ICMP type 255, which to iptables is any type")
	}
	text := strconv.FormatUint(n, 10)
	if code != nil {
		if n, err = number(code, "ICMP codes"); err != nil {
			return err
		}
		text += "/" + strconv.FormatUint(n, 10)
	}
	f.add("-m", match, option, text)
	return nil
}

// printedStates are rules.CTStates in the order of iptables-save.
var printedStates = []rules.Symbol{{Name: "INVALID", Value: 1}, {Name: "NEW", Value: 8}, {Name: "RELATED", Value: 4}, {Name: "ESTABLISHED", Value: 2},
	{Name: "UNTRACKED", Value: 16}, {Name: "SNAT", Value: 32}, {Name: "DNAT", Value: 64}}

// state writes the condition that one of some connection states is set.
func (f *saveForm) state() error {
	c := f.take("ctstate")
	if c == nil {
		return nil
	}
	want, mask, ok := c.Mask()
	if ivs, _ := c.Intervals(); !ok || len(ivs) > 0 || !c.Negated() || want != (rules.Value{}) || bits.Len64(mask.Lo) > 7 || mask.Lo == 0 {
		return fmt.Errorf("connection states in a way that iptables cannot ask for")
	}
	f.add("-m", "conntrack", "--ctstate", symbols(printedStates, mask.Lo))
	return nil
}

func (f *saveForm) ttl() error {
	c := f.take("ttl")
	if c == nil {
		return nil
	}
	match, option := "ttl", "--ttl"
	if f.family == 6 {
		match, option = "hl", "--hl"
	}
	iv, err := interval(c)
	switch {
	case err != nil:
		return err
	case iv.Lo == iv.Hi:
		f.add("-m", match, option+"-eq", strconv.FormatUint(iv.Lo.Lo, 10))
	case iv.Lo.Lo == 0 && iv.Hi.Lo < 255:
		f.add("-m", match, option+"-lt", strconv.FormatUint(iv.Hi.Lo+1, 10))
	case iv.Hi.Lo == 255 && iv.Lo.Lo > 0:
		f.add("-m", match, option+"-gt", strconv.FormatUint(iv.Lo.Lo-1, 10))
	default:
		return fmt.Errorf("a range of TTLs between others")
	}
	return nil
}
