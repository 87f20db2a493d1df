package workload

// The order of rules: the more specific first, where one lies within another.

import (
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// order returns the order of rules of the given specificity: one that lies
// within another comes first, those that are equally specific are mixed. About
// one rule in a hundred moves to a later place, where a rule before it may hide
// it.
func order(r rng, specificity []int) []int {
	place := make([]int, len(specificity))
	out := make([]int, len(specificity))
	for i, s := range specificity {
		place[i], out[i] = -s, i
		if r.chance(1) {
			place[i] += int(float64(s) * r.Float64())
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	slices.SortStableFunc(out, func(a, b int) int { return place[a] - place[b] })
	return out
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
