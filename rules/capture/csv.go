package capture

// CSV flows: a header line that names fields of the schema, then a packet a
// line.
//
//	src,dst,sport,dport,proto
//	10.0.0.1,192.0.2.7,4242,https,tcp
//	10.0.0.1,192.0.2.7,,,icmp
//
// Values are written as in rules (rules.Field.ParseValue). An empty value is
// an absent field, and so are the schema's fields that the header does not
// name. Columns of other fields that packets have (rules.Firewall, tos,
// family, flags) are checked and count for nothing, since the rules do not ask
// for them. An address of the other family than the schema's puts the
// packet outside the rules. Values may be quoted ("" is a quote inside), blanks
// around them do not count, blank lines are skipped, and so are lines that
// begin with "#" before the header.

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strings"
	"sync"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// CSV is the Source of a CSV file.
type CSV struct {
	in     *lines.Reader
	schema *rules.Schema
	fields []field
	absent uint32 // bits of all fields of the schema
	number int
	err    error
}

// field is what a column holds.
type field struct {
	index int          // of the schema; -1: the schema has no such field
	form  *rules.Field // how its values are written
}

// others are the fields that a header may name although the schema has not got
// them.
var others = sync.OnceValue(func() *rules.Schema {
	var fields []rules.Field
	for i := range rules.Firewall.Len() {
		fields = append(fields, *rules.Firewall.Field(i))
	}
	return rules.MustSchema(append(fields, rules.Field{Name: "tos", Bits: 8, Kind: rules.Hex},
		rules.Field{Name: "family", Bits: 8}, rules.Field{Name: "flags", Bits: 16, Kind: rules.Hex})...)
})

// NewCSV reads the header line. Errors, here and of Next, are of type
// *rules.ParseError, with the line and the byte column of the value: a header
// with names that are no fields (rules.ErrUnknownField) or come twice, a line
// longer than the limit (rules.ErrLimit), a value that the field cannot have, a
// row with more or fewer values than the header has names.
func NewCSV(r io.Reader, s *rules.Schema, opts Options) (*CSV, error) {
	limits := opts.Limits
	if limits.MaxInput == 0 {
		limits.MaxInput = -1 // it streams
	}
	c := &CSV{in: lines.NewReader(r, opts.File, limits), schema: s, absent: uint32(1)<<s.Len() - 1}
	line, err := c.line()
	for err == nil && strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
		line, err = c.line()
	}
	if err == io.EOF {
		return nil, &rules.ParseError{File: opts.File, Line: 1, Reason: "there is no header line with field names"}
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for at := 0; at >= 0; {
		var name string
		var column int
		if name, column, at, err = c.value(line, at); err != nil {
			return nil, err
		}
		i, form := findField(s, name)
		switch {
		case name == "":
			return nil, c.in.Error(column, "", "empty field name in the header", nil)
		case form == nil:
			return nil, c.in.Error(column, name, "the rules have no such field; they have "+names(s), rules.ErrUnknownField)
		case seen[name]:
			return nil, c.in.Error(column, name, "the header names this field twice", nil)
		}
		seen[name] = true
		c.fields = append(c.fields, field{i, form})
	}
	return c, nil
}

// findField returns the schema's field of a name, or -1, and how its values are
// written; nil when it is no field.
func findField(s *rules.Schema, name string) (int, *rules.Field) {
	if i := s.Index(name); i >= 0 {
		return i, s.Field(i)
	}
	if i := others().Index(name); i >= 0 {
		return -1, others().Field(i)
	}
	return -1, nil
}

func names(s *rules.Schema) string {
	out := make([]string, s.Len())
	for i := range out {
		out[i] = s.Field(i).Name
	}
	return strings.Join(out, ", ")
}

// Next implements Source. It takes a few allocations a line.
func (c *CSV) Next(k rules.Key) (Info, error) {
	if c.err != nil {
		return Info{}, c.err
	}
	outside, err := c.next(k)
	if err != nil {
		c.err = err
		return Info{}, err
	}
	c.number++
	return Info{Number: c.number, Line: c.in.Number(), Outside: outside}, nil
}

func (c *CSV) next(k rules.Key) (outside bool, err error) {
	line, err := c.line()
	if err != nil {
		return false, err
	}
	clear(k)
	k[0] = c.absent
	n := 0
	for at := 0; at >= 0; n++ {
		var text string
		var column int
		if text, column, at, err = c.value(line, at); err != nil {
			return false, err
		}
		if n == len(c.fields) {
			return false, c.in.Error(column, text, fmt.Sprintf("more values than the header's %d names", n), nil)
		}
		if text == "" {
			continue
		}
		f := &c.fields[n]
		v, err := f.form.ParseValue(text)
		switch {
		case err != nil && otherFamily(f.form, text):
			outside = true
		case err != nil:
			return false, c.in.Error(column, text, err.Error(), nil)
		case f.index >= 0:
			c.schema.Set(k, f.index, v)
		}
	}
	if n < len(c.fields) {
		return false, c.in.Error(len(line)+1, "", fmt.Sprintf("%d values, the header has %d names", n, len(c.fields)), nil)
	}
	return outside, nil
}

// otherFamily reports whether the text is an address of the family that the
// field cannot hold.
func otherFamily(f *rules.Field, text string) bool {
	if f.Kind != rules.IPv4 && f.Kind != rules.IPv6 {
		return false
	}
	a, err := netip.ParseAddr(text)
	return err == nil && a.Zone() == "" && a.Is4() == (f.Kind == rules.IPv6)
}

// line returns the next line that is not blank.
func (c *CSV) line() (string, error) {
	for {
		line, _, err := c.in.Next()
		if err != nil {
			return "", err
		}
		if s := string(line); strings.Trim(s, " \t") != "" {
			return s, nil
		}
	}
}

// value returns the value that begins at offset at of the line, its column,
// and where the next one begins, -1 behind the last.
func (c *CSV) value(line string, at int) (text string, column, next int, err error) {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	column = at + 1
	if at == len(line) || line[at] != '"' {
		text, _, more := strings.Cut(line[at:], ",")
		next = -1
		if more {
			next = at + len(text) + 1
		}
		text = strings.TrimRight(text, " \t")
		if i := strings.IndexByte(text, '"'); i >= 0 {
			return "", 0, 0, c.in.Error(column+i, text, "a quote inside a value that is not quoted", nil)
		}
		return text, column, next, nil
	}
	var b strings.Builder
	for at++; ; at++ {
		if at >= len(line) {
			return "", 0, 0, c.in.Error(column, line[column-1:], "the quote is not closed on its line", nil)
		}
		if line[at] != '"' {
			b.WriteByte(line[at])
		} else if at++; at < len(line) && line[at] == '"' {
			b.WriteByte('"')
		} else {
			break
		}
	}
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	switch {
	case at == len(line):
		return b.String(), column, -1, nil
	case line[at] == ',':
		return b.String(), column, at + 1, nil
	}
	return "", 0, 0, c.in.Error(at+1, line[at:], "text behind a quoted value", nil)
}

// WriteCSV writes keys of the schema so that NewCSV reads them back. A schema
// without fields cannot be written.
func WriteCSV(w io.Writer, s *rules.Schema, keys iter.Seq[rules.Key]) error {
	if s.Len() == 0 {
		return fmt.Errorf("csv: the schema has no fields")
	}
	out := bufio.NewWriter(w)
	out.WriteString(strings.ReplaceAll(names(s), ", ", ","))
	out.WriteByte('\n')
	for k := range keys {
		for i := range s.Len() {
			if i > 0 {
				out.WriteByte(',')
			}
			if v, ok := s.Get(k, i); ok {
				out.WriteString(s.Field(i).FormatValue(v))
			} else if s.Len() == 1 {
				out.WriteString(`""`) // a blank line would be skipped
			}
		}
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	return out.Flush()
}
