package iptables

// Options of the targets CT and HMARK.

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var formZone = Form{Kind: "text", Syntax: "NUMBER|mark", Max: 65535}

// ct is what the options of CT have told.
type ct struct {
	xt.CT
	orig, reply bool // an option named that direction
}

// Events of connection tracking, in the order in which they are printed.
var (
	ctEvents = []rules.Symbol{{Name: "new", Value: 1}, {Name: "related", Value: 2}, {Name: "destroy", Value: 4}, {Name: "reply", Value: 8},
		{Name: "assured", Value: 16}, {Name: "protoinfo", Value: 32}, {Name: "helper", Value: 64}, {Name: "mark", Value: 128},
		{Name: "natseqinfo", Value: 256}, {Name: "secmark", Value: 512}}
	expEvents = []rules.Symbol{{Name: "new", Value: 1}}
)

func parseEvents(events []rules.Symbol) func(*argument) error {
	return func(a *argument) error {
		x := uint64(0)
	next:
		for rest, more := a.vals[0].text, true; more; {
			var item string
			item, rest, more = strings.Cut(rest, ",")
			for _, e := range events {
				if e.Name == item {
					x |= e.Value
					continue next
				}
			}
			return fmt.Errorf("%q is not %s", rules.Excerpt(item), symbolList(events))
		}
		a.p.scratch = appendSet(a.p.scratch, x, events)
		return nil
	}
}

// plainText reads a word of 1 to max bytes that is printed without quotes.
func plainText(max int) func(*argument) error {
	return func(a *argument) error {
		s := a.vals[0].text
		if s == "" || len(s) > max || strings.ContainsAny(s, " \t\"\\") {
			return fmt.Errorf("not a name of 1 to %d bytes", max)
		}
		a.write(s)
		return nil
	}
}

// parseZone reads a zone. The last one that is given counts, for all
// directions that were named.
func parseZone(orig, reply bool) func(*argument) error {
	return func(a *argument) error {
		d := dataOf[ct](a.m)
		d.HasZone = true
		if orig != reply {
			d.orig, d.reply = d.orig || orig, d.reply || reply
		}
		if strings.EqualFold(a.vals[0].text, "mark") {
			d.ByMark = true
			a.write("mark")
			return nil
		}
		n, err := parseNumber(a.vals[0].text, 65535)
		d.Zone = uint16(n)
		a.writeNumber(n)
		return err
	}
}

func finishCT(p *ruleParser, m *instance) error {
	d := dataOf[ct](m)
	if d.Helper != "" && !m.has("notrack") && (p.proto < 0 || p.protoNot) {
		return fmt.Errorf("--helper needs -p with the protocol that the helper is for")
	}
	if d.Timeout != "" && !m.has("notrack") && (p.proto < 0 || p.protoNot) {
		return fmt.Errorf("--timeout needs -p with the protocol that the timeouts are for")
	}
	kept := m.given[:0]
	var detail []string
	for _, g := range m.given {
		switch g.opt.name {
		case "zone", "zone-orig", "zone-reply":
			continue
		case "ctevents", "expevents":
			detail = append(detail, g.opt.name+" "+string(p.scratch[g.from:g.to]))
		}
		kept = append(kept, g)
	}
	m.given = kept
	name := "zone"
	switch {
	case d.orig && !d.reply:
		name = "zone-orig"
	case d.reply && !d.orig:
		name = "zone-reply"
	}
	switch {
	case d.ByMark:
		p.print(m, name, "mark")
	case d.Zone != 0:
		p.print(m, name, fmt.Sprint(d.Zone))
	}
	target := d.CT
	target.Name = "CT"
	target.HasZone = d.HasZone && (d.ByMark || d.Zone != 0)
	target.Detail = strings.Join(detail, ", ")
	m.target = sharedTarget(&target)
	return nil
}

// hmark is what the options of HMARK have told.
type hmark struct {
	xt.HMARK
	src, dst, spi, sport, dport, spiSet, sportSet, dportSet, proto bool
	srcBits, dstBits                                               int
}

var hmarkOptions = []option{
	{name: "hmark-src-prefix", words: 1, help: "bits of the source address", form: Form{Kind: "text", Syntax: "LENGTH|MASK", Max: 128}, parse: hmarkPrefix(true)},
	{name: "hmark-dst-prefix", words: 1, help: "bits of the destination address", form: Form{Kind: "text", Syntax: "LENGTH|MASK", Max: 128}, parse: hmarkPrefix(false)},
	{name: "hmark-sport-mask", words: 1, help: "these bits of the source port", form: formPortBits, parse: hmarkNumber(0xffff, func(d *hmark, n uint32) { d.PortMask, d.sport = d.PortMask&0xffff|n<<16, true })},
	{name: "hmark-dport-mask", words: 1, help: "these bits of the destination port", form: formPortBits, parse: hmarkNumber(0xffff, func(d *hmark, n uint32) { d.PortMask, d.dport = d.PortMask&^0xffff|n, true })},
	{name: "hmark-spi-mask", words: 1, excludes: []string{"hmark-sport-mask", "hmark-dport-mask"}, help: "these bits of the SPI", form: formMark, parse: hmarkNumber(1<<32-1, func(d *hmark, n uint32) { d.PortMask, d.spi = n, true })},
	{name: "hmark-sport", words: 1, help: "set these bits of the source port", form: formPortBits, parse: hmarkNumber(0xffff, func(d *hmark, n uint32) { d.PortSet, d.sportSet = d.PortSet&0xffff|n<<16, true })},
	{name: "hmark-dport", words: 1, help: "set these bits of the destination port", form: formPortBits, parse: hmarkNumber(0xffff, func(d *hmark, n uint32) { d.PortSet, d.dportSet = d.PortSet&^0xffff|n, true })},
	{name: "hmark-spi", words: 1, excludes: []string{"hmark-sport", "hmark-dport"}, help: "set these bits of the SPI", form: formMark, parse: hmarkNumber(1<<32-1, func(d *hmark, n uint32) { d.PortSet, d.spiSet = n, true })},
	{name: "hmark-proto-mask", words: 1, help: "these bits of the protocol", form: formPortBits, parse: hmarkNumber(0xffff, func(d *hmark, n uint32) { d.ProtoMask, d.proto = uint16(n), true })},
	{name: "hmark-rnd", words: 1, required: true, help: "seed of the hash", form: formMark, parse: hmarkNumber(1<<32-1, func(d *hmark, n uint32) { d.Seed = n })},
	{name: "hmark-mod", words: 1, required: true, help: "number of marks", form: Form{Kind: "number", Syntax: "NUMBER", Min: 1, Max: 1<<32 - 1}, parse: hmarkNumber(1<<32-1, func(d *hmark, n uint32) { d.Modulus = n })},
	{name: "hmark-offset", words: 1, help: "the least mark", form: Form{Kind: "number", Syntax: "NUMBER", Max: 1<<32 - 1, Default: "0"}, parse: hmarkNumber(1<<32-1, func(d *hmark, n uint32) { d.Offset = n })},
	{name: "hmark-tuple", words: 1, help: "what to hash", form: Form{Kind: "set", Syntax: "PART[,PART...]", Symbols: hmarkParts}, parse: parseHmarkTuple},
}

var (
	formPortBits = Form{Kind: "number", Syntax: "VALUE", Max: 65535}
	hmarkParts   = []string{"ct", "src", "dst", "sport", "dport", "proto", "spi"}
)

var errInTuple = errors.New("a part of --hmark-tuple already")

func hmarkNumber(max uint64, set func(*hmark, uint32)) func(*argument) error {
	return func(a *argument) error {
		n, err := parseNumber(a.vals[0].text, max)
		if err == nil && n < a.opt.form.Min {
			err = fmt.Errorf("not a number in %d..%d", a.opt.form.Min, max)
		}
		d := dataOf[hmark](a.m)
		if a.m.has("hmark-tuple") && (a.opt.name == "hmark-sport-mask" && d.sport || a.opt.name == "hmark-dport-mask" && d.dport ||
			a.opt.name == "hmark-spi-mask" && d.spi || a.opt.name == "hmark-proto-mask" && d.proto) {
			err = errInTuple
		}
		set(d, uint32(n))
		return err
	}
}

func hmarkPrefix(src bool) func(*argument) error {
	return func(a *argument) error {
		bits := 32
		if a.p.family() == 6 {
			bits = 128
		}
		n, _, err := parseMask(a.vals[0].text, bits)
		if err == nil && n < 0 {
			err = fmt.Errorf("mask is not that of a prefix")
		}
		d := dataOf[hmark](a.m)
		if a.m.has("hmark-tuple") && (src && d.src || !src && d.dst) {
			err = errInTuple
		}
		if src {
			d.src, d.srcBits = true, n
		} else {
			d.dst, d.dstBits = true, n
		}
		return err
	}
}

// parseHmarkTuple reads a list of parts, each as short as the tools take it:
// the first part that begins so.
func parseHmarkTuple(a *argument) error {
	d := dataOf[hmark](a.m)
	whole := 32
	if a.p.family() == 6 {
		whole = 128
	}
	for rest, more := a.vals[0].text, true; more; {
		var item, part string
		item, rest, more = strings.Cut(rest, ",")
		for _, p := range hmarkParts {
			if part == "" && item != "" && len(item) <= len(p) && strings.EqualFold(p[:len(item)], item) {
				part = p
			}
		}
		switch part {
		case "ct":
			d.ByConn = true
		case "src":
			d.src, d.srcBits = true, whole
		case "dst":
			d.dst, d.dstBits = true, whole
		case "sport":
			d.sport, d.PortMask = true, d.PortMask|0xffff<<16
		case "dport":
			d.dport, d.PortMask = true, d.PortMask|0xffff
		case "spi":
			d.spi, d.PortMask = true, 1<<32-1
		case "proto":
			d.proto, d.ProtoMask = true, 0xffff
		default:
			return fmt.Errorf("%q is not %s", rules.Excerpt(item), joinNames(hmarkParts))
		}
	}
	return nil
}

func finishHMARK(p *ruleParser, m *instance) error {
	d := dataOf[hmark](m)
	switch {
	case d.spi && (d.sport || d.dport):
		return fmt.Errorf("the SPI and ports exclude one another")
	}
	offset := m.has("hmark-offset")
	m.given = m.given[:0]
	add := func(has bool, name, format string, n any) {
		if has {
			p.print(m, name, fmt.Sprintf(format, n))
		}
	}
	add(d.src, "hmark-src-prefix", "%d", d.srcBits)
	add(d.dst, "hmark-dst-prefix", "%d", d.dstBits)
	add(d.sport, "hmark-sport-mask", "0x%04x", d.PortMask>>16)
	add(d.dport, "hmark-dport-mask", "0x%04x", d.PortMask&0xffff)
	add(d.spi, "hmark-spi-mask", "0x%08x", d.PortMask)
	add(d.sportSet, "hmark-sport", "0x%04x", d.PortSet>>16)
	add(d.dportSet, "hmark-dport", "0x%04x", d.PortSet&0xffff)
	add(d.spiSet, "hmark-spi", "0x%08x", d.PortSet)
	add(d.proto, "hmark-proto-mask", "0x%02x", d.ProtoMask)
	add(true, "hmark-rnd", "0x%08x", d.Seed)
	add(true, "hmark-mod", "%d", d.Modulus)
	add(offset, "hmark-offset", "%d", d.Offset)
	add(d.ByConn, "hmark-tuple", "%s", "ct")
	target := d.HMARK
	target.SrcMask, target.DstMask = prefixMask(d.srcBits, p.family()), prefixMask(d.dstBits, p.family())
	m.target = sharedTarget(&target)
	return nil
}

// prefixMask returns the mask of a prefix as words of an address.
func prefixMask(length, family int) (w [4]uint32) {
	bits := 128
	if family == 4 {
		bits = 32
	}
	v := rules.Ones(length).Shl(bits - length)
	for i := range w {
		w[i] = word32(v, i)
	}
	return w
}
