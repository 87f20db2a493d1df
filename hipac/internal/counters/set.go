package counters

import (
	"sync"
	"time"
	"unsafe"
)

// A Set: sums over the shards, preloading and resets.

// Counts is what one rule was hit by. Sums are modulo 2^64.
type Counts struct {
	Packets uint64
	Bytes   uint64
	Last    time.Time // the last hit; the zero Time for never or before the last reset
}

// Options says where the time of last hits comes from. The zero value is the
// system's wall clock at DefaultTick.
type Options struct {
	// Now is asked for the time once a tick; nil means time.Now. It may be
	// called by several goroutines at once.
	Now func() time.Time
	// Tick is the resolution of last hits: 0 means DefaultTick, less than 0
	// that the time changes only when Tick or Shard is called.
	Tick time.Duration
}

// A Set holds the counters of the rules of one or more rule lists. All its
// methods may be called by any number of goroutines at once; a lock inside
// serializes them. Only Count and CountAt of a [Shard] never take that lock.
type Set struct {
	clock *clock

	mu     sync.Mutex
	shards []*memory // open shards
	numbers
}

// A base is what a set holds for one number: what closed shards had counted,
// plus what was added, minus what resets took away, modulo 2^64.
type base struct {
	packets uint64
	bytes   uint64
	last    uint64 // largest time among closed shards and additions since the last reset
	floor   uint64 // largest time in open shards when last reset: no hit that counts now
	added   uint64 // packets added since
}

// NewSet makes a set without numbers and without shards.
func NewSet(o Options) *Set {
	c := &clock{read: o.Now, tick: o.Tick}
	if c.read == nil {
		c.read = time.Now
	}
	if c.tick == 0 {
		c.tick = DefaultTick
	}
	s := &Set{clock: c}
	s.spare = -1
	return s
}

// Tick refreshes the coarse clock at once.
func (s *Set) Tick() { s.clock.refresh() }

// total is the sum of one number in the form of an entry.
type total struct{ packets, bytes, last uint64 }

// sum adds up entry i of page p, which is not dropped.
func (s *Set) sum(p, i int) total {
	b := &s.pages[p].base[i]
	t := total{packets: b.packets, bytes: b.bytes}
	var newest uint64
	for _, m := range s.shards {
		packets, bytes, last := m.pages[p][i].load()
		t.packets += packets
		t.bytes += bytes
		newest = max(newest, last)
	}
	t.last = b.last
	// A hit within the tick of a reset bears the same time as those before
	// it; then the packets tell whether there was one.
	if newest > b.floor || newest == b.floor && t.packets != b.added {
		t.last = max(t.last, newest)
	}
	return t
}

func (t total) counts() Counts {
	return Counts{Packets: t.packets, Bytes: t.bytes, Last: instant(t.last)}
}

// Read returns the counts of n, all zero for a number that is not in use.
// Cost: one cache line for each shard.
func (s *Set) Read(n uint32) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(n)
}

// ReadMany appends the counts of each number to dst, under one lock, which
// writers and closing readers wait for; for long listings ask in portions of
// some thousands.
func (s *Set) ReadMany(dst []Counts, numbers []uint32) []Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range numbers {
		dst = append(dst, s.read(n))
	}
	return dst
}

func (s *Set) read(n uint32) Counts {
	if !s.inUse(n) {
		return Counts{}
	}
	return s.sum(split(n)).counts()
}

// Add adds to the counts of n what was counted elsewhere, for instance in the
// file that a rule was read from; the later of the two last hits stands. It
// does nothing to a number that is not in use.
func (s *Set) Add(n uint32, c Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inUse(n) {
		return
	}
	p, i := split(n)
	b := &s.pages[p].base[i]
	b.packets += c.Packets
	b.added += c.Packets
	b.bytes += c.Bytes
	b.last = max(b.last, nanoseconds(c.Last))
}

// Reset sets the counts of n to zero and returns what they were: every packet
// is in one of the results of Reset or in the next Read, none is lost and none
// is in two of them, also while readers count.
func (s *Set) Reset(n uint32) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inUse(n) {
		return Counts{}
	}
	return s.reset(split(n)).counts()
}

// ResetAll resets every number in use. Cost: O(numbers x shards), under the
// set's lock.
func (s *Set) ResetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, info := range s.pages {
		for i := range pageLen {
			if info.base != nil && info.live.has(i) {
				s.reset(p, i)
			}
		}
	}
}

// reset moves the base of an entry so that its sum is zero.
func (s *Set) reset(p, i int) total {
	t := s.sum(p, i)
	b := &s.pages[p].base[i]
	b.packets -= t.packets
	b.bytes -= t.bytes
	b.last, b.added = 0, 0
	for _, m := range s.shards {
		_, _, last := m.pages[p][i].load()
		b.floor = max(b.floor, last)
	}
	return t
}

// Size says what a set holds.
type Size struct {
	Numbers int   // in use
	Pages   int   // of 512 numbers each
	Shards  int   // open
	Bytes   int64 // of the counters in all shards and in the set
}

// Size returns the present size. Cost: O(numbers / 512).
func (s *Set) Size() Size {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := Size{Shards: len(s.shards)}
	for _, info := range s.pages {
		z.Numbers += info.nlive
		if info.base != nil {
			z.Pages++
		}
		z.Bytes += int64(unsafe.Sizeof(*info))
	}
	chunks := (len(s.pages) + chunkLen - 1) / chunkLen
	perShard := int64(z.Pages)*int64(unsafe.Sizeof(page{})) +
		int64(chunks)*int64(unsafe.Sizeof(chunk{})) + int64(unsafe.Sizeof(root{}))
	z.Bytes += int64(z.Pages)*int64(unsafe.Sizeof([pageLen]base{})) + int64(z.Shards)*perShard
	return z
}
