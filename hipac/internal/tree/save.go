package tree

// Trees in files: the arrays of a tree as sections, and a tree over the arrays of
// a file. What lookups rely on is checked in check.go.

import (
	"encoding/binary"
	"unsafe"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// Sections of a tree.
const (
	sectionTree    = "tree" // numbers: plain; needs are by rank
	sectionSlots   = "slot" // 64 bits
	sectionLines   = "line" // 16 times 32 bits
	sectionRows    = "rows" // 8 times 32 bits
	sectionClasses = "clss" // 68 bytes: blocks, 32 bits; words, 8 bits
	sectionWants   = "want" // 16 bits
	sectionNeeds   = "need" // 32 bits
)

// Save adds the sections of a tree of ranks, as a Builder makes them: not one of
// a live list.
func (t *Tree) Save(w *saved.Writer, instance int) {
	var n saved.Numbers
	n.PutBool(t.plain)
	n.PutBool(t.wants == nil)
	w.Add(sectionTree, instance, n.Bytes())
	w.Add(sectionSlots, instance, saved.Bytes(t.slots))
	w.Add(sectionLines, instance, saved.Bytes(flatOf[line](t.lines, intervalBounds+1)))
	w.Add(sectionRows, instance, saved.Bytes(t.flat()))
	classes := make([]byte, 0, classBytes*len(t.classes))
	for i := range t.classes {
		c := &t.classes[i]
		classes = binary.LittleEndian.AppendUint32(classes, uint32(c.blocks))
		classes = append(classes, c.words[:]...)
	}
	w.Add(sectionClasses, instance, classes)
	w.Add(sectionWants, instance, saved.Bytes(t.wants))
	w.Add(sectionNeeds, instance, saved.Bytes(t.needs))
	t.program.Save(w, instance)
}

// flatOf returns the words of arrays of n words each.
func flatOf[A any](s []A, n int) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(s))), n*len(s))
}

// arraysOf returns the arrays of n words each that words are.
func arraysOf[A any](section *saved.Section, n int) ([]A, error) {
	words, err := saved.Words[uint32](section)
	if err != nil {
		return nil, err
	}
	if len(words)%n != 0 {
		return nil, section.Damaged(4*len(words), "%d words are no whole number of %d", len(words), n)
	}
	return unsafe.Slice((*A)(unsafe.Pointer(unsafe.SliceData(words))), len(words)/n), nil
}

// Loaded is a tree from a file, whose roots are to be checked.
type Loaded struct {
	Tree    *Tree
	checker checker
}

// Load returns the tree of a file, for keys of the schema and ranks below n. It
// uses the file's memory. Before a root is used it must be checked.
func Load(f *saved.File, instance int, s *rules.Schema, n int) (*Loaded, error) {
	section := func(name string) (*saved.Section, error) { return f.Section(name, instance) }
	head, err := section(sectionTree)
	if err != nil {
		return nil, err
	}
	scan := saved.NewScanner(head)
	t := &Tree{plain: scan.Bool()}
	byRank := scan.Bool()
	if err := scan.End(); err != nil {
		return nil, err
	}
	slots, err := section(sectionSlots)
	if err == nil {
		t.slots, err = saved.Words[uint64](slots)
	}
	if err != nil {
		return nil, err
	}
	lines, err := section(sectionLines)
	if err == nil {
		t.lines, err = arraysOf[line](lines, intervalBounds+1)
	}
	if err != nil {
		return nil, err
	}
	rows, err := section(sectionRows)
	if err == nil {
		t.rows, err = arraysOf[row](rows, blockWords)
	}
	if err != nil {
		return nil, err
	}
	if len(t.rows)%2 != 0 {
		return nil, rows.Damaged(len(rows.Data), "an odd number of rows")
	}
	if err := t.loadNeeds(section, byRank, n); err != nil {
		return nil, err
	}
	classes, err := section(sectionClasses)
	if err == nil {
		err = t.loadClasses(classes, s.KeyLen())
	}
	if err != nil {
		return nil, err
	}
	words := s.KeyLen() // that lookups may read of a key
	if t.plain {
		if words < PlainKey {
			return nil, head.Damaged(0, "a tree of 5-tuples, and keys of %d words", words)
		}
		words = PlainKey
	}
	if t.program, err = lower.LoadProgram(f, instance, s, words); err != nil {
		return nil, err
	}
	t.vectorize()
	return &Loaded{t, newChecker(t, words, n, slots, lines, rows)}, nil
}

// loadNeeds takes over what rules want, which must be there for all ranks that
// rows have.
func (t *Tree) loadNeeds(section func(string) (*saved.Section, error), byRank bool, n int) error {
	wants, err := section(sectionWants)
	if err == nil {
		t.wants, err = saved.Words[uint16](wants)
	}
	if err != nil {
		return err
	}
	needs, err := section(sectionNeeds)
	if err == nil {
		t.needs, err = saved.Words[uint32](needs)
	}
	if err != nil {
		return err
	}
	if byRank {
		if len(t.wants) > 0 {
			return wants.Damaged(0, "needs are there twice")
		}
		t.wants = nil
		return nil
	}
	if t.wants == nil {
		t.wants = []uint16{}
	}
	for i, x := range t.wants {
		if int(x) >= len(t.needs) {
			return wants.Damaged(2*i, "need %d of %d", x, len(t.needs))
		}
	}
	return nil
}

// ranks returns how many ranks rows may have.
func (t *Tree) ranks() int {
	if t.wants == nil {
		return len(t.needs)
	}
	return len(t.wants)
}

// loadClasses takes over the classes, which must name words that keys have.
func (t *Tree) loadClasses(section *saved.Section, keyWords int) error {
	data := section.Data
	if len(data)%classBytes != 0 || len(data)/classBytes > maxClasses {
		return section.Damaged(0, "%d bytes are not up to %d classes", len(data), maxClasses)
	}
	t.classes = make([]class, len(data)/classBytes)
	for i := range t.classes {
		c, at := &t.classes[i], i*classBytes
		blocks := binary.LittleEndian.Uint32(data[at:])
		if blocks < 1 || blocks > maxBlocks {
			return section.Damaged(at, "rows of %d blocks", blocks)
		}
		c.blocks = int32(blocks)
		copy(c.words[:], data[at+4:])
		for j, w := range c.words {
			if int(w) >= keyWords {
				return section.Damaged(at+4+j, "a column of word %d of keys of %d", w, keyWords)
			}
		}
		if t.plain && *c != plainClass {
			return section.Damaged(at, "a tree of 5-tuples with rows of other columns")
		}
	}
	return nil
}

// Checked returns the tree as if it came from a file, for keys of the schema and
// ranks below n: its roots can be checked before it is saved.
func (t *Tree) Checked(s *rules.Schema, n int) *Loaded {
	words := s.KeyLen()
	if t.plain {
		words = PlainKey
	}
	return &Loaded{t, newChecker(t, words, n, &saved.Section{Name: sectionSlots}, &saved.Section{Name: sectionLines}, &saved.Section{Name: sectionRows})}
}

// Empty returns a tree without nodes.
func Empty() *Tree { return &Tree{wants: []uint16{}} }
