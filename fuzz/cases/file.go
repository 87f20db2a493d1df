// Package cases has what exercises check as things that can be checked again, made
// smaller, told, and kept in files: a list, a table of chains or the versions of a
// live table with packets, a history of edits, a relation, a text, the bytes of a
// packet, lists compared by meaning.
//
// A file is text: comments with what differed, the line "fuzz 1 KIND", lines of a
// word and its value, and behind the line "rules" or "text" all that follows, as
// it is. Rules are in the project's own format, package rules/native; packets are
// the words of their keys, in hexadecimal:
//
//	# tree: first match of packet 10.0.0.1 ...: got -1, want 0
//	fuzz 1 list
//	way tree
//	packet 0 a000001 0 0 0 0
//	rules
//	hipac 1
//	schema ipv4
//	rule src=10.0.0.0/8 => 0
//
// A case of kind "kernel" has packets in their bytes, and rules as they are loaded.
// A file that is read is checked in every way that there is, not only in the one
// that differed once.
package cases

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

// mostBytes bounds a file.
const mostBytes = 64 << 20

// Options say how cases are checked.
type Options struct {
	Wrong drive.Wrong
}

// file is a case as text.
type file struct {
	kind  string
	lines [][2]string
	body  string
}

// last returns the value of the last line of a word.
func (f *file) last(word string) string {
	for i := len(f.lines) - 1; i >= 0; i-- {
		if f.lines[i][0] == word {
			return f.lines[i][1]
		}
	}
	return ""
}

// each returns the values of all lines of a word.
func (f *file) each(word string) (out []string) {
	for _, l := range f.lines {
		if l[0] == word {
			out = append(out, l[1])
		}
	}
	return out
}

func (f *file) number(word string) (uint64, error) {
	n, err := strconv.ParseUint(f.last(word), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %q: not a number", word, f.last(word))
	}
	return n, nil
}

// parse reads the text of a case.
func parse(r io.Reader) (*file, error) {
	in := bufio.NewReader(io.LimitReader(r, mostBytes))
	f := &file{}
	for {
		line, err := in.ReadString('\n')
		text := strings.TrimRight(line, "\r\n")
		word, value, _ := strings.Cut(text, " ")
		switch {
		case text == "" || text[0] == '#':
		case f.kind == "":
			version, kind, _ := strings.Cut(value, " ")
			if word != "fuzz" || version != "1" || kind == "" {
				return nil, fmt.Errorf(`%q: want "fuzz 1 KIND"`, rules.Excerpt(text))
			}
			f.kind = kind
		case word == "rules" || word == "text":
			body, err := io.ReadAll(in)
			f.body = string(body)
			return f, err
		default:
			f.lines = append(f.lines, [2]string{word, value})
		}
		if err == io.EOF {
			if f.kind == "" {
				return nil, fmt.Errorf(`no line "fuzz 1 KIND"`)
			}
			return f, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Read reads a case. The errors say what is wrong with the file.
func Read(r io.Reader, o Options) (drive.Case, error) {
	f, err := parse(r)
	if err != nil {
		return nil, err
	}
	switch f.kind {
	case "list":
		return readList(f, o)
	case "table":
		return readTable(f, o)
	case "versions":
		return readVersions(f, o)
	case "history":
		return readHistory(f)
	case "relation":
		return readRelation(f, o)
	case "chains":
		return readSeeded(f, o)
	case "text":
		return readText(f)
	case "packet":
		return readBytes(f)
	case "kernel":
		return readKernel(f)
	case "meaning":
		return readMeaning(f)
	}
	return nil, fmt.Errorf("a case of kind %q: there are list, table, versions, history, relation, chains, text, packet, kernel, meaning", rules.Excerpt(f.kind))
}

// writeHead writes the first lines of a case.
func writeHead(w io.Writer, kind string, lines ...[2]string) error {
	if _, err := fmt.Fprintf(w, "fuzz 1 %s\n", kind); err != nil {
		return err
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%s %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

// packetLines returns the lines of packets.
func packetLines(s *rules.Schema, keys []uint32) (out [][2]string) {
	for w := s.KeyLen(); len(keys) >= w; keys = keys[w:] {
		words := make([]string, w)
		for i := range words {
			words[i] = strconv.FormatUint(uint64(keys[i]), 16)
		}
		out = append(out, [2]string{"packet", strings.Join(words, " ")})
	}
	return out
}

// readPackets reads the lines of packets.
func readPackets(f *file, s *rules.Schema) (keys []uint32, err error) {
	for _, line := range f.each("packet") {
		words := strings.Fields(line)
		k := make(rules.Key, len(words))
		for i, text := range words {
			x, err := strconv.ParseUint(text, 16, 32)
			if err != nil {
				return nil, fmt.Errorf("packet: %q is no word of a key in hexadecimal", text)
			}
			k[i] = uint32(x)
		}
		if err := s.CheckKey(k); err != nil {
			return nil, fmt.Errorf("packet: %w", err)
		}
		keys = append(keys, k...)
	}
	return keys, nil
}

// readRules reads rules in the project's own format.
func readRules(text string) (*rules.List[string], error) {
	l, err := native.Read(strings.NewReader(text), native.Options{File: "rules"})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// writeRules writes rules, each with a text as its value.
func writeRules[T any](w io.Writer, l *rules.List[T], value func(i int, r *rules.Rule[T]) string) error {
	b := rules.NewBuilder[string](l.Schema())
	for i, r := range l.All() {
		c := rules.Rule[string]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown, Value: value(i, r)}
		if !l.SequentialIDs() {
			c.ID = r.ID
		}
		if _, err := b.Add(c); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, "rules\n"); err != nil {
		return err
	}
	return native.Write(w, b.List())
}
