// Command mutate tells whether the tests find bugs: it makes faults in copies of
// the code, one at a time, and reports how many the tests catch.
//
//	go run ./fuzz/mutate                                 everything, for hours
//	go run ./fuzz/mutate --sample 300 --results FILE     some of it, and to go on with
//	go run ./fuzz/mutate --package hipac/internal/tree --file lookup.go
//	go run ./fuzz/mutate --results FILE --report         what is known
//
// A fault is a mechanical change of the engine, the planner, the updater or the
// decoder: a comparison is flipped at its border, an index shifted by one, an
// early return left out (operators.go has the list). The tests that reach it are
// run, the package's own first, then the differential ones, until one fails. What
// nothing catches survives, and is listed with the change: either a test is
// missing, or the change makes no difference. Mutants of which that was shown are
// in equivalent.txt, with the reason.
//
// # How it is fast
//
// Many mutants are compiled into one program, and the environment chooses one
// (schema.go). With a build for each, by -overlay alone, a mutant costs the time to
// compile the package and what imports it, and to link each program of tests.
// A test is run only for mutants on lines that it reaches, which is measured once
// (suite.go), and those that take little time come first (judge.go).
//
// # What is not mutated
//
// Declarations outside functions, assembly, and files that only print and
// measure. A test that fails in a program with mutants while none is chosen, such
// as one that looks at what the compiler inlines, is not used.
package main

// This file: the command line.

import (
	"context"
	"io"
	"os"
	"os/signal"

	"golang.org/x/term"

	"github.com/hipac-go/classifier/rules/files/commandline"
)

// app is what a run is given of the world.
type app struct {
	ctx            context.Context
	stdout, stderr io.Writer
	terminal       bool
	dir            string // below the root of the module
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	a := &app{ctx: ctx, stdout: os.Stdout, stderr: os.Stderr, terminal: term.IsTerminal(int(os.Stderr.Fd())), dir: "."}
	code := a.run(os.Args[1:])
	stop()
	os.Exit(code)
}

func (a *app) run(args []string) int {
	p := &commandline.Program{Name: "mutate", Description: description, Stdout: a.stdout, Stderr: a.stderr, Before: a.clear}
	return p.Run(new(runCmd), args, a)
}

// clear takes the line away that shows progress.
func (a *app) clear() {
	if a.terminal {
		_, _ = io.WriteString(a.stderr, "\r\033[K")
	}
}
