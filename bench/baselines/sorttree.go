package baselines

// The trees of PartitionSort: a balanced tree for every run of boxes that agree so
// far, one level of the set's order after the other. Levels at which all boxes below
// agree are skipped, so that every tree has two nodes or more. What was skipped is
// known from any box below, which stands for all of them.

// sample returns a box below a reference.
func (e *partitionSort) sample(ref uint32) uint32 {
	for ref < refBox {
		ref = e.nodes[ref].down
	}
	return ref &^ refBox
}

// level returns the level of the tree at a reference; that of boxes is behind all.
func (e *partitionSort) level(s *sortable, ref uint32) int {
	if ref >= refBox {
		return len(s.order)
	}
	return int(e.nodes[ref].level)
}

// differs returns the first level, of those skipped between from and ref, at which
// the box in hand differs from the boxes below ref, with their interval there; that
// of ref when there is none.
func (e *partitionSort) differs(s *sortable, ref uint32, from int) (level int, lo, hi uint32) {
	end := e.level(s, ref)
	if from == end {
		return end, 0, 0
	}
	other := e.sample(ref)
	for ; from < end; from++ {
		w := s.order[from]
		if lo, hi = e.bx.span(other, w); lo != e.lo[w] || hi != e.hi[w] {
			return from, lo, hi
		}
	}
	return end, 0, 0
}

// fits reports whether the set stays sortable with the box in hand.
func (e *partitionSort) fits(s *sortable, ref uint32, from int) bool {
	for ref != 0 {
		at, lo, hi := e.differs(s, ref, from)
		if at < e.level(s, ref) {
			w := s.order[at]
			return e.hi[w] < lo || e.lo[w] > hi
		}
		if ref >= refBox {
			return true
		}
		from = at + 1
		w := s.order[at]
		x, y := e.lo[w], e.hi[w]
		for ref != 0 {
			n := &e.nodes[ref]
			if y < n.lo {
				ref = n.left
			} else if x > n.hi {
				ref = n.right
			} else if x == n.lo && y == n.hi {
				ref = n.down
				break
			} else {
				return false
			}
		}
	}
	return true
}

// node returns a new node of a level.
func (e *partitionSort) node(s *sortable, level int, lo, hi, down uint32) uint32 {
	at := e.free
	if at != 0 {
		e.free = e.nodes[at].left
	} else {
		at = uint32(len(e.nodes))
		e.nodes = append(e.nodes, sortNode{})
	}
	e.nodes[at] = sortNode{lo: lo, hi: hi, down: down, word: s.order[level], level: uint8(level), height: 1}
	return at
}

func (e *partitionSort) release(at uint32) {
	e.nodes[at] = sortNode{left: e.free}
	e.free = at
}

// drop releases all nodes below a reference.
func (e *partitionSort) drop(ref uint32) {
	if ref != 0 && ref < refBox {
		n := e.nodes[ref]
		e.drop(n.left)
		e.drop(n.right)
		e.drop(n.down)
		e.release(ref)
	}
}

// all appends the boxes below a reference.
func (e *partitionSort) all(ref uint32, list []uint32) []uint32 {
	if ref >= refBox {
		for b := ref&^refBox + 1; b != 0; b = e.next[b-1] {
			list = append(list, b-1)
		}
	} else if ref != 0 {
		n := &e.nodes[ref]
		list = e.all(n.right, e.all(n.down, e.all(n.left, list)))
	}
	return list
}

// join adds the box in hand, b, to the tree at a reference, whose set fits it,
// and returns the new reference.
func (e *partitionSort) join(s *sortable, ref uint32, from int, b uint32) uint32 {
	if ref == 0 {
		e.next[b] = 0
		return refBox | b
	}
	at, lo, hi := e.differs(s, ref, from)
	if at < e.level(s, ref) { // a tree of two nodes at a level that was skipped
		w := s.order[at]
		old := e.node(s, at, lo, hi, ref)
		e.next[b] = 0
		one := e.node(s, at, e.lo[w], e.hi[w], refBox|b)
		n := &e.nodes[old]
		n.height = 2
		if e.lo[w] < lo {
			n.left = one
		} else {
			n.right = one
		}
		return old
	}
	if ref >= refBox { // the same intervals
		first := ref &^ refBox
		if b < first {
			e.next[b] = first + 1
			return refBox | b
		}
		link := &e.next[first]
		for *link != 0 && *link-1 < b {
			link = &e.next[*link-1]
		}
		e.next[b], *link = *link, b+1
		return ref
	}
	return e.among(s, ref, at, b)
}

// among adds the box in hand to the balanced tree at a node of the level.
func (e *partitionSort) among(s *sortable, at uint32, level int, b uint32) uint32 {
	w := s.order[level]
	if at == 0 {
		e.next[b] = 0
		return e.node(s, level, e.lo[w], e.hi[w], refBox|b)
	}
	switch n := e.nodes[at]; {
	case e.lo[w] == n.lo:
		down := e.join(s, n.down, level+1, b)
		e.nodes[at].down = down
		return at
	case e.lo[w] < n.lo:
		left := e.among(s, n.left, level, b)
		e.nodes[at].left = left
	default:
		right := e.among(s, n.right, level, b)
		e.nodes[at].right = right
	}
	return e.balance(at)
}

// part takes the box in hand, b, out of the tree at a reference and returns the
// new reference.
func (e *partitionSort) part(ref, b uint32) uint32 {
	if ref >= refBox {
		first := ref &^ refBox
		if b == first {
			if e.next[b] == 0 {
				return 0
			}
			return refBox | (e.next[b] - 1)
		}
		link := &e.next[first]
		for *link != b+1 {
			link = &e.next[*link-1]
		}
		*link = e.next[b]
		return ref
	}
	ref = e.without(ref, b)
	if n := e.nodes[ref]; n.left == 0 && n.right == 0 { // all agree now
		e.release(ref)
		return n.down
	}
	return ref
}

// without takes the box in hand out of the balanced tree at a node.
func (e *partitionSort) without(at, b uint32) uint32 {
	n := e.nodes[at]
	switch lo := e.lo[n.word]; {
	case lo < n.lo:
		left := e.without(n.left, b)
		e.nodes[at].left = left
	case lo > n.lo:
		right := e.without(n.right, b)
		e.nodes[at].right = right
	default:
		down := e.part(n.down, b)
		e.nodes[at].down = down
		if down != 0 {
			return at
		}
		e.release(at)
		if n.left == 0 || n.right == 0 {
			return n.left | n.right
		}
		least, right := e.least(n.right)
		e.nodes[least].left, e.nodes[least].right = n.left, right
		at = least
	}
	return e.balance(at)
}

// least takes the first node out of a balanced tree, and returns it and the rest.
func (e *partitionSort) least(at uint32) (least, rest uint32) {
	n := e.nodes[at]
	if n.left == 0 {
		return at, n.right
	}
	least, rest = e.least(n.left)
	e.nodes[at].left = rest
	return least, e.balance(at)
}

// balance returns the root of a balanced tree whose subtrees differ in height by
// two at most.
func (e *partitionSort) balance(at uint32) uint32 {
	n := &e.nodes[at]
	switch l, r := e.nodes[n.left].height, e.nodes[n.right].height; {
	case l > r+1:
		if c := &e.nodes[n.left]; e.nodes[c.left].height < e.nodes[c.right].height {
			n.left = e.rotateLeft(n.left)
		}
		return e.rotateRight(at)
	case r > l+1:
		if c := &e.nodes[n.right]; e.nodes[c.right].height < e.nodes[c.left].height {
			n.right = e.rotateRight(n.right)
		}
		return e.rotateLeft(at)
	}
	e.measure(at)
	return at
}

func (e *partitionSort) measure(at uint32) {
	n := &e.nodes[at]
	n.height = 1 + max(e.nodes[n.left].height, e.nodes[n.right].height)
}

func (e *partitionSort) rotateRight(at uint32) uint32 {
	up := e.nodes[at].left
	e.nodes[at].left, e.nodes[up].right = e.nodes[up].right, at
	e.measure(at)
	e.measure(up)
	return up
}

func (e *partitionSort) rotateLeft(at uint32) uint32 {
	up := e.nodes[at].right
	e.nodes[at].right, e.nodes[up].left = e.nodes[up].left, at
	e.measure(at)
	e.measure(up)
	return up
}
