package main

// The list of mutants that are known to change nothing that can be told apart, each
// with the reason. It is a text file of paragraphs:
//
//	hipac/internal/tree/plan.go (*Builder).score
//	- if cost < best {
//	+ if cost <= best {
//	= of two cuts of the same cost either will do
//
// A paragraph names the file and the function, the lines as they are before and
// after, and the reason, which may go on over lines that begin with =. Several
// pairs of lines may share a reason. -2 in place of - is the second of a function's
// mutants with the same lines. The word "cost" in the place of the pairs
// takes all mutants of a function: those that only change what a lookup or a build
// costs, never an answer. A function * stands for all functions of the file.
// Lines of # are comments. Numbers of lines are not used, so that the list
// holds while code moves.

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// entry is a paragraph's change, or all of a function.
type entry struct {
	file, function string
	before, after  string
	nth            int // of those with the same lines, from 1; 0 is all
	all            bool
	reason         string
	line           int
	used           bool
}

// equivalents is the list.
type equivalents []*entry

// readEquivalents reads the list.
func readEquivalents(name string) (equivalents, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseEquivalents(name, string(text))
}

func parseEquivalents(name, text string) (list equivalents, err error) {
	var open []*entry // of the paragraph
	var file, function, before string
	nth := 0
	reason, half := false, false
	bad := func(n int, what string) error {
		return fmt.Errorf("%s:%d: %s; a paragraph is FILE FUNCTION, then pairs of - LINE and + LINE or the word cost, then = REASON", name, n, what)
	}
	finish := func(n int) error {
		if file != "" && (len(open) == 0 || !reason || half) {
			return bad(n, "a paragraph without a change or a reason")
		}
		list = append(list, open...)
		open, file, reason, half = nil, "", false, false
		return nil
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		n := i + 1
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			if err := finish(n); err != nil {
				return nil, err
			}
		case strings.HasPrefix(line, "#"):
		case file == "":
			var ok bool
			if file, function, ok = strings.Cut(line, " "); !ok {
				return nil, bad(n, "no file and function: "+line)
			}
		case strings.HasPrefix(line, "-") && !half && !reason:
			before, half, nth = strings.TrimSpace(line[1:]), true, 0
			if digits := len(line) - len(strings.TrimLeft(line[1:], "0123456789")) - 1; digits > 0 {
				nth, _ = strconv.Atoi(line[1 : 1+digits])
				before = strings.TrimSpace(line[1+digits:])
			}
		case strings.HasPrefix(line, "+") && half:
			open = append(open, &entry{file: file, function: function, before: before, after: strings.TrimSpace(line[1:]), nth: nth, line: n - 1})
			half = false
		case line == "cost" && !reason && !half:
			open = append(open, &entry{file: file, function: function, all: true, line: n})
		case strings.HasPrefix(line, "=") && !half && len(open) > 0:
			reason = true
			for _, e := range open {
				e.reason = strings.TrimSpace(e.reason + " " + strings.TrimSpace(line[1:]))
			}
		default:
			return nil, bad(n, "not expected here: "+line)
		}
	}
	return list, finish(len(lines))
}

// of returns the entry for a mutant, or nil. One for its change comes before one
// for its whole function.
func (list equivalents) of(m *Mutation) *entry {
	var found *entry
	for _, e := range list {
		if e.file != m.File || e.function != m.Func && e.function != "*" {
			continue
		}
		if e.all && found == nil {
			found = e
		} else if !e.all && e.before == m.Before && e.after == m.After && (e.nth == 0 || e.nth == m.Nth+1) {
			found = e
		}
	}
	if found != nil {
		found.used = true
	}
	return found
}

// unused returns the entries that matched no mutant.
func (list equivalents) unused() (out equivalents) {
	for _, e := range list {
		if !e.used {
			out = append(out, e)
		}
	}
	return out
}

func (e *entry) String() string {
	if e.all {
		return fmt.Sprintf("line %d: %s %s: cost", e.line, e.file, e.function)
	}
	return fmt.Sprintf("line %d: %s %s: - %s", e.line, e.file, e.function, e.before)
}
