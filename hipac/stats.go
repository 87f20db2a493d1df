package hipac

// Statistics: what the compiler made of the rules.

import (
	"cmp"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Stats describes a compiled classifier. With the engine Index, which makes no
// tree, only the first fields up to Fields are set, and Memory.
type Stats struct {
	Rules int // in the list, or in all chains of a table
	// Entries counts the rules of a table as they were compiled: those of chains
	// that were copied into their callers count once for each copy. 0 for a list.
	Entries int
	// Never counts rules that can never match, such as an empty union.
	Never int
	// Passing counts rules that continue. Lookups of the first match do not see
	// them; a table has trees of their own for them.
	Passing int
	// Inexact counts rules with a condition that is no interval (a union, a
	// negation, a bit mask): the tree finds them by their hull, and tests them
	// in full only there.
	Inexact int
	// Fields has all fields of the schema, in order.
	Fields []FieldStats

	// Hidden are the rules that could match and have no row: wherever they do,
	// earlier ones do too, one or several together (or, in a table of one address
	// family, they ask for the other). They decide nothing and cost no structure.
	// A hidden rule may have rows nevertheless, where the compiler did not compare
	// it with what hides it: in common sets up to a quarter of them have.
	// Analysis.Hidden finds all that one earlier rule hides.
	Hidden []rules.Place

	Nodes                 // of all trees
	Slots         int     // of tables
	Rows          int     // rules in leaves and buckets, copies included
	LargestLeaf   int     // rules
	LargestBucket int     // rules
	Depth         []Nodes // nodes by depth; spans lie a step below their table

	Mean  MeanWork // of lookups of packets that the rules ask for
	Worst Work     // the most that one tree takes of a lookup, whatever the packet

	// Costliest are the ten rules that take the most bytes, or fewer, the most
	// first.
	Costliest []RuleCost

	Memory    Memory
	TreeBytes int // of Memory: what lookups of the first match may read
}

// Nodes counts nodes of trees by kind. A node that several places refer to is
// counted once.
type Nodes struct {
	Tables    int // indexed by bits of a field, of two slots or more
	Intervals int // up to 15 bounds of a field
	Links     int // tables of one slot: they carry a span or chain leaves
	Leaves    int // of all forms: Short + Long + Sparse + Buckets
	Short     int // leaves whose rules take 32 bytes each
	Long      int // leaves whose rules take a multiple of 32 bytes
	Sparse    int // leaves whose rules bring the numbers of the fields they test
	Buckets   int // bit-vector buckets
	Spans     int // tables and links that have a span beside them; no further nodes
}

// Total returns the number of nodes.
func (n Nodes) Total() int { return n.Tables + n.Intervals + n.Links + n.Leaves }

// FieldStats describes the use of a field.
type FieldStats struct {
	Name  string
	Rules int // that have a condition on it
	// Nodes counts the tables and interval nodes that cut the field, those of
	// them that have a span, and the leaves in which some rule asks for a part of
	// its values.
	Nodes Nodes
}

// Cuts returns the number of nodes that cut the field.
func (f *FieldStats) Cuts() int { return f.Nodes.Tables + f.Nodes.Intervals }

// RuleCost says what a rule takes of the structure.
type RuleCost struct {
	Place rules.Place // Chain is 0 for a list
	Rows  int         // copies in leaves and buckets
	// Bytes are those of its rows, its part of the buckets that it is in, and
	// its program. Tables and interval nodes are shared, and counted for no rule.
	Bytes int
}

// Memory is the bytes of a compiled classifier by part. It leaves out what it
// shares with the caller: the rules themselves (a classifier keeps its list
// for LookupAll, see Options, and a table always keeps its chains), what values
// point to, and the schema.
type Memory struct {
	Tables    int // slots of tables and links
	Intervals int // interval nodes and their references
	Leaves    int // rows of leaves
	Buckets   int // bitmaps, bounds and rows of buckets
	Programs  int // conditions that are no interval
	Needs     int // fields that rules want present
	Classes   int // layouts of rows
	Spare     int // allocated and not used
	Index     int // the field index of the engine Index, within a quarter
	// Identities are those of the rules, unless they are 1, 2, 3..., and which
	// rules continue, are unknown or never match.
	Identities int
	Values     int // the callers' values, a Sizeof each; not what they point to
	Packets    int // drawn for Stats, when the list is not kept
	AllMatches int // what LookupAll and Executed need; 0 until it is compiled
}

// Total returns the sum.
func (m Memory) Total() int {
	return m.tree() + m.Index + m.Identities + m.Values + m.Packets + m.AllMatches
}

// tree returns what belongs to the tree of the first match.
func (m Memory) tree() int {
	return m.Tables + m.Intervals + m.Leaves + m.Buckets + m.Programs + m.Needs + m.Classes + m.Spare
}

// Bytes returns all memory counted, Memory.Total.
func (s Stats) Bytes() int { return s.Memory.Total() }

// Replication returns the mean number of rows per rule, hidden rules included.
func (s Stats) Replication() float64 {
	if s.Rules == 0 {
		return 0
	}
	return float64(s.Rows) / float64(s.Rules)
}

// costliest is the number of rules in Stats.Costliest.
const costliest = 10

// Stats returns the statistics. It walks the structure, in time linear in it:
// some 30 ms and 7 MB for 100,000 rules. What it returns is the caller's.
func (c *Classifier[T]) Stats() Stats {
	s := c.stats.clone()
	if c.index != nil {
		s.Memory.Index = c.index.Bytes()
	}
	c.rules.memory(&s.Memory)
	s.Memory.Identities += 4 * cap(c.never)
	s.Memory.Packets = 4 * cap(c.drawn)
	if a := c.all.Load(); a != nil {
		s.Memory.AllMatches = a.tree.Bytes()
	}
	if c.tree == nil {
		return s
	}
	shape := newShape(c.schema, c.rules.n)
	s.Worst = addTree(&shape, c.tree, c.decide, map[tree.Ref]bool{})
	s.addShape(&shape, c.tree)
	costs := c.costs(&shape)
	s.Hidden = hidden(costs, c.never, func(p rules.Place) bool {
		_, is := slices.BinarySearch(c.rules.passing, uint32(p.Rule))
		return is
	})
	s.Costliest = costliestOf(costs)
	drawn := c.drawn
	if drawn == nil {
		drawn = drawPackets(c.source(), 0, maxDrawn)
	}
	var sum workSum
	for ; len(drawn) > 0; drawn = drawn[c.words:] {
		sum.add(c.Work(drawn[:c.words]))
	}
	s.Mean = sum.mean()
	return s
}

// RuleCosts returns what each rule takes of the structure of the first match,
// in order; nil with the engine Index. Rules that continue are not part of it.
// It walks the structure, in time linear in it.
func (c *Classifier[T]) RuleCosts() []RuleCost {
	if c.tree == nil {
		return nil
	}
	shape := newShape(c.schema, c.rules.n)
	addTree(&shape, c.tree, c.decide, map[tree.Ref]bool{})
	return c.costs(&shape)
}

func (c *Classifier[T]) costs(shape *tree.Shape) []RuleCost {
	return ruleCosts(c.tree, shape, func(rank int) rules.Place { return rules.Place{Rule: rank} })
}

// Stats returns the statistics of all chains together. It walks the structure,
// in time linear in it. What it returns is the caller's.
func (t *Table) Stats() Stats {
	s := t.stats.clone()
	s.Memory.Identities = int(unsafe.Sizeof(rules.Place{}))*cap(t.never) + int(unsafe.Sizeof(entry{}))*cap(t.entries) + cap(t.actions) +
		int(unsafe.Sizeof(unit{}))*cap(t.units)
	for _, x := range t.indexes {
		s.Memory.Index += x.Bytes()
	}
	if t.tree == nil {
		return s
	}
	shape := newShape(t.source.Schema, len(t.entries))
	s.Worst = t.addTrees(&shape)
	s.addShape(&shape, t.tree)
	costs := t.costs(&shape)
	for _, c := range costs {
		if c.Rows > 0 || onlyCounts(t.source.Chains[c.Place.Chain].Rules.At(c.Place.Rule)) {
			continue
		}
		if _, never := slices.BinarySearchFunc(t.never, c.Place, comparePlaces); !never {
			s.Hidden = append(s.Hidden, c.Place)
		}
	}
	s.Costliest = costliestOf(costs)
	s.Mean = t.meanWork()
	return s
}

// RuleCosts returns what each rule takes of the structure, chain by chain, in
// order; nil with the engine Index. It walks the structure, in time linear in
// it.
func (t *Table) RuleCosts() []RuleCost {
	if t.tree == nil {
		return nil
	}
	shape := newShape(t.source.Schema, len(t.entries))
	t.addTrees(&shape)
	return t.costs(&shape)
}

// addTrees counts the trees of all chains. It returns the worst of those that
// decide.
func (t *Table) addTrees(shape *tree.Shape) (worst Work) {
	seen := map[tree.Ref]bool{}
	for i := range t.units {
		if u := &t.units[i]; u.compiled {
			worst.or(addTree(shape, t.tree, u.decide, seen))
			addTree(shape, t.tree, u.pass, seen)
		}
	}
	return worst
}

// costs returns what each rule takes, all its entries together.
func (t *Table) costs(shape *tree.Shape) []RuleCost {
	base := make([]int, len(t.source.Chains)) // index of each chain's first rule
	var out []RuleCost
	for i := range t.source.Chains {
		base[i] = len(out)
		for j := range t.source.Chains[i].Rules.Len() {
			out = append(out, RuleCost{Place: rules.Place{Chain: i, Rule: j}})
		}
	}
	for rank, share := range shape.Shares {
		if e := &t.entries[rank]; e.rule != endOfGoto {
			c := &out[base[e.chain]+int(e.rule)]
			c.Rows += int(share.Rows)
			c.Bytes += int(share.Bytes) + t.tree.ProgramBytes(uint32(rank))
		}
	}
	return out
}

// countRules counts the rules and what they ask for.
func (t *Table) countRules() {
	s := &t.stats
	schema := t.source.Schema
	s.Fields = make([]FieldStats, schema.Len())
	for i := range s.Fields {
		s.Fields[i].Name = schema.Field(i).Name
	}
	s.Entries = len(t.entries)
	for i := range t.source.Chains {
		list := t.source.Chains[i].Rules
		s.Rules += list.Len()
		for _, r := range list.All() {
			if onlyCounts(r) {
				s.Passing++
				continue
			}
			var asks uint32
			for j := range r.Conds {
				if c := &r.Conds[j]; !c.AllowsAbsent() {
					asks |= 1 << c.Field()
				}
			}
			for ; asks != 0; asks &= asks - 1 {
				s.Fields[bits.TrailingZeros32(asks)].Rules++
			}
		}
	}
}

// countInexact counts the rules with an entry that is not exact.
func (t *Table) countInexact(inexact []bool) {
	seen := map[rules.Place]bool{}
	for rank, is := range inexact {
		e := &t.entries[rank]
		at := rules.Place{Chain: int(e.chain), Rule: int(e.rule)}
		if is && e.rule != endOfGoto && !onlyCounts(t.ruleAt(uint32(rank))) && !seen[at] {
			seen[at] = true
			t.stats.Inexact++
		}
	}
}

func (s *Stats) clone() Stats {
	out := *s
	out.Fields = slices.Clone(s.Fields)
	return out
}

// addList counts the rules of a list.
func (s *Stats) addList(n int, schema *rules.Schema, boxes *lower.Boxes) {
	s.Rules += n
	s.Never += len(boxes.Never)
	s.Passing += n - boxes.Len() - len(boxes.Never)
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

// newShape returns a shape that counts fields, and shares of n ranks.
func newShape(s *rules.Schema, n int) tree.Shape {
	words := make([]tree.Word, s.KeyLen())
	for f := range s.Len() {
		first, count := s.FieldWords(f)
		for w := first; w < first+count; w++ {
			words[w] = tree.Word{Field: f, Max: ^uint32(0)}
		}
		words[first].Max >>= 32*count - s.Field(f).Bits
	}
	return tree.Shape{Words: words, Shares: make([]tree.Share, n)}
}

// addTree counts the nodes below the roots, and returns the bound of a lookup.
func addTree(shape *tree.Shape, t *tree.Tree, r roots, seen map[tree.Ref]bool) (worst Work) {
	shape.Add(t, r.general, seen)
	shape.Add(t, r.ipv4, seen)
	worst = workOf(t.Bound(r.general))
	if r.ipv4 != r.general {
		worst.or(workOf(t.Bound(r.ipv4)))
	}
	return worst
}

// addShape takes the counts of all trees.
func (s *Stats) addShape(shape *tree.Shape, t *tree.Tree) {
	s.Nodes = Nodes(shape.Nodes)
	s.Slots, s.Rows = shape.Slots, shape.Rows
	s.LargestLeaf, s.LargestBucket = shape.LargestLeaf, shape.LargestBucket
	for _, n := range shape.Depth {
		s.Depth = append(s.Depth, Nodes(n))
	}
	for f, n := range shape.Fields {
		s.Fields[f].Nodes = Nodes(n)
	}
	m := t.Memory(shape)
	s.Memory.Tables, s.Memory.Intervals, s.Memory.Leaves, s.Memory.Buckets = m.Tables, m.Intervals, m.Leaves, m.Buckets
	s.Memory.Programs, s.Memory.Needs, s.Memory.Classes, s.Memory.Spare = m.Programs, m.Needs, m.Classes, m.Spare
	s.TreeBytes = s.Memory.tree()
}

// memory counts what is known of the rules by position.
func (in *info[T]) memory(m *Memory) {
	const unknownBytes = 16 // a place in the map, about
	var value T
	m.Values = cap(in.values) * int(unsafe.Sizeof(value))
	m.Identities = 8*cap(in.ids) + unknownBytes*len(in.unknown) + 4*cap(in.passing)
}

// ruleCosts returns what each rank takes.
func ruleCosts(t *tree.Tree, shape *tree.Shape, place func(rank int) rules.Place) []RuleCost {
	out := make([]RuleCost, len(shape.Shares))
	for rank, s := range shape.Shares {
		out[rank] = RuleCost{Place: place(rank), Rows: int(s.Rows), Bytes: int(s.Bytes) + t.ProgramBytes(uint32(rank))}
	}
	return out
}

// hidden returns the places without rows, but for those of the ranks, ascending,
// that can never match, and of rules that continue.
func hidden(costs []RuleCost, never []uint32, continues func(rules.Place) bool) (out []rules.Place) {
	for rank, c := range costs {
		if c.Rows > 0 {
			continue
		}
		if _, is := slices.BinarySearch(never, uint32(rank)); !is && !continues(c.Place) {
			out = append(out, c.Place)
		}
	}
	return out
}

// costliestOf returns the rules that take the most.
func costliestOf(costs []RuleCost) []RuleCost {
	costs = slices.DeleteFunc(costs, func(c RuleCost) bool { return c.Rows == 0 })
	slices.SortStableFunc(costs, func(a, b RuleCost) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Rows, a.Rows))
	})
	return slices.Clone(costs[:min(costliest, len(costs))])
}
