package hipac

// A version of an ordered list that is edited: what readers see of it.
//
// Rules are known by labels, sparse numbers in the order of the list, so that one
// more in the middle renumbers nothing. The order (package order) finds the rule
// of a label. Most rules are where they were when the list was numbered last, at
// even distances: these are basic, and what lookups ask of them lies in one array
// in that order, found by a shift. The tree has keys, label<<1 | basic, which
// order as labels do: a label that is given away again is another key.
//
//	position  0      1      2      3
//	label     8192   16384  20480  24576      2 came between 1 and 3
//	key       16385  32769  40960  49153
//	basics    [0]    [1]    -      [2]

import (
	"iter"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/order"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// member is a rule of a list that is edited. It is immutable; a rule that is
// replaced, or moved, is another member.
type member[T any] struct {
	rule     *rules.Rule[T] // whose ID is its identity
	code     *[]uint32      // program, of an inexact rule
	need     uint32         // fields that must be present
	counter  uint32
	inexact  bool
	possible bool // some packet meets the conditions; others are in no tree
	pass     bool // the rule only counts
	basic    bool // among the basics
}

func (m *member[T]) id() rules.ID { return m.rule.ID }

func (m *member[T]) match() Match[T] {
	return Match[T]{ID: m.rule.ID, Position: -1, Value: m.rule.Value, Unknown: m.rule.Unknown != ""}
}

// key returns the key of a rule in the tree.
func (m *member[T]) key(label uint32) uint32 {
	if m.basic {
		return label<<1 | 1
	}
	return label << 1
}

// basics are what lookups ask of the rules of a list as it was numbered last, by
// place. They are immutable.
type basics[T any] struct {
	values   []T        // nil for chains, whose rules are asked themselves
	ids      []rules.ID // nil when they are 1, 2, 3 ...
	needs    []uint32
	counters []uint32         // nil when nothing is counted
	unknown  map[int]struct{} // nil when there are none
	first    uint32           // label of the first
	gap      uint8            // logarithm of the distance of labels
}

// newBasics returns the basics of members with these labels, with their values or
// without.
func newBasics[T any](list []*member[T], labels []uint32, values bool) *basics[T] {
	n := len(list)
	if n == 0 {
		return &basics[T]{}
	}
	b := &basics[T]{needs: make([]uint32, n), first: labels[0]}
	if n > 1 {
		b.gap = uint8(bits.TrailingZeros32(labels[1] - labels[0]))
	}
	for i, m := range list {
		b.needs[i] = m.need
	}
	if !values {
		return b
	}
	b.values = make([]T, n)
	for i, m := range list {
		b.values[i] = m.rule.Value
		if b.ids == nil && m.id() != rules.ID(i+1) {
			b.ids = make([]rules.ID, n)
			for j := range i {
				b.ids[j] = rules.ID(j + 1)
			}
		}
		if b.ids != nil {
			b.ids[i] = m.id()
		}
		if m.counter != 0 {
			if b.counters == nil {
				b.counters = make([]uint32, n)
			}
			b.counters[i] = m.counter
		}
		if m.rule.Unknown != "" {
			if b.unknown == nil {
				b.unknown = map[int]struct{}{}
			}
			b.unknown[i] = struct{}{}
		}
	}
	return b
}

// place returns the place of the rule of a key among the basics.
func (b *basics[T]) place(key uint32) int { return int((key>>1 - b.first) >> (b.gap & 31)) }

func (b *basics[T]) id(i int) rules.ID {
	if b.ids == nil {
		return rules.ID(i + 1)
	}
	return b.ids[i]
}

func (b *basics[T]) match(i int) Match[T] {
	m := Match[T]{ID: b.id(i), Position: -1, Value: b.values[i]}
	if b.unknown != nil {
		_, m.Unknown = b.unknown[i]
	}
	return m
}

func (b *basics[T]) bytes() int64 {
	var v T
	return int64(cap(b.values))*int64(unsafe.Sizeof(v)) + 8*int64(cap(b.ids)) + 4*int64(cap(b.needs)+cap(b.counters)) + 40*int64(len(b.unknown))
}

// fewRules is the length up to which a list is walked rather than looked up: as
// many conditions cost what a lookup does, and there is nothing to keep.
const fewRules = 8

// sequence is a version of a list. It is immutable. What a lookup reads of it
// stands together, since the first lookup in a version has none of it in a cache.
type sequence[T any] struct {
	basics   *basics[T]
	roots    treeRoots
	plain    bool
	vector   bool // batches have a vector path
	short    bool // few rules, and no tree
	tree     tree.Tree
	order    *order.Map[member[T]]
	families families
	schema   *rules.Schema
	few      []*member[T] // in place of the tree
}

// treeRoots are the entries to the trees of a list: that of the rules that decide
// and that of those that continue.
type treeRoots struct{ decide, pass roots }

func (r *treeRoots) list() []tree.Ref {
	return []tree.Ref{r.decide.general, r.decide.ipv4, r.pass.general, r.pass.ipv4}
}

func rootsOf(list []tree.Ref) treeRoots {
	return treeRoots{roots{list[0], list[1]}, roots{list[2], list[3]}}
}

// match returns the rule of a key in the tree as a match.
func (s *sequence[T]) match(key uint32) Match[T] {
	if key&1 != 0 {
		return s.basics.match(s.basics.place(key))
	}
	return s.member(key).match()
}

// id returns the identity of the rule of a key in the tree.
func (s *sequence[T]) id(key uint32) rules.ID {
	if key&1 != 0 {
		return s.basics.id(s.basics.place(key))
	}
	return s.member(key).id()
}

// counter returns the counter of the rule of a key in the tree.
func (s *sequence[T]) counter(key uint32) uint32 {
	if key&1 != 0 {
		return s.basics.counters[s.basics.place(key)]
	}
	return s.member(key).counter
}

// need returns the fields that the rule of a key in the tree wants present.
func (s *sequence[T]) need(key uint32) uint32 {
	if key&1 != 0 {
		return s.basics.needs[s.basics.place(key)]
	}
	return s.member(key).need
}

// member returns the rule of a key in the tree.
func (s *sequence[T]) member(key uint32) *member[T] { return s.order.Get(key >> 1) }

// asker is a version as the tree asks it: what the row of a key does not say.
type asker[T any] sequence[T]

// Holds is tree.Asker.
func (a *asker[T]) Holds(key uint32, inexact bool, packet []uint32) bool {
	s := (*sequence[T])(a)
	if packet[0] != 0 && packet[0]&s.need(key) != 0 {
		return false
	}
	return !inexact || lower.CodeHolds(*s.member(key).code, packet)
}

// firstOfFew returns the first rule that decides a packet, and its position, in a
// list of few rules; nil when there is none.
func (s *sequence[T]) firstOfFew(k rules.Key) (*member[T], int) {
	for i, m := range s.few {
		if !m.pass && m.rule.Matches(s.schema, k) {
			return m, i
		}
	}
	return nil, -1
}

// firstKey returns the tree's key of the first rule that decides a packet, or
// tree.NoMatch.
func (s *sequence[T]) firstKey(k rules.Key) uint32 {
	if s.plain {
		return s.tree.FirstPlain(s.roots.decide.general, (*[tree.PlainKey]uint32)(k))
	}
	return s.tree.First(s.root(&s.roots.decide, k), k)
}

func (s *sequence[T]) root(r *roots, k rules.Key) tree.Ref {
	if len(s.families) == 0 {
		return r.general
	}
	return r.rootFor(s.families, k)
}

// found appends the keys of the rules that match a packet, in order: those that
// continue, those that decide, or both. The list must have a tree.
func (s *sequence[T]) found(k rules.Key, dst []uint32, pass, decide bool) []uint32 {
	if pass {
		dst = s.tree.All(s.root(&s.roots.pass, k), k, dst)
	}
	if decide {
		dst = s.tree.All(s.root(&s.roots.decide, k), k, dst)
	}
	slices.Sort(dst)
	return dst
}

// matches calls do with every rule that matches, in order, until it returns
// false.
func (s *sequence[T]) matches(k rules.Key, do func(m *member[T]) bool) {
	if s.short {
		for _, m := range s.few {
			if m.rule.Matches(s.schema, k) && !do(m) {
				return
			}
		}
		return
	}
	var buf [64]uint32
	for _, l := range s.found(k, buf[:0], true, true) {
		if !do(s.member(l)) {
			return
		}
	}
}

// bytes returns the memory of the structure: tree, order and basics.
func (s *sequence[T]) bytes() int64 {
	n := s.order.Bytes() + s.basics.bytes()
	if !s.short {
		n += int64(s.tree.Bytes())
	}
	return n
}

// What the walk over chains asks.

// ruleAt returns the rule at a position.
func (s *sequence[T]) ruleAt(position int) *rules.Rule[T] {
	_, m := s.order.At(position)
	return m.rule
}

// from iterates over the rules in order, from the least key on that is not below
// one.
func (s *sequence[T]) from(key uint32) iter.Seq2[uint32, *member[T]] {
	return func(yield func(uint32, *member[T]) bool) {
		for label, m := range s.order.From(key/2 + key%2) { // the label of key-1 is done with
			if !yield(m.key(label), m) {
				return
			}
		}
	}
}

// len returns the number of rules.
func (s *sequence[T]) len() int {
	if s.order == nil {
		return 0
	}
	return s.order.Len()
}
