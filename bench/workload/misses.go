package workload

// Misses: packets that no rule decides. In most sets they are everywhere; in
// sets with many wide rules they are few, and in sets with a last rule for
// every packet there is none.

import (
	"errors"

	"github.com/hipac-go/classifier/rules"
)

// ErrNoMisses says that no packet was found that no rule decides.
var ErrNoMisses = errors.New("no packet was found that no rule decides")

// MissReport says how hard misses were to find.
type MissReport struct {
	Made     int64 // packets that no rule decides, the next ones aside
	Tried    int64 // packets that were asked for them
	Repeated int64 // of those made, how many came before, as far as 65,536 are remembered
}

// How many packets are tried for the first miss, at once, and for each of the
// others, before one that was found comes again. A set of which one packet in
// 10,000 is a miss is then known for one in nearly every case.
const (
	triesForFirst = 200_000
	triesForMore  = 2_000
)

// missFinder finds packets that no rule decides.
type missFinder struct {
	source *Source
	r      rng
	known  *Keys // some that were found
	n      int   // of known
	turn   int
	seen   map[uint64]struct{} // hashes of the first ones
	report MissReport
}

// Misses reports what was made so far; zero without PacketConfig.Matched.
func (s *Source) Misses() MissReport {
	if s.misses == nil {
		return MissReport{}
	}
	return s.misses.report
}

// next fills k with a miss.
func (m *missFinder) next(k rules.Key) error {
	const keep = 1024
	tries := triesForMore
	if m.known == nil {
		m.known, m.seen = newKeys(m.source.schema, keep), map[uint64]struct{}{}
		tries = triesForFirst
	}
	for range tries {
		m.draw(k)
		m.report.Tried++
		if m.source.c.Matched(k) {
			continue
		}
		// The latest ones are known.
		copy(m.known.At(int(m.report.Made%keep)), k)
		m.n = min(m.n+1, keep)
		m.report.Made++
		m.remember(k)
		return nil
	}
	if m.n == 0 {
		return ErrNoMisses
	}
	copy(k, m.known.At(m.r.IntN(m.n)))
	m.report.Made++
	m.report.Repeated++
	return nil
}

// remember counts a miss that came before.
func (m *missFinder) remember(k rules.Key) {
	const most = 1 << 16
	h := uint64(1)
	for _, w := range k {
		h = mix(h ^ uint64(w))
	}
	if _, dup := m.seen[h]; dup {
		m.report.Repeated++
	} else if len(m.seen) < most {
		m.seen[h] = struct{}{}
	}
}

// draw fills k with a packet that may be a miss: at a corner of a rule, random,
// between two rules, of values that rules ask for, or near a miss, by turns.
func (m *missFinder) draw(k rules.Key) {
	s, origin := m.source, -1
	some := s.rules.Len() > 0
	m.turn++
	switch turn := m.turn % 5; {
	case turn == 0 && m.n > 0:
		copy(k, m.known.At(m.r.IntN(m.n)))
		for range 1 + m.r.IntN(2) {
			f := m.r.IntN(max(1, s.schema.Len()))
			if s.schema.Len() > 0 && some {
				s.schema.Set(k, f, s.free(m.r, f))
			}
		}
		if s.real != nil {
			s.real.settle(k)
		}
		return
	case turn == 1 && some:
		origin = s.corner(m.r, k)
	case turn == 3 && some:
		origin = s.overlap(m.r, k)
	case turn == 4 && some:
		for f := range s.schema.Len() {
			s.schema.Set(k, f, s.free(m.r, f))
		}
	default:
		s.random(m.r, k)
	}
	if s.real != nil {
		s.real.plain(s.venue, k, origin)
	}
}
