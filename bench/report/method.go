package report

// Where and how the figures were made, as far as the results tell.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hipac-go/classifier/bench/result"
)

// fact is a line of what the page says about a run.
type fact struct{ Name, Value string }

// runFacts are the facts of a run.
func runFacts(m *result.Machine) []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	when := m.Started
	if t, err := time.Parse(time.RFC3339, m.Started); err == nil {
		when = t.UTC().Format("2 January 2006, 15:04 UTC")
	}
	add("Begun", when)
	add("System", m.OS)
	add("Go", strings.TrimPrefix(m.Go, "go"))
	load := "not recorded: whether the machine did other work is not known"
	if m.Load != nil {
		load = fmt.Sprintf("%.2f tasks, over the minute before the run", *m.Load)
	}
	add("Load", load)
	if m.Load != nil && m.Cores > 0 && *m.Load > float64(m.Cores) {
		add("Warning", fmt.Sprintf("more tasks than the machine has cores (%d): other work took time and caches from what was measured", m.Cores))
	}
	return out
}

// commitText says a commit; changed reports whether files had changed in it.
func commitText(commit string) (name string, changed bool) {
	name, changed = strings.CutSuffix(commit, "+")
	return name, changed
}

// method says how the figures of a page were made: of what there is, and no
// more.
func method(d *data) []string {
	var out []string
	lookups := where(d.points, func(p *point) bool {
		return slices.Contains(trafficMetrics, p.Metric) && p.Command != "iptables"
	})
	if lookups != nil {
		text := "Lookups are timed in CPU time of one thread."
		if rounds := roundsText(lookups); rounds != "" {
			text += " All engines take their turns in each of " + rounds + " rounds over the packets, so that they are compared in the same minutes; a figure is the median of the rounds."
		}
		if middle, most, ok := spreads(lookups); ok {
			text += fmt.Sprintf(" The middle half of the rounds spans %s of the figure for the typical one, and %s at most.", percent(middle), percent(most))
		}
		out = append(out, text, "Before an engine is timed, its answers are compared with those of a linear walk over the same rules; one that answers wrongly is not timed, and is named under “what is missing”.")
	}
	if builds := where(d.points, func(p *point) bool { return p.Metric == metricBuild || p.Metric == metricWall }); builds != nil {
		if rounds := roundsText(builds); rounds != "" && rounds != "1" {
			text := "A time to build is the median of " + rounds + " builds."
			if middle, most, ok := spreads(builds); ok {
				text += fmt.Sprintf(" Where there were several, their quartiles lie %s of the figure apart for the typical one, and %s at most.", percent(middle), percent(most))
			}
			out = append(out, text)
		}
	}
	if has := where(d.points, func(p *point) bool { return p.Metric == metricMemory }); has != nil {
		out = append(out, "Memory is counted in bytes of what a lookup reads, not of what building took in between.")
	}
	wall := where(d.points, func(p *point) bool { return editMetric(p, "") })
	cpu := where(d.points, func(p *point) bool { return editMetric(p, "cpu_") })
	switch {
	case wall != nil && cpu != nil:
		out = append(out, "Changes of a list are timed one by one: in use, by the clock, ours alone; and of all engines that can be edited in CPU time.")
	case wall != nil:
		out = append(out, "Changes of a list are timed one by one, by the clock.")
	case cpu != nil:
		out = append(out, "Changes of a list are timed one by one, in CPU time.")
	}
	if d.points != nil && !slices.ContainsFunc(d.points, func(p point) bool { return look(p.Engine).group == projects }) {
		text := "No engine of another project was measured."
		if slices.ContainsFunc(d.runs, func(r *result.Run) bool { return slices.ContainsFunc(r.Commands, quickly) }) {
			text += " The quick run leaves them out unless --peers asks for them."
		}
		out = append(out, text)
	}
	for _, r := range d.runs {
		if text := limitsOf(r); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if lookups != nil {
		out = append(append(out, notesOf(d)...), absent(d))
	}
	return out
}

// quickly reports whether a command measures small sets in short rounds.
func quickly(command string) bool {
	words := strings.Fields(command)
	return slices.Contains(words, "--quick") && !slices.Contains(words, "--peers")
}

// roundsText says how many rounds points have, "" when they do not tell.
func roundsText(points []point) string {
	all := sorted(distinct(points, func(p *point) int { return p.Rounds }))
	all = slices.DeleteFunc(all, func(n int) bool { return n == 0 })
	switch len(all) {
	case 0:
		return ""
	case 1:
		return fmt.Sprint(all[0])
	}
	return fmt.Sprintf("%d to %d", all[0], all[len(all)-1])
}

// spreads returns how far the quartiles of the rounds lie apart, by the median
// of the rounds: in the median of all points, and at most.
func spreads(points []point) (middle, most float64, ok bool) {
	var all []float64
	for i := range points {
		if p := &points[i]; p.Rounds > 1 && p.Value > 0 && p.High >= p.Low && p.Low > 0 {
			all = append(all, (p.High-p.Low)/p.Value)
		}
	}
	if all == nil {
		return 0, 0, false
	}
	slices.SortFunc(all, cmp.Compare[float64])
	return all[len(all)/2], all[len(all)-1], true
}

func percent(x float64) string {
	if x < 0.1 {
		return fmt.Sprintf("%.1f\u00a0%%", 100*x)
	}
	return fmt.Sprintf("%.0f\u00a0%%", 100*x)
}
