package hipac

// Whole new tables for live ones: the smallest set of edits is found, and made in
// one transaction, so that rules that stay keep identities and counters.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// AppliedTables is what LiveTables.Apply has changed, or DryApply would change.
type AppliedTables struct {
	Change
	// Kept is the number of rules that stay as and where they are.
	Kept int
	// Script is the edits, as rules.DiffTables finds them between what
	// TableSnapshot.Source returns for the version From and the new tables.
	Script *rules.TablesScript
	// From is the version that was compared, and Version the one that came of
	// it: From when nothing changed, and always in a dry run.
	From, Version uint64
}

// Apply makes the live tables those of a new set, by the smallest set of edits
// (rules.DiffTables) in one transaction. Tables that are not in the new set are
// dropped; nil, for a set that could not be read, is an error, and an empty set
// drops them all. Rules that stay, move or are replaced keep their identities and
// counters, and chains their numbers. New rules have the identities that the new
// lists were given for them (rules.List.GivenID), or fresh ones, and begin with
// the counters of the file. The tables are not changed.
//
// Rules that stay or move keep their tests and targets too (rules.Extension), by
// which what they remember is known.
//
// A table whose schema is another one is built anew; rules keep all that all the
// same. Who evaluates it by keys must make keys of
// TableSnapshot.Schema then.
//
// The tables are compared while evaluation and other edits go on, in time and
// memory in proportion to both. If others have edited meanwhile, they are compared
// again, the third time with the others kept waiting. On an error, of
// rules.DiffTables, NewLiveTables or Commit, nothing has changed.
func (v *LiveTables) Apply(ctx context.Context, new []*rules.Table) (*AppliedTables, error) {
	return v.apply(ctx, new, func(tx *TablesTx, a *AppliedTables) {
		tx.finish()
		a.Version++
	})
}

// DryApply returns what Apply would do, and does nothing. Other edits wait for it
// as for Apply.
func (v *LiveTables) DryApply(ctx context.Context, new []*rules.Table) (*AppliedTables, error) {
	return v.apply(ctx, new, func(*TablesTx, *AppliedTables) {})
}

// apply makes the edits in a transaction, and calls done when that is prepared.
func (v *LiveTables) apply(ctx context.Context, new []*rules.Table, done func(*TablesTx, *AppliedTables)) (*AppliedTables, error) {
	if new == nil {
		return nil, errors.New("no tables (nil): an empty slice that is not nil drops all tables")
	}
	var tx *TablesTx
	var a *AppliedTables
	for try := 0; ; try++ {
		if try == unlocked {
			tx = v.Begin()
			defer tx.Rollback()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := v.Snapshot()
		script, err := rules.DiffTables(s.sources(), new)
		if err != nil {
			return nil, err
		}
		a = &AppliedTables{Kept: script.Kept, Script: script, From: s.version, Version: s.version}
		if script.Empty() {
			for _, t := range s.tables {
				a.Rules += t.rules
			}
			return a, nil
		}
		if tx != nil {
			break
		}
		tx = v.Begin()
		defer tx.Rollback()
		if v.Snapshot().version == a.From {
			break
		}
		tx.Rollback()
		tx = nil
	}
	if err := tx.run(ctx, a.Script, new); err != nil {
		return nil, err
	}
	if err := tx.prepare(ctx); err != nil {
		return nil, err
	}
	a.Change = tx.change()
	a.Inserted, a.Deleted, a.Moved, a.Replaced = a.Script.Inserted, a.Script.Deleted, a.Script.Moved, a.Script.Replaced // tables of other schemas are new ones
	done(tx, a)
	return a, nil
}

// sources returns the tables for a comparison.
func (s *TablesSnapshot) sources() []*rules.Table {
	out := make([]*rules.Table, len(s.tables))
	for i, t := range s.tables {
		out[i] = t.Source()
	}
	return out
}

// numbers returns the numbers of the chains of a script, by the index there; -1
// for chains that are to come.
func (s *tableState) numbers(script *rules.TableScript) []int {
	numbers := make([]int, len(script.Chains))
	for i := range script.Chains {
		numbers[i] = -1
		if c := &script.Chains[i]; c.Old >= 0 {
			numbers[i] = int(s.names[c.Name].number)
		}
	}
	return numbers
}

// run makes the edits of a script. The tables are those of the newest version.
func (tx *TablesTx) run(ctx context.Context, s *rules.TablesScript, new []*rules.Table) error {
	for i := range s.Tables { // first, for the sake of limits
		if t := &s.Tables[i]; t.New < 0 {
			if err := tx.DropTable(t.Name, t.Family); err != nil {
				return err
			}
		}
	}
	for i := range s.Tables {
		var err error
		switch t := &s.Tables[i]; {
		case t.New < 0:
		case t.Old < 0:
			_, err = tx.AddTable(ctx, new[t.New])
		case t.SchemaChanged:
			err = tx.replaceTable(ctx, t, new[t.New])
		default:
			var e *TableEdit
			if e, err = tx.Table(t.Name, t.Family); err == nil {
				err = e.run(t, new[t.New])
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run makes the edits of a script.
func (e *TableEdit) run(s *rules.TableScript, new *rules.Table) error {
	numbers := make([]int, len(new.Chains)) // of the chains of the new table
	live := e.table.numbers(s)
	same := true
	for i := range s.Chains {
		c := &s.Chains[i]
		if c.New < 0 {
			continue
		}
		numbers[c.New] = live[i]
		if c.Old < 0 {
			x, err := e.newChain(c.Name)
			if err != nil {
				return err
			}
			numbers[c.New] = x.Number()
			x.chain.packets, x.chain.bytes = new.Chains[c.New].Packets, new.Chains[c.New].Bytes
		}
		same = same && numbers[c.New] == c.New
	}
	t := e.table
	for i := range s.Chains {
		if c := &s.Chains[i]; c.New >= 0 {
			if err := e.edit(t.chains[numbers[c.New]]).setPolicy(c.NewPolicy); err != nil {
				return err
			}
		}
	}
	for i := range s.Chains {
		c := &s.Chains[i]
		if c.Rules.Empty() {
			continue
		}
		number, list := live[i], rules.NewBuilder[rules.Action](t.schema).List()
		if c.New >= 0 {
			if number, list = numbers[c.New], new.Chains[c.New].Rules; !same {
				list = renumbered(list, numbers)
			}
		}
		if _, err := e.edit(t.chains[number]).ListEdit.run(c.Rules, list); err != nil {
			return err
		}
	}
	for i := range s.Chains {
		if c := &s.Chains[i]; c.New < 0 {
			if err := e.edit(t.chains[live[i]]).setPolicy(rules.NoVerdict); err != nil {
				return err
			}
			if err := e.DeleteChain(c.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// renumbered returns the list with the numbers of chains that its rules lead to.
func renumbered(l *rules.List[rules.Action], numbers []int) *rules.List[rules.Action] {
	return rewritten(l, func(i int, r *rules.Rule[rules.Action]) {
		if !l.GivenID(i) {
			r.ID = 0
		}
		renumber(r, numbers)
	})
}

func renumber(r *rules.Rule[rules.Action], numbers []int) {
	if leads(r) && uint(r.Value.Chain) < uint(len(numbers)) {
		r.Value.Chain = numbers[r.Value.Chain]
	}
}

// noLimits are those of lists that are made of rules of other lists.
var noLimits = rules.Limits{MaxRules: maxRules, MaxMemory: 1 << 62}

// rewritten returns a copy of a list whose rules were changed, with other
// identities than were used before.
func rewritten(l *rules.List[rules.Action], change func(i int, r *rules.Rule[rules.Action])) *rules.List[rules.Action] {
	b := rules.NewBuilder[rules.Action](l.Schema())
	b.SetLimits(noLimits)
	b.Own()
	b.Grow(l.Len())
	for i, r := range l.All() {
		c := *r
		change(i, &c)
		if _, err := b.Add(c); err != nil {
			panic("hipac: a rule of a list: " + err.Error()) // it was in one
		}
	}
	return b.List()
}

// replaceTable puts a table of another schema in the place of one. Its rules have
// the identities and the counters of the rules that they were.
func (tx *TablesTx) replaceTable(ctx context.Context, s *rules.TableScript, new *rules.Table) error {
	v := tx.live
	was, at := v.find(s.Name, s.Family)
	// Chains keep their numbers, and new ones get those that are free.
	numbers := make([]int, len(new.Chains))
	taken := map[int]bool{}
	live := was.numbers(s)
	for i := range s.Chains {
		if c := &s.Chains[i]; c.New >= 0 && c.Old >= 0 {
			numbers[c.New] = live[i]
			taken[live[i]] = true
		}
	}
	last, free := -1, 0
	for i := range s.Chains {
		c := &s.Chains[i]
		if c.New < 0 {
			continue
		}
		if c.Old < 0 {
			for taken[free] {
				free++
			}
			numbers[c.New], taken[free] = free, true
		}
		last = max(last, numbers[c.New])
	}
	table := *new
	table.Chains = make([]rules.Chain, last+1)
	for i := range s.Chains {
		c := &s.Chains[i]
		if c.New < 0 {
			continue
		}
		from, old := &new.Chains[c.New], live[i]
		if from.Rules == nil || from.Rules.Schema() != new.Schema {
			return fmt.Errorf("table %s: chain %s: its rules are not of the table's schema", s.Name, c.Name)
		}
		var used identities
		if c.Old >= 0 {
			used.next = was.chains[old].list.ids.next
		}
		for _, id := range c.Rules.IDs {
			if id != 0 {
				used.set(id, 0)
			}
		}
		stays := make([]bool, from.Rules.Len())
		for i := range stays {
			stays[i] = true
		}
		for _, x := range c.Rules.Edits {
			if x.Op == rules.InsertRule || x.Op == rules.ReplaceRule {
				stays[x.New] = false
			}
		}
		chain := &table.Chains[numbers[c.New]]
		*chain = *from
		chain.Rules = rewritten(from.Rules, func(i int, r *rules.Rule[rules.Action]) {
			if r.ID = c.Rules.IDs[i]; r.ID == 0 {
				r.ID = used.free(nil)
				used.set(r.ID, 0)
			} else if stays[i] {
				list := was.chains[old].list
				if label, ok := list.ids.get(r.ID); ok {
					r.Value.Ext = list.order.Get(label).rule.Value.Ext
				}
			}
			renumber(r, numbers)
		})
	}
	heritage := &heritage{from: was, counters: map[uint32]bool{}}
	t, err := v.newTable(ctx, &table, heritage)
	if err != nil {
		return err
	}
	for i := range s.Chains {
		if c := &s.Chains[i]; c.New >= 0 && c.Old >= 0 {
			list := t.chains[numbers[c.New]].list
			list.ids.next = max(list.ids.next, was.chains[live[i]].list.ids.next)
			list.next = list.ids.next
		}
	}
	e := tx.edit(was)
	e.end()
	e.gone = true
	tx.dropped = append(tx.dropped, droppedTable{was, heritage.counters})
	tx.keep()
	v.tables = slices.Clone(v.tables)
	v.tables[at] = t
	e = tx.edit(t)
	e.added, e.heritage = true, heritage.counters
	return nil
}

// heritage is what a table takes over from another one.
type heritage struct {
	from     *tableState
	counters map[uint32]bool // that it has
}

// rule returns the counter of a rule of a chain, 0 when there is none.
func (h *heritage) rule(chain string, id rules.ID) uint32 {
	if c := h.from.names[chain]; c != nil {
		if label, ok := c.list.ids.get(id); ok {
			return h.take(c.list.order.Get(label).counter)
		}
	}
	return 0
}

// policy returns the counter of a chain's policy, 0 when there is none.
func (h *heritage) policy(chain string) uint32 {
	if c := h.from.names[chain]; c != nil {
		return h.take(c.counter)
	}
	return 0
}

func (h *heritage) take(n uint32) uint32 {
	if n != 0 {
		h.counters[n] = true
	}
	return n
}

// all returns the counters.
func (h *heritage) all() map[uint32]bool {
	if h == nil {
		return nil
	}
	return h.counters
}
