package tree

// Leaves under edit: a row more, a row less, or the leaf cut into a subtree when
// it has grown.

import (
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
)

// cutAt reports whether a leaf that has grown to n rows is worth planning anew: a
// plan takes about a microsecond a row, and mostly finds a cut at once.
func cutAt(n int) bool { return n == 12 || n >= 16 && n%8 == 0 }

// rowOf returns the number of the rule's row in a leaf, or -1. A row of a bucket
// counts although it is deleted: by the edit at hand then, in another bucket, since
// a rule does not get the label of such a row.
func (e *Editor) rowOf(ref Ref) int {
	t := &e.b.tree
	if ref.isEmpty() {
		return -1
	}
	if ref.form() == formBucket {
		off := ref.offset()
		p := bitvec.Position(t.slots, off, e.tag)
		if int(p) < bitvec.Len(t.slots, off) && bitvec.Tag(t.slots, off, p) == e.tag {
			return int(p)
		}
		return -1
	}
	at, i := -1, 0
	t.eachRow(ref, func(row []uint32) {
		if row[0] == e.tag {
			at = i
		}
		i++
	})
	return at
}

// labels returns the labels of the rows of a leaf, with room for one more.
func (e *Editor) labels(ref Ref) []uint32 {
	out := make([]uint32, 0, ref.rows()+1)
	if !ref.isEmpty() {
		e.b.tree.eachRow(ref, func(row []uint32) { out = append(out, row[0]>>1) })
	}
	return out
}

// insertLeaf returns the leaf with the rule.
func (e *Editor) insertLeaf(ref Ref, pending, spans int) Ref {
	t := &e.b.tree
	if !ref.isEmpty() && ref.form() == formBucket {
		if pending < maxPending {
			return e.link(ref, e.leafOf([]uint32{e.tag >> 1}))
		}
		e.fail(ErrRebuild)
		return ref
	}
	n := int(ref.rows())
	if n > 0 && ref.form() != formSparse && !cutAt(n+1) && n < maxRows && e.fits(ref) {
		blocks := int(t.classes[ref.class()].blocks)
		at := 0
		for at < n && t.rows[int(ref.offset())+at*blocks][0] < e.tag {
			at++
		}
		from := int(ref.offset())
		off := e.room((n + 1) * blocks)
		copy(t.rows[off:], t.rows[from:from+at*blocks])
		copy(t.rows[off+(at+1)*blocks:], t.rows[from+at*blocks:from+n*blocks])
		e.write(t.rows[off+at*blocks:off+(at+1)*blocks], &t.classes[ref.class()])
		return leafRef(off, n+1, ref.form(), int(ref.class()))
	}
	all := e.labels(ref)
	i, _ := slices.BinarySearch(all, e.tag>>1)
	all = slices.Insert(all, i, e.tag>>1)
	if cutAt(len(all)) || len(all) > maxRows {
		e.Splits++
		return e.subtree(all, pending, spans)
	}
	return e.leafOf(all)
}

// fits reports whether the columns of a leaf test all that the rule asks for of
// the keys that get there.
func (e *Editor) fits(ref Ref) bool {
	if e.b.cfg.Plain {
		return true
	}
	words := &e.b.tree.classes[ref.class()].words
	for w := 1; w < len(e.orig); w++ {
		if !e.orig[w].Covers(e.reach[w]) && !slices.Contains(words[:], uint8(w)) {
			return false
		}
	}
	return true
}

// write writes the rule's row for a leaf of the class.
func (e *Editor) write(r []row, c *class) {
	r[0] = row{e.tag, anyNarrow, anyNarrow, anyNarrow, 0, ^uint32(0), 0, ^uint32(0)}
	for j := 1; j < len(r); j++ {
		r[j] = row{0, ^uint32(0), 0, ^uint32(0), 0, ^uint32(0), 0, ^uint32(0)}
	}
	for at, w := range c.words[:len(r)*blockWords] {
		if w == 0 {
			continue
		}
		s := e.orig[w]
		block, word := &r[at/blockWords], at%blockWords
		if at <= narrowCols {
			block[word] = s.Lo | (s.Hi-s.Lo)<<16
		} else {
			block[word], block[word+1] = s.Lo, s.Hi-s.Lo
		}
	}
}

// room makes room for rows, and never where a version could have had some.
func (e *Editor) room(n int) int {
	e.b.holes = e.b.holes[:0]
	return e.b.room(n)
}

// removeRow returns the leaf without the rule.
func (e *Editor) removeRow(ref Ref) Ref {
	at := e.rowOf(ref)
	if at < 0 {
		return ref
	}
	t := &e.b.tree
	n := int(ref.rows())
	switch {
	case ref.form() == formBucket:
		i, found := slices.BinarySearch(e.dead, e.tag>>1)
		if found {
			return ref
		}
		// Versions share the slice, so that it is written anew.
		dead := make([]uint32, 0, len(e.dead)+1)
		e.dead = append(append(append(dead, e.dead[:i]...), e.tag>>1), e.dead[i:]...)
		if len(e.dead) > maxDead {
			e.fail(ErrRebuild)
		}
		return ref
	case n == 1:
		return 0
	case ref.form() == formSparse:
		return e.leafOf(slices.Delete(e.labels(ref), at, at+1))
	}
	blocks := int(t.classes[ref.class()].blocks)
	from := int(ref.offset())
	off := e.room((n - 1) * blocks)
	copy(t.rows[off:], t.rows[from:from+at*blocks])
	copy(t.rows[off+at*blocks:], t.rows[from+(at+1)*blocks:from+n*blocks])
	return leafRef(off, n-1, ref.form(), int(ref.class()))
}

// leafOf writes a leaf of the rules of the labels, ascending.
func (e *Editor) leafOf(labels []uint32) Ref {
	if !e.take(labels) {
		return 0
	}
	entries := make([]int32, e.b.boxes.Len())
	for i := range entries {
		entries[i] = int32(i)
	}
	return e.b.leaf(entries)
}

// subtree builds a node of the rules of the labels.
func (e *Editor) subtree(labels []uint32, pending, spans int) Ref {
	if !e.take(labels) {
		return 0
	}
	b := e.b
	b.pending = pending
	n := b.boxes.Len()
	entries := make([]int32, n)
	for i := range entries {
		entries[i] = int32(i)
	}
	from := len(b.tree.slots)
	ref, _ := b.node(entries, max(b.cfg.Replication-1, 0)*float64(n)+16, 0, max(spans, 0))
	ref = b.fillBuckets(ref, from, n)
	b.pending = 0
	return ref
}

// take gives the builder the rules of the labels, for keys that get to the node
// at hand.
func (e *Editor) take(labels []uint32) bool {
	b := e.b
	boxes, err := e.frame.Lower(b.ctx, labels, func(i int) []rules.Cond { return e.conds(labels[i]) }, nil)
	if err != nil {
		e.fail(err)
		return false
	}
	b.Grow(boxes, 0)
	b.holes = b.holes[:0]
	b.reach, b.hull = make([]lower.Span, len(b.dims)), make([]lower.Span, len(b.dims))
	for d := range b.dims {
		b.reach[d] = e.reach[b.dims[d].Word]
		b.hull[d] = b.reach[d]
	}
	return true
}

func (e *Editor) fail(err error) {
	if e.b.err == nil {
		e.b.err = err
	}
}
