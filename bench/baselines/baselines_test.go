package baselines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// plenty is more memory than any engine but dimtree needs in these tests.
const plenty = 16 << 20

func makeEngine(t testing.TB, m compare.Maker, l *rules.List[string]) compare.Engine {
	t.Helper()
	e, err := m.Make(context.Background(), l, plenty)
	require.NoError(t, err, m.Name)
	return e
}

// packets returns keys of all modes for a list, some with absent fields.
func packets(t testing.TB, l *rules.List[string], n int) (words []uint32) {
	t.Helper()
	for i, absent := range []float64{0, 0.3} {
		for _, mode := range []workload.Mode{workload.Mixed, workload.Trace} {
			k, err := workload.Packets(l, workload.PacketConfig{N: n / 4, Seed: uint64(i + 1), Mode: mode, Absent: absent})
			require.NoError(t, err)
			words = append(words, k.Words()...)
		}
	}
	return words
}

// answers are those of the linear matcher, without the rules that are out.
func answers(l *rules.List[string], words []uint32, out map[int]bool) []int32 {
	n := l.Schema().KeyLen()
	want := make([]int32, len(words)/n)
	for i := range want {
		k := rules.Key(words[i*n : i*n+n])
		want[i] = -1
		if len(out) == 0 {
			if at, ok := l.First(k); ok {
				want[i] = int32(at)
			}
			continue
		}
		for at := range l.Matches(k) {
			if !l.At(at).Continue && !out[at] {
				want[i] = int32(at)
				break
			}
		}
	}
	return want
}

func requireAnswers(t testing.TB, e compare.Engine, l *rules.List[string], words []uint32, want []int32, what any) {
	t.Helper()
	got := make([]int32, len(want))
	e.First(words, got)
	n := l.Schema().KeyLen()
	for i := range want {
		if want[i] != got[i] {
			require.Failf(t, "wrong answer", "%v: key %d %v: rule %d, want %d", what, i, words[i*n:i*n+n], got[i], want[i])
		}
	}
}

// lists returns the rule sets of the tests by name, small enough for every
// engine.
func lists(t testing.TB) map[string]*rules.List[string] {
	t.Helper()
	out := map[string]*rules.List[string]{}
	add := func(name string, l *rules.List[string], err error) {
		require.NoError(t, err, name)
		out[name] = l
	}
	for _, family := range workload.Families() {
		for _, six := range []bool{false, true} {
			l, err := workload.Generate(workload.Config{Family: family, Rules: 150, Seed: 3, IPv6: six})
			add(fmt.Sprintf("%s ipv6=%v", family, six), l, err)
		}
	}
	for _, family := range []string{"fw1", "acl2"} {
		l, err := workload.FirewallSet(workload.Config{Family: family, Rules: 80, Seed: 3})
		add("firewall "+family, l, err)
	}
	for _, kind := range workload.Adversaries() {
		l, err := workload.Adversarial(kind, 60, 1)
		add(kind.String(), l, err)
	}
	for seed := range uint64(6) {
		for name, s := range map[string]*rules.Schema{"tuple": rules.IPv4Tuple, "odd": odd, "ip": rules.IPTuple} {
			c := workload.RandomConfig{Rules: 30, Seed: seed}
			l, err := workload.Random(s, c)
			add(fmt.Sprintf("plain random %s %d", name, seed), l, err)
			l, err = workload.Random(s, c.Everything())
			add(fmt.Sprintf("random %s %d", name, seed), l, err)
		}
	}
	l, err := workload.Random(rules.Firewall, workload.RandomConfig{Rules: 15, Seed: 1, Constrain: 0.1}.Everything())
	add("random firewall", l, err)
	add("empty", rules.NewBuilder[string](rules.IPv4Tuple).List(), nil)
	b := rules.NewBuilder[string](rules.MustSchema())
	_, err = b.Add(rules.Rule[string]{Continue: true})
	require.NoError(t, err)
	_, err = b.Add(rules.Rule[string]{})
	add("no fields", b.List(), err)
	return out
}

// odd has fields of one to four words, most with a partial first word.
var odd = rules.MustSchema(
	rules.Field{Name: "one", Bits: 5}, rules.Field{Name: "src", Bits: 77}, rules.Field{Name: "sport", Bits: 16},
	rules.Field{Name: "dst", Bits: 33}, rules.Field{Name: "four", Bits: 128})

func TestEveryBaselineAnswersAsTheLinearMatcher(t *testing.T) {
	all, large := lists(t), 0
	for name, l := range all {
		words := packets(t, l, 1200)
		want := answers(l, words, nil)
		for _, m := range All() {
			e, err := m.Make(context.Background(), l, plenty)
			if m.Name == "dimtree" && errors.Is(err, compare.ErrMemory) {
				large++
				continue
			}
			require.NoError(t, err, m.Name+" on "+name)
			requireAnswers(t, e, l, words, want, m.Name+" on "+name)
			e.Close()
		}
	}
	require.Less(t, large, len(all)/4, "sets too large for dimtree")
}

// updates are the baselines that are made for updates.
var updates = map[string]bool{"tuplespace": true, "tuplemerge": true, "partitionsort": true}

func TestUpdatersAnswerAsTheLinearMatcherAfterEveryHistory(t *testing.T) {
	for name, l := range lists(t) {
		if l.Len() == 0 {
			continue
		}
		words := packets(t, l, 200)
		for _, m := range All() {
			if !updates[m.Name] {
				continue
			}
			e := makeEngine(t, m, l).(compare.Updater)
			r := rand.New(rand.NewPCG(7, uint64(len(name))))
			out := map[int]bool{}
			for step := range 12 {
				for range 1 + r.IntN(l.Len()) {
					at := r.IntN(l.Len())
					if step == 6 { // nearly everything goes
						at = (at + step) % l.Len()
						if out[at] {
							continue
						}
					}
					if out[at] {
						require.NoError(t, e.Insert(at))
						delete(out, at)
					} else {
						require.NoError(t, e.Delete(at))
						out[at] = true
					}
				}
				requireAnswers(t, e, l, words, answers(l, words, out), fmt.Sprint(m.Name, " on ", name, " step ", step))
			}
			for at := range l.Len() { // empty it
				if !out[at] {
					require.NoError(t, e.Delete(at))
					out[at] = true
				}
			}
			requireAnswers(t, e, l, words, answers(l, words, out), m.Name+" emptied on "+name)
			for _, at := range r.Perm(l.Len()) {
				require.NoError(t, e.Insert(at))
			}
			requireAnswers(t, e, l, words, answers(l, words, nil), m.Name+" filled again on "+name)
		}
	}
}

func TestUpdatersRefuseRulesThatAreNotThere(t *testing.T) {
	l, err := workload.Adversarial(workload.Crossing, 10, 1)
	require.NoError(t, err)
	for _, m := range All() {
		e, ok := makeEngine(t, m, l).(compare.Updater)
		require.Equal(t, updates[m.Name], ok, m.Name)
		if !ok {
			continue
		}
		for _, at := range []int{-1, 10} {
			require.EqualError(t, e.Delete(at), fmt.Sprintf("rule %d: there are 10, counted from 0", at))
			require.Error(t, e.Insert(at))
		}
		require.EqualError(t, e.Insert(3), "rule 3 is in already")
		require.NoError(t, e.Delete(3))
		require.EqualError(t, e.Delete(3), "rule 3 is out already")
	}
}

func TestABaselineKeepsToItsMemory(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "acl1", Rules: 500, Seed: 1})
	require.NoError(t, err)
	for _, m := range All() {
		whole := makeEngine(t, m, l).Bytes()
		require.Positive(t, whole, m.Name)
		for _, limit := range []int64{0, 100, whole / 2, whole - 1} {
			_, err := m.Make(context.Background(), l, limit)
			require.ErrorIs(t, err, compare.ErrMemory, "%s in %d bytes of %d", m.Name, limit, whole)
			require.ErrorContains(t, err, m.Name)
		}
		_, err := m.Make(context.Background(), l, math.MaxInt64)
		require.NoError(t, err)
	}
}

func TestABaselineEndsWithItsContext(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "acl1", Rules: 500, Seed: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	for _, m := range All() {
		_, err := m.Make(ctx, l, plenty)
		require.ErrorIs(t, err, context.Canceled, m.Name)
	}
}

func TestEveryBaselineSaysWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range All() {
		require.NotEmpty(t, m.Name)
		require.NotEmpty(t, m.Title)
		require.NotEmpty(t, m.Source)
		require.False(t, seen[m.Name], m.Name)
		seen[m.Name] = true
	}
}
