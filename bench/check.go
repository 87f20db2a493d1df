package main

// Checks: every path's answers beside those of the reference walk, as far as that
// is affordable, and beside the tree's for all packets.

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// check is what is right, and how far it was found by walking the list.
type check struct {
	trace *trace
	want  []int32 // positions; of the first checked packets by the walk, else by the tree
	// checked is the number of packets that were walked. The packets are in random
	// order, so that the first ones are random ones.
	checked int
}

// newCheck finds the right answers, for n packets by the walk. The error is the
// context's.
func newCheck(ctx context.Context, t *trace, reference, tree path, n int, progress func(int)) (*check, error) {
	c := &check{trace: t, want: make([]int32, t.n), checked: min(n, t.n)}
	var done atomic.Int64
	each(c.checked, 16, func(from, to int) {
		if ctx.Err() != nil {
			return
		}
		reference.positions(t.keys(from, to), c.want[from:to])
		progress(int(done.Add(int64(to - from))))
	})
	each(t.n-c.checked, 1024, func(from, to int) {
		for i := c.checked + from; i < c.checked+to; i++ {
			c.want[i] = tree.one(t.key(i))
		}
	})
	return c, ctx.Err()
}

// mismatches counts the packets, of the first n, that a path answers wrongly,
// in a lookup of its own or in a batch.
func (c *check) mismatches(p path, n int, tamper func([]int32)) int {
	got := make([]int32, n)
	each(n, 1024, func(from, to int) { p.positions(c.trace.keys(from, to), got[from:to]) })
	if tamper != nil {
		tamper(got)
	}
	var wrong atomic.Int64
	each(n, 1024, func(from, to int) {
		for i := from; i < to; i++ {
			// A wrong identity or value, -2, is in no batch, so that it never agrees.
			if got[i] != c.want[i] || p.one(c.trace.key(i)) != c.want[i] {
				wrong.Add(1)
			}
		}
	})
	return int(wrong.Load())
}

// each calls f for the blocks of 0..n, on all cores.
func each(n, block int, f func(from, to int)) {
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				from := int(taken.Add(int64(block))) - block
				if from >= n {
					return
				}
				f(from, min(from+block, n))
			}
		})
	}
	wg.Wait()
}
