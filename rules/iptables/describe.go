package iptables

// The registry as its users see it: classes of modules, and forms of values.

import (
	"fmt"
	"strings"
)

// Class says what a match or target needs to be evaluated.
type Class uint8

// The classes.
const (
	// Native conditions are compiled: they cost no more than others.
	Native Class = iota
	// Stateful ones ask for more than the packet at hand: what came before it,
	// alone or in its connection, or the time.
	Stateful
	// Payload ones read the packet's bytes.
	Payload
	// Environment ones need to be told what the system knows of the packet.
	Environment
)

var classNames = [...]string{"native", "stateful", "payload", "environment"}

// String returns the class's name.
func (c Class) String() string { return classNames[c] }

// MarshalText returns the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Form says what the value of an option looks like. The zero Form is that of
// an option without a value.
type Form struct {
	// Kind is one word for the form: number, range, masked, address, enum, set,
	// text, list, rate, time, program.
	Kind string `json:"kind,omitempty"`
	// Syntax shows it: "PORT[:PORT]".
	Syntax string `json:"syntax,omitempty"`
	// Min and Max bound numbers, and both ends of ranges.
	Min uint64 `json:"min"`
	Max uint64 `json:"max,omitempty"`
	// MaxLen bounds texts, in bytes; 0: no bound of its own.
	MaxLen int `json:"maxLength,omitempty"`
	// Items is the largest number of items of a list; 0: no bound of its own.
	Items int `json:"maxItems,omitempty"`
	// Unit of numbers: "bytes", "seconds".
	Unit string `json:"unit,omitempty"`
	// Symbols are names for values.
	Symbols []string `json:"symbols,omitempty"`
	// Default is the value when the option is not given, "" for none.
	Default string `json:"default,omitempty"`
	// Reversed says that a range may have its first end above its last.
	Reversed bool `json:"reversed,omitempty"`
}

// numeric reports whether values of the form are numbers, or ranges of them,
// between Min and Max.
func (f *Form) numeric() bool { return (f.Kind == "number" || f.Kind == "range") && f.Max > 0 }

// Accepts says in one line what is acceptable: "PORT[:PORT] with numbers in
// 0..65535". It is empty for the zero Form.
func (f Form) Accepts() string {
	var b strings.Builder
	b.WriteString(f.Syntax)
	if f.Syntax == "" && f.Kind != "" {
		b.WriteString("a value of the kind " + f.Kind)
	}
	add := func(format string, args ...any) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, format, args...)
	}
	if f.Max > 0 && !strings.Contains(f.Syntax, "..") {
		add("numbers in %d..%d", f.Min, f.Max)
	}
	if f.Unit != "" {
		add("in %s", f.Unit)
	}
	if f.MaxLen > 0 {
		add("at most %d bytes", f.MaxLen)
	}
	if f.Items > 0 {
		add("at most %d items", f.Items)
	}
	if n := len(f.Symbols); n > 0 {
		some := f.Symbols
		if n > 12 {
			some = some[:12]
		}
		add("names %s", strings.Join(some, " "))
		if n > len(some) {
			fmt.Fprintf(&b, " and %d more", n-len(some))
		}
	}
	return b.String()
}
