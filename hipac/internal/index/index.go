// Package index is the field index: for every field the elementary intervals
// of the rules' conditions, and which rules cover each.
//
// The bounds of all intervals that rules name in a field cut its values into
// elementary intervals, within which no rule distinguishes two values. They
// stand in a B-tree by their lower bound, each with the set of the specific
// rules that cover it. Two kinds of rules would be in nearly every set, and
// are kept elsewhere: a rule without a condition on the field is in one shared
// bitmap, and a rule that covers many elementary intervals is stored by the
// aligned power-of-two blocks that make up its interval (for a prefix, one).
//
//	field dport          r0 80   r1 1024-65535   r2 any   r3 22,80
//	any      {r2}
//	B-tree   0:{} 22:{r3} 23:{} 80:{r0 r3} 81:{} 1024:{r1}
//
// Which rules match a packet: per field, the union of the shared bitmap, the
// set of the value's elementary interval and the blocks around it; these,
// intersected over the fields. The same with intervals in place of values
// answers which rules meet a region. It is exact for every condition but bit
// masks, whose rules are asked themselves at the end.
//
// Costs, for n rules: memory O(n) sets' entries of up to maxSpecific per
// interval; a point query one B-tree search (about a microsecond at 100,000
// bounds) and some bitmap operations per field; Add and Remove a B-tree search
// per interval. It is for compiling, editing and analysing, and as a second
// engine to test the tree against; the tree is tens of times faster.
package index

import (
	"context"
	"errors"
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/btree"

	"github.com/hipac-go/classifier/rules"
)

const (
	// maxSpecific is the number of elementary intervals a rule's interval may
	// cover and still be entered in each; beyond it is stored in blocks.
	maxSpecific = 16
	// degree of the B-trees. 32 gives 63 items a node, and searches within 5 %
	// of the best in BenchmarkPoint.
	degree = 32
)

// Index is a field index of up to 2^32-1 rules, numbered by the caller. It is
// safe for concurrent readers while nothing is added or removed.
type Index struct {
	schema *rules.Schema
	fields []field
	rules  map[uint32][]rules.Cond // of rules with a bit mask: to be asked
	every  *roaring.Bitmap         // all rules
}

// field is the index of one field.
type field struct {
	used     bool // some rule has a condition on it
	any      *roaring.Bitmap
	orAbsent *roaring.Bitmap // rules that hold when the field is absent
	tree     *btree.BTreeG[*elementary]
	blocks   map[block]*set
	members  int64                       // entered in sets, for the memory limit
	lengths  [rules.MaxFieldBits + 1]int // blocks by prefix length
}

// elementary is an elementary interval; it ends before the next one begins.
type elementary struct {
	lo   rules.Value
	refs int // intervals of rules that begin here or end just before
	set  set
}

// block is an aligned block of 2^(bits-length) values.
type block struct {
	lo     rules.Value
	length uint8
}

func less(a, b *elementary) bool { return a.lo.Less(b.lo) }

// New returns an empty index.
func New(s *rules.Schema) *Index {
	return &Index{schema: s, fields: make([]field, s.Len()), rules: map[uint32][]rules.Cond{}, every: roaring.New()}
}

// ErrMemory is returned by Build when the limit does not suffice.
var ErrMemory = errors.New("memory limit exceeded")

// Rough sizes in bytes, for the memory limit.
const (
	intervalBytes = 112 // an elementary interval and its place in the B-tree
	blockBytes    = 96  // a block's set and its place in the map
	memberBytes   = 8   // a rule in a set, slack included
)

// Build returns the index of rules 0 to n-1. It fails when the context ends
// or when it would take more than about limit bytes.
func Build(ctx context.Context, s *rules.Schema, n int, conds func(i int) []rules.Cond, limit int64) (*Index, error) {
	x := New(s)
	work := 0
	ok := func(more int) error {
		if work += more; work < 1<<12 {
			return nil
		}
		work = 0
		if x.bytes() > limit {
			return ErrMemory
		}
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// All bounds first, so that the number of elementary intervals that a rule
	// covers is known before it is entered.
	for i := range n {
		for _, e := range x.lower(conds(i)) {
			for _, iv := range e.ranges {
				x.fields[e.field].bound(iv, s.Field(e.field), x.every)
				if err := ok(1); err != nil {
					return nil, err
				}
			}
		}
	}
	for i := range n {
		if err := x.enter(uint32(i), conds(i), ok); err != nil {
			return nil, err
		}
	}
	if err := ok(1 << 12); err != nil {
		return nil, err
	}
	return x, nil
}

// bytes estimates the memory of the index.
func (x *Index) bytes() int64 {
	var n int64
	for i := range x.fields {
		f := &x.fields[i]
		if f.used {
			n += intervalBytes*int64(f.tree.Len()) + blockBytes*int64(len(f.blocks))
		}
		n += memberBytes * f.members
	}
	return n
}

// Add enters a rule under a number that is not in use.
func (x *Index) Add(rule uint32, conds []rules.Cond) {
	for _, e := range x.lower(conds) {
		for _, iv := range e.ranges {
			x.fields[e.field].bound(iv, x.schema.Field(e.field), x.every)
		}
	}
	x.enter(rule, conds, func(int) error { return nil })
}

// Remove takes a rule out, given the conditions it was added with.
func (x *Index) Remove(rule uint32, conds []rules.Cond) {
	x.every.Remove(rule)
	delete(x.rules, rule)
	constrained := uint32(0)
	for _, e := range x.lower(conds) {
		constrained |= 1 << e.field
		f := &x.fields[e.field]
		if e.orAbsent {
			f.orAbsent.Remove(rule)
		}
		for _, iv := range e.ranges {
			f.removeBlocks(rule, iv, x.schema.Field(e.field).Bits)
			f.overlapping(iv, func(el *elementary) bool {
				el.set.remove(rule)
				return true
			})
			f.unbound(iv, x.schema.Field(e.field))
		}
	}
	for i := range x.fields {
		if f := &x.fields[i]; f.used && constrained>>i&1 == 0 {
			f.any.Remove(rule)
		}
	}
}

// entry is a rule's condition on one field as intervals.
type entry struct {
	field    int
	ranges   []rules.Interval
	orAbsent bool
	asked    bool // there is a bit mask too
}

// lower makes the intervals of a rule's conditions, one entry per field.
func (x *Index) lower(conds []rules.Cond) []entry {
	var out []entry
	for i := range conds {
		c := &conds[i]
		f := x.schema.Field(c.Field())
		e := entry{field: c.Field(), orAbsent: c.AllowsAbsent()}
		ranges, ranged := c.Intervals()
		_, _, masked := c.Mask()
		switch {
		case masked && c.Negated(), !ranged:
			e.ranges = []rules.Interval{f.Full()}
			if !masked && c.Negated() {
				e.ranges = nil
			}
		case c.Negated():
			e.ranges = rules.Complement(f, ranges)
		default:
			e.ranges = ranges
		}
		e.asked = masked
		if at := slices.IndexFunc(out, func(o entry) bool { return o.field == e.field }); at >= 0 {
			o := &out[at]
			o.ranges = intersect(o.ranges, e.ranges)
			o.orAbsent = o.orAbsent && e.orAbsent
			o.asked = o.asked || e.asked
		} else {
			out = append(out, e)
		}
	}
	return out
}

// intersect returns the values that are in both ascending lists of intervals.
func intersect(a, b []rules.Interval) []rules.Interval {
	var out []rules.Interval
	for len(a) > 0 && len(b) > 0 {
		if a[0].Overlaps(b[0]) {
			iv := a[0]
			if iv.Lo.Less(b[0].Lo) {
				iv.Lo = b[0].Lo
			}
			if b[0].Hi.Less(iv.Hi) {
				iv.Hi = b[0].Hi
			}
			out = append(out, iv)
		}
		if a[0].Hi.Less(b[0].Hi) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// enter puts a rule into the sets of its intervals, whose bounds are there. It
// asks ok as it goes, with the work done since.
func (x *Index) enter(rule uint32, conds []rules.Cond, ok func(int) error) error {
	constrained := uint32(0)
	for _, e := range x.lower(conds) {
		constrained |= 1 << e.field
		f := &x.fields[e.field]
		f.use(x.every)
		if e.asked {
			x.rules[rule] = conds
		}
		if e.orAbsent {
			f.orAbsent.Add(rule)
		}
		for _, iv := range e.ranges {
			if err := ok(maxSpecific); err != nil {
				return err
			}
			var cover [maxSpecific]*elementary
			n := 0
			f.overlapping(iv, func(el *elementary) bool {
				if n < maxSpecific {
					cover[n] = el
				}
				n++
				return n <= maxSpecific
			})
			if n > maxSpecific {
				f.addBlocks(rule, iv, x.schema.Field(e.field).Bits)
				continue
			}
			for _, el := range cover[:n] {
				el.set.add(rule)
			}
			f.members += int64(n)
		}
	}
	for i := range x.fields {
		if f := &x.fields[i]; f.used && constrained>>i&1 == 0 {
			f.any.Add(rule)
		}
	}
	x.every.Add(rule)
	return ok(1)
}

// use prepares a field for its first condition; no rule so far has one.
func (f *field) use(every *roaring.Bitmap) {
	if !f.used {
		f.used = true
		f.any = every.Clone()
		f.orAbsent = roaring.New()
		f.tree = btree.NewG(degree, less)
		f.tree.ReplaceOrInsert(&elementary{refs: 1}) // 0 is always a bound
		f.blocks = map[block]*set{}
	}
}

// bound makes lo and hi+1 bounds of elementary intervals.
func (f *field) bound(iv rules.Interval, desc *rules.Field, every *roaring.Bitmap) {
	f.use(every)
	f.split(iv.Lo)
	if iv.Hi != desc.Max() {
		f.split(iv.Hi.Next())
	}
}

func (f *field) split(at rules.Value) {
	below := f.find(at)
	if below.lo == at {
		below.refs++
		return
	}
	f.tree.ReplaceOrInsert(&elementary{lo: at, refs: 1, set: below.set.clone()})
}

// unbound takes back what bound did.
func (f *field) unbound(iv rules.Interval, desc *rules.Field) {
	f.join(iv.Lo)
	if iv.Hi != desc.Max() {
		f.join(iv.Hi.Next())
	}
}

func (f *field) join(at rules.Value) {
	el := f.find(at)
	if el.refs--; el.refs == 0 {
		f.tree.Delete(el) // nobody distinguishes it from the one below any more
	}
}

// find returns the elementary interval that holds v.
func (f *field) find(v rules.Value) *elementary {
	var found *elementary
	f.tree.DescendLessOrEqual(&elementary{lo: v}, func(el *elementary) bool {
		found = el
		return false
	})
	return found
}

// overlapping visits the elementary intervals that meet iv, in order.
func (f *field) overlapping(iv rules.Interval, visit func(*elementary) bool) {
	f.tree.AscendGreaterOrEqual(f.find(iv.Lo), func(el *elementary) bool {
		return !iv.Hi.Less(el.lo) && visit(el)
	})
}

// Intervals returns the number of elementary intervals of field i; a field
// that no rule constrains has one.
func (x *Index) Intervals(i int) int {
	if !x.fields[i].used {
		return 1
	}
	return x.fields[i].tree.Len()
}

// blocksOf visits the aligned blocks that make up an interval, in order.
func blocksOf(iv rules.Interval, width int, visit func(block)) {
	at := iv.Lo
	for {
		// The largest block that begins here and does not go beyond the end.
		free := width
		if at != (rules.Value{}) {
			free = trailingZeros(at)
		}
		for at.Or(rules.Ones(free)) != at && iv.Hi.Less(at.Or(rules.Ones(free))) {
			free--
		}
		visit(block{at, uint8(width - free)})
		end := at.Or(rules.Ones(free))
		if end == iv.Hi {
			return
		}
		at = end.Next()
	}
}

func trailingZeros(v rules.Value) int {
	if v.Lo != 0 {
		return bits.TrailingZeros64(v.Lo)
	}
	return 64 + bits.TrailingZeros64(v.Hi)
}

func (f *field) addBlocks(rule uint32, iv rules.Interval, width int) {
	blocksOf(iv, width, func(b block) {
		s := f.blocks[b]
		if s == nil {
			s = &set{}
			f.blocks[b] = s
			f.lengths[b.length]++
		}
		s.add(rule)
		f.members++
	})
}

func (f *field) removeBlocks(rule uint32, iv rules.Interval, width int) {
	blocksOf(iv, width, func(b block) {
		if s := f.blocks[b]; s != nil && s.remove(rule) && s.len() == 0 {
			delete(f.blocks, b)
			f.lengths[b.length]--
		}
	})
}
