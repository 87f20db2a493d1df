package report

// The same figures as tables.

import (
	"slices"
	"strconv"
	"strings"
)

// table is a table of the page. The first column names the row.
type table struct {
	Caption string
	Head    []string
	Rows    [][]string

	best   map[[2]int]bool // row and column of cells that are marked
	starts []int           // rows that begin a group of engines
}

// Best reports whether a cell is the best of its column.
func (t table) Best(row, column int) bool { return t.best[[2]int{row, column}] }

// Starts reports whether a row begins a group of engines.
func (t table) Starts(row int) bool { return slices.Contains(t.starts, row) }

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
// keys. The best of a column is marked where there are several: the smallest, but
// the largest of rates.
func grid2(caption string, head []string, points []point, column func(*point) int, write func(float64) string) table {
	t := table{Caption: caption, Head: append([]string{"engine"}, head...), best: map[[2]int]bool{}}
	best, several := make([]float64, len(head)), make([]int, len(head))
	of := ours
	for i, e := range distinct(points, engineOf) {
		if g := look(e).group; i > 0 && g != of {
			t.starts = append(t.starts, i)
		}
		of = look(e).group
		row := make([]string, len(t.Head))
		row[0] = e
		for i := range row[1:] {
			row[i+1] = none
		}
		for i := range points {
			if p := &points[i]; p.Engine == e {
				if c := column(p); c >= 0 {
					row[c+1] = write(p.Value)
					if several[c]++; several[c] == 1 || better(p, best[c]) {
						best[c] = p.Value
					}
				}
			}
		}
		t.Rows = append(t.Rows, row)
	}
	for i := range t.Rows {
		for c := range head {
			if several[c] > 1 && t.Rows[i][c+1] == write(best[c]) {
				t.best[[2]int{i, c + 1}] = true
			}
		}
	}
	return t
}

// better reports whether a value is better than another of its kind.
func better(p *point, than float64) bool {
	if strings.HasSuffix(p.Unit, "/s") {
		return p.Value > than
	}
	return p.Value < than
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
			t.Head[0] = "rules"
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
			names = append(names, k+", median", k+", p99", k+", longest")
		}
		metrics, names = present(points, metrics, names)
		var out []table
		for _, of := range bySetAndSize(points) {
			out = append(out, grid2(of[0].Set+", "+rulesText(of[0].Rules), names, of, func(p *point) int { return slices.Index(metrics, p.Metric) }, timeText))
		}
		return out
	}
}

// sustainTables makes a table of what edits and lookups beside one another
// did, with a row for each set and size.
func sustainTables(points []point) []table {
	points = where(points, func(p *point) bool { return slices.Contains(sustainMetrics, p.Metric) })
	var out []table
	for _, e := range distinct(points, engineOf) {
		mine := where(points, func(p *point) bool { return p.Engine == e })
		metrics, names := present(mine, sustainMetrics, sustainNames)
		t := table{Caption: e + ", lookups and changes beside one another", Head: append([]string{"set"}, names...)}
		for _, of := range bySetAndSize(mine) {
			row := []string{of[0].Set + ", " + rulesText(of[0].Rules)}
			for range metrics {
				row = append(row, none)
			}
			for i := range of {
				row[1+slices.Index(metrics, of[i].Metric)] = unitText(of[i].Value, of[i].Unit)
			}
			t.Rows = append(t.Rows, row)
		}
		out = append(out, t)
	}
	return out
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
		t.Rows = append(t.Rows, []string{p.Command, p.Engine, p.Set, grouped(p.Rules), cores, strings.ReplaceAll(p.Metric, "_", " "), unitText(p.Value, p.Unit)})
	}
	return t
}
