package tree

// The structure: references, lines, and the arrays that they point into.

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
	asker   Asker    // of a live tree
	dead    []uint32 // ranks of rows in buckets that are deleted, ascending; of a live tree
}

// Asker says of rules known by labels what their rows do not: whether the fields
// that the rule wants are present in the key and, of an inexact one, whether its
// program holds. It must be safe for concurrent use, not allocate,
// and keep no key.
type Asker interface {
	Holds(label uint32, inexact bool, key []uint32) bool
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
