package hipac_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

func TestReadersOfTablesCountWhatTheWalkExecutes(t *testing.T) {
	ctx := context.Background()
	total := uint64(0)
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 61))
		extended := seed%2 == 1
		s := marked
		if !extended {
			s = []*rules.Schema{mixed, rules.Firewall}[seed/2%2]
		}
		m := newTableModel(t, r, s, 1+r.IntN(6), []int{5, 25, 60}[seed%3], extended)
		m.limits = rules.DefaultLimits
		for m.table().Check(rules.Limits{MaxWalk: 1 << 14}) != nil {
			m = newTableModel(t, r, s, 1+r.IntN(6), 12, extended)
		}
		live, err := hipac.NewLiveTables(ctx, []*rules.Table{m.table()}, &hipac.LiveOptions{Counters: true})
		require.NoError(t, err)
		want := map[string]hipac.Counts{}
		count := func(chain int, id rules.ID, bytes int) {
			name := fmt.Sprint(m.chains[chain].born, "/", id)
			c := want[name]
			want[name] = hipac.Counts{Packets: c.Packets + 1, Bytes: c.Bytes + uint64(bytes)}
		}
		reader, second := live.Reader(), live.Reader()
		k := s.NewKey()
		for step := range 40 {
			tx := live.Begin()
			before := m.clone()
			m.edit(tx)
			if m.table().Check(rules.Limits{MaxWalk: 1 << 14}) != nil || step%5 == 4 {
				tx.Rollback()
				m.chains = before
			} else {
				require.NoError(t, tx.Commit(ctx))
				m.trim()
			}
			for name := range want { // of rules that are gone
				if i := slices.IndexFunc(m.chains, func(c *modelChain) bool { return c != nil && strings.HasPrefix(name, c.born+"/") }); i < 0 {
					delete(want, name)
				}
			}
			table := m.table()
			roots := table.Roots()
			for packet := range 30 {
				entry := roots[r.IntN(len(roots))]
				randomKey(r, s, m.pool, k)
				if extended {
					marked.Set(k, 3, rules.U64(uint64(r.IntN(8)*r.IntN(2))))
				}
				bytes := 60 + packet
				one, two := &subject{key: slices.Clone(k)}, &subject{key: slices.Clone(k)}
				var executed, seen []rules.Place
				result := table.Run(one, entry, func(at rules.Place) {
					executed = append(executed, at)
					count(at.Chain, m.chains[at.Chain].rules[at.Rule].ID, bytes)
				})
				if result.By.Rule < 0 && table.Admits(k) {
					count(entry, 0, bytes)
				}
				n := r.IntN(4)
				if n == 0 && !extended {
					require.Equal(t, result, reader.Evaluate("filter", m.family, k, entry, bytes))
					continue
				}
				if result.Verdict == rules.NoVerdict { // which a path skips
					result = rules.Result{}
				}
				switch n {
				case 1:
					require.Equal(t, result, second.Run(two, rules.Path{{Table: table, Chain: entry}}, bytes, nil).Result)
				default:
					got := reader.Run(two, rules.Path{{Table: table, Chain: entry}}, bytes, &rules.Observer{Executed: func(_ int, at rules.Place) { seen = append(seen, at) }})
					require.Equal(t, result, got.Result)
					require.Equal(t, executed, seen)
				}
			}
		}
		reader.Close()
		alive := 0
		live.EachCounter(func(s *hipac.TableSnapshot, chain int, rule *rules.Rule[rules.Action], c hipac.Counts) bool {
			id := rules.ID(0)
			if rule != nil {
				id = rule.ID
			}
			name := fmt.Sprint(m.chains[chain].born, "/", id)
			require.Equal(t, want[name].Packets, c.Packets, name)
			require.Equal(t, want[name].Bytes, c.Bytes, name)
			total += c.Packets
			alive++
			return true
		})
		require.NotZero(t, alive)
		second.Close()
		second.Close()
	}
	require.Greater(t, total, uint64(5000))
}

func TestCountersOfTablesAreReadResetAndNamed(t *testing.T) {
	live, rs := liveTables(t, twoTables, &hipac.LiveOptions{Counters: true})
	at := hipac.RuleRef{Table: "filter", Family: 4, Chain: "web", ID: 1}
	c, err := live.Counters(at)
	require.NoError(t, err)
	require.Equal(t, hipac.Counts{Packets: 5, Bytes: 500}, c)
	c, err = live.ResetCounters(at)
	require.NoError(t, err)
	require.Equal(t, uint64(5), c.Packets)
	c, err = live.Counters(at)
	require.NoError(t, err)
	require.Zero(t, c.Packets)
	c, err = live.Counters(hipac.RuleRef{Table: "filter", Family: 4, Chain: "INPUT"})
	require.NoError(t, err)
	require.Equal(t, hipac.Counts{Packets: 10, Bytes: 1000}, c)
	for _, row := range []struct {
		at   hipac.RuleRef
		is   error
		want string
	}{
		{hipac.RuleRef{Table: "mangle", Family: 4}, hipac.ErrNoTable, "no such table: mangle of family 4"},
		{hipac.RuleRef{Table: "filter", Family: 4, Chain: "x"}, hipac.ErrNoChain, "table filter: no such chain: x"},
		{hipac.RuleRef{Table: "filter", Family: 4, Chain: "web"}, hipac.ErrNoRule, "table filter: chain web: no such rule: it has no policy"},
		{hipac.RuleRef{Table: "filter", Family: 4, Chain: "web", ID: 9}, hipac.ErrNoRule, "table filter: chain web: no such rule: 9"},
	} {
		_, err := live.Counters(row.at)
		require.ErrorIs(t, err, row.is)
		require.EqualError(t, err, row.want)
		require.ErrorIs(t, live.AddCounters(row.at, hipac.Counts{}), row.is)
	}
	// A policy that comes has counters, and one that goes has none.
	set := func(p rules.Verdict) {
		require.NoError(t, live.Edit(context.Background(), func(tx *hipac.TablesTx) error {
			e, err := tx.Table("filter", 4)
			require.NoError(t, err)
			c, err := e.Chain("logs")
			require.NoError(t, err)
			return hipac.SetPolicy(c, p)
		}))
	}
	policy := hipac.RuleRef{Table: "filter", Family: 4, Chain: "logs"}
	set(rules.Drop)
	require.NoError(t, live.AddCounters(policy, hipac.Counts{Packets: 3}))
	set(rules.Accept)
	c, err = live.Counters(policy)
	require.NoError(t, err)
	require.Equal(t, uint64(3), c.Packets)
	set(rules.NoVerdict)
	_, err = live.Counters(policy)
	require.ErrorIs(t, err, hipac.ErrNoRule)

	live.ResetAllCounters()
	live.EachCounter(func(_ *hipac.TableSnapshot, _ int, _ *rules.Rule[rules.Action], c hipac.Counts) bool {
		require.Zero(t, c.Packets)
		return true
	})
	seen := 0
	live.EachCounter(func(*hipac.TableSnapshot, int, *rules.Rule[rules.Action], hipac.Counts) bool { seen++; return seen < 2 })
	require.Equal(t, 2, seen)

	off, err := hipac.NewLiveTables(context.Background(), rs.Tables, nil)
	require.NoError(t, err)
	reader := off.Reader()
	defer reader.Close()
	filter := rs.Table("filter")
	k := filter.Schema.NewKey()
	require.Equal(t, filter.Evaluate(k, 0, nil), reader.Evaluate("filter", 4, k, 0, 60))
	require.Equal(t, rules.NoVerdict, reader.Evaluate("filter", 6, k, 0, 60).Verdict)
	require.Equal(t, -1, reader.Run(xt.NewTraversal(filter.Schema), nil, 60, nil).Stop)
	c, err = off.Counters(at)
	require.NoError(t, err)
	require.Zero(t, c.Packets)
}

func TestCountingPacketsOfTablesAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 63))
	m := newTableModel(t, r, rules.Firewall, 6, 60, false)
	live, err := hipac.NewLiveTables(context.Background(), []*rules.Table{m.table()}, &hipac.LiveOptions{Counters: true})
	require.NoError(t, err)
	reader := live.Reader()
	defer reader.Close()
	keys := make([]rules.Key, 300)
	for i := range keys {
		keys[i] = rules.Firewall.NewKey()
		randomKey(r, rules.Firewall, m.pool, keys[i])
		reader.Evaluate("filter", m.family, keys[i], 0, 60)
	}
	i := 0
	require.Zero(t, testing.AllocsPerRun(len(keys)-1, func() {
		reader.Evaluate("filter", m.family, keys[i], 0, 60)
		i++
	}))
}
