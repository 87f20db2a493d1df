package workload

// FirewallSet: rule sets over the 20 fields of rules.Firewall.

import (
	"encoding/binary"
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// extra adds conditions on fields beyond the 5-tuple to a rule. It may look
// at the rule's protocol, anyProto for none.
type extra struct {
	field   string // the first that it is about
	percent int
	conds   func(g *firewall, protocol int16) []rules.Cond
}

// extras are drawn independently of one another, so that most rules have one
// or two of them and no more than a handful have five.
var extras = []extra{
	{"iif", 30, func(g *firewall, _ int16) []rules.Cond { return g.one("iif", g.name()) }},
	{"oif", 15, func(g *firewall, _ int16) []rules.Cond { return g.one("oif", g.name()) }},
	{"frag", 1, func(g *firewall, _ int16) []rules.Cond { return g.one("frag", rules.Point(1)) }},
	{"tcpflags", 15, func(g *firewall, p int16) []rules.Cond { // SYN of SYN,ACK,FIN,RST, as "--syn"
		if p != tcp {
			return nil
		}
		c := rules.Masked(g.field("tcpflags"), rules.U64(2), rules.U64(0x17))
		if g.r.IntN(6) == 0 {
			c = c.Negate()
		}
		return []rules.Cond{c}
	}},
	{"icmptype", 90, func(g *firewall, p int16) []rules.Cond { // type and, of errors, code
		kinds, unreachable := []uint64{8, 0, 3, 11, 5, 12, 13}, uint64(3)
		switch p {
		case icmp:
		case icmpv6:
			kinds, unreachable = []uint64{128, 129, 1, 2, 3, 4, 135, 136}, 1
		default:
			return nil
		}
		k := kinds[g.r.IntN(len(kinds))]
		conds := g.one("icmptype", rules.Point(k))
		if k == unreachable {
			conds = append(conds, g.one("icmpcode", rules.Point(uint64(g.r.IntN(16))))...)
		}
		return conds
	}},
	{"ctstate", 25, func(g *firewall, _ int16) []rules.Cond {
		masks := []uint64{8, 2, 6, 1}
		return g.anyBit("ctstate", masks[g.r.IntN(len(masks))])
	}},
	{"mark", 5, func(g *firewall, _ int16) []rules.Cond {
		mark := rules.U64(uint64(g.r.IntN(64)))
		if g.r.IntN(2) == 0 {
			return []rules.Cond{rules.Masked(g.field("mark"), mark, rules.U64(0xff))}
		}
		return g.one("mark", rules.Interval{Lo: mark, Hi: mark})
	}},
	{"dscp", 3, func(g *firewall, _ int16) []rules.Cond {
		return g.one("dscp", rules.Point(uint64(8*g.r.IntN(8))))
	}},
	{"ecn", 1, func(g *firewall, _ int16) []rules.Cond { return g.one("ecn", rules.Point(3)) }},
	{"length", 3, func(g *firewall, _ int16) []rules.Cond {
		sizes := []uint64{64, 128, 576, 1280, 1500, 9000}
		return g.one("length", rules.Span(sizes[g.r.IntN(3)], sizes[3+g.r.IntN(3)]))
	}},
	{"ttl", 2, func(g *firewall, _ int16) []rules.Cond { return g.one("ttl", rules.Span(0, uint64(1+g.r.IntN(8)))) }},
	{"vlan", 6, func(g *firewall, _ int16) []rules.Cond {
		return g.one("vlan", rules.Point(uint64(100+10*g.r.IntN(40))))
	}},
	{"smac", 2, func(g *firewall, _ int16) []rules.Cond {
		mac := uint64(0x02)<<40 | uint64(g.r.IntN(4))<<24 | uint64(g.r.IntN(1024))
		return g.one("smac", rules.Point(mac))
	}},
	{"pkttype", 2, func(g *firewall, _ int16) []rules.Cond { return g.one("pkttype", rules.Span(1, 2)) }},
}

// FirewallSet returns a set of rules over rules.Firewall. The 5-tuples are
// those of c.Family, or of fw1 without one, three quarters of them IPv4, the
// others IPv6 (all of them with c.IPv6); addresses, ports and protocols are
// wild as often as there. On top come interfaces, TCP flags, ICMP types,
// connection states and the other fields, each in few rules, so that most
// fields of a rule are wild. Otherwise as Generate: exactly c.Rules different
// rules, the specific ones first, a last one that drops everything.
func FirewallSet(c Config) (*rules.List[string], error) {
	return c.firewall(&firewall{s: rules.Firewall, mixed: !c.IPv6, extras: extras}, "firewall")
}

// firewall makes a set with g, whose purpose is a word for its random numbers.
func (c Config) firewall(g *firewall, purpose string) (*rules.List[string], error) {
	if c.Family == "" {
		c.Family = "fw1"
	}
	p := findProfile(c.Family)
	if p == nil {
		return nil, fmt.Errorf("workload: unknown family %q (known: %v)", c.Family, Families())
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	g.r, g.seen = newRNG(c.Seed, purpose+" "+p.name), map[string]struct{}{"": {}}
	all := g.rules(p, c)
	places := make([]int, len(all))
	for i := range all {
		places[i] = specificity(g.s, all[i])
	}
	b := rules.NewBuilder[string](g.s)
	b.Own()
	b.Grow(c.Rules)
	for _, i := range order(g.r, places) {
		value := Drop
		if g.r.chance(p.accept) {
			value = Accept
		}
		if _, err := b.Add(rules.Rule[string]{Conds: all[i], Value: value}); err != nil {
			return nil, err
		}
	}
	if c.Rules > 1 {
		if _, err := b.Add(rules.Rule[string]{Value: Drop}); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

type firewall struct {
	s      *rules.Schema
	mixed  bool // a quarter of the rules are IPv6
	extras []extra
	r      rng
	seen   map[string]struct{}
	text   []byte // scratch
}

// rules draws the conditions of all rules but the last, no two alike.
func (g *firewall) rules(p *profile, c Config) [][]rules.Cond {
	six := c
	six.IPv6 = true
	makers := [2]*maker{newMaker(p, c), newMaker(p, six)}
	families := make([]int, c.Rules-b2i(c.Rules > 1))
	var count [2]int
	for i := range families {
		families[i] = b2i(c.IPv6 || g.mixed && g.r.IntN(4) == 0)
		count[families[i]]++
	}
	var drawn [2][]sketch
	for family, m := range makers {
		drawn[family] = m.draw(g.r, count[family])
	}
	out := make([][]rules.Cond, 0, len(families))
	for _, family := range families {
		m := makers[family]
		s := drawn[family][0]
		drawn[family] = drawn[family][1:]
		for failures := 0; ; failures++ {
			if conds, ok := g.conds(m, &s); ok {
				out = append(out, conds)
				break
			}
			s = m.more(g.r, failures)
		}
	}
	return out
}

// conds adds conditions on other fields to a 5-tuple, and reports whether they
// have not been seen.
func (g *firewall) conds(m *maker, s *sketch) ([]rules.Cond, bool) {
	t := m.tuple(s)
	conds := g.tuple(m, &t)
	for _, e := range g.extras {
		if g.r.chance(e.percent) {
			conds = append(conds, e.conds(g, t.proto)...)
		}
	}
	g.text = appendConds(g.text[:0], conds)
	_, dup := g.seen[string(g.text)]
	g.seen[string(g.text)] = struct{}{}
	return conds, !dup
}

// tuple returns the conditions of a 5-tuple, IPv4 addresses mapped into the
// 128 bits of the schema's.
func (g *firewall) tuple(m *maker, t *tuple) []rules.Cond {
	fields := [5]int{g.field("src"), g.field("dst"), g.field("sport"), g.field("dport"), g.field("proto")}
	u := *t
	if !m.config.IPv6 && g.s.Field(fields[0]).Bits == 128 {
		mapped := rules.U64(0xffff << 32)
		u.src, u.dst = u.src.Or(mapped), u.dst.Or(mapped)
		if u.srcLen > 0 {
			u.srcLen += 96
		}
		if u.dstLen > 0 {
			u.dstLen += 96
		}
	}
	return u.appendConds(nil, g.s, fields)
}

func (g *firewall) field(name string) int { return g.s.MustIndex(name) }

func (g *firewall) one(name string, iv rules.Interval) []rules.Cond {
	return []rules.Cond{rules.In(g.field(name), iv)}
}

// anyBit returns the condition that some bit of the mask is set.
func (g *firewall) anyBit(name string, mask uint64) []rules.Cond {
	return []rules.Cond{rules.Masked(g.field(name), rules.U64(0), rules.U64(mask)).Negate()}
}

// name draws an interface or a family of interfaces.
func (g *firewall) name() rules.Interval {
	names := []string{"eth0", "eth1", "lo", "wg0", "br0", "docker0", "eth2", "bond0", "eth0.100", "tun0"}
	families := []string{"eth", "veth", "tun", "ppp"}
	if g.r.IntN(8) == 0 {
		stem := families[g.r.IntN(len(families))]
		return rules.PrefixInterval(rules.NameValue(stem), 8*len(stem), 128)
	}
	v := rules.NameValue(names[g.r.IntN(len(names))])
	return rules.Interval{Lo: v, Hi: v}
}

// appendConds appends an image of the conditions that no others have.
func appendConds(b []byte, conds []rules.Cond) []byte {
	for i := range conds {
		c := &conds[i]
		ivs, ranged := c.Intervals()
		want, mask, masked := c.Mask()
		b = append(b, byte(c.Field()), byte(b2i(ranged)|b2i(masked)<<1|b2i(c.Negated())<<2|b2i(c.AllowsAbsent())<<3))
		b = binary.AppendUvarint(b, uint64(len(ivs)))
		for _, v := range append([]rules.Interval{{Lo: want, Hi: mask}}, ivs...) {
			for _, x := range [...]uint64{v.Lo.Hi, v.Lo.Lo, v.Hi.Hi, v.Hi.Lo} {
				b = binary.BigEndian.AppendUint64(b, x)
			}
		}
	}
	return b
}
