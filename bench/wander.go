package main

// Many random edits, and what they leave: lookups and memory beside those of the
// same rules built anew.

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// drift is a live list after random edits, beside others of the same rules.
type drift struct {
	editTimes
	of                      int // edits that were to be
	inserts, deletes, moves int
	rules                   int // in the end
	live, fresh, build      costs
	settled                 bool // work in the background had ended
	interrupted             bool // there are no costs
	checked, wrong          int  // packets compared with the reference walk
	placed, misplaced       int  // rules looked at where they were put
}

// costs are those of a structure.
type costs struct {
	ns    float64 // a lookup
	bytes int64
}

// placedShare is the share of inserts and moves after which the place is looked
// at: one in so many.
const placedShare = 16

// letGo is how long the memory of the edited list is waited for at most.
const letGo = 5 * time.Second

// wanderer makes random edits.
type wanderer[T comparable] struct {
	live *hipac.Live[T]
	r    *rand.Rand
	out  []rules.Rule[T] // rules that are not in the list
}

// wander makes random edits of the rules of a toggler and compares what comes of
// them.
func wander[T comparable](x *toggler[T], a *app, b budget, t *trace, idle int, progress func(int)) (d drift, err error) {
	w := &wanderer[T]{live: x.live, r: x.r}
	x.live = nil // so that its memory can go
	for j, in := range x.in {
		if !in {
			w.out = append(w.out, *x.list.At(int(x.held[j])))
		}
	}
	want := x.list.Len()
	d.of = a.effort.edits
	d.took, d.cpu = make([]time.Duration, 0, d.of), make([]time.Duration, 0, d.of)
	runtime.LockOSThread() // for its CPU time
	for i := range d.of {
		if i%256 == 255 {
			if progress(i); b.over(untilDrift) {
				break
			}
		}
		if err = w.step(&d, t.key(i%t.n)); err != nil {
			break
		}
	}
	runtime.UnlockOSThread()
	if d.interrupted = b.interrupted(); err != nil || d.interrupted {
		return d, err
	}
	d.settled = settle(w.live, idle, a.effort.quiet, b, untilSettled)

	before := heap()
	l := w.live.Snapshot().List()
	listed := max(0, heap()-before)
	d.rules = l.Len()
	if d.rules != want-len(w.out) {
		d.misplaced++
	}
	w.check(&d, a, b, l, t)

	before = heap()
	fresh, err := hipac.NewLive(b.ctx, l, nil)
	if d.interrupted = b.interrupted(); err != nil || d.interrupted {
		return d, err
	}
	middle := heap()
	built, err := buildPath(b.ctx, l, pathTree)
	if err != nil {
		d.interrupted = b.interrupted()
		return d, err
	}
	// The edited list has most of its rules for itself: so have the others.
	// What goes elsewhere meanwhile, as of the edited list at rest, is not theirs.
	d.fresh.bytes, d.build.bytes = listed+max(0, middle-before), listed+max(0, heap()-middle)
	times := []*timed{
		{group: "live", run: func(from, to int) { use(lookEach(w.live, t.keys(from, to))) }},
		{group: "fresh", run: func(from, to int) { use(lookEach(fresh, t.keys(from, to))) }},
		{group: "build", run: func(from, to int) { use(built.single(t.keys(from, to))) }},
	}
	e := a.effort.within(time.Since(b.began), 1)
	if b.over(untilDrift) {
		e.warm /= 5
	}
	measure(b.ctx, times, t.n, e, func(int) {})
	if d.interrupted = len(times[2].ns) < leastPasses; d.interrupted {
		return d, nil
	}
	d.live.ns, d.fresh.ns, d.build.ns = times[0].median(), times[1].median(), times[2].median()
	with := heap()
	gone := make(chan struct{})
	runtime.AddCleanup(w.live, func(gone chan struct{}) { close(gone) }, gone)
	w.live = nil
	if !freed(gone) {
		return d, errors.New("the memory of the list was not freed")
	}
	d.live.bytes = max(0, with-heap()) // of a few rules it is less than the noise
	runtime.KeepAlive(times)
	runtime.KeepAlive(l)
	return d, nil
}

// freed waits until something has been collected, for work in the background may
// hold it for a while.
func freed(gone chan struct{}) bool {
	for end := time.Now().Add(letGo); time.Now().Before(end); {
		runtime.GC()
		select {
		case <-gone:
			return true
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}

// step makes a random edit. A lookup of the packet ends its time.
func (w *wanderer[T]) step(d *drift, key rules.Key) error {
	s := w.live.Snapshot()
	n := s.Len()
	kind := w.r.IntN(3)
	switch {
	case n == 0:
		kind = 0
	case kind == 0 && len(w.out) == 0:
		kind = 1
	}
	var from, to, out int
	var rule rules.Rule[T]
	switch kind {
	case 0:
		d.inserts++
		out, to = w.r.IntN(len(w.out)), w.r.IntN(n+1)
		rule = w.out[out]
		w.out[out] = w.out[len(w.out)-1]
		w.out = w.out[:len(w.out)-1]
	case 1:
		d.deletes++
		from = w.r.IntN(n)
		rule = *s.At(from)
		w.out = append(w.out, rule)
	default:
		d.moves++
		from, to = w.r.IntN(n), w.r.IntN(n)
		rule = *s.At(from)
	}
	used := compare.ThreadTime()
	start := time.Now()
	err := w.edit(kind, to, &rule)
	w.live.Lookup(key)
	d.took = append(d.took, time.Since(start))
	d.cpu = append(d.cpu, compare.ThreadTime()-used)
	if kind != 1 && len(d.took)%placedShare == 0 && err == nil {
		d.placed++
		if w.live.Snapshot().At(to).ID != rule.ID {
			d.misplaced++
		}
	}
	return err
}

func (w *wanderer[T]) edit(kind, to int, rule *rules.Rule[T]) (err error) {
	tx := w.live.Begin()
	defer tx.Rollback()
	switch kind {
	case 0:
		_, err = tx.InsertAt(to, *rule)
	case 1:
		err = tx.Delete(rule.ID)
	default:
		err = tx.MoveTo(rule.ID, to)
	}
	if err != nil {
		return err
	}
	return tx.Commit(context.Background())
}

// check compares lookups with the reference walk of the rules that are left.
func (w *wanderer[T]) check(d *drift, a *app, b budget, l *rules.List[T], t *trace) {
	got := make([]int32, min(checkedPackets, t.n))
	for i := range got {
		got[i] = none
		if m, ok := w.live.Lookup(t.key(i)); ok {
			got[i] = int32(l.Position(m.ID))
		}
	}
	if a.tamper != nil {
		a.tamper("random", got)
	}
	var wrong atomic.Int64
	d.checked = eachUntil(len(got), b, untilSettled, func(i int) {
		want := int32(none)
		if p, ok := l.First(t.key(i)); ok {
			want = int32(p)
		}
		if want != got[i] {
			wrong.Add(1)
		}
	})
	d.wrong = int(wrong.Load())
}

// lookEach looks up keys one after the other, each in the newest version.
func lookEach[T comparable](live *hipac.Live[T], keys []uint32) (sum uint64) {
	var values kept[T]
	w := live.Schema().KeyLen()
	for at := 0; at+w <= len(keys); at += w {
		if m, ok := live.Lookup(keys[at : at+w : at+w]); ok {
			sum += uint64(m.ID)
			values[at%len(values)] = m.Value
		}
	}
	values.look()
	return sum
}
