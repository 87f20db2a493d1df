package histories

// Comparing a live list with the model.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// compare compares the newest version: the first matches of all packets, all of
// those of the packets aimed at what was touched.
func (x *run) compare() error {
	m, s := x.m, x.live.Snapshot()
	if s.Version() != x.version || s.Len() != len(m.list) {
		return fmt.Errorf("version %d of %d rules, want %d of %d", s.Version(), s.Len(), x.version, len(m.list))
	}
	if len(x.touched) == 0 {
		x.touched = append(x.touched, x.r.IntN(len(x.h.Pool)))
	}
	var ask []int // packets to ask everything of
	for i := range x.checked {
		p := x.touched[x.r.IntN(len(x.touched))]
		if i < len(x.touched) && len(x.touched) <= x.checked {
			p = x.touched[i]
		}
		ask = append(ask, m.setKey(x.aim.key(p)))
	}
	ask = append(ask, x.r.IntN(packets), x.r.IntN(packets))
	first := m.first()
	if err := x.batches(s, &first); err != nil {
		return err
	}
	for _, i := range ask {
		if err := x.packet(s, i, first[i]); err != nil {
			return &packetError{m.keys[i], err}
		}
	}
	x.report.Packets += packets
	if n := len(m.list); n > 0 {
		for _, at := range []int{min(x.at, n-1), x.r.IntN(n)} {
			if got, want := s.At(at), m.list[at]; got.ID != want.id || got.Value != want.value {
				return fmt.Errorf("rule at %d: got %d (%d), want %d (%d)", at, got.ID, got.Value, want.id, want.value)
			}
		}
	}
	return x.hold(s, &first)
}

// batches compares first matches of all packets, and of some by themselves.
func (x *run) batches(s *hipac.Snapshot[int], first *[packets]*entry) error {
	m, w := x.m, x.h.Schema.KeyLen()
	from := x.r.IntN(packets)
	size := x.r.IntN(packets + 1 - from)
	for n, b := range [][2]int{{0, packets}, {from, size}} {
		ids := x.ids[:b[1]]
		for i := range ids {
			ids[i] = 1 << 60
		}
		if done := s.LookupBatch(m.words[b[0]*w:], ids); done != b[1] {
			return fmt.Errorf("batch of %d: looked up %d", b[1], done)
		}
		for i, got := range ids {
			var want rules.ID
			if e := first[b[0]+i]; e != nil {
				want = e.id
				if n == 0 {
					x.report.Matched++
				}
			}
			if got != want {
				return &packetError{m.keys[b[0]+i], fmt.Errorf("batch of %d: first match: got %d, want %d", b[1], got, want)}
			}
		}
	}
	return nil
}

// same reports whether a match is that of an entry.
func (x *run) same(got hipac.Match[int], want *entry) bool {
	return got == hipac.Match[int]{ID: want.id, Position: -1, Value: want.value, Unknown: x.h.Pool[want.pool].Unknown != ""}
}

// packet compares all answers for a packet.
func (x *run) packet(s *hipac.Snapshot[int], i int, first *entry) error {
	k := x.m.keys[i]
	got, ok := s.Lookup(k)
	if ok != (first != nil) || ok && !x.same(got, first) {
		return fmt.Errorf("first match: got %v %v, want %v", got, ok, first)
	}
	want, executed := x.m.all(i)
	if err := x.matches("all matches", s.LookupAll(k, nil, 0), want); err != nil {
		return err
	}
	if err := x.matches("the first two", s.LookupAll(k, nil, 2), want[:min(2, len(want))]); err != nil {
		return err
	}
	if err := x.matches("executed", s.Executed(k, nil), want[:executed]); err != nil {
		return err
	}
	size := x.r.IntN(1500)
	got, ok = x.reader.Lookup(k, size)
	if ok != (first != nil) || ok && !x.same(got, first) {
		return fmt.Errorf("reader: got %v %v, want %v", got, ok, first)
	}
	if !x.o.Counters {
		return nil
	}
	for _, e := range want[:executed] {
		e.hits.packets++
		e.hits.bytes += uint64(size)
	}
	if executed > 0 {
		e := want[x.r.IntN(executed)]
		c, err := x.live.Counters(e.id)
		if err != nil || c.Packets != e.hits.packets || c.Bytes != e.hits.bytes {
			return fmt.Errorf("counters of %d: got %+v, %v, want %+v", e.id, c, err, *e.hits)
		}
	}
	return nil
}

func (x *run) matches(what string, got []hipac.Match[int], want []*entry) error {
	if !slices.EqualFunc(got, want, x.same) {
		ids := make([]rules.ID, len(want))
		for i, e := range want {
			ids[i] = e.id
		}
		return fmt.Errorf("%s: got %v, want %v", what, got, ids)
	}
	return nil
}

// compareAll compares the listing, the counters, and the model with the linear
// matcher.
func (x *run) compareAll() error {
	m, s := x.m, x.live.Snapshot()
	l, err := m.linear()
	if err != nil {
		return err
	}
	first := m.first()
	for range 4 {
		i := x.r.IntN(packets)
		k := m.keys[i]
		at, ok := l.First(k)
		all, executed := m.all(i)
		if ok != (first[i] != nil) || ok && m.list[at] != first[i] || len(all) != len(slices.Collect(l.Matches(k))) || executed != len(slices.Collect(l.Executed(k))) {
			return fmt.Errorf("the model is not the linear matcher: packet %v", []uint32(k))
		}
		if _, ok := s.Lookup(k[1:]); ok {
			return fmt.Errorf("a packet that is too short: got a match")
		}
		if t := tupleOf(x.h.Schema, k); t != nil {
			k := x.h.Schema.NewKey()
			fits := x.h.Schema.SetTuple(k, *t)
			got, found := s.LookupTuple(*t)
			at, ok := l.First(k)
			ok = ok && fits
			if found != ok || ok && !x.same(got, m.list[at]) {
				return fmt.Errorf("tuple %v: got %v %v, want position %d, %v", *t, got, found, at, ok)
			}
		}
	}
	listed := s.List()
	n := 0
	for at, r := range s.Rules() {
		if at != n || n >= len(m.list) {
			return fmt.Errorf("listing: rule %d at %d, of %d", n, at, len(m.list))
		}
		want, other := l.At(at), listed.At(at)
		if r.ID != want.ID || r.Value != want.Value || r.Continue != want.Continue || r.Unknown != want.Unknown ||
			!slices.EqualFunc(r.Conds, want.Conds, func(a, b rules.Cond) bool { return a.Equal(&b) }) || other.ID != r.ID || other.Value != r.Value {
			return fmt.Errorf("listing at %d: got %v and %v, want %v", at, *r, *other, *want)
		}
		n++
	}
	if n != len(m.list) || listed.Len() != n || s.Bytes() <= 0 {
		return fmt.Errorf("listing: %d and %d rules of %d, %d bytes", n, listed.Len(), len(m.list), s.Bytes())
	}
	return x.counters()
}

// counters compares those of all rules.
func (x *run) counters() (err error) {
	if !x.o.Counters {
		return nil
	}
	at := 0
	x.live.EachCounter(func(r *rules.Rule[int], c hipac.Counts) bool {
		if want := x.m.list[at]; r.ID != want.id || c.Packets != want.hits.packets || c.Bytes != want.hits.bytes {
			err = fmt.Errorf("counters at %d: got %d: %+v, want %d: %+v", at, r.ID, c, want.id, *want.hits)
		}
		at++
		return err == nil
	})
	return err
}

// tupleOf returns the tuple of a key, or nil when the schema has none.
func tupleOf(s *rules.Schema, k rules.Key) *rules.Tuple {
	if s != rules.IPv4Tuple && s != rules.IPv6Tuple && s != rules.IPTuple && s != rules.Firewall {
		return nil
	}
	t := &rules.Tuple{}
	src, _ := s.Get(k, 0)
	dst, _ := s.Get(k, 1)
	sport, with := s.Get(k, 2)
	dport, _ := s.Get(k, 3)
	proto, _ := s.Get(k, 4)
	t.Src, t.Dst = src.Addr(), dst.Addr()
	if s == rules.IPv4Tuple {
		t.Src, t.Dst = src.Addr4(), dst.Addr4()
	}
	t.SrcPort, t.DstPort, t.Proto, t.NoPorts = uint16(sport.Lo), uint16(dport.Lo), uint8(proto.Lo), !with
	return t
}

// held is a version that is kept, with what it answered.
type held struct {
	s     *hipac.Snapshot[int]
	words []uint32
	first []rules.ID
	key   rules.Key
	all   []hipac.Match[int]
	rules []rules.ID
}

// hold keeps the version now and then, and looks at one that was kept before.
func (x *run) hold(s *hipac.Snapshot[int], first *[packets]*entry) error {
	const most = 6
	if len(x.held) > 0 && x.r.IntN(16) == 0 {
		x.report.Versions++
		if err := x.held[x.r.IntN(len(x.held))].check(); err != nil {
			return err
		}
	}
	if x.r.IntN(32) > 0 {
		return nil
	}
	h := held{s: s, words: slices.Clone(x.m.words), first: make([]rules.ID, packets), key: x.m.keys[x.r.IntN(packets)]}
	for i, e := range first {
		if e != nil {
			h.first[i] = e.id
		}
	}
	h.all = s.LookupAll(h.key, nil, 0) // compared before, or at another time
	for _, e := range x.m.list {
		h.rules = append(h.rules, e.id)
	}
	if len(x.held) < most {
		x.held = append(x.held, h)
	} else {
		x.held[x.r.IntN(most)] = h
	}
	return nil
}

// check compares a version that was kept with what it answered.
func (h *held) check() error {
	ids := make([]rules.ID, packets)
	h.s.LookupBatch(h.words, ids)
	if i := slices.Compare(ids, h.first); i != 0 {
		for i := range ids {
			if ids[i] != h.first[i] {
				n := len(h.words) / packets
				return fmt.Errorf("version %d that was held: packet %v: got %d, want %d", h.s.Version(), h.words[i*n:][:n], ids[i], h.first[i])
			}
		}
	}
	if got := h.s.LookupAll(h.key, nil, 0); !slices.Equal(got, h.all) {
		return fmt.Errorf("version %d that was held: all matches of %v: got %v, want %v", h.s.Version(), []uint32(h.key), got, h.all)
	}
	n := 0
	for i, r := range h.s.Rules() {
		if i >= len(h.rules) || r.ID != h.rules[i] {
			return fmt.Errorf("version %d that was held: got rule %d at %d", h.s.Version(), r.ID, i)
		}
		n++
	}
	if n != len(h.rules) {
		return fmt.Errorf("version %d that was held: got %d rules, want %d", h.s.Version(), n, len(h.rules))
	}
	return nil
}
