package workload

// Packets: keys that exercise a list of rules, whatever its schema.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// Mode says how packets are drawn.
type Mode uint8

// The modes.
const (
	// Mixed takes the other modes in turn.
	Mixed Mode = iota
	// Corners takes a rule and the ends of its intervals: the lowest and the
	// highest value, a random one between, and, in half of the packets, one
	// step outside in one field or more. Fields that the rule leaves free are
	// random, 0, the largest value, or taken from another rule.
	Corners
	// Overlaps takes values from several rules: in a field where two rules
	// overlap from the overlap or its ends, elsewhere from one or the other.
	Overlaps
	// Uniform takes rules uniformly and a random packet inside each, repeated a
	// Pareto-distributed number of times.
	Uniform
	// Misses takes uniform random values in every field. Few packets match
	// anything but rules that are wild or nearly so.
	Misses
	// Zipf draws PacketConfig.Flows packets as Uniform does, without repeats,
	// and then repeats these flows at random, the k-th most frequent with a
	// weight of 1/k.
	Zipf
	// Trace is Uniform at the corners of the rules, as the trace generator of
	// ClassBench has it: every field has the lowest or the highest value that
	// the rule accepts, of a field that it leaves free 0 or the largest. Many
	// packets lie at the corners of the whole space.
	Trace
	numModes
)

var modeNames = [numModes]string{"mixed", "corners", "overlaps", "uniform", "misses", "zipf", "trace"}

// String returns the mode's name.
func (m Mode) String() string {
	if m < numModes {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// ParseMode returns the mode of the given name.
func ParseMode(name string) (Mode, bool) {
	for m, n := range modeNames {
		if n == name {
			return Mode(m), true
		}
	}
	return 0, false
}

// PacketConfig asks for packets.
type PacketConfig struct {
	N    int    // packets
	Seed uint64 // the same configuration and list give the same packets
	Mode Mode
	// Absent is the share of fields that packets do not have, 0 to 1, drawn per
	// packet and field. Without it packets have every field.
	Absent float64
	// Repeat is the scale b of the Pareto distribution of repeats of Uniform and
	// Trace, whose shape is 1: a packet comes ceil(b/u) times for u uniform in 0..1, at
	// most N/10+1 times. 0 means 0.1, few repeats; 1 is much locality.
	Repeat float64
	// Flows is the number of different packets of Zipf; 0 means 10,000.
	Flows int
}

// Keys is an array of packets of one schema, one behind the other in one
// piece of memory. It may be read by any number of goroutines.
type Keys struct {
	schema *rules.Schema
	words  []uint32
	origin []int32
}

// Schema returns the schema of the packets.
func (k *Keys) Schema() *rules.Schema { return k.schema }

// Len returns the number of packets.
func (k *Keys) Len() int { return len(k.origin) }

// At returns packet i. It shares the array and must not be changed.
func (k *Keys) At(i int) rules.Key {
	n := k.schema.KeyLen()
	return rules.Key(k.words[i*n : (i+1)*n : (i+1)*n])
}

// Words returns the array: packet i takes Schema().KeyLen() words from i
// times that number. It must not be changed.
func (k *Keys) Words() []uint32 { return k.words }

// Origin returns the position of the rule that packet i was drawn from, or -1.
// The packet need not match that rule, nor need it be the first to match.
func (k *Keys) Origin(i int) int { return int(k.origin[i]) }

// Packets makes packets for the rules of a list; without rules they are all
// random. It takes time linear in the number of packets, a few hundred
// nanoseconds each.
func Packets[T any](l *rules.List[T], c PacketConfig) (*Keys, error) {
	const most = 1 << 28
	if c.N < 0 || c.N > most {
		return nil, fmt.Errorf("workload: %d packets: not in 0..%d", c.N, most)
	}
	if c.Mode >= numModes {
		return nil, fmt.Errorf("workload: unknown %v", c.Mode)
	}
	if !(c.Absent >= 0 && c.Absent <= 1) || !(c.Repeat >= 0) || c.Flows < 0 {
		return nil, fmt.Errorf("workload: absent %v, repeat %v, flows %d: out of range", c.Absent, c.Repeat, c.Flows)
	}
	s := l.Schema()
	k := &Keys{schema: s, words: make([]uint32, c.N*s.KeyLen()), origin: make([]int32, c.N)}
	p := &packer{venue: newVenue(condList[T]{l}), r: newRNG(c.Seed, "packets"), c: c, keys: k}
	p.fill()
	return k, nil
}

// Inside makes n packets inside every rule of a list: those of rule i are i*n to
// i*n+n-1. A packet need not match its rule where that matches hardly any.
func Inside[T any](l *rules.List[T], n int, seed uint64) *Keys {
	s := l.Schema()
	k := &Keys{schema: s, words: make([]uint32, l.Len()*n*s.KeyLen()), origin: make([]int32, l.Len()*n)}
	v, r := newVenue(condList[T]{l}), newRNG(seed, "inside")
	for i := range k.origin {
		v.inside(r, i/n, k.At(i))
		k.origin[i] = int32(i / n)
	}
	return k
}

// packer fills keys.
type packer struct {
	*venue
	r    rng
	c    PacketConfig
	keys *Keys
}

func (p *packer) fill() {
	n := p.keys.Len()
	if p.rules.Len() == 0 {
		p.c.Mode = Misses
	}
	var flows *Keys
	var popular table
	flow := func(i int) {
		if flows == nil {
			flows, popular = p.flows()
		}
		j := popular.draw(p.r, 0)
		copy(p.keys.At(i), flows.At(j))
		p.keys.origin[i] = flows.origin[j]
	}
	for i := 0; i < n; i++ {
		mode := p.c.Mode
		if mode == Mixed {
			mode = Corners + Mode(p.r.IntN(int(numModes-Corners)))
		}
		switch mode {
		case Corners:
			p.keys.origin[i] = int32(p.corner(p.r, p.keys.At(i)))
		case Overlaps:
			p.keys.origin[i] = int32(p.overlap(p.r, p.keys.At(i)))
		case Misses:
			p.random(p.r, p.keys.At(i))
			p.keys.origin[i] = -1
		case Zipf:
			flow(i)
			continue // its fields were made absent with the flow
		case Uniform, Trace:
			rule := p.r.IntN(p.rules.Len())
			if mode == Trace {
				p.vertex(p.r, rule, p.keys.At(i))
			} else {
				p.inside(p.r, rule, p.keys.At(i))
			}
			p.keys.origin[i] = int32(rule)
			p.drop(p.keys.At(i))
			for copies := p.repeats() - 1; copies > 0 && i+1 < n; copies-- {
				copy(p.keys.At(i+1), p.keys.At(i))
				p.keys.origin[i+1] = p.keys.origin[i]
				i++
			}
			continue
		}
		p.drop(p.keys.At(i))
	}
}

// flows makes the flows of Zipf and the table that draws them.
func (p *packer) flows() (*Keys, table) {
	n := p.c.Flows
	if n == 0 {
		n = 10000
	}
	n = min(n, max(1, p.keys.Len()))
	s := p.keys.schema
	k := &Keys{schema: s, words: make([]uint32, n*s.KeyLen()), origin: make([]int32, n)}
	for i := range n {
		rule := p.r.IntN(p.rules.Len())
		p.inside(p.r, rule, k.At(i))
		p.drop(k.At(i))
		k.origin[i] = int32(rule)
	}
	return k, harmonic(n)
}

// repeats returns how often the next packet comes.
func (p *packer) repeats() int {
	b := p.c.Repeat
	if b == 0 {
		b = 0.1
	}
	x := b / (1 - p.r.Float64()) // 1-u is in (0, 1]
	return min(int(x)+1, p.keys.Len()/10+1)
}

// drop makes fields of the packet absent.
func (p *packer) drop(k rules.Key) {
	if p.c.Absent == 0 {
		return
	}
	for f := range p.keys.schema.Len() {
		if p.r.Float64() < p.c.Absent {
			p.keys.schema.SetAbsent(k, f)
		}
	}
}
