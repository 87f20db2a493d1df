package region

// A tree of boxes around boxes, to find those that meet a box: an R-tree that is
// packed once, from the widest to the narrowest and by place.

import (
	"cmp"
	"math/bits"
	"slices"
)

// fanout is the number of boxes that a box of the next level is around.
const fanout = 8

// hulls is the tree. levels[0] has the boxes in the order of order, each further
// level boxes around fanout of the one below.
type hulls struct {
	dims   int
	order  []int32
	levels [][]Span
	// least has for each box of levels the first of the boxes that it is around.
	least [][]int32
}

// newHulls packs the boxes.
func newHulls(dims int, boxes []Span) hulls {
	t := hulls{dims: dims}
	n := 0
	if dims > 0 {
		n = len(boxes) / dims
	}
	t.order = make([]int32, n)
	for i := range t.order {
		t.order[i] = int32(i)
	}
	if n == 0 {
		return t
	}
	t.split(t.order, boxes)
	level := make([]Span, 0, n*dims)
	for _, i := range t.order {
		level = append(level, boxes[int(i)*dims:][:dims]...)
	}
	t.levels, t.least = append(t.levels, level), append(t.least, t.order)
	for len(level) > dims {
		level = around(level, dims)
		below := t.least[len(t.least)-1]
		var least []int32
		for part := range slices.Chunk(below, fanout) {
			least = append(least, slices.Min(part))
		}
		t.levels, t.least = append(t.levels, level), append(t.least, least)
	}
	return t
}

// split orders the boxes of a part so that those that are alike are neighbours:
// by the dimension with the most different places.
func (t *hulls) split(part []int32, boxes []Span) {
	if len(part) <= fanout {
		return
	}
	best, most := 0, -1
	seen := map[Span]struct{}{}
	for d := range t.dims {
		clear(seen)
		for k := 0; k < len(part); k += max(1, len(part)/256) {
			seen[boxes[int(part[k])*t.dims+d]] = struct{}{}
		}
		if len(seen) > most {
			best, most = d, len(seen)
		}
	}
	slices.SortFunc(part, func(a, b int32) int {
		x, y := boxes[int(a)*t.dims+best], boxes[int(b)*t.dims+best]
		// Wide ones apart from narrow ones, or else each box around has a wide one.
		if c := cmp.Compare(bits.Len32(x.Hi-x.Lo)/4, bits.Len32(y.Hi-y.Lo)/4); c != 0 {
			return c
		}
		if c := cmp.Compare(uint64(x.Lo)+uint64(x.Hi), uint64(y.Lo)+uint64(y.Hi)); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	middle := (len(part)/2 + fanout - 1) / fanout * fanout
	if middle >= len(part) {
		return
	}
	t.split(part[:middle], boxes)
	t.split(part[middle:], boxes)
}

// around returns the boxes around each fanout of level.
func around(level []Span, dims int) []Span {
	n := len(level) / dims
	out := make([]Span, 0, (n+fanout-1)/fanout*dims)
	for first := 0; first < n; first += fanout {
		box := slices.Clone(level[first*dims:][:dims])
		for i := first + 1; i < min(n, first+fanout); i++ {
			for d, s := range level[i*dims:][:dims] {
				box[d].Lo = min(box[d].Lo, s.Lo)
				box[d].Hi = max(box[d].Hi, s.Hi)
			}
		}
		out = append(out, box...)
	}
	return out
}

// meeting appends the boxes from..to-1 that meet b.
func (t *hulls) meeting(b Box, from, to int32, out []int32) []int32 {
	if t.dims == 0 { // every packet is alike
		for i := from; i < to; i++ {
			out = append(out, i)
		}
		return out
	}
	if len(t.levels) == 0 {
		return out
	}
	var down func(level, first int)
	down = func(level, first int) {
		boxes := t.levels[level]
	next:
		for i := first; i < min(len(boxes)/t.dims, first+fanout); i++ {
			if t.least[level][i] >= to {
				continue
			}
			for d, s := range boxes[i*t.dims:][:t.dims] {
				if s.Lo > b[d].Hi || s.Hi < b[d].Lo {
					continue next
				}
			}
			if level > 0 {
				down(level-1, i*fanout)
			} else if r := t.order[i]; r >= from && r < to {
				out = append(out, r)
			}
		}
	}
	down(len(t.levels)-1, 0)
	return out
}
