package lower

// One rule at a time. Edits lower single rules, into spans by key word rather
// than into the columns of a list.

import (
	"context"
	"math"

	"github.com/hipac-go/classifier/rules"
)

// Frame lowers single rules of a schema. It is immutable.
type Frame struct {
	schema *rules.Schema
	dims   []Dim // by key word, without entries
}

// NewFrame returns the frame of a schema.
func NewFrame(s *rules.Schema) *Frame {
	f := &Frame{schema: s, dims: make([]Dim, s.KeyLen())}
	f.dims[0].Full.Hi = ^uint32(0)
	for i := range s.Len() {
		first, n := s.FieldWords(i)
		for j := range n {
			f.dims[first+j] = Dim{Word: first + j, Field: i, Full: fullWord(s.Field(i), n, j)}
		}
	}
	return f
}

// Schema returns the schema of the rules.
func (f *Frame) Schema() *rules.Schema { return f.schema }

// Full sets box, by key word, to all values.
func (f *Frame) Full(box []Span) {
	for w := range f.dims {
		box[w] = f.dims[w].Full
	}
}

// One is what a single rule comes to beside its box.
type One struct {
	Need     uint32 // fields that must be present
	Inexact  bool   // its program must be asked too
	Possible bool   // some packet meets the conditions
}

// Box lowers the conditions of a rule into box, a span for each word of a key.
// It takes some ten nanoseconds a condition and allocates for negated and masked
// ones only.
func (f *Frame) Box(conds []rules.Cond, box []Span) One {
	f.Full(box)
	out := One{Possible: true}
	for j := range conds {
		c := &conds[j]
		i := c.Field()
		if !c.AllowsAbsent() {
			out.Need |= 1 << i
		}
		first, n := f.schema.FieldWords(i)
		exact, ok := lowerCond(f.schema.Field(i), c, box[first:first+n], f.dims[first:first+n])
		out.Inexact, out.Possible = out.Inexact || !exact, out.Possible && ok
	}
	return out
}

// Code returns the program of an inexact rule by itself, for CodeHolds.
func (f *Frame) Code(conds []rules.Cond) []uint32 {
	p := Program{schema: f.schema}
	p.encode(conds)
	return p.code
}

// Lower is the function Lower for some rules that are known by their labels, in
// ascending order: Rank of the boxes has labels, and their program goes by them.
func (f *Frame) Lower(ctx context.Context, labels []uint32, conds func(i int) []rules.Cond, skip func(i int) bool) (*Boxes, error) {
	b, err := Lower(ctx, f.schema, Source{
		Len:   len(labels),
		Conds: conds,
		Skip:  skip,
	}, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	for _, list := range [][]uint32{b.Rank, b.Program.ranks, b.Never} {
		for i, at := range list {
			list[i] = labels[at]
		}
	}
	return b, nil
}
