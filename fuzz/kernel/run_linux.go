package kernel

// Run on Linux: workers with namespaces of their own, which take sets in turn.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// inNamespace runs f on a thread, and in a namespace, of its own, which both end
// with it.
func inNamespace(f func(l *lab) error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() == os.Getpid() { // the main thread would not end: it is held while another does it
			done <- inNamespace(f)
			runtime.UnlockOSThread()
			return
		}
		l, err := newLab()
		if err == nil {
			err = f(l)
			l.close()
		}
		done <- err
		runtime.Goexit() // still locked to its thread, which ends
	}()
	return <-done
}

// trivial are programs that show whether a way is there.
func trivial(way string, family int) *Case {
	if way == wayNFT {
		return &Case{Way: way, Family: family, Program: "table inet\nchain PREROUTING ACCEPT\nany => pass\n"}
	}
	if way == wayListing {
		return &Case{Way: way, Family: family, Program: "add table inet hipac\nadd chain inet hipac PREROUTING { type filter hook prerouting priority -300; }\nadd rule inet hipac PREROUTING counter\n"}
	}
	return &Case{Way: way, Family: family, Program: "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING\nCOMMIT\n"}
}

// tried are the ways that were tried, with what came of it.
var tried sync.Map // of outcome, by way

type outcome struct{ err error }

// usable returns nil when rules can be loaded in a way.
func usable(ctx context.Context, way string) error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	if r, ok := tried.Load(way); ok {
		return r.(outcome).err
	}
	err := inNamespace(func(l *lab) error {
		for _, family := range []int{4, 6} {
			t, err := l.load(ctx, trivial(way, family))
			if err != nil {
				return err
			}
			t.close()
		}
		return nil
	})
	if ctx.Err() == nil {
		tried.Store(way, outcome{err})
	}
	return err
}

var errNotRoot = errors.New("it takes root to make a network namespace")

func available() error {
	_, skipped := usableWays(context.Background(), Ways())
	if len(skipped) < len(Ways()) {
		return nil
	}
	return errors.New(strings.Join(slices.Compact(skipped), "; "))
}

// usableWays are those of the ways that the machine has.
func usableWays(ctx context.Context, ways []string) (list, skipped []string) {
	for _, way := range ways {
		err := usable(ctx, way)
		if err == nil {
			list = append(list, way)
			continue
		}
		text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		skipped = append(skipped, fmt.Sprintf("%s: %s", way, text))
	}
	return list, skipped
}

// batch is how many sets are compared in a namespace before the next is made.
const batch = 20

func compareSets(ctx context.Context, o Options, progress func(Report)) (Report, error) {
	start := time.Now()
	var report Report
	if o.Own != nil && o.Ways == nil {
		o.Ways = []string{wayLegacy}
	}
	all := o.Ways == nil
	if all {
		o.Ways = Ways()
	}
	for _, way := range o.Ways {
		if !slices.Contains(Ways(), way) {
			return report, fmt.Errorf("%q is no way; there are %s", way, strings.Join(Ways(), ", "))
		}
	}
	if o.Packets <= 0 {
		o.Packets = 500
	}
	ways, skipped := usableWays(ctx, o.Ways)
	if ctx.Err() != nil {
		return report, nil
	}
	if report.Skipped = skipped; len(ways) == 0 || !all && len(skipped) > 0 {
		return report, fmt.Errorf("the comparison with the kernel: %s", strings.Join(skipped, "; "))
	}
	for _, way := range ways {
		report.Ways = append(report.Ways, WayReport{Way: way})
	}
	r := &runner{o: o, kinds: kinds(ways), report: report, start: start, progress: progress}
	ctx, r.stop = context.WithCancel(ctx)
	defer r.stop()
	var wait sync.WaitGroup
	for range max(1, o.Workers) {
		wait.Go(func() { r.work(ctx) })
	}
	wait.Wait()
	r.report.Elapsed = time.Since(start)
	return r.report, r.err
}

// runner is what the workers share.
type runner struct {
	o        Options
	kinds    []kind
	next     atomic.Int64
	start    time.Time
	progress func(Report)
	stop     context.CancelFunc

	mu     sync.Mutex
	report Report
	err    error
}

// work compares sets until there are no more.
func (r *runner) work(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		err := inNamespace(func(l *lab) error {
			for range batch {
				i := r.next.Add(1) - 1
				if more = ctx.Err() == nil && (r.o.Sets == 0 || i < int64(r.o.Sets)); !more {
					return nil
				}
				if err := r.set(ctx, l, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			r.mu.Lock()
			if r.err == nil && r.report.Difference == nil {
				r.err = err
			}
			r.mu.Unlock()
			r.stop()
		}
	}
}

// set compares the i-th set.
func (r *runner) set(ctx context.Context, l *lab, i int64) error {
	c, name, err := r.draw(uint64(i))
	if err != nil {
		return err
	}
	d, t, err := l.try(ctx, c)
	if err != nil {
		return fmt.Errorf("%s, %s, IPv%d, seed %d: %w\n%s", c.Way, name, c.Family, c.Seed, err, c.Program)
	}
	if d != nil {
		d = l.shrink(ctx, d)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.report.Difference != nil {
		return nil
	}
	for n := range r.report.Ways {
		if w := &r.report.Ways[n]; w.Way == c.Way {
			rules, hit := t.rules()
			w.Sets++
			w.Rules += rules
			w.Hit += hit
			w.Packets += int64(len(c.Packets))
			w.Arrived += int64(t.arrived)
			w.Matched += int64(t.matched)
		}
	}
	r.report.Elapsed = time.Since(r.start)
	if r.report.Difference = d; d != nil {
		r.stop()
	}
	if r.progress != nil {
		seen := r.report
		seen.Ways = slices.Clone(seen.Ways)
		r.progress(seen)
	}
	return nil
}

// draw draws the i-th case, and says of what kind it is.
func (r *runner) draw(i uint64) (c *Case, name string, err error) {
	if o := r.o.Own; o != nil {
		c, err = drawOwn(o, r.o.Seed+i, r.o.Packets)
		return c, o.Name, err
	}
	n := uint64(len(r.kinds))
	k := r.kinds[i%n]
	c, err = drawCase(k, r.o.Seed+i/n, r.o.Packets)
	return c, k.name, err
}

func replay(ctx context.Context, c *Case) (d *Difference, err error) {
	if os.Geteuid() != 0 {
		return nil, errNotRoot
	}
	err = inNamespace(func(l *lab) error {
		d, _, err = l.try(ctx, c)
		return err
	})
	return d, err
}
