package iptables

// Matches and targets that the caller of Read registers: names that are not in
// the registry, whose options a function reads.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// RegisteredTarget is what a target does that the caller of Read registers.
type RegisteredTarget struct {
	// Target is applied to the packets that the rule matches; nil: nothing is.
	Target rules.Target
	// Kind says what becomes of the packet then: rules.Pass (it goes on),
	// rules.Return or rules.Decide, with Verdict.
	Kind    rules.ActionKind
	Verdict rules.Verdict
	// Writes names the fields that Target may change: "mark".
	Writes []string
}

// registered says how the options of a module are read that the caller
// registered, and keeps them.
type registered struct {
	match  func(words []string) (rules.Test, error)
	target func(words []string) (RegisteredTarget, error)
	words  []string
}

// register puts a module of the caller in use. All long options behind it are
// its own, up to the next -m, -j or -g.
func (p *ruleParser) register(r *registered, at word) {
	p.use(&module{name: at.text, modelled: true}, at).own = r
}

// finishRegistered makes what a module of the caller asks or does. It is made
// once for each rule of the kernel, so that each may have a memory of its own.
func (p *ruleParser) finishRegistered(m *instance) error {
	fail := func(kind string, err error) error {
		return p.f.errorAt(m.at, "%s %s: %v", kind, m.at.text, err)
	}
	if match := m.own.match; match != nil {
		first, err := match(m.own.words)
		if err == nil && first == nil {
			err = fmt.Errorf("no test was made of its options")
		}
		if err != nil {
			return fail("match", err)
		}
		words, calls := m.own.words, 0
		m.addStateful(func() rules.Test {
			if calls++; calls > 1 {
				if t, err := match(words); err == nil && t != nil {
					return t
				}
			}
			return first
		})
		return nil
	}
	first, err := m.own.target(m.own.words)
	switch {
	case err != nil:
		return fail("target", err)
	case first.Kind != rules.Pass && first.Kind != rules.Decide && first.Kind != rules.Return:
		return fail("target", fmt.Errorf("its action is to be Pass, Return or Decide"))
	}
	m.decides = &rules.Action{Kind: first.Kind, Verdict: first.Verdict}
	m.mod.writes = first.Writes
	if first.Target != nil {
		words, target, calls := m.own.words, m.own.target, 0
		m.target = func() rules.Target {
			if calls++; calls > 1 {
				if t, err := target(words); err == nil && t.Target != nil {
					return t.Target
				}
			}
			return first.Target
		}
	}
	return nil
}
