// Package tree is the compiled classifier: one adaptive multi-dimensional
// interval tree over key words, in flat arrays.
//
// # Theory of operation
//
// Problem. N rules, each a box over the words of a key (package lower), in
// order of priority; find the lowest rank whose box holds the key. Walking
// the list costs N comparisons. Cutting space along one word after another
// (nf-HiPAC, HiCuts) leads to a handful of rules in a few steps, but a rule
// that is wide in the word being cut must be copied into every part: on
// common firewall sets, where rules are wide in source OR destination, the
// copies grow quadratically.
//
// Structure. Cut, but do not copy: the rules of a node that would be copied
// into too many parts are taken out into a subtree of their own, the node's
// span. A lookup walks down to one leaf, remembering the spans it passes, and
// then walks those whose best rank can still beat what it has found. Copies
// that remain are paid from a budget (Config.Replication), so that memory is
// linear in the rules whatever they are.
//
// There are three kinds of nodes, named by a 64-bit reference that holds all
// that is needed to follow it, so that a step costs one dependent load:
//
//	table     2^b slots, indexed by b bits of one word at a shift. Leading
//	          bits that all rules of the node share are skipped unseen
//	          (as in a Patricia trie); the leaf verifies them.
//	interval  up to 15 bounds of one word in one cache line, found by
//	          counting; 16 references behind. For ranges and small fields.
//	leaf      a few rules in order, compared column by column. Only the words
//	          that some rule of the leaf still has to test are columns.
//
// A worked example, words src and dport, four rules:
//
//	r0 src=10.1.0.0/16 dport=80
//	r1 src=10.2.0.0/16
//	r2 dport=22
//	r3 src=10.0.0.0/8
//
//	table src bits 16..23 (skips "10.")     span: leaf [r2]   best 2
//	  ├ 1 ── leaf [r0: src dport, r3]
//	  ├ 2 ── leaf [r1]
//	  └ else leaf [r3]
//
// r2 covers the whole node and goes to the span; r3 contains the skipped
// prefix and is kept in every slot, all but two of which share one leaf. A
// packet 10.2.3.4:22 loads slot 2, finds r1 in the leaf, and never looks at
// the span, whose best rank is 2. A packet 192.168.2.1:22 loads the same slot
// because the first octet was skipped; the leaf refutes r1, the span says r2.
//
// Cost of a lookup: one load and shift per table, a line and a load per
// interval node, some compares per leaf. Depth is at most maxDepth, spans nest
// at most maxSpans deep; what cannot be separated within the budget becomes a
// chain of leaves in order of rank, so that the worst case, over all rule
// sets, is a walk along that chain: never more rows than there are rules, plus
// maxDepth steps per span. A plain walk may be done sooner: it stops at the
// first match, the tree compares a subtree to its end before it turns to a span
// with lower ranks.
//
// References: nf-HiPAC (Bellion, Heinz 2002); Gupta, McKeown, "Packet
// Classification using Hierarchical Intelligent Cuttings" (HotI 1999); Singh
// et al., HyperCuts (SIGCOMM 2003); Vamanan et al., EffiCuts (SIGCOMM 2010);
// Daly, Torng, ByteCuts (INFOCOM 2018).
package tree

import (
	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// NoMatch is the rank returned when no rule matches.
const NoMatch = ^uint32(0)

// Ref names a node:
//
//	bits 0-31   offset into the kind's array
//	bits 32-33  kind
//	bit  34     the node has a span: slots[offset-1] is its reference,
//	            slots[offset-2] the lowest tag in it (tables only)
//	table       35-39 shift, 40-44 bits, 45-52 word
//	interval    45-52 word
//	leaf        35-44 rows, 45-52 wide columns, 53-58 narrow columns; when bit
//	            59 is set it is a quick one, of 2 wide and 2 or 3 narrow columns,
//	            when bit 60 is set a sparse one
type Ref uint64

type kind uint64

const (
	kindLeaf kind = iota
	kindTable
	kindInterval
)

const (
	spanBit    = 1 << 34
	quickBit   = 1 << 59
	sparseBit  = 1 << 60
	maxRows    = 1<<10 - 1 // rows that a leaf reference can count
	maxTabBits = 18        // bits of the largest table: 2 MiB of slots
)

func (r Ref) offset() uint32 { return uint32(r) }
func (r Ref) kind() kind     { return kind(r >> 32 & 3) }
func (r Ref) hasSpan() bool  { return r&spanBit != 0 }
func (r Ref) shift() uint32  { return uint32(r>>35) & 31 }
func (r Ref) bits() uint32   { return uint32(r>>40) & 31 }
func (r Ref) word() uint32   { return uint32(r>>45) & 0xff }
func (r Ref) rows() uint32   { return uint32(r>>35) & maxRows }
func (r Ref) wide() uint32   { return uint32(r>>45) & 0xff }
func (r Ref) narrow() uint32 { return uint32(r>>53) & 0x3f }
func (r Ref) isQuick() bool  { return r&quickBit != 0 }
func (r Ref) isSparse() bool { return r&sparseBit != 0 }
func (r Ref) isEmpty() bool  { return r.kind() == kindLeaf && r.rows() == 0 }
func (r Ref) withSpan() Ref  { return r | spanBit }
func tableRef(off, word, shift, bits int) Ref {
	return Ref(uint32(off)) | Ref(kindTable)<<32 | Ref(shift)<<35 | Ref(bits)<<40 | Ref(word)<<45
}
func intervalRef(off, word int) Ref {
	return Ref(uint32(off)) | Ref(kindInterval)<<32 | Ref(word)<<45
}
func leafRef(off, rows, wide, narrow int) Ref {
	return Ref(uint32(off)) | Ref(kindLeaf)<<32 | Ref(rows)<<35 | Ref(wide)<<45 | Ref(narrow)<<53
}

// intervalBounds is the number of bounds in an interval node.
const intervalBounds = 15

// line is an interval node: the last value of each of its first 15 intervals,
// ascending, padded with the largest word, then the index in slots of the
// references of its 16 intervals.
type line [intervalBounds + 1]uint32

// Tree is a forest over one key layout; roots are references that the caller
// keeps. It is immutable and safe for concurrent use.
type Tree struct {
	slots   []uint64 // of tables, references of interval nodes, spans
	lines   []line
	leaves  []uint32
	program lower.Program // of the inexact rules
	class   []uint16      // by rank: index in needs; nil when that is by rank itself
	needs   []uint32
}

// Bytes returns the memory that the tree keeps alive.
func (t *Tree) Bytes() int {
	return 8*cap(t.slots) + 64*cap(t.lines) + 4*cap(t.leaves) + t.program.Bytes() + 2*cap(t.class) + 4*cap(t.needs)
}

// used is Bytes without the slack that arrays have while they grow.
func (t *Tree) used() int64 {
	return 8*int64(len(t.slots)) + 64*int64(len(t.lines)) + 4*int64(len(t.leaves)) + int64(t.program.Bytes()) +
		2*int64(len(t.class)) + 4*int64(len(t.needs))
}

// need returns the fields that the rule of the rank wants present.
func (t *Tree) need(rank uint32) uint32 {
	if t.class == nil {
		return t.needs[rank]
	}
	return t.needs[t.class[rank]]
}
