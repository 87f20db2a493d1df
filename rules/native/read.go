package native

// Reading the text format.

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// Options say how to read. The zero Options are ready to use.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the input; zero fields mean rules.DefaultLimits.
	Limits rules.Limits
	// AllowUnknown keeps a rule that has conditions which cannot be understood
	// (an unknown field, values of an unknown form): its other conditions and,
	// in Rule.Unknown, the text of those. Otherwise such a rule is an error.
	AllowUnknown bool
	// Schemas are schemas of the caller's own: a file whose schema is equal to
	// one of them gives a list of that very schema, so that keys made for it fit.
	// The ready schemas of package rules are always known.
	Schemas []*rules.Schema
}

// Read reads the text format. The value of a rule is the text behind "=>", ""
// where there is none. Errors are of type *rules.ParseError. It takes time and
// memory linear in the file, about 1 µs and half a kilobyte per rule.
func Read(r io.Reader, opts Options) (*rules.List[string], error) {
	p := parser{in: lines.NewReader(r, opts.File, opts.Limits), loader: newLoader(opts)}
	header := false
	for {
		line, _, err := p.in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = p.in.CheckUTF8(line)
		}
		if err != nil {
			return nil, err
		}
		p.text, p.pos = string(line), 0
		word := p.word()
		switch {
		case word == "" || word[0] == '#':
		case !header:
			err = p.header(word)
			header = true
		case p.b == nil:
			err = p.schema(word)
		case word == "rule":
			err = p.rule()
		case word == "hipac" || word == "schema":
			err = p.fail(word, "appears for the second time", nil)
		default:
			err = p.fail(word, `expected "rule"`, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.b == nil {
		missing := `the header "hipac 1" is missing`
		if header {
			missing = "the schema is missing"
		}
		return nil, &rules.ParseError{File: opts.File, Line: p.in.Number(), Reason: missing}
	}
	return p.b.List(), nil
}

// IsText reports whether a file that begins with prefix looks like the text
// format: its first line that is not a comment begins with the word "hipac".
func IsText(prefix []byte) bool {
	s := strings.TrimPrefix(string(prefix), "\xef\xbb\xbf")
	for s != "" {
		var line string
		line, s, _ = strings.Cut(s, "\n")
		if words := strings.Fields(line); len(words) > 0 && words[0][0] != '#' {
			return words[0] == "hipac"
		}
	}
	return false
}

// parser reads the lines of the text format.
type parser struct {
	loader
	in   *lines.Reader
	text string // the line
	pos  int    // behind the last word
	at   int    // where the last word begins
}

// word returns the next word of the line, "" at its end.
func (p *parser) word() string {
	i := p.pos
	for i < len(p.text) && blank(p.text[i]) {
		i++
	}
	p.at = i
	for i < len(p.text) && !blank(p.text[i]) {
		i++
	}
	p.pos = i
	return p.text[p.at:i]
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// fail returns an error about the last word.
func (p *parser) fail(token, reason string, cause error) error {
	if token == "" && p.at >= len(p.text) {
		reason += ", but the line ends"
	}
	return p.in.Error(p.at+1, token, reason, cause)
}

func (p *parser) header(word string) error {
	if word != "hipac" {
		return p.fail(word, `expected the header "hipac 1"`, nil)
	}
	if word = p.word(); word != "1" {
		return p.fail(word, "expected version 1 of the format", rules.ErrUnsupported)
	}
	if word = p.word(); word != "" && word[0] != '#' {
		return p.fail(word, "text behind the version", nil)
	}
	return nil
}

func (p *parser) schema(word string) error {
	if word != "schema" {
		return p.fail(word, `expected "schema"`, nil)
	}
	text := p.text[p.pos:]
	if i := commentAt(text); i >= 0 {
		text = text[:i]
	}
	p.word() // so that errors show where the schema begins
	s, err := parseSchema(text)
	if err != nil {
		return p.fail("", err.Error(), err)
	}
	p.start(s)
	return nil
}

// commentAt returns where a blank and '#' begin in text, or -1.
func commentAt(text string) int {
	for i := 0; ; i++ {
		n := strings.IndexByte(text[i:], '#')
		if n < 0 {
			return -1
		}
		if i += n; i > 0 && blank(text[i-1]) {
			return i - 1
		}
	}
}

// rule reads a line behind the word "rule".
func (p *parser) rule() error {
	var r rules.Rule[string]
	p.reset()
	any := false
	for {
		word := p.word()
		switch {
		case word == "" || word[0] == '#' || word == "=>":
			if !any && len(p.conds) == 0 && len(p.unknown) == p.marks {
				return p.fail(word, `expected conditions or "any"`, nil)
			}
			return p.tail(&r, word)
		case any:
			return p.fail(word, `text behind "any"`, nil)
		case word[0] == '@' || word == "continue" || word == "unknown":
			if len(p.conds) > 0 || len(p.unknown) > p.marks {
				return p.fail(word, "must stand before the conditions", nil)
			}
			if err := p.mark(&r, word); err != nil {
				return err
			}
		case word == "any":
			if any = true; len(p.conds) > 0 || len(p.unknown) > p.marks {
				return p.fail(word, "stands among conditions", nil)
			}
		default:
			if err := p.condition(word); err != nil {
				return p.fail(word, err.Error(), err)
			}
		}
	}
}

// mark reads what may stand before the conditions of a rule.
func (p *parser) mark(r *rules.Rule[string], word string) error {
	switch {
	case word == "continue":
		if r.Continue {
			return p.fail(word, "appears twice", nil)
		}
		r.Continue = true
	case word == "unknown":
		if p.marks > 0 {
			return p.fail(word, "appears twice", nil)
		}
		text, err := p.quoted()
		if err != nil {
			return err
		}
		if text == "" {
			return p.fail(`""`, "the reason of unknown is empty", nil)
		}
		p.unknown = append(p.unknown, strings.Clone(text))
		p.marks = 1
	default:
		if r.ID != 0 {
			return p.fail(word, "second identity", nil)
		}
		id, err := strconv.ParseUint(word[1:], 10, 64)
		if err != nil || id == 0 {
			return p.fail(word, "expected an identity, @ and a number from 1 to 2^64-1", nil)
		}
		r.ID = rules.ID(id)
	}
	return nil
}

// quoted reads a quoted string.
func (p *parser) quoted() (string, error) {
	i := p.pos
	for i < len(p.text) && blank(p.text[i]) {
		i++
	}
	p.at = i
	rest := p.text[i:]
	if rest == "" || rest[0] != '"' {
		return "", p.fail(p.word(), "expected a quoted string", nil)
	}
	q, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", p.fail(rest, "quoted string that does not end, or with an unknown escape", nil)
	}
	p.pos = i + len(q)
	if p.pos < len(p.text) && !blank(p.text[p.pos]) {
		return "", p.fail(rest, "expected a blank behind the quoted string", nil)
	}
	text, err := strconv.Unquote(q)
	if err != nil {
		return "", p.fail(rest, "quoted string with an unknown escape", nil)
	}
	return text, nil
}

// tail reads value and comment, of which word is the first word, and adds the
// rule.
func (p *parser) tail(r *rules.Rule[string], word string) error {
	if word == "=>" {
		rest := strings.TrimLeft(p.text[p.pos:], " \t")
		switch {
		case rest == "" || rest[0] == '#':
			p.at = len(p.text) - len(rest)
			return p.fail("", `expected a value behind "=>"`, nil)
		case rest[0] == '"':
			text, err := p.quoted()
			if err != nil {
				return err
			}
			r.Value = p.intern(text)
		default:
			end := len(rest)
			if i := commentAt(rest); i >= 0 {
				end = i
			}
			p.pos = len(p.text) - len(rest) + end
			r.Value = p.intern(strings.TrimRight(rest[:end], " \t"))
		}
		if word = p.word(); word != "" && word[0] != '#' {
			return p.fail(word, "text behind the value", nil)
		}
	}
	if word != "" {
		r.Comment = strings.Clone(comment(p.text[p.at+1:]))
	}
	if err := p.add(r); err != nil {
		return p.in.Error(0, "", err.Error(), err)
	}
	return nil
}

// comment returns the comment that is written as text behind '#'.
func comment(text string) string {
	text = strings.Trim(text, " \t")
	if len(text) > 1 && text[0] == '"' {
		if s, err := strconv.Unquote(text); err == nil {
			return s
		}
	}
	return text
}

// loader makes rules of what the parsers of both formats read.
type loader struct {
	opts    Options
	limits  rules.Limits
	b       *rules.Builder[string]
	conds   []rules.Cond
	unknown []string // what is not understood of the rule
	marks   int      // how many of unknown are a reason given in the file
	values  map[string]string
}

func newLoader(opts Options) loader {
	return loader{opts: opts, limits: opts.Limits.OrDefault(), values: map[string]string{}}
}

func (l *loader) start(s *rules.Schema) {
	l.b = rules.NewBuilder[string](unique(s, l.opts.Schemas))
	l.b.SetLimits(l.limits)
}

func (l *loader) reset() {
	l.conds, l.unknown, l.marks = l.conds[:0], l.unknown[:0], 0
}

// condition adds a condition to the rule, as an unknown one if it must.
func (l *loader) condition(text string) error {
	c, err := l.b.Schema().ParseCond(text)
	if err != nil {
		if !l.opts.AllowUnknown || errors.Is(err, rules.ErrLimit) {
			return err
		}
		l.unknown = append(l.unknown, strings.Clone(text))
		return nil
	}
	if ivs, _ := c.Intervals(); len(ivs) > l.limits.MaxElements {
		return fmt.Errorf("%d intervals: %w: at most %d", len(ivs), rules.ErrLimit, l.limits.MaxElements)
	}
	l.conds = append(l.conds, c)
	return nil
}

// intern returns a copy of s that all rules with this value share.
func (l *loader) intern(s string) string {
	const most = 4096 // so that a file of different values does not fill the table
	if v, ok := l.values[s]; ok {
		return v
	}
	v := strings.Clone(s)
	if len(l.values) < most {
		l.values[v] = v
	}
	return v
}

func (l *loader) add(r *rules.Rule[string]) error {
	r.Conds = l.conds
	r.Unknown = strings.Join(l.unknown, "; ")
	_, err := l.b.Add(*r)
	return err
}
