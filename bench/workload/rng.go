package workload

// Random numbers: a seeded PCG and the few draws that the generators share.
// No draw depends on the platform.

import (
	"math/bits"
	"math/rand/v2"
	"sort"

	"github.com/hipac-go/classifier/rules"
)

type rng struct{ *rand.Rand }

// newRNG returns the generator of a seed and a purpose, so that two purposes
// of one seed are independent.
func newRNG(seed uint64, purpose string) rng {
	return rng{rand.New(rand.NewPCG(seed, hashString(purpose)))}
}

// chance is true in percent of 100 cases.
func (r rng) chance(percent int) bool { return r.IntN(100) < percent }

// value returns a uniform value of a bits-wide field.
func (r rng) value(bits int) rules.Value {
	v := rules.Value{Lo: r.Uint64()}
	if bits > 64 {
		v.Hi = r.Uint64()
	}
	return v.And(rules.Ones(bits))
}

// inside returns a uniform value of the interval.
func (r rng) inside(iv rules.Interval) rules.Value {
	if iv.Lo == iv.Hi {
		return iv.Lo
	}
	span := sub(iv.Hi, iv.Lo)
	for n := span.BitLen(); ; {
		if v := r.value(n); !span.Less(v) {
			return add(iv.Lo, v)
		}
	}
}

func add(a, b rules.Value) rules.Value {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	return rules.Value{Hi: a.Hi + b.Hi + carry, Lo: lo}
}

func sub(a, b rules.Value) rules.Value {
	lo, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	return rules.Value{Hi: a.Hi - b.Hi - borrow, Lo: lo}
}

// mix is the finalizer of SplitMix64: every input bit moves half of the
// output bits.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = mix(h ^ uint64(s[i]))
	}
	return h
}

// table draws outcomes 0..n-1 by weight.
type table struct{ cum []float64 }

func (t *table) add(weight float64) {
	last := 0.0
	if n := len(t.cum); n > 0 {
		last = t.cum[n-1]
	}
	t.cum = append(t.cum, last+weight)
}

// draw returns an outcome. The scope, -1 to 1, moves the draw towards the
// first or the last outcomes; 0 leaves the weights as they are.
func (t *table) draw(r rng, scope float64) int {
	u := r.Float64()
	if scope != 0 {
		// The conversions keep compilers from fusing the operations, which
		// would round differently from machine to machine.
		u += float64(scope * float64(u*float64(1-u)))
	}
	n := len(t.cum)
	return min(n-1, sort.Search(n, func(i int) bool { return u*t.cum[n-1] < t.cum[i] }))
}

// harmonic returns a table of n outcomes, the k-th of weight 1/k.
func harmonic(n int) table {
	var t table
	for k := range n {
		t.add(1 / float64(k+1))
	}
	return t
}
