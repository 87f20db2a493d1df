package main

// The report: a table of packages, and what nothing caught.

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
)

// tally counts the mutants of a package.
type tally struct {
	pkg                               string
	mutants, own, differential        int
	driver, timedOut, memory          int
	survived, uncovered, exempt, cost int
	seconds                           float64
}

// summary is what a report shows.
type summary struct {
	tallies   []*tally
	left      []*Mutation // survivors and what no test reaches
	verdicts  map[*Mutation]verdict
	unjudged  int // for which there was no time
	broken    int // that do not compile
	unmatched equivalents
}

// count adds a mutant.
func (s *summary) count(pkg string, m *Mutation, v verdict, e *entry) {
	i := slices.IndexFunc(s.tallies, func(t *tally) bool { return t.pkg == pkg })
	if i < 0 {
		i = len(s.tallies)
		s.tallies = append(s.tallies, &tally{pkg: pkg})
	}
	t := s.tallies[i]
	t.mutants++
	t.seconds += v.Seconds
	if e != nil && v.Outcome != caught {
		if e.all {
			t.cost++
		} else {
			t.exempt++
		}
		return
	}
	switch v.Outcome {
	case caught:
		switch v.By {
		case "own":
			t.own++
		case "differential":
			t.differential++
		default:
			t.driver++
		}
		switch v.How {
		case "timed out":
			t.timedOut++
		case "memory":
			t.memory++
		}
		return
	case uncovered:
		t.uncovered++
	default:
		t.survived++
	}
	s.left = append(s.left, m)
	if s.verdicts == nil {
		s.verdicts = map[*Mutation]verdict{}
	}
	s.verdicts[m] = v
}

// print writes the table and the list.
func (s *summary) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "package\tmutants\tcaught by own tests\tdifferential\tdriver\t(timed out)\t(memory)\tequivalent\tcost only\tsurvived\tnot covered\tcaught %\tseconds\t")
	var all tally
	all.pkg = "all"
	for _, t := range s.tallies {
		t.row(w)
		all.mutants, all.own, all.differential = all.mutants+t.mutants, all.own+t.own, all.differential+t.differential
		all.driver, all.timedOut, all.memory = all.driver+t.driver, all.timedOut+t.timedOut, all.memory+t.memory
		all.survived, all.uncovered, all.exempt = all.survived+t.survived, all.uncovered+t.uncovered, all.exempt+t.exempt
		all.cost, all.seconds = all.cost+t.cost, all.seconds+t.seconds
	}
	if len(s.tallies) > 1 {
		all.row(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	sort.SliceStable(s.left, func(i, j int) bool {
		a, b := s.left[i], s.left[j]
		return a.File < b.File || a.File == b.File && a.Line < b.Line
	})
	for _, m := range s.left {
		v := s.verdicts[m]
		more := ""
		if v.Unrun > 0 {
			more = fmt.Sprintf(", %d tests not run", v.Unrun)
		}
		fmt.Fprintf(out, "\n%s:%d %s %s (%s%s)\n- %s\n+ %s\n", m.File, m.Line, m.Func, m.Op, v.Outcome, more, m.Before, m.After)
	}
	if len(s.unmatched) > 0 {
		fmt.Fprintln(out, "\nEntries of the list of equivalents that match no mutant:")
		for _, e := range s.unmatched {
			fmt.Fprintln(out, "  "+e.String())
		}
	}
	var tail []string
	tail = append(tail, fmt.Sprintf("%d mutants, %d caught, %d equivalent or cost only, %d survived, %d not covered",
		all.mutants, all.own+all.differential+all.driver, all.exempt+all.cost, all.survived, all.uncovered))
	if s.broken > 0 {
		tail = append(tail, fmt.Sprintf("%d changes do not compile", s.broken))
	}
	if s.unjudged > 0 {
		tail = append(tail, fmt.Sprintf("%d mutants not run", s.unjudged))
	}
	_, err := fmt.Fprintf(out, "\n%s.\n", strings.Join(tail, "; "))
	return err
}

func (t *tally) row(w io.Writer) {
	share := "-"
	if real := t.mutants - t.exempt - t.cost; real > 0 {
		share = fmt.Sprintf("%.1f", 100*float64(t.own+t.differential+t.driver)/float64(real))
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%.0f\t\n", t.pkg, t.mutants, t.own, t.differential, t.driver,
		t.timedOut, t.memory, t.exempt, t.cost, t.survived, t.uncovered, share, t.seconds)
}
