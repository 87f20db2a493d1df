package counters

import (
	"math"
	"sync/atomic"
	"time"
)

// The coarse clock: a word with the time, refreshed now and then, because
// asking the system for the time costs tens of nanoseconds.

// DefaultTick is how often the coarse clock is refreshed when nothing else is
// asked for. At 10 ms its goroutine takes about a hundred wake-ups a second,
// which do not show in any measurement, and last hits are exact enough for a
// person or a timeout.
const DefaultTick = 10 * time.Millisecond

// clock holds wall-clock nanoseconds since 1970 in a cache line of its own,
// which all readers load and which changes once a tick. It never goes back:
// when the wall clock is set back, it stands still until that has caught up.
type clock struct {
	_   [64]byte
	now atomic.Uint64
	_   [64]byte

	read func() time.Time
	tick time.Duration
	stop chan struct{} // of the running goroutine; nil when none runs
}

// refresh sets the clock to the present. Any goroutine may call it.
func (c *clock) refresh() {
	t := nanoseconds(c.read())
	for {
		old := c.now.Load()
		if t <= old || c.now.CompareAndSwap(old, t) {
			return
		}
	}
}

// start refreshes the clock and keeps it fresh until halt. The caller
// serializes start and halt.
func (c *clock) start() {
	c.refresh()
	if c.tick < 0 || c.stop != nil {
		return
	}
	stop := make(chan struct{})
	c.stop = stop
	go func() {
		t := time.NewTicker(c.tick)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				c.refresh()
			case <-stop:
				return
			}
		}
	}()
}

// halt ends the goroutine of start.
func (c *clock) halt() {
	if c.stop != nil {
		close(c.stop)
		c.stop = nil
	}
}

// nanoseconds turns a time into the form in which entries hold it: 0 for the
// zero time and all times up to 1970, the largest int64 for all times from
// 2262 on.
func nanoseconds(t time.Time) uint64 {
	switch sec := t.Unix(); {
	case sec < 0:
		return 0
	case sec >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return uint64(t.UnixNano())
}

// instant is the inverse of nanoseconds.
func instant(ns uint64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns))
}
