package nftables

// Fields: what conditions ask of a packet. A listing gets a schema of the fields
// that its rules use, so that a key is no longer than it has to be; while it is
// read, conditions are numbered by their field's place in this table.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// universe are the fields, in the order in which a schema has them. Addresses get
// the kind of the listing's families. packet.Binder fills them by their names.
var universe = []rules.Field{
	{Name: "src"}, {Name: "dst"}, {Name: "sport", Kind: rules.Port, Bits: 16}, {Name: "dport", Kind: rules.Port, Bits: 16}, {Name: "proto", Kind: rules.Proto, Bits: 8},
	{Name: "iif", Kind: rules.Name, Bits: 128}, {Name: "oif", Kind: rules.Name, Bits: 128}, {Name: "frag", Bits: 1},
	{Name: "tcpflags", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags},
	{Name: "icmptype", Bits: 8}, {Name: "icmpcode", Bits: 8},
	{Name: "ctstate", Bits: 8, Kind: rules.Bits, Symbols: rules.CTStates},
	{Name: "mark", Bits: 32, Kind: rules.Hex},
	{Name: "dscp", Bits: 6, Kind: rules.Hex}, {Name: "ecn", Bits: 2},
	{Name: "length", Bits: 32}, {Name: "ttl", Bits: 8},
	{Name: "smac", Kind: rules.MAC, Bits: 48}, {Name: "dmac", Kind: rules.MAC, Bits: 48},
	{Name: "pkttype", Bits: 3, Kind: rules.Enum, Symbols: rules.PacketTypes},
	{Name: "tcpopts0", Bits: 128, Kind: rules.Hex}, {Name: "mss", Bits: 16},
	{Name: "ahspi", Bits: 32}, {Name: "espspi", Bits: 32}, {Name: "cpi", Bits: 16}, {Name: "dccptype", Bits: 4},
	{Name: "fragid", Bits: 32}, {Name: "rttype", Bits: 8}, {Name: "rtsegs", Bits: 8}, {Name: "mhtype", Bits: 8}, {Name: "exthdrs", Bits: 8, Kind: rules.Hex},
	{Name: "ctmark", Bits: 32, Kind: rules.Hex}, {Name: "ctstatus", Bits: 32, Kind: rules.Bits, Symbols: packet.CTStatuses},
	{Name: "ctdir", Bits: 1}, {Name: "ctproto", Kind: rules.Proto, Bits: 8},
	{Name: "ctorigsrc"}, {Name: "ctorigdst"}, {Name: "ctreplsrc"}, {Name: "ctrepldst"},
	{Name: "ctorigsport", Kind: rules.Port, Bits: 16}, {Name: "ctorigdport", Kind: rules.Port, Bits: 16},
	{Name: "ctreplsport", Kind: rules.Port, Bits: 16}, {Name: "ctrepldport", Kind: rules.Port, Bits: 16},
}

// fieldAt are the places of fields in the universe by their names.
var fieldAt = func() map[string]int {
	m := map[string]int{}
	for i := range universe {
		m[universe[i].Name] = i
	}
	return m
}()

// Places of fields in the universe.
var (
	fieldSrc     = fieldAt["src"]
	fieldProto   = fieldAt["proto"]
	fieldExthdrs = fieldAt["exthdrs"]
)

// fieldIn returns a field as listings of a family have it, 0 for both.
func fieldIn(i, family int) rules.Field {
	f := universe[i]
	if f.Bits == 0 {
		switch family {
		case 4:
			f.Kind, f.Bits = rules.IPv4, 32
		case 6:
			f.Kind, f.Bits = rules.IPv6, 128
		default:
			f.Kind, f.Bits = rules.IP, 128
		}
	}
	return f
}

// always is the number of fields at the beginning of the universe that every
// schema has: the 5-tuple.
const always = 5

// choose makes the schema of the fields that are used and returns the place of each
// in the schema, -1 for those that are not in it: unused ones, and the least used
// beyond what a schema can hold.
func choose(used []int, family int) (*rules.Schema, []int) {
	var order []int
	for i := always; i < len(universe); i++ {
		if used[i] > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return used[b] - used[a] })
	order = order[:min(len(order), rules.MaxFields-always)]
	place := make([]int, len(universe))
	var fields []rules.Field
	for i := range universe {
		if place[i] = -1; i < always || slices.Contains(order, i) {
			place[i] = len(fields)
			fields = append(fields, fieldIn(i, family))
		}
	}
	return rules.MustSchema(fields...), place
}

// v4 are the IPv4 addresses among the values of a field of both families, v6 the
// others.
var (
	v4 = rules.PrefixInterval(mapped, 96, 128)
	v6 = []rules.Interval{{Hi: v4.Lo.Prev()}, {Lo: v4.Hi.Next(), Hi: rules.Ones(128)}}
)

// mapped is ::ffff:0.0.0.0.
var mapped = rules.Value{Lo: 0xffff << 32}

// ofFamily are the conditions that a packet is of a family; false when the table
// sees no packet of it.
func (s *scope) ofFamily(family int) (conds []rules.Cond, ok bool) {
	switch {
	case s.family == family:
		return nil, true
	case s.family != 0:
		return nil, false
	case family == 4:
		return []rules.Cond{rules.In(fieldSrc, v4)}, true
	}
	return []rules.Cond{oneOf(fieldSrc, v6)}, true
}

// scope is the table that expressions are read for.
type scope struct {
	family int // of the table: 4, 6, or 0 for inet
	kind   int // of the listing's addresses
}

// isProto is the condition that a packet is of a protocol.
func isProto(numbers ...uint64) rules.Cond {
	var list []rules.Interval
	for _, n := range numbers {
		list = append(list, rules.Point(n))
	}
	return rules.In(fieldProto, list...)
}

// sees are the source addresses of the packets that the table sees, by families.
func (s *scope) sees() []rules.Interval {
	switch {
	case s.kind != 0:
		return []rules.Interval{{Hi: rules.Ones(map[int]int{4: 32, 6: 128}[s.kind])}}
	case s.family == 4:
		return []rules.Interval{v4}
	case s.family == 6:
		return v6
	}
	return []rules.Interval{v6[0], v4, v6[1]}
}
