package rules

// Errors and limits that all parsers and builders share.

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that callers may test for with errors.Is.
var (
	ErrLimit       = errors.New("limit exceeded")
	ErrDuplicateID = errors.New("duplicate rule identity")
	ErrUnsupported = errors.New("not supported")
)

// Limits bound what loading rules from a stranger may cost. A zero field
// means the value in DefaultLimits.
type Limits struct {
	MaxRules    int // rules in a list or a table
	MaxLine     int // bytes in a line of text
	MaxInput    int // bytes in a file
	MaxChains   int // chains in a table
	MaxDepth    int // nested jumps, nested JSON values
	MaxElements int // intervals in a condition
	MaxWalk     int // rules that one packet may have to be compared with in a table
	// MaxMemory bounds the bytes that the rules read from one file, or added to
	// one builder, take in memory, roughly counted: a 5-tuple rule is about 600.
	MaxMemory int64
}

// DefaultLimits are wide enough for the largest rule sets in use and keep a
// hostile file from taking the machine: a million-rule file is about 100 MB.
var DefaultLimits = Limits{
	MaxRules:    4 << 20,
	MaxLine:     1 << 20,
	MaxInput:    1 << 30,
	MaxChains:   1 << 18,
	MaxDepth:    1 << 10,
	MaxElements: 1 << 16,
	MaxWalk:     1 << 22,
	MaxMemory:   2 << 30,
}

// OrDefault returns l with its zero fields replaced by DefaultLimits.
func (l Limits) OrDefault() Limits {
	set := func(f *int, d int) {
		if *f == 0 {
			*f = d
		}
	}
	set(&l.MaxRules, DefaultLimits.MaxRules)
	set(&l.MaxLine, DefaultLimits.MaxLine)
	set(&l.MaxInput, DefaultLimits.MaxInput)
	set(&l.MaxChains, DefaultLimits.MaxChains)
	set(&l.MaxDepth, DefaultLimits.MaxDepth)
	set(&l.MaxElements, DefaultLimits.MaxElements)
	set(&l.MaxWalk, DefaultLimits.MaxWalk)
	if l.MaxMemory == 0 {
		l.MaxMemory = DefaultLimits.MaxMemory
	}
	return l
}

// ParseError is an error at a place in a text. Line and Column count from 1,
// Column in bytes; 0 means that there is no such place.
type ParseError struct {
	File   string
	Line   int
	Column int
	Where  string // what the place is in: of a rule of a chain "INPUT/3", or ""
	Token  string // the offending text, cut to a readable length
	Reason string
	Err    error // a sentinel such as ErrLimit or ErrUnsupported, or nil
}

// Error writes "file:line:column: where: reason: "token"".
func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.File == "" {
		b.WriteString("input")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if e.Where != "" {
		b.WriteString(": " + Excerpt(e.Where))
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	if e.Token != "" {
		fmt.Fprintf(&b, ": %q", Excerpt(e.Token))
	}
	return b.String()
}

// Unwrap returns e.Err.
func (e *ParseError) Unwrap() error { return e.Err }

// Excerpt cuts s to what fits in an error message.
func Excerpt(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// Feature is a part of a rule language that a file uses and its package does not
// model.
type Feature struct {
	Name  string      // "match owner", "statement masquerade", "table of family netdev"
	Uses  int         // rules, chains or tables that use it
	First *ParseError // where it is used first
}

// UnsupportedError lists all that a file uses and its package does not model.
// errors.Is(err, ErrUnsupported) holds, and errors.As finds the first place as a
// *ParseError.
type UnsupportedError struct {
	Features []Feature
}

// Error writes one line per feature.
func (e *UnsupportedError) Error() string {
	var b strings.Builder
	for i, f := range e.Features {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.First.Error())
		if f.Uses > 1 {
			fmt.Fprintf(&b, " (and %d more)", f.Uses-1)
		}
	}
	return b.String()
}

// Unwrap returns the first places as *ParseErrors.
func (e *UnsupportedError) Unwrap() []error {
	errs := make([]error, len(e.Features))
	for i, f := range e.Features {
		errs[i] = f.First
	}
	return errs
}
