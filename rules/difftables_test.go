package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// rechained returns the table under other names of its chains.
func rechained(t *Table, names ...string) *Table {
	for i := range t.Chains {
		t.Chains[i].Name = names[i]
	}
	return t
}

// summary is what a script changes, in words.
func summary(s *TablesScript) []string {
	out := []string{}
	for _, t := range s.Tables {
		switch {
		case t.Old < 0:
			out = append(out, "+"+t.Name)
		case t.New < 0:
			out = append(out, "-"+t.Name)
		}
		if t.SchemaChanged {
			out = append(out, t.Name+" schema")
		}
		for _, c := range t.Chains {
			name := t.Name + "/" + c.Name
			switch {
			case c.Old < 0:
				out = append(out, "+"+name)
			case c.New < 0:
				out = append(out, "-"+name)
			}
			if c.OldPolicy != c.NewPolicy {
				out = append(out, fmt.Sprintf("%s %v -> %v", name, c.OldPolicy, c.NewPolicy))
			}
			for _, e := range c.Rules.Edits {
				out = append(out, fmt.Sprintf("%s %v", name, e))
			}
		}
	}
	return out
}

func TestChainsAreComparedByNameAndGoToChainsByName(t *testing.T) {
	old := rechained(tableOf(t,
		[]chainRule{{port: 1, action: jump(1)}, {port: 2, action: jump(2)}, {port: 3, action: jumpG(1)}},
		[]chainRule{{action: accept()}},
		[]chainRule{{action: reject()}}), "INPUT", "A", "B")
	// The same with the chains in another order.
	same := rechained(tableOf(t,
		[]chainRule{{port: 1, action: jump(2)}, {port: 2, action: jump(1)}, {port: 3, action: jumpG(2)}},
		[]chainRule{{action: reject()}},
		[]chainRule{{action: accept()}}), "INPUT", "B", "A")
	s, err := DiffTables([]*Table{old}, []*Table{same})
	require.NoError(t, err)
	require.True(t, s.Empty())
	require.Equal(t, 5, s.Kept)
	require.Equal(t, []int{2, 1}, []int{s.Tables[0].Chains[1].Old, s.Tables[0].Chains[1].New})

	// The same indexes, which are other chains.
	other := rechained(tableOf(t,
		[]chainRule{{port: 1, action: jump(1)}, {port: 2, action: jump(2)}, {port: 3, action: jumpG(1)}},
		[]chainRule{{action: accept()}},
		[]chainRule{{action: reject()}}), "INPUT", "A", "C")
	s, err = DiffTables([]*Table{old}, []*Table{other})
	require.NoError(t, err)
	require.False(t, s.Empty())
	require.Equal(t, []string{"test/INPUT replace 2 by 1", "+test/C", "test/C insert 0", "-test/B", "test/B delete 1"}, summary(s))
	require.Equal(t, []int{1, 1, 1, 1}, []int{s.Deleted, s.Inserted, s.AddedChains, s.DroppedChains})
	require.Equal(t, "C", other.Target(&other.Chains[0].Rules.At(1).Value))
	require.Empty(t, other.Target(&other.Chains[1].Rules.At(0).Value))
	require.Empty(t, other.Target(&Action{Kind: Jump, Chain: 3}))
}

func TestWhatARuleDoesIsItsValue(t *testing.T) {
	old := tableOf(t, []chainRule{{port: 1, action: accept()}, {port: 2, action: Action{Kind: Decide, Verdict: Reject, Text: "REJECT"}}, {port: 3, action: pass()}}, nil)
	s, err := DiffTables([]*Table{old}, []*Table{tableOf(t, []chainRule{{port: 1, action: Action{Kind: Decide, Verdict: Drop}},
		{port: 2, action: Action{Kind: Decide, Verdict: Reject, Text: "REJECT --reject-with tcp-reset"}}, {port: 3, action: jump(1)}}, nil)})
	require.NoError(t, err)
	require.Equal(t, []string{"test/C0 replace 1 by 0", "test/C0 replace 2 by 1", "test/C0 replace 3 by 2"}, summary(s))

	counted := tableOf(t, []chainRule{{port: 9, action: accept()}, {port: 1, action: Action{Kind: Decide, Verdict: Accept, Packets: 5, Bytes: 7}},
		{port: 2, action: Action{Kind: Decide, Verdict: Reject, Text: "REJECT"}}, {port: 3, action: pass()}}, nil)
	s, err = DiffTables([]*Table{old}, []*Table{counted})
	require.NoError(t, err)
	require.Equal(t, []string{"test/C0 insert 0"}, summary(s), "numbers and counters do not count")
}

func TestPoliciesTablesAndFamiliesComeAndGo(t *testing.T) {
	table := func(name string, family int, policy Verdict) *Table {
		out := tableOf(t, []chainRule{{port: 1, action: accept()}})
		out.Name, out.Family, out.Chains[0].Policy = name, family, policy
		return out
	}
	s, err := DiffTables(
		[]*Table{table("nat", 4, Accept), table("filter", 4, Drop), table("filter", 6, Drop)},
		[]*Table{table("filter", 6, Accept), table("raw", 4, Accept), table("filter", 4, Drop)})
	require.NoError(t, err)
	require.Equal(t, []string{"filter/C0 DROP -> ACCEPT",
		"+raw", "+raw/C0", "raw/C0 NONE -> ACCEPT", "raw/C0 insert 0",
		"-nat", "-nat/C0", "nat/C0 ACCEPT -> NONE", "nat/C0 delete 1"}, summary(s))
	require.Equal(t, []int{1, 1, 1, 1, 1}, []int{s.AddedTables, s.DroppedTables, s.AddedChains, s.DroppedChains, s.Policies})
	require.Equal(t, []int{2, 1, 1}, []int{s.Kept, s.Inserted, s.Deleted})
	require.False(t, s.Empty())

	s, err = DiffTables(nil, nil)
	require.NoError(t, err)
	require.True(t, s.Empty())
}

func TestTablesThatCannotBeToldApartAreRefused(t *testing.T) {
	one := tableOf(t, nil, nil)
	for want, tables := range map[string][]*Table{
		"numbers 1 and 2 are both table test of family 0": {one, one},
		"number 2 is missing":                             {one, nil},
		"table test: chains 1 and 2 are both called C0":   {rechained(tableOf(t, nil, nil), "C0", "C0")},
		"numbers 1 and 3 are both table test of family 0": {one, {Name: "other", Schema: IPv4Tuple}, one},
	} {
		_, err := DiffTables(tables, nil)
		require.ErrorContains(t, err, want)
		_, err = DiffTables(nil, tables)
		require.ErrorContains(t, err, want)
	}
}

func TestTablesOfOtherSchemasKeepTheirRules(t *testing.T) {
	old, new := tableOf(t, []chainRule{{port: 1, action: accept()}}), tableOf(t, nil)
	new.Schema = MustSchema(IPv4Tuple.fields[3])
	list, err := NewList(new.Schema, Rule[Action]{Conds: []Cond{In(0, Point(1))}, Value: accept()})
	require.NoError(t, err)
	new.Chains[0].Rules = list
	s, err := DiffTables([]*Table{old}, []*Table{new})
	require.NoError(t, err)
	require.Equal(t, []string{"test schema"}, summary(s))
	require.Equal(t, 1, s.Kept)
	require.True(t, s.Tables[0].Chains[0].Rules.SchemaChanged)
	require.False(t, s.Empty())
}

// diffTest and diffTarget are what a text may or may not say.
type diffTest struct{ memory int }

func (*diffTest) Ask(Subject) (Outcome, string)                   { return Yes, "" }
func (*diffTest) Apply(Subject, Place, string) (Outcome, string)  { return Yes, "" }
func (v diffValue) Ask(Subject) (Outcome, string)                 { return Yes, "" }
func (diffValue) Apply(Subject, Place, string) (Outcome, string)  { return Yes, "" }
func (f diffFunc) Ask(Subject) (Outcome, string)                  { return Yes, "" }
func (c *diffSet) Ask(Subject) (Outcome, string)                  { return Yes, "" }
func (c *diffSet) Apply(Subject, Place, string) (Outcome, string) { return Yes, "" }
func (c *diffSet) Same(other any) bool                            { d, ok := other.(*diffSet); return ok && c.set == d.set }

type diffValue int
type diffFunc func()
type diffSet struct{ set string }

func TestExtensionsAreComparedByTheirTextsAndByWhatTheyAre(t *testing.T) {
	step := func(test Test, text string) *Extension { return &Extension{Tests: []Step{{Test: test, Text: text}}} }
	one := &diffTest{1}
	bits := Extension{Demands: []Demand{{1, 0, 0}}}
	for _, row := range []struct {
		name       string
		old, new   *Extension
		text, want string // of the target; what becomes of the rule
	}{
		{"none is an empty one", nil, &Extension{}, "", "kept"},
		{"tests with a text", step(&diffTest{1}, "limit --limit 5/min"), step(&diffTest{2}, "limit --limit 5/min"), "", "kept"},
		{"tests with other texts", step(&diffTest{1}, "limit --limit 5/min"), step(&diffTest{1}, "limit --limit 6/min"), "", "other"},
		{"tests of other types", step(&diffTest{1}, "x"), step(diffValue(1), "x"), "", "replaced"},
		{"a test without a text is itself", step(one, ""), step(one, ""), "", "kept"},
		{"and no other", step(&diffTest{1}, ""), step(&diffTest{1}, ""), "", "replaced"},
		{"tests that are values", step(diffValue(1), "x"), step(diffValue(1), "x"), "", "kept"},
		{"other values", step(diffValue(1), "x"), step(diffValue(2), "x"), "", "replaced"},
		{"functions with a text", step(diffFunc(func() {}), "x"), step(diffFunc(nil), "x"), "", "kept"},
		{"functions without", step(diffFunc(func() {}), ""), step(diffFunc(nil), ""), "", "replaced"},
		{"tests that compare themselves", step(&diffSet{"a"}, "set"), step(&diffSet{"a"}, "set"), "", "kept"},
		{"and differ", step(&diffSet{"a"}, "set"), step(&diffSet{"b"}, "set"), "", "replaced"},
		{"more tests", step(one, "x"), &Extension{Tests: []Step{{Test: one, Text: "x"}, {Test: one, Text: "y"}}}, "", "other"},
		{"a test with a memory", step(one, "x"), &Extension{Tests: []Step{{Test: one, Text: "x", Stateful: true}}}, "", "other"},
		{"demands", &bits, &Extension{Demands: []Demand{{1, 0, 0}}}, "", "kept"},
		{"other demands", &bits, &Extension{Demands: []Demand{{2, 0, 0}}}, "", "other"},
		{"targets with a text", &Extension{Target: &diffTest{1}}, &Extension{Target: &diffTest{2}}, "MARK --set-mark 1", "kept"},
		{"targets without", &Extension{Target: &diffTest{1}}, &Extension{Target: &diffTest{1}}, "", "replaced"},
		{"a target more", &Extension{}, &Extension{Target: diffValue(1)}, "x", "replaced"},
		{"other fields written", &Extension{Writes: []string{"mark"}}, &Extension{Writes: []string{"dscp"}}, "", "replaced"},
		{"targets that compare themselves", &Extension{Target: &diffSet{"a"}}, &Extension{Target: &diffSet{"b"}}, "SET", "replaced"},
	} {
		t.Run(row.name, func(t *testing.T) {
			table := func(e *Extension) []*Table {
				return []*Table{tableOf(t, []chainRule{{port: 1, action: accept()}, {port: 2, action: Action{Ext: e, Text: row.text}}, {port: 3, action: accept()}})}
			}
			s, err := DiffTables(table(row.old), table(row.new))
			require.NoError(t, err)
			want := map[string][]string{"kept": {}, "replaced": {"test/C0 replace 2 by 1"}, "other": {"test/C0 delete 2", "test/C0 insert 1"}}
			require.Equal(t, want[row.want], summary(s))
		})
	}
}

func TestTheOrderOfConditionsCountsWhereHeadersAreRead(t *testing.T) {
	table := func(e *Extension, conds ...Cond) []*Table {
		out := tableOf(t, nil)
		list, err := NewList(IPv4Tuple, Rule[Action]{Conds: conds, Value: Action{Kind: Decide, Verdict: Accept, Ext: e}})
		require.NoError(t, err)
		out.Chains[0].Rules = list
		return []*Table{out}
	}
	a, b := In(2, Point(1)), In(3, Point(1))
	for e, changes := range map[*Extension]int{nil: 0, {Demands: []Demand{{1, 1, 0}}}: 2} {
		s, err := DiffTables(table(e, a, b), table(e, b, a))
		require.NoError(t, err)
		require.Equal(t, changes, s.Deleted+s.Inserted+s.Replaced)
	}
}

func TestScriptsOfRandomTablesApply(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	names := []string{"INPUT", "A", "B", "C", "D"}
	random := func() *Table {
		some := slices.Clone(names[1:])
		rnd.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		some = append([]string{"INPUT"}, some[:rnd.IntN(len(some)+1)]...)
		chains := make([][]chainRule, len(some))
		for i := range chains {
			for range rnd.IntN(12) {
				a := [...]Action{accept(), reject(), pass(), jump(rnd.IntN(len(some))), jumpG(rnd.IntN(len(some)))}[rnd.IntN(5)]
				chains[i] = append(chains[i], chainRule{port: uint64(1 + rnd.IntN(4)), action: a})
			}
		}
		return rechained(tableOf(t, chains...), some...)
	}
	for range 500 {
		old, new := random(), random()
		s, err := DiffTables([]*Table{old}, []*Table{new})
		require.NoError(t, err)
		require.Len(t, s.Tables, 1)
		added, dropped := 0, 0
		for _, c := range s.Tables[0].Chains {
			if c.New < 0 {
				require.Equal(t, c.Name, old.Chains[c.Old].Name)
				require.Equal(t, -1, new.Find(c.Name))
				dropped++
				continue
			}
			require.Equal(t, c.Name, new.Chains[c.New].Name)
			from, err := NewList[Action](IPv4Tuple)
			require.NoError(t, err)
			if c.Old < 0 {
				require.Equal(t, -1, old.Find(c.Name))
				added++
			} else {
				require.Equal(t, c.Name, old.Chains[c.Old].Name)
				from = old.Chains[c.Old].Rules
			}
			to := new.Chains[c.New].Rules
			// Rules that were not taken from the new table name its chains by the
			// indexes of the old one.
			kept := map[int]bool{}
			for i, id := range c.Rules.IDs {
				kept[i] = id != 0
			}
			for _, e := range c.Rules.Edits {
				if e.Op == ReplaceRule {
					kept[e.New] = false
				}
			}
			requireApplies(t, c.Rules, from, to, func(a, b *Rule[Action]) bool {
				table := new
				if kept[to.Position(b.ID)] {
					table = old
				}
				x, y := &a.Value, &b.Value
				return sameConds(a.Conds, b.Conds, nil, nil, true) && a.Continue == b.Continue && x.Kind == y.Kind &&
					x.Verdict == y.Verdict && table.Target(x) == new.Target(y)
			})
		}
		require.Equal(t, []int{added, dropped}, []int{s.AddedChains, s.DroppedChains})
	}
}
