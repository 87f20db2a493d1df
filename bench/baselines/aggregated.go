package baselines

// Aggregated bit vectors:
//
//	F. Baboescu, G. Varghese: Scalable Packet Classification. SIGCOMM 2001
//
// Bit vectors (see bitvector.go) are long and mostly empty, and a lookup reads all
// of them up to its answer. An aggregate says of each word of a bitmap whether any
// bit is set in it; the lookup ANDs the aggregates first and reads only the words
// that are left:
//
//	aggregates   0100 0010  &  0110 0010  =  0100 0010
//	bitmaps      word 1 and word 6 only
//
// A word that is left for the bits of different rules in different fields is a
// false match. So that there are few, the rules are rearranged, as in the paper:
// those that are alike come to lie together, sorted by one field after the other,
// the field that fewest rules leave open first. Then the first bit is no longer
// the best rule, and the lookup goes on to the end; it leaves out words whose best
// rule is no better than the one found, which is not in the paper.
//
// An aggregate bit stands for 64 rules, a word of the machine.

import (
	"cmp"
	"context"
	"math"
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var aggregatedMaker = maker(compare.Maker{
	Name:   "abv",
	Title:  "aggregated bit vector",
	Source: "Baboescu, Varghese: Scalable Packet Classification, SIGCOMM 2001",
	Note:   "memory grows with the square of the rules",
}, newAggregated)

type aggregated struct {
	*bitVector
	sums []uint64 // the aggregates, sumW words for each bitmap
	sumW int
	best []int32 // by word of a bitmap: the position of the best rule in it
}

func newAggregated(ctx context.Context, l *rules.List[string], mem *budget) (*aggregated, error) {
	plain, err := newBitmaps(ctx, l, true, mem)
	if err != nil {
		return nil, err
	}
	e := &aggregated{bitVector: plain, sumW: (plain.width + 63) / 64}
	if plain.width == 0 {
		return e, nil
	}
	rows := len(plain.maps) / plain.width
	if err := mem.check(plain.Bytes() + 8*int64(rows*e.sumW) + 4*int64(plain.width)); err != nil {
		return nil, err
	}
	e.sums = make([]uint64, rows*e.sumW)
	for r := range rows {
		if err := poll(ctx, r); err != nil {
			return nil, err
		}
		for i, x := range plain.bitmap(uint32(r)) {
			if x != 0 {
				e.sums[r*e.sumW+i>>6] |= 1 << (i & 63)
			}
		}
	}
	e.best = make([]int32, plain.width)
	for i := range e.best {
		e.best[i] = slices.Min(plain.rule[i<<6 : min(len(plain.rule), (i+1)<<6)])
	}
	return e, nil
}

// group numbers the bits anew, so that rules that are alike in their fields lie
// together.
func (e *bitVector) group(fields []bitField) {
	var order []int // of the fields
	for f := range fields {
		if len(fields[f].asked) > 0 {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(fields[b].asked), len(fields[a].asked)) })
	// By rule and field in that order, where the bit first turns on and off; 0 for a
	// field that is open.
	n := len(order)
	keys := make([][2]rules.Value, len(e.rule)*n)
	for j, f := range order {
		changes := fields[f].changes // rule by rule, ascending
		for i, c := range changes {
			switch {
			case i == 0 || changes[i-1].bit != c.bit:
				keys[int(c.bit)*n+j][0] = c.at
			case i == 1 || changes[i-2].bit != c.bit:
				keys[int(c.bit)*n+j][1] = c.at
			}
		}
	}
	ranks := make([]uint32, len(e.rule)) // by new bit: the old one
	for i := range ranks {
		ranks[i] = uint32(i)
	}
	slices.SortStableFunc(ranks, func(a, b uint32) int {
		x, y := keys[int(a)*n:int(a)*n+n], keys[int(b)*n:int(b)*n+n]
		for j := range x {
			if c := cmp.Or(x[j][0].Cmp(y[j][0]), x[j][1].Cmp(y[j][1])); c != 0 {
				return c
			}
		}
		return 0
	})
	places, rule := make([]uint32, len(ranks)), make([]int32, len(ranks))
	for bit, old := range ranks {
		places[old], rule[bit] = uint32(bit), e.rule[old]
	}
	if e.ask != nil {
		ask := make([]bool, len(ranks))
		for bit, old := range ranks {
			ask[bit] = e.ask[old]
		}
		e.ask = ask
	}
	e.rule = rule
	for f := range fields {
		for i := range fields[f].changes {
			fields[f].changes[i].bit = places[fields[f].changes[i].bit]
		}
		for _, list := range [][]uint32{fields[f].asked, fields[f].absent} {
			for i, bit := range list {
				list[i] = places[bit]
			}
		}
	}
}

// Bytes returns the memory of bitmaps, aggregates and bounds.
func (e *aggregated) Bytes() int64 {
	return e.bitVector.Bytes() + 8*int64(len(e.sums)) + 4*int64(len(e.best))
}

// First looks keys up: a binary search per field, an AND of the aggregates and of
// the words that they leave.
func (e *aggregated) First(keys []uint32, out []int32) {
	n := e.words
	for i := range out {
		out[i] = e.first(keys[i*n : i*n+n])
	}
}

func (e *aggregated) first(k []uint32) int32 {
	var maps, sums [rules.MaxFields][]uint64
	n := len(e.dims)
	if n == 0 || e.width == 0 {
		return e.wild()
	}
	for d := range e.dims {
		row := e.dims[d].find(k)
		maps[d] = e.bitmap(row)
		sums[d] = e.sums[int(row)*e.sumW:][:e.sumW]
	}
	best := int32(math.MaxInt32)
	for j, y := range sums[0] {
		for _, s := range sums[1:n] {
			y &= s[j]
		}
		for ; y != 0; y &= y - 1 {
			i := j<<6 + bits.TrailingZeros64(y)
			if e.best[i] >= best {
				continue
			}
			x := maps[0][i]
			for _, m := range maps[1:n] {
				x &= m[i]
			}
			for ; x != 0; x &= x - 1 {
				bit := i<<6 + bits.TrailingZeros64(x)
				if r := e.rule[bit]; r < best && e.matches(bit, k) {
					best = r
				}
			}
		}
	}
	if best == math.MaxInt32 {
		return -1
	}
	return best
}
