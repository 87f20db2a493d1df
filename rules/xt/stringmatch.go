package xt

// Match string: a pattern anywhere in the packet's bytes.

import (
	"bytes"
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// MaxPattern is the length of the longest pattern of a StringMatch in bytes.
const MaxPattern = 128

// StringMatch asks for a pattern in the bytes of a packet, counted from the IP
// header: the whole of it must lie in [From, To).
type StringMatch struct {
	Pattern  []byte
	From, To int
	IgnoreCase,
	Not bool
}

// Test returns the test, or an error when the kernel would refuse it. Linux's
// algorithm bm does not find what straddles two pieces of a packet's memory;
// here both algorithms find it, as kmp does.
func (m StringMatch) Test() (rules.Test, error) {
	switch {
	case len(m.Pattern) == 0:
		return nil, fmt.Errorf("empty pattern")
	case len(m.Pattern) > MaxPattern:
		return nil, fmt.Errorf("pattern is longer than %d bytes", MaxPattern)
	case m.From > m.To:
		return nil, fmt.Errorf("from %d is above to %d", m.From, m.To)
	}
	s := &stringTest{pattern: bytes.Clone(m.Pattern), from: max(m.From, 0), to: m.To, fold: m.IgnoreCase, not: m.Not}
	if s.fold {
		for i, c := range s.pattern {
			s.pattern[i] = upper[c]
		}
	}
	s.shorter = make([]uint8, len(s.pattern))
	for i, n := 1, 0; i < len(s.pattern); i++ {
		for n > 0 && s.pattern[i] != s.pattern[n] {
			n = int(s.shorter[n-1])
		}
		if s.pattern[i] == s.pattern[n] {
			n++
		}
		s.shorter[i] = uint8(n)
	}
	return s, nil
}

// upper makes letters of Latin-1 capital, as the kernel's toupper does.
var upper = func() (t [256]byte) {
	for i := range t {
		c := byte(i)
		if c >= 'a' && c <= 'z' || c >= 0xdf && c != 0xf7 {
			c -= 32
		}
		t[i] = c
	}
	return t
}()

type stringTest struct {
	pattern  []byte
	shorter  []uint8 // Knuth-Morris-Pratt: how much of the pattern is left when the next byte differs
	from, to int
	fold     bool
	not      bool
}

func (m *stringTest) Ask(s rules.Subject) (rules.Outcome, string) {
	t := bytesOf(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	found, sure := m.find(&t.Packet)
	if !sure {
		return rules.Unsure, needsPacket
	}
	return answer(found != m.not), ""
}

// find looks for the pattern. sure is false when it may lie in what was not
// captured.
func (m *stringTest) find(p *packet.Packet) (found, sure bool) {
	total, have := packetLen(p)
	end := min(m.to, total)
	if end-m.from < len(m.pattern) {
		return false, true
	}
	stop := min(end, have)
	state := 0
	for at := m.from; at < stop; {
		b := p.Piece(at)
		if len(b) == 0 {
			break
		}
		b = b[:min(len(b), stop-at)]
		if at += len(b); at == stop && state == 0 && !m.fold {
			found = bytes.Contains(b, m.pattern) // the last piece, or the only one
			break
		}
		if state, found = m.scan(b, state); found {
			break
		}
	}
	return found, found || stop == end
}

// scan goes on looking in b, with so many bytes of the pattern in front of it.
func (m *stringTest) scan(b []byte, state int) (int, bool) {
	for _, c := range b {
		if m.fold {
			c = upper[c]
		}
		for state > 0 && m.pattern[state] != c {
			state = int(m.shorter[state-1])
		}
		if m.pattern[state] == c {
			if state++; state == len(m.pattern) {
				return 0, true
			}
		}
	}
	return state, false
}
