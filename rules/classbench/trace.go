package classbench

// Reading traces: a packet a line, straight into a key.

import (
	"fmt"
	"io"
	"math"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// TraceReader reads the packets of a trace one by one, in constant memory. It
// is for one goroutine.
type TraceReader struct {
	s      scanner
	schema *rules.Schema
	base   uint32 // word 0 of every key: the fields that a trace does not have
	place  [5]place
	err    error
}

// place is where a column goes in a key.
type place struct {
	field int // -1: the schema has no such field
	word  int // the key word of a field of one word; 0 for others
	kind  rules.Kind
}

var columns = [5]struct {
	field, what string
	bits        int
}{
	{"src", "source address", 0}, {"dst", "destination address", 0},
	{"sport", "source port", 16}, {"dport", "destination port", 16}, {"proto", "protocol", 8},
}

// NewTraceReader returns a reader of packets for opts.Schema: it fills the
// fields src, dst, sport, dport and proto, as far as the schema has them; all
// others are absent. A schema whose fields of these names cannot hold them is
// an error of the first Next.
func NewTraceReader(r io.Reader, opts Options) *TraceReader {
	if opts.Limits.MaxInput == 0 {
		opts.Limits.MaxInput = -1
	}
	t := &TraceReader{schema: opts.Schema, s: scanner{in: lines.NewReader(r, opts.File, opts.Limits)}}
	if t.schema == nil {
		t.schema = rules.IPv4Tuple
	}
	t.base = uint32(1)<<t.schema.Len() - 1
	for c, column := range columns {
		p := place{field: t.schema.Index(column.field)}
		if t.place[c] = p; p.field < 0 {
			continue
		}
		f := t.schema.Field(p.field)
		p.kind = f.Kind
		address := f.Kind == rules.IPv4 || f.Kind == rules.IPv6 || f.Kind == rules.IP
		if address != (c < sport) || f.Bits < column.bits {
			t.err = &rules.ParseError{File: opts.File, Reason: fmt.Sprintf("field %s of the schema cannot hold a %s", f.Name, column.what)}
		}
		if first, n := t.schema.FieldWords(p.field); n == 1 {
			p.word = first
		}
		t.place[c] = p
		t.base &^= 1 << p.field
	}
	return t
}

// Line returns the number of the line that Next read last, from 1.
func (t *TraceReader) Line() int { return t.s.in.Number() }

// Next fills k, a key of the reader's schema, with the next packet. It returns
// the trace's seventh column, -1 where there is none, and io.EOF behind the
// last packet. Other errors are of type *rules.ParseError and final; k is then
// unspecified. Next does not allocate, but for IPv6 addresses.
func (t *TraceReader) Next(k rules.Key) (filter int64, err error) {
	if t.err != nil {
		return -1, t.err
	}
	s := &t.s
	if !s.load() {
		t.err = s.err
		return -1, t.err
	}
	clear(k)
	k[0] = t.base
	t.address(k, src)
	s.gap("destination address")
	t.address(k, dst)
	s.gap("source port")
	t.set(k, sport, s.decimal(65535, "source port"))
	s.gap("destination port")
	t.set(k, dport, s.decimal(65535, "destination port"))
	s.gap("protocol")
	t.set(k, proto, s.decimal(255, "protocol"))
	filter = -1
	if t.more("flags") {
		s.decimal(math.MaxUint32, "flags")
		if t.more("rule number") {
			filter = int64(s.decimal(math.MaxUint32, "rule number"))
			s.end()
		}
	}
	if s.err != nil {
		t.err = s.err
		return -1, t.err
	}
	return filter, nil
}

// more reports whether there is another column.
func (t *TraceReader) more(what string) bool {
	at := t.s.pos
	if t.s.done() {
		return false
	}
	if t.s.pos == at {
		t.s.fail(at, "expected a blank before the "+what)
	}
	return true
}

func (t *TraceReader) set(k rules.Key, c int, x uint64) {
	switch p := &t.place[c]; {
	case p.word != 0:
		k[p.word] = uint32(x)
	case p.field >= 0:
		t.schema.Set(k, p.field, rules.U64(x))
	}
}

// address reads the address in column c, a number or text, into k.
func (t *TraceReader) address(k rules.Key, c int) {
	s, p := &t.s, &t.place[c]
	at := s.pos
	i := at
	for i < len(s.line) && s.line[i]-'0' <= 9 {
		i++
	}
	var v rules.Value
	six := false
	if i < len(s.line) && !blank(s.line[i]) {
		v, six = s.address(columns[c].what)
	} else {
		v = rules.U64(s.decimal(math.MaxUint32, columns[c].what))
	}
	switch {
	case s.err != nil:
	case p.field < 0:
	case p.kind == rules.IPv4 && !six:
		k[p.word] = uint32(v.Lo)
	case p.kind == rules.IP && !six:
		t.schema.Set(k, p.field, rules.Addr16(v.Addr4()))
	case six && p.kind != rules.IPv4:
		t.schema.Set(k, p.field, v)
	case six:
		s.fail(at, "IPv6 address in a packet for IPv4 rules")
	default:
		s.fail(at, "IPv4 address in a packet for IPv6 rules")
	}
}
