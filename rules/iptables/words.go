package iptables

// Words of a line, and the quoting of iptables-restore: blanks separate
// words; double quotes may open anywhere in a word and end it where they
// close; inside them a backslash takes the next byte as it is.

import (
	"errors"
	"strings"
)

type word struct {
	text   string
	column int // from 1, in bytes
	quoted bool
}

var errUnterminated = errors.New("unterminated quote")

// splitWords appends the words of line from byte offset start on. On an
// unterminated quote it returns the column of the quote.
func splitWords(words []word, line string, start int) (_ []word, column int, err error) {
	i := start
	for {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) {
			return words, 0, nil
		}
		begin := i
		for i < len(line) && !isBlank(line[i]) && line[i] != '"' {
			i++
		}
		if i == len(line) || line[i] != '"' {
			words = append(words, word{line[begin:i], begin + 1, false})
			continue
		}
		text, end, ok := unquote(line, begin, i)
		if !ok {
			return words, i + 1, errUnterminated
		}
		words = append(words, word{text, begin + 1, true})
		i = end
	}
}

// unquote returns the word that begins at begin and whose quote opens at
// quote, and the offset behind its closing quote.
func unquote(line string, begin, quote int) (text string, end int, ok bool) {
	rest := line[quote+1:]
	n := strings.IndexAny(rest, `"\`)
	if n < 0 {
		return "", 0, false
	}
	if rest[n] == '"' && begin == quote {
		return rest[:n], quote + n + 2, true
	}
	var b strings.Builder
	b.WriteString(line[begin:quote])
	for i := quote + 1; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }

// appendQuoted appends s as one word: as it is when it has nothing but
// letters, digits, "-" and "_", else in quotes.
func appendQuoted(b []byte, s string) []byte {
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if plain {
		return append(b, s...)
	}
	return quote(b, s)
}

// appendPlain appends s as one word for the matches and targets whose names the
// tools print as they are: in quotes only when it could not be read back.
func appendPlain(b []byte, s string) []byte {
	if s == "" || s == "!" || strings.ContainsAny(s, " \t\r\v\f\"'\\") {
		return quote(b, s)
	}
	return append(b, s...)
}

// appendWord appends a value whose meaning is not known: in quotes only when
// it could not be read back without them.
func appendWord(b []byte, s string) []byte {
	if s == "!" || looksLikeOption(word{text: s}) {
		return quote(b, s)
	}
	return appendOptionWord(b, s)
}

// appendOptionWord is appendWord for an option, which may begin with a dash.
func appendOptionWord(b []byte, s string) []byte {
	if s == "" || strings.ContainsAny(s, " \t\r\v\f\"") {
		return quote(b, s)
	}
	return append(b, s...)
}

func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\'' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
