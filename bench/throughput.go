package main

// Lookups on several cores at once: goroutines that share one classifier.

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// sharedEngines returns our engines that goroutines can share, by the names that
// contestants have: each looks keys up, and stores positions.
func sharedEngines(ctx context.Context, l *rules.List[string], limit int64) (map[string]func(t *trace, from int, out []int32), error) {
	c, err := hipac.Build(ctx, l, &hipac.Options{FirstMatchOnly: true, MemoryLimit: limit})
	if err != nil {
		return nil, err
	}
	live, err := hipac.NewLive(ctx, l, &hipac.LiveOptions{MemoryLimit: limit})
	if err != nil {
		return nil, err
	}
	return map[string]func(t *trace, from int, out []int32){
		"hipac": func(t *trace, from int, out []int32) {
			for i := range out {
				out[i] = -1
				if m, ok := c.Lookup(t.key(from + i)); ok {
					out[i] = int32(m.Position)
				}
			}
		},
		"hipac-batch": func(t *trace, from int, out []int32) {
			for at := 0; at < len(out); at += batchSize {
				to := min(at+batchSize, len(out))
				c.LookupBatch(t.keys(from+at, from+to), out[at:to])
			}
		},
		"hipac-live": func(t *trace, from int, out []int32) {
			for i := range out {
				out[i] = -1
				if m, ok := live.Lookup(t.key(from + i)); ok {
					out[i] = int32(l.Position(m.ID))
				}
			}
		},
	}, nil
}

// burst is the number of keys after which a goroutine looks whether it is to stop.
const burst = 1024

// shared is an engine that is looked up in by so many goroutines at once.
type shared struct {
	results.Point
	lookup func(t *trace, from int, out []int32)
	perSec []float64 // of each round
	perCPU []float64
	done   []int
}

// round looks up for so long, and keeps the lookups per second of all together: by
// the clock, and by the CPU time of each, which is what they would do with cores
// of their own where others use the machine too.
func (s *shared) round(t *trace, long time.Duration) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	counts, took, cpu := make([]int, s.Cores), make([]time.Duration, s.Cores), make([]time.Duration, s.Cores)
	for i := range s.Cores {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			out := make([]int32, min(burst, t.n))
			at := t.n / s.Cores * i // each in packets of its own
			start, startCPU := time.Now(), compare.ThreadTime()
			for n := 0; n == 0 || !stop.Load(); {
				out := out[:min(len(out), t.n-at)]
				s.lookup(t, at, out)
				n += len(out)
				counts[i] = n
				if at += len(out); at == t.n {
					at = 0
				}
			}
			took[i], cpu[i] = time.Since(start), compare.ThreadTime()-startCPU
		})
	}
	time.Sleep(long)
	stop.Store(true)
	wg.Wait()
	sum, sumCPU, done := 0.0, 0.0, 0
	for i, n := range counts {
		sum += perSecond(n, took[i])
		sumCPU += perSecond(n, cpu[i])
		done += n
	}
	s.perSec, s.perCPU, s.done = append(s.perSec, sum), append(s.perCPU, sumCPU), append(s.done, done)
}

// throughput measures our engines that are among the contestants by the number of
// cores, all in turn.
func (m *contest) throughput(ctx context.Context, set ruleset, cores []int) error {
	list, err := set.make()
	if err != nil {
		return err
	}
	g := &meeting{contest: m, ctx: ctx, set: set, list: list}
	if err := g.draw(m.traffic[0]); err != nil {
		return err
	}
	engines, err := sharedEngines(ctx, list, g.limit())
	if err != nil {
		return err
	}
	var all []*shared
	for _, c := range m.contestants {
		e := &entrant{about: c.About()}
		lookup := engines[e.name()]
		if lookup == nil {
			continue
		}
		if err := g.checkShared(e, lookup); err != nil {
			g.gap(g.filed("scale"), e, err)
			continue
		}
		for _, n := range cores {
			p := g.point("scale", e, "throughput", "lookups/s")
			p.Cores = n
			all = append(all, &shared{Point: p, lookup: lookup})
		}
	}
	bar := m.a.newProgress("on several cores", passes)
	defer bar.done()
	runtime.GC()
	for p := range passes {
		for _, s := range all {
			if ctx.Err() != nil {
				break
			}
			if p == 0 {
				s.round(g.trace, m.a.effort.round) // warms up
				s.perSec, s.perCPU, s.done = nil, nil, nil
			}
			s.round(g.trace, m.a.effort.round)
		}
		bar.at(p + 1)
	}
	for _, s := range all {
		if ctx.Err() != nil && len(s.perSec) < leastPasses {
			m.rec.gap(ctx, results.Gap{Command: s.Command, Engine: s.Engine, Set: s.Set, Rules: s.Rules}, context.Cause(ctx))
			continue
		}
		m.rec.point(s.Point, s.perSec...)
		s.Metric = "throughput_cpu"
		m.rec.point(s.Point, s.perCPU...)
		for i, x := range s.perSec {
			m.rec.line("Throughput", []label{{"engine", s.Engine}, {"set", s.Set}, {"n", s.Rules}, {"cores", s.Cores}}, s.done[i],
				figure{1e9 / x, "ns/op"}, figure{x, "lookups/s"}, figure{s.perCPU[i], "lookups/cpu-s"})
		}
	}
	return ctx.Err()
}

// checkShared compares answers with those of the walk.
func (g *meeting) checkShared(e *entrant, lookup func(*trace, int, []int32)) error {
	out := make([]int32, g.want.Len())
	lookup(g.trace, 0, out)
	if g.a.tamper != nil {
		g.a.tamper(e.name(), out)
	}
	c := compare.Checked{Packets: len(out)}
	for i, got := range out {
		if want := g.want.First(i); got != want {
			if c.Wrong++; c.First == nil {
				c.First = g.want.Mismatch(i, got, want, false)
			}
		}
	}
	return c.Err()
}

// coresOf returns the numbers of cores to measure: those given, or 1, 2, 4 and so
// on to all.
func coresOf(given []int) ([]int, error) {
	most := runtime.GOMAXPROCS(0)
	for _, n := range given {
		if n < 1 || n > most {
			return nil, fmt.Errorf("--cores %d: not in 1..%d, which is what there is", n, most)
		}
	}
	if len(given) > 0 {
		return once(given), nil
	}
	return doubling(most), nil
}
