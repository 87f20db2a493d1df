package main

// The command lint: what is wrong with the rules of a file, or could be shorter.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/files/commandline"
)

type lintCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string        `placeholder:"NAME" help:"Only this table." group:"Rules"`
	Only            []string      `placeholder:"CODES" help:"Only findings of these codes, separated by commas."`
	Cost            bool          `help:"Only the rules that are asked one by one, by chain, with the number of rules of each."`
	Overlaps        string        `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Look for overlaps: auto (the default: of at most 1,000 rules with verdicts), always, never."`
	FailOn          string        `enum:"error,warning,note,never" default:"warning" placeholder:"SEVERITY" help:"The least severity of a finding that makes the exit code 1: error, warning (the default), note, never."`
	Memory          int64         `default:"1024" placeholder:"MB" help:"How much memory the rules' boxes, and each search among them, may take (default 1024); partial beyond that."`
	Timeout         time.Duration `placeholder:"TIME" help:"Give up after so long (30s, 5m), with what was found."`
	Top             int           `default:"20" placeholder:"N" help:"How many findings of a code to list in text (default 20); 0 lists all."`
	Output          string        `enum:"text,json,sarif" default:"text" placeholder:"FORM" help:"text (the default), json, or sarif (SARIF 2.1.0, which code review tools read)."`
	Color           string        `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
}

// exitFound is the exit code of lint where something was found; of trouble it is 2,
// as that of diff.
const exitFound = 1

// Help is shown in front of the flags.
func (lintCmd) Help() string {
	var b strings.Builder
	b.WriteString(`Lists what is wrong with the rules of a file, or could be shorter:

`)
	for i := range lintCodes {
		c := &lintCodes[i]
		fmt.Fprintf(&b, "    %-12s %-8s %s\n", c.code, c.severity, c.help)
	}
	b.WriteString(`
What is said of packets is exact, for all packets: it holds in every chain that the
rule is come to from, and a packet that shows it is named where there is one. Matches
that are no conditions on the packet's fields may hold or not: what depends on them
is not said, or is said to be unknown. A ClassBench rule has no verdict; its own
content stands for one.

--cost lists the iptables rules that make a lookup longer. Conditions on fields
are compiled: however many rules have them, a packet finds its rule in a few
steps. What is more than a condition stays with its rule, and is done one by one
for every packet that meets the rule's conditions:

    remembers    a match with a memory: limit, recent, quota
    reads bytes  a match on the payload: string, u32, bpf
    asks system  a match on what the system knows: owner, cgroup
    tests        another match that is no condition
    changes      a target that changes the packet: the lookup begins anew behind it
    reports      a target that leaves a note: LOG, NFLOG
    unknown      a match or target that is not modelled

Such rules cost little behind conditions that few packets meet, and as long as
there are few of them.

Exit codes: 0 nothing found of severity warning or worse (see --fail-on), 1 something
found, 2 an error, or a search that was given up before anything was found.

Examples:

    iptables-save | hipac lint --rules -
    hipac lint --rules office.rules --only hidden,never --fail-on error
    hipac lint --rules save.txt --output sarif > lint.sarif
    hipac lint --rules save.txt --table filter --cost --output json`)
	return b.String()
}

// Run reports. Whatever is no answer has an exit code of its own.
func (cmd *lintCmd) Run(a *app) error {
	fail, err := cmd.run(a)
	switch {
	case err != nil:
		return commandline.Exit{Err: err, Code: exitTrouble}
	case fail:
		return commandline.Exit{Code: exitFound}
	}
	return nil
}

// run reports, and says whether there were findings that count.
func (cmd *lintCmd) run(a *app) (fail bool, err error) {
	switch {
	case cmd.Rules == "":
		return false, files.BadUsage("--rules FILE is missing")
	case cmd.Top < 0:
		return false, files.BadUsage("--top %d: at least 0 is wanted", cmd.Top)
	case cmd.Memory < 1 || cmd.Memory > 1<<20:
		return false, files.BadUsage("--memory %d: 1 to %d is wanted", cmd.Memory, 1<<20)
	case cmd.Timeout < 0:
		return false, files.BadUsage("--timeout %v: more than 0 is wanted", cmd.Timeout)
	}
	for _, code := range cmd.Only {
		if lintCode(code) == nil {
			return false, files.BadUsage("--only %s: there is no such code; choose from %s", code, strings.Join(lintNames(), ", "))
		}
	}
	side, err := a.readSide(&cmd.RuleFlags)
	if err != nil {
		return false, err
	}
	file := side.file
	var list []*rules.Table
	if file.Tables != nil {
		list = file.Tables.Tables
		if cmd.Table != "" {
			t, _, err := file.Choose(cmd.Table, "")
			if err != nil {
				return false, err
			}
			list = []*rules.Table{t}
		}
	} else if cmd.Table != "" {
		return false, files.BadUsage("--table is for iptables and nftables rules, and %s holds %s rules", file.Name, file.Format)
	}
	if cmd.Cost && cmd.Output != "sarif" {
		return false, cmd.costs(a, file, list)
	}
	report := &lintReport{File: file.Name, Format: file.Format, lines: side.lines, linesOf: file.LinesOf(), Findings: []lintFinding{}, entries: file.RuleLines != nil}
	if err := report.find(a.ctx, cmd, file, list); err != nil {
		if a.ctx.Err() != nil {
			err = errInterrupted
		}
		return false, err
	}
	report.count()
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	switch cmd.Output {
	case "json":
		err = writeJSON(out, report)
	case "sarif":
		err = writeJSON(out, report.sarif())
	default:
		report.text(out, cmd.Top, a.useColors(cmd.Color), columns(a.stdout))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return false, err
	}
	least := map[string]policy.Severity{"error": policy.Error, "warning": policy.Warning, "note": policy.Note, "never": policy.Error + 1}[cmd.FailOn]
	for i := range report.Findings {
		if report.Findings[i].severity >= least {
			return true, nil
		}
	}
	if report.Partial != "" {
		return false, fmt.Errorf("%s: %s: there may be more", file.Name, report.Partial)
	}
	return false, nil
}

// costs reports the rules that are asked one by one.
func (cmd *lintCmd) costs(a *app, file *files.Rules, list []*rules.Table) (err error) {
	if file.Tables == nil {
		return files.BadUsage("--cost is for iptables and nftables rules, and %s holds %s rules: those have conditions only", file.Name, file.Format)
	}
	report := findCosts(file, list)
	var out bytes.Buffer
	if cmd.Output == "json" {
		err = writeJSON(bufio.NewWriter(&out), report)
	} else {
		report.write(&out, a.useColors(cmd.Color), columns(a.stdout))
	}
	if err == nil {
		_, err = a.stdout.Write(out.Bytes())
	}
	return err
}

// writeJSON writes indented JSON.
func writeJSON(out *bufio.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return out.Flush()
}

// find gathers the findings about a list, or about tables.
func (r *lintReport) find(ctx context.Context, cmd *lintCmd, file *files.Rules, tables []*rules.Table) error {
	o := policy.LintOptions{Complete: file.ClassBench != nil, Time: cmd.Timeout, Memory: cmd.Memory << 20}
	o.KeepAll = len(cmd.Only) > 0 && !cmd.wants("irredundant")
	if cmd.Cost {
		return r.costs(cmd, file, tables)
	}
	switch {
	case file.ClassBench != nil:
		l := file.ClassBench
		o.Overlaps = cmd.Overlaps == "always" && cmd.wants("overlap")
		return lintList(ctx, r, cmd, o, policy.OfList(l, nil, none), l, classbenchLine)
	case file.Native != nil:
		l := file.Native
		verdict := func(i int) string { return l.At(i).Value }
		plain := true
		for _, rule := range l.All() {
			plain = plain && rule.Value == ""
		}
		if plain {
			verdict = nil
		}
		o.Overlaps = (cmd.Overlaps == "always" || cmd.Overlaps == "auto" && l.Len() <= fewRules && !plain) && cmd.wants("overlap")
		return lintList(ctx, r, cmd, o, policy.OfList(l, verdict, none), l, nativeLine)
	}
	for _, t := range tables {
		n := 0
		for i := range t.Chains {
			n += t.Chains[i].Rules.Len()
		}
		o.Overlaps = (cmd.Overlaps == "always" || cmd.Overlaps == "auto" && n <= fewRules) && cmd.wants("overlap")
		if err := r.table(ctx, cmd, o, file, t, len(tables) > 1); err != nil {
			return err
		}
	}
	return r.costs(cmd, file, tables)
}

// fewRules is the number of rules of which overlaps are looked for without being
// asked.
const fewRules = 1000

// wants reports whether findings of a code are to be listed.
func (cmd *lintCmd) wants(code string) bool {
	if len(cmd.Only) == 0 {
		return true
	}
	for _, c := range cmd.Only {
		if c == code {
			return true
		}
	}
	return false
}
