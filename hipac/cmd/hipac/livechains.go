package main

// Tables that become others while packets are decided, by the smallest set of
// edits: what rules remember stays with them.

import (
	"context"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/ipset"
)

// editedTables are the tables of a file that become those of others.
type editedTables struct {
	live   *hipac.LiveTables // nil: there are none yet
	memory *memory
	sets   *ipset.Sets // as the file says; nil for none
	marks  map[chainName]marks
}

// take makes the tables those of another file, and returns their program.
func (e *editedTables) take(ctx context.Context, m *marker, file *files.Rules, path rules.Path, sets *ipset.Sets, from *memory) (*tableProgram, changes, error) {
	if e.live == nil {
		live, err := hipac.NewLiveTables(ctx, file.Tables.Tables, nil)
		if err != nil {
			return nil, changes{}, err
		}
		e.live, e.memory, e.sets = live, from, sets
		p := e.program(file, path)
		p.marks = map[chainName]marks{}
		for _, t := range file.Tables.Tables {
			for i := range t.Chains {
				p.marks[chainName{t.Name, t.Chains[i].Name}] = m.all(t.Chains[i].Rules.Len())
			}
		}
		e.marks = p.marks
		return p, changes{}, nil
	}
	before := sources(e.live.Snapshot())
	a, err := e.live.Apply(ctx, file.Tables.Tables)
	if err != nil {
		return nil, changes{}, err
	}
	if sets != e.sets {
		e.memory.state.UseSets(sets)
		e.sets = sets
	}
	p := e.program(file, path)
	p.marks = m.ofTables(a.Script, e.marks, before)
	e.marks = p.marks
	if a.Version != a.From {
		// Packets may still be on their way through the rules of before.
		e.memory.state.ForgetOthers(append(before, sources(p.live.version)...)...)
	}
	return p, changesOfTables(a.Script), nil
}

// sources returns the tables of a version.
func sources(s *hipac.TablesSnapshot) (list []*rules.Table) {
	for _, t := range s.Tables() {
		list = append(list, t.Source())
	}
	return list
}

// program returns the program of the newest version, which is that of the file.
func (e *editedTables) program(file *files.Rules, path rules.Path) *tableProgram {
	p := tableProgramOf(file.Tables, path, e.memory)
	p.live = &liveProgram{tables: e.live, version: e.live.Snapshot(), stops: make([]liveStop, len(path))}
	for i, stop := range path {
		at := &p.live.stops[i]
		for n, t := range p.live.version.Tables() {
			if t.Name() != stop.Table.Name || t.Family() != stop.Table.Family {
				continue
			}
			index := make(map[string]int, len(stop.Table.Chains))
			for c := range stop.Table.Chains {
				index[stop.Table.Chains[c].Name] = c
			}
			at.table, at.chains = n, make([]int, t.Chains())
			for number := range at.chains {
				c, ok := index[t.Chain(number).Name]
				if at.chains[number] = c; ok && c == stop.Chain {
					at.chain = number
				}
			}
		}
	}
	return p
}

// liveProgram is one version of live tables, those of a file.
type liveProgram struct {
	tables  *hipac.LiveTables
	version *hipac.TablesSnapshot
	stops   []liveStop // of the path
}

// liveStop is a stop of a path.
type liveStop struct {
	table  int   // index in a version
	chain  int   // number of the chain that packets enter
	chains []int // the file's chains by number
}

// run sends a packet along the path. Chains of the result are the file's.
func (l *liveProgram) run(s rules.Subject, path rules.Path, o *rules.Observer) rules.PathResult {
	v := l.version
	if now := l.tables.Snapshot(); now.Version() == v.Version() {
		v = now // the same rules, it may be in a faster form
	}
	return path.RunWith(s, func(stop int, executed func(rules.Place)) rules.Result {
		at := &l.stops[stop]
		r := v.Tables()[at.table].Run(s, at.chain, executed)
		r.By.Chain = at.chains[r.By.Chain]
		return r
	}, o)
}
