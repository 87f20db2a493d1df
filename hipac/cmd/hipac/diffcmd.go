package main

// The command diff: do two rule files decide all packets alike, and if not, where
// not. The other question, what to edit, is in diffedits.go.

import (
	"errors"
	"syscall"

	"github.com/hipac-go/classifier/hipac/policy"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/files/commandline"
)

// Exit codes of diff and query.
const (
	exitSame      = 0 // diff: the same; query: yes
	exitDifferent = 1 // diff: different; query: no
	exitTrouble   = 2 // of any kind
)

type diffCmd struct {
	Old             string `arg:"" optional:"" name:"old" help:"The rule file of before; - for standard input."`
	New             string `arg:"" optional:"" name:"new" help:"The rule file of after."`
	files.RuleFlags `group:"Rules"`
	To              string `placeholder:"FILE" help:"NEW, where OLD is given by --rules." group:"Rules"`
	ToList          string `placeholder:"NAME" help:"The list of NEW, where it has another name than that of OLD (--list)." group:"Rules"`
	Table           string `placeholder:"NAME" help:"iptables, nftables: only this table; all that either file has when not given." group:"Rules"`
	Chain           string `placeholder:"NAME" help:"iptables, nftables: only this built-in chain; all of them when not given." group:"Rules"`
	Edits           bool   `help:"Show the smallest set of edits instead: what a reload would do."`
	limitFlags
	Output string `enum:"text,json" default:"text" placeholder:"FORM" help:"text (the default) or json."`
	Color  string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
}

// limitFlags bound comparisons and queries.
type limitFlags struct {
	Regions int   `default:"10" placeholder:"N" help:"How many regions to show, the largest (default 10); all are counted."`
	Seconds int   `default:"60" placeholder:"N" help:"How long it may take (default 60); what was found by then is shown and called partial. 0: as long as it takes."`
	Memory  int64 `default:"1024" placeholder:"MB" help:"How much memory regions and the search for them may take (default 1024); partial beyond that."`
	ByRule  bool  `help:"Keep regions apart in which other rules decide, although they decide the same."`
}

// Help is shown in front of the flags.
func (diffCmd) Help() string {
	return `Compares what two rule files mean: of which packets do they say different things,
which rules say so, and of how many packets. All packets are compared, not some;
the order and the form of rules do not matter by themselves. Both files are of
iptables, both of nftables, both of ClassBench, or each is one of the others (native,
cisco, aws, networkpolicy), which need not be the same. Of files with several lists
--list chooses one, and --to-list another one of NEW.

    ACCEPT -> DROP  2^32 packets
        src=10.0.0.0/8 dport=22,80 proto=tcp
        old     FORWARD/3  line 7: -s 10.0.0.0/8 -j ACCEPT
        new     FORWARD/policy  DROP
        packet  tcp 10.0.0.1:50000 > 192.0.2.1:22

A region is all packets that meet its conditions, which are in the syntax of the
native format ("?" after a name: or the packet does not have the field). Regions
have no packet in common. The packet is one of it, as hipac explain and hipac trace
take it. Packets are counted by the values of the fields that the rules ask for.

Of iptables and nftables files all built-in chains of all tables are compared, each
with the chains that it calls; a table or chain that one file lacks accepts. Verdicts
are compared: what targets change in packets, log or mark is not. Matches that do
more than look at fields (limit, owner, a set) are compared by their text, and
regions that depend on them say "where ... holds"; one that remembers or is not
modelled may hold once and not the next time, and makes a region "unknown". Of
native lists the values behind "=>" are compared; of lists without them, such as
ClassBench's, what the rule itself asks.

--edits shows something else: the smallest set of edits that makes the rules of
one file those of the other, what a reload by "hipac classify --watch",
hipac.Live.Apply or LiveTables.Apply would do. Rules are compared by what they ask
and do, not by how they are written; chains and tables by their names.

    delete  3        rule 3 of the first file goes
    insert     2     a rule comes, and is number 2 of the second file
    move    7  4     rule 7 becomes number 4
    replace 9  8     rule 9 asks the same and does something else as number 8

Rules that merely get another number because others come or go are kept. "cost" is
what it takes to edit the rules in memory, comparison included, and by how many
bytes the memory grows; where many change, or they ask for other fields, they are
built anew.

Exit codes: 0 the same, 1 different, 2 an error of whatever kind, or a limit that
was reached before any difference was found.

Examples:

    hipac diff office.rules office.new
    iptables-save | hipac diff save.txt -
    hipac diff before.txt after.txt --chain INPUT --regions 100
    hipac diff acl1.rules acl2.rules --output json
    hipac diff router.cfg router.cfg --list IN --to-list IN-NEW
    hipac diff --edits office.rules office.new`
}

// Run compares.
func (cmd *diffCmd) Run(a *app) error {
	different, err := cmd.compare(a)
	return exitCode(different, err)
}

// exitCode is the end of a question whose answer is an exit code.
func exitCode(one bool, err error) error {
	switch {
	case errors.Is(err, syscall.EPIPE):
		return err
	case err != nil:
		return commandline.Exit{Code: exitTrouble, Err: err}
	case one:
		return commandline.Exit{Code: exitDifferent}
	}
	return nil
}

// compare reports whether there is a difference.
func (cmd *diffCmd) compare(a *app) (different bool, err error) {
	switch {
	case cmd.Old != "" && cmd.Rules != "", cmd.New != "" && cmd.To != "":
		return false, files.BadUsage("the files as OLD NEW, or by --rules and --to, not both")
	case cmd.Rules != "" && cmd.To == "" || cmd.Old != "" && cmd.New == "" || cmd.Old == "" && cmd.Rules == "":
		return false, files.BadUsage("two rule files are needed: hipac diff OLD NEW")
	case cmd.Rules != "":
		cmd.Old, cmd.New = cmd.Rules, cmd.To
	}
	if cmd.Old == "-" && cmd.New == "-" {
		return false, files.BadUsage("both files cannot be standard input")
	}
	if cmd.Edits && (cmd.Table != "" || cmd.Chain != "") {
		return false, files.BadUsage("--edits is about whole files: it does not go with --table and --chain")
	}
	if err := cmd.check(); err != nil {
		return false, err
	}
	var sides [2]*side
	for i, path := range []string{cmd.Old, cmd.New} {
		flags := cmd.RuleFlags
		flags.Rules, flags.AnyList = path, true
		if i == 1 && cmd.ToList != "" {
			flags.List, flags.AnyList = cmd.ToList, false
		}
		if sides[i], err = a.readSide(&flags); err != nil {
			return false, err
		}
	}
	old, next := sides[0], sides[1]
	if cmd.List != "" && old.file.List == "" && (next.file.List == "" || cmd.ToList != "") {
		return false, files.BadUsage("--list is for files with several lists, and %s holds %s rules", old.file.Name, old.file.Format)
	}
	lists := old.file.Native != nil && next.file.Native != nil // also of different formats
	if old.file.Format != next.file.Format && !lists {
		return false, files.BadUsage("%s holds %s rules and %s %s rules: lists are compared with lists, and tables with tables of the same format", old.file.Name, old.file.Format, next.file.Name, next.file.Format)
	}
	if cmd.Edits {
		different, err = cmd.edits(a, old.file, next.file)
	} else {
		different, err = cmd.meanings(a, old, next)
	}
	if err != nil && a.ctx.Err() != nil {
		return false, errInterrupted
	}
	return different, err
}

// check refuses limits that are none.
func (f *limitFlags) check() error {
	if f.Regions < 0 || f.Seconds < 0 || f.Memory < 1 || f.Memory > 1<<20 {
		return files.BadUsage("--regions and --seconds are at least 0, --memory 1 to %d", 1<<20)
	}
	return nil
}

// options are the limits as package policy takes them. Half of the memory is for
// regions.
func (f *limitFlags) options() policy.Options {
	return policy.Options{Join: !f.ByRule, Memory: f.Memory << 20, Regions: max(f.Regions, 1), Time: f.time()}
}
