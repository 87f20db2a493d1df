package compare

// Builds that are given up for their CPU time, here and in a process.

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// spinner makes engines that work, or wait, for a long time, or until the context
// ends where they look at it.
func spinner(name string, make func(ctx context.Context)) *Maker {
	return &Maker{Name: name, Make: func(ctx context.Context, l *rules.List[string], _ int64) (Engine, error) {
		make(ctx)
		return &walk{l}, ctx.Err()
	}}
}

func needsCPUClock(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("there is no clock of CPU time")
	}
}

func TestABuildEndsWithItsCPUTime(t *testing.T) {
	needsCPUClock(t)
	l, _ := set(t, 20)
	c := Local(spinner("busy", func(ctx context.Context) {
		for ctx.Err() == nil {
		}
	}))
	_, err := c.Load(WithCPU(t.Context(), 20*time.Millisecond), l, 0)
	require.ErrorIs(t, err, ErrCPU)
	require.EqualError(t, err, "busy: more CPU time than it may take")

	// The end of the context is told as that.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Load(WithCPU(ctx, time.Hour), l, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = Local(Own()[0]).Load(WithCPU(t.Context(), 0), l, 0)
	require.ErrorIs(t, err, ErrCPU)
}

func TestWaitingTakesNoCPUTime(t *testing.T) {
	needsCPUClock(t)
	l, _ := set(t, 20)
	c := Local(spinner("idle", func(context.Context) { time.Sleep(600 * time.Millisecond) }))
	_, err := c.Load(WithCPU(t.Context(), 500*time.Millisecond), l, 0)
	require.NoError(t, err)
}

func TestAProcessEndsWithItsCPUTime(t *testing.T) {
	needsCPUClock(t)
	l, _ := set(t, 20)
	p, err := Start(t.Context(), fake(t, "bad")...)
	require.NoError(t, err)
	for _, c := range p.Contestants() {
		switch c.About().Name {
		case "works":
			_, err := c.Load(WithCPU(t.Context(), 300*time.Millisecond), l, 0)
			require.ErrorIs(t, err, ErrCPU)
			require.ErrorContains(t, err, "works: more CPU time than it may take (asked to load)")
		case "hangs":
			_, err := c.Load(WithCPU(t.Context(), time.Minute), l, 0)
			require.NoError(t, err)
			// The limit is of Load alone.
			_, err = c.Keys(t.Context(), make([]uint32, 6))
			require.NoError(t, err)
		}
		require.NoError(t, c.Close())
	}
}

// idle is an engine whose edits do nothing.
type idle struct{ *walk }

func (idle) Delete(int) error { return nil }
func (idle) Insert(int) error { return nil }

func TestReadingTheClockIsNoPartOfAnEdit(t *testing.T) {
	needsCPUClock(t)
	l, _ := set(t, 20)
	c := Local(&Maker{Name: "idle", Make: func(_ context.Context, l *rules.List[string], _ int64) (Engine, error) { return idle{&walk{l}}, nil }})
	_, err := c.Load(t.Context(), l, 0)
	require.NoError(t, err)
	took := make([]time.Duration, 2001)
	require.NoError(t, c.Edit(t.Context(), make([]Edit, len(took)), took))
	slices.Sort(took)
	require.GreaterOrEqual(t, took[0], time.Duration(0))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.Less(t, took[len(took)/2], clockCost())
}
