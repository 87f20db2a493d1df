package hipac

// Housekeeping of a list under edit. Edits leave rubbish in the arrays of the
// tree: now and then a commit copies its tables to new ones, in parts of a
// millisecond, or all of it, in some.
// The tree also drifts from what a build would make. A goroutine builds it anew
// from a version, which does not change, while edits go on; it makes them too, in
// the order in which they were committed, and puts its tree in place when it has
// caught up. Large trees are copied so, too. Readers wait for none of that.

import (
	"context"
	"sync"
	"time"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/order"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// pace is when there is housekeeping. Tests have it go on all the time.
type pace struct {
	// rubbish is what rubbish there may be, in bytes, although there is room.
	rubbish int64
	// spare is the room that a tree may keep in any case when edits have ended.
	spare int64
	// inline is the size up to which a commit copies a tree. A larger one is
	// copied in the background; when there is no room left before that is done,
	// its arrays grow, which takes a fifth of the time.
	inline int64
	// drift is the number of rules that may be edited in any case before the tree
	// is built anew, misfits that of rules with no place; see driftShare and
	// misfitShare.
	drift, misfits int
	// caughtUp is the number of edits that are made with the list locked.
	caughtUp int
	// When there were no edits for the time of idle, a tree that has much room is
	// copied without. If more than an idleShare of the rules have been edited, the
	// list is numbered and built anew instead: lookups find rules that came since
	// then, or moved, in twice the time of others.
	idle time.Duration
}

var usualPace = pace{rubbish: 1 << 62, spare: 1 << 16, inline: 16 << 20, drift: 1 << 12, misfits: 16, caughtUp: 32, idle: 250 * time.Millisecond}

const (
	// driftShare is the share of rules that may be edited before the tree is
	// built anew.
	driftShare = 2
	// misfitShare is the share of rules that may have no place in the tree: each
	// makes every lookup visit one more span.
	misfitShare = 256
	idleShare   = 64
	// renewShare is how many times as long as it took to build the list anew it is
	// not built again for having drifted alone: a core has that much else to do.
	renewShare = 20
)

// host is what owns lists under edit: its lock is held while they change.
type host interface {
	sync.Locker
	// publish makes the newest versions of all lists seen. The lock is held.
	publish()
}

// rebuild is a tree in the making: a copy, for which edits of the tree are kept
// from when it began, or with full a list numbered and built anew, for which
// edits of the list are.
type rebuild[T any] struct {
	full    bool
	room    tree.Room // of a copy
	changes []change[T]
	steps   []step[T]
}

// step is a change of a list: a rule that comes behind another one or, with 0, in
// front of all; one that goes; or one that takes the place of that of its
// identity.
type step[T any] struct {
	kind  stepKind
	m     *member[T]
	after rules.ID
}

type stepKind uint8

const (
	putStep stepKind = iota
	takeStep
	setStep
)

// tidy copies the tree to where there is room, when it is time to.
func (w *editList[T]) tidy() {
	if w.live == nil {
		return
	}
	all, tables := w.live.ed.Written()
	switch {
	case all <= w.pace.inline || w.host == nil:
		w.live.tidy()
	case tables <= w.pace.inline/8:
		if full, _ := w.live.ed.Full(); full {
			w.live.compactTables()
		}
	}
}

// tidy copies a tree that has little room.
func (t *liveTree[T]) tidy() {
	switch tables, rows := t.ed.Full(); {
	case rows || t.ed.Rubbish() > t.pace.rubbish:
		t.compact(tree.Ample)
	case tables:
		t.compactTables()
	}
}

// shed copies a tree that many edits were made in of which nobody has seen any.
func (t *liveTree[T]) shed() {
	if all, _ := t.ed.Written(); t.ed.Rubbish() > max(1<<18, all) {
		t.compact(tree.Ample)
	}
}

// improve begins work in the background when there is a need.
func (w *editList[T]) improve() {
	if w.live == nil || w.rebuild != nil || w.host == nil {
		return
	}
	all, _ := w.live.ed.Written()
	tables, rows := w.live.ed.Full()
	switch {
	case w.drifted():
		w.begin(true, tree.Ample)
	case all > w.pace.inline && (tables || rows || w.live.ed.Rubbish() > w.pace.rubbish):
		w.begin(false, tree.Ample)
	case !w.waiting && w.unsettled():
		w.waiting = true
		time.AfterFunc(w.pace.idle, w.idle)
	}
}

// begin begins a rebuild.
func (w *editList[T]) begin(full bool, room tree.Room) {
	r := &rebuild[T]{full: full, room: room}
	w.rebuild = r
	if full {
		go w.renew(r, w.now)
	} else {
		go w.copy(r, w.now)
	}
}

// unsettled reports whether it is worth tidying up when there are no more edits.
func (w *editList[T]) unsettled() bool {
	all, _ := w.live.ed.Written()
	return w.since > w.order.Len()/idleShare || w.live.ed.Spare()+w.live.ed.Rubbish() > max(w.pace.spare, all/3)
}

// idle tidies up if there were no edits for the time of pace.idle.
func (w *editList[T]) idle() {
	w.host.Lock()
	defer w.host.Unlock()
	switch {
	case w.live == nil || w.rebuild != nil || !w.unsettled():
		w.waiting = false
	case w.total != w.seen:
		w.seen = w.total
		time.AfterFunc(w.pace.idle, w.idle)
	default:
		w.waiting = false
		all, _ := w.live.ed.Written()
		if renew := w.since > w.order.Len()/idleShare; renew || all > w.pace.inline {
			w.begin(renew, tree.Tight)
			return
		}
		w.live.compact(tree.Tight)
		w.freeze()
		w.clear()
		w.host.publish()
	}
}

// drifted reports whether the tree is worth building anew.
func (w *editList[T]) drifted() bool {
	n := w.order.Len()
	return w.since > max(w.pace.drift, n/driftShare) && time.Now().After(w.renewed) || w.live.ed.Misfits > w.pace.misfits+n/misfitShare || w.live.ed.Crowded()
}

// abandon lets work in the background go, whose tree will not be wanted.
func (w *editList[T]) abandon() {
	w.rebuild = nil
}

// copy copies the tree of a version, and makes the edits since.
func (w *editList[T]) copy(r *rebuild[T], from *sequence[T]) {
	c, refs := tree.Copy(&from.tree, from.roots.list(), r.room)
	// Keys mean what they meant when an edit was made.
	edited := map[uint32]*member[T]{}
	t := newLiveTree(w.setting, built{c, rootsOf(refs)}, func(key uint32) *member[T] {
		if m := edited[key]; m != nil {
			return m
		}
		return from.member(key)
	})
	box := make([]lower.Span, w.schema.KeyLen())
	w.follow(r, func() (do func() error) {
		changes := r.changes
		r.changes = nil
		return func() error {
			for _, c := range changes {
				if c.insert {
					edited[c.key] = c.m
				}
				if err := t.apply(c, box); err != nil {
					return err
				}
			}
			return nil
		}
	}, t.shed, func(err error) {
		if err != nil { // asks for more than a tree can take
			w.since = w.order.Len() + w.pace.drift
			return
		}
		t.ed.Misfits = w.live.ed.Misfits
		t.ed.Succeed(w.live.ed)
		t.member = w.member
		w.live = t
		w.did.copiedAside.Add(1)
	})
}

// renew numbers a version anew and builds its tree, and makes the edits since.
func (w *editList[T]) renew(r *rebuild[T], from *sequence[T]) {
	began := time.Now()
	list := make([]*member[T], 0, from.order.Len())
	for _, m := range from.order.All() {
		list = append(list, m.asBasic())
	}
	n, err := w.number(context.Background(), list)
	if err == nil {
		n.follows = true
	}
	w.follow(r, func() (do func() error) {
		steps := r.steps
		r.steps = nil
		return func() error {
			if err != nil {
				return err
			}
			for i := range steps {
				if err := n.step(&steps[i]); err != nil {
					return err
				}
			}
			n.undo = n.undo[:0]
			return nil
		}
	}, func() {
		if n != nil && n.live != nil {
			n.live.shed()
		}
	}, func(err error) {
		w.renewed = time.Now().Add(renewShare * time.Since(began))
		if err != nil || n.stale { // memory, or an edit that the tree cannot take: perhaps later
			w.since = 0
			return
		}
		w.did.renewed.Add(1)
		was := w.live
		n.ids.next = max(n.ids.next, w.ids.next)
		w.order, w.basics, w.ids, w.live = n.order, n.basics, n.ids, n.live
		if w.live != nil {
			w.live.member = w.member
			if was != nil {
				w.live.ed.Succeed(was.ed)
			}
		}
		w.since = n.edits
	})
}

// step makes a change that another list has made.
func (w *editList[T]) step(s *step[T]) error {
	label, _ := w.ids.get(s.m.id())
	switch s.kind {
	case takeStep:
		w.take(label)
		return nil
	case setStep:
		w.set(label, s.m.moved())
		return nil
	}
	after := uint32(order.None)
	if s.after != 0 {
		after, _ = w.ids.get(s.after)
	}
	return w.put(after, s.m.moved())
}

// follow makes the edits that are committed meanwhile until few are left, makes
// those with the list locked, and has finish put the outcome in place. take is
// called with the list locked and returns what to do without; tidy is called
// between.
func (w *editList[T]) follow(r *rebuild[T], take func() func() error, tidy func(), finish func(error)) {
	var err error
	followed := false
	for {
		w.host.Lock()
		if w.rebuild != r {
			w.host.Unlock()
			return
		}
		left := max(len(r.changes), len(r.steps))
		followed = followed || left > 0
		do := take()
		if err == nil && left > w.pace.caughtUp {
			w.host.Unlock()
			if err = do(); err == nil {
				tidy()
			}
			continue
		}
		if err == nil {
			err = do()
		}
		w.rebuild = nil
		finish(err)
		w.freeze()
		w.clear()
		w.host.publish()
		if followed && err == nil { // else it would make room that idle has freed, or fail again
			w.improve()
		}
		w.host.Unlock()
		return
	}
}
