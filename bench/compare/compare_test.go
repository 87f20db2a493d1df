package compare

// Contestants of both kinds, held against the linear matcher.

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// The test binary is also the program of peers that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == fakePeer {
		os.Exit(runFake(os.Args[2]))
	}
	os.Exit(m.Run())
}

func set(t *testing.T, n int) (*rules.List[string], []uint32) {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: n, Seed: 1})
	require.NoError(t, err)
	k, err := workload.Packets(l, workload.PacketConfig{N: 500, Seed: 2})
	require.NoError(t, err)
	return l, k.Words()
}

// everybody returns contestants of both kinds.
func everybody(t *testing.T) map[string]Contestant {
	t.Helper()
	all := map[string]Contestant{}
	for _, m := range append(Own(), fakeMakers()...) {
		all["local "+m.Name] = Local(m)
	}
	p, err := Start(t.Context(), fake(t, "good")...)
	require.NoError(t, err)
	for _, c := range p.Contestants() {
		all["process "+c.About().Name] = c
	}
	for _, c := range all {
		t.Cleanup(func() { require.NoError(t, c.Close()) })
	}
	return all
}

func TestEnginesAnswerAsTheLinearMatcher(t *testing.T) {
	l, keys := set(t, 200)
	w, err := Linear(t.Context(), l, keys, 0, func(int) {})
	require.NoError(t, err)
	for name, c := range everybody(t) {
		if c.About().Name == "absent" || c.About().Name == "wrong" {
			continue // they have tests of their own
		}
		t.Run(name, func(t *testing.T) {
			b, err := c.Load(t.Context(), l, 0)
			require.NoError(t, err)
			require.Contains(t, []string{bytesTold, bytesHeap}, b.BytesFrom)
			res, err := w.Check(t.Context(), c)
			require.NoError(t, err)
			require.NoError(t, res.Err())
			if c.About().Name == "tcp" {
				require.Positive(t, res.NotAsked)
			}
			require.Equal(t, w.Len(), res.Packets+res.NotAsked)
			took, err := c.Pass(t.Context(), 100, 500, 3)
			require.NoError(t, err)
			require.Positive(t, took)
			require.ErrorContains(t, errorOf(c.Pass(t.Context(), 100, 501, 1)), "there are 500")
			require.ErrorContains(t, c.Answers(t.Context(), -1, make([]int32, 1)), "there are 500")
			require.ErrorContains(t, errorOf(c.Keys(t.Context(), keys[:7])), "no array of keys")
		})
	}
}

func errorOf(_ any, err error) error { return err }

func TestAWrongAnswerIsReportedWithItsPacket(t *testing.T) {
	l, keys := set(t, 20)
	for name, c := range everybody(t) {
		if c.About().Name != "wrong" {
			continue
		}
		_, err := c.Load(t.Context(), l, 0)
		require.NoError(t, err, name)
		res, err := Check(t.Context(), c, l, keys)
		require.NoError(t, err, name)
		require.Equal(t, 1, res.Wrong, name)
		require.Equal(t, 37, res.First.Packet, name)
		require.ErrorContains(t, res.Err(), "1 of 500 packets are answered wrongly; the first is packet 37 (src=", name)
		require.ErrorContains(t, res.Err(), ": rule 1000000, and right is rule ", name)
	}
}

func TestVerdictsTakeALastRuleForTheRest(t *testing.T) {
	l, err := rules.NewList(rules.IPv4Tuple,
		rules.Rule[string]{Conds: rules.IPv4Tuple.MustConds("dport=80")},
		rules.Rule[string]{})
	require.NoError(t, err)
	require.Equal(t, int32(0), Verdict(l, 0))
	require.Equal(t, int32(-1), Verdict(l, 1))
	require.Equal(t, int32(-1), Verdict(l, -1))
	only, err := rules.NewList(rules.IPv4Tuple, rules.Rule[string]{Conds: rules.IPv4Tuple.MustConds("dport=80")})
	require.NoError(t, err)
	require.Equal(t, int32(0), Verdict(only, 0))
}

func TestWrongVerdictsAreSaidInWords(t *testing.T) {
	m := Mismatch{Text: "proto=tcp", Got: 0, Want: -1, verdict: true}
	require.ErrorContains(t, (&Checked{Packets: 9, Wrong: 1, First: &m}).Err(), "(proto=tcp): let through, and right is refused")
}

func TestPacketsThatCannotBeAskedAboutHaveOthersInTheirPlace(t *testing.T) {
	l, keys := set(t, 20)
	for name, c := range everybody(t) {
		if c.About().Name != "tcp" {
			continue
		}
		_, err := c.Load(t.Context(), l, 0)
		require.NoError(t, err, name)
		before := append([]uint32(nil), keys...)
		n, err := c.Keys(t.Context(), keys)
		require.NoError(t, err, name)
		out := make([]int32, 500)
		require.NoError(t, c.Answers(t.Context(), 0, out), name)
		for i, answer := range out {
			require.Equal(t, keys[i*6+5] != 6, answer == NotAsked, "%s: packet %d", name, i)
		}
		require.Equal(t, before, keys, name)
		require.Positive(t, n, name)

		_, err = c.Keys(t.Context(), []uint32{0, 1, 2, 3, 4, 17})
		require.ErrorIs(t, err, ErrUnsupported, name)
	}
}

func TestEditsTakeRulesOutAndPutThemBack(t *testing.T) {
	l, keys := set(t, 300)
	for name, c := range everybody(t) {
		if c.About().Name != "hipac-live" {
			continue
		}
		b, err := c.Load(t.Context(), l, 0)
		require.NoError(t, err, name)
		require.True(t, b.Updates, name)
		_, err = c.Keys(t.Context(), keys)
		require.NoError(t, err, name)
		var edits []Edit
		out := map[int32]bool{}
		for i := range int32(150) {
			edits = append(edits, Edit{Position: (i * 7) % 300})
			out[(i*7)%300] = true
		}
		for i := range int32(75) {
			at := (i * 14) % 300
			edits = append(edits, Edit{Position: at, Insert: true})
			delete(out, at)
		}
		took := make([]time.Duration, len(edits))
		require.NoError(t, c.Edit(t.Context(), edits, took), name)
		for _, d := range took {
			require.NotZero(t, d, name)
		}
		got := make([]int32, 500)
		require.NoError(t, c.Answers(t.Context(), 0, got), name)
		for i := range got {
			want := int32(-1)
			for p, r := range l.All() {
				if !out[int32(p)] && r.Matches(l.Schema(), keys[i*6:i*6+6]) {
					want = int32(p)
					break
				}
			}
			require.Equal(t, want, got[i], "%s: packet %d", name, i)
		}
		require.ErrorContains(t, c.Edit(t.Context(), []Edit{{Position: 300}}, took), "no rule at position 300", name)
		require.ErrorContains(t, c.Edit(t.Context(), []Edit{{Position: 0}, {Position: 0}}, took), "edit 2: the rule at position 0 is out of the list already", name)
	}
}

func TestOthersCannotBeEdited(t *testing.T) {
	l, _ := set(t, 20)
	for name, c := range everybody(t) {
		if n := c.About().Name; n != "hipac" {
			continue
		}
		b, err := c.Load(t.Context(), l, 0)
		require.NoError(t, err, name)
		require.False(t, b.Updates, name)
		require.ErrorIs(t, c.Edit(t.Context(), []Edit{{}}, make([]time.Duration, 1)), ErrUnsupported, name)
		require.ErrorContains(t, c.Edit(t.Context(), []Edit{{}}, nil), "room for the times", name)
	}
}

func TestErrorsOfMakersAreKnownOnBothSides(t *testing.T) {
	l, _ := set(t, 3000)
	for name, c := range everybody(t) {
		switch c.About().Name {
		case "absent":
			_, err := c.Load(t.Context(), l, 0)
			require.ErrorIs(t, err, ErrUnsupported, name)
			require.ErrorContains(t, err, "there is none today", name)
		case "hipac":
			_, err := c.Load(t.Context(), l, 10_000)
			require.ErrorIs(t, err, ErrMemory, name)
			_, err = c.Keys(t.Context(), make([]uint32, 6))
			require.ErrorContains(t, err, "no rules are loaded", name)
			_, err = c.Load(t.Context(), l, 0)
			require.NoError(t, err, name)
		}
	}
}

func TestLinearStopsWithTheContext(t *testing.T) {
	l, keys := set(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Linear(ctx, l, keys, 0, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Linear(t.Context(), l, nil, 0, nil)
	require.ErrorContains(t, err, "no array of keys")
	w, err := Linear(t.Context(), l, keys, 10, nil)
	require.NoError(t, err)
	require.Equal(t, 10, w.Len())
}

// Makers for tests.

func fakeMakers() []*Maker {
	linear := func(ctx context.Context, l *rules.List[string], bytes int64) (*walk, error) { return &walk{l}, nil }
	return []*Maker{
		{Name: "tcp", Title: "asked about TCP alone", Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
			w, err := linear(ctx, l, bytes)
			return tcpOnly{w}, err
		}},
		{Name: "verdict", VerdictOnly: true, Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
			w, err := linear(ctx, l, bytes)
			return verdicts{w}, err
		}},
		{Name: "prepared", Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
			w, err := linear(ctx, l, bytes)
			return &prepared{walk: w}, err
		}},
		{Name: "wrong", Make: func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error) {
			w, err := linear(ctx, l, bytes)
			return &wrong{walk: w}, err
		}},
		{Name: "absent", Skip: func() string { return "there is none today" }, Make: func(context.Context, *rules.List[string], int64) (Engine, error) {
			return nil, errors.New("it was made all the same")
		}},
	}
}

type tcpOnly struct{ *walk }

func (tcpOnly) CanAsk(k rules.Key) bool { return k[0] == 0 && k[5] == 6 }

type verdicts struct{ *walk }

func (e verdicts) First(keys []uint32, out []int32) {
	e.walk.First(keys, out)
	for i := range out {
		out[i] = Verdict(e.list, out[i])
	}
}

// prepared has positions ready instead of keys.
type prepared struct {
	*walk
	of []int32
}

func (e *prepared) Prepare(keys []uint32) error {
	e.of = make([]int32, len(keys)/e.list.Schema().KeyLen())
	e.walk.First(keys, e.of)
	return nil
}

func (e *prepared) First([]uint32, []int32) { panic("asked about keys") }

func (e *prepared) FirstPrepared(from int, out []int32) { copy(out, e.of[from:]) }

type wrong struct {
	*walk
	done int
}

func (e *wrong) First(keys []uint32, out []int32) {
	e.walk.First(keys, out)
	if e.done <= 37 && 37 < e.done+len(out) {
		out[37-e.done] = 999_999
	}
	e.done += len(out)
}
