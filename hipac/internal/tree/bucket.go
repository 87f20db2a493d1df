package tree

// Buckets: entries that no cut separates, found by the intersection of bitmaps
// (package bitvec). While the tree is built a bucket is a note of its entries,
// because a node above may still become a bucket itself; all are written when
// the root is done.

import (
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/hipac/internal/lower"
)

const (
	// bucketRows is the number of entries beyond which a leaf becomes a bucket.
	bucketRows = 160
	// bucketBytes is what a bucket may take per entry: enough for 512 blocks in
	// five words.
	bucketBytes = 400
	// bucketsBytes is what all buckets of a root may take per entry of the root,
	// each of which may be in several.
	bucketsBytes = 800
	// bucketSlack is how much more than a bucket the worst lookup of a subtree
	// may cost: 12 us.
	bucketSlack = 1500

	// In table steps, by measurement of hostile sets of 3,000 and 100,000 rules;
	// with half of bucketDimCost some common sets of 1,000 rules become a bucket, which
	// is slower.
	enterCost      = 2.0  // of a leaf that is not in the cache
	bucketDimCost  = 7.0  // of each word, for a first match among its first entries
	bucketWordCost = 0.1  // of a word of its bitmaps
	bucketMeanCost = 0.03 // of the same, as not all are read
)

// plainBucket marks buckets among the leaves of plain trees, which are short
// otherwise.
const plainBucket = Ref(formBucket) << formAt

// cost is what a lookup in a subtree costs, in table steps.
type cost struct{ mean, worst float64 }

// costOfRows is the cost of a leaf.
func costOfRows(n int) cost {
	c := enterCost + rowCost*float64(n)
	return cost{c, c}
}

// beside returns the cost of a subtree that has a span.
func (c cost) beside(span cost) cost {
	return cost{c.mean + spanCost + span.mean, c.worst + spanCost + span.worst}
}

// costSum gathers the costs of children.
type costSum struct{ mean, worst, weight float64 }

func (s *costSum) add(c cost, entries int) {
	s.mean += c.mean * float64(entries)
	s.weight += float64(entries)
	s.worst = max(s.worst, c.worst)
}

// under returns the cost of a node, which takes so many steps itself.
func (s *costSum) under(steps float64) cost {
	return cost{steps + s.mean/max(s.weight, 1), steps + s.worst}
}

// costOfBucket returns the cost of a bucket of the entries.
func (b *Builder) costOfBucket(entries []int32) cost {
	dims := 0
	for d := range b.dims {
		for _, e := range entries {
			if !b.dims[d].Spans[e].Covers(b.reach[d]) {
				dims++
				break
			}
		}
	}
	open := bucketDimCost * float64(dims)
	words := float64(dims) * float64(len(entries)) / 63
	return cost{open + bucketMeanCost*words, open + bucketWordCost*words}
}

// bucket is a bucket to be written.
type bucket struct {
	entries []int32
	reach   []lower.Span
}

// noted is the class in the reference of a bucket that is not written; its
// offset is the number of the note.
const noted = 1

// bucket notes a bucket of the entries.
func (b *Builder) bucket(entries []int32) (Ref, cost) {
	b.buckets = append(b.buckets, bucket{entries, slices.Clone(b.reach)})
	return leafRef(len(b.buckets)-1, 1, formBucket, noted), b.costOfBucket(entries)
}

// fillBuckets writes the noted buckets of a root of n entries, whose slots begin
// at from, and returns its reference. What does not fit becomes a chain.
func (b *Builder) fillBuckets(root Ref, from, n int) Ref {
	if len(b.buckets) == 0 {
		return root
	}
	total := 0
	for i := range b.buckets {
		total += len(b.buckets[i].entries)
	}
	each := min(bucketBytes, bucketsBytes*float64(n)/float64(total))
	refs := make([]Ref, len(b.buckets))
	end := len(b.tree.slots)
	for i := range b.buckets {
		if !b.ok() {
			return 0
		}
		refs[i] = b.fill(&b.buckets[i], int64(each*float64(len(b.buckets[i].entries))))
		b.buckets[i] = bucket{}
	}
	b.buckets = b.buckets[:0]
	resolve := func(r Ref) Ref {
		if r.isLeaf() && r.form() == formBucket && r.class() == noted {
			return refs[r.offset()]
		}
		return r
	}
	for i, s := range b.tree.slots[from:end] {
		b.tree.slots[from+i] = uint64(resolve(Ref(s)))
	}
	return resolve(root)
}

// fill writes a bucket of at most so many bytes, or a chain.
func (b *Builder) fill(k *bucket, bytes int64) Ref {
	bytes = min(bytes, b.cfg.MaxBytes-b.tree.used())
	p, ok := bitvec.NewContext(b.ctx, b.dims, k.reach, k.entries, b.sieve(k, bytes), bytes)
	if b.ended() {
		return 0
	}
	if !ok {
		copy(b.reach, k.reach)
		return b.chain(k.entries)
	}
	off := len(b.tree.slots)
	b.tree.slots = p.Append(b.tree.slots, func(i int) uint32 { return b.tag(k.entries[i]) })
	if b.ended() {
		return 0
	}
	return leafRef(off, 1, formBucket, 0)
}

// mark is how far the arrays of a tree are filled.
type mark struct{ slots, lines, rows, classes, buckets int }

func (b *Builder) mark() mark {
	t := &b.tree
	return mark{len(t.slots), len(t.lines), len(t.rows), len(t.classes), len(b.buckets)}
}

// rollback takes back what was built since the mark. Free blocks before it that
// were used stay unused.
func (b *Builder) rollback(m mark) {
	t := &b.tree
	t.slots, t.lines, t.rows, t.classes = t.slots[:m.slots], t.lines[:m.lines], t.rows[:m.rows], t.classes[:m.classes]
	b.holes = slices.DeleteFunc(b.holes, func(off int) bool { return off >= m.rows })
	clear(b.buckets[m.buckets:])
	b.buckets = b.buckets[:m.buckets]
}

// bucket returns the tag of the first entry of a bucket that matches the key,
// if it is below best, else best.
func (t *Tree) bucket(ref Ref, key []uint32, best, from uint32) uint32 {
	off := ref.offset()
	first := uint32(0)
	if from > 0 {
		first = bitvec.Position(t.slots, off, from<<1)
	}
	var c bitvec.Cursor
	c.Open(t.slots, off, key, first)
	for {
		tag, _, ok := c.Next(best)
		if !ok {
			return best
		}
		if !t.isDead(tag>>1) && t.accept(tag, key, from) {
			return tag
		}
	}
}

// bucketAll appends the ranks of all entries that match the key.
func (t *Tree) bucketAll(ref Ref, key []uint32, dst []uint32) []uint32 {
	var c bitvec.Cursor
	c.Open(t.slots, ref.offset(), key, 0)
	for {
		tag, _, ok := c.Next(NoMatch)
		if !ok {
			return dst
		}
		if !t.isDead(tag>>1) && t.accept(tag, key, 0) {
			dst = append(dst, tag>>1)
		}
	}
}
