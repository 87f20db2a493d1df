package main

// Edits one by one: rules held out are put back at their places and deleted
// again, until a lookup returns the new answer.

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// walkedShare is the share of edits after which the answer is compared with that
// of the reference walk: one in so many.
const walkedShare = 4

// toggler puts rules held out into a live list, and takes them out again.
type toggler[T comparable] struct {
	*heldOut[T]
	live *hipac.Live[T]
	r    *rand.Rand

	in     []bool  // by number: the rule is in the list
	counts []int32 // of rules that are in, as a binary indexed tree
}

// set notes that a rule is in the list, or not.
func (x *toggler[T]) set(number int, in bool) {
	if x.counts == nil {
		x.counts = make([]int32, len(x.held)+1)
	}
	d := int32(1)
	if !in {
		d = -1
	}
	x.in[number] = in
	for i := number + 1; i < len(x.counts); i += i & -i {
		x.counts[i] += d
	}
}

// place returns the position in the list as it is that a rule which is out
// belongs to.
func (x *toggler[T]) place(number int) int {
	at := int(x.held[number]) - number
	for i := number; i > 0 && x.counts != nil; i -= i & -i {
		at += int(x.counts[i])
	}
	return at
}

// edit puts a rule in, or takes it out, in a transaction of its own.
func (x *toggler[T]) edit(number, place int) error {
	tx := x.live.Begin()
	defer tx.Rollback()
	rule := x.list.At(int(x.held[number]))
	if x.in[number] {
		if err := tx.Delete(rule.ID); err != nil {
			return err
		}
	} else if _, err := tx.InsertAt(place, *rule); err != nil {
		return err
	}
	return tx.Commit(context.Background())
}

// toggle is edit with its bookkeeping, for a rule at random.
func (x *toggler[T]) toggle() error {
	j := x.r.IntN(len(x.held))
	if err := x.edit(j, x.place(j)); err != nil {
		return err
	}
	x.set(j, !x.in[j])
	return nil
}

// timed edits, and returns how long it took until a lookup returned an answer, by
// the clock and in CPU time of the thread, and the answer.
func (x *toggler[T]) timed(number int) (took, cpu time.Duration, m hipac.Match[T], ok bool, err error) {
	place, key := x.place(number), x.witness[number].key
	used := compare.ThreadTime()
	start := time.Now()
	err = x.edit(number, place)
	m, ok = x.live.Lookup(key)
	took = time.Since(start)
	return took, compare.ThreadTime() - used, m, ok, err
}

// position returns the position of the rule that a lookup found, none for none,
// and -2 when identity or value are not those of the rule there.
func (h *heldOut[T]) position(m hipac.Match[T], ok bool) int32 {
	if !ok {
		return none
	}
	p := h.list.Position(m.ID)
	if p < 0 || h.list.At(p).Value != m.Value {
		return -2
	}
	return int32(p)
}

// walk returns the position of the first terminal rule that matches the packet,
// of base and of the rules held out that are in.
func (h *heldOut[T]) walk(k rules.Key, in func(number int32) bool) int32 {
	s := h.list.Schema()
	for p, rule := range h.list.All() {
		if !rule.Continue && rule.Matches(s, k) && (h.number[p] == none || in(h.number[p])) {
			return int32(p)
		}
	}
	return none
}

// editTimes are the times of edits of a kind.
type editTimes struct {
	took    []time.Duration
	cpu     []time.Duration // of the thread
	changed int             // so many changed the answer for their packet
	other   int             // after so many another rule decided instead
	walked  int             // so many were compared with the reference walk
	wrong   int
}

// quantile returns a quantile of times in microseconds, 0 for none. It sorts them.
func quantile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return micros(times[max(0, int(math.Ceil(q*float64(len(times))))-1)])
}

func micros(d time.Duration) float64 { return round(float64(d.Nanoseconds())/1e3, 3) }

// editsOfAKind returns the number of inserts, and of deletes, that are timed: a
// twentieth of the edits in a row, about, so that rounds of all rules held out are
// whole.
func editsOfAKind(held int, e effort) int {
	want := max(1, e.edits/20)
	rounds := max(1, (want+held/2)/held)
	return min(want, rounds*held)
}

// measure times inserts and deletes, in rounds of all rules held out.
func (x *toggler[T]) measure(a *app, b budget, progress func(int)) (inserts, deletes editTimes, err error) {
	runtime.LockOSThread() // for its CPU time
	defer runtime.UnlockOSThread()
	each := editsOfAKind(len(x.held), a.effort)
	for len(inserts.took) < each && err == nil {
		order := x.r.Perm(len(x.held))
		order = order[:min(len(order), each-len(inserts.took))]
		var n int
		if n, err = x.round(a, b, order, &inserts); err != nil {
			break
		}
		progress(len(inserts.took))
		order = order[:n]
		x.r.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
		if _, err = x.round(a, b, order, &deletes); b.over(untilEdits) {
			break
		}
	}
	return inserts, deletes, err
}

// round edits rules in the order given, all in or all out, and returns how many:
// fewer are put in when the time is over. Answers are compared afterwards.
func (x *toggler[T]) round(a *app, b budget, order []int, t *editTimes) (int, error) {
	got := make([]int32, 0, len(order))
	want := make([]int32, 0, len(order))
	insert := !x.in[order[0]]
	was := slices.Clone(x.in)
	from := len(t.took)
	for i, j := range order {
		if insert && i%64 == 63 && b.over(untilEdits) {
			break
		}
		took, cpu, m, ok, err := x.timed(j)
		if err != nil {
			return i, err
		}
		before := x.witness[j].answer(x.held, func(i int32) bool { return x.in[i] })
		x.set(j, insert)
		after := x.witness[j].answer(x.held, func(i int32) bool { return x.in[i] })
		t.took, t.cpu = append(t.took, took), append(t.cpu, cpu)
		got, want = append(got, x.position(m, ok)), append(want, after)
		if before != after {
			t.changed++
			if before != none && after != none {
				t.other++
			}
		}
	}
	if a.tamper != nil {
		a.tamper(map[bool]string{true: "insert", false: "delete"}[insert], got)
	}
	// The walk is of the rules as they were after each edit.
	when := make([]int, len(x.held))
	for j := range when {
		when[j] = len(order)
	}
	for i, j := range order[:len(got)] {
		when[j] = i
	}
	n := (len(got) + walkedShare - 1) / walkedShare
	wrong := make([]bool, len(got))
	walked := eachUntil(n, b, untilEdits, func(i int) {
		i = min(i*walkedShare+from%walkedShare, len(got)-1)
		in := func(number int32) bool { return was[number] != (when[number] <= i) }
		wrong[i] = x.walk(x.witness[order[i]].key, in) != got[i]
	})
	t.walked += walked
	for i := range got {
		if wrong[i] || got[i] != want[i] {
			t.wrong++
		}
	}
	return len(got), nil
}

// eachUntil calls f for 0 to n-1 on all cores, but for fewer when the share of the
// time is over, and returns for how many.
func eachUntil(n int, b budget, share float64, f func(i int)) int {
	var done atomic.Int64
	each(n, 8, func(from, to int) {
		if from >= 64 && b.over(share) {
			return
		}
		for i := from; i < to; i++ {
			f(i)
		}
		done.Add(int64(to - from))
	})
	return int(done.Load())
}
