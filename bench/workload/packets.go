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
	numMixed // those that Mixed takes
	// Worst looks for the packets that cost most, by PacketConfig.Cost, and
	// takes the costliest PacketConfig.Flows of them by turns, the costliest
	// first. See WorstReport.
	Worst    = numMixed
	numModes = Worst + 1
)

var modeNames = [numModes]string{"mixed", "corners", "overlaps", "uniform", "misses", "zipf", "trace", "worst"}

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
	// Flows is the number of different packets of Zipf, 0 meaning 10,000, and of
	// Worst, 0 meaning 1,000.
	Flows int

	// Real asks for packets that can be sent: what a key says is what decoding
	// the packet of PacketOf says, so that a packet of a protocol without ports
	// has none, one that is not IP fragment 0 neither, and so on. Interfaces,
	// connection state and mark, which no header holds, are kept as drawn. Fields
	// that a rule leaves free are plain ones. It takes about a microsecond more a
	// packet.
	Real bool
	// Family is 4 or 6 for Real packets of schemas that do not say it.
	Family int

	// Matched reports whether a rule decides the packet. With it, the packets of
	// Misses are such that it denies, see MissReport; they are looked for at the
	// outer edges of rules, at random, and near other ones. MissShare, 0 to 1, is
	// the share of such packets in any mode; those of Misses are random beside it.
	Matched   func(rules.Key) bool
	MissShare float64

	// Cost says what looking up a packet costs, for Worst; Tries is the number of
	// packets that it is asked of, 0 meaning 100,000.
	Cost  func(rules.Key) int64
	Tries int
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
// nanoseconds each. The error is one of the configuration, or ErrNoMisses.
func Packets[T any](l *rules.List[T], c PacketConfig) (*Keys, error) {
	const most = 1 << 28
	if c.N < 0 || c.N > most {
		return nil, fmt.Errorf("workload: %d packets: not in 0..%d", c.N, most)
	}
	src, err := NewSource(l, c)
	if err != nil {
		return nil, err
	}
	s := l.Schema()
	k := &Keys{schema: s, words: make([]uint32, c.N*s.KeyLen()), origin: make([]int32, c.N)}
	for i := range k.origin {
		origin, err := src.Next(k.At(i))
		if err != nil {
			return nil, err
		}
		k.origin[i] = int32(origin)
	}
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
