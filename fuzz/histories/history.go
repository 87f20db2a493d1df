// Package histories tests lists that are edited while lookups go on, against a
// plain slice of rules and the linear matcher.
//
// A History is a first list and a sequence of transactions, drawn from a seed or
// from the bytes of a fuzzer: Generate and FromBytes. Run applies it to a
// hipac.Live and to a slice at once and compares their answers after every
// transaction, most of which are a single edit. Edits name rules and positions
// by numbers that are taken modulo what there is, so that a history stays one
// when steps are left out of it: Shrink leaves out what a difference does not
// need.
//
//	kinds.go     the rules that histories draw from
//	generate.go  histories from a seed, or from bytes
//	model.go     the slice, and what the linear matcher says of it
//	keys.go      packets aimed at what an edit touched
//	run.go       transactions, edit.go edits, apply.go whole lists, compare.go answers
//	shrink.go    the smallest history that still fails, as a line to replay it by
package histories

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// Op is a kind of edit.
type Op uint8

// The kinds of edits.
const (
	Append Op = iota
	InsertAt
	InsertBefore
	InsertAfter
	Delete
	Replace
	Revalue // Replace by the same conditions
	MoveTo
	MoveBefore
	MoveAfter
	Flush
	Wrong // one that must fail and do nothing; To says which
	numOps
)

var opNames = [numOps]string{"append", "insert at", "insert before", "insert after", "delete", "replace",
	"replace value", "move to", "move before", "move after", "flush", "wrong"}

// String returns the name of the edit.
func (o Op) String() string { return opNames[o] }

// inserts reports whether the edit adds a rule.
func (o Op) inserts() bool { return o <= InsertAfter }

// Edit is an edit of a list. At, To and Rule are any numbers, negative ones from
// the end.
type Edit struct {
	Op   Op
	Near bool     // At counts from where a rule was inserted last
	At   int      // position that the edit is about
	To   int      // position of the other rule, of moves
	Rule int      // of History.Pool
	ID   rules.ID // that an inserted rule is given; 0 for none
}

// End is how a transaction ends.
type End uint8

// The ways a transaction ends.
const (
	Commit     End = iota
	Within         // committed by Live.Edit
	Rolled         // rolled back
	Failed         // by Live.Edit, because its function fails
	Thrown         // the same, because it panics
	Dry            // a dry run
	Expired        // committed with a context that has ended: may fail
	Applied        // not edits but the list that they would make, by Live.Apply
	DryApplied     // the same by Live.DryApply
	Rest           // no transaction but a while without any
	numEnds
)

var endNames = [numEnds]string{"commit", "edit", "rollback", "edit that fails", "edit that panics", "dry run", "commit with an ended context",
	"apply", "dry apply", "rest"}

// String returns the name of the end.
func (e End) String() string { return endNames[e] }

// Step is a transaction.
type Step struct {
	Edits []Edit
	End   End
}

// History is a list of rules and transactions on it. It is not changed once it is
// made.
type History struct {
	Config Config
	Schema *rules.Schema
	Pool   []rules.Rule[int] // without identities
	First  []int             // of Pool: the list at the beginning
	Steps  []Step

	whole bool // as Generate made it of Config
}

// String writes the history out, for people.
func (h *History) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schema %s\n", h.Schema)
	for i, p := range h.First {
		fmt.Fprintf(&b, "  rule %d: %s\n", i+1, h.describe(p))
	}
	for i := range h.Steps {
		s := &h.Steps[i]
		fmt.Fprintf(&b, "step %d: %s\n", i, s.End)
		for _, e := range s.Edits {
			fmt.Fprintf(&b, "  %s at=%d", e.Op, e.At)
			if e.Near {
				b.WriteString(" from the last")
			}
			if e.Op >= MoveTo {
				fmt.Fprintf(&b, " to=%d", e.To)
			}
			if e.ID != 0 {
				fmt.Fprintf(&b, " id=%d", e.ID)
			}
			if e.Op.inserts() || e.Op == Replace {
				fmt.Fprintf(&b, ": %s", h.describe(e.Rule))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func (h *History) describe(pool int) string {
	r := &h.Pool[within(pool, len(h.Pool))]
	text := rules.FormatRule(h.Schema, r)
	if r.Continue {
		text += " (continue)"
	}
	if r.Unknown != "" {
		text += " (unknown)"
	}
	return text
}

// within returns i modulo n.
func within(i, n int) int { return (i%n + n) % n }
