package report

// The first table of the page: ours beside the fastest of the others. It
// compares what one run has measured, and names nothing else.

import (
	"cmp"
	"slices"
	"strconv"
)

// summary has a row for each set: the most rules for which a run has times of
// ours and of another engine.
func summary(d *data) *table {
	lookups := hardest(once(where(d.points, func(p *point) bool {
		return p.Value > 0 && p.Command != "iptables" &&
			(p.Metric == metricLookup || p.Metric == metricWorst && adversarial(p.Set))
	})))
	t := &table{Head: []string{"set", "rules", "hipac", "hipac-batch", "fastest other", "its time", "by hipac's", "by hipac-batch's", "others measured"}}
	for _, set := range distinct(lookups, setOf) {
		mine := where(lookups, func(p *point) bool { return p.Set == set })
		sizes := sorted(distinct(mine, rulesOf))
		slices.Reverse(sizes)
		for _, n := range sizes {
			if row := compared(where(mine, func(p *point) bool { return p.Rules == n })); row != nil {
				t.Rows = append(t.Rows, append([]string{set, grouped(n)}, row...))
				break
			}
		}
	}
	if t.Rows == nil {
		return nil
	}
	return t
}

// compared compares ours with the others of the same run; nil when there is
// nothing to compare.
func compared(points []point) []string {
	find := func(names ...string) int {
		return slices.IndexFunc(points, func(p point) bool { return slices.Contains(names, p.Engine) })
	}
	i := find("hipac", "tree")
	if i < 0 {
		return nil
	}
	own := points[i]
	others := where(points, func(p *point) bool { return p.run == own.run && look(p.Engine).group != ours })
	if len(others) == 0 {
		return nil
	}
	best := slices.MinFunc(others, func(a, b point) int { return cmp.Compare(a.Value, b.Value) })
	batch, byBatch := none, none
	if j := find("hipac-batch"); j >= 0 && points[j].run == own.run {
		batch, byBatch = timeText(points[j].Value), digits(best.Value/points[j].Value)
	}
	return []string{timeText(own.Value), batch, best.Engine, timeText(best.Value), digits(best.Value / own.Value), byBatch, strconv.Itoa(len(others))}
}
