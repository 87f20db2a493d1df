package tree

// Statistics of a tree, by walking it.

import "github.com/hipac-go/classifier/hipac/internal/bitvec"

// Shape counts the nodes of a tree. Nodes that several slots share are
// counted once.
type Shape struct {
	Tables, Intervals, Leaves int
	Spans                     int         // nodes that have a span
	Slots                     int         // of tables
	Rows                      int         // in leaves and buckets
	LargestLeaf               int         // rows
	Buckets                   int         // leaves that are bit-vector buckets
	LargestBucket             int         // rows
	BucketWords               int         // of 64 bits
	Depth                     []int       // nodes at each depth, spans a step deeper
	Cuts                      map[int]int // nodes that cut each key word
}

// Add counts the nodes below a root that seen does not hold yet, and puts
// them there.
func (s *Shape) Add(t *Tree, root Ref, seen map[Ref]bool) {
	s.add(t, root, 0, seen)
}

func (s *Shape) add(t *Tree, r Ref, depth int, seen map[Ref]bool) {
	if seen[r] || r.isEmpty() {
		return
	}
	seen[r] = true
	for len(s.Depth) <= depth {
		s.Depth = append(s.Depth, 0)
	}
	s.Depth[depth]++
	if s.Cuts == nil {
		s.Cuts = map[int]int{}
	}
	switch {
	case r.isLeaf():
		s.Leaves++
		if r.form() == formBucket {
			n := bitvec.Len(t.slots, r.offset())
			s.Buckets++
			s.Rows += n
			s.LargestBucket = max(s.LargestBucket, n)
			s.BucketWords += bitvec.Words(t.slots, r.offset())
			return
		}
		s.Rows += int(r.rows())
		s.LargestLeaf = max(s.LargestLeaf, int(r.rows()))
	case r.isInterval():
		s.Intervals++
		s.Cuts[int(r.word())]++
		l := &t.lines[r.offset()]
		for i := range intervalBounds + 1 {
			s.add(t, Ref(t.slots[l[intervalBounds]+uint32(i)]), depth+1, seen)
			if i < intervalBounds && l[i] == ^uint32(0) {
				break
			}
		}
	default:
		size := uint32(1) << r.bits()
		if size > 1 {
			s.Tables++
			s.Slots += int(size)
			s.Cuts[int(r.word())]++
		}
		for i := range size {
			s.add(t, Ref(t.slots[r.offset()+i]), depth+1, seen)
		}
		if r.hasSpan() {
			s.Spans++
			s.add(t, Ref(t.slots[r.offset()-1]), depth+1, seen)
		}
	}
}
