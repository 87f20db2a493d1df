package report

// The same figures as tables.

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hipac-go/classifier/bench/result"
)

// table is a table of the page. The first column names the row.
type table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// none stands for what was not measured.
const none = "–"

// grouped writes a number with spaces between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// rulesText says a number of rules.
func rulesText(n int) string {
	if n == 1 {
		return "1 rule"
	}
	return grouped(n) + " rules"
}

// grid2 makes a table with a row for each engine and a column for each of the
// keys.
func grid2(caption string, head []string, points []point, column func(*point) int, write func(float64) string) table {
	t := table{Caption: caption, Head: append([]string{"engine"}, head...)}
	for _, e := range distinct(points, engineOf) {
		row := make([]string, len(t.Head))
		row[0] = e
		for i := range row[1:] {
			row[i+1] = none
		}
		for i := range points {
			if p := &points[i]; p.Engine == e {
				if c := column(p); c >= 0 {
					row[c+1] = write(p.Value)
				}
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// sizesTables makes a table for each set, with a column for each number of
// rules.
func sizesTables(write func(float64) string) func([]point) []table {
	return func(points []point) []table {
		var out []table
		for _, set := range distinct(points, setOf) {
			mine := where(points, func(p *point) bool { return p.Set == set })
			sizes := sorted(distinct(mine, rulesOf))
			var head []string
			for _, n := range sizes {
				head = append(head, count(float64(n)))
			}
			t := grid2(set, head, mine, func(p *point) int { return slices.Index(sizes, p.Rules) }, write)
			t.Head[0] = "engine / rules"
			out = append(out, t)
		}
		return out
	}
}

// twoTables makes two tables for each set, of two metrics.
func twoTables(first, firstName, second, secondName string) func([]point) []table {
	return func(points []point) []table {
		var out []table
		for _, set := range distinct(points, setOf) {
			for _, m := range [][2]string{{first, firstName}, {second, secondName}} {
				of := where(points, func(p *point) bool { return p.Set == set && p.Metric == m[0] })
				for _, t := range sizesTables(timeText)(of) {
					t.Caption += ", " + m[1]
					out = append(out, t)
				}
			}
		}
		return out
	}
}

// coresTables makes a table for each set and size, with a column for each number
// of cores.
func coresTables(write func(float64) string) func([]point) []table {
	return func(points []point) []table {
		var out []table
		for _, of := range bySetAndSize(points) {
			cores := sorted(distinct(of, coresOf))
			var head []string
			for _, n := range cores {
				head = append(head, strconv.Itoa(n)+map[bool]string{true: " core", false: " cores"}[n == 1])
			}
			out = append(out, grid2(of[0].Set+", "+rulesText(of[0].Rules), head, of, func(p *point) int { return slices.Index(cores, p.Cores) }, write))
		}
		return out
	}
}

// throughputTables makes tables of lookups per second by the clock and by
// CPU time, where there are both.
func throughputTables(points []point) []table {
	var out []table
	for _, m := range []struct{ metric, name string }{{metricThroughput, ""}, {metricPerCPU, ", by the CPU time of each"}} {
		for _, t := range coresTables(rateText)(where(points, func(p *point) bool { return p.Metric == m.metric })) {
			t.Caption += m.name
			out = append(out, t)
		}
	}
	return out
}

// metricTables makes a table for each set and size with a column for each of the
// metrics.
func metricTables(metrics, names []string, write func(float64) string) func([]point) []table {
	return func(points []point) []table {
		metrics, names := present(points, metrics, names)
		var out []table
		for _, of := range bySetAndSize(points) {
			out = append(out, grid2(of[0].Set+", "+rulesText(of[0].Rules), names, of, func(p *point) int { return slices.Index(metrics, p.Metric) }, write))
		}
		return out
	}
}

// editTables makes a table for each set and size with a column for each
// percentile of each kind of edit.
func editTables(prefix string) func([]point) []table {
	return func(points []point) []table {
		var metrics, names []string
		for _, k := range editKinds {
			metrics = append(metrics, editMetrics(k, prefix)...)
			for _, p := range percentiles {
				names = append(names, k+", "+p)
			}
		}
		metrics, names = present(points, metrics, names)
		var out []table
		for _, of := range bySetAndSize(points) {
			out = append(out, grid2(of[0].Set+", "+rulesText(of[0].Rules), names, of, func(p *point) int { return slices.Index(metrics, p.Metric) }, timeText))
		}
		return out
	}
}

// bySetAndSize splits points, which are in the order of the sets.
func bySetAndSize(points []point) [][]point {
	var out [][]point
	for _, set := range distinct(points, setOf) {
		mine := where(points, func(p *point) bool { return p.Set == set })
		for _, n := range sorted(distinct(mine, rulesOf)) {
			out = append(out, where(mine, func(p *point) bool { return p.Rules == n }))
		}
	}
	return out
}

// otherTable has the points that no figure is about.
func otherTable(d *data) *table {
	rest := where(d.points, func(p *point) bool {
		return !slices.ContainsFunc(kinds, func(k kind) bool { return k.of(p) })
	})
	if len(rest) == 0 {
		return nil
	}
	t := &table{Head: []string{"command", "engine", "set", "rules", "cores", "figure", "value"}}
	for i := range rest {
		p := &rest[i]
		cores := none
		if p.Cores > 0 {
			cores = strconv.Itoa(p.Cores)
		}
		t.Rows = append(t.Rows, []string{p.Command, p.Engine, p.Set, grouped(p.Rules), cores, p.Metric, unitText(p.Value, p.Unit)})
	}
	return t
}

// gapTable says what is missing: gaps of the same engine with the same reason
// share a row.
func gapTable(gaps []result.Gap) *table {
	if len(gaps) == 0 {
		return nil
	}
	type key struct{ command, engine, why string }
	t := &table{Head: []string{"command", "engine", "sets", "why"}}
	rows := map[key]int{}
	last := map[key]string{}
	for _, g := range gaps {
		k := key{g.Command, g.Engine, g.Why}
		i, ok := rows[k]
		if !ok {
			i = len(t.Rows)
			rows[k] = i
			t.Rows = append(t.Rows, []string{g.Command, g.Engine, "", g.Why})
		}
		cell := &t.Rows[i][2]
		switch {
		case g.Set == "" && g.Rules == 0:
			if !ok {
				*cell = "all"
			}
		case ok && last[k] == g.Set:
			*cell += fmt.Sprintf(", %s", count(float64(g.Rules)))
		default:
			if ok {
				*cell += "; "
			}
			*cell += g.Set
			if g.Rules > 0 {
				*cell += " " + count(float64(g.Rules))
			}
		}
		last[k] = g.Set
	}
	return t
}
