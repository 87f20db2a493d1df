package iptables

// Matches on headers of either family, which are compiled into the tree like
// ports are, and on what the system says of the packet in one number
// (processor, device group, realm).

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

var packetMatches = append([]module{
	{kind: "match", name: "esp", summary: "encrypted packets (ESP)", modelled: true, protos: []uint8{protoESP}, reads: uint32(packet.BrokenESP),
		options: []option{{name: "espspi", words: 1, not: true, parse: parseSpan("espspi", 1<<32-1, true),
			help: "security parameter index", form: rangeForm("SPI", 1<<32-1)}},
		finish: finishHeader("espspi")},
	{kind: "match", name: "ah", summary: "authentication header", modelled: true, protos: []uint8{protoAH}, protosFamily: 4, reads: uint32(packet.BrokenAH),
		options: []option{
			{name: "ahspi", words: 1, not: true, parse: parseSpan("ahspi", 1<<32-1, true), help: "security parameter index", form: rangeForm("SPI", 1<<32-1)},
			{name: "ahlen", words: 1, not: true, family: 6, parse: parseAHLen, sample: "24", help: "length of the header", form: numberForm("LENGTH", 1<<32-1, "bytes")},
			{name: "ahres", family: 6, parse: parseAHRes, help: "the reserved field is zero"},
		},
		finish: finishHeader("ahspi")},
	{kind: "match", name: "ipcomp", summary: "compressed packets (IPComp)", modelled: true, protos: []uint8{protoIPComp}, reads: uint32(packet.BrokenIPComp),
		options: []option{
			{name: "ipcompspi", words: 1, not: true, parse: parseSpan("cpi", 1<<32-1, true), help: "compression parameter index; without the option it is 0", form: rangeForm("CPI", 1<<32-1)},
			{name: "compres", parse: noValue, help: "taken for compatibility; the kernel does not look at the reserved field"},
		},
		finish: finishIPComp},
	{kind: "match", name: "tcpmss", summary: "maximum segment size option of TCP", modelled: true, protos: []uint8{protoTCP}, reads: uint32(packet.BrokenMSS),
		options: []option{{name: "mss", words: 1, not: true, required: true, parse: parseMSS, help: "value of the option; packets without it match the negation", form: rangeForm("SIZE", 65535)}}},
	{kind: "match", name: "cpu", summary: "the processor that handles the packet", class: Environment, modelled: true,
		options: []option{{name: "cpu", words: 1, not: true, required: true, parse: parseCPU, help: "number of the processor", form: numberForm("NUMBER", 1<<32-1, "")}}},
	{kind: "match", name: "devgroup", summary: "groups of the packet's interfaces", class: Environment, modelled: true, needs: needAny,
		options: []option{
			{name: "src-group", words: 1, not: true, hooks: hookPrerouting | hookInput | hookForward, parse: parseGroup, help: "group of the interface that it came in by", form: maskedForm("default")},
			{name: "dst-group", words: 1, not: true, hooks: laterHooks, parse: parseGroup, help: "group of the interface that it leaves by", form: maskedForm("default")},
		}},
	{kind: "match", name: "realm", summary: "realm of the packet's route", class: Environment, family: 4, modelled: true, hooks: laterHooks | hookInput,
		options: []option{{name: "realm", words: 1, not: true, required: true, parse: parseRealm, help: "routing realm", form: maskedForm("cosmos")}}},
}, append(packetMatches6, setMatch, addrtypeMatch)...)

// Forms of values.

func numberForm(name string, max uint64, unit string) Form {
	return Form{Kind: "number", Syntax: name, Max: max, Unit: unit}
}

func rangeForm(name string, max uint64) Form {
	return Form{Kind: "range", Syntax: name + "[:" + name + "]", Max: max}
}

func maskedForm(symbols ...string) Form {
	return Form{Kind: "masked", Syntax: "VALUE[/MASK]", Max: 1<<32 - 1, Symbols: symbols}
}

// within returns the condition that a field is in a range of numbers, which
// may be wider than the field is.
func (a *argument) within(f int, lo, hi uint64) rules.Cond {
	full := fieldIn(f, a.p.family())
	max := full.Max()
	if max.Less(rules.U64(lo)) || lo > hi {
		return rules.In(f)
	}
	end := rules.U64(hi)
	if max.Less(end) {
		end = max
	}
	return rules.In(f, rules.Interval{Lo: rules.U64(lo), Hi: end})
}

// parseSpan reads a range of numbers up to max for a field. The full range is
// not printed when mute is set: it asks for the header alone.
func parseSpan(name string, max uint64, mute bool) func(*argument) error {
	f := field(name)
	return func(a *argument) error {
		lo, hi, err := a.readRange(max, func(s string) (uint64, error) { return parseNumber(s, max) })
		if err != nil {
			return err
		}
		if mute && lo == 0 && hi == max && !a.not {
			a.silent = true // only the header, and the module asks for that itself
			return nil
		}
		a.add(a.within(f, lo, hi))
		a.p.scratch = appendRange(a.p.scratch, lo, hi)
		return nil
	}
}

// parseNumberOf reads a number up to max for a field.
func parseNumberOf(name string, max uint64) func(*argument) error {
	f := field(name)
	return func(a *argument) error {
		n, err := parseNumber(a.vals[0].text, max)
		if err != nil {
			return err
		}
		a.add(a.within(f, n, n))
		a.writeNumber(n)
		return nil
	}
}

// finishHeader returns a finish that asks for the header which has the field,
// when no option does.
func finishHeader(name string) func(*ruleParser, *instance) error {
	f := field(name)
	return func(p *ruleParser, m *instance) error {
		if len(m.items) == 0 {
			m.add(present(f, p.family()))
		}
		return nil
	}
}

// parseAHLen reads the length of the authentication header in bytes. The
// kernel takes 0 for "any", negated or not.
func parseAHLen(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 1<<32-1)
	if err != nil {
		return err
	}
	a.writeNumber(n)
	f := field("ahlen")
	switch units := n/4 - 2; {
	case n == 0:
		a.silent = !a.not
	case n%4 != 0 || n < 8 || units > 255:
		a.add(rules.In(f))
	default:
		a.add(rules.In(f, rules.Point(units)))
	}
	return nil
}

func parseAHRes(a *argument) error {
	a.add(rules.In(field("ahres"), rules.Point(0)))
	return nil
}

// finishIPComp asks for the index 0 when no option names one, as the tools do.
func finishIPComp(p *ruleParser, m *instance) error {
	if !m.has("ipcompspi") {
		m.add(rules.In(field("cpi"), rules.Point(0)))
		from := len(p.scratch)
		p.scratch = append(p.scratch, '0')
		m.given = append(m.given, givenOption{opt: m.mod.find("ipcompspi"), from: from, to: len(p.scratch)})
	} else if len(m.items) == 0 { // any index, which only packets with the header have
		m.add(present(field("cpi"), p.family()))
	}
	return nil
}

// parseMSS reads a range of sizes. Packets without the option are outside of
// every range.
func parseMSS(a *argument) error {
	lo, hi, err := parseRange(a.vals[0].text, 65535, func(s string) (uint64, error) { return parseNumber(s, 65535) })
	if err != nil {
		return err
	}
	c := rules.In(field("mss"), rules.Span(lo, hi))
	if a.not {
		c = c.Negate().OrAbsent()
	}
	a.addAsIs(c)
	a.p.scratch = appendRange(a.p.scratch, lo, hi)
	return nil
}

// named reads VALUE, VALUE/MASK or a name, as for groups of interfaces and
// routing realms, of which only those are known here that every system has.
func (a *argument) named(names []rules.Symbol) (v, m uint64, err error) {
	const max = 1<<32 - 1
	if v, m, err = parseMasked(a.vals[0].text, max); err != nil {
		for _, s := range names {
			if s.Name == a.vals[0].text {
				v, m, err = s.Value, max, nil
			}
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("neither VALUE nor VALUE/MASK in 0..%d, nor %s; other names are not looked up", uint64(max), symbolList(names))
	}
	if m == max {
		for _, s := range names {
			if s.Value == v {
				a.write(s.Name)
				return v, m, nil
			}
		}
	}
	a.write(fmt.Sprintf("%#x", v))
	if m != max {
		a.write(fmt.Sprintf("/%#x", m))
	}
	return v, m, nil
}

func parseCPU(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 1<<32-1)
	if err != nil {
		return err
	}
	a.addSupplied(rules.In(field("cpu"), rules.Point(n)), "cpu")
	a.writeNumber(n)
	return nil
}

func parseGroup(a *argument) error {
	v, m, err := a.named([]rules.Symbol{{Name: "default", Value: 0}})
	if err != nil {
		return err
	}
	f := field("ingroup")
	if a.opt.name == "dst-group" {
		f = field("outgroup")
	}
	a.addSupplied(rules.Masked(f, rules.U64(v&m), rules.U64(m)), "devgroup") // bits outside the mask do not count
	return nil
}

func parseRealm(a *argument) error {
	v, m, err := a.named([]rules.Symbol{{Name: "cosmos", Value: 0}})
	if err != nil {
		return err
	}
	a.addSupplied(rules.Masked(field("realm"), rules.U64(v), rules.U64(m)), "realm") // with bits outside the mask, never
	return nil
}

// parseTCPOption reads the kind of an option that the TCP or DCCP header has.
func parseHeaderOption(sets string, broken packet.Broken) func(*argument) error {
	low, high := field(sets+"0"), field(sets+"1")
	return func(a *argument) error {
		n, err := parseNumber(a.vals[0].text, 255)
		if err != nil || n == 0 {
			return fmt.Errorf("not a number in 1..255")
		}
		f, bit := low, rules.U64(1).Shl(int(n&127))
		if n > 127 {
			f = high
		}
		a.writeNumber(n)
		if a.not && broken == packet.BrokenDCCPOptions {
			a.m.addDropping(xt.NoDCCPOption(uint8(n)))
			return nil
		}
		a.add(rules.Masked(f, bit, bit))
		a.m.items[len(a.m.items)-1].reads = uint32(broken)
		return nil
	}
}

// dccpTypes are the packet types of DCCP (RFC 4340, 5.1).
var dccpTypes = []string{"REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK", "INVALID"}

func parseDCCPTypes(a *argument) error {
	var set uint64
next:
	for rest, more := a.vals[0].text, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ",")
		for i, n := range dccpTypes {
			if strings.EqualFold(n, name) {
				set |= 1 << i
				continue next
			}
		}
		return fmt.Errorf("%q is not %s", rules.Excerpt(name), joinNames(dccpTypes))
	}
	var points []rules.Interval
	for i, n := range dccpTypes {
		if set>>i&1 != 0 {
			if points != nil {
				a.write(",")
			}
			a.write(n)
			to := uint64(i)
			if n == "INVALID" {
				to = 15 // all types that are reserved
			}
			points = append(points, rules.Interval{Lo: rules.U64(uint64(i)), Hi: rules.U64(to)})
		}
	}
	a.add(rules.In(field("dccptype"), points...))
	return nil
}
