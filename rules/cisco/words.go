package cisco

// The words of a line, and errors about them.

import (
	"errors"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/internal/lines"
)

// parser reads the lines of a configuration.
type parser struct {
	in     *lines.Reader
	lists  []*accessList
	byName map[string]*accessList
	cur    *accessList // whose entries follow
	errs   []error

	text   string
	number int
	pos    int // behind the last word
	at     int // where the last word begins
}

// load begins a line.
func (p *parser) load(text string, number int) {
	p.text, p.number, p.pos, p.at = text, number, 0, 0
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// word returns the next word, "" at the end of the line.
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

// peek returns the word behind without going on.
func (p *parser) peek() string {
	at, pos := p.at, p.pos
	w := p.word()
	p.at, p.pos = at, pos
	return w
}

// rest returns the text behind the last word.
func (p *parser) rest() string { return strings.TrimSpace(p.text[p.pos:]) }

// fail returns an error about the last word.
func (p *parser) fail(reason string) error { return p.error(reason, nil) }

// refuse returns an error about the last word, which is valid and not modelled.
func (p *parser) refuse(reason string) error { return p.error(reason, rules.ErrUnsupported) }

func (p *parser) error(reason string, cause error) error {
	token := p.text[p.at:p.pos]
	if token == "" {
		reason += ", but the line ends"
	}
	return p.in.Error(p.at+1, token, reason, cause)
}

// maxErrors is how many errors of a file are kept.
const maxErrors = 50

// keep notes an error and reports whether reading goes on.
func (p *parser) keep(err error) bool {
	var at *rules.ParseError
	if !errors.As(err, &at) || errors.Is(err, rules.ErrLimit) || at.Column == 0 {
		return false
	}
	p.errs = append(p.errs, err)
	return len(p.errs) < maxErrors
}
