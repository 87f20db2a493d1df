package xt

// The memory of rules: token buckets, lists of addresses, counters. It belongs
// to the caller, not to the rules, so that many copies of one rule set may run
// beside one another, and a run can be repeated exactly.

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
)

// HZ is how many times a second the kernel's clock ticks; stateful matches
// count time in these ticks (jiffies). 250 is the usual value of Linux on
// servers; limits compute their credits with it.
const HZ = 250

// State is what rules remember from packet to packet. The zero State is ready
// to use, with the system's clock and random numbers. It may be shared by any
// number of goroutines: each test that has a memory takes its lock.
//
// Its memory is bounded: by the number of rules for limit, quota and
// statistic, by RecentAddresses for each list of recent, by htable-max for
// each table of hashlimit, by MaxConnections for connlimit. Each says what
// happens at its bound; it is what the kernel does.
//
// Memory is kept for a rule as long as the State is; a State that outlives
// many rule sets is told so by ForgetRules or ForgetOthers.
type State struct {
	// Now is the clock; nil is time.Now. A clock that goes back stands still for
	// what counts time. Now and Random are called with the State's lock held:
	// they need no lock of their own, and must not call the State's methods.
	Now func() time.Time
	// Random returns 32 random bits; nil is math/rand.
	Random func() uint32
	// MinutesWest is the kernel's time zone (settimeofday(2)), which
	// "time --kerneltz" goes by: minutes west of UTC.
	MinutesWest int
	// RecentAddresses is how many addresses each list of recent holds (the
	// module's parameter ip_list_tot); 0 is 100.
	RecentAddresses int

	mu       sync.Mutex
	ticks    int64                 // the latest jiffies seen
	tests    map[rules.Test]any    // memory of single rules
	named    map[string]any        // memory shared by name: "recent DEFAULT"
	sets     map[string]*ipset.Set // live copies by name
	from     *ipset.Sets           // what they are made of before what rules name; nil: nothing
	counted  map[uint64][]place    // connections that connlimit counts, by Conn.ID
	total    int                   // their number
	accounts map[string]*account
	prints   *Fingerprints
}

// now returns the time. The lock must be held.
func (s *State) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// jiffies returns the time in ticks of 1/HZ second. The lock must be held.
func (s *State) jiffies() int64 {
	t := s.now()
	if j := t.Unix()*HZ + int64(t.Nanosecond())/(int64(time.Second)/HZ); j > s.ticks {
		s.ticks = j
	}
	return s.ticks
}

// random returns 32 random bits. The lock must be held.
func (s *State) random() uint32 {
	if s.Random != nil {
		return s.Random()
	}
	return rand.Uint32()
}

// Reset forgets everything that packets left in the State: the memory of rules
// and of names, the counted connections. Clock, accounts (with their counters)
// and fingerprints stay, and what UseSets said.
func (s *State) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tests, s.named, s.sets, s.counted, s.total = nil, nil, nil, nil, 0
}

// ForgetRules forgets the memory of single rules, as the kernel does when
// their table is replaced. What has a name (recent, hashlimit, rateest, nfacct,
// sets) stays.
func (s *State) ForgetRules() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tests, s.counted, s.total = nil, nil, 0
}

// needsState is what a test with a memory says that is given none.
const needsState = "the memory of earlier packets"

// needsLength is what a test says that needs the length of a packet without.
const needsLength = "the packet's length"

// remembered returns the Traversal and its State, locked; the text says what is
// missing, and then nothing is locked.
func remembered(sub rules.Subject) (*Traversal, *State, string) {
	t := of(sub)
	if t == nil {
		return nil, nil, needsPacket
	}
	if t.State == nil {
		return nil, nil, needsState
	}
	t.State.mu.Lock()
	return t, t.State, ""
}

// own returns the memory of a test, made by fresh on first use. The lock must
// be held.
func own[T any](s *State, t rules.Test, fresh func() *T) *T {
	if m, ok := s.tests[t].(*T); ok {
		return m
	}
	if s.tests == nil {
		s.tests = map[rules.Test]any{}
	}
	m := fresh()
	s.tests[t] = m
	return m
}

// shared returns the memory of a name, made by fresh on first use. The lock
// must be held.
func shared[T any](s *State, name string, fresh func() *T) *T {
	if m, ok := s.named[name].(*T); ok {
		return m
	}
	if s.named == nil {
		s.named = map[string]any{}
	}
	m := fresh()
	s.named[name] = m
	return m
}
