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

// This file: from the arguments to a run, and from errors to the exit code.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// Exit codes. Survivors are no error: the report is what was asked for.
const (
	exitOK    = 0
	exitData  = 1
	exitUsage = 2
)

// app is what a run is given of the world.
type app struct {
	stdout, stderr io.Writer
	terminal       bool
	dir            string // below the root of the module
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	a := &app{stdout: os.Stdout, stderr: os.Stderr, terminal: term.IsTerminal(int(os.Stderr.Fd())), dir: "."}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// exited brings kong's own ending of the program, after --help, back as a return.
type exited int

// usageError is a wrong use of the command.
type usageError struct{ error }

func (a *app) run(ctx context.Context, args []string) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = int(r)
		default:
			panic(r)
		}
	}()
	var c runCmd
	parser, err := kong.New(&c,
		kong.Name("mutate"),
		kong.Description(description),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the struct tags are wrong
	}
	if _, err := parser.Parse(args); err != nil {
		return a.fail(usageError{fmt.Errorf(`%w ("mutate --help" tells more)`, err)})
	}
	return a.fail(c.run(ctx, a))
}

// fail prints an error, if any, and returns the exit code for it.
func (a *app) fail(err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(a.stderr, "mutate: %v\n", err)
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitData
}
