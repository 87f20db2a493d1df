package workload

// Maker: tuples of a family, drawn together.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// maker draws tuples of a profile.
type maker struct {
	profile *profile
	config  Config
	protos  table
	pairs   []table         // per protocol
	order   [][]pair        // per protocol: its pairs, by specificity
	lengths [][]lengthTable // per protocol and pair
	common  table
	exact   [2][]uint16
	exactly [2]table
	ranges  [2]table

	seed  uint64           // of IPv6 prefixes
	drawn []sketch         // by the last draw
	pool  *[2][33][]uint32 // its prefixes by length, for more; nil until then
}

// sketch is a tuple whose addresses are those of IPv4.
type sketch struct {
	path         [2]uint32
	length       [2]uint8
	proto        int16
	sport, dport [2]uint16
}

func newMaker(p *profile, c Config) *maker {
	m := &maker{profile: p, config: c, seed: mix(c.Seed ^ hashString(p.name))}
	var tables []lengthTable
	for _, l := range p.lengths {
		tables = append(tables, tabulate(l.cells, c.smoothness()))
	}
	for _, q := range p.protos {
		m.protos.add(float64(q.weight))
		list := slices.Clone(q.ports)
		if list == nil {
			list = []pair{{WC, WC, 1}}
		}
		slices.SortStableFunc(list, func(a, b pair) int { return int(a.src+a.dst) - int(b.src+b.dst) })
		var t table
		var of []lengthTable
		for _, x := range list {
			t.add(float64(x.weight))
			of = append(of, tables[p.lengthsOf(x.src, x.dst)])
		}
		m.pairs, m.order, m.lengths = append(m.pairs, t), append(m.order, list), append(m.lengths, of)
	}
	for _, s := range p.common {
		m.common.add(float64(s.weight))
	}
	r := newRNG(c.Seed, "ports "+p.name)
	for i, list := range []ports{p.sport, p.dport} {
		m.exact[i] = slices.Clone(list.exact)
		for range list.extra {
			m.exact[i] = append(m.exact[i], uint16(1+r.IntN(40000)))
		}
		m.exactly[i], m.ranges[i] = harmonic(len(m.exact[i])), harmonic(len(list.ranges))
	}
	return m
}

// lengthsOf returns the place of the lengths of rules with these port classes.
func (p *profile) lengthsOf(sport, dport PortClass) int {
	for i, l := range p.lengths {
		if (l.sport == sport || l.sport == anyClass) && (l.dport == dport || l.dport == anyClass) {
			return i
		}
	}
	return len(p.lengths) - 1
}

// shape draws everything but addresses.
func (m *maker) shape(r rng) (t sketch) {
	p := m.protos.draw(r, 0)
	t.proto = int16(m.profile.protos[p].number)
	if m.config.IPv6 {
		t.proto = protoIPv6(t.proto)
	}
	i := m.pairs[p].draw(r, m.config.PortScope)
	class := m.order[p][i]
	t.sport, t.dport = m.port(r, 0, class.src), m.port(r, 1, class.dst)
	l := &m.lengths[p][i]
	t.length = l.cells[l.pick.draw(r, m.config.AddressScope)]
	return t
}

// protoIPv6 returns the protocol of IPv6 that plays the part of one of IPv4. What
// IGMP says ICMPv6 does (RFC 3810). AH is an extension header there (RFC 4302,
// section 3.1), and the protocol of a packet what stands behind it: a rule for AH
// would never match.
func protoIPv6(proto int16) int16 {
	switch proto {
	case icmp, igmp:
		return icmpv6
	case ah:
		return esp
	}
	return proto
}

// port draws the numbers behind a class.
func (m *maker) port(r rng, side int, class PortClass) [2]uint16 {
	switch class {
	case EM:
		x := m.exact[side][m.exactly[side].draw(r, 0)]
		return [2]uint16{x, x}
	case AR:
		list := m.profile.sport.ranges
		if side == 1 {
			list = m.profile.dport.ranges
		}
		return list[m.ranges[side].draw(r, 0)]
	}
	return portRange[class]
}

// draw draws n tuples; some may be alike.
func (m *maker) draw(r rng, n int) []sketch {
	all := make([]sketch, n)
	at := make([]int32, n)
	var length [2][]uint8
	for side := range length {
		length[side] = make([]uint8, n)
	}
	common := make([]uint8, n)
	for i := range all {
		t := m.shape(r)
		all[i], at[i] = t, int32(i)
		length[0][i], length[1][i] = t.length[0], t.length[1]
		if len(m.common.cum) > 0 {
			common[i] = uint8(m.profile.common[m.common.draw(r, 0)].what)
		}
	}
	var path [2][]uint32
	for side, shape := range []*trie{&m.profile.src, &m.profile.dst} {
		path[side] = make([]uint32, n)
		g := grower{
			r: r, shape: shape, spread: shape.levelsSpread(m.config.Rules), gather: gatherIn(m.config.Rules),
			length: length[side], path: path[side],
		}
		if side == 1 && len(m.common.cum) > 0 {
			g.like, g.common = path[0], common
		}
		g.grow(at, 0, 0, 0)
		if side == 0 {
			m.loosen(r, at)
		}
	}
	for i := range all {
		all[i].path = [2]uint32{path[0][i], path[1][i]}
	}
	m.drawn, m.pool = all, nil
	return all
}

// loosen shuffles rules that the source tree has put in order. Those that keep
// their places are neighbours in the destination tree too, so that pairs of
// addresses come together more than once.
func (m *maker) loosen(r rng, at []int32) {
	var loose []int32
	for i := range at {
		if !r.chance(m.profile.paired) {
			loose = append(loose, int32(i))
		}
	}
	r.Shuffle(len(loose), func(i, j int) {
		i, j = int(loose[i]), int(loose[j])
		at[i], at[j] = at[j], at[i]
	})
}

// more draws one more tuple after a draw. Its prefixes are some that were drawn
// then; after a few failures to find a new one, they are such prefixes with
// other bits from the 13th on; after many, random hosts, of which there are
// 2^64 pairs.
func (m *maker) more(r rng, failures int) sketch {
	if m.pool == nil {
		m.pool = new([2][33][]uint32)
		for i := range m.drawn {
			for side, length := range m.drawn[i].length {
				m.pool[side][length] = append(m.pool[side][length], m.drawn[i].path[side])
			}
		}
	}
	t := m.shape(r)
	for side := range t.path {
		if failures >= 200 {
			t.length[side], t.path[side] = 32, r.Uint32()
			continue
		}
		length := t.length[side]
		keep := uint8(0)
		if pool := m.pool[side][length]; len(pool) > 0 {
			t.path[side], keep = pool[r.IntN(len(pool))], length
		}
		if failures >= 4 {
			keep = min(keep, 12)
		}
		if keep < length {
			random := r.Uint32() &^ (1<<(32-length) - 1)
			t.path[side] = t.path[side]&^(1<<(32-keep)-1) | random&(1<<(32-keep)-1)
		}
	}
	return t
}

// distinct draws n tuples, no two of them alike and none without conditions.
//
// A draw makes some that are alike, up to half of them in small sets. Where
// those are more than a few in a hundred, one larger draw takes its place,
// since the addresses of a draw belong together; what then lacks comes from
// more.
func (m *maker) distinct(r rng, n int) []tuple {
	var out []tuple
	seen := make(map[uint64]struct{}, n+1)
	add := func(s *sketch) bool {
		t := m.tuple(s)
		h := t.hash()
		if _, dup := seen[h]; dup || t == (tuple{proto: anyProto}) {
			return false
		}
		seen[h] = struct{}{}
		out = append(out, t)
		return true
	}
	for try, k := 0, n+n/64; try < 2; try++ {
		clear(seen)
		out = slices.Grow(out[:0], n)
		for i, all := 0, m.draw(r, k); i < k && len(out) < n; i++ {
			add(&all[i])
		}
		if len(out) >= n-n/32 {
			break
		}
		k = min(2*n+8, k*n/max(1, len(out))+k/32)
	}
	failures := 0
	for len(out) < n {
		s := m.more(r, failures)
		if failures++; add(&s) {
			failures = 0
		}
	}
	return out
}

// tuple returns the tuple of a sketch, in the family of the configuration.
func (m *maker) tuple(s *sketch) tuple {
	t := tuple{sport: s.sport, dport: s.dport, proto: s.proto, srcLen: s.length[0], dstLen: s.length[1]}
	if !m.config.IPv6 {
		t.src, t.dst = rules.U64(uint64(s.path[0])), rules.U64(uint64(s.path[1]))
		return t
	}
	// One seed for both, so that the first bits that they share stay shared.
	t.src, t.dst = expand(s.path[0], int(t.srcLen), m.seed), expand(s.path[1], int(t.dstLen), m.seed)
	t.srcLen, t.dstLen = uint8(ipv6Lengths[t.srcLen]), uint8(ipv6Lengths[t.dstLen])
	return t
}
