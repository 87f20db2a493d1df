package main

// The command print: a rule file as this program reads it, in canonical form.
// It is also the way to check a file.

import (
	"bufio"
	"slices"

	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/native"
)

type printCmd struct {
	files.RuleFlags `group:"Rules"`
	Table           string `placeholder:"NAME" help:"iptables, as text: only this table." group:"Rules"`
	Counters        bool   `help:"iptables: with the counters of rules, as iptables-save -c."`
	Output          string `enum:"text,json,none" default:"text" placeholder:"FORM" help:"text (the default), json (not of ClassBench and nftables), or none: the file is checked alone."`
}

// Help is shown in front of the flags.
func (printCmd) Help() string {
	return `Prints the rules of a file in one canonical form: iptables rules as iptables-save
does, native and ClassBench rules in their own formats, a list of cisco, aws or
networkpolicy as a native one; with --output json iptables rules and these lists as
JSON. All of them are formats that --rules takes, and read back to the same rules.
nftables rules are checked alone: nft prints them.

A file with errors is not printed: they are named, and the exit code is 1.
--output none checks a file and prints nothing.

Examples:

    iptables-save | hipac print --rules - --output json
    hipac print --rules rules.json --counters | iptables-restore --counters
    hipac print --rules save.txt --table nat
    hipac print --rules save.txt --output none && echo good`
}

// Run prints.
func (cmd *printCmd) Run(a *app) error {
	if cmd.Rules == "" {
		return files.BadUsage("--rules FILE is missing")
	}
	file, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	a.tell(file)
	switch {
	case file.Tables == nil && cmd.Counters:
		return files.BadUsage("--counters is for iptables rules, and %s holds %s rules", file.Name, file.Format)
	case file.Tables == nil || cmd.Table != "":
		if _, _, err := file.Choose(cmd.Table, ""); err != nil {
			return err
		}
	}
	if cmd.Output == "json" && cmd.Table != "" {
		return files.BadUsage("--table is for text: JSON has all tables of the file")
	}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	if err := cmd.print(out, file); err != nil {
		return err
	}
	return out.Flush()
}

func (cmd *printCmd) print(out *bufio.Writer, file *files.Rules) error {
	tables := slices.DeleteFunc([]string{cmd.Table}, func(name string) bool { return name == "" })
	switch {
	case cmd.Output == "none":
		return nil
	case file.Format == files.Nftables:
		return files.BadUsage("%s holds nftables rules, which nft list ruleset prints: print has no form of them but --output none", file.Name)
	case file.Tables != nil && cmd.Output == "json":
		return iptables.WriteJSON(out, file.Tables.Iptables, cmd.Counters)
	case file.Tables != nil:
		return iptables.Write(out, file.Tables.Iptables, cmd.Counters, tables...)
	case file.Native != nil && cmd.Output == "json":
		return native.WriteJSON(out, file.Native)
	case file.Native != nil:
		return native.Write(out, file.Native)
	case cmd.Output == "json":
		return files.BadUsage("ClassBench rules have no JSON form")
	}
	return classbench.Write(out, file.ClassBench)
}
