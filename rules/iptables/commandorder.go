package iptables

// The order of a chain's rules while commands change it: the numbers of its
// lines, in blocks of a bounded size, so that a rule is inserted or deleted in
// the square root of their number, roughly.

import (
	"github.com/hipac-go/classifier/rules"
)

// blockSize is the size at which a block is cut in two: moving a block of
// 4 bytes each costs about as much as looking over the blocks of a million.
const blockSize = 1024

// sequence is a list of line numbers, from 0.
type sequence struct {
	blocks [][]int32
	n      int
}

// newSequence returns 0, 1 .. n-1.
func newSequence(n int) *sequence {
	o := &sequence{n: n}
	for from := 0; from < n; from += blockSize / 2 {
		b := make([]int32, 0, blockSize)
		for i := from; i < min(n, from+blockSize/2); i++ {
			b = append(b, int32(i))
		}
		o.blocks = append(o.blocks, b)
	}
	return o
}

// locate returns the block and the place in it of the element at i; for i == n
// the end of the last block.
func (o *sequence) locate(i int) (block, place int) {
	for b := range o.blocks {
		if k := len(o.blocks[b]); i < k || b == len(o.blocks)-1 {
			return b, i
		} else {
			i -= k
		}
	}
	return 0, 0
}

func (o *sequence) at(i int) int32 {
	b, k := o.locate(i)
	return o.blocks[b][k]
}

// insert puts an element in front of that at i.
func (o *sequence) insert(i int, id int32) {
	if o.n++; len(o.blocks) == 0 {
		o.blocks = [][]int32{append(make([]int32, 0, blockSize), id)}
		return
	}
	b, k := o.locate(i)
	block := append(o.blocks[b], 0)
	copy(block[k+1:], block[k:])
	block[k] = id
	if o.blocks[b] = block; len(block) == blockSize {
		half := append(make([]int32, 0, blockSize), block[blockSize/2:]...)
		o.blocks[b] = block[:blockSize/2]
		o.blocks = append(o.blocks, nil)
		copy(o.blocks[b+2:], o.blocks[b+1:])
		o.blocks[b+1] = half
	}
}

// remove takes the element at i out and returns it.
func (o *sequence) remove(i int) int32 {
	b, k := o.locate(i)
	block := o.blocks[b]
	id := block[k]
	o.blocks[b] = append(block[:k], block[k+1:]...)
	if o.n--; len(o.blocks[b]) == 0 {
		o.blocks = append(o.blocks[:b], o.blocks[b+1:]...)
	}
	return id
}

// all calls f with every element in order, until it returns false.
func (o *sequence) all(f func(place int, id int32) bool) {
	place := 0
	for _, block := range o.blocks {
		for _, id := range block {
			if !f(place, id) {
				return
			}
			place++
		}
	}
}

// edit gives the chain an order of its rules; until then it is that of the
// lines.
func (c *chainReader) edit() {
	if c.order == nil {
		c.order = newSequence(len(c.lines))
	}
}

// live returns the number of the chain's rules.
func (c *chainReader) live() int {
	if c.order == nil {
		return len(c.lines)
	}
	return c.order.n
}

// at returns the line of the rule at a place, both from 0.
func (c *chainReader) at(place int) int {
	if c.order == nil {
		return place
	}
	return int(c.order.at(place))
}

// deletedLine marks lines whose rule is deleted.
const deletedLine = -1

// dead reports whether the rule with the number of a line, from 1, is deleted.
func (c *chainReader) dead(number int) bool { return c.lines[number-1].line == deletedLine }

// findText returns the place of the first rule with the text, or -1.
func (c *chainReader) findText(text string) int {
	found := -1
	if c.order == nil {
		for i := range c.lines {
			if c.lines[i].text == text {
				return i
			}
		}
		return -1
	}
	c.order.all(func(place int, id int32) bool {
		if c.lines[id].text == text {
			found = place
		}
		return found < 0
	})
	return found
}

// rulesOf returns where the rules of a line are. The rules are in the order of
// the lines.
func (c *chainReader) rulesOf(id int) (from, to int) {
	from, to = 0, len(c.rules)
	for from < to {
		if mid := (from + to) / 2; c.rules[mid].action.Number <= id {
			from = mid + 1
		} else {
			to = mid
		}
	}
	for to = from; to < len(c.rules) && c.rules[to].action.Number == id+1; to++ {
	}
	return from, to
}

// kill deletes the rule at a place of an edited chain.
func (f *fileReader) kill(c *chainReader, place int) {
	id := int(c.order.remove(place))
	from, to := c.rulesOf(id)
	f.cur.rules -= to - from
	c.lines[id].line = deletedLine
}

// settle puts the rules of a table in order, and takes deleted chains away.
func (t *tableReader) settle() {
	for i := range t.chains {
		t.chains[i].settle()
	}
	if !t.deleted {
		return
	}
	to := make([]int, len(t.chains))
	kept := t.chains[:0]
	for i := range t.chains {
		if to[i] = len(kept); !t.chains[i].deleted {
			kept = append(kept, t.chains[i])
		}
	}
	t.chains = kept
	for i := range t.chains {
		c := &t.chains[i]
		t.byName[c.name] = i + 1
		for j := range c.rules {
			if a := &c.rules[j].action; a.Kind == rules.Jump || a.Kind == rules.Goto {
				a.Chain = to[a.Chain]
			}
		}
		c.call()
	}
}

func (c *chainReader) settle() {
	if c.order == nil {
		return
	}
	lines := make([]ruleLine, 0, c.order.n)
	list := make([]rawRule, 0, len(c.rules))
	places := make([]int, len(c.lines))
	c.order.all(func(place int, id int32) bool {
		places[id] = place
		from, to := c.rulesOf(int(id))
		for i := from; i < to; i++ {
			r := c.rules[i]
			r.action.Number = place + 1
			list = append(list, r)
		}
		lines = append(lines, c.lines[id])
		return true
	})
	limited := c.limited[:0]
	for _, l := range c.limited {
		for id := l.from; id < l.to; id++ {
			if c.lines[id].line != deletedLine {
				l.from = places[id]
				limited = append(limited, l)
				break
			}
		}
	}
	c.lines, c.rules, c.limited, c.order = lines, list, limited, nil
	c.call()
}

// call finds the chains anew that the rules go to.
func (c *chainReader) call() {
	c.calls = nil
	for i := range c.rules {
		a := &c.rules[i].action
		if a.Kind != rules.Jump && a.Kind != rules.Goto {
			continue
		}
		if n := len(c.calls); n == 0 || c.calls[n-1] != a.Chain {
			c.calls = append(c.calls, a.Chain)
		}
	}
}
