package aws

// What the package gives: the lists of a file, their schema, and how to read it.

import (
	"io"

	"github.com/hipac-go/classifier/rules"
)

// Schema is that of all lists: the 5-tuple of both families and the ICMP message,
// fields that package packet fills by these names.
var Schema = rules.MustSchema(
	rules.Field{Name: "src", Kind: rules.IP}, rules.Field{Name: "dst", Kind: rules.IP},
	rules.Field{Name: "sport", Kind: rules.Port}, rules.Field{Name: "dport", Kind: rules.Port}, rules.Field{Name: "proto", Kind: rules.Proto},
	rules.Field{Name: "icmptype", Bits: 8}, rules.Field{Name: "icmpcode", Bits: 8},
)

// Indices of the fields.
const (
	src = iota
	dst
	_ // the source port, which no rule asks for
	dport
	proto
	icmptype
	icmpcode
)

// Verdicts: the values of rules.
const (
	Allow = "ACCEPT"
	Deny  = "DROP"
)

// Options say how to read. The zero Options are ready to use.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the input; zero fields mean rules.DefaultLimits. MaxChains is for
	// lists; MaxElements for the addresses of a group or of a prefix list.
	Limits rules.Limits
	// List, when not "", is the only list that is wanted: what is wrong in the rules
	// of others, or not modelled, is no error then.
	List string
}

// List is a direction of a security group or of a network ACL.
type List struct {
	// Name is the id and the direction: "sg-0a1b/ingress", "acl-0a1b/egress".
	Name string
	// Rules are its rules; nil for a list that Options.List does not name. Their
	// values are Allow and Deny, their comments what they come from.
	Rules *rules.List[string]
	// Lines are the lines of the file that the rules come from, one for each; 0 for
	// the implicit rules at the end, also where the file has them.
	Lines []int
}

// Read reads documents and returns the lists of what is in them, in the order of the
// file, ingress in front of egress. Errors are of type *rules.ParseError, or such
// errors joined; those about what is valid and not modelled wrap
// rules.ErrUnsupported. Unless the file is no JSON or a limit ends the reading, an
// error tells all that is wrong; when that is in lists alone, and not in what belongs
// to none of them, the lists come with it, without their rules.
//
// It takes time and memory linear in the file and in the addresses of the groups
// and prefix lists that rules name.
func Read(r io.Reader, opts Options) ([]List, error) {
	in, err := newInput(r, opts.File, opts.Limits)
	if err != nil {
		return nil, err
	}
	d := &documents{
		in: in, want: opts.List, byName: map[string]*list{}, owners: map[string]string{}, interfaces: map[string]*networkInterface{},
		members: map[string][]*networkInterface{}, prefixes: map[string]*prefixList{},
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	out := make([]List, len(d.lists))
	c := newCompiler(d)
	found := []*faults{&d.faults}
	for i, l := range d.lists {
		out[i].Name = l.name
		if opts.List != "" && opts.List != l.name {
			continue
		}
		found = append(found, &l.faults)
		if err := c.compile(l, &out[i]); err != nil {
			return nil, err
		}
	}
	for _, p := range d.prefixes {
		if p.used || opts.List == "" {
			found = append(found, &p.faults)
		}
	}
	for _, n := range d.interfaces {
		if n.used || opts.List == "" {
			found = append(found, &n.faults)
		}
	}
	err = d.errors(found)
	if len(d.faults.first) > 0 {
		return nil, err
	}
	if err != nil {
		for i := range out {
			out[i] = List{Name: out[i].Name}
		}
	}
	return out, err
}
