package cisco

// What the package gives: the lists of a text, their schema, and how to read it.

import (
	"io"

	"github.com/hipac-go/classifier/rules"
)

// Schema is that of all lists: fields that package packet fills by these names.
var Schema = rules.MustSchema(
	rules.Field{Name: "src", Kind: rules.IPv4}, rules.Field{Name: "dst", Kind: rules.IPv4},
	rules.Field{Name: "sport", Kind: rules.Port}, rules.Field{Name: "dport", Kind: rules.Port}, rules.Field{Name: "proto", Kind: rules.Proto},
	rules.Field{Name: "frag", Bits: 1},
	rules.Field{Name: "tcpflags", Bits: 8, Kind: rules.Bits, Symbols: rules.TCPFlags},
	rules.Field{Name: "icmptype", Bits: 8}, rules.Field{Name: "icmpcode", Bits: 8},
	rules.Field{Name: "dscp", Bits: 6, Kind: rules.Hex}, rules.Field{Name: "ecn", Bits: 2},
	rules.Field{Name: "ttl", Bits: 8},
)

// Indices of the fields.
const (
	src = iota
	dst
	sport
	dport
	proto
	frag
	tcpflags
	icmptype
	icmpcode
	dscp
	ecn
	ttl
)

// Verdicts: the values of rules.
const (
	Permit = "ACCEPT"
	Deny   = "DROP"
)

// Options say how to read. The zero Options are ready to use.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the input; zero fields mean rules.DefaultLimits. MaxChains is for
	// lists, and for object groups; MaxElements for the members of a group, with
	// those of the groups in it.
	Limits rules.Limits
	// List, when not "", is the only list that is wanted: what is wrong in the
	// entries of others, or not modelled, is no error then.
	List string
}

// List is an access list.
type List struct {
	// Name is its name or number.
	Name string
	// Rules are its rules, in the order in which they are tried; nil for a list that
	// Options.List does not name. Their values are Permit and Deny, their comments
	// the entries that they come from.
	Rules *rules.List[string]
	// Lines are the lines of the file that the rules come from, one for each; 0 for
	// the implicit rule at the end.
	Lines []int
}

// Read reads a text and returns its access lists in the order of the file. Errors
// are of type *rules.ParseError, or such errors joined; those about what is valid
// and not modelled wrap rules.ErrUnsupported. Unless a limit ends the reading, an
// error tells all that is wrong in the file, and the lists come with it, without
// their rules.
//
// It takes time and memory linear in the file and in the members of the object
// groups that entries name, about 5 µs and a kilobyte for a rule.
func Read(r io.Reader, opts Options) ([]List, error) {
	p := newParser(r, opts)
	if err := p.read(); err != nil {
		return nil, err
	}
	out := make([]List, len(p.lists))
	c := &compiler{parser: p}
	for i, a := range p.lists {
		out[i].Name = a.name
		if !p.wants(a) || a.refused {
			continue
		}
		if err := c.compile(a, &out[i]); err != nil {
			return nil, err
		}
	}
	err := p.errors()
	if err != nil {
		for i := range out {
			out[i] = List{Name: out[i].Name}
		}
	}
	return out, err
}
