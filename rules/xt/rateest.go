package xt

// Rate estimators: the target RATEEST feeds one, the match rateest compares
// what it says. An estimator looks at its counters every 250 ms times a power
// of two, and keeps a moving average in which the last interval has the weight
// 1/2^EWMALog; its numbers are the kernel's fixed-point ones. An estimator that
// a rule feeds says 0 until a packet comes to that rule; of one that no rule
// feeds and no packet has fed nothing is known. Source: iptables-extensions(8).

import "github.com/hipac-go/classifier/rules"

// Estimator is a named rate estimator as RATEEST describes it.
type Estimator struct {
	Name string
	// Interval: it looks every 250 ms << Interval, 0 to 5.
	Interval uint8
	// EWMALog: the last interval counts 1/2^EWMALog, 0 to 31.
	EWMALog uint8
}

// estimatorPrefix begins the names of estimators among what is shared by name.
const estimatorPrefix = "rateest "

// estimate is the memory of an estimator.
type estimate struct {
	every           int64 // ticks
	interval, log   uint8
	next            int64 // when it looks next
	bytes, packets  uint64
	avBytes, avPkts uint64 // per second, times 256
}

func (e *estimate) look(now int64) {
	for e.next <= now {
		if e.bytes|e.packets == 0 {
			quiet := e.avBytes>>e.log == 0 && e.avPkts>>e.log == 0
			if quiet { // it will not change: skip to the present
				e.next += ((now-e.next)/e.every + 1) * e.every
				return
			}
		}
		e.avBytes += e.bytes<<(10-e.interval)>>e.log - e.avBytes>>e.log
		e.avPkts += e.packets<<(10-e.interval)>>e.log - e.avPkts>>e.log
		e.bytes, e.packets = 0, 0
		e.next += e.every
	}
}

// feed counts a packet; the first one of a name makes its estimator. The lock
// must be held.
func (s *State) feed(d Estimator, size uint64) {
	now := s.jiffies()
	e := shared(s, estimatorPrefix+d.Name, func() *estimate {
		i := min(d.Interval, 5)
		every := int64(HZ) / 4 << i
		return &estimate{every: every, interval: i, log: min(d.EWMALog, 31), next: now + every}
	})
	e.look(now)
	e.bytes += size
	e.packets++
}

// rates returns what the estimator with a memory of this name says, in bytes
// and packets a second, and whether a packet has fed it. The lock must be held.
func (s *State) rates(name string) (bytes, packets uint64, known bool) {
	e, ok := s.named[name].(*estimate)
	if !ok {
		return 0, 0, false
	}
	e.look(s.jiffies())
	return e.avBytes >> 8, e.avPkts >> 8, true
}

// Feed counts a packet of size bytes in an estimator, as the target RATEEST
// does; the first packet of a name makes the estimator.
func (s *State) Feed(d Estimator, size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed(d, size)
}

// Rates returns what the named estimator says, in bytes and packets a second;
// 0 of one that no packet has fed.
func (s *State) Rates(name string) (bytes, packets uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes, packets, _ = s.rates(estimatorPrefix + name)
	return bytes, packets
}

// Compare is how rateest compares.
type Compare uint8

// The comparisons.
const (
	Less Compare = iota
	Greater
	Equal
)

// RateTest is a match "rateest": the rates of Name1 against those of Name2 or,
// when that is empty, against Bytes2 and Packets2.
type RateTest struct {
	Name1, Name2 string
	How          Compare
	Not          bool
	// ByBytes and ByPackets say what is compared; with both, both must hold.
	ByBytes, ByPackets bool
	// Delta: what is compared is how far a rate is below Bytes1, Packets1 (and
	// Bytes2, Packets2), 0 when it is above.
	Delta            bool
	Bytes1, Packets1 uint64 // a second
	Bytes2, Packets2 uint64
	// Fed1 and Fed2 say whether a rule feeds the estimators; they may change
	// until the first packet comes. nil: no rule does.
	Fed1, Fed2 *bool
}

type rateTest struct {
	RateTest
	name1, name2   string // of the estimators' memory
	needs1, needs2 string
}

// Test returns the match as a test.
func (r RateTest) Test() rules.Test {
	return &rateTest{r, estimatorPrefix + r.Name1, estimatorPrefix + r.Name2, "the estimator " + r.Name1, "the estimator " + r.Name2}
}

func (r *rateTest) Ask(sub rules.Subject) (rules.Outcome, string) {
	_, s, missing := remembered(sub)
	if s == nil {
		return rules.Unsure, missing
	}
	defer s.mu.Unlock()
	below := func(limit, rate uint64) uint64 {
		if !r.Delta {
			return rate
		}
		return limit - min(rate, limit)
	}
	b, p, known := s.rates(r.name1)
	if !known && (r.Fed1 == nil || !*r.Fed1) {
		return rules.Unsure, r.needs1
	}
	b1, p1 := below(r.Bytes1, b), below(r.Packets1, p)
	b2, p2 := r.Bytes2, r.Packets2
	if r.Name2 != "" {
		if b, p, known = s.rates(r.name2); !known && (r.Fed2 == nil || !*r.Fed2) {
			return rules.Unsure, r.needs2
		}
		b2, p2 = below(r.Bytes2, b), below(r.Packets2, p)
	}
	holds := (!r.ByBytes || r.How.holds(b1, b2)) && (!r.ByPackets || r.How.holds(p1, p2))
	return answer(holds != r.Not), ""
}

func (c Compare) holds(a, b uint64) bool {
	switch c {
	case Less:
		return a < b
	case Greater:
		return a > b
	}
	return a == b
}
