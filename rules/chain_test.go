package rules

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// chainRule is a rule that matches packets to its port, or all packets when
// the port is 0.
type chainRule struct {
	port   uint64
	action Action
	rule   Rule[Action]
}

// tableOf makes a table of the chains C0, C1 and so on; C0 has the policy DROP.
func tableOf(t testing.TB, chains ...[]chainRule) *Table {
	t.Helper()
	table := &Table{Name: "test", Schema: IPv4Tuple}
	for i, rs := range chains {
		b := NewBuilder[Action](IPv4Tuple)
		for n, r := range rs {
			rule := r.rule
			rule.Value = r.action
			rule.Value.Number = n + 1
			rule.Continue = rule.Value.Kind == Pass
			if r.port != 0 {
				rule.Conds = []Cond{In(3, Point(r.port))}
			}
			_, err := b.Add(rule)
			require.NoError(t, err)
		}
		c := Chain{Name: fmt.Sprintf("C%d", i), Rules: b.List()}
		if i == 0 {
			c.Policy = Drop
		}
		table.Chains = append(table.Chains, c)
	}
	return table
}

func accept() Action      { return Action{Kind: Decide, Verdict: Accept} }
func jump(to int) Action  { return Action{Kind: Jump, Chain: to} }
func jumpG(to int) Action { return Action{Kind: Goto, Chain: to} }
func back() Action        { return Action{Kind: Return} }
func pass() Action        { return Action{Kind: Pass} }
func reject() Action      { return Action{Kind: Decide, Verdict: Reject} }

func TestPacketsWalkChainsAsIptablesHasThem(t *testing.T) {
	for _, row := range []struct {
		name   string
		chains [][]chainRule
		want   map[uint16]string // port: verdict, who decided, and the rules executed
	}{
		{"policy decides at the end", [][]chainRule{{{port: 1, action: accept()}}}, map[uint16]string{
			1: "ACCEPT {0 0} [{0 0}]",
			2: "DROP {0 -1} []",
		}},
		{"a chain without rules has its policy", [][]chainRule{{}}, map[uint16]string{1: "DROP {0 -1} []"}},
		{"jump comes back behind its rule", [][]chainRule{
			{{port: 1, action: jump(1)}, {action: pass()}, {port: 2, action: accept()}},
			{{action: pass()}},
		}, map[uint16]string{
			1: "DROP {0 -1} [{0 0} {1 0} {0 1}]",
			2: "ACCEPT {0 2} [{0 1} {0 2}]",
		}},
		{"return goes back to the caller", [][]chainRule{
			{{action: jump(1)}, {action: reject()}},
			{{port: 1, action: back()}, {action: accept()}},
		}, map[uint16]string{
			1: "REJECT {0 1} [{0 0} {1 0} {0 1}]",
			2: "ACCEPT {1 1} [{0 0} {1 1}]",
		}},
		{"return of the first chain is the policy", [][]chainRule{
			{{port: 1, action: back()}, {action: accept()}},
		}, map[uint16]string{
			1: "DROP {0 -1} [{0 0}]",
			2: "ACCEPT {0 1} [{0 1}]",
		}},
		{"goto returns to the caller of its chain", [][]chainRule{
			{{action: jump(1)}, {action: accept()}},
			{{port: 1, action: jumpG(2)}, {action: reject()}},
			{{action: pass()}},
		}, map[uint16]string{
			1: "ACCEPT {0 1} [{0 0} {1 0} {2 0} {0 1}]",
			2: "REJECT {1 1} [{0 0} {1 1}]",
		}},
		{"goto of the first chain ends in its policy", [][]chainRule{
			{{port: 1, action: jumpG(1)}, {action: accept()}},
			{{port: 9, action: reject()}},
		}, map[uint16]string{
			1: "DROP {0 -1} [{0 0}]",
		}},
		{"return behind a goto goes to the caller of the first", [][]chainRule{
			{{action: jump(1)}, {action: accept()}},
			{{action: jumpG(2)}, {action: reject()}},
			{{action: back()}, {action: reject()}},
		}, map[uint16]string{
			1: "ACCEPT {0 1} [{0 0} {1 0} {2 0} {0 1}]",
		}},
		{"a chain may be called twice", [][]chainRule{
			{{action: jump(1)}, {action: jump(1)}},
			{{action: pass()}, {port: 2, action: accept()}},
		}, map[uint16]string{
			1: "DROP {0 -1} [{0 0} {1 0} {0 1} {1 0}]",
			2: "ACCEPT {1 1} [{0 0} {1 0} {1 1}]",
		}},
		{"an unknown rule is the answer where it may match", [][]chainRule{
			{{port: 1, action: accept(), rule: Rule[Action]{Unknown: "owner"}}, {action: reject()}},
		}, map[uint16]string{
			1: "UNKNOWN {0 0} [{0 0}]",
			2: "REJECT {0 1} [{0 1}]",
		}},
		{"an unknown jump is the answer too", [][]chainRule{
			{{port: 1, action: jump(1), rule: Rule[Action]{Unknown: "owner"}}, {action: reject()}},
			{{action: accept()}},
		}, map[uint16]string{
			1: "UNKNOWN {0 0} [{0 0}]",
			2: "REJECT {0 1} [{0 1}]",
		}},
		{"an unknown rule that goes on does not decide", [][]chainRule{
			{{port: 1, action: pass(), rule: Rule[Action]{Unknown: "LOG"}}, {action: reject()}},
		}, map[uint16]string{
			1: "REJECT {0 1} [{0 0} {0 1}]",
		}},
	} {
		table := tableOf(t, row.chains...)
		require.NoError(t, table.Check(Limits{}), row.name)
		for port, want := range row.want {
			k := Tuple4{DstPort: port}.Key()
			trace := []Place{}
			r := table.Evaluate(k[:], 0, func(p Place) { trace = append(trace, p) })
			require.Equal(t, want, fmt.Sprintf("%v %v %v", r.Verdict, r.By, trace), "%s: port %d", row.name, port)
			require.Equal(t, r, table.Evaluate(k[:], 0, nil))
		}
	}
}

func TestEvaluationMayBeginInAnyChain(t *testing.T) {
	table := tableOf(t, []chainRule{{action: accept()}}, []chainRule{{port: 1, action: reject()}})
	k := Tuple4{DstPort: 1}.Key()
	require.Equal(t, Result{Verdict: Reject, By: Place{1, 0}}, table.Evaluate(k[:], 1, nil))
	k = Tuple4{DstPort: 2}.Key()
	require.Equal(t, Result{Verdict: NoVerdict, By: Place{1, -1}}, table.Evaluate(k[:], 1, nil), "a user chain has no policy")
}

func TestTableOfAFamilyAdmitsPacketsOfThatFamilyOnly(t *testing.T) {
	list, err := NewList(IPTuple, Rule[Action]{Value: accept()})
	require.NoError(t, err)
	for family, want := range map[int][3]Verdict{ // an IPv4, an IPv6 packet, one without addresses
		0: {Accept, Accept, Accept}, 4: {Accept, NoVerdict, NoVerdict}, 6: {NoVerdict, Accept, NoVerdict},
	} {
		table := &Table{Schema: IPTuple, Family: family, Chains: []Chain{{Name: "INPUT", Policy: Drop, Rules: list}}}
		require.NoError(t, table.Check(Limits{}))
		v4, v6, none := IPTuple.NewKey(), IPTuple.NewKey(), IPTuple.NewKey()
		for i := range 2 {
			IPTuple.Set(v4, i, Value{0, mapped4})
			IPTuple.SetAbsent(none, i)
		}
		for i, k := range []Key{v4, v6, none} {
			require.Equal(t, want[i], table.Evaluate(k, 0, nil).Verdict, "family %d, packet %d", family, i)
		}
	}
}

func TestCheckRefusesTablesThatCannotBeWalked(t *testing.T) {
	for want, chains := range map[string][][]chainRule{
		"table test: chain C0: rule 2 goes to a chain that does not exist": {{{action: pass()}, {action: jump(1)}}},
		"table test: chain C1: rule 1 goes to a chain that does not exist": {{}, {{action: jumpG(-1)}}},
		"table test: chain C0: rule 1: loop: C0 is reached from itself":    {{{action: jump(0)}}},
		"table test: chain C2: rule 2: loop: C1 is reached from itself":    {{{action: jump(1)}}, {{action: jump(2)}}, {{action: pass()}, {action: jumpG(1)}}},
		"table test: chain C2: rule 1: loop: C2 is reached from itself":    {{{action: jump(2)}}, {}, {{port: 5, action: jumpG(2)}}},
	} {
		require.EqualError(t, tableOf(t, chains...).Check(Limits{}), want)
	}
	table := tableOf(t, []chainRule{{action: accept()}})
	table.Chains = append(table.Chains, Chain{Name: "C1"})
	require.EqualError(t, table.Check(Limits{}), "table test: chain C1: its rules are not of the table's schema")
	table.Chains[1].Rules, _ = NewList[Action](IPv6Tuple)
	require.Error(t, table.Check(Limits{}))
}

func TestLoopsThatNoPacketComesToAreLeftAlone(t *testing.T) {
	for _, kind := range []func(int) Action{jump, jumpG} {
		table := tableOf(t, []chainRule{{port: 1, action: jump(1)}, {action: accept()}}, nil, []chainRule{{port: 7, action: kind(3)}}, []chainRule{{action: kind(2)}})
		require.NoError(t, table.Check(Limits{}))
		k := Tuple4{DstPort: 7}.Key()
		require.Equal(t, Accept, table.Evaluate(k[:], 0, nil).Verdict)
		r := table.Evaluate(k[:], 2, nil)
		require.Equal(t, Unknown, r.Verdict, "a walk that begins in the loop ends")
		require.Contains(t, r.Needs, "reached from itself")
		k = Tuple4{DstPort: 8}.Key()
		require.Equal(t, NoVerdict, table.Evaluate(k[:], 2, nil).Verdict)
		for i := range table.Chains {
			table.Chains[i].Policy = NoVerdict
		}
		require.ErrorContains(t, table.Check(Limits{}), "loop", "any chain may be entered where none has a policy")
	}
}

func TestLoopsBehindChainsThatReturnEndToo(t *testing.T) {
	table := tableOf(t, []chainRule{{action: accept()}}, []chainRule{{action: jump(2)}, {action: jumpG(1)}}, nil)
	table.Chains[0].Policy = Drop
	require.NoError(t, table.Check(Limits{}))
	n := 0
	r := table.Evaluate(make(Key, table.Schema.KeyLen()), 1, func(Place) { n++ })
	require.Equal(t, Unknown, r.Verdict)
	require.Less(t, n, 10)
}

// line makes n chains of which each calls the next one calls times.
func line(t testing.TB, n, calls int) *Table {
	chains := make([][]chainRule, n)
	for i := range n - 1 {
		for range calls {
			chains[i] = append(chains[i], chainRule{action: jump(i + 1)})
		}
	}
	chains[n-1] = []chainRule{{action: pass()}}
	return tableOf(t, chains...)
}

func TestCheckKeepsToMaxDepth(t *testing.T) {
	require.NoError(t, line(t, 10, 1).Check(Limits{MaxDepth: 10}))
	err := line(t, 11, 1).Check(Limits{MaxDepth: 10})
	require.ErrorIs(t, err, ErrLimit)
	require.EqualError(t, err, "table test: chain C0 nests 11 chains: limit exceeded: at most 10")
	require.ErrorIs(t, line(t, 100_000, 1).Check(Limits{}), ErrLimit)
	require.NoError(t, line(t, 100_000, 1).Check(Limits{MaxDepth: 100_000}))

	// The order of chains in the table does not matter.
	chains := make([][]chainRule, 11)
	for i := 1; i < 11; i++ {
		chains[i] = []chainRule{{action: jump(i - 1)}}
	}
	table := tableOf(t, chains...)
	table.Chains[0].Policy, table.Chains[10].Policy = NoVerdict, Drop
	require.EqualError(t, table.Check(Limits{MaxDepth: 10}), "table test: chain C10 nests 11 chains: limit exceeded: at most 10")
}

func TestCheckRefusesChainsThatMultiplyTheWalk(t *testing.T) {
	// 63 chains that call the next one twice: 2^64 rules for one packet.
	require.ErrorIs(t, line(t, 64, 2).Check(Limits{}), ErrLimit)
	require.ErrorIs(t, line(t, 500, 1000).Check(Limits{}), ErrLimit)
	// Three chains: 2 + 2*(2 + 2*1) = 10 rules.
	require.NoError(t, line(t, 3, 2).Check(Limits{MaxWalk: 10}))
	err := line(t, 3, 2).Check(Limits{MaxWalk: 9})
	require.EqualError(t, err, "table test: chain C0: a packet could meet 10 rules or more: limit exceeded: at most 9")
}

func TestCheckOfManyChainsAndRules(t *testing.T) {
	const n, calls = 1000, 10
	chains := make([][]chainRule, n)
	for i := range n {
		for j := range calls {
			if i < 10 { // a wide and shallow web: the first ten call all others
				chains[i] = append(chains[i], chainRule{port: uint64(j + 1), action: jump(10 + (i*calls+j)%(n-10))})
			} else {
				chains[i] = append(chains[i], chainRule{port: uint64(j + 1), action: accept()})
			}
		}
	}
	table := tableOf(t, chains...)
	require.NoError(t, table.Check(Limits{}))
	require.Equal(t, 999, table.Find("C999"))
	require.Equal(t, -1, table.Find("C1000"))
}

func TestVerdictsAreParsedFromTheirNames(t *testing.T) {
	for _, v := range []Verdict{Accept, Drop, Reject} {
		got, ok := ParseVerdict(v.String())
		require.True(t, ok)
		require.Equal(t, v, got)
	}
	for _, s := range []string{"UNKNOWN", "NONE", "accept", ""} {
		_, ok := ParseVerdict(s)
		require.False(t, ok, s)
	}
	require.Equal(t, "verdict(9)", Verdict(9).String())
}
