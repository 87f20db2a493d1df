package ipset

// Membership: which packets are in a set, and what rules change.

import (
	"slices"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// MaxDirections is the number of directions that a rule can give.
const MaxDirections = 6

// Directions say for each dimension of a set whether the packet's source or
// its destination is meant.
type Directions struct {
	N   int
	Src uint8 // bit i: dimension i is the source
}

// Answer is what a set says of a packet.
type Answer uint8

// The answers.
const (
	Out     Answer = iota // not in the set
	In                    // in the set
	Except                // an exception says no: "nomatch"
	Unknown               // nobody can say, for lack of something
)

// Comparison compares a counter with a number.
type Comparison struct {
	Op    CompareOp
	Value uint64
}

// CompareOp is how a Comparison compares.
type CompareOp uint8

// The comparisons.
const (
	Any CompareOp = iota // always holds
	Equal
	NotEqual
	Less
	Greater
)

func (c Comparison) holds(n uint64) bool {
	switch c.Op {
	case Equal:
		return n == c.Value
	case NotEqual:
		return n != c.Value
	case Less:
		return n < c.Value
	case Greater:
		return n > c.Value
	}
	return true
}

// Query is what a rule asks of a set.
type Query struct {
	Directions
	// ReturnNoMatch turns exceptions and other entries around.
	ReturnNoMatch bool
	// KeepCounters leaves the counters of the entry that is found, and
	// KeepSubCounters those of entries of the members of a list.
	KeepCounters, KeepSubCounters bool
	Packets, Bytes                Comparison
}

// Test says whether a packet is in the set at a time, and by which entry; the
// text says what is missing when the answer is Unknown. Counters of entries
// count the packet. Members of lists are looked up in sets.
func (s *Set) Test(p *packet.Packet, q *Query, now time.Time, sets func(string) *Set) (bool, *Entry, string) {
	a, e, missing := s.test(p, q, now, sets)
	if q.ReturnNoMatch && s.hasNets() && (a == In || a == Except) {
		a ^= In ^ Except
	}
	return a == In, e, missing
}

func (s *Set) test(p *packet.Packet, q *Query, now time.Time, sets func(string) *Set) (Answer, *Entry, string) {
	if q.N < len(s.parts) || s.Family != 0 && s.Family != int(p.Family) {
		return Out, nil, ""
	}
	if s.Type == "list:set" {
		return s.testList(p, q, now, sets)
	}
	k, ok, missing := s.keyOf(p, q.Directions)
	if !ok {
		if missing != "" {
			return Unknown, nil, missing
		}
		return Out, nil, ""
	}
	found := s.find(k, now, func(e *Entry) bool { return s.extensions(e, p, q, now) })
	switch {
	case found == nil:
		return Out, nil, ""
	case found.NoMatch:
		return Except, found, ""
	}
	return In, found, ""
}

func (s *Set) testList(p *packet.Packet, q *Query, now time.Time, sets func(string) *Set) (Answer, *Entry, string) {
	missing := ""
	for _, e := range s.order {
		if e.gone || e.ended(now) {
			continue
		}
		m := sets(e.member)
		if m == nil || m.Type == "list:set" {
			continue
		}
		sub := *q
		sub.KeepCounters = q.KeepCounters || q.KeepSubCounters
		sub.Packets, sub.Bytes = Comparison{}, Comparison{} // those of the list count
		switch in, found, needs := m.Test(p, &sub, now, sets); {
		case needs != "":
			missing = needs
		case in && s.extensions(e, p, q, now):
			if missing != "" {
				return Unknown, nil, missing
			}
			return In, found, ""
		}
	}
	if missing != "" {
		return Unknown, nil, missing
	}
	return Out, nil, ""
}

// extensions asks and updates what an entry that fits has besides.
func (s *Set) extensions(e *Entry, p *packet.Packet, q *Query, now time.Time) bool {
	if e.ended(now) {
		return false
	}
	if s.Counters {
		if !q.KeepCounters {
			e.Packets++
			e.Bytes += uint64(p.Length)
		}
		return q.Packets.holds(e.Packets) && q.Bytes.holds(e.Bytes)
	}
	return true
}

// keyOf returns what the packet is in the set's dimensions, addresses masked
// but not cut to networks. ok is false when it is nothing that can be in the
// set; missing says for lack of what that is not known.
func (s *Set) keyOf(p *packet.Packet, d Directions) (k key, ok bool, missing string) {
	addrs := 0
	for i, part := range s.parts {
		src := d.Src>>i&1 != 0
		switch part {
		case partIP, partNet:
			w := &p.Dst
			if src {
				w = &p.Src
			}
			v := rules.U64(uint64(w[3]))
			if s.Family == 6 {
				v = rules.Value{Hi: uint64(w[0])<<32 | uint64(w[1]), Lo: uint64(w[2])<<32 | uint64(w[3])}
			}
			if s.bitmap && (v.Lo < s.lo || v.Lo > s.hi) {
				return k, false, ""
			}
			if part == partIP {
				v = v.And(s.mask)
			}
			if s.Type == "hash:ip" && v == (rules.Value{}) {
				return k, false, ""
			}
			k.ip[addrs] = v
			addrs++
		case partPort:
			if k.port, k.proto, ok = portOf(p, src); !ok {
				if p.PortsLost() {
					return k, false, "bytes that were not captured"
				}
				return k, false, ""
			}
			if s.bitmap {
				if k.proto != packet.TCP && k.proto != packet.UDP || uint64(k.port) < s.lo || uint64(k.port) > s.hi {
					return k, false, ""
				}
				k.proto = 0
			}
		case partMAC:
			mac, has := p.DMAC, p.Has&packet.HasDMAC != 0
			if src {
				mac, has = p.SMAC, p.Has&packet.HasSMAC != 0
			}
			if !has || mac == 0 {
				return k, false, ""
			}
			k.mac = mac
		case partMark:
			k.mark = p.Mark & s.markMask
		case partIface:
			v, known := p.OutIface, p.Known&packet.KnownOut != 0
			if src {
				v, known = p.InIface, p.Known&packet.KnownIn != 0
			}
			if !known {
				return k, false, "the interface"
			}
			if k.iface, _ = v.Name(); k.iface == "" {
				return k, false, ""
			}
		}
	}
	return k, true, ""
}

// portOf returns the port that sets see, and the protocol.
func portOf(p *packet.Packet, src bool) (port uint16, proto uint8, ok bool) {
	if p.Has&packet.HasProto == 0 || p.FragOffset != 0 && p.Family == 6 {
		return 0, 0, false
	}
	switch p.Proto { // later fragments have no ports
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP:
		if port = p.DstPort; src {
			port = p.SrcPort
		}
		return port, p.Proto, p.Has&packet.HasPorts != 0
	case packet.ICMP, packet.ICMPv6:
		return uint16(p.ICMPType)<<8 | uint16(p.ICMPCode), p.Proto, p.Has&packet.HasICMP != 0
	}
	return 0, p.Proto, p.Proto != 0
}

// find returns the entry that decides on the key: the first, most specific
// network first, that fits.
func (s *Set) find(k key, now time.Time, fits func(*Entry) bool) *Entry {
	if s.Type == "bitmap:ip,mac" {
		return s.findMAC(k, fits)
	}
	net := make([]int, 0, 2) // places of networks among the addresses
	addrs := 0
	for _, p := range s.parts {
		if p == partNet {
			net = append(net, addrs)
		}
		if p == partNet || p == partIP {
			addrs++
		}
	}
	if len(net) == 0 {
		if e := s.entries[k]; e != nil && fits(e) {
			return e
		}
		return nil
	}
	firsts, seconds := s.lengths[net[0]], []lengthCount{{}}
	if len(net) > 1 {
		seconds = s.lengths[net[1]]
	}
	bits := s.bits()
	for _, f := range firsts {
		c := k
		c.ip[net[0]], c.length[net[0]] = rules.PrefixInterval(k.ip[net[0]], int(f.length), bits).Lo, f.length
		for _, g := range seconds {
			if len(net) > 1 {
				c.ip[net[1]], c.length[net[1]] = rules.PrefixInterval(k.ip[net[1]], int(g.length), bits).Lo, g.length
			}
			if s.hasIface() {
				if e, decided := s.findIface(c, fits); decided {
					return e
				}
				continue
			}
			if e := s.entries[c]; e != nil && fits(e) {
				return e
			}
		}
	}
	return nil
}

// findIface looks among the entries of one network. They decide when there
// are any, unless the one that fits has ended.
func (s *Set) findIface(c key, fits func(*Entry) bool) (*Entry, bool) {
	name := c.iface
	c.iface = ""
	list := s.ifaces[c]
	others := false
	for _, e := range list {
		if e.iface != name && !(e.wildcard && strings.HasPrefix(name, e.iface)) {
			others = true
			continue
		}
		if fits(e) {
			return e, true
		}
		others = false
	}
	return nil, others
}

// findMAC looks for an address of bitmap:ip,mac: entries without an Ethernet
// address take that of the first packet.
func (s *Set) findMAC(k key, fits func(*Entry) bool) *Entry {
	if e := s.entries[k]; e != nil && fits(e) {
		return e
	}
	mac := k.mac
	k.mac = 0
	e := s.entries[k]
	if e == nil || e.hasMAC || !fits(e) {
		return nil
	}
	filled := *e
	s.drop(e)
	filled.mac, filled.hasMAC, filled.gone = mac, true, false
	s.put(&filled)
	return &filled
}

// Change is what came of adding to a set or taking out of it.
type Change uint8

// The changes.
const (
	Unchanged Change = iota
	Changed
	Full // the set has as many entries as it may
)

// Add adds the packet to the set, for a time or, when timeout is nil, for as
// long as the set says; 0 is for ever. An entry that is there is left alone,
// unless renew is set, which starts its time again. A list of sets adds to the
// first member that takes it.
func (s *Set) Add(p *packet.Packet, d Directions, timeout *time.Duration, renew bool, now time.Time, sets func(string) *Set) Change {
	if d.N < len(s.parts) || s.Family != 0 && s.Family != int(p.Family) {
		return Unchanged
	}
	if s.Type == "list:set" {
		return s.each(now, sets, func(m *Set) Change { return m.Add(p, d, timeout, renew, now, sets) })
	}
	k, ok := s.keyToChange(p, d)
	if !ok {
		return Unchanged
	}
	lasts := s.Timeout
	if timeout != nil {
		lasts = min(*timeout, maxTimeout*time.Second)
	}
	e := &Entry{key: k, hasMAC: k.mac != 0}
	if s.HasTimeout && lasts > 0 {
		e.Ends = now.Add(lasts)
	}
	if old := s.entries[k]; old != nil && !old.ended(now) {
		if !renew {
			return Unchanged
		}
		s.put(e)
		return Changed
	}
	if s.MaxElem > 0 && s.Len() >= s.MaxElem {
		s.expire(now)
		if s.Len() >= s.MaxElem {
			if !slices.Contains(s.options, "forceadd") {
				return Full
			}
			for _, old := range s.order { // the kernel takes one at random
				if !old.gone {
					s.drop(old)
					break
				}
			}
		}
	}
	s.put(e)
	return Changed
}

// Del takes the packet out of the set; of a list of sets, out of the first
// member that has it.
func (s *Set) Del(p *packet.Packet, d Directions, now time.Time, sets func(string) *Set) Change {
	if d.N < len(s.parts) || s.Family != 0 && s.Family != int(p.Family) {
		return Unchanged
	}
	if s.Type == "list:set" {
		return s.each(now, sets, func(m *Set) Change { return m.Del(p, d, now, sets) })
	}
	k, ok := s.keyToChange(p, d)
	if !ok {
		return Unchanged
	}
	e := s.entries[k]
	if e == nil {
		return Unchanged
	}
	s.drop(e)
	if e.ended(now) {
		return Unchanged
	}
	return Changed
}

func (s *Set) each(now time.Time, sets func(string) *Set, change func(*Set) Change) Change {
	for _, e := range s.order {
		if e.gone || e.ended(now) {
			continue
		}
		if m := sets(e.member); m != nil && m.Type != "list:set" {
			if c := change(m); c == Changed {
				return c
			}
		}
	}
	return Unchanged
}

// keyToChange returns the key of the entry that the packet is: networks have
// the longest prefix length that is in use.
func (s *Set) keyToChange(p *packet.Packet, d Directions) (key, bool) {
	k, ok, _ := s.keyOf(p, d)
	if !ok {
		return k, false
	}
	addrs := 0
	for _, part := range s.parts {
		switch part {
		case partNet:
			length := uint8(s.bits())
			if list := s.lengths[addrs]; len(list) > 0 {
				length = list[0].length
			}
			k.ip[addrs], k.length[addrs] = rules.PrefixInterval(k.ip[addrs], int(length), s.bits()).Lo, length
			addrs++
		case partIP:
			addrs++
		}
	}
	return k, true
}

// expire takes out the entries that have ended.
func (s *Set) expire(now time.Time) {
	var ended []*Entry
	s.live(func(e *Entry) {
		if e.ended(now) {
			ended = append(ended, e)
		}
	})
	for _, e := range ended {
		s.drop(e)
	}
}

// Intervals returns the values that packets in the set have in its one
// dimension, ascending and disjoint: addresses of the family's width, ports,
// Ethernet addresses. returnNoMatch turns exceptions and other entries around.
// ok is false for sets of other types than bitmap:ip, bitmap:port, hash:ip,
// hash:net and hash:mac, of masks that are not prefixes, and for those that
// change by themselves. It takes time O(n log n).
func (s *Set) Intervals(returnNoMatch bool) (list []rules.Interval, ok bool) {
	if len(s.parts) != 1 || !s.Static() {
		return nil, false
	}
	bits := 16
	switch s.parts[0] {
	case partIP, partNet:
		bits = s.bits()
	case partMAC:
		bits = 48
	case partPort:
	default:
		return nil, false
	}
	low := s.mask.Not().And(rules.Ones(bits))
	if s.parts[0] == partIP && low != rules.Ones(low.BitLen()) {
		return nil, false
	}
	type span struct {
		rules.Interval
		in bool
	}
	var spans []span
	s.live(func(e *Entry) {
		switch s.parts[0] {
		case partPort:
			spans = append(spans, span{rules.Point(uint64(e.port)), true})
		case partMAC:
			spans = append(spans, span{rules.Point(e.mac), true})
		case partIP:
			iv := rules.Interval{Lo: e.ip[0], Hi: e.ip[0].Or(low)}
			if s.bitmap { // the last network may go beyond the range
				iv.Lo, iv.Hi = rules.U64(max(iv.Lo.Lo, s.lo)), rules.U64(min(iv.Hi.Lo, s.hi))
			}
			spans = append(spans, span{iv, true})
		case partNet:
			spans = append(spans, span{rules.PrefixInterval(e.ip[0], int(e.length[0]), bits), e.NoMatch == (returnNoMatch)})
		}
	})
	// Networks nest: the shorter ones of the same beginning first.
	slices.SortFunc(spans, func(a, b span) int {
		if c := a.Lo.Cmp(b.Lo); c != 0 {
			return c
		}
		return b.Hi.Cmp(a.Hi)
	})
	emit := func(lo, hi rules.Value, in bool) {
		if n := len(list); !in {
			return
		} else if n > 0 && list[n-1].Hi != rules.Ones(128) && list[n-1].Hi.Next() == lo {
			list[n-1].Hi = hi
			return
		}
		list = append(list, rules.Interval{Lo: lo, Hi: hi})
	}
	var open []span
	var next rules.Value // what is in front of it is said
	closeUntil := func(lo *rules.Value) {
		for len(open) > 0 {
			top := open[len(open)-1]
			if lo != nil && !top.Hi.Less(*lo) {
				return
			}
			if !top.Hi.Less(next) {
				emit(next, top.Hi, top.in)
				if top.Hi == rules.Ones(128) {
					open = nil
					return
				}
				next = top.Hi.Next()
			}
			open = open[:len(open)-1]
		}
	}
	for _, sp := range spans {
		closeUntil(&sp.Lo)
		if len(open) > 0 && next.Less(sp.Lo) {
			emit(next, sp.Lo.Prev(), open[len(open)-1].in)
		}
		if next.Less(sp.Lo) || len(open) == 0 {
			next = sp.Lo
		}
		open = append(open, sp)
	}
	closeUntil(nil)
	return list, true
}
