package nftables

// Expressions on the left of a comparison: which operand they are.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// unmodelled is what an expression or a statement is that is not modelled.
type unmodelled struct {
	name string
	at   int
	// deps are conditions that it asks for all the same.
	deps []rules.Cond
}

func (u *unmodelled) Error() string { return u.name }

// headerField is a field of a header: of payload, by "protocol field".
type headerField struct {
	field string
	typ   *datatype
	proto uint64 // of the transport header; noProto: of none
	v     int    // 4 or 6: of that family alone
	add   uint64
	how   special
}

const noProto = 256

var headerFields = map[string]headerField{
	"ip saddr":        {"src", addr4Type, noProto, 4, 0, plain},
	"ip daddr":        {"dst", addr4Type, noProto, 4, 0, plain},
	"ip protocol":     {"proto", protoType, noProto, 4, 0, plain},
	"ip dscp":         {"dscp", dscpType, noProto, 4, 0, plain},
	"ip ecn":          {"ecn", ecnType, noProto, 4, 0, plain},
	"ip ttl":          {"ttl", byteType, noProto, 4, 0, plain},
	"ip length":       {"length", shortType, noProto, 4, 0, plain},
	"ip frag-off":     {"frag", shortType, noProto, 4, 0, fragoff},
	"ip6 saddr":       {"src", addr6Type, noProto, 6, 0, plain},
	"ip6 daddr":       {"dst", addr6Type, noProto, 6, 0, plain},
	"ip6 nexthdr":     {"proto", protoType, noProto, 6, 0, nexthdr},
	"ip6 dscp":        {"dscp", dscpType, noProto, 6, 0, plain},
	"ip6 ecn":         {"ecn", ecnType, noProto, 6, 0, plain},
	"ip6 hoplimit":    {"ttl", byteType, noProto, 6, 0, plain},
	"ip6 length":      {"length", shortType, noProto, 6, 40, plain},
	"tcp sport":       {"sport", serviceType, packet.TCP, 0, 0, plain},
	"tcp dport":       {"dport", serviceType, packet.TCP, 0, 0, plain},
	"tcp flags":       {"tcpflags", tcpflagsType, packet.TCP, 0, 0, plain},
	"udp sport":       {"sport", serviceType, packet.UDP, 0, 0, plain},
	"udp dport":       {"dport", serviceType, packet.UDP, 0, 0, plain},
	"udplite sport":   {"sport", serviceType, packet.UDPLite, 0, 0, plain},
	"udplite dport":   {"dport", serviceType, packet.UDPLite, 0, 0, plain},
	"sctp sport":      {"sport", serviceType, packet.SCTP, 0, 0, plain},
	"sctp dport":      {"dport", serviceType, packet.SCTP, 0, 0, plain},
	"dccp sport":      {"sport", serviceType, packet.DCCP, 0, 0, plain},
	"dccp dport":      {"dport", serviceType, packet.DCCP, 0, 0, plain},
	"dccp type":       {"dccptype", dccpType, packet.DCCP, 0, 0, plain},
	"th sport":        {"sport", serviceType, noProto, 0, 0, plain},
	"th dport":        {"dport", serviceType, noProto, 0, 0, plain},
	"icmp type":       {"icmptype", icmptypeType, packet.ICMP, 4, 0, plain},
	"icmp code":       {"icmpcode", icmpcodeType, packet.ICMP, 4, 0, plain},
	"icmpv6 type":     {"icmptype", icmpv6typeType, packet.ICMPv6, 6, 0, plain},
	"icmpv6 code":     {"icmpcode", icmpv6codeType, packet.ICMPv6, 6, 0, plain},
	"ah spi":          {"ahspi", wordType, packet.AH, 0, 0, plain},
	"esp spi":         {"espspi", wordType, packet.ESP, 0, 0, plain},
	"comp cpi":        {"cpi", shortType, packet.IPComp, 0, 0, plain},
	"ether saddr":     {"smac", macType, noProto, 0, 0, plain},
	"ether daddr":     {"dmac", macType, noProto, 0, 0, plain},
	"exthdr frag id":  {"fragid", wordType, noProto, 6, 0, plain},
	"exthdr rt type":  {"rttype", byteType, noProto, 6, 0, plain},
	"exthdr mh type":  {"mhtype", mhType, noProto, 6, 0, plain},
	"meta length":     {"length", wordType, noProto, 0, 0, plain},
	"meta l4proto":    {"proto", protoType, noProto, 0, 0, plain},
	"meta mark":       {"mark", wordType, noProto, 0, 0, plain},
	"meta iifname":    {"iif", ifnameType, noProto, 0, 0, plain},
	"meta oifname":    {"oif", ifnameType, noProto, 0, 0, plain},
	"meta iif":        {"iif", ifnameType, noProto, 0, 0, plain},
	"meta oif":        {"oif", ifnameType, noProto, 0, 0, plain},
	"meta pkttype":    {"pkttype", pkttypeType, noProto, 0, 0, plain},
	"meta skuid":      {"proto", wordType, noProto, 0, 0, owner},
	"meta skgid":      {"proto", wordType, noProto, 0, 0, owner},
	"ct state":        {"ctstate", ctstateType, noProto, 0, 0, ctstate},
	"ct status":       {"ctstatus", ctstatusType, noProto, 0, 0, plain},
	"ct mark":         {"ctmark", wordType, noProto, 0, 0, plain},
	"ct direction":    {"ctdir", ctdirType, noProto, 0, 0, plain},
	"ct protocol":     {"ctproto", protoType, noProto, 0, 0, plain},
	"original saddr":  {"ctorigsrc", nil, noProto, 0, 0, plain},
	"original daddr":  {"ctorigdst", nil, noProto, 0, 0, plain},
	"reply saddr":     {"ctreplsrc", nil, noProto, 0, 0, plain},
	"reply daddr":     {"ctrepldst", nil, noProto, 0, 0, plain},
	"original sport":  {"ctorigsport", serviceType, noProto, 0, 0, plain},
	"original dport":  {"ctorigdport", serviceType, noProto, 0, 0, plain},
	"reply sport":     {"ctreplsport", serviceType, noProto, 0, 0, plain},
	"reply dport":     {"ctrepldport", serviceType, noProto, 0, 0, plain},
	"option maxseg":   {"mss", shortType, packet.TCP, 0, 0, plain},
	"option existing": {"tcpopts0", boolType, noProto, 0, 0, tcpopt},
	"header existing": {"exthdrs", boolType, noProto, 6, 0, exthdr},
}

// tcpOptions are the kinds of TCP options whose presence is asked for. Those of a
// single byte are left out: nft overlooks them at the end of the header.
var tcpOptions = map[string]int{"maxseg": 2, "window": 3, "sack-perm": 4, "sack": 5, "timestamp": 8, "md5sig": 19, "mptcp": 30, "fastopen": 34}

// extHeaders are the bits of the extension headers whose presence is asked for.
var extHeaders = map[string]uint64{"hbh": packet.ExtHop, "dst": packet.ExtDst, "rt": packet.ExtRoute, "frag": packet.ExtFrag}

// operand reads an expression. An *unmodelled says that it is not modelled.
func (s *scope) operand(r *reader, v *value) (*operand, error) {
	key, x := v.only()
	if x == nil {
		return nil, r.expect(v, "an expression: payload, meta, ct, exthdr or another")
	}
	switch key {
	case "&", "|", "^":
		return s.bitwise(r, v, key, x)
	case "payload":
		return s.payload(r, x)
	case "meta":
		if err := r.members(x, "meta", "key"); err != nil {
			return nil, err
		}
		name, err := r.text(x, "key")
		if err != nil {
			return nil, err
		}
		switch name {
		case "nfproto":
			return s.familyOperand(nfprotoType, nfprotoIPv4, nfprotoIPv6), nil
		case "protocol":
			return s.familyOperand(ethertype, 0x0800, 0x86dd), nil
		}
		o := s.known("meta " + name)
		if o == nil {
			return nil, &unmodelled{name: "match meta " + name, at: v.at}
		}
		return o, nil
	case "ct":
		return s.ct(r, x)
	case "exthdr":
		return s.exthdr(r, x)
	case "tcp option":
		return s.tcpOption(r, x)
	}
	return nil, &unmodelled{name: "match " + key, at: v.at}
}

// text returns a member that is a text.
func (r *reader) text(v *value, key string) (string, error) {
	m := v.get(key)
	if m == nil {
		return "", r.expect(v, fmt.Sprintf("a member %q", key))
	}
	if m.kind != isString {
		return "", r.expect(m, "a text")
	}
	return m.text, nil
}

// known returns the operand of a name; nil when there is none.
func (s *scope) known(name string) *operand {
	h, ok := headerFields[name]
	if !ok {
		return nil
	}
	o := &operand{key: name, field: fieldAt[h.field], typ: h.typ, how: h.how, add: rules.U64(h.add)}
	if universe[o.field].Bits == 0 {
		s.address(o)
		return o
	}
	if h.v != 0 {
		o.family(s, h.v)
	}
	if h.proto != noProto {
		o.deps = append(o.deps, isProto(h.proto))
	}
	return o
}

// family asks for packets of a family.
func (o *operand) family(s *scope, family int) {
	conds, ok := s.ofFamily(family)
	if !ok { // the table sees none
		conds = []rules.Cond{rules.In(fieldSrc)}
	}
	o.deps = append(o.deps, conds...)
}

// address places an operand among the addresses of the listing.
func (s *scope) address(o *operand) {
	switch {
	case s.kind != 0:
	case o.typ == addr4Type:
		o.add, o.within = mapped, []rules.Interval{v4}
	default:
		o.within = v6
	}
	if four := o.typ == addr4Type; s.family != 0 && (s.family == 4) != four {
		o.deps = append(o.deps, rules.In(fieldSrc))
	}
}

// familyOperand is the family of a packet, as a value that is one number for IPv4
// and another for IPv6.
func (s *scope) familyOperand(d *datatype, four, six uint64) *operand {
	return &operand{key: fmt.Sprintf("family %d", four), field: fieldSrc, typ: d, how: family, xor: rules.Value{Hi: four, Lo: six}, within: s.sees()}
}

// payload reads a field of a header.
func (s *scope) payload(r *reader, x *value) (*operand, error) {
	if x.kind == isObject && x.get("protocol") == nil {
		name := "match raw payload"
		if b := x.get("base"); b != nil {
			name += " of " + b.short()
		}
		return nil, &unmodelled{name: name, at: x.at}
	}
	if err := r.members(x, "payload", "protocol", "field"); err != nil {
		if x.kind == isObject && x.get("tunnel") != nil {
			return nil, &unmodelled{name: "match of a header in a tunnel", at: x.at}
		}
		return nil, err
	}
	proto, err := r.text(x, "protocol")
	if err != nil {
		return nil, err
	}
	field, err := r.text(x, "field")
	if err != nil {
		return nil, err
	}
	name := proto + " " + field
	if o := s.known(name); o != nil {
		if alone := headerFields[name].v; proto[:min(4, len(proto))] == "icmp" && s.family != 0 && s.family != alone {
			return nil, &unmodelled{name: fmt.Sprintf("match %s in IPv%d", name, s.family), at: x.at}
		}
		return o, nil
	}
	u := &unmodelled{name: "match " + name, at: x.at}
	if n, ok := rules.ProtocolNumber(proto); ok && proto != "ip" && proto != "ip6" {
		u.deps = []rules.Cond{isProto(uint64(n))}
	}
	return nil, u
}

// ct reads what is asked of a connection.
func (s *scope) ct(r *reader, x *value) (*operand, error) {
	if err := r.members(x, "ct", "key", "dir", "family"); err != nil {
		return nil, err
	}
	key, err := r.text(x, "key")
	if err != nil {
		return nil, err
	}
	dir, typ := "", (*datatype)(nil)
	if d := x.get("dir"); d != nil {
		if dir, err = r.text(x, "dir"); err != nil {
			return nil, err
		}
		if dir != "original" && dir != "reply" {
			return nil, r.expect(d, "original or reply")
		}
	}
	name := "ct " + key
	if dir != "" {
		family, what, both := strings.Cut(key, " ")
		if !both {
			what, family = key, map[int]string{4: "ip", 6: "ip6"}[s.family]
			if f := x.get("family"); f != nil && f.kind == isString {
				family = f.text
			}
		}
		switch family {
		case "ip":
			typ = addr4Type
		case "ip6":
			typ = addr6Type
		}
		switch what {
		case "proto-src":
			what = "sport"
		case "proto-dst":
			what = "dport"
		}
		name = dir + " " + what
	}
	h, ok := headerFields[name]
	if !ok || h.typ == nil && typ == nil {
		return nil, &unmodelled{name: strings.TrimSpace("match ct "+dir) + " " + key, at: x.at}
	}
	if h.typ != nil {
		return s.known(name), nil
	}
	o := &operand{key: name + fmt.Sprint(typ.bits), field: fieldAt[h.field], typ: typ}
	s.address(o)
	return o, nil
}

// exthdr reads a field of an extension header, or whether there is one.
func (s *scope) exthdr(r *reader, x *value) (*operand, error) {
	if err := r.members(x, "exthdr", "name", "field", "offset"); err != nil {
		return nil, err
	}
	name, err := r.text(x, "name")
	if err != nil {
		return nil, err
	}
	if x.get("field") == nil {
		if bit, ok := extHeaders[name]; ok {
			o := s.known("header existing")
			o.key, o.mask = "header "+name, rules.U64(bit)
			return o, nil
		}
		return nil, &unmodelled{name: "match exthdr " + name, at: x.at}
	}
	field, err := r.text(x, "field")
	if err != nil {
		return nil, err
	}
	if o := s.known("exthdr " + name + " " + field); o != nil {
		return o, nil
	}
	return nil, &unmodelled{name: "match " + name + " " + field, at: x.at}
}

// tcpOption reads a field of a TCP option, or whether there is one.
func (s *scope) tcpOption(r *reader, x *value) (*operand, error) {
	if x.kind == isObject && x.get("name") == nil {
		return nil, &unmodelled{name: "match raw tcp option", at: x.at}
	}
	if err := r.members(x, "tcp option", "name", "field"); err != nil {
		return nil, err
	}
	name, err := r.text(x, "name")
	if err != nil {
		return nil, err
	}
	if x.get("field") == nil {
		if kind, ok := tcpOptions[name]; ok {
			o := s.known("option existing")
			o.key, o.mask = "option "+name, rules.U64(1).Shl(kind)
			return o, nil
		}
		return nil, &unmodelled{name: "match tcp option " + name, at: x.at}
	}
	field, err := r.text(x, "field")
	if err != nil {
		return nil, err
	}
	if name == "maxseg" && field == "size" {
		return s.known("option maxseg"), nil
	}
	return nil, &unmodelled{name: "match tcp option " + name + " " + field, at: x.at}
}

// bitwise reads an operand with constants: (a & mask), (a | bits), (a ^ bits), one
// in the other.
func (s *scope) bitwise(r *reader, v *value, op string, x *value) (*operand, error) {
	if x.kind != isList || len(x.list) < 2 {
		return nil, r.expect(x, "a list of two operands or more")
	}
	o, err := s.operand(r, &x.list[0])
	if err != nil {
		return nil, err
	}
	switch o.how {
	case plain, ctstate, fragoff:
	default:
		return nil, &unmodelled{name: fmt.Sprintf("match %s of %q", op, o.key), at: v.at}
	}
	if o.typ.form == asIfname {
		return nil, &unmodelled{name: fmt.Sprintf("match %s of the name of an interface", op), at: v.at}
	}
	if !o.masked {
		o.masked, o.mask = true, rules.Ones(o.typ.bits)
	}
	for i := 1; i < len(x.list); i++ {
		c, err := r.scalar(&x.list[i], o.typ)
		if err != nil {
			if k, _ := x.list[i].only(); k != "" && k != "|" {
				return nil, &unmodelled{name: fmt.Sprintf("match %s of two fields", op), at: v.at}
			}
			return nil, err
		}
		switch op {
		case "&":
			o.mask, o.xor = o.mask.And(c), o.xor.And(c)
		case "|":
			o.mask, o.xor = o.mask.And(c.Not()), o.xor.And(c.Not()).Or(c)
		case "^":
			o.xor = o.xor.Xor(c)
		}
	}
	o.key += fmt.Sprintf(" &%v ^%v", o.mask, o.xor)
	return o, nil
}
