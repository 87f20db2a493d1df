package baselines

// Which boxes make a sortable set, and by which order of the fields. That is hard
// to do best; the greedy way of the paper (see partitionsort.go) takes one field
// after the other. For each field that is left, the boxes are grouped by what they
// have in common so far, and of each group those intervals are kept that do not meet
// and have most boxes, a weighted interval scheduling:
//
//	[---a:5---]   [--c:2--]
//	        [--b:4--]            keep a and c: 7 boxes of 11
//
// The field that keeps most boxes is taken, with what it keeps as the new groups.
// Of equal ones that with more intervals comes first.

import (
	"cmp"
	"context"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// greedy finds sortable sets among some boxes.
type greedy struct {
	bx     *boxes
	schema *rules.Schema
	fields []greedyField

	keys []uint64 // of a group: number of the interval and box
	runs []run
}

// greedyField numbers the intervals of a field by their ends.
type greedyField struct {
	field, first, n int
	number          map[uint32]uint32 // by box, for a few
	numbers         []uint32          // by box, else
	below           []uint32          // by number: how many intervals end before it begins
}

// run is the boxes keys[from:to] with the same interval; total is what can be kept
// up to and with it, and before how many runs end before it begins.
type run struct{ from, to, before, total int }

func newGreedy(s *rules.Schema, bx *boxes) *greedy {
	g := &greedy{bx: bx, schema: s}
	all := make([]uint32, bx.len())
	for b := range all {
		all[b] = uint32(b)
	}
	g.learn(all)
	return g
}

// learn numbers the intervals of some boxes; forget frees that.
func (g *greedy) learn(list []uint32) {
	g.fields = g.fields[:0]
	spans := make([]rules.Interval, len(list))
	distinct := make([]rules.Interval, len(list))
	for f := range g.schema.Len() {
		first, n := g.schema.FieldWords(f)
		d := greedyField{field: f, first: first, n: n}
		for i, b := range list {
			spans[i] = g.interval(b, first, n)
		}
		copy(distinct, spans)
		slices.SortFunc(distinct, func(a, b rules.Interval) int { return cmp.Or(a.Hi.Cmp(b.Hi), a.Lo.Cmp(b.Lo)) })
		u := slices.Compact(distinct)
		if len(u) == 1 { // no way to tell boxes apart
			continue
		}
		d.below = make([]uint32, len(u))
		for i, iv := range u {
			before, _ := slices.BinarySearchFunc(u, iv.Lo, func(x rules.Interval, lo rules.Value) int { return x.Hi.Cmp(lo) })
			d.below[i] = uint32(before)
		}
		number := func(iv rules.Interval) uint32 {
			at, _ := slices.BinarySearchFunc(u, iv, func(x, y rules.Interval) int { return cmp.Or(x.Hi.Cmp(y.Hi), x.Lo.Cmp(y.Lo)) })
			return uint32(at)
		}
		if len(list) == g.bx.len() {
			d.numbers = make([]uint32, len(list))
			for i, iv := range spans {
				d.numbers[list[i]] = number(iv)
			}
		} else {
			d.number = make(map[uint32]uint32, len(list))
			for i, iv := range spans {
				d.number[list[i]] = number(iv)
			}
		}
		g.fields = append(g.fields, d)
	}
}

func (g *greedy) forget() { g.fields, g.keys, g.runs = nil, nil, nil }

// interval returns the interval of a field of n words.
func (g *greedy) interval(b uint32, first, n int) (iv rules.Interval) {
	for w := range n {
		lo, hi := g.bx.span(b, uint16(first+w))
		iv.Lo = iv.Lo.Shl(32).Or(rules.U64(uint64(lo)))
		iv.Hi = iv.Hi.Shl(32).Or(rules.U64(uint64(hi)))
	}
	return iv
}

func (d *greedyField) of(b uint32) uint32 {
	if d.numbers != nil {
		return d.numbers[b]
	}
	return d.number[b]
}

// pick returns a sortable set of the boxes, and its order of key words. It takes
// O(fields^2 x boxes x log boxes) and fails with the context's error.
func (g *greedy) pick(ctx context.Context, list []uint32) (kept []uint32, order []uint16, err error) {
	groups := [][]uint32{slices.Clone(list)}
	used := make([]bool, len(g.fields))
	for range g.fields {
		best, most, distinct := -1, -1, 0
		for f := range g.fields {
			if used[f] {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			sum, runs := 0, 0
			for _, group := range groups {
				sum += g.weigh(&g.fields[f], group)
				runs += len(g.runs)
			}
			if sum > most || sum == most && runs > distinct {
				best, most, distinct = f, sum, runs
			}
		}
		d := &g.fields[best]
		used[best] = true
		for w := range d.n {
			order = append(order, uint16(d.first+w))
		}
		var next [][]uint32
		for _, group := range groups {
			g.weigh(d, group)
			at := group[:0] // its boxes are in keys
			for i := len(g.runs) - 1; i >= 0; {
				r := &g.runs[i]
				if i > 0 && g.runs[i-1].total == r.total { // as many without it
					i--
					continue
				}
				from := len(at)
				for _, k := range g.keys[r.from:r.to] {
					at = append(at, uint32(k))
				}
				if one := at[from:len(at):len(at)]; len(one) == 1 {
					kept = append(kept, one[0]) // sortable by any fields
				} else {
					next = append(next, one)
				}
				i = r.before - 1
			}
		}
		groups = next
	}
	for _, group := range groups {
		kept = append(kept, group...)
	}
	for w := 1; w < g.bx.words; w++ { // the rest, which the boxes agree in
		if !slices.Contains(order, uint16(w)) {
			order = append(order, uint16(w))
		}
	}
	return kept, order, nil
}

// weigh returns how many boxes of a group can be kept by a field, and leaves the
// runs of equal intervals in g.runs and the boxes by run in g.keys.
func (g *greedy) weigh(d *greedyField, group []uint32) int {
	g.keys, g.runs = g.keys[:0], g.runs[:0]
	for _, b := range group {
		g.keys = append(g.keys, uint64(d.of(b))<<32|uint64(b))
	}
	slices.Sort(g.keys)
	total := 0
	for from := 0; from < len(g.keys); {
		number := g.keys[from] >> 32
		to := from + 1
		for to < len(g.keys) && g.keys[to]>>32 == number {
			to++
		}
		below := uint64(d.below[number])
		before, _ := slices.BinarySearchFunc(g.runs, below, func(r run, x uint64) int { return cmp.Compare(g.keys[r.from]>>32, x) })
		with := to - from
		if before > 0 {
			with += g.runs[before-1].total
		}
		total = max(total, with)
		g.runs = append(g.runs, run{from, to, before, total})
		from = to
	}
	return total
}
