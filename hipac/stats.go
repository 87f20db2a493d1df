package hipac

// Statistics: what the compiler made of the rules.

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Stats describes a compiled classifier.
type Stats struct {
	Rules int // in the list, or in all chains of a table
	// Never counts rules that can never match, such as an empty union.
	Never int
	// Inexact counts rules with a condition that is no interval (a union, a
	// negation, a bit mask): the tree finds them by their hull, and tests them
	// in full only there.
	Inexact int
	// Fields says, per field that a rule constrains, by how many.
	Fields []FieldStats

	Tables, Intervals, Leaves int   // nodes
	Spans                     int   // nodes with a span
	Slots                     int   // of tables
	Rows                      int   // rules in leaves and buckets, copies included
	LargestLeaf               int   // rules
	Buckets                   int   // leaves that are bit-vector buckets
	LargestBucket             int   // rules
	BucketBytes               int   // of TreeBytes
	Depth                     []int // nodes at each depth
	Worst                     Work  // the most that one tree takes of a lookup

	TreeBytes int // memory that lookups of the first match read; not that of AllMatches
	RuleBytes int // memory of identities, without the values
}

// Work counts what a lookup of the first match does in a tree; a packet that
// goes through chains takes a lookup for each.
type Work struct {
	Steps      int64 // tables and interval nodes entered
	Leaves     int64 // leaves and buckets entered
	Rows       int64 // rules of leaves compared
	Words      int64 // words of 64 bits of bitmaps read, in buckets
	Candidates int64 // rules of buckets compared
}

// FieldStats describes the use of a field.
type FieldStats struct {
	Name  string
	Rules int // that have a condition on it
	Cuts  int // nodes that cut it
}

// Stats returns the statistics. It walks the structure, in time linear in it.
func (c *Classifier[T]) Stats() Stats {
	s := c.stats.clone()
	if c.tree == nil {
		return s
	}
	s.addTree(c.tree, c.schema, c.decide)
	s.TreeBytes = c.tree.Bytes()
	s.RuleBytes = 8 * len(c.rules.ids)
	return s
}

// Stats returns the statistics. It walks the structure, in time linear in it.
func (t *Table) Stats() Stats {
	s := t.stats.clone()
	if t.tree == nil {
		return s
	}
	for i := range t.chains {
		s.addTree(t.tree, t.source.Schema, t.chains[i].decide)
		s.addTree(t.tree, t.source.Schema, t.chains[i].pass)
	}
	s.TreeBytes = t.tree.Bytes()
	return s
}

func (s *Stats) clone() Stats {
	out := *s
	out.Fields = append([]FieldStats(nil), s.Fields...)
	return out
}

// Bytes returns all memory counted.
func (s Stats) Bytes() int { return s.TreeBytes + s.RuleBytes }

// Replication returns the mean number of rows per rule.
func (s Stats) Replication() float64 {
	if s.Rules == 0 {
		return 0
	}
	return float64(s.Rows) / float64(s.Rules)
}

// addList counts the rules of a list.
func (s *Stats) addList(n int, schema *rules.Schema, boxes *lower.Boxes) {
	s.Rules += n
	s.Never += len(boxes.Never)
	if s.Fields == nil {
		s.Fields = make([]FieldStats, schema.Len())
		for i := range s.Fields {
			s.Fields[i].Name = schema.Field(i).Name
		}
	}
	for e := range boxes.Len() {
		if boxes.Inexact[e] {
			s.Inexact++
		}
		for need := boxes.Need[e]; need != 0; need &= need - 1 {
			s.Fields[bits.TrailingZeros32(need)].Rules++
		}
	}
}

// addTree counts the nodes of the trees below the roots.
func (s *Stats) addTree(t *tree.Tree, schema *rules.Schema, r roots) {
	var shape tree.Shape
	seen := map[tree.Ref]bool{}
	shape.Add(t, r.general, seen)
	shape.Add(t, r.ipv4, seen)
	s.Tables += shape.Tables
	s.Intervals += shape.Intervals
	s.Leaves += shape.Leaves
	s.Spans += shape.Spans
	s.Slots += shape.Slots
	s.Rows += shape.Rows
	s.LargestLeaf = max(s.LargestLeaf, shape.LargestLeaf)
	s.Buckets += shape.Buckets
	s.LargestBucket = max(s.LargestBucket, shape.LargestBucket)
	s.BucketBytes += 8 * shape.BucketWords
	for _, root := range [2]tree.Ref{r.general, r.ipv4} {
		w := t.Bound(root)
		s.Worst.Steps = max(s.Worst.Steps, w.Steps)
		s.Worst.Leaves = max(s.Worst.Leaves, w.Leaves)
		s.Worst.Rows = max(s.Worst.Rows, w.Rows)
		s.Worst.Words = max(s.Worst.Words, w.Words)
		s.Worst.Candidates = max(s.Worst.Candidates, w.Candidates)
	}
	for d, n := range shape.Depth {
		if d == len(s.Depth) {
			s.Depth = append(s.Depth, 0)
		}
		s.Depth[d] += n
	}
	for f := range s.Fields {
		first, n := schema.FieldWords(f)
		for w := first; w < first+n; w++ {
			s.Fields[f].Cuts += shape.Cuts[w]
		}
	}
}

// String writes the statistics in a few lines.
func (s Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rules      %d (%d never match, %d inexact)\n", s.Rules, s.Never, s.Inexact)
	b.WriteString("fields    ")
	for _, f := range s.Fields {
		if f.Rules > 0 {
			fmt.Fprintf(&b, " %s:%d", f.Name, f.Rules)
		}
	}
	fmt.Fprintf(&b, "\nnodes      %d tables (%d slots), %d interval nodes, %d leaves, %d spans\n", s.Tables, s.Slots, s.Intervals, s.Leaves, s.Spans)
	fmt.Fprintf(&b, "leaves     %d rows, %.2f per rule, largest %d\n", s.Rows, s.Replication(), s.LargestLeaf)
	if s.Buckets > 0 {
		fmt.Fprintf(&b, "buckets    %d of %d bytes, largest %d rows\n", s.Buckets, s.BucketBytes, s.LargestBucket)
	}
	w := s.Worst
	fmt.Fprintf(&b, "worst      %d steps, %d leaves, %d rows", w.Steps, w.Leaves, w.Rows)
	if s.Buckets > 0 {
		fmt.Fprintf(&b, ", %d words and %d rows of buckets", w.Words, w.Candidates)
	}
	fmt.Fprintf(&b, "\ndepth     ")
	for _, n := range s.Depth {
		fmt.Fprintf(&b, " %d", n)
	}
	perRule := 0.0
	if s.Rules > 0 {
		perRule = float64(s.Bytes()) / float64(s.Rules)
	}
	fmt.Fprintf(&b, "\nmemory     %d bytes, %.1f per rule\n", s.Bytes(), perRule)
	return b.String()
}
