package workload

// Address trees. The addresses of a set are drawn together: the rules are
// dealt out from the root of a binary trie to its leaves, and a rule whose
// prefix has as many bits as a node is deep gets that node's path. This is the
// model of the ClassBench paper: at every level some nodes pass their rules on
// to both children, the lighter of which gets a smaller share (branching
// probability and skew), destinations share their first bits with sources
// (correlation), and prefixes hold one another only so deep (nesting).
//
// A tree says how often nodes branch, and how unevenly, by bands of levels;
// that is the shape of a small set. Larger sets spread: their first levels
// branch everywhere and evenly, so that they consist of many small tries side
// by side, whose number grows with the set. Since the first bits of addresses
// are common to many rules and the last ones are not, short prefixes repeat,
// and hosts are mostly different from rule to rule.
//
// The nesting limit also parts what ends from what goes on. Say the limit is 3
// and two prefixes hold a node already. Of ten rules there, four end one level
// down and six are longer. If both kinds took the same child, a chain of four
// would come to be, so the four go to one child and the six to the other:
//
//	level 7             o  10 rules, two prefixes above
//	                  /   \
//	level 8   4 rules       o  6 rules
//	          end here     / \
//
// So a level at which prefixes end in every subtree leaves no room to spread.
// Short prefixes are few kinds and many rules in large sets, in every subtree
// from some size on; beyond 100,000 rules, the largest that there are figures
// of, they gather in some of the subtrees, and the others spread.

import (
	"math"

	"github.com/hipac-go/classifier/rules"
)

// bandOf says which band a level lies in, see bands.
var bandOf = func() (table [32]uint8) {
	from := [numBands]int{0, 6, 14, 18, 21, 24, 28, 30, 31}
	for band, level := range from {
		for ; level < 32; level++ {
			table[level] = uint8(band)
		}
	}
	return table
}()

// levelsSpread returns how many levels of a set of n rules branch evenly. The
// three numbers of the trie hold at 1,000, 10,000 and 100,000 rules, with
// steps in between that are even in the logarithm; from there on, a level more
// for twice the rules.
func (t *trie) levelsSpread(n int) float64 {
	x := math.Log10(float64(n)) - 3
	i := min(1, max(0, int(x)))
	a, b := float64(t.spread[i])/10, float64(t.spread[i+1])/10
	switch {
	case x < 0:
		a += x / math.Log10(2)
	case x > 2:
		a = b + (x-2)/math.Log10(2)
	default:
		a += float64((b - a) * (x - float64(i)))
	}
	// Rounded, since logarithms differ in their last bits between machines.
	return max(0, math.Round(1000*a)/1000)
}

// grower deals out rules. All slices are by rule.
type grower struct {
	r      rng
	shape  *trie
	spread float64
	length []uint8  // of the prefixes, 0 to 32
	path   []uint32 // the prefixes, padded with zeros: the result
	// The paths that the first common bits are to follow, the next bit not; nil
	// for none.
	like   []uint32
	common []uint8

	// gather is the chance that a node with one level of nesting left, as it
	// branches evenly, gives its short prefixes to one child.
	gather  float64
	scratch []int32
}

// grow gives a path to the rules at, which came down path to a node at the
// given level that held prefixes hold. It puts at in the order of the tree:
// rules of a node stay together, in the order that they came in.
func (g *grower) grow(at []int32, level, held int, path uint32) {
	for {
		n, _ := g.sort(at, func(x int32) int { return b2i(int(g.length[x]) != level) })
		for _, x := range at[:n] {
			g.path[x] = path
		}
		if n > 0 && level > 0 {
			held++
		}
		if at = at[n:]; len(at) < 2 {
			break
		}
		zero, one := g.deal(at, level, held, path)
		level++
		if len(zero) > 0 && len(one) > 0 {
			g.grow(zero, level, held, path)
		}
		if at = one; len(one) > 0 {
			path |= 1 << (32 - level)
		} else {
			at = zero
		}
	}
	if len(at) == 1 {
		g.finish(at[0], level, path)
	}
}

// sort puts rules of class 0 first, those of class 2 last, and keeps the order
// within a class. It returns the bounds of class 1.
func (g *grower) sort(at []int32, class func(x int32) int) (low, high int) {
	if len(g.scratch) < len(at) {
		g.scratch = make([]int32, len(at))
	}
	ones, twos := 0, len(at)
	for _, x := range at {
		switch class(x) {
		case 0:
			at[low] = x
			low++
		case 1:
			g.scratch[ones] = x
			ones++
		default:
			twos--
			g.scratch[twos] = x
		}
	}
	high = low + ones
	copy(at[low:], g.scratch[:ones])
	for i := range at[high:] {
		at[high+i] = g.scratch[len(at)-1-i]
	}
	return low, high
}

// short is the longest prefix that gathers. Of longer ones there are more kinds
// than rules of one length in a set of a million.
const short = 16

// gatherIn returns the chance to gather in a set of n rules.
func gatherIn(n int) float64 { return max(0, 1-100000/float64(n)) }

// deal splits the rules of a node among its two children.
func (g *grower) deal(at []int32, level, held int, path uint32) (zero, one []int32) {
	light := 0
	if held+1 == g.shape.deep {
		ends, _ := g.sort(at, func(x int32) int { return b2i(int(g.length[x]) != level+1) })
		if ends > 0 && ends < len(at) {
			d := g.wish(at[:ends], level, path) - g.wish(at[ends:], level, path)
			if d > 0 || d == 0 && g.r.IntN(2) == 0 {
				return at[ends:], at[:ends]
			}
			return at[:ends], at[ends:]
		}
	}
	if even := g.spread - float64(level); even > 0 && (even >= 1 || g.r.Float64() < even) {
		light = len(at) / 2
		if held+1 == g.shape.deep && g.gather > 0 && g.r.Float64() < g.gather {
			g.sort(at, func(x int32) int { return b2i(g.length[x] > short) })
		}
	} else if band := bandOf[level]; g.r.chance(g.shape.branch[band]) {
		// The skew of single nodes lies around that of the band, as widely as its
		// range of 0 to 1 lets it.
		skew := float64(g.shape.skew[band]) / 100
		wide := min(skew, 1-skew)
		skew += float64(wide * (2*g.r.Float64() - 1))
		light = max(1, int(float64(len(at))*(1-skew)/(2-skew)+0.5))
	}
	return g.part(at, level, path, light)
}

// part gives light of the rules to the one child and the rest to the other,
// according to their wishes as far as the numbers allow.
func (g *grower) part(at []int32, level int, path uint32, light int) (zero, one []int32) {
	if g.like == nil {
		if g.r.IntN(2) == 0 {
			return at[light:], at[:light]
		}
		return at[:light], at[light:]
	}
	low, high := g.sort(at, func(x int32) int { return [...]int{0, 2, 1}[g.bit(x, level, path)] })
	cut := light
	if ones := len(at) - high; low > ones || low == ones && g.r.IntN(2) == 0 {
		cut = len(at) - light
	}
	return at[:cut], at[cut:]
}

// wish returns by how many more rules ask for the bit 1 than for 0.
func (g *grower) wish(at []int32, level int, path uint32) (sum int) {
	if g.like == nil {
		return 0
	}
	for _, x := range at {
		switch g.bit(x, level, path) {
		case 0:
			sum--
		case 1:
			sum++
		}
	}
	return sum
}

// bit returns the bit that the rule asks for after the first level bits: 0, 1,
// or 2 for either.
func (g *grower) bit(x int32, level int, path uint32) uint32 {
	common := int(g.common[x])
	if level > common || level > 0 && (path^g.like[x])>>(32-level) != 0 {
		return 2
	}
	bit := g.like[x] >> (31 - level) & 1
	if level == common {
		bit ^= 1
	}
	return bit
}

// finish draws the rest of the path of a rule that is alone.
func (g *grower) finish(x int32, level int, path uint32) {
	random := g.r.Uint32()
	for length := int(g.length[x]); level < length; level++ {
		bit := random >> (31 - level) & 1
		if g.like != nil {
			if b := g.bit(x, level, path); b < 2 {
				bit = b
			}
		}
		path |= bit << (31 - level)
	}
	g.path[x] = path
}

// ipv6Lengths maps the lengths of IPv4 prefixes to those of IPv6 that play the
// same part: 16 to a provider's 32, 24 to a site's 48, 28 to a subnet's 64, 30
// and 31 to a link's 124 and 126, 32 to a host's 128, linear in between.
var ipv6Lengths = func() (table [33]int) {
	marks := [][2]int{{0, 0}, {1, 4}, {8, 20}, {16, 32}, {24, 48}, {28, 64}, {30, 124}, {32, 128}}
	for m := range marks[1:] {
		a, b := marks[m], marks[m+1]
		for l := a[0]; l <= b[0]; l++ {
			table[l] = a[1] + (l-a[0])*(b[1]-a[1])/(b[0]-a[0])
		}
	}
	return table
}()

// expand returns the IPv6 prefix that stands for one of IPv4: every bit makes
// as many as ipv6Lengths has it, itself first, then a hash of the path so far.
// Prefixes hold one another and share their beginnings as the originals do.
// All lie in 2000::/3.
func expand(path uint32, length int, seed uint64) rules.Value {
	if length == 0 {
		return rules.Value{}
	}
	v := rules.U64(2 | uint64(path>>31))
	h := mix(seed + uint64(path>>31))
	for level := 1; level < length; level++ {
		bit := uint64(path >> (31 - level) & 1)
		h = mix(h + 0x9e3779b97f4a7c15 + bit)
		more := ipv6Lengths[level+1] - ipv6Lengths[level] - 1
		v = v.Shl(more + 1).Or(rules.U64(bit<<more | h&(1<<more-1)))
	}
	return v.Shl(128 - ipv6Lengths[length])
}
