package iptables

// Reading rule sets from JSON: the rules become the words that they would be
// in a line of text, and go through the same parser and the same checks. Keys
// that are not known and keys that stand twice are refused, so that no part of
// a document is passed over.

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// ReadJSON reads a document as WriteJSON writes it, with the checks of Read.
// Errors name the place in the document ("tables[0].chains[1].rules[3]") and
// its line. The family is the document's; Options.Family must be 0 or the
// same. It takes time and memory linear in the length of the document.
func ReadJSON(src io.Reader, o Options) (*Ruleset, error) {
	if o.Family != 0 && o.Family != 4 && o.Family != 6 {
		return nil, fmt.Errorf("iptables: family %d is not 4, 6 or 0", o.Family)
	}
	f := newFileReader(o)
	limit := int64(min(f.limits.MaxInput, int(min(f.limits.MaxMemory, 1<<62))))
	data, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return nil, &rules.ParseError{File: o.File, Reason: err.Error(), Err: err}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d := &jsonReader{f: f, data: data, at: 1}
	switch {
	case int64(len(data)) > limit:
		err = f.limitError(fmt.Sprintf("more than %d bytes", limit))
	case !utf8.Valid(data):
		err = f.errorLine("not UTF-8; values that are not are written as {\"hex\": ...}", "")
	default:
		d.dec = json.NewDecoder(bytes.NewReader(data))
		d.dec.UseNumber()
		err = d.document()
	}
	return f.end(err)
}

// jsonReader reads a document token by token.
type jsonReader struct {
	f    *fileReader
	dec  *json.Decoder
	data []byte
	seen int      // bytes of data whose lines are counted
	at   int      // line there, from 1
	path []string // of the value that is read
}

// line returns the line of the token that was read last.
func (d *jsonReader) line() int {
	to := min(int(d.dec.InputOffset()), len(d.data))
	d.at += bytes.Count(d.data[d.seen:to], []byte{'\n'})
	d.seen = to
	return d.at
}

// fail returns an error at the value that is read.
func (d *jsonReader) fail(format string, args ...any) error {
	d.f.line, d.f.path, d.f.in = d.line(), d.place(), ""
	return d.f.errorLine(fmt.Sprintf(format, args...), "")
}

// place is the path with ": " behind it.
func (d *jsonReader) place() string {
	if len(d.path) == 0 {
		return ""
	}
	return strings.TrimPrefix(strings.Join(d.path, ""), ".") + ": "
}

func (d *jsonReader) token() (json.Token, error) {
	t, err := d.dec.Token()
	switch {
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, d.fail("the document ends too early")
	case err != nil:
		return nil, d.fail("%s", err.Error())
	}
	return t, nil
}

// object reads an object behind its opening brace when open is set, else the
// brace too. field is called with each key, and reads its value.
func (d *jsonReader) object(open bool, field func(key string) error) error {
	if !open {
		if err := d.delim('{', "an object"); err != nil {
			return err
		}
	}
	var seen []string // few keys: no map
	for d.dec.More() {
		t, err := d.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return d.fail("expected a key")
		}
		d.path = append(d.path, "."+key)
		if contains(seen, key) {
			return d.fail("the key stands twice")
		}
		seen = append(seen, key)
		if err := field(key); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	_, err := d.token()
	return err
}

// list reads a list; item is called for each value, and reads it.
func (d *jsonReader) list(item func(i int) error) error {
	if err := d.delim('[', "a list"); err != nil {
		return err
	}
	for i := 0; d.dec.More(); i++ {
		d.path = append(d.path, "["+strconv.Itoa(i)+"]")
		if err := item(i); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	_, err := d.token()
	return err
}

func (d *jsonReader) delim(want json.Delim, what string) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	if t != want {
		return d.fail("expected %s", what)
	}
	return nil
}

// text reads a string, a number as it is written, or {"hex": ...}.
func (d *jsonReader) text() (string, error) {
	t, err := d.token()
	if err != nil {
		return "", err
	}
	var s string
	switch t := t.(type) {
	case string:
		s = t
	case json.Number:
		s = t.String()
	case json.Delim:
		if t != '{' {
			return "", d.fail("expected a text")
		}
		found := false
		err := d.object(true, func(key string) error {
			if key != "hex" {
				return d.unknownKey(key, "hex")
			}
			t, err := d.token()
			if err != nil {
				return err
			}
			digits, _ := t.(string)
			b, err := hex.DecodeString(digits)
			if err != nil || digits == "" {
				return d.fail("expected bytes in hexadecimal digits")
			}
			s, found = string(b), true
			return nil
		})
		if err != nil {
			return "", err
		}
		if !found {
			return "", d.fail("expected a text, or {\"hex\": ...}")
		}
	default:
		return "", d.fail("expected a text")
	}
	if strings.ContainsAny(s, "\n\x00") {
		return "", d.fail("a line feed or NUL byte cannot stand in a rule")
	}
	if len(s) > d.f.limits.MaxLine {
		d.f.line, d.f.path = d.line(), d.place()
		return "", d.f.limitError(fmt.Sprintf("longer than %d bytes", d.f.limits.MaxLine))
	}
	return s, nil
}

func (d *jsonReader) number() (uint64, error) {
	t, err := d.token()
	if err != nil {
		return 0, err
	}
	n, ok := t.(json.Number)
	if !ok {
		return 0, d.fail("expected a number")
	}
	x, err := parseDecimal(n.String())
	if err != nil {
		return 0, d.fail("not a number in 0..%d", uint64(1<<64-1))
	}
	return x, nil
}

func (d *jsonReader) unknownKey(key string, known ...string) error {
	return d.fail("unknown key%s: expected %s", didYouMean(nearest(key, known)), joinNames(known))
}

func (d *jsonReader) document() error {
	f := d.f
	var version, family uint64
	format := ""
	tables := false
	err := d.object(false, func(key string) (err error) {
		switch key {
		case "format":
			if format, err = d.text(); err == nil && format != jsonFormat {
				err = d.fail("expected %q", jsonFormat)
			}
		case "version":
			if version, err = d.number(); err == nil && version != jsonVersion {
				err = d.fail("version %d is not known here: expected %d", version, jsonVersion)
			}
		case "family":
			family, err = d.number()
			switch {
			case err != nil:
			case family != 4 && family != 6:
				err = d.fail("expected 4 or 6")
			case f.rs.Family != 0 && f.rs.Family != int(family):
				err = d.fail("rules for IPv%d, where IPv%d ones are wanted", family, f.rs.Family)
			}
			f.rs.Family = int(family)
		case "tables":
			if format == "" || version == 0 || family == 0 {
				return d.fail("format, version and family must stand in front of tables")
			}
			tables = true
			return d.list(func(int) error { return d.table() })
		default:
			return d.unknownKey(key, "format", "version", "family", "tables")
		}
		return err
	})
	if err != nil {
		return err
	}
	if !tables {
		return d.fail("no tables")
	}
	if _, err := d.dec.Token(); err != io.EOF {
		return d.fail("something stands behind the document")
	}
	return nil
}

// jsonChain is a chain whose rules wait until all chains of its table are
// known.
type jsonChain struct {
	name  string
	path  string
	rules []*jsonRule
}

func (d *jsonReader) table() error {
	f := d.f
	var chains []*jsonChain
	err := d.object(false, func(key string) error {
		switch key {
		case "name":
			name, err := d.text()
			if err != nil {
				return err
			}
			f.line, f.path = d.line(), d.place()
			for _, t := range f.done {
				if t.name == name {
					return f.errorLine("table appears twice", name)
				}
			}
			return f.beginTable(name)
		case "chains":
			if f.cur == nil {
				return d.fail("the table's name must stand in front of its chains")
			}
			return d.list(func(int) error {
				c, err := d.chain()
				chains = append(chains, c)
				return err
			})
		}
		return d.unknownKey(key, "name", "chains")
	})
	if err != nil {
		return err
	}
	if f.cur == nil {
		return d.fail("the table has no name")
	}
	end := d.line()
	for _, c := range chains {
		for i, r := range c.rules {
			f.line, f.path = r.line, fmt.Sprintf("%s.rules[%d]: ", c.path, i)
			if err := f.jsonRule(c.name, r); err != nil && !f.goOn(err) {
				return err
			}
			c.rules[i] = nil
		}
	}
	f.line, f.path, f.in = end, d.place(), ""
	return f.commit()
}

func (d *jsonReader) chain() (*jsonChain, error) {
	f := d.f
	c := &jsonChain{path: strings.TrimPrefix(strings.Join(d.path, ""), ".")}
	policy := ""
	var packets, bytes uint64
	counted, named := false, false
	err := d.object(false, func(key string) (err error) {
		switch key {
		case "name":
			named = true
			c.name, err = d.text()
		case "policy":
			policy, err = d.text()
		case "packets":
			packets, err = d.number()
			counted = true
		case "bytes":
			bytes, err = d.number()
			counted = true
		case "rules":
			return d.list(func(int) error {
				r, err := d.rule()
				if err != nil {
					return err
				}
				if c.rules = append(c.rules, r); len(c.rules) > f.limits.MaxRules {
					return f.limitError(fmt.Sprintf("table %s has more than %d rules", f.cur.name, f.limits.MaxRules))
				}
				return nil
			})
		default:
			return d.unknownKey(key, "name", "policy", "packets", "bytes", "rules")
		}
		return err
	})
	if err != nil {
		return c, err
	}
	if !named {
		return c, d.fail("the chain has no name")
	}
	f.line, f.path = d.line(), d.place()
	name := word{text: c.name}
	at := f.cur.byName[c.name] - 1
	if at < 0 {
		if policy != "" || counted {
			return c, f.errorAt(name, "a user chain has no policy and no counters")
		}
		return c, f.addChain(name)
	}
	t := &f.cur.chains[at]
	if t.declared {
		return c, f.errorAt(name, "the chain stands twice")
	}
	if t.declared = true; policy == "" {
		policy = "ACCEPT"
	}
	t.packets, t.bytes = packets, bytes
	return c, t.setPolicy(f, word{text: policy})
}

func (d *jsonReader) rule() (*jsonRule, error) {
	r := &jsonRule{}
	err := d.object(false, func(key string) (err error) {
		if r.line == 0 {
			r.line = d.line()
		}
		ends := func() error {
			if r.target != nil || r.jumpKey != "" {
				return d.fail("a rule has one of target, jump and goto")
			}
			return nil
		}
		switch key {
		case "packets":
			r.packets, err = d.number()
		case "bytes":
			r.bytes, err = d.number()
		case "options":
			r.options, err = d.options()
		case "matches":
			err = d.list(func(int) error {
				m, err := d.module()
				r.matches = append(r.matches, m)
				return err
			})
		case "target":
			if err = ends(); err == nil {
				var m jsonModule
				m, err = d.module()
				r.target = &m
			}
		case "jump", "goto":
			if err = ends(); err == nil {
				r.jumpKey = key
				r.jump, err = d.text()
			}
		default:
			return d.unknownKey(key, "packets", "bytes", "options", "matches", "target", "jump", "goto")
		}
		return err
	})
	if r.line == 0 {
		r.line = d.line()
	}
	return r, err
}

func (d *jsonReader) module() (m jsonModule, err error) {
	err = d.object(false, func(key string) (err error) {
		switch key {
		case "name":
			m.name, err = d.text()
		case "options":
			m.options, err = d.options()
		default:
			return d.unknownKey(key, "name", "options")
		}
		return err
	})
	if err == nil && m.name == "" {
		err = d.fail("no name")
	}
	return m, err
}

func (d *jsonReader) options() (list []jsonOption, err error) {
	err = d.list(func(int) error {
		var o jsonOption
		err := d.object(false, func(key string) (err error) {
			switch key {
			case "name":
				o.name, err = d.text()
			case "not":
				t, err := d.token()
				if err != nil {
					return err
				}
				var ok bool
				if o.not, ok = t.(bool); !ok {
					return d.fail("expected true or false")
				}
			case "values":
				return d.list(func(int) error {
					v, err := d.text()
					o.values = append(o.values, v)
					return err
				})
			default:
				return d.unknownKey(key, "name", "not", "values")
			}
			return err
		})
		if err == nil && o.name == "" {
			err = d.fail("no name")
		}
		list = append(list, o)
		return err
	})
	return list, err
}
