package order

// The labels: spreading them over a list, finding one between two entries, and
// moving a few where there is none. The constants were chosen by the patterns
// of label_test.go; the moves an insertion costs, from 100,000 to 200,000
// entries, and the most moves at one time:
//
//	at random places; at the end; at the front; before the last    0        1
//	behind (or before) the one inserted last; behind a given one   0.05     21
//	runs of 100 at random places                                   0.18     354
//	behind the one inserted last, at two places in turn            1.0      88
//	at random places of one growing stretch                        1.2      104,000
//	at a fixed position, one removed at random each time           11       34,000
//
// The large ones happen a few times in 100,000 insertions. Lists that come to
// them are to be spread anew by who can do it aside.

import (
	"math"
	"math/bits"
)

const (
	// MaxLen is the number of entries up to which labels are found: eight labels
	// for each.
	MaxLen = Labels / 8

	// maxGap is the logarithm of the greatest distance of labels in a spread
	// list: the one with which a single node spans all labels.
	maxGap = maxShift - fanBits

	// alongShare: an entry beside the one inserted last gets a label at this
	// part of the gap, since more are to come. Parts of 1/16, 1/64 and 1/256
	// need 2200, 890 and 480 relabelings in 100,000 such insertions, but the
	// smaller the part, the less room is between those when the next one comes
	// there: runs of 100 relabel less with 1/64.
	alongShare = 64
	// alongLimit bounds this by a part of the average distance that labels have
	// if all are used, lest a wide gap, as the one at the end, be used up by a
	// few.
	alongLimit = 16

	// fewLen is the length that lists are taken to have at least when labels at
	// their ends are chosen.
	fewLen = 1 << 13

	// leastStep and windowPower: a window of c entries is wide enough for
	// relabeling when it has leastStep * c**windowPower labels. Powers from 1.1
	// to 1.5 and steps from 4 to 64 were tried; a smaller power moves three
	// times as many at a fixed position (38 for 11), and steps of 4 relabel more
	// often, steps of 64 move more at two places in turn. Lists of more than
	// 150,000 get a smaller power, with which the window of all labels will do.
	leastStep   = 16
	windowPower = 1.5
)

// gapFor returns the logarithm of the distance of labels in a spread list of n
// entries, which takes a quarter to a half of all labels or less.
func gapFor(n int) uint8 {
	return uint8(min(29-bits.Len(uint(max(n, 1)-1)), maxGap))
}

// shiftFor returns the shift of a map of n entries: fan gaps to a leaf.
func shiftFor(n int) uint8 { return gapFor(n) + fanBits }

// Spread returns a map of the entries, none nil, under labels that are spread
// evenly over the middle of all labels, and these labels, ascending. It is
// O(len(entries)), about 20 ns each. With more than MaxLen entries it returns
// nil.
func Spread[E any](entries []*E) (m *Map[E], labels []uint32) {
	n := len(entries)
	if n > MaxLen {
		return nil, nil
	}
	m = new(Map[E])
	labels = make([]uint32, n)
	if n == 0 {
		return m, labels
	}
	gap := gapFor(n)
	m.n, m.shift = n, gap+fanBits
	// The first label is the first of a leaf, so that entry i has slot i%fan.
	base := (uint32(1)<<29 - uint32(n)<<gap/2) >> m.shift << m.shift
	for i := range labels {
		labels[i] = base + uint32(i)<<gap + 1<<gap/2
	}
	m.first = uint32(m.topOf(labels[0]))
	m.top = make([]*node[E], m.topOf(labels[n-1])+1)
	m.counts = make([]uint32, len(m.top))
	slots := make([]slot[E], 0, fan*fan)
	for i := 0; i < n; {
		t := m.topOf(labels[i])
		slots = slots[:0]
		for ; i < n && m.topOf(labels[i]) == t; i++ {
			slots = append(slots, slot[E]{entries[i], labels[i]})
		}
		m.top[t] = &node[E]{total: uint32(len(slots))}
		m.top[t].fill(slots, m.shift)
		m.counts[t] = uint32(len(slots))
	}
	return m, labels
}

// Room returns a free label for an entry right behind that of the label after,
// or in front of all with None. It reports false when there is none; Relabel
// makes room then, unless there are MaxLen entries.
//
// Which label of the gap it is depends on the entry inserted last, since most
// lists are edited in sequence.
func (v *view[E]) Room(after uint32) (label uint32, ok bool) {
	if v.n >= MaxLen || after != None && after >= Labels {
		return None, false
	}
	lo := after + 1 // 0 for None
	next, _, found := v.least(lo)
	hi := uint32(Labels)
	if found {
		hi = next
	}
	room := hi - lo
	if room == 0 {
		return None, false
	}
	if v.n == 0 {
		return room / 2, true
	}
	n := uint32(max(v.n, fewLen))
	end := min(room/n, 1<<(v.shift-fanBits)-1)
	along := min(room/alongShare, Labels/alongLimit/n)
	switch {
	case !found:
		return lo + end, true
	case after == None:
		return hi - 1 - end, true
	case v.last == lo:
		return lo + along, true
	case v.last == hi+1:
		return hi - 1 - along, true
	}
	return lo + room/2, true
}

// Move is a change of an entry's label.
type Move struct{ From, To uint32 }

// Relabel returns moves after which Room finds a label behind the entry that
// has the label after, or in front of all with None. They keep the order of
// entries one by one, in the order given: when its turn comes, each To is free
// and lies between the neighbours' labels of that time. They are to be made
// with Editor.Move. It returns nil when there are MaxLen entries, none, or none
// of that label.
//
// They spread a small window of entries around the place, as in Dietz and
// Sleator, Two algorithms for maintaining order in a list (1987), and Bender et
// al., Two simplified algorithms for maintaining order in a list (2002). The
// window grows entry by entry to the side where labels are sparser, until it is
// wide enough for its entries. So a sequence of insertions pushes few entries
// ahead of it, and the ones it leaves behind stay where they are. It takes about
// 100 ns for each entry of the window.
func (v *view[E]) Relabel(after uint32) []Move {
	if v.n == 0 || v.n >= MaxLen || after != None && v.Get(after) == nil {
		return nil
	}
	// The window is what lies between left and right, which are labels of
	// entries or just out of the labels.
	left := int64(-1)
	if after != None {
		left = int64(after)
	}
	right := v.above(left)
	left2, right2 := v.below(left), v.above(right) // the next ones
	power := min(windowPower, math.Log(Labels/(2*leastStep))/math.Log(float64(v.n+2)))
	front, count := 0, 0 // entries of the window: in front of the place, all
	for {
		if count > 0 && float64(right-left-1) >= leastStep*math.Pow(float64(count+1), power) ||
			left < 0 && right >= Labels {
			return v.spread(uint32(left+1), uint32(right), front, count)
		}
		count++
		if left >= 0 && (right >= Labels || left-left2 > right2-right) {
			front++
			left, left2 = left2, v.below(left2)
		} else {
			right, right2 = right2, v.above(right2)
		}
	}
}

// below returns the greatest label below another, or -1.
func (v *view[E]) below(label int64) int64 {
	if label >= 0 {
		if l, _, ok := v.Prev(uint32(label)); ok {
			return int64(l)
		}
	}
	return -1
}

// above returns the least label above another, or Labels.
func (v *view[E]) above(label int64) int64 {
	if label < Labels {
		if l, _, ok := v.least(uint32(label + 1)); ok {
			return int64(l)
		}
	}
	return Labels
}

// spread spreads count entries, those with labels from lo to hi, evenly over
// these labels with twice the distance behind the first front of them.
func (v *view[E]) spread(lo, hi uint32, front, count int) []Move {
	step := float64(hi-lo) / float64(count+1)
	moves := make([]Move, 0, count)
	for label := range v.From(lo) {
		if len(moves) == count {
			break
		}
		at := float64(len(moves)) + 0.5
		if len(moves) >= front {
			at++
		}
		moves = append(moves, Move{label, lo + uint32(at*step)})
	}
	return inOrder(moves)
}

// inOrder drops moves that change nothing and orders the others so that no
// entry passes another: of neighbours that go up the last goes first, of
// neighbours that go down the first.
func inOrder(moves []Move) []Move {
	out := make([]Move, 0, len(moves))
	for i := 0; i < len(moves); {
		j := i
		for j < len(moves) && moves[j].To > moves[j].From {
			j++
		}
		for k := j - 1; k >= i; k-- {
			out = append(out, moves[k])
		}
		for i = j; i < len(moves) && moves[i].To <= moves[i].From; i++ {
			if moves[i].To != moves[i].From {
				out = append(out, moves[i])
			}
		}
	}
	return out
}
