package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
)

func TestMeasuringMakesNinePassesOfAllInTurn(t *testing.T) {
	const n = 1000
	var turns []string
	runs := map[string][][2]int{}
	one := func(group string) *timed {
		return &timed{group: group, run: func(from, to int) {
			runs[group] = append(runs[group], [2]int{from, to})
			turns = append(turns, group)
		}}
	}
	garbage := one("g")
	garbage.garbage = true
	list := []*timed{garbage, one("a"), one("b"), one("b")}
	last := 0
	measure(t.Context(), list, n, effort{most: time.Hour, least: 0}, func(p int) { last = p })
	require.Equal(t, passes, last)
	for _, m := range list {
		require.Len(t, m.ns, passes)
		require.Equal(t, n, m.packets)
	}
	// The last pass: each is warmed up and run, what allocates last.
	require.Equal(t, []string{"a", "a", "b", "b", "b", "b", "g", "g"}, turns[len(turns)-8:])
	all, eighth := [2]int{0, n}, [2]int{n - n/8, n}
	require.Equal(t, [][2]int{all, all}, runs["a"][len(runs["a"])-2:])
	require.Equal(t, [][2]int{all, all, eighth, all}, runs["b"][len(runs["b"])-4:])
}

func TestSlowWorkTakesAPartOfThePacketsAnotherInEachPass(t *testing.T) {
	const n = 100
	busy := &timed{group: "a", run: func(from, to int) {
		for start := compare.ThreadTime(); compare.ThreadTime()-start < time.Duration(to-from)*50*time.Microsecond; {
		}
	}}
	follower := &timed{group: "a", run: func(from, to int) {}}
	seen := map[int]bool{}
	inner := busy.run
	busy.run = func(from, to int) {
		require.True(t, 0 <= from && from <= to && to <= n)
		for i := from; i < to; i++ {
			seen[i] = true
		}
		inner(from, to)
	}
	measure(t.Context(), []*timed{busy, follower}, n, effort{most: time.Millisecond}, func(int) {})
	require.Less(t, busy.packets, n)
	require.Positive(t, busy.packets)
	require.Equal(t, busy.packets, follower.packets)
	require.True(t, seen[0] && seen[n-1], "the passes reach from the first packet to the last")
}

func TestQuickWorkIsRepeated(t *testing.T) {
	calls := 0
	quick := &timed{group: "a", run: func(int, int) { calls++ }}
	measure(t.Context(), []*timed{quick}, 1, effort{most: time.Second, least: time.Millisecond}, func(int) {})
	require.Greater(t, quick.repeat, 1)
	require.Greater(t, calls, passes*quick.repeat)
}

func TestRunsAreShorterWhenThereIsLittleTimeLeft(t *testing.T) {
	e := effort{most: 100 * time.Millisecond, whole: 25 * time.Second}
	for _, tt := range []struct {
		spent time.Duration
		paths int
		want  time.Duration
	}{
		{0, 5, 100 * time.Millisecond},
		{20 * time.Second, 5, 5 * time.Second / (33 * 5)},
		{time.Minute, 5, 10 * time.Millisecond},
		{24 * time.Second, 0, time.Second / 33},
	} {
		require.Equal(t, tt.want, e.within(tt.spent, tt.paths).most)
	}
}

func TestMediansAreOfTheMiddle(t *testing.T) {
	require.Equal(t, 3.0, median([]float64{9, 1, 3}))
	require.Equal(t, 7.0, median([]float64{7}))
}

func TestBuildsAreRepeatedUnlessTheyTakeLong(t *testing.T) {
	for _, tt := range []struct {
		build time.Duration
		want  int
	}{{time.Hour, 3}, {0, 1}} {
		calls := 0
		_, err := timeBuild(effort{build: tt.build}, func() error { calls++; return nil })
		require.NoError(t, err)
		require.Equal(t, tt.want, calls)
	}
	bad := errors.New("bad")
	_, err := timeBuild(little, func() error { return bad })
	require.ErrorIs(t, err, bad)
	_, err = heapGrowth(func() error { return bad })
	require.ErrorIs(t, err, bad)
}

func TestHeapGrowthIsWhatStays(t *testing.T) {
	var stays []byte
	grown, err := heapGrowth(func() error {
		stays = make([]byte, 1<<20)
		for range 10 {
			goes := make([]byte, 1<<20)
			goes[0] = 1
		}
		return nil
	})
	require.NoError(t, err)
	require.InDelta(t, len(stays), grown, 100_000)
}

func TestProgressIsForTerminalsOnly(t *testing.T) {
	var out bytes.Buffer
	a := &app{stderr: &out}
	p := a.newProgress("timing", 9)
	p.at(5)
	p.done()
	require.Nil(t, p)
	a.terminal = true
	p = a.newProgress("timing", 9)
	p.at(9)
	p.done()
	require.Contains(t, out.String(), "timing")
}

func TestFiguresAreWrittenInUnitsThatSuitThem(t *testing.T) {
	for ns, want := range map[float64]string{12.34: "12.3 ns", 1234: "1.23 µs", 12345: "12.3 µs", 1.5e6: "1.50 ms"} {
		require.Equal(t, want, nanoseconds(ns))
	}
	for n, want := range map[int64]string{12: "12 B", 12345: "12.3 kB", 12345678: "12.35 MB"} {
		require.Equal(t, want, size(n))
	}
	require.Equal(t, "12.00 ms", seconds(0.012))
	require.Equal(t, "1.50 s", seconds(1.5))
}
