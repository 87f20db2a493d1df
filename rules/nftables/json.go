package nftables

// The listing as a tree of values that know where they stand, so that errors can
// say it: a listing is one long line, more often than not.

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

// kind is what a value is.
type kind byte

const (
	isNull kind = iota
	isBool
	isNumber
	isString
	isList
	isObject
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}

// value is a JSON value.
type value struct {
	kind kind
	at   int      // offset in the document
	text string   // of strings and numbers; "true" or "false"
	keys []string // of objects
	list []value  // members of objects, items of lists
}

// get returns the member of an object, nil without.
func (v *value) get(key string) *value {
	for i, k := range v.keys {
		if k == key {
			return &v.list[i]
		}
	}
	return nil
}

// only returns the single member of an object; "" and nil for anything else.
func (v *value) only() (string, *value) {
	if v.kind == isObject && len(v.list) == 1 {
		return v.keys[0], &v.list[0]
	}
	return "", nil
}

// number returns an unsigned whole number.
func (v *value) number() (uint64, bool) {
	if v.kind != isNumber {
		return 0, false
	}
	n, err := strconv.ParseUint(v.text, 10, 64)
	return n, err == nil
}

// valueBytes is what a value takes in memory, roughly, for Limits.MaxMemory.
const valueBytes = 100

// maxNesting bounds the depth of values, below Limits.MaxDepth too: a listing has
// a dozen.
const maxNesting = 200

// maxMembers bounds the members of an object, which are looked for one by one.
const maxMembers = 500

// treeReader makes the tree.
type treeReader struct {
	r     *reader
	dec   *json.Decoder
	bytes int64
}

// parse reads the document.
func (r *reader) parse(src io.Reader) (*value, error) {
	limit := min(int64(r.limits.MaxInput), r.limits.MaxMemory)
	data, err := io.ReadAll(io.LimitReader(src, min(limit, 1<<62)+1))
	if err != nil {
		return nil, &rules.ParseError{File: r.file, Reason: err.Error(), Err: err}
	}
	if int64(len(data)) > limit {
		return nil, &rules.ParseError{File: r.file, Reason: fmt.Sprintf("more than %d bytes", limit), Err: rules.ErrLimit}
	}
	r.data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(r.data) {
		at := 0
		for at < len(r.data) {
			c, n := utf8.DecodeRune(r.data[at:])
			if c == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return nil, r.errorAt(at, "", "not UTF-8, and so no JSON")
	}
	t := &treeReader{r: r, dec: json.NewDecoder(bytes.NewReader(r.data)), bytes: int64(len(r.data))}
	t.dec.UseNumber()
	var doc value
	if err := t.value(&doc, 0); err != nil {
		return nil, err
	}
	end := t.next()
	if _, err := t.dec.Token(); err != io.EOF {
		return nil, r.errorAt(end, "", "something stands behind the end of the listing")
	}
	return &doc, nil
}

// next returns the offset of the token that comes next.
func (t *treeReader) next() int {
	at := int(t.dec.InputOffset())
	for at < len(t.r.data) && bytes.IndexByte([]byte(" \t\r\n,:"), t.r.data[at]) >= 0 {
		at++
	}
	return at
}

func (t *treeReader) token() (json.Token, error) {
	at := t.next()
	tok, err := t.dec.Token()
	var syntax *json.SyntaxError
	switch {
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, t.r.errorAt(len(t.r.data), "", "the listing ends too early")
	case errors.As(err, &syntax):
		return nil, t.r.errorAt(max(int(syntax.Offset)-1, at), "", "not JSON: "+syntax.Error())
	case err != nil:
		return nil, t.r.errorAt(at, "", "not JSON: "+err.Error())
	}
	return tok, nil
}

// value reads a value.
func (t *treeReader) value(v *value, depth int) error {
	v.at = t.next()
	if depth > min(maxNesting, t.r.limits.MaxDepth) {
		err := t.r.errorAt(v.at, "", fmt.Sprintf("values nest more than %d deep", min(maxNesting, t.r.limits.MaxDepth)))
		err.Err = rules.ErrLimit
		return err
	}
	if t.bytes += valueBytes; t.bytes > t.r.limits.MaxMemory {
		err := t.r.errorAt(v.at, "", fmt.Sprintf("the listing takes more than %d bytes of memory", t.r.limits.MaxMemory))
		err.Err = rules.ErrLimit
		return err
	}
	tok, err := t.token()
	if err != nil {
		return err
	}
	switch x := tok.(type) {
	case nil:
	case bool:
		v.kind, v.text = isBool, strconv.FormatBool(x)
	case json.Number:
		v.kind, v.text = isNumber, string(x)
	case string:
		v.kind, v.text = isString, x
	case json.Delim:
		if v.kind = isList; x == '{' {
			v.kind = isObject
		}
		for t.dec.More() {
			if v.kind == isObject {
				at := t.next()
				if len(v.keys) == maxMembers {
					err := t.r.errorAt(at, "", fmt.Sprintf("an object of more than %d members", maxMembers))
					err.Err = rules.ErrLimit
					return err
				}
				key, err := t.token()
				if err != nil {
					return err
				}
				name, _ := key.(string)
				if v.get(name) != nil {
					return t.r.errorAt(at, name, "the key stands twice in an object")
				}
				v.keys = append(v.keys, name)
			}
			v.list = append(v.list, value{})
			if err := t.value(&v.list[len(v.list)-1], depth+1); err != nil {
				return err
			}
		}
		_, err := t.token()
		return err
	}
	return nil
}

// errorAt returns an error at an offset of the document.
func (r *reader) errorAt(at int, token, reason string) *rules.ParseError {
	at = min(max(at, 0), len(r.data))
	return &rules.ParseError{File: r.file, Line: r.lineOf(at), Column: at - bytes.LastIndexByte(r.data[:at], '\n'),
		Where: r.where, Token: token, Reason: reason}
}

// lineOf returns the line of an offset, from 1. Asked in ascending order it looks
// at every byte once.
func (r *reader) lineOf(at int) int {
	if at < r.seen {
		r.seen, r.line = 0, 0
	}
	r.line += bytes.Count(r.data[r.seen:at], []byte{'\n'})
	r.seen = at
	return r.line + 1
}

// expect is the error for a value that is not what it should be.
func (r *reader) expect(v *value, what string) error {
	return r.errorAt(v.at, v.short(), "expected "+what)
}

// short is a value for errors.
func (v *value) short() string {
	switch v.kind {
	case isString, isNumber, isBool:
		return v.text
	case isObject:
		if len(v.keys) > 0 {
			return "{" + v.keys[0] + "...}"
		}
		return "{}"
	}
	return kindNames[v.kind]
}

// members checks the keys of an object against those that it may have.
func (r *reader) members(v *value, what string, known ...string) error {
	if v.kind != isObject {
		return r.expect(v, what+", an object")
	}
	for i, k := range v.keys {
		found := false
		for _, n := range known {
			found = found || n == k
		}
		if !found {
			return r.errorAt(v.list[i].at, k, what+" has a member that is not known")
		}
	}
	return nil
}
