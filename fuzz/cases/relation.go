package cases

// A relation that did not hold: known by its name, a seed, a size, and the list that
// it draws from, where there is one.

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/relations"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// Relation is a check of a relation.
type Relation struct {
	Relation relations.Relation
	Seed     uint64
	Rules    int              // of the lists that it draws, about
	From     *rules.List[int] // the list that they are parts of; nil: any
	Wrap     func(ways.Way) ways.Way
}

// Kind says what is alike.
func (c *Relation) Kind() string { return "relation, " + c.Relation.Name }

// mostSeeds is the number of seeds that are tried for a size.
const mostSeeds = 400

// Size says how large it is.
func (c *Relation) Size() string {
	if c.From != nil {
		return fmt.Sprintf("lists of about %d of %s", c.Rules, plural(c.From.Len(), "rule"))
	}
	return "lists of about " + plural(c.Rules, "rule")
}

// Check checks it.
func (c *Relation) Check() error {
	return guarded(func() error {
		_, err := c.Relation.CheckOn(c.Seed, c.Rules, c.From, c.Wrap)
		return err
	})
}

// Shrink finds the way that answers otherwise than the linear matcher, where one
// does: then it is a case of a list. Else it looks for smaller lists, by other
// seeds, for which the relation does not hold.
func (c *Relation) Shrink(ctx context.Context) drive.Case {
	if l := c.list(); l != nil {
		return l.Shrink(ctx)
	}
	out := *c
	for size := 1; size < c.Rules && ctx.Err() == nil; size++ {
		for n := range uint64(mostSeeds) {
			less := out
			less.Rules, less.Seed = size, c.Seed+n
			if ctx.Err() == nil && less.Check() != nil {
				return &less
			}
		}
	}
	return &out
}

// list returns a case of a list that the relation came across and that a way
// answered wrongly, nil when there is none.
func (c *Relation) list() *List {
	known := map[string]bool{}
	for _, w := range ways.All() {
		known[c.Wrap(w).Name] = true
	}
	var all []*List
	wrap := func(w ways.Way) ways.Way {
		w = c.Wrap(w)
		build := w.Build
		recorded := w
		recorded.Build = func(l *rules.List[int]) (*ways.Answerer, error) {
			a, err := build(l)
			if err != nil {
				return nil, err
			}
			r := *a
			first := a.First
			r.First = func(keys []uint32, out []int) {
				if known[w.Name] && len(all) < 1000 {
					all = append(all, &List{Rules: l, Keys: append([]uint32(nil), keys...), Ways: []ways.Way{w}})
				}
				first(keys, out)
			}
			return &r, nil
		}
		return recorded
	}
	_ = guarded(func() error {
		_, err := c.Relation.CheckOn(c.Seed, c.Rules, c.From, wrap)
		return err
	})
	for i := len(all) - 1; i >= 0; i-- { // the last one is the likeliest
		numbered, err := listOf(all[i].Rules.Schema(), rulesOf(all[i].Rules), true)
		if err != nil {
			continue
		}
		if all[i].Rules = numbered; all[i].Check() != nil {
			return all[i]
		}
	}
	return nil
}

// Explain writes what differs.
func (c *Relation) Explain(w io.Writer) {
	fmt.Fprintf(w, "%s\n%v\n", c.Size(), c.Check())
}

// Write writes the case.
func (c *Relation) Write(w io.Writer) error {
	if err := writeHead(w, "relation", [2]string{"relation", c.Relation.Name}, [2]string{"seed", strconv.FormatUint(c.Seed, 10)},
		[2]string{"size", strconv.Itoa(c.Rules)}); err != nil {
		return err
	}
	if c.From == nil {
		return nil
	}
	return writeRules(w, c.From, func(i int, _ *rules.Rule[int]) string { return strconv.Itoa(i) })
}

func readRelation(f *file, o Options) (*Relation, error) {
	c := &Relation{Wrap: o.Wrong.List}
	for _, r := range relations.All() {
		if r.Name == f.last("relation") {
			c.Relation = r
		}
	}
	if c.Relation.Name == "" {
		return nil, fmt.Errorf("no relation %q", f.last("relation"))
	}
	size, err := f.number("size")
	if err != nil {
		return nil, err
	}
	c.Rules = int(size)
	if c.Seed, err = f.number("seed"); err != nil {
		return nil, err
	}
	if f.body == "" {
		return c, nil
	}
	l, err := readRules(f.body)
	if err != nil {
		return nil, err
	}
	c.From, err = ways.Numbered(l)
	return c, err
}
