package main

// The statistics of a list or table, for people: a few lines, and with
// --verbose the tables behind them.

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules/files"
)

// grid is text in columns: the first is aligned left, the others right.
type grid struct {
	indent string
	notes  bool // the last column is a note, aligned left
	rows   [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) write(out *bytes.Buffer) {
	var widths []int
	for _, r := range g.rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, r := range g.rows {
		line := g.indent
		for i, cell := range r {
			switch {
			case i == 0:
				line += pad(cell, widths[i])
			case g.notes && i == len(widths)-1:
				line += "  " + cell
			default:
				line += "  " + padLeft(cell, widths[i])
			}
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// write prints the few lines.
func (t *tableStats) write(out *bytes.Buffer) {
	if t.Table != "" {
		fmt.Fprintf(out, "table %s, %s\n", files.Printable(t.Table), plural(t.Chains, "chain"))
	}
	g := grid{notes: true}
	add := func(name string, n int, note string, args ...any) {
		g.add(name, strconv.Itoa(n), fmt.Sprintf(note, args...))
	}
	add("rules", t.Rules, "%d continue, %d never match, %d not intervals", t.Continue, t.Never, t.Inexact)
	if len(t.NoMemory) > 0 {
		add("no memory", len(t.NoMemory), "of them, which earlier ones hide")
	}
	var asked []string
	for _, f := range t.Fields {
		asked = append(asked, fmt.Sprintf("%s %d", f.Name, f.Rules))
	}
	const perLine = 8
	note := ""
	if len(asked) > 0 {
		note = "asked for by rules: "
	}
	for i := 0; i < max(1, len(asked)); i += perLine {
		end := min(i+perLine, len(asked))
		note += strings.Join(asked[i:end], ", ")
		if end < len(asked) {
			note += ","
		}
		if i == 0 {
			add("fields", len(t.Fields), "%s", note)
		} else {
			g.add("", "", note)
		}
		note = ""
	}
	add("nodes", t.Nodes.total(), "%s, %s, %s; %d deep", plural(t.Nodes.Tables+t.Nodes.Links, "table"),
		plural(t.Nodes.Intervals, "interval node"), leaves(&t.Nodes), len(t.Depth))
	add("rows", t.Rows, "%.2f per rule, up to %d for one; %d in the largest leaf%s", t.RowsPerRule, t.most, t.LargestLeaf, t.largestBucket())
	add("bytes", t.Bytes, "%.1f per rule", t.BytesPerRule)
	g.add("lookup", "", "in the mean "+t.lookup(t.Mean, "%.1f"))
	g.add("", "", "at most     "+t.lookup(t.Worst, "%.0f"))
	g.add("build time", "", t.buildText)
	g.write(out)
}

// leaves writes the number of leaves.
func leaves(n *nodeStats) string {
	if n.Leaves == 1 {
		return "1 leaf"
	}
	return fmt.Sprintf("%d leaves", n.Leaves)
}

func (t *tableStats) largestBucket() string {
	if t.Nodes.Buckets == 0 {
		return ""
	}
	return fmt.Sprintf(", %d in the largest bucket", t.LargestBuck)
}

// lookup writes what lookups cost.
func (t *tableStats) lookup(w workStats, verb string) string {
	count := func(n float64, one, many string) string {
		if n == 1 {
			many = one
		}
		return fmt.Sprintf(verb+" "+many, n)
	}
	s := count(w.Steps, "step", "steps") + ", " + count(w.Leaves, "leaf", "leaves") + ", " +
		count(w.Rows+w.Candidates, "rule compared", "rules compared")
	if t.Nodes.Buckets > 0 {
		s += fmt.Sprintf(", %.0f words of bitmaps", w.Words)
	}
	return s
}

// writeAll prints the tables, with at most top rules each, in lines of so many
// columns; 0 for any length.
func (t *tableStats) writeAll(out *bytes.Buffer, top, columns int) {
	t.writeFields(out)
	t.writeDepth(out)
	t.writeParts(out)
	t.writeWork(out)
	if len(t.Costliest) > 0 {
		fmt.Fprintf(out, "\nThe rules that take the most\n")
		writeCosts(out, t.Costliest, true, columns)
	}
	if n := len(t.NoMemory); n > 0 {
		fmt.Fprintf(out, "\nRules that take no memory, since earlier ones hide them\n")
		shown := t.NoMemory[:min(top, n)]
		writeCosts(out, shown, false, columns)
		writeMore(out, n, len(shown), "other")
	}
}

// kindsOfNodes are the columns of tables of nodes.
var kindsOfNodes = []struct {
	name string
	of   func(n *nodeStats) int
}{
	{"tables", func(n *nodeStats) int { return n.Tables }},
	{"intervals", func(n *nodeStats) int { return n.Intervals }},
	{"links", func(n *nodeStats) int { return n.Links }},
	{"with span", func(n *nodeStats) int { return n.Spans }},
	{"leaves", func(n *nodeStats) int { return n.Leaves - n.Buckets }},
	{"(short", func(n *nodeStats) int { return n.Short }},
	{"long", func(n *nodeStats) int { return n.Long }},
	{"sparse)", func(n *nodeStats) int { return n.Sparse }},
	{"buckets", func(n *nodeStats) int { return n.Buckets }},
}

// nodeCells returns the names of the kinds of nodes that there are, or their
// numbers in n.
func (t *tableStats) nodeCells(n *nodeStats) (cells []string) {
	forms := 0 // of leaves
	for _, count := range []int{t.Nodes.Short, t.Nodes.Long, t.Nodes.Sparse} {
		if count > 0 {
			forms++
		}
	}
	for i, k := range kindsOfNodes {
		form := i >= 5 && i <= 7
		switch {
		case k.of(&t.Nodes) == 0 && !(form && forms > 1), form && forms < 2:
		case n == nil:
			cells = append(cells, k.name)
		default:
			cells = append(cells, strconv.Itoa(k.of(n)))
		}
	}
	return cells
}

func (t *tableStats) writeFields(out *bytes.Buffer) {
	if len(t.Fields) == 0 {
		return
	}
	fmt.Fprintf(out, "\nBy field: the rules that ask for it, the nodes that cut it, the leaves that compare it\n")
	g := grid{indent: "  "}
	g.add(append([]string{"field", "bits", "rules"}, t.nodeCells(nil)...)...)
	for i := range t.Fields {
		f := &t.Fields[i]
		g.add(append([]string{f.Name, strconv.Itoa(f.Bits), strconv.Itoa(f.Rules)}, t.nodeCells(&f.Nodes)...)...)
	}
	g.write(out)
}

func (t *tableStats) writeDepth(out *bytes.Buffer) {
	if len(t.DepthNodes) == 0 {
		return
	}
	fmt.Fprintf(out, "\nBy depth; %s in tables\n", plural(t.Slots, "slot"))
	g := grid{indent: "  "}
	g.add(append([]string{"depth"}, t.nodeCells(nil)...)...)
	for d := range t.DepthNodes {
		g.add(append([]string{strconv.Itoa(d)}, t.nodeCells(&t.DepthNodes[d])...)...)
	}
	g.add(append([]string{"all"}, t.nodeCells(&t.Nodes)...)...)
	g.write(out)
}

// partNotes say what the parts of the memory are.
var partNotes = map[string]string{
	"tables":     "slots of tables",
	"intervals":  "interval nodes and their references",
	"leaves":     "rows of leaves",
	"buckets":    "bitmaps and rows of buckets",
	"programs":   "conditions that are not intervals",
	"needs":      "fields that rules want present",
	"classes":    "layouts of rows",
	"spare":      "allocated and not used",
	"index":      "the field index, about",
	"identities": "of rules",
	"values":     "of rules, without what they point to",
	"packets":    "drawn for these statistics",
}

func (t *tableStats) writeParts(out *bytes.Buffer) {
	fmt.Fprintf(out, "\nMemory\n")
	g := grid{indent: "  ", notes: true}
	g.add("part", "bytes", "per rule", "")
	for _, p := range t.Parts {
		g.add(strings.ReplaceAll(p.Name, "_", " "), strconv.Itoa(p.Bytes), t.perRule(p.Bytes), partNotes[p.Name])
	}
	g.add("all", strconv.Itoa(t.Bytes), t.perRule(t.Bytes), "")
	g.write(out)
}

func (t *tableStats) perRule(bytes int) string {
	return fmt.Sprintf("%.1f", float64(bytes)/float64(max(t.Rules, 1)))
}

func (t *tableStats) writeWork(out *bytes.Buffer) {
	fmt.Fprintf(out, "\nLookups: the mean of %s drawn from the rules, and the most that a packet can take\n", plural(t.MeanOf, "packet"))
	g := grid{indent: "  "}
	g.add("", "steps", "leaves", "spans", "rules compared")
	line := func(name, verb string, w workStats) {
		cells := []string{name}
		for _, n := range []float64{w.Steps, w.Leaves, w.Spans, w.Rows} {
			cells = append(cells, fmt.Sprintf(verb, n))
		}
		if t.Nodes.Buckets > 0 {
			cells = append(cells, fmt.Sprintf(verb, w.Words), fmt.Sprintf(verb, w.Candidates))
		}
		g.add(cells...)
	}
	if t.Nodes.Buckets > 0 {
		g.rows[0] = append(g.rows[0], "words of buckets", "rules of buckets")
	}
	line("mean", "%.1f", t.Mean)
	line("worst", "%.0f", t.Worst)
	g.write(out)
}

// writeCosts lists rules, with what they take when asked for.
func writeCosts(out *bytes.Buffer, list []costStats, numbers bool, columns int) {
	g := grid{indent: "  ", notes: true}
	if numbers {
		g.add("rule", "rows", "bytes", "")
	}
	for i := range list {
		c := &list[i]
		cells := []string{files.Printable(place(c.Chain, c.Rule))}
		if numbers {
			cells = append(cells, strconv.Itoa(c.Rows), strconv.Itoa(c.Bytes))
		}
		g.add(append(cells, files.Printable(c.Text))...)
	}
	if columns > 0 {
		room := columns - len(g.indent)
		for i := range g.rows[0][:len(g.rows[0])-1] {
			most := 0
			for _, r := range g.rows {
				most = max(most, width(r[i]))
			}
			room -= most + 2
		}
		for _, r := range g.rows {
			last := &r[len(r)-1]
			*last = cut(*last, max(room, 12))
		}
	}
	g.write(out)
}
