package iptables

// The registry as its users see it: classes of modules, and forms of values.

// Class says what a match or target needs to be evaluated.
type Class uint8

// The classes.
const (
	// Native conditions are compiled: they cost no more than others.
	Native Class = iota
	// Stateful ones remember earlier packets.
	Stateful
	// Payload ones read the packet's bytes.
	Payload
	// Environment ones need to be told what the system knows of the packet.
	Environment
)

var classNames = [...]string{"native", "stateful", "payload", "environment"}

// String returns the class's name.
func (c Class) String() string { return classNames[c] }

// Form says what the value of an option looks like. The zero Form is that of
// an option without a value.
type Form struct {
	// Kind is one word for the form: number, range, masked, address, enum, set,
	// text, list, rate, time, program.
	Kind string
	// Syntax shows it: "PORT[:PORT]".
	Syntax string
	// Min and Max bound numbers, and both ends of ranges.
	Min, Max uint64
	// MaxLen bounds texts, in bytes; 0: no bound of its own.
	MaxLen int
	// Items is the largest number of items of a list; 0: no bound of its own.
	Items int
	// Unit of numbers: "bytes", "seconds".
	Unit string
	// Symbols are names for values.
	Symbols []string
	// Default is the value when the option is not given, "" for none.
	Default string
	// Reversed says that a range may have its first end above its last.
	Reversed bool
}
