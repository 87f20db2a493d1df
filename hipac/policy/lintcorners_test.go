package policy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
)

// listOf returns the function of a list of texts, "CONDITION ... VERDICT".
func listOf(t *testing.T, s *rules.Schema, texts ...[]string) *policy.Function {
	b := rules.NewBuilder[string](s)
	for _, words := range texts {
		r := rules.Rule[string]{Value: words[len(words)-1]}
		for _, w := range words[:len(words)-1] {
			c, err := s.ParseCond(w)
			require.NoError(t, err)
			r.Conds = append(r.Conds, c)
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	l := b.List()
	return policy.OfList(l, func(i int) string { return l.At(i).Value }, "NONE")
}

func TestNeighboursAreMergedWhereOneConditionCanBeWritten(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want string // the merged condition; "" for none
	}{
		{"src=10.0.0.0/9", "src=10.128.0.0/9", "src=10.0.0.0/8"},
		{"src=10.128.0.0/9", "src=11.0.0.0/9", ""}, // no prefix
		{"dport=80", "dport=443", "dport=80,443"},
		{"dport=80", "dport=81", "dport=80-81"},
		{"dport=1,3,5,7,9,11,13,15,17,19,21,23,25,27,29", "dport=31", ""}, // more than multiport has room for
		{"proto=tcp", "proto=udp", ""},
		{"dport!=80", "dport!=443", ""},
		{"src=10.0.0.1", "dst=10.0.0.1", ""},
	} {
		f := listOf(t, rules.IPTuple, []string{c.a, "ACCEPT"}, []string{c.b, "ACCEPT"})
		r, err := policy.CollectLint(context.Background(), policy.LintOptions{KeepAll: true}, f)
		require.NoError(t, err)
		got := ""
		for _, f := range r.Findings {
			if f.Code == policy.Mergeable {
				got = rules.FormatRule(rules.IPTuple, &rules.Rule[int]{Conds: f.Conds})
				require.Len(t, f.Rules, 2)
			}
		}
		require.Equal(t, c.want, got, "%s and %s", c.a, c.b)
	}
	// Not where the verdicts differ, nor over a rule between them.
	f := listOf(t, rules.IPTuple, []string{"dport=80", "ACCEPT"}, []string{"dport=81", "DROP"}, []string{"dport=82", "ACCEPT"})
	r, err := policy.CollectLint(context.Background(), policy.LintOptions{KeepAll: true}, f)
	require.NoError(t, err)
	require.Empty(t, r.Findings)
}

// maze draws rules that are hard to tell apart: long, thin, crossing each other.
func maze(t *testing.T, n int) *policy.Function {
	rng := rand.New(rand.NewPCG(1, 1))
	var texts [][]string
	for range n {
		span := func(name string) string {
			a, b := rng.IntN(60000), rng.IntN(60000)
			return fmt.Sprintf("%s=%d-%d", name, min(a, b), max(a, b))
		}
		texts = append(texts, []string{span("sport"), span("dport"), span("proto"), []string{"ACCEPT", "DROP"}[rng.IntN(2)]})
	}
	s := rules.MustSchema(rules.Field{Name: "sport", Bits: 16}, rules.Field{Name: "dport", Bits: 16}, rules.Field{Name: "proto", Bits: 16})
	return listOf(t, s, texts...)
}

func TestALintThatIsGivenUpIsPartial(t *testing.T) {
	f := maze(t, 400)
	full, err := policy.CollectLint(context.Background(), policy.LintOptions{}, f)
	require.NoError(t, err)
	require.NoError(t, full.Partial)
	found := map[string]bool{}
	for _, f := range full.Findings {
		found[fmt.Sprint(f.Code, f.Rules)] = true
	}
	for name, o := range map[string]policy.LintOptions{"steps of a rule": {RuleSteps: 1}, "steps": {Steps: 1}, "time": {Time: time.Nanosecond}, "memory": {Memory: 1 << 10}} {
		r, err := policy.CollectLint(context.Background(), o, f)
		require.NoError(t, err, name)
		require.ErrorIs(t, r.Partial, rules.ErrLimit, name)
		for _, f := range r.Findings { // what was found holds all the same
			if f.Code != policy.Irredundant {
				require.True(t, found[fmt.Sprint(f.Code, f.Rules)], "%s: %v", name, f)
			}
		}
	}
}

func TestALintEndsWithItsContextAndItsReader(t *testing.T) {
	f := maze(t, 300)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := policy.CollectLint(ctx, policy.LintOptions{}, f)
	require.ErrorIs(t, err, context.Canceled)
	n := 0
	for _, err := range policy.Lint(context.Background(), policy.LintOptions{}, f) {
		require.NoError(t, err)
		n++
		break
	}
	require.Equal(t, 1, n)
}

func TestFunctionsOfDifferentRuleSetsAreNotLintedTogether(t *testing.T) {
	f := maze(t, 3)
	for _, fs := range [][]*policy.Function{nil, {f, f}} {
		_, err := policy.CollectLint(context.Background(), policy.LintOptions{}, fs...)
		require.ErrorIs(t, err, policy.ErrFunctions)
	}
}

func TestRulesWithAnEffectAreNotSaidToBeRedundant(t *testing.T) {
	b := rules.NewBuilder[rules.Action](tiny)
	ext := &rules.Extension{Tests: []rules.Step{{Text: "limit", Stateful: true}}}
	for _, a := range []rules.Action{{Kind: rules.Decide, Verdict: rules.Accept, Ext: ext}, {Kind: rules.Decide, Verdict: rules.Accept}} {
		_, err := b.Add(rules.Rule[rules.Action]{Value: a})
		require.NoError(t, err)
	}
	table := &rules.Table{Name: "filter", Schema: tiny, Chains: []rules.Chain{{Name: "INPUT", Policy: rules.Accept, Rules: b.List()}}}
	fs, err := policy.OfTable(table)
	require.NoError(t, err)
	r, err := policy.CollectLint(context.Background(), policy.LintOptions{KeepAll: true}, fs...)
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	require.Equal(t, policy.Redundant, r.Findings[0].Code)
	require.Equal(t, []rules.Place{{Chain: 0, Rule: 1}}, r.Findings[0].Rules)
}

func TestALastReturnIsRedundantHoweverManyRulesMeetIt(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "sport", Bits: 16}, rules.Field{Name: "dport", Bits: 16}, rules.Field{Name: "mark", Bits: 16})
	rng := rand.New(rand.NewPCG(2, 1))
	b := rules.NewBuilder[rules.Action](s)
	for range 300 {
		r := rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: []rules.Verdict{rules.Accept, rules.Drop}[rng.IntN(2)]}}
		for f := range s.Len() {
			x, y := rng.Uint64N(1<<16), rng.Uint64N(1<<16)
			r.Conds = append(r.Conds, rules.In(f, rules.Span(min(x, y), max(x, y))))
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	_, err := b.Add(rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Return}})
	require.NoError(t, err)
	table := &rules.Table{Name: "filter", Schema: s, Chains: []rules.Chain{{Name: "INPUT", Policy: rules.Accept, Rules: b.List()}}}
	fs, err := policy.OfTable(table)
	require.NoError(t, err)
	r, err := policy.CollectLint(context.Background(), policy.LintOptions{RuleSteps: 1 << 16, KeepAll: true}, fs...)
	require.NoError(t, err)
	last := rules.Place{Chain: 0, Rule: 300}
	found := false
	for _, f := range r.Findings {
		found = found || f.Code == policy.Redundant && f.Rules[0] == last
	}
	require.True(t, found)
}
