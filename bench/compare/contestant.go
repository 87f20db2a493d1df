package compare

// Contestants: what the harness measures, whether it runs in this process or,
// as other projects' do, in one of its own. All that is asked of them takes a
// context, since they may be slow; the loops that are timed run on their side,
// so that asking costs no timed instruction.

import (
	"context"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// About describes a contestant, as Maker does.
type About struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Source string `json:"source"`
	Note   string `json:"note,omitempty"`
	// Skip says why there is none on this machine; "" for that there is.
	Skip string `json:"skip,omitempty"`
	// VerdictOnly means that answers are 0 and -1 only, see Maker.VerdictOnly.
	VerdictOnly bool `json:"verdict_only,omitempty"`
}

// Built is what became of a list of rules.
type Built struct {
	CPU  time.Duration `json:"cpu"`  // of all threads, collecting garbage included
	Wall time.Duration `json:"wall"` // by the clock
	// Bytes is the memory that the engine takes, and BytesFrom how that is known:
	// "told by the engine" or "growth of the heap".
	Bytes     int64  `json:"bytes"`
	BytesFrom string `json:"bytes_from"`
	// Updates means that Edit works.
	Updates bool `json:"updates,omitempty"`
}

// Edit takes a rule out of a list, or puts it back.
type Edit struct {
	Position int32 // in the list as it was loaded
	Insert   bool
}

// Contestant is a way to classify packets. It is for one goroutine.
//
// Load comes first, then Keys, then the others any number of times; Load again
// makes a new engine. An error of Load is one of ErrUnsupported, ErrMemory, ErrCPU, a
// failure of the contestant's process (*ProcessError), or the context's. After a
// ProcessError the others return it too, until the next Load.
type Contestant interface {
	About() About
	// Load makes an engine of the list, which may take so many bytes; 0 is no
	// bound. Its CPU time is bounded by WithCPU.
	Load(ctx context.Context, l *rules.List[string], bytes int64) (Built, error)
	// Keys has the keys, of the list's schema one after the other, be those that
	// the other methods are about. Some engines cannot be asked about some packets
	// (protocols that they do not look into): it returns the number of those, whose
	// places other keys of the array take when they are timed.
	Keys(ctx context.Context, keys []uint32) (notAsked int, err error)
	// Answers stores in out what Engine.First gives for the keys that begin with
	// number from, or NotAsked.
	Answers(ctx context.Context, from int, out []int32) error
	// Pass looks the keys from..to up, to not included, so many times, and
	// returns the CPU time of the thread that did.
	Pass(ctx context.Context, from, to, repeat int) (time.Duration, error)
	// Edit does edits one after the other and stores in took the CPU time of the
	// thread for each, less what reading the clock takes, as the median of 101
	// empty measurements before them, and not below 0.
	Edit(ctx context.Context, edits []Edit, took []time.Duration) error
	// Close frees the engine. The contestant can be loaded again.
	Close() error
}

// NotAsked is the answer for a key that the engine cannot be asked about.
const NotAsked int32 = -2

// Asker is an engine that cannot be asked about every packet.
type Asker interface {
	Engine
	// CanAsk reports whether First has an answer for a key.
	CanAsk(k rules.Key) bool
}

// Preparer is an engine that takes packets in a form of its own, which its users
// have at hand and which is not timed: Prepare makes that of all keys of a trace,
// First is not called.
type Preparer interface {
	Engine
	// Prepare keeps packets for the keys, in place of those it had. It may take
	// memory in proportion to the keys.
	Prepare(keys []uint32) error
	// FirstPrepared is First for the packets that begin with number from.
	FirstPrepared(from int, out []int32)
}
