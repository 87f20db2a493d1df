package exercises

// Metamorphic relations.

import (
	"context"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/relations"
	"github.com/hipac-go/classifier/rules"
)

func relationsHold() (all []*drive.Exercise) {
	for _, r := range relations.All() {
		all = append(all, relation("relation: "+r.Name, r, nil))
	}
	return all
}

// relation is the exercise of a relation, over lists that are parts of one; nil is
// any.
func relation(name string, r relations.Relation, from *rules.List[int]) *drive.Exercise {
	return &drive.Exercise{Name: name, Group: "relations", Weight: 1, Run: func(_ context.Context, t *drive.Trial) error {
		size := []int{3, 12, 40, 90}[t.Rand.IntN(4)]
		report, err := r.CheckOn(t.Seed, size, from, t.Wrap)
		t.Counts.Rules += int64(size)
		t.Counts.Packets += int64(report.Packets)
		t.Counts.Hits += int64(report.Hits)
		t.Counts.Misses += int64(report.Misses)
		t.Counts.Answers += int64(report.Comparisons)
		if err != nil {
			return &drive.Failure{Err: err, Case: &cases.Relation{Relation: r, Seed: t.Seed, Rules: size, From: from, Wrap: t.Wrap}}
		}
		return nil
	}}
}
