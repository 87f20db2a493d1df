package rules

// Paths: the tables that a packet passes one after the other, each entered at
// one of its chains. In a kernel they are what is hooked to the stages of a
// packet's way, in the order of their priorities.

// Stop is a table of a path and the chain at which packets enter it.
type Stop struct {
	Table *Table
	Chain int // index in Table.Chains
	// Routed is true when the packet is on its way to another host here, and was
	// not yet at the stop before: a router lowers its TTL in between. Subjects
	// with a method Forwarded() are told.
	Routed bool
}

// Path is the stops that a packet comes to, in order.
type Path []Stop

// PathResult is what became of a packet on a path.
type PathResult struct {
	// Result is that of the stop that decided: the one that did not accept the
	// packet, or the last one that it entered. It is the zero Result when the
	// packet entered no table.
	Result
	// Stop is the index of that stop in the path, -1 when there is none.
	Stop int
}

// Observer is told of a packet's way along a path. Functions that are nil are
// not called.
type Observer struct {
	// Executed is called for every rule executed, in order, before its target
	// is applied, as the trace of Table.Run.
	Executed func(stop int, at Place)
	// Left is called when the packet leaves a stop, with the result there: the
	// verdict is NoVerdict when it did not enter the table.
	Left func(stop int, r Result)
}

// Run sends a packet along the path, table by table, rule by rule: a table
// that accepts it, or that it does not enter, hands it to the next one; any
// other verdict ends the path. o may be nil.
func (p Path) Run(s Subject, o *Observer) PathResult {
	return p.RunWith(s, func(stop int, executed func(Place)) Result {
		return p[stop].Table.Run(s, p[stop].Chain, executed)
	}, o)
}

// RunWith is Run with run in place of Table.Run: it evaluates the packet at a
// stop, and calls executed, when that is not nil, for every rule executed.
func (p Path) RunWith(s Subject, run func(stop int, executed func(Place)) Result, o *Observer) PathResult {
	last := PathResult{Stop: -1}
	var executed func(Place)
	stop := 0
	if o != nil && o.Executed != nil {
		executed = func(at Place) { o.Executed(stop, at) }
	}
	for stop = range p {
		if p[stop].Routed {
			if f, ok := s.(interface{ Forwarded() }); ok {
				f.Forwarded()
			}
		}
		r := run(stop, executed)
		if o != nil && o.Left != nil {
			o.Left(stop, r)
		}
		if r.Verdict == NoVerdict {
			continue
		}
		if last = (PathResult{r, stop}); r.Verdict != Accept {
			break
		}
	}
	return last
}
