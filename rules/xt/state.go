package xt

// The memory of rules: token buckets, lists of addresses, counters. It belongs
// to the caller, not to the rules, so that many copies of one rule set may run
// beside one another, and a run can be repeated exactly.

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// State is what rules remember from packet to packet. The zero State is ready
// to use, with the system's clock and random numbers. It may be shared by any
// number of goroutines: each test that has a memory takes its lock.
type State struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Random returns 32 random bits; nil is math/rand.
	Random func() uint32

	mu    sync.Mutex
	tests map[rules.Test]any // memory of single rules
	named map[string]any     // memory shared by name: "recent DEFAULT"
}

// now returns the time.
func (s *State) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// random returns 32 random bits.
func (s *State) random() uint32 {
	if s.Random != nil {
		return s.Random()
	}
	return rand.Uint32()
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
