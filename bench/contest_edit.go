package main

// Edits of contestants: what taking a rule out and putting it back costs, in CPU
// time of the thread that edits.

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
)

// editsAtOnce is the number of rules that are out of the list at a time, at most,
// and of edits in a call.
const editsAtOnce = 64

// edit takes random rules out and puts them back, in another order, until so many
// edits were timed of each kind or the time for it is over. The answers are
// checked again before anything is recorded.
func (g *meeting) edit(e *entrant) error {
	ctx, cancel := context.WithTimeout(g.ctx, g.byClock())
	defer cancel()
	r := rand.New(rand.NewPCG(g.seed, 3))
	n := min(editsAtOnce, max(1, g.list.Len()/2))
	var took [2][]time.Duration // of deletions and insertions
	for began := time.Now(); len(took[1]) < g.edits && (len(took[1]) == 0 || time.Since(began) < g.Timeout/4); {
		out := map[int32]bool{}
		var list []compare.Edit
		for len(out) < n {
			at := r.Int32N(int32(g.list.Len()))
			if !out[at] {
				out[at] = true
				list = append(list, compare.Edit{Position: at})
			}
		}
		for kind := range took {
			times := make([]time.Duration, len(list))
			if err := e.Edit(ctx, list, times); err != nil {
				return g.patience(err)
			}
			took[kind] = append(took[kind], times...)
			for i := range list {
				list[i].Insert = true
			}
			r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
	}
	c, err := g.want.Check(ctx, e.Contestant)
	if err == nil {
		err = c.Err()
	}
	if err != nil {
		return g.patience(err)
	}
	for kind, name := range []string{"delete", "insert"} {
		times := took[kind]
		for _, q := range []struct {
			name string
			q    float64
		}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
			p := g.point("update", e, name+"_cpu_"+q.name, "us")
			p.Edits = len(times)
			g.rec.point(p, quantile(times, q.q))
		}
		slices.Sort(times)
		g.rec.line(g.title("Edit"), g.labels(e, label{"kind", name}), len(times),
			figure{1e3 * quantile(times, 0.5), "p50-ns/op"}, figure{1e3 * quantile(times, 0.99), "p99-ns/op"}, figure{1e3 * quantile(times, 1), "max-ns/op"})
	}
	return nil
}
