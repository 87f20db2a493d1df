package nftables

// The public face: what Read returns and what it is told.

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// Options say how to read. The zero Options refuse what is not modelled.
type Options struct {
	// File is the name that errors carry; "" prints as "input".
	File string
	// Limits bound the cost of a hostile file: MaxInput, MaxDepth of its values and
	// its jumps, MaxChains and MaxRules per table, MaxWalk, MaxMemory, MaxElements as
	// the number of rules that one rule of the listing may become. Sets may be as
	// long as the memory allows.
	Limits rules.Limits
	// AllowUnknown keeps rules that ask for something not modelled as unknown
	// ones, instead of failing. Tables of other families than ip, ip6 and inet are
	// left out then; Ruleset.Unknown names them.
	AllowUnknown bool
}

// Ruleset is what a listing holds. It is immutable and may be used concurrently.
type Ruleset struct {
	// Family is 4 or 6 when all tables are of that family, else 0.
	Family int
	// Tables are in the order of the listing, named "ip:NAME", "ip6:NAME" and
	// "inet:NAME". Their chains are in that order too; base chains have a policy.
	// All tables share one schema.
	Tables []*rules.Table
	// Unknown lists what was not modelled, in order of first use. It is empty
	// unless Options.AllowUnknown let it pass.
	Unknown []rules.Feature

	bases [][]base       // per table and chain
	lines [][][]ruleText // per table and chain, by Action.Number-1
}

// base says where a base chain is hooked; the zero base is that of other chains.
type base struct {
	hook     string
	priority int64
}

// ruleText is a rule as nft would write it, and where the listing has it.
type ruleText struct {
	text   string
	line   int
	handle uint64
}

// Table returns the table "inet:NAME", which may also be written "inet NAME", or
// the only one of the name "NAME"; nil when there is none.
func (rs *Ruleset) Table(name string) *rules.Table {
	if i := rs.find(name); i >= 0 {
		return rs.Tables[i]
	}
	return nil
}

func (rs *Ruleset) find(name string) int {
	full := strings.Replace(name, " ", ":", 1)
	if i := slices.IndexFunc(rs.Tables, func(t *rules.Table) bool { return t.Name == full }); i >= 0 {
		return i
	}
	found := -1
	for i, t := range rs.Tables {
		if _, bare, _ := strings.Cut(t.Name, ":"); bare == name {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// Rule returns the rule with the given Action.Number of a chain in nft's words,
// with its handle when the listing has it, and the number of its line; "" and 0
// for rules that there are not. Long sets are cut.
func (rs *Ruleset) Rule(table, chain string, number int) (text string, line int) {
	if r := rs.rule(table, chain, number); r != nil {
		if r.handle != 0 {
			return fmt.Sprintf("%s # handle %d", r.text, r.handle), r.line
		}
		return r.text, r.line
	}
	return "", 0
}

// Handle returns the handle of the rule with the given Action.Number of a chain;
// 0 when there is none.
func (rs *Ruleset) Handle(table, chain string, number int) uint64 {
	if r := rs.rule(table, chain, number); r != nil {
		return r.handle
	}
	return 0
}

func (rs *Ruleset) rule(table, chain string, number int) *ruleText {
	if i := rs.find(table); i >= 0 {
		if c := rs.Tables[i].Find(chain); c >= 0 && number >= 1 && number <= len(rs.lines[i][c]) {
			return &rs.lines[i][c][number-1]
		}
	}
	return nil
}

// Read reads what "nft -j list ruleset" prints: all of it, or the tables that
// other list commands print. Nothing is returned from a listing with an error in
// it. Errors are *rules.ParseError with file, line, column, rule and the offending
// part, or an *rules.UnsupportedError that lists all that is not modelled. It takes time
// linear in the length of the listing and the number of rules that concatenations
// and maps make, and memory in proportion.
func Read(src io.Reader, o Options) (*Ruleset, error) {
	r := &reader{file: o.File, limits: o.Limits.OrDefault(), allow: o.AllowUnknown, features: map[string]int{}}
	doc, err := r.parse(src)
	if err != nil {
		return nil, err
	}
	return r.ruleset(doc)
}
