package policy

// The packets there are: a header has the fields of its protocol and no others.
// Without that, rule sets would differ in TCP ports of ICMP packets.

import (
	"cmp"
	"math/big"
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
// dimensions. Worlds are disjoint.
type world map[int][]region.Span

// makeup is the packets there are, as worlds, and the fields that are bound
// together by them.
type makeup struct {
	x        *region.Space
	complete bool    // packets have all fields
	worlds   []world // none: all packets are
	joint    []int   // fields
	memo     map[string]*big.Int
	single   map[[2]int32]*big.Int // by dimension and set
}

// noteHeaders takes note of what worlds will need: before the space is frozen. It
// returns false where no field depends on the protocol.
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

// newMakeup returns the packets there are; headers is what noteHeaders said.
func newMakeup(x *region.Space, headers bool) *makeup {
	m := &makeup{x: x, memo: map[string]*big.Int{}, single: map[[2]int32]*big.Int{}}
	if !headers {
		return m
	}
	s := x.Schema()
	proto := s.Index("proto")
	six := false
	if src := s.Index("src"); src >= 0 && s.Field(src).Kind == rules.IPv6 {
		six = true
	}
	four := !six && s.Index("src") >= 0 && s.Field(s.Index("src")).Kind == rules.IPv4
	icmp := []uint64{1, 58}
	switch {
	case six:
		icmp = icmp[1:]
	case four:
		icmp = icmp[:1]
	}
	ports := []uint64{17, 33, 132, 136}
	with := func(protos []uint64, not bool, has []string, frag []uint64) {
		w := world{}
		m.bind(proto)
		dp := x.DimOf(proto)
		var in []region.Span
		for _, n := range protos {
			in = append(in, x.Values(proto, rules.Point(n)))
		}
		w[dp] = normal(in)
		if not {
			w[dp] = outside(w[dp], x.Present(dp))
		}
		for _, name := range slices.Concat(portFields, tcpFields, icmpFields) {
			f := s.Index(name)
			if f < 0 || x.DimOf(f) < 0 {
				continue
			}
			m.bind(f)
			d := x.DimOf(f)
			if slices.Contains(has, name) {
				w[d] = []region.Span{x.Present(d)}
			} else if absent, ok := x.Absent(d); ok {
				w[d] = []region.Span{absent}
			}
		}
		if f := s.Index("frag"); f >= 0 && x.DimOf(f) >= 0 && frag != nil {
			m.bind(f)
			for _, n := range frag {
				w[x.DimOf(f)] = []region.Span{x.Values(f, rules.Point(n))}
			}
		}
		m.worlds = append(m.worlds, w)
	}
	with([]uint64{6}, false, slices.Concat(portFields, tcpFields), []uint64{0})
	with(ports, false, portFields, []uint64{0})
	with(icmp, false, icmpFields, []uint64{0})
	known := slices.Concat([]uint64{6}, ports, icmp)
	with(known, false, nil, []uint64{1}) // a fragment other than the first
	with(known, true, nil, nil)
	return m
}

func (m *makeup) bind(f int) {
	if !slices.Contains(m.joint, f) {
		m.joint = append(m.joint, f)
	}
}

// some reports whether the box has a packet.
func (m *makeup) some(b region.Box) bool {
	if m.worlds == nil {
		return m.x.Feasible(b)
	}
	for _, w := range m.worlds {
		if m.meets(b, w) {
			return true
		}
	}
	return false
}

func (m *makeup) meets(b region.Box, w world) bool {
	var narrow region.Box // where the space has bits
	for d, spans := range w {
		hit := false
		for _, s := range spans {
			if s.Lo <= b[d].Hi && s.Hi >= b[d].Lo {
				hit = true
				break
			}
		}
		if !hit {
			return false
		}
		if len(spans) == 1 && m.x.AnyBits() {
			if narrow == nil {
				narrow = slices.Clone(b)
			}
			narrow[d] = region.Span{Lo: max(b[d].Lo, spans[0].Lo), Hi: min(b[d].Hi, spans[0].Hi)}
		}
	}
	if narrow == nil {
		narrow = b
	}
	return m.x.Feasible(narrow)
}

// in returns the sets within a world, and false where they have nothing in common.
func in(s region.Sets, w world) (region.Sets, bool) {
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
	schema := m.x.Schema()
	for f := range schema.Len() {
		d := m.x.DimOf(f)
		if d < 0 || m.worlds != nil && slices.Contains(m.joint, f) {
			continue
		}
		if m.x.HasBits(f) {
			n.Mul(n, m.x.FieldCount(s, f))
			continue
		}
		key := [2]int32{int32(d), ids[d]}
		part := m.single[key]
		if part == nil {
			part = m.x.FieldCount(s, f)
			m.single[key] = part
		}
		n.Mul(n, part)
	}
	if m.worlds == nil {
		return n
	}
	var key []byte
	for _, f := range m.joint {
		id := ids[m.x.DimOf(f)]
		key = append(key, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	}
	bits := slices.ContainsFunc(m.joint, m.x.HasBits)
	sum := m.memo[string(key)]
	if sum == nil || bits {
		sum = new(big.Int)
		for _, w := range m.worlds {
			part, ok := in(s, w)
			if !ok {
				continue
			}
			one := big.NewInt(1)
			for _, f := range m.joint {
				one.Mul(one, m.x.FieldCount(part, f))
			}
			sum.Add(sum, one)
		}
		m.memo[string(key)] = sum
	}
	return n.Mul(n, sum)
}

// witness returns a packet of the sets, a usual one where there is.
func (m *makeup) witness(s region.Sets) rules.Key {
	worlds := m.worlds
	if worlds == nil {
		worlds = []world{{}}
	}
	for _, w := range worlds {
		if part, ok := in(s, w); ok {
			if k, ok := m.usual(part); ok {
				return k
			}
		}
	}
	return nil
}

// usuals are values of fields that packets often have.
var usuals = map[string][]string{
	"proto": {"6", "17", "1", "58"}, "sport": {"50000"}, "dport": {"443", "53"}, "tcpflags": {"SYN", "ACK"}, "ecnflags": {"SYN", "ACK"},
	"icmptype": {"8", "128"}, "ttl": {"64"}, "length": {"60"}, "ctstate": {"NEW", "ESTABLISHED"}, "pkttype": {"unicast"},
	"src": {"10.0.0.1", "2001:db8::1"}, "dst": {"192.0.2.1", "2001:db8::2"}, "iif": {"eth0"}, "oif": {"eth1"},
}

// usual returns a packet of sets within one world.
func (m *makeup) usual(s region.Sets) (rules.Key, bool) {
	schema := m.x.Schema()
	k := schema.NewKey()
	proto := schema.Index("proto")
	// The protocol first: other fields go by it.
	order := make([]int, 0, schema.Len())
	for f := range schema.Len() {
		order = append(order, f)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(btoi(b == proto), btoi(a == proto)) })
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
			case prefer != nil && (f == proto || !mayLack(field) || m.complete || has(schema, k, proto, field.Name)):
				schema.Set(k, f, prefer[0])
			case !m.complete && mayLack(field):
				schema.SetAbsent(k, f)
			}
			continue
		}
		without := m.worlds != nil && !slices.Contains(m.joint, f)
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

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// has reports whether a packet has a field that no rule asks for, by its protocol.
func has(s *rules.Schema, k rules.Key, proto int, name string) bool {
	if proto < 0 {
		return false
	}
	v, ok := s.Get(k, proto)
	if frag := s.Index("frag"); frag >= 0 && frag < proto {
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
		return v.Lo == 1 || v.Lo == 58
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
