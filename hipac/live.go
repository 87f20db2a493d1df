package hipac

// A list of rules that is edited while lookups go on.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// LiveOptions are those of a live list and of live tables. A nil *LiveOptions is
// the zero LiveOptions.
type LiveOptions struct {
	// MemoryLimit bounds the bytes of a tree, with what edits leave behind until
	// it is copied; an edit or a build that would exceed it fails with
	// ErrMemoryLimit. The arrays may have room for later edits besides, of up to
	// the same size. Of tables it bounds those of all chains together too, when a
	// transaction commits. 0 means DefaultMemoryLimit.
	MemoryLimit int64

	// LeafRows and Replication are those of Options.
	LeafRows    int
	Replication float64

	// Batch is the way to run LookupBatch, as of Options.
	Batch Batch

	// Limits bound the rules and, by MaxMemory, the memory that they take besides;
	// of tables, the number of chains, MaxDepth and MaxWalk too, and a chain counts
	// for 1 KiB of MaxMemory. MaxLine, MaxInput and MaxElements are for readers of
	// files. A transaction that would exceed one fails with rules.ErrLimit. Zero
	// fields mean rules.DefaultLimits.
	Limits rules.Limits

	// Counters counts packets and bytes by rule; see Reader.
	Counters bool

	// NoBackground has edits do what otherwise goes on in the background: now and
	// then one takes as long as a build, and room for edits stays when there are no
	// more. It is for tests, and for programs that must not use a second core.
	NoBackground bool
}

func (o *LiveOptions) orDefault() (LiveOptions, Options, error) {
	var out LiveOptions
	if o != nil {
		out = *o
	}
	out.Limits = out.Limits.OrDefault()
	build, err := (&Options{MemoryLimit: out.MemoryLimit, LeafRows: out.LeafRows, Replication: out.Replication, Batch: out.Batch, Workers: 1}).orDefault()
	return out, build, err
}

// Live is a list of rules that is edited while lookups go on. T is the type of
// the caller's own value of a rule.
//
// Methods that look up may be called by any number of goroutines at any time.
// They take the newest version by loading one pointer, and never lock, wait or
// allocate. Methods that edit take turns: a transaction has the list to itself
// from Begin to Commit or Rollback. A version is seen whole or not at all, and is
// what it is for as long as somebody holds it (Snapshot); its memory goes with
// the last who does, when the garbage collector finds out.
//
// A rule is known by its identity (rules.ID), whatever happens to others. An edit
// in a list of 100,000 rules takes some microseconds, wherever it is. Besides,
// the structure is copied or built anew now and then in a goroutine of its own,
// which ends by itself; there is nothing to close.
type Live[T any] struct {
	current atomic.Pointer[Snapshot[T]]
	binder  *packet.Binder

	mu     sync.Mutex
	list   *editList[T]
	limits rules.Limits
	bytes  int64 // of the rules
}

// NewLive returns a live list of the rules of l, which is not changed. It takes
// the time and memory of a Build; errors are those, and rules.ErrLimit.
func NewLive[T any](ctx context.Context, l *rules.List[T], opts *LiveOptions) (*Live[T], error) {
	o, build, err := opts.orDefault()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, errors.New("no list of rules")
	}
	v := &Live[T]{limits: o.Limits, binder: packet.NewBinder(l.Schema())}
	set := newSetting[T](l.Schema(), 0, &build)
	if o.Counters {
		set.counters = counters.NewSet(counters.Options{})
	}
	for _, r := range l.All() {
		v.bytes += r.Bytes()
	}
	if err := checkLimits(o.Limits, l.Len(), v.bytes); err != nil {
		return nil, err
	}
	if v.list, err = newEditList(ctx, set, l); err != nil {
		return nil, err
	}
	if !o.NoBackground {
		v.list.host = (*liveHost[T])(v)
	}
	v.publish(0)
	return v, nil
}

func checkLimits(l rules.Limits, n int, bytes int64) error {
	switch {
	case n > min(l.MaxRules, maxRules):
		return fmt.Errorf("%w: %d rules, at most %d", rules.ErrLimit, n, min(l.MaxRules, maxRules))
	case bytes > l.MaxMemory:
		return fmt.Errorf("%w: the rules take %d bytes of memory, at most %d", rules.ErrLimit, bytes, l.MaxMemory)
	}
	return nil
}

// publish makes the newest version of the list seen.
func (v *Live[T]) publish(version uint64) {
	s := &Snapshot[T]{sequence: *v.list.now, version: version, words: v.list.schema.KeyLen(), binder: v.binder}
	if c := v.list.counters; c != nil {
		s.era = c.Era()
	}
	v.current.Store(s)
}

// liveHost is a Live as the host of its list.
type liveHost[T any] Live[T]

func (h *liveHost[T]) Lock()    { h.mu.Lock() }
func (h *liveHost[T]) Unlock()  { h.mu.Unlock() }
func (h *liveHost[T]) publish() { v := (*Live[T])(h); v.publish(v.Snapshot().version) }

// Snapshot returns the newest version, to be looked up as long as the caller
// likes. It costs one load.
func (v *Live[T]) Snapshot() *Snapshot[T] { return v.current.Load() }

// Schema returns the schema of the rules and keys.
func (v *Live[T]) Schema() *rules.Schema { return v.list.schema }

// Lookup is Snapshot.Lookup on the newest version.
func (v *Live[T]) Lookup(k rules.Key) (Match[T], bool) { return v.current.Load().Lookup(k) }

// LookupTuple is Snapshot.LookupTuple on the newest version.
func (v *Live[T]) LookupTuple(t rules.Tuple) (Match[T], bool) { return v.current.Load().LookupTuple(t) }

// LookupPacket is Snapshot.LookupPacket on the newest version.
func (v *Live[T]) LookupPacket(p *packet.Packet) (Match[T], bool) {
	return v.current.Load().LookupPacket(p)
}

// LookupBatch is Snapshot.LookupBatch on the newest version.
func (v *Live[T]) LookupBatch(keys []uint32, ids []rules.ID) int {
	return v.current.Load().LookupBatch(keys, ids)
}

// Snapshot is a version of a live list. It is immutable and safe for any number
// of goroutines.
type Snapshot[T any] struct {
	words int
	sequence[T]
	binder  *packet.Binder
	version uint64
	era     *counters.Era // keeps counters from being given to other rules
}

// Version returns the number of transactions that had changed the list.
func (s *Snapshot[T]) Version() uint64 { return s.version }

// Schema returns the schema of the rules and keys.
func (s *Snapshot[T]) Schema() *rules.Schema { return s.schema }

// Len returns the number of rules.
func (s *Snapshot[T]) Len() int { return s.order.Len() }

// Bytes returns the memory of the structure: the tree with what edits have left
// in it, and the order of the rules; not the rules themselves.
func (s *Snapshot[T]) Bytes() int64 { return s.bytes() }

// Lookup returns the first terminal rule that matches the key, and false when
// none does. A key of the wrong length matches nothing. The Position of the match
// is -1: rules know their place only when asked (see Locate).
func (s *Snapshot[T]) Lookup(k rules.Key) (Match[T], bool) {
	if len(k) != s.words {
		return Match[T]{}, false
	}
	if s.short {
		if m, _ := s.firstOfFew(k); m != nil {
			return m.match(), true
		}
		return Match[T]{}, false
	}
	key := s.firstKey(k)
	if key == tree.NoMatch {
		return Match[T]{}, false
	}
	return s.match(key), true
}

// LookupTuple looks up a 5-tuple, as Classifier.LookupTuple does.
func (s *Snapshot[T]) LookupTuple(t rules.Tuple) (Match[T], bool) {
	var buf [shortKey]uint32
	if s.words <= shortKey {
		k := buf[:s.words]
		if !s.schema.SetTuple(k, t) {
			return Match[T]{}, false
		}
		return s.Lookup(k)
	}
	var long [rules.MaxKeyWords]uint32
	k := long[:s.words]
	if !s.schema.SetTuple(k, t) {
		return Match[T]{}, false
	}
	return s.Lookup(k)
}

// LookupBatch looks up many keys at once, all in this version: keys holds them
// back to back, each of Schema().KeyLen() words, and ids[i] becomes the identity
// of the first rule that matches key i, or 0. It looks up as many keys as both
// slices hold and returns their number.
func (s *Snapshot[T]) LookupBatch(keys []uint32, ids []rules.ID) int {
	n := min(len(keys)/s.words, len(ids))
	if !s.vector {
		for i := range n {
			m, _ := s.Lookup(keys[i*s.words : (i+1)*s.words])
			ids[i] = m.ID
		}
		return n
	}
	var buf [tree.BatchSize]tree.Ref
	var found [tree.BatchSize]int32
	roots := append(buf[:0], s.roots.decide.general)
	for at := 0; at < n; at += tree.BatchSize {
		m := min(n-at, tree.BatchSize)
		part := keys[at*s.words : (at+m)*s.words]
		if len(s.families) > 0 {
			roots = buf[:m]
			for i := range roots {
				roots[i] = s.root(&s.roots.decide, part[i*s.words:(i+1)*s.words])
			}
		}
		s.tree.FirstBatch(part, s.words, roots, found[:m], true)
		for i, key := range found[:m] {
			ids[at+i] = 0
			if key >= 0 {
				ids[at+i] = s.id(uint32(key))
			}
		}
	}
	return n
}

// LookupAll appends the rules that match the key to dst, terminal or not, in
// order, and returns it; with most > 0 only the first most of them. It allocates
// only to grow dst, or when more than 64 rules match.
func (s *Snapshot[T]) LookupAll(k rules.Key, dst []Match[T], most int) []Match[T] {
	if len(k) != s.words {
		return dst
	}
	from := len(dst)
	s.matches(k, func(m *member[T]) bool {
		dst = append(dst, m.match())
		return most <= 0 || len(dst)-from < most
	})
	return dst
}

// Executed appends the rules executed for the key to dst, in order: every
// matching Continue rule up to the first terminal match, and that one.
func (s *Snapshot[T]) Executed(k rules.Key, dst []Match[T]) []Match[T] {
	if len(k) != s.words {
		return dst
	}
	s.matches(k, func(m *member[T]) bool {
		dst = append(dst, m.match())
		return m.rule.Continue
	})
	return dst
}

// At returns the rule at a position, 0 <= position < Len(), in about a
// microsecond. It must not be changed.
func (s *Snapshot[T]) At(position int) *rules.Rule[T] {
	_, m := s.order.At(position)
	if m == nil {
		panic(fmt.Sprintf("hipac: no rule at position %d of %d", position, s.Len()))
	}
	return m.rule
}

// Rules iterates over all rules in order. They must not be changed.
func (s *Snapshot[T]) Rules() iter.Seq2[int, *rules.Rule[T]] {
	return func(yield func(int, *rules.Rule[T]) bool) {
		i := 0
		for _, m := range s.order.All() {
			if !yield(i, m.rule) {
				return
			}
			i++
		}
	}
}

// List returns the rules as a list, in time and memory linear in their number.
func (s *Snapshot[T]) List() *rules.List[T] {
	return s.list()
}

func (s *sequence[T]) list() *rules.List[T] {
	b := rules.NewBuilder[T](s.schema)
	b.SetLimits(rules.Limits{MaxRules: maxRules, MaxMemory: 1 << 62})
	b.Own()
	b.Grow(s.order.Len())
	for _, m := range s.order.All() {
		if _, err := b.Add(*m.rule); err != nil {
			panic("hipac: a rule of a live list: " + err.Error()) // was checked when it came
		}
	}
	return b.List()
}

// Change is what a transaction comes to.
type Change struct {
	Inserted, Deleted, Replaced, Moved int
	// Rules is the number of rules after it.
	Rules int
	// Bytes is by how many bytes the memory of the structure and of the rules
	// grows, until the structure is copied the next time; less than 0 where it
	// shrinks. With Rebuild it is not known for the structure.
	Bytes int64
	// Rebuild says that the structure is built anew: for many edits at once.
	Rebuild bool
}
