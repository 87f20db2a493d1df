package cases

// A check that is known by its name, a seed and a size alone.

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
)

// Seeded is such a check of package chains: a relation, or a history of a live table.
type Seeded struct {
	Name  string // of one of chains.Relations, or ChainHistory
	Seed  uint64
	Rules int                         // of the tables, about
	Wrap  func(chains.Way) chains.Way // of the ways; nil changes nothing
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
			r, err := chains.HistoryWrapped(c.Seed, c.Rules, transactions, c.Wrap)
			packets, decided, answers = r.Packets, r.Decided, r.Packets
			return err
		}
		for _, relation := range chains.Relations() {
			if relation.Name == c.Name {
				r, err := relation.CheckWrapped(c.Seed, c.Rules, c.wrap)
				packets, decided, answers = r.Packets, r.Hits, r.Comparisons
				return err
			}
		}
		return fmt.Errorf("no relation %q", c.Name)
	})
	return packets, decided, answers, err
}

func (c *Seeded) wrap(w chains.Way) chains.Way {
	if c.Wrap == nil {
		return w
	}
	return c.Wrap(w)
}

// table returns a case of a table that the relation came across and that a way
// evaluated otherwise than the walk does; nil when there is none.
func (c *Seeded) table() *Table {
	const most = 20_000
	var all []*Table
	again := *c
	again.Wrap = func(w chains.Way) chains.Way {
		w = c.wrap(w)
		return chains.Way{Name: w.Name, Build: func(t *rules.Table) (*chains.Answerer, error) {
			a, err := w.Build(t)
			if err != nil || a.Run == nil {
				return a, err
			}
			recorded := *a
			recorded.Run = func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
				if len(all) < most {
					all = append(all, &Table{Table: t, Entry: chain, Keys: slices.Clone(p.Key()), Ways: []chains.Way{w}})
				}
				return a.Run(p, chain, executed)
			}
			return &recorded, nil
		}}
	}
	_ = again.Check()
	for _, t := range slices.Backward(all) { // the last one is the likeliest
		if t.Check() != nil {
			return t
		}
	}
	return nil
}

// Shrink finds the way that evaluates a table otherwise than the walk, where one does:
// then it is a case of that table, or of versions of a live one. Else it looks for
// smaller tables, by other seeds.
func (c *Seeded) Shrink(ctx context.Context) drive.Case {
	if c.Name != ChainHistory {
		if t := c.table(); t != nil {
			return t.Shrink(ctx)
		}
	} else if v := c.versions(); v != nil {
		return v.Shrink(ctx)
	}
	for size := 1; size < c.Rules && ctx.Err() == nil; size++ {
		for n := range uint64(mostSeeds) {
			less := Seeded{Name: c.Name, Seed: c.Seed + n, Rules: size, Wrap: c.Wrap}
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

func readSeeded(f *file, o Options) (*Seeded, error) {
	seed, err := f.number("seed")
	if err != nil {
		return nil, err
	}
	size, err := f.number("size")
	if err != nil {
		return nil, err
	}
	c := &Seeded{Name: f.last("relation"), Seed: seed, Rules: int(size), Wrap: o.Wrong.Tables}
	known := c.Name == ChainHistory
	for _, r := range chains.Relations() {
		known = known || r.Name == c.Name
	}
	if !known {
		return nil, fmt.Errorf("no relation %q", c.Name)
	}
	return c, nil
}
