package main

// The command diff with --edits: the smallest set of edits between two rule files,
// and what they would cost a program that is running.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
)

// edits compares the files edit by edit, and reports whether there are any.
func (cmd *diffCmd) edits(a *app, old, next *files.Rules) (different bool, err error) {
	d := &difference{Old: old.Name, New: next.Name, Format: old.Format}
	switch {
	case old.Tables != nil:
		err = d.tables(a, old.Tables, next.Tables)
	case old.Native != nil:
		err = diffLists(a, d, old.Native, next.Native, nativeLine)
	default:
		err = diffLists(a, d, old.ClassBench, next.ClassBench, classbenchLine)
	}
	if err != nil {
		return false, err
	}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	if cmd.Output == "json" {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		err = enc.Encode(d)
	} else {
		err = d.text(out, a.useColors(cmd.Color))
	}
	if err != nil {
		return false, err
	}
	return len(d.Edits)+len(d.Chains)+len(d.Tables) > 0 || d.Fields, out.Flush()
}

// difference is what JSON has.
type difference struct {
	Old      string        `json:"old"`
	New      string        `json:"new"`
	Format   string        `json:"format"`
	Kept     int           `json:"kept"`
	Inserted int           `json:"inserted"`
	Deleted  int           `json:"deleted"`
	Moved    int           `json:"moved"`
	Replaced int           `json:"replaced"`
	Exact    bool          `json:"exact"`                  // no script keeps more
	Fields   bool          `json:"other_fields,omitempty"` // of lists
	Edits    []editJSON    `json:"edits,omitempty"`        // of a list
	Chains   []chainChange `json:"chains,omitempty"`       // those that change; of a table that comes or goes those with rules
	Tables   []tableChange `json:"tables,omitempty"`       // those that come or go
	Cost     cost          `json:"cost"`

	what changes
}

// editJSON is an edit, with numbers from 1; 0 is none.
type editJSON struct {
	Edit    string `json:"edit"`
	Old     int    `json:"old,omitempty"`
	New     int    `json:"new,omitempty"`
	Text    string `json:"text"`
	Becomes string `json:"becomes,omitempty"`
	Note    string `json:"note,omitempty"` // of a rule that comes as one goes that is written alike
}

// chainChange is what becomes of a chain.
type chainChange struct {
	Table     string     `json:"table"`
	Chain     string     `json:"chain"`
	Change    string     `json:"change,omitempty"` // "added", "dropped"
	OldPolicy string     `json:"old_policy,omitempty"`
	NewPolicy string     `json:"new_policy,omitempty"`
	Edits     []editJSON `json:"edits,omitempty"`
}

type tableChange struct {
	Table  string `json:"table"`
	Change string `json:"change"`
}

// cost is what an application would take.
type cost struct {
	Rebuild bool  `json:"rebuild"`
	Bytes   int64 `json:"bytes"`
	NS      int64 `json:"ns"`
}

// sum takes over what a reload would say.
func (d *difference) sum(c changes) {
	d.what = c
	d.Kept, d.Inserted, d.Deleted, d.Moved, d.Replaced, d.Fields = c.kept, c.inserted, c.deleted, c.moved, c.replaced, c.fields
}

// nativeLine writes a native rule without its identity.
func nativeLine(s *rules.Schema, r *rules.Rule[string]) string {
	line := rules.FormatRule(s, r)
	if r.Unknown != "" {
		line = "unknown " + strconv.Quote(r.Unknown) + " " + line
	}
	if r.Continue {
		line = "continue " + line
	}
	if r.Value != "" {
		line += " => " + r.Value
	}
	if r.Comment != "" {
		line += "  # " + r.Comment
	}
	return line
}

func classbenchLine(s *rules.Schema, r *rules.Rule[classbench.Flags]) string {
	line := rules.FormatRule(s, r)
	if r.Value != (classbench.Flags{}) {
		line += " => " + r.Value.String()
	}
	return line
}

// diffLists compares lists, and tries out what a live one would do.
func diffLists[T comparable](a *app, d *difference, old, next *rules.List[T], line func(*rules.Schema, *rules.Rule[T]) string) error {
	live, err := hipac.NewLive(a.ctx, old, nil)
	if err != nil {
		return files.Error(d.Old, err)
	}
	var s *rules.Script
	start := a.now()
	if old.Schema().Equal(next.Schema()) {
		applied, err := live.DryApply(a.ctx, next, rules.ComparableValues[T]())
		if err != nil {
			return files.Error(d.New, err)
		}
		s, d.Cost = applied.Script, cost{Rebuild: applied.Rebuild, Bytes: applied.Bytes}
	} else {
		s = rules.Diff(old, next)
		to, err := hipac.NewLive(a.ctx, next, nil)
		if err != nil {
			return files.Error(d.New, err)
		}
		d.Cost = cost{Rebuild: true, Bytes: to.Snapshot().Bytes() - live.Snapshot().Bytes()}
	}
	d.Cost.NS = a.now().Sub(start).Nanoseconds()
	d.sum(changesOf(s))
	d.Exact = s.Exact
	d.Edits = editsOf(s, old.Position,
		func(i int) (int, string) { return i + 1, line(old.Schema(), old.At(i)) },
		func(i int) (int, string) { return i + 1, line(next.Schema(), next.At(i)) })
	return nil
}

// editsOf returns the edits of a script. old and next return the number and the
// text of the rules at a position. Rules that stand for one rule of a file are
// one edit.
func editsOf(s *rules.Script, position func(rules.ID) int, old, next func(int) (int, string)) (list []editJSON) {
	for _, e := range s.Edits {
		x := editJSON{Edit: e.Op.String()}
		if e.Op != rules.InsertRule {
			x.Old, x.Text = old(position(e.ID))
		}
		if e.Op != rules.DeleteRule {
			var text string
			x.New, text = next(e.New)
			if e.Op == rules.InsertRule {
				x.Text = text
			} else if e.Op == rules.ReplaceRule {
				x.Becomes = text
			}
		}
		if n := len(list); n == 0 || list[n-1] != x {
			list = append(list, x)
		}
	}
	gone := map[string]bool{}
	for i := range list {
		if list[i].Edit == rules.DeleteRule.String() {
			gone[list[i].Text] = true
		}
	}
	for i := range list {
		if x := &list[i]; x.Edit == rules.InsertRule.String() && gone[x.Text] || x.Edit == rules.ReplaceRule.String() && x.Text == x.Becomes {
			x.Note = "written alike: what it names is another"
			if m := namedSet.FindStringSubmatch(x.Text); m != nil {
				x.Note = "written alike: set " + m[1] + " is another"
			}
		}
	}
	return list
}

// namedSet finds the first set that the text of a rule names.
var namedSet = regexp.MustCompile(`(?:^| )(?:@|--match-set )([^\s]+)`)

// tables compares tables, and tries out what live ones would do.
func (d *difference) tables(a *app, old, next *files.Tables) error {
	live, err := hipac.NewLiveTables(a.ctx, old.Tables, nil)
	if err != nil {
		return files.Error(d.Old, err)
	}
	start := a.now()
	applied, err := live.DryApply(a.ctx, next.Tables)
	if err != nil {
		return files.Error(d.New, err)
	}
	d.Cost = cost{Rebuild: applied.Rebuild, Bytes: applied.Bytes, NS: a.now().Sub(start).Nanoseconds()}
	s := applied.Script
	d.sum(changesOfTables(s))
	d.Exact = true
	number := func(set *files.Tables, table, chain string, l *rules.List[rules.Action]) func(int) (int, string) {
		return func(i int) (int, string) {
			n := l.At(i).Value.Number
			text, _ := set.Rule(table, chain, n)
			return n, text
		}
	}
	for _, t := range s.Tables {
		d.Cost.Rebuild = d.Cost.Rebuild || t.SchemaChanged
		if t.Old < 0 {
			d.Tables = append(d.Tables, tableChange{t.Name, "added"})
		} else if t.New < 0 {
			d.Tables = append(d.Tables, tableChange{t.Name, "dropped"})
		}
		for i := range t.Chains {
			c := &t.Chains[i]
			d.Exact = d.Exact && c.Rules.Exact
			out := chainChange{Table: t.Name, Chain: c.Name}
			var before, after func(int) (int, string)
			position := func(rules.ID) int { return -1 }
			if c.Old >= 0 {
				l := old.Tables[t.Old].Chains[c.Old].Rules
				before, position = number(old, t.Name, c.Name, l), l.Position
			} else {
				out.Change = "added"
			}
			if c.New >= 0 {
				after = number(next, t.Name, c.Name, next.Tables[t.New].Chains[c.New].Rules)
			} else {
				out.Change = "dropped"
			}
			if c.OldPolicy != c.NewPolicy {
				out.OldPolicy, out.NewPolicy = policyOf(c.OldPolicy), policyOf(c.NewPolicy)
			}
			out.Edits = editsOf(c.Rules, position, before, after)
			// The empty chains of a table come and go with it.
			come := t.Old < 0 && c.NewPolicy != rules.Accept || t.Old >= 0 && t.New >= 0
			if come && (out.Change != "" || out.OldPolicy != out.NewPolicy) || len(out.Edits) > 0 {
				d.Chains = append(d.Chains, out)
			}
		}
	}
	return nil
}

func policyOf(v rules.Verdict) string {
	if v == rules.NoVerdict {
		return ""
	}
	return v.String()
}

// text prints the difference for people.
func (d *difference) text(out *bufio.Writer, colors colors) error {
	fmt.Fprintf(out, "%s\n", colors.paint(bold, files.Printable(d.Old)+" -> "+files.Printable(d.New)+": "+d.what.String()))
	for _, t := range d.Tables {
		fmt.Fprintf(out, "\ntable %s  %s\n", files.Printable(t.Table), t.Change)
	}
	if len(d.Edits) > 0 {
		out.WriteByte('\n')
		printEdits(out, d.Edits, colors)
	}
	for _, c := range d.Chains {
		line := files.Printable(c.Table + " " + c.Chain)
		if c.Change != "" {
			line += "  " + c.Change
		}
		switch {
		case c.OldPolicy != "" && c.NewPolicy != "":
			line += "  policy " + c.OldPolicy + " becomes " + c.NewPolicy
		case c.NewPolicy != "":
			line += "  policy " + c.NewPolicy
		}
		fmt.Fprintf(out, "\n%s\n", colors.paint(bold, line))
		printEdits(out, c.Edits, colors)
	}
	how := "edited"
	if d.Cost.Rebuild {
		how = "built anew"
	}
	if len(d.Edits)+len(d.Chains)+len(d.Tables) == 0 && !d.Fields {
		how = "nothing to do"
	}
	if !d.Exact {
		out.WriteString("\nThere may be fewer edits: too many rules are the same to find out.\n")
	}
	_, err := fmt.Fprintf(out, "\ncost  %s, %s, %+d bytes\n", how, roundTime(time.Duration(d.Cost.NS)), d.Cost.Bytes)
	return err
}

// printEdits prints a line per edit, and two for a replacement.
func printEdits(out *bufio.Writer, edits []editJSON, colors colors) {
	var widths [2]int
	for _, e := range edits {
		widths[0] = max(widths[0], len(strconv.Itoa(e.Old)))
		widths[1] = max(widths[1], len(strconv.Itoa(e.New)))
	}
	number := func(n, width int) string {
		if n == 0 {
			return strings.Repeat(" ", width)
		}
		return padLeft(strconv.Itoa(n), width)
	}
	codes := map[string]string{"insert": green, "delete": red, "move": yellow, "replace": yellow}
	for _, e := range edits {
		head := fmt.Sprintf("  %s  %s  %s  ", pad(e.Edit, len("replace")), number(e.Old, widths[0]), number(e.New, widths[1]))
		out.WriteString(colors.paint(codes[e.Edit], head) + files.Printable(e.Text) + "\n")
		if e.Becomes != "" {
			out.WriteString(strings.Repeat(" ", width(head)) + files.Printable(e.Becomes) + "\n")
		}
		if e.Note != "" {
			out.WriteString(strings.Repeat(" ", width(head)) + files.Printable(e.Note) + "\n")
		}
	}
}
