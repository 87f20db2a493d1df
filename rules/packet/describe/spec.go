package describe

// What a description says: read from its words, written back in one canonical
// form, or taken from a decoded packet.

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// spec is what a description says.
type spec struct {
	proto        uint8
	src, dst     netip.Addr
	sport, dport uint16
	ports        bool // some were written

	flags              uint8
	hasFlags, hasType  bool
	icmpType, icmpCode uint8
	ttl, tos           uint8
	hasTTL             bool
	length             uint32
	hasLength          bool
	id, offset, window uint16
	df, more           bool
	seq, ack           uint32
	hasWindow          bool
	options            []byte
	optionText         string
	spi                uint32
	cpi                uint16
	hasSPI, hasCPI     bool
	payload            string

	ethernet, hasVLAN bool
	smac, dmac        uint64
	vlan              uint16
	pktType           uint8
	hasPktType        bool

	meta
}

// meta is what a description says besides the packet's bytes.
type meta struct {
	in, out                 string
	hasIn, hasOut, hasState bool
	state                   uint8
	reply                   bool
	status                  uint32
	hasStatus, hasConn      bool // words about the connection
	ctmark                  uint32
	ctzone                  uint16
	cthelper                string
	seenPackets, seenBytes  uint64
	mark                    uint32
	hasMark                 bool
	owner                   packet.Owner
	hasUID, hasGID          bool
	cgroup                  packet.Cgroup
	hasCgroup               bool
	env                     packet.Env // plain parts
	hasTypes                bool
	bridge                  bool
	physIn, physOut         string
	reverse, socket         string // words with a few values, "" for not given
	ipsec, ipvs             string
	time                    time.Time
}

const (
	defaultSMAC = 0x020000000001
	defaultDMAC = 0x020000000002
	defaultPort = 50000
	laterOffset = 1480 / 8 // of "frag" alone: behind a first fragment of 1500 bytes
)

var (
	protoField = rules.Field{Name: "proto", Bits: 8, Kind: rules.Proto}
	portField  = rules.Field{Name: "port", Bits: 16, Kind: rules.Port}
)

// parse reads the tokens of a description.
func (s *spec) parse(text string, tokens []token) error {
	arrow := -1
	for i := range tokens {
		if r := tokens[i].raw; r == ">" || r == "->" {
			arrow = i
			break
		}
	}
	end := &Error{Offset: len(text), Reason: "a description is PROTOCOL SOURCE[:PORT] > DESTINATION[:PORT] WORD...: tcp 10.0.0.1:4242 > 192.0.2.7:443 in=eth0"}
	if arrow < 1 || arrow+1 >= len(tokens) {
		return end
	}
	s.sport = defaultPort
	var protoAt *token
	proto := func(t *token) bool {
		name := strings.ToLower(strings.TrimPrefix(t.raw, "proto="))
		if name == "icmpv6" || name == "icmp6" {
			name = "ipv6-icmp"
		}
		v, err := protoField.ParseValue(name)
		if err != nil || protoAt != nil {
			return false
		}
		s.proto, protoAt = uint8(v.Lo), t
		return true
	}
	var err error
	before := tokens[:arrow]
	if len(before) == 2 {
		if !proto(&before[0]) {
			return before[0].fail("no protocol; there are tcp, udp, icmp, icmpv6 and others by name or number")
		}
		before = before[1:]
	}
	if len(before) != 1 {
		return before[1].fail("more than a protocol and a source in front of >")
	}
	var hasSport, hasDport bool
	if s.src, s.sport, hasSport, err = endpoint(&before[0], defaultPort); err != nil {
		return err
	}
	to := &tokens[arrow+1]
	if s.dst, s.dport, hasDport, err = endpoint(to, 0); err != nil {
		return err
	}
	if s.src.Is4() != s.dst.Is4() {
		return to.fail("source and destination are of two families")
	}
	seen := map[string]bool{}
	type named struct {
		name string
		at   *token
	}
	var given []named
	for i := range tokens[arrow+2:] {
		t := &tokens[arrow+2+i]
		if (protoAt == nil || strings.HasPrefix(t.raw, "proto=")) && proto(t) {
			continue
		}
		w, value, err := findWord(*t)
		if err != nil {
			return err
		}
		if seen[w.Name] {
			return t.fail("%s is said twice", w.Name)
		}
		seen[w.Name] = true
		if err := s.set(w, *t, value); err != nil {
			return err
		}
		given = append(given, named{w.Name, t})
	}
	if protoAt == nil {
		return &Error{Offset: 0, Reason: "no protocol: begin with tcp, udp, icmp, icmpv6 or another name or number"}
	}
	for _, g := range given {
		if err := s.fits(g.name, g.at); err != nil {
			return err
		}
	}
	s.ports = hasSport || hasDport
	switch {
	case s.proto == packet.ICMP && s.dst.Is6():
		return protoAt.fail("ICMP of IPv4 addresses; between IPv6 addresses it is icmpv6")
	case s.proto == packet.ICMPv6 && s.dst.Is4():
		return protoAt.fail("ICMP of IPv6 addresses; between IPv4 addresses it is icmp")
	case s.ports && (!s.hasPorts() || s.offset != 0):
		what := "a later fragment has no ports"
		if s.offset == 0 {
			what = fmt.Sprintf("%s has no ports", protoAt.raw)
		}
		if hasDport {
			return to.fail("%s", what)
		}
		return before[0].fail("%s", what)
	case s.hasPorts() && s.offset == 0 && !hasDport:
		return to.fail("no port: write %s", netip.AddrPortFrom(s.dst, 443))
	case s.dst.Is6() && s.df:
		return end.about("df is for IPv4")
	}
	s.defaults()
	return nil
}

func (e *Error) about(reason string) error { return &Error{Offset: e.Offset, Reason: reason} }

// set reads the value of a word.
func (s *spec) set(w *Word, t token, value string) error {
	if err := w.set(s, value); err != nil {
		return t.fail("%v", err)
	}
	return nil
}

// fits reports a word that does not go with the protocol.
func (s *spec) fits(name string, t *token) error {
	ok, who := true, ""
	switch name {
	case "flags", "seq", "ack", "window", "options":
		ok, who = s.proto == packet.TCP, "tcp"
	case "type", "code":
		ok, who = s.isICMP(), "icmp and icmpv6"
	case "spi":
		ok, who = s.proto == protoESP || s.proto == protoAH && s.src.Is4(), "esp, and ah in IPv4"
	case "cpi":
		ok, who = s.proto == protoIPComp, "ipcomp"
	}
	if !ok {
		return t.fail("%s is for %s", name, who)
	}
	return nil
}

// defaults fills in what the description leaves open.
func (s *spec) defaults() {
	if !s.hasTTL {
		s.ttl = 64
	}
	if s.proto == packet.TCP && !s.hasFlags {
		s.flags = 2 // SYN
		if s.hasState && s.state&2 != 0 {
			s.flags = 16 // ACK: an established connection
		}
	}
	if s.isICMP() && !s.hasType {
		if s.icmpType = 8; s.proto == packet.ICMPv6 {
			s.icmpType = 128
		}
	}
	if s.ethernet {
		if s.smac == 0 {
			s.smac = defaultSMAC
		}
		if s.dmac == 0 {
			s.dmac = defaultDMAC
		}
	}
}

// endpoint reads an address and its port.
func endpoint(t *token, port uint16) (netip.Addr, uint16, bool, error) {
	text := t.raw
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil && a.Zone() == "" && (text[0] != '[') == (text[len(text)-1] != ']') {
		return a, port, false, nil
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return netip.Addr{}, 0, false, t.fail("not an address: 10.0.0.1, 10.0.0.1:80, 2001:db8::1 or [2001:db8::1]:80")
	}
	host, name := text[:i], text[i+1:]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	} else if strings.Contains(host, ":") {
		return netip.Addr{}, 0, false, t.fail("not an address; an IPv6 address with a port is written [2001:db8::1]:80")
	}
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, 0, false, t.fail("not an address: %q", host)
	}
	v, err := portField.ParseValue(name)
	if err != nil {
		return netip.Addr{}, 0, false, t.fail("not a port: %q", name)
	}
	return a, uint16(v.Lo), true, nil
}

const (
	protoESP    = 50
	protoAH     = 51
	protoIPComp = 108
)

func (s *spec) isICMP() bool { return s.proto == packet.ICMP || s.proto == packet.ICMPv6 }

func (s *spec) hasPorts() bool {
	switch s.proto {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP:
		return true
	}
	return false
}

// String writes the description in canonical form.
func (s *spec) String() string {
	var b strings.Builder
	switch name := rules.ProtocolName(s.proto); {
	case s.proto == packet.ICMPv6:
		b.WriteString("icmpv6")
	case name != "":
		b.WriteString(name)
	default:
		b.WriteString(strconv.Itoa(int(s.proto)))
	}
	ports := s.hasPorts() && s.offset == 0
	end := func(a netip.Addr, port uint16) {
		if ports {
			b.WriteString(netip.AddrPortFrom(a, port).String())
		} else {
			b.WriteString(a.String())
		}
	}
	b.WriteByte(' ')
	end(s.src, s.sport)
	b.WriteString(" > ")
	end(s.dst, s.dport)
	for i := range words {
		w := &words[i]
		if w.get == nil {
			continue
		}
		text, ok := w.get(s)
		if !ok {
			continue
		}
		b.WriteByte(' ')
		switch {
		case w.Name == "flags":
			if s.flags == 0 {
				b.WriteString("flags=")
			}
			b.WriteString(text)
		case w.Form == "":
			b.WriteString(w.Name)
		default:
			b.WriteString(w.Name + "=" + text)
		}
	}
	return b.String()
}
