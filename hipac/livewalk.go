package hipac

// Evaluation of tables under edit. Each chain is a list of its own, with its own
// tree; the walk asks the chain it is in for the next rule that matches and does
// more than count, as walk does for compiled tables, where nothing is copied
// into anything: rules come and go.
//
// Where a walk stands in a chain is a number: in a chain of few rules, which are
// compared one by one, the position, and in others the key in the tree.

import (
	"slices"

	"github.com/hipac-go/classifier/hipac/internal/tree"
	"github.com/hipac-go/classifier/rules"
)

// liveFrame is where evaluation of a chain stands.
type liveFrame struct {
	chain  *chainVersion
	number int32
	found  int32  // rules on this visit
	next   uint32 // where the next rule may be
	ahead  int32  // 1 + index in liveWalk.lists, 0 for none
	deep   int32  // chains that led to this one
}

// liveWalk is an evaluation under way.
type liveWalk struct {
	*TableSnapshot
	executed func(rules.Place) // or nil
	reader   *TablesReader     // that counts, or nil
	finds    int               // rules found
	scanning bool              // from here on, see manyFinds
	lists    [][]uint32        // rules that match and do more than count, of some visits
	passing  *passing
}

// passing is the rules that only count and match, by chain.
type passing struct {
	lists map[int32][]uint32
	all   []uint32 // for the lists
	room  []uint32 // what is left of it
	used  int      // in all lists
}

// clear forgets the lists.
func (p *passing) clear() {
	clear(p.lists)
	if p.used > len(p.all) {
		p.all = make([]uint32, 2*p.used)
	}
	p.room, p.used = p.all, 0
}

// of returns the list of a chain.
func (p *passing) of(number int32, seq *sequence[rules.Action], k rules.Key) []uint32 {
	list, ok := p.lists[number]
	if ok {
		return list
	}
	list = slices.Clip(seq.found(k, p.room[:0], true, false))
	p.room = p.room[min(len(list), len(p.room)):]
	p.used += len(list)
	p.lists[number] = list
	return list
}

// run walks the chains; s is nil when only the key is known.
func (w *liveWalk) run(k rules.Key, s rules.Subject, entry int) rules.Result {
	if w.reader != nil {
		w.passing = &w.reader.passing
		w.passing.clear()
	}
	var buf [16]liveFrame
	stack := buf[:0]
	at := w.enter(int32(entry))
	for {
		x, a := w.next(k, &at)
		if a == nil {
			if len(stack) == 0 {
				c := w.chain(int32(entry))
				if w.reader != nil {
					w.reader.count(c.counter)
				}
				return rules.Result{Verdict: c.policy, By: rules.Place{Chain: entry, Rule: -1}}
			}
			at = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			continue
		}
		from := at // the frame of the rule
		at.next = x + 1
		at.found++
		if w.finds++; w.finds == manyFinds {
			w.scanning = true
		}
		do := &a.rule.Value
		switch {
		case do.Ext.Plain():
			w.report(&from, x, a)
			if a.rule.Unknown != "" {
				return rules.Result{Verdict: rules.Unknown, By: w.place(&from, x), Needs: a.rule.Unknown}
			}
		default:
			if s == nil {
				s = rules.KeyOnly(slices.Clone(k))
			}
			result, end, on := w.extended(a, s, &from, x)
			if end {
				return result
			}
			if do.Ext.Changes() {
				k = s.Key()
				w.forget(stack, &at)
			}
			if !on {
				continue
			}
		}
		switch do.Kind {
		case rules.Decide:
			return rules.Result{Verdict: do.Verdict, By: w.place(&from, x)}
		case rules.Jump, rules.Goto:
			if do.Kind == rules.Jump {
				stack = append(stack, at)
			}
			deep := at.deep + 1
			at = w.enter(int32(do.Chain))
			if at.deep = deep; int(deep) > w.chains { // a loop, of chains that no root leads to
				return rules.Result{Verdict: rules.Unknown, By: rules.Place{Chain: do.Chain, Rule: -1}, Needs: "an end: the chain is reached from itself"}
			}
		case rules.Return:
			at.next = returned
		}
	}
}

// extended is walk.extended for the rule at x.
func (w *liveWalk) extended(a *member[rules.Action], s rules.Subject, at *liveFrame, x uint32) (result rules.Result, end, on bool) {
	r := a.rule
	outcome, needs := r.Value.Ext.Outcome(r, s)
	switch outcome {
	case rules.No:
		return result, false, false
	case rules.DropNow:
		return rules.Result{Verdict: rules.Drop, By: w.place(at, x), Dropped: true}, true, false
	}
	w.report(at, x, a)
	return apply(r, s, w.place(at, x), outcome, needs)
}

func (w *liveWalk) enter(chain int32) liveFrame {
	return liveFrame{chain: w.chain(chain), number: chain}
}

// place returns the place of a rule of the chain.
func (w *liveWalk) place(at *liveFrame, x uint32) rules.Place {
	p := rules.Place{Chain: int(at.number), Rule: int(x)}
	if seq := at.chain.seq; !seq.short {
		p.Rule = seq.order.Position(x >> 1)
	}
	return p
}

// reports says whether anybody wants to know what is executed.
func (w *liveWalk) reports() bool { return w.executed != nil || w.reader != nil }

// report reports a rule as executed.
func (w *liveWalk) report(at *liveFrame, x uint32, a *member[rules.Action]) {
	if w.executed != nil {
		w.executed(w.place(at, x))
	}
	if w.reader != nil {
		w.reader.count(a.counter)
	}
}

// next returns the next rule that matches and does more than count, and where it
// is; nil for none. It reports the rules that only count on the way.
func (w *liveWalk) next(k rules.Key, at *liveFrame) (uint32, *member[rules.Action]) {
	if at.next == returned {
		return 0, nil
	}
	seq := at.chain.seq
	if seq.short {
		for i := int(at.next); i < len(seq.few); i++ {
			switch m := seq.few[i]; {
			case !m.rule.Matches(seq.schema, k):
			case !m.pass:
				return uint32(i), m
			case w.reports():
				w.report(at, uint32(i), m)
			}
		}
		return 0, nil
	}
	if w.scanning {
		return w.scan(k, at)
	}
	x := w.ahead(k, at)
	if w.reports() && seq.continues() {
		w.passed(k, at, x)
	}
	if x == tree.NoMatch {
		return 0, nil
	}
	return x, seq.member(x)
}

// ahead finds the next rule by a lookup, or, when there have been many on this
// visit, in a list of all that match.
func (w *liveWalk) ahead(k rules.Key, at *liveFrame) uint32 {
	seq := at.chain.seq
	if at.ahead == 0 {
		if at.found < manyFound {
			if at.next == 0 {
				return seq.firstKey(k)
			}
			return seq.tree.FirstFrom(seq.root(&seq.roots.decide, k), k, at.next)
		}
		w.lists = append(w.lists, seq.found(k, nil, false, true))
		at.ahead = int32(len(w.lists))
	}
	list := w.lists[at.ahead-1]
	if i, _ := slices.BinarySearch(list, at.next); i < len(list) {
		return list[i]
	}
	return tree.NoMatch
}

// scan is next by looking at one rule after the other.
func (w *liveWalk) scan(k rules.Key, at *liveFrame) (uint32, *member[rules.Action]) {
	for x, m := range at.chain.seq.from(at.next) {
		switch {
		case !m.rule.Matches(at.chain.seq.schema, k):
		case !m.pass:
			return x, m
		case w.reports():
			w.report(at, x, m)
		}
	}
	return 0, nil
}

// passed reports the rules that only count, from where evaluation stands up to
// the one before.
func (w *liveWalk) passed(k rules.Key, at *liveFrame, before uint32) {
	if w.passing == nil {
		w.passing = &passing{lists: map[int32][]uint32{}}
	}
	found := w.passing.of(at.number, at.chain.seq, k)
	i, _ := slices.BinarySearch(found, at.next)
	for _, x := range found[i:] {
		if x >= before {
			break
		}
		w.report(at, x, at.chain.seq.member(x))
	}
}

// forget drops the lists of matching rules that were made before the packet
// changed.
func (w *liveWalk) forget(stack []liveFrame, at *liveFrame) {
	if len(w.lists) > 0 {
		w.scanning = true // lists would have to be made again and again
	}
	w.lists = w.lists[:0]
	if w.passing != nil {
		w.passing.clear()
	}
	at.ahead = 0
	for i := range stack {
		stack[i].ahead = 0
	}
}
