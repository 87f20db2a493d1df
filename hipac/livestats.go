package hipac

// What edits of a live list came to: counts, for those who watch one.

import "sync/atomic"

// LiveStats counts what was done to the structure of a live list since it was made.
type LiveStats struct {
	InPlace      int64 // transactions made in the structure as it was
	Rebuilt      int64 // transactions that built it anew
	Few          int64 // transactions that left so few rules that there is none
	Grown        int64 // transactions for which its arrays had to grow
	Copied       int64 // copies of it without what edits had left
	CopiedTables int64 // copies of its tables alone
	Renewed      int64 // times that it was built anew in the background
	CopiedAside  int64 // times that it was copied in the background
}

// Stats returns the counts. Any goroutine may call it, at any time.
func (v *Live[T]) Stats() LiveStats {
	d := v.list.did
	return LiveStats{d.inPlace.Load(), d.rebuilt.Load(), d.few.Load(), d.grown.Load(), d.copied.Load(), d.copiedTables.Load(), d.renewed.Load(), d.copiedAside.Load()}
}

// doings are the counts of a list. Work in the background counts too.
type doings struct {
	inPlace, rebuilt, few, grown, copied, copiedTables, renewed, copiedAside atomic.Int64
}

// note counts a transaction that is being committed.
func (w *editList[T]) note() {
	switch {
	case w.rebuilt:
		w.did.rebuilt.Add(1)
	case w.live == nil:
		w.did.few.Add(1)
	default:
		w.did.inPlace.Add(1)
		if w.live.ed.Grew() {
			w.did.grown.Add(1)
		}
	}
}
