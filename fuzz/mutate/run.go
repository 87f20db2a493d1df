package main

// A run: from packages to a report.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules/files"
)

type runCmd struct {
	Package    []string      `placeholder:"DIR" help:"Packages to mutate, by folder; the engine, its planner and updater and the decoder when not given."`
	File       []string      `placeholder:"NAME" help:"Files to mutate, by name; * and ? stand for any text and character."`
	Func       []string      `placeholder:"NAME" help:"Functions to mutate, such as (*Tree).First."`
	Sample     int           `placeholder:"N" help:"Take N mutants by chance."`
	Seed       uint64        `default:"1" placeholder:"N" help:"Seed of the sample (default 1)."`
	Minutes    float64       `placeholder:"N" help:"End after so long, with the report of what is known."`
	Results    string        `placeholder:"FILE" help:"Keep results in a file, one JSON line a mutant, and go on from it."`
	Again      bool          `help:"Run again what survived or was not covered, and nothing else."`
	Equivalent string        `placeholder:"FILE" help:"List of mutants that make no difference (default fuzz/mutate/equivalent.txt)."`
	All        bool          `help:"Run also the mutants of that list."`
	Own        bool          `help:"Run the own tests of the packages alone: quick, and survivors are run with the others by --again."`
	List       bool          `help:"Print the mutants, and run nothing."`
	Report     bool          `help:"Print the report of the results, and run nothing."`
	Budget     time.Duration `default:"10s" placeholder:"TIME" help:"Time for the own tests of a mutant, and again for the differential ones (default 10s)."`
	Patience   time.Duration `default:"3s" placeholder:"TIME" help:"Tests are ended after four times what they take without a mutant, and this (default 3s)."`
	Slowest    time.Duration `default:"20s" placeholder:"TIME" help:"Leave out tests that take longer (default 20s)."`
	Driver     float64       `placeholder:"MINUTES" help:"Let the driver of package fuzz run so long with what survives."`
	Memory     uint64        `default:"4096" placeholder:"MIB" help:"Address space of a process with a mutant (default 4096); Linux only."`
	Work       string        `placeholder:"DIR" help:"Folder for programs and for what is measured of the tests (default a folder of the user's cache)."`
}

const description = `mutate makes faults in copies of the code, one at a time, and reports how many
the tests catch.

Exit codes: 0 success, 1 something could not be read, built or run, 2 bad usage.`

// batchBytes bounds the text of the mutants in one program: it takes the compiler
// some ten seconds.
const batchBytes = 2 << 20

// target is a package to mutate, with the mutants of the run.
type target struct {
	area
	source  *sourcePackage
	mutants []*Mutation
}

// check tells what of the command line is not meant so.
func (c *runCmd) check() error {
	for _, pattern := range c.File {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return files.BadUsage("--file %s: not a pattern", pattern)
		}
	}
	if c.Sample < 0 || c.Minutes < 0 || c.Driver < 0 || c.Budget <= 0 || c.Slowest <= 0 || c.Patience <= 0 {
		return files.BadUsage("numbers and times must be positive")
	}
	if c.Report && c.Results == "" {
		return files.BadUsage("--report is of a file: name it with --results")
	}
	return nil
}

// Run runs the mutants, and prints the report.
func (c *runCmd) Run(a *app) (err error) {
	ctx := a.ctx
	if err := c.check(); err != nil {
		return err
	}
	if c.Minutes > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Minutes*float64(time.Minute)))
		defer cancel()
	}
	m, err := openModule(a.dir)
	if err != nil {
		return err
	}
	list, err := c.equivalents(m)
	if err != nil {
		return err
	}
	targets, err := c.targets(m)
	if err != nil {
		return err
	}
	if c.List {
		return c.list(a, targets)
	}
	kept, err := openResults(c.Results)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.close()) }()
	r := &runner{cmd: c, app: a, module: m, list: list, results: kept, entries: map[*Mutation]*entry{}, broken: map[*Mutation]bool{}}
	for _, t := range targets {
		for _, mutant := range t.mutants {
			r.entries[mutant] = list.of(mutant)
		}
	}
	if !c.Report {
		if err := r.run(ctx, targets); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return r.summary(targets).print(a.stdout)
}

// equivalents reads the list. The default one need not be there.
func (c *runCmd) equivalents(m *module) (equivalents, error) {
	if c.Equivalent != "" {
		return readEquivalents(c.Equivalent)
	}
	list, err := readEquivalents(filepath.Join(m.root, "fuzz", "mutate", "equivalent.txt"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// targets loads the packages and chooses mutants.
func (c *runCmd) targets(m *module) (targets []*target, err error) {
	total := 0
	for _, area := range areas(c.Package) {
		packages, err := m.load("./" + area.pkg)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			t := &target{area: area, source: p}
			for _, f := range p.files {
				if name := filepath.Base(f.path); slices.Contains(area.without, name) && len(c.File) == 0 || !chosen(c.File, name) {
					continue
				}
				for _, mutant := range f.mutations() {
					if chosen(c.Func, mutant.Func) {
						t.mutants = append(t.mutants, mutant)
					}
				}
			}
			total += len(t.mutants)
			targets = append(targets, t)
		}
	}
	if total == 0 {
		return nil, files.BadUsage("nothing to mutate: no such file or function in the packages")
	}
	if c.Sample > 0 && c.Sample < total {
		sample(targets, total, c.Sample, c.Seed)
	}
	return targets, nil
}

// chosen reports whether a name is among those asked for; no patterns are all.
func chosen(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := filepath.Match(p, name)
		return ok || p == name
	})
}

// sample leaves n mutants of all.
func sample(targets []*target, total, n int, seed uint64) {
	take := map[int]bool{}
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(total)[:n] {
		take[i] = true
	}
	at := 0
	for _, t := range targets {
		t.mutants = slices.DeleteFunc(t.mutants, func(*Mutation) bool { at++; return !take[at-1] })
	}
}

// list prints mutants.
func (c *runCmd) list(a *app, targets []*target) error {
	n := 0
	for _, t := range targets {
		for _, m := range t.mutants {
			n++
			if _, err := fmt.Fprintf(a.stdout, "%s:%d %s %s\n- %s\n+ %s\n\n", m.File, m.Line, m.Func, m.Op, m.Before, m.After); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%d mutants, with those that may not compile.\n", n)
	return err
}

// runner runs mutants.
type runner struct {
	cmd     *runCmd
	app     *app
	module  *module
	list    equivalents
	results *results
	entries map[*Mutation]*entry
	broken  map[*Mutation]bool
	done    int
	todo    int
	started time.Time
}

// due reports whether a mutant is to be run.
func (r *runner) due(m *Mutation) bool {
	if r.entries[m] != nil && !r.cmd.All {
		return false
	}
	known := r.results.of(m)
	if r.cmd.Again {
		return known != nil && (known.Outcome == survived || known.Outcome == uncovered)
	}
	return known == nil
}

func (r *runner) run(ctx context.Context, targets []*target) error {
	r.started = time.Now()
	for _, t := range targets {
		for _, m := range t.mutants {
			if r.due(m) {
				r.todo++
			}
		}
	}
	work, err := r.work()
	if err != nil {
		return err
	}
	for _, t := range targets {
		due := slices.DeleteFunc(slices.Clone(t.mutants), func(m *Mutation) bool { return !r.due(m) })
		if len(due) == 0 {
			continue
		}
		if err := r.target(ctx, t, due, work); err != nil {
			return err
		}
	}
	return nil
}

// work returns the folder for what is kept from run to run.
func (r *runner) work() (string, error) {
	dir := r.cmd.Work
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for programs, name one with --work: %w", err)
		}
		dir = filepath.Join(cache, "classifier-mutate")
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// target measures the suites of a package, and runs its mutants in batches.
func (r *runner) target(ctx context.Context, t *target, due []*Mutation, work string) error {
	suites, err := r.suites(t)
	if err != nil {
		return err
	}
	var packages []string
	for _, a := range engine {
		packages = append(packages, "./"+a.pkg)
	}
	if !slices.ContainsFunc(engine, func(a area) bool { return a.pkg == t.pkg }) {
		packages = []string{"./" + t.pkg}
	}
	reached := &coverage{}
	for _, s := range suites {
		measured, err := r.module.cover(ctx, s, packages, work, r.cmd.Slowest, r.tell)
		if err != nil {
			return err
		}
		reached.add(measured)
	}
	driver, err := r.driver()
	if err != nil {
		return err
	}
	for _, batch := range batches(due) {
		if err := r.batch(ctx, t, batch, reached, work, driver); err != nil {
			return err
		}
	}
	return nil
}

// suites returns the tests that look at a package, its own first.
func (r *runner) suites(t *target) (suites []*suite, err error) {
	others := t.suites
	if r.cmd.Own {
		others = nil
	}
	for i, pattern := range append([]string{"./" + t.pkg}, others...) {
		packages, err := r.module.list(false, pattern)
		if err != nil {
			return nil, err
		}
		for _, l := range packages {
			suites = append(suites, &suite{path: l.ImportPath, dir: l.Dir, own: i == 0})
		}
	}
	return suites, nil
}

// driver returns the package of the driver, when it is wanted and there.
func (r *runner) driver() (string, error) {
	if r.cmd.Driver == 0 {
		return "", nil
	}
	packages, err := r.module.list(false, "./fuzz")
	if err != nil {
		return "", err
	}
	if len(packages) != 1 || packages[0].Name != "main" || len(packages[0].GoFiles) == 0 {
		return "", errors.New("--driver: package fuzz is no program")
	}
	return "./fuzz", nil
}

// batches splits mutants by the text that they take in a program.
func batches(due []*Mutation) (out [][]*Mutation) {
	size := 0
	for _, m := range due {
		n := m.function.end - m.function.start
		if len(out) == 0 || size+n > batchBytes {
			out, size = append(out, nil), 0
		}
		size += n
		out[len(out)-1] = append(out[len(out)-1], m)
	}
	return out
}

const brokenOutcome = "does not compile"

// batch builds a program with mutants and runs each.
func (r *runner) batch(ctx context.Context, t *target, mutants []*Mutation, reached *coverage, work, driver string) (err error) {
	dir, err := os.MkdirTemp(work, "build-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	temp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	r.tell(fmt.Sprintf("%s: building %d mutants", t.pkg, len(mutants)))
	b, err := r.module.newBuild(t.source, mutants, dir)
	if err != nil {
		return err
	}
	for _, m := range b.broken {
		r.done++
		if err := r.results.add(m, verdict{Outcome: brokenOutcome}); err != nil {
			return err
		}
	}
	j := &judge{build: b, coverage: reached, memory: r.cmd.Memory << 20, budget: r.cmd.Budget, patience: r.cmd.Patience, driver: driver, minutes: r.cmd.Driver, temp: temp}
	for _, m := range b.schema.mutants {
		v, err := j.judge(ctx, m)
		if err != nil {
			return err
		}
		r.done++
		if err := r.results.add(m, v); err != nil {
			return err
		}
		if v.Outcome != caught {
			r.say(fmt.Sprintf("%s:%d %s %s: %s  ->  %s", m.File, m.Line, m.Func, v.Outcome, m.Before, m.After))
		}
		r.tell(fmt.Sprintf("%s:%d", m.File, m.Line))
	}
	return nil
}

// say prints a line.
func (r *runner) say(what string) {
	r.app.clear()
	fmt.Fprintln(r.app.stderr, what)
}

// tell shows what the run is at, on a terminal.
func (r *runner) tell(what string) {
	if r.app.terminal {
		fmt.Fprintf(r.app.stderr, "\r\033[K%d of %d, %s: %s", r.done, r.todo, time.Since(r.started).Round(time.Second), strings.TrimSpace(what))
	}
}

// summary counts what is known.
func (r *runner) summary(targets []*target) *summary {
	s := &summary{}
	for _, t := range targets {
		for _, m := range t.mutants {
			known, e := r.results.of(m), r.entries[m]
			switch {
			case known != nil && known.Outcome == brokenOutcome:
				s.broken++
			case known != nil:
				s.count(t.pkg, m, known.verdict, e)
			case e != nil:
				s.count(t.pkg, m, verdict{Outcome: exempt}, e)
			default:
				s.unjudged++
			}
		}
	}
	if c := r.cmd; len(c.Package) == 0 && len(c.File) == 0 && len(c.Func) == 0 && c.Sample == 0 {
		s.unmatched = r.list.unused()
	}
	return s
}
