package hipac

// Analysis: questions about the rules themselves, answered by the field index.

import (
	"context"
	"iter"

	"github.com/hipac-go/classifier/hipac/internal/index"
	"github.com/hipac-go/classifier/rules"
)

// Analysis answers questions about a list of rules. It is immutable and safe
// for any number of goroutines. Make one with Analyze.
type Analysis[T any] struct {
	list  *rules.List[T]
	index *index.Index
}

// Analyze makes the field index of a list: O(n log n) for n rules, some
// seconds and some hundred bytes a rule at 100,000. It fails when the context
// ends, and with ErrMemoryLimit beyond DefaultMemoryLimit.
//
// For an analysis, every rule of a list that is not marked Continue decides. In
// the list of a chain a jump does not: mark jumps Continue in a copy of it.
func Analyze[T any](ctx context.Context, l *rules.List[T]) (*Analysis[T], error) {
	x, err := index.Build(ctx, l.Schema(), l.Len(), func(i int) []rules.Cond { return l.At(i).Conds }, DefaultMemoryLimit)
	if err != nil {
		return nil, buildError(err, DefaultMemoryLimit)
	}
	return &Analysis[T]{l, x}, nil
}

// Intervals returns the number of elementary intervals of a field: the parts
// within which no rule tells two values apart.
func (a *Analysis[T]) Intervals(field int) int { return a.index.Intervals(field) }

// Meeting iterates over the positions of the rules that have a packet in
// common with the conditions, field by field: all of them, in order. A
// condition that is no interval counts as the interval around it, a bit mask
// as any value, so that rules may come that have none.
func (a *Analysis[T]) Meeting(conds []rules.Cond) iter.Seq[int] {
	return func(yield func(int) bool) {
		for it := a.index.Meeting(a.index.RegionOf(conds)).Iterator(); it.HasNext(); {
			if !yield(int(it.Next())) {
				return
			}
		}
	}
}

// HiddenBy returns the first rule before position i that matches every packet
// the rule there matches, so that it can never decide, and false when no
// single rule does. Continue and Unknown rules hide nothing. Rules with a bit
// mask are never said to hide another, nor those with a condition that holds
// for absent fields to be hidden by one with a condition on that field.
func (a *Analysis[T]) HiddenBy(i int) (int, bool) {
	by, ok := a.index.HiddenBy(uint32(i),
		func(r uint32) []rules.Cond { return a.list.At(int(r)).Conds },
		func(r uint32) bool { return !a.list.At(int(r)).Continue && a.list.At(int(r)).Unknown == "" })
	return int(by), ok
}

// Hidden iterates over the positions of the hidden terminal rules, each with
// that of the rule which hides it.
func (a *Analysis[T]) Hidden() iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for i := range a.list.Len() {
			if a.list.At(i).Continue {
				continue
			}
			if by, ok := a.HiddenBy(i); ok && !yield(i, by) {
				return
			}
		}
	}
}
