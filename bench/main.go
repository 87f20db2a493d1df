// Command bench measures the classifier. Anybody can rerun what it measures:
// rules and packets come from the user's own files or, where none are given,
// from the project's generator with a fixed seed.
//
//	go run ./bench lookup --rules FILE --packets FILE [--json]
//	go run ./bench packet --rules FILE --pcap FILE [--json]
//	go run ./bench update --rules FILE [--packets FILE] [--json]
//	go run ./bench compare --family NAME --rules N,N [--engines LIST] [--json]
//	go run ./bench build --family NAME --rules N,N [--workers LIST] [--json]
//	go run ./bench memory --family NAME --rules N,N [--json]
//	go run ./bench scale [--family NAME] [--cores LIST] [--json]
//	go run ./bench iptables [--rules N,N] [--walk N,N] [--json]
//	go run ./bench all [--quick] [--minutes N] [--out FILE]
//	go run ./bench report [--results FILE] [--plots NAME,NAME] --out DIR
//	go run ./bench gen rules --family NAME --rules N --out FILE
//	go run ./bench gen packets --rules FILE --packets N --mode MODE --out FILE
//
// lookup times every way to look up a key, and counts wrong answers: a figure
// for a path whose answers are not checked is worth nothing. packet times what a
// program does with a packet, from bytes to verdict. update times edits of a live
// list, until a lookup returns the new answer. compare times lookups of our
// engines, of textbook ones and of other projects' on sets of the generator;
// build and memory tell what they take to be made and kept, scale how all that
// grows with the rules, and lookups with the cores; iptables loads rules with the
// kernel's tools and sends packets past them; all measures everything that a
// report needs, and report draws it. gen makes rules and packets to measure with. "bench COMMAND
// --help" has the rest; each command is a file of this folder.
//
// # How it measures
//
// Everything goes through the exported API of packages hipac and rules. Times
// are CPU times of the measuring thread (wall-clock time where the system does
// not tell them), each the median of nine passes over packets in random order.
// The passes of all paths alternate, so that a machine whose speed changes is
// unfair to none of them. A timed run is preceded by an untimed one, which brings
// the structures of its path back into the caches. Nothing is kept from one
// packet to the next.
//
// # Go benchmarks
//
// The tests of this folder are benchmarks in Go's own format, for benchstat,
// over sets of the project's generator (package workload):
//
//	go test ./bench -run '^$' -bench Lookup
//	go test ./bench -run '^$' -bench Build
//	go test ./bench -run '^$' -bench LiveEdit
//	go test ./bench -run '^$' -bench 'Lookup/set=fw1/n=100000'
//
// B/rule is the memory of everything that a lookup reads; matched the share of
// packets that some rule matched.
package main

// This file: from the arguments to a command, and from errors to the exit code.

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules/files/commandline"
)

// Exit codes.
const (
	exitOK    = commandline.OK
	exitData  = commandline.Data // bad data, wrong answers, nothing measured, or interrupted
	exitUsage = commandline.Usage
)

// cli is the command line. A command is a struct with a Run method.
type cli struct {
	Lookup   lookupCmd   `cmd:"" help:"Time lookups of keys by every path, and check their answers."`
	Packet   packetCmd   `cmd:"" help:"Time packets from bytes to verdict."`
	Update   updateCmd   `cmd:"" help:"Time edits of a live list, and lookups beside and after them."`
	Compare  compareCmd  `cmd:"" help:"Time lookups of contestants: ours, textbook ones, peers."`
	Build    buildCmd    `cmd:"" help:"Time builds of contestants."`
	Memory   memoryCmd   `cmd:"" help:"Tell the memory that contestants take."`
	Scale    scaleCmd    `cmd:"" help:"Time and memory against the number of rules, lookups against cores."`
	All      allCmd      `cmd:"" help:"Measure all that a report needs."`
	Gen      genCmd      `cmd:"" help:"Make rules and packets."`
	Iptables iptablesCmd `cmd:"" help:"Time loading rules and the walk of a packet, beside the tools of the kernel."`
	Report   reportCmd   `cmd:"" help:"Draw results as a page with plots."`
}

const description = `bench measures the classifier on your rules and packets.

Numbers may have k, M and G for powers of 1000: --rules 10k,1M.

At an interrupt commands print what they have measured by then; another one, half
a second later, ends them at once. Exit codes: 0 success, 1 bad data, wrong
answers, nothing measured or interrupted, 2 bad usage.`

// app is what commands are given of the world, so that tests can give them
// another one.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool // stderr is one: long runs show their progress
	bar            *progress
	args           []string
	// peers builds the peers' program in a folder; nil for that there are none.
	peers  func(ctx context.Context, dir string) ([]compare.Contestant, error)
	effort effort
	// tamper changes the answers of a path, for tests of the check.
	tamper func(path string, positions []int32)
}

func main() {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, effort: defaultEffort, peers: buildPeers,
		terminal: term.IsTerminal(int(os.Stderr.Fd()))}
	os.Exit(a.run(os.Args[1:]))
}

func (a *app) run(args []string) (code int) {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	a.args = args
	return a.program().Run(&cli{}, signed(args), a)
}

// signed joins a flag and a negative number behind it, which would be taken for a
// flag of its own.
func signed(args []string) (list []string) {
	for i, arg := range args {
		if arg == "--" {
			return append(list, args[i:]...)
		}
		if n := len(arg); i > 0 && n > 1 && arg[0] == '-' && '0' <= arg[1] && arg[1] <= '9' &&
			strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "=") {
			list[len(list)-1] += "=" + arg
			continue
		}
		list = append(list, arg)
	}
	return list
}

// AfterApply refuses flags that are given with an empty value, which no flag has a
// meaning for: a variable of a script that was not set, most often.
func (*cli) AfterApply(command *kong.Context) error {
	for _, p := range command.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		switch v := p.Flag.Target; v.Kind() {
		case reflect.String:
			if v.Len() == 0 {
				return fmt.Errorf("--%s: its value is empty", p.Flag.Name)
			}
		case reflect.Slice:
			empty := v.Len() == 0
			for i := range v.Len() {
				empty = empty || v.Index(i).Kind() == reflect.String && v.Index(i).Len() == 0
			}
			if empty {
				return fmt.Errorf("--%s: the list, or a part of it between commas, is empty", p.Flag.Name)
			}
		}
	}
	return nil
}

func (a *app) program() *commandline.Program {
	return &commandline.Program{Name: "bench", Description: description, Stdout: a.stdout, Stderr: a.stderr, Before: func() { a.bar.done() }, Options: flagTypes}
}

// complain prints an error or a warning to stderr, each line of a joined one as
// a line of its own.
func (a *app) complain(err error) { a.program().Complain(err) }

func (a *app) warn(format string, args ...any) { a.complain(fmt.Errorf(format, args...)) }
