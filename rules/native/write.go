package native

// Writing the text format.

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// Write writes a list in the text format; Read reads it back to an equal list.
// Identities are written when they are not simply 1, 2, 3 and so on. The error
// is that of w.
func Write(w io.Writer, l *rules.List[string]) error {
	out := bufio.NewWriter(w)
	out.WriteString("hipac 1\nschema " + FormatSchema(l.Schema()) + "\n")
	var line []byte
	for _, r := range l.All() {
		line = append(line[:0], "rule "...)
		if !l.SequentialIDs() {
			line = append(line, '@')
			line = strconv.AppendUint(line, uint64(r.ID), 10)
			line = append(line, ' ')
		}
		if r.Continue {
			line = append(line, "continue "...)
		}
		if r.Unknown != "" {
			line = append(line, "unknown "...)
			line = strconv.AppendQuote(line, r.Unknown)
			line = append(line, ' ')
		}
		line = append(line, rules.FormatRule(l.Schema(), r)...)
		if r.Value != "" {
			line = append(line, " => "...)
			if plain(r.Value) && r.Value[0] != '#' && commentAt(r.Value) < 0 {
				line = append(line, r.Value...)
			} else {
				line = strconv.AppendQuote(line, r.Value)
			}
		}
		if r.Comment != "" {
			line = append(line, "  # "...)
			if plain(r.Comment) {
				line = append(line, r.Comment...)
			} else {
				line = strconv.AppendQuote(line, r.Comment)
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}

// plain reports whether s, which is not empty, survives without quotes.
func plain(s string) bool {
	if s[0] == '"' || s[0] == ' ' || s[len(s)-1] == ' ' || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(c rune) bool { return !strconv.IsPrint(c) }) < 0
}
