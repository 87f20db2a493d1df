package hipac

// Chains compiled, not walked. Where a chain may be copied into the one that
// jumps to it, each of its rules becomes an entry that asks for the jump's
// conditions and its own, their real intersection, so that one lookup finds
// the deciding rule however deep it stands:
//
//	-A FORWARD -i lan+ -j office         rank 0  counts    iif=lan+
//	-A office -p tcp --dport 25 -j DROP  rank 1  decides   iif=lan+ proto=tcp dport=25
//	-A office -d 10.0.0.0/8 -j RETURN    rank 2  to 4      iif=lan+ dst=10.0.0.0/8
//	-A office -j ACCEPT                  rank 3  decides   iif=lan+
//	-A FORWARD -j DROP                   rank 4  decides
//
// A unit is such a list with all that was copied into it, ranked in the order
// in which a walk would meet the rules. A RETURN leads to the rank behind the
// copy that it stands in; behind a copied goto stands an entry without a rule
// that leads there too.
//
// A jump stays a call, to a unit of its own, where copying could give another
// answer - it has tests, which are asked once and not for every rule behind
// it, or the chain changes a field that the jump asks for - and where the
// chain has many callers and copies would make the table more than about twice
// as large.

import (
	"github.com/hipac-go/classifier/rules"
)

// entry is a rule at its place in a unit.
type entry struct {
	chain int32
	rule  int32 // position in the chain; endOfGoto for the entry behind one
	// next is the rank that a Return leads to, or where evaluation goes on
	// behind the chain of a goto; returned when the unit ends there. Of a jump or
	// goto whose chain is copied it is the rank behind the copy.
	next uint32
}

// action is what an entry does, small enough that those of 100,000 lie in a
// cache, where the rules themselves do not: bits 0-3 a rules.ActionKind, or
// decides plus a rules.Verdict.
type action uint8

const (
	decides action = 4
	what    action = 15
	// hasMore marks entries whose rule has tests, a target or something unknown.
	hasMore action = 1 << 4
	// isCopied marks jumps and gotos whose chain stands right behind them.
	isCopied action = 1 << 5
)

func actionOf(r *rules.Rule[rules.Action], copied bool) action {
	a := action(r.Value.Kind)
	switch r.Value.Kind {
	case rules.Decide:
		a = decides + action(r.Value.Verdict)
	case rules.Jump:
		a = 1
	case rules.Goto:
		a = 2
	case rules.Return:
		a = 3
	}
	if r.Unknown != "" || !r.Value.Ext.Plain() {
		a |= hasMore
	}
	if copied {
		a |= isCopied
	}
	return a
}

// kind returns what the rule does.
func (a action) kind() rules.ActionKind { return kinds[min(a&what, decides)] }

var kinds = [...]rules.ActionKind{rules.Pass, rules.Jump, rules.Goto, rules.Return, rules.Decide}

// verdict returns that of an entry that decides.
func (a action) verdict() rules.Verdict { return rules.Verdict(a&what - decides) }

const endOfGoto = -1

// unit is a chain compiled with the chains that are copied into it.
type unit struct {
	from, to uint32 // its ranks; empty for a chain that has no unit
	decide   roots  // the entries that change the flow
	pass     roots  // those that only count
	compiled bool
	copies   bool // not every entry is the rule of the unit's own chain at its rank
}

// layout says which chains are copied and which are units, and ranks the
// entries of all units.
type layout struct {
	t       *rules.Table
	copied  []bool   // by chain: copied wherever that is right
	writes  []uint32 // by chain: the fields that its rules, and those they lead to, may change
	units   []unit   // by chain
	entries []entry
	actions []action       // by rank
	under   []int32        // by rank: index in jumps of the conditions of the jumps above
	jumps   [][]rules.Cond // conditions of jumps into copies, with those of the jumps above
	joined  []rules.Cond   // scratch of conds
	passes  []bool         // by rank: the entry only counts
	hides   []bool         // by rank: no packet that it matches gets to a later entry of the unit
	pending []uint32       // ranks whose next is behind a copy that is being placed
}

// spareEntries is how many entries copies may add to a small table.
const spareEntries = 1024

// copyDepth is how deep copies may stand in one another: an entry has the
// conditions of all jumps above it, and a lookup less per level is little
// beyond that.
const copyDepth = 16

// layOut lays out a table of which no chain that packets come to leads back to
// itself. Without copies every such chain is a unit.
func layOut(t *rules.Table, copies bool) *layout {
	n := len(t.Chains)
	l := &layout{t: t, copied: make([]bool, n), writes: make([]uint32, n), units: make([]unit, n), jumps: [][]rules.Cond{nil}}
	order := callees(t)
	l.findWrites(order)
	if copies {
		l.choose(order)
	}
	called, copied := make([]bool, n), make([]bool, n)
	for i := range t.Chains {
		for _, r := range t.Chains[i].Rules.All() {
			switch {
			case !leads(r):
			case l.copies(r):
				copied[r.Value.Chain] = true
			default:
				called[r.Value.Chain] = true
			}
		}
	}
	for i, reached := range reachable(t) {
		if !reached || t.Chains[i].Policy == rules.NoVerdict && copied[i] && !called[i] {
			continue
		}
		u := &l.units[i]
		u.from = uint32(len(l.entries))
		l.place(i, 0, returned, false)
		u.to = uint32(len(l.entries))
		l.unhide(u, l.writes[i])
		u.compiled, u.copies = true, int(u.to-u.from) != t.Chains[i].Rules.Len()
	}
	return l
}

// unhide takes back that entries of a unit hide later ones where they ask for a
// field that rules of the unit write: a packet that did not match may have
// become one that does.
func (l *layout) unhide(u *unit, writes uint32) {
	if writes == 0 {
		return
	}
	for rank := u.from; rank < u.to; rank++ {
		conds := l.conds(rank)
		for i := range conds {
			if writes>>conds[i].Field()&1 != 0 {
				l.hides[rank] = false
				break
			}
		}
	}
}

// reachable says of each chain whether packets come to it.
func reachable(t *rules.Table) []bool {
	reached := make([]bool, len(t.Chains))
	todo := t.Roots()
	for _, c := range todo {
		reached[c] = true
	}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, r := range t.Chains[c].Rules.All() {
			if leads(r) && !reached[r.Value.Chain] {
				reached[r.Value.Chain] = true
				todo = append(todo, r.Value.Chain)
			}
		}
	}
	return reached
}

// leads reports whether the rule leads to another chain.
func leads(r *rules.Rule[rules.Action]) bool {
	return r.Value.Kind == rules.Jump || r.Value.Kind == rules.Goto
}

// copies reports whether the chain that rule r leads to is copied to its place.
func (l *layout) copies(r *rules.Rule[rules.Action]) bool {
	return l.copied[r.Value.Chain] && l.copyable(r)
}

// copyable reports whether copying the chain that r leads to gives the same
// answers.
func (l *layout) copyable(r *rules.Rule[rules.Action]) bool {
	if !leads(r) || !r.Value.Ext.Plain() || r.Unknown != "" {
		return false
	}
	writes := l.writes[r.Value.Chain]
	for i := range r.Conds {
		if writes>>r.Conds[i].Field()&1 != 0 {
			return false
		}
	}
	return true
}

// callees returns the chains in an order in which each comes behind those that
// it leads to.
func callees(t *rules.Table) []int {
	order := make([]int, 0, len(t.Chains))
	seen := make([]bool, len(t.Chains))
	type frame struct{ chain, rule int }
	for root := range t.Chains {
		if seen[root] {
			continue
		}
		seen[root] = true
		stack := []frame{{root, 0}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			list := t.Chains[top.chain].Rules
			if top.rule == list.Len() {
				order = append(order, top.chain)
				stack = stack[:len(stack)-1]
				continue
			}
			r := list.At(top.rule)
			top.rule++
			if leads(r) && !seen[r.Value.Chain] {
				seen[r.Value.Chain] = true
				stack = append(stack, frame{r.Value.Chain, 0})
			}
		}
	}
	return order
}

// findWrites finds the fields that each chain may change for rules behind.
func (l *layout) findWrites(order []int) {
	for _, c := range order {
		for _, r := range l.t.Chains[c].Rules.All() {
			if e := r.Value.Ext; e != nil && (r.Value.Kind != rules.Decide || e.TestsChange()) {
				for _, name := range e.Writes {
					if f := l.t.Schema.Index(name); f >= 0 {
						l.writes[c] |= 1 << f
					}
				}
			}
			if leads(r) {
				l.writes[c] |= l.writes[r.Value.Chain]
			}
		}
	}
}

// choose chooses the chains that are copied: those with one caller, and small
// ones as long as all copies together stay below about the size of the table.
func (l *layout) choose(order []int) {
	total := 0
	callers := make([]int, len(l.t.Chains))
	for i := range l.t.Chains {
		total += l.t.Chains[i].Rules.Len()
		for _, r := range l.t.Chains[i].Rules.All() {
			if l.copyable(r) {
				callers[r.Value.Chain]++
			}
		}
	}
	left := max(total, spareEntries)
	size := make([]int, len(l.t.Chains))  // entries, copies included
	depth := make([]int, len(l.t.Chains)) // of copies
	for _, c := range order {
		n := 0
		for _, r := range l.t.Chains[c].Rules.All() {
			n++
			if leads(r) && l.copies(r) {
				n += size[r.Value.Chain] + 1
				depth[c] = max(depth[c], depth[r.Value.Chain]+1)
			}
		}
		size[c] = n
		if depth[c] >= copyDepth {
			continue
		}
		if l.t.Chains[c].Policy != rules.NoVerdict { // has a unit of its own besides
			callers[c]++
		}
		switch more := (callers[c] - 1) * n; {
		case callers[c] <= 1:
			l.copied[c] = true
		case more <= left/4:
			l.copied[c] = true
			left -= more
		}
	}
}

// place adds the entries of a chain, all of which ask for the conditions at under,
// and whose end leads to the rank behind. skipped says that some packets come
// to that rank past the entries from here on. The ranks of what leads behind a
// copy are set when they are known.
func (l *layout) place(chain int, under int32, behind uint32, skipped bool) {
	list := l.t.Chains[chain].Rules
	for i, r := range list.All() {
		copied := leads(r) && l.copies(r)
		kind := r.Value.Kind
		l.actions = append(l.actions, actionOf(r, copied))
		rank, next := len(l.entries), behind
		if copied {
			next = 0 // set below
		}
		l.add(entry{int32(chain), int32(i), next}, under, copied || onlyCounts(r), !skipped && ends(r, behind))
		if (kind == rules.Goto || kind == rules.Return) && behind != returned {
			skipped = true
		}
		switch {
		case copied && kind == rules.Jump:
			mark := len(l.pending)
			l.place(r.Value.Chain, l.below(under, r), pending, skipped)
			for _, p := range l.pending[mark:] {
				l.entries[p].next = uint32(len(l.entries))
			}
			l.pending = l.pending[:mark]
			l.entries[rank].next = uint32(len(l.entries))
		case copied:
			inside := l.below(under, r)
			l.place(r.Value.Chain, inside, behind, skipped)
			l.actions = append(l.actions, 3) // as a Return
			l.add(entry{int32(chain), endOfGoto, behind}, inside, false, behind == returned)
			l.entries[rank].next = uint32(len(l.entries))
		}
	}
}

func (l *layout) add(e entry, under int32, passes, hides bool) {
	if e.next == pending {
		l.pending = append(l.pending, uint32(len(l.entries)))
	}
	l.entries = append(l.entries, e)
	l.under = append(l.under, under)
	l.passes = append(l.passes, passes)
	l.hides = append(l.hides, hides)
}

// ends reports whether no packet that the rule matches gets to what stands
// behind it, when the end of its chain leads to the rank behind.
func ends(r *rules.Rule[rules.Action], behind uint32) bool {
	switch {
	case !r.Value.Ext.Plain(): // may not match after all
		return false
	case r.Unknown != "":
		return !r.Continue
	case r.Value.Kind == rules.Goto || r.Value.Kind == rules.Return:
		return behind == returned
	}
	return r.Value.Kind == rules.Decide
}

// pending is the rank behind a copy that is being placed.
const pending = returned - 1

// below adds the conditions of a jump that stands under others.
func (l *layout) below(under int32, r *rules.Rule[rules.Action]) int32 {
	if len(r.Conds) == 0 {
		return under
	}
	above := l.jumps[under]
	l.jumps = append(l.jumps, append(above[:len(above):len(above)], r.Conds...))
	return int32(len(l.jumps) - 1)
}

// conds returns all that the entry at a rank asks for. The slice is good until
// the next call.
func (l *layout) conds(rank uint32) []rules.Cond {
	e := &l.entries[rank]
	above := l.jumps[l.under[rank]]
	if e.rule == endOfGoto {
		return above
	}
	own := l.t.Chains[e.chain].Rules.At(int(e.rule)).Conds
	if len(above) == 0 {
		return own
	}
	l.joined = append(append(l.joined[:0], above...), own...)
	return l.joined
}
