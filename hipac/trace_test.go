package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// way walks a table and writes down every rule that the packet comes to.
func way(t *rules.Table, k rules.Key, entry int) (steps []string) {
	var chain func(c, depth int) (ended, goneTo bool)
	chain = func(c, depth int) (ended, goneTo bool) {
		list := t.Chains[c].Rules
		for i := range list.Len() {
			r := list.At(i)
			if !r.Matches(t.Schema, k) {
				steps = append(steps, fmt.Sprintf("miss %d/%d %d", c, i, depth))
				continue
			}
			steps = append(steps, fmt.Sprintf("rule %d/%d %d", c, i, depth))
			if r.Continue {
				continue
			}
			if r.Unknown != "" {
				return true, false
			}
			switch r.Value.Kind {
			case rules.Decide:
				return true, false
			case rules.Return:
				return false, false
			case rules.Jump:
				if ended, _ := chain(r.Value.Chain, depth+1); ended {
					return true, false
				}
			case rules.Goto:
				ended, _ := chain(r.Value.Chain, depth)
				return ended, true
			}
		}
		if c != entry {
			steps = append(steps, fmt.Sprintf("return %d/%d %d", c, list.Len(), depth))
		}
		return false, false
	}
	if ended, _ := chain(entry, 0); !ended {
		steps = append(steps, fmt.Sprintf("policy %d/%d 0", entry, t.Chains[entry].Rules.Len()))
	}
	return steps
}

func TestTracesTellEveryRuleThatThePacketComesTo(t *testing.T) {
	kinds := map[hipac.StepKind]int{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 9))
		pool := pools(r, rules.Firewall)
		table := randomTable(r, rules.Firewall, 1+r.IntN(8), 1+r.IntN(8), pool)
		table.Family = 0
		path := rules.Path{{Table: table}}
		c, err := hipac.BuildTables(context.Background(), []*rules.Table{table}, nil)
		require.NoError(t, err)
		k := rules.Firewall.NewKey()
		for range 50 {
			randomKey(r, rules.Firewall, pool, k)
			var got, told []string
			trace := c.Trace(rules.KeyOnly(k), path, hipac.TraceOptions{All: true, Step: func(_ int, s *hipac.Step) {
				told = append(told, fmt.Sprintf("%v %d/%d %d", s.Kind, s.At.Chain, s.At.Rule, s.Depth))
			}})
			missed := 0
			for _, s := range trace.Stops[0].Steps {
				kinds[s.Kind]++
				got = append(got, fmt.Sprintf("%v %d/%d %d", s.Kind, s.At.Chain, s.At.Rule, s.Depth))
				if s.Kind == hipac.Missed {
					missed++
				}
				if s.Kind <= hipac.Missed {
					rule := table.Chains[s.At.Chain].Rules.At(s.At.Rule)
					want := rule.Explain(rules.Firewall, k)
					if rule.Unknown != "" {
						want = append(want, rules.Answer{Wanted: "match foo", Outcome: rules.Unsure, Asked: true, Needs: "match foo"})
					}
					require.Equal(t, want, s.Answers)
				}
			}
			require.Equal(t, way(table, k, 0), got)
			require.Equal(t, got, told)
			require.Equal(t, missed, trace.Stops[0].Passed)
			require.Equal(t, table.Evaluate(k, 0, nil), trace.Result.Result)
			short := c.Trace(rules.KeyOnly(k), path, hipac.TraceOptions{})
			require.Equal(t, len(trace.Stops[0].Steps)-missed, len(short.Stops[0].Steps))
		}
	}
	for kind := range hipac.Unreadable {
		require.Greater(t, kinds[kind], 200, "%v", kinds)
	}
}

func TestTracesKeepTheFirstSteps(t *testing.T) {
	s := rules.IPv4Tuple
	// Each of the chains jumps twice to the next: 2^13-1 steps and as many returns.
	table := &rules.Table{Name: "filter", Schema: s}
	for c := range 13 {
		b := rules.NewBuilder[rules.Action](s)
		for n := range 2 {
			r := rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: c + 1, Number: n + 1}}
			if c == 12 {
				r.Value.Kind, r.Continue, r.Conds = rules.Pass, true, s.MustConds("dport=80 sport=90")
			}
			_, err := b.Add(r)
			require.NoError(t, err)
		}
		table.Chains = append(table.Chains, rules.Chain{Name: fmt.Sprint("c", c), Rules: b.List()})
	}
	table.Chains[0].Policy = rules.Drop
	c, err := hipac.BuildTables(context.Background(), []*rules.Table{table}, nil)
	require.NoError(t, err)
	path := rules.Path{{Table: table}}
	k := s.NewKey()
	whole := c.Trace(rules.KeyOnly(k), path, hipac.TraceOptions{})
	require.Zero(t, whole.Left)
	require.Len(t, whole.Stops[0].Steps, 2*(1<<13-2)+1)
	cut := c.Trace(rules.KeyOnly(k), path, hipac.TraceOptions{MaxSteps: 1000, Near: 3})
	require.Equal(t, whole.Stops[0].Steps[:1000], cut.Stops[0].Steps)
	require.Equal(t, len(whole.Stops[0].Steps)-1000, cut.Left)
	require.Equal(t, whole.Result, cut.Result)
	all := c.Trace(rules.KeyOnly(k), path, hipac.TraceOptions{MaxSteps: 1000, All: true})
	require.Equal(t, len(whole.Stops[0].Steps)+1<<13-1000, all.Left)
}

func TestNearMissesAreThoseThatLackOneThing(t *testing.T) {
	s := rules.IPv4Tuple
	b := rules.NewBuilder[rules.Action](s)
	for i, conds := range []string{
		"src=10.0.0.0/8 dport=22",                 // lacks two
		"proto=udp",                               // lacks one, holds none
		"src=192.0.2.0/24 proto=tcp dport=22",     // lacks one, holds two
		"src=192.0.2.0/24 proto=tcp dport=22",     // the same, of one rule with the next
		"src=192.0.2.0/24 proto=tcp sport=22,443", // matches
		"src=192.0.2.0/24 proto=tcp dport=80",     // behind what decides
	} {
		r := rules.Rule[rules.Action]{Conds: s.MustConds(conds), Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept, Number: i + 1 - i/3}}
		_, err := b.Add(r)
		require.NoError(t, err)
	}
	table := &rules.Table{Name: "filter", Schema: s, Chains: []rules.Chain{{Name: "INPUT", Policy: rules.Drop, Rules: b.List()}}}
	c, err := hipac.BuildTables(context.Background(), []*rules.Table{table}, nil)
	require.NoError(t, err)
	k := s.NewKey()
	for i, v := range []uint64{0xc0000201, 0x0a000001, 443, 5000, 6} {
		s.Set(k, i, rules.U64(v))
	}
	trace := c.Trace(rules.KeyOnly(k), rules.Path{{Table: table}}, hipac.TraceOptions{Near: 5})
	var got strings.Builder
	for _, n := range trace.Near {
		fmt.Fprintf(&got, "%d holds %d, not %s: %s\n", n.At.Rule, n.Held, n.Failed.Wanted, n.Failed.Got)
	}
	require.Equal(t, "2 holds 2, not dport=22: 5000\n1 holds 0, not proto=udp: tcp\n", got.String())
	require.Len(t, c.Trace(rules.KeyOnly(k), rules.Path{{Table: table}}, hipac.TraceOptions{Near: 1}).Near, 1)
	require.Equal(t, rules.Accept, trace.Result.Verdict)
	require.Equal(t, 4, trace.Stops[0].Passed)
}
