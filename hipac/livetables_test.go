package hipac_test

// Live tables against the walk over the same tables, after every transaction of
// random histories.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// modelChain is a chain of a model; nil for a number that no chain has.
type modelChain struct {
	name   string
	born   string // the name that it had first
	policy rules.Verdict
	rules  []rules.Rule[rules.Action]
}

// tableModel is a live table beside plain slices of the same chains.
type tableModel struct {
	t      *testing.T
	r      *rand.Rand
	pool   [][]rules.Value
	schema *rules.Schema
	family int
	chains []*modelChain
	next   int
	limits rules.Limits
	extend bool // rules get tests and targets
	kinds  map[string]int
}

// newTableModel makes a model of a random table.
func newTableModel(t *testing.T, r *rand.Rand, s *rules.Schema, chains, n int, extended bool) *tableModel {
	m := &tableModel{t: t, r: r, pool: pools(r, s), schema: s, limits: rules.Limits{MaxDepth: 8, MaxWalk: 2000}.OrDefault(), extend: extended, kinds: map[string]int{}}
	table := randomTable(r, s, chains, n, m.pool)
	if extended {
		extend(r, table)
	}
	if m.family = table.Family; extended {
		m.family = 0
	}
	for i := range table.Chains {
		name := m.name()
		c := &modelChain{name: name, born: name, policy: table.Chains[i].Policy}
		for _, r := range table.Chains[i].Rules.All() {
			c.rules = append(c.rules, *r)
		}
		m.chains = append(m.chains, c)
	}
	return m
}

func (m *tableModel) name() string {
	m.next++
	return fmt.Sprint("c", m.next)
}

// table returns the model as a table.
func (m *tableModel) table() *rules.Table {
	out := &rules.Table{Name: "filter", Family: m.family, Schema: m.schema}
	for _, c := range m.chains {
		if c == nil {
			c = &modelChain{}
		}
		l, err := rules.NewList(m.schema, c.rules...)
		require.NoError(m.t, err)
		out.Chains = append(out.Chains, rules.Chain{Name: c.name, Policy: c.policy, Rules: l})
	}
	return out
}

func (m *tableModel) clone() []*modelChain {
	out := make([]*modelChain, len(m.chains))
	for i, c := range m.chains {
		if c != nil {
			d := *c
			d.rules = slices.Clone(c.rules)
			out[i] = &d
		}
	}
	return out
}

// trim drops the numbers behind the last chain, as a commit does.
func (m *tableModel) trim() {
	for m.chains[len(m.chains)-1] == nil {
		m.chains = m.chains[:len(m.chains)-1]
	}
}

// some returns the number of a random chain.
func (m *tableModel) some() int {
	for {
		if i := m.r.IntN(len(m.chains)); m.chains[i] != nil {
			return i
		}
	}
}

// rule draws a rule for a chain. Most that lead to another one lead to one with a
// greater number.
func (m *tableModel) rule(chain int) rules.Rule[rules.Action] {
	for {
		t := randomTable(m.r, m.schema, 2, 4, m.pool)
		if m.extend {
			extend(m.r, t)
		}
		l := t.Chains[0].Rules
		if l.Len() == 0 {
			continue
		}
		r := *l.At(m.r.IntN(l.Len()))
		r.ID = 0
		if r.Value.Kind == rules.Jump || r.Value.Kind == rules.Goto {
			to := m.some()
			if to <= chain && m.r.IntN(10) > 0 {
				continue
			}
			r.Value.Chain = to
		}
		return r
	}
}

// edit does a random edit in a transaction and in the model.
func (m *tableModel) edit(tx *hipac.TablesTx) string {
	table, err := tx.Table("filter", m.family)
	require.NoError(m.t, err)
	n := m.some()
	c := m.chains[n]
	switch m.r.IntN(30) {
	case 0:
		name := m.name()
		e, err := table.NewChain(name)
		require.NoError(m.t, err)
		if at := slices.Index(m.chains, nil); at >= 0 {
			require.Equal(m.t, at, e.Number())
			m.chains[at] = &modelChain{name: name, born: name}
		} else {
			require.Equal(m.t, len(m.chains), e.Number())
			m.chains = append(m.chains, &modelChain{name: name, born: name})
		}
		return "new chain " + name
	case 1, 2:
		if live := slices.DeleteFunc(slices.Clone(m.chains), func(c *modelChain) bool { return c == nil }); len(live) < 4 {
			return ""
		}
		if e, err := table.Chain(c.name); m.r.IntN(2) == 0 { // make it ready
			require.NoError(m.t, err)
			require.NoError(m.t, e.Flush())
			require.NoError(m.t, hipac.SetPolicy(e, rules.NoVerdict))
			c.rules, c.policy = nil, rules.NoVerdict
		}
		used := len(c.rules) > 0 || c.policy != rules.NoVerdict
		for _, d := range m.chains {
			if d != nil {
				used = used || slices.ContainsFunc(d.rules, func(r rules.Rule[rules.Action]) bool {
					return (r.Value.Kind == rules.Jump || r.Value.Kind == rules.Goto) && r.Value.Chain == n
				})
			}
		}
		if err := table.DeleteChain(c.name); used {
			require.ErrorIs(m.t, err, hipac.ErrInUse)
		} else {
			require.NoError(m.t, err)
			m.chains[n] = nil
			m.kinds["chains deleted"]++
		}
		return "delete chain " + c.name
	case 3:
		name := m.name()
		hipac.RenameChain(table, c.name, name)
		c.name = name
		return "rename"
	case 4:
		e, err := table.Chain(c.name)
		require.NoError(m.t, err)
		p := []rules.Verdict{rules.NoVerdict, rules.Accept, rules.Drop}[m.r.IntN(3)]
		require.NoError(m.t, hipac.SetPolicy(e, p))
		c.policy = p
		return "policy"
	}
	e, err := table.Chain(c.name)
	require.NoError(m.t, err)
	require.Equal(m.t, len(c.rules), e.Len())
	return c.name + ": " + m.editRules(e, n, c)
}

// editRules does a random edit of a chain.
func (m *tableModel) editRules(e *hipac.ChainEdit, n int, c *modelChain) string {
	at := 0
	if len(c.rules) > 0 {
		at = m.r.IntN(len(c.rules))
	}
	switch k := m.r.IntN(8); {
	case k < 3 || len(c.rules) == 0:
		r := m.rule(n)
		at = m.r.IntN(len(c.rules) + 1)
		var err error
		r.ID, err = e.InsertAt(at, r)
		require.NoError(m.t, err)
		c.rules = slices.Insert(c.rules, at, r)
		return fmt.Sprintf("insert %d", at)
	case k < 6:
		require.NoError(m.t, e.Delete(c.rules[at].ID))
		c.rules = slices.Delete(c.rules, at, at+1)
		return fmt.Sprintf("delete %d", at)
	case k == 6:
		r := m.rule(n)
		r.ID = c.rules[at].ID
		require.NoError(m.t, e.Replace(r.ID, r))
		c.rules[at] = r
		return fmt.Sprintf("replace %d", at)
	}
	r, to := c.rules[at], m.r.IntN(len(c.rules))
	require.NoError(m.t, e.MoveTo(r.ID, to))
	c.rules = slices.Insert(slices.Delete(c.rules, at, at+1), to, r)
	return fmt.Sprintf("move %d to %d", at, to)
}

// requireSameTable compares a version with the walk, for some packets.
func (m *tableModel) requireSame(s *hipac.TableSnapshot, table *rules.Table, packets int, what string) {
	k := m.schema.NewKey()
	entries := table.Roots()
	all := *table
	all.Chains = slices.Clone(table.Chains)
	for i := range all.Chains {
		all.Chains[i].Policy = rules.NoVerdict
	}
	if all.Check(rules.Limits{MaxWalk: 1 << 14}) == nil { // not too much from chains that no root leads to
		entries = append(entries, all.Roots()...)
	}
	for range packets {
		entry := entries[m.r.IntN(len(entries))]
		randomKey(m.r, m.schema, m.pool, k)
		if m.extend {
			hot := uint64(0)
			if m.r.IntN(8) == 0 {
				hot = uint64(m.r.IntN(8))
			}
			marked.Set(k, 3, rules.U64(hot))
		}
		var want, got []rules.Place
		one, two := &subject{key: slices.Clone(k)}, &subject{key: slices.Clone(k)}
		w := table.Run(one, entry, func(p rules.Place) { want = append(want, p) })
		g := s.Run(two, entry, func(p rules.Place) { got = append(got, p) })
		require.Equal(m.t, w, g, "%s: key %v entry %d", what, k, entry)
		require.Equal(m.t, want, got, "%s: rules executed for %v from %d", what, k, entry)
		require.Equal(m.t, one, two, "%s: what was done", what)
		two = &subject{key: slices.Clone(k)}
		require.Equal(m.t, w, s.Run(two, entry, nil), what)
		require.Equal(m.t, one, two, "%s: what was done", what)
		if !m.extend {
			require.Equal(m.t, w, s.Evaluate(k, entry), what)
		}
		m.kinds[w.Verdict.String()]++
	}
}

const tableHistories = 40

func TestLiveTablesAnswerAsTheWalkAfterEveryTransaction(t *testing.T) {
	ctx := context.Background()
	kinds := map[string]int{}
	for seed := range uint64(tableHistories) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 21))
			extended := seed%2 == 1
			s := marked
			if !extended {
				s = []*rules.Schema{mixed, rules.Firewall, rules.IPTuple}[seed/2%3]
			}
			m := newTableModel(t, r, s, 1+r.IntN(8), []int{3, 12, 40, 100}[seed/2%4], extended)
			m.kinds = kinds
			opts := &hipac.LiveOptions{Limits: m.limits, NoBackground: seed%4 < 2, Counters: seed%3 == 0}
			if m.table().Check(m.limits) != nil {
				_, err := hipac.NewLiveTables(ctx, []*rules.Table{m.table()}, opts)
				require.Error(t, err)
				for m.table().Check(m.limits) != nil {
					m = newTableModel(t, r, s, 1+r.IntN(8), 12, extended)
				}
				m.kinds = kinds
			}
			live, err := hipac.NewLiveTables(ctx, []*rules.Table{m.table()}, opts)
			require.NoError(t, err)
			require.True(t, live.Snapshot().Table("filter", m.family).Inlined())
			type held struct {
				s     *hipac.TableSnapshot
				table *rules.Table
			}
			var old []held
			for step := range 120 {
				what := fmt.Sprintf("step %d:", step)
				before, version := m.clone(), live.Snapshot().Version()
				tx := live.Begin()
				edits := 1
				if r.IntN(6) == 0 {
					edits = 1 + r.IntN(80)
				}
				for range edits {
					what += " " + m.edit(tx)
				}
				table := m.table()
				wrong := table.Check(m.limits)
				switch {
				case r.IntN(6) == 0:
					tx.Rollback()
					what += " rolled back"
					m.chains = before
				default:
					err := tx.Commit(ctx)
					requireSameError(t, table, m.limits, wrong, err, what)
					if wrong != nil {
						m.chains = before
						kinds["refused"]++
					} else {
						m.trim()
					}
				}
				table = m.table()
				now := live.Snapshot()
				require.LessOrEqual(t, now.Version(), version+1)
				snapshot := now.Table("filter", m.family)
				m.requireSame(snapshot, table, 6, what)
				if step%10 == 0 {
					old = append(old, held{snapshot, table})
					requireSameRules(t, table, hipac.Numbered(snapshot))
				}
			}
			if opts.Counters {
				requireNoMoreCounters(t, live)
			}
			for _, h := range old {
				m.requireSame(h.s, h.table, 10, "held version")
			}
		})
	}
	for _, kind := range []string{"NONE", "ACCEPT", "DROP", "UNKNOWN", "refused", "chains deleted"} {
		require.Greater(t, kinds[kind], 20, "%s was hardly tried: %v", kind, kinds)
	}
}

// requireNoMoreCounters requires that each rule and each policy has a counter, and
// nothing else.
func requireNoMoreCounters(t *testing.T, live *hipac.LiveTables) {
	t.Helper()
	n := 0
	for _, s := range live.Snapshot().Tables() {
		n += s.Len()
		for i := range s.Chains() {
			if s.Chain(i).Policy != rules.NoVerdict {
				n++
			}
		}
	}
	require.Equal(t, n, hipac.CountersInUse(live))
}

// requireSameError requires that a commit fails when Check does, for the same
// reason: loops come first.
func requireSameError(t *testing.T, table *rules.Table, limits rules.Limits, wrong, err error, what string) {
	t.Helper()
	if wrong == nil {
		require.NoError(t, err, what)
		return
	}
	wide := rules.Limits{MaxDepth: 1 << 30, MaxWalk: 1 << 30}
	if table.Check(wide) != nil {
		require.ErrorIs(t, err, hipac.ErrLoop, what)
		return
	}
	require.ErrorIs(t, wrong, rules.ErrLimit)
	require.ErrorIs(t, err, rules.ErrLimit, what)
}

// requireSameRules requires that two tables have the same chains and rules.
func requireSameRules(t *testing.T, want, got *rules.Table) {
	t.Helper()
	require.Equal(t, len(want.Chains), len(got.Chains))
	for i := range want.Chains {
		w, g := &want.Chains[i], &got.Chains[i]
		require.Equal(t, w.Name, g.Name)
		require.Equal(t, w.Policy, g.Policy)
		require.Equal(t, w.Rules.Len(), g.Rules.Len())
		for j := range w.Rules.Len() {
			a, b := *w.Rules.At(j), *g.Rules.At(j)
			require.True(t, slices.EqualFunc(a.Conds, b.Conds, func(x, y rules.Cond) bool { return x.Equal(&y) }))
			a.Conds, b.Conds = nil, nil
			require.Equal(t, a, b)
		}
	}
}

func TestEvaluationOfLiveTablesAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 22))
		m := newTableModel(t, r, rules.Firewall, 10, 30, false)
		m.limits = rules.DefaultLimits
		live, err := hipac.NewLiveTables(ctx, []*rules.Table{m.table()}, &hipac.LiveOptions{NoBackground: true})
		require.NoError(t, err)
		require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
			e, err := tx.Table("filter", m.family)
			require.NoError(t, err)
			c, err := e.Chain(m.chains[0].name)
			require.NoError(t, err)
			_, err = c.Append(rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Return}})
			return err
		}))
		k := rules.Firewall.NewKey()
		require.Zero(t, allocsPerRun(200, func() {
			randomKey(r, rules.Firewall, m.pool, k)
			s := live.Snapshot().Table("filter", m.family)
			s.Evaluate(k, 0)
		}))
	}
}
