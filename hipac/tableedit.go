package hipac

// Edits of one table and of its chains in a transaction.

import (
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/rules"
)

// TableEdit is the edits of a table in a transaction, see TablesTx. Its methods
// return ErrDone when the transaction is over or the table was dropped.
type TableEdit struct {
	tx     *TablesTx // nil when it is over
	table  *tableState
	was    tableSums
	chains []*ChainEdit
	added  bool // the table is the transaction's
	gone   bool // it was dropped

	heritage map[uint32]bool // counters that are another table's too

	undo   []func()
	leads  []leading
	others []*chainState // that were deleted or named anew, or have another policy
	roots  bool          // packets enter at other chains
}

// leading is a change of what the rules of a chain lead to.
type leading struct {
	from, to *chainState
	n        int32
}

// Name returns the name of the table.
func (e *TableEdit) Name() string { return e.table.name }

// Family returns the family of the table.
func (e *TableEdit) Family() int { return e.table.family }

// Len returns the number of rules.
func (e *TableEdit) Len() int { return e.table.rules }

// fail says of an error in which table it was.
func (e *TableEdit) fail(err error) error { return fmt.Errorf("table %s: %w", e.table.name, err) }

// find returns the chain of a name.
func (e *TableEdit) find(name string) (*chainState, error) {
	if e.tx == nil {
		return nil, ErrDone
	}
	c := e.table.names[name]
	if c == nil {
		return nil, e.fail(fmt.Errorf("%w: %s", ErrNoChain, name))
	}
	return c, nil
}

// Chain returns the edits of a chain. Errors: ErrNoChain, ErrDone.
func (e *TableEdit) Chain(name string) (*ChainEdit, error) {
	c, err := e.find(name)
	if err != nil {
		return nil, err
	}
	return e.edit(c), nil
}

// edit returns the edits of a chain.
func (e *TableEdit) edit(c *chainState) *ChainEdit {
	if c.edit == nil {
		x := &ChainEdit{edit: e, chain: c, was: c.chainSums}
		x.ListEdit = ListEdit[rules.Action]{list: c.list, bytes: c.size, owner: x}
		e.chains = append(e.chains, x)
		c.edit = x
	}
	return c.edit
}

// number returns a number for a new chain: one that no chain has any more, or the
// next.
func (e *TableEdit) number() int {
	if t := e.table; len(t.names) < len(t.chains) {
		return slices.Index(t.chains, nil)
	}
	return len(e.table.chains)
}

// NewChain adds an empty chain without a policy. Errors: ErrDuplicate, a name that
// iptables would not take for a user chain, ErrDone.
func (e *TableEdit) NewChain(name string) (*ChainEdit, error) {
	if err := e.free(name); err != nil {
		return nil, err
	}
	return e.newChain(name)
}

// newChain adds a chain, of a name that may be that of any chain of a file.
func (e *TableEdit) newChain(name string) (*ChainEdit, error) {
	if !goodName(name) {
		return nil, e.fail(fmt.Errorf("%q is no name for a chain: it is empty or begins with a zero byte", name))
	}
	t, n := e.table, e.number()
	list, err := newEditList(context.Background(), t.set, rules.NewBuilder[rules.Action](t.schema).List())
	if err != nil {
		return nil, e.fail(err)
	}
	c := &chainState{table: t, number: int32(n), name: name, list: list}
	c.hostList()
	was := len(t.chains)
	if n == was {
		t.chains = append(t.chains, nil)
	}
	t.chains[n], t.names[name] = c, c
	e.undo = append(e.undo, func() {
		t.chains[n] = nil
		t.chains = t.chains[:was]
		delete(t.names, name)
	})
	e.altered(c)
	if t.policies == 0 { // packets enter at all chains
		t.walks.unknown, e.roots = true, true
	}
	return e.edit(c), nil
}

// free reports an error when a chain cannot have the name.
func (e *TableEdit) free(name string) error {
	if e.tx == nil {
		return ErrDone
	}
	if err := checkChainName(name); err != nil {
		return e.fail(err)
	}
	if e.table.names[name] != nil {
		return e.fail(fmt.Errorf("%w: chain %s", ErrDuplicate, name))
	}
	return nil
}

// altered notes that a chain is another one.
func (e *TableEdit) altered(c *chainState) { e.others = append(e.others, c) }

// DeleteChain removes an empty chain that no rule leads to and that has no policy.
// Its number is free for another chain then. Errors: ErrNoChain, ErrInUse,
// ErrDone.
func (e *TableEdit) DeleteChain(name string) error {
	c, err := e.find(name)
	if err != nil {
		return err
	}
	switch {
	case c.policy != rules.NoVerdict:
		err = fmt.Errorf("%w: %s is built in: it has a policy", ErrInUse, name)
	case c.rules > 0:
		err = fmt.Errorf("%w: %s has %s", ErrInUse, name, many(c.rules, "rule", "rules"))
	case c.callers > 0:
		err = fmt.Errorf("%w: %s to %s", ErrInUse, many(c.callers, "rule leads", "rules lead"), name)
	}
	if err != nil {
		return e.fail(err)
	}
	t := e.table
	t.chains[c.number] = nil
	delete(t.names, name)
	handle := c.edit
	if handle != nil {
		handle.list = nil
	}
	tree := c.tree
	e.undo = append(e.undo, func() { t.chains[c.number], t.names[name], c.tree = c, c, tree })
	e.altered(c)
	return nil
}

// many says how many there are of something.
func many(n int, one, more string) string {
	if n != 1 {
		one = more
	}
	return fmt.Sprint(n, " ", one)
}

// RenameChain gives a chain without a policy another name. Rules that lead to it
// still do. Errors: ErrNoChain, ErrInUse, ErrDuplicate, a name that iptables would
// not take for a user chain, ErrDone.
func (e *TableEdit) RenameChain(name, other string) error {
	c, err := e.find(name)
	if err != nil || name == other {
		return err
	}
	if c.policy != rules.NoVerdict {
		return e.fail(fmt.Errorf("%w: %s is built in: it has a policy", ErrInUse, name))
	}
	if err := e.free(other); err != nil {
		return err
	}
	e.rename(c, other)
	return nil
}

// rename gives a chain another name.
func (e *TableEdit) rename(c *chainState, other string) {
	t, name := e.table, c.name
	rename := func(from, to string) {
		delete(t.names, from)
		c.name, t.names[to] = to, c
	}
	rename(name, other)
	e.undo = append(e.undo, func() { rename(other, name) })
	e.altered(c)
}

// ChainEdit is the edits of a chain in a transaction: those of its rules, whose
// Action.Chain is the number of the chain that they lead to (Number), and of its
// policy. Its methods return ErrDone when the transaction is over or the chain
// was deleted. Besides those of ListEdit, edits of rules return ErrAction, and
// ErrNoChain for a rule that leads nowhere.
type ChainEdit struct {
	ListEdit[rules.Action]
	edit  *TableEdit
	chain *chainState
	was   chainSums
}

// Name returns the name of the chain.
func (c *ChainEdit) Name() string { return c.chain.name }

// Number returns the number of the chain, by which rules lead to it. It keeps it
// for as long as it lives.
func (c *ChainEdit) Number() int { return int(c.chain.number) }

// Policy returns the policy of the chain, NoVerdict for one without.
func (c *ChainEdit) Policy() rules.Verdict { return c.chain.policy }

// SetPolicy gives the chain another policy, or takes it away with NoVerdict. The
// policy's counters stay what they are. A chain without one gets none, unless no
// chain of the table has one: only built-in chains have policies.
func (c *ChainEdit) SetPolicy(p rules.Verdict) error {
	if t := c.chain.table; c.list != nil && c.chain.policy == rules.NoVerdict && p != rules.NoVerdict && t.policies > 0 {
		return c.wrap(fmt.Errorf("it gets no policy (%v): only built-in chains, of which the table has %d, have one", p, t.policies))
	}
	return c.setPolicy(p)
}

// setPolicy is SetPolicy for any chain.
func (c *ChainEdit) setPolicy(p rules.Verdict) error {
	ch, was := c.chain, c.chain.policy
	switch {
	case c.list == nil:
		return ErrDone
	case p > rules.Stolen || p == rules.Unknown:
		return c.wrap(fmt.Errorf("%v is no policy", p))
	case p == was:
		return nil
	}
	ch.policy = p
	c.edit.undo = append(c.edit.undo, func() { ch.policy = was })
	c.edit.altered(ch)
	if p == rules.NoVerdict || was == rules.NoVerdict {
		t := ch.table
		if t.policies++; p == rules.NoVerdict {
			t.policies -= 2
		}
		t.walks.unknown, c.edit.roots = true, true
	}
	return nil
}

func (c *ChainEdit) check(r *rules.Rule[rules.Action]) error {
	if a := &r.Value; a.Kind == rules.Decide && (a.Verdict == rules.NoVerdict || a.Verdict > rules.Stolen) {
		return fmt.Errorf("%w: it decides, and its verdict is %v", ErrAction, a.Verdict)
	}
	return c.chain.table.checkAction(r)
}

func (c *ChainEdit) wrap(err error) error {
	return fmt.Errorf("table %s: chain %s: %w", c.chain.table.name, c.chain.name, err)
}

func (c *ChainEdit) changed(was, is *rules.Rule[rules.Action]) {
	if was != nil {
		c.count(was, -1)
	}
	if is != nil {
		c.count(is, 1)
	}
}

// count counts a rule in or out.
func (c *ChainEdit) count(r *rules.Rule[rules.Action], by int) {
	c.chain.add(r, by)
	if leads(r) {
		c.edit.leads = append(c.edit.leads, leading{c.chain, c.chain.table.chains[r.Value.Chain], int32(by)})
	}
}

// commit makes the edits the newest version of the table, and reports whether
// there were any.
func (e *TableEdit) commit() bool {
	if e.gone {
		return false
	}
	t, v := e.table, e.tx.live
	changed := e.others
	for _, c := range e.chains {
		l := c.chain.list
		if l.edits == 0 {
			continue
		}
		changed = append(changed, c.chain)
		c.chain.edited = true
		l.commit()
		c.chain.weigh()
	}
	if e.added {
		v.stir(t)
	}
	if len(changed) == 0 {
		return false
	}
	for _, c := range e.others {
		c.settleCounter(v.counters)
	}
	t.trim()
	t.refresh(changed, len(e.leads) > 0 || len(e.others) > 0)
	v.stir(t)
	return true
}

// trim drops the numbers behind the last chain.
func (t *tableState) trim() {
	n := len(t.chains)
	for n > 0 && t.chains[n-1] == nil {
		n--
	}
	if t.chains = t.chains[:n]; n < cap(t.chains)/4 {
		t.chains = slices.Clone(t.chains)
	}
}

// is reports whether a chain is the one of its number.
func (t *tableState) is(c *chainState) bool {
	return int(c.number) < len(t.chains) && t.chains[c.number] == c
}

// settleCounter gives the chain's policy a counter, or takes it back.
func (c *chainState) settleCounter(set *counters.Set) {
	if !c.table.is(c) { // deleted
		c.list.abandon()
	}
	switch has := c.counter != 0; {
	case set == nil || has == (c.policy != rules.NoVerdict):
	case has:
		set.Free(c.counter)
		c.counter = 0
	default:
		c.count(set)
	}
}

// rollback forgets the edits.
func (e *TableEdit) rollback() {
	if e.gone {
		return
	}
	for _, c := range e.chains {
		c.chain.list.rollback()
		c.chain.chainSums = c.was
	}
	for _, x := range slices.Backward(e.leads) {
		x.from.lead(x.to, -x.n)
		e.table.follow(x.from, x.to, -x.n)
	}
	for _, undo := range slices.Backward(e.undo) {
		undo()
	}
	// What a commit that failed found out is of the roots that are taken back.
	unknown := e.table.walks.unknown || e.roots
	e.table.tableSums = e.was
	e.table.walks.unknown = unknown
	if e.added {
		e.table.discard(e.heritage)
	}
}

// end ends the edits.
func (e *TableEdit) end() {
	for _, c := range e.chains {
		c.list = nil
		c.chain.edit = nil
	}
	e.tx = nil
}

// discard frees what a table holds that is not in memory alone, but for some
// counters.
func (t *tableState) discard(but map[uint32]bool) {
	free := func(n uint32) {
		if !but[n] {
			t.set.counters.Free(n)
		}
	}
	for _, c := range t.chains {
		if c == nil || c.list == nil {
			continue
		}
		c.list.abandon()
		if t.set.counters != nil {
			for _, m := range c.list.order.All() {
				free(m.counter)
			}
			free(c.counter)
		}
	}
}

// size returns the memory of the structure as the transaction has it.
func (t *tableState) size() (n int64) {
	for _, c := range t.chains {
		if c != nil {
			n += c.list.size()
		}
	}
	return n
}
