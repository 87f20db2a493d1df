package policy

// Joining beside the walk: boxes are handed in batches, by turns, to goroutines that
// join them, since that takes longer than the walk itself. How many there are does not
// depend on the machine, so that the regions don't either. A walk of few boxes stays in
// one goroutine.

import (
	"maps"
	"math/big"
	"sync"

	"github.com/hipac-go/classifier/hipac/internal/region"
)

const (
	joinerCount = 2
	boxesAtOnce = 1 << 12 // of a batch
)

// batch is boxes one behind the other.
type batch struct {
	boxes []region.Span
	by    []pairOf
}

// joiners takes the boxes of a walk. It is for one goroutine.
type joiners struct {
	all   [joinerCount]*cells
	dims  int
	batch *batch
	turn  int
	in    [joinerCount]chan *batch
	free  chan *batch
	done  sync.WaitGroup
}

func newJoiners(p *pair, byValue bool, keep int) *joiners {
	// What is decided has numbers from here on: they are only read.
	for _, f := range []*Function{p.old, p.new} {
		for _, v := range f.Verdicts() {
			p.number(v)
		}
	}
	p.number("")
	j := &joiners{dims: p.seq.Space.Dims(), batch: &batch{}, free: make(chan *batch, 4*joinerCount)}
	for i := range j.all {
		own := *p
		own.made = p.made.apart()
		j.all[i] = newCells(&own, byValue, keep)
	}
	return j
}

// apart returns a makeup that counts for itself.
func (m *makeup) apart() *makeup {
	out := *m
	out.groups, out.bound = make([]group, len(m.groups)), nil
	for i, g := range m.groups {
		g.memo = map[string]*big.Int{}
		out.groups[i] = g
		if g.worlds != nil {
			out.bound = append(out.bound, &out.groups[i])
		}
	}
	return &out
}

// add takes a box.
func (j *joiners) add(b region.Box, by pairOf) {
	j.batch.boxes = append(j.batch.boxes, b...)
	j.batch.by = append(j.batch.by, by)
	if len(j.batch.by) < boxesAtOnce {
		return
	}
	if j.in[0] == nil {
		for i := range j.in {
			j.in[i] = make(chan *batch, 1)
			j.done.Go(func() {
				for full := range j.in[i] {
					j.all[i].addAll(full, j.dims)
					full.boxes, full.by = full.boxes[:0], full.by[:0]
					j.free <- full
				}
			})
		}
	}
	j.in[j.turn%joinerCount] <- j.batch
	j.turn++
	select {
	case j.batch = <-j.free:
	default:
		j.batch = &batch{}
	}
}

func (c *cells) addAll(b *batch, dims int) {
	for i, by := range b.by {
		c.add(region.Box(b.boxes[i*dims:(i+1)*dims]), by)
	}
}

// finish ends the taking of boxes, and returns what they became. Goroutines have
// ended.
func (j *joiners) finish() *cells {
	if j.in[0] != nil {
		for _, in := range j.in {
			close(in)
		}
		j.done.Wait()
	}
	c := j.all[0]
	c.addAll(j.batch, j.dims)
	for _, more := range j.all[1:] {
		more.flush()
		c.merge(more)
	}
	c.finish()
	return c
}

// merge takes the cells of another one, and what it counted.
func (c *cells) merge(o *cells) {
	for i := range o.list {
		x := &o.list[i]
		for d, id := range x.sets {
			x.sets[d] = c.id(d, o.sets[d][id])
		}
		x.class = c.class(x.who[0])
		x.rehash()
		c.list = append(c.list, *x)
	}
	for v, sum := range maps.All(o.sums) {
		have := c.sums[v]
		if have == nil {
			c.sums[v] = sum
			continue
		}
		have.Regions += sum.Regions
		have.Packets.Add(have.Packets, sum.Packets)
		have.Perhaps.Add(have.Perhaps, sum.Perhaps)
	}
	c.space.Add(c.space, o.space)
	c.left += o.left
}
