package rules

// The linear matcher: the definition of the right answer. It walks the list
// and asks every rule in turn, O(rules) per packet, and is the oracle that all
// faster engines are tested against. Keep it so simple that it is right on
// sight.

import "iter"

// Keys must have the length Schema().KeyLen(); these methods panic on shorter
// ones.

// First returns the position of the first terminal rule that matches k, and
// false when none does.
func (l *List[T]) First(k Key) (int, bool) {
	for i := range l.rules {
		if !l.rules[i].Continue && l.rules[i].Matches(l.schema, k) {
			return i, true
		}
	}
	return 0, false
}

// Matches iterates over the positions of all rules that match k, terminal or
// not, in order.
func (l *List[T]) Matches(k Key) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range l.rules {
			if l.rules[i].Matches(l.schema, k) && !yield(i) {
				return
			}
		}
	}
}

// Executed iterates over the positions of the rules executed for k: every
// matching Continue rule in order, up to and with the first terminal match.
func (l *List[T]) Executed(k Key) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range l.Matches(k) {
			if !yield(i) || !l.rules[i].Continue {
				return
			}
		}
	}
}
