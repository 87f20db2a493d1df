package main

// The command stats: what the compiler makes of a rule set.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

type statsCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string `placeholder:"NAME" help:"iptables: only this table." group:"Rules"`
	Hidden          bool   `help:"Also list the rules that can never decide; slow for long lists."`
	Top             int    `default:"10" placeholder:"N" help:"text, with --hidden: how many rules of each kind to list (default 10)."`
	Output          string `enum:"text,json" default:"text" placeholder:"FORM" help:"text (the default) or json."`
}

// Help is shown in front of the flags.
func (statsCmd) Help() string {
	return `Without --rules it shows the built-in firewall. Each table of iptables rules
is compiled on its own.

Examples:

    hipac stats --rules acl1.rules
    iptables-save | hipac stats --rules - --table filter --output json
    hipac stats --rules office.rules --hidden

"never match" counts rules that no packet can meet. "not intervals" counts rules
with a condition that is no single interval, such as a negation or a bit mask:
the structure finds them by what surrounds them, and compares them in full only
there. "fields used" says how many rules have a condition on a field, and how
many nodes cut it.

--hidden lists the rules that can never decide: those with one earlier rule, of
the same chain, that matches all packets that they match; and rules of user
chains that none of the packets match which jumps bring to the chain. Where a
condition is no single interval it may miss some; what it lists is certain. JSON
has all of them. It is slow, 3 to 15 seconds for 100,000 common rules, minutes
where all ranges are wide or masks, and Ctrl-C ends it.`
}

// tableStats are the statistics of a list or of one table.
type tableStats struct {
	Table        string         `json:"table,omitempty"`
	Chains       int            `json:"chains,omitempty"`
	Rules        int            `json:"rules"`
	Never        int            `json:"never_match"`
	Inexact      int            `json:"not_intervals"`
	Fields       []fieldStats   `json:"fields"`
	Nodes        map[string]int `json:"nodes"`
	Slots        int            `json:"table_slots"`
	Spans        int            `json:"table_spans"`
	Rows         int            `json:"leaf_rows"`
	RowsPerRule  float64        `json:"leaf_rows_per_rule"`
	LargestLeaf  int            `json:"largest_leaf"`
	Depth        []int          `json:"nodes_at_depth"`
	Bytes        int            `json:"bytes"`
	BytesPerRule float64        `json:"bytes_per_rule"`
	BuildNS      int64          `json:"build_ns"`
	*deadRules                  // with --hidden
	kinds        []string
	buildText    string
}

type fieldStats struct {
	Name  string `json:"name"`
	Bits  int    `json:"bits"`
	Rules int    `json:"rules"`
	Cuts  int    `json:"nodes"`
}

// Run compiles and reports.
func (cmd *statsCmd) Run(a *app) error {
	if cmd.Top < 0 {
		return files.BadUsage("--top %d is negative", cmd.Top)
	}
	var file *files.Rules
	var err error
	if cmd.Rules == "" {
		file, err = files.ReadRules(bytes.NewReader(demoRules), demoRulesName, &cmd.RuleFlags)
	} else {
		file, err = a.readRules(&cmd.RuleFlags)
	}
	if err != nil {
		return err
	}
	tables := []*rules.Table{nil}
	if file.Tables != nil && cmd.Table == "" {
		tables = file.Tables.Tables
	} else {
		t, _, err := file.Choose(cmd.Table, "")
		if err != nil {
			return err
		}
		tables[0] = t
	}
	list := []tableStats{}
	for _, t := range tables {
		entry := 0
		if t != nil {
			if entry, err = files.EntryChain(t, ""); err != nil {
				return err
			}
		}
		c, err := a.compileAs(file, engineTree, t, entry)
		if err != nil {
			return err
		}
		stats := newTableStats(c, t)
		if cmd.Hidden {
			if stats.deadRules, err = a.findDead(file, t); err != nil {
				return err
			}
		}
		list = append(list, stats)
	}
	if cmd.Output == "json" {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(map[string]any{"rules_file": file.Name, "rules_format": file.Format, "tables": list})
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s, %s\n", files.Printable(file.Name), file.Format)
	for i := range list {
		out.WriteByte('\n')
		list[i].write(&out)
		if d := list[i].deadRules; d != nil {
			d.write(&out, list[i].Table != "", cmd.Top, columns(a.stdout))
		}
	}
	_, err = a.stdout.Write(out.Bytes())
	return err
}

func newTableStats(c *compiled, t *rules.Table) tableStats {
	s, _ := c.stats()
	out := tableStats{
		Rules: s.Rules, Never: s.Never, Inexact: s.Inexact, Fields: []fieldStats{}, Slots: s.Slots, Rows: s.Rows,
		RowsPerRule: s.Replication(), LargestLeaf: s.LargestLeaf, Depth: s.Depth, Bytes: s.Bytes(),
		BuildNS: c.build.Nanoseconds(), buildText: roundTime(c.build),
		kinds: []string{"table", "interval", "leaf"}, Spans: s.Spans,
		Nodes: map[string]int{"table": s.Tables, "interval": s.Intervals, "leaf": s.Leaves},
	}
	if out.Depth == nil {
		out.Depth = []int{}
	}
	if t != nil {
		out.Table, out.Chains = t.Name, len(t.Chains)
	}
	if s.Rules > 0 {
		out.BytesPerRule = float64(s.Bytes()) / float64(s.Rules)
	}
	out.addFields(s, c.schema())
	return out
}

func (t *tableStats) addFields(s hipac.Stats, schema *rules.Schema) {
	for i, f := range s.Fields {
		if f.Rules > 0 {
			t.Fields = append(t.Fields, fieldStats{f.Name, schema.Field(i).Bits, f.Rules, f.Cuts})
		}
	}
}

func (t *tableStats) write(out *bytes.Buffer) {
	if t.Table != "" {
		fmt.Fprintf(out, "table %s, %s\n", files.Printable(t.Table), plural(t.Chains, "chain"))
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "rules\t%d\t%d never match, %d not intervals\n", t.Rules, t.Never, t.Inexact)
	fmt.Fprintf(w, "fields used\t%d\t(below: rules that ask for each)\n", len(t.Fields))
	for _, f := range t.Fields {
		fmt.Fprintf(w, "  %s\t%d\t%s, cut by %s\n", f.Name, f.Rules, plural(f.Bits, "bit"), plural(f.Cuts, "node"))
	}
	nodes := 0
	for _, n := range t.Nodes {
		nodes += n
	}
	fmt.Fprintf(w, "nodes\t%d\n", nodes)
	notes := map[string]string{
		"table": fmt.Sprintf("%s, %s", plural(t.Slots, "slot"), plural(t.Spans, "span")),
		"leaf":  fmt.Sprintf("%s, %.2f per rule, largest %d", plural(t.Rows, "row"), t.RowsPerRule, t.LargestLeaf),
	}
	for _, k := range t.kinds {
		fmt.Fprintf(w, "  %s\t%d\t%s\n", k, t.Nodes[k], notes[k])
	}
	for d, n := range t.Depth {
		fmt.Fprintf(w, "  at depth %d\t%d\n", d, n)
	}
	fmt.Fprintf(w, "bytes\t%d\t%.1f per rule\n", t.Bytes, t.BytesPerRule)
	fmt.Fprintf(w, "build time\t%s\n", t.buildText)
	w.Flush()
}
