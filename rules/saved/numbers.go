package saved

// Numbers: small sections of variable-length numbers and strings.

import (
	"encoding/binary"
	"math"
)

// Numbers are written one behind the other into a section.
type Numbers struct{ data []byte }

// Put appends a number.
func (n *Numbers) Put(x uint64) { n.data = binary.AppendUvarint(n.data, x) }

// PutInt appends a number that is not negative.
func (n *Numbers) PutInt(x int) { n.Put(uint64(x)) }

// PutBool appends a 1 or a 0.
func (n *Numbers) PutBool(b bool) {
	if b {
		n.Put(1)
	} else {
		n.Put(0)
	}
}

// PutText appends a string.
func (n *Numbers) PutText(s string) {
	n.Put(uint64(len(s)))
	n.data = append(n.data, s...)
}

// Bytes returns what was written.
func (n *Numbers) Bytes() []byte { return n.data }

// Scanner reads the numbers of a section. After an error it gives zeros.
type Scanner struct {
	s   *Section
	at  int
	err error
}

// NewScanner returns a scanner of a section.
func NewScanner(s *Section) *Scanner { return &Scanner{s: s} }

// Next reads a number.
func (c *Scanner) Next() uint64 {
	if c.err != nil {
		return 0
	}
	x, n := binary.Uvarint(c.s.Data[c.at:])
	if n <= 0 || n > 1 && c.s.Data[c.at+n-1] == 0 { // padded: there is one way to write a number
		c.err = c.s.Damaged(c.at, "a number is missing")
		return 0
	}
	c.at += n
	return x
}

// Int reads a number of at most most.
func (c *Scanner) Int(most int) int {
	at := c.at
	x := c.Next()
	if c.err == nil && x > uint64(most) {
		c.err = c.s.Damaged(at, "%d is more than %d", x, most)
	}
	if c.err != nil {
		return 0
	}
	return int(x)
}

// Uint32 reads a number of 32 bits.
func (c *Scanner) Uint32() uint32 {
	at := c.at
	x := c.Next()
	if c.err == nil && x > math.MaxUint32 {
		c.err = c.s.Damaged(at, "%d has more than 32 bits", x)
	}
	if c.err != nil {
		return 0
	}
	return uint32(x)
}

// Bool reads a 1 or a 0.
func (c *Scanner) Bool() bool { return c.Int(1) == 1 }

// Bytes reads a string, which is the section's memory.
func (c *Scanner) Bytes() []byte {
	at := c.at
	n := c.Next()
	if c.err == nil && n > uint64(len(c.s.Data)-c.at) {
		c.err = c.s.Damaged(at, "a text of %d bytes does not end in the section", n)
	}
	if c.err != nil {
		return nil
	}
	c.at += int(n)
	return c.s.Data[c.at-int(n) : c.at : c.at]
}

// Text reads a string.
func (c *Scanner) Text() string { return string(c.Bytes()) }

// Left reports whether there is more.
func (c *Scanner) Left() bool { return c.err == nil && c.at < len(c.s.Data) }

// Fail makes the section damaged at the number behind.
func (c *Scanner) Fail(format string, args ...any) {
	if c.err == nil {
		c.err = c.s.Damaged(c.at, format, args...)
	}
}

// Err returns the first error.
func (c *Scanner) Err() error { return c.err }

// End returns the first error, one of which is that there is more.
func (c *Scanner) End() error {
	if c.Left() {
		c.Fail("%d bytes too many", len(c.s.Data)-c.at)
	}
	return c.err
}
