// Package relations holds metamorphic relations: changes of a list of rules that
// must change no answer, or only in a known way. They find faults without an
// oracle, also those that the linear matcher would share. Each is a function from
// a seed to a pass or a difference; see All.
//
// T. Y. Chen, S. C. Cheung, S. M. Yiu: Metamorphic Testing: A New Approach for
// Generating Next Test Cases, HKUST-CS98-01, 1998.
package relations

import (
	"fmt"
	"math/rand/v2"

	"github.com/hipac-go/classifier/fuzz/ways"
	"github.com/hipac-go/classifier/rules"
)

// Report says what was compared.
type Report struct {
	Cases       int // pairs of lists
	Changes     int // rules, fields or edits that were changed between the two
	Packets     int
	Hits        int // packets that a rule matches first
	Misses      int
	Comparisons int // answers compared
}

// Add adds another report.
func (r *Report) Add(o Report) {
	r.Cases += o.Cases
	r.Changes += o.Changes
	r.Packets += o.Packets
	r.Hits += o.Hits
	r.Misses += o.Misses
	r.Comparisons += o.Comparisons
}

// Relation is a metamorphic relation.
type Relation struct {
	Name string
	// Check draws a list of about size rules and packets by a seed, changes the
	// list, and compares the answers before and after. The error is the first
	// difference, with the seed and the size; the same ones find it again. It is
	// safe for concurrent use, and takes some milliseconds for 40 rules.
	Check func(seed uint64, size int) (Report, error)
	// CheckWrapped is Check with all ways replaced by what wrap makes of them.
	CheckWrapped func(seed uint64, size int, wrap func(ways.Way) ways.Way) (Report, error)
	// CheckOn is CheckWrapped with lists that are parts of one, where the relation is
	// about lists of its schema; nil is any list.
	CheckOn func(seed uint64, size int, from *rules.List[int], wrap func(ways.Way) ways.Way) (Report, error)
}

// All returns all relations.
func All() []Relation {
	return []Relation{
		relation("rules that do not overlap change places", swap),
		relation("a hidden rule is inserted", hide),
		relation("rules are inserted and deleted", insertAndDelete),
		relation("rules are inserted in any order", insertInAnyOrder),
		relation("a rule is split in two", split),
		relation("a rule is widened", widen),
		relation("IPv4 addresses are mapped to IPv6", mapAddresses),
		relation("fields change places, with a new one among them", moveFields),
		relation("a list is written and read again", readAgain),
		relation("a classifier is saved and loaded", saveAndLoad),
		relation("options differ", differInOptions),
		relation("batches differ", differInBatches),
		relation("one worker or many", differInWorkers),
	}
}

// trial is one check of a relation.
type trial struct {
	r      *rand.Rand
	seed   uint64
	size   int
	from   *rules.List[int] // lists are parts of it; nil: of none
	wrap   func(ways.Way) ways.Way
	report Report
}

func relation(name string, check func(t *trial) error) Relation {
	on := func(seed uint64, size int, from *rules.List[int], wrap func(ways.Way) ways.Way) (Report, error) {
		t := &trial{r: rand.New(rand.NewPCG(seed, 0x7e1a)), seed: seed, size: max(size, 1), from: from, wrap: wrap}
		if err := check(t); err != nil {
			return t.report, fmt.Errorf("%s: seed %d, size %d: %w", name, seed, size, err)
		}
		return t.report, nil
	}
	return Relation{
		Name:  name,
		Check: func(seed uint64, size int) (Report, error) { return on(seed, size, nil, same) },
		CheckWrapped: func(seed uint64, size int, wrap func(ways.Way) ways.Way) (Report, error) {
			return on(seed, size, nil, wrap)
		},
		CheckOn: on,
	}
}

func same(w ways.Way) ways.Way { return w }

// some returns some of the ways: the tree, the index now and then, and two more.
func (t *trial) some() []ways.Way {
	all := ways.All()
	out := []ways.Way{all[1], all[1+t.r.IntN(len(all)-1)], all[1+t.r.IntN(len(all)-1)]}
	for i := range out {
		out[i] = t.wrap(out[i])
	}
	return out
}

// answers returns what a way answers about a list.
func (t *trial) answers(w ways.Way, l *rules.List[int], keys []uint32) (*ways.Answers, error) {
	a, err := w.Build(l)
	if err != nil {
		return nil, err
	}
	return ways.Ask(l.Schema(), a, keys, true), nil
}

// count counts the answers of a list before it is changed.
func (t *trial) count(a *ways.Answers) {
	hits := a.Matched()
	t.report.Cases++
	t.report.Packets += len(a.First)
	t.report.Hits += hits
	t.report.Misses += len(a.First) - hits
}

// equal requires that each of some ways answers the same about two lists. The
// keys are those of the packets for each; forget, not None, is a value that the
// answers about the second list may have besides among all matches.
func (t *trial) equal(a, b *rules.List[int], keysA, keysB []uint32, forget int) error {
	for _, w := range t.some() {
		before, err := t.answers(w, a, keysA)
		if err != nil {
			return err
		}
		after, err := t.answers(w, b, keysB)
		if err != nil {
			return err
		}
		if forget != ways.None {
			for i := range after.All {
				after.All[i] = without(after.All[i], forget)
			}
		}
		t.count(before)
		n, err := after.Compare(w.Name, b.Schema(), keysB, before)
		t.report.Comparisons += n
		if err != nil {
			return err
		}
	}
	return nil
}

func without(values []int, v int) []int {
	out := values[:0]
	for _, x := range values {
		if x != v {
			out = append(out, x)
		}
	}
	return out
}
