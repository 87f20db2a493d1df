package policy

// Fewer, larger regions: boxes of the same two rules that are neighbours in one
// dimension and alike in all others are one box.

import (
	"cmp"
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/region"
)

// join joins regions as long as some can be, dimension by dimension: O(n log n)
// for each of a few rounds.
func (p *pair) join(all []Region) []Region {
	dims := p.seq.Space.Dims()
	for {
		before := len(all)
		for d := range dims {
			all = joinAlong(all, d)
		}
		if len(all) == before {
			return all
		}
	}
}

// joinAlong joins the regions that are neighbours in dimension d.
func joinAlong(all []Region, d int) []Region {
	slices.SortFunc(all, func(r, s Region) int { return order(&r, &s, d, true) })
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 {
			if last := &out[n-1]; order(last, &r, d, false) == 0 && last.box[d].Hi+1 == r.box[d].Lo {
				last.box[d].Hi = r.box[d].Hi
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// order compares two regions by who decides and by all dimensions but d, which
// comes last where it counts.
func order(r, s *Region, d int, last bool) int {
	if c := cmp.Or(cmp.Compare(r.a, s.a), cmp.Compare(r.b, s.b)); c != 0 {
		return c
	}
	for i := range r.box {
		if i == d {
			continue
		}
		if c := spans(r.box[i], s.box[i]); c != 0 {
			return c
		}
	}
	if last {
		return spans(r.box[d], s.box[d])
	}
	return 0
}

func spans(a, b region.Span) int { return cmp.Or(cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi)) }
