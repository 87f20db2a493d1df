package tree

// Compacting: the newest version copied into arrays of its own, without the
// rubbish that edits have left. Nodes keep their form, so that it takes a tenth
// of the time of a build.
//
// Nine tenths of the rubbish are tables, which are a tenth of most trees: mostly
// they alone are copied, and rows stay where they are, in readers' caches too.

// Room is how much room there is for edits behind what arrays hold.
type Room bool

const (
	// Tight is a sixteenth of each array: for a tree that is edited now and then.
	Tight Room = false
	// Ample is eight times the tables, as far as that is little, and half of the
	// rows: for a tree that is edited all the time, lest it be copied all the time.
	Ample Room = true
)

// Bounds of ample room, in slots and rows. At 100,000 rules an edit takes 300
// slots and 10 rows, so that tables are copied every 1,400 edits, and rows
// every 5,000. A tree of 60 MB takes 0.2 s to copy, in which 10,000 edits come.
const (
	eightTimes = 1 << 19
	mostSlots  = 6 << 20
	mostRows   = 1 << 19
)

// slots returns the room for a tree with n slots, when a version takes so many.
func (r Room) slots(n, peak int) int {
	if r == Tight {
		return n/16 + 1<<7
	}
	return min(max(2*n, min(8*n, eightTimes))+versions(peak, eightTimes), mostSlots) + 1<<10
}

// lines returns that for n interval nodes; each brings 16 slots and more.
func (r Room) lines(n, slots int) int {
	if r == Tight {
		return n/16 + 1<<3
	}
	return min(16*n, slots/64) + 1<<3
}

func (r Room) rows(n, peak int) int {
	if r == Tight {
		return n/16 + 1<<5
	}
	return min(n/2+versions(peak, eightTimes/4), mostRows) + 1<<7
}

// versions is room for 32 versions that take so much, or for a few when that is
// much.
func versions(peak, much int) int { return min(32*peak, 4*peak+much/8) }

// Compact returns the roots of the tree in new arrays. Versions keep the arrays
// that they have. It takes 3 to 5 ms for 100,000 rules.
func (e *Editor) Compact(roots []Ref, room Room) []Ref { return e.compact(roots, room, true) }

// CompactTables is Compact without the rows, which stay where they are, rubbish
// and all. It takes 0.2 ms for 100,000 rules.
func (e *Editor) CompactTables(roots []Ref) []Ref { return e.compact(roots, Ample, false) }

func (e *Editor) compact(roots []Ref, room Room, rows bool) []Ref {
	kept := e.kept
	slots := room.slots(kept.slots, e.peak.slots)
	if all, _ := e.Written(); all+8*int64(slots)+64*int64(room.lines(kept.lines, slots))+32*int64(room.rows(kept.rows, e.peak.rows)) > e.b.cfg.MaxBytes {
		room = Tight
	}
	c, roots := e.b.tree.copy(roots, room, rows, kept, e.peak)
	e.b.tree = *c
	e.b.holes = e.b.holes[:0]
	e.version = e.b.mark()
	e.seal()
	if e.kept = e.b.mark(); !rows {
		e.kept.rows = kept.rows
	}
	return roots
}

// Copy returns a tree with the nodes that the roots reach, in arrays of its own,
// and its roots. It reads t alone, so that edits of the versions after t can go
// on meanwhile.
func Copy(t *Tree, roots []Ref, room Room) (*Tree, []Ref) {
	return t.copy(roots, room, true, mark{slots: len(t.slots), lines: len(t.lines), rows: len(t.rows)}, mark{})
}

// copy is Copy with or without the rows, for a tree of about so many nodes whose
// versions take so many.
func (t *Tree) copy(roots []Ref, room Room, rows bool, about, peak mark) (*Tree, []Ref) {
	m := newMover(t, rows)
	slots := room.slots(about.slots, peak.slots)
	m.slots = make([]uint64, 0, about.slots+slots)
	m.lines = make([]line, 0, about.lines+room.lines(about.lines, slots))
	if rows {
		m.rows = make([]row, 0, about.rows+room.rows(about.rows, peak.rows))
	}
	out := make([]Ref, len(roots))
	for i, r := range roots {
		out[i] = m.move(r)
	}
	c := *t
	if c.slots, c.lines = m.slots, m.lines; rows {
		c.rows = m.rows
	}
	m.release()
	c.makeRoom(room, rows, peak)
	return &c, out
}

// makeRoom moves the arrays, or all but that of rows, to where they have room.
func (t *Tree) makeRoom(room Room, rows bool, peak mark) {
	slots := room.slots(len(t.slots), peak.slots)
	t.slots = withRoom(t.slots, slots)
	t.lines = withRoom(t.lines, room.lines(len(t.lines), slots))
	if rows {
		t.rows = withRoom(t.rows, room.rows(len(t.rows), peak.rows))
	}
}

// withRoom returns s with room for n more, where it has less than half or more
// than twice that.
func withRoom[E any](s []E, n int) []E {
	if free := cap(s) - len(s); free >= n/2 && free <= 2*n {
		return s
	}
	return append(make([]E, 0, len(s)+n), s...)
}
