package nftables

// Which chains stand in front of connection tracking, where packets have no
// connection yet.

import (
	"slices"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

// tracking says where a chain stands, by the base chains that lead to it.
type tracking byte

const (
	inFront tracking = 1 << iota
	behind
)

// trackingPriority is that of connection tracking, on the hooks where it is.
const trackingPriority = -200

// track finds out where the chains stand.
func (t *tableReader) track() {
	t.tracked = make([]tracking, len(t.chains))
	t.next = make([][]int, len(t.chains))
	for e := range t.edges {
		t.next[e[0]] = append(t.next[e[0]], e[1])
	}
	for _, s := range t.sets {
		if s.verb {
			t.anywhere = t.targets(s.v, t.anywhere)
		}
	}
	slices.Sort(t.anywhere)
	for i := range t.chains {
		b := &t.chains[i].base
		if b.hook == "" {
			continue
		}
		way := behind
		if b.priority < trackingPriority && (b.hook == "prerouting" || b.hook == "output") {
			way = inFront
		}
		todo := append([]int{i}, t.anywhere...)
		for len(todo) > 0 {
			at := todo[len(todo)-1]
			if todo = todo[:len(todo)-1]; t.tracked[at]&way != 0 {
				continue
			}
			t.tracked[at] |= way
			todo = append(todo, t.next[at]...)
		}
	}
}

// targets appends the chains that the verdicts of a map go to.
func (t *tableReader) targets(v *value, list []int) []int {
	if key, x := v.only(); (key == "jump" || key == "goto") && x.kind == isObject {
		if to, ok := t.byName[x.get("target").or()]; ok && !slices.Contains(list, to) {
			list = append(list, to)
		}
	}
	for i := range v.list {
		list = t.targets(&v.list[i], list)
	}
	return list
}

// changes adds the fields that the rules of a chain may change, and those of the
// chains that it leads to.
func (t *tableReader) changes(chain int, fields map[int]bool) {
	seen := make([]bool, len(t.chains))
	todo := append([]int{chain}, t.anywhere...)
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		if todo = todo[:len(todo)-1]; seen[at] {
			continue
		}
		seen[at] = true
		for f := range t.writes[at] {
			fields[f] = true
		}
		todo = append(todo, t.next[at]...)
	}
}

// settle turns the conditions of a rule to the fields of the schema. Those on
// fields that it has no room for become tests.
func (t *tableReader) settle(raw *rawRule, places []int) {
	kept := raw.conds[:0]
	var tests []rules.Step
	for _, c := range raw.conds {
		if to := places[c.Field()]; to >= 0 {
			kept = append(kept, c.On(to))
		} else {
			tests = append(tests, rules.Step{Test: xt.FieldTest(fieldIn(c.Field(), t.kind), c), Text: universe[c.Field()].Name})
		}
	}
	raw.conds = kept
	if tests == nil {
		return
	}
	e := &rules.Extension{Tests: tests}
	if old := raw.action.Ext; old != nil {
		e.Tests, e.Target, e.Writes = append(tests, old.Tests...), old.Target, old.Writes
	}
	raw.action.Ext = e
}
