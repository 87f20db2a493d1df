package iptables

// Matches that ask the system around the packet.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

const (
	maxID      = 1<<32 - 2 // of users and groups
	maxPath    = 511       // bytes of a control group's path
	outAndPost = hookOutput | hookPostrouting
)

var ids = Form{Kind: "range", Syntax: "NAME|NUMBER[-NUMBER]", Max: maxID}

var environmentMatches = []module{
	{kind: "match", name: "owner", summary: "who sends the packet", modelled: true, class: Environment, needs: needAny, hooks: outAndPost,
		finish: finishOwner, options: []option{
			{name: "socket-exists", not: true, parse: parseSocketExists, help: "a socket sends it"},
			{name: "uid-owner", words: 1, not: true, parse: parseOwner, help: "the user of the socket's file", form: ids},
			{name: "gid-owner", words: 1, not: true, parse: parseOwner, help: "the group of the socket's file", form: ids},
			{name: "suppl-groups", notes: []string{"stands behind --gid-owner"}, parse: parseSuppl, requires: []string{"gid-owner"}, help: "other groups that the user is in count too"},
		}},
	{kind: "match", name: "cgroup", summary: "the control group of the packet's socket", modelled: true, class: Environment, needs: needOne,
		hooks: hookInput | outAndPost, options: []option{
			{name: "path", words: 1, not: true, parse: parseCgroupPath, excludes: []string{"cgroup"},
				help: "a group of the unified hierarchy, those below it included", form: Form{Kind: "text", Syntax: "PATH", MaxLen: maxPath}},
			{name: "cgroup", words: 1, not: true, parse: parseCgroupClass, help: "the class that net_cls gives", form: Form{Kind: "number", Syntax: "NUMBER", Max: 1<<32 - 1}},
		}},
	{kind: "match", name: "socket", summary: "a socket of this machine that would take the packet", modelled: true, class: Environment,
		hooks: hookPrerouting | hookInput, writes: []string{"mark"}, finish: finishSocket, options: []option{
			{name: "transparent", parse: parseSocketFlag, help: "only sockets that are transparent"},
			{name: "nowildcard", parse: parseSocketFlag, help: "sockets bound to any address too"},
			{name: "restore-skmark", parse: parseSocketFlag, help: "give the packet the socket's mark"},
		}},
	{kind: "match", name: "physdev", summary: "the ports of a bridge that the packet goes through", modelled: true, class: Environment, needs: needAny,
		finish: finishPhysdev, options: []option{
			{name: "physdev-is-in", not: true, parse: parsePhysdevFlag, help: "it came in by a port"},
			{name: "physdev-in", words: 1, not: true, parse: parsePhysdevName, help: "the port that it came in by", form: portNames},
			{name: "physdev-is-out", not: true, notes: []string{bridgedInOutput}, parse: parsePhysdevFlag, help: "it leaves by a port"},
			{name: "physdev-out", words: 1, not: true, notes: []string{bridgedInOutput}, parse: parsePhysdevName, help: "the port that it leaves by", form: portNames},
			{name: "physdev-is-bridged", not: true, parse: parsePhysdevFlag, help: "it is bridged, not routed"},
		}},
	{kind: "match", name: "rpfilter", summary: "the way back to the packet's source", modelled: true, class: Environment,
		tables: []string{"raw", "mangle"}, hooks: hookPrerouting, finish: finishRPFilter, options: []option{
			{name: "loose", parse: parseRPFlag, help: "any interface will do"},
			{name: "validmark", parse: parseRPFlag, help: "the packet's mark takes part in finding the way"},
			{name: "accept-local", parse: parseRPFlag, help: "the source may be an address of this machine"},
			{name: "invert", parse: parseRPFlag, help: "the packets that do not pass"},
		}},
	policyMatch,
	ipvsMatch,
}

var portNames = Form{Kind: "text", Syntax: "NAME[+]", MaxLen: rules.MaxNameLen}

func parseSocketExists(a *argument) error {
	is := !a.not
	partsOf[xt.OwnerMatch](a.m).Socket = &is
	return nil
}

// parseOwner reads a name, a number or a range of numbers.
func parseOwner(a *argument) error {
	d, s := partsOf[xt.OwnerMatch](a.m), a.vals[0].text
	kind, to, lookup := "user", &d.User, a.p.f.users
	if a.opt.name == "gid-owner" {
		kind, to, lookup = "group", &d.Group, a.p.f.groups
	}
	r := &xt.IDRange{Not: a.not}
	*to = r
	if isAccount(s) {
		id, ok := uint32(0), s == "root"
		if lookup != nil {
			id, ok = lookup(s)
		}
		if !ok {
			a.p.noteAs(kind+" name "+s, a.nameReason(kind+" name "+s, "a number, or a name whose number is given"), a.vals[0])
			a.write(s)
			return nil
		}
		r.Min, r.Max = id, id
		a.writeNumber(uint64(id))
		return nil
	}
	i := strings.IndexAny(s, "-:")
	from, until := s, s
	if i >= 0 {
		from, until = s[:i], s[i+1:]
	}
	lo, err := parseNumber(from, maxID)
	if err != nil {
		return fmt.Errorf("neither a name of a %s nor a number or range in 0..%d", kind, uint32(maxID))
	}
	hi, err := parseNumber(until, maxID)
	if err != nil {
		return fmt.Errorf("end of the range: not a number in 0..%d", uint32(maxID))
	}
	if lo > hi {
		return fmt.Errorf("range is reversed: %d is above %d", lo, hi)
	}
	r.Min, r.Max = uint32(lo), uint32(hi)
	if a.writeNumber(lo); lo != hi {
		a.write("-")
		a.writeNumber(hi)
	}
	return nil
}

// isAccount reports whether s looks like the name of a user or group.
func isAccount(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z' || s[i] == '_':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '-' || s[i] == '.'), i > 0 && i == len(s)-1 && s[i] == '$':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func parseSuppl(a *argument) error {
	if !a.m.has("gid-owner") && !a.p.f.alone {
		return fmt.Errorf("needs --gid-owner before it")
	}
	partsOf[xt.OwnerMatch](a.m).Supplementary = true
	return nil
}

func finishOwner(_ *ruleParser, m *instance) error {
	m.addTest(partsOf[xt.OwnerMatch](m).Test())
	return nil
}

func parseCgroupPath(a *argument) error {
	s := a.vals[0].text
	if len(s) > maxPath {
		return fmt.Errorf("longer than %d bytes", maxPath)
	}
	a.m.addTest(xt.CgroupPath(s, a.not))
	a.writeQuoted(s)
	return nil
}

func parseCgroupClass(a *argument) error {
	n, err := parseNumber(a.vals[0].text, 1<<32-1)
	if err != nil {
		return err
	}
	a.m.addTest(xt.CgroupClass(uint32(n), a.not))
	a.writeNumber(n)
	return nil
}

func parseSocketFlag(a *argument) error {
	switch d := partsOf[xt.SocketMatch](a.m); a.opt.name {
	case "transparent":
		d.Transparent = true
	case "nowildcard":
		d.Wildcard = true
	default:
		d.RestoreMark = true
	}
	return nil
}

func finishSocket(_ *ruleParser, m *instance) error {
	d := partsOf[xt.SocketMatch](m)
	if d.RestoreMark {
		m.addWriting("mark", d.Test())
	} else {
		m.addTest(d.Test())
	}
	return nil
}

const bridgedInOutput = "in chain OUTPUT only with --physdev-is-bridged"

func parsePhysdevFlag(a *argument) error {
	is := !a.not
	switch d := partsOf[xt.PhysdevMatch](a.m); a.opt.name {
	case "physdev-is-in":
		d.IsIn = &is
	case "physdev-is-out":
		d.IsOut = &is
	default:
		d.Bridged = &is
	}
	return nil
}

func parsePhysdevName(a *argument) error {
	names, _, err := parseInterface(a.vals[0].text)
	if err != nil {
		return err
	}
	r := &xt.NameRange{Names: names, Not: a.not}
	if d := partsOf[xt.PhysdevMatch](a.m); a.opt.name == "physdev-in" {
		d.In = r
	} else {
		d.Out = r
	}
	a.write(a.vals[0].text)
	return nil
}

func finishPhysdev(p *ruleParser, m *instance) error {
	d := partsOf[xt.PhysdevMatch](m)
	if (d.Out != nil || d.IsOut != nil) && (d.Bridged == nil || !*d.Bridged) {
		// What leaves by OUTPUT is not at a port yet.
		if err := p.only(^hookOutput&allHooks, m, "match physdev with --physdev-out or --physdev-is-out, without --physdev-is-bridged,"); err != nil {
			return err
		}
	}
	m.addTest(d.Test())
	return nil
}

const allHooks = hookPrerouting | hookInput | hookForward | hookOutput | hookPostrouting

func parseRPFlag(a *argument) error {
	switch d := partsOf[xt.RPFilterMatch](a.m); a.opt.name {
	case "loose":
		d.Loose = true
	case "accept-local":
		d.AcceptLocal = true
	case "invert":
		d.Not = true
	}
	return nil
}

func finishRPFilter(_ *ruleParser, m *instance) error {
	m.addTest(partsOf[xt.RPFilterMatch](m).Test())
	return nil
}

// parseMaskedAddr reads an address with or without a mask as packets have it,
// and writes it, with the bits that the mask leaves out, as the tools do. A
// name makes the rule unknown.
func (a *argument) parseMaskedAddr() (*xt.MaskedAddr, error) {
	s, family := a.vals[0].text, a.p.family()
	text, maskText, hasMask := strings.Cut(s, "/")
	ip, err := parseHost(text, family)
	if err != nil {
		if !isHostName(text) {
			return nil, err
		}
		a.p.noteAs("host name "+text, a.nameReason("host name "+text, "an address"), a.vals[0])
		a.write(s)
		return &xt.MaskedAddr{Not: a.not}, nil
	}
	bits := ip.BitLen()
	length, mask := bits, rules.Ones(bits)
	if hasMask {
		if length, mask, err = parseMask(maskText, bits); err != nil {
			return nil, err
		}
	}
	a.p.scratch = appendAddr(a.p.scratch, addrValue(ip), family)
	switch {
	case length < 0:
		a.p.scratch = appendAddr(append(a.p.scratch, '/'), mask, family)
	case length < bits:
		a.write("/")
		a.writeNumber(uint64(length))
	}
	m := &xt.MaskedAddr{Mask: addrWords(mask), Not: a.not}
	var p packet.Packet
	p.SetAddrs(ip, ip)
	m.Addr = p.Src
	return m, nil
}

func addrWords(v rules.Value) [4]uint32 {
	return [4]uint32{uint32(v.Hi >> 32), uint32(v.Hi), uint32(v.Lo >> 32), uint32(v.Lo)}
}
