package workload

// Address trees. Addresses of a family come from a random binary trie that is
// never stored: whether a node has one child or two, and which is the heavy
// one, is a hash of the path to it. Walking down from the root to some depth
// gives a prefix; walks to different depths pass the same heavy nodes, so that
// prefixes repeat, share their beginnings and nest. This is the model of the
// ClassBench paper (branching probability and skew per level), without its
// limit on the size.
//
// Left alone, prefixes of all lengths would nest twenty deep; in the filter
// sets of the paper they nest at most seven deep. So the lengths beyond 8 are
// split into eight classes, those of 16, 24 and 32 bits in one, those of 17
// and 25 in the next and so on, and every subtree at depth 8 serves one class.

import "github.com/hipac-go/classifier/rules"

type tree struct {
	seed   uint64
	bits   int         // width of the field
	root   rules.Value // bits that all addresses begin with ...
	fixed  int         // ... and how many
	branch [rules.MaxFieldBits]uint16
	light  uint16 // chance of the lighter child, of 65536
	shared int    // lengths above it are split into classes ...
	split  int    // ... by the three bits from this level on

	reuse int               // percent
	drawn [33][]rules.Value // earlier prefixes by IPv4 length
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

// newTree returns the tree of a trie's shape. An IPv6 tree lies in 2000::/3
// and branches about as often from root to leaf as the IPv4 tree does.
func newTree(shape trie, seed uint64, ipv6 bool) *tree {
	t := &tree{seed: seed, bits: 32, shared: 8, split: 5, reuse: shape.reuse}
	t.light = uint16(65536 * (100 - shape.skew) / (200 - shape.skew))
	percent := func(level, p int) { t.branch[level] = uint16(min(65535, p*65536/100)) }
	if !ipv6 {
		for level := range 32 {
			percent(level, shape.branch[level/8])
		}
		return t
	}
	t.bits, t.fixed, t.root = 128, 3, rules.U64(1)
	t.shared, t.split = ipv6Lengths[8], ipv6Lengths[5]
	for l := range 32 {
		from, to := max(t.fixed, ipv6Lengths[l]), ipv6Lengths[l+1]
		for level := from; level < to; level++ {
			percent(level, shape.branch[l/8]/(to-from))
		}
	}
	return t
}

// length returns the length that stands for one of IPv4 in the tree's family.
func (t *tree) length(ipv4 int) int {
	if t.bits == 128 {
		return ipv6Lengths[ipv4]
	}
	return ipv4
}

// prefix returns a prefix of the length that stands for an IPv4 length,
// padded with zeros to the field's width: an earlier one or a new one. Its
// first common bits are those of like. At widen > 0 new ones turn aside at
// random, the more the higher; at 8 they are uniform.
func (t *tree) prefix(r rng, ipv4, widen int, like rules.Value, common int) rules.Value {
	earlier := &t.drawn[ipv4]
	if common == 0 && widen == 0 && len(*earlier) > 0 && r.chance(t.reuse) {
		v := (*earlier)[r.IntN(len(*earlier))]
		*earlier = append(*earlier, v)
		return v
	}
	v := t.walk(r, t.length(ipv4), uint64(ipv4), widen, like, common)
	*earlier = append(*earlier, v)
	return v
}

// walk walks down to a depth of length bits.
func (t *tree) walk(r rng, length int, class uint64, widen int, like rules.Value, common int) rules.Value {
	var v rules.Value
	h := t.seed
	var random uint64
	code := class
	for level := range length {
		if level&3 == 0 {
			random = r.Uint64()
		}
		draw := uint16(random)
		random >>= 16
		h = mix(h + 0x9e3779b97f4a7c15)
		heavy := h >> 63
		bit := heavy
		if level == t.split {
			code = class + h>>8
		}
		switch {
		case level < t.fixed:
			bit = t.root.Shr(t.fixed-1-level).Lo & 1
		case level < common:
			bit = like.Shr(t.bits-1-level).Lo & 1
		case length > t.shared && level >= t.split && level < t.split+3:
			bit = code >> (level - t.split) & 1
		case widen > 0 && int(draw&7) < widen:
			bit = uint64(draw >> 15)
		case uint16(h) < t.branch[level] && draw < t.light:
			bit ^= 1
		}
		v = rules.Value{Hi: v.Hi<<1 | v.Lo>>63, Lo: v.Lo<<1 | bit}
		h ^= bit
	}
	return v.Shl(t.bits - length)
}
