package native

// Schemas as the header writes them.

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

var (
	none  = rules.MustSchema()
	ready = []struct {
		name   string
		schema *rules.Schema
	}{
		{"ipv4", rules.IPv4Tuple}, {"ipv6", rules.IPv6Tuple}, {"ip", rules.IPTuple}, {"firewall", rules.Firewall}, {"none", none},
	}
)

// readySchema returns the schema of the given name, or nil.
func readySchema(name string) *rules.Schema {
	for _, r := range ready {
		if r.name == name {
			return r.schema
		}
	}
	return nil
}

// readyName returns the name of a schema that has one, or "".
func readyName(s *rules.Schema) string {
	for _, r := range ready {
		if r.schema.Equal(s) {
			return r.name
		}
	}
	return ""
}

// unique returns the ready or known schema that s is equal to, else s.
func unique(s *rules.Schema, known []*rules.Schema) *rules.Schema {
	for _, k := range known {
		if k.Equal(s) {
			return k
		}
	}
	for _, r := range ready {
		if r.schema.Equal(s) {
			return r.schema
		}
	}
	return s
}

// FormatSchema writes a schema as ParseSchema reads it: its name when it is
// equal to one of the ready schemas, else its fields.
func FormatSchema(s *rules.Schema) string {
	if name := readyName(s); name != "" {
		return name
	}
	return s.String()
}

// ParseSchema reads a schema as the header has it behind the word "schema". A
// schema that is equal to a ready one is that very one, since schemas are
// compared by pointer.
func ParseSchema(text string) (*rules.Schema, error) {
	s, err := parseSchema(text)
	if err != nil {
		return nil, err
	}
	return unique(s, nil), nil
}

func parseSchema(text string) (*rules.Schema, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("expected a schema: fields, or one of ipv4, ipv6, ip, firewall, none")
	}
	if len(words) == 1 {
		if s := readySchema(words[0]); s != nil {
			return s, nil
		}
	}
	if len(words) > rules.MaxFields {
		return nil, fmt.Errorf("schema: %d fields: %w (at most %d)", len(words), rules.ErrLimit, rules.MaxFields)
	}
	fields := make([]rules.Field, len(words))
	for i, word := range words {
		f, err := parseField(word)
		if err != nil {
			return nil, err
		}
		fields[i] = f
	}
	return rules.NewSchema(fields...)
}

func parseField(text string) (f rules.Field, err error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 4 {
		return f, fmt.Errorf("%q is neither a schema nor a field, name:kind[:bits][:symbols]", rules.Excerpt(text))
	}
	f.Name = parts[0]
	var ok bool
	if f.Kind, ok = rules.ParseKind(parts[1]); !ok {
		return f, fmt.Errorf("field %q: unknown kind %q", rules.Excerpt(f.Name), rules.Excerpt(parts[1]))
	}
	parts = parts[2:]
	if len(parts) > 0 && !strings.Contains(parts[0], "=") {
		bits, err := strconv.ParseUint(parts[0], 10, 16)
		if err != nil || bits == 0 {
			return f, fmt.Errorf("field %q: %q is not a width in bits", rules.Excerpt(f.Name), rules.Excerpt(parts[0]))
		}
		f.Bits = int(bits)
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return f, nil
	}
	if len(parts) > 1 {
		return f, fmt.Errorf("%q is not a field, name:kind[:bits][:symbols]", rules.Excerpt(text))
	}
	for _, item := range strings.Split(parts[0], ",") {
		name, number, ok := strings.Cut(item, "=")
		value, err := strconv.ParseUint(number, 0, 64)
		if !ok || err != nil {
			return f, fmt.Errorf("field %q: %q is not a symbol, name=number", rules.Excerpt(f.Name), rules.Excerpt(item))
		}
		f.Symbols = append(f.Symbols, rules.Symbol{Name: name, Value: value})
	}
	return f, nil
}
