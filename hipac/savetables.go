package hipac

// Compiled tables in files. What tests and targets of rules are only their source
// says, so that a file has the trees alone, and is loaded beside the tables they
// were made of. The layout of entries follows from these, and is not saved.

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/saved"
)

// sectionTable is what belongs to the tree of a table: numbers, in the order of
// Tables.AddTo. The instance is the number of the table.
const sectionTable = "tabm"

// AddTo adds the sections of the compiled tables to a file of the kind
// saved.KindTables. What tables were compiled from is not among them: LoadTables
// must be given the same rules again. The same tables and options give the same
// bytes. The error is rules.ErrUnsupported for the engine Index, or rules.ErrLimit
// for a condition of more than a million intervals.
func (t *Tables) AddTo(w *saved.Writer) error {
	for i, c := range t.list {
		if c.tree == nil {
			return fmt.Errorf("table %s: %w: tables of the engine %s cannot be saved", c.source.Name, rules.ErrUnsupported, Index)
		}
		l, err := c.layout()
		if err != nil {
			return fmt.Errorf("table %s: %w", c.source.Name, err)
		}
		sum, err := l.digest()
		if err != nil {
			return fmt.Errorf("table %s: %w", c.source.Name, err)
		}
		var n saved.Numbers
		var all []savedRoot
		n.PutText(c.source.Name)
		n.PutText(string(sum))
		n.PutInt(c.stats.Inexact)
		n.PutInt(c.stats.Never)
		for _, at := range c.never {
			n.PutInt(at.Chain)
			n.PutInt(at.Rule)
		}
		for j := range c.units {
			if u := &c.units[j]; u.compiled {
				for _, r := range []*roots{&u.decide, &u.pass} {
					n.Put(uint64(r.general))
					n.Put(uint64(r.ipv4))
					all = append(all, savedRoot{*r, u.from, u.to})
				}
			}
		}
		w.Add(sectionTable, i, n.Bytes())
		if err := saveTree(w, i, c.tree, c.source.Schema, uint32(len(c.entries)), all...); err != nil {
			return fmt.Errorf("table %s: %w", c.source.Name, err)
		}
	}
	return nil
}

// layout returns the layout of a compiled table.
func (t *Table) layout() (*layout, error) {
	l := layOut(t.source, true)
	if len(l.entries) > maxRules {
		l = layOut(t.source, false)
	}
	if len(l.entries) != len(t.entries) {
		return nil, errors.New("the table has changed since it was compiled")
	}
	return l, nil
}

// digest returns a digest of all that a tree is made of: the conditions of the
// entries, in order, and what becomes of packets that match them.
func (l *layout) digest() ([]byte, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%v\n%d %d\n", l.t.Schema, familyOf(l.t), len(l.entries))
	words := make([]uint32, 0, 1<<12)
	flush := func() {
		writeWords(sum, words)
		words = words[:0]
	}
	flag := func(b bool, bit uint32) uint32 {
		if b {
			return bit
		}
		return 0
	}
	for i := range l.units {
		u := &l.units[i]
		words = append(words, u.from, u.to, flag(u.compiled, 1)|flag(u.copies, 2))
		for rank := u.from; rank < u.to; rank++ {
			e := &l.entries[rank]
			conds := l.conds(rank)
			words = append(words, uint32(e.chain), uint32(e.rule), e.next, uint32(l.actions[rank]),
				flag(l.passes[rank], 1)|flag(l.hides[rank], 2), uint32(len(conds)))
			var err error
			for j := range conds {
				if words, err = saved.AppendCond(words, l.t.Schema, &conds[j]); err != nil {
					return nil, err
				}
			}
			if len(words) > 1<<11 {
				flush()
			}
		}
	}
	flush()
	return sum.Sum(nil), nil
}

func writeWords(h hash.Hash, words []uint32) {
	h.Write(saved.Bytes(words))
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(words))))
}

// LoadTables returns compiled tables of a file, to which Tables.AddTo has added
// them, for tables with the rules that they were compiled from; other tables of
// the file are left out. What it returns evaluates packets as BuildTables of the
// tables does, and uses the memory of the file's data, which must not change.
//
// It lays the tables out, which takes a part of the time of compiling them, and
// trusts nothing of the file; see LoadBytes. The error is ErrOther of package
// saved for a table that the file does not have, or that was compiled from other
// rules; ErrDamaged; and that of rules.Table.Check for tables that cannot be
// compiled.
func LoadTables(f *saved.File, tables []*rules.Table) (*Tables, error) {
	if f.Kind != saved.KindTables {
		return nil, saved.Other("it holds a list of rules, not tables of chains")
	}
	out := &Tables{source: make(map[*rules.Table]*Table, len(tables))}
	for _, t := range tables {
		if t == nil {
			return nil, errors.New("no table")
		}
		c, err := loadTable(f, t)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		out.list = append(out.list, c)
		out.source[t] = c
	}
	return out, nil
}

// findTable returns the section of the table of a name, and its number.
func findTable(f *saved.File, name string) (n *saved.Scanner, instance int, err error) {
	for ; f.Has(sectionTable, instance); instance++ {
		section, err := f.Section(sectionTable, instance)
		if err != nil {
			return nil, 0, err
		}
		n := saved.NewScanner(section)
		if got := n.Text(); n.Err() != nil || got == name {
			return n, instance, n.Err()
		}
	}
	return nil, 0, saved.Other("it is not in the file")
}

func loadTable(f *saved.File, t *rules.Table) (*Table, error) {
	if err := t.Check(rules.Limits{MaxDepth: math.MaxInt, MaxWalk: math.MaxInt}); err != nil {
		return nil, err
	}
	n, instance, err := findTable(f, t.Name)
	if err != nil {
		return nil, err
	}
	own := *t // the caller may change t
	own.Chains = slices.Clone(t.Chains)
	l := layOut(&own, true)
	if len(l.entries) > maxRules {
		l = layOut(&own, false)
	}
	if len(l.entries) > maxRules {
		return nil, fmt.Errorf("%w: %d", ErrTooManyRules, len(l.entries))
	}
	sum, err := l.digest()
	if err != nil {
		return nil, err
	}
	if got := n.Text(); n.Err() == nil && got != string(sum) {
		return nil, saved.Other("it was compiled from other rules")
	}
	c := &Table{source: &own, binder: packet.NewBinder(t.Schema), families: familiesOf(t.Schema), units: l.units, entries: l.entries, actions: l.actions}
	c.countRules()
	c.stats.Inexact = n.Int(c.stats.Rules)
	c.stats.Never = n.Int(c.stats.Rules)
	for range c.stats.Never {
		at := rules.Place{Chain: n.Int(len(own.Chains) - 1)}
		at.Rule = n.Int(math.MaxInt32)
		if last := len(c.never) - 1; at.Rule >= own.Chains[at.Chain].Rules.Len() || last >= 0 && comparePlaces(c.never[last], at) >= 0 {
			n.Fail("a rule that is not there, or not in order")
		}
		if n.Err() != nil {
			return nil, n.Err()
		}
		c.never = append(c.never, at)
	}
	loaded, err := tree.Load(f, instance, t.Schema, len(l.entries))
	if err != nil {
		return nil, err
	}
	for i := range c.units {
		u := &c.units[i]
		if !u.compiled {
			continue
		}
		for _, r := range []*roots{&u.decide, &u.pass} {
			r.general, r.ipv4 = tree.Ref(n.Next()), tree.Ref(n.Next())
			if n.Err() != nil {
				return nil, n.Err()
			}
			if err := r.check(loaded, u.from, u.to); err != nil {
				return nil, err
			}
		}
	}
	if err := n.End(); err != nil {
		return nil, err
	}
	c.tree = loaded.Tree
	opts, err := (*Options)(nil).orDefault()
	if err != nil {
		return nil, err
	}
	c.cut = newCutTable(&own, &opts)
	return c, nil
}
