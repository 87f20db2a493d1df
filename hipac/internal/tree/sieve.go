package tree

// What a bucket knows of its entries beyond their boxes: the unions and masks of
// inexact rules, and the fields that rules want present. With it a candidate of
// a bucket is nearly always a match; without, a set of rules whose boxes are all
// alike makes a lookup ask their programs one after another.

import (
	"math/bits"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/hipac/internal/lower"
)

// askedWord is what the entries of a bucket ask of one word.
type askedWord struct {
	word  int
	reach lower.Span
	// parts of the entries that have some, one behind the other; nil when no
	// entry has
	owners []int32 // position of each entry with parts, ascending
	ends   []int   // of its parts in spans
	spans  []lower.Span
	// want and mask by position; nil when no entry asks for bits
	want, mask []uint32
	bits       uint32 // of all masks
}

// sieve returns what is known of the entries of a bucket that may take so many
// bytes, nil when it is no more than their boxes.
func (b *Builder) sieve(k *bucket, bytes int64) *bitvec.Sieve {
	words, doubtful := b.askedWords(k)
	if len(words) == 0 && !slices.Contains(doubtful, true) {
		return nil
	}
	s := &bitvec.Sieve{}
	room := bitvec.MaxDims - max(1, len(b.dims)) // for chunks, when every word is cut
	for _, w := range words {
		if len(w.owners) > 0 {
			s.Unions = append(s.Unions, b.unionOf(k, w))
			if !slices.ContainsFunc(b.dims, func(d lower.Dim) bool { return d.Word == w.word }) {
				room--
			}
		}
	}
	// Chunks of 8 bits while they leave half of the memory to other words, else
	// of 4. What does not fit is left out, as is what a bucket has no room for.
	n, left := len(k.entries), bytes/2
	fits := func(c *bitvec.Chunk) bool {
		left -= c.Bytes(n)
		room--
		return left >= 0 && room >= 0
	}
	size := 8
	total := int64(0)
	for _, w := range words {
		w.chunks(size, func(c bitvec.Chunk) { total += c.Bytes(n) })
	}
	if total > left {
		size = 4
	}
	for _, w := range words {
		w.chunks(size, func(c bitvec.Chunk) {
			fit := fits(&c)
			if fit {
				c.Want, c.Mask = make([]uint8, n), make([]uint8, n)
			}
			for i := range w.mask {
				want, mask := uint8(w.want[i]>>c.Shift)&(1<<c.Bits-1), uint8(w.mask[i]>>c.Shift)&(1<<c.Bits-1)
				if fit {
					c.Want[i], c.Mask[i] = want, mask
				} else if mask != 0 {
					doubtful[i] = true
				}
			}
			if fit {
				s.Chunks = append(s.Chunks, c)
			}
		})
	}
	// Where a union has more ends than there are blocks, and its ranges are
	// short, the last bits tell values of a block apart.
	for i := range s.Unions {
		u := &s.Unions[i]
		c := bitvec.Chunk{Word: u.Word, Bits: 8, Union: u}
		if short(u) > manyParts && fits(&c) {
			s.Chunks = append(s.Chunks, c)
		}
	}
	for _, x := range doubtful {
		if x {
			s.Doubtful++
		}
	}
	return s
}

// manyParts is the number of short ranges of a union from which blocks hold
// several.
const manyParts = 1 << 10

// short counts the ranges of a union that have few of the last 8 bits.
func short(u *bitvec.Union) (n int) {
	for _, s := range u.Spans {
		if s.Hi-s.Lo < 64 {
			n++
		}
	}
	return n
}

// askedWords gathers what the entries ask of words, and which of them, by
// position, ask for more.
func (b *Builder) askedWords(k *bucket) (words []*askedWord, doubtful []bool) {
	doubtful = make([]bool, len(k.entries))
	at := func(word int, reach lower.Span) *askedWord {
		for _, w := range words {
			if w.word == word {
				return w
			}
		}
		for d := range b.dims {
			if b.dims[d].Word == word {
				reach = k.reach[d]
			}
		}
		words = append(words, &askedWord{word: word, reach: reach})
		return words[len(words)-1]
	}
	ask := func(w *askedWord, i int, want, mask uint32) {
		if w.mask == nil {
			w.want, w.mask = make([]uint32, len(k.entries)), make([]uint32, len(k.entries))
		}
		w.want[i] |= want
		w.mask[i] |= mask
		w.bits |= mask
	}
	copy(b.reach, k.reach)
	known := b.known()
	var tests lower.WordTests
	for i, e := range k.entries {
		if need := b.boxes.Need[e] &^ known; need != 0 {
			ask(at(0, lower.Span{Hi: ^uint32(0)}), i, 0, need)
		}
		if !b.boxes.Inexact[e] {
			continue
		}
		doubtful[i] = !b.boxes.Program.WordTests(b.boxes.Rank[e], &tests)
		for j := range tests.Tests {
			t := &tests.Tests[j]
			w := at(t.Word, t.Full)
			if t.Mask != 0 {
				ask(w, i, t.Want, t.Mask)
			}
			if t.Parts == nil {
				continue
			}
			if last := len(w.owners) - 1; last >= 0 && w.owners[last] == int32(i) {
				doubtful[i] = true // a second union of the word
				continue
			}
			w.owners = append(w.owners, int32(i))
			w.spans = append(w.spans, t.Parts...)
			w.ends = append(w.ends, len(w.spans))
		}
	}
	return words, doubtful
}

// unionOf returns the ranges of all entries in a word.
func (b *Builder) unionOf(k *bucket, w *askedWord) bitvec.Union {
	u := bitvec.Union{Word: w.word, Reach: w.reach, Start: make([]uint32, 1, len(k.entries)+1)}
	dim := slices.IndexFunc(b.dims, func(d lower.Dim) bool { return d.Word == w.word })
	next, from := 0, 0
	for i, e := range k.entries {
		box := w.reach
		if dim >= 0 {
			box = b.dims[dim].Spans[e]
		}
		if next < len(w.owners) && w.owners[next] == int32(i) {
			for _, s := range w.spans[from:w.ends[next]] {
				if s.Overlaps(box) {
					u.Spans = append(u.Spans, clip(s, box))
				}
			}
			from = w.ends[next]
			next++
		} else {
			u.Spans = append(u.Spans, box)
		}
		u.Start = append(u.Start, uint32(len(u.Spans)))
	}
	return u
}

// chunks calls do for the chunks of so many bits that the masks of a word have,
// each as wide as they are there.
func (w *askedWord) chunks(size int, do func(c bitvec.Chunk)) {
	for shift := 0; w.bits>>shift != 0; shift += size {
		if m := w.bits >> shift & (1<<size - 1); m != 0 {
			do(bitvec.Chunk{Word: w.word, Shift: shift, Bits: bits.Len32(m)})
		}
	}
}
