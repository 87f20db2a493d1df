// Package lower turns rules into boxes over key words.
//
// The engine works on the 32-bit words of a key (see rules.Key), not on
// fields: a 128-bit address is four words, and every structure below sees only
// words of at most 32 bits. Each rule becomes one box, an interval per word,
// that holds every packet the rule matches. For most rules the box holds no
// other packet: the rule is exact. Where a condition is no box (a union of
// ports, a negation, an address range across a word boundary, a bit mask) the
// box is its hull and a Program finishes the test on the few packets that get
// so far. Rules are never multiplied.
//
//	src=10.0.0.0/8         word 1: [0x0a000000, 0x0affffff]          exact
//	dport=22,80,443        word 4: [22, 443]        + program {22,80,443}
//	src=2001:db8::/32      word 1: [0x20010db8, 0x20010db8]          exact
//	proto!=6               (no interval)            + program not {6}
//
// An absent field has words 0. The box knows nothing of that: Need lists the
// fields that the rule wants present.
package lower

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// ErrMemory means that compiling would take more memory than is allowed.
var ErrMemory = errors.New("memory limit exceeded")

// Span is a closed interval of word values.
type Span struct{ Lo, Hi uint32 }

// Covers reports whether every value of t is in s.
func (s Span) Covers(t Span) bool { return s.Lo <= t.Lo && s.Hi >= t.Hi }

// Overlaps reports whether s and t have a value in common.
func (s Span) Overlaps(t Span) bool { return s.Lo <= t.Hi && t.Lo <= s.Hi }

// Dim is one key word that some entry constrains.
type Dim struct {
	Word  int    // index in the key
	Field int    // the field the word is part of
	Full  Span   // all values of the word
	Spans []Span // per entry
}

// Boxes are the lowered rules of one list, in order. Entry i is the rule at
// position Rank[i]; rules that can never match have no entry.
type Boxes struct {
	Dims    []Dim // ascending by word
	Rank    []uint32
	Need    []uint32 // fields that must be present, as in key word 0
	Inexact []bool   // the rule's Program must be asked too
	Hides   []bool   // what a later rule shares with this box it never gets
	Never   []uint32 // ranks of rules that can never match
	Program Program
}

// Len returns the number of entries.
func (b *Boxes) Len() int { return len(b.Rank) }

// Source gives the rules to lower: their number, and for each its conditions,
// whether it is wanted at all and whether it hides later rules where it
// matches.
type Source struct {
	Len   int
	Conds func(i int) []rules.Cond
	Skip  func(i int) bool // may be nil
	Hides func(i int) bool // may be nil: all do
}

// Lower makes the boxes of the rules of a schema. It takes O(rules x
// conditions) time and 8 bytes per rule and constrained word. It fails when
// the context ends, and with ErrMemory when the programs, which stay, take
// more than limit bytes.
func Lower(ctx context.Context, s *rules.Schema, src Source, limit int64) (*Boxes, error) {
	b := &Boxes{Program: Program{schema: s}}
	b.Rank = make([]uint32, 0, src.Len)
	b.Need = make([]uint32, 0, src.Len)
	b.Inexact = make([]bool, 0, src.Len)
	b.Hides = make([]bool, 0, src.Len)
	var dimsOf [rules.MaxFields]int // 1 + index in b.Dims of a field's first word
	var box [4]Span
	for i := range src.Len {
		if i&255 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if src.Skip != nil && src.Skip(i) {
			continue
		}
		e := len(b.Rank)
		var need, fields uint32
		inexact, possible := false, true
		conds := src.Conds(i)
		for j := range conds {
			c := &conds[j]
			f := c.Field()
			fields |= 1 << f
			if !c.AllowsAbsent() {
				need |= 1 << f
			}
			if dimsOf[f] == 0 {
				dimsOf[f] = len(b.Dims) + 1
				b.addDims(s, f, src.Len)
			}
			_, n := s.FieldWords(f)
			dims := b.Dims[dimsOf[f]-1:][:n]
			var exact, ok bool
			if n == 1 { // without the copies
				exact, ok = lowerCond(s.Field(f), c, dims[0].Spans[e:e+1], dims)
			} else {
				for d := range dims {
					box[d] = dims[d].Spans[e]
				}
				exact, ok = lowerCond(s.Field(f), c, box[:n], dims)
				for d := range dims {
					dims[d].Spans[e] = box[d]
				}
			}
			inexact, possible = inexact || !exact, possible && ok
		}
		if !possible {
			b.Never = append(b.Never, uint32(i))
			for ; fields != 0; fields &= fields - 1 { // the place is for the next rule
				f := bits.TrailingZeros32(fields)
				_, n := s.FieldWords(f)
				for _, d := range b.Dims[dimsOf[f]-1:][:n] {
					d.Spans[e] = d.Full
				}
			}
			continue
		}
		b.Rank = append(b.Rank, uint32(i))
		b.Need = append(b.Need, need)
		b.Inexact = append(b.Inexact, inexact)
		b.Hides = append(b.Hides, src.Hides == nil || src.Hides(i))
		if inexact {
			b.Program.add(uint32(i), conds)
			if size := 4 * int64(len(b.Program.code)); size > limit || size > maxProgram {
				return nil, ErrMemory
			}
		}
	}
	slices.SortFunc(b.Dims, func(x, y Dim) int { return cmp.Compare(x.Word, y.Word) })
	// Words that no rule cuts (an IPv6 prefix leaves the last ones full) are
	// no dimensions.
	kept := b.Dims[:0]
	for _, d := range b.Dims {
		d.Spans = d.Spans[:b.Len()]
		for _, sp := range d.Spans {
			if sp != d.Full {
				kept = append(kept, d)
				break
			}
		}
	}
	b.Dims = kept
	return b, nil
}

// addDims adds the words of a field, with room for n entries that do not
// constrain them.
func (b *Boxes) addDims(s *rules.Schema, field, n int) {
	first, words := s.FieldWords(field)
	for j := range words {
		d := Dim{Word: first + j, Field: field, Full: fullWord(s.Field(field), words, j), Spans: make([]Span, n)}
		for e := range d.Spans {
			d.Spans[e] = d.Full
		}
		b.Dims = append(b.Dims, d)
	}
}

// fullWord returns all values of word j of the n of a field.
func fullWord(f *rules.Field, n, j int) Span {
	if j > 0 {
		return Span{Hi: ^uint32(0)}
	}
	return Span{Hi: 1<<(f.Bits-32*(n-1)) - 1}
}

// lowerCond cuts box, the words of one field, down to the hull of c, which has
// intervals, a mask or both, as conditions of lists do. exact says that the hull is
// c itself, ok that c holds for some packet.
func lowerCond(f *rules.Field, c *rules.Cond, box []Span, dims []Dim) (exact, ok bool) {
	ranges, ranged := c.Intervals()
	want, mask, masked := c.Mask()
	if len(box) == 1 && len(ranges) == 1 && !masked && !c.Negated() && !c.AllowsAbsent() { // most are
		box[0].Lo, box[0].Hi = max(box[0].Lo, uint32(ranges[0].Lo.Lo)), min(box[0].Hi, uint32(ranges[0].Hi.Lo))
		return true, box[0].Lo <= box[0].Hi
	}
	switch {
	case masked && (c.Negated() || c.AllowsAbsent()):
		return false, true // left to the program
	case !ranged:
		free := mask.Not().And(f.Max())
		if free != rules.Ones(free.BitLen()) {
			return false, cutMask(want, free, box)
		}
		ranges, masked = []rules.Interval{{Lo: want, Hi: want.Or(free)}}, false
	}
	if c.Negated() {
		ranges = rules.Complement(f, ranges)
	}
	if c.AllowsAbsent() {
		// Absent fields are 0: the hull reaches down to it.
		hull := rules.Interval{}
		if len(ranges) > 0 {
			hull.Hi = ranges[len(ranges)-1].Hi
		}
		_, ok = cutInterval(hull, box, dims)
		return false, ok
	}
	if len(ranges) == 0 {
		return true, false
	}
	hull := rules.Interval{Lo: ranges[0].Lo, Hi: ranges[len(ranges)-1].Hi}
	exact, ok = cutInterval(hull, box, dims)
	if masked {
		return false, ok && cutMask(want, mask.Not().And(f.Max()), box)
	}
	return exact && len(ranges) == 1, ok
}

// cutInterval intersects the words of a field with the hull of an interval:
// words before the first one that differs are points, words behind it are full.
func cutInterval(iv rules.Interval, box []Span, dims []Dim) (exact, ok bool) {
	exact, ok = true, true
	n := len(box)
	open := false // a word before this one had lo < hi
	for j := range n {
		lo, hi := word(iv.Lo, n, j), word(iv.Hi, n, j)
		if open {
			exact = exact && lo == 0 && hi == dims[j].Full.Hi
			continue
		}
		box[j].Lo, box[j].Hi = max(box[j].Lo, lo), min(box[j].Hi, hi)
		ok = ok && box[j].Lo <= box[j].Hi
		open = lo != hi
	}
	return exact, ok
}

// cutMask intersects the words of a field with the hull of a mask whose free
// bits may be anything.
func cutMask(want, free rules.Value, box []Span) bool {
	ok := true
	for j := range box {
		w, f := word(want, len(box), j), word(free, len(box), j)
		box[j].Lo, box[j].Hi = max(box[j].Lo, w), min(box[j].Hi, w|f)
		ok = ok && box[j].Lo <= box[j].Hi
	}
	return ok
}

// word returns word j of n, most significant first.
func word(v rules.Value, n, j int) uint32 { return uint32(v.Shr(32 * (n - 1 - j)).Lo) }
