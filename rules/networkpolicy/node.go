package networkpolicy

// Walking trees of nodes: values of the kinds that Kubernetes' objects have, and
// errors that say where. Reading goes on behind an error, so that one look at a file
// tells all that is wrong.

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/hipac-go/classifier/rules"
)

// maxFailures is how many errors of a file are kept.
const maxFailures = 100

// place is where a value stands.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

// walker walks the documents of a file.
type walker struct {
	*source
	limits rules.Limits
	where  string // the object: "NetworkPolicy default/web"

	failures []*rules.ParseError
	failed   int // all of them
}

// fail notes an error at a place; the reason says what would be acceptable.
func (w *walker) fail(at place, path, token, reason string, cause error) {
	if w.failed++; len(w.failures) >= maxFailures {
		return
	}
	where := w.where
	if path != "" {
		if where != "" {
			where += " "
		}
		where += path
	}
	w.failures = append(w.failures, &rules.ParseError{File: w.file, Line: at.line, Column: w.byteColumn(at),
		Where: where, Token: token, Reason: reason, Err: cause})
}

// wrong notes a value that Kubernetes refuses too.
func (w *walker) wrong(n *yaml.Node, path, format string, args ...any) {
	w.fail(placeOf(n), path, tokenOf(n), fmt.Sprintf(format, args...), nil)
}

// unmodelled notes something that may be right and is not modelled.
func (w *walker) unmodelled(n *yaml.Node, path, format string, args ...any) {
	w.fail(placeOf(n), path, tokenOf(n), fmt.Sprintf(format, args...), rules.ErrUnsupported)
}

func tokenOf(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// byteColumn returns the column of a place in bytes; the library counts characters.
func (w *walker) byteColumn(at place) int {
	line := w.data
	for i := 1; i < at.line; i++ {
		next := slices.Index(line, '\n')
		if next < 0 {
			return at.column
		}
		line = line[next+1:]
	}
	characters := 1
	for i := range string(line[:min(len(line), 4*at.column)]) {
		if characters == at.column {
			return i + 1
		}
		characters++
	}
	return at.column
}

// err returns the errors noted so far, in the order of the lines.
func (w *walker) err() error {
	if w.failed == 0 {
		return nil
	}
	slices.SortStableFunc(w.failures, func(a, b *rules.ParseError) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	if w.failed == 1 {
		return w.failures[0]
	}
	var all []error
	for _, f := range w.failures {
		all = append(all, f)
	}
	if more := w.failed - len(w.failures); more > 0 {
		all = append(all, &rules.ParseError{File: w.file, Reason: fmt.Sprintf("and %d more errors", more)})
	}
	return errors.Join(all...)
}

// check looks at a whole document for what no value may have, and reports whether
// it may be walked.
func (w *walker) check(n *yaml.Node, depth int) bool {
	if depth > w.limits.MaxDepth {
		w.fail(placeOf(n), "", "", fmt.Sprintf("values are nested more than %d deep", w.limits.MaxDepth), rules.ErrLimit)
		return false
	}
	if n.Kind == yaml.AliasNode {
		w.unmodelled(n, "", "an alias of another value; write the value itself")
		return false
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!map", "!!seq":
	default:
		w.unmodelled(n, "", "a value with the tag %s", rules.Excerpt(n.ShortTag()))
		return false
	}
	ok := true
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				w.wrong(key, "", "a key that is not a string")
				return false
			}
			if line, twice := seen[key.Value]; twice {
				w.wrong(key, "", "a key that stands twice in one mapping, first in line %d", line)
				ok = false
			}
			seen[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		ok = w.check(child, depth+1) && ok
	}
	return ok
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// fields calls f with the fields of a mapping that are not null: a null is a field
// that is not there. It reports whether n is a mapping.
func (w *walker) fields(n *yaml.Node, path string, f func(key string, k, v *yaml.Node)) bool {
	if isNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		w.wrong(n, path, "expected a mapping")
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k, v := n.Content[i], n.Content[i+1]; !isNull(v) {
			f(k.Value, k, v)
		}
	}
	return true
}

// pairs calls f with all pairs of a mapping, those with a null too.
func (w *walker) pairs(n *yaml.Node, path string, f func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		w.wrong(n, path, "expected a mapping")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i], n.Content[i+1])
	}
}

// field returns a field of a mapping, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !isNull(n.Content[i+1]) {
			return n.Content[i+1]
		}
	}
	return nil
}

// items calls f with the items of a list.
func (w *walker) items(n *yaml.Node, path string, f func(path string, item *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		w.wrong(n, path, "expected a list")
		return
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if isNull(item) {
			w.wrong(item, at, "an empty item")
			continue
		}
		f(at, item)
	}
}

// text returns a string. Words that YAML 1.1, which kubectl reads, takes for true
// and false are none.
func (w *walker) text(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		w.wrong(n, path, "expected a string")
		return ""
	}
	tag := n.ShortTag()
	if tag != "!!str" && (tag != "!!timestamp" || n.Style&yaml.TaggedStyle != 0) {
		w.wrong(n, path, "expected a string, and this is of type %s: write it in quotes", tag[2:])
		return ""
	}
	if n.Style == 0 && boolWord[n.Value] {
		w.wrong(n, path, "expected a string, and this is true or false in YAML 1.1: write it in quotes")
		return ""
	}
	return n.Value
}

var boolWord = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": true, "N": true, "no": true, "No": true, "NO": true, "off": true, "Off": true, "OFF": true,
}

// texts returns a list of strings.
func (w *walker) texts(n *yaml.Node, path string) []string {
	var out []string
	w.items(n, path, func(path string, item *yaml.Node) { out = append(out, w.text(item, path)) })
	return out
}

// bool returns true or false.
func (w *walker) bool(n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		w.wrong(n, path, "expected true or false")
		return false
	}
	b, err := strconv.ParseBool(n.Value)
	if err != nil {
		w.wrong(n, path, "expected true or false")
	}
	return b
}

// port returns a port number.
func (w *walker) port(n *yaml.Node, path string) (uint16, bool) {
	p, err := strconv.ParseUint(n.Value, 10, 16)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || p == 0 || n.Value[0] == '0' {
		w.wrong(n, path, "expected a port from 1 to 65535, in decimal")
		return 0, false
	}
	return uint16(p), true
}

// labels returns a mapping of strings to strings.
func (w *walker) labels(n *yaml.Node, path string) map[string]string {
	out := map[string]string{}
	w.pairs(n, path, func(k, v *yaml.Node) {
		out[w.text(k, path)] = w.text(v, path+"."+k.Value)
	})
	return out
}

// protocol returns the number of TCP, UDP or SCTP.
func (w *walker) protocol(n *yaml.Node, path string) uint8 {
	if n.Kind != yaml.ScalarNode {
		w.wrong(n, path, "expected TCP, UDP or SCTP")
		return 0
	}
	switch n.Value {
	case "TCP":
		return tcp
	case "UDP":
		return udp
	case "SCTP":
		return sctp
	}
	w.wrong(n, path, "expected TCP, UDP or SCTP")
	return 0
}

const (
	tcp  = 6
	udp  = 17
	sctp = 132
)
