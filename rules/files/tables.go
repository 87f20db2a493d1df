package files

// Tables of chains: those of iptables and those of nftables, as commands use them.

import (
	"fmt"
	"io"
	"strings"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/nftables"
)

// Tables is a rule set of chains. It is immutable and may be used concurrently.
type Tables struct {
	Tables []*rules.Table
	Family int // of all tables: 4 or 6, 0 when there are both

	// Iptables is the rule set as package iptables has it; nil for one of nftables.
	Iptables *iptables.Ruleset

	set ruleset
}

// ruleset is what the formats have alike.
type ruleset interface {
	Table(name string) *rules.Table
	Rule(table, chain string, number int) (text string, line int)
	Path(hooks ...string) (rules.Path, error)
}

func tablesOfIptables(rs *iptables.Ruleset, err error) (*Tables, error) {
	if err != nil {
		return nil, err
	}
	return &Tables{Tables: rs.Tables, Family: rs.Family, Iptables: rs, set: rs}, nil
}

func readNftables(r io.Reader, name string, f *RuleFlags) (*Tables, error) {
	rs, err := nftables.Read(r, nftables.Options{File: name, AllowUnknown: f.AllowUnknown})
	if err != nil {
		return nil, err
	}
	return &Tables{Tables: rs.Tables, Family: rs.Family, set: rs}, nil
}

// Table returns the named table, or nil. Of nftables the name may be without its
// family where there is but one of it.
func (t *Tables) Table(name string) *rules.Table { return t.set.Table(name) }

// Rule returns the text of the rule with the given Action.Number of a chain, and the
// number of its line in the file; "" and 0 for rules that there are not.
func (t *Tables) Rule(table, chain string, number int) (text string, line int) {
	return t.set.Rule(table, chain, number)
}

// Path returns the stops of a packet that comes by the hooks: "PREROUTING", "INPUT".
func (t *Tables) Path(hooks ...string) (rules.Path, error) { return t.set.Path(hooks...) }

// names lists the tables.
func (t *Tables) names() string {
	var have []string
	for _, t := range t.Tables {
		have = append(have, t.Name)
	}
	return strings.Join(have, ", ")
}

// choose returns the table of the name. The empty name is that of filter, or, of
// nftables, of the only table.
func (t *Tables) choose(file, name string) (*rules.Table, error) {
	if len(t.Tables) == 0 {
		return nil, fmt.Errorf("%s: no table in the file", file)
	}
	usual := name
	if name == "" {
		if t.Iptables == nil && len(t.Tables) == 1 {
			return t.Tables[0], nil
		}
		usual = "filter"
	}
	if table := t.Table(usual); table != nil {
		return table, nil
	}
	if name == "" && t.Iptables == nil {
		return nil, BadUsage("%s has %d tables: choose one with --table: %s", file, len(t.Tables), t.names())
	}
	return nil, BadUsage("%s has no table %s; it has %s: choose one with --table", file, usual, t.names())
}
