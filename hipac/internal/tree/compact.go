package tree

// Compacting: the newest version copied into arrays of its own, without the
// rubbish that edits have left. Nodes keep their form, so that it takes a tenth
// of the time of a build.

// Compact returns the roots of the tree in new arrays, which have room for some
// edits. Versions keep the arrays that they have. It takes about 3 ms for
// 100,000 rules.
func (e *Editor) Compact(roots []Ref) []Ref {
	t := &e.b.tree
	m := newMover(t)
	out := make([]Ref, len(roots))
	for i, r := range roots {
		out[i] = m.move(r)
	}
	t.slots, t.lines, t.rows = withRoom(m.slots), withRoom(m.lines), withRoom(m.rows)
	e.b.holes = e.b.holes[:0]
	e.compact = t.used()
	return out
}

// withRoom returns s with room for a quarter more, and for some edits at least.
func withRoom[E any](s []E) []E {
	n := len(s) + len(s)/4 + 1<<9
	if cap(s) >= n && cap(s) <= n+n/8 {
		return s
	}
	return append(make([]E, 0, n), s...)
}
