package tree

// Batches: many keys side by side. The AVX-512 walk (batch_amd64.s) takes 64
// keys through the tree together, step by step: where one key waits for memory
// or for a branch that cannot be foretold, the others go on.

// BatchSize is the number of keys that a batch path takes at a time.
const BatchSize = 64

// maxVectorWords is the length of keys that a vector register holds. Longer ones
// could be gathered, but that costs what the vector path gains: keys of 37 words
// took as long as one by one.
const maxVectorWords = 16

// Vector reports whether there is a vector path for keys of so many words.
func (t *Tree) Vector(words int) bool {
	return HaveAVX512 && len(t.perms) > 0 && words <= maxVectorWords
}

// Inexact reports whether one rule in eight or more is inexact. The vector path
// leaves keys that come to one to the other, and is no gain then.
func (t *Tree) Inexact() bool { return t.program.Many() }

// leastBatch is the number of keys from which the vector path beats walks one
// by one.
const leastBatch = 8

// FirstBatch sets ranks[i] to the lowest rank that matches key i, or to -1, for
// len(ranks) <= BatchSize keys of so many words each, back to back. roots holds
// a root for each key, or one for all. With vector, and where there is one, it
// runs the vector path.
func (t *Tree) FirstBatch(keys []uint32, words int, roots []Ref, ranks []int32, vector bool) {
	if vector && len(ranks) >= leastBatch && t.firstBatch(keys, words, roots, ranks) {
		return
	}
	for i := range ranks {
		ranks[i] = int32(t.First(roots[min(i, len(roots)-1)], keys[i*words:i*words+words])) // NoMatch is -1
	}
}

// permutation moves the words of a key to the places that a class has them in
// a block of a row.
type permutation struct {
	index  [blockWords]uint32
	used   uint32 // places that are used, as bits
	blocks uint32 // of the class; in the permutation of its first block
	more   uint32 // number of the permutation of the second block; the others follow
	_      [5]uint32
}

const permBytes = 64

// vectorize makes what the vector path needs: the permutations of the first
// blocks by class, then those of the other blocks.
func (t *Tree) vectorize() {
	if !HaveAVX512 {
		return
	}
	t.perms = make([]permutation, len(t.classes))
	for i := range t.classes {
		c := &t.classes[i]
		t.perms[i] = permutationOf(c.words[:blockWords], 1)
		t.perms[i].blocks, t.perms[i].more = uint32(c.blocks), uint32(len(t.perms))
		for j := 1; j < int(c.blocks); j++ {
			t.perms = append(t.perms, permutationOf(c.words[j*blockWords:(j+1)*blockWords], 0))
		}
	}
}

// permutationOf returns the permutation of a block, from the first place on.
func permutationOf(words []uint8, from int) (p permutation) {
	for at := from; at < blockWords; at++ {
		if w := words[at]; w != 0 {
			p.index[at] = uint32(w)
			p.used |= 1 << at
		}
	}
	return p
}
