package iptables

// The matches that are modelled. Each entry names its options in the order in
// which iptables-save prints them. The kernel's test that a condition stands
// for is said where it is not obvious.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

var (
	portForm     = Form{Kind: "range", Syntax: "PORT[:PORT]", Max: 65535}
	portListForm = Form{Kind: "list", Syntax: "PORT[:PORT][,PORT[:PORT]...]", Max: 65535, Items: multiportSlots}
)

// portMatches are the matches that an option behind -p stands for.
var portMatches = []module{
	portMatch("tcp", protoTCP, packet.BrokenTCP, []option{
		{name: "tcp-option", words: 1, not: true, parse: parseHeaderOption("tcpopts", packet.BrokenTCPOptions), help: "kind of an option that the header has",
			form: Form{Kind: "number", Syntax: "KIND", Min: 1, Max: 255}},
		{name: "tcp-flags", words: 2, not: true, parse: parseTCPFlags, excludes: []string{"syn"}, help: "of the flags of MASK, those of SET are set and the others are not",
			form: Form{Kind: "set", Syntax: "MASK SET", Symbols: symbolNames(tcpFlags)}},
		{name: "syn", not: true, parse: parseSyn, excludes: []string{"tcp-flags"}, help: "the packet opens a connection: --tcp-flags FIN,SYN,RST,ACK SYN"},
	}),
	portMatch("udp", protoUDP, packet.BrokenUDP, nil),
	portMatch("udplite", protoUDPLite, packet.BrokenUDP, nil),
	portMatch("dccp", protoDCCP, packet.BrokenDCCP, []option{
		{name: "dccp-types", words: 1, not: true, parse: parseDCCPTypes, help: "types of the packet", form: Form{Kind: "set", Syntax: "TYPE[,TYPE...]", Symbols: dccpTypes}},
		{name: "dccp-option", words: 1, not: true, parse: parseHeaderOption("dccpopts", packet.BrokenDCCPOptions), help: "kind of an option that the header has",
			form: Form{Kind: "number", Syntax: "KIND", Min: 1, Max: 255}},
	}),
	portMatch("sctp", protoSCTP, packet.BrokenSCTP, []option{{name: "chunk-types", words: 2, not: true, parse: parseChunkTypes,
		help: "the chunks that it has: any or all of those listed, or only those; letters behind a colon are flags, capital ones set",
		form: Form{Kind: "set", Syntax: "any|all|only TYPE[:FLAGS],...", Symbols: append([]string{"ALL", "NONE"}, chunkNames...)}}}),
	{kind: "match", name: "multiport", summary: "sets of ports", modelled: true, needs: needOne, reads: uint32(packet.BrokenPorts),
		protos: []uint8{protoTCP, protoUDP, protoUDPLite, protoDCCP, protoSCTP},
		options: []option{
			{name: "sports", aliases: []string{"source-ports"}, words: 1, not: true, parse: parsePortList, help: "source ports", form: portListForm},
			{name: "dports", aliases: []string{"destination-ports"}, words: 1, not: true, parse: parsePortList, help: "destination ports", form: portListForm},
			{name: "ports", aliases: []string{"port"}, words: 1, not: true, parse: parsePortList, help: "ports, one of which is the source or the destination port", form: portListForm},
		}},
}

func portMatch(name string, proto uint8, broken packet.Broken, more []option) module {
	return module{kind: "match", name: name, summary: "ports of " + name, modelled: true, protos: []uint8{proto}, reads: uint32(broken),
		options: append([]option{
			{name: "sport", aliases: []string{"source-port"}, words: 1, not: true, parse: parsePorts, help: "source port or ports; an end left out is the lowest or highest", form: portForm},
			{name: "dport", aliases: []string{"destination-port"}, words: 1, not: true, parse: parsePorts, help: "destination port or ports; an end left out is the lowest or highest", form: portForm},
		}, more...),
		finish: func(p *ruleParser, m *instance) error {
			if len(m.items) == 0 { // the match reads the header even when it asks for nothing
				m.add(present(fieldSport, p.family()))
			}
			// What reads more of the header is asked for last, as the kernel does.
			slices.SortStableFunc(m.items, func(a, b item) int {
				return cmp.Compare(min(a.reads, 1), min(b.reads, 1))
			})
			slices.SortStableFunc(m.items, func(a, b item) int {
				if a.drops == b.drops {
					return 0
				} else if b.drops {
					return -1
				}
				return 1
			})
			return nil
		}}
}

var matches = []module{
	{kind: "match", name: "icmp", summary: "ICMP types", family: 4, protos: []uint8{protoICMP}, modelled: true, reads: uint32(packet.BrokenICMP),
		options: []option{{name: "icmp-type", words: 1, not: true, required: true, parse: parseICMP, sample: "3/1", help: "type, or type and code, by number or name",
			form: Form{Kind: "enum", Syntax: "TYPE[/CODE]|NAME", Max: 255, Symbols: append(icmpTypeNames(icmpNames), "any")}}}},
	{kind: "match", name: "icmp6", aliases: []string{"icmpv6"}, summary: "ICMPv6 types", family: 6, protos: []uint8{protoICMPv6}, modelled: true, reads: uint32(packet.BrokenICMP),
		options: []option{{name: "icmpv6-type", aliases: []string{"icmp6-type"}, words: 1, not: true, required: true, parse: parseICMP, sample: "3/1", help: "type, or type and code, by number or name",
			form: Form{Kind: "enum", Syntax: "TYPE[/CODE]|NAME", Max: 255, Symbols: icmpTypeNames(icmp6Names)}}}},
	{kind: "match", name: "iprange", summary: "ranges of addresses", modelled: true, needs: needAny, options: []option{
		{name: "src-range", words: 1, not: true, parse: parseIPRange, help: "range of source addresses", form: Form{Kind: "address", Syntax: "ADDR[-ADDR]", Reversed: true}},
		{name: "dst-range", words: 1, not: true, parse: parseIPRange, help: "range of destination addresses", form: Form{Kind: "address", Syntax: "ADDR[-ADDR]", Reversed: true}},
	}},
	{kind: "match", name: "mark", summary: "the packet's mark", modelled: true, without: "the mark is 0",
		options: []option{{name: "mark", words: 1, not: true, required: true, parse: parseMark, help: "value of the mark, of the bits of MASK", form: Form{Kind: "masked", Syntax: "VALUE[/MASK]", Max: 1<<32 - 1}}}},
	{kind: "match", name: "mac", summary: "the Ethernet source", modelled: true, hooks: hookPrerouting | hookInput | hookForward,
		options: []option{{name: "mac-source", words: 1, not: true, required: true, parse: parseMACSource, help: "source address of the Ethernet frame", form: Form{Kind: "address", Syntax: "XX:XX:XX:XX:XX:XX"}}}},
	{kind: "match", name: "tos", summary: "the TOS or traffic class byte", modelled: true,
		options: []option{{name: "tos", words: 1, not: true, required: true, parse: parseTOS, help: "value of the byte, of the bits of MASK; names leave out the two lowest",
			form: Form{Kind: "masked", Syntax: "VALUE[/MASK]|NAME", Max: 255, Symbols: symbolNames(tosNames)}}}},
	{kind: "match", name: "dscp", summary: "the upper six bits of TOS", modelled: true, needs: needOne, options: []option{
		{name: "dscp", words: 1, not: true, parse: parseDSCP, help: "value", form: Form{Kind: "number", Syntax: "VALUE", Max: 63}},
		{name: "dscp-class", words: 1, not: true, parse: parseDSCPClass, help: "value, by the name of its class", form: Form{Kind: "enum", Syntax: "CLASS", Symbols: dscpClassNames}},
	}},
	{kind: "match", name: "ecn", summary: "explicit congestion notification", modelled: true, needs: needAny, options: []option{
		{name: "ecn-tcp-ece", not: true, protos: []uint8{protoTCP}, parse: noValue, help: "the flag ECE of TCP"},
		{name: "ecn-tcp-cwr", not: true, protos: []uint8{protoTCP}, parse: noValue, help: "the flag CWR of TCP"},
		{name: "ecn-ip-ect", words: 1, not: true, parse: parseECN, help: "the two lowest bits of TOS", form: Form{Kind: "number", Syntax: "VALUE", Max: 3}},
	}, finish: finishECN},
	{kind: "match", name: "ttl", summary: "time to live", family: 4, modelled: true, needs: needOne, options: ttlOptions("ttl")},
	{kind: "match", name: "hl", summary: "hop limit", family: 6, modelled: true, needs: needOne, options: ttlOptions("hl")},
	{kind: "match", name: "length", summary: "the packet's length in bytes", modelled: true,
		options: []option{{name: "length", words: 1, not: true, required: true, parse: parseLength, help: "length or lengths, the IP header included",
			form: Form{Kind: "range", Syntax: "LENGTH[:LENGTH]", Max: 65535, Unit: "bytes"}}}},
	{kind: "match", name: "pkttype", summary: "the kind of link-layer destination", modelled: true,
		options: []option{{name: "pkt-type", words: 1, not: true, required: true, parse: parsePktType, help: "for this host, for all, for a group, or for another host",
			form: Form{Kind: "enum", Syntax: "TYPE", Symbols: symbolNames(pktTypes)}}}},
	{kind: "match", name: "comment", summary: "a remark without effect", modelled: true,
		options: []option{{name: "comment", words: 1, required: true, parse: parseComment, help: "the remark", form: Form{Kind: "text", Syntax: "TEXT", MaxLen: maxComment}}}},
}

func fieldOf(opt, source string, src, dst int) int {
	if opt == source {
		return src
	}
	return dst
}

func parsePorts(a *argument) error {
	field := fieldOf(a.opt.name, "sport", fieldSport, fieldDport)
	one := parsePort
	if n := a.m.mod.name; n != "tcp" && n != "sctp" {
		one = parseDecimalPort
	}
	lo, hi, err := a.readRange(65535, one)
	if err != nil {
		return err
	}
	optional := a.m.mod.name != "sctp" && a.m.mod.name != "dccp" // these are printed as they are given
	if lo == 0 && hi == 65535 && !a.not && optional {
		a.silent = true // only the header, and the module asks for that itself
		return nil
	}
	a.add(spanOf(field, lo, hi))
	a.p.scratch = appendRange(a.p.scratch, lo, hi)
	return nil
}

// multiportSlots is how many ports the kernel's multiport match holds; a range
// takes two.
const multiportSlots = 15

func parsePortList(a *argument) error {
	var intervals []rules.Interval
	slots := 0
	for rest, more := a.vals[0].text, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		from, to, isRange := strings.Cut(item, ":")
		lo, err := parsePort(from)
		if err != nil {
			return fmt.Errorf("%q: %w", rules.Excerpt(item), err)
		}
		hi := lo
		if slots++; isRange {
			slots++
			if hi, err = parsePort(to); err != nil {
				return fmt.Errorf("%q: %w", rules.Excerpt(item), err)
			}
			if lo >= hi {
				return fmt.Errorf("%q: a range of multiport needs its first port below its last", rules.Excerpt(item))
			}
		}
		if slots > multiportSlots {
			return fmt.Errorf("more than %d ports (a range counts as two)", multiportSlots)
		}
		if intervals != nil {
			a.write(",")
		}
		a.p.scratch = appendRange(a.p.scratch, lo, hi)
		intervals = append(intervals, rules.Span(lo, hi))
	}
	sport, dport := rules.In(fieldSport, intervals...), rules.In(fieldDport, intervals...)
	switch {
	case a.opt.name == "sports":
		a.add(sport)
	case a.opt.name == "dports":
		a.add(dport)
	case a.not:
		a.add(sport)
		a.add(dport)
	default:
		a.addEither([]rules.Cond{sport}, []rules.Cond{sport.Negate(), dport})
	}
	return nil
}

// tcpFlags are the flags that have names in rules, in the order of print.
var tcpFlags = []rules.Symbol{
	{Name: "FIN", Value: 1}, {Name: "SYN", Value: 2}, {Name: "RST", Value: 4}, {Name: "PSH", Value: 8},
	{Name: "ACK", Value: 16}, {Name: "URG", Value: 32}, {Name: "ALL", Value: 63}, {Name: "NONE", Value: 0}}

func parseTCPFlags(a *argument) error {
	if a.m.has("syn") {
		return fmt.Errorf("--syn is --tcp-flags: only one of them")
	}
	mask, err := parseSet(a.vals[0].text, tcpFlags)
	if err != nil {
		return err
	}
	want, err := parseSet(a.vals[1].text, tcpFlags)
	if err != nil {
		return err
	}
	a.tcpFlags(want, mask)
	return nil
}

func parseSyn(a *argument) error {
	if a.m.has("tcp-flags") {
		return fmt.Errorf("--syn is --tcp-flags: only one of them")
	}
	a.printAs = "tcp-flags"
	a.tcpFlags(2, 1|2|4|16)
	return nil
}

func (a *argument) tcpFlags(want, mask uint64) {
	a.add(rules.Masked(fieldTCPFlags, rules.U64(want), rules.U64(mask)))
	a.p.scratch = appendSet(a.p.scratch, mask, tcpFlags)
	a.write(" ")
	a.p.scratch = appendSet(a.p.scratch, want, tcpFlags)
}

// anyICMP is the type that stands for all of ICMP's.
const anyICMP = 255

func parseICMP(a *argument) error {
	names := icmpNames
	if a.m.mod.family == 6 {
		names = icmp6Names
	}
	typ, code, hasCode, err := parseICMPType(a.vals[0].text, names, a.m.mod.family == 4)
	if err != nil {
		return err
	}
	isType := rules.In(fieldICMPType, rules.Point(typ))
	switch isCode := rules.In(fieldICMPCode, rules.Point(code)); {
	case typ == anyICMP && a.m.mod.family == 4:
		a.add(present(fieldICMPType, 4))
		if !hasCode {
			a.write("any")
			return nil
		}
	case !hasCode:
		a.add(isType)
	case a.not:
		a.addEither([]rules.Cond{isType.Negate()}, []rules.Cond{isType, isCode.Negate()})
	default:
		a.addAsIs(isType)
		a.addAsIs(isCode)
	}
	a.writeNumber(typ)
	if hasCode {
		a.write("/")
		a.writeNumber(code)
	}
	return nil
}

func parseICMPType(s string, names map[string][2]int, any bool) (typ, code uint64, hasCode bool, err error) {
	if n, ok := names[strings.ToLower(s)]; ok {
		return uint64(n[0]), uint64(max(n[1], 0)), n[1] >= 0, nil
	}
	if any && strings.EqualFold(s, "any") {
		return anyICMP, 0, false, nil
	}
	if s != "" && (s[0] < '0' || s[0] > '9') {
		var found []string // names may be shortened
		for n := range names {
			if strings.HasPrefix(n, strings.ToLower(s)) {
				found = append(found, n)
			}
		}
		slices.Sort(found)
		switch len(found) {
		case 0:
		case 1:
			n := names[found[0]]
			return uint64(n[0]), uint64(max(n[1], 0)), n[1] >= 0, nil
		default:
			return 0, 0, false, fmt.Errorf("may be %s", joinNames(found))
		}
	}
	t, c, hasCode := strings.Cut(s, "/")
	if typ, err = parseNumber(t, 255); err != nil {
		return 0, 0, false, fmt.Errorf("neither a known ICMP type's name nor TYPE or TYPE/CODE in 0..255")
	}
	if hasCode {
		if code, err = parseNumber(c, 255); err != nil {
			return 0, 0, false, fmt.Errorf("ICMP code: %w", err)
		}
	}
	return typ, code, hasCode, nil
}

func parseIPRange(a *argument) error {
	field := fieldOf(a.opt.name, "src-range", fieldSrc, fieldDst)
	lo, hi, err := parseAddrRange(a.vals[0].text, a.p.family())
	if err != nil {
		return err
	}
	if hi.Less(lo) {
		a.add(rules.In(field))
	} else {
		a.add(rules.In(field, rules.Interval{Lo: lo, Hi: hi}))
	}
	a.p.scratch = append(appendAddr(a.p.scratch, lo, a.p.family()), '-')
	a.p.scratch = appendAddr(a.p.scratch, hi, a.p.family())
	return nil
}

func parseMark(a *argument) error {
	v, m, err := parseMasked(a.vals[0].text, 1<<32-1)
	if err != nil {
		return err
	}
	a.add(rules.Masked(fieldMark, rules.U64(v), rules.U64(m)))
	if a.write(fmt.Sprintf("%#x", v)); m != 1<<32-1 {
		a.write(fmt.Sprintf("/%#x", m))
	}
	return nil
}

var macField = rules.Field{Name: "smac", Bits: 48, Kind: rules.MAC}

func parseMACSource(a *argument) error {
	x, err := parseMAC(a.vals[0].text)
	if err != nil {
		return err
	}
	a.add(rules.In(fieldSMAC, rules.Point(x)))
	a.write(macField.FormatValue(rules.U64(x)))
	return nil
}

var tosNames = []rules.Symbol{{Name: "Minimize-Delay", Value: 0x10}, {Name: "Maximize-Throughput", Value: 8},
	{Name: "Maximize-Reliability", Value: 4}, {Name: "Minimize-Cost", Value: 2}, {Name: "Normal-Service", Value: 0}}

func parseTOS(a *argument) error {
	v, m, err := parseMasked(a.vals[0].text, 255)
	if err != nil {
		if v, err = parseSymbol(a.vals[0].text, 255, tosNames); err != nil {
			return fmt.Errorf("not VALUE or VALUE/MASK in 0..255, or %s", symbolList(tosNames))
		}
		m = 0x3f
	}
	// One byte here, two fields in the key: dscp above, ecn below. What two fields
	// cannot say in one rule is asked of the whole byte: of two rules, the second
	// would see what the first one's target made of it.
	dscp := rules.Masked(fieldDSCP, rules.U64(v>>2), rules.U64(m>>2))
	ecn := rules.Masked(fieldECN, rules.U64(v&3), rules.U64(m&3))
	switch {
	case v&3 == 0 && m&3 == 0:
		a.add(dscp)
	case v>>2 == 0 && m>>2 == 0:
		a.add(ecn)
	case a.not:
		a.add(rules.Masked(fieldTOS, rules.U64(v), rules.U64(m)))
	default:
		a.addAsIs(dscp)
		a.addAsIs(ecn)
	}
	a.write(fmt.Sprintf("0x%02x/0x%02x", v, m))
	return nil
}

func parseDSCP(a *argument) error {
	v, err := parseNumber(a.vals[0].text, 63)
	if err != nil {
		return err
	}
	a.dscp(v)
	return nil
}

func parseDSCPClass(a *argument) error {
	v, ok := dscpClass(a.vals[0].text)
	if !ok {
		return fmt.Errorf("not BE, EF, CS0..CS7 or AF11..AF43")
	}
	a.printAs = "dscp"
	a.dscp(v)
	return nil
}

// dscpClass returns the code point of a class, in any case.
func dscpClass(s string) (uint64, bool) {
	s = strings.ToUpper(s)
	switch digit := func(i int) uint64 { return uint64(s[i] - '0') }; {
	case s == "BE":
		return 0, true
	case s == "EF":
		return 46, true
	case len(s) == 3 && s[:2] == "CS" && s[2] >= '0' && s[2] <= '7':
		return digit(2) << 3, true
	case len(s) == 4 && s[:2] == "AF" && s[2] >= '1' && s[2] <= '4' && s[3] >= '1' && s[3] <= '3':
		return digit(2)<<3 | digit(3)<<1, true
	}
	return 0, false
}

func (a *argument) dscp(v uint64) {
	a.add(rules.In(fieldDSCP, rules.Point(v)))
	a.write(fmt.Sprintf("0x%02x", v))
}

func parseECN(a *argument) error {
	v, err := parseNumber(a.vals[0].text, 3)
	if err != nil {
		return err
	}
	a.add(rules.In(fieldECN, rules.Point(v)))
	a.writeNumber(v)
	return nil
}

// finishECN asks for the flags in one order, whatever that of the options.
// Unlike match tcp, the kernel does not care for fragments here.
func finishECN(_ *ruleParser, m *instance) error {
	for _, flag := range []struct {
		option string
		bit    uint64
	}{{"ecn-tcp-ece", 64}, {"ecn-tcp-cwr", 128}} {
		g := m.option(flag.option)
		if g == nil {
			continue
		}
		c := rules.Masked(field("ecnflags"), rules.U64(flag.bit), rules.U64(flag.bit))
		if g.not {
			c = c.Negate()
		}
		m.add(c)
	}
	return nil
}

func ttlOptions(name string) []option {
	form := Form{Kind: "number", Syntax: "VALUE", Max: 255}
	return []option{
		{name: name + "-eq", aliases: []string{name}, words: 1, not: true, parse: parseTTL, help: "equal to the value", form: form},
		{name: name + "-lt", words: 1, parse: parseTTL, help: "less than the value", form: form},
		{name: name + "-gt", words: 1, parse: parseTTL, help: "greater than the value", form: form},
	}
}

// icmpTypeNames returns the names in order.
func icmpTypeNames(names map[string][2]int) []string { return slices.Sorted(maps.Keys(names)) }

func parseTTL(a *argument) error {
	v, err := parseNumber(a.vals[0].text, 255)
	if err != nil {
		return err
	}
	lo, hi := int(v), int(v)
	switch {
	case strings.HasSuffix(a.opt.name, "-lt"):
		lo, hi = 0, int(v)-1
	case strings.HasSuffix(a.opt.name, "-gt"):
		lo, hi = int(v)+1, 255
	}
	if lo > hi {
		a.add(rules.In(fieldTTL))
	} else {
		a.add(rules.In(fieldTTL, rules.Span(uint64(lo), uint64(hi))))
	}
	a.writeNumber(v)
	return nil
}

func parseLength(a *argument) error {
	lo, hi, err := a.readRange(65535, func(s string) (uint64, error) { return parseNumber(s, 65535) })
	if err != nil {
		return err
	}
	c := spanOf(fieldLength, lo, hi)
	if a.not {
		// The lengths of IPv6 go beyond what the field holds.
		if c = c.Negate(); a.p.family() == 6 {
			c = c.OrAbsent()
		}
	}
	a.addAsIs(c)
	a.p.scratch = appendRange(a.p.scratch, lo, hi)
	return nil
}

var pktTypes = append(append([]rules.Symbol{}, rules.PacketTypes...),
	rules.Symbol{Name: "otherhost", Value: 3},
	rules.Symbol{Name: "host", Value: 0}, rules.Symbol{Name: "bcast", Value: 1}, rules.Symbol{Name: "mcast", Value: 2})

func parsePktType(a *argument) error {
	for _, s := range pktTypes {
		if strings.EqualFold(s.Name, a.vals[0].text) {
			a.add(rules.In(fieldPktType, rules.Point(s.Value)))
			a.write(pktTypes[s.Value].Name)
			return nil
		}
	}
	return fmt.Errorf("not %s", symbolList(pktTypes[:4]))
}

// maxComment is the longest comment in bytes.
const maxComment = 255

func parseComment(a *argument) error {
	s := a.vals[0].text
	if len(s) > maxComment {
		return fmt.Errorf("comment is longer than %d bytes", maxComment)
	}
	if a.p.comment != "" {
		a.p.comment += " "
	}
	a.p.comment += s
	a.writeQuoted(s)
	return nil
}

// icmpNames are ICMP types and codes by name (RFC 792, RFC 1812; -1: any
// code). Types that both families have stand in both tables.
var icmpNames = map[string][2]int{
	"echo-reply": {0, -1}, "pong": {0, -1}, "destination-unreachable": {3, -1},
	"network-unreachable": {3, 0}, "host-unreachable": {3, 1}, "protocol-unreachable": {3, 2}, "port-unreachable": {3, 3},
	"fragmentation-needed": {3, 4}, "source-route-failed": {3, 5}, "network-unknown": {3, 6}, "host-unknown": {3, 7},
	"network-prohibited": {3, 9}, "host-prohibited": {3, 10}, "tos-network-unreachable": {3, 11}, "tos-host-unreachable": {3, 12},
	"communication-prohibited": {3, 13}, "host-precedence-violation": {3, 14}, "precedence-cutoff": {3, 15},
	"source-quench": {4, -1}, "redirect": {5, -1}, "network-redirect": {5, 0}, "host-redirect": {5, 1},
	"tos-network-redirect": {5, 2}, "tos-host-redirect": {5, 3}, "echo-request": {8, -1}, "ping": {8, -1},
	"router-advertisement": {9, -1}, "router-solicitation": {10, -1}, "time-exceeded": {11, -1}, "ttl-exceeded": {11, -1},
	"ttl-zero-during-transit": {11, 0}, "ttl-zero-during-reassembly": {11, 1}, "parameter-problem": {12, -1},
	"ip-header-bad": {12, 0}, "required-option-missing": {12, 1}, "timestamp-request": {13, -1}, "timestamp-reply": {14, -1},
	"address-mask-request": {17, -1}, "address-mask-reply": {18, -1},
}

// icmp6Names are those of ICMPv6 (RFC 4443, RFC 4861, RFC 2710).
var icmp6Names = map[string][2]int{
	"destination-unreachable": {1, -1}, "no-route": {1, 0}, "communication-prohibited": {1, 1}, "beyond-scope": {1, 2},
	"address-unreachable": {1, 3}, "port-unreachable": {1, 4}, "failed-policy": {1, 5}, "reject-route": {1, 6},
	"packet-too-big": {2, -1}, "time-exceeded": {3, -1}, "ttl-exceeded": {3, -1}, "ttl-zero-during-transit": {3, 0},
	"ttl-zero-during-reassembly": {3, 1}, "parameter-problem": {4, -1}, "bad-header": {4, 0}, "unknown-header-type": {4, 1},
	"unknown-option": {4, 2}, "echo-request": {128, -1}, "ping": {128, -1}, "echo-reply": {129, -1}, "pong": {129, -1},
	"mld-listener-query": {130, -1}, "mld-listener-report": {131, -1}, "mld-listener-done": {132, -1}, "mld-listener-reduction": {132, -1},
	"router-solicitation": {133, -1}, "router-advertisement": {134, -1}, "neighbour-solicitation": {135, -1}, "neighbor-solicitation": {135, -1},
	"neighbour-advertisement": {136, -1}, "neighbor-advertisement": {136, -1}, "redirect": {137, -1},
}
