package native

// Reading and writing the JSON form.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// IsJSON reports whether a file that begins with prefix looks like the JSON
// form: its first character that is not white space is '{'.
func IsJSON(prefix []byte) bool {
	prefix = bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf"))
	prefix = bytes.TrimLeft(prefix, " \t\r\n")
	return len(prefix) > 0 && prefix[0] == '{'
}

// ReadJSON reads the JSON form, as a stream: the schema must stand in front of
// the rules. It is as strict as Read and takes the same options. Limits.MaxLine
// bounds the strings, Limits.MaxInput the file; nothing nests deeper than the
// form does.
func ReadJSON(r io.Reader, opts Options) (*rules.List[string], error) {
	p := jsonParser{loader: newLoader(opts)}
	p.lexer = newLexer(r, opts.File, p.limits)
	if err := p.next(); err != nil {
		return nil, err
	}
	version := false
	err := p.object("list", func(name string) error {
		switch {
		case name == "hipac":
			version = true
			if p.kind != '0' || string(p.text) != "1" {
				return p.fail("expected version 1 of the format", rules.ErrUnsupported)
			}
		case !version:
			return p.fail(`"hipac" must be the first member`, nil)
		case name == "schema":
			s, err := p.schema()
			if err != nil {
				return err
			}
			p.start(s)
		case name == "rules" && p.b == nil:
			return p.fail(`"schema" must stand before "rules"`, nil)
		case name == "rules":
			return p.array("the rules", p.rule)
		default:
			return errMember
		}
		return nil
	}, "hipac", "schema", "rules")
	if err != nil {
		return nil, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.kind != 0 {
		return nil, p.fail("text behind the list", nil)
	}
	return p.b.List(), nil
}

// errMember says that an object has no such member.
var errMember = fmt.Errorf("unknown member")

// jsonParser walks over the tokens of the JSON form. Every method begins with
// the first token of its value loaded and ends with the last one.
type jsonParser struct {
	loader
	*lexer
}

// object reads an object. member is called with the name of each member and
// the first token of its value. Names must not repeat, and all of required must
// be there.
func (p *jsonParser) object(what string, member func(name string) error, required ...string) error {
	if p.kind != '{' {
		return p.fail("expected "+what+", an object", nil)
	}
	begin := p.here()
	var seen [8]string // no object of the form has more members
	n := 0
	has := func(name string) bool {
		for _, s := range seen[:n] {
			if s == name {
				return true
			}
		}
		return false
	}
	if err := p.next(); err != nil {
		return err
	}
	for p.kind != '}' {
		if n > 0 {
			if p.kind != ',' {
				return p.fail("expected ',' or '}'", nil)
			}
			if err := p.next(); err != nil {
				return err
			}
		}
		if p.kind != '"' {
			return p.fail("expected a member's name in quotes", nil)
		}
		name := p.intern(string(p.text))
		if has(name) {
			return p.fail("member appears twice in "+what, nil)
		}
		at := p.here()
		at.kind, at.text = '"', []byte(name)
		if err := p.next(); err != nil {
			return err
		}
		if p.kind != ':' {
			return p.fail("expected ':'", nil)
		}
		if err := p.next(); err != nil {
			return err
		}
		if err := member(name); err == errMember || err == nil && n == len(seen) {
			return at.fail("unknown member of "+what, nil)
		} else if err != nil {
			return err
		}
		seen[n] = name
		n++
		if err := p.next(); err != nil {
			return err
		}
	}
	for _, name := range required {
		if !has(name) {
			return begin.fail(fmt.Sprintf("%s without the member %q", what, name), nil)
		}
	}
	return nil
}

// array reads an array and calls element with the first token of each element.
func (p *jsonParser) array(what string, element func() error) error {
	if p.kind != '[' {
		return p.fail("expected "+what+", an array", nil)
	}
	if err := p.next(); err != nil {
		return err
	}
	for first := true; p.kind != ']'; first = false {
		if !first {
			if p.kind != ',' {
				return p.fail("expected ',' or ']'", nil)
			}
			if err := p.next(); err != nil {
				return err
			}
		}
		if err := element(); err != nil {
			return err
		}
		if err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

// here returns a lexer for errors at the last token that don't quote it.
func (p *jsonParser) here() lexer {
	return lexer{file: p.file, atL: p.atL, atC: p.atC}
}

func (p *jsonParser) stringValue(what string) (string, error) {
	if p.kind != '"' {
		return "", p.fail("expected "+what+", a string", nil)
	}
	return p.intern(string(p.text)), nil
}

func (p *jsonParser) uintValue(what string, bits int) (uint64, error) {
	s := string(p.text)
	n, err := strconv.ParseUint(s, 10, bits)
	if p.kind != '0' || err != nil || len(s) > 1 && s[0] == '0' {
		return 0, p.fail(fmt.Sprintf("expected %s, a whole number from 0 to %d", what, ^uint64(0)>>(64-bits)), nil)
	}
	return n, nil
}

func (p *jsonParser) schema() (*rules.Schema, error) {
	begin := p.here()
	var s *rules.Schema
	var fields []rules.Field
	spelled := false
	err := p.object("the schema", func(name string) error {
		switch name {
		case "name":
			text, err := p.stringValue("the name of a schema")
			if err != nil {
				return err
			}
			if s = readySchema(text); s == nil {
				return p.fail("unknown schema", nil)
			}
		case "fields":
			spelled = true
			return p.array("the fields", func() error {
				if len(fields) == rules.MaxFields {
					return p.fail(fmt.Sprintf("more than %d fields", rules.MaxFields), rules.ErrLimit)
				}
				f, err := p.field()
				fields = append(fields, f)
				return err
			})
		default:
			return errMember
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if (s != nil) == spelled {
		return nil, begin.fail(`the schema must have one of the members "name" and "fields"`, nil)
	}
	if spelled {
		if s, err = rules.NewSchema(fields...); err != nil {
			return nil, begin.fail(err.Error(), err)
		}
	}
	return s, nil
}

func (p *jsonParser) field() (f rules.Field, err error) {
	err = p.object("a field", func(name string) (err error) {
		switch name {
		case "name":
			f.Name, err = p.stringValue("the name of a field")
		case "kind":
			text, err := p.stringValue("the kind of a field")
			if err != nil {
				return err
			}
			var ok bool
			if f.Kind, ok = rules.ParseKind(text); !ok {
				return p.fail("unknown kind", nil)
			}
		case "bits":
			n, err := p.uintValue("the width of a field in bits", 16)
			if err != nil || n == 0 {
				return p.fail("expected the width of a field in bits, a number from 1 to 128", nil)
			}
			f.Bits = int(n)
		case "symbols":
			return p.array("the symbols", func() error {
				var sym rules.Symbol
				err := p.object("a symbol", func(name string) (err error) {
					switch name {
					case "name":
						sym.Name, err = p.stringValue("the name of a symbol")
					case "value":
						sym.Value, err = p.uintValue("the value of a symbol", 64)
					default:
						err = errMember
					}
					return err
				}, "name", "value")
				f.Symbols = append(f.Symbols, sym)
				return err
			})
		default:
			return errMember
		}
		return err
	}, "name", "kind")
	return f, err
}

func (p *jsonParser) rule() error {
	var r rules.Rule[string]
	p.reset()
	reason := ""
	begin := p.here()
	err := p.object("a rule", func(name string) (err error) {
		switch name {
		case "id":
			n, err := p.uintValue("the identity", 64)
			if err != nil {
				return err
			}
			if n == 0 {
				return p.fail("0 is no identity", nil)
			}
			r.ID = rules.ID(n)
		case "match":
			return p.array("the conditions", func() error {
				if p.kind != '"' {
					return p.fail("expected a condition, a string", nil)
				}
				if err := p.condition(string(p.text)); err != nil {
					return p.fail(err.Error(), err)
				}
				return nil
			})
		case "value":
			r.Value, err = p.stringValue("the value")
		case "comment":
			r.Comment, err = p.stringValue("the comment")
		case "unknown":
			reason, err = p.stringValue("the reason of unknown")
			if err == nil && reason == "" {
				return p.fail("the reason of unknown is empty", nil)
			}
		case "continue":
			if p.kind != 't' {
				return p.fail("expected continue to be true or false", nil)
			}
			r.Continue = string(p.text) == "true"
		default:
			err = errMember
		}
		return err
	}, "match")
	if err != nil {
		return err
	}
	if reason != "" {
		p.unknown = append([]string{reason}, p.unknown...)
	}
	if err := p.add(&r); err != nil {
		return begin.fail(err.Error(), err)
	}
	return nil
}

// WriteJSON writes a list in the JSON form, one rule a line; ReadJSON reads it
// back to an equal list. A text that is not UTF-8 is an error
// (rules.ErrUnsupported), since JSON cannot hold it.
func WriteJSON(w io.Writer, l *rules.List[string]) error {
	out := bufio.NewWriter(w)
	e := jsonWriter{}
	e.text("{\"hipac\": 1,\n \"schema\": ")
	e.schema(l.Schema())
	e.text(",\n \"rules\": [")
	for i, r := range l.All() {
		if i > 0 {
			e.text(",")
		}
		e.text("\n  ")
		e.rule(l, r)
		if e.err != nil {
			return fmt.Errorf("rule %d: %w", i+1, e.err)
		}
		if _, err := out.Write(e.buf); err != nil {
			return err
		}
		e.buf = e.buf[:0]
	}
	e.text("\n ]}\n")
	if _, err := out.Write(e.buf); err != nil {
		return err
	}
	return out.Flush()
}

// jsonWriter appends JSON to buf.
type jsonWriter struct {
	buf []byte
	err error
}

func (e *jsonWriter) text(s string) { e.buf = append(e.buf, s...) }

func (e *jsonWriter) string(s string) {
	if !utf8.ValidString(s) {
		e.err = fmt.Errorf("%q is not UTF-8: %w", rules.Excerpt(s), rules.ErrUnsupported)
	}
	if strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) < 0 {
		e.text(`"` + s + `"`)
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		e.err = err
	}
	e.text(strings.TrimSuffix(b.String(), "\n"))
}

func (e *jsonWriter) schema(s *rules.Schema) {
	if name := readyName(s); name != "" {
		e.text(`{"name": "` + name + `"}`)
		return
	}
	e.text(`{"fields": [`)
	for i := range s.Len() {
		f := s.Field(i)
		if i > 0 {
			e.text(",")
		}
		e.text("\n  " + `{"name": "` + f.Name + `", "kind": "` + f.Kind.String() + `", "bits": ` + strconv.Itoa(f.Bits))
		for j, sym := range f.Symbols {
			if j == 0 {
				e.text(`, "symbols": [`)
			} else {
				e.text(", ")
			}
			e.text(`{"name": "` + sym.Name + `", "value": ` + strconv.FormatUint(sym.Value, 10) + "}")
		}
		if len(f.Symbols) > 0 {
			e.text("]")
		}
		e.text("}")
	}
	e.text("]}")
}

func (e *jsonWriter) rule(l *rules.List[string], r *rules.Rule[string]) {
	e.text("{")
	if !l.SequentialIDs() {
		e.text(`"id": ` + strconv.FormatUint(uint64(r.ID), 10) + ", ")
	}
	e.text(`"match": [`)
	for i := range r.Conds {
		if i > 0 {
			e.text(", ")
		}
		e.string(l.Schema().FormatCond(&r.Conds[i]))
	}
	e.text("]")
	for _, m := range [...]struct{ name, text string }{{"value", r.Value}, {"comment", r.Comment}, {"unknown", r.Unknown}} {
		if m.text != "" {
			e.text(`, "` + m.name + `": `)
			e.string(m.text)
		}
	}
	if r.Continue {
		e.text(`, "continue": true`)
	}
	e.text("}")
}
