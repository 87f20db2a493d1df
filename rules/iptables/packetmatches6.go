package iptables

// Matches on the extension headers of IPv6.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

var packetMatches6 = []module{
	{kind: "match", name: "frag", summary: "the fragment header", family: 6, modelled: true, reads: uint32(packet.BrokenFrag),
		options: []option{
			{name: "fragid", words: 1, not: true, parse: parseSpan("fragid", 1<<32-1, true), help: "identification", form: rangeForm("ID", 1<<32-1)},
			{name: "fraglen", words: 1, not: true, parse: parseFragLen, help: "taken for compatibility; the kernel does not look at it", form: numberForm("LENGTH", 1<<32-1, "bytes")},
			{name: "fragres", parse: parseFragFlag(xt.FragmentReservedZero), help: "the reserved fields are zero"},
			{name: "fragfirst", parse: parseFragFlag(xt.FragmentFirst), help: "the first fragment"},
			{name: "fragmore", excludes: []string{"fraglast"}, parse: parseFragFlag(xt.FragmentMore), help: "more fragments follow"},
			{name: "fraglast", parse: parseFragFlag(xt.FragmentLast), help: "the last fragment"},
		},
		finish: finishFrag},
	{kind: "match", name: "rt", summary: "the routing header", family: 6, modelled: true, reads: uint32(packet.BrokenRouting),
		options: []option{
			{name: "rt-type", words: 1, not: true, parse: parseNumberOf("rttype", 1<<32-1), help: "type of the header", form: numberForm("TYPE", 1<<32-1, "")},
			{name: "rt-segsleft", words: 1, not: true, parse: parseSpan("rtsegs", 1<<32-1, true), help: "segments left", form: rangeForm("COUNT", 1<<32-1)},
			{name: "rt-len", words: 1, not: true, parse: parseNumberOf("rtlen", 1<<32-1), help: "length of the header", form: numberForm("LENGTH", 1<<32-1, "bytes")},
			{name: "rt-0-res", notes: []string{behindType0}, parse: behindRoutingType(noValue), help: "the reserved field is zero"},
			{name: "rt-0-addrs", words: 1, notes: []string{behindType0}, parse: behindRoutingType(parseRoutingAddrs), help: "the addresses in the header",
				form: Form{Kind: "list", Syntax: "ADDRESS[,ADDRESS...]", Items: maxRoutingAddrs}},
			{name: "rt-0-not-strict", notes: []string{behindType0}, requires: []string{"rt-0-addrs"}, parse: behindRoutingType(noValue), help: "the addresses may have others between them"},
		},
		finish: finishRT},
	optionsMatch("hbh", "the hop-by-hop options header", packet.HopByHop, packet.BrokenHopByHop),
	optionsMatch("dst", "the destination options header", packet.DestOptions, packet.BrokenDestOptions),
	{kind: "match", name: "ipv6header", summary: "which extension headers the packet has", family: 6, modelled: true,
		options: []option{
			{name: "header", words: 1, not: true, required: true, parse: parseHeaders, help: "the headers that it has, no others; negated, exactly the others",
				form: Form{Kind: "set", Syntax: "HEADER[,HEADER...]", Symbols: []string{"hop", "dst", "route", "frag", "auth", "esp", "none", "prot"}}},
			{name: "soft", parse: noValue, help: "it may have others as well; negated, it has none of them"},
		},
		finish: finishHeaders},
	{kind: "match", name: "mh", summary: "the mobility header", family: 6, modelled: true, protos: []uint8{protoMH}, reads: uint32(packet.BrokenMH),
		options: []option{{name: "mh-type", words: 1, not: true, parse: parseMHType, help: "type of the message",
			form: Form{Kind: "range", Syntax: "TYPE[:TYPE]", Max: 255, Symbols: mhNames()}}},
		finish: finishHeader("mhtype")},
	{kind: "match", name: "srh", summary: "the segment routing header", family: 6, modelled: true, finish: finishSRH,
		options: slices.Concat([]option{{name: "srh-next-hdr", words: 1, not: true, parse: parseNumberOf("srhnext", 255), help: "the header behind it", form: numberForm("NUMBER", 255, "")}},
			srhOptions("hdr-len", "length in units of 8 bytes, without the first 8"), srhOptions("segs-left", "segments left"), srhOptions("last-entry", "index of the last segment of the list"),
			[]option{
				{name: "srh-tag", words: 1, not: true, parse: parseSRHTag, help: "tag, as a number of the machine: its low byte is the first one in the packet", form: numberForm("TAG", 65535, "")},
				{name: "srh-psid", words: 1, not: true, parse: parseSID("srhpsid"), help: "the previous segment", form: sidForm},
				{name: "srh-nsid", words: 1, not: true, parse: parseSID("srhnsid"), help: "the next segment", form: sidForm},
				{name: "srh-lsid", words: 1, not: true, parse: parseSID("srhlsid"), help: "the last segment", form: sidForm},
			})},
	{kind: "match", name: "eui64", summary: "the source address is made from the Ethernet address", family: 6, modelled: true, hooks: hookPrerouting | hookInput | hookForward,
		finish: func(p *ruleParser, m *instance) error {
			m.add(rules.In(field("eui64"), rules.Point(1)))
			return nil
		}},
}

var sidForm = Form{Kind: "address", Syntax: "ADDRESS[/MASK]"}

// parseFragLen reads a length that nobody looks at.
func parseFragLen(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 1<<32-1)
	a.writeNumber(n)
	return err
}

// parseFragFlag notes a question about the flags of the fragment header.
func parseFragFlag(f xt.FragmentFlags) func(*argument) error {
	return func(a *argument) error {
		set, _ := a.m.data.(xt.FragmentFlags)
		a.m.data = set | f
		return nil
	}
}

func finishFrag(p *ruleParser, m *instance) error {
	flags, _ := m.data.(xt.FragmentFlags)
	if err := finishHeader("fragid")(p, m); err != nil {
		return err
	}
	if flags != 0 {
		m.addTest(xt.FragmentHeader(flags))
	}
	return nil
}

// maxRoutingAddrs is the number of addresses that the kernel's match holds.
const maxRoutingAddrs = 16

func parseRoutingAddrs(a *argument) error {
	var list []netip.Addr
	for rest, more := a.vals[0].text, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		addr, err := parseAddr(item, 6)
		if err != nil {
			return fmt.Errorf("%q: %w", rules.Excerpt(item), err)
		}
		if len(list) == maxRoutingAddrs {
			return fmt.Errorf("more than %d addresses", maxRoutingAddrs)
		}
		if list != nil {
			a.write(",")
		}
		a.p.scratch = appendAddr(a.p.scratch, addrValue(addr), 6)
		list = append(list, addr)
	}
	a.m.data = list
	return nil
}

const behindType0 = "needs --rt-type 0 in front"

// behindRoutingType is parse for an option that stands behind --rt-type 0.
func behindRoutingType(parse func(*argument) error) func(*argument) error {
	return func(a *argument) error {
		if g := a.m.option("rt-type"); !a.p.f.alone && (g == nil || g.not || string(a.p.scratch[g.from:g.to]) != "0") {
			return a.p.f.errorAt(a.at, "--%s needs --rt-type 0 in front of it", a.opt.name)
		}
		return parse(a)
	}
}

func finishRT(p *ruleParser, m *instance) error {
	if err := finishHeader("rttype")(p, m); err != nil {
		return err
	}
	if m.has("rt-0-res") {
		m.addDropping(xt.RoutingReservedZero())
	}
	if list, ok := m.data.([]netip.Addr); ok {
		m.addTest(xt.RoutingAddrs(list, m.has("rt-0-not-strict")))
	}
	return nil
}

// maxHeaderOptions is the number of options that the kernel's matches hbh and
// dst hold.
const maxHeaderOptions = 16

// optionsMatch returns the match on a header with options.
func optionsMatch(name, summary string, number uint8, broken packet.Broken) module {
	return module{kind: "match", name: name, summary: summary, family: 6, modelled: true, reads: uint32(broken),
		options: []option{
			{name: name + "-len", words: 1, not: true, parse: parseNumberOf(name+"len", 1<<32-1), help: "length of the header", form: numberForm("LENGTH", 1<<32-1, "bytes")},
			{name: name + "-opts", words: 1, parse: parseHeaderOptions(number), help: "types of the first options, in order, with the length of their values",
				form: Form{Kind: "list", Syntax: "TYPE[:LENGTH][,...]", Max: 255, Items: maxHeaderOptions}},
		},
		finish: finishHeader(name + "len")}
}

func parseHeaderOptions(number uint8) func(*argument) error {
	return func(a *argument) error {
		var list []xt.HeaderOption
		for rest, more := a.vals[0].text, true; more; {
			var item string
			item, rest, more = strings.Cut(rest, ",")
			typ, length, hasLength := strings.Cut(item, ":")
			n, err := parseNumber(typ, 255)
			o := xt.HeaderOption{Type: uint8(n), Length: 255}
			if err == nil && hasLength {
				if n == 0 {
					return fmt.Errorf("%q: option 0 (Pad1) has no length", rules.Excerpt(item))
				}
				n, err = parseNumber(length, 255)
				o.Length = uint8(n)
			}
			if err != nil {
				return fmt.Errorf("%q: %w", rules.Excerpt(item), err)
			}
			if len(list) == maxHeaderOptions {
				return fmt.Errorf("more than %d options", maxHeaderOptions)
			}
			if list != nil {
				a.write(",")
			}
			if a.writeNumber(uint64(o.Type)); o.Length != 255 {
				a.write(":")
				a.writeNumber(uint64(o.Length))
			}
			list = append(list, o)
		}
		a.m.addTest(xt.HeaderOptions(number, list))
		return nil
	}
}

// ipv6Headers are the headers that match ipv6header tells apart, in the order
// of print: their bits, the name that is printed, and those that are read.
var ipv6Headers = []struct {
	bit    uint64
	number uint8
	names  []string
}{
	{packet.ExtHop, 0, []string{"hop-by-hop", "hop", "hopopt", "0"}}, {packet.ExtDst, 60, []string{"ipv6-opts", "dst", "60"}},
	{packet.ExtRoute, 43, []string{"ipv6-route", "route", "43"}}, {packet.ExtFrag, 44, []string{"ipv6-frag", "frag", "44"}},
	{packet.ExtAuth, 51, []string{"ah", "auth", "51"}}, {packet.ExtESP, 50, []string{"esp", "50"}},
	{packet.ExtNone, 59, []string{"ipv6-nonxt", "none", "59"}}, {packet.ExtProt, 255, []string{"protocol", "prot", "255"}},
}

func parseHeaders(a *argument) error {
	var set uint64
	for rest, more := a.vals[0].text, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		number, isProto := rules.ProtocolNumber(item)
		bit := uint64(0)
		for _, h := range ipv6Headers {
			if contains(h.names, item) || isProto && h.number == number {
				bit = h.bit
			}
		}
		if bit == 0 {
			return fmt.Errorf("%q is not hop, dst, route, frag, auth, esp, none or prot", rules.Excerpt(item))
		}
		set |= bit
	}
	sep := ""
	for _, h := range ipv6Headers {
		if set&h.bit != 0 {
			a.write(sep + h.names[0])
			sep = ","
		}
	}
	a.m.data = headerSet{set, a.not}
	return nil
}

type headerSet struct {
	set uint64
	not bool
}

// finishHeaders makes the condition. With --soft the kernel negates the
// packet's set, not the answer: then none of the headers may be there.
func finishHeaders(p *ruleParser, m *instance) error {
	h, _ := m.data.(headerSet)
	f, want := field("exthdrs"), h.set
	if m.has("soft") {
		if h.not {
			want = 0
		}
		m.add(rules.Masked(f, rules.U64(want), rules.U64(h.set)))
		return nil
	}
	c := rules.In(f, rules.Point(want))
	if h.not {
		c = c.Negate()
	}
	m.add(c)
	return nil
}

// mhTypes are the types of mobility headers (RFC 6275, 6.1).
var mhTypes = []rules.Symbol{
	{Name: "binding-refresh-request", Value: 0}, {Name: "brr", Value: 0}, {Name: "home-test-init", Value: 1}, {Name: "hoti", Value: 1},
	{Name: "careof-test-init", Value: 2}, {Name: "coti", Value: 2}, {Name: "home-test", Value: 3}, {Name: "hot", Value: 3},
	{Name: "careof-test", Value: 4}, {Name: "cot", Value: 4}, {Name: "binding-update", Value: 5}, {Name: "bu", Value: 5},
	{Name: "binding-acknowledgement", Value: 6}, {Name: "ba", Value: 6}, {Name: "binding-error", Value: 7}, {Name: "be", Value: 7},
}

func mhNames() (names []string) {
	for _, s := range mhTypes {
		names = append(names, s.Name)
	}
	return names
}

func parseMHType(a *argument) error {
	lo, hi, err := parseRange(a.vals[0].text, 255, func(s string) (uint64, error) {
		if s == "" {
			return 0, fmt.Errorf("empty")
		}
		first := -1 // names may be shortened; the first one that fits counts
		for i, t := range mhTypes {
			if strings.EqualFold(t.Name, s) {
				return t.Value, nil
			}
			if first < 0 && len(s) < len(t.Name) && strings.EqualFold(t.Name[:len(s)], s) {
				first = i
			}
		}
		if first >= 0 {
			return mhTypes[first].Value, nil
		}
		return parseSymbol(s, 255, mhTypes)
	})
	if err != nil {
		return err
	}
	if lo == 0 && hi == 255 && !a.not {
		a.silent = true
		return nil
	}
	a.add(rules.In(field("mhtype"), rules.Span(lo, hi)))
	a.p.scratch = appendRange(a.p.scratch, lo, hi)
	return nil
}

// srhData are the numbers that options of match srh compare with: one for
// each field of the header, which options -eq, -gt and -lt of the field share,
// so that the last one given counts for all of them.
type srhData [3]struct {
	name  string
	field int
	value uint64
}

func srhOptions(name, help string) []option {
	list := make([]option, 3)
	for i, how := range [...]string{"eq", "gt", "lt"} {
		list[i] = option{name: "srh-" + name + "-" + how, words: 1, not: true, parse: parseSRHNumber,
			help: help + [...]string{"", ", above the value", ", below the value"}[i], form: numberForm("VALUE", 255, "")}
	}
	return list
}

func parseSRHNumber(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 255)
	if err != nil {
		return err
	}
	d, ok := a.m.data.(*srhData)
	if !ok {
		d = &srhData{{"hdr-len", field("srhlen"), 0}, {"segs-left", field("srhsegs"), 0}, {"last-entry", field("srhlast"), 0}}
		a.m.data = d
	}
	for i := range d {
		if strings.HasPrefix(a.opt.name[len("srh-"):], d[i].name) {
			d[i].value = n
		}
	}
	return nil
}

func finishSRH(p *ruleParser, m *instance) error {
	d, ok := m.data.(*srhData)
	if !ok {
		return finishHeader("srhsegs")(p, m)
	}
	for _, part := range d {
		for _, how := range [...]string{"eq", "gt", "lt"} {
			g := m.option("srh-" + part.name + "-" + how)
			if g == nil {
				continue
			}
			v := part.value
			c := rules.In(part.field, rules.Point(v))
			switch {
			case how == "gt" && v == 255 || how == "lt" && v == 0:
				c = rules.In(part.field)
			case how == "gt":
				c = rules.In(part.field, rules.Span(v+1, 255))
			case how == "lt":
				c = rules.In(part.field, rules.Span(0, v-1))
			}
			if g.not {
				c = c.Negate()
			}
			m.add(c)
			g.from = len(p.scratch)
			p.scratch = appendNumber(p.scratch, v)
			g.to = len(p.scratch)
		}
	}
	return nil
}

// parseSRHTag reads a tag. The tools store it in the byte order of the
// machine, which on a little-endian one is not that of the packet; rules mean
// what they mean there.
func parseSRHTag(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 65535)
	if err != nil {
		return err
	}
	a.add(rules.In(field("srhtag"), rules.Point(n>>8|n&255<<8)))
	a.writeNumber(n)
	return nil
}

// parseSID reads a segment: an address, of which only the bits of the mask
// are compared, and which is printed as it is given.
func parseSID(name string) func(*argument) error {
	f := field(name)
	return func(a *argument) error {
		text, maskText, hasMask := strings.Cut(a.vals[0].text, "/")
		addr, err := parseAddr(text, 6)
		if err != nil {
			return err
		}
		length, mask := 128, rules.Ones(128)
		if hasMask {
			if length, mask, err = parseMask(maskText, 128); err != nil {
				return err
			}
		}
		v := addrValue(addr)
		a.add(rules.Masked(f, v.And(mask), mask))
		a.p.scratch = append(appendAddr(a.p.scratch, v, 6), '/')
		if length >= 0 {
			a.writeNumber(uint64(length))
		} else {
			a.p.scratch = appendAddr(a.p.scratch, mask, 6)
		}
		return nil
	}
}
