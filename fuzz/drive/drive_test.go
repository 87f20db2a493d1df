package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// counting returns an exercise that does nothing but count.
func counting(name string, weight float64, took time.Duration) *Exercise {
	return &Exercise{Name: name, Group: "group", Weight: weight, Points: []string{name + " done"}, Run: func(ctx context.Context, t *Trial) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(took):
		}
		t.Reach(name + " done")
		t.Counts.Packets, t.Counts.Hits = 2, 1
		t.Counts.Misses = 1
		return nil
	}}
}

func TestExercisesShareTheTimeByWeight(t *testing.T) {
	r := Run(context.Background(), Options{Time: 600 * time.Millisecond, Workers: 2, Exercises: []*Exercise{
		counting("a", 3, 5*time.Millisecond), counting("b", 1, 5*time.Millisecond), counting("c", 0, time.Millisecond)}})
	require.Equal(t, int64(r.By[0].Counts.Cases+r.By[1].Counts.Cases+r.By[2].Counts.Cases), r.Total.Cases)
	require.Greater(t, r.By[0].Time, r.By[1].Time)
	require.Positive(t, r.By[2].Counts.Cases)
	require.Equal(t, 6, r.Points)
	require.Equal(t, 6, r.Reached)
	require.Empty(t, r.Missing)
	require.Equal(t, 2*r.Total.Cases, r.Total.Packets)
	require.InDelta(t, 0.5, r.Total.Share(), 0.001)
	require.False(t, r.Interrupted)
	all := r.Grouped()
	require.Len(t, all, 1)
	require.Equal(t, r.Total, all[0].Counts)
}

// An exercise of little weight that has still to reach something is run more often in
// the second half of the time.
func TestWhatWasNotReachedIsSoughtInTheSecondHalf(t *testing.T) {
	rare := &Exercise{Name: "rare", Weight: 0.01, Points: []string{"tenth case"}, Run: func(_ context.Context, t *Trial) error {
		time.Sleep(time.Millisecond)
		t.ReachIf(t.Number == 9, "tenth case")
		return nil
	}}
	r := Run(context.Background(), Options{Time: time.Second, Workers: 1, Exercises: []*Exercise{counting("a", 1, 10*time.Millisecond), rare}})
	require.Empty(t, r.Missing)
	require.Less(t, r.By[1].Counts.Cases, int64(30), "and no longer than it has to")
}

func TestACaseThatDoesNotEndIsLeftBehind(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hangs := &Exercise{Name: "hangs", Points: []string{"never"}, Run: func(context.Context, *Trial) error {
		<-release
		return nil
	}}
	start := time.Now()
	r := Run(context.Background(), Options{Time: 50 * time.Millisecond, Workers: 2, Exercises: []*Exercise{hangs, counting("a", 1, time.Millisecond)}})
	require.Less(t, time.Since(start), grace+2*time.Second)
	require.Equal(t, []string{"hangs", "never"}, r.Missing)
	require.Zero(t, r.By[0].Counts.Cases)
	require.Empty(t, r.Stuck, "it had no time yet")
}

func TestCasesThatTheEndCutsOffAreNoDifferences(t *testing.T) {
	r := Run(context.Background(), Options{Time: 20 * time.Millisecond, Workers: 1, Exercises: []*Exercise{counting("slow", 1, time.Hour)}})
	require.Zero(t, r.Differences)
	require.Zero(t, r.Total.Cases)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.True(t, Run(ctx, Options{Time: time.Hour, Exercises: []*Exercise{counting("slow", 1, time.Hour)}}).Interrupted)
}

// number is a case that differs from 7 on.
type number struct{ n int }

func (c *number) Check() error {
	if c.n >= 7 {
		return fmt.Errorf("%d", c.n)
	}
	return nil
}

func (c *number) Shrink(ctx context.Context) Case {
	for n := range c.n {
		if less := (&number{n}); less.Check() != nil && ctx.Err() == nil {
			return less
		}
	}
	return c
}

func (c *number) Size() string            { return fmt.Sprint(c.n) }
func (c *number) Explain(w io.Writer)     { fmt.Fprintln(w, c.n) }
func (c *number) Write(w io.Writer) error { return nil }

func TestDifferencesAreShrunkenAndThoseOfOneKindToldOnce(t *testing.T) {
	differs := &Exercise{Name: "numbers", Group: "numbers", Run: func(_ context.Context, t *Trial) error {
		c := &number{100 + int(t.Number)}
		return &Failure{Err: c.Check(), Case: c}
	}}
	panics := &Exercise{Name: "panics", Group: "panics", Run: func(context.Context, *Trial) error { panic("what") }}
	var found []*Difference
	r := Run(context.Background(), Options{Time: 200 * time.Millisecond, Workers: 2, Seed: 5, Exercises: []*Exercise{differs, panics}, Found: func(d *Difference) { found = append(found, d) }})
	require.Greater(t, r.Differences, 2)
	require.Len(t, found, 2)
	require.Equal(t, r.Differences-2, r.Untold)
	byName := map[string]*Difference{}
	for _, d := range found {
		byName[d.Exercise] = d
	}
	d := byName["numbers"]
	require.Equal(t, &number{7}, d.Case)
	require.EqualError(t, d.Err, "7")
	require.Equal(t, uint64(5), d.Seed)
	require.Equal(t, fmt.Sprint(100+d.Number), d.Was)
	require.ErrorContains(t, byName["panics"].Err, "panic: what")
	require.Nil(t, byName["panics"].Case)
	require.Contains(t, r.Missing, "numbers")
}

func TestTheFirstDifferenceEndsTheRunIfAskedTo(t *testing.T) {
	start := time.Now()
	r := Run(context.Background(), Options{Time: time.Hour, Workers: 1, First: true, Found: func(*Difference) {}, Exercises: []*Exercise{
		{Name: "a", Run: func(context.Context, *Trial) error { return errors.New("so") }}}})
	require.Less(t, time.Since(start), 20*time.Second)
	require.Equal(t, 1, r.Differences)
	require.False(t, r.Interrupted)
}

func TestACaseDependsOnSeedExerciseAndNumberAlone(t *testing.T) {
	seen := map[uint64]bool{}
	for _, name := range []string{"a", "b"} {
		for seed := range uint64(3) {
			for n := range int64(3) {
				a, b := NewTrial(name, seed, n, Wrong{}), NewTrial(name, seed, n, Wrong{})
				require.Equal(t, a.Seed, b.Seed)
				require.Equal(t, a.Rand.Uint64(), b.Rand.Uint64())
				seen[a.Seed] = true
			}
		}
	}
	require.Len(t, seen, 18)
}

func TestWaysThatAreAskedAreReached(t *testing.T) {
	l, err := rules.NewList(rules.IPv4Tuple, rules.Rule[int]{})
	require.NoError(t, err)
	trial := NewTrial("a", 1, 1, Wrong{Lists: func(w ways.Way) ways.Way { return ways.Way{Name: "wrong " + w.Name, Build: w.Build} }})
	w := trial.Wrap(ways.Linear())
	require.Equal(t, "wrong linear", w.Name)
	a, err := w.Build(l)
	require.NoError(t, err)
	require.Empty(t, trial.reached)
	a.First(rules.IPv4Tuple.NewKey(), make([]int, 1))
	require.Equal(t, map[string]bool{"way: linear": true}, trial.reached)
}

func TestProgressIsReported(t *testing.T) {
	var shown atomic.Int64
	Run(context.Background(), Options{Time: 300 * time.Millisecond, Workers: 1, Every: 20 * time.Millisecond, Progress: func(r *Report) {
		shown.Add(1)
	}, Exercises: []*Exercise{counting("a", 1, time.Millisecond)}})
	require.Greater(t, shown.Load(), int64(1))
}
