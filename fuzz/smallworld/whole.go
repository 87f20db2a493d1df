package smallworld

// Worlds that are too large to ask everything of: lists are drawn from them at
// random, each with the same chance.

import (
	"context"
	"math/rand/v2"

	"github.com/hipac-go/classifier/fuzz/ways"
)

// Whole returns worlds of three fields with every interval, whose lists of up to
// three rules are 10^9 and more: all faults that two rules or two fields show are
// in the worlds that Worlds(1) goes through, and these are for those that take three
// rules over three fields at once. No symmetry makes them small enough: a field may
// change places with another of its width, and its values be counted from the other
// end, which together is 48-fold for three fields of one width, and engines, which
// cut fields by bits and in an order of their own, need not be blind to either.
func Whole() []*World {
	return []*World{
		newWorld("three fields of 2 bits, every interval, lists of up to 3", 3, false, false, []int{2, 2, 2}, intervals(2), intervals(2), intervals(2)),
		newWorld("three fields of 2, 3 and 2 bits, every interval, lists of up to 3", 3, false, false, []int{2, 3, 2}, intervals(2), intervals(3), intervals(2)),
		newWorld("three fields of 2, 1 and 2 bits, every set of values, absent too, lists of up to 3", 3, true, true, []int{2, 1, 2}, sets(2, true), sets(1, true), sets(2, true)),
		newWorld("three fields of 2, 2 and 1 bits, every mask, lists of up to 3", 3, true, true, []int{2, 2, 1}, masks(2), masks(2), masks(1)),
	}
}

// RunSome is Run for n lists that are drawn by a seed.
func (w *World) RunSome(ctx context.Context, all []ways.Way, n int, seed uint64) (Report, error) {
	r := rand.New(rand.NewPCG(seed, 0x5017))
	var total Report
	for range n {
		i := r.IntN(w.Lists())
		report, err := w.Run(ctx, all, i, i+1)
		total.Add(report)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
