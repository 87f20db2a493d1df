package drive

// Workers that run exercises, each its share of the time, until the time is over.

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// shrinking is the time that a difference is shrunken for at most.
	shrinking = 20 * time.Second
	// lateShrinking is how long that goes on after the end, and grace how long
	// cases that are under way then are waited for.
	lateShrinking = 1500 * time.Millisecond
	grace         = 3 * time.Second
	// stuck is the time after which a case that has not ended is one that does not.
	stuck = 45 * time.Second
	// kept is the number of differences that are shrunken and told; more are
	// counted.
	kept = 8
)

// Options are those of a run.
type Options struct {
	Exercises []*Exercise
	Time      time.Duration
	Seed      uint64
	Workers   int  // 1 or more
	First     bool // the first difference ends the run
	Wrong     Wrong
	// Found is called with each difference that is kept, one at a time; nil: not.
	Found func(*Difference)
	// Progress is called so often with what was done; nil: not.
	Progress func(*Report)
	Every    time.Duration
}

// Difference is a case of a run that differed.
type Difference struct {
	Exercise string
	Seed     uint64 // of the run
	Number   int64  // of the case
	Err      error
	Case     Case   // shrunken; nil: it is known by seed and number alone
	Was      string // its size before
}

// driver is a run.
type driver struct {
	o     Options
	start time.Time
	stop  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	report  Report
	reached map[string]bool
	begun   int64     // cases
	next    []int64   // number of the next case, by exercise
	spent   []float64 // seconds, those under way included, by weight
	running map[*running]bool
	seen    map[string]bool // differences that are of one kind
	found   sync.Mutex      // one Found at a time
}

type running struct {
	exercise int
	number   int64
	since    time.Time
}

// Run runs the exercises for so long, or until the context ends, and some seconds
// more for what is under way; what has not ended then is left behind.
func Run(ctx context.Context, o Options) *Report {
	d := &driver{o: o, start: time.Now(), reached: map[string]bool{}, next: make([]int64, len(o.Exercises)),
		spent: make([]float64, len(o.Exercises)), running: map[*running]bool{}, seen: map[string]bool{}}
	for _, e := range o.Exercises {
		d.report.By = append(d.report.By, ExerciseReport{Name: e.Name, Group: e.Group})
	}
	timed, stop := context.WithTimeout(ctx, o.Time)
	defer stop()
	d.stop = stop
	var workers sync.WaitGroup
	for range max(o.Workers, 1) {
		workers.Go(func() {
			for timed.Err() == nil && len(o.Exercises) > 0 {
				d.one(timed)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		workers.Wait()
		close(done)
	}()
	d.wait(timed, done)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.report.Interrupted = ctx.Err() != nil
	return d.summary()
}

// wait waits for the workers, at most grace longer than the context, and shows
// how far they are.
func (d *driver) wait(ctx context.Context, done <-chan struct{}) {
	every := d.o.Every
	if d.o.Progress == nil || every <= 0 {
		every = time.Hour
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	over := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case <-done:
			return
		case <-late:
			return
		case <-over:
			over = nil
			late = time.After(grace)
		case <-tick.C:
			if d.o.Progress != nil {
				d.mu.Lock()
				r := d.summary()
				d.mu.Unlock()
				d.o.Progress(r)
			}
		}
	}
}

// summary returns a copy of the report as it is. The lock is held.
func (d *driver) summary() *Report {
	r := d.report
	r.By = slices.Clone(r.By)
	r.Elapsed = time.Since(d.start)
	for c := range d.running {
		if t := time.Since(c.since); t > stuck {
			r.Stuck = append(r.Stuck, fmt.Sprintf("%s, case %d: not ended after %s", d.o.Exercises[c.exercise].Name, c.number, t.Round(time.Second)))
		}
	}
	slices.Sort(r.Stuck)
	for _, p := range Points(d.o.Exercises) {
		r.Points++
		if d.reached[p] {
			r.Reached++
		} else {
			r.Missing = append(r.Missing, p)
		}
	}
	return &r
}

// beginning is what a case counts for while it is under way, in seconds: so that not
// all workers begin the same.
const beginning = 0.02

// choose returns the exercise that had the least of its share, and begins a case. In
// the second half of the time, every second case is of one that has not reached all
// that it is to reach, if there are such.
func (d *driver) choose() *running {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun++
	at := -1
	if d.begun%2 == 0 && time.Since(d.start) > d.o.Time/2 {
		at = d.least(func(i int) bool {
			e := d.o.Exercises[i]
			return !d.reached[e.Name] || slices.ContainsFunc(e.Points, func(p string) bool { return !d.reached[p] })
		})
	}
	if at < 0 {
		at = d.least(func(int) bool { return true })
	}
	r := &running{at, d.next[at], time.Now()}
	d.next[at]++
	d.spent[at] += beginning / d.weight(at)
	d.running[r] = true
	return r
}

// least returns the exercise that had the least of its share of some; -1 without any.
func (d *driver) least(some func(i int) bool) int {
	at := -1
	for i := range d.spent {
		if (at < 0 || d.spent[i] < d.spent[at]) && some(i) {
			at = i
		}
	}
	return at
}

func (d *driver) weight(i int) float64 {
	if w := d.o.Exercises[i].Weight; w > 0 {
		return w
	}
	return 1
}

// one runs a case.
func (d *driver) one(ctx context.Context) {
	r := d.choose()
	e := d.o.Exercises[r.exercise]
	t := NewTrial(e.Name, d.o.Seed, r.number, d.o.Wrong)
	err := guarded(func() error { return e.Run(ctx, t) })
	took := time.Since(r.since)
	cut := err != nil && ended(err)
	d.mu.Lock()
	delete(d.running, r)
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.spent[r.exercise] += (max(took.Seconds(), beginning/4) - beginning) / d.weight(r.exercise)
	by := &d.report.By[r.exercise]
	by.Time += took
	if !cut {
		t.Counts.Cases = 1
		if err == nil {
			t.reached[e.Name] = true
		}
	}
	by.Counts.Add(t.Counts)
	d.report.Total.Add(t.Counts)
	for p := range t.reached {
		d.reached[p] = true
	}
	d.mu.Unlock()
	if err != nil && !cut {
		d.differs(ctx, e, r, err)
	}
}

// guarded makes a panic an error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// differs counts a difference, and shrinks it when it is one of a new kind.
func (d *driver) differs(ctx context.Context, e *Exercise, r *running, err error) {
	diff := &Difference{Exercise: e.Name, Seed: d.o.Seed, Number: r.number, Err: err}
	kind := e.Group
	if f, ok := err.(*Failure); ok {
		diff.Case = f.Case
		if k, ok := f.Case.(interface{ Kind() string }); ok {
			kind = k.Kind()
		}
	}
	d.mu.Lock()
	d.report.Differences++
	d.report.By[r.exercise].Differences++
	known := d.seen[kind] || len(d.seen) >= kept
	d.seen[kind] = true
	if known {
		d.report.Untold++
	}
	d.mu.Unlock()
	if known || d.o.Found == nil {
		return
	}
	d.found.Lock()
	defer d.found.Unlock()
	if diff.Case != nil {
		short, stop := context.WithTimeout(context.Background(), shrinking)
		defer stop()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(lateShrinking, stop) })()
		diff.Was = diff.Case.Size()
		shrunken := guarded(func() error {
			diff.Case = diff.Case.Shrink(short)
			return nil
		})
		if again := guarded(diff.Case.Check); shrunken == nil && again != nil {
			diff.Err = again
		}
	}
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if !closed {
		d.o.Found(diff)
	}
	if d.o.First {
		d.stop()
	}
}
