package cases

// A rule set with packets that the running kernel counted otherwise.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/kernel"
)

// Kernel is a case of the comparison with the running kernel. Run of package
// fuzz/kernel has shrunken it already.
type Kernel struct{ Case kernel.Case }

// Kind says what is alike.
func (c *Kernel) Kind() string { return "kernel " + c.Case.Way }

// Size says how large it is.
func (c *Kernel) Size() string {
	n := 0
	for line := range strings.Lines(c.Case.Program) {
		if strings.HasPrefix(line, "-A ") || strings.Contains(line, " => ") {
			n++
		}
	}
	return plural(n, "rule") + ", " + plural(len(c.Case.Packets), "packet")
}

// Check compares it again. It is an error too when it cannot be.
func (c *Kernel) Check() error {
	d, err := kernel.Replay(context.Background(), &c.Case)
	if err == nil && d != nil {
		err = errors.New(strings.TrimSpace(d.Summary()))
	}
	return err
}

// Shrink returns the case as it is.
func (c *Kernel) Shrink(context.Context) drive.Case { return c }

// Explain writes the counters, and the rules.
func (c *Kernel) Explain(w io.Writer) {
	switch d, err := kernel.Replay(context.Background(), &c.Case); {
	case err != nil:
		fmt.Fprintf(w, "not compared: %v\n", err)
	case d != nil:
		io.WriteString(w, d.String())
	}
}

// Write writes the case.
func (c *Kernel) Write(w io.Writer) error {
	_, err := c.Case.WriteTo(w)
	return err
}

func readKernel(f *file) (*Kernel, error) {
	var text bytes.Buffer
	if err := writeHead(&text, f.kind, f.lines...); err != nil {
		return nil, err
	}
	text.WriteString("text\n")
	text.WriteString(f.body)
	c, err := kernel.ReadCase(&text)
	if err != nil {
		return nil, err
	}
	return &Kernel{*c}, nil
}
