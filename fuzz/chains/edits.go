package chains

// Relations between live tables and how they came to be.

import (
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// agree requires that a way answers about a drawn table as the compiled one does.
func (t *trial) agree(w Way) error {
	table, err := t.table(t.size)
	if err != nil {
		return err
	}
	q := &Inquiry{Keys: t.keys(table, packets), More: t.more}
	for i := range table.Chains {
		q.Entries = append(q.Entries, i)
	}
	first, err := t.answers(t.wrap(All()[1]), table, q)
	if err != nil {
		return err
	}
	w = t.wrap(w)
	got, err := t.answers(w, table, q)
	if err != nil {
		return err
	}
	t.count(first)
	n, err := got.Compare(w.Name, table, q, first)
	t.report.Comparisons += n
	return err
}

// comeAndGo makes edits in a live table and takes them back again, the last one
// first, in a few transactions.
func comeAndGo(t *trial) error {
	return t.agree(Way{"live, after edits that were taken back", func(table *rules.Table) (*Answerer, error) {
		v, err := newLive(table, false)
		if err != nil {
			return nil, err
		}
		e := &undoer{trial: t, table: table}
		for range 2 + t.r.IntN(4) {
			if err := v.Edit(context.Background(), func(tx *hipac.TablesTx) error {
				for range 1 + t.r.IntN(6) {
					if err := e.edit(tx); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
		for len(e.undo) > 0 {
			if err := v.Edit(context.Background(), func(tx *hipac.TablesTx) error {
				for range min(len(e.undo), 1+t.r.IntN(8)) {
					last := e.undo[len(e.undo)-1]
					e.undo = e.undo[:len(e.undo)-1]
					if err := last(tx); err != nil {
						return fmt.Errorf("taking an edit back: %w", err)
					}
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
		return fromLive(v, table, nil)
	}})
}

// undoer makes edits, and knows how to take them back.
type undoer struct {
	*trial
	table *rules.Table
	undo  []func(tx *hipac.TablesTx) error
}

// edit makes an edit of a random kind.
func (e *undoer) edit(tx *hipac.TablesTx) error {
	e.report.Changes++
	te, err := tx.Table(e.table.Name, e.table.Family)
	if err != nil {
		return err
	}
	n := e.r.IntN(len(e.table.Chains))
	name := e.table.Chains[n].Name
	if e.r.IntN(6) == 0 {
		return e.newChain(te)
	}
	c, err := te.Chain(name)
	if err != nil {
		return err
	}
	back := func(do func(c *hipac.ChainEdit) error) {
		e.undo = append(e.undo, func(tx *hipac.TablesTx) error {
			c, err := chainOf(tx, e.table, name)
			if err != nil {
				return err
			}
			return do(c)
		})
	}
	if policy := c.Policy(); policy != rules.NoVerdict && e.r.IntN(6) == 0 {
		back(func(c *hipac.ChainEdit) error { return c.SetPolicy(policy) })
		return c.SetPolicy(rules.Reject)
	}
	if c.Len() == 0 || e.r.IntN(3) == 0 {
		var to []int
		for i := n + 1; i < len(e.table.Chains); i++ {
			if e.table.Chains[i].Policy == rules.NoVerdict {
				to = append(to, i)
			}
		}
		at := e.r.IntN(c.Len() + 1)
		_, err := c.InsertAt(at, e.rule(to))
		back(func(c *hipac.ChainEdit) error {
			r, err := c.At(at)
			if err != nil {
				return err
			}
			return c.Delete(r.ID)
		})
		return err
	}
	at := e.r.IntN(c.Len())
	r, err := c.At(at)
	if err != nil {
		return err
	}
	old := *r
	switch e.r.IntN(3) {
	case 0:
		back(func(c *hipac.ChainEdit) error { r := old; r.ID = 0; _, err := c.InsertAt(at, r); return err })
		return c.Delete(old.ID)
	case 1:
		back(func(c *hipac.ChainEdit) error {
			r, err := c.At(at)
			if err != nil {
				return err
			}
			return c.Replace(r.ID, old)
		})
		return c.Replace(old.ID, e.rule(nil))
	}
	to := e.r.IntN(c.Len())
	back(func(c *hipac.ChainEdit) error {
		r, err := c.At(to)
		if err != nil {
			return err
		}
		return c.MoveTo(r.ID, at)
	})
	return c.MoveTo(old.ID, to)
}

// newChain adds a chain with rules; another edit takes it away.
func (e *undoer) newChain(te *hipac.TableEdit) error {
	name := e.text()
	c, err := te.NewChain(name)
	if err != nil {
		return err
	}
	var to []int
	for i := range e.table.Chains {
		if e.table.Chains[i].Policy == rules.NoVerdict {
			to = append(to, i)
		}
	}
	for range e.r.IntN(4) {
		if _, err := c.Append(e.rule(to)); err != nil {
			return err
		}
	}
	e.undo = append(e.undo, func(tx *hipac.TablesTx) error {
		te, err := tx.Table(e.table.Name, e.table.Family)
		if err != nil {
			return err
		}
		c, err := te.Chain(name)
		if err == nil {
			err = c.Flush()
		}
		if err != nil {
			return err
		}
		return te.DeleteChain(name)
	})
	return nil
}

// anyOrder makes a live table of rules that come in a random order, each with a
// transaction of its own or some together.
func anyOrder(t *trial) error {
	return t.agree(Way{"live, inserted in a random order", func(table *rules.Table) (*Answerer, error) {
		start := *table
		start.Chains = slices.Clone(table.Chains)
		var all []rules.Place
		for i := range start.Chains {
			for n := range start.Chains[i].Rules.Len() {
				all = append(all, rules.Place{Chain: i, Rule: n})
			}
			start.Chains[i].Rules = rules.NewBuilder[rules.Action](table.Schema).List()
		}
		v, err := newLive(&start, false)
		if err != nil {
			return nil, err
		}
		there := make([][]int, len(start.Chains)) // positions in table, ascending
		t.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for len(all) > 0 {
			n := min(len(all), 1+t.r.IntN(4))
			if err := v.Edit(context.Background(), func(tx *hipac.TablesTx) error {
				for _, p := range all[:n] {
					c, err := chainOf(tx, table, table.Chains[p.Chain].Name)
					if err != nil {
						return err
					}
					at, _ := slices.BinarySearch(there[p.Chain], p.Rule)
					there[p.Chain] = slices.Insert(there[p.Chain], at, p.Rule)
					r := *table.Chains[p.Chain].Rules.At(p.Rule)
					r.ID = 0
					if _, err := c.InsertAt(at, r); err != nil {
						return err
					}
					t.report.Changes++
				}
				return nil
			}); err != nil {
				return nil, err
			}
			all = all[n:]
		}
		return fromLive(v, table, nil)
	}})
}
