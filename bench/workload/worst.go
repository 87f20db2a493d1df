package workload

// Worst: the packets that cost most, found by climbing. A packet changes in a
// field or two, and stays changed when it costs no less; when nothing has cost
// more for a while, another packet climbs. What is found is a lower bound of the
// worst case, not the worst case: that is a question for the structure itself.

import (
	"container/heap"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// WorstReport says what the search for the worst packets came to.
type WorstReport struct {
	Tried         int   // packets whose cost was asked
	Packets       int   // different ones that are taken
	Most, Least   int64 // the costs of those
	Ordinary      int64 // sum of the costs of OrdinaryCount packets inside random rules
	OrdinaryCount int64
}

// Worst reports what the search came to; zero before the first packet of mode
// Worst.
func (s *Source) Worst() WorstReport { return s.worst }

// climbed is a packet and its cost.
type climbed struct {
	key  rules.Key
	cost int64
}

// costliest is a heap, the least costly packet first.
type costliest []climbed

func (h costliest) Len() int           { return len(h) }
func (h costliest) Less(i, j int) bool { return h[i].cost < h[j].cost }
func (h costliest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *costliest) Push(x any)        { *h = append(*h, x.(climbed)) }
func (h *costliest) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// climber searches.
type climber struct {
	*Source
	r    rng
	most int // packets to keep
	best costliest
	seen map[string]struct{} // those of best
	name []byte
}

// search returns the worst packets, the costliest first.
func (s *Source) search() *Keys {
	const patience = 400 // changes without a gain until another packet climbs
	c := &climber{Source: s, r: newRNG(s.c.Seed, "worst"), most: s.c.Flows, seen: map[string]struct{}{}}
	if c.most == 0 {
		c.most = 1000
	}
	c.most = min(c.most, max(1, s.c.N))
	tries := s.c.Tries
	if tries == 0 {
		tries = 100_000
	}
	now, next := s.schema.NewKey(), s.schema.NewKey()
	// What packets cost that nobody searched for.
	for s.rules.Len() > 0 && s.worst.OrdinaryCount < min(256, int64(tries)/8) {
		c.start(0, now)
		s.worst.Ordinary += c.ask(now)
		s.worst.OrdinaryCount++
	}
	for climb := 1; s.worst.Tried < tries || len(c.best) == 0; climb++ {
		c.start(climb, now)
		cost := c.ask(now)
		for stale := 0; stale < patience && s.worst.Tried < tries; stale++ {
			copy(next, now)
			c.change(next)
			if got := c.ask(next); got >= cost {
				if got > cost {
					stale = 0
				}
				cost = got
				now, next = next, now
			}
		}
	}
	slices.SortFunc(c.best, func(a, b climbed) int {
		if a.cost != b.cost {
			return b2i(a.cost < b.cost)*2 - 1
		}
		return slices.Compare(a.key, b.key)
	})
	k := newKeys(s.schema, len(c.best))
	for i := range c.best {
		copy(k.At(i), c.best[i].key)
		k.origin[i] = -1
	}
	s.worst.Packets, s.worst.Most, s.worst.Least = len(c.best), c.best[0].cost, c.best[len(c.best)-1].cost
	return k
}

// start fills k with a packet to begin at: inside a rule, at a corner, between
// rules, or one of the best so far.
func (c *climber) start(climb int, k rules.Key) {
	origin := -1
	switch {
	case c.rules.Len() == 0:
		c.random(c.r, k)
	case climb%4 == 3 && len(c.best) > 0:
		copy(k, c.best[c.r.IntN(len(c.best))].key)
		return
	case climb%4 == 0:
		origin = c.r.IntN(c.rules.Len())
		c.inside(c.r, origin, k)
	case climb%4 == 1:
		origin = c.corner(c.r, k)
	default:
		origin = c.overlap(c.r, k)
	}
	c.finish(k, origin)
}

// change changes a field or two: to what another rule asks for or a random
// value, to the next value, in a bit, or to that of another good packet.
func (c *climber) change(k rules.Key) {
	for range 1 + c.r.IntN(2) {
		if c.schema.Len() == 0 {
			return
		}
		f := c.r.IntN(c.schema.Len())
		v, present := c.schema.Get(k, f)
		top := c.schema.Field(f).Max()
		how := c.r.IntN(8)
		switch {
		case how < 4 && c.rules.Len() > 0:
			v = c.free(c.r, f)
		case how == 4 && present && v != top:
			v = v.Next()
		case how == 5 && present && v != (rules.Value{}):
			v = v.Prev()
		case how == 6 && len(c.best) > 0:
			other, ok := c.schema.Get(c.best[c.r.IntN(len(c.best))].key, f)
			if ok {
				v = other
			}
		default:
			v = v.Xor(rules.U64(1).Shl(c.r.IntN(c.schema.Field(f).Bits)))
		}
		c.schema.Set(k, f, v)
	}
	if c.real != nil {
		c.real.settle(k)
	}
	c.drop(k)
}

// ask returns the cost of a packet, and keeps it when it is among the best.
func (c *climber) ask(k rules.Key) int64 {
	c.worst.Tried++
	cost := c.c.Cost(k)
	if len(c.best) == c.most && cost <= c.best[0].cost {
		return cost
	}
	name := c.text(k)
	if _, dup := c.seen[name]; dup {
		return cost
	}
	if len(c.best) == c.most {
		delete(c.seen, c.text(heap.Pop(&c.best).(climbed).key))
	}
	c.seen[name] = struct{}{}
	heap.Push(&c.best, climbed{slices.Clone(k), cost})
	return cost
}

// text returns the key as a string.
func (c *climber) text(k rules.Key) string {
	c.name = c.name[:0]
	for _, w := range k {
		c.name = append(c.name, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return string(c.name)
}
