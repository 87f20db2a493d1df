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

// slack is how far a table is from its limits.
type slack struct {
	walk  int64 // rules that may come to the longest walk
	paths int64 // the most ways from roots to one chain: rules there count as often
}

// most is where counts of paths stop.
const most = math.MaxInt64 >> 1

// checkLimits reports the first limit that the table exceeds. edges says that
// rules lead to other chains than at the last check, or that there are other
// chains or policies; else grown rules have been inserted.
func (s *tableState) checkLimits(l rules.Limits, edges bool, grown int) error {
	if n := min(l.MaxRules, maxRules); s.rules > n {
		return fmt.Errorf("table %s: %w: %d rules, at most %d", s.name, rules.ErrLimit, s.rules, n)
	}
	if n := len(s.names); n > l.MaxChains {
		return fmt.Errorf("table %s: %w: %d chains, at most %d", s.name, rules.ErrLimit, n, l.MaxChains)
	}
	if !edges {
		if grown == 0 {
			return nil
		}
		// Each rule inserted lengthens no walk by more than the paths to it.
		if more := int64(grown); s.slack.paths <= s.slack.walk/more {
			s.slack.walk -= more * s.slack.paths
			return nil
		}
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

// checkWalks looks at all chains that packets come to, and finds the slack. It
// takes some tens of nanoseconds for each of them and for each chain that another
// leads to.
func (s *tableState) checkWalks(l rules.Limits) error {
	const (
		unseen = iota
		active
		done
	)
	n := len(s.chains)
	state := make([]uint8, n)
	depth := make([]int32, n) // chains below, this one included
	walk := make([]int64, n)  // rules that a packet may meet from here
	paths := make([]int64, n) // ways from roots
	order := make([]*chainState, 0, n)
	type visit struct {
		c     *chainState
		leave bool
	}
	var stack []visit
	roots := s.roots()
	for _, root := range roots {
		paths[root.number]++
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
					walk[i] += int64(x.n) * walk[x.to.number] // both below 2^31: of limits
				}
				if int(depth[i]) > l.MaxDepth {
					return fmt.Errorf("table %s: chain %s nests %d chains: %w: at most %d", s.name, c.name, depth[i], rules.ErrLimit, l.MaxDepth)
				}
				if walk[i] > int64(min(l.MaxWalk, maxRules)) {
					return fmt.Errorf("table %s: chain %s: a packet could meet %d rules or more: %w: at most %d", s.name, c.name, walk[i], rules.ErrLimit, min(l.MaxWalk, maxRules))
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
	s.slack = slack{walk: int64(min(l.MaxWalk, maxRules)), paths: 1}
	for _, c := range roots {
		s.slack.walk = min(s.slack.walk, int64(min(l.MaxWalk, maxRules))-walk[c.number])
	}
	for _, c := range slices.Backward(order) {
		p := paths[c.number]
		s.slack.paths = max(s.slack.paths, p)
		for _, x := range c.calls {
			to := &paths[x.to.number]
			if p > (most-*to)/int64(x.n) {
				*to = most
			} else {
				*to += p * int64(x.n)
			}
		}
	}
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

// checkMemory reports that the rules of all tables take too much memory.
func (v *LiveTables) checkMemory() error {
	var bytes int64
	for _, t := range v.tables {
		bytes += t.bytes
	}
	return checkLimits(v.opts.Limits, 0, bytes)
}
