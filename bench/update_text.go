package main

// What bench update prints: as an object, as text, and of what there is where time
// ran out or somebody interrupted it.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules/files"
)

func (r *updateResult) print(a *app, asJSON bool) error {
	if cut := r.cut(a.effort); cut != "" && !r.interrupted {
		a.warn("time ran out: %s", cut)
	}
	if asJSON {
		return printJSON(a.stdout, r)
	}
	return r.text(a.stdout)
}

// MarshalJSON writes what is missing after an interrupt as null, and why.
func (r *updateResult) MarshalJSON() ([]byte, error) {
	type whole updateResult
	data, err := json.Marshal((*whole)(r))
	if err != nil || !r.interrupted {
		return data, err
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	missing := map[string]string{}
	for p, keys := range phaseKeys {
		for _, key := range keys {
			if p > r.reached {
				all[key], missing[key] = nil, errInterrupted.Error()
			}
		}
	}
	all["missing"] = missing
	return json.Marshal(all)
}

// ended is what a command ends with after an interrupt.
func (r *updateResult) ended(e effort) error {
	if r.reached == 0 {
		return fmt.Errorf("%w before anything was measured", errInterrupted)
	}
	return fmt.Errorf("%w: %s", errInterrupted, r.cut(e))
}

// cut says what there was no time for, "" for nothing.
func (r *updateResult) cut(e effort) string {
	var parts []string
	if each := editsOfAKind(max(1, r.held), e); r.interrupted && r.reached < edited {
		parts = append(parts, "no inserts and deletes")
	} else if n := len(r.insert.took); n < each {
		parts = append(parts, fmt.Sprintf("%d of %d inserts and deletes", n, each))
	}
	if r.interrupted && r.sustained.rounds < passes {
		parts = append(parts, fmt.Sprintf("%d of %d rounds of lookups beside edits", r.sustained.rounds, passes))
	}
	switch n := len(r.drift.took); {
	case r.interrupted && r.reached < afterEdits:
		parts = append(parts, "nothing after random edits")
	case n < r.drift.of:
		parts = append(parts, fmt.Sprintf("%d of %d random edits", n, r.drift.of))
	}
	if !r.drift.settled && !r.interrupted {
		parts = append(parts, "work in the background was not waited for")
	}
	return strings.Join(parts, "; ")
}

func (r *updateResult) text(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "rules    %d, %s\n", r.rules, files.Printable(r.rulesName))
	fmt.Fprintf(&out, "packets  %d, %s\n", r.packets, files.Printable(r.packetsName))
	for _, section := range []struct {
		of    phase
		write func(*bytes.Buffer, *tabwriter.Writer)
	}{{rebuilt, r.rebuildText}, {edited, r.editsText}, {besideEdits, r.besideText}, {afterEdits, r.afterText}} {
		if !r.interrupted || r.reached >= section.of {
			section.write(&out, tabwriter.NewWriter(&out, 0, 8, 2, ' ', tabwriter.AlignRight))
		}
	}
	if r.Kernel != nil {
		r.Kernel.text(&out, r.rules)
	}
	_, err := w.Write(out.Bytes())
	return err
}

func (r *updateResult) rebuildText(out *bytes.Buffer, _ *tabwriter.Writer) {
	if r.held > 0 {
		fmt.Fprintf(out, "held out %d: %d since they hide another rule, the others at random\n", r.held, r.hiders)
	}
	fmt.Fprintf(out, "rebuild  %s\n", seconds(r.Rebuild/1e6))
}

func (r *updateResult) editsText(out *bytes.Buffer, tab *tabwriter.Writer) {
	d := &r.drift
	out.WriteString("\n")
	fmt.Fprintf(tab, "edit\tedits\tp50\tp99\tmax\tanswers changed\twalked\twrong\t\n")
	three := func(t []time.Duration) string {
		return microseconds(quantile(t, 0.5)) + "\t" + microseconds(quantile(t, 0.99)) + "\t" + microseconds(quantile(t, 1))
	}
	for _, e := range []struct {
		name, changed string
		walked, wrong int
		t             *editTimes
	}{
		{"insert", strconv.Itoa(r.insert.changed), r.insert.walked, r.insert.wrong, &r.insert},
		{"delete", strconv.Itoa(r.delete.changed), r.delete.walked, r.delete.wrong, &r.delete},
		{"random", "-", d.checked, d.wrong, &d.editTimes},
	} {
		if e.t == &d.editTimes && r.reached < afterEdits && r.interrupted {
			continue // they were not checked
		}
		fmt.Fprintf(tab, "%s\t%d\t%s\t%s\t%d\t%d\t\n", e.name, len(e.t.took), three(e.t.took), e.changed, e.walked, e.wrong)
		if clockNote() == "" {
			fmt.Fprintf(tab, "CPU\t\t%s\t\t\t\t\n", three(e.t.cpu))
		}
	}
	tab.Flush()
	fmt.Fprintf(out, "\nWall-clock time from the beginning of a transaction to the answer of a lookup, and\n"+
		"CPU time of the thread with about a microsecond for asking for it, which is without\n"+
		"what others do in between; after %d of the deletes another rule decided the packet\n", r.delete.other)
}

func (r *updateResult) besideText(out *bytes.Buffer, tab *tabwriter.Writer) {
	s := &r.sustained
	out.WriteString("\n")
	fmt.Fprintf(tab, "lookups\tedits/s\tlookups/s\tslowdown\tCPU per lookup\t\n")
	for _, e := range []struct {
		name string
		r    *rate
	}{{"alone", &s.alone}, {fmt.Sprintf("with %d edits/s", pace), &s.paced}, {"with all edits", &s.flat}} {
		fmt.Fprintf(tab, "%s\t%.0f\t%.0f\t%.2f\t%s\t\n", e.name, e.r.editsPerSecond(), e.r.lookupsPerSecond(),
			ratio(s.alone.lookupsPerSecond(), e.r.lookupsPerSecond()), nanoseconds(e.r.nanosecondsOfCPU()))
	}
	tab.Flush()
	fmt.Fprintf(out, "\nOne goroutine looks up, another edits; %d packets walked in the end, %d wrong\n", s.checked, s.wrong)
	if s.cores == 1 {
		out.WriteString("They share one core, so that the slowdown is that of taking turns\n")
	}
}

func (r *updateResult) afterText(out *bytes.Buffer, tab *tabwriter.Writer) {
	d := &r.drift
	fmt.Fprintf(out, "\nafter %d random edits (%d inserts, %d deletes, %d moves), with %d rules:\n\n", len(d.took), d.inserts, d.deletes, d.moves, d.rules)
	fmt.Fprintf(tab, "list\tlookup\tslowdown\tmemory\tgrowth\t\n")
	for _, e := range []struct {
		name string
		c    *costs
	}{{"edited", &d.live}, {"NewLive", &d.fresh}, {"Build", &d.build}} {
		fmt.Fprintf(tab, "%s\t%s\t%.3f\t%s\t%.3f\t\n", e.name, nanoseconds(e.c.ns), ratio(d.live.ns, e.c.ns), size(e.c.bytes), ratio(float64(d.live.bytes), float64(e.c.bytes)))
	}
	tab.Flush()
	fmt.Fprintf(out, "\n%s per lookup, medians of %d passes in random order; slowdown and\n"+
		"growth are of the edited list over that of the line; %d packets walked, %d wrong;\n"+
		"%d places looked at, %d wrong\n", strings.ToUpper(compare.Clock[:1])+compare.Clock[1:], passes, d.checked, d.wrong, d.placed, d.misplaced)
}

func microseconds(us float64) string { return nanoseconds(us * 1e3) }
