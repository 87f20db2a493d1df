package classbench

// Reading rule files.

import (
	"bytes"
	"fmt"
	"io"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// Read reads a rule file. The schema of the list is rules.IPv4Tuple or
// rules.IPv6Tuple, as the addresses of the first rule say, or with
// opts.Fields 6 [Schema6] or [Schema6IPv6]; a file without rules gives the
// IPv4 one. Rules have the positions and the identities 0, 1... and 1, 2... in
// the order of the file. Errors are of type *rules.ParseError.
//
// It takes time and memory linear in the file, about 0.7 µs and half a kilobyte
// per rule.
func Read(r io.Reader, opts Options) (*rules.List[Flags], error) {
	switch opts.Fields {
	case 0:
		opts.Fields = 5
	case 5, 6:
	default:
		return nil, &rules.ParseError{File: opts.File, Reason: fmt.Sprintf("cannot match on %d fields, only on 5 or 6", opts.Fields)}
	}
	s := scanner{in: lines.NewReader(r, opts.File, opts.Limits)}
	var (
		b     *rules.Builder[Flags]
		first bool // family of the first rule: IPv6?
		conds [6]rules.Cond
	)
	start := func(six bool) {
		first = six
		b = rules.NewBuilder[Flags](schemaFor(six, opts.Fields))
		b.SetLimits(opts.Limits)
	}
	for s.load() {
		cs, value, six := s.rule(conds[:0], opts.Fields == 6)
		if s.err != nil {
			return nil, s.err
		}
		if b == nil {
			start(six)
		}
		if six != first {
			s.pos = 0
			s.blanks()
			s.fail(s.pos, "IPv4 and IPv6 rules in one file")
			return nil, s.err
		}
		if _, err := b.Add(rules.Rule[Flags]{Conds: cs, Value: value}); err != nil {
			return nil, s.in.Error(0, "", err.Error(), err)
		}
	}
	if s.err != io.EOF {
		return nil, s.err
	}
	if b == nil {
		start(false)
	}
	return b.List(), nil
}

// IsRules reports whether a file that begins with prefix looks like a rule
// file: its first line that is neither blank nor a comment begins with '@'.
func IsRules(prefix []byte) bool {
	prefix = bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf"))
	for len(prefix) > 0 {
		var line []byte
		line, prefix, _ = bytes.Cut(prefix, []byte("\n"))
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return line[0] == '@'
		}
	}
	return false
}

func schemaFor(six bool, fields int) *rules.Schema {
	switch {
	case fields == 6 && six:
		return Schema6IPv6
	case fields == 6:
		return Schema6
	case six:
		return rules.IPv6Tuple
	}
	return rules.IPv4Tuple
}

// rule reads the line that was loaded and appends its conditions to conds.
func (s *scanner) rule(conds []rules.Cond, matchFlags bool) (_ []rules.Cond, value Flags, six bool) {
	if s.line[s.pos] != '@' {
		s.fail(s.pos, "expected a rule, which begins with '@'")
		return conds, value, false
	}
	s.pos++
	conds, six = s.prefix(conds, src, "source address")
	s.gap("destination address")
	at := s.pos
	conds, six2 := s.prefix(conds, dst, "destination address")
	if six != six2 {
		s.fail(at, "IPv4 and IPv6 addresses in one rule")
	}
	s.gap("source ports")
	conds = s.ports(conds, sport, "source port")
	s.gap("destination ports")
	conds = s.ports(conds, dport, "destination port")
	s.gap("protocol")
	v, m := s.masked(0xff, "protocol", "protocol mask")
	switch m {
	case 0:
	case 0xff:
		conds = append(conds, rules.In(proto, rules.Point(v)))
	default:
		conds = append(conds, rules.Masked(proto, rules.U64(v&m), rules.U64(m)))
	}
	at = s.pos
	if s.done() {
		if matchFlags {
			s.fail(s.pos, "expected the flags")
		}
		return conds, value, six
	}
	if s.pos == at {
		s.fail(at, "expected a blank before the flags")
	}
	v, m = s.masked(0xffff, "flags", "flags' mask")
	value = Flags{uint16(v), uint16(m)}
	if matchFlags && m != 0 {
		conds = append(conds, rules.Masked(flags, rules.U64(v&m), rules.U64(m)))
	}
	s.end()
	return conds, value, six
}

func (s *scanner) prefix(conds []rules.Cond, field int, what string) ([]rules.Cond, bool) {
	if s.err != nil {
		return conds, false
	}
	v, six := s.address(what)
	width := 32
	if six {
		width = 128
	}
	s.char('/', what)
	n := int(s.decimal(uint64(width), "prefix length"))
	if n == 0 || s.err != nil {
		return conds, six
	}
	return append(conds, rules.In(field, rules.PrefixInterval(v, n, width))), six
}

func (s *scanner) ports(conds []rules.Cond, field int, what string) []rules.Cond {
	at := s.pos
	lo := s.decimal(65535, what)
	s.blanks()
	s.char(':', what)
	s.blanks()
	hi := s.decimal(65535, what)
	switch {
	case s.err != nil:
	case lo > hi:
		s.fail(at, fmt.Sprintf("%s range ends at %d, below its beginning", what, hi))
	case lo != 0 || hi != 65535:
		return append(conds, rules.In(field, rules.Span(lo, hi)))
	}
	return conds
}

func (s *scanner) masked(most uint64, what, mask string) (v, m uint64) {
	v = s.number(most, what)
	s.char('/', what)
	return v, s.number(most, mask)
}
