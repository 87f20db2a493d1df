package exercises

// Small worlds, relations and histories of tables of chains.

import (
	"context"
	"errors"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/drive"
)

// tablesAtATime is the number of tables of a case.
const tablesAtATime = 25

func chainWorlds() (all []*drive.Exercise) {
	for size := range 2 {
		for _, w := range chains.Worlds(size) {
			all = append(all, &drive.Exercise{Name: "chain world: " + w.Name, Group: "small worlds of chains", Weight: 0.5, Run: func(ctx context.Context, t *drive.Trial) error {
				parts := int64(w.Tables()+tablesAtATime-1) / tablesAtATime
				part := t.Number % parts
				if size > 0 {
					part = part * stride(parts) % parts
				}
				ways := chains.All()[1:]
				for i := int(part) * tablesAtATime; i < min(int(part+1)*tablesAtATime, w.Tables()); i++ {
					r, err := w.Run(ctx, ways, i, i+1)
					t.Counts.Rules += int64(w.Most * r.Tables)
					t.Counts.Packets += int64(r.Packets)
					t.Counts.Hits += int64(r.Decided)
					t.Counts.Misses += int64(r.Packets - r.Decided)
					t.Counts.Answers += int64(r.Comparisons)
					if err != nil {
						return worldFailure(err, w, i)
					}
				}
				return nil
			}})
		}
	}
	return all
}

// worldFailure returns a difference in a world with its table, where that can be
// told alone.
func worldFailure(err error, w *chains.World, i int) error {
	var d *compare.Difference
	table, e := w.Table(i)
	if !errors.As(err, &d) || e != nil || w.More {
		return err
	}
	c := &cases.Table{Table: table, Keys: d.Key, Ways: chains.All()[1:]}
	for entry := range table.Chains {
		if c.Entry = entry; c.Check() != nil {
			return &drive.Failure{Err: err, Case: c}
		}
	}
	return err
}

func chainRelations() (all []*drive.Exercise) {
	seeded := func(name string, c cases.Seeded, group string, weight float64) {
		all = append(all, &drive.Exercise{Name: name, Group: group, Weight: weight, Run: func(_ context.Context, t *drive.Trial) error {
			c := c
			c.Seed, c.Rules, c.Wrap = t.Seed, []int{3, 10, 25, 50}[t.Rand.IntN(4)], t.WrongTable
			packets, decided, answers, err := c.Run()
			t.Counts.Rules += int64(c.Rules)
			t.Counts.Packets += int64(packets)
			t.Counts.Hits += int64(decided)
			t.Counts.Misses += int64(packets - decided)
			t.Counts.Answers += int64(answers)
			if err != nil {
				return &drive.Failure{Err: err, Case: &c}
			}
			return nil
		}})
	}
	for _, r := range chains.Relations() {
		seeded("chain relation: "+r.Name, cases.Seeded{Name: r.Name}, "relations of chains", 0.6)
	}
	seeded("history of live tables", cases.Seeded{Name: cases.ChainHistory}, "histories of edits", 3)
	return all
}
