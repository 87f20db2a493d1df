package hipac

// The writer's side of a list under edit. A transaction edits the order and the
// tree as it goes; nothing of that is seen before commit, which freezes both as
// a sequence. Rollback forgets.
//
// An edit changes the tree by path copying (package tree). Where many edits come
// at once, or one asks for more than the tree can take, the tree is built anew at
// commit instead.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/order"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Errors of edits, for errors.Is. Limits are rules.ErrLimit and ErrMemoryLimit,
// a used identity is rules.ErrDuplicateID.
var (
	// ErrNoRule means that no rule has the identity.
	ErrNoRule = errors.New("no such rule")
	// ErrPosition means a position beyond the list.
	ErrPosition = errors.New("position out of range")
	// ErrDone means a transaction that was committed or rolled back before.
	ErrDone = errors.New("the transaction is over")
)

// editShare is the share of the rules beyond which the edits of one transaction
// cost more than building the tree anew, and editLeast the number of edits that
// are made one by one in any case.
const (
	editShare = 8
	editLeast = 64
)

// setting is what does not change in a list under edit.
type setting[T any] struct {
	schema   *rules.Schema
	frame    *lower.Frame
	families families
	fixed    []tree.Fixed // words of keys with IPv4 addresses
	family   int
	cfg      tree.Config
	pace     pace
	limit    int64         // of memory, for errors
	vector   bool          // batches by vectors, where there is a way
	lean     bool          // nobody asks for values by key
	counters *counters.Set // nil: off
	did      *doings

	passes func(r *rules.Rule[T]) bool            // the rule only counts; nil: those with Continue
	counts func(r *rules.Rule[T]) counters.Counts // what a new rule has counted; nil: nothing

	counter func(id rules.ID) uint32 // of rules that were there before; nil, or 0: they are new
}

func newSetting[T any](s *rules.Schema, family int, o *Options) *setting[T] {
	cfg := o.config(s, true)
	cfg.Live = true
	f := familiesOf(s)
	return &setting[T]{schema: s, frame: lower.NewFrame(s), families: f, fixed: f.fixed(), family: family, cfg: cfg, pace: usualPace, limit: o.MemoryLimit, vector: o.Batch == BatchAVX512, did: &doings{}}
}

// newMember lowers a rule.
func (s *setting[T]) newMember(r rules.Rule[T], box []lower.Span) *member[T] {
	m := &struct {
		member[T]
		r rules.Rule[T]
	}{r: r}
	s.fill(&m.member, &m.r, box)
	return &m.member
}

// fill makes the member of a rule, which it keeps.
func (s *setting[T]) fill(m *member[T], r *rules.Rule[T], box []lower.Span) {
	one := s.frame.Box(r.Conds, box)
	m.rule, m.need, m.inexact, m.possible = r, one.Need, one.Inexact, one.Possible
	if m.inexact && m.possible {
		code := s.frame.Code(r.Conds)
		m.code = &code
	}
	if m.pass = r.Continue; s.passes != nil {
		m.pass = s.passes(m.rule)
	}
}

// count gives a member its counter.
func (s *setting[T]) count(m *member[T]) {
	if s.counter != nil {
		if m.counter = s.counter(m.rule.ID); m.counter != 0 {
			return
		}
	}
	m.counter = s.counters.New()
	if s.counts != nil {
		s.counters.Add(m.counter, s.counts(m.rule))
	}
}

// uncount gives back the counters of new rules.
func (s *setting[T]) uncount(list []*member[T]) {
	if s.counters == nil {
		return
	}
	for _, m := range list {
		if s.counter == nil || s.counter(m.rule.ID) == 0 {
			s.counters.Free(m.counter)
		}
	}
}

// editList is a list under edit. It is for one goroutine at a time.
type editList[T any] struct {
	*setting[T]
	host host         // nil: nothing goes on in the background
	now  *sequence[T] // the newest version
	ids  identities
	box  []lower.Span // see scratch

	order  *order.Editor[member[T]]
	basics *basics[T]
	live   *liveTree[T] // nil for few rules

	// The transaction under way.
	edits   int
	stale   bool                // the tree is built anew at commit
	rebuilt bool                // it was
	undo    []undo              // of identities
	had     *hadIDs             // nil: the same, but for undo
	changes []change[T]         // of the tree, while it is being copied
	steps   []step[T]           // while it is being built
	next    rules.ID            // of ids, before
	avoid   func(rules.ID) bool // identities that new rules do not get; nil: all they may
	taken   []uint32            // counters
	freed   []uint32

	was     *liveTree[T] // before
	since   int          // edits since the tree was built
	renewed time.Time    // when it may be for that alone
	follows bool         // makes the edits of another list
	rebuild *rebuild[T]  // under way in the background
	waiting bool         // for edits to end; see idle
	total   int          // edits
	seen    int          // of them, when idle looked last
}

// scratch returns memory for the words of a key. Most of many chains are never
// edited, and have none.
func (w *editList[T]) scratch() []lower.Span {
	if w.box == nil {
		w.box = make([]lower.Span, w.schema.KeyLen())
	}
	return w.box
}

// sameConds reports whether two rules ask for the same.
func sameConds(a, b []rules.Cond) bool {
	return slices.EqualFunc(a, b, func(x, y rules.Cond) bool { return x.Equal(&y) })
}

// undo takes back a change of identities.
type undo struct {
	id    rules.ID
	label uint32
	had   bool
}

// newEditList returns a list under edit of the rules of l.
func newEditList[T any](ctx context.Context, set *setting[T], l *rules.List[T]) (*editList[T], error) {
	box := make([]lower.Span, set.schema.KeyLen())
	all := make([]member[T], l.Len())
	list := make([]*member[T], l.Len())
	for i, r := range l.All() {
		set.fill(&all[i], r, box)
		if set.counters != nil {
			set.count(&all[i])
		}
		all[i].basic = true
		list[i] = &all[i]
	}
	w, err := set.number(ctx, list)
	if err != nil {
		set.uncount(list)
		return nil, err
	}
	w.freeze()
	w.clear()
	return w, nil
}

// number returns a list under edit of basic members, without a version.
func (s *setting[T]) number(ctx context.Context, list []*member[T]) (*editList[T], error) {
	w, err := s.arrange(list)
	if err != nil {
		return nil, err
	}
	if len(list) > fewRules {
		t, err := s.build(ctx, w.order.All(), w.order.Len())
		if err != nil {
			return nil, err
		}
		w.live = newLiveTree(s, t, w.member)
	}
	return w, nil
}

// arrange is number without the tree.
func (s *setting[T]) arrange(list []*member[T]) (*editList[T], error) {
	w := &editList[T]{setting: s}
	m, labels := order.Spread(list)
	if m == nil {
		return nil, fmt.Errorf("%w: %d", ErrTooManyRules, len(list))
	}
	w.basics = newBasics(list, labels, !w.lean)
	for i, m := range list {
		w.ids.set(m.id(), labels[i])
	}
	w.order = m.Edit()
	return w, nil
}

// adopt takes the numbers of another list of the same rules, or of those that
// the transaction puts in their place.
func (w *editList[T]) adopt(n *editList[T]) {
	if w.had == nil {
		w.had = &hadIDs{w.ids, len(w.undo)}
	}
	n.ids.next = max(n.ids.next, w.ids.next)
	w.order, w.basics, w.ids = n.order, n.basics, n.ids
}

// hadIDs are the identities before others were adopted, when so many changes
// could be undone.
type hadIDs struct {
	identities
	undo int
}

// member returns the rule of a key in the tree as the transaction has it.
func (w *editList[T]) member(key uint32) *member[T] { return w.order.Get(key >> 1) }

// freeze makes a version of what is there.
func (w *editList[T]) freeze() {
	s := &sequence[T]{schema: w.schema, families: w.families, basics: w.basics, order: w.order.Freeze()}
	if w.live == nil {
		s.short = true
		for _, m := range s.order.All() {
			s.few = append(s.few, m)
		}
	} else {
		s.roots = w.live.roots
		s.tree = *w.live.ed.Tree((*asker[T])(s))
		s.plain = s.tree.Plain()
		s.vector = w.vector && s.tree.Vector(w.schema.KeyLen())
	}
	w.now = s
}

// label returns the label of a rule.
func (w *editList[T]) label(id rules.ID) (uint32, error) {
	l, ok := w.ids.get(id)
	if !ok {
		return 0, fmt.Errorf("%w: %d", ErrNoRule, id)
	}
	return l, nil
}

// setID notes where the rule of an identity is.
func (w *editList[T]) setID(id rules.ID, label uint32) {
	was, had := w.ids.get(id)
	w.undo = append(w.undo, undo{id, was, had})
	w.ids.set(id, label)
}

// known returns the identities of all rules that there are or, in the transaction
// under way, were.
func (w *editList[T]) known() map[rules.ID]bool {
	all := make(map[rules.ID]bool, w.order.Len())
	for _, m := range w.order.All() {
		all[m.id()] = true
	}
	for _, u := range w.undo {
		if u.had {
			all[u.id] = true
		}
	}
	return all
}

func (w *editList[T]) dropID(id rules.ID) {
	was, had := w.ids.get(id)
	w.undo = append(w.undo, undo{id, was, had})
	w.ids.delete(id)
}

// insert adds a rule behind the one of a label, or in front of all with
// order.None, and returns its identity. The conditions are kept.
func (w *editList[T]) insert(after uint32, r rules.Rule[T]) (rules.ID, error) {
	if err := r.Check(w.schema); err != nil {
		return 0, err
	}
	if r.ID == 0 {
		r.ID = w.ids.free(w.avoid)
	} else if _, used := w.ids.get(r.ID); used {
		return 0, fmt.Errorf("%w: %d", rules.ErrDuplicateID, r.ID)
	}
	m := w.newMember(r, w.scratch())
	if w.counters != nil {
		w.count(m)
		w.taken = append(w.taken, m.counter)
	}
	return r.ID, w.put(after, m)
}

// put places a member that is not basic behind a label.
func (w *editList[T]) put(after uint32, m *member[T]) error {
	if w.rebuild != nil && w.rebuild.full {
		var id rules.ID
		if after != order.None {
			id = w.order.Get(after).id()
		}
		w.steps = append(w.steps, step[T]{putStep, m, id})
	}
	label, ok := w.room(after)
	if !ok {
		for _, mv := range w.order.Relabel(after) {
			w.relabel(mv)
			if mv.From == after {
				after = mv.To
			}
		}
		if label, ok = w.room(after); !ok {
			return fmt.Errorf("%w: %d", ErrTooManyRules, w.order.Len())
		}
	}
	w.order.Insert(label, m)
	w.setID(m.id(), label)
	w.grow(label, m)
	return nil
}

// room returns a free label behind another. Keys of deleted rules that buckets
// still have are passed over where there is another one.
func (w *editList[T]) room(after uint32) (uint32, bool) {
	label, ok := w.order.Room(after)
	if !ok || w.live == nil || !w.live.ed.Dead(label<<1) {
		return label, ok
	}
	end := uint32(order.Labels)
	if next, _, ok := w.order.Next(label); ok {
		end = next
	}
	for l := label + 1; l < min(end, label+1<<10); l++ {
		if !w.live.ed.Dead(l << 1) {
			return l, true
		}
	}
	return label, true
}

// moved returns the member for another place.
func (m *member[T]) moved() *member[T] {
	if !m.basic {
		return m
	}
	n := *m
	n.basic = false
	return &n
}

// asBasic returns the member for a place among the basics.
func (m *member[T]) asBasic() *member[T] {
	if m.basic {
		return m
	}
	b := *m
	b.basic = true
	return &b
}

// relabel gives a rule another label.
func (w *editList[T]) relabel(mv order.Move) {
	m := w.order.Get(mv.From)
	w.shrink(mv.From, m)
	w.order.Move(mv)
	if m.basic {
		m = m.moved()
		w.order.Set(mv.To, m)
	}
	w.setID(m.id(), mv.To)
	w.grow(mv.To, m)
}

// take removes the rule of a label.
func (w *editList[T]) take(label uint32) *member[T] {
	m := w.order.Get(label)
	w.shrink(label, m)
	w.order.Remove(label)
	w.dropID(m.id())
	if w.rebuild != nil && w.rebuild.full {
		w.steps = append(w.steps, step[T]{takeStep, m, m.id()})
	}
	return m
}

// delete removes a rule for good.
func (w *editList[T]) delete(label uint32) {
	if m := w.take(label); w.counters != nil {
		w.freed = append(w.freed, m.counter)
	}
}

// replace puts another rule in place of the one of a label, which keeps its
// identity.
func (w *editList[T]) replace(label uint32, r rules.Rule[T]) error {
	if err := r.Check(w.schema); err != nil {
		return err
	}
	was := w.order.Get(label)
	r.ID = was.id()
	m := w.newMember(r, w.scratch())
	m.counter = was.counter
	w.set(label, m)
	return nil
}

// set puts a member in the place of another.
func (w *editList[T]) set(label uint32, m *member[T]) {
	if w.rebuild != nil && w.rebuild.full {
		w.steps = append(w.steps, step[T]{setStep, m, m.id()})
	}
	was := w.order.Get(label)
	if !was.basic && m.pass == was.pass && sameConds(m.rule.Conds, was.rule.Conds) {
		w.edits++
		w.order.Set(label, m)
		return
	}
	w.shrink(label, was)
	w.order.Set(label, m)
	w.grow(label, m)
}

// grow adds a rule that the order has to the tree.
func (w *editList[T]) grow(label uint32, m *member[T]) { w.change(change[T]{m.key(label), m, true}) }

// shrink takes a rule that the order still has out of the tree.
func (w *editList[T]) shrink(label uint32, m *member[T]) { w.change(change[T]{m.key(label), m, false}) }

func (w *editList[T]) change(c change[T]) {
	w.edits++
	if w.many(w.edits) {
		w.stale = true
	}
	if w.stale || w.live == nil {
		return
	}
	if w.rebuild != nil && !w.rebuild.full {
		w.changes = append(w.changes, c)
	}
	if w.live.apply(c, w.scratch()) != nil { // at commit, which says what is wrong if that is no way out
		w.stale = true
	}
}

// many reports whether so many edits cost more than building the tree anew.
func (w *editList[T]) many(edits int) bool {
	return !w.follows && edits > max(editLeast, w.order.Len()/editShare)
}

// flush removes all rules.
func (w *editList[T]) flush() {
	for _, m := range w.order.All() {
		w.dropID(m.id())
		if w.counters != nil {
			w.freed = append(w.freed, m.counter)
		}
	}
	w.edits += w.order.Len()
	w.order = (&order.Map[member[T]]{}).Edit()
	w.stale = true
}

// prepare makes all ready for a commit, which cannot fail then.
func (w *editList[T]) prepare(ctx context.Context) error {
	if w.edits == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.host == nil && w.live != nil && w.drifted() {
		w.stale = true
	}
	n := w.order.Len()
	switch {
	case n <= fewRules/2 || n <= fewRules && (w.live == nil || w.stale):
		w.few()
	case w.stale || w.live == nil:
		list := make([]*member[T], 0, n)
		for _, m := range w.order.All() {
			list = append(list, m.asBasic())
		}
		numbered, err := w.number(ctx, list)
		if err != nil {
			return err
		}
		w.adopt(numbered)
		w.live = numbered.live
		w.live.member = w.member
		w.rebuilt = true
		w.abandon()
	}
	return nil
}

// few makes the list one of few rules, without a tree and basics.
func (w *editList[T]) few() {
	w.live = nil
	w.abandon()
	if len(w.basics.needs) == 0 {
		return
	}
	w.basics = &basics[T]{}
	var list []*member[T]
	for _, m := range w.order.All() {
		list = append(list, m.moved())
	}
	m, labels := order.Spread(list)
	w.order = m.Edit()
	for i, m := range list {
		w.setID(m.id(), labels[i])
	}
}

// commit makes the transaction the newest version.
func (w *editList[T]) commit() {
	if w.edits == 0 {
		return
	}
	if w.since += w.edits; w.rebuilt {
		w.since = 0
	}
	w.total += w.edits
	w.note()
	if w.rebuild != nil {
		w.rebuild.changes = append(w.rebuild.changes, w.changes...)
		w.rebuild.steps = append(w.rebuild.steps, w.steps...)
	}
	for _, n := range w.freed {
		w.counters.Free(n)
	}
	w.tidy()
	w.freeze()
	w.clear()
	w.improve()
}

// rollback forgets the transaction.
func (w *editList[T]) rollback() {
	if w.edits == 0 {
		return
	}
	if w.had != nil {
		w.ids, w.undo = w.had.identities, w.undo[:w.had.undo]
	}
	for i := len(w.undo) - 1; i >= 0; i-- {
		if u := w.undo[i]; u.had {
			w.ids.set(u.id, u.label)
		} else {
			w.ids.delete(u.id)
		}
	}
	w.ids.next = w.next
	w.order, w.basics = w.now.order.Edit(), w.now.basics
	if w.live = w.was; w.live != nil {
		w.live.ed.Undo()
		w.live.roots = w.live.committed
	}
	for _, n := range w.taken {
		w.counters.Free(n)
	}
	w.clear()
}

// clear gets ready for the next transaction.
func (w *editList[T]) clear() {
	w.edits, w.stale, w.rebuilt, w.next, w.was, w.had = 0, false, false, w.ids.next, w.live, nil
	if w.live != nil {
		w.live.committed = w.live.roots
	}
	clear(w.changes)
	clear(w.steps)
	w.undo, w.changes, w.steps, w.taken, w.freed = w.undo[:0], w.changes[:0], w.steps[:0], w.taken[:0], w.freed[:0]
	if cap(w.undo) > 1<<12 {
		w.undo, w.changes, w.steps = nil, nil, nil
	}
}

// size returns the memory of the structure as the transaction has it.
func (w *editList[T]) size() int64 {
	n := w.order.Bytes() + w.basics.bytes()
	if w.live != nil {
		n += w.live.ed.Bytes()
	}
	return n
}

// ruleAt returns the rule at a position as the transaction has it.
func (w *editList[T]) ruleAt(position int) *rules.Rule[T] {
	_, m := w.order.At(position)
	return m.rule
}
