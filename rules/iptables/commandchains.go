package iptables

// The commands that work on whole chains: they are made, renamed, deleted,
// emptied, and get their counters and policies.

import (
	"fmt"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

func (f *fileReader) newChain(c *call) error {
	w, _, err := f.argument(c, true)
	if err == nil {
		err = f.noMore(c)
	}
	if err != nil {
		return err
	}
	if f.cur.byName[w.text] != 0 {
		if f.doomed() {
			return nil // a chain may stand that -X would have deleted
		}
		return f.errorAt(w, "-N: there is a chain of this name")
	}
	return f.addChain(w)
}

// addChain makes a user chain.
func (f *fileReader) addChain(name word) error {
	t := f.cur
	if err := f.checkChainName(name); err != nil {
		return err
	}
	if len(t.chains) >= f.limits.MaxChains {
		return f.limitError(fmt.Sprintf("more than %d chains", f.limits.MaxChains))
	}
	t.chains = append(t.chains, chainReader{name: f.intern(name.text), declared: true})
	t.byName[name.text] = len(t.chains)
	return nil
}

func (f *fileReader) renameChain(c *call) error {
	from, err := f.userChain(c)
	if err != nil {
		return err
	}
	to, ok, err := f.argument(c, true)
	if ok {
		err = f.noMore(c)
	}
	if err != nil || from < 0 {
		return err
	}
	t := f.cur
	if t.byName[to.text] != 0 {
		if f.doomed() {
			return nil
		}
		return f.errorAt(to, "-E: there is a chain of this name")
	}
	if err := f.checkChainName(to); err != nil {
		return err
	}
	renamed := &t.chains[from]
	old, name := renamed.name, f.intern(to.text)
	for i := range t.chains {
		u := &t.chains[i]
		if err := f.spend(len(u.rules)); err != nil {
			return err
		}
		last := 0
		for j := range u.rules {
			a := &u.rules[j].action
			if a.Kind != rules.Jump && a.Kind != rules.Goto || a.Chain != from {
				continue
			}
			if a.Text = name; a.Number != last { // the ways of one rule share a line
				l := &u.lines[a.Number-1]
				l.text = f.keep([]byte(strings.TrimSuffix(l.text, old) + name))
				if f.bytes += int64(len(l.text)); f.bytes > f.limits.MaxMemory {
					return f.limitError(fmt.Sprintf("the rules take more than %d bytes of memory", f.limits.MaxMemory))
				}
			}
			last = a.Number
		}
	}
	delete(t.byName, old)
	t.byName[name] = from + 1
	renamed.name = name
	return nil
}

// userChain takes the chain of a command that is for chains of the user.
func (f *fileReader) userChain(c *call) (int, error) {
	at, err := f.chain(c)
	if err == nil && at >= 0 && f.cur.chains[at].hook != 0 {
		return -1, f.errorAt(c.at, "-%c: %s is a built-in chain", c.letter, f.cur.chains[at].name)
	}
	return at, err
}

func (f *fileReader) deleteChains(c *call) error {
	t := f.cur
	var gone []int
	if c.has || f.rule.pos < len(f.rule.words) {
		at, err := f.userChain(c)
		if err == nil {
			err = f.noMore(c)
		}
		if err != nil || at < 0 {
			return err
		}
		gone = []int{at}
	} else {
		if err := f.spend(len(t.chains)); err != nil {
			return err
		}
		for i := range t.chains {
			if t.chains[i].hook == 0 && !t.chains[i].deleted {
				gone = append(gone, i)
			}
		}
	}
	if f.doomed() {
		return nil
	}
	callers := make([]int, len(t.chains)) // a chain that calls each, plus 1
	for i := range t.chains {
		u := &t.chains[i]
		if err := f.spend(1 + len(u.rules)); err != nil {
			return err
		}
		for j := range u.rules {
			if a := &u.rules[j].action; (a.Kind == rules.Jump || a.Kind == rules.Goto) && !u.dead(a.Number) {
				callers[a.Chain] = i + 1
			}
		}
	}
	for _, i := range gone {
		u := &t.chains[i]
		if n := u.live(); n > 0 {
			return f.errorAt(c.at, "-X: chain %s is not empty: it has %d rules", u.name, n)
		}
		if by := callers[i]; by > 0 {
			return f.errorAt(c.at, "-X: chain %s is in use: a rule of %s goes to it", u.name, t.chains[by-1].name)
		}
	}
	for _, i := range gone {
		u := &t.chains[i]
		u.deleted, t.deleted = true, true
		delete(t.byName, u.name)
	}
	return nil
}

func (f *fileReader) flush(c *call) error {
	return f.eachChain(c, func(t *chainReader) error {
		n := 0 // rules of the list that count
		for j := range t.rules {
			if !t.dead(t.rules[j].action.Number) {
				n++
			}
		}
		f.cur.rules -= n
		t.skipped = 0
		t.rules, t.lines, t.limited, t.calls, t.order = nil, nil, nil, nil, nil
		return nil
	})
}

func (f *fileReader) zero(c *call) error {
	return f.eachChain(c, func(t *chainReader) error {
		if t.packets, t.bytes = 0, 0; f.doomed() {
			return nil
		}
		if err := f.spend(len(t.rules)); err != nil {
			return err
		}
		for i := range t.lines {
			t.lines[i].packets, t.lines[i].bytes = 0, 0
		}
		for i := range t.rules {
			a := &t.rules[i].action
			a.Packets, a.Bytes = 0, 0
		}
		return nil
	})
}

// eachChain calls do for the chain that the command names, or for all of them.
// -Z may name a rule of the chain too.
func (f *fileReader) eachChain(c *call, do func(*chainReader) error) error {
	if !c.has && f.rule.pos == len(f.rule.words) {
		if err := f.spend(len(f.cur.chains)); err != nil {
			return err
		}
		for i := range f.cur.chains {
			if err := do(&f.cur.chains[i]); err != nil {
				return err
			}
		}
		return nil
	}
	at, err := f.chain(c)
	if err != nil || at < 0 {
		return err
	}
	t := &f.cur.chains[at]
	if c.letter == 'Z' && f.rule.pos < len(f.rule.words) {
		n, ok, err := f.number(c, t, false, 0)
		if err == nil {
			err = f.noMore(c)
		}
		if err != nil || !ok || f.doomed() {
			return err
		}
		id := t.at(n - 1)
		t.lines[id].packets, t.lines[id].bytes = 0, 0
		from, to := t.rulesOf(id)
		for i := from; i < to; i++ {
			t.rules[i].action.Packets, t.rules[i].action.Bytes = 0, 0
		}
		return nil
	}
	if err := f.noMore(c); err != nil {
		return err
	}
	return do(t)
}

// policy reads "-P CHAIN POLICY [-c PACKETS BYTES]". Without counters the
// chain's begin at 0.
func (f *fileReader) policy(c *call) error {
	p := &f.rule
	name, _, err := f.argument(c, true)
	if err != nil {
		return err
	}
	policy, _, err := f.argument(c, true)
	if err != nil {
		return err
	}
	at := f.cur.byName[name.text] - 1
	if at < 0 || f.cur.chains[at].hook == 0 {
		return f.errorAt(name, "only built-in chains have a policy")
	}
	if p.pos < len(p.words) {
		if w := p.words[p.pos]; w.text != "-c" && w.text != "--set-counters" {
			return f.errorAt(w, "nothing but -c PACKETS BYTES may stand behind a policy")
		}
		if err := p.parse(); err != nil {
			return err
		}
	}
	t := &f.cur.chains[at]
	t.packets, t.bytes = p.packets, p.bytes
	return t.setPolicy(f, policy)
}
