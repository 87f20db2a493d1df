package counters

import "sync/atomic"

// The memory of a shard: entries in pages, pages in chunks, chunks in a root.

const (
	pageBits  = 9  // 512 entries of 32 bytes: 16 KiB, a size class of the allocator, so no waste
	chunkBits = 11 // 2048 page pointers: 16 KiB, a million numbers
	rootBits  = 32 - chunkBits - pageBits

	pageLen  = 1 << pageBits
	chunkLen = 1 << chunkBits
	rootLen  = 1 << rootBits
	maxPages = chunkLen * rootLen
)

// An entry counts one rule for one reader. Only the reader stores to it
// ([entry.add]); others load its words with [entry.load]. The spare word keeps
// it at half a cache line.
type entry struct {
	packets uint64
	bytes   uint64
	last    uint64 // nanoseconds since 1970, 0 for never
	_       uint64
}

// load reads the words one by one, each as a whole.
func (e *entry) load() (packets, bytes, last uint64) {
	return atomic.LoadUint64(&e.packets), atomic.LoadUint64(&e.bytes), atomic.LoadUint64(&e.last)
}

type page [pageLen]entry

// A chunk is stored to by the writer alone; a missing page is nil.
type chunk [chunkLen]atomic.Pointer[page]

// A root never holds nil: where nothing is, it holds noPages.
type root [rootLen]atomic.Pointer[chunk]

// noPages stands for every chunk that has no page; it is never stored to.
var noPages chunk
