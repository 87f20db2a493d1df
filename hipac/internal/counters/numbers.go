package counters

import (
	"math/bits"
	"runtime"
	"weak"
)

// Which numbers are in use, free, or waiting until no reader can count under
// them any more; which pages exist.

// numbers is the part of a Set that gives numbers out. A number is in one of
// three states: live (given to a rule), free (may be given), or retired (its
// rule is gone, but a reader with an old version may still count under it).
type numbers struct {
	pages   []*pageInfo
	partial bitset // pages that exist and have free numbers
	vacant  bitset // dropped pages that have free numbers
	// spare is the one page that stays although it has no live number, or -1:
	// else adding and deleting one rule by turns would make and drop a page
	// each time.
	spare int

	era *Era   // current; nil until the set is asked for one
	old []*end // of the eras before it, oldest first
}

// A pageInfo belongs to 512 numbers. Numbers neither live nor free are retired.
type pageInfo struct {
	base  *[pageLen]base // nil: the page is dropped, or was never made
	live  pageBitset
	free  pageBitset
	nlive int
	nfree int
}

func split(n uint32) (p, i int) { return int(n >> pageBits), int(n % pageLen) }

func (s *Set) inUse(n uint32) bool {
	p, i := split(n)
	return p < len(s.pages) && s.pages[p].live.has(i)
}

// New gives out a number with counts of zero, never 0. It returns 0, which is
// not counted, when all 2^32 numbers are in use or retired. The writer calls it
// before it publishes the version with the rule; then all shards have a place
// for it. Cost: O(shards), and once in 512 numbers the making of a page in each
// shard.
func (s *Set) New() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partial.first()
	if p < 0 {
		p = s.vacant.first()
	}
	if p < 0 {
		if p = len(s.pages); uint64(p) == maxPages {
			return 0
		}
		info := &pageInfo{nfree: pageLen}
		for i := range info.free {
			info.free[i] = ^uint64(0)
		}
		if p == 0 {
			info.free.clear(0) // 0 means no number
			info.nfree--
		}
		s.pages = append(s.pages, info)
	}
	info := s.pages[p]
	if info.base == nil {
		info.base = new([pageLen]base)
		for _, m := range s.shards {
			m.make(p)
		}
		s.vacant.clear(p)
		s.partial.set(p)
	}
	i := info.free.first()
	info.free.clear(i)
	info.live.set(i)
	info.nlive++
	if info.nfree--; info.nfree == 0 {
		s.partial.clear(p)
	}
	if s.spare == p {
		s.spare = -1
	}
	s.reset(p, i) // of what the rule before it had
	return uint32(p)<<pageBits | uint32(i)
}

// Free takes a number back whose rule is not in the newest version any more,
// nor in one that will be published. Its counts are gone; late counts of
// readers with an old version are discarded. It does nothing to a number that
// is not in use. Cost: O(1), and the dropping of a page when it was the last of
// its 512.
func (s *Set) Free(n uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inUse(n) {
		return
	}
	p, i := split(n)
	info := s.pages[p]
	info.live.clear(i)
	info.nlive--
	if s.era != nil {
		s.era.end.retired = append(s.era.end.retired, n)
	}
	switch {
	case info.nlive > 0:
	case s.spare < 0:
		s.spare = p
	case s.pages[s.spare].nfree == 0: // useless for New
		s.dropPage(s.spare)
		s.spare = p
	default:
		s.dropPage(p)
	}
}

// dropPage returns the memory of a page without live numbers.
func (s *Set) dropPage(p int) {
	info := s.pages[p]
	info.base = nil
	for _, m := range s.shards {
		m.drop(p)
	}
	s.partial.clear(p)
	if info.nfree > 0 {
		s.vacant.set(p)
	}
}

// trim forgets dropped pages at the end that are free throughout, and drops
// the spare page if it is free throughout and a lower one has room.
func (s *Set) trim() {
	if p := s.spare; p >= 0 && s.pages[p].nfree == pageLen && s.partial.first() < p {
		s.spare = -1
		s.dropPage(p)
	}
	for p := len(s.pages) - 1; p > 0; p-- {
		if s.pages[p].base != nil || s.pages[p].nfree < pageLen {
			return
		}
		s.vacant.clear(p)
		s.pages[p] = nil
		s.pages = s.pages[:p]
	}
}

// An Era is a mark that versions of a rule set hold, so that the garbage
// collector tells when the last of them is unreachable.
type Era struct{ end *end }

// An end is what outlives an Era: the numbers that were freed in it. It must
// not lead back to the Era.
type end struct {
	retired []uint32
	over    bool // no version holds the era any more
}

// eraLen is how many numbers are freed in an era before the next begins. Each
// era costs about a microsecond and one cleanup, each number that waits costs
// its share of a page: 256 makes both negligible.
const eraLen = 256

// Era returns the present era. The writer calls it for every version that it
// publishes, before publishing and after freeing the numbers of the rules that
// the version no longer has, and stores the result in the version. A number
// freed now is given out again when all versions of this era and of those
// before it are unreachable. So
//
//   - every published version must hold its Era, from the first on, in a place
//     that no other version shares;
//   - a reader must keep the version alive until it has counted
//     (runtime.KeepAlive after Count).
//
// A set whose Era is never called never gives a number twice.
func (s *Set) Era() *Era {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.era != nil && len(s.era.end.retired) < eraLen {
		return s.era
	}
	if s.era != nil {
		s.old = append(s.old, s.era.end)
	}
	e := &Era{end: new(end)}
	s.era = e
	// The cleanup must not hold the set, which holds the era.
	type ending struct {
		set weak.Pointer[Set]
		end *end
	}
	runtime.AddCleanup(e, func(x ending) {
		if s := x.set.Value(); s != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			x.end.over = true
			s.recycle()
		}
	}, ending{weak.Make(s), e.end})
	return e
}

// recycle frees the numbers of the eras that are over, as long as none before
// them goes on: a number freed in an era may be in versions of any era before.
func (s *Set) recycle() {
	for len(s.old) > 0 && s.old[0].over {
		for _, n := range s.old[0].retired {
			p, i := split(n)
			info := s.pages[p]
			info.free.set(i)
			info.nfree++
			if info.base != nil {
				s.partial.set(p)
			} else {
				s.vacant.set(p)
			}
		}
		s.old[0] = nil
		s.old = s.old[1:]
	}
	s.trim()
}

// A pageBitset has one bit for each number of a page.
type pageBitset [pageLen / 64]uint64

func (b *pageBitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b *pageBitset) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *pageBitset) clear(i int)    { b[i/64] &^= 1 << (i % 64) }

// first returns the lowest bit; the caller knows that there is one.
func (b *pageBitset) first() int {
	i := 0
	for b[i] == 0 {
		i++
	}
	return i*64 + bits.TrailingZeros64(b[i])
}

// A bitset is a set of small integers.
type bitset []uint64

func (b *bitset) set(i int) {
	for len(*b) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitset) clear(i int) {
	if i/64 < len(b) {
		b[i/64] &^= 1 << (i % 64)
	}
}

// first returns the least member, or -1. A million numbers are 2048 pages, so
// it looks at 32 words at most.
func (b bitset) first() int {
	for i, w := range b {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}
