package hipac_test

import (
	"context"
	"errors"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/histories"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

var hurriedSeeds = flag.Int("hurried", 1, "run so many random histories of each kind with housekeeping all the time")

func TestHousekeepingAllTheTimeChangesNoAnswer(t *testing.T) {
	defer hipac.Hurry()()
	for seed := range uint64(*hurriedSeeds) {
		for i, kind := range histories.Kinds() {
			for _, o := range []hipac.LiveOptions{{}, {NoBackground: true, LeafRows: 2, Counters: true}} {
				seed := 1000*uint64(i) + seed
				c := histories.Config{Kind: kind, Seed: seed, Rules: []int{40, 300, 1500}[(seed+uint64(i))%3], Steps: 150, Rests: 50}
				h, err := histories.Generate(c)
				require.NoError(t, err)
				_, err = histories.RunWith(h, o, hipac.CheckRows[int])
				var d *histories.Difference
				if errors.As(err, &d) {
					t.Fatalf("%v\nshrunken: %v", err, histories.Shrink(d, 10*time.Second))
				}
				require.NoError(t, err)
			}
		}
	}
}

func TestAListThatIsLeftAloneComesToRest(t *testing.T) {
	defer hipac.Hurry()()
	for _, n := range []int{20, 300, 3000} {
		for _, edits := range []int{1, 30, 300} {
			l, err := workload.Generate(workload.Config{Family: "fw1", Rules: n, Seed: 3})
			require.NoError(t, err)
			live, err := hipac.NewLive(context.Background(), l, nil)
			require.NoError(t, err)
			for i := range edits {
				r := l.At(i % n)
				require.NoError(t, live.Edit(context.Background(), func(tx *hipac.Tx[string]) error {
					_, err := tx.Append(rules.Rule[string]{Conds: r.Conds, Value: r.Value})
					return err
				}))
			}
			// Nothing new is published for 100 times as long as lists wait.
			last, since := live.Snapshot(), time.Now()
			for begin := since; time.Since(since) < 100*time.Millisecond; time.Sleep(time.Millisecond) {
				if s := live.Snapshot(); s != last {
					last, since = s, time.Now()
				}
				require.Less(t, time.Since(begin), 20*time.Second, "%d rules, %d edits", n, edits)
			}
			require.NoError(t, hipac.CheckRows(live))
		}
	}
}

func TestMemoryUnderEditsIsAFewTimesTheTree(t *testing.T) {
	for _, n := range []int{100, 3000} {
		l, err := workload.Generate(workload.Config{Family: "acl1", Rules: n, Seed: 4})
		require.NoError(t, err)
		live, err := hipac.NewLive(context.Background(), l, nil)
		require.NoError(t, err)
		most := 4*live.Snapshot().Bytes() + 1<<20
		for i := range 20_000 {
			r := l.At(i * 7 % n)
			require.NoError(t, live.Edit(context.Background(), func(tx *hipac.Tx[string]) error {
				if err := tx.Delete(r.ID); err != nil {
					return err
				}
				_, err := tx.InsertAt(i*5%n, *r)
				return err
			}))
			require.LessOrEqual(t, live.Snapshot().Bytes(), most, "%d rules, edit %d", n, i)
		}
	}
}
