package report

// The first table of the page: ours beside the fastest of the others, like with
// like. It compares what one run has measured, and names nothing else.

import (
	"cmp"
	"fmt"
	"slices"
)

// duel is ours beside the fastest of the others that take packets as it does.
type duel struct {
	Own, Other  string // times, none where there is none
	Name        string // of the other
	Of          int    // others that were measured
	Ratio       string // its time by ours
	First, Last bool   // ours is the faster one, or the other is
}

// duels is a row of the first table.
type duels struct {
	Set   string
	Rules int
	One   duel // of engines that take one packet at a time
	Many  duel // of those that take many
}

// RulesText says the number of rules.
func (r duels) RulesText() string { return rulesText(r.Rules) }

// shortly is the first part of the page.
type shortly struct {
	Rows      []duels
	Text      []string // what the table comes to
	One, Many bool     // whether there is anything in the columns
}

// summary has a row for each set: the most rules for which a run has times of
// ours and of another engine; nil when there is none.
func summary(d *data) *shortly {
	lookups := hardest(once(where(d.points, func(p *point) bool {
		return p.Value > 0 && p.Command != "iptables" &&
			(p.Metric == metricLookup || p.Metric == metricWorst && adversarial(p.Set))
	})))
	s := &shortly{}
	for _, set := range distinct(lookups, setOf) {
		mine := where(lookups, func(p *point) bool { return p.Set == set })
		sizes := sorted(distinct(mine, rulesOf))
		slices.Reverse(sizes)
		for _, n := range sizes {
			of := where(mine, func(p *point) bool { return p.Rules == n })
			row := duels{Set: set, Rules: n, One: fight(of, false, "hipac", "tree"), Many: fight(of, true, "hipac-batch")}
			if row.One.Of+row.Many.Of > 0 {
				s.Rows = append(s.Rows, row)
				s.One, s.Many = s.One || row.One.Of > 0, s.Many || row.Many.Of > 0
				break
			}
		}
	}
	if s.Rows == nil {
		return nil
	}
	s.Text = append(tally(s.Rows, "hipac", "one packet at a time", func(r duels) duel { return r.One }),
		tally(s.Rows, "hipac-batch", "many packets at a time", func(r duels) duel { return r.Many })...)
	hard := where(lookups, func(p *point) bool { return p.Metric == metricWorst })
	if sets := distinct(hard, setOf); len(sets) > 0 {
		s.Text = append(s.Text, "In "+listed(sets)+", which are made to be hard, the packets are those that cost our tree most.")
	}
	return s
}

// fight compares ours with the others of the same run that take packets as it
// does.
func fight(points []point, together bool, names ...string) duel {
	out := duel{Own: none, Other: none}
	i := slices.IndexFunc(points, func(p point) bool { return slices.Contains(names, p.Engine) })
	if i < 0 {
		return out
	}
	own := points[i]
	out.Own = timeText(own.Value)
	others := where(points, func(p *point) bool {
		return p.run == own.run && look(p.Engine).group != ours && many(p.Engine) == together
	})
	if out.Of = len(others); out.Of == 0 {
		return out
	}
	best := slices.MinFunc(others, func(a, b point) int { return cmp.Compare(a.Value, b.Value) })
	out.Other, out.Name, out.Ratio = timeText(best.Value), best.Engine, digits(best.Value/own.Value)
	out.First, out.Last = own.Value < best.Value, own.Value > best.Value
	return out
}

// tally says in how many sets ours is the fastest.
func tally(rows []duels, name, way string, of func(duels) duel) []string {
	sets, first := 0, 0
	var lost []string
	for _, r := range rows {
		if d := of(r); d.Of > 0 {
			sets++
			if d.First {
				first++
			} else {
				lost = append(lost, r.Set)
			}
		}
	}
	if sets == 0 {
		return nil
	}
	switch {
	case sets == 1 && first == 1:
		return []string{fmt.Sprintf("In the one set below, %s is the fastest of the measured engines that take %s.", name, way)}
	case first == sets:
		return []string{fmt.Sprintf("In all %d sets below, %s is the fastest of the measured engines that take %s.", sets, name, way)}
	case first == 0:
		return []string{fmt.Sprintf("In none of the sets below is %s the fastest of the measured engines that take %s.", name, way)}
	}
	return []string{fmt.Sprintf("In %d of the %d sets below, %s is the fastest of the measured engines that take %s; not so in %s.", first, sets, name, way, listed(lost))}
}
