package nftables

// The types of values as nft names them, and the values that have names.
// Sources: nft(8), and what "nft describe" of nftables 1.0.6 says.

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// form is how the values of a type are written.
type form byte

const (
	asNumber form = iota
	asAddr4
	asAddr6
	asMAC
	asIfname
	asProto
	asService
)

// datatype is a type of values.
type datatype struct {
	bits int
	form form
	// flags says that a value is a set of bits: without an operator nft asks
	// whether any of them is set.
	flags bool
	names []rules.Symbol
}

var (
	addr4Type   = &datatype{bits: 32, form: asAddr4}
	addr6Type   = &datatype{bits: 128, form: asAddr6}
	macType     = &datatype{bits: 48, form: asMAC}
	ifnameType  = &datatype{bits: 128, form: asIfname}
	protoType   = &datatype{bits: 8, form: asProto, names: []rules.Symbol{{Name: "ip", Value: 0}, {Name: "hopopt", Value: 0}}}
	serviceType = &datatype{bits: 16, form: asService}
	byteType    = &datatype{bits: 8}
	shortType   = &datatype{bits: 16}
	wordType    = &datatype{bits: 32}

	boolType     = &datatype{bits: 1, names: []rules.Symbol{{Name: "exists", Value: 1}, {Name: "missing", Value: 0}, {Name: "true", Value: 1}, {Name: "false", Value: 0}}}
	nfprotoType  = &datatype{bits: 8, names: []rules.Symbol{{Name: "ipv4", Value: nfprotoIPv4}, {Name: "ipv6", Value: nfprotoIPv6}}}
	ethertype    = &datatype{bits: 16, names: []rules.Symbol{{Name: "ip", Value: 0x0800}, {Name: "ip6", Value: 0x86dd}, {Name: "arp", Value: 0x0806}, {Name: "8021q", Value: 0x8100}, {Name: "vlan", Value: 0x8100}, {Name: "8021ad", Value: 0x88a8}}}
	pkttypeType  = &datatype{bits: 8, names: []rules.Symbol{{Name: "host", Value: 0}, {Name: "unicast", Value: 0}, {Name: "broadcast", Value: 1}, {Name: "multicast", Value: 2}, {Name: "other", Value: 3}}}
	tcpflagsType = &datatype{bits: 8, flags: true, names: []rules.Symbol{{Name: "fin", Value: 1}, {Name: "syn", Value: 2}, {Name: "rst", Value: 4}, {Name: "psh", Value: 8},
		{Name: "ack", Value: 16}, {Name: "urg", Value: 32}, {Name: "ecn", Value: 64}, {Name: "cwr", Value: 128}}}
	ctstateType  = &datatype{bits: 32, flags: true, names: []rules.Symbol{{Name: "invalid", Value: 1}, {Name: "established", Value: 2}, {Name: "related", Value: 4}, {Name: "new", Value: 8}, {Name: "untracked", Value: 64}}}
	ctstatusType = &datatype{bits: 32, flags: true, names: []rules.Symbol{{Name: "expected", Value: 1}, {Name: "seen-reply", Value: 2}, {Name: "assured", Value: 4}, {Name: "confirmed", Value: 8},
		{Name: "snat", Value: 16}, {Name: "dnat", Value: 32}, {Name: "dying", Value: 512}}}
	ctdirType    = &datatype{bits: 8, names: []rules.Symbol{{Name: "original", Value: 0}, {Name: "reply", Value: 1}}}
	icmptypeType = &datatype{bits: 8, names: []rules.Symbol{{Name: "echo-reply", Value: 0}, {Name: "destination-unreachable", Value: 3}, {Name: "source-quench", Value: 4},
		{Name: "redirect", Value: 5}, {Name: "echo-request", Value: 8}, {Name: "router-advertisement", Value: 9}, {Name: "router-solicitation", Value: 10},
		{Name: "time-exceeded", Value: 11}, {Name: "parameter-problem", Value: 12}, {Name: "timestamp-request", Value: 13}, {Name: "timestamp-reply", Value: 14},
		{Name: "info-request", Value: 15}, {Name: "info-reply", Value: 16}, {Name: "address-mask-request", Value: 17}, {Name: "address-mask-reply", Value: 18}}}
	icmpcodeType = &datatype{bits: 8, names: []rules.Symbol{{Name: "net-unreachable", Value: 0}, {Name: "host-unreachable", Value: 1}, {Name: "prot-unreachable", Value: 2},
		{Name: "port-unreachable", Value: 3}, {Name: "frag-needed", Value: 4}, {Name: "net-prohibited", Value: 9}, {Name: "host-prohibited", Value: 10}, {Name: "admin-prohibited", Value: 13}}}
	icmpv6typeType = &datatype{bits: 8, names: []rules.Symbol{{Name: "destination-unreachable", Value: 1}, {Name: "packet-too-big", Value: 2}, {Name: "time-exceeded", Value: 3},
		{Name: "parameter-problem", Value: 4}, {Name: "echo-request", Value: 128}, {Name: "echo-reply", Value: 129}, {Name: "mld-listener-query", Value: 130},
		{Name: "mld-listener-report", Value: 131}, {Name: "mld-listener-done", Value: 132}, {Name: "mld-listener-reduction", Value: 132},
		{Name: "nd-router-solicit", Value: 133}, {Name: "nd-router-advert", Value: 134}, {Name: "nd-neighbor-solicit", Value: 135},
		{Name: "nd-neighbor-advert", Value: 136}, {Name: "nd-redirect", Value: 137}, {Name: "router-renumbering", Value: 138},
		{Name: "ind-neighbor-solicit", Value: 141}, {Name: "ind-neighbor-advert", Value: 142}, {Name: "mld2-listener-report", Value: 143}}}
	icmpv6codeType = &datatype{bits: 8, names: []rules.Symbol{{Name: "no-route", Value: 0}, {Name: "admin-prohibited", Value: 1}, {Name: "addr-unreachable", Value: 3},
		{Name: "port-unreachable", Value: 4}, {Name: "policy-fail", Value: 5}, {Name: "reject-route", Value: 6}}}
	dscpType = &datatype{bits: 6, names: []rules.Symbol{{Name: "cs0", Value: 0}, {Name: "cs1", Value: 8}, {Name: "cs2", Value: 16}, {Name: "cs3", Value: 24},
		{Name: "cs4", Value: 32}, {Name: "cs5", Value: 40}, {Name: "cs6", Value: 48}, {Name: "cs7", Value: 56}, {Name: "df", Value: 0}, {Name: "be", Value: 0},
		{Name: "lephb", Value: 1}, {Name: "af11", Value: 10}, {Name: "af12", Value: 12}, {Name: "af13", Value: 14}, {Name: "af21", Value: 18},
		{Name: "af22", Value: 20}, {Name: "af23", Value: 22}, {Name: "af31", Value: 26}, {Name: "af32", Value: 28}, {Name: "af33", Value: 30},
		{Name: "af41", Value: 34}, {Name: "af42", Value: 36}, {Name: "af43", Value: 38}, {Name: "va", Value: 44}, {Name: "ef", Value: 46}}}
	ecnType = &datatype{bits: 2, names: []rules.Symbol{{Name: "not-ect", Value: 0}, {Name: "ect1", Value: 1}, {Name: "ect0", Value: 2}, {Name: "ce", Value: 3}}}
	mhType  = &datatype{bits: 8, names: []rules.Symbol{{Name: "binding-refresh-request", Value: 0}, {Name: "home-test-init", Value: 1}, {Name: "careof-test-init", Value: 2},
		{Name: "home-test", Value: 3}, {Name: "careof-test", Value: 4}, {Name: "binding-update", Value: 5}, {Name: "binding-acknowledgement", Value: 6},
		{Name: "binding-error", Value: 7}, {Name: "fast-binding-update", Value: 8}, {Name: "fast-binding-acknowledgement", Value: 9},
		{Name: "fast-binding-advertisement", Value: 10}, {Name: "experimental-mobility-header", Value: 11}, {Name: "home-agent-switch-message", Value: 12}}}
	dccpType = &datatype{bits: 4, names: []rules.Symbol{{Name: "request", Value: 0}, {Name: "response", Value: 1}, {Name: "data", Value: 2}, {Name: "ack", Value: 3},
		{Name: "dataack", Value: 4}, {Name: "closereq", Value: 5}, {Name: "close", Value: 6}, {Name: "reset", Value: 7}, {Name: "sync", Value: 8}, {Name: "syncack", Value: 9}}}
)

// Numbers of the families, of "meta nfproto".
const (
	nfprotoIPv4 = 2
	nfprotoIPv6 = 10
)

// full returns the interval of all values.
func (d *datatype) full() rules.Interval { return rules.Interval{Hi: rules.Ones(d.bits)} }

// wants says what a value of the type is, for errors.
func (d *datatype) wants() string {
	switch d.form {
	case asAddr4:
		return "an IPv4 address"
	case asAddr6:
		return "an IPv6 address"
	case asMAC:
		return "an Ethernet address"
	case asIfname:
		return "the name of an interface"
	case asProto:
		return "the name or number of a protocol"
	case asService:
		return "a port"
	}
	if len(d.names) > 0 {
		var names []string
		for _, s := range d.names {
			names = append(names, s.Name)
		}
		return "a number or one of " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("a number in 0..%v", rules.Ones(d.bits))
}

// parse reads a value that stands as a text, a number or a boolean.
func (d *datatype) parse(text string) (rules.Value, bool) {
	switch d.form {
	case asAddr4, asAddr6:
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil || a.Zone() != "":
		case d.form == asAddr4 && a.Is4():
			return rules.Addr4(a), true
		case d.form == asAddr6 && a.Is6():
			return rules.Addr16(a), true
		}
		return rules.Value{}, false
	case asMAC:
		parts := strings.Split(text, ":")
		if len(parts) != 6 {
			return rules.Value{}, false
		}
		mac := uint64(0)
		for _, p := range parts {
			b, err := strconv.ParseUint(p, 16, 8)
			if err != nil || len(p) > 2 {
				return rules.Value{}, false
			}
			mac = mac<<8 | b
		}
		return rules.U64(mac), true
	case asIfname:
		if text == "" || len(text) > rules.MaxNameLen || strings.IndexByte(text, 0) >= 0 {
			return rules.Value{}, false
		}
		return rules.NameValue(text), true
	case asProto:
		if n, ok := rules.ProtocolNumber(text); ok {
			return rules.U64(uint64(n)), true
		}
	case asService:
		if n, ok := rules.ServicePort(text); ok {
			return rules.U64(uint64(n)), true
		}
	}
	for _, s := range d.names {
		if s.Name == text {
			return rules.U64(s.Value), true
		}
	}
	base := 10
	digits := text
	if rest, ok := strings.CutPrefix(text, "0x"); ok {
		base, digits = 16, rest
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || rules.U64(n).BitLen() > d.bits {
		return rules.Value{}, false
	}
	return rules.U64(n), true
}

// scalar reads a single value: a text, a number, a boolean, or values that are put
// together by "|".
func (r *reader) scalar(v *value, d *datatype) (rules.Value, error) {
	if d.form == asIfname && v.kind == isNumber {
		return rules.Value{}, &unmodelled{name: "interface by its number", at: v.at}
	}
	switch v.kind {
	case isString, isNumber, isBool:
		if v.kind == isBool && d != boolType {
			break
		}
		if x, ok := d.parse(v.text); ok {
			return x, nil
		}
	case isList, isObject:
		parts := v
		if v.kind == isObject {
			op, list := v.only()
			if op != "|" || list.kind != isList {
				break
			}
			parts = list
		}
		if len(parts.list) == 0 || d.form != asNumber {
			break
		}
		var all rules.Value
		for i := range parts.list {
			x, err := r.scalar(&parts.list[i], d)
			if err != nil {
				return x, err
			}
			all = all.Or(x)
		}
		return all, nil
	}
	return rules.Value{}, r.expect(v, d.wants())
}

// interval reads a value, a range, a prefix, or the beginning of the name of an
// interface ("eth*").
func (r *reader) interval(v *value, d *datatype) (rules.Interval, error) {
	switch key, x := v.only(); key {
	case "range":
		if x.kind != isList || len(x.list) != 2 {
			return rules.Interval{}, r.expect(x, "a list of two values")
		}
		lo, err := r.scalar(&x.list[0], d)
		if err != nil {
			return rules.Interval{}, err
		}
		// Of a field that is a part of a byte, nft may list the byte's last value.
		byteWide := *d
		byteWide.bits = (d.bits + 7) &^ 7
		hi, err := r.scalar(&x.list[1], &byteWide)
		if most := rules.Ones(d.bits); most.Less(hi) {
			hi = most
		}
		if err == nil && hi.Less(lo) {
			err = r.errorAt(x.at, "", "the range is reversed")
		}
		return rules.Interval{Lo: lo, Hi: hi}, err
	case "prefix":
		if err := r.members(x, "a prefix", "addr", "len"); err != nil {
			return rules.Interval{}, err
		}
		addr, length := x.get("addr"), x.get("len")
		if addr == nil || length == nil {
			return rules.Interval{}, r.expect(x, `"addr" and "len"`)
		}
		a, err := r.scalar(addr, d)
		if err != nil {
			return rules.Interval{}, err
		}
		n, ok := length.number()
		if !ok || n > uint64(d.bits) {
			return rules.Interval{}, r.expect(length, fmt.Sprintf("a length in 0..%d", d.bits))
		}
		return rules.PrefixInterval(a, int(n), d.bits), nil
	}
	if d.form == asIfname && v.kind == isString {
		if stem, ok := strings.CutSuffix(v.text, "*"); ok {
			literal, escaped := strings.CutSuffix(stem, `\`)
			if !escaped {
				p := rules.Value{}
				if stem != "" {
					if p, ok = d.parse(stem); !ok {
						return rules.Interval{}, r.expect(v, d.wants())
					}
				}
				return rules.PrefixInterval(p, 8*len(stem), 128), nil
			}
			v = &value{kind: isString, at: v.at, text: literal + "*"}
		}
	}
	x, err := r.scalar(v, d)
	return rules.Interval{Lo: x, Hi: x}, err
}
