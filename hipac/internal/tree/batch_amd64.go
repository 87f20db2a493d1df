package tree

import "unsafe"

const (
	// maxVectorWords is the length of keys that fit a vector register.
	maxVectorWords = 16
	// maxWaiting bounds the spans that wait in a batch; a batch with more is
	// done one by one. The memory of the queues in batch_amd64.s has room for a
	// round more.
	maxWaiting = 256
	// none is the tag for no match in a batch. Unlike NoMatch it is even, which
	// says that no program need be asked.
	none = ^uint32(0) - 1
)

// batch is what walkAVX512 works on.
type batch struct {
	slots, lines, rows, keys, perms unsafe.Pointer
	words                           uint64
	n                               uint64 // keys
	wordMask                        uint64 // a bit for each word
	absent                          uint64 // keys with an absent field
	slow                            uint64 // keys whose answer is not here

	start [BatchSize]uint64 // the roots
	best  [BatchSize]uint32 // tags
}

// walkAVX512 takes the keys of b, whose references are in b.start,
// through the tree. It reports whether it could; then b.best holds the lowest
// tags, but for the keys of b.slow.
//
//go:noescape
func walkAVX512(b *batch) bool

// firstBatch is FirstBatch for up to BatchSize keys with AVX-512. It reports
// whether it did it.
func (t *Tree) firstBatch(keys []uint32, words int, roots *[BatchSize]Ref, ranks []int32) bool {
	if !HaveAVX512 || len(t.perms) == 0 || words > maxVectorWords {
		return false
	}
	var b batch
	b.slots = unsafe.Pointer(unsafe.SliceData(t.slots))
	b.lines = unsafe.Pointer(unsafe.SliceData(t.lines))
	b.rows = unsafe.Pointer(unsafe.SliceData(t.rows))
	b.perms = unsafe.Pointer(unsafe.SliceData(t.perms))
	b.keys = unsafe.Pointer(unsafe.SliceData(keys))
	b.words, b.n, b.wordMask = uint64(words), uint64(len(ranks)), 1<<words-1
	for i := range ranks {
		b.start[i] = uint64(roots[i])
	}
	if !walkAVX512(&b) {
		return false
	}
	for i := range ranks {
		tag := b.best[i]
		rank := int32(tag >> 1)
		if tag == none {
			rank = -1
		}
		if b.slow>>i&1 != 0 {
			rank = int32(t.First(roots[i], keys[i*words:i*words+words]))
		}
		ranks[i] = rank
	}
	return true
}
