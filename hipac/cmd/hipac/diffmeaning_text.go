package main

// Differences by meaning, and answers to queries, for people.

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules/files"
)

// meaningText writes reports.
type meaningText struct {
	out     bytes.Buffer
	colors  colors
	columns int
}

const (
	mostChanges = 12 // lines of the summary
	mostRules   = 4  // rules named for each side of a region
	mostItems   = 8  // items of a condition that are written
)

func (w *meaningText) line(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

// difference writes how two files differ.
func (w *meaningText) difference(m *meaning) {
	said := "the same for all packets"
	switch {
	case !m.Same && m.Partial:
		said = "different as far as was looked"
	case !m.Same:
		said = "different"
	}
	differ := 0
	for i := range m.Compared {
		if len(m.Compared[i].Changes) > 0 {
			differ++
		}
	}
	if m.Partial && differ == 0 {
		said = "the same as far as was looked"
	}
	if chains := len(m.Compared); chains > 1 {
		said += fmt.Sprintf(" (%d of %d built-in chains differ)", differ, chains)
	}
	w.line("%s", w.colors.paint(bold, files.Printable(m.Old)+" -> "+files.Printable(m.New)+": "+said))
	for i := range m.Compared {
		if c := &m.Compared[i]; !c.Same {
			w.chain(c, m)
		}
	}
}

// chain writes how a chain or a list differs.
func (w *meaningText) chain(c *chainMeaning, m *meaning) {
	w.line("")
	head := "packets"
	if c.Chain != "" {
		head = files.Printable(c.Table + " " + c.Chain)
	}
	switch c.Lacking {
	case "old":
		head += "  " + files.Printable(m.Old) + " does not have it, and accepts"
	case "new":
		head += "  " + files.Printable(m.New) + " does not have it, and accepts"
	}
	w.line("%s", w.colors.paint(bold, head))
	w.changes(c)
	if c.Partial != "" {
		w.line("  %s", w.colors.paint(yellow, "partial: "+c.Partial+"; there may be more"))
	}
	for i := range c.Regions {
		w.region(&c.Regions[i], c.valued)
	}
	w.more(c.More)
}

func (w *meaningText) more(n int) {
	if n > 0 {
		w.line("\n  and %s (--regions N shows more)", plural(n, "more region"))
	}
}

// changes writes the summary.
func (w *meaningText) changes(c *chainMeaning) {
	type row struct{ what, packets, share, regions, more string }
	var rows []row
	var widths [4]int
	list := c.Changes
	if !c.valued {
		w.total(c)
		return
	}
	for i := range list[:min(len(list), mostChanges)] {
		x := &list[i]
		r := row{what: w.change(x.Old, x.New), packets: packetsOf(x.packets, x.Share), share: percent(x.Share), regions: plural(x.Regions, "region")}
		if x.perhaps.Sign() > 0 {
			r.more = "and " + countOf(x.perhaps) + " where tests say so"
			if x.packets.Sign() == 0 {
				r.packets, r.share, r.more = packetsOf(x.perhaps, 0), percent(shareOf(x.perhaps, c.packets)), "where tests say so"
			}
		}
		rows = append(rows, r)
		for i, s := range []string{r.what, r.packets, r.share, r.regions} {
			widths[i] = max(widths[i], width(s))
		}
	}
	for _, r := range rows {
		line := "  " + pad(r.what, widths[0]) + "  " + padLeft(r.packets, widths[1]) + "  " + padLeft(r.share, widths[2]) + "  " + padLeft(r.regions, widths[3])
		if r.more != "" {
			line += "  " + r.more
		}
		w.line("%s", line)
	}
	if n := len(list) - len(rows); n > 0 {
		w.line("  and %s", plural(n, "more change"))
	}
}

// total sums up the changes of a list whose rules say nothing but themselves.
func (w *meaningText) total(c *chainMeaning) {
	regions, share, perhaps := 0, 0.0, false
	for i := range c.Changes {
		regions += c.Changes[i].Regions
		share += c.Changes[i].Share
		perhaps = perhaps || c.Changes[i].Perhaps != ""
	}
	line := fmt.Sprintf("  %s of all are decided by another rule: %s", percent(min(share, 1)), plural(regions, "region"))
	if perhaps {
		line += ", some where tests say so"
	}
	w.line("%s", line)
}

// change writes what becomes of what.
func (w *meaningText) change(old, next string) string {
	if next == "" {
		return verdictWord(old)
	}
	return verdictWord(old) + " -> " + verdictWord(next)
}

// verdictWord writes a verdict, which may be the text of a rule.
func verdictWord(v string) string {
	if v == "" {
		return "(no value)"
	}
	return cut(files.Printable(v), 40)
}

// region writes a region.
func (w *meaningText) region(r *regionJSON, valued bool) {
	w.line("")
	head := packetsOf(r.packets, r.Share)
	if valued {
		head = w.change(r.Old, r.New) + "  " + head
	}
	w.line("  %s", w.colors.paint(bold, head))
	conds := make([]string, len(r.Conds))
	for i, c := range r.Conds {
		conds[i] = shorter(c)
	}
	if len(conds) == 0 {
		conds = []string{"any"}
	}
	w.line("      %s", files.Printable(strings.Join(conds, " ")))
	for _, t := range r.Tests {
		text, not := strings.CutPrefix(t, "not ")
		holds := " holds"
		if not {
			holds = " does not hold"
		}
		w.line("      where %s", files.Printable(text)+holds)
	}
	if r.Unknown {
		w.line("      %s", w.colors.paint(yellow, "unknown whether there are such packets: it is not the packet alone that says"))
	}
	if r.New == "" && r.NewRules == nil {
		w.deciders("by", r.OldRules, r.Old)
	} else {
		w.deciders("old", r.OldRules, r.Old)
		w.deciders("new", r.NewRules, r.New)
	}
	if r.Witness != "" {
		w.line("      packet  %s", files.Printable(r.Witness))
		return
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		fields = append(fields, name+"="+r.Fields[name])
	}
	w.line("      packet  %s", files.Printable(strings.Join(fields, " ")))
}

// deciders writes the rules of a side.
func (w *meaningText) deciders(which string, list []deciderJSON, verdict string) {
	head := pad(which, len("packet")) + "  "
	for i := range list {
		if i == mostRules && len(list) > mostRules+1 {
			w.line("      %sand %d more rules", head, len(list)-i)
			return
		}
		text := list[i].String()
		if at := list[i].where(); at != "" && list[i].Rule != "none" {
			text += "  " + at
		} else if at != "" {
			text = at
		}
		line := "      " + head + files.Printable(text)
		w.line("%s", cut(line, w.columns))
		head = strings.Repeat(" ", len(head))
	}
}

// shorter writes a condition with not too many items.
func shorter(cond string) string {
	name, set, ok := strings.Cut(cond, "=")
	items := strings.Split(set, ",")
	if !ok || len(items) <= mostItems+1 {
		return cond
	}
	return fmt.Sprintf("%s=%s,...(%d more)", name, strings.Join(items[:mostItems], ","), len(items)-mostItems)
}
