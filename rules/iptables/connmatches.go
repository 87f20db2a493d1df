package iptables

// Matches on the packet's connection: its state, mark, labels, helper,
// addresses, as conditions on fields that packets without a connection do not
// have; and what it has transferred, how many there are of its kind, and which
// node of a cluster it belongs to.

import (
	"fmt"
	"math"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

var (
	addressForm = Form{Kind: "masked", Syntax: "ADDRESS[/MASK]"}
	ctPortForm  = Form{Kind: "range", Syntax: "PORT[:PORT]", Max: 65535}
)

const holdsNegated = "it does not hold, and negated it holds"

var connMatches = []module{
	{kind: "match", name: "state", summary: "the state of the packet's connection", modelled: true,
		options: []option{{name: "state", words: 1, not: true, required: true, parse: parseState, help: "states, of which it has one",
			form: Form{Kind: "set", Syntax: "STATE[,STATE...]", Symbols: symbolNames(ctStates[:5])}}}},
	{kind: "match", name: "conntrack", summary: "the packet's connection", modelled: true, needs: needAny, finish: finishConntrack, options: []option{
		{name: "ctstate", words: 1, not: true, parse: parseState, help: "states, of which it has one",
			form: Form{Kind: "set", Syntax: "STATE[,STATE...]", Symbols: symbolNames(ctStates)}},
		{name: "ctproto", words: 1, not: true, parse: parseCTProto, help: "its IP protocol", form: Form{Kind: "number", Syntax: "PROTOCOL", Min: 1, Max: 255}},
		{name: "ctorigsrc", words: 1, not: true, parse: parseCTAddress, help: "its source in the original direction", form: addressForm},
		{name: "ctorigdst", words: 1, not: true, parse: parseCTAddress, help: "its destination in the original direction", form: addressForm},
		{name: "ctreplsrc", words: 1, not: true, parse: parseCTAddress, help: "the source of replies", form: addressForm},
		{name: "ctrepldst", words: 1, not: true, parse: parseCTAddress, help: "the destination of replies", form: addressForm},
		{name: "ctorigsrcport", words: 1, not: true, parse: parseCTPort, help: "its source port in the original direction", form: ctPortForm},
		{name: "ctorigdstport", words: 1, not: true, parse: parseCTPort, help: "its destination port in the original direction", form: ctPortForm},
		{name: "ctreplsrcport", words: 1, not: true, parse: parseCTPort, help: "the source port of replies", form: ctPortForm},
		{name: "ctrepldstport", words: 1, not: true, parse: parseCTPort, help: "the destination port of replies", form: ctPortForm},
		{name: "ctstatus", words: 1, not: true, parse: parseCTStatus, help: "marks of its entry, of which it has one; NONE never holds",
			form: Form{Kind: "set", Syntax: "STATUS[,STATUS...]", Symbols: symbolNames(ctStatuses)}},
		{name: "ctexpire", words: 1, not: true, parse: parseCTExpire, help: "how long its entry has left",
			form: Form{Kind: "range", Syntax: "N[:N]", Max: math.MaxUint32, Unit: "seconds"}},
		{name: "ctdir", words: 1, parse: parseCTDir, help: "the packet's direction", form: Form{Kind: "enum", Symbols: []string{"ORIGINAL", "REPLY"}}},
	}},
	{kind: "match", name: "connmark", summary: "the connection's mark", modelled: true, options: []option{
		{name: "mark", words: 1, not: true, required: true, parse: parseConnMark, help: "value, and the bits that count",
			form: Form{Kind: "masked", Syntax: "VALUE[/MASK]", Max: math.MaxUint32}}}},
	{kind: "match", name: "helper", summary: "the helper that expected the connection", modelled: true, without: holdsNegated, options: []option{
		{name: "helper", words: 1, not: true, required: true, parse: parseHelper, help: "its name, which may go on (\"ftp-2121\"); empty: any helper",
			form: Form{Kind: "text", Syntax: "NAME", MaxLen: maxHelper}}}},
	{kind: "match", name: "connlabel", summary: "labels of the connection", modelled: true, without: holdsNegated, finish: finishConnLabel, options: []option{
		{name: "label", words: 1, not: true, required: true, parse: parseConnLabel, help: "number or name of a label",
			form: Form{Kind: "number", Syntax: "N|NAME", Max: 127}},
		{name: "set", parse: noValue, help: "give the connection the label"}}},
	{kind: "match", name: "connbytes", summary: "what the connection has transferred", class: Stateful, modelled: true, finish: finishConnBytes, options: []option{
		{name: "connbytes", words: 1, not: true, required: true, parse: parseConnBytes, help: "at least, and at most, so much of what --connbytes-mode counts: packets, bytes, or bytes a packet",
			form: Form{Kind: "range", Syntax: "FROM[:TO]", Max: math.MaxUint64}},
		{name: "connbytes-mode", words: 1, required: true, parse: exactly("packets", "bytes", "avgpkt"), help: "what is counted",
			form: Form{Kind: "enum", Symbols: []string{"packets", "bytes", "avgpkt"}}},
		{name: "connbytes-dir", words: 1, required: true, parse: exactly("original", "reply", "both"), help: "in which direction",
			form: Form{Kind: "enum", Symbols: []string{"original", "reply", "both"}}}}},
	{kind: "match", name: "connlimit", summary: "how many connections an address has", class: Stateful, modelled: true, finish: finishConnLimit,
		oneOf: [][]string{{"connlimit-upto", "connlimit-above"}}, options: []option{
			{name: "connlimit-upto", words: 1, not: true, parse: number(0, math.MaxUint32, -1), help: "no more than so many",
				form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint32}},
			{name: "connlimit-above", words: 1, not: true, parse: number(0, math.MaxUint32, -1), help: "more than so many",
				form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint32}},
			{name: "connlimit-mask", words: 1, parse: parseConnLimitMask, help: "addresses that are counted together",
				form: Form{Kind: "prefix", Syntax: "LENGTH|MASK", Default: "a single address"}},
			{name: "connlimit-saddr", excludes: []string{"connlimit-daddr"}, parse: noValue, help: "count by the source (the default)"},
			{name: "connlimit-daddr", parse: noValue, help: "count by the destination"}}},
	{kind: "match", name: "cluster", summary: "the node of a cluster that a connection belongs to", class: Stateful, modelled: true, finish: finishCluster,
		oneOf: [][]string{{"cluster-local-node", "cluster-local-nodemask"}}, options: []option{
			{name: "cluster-local-nodemask", words: 1, notes: []string{"no node above --cluster-total-nodes"}, not: true, parse: parseNodeMask, help: "nodes that are meant, as bits, node 1 the lowest",
				form: Form{Kind: "number", Syntax: "MASK", Min: 1, Max: math.MaxUint32}},
			{name: "cluster-local-node", words: 1, notes: []string{"not above --cluster-total-nodes"}, not: true, parse: number(1, 32, -1), help: "the node that is meant", form: Form{Kind: "number", Syntax: "N", Min: 1, Max: 32}},
			{name: "cluster-total-nodes", words: 1, required: true, parse: number(1, 32, -1), help: "how many there are", form: Form{Kind: "number", Syntax: "N", Min: 1, Max: 32}},
			{name: "cluster-hash-seed", words: 1, required: true, parse: parseSeed, help: "what the hash begins with, the same on all nodes",
				form: Form{Kind: "number", Syntax: "N", Max: math.MaxUint32}}}},
}

var (
	fieldCTMark   = field("ctmark")
	fieldCTStatus = field("ctstatus")
	fieldCTDir    = field("ctdir")
	fieldCTProto  = field("ctproto")
	fieldCTExpire = field("ctexpire")
	fieldCTLabels = field("ctlabels")
	fieldCTHelper = field("cthelper")
)

// ctStates are in the order of print; the state match knows the first five.
var ctStates = func() (list []rules.Symbol) {
	for _, name := range []string{"INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT"} {
		for _, s := range rules.CTStates {
			if s.Name == name {
				list = append(list, s)
			}
		}
	}
	return list
}()

// withoutEntry are the states of packets that have no connection.
var withoutEntry = ctStates[0].Value | ctStates[4].Value

// anyBit returns the condition that one of the bits is set.
func anyBit(field int, bits uint64) rules.Cond {
	return rules.Masked(field, rules.Value{}, rules.U64(bits)).Negate()
}

func parseState(a *argument) error {
	known := ctStates
	if a.opt.name == "state" {
		known = known[:5]
	}
	x, err := parseSetOf(a.vals[0].text, known, begins)
	if err != nil {
		return err
	}
	a.add(anyBit(fieldCTState, x))
	a.p.scratch = appendSet(a.p.scratch, x, known)
	return nil
}

func parseCTProto(a *argument) error {
	n, err := parseProto(a.vals[0].text)
	if err == nil && n == 0 {
		err = fmt.Errorf("no connection has the protocol 0")
	}
	if err != nil {
		return err
	}
	a.add(rules.In(fieldCTProto, rules.Point(uint64(n))))
	a.writeNumber(uint64(n))
	return nil
}

func parseCTAddress(a *argument) error {
	text, maskText, hasMask := strings.Cut(a.vals[0].text, "/")
	ip, err := parseHost(text, a.p.family())
	if err != nil {
		return err
	}
	length, mask := ip.BitLen(), rules.Ones(ip.BitLen())
	if hasMask {
		if length, mask, err = parseMask(maskText, ip.BitLen()); err != nil {
			return err
		}
	}
	v := addrValue(ip)
	a.add(rules.Masked(field(a.opt.name), v.And(mask), mask))
	a.p.scratch = appendAddr(a.p.scratch, v, a.p.family())
	if length < 0 {
		a.write("/")
		a.p.scratch = appendAddr(a.p.scratch, mask, a.p.family())
	} else if length < ip.BitLen() {
		a.write("/")
		a.writeNumber(uint64(length))
	}
	return nil
}

func parseCTPort(a *argument) error {
	lo, hi, err := a.readRange(65535, parseDecimalPort)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(a.opt.name, "port") // ctorigsrc; its port is ctorigsport
	a.add(spanOf(field(name[:len(name)-2]+"port"), lo, hi))
	a.p.scratch = appendRange(a.p.scratch, lo, hi)
	return nil
}

// ctStatuses are in the order of print.
var ctStatuses = append(append([]rules.Symbol{}, packet.CTStatuses...), rules.Symbol{Name: "NONE"})

func parseCTStatus(a *argument) error {
	x, err := parseSetOf(a.vals[0].text, ctStatuses, begins)
	if err != nil {
		return err
	}
	a.add(anyBit(fieldCTStatus, x))
	a.p.scratch = appendSet(a.p.scratch, x, ctStatuses)
	return nil
}

func parseCTExpire(a *argument) error {
	lo, hi, err := a.readRange(math.MaxUint32, func(s string) (uint64, error) { return parseNumber(s, math.MaxUint32) })
	if err != nil {
		return err
	}
	a.add(spanOf(fieldCTExpire, lo, hi))
	a.p.scratch = appendRange(a.p.scratch, lo, hi)
	return nil
}

func parseCTDir(a *argument) error {
	for i, name := range []string{"ORIGINAL", "REPLY"} {
		if strings.EqualFold(a.vals[0].text, name) {
			a.add(rules.In(fieldCTDir, rules.Point(uint64(i))))
			a.write(name)
			return nil
		}
	}
	return fmt.Errorf("neither ORIGINAL nor REPLY")
}

// finishConntrack sees to packets without a connection: for them --ctstate is
// all that is asked when it is there, and without it they do not match.
func finishConntrack(p *ruleParser, m *instance) error {
	if len(m.items) < 2 || !m.has("ctstate") {
		return nil
	}
	var state rules.Cond
	var others []rules.Cond
	for i := range m.items {
		if c := m.items[i].cond; c.Field() == fieldCTState {
			state = c
		} else {
			others = append(others, c)
		}
	}
	any, none := false, false // of what packets with and without a connection have
	for _, s := range ctStates {
		if !state.Holds(rules.U64(s.Value), true) {
			continue
		}
		any = any || s.Value&withoutEntry == 0
		none = none || s.Value&withoutEntry != 0
	}
	if !none {
		return nil
	}
	m.items = m.items[:0]
	if !any {
		m.add(state)
		return nil
	}
	m.addEither([]rules.Cond{state, anyBit(fieldCTState, withoutEntry)},
		append([]rules.Cond{state, anyBit(fieldCTState, withoutEntry).Negate()}, others...))
	return nil
}

func parseConnMark(a *argument) error {
	v, m, err := parseMasked(a.vals[0].text, math.MaxUint32)
	if err != nil {
		return err
	}
	a.add(rules.Masked(fieldCTMark, rules.U64(v), rules.U64(m)))
	if a.write(fmt.Sprintf("%#x", v)); m != math.MaxUint32 {
		a.write(fmt.Sprintf("/%#x", m))
	}
	return nil
}

// addOrNone appends a condition that packets without a connection meet when it
// is negated.
func (a *argument) addOrNone(c rules.Cond) {
	if a.not {
		c = c.Negate().OrAbsent()
	}
	a.addAsIs(c)
}

// maxHelper is how much of a helper's name the kernel keeps, in bytes.
const maxHelper = 29

// parseHelper: the connection's helper has to be the beginning of the name
// that is given.
func parseHelper(a *argument) error {
	name := a.vals[0].text
	name = name[:min(len(name), maxHelper)]
	if name == "" {
		f := fieldIn(fieldCTHelper, a.p.family())
		a.addOrNone(rules.In(fieldCTHelper, rules.Interval{Lo: rules.U64(1), Hi: f.Full().Hi}))
	} else {
		var points []rules.Interval
		for n := 1; n <= min(len(name), rules.MaxNameLen); n++ {
			v := rules.NameValue(name[:n])
			points = append(points, rules.Interval{Lo: v, Hi: v})
		}
		a.addOrNone(rules.In(fieldCTHelper, points...))
	}
	a.writeQuoted(name)
	return nil
}

// connLabels is what parseConnLabel finds out for finishConnLabel.
type connLabels struct {
	bit uint8
	not bool
}

func parseConnLabel(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 127)
	if err != nil {
		var known bool
		if n, known = a.p.f.labelNames[a.vals[0].text]; !known {
			return fmt.Errorf("neither a label in 0..127 nor a known one's name")
		}
	}
	a.m.data = connLabels{uint8(n), a.not}
	name := fmt.Sprint(n)
	for s, bit := range a.p.f.labelNames {
		if bit == n {
			name = s
		}
	}
	a.write(`"` + name + `"`) // quoted whatever it is
	return nil
}

func finishConnLabel(p *ruleParser, m *instance) error {
	l := m.data.(connLabels)
	if m.has("set") {
		m.items = append(m.items, item{test: func() rules.Test { return xt.SetLabel(l.bit, l.not) }, stateful: true, writes: "ctlabels"})
		return nil
	}
	bit := rules.U64(1).Shl(int(l.bit))
	c := rules.Masked(fieldCTLabels, bit, bit)
	if l.not {
		c = c.Negate().OrAbsent()
	}
	m.add(c)
	return nil
}

// parseLabelNames reads the text of a connlabel.conf: a number and a name on
// each line, "#" before remarks.
func parseLabelNames(text string) (map[string]uint64, error) {
	names := map[string]uint64{}
	seen := map[uint64]bool{}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		n, err := parseNumber(f[0], 127)
		if err != nil || len(f) != 2 || len(f[1]) > 255 || strings.ContainsAny(f[1], `"\`) {
			return nil, fmt.Errorf("connection labels, line %d: expected a number in 0..127 and a name: %q", i+1, rules.Excerpt(line))
		}
		if _, again := names[f[1]]; again || seen[n] {
			return nil, fmt.Errorf("connection labels, line %d: number or name stands twice: %q", i+1, rules.Excerpt(line))
		}
		names[f[1]], seen[n] = n, true
	}
	return names, nil
}

func parseConnBytes(a *argument) error {
	from, to, isRange := strings.Cut(a.vals[0].text, ":")
	c := xt.ConnBytes{Hi: math.MaxUint64}
	var err error
	if from != "" || !isRange {
		if c.Lo, err = parseNumber(from, math.MaxUint64); err != nil {
			return err
		}
	}
	if to != "" {
		if c.Hi, err = parseNumber(to, math.MaxUint64); err != nil {
			return err
		}
	}
	if c.Lo > c.Hi {
		return fmt.Errorf("range is reversed: %d is above %d", c.Lo, c.Hi)
	}
	// The kernel is told "not" by reversed ends, and so not of a single number.
	c.Not = a.not && c.Lo != c.Hi
	a.m.data = &c
	a.writeNumber(c.Lo)
	if c.Hi != math.MaxUint64 {
		a.write(":")
		a.writeNumber(c.Hi)
	}
	return nil
}

// value returns the canonical value of an option of the module, "" when it is
// not given.
func (p *ruleParser) value(m *instance, name string) string {
	for i := range m.given {
		if g := &m.given[i]; g.opt.name == name {
			return string(p.scratch[g.from:g.to])
		}
	}
	return ""
}

// printAll replaces what is printed of the module's options.
func (m *instance) printAll(format string, args ...any) {
	for i := range m.given {
		m.given[i].silent = true
	}
	m.extra = fmt.Appendf(m.extra[:0], format, args...)
}

func finishConnBytes(p *ruleParser, m *instance) error {
	c := *m.data.(*xt.ConnBytes)
	c.Mode = map[string]xt.ConnBytesMode{"packets": xt.Packets, "bytes": xt.Bytes, "avgpkt": xt.BytesPerPacket}[p.value(m, "connbytes-mode")]
	dir := p.value(m, "connbytes-dir")
	for i := range m.given {
		m.given[i].not = m.given[i].not && c.Not
	}
	c.Original, c.Reply = dir != "reply", dir != "original"
	m.addTest(c.Test())
	return nil
}

func parseConnLimitMask(a *argument) error {
	bits := 32
	if a.p.family() == 6 {
		bits = 128
	}
	length, mask, err := parseMask(a.vals[0].text, bits)
	if err != nil {
		return err
	}
	if length >= 0 {
		a.writeNumber(uint64(length))
	} else {
		a.p.scratch = appendAddr(a.p.scratch, mask, a.p.family())
	}
	a.m.data = mask
	return nil
}

// wordsOf returns a mask for addresses as packets have them.
func wordsOf(mask rules.Value, family int) [4]uint32 {
	if family == 4 {
		return [4]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32, uint32(mask.Lo)}
	}
	return [4]uint32{uint32(mask.Hi >> 32), uint32(mask.Hi), uint32(mask.Lo >> 32), uint32(mask.Lo)}
}

func finishConnLimit(p *ruleParser, m *instance) error {
	upto := m.has("connlimit-upto")
	limit := p.value(m, "connlimit-upto") + p.value(m, "connlimit-above")
	n, err := parseNumber(limit, math.MaxUint32)
	if err != nil {
		return err
	}
	above := !upto
	for i := range m.given {
		if m.given[i].not {
			above = !above
		}
	}
	mask := rules.Ones(32 + 96*(p.family()/6))
	text := map[int]string{4: "32", 6: "128"}[p.family()]
	if given, ok := m.data.(rules.Value); ok {
		mask, text = given, p.value(m, "connlimit-mask")
	}
	c := xt.ConnLimit{Above: above, Limit: uint32(n), Mask: wordsOf(mask, p.family()), Dest: m.has("connlimit-daddr")}
	m.addStateful(func() rules.Test { return c.Test() })
	m.printAll(" --connlimit-%s %d --connlimit-mask %s --connlimit-%s", pick(above, "above", "upto"), n, text, pick(c.Dest, "daddr", "saddr"))
	return nil
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func parseNodeMask(a *argument) error {
	n, err := parseNumber(a.vals[0].text, math.MaxUint32)
	if err != nil || n == 0 {
		return fmt.Errorf("not a number in 1..%d", uint32(math.MaxUint32))
	}
	a.write(fmt.Sprintf("0x%08x", n))
	return nil
}

func parseSeed(a *argument) error {
	n, err := parseNumber(a.vals[0].text, math.MaxUint32)
	a.write(fmt.Sprintf("0x%08x", n))
	return err
}

func finishCluster(p *ruleParser, m *instance) error {
	total, _ := parseNumber(p.value(m, "cluster-total-nodes"), 32)
	seed, _ := parseNumber(p.value(m, "cluster-hash-seed"), math.MaxUint32)
	mask := uint64(0)
	if text := p.value(m, "cluster-local-nodemask"); text != "" {
		mask, _ = parseNumber(text, math.MaxUint32)
	} else if node, _ := parseNumber(p.value(m, "cluster-local-node"), 32); node > 0 {
		mask = 1 << (node - 1)
	}
	if mask >= 1<<total {
		return fmt.Errorf("--cluster-local-nodemask %#x names nodes above --cluster-total-nodes %d", mask, total)
	}
	not := false
	for i := range m.given {
		not = not || m.given[i].not
	}
	c := xt.Cluster{Nodes: uint32(total), Mask: uint32(mask), Seed: uint32(seed), Not: not}
	m.addTest(c.Test())
	m.printAll("%s --cluster-local-nodemask 0x%08x --cluster-total-nodes %d --cluster-hash-seed 0x%08x", pick(not, " !", ""), mask, total, seed)
	return nil
}
