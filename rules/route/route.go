// Package route reads the routing tables that "ip route show table all"
// prints, and answers of which type the kernel says an address is: of the
// machine's own, broadcast, multicast, or elsewhere.
//
// It models what match addrtype asks. In IPv4 the tables "local" and "main" are
// one, as they are without rules of one's own (ip-rule), and what they do not
// say to be local, broadcast or anycast is unicast, with a route or without.
// In IPv6 the tables "local",
// "main" and "default" are looked up in this order. The longest prefix decides, and of routes with the same one
// the lowest metric. Routes of other tables are read and do not count. Sources:
// ip-route(8) and the behaviour of Linux 6.18.
package route

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// Type is a set of types of addresses: bits of packet.AddrTypes.
type Type = uint16

// The types of addresses that routes give.
const (
	Unspec      Type = 1 << 0
	Unicast     Type = 1 << 1
	Local       Type = 1 << 2
	Broadcast   Type = 1 << 3
	Anycast     Type = 1 << 4
	Multicast   Type = 1 << 5
	Blackhole   Type = 1 << 6
	Unreachable Type = 1 << 7
	Prohibit    Type = 1 << 8
	Throw       Type = 1 << 9
)

// Route is a route: where addresses of a prefix go.
type Route struct {
	Dst    netip.Prefix
	Type   Type
	Dev    string // "" for none
	Via    bool   // it goes by a gateway
	Kernel bool   // the kernel made it for an address ("proto kernel")
	Table  string // "local", "main"
	Metric uint32
}

// Table is what a machine's routing tables say. It is immutable. The nil
// *Table knows no routes.
type Table struct {
	local, main, other *lookup
}

// lookup is one routing table.
type lookup struct {
	list    []Route
	routes  map[netip.Prefix]int // the one that counts, in list
	lengths [2][]int             // in use in IPv4 and IPv6, longest first
}

func (t *Table) lookups() []*lookup {
	if t == nil {
		return nil
	}
	return []*lookup{t.local, t.main, t.other}
}

// Routes returns the routes that are looked at, those of the table local
// first.
func (t *Table) Routes() (list []Route) {
	for _, l := range t.lookups() {
		list = append(list, l.list...)
	}
	return list
}

// New returns the Table of routes. Those of tables other than local, main and
// default do not count.
func New(list []Route) *Table {
	t := &Table{}
	for i, to := range []**lookup{&t.local, &t.main, &t.other} {
		l := &lookup{routes: map[netip.Prefix]int{}}
		used := [2][129]bool{}
		for _, r := range list {
			if r.Table != [...]string{"local", "main", "default"}[i] {
				continue
			}
			r.Dst = r.Dst.Masked()
			if at, ok := l.routes[r.Dst]; ok {
				if r.Metric < l.list[at].Metric {
					l.list[at] = r
				}
				continue
			}
			l.routes[r.Dst] = len(l.list)
			l.list = append(l.list, r)
			used[r.Dst.Addr().BitLen()>>7][r.Dst.Bits()] = true
		}
		for f := range used {
			for n := 128; n >= 0; n-- {
				if used[f][n] {
					l.lengths[f] = append(l.lengths[f], n)
				}
			}
		}
		*to = l
	}
	return t
}

var typeNames = map[string]Type{"unicast": Unicast, "local": Local, "broadcast": Broadcast, "anycast": Anycast, "multicast": Multicast,
	"blackhole": Blackhole, "unreachable": Unreachable, "prohibit": Prohibit, "throw": Throw}

// Options say how to read a file.
type Options struct {
	// File is the name that errors carry.
	File string
	// Family is what "default" without an address is: 4 (or 0) or 6.
	Family int
	// Limits: MaxInput and MaxLine bound the file, MaxRules the number of routes.
	Limits rules.Limits
}

// Read reads the output of "ip route show table all", "ip -6 route show table
// all", "ip route show table local" (whose lines do not name the table, and
// which is found out by the types), or all of them in one file. Errors are
// *rules.ParseErrors with file and line.
func Read(src io.Reader, o Options) (*Table, error) {
	limits := o.Limits.OrDefault()
	in := bufio.NewScanner(io.LimitReader(src, int64(limits.MaxInput)+1))
	in.Buffer(nil, max(limits.MaxLine, 4096))
	var list []Route
	line, size := 0, 0
	fail := func(token, reason string, kind error) (*Table, error) {
		return nil, &rules.ParseError{File: o.File, Line: line, Token: token, Reason: reason, Err: kind}
	}
	for in.Scan() {
		line++
		if size += len(in.Bytes()) + 1; size > limits.MaxInput {
			return fail("", fmt.Sprintf("more than %d bytes", limits.MaxInput), rules.ErrLimit)
		}
		words := strings.Fields(in.Text())
		if len(words) == 0 || words[0][0] == '#' || words[0] == "nexthop" || words[0] == "cache" {
			continue
		}
		r := Route{Type: Unicast}
		if t, ok := typeNames[words[0]]; ok {
			r.Type = t
			words = words[1:]
		}
		if len(words) == 0 {
			return fail("", "expected a prefix", nil)
		}
		var err error
		if r.Dst, err = prefix(words[0], o.Family, words); err != nil {
			return fail(words[0], err.Error(), nil)
		}
		for i := 1; i+1 < len(words); i++ {
			switch words[i] {
			case "dev":
				r.Dev = words[i+1]
			case "via":
				r.Via = true
			case "proto":
				r.Kernel = words[i+1] == "kernel"
			case "table":
				r.Table = words[i+1]
			case "metric":
				n, err := strconv.ParseUint(words[i+1], 10, 32)
				if err != nil {
					return fail(words[i+1], "metric is not a number", nil)
				}
				r.Metric = uint32(n)
			default:
				continue
			}
			i++
		}
		switch r.Table {
		case "":
			if r.Table = "main"; r.Type == Local || r.Type == Broadcast || r.Type == Anycast || r.Type == Multicast {
				r.Table = "local"
			}
		case "255":
			r.Table = "local"
		case "254":
			r.Table = "main"
		case "253":
			r.Table = "default"
		}
		if len(list) >= limits.MaxRules {
			return fail("", fmt.Sprintf("more than %d routes", limits.MaxRules), rules.ErrLimit)
		}
		list = append(list, r)
	}
	if err := in.Err(); err != nil {
		line++
		if err == bufio.ErrTooLong {
			return fail("", fmt.Sprintf("a line of more than %d bytes", max(limits.MaxLine, 4096)), rules.ErrLimit)
		}
		return nil, err
	}
	return New(list), nil
}

func prefix(s string, family int, words []string) (netip.Prefix, error) {
	if s == "default" {
		for i, w := range words {
			if i > 0 && words[i-1] == "via" {
				if a, err := netip.ParseAddr(w); err == nil && a.Is6() {
					family = 6
				}
			}
			if i > 0 && words[i-1] == "pref" { // only IPv6 routes have one
				family = 6
			}
		}
		if family == 6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			// Old tools leave out trailing zeros: "10/8".
			addr, length, _ := strings.Cut(s, "/")
			p, err = netip.ParsePrefix(addr + strings.Repeat(".0", max(3-strings.Count(addr, "."), 0)) + "/" + length)
		}
		if err != nil {
			return p, fmt.Errorf("not a prefix")
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("neither an address nor a prefix")
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// find returns the route that decides on an address in a table.
func (l *lookup) find(a netip.Addr) *Route {
	if l == nil {
		return nil
	}
	for _, n := range l.lengths[a.BitLen()>>7] {
		p, _ := a.Prefix(n)
		if i, ok := l.routes[p]; ok {
			return &l.list[i]
		}
	}
	return nil
}

// Types returns the types of an address, asked for the interface only when dev
// is not "". IPv4 addresses have one, by the table local alone; of IPv6
// addresses what TypesOfAddress says holds besides.
func (t *Table) Types(a netip.Addr, dev string) Type {
	if a.Is4() {
		return t.type4(a, dev)
	}
	return TypesOfAddress(a) | t.types6(a, dev)
}

func (t *Table) type4(a netip.Addr, dev string) Type {
	if k := TypesOfAddress(a); k != 0 {
		return k
	}
	if t != nil {
		r := t.local.find(a)
		if m := t.main.find(a); r != nil && m != nil && m.Dst.Bits() > r.Dst.Bits() {
			r = m
		}
		if r != nil && (dev == "" || r.Dev == dev) && r.Type&(Local|Broadcast|Anycast|Multicast) != 0 {
			return r.Type
		}
	}
	return Unicast
}

func (t *Table) types6(a netip.Addr, dev string) (types Type) {
	var r *Route
	if t != nil {
		for _, l := range []*lookup{t.local, t.main, t.other} {
			if r = l.find(a); r != nil && r.Type != Throw {
				break
			}
			r = nil
		}
	}
	if r == nil || r.Type&(Blackhole|Unreachable|Prohibit) != 0 {
		return Unreachable
	}
	if dev != "" && r.Dev != "" && r.Dev != dev {
		return Unreachable // by that interface, that is
	}
	if r.Type == Local && (dev == "" || r.Dst.Bits() == 128) { // by an interface, one of its addresses
		types = Local
	}
	if r.Type == Anycast && r.Kernel || r.Dst.Bits() < 127 && !r.Via && r.Dst.Addr() == a {
		types |= Anycast
	}
	return types
}

// TypesOfAddress returns the types of an address that are the same with every
// routing table: in IPv4 those of multicast addresses, of 0.0.0.0 and of the
// limited broadcast, 0 for others; in IPv6 unspecified, unicast or multicast,
// 0 for IPv4-mapped ones.
func TypesOfAddress(a netip.Addr) Type {
	switch b := a.As16(); {
	case a.Is4() && (a.IsUnspecified() || [4]byte(b[12:]) == [4]byte{255, 255, 255, 255}):
		return Broadcast
	case a.Is4() && b[12]>>4 == 14:
		return Multicast
	case a.Is4(), a.Is4In6():
		return 0
	case a.IsUnspecified():
		return Unspec
	case b[0] == 0xff:
		return Multicast
	}
	return Unicast
}

// Match reports whether an address of a family with the types is of those that
// a rule asks for. In IPv4 any of them will do. In IPv6 it must be unspecified,
// unicast and multicast, as far as the rule asks for that, and be any of the
// other types if it asks for some.
func Match(v4 bool, asked, types Type) bool {
	if v4 {
		return asked&types != 0
	}
	const own = Unspec | Unicast | Multicast
	return asked&own&^types == 0 && (asked&^own == 0 || asked&^own&types != 0)
}

// Intervals returns the addresses of a family (4 or 6) that Match the asked
// types, as intervals of the family's width, ascending and disjoint. It takes
// time O(n log n) in the routes that count.
func (t *Table) Intervals(family int, asked Type) []rules.Interval {
	width := 32
	if family == 6 {
		width = 128
	}
	// The ends of all prefixes cut the addresses into pieces of one type.
	cuts := []rules.Value{{}}
	add := func(p netip.Prefix) {
		iv := rules.PrefixInterval(value(p.Addr()), p.Bits(), width)
		if cuts = append(cuts, iv.Lo); iv.Hi != rules.Ones(width) {
			cuts = append(cuts, iv.Hi.Next())
		}
	}
	fixed := []string{"0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32"}
	if family == 6 {
		fixed = []string{"::/128", "::ffff:0:0/96", "ff00::/8"}
	}
	for _, p := range fixed {
		add(netip.MustParsePrefix(p))
	}
	for _, l := range t.lookups() {
		for i := range l.list {
			r := &l.list[i]
			if (family == 4) != r.Dst.Addr().Is4() || family == 4 && l != t.local && (l != t.main || t.local.find(r.Dst.Addr()) == nil) {
				continue // no types come from it
			}
			if add(r.Dst); family == 6 {
				add(netip.PrefixFrom(r.Dst.Addr(), 128)) // the anycast address of the subnet
			}
		}
	}
	slices.SortFunc(cuts, rules.Value.Cmp)
	cuts = slices.Compact(cuts)
	var list []rules.Interval
	for i, lo := range cuts {
		hi := rules.Ones(width)
		if i+1 < len(cuts) {
			hi = cuts[i+1].Prev()
		}
		if !Match(family == 4, asked, t.Types(address(lo, family), "")) {
			continue
		}
		if n := len(list); n > 0 && list[n-1].Hi.Next() == lo {
			list[n-1].Hi = hi
			continue
		}
		list = append(list, rules.Interval{Lo: lo, Hi: hi})
	}
	return list
}

func value(a netip.Addr) rules.Value {
	if a.Is4() {
		return rules.Addr4(a)
	}
	return rules.Addr16(a)
}

func address(v rules.Value, family int) netip.Addr {
	if family == 4 {
		return v.Addr4()
	}
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(v.Hi>>(56-8*i)), byte(v.Lo>>(56-8*i))
	}
	return netip.AddrFrom16(b)
}
