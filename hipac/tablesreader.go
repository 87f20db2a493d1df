package hipac

// Readers of live tables that count packets and bytes by rule and by policy.

import (
	"fmt"
	"runtime"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/rules"
)

// TablesReader evaluates packets for one goroutine and counts them. Each has
// counters of its own, so that counting costs some nanoseconds whatever other
// cores do; reading adds them up. Close it when it is not used any more.
//
// A reader that counts goes from chain to chain even where a table has its fast
// form (see LiveTables): that does not know of every rule on the way.
type TablesReader struct {
	live *LiveTables
	counting
	passing passing
}

// counting counts what is executed for a packet.
type counting struct {
	shard *counters.Shard
	bytes uint64
}

func (c *counting) count(number uint32) { c.shard.Count(number, c.bytes) }

// Reader returns a new reader. Without LiveOptions.Counters it counts nothing. It
// takes the time of going through all rules' counters once.
func (v *LiveTables) Reader() *TablesReader {
	r := &TablesReader{live: v}
	if v.counters != nil {
		r.shard = v.counters.Shard()
		r.passing.lists = map[int32][]uint32{}
	}
	return r
}

// Close adds the reader's counts to those of the tables; it must not be used any
// more. A reader that is forgotten is closed when the garbage collector finds it.
func (r *TablesReader) Close() {
	if r.shard != nil {
		r.shard.Close()
		r.shard = nil
	}
}

// Run is TablesSnapshot.Run on the newest version for a packet of so many bytes,
// which it counts for every rule executed and every policy that decided.
func (r *TablesReader) Run(s rules.Subject, path rules.Path, bytes int, o *rules.Observer) rules.PathResult {
	v := r.live.Snapshot()
	if r.shard == nil {
		return v.Run(s, path, o)
	}
	r.counting.bytes = uint64(max(bytes, 0))
	result := path.RunWith(s, func(stop int, executed func(rules.Place)) rules.Result {
		t, chain := v.stop(&path[stop])
		if t == nil {
			return rules.Result{By: rules.Place{Chain: chain, Rule: -1}}
		}
		return t.run(s, chain, executed, r)
	}, o)
	runtime.KeepAlive(v) // its counters are its rules' until here
	return result
}

// Evaluate is TableSnapshot.Evaluate on the newest version of a table, for a
// packet of so many bytes, which it counts as Run does. A packet does not enter a
// table that there is not. It allocates where TableSnapshot.Evaluate does, and
// when more rules that only count match than ever before.
func (r *TablesReader) Evaluate(table string, family int, k rules.Key, entry, bytes int) rules.Result {
	v := r.live.Snapshot()
	t := v.Table(table, family)
	if t == nil {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	if r.shard == nil {
		return t.Evaluate(k, entry)
	}
	r.counting.bytes = uint64(max(bytes, 0))
	result := t.evaluate(k, entry, nil, r)
	runtime.KeepAlive(v)
	return result
}

// source walks the chains rule by rule, and counts.
func (r *TablesReader) source(t *TableSnapshot, s rules.Subject, entry int, executed func(rules.Place)) rules.Result {
	result := t.numbered().Run(s, entry, func(at rules.Place) {
		if executed != nil {
			executed(at)
		}
		_, m := t.at(at.Chain).seq.order.At(at.Rule)
		r.count(m.counter)
	})
	if result.By.Rule < 0 && result.Needs == "" {
		r.count(t.at(entry).counter)
	}
	return result
}

// RuleRef names a rule of live tables, or with the identity 0 the policy of a
// chain.
type RuleRef struct {
	Table  string
	Family int
	Chain  string
	ID     rules.ID
}

// Counters returns the counts of a rule or a policy: exact when no reader is
// counting, and never less than what was returned before, resets aside. They begin
// with what the rule had in its file (rules.Action). It waits for the transaction
// under way, if any. Errors: ErrNoTable, ErrNoChain, ErrNoRule; that also for the
// policy of a chain without. Without LiveOptions.Counters all counts are 0.
func (v *LiveTables) Counters(at RuleRef) (Counts, error) {
	return v.counter(at, func(c *counters.Set, n uint32) Counts { return Counts(c.Read(n)) })
}

// ResetCounters sets the counts of a rule or a policy to 0 and returns what they
// were. Errors and waiting are those of Counters.
func (v *LiveTables) ResetCounters(at RuleRef) (Counts, error) {
	return v.counter(at, func(c *counters.Set, n uint32) Counts { return Counts(c.Reset(n)) })
}

// AddCounters adds counts to those of a rule or a policy. Errors and waiting are
// those of Counters.
func (v *LiveTables) AddCounters(at RuleRef, x Counts) error {
	_, err := v.counter(at, func(c *counters.Set, n uint32) Counts {
		c.Add(n, counters.Counts(x))
		return x
	})
	return err
}

// ResetAllCounters sets all counts to 0.
func (v *LiveTables) ResetAllCounters() {
	if v.counters != nil {
		v.counters.ResetAll()
	}
}

func (v *LiveTables) counter(at RuleRef, do func(*counters.Set, uint32) Counts) (Counts, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t, _ := v.find(at.Table, at.Family)
	if t == nil {
		return Counts{}, noTable(at.Table, at.Family)
	}
	c := t.names[at.Chain]
	if c == nil {
		return Counts{}, fmt.Errorf("table %s: %w: %s", t.name, ErrNoChain, at.Chain)
	}
	n := c.counter
	if at.ID != 0 {
		label, err := c.list.label(at.ID)
		if err != nil {
			return Counts{}, fmt.Errorf("table %s: chain %s: %w", t.name, c.name, err)
		}
		n = c.list.order.Get(label).counter
	} else if c.policy == rules.NoVerdict {
		return Counts{}, fmt.Errorf("table %s: chain %s: %w: it has no policy", t.name, c.name, ErrNoRule)
	}
	if v.counters == nil {
		return Counts{}, nil
	}
	return do(v.counters, n), nil
}

// EachCounter calls do with every rule of the newest version and its counts, table
// by table, chain by chain by their numbers, in order; behind those of a chain that
// has a policy with that, for which r is nil. It stops when do returns false.
func (v *LiveTables) EachCounter(do func(t *TableSnapshot, chain int, r *rules.Rule[rules.Action], c Counts) bool) {
	s := v.Snapshot()
	defer runtime.KeepAlive(s)
	read := func(n uint32) (c Counts) {
		if v.counters != nil {
			c = Counts(v.counters.Read(n))
		}
		return c
	}
	for _, t := range s.tables {
		for i := range t.chains {
			c := t.at(i)
			if c == noChain {
				continue
			}
			for _, m := range c.seq.order.All() {
				if !do(t, i, m.rule, read(m.counter)) {
					return
				}
			}
			if c.policy != rules.NoVerdict && !do(t, i, nil, read(c.counter)) {
				return
			}
		}
	}
}
