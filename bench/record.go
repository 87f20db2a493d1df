package main

// What a measuring command has found: lines in the format of Go's benchmarks,
// printed as they come, and points and gaps for --json.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules/files"
)

// recorder takes what a command measures. It is for one goroutine.
type recorder struct {
	a     *app
	lines io.Writer // of benchmarks, or nil
	head  bool      // was written
	run   results.Run
	wrong []error
	ended error             // why not all was measured that was asked for; nil when time ran out
	err   error             // of writing
	stop  func(cause error) // is called with it; nil for nobody
}

// recording returns a recorder, and a context that ends with an interrupt or when
// the recorder cannot write. Input is read before, so that an interrupt ends the
// wait for it.
func (a *app) recording(asJSON bool) (ctx context.Context, rec *recorder, stop func()) {
	ctx, stop = interruptible()
	ctx, cancel := context.WithCancelCause(ctx)
	rec = a.newRecorder(asJSON)
	rec.stop = cancel
	return ctx, rec, stop
}

// newRecorder returns a recorder that prints lines of benchmarks, or nothing
// until end when the points are asked for as JSON.
func (a *app) newRecorder(asJSON bool) *recorder {
	r := &recorder{a: a, run: results.Run{Machine: thisMachine(), Commands: []string{a.commandLine()}, Points: []results.Point{}}}
	if !asJSON {
		r.lines = a.stdout
	}
	return r
}

// commandLine returns the command that was given, for a shell.
func (a *app) commandLine() string {
	words := []string{"bench"}
	for _, w := range a.args {
		if strings.ContainsFunc(w, func(c rune) bool { return !strings.ContainsRune("-_=,./:+@%", c) && !isAlphanumeric(c) }) || w == "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func isAlphanumeric(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// point records a value, the median of those of several rounds.
func (r *recorder) point(p results.Point, rounds ...float64) {
	p.Value = quantileOf(rounds, 0.5)
	if p.Rounds = len(rounds); p.Rounds > 1 {
		p.Low, p.High = quantileOf(rounds, 0.25), quantileOf(rounds, 0.75)
	}
	r.run.Points = append(r.run.Points, p)
}

// engine records what an engine is, the same one once.
func (r *recorder) engine(e results.Engine) {
	e.Source, e.Note = files.Printable(e.Source), files.Printable(e.Note)
	if !slices.ContainsFunc(r.run.Engines, func(known results.Engine) bool { return known.Name == e.Name }) {
		r.run.Engines = append(r.run.Engines, e)
	}
}

// quantileOf returns a quantile of values: the smallest that so many of them are
// not above.
func quantileOf(x []float64, q float64) float64 {
	if len(x) == 0 {
		return 0
	}
	x = slices.Clone(x)
	slices.Sort(x)
	return x[max(0, int(math.Ceil(q*float64(len(x))))-1)]
}

// gap records what could not be measured, and tells it, once. The error says why;
// one of wrong answers is what the command ends with. What was not measured since
// the context had ended is recorded with its cause, and not told: the end of the
// command says it of all.
func (r *recorder) gap(ctx context.Context, g results.Gap, err error) {
	if ctx.Err() != nil && !errors.As(err, new(*compare.WrongError)) && !errors.Is(err, errWrongVerdict) {
		r.missing(g, context.Cause(ctx))
		return
	}
	known := len(r.run.Missing)
	g = r.missing(g, err)
	if len(r.run.Missing) == known {
		return
	}
	where := g.Engine
	if g.Set != "" {
		where += fmt.Sprintf(", %s, %d rules", g.Set, g.Rules)
	}
	if errors.As(err, new(*compare.WrongError)) {
		r.wrong = append(r.wrong, fmt.Errorf("%s: %s", where, g.Why))
		return
	}
	r.a.warn("%s: not measured: %s", where, g.Why)
}

// missing records what could not be measured, the same thing once.
func (r *recorder) missing(g results.Gap, err error) results.Gap {
	g.Why = files.Printable(withoutName(err, g.Engine))
	if !slices.Contains(r.run.Missing, g) {
		r.run.Missing = append(r.run.Missing, g)
	}
	return g
}

// has reports whether it is recorded that something could not be measured for a
// reason.
func (r *recorder) has(g results.Gap, err error) bool {
	g.Why = files.Printable(withoutName(err, g.Engine))
	return slices.Contains(r.run.Missing, g)
}

// withoutName returns an error's text without the name that it begins with.
func withoutName(err error, name string) string {
	text, found := err.Error(), true
	for found {
		text, found = strings.CutPrefix(text, name+": ")
	}
	return text
}

// label is a part of a benchmark's name.
type label struct {
	key   string
	value any
}

// figure is a value of a benchmark's line.
type figure struct {
	value float64
	unit  string
}

// line prints a benchmark's result: what was done so many times, and what each
// time took. benchstat takes lines of the same name for rounds of the same.
func (r *recorder) line(name string, labels []label, times int, figures ...figure) {
	if r.lines == nil || r.err != nil {
		return
	}
	var b strings.Builder
	if !r.head {
		r.head = true
		fmt.Fprintf(&b, "goos: %s\ngoarch: %s\npkg: %s/bench\n", runtime.GOOS, runtime.GOARCH, modulePath)
		if cpu := r.run.Machine.CPU; cpu != "" {
			fmt.Fprintf(&b, "cpu: %s\n", cpu)
		}
	}
	b.WriteString("Benchmark" + name)
	for _, l := range labels {
		fmt.Fprintf(&b, "/%s=%s", l.key, labelText(fmt.Sprint(l.value)))
	}
	fmt.Fprintf(&b, "\t%d", max(1, times))
	for _, f := range figures {
		fmt.Fprintf(&b, "\t%s %s", strconv.FormatFloat(f.value, 'f', digitsOf(f.value), 64), f.unit)
	}
	b.WriteByte('\n')
	r.a.bar.done()
	if _, r.err = io.WriteString(r.lines, b.String()); r.err != nil && r.stop != nil {
		r.stop(r.err)
	}
}

// labelText makes a text fit for the name of a benchmark: without spaces, and
// without slashes, which end a part of it.
func labelText(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c == '/' || c == 0x7f {
			return '_'
		}
		return c
	}, files.Printable(s))
}

// digitsOf returns how many digits behind the point make four figures.
func digitsOf(x float64) int {
	switch x = math.Abs(x); {
	case x == math.Trunc(x), x >= 1000:
		return 0
	case x >= 100:
		return 1
	case x >= 10:
		return 2
	case x >= 1:
		return 3
	}
	return 6
}

// errNothing is the end of a command that has no figure for anybody.
var errNothing = errors.New("nothing was measured")

// empty reports whether nothing was measured.
func (r *recorder) empty() bool { return len(r.run.Points) == 0 && !r.head }

// end prints the points where they were asked for as JSON, and returns what was
// wrong, what the command ended with before all was done, or that there is nothing.
func (r *recorder) end() error {
	if r.lines == nil && r.err == nil {
		r.err = r.run.Write(r.a.stdout)
	}
	all := r.wrong
	switch {
	case errors.Is(r.err, syscall.EPIPE) && len(all) > 0: // would be no failure
	case r.err != nil:
		all = append(all, r.err)
	case r.ended != nil:
		all = append(all, r.ended)
	case r.empty() && len(r.wrong) == 0:
		all = append(all, errNothing)
	}
	return errors.Join(all...)
}

// cut notes that the context ended before all parts were measured: how many are
// missing or not whole, and from which one on. That the time for all was over is a
// warning, anything else what the command ends with.
func (r *recorder) cut(ctx context.Context, missing, of int, first string) {
	err := fmt.Errorf("%w: %d of %d parts are missing or not whole, from %s on", context.Cause(ctx), missing, of, first)
	switch {
	case r.empty():
		r.ended = fmt.Errorf("%w before anything was measured", context.Cause(ctx))
	case errors.Is(err, errTimeUp):
		r.a.complain(err)
	default:
		r.ended = err
	}
}
