package baselines

// Bit vectors:
//
//	T. V. Lakshman, D. Stiliadis: High-Speed Policy-based Packet Forwarding
//	Using Efficient Multi-dimensional Range Matching. SIGCOMM 1998
//
// The ends of the rules' intervals cut every field into elementary intervals, and
// each of these has a bitmap with a bit for every rule that holds in it, the first
// rule in the lowest bit. A lookup finds the interval of each field by binary
// search and ANDs the bitmaps from the front; the first bit that is left is the
// answer:
//
//	dport    0-21  01100         src  10.0.0.0-10.0.0.255      11010
//	        22-22  11100              10.0.1.0-255.255.255.255 01010
//	        23-    01100
//	10.0.0.7 to port 22: 11100 & 11010 = 11000, the first rule
//
// Unions of intervals are bits like any other, and packets without a field have a
// bitmap of their own, so that every rule is expressed as it is; rules with masks
// that would be many intervals are asked when their bit is found.
//
// Intervals of a field with the same bitmap share it, and the fields that fewest
// rules leave open are ANDed first. Fields that no rule asks for are left out. The
// memory is rules x intervals / 8 bytes all the same; it is known before any bitmap
// is made.

import (
	"cmp"
	"context"
	"math"
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var bitVectorMaker = maker(compare.Maker{
	Name:   "bitvector",
	Title:  "bit vector",
	Source: "Lakshman, Stiliadis: High-Speed Policy-based Packet Forwarding Using Efficient Multi-dimensional Range Matching, SIGCOMM 1998",
	Note:   "memory grows with the square of the rules",
}, newBitVector)

type bitVector struct {
	list  *rules.List[string]
	rule  []int32 // by bit: the rule's position
	ask   []bool  // by bit: whether the rule itself is asked; nil when none is
	words int     // of a key
	width int     // words of a bitmap
	dims  []bitDim
	maps  []uint64 // all bitmaps, one behind the other
}

// bitDim is the search structure of a field. Interval i begins at bound i, the
// first at 0, and has the bitmap row[i].
type bitDim struct {
	field, first, n int           // n key words
	narrow          []uint32      // bounds of a field of one word
	wide            []rules.Value // of a wider one
	row             []uint32
	absent          uint32 // the bitmap for packets without the field
	open            int    // rules that do not ask for the field
}

// change is where bits of a field's bitmap turn over.
type change struct {
	at  rules.Value
	bit uint32
}

// bitField is a field while it is built.
type bitField struct {
	changes []change // a bit turns on at its first and off at its second
	asked   []uint32 // bits of rules that ask for the field
	absent  []uint32 // those of them that hold without it
}

func newBitVector(ctx context.Context, l *rules.List[string], mem *budget) (*bitVector, error) {
	return newBitmaps(ctx, l, false, mem)
}

// newBitmaps makes the bitmaps, with the rules in their order or, for others that
// need them so, grouped.
func newBitmaps(ctx context.Context, l *rules.List[string], grouped bool, mem *budget) (*bitVector, error) {
	s := l.Schema()
	e := &bitVector{list: l, words: s.KeyLen()}
	fields := make([]bitField, s.Len())
	lw := lowering{schema: s, expand: true}
	changes := int64(0)
	for i := range l.Len() {
		if err := poll(ctx, i); err != nil {
			return nil, err
		}
		if err := mem.check(24 * changes); err != nil { // freed again, but not out of bounds
			return nil, err
		}
		r := l.At(i)
		if r.Continue {
			continue
		}
		sets, ok := lw.rule(r.Conds)
		if !ok {
			continue
		}
		bit := uint32(len(e.rule))
		e.rule = append(e.rule, int32(i))
		ask := false
		for j := range sets {
			set := &sets[j]
			f := &fields[set.field]
			f.asked = append(f.asked, bit)
			if set.absent {
				f.absent = append(f.absent, bit)
			}
			ask = ask || set.loose || slices.ContainsFunc(set.pieces, piece.masks)
			last := s.Field(set.field).Max()
			changes += 2 * int64(len(set.pieces))
			for _, iv := range merged(set.pieces) {
				f.changes = append(f.changes, change{iv.Lo, bit})
				if iv.Hi != last {
					f.changes = append(f.changes, change{iv.Hi.Next(), bit})
				}
			}
		}
		if ask && e.ask == nil {
			e.ask = make([]bool, bit, l.Len())
		}
		if e.ask != nil {
			e.ask = append(e.ask, ask)
		}
	}
	if grouped {
		e.group(fields)
	}
	e.width = (len(e.rule) + 63) / 64
	rows := 0
	for f := range fields {
		if len(fields[f].asked) == 0 {
			continue
		}
		first, n := s.FieldWords(f)
		d := bitDim{field: f, first: first, n: n, open: len(e.rule) - len(fields[f].asked)}
		rows = d.number(&fields[f], rows)
		e.dims = append(e.dims, d)
	}
	size := int64(rows) * int64(e.width)
	if size > math.MaxInt/8 { // beyond the address space
		return nil, mem.refuse(8 * size)
	}
	if err := mem.check(e.Bytes() + 8*size); err != nil {
		return nil, err
	}
	e.maps = make([]uint64, rows*e.width)
	for d := range e.dims {
		if err := e.fill(ctx, &e.dims[d], &fields[e.dims[d].field]); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(e.dims, func(a, b bitDim) int { return cmp.Compare(a.open, b.open) })
	return e, nil
}

// merged returns the union of pieces, without their masks, as disjoint ascending
// intervals.
func merged(pieces []piece) []rules.Interval {
	out := make([]rules.Interval, len(pieces))
	for i := range pieces {
		out[i] = pieces[i].Interval
	}
	c := rules.In(0, out...)
	out, _ = c.Intervals()
	return out
}

// sweep calls f for every interval of a field with what changes at its beginning.
func (b *bitField) sweep(f func(from rules.Value, changes []change) error) error {
	if len(b.changes) == 0 || b.changes[0].at != (rules.Value{}) {
		if err := f(rules.Value{}, nil); err != nil {
			return err
		}
	}
	for at := 0; at < len(b.changes); {
		end := at + 1
		for end < len(b.changes) && b.changes[end].at == b.changes[at].at {
			end++
		}
		if err := f(b.changes[at].at, b.changes[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// number gives the intervals of a field the numbers of their bitmaps, from rows
// on, and returns the next free one. Bitmaps are told apart by a 128-bit sum of
// random numbers, one for each bit that is on.
func (d *bitDim) number(b *bitField, rows int) int {
	slices.SortFunc(b.changes, func(x, y change) int { return cmp.Or(x.at.Cmp(y.at), cmp.Compare(x.bit, y.bit)) })
	seen := map[[2]uint64]uint32{}
	row := func(sum [2]uint64) uint32 {
		r, ok := seen[sum]
		if !ok {
			r = uint32(rows)
			seen[sum] = r
			rows++
		}
		return r
	}
	var sum [2]uint64
	flip := func(bit uint32) {
		sum[0] ^= factor(int(2 * bit))
		sum[1] ^= factor(int(2*bit+1)) >> 1
	}
	b.sweep(func(from rules.Value, changes []change) error { // its errors are those of the function
		for _, c := range changes {
			flip(c.bit)
		}
		if d.n == 1 {
			d.narrow = append(d.narrow, uint32(from.Lo))
		} else {
			d.wide = append(d.wide, from)
		}
		d.row = append(d.row, row(sum))
		return nil
	})
	sum = [2]uint64{}
	for _, bit := range b.absent {
		flip(bit)
	}
	d.absent = row(sum)
	return rows
}

// fill makes the bitmaps of a field.
func (e *bitVector) fill(ctx context.Context, d *bitDim, b *bitField) error {
	open := make([]uint64, e.width)
	for bit := range len(e.rule) {
		open[bit>>6] |= 1 << (bit & 63)
	}
	for _, bit := range b.asked {
		open[bit>>6] &^= 1 << (bit & 63)
	}
	now := slices.Clone(open)
	i, next := 0, d.row[0]
	set := func(row uint32, bitmap []uint64) {
		if row == next { // numbers ascend in the order of their first intervals
			copy(e.bitmap(row), bitmap)
			next++
		}
	}
	err := b.sweep(func(_ rules.Value, changes []change) error {
		for _, c := range changes {
			now[c.bit>>6] ^= 1 << (c.bit & 63)
		}
		set(d.row[i], now)
		i++
		return poll(ctx, i)
	})
	if err != nil {
		return err
	}
	for _, bit := range b.absent {
		open[bit>>6] |= 1 << (bit & 63)
	}
	set(d.absent, open)
	return nil
}

func (e *bitVector) bitmap(row uint32) []uint64 {
	from := int(row) * e.width
	return e.maps[from : from+e.width : from+e.width]
}

// find returns the bitmap of a key's value of the field.
func (d *bitDim) find(k []uint32) uint32 {
	if k[0]>>d.field&1 != 0 {
		return d.absent
	}
	if d.n == 1 {
		return d.row[floor(d.narrow, k[d.first])]
	}
	var v rules.Value
	for _, w := range k[d.first : d.first+d.n] {
		v = rules.Value{Hi: v.Hi<<32 | v.Lo>>32, Lo: v.Lo<<32 | uint64(w)}
	}
	lo := 0
	for n := len(d.wide); n > 1; {
		half := n / 2
		if !v.Less(d.wide[lo+half]) {
			lo += half
		}
		n -= half
	}
	return d.row[lo]
}

// floor returns the last of ascending bounds that is no larger than x; the first
// is 0. The halves are chosen without branches.
func floor(bounds []uint32, x uint32) int {
	lo := 0
	for n := len(bounds); n > 1; {
		half := n / 2
		next := lo
		if bounds[lo+half] <= x {
			next = lo + half
		}
		lo = next
		n -= half
	}
	return lo
}

// First looks keys up: a binary search per field and an AND that ends at the
// first rule, O(rules / 64) at worst.
func (e *bitVector) First(keys []uint32, out []int32) {
	n := e.words
	for i := range out {
		out[i] = e.first(keys[i*n : i*n+n])
	}
}

func (e *bitVector) first(k []uint32) int32 {
	var maps [rules.MaxFields][]uint64
	n := e.collect(k, &maps)
	if n == 0 {
		return e.wild()
	}
	a, b := maps[0], maps[min(1, n-1)]
	b = b[:len(a)]
	rest := maps[min(2, n):n]
	for i, x := range a {
		if x &= b[i]; x == 0 {
			continue
		}
		for _, m := range rest {
			x &= m[i]
		}
		if x != 0 {
			if r := e.answer(k, i, x); r >= 0 {
				return r
			}
		}
	}
	return -1
}

// collect stores the bitmaps for a key and returns their number.
func (e *bitVector) collect(k []uint32, maps *[rules.MaxFields][]uint64) int {
	for d := range e.dims {
		maps[d] = e.bitmap(e.dims[d].find(k))
	}
	return len(e.dims)
}

// wild is the answer when no rule asks for anything.
func (e *bitVector) wild() int32 {
	if len(e.rule) == 0 {
		return -1
	}
	return e.rule[0]
}

// answer returns the first rule of the bits x of word i that matches, or -1.
func (e *bitVector) answer(k []uint32, i int, x uint64) int32 {
	for ; x != 0; x &= x - 1 {
		if bit := i<<6 + bits.TrailingZeros64(x); e.matches(bit, k) {
			return e.rule[bit]
		}
	}
	return -1
}

// matches reports what the rule of a bit that is left says, if it is to be asked.
func (e *bitVector) matches(bit int, k []uint32) bool {
	return e.ask == nil || !e.ask[bit] || e.list.At(int(e.rule[bit])).Matches(e.list.Schema(), rules.Key(k))
}

// Bytes returns the memory of bitmaps and bounds.
func (e *bitVector) Bytes() int64 {
	n := 4*int64(len(e.rule)) + int64(len(e.ask)) + 8*int64(len(e.maps))
	for i := range e.dims {
		d := &e.dims[i]
		n += 128 + 4*int64(len(d.narrow)+len(d.row)) + 16*int64(len(d.wide))
	}
	return n
}

// Close does nothing.
func (e *bitVector) Close() {}
