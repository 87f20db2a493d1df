package histories

// The model: the list as a plain slice, beside a number of packets. Which rule of
// the pool matches which packet is asked of the linear matcher once, and kept as
// bits, so that all packets can be compared after every edit.

import (
	"math"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// packets is the number of packets kept.
const packets = 128

// bitset says something of each packet.
type bitset [packets / 64]uint64

func (b *bitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }

func (b *bitset) set(i int, on bool) {
	b[i/64] &^= 1 << (i % 64)
	if on {
		b[i/64] |= 1 << (i % 64)
	}
}

// entry is a rule of the list. It is not changed, but for what hit it.
type entry struct {
	id    rules.ID
	pool  int // whose conditions it has
	cont  bool
	value int
	hits  *hits
}

// hits is what a counting reader should have counted.
type hits struct{ packets, bytes uint64 }

// model is the list.
type model struct {
	h    *History
	list []*entry
	last int // where a rule was inserted last

	values int // given out
	had    map[rules.ID]bool

	keys    []rules.Key
	words   []uint32 // all keys, one behind the other
	matches []bitset // by pool
	next    int      // key to replace
}

func newModel(h *History) *model {
	m := &model{h: h, had: map[rules.ID]bool{}, matches: make([]bitset, len(h.Pool))}
	for i, p := range h.First {
		e := m.entry(p)
		e.id = rules.ID(i + 1)
		m.had[e.id] = true
		m.list = append(m.list, e)
	}
	m.keys = make([]rules.Key, packets)
	m.words = make([]uint32, packets*h.Schema.KeyLen())
	return m
}

// spent reports whether a rule had the identity, so that a new one does not get
// it unless asked to: when there are none above, those that went are given again.
func (m *model) spent(id rules.ID) bool {
	return m.had[id] && !m.had[math.MaxUint64] && !m.had[math.MaxUint64-1]
}

// entry returns a new entry of a rule of the pool.
func (m *model) entry(pool int) *entry {
	pool = within(pool, len(m.h.Pool))
	m.values++
	return &entry{pool: pool, cont: m.h.Pool[pool].Continue, value: m.values, hits: &hits{}}
}

// rule returns the rule of an entry.
func (m *model) rule(e *entry) rules.Rule[int] {
	r := m.h.Pool[e.pool]
	r.ID, r.Continue, r.Value = e.id, e.cont, e.value
	return r
}

// find returns the position of an identity, or -1.
func (m *model) find(id rules.ID) int {
	return slices.IndexFunc(m.list, func(e *entry) bool { return e.id == id })
}

// setKey puts a packet in the place of the one that has been there longest, and
// returns its number.
func (m *model) setKey(k rules.Key) int {
	i := m.next
	m.next = (m.next + 1) % packets
	m.keys[i] = k
	copy(m.words[i*len(k):], k)
	for p := range m.h.Pool {
		m.matches[p].set(i, m.h.Pool[p].Matches(m.h.Schema, k))
	}
	return i
}

// first returns the first terminal rule that matches each packet; nil for none.
func (m *model) first() (out [packets]*entry) {
	var open bitset
	for w := range open {
		open[w] = ^uint64(0)
	}
	for _, e := range m.list {
		if e.cont {
			continue
		}
		b := &m.matches[e.pool]
		for w := range open {
			hit := b[w] & open[w]
			for i := w * 64; hit != 0; i, hit = i+1, hit>>1 {
				if hit&1 != 0 {
					out[i] = e
				}
			}
			open[w] &^= b[w]
		}
	}
	return out
}

// all returns the rules that match a packet, and how many of them are executed.
func (m *model) all(key int) (out []*entry, executed int) {
	for _, e := range m.list {
		if !m.matches[e.pool].has(key) {
			continue
		}
		out = append(out, e)
		if executed == 0 && !e.cont {
			executed = len(out)
		}
	}
	if executed == 0 {
		executed = len(out)
	}
	return out, executed
}

// linear returns the list, for the linear matcher itself.
func (m *model) linear() (*rules.List[int], error) { return m.listOf(m.list) }

func (m *model) listOf(list []*entry) (*rules.List[int], error) {
	all := make([]rules.Rule[int], len(list))
	for i, e := range list {
		all[i] = m.rule(e)
	}
	return rules.NewList(m.h.Schema, all...)
}

// bytes returns the memory of rules, as limits count it.
func (m *model) bytes(list []*entry) (n int64) {
	for _, e := range list {
		r := m.rule(e)
		n += r.Bytes()
	}
	return n
}
