package hipac

import (
	"fmt"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// Fingerprint writes out a classifier's compiled structure.
func Fingerprint[T any](c *Classifier[T]) string { return fmt.Sprint(*c.tree, c.decide) }

// DrawPackets draws packets from a list, as Stats does.
func DrawPackets[T any](l *rules.List[T], family, most int) []uint32 {
	return drawPackets(l, family, most)
}

// CountersInUse is the number of counters that live tables hold.
func CountersInUse(v *LiveTables) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.counters.Size().Numbers
}

// CutIsBuilt reports whether what a table needs for cut packets is compiled.
func CutIsBuilt(t *Table) bool { return t.cut != nil && t.cut.table.Load() != nil }

// Numbered returns a version of a table with the numbers of the chains as indexes.
func Numbered(t *TableSnapshot) *rules.Table { return t.numbered() }

// RunScript makes the edits of a script, which may be one for another list.
func RunScript[T any](tx *Tx[T], s *rules.Script, l *rules.List[T]) error {
	_, err := tx.run(s, l)
	return err
}

// SetPolicy is ChainEdit.SetPolicy for any chain.
func SetPolicy(c *ChainEdit, p rules.Verdict) error { return c.setPolicy(p) }

// RenameChain is TableEdit.RenameChain for any chain.
func RenameChain(e *TableEdit, name, other string) { e.rename(e.table.names[name], other) }

// TargetNames are the names that chains cannot have.
var TargetNames = targetNames

// Hurry has lists made from now on keep house all the time, in the background as
// soon as there is a reason, until restore is called.
func Hurry() (restore func()) {
	was := usualPace
	usualPace = pace{rubbish: 1 << 10, spare: 1 << 10, drift: 40, misfits: 0, caughtUp: 2, idle: time.Millisecond}
	return func() { usualPace = was }
}

// CheckRows finds rows in the tree of a list that are not those of a rule that it
// has, and rules whose rows are not there.
func CheckRows[T any](v *Live[T]) error {
	s := v.Snapshot()
	if s.short {
		return nil
	}
	had := map[uint32]bool{}
	var err error
	for i, r := range s.roots.list() {
		s.tree.EachRow(r, func(key uint32, inexact bool) {
			m := s.order.Get(key >> 1)
			switch {
			case m == nil:
				err = fmt.Errorf("there is a row of key %d, which no rule has", key)
			case m.key(key>>1) != key || m.inexact != inexact || m.pass != (i >= 2):
				err = fmt.Errorf("a row of key %d is not that of rule %d", key, m.id())
			}
			had[key] = true
		})
	}
	for label, m := range s.order.All() {
		if m.possible && !had[m.key(label)] {
			err = fmt.Errorf("rule %d has no row", m.id())
		}
	}
	return err
}
