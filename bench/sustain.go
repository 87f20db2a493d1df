package main

// Lookups beside edits: how much slower they are, and how fast edits go.

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/hipac"
)

const (
	// pace is the rate of edits at which the slowdown of lookups is measured.
	pace = 50_000
	// nap is how long a paced writer sleeps when it is ahead.
	nap = 100 * time.Microsecond
)

// sustained is what lookups and edits did beside one another.
type sustained struct {
	alone, paced, flat rate // without edits, with edits at a pace, as fast as they go
	checked, wrong     int  // packets compared with the reference walk in the end
	cores              int
	rounds             int // that are whole
}

// rate is how much was done in a time.
type rate struct {
	lookups, edits int
	reading, cpu   time.Duration // wall-clock and CPU time of the reader
	editing        time.Duration // wall-clock time of the writer
}

func (r *rate) lookupsPerSecond() float64 { return perSecond(r.lookups, r.reading) }
func (r *rate) editsPerSecond() float64   { return perSecond(r.edits, r.editing) }

// nanosecondsOfCPU returns the CPU time of a lookup.
func (r *rate) nanosecondsOfCPU() float64 {
	return float64(r.cpu.Nanoseconds()) / float64(max(1, r.lookups))
}

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// readUntil looks up packets until it is told to stop. It begins at a packet, and
// returns the one to go on with.
func readUntil[T comparable](live *hipac.Live[T], t *trace, at int, stop *atomic.Bool, r *rate) int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var values kept[T]
	sum := uint64(0)
	start, cpu := time.Now(), compare.ThreadTime()
	n := 0
	for !stop.Load() {
		for range batchSize {
			if m, ok := live.Lookup(t.key(at)); ok {
				sum += uint64(m.ID)
				values[at%len(values)] = m.Value
			}
			if at++; at == t.n {
				at = 0
			}
		}
		n += batchSize
	}
	r.lookups += n
	r.reading += time.Since(start)
	r.cpu += compare.ThreadTime() - cpu
	values.look()
	use(sum)
	return at
}

// sustain looks up packets in a goroutine of its own, in rounds without edits,
// with edits at a pace and with edits as fast as they go.
func sustain[T comparable](x *toggler[T], a *app, b budget, t *trace, idle int, progress func(int)) (s sustained, err error) {
	s.cores = runtime.GOMAXPROCS(0)
	round := a.effort.round
	if b.whole > 0 {
		round = max(round/10, min(round, b.left(untilSustained)/(3*passes)))
	}
	at := 0
	beside := func(r *rate, write func() error) {
		if err != nil || b.interrupted() {
			return
		}
		var stop atomic.Bool
		done := make(chan int)
		go func() { done <- readUntil(x.live, t, at, &stop, r) }()
		start := time.Now()
		err = write()
		r.editing += time.Since(start)
		stop.Store(true)
		at = <-done
	}
	alone := func() error { time.Sleep(round); return nil }
	beside(new(rate), alone) // warms up
	for p := range passes {
		settle(x.live, idle, 0, b, 0)
		beside(&s.alone, alone)
		beside(&s.paced, func() error { return x.paced(round, &s.paced) })
		beside(&s.flat, func() error { return x.flatOut(round, &s.flat) })
		if b.interrupted() {
			break
		}
		s.rounds++
		progress(p + 1)
	}
	if err != nil {
		return s, err
	}
	if s.rounds > 0 {
		s.checked, s.wrong = x.check(a, b, untilSustained, t)
	}
	return s, nil
}

// flatOut edits for so long.
func (x *toggler[T]) flatOut(most time.Duration, r *rate) error {
	for start := time.Now(); time.Since(start) < most; r.edits++ {
		if err := x.toggle(); err != nil {
			return err
		}
	}
	return nil
}

// paced edits for so long, at the pace or as fast as it goes, with naps.
func (x *toggler[T]) paced(most time.Duration, r *rate) error {
	start := time.Now()
	for n := 0; ; {
		spent := time.Since(start)
		if spent >= most {
			r.edits += n
			return nil
		}
		if n >= int(spent.Seconds()*pace) {
			time.Sleep(nap)
			continue
		}
		if err := x.toggle(); err != nil {
			return err
		}
		n++
	}
}

// checkedPackets is the number of packets that are compared with the reference walk
// after edits.
const checkedPackets = 2000

// check compares lookups with the reference walk of the rules that are in.
func (x *toggler[T]) check(a *app, b budget, share float64, t *trace) (checked, wrong int) {
	got := make([]int32, min(checkedPackets, t.n))
	for i := range got {
		got[i] = x.position(x.live.Lookup(t.key(i)))
	}
	if a.tamper != nil {
		a.tamper("sustained", got)
	}
	in := func(number int32) bool { return x.in[number] }
	var bad atomic.Int64
	checked = eachUntil(len(got), b, share, func(i int) {
		if x.walk(t.key(i), in) != got[i] {
			bad.Add(1)
		}
	})
	return checked, int(bad.Load())
}
