package chains

// Relations between chains: where rules stand, and who calls whom.

import (
	"fmt"
	"slices"

	"github.com/hipac-go/classifier/rules"
)

// rename gives chains other names.
func rename(t *trial) error {
	return t.change(func(p *program) int {
		order := t.r.Perm(len(p.chains))
		for i := range p.chains {
			p.chains[i].Name = fmt.Sprintf("%s%d", []string{"c", "other-", "INPUT"}[t.r.IntN(3)], order[i])
		}
		return len(order)
	})
}

// permute puts chains in another order.
func permute(t *trial) error {
	before, err := t.table(t.size)
	if err != nil {
		return err
	}
	order := t.r.Perm(len(before.Chains)) // the new place of each
	p, q := programOf(before), &program{}
	q.chains, q.rules = make([]rules.Chain, len(order)), make([][]rules.Rule[rules.Action], len(order))
	for i, at := range order {
		q.chains[at], q.rules[at] = p.chains[i], p.rules[i]
		for j := range q.rules[at] {
			if r := &q.rules[at][j]; leads(r) {
				r.Value.Chain = order[r.Value.Chain]
			}
		}
		if at != i {
			t.report.Changes++
		}
	}
	after, err := q.table(t.schema)
	if err != nil {
		return err
	}
	return t.equal(tables{before, after, order})
}

// inline puts the rules of a chain without returns in the place of its only jump,
// with the conditions of that. The jump stays as a rule that counts. Such chains
// are rare among those drawn, and some are added first.
func inline(t *trial) error {
	before, err := t.table(t.size)
	if err != nil {
		return err
	}
	p := programOf(before)
	for range 1 + t.r.IntN(3) {
		var body []rules.Rule[rules.Action]
		for range t.r.IntN(6) {
			if r := t.rule(nil); r.Value.Kind != rules.Return {
				body = append(body, r)
			}
		}
		jump := t.ignored(rules.Action{Kind: rules.Jump, Chain: p.add(fmt.Sprint("once", len(p.chains)), body...)})
		jump.Conds = t.conds()
		c := t.r.IntN(2)
		p.rules[c] = slices.Insert(slices.Clone(p.rules[c]), t.r.IntN(len(p.rules[c])+1), jump)
	}
	if before, err = p.table(t.schema); err != nil {
		return err
	}
	t.report.Changes += p.inline()
	after, err := p.table(t.schema)
	if err != nil {
		return err
	}
	return t.equal(tables{before: before, after: after})
}

func (p *program) inline() (changes int) {
	for i := len(p.chains) - 1; i > 0; i-- {
		callers := p.callers(i)
		if len(callers) != 1 || p.chains[i].Policy != rules.NoVerdict {
			continue
		}
		jump := *p.at(callers[0])
		if jump.Value.Kind != rules.Jump || !plainly(&jump) || !straight(p.rules[i], jump.Conds) {
			continue
		}
		var body []rules.Rule[rules.Action]
		for n, r := range p.rules[i] {
			if r.Value.Kind == rules.Goto && n == len(p.rules[i])-1 {
				r.Value.Kind = rules.Jump
			}
			r.Conds = append(slices.Clone(jump.Conds), r.Conds...)
			body = append(body, r)
		}
		at := callers[0]
		jump.Value.Kind, jump.Value.Chain = rules.Pass, 0
		rs := slices.Clone(p.rules[at.Chain])
		rs[at.Rule] = jump
		p.rules[at.Chain] = slices.Insert(rs, at.Rule+1, body...)
		p.rules[i] = nil
		changes++
	}
	return changes
}

// straight reports whether a packet goes through rules from the first to the last,
// unless one decides, with all that the conditions ask for staying as it is.
func straight(rs []rules.Rule[rules.Action], conds []rules.Cond) bool {
	for n := range rs {
		switch r := &rs[n]; {
		case r.Value.Kind == rules.Return, r.Value.Kind == rules.Goto && n < len(rs)-1:
			return false
		case r.Value.Ext.Changes() && asks(conds, 0), leads(r) && asks(conds, 0): // what it leads to may change the field
			return false
		}
	}
	return true
}

// asks reports whether conditions ask for a field.
func asks(conds []rules.Cond, field int) bool {
	return slices.ContainsFunc(conds, func(c rules.Cond) bool { return c.Field() == field })
}

// outline moves rules that stand together to a chain of their own, and a jump
// comes in their place.
func outline(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for i := range len(p.chains) {
			rs := p.rules[i]
			if len(rs) == 0 || t.r.IntN(3) == 0 {
				continue
			}
			from := t.r.IntN(len(rs))
			to := from + 1
			for to < len(rs) && straight(rs[from:to+1], nil) && t.r.IntN(5) > 0 {
				to++
			}
			if !straight(rs[from:to], nil) || to < len(rs) && rs[to-1].Value.Kind == rules.Goto {
				continue
			}
			body := slices.Clone(rs[from:to])
			chain := p.add(fmt.Sprint("body", i), body...)
			p.rules[i] = slices.Replace(slices.Clone(rs), from, to, t.ignored(rules.Action{Kind: rules.Jump, Chain: chain}))
			changes++
		}
		return changes
	})
}

// ignored returns a new rule for all packets, of which the table before knows
// nothing.
func (t *trial) ignored(a rules.Action) rules.Rule[rules.Action] {
	a.Text = t.text()
	t.ignore[a.Text] = true
	return rules.Rule[rules.Action]{Value: a}
}

// duplicate gives some callers of a chain a copy of it.
func duplicate(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for i := len(p.chains) - 1; i > 0; i-- {
			for n, at := range p.callers(i) {
				if t.r.IntN(2) == 0 && changes < 40 {
					own := p.add(fmt.Sprintf("own%d-%d", i, n), slices.Clone(p.rules[i])...)
					p.at(at).Value.Chain = own
					changes++
				}
			}
		}
		return changes
	})
}

// unreached adds chains that nothing leads to, and that lead to others.
func unreached(t *trial) error {
	return t.change(func(p *program) int {
		var to []int
		for i := range p.chains {
			if p.chains[i].Policy == rules.NoVerdict {
				to = append(to, i)
			}
		}
		n := 1 + t.r.IntN(3)
		for range n {
			var rs []rules.Rule[rules.Action]
			for range t.r.IntN(8) {
				rs = append(rs, t.rule(to))
			}
			to = append(to, p.add(fmt.Sprint("new", len(p.chains)), rs...))
		}
		return n
	})
}

// emptyChain has rules that only count lead to a chain without rules, or one that
// only returns.
func emptyChain(t *trial) error {
	return t.change(func(p *program) (changes int) {
		empty := p.add("empty")
		returns := p.add("returns", t.ignored(rules.Action{Kind: rules.Return}))
		for _, at := range p.places(func(_ int, r *rules.Rule[rules.Action]) bool {
			return r.Value.Kind == rules.Pass && plainly(r)
		}) {
			r := p.at(at)
			r.Value.Kind, r.Value.Chain = rules.Jump, []int{empty, returns}[t.r.IntN(2)]
			changes++
		}
		return changes
	})
}

// pushDown moves the conditions of jumps to the rules of the chain, which becomes
// one of the caller's own; the jumps remain without.
func pushDown(t *trial) error {
	return t.change(func(p *program) (changes int) {
		for _, at := range p.places(func(_ int, r *rules.Rule[rules.Action]) bool {
			return r.Value.Kind == rules.Jump && plainly(r) && len(r.Conds) > 0
		}) {
			jump := p.at(at)
			body := slices.Clone(p.rules[jump.Value.Chain])
			if t.more && asks(jump.Conds, 0) || changes > 40 {
				continue
			}
			for i := range body {
				body[i].Conds = append(slices.Clone(jump.Conds), body[i].Conds...)
			}
			// The jump itself is executed for more packets; the rule that counts
			// stands for it.
			first := *jump
			first.Value.Kind, first.Value.Chain = rules.Pass, 0
			chain := p.add(fmt.Sprint("down", len(p.chains)), append([]rules.Rule[rules.Action]{first}, body...)...)
			*jump = t.ignored(rules.Action{Kind: rules.Jump, Chain: chain})
			changes++
		}
		return changes
	})
}
