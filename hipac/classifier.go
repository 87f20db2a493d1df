package hipac

// The classifier of one list of rules.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/hipac/internal/index"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// Classifier finds the first of a list of rules that matches a packet, in a
// time nearly independent of the number of rules. T is the type of the
// caller's own value of a rule.
//
// A Classifier is immutable and safe for any number of goroutines; lookups of
// the first match take no lock and allocate nothing. Make one with Build.
type Classifier[T any] struct {
	schema   *rules.Schema
	words    int  // of a key
	plain    bool // the tree is a plain one
	vector   bool // LookupBatch has a vector path
	binder   *packet.Binder
	families families
	tree     *tree.Tree
	decide   roots        // the terminal rules
	index    *index.Index // in place of tree
	rules    info[T]
	never    []uint32 // rules that can never match, ascending
	stats    Stats
	drawn    []uint32 // packets drawn from the list, for Stats, when it is not kept

	allOnce sync.Once
	all     atomic.Pointer[allMatches]
	list    *rules.List[T] // nil with AllMatches and FirstMatchOnly
	opts    Options

	lazy  *lazyList[T] // in place of list, of a loaded classifier
	unmap func() error // of one whose file is mapped
}

// info is what is known of rules by position.
type info[T any] struct {
	n       int
	ids     []rules.ID // nil when rule i has identity i+1
	values  []T
	passing []uint32           // positions of rules that continue, ascending
	unknown map[int32]struct{} // nil when there are none
}

// Match is a rule that matched.
type Match[T any] struct {
	// ID is the rule's identity.
	ID rules.ID
	// Position is the rule's place in the list, from 0.
	Position int
	// Value is the rule's value.
	Value T
	// Unknown is true when the rule asks for something that is not modelled,
	// so that nobody can say whether it matches (see rules.Rule.Unknown). When
	// Lookup returns it, no earlier terminal rule matches.
	Unknown bool
}

// Build compiles a list of rules. Equal lists give equal structures. It takes
// O(n log n) time for common sets of n rules (under 0.1 s of one core for
// 100,000, see Options.Workers) and fails when the context ends, with ErrMemoryLimit, or ErrTooManyRules.
// The list is not changed and may be used on.
func Build[T any](ctx context.Context, l *rules.List[T], opts *Options) (*Classifier[T], error) {
	o, err := opts.orDefault()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, errors.New("no list of rules")
	}
	if l.Len() > maxRules {
		return nil, fmt.Errorf("%w: %d", ErrTooManyRules, l.Len())
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &Classifier[T]{schema: l.Schema(), words: l.Schema().KeyLen(), binder: packet.NewBinder(l.Schema()), families: familiesOf(l.Schema()), rules: infoOf(l), list: l, opts: o}
	conds := func(i int) []rules.Cond { return l.At(i).Conds }
	boxes, err := lower.Lower(ctx, c.schema, lower.Source{
		Len:   l.Len(),
		Conds: conds,
		Skip:  func(i int) bool { return l.At(i).Continue },
	}, o.MemoryLimit)
	if err != nil {
		return nil, buildError(err, o.MemoryLimit)
	}
	c.stats.addList(l.Len(), c.schema, boxes)
	c.never = boxes.Never
	if o.Engine == Index {
		if c.index, err = index.Build(ctx, c.schema, l.Len(), conds, o.MemoryLimit); err != nil {
			return nil, buildError(err, o.MemoryLimit)
		}
		return c, nil
	}
	b := tree.NewBuilder(ctx, o.config(l.Schema(), false))
	b.Grow(boxes, 0)
	if c.decide, err = c.families.build(b, boxes, 0); err != nil {
		return nil, buildError(err, o.MemoryLimit)
	}
	c.tree = b.Tree()
	c.plain = c.tree.Plain()
	c.vector = o.Batch == BatchAVX512 && c.tree.Vector(c.words) && !c.tree.Inexact()
	if o.AllMatches {
		a, err := buildAll(ctx, l, c.families, o)
		if err != nil {
			return nil, buildError(err, o.MemoryLimit)
		}
		c.all.Store(a)
	}
	if o.AllMatches || o.FirstMatchOnly {
		c.drawn = drawPackets(l, 0, maxDrawn)
		c.list = nil
		c.allOnce.Do(func() {})
	}
	return c, nil
}

func infoOf[T any](l *rules.List[T]) info[T] {
	in := info[T]{n: l.Len(), values: make([]T, l.Len())}
	if !l.SequentialIDs() {
		in.ids = make([]rules.ID, l.Len())
	}
	for i, r := range l.All() {
		in.values[i] = r.Value
		if in.ids != nil {
			in.ids[i] = r.ID
		}
		if r.Continue {
			in.passing = append(in.passing, uint32(i))
		}
		if r.Unknown != "" {
			if in.unknown == nil {
				in.unknown = map[int32]struct{}{}
			}
			in.unknown[int32(i)] = struct{}{}
		}
	}
	return in
}

// Schema returns the schema of the rules and keys.
func (c *Classifier[T]) Schema() *rules.Schema { return c.schema }

// Len returns the number of rules.
func (c *Classifier[T]) Len() int { return c.rules.n }

// At returns the rule at position i, 0 <= i < Len(), as if it had matched.
func (c *Classifier[T]) At(i int) Match[T] {
	m := Match[T]{ID: rules.ID(i + 1), Position: i, Value: c.rules.values[i]}
	if c.rules.ids != nil {
		m.ID = c.rules.ids[i]
	}
	if c.rules.unknown != nil {
		_, m.Unknown = c.rules.unknown[int32(i)]
	}
	return m
}

// Rules iterates over all rules in order.
func (c *Classifier[T]) Rules() iter.Seq[Match[T]] {
	return func(yield func(Match[T]) bool) {
		for i := range c.rules.n {
			if !yield(c.At(i)) {
				return
			}
		}
	}
}

// Lookup returns the first terminal rule that matches the key, and false when
// none does. A key of the wrong length matches nothing.
func (c *Classifier[T]) Lookup(k rules.Key) (Match[T], bool) {
	var rank uint32
	if c.plain && len(k) == tree.PlainKey {
		rank = c.tree.FirstPlain(c.decide.general, (*[tree.PlainKey]uint32)(k))
	} else {
		rank = c.rank(k)
	}
	if rank == tree.NoMatch {
		return Match[T]{}, false
	}
	return c.At(int(rank)), true
}

// Position is Lookup for callers who only want the rule's position.
func (c *Classifier[T]) Position(k rules.Key) (int, bool) {
	var rank uint32
	if c.plain && len(k) == tree.PlainKey {
		rank = c.tree.FirstPlain(c.decide.general, (*[tree.PlainKey]uint32)(k))
	} else {
		rank = c.rank(k)
	}
	if rank == tree.NoMatch {
		return 0, false
	}
	return int(rank), true
}

// rank returns the position of the first terminal rule that matches the key,
// or tree.NoMatch.
func (c *Classifier[T]) rank(k rules.Key) uint32 {
	if len(k) != c.words {
		return tree.NoMatch
	}
	if c.tree == nil {
		i, ok := c.index.First(k, func(i uint32) bool { return !c.list.At(int(i)).Continue })
		if !ok {
			return tree.NoMatch
		}
		return i
	}
	return c.tree.First(c.root(k), k)
}

// root returns the root for a key.
func (c *Classifier[T]) root(k rules.Key) tree.Ref {
	if len(c.families) == 0 {
		return c.decide.general
	}
	return c.decide.rootFor(c.families, k)
}

// shortKey is the length of keys for which a lookup clears little memory.
const shortKey = 16

// LookupTuple looks up a 5-tuple. It is for schemas with fields named src,
// dst, sport, dport and proto; a tuple whose addresses the schema cannot hold
// matches nothing.
func (c *Classifier[T]) LookupTuple(t rules.Tuple) (Match[T], bool) {
	if n := c.schema.KeyLen(); n <= shortKey {
		var buf [shortKey]uint32
		return c.lookupTuple(t, buf[:n])
	}
	var buf [rules.MaxKeyWords]uint32
	return c.lookupTuple(t, buf[:c.schema.KeyLen()])
}

func (c *Classifier[T]) lookupTuple(t rules.Tuple, k rules.Key) (Match[T], bool) {
	if !c.schema.SetTuple(k, t) {
		return Match[T]{}, false
	}
	return c.Lookup(k)
}

// LookupBatch looks up many keys at once: keys holds them back to back, each
// of Schema().KeyLen() words, and positions[i] becomes the position of the
// first rule that matches key i, or -1. At gives the rule of a position. It
// looks up as many keys as both slices hold and returns their number.
func (c *Classifier[T]) LookupBatch(keys []uint32, positions []int32) int {
	w := c.words
	n := min(len(keys)/w, len(positions))
	if !c.vector {
		for i := range n {
			positions[i] = int32(c.rank(keys[i*w : i*w+w])) // tree.NoMatch is -1
		}
		return n
	}
	var buf [tree.BatchSize]tree.Ref
	roots := append(buf[:0], c.decide.general)
	for at := 0; at < n; at += tree.BatchSize {
		m := min(n-at, tree.BatchSize)
		part := keys[at*w : (at+m)*w]
		if len(c.families) > 0 {
			roots = buf[:m]
			for i := range roots {
				roots[i] = c.decide.rootFor(c.families, part[i*w:i*w+w])
			}
		}
		c.tree.FirstBatch(part, w, roots, positions[at:at+m], true)
	}
	return n
}

// allMatches is the structure behind LookupAll: every rule, hidden or not.
type allMatches struct {
	tree      *tree.Tree
	every     roots
	continues roots // the Continue rules only
}

func buildAll[T any](ctx context.Context, l *rules.List[T], f families, o Options) (*allMatches, error) {
	a := &allMatches{}
	b := tree.NewBuilder(ctx, o.config(l.Schema(), true))
	src := lower.Source{Len: l.Len(), Conds: func(i int) []rules.Cond { return l.At(i).Conds }}
	boxes, err := lower.Lower(ctx, l.Schema(), src, o.MemoryLimit)
	if err != nil {
		return nil, err
	}
	b.Grow(boxes, 0)
	if a.every, err = f.build(b, boxes, 0); err != nil {
		return nil, err
	}
	src.Skip = func(i int) bool { return !l.At(i).Continue }
	if boxes, err = lower.Lower(ctx, l.Schema(), src, o.MemoryLimit); err != nil {
		return nil, err
	}
	boxes.Program = lower.Program{} // already there
	b.Grow(boxes, 0)
	if a.continues, err = f.build(b, boxes, 0); err != nil {
		return nil, err
	}
	a.tree = b.Tree()
	return a, nil
}

// matches returns the structure for all matches, building it when it is asked
// for the first time.
func (c *Classifier[T]) matches() *allMatches {
	c.allOnce.Do(func() {
		l := c.source()
		if l == nil {
			return
		}
		// There is nobody to give an error to; see Options.AllMatches.
		o := c.opts
		o.MemoryLimit = math.MaxInt64
		a, err := buildAll(context.Background(), l, c.families, o)
		if err != nil {
			panic("hipac: compiling all matches: " + err.Error()) // beyond 2^32 words
		}
		c.all.Store(a)
	})
	a := c.all.Load()
	if a == nil {
		panic("hipac: LookupAll and Executed are not available with Options.FirstMatchOnly")
	}
	return a
}

// found appends the positions of the rules that match the key to dst, in
// order: all of them, or the Continue rules only.
func (c *Classifier[T]) found(k rules.Key, dst []uint32, continues bool) []uint32 {
	if len(k) != c.schema.KeyLen() {
		return dst
	}
	if c.index != nil {
		for it := c.index.Match(k).Iterator(); it.HasNext(); {
			if i := it.Next(); !continues || c.list.At(int(i)).Continue {
				dst = append(dst, i)
			}
		}
		return dst
	}
	a := c.matches()
	r := &a.every
	if continues {
		r = &a.continues
	}
	dst = a.tree.All(r.rootFor(c.families, k), k, dst)
	slices.Sort(dst)
	return dst
}

// LookupAll appends the rules that match the key to dst, terminal or not, in
// order, and returns it; with most > 0 only the first most of them. It
// allocates only to grow dst, or when more than 64 rules match. See
// Options.AllMatches.
func (c *Classifier[T]) LookupAll(k rules.Key, dst []Match[T], most int) []Match[T] {
	var buf [64]uint32
	found := c.found(k, buf[:0], false)
	if most > 0 && len(found) > most {
		found = found[:most]
	}
	for _, i := range found {
		dst = append(dst, c.At(int(i)))
	}
	return dst
}

// Matches iterates over the rules that match the key, in order, as LookupAll.
func (c *Classifier[T]) Matches(k rules.Key) iter.Seq[Match[T]] {
	return func(yield func(Match[T]) bool) {
		for _, m := range c.LookupAll(k, nil, 0) {
			if !yield(m) {
				return
			}
		}
	}
}

// Executed appends the rules executed for the key to dst, in order: every
// matching Continue rule up to the first terminal match, and that one. See
// Options.AllMatches.
func (c *Classifier[T]) Executed(k rules.Key, dst []Match[T]) []Match[T] {
	last, decided := c.Position(k)
	var buf [64]uint32
	for _, i := range c.found(k, buf[:0], true) {
		if decided && int(i) > last {
			break
		}
		dst = append(dst, c.At(int(i)))
	}
	if decided {
		dst = append(dst, c.At(last))
	}
	return dst
}
