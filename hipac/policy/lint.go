package policy

// Lint: what is wrong with a rule set, or could be shorter, as findings. This
// file has what callers see; the questions are asked in the other lint files.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// Code says what a finding is about. Codes do not change between versions.
type Code string

// The codes.
const (
	// Hidden: no packet gets to the rule, since earlier ones take all that it
	// matches (E. Al-Shaer, H. Hamed: Firewall Policy Advisor, IM 2003, call it
	// shadowing).
	Hidden Code = "hidden"
	// Redundant: the rule decides packets, and without it they would be decided
	// alike.
	Redundant Code = "redundant"
	// Never: the rule's own conditions hold for no packet.
	Never Code = "never"
	// Unreached: a chain that no packet comes to, or a rule whose conditions hold
	// for no packet that comes to its chain.
	Unreached Code = "unreached"
	// Behind: rules behind one that takes every packet.
	Behind Code = "behind"
	// Empty: a rule that calls a chain without rules.
	Empty Code = "empty"
	// Mergeable: neighbours that one rule could stand for.
	Mergeable Code = "mergeable"
	// Overlap: two rules of different verdicts that match packets in common, and
	// each some that the other does not (correlation, in the same paper): their
	// order decides.
	Overlap Code = "overlap"
	// Irredundant: how many rules are left when those that are not needed are
	// taken out one after another, until every one that is left is needed
	// (A. Liu, C. Meiners, Y. Zhou: All-Match Based Complete Redundancy Removal
	// for Packet Classifiers in TCAMs, INFOCOM 2008). It is not the least number
	// of rules that mean the same.
	Irredundant Code = "irredundant"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities: something to know; something to clean up; surely not meant.
const (
	Note Severity = iota
	Warning
	Error
)

var severityNames = [...]string{"note", "warning", "error"}

// String returns "note", "warning" or "error".
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// Finding is one thing that was found.
type Finding struct {
	Code     Code
	Severity Severity
	// Unknown says that it is so only if matches that are not modelled hold, or
	// where they do: nobody can say.
	Unknown bool
	// Rules are the rules that it is about, by their first piece (Action.Piece);
	// none where it is about a chain.
	Rules []rules.Place
	// Chain is the chain that it is about; 0 for a list.
	Chain int
	// Others are the rules that make it so: those that hide, those that say the
	// same, those that overlap. More is the number of others that are not named.
	Others []rules.Place
	More   int
	// Text says what was found and why, Fix what can be done.
	Text, Fix string
	// Witness is a packet that shows it: one that a hidden rule matches, that a
	// redundant rule decides, or that overlapping rules both match. nil: none.
	Witness rules.Key
	// Conds are the conditions of the one rule that mergeable ones could be.
	Conds []rules.Cond
	// Left is, of Irredundant, the number of rules that are left.
	Left int
}

// LintOptions say what is looked for, and bound the work. The zero value looks
// for everything but overlaps, with the defaults of Options.
type LintOptions struct {
	// Complete says that packets have all fields of the schema, and any values in
	// them, as those of ClassBench. Otherwise a packet may be without any field but
	// addresses and protocol, and ports are of the protocols that have them.
	Complete bool
	// Overlaps looks for Overlap too: pairs of rules, of which there may be very
	// many.
	Overlaps bool
	// KeepAll leaves out Irredundant.
	KeepAll bool
	// Named is the number of other rules that a finding names; 0: 8.
	Named int
	// RuleSteps is the number of boxes that are looked at for one question about
	// one rule, and Steps for all; a million take about a second. 0: 4 million,
	// and DefaultSteps.
	RuleSteps, Steps int64
	// Memory is the number of bytes that the rules' boxes, and each walk, may take;
	// 0: DefaultMemory.
	Memory int64
	// Time ends the search with what was found; 0: no limit.
	Time time.Duration
	// Name is how texts call a rule; nil: its number, behind its chain.
	Name func(rules.Place) string
}

const (
	defaultNamed     = 8
	defaultRuleSteps = 4 << 20
)

// LintReport is all that was found.
type LintReport struct {
	// Findings are in the order of the rules.
	Findings []Finding
	// Rules is the number of rules of the file.
	Rules int
	// Partial is not nil when there may be more: the limit that was reached.
	Partial error
}

// ErrFunctions means that Lint was given functions that are not of one rule set.
var ErrFunctions = errors.New("functions of one table, or one list, are looked at together")

// Lint iterates over the findings about the rules of a list, or of the chains
// that packets enter a table at (OfTable), as they are found. What it says of a
// rule holds on all ways to come to it. The last pair may be an error:
// rules.ErrLimit when there may be more, the context's, or ErrFunctions. Findings
// so far hold in any case.
//
// For most rules some random packets show that they are needed; the others cost
// a walk each over those that meet them. 100,000 rules take some seconds to half
// a minute, and about 100 bytes a rule and field.
func Lint(ctx context.Context, o LintOptions, fs ...*Function) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		if err := lintAll(ctx, o, fs, func(f Finding) bool { return yield(f, nil) }); err != nil && !errors.Is(err, errEnded) {
			yield(Finding{}, err)
		}
	}
}

// CollectLint is Lint in one call. It fails with errors other than
// rules.ErrLimit, which makes the report Partial.
func CollectLint(ctx context.Context, o LintOptions, fs ...*Function) (*LintReport, error) {
	r := &LintReport{}
	for f, err := range Lint(ctx, o, fs...) {
		switch {
		case errors.Is(err, rules.ErrLimit):
			r.Partial = err
		case err != nil:
			return nil, err
		default:
			r.Findings = append(r.Findings, f)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		at := func(f *Finding) (int, int) {
			switch {
			case f.Code == Irredundant:
				return 1 << 30, 0
			case len(f.Rules) == 0:
				return f.Chain, -1
			}
			return f.Rules[0].Chain, f.Rules[0].Rule
		}
		ac, ar := at(&a)
		bc, br := at(&b)
		return cmp.Or(cmp.Compare(ac, bc), cmp.Compare(ar, br), cmp.Compare(a.Code, b.Code))
	})
	r.Rules = countRules(fs)
	return r, nil
}

// countRules returns the number of rules of the file that the functions are of.
func countRules(fs []*Function) (n int) {
	switch {
	case len(fs) == 0:
	case fs[0].table == nil:
		n = len(fs[0].ways)
	default:
		for i := range fs[0].table.Chains {
			for _, r := range fs[0].table.Chains[i].Rules.All() {
				if !r.Value.Piece {
					n++
				}
			}
		}
	}
	return n
}

// errEnded means that the caller wants no more.
var errEnded = errors.New("ended")
