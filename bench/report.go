package main

// The command report: results as a page with plots.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/bench/report"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules/files"
)

type reportCmd struct {
	Out     string   `short:"o" required:"" placeholder:"DIR" help:"Folder for the page and its plots; it is made when there is none."`
	Results []string `placeholder:"FILE" sep:"none" help:"Results to draw, - for standard input; again for more of them."`
	Quick   bool     `help:"Without --results: measure small sets in short rounds."`
	Plots   []string `placeholder:"NAME" help:"Only these plots, with commas between them, and no page."`
	Sets    []string `placeholder:"NAME" help:"Only these rule sets, with commas between them."`
}

// resultsFile is the file of results that the command measures by itself.
const resultsFile = "results.json"

// mostResults bounds a file of results.
const mostResults = 256 << 20

// Help is shown in front of the flags.
func (reportCmd) Help() string {
	return `Draws results, or runs bench all and draws what it writes to results.json in
the same folder. index.html needs no other file; each of its plots is NAME.svg and
NAME.png too, 800 pixels of a screen wide. Results are files that compare, build,
memory, scale and iptables write with --json, or bench all with --out; they must be of
one machine. Of figures that are in two of them, those of the last file are drawn.
What was not measured is listed with the reason.

Plots: ` + strings.Join(report.Names(), ", ") + `.

Examples:

    bench report --out report
    bench report --results all.json --out report
    bench report --results compare.json --results iptables.json --out report
    bench report --results all.json --plots lookup,memory --sets fw1 --out plots`
}

// Run draws.
func (cmd *reportCmd) Run(a *app) error {
	for _, name := range cmd.Plots {
		if !slices.Contains(report.Names(), name) {
			return files.BadUsage("--plots: there is no %q; choose from %s", files.Printable(name), strings.Join(report.Names(), ","))
		}
	}
	var incomplete error
	switch {
	case cmd.Results != nil && cmd.Quick:
		return files.BadUsage("--quick is for measuring, and --results for what was measured")
	case cmd.Results == nil:
		if incomplete = cmd.measure(a); incomplete != nil && cmd.Results == nil {
			return incomplete
		}
	}
	var runs []*results.Run
	for _, path := range cmd.Results {
		run, err := a.readResults(path)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	written, err := report.Write(cmd.Out, runs, report.Options{Plots: cmd.Plots, Sets: cmd.Sets, Command: cmd.line()})
	if err != nil {
		return err
	}
	for _, name := range written {
		fmt.Fprintln(a.stdout, files.Printable(name))
	}
	return incomplete
}

// measure runs bench all, whose results become the command's, in a file beside
// the page. An error with results is one of engines that answered wrongly, or of an
// interrupt.
func (cmd *reportCmd) measure(a *app) error {
	if err := os.MkdirAll(cmd.Out, 0o777); err != nil {
		return files.Error(cmd.Out, err)
	}
	path := filepath.Join(cmd.Out, resultsFile)
	args := []string{"all", "--out", path}
	if cmd.Quick {
		args = append(args, "--quick")
	}
	before, _ := os.Stat(path)
	code := a.run(args)
	after, err := os.Stat(path)
	if err != nil || before != nil && os.SameFile(before, after) {
		return errors.New("there are no results to draw")
	}
	cmd.Results = []string{path}
	if code != exitOK {
		return errors.New("what was wrong or not measured is left out of the page")
	}
	return nil
}

// line is the command that draws the page again.
func (cmd *reportCmd) line() string {
	if cmd.Results == nil {
		return ""
	}
	line := "bench report"
	for _, r := range cmd.Results {
		line += " --results " + files.Printable(r)
	}
	if cmd.Sets != nil {
		line += " --sets " + files.Printable(strings.Join(cmd.Sets, ","))
	}
	return line + " --out " + files.Printable(cmd.Out)
}

// readResults reads a file of results.
func (a *app) readResults(path string) (*results.Run, error) {
	r, name, done, err := files.Open(path, a.stdin)
	if err != nil {
		return nil, err
	}
	defer done()
	bounded := &io.LimitedReader{R: r, N: mostResults}
	run, err := results.Read(bounded)
	switch {
	case err == nil:
		return run, nil
	case bounded.N == 0:
		err = fmt.Errorf("results of more than %s", size(mostResults))
	case errors.Is(err, io.EOF):
		err = errors.New("no results: the file is empty")
	default:
		err = fmt.Errorf("no results of bench: %w; %s", err, whatWrites)
	}
	return nil, files.Error(name, err)
}

// whatWrites says what results are written by.
const whatWrites = "bench all writes them with --out, and compare, build, memory, scale and iptables with --json"
