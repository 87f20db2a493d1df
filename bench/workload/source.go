package workload

// Source: packets one after the other, in memory that does not grow with their
// number.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// Source draws packets for rules. It is for one goroutine. The packets are those
// of Packets with the same configuration.
type Source struct {
	*venue
	r    rng
	c    PacketConfig
	made int

	last    rules.Key // the packet to be repeated
	origin  int
	repeats int // how often it is to come

	flows   *Keys // of Zipf and Worst; nil until the first
	popular table
	worst   WorstReport

	misses *missFinder // nil: the packets of Misses are not asked
	real   *realizer   // nil: keys are taken as drawn
}

// NewSource returns a source of packets for the rules of a list. Of c.N it knows
// only that there are to be so many: Next goes on behind them.
func NewSource[T any](l *rules.List[T], c PacketConfig) (*Source, error) {
	return newSource(condList[T]{l}, c)
}

func newSource(l rulesOf, c PacketConfig) (*Source, error) {
	if c.Mode >= numModes {
		return nil, fmt.Errorf("workload: unknown %v", c.Mode)
	}
	if !(c.Absent >= 0 && c.Absent <= 1) || !(c.Repeat >= 0) || c.Flows < 0 || c.N < 0 || c.Tries < 0 {
		return nil, fmt.Errorf("workload: absent %v, repeat %v, flows %d, packets %d, tries %d: out of range", c.Absent, c.Repeat, c.Flows, c.N, c.Tries)
	}
	if !(c.MissShare >= 0 && c.MissShare <= 1) || c.MissShare > 0 && c.Matched == nil {
		return nil, fmt.Errorf("workload: share of misses %v: not in 0..1, or nobody says what matches", c.MissShare)
	}
	if c.Mode == Worst && c.Cost == nil {
		return nil, fmt.Errorf("workload: worst packets, and nobody says what they cost")
	}
	if c.Real && c.Absent > 0 {
		return nil, fmt.Errorf("workload: what real packets do not have is up to their headers, and Absent is set")
	}
	if l.Len() == 0 && c.Mode != Worst {
		c.Mode = Misses
	}
	s := &Source{venue: newVenue(l), r: newRNG(c.Seed, "packets"), c: c, last: l.Schema().NewKey()}
	if c.Real {
		s.real = newRealizer(l.Schema(), c.Family, newRNG(c.Seed, "real packets"))
	}
	if c.Matched != nil {
		s.misses = &missFinder{source: s, r: newRNG(c.Seed, "misses")}
	}
	return s, nil
}

// Next fills k with the next packet, and returns the position of the rule that
// it was drawn from, or -1. The error is ErrNoMisses; k is then unspecified.
func (s *Source) Next(k rules.Key) (origin int, err error) {
	defer func() { s.made++ }()
	if s.c.MissShare > 0 && s.misses.r.Float64() < s.c.MissShare {
		return -1, s.misses.next(k)
	}
	if s.repeats > 0 {
		s.repeats--
		copy(k, s.last)
		return s.origin, nil
	}
	mode := s.c.Mode
	if mode == Mixed {
		mode = Corners + Mode(s.r.IntN(int(numMixed-Corners)))
	}
	switch mode {
	case Corners:
		origin = s.corner(s.r, k)
	case Overlaps:
		origin = s.overlap(s.r, k)
	case Misses:
		if s.misses != nil && s.c.MissShare == 0 {
			return -1, s.misses.next(k)
		}
		s.random(s.r, k)
		origin = -1
	case Worst:
		if s.flows == nil {
			s.flows = s.search()
		}
		copy(k, s.flows.At(s.made%s.flows.Len()))
		return -1, nil
	case Zipf:
		if s.flows == nil {
			s.flows, s.popular = s.popularFlows()
		}
		j := s.popular.draw(s.r, 0)
		copy(k, s.flows.At(j))
		return s.flows.Origin(j), nil // its fields were made absent with the flow
	case Uniform, Trace:
		origin = s.r.IntN(s.rules.Len())
		if mode == Trace {
			s.vertex(s.r, origin, k)
		} else {
			s.inside(s.r, origin, k)
		}
		s.finish(k, origin)
		if s.repeats = min(s.copies()-1, s.c.N-s.made-1); s.repeats > 0 {
			copy(s.last, k)
			s.origin = origin
		}
		s.repeats = max(0, s.repeats)
		return origin, nil
	}
	s.finish(k, origin)
	return origin, nil
}

// finish makes a packet that was drawn for a rule real, or takes fields away.
func (s *Source) finish(k rules.Key, origin int) {
	if s.real != nil {
		s.real.plain(s.venue, k, origin)
	}
	s.drop(k)
}

// popularFlows makes the flows of Zipf and the table that draws them.
func (s *Source) popularFlows() (*Keys, table) {
	n := s.c.Flows
	if n == 0 {
		n = 10000
	}
	n = min(n, max(1, s.c.N))
	k := newKeys(s.schema, n)
	for i := range n {
		rule := s.r.IntN(s.rules.Len())
		s.inside(s.r, rule, k.At(i))
		s.finish(k.At(i), rule)
		k.origin[i] = int32(rule)
	}
	return k, harmonic(n)
}

func newKeys(s *rules.Schema, n int) *Keys {
	return &Keys{schema: s, words: make([]uint32, n*s.KeyLen()), origin: make([]int32, n)}
}

// copies returns how often the next packet comes.
func (s *Source) copies() int {
	b := s.c.Repeat
	if b == 0 {
		b = 0.1
	}
	x := b / (1 - s.r.Float64()) // 1-u is in (0, 1]
	return min(int(min(x, 1<<30))+1, s.c.N/10+1)
}

// drop makes fields of the packet absent.
func (s *Source) drop(k rules.Key) {
	if s.c.Absent == 0 {
		return
	}
	for f := range s.schema.Len() {
		if s.r.Float64() < s.c.Absent {
			s.schema.SetAbsent(k, f)
		}
	}
}
