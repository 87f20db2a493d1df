package tree

// Compacting: the newest version copied into arrays of its own, without the
// rubbish that edits have left. Nodes keep their form, so that it takes a tenth
// of the time of a build.

// Compact returns the roots of the tree in new arrays, which have room for some
// edits. Versions keep the arrays that they have. It takes about 3 ms for
// 100,000 rules.
func (e *Editor) Compact(roots []Ref) []Ref {
	c, roots := Copy(&e.b.tree, roots)
	e.b.tree = *c
	e.b.holes = e.b.holes[:0]
	e.seal()
	e.compact = c.used()
	return roots
}

// Copy returns a tree with the nodes that the roots reach, in arrays of its own
// with room for edits, and its roots. It reads t alone, so that edits of the
// versions after t can go on meanwhile.
func Copy(t *Tree, roots []Ref) (*Tree, []Ref) {
	m := newMover(t)
	out := make([]Ref, len(roots))
	for i, r := range roots {
		out[i] = m.move(r)
	}
	c := *t
	c.slots, c.lines, c.rows = withRoom(m.slots), withRoom(m.lines), withRoom(m.rows)
	return &c, out
}

// withRoom returns s with room for a quarter more, and for some edits at least.
func withRoom[E any](s []E) []E {
	n := len(s) + len(s)/4 + 1<<9
	if cap(s) >= n && cap(s) <= n+n/8 {
		return s
	}
	return append(make([]E, 0, n), s...)
}
