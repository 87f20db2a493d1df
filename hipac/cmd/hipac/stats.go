package main

// The command stats: what the compiler makes of a rule set.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

type statsCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string `placeholder:"NAME" help:"iptables, nftables: only this table." group:"Rules"`
	Hidden          bool   `help:"Also list the rules that can never decide; slow for long lists."`
	Verbose         bool   `short:"v" help:"text: also nodes by field and depth, memory by part, and the rules that cost most."`
	Top             int    `default:"10" placeholder:"N" help:"text, with --hidden or --verbose: how many rules of each kind to list; json: of those that cost most (default 10)."`
	Output          string `enum:"text,json" default:"text" placeholder:"FORM" help:"text (the default) or json."`
}

// Help is shown in front of the flags.
func (statsCmd) Help() string {
	return `Without --rules it shows the built-in firewall. Each table of iptables and nftables rules
is compiled on its own.

Examples:

    hipac stats --rules acl1.rules
    iptables-save | hipac stats --rules - --table filter --output json
    hipac stats --rules office.rules --verbose
    hipac stats --rules office.rules --hidden

"never match" counts rules that no packet can meet, "not intervals" those with a
condition that is no single interval, such as a negation or a bit mask: the
structure finds them by what surrounds them, and compares them in full only
there. "fields" says how many rules have a condition on each.

A lookup goes down a tree of tables and interval nodes to a leaf, where it
compares a few rules; one step is one node. Rules that are wide in the field
that a node cuts are not copied into all of its parts, but stand in a span beside
it, which is a tree of its own. Rules that no cut separates stand in buckets, as
bitmaps. "rows" are rules in leaves and buckets, copies included. "lookup" is what
lookups of packets cost that are drawn from the rules, in the mean of up to 128,
and what the worst packet can cost.

"no memory" counts the rules which the compiler left out because earlier ones
match all that they match. It finds most of them; --hidden finds all that one
earlier rule hides.

--hidden lists the rules that can never decide: those with one earlier rule, of
the same chain, that matches all packets that they match; and rules of user
chains that none of the packets match which jumps bring to the chain. Where a
condition is no single interval it may miss some; what it lists is certain. JSON
has all of them. It is slow, 3 to 15 seconds for 100,000 common rules, minutes
where all ranges are wide or masks, and Ctrl-C ends it.`
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
	a.tell(file)
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
		var path rules.Path
		if t != nil {
			if cmd.Table == "" && file.Format == files.Nftables && !entered(t) {
				continue // sets alone, or chains that nothing leads to
			}
			entry, err := files.EntryChain(t, "")
			if err != nil {
				return err
			}
			path = rules.Path{{Table: t, Chain: entry}}
		}
		c, err := a.compileAs(file, engineTree, path, 0)
		if err != nil {
			return err
		}
		stats := newTableStats(c, t, cmd.Top)
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
		if cmd.Verbose {
			list[i].writeAll(&out, cmd.Top, columns(a.stdout))
		}
		if d := list[i].deadRules; d != nil {
			d.write(&out, list[i].Table != "", cmd.Top, columns(a.stdout))
		}
	}
	_, err = a.stdout.Write(out.Bytes())
	return err
}

// entered reports whether packets enter the table.
func entered(t *rules.Table) bool {
	return slices.ContainsFunc(t.Chains, func(c rules.Chain) bool { return c.Policy != rules.NoVerdict })
}
