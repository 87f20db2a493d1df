package hipac_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// randomTable makes chains that call later ones only, so that there are no
// loops, with every kind of action.
func randomTable(r *rand.Rand, s *rules.Schema, chains, n int, pool [][]rules.Value) *rules.Table {
	t := &rules.Table{Name: "filter", Schema: s, Family: []int{0, 0, 4, 6}[r.IntN(4)]}
	for c := range chains {
		b := rules.NewBuilder[rules.Action](s)
		for i := range r.IntN(n + 1) {
			rule := rules.Rule[rules.Action]{}
			for f := range s.Len() {
				if r.IntN(5) == 0 {
					rule.Conds = append(rule.Conds, randomCond(r, s, f, pool[f]))
				}
			}
			a := rules.Action{Number: i + 1}
			switch r.IntN(8) {
			case 0, 1:
				a.Kind = rules.Pass
				rule.Continue = true
			case 2:
				a.Kind, a.Verdict = rules.Decide, rules.Drop
			case 3:
				a.Kind, a.Verdict = rules.Decide, rules.Accept
			case 4:
				a.Kind = rules.Return
			default:
				if c+1 < chains {
					a.Kind, a.Chain = rules.Jump, c+1+r.IntN(min(3, chains-c-1))
					if r.IntN(3) == 0 {
						a.Kind = rules.Goto
					}
				} else {
					a.Kind = rules.Return
				}
			}
			if r.IntN(15) == 0 {
				rule.Unknown = "match foo"
			}
			rule.Value = a
			if _, err := b.Add(rule); err != nil {
				panic(err)
			}
		}
		chain := rules.Chain{Rules: b.List()}
		if c < 2 {
			chain.Policy = rules.Drop
		}
		t.Chains = append(t.Chains, chain)
	}
	return t
}

func TestRandomTablesAgreeWithTheWalk(t *testing.T) {
	verdicts := map[rules.Verdict]int{}
	for _, s := range []*rules.Schema{mixed, rules.Firewall} {
		for seed := range uint64(150) {
			r := rand.New(rand.NewPCG(seed, 2))
			pool := pools(r, s)
			table := randomTable(r, s, 1+r.IntN(12), 1+r.IntN(20), pool)
			require.NoError(t, table.Check(rules.Limits{}))
			for _, opts := range []*hipac.Options{nil, {Engine: hipac.Index}} {
				c, err := hipac.BuildTable(context.Background(), table, opts)
				require.NoError(t, err)
				k := s.NewKey()
				for range 100 {
					randomKey(r, s, pool, k)
					var want, got []rules.Place
					w := table.Evaluate(k, 0, func(p rules.Place) { want = append(want, p) })
					g := c.Trace(k, 0, func(p rules.Place) { got = append(got, p) })
					require.Equal(t, w, g, "seed %d key %v", seed, k)
					require.Equal(t, want, got, "rules executed, seed %d key %v", seed, k)
					require.Equal(t, w, c.Evaluate(k, 0))
					verdicts[w.Verdict]++
				}
			}
		}
	}
	for v := rules.NoVerdict; v <= rules.Unknown; v++ {
		if v != rules.Reject { // none made
			require.Greater(t, verdicts[v], 500, "verdict %v was hardly tried: %v", v, verdicts)
		}
	}
}

func TestEvaluateAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	pool := pools(r, rules.Firewall)
	table := randomTable(r, rules.Firewall, 10, 30, pool)
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	k := rules.Firewall.NewKey()
	require.Zero(t, allocsPerRun(100, func() {
		randomKey(r, rules.Firewall, pool, k)
		c.Evaluate(k, 0)
	}))
}

func TestTablesThatCheckRefusesAreRefused(t *testing.T) {
	_, err := hipac.BuildTable(context.Background(), &rules.Table{}, nil)
	require.Error(t, err, "no schema")
	l, err := rules.NewList(rules.IPv4Tuple, rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: 99}})
	require.NoError(t, err)
	_, err = hipac.BuildTable(context.Background(), &rules.Table{Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "A", Rules: l}}}, nil)
	require.ErrorContains(t, err, "does not exist")
}

func TestACompiledTableDoesNotFollowChangesOfItsSource(t *testing.T) {
	drop, err := rules.NewList(rules.IPv4Tuple, rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Drop}})
	require.NoError(t, err)
	table := &rules.Table{Schema: rules.IPv4Tuple, Chains: []rules.Chain{{Name: "A", Policy: rules.Accept, Rules: drop}}}
	c, err := hipac.BuildTable(context.Background(), table, nil)
	require.NoError(t, err)
	table.Chains[0].Rules = rules.NewBuilder[rules.Action](rules.IPv4Tuple).List()
	table.Schema = nil
	require.Equal(t, rules.Drop, c.Evaluate(rules.IPv4Tuple.NewKey(), 0).Verdict)
}

// Where a rule writes a field, rules that ask for it hide nothing: a packet may become
// one that matches. The others hide as ever.
func TestRulesThatAskForWhatIsWrittenHideNothing(t *testing.T) {
	rs := parseTables(t, `*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -j MARK --set-mark 1
-A PREROUTING -p udp -j DROP
-A PREROUTING -s 10.0.0.1/32 -p udp -j ACCEPT
-A PREROUTING -m mark --mark 1 -j DROP
-A PREROUTING -s 10.0.0.0/8 -m mark --mark 1 -j ACCEPT
COMMIT
`)
	table, err := hipac.BuildTable(context.Background(), rs.Table("mangle"), nil)
	require.NoError(t, err)
	require.Equal(t, []rules.Place{{Chain: 0, Rule: 2}}, table.Stats().Hidden)
}
