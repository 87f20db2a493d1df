package hipac

// A version of a table under edit as a rules.Table: inside, with the numbers of
// the chains as indexes, and for callers without the numbers that no chain has.

import (
	"sync"

	"github.com/hipac-go/classifier/rules"
)

// tableSource is a version as a rules.Table, made when it is wanted.
type tableSource struct {
	once, onceNumbered sync.Once
	table, byNumber    *rules.Table
}

// numbered returns the table with the numbers of the chains as indexes: a number
// that no chain has is an empty chain without a name.
func (t *TableSnapshot) numbered() *rules.Table {
	t.source.onceNumbered.Do(func() {
		out := &rules.Table{Name: t.name, Family: t.family, Schema: t.schema, Chains: make([]rules.Chain, t.chains)}
		for i := range out.Chains {
			c := t.chain(int32(i))
			out.Chains[i] = rules.Chain{Name: c.name, Policy: c.policy, Packets: c.packets, Bytes: c.bytes}
			if c == noChain {
				out.Chains[i].Rules = rules.NewBuilder[rules.Action](t.schema).List()
			} else {
				out.Chains[i].Rules = c.seq.list()
			}
		}
		t.source.byNumber = out
	})
	return t.source.byNumber
}

// Source returns the table as a rules.Table, in the order of the chains' numbers.
// Numbers that no chain has are left out: the index of a chain is its number less
// those before it, and Action.Chain is an index. Action.Number counts the rules of
// a chain that was edited from 1, by position; those that one rule of a file
// became still share a number. Identities are those of the live rules. It takes
// time and memory in proportion to the rules once for a version. It must not be
// changed.
func (t *TableSnapshot) Source() *rules.Table {
	t.source.once.Do(func() {
		from := t.numbered()
		indexes := make([]int, len(from.Chains)) // by number
		chains := 0
		for i := range from.Chains {
			if indexes[i] = chains; t.chain(int32(i)) != noChain {
				chains++
			}
		}
		out := &rules.Table{Name: t.name, Family: t.family, Schema: t.schema, Chains: make([]rules.Chain, 0, chains)}
		for i := range from.Chains {
			live := t.chain(int32(i))
			if live == noChain {
				continue
			}
			c := from.Chains[i]
			c.Rules = sourceRules(c.Rules, indexes, live.edited)
			out.Chains = append(out.Chains, c)
		}
		t.source.table = out
	})
	return t.source.table
}

// sourceRules returns the list with the indexes of the chains that rules lead to,
// and for a chain that was edited with numbers by position; itself when it has
// them.
func sourceRules(l *rules.List[rules.Action], indexes []int, edited bool) *rules.List[rules.Action] {
	var numbers []int
	if edited {
		numbers = numbersOf(l)
	}
	same := true
	for i, r := range l.All() {
		if leads(r) && indexes[r.Value.Chain] != r.Value.Chain || edited && numbers[i] != r.Value.Number {
			same = false
			break
		}
	}
	if same {
		return l
	}
	return rewritten(l, func(i int, r *rules.Rule[rules.Action]) {
		renumber(r, indexes)
		if edited {
			r.Value.Number = numbers[i]
		}
	})
}

// numbersOf returns the numbers of the rules of a chain from 1, by position. The
// pieces that a rule of a file became have one, as long as they follow each other.
func numbersOf(l *rules.List[rules.Action]) []int {
	numbers := make([]int, l.Len())
	var last *rules.Rule[rules.Action]
	n := 0
	for i, r := range l.All() {
		if last == nil || !r.Value.Piece || r.ID != last.ID+1 || r.Value.Number != last.Value.Number {
			n++
		}
		numbers[i], last = n, r
	}
	return numbers
}
