package exercises

// Generated sets of up to 20,000 rules, as they come and mutated, and their cells.

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/compare"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/smallworld"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// mostLinear is the number of rules asked about packets in a case, which takes the
// linear matcher some tenths of a second.
const mostLinear = 3_000_000

// generated makes a set of a kind.
func generated(t *drive.Trial, k *workload.Kind, most int) (*rules.List[string], error) {
	r := t.Rand
	most = min(most, 400<<min(t.Number, 16)) // small ones first, so that all have their turn soon
	n := 20 << r.IntN(8)
	if r.IntN(4) == 0 {
		n = most
	}
	n = max(min(n+r.IntN(n), most), k.Least)
	c := workload.Config{Family: k.Name, Rules: n, Seed: r.Uint64(), IPv6: k.IPv6 && r.IntN(4) == 0}
	if k.Has("Smoothness") {
		c.Smoothness, c.AddressScope, c.PortScope = r.IntN(30)-1, 2*r.Float64()-1, 2*r.Float64()-1
	}
	if k.Has("Prefixes") {
		c.Prefixes = r.Float64()
	}
	set, err := workload.Make(c)
	if err != nil {
		return nil, err
	}
	return set.List, nil
}

// mutated returns a list with some rules changed: ends moved by one, conditions gone
// or of other rules, rules elsewhere, twice, or going on.
func mutated(r *rand.Rand, l *rules.List[string]) (*rules.List[string], error) {
	rs := make([]rules.Rule[string], 0, l.Len())
	for _, x := range l.All() {
		c := *x
		c.ID = 0
		rs = append(rs, c)
	}
	for range 1 + r.IntN(1+len(rs)/4) {
		if len(rs) == 0 {
			break
		}
		i := r.IntN(len(rs))
		switch r.IntN(8) {
		case 0:
			rs[i].Continue = !rs[i].Continue
		case 1:
			j := r.IntN(len(rs))
			rs[i], rs[j] = rs[j], rs[i]
		case 2:
			rs = slices.Insert(rs, r.IntN(len(rs)+1), rs[i])
		case 3:
			rs = slices.Delete(rs, i, i+1)
		default:
			rs[i].Conds = mutatedConds(r, l.Schema(), rs[i].Conds, rs[r.IntN(len(rs))].Conds)
		}
	}
	return rules.NewList(l.Schema(), rs...)
}

func mutatedConds(r *rand.Rand, s *rules.Schema, conds, others []rules.Cond) []rules.Cond {
	conds = slices.Clone(conds)
	if len(conds) == 0 || r.IntN(6) == 0 {
		if len(others) > 0 {
			conds = append(conds, others[r.IntN(len(others))])
		}
		return conds
	}
	i := r.IntN(len(conds))
	c := conds[i]
	if r.IntN(8) == 0 {
		return slices.Delete(conds, i, i+1)
	}
	ivs, ranged := c.Intervals()
	if _, _, masked := c.Mask(); !ranged || masked || len(ivs) == 0 {
		return conds
	}
	full := s.Field(c.Field()).Full()
	ivs = slices.Clone(ivs)
	iv := &ivs[r.IntN(len(ivs))]
	switch r.IntN(6) {
	case 0:
		if iv.Lo != full.Lo {
			iv.Lo = iv.Lo.Prev()
		}
	case 1:
		if iv.Hi != full.Hi {
			iv.Hi = iv.Hi.Next()
		}
	case 2:
		if iv.Lo != iv.Hi {
			iv.Lo = iv.Lo.Next()
		}
	case 3:
		if iv.Lo != iv.Hi {
			iv.Hi = iv.Hi.Prev()
		}
	case 4: // right behind
		if iv.Hi != full.Hi {
			iv.Lo, iv.Hi = iv.Hi.Next(), full.Hi
		}
	case 5:
		iv.Hi = iv.Lo
	}
	out := rules.In(c.Field(), ivs...)
	if c.Negated() != (r.IntN(16) == 0) {
		out = out.Negate()
	}
	if c.AllowsAbsent() {
		out = out.OrAbsent()
	}
	conds[i] = out
	return conds
}

func sets() (all []*drive.Exercise) {
	for _, k := range workload.Kinds() {
		if k.Chains {
			continue
		}
		most, weight := 20_000, 0.6
		if _, ok := adversary(k.Name); ok {
			most, weight = 2500, 0.3
		}
		all = append(all, &drive.Exercise{Name: "sets of " + k.Name, Group: "generated sets", Weight: weight, Run: func(ctx context.Context, t *drive.Trial) error {
			l, err := generated(t, &k, most)
			if err != nil {
				return err
			}
			if t.Rand.IntN(2) == 0 {
				if l, err = mutated(t.Rand, l); err != nil {
					return err
				}
			}
			if t.Rand.IntN(4) > 0 {
				if l, err = withoutWild(l, 1+t.Rand.IntN(2)); err != nil {
					return err
				}
			}
			some := 99
			if l.Len() > 1500 {
				some = 3
			}
			return checkList(ctx, t, l, max(40, min(600, mostLinear/(4*(l.Len()+1)))), some)
		}})
	}
	return all
}

func adversary(name string) (workload.Adversary, bool) {
	for _, a := range workload.Adversaries() {
		if a.String() == name {
			return a, true
		}
	}
	return 0, false
}

func cells() []*drive.Exercise {
	return []*drive.Exercise{
		{Name: "cells of generated sets", Group: "cells", Weight: 2, Run: func(ctx context.Context, t *drive.Trial) error {
			kinds := workload.Kinds()
			k := &kinds[t.Rand.IntN(14)] // those that are no chains, nor adversarial
			l, err := generated(t, k, 8000)
			if err != nil {
				return err
			}
			if l, err = withoutWild(l, 2); err != nil {
				return err
			}
			return checkCells(ctx, t, l, 3)
		}},
		{Name: "cells of random lists", Group: "cells", Weight: 2, Run: func(ctx context.Context, t *drive.Trial) error {
			l, err := randomList(t, &schemas[t.Rand.IntN(len(schemas))], size(t, 300))
			if err != nil {
				return err
			}
			return checkCells(ctx, t, l, 6)
		}},
	}
}

// checkCells checks cells of a list.
func checkCells[T any](ctx context.Context, t *drive.Trial, list *rules.List[T], most int) error {
	l, err := numbered(list)
	if err != nil {
		return err
	}
	some := waysOf(t, most)
	var names []string
	var as []*ways.Answerer
	for _, w := range some {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := w.Build(l)
		if err != nil {
			return listFailure(err, l, nil, []ways.Way{w})
		}
		names, as = append(names, w.Name), append(as, a)
	}
	return cellsOf(ctx, t, smallworld.NewCells(l), l, names, as, some)
}

// cellsOf checks cells in ways that are built.
func cellsOf(ctx context.Context, t *drive.Trial, c *smallworld.Cells, l *rules.List[int], names []string, as []*ways.Answerer, some []ways.Way) error {
	n := max(8, min(200, mostLinear/(8*(l.Len()+1))))
	r, err := c.Check(ctx, names, as, n, t.Seed)
	t.Counts.Rules += int64(l.Len())
	t.Counts.Cells += int64(r.Cells)
	t.Counts.Hits += int64(r.Matched)
	t.Counts.Misses += int64(r.Cells - r.Matched)
	t.Counts.Packets += int64(r.Corners)
	t.Counts.Answers += int64(r.Comparisons)
	var d *compare.Difference
	if errors.As(err, &d) {
		return listFailure(err, l, d.Key, some)
	}
	return err
}
