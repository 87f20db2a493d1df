package workload

// The order of rules: the more specific first, where one lies within another.

import (
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// draft is a rule on its way into a list.
type draft struct {
	conds []rules.Cond
	value string
	place int // rank in the order
}

// order sorts the rules so that one that lies within another comes first, and
// mixes those that are equally specific. About one rule in a hundred moves to
// a later place, where a rule before it may hide it.
func order(r rng, s *rules.Schema, list []draft) {
	most := 0
	for i := range list {
		list[i].place = -specificity(s, list[i].conds)
		most = min(most, list[i].place)
	}
	for i := range list {
		if r.chance(1) {
			list[i].place -= int(float64(list[i].place) * r.Float64())
		}
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b draft) int { return a.place - b.place })
}

// specificity sums, over the conditions, the bits of the field less the
// logarithm of the number of values that the condition accepts, in 2^-16 bits.
// It grows when a rule shrinks.
func specificity(s *rules.Schema, conds []rules.Cond) int {
	sum := 0
	for i := range conds {
		c := &conds[i]
		width := s.Field(c.Field()).Bits
		size := rules.Value{}
		ivs, ranged := c.Intervals()
		if !ranged {
			size = rules.Ones(width)
		}
		for _, iv := range ivs {
			size = add(size, sub(iv.Hi, iv.Lo))
			if iv != ivs[0] {
				size = size.Next()
			}
		}
		free := 0
		if _, mask, ok := c.Mask(); ok {
			free = bits.OnesCount64(mask.Lo) + bits.OnesCount64(mask.Hi)
		}
		if c.Negated() {
			size, free = rules.Ones(width), 0
		}
		sum += width<<16 - logSize(size) + free<<16
	}
	return sum
}

// logSize returns about 2^16 times the logarithm to base 2 of size+1, exactly
// for powers of two, and strictly growing up to 2^16.
func logSize(size rules.Value) int {
	if size == rules.Ones(128) {
		return 128 << 16
	}
	size = size.Next()
	n := size.BitLen() - 1
	frac := size.And(rules.Ones(n))
	if n > 16 {
		frac = frac.Shr(n - 16)
	} else {
		frac = frac.Shl(16 - n)
	}
	return n<<16 + int(frac.Lo)
}

// build makes the list.
func build(s *rules.Schema, list []draft) (*rules.List[string], error) {
	b := rules.NewBuilder[string](s)
	for i := range list {
		if _, err := b.Add(rules.Rule[string]{Conds: list[i].conds, Value: list[i].value}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}
