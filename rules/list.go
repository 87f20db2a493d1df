package rules

// Lists: an immutable ordered list of rules, and the builder that makes one.

import (
	"fmt"
	"iter"
	"slices"
)

// List is an ordered list of rules of one schema; the first rule that matches
// a packet decides. It is immutable, so that any number of goroutines may use
// it; the zero List is not usable, an empty one comes from an empty Builder.
type List[T any] struct {
	schema *Schema
	rules  []Rule[T]
	byID   map[ID]int // nil while rule i has ID i+1
	given  []uint64   // bit i: rule i was added with its ID; nil when none was
}

// Schema returns the schema of the rules.
func (l *List[T]) Schema() *Schema { return l.schema }

// Len returns the number of rules.
func (l *List[T]) Len() int { return len(l.rules) }

// At returns the rule at position i, 0 <= i < Len(). It must not be changed.
func (l *List[T]) At(i int) *Rule[T] { return &l.rules[i] }

// All iterates over positions and rules in order.
func (l *List[T]) All() iter.Seq2[int, *Rule[T]] {
	return func(yield func(int, *Rule[T]) bool) {
		for i := range l.rules {
			if !yield(i, &l.rules[i]) {
				return
			}
		}
	}
}

// Position returns the position of the rule with the given identity, or -1.
func (l *List[T]) Position(id ID) int {
	if l.byID != nil {
		if i, ok := l.byID[id]; ok {
			return i
		}
		return -1
	}
	if id >= 1 && id <= ID(len(l.rules)) {
		return int(id) - 1
	}
	return -1
}

// SequentialIDs reports whether the rule at position i has identity i+1 for
// all i.
func (l *List[T]) SequentialIDs() bool { return l.byID == nil }

// GivenID reports whether the rule at position i was added with its identity,
// and did not get the next free one.
func (l *List[T]) GivenID(i int) bool { return isGiven(l.given, i) }

func isGiven(bits []uint64, i int) bool { return i>>6 < len(bits) && bits[i>>6]>>(i&63)&1 != 0 }

// Builder collects rules for a List. It copies what it is given, so that the
// caller may reuse slices at once, but see Own. A Builder is for one goroutine.
type Builder[T any] struct {
	schema *Schema
	limits Limits
	rules  []Rule[T]
	byID   map[ID]int
	given  []uint64
	free   ID     // no smaller identity above the number of rules is free
	conds  []Cond // chunk that rules' conditions are copied into
	owns   bool   // conditions are kept as they are given
	bytes  int64  // taken by the rules, as Limits.MaxMemory counts
}

// NewBuilder returns a builder of lists of the schema, with DefaultLimits.
func NewBuilder[T any](s *Schema) *Builder[T] {
	return &Builder[T]{schema: s, limits: DefaultLimits}
}

// SetLimits replaces the builder's limits; of Limits, MaxRules and MaxMemory
// count here.
func (b *Builder[T]) SetLimits(l Limits) { b.limits = l.OrDefault() }

// Len returns the number of rules added so far.
func (b *Builder[T]) Len() int { return len(b.rules) }

// Bytes returns the memory of the rules added so far, as Limits.MaxMemory
// counts.
func (b *Builder[T]) Bytes() int64 { return b.bytes }

// Sizes in bytes, for Limits.MaxMemory.
const (
	ruleBytes     = 128 // with its value and its place in the list
	condBytes     = 64
	intervalBytes = 32
)

func (r *Rule[T]) bytes() int64 {
	n := ruleBytes + condBytes*len(r.Conds) + len(r.Comment) + len(r.Unknown)
	for i := range r.Conds {
		n += intervalBytes * len(r.Conds[i].ranges)
	}
	return int64(n)
}

// Schema returns the schema of the rules.
func (b *Builder[T]) Schema() *Schema { return b.schema }

// Grow makes room for n more rules, to be added at one time.
func (b *Builder[T]) Grow(n int) { b.rules = slices.Grow(b.rules, n) }

// Own has Add keep the conditions of rules instead of copying them: the caller
// does not change them any more.
func (b *Builder[T]) Own() { b.owns = true }

// Add appends a rule and returns its identity. On an error nothing is added:
// a condition that does not fit the schema, a used identity (ErrDuplicateID),
// too many rules or bytes of them (ErrLimit).
func (b *Builder[T]) Add(r Rule[T]) (ID, error) {
	pos := len(b.rules)
	if pos >= b.limits.MaxRules {
		return 0, fmt.Errorf("rule %d: %w: at most %d rules", pos+1, ErrLimit, b.limits.MaxRules)
	}
	size := r.bytes()
	if b.bytes+size > b.limits.MaxMemory {
		return 0, fmt.Errorf("rule %d: %w: the rules take more than %d bytes of memory", pos+1, ErrLimit, b.limits.MaxMemory)
	}
	for i := range r.Conds {
		if err := r.Conds[i].check(b.schema); err != nil {
			return 0, fmt.Errorf("rule %d: %w", pos+1, err)
		}
	}
	if r.ID == 0 {
		r.ID = max(ID(pos+1), b.free)
		for b.used(r.ID) {
			r.ID++
		}
		b.free = r.ID + 1
	} else if b.used(r.ID) {
		return 0, fmt.Errorf("rule %d: %w: %d", pos+1, ErrDuplicateID, r.ID)
	} else {
		for len(b.given) <= pos>>6 {
			b.given = append(b.given, 0)
		}
		b.given[pos>>6] |= 1 << (pos & 63)
	}
	if b.byID == nil && r.ID != ID(pos+1) {
		b.byID = make(map[ID]int, pos+1)
		for i := range b.rules {
			b.byID[b.rules[i].ID] = i
		}
	}
	if b.byID != nil {
		b.byID[r.ID] = pos
	}
	if !b.owns {
		if cap(b.conds)-len(b.conds) < len(r.Conds) {
			b.conds = make([]Cond, 0, max(len(r.Conds), min(4096, 4+2*len(b.rules))))
		}
		start := len(b.conds)
		b.conds = append(b.conds, r.Conds...)
		r.Conds = slices.Clip(b.conds[start:])
	}
	if len(b.rules) == cap(b.rules) {
		b.rules = slices.Grow(b.rules, len(b.rules)+1) // doubled: append grows long slices by a quarter
	}
	b.rules = append(b.rules, r)
	b.bytes += size
	return r.ID, nil
}

func (b *Builder[T]) used(id ID) bool {
	if b.byID == nil {
		return id <= ID(len(b.rules))
	}
	_, ok := b.byID[id]
	return ok
}

// List returns the rules added so far as an immutable list. The builder may
// go on; later rules do not appear in lists returned before.
func (b *Builder[T]) List() *List[T] {
	// The rules are shared: what the builder adds later stands behind them.
	l := &List[T]{schema: b.schema, rules: slices.Clip(b.rules), given: slices.Clone(b.given)}
	if b.byID != nil {
		l.byID = make(map[ID]int, len(b.byID))
		for id, i := range b.byID {
			l.byID[id] = i
		}
	}
	return l
}

// NewList is a Builder in one call.
func NewList[T any](s *Schema, rs ...Rule[T]) (*List[T], error) {
	b := NewBuilder[T](s)
	for _, r := range rs {
		if _, err := b.Add(r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}
