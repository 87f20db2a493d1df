package histories

import (
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

var (
	moreSteps  = flag.Int("steps", 0, "run so many more steps of random histories")
	firstSeed  = flag.Uint64("seed", 1, "the first seed of these")
	shrinkTime = flag.Duration("shrink", 20*time.Second, "time for shrinking a history that fails")
	only       = flag.String("replay", "", "run this history alone, as a difference has printed it")
)

// requireSame runs a history and fails with what is left of it when shrunken.
func requireSame(t *testing.T, h *History, o hipac.LiveOptions) Report {
	t.Helper()
	report, err := Run(h, o)
	var d *Difference
	if errors.As(err, &d) {
		less := Shrink(d, *shrinkTime)
		t.Fatalf("%v\nshrunken: %v\n%v", err, less, less.History)
	}
	require.NoError(t, err)
	return report
}

// optionSets are what histories run under by turns.
var optionSets = []hipac.LiveOptions{
	{NoBackground: true},
	{},
	{NoBackground: true, LeafRows: 1, Counters: true},
	{LeafRows: 1, Replication: 0.01, Counters: true},
	{NoBackground: true, LeafRows: 64, Batch: hipac.BatchGo},
	{LeafRows: 64, Replication: 64, Batch: hipac.BatchGo, Counters: true},
}

func TestEditedListsAnswerAsASliceAfterEveryEdit(t *testing.T) {
	for i, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			for j, n := range []int{5, 40, 300} {
				c := Config{Kind: kind, Seed: uint64(100*i + j), Rules: n, Steps: 300}
				h, err := Generate(c)
				require.NoError(t, err)
				requireSame(t, h, optionSets[(i+j)%len(optionSets)])
			}
		})
	}
}

// requireRun generates a history and runs it.
func requireRun(t *testing.T, c Config, o hipac.LiveOptions) Report {
	t.Helper()
	h, err := Generate(c)
	require.NoError(t, err)
	return requireSame(t, h, o)
}

func TestAHistoryIsTheSameUnderEveryOption(t *testing.T) {
	for i, c := range []Config{
		{Kind: "ip", Seed: 5, Rules: 30, Steps: 150},
		{Kind: "bands", Seed: 6, Rules: 180, Steps: 80},
		{Kind: "firewall", Seed: 7, Rules: 60, Steps: 80},
	} {
		for _, rows := range []int{1, 8, 64} {
			for _, copies := range []float64{0.01, 4} {
				for option := range 8 {
					o := hipac.LiveOptions{LeafRows: rows, Replication: copies,
						NoBackground: option&1 != 0, Counters: option&2 != 0}
					if option&4 != 0 {
						o.Batch = hipac.BatchGo
					}
					if testing.Short() && (i+option)%4 != 0 {
						continue
					}
					requireRun(t, c, o)
				}
			}
		}
	}
}

func TestTransactionsBeyondALimitChangeNothing(t *testing.T) {
	c := Config{Kind: "ipv4", Seed: 3, Rules: 60, Steps: 500}
	for _, l := range []rules.Limits{{MaxRules: 62}, {MaxMemory: 22500}} {
		for _, background := range []bool{false, true} {
			requireRun(t, c, hipac.LiveOptions{Limits: l, NoBackground: !background, Counters: true})
		}
	}
	// The memory of a tree: where the first list just fits.
	c = Config{Kind: "boxes", Seed: 4, Rules: 300, Steps: 500}
	h, err := Generate(c)
	require.NoError(t, err)
	failed := 0
	for limit := int64(8 << 10); limit < 1<<20; limit += limit / 4 {
		r, err := Run(h, hipac.LiveOptions{MemoryLimit: limit, NoBackground: limit%2 == 0})
		if errors.Is(err, hipac.ErrMemoryLimit) {
			continue // the first list
		}
		require.NoError(t, err)
		failed += r.OverLimit
	}
	require.Positive(t, failed)
}

// Histories that once ended in a difference.
func TestEarlierDifferencesAreNoMore(t *testing.T) {
	for _, c := range []struct {
		Config
		o hipac.LiveOptions
	}{
		// A rule was in several buckets, and was taken out of the first alone.
		{Config{Kind: "same", Seed: 61276, Rules: 400, Steps: 490}, hipac.LiveOptions{NoBackground: true}},
		// The greatest identity was given, and Apply came to need more.
		{Config{Kind: "nested", Seed: 61375, Steps: 500}, hipac.LiveOptions{LeafRows: 64, NoBackground: true}},
		// Apply gave a new rule the identity of one that it deleted, for the same reason.
		{Config{Kind: "tiny", Seed: 400799, Rules: 8, Steps: 300}, hipac.LiveOptions{Counters: true, NoBackground: true}},
		// What a dry run of Apply avoided, later transactions still did.
		{Config{Kind: "shortprefixes", Seed: 600047, Rules: 800, Steps: 790}, hipac.LiveOptions{LeafRows: 64, Replication: 64, Counters: true}},
	} {
		requireRun(t, c.Config, c.o)
	}
}

func TestListsThatRestAreImproved(t *testing.T) {
	requireRun(t, Config{Kind: "acl", Seed: 1, Rules: 3000, Steps: 400, Rests: 399}, hipac.LiveOptions{})
}

func TestMoreHistories(t *testing.T) {
	if *only != "" {
		h, o, err := FromReplay(*only)
		require.NoError(t, err)
		requireSame(t, h, o)
		return
	}
	if *moreSteps == 0 {
		t.Skip("for -steps and -replay")
	}
	var total Report
	sizes := []int{0, 3, 8, 12, 20, 50, 100, 200, 400, 800, 1500}
	for s, done := *firstSeed, 0; done < *moreSteps; s++ {
		c := Config{Kind: kinds[s%uint64(len(kinds))].name, Seed: s, Rules: sizes[s/7%uint64(len(sizes))], Steps: 1000}
		h, err := Generate(c)
		require.NoError(t, err)
		start := time.Now()
		r := requireSame(t, h, optionSets[s/3%uint64(len(optionSets))])
		done += len(h.Steps)
		if testing.Verbose() {
			fmt.Printf("%s %d %v\n", c.Kind, c.Rules, time.Since(start)/time.Duration(len(h.Steps)))
		}
		total.Transactions += r.Transactions
		total.Edits += r.Edits
		total.Failed += r.Failed
		total.Packets += r.Packets
		total.Matched += r.Matched
		total.Versions += r.Versions
	}
	t.Logf("%+v", total)
}
