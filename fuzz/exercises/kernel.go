package exercises

// The running kernel, asked by package fuzz/kernel.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/kernel"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
)

// Kernel returns the comparisons with the running kernel, one for each way of
// loading rules, and the reasons for those that are left out.
func Kernel() (all []*drive.Exercise, skipped []string) {
	ways, skipped := kernel.Usable()
	for _, way := range ways {
		all = append(all, asked("kernel: "+way, kernel.Options{Sets: 4, Packets: 300, Ways: []string{way}}))
	}
	return all, skipped
}

// OwnKernel returns the comparisons of a user's own rules with the running kernel, one
// for each built-in chain, and what is left out, with the reasons. Rules that are a
// list are given to it as iptables says them, where it can say them.
func OwnKernel(set *files.Rules) (all []*drive.Exercise, skipped []string, err error) {
	rs, err := inIptables(set)
	if errors.Is(err, rules.ErrUnsupported) {
		return nil, []string{err.Error()}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := kernel.Available(); err != nil {
		return nil, []string{err.Error()}, nil
	}
	chains, skipped, err := kernel.OwnChains(rs)
	for _, c := range chains {
		if text := c.Leaves(); text != "" {
			skipped = append(skipped, c.Name+": "+text)
		}
		e := asked("your rules in the kernel: "+c.Name, kernel.Options{Sets: 1, Packets: max(50, min(400, 400_000/c.Rules)), Own: c})
		e.Group, e.Weight = "your rules", 4/float64(len(chains))
		all = append(all, e)
	}
	return all, skipped, err
}

// inIptables returns rules as iptables has them.
func inIptables(set *files.Rules) (*iptables.Ruleset, error) {
	var list *rules.List[string]
	var err error
	accept := func(int) string { return workload.Accept } // the counters are compared, not the verdicts
	switch {
	case set.Tables != nil && set.Tables.Iptables != nil:
		return set.Tables.Iptables, nil
	case set.Tables != nil:
		return nil, fmt.Errorf("rules of nftables are not loaded: %w", rules.ErrUnsupported)
	case set.Native != nil:
		list, err = valued(set.Native, accept)
	default:
		list, err = valued(set.ClassBench, accept)
	}
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := workload.WriteSave(&text, list); err != nil {
		return nil, err
	}
	return iptables.Read(&text, iptables.Options{})
}

// asked is a comparison with the running kernel.
func asked(name string, o kernel.Options) *drive.Exercise {
	return &drive.Exercise{Name: name, Group: "the running kernel", Run: func(ctx context.Context, t *drive.Trial) error {
		o := o
		o.Seed = t.Seed
		r, err := kernel.Run(ctx, o, nil)
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
	}}
}
