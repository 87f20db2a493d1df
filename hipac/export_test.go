package hipac

import (
	"fmt"

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

// Numbered returns a version of a table with the numbers of the chains as indexes.
func Numbered(t *TableSnapshot) *rules.Table { return t.numbered() }

// SetPolicy is ChainEdit.SetPolicy for any chain.
func SetPolicy(c *ChainEdit, p rules.Verdict) error { return c.setPolicy(p) }

// RenameChain is TableEdit.RenameChain for any chain.
func RenameChain(e *TableEdit, name, other string) { e.rename(e.table.names[name], other) }

// TargetNames are the names that chains cannot have.
var TargetNames = targetNames
