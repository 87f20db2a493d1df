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
// There are four kinds of nodes, named by a 64-bit reference that holds all
// that is needed to follow it, so that a step costs one dependent load:
//
//	table     2^b slots, indexed by b bits of one word at a shift. Leading
//	          bits that all rules of the node share are skipped unseen
//	          (as in a Patricia trie); the leaf verifies them.
//	interval  up to 15 bounds of one word in one cache line, found by
//	          counting; 16 references behind. For ranges and small fields.
//	leaf      a few rules in order, compared column by column. Only the words
//	          that some rule of the leaf still has to test are columns.
//	bucket    many rules that no cut separates, as bitmaps by the blocks of each
//	          word, whose intersection holds the candidates (package bitvec).
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
// interval node, some compares per leaf. Depth is at most maxDepth, and spans
// nest at most maxSpans deep.
//
// # The worst case
//
// Rules that are nested, shifted, crossing or wide in every field cannot be
// cut: each part of a cut has most of them, or the span has. While a node is
// built its cost is added up, the mean lookup and the worst, spans included.
// Where a bucket of all its entries would take less in the mean, or where the
// worst lookup exceeds that of the bucket by more than bucketSlack, what was
// built is taken back and the bucket stands in its place. Common sets have no
// bucket at all.
//
// A lookup therefore does no more than this in a set of n entries over d words:
//
//   - It meets each entry at most once. At a node an entry is in the span, or it
//     is in children of which the lookup enters one. By induction over the tree,
//     the leaves and buckets that one lookup enters hold different entries.
//   - A leaf has at most bucketRows rows. A bucket of m entries costs d*(m/64 +
//     m/4096) words of bitmaps, m rounded up to 512, so that all of them together
//     cost d*n/63 words and what rounding adds to each.
//   - A candidate that is in vain has a boundary within the key's block in some
//     word, of which a word of 512 blocks has at most 2m/512; or it is one whose
//     box holds the key and which does not match: an inexact rule, or one that
//     wants a field that the packet does not have. Those are not bounded but by
//     m: a set of rules by masks of bits, or by unions of ranges that lie far
//     apart, can make a lookup ask as many programs as there are rules.
//
// Bound gives these figures for a compiled tree, by walking it. In 5 words and
// 100,000 exact rules they come to 8,000 words, some 15 microseconds.
//
// Buckets take bucketBytes per entry where there is so much. What all buckets
// take is bounded by bucketsBytes per entry of the root, so that memory stays
// linear: 32 bytes per copy, 16 per slot, and that. A bucket that would exceed
// Config.MaxBytes, which is known before anything of it is allocated, becomes a
// chain of leaves in order of rank, which costs a row per entry, and when there
// is no memory for that either the build fails.
//
// References: nf-HiPAC (Bellion, Heinz 2002); Gupta, McKeown, "Packet
// Classification using Hierarchical Intelligent Cuttings" (HotI 1999); Singh
// et al., HyperCuts (SIGCOMM 2003); Vamanan et al., EffiCuts (SIGCOMM 2010);
// Daly, Torng, ByteCuts (INFOCOM 2018); Lakshman, Stiliadis, bit vectors
// (SIGCOMM 1998); Baboescu, Varghese, aggregated bit vectors (SIGCOMM 2001).
package tree

import (
	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// NoMatch is the rank returned when no rule matches.
const NoMatch = ^uint32(0)

// Ref names a node and holds all that is needed to follow it:
//
//	bits 0-31   offset into the kind's array
//	bits 32-36  table: shift
//	bit  37     the node is a table
//	bit  38     the node is an interval node
//	bit  39     the table has a span: slots[offset-1] is its reference,
//	            slots[offset-2] the lowest tag in it
//	bits 40-44  table: bits
//	bits 45-52  table and interval: key word
//	bits 40-49  leaf: rows
//	bits 50-51  leaf: form
//	bits 52-57  leaf: class
//	bits 58-63  0; a batch has the number of the key there
//
// A leaf is what is neither a table nor an interval node; 0 is the empty leaf.
type Ref uint64

const (
	shiftAt     = 32
	tableBit    = 1 << 37
	intervalBit = 1 << 38
	spanBit     = 1 << 39
	countAt     = 40
	wordAt      = 45
	formAt      = 50
	classAt     = 52
	laneAt      = 58

	maxRows    = 1<<10 - 1 // rows that a leaf reference can count
	maxTabBits = 18        // bits of the largest table: 2 MiB of slots
)

// form is the layout of a leaf; see leaf.go.
type form uint64

const (
	formShort  form = iota // rows of 8 words
	formLong               // rows of a multiple of 8 words
	formSparse             // rows that bring their own columns
	formBucket             // no rows, but a bit-vector bucket in slots; counted as 1 row
)

func (r Ref) offset() uint32   { return uint32(r) }
func (r Ref) isTable() bool    { return r&tableBit != 0 }
func (r Ref) isInterval() bool { return r&intervalBit != 0 }
func (r Ref) isLeaf() bool     { return r&(tableBit|intervalBit) == 0 }
func (r Ref) isEmpty() bool    { return r == 0 }
func (r Ref) hasSpan() bool    { return r&spanBit != 0 }
func (r Ref) shift() uint32    { return uint32(r>>shiftAt) & 31 }
func (r Ref) bits() uint32     { return uint32(r>>countAt) & 31 }
func (r Ref) word() uint32     { return uint32(r>>wordAt) & 0xff }
func (r Ref) rows() uint32     { return uint32(r>>countAt) & maxRows }
func (r Ref) form() form       { return form(r>>formAt) & 3 }
func (r Ref) class() uint32    { return uint32(r>>classAt) & (maxClasses - 1) }
func (r Ref) withSpan() Ref    { return r | spanBit }
func tableRef(off, word, shift, bits int) Ref {
	return Ref(uint32(off)) | Ref(shift)<<shiftAt | tableBit | Ref(bits)<<countAt | Ref(word)<<wordAt
}
func intervalRef(off, word int) Ref {
	return Ref(uint32(off)) | intervalBit | Ref(word)<<wordAt
}
func leafRef(off, rows int, f form, class int) Ref {
	return Ref(uint32(off)) | Ref(rows)<<countAt | Ref(f)<<formAt | Ref(class)<<classAt
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
	rows    []row
	classes []class
	perms   []permutation // of the classes, for the vector path
	plain   bool          // all leaves are short ones of the class plainClass
	program lower.Program // of the inexact rules
	wants   []uint16      // by rank: index in needs; nil when that is by rank itself
	needs   []uint32
}

// Bytes returns the memory that the tree keeps alive.
func (t *Tree) Bytes() int {
	return 8*cap(t.slots) + 64*cap(t.lines) + 32*cap(t.rows) + classBytes*cap(t.classes) + permBytes*cap(t.perms) + t.program.Bytes() + 2*cap(t.wants) + 4*cap(t.needs)
}

// used is Bytes without the slack that arrays have while they grow.
func (t *Tree) used() int64 {
	return 8*int64(len(t.slots)) + 64*int64(len(t.lines)) + 32*int64(len(t.rows)) + int64(t.program.Bytes()) +
		2*int64(len(t.wants)) + 4*int64(len(t.needs))
}

// need returns the fields that the rule of the rank wants present.
func (t *Tree) need(rank uint32) uint32 {
	if t.wants == nil {
		return t.needs[rank]
	}
	return t.needs[t.wants[rank]]
}
