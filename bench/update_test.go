package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

// updateKeys are the keys of the command's object.
var updateKeys = []string{
	"cpu_slowdown_during", "delete_us_max", "delete_us_p50", "delete_us_p99", "edits_per_second", "edits_per_second_during",
	"insert_us_max", "insert_us_p50", "insert_us_p99", "lookup_slowdown_after", "lookup_slowdown_after_build",
	"lookup_slowdown_during", "memory_growth_after", "memory_growth_after_build", "rebuild_us",
}

// generatedFile writes rules of the generator to a file.
func generatedFile(t *testing.T, n int) string {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: "acl1", Rules: n, Seed: 1})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, native.Write(&b, l))
	return file(t, "r", b.String())
}

func TestUpdatePrintsOneObjectWithTheAgreedKeys(t *testing.T) {
	v := object(t, "", "update", "--rules", generatedFile(t, 300))
	require.Equal(t, updateKeys, keys(v))
	for _, k := range updateKeys {
		require.Positive(t, v[k], k)
	}
	for _, kind := range []string{"insert", "delete"} {
		require.LessOrEqual(t, v[kind+"_us_p50"], v[kind+"_us_p99"])
		require.LessOrEqual(t, v[kind+"_us_p99"], v[kind+"_us_max"])
	}
}

func TestUpdateTextHasARowPerFigure(t *testing.T) {
	r := generatedFile(t, 300)
	got := invoke(t, "", "update", "--rules", r, "--seed", "7")
	require.Equal(t, result{code: exitOK, stdout: got.stdout}, got)
	require.Regexp(t, `^rules    300, `+r+`
packets  2000, made from the rules \(seed 7\)
held out 15: \d+ since they hide another rule, the others at random
rebuild  [\d.]+ ms

    edit  edits +p50 +p99 +max  answers changed  walked  wrong
  insert     15 +[^\n]+ +\d+ +\d+ +0
(     CPU [^\n]+
)?  delete     15 +[^\n]+ +\d+ +\d+ +0
(     CPU [^\n]+
)?  random    400 +[^\n]+
`, got.stdout)
	require.Regexp(t, `\n +alone +0 +\d+ +1.00 +[\d.]+ [nµ]s
  with 50000 edits/s +\d+ +\d+ +[\d.]+ +[\d.]+ [nµ]s
      with all edits +\d+ +\d+ +[\d.]+ +[\d.]+ [nµ]s
`, got.stdout)
	require.Regexp(t, `\nafter 400 random edits \(\d+ inserts, \d+ deletes, \d+ moves\), with \d+ rules:\n`, got.stdout)
	for _, list := range []string{"edited", "NewLive", "Build"} {
		require.Regexp(t, `\n +`+list+` +[\d.]+ [nµ]s +[\d.]+ +[\d.]+ k?M?B +[\d.]+\n`, got.stdout)
	}
}

func TestUpdateTakesListsOfAFewRules(t *testing.T) {
	p := file(t, "p", trace1)
	for _, text := range []string{nativeRules, classbenchRules, "hipac 1\nschema ipv4\nrule any => X\n"} {
		v := object(t, text, "update", "--rules", "-", "--packets", p)
		require.Equal(t, updateKeys, keys(v))
	}
}

func TestUpdateReportsWhatThereWasNoTimeFor(t *testing.T) {
	r := updateResult{held: 15, drift: drift{of: 400, settled: true, editTimes: editTimes{took: make([]time.Duration, 300)}}}
	r.insert.took = make([]time.Duration, 7)
	require.Equal(t, "7 of 15 inserts and deletes; 300 of 400 random edits", r.cut(little))
	r.insert.took, r.drift.took, r.drift.settled = make([]time.Duration, 15), make([]time.Duration, 400), false
	require.Equal(t, "work in the background was not waited for", r.cut(little))
	r.drift.settled = true
	require.Empty(t, r.cut(little))
}

func TestWrongAnswersAfterEditsFailTheRun(t *testing.T) {
	r := generatedFile(t, 300)
	for phase, want := range map[string]string{
		"insert":    "bench: wrong answers: after inserting, 2 of 15\n",
		"delete":    "bench: wrong answers: after deleting, 2 of 15\n",
		"sustained": "bench: wrong answers: after edits beside lookups, 2 of 2000\n",
		"random":    "bench: wrong answers: after random edits, 2 of 2000\n",
	} {
		tamper := func(name string, positions []int32) {
			if name == phase {
				positions[0] ^= 1
				positions[2] = 299
			}
		}
		got := invokeTampered(t, tamper, "", "update", "--rules", r)
		require.Equal(t, exitData, got.code)
		require.Equal(t, want, got.stderr)
	}
}

// heldOutOf holds rules of a generated list out, and makes the live list of the
// others.
func heldOutOf(t *testing.T, family string, n int) *toggler[string] {
	t.Helper()
	l, err := workload.Generate(workload.Config{Family: family, Rules: n, Seed: 1})
	require.NoError(t, err)
	full, err := hipac.Build(context.Background(), l, nil)
	require.NoError(t, err)
	h, err := holdOut(t.Context(), l, full, 1)
	require.NoError(t, err)
	live, err := hipac.NewLive(context.Background(), h.base, nil)
	require.NoError(t, err)
	return &toggler[string]{heldOut: h, live: live, in: make([]bool, len(h.held)), r: rand.New(rand.NewPCG(1, 0))}
}

func TestRulesHeldOutAreOneInTwentyInOrder(t *testing.T) {
	x := heldOutOf(t, "fw1", 1000)
	require.Len(t, x.held, 50)
	require.True(t, slices.IsSorted(x.held))
	require.Equal(t, 950, x.base.Len())
	for j, p := range x.held {
		require.EqualValues(t, j, x.number[p])
		require.Equal(t, -1, x.base.Position(x.list.At(int(p)).ID))
	}
}

func TestRulesThatHideOthersAreHeldOut(t *testing.T) {
	s := rules.IPv4Tuple
	var list []rules.Rule[string]
	for i := range 100 {
		conds := s.MustConds("proto=tcp dport=80-90")
		if i%2 == 0 {
			conds = append(s.MustConds("dport=85"), rules.In(s.MustIndex("src"), rules.Point(uint64(i))))
		}
		list = append(list, rules.Rule[string]{Conds: conds})
	}
	l, err := rules.NewList(s, list...)
	require.NoError(t, err)
	full, err := hipac.Build(context.Background(), l, nil)
	require.NoError(t, err)
	h, err := holdOut(t.Context(), l, full, 1)
	require.NoError(t, err)
	require.Equal(t, 1, h.hiders)
	// The first of the rules that are alike hides the others.
	j := slices.Index(h.held, 1)
	require.GreaterOrEqual(t, j, 0)
	w := &h.witness[j]
	require.EqualValues(t, 1, w.answer(h.held, func(int32) bool { return true }))
	other := w.answer(h.held, func(i int32) bool { return i != int32(j) })
	require.Positive(t, other)
	require.True(t, covers(l.At(1).Conds, l.At(int(other)).Conds))
}

func TestCoveringIsOfEveryFieldThatIsAskedFor(t *testing.T) {
	s := rules.IPv4Tuple
	for _, tt := range []struct {
		outer, inner string
		want         bool
	}{
		{"", "dport=80", true},
		{"dport=80", "", false},
		{"dport=80-90", "dport=80", true},
		{"dport=80-90", "dport=80-91", false},
		{"dport=80-90", "dport=79-90", false},
		{"dport=80-90", "sport=80", false},
		{"src=10.0.0.0/8", "src=10.1.0.0/16 proto=tcp", true},
		{"src=10.0.0.0/8 proto=tcp", "src=10.1.0.0/16", false},
		{"dport=80,90", "dport=80", false}, // more than one interval: not known
		{"dport!=80", "dport=90", false},
	} {
		var outer, inner []rules.Cond
		if tt.outer != "" {
			outer = s.MustConds(tt.outer)
		}
		if tt.inner != "" {
			inner = s.MustConds(tt.inner)
		}
		require.Equal(t, tt.want, covers(outer, inner), "%s, %s", tt.outer, tt.inner)
	}
}

func TestToggledRulesComeBackToTheirPlaces(t *testing.T) {
	x := heldOutOf(t, "fw1", 400)
	for range 500 {
		require.NoError(t, x.toggle())
		var want, got []rules.ID
		for p, r := range x.list.All() {
			if j := x.number[p]; j == none || x.in[j] {
				want = append(want, r.ID)
			}
		}
		for _, r := range x.live.Snapshot().Rules() {
			got = append(got, r.ID)
		}
		require.Equal(t, want, got)
	}
}

func TestWitnessesAnswerAsTheWalkDoes(t *testing.T) {
	for _, family := range []string{"acl1", "fw1", "ipc1"} {
		x := heldOutOf(t, family, 400)
		seen := map[bool]int{}
		for range 200 {
			require.NoError(t, x.toggle())
			in := func(j int32) bool { return x.in[j] }
			for j := range x.witness {
				w := &x.witness[j]
				want := x.walk(w.key, in)
				require.Equal(t, want, w.answer(x.held, in), family)
				require.Equal(t, want, x.position(x.live.Lookup(w.key)), family)
				seen[want == x.held[j]]++
			}
		}
		require.Greater(t, seen[true], 200, "%s: packets that the rule held out decides", family)
		require.Greater(t, seen[false], 200, family)
	}
}

func TestTheWalkFindsWhatTheWitnessDoesNot(t *testing.T) {
	x := heldOutOf(t, "acl1", 400)
	order := x.r.Perm(len(x.held))
	w := &x.witness[order[0]]
	w.held, w.base = nil, 399
	a := &app{tamper: func(_ string, positions []int32) { positions[0] = 399 }}
	var times editTimes
	n, err := x.round(a, budget{ctx: t.Context()}, order, &times)
	require.NoError(t, err)
	require.Equal(t, len(x.held), n)
	require.Equal(t, len(x.held)/walkedShare, times.walked)
	require.Equal(t, 1, times.wrong)
}

func TestValuesOfFoundRulesAreCompared(t *testing.T) {
	x := heldOutOf(t, "acl1", 100)
	m := hipac.Match[string]{ID: 7, Value: x.list.At(6).Value}
	require.EqualValues(t, 6, x.position(m, true))
	require.EqualValues(t, none, x.position(m, false))
	m.Value = "other"
	require.EqualValues(t, -2, x.position(m, true))
	m.ID = 1000
	require.EqualValues(t, -2, x.position(m, true))
}

func TestQuantilesAreOfTheTimesThatWereMeasured(t *testing.T) {
	require.Zero(t, quantile(nil, 0.5))
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(1000-i)*time.Microsecond)
	}
	require.EqualValues(t, 500, quantile(times, 0.5))
	require.EqualValues(t, 990, quantile(times, 0.99))
	require.EqualValues(t, 1000, quantile(times, 1))
}

func TestRoundsOfEditsAreWhole(t *testing.T) {
	for _, tt := range []struct{ held, edits, want int }{
		{491, 100_000, 4910}, {4986, 100_000, 4986}, {4489, 100_000, 4489}, {2400, 100_000, 4800}, {50_000, 100_000, 5000}, {1, 400, 20}, {1, 1, 1},
	} {
		require.Equal(t, tt.want, editsOfAKind(tt.held, effort{edits: tt.edits}), "%+v", tt)
	}
}

func TestABudgetEndsAtItsShares(t *testing.T) {
	b := budget{t.Context(), time.Now().Add(-10 * time.Second), 20 * time.Second}
	require.True(t, b.over(0.4))
	require.False(t, b.over(0.9))
	require.Zero(t, b.left(0.4))
	require.False(t, budget{ctx: t.Context()}.over(0.4), "none is never over")
	ctx, cancel := context.WithCancel(t.Context())
	b.ctx = ctx
	cancel()
	require.True(t, b.over(0.9), "but by an interrupt")
	require.Zero(t, b.left(0.9))
}

func TestRandomEditsLeaveTheListThatTheyMake(t *testing.T) {
	x := heldOutOf(t, "fw1", 200)
	w := &wanderer[string]{live: x.live, r: x.r, out: []rules.Rule[string]{*x.list.At(int(x.held[0]))}}
	var d drift
	n := x.live.Snapshot().Len() + 1
	for i := range 2000 {
		require.NoError(t, w.step(&d, x.witness[i%len(x.witness)].key))
		require.Equal(t, n, w.live.Snapshot().Len()+len(w.out))
	}
	require.Equal(t, 2000, d.inserts+d.deletes+d.moves)
	require.Len(t, d.took, 2000)
	require.Positive(t, min(d.inserts, d.deletes, d.moves))
	require.Positive(t, d.placed)
	require.Zero(t, d.misplaced)
}
