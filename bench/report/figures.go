package report

// What is drawn: the plots by name, and how each is made from the points.

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/hipac-go/classifier/bench/result"
)

// Metrics of package result.
const (
	metricLookup     = "lookup"
	metricWorst      = "lookup_worst"
	metricBytes      = "bytes"
	metricMemory     = "bytes_per_rule"
	metricBuild      = "build_cpu"
	metricWall       = "build_wall"
	metricThroughput = "throughput"
	metricPerCPU     = "throughput_cpu"
	metricEdits      = "edits"
	metricRebuild    = "rebuild"
	// Of bench iptables.
	metricLoad      = "load"
	metricRead      = "load_read"
	metricLoadBuild = "load_build"
	metricPacket    = "packet"
	metricWalk      = "packet_walk"
)

// mostPanels bounds the panels of a plot; the tables have the rest.
const mostPanels = 48

// figure is a part of the page.
type figure struct {
	Name, Title, Text string
	chart             chart // nil for none
	Tables            []table
}

// kind is a kind of figure.
type kind struct {
	name, title string
	// text says what is drawn of the points, and nothing that is not there.
	text func([]point) string
	// of takes the points that the figure is about.
	of func(*point) bool
	// chart draws them.
	chart func([]point) chart
	// tables writes them.
	tables func([]point) []table
}

// kinds are all figures, in the order of the page.
var kinds = []kind{
	{
		name: "lookup", title: "Time of a lookup",
		text: func(p []point) string {
			return "CPU time for one packet, of packets that lie inside random rules" + against(p, "; lower is faster.", "; further left is faster.") + above(p)
		},
		of: func(p *point) bool {
			return p.Metric == metricLookup && p.Command != "iptables" && !adversarial(p.Set)
		},
		chart:  againstRules("time of a lookup", timeTick),
		tables: sizesTables(timeText),
	},
	{
		name: "traffic", title: "Time of a lookup by traffic",
		text: func(p []point) string {
			_, said := present(largest(p), trafficMetrics, trafficTexts)
			return "CPU time for one packet by the kind of packets, with the most rules for which more than one kind was measured: " + listed(said) + "; the tables have those with fewer rules, too." + costliest(p)
		},
		of: func(p *point) bool {
			return slices.Contains(trafficMetrics, p.Metric) && !adversarial(p.Set)
		},
		chart:  func(p []point) chart { return trafficChart(largest(p)) },
		tables: metricTables(trafficMetrics[1:], trafficNames[1:], timeText),
	},
	{
		name: "worst", title: "The worst case",
		text: func(p []point) string {
			text := "CPU time for one packet in sets that are made to be hard for one kind of classifier or another: " + hardSets(hardest(p))
			if costly := distinct(where(p, func(p *point) bool { return p.Metric == metricWorst }), setOf); len(costly) == len(distinct(p, setOf)) {
				text += ". The packets are those that cost our tree most"
			} else if len(costly) > 0 {
				text += ". The packets are those that cost our tree most in " + listed(costly) + ", and lie inside random rules in the others"
			}
			return text + "." + costliest(p)
		},
		of: func(p *point) bool {
			return (p.Metric == metricLookup || p.Metric == metricWorst) && adversarial(p.Set)
		},
		chart:  func(p []point) chart { return againstRules("time of a lookup", timeTick)(hardest(p)) },
		tables: metricTables(trafficMetrics, trafficNames, timeText),
	},
	{
		name: "memory", title: "Memory per rule",
		text: func(p []point) string {
			return "Bytes per rule of all that a lookup reads" + against(p, "; lower is smaller.", "; further left is smaller.") + sameLibrary(p)
		},
		of:     func(p *point) bool { return p.Metric == metricMemory },
		chart:  func(p []point) chart { return againstRules("bytes per rule", byteTick)(oneLibrary(p)) },
		tables: sizesTables(byteText),
	},
	{
		name: "build", title: "Building",
		text: func(p []point) string {
			_, said := present(p, []string{metricBuild, metricWall}, []string{"CPU time, of all threads together,", "time by the clock"})
			text := "The " + said[0] + " that it takes to make an engine of a list of rules" + against(p, "; lower is faster.", "; further left is faster.")
			if len(said) > 1 {
				text += " The tables have the time by the clock, too."
			}
			return text + sameLibrary(p)
		},
		of: func(p *point) bool {
			return (p.Metric == metricBuild || p.Metric == metricWall) && p.Cores == 0
		},
		chart: func(p []point) chart {
			if drawn := where(p, func(p *point) bool { return p.Metric == metricBuild }); drawn != nil {
				p = drawn
			}
			return againstRules("time to build", timeTick)(oneLibrary(p))
		},
		tables: twoTables(metricBuild, "CPU time", metricWall, "by the clock"),
	},
	{
		name: "build-cores", title: "Building on several cores",
		text:   func(p []point) string { return "Time by the clock to make an engine, by the number of workers." },
		of:     func(p *point) bool { return p.Metric == metricWall && p.Cores > 0 },
		chart:  againstCores("time to build", timeTick),
		tables: coresTables(timeText),
	},
	{
		name: "update", title: "Updates",
		text: func(p []point) string {
			var text []string
			if slices.ContainsFunc(p, func(p point) bool { return editMetric(&p, "") }) {
				text = append(text, "Time by the clock of one change of a list in use, from the beginning of its transaction until a lookup returns the new answer: half of the changes take no more than the median, 99 of 100 no more than p99.")
			}
			if slices.ContainsFunc(p, func(p point) bool { return slices.Contains(sustainMetrics, p.Metric) }) {
				text = append(text, "The tables also say what lookups and changes cost one another.")
			}
			return strings.Join(text, " ")
		},
		of: func(p *point) bool { return editMetric(p, "") || slices.Contains(sustainMetrics, p.Metric) },
		chart: func(p []point) chart {
			return editChart("")(where(p, func(p *point) bool { return editMetric(p, "") }))
		},
		tables: func(p []point) []table { return append(editTables("")(p), sustainTables(p)...) },
	},
	{
		name: "update-cpu", title: "Updates, CPU time",
		text: func(p []point) string {
			return "CPU time of one change of a list, of " + countOf(len(distinct(p, engineOf)), "engine", "engines") + " that can be edited; no lookups in between."
		},
		of: func(p *point) bool { return editMetric(p, "cpu_") }, chart: editChart("cpu_"),
		tables: editTables("cpu_"),
	},
	{
		name: "throughput", title: "Throughput",
		text: func(p []point) string {
			text := "Lookups per second of all goroutines together, one on each core."
			if cores := distinct(p, coresOf); len(cores) == 1 {
				text += " There is one number of cores only: " + strconv.Itoa(cores[0]) + "."
			}
			return text
		},
		of: func(p *point) bool {
			return (p.Metric == metricThroughput || p.Metric == metricPerCPU) && p.Cores > 0
		},
		chart: func(p []point) chart {
			return againstCores("lookups per second", rateTick)(where(p, func(p *point) bool { return p.Metric == metricThroughput }))
		},
		tables: throughputTables,
	},
	{
		name: "kernel-load", title: "Loading, beside the kernel's tools",
		text: func(p []point) string {
			return "Time by the clock to load rules of a file" + theKernels(p, ": of a tool of the kernel from its start to its end, in a network namespace of its own", ": of ours, reading the file and building", "; of ours, reading the same file and building") + "."
		},
		of: func(p *point) bool {
			return p.Command == "iptables" && slices.Contains([]string{metricLoad, metricRead, metricLoadBuild}, p.Metric)
		},
		chart:  loadChart,
		tables: metricTables([]string{metricRead, metricLoadBuild, metricLoad}, []string{"reading", "building", "in all"}, timeText),
	},
	{
		name: "kernel-packet", title: "A packet, beside the kernel",
		text: func(p []point) string {
			return "The cost of rules that do not match" + theKernels(p, ": in the kernel, what they add to the sending of a packet", ": of ours, from the bytes of a packet to its verdict", "; of ours, from the bytes of that packet to its verdict in the same rules, decoding included, again and again, with all that it reads in the caches, and without the receiving, copying and sending around it: not the same work") + "."
		},
		of: func(p *point) bool {
			return p.Command == "iptables" && (p.Metric == metricWalk || p.Metric == metricPacket)
		},
		chart: func(p []point) chart {
			return againstRules("time of a packet", timeTick)(where(p, func(p *point) bool { return p.Metric == metricWalk }))
		},
		tables: twoTables(metricWalk, "what rules add", metricPacket, "all of sending a packet"),
	},
}

// waysOf returns the ways of DPDK's library that were measured.
func waysOf(points []point) []string {
	return slices.DeleteFunc(distinct(points, engineOf), func(e string) bool { return !strings.HasPrefix(e, dpdk) })
}

// oneLibrary puts the ways of DPDK's library together, which build the same: the
// middle one of each set and size stands for them.
func oneLibrary(points []point) []point {
	ways := waysOf(points)
	if len(ways) < 2 {
		return points
	}
	name := fmt.Sprintf("dpdk-acl (%d ways)", len(ways))
	out := where(points, func(p *point) bool { return !strings.HasPrefix(p.Engine, dpdk) })
	for _, of := range bySetAndSize(where(points, func(p *point) bool { return strings.HasPrefix(p.Engine, dpdk) })) {
		slices.SortStableFunc(of, func(a, b point) int { return cmp.Compare(a.Value, b.Value) })
		p := of[(len(of)-1)/2]
		p.Engine = name
		p.broken = !slices.ContainsFunc(of, func(q point) bool { return !q.broken })
		out = append(out, p)
	}
	slices.SortStableFunc(out, inOrder)
	return out
}

// sameLibrary says that oneLibrary has done so.
func sameLibrary(points []point) string {
	if n := len(waysOf(points)); n > 1 {
		return fmt.Sprintf(" The %d ways of DPDK’s library search the same structure, and are one line: the middle one of those that were measured; the tables have all.", n)
	}
	return ""
}

// costliest says what the packets that cost most are.
func costliest(points []point) string {
	if !slices.ContainsFunc(points, func(p point) bool { return p.Metric == metricWorst }) {
		return ""
	}
	number := "at most 1\u202f000"
	if n := sorted(distinct(where(points, func(p *point) bool { return p.Metric == metricWorst && p.Different > 0 }), func(p *point) int { return p.Different })); n != nil {
		if number = grouped(n[0]); n[0] < n[len(n)-1] {
			number += " to " + grouped(n[len(n)-1])
		}
	}
	return " The costliest packets are " + number + " different ones, found by searching for those that cost our tree most, and repeated: they and what they read stay in the caches, so that their times do not compare with those of packets inside random rules, and they are not the worst of any other engine."
}

// hardSets lists sets with their numbers of rules.
func hardSets(points []point) string {
	var out []string
	for _, set := range distinct(points, setOf) {
		var sizes []string
		for _, n := range sorted(distinct(where(points, func(p *point) bool { return p.Set == set }), rulesOf)) {
			sizes = append(sizes, grouped(n))
		}
		out = append(out, set+" ("+listed(sizes)+" rules)")
	}
	return listed(out)
}

// figure makes the figure, nil when nothing was measured.
func (k *kind) figure(d *data) *figure {
	points := d.breaks(once(where(d.points, k.of)))
	if len(points) == 0 {
		return nil
	}
	f := &figure{Name: k.name, Title: k.title, Text: k.text(points), Tables: k.tables(points)}
	if drawn := where(points, drawable); len(drawn) > 0 {
		f.chart = k.chart(drawn)
	}
	if f.chart == nil && f.Tables == nil {
		return nil
	}
	if k.name != "traffic" { // it draws one size of each set
		f.Text += mixed(points)
	}
	if runs := distinct(points, func(p *point) int { return p.run }); len(runs) > 1 {
		f.Text += fmt.Sprintf(" The figures are of %d runs, and so not of the same minutes.", len(runs))
	}
	return f
}

// mixed says which points are of the command scale where a line has others, too.
func mixed(points []point) string {
	var out strings.Builder
	for _, set := range distinct(points, setOf) {
		mine := where(points, func(p *point) bool { return p.Set == set && p.Cores == 0 })
		scale := where(mine, func(p *point) bool { return p.Command == "scale" })
		if len(scale) == 0 || len(scale) == len(mine) {
			continue
		}
		var sizes []string
		for _, n := range sorted(distinct(scale, rulesOf)) {
			sizes = append(sizes, count(float64(n)))
		}
		fmt.Fprintf(&out, " The lines of %s join figures of two commands, which were not measured in the same minutes: those with %s rules are of bench scale.", set, listed(sizes))
	}
	return out.String()
}

// breaks marks points behind a size with which their engine failed.
func (d *data) breaks(points []point) []point {
	for i := 1; i < len(points); i++ {
		p := &points[i]
		before := 0
		for j := range i {
			if q := &points[j]; q.Set == p.Set && q.Engine == p.Engine && q.Rules < p.Rules {
				before = max(before, q.Rules)
			}
		}
		p.broken = before > 0 && slices.ContainsFunc(d.gaps, func(g result.Gap) bool {
			return g.Engine == p.Engine && g.Set == p.Set && g.Rules > before && g.Rules < p.Rules
		})
	}
	return points
}

// once takes out values that the command scale has measured when another one
// has, too.
func once(points []point) []point {
	type key struct {
		set, engine, metric string
		rules, cores        int
	}
	of := func(p *point) key { return key{p.Set, p.Engine, p.Metric, p.Rules, p.Cores} }
	other := map[key]bool{}
	for i := range points {
		if points[i].Command != "scale" {
			other[of(&points[i])] = true
		}
	}
	return where(points, func(p *point) bool { return p.Command != "scale" || !other[of(p)] })
}

func byteTick(b float64) string { return scaled(b, trimmed, byteSizes, byteUnits) }

// hardest takes the packets that cost most, where they were measured, and others
// elsewhere, as one metric.
func hardest(points []point) []point {
	worst := map[string]bool{}
	for i := range points {
		if points[i].Metric == metricWorst {
			worst[points[i].Set] = true
		}
	}
	return where(points, func(p *point) bool { return (p.Metric == metricWorst) == worst[p.Set] })
}

// linesOf makes a line of each engine's points.
func linesOf(points []point, x func(*point) int) []line {
	var out []line
	for _, e := range distinct(points, engineOf) {
		l := line{engine: e}
		for i := range points {
			if p := &points[i]; p.Engine == e && x(p) > 0 {
				if p.broken {
					l.breaks = append(l.breaks, len(l.points))
				}
				l.points = append(l.points, plotter.XY{X: float64(x(p)), Y: p.Value})
			}
		}
		if l.points != nil {
			out = append(out, l)
		}
	}
	return out
}

// panelsOf arranges points as rows of panels: where there are engines of more
// than one group a row for each set, with a panel for each group and ours in all
// of them, otherwise two sets a row.
func panelsOf(points []point, x func(*point) int, title func(set string) string) [][]*linePanel {
	var groups []group
	for g := textbook; g < numGroups; g++ {
		if slices.ContainsFunc(points, func(p point) bool { return look(p.Engine).group == g }) {
			groups = append(groups, g)
		}
	}
	var all []*linePanel
	for _, set := range distinct(points, setOf) {
		mine := where(points, func(p *point) bool { return p.Set == set })
		if len(groups) < 2 {
			if lines := linesOf(mine, x); lines != nil {
				all = append(all, &linePanel{set, title(set), lines})
			}
			continue
		}
		row := make([]*linePanel, len(groups))
		for i, g := range groups {
			lines := linesOf(where(mine, func(p *point) bool { e := look(p.Engine).group; return e == g || e == ours }), x)
			if slices.ContainsFunc(lines, func(l line) bool { return look(l.engine).group == g }) || i == 0 && lines != nil {
				row[i] = &linePanel{set, title(set) + ": " + groupTitles[g], lines}
			}
		}
		all = append(all, row...)
	}
	if len(all) > mostPanels {
		all = all[:mostPanels/2*2]
	}
	cols := max(2, len(groups))
	if len(all) == 1 {
		cols = 1
	}
	for len(all)%cols != 0 {
		all = append(all, nil)
	}
	var rows [][]*linePanel
	for row := range slices.Chunk(all, cols) {
		if slices.ContainsFunc(row, func(p *linePanel) bool { return p != nil }) {
			rows = append(rows, row)
		}
	}
	return rows
}

func values(points []point) []float64 {
	var out []float64
	for i := range points {
		out = append(out, points[i].Value)
	}
	return out
}

// againstRules draws lines against the number of rules or, where there is only
// one number, a mark for each engine.
func againstRules(y string, tick func(float64) string) func([]point) chart {
	return func(points []point) chart {
		if len(points) == 0 {
			return nil
		}
		if len(distinct(points, rulesOf)) < 2 {
			return onePerEngine(points, y, tick)
		}
		ch := &lineChart{x: axis{label: "rules", format: plainTick}, y: axis{label: y, format: tick}}
		if ch.rows = panelsOf(points, rulesOf, func(set string) string { return shortened(set) }); ch.rows == nil {
			return nil
		}
		ch.y.over(values(where(points, func(p *point) bool { return p.Value <= ceiling(points) })))
		return ch
	}
}

// ceiling is where the axis of lookups ends: at a hundred times the slowest of
// ours, so that a few slow engines do not take the room of all others.
func ceiling(points []point) float64 {
	most := 0.0
	for i := range points {
		if p := &points[i]; look(p.Engine).group != ours {
			continue
		} else if !slices.Contains(trafficMetrics, p.Metric) {
			return math.Inf(1)
		} else {
			most = max(most, p.Value)
		}
	}
	if most == 0 {
		return math.Inf(1)
	}
	return 100 * most
}

// above names the engines with values that are not drawn.
func above(points []point) string {
	top := ceiling(points)
	var out []string
	for _, e := range distinct(points, engineOf) {
		most := slices.Max(values(where(points, func(p *point) bool { return p.Engine == e })))
		if most > top {
			out = append(out, e+" (up to "+timeText(most)+")")
		}
	}
	if out == nil || len(distinct(points, rulesOf)) < 2 {
		return ""
	}
	return " The axis ends at a hundred times the slowest of ours; beyond it, and in the tables alone, are values of " + listed(out) + "."
}

// againstCores draws lines against the number of cores, of the most rules of
// each set.
func againstCores(y string, tick func(float64) string) func([]point) chart {
	return func(points []point) chart {
		if len(points) == 0 {
			return nil
		}
		most := map[string]int{}
		for i := range points {
			most[points[i].Set] = max(most[points[i].Set], points[i].Rules)
		}
		points = where(points, func(p *point) bool { return p.Rules == most[p.Set] })
		if len(distinct(points, coresOf)) < 2 {
			return onePerEngine(points, y, tick) // one number of cores is no line
		}
		ch := &lineChart{x: axis{label: "cores", format: coresTick}, y: axis{label: y, format: tick}}
		ch.rows = panelsOf(points, coresOf, func(set string) string { return shortened(set) + ", " + count(float64(most[set])) + " rules" })
		if ch.rows == nil {
			return nil
		}
		for _, n := range distinct(points, coresOf) {
			ch.x.at = append(ch.x.at, float64(n))
		}
		ch.y.over(values(points))
		return ch
	}
}

// onePerEngine draws a mark for each engine.
func onePerEngine(points []point, x string, tick func(float64) string) chart {
	ch := &dotChart{x: axis{label: x, format: tick}, marks: []string{x}}
	ch.x.over(values(points))
	for _, set := range distinct(points, setOf) {
		panel := dotPanel{}
		for i := range points {
			if p := &points[i]; p.Set == set {
				panel.title = fmt.Sprintf("%s, %s rules", shortened(set), count(float64(p.Rules)))
				if p.Cores > 0 {
					panel.title += ", " + countOf(p.Cores, "core", "cores")
				}
				panel.lines = append(panel.lines, dotLine{p.Engine, p.Engine, []float64{p.Value}})
			}
		}
		ch.panels = append(ch.panels, panel)
	}
	return ch.bounded()
}

func (ch *dotChart) bounded() chart {
	if len(ch.panels) == 0 {
		return nil
	}
	ch.panels = ch.panels[:min(len(ch.panels), mostPanels)]
	return ch
}

// The traffics of a lookup.
var (
	trafficMetrics = []string{metricLookup, "lookup_zipf", "lookup_misses", metricWorst}
	trafficNames   = []string{"inside random rules", "flows (Zipf)", "no rule matches", "costliest packets"}
	trafficTexts   = []string{"packets inside random rules", "flows whose sizes follow Zipf’s law", "packets that no rule matches", "the packets that cost our tree most"}
)

// largest takes the points of the most rules with which a set has more than one
// traffic.
func largest(points []point) []point {
	most := map[string]int{}
	for i := range points {
		if p := &points[i]; p.Metric != metricLookup {
			most[p.Set] = max(most[p.Set], p.Rules)
		}
	}
	return where(points, func(p *point) bool { n, ok := most[p.Set]; return ok && n == p.Rules })
}

// present takes the metrics that the points have, with their names.
func present(points []point, metrics, names []string) (have, called []string) {
	for i, m := range metrics {
		if slices.ContainsFunc(points, func(p point) bool { return p.Metric == m }) {
			have, called = append(have, m), append(called, names[i])
		}
	}
	return have, called
}

// trafficChart has a panel for each set.
func trafficChart(points []point) chart {
	metrics, names := present(points, trafficMetrics, trafficNames)
	ch := &dotChart{x: axis{label: "time of a lookup", format: timeTick}, marks: names}
	ch.x.over(values(points))
	for _, of := range bySetAndSize(points) {
		ch.panels = append(ch.panels, dotPanel{fmt.Sprintf("%s, %s rules", shortened(of[0].Set), count(float64(of[0].Rules))), marksOf(of, metrics)})
	}
	return ch.bounded()
}

// marksOf makes a row of each engine, with the metrics as marks.
func marksOf(points []point, metrics []string) []dotLine {
	var out []dotLine
	for _, e := range distinct(points, engineOf) {
		l := dotLine{label: e, engine: e, values: make([]float64, len(metrics))}
		for i := range points {
			if j := slices.Index(metrics, points[i].Metric); j >= 0 && points[i].Engine == e {
				l.values[j] = points[i].Value
			}
		}
		out = append(out, l)
	}
	return out
}

// Kinds and percentiles of edits, as in "insert_p50".
var (
	editKinds   = []string{"insert", "delete"}
	percentiles = []string{"p50", "p99", "max"}
)

// editMetric reports whether a point is a percentile of an edit, prefix being
// "cpu_" or "".
func editMetric(p *point, prefix string) bool {
	kind, rest, _ := strings.Cut(p.Metric, "_")
	rest, ok := strings.CutPrefix(rest, prefix)
	return ok && slices.Contains(editKinds, kind) && slices.Contains(percentiles, rest)
}

// sustainMetrics are of lookups and edits beside one another.
var (
	sustainMetrics = []string{metricEdits, metricRebuild, "slowdown_during", "slowdown_after", "growth_after"}
	sustainNames   = []string{"changes per second", "a whole rebuild", "lookups slower during changes", "lookup time after, by fresh", "memory after, by fresh"}
)

// editMetrics are the metrics of a kind of edits.
func editMetrics(kind, prefix string) []string {
	var out []string
	for _, p := range percentiles {
		out = append(out, kind+"_"+prefix+p)
	}
	return out
}

// editChart has a panel for each set and size, and a row for each engine and
// kind of edit.
func editChart(prefix string) func([]point) chart {
	return func(points []point) chart {
		ch := &dotChart{x: axis{label: "time of a change", format: timeTick}, marks: []string{"median", "p99: 99 of 100 take no more", "the longest"}}
		ch.x.over(values(points))
		for _, sized := range bySetAndSize(points) {
			panel := dotPanel{title: fmt.Sprintf("%s, %s rules", shortened(sized[0].Set), count(float64(sized[0].Rules)))}
			for _, e := range distinct(sized, engineOf) {
				of := where(sized, func(p *point) bool { return p.Engine == e })
				for _, k := range editKinds {
					for _, l := range marksOf(of, editMetrics(k, prefix)) {
						l.label += ", " + k
						panel.lines = append(panel.lines, l)
					}
				}
			}
			ch.panels = append(ch.panels, panel)
		}
		return ch.bounded()
	}
}

func sorted(x []int) []int {
	slices.Sort(x)
	return x
}

// loadChart has a panel for each file that was loaded.
func loadChart(points []point) chart {
	ch := &dotChart{x: axis{label: "time by the clock", format: timeTick}, marks: []string{"reading alone", "in all"}}
	ch.x.over(values(points))
	for _, of := range bySetAndSize(points) {
		ch.panels = append(ch.panels, dotPanel{fmt.Sprintf("%s, %s rules", shortened(of[0].Set), count(float64(of[0].Rules))), marksOf(of, []string{metricRead, metricLoad})})
	}
	return ch.bounded()
}
