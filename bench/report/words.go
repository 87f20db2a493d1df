package report

// Words for what there is: lists, numbers of things, and what is beside what.

import (
	"slices"
	"strings"
)

// listed writes "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// countOf writes a number of things.
func countOf(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + "\u00a0" + several
}

// against says how values are drawn: against the number of rules, where there
// is more than one, or as a mark for each engine.
func against(points []point, lower, left string) string {
	if sizes := distinct(points, rulesOf); len(sizes) == 1 {
		return ", with " + rulesText(sizes[0]) + "; the axis is logarithmic" + left
	}
	return ", against the number of rules. Both axes are logarithmic" + lower
}

// theKernels says what was measured of the kernel and of ours: first or alone,
// or after the other.
func theKernels(points []point, theirs, alone, after string) string {
	has := func(g group) bool {
		return slices.ContainsFunc(points, func(p point) bool { return look(p.Engine).group == g })
	}
	switch {
	case has(kernel) && has(ours):
		return theirs + after
	case has(kernel):
		return theirs
	case has(ours):
		return alone
	}
	return ""
}
