package classbench

// The scanner: numbers, addresses and separators of one line, by hand, since
// files have millions of them.

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// scanner walks over one line. Its first error sticks; after it all methods
// return zeros, so that callers look at err once a line.
type scanner struct {
	in   *lines.Reader
	line []byte
	pos  int
	err  error
}

// load moves on to the next line that holds something. It returns false at
// the end of the input (io.EOF) or on an error.
func (s *scanner) load() bool {
	for {
		line, _, err := s.in.Next()
		if err != nil {
			s.err = err
			return false
		}
		s.line, s.pos, s.err = line, 0, nil
		if s.blanks(); s.pos < len(line) && line[s.pos] != '#' {
			return true
		}
	}
}

// fail records an error about the word that begins at column pos (from 0).
func (s *scanner) fail(pos int, reason string) {
	if s.err != nil {
		return
	}
	end := pos
	for end < len(s.line) && !blank(s.line[end]) {
		end++
	}
	if pos == len(s.line) {
		reason += ", but the line ends"
	}
	s.err = s.in.Error(pos+1, string(s.line[pos:end]), reason, nil)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func (s *scanner) blanks() {
	for s.pos < len(s.line) && blank(s.line[s.pos]) {
		s.pos++
	}
}

// done reports whether only blanks are left.
func (s *scanner) done() bool {
	s.blanks()
	return s.pos == len(s.line)
}

// end requires that only blanks are left.
func (s *scanner) end() {
	if !s.done() {
		s.fail(s.pos, "text behind the last column")
	}
}

// gap requires blanks before the next column.
func (s *scanner) gap(what string) {
	at := s.pos
	if s.blanks(); s.pos == at {
		s.fail(at, "expected a blank before the "+what)
	}
}

// char requires the byte c behind what.
func (s *scanner) char(c byte, what string) {
	if s.pos < len(s.line) && s.line[s.pos] == c {
		s.pos++
		return
	}
	s.fail(s.pos, fmt.Sprintf("expected %q behind the %s", c, what))
}

// decimal reads an unsigned decimal number up to most, which is below 2^60.
func (s *scanner) decimal(most uint64, what string) uint64 {
	at := s.pos
	var n uint64
	for s.pos < len(s.line) {
		d := s.line[s.pos] - '0'
		if d > 9 {
			break
		}
		if n = n*10 + uint64(d); n > most {
			s.fail(at, fmt.Sprintf("%s is above %d", what, most))
			return 0
		}
		s.pos++
	}
	if s.pos == at {
		s.fail(at, "expected the "+what)
	}
	return n
}

// number reads a decimal or 0x-hexadecimal number up to most.
func (s *scanner) number(most uint64, what string) uint64 {
	if s.pos+1 >= len(s.line) || s.line[s.pos] != '0' || s.line[s.pos+1]|0x20 != 'x' {
		return s.decimal(most, what)
	}
	at := s.pos
	s.pos += 2
	var n uint64
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		d := c - '0'
		if d > 9 {
			if d = c | 0x20 - 'a' + 10; d < 10 || d > 15 {
				break
			}
		}
		if n = n<<4 | uint64(d); n > most {
			s.fail(at, fmt.Sprintf("%s is above %#x", what, most))
			return 0
		}
		s.pos++
	}
	if s.pos == at+2 {
		s.fail(at, "expected hexadecimal digits in the "+what)
	}
	return n
}

// address reads an address in text form and reports whether it is IPv6. It
// ends before a blank or '/'.
func (s *scanner) address(what string) (v rules.Value, six bool) {
	at := s.pos
	for _, c := range s.line[at:] {
		if c == ':' {
			return s.address6(at, what), true
		}
		if c == '/' || blank(c) {
			break
		}
	}
	var x uint64
	for part := range 4 {
		if part > 0 {
			if s.pos == len(s.line) || s.line[s.pos] != '.' {
				s.fail(at, "expected the "+what+", such as 10.0.0.0")
				return rules.Value{}, false
			}
			s.pos++
		}
		begin := s.pos
		n := s.decimal(math.MaxUint32, what)
		switch {
		case s.err != nil:
		case n > 255:
			s.fail(begin, what+" has a part above 255")
		case s.line[begin] == '0' && s.pos > begin+1:
			s.fail(at, what+" has a part with a leading zero, which some read as octal")
		}
		if s.err != nil {
			return rules.Value{}, false
		}
		x = x<<8 | n
	}
	return rules.U64(x), false
}

func (s *scanner) address6(at int, what string) rules.Value {
	end := s.pos
	for end < len(s.line) && !blank(s.line[end]) && s.line[end] != '/' {
		end++
	}
	a, err := netip.ParseAddr(string(s.line[at:end]))
	if err != nil || a.Zone() != "" || !a.Is6() {
		s.fail(at, "expected the "+what+" as an IPv6 address")
		return rules.Value{}
	}
	s.pos = end
	return rules.Addr16(a)
}
