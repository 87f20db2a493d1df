package hipac

// Options of a build, and its errors.

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/hipac-go/classifier/hipac/internal/index"
	"github.com/hipac-go/classifier/hipac/internal/lower"
	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// Errors of a build, for errors.Is. A context that ends gives its own error.
var (
	// ErrMemoryLimit means that the structure would not fit Options.MemoryLimit.
	ErrMemoryLimit = errors.New("memory limit exceeded")
	// ErrTooManyRules means more rules than a classifier can number (2^30).
	ErrTooManyRules = errors.New("too many rules")
)

const maxRules = 1 << 30

// Engine is a way to answer lookups. All give the same answers.
type Engine uint8

// The engines. The linear walk, the third way, is rules.List.First and
// rules.Table.Evaluate.
const (
	// Tree is the compiled tree: the fast one, and the default.
	Tree Engine = iota
	// Index intersects, per packet, the bitmaps of the field index: some
	// microseconds and some allocations a lookup. It is a second oracle.
	Index
)

// String returns the engine's name.
func (e Engine) String() string {
	if e == Index {
		return "index"
	}
	return "tree"
}

// DefaultMemoryLimit is the memory that a build may use unless told
// otherwise: 16 GiB.
const DefaultMemoryLimit int64 = 16 << 30

// Options of Build and BuildTable. A nil *Options is the zero
// Options.
type Options struct {
	// Engine answers the lookups. With Index, lookups allocate, and of the
	// options below only MemoryLimit counts.
	Engine Engine

	// MemoryLimit bounds the bytes of the compiled structure; a build that
	// would exceed it fails with ErrMemoryLimit and leaves nothing behind. While
	// it runs a build takes a few times as much as it leaves. 0 means
	// DefaultMemoryLimit.
	MemoryLimit int64

	// Batch is the way to run LookupBatch with the engine Tree. A build fails
	// when the processor cannot run it.
	Batch Batch

	// AllMatches compiles what LookupAll and Executed need at once. Without it
	// the first call of one of them does, in the time and memory of a Build,
	// without a limit, and the classifier keeps the rule list alive for it.
	AllMatches bool

	// FirstMatchOnly lets the rule list go: LookupAll, Matches and Executed
	// are not available, and panic. It saves the memory of the list when
	// nothing else keeps it.
	FirstMatchOnly bool

	// LeafRows is the number of rules that are compared one by one at the end
	// of a lookup rather than separated further, at most 512. 0 means 8.
	LeafRows int

	// Replication is the number of copies per rule that a build may make to
	// save lookups work, at most 1024. 0 means 4; memory is linear in it.
	Replication float64

	// Workers is the number of goroutines that compile 50,000 rules or more, at
	// most 256; fewer rules take one. 0 means GOMAXPROCS. What is compiled does
	// not depend on it.
	Workers int
}

func (o *Options) orDefault() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MemoryLimit == 0 {
		out.MemoryLimit = DefaultMemoryLimit
	}
	switch {
	case out.Engine > Index:
		return out, fmt.Errorf("options: there is no engine %d", out.Engine)
	case out.MemoryLimit < 0, out.LeafRows < 0 || out.LeafRows > 512:
		return out, errors.New("options: MemoryLimit is negative, or LeafRows is not in 0..512")
	case !(out.Replication >= 0 && out.Replication <= 1024): // NaN neither
		return out, errors.New("options: Replication is not in 0..1024")
	case out.Workers < 0 || out.Workers > 256:
		return out, errors.New("options: Workers is not in 0..256")
	case out.AllMatches && out.FirstMatchOnly:
		return out, errors.New("options: AllMatches and FirstMatchOnly exclude each other")
	}
	if out.Workers == 0 {
		out.Workers = min(runtime.GOMAXPROCS(0), 256)
	}
	var err error
	out.Batch, err = out.Batch.resolve()
	return out, err
}

func (o *Options) config(s *rules.Schema, keepHidden bool) tree.Config {
	return tree.Config{Plain: isPlain(s), LeafRows: o.LeafRows, Replication: o.Replication, KeepHidden: keepHidden, MaxBytes: o.MemoryLimit, Workers: o.Workers}
}

// isPlain reports whether keys of the schema look like those of the IPv4
// 5-tuple.
func isPlain(s *rules.Schema) bool {
	t := rules.IPv4Tuple
	if s.Len() != t.Len() {
		return false
	}
	for i := range s.Len() {
		if s.Field(i).Bits != t.Field(i).Bits {
			return false
		}
	}
	return true
}

// buildError gives a builder's error its public name.
func buildError(err error, limit int64) error {
	if errors.Is(err, lower.ErrMemory) || errors.Is(err, index.ErrMemory) {
		return fmt.Errorf("%w: %d bytes", ErrMemoryLimit, limit)
	}
	return err
}
