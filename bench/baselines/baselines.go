// Package baselines holds the textbook rivals of the tree: classifiers that are
// well known from papers, each written anew from its paper, as an engine of
// package compare.
//
//	linear         the list itself, packed into flat arrays
//	tuplespace     a hash table per combination of prefix lengths
//	tuplemerge     the same with few tables, whose tuples omit bits
//	partitionsort  few sorted partitions, a balanced tree each
//	bitvector      a bitmap of rules per interval of each field, ANDed
//	abv            the same with aggregates of the bitmaps
//	dimtree        the original nf-HiPAC: a tree of intervals, field by field
//
// They are meant to be fair: what the authors describe, on flat arrays where
// that serves, with good hashes, and with the shortcuts that the authors name.
// What a paper leaves open is decided for the faster variant, and the file says
// so. All of them take every rule that the rule model can express, see lower.go
// for how, and answer as rules.List.First does: Continue rules never decide,
// rules of which something is unknown do where they may match.
//
// Memory is that of the structure with its own copy of the rules. Rules that are
// too intricate for a few boxes are asked themselves at the end of a lookup; the
// list that holds them is not counted.
//
// Engines are for one goroutine.
package baselines

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

// All returns the makers of all baselines, in the order above.
func All() []compare.Maker {
	return []compare.Maker{
		linearMaker, tupleSpaceMaker, tupleMergeMaker, partitionSortMaker, bitVectorMaker, aggregatedMaker, dimTreeMaker,
	}
}

// budget is the memory that an engine may take.
type budget struct {
	limit int64
	name  string
}

// check returns an error of compare.ErrMemory when so many bytes are too many.
func (b *budget) check(bytes int64) error {
	if bytes > b.limit {
		return b.refuse(bytes)
	}
	return nil
}

func (b *budget) refuse(bytes int64) error {
	return fmt.Errorf("%s: %w: it would take %d bytes or more, %d are allowed", b.name, compare.ErrMemory, bytes, b.limit)
}

// poll returns the context's error now and then, in a loop over i.
func poll(ctx context.Context, i int) error {
	if i&255 == 0 {
		return ctx.Err()
	}
	return nil
}

// maker returns a maker of engines that need nothing of the machine.
func maker[E compare.Engine](m compare.Maker, build func(ctx context.Context, l *rules.List[string], mem *budget) (E, error)) compare.Maker {
	m.Make = func(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
		e, err := build(ctx, l, &budget{bytes, m.Name})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	return m
}
