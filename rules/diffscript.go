package rules

// From two lists to a script: rules become classes of rules that are the same,
// the classes are aligned, and what is left is paired as moved or replaced.

import "hash/maphash"

// differ compares two lists. Rules are named by one number: those of the old
// list from 0, those of the new one behind them.
type differ[T any] struct {
	ruleComparer[T]
	old, new []Rule[T]
	budget   func(int) int64

	to   []int32 // by position in old: the position in new, or -1
	from []int32 // by position in new: the position in old, or -1
	// What becomes of the rules of new that are in old.
	moved, replaced []bool
}

func diffLists[T any](old, new *List[T], c comparison[T]) *Script {
	return diffWithin(old, new, c, pairBudget)
}

func diffWithin[T any](old, new *List[T], c comparison[T], budget func(int) int64) *Script {
	d := &differ[T]{ruleComparer: ruleComparer[T]{comparison: c, seed: maphash.MakeSeed()}, budget: budget}
	s := &Script{Exact: true}
	if old != nil {
		d.old = old.rules
	}
	if new != nil {
		d.new = new.rules
	}
	if old != nil && new != nil && !old.schema.Equal(new.schema) {
		d.numberFields(old.schema, new.schema)
		s.SchemaChanged = true
	}
	d.to, d.from = minusOnes(len(d.old)), minusOnes(len(d.new))
	d.moved, d.replaced = make([]bool, len(d.new)), make([]bool, len(d.new))

	head, tail := 0, 0
	given := new != nil && new.given != nil
	if !given { // with identities, what looks the same need not be
		head, tail = d.trim()
	}
	d.alignRules(s, old, new, head, tail)
	if given {
		for j, i := range d.from {
			if i >= 0 && new.GivenID(j) && !d.same(d.at(int(i)), d.at(len(d.old)+j)) {
				d.replaced[j] = true
			}
		}
	}
	d.write(s, new)
	return s
}

func minusOnes(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

// at returns the rule of a number.
func (d *differ[T]) at(x int) side[T] {
	if x < len(d.old) {
		return side[T]{&d.old[x], false}
	}
	return side[T]{&d.new[x-len(d.old)], true}
}

func (d *differ[T]) pair(i, j int) { d.to[i], d.from[j] = int32(j), int32(i) }

// trim pairs the rules that are the same at the heads and the tails of the
// lists, and returns their numbers: it need not know their hashes.
func (d *differ[T]) trim() (head, tail int) {
	n, m := len(d.old), len(d.new)
	for head < min(n, m) && d.same(d.at(head), d.at(n+head)) {
		d.pair(head, head)
		head++
	}
	for tail < min(n, m)-head && d.same(d.at(n-1-tail), d.at(n+m-1-tail)) {
		tail++
		d.pair(n-tail, m-tail)
	}
	return head, tail
}

// alignRules pairs the rules between the head and the tail: those that stay,
// those that move, and those that are replaced.
func (d *differ[T]) alignRules(s *Script, old, new *List[T], head, tail int) {
	n, a1, b1 := len(d.old), len(d.old)-tail, len(d.new)-tail
	if head == a1 || head == b1 {
		return
	}
	a, b := minusOnes(a1-head), minusOnes(b1-head)
	next := int32(0) // class
	claimed := make([]bool, len(a))
	if old != nil && new != nil && new.given != nil {
		for j := range b {
			if new.GivenID(head + j) {
				if i := old.Position(d.new[head+j].ID); i >= 0 {
					a[i-head], b[j], claimed[i-head] = next, next, true
					next++
				}
			}
		}
	}
	matching := make([]uint64, len(a)+len(b)) // hashes of what rules ask
	classes := newClasses(len(a)+len(b), next)
	for i := range a {
		if !claimed[i] {
			m, all := d.hash(d.at(head + i))
			matching[i] = m
			a[i] = classes.of(all, int32(head+i), func(x int32) bool { return d.same(d.at(int(x)), d.at(head+i)) })
		}
	}
	for j := range b {
		if new.GivenID(head + j) {
			continue
		}
		m, all := d.hash(d.at(n + head + j))
		matching[len(a)+j] = m
		b[j] = classes.of(all, int32(n+head+j), func(x int32) bool { return d.same(d.at(int(x)), d.at(n+head+j)) })
	}
	l := align(a, b, classes.len(), d.budget)
	s.Exact = l.exact
	for i, j := range l.to {
		if j >= 0 {
			d.pair(head+i, head+int(j))
		}
	}
	d.alignReplaced(a, b, l.to, matching, claimed, new, head, d.findMoved(a, b, classes.len(), head))
}

// findMoved pairs the rules that are left and are the same, in order, and
// returns the number of rules of the old list that are left then.
func (d *differ[T]) findMoved(a, b []int32, classes, head int) (left int) {
	first, next := minusOnes(classes), make([]int32, len(a))
	for i := len(a) - 1; i >= 0; i-- {
		if c := a[i]; d.to[head+i] < 0 {
			if left++; c >= 0 {
				next[i], first[c] = first[c], int32(i)
			}
		}
	}
	for j, c := range b {
		if c >= 0 && d.from[head+j] < 0 && first[c] >= 0 {
			i := first[c]
			first[c] = next[i]
			d.pair(head+int(i), head+j)
			d.moved[head+j] = true
			left--
		}
	}
	return left
}

// alignReplaced pairs the rules that are left, ask the same and stand between
// the same rules that stay.
func (d *differ[T]) alignReplaced(a, b, to []int32, matching []uint64, claimed []bool, new *List[T], head, left int) {
	if left == 0 {
		return
	}
	// The rules that are left, with the number of rules in front that stay.
	type rest struct{ at, gap int32 }
	var restA, restB []rest
	stay := make([]bool, len(b))
	gap := int32(0)
	for i := range a {
		switch {
		case to[i] >= 0:
			stay[to[i]] = true
			gap++
		case d.to[head+i] < 0 && !claimed[i]:
			restA = append(restA, rest{int32(i), gap})
		}
	}
	gap = 0
	for j := range b {
		switch {
		case stay[j]:
			gap++
		case d.from[head+j] < 0 && !new.GivenID(head+j):
			restB = append(restB, rest{int32(j), gap})
		}
	}
	if len(restA) == 0 || len(restB) == 0 {
		return
	}
	// Only what stands in one gap is of one class, so that what is aligned does
	// not leave its gap.
	n := len(d.old)
	classes := newClasses(len(restA)+len(restB), 0)
	var gaps []int32 // by class
	classOf := func(r rest, hash uint64, x int) int32 {
		c := classes.of(hash+uint64(r.gap)*0x9e3779b97f4a7c15, int32(x), func(y int32) bool {
			return gaps[classes.found] == r.gap && d.sameMatching(d.at(int(y)), d.at(x))
		})
		if int(c) == len(gaps) {
			gaps = append(gaps, r.gap)
		}
		return c
	}
	ca, cb := make([]int32, len(restA)), make([]int32, len(restB))
	for x, r := range restA {
		ca[x] = classOf(r, matching[r.at], head+int(r.at))
	}
	for x, r := range restB {
		cb[x] = classOf(r, matching[len(a)+int(r.at)], n+head+int(r.at))
	}
	for x, y := range align(ca, cb, classes.len(), d.budget).to {
		if y >= 0 {
			j := head + int(restB[y].at)
			d.pair(head+int(restA[x].at), j)
			d.replaced[j] = true
		}
	}
}

// write makes the script of what has been paired.
func (d *differ[T]) write(s *Script, new *List[T]) {
	edits := 0
	for _, j := range d.to {
		if j < 0 {
			edits++
		}
	}
	for j, i := range d.from {
		if i < 0 || d.moved[j] {
			edits++
		}
		if d.replaced[j] {
			edits++
		}
	}
	s.Edits = make([]Edit, 0, edits)
	for i, j := range d.to {
		if j < 0 {
			s.Edits = append(s.Edits, Edit{DeleteRule, d.old[i].ID, -1})
			s.Deleted++
		}
	}
	s.IDs = make([]ID, len(d.new))
	for j, i := range d.from {
		if i < 0 {
			if new.GivenID(j) {
				s.IDs[j] = d.new[j].ID
			}
			s.Edits = append(s.Edits, Edit{InsertRule, s.IDs[j], j})
			s.Inserted++
			continue
		}
		id := d.old[i].ID
		s.IDs[j] = id
		if d.moved[j] {
			s.Edits = append(s.Edits, Edit{MoveRule, id, j})
			s.Moved++
		}
		if d.replaced[j] {
			s.Edits = append(s.Edits, Edit{ReplaceRule, id, j})
			s.Replaced++
		}
		if !d.moved[j] && !d.replaced[j] {
			s.Kept++
		}
	}
}

// ruleClasses numbers rules so that those have the same number that are the
// same. Numbers do not depend on the hashes.
type ruleClasses struct {
	byHash map[uint64]int32 // the first class of a hash
	first  []int32          // by class: the rule that it began with
	next   []int32          // by class: another one with its hash, or -1
	from   int32            // number of the first class
	found  int32            // the class that is compared with
}

// newClasses returns an empty numbering for up to about n rules, whose numbers
// begin with from.
func newClasses(n int, from int32) *ruleClasses {
	return &ruleClasses{byHash: make(map[uint64]int32, n), from: from}
}

func (c *ruleClasses) len() int { return int(c.from) + len(c.first) }

// of returns the class of a rule, which is new when the rule is not the same as
// the first of a class with its hash.
func (c *ruleClasses) of(hash uint64, rule int32, same func(int32) bool) int32 {
	head, ok := c.byHash[hash]
	if ok {
		for c.found = head; c.found >= 0; c.found = c.next[c.found] {
			if same(c.first[c.found]) {
				return c.from + c.found
			}
		}
	} else {
		head = -1
	}
	k := int32(len(c.first))
	c.first, c.next = append(c.first, rule), append(c.next, -1)
	if head < 0 {
		c.byHash[hash] = k
	} else { // behind the first
		c.next[k], c.next[head] = c.next[head], k
	}
	return c.from + k
}
