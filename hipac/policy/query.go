package policy

// Queries: what a rule set says of the packets that meet some conditions.

import (
	"context"
	"math/big"

	"github.com/hipac-go/classifier/rules"
)

// Extent is how many of the packets asked about something is said of.
type Extent uint8

// The extents.
const (
	// No packet.
	No Extent = iota
	// Some packets, and of others something else.
	Some
	// All packets.
	All
	// Unsure: none for sure, but of some it depends on a test with a memory or one
	// that is not modelled, or a limit was reached before any was found.
	Unsure
)

var extentNames = [...]string{"no", "some", "all", "unsure"}

// String returns the word of the constant's name, in lower case.
func (e Extent) String() string { return extentNames[min(int(e), len(extentNames)-1)] }

// Answer is what a rule set says of packets.
type Answer struct {
	// Extent says of how many of the packets asked about the verdict is said; of a
	// query for any verdict it is All, or No where there are no such packets.
	Extent Extent
	// Difference has the regions where the verdict is said, as Old, and by whom. New
	// means nothing. Its Packets are those that were asked about.
	Difference
}

// Query asks of which packets that meet the conditions a function says the
// verdict, "" for any. The conditions are of the function's schema. Options.Within
// is not used. It is partial and fails as Compare.
//
// It takes time as the rules overlap that meet the conditions: much less for
// narrow conditions than for none.
func Query(ctx context.Context, f *Function, conds []rules.Cond, verdict string, o Options) (*Answer, error) {
	o.Within = conds
	none := "\x00"
	p, err := mergeAbout(f, Constant(f.schema, none), &o, verdict, none)
	if err != nil {
		return nil, err
	}
	d, space, err := p.difference(ctx, &o)
	if err != nil {
		return nil, err
	}
	a := &Answer{Difference: *d}
	for i := range a.Regions {
		a.Regions[i].New, a.Regions[i].News = Decision{}, nil
	}
	sure := new(big.Int)
	for i := range a.Changes {
		a.Changes[i].New = ""
		sure.Add(sure, a.Changes[i].Packets)
	}
	whole := new(big.Int).Lsh(d.Packets, uint(p.opaques()))
	known := sure.Sign() > 0
	for i := range a.Regions {
		known = known || !a.Regions[i].Unknown
	}
	switch {
	case len(d.Changes) == 0 && d.Partial == nil:
		a.Extent = No
	case d.Partial == nil && space.Cmp(whole) == 0:
		a.Extent = All
	case known:
		a.Extent = Some
	default:
		a.Extent = Unsure
	}
	return a, nil
}

// opaques returns the number of opaque dimensions.
func (p *pair) opaques() (n int) {
	for d := range p.seq.Space.Dims() {
		if p.seq.Space.IsOpaque(d) {
			n++
		}
	}
	return n
}
