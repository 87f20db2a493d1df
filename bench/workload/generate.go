package workload

// Generate: 5-tuple rule sets of the twelve families.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// Config asks for a rule set of a family.
type Config struct {
	// Family is one of Families().
	Family string
	// Rules is the number of rules, 1 to rules.DefaultLimits.MaxRules. The set
	// has exactly that many: where a family's addresses do not suffice, they
	// spread out.
	Rules int
	// Seed selects one of the sets. The same configuration gives the same set.
	Seed uint64
	// Smoothness spreads prefix lengths around those of the profile, binomially,
	// by up to this many bits: 0 means 2, which published ClassBench sets are
	// commonly made with; a negative number means none; at most 32.
	Smoothness int
	// AddressScope, -1 to 1, shifts the draw of prefix lengths towards short
	// (negative) or long (positive) ones.
	AddressScope float64
	// PortScope, -1 to 1, shifts the draw of port classes towards wildcards
	// (negative) or exact ports (positive).
	PortScope float64
	// IPv6 makes rules of the schema rules.IPv6Tuple instead of
	// rules.IPv4Tuple. Prefix lengths become those of IPv6 that play the same
	// part: 16, 24, 28 and 32 bits become 32, 48, 64 and 128. ICMP becomes
	// ICMPv6.
	IPv6 bool
}

// The values of generated rules.
const (
	Accept = "ACCEPT"
	Drop   = "DROP"
)

// Generate returns a rule set. The value of a rule is Accept or Drop. No two
// rules have the same conditions; a wildcard is no condition. Where one rule
// lies within another it comes first, but for about one in a hundred; in most
// families the last rule drops everything. A set of 100,000 rules takes a
// fraction of a second, O(rules log rules).
func Generate(c Config) (*rules.List[string], error) {
	p := findProfile(c.Family)
	if p == nil {
		return nil, fmt.Errorf("workload: unknown family %q (known: %v)", c.Family, Families())
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	m := newMaker(p, c)
	r := newRNG(c.Seed, "generate "+p.name)
	schema := rules.IPv4Tuple
	if c.IPv6 {
		schema = rules.IPv6Tuple
	}
	fields := [5]int{0, 1, 2, 3, 4}
	out := make([]draft, 0, c.Rules)
	seen := make(map[tuple]struct{}, c.Rules)
	seen[tuple{proto: anyProto}] = struct{}{} // left to the last rule
	last := !p.noDefault && c.Rules > 1
	for need := c.Rules - b2i(last); len(out) < need; {
		t := m.unique(r, seen)
		d := draft{conds: t.conds(schema, fields), value: Drop}
		if r.chance(p.accept) {
			d.value = Accept
		}
		out = append(out, d)
	}
	order(r, schema, out)
	if last {
		out = append(out, draft{value: Drop})
	}
	return build(schema, out)
}

func (c *Config) check() error {
	if c.Rules < 1 || c.Rules > rules.DefaultLimits.MaxRules {
		return fmt.Errorf("workload: %d rules: not in 1..%d", c.Rules, rules.DefaultLimits.MaxRules)
	}
	if c.Smoothness > 32 {
		return fmt.Errorf("workload: smoothness %d: at most 32", c.Smoothness)
	}
	if !(c.AddressScope >= -1 && c.AddressScope <= 1 && c.PortScope >= -1 && c.PortScope <= 1) {
		return fmt.Errorf("workload: scopes %v and %v: not in -1..1", c.AddressScope, c.PortScope)
	}
	return nil
}

func (c *Config) smoothness() int {
	if c.Smoothness == 0 {
		return 2
	}
	return max(0, c.Smoothness)
}

// tuple is a rule over the 5-tuple. proto may be anyProto.
type tuple struct {
	src, dst       rules.Value
	srcLen, dstLen uint8
	sport, dport   [2]uint16
	proto          int16
}

func (t *tuple) portsOf(i int) *[2]uint16 {
	if i == 0 {
		return &t.sport
	}
	return &t.dport
}

// conds returns the conditions of t; fields are the indices of src, dst,
// sport, dport and proto.
func (t *tuple) conds(s *rules.Schema, fields [5]int) []rules.Cond {
	conds := make([]rules.Cond, 0, 5)
	if t.srcLen > 0 {
		conds = append(conds, rules.In(fields[0], rules.PrefixInterval(t.src, int(t.srcLen), s.Field(fields[0]).Bits)))
	}
	if t.dstLen > 0 {
		conds = append(conds, rules.In(fields[1], rules.PrefixInterval(t.dst, int(t.dstLen), s.Field(fields[1]).Bits)))
	}
	for i := range 2 {
		if p := t.portsOf(i); *p != portRange[WC] {
			conds = append(conds, rules.In(fields[2+i], rules.Span(uint64(p[0]), uint64(p[1]))))
		}
	}
	if t.proto != anyProto {
		conds = append(conds, rules.In(fields[4], rules.Point(uint64(t.proto))))
	}
	return conds
}

// portRange holds the classes that stand for one range. WC is the zero range,
// so that tuples compare.
var portRange = [numPortClasses][2]uint16{HI: {1024, 65535}, LO: {0, 1023}}

// maker draws tuples of a profile.
type maker struct {
	profile  *profile
	config   Config
	lengths  [][2]int // the cells of the joint distribution, by total length
	pick     table    // of lengths
	protos   table
	pairs    []table  // per protocol
	order    [][]pair // per protocol: its pairs, by specificity
	src, dst *tree
	patience int // failures to find a new rule before hosts are taken
	exact    [2][]uint16
	exactly  [2]table
	ranges   [2]table
}

func newMaker(p *profile, c Config) *maker {
	m := &maker{profile: p, config: c, patience: 200}
	m.lengths, m.pick = jointLengths(p.lengths, c.smoothness())
	for _, q := range p.protos {
		m.protos.add(float64(q.weight))
		list := slices.Clone(q.ports)
		if list == nil {
			list = []pair{{WC, WC, 1}}
		}
		slices.SortStableFunc(list, func(a, b pair) int { return int(a.src+a.dst) - int(b.src+b.dst) })
		var t table
		for _, x := range list {
			t.add(float64(x.weight))
		}
		m.pairs, m.order = append(m.pairs, t), append(m.order, list)
	}
	seed := mix(c.Seed ^ hashString(p.name))
	m.src, m.dst = newTree(p.src, mix(seed+1), c.IPv6), newTree(p.dst, mix(seed+2), c.IPv6)
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

// jointLengths returns the pairs of lengths that the mixture, smoothed, has,
// by ascending total length, and the table that draws them.
func jointLengths(blocks []block, smoothness int) (cells [][2]int, pick table) {
	var joint [33][33]float64
	for _, b := range blocks {
		src, dst := smooth(b.src, smoothness), smooth(b.dst, smoothness)
		for i, x := range src {
			for j, y := range dst {
				joint[i][j] += float64(float64(b.weight) * float64(x*y))
			}
		}
	}
	for total := range 65 {
		for i := range 33 {
			if j := total - i; j >= 0 && j <= 32 && joint[i][j] > 0 {
				cells = append(cells, [2]int{i, j})
				pick.add(joint[i][j])
			}
		}
	}
	return cells, pick
}

// smooth returns the distribution of the lengths, each spread binomially over
// up to n lengths on either side and cut to 0..32.
func smooth(list []share, n int) (out [33]float64) {
	sum := 0.0
	for _, s := range list {
		sum += float64(s.weight)
	}
	kernel := []float64{1}
	for range 2 * n {
		next := make([]float64, len(kernel)+1)
		for i, w := range kernel {
			next[i] += w / 2
			next[i+1] += w / 2
		}
		kernel = next
	}
	for _, s := range list {
		for i, w := range kernel {
			out[min(32, max(0, s.what+i-n))] += float64(float64(s.weight) / sum * w)
		}
	}
	return out
}

// unique draws a tuple that has not been seen, and records it.
func (m *maker) unique(r rng, seen map[tuple]struct{}) tuple {
	for failures := 0; ; failures++ {
		t, srcLen, dstLen := m.shape(r)
		if failures > m.patience {
			srcLen, dstLen = 32, 32 // 2^64 pairs: there is always another
			m.patience /= 2
		}
		for try := range 8 {
			m.ports(r, &t)
			m.addresses(r, &t, srcLen, dstLen, min(8, max(0, try-3)+failures/4))
			if _, dup := seen[t.tuple]; !dup {
				seen[t.tuple] = struct{}{}
				return t.tuple
			}
		}
	}
}

// shaped is a tuple whose port classes are known.
type shaped struct {
	tuple
	class [2]PortClass
}

// shape draws protocol, port classes and IPv4 prefix lengths.
func (m *maker) shape(r rng) (t shaped, srcLen, dstLen int) {
	p := m.protos.draw(r, 0)
	t.proto = int16(m.profile.protos[p].number)
	if t.proto == icmp && m.config.IPv6 {
		t.proto = icmpv6
	}
	x := m.order[p][m.pairs[p].draw(r, m.config.PortScope)]
	t.class = [2]PortClass{x.src, x.dst}
	cell := m.lengths[m.pick.draw(r, m.config.AddressScope)]
	return t, cell[0], cell[1]
}

// ports draws the numbers behind the port classes.
func (m *maker) ports(r rng, t *shaped) {
	for i, list := range []*ports{&m.profile.sport, &m.profile.dport} {
		p := t.portsOf(i)
		switch class := t.class[i]; class {
		case EM:
			x := m.exact[i][m.exactly[i].draw(r, 0)]
			*p = [2]uint16{x, x}
		case AR:
			*p = list.ranges[m.ranges[i].draw(r, 0)]
		default:
			*p = portRange[class]
		}
	}
}

// addresses draws the prefixes.
func (m *maker) addresses(r rng, t *shaped, srcLen, dstLen, widen int) {
	t.srcLen, t.dstLen = uint8(m.src.length(srcLen)), uint8(m.dst.length(dstLen))
	t.src = m.src.prefix(r, srcLen, widen, rules.Value{}, 0)
	common := 0
	if srcLen > 8 && srcLen%8 == dstLen%8 && r.chance(m.profile.correlated) {
		common = min(m.src.length(16), int(t.srcLen))
	}
	t.dst = m.dst.prefix(r, dstLen, widen, t.src, common)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
