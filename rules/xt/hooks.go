package xt

// Hooks: from where a rule is reached. A rule in a built-in chain is on the
// hook of that name, one in a user's chain on all hooks whose chains lead
// there.

import "github.com/hipac-go/classifier/rules"

// hookSet is a set of hooks.
type hookSet uint8

const (
	hookPrerouting hookSet = 1 << iota
	hookInput
	hookForward
	hookOutput
	hookPostrouting

	dstHooks = hookPrerouting | hookOutput // where destinations are translated
	srcHooks = hookInput | hookPostrouting // and sources
)

var hookBits = map[string]hookSet{"PREROUTING": hookPrerouting, "INPUT": hookInput, "FORWARD": hookForward,
	"OUTPUT": hookOutput, "POSTROUTING": hookPostrouting}

// mostReached is the number of tables whose hooks are kept: those of tables that
// are edited, each version of which is another table, must not pile up.
const mostReached = 32

// hooks returns the hooks that the rule is reached from in the packet's table.
func (t *Traversal) hooks(at rules.Place) hookSet {
	if t.table == nil || at.Chain >= len(t.table.Chains) {
		return 0
	}
	if h := hookBits[t.table.Chains[at.Chain].Name]; h != 0 {
		return h
	}
	reached, ok := t.reached[t.table]
	if !ok {
		if t.reached == nil || len(t.reached) == mostReached {
			t.reached = map[*rules.Table][]hookSet{}
		}
		reached = hooksOf(t.table)
		t.reached[t.table] = reached
	}
	return reached[at.Chain]
}

// hooksOf returns the hooks of each chain of a table. O(rules).
func hooksOf(table *rules.Table) []hookSet {
	reached := make([]hookSet, len(table.Chains))
	var todo []int
	for i := range table.Chains {
		if reached[i] = hookBits[table.Chains[i].Name]; reached[i] != 0 {
			todo = append(todo, i)
		}
	}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, r := range table.Chains[c].Rules.All() {
			if r.Value.Kind != rules.Jump && r.Value.Kind != rules.Goto {
				continue
			}
			if to := r.Value.Chain; reached[to]|reached[c] != reached[to] {
				reached[to] |= reached[c]
				todo = append(todo, to)
			}
		}
	}
	return reached
}
