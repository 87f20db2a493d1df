package aws

// JSON documents as trees of values that know where they stand, so that errors can
// say it.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// value is a JSON value: an object with members, an array with items, or a text.
type value struct {
	kind    byte   // { [ " 0 t n
	at      int    // offset in the file
	line    int    // there, from 1
	text    string // of a string or a number, true, false or null
	members []member
	items   []value
}

type member struct {
	name  string
	at    int
	value value
}

// kinds are what errors call values.
var kinds = map[byte]string{'{': "an object", '[': "an array", '"': "a string", '0': "a number", 't': "true or false", 'n': "null"}

// get returns the member of a name, nil if there is none or it is null.
func (v *value) get(name string) *value {
	for i := range v.members {
		if m := &v.members[i]; m.name == name && m.value.kind != 'n' {
			return &m.value
		}
	}
	return nil
}

// input is a file of JSON documents, one behind the other.
type input struct {
	file   string
	limits rules.Limits
	data   []byte
	dec    *json.Decoder
	bytes  int64 // of memory, as Limits.MaxMemory counts

	counted, line int // lines in front of an offset
}

// newInput reads a file, but does not look at it.
func newInput(r io.Reader, file string, limits rules.Limits) (*input, error) {
	in := &input{file: file, limits: limits.OrDefault(), line: 1}
	limit := min(int64(in.limits.MaxInput), in.limits.MaxMemory)
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, &rules.ParseError{File: file, Reason: fmt.Sprintf("cannot read: %v", err), Err: err}
	case int64(len(data)) > limit:
		return nil, &rules.ParseError{File: file, Reason: fmt.Sprintf("input is longer than %d bytes", limit), Err: rules.ErrLimit}
	}
	in.data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	in.bytes = int64(len(data))
	for i := 0; i < len(in.data); {
		c, size := utf8.DecodeRune(in.data[i:])
		if c == utf8.RuneError && size == 1 {
			return nil, in.fail(i, "", fmt.Sprintf("byte %#02x is not UTF-8", in.data[i]), nil)
		}
		i += size
	}
	in.dec = json.NewDecoder(bytes.NewReader(in.data))
	in.dec.UseNumber()
	return in, nil
}

// place returns the line and the column of an offset, from 1.
func (in *input) place(at int) (line, column int) {
	before := in.data[:min(at, len(in.data))]
	return bytes.Count(before, []byte{'\n'}) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// fail returns an error at an offset.
func (in *input) fail(at int, token, reason string, cause error) *rules.ParseError {
	line, column := in.place(at)
	return &rules.ParseError{File: in.file, Line: line, Column: column, Token: token, Reason: reason, Err: cause}
}

// token returns the next token and where it begins.
func (in *input) token() (t json.Token, at int, err error) {
	at = int(in.dec.InputOffset())
	for at < len(in.data) && bytes.IndexByte([]byte(" \t\r\n,:"), in.data[at]) >= 0 {
		at++
	}
	t, err = in.dec.Token()
	var syntax *json.SyntaxError
	switch {
	case err == io.EOF:
	case errors.As(err, &syntax):
		err = in.fail(max(int(syntax.Offset)-1, at), "", "not JSON: "+syntax.Error(), nil)
	case err != nil:
		err = in.fail(at, "", "not JSON: "+err.Error(), nil)
	}
	return t, at, err
}

// document returns the next document, io.EOF behind the last one.
func (in *input) document() (*value, error) {
	t, at, err := in.token()
	if err != nil {
		return nil, err
	}
	v := &value{}
	return v, in.value(v, t, at, 0)
}

// Sizes in bytes, for Limits.MaxMemory.
const (
	valueBytes  = 96
	memberBytes = 128
)

// value makes the value that begins with a token.
func (in *input) value(v *value, t json.Token, at, depth int) error {
	in.line += bytes.Count(in.data[in.counted:at], []byte{'\n'})
	in.counted = at
	v.at, v.line = at, in.line
	in.bytes += valueBytes
	switch {
	case in.bytes > in.limits.MaxMemory:
		return in.fail(at, "", fmt.Sprintf("the documents take more than %d bytes of memory", in.limits.MaxMemory), rules.ErrLimit)
	case depth > in.limits.MaxDepth:
		return in.fail(at, "", fmt.Sprintf("values nest deeper than %d", in.limits.MaxDepth), rules.ErrLimit)
	}
	switch t := t.(type) {
	case string:
		v.kind, v.text = '"', t
	case json.Number:
		v.kind, v.text = '0', t.String()
	case bool:
		v.kind, v.text = 't', strconv.FormatBool(t)
	case nil:
		v.kind, v.text = 'n', "null"
	case json.Delim:
		v.kind = byte(t)
		return in.composite(v, depth)
	}
	in.bytes += int64(len(v.text))
	return nil
}

// composite reads the members or the items of a value.
func (in *input) composite(v *value, depth int) error {
	for {
		t, at, err := in.token()
		if err == io.EOF {
			err = in.fail(at, "", "the document does not end: "+kinds[v.kind]+" is open", nil)
		}
		if err != nil {
			return err
		}
		if d, ok := t.(json.Delim); ok && (d == '}' || d == ']') {
			return nil
		}
		if v.kind == '[' {
			v.items = append(v.items, value{})
			if err := in.value(&v.items[len(v.items)-1], t, at, depth+1); err != nil {
				return err
			}
			continue
		}
		name, _ := t.(string)
		for i := range v.members {
			if v.members[i].name == name {
				return in.fail(at, name, "the member stands twice", nil)
			}
		}
		if len(v.members) >= maxMembers {
			return in.fail(at, name, fmt.Sprintf("more than %d members in an object", maxMembers), rules.ErrLimit)
		}
		in.bytes += memberBytes + int64(len(name))
		v.members = append(v.members, member{name: name, at: at})
		if t, at, err = in.token(); err == io.EOF {
			err = in.fail(at, "", "the document does not end", nil)
		}
		if err != nil {
			return err
		}
		if err := in.value(&v.members[len(v.members)-1].value, t, at, depth+1); err != nil {
			return err
		}
	}
}

// maxMembers bounds the members of an object; the largest one of EC2 has about
// forty.
const maxMembers = 1000
