package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// oneChain makes a table of one chain whose rules, "COND => VERDICT", decide;
// those without a verdict pass packets on.
func oneChain(t *testing.T, name string, policy rules.Verdict, lines ...string) *rules.Table {
	b := rules.NewBuilder[rules.Action](rules.IPv4Tuple)
	for i, line := range lines {
		cond, verdict, decides := strings.Cut(line, " => ")
		r := rules.Rule[rules.Action]{Conds: rules.IPv4Tuple.MustConds(cond), Continue: !decides, Value: rules.Action{Number: i + 1}}
		if decides {
			v, ok := rules.ParseVerdict(verdict)
			require.True(t, ok)
			r.Value.Kind, r.Value.Verdict = rules.Decide, v
		}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	return &rules.Table{Name: name, Family: 4, Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "C", Policy: policy, Rules: b.List()}}}
}

func TestAPathGoesOnBehindATableThatAccepts(t *testing.T) {
	path := rules.Path{
		{Table: oneChain(t, "raw", rules.Accept, "proto=tcp", "dport=23 => DROP")},
		{Table: oneChain(t, "six", rules.Drop)},
		{Table: oneChain(t, "filter", rules.Drop, "dport=80 => ACCEPT", "dport=7 => QUEUE", "dport=25 => REJECT")},
		{Table: oneChain(t, "nat", rules.Accept, "dport=80 => ACCEPT")},
	}
	path[1].Table.Family = 6
	path[1].Table.Schema = rules.IPTuple
	path[1].Table.Chains[0].Rules = rules.NewBuilder[rules.Action](rules.IPTuple).List()
	for port, want := range map[uint64]string{
		23: "DROP at 0 by 1: 0/0 0/1 left 0 DROP",
		80: "ACCEPT at 3 by 0: 0/0 left 0 ACCEPT left 1 NONE 2/0 left 2 ACCEPT 3/0 left 3 ACCEPT",
		7:  "QUEUE at 2 by 1: 0/0 left 0 ACCEPT left 1 NONE 2/1 left 2 QUEUE",
		25: "REJECT at 2 by 2: 0/0 left 0 ACCEPT left 1 NONE 2/2 left 2 REJECT",
		22: "DROP at 2 by -1: 0/0 left 0 ACCEPT left 1 NONE left 2 DROP",
	} {
		k := rules.IPv4Tuple.NewKey()
		rules.IPv4Tuple.Set(k, 3, rules.U64(port))
		rules.IPv4Tuple.Set(k, 4, rules.U64(6))
		var way strings.Builder
		r := path.Run(family4{rules.KeyOnly(k)}, &rules.Observer{
			Executed: func(stop int, at rules.Place) { fmt.Fprintf(&way, " %d/%d", stop, at.Rule) },
			Left:     func(stop int, r rules.Result) { fmt.Fprintf(&way, " left %d %v", stop, r.Verdict) },
		})
		require.Equal(t, want, fmt.Sprintf("%v at %d by %d:%s", r.Verdict, r.Stop, r.By.Rule, way.String()))
		require.Equal(t, r, path.Run(family4{rules.KeyOnly(k)}, nil))
	}
	require.Equal(t, rules.PathResult{Stop: -1}, rules.Path{}.Run(rules.KeyOnly(nil), nil))
}

// family4 enters tables of IPv4 only.
type family4 struct{ rules.Subject }

func (family4) Enters(t *rules.Table) bool { return t.Family == 4 }

func TestExplainSaysWhatEachConditionComparesWith(t *testing.T) {
	s := rules.IPv4Tuple
	r := rules.Rule[int]{Conds: s.MustConds("src=10.0.0.0/8 dport=80,443 sport!=53 proto=tcp")}
	k := s.NewKey()
	k[0] = 1 << 2
	rules.IPv4Tuple.Set(k, 0, rules.U64(0x0a010203))
	rules.IPv4Tuple.Set(k, 3, rules.U64(22))
	rules.IPv4Tuple.Set(k, 4, rules.U64(6))
	k[0] = 1 << 2
	require.Equal(t, []rules.Answer{
		{Field: "src", Wanted: "src=10.0.0.0/8", Got: "10.1.2.3", Present: true, Outcome: rules.Yes, Asked: true},
		{Field: "dport", Wanted: "dport=80,443", Got: "22", Present: true, Outcome: rules.No, Asked: true},
		{Field: "sport", Wanted: "sport!=53", Outcome: rules.No, Asked: true},
		{Field: "proto", Wanted: "proto=tcp", Got: "tcp", Present: true, Outcome: rules.Yes, Asked: true},
	}, r.Explain(s, k))
}

// counting is a test that counts how often it is asked.
type counting int

func (c *counting) Ask(rules.Subject) (rules.Outcome, string) {
	*c++
	return rules.Unsure, "the weather"
}

func TestExplainAsksNoTestThatRemembers(t *testing.T) {
	var c counting
	e := &rules.Extension{Tests: []rules.Step{{Test: &c, Text: "weather"}, {Test: &c, Text: "limit --limit 5/min", Stateful: true}}}
	require.Equal(t, []rules.Answer{
		{Wanted: "weather", Outcome: rules.Unsure, Asked: true, Needs: "the weather"},
		{Wanted: "limit --limit 5/min"},
	}, e.ExplainTests(rules.KeyOnly(nil)))
	require.EqualValues(t, 1, c)
	require.Empty(t, (*rules.Extension)(nil).ExplainTests(nil))
}
