package hipac_test

// What live tables promise besides the right answers: errors, atomicity, limits,
// the fast form, memory.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/xt"
)

// parseTables reads tables in the form of iptables-save.
func parseTables(t testing.TB, text string) *iptables.Ruleset {
	t.Helper()
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{Family: 4})
	require.NoError(t, err)
	return rs
}

func liveTables(t testing.TB, text string, opts *hipac.LiveOptions) (*hipac.LiveTables, *iptables.Ruleset) {
	t.Helper()
	rs := parseTables(t, text)
	live, err := hipac.NewLiveTables(context.Background(), rs.Tables, opts)
	require.NoError(t, err)
	return live, rs
}

const twoTables = `*nat
:PREROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT DROP [10:1000]
:OUTPUT ACCEPT [0:0]
:web - [0:0]
:logs - [0:0]
[3:180] -A INPUT -p tcp -m tcp --dport 80 -j web
-A INPUT -p udp -j ACCEPT
[5:500] -A web -s 10.0.0.0/8 -j ACCEPT
-A web -j logs
COMMIT
`

func decide(v rules.Verdict) rules.Rule[rules.Action] {
	return rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: v}}
}

func jumpTo(chain int) rules.Rule[rules.Action] {
	return rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: chain}}
}

func TestEditsOfTablesThatFailSayWhereAndDoNothing(t *testing.T) {
	live, _ := liveTables(t, twoTables, nil)
	before := live.Snapshot()
	tx := live.Begin()
	defer tx.Rollback()
	_, err := tx.Table("filter", 6)
	require.ErrorIs(t, err, hipac.ErrNoTable)
	require.EqualError(t, err, "no such table: filter of family 6")
	filter, err := tx.Table("filter", 4)
	require.NoError(t, err)
	web, err := filter.Chain("web")
	require.NoError(t, err)
	input, err := filter.Chain("INPUT")
	require.NoError(t, err)
	for _, row := range []struct {
		name string
		do   func() error
		is   error
		want string
	}{
		{"a chain that there is not", func() error { _, err := filter.Chain("nobody"); return err }, hipac.ErrNoChain, "table filter: no such chain: nobody"},
		{"a chain twice", func() error { _, err := filter.NewChain("web"); return err }, hipac.ErrDuplicate, "table filter: the name is in use: chain web"},
		{"a chain without a name", func() error { _, err := filter.NewChain(""); return err }, nil, `table filter: "" is no name for a chain: it is empty`},
		{"a chain with a name of 29 bytes", func() error { _, err := filter.NewChain(strings.Repeat("x", 29)); return err }, nil, "is no name for a chain: it has 29 bytes, at most 28"},
		{"a chain with a blank in its name", func() error { _, err := filter.NewChain("a b"); return err }, nil, `table filter: "a b" is no name for a chain: it has white space`},
		{"a chain like an option", func() error { _, err := filter.NewChain("-j"); return err }, nil, `table filter: "-j" is no name for a chain: it begins with -`},
		{"a chain like a negation", func() error { return filter.RenameChain("web", "!web") }, nil, `table filter: "!web" is no name for a chain: it begins with !`},
		{"to rename a chain like a verdict", func() error { return filter.RenameChain("web", "RETURN") }, nil, `table filter: "RETURN" is no name for a chain: it is that of a target`},
		{"to rename a chain with a policy", func() error { return filter.RenameChain("INPUT", "IN") }, hipac.ErrInUse, "table filter: the chain is in use: INPUT is built in: it has a policy"},
		{"a policy of a user chain", func() error { return web.SetPolicy(rules.Drop) }, nil, "table filter: chain web: it gets no policy (DROP): only built-in chains, of which the table has 3, have one"},
		{"to decide nothing", func() error { _, err := web.Append(decide(rules.NoVerdict)); return err }, hipac.ErrAction, "table filter: chain web: not an action: it decides, and its verdict is NONE"},
		{"to rename to a name in use", func() error { return filter.RenameChain("web", "INPUT") }, hipac.ErrDuplicate, "table filter: the name is in use: chain INPUT"},
		{"to delete a chain with a policy", func() error { return filter.DeleteChain("OUTPUT") }, hipac.ErrInUse, "table filter: the chain is in use: OUTPUT is built in: it has a policy"},
		{"to delete a chain with rules", func() error { return filter.DeleteChain("web") }, hipac.ErrInUse, "table filter: the chain is in use: web has 2 rules"},
		{"to delete a chain that rules lead to", func() error { return filter.DeleteChain("logs") }, hipac.ErrInUse, "table filter: the chain is in use: 1 rule leads to logs"},
		{"a rule that there is not", func() error { return web.Delete(77) }, hipac.ErrNoRule, "table filter: chain web: no such rule: 77"},
		{"a position behind the end", func() error { _, err := web.InsertAt(3, decide(rules.Drop)); return err }, hipac.ErrPosition, "table filter: chain web: position out of range: 3, want 0 to 2"},
		{"an identity twice", func() error { r := decide(rules.Drop); r.ID = 1; _, err := web.Append(r); return err }, rules.ErrDuplicateID, "table filter: chain web: duplicate rule identity: 1"},
		{"a jump to nowhere", func() error { _, err := web.Append(jumpTo(99)); return err }, hipac.ErrNoChain, "table filter: chain web: it goes to a chain that does not exist: no such chain: number 99"},
		{"a jump to a negative number", func() error { return web.Replace(1, jumpTo(-1)) }, hipac.ErrNoChain, "table filter: chain web: it goes to a chain that does not exist: no such chain: number -1"},
		{"a rule that continues and decides", func() error { r := decide(rules.Drop); r.Continue = true; _, err := web.Append(r); return err }, hipac.ErrAction, "table filter: chain web: not an action: only a rule that passes packets on continues"},
		{"an action that there is not", func() error { r := decide(rules.Drop); r.Value.Kind = 9; _, err := web.Append(r); return err }, hipac.ErrAction, "table filter: chain web: not an action: of kind 9"},
		{"a condition of another schema", func() error {
			r := decide(rules.Drop)
			r.Conds = []rules.Cond{rules.In(31, rules.Point(1))}
			_, err := web.Append(r)
			return err
		}, nil, "table filter: chain web: "},
		{"a policy that is none", func() error { return input.SetPolicy(rules.Unknown) }, nil, "table filter: chain INPUT: UNKNOWN is no policy"},
		{"a table twice", func() error {
			_, err := tx.AddTable(context.Background(), before.Table("filter", 4).Source())
			return err
		}, hipac.ErrDuplicate, "the name is in use: table filter of family 4"},
		{"no table", func() error { _, err := tx.AddTable(context.Background(), nil); return err }, nil, "no table"},
		{"to drop a table that there is not", func() error { return tx.DropTable("raw", 4) }, hipac.ErrNoTable, "no such table: raw of family 4"},
	} {
		err := row.do()
		require.ErrorContains(t, err, row.want, row.name)
		if row.is != nil {
			require.ErrorIs(t, err, row.is, row.name)
		}
	}
	require.NoError(t, tx.Commit(context.Background()))
	require.Same(t, before, live.Snapshot(), "nothing was edited")
	for _, err := range []error{tx.Commit(context.Background()), filter.DeleteChain("web"), web.Delete(1), web.Flush(), input.SetPolicy(rules.Accept), tx.DropTable("nat", 4)} {
		require.ErrorIs(t, err, hipac.ErrDone)
	}
	_, err = tx.Table("filter", 4)
	require.ErrorIs(t, err, hipac.ErrDone)
	_, err = filter.NewChain("x")
	require.ErrorIs(t, err, hipac.ErrDone)
	_, err = tx.AddTable(context.Background(), nil)
	require.ErrorIs(t, err, hipac.ErrDone)
}

func TestLoopsAndLimitsOfTablesFailAtCommit(t *testing.T) {
	ctx := context.Background()
	opts := &hipac.LiveOptions{Limits: rules.Limits{MaxRules: 9, MaxDepth: 4, MaxWalk: 20, MaxChains: 7, MaxMemory: 1 << 14}}
	live, _ := liveTables(t, twoTables, opts)
	chain := func(tx *hipac.TablesTx, name string) *hipac.ChainEdit {
		filter, err := tx.Table("filter", 4)
		require.NoError(t, err)
		c, err := filter.Chain(name)
		require.NoError(t, err)
		return c
	}
	add := func(c *hipac.ChainEdit, r rules.Rule[rules.Action]) {
		_, err := c.Append(r)
		require.NoError(t, err)
	}
	newChain := func(tx *hipac.TablesTx, name string) *hipac.ChainEdit {
		filter, err := tx.Table("filter", 4)
		require.NoError(t, err)
		c, err := filter.NewChain(name)
		require.NoError(t, err)
		return c
	}
	for _, row := range []struct {
		name string
		do   func(tx *hipac.TablesTx)
		is   error
		want string
	}{
		{"a chain from itself", func(tx *hipac.TablesTx) { add(chain(tx, "web"), jumpTo(chain(tx, "web").Number())) }, hipac.ErrLoop, "table filter: chain web: rule 3: loop: web is reached from itself"},
		{"a chain from one below", func(tx *hipac.TablesTx) {
			add(chain(tx, "logs"), decide(rules.Drop))
			add(chain(tx, "logs"), jumpTo(chain(tx, "web").Number()))
		}, hipac.ErrLoop, "table filter: chain logs: rule 2: loop: web is reached from itself"},
		{"too many rules", func(tx *hipac.TablesTx) {
			for range 6 {
				add(chain(tx, "OUTPUT"), decide(rules.Drop))
			}
		}, rules.ErrLimit, "table filter: limit exceeded: 10 rules, at most 9"},
		{"too many chains", func(tx *hipac.TablesTx) {
			for i := range 3 {
				newChain(tx, fmt.Sprint("c", i))
			}
		}, rules.ErrLimit, "table filter: limit exceeded: 8 chains, at most 7"},
		{"too deep", func(tx *hipac.TablesTx) {
			from := chain(tx, "logs")
			for i := range 2 {
				c := newChain(tx, fmt.Sprint("c", i))
				add(from, jumpTo(c.Number()))
				from = c
			}
		}, rules.ErrLimit, "table filter: chain INPUT nests 5 chains: limit exceeded: at most 4"},
		{"too long a walk", func(tx *hipac.TablesTx) {
			for range 5 {
				add(chain(tx, "OUTPUT"), jumpTo(chain(tx, "web").Number()))
			}
			add(chain(tx, "logs"), decide(rules.Drop))
		}, rules.ErrLimit, "table filter: limit exceeded: 10 rules"},
		{"too long a walk of few rules", func(tx *hipac.TablesTx) {
			for range 3 {
				add(chain(tx, "web"), jumpTo(chain(tx, "logs").Number()))
			}
			for range 2 {
				add(chain(tx, "logs"), decide(rules.Drop))
			}
			require.NoError(t, chain(tx, "INPUT").Replace(2, jumpTo(chain(tx, "web").Number())))
		}, rules.ErrLimit, "table filter: chain INPUT: a packet could meet 28 rules or more: limit exceeded: at most 20"},
		{"too much memory", func(tx *hipac.TablesTx) {
			r := decide(rules.Drop)
			r.Comment = strings.Repeat("x", 1<<14)
			add(chain(tx, "OUTPUT"), r)
		}, rules.ErrLimit, "bytes of memory, at most 16384"},
	} {
		before := live.Snapshot()
		err := live.Edit(ctx, func(tx *hipac.TablesTx) error { row.do(tx); return nil })
		require.ErrorIs(t, err, row.is, row.name)
		require.ErrorContains(t, err, row.want, row.name)
		require.Same(t, before, live.Snapshot(), row.name)
		_, err = live.DryRun(ctx, func(tx *hipac.TablesTx) error { row.do(tx); return nil })
		require.ErrorIs(t, err, row.is, row.name)
	}
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
		add(chain(tx, "web"), jumpTo(chain(tx, "web").Number()))
		return chain(tx, "web").Delete(3)
	}), "a loop that is gone by then")

	_, err := hipac.NewLiveTables(ctx, []*rules.Table{nil}, nil)
	require.Error(t, err)
	rs := parseTables(t, twoTables)
	_, err = hipac.NewLiveTables(ctx, append(rs.Tables, rs.Tables[1]), nil)
	require.ErrorIs(t, err, hipac.ErrDuplicate)
	_, err = hipac.NewLiveTables(ctx, rs.Tables, &hipac.LiveOptions{Limits: rules.Limits{MaxRules: 3}})
	require.ErrorIs(t, err, rules.ErrLimit)
	_, err = hipac.NewLiveTables(ctx, rs.Tables, &hipac.LiveOptions{MemoryLimit: -1})
	require.Error(t, err)
}

// TestChecksOfEditedTablesAgreeWithCheck edits what leads from chain to chain,
// one commit at a time.
func TestChecksOfEditedTablesAgreeWithCheck(t *testing.T) {
	ctx := context.Background()
	kinds := map[string]int{}
	empty := rules.NewBuilder[rules.Action](rules.IPv4Tuple).List()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 31))
		n := 3 + r.IntN(12)
		limits := rules.Limits{MaxDepth: 3 + r.IntN(5), MaxWalk: 5 + r.IntN(60)}
		table := &rules.Table{Name: "t", Schema: rules.IPv4Tuple}
		model := make([][]rules.Rule[rules.Action], n)
		for i := range n {
			table.Chains = append(table.Chains, rules.Chain{Name: fmt.Sprint(i), Rules: empty})
			if i < 2 && seed%5 > 0 {
				table.Chains[i].Policy = rules.Accept
			}
		}
		live, err := hipac.NewLiveTables(ctx, []*rules.Table{table}, &hipac.LiveOptions{Limits: limits, NoBackground: true})
		require.NoError(t, err)
		for range 250 {
			tx := live.Begin()
			e, err := tx.Table("t", 0)
			require.NoError(t, err)
			before, chains := slices.Clone(model), slices.Clone(table.Chains)
			for range 1 + r.IntN(4)*r.IntN(2) {
				at := r.IntN(n)
				c, err := e.Chain(fmt.Sprint(at))
				require.NoError(t, err)
				switch k := r.IntN(12); {
				case k == 0:
					p := []rules.Verdict{rules.NoVerdict, rules.Accept}[r.IntN(2)]
					require.NoError(t, hipac.SetPolicy(c, p))
					table.Chains[at].Policy = p
				case k < 5 && len(model[at]) > 0:
					x := r.IntN(len(model[at]))
					require.NoError(t, c.Delete(model[at][x].ID))
					model[at] = slices.Delete(slices.Clone(model[at]), x, x+1)
				default:
					rule := decide(rules.Drop)
					if to := r.IntN(n); to > at || r.IntN(15) == 0 {
						rule = jumpTo(to)
					}
					rule.ID, err = c.Append(rule)
					require.NoError(t, err)
					model[at] = append(slices.Clone(model[at]), rule)
				}
			}
			for i := range n {
				table.Chains[i].Rules, err = rules.NewList(rules.IPv4Tuple, model[i]...)
				require.NoError(t, err)
			}
			wrong := table.Check(limits)
			if r.IntN(10) == 0 {
				tx.Rollback()
				model, table.Chains = before, chains
				continue
			}
			err = tx.Commit(ctx)
			requireSameError(t, table, limits, wrong, err, "")
			switch {
			case wrong == nil:
				kinds["committed"]++
				continue
			case errors.Is(err, hipac.ErrLoop):
				kinds["loop"]++
			default:
				kinds[strings.Fields(err.Error())[4]]++
			}
			model, table.Chains = before, chains
		}
	}
	require.Greater(t, kinds["committed"], 5000, kinds)
	for _, kind := range []string{"loop", "nests", "a"} { // nests too deep, a packet could meet too many
		require.Greater(t, kinds[kind], 100, "%s: %v", kind, kinds)
	}
}

func TestChainsThatNoPacketComesToMayLoop(t *testing.T) {
	live, _ := liveTables(t, twoTables, nil)
	require.NoError(t, live.Edit(context.Background(), func(tx *hipac.TablesTx) error {
		filter, err := tx.Table("filter", 4)
		require.NoError(t, err)
		a, err := filter.NewChain("a")
		require.NoError(t, err)
		b, err := filter.NewChain("b")
		require.NoError(t, err)
		goTo := jumpTo(a.Number())
		goTo.Value.Kind = rules.Goto
		for _, x := range []struct {
			c *hipac.ChainEdit
			r rules.Rule[rules.Action]
		}{{a, jumpTo(b.Number())}, {b, goTo}} {
			_, err := x.c.Append(x.r)
			require.NoError(t, err)
		}
		return nil
	}))
	table := live.Snapshot().Table("filter", 4)
	k := table.Schema().NewKey()
	want := table.Source().Evaluate(k, table.Find("a"), nil)
	require.Equal(t, rules.Unknown, want.Verdict)
	require.Equal(t, want, table.Evaluate(k, table.Find("a")))
}

func TestATransactionOverSeveralTablesShowsAtOnce(t *testing.T) {
	live, rs := liveTables(t, twoTables, nil)
	ctx := context.Background()
	filter := rs.Table("filter")
	path := rules.Path{{Table: rs.Table("nat"), Chain: 0}, {Table: filter, Chain: filter.Find("INPUT")}}
	tr := xt.NewTraversal(filter.Schema)
	run := func(s *hipac.TablesSnapshot) rules.PathResult {
		p := randomPacket(rand.New(rand.NewPCG(1, 1)))
		p.Family, p.Proto = 4, 17
		p.SetCTState(8) // a new connection, which nat sees
		tr.Start(&p)
		return s.Run(tr, path, nil)
	}
	old := live.Snapshot()
	require.Equal(t, rules.Accept, run(old).Verdict)
	tx := live.Begin()
	nat, err := tx.Table("nat", 4)
	require.NoError(t, err)
	c, err := nat.Chain("PREROUTING")
	require.NoError(t, err)
	_, err = c.Append(decide(rules.Drop))
	require.NoError(t, err)
	e, err := tx.Table("filter", 4)
	require.NoError(t, err)
	require.NoError(t, e.RenameChain("web", "www"))
	require.Equal(t, "nat", nat.Name())
	require.Equal(t, 4, nat.Family())
	require.Equal(t, 1, nat.Len())
	require.Same(t, old, live.Snapshot(), "not before commit")
	require.NoError(t, tx.Commit(ctx))
	now := live.Snapshot()
	require.Equal(t, uint64(1), now.Version())
	require.Equal(t, rules.PathResult{Result: rules.Result{Verdict: rules.Drop, By: rules.Place{Chain: 0, Rule: 0}}, Stop: 0}, run(now))
	require.Equal(t, rules.Accept, run(old).Verdict)
	require.Equal(t, -1, now.Table("filter", 4).Find("web"))
	require.Equal(t, hipac.ChainInfo{Name: "www", Rules: 2}, now.Table("filter", 4).Chain(now.Table("filter", 4).Find("www")))

	// A path goes by names: without the table, or the chain, there is one stop less.
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error { return tx.DropTable("nat", 4) }))
	require.Equal(t, 1, run(live.Snapshot()).Stop)
	require.Len(t, live.Snapshot().Tables(), 1)
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
		e, err := tx.Table("filter", 4)
		require.NoError(t, err)
		hipac.RenameChain(e, "INPUT", "IN")
		_, err = tx.AddTable(ctx, rs.Table("nat"))
		return err
	}))
	require.Equal(t, 0, run(live.Snapshot()).Stop)
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
		e, err := tx.Table("filter", 4)
		require.NoError(t, err)
		_, err = e.NewChain("INPUT")
		return err
	}))
	at := live.Snapshot().Table("filter", 4).Find("INPUT")
	require.Greater(t, at, 3)
	require.Equal(t, rules.PathResult{Result: rules.Result{Verdict: rules.Accept, By: rules.Place{Chain: 0, Rule: -1}}, Stop: 0}, run(live.Snapshot()))
}

func TestDryRunsOfTablesTellAndLeaveNothing(t *testing.T) {
	live, rs := liveTables(t, twoTables, &hipac.LiveOptions{Counters: true, NoBackground: true})
	before := live.Snapshot()
	c, err := live.DryRun(context.Background(), func(tx *hipac.TablesTx) error {
		e, err := tx.Table("filter", 4)
		require.NoError(t, err)
		web, err := e.Chain("web")
		require.NoError(t, err)
		_, err = web.Append(decide(rules.Drop))
		require.NoError(t, err)
		require.NoError(t, web.Replace(1, decide(rules.Accept)))
		require.NoError(t, web.MoveTo(1, 2))
		x, err := e.NewChain("x")
		require.NoError(t, err)
		for range 3000 {
			_, err = x.Append(decide(rules.Drop))
			require.NoError(t, err)
		}
		require.NoError(t, tx.DropTable("nat", 4))
		other := *rs.Table("filter")
		other.Name = "other"
		added, err := tx.AddTable(context.Background(), &other)
		require.NoError(t, err)
		web, err = added.Chain("web")
		require.NoError(t, err)
		_, err = web.Append(decide(rules.Drop))
		return err
	})
	require.NoError(t, err)
	require.Equal(t, []int{3006, 0, 1, 1, 3010}, []int{c.Inserted, c.Deleted, c.Replaced, c.Moved, c.Rules})
	require.True(t, c.Rebuild)
	require.Greater(t, c.Bytes, int64(3000*128))
	require.Same(t, before, live.Snapshot())
	c, err = live.DryRun(context.Background(), func(tx *hipac.TablesTx) error { return tx.DropTable("filter", 4) })
	require.NoError(t, err)
	require.Equal(t, []int{0, 4, 0}, []int{c.Inserted, c.Deleted, c.Rules})
	require.Negative(t, c.Bytes)
	requireNoMoreCounters(t, live)
	_, err = live.DryRun(context.Background(), func(tx *hipac.TablesTx) error { return errors.New("no") })
	require.EqualError(t, err, "no")
	_, err = live.DryRun(context.Background(), func(tx *hipac.TablesTx) error { tx.Rollback(); return nil })
	require.ErrorIs(t, err, hipac.ErrDone)
}

func TestQuietTablesGetTheFastForm(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(4, 41))
	m := newTableModel(t, r, rules.Firewall, 6, 12, false)
	m.limits = rules.DefaultLimits
	live, err := hipac.NewLiveTables(ctx, []*rules.Table{m.table()}, nil)
	require.NoError(t, err)
	for round := range 3 {
		for edited := false; !edited; {
			tx := live.Begin()
			before := m.clone()
			m.edit(tx)
			if m.table().Check(m.limits) != nil {
				tx.Rollback()
				m.chains = before
				continue
			}
			require.NoError(t, tx.Commit(ctx))
			m.trim()
			edited = live.Snapshot().Version() > uint64(round)
		}
		edited := live.Snapshot()
		require.False(t, edited.Table("filter", m.family).Inlined())
		m.requireSame(edited.Table("filter", m.family), m.table(), 50, "edited")
		require.Eventually(t, func() bool { return live.Snapshot().Table("filter", m.family).Inlined() }, 30*time.Second, 5*time.Millisecond)
		settled := live.Snapshot()
		require.Equal(t, edited.Version(), settled.Version())
		m.requireSame(settled.Table("filter", m.family), m.table(), 50, "settled")
		require.Greater(t, settled.Table("filter", m.family).Bytes(), edited.Table("filter", m.family).Bytes())
	}
}

// TestEvaluationWhileTablesAreEditedIsThatOfSomeVersion has readers evaluate while
// a writer commits versions that it knows the answers of.
func TestEvaluationWhileTablesAreEditedIsThatOfSomeVersion(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(2, 43))
	s := rules.IPTuple
	m := newTableModel(t, r, s, 6, 30, false)
	m.limits = rules.DefaultLimits
	m.family = 0
	live, err := hipac.NewLiveTables(ctx, []*rules.Table{m.table()}, &hipac.LiveOptions{Counters: true})
	require.NoError(t, err)
	const packets, versions = 16, 600
	keys := make([]rules.Key, packets)
	for i := range keys {
		keys[i] = s.NewKey()
		randomKey(r, s, m.pool, keys[i])
	}
	var answers [versions + 1][packets]rules.Result
	note := func(version int) {
		table := m.table()
		for i, k := range keys {
			answers[version][i] = table.Evaluate(k, 0, nil)
		}
	}
	note(0)
	var begun, done atomic.Int64 // versions whose commit has begun, and returned
	var wait sync.WaitGroup
	var wrong, looked atomic.Int64
	stop := make(chan struct{})
	for range 2 {
		wait.Go(func() {
			reader := live.Reader()
			defer reader.Close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				p := i % packets
				from := done.Load()
				got := live.Snapshot().Table("filter", 0).Evaluate(keys[p], 0)
				if i%3 == 0 {
					got = reader.Evaluate("filter", 0, keys[p], 0, 60)
				}
				to := begun.Load()
				ok := false
				for v := from; v <= to; v++ {
					ok = ok || answers[v][p] == got
				}
				if !ok {
					wrong.Add(1)
				}
				looked.Add(1)
			}
		})
	}
	for v := 1; v <= versions; {
		tx := live.Begin()
		before := m.clone()
		for range 1 + r.IntN(5) {
			m.edit(tx)
		}
		if m.table().Check(m.limits) != nil {
			tx.Rollback()
			m.chains = before
			continue
		}
		note(v)
		begun.Store(int64(v))
		require.NoError(t, tx.Commit(ctx))
		done.Store(int64(v))
		m.trim()
		v++
		if v%50 == 0 {
			time.Sleep(10 * time.Millisecond) // for housekeeping
		}
	}
	for looked.Load() < 1000 {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wait.Wait()
	require.Zero(t, wrong.Load(), "of %d", looked.Load())
}

func TestMemoryOfLiveTablesReturns(t *testing.T) {
	ctx := context.Background()
	live, _ := liveTables(t, twoTables, &hipac.LiveOptions{NoBackground: true, Counters: true})
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	round := func() {
		const chains = 1000
		require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
			e, err := tx.Table("filter", 4)
			require.NoError(t, err)
			web, err := e.Chain("web")
			require.NoError(t, err)
			for i := range chains {
				c, err := e.NewChain(fmt.Sprint("extra", i))
				require.NoError(t, err)
				for range 12 {
					_, err := c.Append(decide(rules.Drop))
					require.NoError(t, err)
				}
				_, err = web.Append(jumpTo(c.Number()))
				require.NoError(t, err)
			}
			return nil
		}))
		require.Equal(t, 5+chains, live.Snapshot().Table("filter", 4).Chains())
		require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
			e, err := tx.Table("filter", 4)
			require.NoError(t, err)
			web, err := e.Chain("web")
			require.NoError(t, err)
			for web.Len() > 2 {
				last, err := web.At(web.Len() - 1)
				require.NoError(t, err)
				require.NoError(t, web.Delete(last.ID))
			}
			for i := range chains {
				c, err := e.Chain(fmt.Sprint("extra", i))
				require.NoError(t, err)
				require.NoError(t, c.Flush())
				require.NoError(t, e.DeleteChain(c.Name()))
			}
			return nil
		}))
		require.Equal(t, 4, live.Snapshot().Table("filter", 4).Len())
		require.Equal(t, 5, live.Snapshot().Table("filter", 4).Chains())
	}
	round()
	before := heap()
	for range 3 {
		round()
	}
	require.Eventually(t, func() bool { return heap() < before+1<<19 }, 20*time.Second, 50*time.Millisecond)
}

func TestChainsCannotHaveTheNamesOfTargets(t *testing.T) {
	var names []string
	for _, x := range iptables.Describe().Targets {
		names = append(append(names, x.Name), x.Aliases...)
	}
	require.ElementsMatch(t, names, hipac.TargetNames)
}

func TestAChainOfATableWithoutPoliciesMayGetOne(t *testing.T) {
	live, _ := liveTables(t, twoTables, nil)
	require.NoError(t, live.Edit(context.Background(), func(tx *hipac.TablesTx) error {
		filter, err := tx.Table("filter", 4)
		require.NoError(t, err)
		for _, name := range []string{"INPUT", "FORWARD", "OUTPUT"} {
			c, err := filter.Chain(name)
			require.NoError(t, err)
			require.NoError(t, c.SetPolicy(rules.NoVerdict))
		}
		web, err := filter.Chain("web")
		require.NoError(t, err)
		return web.SetPolicy(rules.Drop)
	}))
	filter := live.Snapshot().Table("filter", 4)
	require.Equal(t, rules.Drop, filter.Chain(filter.Find("web")).Policy)
}

func TestNoTablesAreAnErrorAndAnEmptySetDropsAll(t *testing.T) {
	live, _ := liveTables(t, twoTables, nil)
	before := live.Snapshot()
	_, err := live.Apply(context.Background(), nil)
	require.EqualError(t, err, "no tables (nil): an empty slice that is not nil drops all tables")
	_, err = live.DryApply(context.Background(), nil)
	require.Error(t, err)
	require.Same(t, before, live.Snapshot())
	a, err := live.Apply(context.Background(), []*rules.Table{})
	require.NoError(t, err)
	require.Equal(t, 2, a.Script.DroppedTables)
	require.Empty(t, live.Snapshot().Tables())
}

func TestChainsCountForTheMemoryOfTables(t *testing.T) {
	live, _ := liveTables(t, twoTables, &hipac.LiveOptions{Limits: rules.Limits{MaxMemory: 100_000}})
	add := func(n int) error {
		return live.Edit(context.Background(), func(tx *hipac.TablesTx) error {
			filter, err := tx.Table("filter", 4)
			require.NoError(t, err)
			for i := range n {
				_, err := filter.NewChain(fmt.Sprint("chain", i))
				require.NoError(t, err)
			}
			return nil
		})
	}
	err := add(3000)
	require.ErrorIs(t, err, rules.ErrLimit)
	require.ErrorContains(t, err, "bytes of memory, at most 100000")
	require.NoError(t, add(50))
}

func TestTheMemoryLimitBoundsTheTreesOfAllChains(t *testing.T) {
	ctx := context.Background()
	live, rs := liveTables(t, twoTables, &hipac.LiveOptions{MemoryLimit: 200_000, NoBackground: true})
	fill := func(name string) error {
		return live.Edit(ctx, func(tx *hipac.TablesTx) error {
			filter, err := tx.Table("filter", 4)
			require.NoError(t, err)
			c, err := filter.NewChain(name)
			require.NoError(t, err)
			for i := range 100 {
				r := decide(rules.Drop)
				r.Conds = rs.Tables[0].Schema.MustConds(fmt.Sprintf("src=10.0.%d.0/24", i))
				if _, err := c.Append(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	filled := 0
	var err error
	for ; filled < 1000 && err == nil; filled++ {
		before := live.Snapshot()
		if err = fill(fmt.Sprint("c", filled)); err != nil {
			require.Same(t, before, live.Snapshot())
		}
	}
	require.ErrorIs(t, err, hipac.ErrMemoryLimit)
	require.ErrorContains(t, err, "in the trees of all chains, at most 200000")
	require.Greater(t, filled, 2, "one chain is far below the limit")
	require.Error(t, fill("again"))

	// A chain that goes makes room for another.
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
		filter, err := tx.Table("filter", 4)
		require.NoError(t, err)
		c, err := filter.Chain("c0")
		require.NoError(t, err)
		require.NoError(t, c.Flush())
		return filter.DeleteChain("c0")
	}))
	require.NoError(t, fill("again"))
	require.Error(t, fill("more"))
}
