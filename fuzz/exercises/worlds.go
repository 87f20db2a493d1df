package exercises

// Small worlds: every list of a few rules over tiny fields, every packet. The smaller
// worlds are gone through from the first list to the last; the larger ones, which
// take hours, part by part in an order that meets each part once; and of those that are too
// large for that, lists are drawn at random.

import (
	"context"
	"errors"

	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/smallworld"
)

// listsAtATime is the number of lists of a case.
const listsAtATime = 40

func worlds() (all []*drive.Exercise) {
	for size := range 2 {
		for _, w := range smallworld.Worlds(size) {
			all = append(all, &drive.Exercise{Name: "world: " + w.Name, Group: "small worlds", Weight: 1, Run: func(ctx context.Context, t *drive.Trial) error {
				parts := int64(w.Lists()+listsAtATime-1) / listsAtATime
				part := t.Number % parts
				if size > 0 {
					part = t.Number % parts * stride(parts) % parts
				}
				return checkWorld(ctx, t, w, int(part)*listsAtATime, listsAtATime)
			}})
		}
	}
	for _, w := range smallworld.Whole() {
		all = append(all, &drive.Exercise{Name: "whole world: " + w.Name, Group: "small worlds", Weight: 0.5, Run: func(ctx context.Context, t *drive.Trial) error {
			for range listsAtATime / 2 {
				if err := checkWorld(ctx, t, w, t.Rand.IntN(w.Lists()), 1); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return all
}

// stride returns a number that n has no factor in common with, about 0.6 n.
func stride(n int64) int64 {
	gcd := func(a, b int64) int64 {
		for b != 0 {
			a, b = b, a%b
		}
		return a
	}
	s := max(n*618/1000, 1)
	for gcd(s, n) != 1 {
		s++
	}
	return s
}

func checkWorld(ctx context.Context, t *drive.Trial, w *smallworld.World, from, n int) error {
	all := waysOf(t, 99)
	for i := from; i < min(from+n, w.Lists()); i++ {
		r, err := w.Run(ctx, all, i, i+1)
		t.Counts.Rules += int64(w.Most * r.Lists)
		t.Counts.Packets += int64(r.Packets)
		t.Counts.Hits += int64(r.Matched)
		t.Counts.Misses += int64(r.Packets - r.Matched)
		t.Counts.Answers += int64(r.Comparisons)
		var d *compare.Difference
		if errors.As(err, &d) {
			l, e := w.List(i)
			if e != nil {
				return e
			}
			return listFailure(err, l, d.Key, all)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
