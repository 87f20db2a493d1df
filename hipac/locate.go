package hipac

// Where the rule that decides stands: rules of a live list do not know, and it is
// counted when asked.

import (
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Locate is Lookup with the position of the rule, which takes some ten
// nanoseconds more, and at 1,000,000 rules a few hundred.
func (s *Snapshot[T]) Locate(k rules.Key) (Match[T], bool) {
	if len(k) != s.words {
		return Match[T]{}, false
	}
	var m Match[T]
	if s.short {
		x, position := s.firstOfFew(k)
		if x == nil {
			return m, false
		}
		m = x.match()
		m.Position = position
		return m, true
	}
	key := s.firstKey(k)
	if key == tree.NoMatch {
		return m, false
	}
	m = s.match(key)
	m.Position = s.order.Position(key >> 1)
	return m, true
}
