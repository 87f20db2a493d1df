package workload

// Adversarial: 5-tuple sets that are hard for one kind of classifier or
// another.

import (
	"fmt"
	"math/bits"

	"github.com/hipac-go/classifier/rules"
)

// Adversary names a kind of adversarial set.
type Adversary uint8

// The kinds of adversarial sets.
const (
	// Nested rules lie within one another in every field, the innermost first:
	// a packet in the middle matches all of them.
	Nested Adversary = iota
	// Shifted rules have ranges of one size, half of the field, in every field,
	// each a step beyond the one before: every point lies in many.
	Shifted
	// Crossing rules ask for one field each, by turns: source only, destination
	// only, one port only. Every two of different fields cross.
	Crossing
	// Wide rules have random ranges over a tenth or more of every field.
	Wide
	// ShortPrefixes rules have random address prefixes of 0 to 16 bits and
	// wild ports: a packet matches many, and few are ever told apart early.
	ShortPrefixes
	// Same rules are identical, all but their identity.
	Same
	// Wild rules have no conditions at all.
	Wild
	numAdversaries
)

var adversaryNames = [numAdversaries]string{"nested", "shifted", "crossing", "wide", "shortprefixes", "same", "wild"}

// String returns the kind's name.
func (a Adversary) String() string {
	if a < numAdversaries {
		return adversaryNames[a]
	}
	return fmt.Sprintf("adversary(%d)", uint8(a))
}

// Adversaries returns all kinds.
func Adversaries() []Adversary {
	all := make([]Adversary, numAdversaries)
	for i := range all {
		all[i] = Adversary(i)
	}
	return all
}

// Adversarial returns a set of n rules of the schema rules.IPv4Tuple, whose
// values are Accept and Drop by turns. The seed counts for Wide and
// ShortPrefixes only.
func Adversarial(kind Adversary, n int, seed uint64) (*rules.List[string], error) {
	if kind >= numAdversaries {
		return nil, fmt.Errorf("workload: unknown %v", kind)
	}
	if n < 0 || n > rules.DefaultLimits.MaxRules {
		return nil, fmt.Errorf("workload: %d rules: not in 0..%d", n, rules.DefaultLimits.MaxRules)
	}
	s := rules.IPv4Tuple
	r := newRNG(seed, "adversarial "+kind.String())
	b := rules.NewBuilder[string](s)
	for i := range n {
		value := [...]string{Accept, Drop}[i%2]
		conds := adversarialConds(s, r, kind, uint64(i), uint64(n))
		if _, err := b.Add(rules.Rule[string]{Conds: conds, Value: value}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

func adversarialConds(s *rules.Schema, r rng, kind Adversary, i, n uint64) []rules.Cond {
	conds := make([]rules.Cond, 0, s.Len())
	for f := range s.Len() {
		top := s.Field(f).Max().Lo
		switch kind {
		case Nested: // i of n steps from the middle to the ends
			reach := scale(top/2, i+1, n)
			conds = append(conds, rules.In(f, rules.Span(top/2-reach, min(top, top/2+1+reach))))
		case Shifted:
			start := scale(top/2, i, n)
			conds = append(conds, rules.In(f, rules.Span(start, start+top/2)))
		case Crossing:
			if i%uint64(s.Len()) == uint64(f) {
				at := scale(top, i, n)
				conds = append(conds, rules.In(f, rules.Span(at, min(top, at+top/64))))
			}
		case Wide:
			size := top/10 + r.Uint64N(top-top/10)
			start := r.Uint64N(top - size + 1)
			conds = append(conds, rules.In(f, rules.Span(start, start+size)))
		case ShortPrefixes:
			if s.Field(f).Kind == rules.IPv4 {
				if l := r.IntN(17); l > 0 {
					conds = append(conds, rules.In(f, rules.PrefixInterval(r.value(32), l, 32)))
				}
			}
		case Same:
			conds = append(conds, rules.In(f, rules.Span(top/4, top/2)))
		}
	}
	return conds
}

// scale returns x*i/n, i <= n.
func scale(x, i, n uint64) uint64 {
	hi, lo := bits.Mul64(x, i)
	q, _ := bits.Div64(hi, lo, max(1, n))
	return q
}
