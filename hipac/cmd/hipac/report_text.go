package main

// The report for people: a table of packets and a summary.

import (
	"bufio"
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// maxLines is the number of packets up to which each gets a line.
const maxLines = 50

type textReport struct {
	describer describers
	colors    colors
	columns   int // of the terminal, 0 for none
	verbose   bool
	top       int
	title     string

	rows   []row // kept until their widths are known
	start  time.Time
	timed  bool // packets have times
	widths [5]int
	head   bool // the head is printed
	seen   int
}

// row is a line of the table.
type row struct {
	number, time, packet, verdict, by, rule string
	kind                                    outcomeKind
}

func newTextReport(a *app, cmd *classifyCmd) *textReport {
	return &textReport{colors: a.useColors(cmd.Color), columns: columns(a.stdout),
		verbose: cmd.Verbose, top: cmd.Top}
}

func (r *textReport) packets(out *bufio.Writer, c *chunk) error {
	d := r.describer.of(c.prog.schema())
	w := d.schema.KeyLen()
	for i, o := range c.outcomes {
		r.seen++
		if !r.verbose && r.seen > maxLines {
			r.rows = nil
			return nil
		}
		e := &c.entries[i]
		r.rows = append(r.rows, r.row(c.prog, e, d.describeEntry(e, rules.Key(c.keys[i*w:i*w+w])), o))
		if r.verbose && len(r.rows) == maxLines {
			if err := r.table(out); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *textReport) row(prog *compiled, e *entry, packet string, o outcome) row {
	line := row{number: fmt.Sprint(e.info.Number), packet: files.Printable(packet), verdict: files.Printable(prog.verdict(o)), kind: o.kind}
	if t := e.info.Time; !t.IsZero() {
		if r.start.IsZero() {
			r.start = t
		}
		r.timed = true
		line.time = fmt.Sprintf("%.3f", t.Sub(r.start).Seconds())
	}
	if line.by = files.Printable(place(prog.ref(o))); o.kind == bad {
		return line
	}
	text, comment := prog.describe(o)
	line.rule = files.Printable(text)
	if r.verbose && len(e.effects) > 0 {
		line.rule += "  [" + files.Printable(strings.Join(effectTexts(e.effects), "; ")) + "]"
	}
	if why := prog.unknown(o, e); why != "" {
		line.rule += "  (unknown: " + files.Printable(why) + ")"
	} else if comment != "" && !strings.Contains(text, comment) {
		line.rule += "  # " + files.Printable(comment)
	}
	return line
}

// place writes which rule it was: "FORWARD/3", "FORWARD/policy", "12", "".
func place(chain, rule string) string {
	if chain == "" {
		return rule
	}
	return chain + "/" + rule
}

// table prints the rows collected so far.
func (r *textReport) table(out *bufio.Writer) error {
	rows := r.rows
	r.rows = r.rows[:0]
	if !r.head {
		rows = append([]row{{"#", "time", "packet", "verdict", "by", "rule", decided}}, rows...)
	}
	for _, l := range rows {
		for i, s := range []string{l.number, l.time, l.packet, l.verdict, l.by} {
			r.widths[i] = max(r.widths[i], width(s))
		}
	}
	timed, most := r.fit()
	for i, l := range rows {
		head := !r.head && i == 0
		line := padLeft(l.number, r.widths[0]) + "  "
		if timed {
			line += padLeft(l.time, r.widths[1]) + "  "
		}
		line += pad(cut(l.packet, most), min(r.widths[2], most)) + "  "
		used := width(line) + r.widths[3] + 2 + r.widths[4]
		verdict := pad(l.verdict, r.widths[3])
		if !head {
			verdict = r.colors.paint(verdictColor(l.verdict), verdict)
		}
		line += verdict + "  " + pad(l.by, r.widths[4])
		// In a narrow terminal, what is left for the rule may say nothing.
		if left := r.columns - used - 2; l.rule != "" && (r.columns == 0 || left >= 12) {
			rule := l.rule
			if r.columns > 0 {
				rule = cut(rule, left)
			}
			if !head {
				rule = r.colors.paint(dim, rule)
			}
			line += "  " + rule
		}
		line = strings.TrimRight(line, " ")
		if head {
			line = r.colors.paint(bold, line)
		}
		if _, err := out.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	r.head = true
	return nil
}

// fit says whether there is room for the time, and how wide packets may be.
func (r *textReport) fit() (timed bool, packet int) {
	others := r.widths[0] + 2 + 2 + r.widths[3] + 2 + r.widths[4]
	const least = 40
	switch {
	case r.columns == 0, others+r.widths[1]+2+r.widths[2] <= r.columns:
		return r.timed, r.widths[2]
	}
	return false, max(least, min(r.widths[2], r.columns-others))
}

// verdictColor returns the colour of a verdict, or of a list's value that
// reads like one.
func verdictColor(v string) string {
	switch v {
	case "ACCEPT", "MATCH", "ALLOW", "PERMIT":
		return green
	case "DROP", "REJECT", "DENY", "BLOCK":
		return red
	case "UNKNOWN", "ERROR":
		return yellow
	case "NONE", "NO MATCH":
		return purple
	}
	return ""
}

func (r *textReport) finish(out *bufio.Writer, s *summary) error {
	if len(r.rows) > 0 {
		if r.title != "" {
			out.WriteString(r.title + "\n")
		}
		if err := r.table(out); err != nil {
			return err
		}
	}
	if r.head {
		out.WriteByte('\n')
	}
	fmt.Fprintf(out, "%s\n", r.colors.paint(bold, r.headline(s)))
	if s.packets > 0 && s.classified() == 0 {
		out.WriteString(r.colors.paint(yellow, "No packet was classified: none can be decoded.") + "\n")
	}
	for _, v := range s.verdicts() {
		name := files.Printable(v.Verdict)
		fmt.Fprintf(out, "  %s  %s\n", share(v.Packets, s.packets), r.colors.paint(verdictColor(name), name))
	}
	r.topRules(out, s)
	fmt.Fprintf(out, "\nrules    %s (%s, %s)\n", s.prog.what(), files.Printable(s.rulesFile), s.rulesFormat)
	fmt.Fprintf(out, "packets  %s, %s\n", files.Printable(s.packetsFile), s.format)
	if n := s.prog.reloads; n > 0 {
		fmt.Fprintf(out, "         reloaded %s\n", plural(n, "time"))
	}
	how := string(s.prog.engine)
	if s.prog.engine != engineLinear {
		how += ", built in " + roundTime(s.prog.build)
	}
	_, err := fmt.Fprintf(out, "engine   %s\n", how)
	if s.classified() > 0 {
		_, err = fmt.Fprintf(out, "time     %s a packet, without reading and decoding\n", roundTime(s.perPacket()))
	}
	return err
}

// headline says how many packets there were, and what is wrong with them.
func (r *textReport) headline(s *summary) string {
	parts := []string{plural(s.packets, "packet")}
	if s.damaged > 0 {
		parts = append(parts, fmt.Sprintf("%d damaged", s.damaged))
	}
	if s.notIP > 0 {
		parts = append(parts, fmt.Sprintf("%d not IP", s.notIP))
	}
	if s.cut > 0 {
		parts = append(parts, fmt.Sprintf("%d cut inside the headers", s.cut))
	}
	if s.short > 0 {
		parts = append(parts, fmt.Sprintf("%d with short or broken headers", s.short))
	}
	text := strings.Join(parts, ", ")
	switch {
	case s.interrupted:
		text += " so far (interrupted)"
	case s.failure != "":
		text += " before the file went wrong"
	}
	return text
}

func (r *textReport) topRules(out *bufio.Writer, s *summary) {
	list := s.rules()
	if len(list) == 0 || r.top == 0 {
		return
	}
	more := 0
	if len(list) > r.top {
		more = len(list) - r.top
		list = list[:r.top]
	}
	by, verdict := 0, 0
	for _, c := range list {
		by = max(by, width(files.Printable(place(c.Chain, c.Rule))))
		verdict = max(verdict, width(files.Printable(c.Verdict)))
	}
	fmt.Fprintf(out, "\n%s\n", r.colors.paint(bold, "Decided by"))
	for _, c := range list {
		name := files.Printable(c.Verdict)
		text := files.Printable(c.Text)
		if c.Comment != "" && !strings.Contains(c.Text, c.Comment) {
			text += "  # " + files.Printable(c.Comment)
		}
		if c.Earlier {
			text += "  (before a reload)"
		}
		if r.columns > 0 {
			text = cut(text, max(r.columns-by-verdict-24, 12))
		}
		line := fmt.Sprintf("  %s  %s  %s  %s", share(c.Packets, s.packets), pad(files.Printable(place(c.Chain, c.Rule)), by),
			r.colors.paint(verdictColor(name), pad(name, verdict)), r.colors.paint(dim, text))
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if more > 0 {
		fmt.Fprintf(out, "  and %s (--top %d lists all)\n", plural(more, "other"), r.top+more)
	}
}

// share writes a number and its share of a total.
func share(n, total int) string {
	return fmt.Sprintf("%8d  %5.1f%%", n, 100*float64(n)/float64(cmp.Or(total, 1)))
}

// roundTime writes a duration with three digits.
func roundTime(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
