package iptables

// Fields: everything that conditions of iptables rules ask of a packet. A file
// gets a schema of the fields that its rules use, so that a key is no longer
// than it has to be; while the file is read, conditions are numbered by their
// field's place in this table.

import (
	"sort"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
)

// universe are the fields, in the order in which a schema has them. Addresses
// get the kind of their file's family. packet.Binder fills them by their names.
var universe = []rules.Field{
	{Name: "src"}, {Name: "dst"}, {Name: "sport", Kind: rules.Port}, {Name: "dport", Kind: rules.Port}, {Name: "proto", Kind: rules.Proto},
	{Name: "iif", Kind: rules.Name}, {Name: "oif", Kind: rules.Name}, {Name: "frag", Bits: 1},
	{Name: "tcpflags", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags},
	{Name: "icmptype", Bits: 8}, {Name: "icmpcode", Bits: 8},
	{Name: "ctstate", Bits: 8, Kind: rules.Bits, Symbols: rules.CTStates},
	{Name: "mark", Bits: 32, Kind: rules.Hex},
	{Name: "dscp", Bits: 6, Kind: rules.Hex}, {Name: "ecn", Bits: 2}, {Name: "tos", Bits: 8, Kind: rules.Hex},
	{Name: "length", Bits: 16}, {Name: "ttl", Bits: 8},
	{Name: "smac", Kind: rules.MAC},
	{Name: "pkttype", Bits: 3, Kind: rules.Enum, Symbols: rules.PacketTypes},
	{Name: "tcpopts0", Bits: 128, Kind: rules.Hex}, {Name: "tcpopts1", Bits: 128, Kind: rules.Hex}, {Name: "mss", Bits: 16},
	{Name: "ecnflags", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags},
	{Name: "ahspi", Bits: 32}, {Name: "ahlen", Bits: 8}, {Name: "ahres", Bits: 16}, {Name: "espspi", Bits: 32}, {Name: "cpi", Bits: 16},
	{Name: "dccptype", Bits: 4}, {Name: "dccpopts0", Bits: 128, Kind: rules.Hex}, {Name: "dccpopts1", Bits: 128, Kind: rules.Hex},
	{Name: "fragid", Bits: 32}, {Name: "rttype", Bits: 8}, {Name: "rtsegs", Bits: 8}, {Name: "rtlen", Bits: 16},
	{Name: "hbhlen", Bits: 16}, {Name: "dstlen", Bits: 16}, {Name: "exthdrs", Bits: 8, Kind: rules.Hex}, {Name: "mhtype", Bits: 8},
	{Name: "srhnext", Bits: 8}, {Name: "srhlen", Bits: 8}, {Name: "srhsegs", Bits: 8}, {Name: "srhlast", Bits: 8}, {Name: "srhtag", Bits: 16},
	{Name: "srhpsid", Kind: rules.IPv6}, {Name: "srhnsid", Kind: rules.IPv6}, {Name: "srhlsid", Kind: rules.IPv6}, {Name: "eui64", Bits: 1},
	{Name: "cpu", Bits: 32}, {Name: "ingroup", Bits: 32, Kind: rules.Hex}, {Name: "outgroup", Bits: 32, Kind: rules.Hex}, {Name: "realm", Bits: 32, Kind: rules.Hex},
	{Name: "ctmark", Bits: 32, Kind: rules.Hex}, {Name: "ctstatus", Bits: 32, Kind: rules.Bits, Symbols: packet.CTStatuses},
	{Name: "ctdir", Bits: 1}, {Name: "ctproto", Kind: rules.Proto},
	{Name: "ctorigsrc"}, {Name: "ctorigdst"}, {Name: "ctreplsrc"}, {Name: "ctrepldst"},
	{Name: "ctorigsport", Kind: rules.Port}, {Name: "ctorigdport", Kind: rules.Port}, {Name: "ctreplsport", Kind: rules.Port}, {Name: "ctrepldport", Kind: rules.Port},
	{Name: "ctexpire", Bits: 32}, {Name: "ctlabels", Bits: 128, Kind: rules.Hex}, {Name: "cthelper", Kind: rules.Name},
	{Name: "srctype", Bits: 12, Kind: rules.Bits, Symbols: packet.AddrTypes}, {Name: "dsttype", Bits: 12, Kind: rules.Bits, Symbols: packet.AddrTypes},
	{Name: "hotdrop", Bits: 32, Kind: rules.Hex},
}

// Places of fields in the universe.
var (
	fieldSrc      = field("src")
	fieldDst      = field("dst")
	fieldSport    = field("sport")
	fieldDport    = field("dport")
	fieldProto    = field("proto")
	fieldIif      = field("iif")
	fieldOif      = field("oif")
	fieldFrag     = field("frag")
	fieldTCPFlags = field("tcpflags")
	fieldICMPType = field("icmptype")
	fieldICMPCode = field("icmpcode")
	fieldCTState  = field("ctstate")
	fieldMark     = field("mark")
	fieldDSCP     = field("dscp")
	fieldECN      = field("ecn")
	fieldTOS      = field("tos")
	fieldLength   = field("length")
	fieldTTL      = field("ttl")
	fieldSMAC     = field("smac")
	fieldPktType  = field("pkttype")
	fieldHotdrop  = field("hotdrop")
)

// field returns the place of the named field in the universe.
func field(name string) int {
	for i := range universe {
		if universe[i].Name == name {
			return i
		}
	}
	panic("iptables: no field " + name)
}

// fieldIn returns a field as files of a family have it.
func fieldIn(i, family int) rules.Field {
	f := universe[i]
	if f.Kind == rules.Number && f.Bits == 0 { // an address
		if f.Kind, f.Bits = rules.IPv4, 32; family == 6 {
			f.Kind, f.Bits = rules.IPv6, 128
		}
	}
	if f.Bits == 0 {
		f.Bits = map[rules.Kind]int{rules.Port: 16, rules.Proto: 8, rules.Name: 128, rules.MAC: 48, rules.IPv6: 128}[f.Kind]
	}
	return f
}

// present returns the condition that packets of a family have the field.
func present(i, family int) rules.Cond {
	f := fieldIn(i, family)
	return rules.In(i, f.Full())
}

// always is the number of fields at the beginning of the universe that every
// schema has: the 5-tuple.
const always = 5

// choose makes the schema of the fields that are used, counted by their place
// in the universe, and returns the place of each in the schema, -1 for those
// that are not in it: unused ones, and the least used beyond what a schema can
// hold.
func choose(used []int, family int) (*rules.Schema, []int) {
	var order []int
	for i := range universe {
		if i >= always && used[i] > 0 {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return used[order[a]] > used[order[b]] })
	keep := make([]bool, len(universe))
	for n, i := range order {
		keep[i] = n < rules.MaxFields-always
	}
	place := make([]int, len(universe))
	var fields []rules.Field
	for i := range universe {
		if place[i] = -1; i < always || keep[i] {
			place[i] = len(fields)
			fields = append(fields, fieldIn(i, family))
		}
	}
	return rules.MustSchema(fields...), place
}

// fieldTest returns the test of a condition.
func fieldTest(c rules.Cond, family int) rules.Test {
	return xt.FieldTest(fieldIn(c.Field(), family), c)
}
