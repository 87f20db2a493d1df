package smallworld

// The proof by cells, for lists of any size. The ends of all intervals cut each
// field into elementary intervals; a cell is one of each field, or that the field
// is absent. A rule of intervals matches all packets of a cell or none, so that
// one answer of the linear matcher holds for the whole cell. A structure that cuts
// fields only where rules do answers alike within a cell, too: right at a packet
// of each cell it is right for all. Where it cuts elsewhere, or compares a bound
// wrongly, corners are the packets that show it. Large lists have more cells than
// can be asked, so that cells are drawn at random.

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// mostCorners is the number of corners of a cell that are checked, drawn at
// random when there are more.
const mostCorners = 32

// Cells are the elementary intervals of a list.
type Cells struct {
	list *rules.List[int]
	// starts are the first values of each field's elementary intervals, ascending,
	// from 0.
	starts [][]rules.Value
	// scattered says of which fields a condition has a mask that is no prefix: the
	// values of an elementary interval are not all alike then, and each corner is
	// asked of the linear matcher.
	scattered []bool
}

// CellReport says what was checked.
type CellReport struct {
	Cells       int
	Matched     int // cells that a rule matches first
	Corners     int
	Comparisons int // answers compared
}

// Add adds another report.
func (r *CellReport) Add(o CellReport) {
	r.Cells += o.Cells
	r.Matched += o.Matched
	r.Corners += o.Corners
	r.Comparisons += o.Comparisons
}

// NewCells cuts the fields of a list. It takes O(n log n) time in the number of
// intervals.
func NewCells(l *rules.List[int]) *Cells {
	s := l.Schema()
	c := &Cells{list: l, starts: make([][]rules.Value, s.Len()), scattered: make([]bool, s.Len())}
	for f := range c.starts {
		c.starts[f] = []rules.Value{{}}
	}
	for _, r := range l.All() {
		for i := range r.Conds {
			c.cut(&r.Conds[i])
		}
	}
	for f := range c.starts {
		slices.SortFunc(c.starts[f], rules.Value.Cmp)
		c.starts[f] = slices.Compact(c.starts[f])
	}
	return c
}

func (c *Cells) cut(cond *rules.Cond) {
	f := cond.Field()
	field := c.list.Schema().Field(f)
	add := func(iv rules.Interval) {
		c.starts[f] = append(c.starts[f], iv.Lo)
		if iv.Hi != field.Max() {
			c.starts[f] = append(c.starts[f], iv.Hi.Next())
		}
	}
	ivs, _ := cond.Intervals()
	for _, iv := range ivs {
		add(iv)
	}
	if want, mask, ok := cond.Mask(); ok {
		low := trailingZeros(mask, field.Bits)
		prefix := mask == field.Max().Xor(rules.Ones(low))
		if prefix {
			add(rules.Interval{Lo: want.And(mask), Hi: want.And(mask).Or(rules.Ones(low))})
		}
		c.scattered[f] = c.scattered[f] || !prefix
	}
}

func trailingZeros(v rules.Value, width int) int {
	switch {
	case v.Lo != 0:
		return bits.TrailingZeros64(v.Lo)
	case v.Hi != 0:
		return 64 + bits.TrailingZeros64(v.Hi)
	}
	return width
}

// Elementary returns the number of elementary intervals of a field.
func (c *Cells) Elementary(field int) int { return len(c.starts[field]) }

// interval returns an elementary interval.
func (c *Cells) interval(f, i int) rules.Interval {
	iv := rules.Interval{Lo: c.starts[f][i], Hi: c.list.Schema().Field(f).Max()}
	if i+1 < len(c.starts[f]) {
		iv.Hi = c.starts[f][i+1].Prev()
	}
	return iv
}

// cell is an elementary interval of each field, or, where absent, none.
type cell struct {
	ivs    []rules.Interval
	absent []bool
}

// draw draws a cell: in one of two, one of a random rule's, as far as the fields
// that it asks for are given by intervals; in one of eight, with a field absent.
func (c *Cells) draw(r *rand.Rand) cell {
	s := c.list.Schema()
	out := cell{make([]rules.Interval, s.Len()), make([]bool, s.Len())}
	for f := range out.ivs {
		out.ivs[f] = c.interval(f, r.IntN(len(c.starts[f])))
	}
	if c.list.Len() > 0 && r.IntN(2) == 0 {
		conds := c.list.At(r.IntN(c.list.Len())).Conds
		for i := range conds {
			f := conds[i].Field()
			if ivs, _ := conds[i].Intervals(); len(ivs) > 0 && !conds[i].Negated() {
				iv := ivs[r.IntN(len(ivs))]
				first := c.find(f, iv.Lo)
				out.ivs[f] = c.interval(f, first+r.IntN(c.find(f, iv.Hi)-first+1))
			} else if want, mask, ok := conds[i].Mask(); ok && !conds[i].Negated() {
				v := out.ivs[f].Lo.And(mask.Not()).Or(want).And(s.Field(f).Max())
				out.ivs[f] = c.interval(f, c.find(f, v))
			}
		}
	}
	if s.Len() > 0 && r.IntN(8) == 0 {
		out.absent[r.IntN(s.Len())] = true
	}
	return out
}

// find returns the elementary interval that holds a value.
func (c *Cells) find(f int, v rules.Value) int {
	return sort.Search(len(c.starts[f]), func(i int) bool { return v.Less(c.starts[f][i]) }) - 1
}

// corners appends keys of the corners of a cell, all or mostCorners of them, and
// one from inside.
func (c *Cells) corners(keys []uint32, x *cell, r *rand.Rand) []uint32 {
	s := c.list.Schema()
	k := s.NewKey()
	var two []int // fields with two ends
	for f, iv := range x.ivs {
		if !x.absent[f] && iv.Lo != iv.Hi {
			two = append(two, f)
		}
	}
	n := mostCorners
	if len(two) < bits.Len(mostCorners-1) {
		n = 1 << len(two)
	}
	for corner := range n + 1 {
		pick := uint64(corner)
		if len(two) >= bits.Len(mostCorners) {
			pick = r.Uint64()
		}
		for f, iv := range x.ivs {
			s.Set(k, f, iv.Lo)
			if x.absent[f] {
				s.SetAbsent(k, f)
			}
		}
		for i, f := range two {
			switch iv := x.ivs[f]; {
			case corner == n: // all bits that the ends share, and others that stay between them
				if v := iv.Lo.Or(iv.Lo.Xor(iv.Hi).And(rules.Value{Hi: r.Uint64(), Lo: r.Uint64()})); iv.Contains(v) {
					s.Set(k, f, v)
				}
			case pick>>i&1 != 0:
				s.Set(k, f, iv.Hi)
			}
		}
		keys = append(keys, k...)
	}
	return keys
}

// Check draws n cells by a seed and compares the answers about their corners, and
// about a packet inside each, of Answerers of the same list with those of the
// linear matcher, whose answers it also requires to be one for the cell. names
// are those of the Answerers. First matches are compared for all, all matches and
// the rules executed for every eighth cell. It takes O(rules) per cell. The error
// is the first difference, or the context's.
func (c *Cells) Check(ctx context.Context, names []string, as []*ways.Answerer, n int, seed uint64) (CellReport, error) {
	var report CellReport
	s := c.list.Schema()
	r := rand.New(rand.NewPCG(seed, 0xce115))
	linear, err := ways.Linear().Build(c.list)
	if err != nil {
		return report, err
	}
	w := s.KeyLen()
	var keys []uint32
	for i := range n {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		x := c.draw(r)
		keys = c.corners(keys[:0], &x, r)
		corners := len(keys) / w
		want := &ways.Answers{}
		all := i%8 == 0
		if slices.Contains(c.scattered, true) {
			want = ways.Ask(s, linear, keys, all)
		} else {
			one := ways.Ask(s, linear, keys[:w], all)
			last := ways.Ask(s, linear, keys[(corners-1)*w:], all)
			if _, err := last.Compare("linear, the cell's inside", s, keys[(corners-1)*w:], one); err != nil {
				return report, err
			}
			for range corners {
				want.First = append(want.First, one.First[0])
				if all {
					want.All, want.Executed = append(want.All, one.All[0]), append(want.Executed, one.Executed[0])
				}
			}
		}
		report.Cells++
		report.Corners += corners
		if want.First[0] != ways.None {
			report.Matched++
		}
		for j, a := range as {
			m, err := ways.Ask(s, a, keys, all).Compare(names[j], s, keys, want)
			report.Comparisons += m
			if err != nil {
				return report, err
			}
		}
	}
	return report, nil
}

// CheckCells builds a list in all ways given, and checks n of its cells. The
// values of rules are to tell them apart, see ways.Numbered.
func CheckCells(ctx context.Context, l *rules.List[int], all []ways.Way, n int, seed uint64) (CellReport, error) {
	var names []string
	var as []*ways.Answerer
	for _, way := range all {
		a, err := way.Build(l)
		if err != nil {
			return CellReport{}, fmt.Errorf("cells: %w", err)
		}
		names, as = append(names, way.Name), append(as, a)
	}
	return NewCells(l).Check(ctx, names, as, n, seed)
}
