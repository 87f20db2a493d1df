// Package classbench reads and writes the rule files and traces of ClassBench
// (Taylor and Turner, "ClassBench: A Packet Classification Benchmark", IEEE
// INFOCOM 2005) and of the programs that imitate it.
//
// # Rule files
//
// One rule a line, in order; the first match decides. The columns are
// separated by tabs or blanks:
//
//	rule    = "@" prefix  prefix  range  range  masked  [ masked ]
//	prefix  = address "/" length                      source, destination
//	range   = port ":" port                           source and destination ports
//	masked  = number "/" number                       protocol and its mask; flags and theirs
//	number  = decimal | "0x" hexadecimal
//
//	@10.1.0.0/16	0.0.0.0/0	0 : 65535	80 : 80	0x06/0xFF	0x0000/0x0200
//
// Blank lines and lines that begin with '#' are skipped. Addresses are all
// IPv4 or all IPv6.
//
// ClassBench knows no absent fields: a prefix of length 0, the port range
// 0 : 65535 and a mask of 0 ask for nothing, and become no condition at all, so
// that they also match packets without the field. All other columns become
// conditions that need the field. Address bits beyond the prefix length and
// value bits outside a mask are ignored.
//
// The sixth column belongs to the rule as its value, [Flags]. Only with
// Options.Fields 6 it is a condition too, on the field flags of [Schema6]: its
// high byte stands for the TCP flags byte (protocol 6) or the ICMP type
// (protocol 1) of a packet.
//
// # Traces
//
// One packet a line: source, destination, source port, destination port and
// protocol as unsigned decimal numbers (addresses may be text too), then up to
// two more decimal numbers that are informational: flags, and the rule that
// the generator drew the packet from.
package classbench

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// Flags is the sixth column of a rule: it asks for packet flags f with
// f & Mask == Value & Mask. Bits of Value outside Mask are kept, and mean
// nothing.
type Flags struct {
	Value, Mask uint16
}

// String returns "flags 0x0200/0x0200", or nothing for the zero value, which asks
// for none.
func (f Flags) String() string {
	if f == (Flags{}) {
		return ""
	}
	return fmt.Sprintf("flags %#04x/%#04x", f.Value, f.Mask)
}

// Schemas of rule files whose sixth column is matched: the 5-tuple and a field
// flags of 16 bits.
var (
	// Schema6 is rules.IPv4Tuple and flags.
	Schema6 = sixFields(rules.IPv4Tuple)
	// Schema6IPv6 is rules.IPv6Tuple and flags.
	Schema6IPv6 = sixFields(rules.IPv6Tuple)
)

func sixFields(five *rules.Schema) *rules.Schema {
	var fields []rules.Field
	for i := range five.Len() {
		fields = append(fields, *five.Field(i))
	}
	return rules.MustSchema(append(fields, rules.Field{Name: "flags", Kind: rules.Hex, Bits: 16})...)
}

// Indices of the fields in all schemas of this package.
const (
	src = iota
	dst
	sport
	dport
	proto
	flags
)

// Options say how to read. The zero Options are ready to use.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the input; zero fields mean rules.DefaultLimits. A trace is
	// not kept in memory, so that its length has a limit only when MaxInput is
	// set.
	Limits rules.Limits
	// Fields is the number of columns that rules match on: 5, or 6 to match the
	// flags. 0 means 5. Traces don't use it.
	Fields int
	// Schema is that of the keys a TraceReader fills; nil means
	// rules.IPv4Tuple. Rule files don't use it: theirs follows from the
	// addresses in them and from Fields.
	Schema *rules.Schema
}
