package counters

import (
	"runtime"
	"time"
)

// A Shard: the counters of one reader.

// A Shard counts for one reader goroutine. [Set.Shard] makes it. Count and
// CountAt may be called by one goroutine at a time; handing a shard over to
// another goroutine needs a synchronization in between, as with any unguarded
// variable.
//
// A shard that its owner forgets to close is closed when the garbage
// collector finds it unreachable.
type Shard struct {
	root    *root
	clock   *clock
	set     *Set
	mem     *memory
	cleanup runtime.Cleanup
}

// memory is what the set knows of a shard. It must not lead back to the Shard,
// which could never be found unreachable then. Only pages are shared with the
// reader; the rest belongs to the set's lock.
type memory struct {
	root  *root
	pages []*page // by number of the page; nil where the set has none, empty once closed
}

// Shard opens the counters of one more reader: all its pages are made here, at
// 32 bytes for each number. The coarse clock runs while a shard is open.
func (s *Set) Shard() *Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &memory{root: new(root)}
	for i := range m.root {
		m.root[i].Store(&noPages)
	}
	for p, info := range s.pages {
		if info.base != nil {
			m.make(p)
		}
	}
	if len(s.shards) == 0 {
		s.clock.start()
	}
	s.shards = append(s.shards, m)
	sh := &Shard{root: m.root, clock: s.clock, set: s, mem: m}
	sh.cleanup = runtime.AddCleanup(sh, s.close, m)
	return sh
}

// Count adds one packet of the given length to rule number n and notes the
// time of the coarse clock as its last hit. It stores to one cache line, which
// no other reader stores to, and allocates nothing. A number that is not in
// use, like 0, is allowed: it counts nothing that anybody will read.
//
// A reader that took n from a version of a rule set must keep that version
// alive (runtime.KeepAlive) until Count has returned; see [Set.Era].
func (sh *Shard) Count(n uint32, bytes uint64) {
	if pg := sh.root[n>>(pageBits+chunkBits)].Load()[n>>pageBits%chunkLen].Load(); pg != nil {
		pg[n%pageLen].add(bytes, sh.clock.now.Load())
	}
	runtime.KeepAlive(sh) // else the last count could race with the cleanup
}

// CountAt is Count with the time of the packet, for readers that know it: a
// replay of a capture, or a loop that reads the clock once for a burst. The
// largest time that a rule was given stands.
func (sh *Shard) CountAt(n uint32, bytes uint64, at time.Time) {
	if pg := sh.root[n>>(pageBits+chunkBits)].Load()[n>>pageBits%chunkLen].Load(); pg != nil {
		pg[n%pageLen].add(bytes, nanoseconds(at))
	}
	runtime.KeepAlive(sh)
}

// Close ends counting and adds what was counted to the set, where it stays.
// The owner calls it, or another goroutine once the owner is quiescent. Counts
// after Close are discarded; a second Close does nothing. Cost: O(numbers),
// under the set's lock.
func (sh *Shard) Close() {
	sh.cleanup.Stop()
	sh.set.close(sh.mem)
	runtime.KeepAlive(sh)
}

// close folds the counts of a shard into the base, under the lock, so that a
// reading finds them in one place or the other. A closed shard has no pages, so
// closing it again finds nothing.
func (s *Set) close(m *memory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, pg := range m.pages {
		if pg == nil {
			continue
		}
		info := s.pages[p]
		for i := range pg {
			packets, bytes, last := pg[i].load()
			if packets == 0 {
				continue
			}
			b := &info.base[i]
			if last > b.floor || last == b.floor && s.sum(p, i).packets > 0 {
				b.last = max(b.last, last)
			}
			b.packets += packets
			b.bytes += bytes
		}
		m.drop(p)
	}
	m.pages = nil
	for i, other := range s.shards {
		if other == m {
			last := len(s.shards) - 1
			s.shards[i], s.shards[last] = s.shards[last], nil
			s.shards = s.shards[:last]
			break
		}
	}
	if len(s.shards) == 0 {
		s.clock.halt()
	}
}

// make gives the shard page p.
func (m *memory) make(p int) {
	for len(m.pages) <= p {
		m.pages = append(m.pages, nil)
	}
	c := m.root[p/chunkLen].Load()
	if c == &noPages {
		c = new(chunk)
		m.root[p/chunkLen].Store(c)
	}
	m.pages[p] = new(page)
	c[p%chunkLen].Store(m.pages[p])
}

// drop takes page p away. A reader that has just reached it stores to it once
// more, and that is lost.
func (m *memory) drop(p int) {
	m.root[p/chunkLen].Load()[p%chunkLen].Store(nil)
	m.pages[p] = nil
}
