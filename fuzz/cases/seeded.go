package cases

// A check that is known by its name, a seed and a size alone.

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/drive"
)

// Seeded is such a check of package chains: a relation, or a history of a live table.
type Seeded struct {
	Name  string // of one of chains.Relations, or ChainHistory
	Seed  uint64
	Rules int // of the tables, about
}

// ChainHistory is the name of histories of live tables.
const ChainHistory = "history of a live table"

// transactions is the number that a history has.
const transactions = 40

// Kind says what is alike.
func (c *Seeded) Kind() string { return "chains, " + c.Name }

// Size says how large it is.
func (c *Seeded) Size() string { return "tables of about " + plural(c.Rules, "rule") }

// Check checks it.
func (c *Seeded) Check() error {
	_, _, _, err := c.Run()
	return err
}

// Run checks it, and returns what was asked: packets, of which a rule decided so
// many, and answers.
func (c *Seeded) Run() (packets, decided, answers int, err error) {
	err = guarded(func() error {
		if c.Name == ChainHistory {
			r, err := chains.History(c.Seed, c.Rules, transactions)
			packets, decided, answers = r.Packets, r.Decided, r.Packets
			return err
		}
		for _, relation := range chains.Relations() {
			if relation.Name == c.Name {
				r, err := relation.Check(c.Seed, c.Rules)
				packets, decided, answers = r.Packets, r.Hits, r.Comparisons
				return err
			}
		}
		return fmt.Errorf("no relation %q", c.Name)
	})
	return packets, decided, answers, err
}

// Shrink looks for smaller tables, by other seeds.
func (c *Seeded) Shrink(ctx context.Context) drive.Case {
	for size := 1; size < c.Rules && ctx.Err() == nil; size++ {
		for n := range uint64(mostSeeds) {
			less := Seeded{c.Name, c.Seed + n, size}
			if ctx.Err() == nil && less.Check() != nil {
				return &less
			}
		}
	}
	return c
}

// Explain writes what differs.
func (c *Seeded) Explain(w io.Writer) { fmt.Fprintf(w, "%s\n%v\n", c.Size(), c.Check()) }

// Write writes the case.
func (c *Seeded) Write(w io.Writer) error {
	return writeHead(w, "chains", [2]string{"relation", c.Name}, [2]string{"seed", strconv.FormatUint(c.Seed, 10)},
		[2]string{"size", strconv.Itoa(c.Rules)})
}

func readSeeded(f *file) (*Seeded, error) {
	seed, err := f.number("seed")
	if err != nil {
		return nil, err
	}
	size, err := f.number("size")
	if err != nil {
		return nil, err
	}
	c := &Seeded{f.last("relation"), seed, int(size)}
	known := c.Name == ChainHistory
	for _, r := range chains.Relations() {
		known = known || r.Name == c.Name
	}
	if !known {
		return nil, fmt.Errorf("no relation %q", c.Name)
	}
	return c, nil
}
