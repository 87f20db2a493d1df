package rules

// Text of values and conditions, by the kind of the field. This is the value
// syntax of the native format, of error messages and of reports; what Format
// writes, Parse reads back to the same condition.
//
//	cond   = field [ "?" ] ( "=" | "!=" ) set     "?": also when absent
//	set    = "*"                                  any value, but present
//	       | "{}"                                 no value at all
//	       | item { "," item } [ "&" masked ]
//	       | masked
//	item   = value | value "-" value | address "/" length | name "+"
//	masked = value "/" mask
//
// Numbers are decimal or 0x-hexadecimal, Bits values are symbols joined by
// "+". Address bits outside a prefix or a mask are ignored; another value with
// bits outside its mask holds for nothing. Interface names that hold one of
// "+,&#/" or white space are written as "#" and 32 hexadecimal digits.

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// ParseValue reads one value of the field.
func (f *Field) ParseValue(s string) (Value, error) {
	v, err := f.parseValue(s)
	if err == nil && f.Max().Less(v) {
		err = fmt.Errorf("%s does not fit the %d bits of %s", s, f.Bits, f.Name)
	}
	return v, err
}

func (f *Field) parseValue(s string) (Value, error) {
	if s == "" {
		return Value{}, fmt.Errorf("%s: empty value", f.Name)
	}
	switch f.Kind {
	case IPv4, IPv6, IP:
		return f.parseAddr(s)
	case Name:
		return parseName(s)
	case MAC:
		return parseMAC(s)
	}
	if v, ok := f.parseSymbol(s); ok {
		return v, nil
	}
	return f.parseNumber(s)
}

// parseSymbol reads a value that is written as a name: a service, a protocol,
// a symbol. Names begin with no digit.
func (f *Field) parseSymbol(s string) (Value, bool) {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return Value{}, false
	}
	switch f.Kind {
	case Port:
		p, ok := ServicePort(s)
		return U64(uint64(p)), ok
	case Proto:
		p, ok := ProtocolNumber(s)
		return U64(uint64(p)), ok
	case Enum:
		for _, sym := range f.Symbols {
			if strings.EqualFold(sym.Name, s) {
				return U64(sym.Value), true
			}
		}
	case Bits:
		return f.parseBits(s)
	}
	return Value{}, false
}

func (f *Field) parseNumber(s string) (Value, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && (len(s) == 1 || s[0] != '0') {
		return U64(n), nil
	}
	digits, base := s, 10
	if h, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		digits, base = h, 16
	}
	wellFormed := digits != "" && len(digits) <= 64 && (base == 16 || len(digits) == 1 || digits[0] != '0')
	for _, c := range digits {
		if !(c >= '0' && c <= '9' || base == 16 && c >= 'a' && c <= 'f') {
			wellFormed = false
		}
	}
	n, ok := new(big.Int), false
	if wellFormed {
		n, ok = n.SetString(digits, base)
	}
	if !ok {
		return Value{}, fmt.Errorf("%q is not a %v", Excerpt(s), f.Kind)
	}
	if n.BitLen() > f.Bits {
		return Value{}, fmt.Errorf("%s does not fit the %d bits of %s", Excerpt(s), f.Bits, f.Name)
	}
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0)))
	return Value{new(big.Int).Rsh(n, 64).Uint64(), lo.Uint64()}, nil
}

func (f *Field) parseAddr(s string) (Value, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return Value{}, fmt.Errorf("%q is not an %v address", Excerpt(s), f.Kind)
	}
	switch {
	case f.Kind == IPv4 && a.Is4():
		return Addr4(a), nil
	case f.Kind == IPv6 && a.Is6(), f.Kind == IP:
		return Addr16(a), nil
	}
	return Value{}, fmt.Errorf("%q is not an %v address", s, f.Kind)
}

func parseName(s string) (Value, error) {
	if h, ok := strings.CutPrefix(s, "#"); ok {
		if len(h) == 32 {
			hi, err1 := strconv.ParseUint(h[:16], 16, 64)
			lo, err2 := strconv.ParseUint(h[16:], 16, 64)
			if err1 == nil && err2 == nil {
				return Value{hi, lo}, nil
			}
		}
		return Value{}, fmt.Errorf("%q is not # and 32 hexadecimal digits", Excerpt(s))
	}
	if len(s) > MaxNameLen {
		return Value{}, fmt.Errorf("interface name %q is longer than %d bytes", Excerpt(s), MaxNameLen)
	}
	if strings.ContainsAny(s, "+,&-#/\x00 \t\r\n") && !plainName(s) {
		return Value{}, fmt.Errorf("%q is not an interface name", s)
	}
	return NameValue(s), nil
}

// plainName reports whether an interface name is written as it is: it may
// hold "-" (br-lan) but nothing else that the grammar uses.
func plainName(s string) bool {
	return s != "" && s != "*" && s != "{}" && !strings.ContainsAny(s, "+,&#/\x00 \t\r\n\v\f\"\\=") && isPrintable(s)
}

func isPrintable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func parseMAC(s string) (Value, error) {
	parts := strings.Split(s, ":")
	var x uint64
	for _, p := range parts {
		b, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) != 2 || len(parts) != 6 {
			return Value{}, fmt.Errorf("%q is not a MAC address", Excerpt(s))
		}
		x = x<<8 | b
	}
	return U64(x), nil
}

func (f *Field) parseBits(s string) (Value, bool) {
	var x uint64
	if s == "none" {
		return Value{}, true
	}
next:
	for _, part := range strings.Split(s, "+") {
		for _, sym := range f.Symbols {
			if strings.EqualFold(sym.Name, part) {
				x |= sym.Value
				continue next
			}
		}
		return Value{}, false
	}
	return U64(x), true
}

// FormatValue writes a value of the field so that ParseValue reads it back.
func (f *Field) FormatValue(v Value) string {
	switch f.Kind {
	case IPv4:
		return v.Addr4().String()
	case IP:
		return v.Addr().String()
	case IPv6:
		if v.is4in6() {
			return "::ffff:" + v.Addr().String()
		}
		return v.Addr().String()
	case Name:
		if s, ok := v.Name(); ok && plainName(s) {
			return s
		}
		return fmt.Sprintf("#%016x%016x", v.Hi, v.Lo)
	case MAC:
		b := v.Lo
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", byte(b>>40), byte(b>>32), byte(b>>24), byte(b>>16), byte(b>>8), byte(b))
	case Proto:
		if n := ProtocolName(uint8(v.Lo)); n != "" {
			return n
		}
	case Enum:
		for _, sym := range f.Symbols {
			if U64(sym.Value) == v {
				return sym.Name
			}
		}
	case Bits:
		if s, ok := f.formatBits(v); ok {
			return s
		}
	case Hex:
		if v.Hi == 0 {
			return fmt.Sprintf("%#x", v.Lo)
		}
	}
	return v.String()
}

func (f *Field) formatBits(v Value) (string, bool) {
	if len(f.Symbols) == 0 || v.Hi != 0 {
		return "", false
	}
	if v.Lo == 0 {
		return "none", true
	}
	rest := v.Lo
	var names []string
	for _, sym := range f.Symbols {
		if sym.Value != 0 && rest&sym.Value == sym.Value {
			names = append(names, sym.Name)
			rest &^= sym.Value
		}
	}
	return strings.Join(names, "+"), rest == 0
}

// ParseCond reads a condition such as "dport=80,443" or "src!=10.0.0.0/8".
// Errors name the part that is wrong.
func (s *Schema) ParseCond(text string) (Cond, error) {
	name, set, ok := strings.Cut(text, "=")
	if !ok {
		return Cond{}, fmt.Errorf("%q has no '='", Excerpt(text))
	}
	name, not := strings.CutSuffix(name, "!")
	name, orAbsent := strings.CutSuffix(name, "?")
	i := s.Index(name)
	if i < 0 {
		return Cond{}, fmt.Errorf("%w %q", ErrUnknownField, Excerpt(name))
	}
	c, err := s.ParseSet(i, set)
	if err != nil {
		return Cond{}, err
	}
	c.not, c.orAbsent = not, orAbsent
	return c, nil
}

// ParseConds reads the conditions of a rule, separated by blanks; "any" is
// none.
func (s *Schema) ParseConds(text string) ([]Cond, error) {
	words := strings.Fields(text)
	if len(words) == 1 && words[0] == "any" {
		return nil, nil
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("no condition; \"any\" matches everything")
	}
	out := make([]Cond, len(words))
	for i, w := range words {
		c, err := s.ParseCond(w)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// MustConds is ParseConds for rules written in source code; it panics on error.
func (s *Schema) MustConds(text string) []Cond {
	conds, err := s.ParseConds(text)
	if err != nil {
		panic(err)
	}
	return conds
}

// ErrUnknownField is the cause of an error about a field that a schema does
// not have.
var ErrUnknownField = errors.New("unknown field")

// ParseSet reads the set of values of field i that a condition accepts.
func (s *Schema) ParseSet(i int, text string) (Cond, error) {
	f := &s.fields[i]
	switch text {
	case "*":
		return s.Present(i), nil
	case "{}":
		return In(i), nil
	}
	items, masked, both := strings.Cut(text, "&")
	if both {
		want, mask, err := f.parseMasked(masked)
		if err != nil {
			return Cond{}, err
		}
		ivs, err := f.parseItems(items)
		if err != nil {
			return Cond{}, err
		}
		return In(i, ivs...).AndMasked(want, mask), nil
	}
	if strings.Contains(text, "/") && !strings.Contains(text, ",") {
		if _, prefix, err := f.parsePrefix(text); err != nil || !prefix {
			want, mask, merr := f.parseMasked(text)
			if merr != nil {
				if err != nil {
					merr = err
				}
				return Cond{}, merr
			}
			return Masked(i, want, mask), nil
		}
	}
	ivs, err := f.parseItems(text)
	if err != nil {
		return Cond{}, err
	}
	return In(i, ivs...), nil
}

func (f *Field) parseItems(text string) ([]Interval, error) {
	var out []Interval
	for more := true; more; {
		var item string
		item, text, more = strings.Cut(text, ",")
		iv, err := f.parseItem(item)
		if err != nil {
			return nil, err
		}
		if out = append(out, iv); len(out) > DefaultLimits.MaxElements {
			return nil, fmt.Errorf("%s: more than %d intervals: %w", f.Name, DefaultLimits.MaxElements, ErrLimit)
		}
	}
	return out, nil
}

func (f *Field) parseItem(item string) (Interval, error) {
	if iv, ok, err := f.parsePrefix(item); ok || err != nil {
		return iv, err
	}
	if f.Kind == Name && !strings.HasPrefix(item, "#") {
		if stem, ok := strings.CutSuffix(item, "+"); ok {
			v, err := Value{}, error(nil)
			if stem != "" {
				v, err = parseName(stem)
			}
			return PrefixInterval(v, 8*len(stem), 128), err
		}
		v, err := f.ParseValue(item)
		return Interval{v, v}, err
	}
	from, to, ok := strings.Cut(item, "-")
	if !ok {
		v, err := f.ParseValue(item)
		return Interval{v, v}, err
	}
	// A name may hold a "-" itself: the whole item is tried first.
	if v, ok := f.parseSymbol(item); ok {
		return Interval{v, v}, nil
	}
	lo, err := f.ParseValue(from)
	if err != nil {
		return Interval{}, err
	}
	hi, err := f.ParseValue(to)
	if err != nil {
		return Interval{}, err
	}
	if hi.Less(lo) {
		return Interval{}, fmt.Errorf("%s: range %q is reversed", f.Name, Excerpt(item))
	}
	return Interval{lo, hi}, nil
}

// parsePrefix reads address/length; ok is false when item is no such thing.
func (f *Field) parsePrefix(item string) (iv Interval, ok bool, err error) {
	addr, length, found := strings.Cut(item, "/")
	if !found || f.Kind != IPv4 && f.Kind != IPv6 && f.Kind != IP {
		return Interval{}, false, nil
	}
	v, err := f.parseAddr(addr)
	if err != nil {
		return Interval{}, false, err
	}
	if strings.ContainsAny(length, ".:") {
		return Interval{}, false, nil
	}
	most, skip := f.Bits, 0
	if f.Kind == IP && !strings.Contains(addr, ":") {
		most, skip = 32, 96
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > most || length[0] < '0' || len(length) > 1 && length[0] == '0' {
		return Interval{}, false, fmt.Errorf("%s: prefix length %q is not in 0..%d", f.Name, Excerpt(length), most)
	}
	return PrefixInterval(v, n+skip, f.Bits), true, nil
}

func (f *Field) parseMasked(text string) (want, mask Value, err error) {
	value, m, ok := strings.Cut(text, "/")
	if !ok {
		return want, mask, fmt.Errorf("%s: %q is not value/mask", f.Name, Excerpt(text))
	}
	if want, err = f.ParseValue(value); err != nil {
		return want, mask, err
	}
	switch {
	case f.Kind == Name || f.Kind == Port || f.Kind == Proto || f.Kind == Enum:
		g := Field{Name: f.Name, Bits: f.Bits, Kind: Hex}
		mask, err = g.ParseValue(m)
	case f.Kind == IP && !strings.Contains(m, ":"):
		mask, err = f.ParseValue(m) // IPv4: the 96 bits before it are compared too
		mask = mask.Or(Ones(96).Shl(32))
	default:
		mask, err = f.ParseValue(m)
	}
	if f.Kind == IPv4 || f.Kind == IPv6 || f.Kind == IP {
		want = want.And(mask)
	}
	return want, mask, err
}

// FormatCond writes a condition so that ParseCond reads it back.
func (s *Schema) FormatCond(c *Cond) string {
	f := &s.fields[c.field]
	var b strings.Builder
	b.WriteString(f.Name)
	if c.orAbsent {
		b.WriteByte('?')
	}
	if c.not {
		b.WriteByte('!')
	}
	b.WriteByte('=')
	b.WriteString(f.formatSet(c))
	return b.String()
}

func (f *Field) formatSet(c *Cond) string {
	var b strings.Builder
	switch {
	case c.ranged && len(c.ranges) == 0:
		return "{}"
	case c.ranged && len(c.ranges) == 1 && c.ranges[0] == f.Full() && !c.masked:
		return "*"
	case !c.ranged && !c.masked:
		return "*"
	}
	for i, iv := range c.ranges {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.FormatInterval(iv))
	}
	if c.masked {
		if c.ranged {
			b.WriteByte('&')
		}
		b.WriteString(f.formatMasked(c.want, c.mask))
	}
	return b.String()
}

// FormatInterval writes an interval of the field as an item of a set.
func (f *Field) FormatInterval(iv Interval) string {
	if iv.Lo == iv.Hi {
		return f.FormatValue(iv.Lo)
	}
	switch f.Kind {
	case IPv4, IPv6, IP:
		if n, ok := iv.PrefixLen(f.Bits); ok {
			if f.Kind == IP && n >= 96 && iv.Lo.is4in6() {
				n -= 96
			}
			return f.FormatValue(iv.Lo) + "/" + strconv.Itoa(n)
		}
	case Name:
		if n, ok := iv.PrefixLen(128); ok && n%8 == 0 {
			if stem, ok := iv.Lo.Name(); ok && len(stem)*8 == n && (stem == "" || plainName(stem)) {
				return stem + "+"
			}
		}
		return fmt.Sprintf("#%016x%016x-#%016x%016x", iv.Lo.Hi, iv.Lo.Lo, iv.Hi.Hi, iv.Hi.Lo)
	}
	lo, hi := f.FormatValue(iv.Lo), f.FormatValue(iv.Hi)
	text := lo + "-" + hi
	if f.Kind == Proto || f.Kind == Enum || f.Kind == Bits {
		// Numbers where names with a "-" would make it ambiguous.
		if _, ok := f.parseSymbol(text); ok || strings.Count(text, "-") > 1 {
			return iv.Lo.String() + "-" + iv.Hi.String()
		}
	}
	return text
}

func (f *Field) formatMasked(want, mask Value) string {
	hex := Field{Name: f.Name, Bits: f.Bits, Kind: Hex}
	switch f.Kind {
	case IPv4:
		return f.FormatValue(want) + "/" + mask.Addr4().String()
	case IP:
		if high := Ones(96).Shl(32); want.is4in6() && mask.And(high) == high {
			return f.FormatValue(want) + "/" + Value{Lo: mask.Lo & 0xffffffff}.Addr4().String()
		}
		fallthrough
	case IPv6:
		// Always with colons, so that the mask is not taken for an IPv4 one.
		six := func(v Value) string { return netip.AddrFrom16(as16(v)).StringExpanded() }
		return six(want) + "/" + six(mask)
	case Bits, MAC:
		return f.FormatValue(want) + "/" + f.FormatValue(mask)
	}
	return f.FormatValue(want) + "/" + hex.FormatValue(mask)
}

func as16(v Value) (b [16]byte) {
	for i := range 8 {
		b[i], b[8+i] = byte(v.Hi>>(56-8*i)), byte(v.Lo>>(56-8*i))
	}
	return b
}

// FormatRule writes the conditions of r, separated by blanks; "any" when it
// has none.
func FormatRule[T any](s *Schema, r *Rule[T]) string {
	if len(r.Conds) == 0 {
		return "any"
	}
	parts := make([]string, len(r.Conds))
	for i := range r.Conds {
		parts[i] = s.FormatCond(&r.Conds[i])
	}
	return strings.Join(parts, " ")
}
