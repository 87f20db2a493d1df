package hipac_test

import (
	"errors"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/histories"
	"github.com/hipac-go/classifier/hipac"
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
