package tree

// Statistics of a tree, by walking it: nodes by kind, field and depth, what
// they take, and what each rule takes of them.

import (
	"github.com/hipac-go/classifier/hipac/internal/bitvec"
)

// Nodes counts nodes by kind.
type Nodes struct {
	Tables    int // of two slots or more
	Intervals int
	Links     int // tables of one slot, which only carry a span
	Leaves    int // of all forms: Short, Long, Sparse and Buckets
	Short     int // leaves of rows of one block
	Long      int // leaves of rows of several blocks
	Sparse    int // leaves of rows that bring their own columns
	Buckets   int
	Spans     int // tables and links that have a span; no further nodes
}

// Word describes a key word.
type Word struct {
	Field int    // the field that it is part of
	Max   uint32 // its largest value
}

// Share is what the entries of one rank take.
type Share struct {
	Rows  uint32 // in leaves and buckets
	Bytes uint32 // of these rows; of a bucket, an equal part
}

// Shape counts the nodes of a tree. Nodes that several slots share are counted
// once, where the walk meets them first. The zero value counts all but Fields
// and Shares, which are counted when asked for.
type Shape struct {
	Nodes
	Slots         int     // of tables
	Rows          int     // in leaves and buckets
	LargestLeaf   int     // rows
	LargestBucket int     // rows
	Depth         []Nodes // at each depth, spans a step deeper than their table

	// Words describes the key words, for Fields: per field the tables and
	// interval nodes that cut it, those of them that have a span, and the leaves
	// with a row that asks for a part of its values.
	Words  []Word
	Fields []Nodes
	// Shares is by rank, when not nil; it must be long enough.
	Shares []Share

	TableWords    int // of 64 bits: slots of tables and links, and of spans
	IntervalWords int // of 64 bits: references of interval nodes
	BucketWords   int // of 64 bits
	Blocks        int // of leaves
}

// Add counts the nodes below a root that seen does not hold yet, and puts
// them there. It takes time linear in slots and rows.
func (s *Shape) Add(t *Tree, root Ref, seen map[Ref]bool) {
	if s.Fields == nil {
		for _, w := range s.Words {
			for len(s.Fields) <= w.Field {
				s.Fields = append(s.Fields, Nodes{})
			}
		}
	}
	s.add(t, root, 0, seen)
}

func (s *Shape) add(t *Tree, r Ref, depth int, seen map[Ref]bool) {
	if seen[r] || r.isEmpty() {
		return
	}
	seen[r] = true
	for len(s.Depth) <= depth {
		s.Depth = append(s.Depth, Nodes{})
	}
	s.Nodes.count(r)
	s.Depth[depth].count(r)
	switch {
	case r.isLeaf():
		s.leaf(t, r)
	case r.isInterval():
		s.field(r.word(), r)
		l := &t.lines[r.offset()]
		for i := range intervalBounds + 1 {
			s.IntervalWords++
			s.add(t, Ref(t.slots[l[intervalBounds]+uint32(i)]), depth+1, seen)
			if i < intervalBounds && l[i] == ^uint32(0) {
				break
			}
		}
	default:
		size := uint32(1) << r.bits()
		if size > 1 {
			s.Slots += int(size)
			s.field(r.word(), r)
		}
		s.TableWords += int(size)
		for i := range size {
			s.add(t, Ref(t.slots[r.offset()+i]), depth+1, seen)
		}
		if r.hasSpan() {
			s.TableWords += 2
			s.add(t, Ref(t.slots[r.offset()-1]), depth+1, seen)
		}
	}
}

// count adds a node.
func (n *Nodes) count(r Ref) {
	switch {
	case r.isInterval():
		n.Intervals++
	case r.isTable() && r.bits() > 0:
		n.Tables++
	case r.isTable():
		n.Links++
	default:
		n.Leaves++
		switch r.form() {
		case formShort:
			n.Short++
		case formLong:
			n.Long++
		case formSparse:
			n.Sparse++
		default:
			n.Buckets++
		}
	}
	if r.isTable() && r.hasSpan() {
		n.Spans++
	}
}

// field counts a node for the field of a key word.
func (s *Shape) field(word uint32, r Ref) {
	if int(word) < len(s.Words) {
		s.Fields[s.Words[word].Field].count(r)
	}
}

// asked is a set of key words.
type asked [256]bool

// part marks a word when bounds of that width leave out some of its values.
func (a *asked) part(s *Shape, word uint8, width uint32) {
	if int(word) < len(s.Words) && word > 0 && width < s.Words[word].Max {
		a[word] = true
	}
}

// leaf counts the rows of a leaf or bucket.
func (s *Shape) leaf(t *Tree, r Ref) {
	var ask asked
	if r.form() == formBucket {
		n, words := bitvec.Len(t.slots, r.offset()), bitvec.Words(t.slots, r.offset())
		s.Rows += n
		s.LargestBucket = max(s.LargestBucket, n)
		s.BucketWords += words
		for i := range n {
			s.share(bitvec.Tag(t.slots, r.offset(), uint32(i)), 8*words*(i+1)/n-8*words*i/n)
		}
		for _, w := range bitvec.KeyWords(t.slots, r.offset()) {
			ask[w] = true
		}
	} else {
		s.Rows += int(r.rows())
		s.LargestLeaf = max(s.LargestLeaf, int(r.rows()))
		words := 0
		t.eachRow(r, func(row []uint32) {
			words += len(row)
			s.share(row[0], 4*len(row))
			if len(s.Words) > 0 {
				t.asks(s, r, row, &ask)
			}
		})
		s.Blocks += (words + blockWords - 1) / blockWords
	}
	last := -1 // words of a field are neighbours
	for w := range s.Words {
		if ask[w] && s.Words[w].Field != last {
			last = s.Words[w].Field
			s.Fields[last].count(r)
		}
	}
}

// share counts a row of the rule of a tag.
func (s *Shape) share(tag uint32, bytes int) {
	if s.Shares != nil {
		s.Shares[tag>>1].Rows++
		s.Shares[tag>>1].Bytes += uint32(bytes)
	}
}

// EachRow calls visit with the label of every row that the root reaches, whether
// keys get there or not, but for those that are deleted; with that of a row that
// nodes share once. It is for checks of the structure.
func (t *Tree) EachRow(root Ref, visit func(label uint32, inexact bool)) {
	t.eachRowOnce(root, map[Ref]bool{}, func(tag uint32) { visit(tag>>1, tag&1 != 0) })
}

func (t *Tree) eachRowOnce(r Ref, seen map[Ref]bool, visit func(tag uint32)) {
	if r.isEmpty() || seen[r] {
		return
	}
	seen[r] = true
	switch {
	case r.isInterval():
		l := &t.lines[r.offset()]
		for _, c := range t.slots[l[intervalBounds]:][:l.parts()] {
			t.eachRowOnce(Ref(c), seen, visit)
		}
	case r.isTable():
		if r.hasSpan() {
			t.eachRowOnce(Ref(t.slots[r.offset()-1]), seen, visit)
		}
		for _, c := range t.slots[r.offset():][:1<<r.bits()] {
			t.eachRowOnce(Ref(c), seen, visit)
		}
	case r.form() == formBucket:
		for i := range bitvec.Len(t.slots, r.offset()) {
			if tag := bitvec.Tag(t.slots, r.offset(), uint32(i)); !t.isDead(tag >> 1) {
				visit(tag)
			}
		}
	default:
		t.eachRow(r, func(row []uint32) { visit(row[0]) })
	}
}

// eachRow calls visit with the words of each row of a leaf that is no bucket.
func (t *Tree) eachRow(r Ref, visit func(row []uint32)) {
	data := t.flat()[int(r.offset())*blockWords:]
	for range r.rows() {
		n := uint32(blockWords)
		switch r.form() {
		case formLong:
			n *= uint32(t.classes[r.class()].blocks)
		case formSparse:
			n = 2 + 3*data[1]
		}
		visit(data[:n])
		data = data[n:]
	}
}

// asks marks the words of which a row leaves out some values.
func (t *Tree) asks(s *Shape, r Ref, row []uint32, ask *asked) {
	if r.form() == formSparse {
		for c := row[2:]; len(c) >= 3; c = c[3:] {
			ask.part(s, uint8(c[0]), c[2])
		}
		return
	}
	words := &t.classes[r.class()].words
	for i := 1; i <= narrowCols; i++ {
		if row[i] != anyNarrow {
			ask.part(s, words[i], row[i]>>16)
		}
	}
	for i := narrowCols + 1; i < len(row); i += 2 {
		ask.part(s, words[i], row[i+1])
	}
}

// Memory is the bytes of a tree by part.
type Memory struct {
	Tables    int // slots of tables and links, and what their spans take of them
	Intervals int // lines and references of interval nodes
	Leaves    int // rows
	Buckets   int
	Programs  int // of inexact rules
	Needs     int // fields that rules want present
	Classes   int // of the rows of leaves
	Spare     int // allocated and not in use
}

// Memory returns the memory of the tree by part, given the shape of all its
// roots; the sum is Bytes.
func (t *Tree) Memory(s *Shape) Memory {
	m := Memory{
		Tables:    8 * s.TableWords,
		Intervals: 64*len(t.lines) + 8*s.IntervalWords,
		Leaves:    4 * blockWords * s.Blocks,
		Buckets:   8 * s.BucketWords,
		Programs:  t.program.Bytes(),
		Needs:     2*cap(t.wants) + 4*cap(t.needs),
		Classes:   classBytes*cap(t.classes) + permBytes*cap(t.perms),
	}
	m.Spare = t.Bytes() - m.Tables - m.Intervals - m.Leaves - m.Buckets - m.Programs - m.Needs - m.Classes
	return m
}

// ProgramBytes returns the bytes of the program of a rule, 0 when it has none.
func (t *Tree) ProgramBytes(rank uint32) int { return t.program.Size(rank) }
