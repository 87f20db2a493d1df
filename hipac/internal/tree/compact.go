package tree

// Compacting: the newest version copied into arrays of its own, without the
// rubbish that edits have left. Nodes keep their form, so that it takes a tenth
// of the time of a build.

// Room is how much room there is for edits behind what arrays hold.
type Room bool

const (
	// Tight is a sixteenth of the tree: for one that is edited now and then.
	Tight Room = false
	// Ample is twice the tree, up to mostAmple: for one that is edited all the
	// time, lest it be copied all the time.
	Ample Room = true
)

// mostAmple is room for 20,000 edits of 2.4 kB. To copy a tree of 60 MB, of
// 1,000,000 rules, takes 0.2 s, in which 10,000 come.
const mostAmple = 48 << 20

// bytes returns the room for a tree of so many bytes. Edits leave tables above
// all, and an eighth of that in rows.
func (r Room) bytes(tree int64) int {
	if r == Ample {
		return int(min(2*tree, mostAmple)) + 1<<16
	}
	return int(tree/16) + 1<<10
}

// Compact returns the roots of the tree in new arrays. Versions keep the arrays
// that they have. It takes 3 to 5 ms for 100,000 rules.
func (e *Editor) Compact(roots []Ref, room Room) []Ref {
	c, roots := Copy(&e.b.tree, roots, room)
	e.b.tree = *c
	e.b.holes = e.b.holes[:0]
	e.seal()
	e.compact = c.used()
	return roots
}

// Copy returns a tree with the nodes that the roots reach, in arrays of its own,
// and its roots. It reads t alone, so that edits of the versions after t can go
// on meanwhile.
func Copy(t *Tree, roots []Ref, room Room) (*Tree, []Ref) {
	m := newMover(t)
	out := make([]Ref, len(roots))
	for i, r := range roots {
		out[i] = m.move(r)
	}
	c := *t
	c.slots, c.lines, c.rows = m.slots, m.lines, m.rows
	m.release()
	c.makeRoom(room)
	return &c, out
}

// makeRoom moves the arrays to where they have room.
func (t *Tree) makeRoom(room Room) {
	n := room.bytes(t.used())
	t.slots = withRoom(t.slots, n/8)
	t.lines = withRoom(t.lines, n/64/8)
	t.rows = withRoom(t.rows, n/32/8)
}

// withRoom returns s with room for n more, where it has less than half or more
// than twice that.
func withRoom[E any](s []E, n int) []E {
	if free := cap(s) - len(s); free >= n/2 && free <= 2*n {
		return s
	}
	return append(make([]E, 0, len(s)+n), s...)
}
