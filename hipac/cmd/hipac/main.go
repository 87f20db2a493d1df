// Command hipac classifies packets with firewall rules: it says which rule
// decides each packet of a capture, a trace or a table of flows.
//
// Run without arguments it shows a small firewall at work on a small capture,
// both built in. "hipac --help" lists the commands, "hipac COMMAND --help" what
// one takes, with examples. Each command is a file of this folder.
package main

// This file: from the arguments to a command, and from errors to the exit code.

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hipac-go/classifier/rules/files/commandline"
)

// Exit codes.
const (
	exitOK    = commandline.OK
	exitData  = commandline.Data // bad data, or a run that was interrupted
	exitUsage = commandline.Usage
)

// cli is the command line. A command is a struct with a Run method.
type cli struct {
	Classify classifyCmd `cmd:"" default:"withargs" help:"Say which rule decides each packet."`
	Stats    statsCmd    `cmd:"" help:"Show what the compiler makes of a rule set."`
	Trace    traceCmd    `cmd:"" help:"Show the way of a packet through the tables, and why."`
	Explain  explainCmd  `cmd:"" help:"Say which rule decides a packet, and why others do not."`
	Lint     lintCmd     `cmd:"" help:"Find rules that can never decide, are not needed, or cost more than others."`
	Print    printCmd    `cmd:"" help:"Print the rules of a file in canonical form, or as JSON; check a file."`
	Diff     diffCmd     `cmd:"" help:"Compare what two rule files mean, or show the edits between them."`
	Query    queryCmd    `cmd:"" help:"Say what becomes of all packets that meet some conditions."`
	Compile  compileCmd  `cmd:"" help:"Compile a rule file into one that is used at once."`
	Describe describeCmd `cmd:"" help:"Show what iptables rules may have."`
	Version  versionCmd  `cmd:"" help:"Print the version."`

	PrintVersion versionFlag `name:"version" help:"Print the version."`
}

const description = `hipac decides packets by firewall rules: the first rule that matches.

Without arguments it shows a built-in firewall at work on a built-in capture.
Exit codes: 0 success, 1 bad data or interrupted, 2 bad usage, unless a command
says otherwise.`

// app is what commands are given of the world, so that tests can give them
// another one.
type app struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	now            func() time.Time
	isTerminal     func(any) bool
	hangups        func() (signals <-chan os.Signal, stop func())
	patience       time.Duration // how long a run is left alone before it shows progress
}

func main() {
	// A reader that goes away (hipac ... | head) is an error of a write, EPIPE,
	// and ends the run quietly.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// Most runs end before their progress would be worth a look.
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, env: os.Getenv, now: time.Now,
		isTerminal: isTerminal, hangups: hangups, patience: 500 * time.Millisecond}
	return a.run(args)
}

// hangups returns the signals that ask for a reload; without it they end the
// process.
func hangups() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

func (a *app) run(args []string) int {
	return a.program().Run(&cli{}, withoutDashes(args), a)
}

func (a *app) program() *commandline.Program {
	return &commandline.Program{Name: "hipac", Description: description, Stdout: a.stdout, Stderr: a.stderr}
}

// complain prints an error to stderr, each line of a joined one as a line of
// its own.
func (a *app) complain(err error) { a.program().Complain(err) }

// within returns what f does, or errInterrupted when the context ends first: a
// read from a terminal or a pipe may never return, and is left behind.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, errInterrupted
	}
}
