// Package compare holds classifiers of any origin to the same rules and packets:
// ours, the textbook ones of package baselines, and those of other projects in
// the nested module bench/peers, which run in a process of their own.
//
// An engine looks a whole trace up in one call, in the way that its users would
// call it: one packet after the other, or in bursts where it has them. The caller
// times that call, and has checked the answers against the linear matcher before.
package compare

import (
	"context"
	"errors"

	"github.com/hipac-go/classifier/rules"
)

// Engine is a classifier of one list of rules. It is for one goroutine.
type Engine interface {
	// First stores in out, for each key, the position in the list of the first rule
	// that matches it, or -1. Keys follow one another, each of the schema's KeyLen
	// words; a first word other than 0 says which fields are absent.
	First(keys []uint32, out []int32)
	// Bytes returns the memory that the engine takes, with all that lookups read,
	// or 0 when it does not know: the caller measures the growth of the heap then.
	Bytes() int64
	// Close frees what the garbage collector does not know of.
	Close()
}

// Updater is an engine whose rules can be taken out and put back.
type Updater interface {
	Engine
	// Delete takes the rule at a position out; others keep their positions.
	Delete(position int) error
	// Insert puts it back.
	Insert(position int) error
}

// Maker makes engines of one kind.
type Maker struct {
	Name   string // as in figures and on the command line: "tuplemerge"
	Title  string // "TupleMerge"
	Source string // the paper, or the project and its version
	Note   string // what it is made for, or what it cannot do; "" for nothing to say

	// VerdictOnly means that First tells whether a packet is let through, and not
	// which rule says so. Filters of such engines have rules that allow, and refuse
	// the rest: the verdict is 0 when a rule matches and -1 when none does, or only
	// a last rule without conditions, which stands for the rest.
	VerdictOnly bool

	// Skip says why there is none on this machine; nil, or "", for that there is.
	Skip func() string
	// Make makes an engine of a list, in at most so many bytes. It returns an error
	// of ErrUnsupported for rules that the engine cannot express, and of ErrMemory
	// when it would take more.
	Make func(ctx context.Context, l *rules.List[string], bytes int64) (Engine, error)
}

// Errors of makers, for errors.Is.
var (
	// ErrUnsupported means that the engine has no way to say a rule.
	ErrUnsupported = errors.New("not supported")
	// ErrMemory means that it would take more memory than it may.
	ErrMemory = errors.New("too much memory")
)
