package rules

// Differences of tables: which tables and chains come and go, which policies
// change, and the scripts of the chains that stay.

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
)

// TablesScript turns old tables into new ones.
type TablesScript struct {
	// Tables are those of the new set in order, then those that are dropped.
	Tables []TableScript
	// Sums of the scripts of all chains. Rules of tables and chains that are
	// added or dropped count as inserted or deleted.
	Kept, Deleted, Inserted, Moved, Replaced int
	// AddedTables to Policies count the other changes; chains of tables that are
	// added or dropped count too.
	AddedTables, DroppedTables, AddedChains, DroppedChains, Policies int
}

// TableScript is what happens to one table. To apply it: add the chains, give
// all chains their policies, apply their scripts, and drop chains last, when no
// rule goes to them any more. In between rules may go round in a loop that
// neither the old table has nor the new one; only the outcome is to be checked.
type TableScript struct {
	Name   string
	Family int
	// Old and New are the table's indexes; -1: it is added, or dropped.
	Old, New int
	// SchemaChanged is as in Script, for all chains.
	SchemaChanged bool
	// Chains are those of the new table in order, then those that are dropped.
	// Other indexes of chains than the old table's are no change.
	Chains []ChainScript
}

// ChainScript is what happens to one chain.
type ChainScript struct {
	Name string
	// Old and New are the chain's indexes in its tables; -1: it is added, or
	// dropped.
	Old, New int
	// OldPolicy and NewPolicy are NoVerdict where there is no such chain.
	OldPolicy, NewPolicy Verdict
	// Rules is the script of the chain's rules: of insertions alone for a chain
	// that is added, of deletions for one that is dropped. In what it inserts
	// and replaces Action.Chain is an index in the new table, of the chain that
	// Table.Target names; the numbers of the rules that are kept or moved
	// (Action.Number) and their counters are those of the old list.
	Rules *Script
}

// Empty reports whether the sets of tables are the same.
func (s *TablesScript) Empty() bool {
	if s.Deleted+s.Inserted+s.Moved+s.Replaced+s.AddedTables+s.DroppedTables+s.AddedChains+s.DroppedChains+s.Policies > 0 {
		return false
	}
	return !slices.ContainsFunc(s.Tables, func(t TableScript) bool { return t.SchemaChanged })
}

// Target returns the name of the chain that an action of the table goes to, ""
// for one that goes to none.
func (t *Table) Target(a *Action) string {
	if (a.Kind == Jump || a.Kind == Goto) && a.Chain >= 0 && a.Chain < len(t.Chains) {
		return t.Chains[a.Chain].Name
	}
	return ""
}

// Comparer is a Test or Target whose text (Step.Text, Action.Text) does not say
// all of what it is: because it asks data that come from elsewhere.
//
// Tests and targets that are none are the same when they are of one Go type and
// their texts are the same; without a text, or when their types are no pointers,
// when they are equal.
type Comparer interface {
	// Same reports whether other, a Test or Target with the same text, does the
	// same. It must be an equivalence.
	Same(other any) bool
}

// DiffTables returns the script that turns the old tables into the new ones.
// Tables are the same that have the same name and family, chains those that
// have the same name in the same table.
//
// Rules of chains are compared as Diff does it. Their value is what they do:
// the kind of the action, the verdict, the name of the chain that they go to,
// the target and its text, and the fields that they write. The texts of tests
// (Extension) count with their conditions; tests that are written the same and
// are not (Comparer) count with the value. Numbers and counters do not count.
// Where rules read headers (Extension.Demands), the order of their conditions
// does.
//
// The error says which table has the name and family of another, or which
// chain has the name of another in its table.
func DiffTables(old, new []*Table) (*TablesScript, error) {
	type key struct {
		name   string
		family int
	}
	find := func(tables []*Table, which string) (map[key]int, error) {
		m := make(map[key]int, len(tables))
		for i, t := range tables {
			if t == nil {
				return nil, fmt.Errorf("the %s tables: number %d is missing", which, i+1)
			}
			k := key{t.Name, t.Family}
			if j, ok := m[k]; ok {
				return nil, fmt.Errorf("the %s tables: numbers %d and %d are both table %s of family %d", which, j+1, i+1, t.Name, t.Family)
			}
			m[k] = i
		}
		return m, nil
	}
	before, err := find(old, "old")
	if err != nil {
		return nil, err
	}
	after, err := find(new, "new")
	if err != nil {
		return nil, err
	}
	s := &TablesScript{}
	for j, t := range new {
		if i, ok := before[key{t.Name, t.Family}]; ok {
			err = s.table(old[i], t, i, j)
		} else {
			s.AddedTables++
			err = s.table(nil, t, -1, j)
		}
		if err != nil {
			return nil, err
		}
	}
	for i, t := range old {
		if _, ok := after[key{t.Name, t.Family}]; !ok {
			s.DroppedTables++
			if err := s.table(t, nil, i, -1); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// table adds the script of a table, nil where there is none.
func (s *TablesScript) table(old, new *Table, i, j int) error {
	t := old
	if new != nil {
		t = new
	}
	out := TableScript{Name: t.Name, Family: t.Family, Old: i, New: j}
	out.SchemaChanged = old != nil && new != nil && old.Schema != nil && new.Schema != nil && !old.Schema.Equal(new.Schema)
	c, names, err := newTableComparer(old, new)
	if err != nil {
		return err
	}
	chain := func(x, y int) {
		c := s.chain(old, new, x, y, c)
		c.Rules.SchemaChanged = out.SchemaChanged
		out.Chains = append(out.Chains, c)
	}
	if new != nil {
		for y := range new.Chains {
			x := -1
			if at, ok := names[0][new.Chains[y].Name]; ok {
				x = at
			}
			chain(x, y)
		}
	}
	if old != nil {
		for x := range old.Chains {
			if _, ok := names[1][old.Chains[x].Name]; !ok {
				chain(x, -1)
			}
		}
	}
	s.Tables = append(s.Tables, out)
	return nil
}

// chain returns the script of a chain with the given indexes.
func (s *TablesScript) chain(old, new *Table, x, y int, c *tableComparer) ChainScript {
	out := ChainScript{Old: x, New: y}
	var before, after *List[Action]
	if x >= 0 {
		chain := &old.Chains[x]
		out.Name, out.OldPolicy, before = chain.Name, chain.Policy, chain.Rules
	}
	if y >= 0 {
		chain := &new.Chains[y]
		out.Name, out.NewPolicy, after = chain.Name, chain.Policy, chain.Rules
	}
	switch {
	case x < 0:
		s.AddedChains++
	case y < 0:
		s.DroppedChains++
	case out.OldPolicy != out.NewPolicy:
		s.Policies++
	}
	r := diffLists(before, after, c.comparison())
	out.Rules = r
	s.Kept += r.Kept
	s.Deleted += r.Deleted
	s.Inserted += r.Inserted
	s.Moved += r.Moved
	s.Replaced += r.Replaced
	return out
}

// tableComparer compares rules of chains of two tables.
type tableComparer struct {
	targets [2][]int // numbers of chains by index, the same for the same names
}

// newTableComparer returns it, and the indexes of the tables' chains by name.
func newTableComparer(old, new *Table) (*tableComparer, [2]map[string]int, error) {
	c, indexes, numbers := &tableComparer{}, [2]map[string]int{}, map[string]int{}
	for side, t := range []*Table{old, new} {
		if t == nil {
			continue
		}
		indexes[side] = make(map[string]int, len(t.Chains))
		for i := range t.Chains {
			name := t.Chains[i].Name
			if j, ok := indexes[side][name]; ok {
				return nil, indexes, fmt.Errorf("table %s: chains %d and %d are both called %s", t.Name, j+1, i+1, name)
			}
			indexes[side][name] = i
			n, ok := numbers[name]
			if !ok {
				n = len(numbers)
				numbers[name] = n
			}
			c.targets[side] = append(c.targets[side], n)
		}
	}
	return c, indexes, nil
}

func (c *tableComparer) comparison() comparison[Action] {
	return comparison[Action]{
		sameMatch: func(a, b side[Action]) bool { return sameAsked(a.rule.Value.Ext, b.rule.Value.Ext) },
		sameValue: c.sameAction,
		appendMatch: func(b []byte, r side[Action]) []byte {
			if e := r.rule.Value.Ext; e != nil {
				for i := range e.Tests {
					b = appendText(b, e.Tests[i].Text)
				}
			}
			return b
		},
		appendValue: func(b []byte, r side[Action]) []byte {
			a := &r.rule.Value
			b = append(b, byte(a.Kind), byte(a.Verdict))
			return appendText(binary.AppendVarint(b, int64(c.target(r))), a.Text)
		},
		ordered: func(r *Rule[Action]) bool { return r.Value.Ext != nil && len(r.Value.Ext.Demands) > 0 },
	}
}

// target returns the number of the chain that the rule goes to, below 0 when
// it goes to none, or to one that does not exist.
func (c *tableComparer) target(r side[Action]) int {
	a := &r.rule.Value
	if a.Kind != Jump && a.Kind != Goto {
		return -1
	}
	targets := c.targets[0]
	if r.new {
		targets = c.targets[1]
	}
	if a.Chain < 0 || a.Chain >= len(targets) {
		return -2
	}
	return targets[a.Chain]
}

// sameAction reports whether the rules do the same.
func (c *tableComparer) sameAction(a, b side[Action]) bool {
	x, y := &a.rule.Value, &b.rule.Value
	if x.Kind != y.Kind || x.Verdict != y.Verdict || x.Text != y.Text || x.Piece != y.Piece || c.target(a) != c.target(b) {
		return false
	}
	e, f := x.Ext.orNone(), y.Ext.orNone()
	return e == f || slices.Equal(e.Writes, f.Writes) && sameBehaviour(e.Target, f.Target, x.Text) &&
		slices.EqualFunc(e.Tests, f.Tests, func(s, t Step) bool { return sameBehaviour(s.Test, t.Test, s.Text) })
}

// sameAsked reports whether what extensions ask is written the same.
func sameAsked(e, f *Extension) bool {
	e, f = e.orNone(), f.orNone()
	return e == f || slices.Equal(e.Demands, f.Demands) && slices.EqualFunc(e.Tests, f.Tests, func(s, t Step) bool {
		return s.Text == t.Text && s.Stateful == t.Stateful && s.Changes == t.Changes && s.Drops == t.Drops
	})
}

var noExtension Extension

func (e *Extension) orNone() *Extension {
	if e == nil {
		return &noExtension
	}
	return e
}

// sameBehaviour reports whether two tests or targets with the same text are
// the same.
func sameBehaviour(a, b any, text string) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	kind := reflect.TypeOf(a)
	if kind != reflect.TypeOf(b) {
		return false
	}
	if kind.Kind() == reflect.Pointer && a == b {
		return true
	}
	if c, ok := a.(Comparer); ok {
		return c.Same(b)
	}
	if text != "" && kind.Kind() == reflect.Pointer {
		return true
	}
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	if v.Comparable() && w.Comparable() {
		return v.Equal(w)
	}
	return text != "" // values such as slices and functions, which cannot be compared
}
