package main

// What is printed: progress, differences, and what was done.

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules/files"
)

// counted writes a number of things: "1 case", "2 cases".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short writes a number in four places or so: 812, 12.3k, 4.56M.
func short(n int64) string {
	x := float64(n)
	for _, unit := range []string{"", "k", "M", "G"} {
		switch {
		case x < 1000 && unit == "":
			return fmt.Sprint(n)
		case x < 10:
			return fmt.Sprintf("%.2f%s", x, unit)
		case x < 100:
			return fmt.Sprintf("%.1f%s", x, unit)
		case x < 1000:
			return fmt.Sprintf("%.0f%s", x, unit)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.0fT", x)
}

// percent writes the share of hits, "-" where there were neither hits nor misses.
func percent(c *drive.Counts) string {
	if c.Hits+c.Misses == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*c.Share())
}

// liveLine shows how far a run is: a line that is written over on a terminal, and now
// and then a line otherwise. nil shows nothing.
type liveLine struct {
	w        io.Writer
	terminal bool
	width    func() int
	total    time.Duration
	shown    bool
}

func (l *liveLine) every() time.Duration {
	if l.terminal {
		return 250 * time.Millisecond
	}
	return max(10*time.Second, min(l.total/20, 5*time.Minute))
}

// show shows a report.
func (l *liveLine) show(r *drive.Report) {
	seconds := max(r.Elapsed.Seconds(), 0.001)
	text := fmt.Sprintf("%s cases (%.0f/s), %s packets, %s cells, %s rules, hits %s, coverage %d of %d, %s left",
		short(r.Total.Cases), float64(r.Total.Cases)/seconds, short(r.Total.Packets), short(r.Total.Cells), short(r.Total.Rules), percent(&r.Total), r.Reached, r.Points,
		max(l.total-r.Elapsed, 0).Round(time.Second))
	if r.Differences > 0 {
		text = counted(r.Differences, "difference") + "; " + text
	}
	for _, s := range r.Stuck {
		text = s + "; " + text
	}
	if !l.terminal {
		fmt.Fprintln(l.w, text)
		return
	}
	if n := l.width(); n > 1 && len(text) >= n {
		text = text[:n-1]
	}
	fmt.Fprintf(l.w, "\r\x1b[K%s", text)
	l.shown = true
}

// clear takes the line away.
func (l *liveLine) clear() {
	if l != nil && l.shown {
		l.shown = false
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

// printReport prints what was done: by exercise, what was not exercised, and last of
// all a summary in one line.
func printReport(w io.Writer, r *drive.Report, seed uint64) {
	names := len("exercise")
	for _, e := range r.By {
		names = max(names, len(e.Name))
	}
	line := func(name string, e *drive.ExerciseReport) {
		c := &e.Counts
		text := fmt.Sprintf("%-*s %7s %7s %7s %7s %7s %5s %7.1f", names, name, short(c.Cases), short(c.Rules), short(c.Packets), short(c.Cells), short(c.Answers), percent(c), e.Time.Seconds())
		if e.Differences > 0 {
			text += "  " + counted(e.Differences, "difference")
		}
		fmt.Fprintln(w, text)
	}
	fmt.Fprintf(w, "\n%-*s %7s %7s %7s %7s %7s %5s %7s\n", names, "exercise", "cases", "rules", "packets", "cells", "answers", "hits", "seconds")
	for i := range r.By {
		line(r.By[i].Name, &r.By[i])
	}
	fmt.Fprintln(w)
	groups := r.Grouped()
	for i := range groups {
		line("all "+groups[i].Name, &groups[i])
	}
	fmt.Fprintln(w)
	if len(r.Missing) > 0 {
		fmt.Fprintf(w, "not exercised: %s\n", strings.Join(r.Missing, "; "))
	}
	for _, s := range r.Stuck {
		fmt.Fprintln(w, s)
	}
	if r.Untold > 0 {
		fmt.Fprintf(w, "%s of the kinds told above, or of more kinds than are told\n", counted(r.Untold, "further difference"))
	}
	what := "no difference"
	if r.Differences > 0 {
		what = counted(r.Differences, "difference")
	}
	if r.Interrupted {
		what += ", interrupted"
	}
	c := &r.Total
	fmt.Fprintf(w, "%s in %s: %s, %s packets, %s cells, %s rules, %s answers compared, hits %s, coverage %d of %d, seed %d\n",
		what, r.Elapsed.Round(100*time.Millisecond), counted(int(c.Cases), "case"), short(c.Packets), short(c.Cells), short(c.Rules), short(c.Answers), percent(c), r.Reached, r.Points, seed)
}

// found tells a difference, and writes it as a file.
func (a *app) found(dir string, d *drive.Difference) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "\nDIFFERENCE in %s (seed %d, case %d)\n", d.Exercise, d.Seed, d.Number)
	if d.Case == nil {
		fmt.Fprintf(&text, "%v\n", d.Err)
		a.stdout.Write(text.Bytes())
		return
	}
	fmt.Fprintf(&text, "shrunken from %s to %s\n", d.Was, d.Case.Size())
	d.Case.Explain(&text)
	name, err := writeCase(dir, d)
	if err != nil {
		fmt.Fprintf(&text, "no file was written: %v\n", err)
	} else {
		fmt.Fprintf(&text, "written to %s; again: go run ./fuzz --replay %s\n", name, name)
	}
	fmt.Fprintln(&text)
	a.stdout.Write(text.Bytes())
}

// writeCase writes a case to a file of a name of its own, whole or not at all.
func writeCase(dir string, d *drive.Difference) (string, error) {
	var body bytes.Buffer
	if err := d.Case.Write(&body); err != nil {
		return "", err
	}
	h := fnv.New32a()
	h.Write(body.Bytes())
	kind := strings.Fields(body.String())[2]
	var text bytes.Buffer
	for _, line := range strings.Split(d.Err.Error(), "\n") {
		fmt.Fprintf(&text, "# %s\n", line)
	}
	fmt.Fprintf(&text, "# Found by %s, seed %d, case %d.\n", d.Exercise, d.Seed, d.Number)
	text.Write(body.Bytes())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := filepath.Join(dir, fmt.Sprintf("%s-%08x.txt", kind, h.Sum32()))
	f, err := os.CreateTemp(dir, ".case")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text.Bytes())
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return name, nil
}

// module is the first line of the repository's go.mod.
const module = "module github.com/hipac-go/classifier"

// outDir returns the folder that differences are written to.
func (c *cli) outDir() (string, error) {
	if c.Out != "" {
		if info, err := os.Stat(c.Out); err == nil && !info.IsDir() {
			return "", files.BadUsage("--out %s: not a folder", c.Out)
		}
		if c.Replay == nil {
			if err := writable(c.Out); err != nil {
				return "", files.BadUsage("--out %s: nothing can be written there: %v", c.Out, err)
			}
		}
		return c.Out, nil
	}
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := at; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), module+"\n") {
			return filepath.Join(dir, "fuzz", "testdata", "regress"), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return at, nil
		}
	}
}

// writable makes a folder, and tries to write there.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".case")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// replay checks files of differences.
func (a *app) replay(names []string) error {
	var errs []error
	for _, name := range names {
		r, _, done, err := files.Open(name, a.stdin)
		if err != nil {
			return err
		}
		c, err := cases.Read(r, cases.Options{Wrong: a.wrong})
		done()
		if err != nil {
			return files.Error(name, err)
		}
		if err := c.Check(); err != nil {
			fmt.Fprintf(a.stdout, "%s: %s\n", name, c.Size())
			c.Explain(a.stdout)
			errs = append(errs, fmt.Errorf("%s: still differs", name))
		} else {
			fmt.Fprintf(a.stdout, "%s: no difference\n", name)
		}
	}
	return errors.Join(errs...)
}
