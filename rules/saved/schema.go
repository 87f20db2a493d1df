package saved

// The schema: fields, kinds, widths, names and symbols.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

const sectionSchema = "schm"

// AddSchema adds the section of a schema. The error is rules.ErrLimit, when its
// fields have more than 4,096 symbols.
func (w *Writer) AddSchema(s *rules.Schema) error {
	var n Numbers
	symbols := 0
	n.PutInt(s.Len())
	for i := range s.Len() {
		f := s.Field(i)
		n.PutText(f.Name)
		n.PutText(f.Kind.String())
		n.PutInt(f.Bits)
		n.PutInt(len(f.Symbols))
		if symbols += len(f.Symbols); symbols > maxSymbols {
			return fmt.Errorf("%w: a schema of more than %d symbols cannot be saved", rules.ErrLimit, maxSymbols)
		}
		for _, y := range f.Symbols {
			n.PutText(y.Name)
			n.Put(y.Value)
		}
	}
	w.Add(sectionSchema, 0, n.Bytes())
	return nil
}

// common are the schemas that files share with programs.
var common = []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall}

// Schema returns the schema of a file: one of those known to the caller, or in
// package rules, if it has the same fields, else a new one.
func (f *File) Schema(known ...*rules.Schema) (*rules.Schema, error) {
	section, err := f.Section(sectionSchema, 0)
	if err != nil {
		return nil, err
	}
	n := NewScanner(section)
	fields := make([]rules.Field, n.Int(rules.MaxFields))
	symbols := 0
	for i := range fields {
		field := &fields[i]
		field.Name = n.Text()
		kind, ok := rules.ParseKind(n.Text())
		if !ok {
			n.Fail("no such kind of fields")
		}
		field.Kind, field.Bits = kind, n.Int(rules.MaxFieldBits)
		for range n.Int(len(section.Data)) {
			field.Symbols = append(field.Symbols, rules.Symbol{Name: n.Text(), Value: n.Next()})
			if symbols++; symbols > maxSymbols {
				n.Fail("more than %d symbols", maxSymbols)
			}
			if n.Err() != nil {
				return nil, n.Err()
			}
		}
		if field.Bits == 0 {
			n.Fail("a field without bits")
		}
	}
	if err := n.End(); err != nil {
		return nil, err
	}
	s, err := rules.NewSchema(fields...)
	if err != nil {
		return nil, section.Damaged(0, "%v", err)
	}
	for _, k := range append(known, common...) {
		if k.Equal(s) {
			return k, nil
		}
	}
	return s, nil
}

// maxSymbols bounds the symbols of a schema, which are compared with one another.
const maxSymbols = 1 << 12
