package baselines

// Packed linear search: every rule in turn, the definition of the right answer,
// made as fast as plain code makes it. It needs no paper; what it is measured for
// is where all other work begins to pay.
//
// The first test of every box stands in an array of its own, 16 bytes a rule, so
// that a walk reads one stream and takes one branch a rule, well predicted when the
// test is one that few packets pass:
//
//	heads   src=10.1.2.3 | dport=53 | dst=192.0.2.0/24 | ...
//	rest                   proto=17   sport=1024-, proto=6
//
// The rest is read for the few rules whose first test holds. Which test few packets
// pass is found by trying each on a sample of keys that are put together from the
// rules: the first four letters of an interface are 32 bits and tell little.

import (
	"context"
	"math/rand/v2"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

var linearMaker = maker(compare.Maker{
	Name:   "linear",
	Title:  "packed linear",
	Source: "textbook",
	Note:   "the most selective test of each rule first",
}, newLinear)

type linear struct {
	*boxes
	heads []test // by box; one that always holds for a box without tests
}

func newLinear(ctx context.Context, l *rules.List[string], mem *budget) (*linear, error) {
	bx, err := newBoxes(ctx, l, false, mem)
	if err != nil {
		return nil, err
	}
	e := &linear{boxes: bx}
	if err := mem.check(e.boxes.bytes() + 16*int64(bx.len())); err != nil {
		return nil, err
	}
	sample := bx.sample()
	for b := range bx.len() {
		if err := poll(ctx, b); err != nil {
			return nil, err
		}
		bx.arrange(uint32(b), sample)
	}
	e.heads = make([]test, bx.len())
	for b := range e.heads {
		e.heads[b] = test{size: ^uint32(0)}
		if from := bx.start[b]; from < bx.start[b+1] {
			e.heads[b] = bx.tests[from]
		}
	}
	return e, nil
}

// First walks the list for each key.
func (e *linear) First(keys []uint32, out []int32) {
	n := e.words
	for i := range out {
		out[i] = e.first(keys[i*n : i*n+n])
	}
}

func (e *linear) first(k []uint32) int32 {
	for b := range e.heads {
		h := &e.heads[b]
		if k[h.word]&h.mask-h.lo <= h.size && e.holds(uint32(b), k) {
			return e.rule[b]
		}
	}
	return -1
}

// Bytes returns the memory of the arrays.
func (e *linear) Bytes() int64 { return e.boxes.bytes() + 16*int64(len(e.heads)) }

// Close does nothing.
func (e *linear) Close() {}

// sampleSize is the number of keys that tests are tried on.
const sampleSize = 64

// sample returns keys that lie in boxes spread over the list; words that a box
// leaves open come from the next boxes that do not.
func (bx *boxes) sample() (keys [][]uint32) {
	const tries = 16
	r := rand.New(rand.NewPCG(1, 1))
	for range min(sampleSize, bx.len()) {
		k := make([]uint32, bx.words)
		given := make([]bool, bx.words)
		at := r.IntN(bx.len())
		for i := range tries {
			b := (at + i) % bx.len()
			for _, t := range bx.tests[bx.start[b]:bx.start[b+1]] {
				if t.word != 0 && !given[t.word] {
					given[t.word] = true
					k[t.word] = t.lo + uint32(r.Uint64N(uint64(t.size)+1))
				}
			}
		}
		keys = append(keys, k)
	}
	return keys
}

// arrange sorts the tests of a box, those that fewest keys of a sample pass first,
// and those of word 0 last.
func (bx *boxes) arrange(b uint32, sample [][]uint32) {
	passes := func(t test) (n int) {
		if t.word == 0 {
			return sampleSize + 1
		}
		for _, k := range sample {
			if k[t.word]&t.mask-t.lo <= t.size {
				n++
			}
		}
		return n
	}
	tests := bx.tests[bx.start[b]:bx.start[b+1]]
	var order [maxWords]int
	if len(tests) > len(order) {
		return
	}
	for i := range tests { // insertion sort: they are few
		t, n := tests[i], passes(tests[i])
		j := i
		for ; j > 0 && order[j-1] > n; j-- {
			tests[j], order[j] = tests[j-1], order[j-1]
		}
		tests[j], order[j] = t, n
	}
}
