package chains

// Every table of a few rules. A World lists the rules that each chain may have; its
// tables are all ways to fill the chains with a number of them. Every packet there
// is is sent through each, from every chain.
//
// What is left out, and why that loses nothing: chains that lead to earlier ones
// (of the worlds that say so) since every table without loops is one of those with
// its chains in another order; verdicts but one, since the engine hands verdicts on
// and does not look at them, and that of the policy is another; tables of more
// rules in a chain than the world says are what relations and histories are for.

import (
	"context"
	"fmt"
	"math"

	"github.com/hipac-go/classifier/rules"
)

// World is a finite number of tables and packets.
type World struct {
	Name     string
	Schema   *rules.Schema
	Policies []rules.Verdict // of the chains
	// Rules are those that a chain may have, by chain.
	Rules [][]rules.Rule[rules.Action]
	Most  int  // rules in all chains together
	More  bool // packets are Packets: rules have tests or targets

	keys   []rules.Key
	shapes []shape
}

// shape is how many rules the chains have.
type shape struct {
	rules  []int
	tables int
}

// prepare lists all packets and shapes.
func (w *World) prepare(absent bool) *World {
	k := w.Schema.NewKey()
	var packets func(f int)
	packets = func(f int) {
		if f == w.Schema.Len() {
			w.keys = append(w.keys, append(rules.Key(nil), k...))
			return
		}
		for v := range uint64(1) << w.Schema.Field(f).Bits {
			w.Schema.Set(k, f, rules.U64(v))
			packets(f + 1)
		}
		if absent {
			w.Schema.SetAbsent(k, f)
			packets(f + 1)
			w.Schema.Set(k, f, rules.Value{})
		}
	}
	packets(0)
	for total := range w.Most + 1 {
		var fill func(chain, left int, ns []int, tables int)
		fill = func(chain, left int, ns []int, tables int) {
			if chain == len(w.Rules)-1 {
				w.shapes = append(w.shapes, shape{append(ns[:chain:chain], left), times(tables, power(len(w.Rules[chain]), left))})
				return
			}
			for n := range left + 1 {
				fill(chain+1, left-n, append(ns[:chain:chain], n), times(tables, power(len(w.Rules[chain]), n)))
			}
		}
		fill(0, total, nil, 1)
	}
	return w
}

func power(n, e int) int {
	out := 1
	for range e {
		out = times(out, n)
	}
	return out
}

func times(a, b int) int {
	if b != 0 && a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}

// Packets returns the number of packets.
func (w *World) Packets() int { return len(w.keys) }

// Tables returns the number of tables of at most w.Most rules; at most MaxInt.
func (w *World) Tables() int {
	total := 0
	for _, s := range w.shapes {
		if total > math.MaxInt-s.tables {
			return math.MaxInt
		}
		total += s.tables
	}
	return total
}

// Table returns table number i, 0 <= i < Tables(). Those of fewer rules come first.
// Some worlds have tables that rules.Table.Check refuses.
func (w *World) Table(i int) (*rules.Table, error) {
	var s *shape
	for n := range w.shapes {
		if s = &w.shapes[n]; i < s.tables {
			break
		}
		i -= s.tables
	}
	t := &rules.Table{Name: "filter", Schema: w.Schema}
	for chain, n := range s.rules {
		b := rules.NewBuilder[rules.Action](w.Schema)
		for p := range n {
			of := w.Rules[chain]
			r := of[i%len(of)]
			i /= len(of)
			r.Value.Number = p + 1
			if _, err := b.Add(r); err != nil {
				return nil, err
			}
		}
		t.Chains = append(t.Chains, rules.Chain{Name: fmt.Sprint("c", chain), Policy: w.Policies[chain], Rules: b.List()})
	}
	return t, nil
}

// WorldReport says what was compared.
type WorldReport struct {
	Tables      int
	Refused     int // of those: with a loop, which every way refused
	Packets     int // sent through all tables from all chains
	Decided     int // of those, by a rule
	Comparisons int // answers compared with those of the walk
}

// Add adds another report.
func (r *WorldReport) Add(o WorldReport) {
	r.Tables += o.Tables
	r.Refused += o.Refused
	r.Packets += o.Packets
	r.Decided += o.Decided
	r.Comparisons += o.Comparisons
}

// Run compares the answers about all packets, sent from every chain through the
// tables from..to, to not included, of every way with those of the walk. A table
// that is refused must be refused by all. It returns the first difference as the
// error, or the context's. It is for one goroutine; parts of a world may run side
// by side.
func (w *World) Run(ctx context.Context, all []Way, from, to int) (WorldReport, error) {
	var report WorldReport
	q := &Inquiry{Keys: w.keys, More: w.More}
	for i := range w.Policies {
		q.Entries = append(q.Entries, i)
	}
	walk := Walk()
	for i := from; i < min(to, w.Tables()); i++ {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		t, err := w.Table(i)
		if err != nil {
			return report, err
		}
		if err := w.check(t, walk, all, q, &report); err != nil {
			return report, fmt.Errorf("world %s, table %d: %w", w.Name, i, err)
		}
	}
	return report, nil
}

func (w *World) check(t *rules.Table, walk Way, all []Way, q *Inquiry, report *WorldReport) error {
	report.Tables++
	a, refused := walk.Build(t)
	var want *Answers
	if refused == nil {
		var err error
		if want, err = Ask(walk.Name, t, a, q); err != nil {
			return err
		}
		report.Packets += len(want.All)
		report.Decided += want.Decided()
	} else {
		report.Refused++
	}
	for _, way := range all {
		a, err := way.Build(t)
		switch {
		case refused != nil && err == nil:
			return fmt.Errorf("%s: got no error for a table that is refused: %w", way.Name, refused)
		case refused != nil:
			report.Comparisons++
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", way.Name, err)
		}
		got, err := Ask(way.Name, t, a, q)
		if err != nil {
			return err
		}
		n, err := got.Compare(way.Name, t, q, want)
		report.Comparisons += n
		if err != nil {
			return err
		}
	}
	return nil
}
