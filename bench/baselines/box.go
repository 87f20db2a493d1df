package baselines

// Boxes: rules as conjunctions of tests of key words, one after the other in one
// flat array. A test is an interval, a value under a mask, or both ends of one
// and the bits that count:
//
//	(key[word] & mask) - lo <= size      in unsigned arithmetic
//
// src=10.0.0.0/8 is {1, ^0, 0x0a000000, 0x00ffffff}, tcpflags&0x17=2 is {9,
// 0x17, 2, 0}, and "has the fields 2 and 3" is {0, 1<<2|1<<3, 0, 0}. The tests of
// a box begin with those that fewest values pass.
//
// A rule whose conditions are unions becomes several boxes of the same rank, the
// product of its unions. When they would be more than maxBoxes, the field with
// most pieces is taken as one interval around all of them, and the box is loose:
// the rule itself is asked when a packet lies in it. Splitting that way is what
// the papers ask for; asking bounds it.

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// maxBoxes bounds the boxes of one rule: enough for a multiport of 15.
const maxBoxes = 16

// test is what a box asks of one key word.
type test struct{ word, mask, lo, size uint32 }

// interval reports whether the test is one of an interval: those of masks, and of
// word 0, do not have all the bits of a word. A word has one interval at most.
func (t *test) interval() bool { return t.word != 0 && t.mask == ^uint32(0) }

// width is how many bits of its word a test gives, about.
func (t *test) width() int {
	if t.interval() {
		return 32 - bits.Len32(t.size)
	}
	return bits.OnesCount32(t.mask)
}

// boxes are the rules of a list, in order. Box b has the tests
// tests[start[b]:start[b+1]] and belongs to the rule at position rule[b]; rule r
// has the boxes from of[r] to of[r+1].
type boxes struct {
	list  *rules.List[string]
	words int
	rule  []int32
	start []uint32
	tests []test
	of    []uint32
	loose []bool   // nil when none is
	full  []uint32 // by word: its bits
}

// len returns the number of boxes.
func (bx *boxes) len() int { return len(bx.rule) }

// bytes returns the memory of the boxes.
func (bx *boxes) bytes() int64 {
	return 4*int64(len(bx.rule)+len(bx.start)+len(bx.of)) + 16*int64(len(bx.tests)) + int64(len(bx.loose))
}

// holds reports whether the rule of box b matches a key, as far as this box goes.
func (bx *boxes) holds(b uint32, k []uint32) bool {
	for _, t := range bx.tests[bx.start[b]:bx.start[b+1]] {
		if k[t.word]&t.mask-t.lo > t.size {
			return false
		}
	}
	return bx.loose == nil || bx.asked(b, k)
}

// asked reports what the rule itself says when box b is loose, else true.
func (bx *boxes) asked(b uint32, k []uint32) bool {
	return !bx.loose[b] || bx.list.At(int(bx.rule[b])).Matches(bx.list.Schema(), rules.Key(k))
}

// wordBox is a product of intervals of the words of one field.
type wordBox []test

// splitInterval returns an interval of a field as products of intervals of its
// words: one for a prefix, up to 2n-1 for n words.
func splitInterval(s *rules.Schema, field int, iv rules.Interval) []wordBox {
	first, n := s.FieldWords(field)
	full := s.Field(field).Full()
	var out []wordBox
	var split func(j int, lo, hi rules.Value, head wordBox)
	split = func(j int, lo, hi rules.Value, head wordBox) {
		rest := 32 * (n - 1 - j) // bits behind word j
		low := rules.Ones(rest)
		a, b := uint32(lo.Shr(rest).Lo), uint32(hi.Shr(rest).Lo)
		top := uint32(full.Hi.Shr(rest).Lo)
		with := func(lo, hi uint32) wordBox {
			if lo == 0 && hi == top {
				return slices.Clip(head)
			}
			return append(slices.Clip(head), test{uint32(first + j), ^uint32(0), lo, hi - lo})
		}
		switch {
		case j == n-1 || lo.And(low) == rules.Value{} && hi.And(low) == low:
			out = append(out, with(a, b))
		case a == b:
			split(j+1, lo, hi, append(slices.Clip(head), test{uint32(first + j), ^uint32(0), a, 0}))
		default:
			from, to := a, b
			if lo.And(low) != (rules.Value{}) {
				split(j+1, lo, lo.Or(low), append(slices.Clip(head), test{uint32(first + j), ^uint32(0), a, 0}))
				from++
			}
			if hi.And(low) != low {
				to--
			}
			if from <= to {
				out = append(out, with(from, to))
			}
			if hi.And(low) != low {
				split(j+1, hi.And(low.Not()), hi, append(slices.Clip(head), test{uint32(first + j), ^uint32(0), b, 0}))
			}
		}
	}
	split(0, iv.Lo, iv.Hi, nil)
	return out
}

// cover returns the smallest prefix around an interval of a field.
func cover(f *rules.Field, iv rules.Interval) rules.Interval {
	return rules.PrefixInterval(iv.Lo, f.Bits-iv.Lo.Xor(iv.Hi).BitLen(), f.Bits)
}

// choice is one piece of a set as tests: of the words of the field, and of
// word 0, whose bits in care must be those of state.
type choice struct {
	tests       wordBox
	care, state uint32
}

// choices returns a set as tests.
func choices(s *rules.Schema, set *fieldSet) (out []choice) {
	first, n := s.FieldWords(set.field)
	bit := uint32(1) << set.field
	zero := false
	for i := range set.pieces {
		p := &set.pieces[i]
		var c choice
		if p.zero() {
			zero = true
			if !set.absent {
				c.care = bit
			}
		}
		var masks wordBox
		for j := range n {
			mask, want := uint32(p.mask.Shr(32*(n-1-j)).Lo), uint32(p.want.Shr(32*(n-1-j)).Lo)
			halves := []uint32{mask}
			if mask == ^uint32(0) {
				halves = []uint32{mask << 16, mask >> 16}
			}
			for _, m := range halves {
				if m != 0 {
					masks = append(masks, test{uint32(first + j), m, want & m, 0})
				}
			}
		}
		for _, w := range splitInterval(s, set.field, p.Interval) {
			out = append(out, choice{append(w, masks...), c.care, 0})
		}
	}
	if set.absent && !zero {
		c := choice{care: bit, state: bit}
		for j := range n {
			c.tests = append(c.tests, test{uint32(first + j), ^uint32(0), 0, 0})
		}
		out = append(out, c)
	}
	return out
}

// loosened returns a set as the prefix around it.
func loosened(s *rules.Schema, set *fieldSet) choice {
	return choice{tests: splitInterval(s, set.field, cover(s.Field(set.field), set.hull()))[0]}
}

// newBoxes lowers a list. With expand, small masks become intervals. It takes
// O(conditions) time, and fails with compare.ErrMemory or the context's error.
func newBoxes(ctx context.Context, l *rules.List[string], expand bool, mem *budget) (*boxes, error) {
	s := l.Schema()
	bx := &boxes{list: l, words: s.KeyLen(), start: []uint32{0}, of: make([]uint32, 1, l.Len()+1)}
	bx.full = make([]uint32, bx.words)
	for f := range s.Len() {
		first, n := s.FieldWords(f)
		for j := range n {
			bx.full[first+j] = uint32(s.Field(f).Max().Shr(32 * (n - 1 - j)).Lo)
		}
	}
	lw := lowering{schema: s, expand: expand}
	var sets [][]choice
	for i := range l.Len() {
		if i&255 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := mem.check(bx.bytes()); err != nil {
				return nil, err
			}
		}
		r := l.At(i)
		if !r.Continue {
			if fields, ok := lw.rule(r.Conds); ok {
				sets = sets[:0]
				loose := false
				for j := range fields {
					sets = append(sets, choices(s, &fields[j]))
					if fields[j].loose {
						loose = true
					}
				}
				for product(sets) > maxBoxes {
					most := 0
					for j := range sets {
						if len(sets[j]) > len(sets[most]) {
							most = j
						}
					}
					sets[most], loose = []choice{loosened(s, &fields[most])}, true
				}
				bx.add(int32(i), sets, loose)
			}
		}
		bx.of = append(bx.of, uint32(bx.len()))
	}
	return bx, mem.check(bx.bytes())
}

// product returns how many boxes the sets make, or a number beyond maxBoxes.
func product(sets [][]choice) int {
	n := 1
	for _, c := range sets {
		if n *= len(c); n > maxBoxes {
			break
		}
	}
	return n
}

// add appends the boxes of one rule.
func (bx *boxes) add(rule int32, sets [][]choice, loose bool) {
	var pick [rules.MaxFields]int
	for {
		var care, state uint32
		from := len(bx.tests)
		for j, c := range sets {
			one := &c[pick[j]]
			care, state = care|one.care, state|one.state
			bx.tests = append(bx.tests, one.tests...)
		}
		slices.SortStableFunc(bx.tests[from:], func(a, b test) int { return cmp.Compare(b.width(), a.width()) })
		if care != 0 {
			bx.tests = append(bx.tests, test{0, care, state, 0})
		}
		if loose && bx.loose == nil {
			bx.loose = make([]bool, bx.len())
		}
		if bx.loose != nil {
			bx.loose = append(bx.loose, loose)
		}
		bx.rule = append(bx.rule, rule)
		bx.start = append(bx.start, uint32(len(bx.tests)))
		j := 0
		for ; j < len(sets); j++ {
			if pick[j]++; pick[j] < len(sets[j]) {
				break
			}
			pick[j] = 0
		}
		if j == len(sets) {
			return
		}
	}
}

// maxWords is the longest key.
const maxWords = rules.MaxKeyWords
