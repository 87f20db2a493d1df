package hipac

// Transactions on a live list.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/hipac/internal/order"
	"github.com/hipac-go/classifier/rules"
)

// Tx is a transaction: edits of a live list that are seen all at once, when it
// commits, or not at all. It sees its own edits. Begin makes one; it has the list
// to itself until Commit or Rollback. It is for one goroutine.
//
// An edit that returns an error has done nothing, and the transaction can go on.
type Tx[T any] struct {
	ListEdit[T]
	live *Live[T]
}

// Begin begins a transaction; it waits for the one under way, if any. It must be
// ended by Commit or Rollback. Whoever has one must not ask for another, nor for
// counters, before that: it would wait for itself.
//
//	tx := live.Begin()
//	defer tx.Rollback()
//	tx.Delete(7)
//	tx.Append(rule)
//	err := tx.Commit(ctx)
func (v *Live[T]) Begin() *Tx[T] {
	v.mu.Lock()
	return &Tx[T]{ListEdit: ListEdit[T]{list: v.list, limits: v.limits, bytes: v.bytes}, live: v}
}

// Edit runs f in a transaction, which is committed when f returns nil and rolled
// back when it returns an error or panics.
func (v *Live[T]) Edit(ctx context.Context, f func(tx *Tx[T]) error) error {
	tx := v.Begin()
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// DryRun runs f in a transaction that is rolled back, and returns what it would
// change. The error is that of f, or that which Commit would return.
func (v *Live[T]) DryRun(ctx context.Context, f func(tx *Tx[T]) error) (Change, error) {
	tx := v.Begin()
	defer tx.Rollback()
	before := v.list.size()
	if err := f(tx); err != nil {
		return Change{}, err
	}
	return tx.result(ctx, before)
}

// result gets ready for a commit, and returns what it would change; before was
// the size of the list.
func (tx *Tx[T]) result(ctx context.Context, before int64) (Change, error) {
	v := tx.live
	if err := tx.prepare(ctx); err != nil {
		return Change{}, err
	}
	c := tx.change
	c.Rules = tx.Len()
	c.Rebuild = v.list.stale
	c.Bytes = tx.bytes - v.bytes + v.list.size() - before
	return c, nil
}

// Commit makes the edits seen. When it returns an error (a limit, the context's)
// nothing has changed. After a transaction without edits there is no new version.
func (tx *Tx[T]) Commit(ctx context.Context) error {
	if tx.list == nil {
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
func (tx *Tx[T]) finish() {
	v := tx.live
	if tx.list.edits > 0 {
		tx.list.commit()
		v.bytes = tx.bytes
		v.publish(v.Snapshot().version + 1)
	}
	tx.list = nil
	v.mu.Unlock()
}

// Rollback forgets the edits. After Commit or Rollback it does nothing.
func (tx *Tx[T]) Rollback() {
	if tx.list == nil {
		return
	}
	tx.list.rollback()
	tx.list = nil
	tx.live.mu.Unlock()
}

// ListEdit is the edits of one list in a transaction: those of Tx, and of a chain
// of a TablesTx.
type ListEdit[T any] struct {
	list   *editList[T] // nil when the transaction is over
	limits rules.Limits
	bytes  int64 // of the rules
	change Change
	owner  owner[T] // nil for a list by itself
}

// owner is what a list belongs to: the chain of a table.
type owner[T any] interface {
	// check says whether the rule may be in the list.
	check(r *rules.Rule[T]) error
	// changed says that a rule came, went (is is nil) or was replaced.
	changed(was, is *rules.Rule[T])
	// wrap says of an error where it was.
	wrap(err error) error
}

// wrap says of an error where it was.
func (e *ListEdit[T]) wrap(err error) error {
	if e.owner != nil && err != nil {
		return e.owner.wrap(err)
	}
	return err
}

// check says whether the rule may be in the list.
func (e *ListEdit[T]) check(r *rules.Rule[T]) error {
	if e.owner == nil {
		return nil
	}
	return e.owner.check(r)
}

// changed tells the owner of an edit.
func (e *ListEdit[T]) changed(was, is *rules.Rule[T]) {
	if e.owner != nil {
		e.owner.changed(was, is)
	}
}

func (e *ListEdit[T]) prepare(ctx context.Context) error {
	if err := checkLimits(e.limits, e.list.order.Len(), e.bytes); err != nil {
		return err
	}
	return e.list.prepare(ctx)
}

// Len returns the number of rules; 0 when the transaction is over.
func (e *ListEdit[T]) Len() int {
	if e.list == nil {
		return 0
	}
	return e.list.order.Len()
}

// Rule returns the rule of an identity, which must not be changed. The error is
// ErrNoRule or ErrDone.
func (e *ListEdit[T]) Rule(id rules.ID) (*rules.Rule[T], error) {
	label, err := e.label(id)
	if err != nil {
		return nil, err
	}
	return e.list.order.Get(label).rule, nil
}

// At returns the rule at a position, which must not be changed. The error is
// ErrPosition or ErrDone.
func (e *ListEdit[T]) At(position int) (*rules.Rule[T], error) {
	if e.list == nil {
		return nil, ErrDone
	}
	if err := e.inside(position, e.Len()-1); err != nil {
		return nil, err
	}
	_, m := e.list.order.At(position)
	return m.rule, nil
}

// Position returns the position of a rule. The error is ErrNoRule or ErrDone.
func (e *ListEdit[T]) Position(id rules.ID) (int, error) {
	label, err := e.label(id)
	if err != nil {
		return 0, err
	}
	return e.list.order.Position(label), nil
}

// label returns the label of a rule.
func (e *ListEdit[T]) label(id rules.ID) (uint32, error) {
	if e.list == nil {
		return 0, ErrDone
	}
	l, err := e.list.label(id)
	return l, e.wrap(err)
}

func (e *ListEdit[T]) inside(position, last int) error {
	if position < 0 || position > last {
		return e.wrap(fmt.Errorf("%w: %d, want 0 to %d", ErrPosition, position, last))
	}
	return nil
}

// before returns the label that a rule stands behind to be at a position.
func (e *ListEdit[T]) before(position int) uint32 {
	if position == 0 {
		return order.None
	}
	label, _ := e.list.order.At(position - 1)
	return label
}

// insert adds a rule behind a label.
func (e *ListEdit[T]) insert(after uint32, r rules.Rule[T]) (rules.ID, error) {
	if err := e.check(&r); err != nil {
		return 0, e.wrap(err)
	}
	id, err := e.list.insert(after, r)
	if err != nil {
		return 0, e.wrap(err)
	}
	e.bytes += r.Bytes()
	e.change.Inserted++
	e.changed(nil, &r)
	return id, nil
}

// Append adds a rule behind all others and returns its identity: that which it
// has, or one that no rule of the list has had when that is 0. The rule's
// conditions must not be changed any more. Errors: a condition that does not fit
// the schema, rules.ErrDuplicateID, ErrDone.
func (e *ListEdit[T]) Append(r rules.Rule[T]) (rules.ID, error) {
	if e.list == nil {
		return 0, ErrDone
	}
	after := uint32(order.None)
	if label, _, ok := e.list.order.Last(); ok {
		after = label
	}
	return e.insert(after, r)
}

// InsertAt adds a rule so that it is at the position then, 0 <= position <=
// Len(). Errors are those of Append and ErrPosition.
func (e *ListEdit[T]) InsertAt(position int, r rules.Rule[T]) (rules.ID, error) {
	if e.list == nil {
		return 0, ErrDone
	}
	if err := e.inside(position, e.Len()); err != nil {
		return 0, err
	}
	return e.insert(e.before(position), r)
}

// InsertBefore adds a rule right in front of another. Errors are those of Append
// and ErrNoRule.
func (e *ListEdit[T]) InsertBefore(id rules.ID, r rules.Rule[T]) (rules.ID, error) {
	label, err := e.label(id)
	if err != nil {
		return 0, err
	}
	return e.insert(e.prev(label), r)
}

// prev returns the label in front of another.
func (e *ListEdit[T]) prev(label uint32) uint32 {
	if l, _, ok := e.list.order.Prev(label); ok {
		return l
	}
	return order.None
}

// InsertAfter adds a rule right behind another. Errors are those of Append and
// ErrNoRule.
func (e *ListEdit[T]) InsertAfter(id rules.ID, r rules.Rule[T]) (rules.ID, error) {
	label, err := e.label(id)
	if err != nil {
		return 0, err
	}
	return e.insert(label, r)
}

// Delete removes a rule. The error is ErrNoRule or ErrDone.
func (e *ListEdit[T]) Delete(id rules.ID) error {
	label, err := e.label(id)
	if err != nil {
		return err
	}
	was := e.list.order.Get(label).rule
	e.bytes -= was.Bytes()
	e.list.delete(label)
	e.change.Deleted++
	e.changed(was, nil)
	return nil
}

// Replace puts another rule in the place of one, whose identity and counters it
// keeps; r.ID is not looked at. Errors: a condition that does not fit the schema,
// ErrNoRule, ErrDone.
func (e *ListEdit[T]) Replace(id rules.ID, r rules.Rule[T]) error {
	label, err := e.label(id)
	if err != nil {
		return err
	}
	if err := e.check(&r); err != nil {
		return e.wrap(err)
	}
	was := e.list.order.Get(label).rule
	if err := e.list.replace(label, r); err != nil {
		return e.wrap(err)
	}
	e.bytes += r.Bytes() - was.Bytes()
	e.change.Replaced++
	e.changed(was, &r)
	return nil
}

// MoveTo moves a rule to a position, 0 <= position < Len(), counted without it.
// Errors: ErrNoRule, ErrPosition, ErrDone.
func (e *ListEdit[T]) MoveTo(id rules.ID, position int) error {
	label, err := e.label(id)
	if err != nil {
		return err
	}
	if err := e.inside(position, e.Len()-1); err != nil {
		return err
	}
	m := e.list.take(label)
	return e.moved(m, e.before(position))
}

// MoveBefore moves a rule right in front of another. Errors: ErrNoRule, ErrDone.
func (e *ListEdit[T]) MoveBefore(id, other rules.ID) error {
	return e.move(id, other, func(label uint32) uint32 { return e.prev(label) })
}

// MoveAfter moves a rule right behind another. Errors: ErrNoRule, ErrDone.
func (e *ListEdit[T]) MoveAfter(id, other rules.ID) error {
	return e.move(id, other, func(label uint32) uint32 { return label })
}

func (e *ListEdit[T]) move(id, other rules.ID, after func(label uint32) uint32) error {
	label, err := e.label(id)
	if err != nil {
		return err
	}
	to, err := e.label(other)
	if err != nil || id == other {
		return err
	}
	m := e.list.take(label)
	return e.moved(m, after(to))
}

func (e *ListEdit[T]) moved(m *member[T], after uint32) error {
	e.change.Moved++
	return e.wrap(e.list.put(after, m.moved()))
}

// Flush removes all rules.
func (e *ListEdit[T]) Flush() error {
	if e.list == nil {
		return ErrDone
	}
	e.change.Deleted += e.Len()
	e.bytes = 0
	if e.owner != nil {
		for _, m := range e.list.order.All() {
			e.owner.changed(m.rule, nil)
		}
	}
	e.list.flush()
	return nil
}
