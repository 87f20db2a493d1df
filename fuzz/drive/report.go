package drive

// What was done, and what was never reached.

import (
	"slices"
	"time"
)

// Points returns all points of coverage: those of the exercises, and their names.
func Points(all []*Exercise) []string {
	var out []string
	for _, e := range all {
		out = append(append(out, e.Name), e.Points...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ExerciseReport is what one exercise did.
type ExerciseReport struct {
	Name, Group string
	Counts      Counts
	Time        time.Duration // of one core
	Differences int
}

// Report is what a run did.
type Report struct {
	Elapsed time.Duration
	Total   Counts
	By      []ExerciseReport // in the order of the exercises
	// Reached is the number of points that were reached, of Points; Missing are
	// the others, sorted.
	Reached, Points int
	Missing         []string
	Differences     int // all, shrunken or not
	Untold          int // of those, the ones that are neither shrunken nor told
	Interrupted     bool
	// Stuck are cases that are under way for far too long, or were at the end: by
	// exercise, number and time.
	Stuck []string
}

// Grouped returns the reports of each group added up, in the order of the groups.
func (r *Report) Grouped() (out []ExerciseReport) {
	for _, e := range r.By {
		i := slices.IndexFunc(out, func(g ExerciseReport) bool { return g.Group == e.Group })
		if i < 0 {
			out = append(out, ExerciseReport{Name: e.Group, Group: e.Group})
			i = len(out) - 1
		}
		out[i].Counts.Add(e.Counts)
		out[i].Time += e.Time
		out[i].Differences += e.Differences
	}
	return out
}
