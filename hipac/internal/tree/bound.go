package tree

// Bounds: the most work that any lookup can do, found by walking the structure.

import "github.com/hipac-go/classifier/hipac/internal/bitvec"

// Work counts what a lookup does, or the most that it can do.
type Work struct {
	Steps      int64 // tables and interval nodes entered
	Leaves     int64 // leaves and buckets entered
	Spans      int64 // spans entered
	Rows       int64 // rows of leaves compared
	Words      int64 // words of bitmaps read, in buckets
	Candidates int64 // entries of buckets compared, in vain or not
}

// add counts the work of another part of the same lookup.
func (w *Work) add(o Work) {
	w.Steps += o.Steps
	w.Leaves += o.Leaves
	w.Spans += o.Spans
	w.Rows += o.Rows
	w.Words += o.Words
	w.Candidates += o.Candidates
}

// or takes the greater of each count.
func (w *Work) or(o Work) {
	w.Steps = max(w.Steps, o.Steps)
	w.Leaves = max(w.Leaves, o.Leaves)
	w.Spans = max(w.Spans, o.Spans)
	w.Rows = max(w.Rows, o.Rows)
	w.Words = max(w.Words, o.Words)
	w.Candidates = max(w.Candidates, o.Candidates)
}

// Bound returns a bound on the work of a lookup of the first match from a root,
// whatever the key: per count the greatest sum over a path and all the spans
// beside it. It takes time and memory linear in the nodes.
func (t *Tree) Bound(root Ref) Work {
	return t.bound(root, map[Ref]Work{})
}

func (t *Tree) bound(r Ref, known map[Ref]Work) (w Work) {
	if r.isLeaf() {
		return t.leafBound(r)
	}
	if w, ok := known[r]; ok {
		return w
	}
	if r.isInterval() {
		l := &t.lines[r.offset()]
		for i := range intervalBounds + 1 {
			w.or(t.bound(Ref(t.slots[l[intervalBounds]+uint32(i)]), known))
			if i < intervalBounds && l[i] == ^uint32(0) {
				break
			}
		}
	} else {
		for i := range uint32(1) << r.bits() {
			w.or(t.bound(Ref(t.slots[r.offset()+i]), known))
		}
		if r.hasSpan() {
			w.add(t.bound(Ref(t.slots[r.offset()-1]), known))
			w.Spans++
		}
	}
	w.Steps++
	known[r] = w
	return w
}

func (t *Tree) leafBound(r Ref) (w Work) {
	if r.isEmpty() {
		return w
	}
	w.Leaves = 1
	if r.form() != formBucket {
		w.Rows = int64(r.rows())
		return w
	}
	b := bitvec.Bound(t.slots, r.offset())
	w.Words = b.Words
	w.Candidates = min(b.Failed+1+int64(bitvec.Doubtful(t.slots, r.offset())), int64(bitvec.Len(t.slots, r.offset())))
	return w
}
