package rules_test

// Tests of rules that change packets, and those that drop them behind the rule.

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

var withMark = rules.MustSchema(rules.Field{Name: "mark", Bits: 8})

type markedPacket struct{ key rules.Key }

func (p *markedPacket) Key() rules.Key           { return p.key }
func (p *markedPacket) Enters(*rules.Table) bool { return true }

// says is a test with a fixed answer.
type says rules.Outcome

func (a says) Ask(rules.Subject) (rules.Outcome, string) {
	return rules.Outcome(a), map[bool]string{true: "luck"}[rules.Outcome(a) == rules.Unsure]
}

// marks is a test that sets the mark, if it knows what to do.
type marks struct {
	mark uint64
	says rules.Outcome
}

func (m marks) Ask(s rules.Subject) (rules.Outcome, string) {
	if m.says != rules.Unsure {
		withMark.Set(s.Key(), 0, rules.U64(m.mark))
	}
	return says(m.says).Ask(s)
}

func step(t rules.Test) rules.Step {
	_, changes := t.(marks)
	return rules.Step{Test: t, Stateful: changes, Changes: changes}
}

// runTests evaluates a table: a rule with the tests, which accepts, and one
// behind it that rejects packets with the mark 7. The policy drops.
func runTests(t *testing.T, unknown string, tests ...rules.Test) (r rules.Result, executed int) {
	t.Helper()
	e := &rules.Extension{Writes: []string{"mark"}}
	for _, test := range tests {
		e.Tests = append(e.Tests, step(test))
	}
	list, err := rules.NewList(withMark,
		rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept, Ext: e}, Unknown: unknown},
		rules.Rule[rules.Action]{Conds: withMark.MustConds("mark=7"), Value: rules.Action{Kind: rules.Decide, Verdict: rules.Reject}})
	require.NoError(t, err)
	table := &rules.Table{Schema: withMark, Chains: []rules.Chain{{Name: "A", Policy: rules.Drop, Rules: list}}}
	require.NoError(t, table.Check(rules.Limits{}))
	r = table.Run(&markedPacket{withMark.NewKey()}, 0, func(rules.Place) { executed++ })
	return r, executed
}

func TestRulesBehindATestThatChangesThePacketSeeTheChange(t *testing.T) {
	verdict := func(want rules.Verdict, tests ...rules.Test) {
		t.Helper()
		got, _ := runTests(t, "", tests...)
		require.Equal(t, want, got.Verdict)
	}
	verdict(rules.Accept, marks{7, rules.Yes})
	verdict(rules.Reject, marks{7, rules.Yes}, says(rules.No)) // the rule does not match, the mark is set all the same
	verdict(rules.Reject, marks{7, rules.No})
	verdict(rules.Drop, says(rules.No), marks{7, rules.Yes}) // not reached
	verdict(rules.Drop, marks{6, rules.No})
}

func TestAChangeThatMayHaveBeenMadeMakesTheAnswerUnknown(t *testing.T) {
	unknown := func(needs, lacks string, tests ...rules.Test) {
		t.Helper()
		got, _ := runTests(t, lacks, tests...)
		require.Equal(t, rules.Result{Verdict: rules.Unknown, By: rules.Place{}, Needs: needs}, got)
	}
	unknown("luck", "", says(rules.Unsure), marks{7, rules.Yes}, says(rules.No))
	unknown("luck", "", marks{7, rules.Unsure}, says(rules.No))
	unknown("match foo", "match foo", marks{7, rules.Yes}, says(rules.No))
	got, _ := runTests(t, "", says(rules.Unsure), says(rules.No))
	require.Equal(t, rules.Drop, got.Verdict, "nothing changes the packet")
	got, _ = runTests(t, "match foo", says(rules.No))
	require.Equal(t, rules.Drop, got.Verdict)
}

func TestPacketsDroppedBehindARuleCountAtIt(t *testing.T) {
	got, executed := runTests(t, "", says(rules.DropBehind), says(rules.Yes))
	require.Equal(t, rules.Result{Verdict: rules.Drop}, got)
	require.Equal(t, 1, executed)
	got, executed = runTests(t, "", says(rules.DropBehind), says(rules.No))
	require.Equal(t, rules.Result{Verdict: rules.Drop, Dropped: true}, got)
	require.Zero(t, executed)
	got, _ = runTests(t, "", says(rules.No), says(rules.DropBehind))
	require.Equal(t, rules.Result{Verdict: rules.Drop, By: rules.Place{Rule: -1}}, got, "it is not reached")
	got, executed = runTests(t, "match foo", says(rules.DropBehind))
	require.Equal(t, rules.Result{Verdict: rules.Drop, Dropped: true}, got)
	require.Zero(t, executed)
}
