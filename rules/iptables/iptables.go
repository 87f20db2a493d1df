package iptables

// The public face: what Read returns and what it is told.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/route"
)

// Options say how to read a file. The zero Options refuse what is not
// modelled and find out the address family.
type Options struct {
	// File is the name that errors carry.
	File string
	// Limits bound the cost of a hostile file: MaxInput, MaxLine, MaxRules and
	// MaxChains per table, MaxDepth and MaxWalk of its jumps, MaxElements as
	// the number of rules that one line may become.
	Limits rules.Limits
	// Family is 4 for iptables, 6 for ip6tables, 0 to find out: from the
	// comment that the tools write at the top, else from the first address or
	// match that belongs to one family, else 4. When it is not 0, lines with
	// -4 or -6 for the other family are passed over, as the tools do it.
	Family int
	// AllowUnknown keeps rules that ask for something not modelled as unknown
	// ones, instead of failing. A -j whose name is neither that of a chain nor
	// of a target is one to an unknown target then.
	AllowUnknown bool
	// ReversedRanges takes ranges of numbers whose first end is above their last
	// ("--dport 60000:29") for ranges that hold for nothing, as iptables up to
	// 1.8.9 did in all matches but tcp and sctp. Later ones refuse them.
	ReversedRanges bool
	// Users and Groups return the number of a user or group (match owner). Nil
	// knows root, 0, alone; names that are not known are not modelled.
	Users, Groups func(name string) (id uint32, ok bool)
	// ConnLabels is the text of a connlabel.conf: names of connection labels, a
	// number in 0..127 and a name on each line. Without it labels are numbers.
	ConnLabels string
	// Sets are those that rules ask ("-m set") and change ("-j SET"). Static
	// ones of one dimension become conditions. Without a set nobody can say
	// whether a packet is in it.
	Sets *ipset.Sets
	// Routes say of which type addresses are (match addrtype). Without them
	// packets are asked (packet.Env).
	Routes *route.Table
	// Matches and Targets read the options of matches and targets that this
	// package does not know, by name: the words behind "-m NAME" or "-j NAME",
	// with "!" as a word of its own. They are called once or more for a rule;
	// what is read is printed back as it was given. A function that gives an
	// error fails the file.
	Matches map[string]func(words []string) (rules.Test, error)
	Targets map[string]func(words []string) (RegisteredTarget, error)
}

// Ruleset is what a file holds. It is immutable and may be used concurrently.
type Ruleset struct {
	Family int // 4 or 6
	// Tables are in the order of the file. Their chains are the built-in ones
	// in the order of the hooks, then the user's in the order of the file.
	Tables []*rules.Table
	// Unknown lists what was not modelled, in order of first use. It is empty
	// unless Options.AllowUnknown let it pass.
	Unknown []rules.Feature

	lines [][][]ruleLine // per table and chain, by Action.Number-1
	read  []*rules.Table // what they are of
}

// check reports an error when the tables are not those that were read: the text
// of rules is that of a file.
func (rs *Ruleset) check() error {
	if len(rs.read) != len(rs.Tables) {
		return fmt.Errorf("iptables: %d tables were read, and there are %d now: only rules that were read can be printed", len(rs.read), len(rs.Tables))
	}
	for i, t := range rs.Tables {
		if t != rs.read[i] || len(t.Chains) != len(rs.lines[i]) {
			return fmt.Errorf("iptables: table %s is not the one that was read: only rules that were read can be printed", t.Name)
		}
	}
	return nil
}

// ruleLine is one rule as the kernel counts them: its canonical text behind
// "-A CHAIN " and where it came from.
type ruleLine struct {
	text           string
	line           int
	packets, bytes uint64
}

// Table returns the named table, or nil.
func (rs *Ruleset) Table(name string) *rules.Table {
	if i := rs.find(name); i >= 0 {
		return rs.Tables[i]
	}
	return nil
}

func (rs *Ruleset) find(name string) int {
	for i, t := range rs.Tables {
		if t.Name == name {
			return i
		}
	}
	return -1
}

// Rule returns the rule with the given Action.Number of a chain as
// iptables-save prints it behind "-A CHAIN ", and the number of its line in
// the file. A rule with a comma list of addresses is one of several with the
// same line. It returns "" and 0 for rules that there are not, and for tables
// that were put in place of those that were read.
func (rs *Ruleset) Rule(table, chain string, number int) (text string, line int) {
	if i := rs.find(table); i >= 0 && i < len(rs.read) && rs.read[i] == rs.Tables[i] {
		if c := rs.Tables[i].Find(chain); c >= 0 && number >= 1 && number <= len(rs.lines[i][c]) {
			l := &rs.lines[i][c][number-1]
			return l.text, l.line
		}
	}
	return "", 0
}
