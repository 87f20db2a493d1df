package report

// What is missing, and why: reasons of a kind together, and engines that miss the
// same for the same reason in one row.

import (
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
	notTried = regexp.MustCompile(`^not tried: with \d+ rules, `)
	oneRule  = regexp.MustCompile(`\brule \d+:? (it )?(asks|has|is)\b`)
	inBytes  = regexp.MustCompile(`\b\d{7,}( bytes)?\b`)
	numbers  = regexp.MustCompile(`\d+`)
)

// plainReason returns a reason without what differs from one list to the next,
// and with numbers of bytes that can be read.
func plainReason(why string) string {
	why = notTried.ReplaceAllString(why, "")
	if kindOfReason(why) == wrongAnswers {
		return why // every wrong answer is shown as it is
	}
	why = strings.TrimPrefix(why, "too much memory: ")
	if rest, ok := strings.CutPrefix(why, "not supported: "); ok {
		why = oneRule.ReplaceAllString(rest, "a rule $2")
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
	why               string
	places            []place
}

// gapTables says what is missing, with a table for each kind of reasons.
func gapTables(gaps []result.Gap) []table {
	var rows []*missingRow
	byKey := map[[2]string]*missingRow{} // engine and reason, without numbers
	for _, g := range gaps {
		// Gaps of the same place, of several commands, are one.
		why := plainReason(g.Why)
		key := [2]string{g.Engine, why}
		if kindOfReason(g.Why) != wrongAnswers {
			key[1] = numbers.ReplaceAllString(why, "#")
		}
		r := byKey[key]
		if r == nil {
			r = &missingRow{engines: []string{g.Engine}, kind: kindOfReason(g.Why), why: why}
			if g.Engine == "peers" { // all of them
				r.kind = notThere
			}
			byKey[key] = r
			rows = append(rows, r)
		} else if r.why != why && !strings.HasSuffix(r.why, alike) {
			r.why += alike
		}
		if at := (place{g.Set, g.Rules}); !slices.Contains(r.places, at) {
			r.places = append(r.places, at)
		}
		if !slices.Contains(r.commands, g.Command) {
			r.commands = append(r.commands, g.Command)
		}
	}
	for _, r := range rows {
		slices.SortStableFunc(r.places, func(a, b place) int {
			if d := bySet(a.set, b.set); d != 0 {
				return d
			}
			return a.rules - b.rules
		})
	}
	slices.SortStableFunc(rows, func(a, b *missingRow) int { return byLook(a.engines[0], b.engines[0]) })
	rows = sharedRows(rows)
	var out []table
	for kind, reason := range reasons {
		t := table{Caption: reason.title, Head: []string{"engine", "why", "where", "command"}}
		for _, r := range rows {
			if r.kind != kind {
				continue
			}
			t.Rows = append(t.Rows, []string{strings.Join(r.engines, ", "), r.why, placesText(r.places), strings.Join(r.commands, ", ")})
		}
		if t.Rows != nil {
			out = append(out, t)
		}
	}
	return out
}

// alike stands behind a reason of which there are others with other numbers.
const alike = ", or the like"

// sharedRows puts engines together that miss the same for the same reason.
func sharedRows(rows []*missingRow) []*missingRow {
	var out []*missingRow
	for _, r := range rows {
		i := slices.IndexFunc(out, func(o *missingRow) bool {
			return o.why == r.why && slices.Equal(o.places, r.places) && slices.Equal(o.commands, r.commands)
		})
		if i < 0 {
			out = append(out, r)
		} else {
			out[i].engines = append(out[i].engines, r.engines...)
		}
	}
	return out
}
