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
