package report

// What is missing, and why: reasons of a kind together, and engines that miss the
// same for the same reason in one row.

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/bench/result"
)

// reasons are kinds of reasons, in the order of the page: a gap is of the first
// whose words its reason has, and of the last if of none.
var reasons = []struct {
	title string
	words []string
}{
	{"Wrong answers: not timed", []string{"wrong"}},
	{"Left out, or not there", []string{"leaves them out", "left out", "there is no ", "not supported here", "needs root", "no network namespace", "only on Linux"}},
	{"Too much memory", []string{"too much memory", "out of memory"}},
	{"Too slow to build or to answer", []string{"takes longer than", "no answer"}},
	{"Rules or packets that an engine does not take", []string{"not supported", "too few of the packets", "none of the packets"}},
	{"Crashed", []string{"crashed", "is no reply"}},
	{"The time of the run was over", []string{"time ran out", "interrupted"}},
	{"Other reasons", []string{""}},
}

// Places in reasons.
const (
	wrongAnswers = iota
	notThere
)

// kindOfReason returns the place of a reason's kind in reasons.
func kindOfReason(why string) int {
	for i, r := range reasons {
		if slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(why, w) }) {
			return i
		}
	}
	return len(reasons) - 1
}

var (
	notTried = regexp.MustCompile(`^not tried: with (\d+) rules, `)
	oneRule  = regexp.MustCompile(`\brule \d+:? (it )?(asks|has|is)\b`)
	noPrefix = regexp.MustCompile(`\brule \d+: \w+=\S+ is no prefix`)
	someOf   = regexp.MustCompile(`\brule \d+: proto=\S+ is neither one protocol nor all`)
	schema   = regexp.MustCompile(`the fields are ".*" and not the 5-tuple`)
	tooMuch  = regexp.MustCompile(`it would take (\d+) bytes or more, (\d+) are allowed`)
	inBytes  = regexp.MustCompile(`\b\d{7,}( bytes)?\b`)
	numbers  = regexp.MustCompile(`\d+(\.\d+)?`)
)

// untried begins the reason of what was not tried.
const untried = "not tried, because with "

// plainReason returns a reason without what differs from one list to the next,
// and with numbers of bytes that can be read.
func plainReason(why string) string {
	if kindOfReason(why) == wrongAnswers {
		return why // every wrong answer is shown as it is
	}
	if m := notTried.FindStringSubmatch(why); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64)
		return untried + count(n) + " rules: " + plainReason(why[len(m[0]):])
	}
	why = strings.TrimPrefix(why, "too much memory: ")
	if rest, ok := strings.CutPrefix(why, "not supported: "); ok {
		why = oneRule.ReplaceAllString(rest, "a rule $2")
		why = noPrefix.ReplaceAllString(why, "a rule has a range of addresses that is no prefix")
		why = someOf.ReplaceAllString(why, "a rule has several protocols, neither one nor all")
		why = schema.ReplaceAllString(why, "the rules have other fields than the 5-tuple")
	}
	if m := tooMuch.FindStringSubmatch(why); m != nil {
		takes, _ := strconv.ParseFloat(m[1], 64)
		allowed, _ := strconv.ParseFloat(m[2], 64)
		text := "it would take more than the " + byteText(allowed) + " allowed"
		if takes > allowed*1.01 {
			text = "it would take " + byteText(takes) + " or more, and " + byteText(allowed) + " are allowed"
		}
		why = strings.Replace(why, m[0], text, 1)
	}
	if strings.Contains(why, " bytes") {
		why = inBytes.ReplaceAllStringFunc(why, func(s string) string {
			n, err := strconv.ParseFloat(strings.TrimSuffix(s, " bytes"), 64)
			if err != nil {
				return s
			}
			return byteText(n)
		})
	}
	return why
}

// ranged writes a reason that stands for several, which differ in numbers: those
// that are not the same as "from to to".
func ranged(reasons []string) string {
	first := numbers.FindAllString(reasons[0], -1)
	lo, hi := slices.Clone(first), slices.Clone(first)
	value := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v }
	for _, r := range reasons[1:] {
		for i, n := range numbers.FindAllString(r, -1) {
			if value(n) < value(lo[i]) {
				lo[i] = n
			}
			if value(n) > value(hi[i]) {
				hi[i] = n
			}
		}
	}
	i := -1
	return numbers.ReplaceAllStringFunc(reasons[0], func(string) string {
		if i++; lo[i] == hi[i] {
			return lo[i]
		}
		return lo[i] + " to " + hi[i]
	})
}

// place is a set with a number of rules, or everything.
type place struct {
	set   string
	rules int
}

// placesText writes places: "acl1 with 1k, 10k; fw1 with 100k".
func placesText(places []place) string {
	var b strings.Builder
	for i, p := range places {
		if p.set == "" && p.rules == 0 {
			return "all"
		}
		switch {
		case i > 0 && places[i-1].set == p.set:
			b.WriteString(", ")
		default:
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(p.set)
			if p.rules > 0 {
				b.WriteString("\u00a0")
			}
		}
		if p.rules > 0 {
			b.WriteString(count(float64(p.rules)))
		}
	}
	return b.String()
}

// missingRow is what some engines miss.
type missingRow struct {
	engines, commands []string
	kind              int
	whys              []string
	what              string
	places            []place
}

// missed says what a gap leaves out where other figures of the same engine, set
// and number of rules are there, "all" where none is.
func (d *data) missed(g *result.Gap) string {
	there := where(d.points, func(p *point) bool { return p.Set == g.Set && p.Rules == g.Rules })
	mine := where(there, func(p *point) bool { return p.Engine == g.Engine })
	if len(mine) == 0 {
		return "all"
	}
	var out []string
	for i, m := range trafficMetrics {
		has := func(p point) bool { return p.Metric == m }
		if slices.ContainsFunc(there, has) && !slices.ContainsFunc(mine, has) {
			out = append(out, "lookups: "+trafficNames[i])
		}
	}
	for _, m := range distinct(where(there, func(p *point) bool { return p.Command == "iptables" && g.Command == p.Command }), func(p *point) string { return p.Metric }) {
		if !slices.ContainsFunc(mine, func(p point) bool { return p.Metric == m }) {
			out = append(out, strings.ReplaceAll(m, "_", " "))
		}
	}
	if out == nil {
		return "figures of bench " + g.Command + " alone"
	}
	return listed(out)
}

// gapTables says what is missing, with a table for each kind of reasons.
func gapTables(d *data) []table {
	var rows []*missingRow
	byKey := map[[3]string]*missingRow{} // engine, what, and reason without numbers
	for i := range d.gaps {
		g := &d.gaps[i]
		// Gaps of the same place, of several commands, are one.
		why := plainReason(g.Why)
		key := [3]string{g.Engine, d.missed(g), why}
		if kindOfReason(g.Why) != wrongAnswers && !strings.Contains(why, "allowed") && !strings.HasPrefix(why, untried) {
			key[2] = numbers.ReplaceAllString(why, "#")
		}
		r := byKey[key]
		if r == nil {
			r = &missingRow{engines: []string{g.Engine}, kind: kindOfReason(g.Why), what: key[1]}
			if g.Engine == "peers" { // all of them
				r.kind = notThere
			}
			byKey[key] = r
			rows = append(rows, r)
		}
		if !slices.Contains(r.whys, why) {
			r.whys = append(r.whys, why)
		}
		if at := (place{g.Set, g.Rules}); !slices.Contains(r.places, at) {
			r.places = append(r.places, at)
		}
		if !slices.Contains(r.commands, g.Command) {
			r.commands = append(r.commands, g.Command)
		}
	}
	for _, r := range rows {
		slices.SortStableFunc(r.places, byPlace)
		slices.Sort(r.commands)
		r.whys = []string{ranged(r.whys)}
	}
	slices.SortStableFunc(rows, func(a, b *missingRow) int { return byLook(a.engines[0], b.engines[0]) })
	rows = sharedRows(rows)
	var out []table
	for kind, reason := range reasons {
		t := table{Caption: reason.title, Head: []string{"engine", "why", "where", "what is missing", "command"}}
		for _, r := range rows {
			if r.kind != kind {
				continue
			}
			t.Rows = append(t.Rows, []string{strings.Join(together(r.engines), ", "), r.whys[0], placesText(r.places), r.what, strings.Join(r.commands, ", ")})
		}
		if t.Rows != nil {
			out = append(out, t)
		}
	}
	return out
}

func byPlace(a, b place) int {
	return cmp.Or(bySet(a.set, b.set), a.rules-b.rules)
}

// dpdk begins the names of the ways in which one library searches the same
// structure.
const dpdk = "dpdk-acl-"

// together writes several ways of DPDK's library as one: "dpdk-acl (avx2 sse)".
func together(engines []string) []string {
	var out, ways []string
	at := -1
	for _, e := range engines {
		way, ok := strings.CutPrefix(e, dpdk)
		if !ok {
			out = append(out, e)
			continue
		}
		if ways = append(ways, way); at < 0 {
			at, out = len(out), append(out, e)
		}
	}
	if len(ways) > 1 {
		out[at] = "dpdk-acl (" + strings.Join(ways, " ") + ")"
	}
	return out
}

// sharedRows puts engines together that miss the same for the same reason.
func sharedRows(rows []*missingRow) []*missingRow {
	var out []*missingRow
	for _, r := range rows {
		i := slices.IndexFunc(out, func(o *missingRow) bool {
			return o.whys[0] == r.whys[0] && o.what == r.what && slices.Equal(o.places, r.places) && slices.Equal(o.commands, r.commands)
		})
		if i < 0 {
			out = append(out, r)
		} else {
			out[i].engines = append(out[i].engines, r.engines...)
		}
	}
	return out
}
