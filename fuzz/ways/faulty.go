package ways

// Ways that are wrong on purpose, by which tests show that they would notice.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// Forgetful returns a function that makes ways wrong now and then: every n-th
// answer of a first match, of all that are asked of the ways that it made, is
// another one. The ways are for one goroutine together.
func Forgetful(n int) func(Way) Way {
	count := 0
	return func(w Way) Way {
		build := w.Build
		return Way{w.Name + ", forgetful", func(l *rules.List[int]) (*Answerer, error) {
			a, err := build(l)
			if err != nil {
				return nil, err
			}
			first := a.First
			a.First = func(keys []uint32, out []int) {
				first(keys, out)
				for i := range out {
					if count++; count%n == 0 {
						out[i] = other(l, out[i])
					}
				}
			}
			return a, nil
		}}
	}
}

// other returns an answer that is not the one given, where there is another.
func other(l *rules.List[int], answer int) int {
	if answer != None {
		return None
	}
	if l.Len() > 0 {
		return l.At(l.Len() - 1).Value
	}
	return answer
}

// Altered returns the way with lists whose rules are altered before they are
// built: alter returns the conditions of the rule at a position.
func Altered(w Way, alter func(s *rules.Schema, position int, conds []rules.Cond) []rules.Cond) Way {
	return Way{w.Name + ", altered", func(l *rules.List[int]) (*Answerer, error) {
		b := rules.NewBuilder[int](l.Schema())
		for i, r := range l.All() {
			c := *r
			c.Conds = alter(l.Schema(), i, slices.Clone(r.Conds))
			if _, err := b.Add(c); err != nil {
				return nil, err
			}
		}
		return w.Build(b.List())
	}}
}

// ShortOfTheEnd is an alteration: intervals of more than a value lose their last
// one.
func ShortOfTheEnd(_ *rules.Schema, _ int, conds []rules.Cond) []rules.Cond {
	for i := range conds {
		ivs, ranged := conds[i].Intervals()
		if _, _, masked := conds[i].Mask(); !ranged || masked || conds[i].Negated() || len(ivs) != 1 || ivs[0].Lo == ivs[0].Hi {
			continue
		}
		c := rules.In(conds[i].Field(), rules.Interval{Lo: ivs[0].Lo, Hi: ivs[0].Hi.Prev()})
		if conds[i].AllowsAbsent() {
			c = c.OrAbsent()
		}
		conds[i] = c
	}
	return conds
}
