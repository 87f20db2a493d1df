// Command fuzz looks for wrong answers for as long as asked: it draws rules and
// packets, asks everything that answers, and compares.
//
//	go run ./fuzz --minutes 10 [--rules FILE] [--seed N] [--kernel] [--peers]
//
// What it does is in package fuzz/exercises: random lists, generated sets and
// mutations of them, tables of chains, small worlds, cells, relations, histories of
// edits, formats, and the bytes of packets, side by side on all cores. What differs is
// shrunken to the fewest rules and the narrowest packet, told with both answers, and
// written as a file (package fuzz/cases), which a test of this folder checks from
// then on when it is in testdata/regress.
//
// The tests of this folder are the regression over generated sets and the fuzz
// targets over lists and tables.
package main

// This file: the command line, and what comes of a run.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/fuzz/exercises"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/files/commandline"
)

const description = `fuzz looks for wrong answers: it draws rules and packets for as long as asked,
asks everything that answers, and compares with the linear matcher.

Exit codes: 0 no difference; 1 a difference, a kind of node, a path or a relation
that was never exercised in a run of a minute or more, an interrupted run, or bad
data; 2 bad usage.`

// cli is the command line.
type cli struct {
	Minutes float64  `default:"1" placeholder:"N" help:"How long (default 1); fractions are allowed. The run ends within 5 seconds of that time."`
	Seed    uint64   `placeholder:"N" help:"What is drawn depends on it; printed when it is not given."`
	Kernel  bool     `help:"Compare with the running kernel too, where that is possible (Linux, root). Of your rules it is given the built-in chains of iptables and plain lists, as far as they ask for nothing but the packet."`
	Peers   bool     `help:"Compare with classifiers of other projects too, where they can be built (bench/peers); the first time that takes minutes."`
	Out     string   `placeholder:"DIR" help:"Where to write differences (default: fuzz/testdata/regress within the repository, else the current directory)."`
	Only    string   `placeholder:"TEXT" help:"Only the exercises whose names have the text in them."`
	First   bool     `help:"End with the first difference."`
	Workers *int     `placeholder:"N" help:"Cases under way at a time (default: the number of cores)."`
	Replay  []string `sep:"none" placeholder:"FILE" help:"Check files of differences, and nothing else."`

	files.RuleFlags `group:"Your own rules"`
}

// Help is shown behind the flags.
func (cli) Help() string {
	return `Examples:

    fuzz --minutes 10
    fuzz --minutes 60 --rules office.rules
    fuzz --minutes 5 --only relation --seed 7

Progress goes to standard error; the last line of standard output is a summary. What
differs is shrunken, told, and written as a file, which go test ./fuzz checks from
then on where it is in fuzz/testdata/regress.`
}

// app is what a run is given of the world, so that tests can give it another one.
type app struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool       // stderr is one
	width          func() int // of it
	now            func() time.Time
	wrong          drive.Wrong
	line           *liveLine
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	a := &app{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: term.IsTerminal(int(os.Stderr.Fd())), now: time.Now,
		width: func() int {
			n, _, _ := term.GetSize(int(os.Stderr.Fd()))
			return n
		}}
	os.Exit(a.run(os.Args[1:]))
}

func (a *app) run(args []string) int {
	p := &commandline.Program{Name: "fuzz", Description: description, Stdout: a.stdout, Stderr: a.stderr, Before: func() { a.line.clear() }}
	return p.Run(&cli{}, args, a)
}

// mostMinutes is a year.
const mostMinutes = 365 * 24 * 60

// Run runs the exercises.
func (c *cli) Run(a *app) error {
	if !(c.Minutes > 0 && c.Minutes <= mostMinutes) {
		return files.BadUsage("--minutes %v: not above 0 and up to %d", c.Minutes, mostMinutes)
	}
	workers := runtime.GOMAXPROCS(0)
	if c.Workers != nil {
		workers = *c.Workers
	}
	if workers < 1 || workers > 1024 {
		return files.BadUsage("--workers %d: not in 1..1024", workers)
	}
	if c.Rules == "" {
		if name := c.RuleFlags.Given(); name != "" {
			return files.BadUsage("--%s is about your rules, and there is no --rules", name)
		}
	}
	out, err := c.outDir()
	if err != nil {
		return err
	}
	if c.Replay != nil {
		return a.replay(c.Replay)
	}
	all, skipped, done, err := c.exercises(a)
	defer done()
	if err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = uint64(a.now().UnixNano()) % 1_000_000_000
	}
	o := drive.Options{Exercises: all, Time: time.Duration(c.Minutes * float64(time.Minute)), Seed: c.Seed, Workers: workers, First: c.First, Wrong: a.wrong}
	a.line = &liveLine{w: a.stderr, terminal: a.terminal, width: a.width, total: o.Time}
	o.Progress, o.Every = a.line.show, a.line.every()
	o.Found = func(d *drive.Difference) {
		a.line.clear()
		a.found(out, d)
	}
	fmt.Fprintf(a.stdout, "%d exercises for %s on %d workers, seed %d\n", len(all), o.Time, o.Workers, c.Seed)
	for _, s := range skipped {
		fmt.Fprintf(a.stdout, "skipped: %s\n", s)
	}
	r := drive.Run(a.ctx, o)
	a.line.clear()
	printReport(a.stdout, r, c.Seed)
	return verdict(r, c.Only == "", c.Rules == "")
}

// exercises returns those that are asked for, what is left out and why, and a
// function that ends what they started.
func (c *cli) exercises(a *app) (all []*drive.Exercise, skipped []string, done func(), err error) {
	done = func() {}
	all = exercises.All()
	var set *files.Rules
	if c.Rules != "" {
		own, read, err := a.own(&c.RuleFlags)
		if err != nil {
			return nil, nil, done, err
		}
		all, set = append(own, all...), read
	}
	if c.Kernel {
		ways, without := exercises.Kernel()
		all = append(all, ways...)
		for _, reason := range without {
			skipped = append(skipped, "the kernel, "+reason)
		}
	}
	if c.Kernel && set != nil {
		own, without, err := exercises.OwnKernel(set)
		if err != nil {
			return nil, nil, done, files.Error(set.Name, err)
		}
		all = append(all, own...)
		for _, reason := range without {
			skipped = append(skipped, "your rules in the kernel: "+reason)
		}
	}
	if c.Peers {
		var peers []*drive.Exercise
		var without []string
		if peers, without, done, err = exercises.Peers(a.ctx); err != nil {
			return nil, nil, done, err
		}
		all = append(all, peers...)
		skipped = append(skipped, without...)
	}
	if c.Only == "" {
		return all, skipped, done, nil
	}
	var only []*drive.Exercise
	for _, e := range all {
		if strings.Contains(e.Name, c.Only) {
			only = append(only, e)
		}
	}
	if only == nil {
		return nil, nil, done, files.BadUsage("--only %q: no exercise has that in its name", c.Only)
	}
	return only, skipped, done, nil
}

// own reads the user's rules and returns them with the exercises about them.
func (a *app) own(f *files.RuleFlags) ([]*drive.Exercise, *files.Rules, error) {
	r, name, done, err := files.Open(f.Rules, a.stdin)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	set, err := files.ReadRules(r, name, f)
	if err != nil {
		return nil, nil, err
	}
	own, err := exercises.Own(set)
	if err != nil {
		return nil, nil, files.Error(name, err)
	}
	return own, set, nil
}

// whole is the time from which a run must have exercised everything.
const whole = time.Minute

// leastHits and mostHits are the share of packets that rules decide, between which
// answers mean something. A user's own rules may decide all packets.
const leastHits, mostHits = 0.2, 0.8

// verdict says what is wrong with what came of a run of all exercises or some, with
// a user's own rules or drawn ones alone; nil: nothing.
func verdict(r *drive.Report, all, drawn bool) error {
	var errs []error
	if r.Differences > 0 {
		errs = append(errs, fmt.Errorf("%s", counted(r.Differences, "difference")))
	}
	for _, s := range r.Stuck {
		errs = append(errs, errors.New(s))
	}
	if all && r.Elapsed >= whole && len(r.Missing) > 0 {
		errs = append(errs, fmt.Errorf("never exercised: %s", strings.Join(r.Missing, "; ")))
	}
	if share := r.Total.Share(); all && drawn && r.Elapsed >= whole && (share < leastHits || share > mostHits) {
		errs = append(errs, fmt.Errorf("hits %.0f%%: not between %.0f%% and %.0f%%", 100*share, 100*leastHits, 100*mostHits))
	}
	if r.Interrupted {
		errs = append(errs, errors.New("interrupted"))
	}
	return errors.Join(errs...)
}
