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
	// BoyerMoore looks as Linux's algorithm bm does. With IgnoreCase that one
	// passes over some places where the packet has the small letters 0xdf and
	// 0xff of Latin-1, or the pattern has, which its table of letters does not
	// pair with large ones. It also misses what straddles two pieces of a
	// packet's memory, which is nothing of the packet's, and is found here.
	BoyerMoore bool
	IgnoreCase bool
	Not        bool
}

// Test returns the test, or an error when the kernel would refuse it.
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
	if m.BoyerMoore && s.fold && (bytes.IndexByte(s.pattern, 0xbf) >= 0 || bytes.IndexByte(s.pattern, 0xdf) >= 0) {
		s.skip = newSkips(s.pattern)
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
	skip     *skips  // of patterns that are not found everywhere; nil: of others
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
	if m.skip != nil {
		found = m.skip.find(p, m.pattern, m.from, stop)
		return found, found || stop == end
	}
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

// skips are the tables of the algorithm of Boyer and Moore (1977), as Linux
// fills them for a pattern of capital letters.
type skips struct {
	bad  [256]int // by the byte that differs: from its last place in the pattern to the end
	good []int    // by how many bytes at the end are right
}

func newSkips(pattern []byte) *skips {
	n := len(pattern)
	s := &skips{good: make([]int, n)}
	for i := range s.bad {
		s.bad[i] = n
	}
	for i, c := range pattern[:n-1] {
		s.bad[c] = n - 1 - i
		if c >= 'A' && c <= 'Z' || c >= 0xc0 && c <= 0xde && c != 0xd7 {
			s.bad[c+32] = n - 1 - i
		}
	}
	s.good[0] = 1
	for right := 1; right < n; right++ {
		for s.good[right] = 1; !mayShift(pattern, right, s.good[right]); s.good[right]++ {
		}
	}
	return s
}

// mayShift reports whether a pattern, of which so many bytes at the end are
// right and the one in front of them is not, may match when it is moved by.
func mayShift(pattern []byte, right, by int) bool {
	last := len(pattern) - 1 - right // the byte that is not right
	for i := len(pattern) - 1; i > last && i >= by; i-- {
		if pattern[i-by] != pattern[i] {
			return false
		}
	}
	return last < by || pattern[last-by] != pattern[last]
}

// find looks for the pattern in [from, stop).
func (s *skips) find(p *packet.Packet, pattern []byte, from, stop int) bool {
	n := len(pattern)
	var piece []byte
	start := 0 // of piece
	for last := from + n - 1; last < stop; {
		right := 0
		for ; right < n; right++ {
			at := last - right
			if at < start || at >= start+len(piece) {
				piece, start = p.Piece(at), at
				if len(piece) == 0 {
					return false
				}
			}
			c := piece[at-start]
			if upper[c] != pattern[n-1-right] {
				last = max(last-right+s.bad[c], last+s.good[right])
				break
			}
		}
		if right == n {
			return true
		}
	}
	return false
}
