package iptables

// Targets that change addresses and ports.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var (
	natTables   = []string{"nat"}
	formNAT     = Form{Kind: "address", Syntax: "[ADDRESS[-ADDRESS]][:PORT[-PORT[/BASE]]], IPv6 addresses with ports in []"}
	formToPorts = Form{Kind: "text", Syntax: "PORT[-PORT]", Max: 65535}
)

var (
	natRandom      = option{name: "random", help: "draw the port at random", parse: func(a *argument) error { dataOf[xt.NAT](a.m).Random = true; return nil }}
	natRandomFully = option{name: "random-fully", help: "draw the port at random, from better random numbers", parse: func(a *argument) error { dataOf[xt.NAT](a.m).Random = true; return nil }}
	natPersistent  = option{name: "persistent", help: "the same address for all connections of a client", parse: func(a *argument) error { dataOf[xt.NAT](a.m).Persistent = true; return nil }}
)

const natPortsNote = "ports need -p tcp, udp, sctp, dccp or icmp in front"

var natTargets = []module{
	nat("DNAT", "change the destination", xt.DNAT, hookPrerouting|hookOutput, []string{"dst", "dport", "ctstate", "ctstatus", "ctreplsrc", "ctreplsport"},
		option{name: "to-destination", words: 1, required: true, notes: []string{natPortsNote}, help: "to one of these", form: formNAT, parse: parseNATTo}, natRandom, natPersistent),
	nat("SNAT", "change the source", xt.SNAT, hookInput|hookPostrouting, []string{"src", "sport", "ctstate", "ctstatus", "ctrepldst", "ctrepldport"},
		option{name: "to-source", words: 1, required: true, notes: []string{natPortsNote}, help: "to one of these", form: formNAT, parse: parseNATTo}, natRandom, natRandomFully, natPersistent),
	nat("MASQUERADE", "change the source to the address of the interface that the packet leaves by", xt.Masquerade, hookPostrouting,
		[]string{"src", "sport", "ctstate", "ctstatus", "ctrepldst", "ctrepldport"},
		option{name: "to-ports", words: 1, notes: []string{natPortsNote}, help: "and the port to one of these", form: formToPorts, parse: parseToPorts}, natRandom, natRandomFully),
	nat("REDIRECT", "send the packet to the machine itself", xt.Redirect, hookPrerouting|hookOutput, []string{"dst", "dport", "ctstate", "ctstatus", "ctreplsrc", "ctreplsport"},
		option{name: "to-ports", words: 1, notes: []string{natPortsNote}, help: "and to one of these ports", form: formToPorts, parse: parseToPorts}, natRandom),
	nat("NETMAP", "change the prefix of the destination, or of the source in INPUT and POSTROUTING", xt.Netmap, 0,
		[]string{"src", "dst", "ctstate", "ctstatus", "ctreplsrc", "ctrepldst"},
		option{name: "to", words: 1, required: true, help: "to this one", form: Form{Kind: "address", Syntax: "ADDRESS[/LENGTH]"}, parse: parseNetmap}),
}

func nat(name, summary string, kind xt.NATKind, hooks hook, writes []string, options ...option) module {
	return module{kind: "target", name: name, summary: summary, modelled: true, tables: natTables, hooks: hooks, writes: writes, options: options,
		decides: verdict(rules.Accept), finish: func(p *ruleParser, m *instance) error {
			target := *dataOf[xt.NAT](m)
			target.Name, target.Kind = name, kind
			m.target = sharedTarget(&target)
			return nil
		}}
}

// parseNATTo reads "[ADDRESS[-ADDRESS]][:PORTS]".
func parseNATTo(a *argument) error {
	d := dataOf[xt.NAT](a.m)
	family := a.p.family()
	addrs, ports, hasPorts := a.vals[0].text, "", false
	bracket := strings.HasPrefix(addrs, "[")
	switch {
	case bracket && family == 4:
		return fmt.Errorf("brackets are for IPv6 addresses")
	case bracket:
		var ok bool
		if addrs, ports, ok = strings.Cut(addrs[1:], "]"); !ok {
			return fmt.Errorf("[ without ]")
		}
		if ports, hasPorts = strings.CutPrefix(ports, ":"); !hasPorts && ports != "" {
			return fmt.Errorf("expected :PORT behind the brackets")
		}
	case strings.Count(addrs, ":") == 1:
		addrs, ports, hasPorts = strings.Cut(addrs, ":")
	}
	if addrs == "" && !hasPorts {
		return fmt.Errorf("neither an address nor a port")
	}
	if addrs != "" {
		from, to, isRange := strings.Cut(addrs, "-")
		if !isRange {
			to = from
		}
		var err error
		if d.Lo, err = natAddr(from, family); err != nil {
			return err
		}
		if d.Hi, err = natAddr(to, family); err != nil {
			return err
		}
		d.MapAddr = true
	}
	if hasPorts {
		if err := a.natPorts(ports, d); err != nil {
			return err
		}
	}
	if d.Shift && a.opt.name == "to-source" {
		return fmt.Errorf("ports are shifted by DNAT only")
	}
	if d.MapAddr {
		text := natAddrText(&d.Lo, family)
		if d.Lo != d.Hi {
			text += "-" + natAddrText(&d.Hi, family)
		}
		if family == 6 && d.MapPort {
			text = "[" + text + "]"
		}
		a.write(text)
	}
	if d.MapPort {
		a.write(":")
		a.writePorts(d)
	}
	return nil
}

// natAddr reads an address in full.
func natAddr(s string, family int) (w [4]uint32, err error) {
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Is4() != (family == 4) || ip.Zone() != "" {
		return w, fmt.Errorf("%q is not an IPv%d address", rules.Excerpt(s), family)
	}
	b := ip.As16()
	for i := range w {
		w[i] = uint32(b[4*i])<<24 | uint32(b[4*i+1])<<16 | uint32(b[4*i+2])<<8 | uint32(b[4*i+3])
	}
	return w, nil
}

func natAddrText(w *[4]uint32, family int) string {
	v := rules.Value{Hi: uint64(w[0])<<32 | uint64(w[1]), Lo: uint64(w[2])<<32 | uint64(w[3])}
	if family == 4 {
		v = rules.U64(uint64(w[3]))
	}
	return string(appendAddr(nil, v, family))
}

func (a *argument) writePorts(d *xt.NAT) {
	a.writeNumber(uint64(d.PortLo))
	if d.PortLo != d.PortHi {
		a.write("-")
		a.writeNumber(uint64(d.PortHi))
	}
	if d.Shift {
		a.write("/")
		a.writeNumber(uint64(d.Base))
	}
}

// natPortProtos are the protocols that ports may be given with.
var natPortProtos = []int{protoTCP, protoUDP, protoSCTP, protoDCCP, protoICMP}

// natPorts reads "PORT", "PORT-PORT" or "PORT-PORT/BASE". Like the tools it
// takes service names for single ports and for the base only, and asks for the
// protocol in front of it.
func (a *argument) natPorts(s string, d *xt.NAT) error {
	if !a.p.f.alone && !slices.Contains(natPortProtos, a.p.proto) {
		return fmt.Errorf("ports need -p tcp, udp, sctp, dccp or icmp before it")
	}
	if n, err := parsePort(s); err == nil {
		d.PortLo, d.PortHi = uint16(n), uint16(n)
		d.MapPort = true
		return nil
	}
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		return fmt.Errorf("%q is neither a port in 0..65535 nor a known service", rules.Excerpt(s))
	}
	to, base, shift := strings.Cut(to, "/")
	lo, err1 := parseNumber(from, 65535)
	hi, err2 := parseNumber(to, 65535)
	switch {
	case err1 != nil || err2 != nil:
		return fmt.Errorf("%q is not a range of ports in 0..65535", rules.Excerpt(s))
	case lo > hi:
		return fmt.Errorf("range is reversed: %d is above %d", lo, hi)
	}
	d.MapPort, d.PortLo, d.PortHi = true, uint16(lo), uint16(hi)
	if shift {
		n, err := parsePort(base)
		if err != nil || n == 0 {
			return fmt.Errorf("base %q is neither a port in 1..65535 nor a known service", rules.Excerpt(base))
		}
		d.Shift, d.Base = true, uint16(n)
	}
	return nil
}

func parseToPorts(a *argument) error {
	d := dataOf[xt.NAT](a.m)
	if err := a.natPorts(a.vals[0].text, d); err != nil {
		return err
	}
	if d.Shift {
		return fmt.Errorf("ports are shifted by DNAT only")
	}
	a.writePorts(d)
	return nil
}

// parseNetmap reads a prefix.
func parseNetmap(a *argument) error {
	family := a.p.family()
	text, maskText, hasMask := strings.Cut(a.vals[0].text, "/")
	ip, err := parseHost(text, family)
	if err != nil {
		return err
	}
	bits := ip.BitLen()
	length := bits
	if hasMask {
		if length, _, err = parseMask(maskText, bits); err != nil {
			return err
		}
		if length < 0 {
			return fmt.Errorf("mask is not that of a prefix")
		}
	}
	iv := rules.PrefixInterval(addrValue(ip), length, bits)
	d := dataOf[xt.NAT](a.m)
	for i := range 4 {
		d.Lo[i], d.Hi[i] = word32(iv.Lo, i), word32(iv.Hi, i)
	}
	a.p.scratch = append(appendAddr(a.p.scratch, iv.Lo, family), '/')
	a.writeNumber(uint64(length))
	return nil
}

// word32 returns a word of a value of 128 bits, the most significant first.
func word32(v rules.Value, i int) uint32 { return uint32(v.Shr(32 * (3 - i)).Lo) }
