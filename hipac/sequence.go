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
	"slices"
	"unsafe"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/order"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// answer is what lookups ask of a rule.
type answer[T any] struct {
	id      rules.ID
	need    uint32 // fields that must be present
	counter uint32
	unknown bool
	value   T
}

func (a *answer[T]) match() Match[T] {
	return Match[T]{ID: a.id, Position: -1, Value: a.value, Unknown: a.unknown}
}

// member is a rule of a list that is edited. It is immutable; a rule that is
// replaced, or moved, is another member.
type member[T any] struct {
	answer[T]
	rule     *rules.Rule[T]
	code     *[]uint32 // program, of an inexact rule
	inexact  bool
	possible bool // some packet meets the conditions; others are in no tree
	pass     bool // the rule only counts
	basic    bool // among the basics
}

// key returns the key of a rule in the tree.
func (m *member[T]) key(label uint32) uint32 {
	if m.basic {
		return label<<1 | 1
	}
	return label << 1
}

// basics are the answers of a list as it was numbered last. They are immutable.
type basics[T any] struct {
	list  []answer[T]
	first uint32 // label of the first
	gap   uint8  // logarithm of the distance of labels
}

// fewRules is the length up to which a list is walked rather than looked up: as
// many conditions cost what a lookup does, and there is nothing to keep.
const fewRules = 8

// sequence is a version of a list. It is immutable.
type sequence[T any] struct {
	schema   *rules.Schema
	families families
	basics   *basics[T]
	order    *order.Map[member[T]]
	tree     *tree.Tree // nil for few rules
	roots    treeRoots
	plain    bool
	vector   bool         // batches have a vector path
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

// answer returns what lookups ask of the rule of a key in the tree.
func (s *sequence[T]) answer(key uint32) *answer[T] {
	if key&1 != 0 {
		b := s.basics
		return &b.list[(key>>1-b.first)>>(b.gap&31)]
	}
	return &s.member(key).answer
}

// member returns the rule of a key in the tree.
func (s *sequence[T]) member(key uint32) *member[T] { return s.order.Get(key >> 1) }

// Holds says for the tree what the row of a key does not.
func (s *sequence[T]) Holds(key uint32, inexact bool, packet []uint32) bool {
	if packet[0] != 0 && packet[0]&s.answer(key).need != 0 {
		return false
	}
	return !inexact || lower.CodeHolds(*s.member(key).code, packet)
}

// first returns the first rule that decides the key, or nil.
func (s *sequence[T]) first(k rules.Key) *answer[T] {
	if s.tree == nil {
		for _, m := range s.few {
			if !m.pass && m.rule.Matches(s.schema, k) {
				return &m.answer
			}
		}
		return nil
	}
	key := s.firstKey(k)
	if key == tree.NoMatch {
		return nil
	}
	return s.answer(key)
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
	if s.tree == nil {
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
	if s.tree != nil {
		n += int64(s.tree.Bytes())
	}
	return n
}

func (b *basics[T]) bytes() int64 { return int64(cap(b.list)) * int64(unsafe.Sizeof(answer[T]{})) }

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
