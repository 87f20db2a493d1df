package hipac

// Loops and limits of tables under edit. rules.Table.Check looks at all rules;
// here each chain knows which others its rules lead to, so that a check looks at
// chains and what leads from one to another, and only at commits after which the
// answer could be another one.

import (
	"fmt"
	"math"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// calls are the chains that the rules of a chain lead to, by number, and how many
// rules do.
type calls []call

type call struct {
	to *chainState
	n  int32
}

// lead notes that n more rules of the chain lead to another one.
func (c *chainState) lead(to *chainState, n int32) {
	to.callers += int(n)
	i, found := slices.BinarySearchFunc(c.calls, to.number, func(x call, number int32) int { return int(x.to.number - number) })
	if !found {
		c.calls = slices.Insert(c.calls, i, call{to: to})
	}
	if c.calls[i].n += n; c.calls[i].n == 0 {
		if c.calls = slices.Delete(c.calls, i, i+1); len(c.calls) == 0 {
			c.calls = nil
		}
	}
}

// walks is what is known of the ways of packets through the chains of a table:
// bounds, which edits keep up as long as that is cheap.
type walks struct {
	unknown bool  // all chains are to be looked at
	longest int64 // no packet may meet more rules
	depth   int32 // no chains nest deeper
}

// ways is what is known of the ways to a chain.
type ways struct {
	paths int64 // number of ways from roots, exactly; 0 for a chain that no packet comes to
	level int32 // chains on the longest of them, this one included, or more

	// Scratch of follow.
	visit uint64
	delta int64
	walk  int64
}

// Where counts stop, and no edit keeps them up.
const most = math.MaxInt32

// mostVisits is how many chains and calls an edit looks at to keep up what is
// known of ways. Beyond, the commit looks at all chains.
const mostVisits = 512

// follow keeps up what is known when n rules of chain c more, or less, lead to
// another one. Those that do are noted already.
func (s *tableState) follow(c, to *chainState, n int32) {
	w := &s.walks
	if w.unknown || c.paths == 0 {
		return
	}
	list, ok := s.below(c, to)
	if !ok {
		w.unknown = true
		return
	}
	if n > 0 {
		for _, x := range list {
			x.walk = int64(x.rules)
			for _, y := range x.calls {
				x.walk = min(x.walk+int64(y.n)*y.to.walk, most)
			}
			x.delta = 0
		}
		w.longest = min(w.longest+min(int64(n)*c.paths, most)*to.walk, most)
		to.level = max(to.level, c.level+1)
	}
	to.delta = int64(n) * c.paths
	for _, x := range slices.Backward(list) {
		x.paths += x.delta
		if x.paths < 0 || x.paths > most {
			w.unknown = true
			return
		}
		w.depth = max(w.depth, x.level)
		for _, y := range x.calls {
			y.to.delta += x.delta * int64(y.n)
			if n > 0 {
				y.to.level = max(y.to.level, x.level+1)
			}
		}
	}
}

// below returns a chain behind all that it leads to, in an order in which each
// comes behind those that it leads to. It reports false when they are too many, or
// lead round in a loop or to c.
func (s *tableState) below(c, to *chainState) ([]*chainState, bool) {
	s.visits += 3
	active, done := s.visits-1, s.visits
	visited := 0
	ok := c != to
	c.visit = active
	list := s.list[:0]
	var enter func(x *chainState)
	enter = func(x *chainState) {
		if visited += 1 + len(x.calls); visited > mostVisits {
			ok = false
		}
		x.visit, x.delta = active, 0
		for _, y := range x.calls {
			switch {
			case !ok || y.to.visit == done:
			case y.to.visit == active:
				ok = false
			default:
				enter(y.to)
			}
		}
		x.visit = done
		list = append(list, x)
	}
	if ok {
		enter(to)
	}
	s.list = list
	return list, ok
}

// checkLimits reports the first limit that the table exceeds.
func (s *tableState) checkLimits(l rules.Limits) error {
	if n := min(l.MaxRules, maxRules); s.rules > n {
		return fmt.Errorf("table %s: %w: %d rules, at most %d", s.name, rules.ErrLimit, s.rules, n)
	}
	if n := len(s.names); n > l.MaxChains {
		return fmt.Errorf("table %s: %w: %d chains, at most %d", s.name, rules.ErrLimit, n, l.MaxChains)
	}
	if w := &s.walks; !w.unknown && w.longest <= int64(min(l.MaxWalk, maxRules)) && int(w.depth) <= l.MaxDepth {
		return nil
	}
	return s.checkWalks(l)
}

// roots returns the chains that packets enter at, as rules.Table.Roots.
func (s *tableState) roots() []*chainState {
	var with, all []*chainState
	for _, c := range s.chains {
		if c == nil {
			continue
		}
		if all = append(all, c); c.policy != rules.NoVerdict {
			with = append(with, c)
		}
	}
	if with == nil {
		return all
	}
	return with
}

// checkWalks looks at all chains that packets come to, and finds what there is to
// know of ways. It takes about a tenth of a microsecond for each chain.
func (s *tableState) checkWalks(l rules.Limits) error {
	s.walks = walks{unknown: true}
	longest := int64(min(l.MaxWalk, maxRules))
	var over error // of a limit; loops come first
	const (
		unseen = iota
		active
		done
	)
	n := len(s.chains)
	state := make([]uint8, n)
	depth := make([]int32, n) // chains below, this one included
	walk := make([]int64, n)  // rules that a packet may meet from here
	order := make([]*chainState, 0, n)
	type visit struct {
		c     *chainState
		leave bool
	}
	var stack []visit
	roots := s.roots()
	for _, root := range roots {
		stack = append(stack, visit{c: root})
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			c, i := v.c, v.c.number
			if v.leave {
				state[i] = done
				depth[i], walk[i] = 1, int64(c.rules)
				for _, x := range c.calls {
					depth[i] = max(depth[i], depth[x.to.number]+1)
					walk[i] = min(walk[i]+int64(x.n)*walk[x.to.number], most)
				}
				switch {
				case over != nil:
				case int(depth[i]) > l.MaxDepth:
					over = fmt.Errorf("table %s: chain %s nests %d chains: %w: at most %d", s.name, c.name, depth[i], rules.ErrLimit, l.MaxDepth)
				case walk[i] > longest:
					over = fmt.Errorf("table %s: chain %s: a packet could meet %d rules or more: %w: at most %d", s.name, c.name, walk[i], rules.ErrLimit, longest)
				}
				order = append(order, c)
				continue
			}
			if state[i] != unseen {
				continue
			}
			state[i] = active
			stack = append(stack, visit{c, true})
			for _, x := range c.calls {
				switch state[x.to.number] {
				case active:
					return s.loop(c, x.to)
				case unseen:
					stack = append(stack, visit{c: x.to})
				}
			}
		}
	}
	if over != nil {
		return over
	}
	w := walks{}
	for _, c := range s.chains {
		if c != nil {
			c.paths, c.level = 0, 0
		}
	}
	for _, c := range roots {
		w.longest = max(w.longest, walk[c.number])
		c.paths, c.level = 1, 1
	}
	for _, c := range slices.Backward(order) {
		w.depth = max(w.depth, c.level)
		w.unknown = w.unknown || c.paths == most
		for _, x := range c.calls {
			to := x.to
			to.level = max(to.level, c.level+1)
			to.paths = min(to.paths+min(c.paths*int64(x.n), most), most)
		}
	}
	s.walks = w
	return nil
}

// loop returns the error for a rule of a chain that leads to one above it.
func (s *tableState) loop(c, to *chainState) error {
	at := 0
	for i := range c.rules {
		var r *rules.Rule[rules.Action]
		if c.list == nil {
			r = c.from.At(i)
		} else {
			r = c.list.ruleAt(i)
		}
		if leads(r) && r.Value.Chain == int(to.number) {
			at = i + 1
			break
		}
	}
	return fmt.Errorf("table %s: chain %s: rule %d: %w: %s is reached from itself", s.name, c.name, at, ErrLoop, to.name)
}

// chainBytes is what a chain counts for in Limits.MaxMemory, besides its rules.
const chainBytes = 1 << 10

// checkMemory reports that the rules and chains of all tables take too much memory.
func (v *LiveTables) checkMemory() error {
	var bytes int64
	chains := 0
	for _, t := range v.tables {
		bytes += t.bytes
		chains += len(t.names)
	}
	if bytes += int64(chains) * chainBytes; bytes > v.opts.Limits.MaxMemory {
		return fmt.Errorf("%w: the rules and %s take %d bytes of memory, at most %d", rules.ErrLimit, many(chains, "chain", "chains"), bytes, v.opts.Limits.MaxMemory)
	}
	return nil
}

// checkTrees reports that the trees of all chains together take too much memory.
func (v *LiveTables) checkTrees() error {
	var trees int64
	for _, t := range v.tables {
		trees += t.trees
	}
	if limit := v.build.MemoryLimit; trees > limit {
		return fmt.Errorf("%w: %d bytes in the trees of all chains, at most %d", ErrMemoryLimit, trees, limit)
	}
	return nil
}

// weigh takes the tree of a chain as it is into the sum of its table.
func (c *chainState) weigh() {
	var now int64
	if c.list != nil && c.list.live != nil && c.table.is(c) {
		now = c.list.live.ed.Bytes()
	}
	c.table.trees += now - c.tree
	c.tree = now
}
