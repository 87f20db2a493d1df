package tree

import (
	"math/bits"
	"unsafe"
)

const (
	// maxWaiting bounds the spans that wait in a batch; a batch with more is
	// done one by one. The memory of the queues in batch_amd64.s has room for a
	// round more.
	maxWaiting = 256
	// none is the tag for no match in a batch. Unlike NoMatch it is even, which
	// says that no program need be asked. The assembly alone uses it.
	none = ^uint32(0) - 1 //lint:ignore U1000 in batch_amd64.s
)

// batch is what walkAVX512 works on.
type batch struct {
	slots, lines, rows, keys, perms unsafe.Pointer
	wants, needs                    unsafe.Pointer // wants may be nil
	words                           uint64
	n                               uint64 // keys
	wordMask                        uint64 // a bit for each word
	absent                          uint64 //lint:ignore U1000 keys with an absent field, set and used in batch_amd64.s
	slow                            uint64 // keys whose answer is not here

	root  uint64         // of all keys, when it is not 0
	roots unsafe.Pointer // of each
	best  [BatchSize]uint32
}

// walkAVX512 takes the keys of b from their roots through the tree. It reports
// whether it could; then b.best holds the lowest ranks, or the bits of -1, but
// for the keys of b.slow.
//
//go:noescape
func walkAVX512(b *batch) bool

// firstBatch is FirstBatch for up to BatchSize keys with AVX-512. It reports
// whether it did it.
func (t *Tree) firstBatch(keys []uint32, words int, roots []Ref, ranks []int32) bool {
	if !t.Vector(words) {
		return false
	}
	b := batch{
		slots:    unsafe.Pointer(unsafe.SliceData(t.slots)),
		lines:    unsafe.Pointer(unsafe.SliceData(t.lines)),
		rows:     unsafe.Pointer(unsafe.SliceData(t.rows)),
		perms:    unsafe.Pointer(unsafe.SliceData(t.perms)),
		keys:     unsafe.Pointer(unsafe.SliceData(keys)),
		wants:    unsafe.Pointer(unsafe.SliceData(t.wants)),
		needs:    unsafe.Pointer(unsafe.SliceData(t.needs)),
		words:    uint64(words),
		n:        uint64(len(ranks)),
		wordMask: 1<<words - 1,
		roots:    unsafe.Pointer(unsafe.SliceData(roots)),
	}
	if len(roots) == 1 {
		if roots[0].isEmpty() {
			for i := range ranks {
				ranks[i] = -1
			}
			return true
		}
		b.root = uint64(roots[0])
	}
	if !walkAVX512(&b) {
		return false
	}
	copy(ranks, (*[BatchSize]int32)(unsafe.Pointer(&b.best))[:len(ranks)])
	for s := b.slow; s != 0; s &= s - 1 {
		i := bits.TrailingZeros64(s)
		ranks[i] = int32(t.First(roots[min(i, len(roots)-1)], keys[i*words:i*words+words]))
	}
	return true
}
