package ways

// Ways to evaluate a table of chains.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Evaluator evaluates a packet in a table that it enters at a chain. executed, when
// not nil, is called for each rule executed. It is for one goroutine.
type Evaluator func(k rules.Key, entry int, executed func(rules.Place)) rules.Result

// TableWay is a way to make an Evaluator of a table.
type TableWay struct {
	Name  string
	Build func(t *rules.Table) (Evaluator, error)
}

// Tables returns every way to evaluate a table. The first is the walk over its
// chains, which defines what is right.
func Tables() []TableWay {
	return []TableWay{
		{"walk", func(t *rules.Table) (Evaluator, error) { return t.Evaluate, nil }},
		compiled("compiled", hipac.Options{}),
		compiled("compiled, leaves of one rule", hipac.Options{LeafRows: 1}),
		compiled("compiled, no copies", hipac.Options{Replication: 0.01}),
		compiled("compiled, many copies", hipac.Options{Replication: 64, LeafRows: 2}),
		compiled("compiled, index", hipac.Options{Engine: hipac.Index}),
		liveTable("live", false),
		liveTable("live, edited", true),
	}
}

// compiled evaluates without a trace, with one, and as a subject, which must agree.
func compiled(name string, o hipac.Options) TableWay {
	return TableWay{name, func(t *rules.Table) (Evaluator, error) {
		c, err := hipac.BuildTable(context.Background(), t, &o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return func(k rules.Key, entry int, executed func(rules.Place)) rules.Result {
			if executed == nil {
				return c.Evaluate(k, entry)
			}
			r := c.Trace(k, entry, executed)
			if s := c.Run(rules.KeyOnly(k), entry, nil); s != r {
				return s
			}
			return r
		}, nil
	}}
}

// liveTable makes live tables, and edits them so that they are as they were.
func liveTable(name string, edited bool) TableWay {
	return TableWay{name, func(t *rules.Table) (Evaluator, error) {
		ctx := context.Background()
		c := *t
		c.Chains = append([]rules.Chain(nil), t.Chains...)
		for i := range c.Chains {
			if c.Chains[i].Name == "" {
				c.Chains[i].Name = fmt.Sprintf("chain%d", i)
			}
		}
		v, err := hipac.NewLiveTables(ctx, []*rules.Table{&c}, &hipac.LiveOptions{NoBackground: true})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if edited {
			err = v.Edit(ctx, func(tx *hipac.TablesTx) error {
				e, err := tx.Table(c.Name, c.Family)
				if err != nil {
					return err
				}
				for i := range c.Chains {
					if err := moveAbout(e, c.Chains[i].Name); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		s := v.Snapshot().Table(c.Name, c.Family)
		return func(k rules.Key, entry int, executed func(rules.Place)) rules.Result {
			if executed == nil {
				return s.Evaluate(k, entry)
			}
			r := s.Trace(k, entry, executed)
			if x := s.Run(rules.KeyOnly(k), entry, nil); x != r {
				return x
			}
			return r
		}, nil
	}}
}

// moveAbout takes the first rule of a chain away, puts it behind all others, and
// moves it to the front again.
func moveAbout(e *hipac.TableEdit, chain string) error {
	c, err := e.Chain(chain)
	if err != nil || c.Len() == 0 {
		return err
	}
	first, err := c.At(0)
	if err != nil {
		return err
	}
	r := *first
	if err := c.Delete(r.ID); err != nil {
		return err
	}
	r.ID = 0
	id, err := c.Append(r)
	if err != nil {
		return err
	}
	return c.MoveTo(id, 0)
}
