package main

// The terminal: whether there is one, colours, and progress.

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns returns the width of the terminal w, 0 when it is none.
func columns(w any) int {
	if !isTerminal(w) {
		return 0
	}
	n, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return n
}

// colors writes ANSI colours, or nothing.
type colors bool

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	purple = "35"
)

func (c colors) paint(code, s string) string {
	if !c || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// useColors decides by the flag --color and, with "auto", by the terminal and
// the environment (https://no-color.org).
func (a *app) useColors(when string) colors {
	switch when {
	case "always":
		return true
	case "never":
		return false
	}
	return colors(a.isTerminal(a.stdout) && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb")
}

// width returns the number of columns that files.Printable text takes.
func width(s string) int { return utf8.RuneCountInString(s) }

// pad returns s with blanks up to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// padLeft is pad with the blanks in front.
func padLeft(s string, n int) string { return strings.Repeat(" ", max(0, n-width(s))) + s }

// cut returns s, shortened to n columns when it is longer and n > 0.
func cut(s string, n int) string {
	if n <= 0 || width(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// progress shows on a terminal how far a long run is; nil shows nothing.
type progress struct {
	total int64     // bytes; -1 when unknown
	next  time.Time // when to show it again
	shown bool
	bar   *progressbar.ProgressBar
}

// newProgress returns the progress of reading total bytes, or nil when stderr
// is not a terminal.
func (a *app) newProgress(total int64) *progress {
	if !a.isTerminal(a.stderr) {
		return nil
	}
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(a.stderr),
		progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
		progressbar.OptionUseANSICodes(true))
	return &progress{total: total, next: time.Now().Add(a.patience), bar: bar}
}

// at shows that n bytes and so many packets are read.
func (p *progress) at(n int64, packets int) {
	if p == nil || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(100 * time.Millisecond)
	p.shown = true
	if p.total > 0 {
		n = min(n, p.total) // a file may grow while it is read
	}
	p.bar.Describe(fmt.Sprintf("%d packets", packets))
	_ = p.bar.Set64(n)
}

// done takes the bar away.
func (p *progress) done() {
	if p != nil && p.shown {
		p.shown = false
		_ = p.bar.Clear()
	}
}
