package main

// The findings of the command lint for people: by code, each with what shows it
// and what to do, and a summary at the end.

import (
	"bufio"
	"fmt"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules/files"
)

// text prints at most top findings of each code, 0 for all, in lines of so many
// columns; 0 for any length.
func (r *lintReport) text(out *bufio.Writer, top int, c colors, columns int) {
	several := false
	for i := range r.Findings {
		for _, x := range r.Findings[i].Rules {
			several = several || x.Table != r.Findings[0].tableOf()
		}
	}
	for first := 0; first < len(r.Findings); {
		last := first
		n := 0
		for last < len(r.Findings) && r.Findings[last].Code == r.Findings[first].Code {
			n += max(1, len(r.Findings[last].Rules))
			last++
		}
		code := &lintCodes[*lintCode(r.Findings[first].Code)]
		fmt.Fprintf(out, "%s  %d %s\n", c.paint(bold, code.code), n, code.head)
		for i := first; i < last; i++ {
			if top > 0 && i-first == top {
				fmt.Fprintf(out, "  and %s (--top 0 lists all)\n", plural(last-i, "other"))
				break
			}
			r.finding(out, &r.Findings[i], several, c, columns)
		}
		out.WriteByte('\n')
		first = last
	}
	if r.Partial != "" {
		fmt.Fprintf(out, "%s\n", c.paint(yellow, "partial: "+files.Printable(r.Partial)+"; there may be more"))
	}
	fmt.Fprintf(out, "%s\n", c.paint(bold, fmt.Sprintf("%s: %s, %s, %s, %s",
		files.Printable(r.File), plural(r.Rules, "rule"), r.of(policy.Error), r.of(policy.Warning), r.of(policy.Note))))
}

// tableOf returns the table that a finding is about.
func (f *lintFinding) tableOf() string {
	if len(f.Rules) > 0 {
		return f.Rules[0].Table
	}
	return f.Table
}

var severityColors = map[string]string{"error": red, "warning": yellow}

// finding prints one.
func (r *lintReport) finding(out *bufio.Writer, f *lintFinding, several bool, c colors, columns int) {
	const most = 5 // rules that are listed of one finding
	var names []string
	for i := range f.Rules {
		names = append(names, files.Printable(f.Rules[i].name(several)))
	}
	widest := 0
	for i := range names[:min(len(names), most)] {
		widest = max(widest, width(names[i]))
	}
	for i := range f.Rules[:min(len(f.Rules), most)] {
		at := r.at(&f.Rules[i])
		text := files.Printable(f.Rules[i].Text)
		if columns > 0 {
			text = cut(text, max(columns-widest-len(at)-8, 20))
		}
		if at != "" {
			at = "  " + c.paint(dim, at)
		}
		fmt.Fprintf(out, "  %s  %s%s\n", c.paint(severityColors[f.Severity], pad(names[i], widest)), text, at)
	}
	if len(f.Rules) > most {
		fmt.Fprintf(out, "  and %s, up to %s\n", plural(len(f.Rules)-most, "other"), names[len(names)-1])
	}
	line := func(head, text string) {
		if text != "" {
			fmt.Fprintf(out, "      %s%s\n", head, files.Printable(text))
		}
	}
	if len(f.Rules) == 0 {
		fmt.Fprintf(out, "  %s\n", c.paint(severityColors[f.Severity], files.Printable(f.Text)))
	} else {
		severity := ""
		if usual := lintCodes[*lintCode(f.Code)].severity; f.Severity != usual {
			severity = f.Severity + ": "
		}
		line(severity, f.Text)
	}
	line("such as ", f.packet())
	if f.Code != "cost" {
		line("", "fix: "+f.Fix)
	}
}
