package cisco

// The words of a line, and errors about them.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// text is a line that is being read, and the words in it.
type text struct {
	in   *lines.Reader
	line string
	pos  int // behind the last word
	at   int // where the last word begins
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// word returns the next word as it is written, "" at the end of the line.
func (t *text) word() string {
	i := t.pos
	for i < len(t.line) && blank(t.line[i]) {
		i++
	}
	t.at = i
	for i < len(t.line) && !blank(t.line[i]) {
		i++
	}
	t.pos = i
	return t.line[t.at:i]
}

// key returns the next word in lower case: IOS takes its own words in any.
func (t *text) key() string { return strings.ToLower(t.word()) }

// peek returns what key would, without going on.
func (t *text) peek() string {
	at, pos := t.at, t.pos
	w := t.key()
	t.at, t.pos = at, pos
	return w
}

// rest returns the text behind the last word.
func (t *text) rest() string { return strings.Trim(t.line[t.pos:], " \t\r") }

// fail returns an error about the last word.
func (t *text) fail(format string, args ...any) error {
	return t.error(nil, fmt.Sprintf(format, args...))
}

// refuse returns an error about the last word, which is valid and not modelled.
func (t *text) refuse(format string, args ...any) error {
	return t.error(rules.ErrUnsupported, "not modelled: "+fmt.Sprintf(format, args...))
}

func (t *text) error(cause error, reason string) error {
	token := t.line[t.at:t.pos]
	if token == "" {
		reason += ", but the line ends"
	}
	return t.in.Error(t.at+1, token, reason, cause)
}

// limit returns an error about a limit, at the line.
func (t *text) limit(format string, args ...any) error {
	return t.in.Error(0, "", fmt.Sprintf(format, args...), rules.ErrLimit)
}

// wrong returns an error about the line as a whole.
func (t *text) wrong(format string, args ...any) error {
	i := 0
	for i < len(t.line) && blank(t.line[i]) {
		i++
	}
	return t.in.Error(i+1, strings.Trim(t.line, " \t\r"), fmt.Sprintf(format, args...), nil)
}

// end requires that the line ends.
func (t *text) end() error {
	if t.word() != "" {
		return t.fail("text behind the end")
	}
	return nil
}

// digits reports whether s is a decimal number.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// number returns the decimal number s if it is at most most.
func number(s string, most int) (int, bool) {
	n := int64(0)
	for i := range len(s) {
		if n = n*10 + int64(s[i]-'0'); s[i] < '0' || s[i] > '9' || n > int64(most) {
			return 0, false
		}
	}
	return int(n), s != ""
}

// maxFaults is how many errors of a file are kept; the others are counted.
const maxFaults = 1000

// faults are the errors of a list, of an object group, or of neither.
type faults struct {
	first []error
	all   int
}

// goOn notes an error, and reports whether the rest of the file can be looked at for
// others: not behind a limit or when the file cannot be read.
func (p *parser) goOn(to *faults, where string, err error) bool {
	var placed *rules.ParseError
	if !errors.As(err, &placed) || errors.Is(err, rules.ErrLimit) || placed.Column == 0 {
		return false
	}
	placed.Where = where
	to.all++
	if p.kept < maxFaults || len(to.first) == 0 {
		p.kept++
		to.first = append(to.first, err)
	}
	return true
}

// errors joins the errors that are about what is wanted, in the order of the file.
func (p *parser) errors() error {
	found := []*faults{&p.faults}
	for _, a := range p.lists {
		if p.wants(a) {
			found = append(found, &a.faults)
		}
	}
	for _, g := range p.groups {
		if p.want == "" || g.used {
			found = append(found, &g.faults)
		}
	}
	var errs []error
	all := 0
	for _, f := range found {
		errs = append(errs, f.first...)
		all += f.all
	}
	slices.SortStableFunc(errs, func(a, b error) int { return placeOf(a) - placeOf(b) })
	switch {
	case all == 0:
		return nil
	case all > len(errs):
		errs = append(errs, &rules.ParseError{File: p.in.File(), Reason: fmt.Sprintf("and %d more errors", all-len(errs))})
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func placeOf(err error) int {
	var placed *rules.ParseError
	errors.As(err, &placed)
	return placed.Line
}

// wants reports whether a list is to be returned: of two of the same name the one
// that can be.
func (p *parser) wants(a *accessList) bool {
	return p.want == "" || a.name == p.want && (!a.refused || p.byName[p.want] == nil)
}
