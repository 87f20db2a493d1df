package main

// Versions of a program: packets are decided by the newest one, and rules can be
// reloaded while packets come in.

import (
	"sync/atomic"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
)

// form is what keys are made like: those of one schema.
type form struct {
	schema  *rules.Schema
	binding *files.Binding           // nil for the one that packets were opened for
	newest  atomic.Pointer[compiled] // program for them
}

// versions gives packets the program that decides them. A packet that was read
// while an older form was the newest is decided by the last program of that form.
type versions struct {
	newest atomic.Pointer[form]
}

func newVersions(c *compiled) *versions {
	v := &versions{}
	v.publish(c, v.form(c))
	return v
}

// form returns the form for a program's keys: the newest, if it will do.
func (v *versions) form(c *compiled) *form {
	if f := v.newest.Load(); f != nil && f.schema.Equal(c.schema()) {
		return f
	}
	return &form{schema: c.schema()}
}

// publish has packets decided by a program, whose keys are of the form.
func (v *versions) publish(c *compiled, f *form) {
	f.newest.Store(c)
	v.newest.Store(f)
}

// program returns the newest program.
func (v *versions) program() *compiled { return v.newest.Load().newest.Load() }

// marks are identities of rules by position, the same in all versions for rules
// that are still there.
type marks []uint64

// marker gives rules their marks.
type marker struct{ last uint64 }

// of returns the marks of the new list's rules by position, given the script that
// made it of the old one, the marks of that, and the positions of its identities.
// Rules whose value or comment was replaced have new marks: what they did before
// another rule did.
func (m *marker) of(s *rules.Script, old marks, position func(rules.ID) int) marks {
	list := make(marks, len(s.IDs))
	fresh := make([]bool, len(list))
	for _, e := range s.Edits {
		if e.Op == rules.InsertRule || e.Op == rules.ReplaceRule {
			fresh[e.New] = true
		}
	}
	for i, id := range s.IDs {
		if !fresh[i] {
			if at := position(id); at >= 0 && at < len(old) {
				list[i] = old[at]
				continue
			}
		}
		m.last++
		list[i] = m.last
	}
	return list
}

// ofTables returns the marks of the rules of new tables, given the script that made
// them of the old ones, and the marks of those.
func (m *marker) ofTables(s *rules.TablesScript, before map[chainName]marks, old []*rules.Table) map[chainName]marks {
	all := map[chainName]marks{}
	for _, t := range s.Tables {
		for _, c := range t.Chains {
			if t.New < 0 || c.New < 0 {
				continue
			}
			name := chainName{t.Name, c.Name}
			position := func(rules.ID) int { return -1 }
			if c.Old >= 0 {
				position = old[t.Old].Chains[c.Old].Rules.Position
			}
			all[name] = m.of(c.Rules, before[name], position)
		}
	}
	return all
}

// all returns new marks for n rules.
func (m *marker) all(n int) marks {
	list := make(marks, n)
	for i := range list {
		m.last++
		list[i] = m.last
	}
	return list
}

// carried finds rules of an older version in the newer one: outcomes by the
// position of a rule in a list.
func carried(old, new marks, positions map[int32]bool) map[int32]int32 {
	wanted := make(map[uint64]int32, len(positions))
	for p := range positions {
		if p >= 0 && int(p) < len(old) {
			wanted[old[p]] = p
		}
	}
	out := make(map[int32]int32, len(wanted))
	for i, mark := range new {
		if p, ok := wanted[mark]; ok {
			out[p] = int32(i)
			if len(out) == len(wanted) {
				break
			}
		}
	}
	return out
}
