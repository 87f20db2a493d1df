package iptables

// Target SET: rules that change sets, or take values from them.

import (
	"fmt"
	"time"

	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/xt"
)

// maxSetTimeout is the longest time that the kernel keeps of an entry.
const maxSetTimeout = (1<<31 - 1) / 1000 * time.Second

func setTargetForm() Form {
	return Form{Kind: "list", Syntax: "NAME src|dst[,...]", Items: ipset.MaxDirections, Symbols: []string{"src", "dst"}}
}

var setTargetModule = module{kind: "target", name: "SET", summary: "change sets of addresses and ports (ipset), or give the packet what they say", class: Stateful, modelled: true,
	writes: []string{"mark"}, finish: finishSetTarget, anyOf: [][]string{{"add-set", "del-set", "map-set"}}, options: []option{
		{name: "add-set", words: 2, help: "add the packet to a set", form: setTargetForm(), parse: parseSetUse(func(x *xt.Set) *xt.SetUse { return &x.Add })},
		{name: "exist", help: "begin the time of an entry that is there again", requires: []string{"add-set"}, parse: func(a *argument) error {
			dataOf[xt.Set](a.m).Renew = true
			return nil
		}},
		{name: "timeout", words: 1, help: "time of the entry, 0: for ever", requires: []string{"add-set"}, form: Form{Kind: "number", Syntax: "SECONDS", Max: 1<<32 - 2, Unit: "seconds"}, parse: func(a *argument) error {
			n, err := parseNumber(a.vals[0].text, 1<<32-2)
			d := min(time.Duration(n)*time.Second, maxSetTimeout)
			dataOf[xt.Set](a.m).Timeout = &d
			a.writeNumber(n)
			return err
		}},
		{name: "del-set", words: 2, help: "take the packet out of a set", form: setTargetForm(), parse: parseSetUse(func(x *xt.Set) *xt.SetUse { return &x.Del })},
		{name: "map-set", words: 2, notes: []string{"needs --map-mark, --map-prio or --map-queue", "only in table mangle"}, help: "give the packet what its entry in a set says", form: setTargetForm(), parse: parseSetUse(func(x *xt.Set) *xt.SetUse { return &x.Map })},
		{name: "map-mark", help: "the mark", requires: []string{"map-set"}, parse: func(a *argument) error { dataOf[xt.Set](a.m).Mark = true; return nil }},
		{name: "map-prio", help: "the queueing class", hooks: laterHooks, requires: []string{"map-set"}, parse: func(a *argument) error { dataOf[xt.Set](a.m).Prio = true; return nil }},
		{name: "map-queue", help: "the queue of the network card", hooks: laterHooks, requires: []string{"map-set"}, parse: func(a *argument) error { dataOf[xt.Set](a.m).Queue = true; return nil }},
	}}

func parseSetUse(of func(*xt.Set) *xt.SetUse) func(*argument) error {
	return func(a *argument) error {
		name, d, err := a.setDirections()
		*of(dataOf[xt.Set](a.m)) = xt.SetUse{Name: a.p.f.intern(name), Directions: d}
		return err
	}
}

func finishSetTarget(p *ruleParser, m *instance) error {
	x := *dataOf[xt.Set](m)
	if x.Map.Name != "" {
		if !x.Mark && !x.Prio && !x.Queue {
			return fmt.Errorf("--map-set needs --map-mark, --map-prio or --map-queue")
		}
		if p.f.cur.name != "mangle" {
			return fmt.Errorf("--map-set cannot be used in table %s, only in mangle", p.f.cur.name)
		}
	}
	x.From = p.f.sets
	m.target = sharedTarget(&x)
	return nil
}
