package networkpolicy

// Documents: from bytes to trees of nodes with places. YAML is read with a
// library, JSON with the standard library's tokens, both to the same kind of tree.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/hipac-go/classifier/rules"
)

// nodeBytes is what a node of a tree takes at most, with its text and its place in
// its parent: 160 bytes of yaml.Node, 16 of a pointer in a slice that was doubled,
// 40 of text for the mean of dumps (measured: 190 a node).
const nodeBytes = 224

// source is the text that is read.
type source struct {
	file string
	data []byte
}

// readAll returns what r holds, within the limits.
func readAll(r io.Reader, file string, limits rules.Limits) (*source, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limits.MaxInput)+1))
	if err != nil {
		return nil, &rules.ParseError{File: file, Reason: fmt.Sprintf("cannot read: %v", err), Err: err}
	}
	if len(data) > limits.MaxInput {
		return nil, &rules.ParseError{File: file, Reason: fmt.Sprintf("input is longer than %d bytes", limits.MaxInput), Err: rules.ErrLimit}
	}
	s := &source{file: file, data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
	if i := bytes.IndexByte(s.data, 0); i >= 0 {
		return nil, s.errorAt(i, "NUL byte: this is not a text file", nil)
	}
	if !utf8.Valid(s.data) {
		for i := 0; i < len(s.data); {
			c, size := utf8.DecodeRune(s.data[i:])
			if c == utf8.RuneError && size == 1 {
				return nil, s.errorAt(i, fmt.Sprintf("byte %#02x is not UTF-8", s.data[i]), nil)
			}
			i += size
		}
	}
	if n := mostNodes(s.data); int64(n) > limits.MaxMemory/nodeBytes {
		return nil, &rules.ParseError{File: file, Err: rules.ErrLimit,
			Reason: fmt.Sprintf("about %d values take more than %d bytes of memory", n, limits.MaxMemory)}
	}
	return s, nil
}

// errorAt returns an error at an offset.
func (s *source) errorAt(offset int, reason string, cause error) *rules.ParseError {
	before := s.data[:min(offset, len(s.data))]
	return &rules.ParseError{File: s.file, Line: 1 + bytes.Count(before, []byte("\n")),
		Column: len(before) - bytes.LastIndexByte(before, '\n'), Reason: reason, Err: cause}
}

// mostNodes returns how many nodes a text has at most: an upper bound of what its
// indicators can begin. Those in strings are counted too.
func mostNodes(data []byte) int {
	blank := func(i int) bool {
		return i >= len(data) || data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t'
	}
	n := 2
	for i, c := range data {
		switch c {
		case '-':
			if blank(i + 1) {
				n += 2
			}
		case '?':
			if blank(i + 1) {
				n += 3
			}
		case ':':
			flow := i+1 < len(data) && strings.IndexByte(",[]{}", data[i+1]) >= 0
			if blank(i+1) || flow || i > 0 && (data[i-1] == '"' || data[i-1] == '\'' || data[i-1] == ']' || data[i-1] == '}') {
				n += 3
			}
		case ',', '[', '{':
			n += 2
		}
	}
	return n
}

// isJSON reports whether the text is read as JSON: it begins with a brace, as
// kubectl tells it.
func isJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == '{'
}

// documents calls f with the root of every document that is not empty.
func (s *source) documents(maxDepth int, f func(root *yaml.Node)) error {
	if isJSON(s.data) {
		return s.jsonDocuments(maxDepth, f)
	}
	d := yaml.NewDecoder(bytes.NewReader(s.data))
	for {
		root, err := decodeYAML(d)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.yamlError(err)
		}
		if root != nil {
			f(root)
		}
	}
}

// decodeYAML returns the root of the next document, nil for an empty one. The
// library panics with what it takes for errors of its own: those are errors here.
func decodeYAML(d *yaml.Decoder) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
		return nil, nil
	}
	return doc.Content[0], nil
}

// yamlError makes a ParseError of the library's "yaml: line 3: reason".
func (s *source) yamlError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, reason, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				line, text = n, reason
			}
		}
	}
	return &rules.ParseError{File: s.file, Line: line, Reason: "not YAML: " + text, Err: err}
}

// jsonDocuments is documents for JSON values that follow one another.
func (s *source) jsonDocuments(maxDepth int, f func(root *yaml.Node)) error {
	j := jsonTree{source: s, decoder: json.NewDecoder(bytes.NewReader(s.data)), maxDepth: maxDepth, line: 1}
	j.decoder.UseNumber()
	for {
		root, err := j.value(0)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f(root)
	}
}

// jsonTree makes nodes of JSON tokens.
type jsonTree struct {
	*source
	decoder  *json.Decoder
	maxDepth int
	at       int // offset up to which lines and characters are counted
	line     int
	column   int
}

// token returns the next token, and a node with its place.
func (j *jsonTree) token() (json.Token, *yaml.Node, error) {
	from := int(j.decoder.InputOffset())
	token, err := j.decoder.Token()
	if err != nil {
		if err == io.EOF && len(bytes.TrimSpace(j.data[min(from, len(j.data)):])) == 0 {
			return nil, nil, io.EOF
		}
		at := int(j.decoder.InputOffset())
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = max(at, min(int(syntax.Offset)-1, len(j.data)))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, nil, j.errorAt(len(j.data), "not JSON: the text ends within a value", nil)
		}
		return nil, nil, j.errorAt(at, "not JSON: "+err.Error(), nil)
	}
	for from < len(j.data) && strings.IndexByte(" \t\r\n,:", j.data[from]) >= 0 {
		from++
	}
	for ; j.at < from; j.at++ {
		switch c := j.data[j.at]; {
		case c == '\n':
			j.line, j.column = j.line+1, 0
		case utf8.RuneStart(c):
			j.column++
		}
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: j.line, Column: j.column + 1}
	switch token := token.(type) {
	case string:
		n.Tag, n.Value, n.Style = "!!str", token, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", token.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(token)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if token == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
	}
	return token, n, nil
}

// value reads the next value.
func (j *jsonTree) value(depth int) (*yaml.Node, error) {
	token, n, err := j.token()
	if err != nil {
		return nil, err
	}
	if _, ok := token.(json.Delim); !ok {
		return n, nil
	}
	if depth >= j.maxDepth {
		return nil, j.tooDeep(n, j.maxDepth)
	}
	for j.decoder.More() {
		child, err := j.value(depth + 1)
		if err != nil {
			if err == io.EOF {
				err = j.errorAt(len(j.data), "not JSON: the text ends within a value", nil)
			}
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	if _, _, err := j.token(); err != nil {
		if err == io.EOF {
			err = j.errorAt(len(j.data), "not JSON: the text ends within a value", nil)
		}
		return nil, err
	}
	return n, nil
}

func (s *source) tooDeep(n *yaml.Node, most int) error {
	return &rules.ParseError{File: s.file, Line: n.Line, Column: n.Column, Err: rules.ErrLimit,
		Reason: fmt.Sprintf("values are nested more than %d deep", most)}
}

// Is reports whether a file that begins with prefix looks like Kubernetes objects:
// a JSON object whose first member, or YAML whose first line that is not a comment,
// is one that they have.
func Is(prefix []byte) bool {
	prefix = bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf"))
	if isJSON(prefix) {
		d := json.NewDecoder(bytes.NewReader(prefix))
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			return false
		}
		t, _ := d.Token()
		key, _ := t.(string)
		return isMember[key]
	}
	behind := false // a mark that a document begins
	for line := range bytes.Lines(prefix) {
		text := strings.TrimRight(string(line), " \t\r\n")
		if text == "" || text[0] == '#' || text[0] == '%' || text == "---" || strings.HasPrefix(text, "--- #") {
			behind = behind || strings.HasPrefix(text, "---")
			continue
		}
		if behind {
			text = strings.TrimLeft(text, "{ ")
		}
		key, _, ok := strings.Cut(text, ":")
		key = strings.Trim(key, `"'`)
		return ok && isMember[key]
	}
	return false
}

// isMember has the members of objects.
var isMember = map[string]bool{"apiVersion": true, "kind": true, "metadata": true, "items": true, "spec": true, "status": true}
