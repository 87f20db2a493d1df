package describe

// Splitting a description into its words, quoted text included, and finding
// the word that a token is.

import (
	"fmt"
	"strconv"
	"strings"
)

// token is a part of a description between blanks, with quotes resolved.
type token struct {
	raw    string // as written
	name   string // in front of "=", or all of it
	value  string
	hasEq  bool
	offset int
}

func (t *token) fail(format string, args ...any) error {
	return &Error{Text: t.raw, Offset: t.offset, Reason: fmt.Sprintf(format, args...)}
}

// split returns the tokens of a description. Only what follows "=" may be
// quoted.
func split(text string) ([]token, error) {
	if len(text) > maxText {
		return nil, &Error{Reason: fmt.Sprintf("a description of %d bytes; at most %d", len(text), maxText)}
	}
	var out []token
	for at := 0; at < len(text); {
		if isBlank(text[at]) {
			at++
			continue
		}
		t := token{offset: at}
		end := at
		for end < len(text) && !isBlank(text[end]) && text[end] != '"' {
			end++
		}
		word := text[at:end]
		t.name, t.value, t.hasEq = strings.Cut(word, "=")
		if end < len(text) && text[end] == '"' {
			if !t.hasEq || t.value != "" {
				return nil, &Error{Text: text[end:], Offset: end, Reason: `a quote; texts are written NAME="TEXT"`}
			}
			n := quoted(text[end:])
			if n < 0 {
				return nil, &Error{Text: text[end:], Offset: end, Reason: "the quote is not closed"}
			}
			value, err := strconv.Unquote(text[end : end+n])
			if err != nil {
				return nil, &Error{Text: text[end : end+n], Offset: end, Reason: `not a text as in Go: in it there may be \xNN, \n, \r, \t, \\ and \", and no line ends`}
			}
			t.value = value
			if end += n; end < len(text) && !isBlank(text[end]) {
				return nil, &Error{Text: text[end:], Offset: end, Reason: "text behind the closing quote"}
			}
		}
		t.raw = text[at:end]
		out = append(out, t)
		at = end
	}
	return out, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// quoted returns the length of the quoted text at the beginning of s, -1 when
// it is not closed.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// quote writes bytes so that split reads them back.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// synonyms are other names of words.
var synonyms = map[string]string{"iif": "in", "oif": "out", "state": "ctstate", "hl": "ttl", "hoplimit": "ttl", "smac": "mac", "len": "length", "tcpflags": "flags",
	"icmptype": "type", "icmpcode": "code"}

// findWord returns the word that a token is, and its value.
func findWord(t token) (*Word, string, error) {
	name := t.name
	if s, ok := synonyms[name]; ok {
		name = s
	}
	for i := range words {
		w := &words[i]
		if w.Name != name {
			continue
		}
		switch {
		case w.Form == "" && t.hasEq:
			return nil, "", t.fail("%s stands without a value", name)
		case w.Form != "" && !t.hasEq && name != "frag":
			return nil, "", t.fail("%s needs a value: %s=%s", name, name, w.Form)
		case t.hasEq && t.value == "" && name != "in" && name != "out" && name != "payload":
			return nil, "", t.fail("an empty value; %s=%s", name, w.Form)
		}
		return w, t.value, nil
	}
	if isFlags(t.raw) {
		return wordFlags, t.raw, nil
	}
	best, most := "", max(1, len(name)/3)+1
	for i := range words {
		if d := distance(name, words[i].Name); d < most && d < len(words[i].Name) {
			best, most = words[i].Name, d
		}
	}
	if best != "" {
		return nil, "", t.fail("no such word; %s?", best)
	}
	var names []string
	for i := range words {
		names = append(names, words[i].Name)
	}
	return nil, "", t.fail("no such word; there are TCP flags and %s", strings.Join(names, " "))
}

// wordFlags is the word of TCP flags that stand alone.
var wordFlags = func() *Word {
	for i := range words {
		if words[i].Name == "flags" {
			return &words[i]
		}
	}
	return nil
}()

// distance returns the number of letters to change, add or take away to make b
// of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}
