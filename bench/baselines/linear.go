package baselines

// Packed linear search: every rule in turn, the definition of the right answer,
// made as fast as plain code makes it. It needs no paper; what it is measured for
// is where all other work begins to pay.
//
// The first test of every box, the one that fewest values pass, stands in an array
// of its own, 16 bytes a rule, so that a walk reads one stream and takes one
// well-predicted branch a rule:
//
//	heads   src=10.1.2.3 | dport=53 | dst=192.0.2.0/24 | ...
//	rest                   proto=17   sport=1024-, proto=6
//
// The rest is read for the few rules whose first test holds.

import (
	"context"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var linearMaker = maker(compare.Maker{
	Name:   "linear",
	Title:  "packed linear",
	Source: "textbook",
	Note:   "rules in flat arrays, the most selective test first",
}, newLinear)

type linear struct {
	*boxes
	heads []test // by box; one that always holds for a box without tests
}

func newLinear(ctx context.Context, l *rules.List[string], mem *budget) (*linear, error) {
	bx, err := newBoxes(ctx, l, false, mem)
	if err != nil {
		return nil, err
	}
	e := &linear{boxes: bx}
	if err := mem.check(e.boxes.bytes() + 16*int64(bx.len())); err != nil {
		return nil, err
	}
	e.heads = make([]test, bx.len())
	for b := range e.heads {
		e.heads[b] = test{size: ^uint32(0)}
		if from := bx.start[b]; from < bx.start[b+1] {
			e.heads[b] = bx.tests[from]
		}
	}
	return e, nil
}

// First walks the list for each key.
func (e *linear) First(keys []uint32, out []int32) {
	n := e.words
	for i := range out {
		out[i] = e.first(keys[i*n : i*n+n])
	}
}

func (e *linear) first(k []uint32) int32 {
	for b := range e.heads {
		h := &e.heads[b]
		if k[h.word]&h.mask-h.lo <= h.size && e.holds(uint32(b), k) {
			return e.rule[b]
		}
	}
	return -1
}

// Bytes returns the memory of the arrays.
func (e *linear) Bytes() int64 { return e.boxes.bytes() + 16*int64(len(e.heads)) }

// Close does nothing.
func (e *linear) Close() {}
