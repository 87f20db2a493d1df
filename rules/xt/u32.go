package xt

// Match u32: numbers of 32 bits in the packet, picked out with shifts, masks
// and jumps to offsets that the packet itself says, compared with ranges.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// MaxU32 is how many tests a U32Match may have, and how many numbers and
// ranges each of them.
const MaxU32 = 10

// U32Match holds when all its tests do. A test that reads beyond the packet
// does not hold; Not turns the answer round whatever it comes from.
type U32Match struct {
	Tests []U32Test
	Not   bool
}

// U32Test is one test: "Steps = Ranges". The first step reads the 32 bits at
// the offset Number from the IP header, the others work on what there is.
type U32Test struct {
	Steps  []U32Step
	Ranges []U32Range
}

// U32Step is an operator and its operand; that of the first step is U32At.
type U32Step struct {
	Op     U32Op
	Number uint32
}

// U32Range is a range of numbers, both ends included. A reversed one holds for
// nothing.
type U32Range struct{ Min, Max uint32 }

// U32Op is an operator of a U32Step.
type U32Op uint8

// The operators.
const (
	U32And   U32Op = iota // &
	U32Left               // <<
	U32Right              // >>
	U32At                 // @: move by the value so far, and read at the offset Number from there
)

var u32Ops = [...]string{"&", "<<", ">>", "@"}

// String returns the operator as it is written.
func (o U32Op) String() string { return u32Ops[o] }

// Test returns the test, or an error when there are too many parts or none.
func (m U32Match) Test() (rules.Test, error) {
	if n := len(m.Tests); n == 0 || n > MaxU32 {
		return nil, fmt.Errorf("%d tests: must be 1..%d", n, MaxU32)
	}
	for i := range m.Tests {
		steps, ranges := m.Tests[i].Steps, m.Tests[i].Ranges
		if len(steps) == 0 || len(steps) > MaxU32 || len(ranges) == 0 || len(ranges) > MaxU32 {
			return nil, fmt.Errorf("test %d has %d numbers and %d ranges: must be 1..%d each", i+1, len(steps), len(ranges), MaxU32)
		}
		for _, s := range steps[min(1, len(steps)):] {
			if s.Op > U32At {
				return nil, fmt.Errorf("test %d has an unknown operator", i+1)
			}
			if (s.Op == U32Left || s.Op == U32Right) && s.Number > 31 {
				return nil, fmt.Errorf("test %d shifts by %d bits: at most 31", i+1, s.Number)
			}
		}
	}
	return &u32Test{m}, nil
}

type u32Test struct{ m U32Match }

func (u *u32Test) Ask(s rules.Subject) (rules.Outcome, string) {
	t := bytesOf(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	holds, unsure := true, false
	for i := range u.m.Tests {
		ok, g := u.m.Tests[i].holds(&t.Packet)
		if g == gotLess {
			unsure = true
		} else if !ok {
			holds = false
			break
		}
	}
	if holds && unsure {
		return rules.Unsure, needsPacket
	}
	return answer(holds != u.m.Not), ""
}

func (u *U32Test) holds(p *packet.Packet) (bool, got) {
	base := uint32(0)
	v, g := load(p, int64(u.Steps[0].Number), 4)
	if g != gotAll {
		return false, g
	}
	for _, s := range u.Steps[1:] {
		switch s.Op {
		case U32And:
			v &= s.Number
		case U32Left:
			v <<= s.Number
		case U32Right:
			v >>= s.Number
		case U32At:
			if base+v < base {
				return false, gotEnd
			}
			base += v
			if v, g = load(p, int64(base)+int64(s.Number), 4); g != gotAll {
				return false, g
			}
		}
	}
	for _, r := range u.Ranges {
		if r.Min <= v && v <= r.Max {
			return true, gotAll
		}
	}
	return false, gotAll
}
