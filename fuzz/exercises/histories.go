package exercises

// Histories of edits of live lists.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/histories"
	"github.com/hipac-go/classifier/hipac"
)

// editPoints are what histories reach.
func editPoints() (out []string) {
	for op := histories.Append; op <= histories.Wrong; op++ {
		out = append(out, "edit: "+op.String())
	}
	for end := histories.Commit; end < histories.Rest; end++ {
		out = append(out, "transaction: "+end.String())
	}
	return append(out, "live: edited in place", "live: built anew", "live: too few rules for a tree", "live: arrays grow", "live: copied", "live: tables copied")
}

// liveOptions draws the options of a live list.
func liveOptions(t *drive.Trial) hipac.LiveOptions {
	r := t.Rand
	paths := hipac.Batches()
	return hipac.LiveOptions{NoBackground: r.IntN(3) > 0, LeafRows: []int{0, 0, 1, 2, 64}[r.IntN(5)], Replication: []float64{0, 0, 0.01, 64}[r.IntN(4)],
		Counters: r.IntN(2) == 0, Batch: paths[r.IntN(len(paths))]}
}

func edits() (all []*drive.Exercise) {
	for i, kind := range histories.Kinds() {
		e := &drive.Exercise{Name: "history: " + kind, Group: "histories of edits", Weight: 0.4, Run: func(_ context.Context, t *drive.Trial) error {
			h, err := histories.Generate(histories.Config{Kind: kind, Seed: t.Seed, Rules: size(t, 300), Steps: 20 + t.Rand.IntN(120)})
			if err != nil {
				return err
			}
			return checkHistory(t, h)
		}}
		if i == 0 {
			e.Points = editPoints()
		}
		all = append(all, e)
	}
	return all
}

func checkHistory(t *drive.Trial, h *histories.History) error {
	o := liveOptions(t)
	report, err := histories.Run(h, o)
	t.Counts.Rules += int64(len(h.First))
	t.Counts.Packets += int64(report.Packets)
	t.Counts.Hits += int64(report.Matched)
	t.Counts.Misses += int64(report.Packets - report.Matched)
	t.Counts.Answers += int64(report.Packets)
	if err != nil {
		return &drive.Failure{Err: fmt.Errorf("live list: %w", err), Case: &cases.History{History: h, Options: o}}
	}
	live := report.Live
	t.ReachIf(live.InPlace > 0, "live: edited in place")
	t.ReachIf(live.Rebuilt > 0, "live: built anew")
	t.ReachIf(live.Few > 0, "live: too few rules for a tree")
	t.ReachIf(live.Grown > 0, "live: arrays grow")
	t.ReachIf(live.Copied > 0, "live: copied")
	t.ReachIf(live.CopiedTables > 0, "live: tables copied")
	t.ReachIf(live.Renewed > 0, "live: built anew in the background")
	for i := range h.Steps {
		t.Reach("transaction: " + h.Steps[i].End.String())
		for _, e := range h.Steps[i].Edits {
			t.Reach("edit: " + e.Op.String())
		}
	}
	return nil
}
