package xt

// What is forgotten when rules go while others stay.

import (
	"maps"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// ForgetOthers forgets the memory of single rules that are in none of the tables.
// Rules are known by their tests, which have their memory. What has a name (recent,
// hashlimit, rateest, nfacct, sets) stays. It takes time in proportion to the rules
// and to the connections that connlimit counts.
func (s *State) ForgetOthers(tables ...*rules.Table) {
	tests := map[rules.Test]bool{}
	for _, t := range tables {
		for i := range t.Chains {
			for _, r := range t.Chains[i].Rules.All() {
				if e := r.Value.Ext; e != nil {
					for i := range e.Tests {
						note(e.Tests[i].Test, tests)
					}
				}
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	connections := false
	maps.DeleteFunc(s.tests, func(t rules.Test, memory any) bool {
		if tests[t] {
			return false
		}
		if m, ok := memory.(*connMemory); ok {
			clear(*m)
			connections = true
		}
		return true
	})
	if !connections {
		return
	}
	maps.DeleteFunc(s.counted, func(id uint64, list []place) bool {
		left := slices.DeleteFunc(list, func(at place) bool {
			_, ok := at.in[at.key][at.name]
			return !ok
		})
		s.total -= len(list) - len(left)
		s.counted[id] = left
		return len(left) == 0
	})
}

// note notes the tests that have a memory of their own.
func note(t rules.Test, tests map[rules.Test]bool) {
	switch t := t.(type) {
	case anyOf:
		for _, list := range t {
			for _, u := range list {
				note(u, tests)
			}
		}
	case *limit, *quota, *statistic, *connLimit:
		tests[t] = true
	}
}
