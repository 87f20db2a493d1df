// Package smallworld asks everything rather than samples. A World is a set of rules over
// tiny fields, small enough that every list of up to so many of them can be made,
// and every packet looked up, in every way that the library has. Cells does what
// is possible of that for lists of any size: it cuts the fields at all ends of
// intervals, and checks the corners of cells between the cuts.
package smallworld

import (
	"context"
	"fmt"
	"math"

	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// World is a finite number of rules and packets.
type World struct {
	Name   string
	Schema *rules.Schema
	Rules  []rules.Rule[int] // every rule there is
	Most   int               // rules in a list
	keys   []uint32          // every packet there is
}

// newWorld makes the world whose rules are all combinations of one of the
// conditions of each field, nil being none, terminal and, with both, Continue.
func newWorld(name string, most int, both, absent bool, bits []int, conds ...[]*rules.Cond) *World {
	fields := make([]rules.Field, len(bits))
	for i, b := range bits {
		fields[i] = rules.Field{Name: string(rune('a' + i)), Bits: b}
	}
	w := &World{Name: name, Schema: rules.MustSchema(fields...), Most: most}
	var combine func(f int, with []rules.Cond)
	combine = func(f int, with []rules.Cond) {
		if f == len(bits) {
			w.Rules = append(w.Rules, rules.Rule[int]{Conds: with})
			if both {
				w.Rules = append(w.Rules, rules.Rule[int]{Conds: with, Continue: true})
			}
			return
		}
		for _, c := range conds[f] {
			if c == nil {
				combine(f+1, with)
			} else {
				combine(f+1, append(with[:len(with):len(with)], c.On(f)))
			}
		}
	}
	combine(0, nil)
	k := w.Schema.NewKey()
	var packets func(f int)
	packets = func(f int) {
		if f == len(bits) {
			w.keys = append(w.keys, k...)
			return
		}
		for v := range uint64(1) << bits[f] {
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
	return w
}

// Packets returns the number of packets.
func (w *World) Packets() int { return len(w.keys) / w.Schema.KeyLen() }

// Lists returns the number of lists of at most w.Most rules, each any of w.Rules:
// 1 + n + n^2 ...; at most MaxInt.
func (w *World) Lists() int {
	total, of := 1, 1
	for range w.Most {
		if of > math.MaxInt/max(len(w.Rules), 1)-total {
			return math.MaxInt
		}
		of *= len(w.Rules)
		total += of
	}
	return total
}

// List returns list number i, 0 <= i < Lists(), whose values are its positions.
// Shorter lists come first.
func (w *World) List(i int) (*rules.List[int], error) {
	n, of := 0, 1
	for i >= of {
		i -= of
		of *= len(w.Rules)
		n++
	}
	b := rules.NewBuilder[int](w.Schema)
	for p := range n {
		r := w.Rules[i%len(w.Rules)]
		r.Value = p
		i /= len(w.Rules)
		if _, err := b.Add(r); err != nil {
			return nil, err
		}
	}
	return b.List(), nil
}

// Report says what was compared.
type Report struct {
	Lists       int
	Packets     int // of all lists
	Matched     int // of those
	Comparisons int // answers compared with those of the linear matcher
}

// Add adds another report.
func (r *Report) Add(o Report) {
	r.Lists += o.Lists
	r.Packets += o.Packets
	r.Matched += o.Matched
	r.Comparisons += o.Comparisons
}

// Run compares the answers about all packets of the lists from..to, to not
// included, of every way with those of the linear matcher. It returns the first
// difference as the error, or the context's. It is for one goroutine; parts of a
// world may run side by side. In small worlds it compares some four million
// answers a second, builds included.
func (w *World) Run(ctx context.Context, all []ways.Way, from, to int) (Report, error) {
	var report Report
	linear := ways.Linear()
	for i := from; i < min(to, w.Lists()); i++ {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		l, err := w.List(i)
		if err != nil {
			return report, err
		}
		a, err := linear.Build(l)
		if err != nil {
			return report, err
		}
		want := ways.Ask(w.Schema, a, w.keys, true)
		report.Lists++
		report.Packets += w.Packets()
		report.Matched += want.Matched()
		for _, way := range all {
			a, err := way.Build(l)
			if err != nil {
				return report, fmt.Errorf("world %s, list %d: %w", w.Name, i, err)
			}
			n, err := ways.Ask(w.Schema, a, w.keys, true).Compare(way.Name, w.Schema, w.keys, want)
			report.Comparisons += n
			if err != nil {
				return report, fmt.Errorf("world %s, list %d: %w", w.Name, i, err)
			}
		}
	}
	return report, nil
}
