package main

// What is mutated when nothing else is asked for: the engine, its planner and
// updater, and the decoder; and the tests that look at it.

import (
	"path"
	"slices"
	"strings"
)

// area is a package, which of its files count, and the suites of others that reach
// it. The suites are those of the differential tests.
type area struct {
	pkg string // below the module's root
	// without names files that are not mutated: they print, measure and describe.
	without []string
	suites  []string
}

var differential = []string{"./hipac", "./fuzz/smallworld", "./fuzz/relations", "./fuzz", "./fuzz/histories", "./fuzz/compare", "./fuzz/ways", "./fuzz/chains", "./fuzz/exercises"}

// engine is the default.
var engine = []area{
	{pkg: "hipac/internal/tree", without: []string{"doc.go", "stats.go", "measure.go"}, suites: differential},
	{pkg: "hipac/internal/bitvec", suites: differential},
	{pkg: "hipac/internal/lower", suites: differential},
	{pkg: "hipac/internal/index", suites: differential},
	{pkg: "hipac/internal/order", without: []string{"doc.go"}, suites: differential},
	{pkg: "hipac/internal/counters", without: []string{"doc.go"}, suites: differential},
	{pkg: "hipac", without: []string{"doc.go", "stats.go", "stats_text.go", "trace.go", "quiet.go", "path.go", "chainname.go", "analysis.go"}, suites: differential[1:]},
	{pkg: "rules/packet", suites: []string{"./rules/capture", "./hipac", "./fuzz"}},
}

// areas returns those of the packages that are asked for; others than the
// engine's have their own tests alone.
func areas(packages []string) (out []area) {
	if len(packages) == 0 {
		return engine
	}
	for _, p := range packages {
		p = strings.Trim(strings.TrimPrefix(path.Clean(p), "./"), "/")
		if i := slices.IndexFunc(engine, func(a area) bool { return a.pkg == p }); i >= 0 {
			out = append(out, engine[i])
		} else {
			out = append(out, area{pkg: p})
		}
	}
	return out
}
