package region

// Where a box is cut: at a bound of the item that sets the sides apart, so that
// what is outside of it is done; inside of it, at a bound of the items that take
// up most of the box, since one that covers a half ends the walk there.

import "slices"

const (
	mostLooked  = 4096 // items that are looked at for the largest
	mostLarge   = 2    // of them, whose bounds are tried
	mostCuts    = 32   // bounds that are tried
	mostWeighed = 64   // items by which a cut is judged
)

// place is a cut: between at-1 and at of dimension d.
type place struct {
	d  int
	at uint32
}

// cut returns where to cut the box. At least one of the items does not cover it.
func (w *walker) cut(items []int32, first int, s state) (d int, at uint32) {
	var room [mostCuts]place
	places := room[:0]
	if first >= 0 {
		places = w.bounds(places, items[first])
	}
	if len(places) == 0 {
		for _, i := range w.largest(items, s) {
			places = w.bounds(places, i)
		}
	}
	best, least := places[0], -1.0
	for _, p := range places {
		if c := w.cost(items, p); least < 0 || c < least {
			best, least = p, c
		}
	}
	return best.d, best.at
}

// bounds appends the places within the box where item i begins or ends.
func (w *walker) bounds(places []place, i int32) []place {
	add := func(p place) {
		if len(places) < mostCuts && !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	h := w.q.hulls[int(i)*len(w.box):]
	for d, s := range w.box {
		if h[d].Lo > s.Lo {
			add(place{d, h[d].Lo})
		}
		if h[d].Hi < s.Hi {
			add(place{d, h[d].Hi + 1})
		}
	}
	for _, u := range w.q.unions[i] {
		s := w.box[u.Dim]
		for _, t := range u.Spans {
			if t.Lo > s.Lo && t.Lo <= s.Hi {
				add(place{u.Dim, t.Lo})
			}
			if t.Hi >= s.Lo && t.Hi < s.Hi {
				add(place{u.Dim, t.Hi + 1})
			}
		}
	}
	return places
}

// largest returns the items that take up most of the box without covering it.
func (w *walker) largest(items []int32, s state) []int32 {
	var large [mostLarge]struct {
		item  int32
		share float64
	}
	n := 0
	for _, i := range items[:min(len(items), mostLooked)] {
		if a, b := w.counts(i, s); !a && !b || w.q.covers(i, w.box) {
			continue
		}
		share := w.share(i)
		at := n
		for at > 0 && large[at-1].share < share {
			at--
		}
		if at < mostLarge {
			n = min(n+1, mostLarge)
			copy(large[at+1:n], large[at:n-1])
			large[at].item, large[at].share = i, share
		}
	}
	out := make([]int32, n)
	for k := range out {
		out[k] = large[k].item
	}
	return out
}

// share is the part of the box that item i takes up, 0 to 1, in coordinates.
func (w *walker) share(i int32) float64 {
	h := w.q.hulls[int(i)*len(w.box):]
	share := 1.0
	for d, s := range w.box {
		if h[d].Lo > s.Lo || h[d].Hi < s.Hi {
			share *= (float64(min(h[d].Hi, s.Hi)-max(h[d].Lo, s.Lo)) + 1) / (float64(s.Hi-s.Lo) + 1)
		}
	}
	return share
}

// cost judges a cut by the items that both halves have.
func (w *walker) cost(items []int32, p place) float64 {
	low, high := 0, 0
	for k := 0; k < len(items); k += max(1, len(items)/mostWeighed) {
		h := w.q.hulls[int(items[k])*len(w.box)+p.d]
		if h.Lo < p.at {
			low++
		}
		if h.Hi >= p.at {
			high++
		}
	}
	return float64(low)*float64(low) + float64(high)*float64(high)
}
