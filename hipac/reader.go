package hipac

// Counting readers: packets and bytes by rule, without contention between cores.

import (
	"fmt"
	"runtime"
	"time"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Counts is what a rule was hit by.
type Counts struct {
	Packets, Bytes uint64    // modulo 2^64
	Last           time.Time // of the last hit, to about 10 ms; zero for never
}

// Reader looks packets up for one goroutine and counts them. Each has counters of
// its own, so that counting costs some nanoseconds whatever other cores do;
// reading adds them up. Close it when it is not used any more.
type Reader[T any] struct {
	live  *Live[T]
	shard *counters.Shard
}

// Reader returns a new reader. Without LiveOptions.Counters it counts nothing.
// It takes the time of going through all rules' counters once.
func (v *Live[T]) Reader() *Reader[T] {
	r := &Reader[T]{live: v}
	if c := v.list.counters; c != nil {
		r.shard = c.Shard()
	}
	return r
}

// Close adds the reader's counts to those of the list; it must not look up any
// more. A reader that is forgotten is closed when the garbage collector finds it.
func (r *Reader[T]) Close() {
	if r.shard != nil {
		r.shard.Close()
		r.shard = nil
	}
}

// Lookup is Live.Lookup for a packet of so many bytes, which it counts for every
// rule executed: the rules that continue up to the first terminal match, and that
// one. It allocates when more than 64 rules that continue match.
func (r *Reader[T]) Lookup(k rules.Key, bytes int) (Match[T], bool) {
	s := r.live.current.Load()
	if len(k) != s.words {
		return Match[T]{}, false
	}
	if r.shard == nil {
		return s.Lookup(k)
	}
	if s.continues() {
		return r.executed(s, k, bytes)
	}
	key := s.firstKey(k)
	if key == tree.NoMatch {
		return Match[T]{}, false
	}
	r.shard.Count(s.counter(key), uint64(max(bytes, 0)))
	runtime.KeepAlive(s) // its counters are its rules' until here
	return s.match(key), true
}

// continues reports whether some rules may continue.
func (s *sequence[T]) continues() bool { return s.roots.pass != roots{} || s.short }

// executed is Lookup where rules continue.
func (r *Reader[T]) executed(s *Snapshot[T], k rules.Key, bytes int) (m Match[T], ok bool) {
	defer runtime.KeepAlive(s)
	n := uint64(max(bytes, 0))
	if s.short {
		for _, x := range s.few {
			if x.rule.Matches(s.schema, k) {
				r.shard.Count(x.counter, n)
				if !x.rule.Continue {
					return x.match(), true
				}
			}
		}
		return m, false
	}
	last := s.firstKey(k)
	var buf [64]uint32
	for _, key := range s.found(k, buf[:0], true, false) {
		if key > last {
			break
		}
		r.shard.Count(s.counter(key), n)
	}
	if last == tree.NoMatch {
		return m, false
	}
	r.shard.Count(s.counter(last), n)
	return s.match(last), true
}

// Counters returns the counts of a rule: exact when no reader is counting, and
// never less than what was returned before, resets aside. It waits for the
// transaction under way, if any. The error is ErrNoRule. Without
// LiveOptions.Counters all counts are 0.
func (v *Live[T]) Counters(id rules.ID) (Counts, error) {
	return v.counter(id, func(c *counters.Set, n uint32) Counts { return Counts(c.Read(n)) })
}

// ResetCounters sets the counts of a rule to 0 and returns what they were.
// Errors and waiting are those of Counters.
func (v *Live[T]) ResetCounters(id rules.ID) (Counts, error) {
	return v.counter(id, func(c *counters.Set, n uint32) Counts { return Counts(c.Reset(n)) })
}

// AddCounters adds counts to those of a rule: such as a file had. Errors and
// waiting are those of Counters.
func (v *Live[T]) AddCounters(id rules.ID, x Counts) error {
	_, err := v.counter(id, func(c *counters.Set, n uint32) Counts {
		c.Add(n, counters.Counts(x))
		return x
	})
	return err
}

// ResetAllCounters sets all counts to 0.
func (v *Live[T]) ResetAllCounters() {
	if c := v.list.counters; c != nil {
		c.ResetAll()
	}
}

func (v *Live[T]) counter(id rules.ID, do func(*counters.Set, uint32) Counts) (Counts, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	label, ok := v.list.ids.get(id)
	if !ok {
		return Counts{}, fmt.Errorf("%w: %d", ErrNoRule, id)
	}
	if v.list.counters == nil {
		return Counts{}, nil
	}
	return do(v.list.counters, v.list.order.Get(label).counter), nil
}

// EachCounter calls do with every rule of the newest version in order and its
// counts, until it returns false.
func (v *Live[T]) EachCounter(do func(r *rules.Rule[T], c Counts) bool) {
	s := v.Snapshot()
	for _, m := range s.order.All() {
		var c Counts
		if v.list.counters != nil {
			c = Counts(v.list.counters.Read(m.counter))
		}
		if !do(m.rule, c) {
			break
		}
	}
	runtime.KeepAlive(s)
}
