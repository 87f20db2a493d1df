// Package commandline is what the commands of this project have in common: from the
// arguments to a command, and from its error to the exit code.
//
// It is for programs: it imports github.com/alecthomas/kong.
package commandline

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// Exit codes.
const (
	OK    = 0
	Data  = 1 // bad data; what else it says, the help of the program tells
	Usage = 2 // bad usage
)

// Exit is an end with an exit code of the command's own, such as that of a
// comparison which found a difference.
type Exit struct {
	Code int
	Err  error // printed; nil: nothing is
}

// Error returns that of Err.
func (e Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e Exit) Unwrap() error { return e.Err }

// Program is a command line and where its output goes.
type Program struct {
	Name           string
	Description    string
	Stdout, Stderr io.Writer
	// Before is called before something is printed to Stderr, so that a line
	// that shows progress goes away; nil: nothing to do.
	Before func()
	// Options are further ones of the parser, such as how flags of a kind are
	// read.
	Options []kong.Option
}

// exited is how kong's own ending of the program, after --help, is brought back
// as a return.
type exited int

// Run parses the arguments by the command line, a pointer to a struct with the
// tags of kong, and calls the Run method of the command that they choose, or of
// the struct itself, with the values bound. It prints an error to Stderr and
// returns the exit code.
func (p *Program) Run(cli any, args []string, bound ...any) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = int(r)
		default:
			panic(r)
		}
	}()
	parser, err := kong.New(cli, append(slices.Clip(p.Options),
		kong.Name(p.Name),
		kong.Description(p.Description),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
	)...)
	if err != nil {
		panic(err) // the struct tags are wrong
	}
	command, err := parser.Parse(args)
	switch {
	case errors.Is(err, syscall.EPIPE): // the help went to a reader that is gone
		return OK
	case err != nil:
		return p.Fail(p.badUsage(err))
	}
	if name := twice(command); name != "" {
		return p.Fail(files.BadUsage("--%s is given twice", name))
	}
	return p.Fail(command.Run(bound...))
}

// twice returns the name of a flag with one value that is given two of them.
func twice(c *kong.Context) string {
	given := map[*kong.Flag]bool{}
	for _, p := range c.Path {
		if f := p.Flag; f != nil && !f.IsCumulative() && !f.IsBool() {
			if given[f] {
				return f.Name
			}
			given[f] = true
		}
	}
	return ""
}

// badUsage says what is wrong with arguments.
func (p *Program) badUsage(err error) error {
	var parse *kong.ParseError
	word, unexpected := strings.CutPrefix(err.Error(), "unexpected argument ")
	if unexpected && errors.As(err, &parse) {
		node := parse.Context.Model.Node
		if s := parse.Context.Selected(); s != nil {
			node = s
		}
		var names []string
		for _, c := range node.Children {
			names = append(names, c.Name)
		}
		if names != nil {
			word, _, _ = strings.Cut(word, ", did you mean")
			return files.BadUsage("there is no command %q; choose from %s", word, strings.Join(names, ", "))
		}
	}
	return files.BadUsage(`%v ("%s --help" tells more)`, err, p.Name)
}

// Fail prints an error, if any, and returns the exit code for it.
func (p *Program) Fail(err error) int {
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return OK
	}
	var exit Exit
	own := errors.As(err, &exit)
	if own && exit.Err == nil {
		return exit.Code
	}
	p.Complain(err)
	if errors.As(err, new(files.UsageError)) {
		return Usage
	}
	if errors.As(err, new(*rules.UnsupportedError)) {
		p.Complain(errors.New("--allow-unknown keeps such rules; packets that they would decide are UNKNOWN"))
	}
	if own {
		return exit.Code
	}
	return Data
}

// Complain prints an error or a warning to Stderr, each line of a joined one as a
// line of its own.
func (p *Program) Complain(err error) {
	if p.Before != nil {
		p.Before()
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(p.Stderr, "%s: %s\n", p.Name, files.Printable(line))
	}
}
