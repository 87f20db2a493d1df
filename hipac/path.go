package hipac

// Several tables compiled, and the way of a packet through them.

import (
	"context"
	"errors"
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// Tables are compiled tables. They are immutable and safe for any number of
// goroutines; evaluation takes no lock.
type Tables struct {
	list   []*Table
	source map[*rules.Table]*Table
}

// BuildTables compiles tables as BuildTable does. The errors are of that, with
// the name of the table.
func BuildTables(ctx context.Context, tables []*rules.Table, opts *Options) (*Tables, error) {
	c := &Tables{source: make(map[*rules.Table]*Table, len(tables))}
	for _, t := range tables {
		if t == nil {
			return nil, errors.New("no table")
		}
		compiled, err := BuildTable(ctx, t, opts)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		c.list = append(c.list, compiled)
		c.source[t] = compiled
	}
	return c, nil
}

// Table returns the compiled form of a table, nil when it was not among them.
func (t *Tables) Table(source *rules.Table) *Table { return t.source[source] }

// All returns the compiled tables in the order in which BuildTables got them.
// The slice must not be changed.
func (t *Tables) All() []*Table { return t.list }

// Run is rules.Path.Run: it sends a packet along a path of tables. o may be nil.
// A table of the path that was not compiled is walked rule by rule.
func (t *Tables) Run(s rules.Subject, path rules.Path, o *rules.Observer) rules.PathResult {
	return path.RunWith(s, func(stop int, executed func(rules.Place)) rules.Result {
		at := path[stop]
		if c := t.source[at.Table]; c != nil {
			return c.Run(s, at.Chain, executed)
		}
		return at.Table.Run(s, at.Chain, executed)
	}, o)
}
