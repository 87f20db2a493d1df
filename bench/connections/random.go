package connections

// Random numbers: a stream of its own for every connection, so that what one
// connection does is independent of all others, and the draws that need more
// than a division. All of them are computed with integers, so that every
// machine draws the same.

import (
	"math"
	"math/bits"
)

// rng is SplitMix64 (G. L. Steele, D. Lea, C. H. Flood: Fast splittable
// pseudorandom number generators. OOPSLA 2014): eight bytes of state, which
// matters where a million connections are under way.
type rng uint64

const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64: every input bit moves half of the output
// bits.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// newRNG returns stream n of a seed.
func newRNG(seed, n uint64) rng { return rng(mix(mix(seed+golden) ^ mix(n*golden+1))) }

func (r *rng) next() uint64 {
	*r += golden
	return mix(uint64(*r))
}

// below returns a number under n, which is not 0.
func (r *rng) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.next(), n)
	return hi
}

// chance is a probability in units of 2^-64; the largest one is 1.
type chance uint64

// certain is the chance 1.
const certain = chance(math.MaxUint64)

// drawn reports whether what has this chance happens. It draws nothing for
// what never or always happens.
func (c chance) drawn(r *rng) bool {
	return c != 0 && (c == certain || r.next() < uint64(c))
}

// Tables of 2^tableBits steps over one octave, with 32 bits behind the point.
const tableBits = 10

var (
	expTable [1<<tableBits + 1]uint64 // -ln(1 - u/2) for u from 0 to 1
	powTable [1<<tableBits + 1]uint64 // 2^u for u from 0 to 1
)

func init() {
	for i := range expTable {
		u := float64(i) / (1 << tableBits)
		expTable[i] = uint64(math.Round(-math.Log1p(-u/2) * (1 << 32)))
		powTable[i] = uint64(math.Round(math.Exp2(u) * (1 << 32)))
	}
}

// at returns the value of a table at u, 32 bits behind the point.
func at(t *[1<<tableBits + 1]uint64, u uint32) uint64 {
	i := u >> (32 - tableBits)
	rest := uint64(u & (1<<(32-tableBits) - 1))
	return t[i] + (t[i+1]-t[i])*rest>>(32-tableBits)
}

// exponential returns an exponentially distributed number of the mean, at most
// 45 times the mean. The mean is below 2^56. An exponential number is a
// geometric number of half-lives and a rest within one half-life, which a table
// tells.
func (r *rng) exponential(mean uint64) uint64 {
	const ln2 = 2977044472 // with 32 bits behind the point
	x := r.next()
	e := uint64(bits.LeadingZeros32(uint32(x>>32)|1))*ln2 + at(&expTable, uint32(x))
	hi, lo := bits.Mul64(mean, e)
	return hi<<32 | lo>>32
}

// zipf returns a rank under n (at most 2^32) with a chance that falls as 1 over
// the rank: the rank's logarithm is uniform.
func (r *rng) zipf(n uint64) uint64 {
	// log2(n+1) with 32 bits behind the point, from below.
	whole := bits.Len64(n+1) - 1
	lo, hi := uint64(0), uint64(1)<<32
	for lo+1 < hi { // the largest fraction whose power is not above n+1
		mid := (lo + hi) / 2
		if power(whole, uint32(mid)) <= n+1 {
			lo = mid
		} else {
			hi = mid
		}
	}
	y := r.below(uint64(whole)<<32 | lo + 1)
	return min(n-1, power(int(y>>32), uint32(y))-1)
}

// power returns 2^(whole + fraction/2^32), rounded down; whole is at most 32.
func power(whole int, fraction uint32) uint64 {
	p := at(&powTable, fraction) // 1 to 2, with 32 bits behind the point
	if whole >= 32 {
		return p << (whole - 32)
	}
	return p >> (32 - whole)
}
