package iptables

// The language of match u32:
//
//	tests    = test {"&&" test}
//	test     = location "=" range {"," range}
//	location = number {operator number}
//	operator = "&" | "<<" | ">>" | "@"
//	range    = number [":" number]
//
// with blanks between any of them.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules/xt"
)

func parseU32(a *argument) error {
	s := u32Scanner{text: a.vals[0].text}
	m, err := s.tests()
	if err != nil {
		return fmt.Errorf("byte %d: %w", s.at+1, err)
	}
	m.Not = a.not
	t, err := m.Test()
	if err != nil {
		return err
	}
	a.m.addTest(t)
	a.p.scratch = appendU32(a.p.scratch, m)
	return nil
}

type u32Scanner struct {
	text string
	at   int
}

// next skips blanks and takes sign if it comes next.
func (s *u32Scanner) next(sign string) bool {
	for s.at < len(s.text) && (isBlank(s.text[s.at]) || s.text[s.at] == '\n') {
		s.at++
	}
	if len(s.text)-s.at < len(sign) || s.text[s.at:s.at+len(sign)] != sign {
		return false
	}
	s.at += len(sign)
	return true
}

// number takes the longest number that comes next: decimal, 0x-hexadecimal,
// or octal with a leading 0.
func (s *u32Scanner) number() (uint32, error) {
	s.next("")
	digit := func(i int, base byte) (byte, bool) {
		if i >= len(s.text) {
			return 0, false
		}
		d := hexDigit(s.text[i])
		return d, d < base
	}
	i, base := s.at, byte(10)
	if _, ok := digit(i, 1); ok {
		base = 8
		if _, hex := digit(i+2, 16); hex && s.text[i+1]|0x20 == 'x' {
			i, base = i+2, 16
		}
	}
	n, from := uint64(0), i
	for ; ; i++ {
		d, ok := digit(i, base)
		if !ok {
			break
		}
		if n = n*uint64(base) + uint64(d); n > 1<<32-1 {
			return 0, fmt.Errorf("number above %d", uint32(1<<32-1))
		}
	}
	if i == from {
		return 0, fmt.Errorf("expected a number")
	}
	s.at = i
	return uint32(n), nil
}

func (s *u32Scanner) tests() (m xt.U32Match, err error) {
	for {
		if len(m.Tests) == xt.MaxU32 {
			return m, fmt.Errorf("more than %d tests", xt.MaxU32)
		}
		t, err := s.test()
		if err != nil {
			return m, err
		}
		m.Tests = append(m.Tests, t)
		if !s.next("&&") {
			break
		}
	}
	if s.at < len(s.text) {
		return m, fmt.Errorf(`expected "," or "&&"`)
	}
	return m, nil
}

func (s *u32Scanner) test() (t xt.U32Test, err error) {
	op := xt.U32At
	for {
		if len(t.Steps) == xt.MaxU32 {
			return t, fmt.Errorf("more than %d numbers in front of =", xt.MaxU32)
		}
		n, err := s.number()
		if err != nil {
			return t, err
		}
		t.Steps = append(t.Steps, xt.U32Step{Op: op, Number: n})
		if s.next("=") {
			break
		}
		found := false
		for op = xt.U32And; op <= xt.U32At && !found; op++ {
			found = s.next(op.String())
		}
		if op--; !found {
			return t, fmt.Errorf("expected =, &, <<, >> or @")
		}
	}
	for {
		if len(t.Ranges) == xt.MaxU32 {
			return t, fmt.Errorf("more than %d ranges", xt.MaxU32)
		}
		var r xt.U32Range
		if r.Min, err = s.number(); err != nil {
			return t, err
		}
		r.Max = r.Min
		if s.next(":") {
			if r.Max, err = s.number(); err != nil {
				return t, err
			}
		}
		if t.Ranges = append(t.Ranges, r); !s.next(",") {
			return t, nil
		}
	}
}

// appendU32 writes the tests in quotes, all numbers in hexadecimal.
func appendU32(b []byte, m xt.U32Match) []byte {
	b = append(b, '"')
	for i := range m.Tests {
		if i > 0 {
			b = append(b, "&&"...)
		}
		for j, s := range m.Tests[i].Steps {
			if j > 0 {
				b = append(b, s.Op.String()...)
			}
			b = fmt.Appendf(b, "%#x", s.Number)
		}
		for j, r := range m.Tests[i].Ranges {
			sep := ","
			if j == 0 {
				sep = "="
			}
			b = fmt.Appendf(b, "%s%#x", sep, r.Min)
			if r.Max != r.Min {
				b = fmt.Appendf(b, ":%#x", r.Max)
			}
		}
	}
	return append(b, '"')
}
