package xt

// The match recent: named lists of addresses with the times of their packets.
// A list holds RecentAddresses addresses; a new one takes the place of the
// address that was quiet longest. An address keeps the times of its last 32
// packets, or of as many as the rules of the list count, to the next power of
// two. Source: iptables-extensions(8), recent; the kernel's tables.

import (
	"container/list"
	"math/bits"
	"net/netip"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

const (
	recentAddresses = 100 // the module's ip_list_tot
	recentStamps    = 32
)

// MaxHitCount is the largest --hitcount.
const MaxHitCount = 65535

// RecentList is what the rules of a file say together of one list: its name,
// the mask that addresses are kept under, and how many times of an address it
// has to keep. It is to be complete before packets are asked.
type RecentList struct {
	Name string
	// Mask is that of the rule that mentions the list first.
	Mask   [4]uint32
	stamps int
}

// Keep makes room for rules that count so many packets.
func (l *RecentList) Keep(hits uint32) {
	n := recentStamps
	if hits > 0 {
		n = 1 << bits.Len32(min(hits, MaxHitCount)-1)
	}
	l.stamps = max(l.stamps, n)
}

// RecentOp is what a rule does with a list.
type RecentOp uint8

// The operations.
const (
	RecentSet    RecentOp = iota // add the address, or this packet to its times
	RecentCheck                  // is it there?
	RecentUpdate                 // the same, and add this packet when it is
	RecentRemove                 // take it away
)

// RecentRule is one match "recent". Seconds and Hits are 0 for no bound.
type RecentRule struct {
	Op      RecentOp
	Not     bool
	Dest    bool // go by the destination
	Seconds uint32
	Hits    uint32
	TTL     bool // only when the TTL is that of the address's last packet
	Reap    bool // drop the oldest address when it was quiet for Seconds
}

type recent struct {
	list *RecentList
	name string // of the list's memory
	RecentRule
}

// Recent returns the test "recent" on a list.
func Recent(l *RecentList, r RecentRule) rules.Test { return &recent{l, recentPrefix + l.Name, r} }

// recentPrefix begins the names of lists among what is shared by name.
const recentPrefix = "recent "

type recentKey struct {
	addr   [4]uint32
	family uint8
}

// recentMemory is a list with its addresses, the quietest first.
type recentMemory struct {
	stamps int
	mask   [4]uint32
	at     map[recentKey]*list.Element
	order  list.List
}

type recentEntry struct {
	key    recentKey
	ttl    uint8
	next   int     // where the next time goes, stamps at the end
	stamps []int64 // in ticks
}

func (m *recentMemory) remove(e *list.Element) {
	delete(m.at, e.Value.(*recentEntry).key)
	m.order.Remove(e)
}

func (r *recent) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	m := s.recent(r.list, r.name)
	p := &t.Packet
	key := recentKey{p.Src, p.Family}
	if r.Dest {
		key.addr = p.Dst
	}
	for i := range key.addr {
		key.addr[i] &= m.mask[i]
	}
	// The TTL as it was before forwarding.
	ttl := p.TTL
	if forwarded(t) {
		ttl++
	}
	now := s.jiffies()
	at := m.at[key]
	if at != nil && r.TTL && ttl != 0 {
		if e := at.Value.(*recentEntry); e.ttl != 0 && e.ttl != ttl {
			at = nil
		}
	}
	if at == nil {
		if r.Op != RecentSet {
			return answer(r.Not), ""
		}
		most := s.RecentAddresses
		if most <= 0 {
			most = recentAddresses
		}
		if m.order.Len() >= most {
			m.remove(m.order.Front())
		}
		m.at[key] = m.order.PushBack(&recentEntry{key: key, ttl: ttl, next: 1, stamps: []int64{now}})
		return answer(!r.Not), ""
	}
	e := at.Value.(*recentEntry)
	holds := r.Not
	switch r.Op {
	case RecentSet:
		holds = !holds
	case RecentRemove:
		m.remove(at)
		holds = !holds
	default:
		since := now - int64(r.Seconds)*HZ
		hits := uint32(0)
		for _, stamp := range e.stamps {
			if r.Seconds != 0 && stamp < since {
				continue
			}
			if hits++; hits >= r.Hits {
				holds = !holds
				break
			}
		}
		if front := m.order.Front(); r.Reap && !(front == at && r.Op == RecentUpdate && holds) {
			if old := front.Value.(*recentEntry); old.stamps[old.next-1] < since {
				m.remove(front)
			}
		}
	}
	if r.Op == RecentSet || r.Op == RecentUpdate && holds {
		if e.next %= m.stamps; e.next < len(e.stamps) {
			e.stamps[e.next] = now
		} else {
			e.stamps = append(e.stamps, now)
		}
		e.next++
		e.ttl = ttl
		m.order.MoveToBack(at)
	}
	return answer(holds), ""
}

// forwarded reports whether the packet came in by one interface and leaves by
// another.
func forwarded(t *Traversal) bool {
	p := &t.Packet
	return p.Known&knowsBoth == knowsBoth && p.InIface != rules.Value{} && p.OutIface != rules.Value{}
}

// recent returns the memory of a list. When a rule counts more packets than
// it has room for, it begins anew, as when such a rule is added to a kernel.
func (s *State) recent(l *RecentList, name string) *recentMemory {
	m := shared(s, name, func() *recentMemory {
		return &recentMemory{stamps: l.stamps, mask: l.Mask, at: map[recentKey]*list.Element{}}
	})
	if l.stamps > m.stamps {
		clear(m.at)
		m.order.Init()
		m.stamps = l.stamps
	}
	return m
}

// RecentEntry is an address of a list.
type RecentEntry struct {
	Addr netip.Addr
	TTL  uint8
	Seen []time.Time // its packets, to 1/HZ second; not in order of time
	Last time.Time   // the latest
}

// RecentEntries returns the addresses of a list, the quietest first.
func (s *State) RecentEntries(name string) []RecentEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.named[recentPrefix+name].(*recentMemory)
	if !ok {
		return nil
	}
	var out []RecentEntry
	for e := m.order.Front(); e != nil; e = e.Next() {
		r := e.Value.(*recentEntry)
		v := rules.Value{Hi: uint64(r.key.addr[0])<<32 | uint64(r.key.addr[1]), Lo: uint64(r.key.addr[2])<<32 | uint64(r.key.addr[3])}
		entry := RecentEntry{Addr: v.Addr(), TTL: r.ttl, Last: tickTime(r.stamps[r.next-1])}
		for _, stamp := range r.stamps {
			entry.Seen = append(entry.Seen, tickTime(stamp))
		}
		out = append(out, entry)
	}
	return out
}

func tickTime(j int64) time.Time { return time.Unix(j/HZ, j%HZ*(int64(time.Second)/HZ)) }

const knowsBoth = packet.KnownIn | packet.KnownOut
