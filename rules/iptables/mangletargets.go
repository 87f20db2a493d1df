package iptables

// Targets that change marks and header fields, which later rules see.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// Forms that several targets share.
var (
	formMarkMask = Form{Kind: "masked", Syntax: "VALUE[/MASK]", Max: 1<<32 - 1}
	formMark     = Form{Kind: "number", Syntax: "VALUE", Max: 1<<32 - 1}
)

func markOptions(what string, set func(*argument, uint32, uint32)) []option {
	return []option{
		{name: "set-xmark", words: 1, help: what + " becomes (itself and not mask) xor value", form: formMarkMask, parse: markPair(set, false)},
		{name: "set-mark", words: 1, help: what + " becomes (itself and not mask) or value", form: formMarkMask, parse: markPair(set, true)},
		{name: "and-mark", words: 1, help: "keep only these bits of " + what, form: formMark, parse: markBits(set, func(x uint32) (uint32, uint32) { return 0, ^x })},
		{name: "or-mark", words: 1, help: "set these bits of " + what, form: formMark, parse: markBits(set, func(x uint32) (uint32, uint32) { return x, x })},
		{name: "xor-mark", words: 1, help: "flip these bits of " + what, form: formMark, parse: markBits(set, func(x uint32) (uint32, uint32) { return x, 0 })},
	}
}

func setMark(a *argument, value, mask uint32) {
	a.m.target = sharedTarget(&xt.Mark{Value: value, Mask: mask})
	a.printAs = "set-xmark"
	a.write(fmt.Sprintf("0x%x/0x%x", value, mask))
}

func markPair(set func(*argument, uint32, uint32), or bool) func(*argument) error {
	return func(a *argument) error {
		v, m, err := parseMasked(a.vals[0].text, 1<<32-1)
		if err != nil {
			return err
		}
		if or {
			m |= v
		}
		set(a, uint32(v), uint32(m))
		return nil
	}
}

func markBits(set func(*argument, uint32, uint32), pair func(uint32) (uint32, uint32)) func(*argument) error {
	return func(a *argument) error {
		x, err := parseNumber(a.vals[0].text, 1<<32-1)
		if err != nil {
			return err
		}
		v, m := pair(uint32(x))
		set(a, v, m)
		return nil
	}
}

// sharedTarget returns what gives every rule the same target.
func sharedTarget(t rules.Target) func() rules.Target { return func() rules.Target { return t } }

// dataOf returns what an instance's options have told so far.
func dataOf[T any](m *instance) *T {
	d, ok := m.data.(*T)
	if !ok {
		d = new(T)
		m.data = d
	}
	return d
}

// print adds an option to what is printed of the instance, in place of those
// that were given: finish clears them first.
func (p *ruleParser) print(m *instance, name, value string) {
	from := len(p.scratch)
	p.scratch = append(p.scratch, value...)
	m.given = append(m.given, givenOption{opt: m.mod.find(name), from: from, to: len(p.scratch)})
}

var mangleTables = []string{"mangle"}

var mangleTargets = []module{
	{kind: "target", name: "MARK", summary: "set the packet's mark", modelled: true, needs: needOne, writes: []string{"mark"},
		options: markOptions("the mark", setMark)},
	{kind: "target", name: "CONNMARK", summary: "set the connection's mark, or copy it from or to the packet's", class: Environment, modelled: true,
		writes: []string{"mark", "ctmark"}, finish: finishConnMark,
		oneOf: [][]string{{"set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark", "save-mark", "restore-mark"}}, options: append(markOptions("the connection's mark", setConnMark), []option{
			{name: "save-mark", help: "copy the packet's mark to the connection", parse: connMarkMode(xt.ConnMarkSave)},
			{name: "restore-mark", help: "copy the connection's mark to the packet", parse: connMarkMode(xt.ConnMarkRestore)},
			{name: "nfmask", words: 1, help: "bits of the packet's mark", form: formMark, parse: connMask(false, true)},
			{name: "ctmask", words: 1, help: "bits of the connection's mark", form: formMark, parse: connMask(true, false)},
			{name: "mask", words: 1, excludes: []string{"ctmask", "nfmask"}, help: "bits of both marks", form: formMark, parse: connMask(true, true)},
			{name: "left-shift-mark", words: 1, help: "shift to the left before it is stored", form: formShift, parse: connShift(false)},
			{name: "right-shift-mark", words: 1, help: "shift to the right before it is stored", form: formShift, parse: connShift(true)},
		}...)},
	{kind: "target", name: "CLASSIFY", summary: "choose the queueing class", modelled: true, hooks: laterHooks, options: []option{
		{name: "set-class", words: 1, required: true, help: "class, two hexadecimal numbers", form: Form{Kind: "text", Syntax: "MAJOR:MINOR", Max: 0xffff}, parse: parseClass},
	}},
	{kind: "target", name: "SECMARK", summary: "set the packet's security context", modelled: true, tables: securityTables, options: []option{
		{name: "selctx", words: 1, required: true, help: "SELinux context", form: Form{Kind: "text", Syntax: "CONTEXT", MaxLen: 255}, parse: parseSecContext},
	}},
	{kind: "target", name: "CONNSECMARK", summary: "copy the security context between packet and connection", class: Environment, modelled: true, tables: securityTables, needs: needOne, options: []option{
		{name: "save", help: "to the connection", parse: setTarget(&xt.ConnSecMark{})},
		{name: "restore", help: "to the packet", parse: setTarget(&xt.ConnSecMark{Restore: true})},
	}},
	{kind: "target", name: "TOS", summary: "set the type of service, or traffic class", modelled: true, tables: mangleTables, needs: needOne, writes: []string{"dscp", "ecn", "tos"}, options: []option{
		{name: "set-tos", words: 1, help: "the byte becomes (itself and not mask) xor value", form: Form{Kind: "masked", Syntax: "VALUE[/MASK]|NAME", Max: 255, Symbols: symbolNames(tosNames)}, parse: parseSetTOS},
		{name: "and-tos", words: 1, help: "keep only these bits", form: formByte, parse: tosBits(func(x uint8) (uint8, uint8) { return 0, ^x })},
		{name: "or-tos", words: 1, help: "set these bits", form: formByte, parse: tosBits(func(x uint8) (uint8, uint8) { return x, x })},
		{name: "xor-tos", words: 1, help: "flip these bits", form: formByte, parse: tosBits(func(x uint8) (uint8, uint8) { return x, 0 })},
	}},
	{kind: "target", name: "DSCP", summary: "set the code point of differentiated services", modelled: true, tables: mangleTables, needs: needOne, writes: []string{"dscp", "tos"}, options: []option{
		{name: "set-dscp", words: 1, help: "code point", form: Form{Kind: "number", Syntax: "VALUE", Max: 63}, parse: parseSetDSCP},
		{name: "set-dscp-class", words: 1, help: "class", form: Form{Kind: "enum", Syntax: "CLASS", Symbols: dscpClassNames}, parse: parseSetDSCPClass},
	}},
	{kind: "target", name: "ECN", summary: "change the bits of congestion notification", mayDrop: true, family: 4, modelled: true, tables: mangleTables, needs: needAny,
		writes: []string{"ecn", "tos", "tcpflags", "ecnflags"}, finish: finishECNTarget, options: []option{
			{name: "ecn-tcp-remove", protos: []uint8{protoTCP}, excludes: []string{"ecn-tcp-ece", "ecn-tcp-cwr"}, help: "clear ECE and CWR of the TCP header", parse: func(a *argument) error {
				dataOf[ecn](a.m).ECN = xt.ECN{TCPMask: 0xc0}
				return nil
			}},
			{name: "ecn-tcp-ece", words: 1, protos: []uint8{protoTCP}, help: "set ECE to this", form: Form{Kind: "number", Syntax: "0|1", Max: 1}, parse: ecnFlag(0x40)},
			{name: "ecn-tcp-cwr", words: 1, protos: []uint8{protoTCP}, help: "set CWR to this", form: Form{Kind: "number", Syntax: "0|1", Max: 1}, parse: ecnFlag(0x80)},
			{name: "ecn-ip-ect", words: 1, help: "set the two bits of the IP header", form: Form{Kind: "number", Syntax: "VALUE", Max: 3}, parse: func(a *argument) error {
				n, err := parseNumber(a.vals[0].text, 3)
				d := dataOf[ecn](a.m)
				d.SetIP, d.IP = true, uint8(n)
				a.writeNumber(n)
				return err
			}},
		}},
	{kind: "target", name: "TTL", summary: "change the time to live", family: 4, modelled: true, tables: mangleTables, needs: needOne, writes: []string{"ttl"}, options: ttlTargetOptions("ttl", "TTL")},
	{kind: "target", name: "HL", summary: "change the hop limit", family: 6, modelled: true, tables: mangleTables, needs: needOne, writes: []string{"ttl"}, options: ttlTargetOptions("hl", "HL")},
	{kind: "target", name: "TCPMSS", summary: "lower the maximum segment size of TCP", mayDrop: true, modelled: true, protos: []uint8{protoTCP}, needs: needAny,
		writes: []string{"mss", "length", "tcpopts0"}, finish: finishTCPMSS, notes: []string{"the rule needs --syn, or --tcp-flags with SYN among those that are set"}, options: []option{
			{name: "set-mss", words: 1, help: "to this", form: Form{Kind: "number", Syntax: "VALUE", Max: 65515, Unit: "bytes"}, parse: parseSetMSS},
			{name: "clamp-mss-to-pmtu", hooks: laterHooks, help: "to what the MTU of the path leaves room for", parse: func(a *argument) error {
				dataOf[xt.TCPMSS](a.m).Clamp = true
				return nil
			}},
		}},
	{kind: "target", name: "TCPOPTSTRIP", summary: "remove TCP options", mayDrop: true, class: Payload, modelled: true, protos: []uint8{protoTCP}, tables: mangleTables,
		writes: []string{"tcpopts0", "tcpopts1", "mss"}, finish: func(p *ruleParser, m *instance) error {
			m.target = sharedTarget(dataOf[xt.TCPOptStrip](m))
			return nil
		}, options: []option{
			{name: "strip-options", words: 1, help: "their numbers or names", form: Form{Kind: "list", Syntax: "OPTION[,OPTION...]", Min: 2, Max: 255, Symbols: symbolNames(tcpOptionNames)}, parse: parseStripOptions},
		}},
	{kind: "target", name: "CHECKSUM", summary: "fill in the checksum", modelled: true, tables: mangleTables, options: []option{
		{name: "checksum-fill", required: true, help: "compute it", parse: setTarget(&xt.Report{Name: "CHECKSUM", Detail: "fill"})},
	}},
	{kind: "target", name: "HMARK", summary: "set the mark to a hash of addresses and ports", class: Payload, modelled: true, writes: []string{"mark"}, finish: finishHMARK, options: hmarkOptions,
		notes: []string{"--hmark-tuple with spi, or --hmark-spi-mask, not with ports", "no mask or prefix behind an --hmark-tuple that has its part"},
		anyOf: [][]string{{"hmark-tuple", "hmark-src-prefix", "hmark-dst-prefix", "hmark-sport-mask", "hmark-dport-mask", "hmark-spi-mask", "hmark-sport", "hmark-dport", "hmark-spi", "hmark-proto-mask"}}},
	{kind: "target", name: "CT", summary: "say how connection tracking treats the packet", modelled: true, tables: []string{"raw"}, writes: []string{"ctstate"}, finish: finishCT, options: []option{
		{name: "notrack", help: "leave the packet alone", parse: func(a *argument) error { dataOf[ct](a.m).NoTrack = true; return nil }},
		{name: "helper", words: 1, notes: []string{"needs -p with the protocol that it is for, but with --notrack"}, help: "helper for connections that begin", form: Form{Kind: "text", Syntax: "NAME", MaxLen: 15}, parse: func(a *argument) error {
			dataOf[ct](a.m).Helper = a.p.f.intern(a.vals[0].text)
			return plainText(15)(a)
		}},
		{name: "timeout", words: 1, notes: []string{"needs -p with the protocol that they are for, but with --notrack"}, help: "timeouts for connections that begin", form: Form{Kind: "text", Syntax: "NAME", MaxLen: 31}, parse: func(a *argument) error {
			dataOf[ct](a.m).Timeout = a.p.f.intern(a.vals[0].text)
			return plainText(31)(a)
		}},
		{name: "ctevents", words: 1, help: "events that are told of the connection", form: Form{Kind: "set", Syntax: "EVENT[,EVENT...]", Symbols: symbolNames(ctEvents)}, parse: parseEvents(ctEvents)},
		{name: "expevents", words: 1, help: "events that are told of connections that it expects", form: Form{Kind: "set", Syntax: "EVENT[,EVENT...]", Symbols: symbolNames(expEvents)}, parse: parseEvents(expEvents)},
		{name: "zone", words: 1, help: "zone of both directions", form: formZone, parse: parseZone(true, true)},
		{name: "zone-orig", words: 1, help: "zone of the original direction", form: formZone, parse: parseZone(true, false)},
		{name: "zone-reply", words: 1, help: "zone of the reply direction", form: formZone, parse: parseZone(false, true)},
	}},
	{kind: "target", name: "NOTRACK", summary: "keep the packet from connection tracking", modelled: true, tables: []string{"raw"}, writes: []string{"ctstate"}, finish: func(p *ruleParser, m *instance) error {
		m.target = sharedTarget(&xt.CT{Name: "NOTRACK", NoTrack: true})
		return nil
	}},
	setTargetModule,
	npt("SNPT", "translate the prefix of the source", hookInput|hookPostrouting, "src"),
	npt("DNPT", "translate the prefix of the destination", hookPrerouting|hookOutput, "dst"),
}

var (
	securityTables = []string{"mangle", "security"}
	formByte       = Form{Kind: "number", Syntax: "VALUE", Max: 255}
	formShift      = Form{Kind: "number", Syntax: "BITS", Max: 31, Unit: "bits"}
)

func symbolNames(list []rules.Symbol) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names
}

// setTarget is the parser of an option without a value that says it all.
func setTarget(t rules.Target) func(*argument) error {
	return func(a *argument) error {
		a.m.target = sharedTarget(t)
		return nil
	}
}

// connMark is what the options of CONNMARK have told so far: later ones
// overwrite what earlier ones said of a mask or of the shift.
type connMark struct {
	xt.ConnMark
	ops int
}

func connMarkOf(a *argument) *connMark {
	d := dataOf[connMark](a.m)
	if len(a.m.given) == 0 {
		d.CTMask, d.NFMask = 1<<32-1, 1<<32-1
	}
	return d
}

func setConnMark(a *argument, value, mask uint32) {
	d := connMarkOf(a)
	d.ops++
	d.Value, d.CTMask = value, mask
}

func connMarkMode(mode xt.ConnMarkMode) func(*argument) error {
	return func(a *argument) error {
		d := connMarkOf(a)
		d.ops++
		d.Mode = mode
		return nil
	}
}

func connMask(ct, nf bool) func(*argument) error {
	return func(a *argument) error {
		x, err := parseNumber(a.vals[0].text, 1<<32-1)
		d := connMarkOf(a)
		if ct {
			d.CTMask = uint32(x)
		}
		if nf {
			d.NFMask = uint32(x)
		}
		return err
	}
}

func connShift(right bool) func(*argument) error {
	return func(a *argument) error {
		n, err := parseNumber(a.vals[0].text, 31)
		d := connMarkOf(a)
		d.Right, d.Bits = right, uint8(n)
		return err
	}
}

func finishConnMark(p *ruleParser, m *instance) error {
	d := dataOf[connMark](m)
	m.given = m.given[:0]
	switch d.Mode {
	case xt.ConnMarkSave:
		p.print(m, "save-mark", "")
	case xt.ConnMarkRestore:
		p.print(m, "restore-mark", "")
	default:
		p.print(m, "set-xmark", fmt.Sprintf("0x%x/0x%x", d.Value, d.CTMask))
	}
	if d.Mode != xt.ConnMarkSet {
		p.print(m, "nfmask", fmt.Sprintf("0x%x", d.NFMask))
		p.print(m, "ctmask", fmt.Sprintf("0x%x", d.CTMask))
	}
	if d.Bits != 0 {
		p.print(m, map[bool]string{false: "left-shift-mark", true: "right-shift-mark"}[d.Right], fmt.Sprint(d.Bits))
	}
	target := d.ConnMark
	if d.Mode == xt.ConnMarkSet {
		target.NFMask = 0
	}
	m.target = sharedTarget(&target)
	return nil
}

func parseClass(a *argument) error {
	major, minor, ok := strings.Cut(a.vals[0].text, ":")
	x, err1 := parseNumber("0x"+major, 0xffff)
	y, err2 := parseNumber("0x"+minor, 0xffff)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("not MAJOR:MINOR, each up to four hexadecimal digits")
	}
	a.write(fmt.Sprintf("%04x:%04x", x, y))
	a.m.target = sharedTarget(&xt.Classify{Priority: uint32(x<<16 | y)})
	return nil
}

func parseSecContext(a *argument) error {
	s := a.vals[0].text
	if s == "" || len(s) > 255 {
		return fmt.Errorf("not a security context of 1 to 255 bytes")
	}
	a.write(s)
	a.m.target = sharedTarget(&xt.SecMark{Context: strings.Clone(s)})
	return nil
}

func parseSetTOS(a *argument) error {
	v, m, err := uint64(0), uint64(0x3f), error(nil)
	for _, s := range tosNames {
		if strings.EqualFold(s.Name, a.vals[0].text) {
			v = s.Value
			return setTOS(a, uint8(v), uint8(m))
		}
	}
	if v, m, err = parseMasked(a.vals[0].text, 255); err != nil {
		return fmt.Errorf("neither VALUE[/MASK] with numbers in 0..255 nor %s", symbolList(tosNames))
	}
	return setTOS(a, uint8(v), uint8(m))
}

func tosBits(pair func(uint8) (uint8, uint8)) func(*argument) error {
	return func(a *argument) error {
		x, err := parseNumber(a.vals[0].text, 255)
		if err != nil {
			return err
		}
		v, m := pair(uint8(x))
		return setTOS(a, v, m)
	}
}

func setTOS(a *argument, value, mask uint8) error {
	a.printAs = "set-tos"
	a.write(fmt.Sprintf("0x%02x/0x%02x", value, mask))
	a.m.target = sharedTarget(&xt.TOS{Name: "TOS", Value: value, Mask: mask})
	return nil
}

func parseSetDSCP(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 63)
	setDSCP(a, n)
	return err
}

func parseSetDSCPClass(a *argument) error {
	v, ok := dscpClass(a.vals[0].text)
	if !ok {
		return fmt.Errorf("not %s", joinNames(dscpClassNames))
	}
	setDSCP(a, v)
	return nil
}

var dscpClassNames = strings.Fields("BE EF AF11 AF12 AF13 AF21 AF22 AF23 AF31 AF32 AF33 AF41 AF42 AF43 CS0 CS1 CS2 CS3 CS4 CS5 CS6 CS7")

func setDSCP(a *argument, n uint64) {
	a.printAs = "set-dscp"
	a.write(fmt.Sprintf("0x%02x", n))
	a.m.target = sharedTarget(&xt.TOS{Name: "DSCP", Value: uint8(n) << 2, Mask: 0xfc})
}

// ecn is what the options of ECN have told.
type ecn struct{ xt.ECN }

func ecnFlag(flag uint8) func(*argument) error {
	return func(a *argument) error {
		n, err := parseNumber(a.vals[0].text, 1)
		d := dataOf[ecn](a.m)
		d.TCPMask |= flag
		d.TCPFlags |= flag * uint8(n)
		a.writeNumber(n)
		return err
	}
}

// finishECNTarget prints what is left of the options: --ecn-tcp-remove takes
// back what stands in front of it, as with the tools.
func finishECNTarget(p *ruleParser, m *instance) error {
	d := dataOf[ecn](m)
	m.given = m.given[:0]
	bit := func(flag uint8) string { return []string{"0", "1"}[min(d.TCPFlags&flag, 1)] }
	if d.TCPMask == 0xc0 && d.TCPFlags == 0 && !d.SetIP {
		p.print(m, "ecn-tcp-remove", "")
	} else {
		if d.TCPMask&0x40 != 0 {
			p.print(m, "ecn-tcp-ece", bit(0x40))
		}
		if d.TCPMask&0x80 != 0 {
			p.print(m, "ecn-tcp-cwr", bit(0x80))
		}
		if d.SetIP {
			p.print(m, "ecn-ip-ect", fmt.Sprint(d.IP))
		}
	}
	target := d.ECN
	m.target = sharedTarget(&target)
	return nil
}

func ttlTargetOptions(prefix, name string) []option {
	one := func(o, help string, mode xt.TTLMode, min uint64) option {
		return option{name: prefix + o, words: 1, help: help, form: Form{Kind: "number", Syntax: "VALUE", Min: min, Max: 255}, parse: func(a *argument) error {
			n, err := parseNumber(a.vals[0].text, 255)
			if err != nil || n < min {
				return fmt.Errorf("not a number in %d..255", min)
			}
			a.writeNumber(n)
			a.m.target = sharedTarget(&xt.TTL{Name: name, Mode: mode, N: uint8(n)})
			return nil
		}}
	}
	return []option{one("-set", "set it", xt.TTLSet, 0), one("-dec", "lower it, not below 0", xt.TTLDec, 1), one("-inc", "raise it, not above 255", xt.TTLInc, 1)}
}

func parseSetMSS(a *argument) error {
	most := uint64(65535 - 20)
	if a.p.family() == 6 {
		most = 65535 - 40
	}
	n, err := parseNumber(a.vals[0].text, most)
	d := dataOf[xt.TCPMSS](a.m)
	d.MSS, d.Clamp = uint16(n), false
	a.writeNumber(n)
	return err
}

// finishTCPMSS asks for a rule that holds for nothing but packets with SYN, and
// for a packet that is on its way out when the MTU counts.
func finishTCPMSS(p *ruleParser, m *instance) error {
	d := dataOf[xt.TCPMSS](m)
	syn := false
	for i := range p.insts {
		for j := range p.insts[i].given {
			g := &p.insts[i].given[j]
			if p.insts[i].mod.name == "tcp" && !g.not && (g.opt.name == "syn" || g.opt.name == "tcp-flags") {
				_, comp, _ := strings.Cut(string(p.scratch[g.from:g.to]), " ")
				syn = syn || strings.Contains(comp, "SYN") || comp == "ALL"
			}
		}
	}
	if !syn {
		return fmt.Errorf("target TCPMSS needs --syn, or --tcp-flags with SYN among those that are set")
	}
	if d.Clamp {
		d.MSS = 0
	}
	if len(m.given) > 1 { // the later one counts
		m.given = m.given[1:]
	}
	target := *d
	m.target = sharedTarget(&target)
	return nil
}

// tcpOptionNames are names of TCP options.
var tcpOptionNames = []rules.Symbol{{Name: "wscale", Value: 3}, {Name: "mss", Value: 2}, {Name: "sack-permitted", Value: 4},
	{Name: "sack", Value: 5}, {Name: "timestamp", Value: 8}, {Name: "md5", Value: 19}}

func parseStripOptions(a *argument) error {
	d := dataOf[xt.TCPOptStrip](a.m)
	for rest, more := a.vals[0].text, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		n := uint64(0)
		for _, s := range tcpOptionNames {
			if s.Name == item {
				n = s.Value
			}
		}
		if n == 0 {
			var err error
			if n, err = parseNumber(item, 255); err != nil || n < 2 {
				return fmt.Errorf("%q is neither a number in 2..255 nor %s", rules.Excerpt(item), symbolList(tcpOptionNames))
			}
		}
		if d.Kinds.Has(uint8(n)) {
			return fmt.Errorf("%q is given twice", rules.Excerpt(item))
		}
		d.Kinds[n>>6] |= 1 << (n & 63)
	}
	sep := ""
	for n := range 256 {
		if d.Kinds.Has(uint8(n)) {
			a.write(sep)
			a.writeNumber(uint64(n))
			sep = ","
		}
	}
	return nil
}

func npt(name, summary string, hooks hook, field string) module {
	prefix := func(help string, from bool) option {
		o := option{name: "dst-pfx", help: help, words: 1, required: true, form: Form{Kind: "address", Syntax: "ADDRESS/LENGTH", Max: 64}}
		if from {
			o.name = "src-pfx"
		}
		o.parse = func(a *argument) error { return parseNPT(a, from) }
		return o
	}
	return module{kind: "target", name: name, mayDrop: true, summary: summary, family: 6, modelled: true, tables: mangleTables, hooks: hooks, writes: []string{field},
		options: []option{prefix("the prefix that it has", true), prefix("the prefix that it gets", false)},
		finish: func(p *ruleParser, m *instance) error {
			target := *dataOf[xt.NPT](m)
			target.Name, target.Dst = name, name == "DNPT"
			m.target = sharedTarget(&target)
			return nil
		}}
}

func parseNPT(a *argument, from bool) error {
	text, length, ok := strings.Cut(a.vals[0].text, "/")
	ip, err := parseAddr(text, 6)
	if err != nil {
		return err
	}
	bits, err := 128, error(nil)
	if ok {
		if bits, _, err = parseMask(length, 128); err != nil {
			return err
		}
	}
	if bits < 0 || bits > 64 {
		return fmt.Errorf("not a prefix of at most 64 bits")
	}
	v := addrValue(ip)
	if v != rules.PrefixInterval(v, bits, 128).Lo {
		return fmt.Errorf("the address has bits set behind its prefix")
	}
	d := dataOf[xt.NPT](a.m)
	w := [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)}
	if from {
		d.From, d.FromBits = w, bits
	} else {
		d.To, d.ToBits = w, bits
	}
	a.p.scratch = appendAddr(a.p.scratch, v, 6)
	a.write("/")
	a.writeNumber(uint64(bits))
	return nil
}
