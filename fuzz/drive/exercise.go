// Package drive runs exercises side by side for as long as asked: each makes a
// case from a seed and checks it, and counts what it did and what it reached. A
// case that differs is shrunken, explained and written as a file.
//
// It knows nothing of rules but the ways to look packets up, which it can make
// wrong on purpose (package fuzz/ways); what there is to do is in package
// fuzz/exercises, and what can be shrunken and replayed in fuzz/cases.
//
//	exercise.go  what an exercise is given, and gives back
//	driver.go    workers, time, differences
//	report.go    what was done, and what was never reached
package drive

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"

	"github.com/hipac-go/classifier/fuzz/chains"
	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// Counts is what was done.
type Counts struct {
	Cases        int64
	Rules        int64 // of lists and tables, or lines of files
	Packets      int64 // of which Hits are decided by a rule, and Misses by none, or by one for every packet
	Hits, Misses int64
	Cells        int64
	Answers      int64 // compared
}

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Cases += o.Cases
	c.Rules += o.Rules
	c.Packets += o.Packets
	c.Hits += o.Hits
	c.Misses += o.Misses
	c.Cells += o.Cells
	c.Answers += o.Answers
}

// Share returns the share of hits among the packets that are hits or misses; 0.5
// for none.
func (c *Counts) Share() float64 {
	if c.Hits+c.Misses == 0 {
		return 0.5
	}
	return float64(c.Hits) / float64(c.Hits+c.Misses)
}

// Exercise makes and checks cases.
type Exercise struct {
	Name string
	// Group is the heading under which it is counted.
	Group string
	// Weight is its part of the time; 0 means 1.
	Weight float64
	// Points are what it is to reach sooner or later; see Trial.Reach. One that has
	// run and found no difference has reached its own name.
	Points []string
	// Run makes one case and checks it, in less than a second as a rule. It returns
	// the first difference, a *Failure when it can be shrunken, and the context's
	// error when that ends. Goroutines call it side by side.
	Run func(ctx context.Context, t *Trial) error
}

// Trial is what one case is given and what it gives back. It is for one goroutine.
type Trial struct {
	// Seed is all that a case depends on, and Number, which counts the cases of the
	// exercise from 0.
	Seed   uint64
	Number int64
	Rand   *rand.Rand
	Counts Counts

	wrong   Wrong
	reached map[string]bool
}

// Wrong makes ways wrong, for tests; nil functions do not.
type Wrong struct {
	Lists  func(ways.Way) ways.Way
	Tables func(chains.Way) chains.Way
}

// List returns what becomes of a way to look up in lists.
func (x Wrong) List(w ways.Way) ways.Way {
	if x.Lists != nil {
		return x.Lists(w)
	}
	return w
}

// Table returns what becomes of a way to evaluate tables.
func (x Wrong) Table(w chains.Way) chains.Way {
	if x.Tables != nil {
		return x.Tables(w)
	}
	return w
}

// NewTrial returns the trial of a number of an exercise in a run of a seed.
func NewTrial(exercise string, seed uint64, number int64, wrong Wrong) *Trial {
	h := fnv.New64a()
	io.WriteString(h, exercise)
	r := rand.New(rand.NewPCG(seed^h.Sum64(), uint64(number)))
	s := r.Uint64()
	return &Trial{Seed: s, Number: number, Rand: rand.New(rand.NewPCG(s, 0xd217e)), wrong: wrong, reached: map[string]bool{}}
}

// Reach says that points of coverage were reached.
func (t *Trial) Reach(points ...string) {
	for _, p := range points {
		t.reached[p] = true
	}
}

// ReachIf reaches a point when there is something.
func (t *Trial) ReachIf(something bool, point string) {
	if something {
		t.reached[point] = true
	}
}

// Wrap returns a way that reaches "way: NAME" when it is asked, and is as wrong as
// the run wants it to be.
func (t *Trial) Wrap(w ways.Way) ways.Way {
	name := w.Name
	w = t.wrong.List(w)
	build := w.Build
	w.Build = func(l *rules.List[int]) (*ways.Answerer, error) {
		a, err := build(l)
		if err != nil {
			return nil, err
		}
		return t.Asked(name, a), nil
	}
	return w
}

// Wrong returns a way that is as wrong as the run wants it to be, and that other
// trials may use too.
func (t *Trial) Wrong(w ways.Way) ways.Way {
	return t.wrong.List(w)
}

// WrongTable is Wrong for ways to evaluate tables.
func (t *Trial) WrongTable(w chains.Way) chains.Way { return t.wrong.Table(w) }

// Asked returns an Answerer that reaches "way: NAME" when it is asked.
func (t *Trial) Asked(name string, a *ways.Answerer) *ways.Answerer {
	c := *a
	c.First = func(keys []uint32, out []int) {
		t.reached["way: "+name] = true
		a.First(keys, out)
	}
	return &c
}

// Failure is a difference with the case that it is of.
type Failure struct {
	Err  error
	Case Case
}

// Error returns the difference.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the difference.
func (f *Failure) Unwrap() error { return f.Err }

// Case is something to check that can be made smaller, told, written and read.
type Case interface {
	// Check checks it again and returns the difference, nil when there is none.
	Check() error
	// Shrink returns a smaller case that still differs, as small as is found until
	// the context ends.
	Shrink(ctx context.Context) Case
	// Size says how large it is: "2 rules, 1 packet".
	Size() string
	// Explain writes the answers and why, for people.
	Explain(w io.Writer)
	// Write writes it as a file; package fuzz/cases reads it again.
	Write(w io.Writer) error
}

// ended reports whether an error is that of a context.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
