package tree

// Measuring: a lookup that counts what it does. Rows, bucket candidates and
// programs are compared by the functions that lookups use; only the walk is
// written down once more.

import (
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/bitvec"
)

// Measure returns what First does, and the work of it.
func (t *Tree) Measure(root Ref, key []uint32) (rank uint32, w Work) {
	best := NoMatch
	var pending []uint32
	for ref := root; ; {
		for !ref.isLeaf() {
			w.Steps++
			if ref.isInterval() {
				l := &t.lines[ref.offset()]
				ref = Ref(t.slots[l[intervalBounds]+l.find(key[ref.word()])])
				continue
			}
			if ref.hasSpan() {
				pending = append(pending, ref.offset())
			}
			ref = Ref(t.slots[ref.offset()+key[ref.word()]>>ref.shift()&(1<<ref.bits()-1)])
		}
		if !ref.isEmpty() {
			w.Leaves++
			best = t.measureLeaf(ref, key, best, &w)
		}
		// Spans are visited from the last one up, those that can still win.
		at := len(pending) - 1
		for at >= 0 && uint32(t.slots[pending[at]-2]) >= best {
			at--
		}
		if at < 0 {
			return rankOf(best), w
		}
		w.Spans++
		ref = Ref(t.slots[pending[at]-1])
		pending = slices.Delete(pending, at, len(pending))
	}
}

// measureLeaf is leaf with a count of what it does.
func (t *Tree) measureLeaf(ref Ref, key []uint32, best uint32, w *Work) uint32 {
	if ref.form() != formBucket {
		found := t.leaf(ref, key, best, 0)
		t.eachRow(ref, func(row []uint32) {
			if row[0] < best && row[0] <= found {
				w.Rows++
			}
		})
		return found
	}
	var c bitvec.Cursor
	c.Open(t.slots, ref.offset(), key, 0)
	for {
		tag, _, ok := c.Next(best)
		if ok {
			w.Candidates++
		}
		if !ok || !t.isDead(tag>>1) && t.accept(tag, key, 0) {
			w.Words += c.Work.Words
			w.Candidates += c.Work.Failed
			return min(best, tag)
		}
	}
}
