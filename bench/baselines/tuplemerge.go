package baselines

// TupleMerge:
//
//	J. Daly, V. Bruschi, L. Linguaglossa, S. Pontarelli, D. Rossi, J. Tollet,
//	E. Torng, A. Yourtchenko: TupleMerge: Fast Software Packet Processing for
//	Online Packet Classification. IEEE/ACM Transactions on Networking 27(4), 2019
//
// Tuple space search with few tables. A rule need not go into the table of its own
// tuple: any table will do whose tuple gives no bits that the rule does not, at the
// price of more rules to a hash slot. So a rule goes into the first table that
// takes it, in the order of search, and a table that has to be made is given a
// tuple with fewer bits than its first rule, so that others will fit:
//
//   - of source and destination, the one that is shorter by more than 4 bits is
//     left out, and its port with it: the rule is about the other one;
//   - 4 bits are left out of an address of 32 bits, 3 of more than 24, 2 of more
//     than 16, 1 of more than 8.
//
// When an insert makes more than splitLimit rules share a slot, the bits that all
// of these rules give are extended, in the field where they differ most from what
// the longest of them give, by half the difference; the rules of the table that
// give those bits move to a table with that tuple. Where rules cannot be told
// apart like that, it is tried again when their number has grown by an eighth.
//
// Addresses of 128 bits take four times the numbers above. Of the fields beyond the
// 5-tuple, which the paper does not speak of, a new table takes none; splits bring
// in those that tell rules apart. Were they kept, as the protocol is, rules over 20
// fields would make ten times as many tables, and lookups ten times slower.

import (
	"context"
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

// splitLimit is the number of rules in a slot beyond which a table is split. 10 and
// 40 give the same figures within the noise (BenchmarkBaseline, acl1, fw1, ipc1), 40
// fewer splits.
const splitLimit = 40

var tupleMergeMaker = maker(compare.Maker{
	Name:   "tuplemerge",
	Title:  "TupleMerge",
	Source: "Daly et al.: TupleMerge: Fast Software Packet Processing for Online Packet Classification, IEEE/ACM ToN 27(4), 2019",
	Note:   "made for updates",
}, newTupleMerge)

type tupleMerge struct {
	maskTables
	side  [2]side  // source and destination
	field [][2]int // first word and number of words of every field
	tuple []bool   // by word: whether it is of the 5-tuple
}

// side is an address with its port, by their words; of 0 words when there is
// none.
type side struct{ addr, addrLen, port, portLen int }

func newTupleMerge(ctx context.Context, l *rules.List[string], mem *budget) (*tupleMerge, error) {
	bx, err := newBoxes(ctx, l, false, mem)
	if err != nil {
		return nil, err
	}
	e := &tupleMerge{maskTables: newMaskTables(bx)}
	s := l.Schema()
	for f := range s.Len() {
		first, n := s.FieldWords(f)
		e.field = append(e.field, [2]int{first, n})
	}
	e.tuple = make([]bool, bx.words)
	for _, name := range []string{"src", "dst", "sport", "dport", "proto"} {
		if f := s.Index(name); f >= 0 {
			first, n := s.FieldWords(f)
			for j := range n {
				e.tuple[first+j] = true
			}
		}
	}
	for i, names := range [2][2]string{{"src", "sport"}, {"dst", "dport"}} {
		if f := s.Index(names[0]); f >= 0 {
			e.side[i].addr, e.side[i].addrLen = s.FieldWords(f)
		}
		if f := s.Index(names[1]); f >= 0 {
			e.side[i].port, e.side[i].portLen = s.FieldWords(f)
		}
	}
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

// Delete takes a rule out: O(boxes of its hash slot + log rules).
func (e *tupleMerge) Delete(position int) error { return e.edits.delete(position, e) }

// Insert puts it back, in O(tables) when no table is split.
func (e *tupleMerge) Insert(position int) error { return e.edits.insert(position, e) }

func (e *tupleMerge) remove(b uint32) {
	if t := e.take(b); t.order.live == 0 {
		e.discard(t)
	}
}

func (e *tupleMerge) place(b uint32) {
	e.bx.tuple(b, e.mask, e.value)
	for _, t := range e.order {
		if t.takes(e.mask) {
			at := e.put(t, b)
			if n := int(e.ends[t.slots[at].head-1].boxes); n > splitLimit && (n-splitLimit-1)%(n/8) == 0 {
				e.split(t, e.boxes(t, at))
			}
			return
		}
	}
	mask := slices.Clone(e.mask)
	e.relax(mask)
	e.put(e.newTable(mask), b)
}

// relax leaves out bits of the tuple of a table's first rule.
func (e *tupleMerge) relax(mask []uint32) {
	var length [2]int
	for i, s := range e.side {
		length[i] = ones(mask[s.addr : s.addr+s.addrLen])
	}
	for w := range mask {
		if !e.tuple[w] {
			mask[w] = 0
		}
	}
	scale := max(1, e.side[0].addrLen, e.side[1].addrLen)
	for i, s := range e.side {
		words := mask[s.addr : s.addr+s.addrLen]
		if length[1-i]-length[i] > 4*scale {
			clear(words)
			clear(mask[s.port : s.port+s.portLen])
			continue
		}
		n := 0
		switch l := length[i]; {
		case l == 32*scale:
			n = 4
		case l > 24*scale:
			n = 3
		case l > 16*scale:
			n = 2
		case l > 8*scale:
			n = 1
		}
		shorten(words, n*scale)
	}
}

// ones returns the number of bits in the words of a mask.
func ones(words []uint32) (n int) {
	for _, w := range words {
		n += bits.OnesCount32(w)
	}
	return n
}

// shorten clears the last n bits that are set.
func shorten(words []uint32, n int) {
	for i := len(words) - 1; i >= 0; i-- {
		for ; n > 0 && words[i] != 0; n-- {
			words[i] &= words[i] - 1
		}
	}
}

// split moves boxes of a table, one of whose slots has the boxes of chain, to a
// table with a longer tuple, if there is one that tells those boxes apart.
func (e *tupleMerge) split(t *maskTable, chain []uint32) {
	mask, value := make([]uint32, e.bx.words), make([]uint32, e.bx.words)
	common, union := make([]uint32, e.bx.words), make([]uint32, e.bx.words)
	for i := range common {
		common[i] = ^uint32(0)
	}
	for _, b := range chain {
		e.bx.tuple(b, mask, value)
		for w, m := range mask {
			common[w] &= m
			union[w] |= m
		}
	}
	var at [2]int
	most := 0
	for _, f := range e.field {
		if d := ones(union[f[0]:f[0]+f[1]]) - ones(common[f[0]:f[0]+f[1]]); d > most {
			at, most = f, d
		}
	}
	if most > 0 {
		longer := slices.Clone(union[at[0] : at[0]+at[1]])
		for w := range longer {
			longer[w] &^= common[at[0]+w]
		}
		shorten(longer, most/2)
		for w, m := range longer {
			common[at[0]+w] |= m
		}
	}
	if slices.Equal(common, t.mask) {
		return
	}
	var target *maskTable
	for _, u := range e.order {
		if slices.Equal(u.mask, common) {
			target = u
		}
	}
	if target == nil {
		target = e.newTable(common)
	}
	for _, b := range e.all(t) {
		e.bx.tuple(b, mask, value)
		if target.takes(mask) {
			e.take(b)
			e.put(target, b) // take has left the box's tuple in hand
		}
	}
	for _, u := range []*maskTable{t, target} {
		if u.order.live == 0 {
			e.discard(u)
		}
	}
}
