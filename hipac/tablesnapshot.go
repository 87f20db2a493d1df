package hipac

// A version of tables under edit: what readers see. Its tables share what no
// edit has changed with those of other versions; chains lie in pages of 64, so
// that an edit of one in 20,000 copies little.

import (
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/counters"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
)

// TablesSnapshot is all tables of a LiveTables at one moment. It is immutable and
// safe for any number of goroutines.
type TablesSnapshot struct {
	tables  []*TableSnapshot
	version uint64
	era     *counters.Era // keeps counters from being given to other rules
}

// Version returns the number of transactions that had changed the tables.
func (s *TablesSnapshot) Version() uint64 { return s.version }

// Tables returns the tables, in the order in which they came. The slice must not
// be changed.
func (s *TablesSnapshot) Tables() []*TableSnapshot { return s.tables }

// Table returns the table with the name and the family (4, 6, or 0 for both), nil
// when there is none.
func (s *TablesSnapshot) Table(name string, family int) *TableSnapshot {
	for _, t := range s.tables {
		if t.family == family && t.name == name {
			return t
		}
	}
	return nil
}

// Run is rules.Path.Run: it sends a packet along a path of tables. The tables of
// the path are those of the names and families of its stops, and the chains those
// of the names of theirs, so that a path made from the tables that the LiveTables
// had once serves as long as such chains are there. A packet does not enter a
// table or a chain that there is not. o may be nil.
func (s *TablesSnapshot) Run(subject rules.Subject, path rules.Path, o *rules.Observer) rules.PathResult {
	return path.RunWith(subject, func(stop int, executed func(rules.Place)) rules.Result {
		t, chain := s.stop(&path[stop])
		if t == nil {
			return rules.Result{By: rules.Place{Chain: chain, Rule: -1}}
		}
		return t.Run(subject, chain, executed)
	}, o)
}

// stop returns the table and the chain of a stop, nil when there is none.
func (s *TablesSnapshot) stop(at *rules.Stop) (*TableSnapshot, int) {
	if at.Table == nil {
		return nil, at.Chain
	}
	t := s.Table(at.Table.Name, at.Table.Family)
	if t == nil || at.Chain < 0 || at.Chain >= len(at.Table.Chains) {
		return nil, at.Chain
	}
	name := at.Table.Chains[at.Chain].Name
	if t.chain(int32(at.Chain)).name == name {
		return t, at.Chain
	}
	n := t.Find(name)
	if n < 0 {
		return nil, at.Chain
	}
	return t, n
}

// TableSnapshot is a table of a TablesSnapshot. It is immutable and safe for any
// number of goroutines.
//
// Chains are known by numbers, from 0 to Chains()-1, which they keep as long as
// they live; those of the table that it was made from are its indexes. A number
// may be that of no chain, which nothing leads to.
type TableSnapshot struct {
	*tableBase
	shape    *rules.Table // the chains with their jumps alone, for subjects
	pages    []*chainPage
	chains   int
	rules    int
	demands  int // rules that read headers
	extended int // rules with tests or targets
	static   *Table
	source   *tableSource
}

// tableBase is what all versions of a table share.
type tableBase struct {
	name     string
	family   int
	schema   *rules.Schema
	words    int
	families families
	binder   *packet.Binder
}

const (
	pageBits = 6
	pageLen  = 1 << pageBits
)

// chainPage is a page of the chains of a table; nil where there is none.
type chainPage [pageLen]*chainVersion

// chainVersion is a version of a chain.
type chainVersion struct {
	name           string
	policy         rules.Verdict
	packets, bytes uint64 // that the policy's counters had in a file
	counter        uint32 // of the policy
	edited         bool   // its rules were
	seq            *sequence[rules.Action]
}

// noChain is in the place of chains that there are not.
var noChain = &chainVersion{seq: &sequence[rules.Action]{short: true}}

// chain returns the chain of a number.
func (t *TableSnapshot) chain(number int32) *chainVersion {
	if p := int(number) >> pageBits; uint(p) < uint(len(t.pages)) {
		if c := t.pages[p][number%pageLen]; c != nil {
			return c
		}
	}
	return noChain
}

// Name returns the name of the table.
func (t *TableSnapshot) Name() string { return t.name }

// Family returns the family of the table's packets, 4 or 6; 0 for both.
func (t *TableSnapshot) Family() int { return t.family }

// Schema returns the schema of the rules and keys.
func (t *TableSnapshot) Schema() *rules.Schema { return t.schema }

// Chains returns the number of chains, those that were deleted and whose numbers
// are free included.
func (t *TableSnapshot) Chains() int { return t.chains }

// Len returns the number of rules.
func (t *TableSnapshot) Len() int { return t.rules }

// ChainInfo is what is to be said of a chain besides its rules.
type ChainInfo struct {
	Name   string        // "" for a number that no chain has
	Policy rules.Verdict // NoVerdict for a chain without a policy
	Rules  int
}

// Chain returns what is to be said of the chain of a number.
func (t *TableSnapshot) Chain(number int) ChainInfo {
	c := t.at(number)
	return ChainInfo{Name: c.name, Policy: c.policy, Rules: c.seq.len()}
}

func (t *TableSnapshot) at(number int) *chainVersion {
	if number < 0 || number >= t.chains {
		return noChain
	}
	return t.chain(int32(number))
}

// Find returns the number of the chain with the name, or -1. It takes time in
// proportion to the chains.
func (t *TableSnapshot) Find(name string) int {
	for p, page := range t.pages {
		for i, c := range page {
			if c != nil && c.name == name {
				return p<<pageBits | i
			}
		}
	}
	return -1
}

// Rule returns the rule at a place, nil when there is none. It must not be
// changed. It takes about a microsecond.
func (t *TableSnapshot) Rule(at rules.Place) *rules.Rule[rules.Action] {
	seq := t.at(at.Chain).seq
	if at.Rule < 0 || at.Rule >= seq.len() {
		return nil
	}
	return seq.ruleAt(at.Rule)
}

// Inlined reports whether the table has its fast form, for which chains are
// copied into those that jump to them. See LiveTables.
func (t *TableSnapshot) Inlined() bool { return t.static != nil }

// Bytes returns the memory of the structure, not that of the rules themselves. It
// takes time in proportion to the rules.
func (t *TableSnapshot) Bytes() int64 {
	var n int64
	for _, p := range t.pages {
		n += 8 * pageLen
		for _, c := range p {
			if c != nil {
				n += c.seq.bytes()
			}
		}
	}
	if t.static != nil {
		n += int64(t.static.Stats().Bytes())
	}
	return n
}

// Evaluate sends a packet through the table from the chain of the number entry,
// and returns what rules.Table.Evaluate does for the table as it was at that
// moment. From a chain that there is not it returns NoVerdict. It allocates
// nothing unless jumps nest deeper than 16, or a packet finds more than 16 rules
// in one chain.
func (t *TableSnapshot) Evaluate(k rules.Key, entry int) rules.Result {
	return t.Trace(k, entry, nil)
}

// Trace is Evaluate, and calls executed for every rule executed, in order, the
// deciding one included. It allocates.
func (t *TableSnapshot) Trace(k rules.Key, entry int, executed func(rules.Place)) rules.Result {
	return t.evaluate(k, entry, executed, nil)
}

// evaluate is Trace; r counts, unless it is nil.
func (t *TableSnapshot) evaluate(k rules.Key, entry int, executed func(rules.Place), r *TablesReader) rules.Result {
	if len(k) != t.words || uint(entry) >= uint(t.chains) || !t.shape.Admits(k) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	if t.static != nil && r == nil {
		return t.static.Trace(k, entry, executed)
	}
	if t.cut(k) {
		return t.walk(rules.KeyOnly(slices.Clone(k)), entry, executed, r)
	}
	w := liveWalk{TableSnapshot: t, executed: executed, reader: r}
	return w.run(k, nil, entry)
}

// Run is rules.Table.Run: Evaluate for a packet of which more than its key is
// known, with all that tests ask and targets do. executed may be nil. A packet
// that lacks fields (rules.Partial), or that is cut inside a header that a rule
// reads, walks the chains, in time in proportion to the rules, the first one of a
// version of all the table's rules.
func (t *TableSnapshot) Run(s rules.Subject, entry int, executed func(rules.Place)) rules.Result {
	return t.run(s, entry, executed, nil)
}

// run is Run; r counts, unless it is nil.
func (t *TableSnapshot) run(s rules.Subject, entry int, executed func(rules.Place), r *TablesReader) rules.Result {
	if uint(entry) >= uint(t.chains) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	if t.static != nil && r == nil {
		return t.static.Run(s, entry, executed)
	}
	if !s.Enters(t.shape) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	k := s.Key()
	if rules.Lacks(s) || t.cut(k) {
		return t.walk(s, entry, executed, r)
	}
	w := liveWalk{TableSnapshot: t, executed: executed, reader: r}
	return w.run(k, s, entry)
}

// walk walks the chains rule by rule.
func (t *TableSnapshot) walk(s rules.Subject, entry int, executed func(rules.Place), r *TablesReader) rules.Result {
	if r != nil {
		return r.source(t, s, entry, executed)
	}
	return t.numbered().Run(s, entry, executed)
}

// EvaluatePacket is Evaluate for a decoded packet. A packet whose addresses the
// schema cannot hold gets NoVerdict.
func (t *TableSnapshot) EvaluatePacket(p *packet.Packet, entry int) rules.Result {
	var buf [rules.MaxKeyWords]uint32
	k := rules.Key(buf[:t.words])
	if !t.binder.Key(p, k) {
		return rules.Result{By: rules.Place{Chain: entry, Rule: -1}}
	}
	return t.Evaluate(k, entry)
}

// cut reports whether a packet is cut inside a header that a rule may read.
func (t *TableSnapshot) cut(k rules.Key) bool { return t.demands > 0 && t.schema.Hotdrop(k) != 0 }
