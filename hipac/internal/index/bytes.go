package index

// The memory of an index.

import (
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/btree"

	"github.com/hipac-go/classifier/rules"
)

const (
	bitmapBytes    = 96 // a bitmap without its containers
	containerBytes = 60 // a container's header, key and place
	mapFill        = 2  // a map has about as many free places as used ones
	treeFill       = 2  // a B-tree's nodes are at least half full
)

// Bytes returns the memory of the index, within a quarter of it. It walks all
// sets.
func (x *Index) Bytes() int {
	n := bytesOf(x.every) + mapFill*len(x.rules)*(4+int(unsafe.Sizeof([]rules.Cond{}))) +
		len(x.fields)*int(unsafe.Sizeof(field{}))
	for i := range x.fields {
		f := &x.fields[i]
		if !f.used {
			continue
		}
		n += bytesOf(f.any) + bytesOf(f.orAbsent) + treeBytes(f.tree)
		n += mapFill * len(f.blocks) * (int(unsafe.Sizeof(block{})) + 8)
		for _, s := range f.blocks {
			n += int(unsafe.Sizeof(set{})) + s.bytes()
		}
	}
	return n
}

func treeBytes(t *btree.BTreeG[*elementary]) (n int) {
	t.Ascend(func(e *elementary) bool {
		n += int(unsafe.Sizeof(elementary{})) + treeFill*8 + e.set.bytes()
		return true
	})
	return n
}

// bytes returns what the set points to.
func (s *set) bytes() int {
	if s.big != nil {
		return bytesOf(s.big)
	}
	return 4 * cap(s.small)
}

func bytesOf(b *roaring.Bitmap) int {
	return bitmapBytes + int(b.Stats().Containers)*containerBytes + int(b.GetSizeInBytes())
}
