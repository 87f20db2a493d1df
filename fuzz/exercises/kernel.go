package exercises

// The running kernel, asked by package fuzz/kernel.

import (
	"context"
	"errors"
	"strings"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/kernel"
)

// Kernel returns the comparisons with the running kernel, one for each way of
// loading rules, and the reasons for those that are left out.
func Kernel() (all []*drive.Exercise, skipped []string) {
	ways, skipped := kernel.Usable()
	for _, way := range ways {
		all = append(all, &drive.Exercise{Name: "kernel: " + way, Group: "the running kernel", Run: func(ctx context.Context, t *drive.Trial) error {
			r, err := kernel.Run(ctx, kernel.Options{Sets: 4, Packets: 300, Seed: t.Seed, Ways: []string{way}}, nil)
			if err != nil {
				return err
			}
			n := r.Total()
			t.Counts.Cases += n.Sets
			t.Counts.Rules += n.Rules
			t.Counts.Packets += n.Arrived
			t.Counts.Hits += n.Matched
			t.Counts.Misses += n.Arrived - n.Matched
			t.Counts.Answers += 2 * n.Arrived
			if d := r.Difference; d != nil {
				return &drive.Failure{Err: errors.New(strings.TrimSpace(d.Summary())), Case: &cases.Kernel{Case: d.Case}}
			}
			return ctx.Err()
		}})
	}
	return all, skipped
}
