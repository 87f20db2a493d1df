package policy

// The packets there are: a header has the fields of its protocol and no others.
// Without that, rule sets would differ in TCP ports of ICMP packets.

import (
	"cmp"
	"math/big"
	mathbits "math/bits"
	"net/netip"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/region"
	"github.com/hipac-go/classifier/rules"
)

// Fields that a packet has by its protocol.
var (
	portFields = []string{"sport", "dport"}
	tcpFields  = []string{"tcpflags", "ecnflags", "tcpopts0", "tcpopts1"}
	icmpFields = []string{"icmptype", "icmpcode"}
)

// world is some of the packets there are: a set of coordinates for some
// dimensions.
type world map[int][]region.Span

// group is fields that are bound together. Its worlds are disjoint; without any
// all values go together.
type group struct {
	fields []int
	dims   []int
	worlds []world
	memo   map[string]*big.Int // counts, by the sets of dims
}

// makeup is the packets there are: for each group of fields one of its worlds.
type makeup struct {
	x        *region.Space
	complete bool // packets have all fields
	headers  bool // ports and the like go by the protocol
	groups   []group
	bound    []*group // those with worlds
}

// bonds says which fields of packets go together.
type bonds struct {
	headers  bool // ports and the like go by the protocol
	families bool // both addresses are of one family
}

// noteBonds takes note of what worlds will need, before the space is frozen.
func noteBonds(x *region.Space) bonds {
	return bonds{headers: noteHeaders(x), families: noteFamilies(x)}
}

// addresses are the fields of addresses of both families; ok is false where there are
// not two.
func addresses(s *rules.Schema) (src, dst int, ok bool) {
	src, dst = s.Index("src"), s.Index("dst")
	return src, dst, src >= 0 && dst >= 0 && s.Field(src).Kind == rules.IP && s.Field(dst).Kind == rules.IP
}

// family4 is the IPv4 addresses among those of both families.
var family4 = rules.PrefixInterval(rules.Addr16(netip.IPv4Unspecified()), 96, 128)

// noteFamilies returns false where rules do not ask for both addresses.
func noteFamilies(x *region.Space) bool {
	src, dst, ok := addresses(x.Schema())
	if !ok || x.DimOf(src) < 0 || x.DimOf(dst) < 0 {
		return false
	}
	x.Note([]rules.Cond{rules.In(src, family4), rules.In(dst, family4)})
	return true
}

// familyGroup binds the addresses to one family.
func familyGroup(x *region.Space) group {
	src, dst, _ := addresses(x.Schema())
	four, six := world{}, world{}
	for _, f := range []int{src, dst} {
		d := x.DimOf(f)
		four[d] = []region.Span{x.Values(f, family4)}
		six[d] = outside(four[d], x.Present(d))
	}
	return group{fields: []int{src, dst}, worlds: []world{four, six}}
}

// noteHeaders returns false where no field depends on the protocol.
func noteHeaders(x *region.Space) bool {
	s := x.Schema()
	proto := s.Index("proto")
	if proto < 0 || s.Field(proto).Kind != rules.Proto {
		return false
	}
	depends := false
	for _, name := range slices.Concat(portFields, tcpFields, icmpFields) {
		if f := s.Index(name); f >= 0 && x.DimOf(f) >= 0 {
			depends = true
		}
	}
	if depends {
		for _, n := range []uint64{1, 6, 17, 33, 58, 132, 136} {
			x.Note([]rules.Cond{rules.In(proto, rules.Point(n))})
		}
	}
	return depends
}

// newMakeup returns the packets there are, bound as noteBonds said.
func newMakeup(x *region.Space, b bonds, complete bool) *makeup {
	m := &makeup{x: x, complete: complete, headers: b.headers}
	if b.headers {
		m.groups = append(m.groups, headerGroup(x))
	}
	if b.families {
		m.groups = append(m.groups, familyGroup(x))
	}
	if g, ok := stateGroup(x); ok && !complete {
		m.groups = append(m.groups, g)
	}
	single := make([]bool, x.Schema().Len())
	for _, g := range m.groups {
		for _, f := range g.fields {
			single[f] = true
		}
	}
	for f := range single {
		if x.DimOf(f) >= 0 && !single[f] {
			m.groups = append(m.groups, group{fields: []int{f}})
		}
	}
	for i := range m.groups {
		g := &m.groups[i]
		g.memo = map[string]*big.Int{}
		for _, f := range g.fields {
			g.dims = append(g.dims, x.DimsOf(f)...)
		}
		if g.worlds != nil {
			m.bound = append(m.bound, g)
		}
	}
	return m
}

// lacks makes a world one of packets without a field.
func (w world) lacks(x *region.Space, f int) {
	d := x.DimOf(f)
	absent, ok := x.Absent(d)
	if !ok {
		return
	}
	w[d] = []region.Span{absent}
	bits, _ := x.BitDims(f)
	for _, d := range bits {
		w[d] = []region.Span{{}}
	}
}

// worldOfFragments is the world of headerGroup that is of fragments.
const worldOfFragments = 3

// headerGroup binds the fields of transport headers to the protocol, and to what
// is a fragment.
func headerGroup(x *region.Space) (g group) {
	s := x.Schema()
	proto, frag := s.Index("proto"), s.Index("frag")
	g.fields = append(g.fields, proto)
	if frag >= 0 && x.DimOf(frag) >= 0 {
		g.fields = append(g.fields, frag)
	} else {
		frag = -1
	}
	var parts []int
	for _, name := range slices.Concat(portFields, tcpFields, icmpFields) {
		if f := s.Index(name); f >= 0 && x.DimOf(f) >= 0 {
			parts = append(parts, f)
		}
	}
	g.fields = append(g.fields, parts...)
	// Packets of some protocols that have the fields; fragment -1: whether they are
	// fragments does not matter. Of all packets it is known whether they are.
	with := func(protos []uint64, not bool, has []string, fragment int) {
		w := world{}
		dp := x.DimOf(proto)
		for _, n := range protos {
			w[dp] = append(w[dp], x.Values(proto, rules.Point(n)))
		}
		if w[dp] = normal(w[dp]); not {
			w[dp] = outside(w[dp], x.Present(dp))
		}
		for _, f := range parts {
			if slices.Contains(has, s.Field(f).Name) {
				w[x.DimOf(f)] = []region.Span{x.Present(x.DimOf(f))}
			} else {
				w.lacks(x, f)
			}
		}
		if frag >= 0 && fragment >= 0 {
			w[x.DimOf(frag)] = []region.Span{x.Values(frag, rules.Point(uint64(fragment)))}
		} else if frag >= 0 {
			w[x.DimOf(frag)] = []region.Span{x.Present(x.DimOf(frag))}
		}
		g.worlds = append(g.worlds, w)
	}
	ports, icmp := []uint64{17, 33, 132, 136}, icmpOf(s)
	with([]uint64{6}, false, slices.Concat(portFields, tcpFields), 0)
	with(ports, false, portFields, 0)
	with(icmp, false, icmpFields, 0)
	known := slices.Concat([]uint64{6}, ports, icmp)
	with(known, false, nil, 1) // a fragment other than the first
	with(known, true, nil, -1)
	return g
}

// stateGroup is the states of connections that there are: one of five, whether or
// not addresses are translated. ok is false where rules do not ask for bits of it.
func stateGroup(x *region.Space) (g group, ok bool) {
	f := x.Schema().Index("ctstate")
	if f < 0 || x.DimOf(f) < 0 || x.Schema().Field(f).Kind != rules.Bits {
		return g, false
	}
	dims, bits := x.BitDims(f)
	if dims == nil {
		return g, false
	}
	g.fields = []int{f}
	one := map[int]bool{}
	for _, s := range rules.CTStates {
		if s.Name != "SNAT" && s.Name != "DNAT" {
			one[mathbits.TrailingZeros64(s.Value)] = true
		}
	}
	other := false // a state that no rule asks for
	for bit := range one {
		other = other || !slices.Contains(bits, bit)
	}
	state := func(which int) {
		w := world{x.DimOf(f): {x.Present(x.DimOf(f))}}
		for i, d := range dims {
			if !one[bits[i]] {
				continue
			}
			w[d] = []region.Span{{}}
			if bits[i] == which {
				w[d] = []region.Span{{Lo: 1, Hi: 1}}
			}
		}
		g.worlds = append(g.worlds, w)
	}
	for _, bit := range bits {
		if one[bit] {
			state(bit)
		}
	}
	if other {
		state(-1)
	}
	if _, ok := x.Absent(x.DimOf(f)); ok {
		w := world{}
		w.lacks(x, f)
		g.worlds = append(g.worlds, w)
	}
	return g, true
}

// widen makes a box say nothing of fields that its packets do not have, or must
// have as it says: boxes of ICMP are without ports whatever they say of ports.
func (m *makeup) widen(b region.Box) {
	proto := -1
	if m.headers {
		proto = m.x.DimOf(m.x.Schema().Index("proto"))
	}
	for i := range m.groups { // without a field, its bits are 0: told in one way
		if g := &m.groups[i]; len(g.dims) > len(g.fields) {
			for _, f := range g.fields {
				if b[m.x.DimOf(f)].Hi >= m.x.Present(m.x.DimOf(f)).Lo {
					continue
				}
				bits, _ := m.x.BitDims(f)
				for _, d := range bits {
					b[d] = region.Span{}
				}
			}
		}
	}
	for _, g := range m.bound {
		for _, d := range g.dims {
			full := m.x.Full(d)
			if b[d].Hi == 0 && !m.x.IsValue(d) {
				continue
			}
			if d == proto || b[d] == full {
				continue
			}
			old := b[d]
			b[d] = full
			for _, w := range g.worlds {
				if meets(b, w) && !within(w[d], old) {
					b[d] = old
					break
				}
			}
		}
	}
}

// within reports whether spans, of which nil are all, are in a span.
func within(in []region.Span, s region.Span) bool {
	return in != nil && in[0].Lo >= s.Lo && in[len(in)-1].Hi <= s.Hi
}

// some reports whether the box has a packet.
func (m *makeup) some(b region.Box) bool {
	for i := range m.groups {
		if !m.someOf(&m.groups[i], b) {
			return false
		}
	}
	return true
}

func (m *makeup) someOf(g *group, b region.Box) bool {
	bits := len(g.dims) > len(g.fields)
	if g.worlds == nil {
		return !bits || m.x.FeasibleIn(b, g.fields[0])
	}
	for _, w := range g.worlds {
		if !meets(b, w) {
			continue
		}
		if !bits {
			return true
		}
		in := slices.Clone(b)
		for d, spans := range w {
			if len(spans) == 1 {
				in[d] = region.Span{Lo: max(b[d].Lo, spans[0].Lo), Hi: min(b[d].Hi, spans[0].Hi)}
			}
		}
		if !slices.ContainsFunc(g.fields, func(f int) bool { return !m.x.FeasibleIn(in, f) }) {
			return true
		}
	}
	return false
}

// meets reports whether a box has something in common with a world.
func meets(b region.Box, w world) bool {
next:
	for d, spans := range w {
		for _, s := range spans {
			if s.Lo <= b[d].Hi && s.Hi >= b[d].Lo {
				continue next
			}
		}
		return false
	}
	return true
}

// in returns the sets within a world, and false where they have nothing in common.
func (w world) in(s region.Sets) (region.Sets, bool) {
	out := slices.Clone(s)
	for d, spans := range w {
		if out[d] = cross(s[d], spans); len(out[d]) == 0 {
			return nil, false
		}
	}
	return out, true
}

// count returns the number of packets of the sets: of combinations of values of
// the fields that rules ask for. What is opaque does not count. ids number the
// sets, so that what was counted before is not counted again.
func (m *makeup) count(s region.Sets, ids []int32) *big.Int {
	n := big.NewInt(1)
	var room [256]byte
	for i := range m.groups {
		g := &m.groups[i]
		key := room[:0]
		for _, d := range g.dims {
			key = append(key, byte(ids[d]), byte(ids[d]>>8), byte(ids[d]>>16), byte(ids[d]>>24))
		}
		part := g.memo[string(key)]
		if part == nil {
			part = m.countOf(g, s)
			g.memo[string(key)] = part
		}
		n.Mul(n, part)
	}
	return n
}

func (m *makeup) countOf(g *group, s region.Sets) *big.Int {
	all := func(s region.Sets) *big.Int {
		n := big.NewInt(1)
		for _, f := range g.fields {
			n.Mul(n, m.x.FieldCount(s, f))
		}
		return n
	}
	if g.worlds == nil {
		return all(s)
	}
	sum := new(big.Int)
	for _, w := range g.worlds {
		if part, ok := w.in(s); ok {
			sum.Add(sum, all(part))
		}
	}
	return sum
}

// forget forgets what was counted: sets have other numbers now.
func (m *makeup) forget() {
	for i := range m.groups {
		clear(m.groups[i].memo)
	}
}

// witness returns a packet of the sets, a usual one where there is; nil where there
// is none.
func (m *makeup) witness(s region.Sets) rules.Key {
	fragment := 0
	for i, g := range m.bound {
		found := -1
		for n, w := range g.worlds {
			if part, ok := w.in(s); ok && m.holds(part, g) {
				s, found = part, n
				break
			}
		}
		if found < 0 {
			return nil
		}
		if m.headers && i == 0 && found == worldOfFragments {
			fragment = 1
		}
	}
	k, _ := m.usual(s, uint64(fragment))
	return k
}

// holds reports whether all fields of a group have a value in the sets.
func (m *makeup) holds(s region.Sets, g *group) bool {
	for _, f := range g.fields {
		if _, _, ok := m.x.FieldValue(s, f, nil, false); !ok {
			return false
		}
	}
	return true
}

// usuals are values of fields that packets often have.
var usuals = map[string][]string{
	"proto": {"6", "17", "1", "58"}, "sport": {"50000"}, "dport": {"443", "53"}, "tcpflags": {"SYN", "ACK"}, "ecnflags": {"SYN", "ACK"},
	"icmptype": {"8", "0", "3", "128"}, "ttl": {"64"}, "length": {"60"}, "ctstate": {"NEW", "ESTABLISHED"}, "pkttype": {"unicast"},
	"src": {"10.0.0.1", "203.0.113.1", "2001:db8::1"}, "dst": {"192.0.2.1", "10.0.0.2", "2001:db8::2"}, "iif": {"eth0"}, "oif": {"eth1"},
}

// usual returns a packet of sets within one world of each group.
func (m *makeup) usual(s region.Sets, fragment uint64) (rules.Key, bool) {
	schema := m.x.Schema()
	k := schema.NewKey()
	proto := schema.Index("proto")
	// The protocol first, and what no rule asks for last: it goes by the others.
	order := make([]int, 0, schema.Len())
	for f := range schema.Len() {
		order = append(order, f)
	}
	last := func(f int) int {
		switch {
		case f == proto:
			return 0
		case m.x.DimOf(f) >= 0:
			return 1
		case schema.Field(f).Name == "frag":
			return 2
		}
		return 3
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(last(a), last(b)) })
	for _, f := range order {
		field := schema.Field(f)
		var prefer []rules.Value
		for _, text := range usuals[field.Name] {
			if v, err := field.ParseValue(text); err == nil {
				prefer = append(prefer, v)
			}
		}
		if m.x.DimOf(f) < 0 {
			switch {
			case field.Name == "frag" && field.Bits == 1:
				schema.Set(k, f, rules.U64(fragment))
			case prefer != nil && field.Kind == rules.IP:
				schema.Set(k, f, ofFamily(schema, k, f, prefer))
			case prefer != nil && (f == proto || !mayLack(field) || m.complete || fragment == 0 && has(schema, k, proto, field.Name)):
				schema.Set(k, f, prefer[0])
			case !m.complete && mayLack(field):
				schema.SetAbsent(k, f)
			}
			continue
		}
		without := m.headers && !slices.ContainsFunc(m.bound, func(g *group) bool { return slices.Contains(g.fields, f) })
		v, present, ok := m.x.FieldValue(s, f, prefer, without)
		switch {
		case !ok:
			return nil, false
		case present:
			schema.Set(k, f, v)
		default:
			schema.SetAbsent(k, f)
		}
	}
	return k, true
}

// ofFamily returns the first of the addresses that is of the family of the packet's
// other one.
func ofFamily(s *rules.Schema, k rules.Key, f int, prefer []rules.Value) rules.Value {
	src, dst, ok := addresses(s)
	if !ok || f != src && f != dst {
		return prefer[0]
	}
	other, _ := s.Get(k, src+dst-f)
	if i := slices.IndexFunc(prefer, func(v rules.Value) bool { return family4.Contains(v) == family4.Contains(other) }); i >= 0 && other != (rules.Value{}) {
		return prefer[i]
	}
	return prefer[0]
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// icmpOf returns the protocols whose headers have ICMP types, by the addresses.
func icmpOf(s *rules.Schema) []uint64 {
	if src := s.Index("src"); src >= 0 {
		switch s.Field(src).Kind {
		case rules.IPv4:
			return []uint64{1}
		case rules.IPv6:
			return []uint64{58}
		}
	}
	return []uint64{1, 58}
}

// has reports whether a packet has a field that no rule asks for, by its protocol.
func has(s *rules.Schema, k rules.Key, proto int, name string) bool {
	if proto < 0 {
		return false
	}
	v, ok := s.Get(k, proto)
	if frag := s.Index("frag"); frag >= 0 {
		if f, _ := s.Get(k, frag); f == rules.U64(1) {
			return false
		}
	}
	switch {
	case !ok:
	case slices.Contains(portFields, name):
		return slices.Contains([]uint64{6, 17, 33, 132, 136}, v.Lo)
	case name == "tcpflags":
		return v.Lo == 6
	case name == "icmptype":
		return slices.Contains(icmpOf(s), v.Lo)
	}
	return false
}

// normal returns spans ascending, with those that touch as one.
func normal(in []region.Span) []region.Span {
	slices.SortFunc(in, func(a, b region.Span) int { return cmp.Compare(a.Lo, b.Lo) })
	out := in[:0]
	for _, s := range in {
		if n := len(out); n > 0 && out[n-1].Hi+1 >= s.Lo {
			out[n-1].Hi = max(out[n-1].Hi, s.Hi)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// outside returns what of a span is in none of the ascending ones.
func outside(in []region.Span, all region.Span) (out []region.Span) {
	next := all.Lo
	for _, s := range in {
		if s.Lo > next {
			out = append(out, region.Span{Lo: next, Hi: s.Lo - 1})
		}
		next = s.Hi + 1
	}
	if next <= all.Hi {
		out = append(out, region.Span{Lo: next, Hi: all.Hi})
	}
	return out
}

// cross returns what is in both of two ascending lists.
func cross(a, b []region.Span) (out []region.Span) {
	for len(a) > 0 && len(b) > 0 {
		if s := (region.Span{Lo: max(a[0].Lo, b[0].Lo), Hi: min(a[0].Hi, b[0].Hi)}); s.Lo <= s.Hi {
			out = append(out, s)
		}
		if a[0].Hi < b[0].Hi {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}
