package hipac

// Tables of chains that are edited while packets are evaluated: the writer's
// side, and how versions are made from it.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// LiveTables are tables of chains that are edited while packets are evaluated.
//
// Methods that evaluate may be called by any number of goroutines at any time.
// They take the newest version of all tables by loading one pointer (Snapshot),
// and never lock or wait. Methods that edit take turns: a transaction has the
// tables to itself from Begin to Commit or Rollback, and what it did to any
// number of tables and chains is seen all at once. A version is what it is for as
// long as somebody holds it; its memory goes with the last who does, when the
// garbage collector finds out.
//
// Tables are known by name and family, chains by name or number (see
// TableSnapshot), rules by their identity (rules.ID) in their chain.
//
// Each chain is a list with a tree of its own, so that an edit takes some
// microseconds and evaluation a lookup or more for each chain on the way. A table
// that has not been edited for a tenth of a second gets besides what BuildTable
// makes, in which chains are copied into those that jump to them; an edit takes
// it away again. It is built in the background, in at most a twentieth of the
// time of one core. With LiveOptions.NoBackground tables have it until their
// first edit.
type LiveTables struct {
	current atomic.Pointer[TablesSnapshot]

	mu       sync.Mutex
	opts     LiveOptions
	build    Options
	counters *counters.Set // nil: off
	tables   []*tableState
}

// NewLiveTables returns live tables with the rules of the tables, which are not
// changed. It takes the time and memory of BuildTable for each of them, and about
// as much again. Errors are those, rules.ErrLimit, and tables or chains of the
// same name.
func NewLiveTables(ctx context.Context, tables []*rules.Table, opts *LiveOptions) (*LiveTables, error) {
	o, build, err := opts.orDefault()
	if err != nil {
		return nil, err
	}
	v := &LiveTables{opts: o, build: build}
	if o.Counters {
		v.counters = counters.NewSet(counters.Options{})
	}
	for _, t := range tables {
		s, err := v.newTable(ctx, t, nil)
		if err != nil {
			return nil, err
		}
		if _, at := v.find(s.name, s.family); at >= 0 {
			return nil, fmt.Errorf("%w: table %s of family %d", ErrDuplicate, s.name, s.family)
		}
		if s.now.static, err = BuildTable(ctx, s.now.numbered(), &v.build); err != nil {
			return nil, fmt.Errorf("table %s: %w", s.name, err)
		}
		v.tables = append(v.tables, s)
	}
	if err := errors.Join(v.checkMemory(), v.checkTrees()); err != nil {
		return nil, err
	}
	v.publish(0)
	return v, nil
}

// Errors of edits of tables, for errors.Is, besides those of edits of lists.
var (
	// ErrNoTable means that no table has the name and family.
	ErrNoTable = errors.New("no such table")
	// ErrNoChain means that no chain of the table has the name or number.
	ErrNoChain = errors.New("no such chain")
	// ErrDuplicate means that there is a table or chain of that name.
	ErrDuplicate = errors.New("the name is in use")
	// ErrInUse means that a chain cannot be deleted, or renamed, as it is.
	ErrInUse = errors.New("the chain is in use")
	// ErrLoop means that packets would come to a chain from itself.
	ErrLoop = errors.New("loop")
	// ErrAction means that what a rule does makes no sense.
	ErrAction = errors.New("not an action")
)

// tableState is a table under edit.
type tableState struct {
	*tableBase
	tableSums
	live   *LiveTables
	set    *setting[rules.Action]
	chains []*chainState // by number, nil where there is none
	names  map[string]*chainState
	now    *TableSnapshot // the newest version
	quiet  quietState

	visits uint64        // see ways.visit
	list   []*chainState // scratch of below
}

// tableSums are sums over the rules of a table, and what the last check found.
type tableSums struct {
	rules    int
	bytes    int64
	demands  int   // rules that read headers
	extended int   // rules with tests or targets
	policies int   // chains with one
	trees    int64 // bytes in those of the chains
	walks    walks
}

// chainState is a chain under edit.
type chainState struct {
	table          *tableState
	number         int32
	name           string
	policy         rules.Verdict
	packets, bytes uint64
	counter        uint32
	edited         bool // its rules were, once
	list           *editList[rules.Action]
	from           *rules.List[rules.Action] // before there is a list under edit
	calls          calls                     // of its rules
	callers        int                       // rules that lead here
	now            *chainVersion
	edit           *ChainEdit // of the transaction under way
	chainSums
	ways
}

// chainSums are sums over the rules of a chain.
type chainSums struct {
	rules int
	size  int64 // in bytes
	tree  int64 // bytes in the tree, when it was weighed last
}

// find returns the table of a name and its index, or -1.
func (v *LiveTables) find(name string, family int) (*tableState, int) {
	for i, t := range v.tables {
		if t.name == name && t.family == family {
			return t, i
		}
	}
	return nil, -1
}

// newTable makes the state of a table and its first version. With h, which may be
// nil, a chain without a name is a number that no chain has.
func (v *LiveTables) newTable(ctx context.Context, t *rules.Table, h *heritage) (*tableState, error) {
	if t == nil {
		return nil, errors.New("no table")
	}
	if t.Schema == nil {
		return nil, fmt.Errorf("table %s has no schema", t.Name)
	}
	s := &tableState{
		tableBase: &tableBase{name: t.Name, family: t.Family, schema: t.Schema, words: t.Schema.KeyLen(), families: familiesOf(t.Schema), binder: packet.NewBinder(t.Schema)},
		live:      v,
		set:       v.newSetting(t),
		names:     make(map[string]*chainState, len(t.Chains)),
	}
	for i := range t.Chains {
		from := &t.Chains[i]
		if h != nil && from.Name == "" {
			s.chains = append(s.chains, nil)
			continue
		}
		c := &chainState{table: s, number: int32(i), name: from.Name, policy: from.Policy, packets: from.Packets, bytes: from.Bytes, from: from.Rules}
		switch {
		case !goodName(c.name):
			return nil, fmt.Errorf("table %s: chain %d is called %q: a name is not empty and does not begin with a zero byte", s.name, i, c.name)
		case s.names[c.name] != nil:
			return nil, fmt.Errorf("table %s: %w: chain %s", s.name, ErrDuplicate, c.name)
		case c.from == nil || c.from.Schema() != s.schema:
			return nil, fmt.Errorf("table %s: chain %s: its rules are not of the table's schema", s.name, c.name)
		}
		s.chains, s.names[c.name] = append(s.chains, c), c
		if c.policy != rules.NoVerdict {
			s.policies++
		}
	}
	for _, c := range s.chains {
		if c == nil {
			continue
		}
		for n, r := range c.from.All() {
			if err := s.checkAction(r); err != nil {
				return nil, fmt.Errorf("table %s: chain %s: rule %d: %w", s.name, c.name, n+1, err)
			}
			c.add(r, 1)
		}
	}
	s.walks.unknown = true
	if err := s.checkLimits(v.opts.Limits); err != nil {
		return nil, err
	}
	err := s.makeLists(ctx, v.counters, h)
	if err != nil {
		s.discard(h.all())
		return nil, err
	}
	s.now = &TableSnapshot{tableBase: s.tableBase}
	s.refresh(s.chains, true)
	return s, nil
}

// makeLists makes the lists of the chains.
func (s *tableState) makeLists(ctx context.Context, set *counters.Set, h *heritage) (err error) {
	defer func() { s.set.counter = nil }()
	for _, c := range s.chains {
		if c == nil {
			continue
		}
		if h != nil && set != nil {
			s.set.counter = func(id rules.ID) uint32 { return h.rule(c.name, id) }
			if c.policy != rules.NoVerdict {
				c.counter = h.policy(c.name)
			}
		}
		if c.list, err = newEditList(ctx, s.set, c.from); err != nil {
			return fmt.Errorf("table %s: chain %s: %w", s.name, c.name, err)
		}
		c.from = nil
		c.weigh()
		c.hostList()
		if c.counter == 0 {
			c.count(set)
		}
	}
	return nil
}

// hostList has the list of the chain tidied up in the background.
func (c *chainState) hostList() {
	if !c.table.live.opts.NoBackground {
		c.list.host = c
	}
}

// goodName reports whether a chain can be called so.
func goodName(name string) bool { return name != "" && name[0] != 0 }

func (v *LiveTables) newSetting(t *rules.Table) *setting[rules.Action] {
	set := newSetting[rules.Action](t.Schema, familyOf(t), &v.build)
	set.lean = true
	set.passes = onlyCounts
	if set.counters = v.counters; v.counters != nil {
		set.counts = func(r *rules.Rule[rules.Action]) counters.Counts {
			return counters.Counts{Packets: r.Value.Packets, Bytes: r.Value.Bytes}
		}
	}
	return set
}

// count gives the policy of the chain a counter.
func (c *chainState) count(set *counters.Set) {
	if set != nil && c.policy != rules.NoVerdict {
		c.counter = set.New()
		set.Add(c.counter, counters.Counts{Packets: c.packets, Bytes: c.bytes})
	}
}

// add counts a rule of the chain in, or out with -1.
func (c *chainState) add(r *rules.Rule[rules.Action], by int) {
	bytes := int64(by) * r.Bytes()
	c.rules += by
	c.size += bytes
	s := &c.table.tableSums
	s.rules += by
	s.bytes += bytes
	if by > 0 {
		s.walks.longest = min(s.walks.longest+c.paths, most)
	}
	e := r.Value.Ext
	if e != nil && len(e.Demands) > 0 {
		s.demands += by
	}
	if !e.Plain() {
		s.extended += by
	}
	if leads(r) {
		to := c.table.chains[r.Value.Chain]
		c.lead(to, int32(by))
		c.table.follow(c, to, int32(by))
	}
}

// checkAction says what is wrong with what a rule does.
func (s *tableState) checkAction(r *rules.Rule[rules.Action]) error {
	a := &r.Value
	switch {
	case a.Kind > rules.Return:
		return fmt.Errorf("%w: of kind %d", ErrAction, a.Kind)
	case r.Continue != (a.Kind == rules.Pass):
		return fmt.Errorf("%w: only a rule that passes packets on continues", ErrAction)
	case leads(r) && (a.Chain < 0 || a.Chain >= len(s.chains) || s.chains[a.Chain] == nil):
		return fmt.Errorf("it goes to a chain that does not exist: %w: number %d", ErrNoChain, a.Chain)
	}
	return nil
}

// refresh makes a version of the table with new versions of the chains given.
// shaped says that its chains or their jumps are others than before.
func (s *tableState) refresh(changed []*chainState, shaped bool) {
	t := &TableSnapshot{tableBase: s.tableBase, shape: s.now.shape, chains: len(s.chains), rules: s.rules, demands: s.demands, extended: s.extended, source: &tableSource{}}
	t.pages = make([]*chainPage, (t.chains+pageLen-1)/pageLen)
	for i := copy(t.pages, s.now.pages); i < len(t.pages); i++ {
		t.pages[i] = &chainPage{}
	}
	own := map[int32]bool{}
	for _, c := range changed {
		if c == nil {
			continue
		}
		p := c.number >> pageBits
		if int(p) >= len(t.pages) {
			continue // it is gone, and so is its number
		}
		if !own[p] {
			page := *t.pages[p]
			t.pages[p], own[p] = &page, true
		}
		switch slot := &t.pages[p][c.number%pageLen]; {
		case s.is(c):
			c.now = &chainVersion{name: c.name, policy: c.policy, packets: c.packets, bytes: c.bytes, counter: c.counter, edited: c.edited, seq: c.list.now}
			*slot = c.now
		case int(c.number) >= len(s.chains) || s.chains[c.number] == nil:
			*slot = nil
		} // else the number is another chain's by now
	}
	if all := (s.extended > 0) != (s.now.extended > 0) || s.now.shape == nil; all || shaped {
		if all {
			changed = s.chains
		}
		t.shape = s.newShape(changed)
	}
	s.now = t
}

// newShape returns the table as subjects may look at it: with the chains, and of
// their rules those that lead to others. Where no rule asks anything of subjects
// there are no chains either.
func (s *tableState) newShape(changed []*chainState) *rules.Table {
	out := &rules.Table{Name: s.name, Family: s.family, Schema: s.schema}
	if s.extended == 0 {
		return out
	}
	out.Chains = make([]rules.Chain, len(s.chains))
	none := rules.NewBuilder[rules.Action](s.schema).List()
	copied := 0
	if s.now.shape != nil {
		copied = copy(out.Chains, s.now.shape.Chains)
	}
	for i := copied; i < len(out.Chains); i++ {
		out.Chains[i].Rules = none
	}
	for _, c := range changed {
		if c == nil || int(c.number) >= len(s.chains) {
			continue
		}
		to := &out.Chains[c.number]
		if s.chains[c.number] == nil {
			*to = rules.Chain{Rules: none}
		}
		if !s.is(c) {
			continue
		}
		*to = rules.Chain{Name: c.name, Policy: c.policy, Rules: none}
		if len(c.calls) > 0 {
			b := rules.NewBuilder[rules.Action](s.schema)
			for _, call := range c.calls {
				b.Add(rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Jump, Chain: int(call.to.number)}}) // cannot fail
			}
			to.Rules = b.List()
		}
	}
	return out
}

// publish makes the newest versions of all tables seen.
func (v *LiveTables) publish(version uint64) {
	s := &TablesSnapshot{version: version, tables: make([]*TableSnapshot, len(v.tables))}
	for i, t := range v.tables {
		s.tables[i] = t.now
	}
	if v.counters != nil {
		s.era = v.counters.Era()
	}
	v.current.Store(s)
}

// A chain is the host of its list.

func (c *chainState) Lock()   { c.table.live.mu.Lock() }
func (c *chainState) Unlock() { c.table.live.mu.Unlock() }

// publish takes over the version of a list that has a new tree. The rules are what
// they were.
func (c *chainState) publish() {
	t, v := c.table, c.table.live
	if !t.is(c) || !slices.Contains(v.tables, t) {
		return
	}
	was := t.now
	c.weigh()
	t.refresh([]*chainState{c}, false)
	t.now.static, t.now.source = was.static, was.source
	v.publish(v.Snapshot().version)
}

// Snapshot returns the newest version of all tables, to be used as long as the
// caller likes. It costs one load.
func (v *LiveTables) Snapshot() *TablesSnapshot { return v.current.Load() }
