package iptables

// Errors and where they are: which rule a line is about, and how reading goes
// on behind an error, so that one look at a file tells all that is wrong.

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// maxFailures is how many errors of a file are kept.
const maxFailures = 10

// failures are the errors of a file so far, but for missing chains and what is
// not modelled.
type failures struct {
	first []error // the first ones
	n     int     // all
	lost  bool    // outside of a table, by an error that has been noted
}

// where names the rule that the line is about: "INPUT/3".
func (f *fileReader) where() string {
	if f.in == "" || f.ruleNumber == 0 {
		return f.in
	}
	return fmt.Sprintf("%s/%d", f.in, f.ruleNumber)
}

// ruleAt notes that the line's rule has a number in a chain, from 1; 0 is
// behind the last.
func (f *fileReader) ruleAt(chain, number int) {
	if chain >= 0 {
		if f.ruleNumber = number; number == 0 {
			c := &f.cur.chains[chain]
			f.ruleNumber = c.live() + c.skipped + 1
		}
	}
}

// guess finds the rule of a line that cannot be taken apart.
func (f *fileReader) guess(words []word) {
	for i := range len(words) - 1 {
		if c, ok := findCommand(words[i], false); ok && !c.has {
			if at := f.cur.byName[words[i+1].text] - 1; at >= 0 {
				if f.in = f.cur.chains[at].name; c.letter == 'A' {
					f.ruleAt(at, 0)
				}
			}
			return
		}
	}
}

// goOn notes an error, and reports whether the rest of the file can be looked
// at for others: not behind a limit or when the file cannot be read.
func (f *fileReader) goOn(err error) bool {
	var placed *rules.ParseError
	if !errors.As(err, &placed) || errors.Is(err, rules.ErrLimit) {
		return false
	}
	if f.failures.n++; f.failures.n <= maxFailures {
		f.failures.first = append(f.failures.first, err)
	}
	return true
}

// quiet reports whether no more errors are kept, and need no suggestions.
func (f *fileReader) quiet() bool { return f.failures.n >= maxFailures }

// skip counts a rule that has an error, so that those behind it have the
// numbers that they would have without it.
func (f *fileReader) skip(chain int) {
	if chain >= 0 {
		f.cur.chains[chain].skipped++
	}
}

// allErrors joins the errors of the file in the order of the lines; last, if
// any, ended the reading.
func (f *fileReader) allErrors(last error) error {
	var errs []error
	for _, a := range f.absent {
		if a.lines > 1 {
			a.first.Reason += fmt.Sprintf(" (and %d more)", a.lines-1)
		}
		errs = append(errs, a.first)
	}
	errs = append(errs, f.failures.first...)
	slices.SortStableFunc(errs, func(a, b error) int { return lineOf(a) - lineOf(b) })
	if more := f.failures.n - len(f.failures.first); more > 0 {
		errs = append(errs, &rules.ParseError{File: f.file, Reason: fmt.Sprintf("and %d more errors", more)})
	}
	if last != nil {
		errs = append(errs, last)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func lineOf(err error) int {
	var placed *rules.ParseError
	errors.As(err, &placed)
	return placed.Line
}

// broke notes a name of a chain whose declaration is in error, so that the
// rules that go to it give no errors of their own.
func (t *tableReader) broke(name string) {
	if t.broken == nil {
		t.broken = map[string]bool{}
	}
	t.broken[name] = true
}

// replace takes away the table of the same name that was read before t. The
// tools differ on the policies that it gives and t does not: iptables-legacy
// keeps them, iptables-nft makes them ACCEPT.
func (f *fileReader) replace(t *tableReader) error {
	at := slices.IndexFunc(f.done, func(o *tableReader) bool { return o.name == t.name })
	if at < 0 {
		return nil
	}
	old := f.done[at]
	f.done = slices.Delete(f.done, at, at+1)
	for i := range t.chains {
		c := &t.chains[i]
		if c.hook != 0 && !c.set && old.chains[i].policy != rules.Accept {
			return f.errorLine(fmt.Sprintf("table %s stands twice: the first gives chain %s the policy %s and the second gives it none; on what holds then the tools differ: give it there",
				t.name, c.name, old.chains[i].policy), "")
		}
	}
	return nil
}
