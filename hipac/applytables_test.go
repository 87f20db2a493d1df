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
	"github.com/hipac-go/classifier/rules/iptables"
)

// countedRules are the packets of the rules and policies of live tables.
func countedRules(t *testing.T, live *hipac.LiveTables) map[string]uint64 {
	out := map[string]uint64{}
	live.EachCounter(func(table *hipac.TableSnapshot, chain int, r *rules.Rule[rules.Action], c hipac.Counts) bool {
		at := hipac.RuleRef{Table: table.Name(), Family: table.Family(), Chain: table.Chain(chain).Name}
		if r != nil {
			at.ID = r.ID
		}
		same, err := live.Counters(at)
		require.NoError(t, err)
		require.Equal(t, c, same)
		out[fmt.Sprint(at.Table, "/", at.Chain, "/", at.ID)] = c.Packets
		return true
	})
	return out
}

func TestANewFileOfTablesIsAppliedAtOnce(t *testing.T) {
	ctx := context.Background()
	live, _ := liveTables(t, twoTables, &hipac.LiveOptions{Counters: true, NoBackground: true})
	require.Equal(t, map[string]uint64{"nat/PREROUTING/0": 0, "filter/INPUT/0": 10, "filter/INPUT/1": 3, "filter/INPUT/2": 0, "filter/FORWARD/0": 0,
		"filter/OUTPUT/0": 0, "filter/web/1": 5, "filter/web/2": 0, "nat/INPUT/0": 0, "nat/OUTPUT/0": 0, "nat/POSTROUTING/0": 0}, countedRules(t, live))
	require.NoError(t, live.AddCounters(hipac.RuleRef{Table: "filter", Family: 4, Chain: "web", ID: 2}, hipac.Counts{Packets: 100}))
	next := `*filter
:INPUT ACCEPT [77:7700]
:OUTPUT ACCEPT [0:0]
:more - [0:0]
:web - [0:0]
[9:9] -A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 -j web
-A INPUT -j more
-A web -j DROP
-A web -s 10.0.0.0/8 -j ACCEPT
-A more -j DROP
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
COMMIT
`
	rs := parseTables(t, next)
	before := live.Snapshot()
	dry, err := live.DryApply(ctx, rs.Tables)
	require.NoError(t, err)
	require.Same(t, before, live.Snapshot())
	a, err := live.Apply(ctx, rs.Tables)
	require.NoError(t, err)
	require.Equal(t, uint64(1), a.Version)
	require.Equal(t, uint64(1), live.Snapshot().Version())
	require.Equal(t, dry.Change, a.Change)
	require.Equal(t, "[[drop nat] [add raw] [4 2 0]]", fmt.Sprint(summary(a)))
	requireApplied(t, live, rs)
	require.Equal(t, map[string]uint64{"filter/INPUT/0": 10, "filter/INPUT/1": 3, "filter/INPUT/3": 9, "filter/INPUT/4": 0, "filter/FORWARD/0": 0, "filter/OUTPUT/0": 0,
		"filter/web/1": 5, "filter/web/3": 0, "filter/more/1": 0, "raw/PREROUTING/0": 0, "raw/OUTPUT/0": 0}, countedRules(t, live))
	filter := live.Snapshot().Table("filter", 4)
	require.Equal(t, before.Table("filter", 4).Find("web"), filter.Find("web"), "chains keep their numbers")
	require.Equal(t, before.Table("filter", 4).Find("logs"), filter.Find("more"), "and free ones are given away")

	again, err := live.Apply(ctx, rs.Tables)
	require.NoError(t, err)
	require.Equal(t, uint64(1), again.Version)
	require.True(t, again.Script.Empty())
	require.Equal(t, 6, again.Rules)
}

// summary says which tables came and went, and how many rules.
func summary(a *hipac.AppliedTables) (out [][]string) {
	for _, t := range a.Script.Tables {
		switch {
		case t.Old < 0:
			out = append(out, []string{"add", t.Name})
		case t.New < 0:
			out = append(out, []string{"drop", t.Name})
		}
	}
	slices.SortFunc(out, func(a, b []string) int { return -strings.Compare(a[0], b[0]) })
	return append(out, []string{fmt.Sprint(a.Inserted), fmt.Sprint(a.Deleted), fmt.Sprint(a.Moved)})
}

// requireApplied requires that the live tables are those of the file, but for the
// numbers of chains and rules and the counters.
func requireApplied(t *testing.T, live *hipac.LiveTables, rs *iptables.Ruleset) {
	t.Helper()
	var sources []*rules.Table
	for _, s := range live.Snapshot().Tables() {
		sources = append(sources, s.Source())
	}
	d, err := rules.DiffTables(sources, rs.Tables)
	require.NoError(t, err)
	for _, table := range d.Tables {
		for _, c := range table.Chains {
			require.True(t, c.Rules.Empty(), "%s %s: %v", table.Name, c.Name, c.Rules.Edits)
			require.True(t, c.New >= 0 && c.Old >= 0 && c.OldPolicy == c.NewPolicy, "%s %s", table.Name, c.Name)
		}
		require.GreaterOrEqual(t, table.New, 0)
		require.GreaterOrEqual(t, table.Old, 0)
		require.False(t, table.SchemaChanged)
	}
}

// randomFile draws tables whose rules are of few kinds, so that files have many in
// common.
func randomFile(r *rand.Rand) string {
	var b strings.Builder
	for _, table := range []string{"mangle", "filter"} {
		if r.IntN(6) == 0 {
			continue
		}
		fmt.Fprintf(&b, "*%s\n:INPUT %s [%d:0]\n", table, []string{"ACCEPT", "DROP"}[r.IntN(2)], r.IntN(9))
		var chains []string
		for _, c := range []string{"a", "b", "c", "d", "e"} {
			if r.IntN(4) > 0 {
				chains = append(chains, c)
			}
		}
		r.Shuffle(len(chains), func(i, j int) { chains[i], chains[j] = chains[j], chains[i] })
		for _, c := range chains {
			fmt.Fprintf(&b, ":%s - [0:0]\n", c)
		}
		for _, c := range append([]string{"INPUT"}, chains...) {
			for range r.IntN([]int{4, 12, 60}[r.IntN(3)]) {
				fmt.Fprintf(&b, "[%d:0] -A %s -s 10.0.0.%d -p tcp -m tcp --dport %d", r.IntN(3), c, r.IntN(6), r.IntN(3))
				if r.IntN(20) == 0 {
					b.WriteString(" -m mark --mark 1")
				}
				to := []string{"ACCEPT", "DROP", "RETURN", ""}[r.IntN(4)]
				if later := slices.DeleteFunc(slices.Clone(chains), func(x string) bool { return c != "INPUT" && x <= c }); len(later) > 0 && r.IntN(3) == 0 {
					to = later[r.IntN(len(later))]
				}
				if to != "" {
					b.WriteString(" -j " + to)
				}
				b.WriteString("\n")
			}
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

func TestRandomFilesOfTablesAreAppliedAndCountersGoOn(t *testing.T) {
	ctx := context.Background()
	kept, other := 0, 0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 51))
		var live *hipac.LiveTables
		var number uint64
		for range 25 {
			rs := parseTables(t, randomFile(r))
			if live == nil {
				var err error
				live, err = hipac.NewLiveTables(ctx, rs.Tables, &hipac.LiveOptions{Counters: true, NoBackground: seed%2 == 0})
				require.NoError(t, err)
			}
			// Each rule gets a count of its own.
			live.ResetAllCounters()
			live.EachCounter(func(s *hipac.TableSnapshot, chain int, rule *rules.Rule[rules.Action], c hipac.Counts) bool {
				require.Zero(t, c.Packets)
				at := hipac.RuleRef{Table: s.Name(), Family: s.Family(), Chain: s.Chain(chain).Name}
				if rule != nil {
					at.ID = rule.ID
				}
				number += 10
				require.NoError(t, live.AddCounters(at, hipac.Counts{Packets: number}))
				return true
			})
			before := countedRules(t, live)
			a, err := live.Apply(ctx, append([]*rules.Table{}, rs.Tables...))
			require.NoError(t, err)
			requireApplied(t, live, rs)
			after := countedRules(t, live)
			requireNoMoreCounters(t, live)
			for _, s := range a.Script.Tables {
				if s.Old < 0 || s.New < 0 {
					continue
				}
				if s.SchemaChanged {
					other++
				}
				for _, c := range s.Chains {
					if c.Old < 0 || c.New < 0 {
						continue
					}
					for _, id := range c.Rules.IDs {
						if id == 0 {
							continue
						}
						name := fmt.Sprint(s.Name, "/", c.Name, "/", id)
						require.Equal(t, before[name], after[name], name)
						kept++
					}
				}
			}
			m := tableModel{t: t, r: r, kinds: map[string]int{}}
			for _, s := range live.Snapshot().Tables() {
				m.schema, m.pool = s.Schema(), pools(r, s.Schema())
				m.pool[s.Schema().Index("src")] = nil
				for i := range uint64(6) {
					m.pool[s.Schema().Index("src")] = append(m.pool[s.Schema().Index("src")], rules.Value{Lo: 0xffff<<32 | 0x0a000000 | i})
				}
				m.requireSame(s, hipac.Numbered(s), 10, "applied")
			}
		}
	}
	require.Greater(t, kept, 1000)
	require.Greater(t, other, 10, "tables of other schemas")
}

func TestFilesOfTablesThatCannotBeAppliedChangeNothing(t *testing.T) {
	ctx := context.Background()
	live, rs := liveTables(t, twoTables, &hipac.LiveOptions{Limits: rules.Limits{MaxRules: 5}, Counters: true})
	before := live.Snapshot()
	big := parseTables(t, strings.Replace(twoTables, "-A INPUT -p udp -j ACCEPT\n", strings.Repeat("-A INPUT -p udp -j ACCEPT\n", 3), 1))
	loop := parseTables(t, twoTables)
	filter := loop.Table("filter")
	list, err := rules.NewList(filter.Schema, jumpTo(filter.Find("web")))
	require.NoError(t, err)
	filter.Chains[filter.Find("logs")].Rules = list
	manyTTL := parseTables(t, strings.Replace(twoTables, "-A INPUT -p udp -j ACCEPT\n", strings.Repeat("-A INPUT -p udp -m ttl --ttl-eq 1 -j ACCEPT\n", 3), 1))
	for _, row := range []struct {
		name   string
		tables []*rules.Table
		want   string
	}{
		{"too many rules of another schema", manyTTL.Tables, "table filter: limit exceeded: 6 rules, at most 5"},
		{"too many rules", big.Tables, "table filter: limit exceeded: 6 rules, at most 5"},
		{"a loop", loop.Tables, "loop: web is reached from itself"},
		{"a table twice", append(slices.Clone(rs.Tables), rs.Tables[0]), "are both table nat of family 4"},
		{"no table", []*rules.Table{nil}, "number 1 is missing"},
	} {
		_, err := live.Apply(ctx, row.tables)
		require.ErrorContains(t, err, row.want, row.name)
		_, err = live.DryApply(ctx, row.tables)
		require.ErrorContains(t, err, row.want, row.name)
		require.Same(t, before, live.Snapshot(), row.name)
		requireNoMoreCounters(t, live)
	}
	ended, end := context.WithCancel(ctx)
	end()
	_, err = live.Apply(ended, rs.Tables)
	require.ErrorIs(t, err, context.Canceled)
}

func TestNumbersThatNoChainHasAreNoChange(t *testing.T) {
	ctx := context.Background()
	const head, foot = "*filter\n:INPUT ACCEPT [0:0]\n", "-A INPUT -j c\n-A c -j DROP\nCOMMIT\n"
	live, err := hipac.NewLiveTables(ctx, parseTables(t, head+":a - [0:0]\n:b - [0:0]\n:c - [0:0]\n"+foot).Tables, nil)
	require.NoError(t, err)
	next := parseTables(t, head+":c - [0:0]\n"+foot).Tables
	for _, want := range []int{2, 0} {
		for _, apply := range []func(context.Context, []*rules.Table) (*hipac.AppliedTables, error){live.DryApply, live.Apply} {
			a, err := apply(ctx, next)
			require.NoError(t, err)
			require.Equal(t, want, a.Script.DroppedChains)
			require.Equal(t, want == 0, a.Script.Empty())
		}
		require.Equal(t, uint64(1), live.Snapshot().Version())
	}
}

func TestRulesThatStayKeepTheirTestsAndTargets(t *testing.T) {
	ctx := context.Background()
	const rule = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m limit --limit 5/min -j LOG\n"
	live, err := hipac.NewLiveTables(ctx, parseTables(t, rule+"COMMIT\n").Tables, nil)
	require.NoError(t, err)
	first := func() (int, *rules.Extension) {
		s := live.Snapshot().Table("filter", 4)
		n := 0
		chain := s.Source().Chains[s.Find("INPUT")].Rules
		for i, r := range chain.All() {
			if r.Value.Ext != nil {
				n = i
			}
		}
		return n, chain.At(n).Value.Ext
	}
	_, was := first()
	require.NotNil(t, was)
	for _, row := range []struct {
		more, other string
		at          int
		schema      bool
	}{
		{"-A INPUT -p udp -j DROP\n", "", 0, false},
		{"-A INPUT -m ttl --ttl-eq 1 -j DROP\n", "", 0, true},
		{"", "*filter\n-A INPUT -m mark --mark 1 -j DROP\n-A INPUT -p udp -j DROP\n-A INPUT -p tcp -m limit --limit 5/min -j LOG\n", 2, true},
	} {
		text := rule + row.more
		if row.other != "" {
			text = row.other
		}
		a, err := live.Apply(ctx, parseTables(t, text+"COMMIT\n").Tables)
		require.NoError(t, err)
		require.Equal(t, row.schema, a.Script.Tables[0].SchemaChanged, text)
		at, is := first()
		require.Equal(t, row.at, at, text)
		require.Same(t, was, is, text)
	}
	_, err = live.Apply(ctx, parseTables(t, strings.Replace(rule, "5/min", "6/min", 1)+"COMMIT\n").Tables)
	require.NoError(t, err)
	_, is := first()
	require.NotSame(t, was, is)
	// A rule that is replaced while the table gets another schema has its own.
	a, err := live.Apply(ctx, parseTables(t, strings.Replace(rule, "5/min -j LOG", "6/min -j LOG --log-prefix x", 1)+"-A INPUT -m ttl --ttl-eq 1 -m mark --mark 1 -j DROP\nCOMMIT\n").Tables)
	require.NoError(t, err)
	require.True(t, a.Script.Tables[0].SchemaChanged)
	require.Equal(t, 1, a.Script.Replaced)
	_, now := first()
	require.NotSame(t, is, now)
}

// onlyChains names the chains of a table.
func onlyChains(t *rules.Table) (names []string) {
	for _, c := range t.Chains {
		names = append(names, c.Name)
	}
	return names
}

func TestATableWhoseChainsWereDeletedInTheMiddleIsATableLikeOthers(t *testing.T) {
	ctx := context.Background()
	text := `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:a - [0:0]
:b - [0:0]
:c - [0:0]
:d - [0:0]
-A INPUT ! -s 10.1.0.0/16 -p tcp -m multiport --ports 80,443 -j b
-A INPUT -p udp -j d
-A INPUT -j DROP
-A b -s 10.0.0.0/8 -j d
-A d -s 10.2.0.0/16 -j ACCEPT
COMMIT
`
	live, rs := liveTables(t, text, &hipac.LiveOptions{NoBackground: true})
	require.Equal(t, rs.Tables[0].Chains[0].Rules.At(2).Value.Number, live.Snapshot().Table("filter", 4).Source().Chains[0].Rules.At(2).Value.Number)
	require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
		filter, err := tx.Table("filter", 4)
		require.NoError(t, err)
		require.NoError(t, filter.DeleteChain("a"))
		require.NoError(t, filter.DeleteChain("c"))
		input, err := filter.Chain("INPUT")
		require.NoError(t, err)
		_, err = input.InsertAt(0, decide(rules.Accept))
		require.NoError(t, err)
		last, err := input.At(input.Len() - 1)
		require.NoError(t, err)
		return input.MoveBefore(last.ID, 1)
	}))
	s := live.Snapshot().Table("filter", 4)
	source := s.Source()
	require.Same(t, source, s.Source())
	require.Equal(t, []string{"INPUT", "FORWARD", "OUTPUT", "b", "d"}, onlyChains(source))
	require.NoError(t, source.Check(rules.Limits{}))
	var said []string
	for _, r := range source.Chains[0].Rules.All() {
		said = append(said, fmt.Sprint(r.Value.Number, " ", source.Target(&r.Value), r.Value.Verdict))
	}
	require.Equal(t, []string{"1 ACCEPT", "2 DROP", "3 bNONE", "3 bNONE", "4 dNONE"}, said, "what one rule of the file became has one number")
	require.Equal(t, "d", source.Target(&source.Chains[3].Rules.At(0).Value))
	require.Equal(t, 6, s.Rule(rules.Place{Chain: 4}).Value.Chain, "live rules keep their numbers")

	again, err := hipac.NewLiveTables(ctx, []*rules.Table{source}, nil)
	require.NoError(t, err)
	require.Equal(t, source, again.Snapshot().Table("filter", 4).Source())
	d, err := rules.DiffTables([]*rules.Table{source}, []*rules.Table{source})
	require.NoError(t, err)
	require.True(t, d.Empty())
	for _, apply := range []func(context.Context, []*rules.Table) (*hipac.AppliedTables, error){live.DryApply, live.Apply} {
		before := live.Snapshot()
		a, err := apply(ctx, []*rules.Table{source})
		require.NoError(t, err)
		require.True(t, a.Script.Empty())
		require.Equal(t, a.From, a.Version)
		require.Equal(t, hipac.Change{Rules: s.Len()}, a.Change)
		require.Same(t, before, live.Snapshot())
	}

	// A file of the same without the chains, twice.
	next := parseTables(t, strings.NewReplacer(":a - [0:0]\n", "", ":c - [0:0]\n", "").Replace(text))
	a, err := live.Apply(ctx, next.Tables)
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2}, []uint64{a.From, a.Version})
	require.Zero(t, a.Script.DroppedChains+a.Script.AddedChains)
	requireApplied(t, live, next)
	a, err = live.Apply(ctx, next.Tables)
	require.NoError(t, err)
	require.True(t, a.Script.Empty())
	require.Equal(t, []uint64{2, 2}, []uint64{a.From, a.Version})
	require.Equal(t, 6, live.Snapshot().Table("filter", 4).Find("d"))
	source = live.Snapshot().Table("filter", 4).Source()
	for c := range source.Chains {
		for i, r := range source.Chains[c].Rules.All() {
			require.Equal(t, next.Tables[0].Chains[c].Rules.At(i).Value.Number, r.Value.Number)
		}
	}
}

// reordered returns a table with its chains in another order, and more of them.
func reordered(t *testing.T, table *rules.Table, order []string) *rules.Table {
	out := *table
	out.Chains = nil
	at := func(name string) int { return slices.Index(order, name) }
	for _, name := range order {
		c := table.Chains[table.Find(name)]
		var list []rules.Rule[rules.Action]
		for _, r := range c.Rules.All() {
			x := *r
			x.ID = 0
			if x.Value.Kind == rules.Jump {
				x.Value.Chain = at(table.Chains[x.Value.Chain].Name)
			}
			list = append(list, x)
		}
		var err error
		c.Rules, err = rules.NewList(table.Schema, list...)
		require.NoError(t, err)
		out.Chains = append(out.Chains, c)
	}
	require.Len(t, out.Chains, len(table.Chains))
	return &out
}

// Chains in another order have other numbers in the file than in the live table, and
// rules lead to the same chains all the same.
func TestTablesWhoseChainsComeInAnotherOrderAreApplied(t *testing.T) {
	ctx := context.Background()
	file := func(match, more string) string {
		return "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:web - [0:0]\n:logs - [0:0]\n" + more + "-A INPUT -p tcp -m tcp --dport 80" + match +
			" -j web\n-A OUTPUT -p tcp" + match + " -j logs\n-A web -s 10.0.0.0/8 -j logs\n-A web -j DROP\n-A logs -s 10.1.0.0/16 -j DROP\nCOMMIT\n"
	}
	const more = ":more - [0:0]\n-A web -p udp -j ACCEPT\n-A INPUT -j logs\n-A INPUT -p icmp -j more\n-A more -p icmp -j web\n"
	for _, order := range [][]string{
		{"INPUT", "FORWARD", "OUTPUT", "web", "logs", "more"}, {"OUTPUT", "INPUT", "FORWARD", "more", "logs", "web"},
		{"web", "more", "logs", "OUTPUT", "FORWARD", "INPUT"}, {"more", "INPUT", "FORWARD", "OUTPUT", "web", "logs"},
		{"logs", "web", "more", "FORWARD", "INPUT", "OUTPUT"}, {"FORWARD", "OUTPUT", "INPUT", "logs", "more", "web"},
	} {
		for _, match := range []string{"", " -m mark --mark 1"} { // with another schema, too
			live, _ := liveTables(t, file("", ""), &hipac.LiveOptions{Counters: true, NoBackground: true})
			rs := parseTables(t, file(match, more))
			rs.Tables[0] = reordered(t, rs.Tables[0], order)
			_, err := live.Apply(ctx, rs.Tables)
			require.NoError(t, err)
			requireApplied(t, live, rs)
			requireNoMoreCounters(t, live)
			got, want := live.Snapshot().Table("filter", 4).Source(), rs.Table("filter")
			for _, c := range order {
				list := got.Chains[got.Find(c)].Rules
				for i, r := range want.Chains[want.Find(c)].Rules.All() {
					is := list.At(i).Value
					if is.Kind == rules.Jump {
						require.Equal(t, want.Chains[r.Value.Chain].Name, got.Chains[is.Chain].Name, "%v: chain %s rule %d", order, c, i+1)
					} else {
						require.Zero(t, is.Chain, "a rule that leads nowhere")
					}
				}
			}
			again, err := live.Apply(ctx, rs.Tables)
			require.NoError(t, err)
			require.True(t, again.Script.Empty())
		}
	}
}

// New rules of a table that gets another schema have identities that no rule has had,
// and none that others are given.
func TestIdentitiesGoOnWhenATableGetsAnotherSchema(t *testing.T) {
	ctx := context.Background()
	const text = "*filter\n:INPUT ACCEPT [0:0]\n:web - [0:0]\n-A INPUT -p tcp -j ACCEPT\n-A INPUT -p udp -j web\n-A web -p udp -j DROP\n-A web -p tcp -j DROP\nCOMMIT\n"
	for _, chain := range []string{"INPUT", "web"} {
		live, _ := liveTables(t, text, &hipac.LiveOptions{NoBackground: true})
		insert := func() (id rules.ID) {
			require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
				table, err := tx.Table("filter", 4)
				require.NoError(t, err)
				c, err := table.Chain(chain)
				require.NoError(t, err)
				id, err = c.InsertAt(0, decide(rules.Drop))
				return err
			}))
			return id
		}
		remove := func(id rules.ID) {
			require.NoError(t, live.Edit(ctx, func(tx *hipac.TablesTx) error {
				table, err := tx.Table("filter", 4)
				require.NoError(t, err)
				c, err := table.Chain(chain)
				require.NoError(t, err)
				return c.Delete(id)
			}))
		}
		last := insert()
		remove(last)
		rs := parseTables(t, strings.Replace(text, "COMMIT", "-A OUTPUT -m mark --mark 1 -j DROP\nCOMMIT", 1))
		_, err := live.Apply(ctx, rs.Tables)
		require.NoError(t, err)
		was := last
		last = insert()
		require.Equal(t, was+1, last)
		remove(last)
		rs = parseTables(t, text) // and the first schema again
		filter := rs.Table("filter")
		c := &filter.Chains[filter.Find(chain)]
		list := []rules.Rule[rules.Action]{decide(rules.Drop), decide(rules.Accept)}
		for _, r := range c.Rules.All() {
			list = append(list, *r)
		}
		for i := range list {
			list[i].ID = 0
		}
		given := decide(rules.Accept)
		given.ID = last + 2 // what the second new rule would get
		c.Rules, err = rules.NewList(filter.Schema, append(list, given)...)
		require.NoError(t, err)
		a, err := live.Apply(ctx, rs.Tables)
		require.NoError(t, err)
		require.True(t, a.Script.Tables[0].SchemaChanged)
		seen := map[rules.ID]bool{}
		got := live.Snapshot().Table("filter", 4).Source()
		for _, r := range got.Chains[got.Find(chain)].Rules.All() {
			require.False(t, seen[r.ID])
			require.NotEqual(t, last, r.ID, "of a rule that is gone")
			seen[r.ID] = true
		}
		require.True(t, seen[last+2])
		require.False(t, seen[insert()])
	}
}
