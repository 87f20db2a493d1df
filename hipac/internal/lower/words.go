package lower

// What a program asks of single words. A rule that is not exact is a box and a
// program; most programs are conditions on one word each, a union of ranges or a
// value under a mask, and say so here, for structures that can use it.

import "slices"

// WordTest is a condition on one word of a key.
type WordTest struct {
	Word  int
	Full  Span   // all values of the word
	Parts []Span // where it must lie, ascending and disjoint; nil is anywhere
	Want  uint32 // what it must be where Mask has bits
	Mask  uint32
}

// WordTests is the conditions on words that a program comes to, and the memory
// of their parts.
type WordTests struct {
	Tests []WordTest
	parts []Span
}

// WordTests fills in w with tests that hold for every key for which the program
// of the rule holds. It reports whether the reverse is true too, for keys within
// the rule's box that have the fields it needs. w is good until the next call.
func (p *Program) WordTests(rank uint32, w *WordTests) (whole bool) {
	w.Tests, w.parts = w.Tests[:0], w.parts[:0]
	start, ok := p.find(rank)
	if !ok {
		return false
	}
	code := p.code[start:]
	conds := int(code[0])
	code = code[1:]
	whole = true
	for range conds {
		field, flags, n, first := int(code[0]&0xff), code[0]>>8&0xf, int(code[0]>>12&0xf), int(code[0]>>16)
		ranges := int(code[1])
		body := code[2:]
		code = code[2+2*n+2*n*ranges:]
		if flags&flagOrAbsent != 0 || flags&flagMasked != 0 && flags&flagNot != 0 {
			whole = false
			continue
		}
		for j := range n {
			if mask := body[n+j]; mask != 0 {
				w.Tests = append(w.Tests, WordTest{Word: first + j, Full: fullWord(p.schema.Field(field), n, j), Want: body[j], Mask: mask})
			}
		}
		if ranges > 0 { // else it is a mask, or what is outside of nothing
			whole = w.union(body[2*n:2*n+2*n*ranges], n, first, flags&flagNot != 0, func(j int) Span { return fullWord(p.schema.Field(field), n, j) }) && whole
		}
	}
	return whole
}

// union adds the test of a union of ranges of n words each, or of what is
// outside.
func (w *WordTests) union(ranges []uint32, n, first int, not bool, full func(j int) Span) (whole bool) {
	if not && n > 1 {
		return false
	}
	// All ranges agree up to the word j.
	j := 0
	for ; j < n-1; j++ {
		for i := 0; i < len(ranges); i += n {
			if ranges[i+j] != ranges[j] {
				goto found
			}
		}
	}
found:
	all, from := full(j), len(w.parts)
	whole = true
	next := all.Lo // the first value behind the last range
	for ends := range slices.Chunk(ranges, 2*n) {
		lo, hi := ends, ends[n:]
		for k := j + 1; k < n; k++ {
			whole = whole && lo[k] == 0 && hi[k] == full(k).Hi
		}
		switch {
		case not:
			if lo[j] > next {
				w.parts = append(w.parts, Span{next, lo[j] - 1})
			}
			next = hi[j] + 1
		case len(w.parts) > from && w.parts[len(w.parts)-1].Hi >= lo[j]: // one word of two ranges
			w.parts[len(w.parts)-1].Hi = hi[j]
		default:
			w.parts = append(w.parts, Span{lo[j], hi[j]})
		}
	}
	if last := ranges[len(ranges)-1]; not && last < all.Hi {
		w.parts = append(w.parts, Span{next, all.Hi})
	}
	w.Tests = append(w.Tests, WordTest{Word: first + j, Full: all, Parts: w.parts[from:len(w.parts):len(w.parts)]})
	return whole
}
