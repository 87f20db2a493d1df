package native

// The JSON tokens of a stream. A lexer of our own, since a rule file from a
// stranger needs what encoding/json's decoder does not offer: strings and
// numbers of limited length, lines and columns in errors, and no silent repair
// of broken UTF-8 or surrogates. Syntax: RFC 8259.

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// lexer splits a stream into tokens. It is for one goroutine.
type lexer struct {
	in    *bufio.Reader
	file  string
	max   rules.Limits
	read  int // bytes consumed
	place     // of the next byte

	// The last token: one of { } [ ] : , or '"' for a string, '0' for a number,
	// 't' for true and false, 'n' for null, and 0 for the end of the input.
	kind     byte
	text     []byte // of strings, unescaped, and of numbers and words
	atL, atC int    // where it begins
}

func newLexer(r io.Reader, file string, limits rules.Limits) *lexer {
	l := &lexer{in: bufio.NewReader(r), file: file, max: limits, place: place{1, 1}}
	if mark, _ := l.in.Peek(3); string(mark) == "\xef\xbb\xbf" {
		l.in.Discard(3)
	}
	return l
}

// fail returns an error at the last token.
func (l *lexer) fail(reason string, cause error) error {
	token := string(l.text)
	if l.kind != '"' && l.kind != '0' && l.kind != 't' && l.kind != 'n' {
		token = ""
		if l.kind != 0 {
			token = string(l.kind)
		}
	}
	return &rules.ParseError{File: l.file, Line: l.atL, Column: l.atC, Token: token, Reason: reason, Err: cause}
}

// place is where something stands, from 1.
type place struct{ line, col int }

// failAt returns an error at a place.
func (l *lexer) failAt(at place, reason string, cause error) error {
	return &rules.ParseError{File: l.file, Line: at.line, Column: at.col, Reason: reason, Err: cause}
}

// byte returns the next byte; ok is false at the end of the input.
func (l *lexer) byte() (c byte, ok bool, err error) {
	c, err = l.in.ReadByte()
	if err == io.EOF {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, l.failAt(l.place, fmt.Sprintf("cannot read: %v", err), err)
	}
	if l.read++; l.read > l.max.MaxInput {
		return 0, false, l.failAt(l.place, fmt.Sprintf("input is longer than %d bytes", l.max.MaxInput), rules.ErrLimit)
	}
	l.col++
	if c == '\n' {
		l.line, l.col = l.line+1, 1
	}
	return c, true, nil
}

// peek returns the next byte without consuming it, 0 at the end.
func (l *lexer) peek() byte {
	if b, err := l.in.Peek(1); err == nil {
		return b[0]
	}
	return 0
}

// next reads a token into kind and text.
func (l *lexer) next() error {
	l.text = l.text[:0]
	for {
		l.atL, l.atC = l.line, l.col
		c, ok, err := l.byte()
		if err != nil {
			return err
		}
		if !ok {
			l.kind = 0
			return nil
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{', '}', '[', ']', ':', ',':
			l.kind = c
			return nil
		case '"':
			l.kind = c
			return l.str()
		}
		return l.scalar(c)
	}
}

// scalar reads a number, true, false or null, of which c is the first byte.
func (l *lexer) scalar(c byte) error {
	l.text = append(l.text, c)
	for word(l.peek()) {
		if c, _, err := l.byte(); err != nil {
			return err
		} else if l.text = append(l.text, c); len(l.text) > 64 {
			l.kind = '0'
			return l.fail("number or word of more than 64 bytes", rules.ErrLimit)
		}
	}
	switch s := string(l.text); {
	case s == "true" || s == "false":
		l.kind = 't'
	case s == "null":
		l.kind = 'n'
	case c == '-' || c >= '0' && c <= '9':
		l.kind = '0'
	default:
		l.kind = 'n'
		return l.fail("not JSON", nil)
	}
	return nil
}

func word(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == '_'
}

// str reads a string behind its first quote.
func (l *lexer) str() error {
	for {
		at := l.place
		c, ok, err := l.byte()
		switch {
		case err != nil:
			return err
		case !ok:
			return l.fail("string does not end", nil)
		case c == '"':
			return l.checkUTF8()
		case c < 0x20:
			return l.failAt(at, "control character in a string", nil)
		case c != '\\':
			l.text = append(l.text, c)
		default:
			if err := l.escape(at); err != nil {
				return err
			}
		}
		if len(l.text) > l.max.MaxLine {
			l.text = l.text[:16]
			return l.fail(fmt.Sprintf("string is longer than %d bytes", l.max.MaxLine), rules.ErrLimit)
		}
	}
}

func (l *lexer) checkUTF8() error {
	if !utf8.Valid(l.text) {
		return l.fail("string is not UTF-8", nil)
	}
	return nil
}

// escape reads an escape behind its backslash, which is at at.
func (l *lexer) escape(at place) error {
	c, _, err := l.byte()
	if err != nil {
		return err
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, err := l.hex4(at)
		if err != nil {
			return err
		}
		if utf16.IsSurrogate(r) {
			var pair [2]byte
			for i := range pair {
				if pair[i], _, err = l.byte(); err != nil {
					return err
				}
			}
			low := rune(-1)
			if string(pair[:]) == `\u` {
				if low, err = l.hex4(at); err != nil {
					return err
				}
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return l.failAt(at, "half of a surrogate pair", nil)
			}
		}
		l.text = utf8.AppendRune(l.text, r)
		return nil
	default:
		return l.failAt(at, "unknown escape in a string", nil)
	}
	l.text = append(l.text, c)
	return nil
}

func (l *lexer) hex4(at place) (rune, error) {
	var digits [4]byte
	for i := range digits {
		c, ok, err := l.byte()
		if err != nil {
			return 0, err
		}
		if digits[i] = c; !ok || c == '+' || c == '_' {
			digits[i] = 'x'
		}
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return 0, l.failAt(at, `\u needs four hexadecimal digits`, nil)
	}
	return rune(n), nil
}
