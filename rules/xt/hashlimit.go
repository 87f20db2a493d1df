package xt

// The match hashlimit: a rate for each address, port, or combination of them,
// in a named table of token buckets. The arithmetic is the kernel's (revision
// 3): a bucket of packets gains hashCredits a tick and a packet costs what the
// rate says; a bucket of bytes gains byteCredits, and a packet costs its length
// in units of 16 bytes. With rate-match packets are counted in intervals
// instead.
//
// A table has htable-max entries at most; packets that would need one more are
// dropped. Entries that were idle for htable-expire go when the table is swept,
// every htable-gcinterval, not before. Source: iptables-extensions(8).

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Parts of a packet that a table of hashlimit keeps apart, bits of
// HashTable.Parts.
const (
	HashSource uint8 = 1 << iota
	HashDest
	HashSourcePort
	HashDestPort
)

// HashScale is the unit of rates in packets: an average of x means a packet
// every x/HashScale seconds.
const HashScale = 1000000

// MaxHashEntries is the largest size of a table.
const MaxHashEntries = 1 << 20

const (
	hashCredits  = 1 << 39 // per tick: the largest power of two at which a day fits 64 bits
	byteCredits  = 1 << 24 // per tick: a second fits 32 bits
	byteFull     = byteCredits * HZ
	hashBuckets  = 8192 // of a table whose size is not given, on a machine with more than 1 GB
	hashPerSlot  = 8
	byteUnitBits = 4
)

// HashTable is a named table. Rules that name the same one share it, and the
// first of them says what it is like.
type HashTable struct {
	Name   string
	Family int   // 4 or 6: the families have tables of their own
	Parts  uint8 // what has a bucket of its own
	// SrcLen and DstLen are prefix lengths of the addresses.
	SrcLen, DstLen int
	// Bytes: the rate counts bytes. Then Average is a cost (see ByteRate), and
	// Burst how often a bucket may be filled up anew when it is empty; else
	// Average is in 1/HashScale seconds, and Burst in packets.
	Bytes          bool
	Average, Burst uint64
	// Interval is that of rate-match in seconds; 0: no rate-match.
	Interval uint32
	Size     uint32 // buckets; 0: 8192
	Max      uint32 // entries; 0: 8 for each bucket
	Sweep    uint32 // milliseconds
	Expire   uint32 // milliseconds
}

// ByteRate returns the cost that stands for a rate in bytes a second; it is
// the rate rounded to what the kernel can tell apart.
func ByteRate(bytes uint64) uint64 {
	return math.MaxUint32 / (uint64(uint32(bytes>>byteUnitBits)) + 1)
}

// BytesOf is the reverse of ByteRate.
func BytesOf(cost uint64) uint64 {
	r := uint64(math.MaxUint32)
	if cost != 0 {
		r /= cost
	}
	return (r - 1) << byteUnitBits
}

// Check refuses what the kernel refuses.
func (h *HashTable) Check() error {
	switch full := 32 + 96*(h.Family/6); {
	case h.Sweep == 0 || h.Expire == 0:
		return fmt.Errorf("--hashlimit-htable-gcinterval and --hashlimit-htable-expire are at least 1")
	case h.SrcLen > full || h.DstLen > full:
		return fmt.Errorf("prefix lengths are at most %d", full)
	case h.Interval > 0:
		if h.Average == 0 || h.Average > math.MaxUint32 {
			return fmt.Errorf("the rate is not one that --hashlimit-rate-match can count")
		}
	case h.Bytes:
		if hashByteWorth(h.Average) == 0 {
			return ErrOverflow
		}
	default:
		if h.Burst == 0 || hashWorth(h.Average*h.Burst) < hashWorth(h.Average) {
			return ErrOverflow
		}
	}
	return nil
}

// hashWorth turns 1/HashScale seconds to credits, wrapping around.
func hashWorth(x uint64) uint64 { return x * (HZ * hashCredits / HashScale) }

// hashByteWorth turns the cost of a rate in bytes to credits per 16 bytes.
func hashByteWorth(x uint64) uint64 {
	return (x & math.MaxUint32) * byteFull >> 32
}

type hashLimit struct {
	table *HashTable
	name  string // of the table's memory
	above bool
	rate  bool // rate-match; whether bytes or packets are counted
	bytes bool
}

// HashLimit returns the test "hashlimit" on a table: true up to its rate, or
// above it. The rule's own rateMatch and bytes say what a packet is charged,
// which are those of the table unless rules contradict each other.
func HashLimit(table *HashTable, above, rateMatch, bytes bool) rules.Test {
	return &hashLimit{table, hashName(table.Name, table.Family), above, rateMatch, bytes}
}

type hashKey struct {
	src, dst     [4]uint32
	sport, dport uint16
}

type hashMemory struct {
	HashTable
	most           int
	began, swept   int64 // in ticks
	sweep, expire  int64
	cost, full     uint64
	window, budget uint64 // rate-match: packets or bytes a second, and what a packet may find counted
	entries        map[hashKey]*hashEntry
}

type hashEntry struct {
	prev, expires int64
	credit, refil uint64 // refil: how often it may be filled up anew (bytes)
	over          bool   // rate-match: the interval before was over the rate
	counted       uint64
}

// hashName is the name of a table's memory.
func hashName(name string, family int) string { return fmt.Sprintf("hashlimit%d %s", family, name) }

func (s *State) hash(h *HashTable, name string, now int64) *hashMemory {
	return shared(s, name, func() *hashMemory {
		m := &hashMemory{HashTable: *h, began: now, swept: now, sweep: millis(h.Sweep), expire: millis(h.Expire), entries: map[hashKey]*hashEntry{}}
		size := min(h.Size, MaxHashEntries)
		if size == 0 {
			size = hashBuckets
		}
		m.most = int(max(min(h.Max, MaxHashEntries), size))
		if h.Max == 0 {
			m.most = hashPerSlot * int(size)
		}
		switch {
		case h.Interval > 0 && h.Bytes:
			m.window = BytesOf(h.Average)
			m.budget = m.window * max(h.Burst, 1)
		case h.Interval > 0:
			m.window = HashScale / max(h.Average, 1)
			m.budget = m.window + h.Burst
		case h.Bytes:
			m.cost, m.full = hashByteWorth(h.Average), byteFull
		default:
			m.cost, m.full = hashWorth(h.Average), hashWorth(h.Average*h.Burst)
		}
		return m
	})
}

// millis returns milliseconds in ticks, rounded up.
func millis(n uint32) int64 { return (int64(n)*HZ + 999) / 1000 }

// collect takes away what had expired when the table was to be swept last.
func (m *hashMemory) collect(now int64) {
	last := m.began + (now-m.began)/max(m.sweep, 1)*max(m.sweep, 1)
	if last <= m.swept {
		return
	}
	m.swept = last
	for k, e := range m.entries {
		if e.expires <= last {
			delete(m.entries, k)
		}
	}
}

func (m *hashMemory) fresh(now int64) *hashEntry {
	e := &hashEntry{prev: now, credit: m.full}
	if m.Bytes {
		e.refil = m.Burst
	}
	return e
}

// fill brings an entry up to date.
func (m *hashMemory) fill(e *hashEntry, now int64) {
	ticks := uint64(now - e.prev)
	switch {
	case ticks == 0:
		return
	case m.Interval > 0:
		interval := uint64(m.Interval) * HZ
		if ticks < interval {
			return
		}
		e.over = e.counted*interval > ticks*m.window
		e.counted = 0
	case m.Bytes:
		before := e.credit
		if e.credit += byteCredits * ticks; e.credit > m.full || e.credit <= before {
			e.credit = m.full
		}
	default:
		e.credit = min(e.credit+ticks*hashCredits, m.full)
	}
	e.prev = now
}

// charge takes a packet's cost, and reports whether it was there.
func (h *hashLimit) charge(e *hashEntry, m *hashMemory, size uint64) bool {
	if h.rate {
		if h.bytes {
			e.counted += size
		} else {
			e.counted++
		}
		return !e.over && e.counted <= m.budget
	}
	cost := m.cost
	if h.bytes {
		cost = min((size>>byteUnitBits+1)*cost, byteFull)
		if e.credit < cost && e.refil > 0 {
			e.refil--
			e.credit = byteFull
		}
	}
	if e.credit < cost {
		return false
	}
	e.credit -= cost
	return true
}

func (h *hashLimit) Ask(sub rules.Subject) (rules.Outcome, string) {
	t, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	now := s.jiffies()
	m := s.hash(h.table, h.name, now)
	key, o, missing := m.key(t)
	if o != rules.Yes {
		return o, missing
	}
	size, ok := t.size()
	if h.bytes && !ok {
		return rules.Unsure, needsLength
	}
	m.collect(now)
	e := m.entries[key]
	if e == nil {
		if len(m.entries) >= m.most {
			return rules.DropNow, ""
		}
		e = m.fresh(now)
		m.entries[key] = e
	} else {
		m.fill(e, now)
	}
	e.expires = now + m.expire
	return answer(h.charge(e, m, size) != h.above), ""
}

// needsPorts is what a test says that needs ports that are not there.
const needsPorts = "the bytes where ports would be"

// key returns the packet's key. Protocols without ports have the ports 0.
func (m *hashMemory) key(t *Traversal) (k hashKey, o rules.Outcome, missing string) {
	p := &t.Packet
	if m.Parts&HashSource != 0 {
		k.src = prefix(p.Src, m.SrcLen, m.Family)
	}
	if m.Parts&HashDest != 0 {
		k.dst = prefix(p.Dst, m.DstLen, m.Family)
	}
	if m.Parts&(HashSourcePort|HashDestPort) == 0 {
		return k, rules.Yes, ""
	}
	// The kernel looks no further than a fragment header of a later fragment.
	if p.Has&packet.HasProto == 0 && !p.Frag() {
		return k, rules.DropNow, ""
	}
	src, dst, o := t.ports()
	switch o {
	case rules.Unsure:
		return k, o, needsPorts
	case rules.DropNow:
		return k, o, ""
	}
	if m.Parts&HashSourcePort != 0 {
		k.sport = src
	}
	if m.Parts&HashDestPort != 0 {
		k.dport = dst
	}
	return k, rules.Yes, ""
}

// prefix returns the first bits of an address.
func prefix(a [4]uint32, length, family int) [4]uint32 {
	if family == 4 {
		length += 96
	}
	for i := range a {
		n := min(max(length-32*i, 0), 32)
		a[i] &= uint32(uint64(math.MaxUint32) << (32 - n))
	}
	return a
}

// ports returns the packet's ports, 0 for protocols without. The kernel takes
// the four bytes where ports would be for ports, whatever they are: of a later
// fragment of IPv4, of a cut header, of a security parameter index. DropNow
// says that the packet ends in front of them.
func (t *Traversal) ports() (src, dst uint16, o rules.Outcome) {
	p := &t.Packet
	at := 0
	if p.Family == 6 && !p.Frag() && (p.Proto == protoNone || p.Notes&packet.BrokenChain != 0) {
		return 0, 0, rules.DropNow // there is no protocol
	}
	switch p.Proto {
	case packet.TCP, packet.UDP, packet.UDPLite, packet.SCTP, packet.DCCP, protoESP:
	case protoAH:
		at = 4
	default:
		return 0, 0, rules.Yes
	}
	if p.Family == 6 && p.Frag() {
		return 0, 0, rules.Yes
	}
	var buf [4]byte
	switch b := p.Bytes(p.HeaderOffset()+at, 4, buf[:]); {
	case b != nil:
		return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), rules.Yes
	case p.Has&packet.HasPorts != 0:
		return p.SrcPort, p.DstPort, rules.Yes
	case p.Captured() == 0 || p.Notes&packet.Cut != 0:
		return 0, 0, rules.Unsure
	}
	return 0, 0, rules.DropNow
}

const (
	protoESP  = 50
	protoAH   = 51
	protoNone = 59 // no next header
)

// HashEntries returns how many entries the named table of a family has.
func (s *State) HashEntries(name string, family int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.named[hashName(name, family)].(*hashMemory)
	if !ok {
		return 0
	}
	m.collect(s.jiffies())
	return len(m.entries)
}
