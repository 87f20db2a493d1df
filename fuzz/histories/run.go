package histories

// Running a history: every transaction is made in a live list and in the model,
// and what they answer is compared.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Report says what was compared.
type Report struct {
	Transactions, Edits, Failed int // Failed: edits that had to fail
	Packets, Matched            int
	Versions                    int // held for a while and looked up again
	OverLimit                   int // transactions that failed for a limit
	Live                        hipac.LiveStats
}

// Difference is a history whose list answered otherwise than the model.
type Difference struct {
	History *History
	Options hipac.LiveOptions
	Step    int // len(History.Steps) for after the last one
	What    string
	Key     rules.Key // the packet of which the answers differ; nil: it is something else
	List    []Listed  // the list at that time

	check func(*hipac.Live[int]) error
}

// Listed is a rule of a list.
type Listed struct {
	ID   rules.ID
	Rule int // of History.Pool
}

// packetError is a difference in the answers about a packet.
type packetError struct {
	key rules.Key
	err error
}

func (e *packetError) Error() string { return fmt.Sprintf("packet %v: %v", []uint32(e.key), e.err) }

// difference returns what differs in a step.
func (x *run) difference(step int, err error, check func(*hipac.Live[int]) error) *Difference {
	d := &Difference{History: x.h, Options: x.o, Step: step, What: err.Error(), check: check}
	var at *packetError
	if errors.As(err, &at) {
		d.Key = slices.Clone(at.key)
	}
	for _, e := range x.m.list {
		d.List = append(d.List, Listed{e.id, e.pool})
	}
	return d
}

// Error says the difference in a line, with what makes it again.
func (d *Difference) Error() string {
	return fmt.Sprintf("history %s, step %d: %s", Replay(d.History, d.Options), d.Step, d.What)
}

// run is a history that is being run.
type run struct {
	h      *History
	o      hipac.LiveOptions
	live   *hipac.Live[int]
	reader *hipac.Reader[int]
	m      *model
	r      *rand.Rand
	aim    *aimer
	report Report

	version uint64
	checked int // packets aimed at what was touched, by step
	touched []int
	at      int // position of the last edit
	given   []rules.ID
	gone    rules.ID
	change  hipac.Change // of the transaction
	held    []held
	ids     [packets]rules.ID
}

// Run applies a history to a live list with these options, and compares. The
// error is a *Difference, or that of a first list that exceeds a limit.
func Run(h *History, o hipac.LiveOptions) (Report, error) { return RunWith(h, o, nil) }

// RunWith is Run with a further check of the list after every step, which need
// not be the same list of versions when work goes on in the background.
func RunWith(h *History, o hipac.LiveOptions, check func(*hipac.Live[int]) error) (Report, error) {
	x := &run{h: h, o: o, m: newModel(h), r: rand.New(rand.NewPCG(h.Config.Seed, 0x72))}
	x.aim = newAimer(h, x.r)
	x.checked = min(max(2400/len(h.Pool), 1), 6)
	l, err := x.m.linear()
	if err != nil {
		return x.report, err
	}
	if x.live, err = hipac.NewLive(context.Background(), l, &o); err != nil {
		return x.report, err
	}
	x.reader = x.live.Reader()
	defer x.reader.Close()
	for range packets {
		x.m.setKey(x.aim.key(x.r.IntN(len(h.Pool))))
	}
	for i := range h.Steps {
		if err := x.guarded(func() error {
			if err := x.step(i); err != nil || check == nil {
				return err
			}
			return check(x.live)
		}); err != nil {
			return x.report, x.difference(i, err, check)
		}
	}
	x.report.Live = x.live.Stats()
	if err := x.guarded(x.end); err != nil {
		return x.report, x.difference(len(h.Steps), err, check)
	}
	return x.report, nil
}

// guarded makes a panic an error.
func (x *run) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// end compares all there is.
func (x *run) end() error {
	if err := x.compare(); err != nil {
		return err
	}
	if err := x.compareAll(); err != nil {
		return err
	}
	for i := range x.held {
		if err := x.held[i].check(); err != nil {
			return err
		}
	}
	return nil
}

var (
	errOwn = errors.New("the function's own error")
	ended  = func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}()
)

// step makes a transaction and compares.
func (x *run) step(i int) error {
	s := &x.h.Steps[i]
	if s.End == Rest {
		x.rest()
		return x.compare()
	}
	x.touched, x.given, x.change = x.touched[:0], x.given[:0], hipac.Change{}
	before, last, gone := slices.Clone(x.m.list), x.m.last, x.gone
	var wrong error
	edits := func(tx *hipac.Tx[int]) error {
		for j := range s.Edits {
			if wrong = x.edit(tx, &s.Edits[j]); wrong != nil {
				wrong = fmt.Errorf("edit %d: %w", j, wrong)
				return wrong
			}
		}
		return nil
	}
	var err error
	var dry hipac.Change
	if s.End == Applied || s.End == DryApplied {
		x.report.Transactions++
		if err := x.apply(s); err != nil {
			return fmt.Errorf("%s: %w", s.End, err)
		}
		return x.compare()
	}
	ctx := context.Background()
	switch s.End {
	case Within:
		err = x.live.Edit(ctx, edits)
	case Failed:
		err = x.live.Edit(ctx, func(tx *hipac.Tx[int]) error {
			if err := edits(tx); err != nil {
				return err
			}
			return errOwn
		})
	case Thrown:
		err = x.thrown(edits)
	case Dry:
		dry, err = x.live.DryRun(ctx, edits)
	default:
		tx := x.live.Begin()
		edits(tx)
		switch {
		case wrong != nil || s.End == Rolled:
			tx.Rollback()
		case s.End == Expired:
			err = tx.Commit(ended)
		default:
			err = tx.Commit(ctx)
		}
		if wrong == nil {
			wrong = x.over(tx, i)
		}
	}
	if wrong != nil {
		return wrong
	}
	x.report.Transactions++
	x.report.Edits += len(s.Edits)
	n := len(x.m.list)
	done, wrong := x.outcome(s.End, err)
	if wrong == nil && s.End == Dry && err == nil {
		wrong = x.dryChange(dry, n)
	}
	if wrong != nil {
		return wrong
	}
	if !done {
		x.m.list, x.m.last, x.gone = before, last, gone
		for _, id := range x.given {
			delete(x.m.had, id)
		}
	} else if x.change != (hipac.Change{}) {
		x.version++
	}
	if err := x.compare(); err != nil {
		return err
	}
	if i%128 == 127 {
		return x.compareAll()
	}
	return nil
}

// thrown makes edits in a transaction whose function panics.
func (x *run) thrown(edits func(tx *hipac.Tx[int]) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errOwn {
				panic(p)
			}
			err = errOwn
		}
	}()
	return x.live.Edit(context.Background(), func(tx *hipac.Tx[int]) error {
		if err := edits(tx); err != nil {
			return err
		}
		panic(errOwn)
	})
}

// outcome says whether the transaction was made, and whether its error is what it
// has to be.
func (x *run) outcome(end End, err error) (done bool, wrong error) {
	switch end {
	case Rolled:
		return false, nil
	case Failed, Thrown:
		if err != errOwn {
			return false, fmt.Errorf("%s: got %v", end, err)
		}
		return false, nil
	}
	switch {
	case x.overLimits(x.m.list):
		if !errors.Is(err, rules.ErrLimit) {
			return false, fmt.Errorf("%s: %d rules of %d bytes: got %v, want a limit's error", end, len(x.m.list), x.m.bytes(x.m.list), err)
		}
		x.report.OverLimit++
		return false, nil
	case err == nil:
		return end != Dry, nil
	case errors.Is(err, hipac.ErrMemoryLimit) && x.o.MemoryLimit > 0:
		x.report.OverLimit++
		return false, nil
	case errors.Is(err, context.Canceled) && end == Expired:
		return false, nil
	}
	return false, fmt.Errorf("%s: %w", end, err)
}

// overLimits reports whether a list has more than the limits allow.
func (x *run) overLimits(list []*entry) bool {
	if x.o.Limits == (rules.Limits{}) {
		return false
	}
	l := x.o.Limits.OrDefault()
	return len(list) > l.MaxRules || x.m.bytes(list) > l.MaxMemory
}

// dryChange compares what a dry run says with what was done.
func (x *run) dryChange(got hipac.Change, n int) error {
	want := x.change
	want.Rules, want.Bytes, want.Rebuild = n, got.Bytes, got.Rebuild
	if got != want {
		return fmt.Errorf("dry run: got %+v, want %+v", got, want)
	}
	return nil
}

// over asks for edits in a transaction that has ended, one kind by turns.
func (x *run) over(tx *hipac.Tx[int], turn int) error {
	var r rules.Rule[int]
	var err error
	ask := []func(){
		func() { _, err = tx.Append(r) },
		func() { _, err = tx.InsertAt(0, r) },
		func() { _, err = tx.InsertBefore(1, r) },
		func() { _, err = tx.InsertAfter(1, r) },
		func() { err = tx.Delete(1) },
		func() { err = tx.Replace(1, r) },
		func() { err = tx.MoveTo(1, 0) },
		func() { err = tx.MoveBefore(1, 2) },
		func() { err = tx.MoveAfter(1, 2) },
		func() { err = tx.Flush() },
		func() { _, err = tx.Rule(1) },
		func() { _, err = tx.At(0) },
		func() { _, err = tx.Position(1) },
		func() { err = tx.Commit(context.Background()) },
	}
	ask[turn%len(ask)]()
	tx.Rollback()
	if !errors.Is(err, hipac.ErrDone) || tx.Len() != 0 {
		return fmt.Errorf("a transaction that is over, call %d: got %v, %d rules", turn%len(ask), err, tx.Len())
	}
	return nil
}

// rest lets the list improve itself: until its memory changes, or a while.
func (x *run) rest() {
	if x.o.NoBackground {
		return
	}
	was := x.live.Snapshot().Bytes()
	for range 120 {
		time.Sleep(10 * time.Millisecond)
		if x.live.Snapshot().Bytes() != was {
			break
		}
	}
}
