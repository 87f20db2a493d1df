package hipac

// Transactions on live tables.

import (
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// TablesTx is a transaction: edits of live tables that are seen all at once, when
// it commits, or not at all. It sees its own edits. Begin makes one; it has the
// tables to itself until Commit or Rollback. It is for one goroutine.
//
// An edit that returns an error has done nothing, and the transaction can go on.
// Loops and limits are for Commit to find: in between, rules may lead round in
// one.
type TablesTx struct {
	live    *LiveTables // nil when it is over
	edits   []*TableEdit
	tables  []*tableState // before, once they are others
	dropped []droppedTable
	changed bool // tables came or went
}

// droppedTable is a table that goes at commit.
type droppedTable struct {
	*tableState
	but map[uint32]bool // counters that another one goes on with
}

// Begin begins a transaction; it waits for the one under way, if any. It must be
// ended by Commit or Rollback:
//
//	tx := live.Begin()
//	defer tx.Rollback()
//	filter, err := tx.Table("filter", 4)
//	...
//	err = tx.Commit(ctx)
func (v *LiveTables) Begin() *TablesTx {
	v.mu.Lock()
	return &TablesTx{live: v}
}

// Edit runs f in a transaction, which is committed when f returns nil and rolled
// back when it returns an error or panics.
func (v *LiveTables) Edit(ctx context.Context, f func(tx *TablesTx) error) error {
	tx := v.Begin()
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// DryRun runs f in a transaction that is rolled back, and returns what it would
// change, in all tables together. The error is that of f, or that which Commit
// would return.
func (v *LiveTables) DryRun(ctx context.Context, f func(tx *TablesTx) error) (Change, error) {
	tx := v.Begin()
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return Change{}, err
	}
	if tx.live == nil {
		return Change{}, ErrDone
	}
	if err := tx.prepare(ctx); err != nil {
		return Change{}, err
	}
	return tx.change(), nil
}

// change returns what the transaction comes to.
func (tx *TablesTx) change() (sum Change) {
	for _, t := range tx.dropped {
		sum.Deleted += t.rules
		sum.Bytes -= t.bytes + t.size()
	}
	for _, e := range tx.edits {
		if e.gone {
			continue
		}
		sum.Bytes += e.table.bytes
		if e.added {
			sum.Inserted += e.was.rules
			sum.Bytes += e.table.size()
		} else {
			sum.Bytes -= e.was.bytes
		}
		for _, c := range e.chains {
			sum.Inserted += c.change.Inserted
			sum.Deleted += c.change.Deleted
			sum.Replaced += c.change.Replaced
			sum.Moved += c.change.Moved
			if l := c.chain.list; !e.added {
				sum.Bytes += l.size() - l.now.bytes()
				sum.Rebuild = sum.Rebuild || l.stale
			}
		}
	}
	for _, t := range tx.live.tables {
		sum.Rules += t.rules
	}
	return sum
}

// prepare makes all ready for a commit, which cannot fail then.
func (tx *TablesTx) prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v := tx.live
	for _, e := range tx.edits {
		if e.gone {
			continue
		}
		if err := e.table.checkLimits(v.opts.Limits); err != nil {
			return err
		}
	}
	if err := v.checkMemory(); err != nil {
		return err
	}
	for _, e := range tx.edits {
		if e.gone {
			continue
		}
		for _, c := range e.chains {
			if err := c.chain.list.prepare(ctx); err != nil {
				return c.wrap(err)
			}
			c.chain.weigh()
		}
		for _, c := range e.others {
			c.weigh() // it may be gone
		}
	}
	return v.checkTrees()
}

// Commit makes the edits seen. When it returns an error (a loop, a limit, the
// context's) nothing has changed. After a transaction without edits there is no
// new version.
func (tx *TablesTx) Commit(ctx context.Context) error {
	if tx.live == nil {
		return ErrDone
	}
	defer tx.Rollback()
	if err := tx.prepare(ctx); err != nil {
		return err
	}
	tx.finish()
	return nil
}

// finish commits what has been prepared.
func (tx *TablesTx) finish() {
	v := tx.live
	changed := tx.changed
	for _, e := range tx.edits {
		if e.commit() {
			changed = true
		}
	}
	for _, t := range tx.dropped {
		t.discard(t.but)
	}
	if changed {
		v.publish(v.Snapshot().version + 1)
	}
	tx.end()
}

// Rollback forgets the edits. After Commit or Rollback it does nothing.
func (tx *TablesTx) Rollback() {
	if tx.live == nil {
		return
	}
	for _, e := range slices.Backward(tx.edits) {
		e.rollback()
	}
	if tx.changed {
		tx.live.tables = tx.tables
	}
	tx.end()
}

// end ends the transaction.
func (tx *TablesTx) end() {
	v := tx.live
	for _, e := range tx.edits {
		e.end()
	}
	tx.live = nil
	v.mu.Unlock()
}

// Table returns the edits of a table. Errors: ErrNoTable, ErrDone.
func (tx *TablesTx) Table(name string, family int) (*TableEdit, error) {
	if tx.live == nil {
		return nil, ErrDone
	}
	t, _ := tx.live.find(name, family)
	if t == nil {
		return nil, noTable(name, family)
	}
	return tx.edit(t), nil
}

func noTable(name string, family int) error {
	return fmt.Errorf("%w: %s of family %d", ErrNoTable, name, family)
}

// edit returns the edits of a table.
func (tx *TablesTx) edit(t *tableState) *TableEdit {
	for _, e := range tx.edits {
		if e.table == t && !e.gone {
			return e
		}
	}
	e := &TableEdit{tx: tx, table: t, was: t.tableSums}
	tx.edits = append(tx.edits, e)
	return e
}

// keep keeps the tables for Rollback.
func (tx *TablesTx) keep() {
	if !tx.changed {
		tx.changed = true
		tx.tables = slices.Clone(tx.live.tables)
	}
}

// AddTable adds a table, which is not changed. It takes the time and memory of
// NewLiveTables; the fast form comes later, unless NoBackground is set. Errors are
// those of NewLiveTables, and ErrDone.
func (tx *TablesTx) AddTable(ctx context.Context, t *rules.Table) (*TableEdit, error) {
	v := tx.live
	if v == nil {
		return nil, ErrDone
	}
	if t != nil {
		if _, at := v.find(t.Name, t.Family); at >= 0 {
			return nil, fmt.Errorf("%w: table %s of family %d", ErrDuplicate, t.Name, t.Family)
		}
	}
	s, err := v.newTable(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	if v.opts.NoBackground {
		if s.now.static, err = BuildTable(ctx, s.now.numbered(), &v.build); err != nil {
			s.discard(nil)
			return nil, fmt.Errorf("table %s: %w", s.name, err)
		}
	}
	tx.keep()
	v.tables = append(slices.Clip(v.tables), s)
	e := tx.edit(s)
	e.added = true
	return e, nil
}

// DropTable removes a table with all its chains and rules. Errors: ErrNoTable,
// ErrDone.
func (tx *TablesTx) DropTable(name string, family int) error {
	v := tx.live
	if v == nil {
		return ErrDone
	}
	t, i := v.find(name, family)
	if t == nil {
		return noTable(name, family)
	}
	tx.keep()
	v.tables = slices.Delete(slices.Clone(v.tables), i, i+1)
	e := tx.edit(t)
	e.rollback() // its edits do not matter any more
	e.end()
	e.gone = true
	if !e.added {
		tx.dropped = append(tx.dropped, droppedTable{tableState: t})
	}
	return nil
}
