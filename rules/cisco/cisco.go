package cisco

// Reading: the lines of a configuration, and the lists that come of them.

import (
	"errors"
	"io"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
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

// Verdicts of rules.
const (
	Permit = "ACCEPT"
	Deny   = "DROP"
)

// Options say how to read. The zero Options are ready to use.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the input; zero fields mean rules.DefaultLimits.
	Limits rules.Limits
	// List, when not "", is the only list that is wanted: what is valid in others
	// and not modelled is no error then.
	List string
}

// List is an access list.
type List struct {
	// Name is its name or number.
	Name string
	// Rules are its rules. Their values are Permit and Deny, their comments say
	// where they come from; the last one is the implicit deny.
	Rules *rules.List[string]
	// Lines are the lines of the file that the rules come from, one for each; 0 for
	// the implicit deny.
	Lines []int
}

// Read reads a configuration and returns its access lists in the order of the
// file; with Options.List the others are names alone. Errors are of
// type *rules.ParseError, or such errors joined; those about what is valid and not
// modelled wrap rules.ErrUnsupported.
func Read(r io.Reader, opts Options) ([]List, error) {
	p := &parser{in: lines.NewReader(r, opts.File, opts.Limits), byName: map[string]*accessList{}}
	for {
		line, number, err := p.in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = p.in.CheckUTF8(line)
		}
		if err == nil {
			p.load(string(line), number)
			err = p.line()
		}
		if err != nil {
			if !p.keep(err) {
				return nil, err
			}
		}
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	var out []List
	for _, a := range p.lists {
		if opts.List != "" && a.name != opts.List {
			out = append(out, List{Name: a.name})
			continue
		}
		l, err := a.compile(opts)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}
