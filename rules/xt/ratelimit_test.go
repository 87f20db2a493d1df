package xt

import (
	"testing"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/stretchr/testify/require"
)

func TestRateLimitLetsABurstThroughAndThenTheRate(t *testing.T) {
	clock := time.Unix(1000, 0)
	s := NewTraversal(rules.MustSchema())
	s.State = &State{Now: func() time.Time { return clock }}
	s.Packet = packet.Packet{Length: 1000, Has: packet.HasLength}
	ask := func(test rules.Test) rules.Outcome {
		o, _ := test.Ask(s)
		return o
	}
	pass := func(test rules.Test, n int) (passed int) {
		for range n {
			if ask(test) == rules.Yes {
				passed++
			}
		}
		return passed
	}
	test, err := RateLimit{Rate: 10, Per: 1, Burst: 3}.Test()
	require.NoError(t, err)
	require.Equal(t, 3, pass(test, 10))
	clock = clock.Add(99 * time.Millisecond)
	require.Equal(t, 0, pass(test, 10))
	clock = clock.Add(time.Millisecond)
	require.Equal(t, 1, pass(test, 10))
	clock = clock.Add(time.Hour)
	require.Equal(t, 3, pass(test, 10), "a burst and no more")

	usual, err := RateLimit{Rate: 1, Per: 60}.Test()
	require.NoError(t, err)
	require.Equal(t, 5, pass(usual, 10))

	over, err := RateLimit{Rate: 1, Per: 60, Burst: 2, Over: true}.Test()
	require.NoError(t, err)
	require.Equal(t, 8, pass(over, 10))

	bytes, err := RateLimit{Rate: 2500, Per: 1, Burst: 500, Bytes: true}.Test()
	require.NoError(t, err)
	require.Equal(t, 3, pass(bytes, 10), "a second's bytes and the burst")
	clock = clock.Add(400 * time.Millisecond)
	require.Equal(t, 1, pass(bytes, 10))
	s.Packet.Has = 0
	require.Equal(t, rules.Unsure, ask(bytes))
}

func TestRateLimitRefusesWhatTheKernelCannotCount(t *testing.T) {
	for _, l := range []RateLimit{{Per: 1}, {Rate: 1}, {Rate: 1 << 63, Per: 1, Burst: 1 << 63}, {Rate: 1, Per: 1 << 60}, {Rate: 1 << 40, Per: 604800, Bytes: true}, {Rate: 1, Per: 604800, Burst: 1 << 30}} {
		_, err := l.Test()
		require.ErrorIs(t, err, ErrOverflow, "%+v", l)
	}
}
