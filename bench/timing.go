package main

// Timing: nine passes over the packets, all paths in turn in each of them.

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
)

// passes is the number of times that everything is timed; results are medians.
const passes = 9

// effort says how long measuring may take.
type effort struct {
	// most is the time of one run, about: paths that are slow take part of the
	// packets, another part in each pass. With 27 runs per path, 100 ms keep the
	// slow ones under three seconds.
	most time.Duration
	// whole is the time by which all should be done, about; see within.
	whole time.Duration
	// least is the time of a run, about: few packets are run over several times.
	least time.Duration
	// warm is the time for which a path runs untimed before its first run in a
	// pass, when it is quick. With 30 ms and more, a tree of 6 MB took the same
	// time beside other paths as alone; with a single untimed pass, 5 ms, half as
	// long again.
	warm time.Duration
	// packets is the number of packets that are made where no file is given.
	packets int
	// build is the time after which a build is not repeated.
	build time.Duration
	// edits is the number of edits in a row; a twentieth of it of each kind are
	// timed one by one.
	edits int
	// round is the time of a round of lookups beside edits.
	round time.Duration
	// quiet is how long nothing must happen in the background of a live list for
	// it to have settled. Lists wait for 250 ms without edits, which may take
	// them 500 ms, before they improve what edits have left.
	quiet time.Duration
}

var defaultEffort = effort{
	most: 100 * time.Millisecond, whole: 20 * time.Second, least: 20 * time.Millisecond, warm: 50 * time.Millisecond,
	packets: 100_000, build: time.Second, edits: 100_000, round: 130 * time.Millisecond, quiet: 700 * time.Millisecond,
}

// quick returns an effort for a run over many things in about a minute.
func (e effort) quick() effort {
	e.most, e.whole, e.least, e.warm = min(e.most, 5*time.Millisecond), min(e.whole, 3*time.Second), min(e.least, 2*time.Millisecond), min(e.warm, 5*time.Millisecond)
	e.packets, e.build, e.edits, e.round = min(e.packets, 10_000), min(e.build, 100*time.Millisecond), min(e.edits, 5000), min(e.round, 10*time.Millisecond)
	return e
}

// within returns the effort with shorter runs where, for so many paths that are
// all slow, there is less time left; a tenth is kept in any case.
func (e effort) within(spent time.Duration, paths int) effort {
	const runs = 3*passes + 6 // for each path, those to warm up and to calibrate counted
	e.most = max(e.most/10, min(e.most, (e.whole-spent)/time.Duration(runs*max(1, paths))))
	return e
}

// timed is work over the packets of a trace that is timed.
type timed struct {
	// group is the path: all things timed of it take the same packets.
	group string
	// run works on the packets from up to to.
	run func(from, to int)
	// ask is there instead of run for what runs elsewhere: it has the packets from
	// up to to worked on so many times, and tells how long that took.
	ask func(from, to, repeat int) (time.Duration, error)
	err error // the first one of ask, after which nothing is timed
	// garbage says that it allocates, so that there is rubbish to collect before
	// the next one is timed.
	garbage bool

	first   bool      // of its group
	packets int       // in a run
	repeat  int       // runs in a pass
	ns      []float64 // per packet, of each pass
}

// median returns the nanoseconds per packet.
func (t *timed) median() float64 { return median(t.ns) }

func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

// calibrate finds how many of n packets a run can take.
func (t *timed) calibrate(ctx context.Context, n int, e effort) {
	t.packets, t.repeat = min(8, n), 1
	for ctx.Err() == nil {
		took := max(1, t.time(0, t.packets, 1))
		switch {
		case t.err != nil:
			return
		case t.packets == n:
			if took > 2*e.most {
				t.packets = max(1, int(int64(n)*int64(e.most)/int64(took)))
			}
			t.repeat = max(1, int(e.least/took))
			return
		case took > e.most/4:
			t.packets = min(n, max(t.packets, int(int64(t.packets)*int64(e.most)/int64(took))))
			if t.packets > batchSize {
				t.packets -= t.packets % batchSize
			}
			return
		}
		t.packets = min(2*t.packets, n)
	}
}

// time returns the time of so many runs over the packets from up to to.
func (t *timed) time(from, to, repeat int) time.Duration {
	if t.ask != nil {
		if t.err != nil {
			return 0
		}
		var took time.Duration
		took, t.err = t.ask(from, to, repeat)
		return took
	}
	start := compare.ThreadTime()
	for range repeat {
		t.run(from, to)
	}
	return compare.ThreadTime() - start
}

// warm runs untimed in front of a run that begins at from. In front of the first
// run of a path others have had the caches, and to fill them takes more than one
// pass over the packets. Paths that do not get through all packets anyway do with
// an eighth of a run, of the packets in front.
func (t *timed) warm(from, n int, e effort) {
	var spent time.Duration
	for t.first && t.packets == n && t.err == nil {
		if spent += t.time(0, n, 1); spent >= e.warm {
			return
		}
	}
	eighth := t.packets / 8
	if from < eighth {
		from = n
	}
	t.time(from-eighth, from, 1)
}

// pass times pass number p over n packets.
func (t *timed) pass(p, n int, e effort) {
	from := (n - t.packets) * p / (passes - 1)
	t.warm(from, n, e)
	took := t.time(from, from+t.packets, t.repeat)
	if t.err != nil {
		return
	}
	t.ns = append(t.ns, float64(took.Nanoseconds())/float64(t.packets*t.repeat))
}

// leastPasses is the number of passes that is enough to tell where the time for
// all of them was not there.
const leastPasses = 3

// measure times the list over n packets. It calls progress with the number of
// passes done. When the context ends it does too, with the passes that it has.
func measure(ctx context.Context, list []*timed, n int, e effort, progress func(int)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What allocates comes last in a pass, and its rubbish goes before the next.
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *timed) int { return boolInt(a.garbage) - boolInt(b.garbage) })
	first := map[string]*timed{}
	for _, t := range list {
		if f := first[t.group]; f != nil {
			t.packets, t.repeat = f.packets, f.repeat
			continue
		}
		first[t.group] = t
		t.first = true
		t.calibrate(ctx, n, e)
	}
	for p := range passes {
		if p == 0 || list[len(list)-1].garbage {
			runtime.GC()
		}
		for _, t := range list {
			if ctx.Err() != nil {
				return
			}
			t.pass(p, n, e)
		}
		progress(p + 1)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// timeBuild runs build three times, or less often when it takes long, and
// returns the median of its CPU seconds: those of all threads, since a build may
// use several, and the garbage collector's with them. What the last one built
// stays with the caller.
func timeBuild(e effort, build func() error) (seconds float64, err error) {
	var took []float64
	began := time.Now()
	for len(took) < 3 && (len(took) == 0 || time.Since(began) < e.build) {
		runtime.GC()
		start := compare.ProcessTime()
		if err := build(); err != nil {
			return 0, err
		}
		took = append(took, (compare.ProcessTime() - start).Seconds())
	}
	return median(took), nil
}

// heapGrowth returns the bytes by which f lets the heap grow, rubbish not
// counted.
func heapGrowth(f func() error) (int64, error) {
	before := heap()
	if err := f(); err != nil {
		return 0, err
	}
	return max(0, heap()-before), nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools held went in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
