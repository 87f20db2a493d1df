package report

// The first table of the page: how often ours is the best of the measured engines
// and how often not, like with like, with the best and the worst case of each. It
// is made from the results, and names nothing else.

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// contest is something in which ours is compared with the best of the others.
type contest struct {
	what  string   // in the first column
	names []string // of ours: the first that was measured
	of    func(*point) bool
	rival func(engine string) bool
	words [2]string // ours is better, or worse
	write func(float64) string
	sizes bool // it has a table of sets and sizes of its own
}

func onlyOne(e string) bool { return !many(e) }
func only64(e string) bool  { return many(e) }
func anyEngine(string) bool { return true }
func noList(e string) bool  { return e != "linear" }
func metric(m string) func(*point) bool {
	return func(p *point) bool { return p.Metric == m }
}

var (
	inTime  = [2]string{"faster", "slower"}
	inSize  = [2]string{"smaller", "larger"}
	single  = []string{"hipac", "tree"}
	batches = []string{"hipac-batch"}
	edited  = []string{"hipac-live"}
)

// contests are all of them, in the order of the table.
var contests = []contest{
	{"Lookup, one packet at a time, random packets", single, metric(metricLookup), onlyOne, inTime, timeText, true},
	{"Lookup, one packet at a time, costliest packets", single, metric(metricWorst), onlyOne, inTime, timeText, true},
	{"Lookup, many packets at a time, random packets", batches, metric(metricLookup), only64, inTime, timeText, true},
	{"Lookup, many packets at a time, costliest packets", batches, metric(metricWorst), only64, inTime, timeText, true},
	{"Memory", single, metric(metricMemory), anyEngine, inSize, byteText, false},
	{"Memory, without linear, which keeps the list alone", single, metric(metricMemory), noList, inSize, byteText, true},
	{"Building, CPU time", single, metric(metricBuild), anyEngine, inTime, timeText, false},
	{"Building, CPU time, without linear", single, metric(metricBuild), noList, inTime, timeText, true},
	{"Insertion of a rule, median, CPU time", edited, metric("insert_cpu_p50"), anyEngine, inTime, timeText, true},
	{"Insertion of a rule, p99, CPU time", edited, metric("insert_cpu_p99"), anyEngine, inTime, timeText, false},
	{"Deletion of a rule, median, CPU time", edited, metric("delete_cpu_p50"), anyEngine, inTime, timeText, true},
	{"Deletion of a rule, p99, CPU time", edited, metric("delete_cpu_p99"), anyEngine, inTime, timeText, false},
}

// duel is ours beside the best of the others, of one set with one number of
// rules. Others is how many there were; the rest is of the best of them.
type duel struct {
	set        string
	rules      int
	own, other float64
	name       string
	others     int
}

// ratio is how many times as good ours is.
func (d *duel) ratio() float64 {
	if d.own == d.other { // 0, too
		return 1
	}
	return d.other / d.own
}

// duels returns the duels of a contest, and how many sets and sizes have
// nothing but ours.
func (k *contest) duels(points []point) (out []duel, alone int) {
	points = where(points, func(p *point) bool {
		// An edit of 0 takes less than the clock can tell.
		return (p.Value > 0 || p.Value == 0 && editMetric(p, "cpu_")) && p.Cores == 0 && p.Command != "iptables" && k.of(p)
	})
	// The command scale measures one set at many sizes, which would count more
	// than the others.
	if all := where(points, func(p *point) bool { return p.Command != "scale" }); all != nil {
		points = all
	}
	for _, of := range bySetAndSize(points) {
		i := slices.IndexFunc(of, func(p point) bool { return slices.Contains(k.names, p.Engine) })
		if i < 0 {
			continue
		}
		own := of[i]
		others := where(of, func(p *point) bool {
			return p.run == own.run && look(p.Engine).group != ours && k.rival(p.Engine)
		})
		if others == nil {
			alone++
			continue
		}
		best := slices.MinFunc(others, func(a, b point) int { return cmp.Compare(a.Value, b.Value) })
		out = append(out, duel{own.Set, own.Rules, own.Value, best.Value, best.Engine, len(others)})
	}
	return out, alone
}

// ratioText says how ours stands: "2.1× faster".
func (k *contest) ratioText(r float64) string {
	switch {
	case math.Abs(r-1) < 0.005:
		return "equal"
	case r == 0:
		return k.words[1] + " by more than the clock can tell"
	case math.IsInf(r, 1):
		return k.words[0] + " by more than the clock can tell"
	case r > 1:
		return times(r) + "\u00a0" + k.words[0]
	}
	return times(1/r) + "\u00a0" + k.words[1]
}

// times writes a ratio with as many digits as it needs to differ from 1.
func times(r float64) string {
	switch {
	case r < 10:
		return fmt.Sprintf("%.2f×", r)
	case r < 100:
		return fmt.Sprintf("%.0f×", r)
	}
	return digits(r) + "×"
}

// caseText says a duel: "3.20× slower: fw1 10k, 320 ns, tuplemerge 100 ns".
func (k *contest) caseText(d *duel) string {
	return fmt.Sprintf("%s: %s\u00a0%s, %s, %s %s", k.ratioText(d.ratio()), d.set, count(float64(d.rules)), k.write(d.own), d.name, k.write(d.other))
}

// shortly is the first part of the page.
type shortly struct {
	Text  []string
	Tally table
	Sizes []table // how ours stands by set and number of rules
}

// summary says how ours stands; nil where there is nothing to compare.
func summary(d *data) *shortly {
	s := &shortly{Tally: table{Head: []string{"what", "ours", "best in", "of pairs", "typically", "best case", "worst case"}}}
	var always, never []string
	alone := 0
	for i := range contests {
		k := &contests[i]
		duels, without := k.duels(d.points)
		if len(duels) == 0 {
			continue
		}
		if k.sizes {
			alone += without
			s.Sizes = append(s.Sizes, k.table(duels))
		}
		first := 0
		for _, d := range duels {
			if d.ratio() > 1 {
				first++
			}
		}
		slices.SortStableFunc(duels, func(a, b duel) int { return cmp.Compare(a.ratio(), b.ratio()) })
		worst, middle, best := &duels[0], &duels[(len(duels)-1)/2], &duels[len(duels)-1]
		own := d.ownName(k)
		s.Tally.Rows = append(s.Tally.Rows, []string{k.what, own, fmt.Sprint(first), fmt.Sprint(len(duels)), k.ratioText(middle.ratio()), k.caseText(best), k.caseText(worst)})
		what := lowered(k.what)
		switch first {
		case len(duels):
			always = append(always, what)
		case 0:
			never = append(never, fmt.Sprintf("%s (%s to %s)", what, k.ratioText(best.ratio()), k.ratioText(worst.ratio())))
		}
	}
	if s.Tally.Rows == nil {
		return nil
	}
	if always != nil {
		s.Text = append(s.Text, "Ours is the best of the measured engines in every pair in: "+strings.Join(always, "; ")+".")
	}
	if never != nil {
		s.Text = append(s.Text, "Ours is the best in no pair in: "+strings.Join(never, "; ")+".")
	}
	if always == nil && never == nil {
		s.Text = append(s.Text, "In everything that was compared, ours is the best in some pairs and not in others.")
	}
	if alone > 0 {
		s.Text = append(s.Text, fmt.Sprintf("%s in which no other engine could be compared %s not counted.", countOf(alone, "pair", "pairs"), map[bool]string{true: "is", false: "are"}[alone == 1]))
	}
	if slices.ContainsFunc(d.points, func(p point) bool { return p.Metric == metricWorst }) {
		s.Text = append(s.Text, "The costliest packets are those that cost our tree most; they were not chosen to cost the others much.")
	}
	return s
}

// ownName is the engine of ours in a contest.
func (d *data) ownName(k *contest) string {
	i := slices.IndexFunc(d.points, func(p point) bool { return k.of(&p) && slices.Contains(k.names, p.Engine) })
	return d.points[max(i, 0)].Engine
}

// lowered writes the first letter small.
func lowered(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// table has a row for each set and a column for each number of rules.
func (k *contest) table(duels []duel) table {
	var sizes []int
	var sets []string
	for _, d := range duels {
		if !slices.Contains(sizes, d.rules) {
			sizes = append(sizes, d.rules)
		}
		if !slices.Contains(sets, d.set) {
			sets = append(sets, d.set)
		}
	}
	slices.Sort(sizes)
	t := table{Caption: k.what, Head: []string{"set"}}
	for _, n := range sizes {
		t.Head = append(t.Head, count(float64(n)))
	}
	for _, set := range sets {
		row := make([]string, len(t.Head))
		row[0] = set
		for _, d := range duels {
			if d.set == set {
				row[1+slices.Index(sizes, d.rules)] = k.than(&d)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// than writes "2.10× faster than linear".
func (k *contest) than(d *duel) string {
	text, r := k.ratioText(d.ratio()), d.ratio()
	if r > 1 {
		return strings.Replace(text, k.words[0], k.words[0]+" than "+d.name, 1)
	}
	if text == "equal" {
		return "equal to " + d.name
	}
	return strings.Replace(text, k.words[1], k.words[1]+" than "+d.name, 1)
}
