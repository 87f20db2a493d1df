//go:build !amd64

package tree

// HaveAVX512 reports whether the processor can run the AVX-512 batch path.
const HaveAVX512 = false

// firstBatch looks up no key: there is no vector path here.
func (t *Tree) firstBatch(keys []uint32, words int, roots []Ref, ranks []int32) bool {
	return false
}
