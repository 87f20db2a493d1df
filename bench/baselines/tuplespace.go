package baselines

// Tuple space search:
//
//	V. Srinivasan, S. Suri, G. Varghese: Packet Classification using Tuple
//	Space Search. SIGCOMM 1999
//
// Rules that give the same bits of every field, their tuple, go into one hash
// table, where a packet's fields cut down to those bits find them at once. There
// are far fewer tuples than rules, and a packet asks every tuple:
//
//	src/24 dst/32 dport/16 proto/8    {10.1.2.0, 192.0.2.1, 53, 17} ...
//	src/0  dst/16 dport/0  proto/8    {-, 198.51.0.0, -, 6} ...
//
// Two things are as in Open vSwitch (B. Pfaff et al.: The Design and
// Implementation of Open vSwitch, NSDI 2015): the tables are in the order of their
// best rule, and the search ends when no table that is left has a better rule than
// the one found; and any mask is a tuple, not prefixes only. The staged lookup and
// the prefix tries of Open vSwitch are not here: they serve to find out which
// bits a lookup depended on, for its cache.
//
// A range is hashed by the smallest prefix around it and compared in full then,
// rather than multiplied into prefixes: 1024-65535 is hashed by no bits at all.

import (
	"context"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var tupleSpaceMaker = maker(compare.Maker{
	Name:   "tuplespace",
	Title:  "tuple space search",
	Source: "Srinivasan, Suri, Varghese: Packet Classification using Tuple Space Search, SIGCOMM 1999",
	Note:   "tuples in the order of their best rule, with early exit",
}, newTupleSpace)

type tupleSpace struct {
	maskTables
	byMask map[string]*maskTable
	name   []byte
}

func newTupleSpace(ctx context.Context, l *rules.List[string], mem *budget) (*tupleSpace, error) {
	bx, err := newBoxes(ctx, l, false, mem)
	if err != nil {
		return nil, err
	}
	e := &tupleSpace{maskTables: newMaskTables(bx), byMask: map[string]*maskTable{}}
	for b := range bx.len() {
		if err := poll(ctx, b); err != nil {
			return nil, err
		}
		if err := mem.check(e.Bytes()); err != nil {
			return nil, err
		}
		e.place(uint32(b))
	}
	return e, mem.check(e.Bytes())
}

// Bytes returns the memory of tables and boxes, and of the directory of tables.
func (e *tupleSpace) Bytes() int64 {
	return e.maskTables.Bytes() + int64(len(e.byMask))*int64(4*e.bx.words+32)
}

// Delete takes a rule out: O(boxes of its hash slot + log rules).
func (e *tupleSpace) Delete(position int) error { return e.edits.delete(position, e) }

// Insert puts it back, at the same cost.
func (e *tupleSpace) Insert(position int) error { return e.edits.insert(position, e) }

func (e *tupleSpace) key(mask []uint32) []byte {
	e.name = e.name[:0]
	for _, m := range mask {
		e.name = append(e.name, byte(m), byte(m>>8), byte(m>>16), byte(m>>24))
	}
	return e.name
}

func (e *tupleSpace) place(b uint32) {
	e.bx.tuple(b, e.mask, e.value)
	t := e.byMask[string(e.key(e.mask))]
	if t == nil {
		t = e.newTable(e.mask)
		e.byMask[string(e.name)] = t
	}
	e.put(t, b)
}

func (e *tupleSpace) remove(b uint32) {
	if t := e.take(b); t.order.live == 0 {
		e.discard(t)
		delete(e.byMask, string(e.key(t.mask)))
	}
}
