package iptables

// Readers of values: numbers, ranges, addresses, interfaces, ports, marks.
// They follow the tools: numbers are decimal, 0x-hexadecimal or, with a
// leading 0, octal; IPv4 addresses may leave out trailing zeros ("10/8").

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// parseNumber reads a number of at most max.
func parseNumber(s string, max uint64) (uint64, error) {
	digits, base := s, uint64(10)
	if len(s) > 1 && s[0] == '0' {
		if digits, base = s[1:], 8; s[1] == 'x' || s[1] == 'X' {
			digits, base = s[2:], 16
		}
	}
	if digits == "" {
		return 0, fmt.Errorf("not a number in 0..%d", max)
	}
	var n uint64
	for i := 0; i < len(digits); i++ {
		d := uint64(hexDigit(digits[i]))
		if d >= base {
			return 0, fmt.Errorf("not a number in 0..%d", max)
		}
		if n > (max-d)/base || d > max {
			return 0, fmt.Errorf("not in 0..%d", max)
		}
		n = n*base + d
	}
	return n, nil
}

// hexDigit returns the value of a hexadecimal digit, 255 for other bytes.
func hexDigit(c byte) byte {
	switch l := c | 0x20; {
	case c >= '0' && c <= '9':
		return c - '0'
	case l >= 'a' && l <= 'f':
		return l - 'a' + 10
	}
	return 255
}

// parseRange reads "n", "lo:hi", "lo:", ":hi" or ":" with one as the reader of
// the ends.
func parseRange(s string, max uint64, one func(string) (uint64, error)) (lo, hi uint64, err error) {
	from, to, ok := strings.Cut(s, ":")
	if !ok {
		lo, err = one(s)
		return lo, lo, err
	}
	hi = max
	if from != "" {
		if lo, err = one(from); err != nil {
			return 0, 0, err
		}
	}
	if to != "" {
		if hi, err = one(to); err != nil {
			return 0, 0, err
		}
	}
	if lo > hi {
		return lo, hi, reversedError{lo, hi}
	}
	return lo, hi, nil
}

// reversedError says that the first end of a range is above its last.
type reversedError struct{ lo, hi uint64 }

func (e reversedError) Error() string {
	return fmt.Sprintf("range is reversed: %d is above %d", e.lo, e.hi)
}

// readRange reads the option's value as a range. A reversed one is an error
// unless Options.ReversedRanges lets it pass.
func (a *argument) readRange(max uint64, one func(string) (uint64, error)) (lo, hi uint64, err error) {
	lo, hi, err = parseRange(a.vals[0].text, max, one)
	var reversed reversedError
	if errors.As(err, &reversed) && a.p.f.reversed && a.m.mod.name != "tcp" && a.m.mod.name != "sctp" {
		err = nil
	}
	return lo, hi, err
}

// spanOf returns the condition that a field lies in a range; a reversed one
// holds for nothing.
func spanOf(field int, lo, hi uint64) rules.Cond {
	if lo > hi {
		return rules.In(field)
	}
	return rules.In(field, rules.Span(lo, hi))
}

func appendRange(b []byte, lo, hi uint64) []byte {
	b = appendNumber(b, lo)
	if lo != hi {
		b = appendNumber(append(b, ':'), hi)
	}
	return b
}

// parsePort reads a port number or service name.
func parsePort(s string) (uint64, error) {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		if n, err := parseNumber(s, 65535); err == nil {
			return n, nil
		}
	}
	if p, ok := rules.ServicePort(s); ok {
		return uint64(p), nil
	}
	return 0, fmt.Errorf("neither a port in 0..65535 nor a known service")
}

// parseDecimalPort is parsePort for the matches and targets that take a number
// with a leading 0 as a decimal one.
func parseDecimalPort(s string) (uint64, error) {
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' {
		return parsePort(s)
	}
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return n, nil
	}
	if p, ok := rules.ServicePort(s); ok {
		return uint64(p), nil
	}
	return 0, fmt.Errorf("neither a port in 0..65535 nor a known service")
}

// parseProto reads a protocol number or name; "all" is 0.
func parseProto(s string) (uint8, error) {
	switch strings.ToLower(s) {
	case "all", "ip", "hopopt":
		return 0, nil
	}
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		n, err := parseNumber(s, 255)
		return uint8(n), err
	}
	if p, ok := rules.ProtocolNumber(s); ok {
		return p, nil
	}
	return 0, fmt.Errorf("neither a protocol in 0..255 nor a known one's name")
}

func appendProto(b []byte, p uint8) []byte {
	if n := rules.ProtocolName(p); n != "" {
		return append(b, n...)
	}
	return appendNumber(b, uint64(p))
}

// address is one address condition of a rule.
type address struct {
	from, to int // of its canonical text in ruleParser.scratch; empty without a condition
	cond     rules.Cond
	has      bool   // cond counts
	host     string // what makes the rule unknown when it is a host's name
}

// parseAddress reads ADDR, ADDR/LEN or ADDR/MASK, and writes it in canonical
// form. A host name is not looked up: it comes back as address.host.
func (a *argument) parseAddress(s string, field int) (out address, err error) {
	p, family := a.p, a.p.family()
	out.from = len(p.scratch)
	text, maskText, hasMask := strings.Cut(s, "/")
	ip, err := parseAddr(text, family)
	if err != nil {
		if !isHostName(text) {
			return out, err
		}
		a.write(s)
		out.to, out.host = len(p.scratch), text
		return out, nil
	}
	bits := ip.BitLen()
	length, mask := bits, rules.Ones(bits)
	if hasMask {
		if length, mask, err = parseMask(maskText, bits); err != nil {
			return out, err
		}
	}
	v := addrValue(ip)
	out.has = true
	switch {
	case length == 0 && !a.not:
		return address{}, nil // no condition, and not printed
	case length >= 0:
		iv := rules.PrefixInterval(v, length, bits) // of length 0, negated: never
		out.cond = rules.In(field, iv)
		p.scratch = append(appendAddr(p.scratch, iv.Lo, family), '/')
		a.writeNumber(uint64(length))
	default:
		v = v.And(mask)
		out.cond = rules.Masked(field, v, mask)
		p.scratch = append(appendAddr(p.scratch, v, family), '/')
		p.scratch = appendAddr(p.scratch, mask, family)
	}
	if a.not {
		out.cond = out.cond.Negate()
	}
	out.to = len(p.scratch)
	return out, nil
}

// parseMask reads a prefix length or a mask; the length is -1 when the mask is
// not a prefix's.
func parseMask(s string, bits int) (length int, mask rules.Value, err error) {
	if !strings.ContainsAny(s, ".:") {
		n, err := parseNumber(s, uint64(bits))
		if err != nil {
			return 0, mask, fmt.Errorf("prefix length is not in 0..%d", bits)
		}
		return int(n), rules.Ones(int(n)).Shl(bits - int(n)), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.BitLen() != bits || a.Zone() != "" {
		return 0, mask, fmt.Errorf("mask is neither a length in 0..%d nor an address mask", bits)
	}
	mask = rules.Addr16(a).And(rules.Ones(bits))
	low := mask.Not().And(rules.Ones(bits))
	if low == rules.Ones(low.BitLen()) {
		return bits - low.BitLen(), mask, nil
	}
	return -1, mask, nil
}

func parseAddr(s string, family int) (netip.Addr, error) {
	if family == 4 {
		if a, ok := parseAddr4(s); ok {
			return a, nil
		}
		return netip.Addr{}, notAddr4(s)
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, fmt.Errorf("not an IPv6 address")
	case a.Is4():
		return a, fmt.Errorf("IPv4 address in an IPv6 rule")
	case a.Zone() != "":
		return a, fmt.Errorf("address has a zone")
	}
	return a, nil
}

// notAddr4 says what is wrong with a text that is not an IPv4 address.
func notAddr4(s string) error {
	if strings.Contains(s, ":") {
		return fmt.Errorf("IPv6 address in an IPv4 rule")
	}
	return fmt.Errorf("not an IPv4 address")
}

// parseHost is parseAddr for the matches and targets that read IPv4 addresses
// as inet_aton(3) does: what the last part is above 8 bits fills the parts that
// are missing in front of it, so that 10.1 is 10.0.0.1, not 10.1.0.0.
func parseHost(s string, family int) (netip.Addr, error) {
	if family != 4 {
		return parseAddr(s, family)
	}
	var ip uint64
	for rest, left, more := s, 4, true; more && left > 0; left-- {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		bits := 8
		if !more {
			bits *= left
		}
		n, err := parseNumber(part, 1<<bits-1)
		if err != nil || more && left == 1 {
			return netip.Addr{}, notAddr4(s)
		}
		ip = ip<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}), nil
}

func parseAddr4(s string) (netip.Addr, bool) {
	var b [4]byte
	for i := range b {
		part, rest, more := strings.Cut(s, ".")
		n, err := parseNumber(part, 255)
		if err != nil {
			return netip.Addr{}, false
		}
		b[i] = byte(n)
		if !more {
			return netip.AddrFrom4(b), true
		}
		s = rest
	}
	return netip.Addr{}, false
}

// appendAddr writes an address as the C library does, which differs from
// netip for IPv4-compatible addresses (::a.b.c.d).
func appendAddr(b []byte, v rules.Value, family int) []byte {
	switch {
	case family == 4:
		return v.Addr4().AppendTo(b)
	case v.Hi == 0 && v.Lo>>32 == 0 && v.Lo>>16 != 0:
		return v.Addr4().AppendTo(append(b, "::"...))
	case v.Addr().Is4():
		return v.Addr4().AppendTo(append(b, "::ffff:"...))
	}
	return v.Addr().AppendTo(b)
}

// isHostName reports whether s looks like the name of a host rather than a
// misspelt address.
func isHostName(s string) bool {
	letter := false
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z':
			letter = true
		case s[i] >= '0' && s[i] <= '9', i > 0 && (s[i] == '-' || s[i] == '.' || s[i] == '_'):
		default:
			return false
		}
	}
	return letter && len(s) <= 253
}

// parseAddrRange reads "a-b" or "a". A reversed range is legal and holds for
// nothing.
func parseAddrRange(s string, family int) (lo, hi rules.Value, err error) {
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		to = from
	}
	a, err := parseAddr(from, family)
	if err != nil {
		return lo, hi, err
	}
	b, err := parseAddr(to, family)
	return addrValue(a), addrValue(b), err
}

// addrValue returns an address as a field of its family has it.
func addrValue(a netip.Addr) rules.Value {
	if a.Is4() {
		return rules.Addr4(a)
	}
	return rules.Addr16(a)
}

// parseInterface reads "eth0", "eth+" or "+". any is true for the last one.
func parseInterface(s string) (iv rules.Interval, any bool, err error) {
	switch {
	case s == "":
		return iv, false, fmt.Errorf("empty interface name")
	case len(s) > rules.MaxNameLen:
		return iv, false, fmt.Errorf("interface name is longer than %d bytes", rules.MaxNameLen)
	case strings.ContainsAny(s, " \t\"\\/!\v\f\r"):
		return iv, false, fmt.Errorf("not an interface name")
	}
	if stem, ok := strings.CutSuffix(s, "+"); ok {
		return rules.PrefixInterval(rules.NameValue(stem), 8*len(stem), 128), stem == "", nil
	}
	v := rules.NameValue(s)
	return rules.Interval{Lo: v, Hi: v}, false, nil
}

// parseMasked reads "value" or "value/mask"; without a mask it is all ones.
func parseMasked(s string, max uint64) (value, mask uint64, err error) {
	v, m, ok := strings.Cut(s, "/")
	if value, err = parseNumber(v, max); err != nil {
		return 0, 0, err
	}
	if !ok {
		return value, max, nil
	}
	if mask, err = parseNumber(m, max); err != nil {
		return 0, 0, fmt.Errorf("mask: %w", err)
	}
	return value, mask, nil
}

// parseMAC reads six hexadecimal bytes.
func parseMAC(s string) (uint64, error) {
	var x uint64
	for i := range 6 {
		part, rest, more := strings.Cut(s, ":")
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 || more == (i == 5) {
			return 0, fmt.Errorf("not a MAC address")
		}
		x, s = x<<8|b, rest
	}
	return x, nil
}

// parseSet reads a comma list of names as the union of their bits.
func parseSet(s string, names []rules.Symbol) (uint64, error) {
	return parseSetOf(s, names, strings.EqualFold)
}

// begins reports whether name begins with s, in any case.
func begins(name, s string) bool {
	return s != "" && len(s) <= len(name) && strings.EqualFold(name[:len(s)], s)
}

// parseSetOf is parseSet for names that are compared in a way of their own; the
// first that is the same counts.
func parseSetOf(s string, names []rules.Symbol, same func(name, s string) bool) (uint64, error) {
	var x uint64
next:
	for {
		part, rest, more := strings.Cut(s, ",")
		for i := range names {
			if same(names[i].Name, part) {
				x |= names[i].Value
				if !more {
					return x, nil
				}
				s = rest
				continue next
			}
		}
		return 0, fmt.Errorf("%q is not %s", rules.Excerpt(part), symbolList(names))
	}
}

func appendSet(b []byte, x uint64, names []rules.Symbol) []byte {
	sep := false
	for i := range names {
		if v := names[i].Value; v != 0 && v&(v-1) == 0 && x&v != 0 {
			if sep {
				b = append(b, ',')
			}
			b, sep = append(b, names[i].Name...), true
		}
	}
	if !sep {
		b = append(b, "NONE"...)
	}
	return b
}

// parseSymbol reads one name, or a number of at most max.
func parseSymbol(s string, max uint64, names []rules.Symbol) (uint64, error) {
	for i := range names {
		if strings.EqualFold(names[i].Name, s) {
			return names[i].Value, nil
		}
	}
	n, err := parseNumber(s, max)
	if err != nil {
		return 0, fmt.Errorf("neither a number in 0..%d nor %s", max, symbolList(names))
	}
	return n, nil
}

func symbolList(names []rules.Symbol) string {
	list := make([]string, len(names))
	for i := range names {
		list[i] = names[i].Name
	}
	return joinNames(list)
}
