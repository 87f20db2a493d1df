package hipac

// The fast form of tables under edit: what BuildTable makes of a version, while
// nobody edits it.

import (
	"context"
	"time"
)

const (
	// quietTime is how long a table must not have been edited. Building it earlier
	// would be for nothing in most bursts of edits.
	quietTime = 100 * time.Millisecond
	// quietShare is how many times as long as it took to build nothing is built
	// again: a core has that much else to do.
	quietShare = 20
)

// quietState is when a table may be built. The lock of the tables guards it.
type quietState struct {
	edits   uint64 // transactions that changed the table
	edited  time.Time
	waiting bool      // a timer runs, or a build
	after   time.Time // not before
}

// stir says that a table was edited.
func (v *LiveTables) stir(t *tableState) {
	q := &t.quiet
	q.edits++
	if v.opts.NoBackground {
		return
	}
	q.edited = time.Now()
	if !q.waiting {
		q.waiting = true
		v.settle(t, quietTime)
	}
}

// settle builds the table when it has been quiet, which it is not before wait.
func (v *LiveTables) settle(t *tableState, wait time.Duration) {
	time.AfterFunc(wait, func() {
		v.mu.Lock()
		q := &t.quiet
		now := time.Now()
		if _, at := v.find(t.name, t.family); at < 0 || v.tables[at] != t {
			v.mu.Unlock() // it was dropped
			return
		}
		if wait := max(quietTime-now.Sub(q.edited), q.after.Sub(now)); wait > 0 {
			v.mu.Unlock()
			v.settle(t, wait)
			return
		}
		version, edits := t.now, q.edits
		v.mu.Unlock()

		static, err := BuildTable(context.Background(), version.numbered(), &v.build)
		took := time.Since(now)

		v.mu.Lock()
		defer v.mu.Unlock()
		q.after = now.Add(took * (1 + quietShare))
		if q.edits != edits {
			v.settle(t, quietTime)
			return
		}
		q.waiting = false
		if err != nil { // not enough memory: it goes on as it is
			return
		}
		with := *t.now
		with.static = static
		t.now = &with
		v.publish(v.Snapshot().version)
	})
}
