package rules

// The longest common subsequence of two sequences of classes, by the method of
// Hunt and Szymanski (Communications of the ACM 20(5), 1977): the pairs of
// equal items, in the order of the first sequence and against the order of the
// second, are a list of numbers whose longest increasing subsequence is the
// answer. With n items and r pairs that takes O((n+r) log n) time. Rule sets
// have few equal rules, so that r is about n. Where r is too large, items that
// are alone in both sequences cut the work into pieces first, and in pieces
// that are too large still an item is paired only with those whose rank among
// the equal ones is near its own. The answer is a common subsequence then, not
// always the longest.

import "sort"

// Bounds of the work of an aligner. A pair costs up to about 50 ns and 12
// bytes, so that the bound of 16 an item keeps two lists of 100k rules below
// 200 ms and 40 MB, and the most is 100 MB. What always may be, for files of some
// hundred rules many of which are equal, is 13 ms and 3 MB.
const (
	pairsPerItem = 16
	pairsAlways  = 1 << 18
	pairsMost    = 8 << 20
	// cutsMost bounds how often pieces are cut into pieces: every time costs
	// O(n log n), and where the first few do not help more seldom do.
	cutsMost = 8
)

// pairBudget is the number of pairs that a piece of n items may have.
func pairBudget(n int) int64 {
	return min(max(pairsPerItem*int64(n), pairsAlways), pairsMost)
}

// aligner aligns the sequence b with a. Items are equal that have the same
// class, a number below the number of classes; a negative one is equal to
// nothing.
type aligner struct {
	a, b   []int32
	to     []int32 // by index in a: the index in b that it is aligned with, or -1
	exact  bool    // to is a longest common subsequence
	budget func(int) int64

	countA, countB []int32 // by class, of the piece at hand; else 0
	end, seen      []int32 // by class
	touched        []int32 // classes that are in the piece
	places         []int32 // indexes in b, by class and in order
	tails          []int32 // by length-1: the node of the best common subsequence
	nodes          []alignNode
	pieces         []alignPiece
}

// alignNode is the end of a common subsequence.
type alignNode struct{ i, j, before int32 }

// alignPiece is a part of both sequences.
type alignPiece struct{ a0, a1, b0, b1, cuts int }

// align returns an aligner that has aligned the two sequences.
func align(a, b []int32, classes int, budget func(int) int64) *aligner {
	l := &aligner{a: a, b: b, to: make([]int32, len(a)), exact: true, budget: budget}
	for i := range l.to {
		l.to[i] = -1
	}
	counts := make([]int32, 4*classes)
	l.countA, l.countB = counts[:classes], counts[classes:2*classes]
	l.end, l.seen = counts[2*classes:3*classes], counts[3*classes:]
	l.pieces = append(l.pieces, alignPiece{0, len(a), 0, len(b), 0})
	for len(l.pieces) > 0 {
		p := l.pieces[len(l.pieces)-1]
		l.pieces = l.pieces[:len(l.pieces)-1]
		l.piece(p)
	}
	return l
}

// piece aligns a piece, or cuts it into smaller ones.
func (l *aligner) piece(p alignPiece) {
	same := func(i, j int) bool { return l.a[i] == l.b[j] && l.a[i] >= 0 }
	for p.a0 < p.a1 && p.b0 < p.b1 && same(p.a0, p.b0) {
		l.to[p.a0] = int32(p.b0)
		p.a0++
		p.b0++
	}
	for p.a0 < p.a1 && p.b0 < p.b1 && same(p.a1-1, p.b1-1) {
		p.a1--
		p.b1--
		l.to[p.a1] = int32(p.b1)
	}
	if p.a0 == p.a1 || p.b0 == p.b1 {
		return
	}
	l.count(p)
	budget := l.budget(p.a1 - p.a0 + p.b1 - p.b0)
	switch pairs := l.pairs(1 << 30); {
	case pairs == 0:
	case pairs <= budget:
		l.search(p, 1<<30)
	case p.cuts < cutsMost && l.cut(p):
		l.exact = false
	default:
		l.exact = false
		near := 0
		for l.pairs(2*near+1) <= budget {
			near = 2*near + 1
		}
		l.search(p, near)
	}
	for _, c := range l.touched {
		l.countA[c], l.countB[c], l.seen[c] = 0, 0, 0
	}
}

// count counts the classes of a piece.
func (l *aligner) count(p alignPiece) {
	l.touched = l.touched[:0]
	for _, c := range l.b[p.b0:p.b1] {
		if c >= 0 {
			if l.countB[c] == 0 {
				l.touched = append(l.touched, c)
			}
			l.countB[c]++
		}
	}
	for _, c := range l.a[p.a0:p.a1] {
		if c >= 0 && l.countB[c] > 0 {
			l.countA[c]++
		}
	}
}

// pairs returns about how many pairs a search has to look at, at most, when
// ranks are at most near apart.
func (l *aligner) pairs(near int) int64 {
	n := int64(0)
	for _, c := range l.touched {
		n += int64(l.countA[c]) * min(int64(l.countB[c]), 2*int64(near)+1)
	}
	return n
}

// search aligns a piece by the pairs whose ranks are at most near apart.
func (l *aligner) search(p alignPiece, near int) {
	n := int32(0)
	for _, c := range l.touched {
		n += l.countB[c]
		l.end[c] = n - l.countB[c]
	}
	if cap(l.places) < int(n) {
		l.places = make([]int32, n)
	}
	places := l.places[:n]
	for j := p.b0; j < p.b1; j++ {
		if c := l.b[j]; c >= 0 {
			places[l.end[c]] = int32(j)
			l.end[c]++
		}
	}
	l.tails, l.nodes = l.tails[:0], l.nodes[:0]
	for i := p.a0; i < p.a1; i++ {
		c := l.a[i]
		if c < 0 || l.countB[c] == 0 {
			continue
		}
		all := places[l.end[c]-l.countB[c] : l.end[c]]
		rank := int(l.seen[c])
		l.seen[c]++
		lo, hi := max(0, rank-near), min(len(all), rank+near+1)
		for x := hi - 1; x >= lo; x-- {
			l.step(int32(i), all[x])
		}
	}
	if len(l.tails) > 0 {
		l.take(l.tails[len(l.tails)-1])
	}
}

// step looks at the pair of a[i] and b[j].
func (l *aligner) step(i, j int32) {
	n := len(l.tails)
	k := n
	if n > 0 && l.nodes[l.tails[n-1]].j >= j {
		k = sort.Search(n, func(k int) bool { return l.nodes[l.tails[k]].j >= j })
		if l.nodes[l.tails[k]].j == j {
			return
		}
	}
	node := alignNode{i, j, -1}
	if k > 0 {
		node.before = l.tails[k-1]
	}
	at := int32(len(l.nodes))
	l.nodes = append(l.nodes, node)
	if k == n {
		l.tails = append(l.tails, at)
	} else {
		l.tails[k] = at
	}
}

// take aligns the pairs of the common subsequence that ends with a node.
func (l *aligner) take(node int32) {
	for ; node >= 0; node = l.nodes[node].before {
		l.to[l.nodes[node].i] = l.nodes[node].j
	}
}

// cut aligns items that are alone in both parts of a piece, as many of them as
// keep their order, and leaves what is between them to be aligned. It reports
// whether there are any.
func (l *aligner) cut(p alignPiece) bool {
	for j := p.b0; j < p.b1; j++ {
		if c := l.b[j]; c >= 0 {
			l.end[c] = int32(j)
		}
	}
	l.tails, l.nodes = l.tails[:0], l.nodes[:0]
	for i := p.a0; i < p.a1; i++ {
		if c := l.a[i]; c >= 0 && l.countA[c] == 1 && l.countB[c] == 1 {
			l.step(int32(i), l.end[c])
		}
	}
	if len(l.tails) == 0 {
		return false
	}
	a1, b1 := p.a1, p.b1 // from the end
	for at := l.tails[len(l.tails)-1]; ; at = l.nodes[at].before {
		i, j := p.a0-1, p.b0-1
		if at >= 0 {
			i, j = int(l.nodes[at].i), int(l.nodes[at].j)
			l.to[i] = int32(j)
		}
		if i+1 < a1 && j+1 < b1 {
			l.pieces = append(l.pieces, alignPiece{i + 1, a1, j + 1, b1, p.cuts + 1})
		}
		if at < 0 {
			return true
		}
		a1, b1 = i, j
	}
}
