package describe

// The words of the language: their names, what they mean, how their values are
// read and written.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Word is a word NAME=VALUE, or NAME alone, of a description.
type Word struct {
	Name string
	Form string // of the value, "" for a word that stands alone
	Help string // what it says, and what holds without it
	Meta bool   // it is not about the packet's bytes
	Link bool   // it is about the link layer; ParseMeta takes it for packets that were captured without

	set func(s *spec, value string) error
	get func(s *spec) (string, bool)
}

// Words returns the words in the order in which String writes them.
func Words() []Word { return slices.Clone(words) }

// words are in canonical order.
var words = []Word{
	// The headers.
	{Name: "flags", Form: "FLAG,...", Help: "TCP flags, also without flags=: SYN,ACK; none. SYN when not given, ACK in a connection that is established",
		set: func(s *spec, v string) error { return s.setFlags(v) },
		get: func(s *spec) (string, bool) { return flagNames(s.flags), s.proto == packet.TCP && s.offset == 0 }},
	{Name: "type", Form: "N|NAME", Help: "type of ICMP or ICMPv6; echo request when not given",
		set: func(s *spec, v string) error { return s.setType(v) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.icmpType)), s.isICMP() && s.offset == 0 }},
	{Name: "code", Form: "N", Help: "code of ICMP or ICMPv6; 0 when not given",
		set: func(s *spec, v string) error { return setBits(v, &s.icmpCode, 8) },
		get: func(s *spec) (string, bool) {
			return strconv.Itoa(int(s.icmpCode)), s.isICMP() && s.offset == 0 && s.icmpCode != 0
		}},
	{Name: "ttl", Form: "N", Help: "TTL or hop limit; 64",
		set: func(s *spec, v string) error { s.hasTTL = true; return setBits(v, &s.ttl, 8) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.ttl)), s.hasTTL && s.ttl != 64 }},
	{Name: "tos", Form: "N", Help: "TOS or traffic class, all 8 bits; 0",
		set: func(s *spec, v string) error { return setBits(v, &s.tos, 8) },
		get: func(s *spec) (string, bool) { return fmt.Sprintf("0x%02x", s.tos), s.tos != 0 }},
	{Name: "dscp", Form: "N|CLASS", Help: "the upper six bits of tos: a number, CS0-CS7, AF11-AF43, EF",
		set: func(s *spec, v string) error { return s.setDSCP(v) }},
	{Name: "ecn", Form: "N", Help: "the lower two bits of tos",
		set: func(s *spec, v string) error {
			var n uint8
			err := setBits(v, &n, 2)
			s.tos = s.tos&^3 | n
			return err
		}},
	{Name: "length", Form: "BYTES", Help: "IP total length, zeros behind the payload; as long as the headers and the payload are",
		set: func(s *spec, v string) error { s.hasLength = true; return setBits(v, &s.length, 17) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.length)), s.hasLength }},
	{Name: "id", Form: "N", Help: "IPv4 identification; 0",
		set: func(s *spec, v string) error { return setBits(v, &s.id, 16) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.id)), s.id != 0 }},
	{Name: "df", Help: "IPv4: do not fragment",
		set: func(s *spec, v string) error { s.df = true; return nil },
		get: func(s *spec) (string, bool) { return "", s.df }},
	{Name: "mf", Help: "more fragments follow",
		set: func(s *spec, v string) error { s.more = true; return nil },
		get: func(s *spec) (string, bool) { return "", s.more }},
	{Name: "frag", Form: "BYTES", Help: "a fragment that begins so many bytes into the packet, a multiple of 8; without a value 1480. It has no ports",
		set: func(s *spec, v string) error { return s.setFrag(v) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.offset) * 8), s.offset != 0 }},
	{Name: "seq", Form: "N", Help: "TCP sequence number; 0",
		set: func(s *spec, v string) error { return setBits(v, &s.seq, 32) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.seq)), s.seq != 0 }},
	{Name: "ack", Form: "N", Help: "TCP acknowledgement number; 0",
		set: func(s *spec, v string) error { return setBits(v, &s.ack, 32) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.ack)), s.ack != 0 }},
	{Name: "window", Form: "N", Help: "TCP window; 65535",
		set: func(s *spec, v string) error { s.hasWindow = true; return setBits(v, &s.window, 16) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.window)), s.hasWindow }},
	{Name: "options", Form: "OPTION,...", Help: "TCP options: mss:N, wscale:N, sackok, timestamp, nop, or KIND[:HEX]",
		set: func(s *spec, v string) error { return s.setOptions(v) },
		get: func(s *spec) (string, bool) { return s.optionText, s.optionText != "" }},
	{Name: "spi", Form: "N", Help: "security parameter index of esp, and of ah in IPv4",
		set: func(s *spec, v string) error { s.hasSPI = true; return setBits(v, &s.spi, 32) },
		get: func(s *spec) (string, bool) { return fmt.Sprintf("0x%x", s.spi), s.hasSPI }},
	{Name: "cpi", Form: "N", Help: "compression parameter index of ipcomp",
		set: func(s *spec, v string) error { s.hasCPI = true; return setBits(v, &s.cpi, 16) },
		get: func(s *spec) (string, bool) { return fmt.Sprintf("0x%x", s.cpi), s.hasCPI }},
	{Name: "payload", Form: `"TEXT"`, Help: `bytes behind the transport header; \xNN, \r, \n, \t, \\ and \" as in Go`,
		set: func(s *spec, v string) error { s.payload = v; return nil },
		get: func(s *spec) (string, bool) { return quote(s.payload), s.payload != "" }},
	{Name: "mac", Form: "MAC", Help: "Ethernet source; without mac, dmac and vlan the packet has no Ethernet header", Link: true,
		set: func(s *spec, v string) error { s.ethernet = true; return setMAC(v, &s.smac) },
		get: func(s *spec) (string, bool) { return macText(s.smac), s.ethernet && s.smac != defaultSMAC }},
	{Name: "dmac", Form: "MAC", Help: "Ethernet destination",
		set: func(s *spec, v string) error { s.ethernet = true; return setMAC(v, &s.dmac) },
		get: func(s *spec) (string, bool) { return macText(s.dmac), s.ethernet }},
	{Name: "vlan", Form: "ID", Help: "VLAN tag",
		set: func(s *spec, v string) error { s.ethernet, s.hasVLAN = true, true; return setBits(v, &s.vlan, 12) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.vlan)), s.hasVLAN }},
	{Name: "pkttype", Form: "NAME", Help: "unicast, broadcast, multicast; by dmac when not given; with neither, conditions on it do not hold", Link: true,
		set: func(s *spec, v string) error { return s.setPktType(v) },
		get: func(s *spec) (string, bool) {
			f := rules.Field{Name: "pkttype", Bits: 3, Kind: rules.Enum, Symbols: rules.PacketTypes}
			return f.FormatValue(rules.U64(uint64(s.pktType))), s.hasPktType
		}},

	// What the bytes do not say.
	{Name: "in", Form: "NAME", Help: "interface that it came in by; empty: none, a packet of this machine", Meta: true,
		set: func(s *spec, v string) error { s.hasIn = true; return setName(v, &s.in) },
		get: func(s *spec) (string, bool) { return s.in, s.hasIn }},
	{Name: "out", Form: "NAME", Help: "interface that it leaves by; empty: none", Meta: true,
		set: func(s *spec, v string) error { s.hasOut = true; return setName(v, &s.out) },
		get: func(s *spec) (string, bool) { return s.out, s.hasOut }},
	{Name: "ctstate", Form: "STATE,...", Help: "connection: NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED, SNAT, DNAT; when not given, conditions on the connection do not hold", Meta: true,
		set: func(s *spec, v string) error { s.hasState = true; return setSymbols(v, &s.state, rules.CTStates) },
		get: func(s *spec) (string, bool) { return symbolText(uint64(s.state), rules.CTStates), s.hasState }},
	{Name: "ctdir", Form: "ORIGINAL|REPLY", Help: "the packet's direction in its connection; ORIGINAL", Meta: true,
		set: func(s *spec, v string) error {
			s.reply = strings.EqualFold(v, "reply")
			if !s.reply && !strings.EqualFold(v, "original") {
				return fmt.Errorf("ORIGINAL or REPLY")
			}
			return nil
		},
		get: func(s *spec) (string, bool) { return "REPLY", s.reply }},
	{Name: "ctstatus", Form: "STATUS,...", Help: "EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED; by ctstate when not given", Meta: true,
		set: func(s *spec, v string) error { s.hasStatus = true; return setSymbols(v, &s.status, packet.CTStatuses) },
		get: func(s *spec) (string, bool) { return symbolText(uint64(s.status), packet.CTStatuses), s.hasStatus }},
	number("ctmark", "mark of the connection; 0", true, func(s *spec) *uint32 { return &s.ctmark }),
	number("ctzone", "conntrack zone; 0", false, func(s *spec) *uint16 { return &s.ctzone }),
	{Name: "cthelper", Form: "NAME", Help: "helper of the connection; none", Meta: true,
		set: func(s *spec, v string) error { s.cthelper = v; return nil },
		get: func(s *spec) (string, bool) { return bare(s.cthelper), s.cthelper != "" }},
	number("ctpackets", "packets so far in the original direction, this one counted; 1", false, func(s *spec) *uint64 { return &s.seenPackets }),
	number("ctbytes", "bytes so far in the original direction; the packet's length", false, func(s *spec) *uint64 { return &s.seenBytes }),
	number("mark", "firewall mark; 0", true, func(s *spec) *uint32 { return &s.mark }),
	{Name: "uid", Form: "N", Help: "user of the socket that sends it; unknown when neither uid nor gid is given; none: no socket", Meta: true,
		set: func(s *spec, v string) error { return s.setOwner(v, &s.owner.UID, &s.hasUID) },
		get: func(s *spec) (string, bool) {
			if s.hasUID && !s.owner.Exists {
				return "none", true
			}
			return strconv.Itoa(int(s.owner.UID)), s.hasUID
		}},
	{Name: "gid", Form: "N", Help: "and its group", Meta: true,
		set: func(s *spec, v string) error { return s.setOwner(v, &s.owner.GID, &s.hasGID) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(s.owner.GID)), s.hasGID && s.owner.Exists }},
	{Name: "cgroup", Form: "PATH", Help: "control group of its socket; unknown when not given", Meta: true,
		set: func(s *spec, v string) error { s.hasCgroup, s.cgroup.Exists, s.cgroup.Path = true, true, v; return nil },
		get: func(s *spec) (string, bool) { return bare(s.cgroup.Path), s.hasCgroup && s.cgroup.Path != "" }},
	{Name: "classid", Form: "N", Help: "net_cls class of its socket", Meta: true,
		set: func(s *spec, v string) error {
			s.hasCgroup, s.cgroup.Exists = true, true
			return setBits(v, &s.cgroup.ClassID, 32)
		},
		get: func(s *spec) (string, bool) {
			return fmt.Sprintf("0x%x", s.cgroup.ClassID), s.hasCgroup && s.cgroup.ClassID != 0
		}},
	env("cpu", "processor that handles it", packet.HasCPU, func(e *packet.Env) *uint32 { return &e.CPU }),
	env("ingroup", "device group of the interface in=", packet.HasInGroup, func(e *packet.Env) *uint32 { return &e.InGroup }),
	env("outgroup", "device group of the interface out=", packet.HasOutGroup, func(e *packet.Env) *uint32 { return &e.OutGroup }),
	env("realm", "routing realm", packet.HasRealm, func(e *packet.Env) *uint32 { return &e.Realm }),
	addrType("srctype", "what the routing tables say of the source: UNICAST, LOCAL, BROADCAST, ...", func(e *packet.Env) *uint16 { return &e.SrcType }),
	addrType("dsttype", "and of the destination", func(e *packet.Env) *uint16 { return &e.DstType }),
	env("mtu", "smallest MTU on its way, for TCPMSS --clamp-mss-to-pmtu", packet.HasPathMTU, func(e *packet.Env) *uint32 { return &e.PathMTU }),
	addr("inaddr", "address of the interface in=", packet.HasInAddr, func(e *packet.Env) *[4]uint32 { return &e.InAddr }),
	addr("outaddr", "address of the interface out=", packet.HasOutAddr, func(e *packet.Env) *[4]uint32 { return &e.OutAddr }),
	oneOf("rpfilter", []string{"pass", "loose", "fail"}, "the way back to its source: by the interface that it came in by, by another, or none", func(s *spec) *string { return &s.reverse }),
	oneOf("socket", []string{"none", "found", "wildcard", "transparent"}, "the local socket that would take it", func(s *spec) *string { return &s.socket }),
	oneOf("ipsec", []string{"none"}, "no IPsec transformation, for the match policy", func(s *spec) *string { return &s.ipsec }),
	oneOf("ipvs", []string{"none"}, "no virtual server connection", func(s *spec) *string { return &s.ipvs }),
	{Name: "physin", Form: "NAME", Help: "bridge port that it came in by; none: it does not come through a bridge", Meta: true,
		set: func(s *spec, v string) error { return s.setPort(v, &s.physIn) },
		get: func(s *spec) (string, bool) {
			if s.physIn == "" && s.physOut == "" {
				return "none", s.bridge
			}
			return s.physIn, s.physIn != ""
		}},
	{Name: "physout", Form: "NAME", Help: "bridge port that it leaves by", Meta: true,
		set: func(s *spec, v string) error { return s.setPort(v, &s.physOut) },
		get: func(s *spec) (string, bool) { return s.physOut, s.physOut != "" }},
	{Name: "time", Form: "TIME", Help: "when it is, 2024-05-14T09:30:00Z", Meta: true,
		set: func(s *spec, v string) error {
			t, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return fmt.Errorf("write times as 2024-05-14T09:30:00Z or with a zone, +02:00")
			}
			s.time = t
			return nil
		},
		get: func(s *spec) (string, bool) { return s.time.Format(time.RFC3339Nano), !s.time.IsZero() }},
}

// number is a word for a number of which 0 is not written.
func number[N uint16 | uint32 | uint64](name, help string, hex bool, at func(*spec) *N) Word {
	return Word{Name: name, Form: "N", Help: help, Meta: true,
		set: func(s *spec, v string) error {
			if strings.HasPrefix(name, "ct") {
				s.hasConn = true
			}
			if name == "mark" {
				s.hasMark = true
			}
			return setBits(v, at(s), 0)
		},
		get: func(s *spec) (string, bool) {
			if hex {
				return fmt.Sprintf("0x%x", *at(s)), *at(s) != 0
			}
			return fmt.Sprint(*at(s)), *at(s) != 0
		}}
}

// env is a word for a number of the environment.
func env(name, help string, has packet.EnvFields, at func(*packet.Env) *uint32) Word {
	return Word{Name: name, Form: "N", Help: help + "; unknown when not given", Meta: true,
		set: func(s *spec, v string) error { s.env.Has |= has; return setBits(v, at(&s.env), 32) },
		get: func(s *spec) (string, bool) { return strconv.Itoa(int(*at(&s.env))), s.env.Has&has != 0 }}
}

// addr is a word for an address of the environment.
func addr(name, help string, has packet.EnvFields, at func(*packet.Env) *[4]uint32) Word {
	f := rules.Field{Name: name, Bits: 128, Kind: rules.IP}
	return Word{Name: name, Form: "ADDRESS", Help: help + "; unknown when not given", Meta: true,
		set: func(s *spec, v string) error {
			x, err := f.ParseValue(v)
			if err != nil {
				return err
			}
			s.env.Has |= has
			*at(&s.env) = [4]uint32{uint32(x.Hi >> 32), uint32(x.Hi), uint32(x.Lo >> 32), uint32(x.Lo)}
			return nil
		},
		get: func(s *spec) (string, bool) {
			w := at(&s.env)
			return f.FormatValue(rules.Value{Hi: uint64(w[0])<<32 | uint64(w[1]), Lo: uint64(w[2])<<32 | uint64(w[3])}), s.env.Has&has != 0
		}}
}

// oneOf is a word with a few values.
func oneOf(name string, values []string, help string, at func(*spec) *string) Word {
	return Word{Name: name, Form: strings.Join(values, "|"), Help: help + "; unknown when not given", Meta: true,
		set: func(s *spec, v string) error {
			if !slices.Contains(values, v) {
				return fmt.Errorf("not one of %s", strings.Join(values, ", "))
			}
			*at(s) = v
			return nil
		},
		get: func(s *spec) (string, bool) { return *at(s), *at(s) != "" }}
}

func addrType(name, help string, at func(*packet.Env) *uint16) Word {
	return Word{Name: name, Form: "TYPE", Help: help + "; unknown when not given", Meta: true,
		set: func(s *spec, v string) error { s.hasTypes = true; return setSymbols(v, at(&s.env), packet.AddrTypes) },
		get: func(s *spec) (string, bool) {
			v := *at(&s.env)
			return symbolText(uint64(v), packet.AddrTypes), s.hasTypes && v != 0
		}}
}

// setBits reads a number of so many bits, those of its type for 0.
func setBits[N uint8 | uint16 | uint32 | uint64](v string, to *N, bits int) error {
	most := uint64(^N(0))
	if bits != 0 && bits < 64 {
		most = min(most, 1<<bits-1)
	}
	n, err := strconv.ParseUint(v, 0, 64)
	if err != nil || n > most || strings.Contains(v, "_") {
		return fmt.Errorf("not a number in 0..%d", most)
	}
	*to = N(n)
	return nil
}

func setName(v string, to *string) error {
	if len(v) > 15 || strings.ContainsAny(v, "/ \t\"") {
		return fmt.Errorf("not the name of an interface: up to 15 letters, no slash")
	}
	*to = v
	return nil
}

// setSymbols reads names of bits.
func setSymbols[N uint8 | uint16 | uint32](v string, to *N, symbols []rules.Symbol) error {
	*to = 0
	if strings.EqualFold(v, "none") {
		return nil
	}
next:
	for _, name := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == '+' }) {
		for _, s := range symbols {
			if strings.EqualFold(s.Name, name) {
				*to |= N(s.Value)
				continue next
			}
		}
		var known []string
		for _, s := range symbols {
			known = append(known, s.Name)
		}
		return fmt.Errorf("no %s: there are %s", name, strings.Join(known, ", "))
	}
	return nil
}

func symbolText(v uint64, symbols []rules.Symbol) string {
	var names []string
	for _, s := range symbols {
		if v&s.Value != 0 {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

var macField = rules.Field{Name: "mac", Bits: 48, Kind: rules.MAC}

func setMAC(v string, to *uint64) error {
	x, err := macField.ParseValue(v)
	*to = x.Lo
	return err
}

func macText(v uint64) string { return macField.FormatValue(rules.U64(v)) }

// bare quotes a text when it has to be.
func bare(s string) string {
	if strings.ContainsAny(s, " \t\"\\") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return quote(s)
	}
	return s
}
