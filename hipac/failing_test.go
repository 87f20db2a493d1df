package hipac_test

// Builds and edits that fail in the middle: wherever the context ends, there is an
// error and nothing else.

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// ending is a context that ends when it has been asked so often.
type ending struct {
	context.Context
	left int
}

func (c *ending) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// requireEnds calls do with contexts that end later and later, until one does not;
// each time that one has ended, do must say so, and check is called.
func requireEnds(t *testing.T, least int, do func(ctx context.Context) error, check func()) {
	t.Helper()
	for left := 0; ; left++ {
		ctx := &ending{context.Background(), left}
		err := do(ctx)
		if ctx.left >= 0 {
			require.NoError(t, err)
			require.GreaterOrEqual(t, left, least)
			return
		}
		require.ErrorIs(t, err, context.Canceled, "ended after being asked %d times", left)
		check()
	}
}

func TestABuildEndsWhereverItsContextDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 1))
	for _, s := range []*rules.Schema{rules.IPv4Tuple, rules.IPTuple, mixed} {
		l := randomList(r, s, 300, pools(r, s))
		for _, o := range []hipac.Options{{}, {AllMatches: true}, {Engine: hipac.Index}} {
			var c *hipac.Classifier[int]
			requireEnds(t, 3, func(ctx context.Context) (err error) {
				c, err = hipac.Build(ctx, l, &o)
				return err
			}, func() { require.Nil(t, c) })
			require.NotNil(t, c)
			k := s.NewKey()
			require.NotPanics(t, func() { c.LookupAll(k, nil, 0) })
		}
	}
}

func TestTablesThatAreNotMadeHoldNoCounters(t *testing.T) {
	live, _ := liveTables(t, twoTables, &hipac.LiveOptions{Counters: true, NoBackground: true})
	require.NoError(t, live.Edit(context.Background(), func(tx *hipac.TablesTx) error { return tx.DropTable("filter", 4) }))
	filter := parseTables(t, twoTables).Table("filter")
	for i := range filter.Chains { // large ones are built with the context
		var list []rules.Rule[rules.Action]
		for n := range 40 {
			list = append(list, rules.Rule[rules.Action]{Conds: []rules.Cond{rules.In(filter.Schema.Index("proto"), rules.Point(uint64(n)))}, Value: rules.Action{Kind: rules.Decide, Verdict: rules.Accept}})
		}
		var err error
		filter.Chains[i].Rules, err = rules.NewList(filter.Schema, list...)
		require.NoError(t, err)
	}
	before := live.Snapshot()
	requireEnds(t, 4, func(ctx context.Context) error {
		tx := live.Begin()
		defer tx.Rollback()
		if _, err := tx.AddTable(ctx, filter); err != nil {
			return err
		}
		return tx.Commit(context.Background())
	}, func() {
		require.Same(t, before, live.Snapshot())
		requireNoMoreCounters(t, live)
	})
	requireNoMoreCounters(t, live)
}

// A file that changes rules, adds a table, drops one, and gives one another schema.
const otherTables = `*filter
:INPUT DROP [10:1000]
:OUTPUT ACCEPT [0:0]
:web - [0:0]
-A INPUT -p tcp -m tcp --dport 80 -m mark --mark 7 -j web
-A web -s 10.0.0.0/8 -j ACCEPT
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -j DROP
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
-A PREROUTING -p udp -j DROP
COMMIT
`

func TestFilesOfTablesAreAppliedWhollyOrNotAtAll(t *testing.T) {
	many := strings.Repeat("-A PREROUTING -p udp -j DROP\n", 60)
	first := strings.Replace(twoTables, "*filter", "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n"+many+"COMMIT\n*filter", 1)
	next := strings.ReplaceAll(otherTables, "-A PREROUTING -p udp -j DROP\n", strings.ReplaceAll(many, "udp", "tcp"))
	for _, counted := range []bool{true, false} {
		live, _ := liveTables(t, first, &hipac.LiveOptions{Counters: counted, NoBackground: true})
		rs := parseTables(t, next)
		before := live.Snapshot()
		counters := func() {
			if counted {
				requireNoMoreCounters(t, live)
			}
		}
		requireEnds(t, 5, func(ctx context.Context) error {
			_, err := live.Apply(ctx, rs.Tables)
			return err
		}, func() {
			require.Same(t, before, live.Snapshot())
			counters()
		})
		requireApplied(t, live, rs)
		counters()
	}
}

func TestRulesOfAFileThatTablesCannotHaveAreRefused(t *testing.T) {
	live, rs := liveTables(t, twoTables, &hipac.LiveOptions{Counters: true, NoBackground: true})
	before := live.Snapshot()
	filter := rs.Table("filter")
	for _, to := range []int{len(filter.Chains), -1, 99} {
		list, err := rules.NewList(filter.Schema, jumpTo(to))
		require.NoError(t, err)
		filter.Chains[filter.Find("web")].Rules = list
		_, err = live.Apply(context.Background(), rs.Tables)
		require.ErrorContains(t, err, "web")
		require.Same(t, before, live.Snapshot())
		requireNoMoreCounters(t, live)
	}
}

func TestDryRunsOfManyRulesLeaveNoCounters(t *testing.T) {
	live, _ := liveTables(t, twoTables, &hipac.LiveOptions{Counters: true, NoBackground: true})
	rs := parseTables(t, strings.Replace(twoTables, "-A INPUT -p udp -j ACCEPT\n", strings.Repeat("-A INPUT -p tcp -j ACCEPT\n", 300), 1))
	a, err := live.DryApply(context.Background(), rs.Tables)
	require.NoError(t, err)
	require.Equal(t, 300, a.Inserted)
	requireNoMoreCounters(t, live)
}

func TestWhatCutPacketsNeedIsBuiltOnce(t *testing.T) {
	rs := parseTables(t, "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --tcp-option 5 -j DROP\n-A INPUT -p udp -j DROP\nCOMMIT\n")
	table, err := hipac.BuildTable(context.Background(), rs.Table("filter"), nil)
	require.NoError(t, err)
	require.False(t, hipac.CutIsBuilt(table))
	ctx := &ending{context.Background(), 0}
	require.ErrorIs(t, table.BuildCut(ctx), context.Canceled)
	require.False(t, hipac.CutIsBuilt(table))
	require.NoError(t, table.BuildCut(context.Background()))
	require.True(t, hipac.CutIsBuilt(table))
	ctx.left = 0
	require.NoError(t, table.BuildCut(ctx), "there is nothing left to do")
}

func TestDemandsThatTheSchemaHasNoBitForAreAnError(t *testing.T) {
	s := rules.MustSchema(rules.Field{Name: "proto", Bits: 8}, rules.Field{Name: "hotdrop", Bits: 8})
	for at := range 3 {
		list := []rules.Rule[rules.Action]{decide(rules.Accept), decide(rules.Accept), decide(rules.Accept)}
		for i := range list {
			list[i].Conds = []rules.Cond{rules.In(0, rules.Point(uint64(i)))}
			list[i].Value.Ext = &rules.Extension{Demands: []rules.Demand{{Bits: 1, Conds: 1}}}
		}
		list[at].Value.Ext = &rules.Extension{Demands: []rules.Demand{{Bits: 1 << 9, Conds: 1}}}
		rows, err := rules.NewList(s, list...)
		require.NoError(t, err)
		table, err := hipac.BuildTable(context.Background(), &rules.Table{Name: "filter", Schema: s, Chains: []rules.Chain{{Name: "INPUT", Policy: rules.Accept, Rules: rows}}}, nil)
		require.NoError(t, err)
		require.ErrorContains(t, table.BuildCut(context.Background()), "table filter: chain INPUT")
		require.False(t, hipac.CutIsBuilt(table))
	}
}

func TestAScriptForAnotherListIsRefused(t *testing.T) {
	ctx := context.Background()
	long, short := newPorts(t, 300, nil), newPorts(t, 299, nil)
	script, err := rules.DiffFunc(long.Snapshot().List(), newPorts(t, 100, nil).Snapshot().List(), rules.ComparableValues[int]())
	require.NoError(t, err)
	require.Greater(t, script.Deleted, 100, "so many that they are made at once")
	before := short.Snapshot()
	err = short.Edit(ctx, func(tx *hipac.Tx[int]) error {
		return hipac.RunScript(tx, script, newPorts(t, 100, nil).Snapshot().List())
	})
	require.ErrorContains(t, err, "a script for 300 rules, and there are 299")
	require.Same(t, before, short.Snapshot())
}
