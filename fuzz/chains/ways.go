// Package chains tests tables of chains that call one another: jumps, gotos,
// returns, policies, targets that change the packet. Way is a way in which the
// library answers about a table; a World is every table of a few rules over tiny
// fields; Relations are changes of a table that must change no answer; Histories
// are edits of live tables. Each compares the verdict, the rule that decided, the
// ordered list of rules executed, and what was done to the packet, with those of
// rules.Table.Run, which is to chains what the linear matcher is to lists.
package chains

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/saved"
)

// Answerer answers about one table. It is for one goroutine.
type Answerer struct {
	// Run sends a packet through the table from a chain, and calls executed for
	// every rule executed, in order; nil in ways that cannot say.
	Run func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result
	// Alone is Run without telling the rules executed, which ways do otherwise;
	// nil in ways that do not.
	Alone func(p rules.Subject, chain int) rules.Result
	// Counts are the packets counted by rule, and by policies with -1 for the rule,
	// of all that were asked; nil in ways that do not count.
	Counts func() map[rules.Place]uint64
}

// Way is a way to make an Answerer of a table. The table is checked by Build: one
// that rules.Table.Check refuses is an error.
type Way struct {
	Name  string
	Build func(t *rules.Table) (*Answerer, error)
}

// Walk returns the walk over the chains as a way.
func Walk() Way {
	return Way{"walk", func(t *rules.Table) (*Answerer, error) {
		if err := t.Check(rules.Limits{}); err != nil {
			return nil, err
		}
		return &Answerer{Run: t.Run}, nil
	}}
}

// All returns every way. The first is the walk.
func All() []Way {
	return []Way{
		Walk(),
		Compiled("compiled", hipac.Options{}),
		Compiled("compiled, leaves of one rule", hipac.Options{LeafRows: 1, Replication: 64}),
		Compiled("compiled, no copies of rows", hipac.Options{LeafRows: 64, Replication: 0.01}),
		Compiled("compiled, index", hipac.Options{Engine: hipac.Index}),
		{"compiled, along a path", alongPath},
		{"compiled, traced", traced},
		{"compiled, saved and loaded", stored},
		{"live", func(t *rules.Table) (*Answerer, error) {
			v, err := newLive(t, false)
			return fromLive(v, t, err)
		}},
		{"live, edited", edited},
		{"live, rule by rule", ruleByRule},
		{"live, applied", applied},
		{"live, along a path", livePath},
		{"live, counted", counted},
	}
}

// Compiled returns the compiled table with options of a caller's choice as a way.
func Compiled(name string, o hipac.Options) Way {
	return Way{name, func(t *rules.Table) (*Answerer, error) {
		c, err := hipac.BuildTable(context.Background(), t, &o)
		if err != nil {
			return nil, err
		}
		return fromTable(c), nil
	}}
}

// fromTable returns a compiled table as an Answerer.
func fromTable(c *hipac.Table) *Answerer {
	return &Answerer{Run: c.Run, Alone: func(p rules.Subject, chain int) rules.Result {
		if _, more := p.(*Packet); more {
			return c.Run(p, chain, nil)
		}
		return c.Evaluate(p.Key(), chain)
	}}
}

// outcome makes of a path's observer the result of its only stop.
func outcome(run func(o *rules.Observer), executed func(rules.Place)) (r rules.Result) {
	run(&rules.Observer{
		Executed: func(_ int, at rules.Place) { executed(at) },
		Left:     func(_ int, left rules.Result) { r = left },
	})
	return r
}

func alongPath(t *rules.Table) (*Answerer, error) {
	c, err := hipac.BuildTables(context.Background(), []*rules.Table{t}, nil)
	if err != nil {
		return nil, err
	}
	return &Answerer{Run: func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
		return outcome(func(o *rules.Observer) { c.Run(p, rules.Path{{Table: t, Chain: chain}}, o) }, executed)
	}}, nil
}

// stored saves the compiled table and loads it.
func stored(t *rules.Table) (*Answerer, error) {
	c, err := hipac.BuildTables(context.Background(), []*rules.Table{t}, nil)
	if err != nil {
		return nil, err
	}
	w := saved.NewWriter(saved.KindTables)
	if err := c.AddTo(w); err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if _, err := w.WriteTo(&file); err != nil {
		return nil, err
	}
	f, err := saved.Parse(file.Bytes())
	if err != nil {
		return nil, err
	}
	again, err := hipac.LoadTables(f, []*rules.Table{t})
	if err != nil {
		return nil, err
	}
	return fromTable(again.Table(t)), nil
}

// traced takes the rules executed and the result from a trace that tells all.
func traced(t *rules.Table) (*Answerer, error) {
	c, err := hipac.BuildTables(context.Background(), []*rules.Table{t}, nil)
	if err != nil {
		return nil, err
	}
	turn := 0
	return &Answerer{Run: func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
		turn++
		tr := c.Trace(p, rules.Path{{Table: t, Chain: chain}}, hipac.TraceOptions{All: turn%2 == 0, Near: turn % 3})
		if len(tr.Stops) == 0 {
			return rules.Result{By: rules.Place{Chain: chain, Rule: -1}}
		}
		for _, s := range tr.Stops[0].Steps {
			if s.Kind == hipac.Executed {
				executed(s.At)
			}
		}
		return tr.Stops[0].Result
	}}, nil
}

func newLive(t *rules.Table, counters bool) (*hipac.LiveTables, error) {
	return hipac.NewLiveTables(context.Background(), []*rules.Table{t}, &hipac.LiveOptions{NoBackground: true, Counters: counters})
}

// fromLive returns the newest version of a live table as an Answerer.
func fromLive(v *hipac.LiveTables, t *rules.Table, err error) (*Answerer, error) {
	if err != nil {
		return nil, err
	}
	return fromSnapshot(v.Snapshot().Table(t.Name, t.Family)), nil
}

func fromSnapshot(s *hipac.TableSnapshot) *Answerer {
	return &Answerer{Run: s.Run, Alone: func(p rules.Subject, chain int) rules.Result {
		if _, more := p.(*Packet); more {
			return s.Run(p, chain, nil)
		}
		return s.Evaluate(p.Key(), chain)
	}}
}

// AfterEdits is the name of live tables that were other ones before.
const AfterEdits = "live, after edits"

// After returns the way of a live table that was built of the first of some tables,
// became each of the others, and then the table in question. All have chains of the
// same names, in the same order.
func After(earlier []*rules.Table, o hipac.LiveOptions) Way {
	return Way{AfterEdits, func(t *rules.Table) (*Answerer, error) {
		ctx := context.Background()
		versions := append(slices.Clip(slices.Clone(earlier)), t)
		v, err := hipac.NewLiveTables(ctx, versions[:1], &o)
		for i := 1; i < len(versions) && err == nil; i++ {
			_, err = v.Apply(ctx, versions[i:i+1])
		}
		return fromLive(v, t, err)
	}}
}

// edited inserts a rule and deletes it again, so that the table is evaluated chain
// by chain.
func edited(t *rules.Table) (*Answerer, error) {
	v, err := newLive(t, false)
	if err != nil {
		return nil, err
	}
	for i := range t.Chains {
		if err := v.Edit(context.Background(), func(tx *hipac.TablesTx) error {
			c, err := chainOf(tx, t, t.Chains[i].Name)
			if err != nil {
				return err
			}
			id, err := c.InsertAt(0, rules.Rule[rules.Action]{Value: rules.Action{Kind: rules.Decide, Verdict: rules.Reject}})
			if err != nil || i%2 == 0 {
				return err
			}
			return c.Delete(id)
		}); err != nil {
			return nil, err
		}
		if i%2 != 0 {
			continue
		}
		if err := v.Edit(context.Background(), func(tx *hipac.TablesTx) error {
			c, err := chainOf(tx, t, t.Chains[i].Name)
			if err != nil {
				return err
			}
			r, err := c.At(0)
			if err != nil {
				return err
			}
			return c.Delete(r.ID)
		}); err != nil {
			return nil, err
		}
	}
	if s := v.Snapshot().Table(t.Name, t.Family); s.Inlined() {
		return nil, fmt.Errorf("a table that was edited has its fast form")
	}
	return fromLive(v, t, nil)
}

func chainOf(tx *hipac.TablesTx, t *rules.Table, name string) (*hipac.ChainEdit, error) {
	e, err := tx.Table(t.Name, t.Family)
	if err != nil {
		return nil, err
	}
	return e.Chain(name)
}

// ruleByRule makes the table of one that is empty: chains behind the last one with
// a policy are new, and rules come, even ones first, and with one that goes again.
func ruleByRule(t *rules.Table) (*Answerer, error) {
	start := *t
	start.Chains = nil
	there := len(t.Chains)
	for there > 0 && t.Chains[there-1].Policy == rules.NoVerdict {
		there--
	}
	if there == 0 {
		there = len(t.Chains)
	}
	for i := range there {
		c := t.Chains[i]
		c.Rules = rules.NewBuilder[rules.Action](t.Schema).List()
		start.Chains = append(start.Chains, c)
	}
	v, err := newLive(&start, false)
	if err != nil {
		return nil, err
	}
	return fromLive(v, t, v.Edit(context.Background(), func(tx *hipac.TablesTx) error {
		e, err := tx.Table(t.Name, t.Family)
		if err != nil {
			return err
		}
		for i := there; i < len(t.Chains); i++ {
			c, err := e.NewChain(t.Chains[i].Name)
			if err != nil {
				return err
			}
			if c.Number() != i {
				return fmt.Errorf("chain %s: got number %d, want %d", t.Chains[i].Name, c.Number(), i)
			}
		}
		for i := range t.Chains {
			c, err := e.Chain(t.Chains[i].Name)
			if err != nil {
				return err
			}
			if err := insertRules(c, t.Chains[i].Rules); err != nil {
				return err
			}
		}
		return nil
	}))
}

func insertRules(c *hipac.ChainEdit, l *rules.List[rules.Action]) error {
	insert := func(at, i int) error {
		r := *l.At(i)
		r.ID = 0
		_, err := c.InsertAt(at, r)
		return err
	}
	for i := 0; i < l.Len(); i += 2 {
		if err := insert(c.Len(), i); err != nil {
			return err
		}
	}
	for i := 1; i < l.Len(); i += 2 {
		if err := insert(i, i); err != nil {
			return err
		}
	}
	if l.Len() == 0 {
		return nil
	}
	r, err := c.At(l.Len() / 2)
	if err == nil {
		if err = c.Delete(r.ID); err == nil {
			err = insert(l.Len()/2, l.Len()/2)
		}
	}
	return err
}

// applied makes the table of one whose chains are another's rules, by taking over
// the new one as a whole.
func applied(t *rules.Table) (*Answerer, error) {
	if err := t.Check(rules.Limits{}); err != nil {
		return nil, err
	}
	start := *t
	start.Chains = nil
	for i, c := range t.Chains {
		b := rules.NewBuilder[rules.Action](t.Schema)
		for n, r := range c.Rules.All() {
			if (n+i)%3 == 0 {
				continue
			}
			o := *r
			o.ID = 0
			if _, err := b.Add(o); err != nil {
				return nil, err
			}
		}
		c.Rules = b.List()
		start.Chains = append(start.Chains, c)
	}
	v, err := newLive(&start, false)
	if err != nil {
		return nil, err
	}
	_, err = v.Apply(context.Background(), []*rules.Table{t})
	return fromLive(v, t, err)
}

func livePath(t *rules.Table) (*Answerer, error) {
	v, err := newLive(t, false)
	if err != nil {
		return nil, err
	}
	s := v.Snapshot()
	return &Answerer{Run: func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
		return outcome(func(o *rules.Observer) { s.Run(p, rules.Path{{Table: t, Chain: chain}}, o) }, executed)
	}}, nil
}

// counted asks readers that count.
func counted(t *rules.Table) (*Answerer, error) {
	v, err := newLive(t, true)
	if err != nil {
		return nil, err
	}
	r, second := v.Reader(), v.Reader()
	return &Answerer{
		Run: func(p rules.Subject, chain int, executed func(rules.Place)) rules.Result {
			return outcome(func(o *rules.Observer) { r.Run(p, rules.Path{{Table: t, Chain: chain}}, 1, o) }, executed)
		},
		Alone: func(p rules.Subject, chain int) (res rules.Result) {
			if _, more := p.(*Packet); more {
				return outcome(func(o *rules.Observer) {
					second.Run(p, rules.Path{{Table: t, Chain: chain}}, 1, &rules.Observer{Left: o.Left})
				}, nil)
			}
			return second.Evaluate(t.Name, t.Family, p.Key(), chain, 1)
		},
		Counts: func() map[rules.Place]uint64 {
			r.Close()
			out := map[rules.Place]uint64{}
			at := rules.Place{Chain: -1}
			v.EachCounter(func(_ *hipac.TableSnapshot, chain int, rule *rules.Rule[rules.Action], c hipac.Counts) bool {
				if at.Rule++; at.Chain != chain {
					at = rules.Place{Chain: chain}
				}
				before := t.Chains[chain].Packets // that the file had
				if rule == nil {
					at.Rule = -1
				} else {
					before = rule.Value.Packets
				}
				if c.Packets > before {
					out[at] = c.Packets - before
				}
				return true
			})
			second.Close()
			return out
		},
	}, nil
}
