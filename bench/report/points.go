package report

// The points of several runs put together, in order and in common units.

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/bench/workload"
)

// mostPoints bounds the points of a report.
const mostPoints = 1 << 18

// point is a point of a run. Times are in nanoseconds, memory in bytes per rule.
type point struct {
	result.Point
	run int
	// broken is set where the engine failed with a number of rules between the
	// point before and this one.
	broken bool
}

// data is what a report is about.
type data struct {
	runs   []*result.Run
	points []point
	gaps   []result.Gap
	notes  []string // what the reader should know about the points
}

// merge puts runs together. Of values that two runs have, the later run's count.
func merge(runs []*result.Run, sets []string) (*data, error) {
	if len(runs) == 0 {
		return nil, errors.New("no results")
	}
	d := &data{runs: runs}
	have := map[string]bool{}
	for i, r := range runs {
		if m, first := &r.Machine, &runs[0].Machine; m.CPU != first.CPU || m.Cores != first.Cores {
			return nil, fmt.Errorf("results of different machines cannot stand in one plot: %s with %d cores, and %s with %d",
				first.CPU, first.Cores, m.CPU, m.Cores)
		}
		for _, p := range r.Points {
			if have[p.Set] = true; sets == nil || slices.Contains(sets, p.Set) {
				if err := d.add(point{Point: p, run: i}); err != nil {
					return nil, err
				}
			}
		}
		for _, g := range r.Missing {
			if sets == nil || g.Set == "" || slices.Contains(sets, g.Set) {
				d.gaps = append(d.gaps, g)
			}
		}
	}
	for _, s := range sets {
		if !have[s] {
			return nil, fmt.Errorf("there are no results for a set %q", s)
		}
	}
	if len(d.points) > mostPoints {
		return nil, fmt.Errorf("%d results: a report takes %d", len(d.points), mostPoints)
	}
	d.sort()
	return d, nil
}

// add adds a point in common units.
func (d *data) add(p point) error {
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) || p.Rules < 0 || p.Cores < 0 {
		return fmt.Errorf("bad point: %s of %s, %v with %d rules on %d cores", p.Metric, p.Engine, p.Value, p.Rules, p.Cores)
	}
	scale, unit := 1.0, p.Unit
	switch p.Unit {
	case "us", "µs":
		scale, unit = 1e3, "ns"
	case "ms":
		scale, unit = 1e6, "ns"
	case "s":
		scale, unit = 1e9, "ns"
	case "bytes":
		if p.Metric == metricBytes && p.Rules > 0 {
			scale, unit, p.Metric = 1/float64(p.Rules), "bytes/rule", metricMemory
		}
	}
	p.Value, p.Low, p.High, p.Unit = p.Value*scale, p.Low*scale, p.High*scale, unit
	if math.IsInf(p.Value, 0) {
		return fmt.Errorf("bad point: %s of %s, %v %s", p.Metric, p.Engine, p.Value/scale, p.Unit)
	}
	d.points = append(d.points, p)
	return nil
}

// sort orders the points as plots and tables have them, and takes those out that
// a later run has, too.
func (d *data) sort() {
	slices.SortStableFunc(d.points, inOrder)
	kept := d.points[:0]
	replaced := 0
	for i, p := range d.points {
		if i+1 < len(d.points) {
			if q := d.points[i+1]; q.Set == p.Set && q.Engine == p.Engine && q.Rules == p.Rules && q.Cores == p.Cores && q.Metric == p.Metric && q.Command == p.Command {
				if q.run != p.run {
					replaced++
				}
				continue
			}
		}
		kept = append(kept, p)
	}
	d.points = kept
	if replaced > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d figures were measured more than once; the last of each is shown.", replaced))
	}
	slices.SortStableFunc(d.gaps, func(a, b result.Gap) int {
		return cmp.Or(cmp.Compare(a.Command, b.Command), byLook(a.Engine, b.Engine), bySet(a.Set, b.Set), cmp.Compare(a.Rules, b.Rules), cmp.Compare(a.Why, b.Why))
	})
	d.gaps = slices.Compact(d.gaps)
}

// inOrder compares points by their order in plots and tables.
func inOrder(a, b point) int {
	return cmp.Or(bySet(a.Set, b.Set), byLook(a.Engine, b.Engine), cmp.Compare(a.Rules, b.Rules),
		cmp.Compare(a.Cores, b.Cores), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Command, b.Command))
}

// setRanks are the places of the kinds of rule sets that there are.
var setRanks = func() map[string]int {
	ranks := map[string]int{}
	for i, k := range workload.Kinds() {
		ranks[k.Name] = i
	}
	return ranks
}()

// bySet compares the names of sets: kinds of sets in their order, others behind.
func bySet(a, b string) int {
	rank := func(name string) int {
		if r, ok := setRanks[name]; ok {
			return r
		}
		return len(setRanks)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
}

// adversarial reports whether a set is made to be hard.
func adversarial(set string) bool {
	return slices.ContainsFunc(workload.Adversaries(), func(a workload.Adversary) bool { return a.String() == set })
}

// where returns the points that take says, in their order.
func where(points []point, take func(*point) bool) []point {
	var out []point
	for i := range points {
		if take(&points[i]) {
			out = append(out, points[i])
		}
	}
	return out
}

// distinct returns what of the points has, each once, in the order of the
// points.
func distinct[T comparable](points []point, of func(*point) T) []T {
	var out []T
	seen := map[T]bool{}
	for i := range points {
		if v := of(&points[i]); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// drawable reports whether a value has a place on an axis: one above 0, and no
// nonsense.
func drawable(p *point) bool { return p.Value >= 1e-9 && p.Value <= 1e18 }

func setOf(p *point) string    { return p.Set }
func engineOf(p *point) string { return p.Engine }
func rulesOf(p *point) int     { return p.Rules }
func coresOf(p *point) int     { return p.Cores }
