package chains

// The worlds that there are.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

var (
	bit  = rules.MustSchema(rules.Field{Name: "a", Bits: 1})
	two  = rules.MustSchema(rules.Field{Name: "a", Bits: 2})
	both = rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 1})
)

// acts are the actions of a chain: Pass, Drop, Return, and jumps and gotos to
// chains.
func acts(to ...int) []rules.Action {
	out := []rules.Action{{Kind: rules.Pass}, {Kind: rules.Decide, Verdict: rules.Drop}, {Kind: rules.Return}}
	for _, chain := range to {
		out = append(out, rules.Action{Kind: rules.Jump, Chain: chain}, rules.Action{Kind: rules.Goto, Chain: chain})
	}
	return out
}

// each returns a rule of each action for each of the conditions, of texts that
// rules.Schema.ParseConds reads.
func each(s *rules.Schema, actions []rules.Action, conds ...string) (out []rules.Rule[rules.Action]) {
	for _, text := range conds {
		for _, a := range actions {
			out = append(out, rules.Rule[rules.Action]{Conds: s.MustConds(text), Value: a, Continue: a.Kind == rules.Pass})
		}
	}
	return out
}

// extended returns rules that set field 0 to each of the values, and actions that
// are done for every second packet that comes to them.
func extended(s *rules.Schema, conds []string, values []uint64, actions ...rules.Action) (out []rules.Rule[rules.Action]) {
	for _, text := range conds {
		for _, v := range values {
			out = append(out, rules.Rule[rules.Action]{Conds: s.MustConds(text), Continue: true,
				Value: rules.Action{Ext: marks(s, fmt.Sprintf("set %d where %s", v, text), 0, v)}})
		}
		for _, a := range actions {
			a.Ext = every()
			out = append(out, rules.Rule[rules.Action]{Conds: s.MustConds(text), Value: a, Continue: a.Kind == rules.Pass})
		}
	}
	return out
}

// unknown returns the rules, and each of them once more as one that asks for
// something that nobody knows.
func unknown(rs []rules.Rule[rules.Action]) []rules.Rule[rules.Action] {
	for _, r := range rs[:len(rs):len(rs)] {
		r.Unknown = "match foo"
		rs = append(rs, r)
	}
	return rs
}

// Worlds returns worlds of a size: those of size 0 are for tests and have 23,344
// tables, which take about ten seconds of a core; those of size 1 have 1,284,062.
// Sizes below 0 are 0, and above 1 they are 1.
func Worlds(size int) []*World {
	accept := []rules.Verdict{rules.Accept, rules.NoVerdict, rules.NoVerdict}
	n := min(max(size, 0), 1)
	jumps := func(s *rules.Schema, most int, absent bool, conds ...string) *World {
		w := &World{
			Name: fmt.Sprintf("three chains, %d conditions over %d fields, up to %d rules", len(conds), s.Len(), most), Schema: s, Policies: accept, Most: most,
			Rules: [][]rules.Rule[rules.Action]{each(s, acts(1, 2), conds...), each(s, acts(2), conds...), each(s, acts(), conds...)},
		}
		return w.prepare(absent)
	}
	loops := func(most int, conds ...string) *World {
		w := &World{
			Name: fmt.Sprintf("chains that lead anywhere, up to %d rules", most), Schema: bit, Policies: accept, Most: most,
			Rules: [][]rules.Rule[rules.Action]{each(bit, acts(0, 1, 2)[1:], conds...), each(bit, acts(0, 1, 2)[3:], conds...), each(bit, acts(0, 1, 2)[1:], conds...)},
		}
		return w.prepare(false)
	}
	policies := func(most int, conds ...string) *World {
		w := &World{
			Name: fmt.Sprintf("two chains with policies and one without, up to %d rules", most), Schema: bit, Most: most,
			Policies: []rules.Verdict{rules.Accept, rules.Reject, rules.NoVerdict},
			Rules:    [][]rules.Rule[rules.Action]{each(bit, acts(1, 2), conds...), each(bit, acts(2), conds...), each(bit, acts(), conds...)},
		}
		return w.prepare(false)
	}
	none := func(most int, conds ...string) *World {
		w := &World{
			Name: fmt.Sprintf("chains without policies, rules that nobody knows, up to %d rules", most), Schema: two, Most: most,
			Policies: []rules.Verdict{rules.NoVerdict, rules.NoVerdict},
			Rules:    [][]rules.Rule[rules.Action]{unknown(each(two, acts(1), conds...)), unknown(each(two, acts(), conds...))},
		}
		return w.prepare(true)
	}
	marked := func(most int, values []uint64, conds ...string) *World {
		w := &World{
			Name: fmt.Sprintf("targets that set what is asked for, tests with a memory, %d conditions, up to %d rules", len(conds), most), Schema: two, Most: most, More: true,
			Policies: accept[:2],
			Rules: [][]rules.Rule[rules.Action]{
				append(each(two, acts(1), conds...), extended(two, conds, values, acts(1)[1:]...)...),
				append(each(two, acts(), conds...), extended(two, conds, values, acts()[:2]...)...),
			},
		}
		return w.prepare(false)
	}
	if n == 0 {
		return []*World{
			jumps(both, 2, true, "any", "a!=2", "a=1-2 b=1"),
			jumps(bit, 3, false, "any", "a=1"),
			loops(3, "a=1"),
			policies(2, "any", "a=0"),
			none(2, "any", "a=1-2", "a!=1", "a?=3"),
			marked(2, []uint64{0, 2}, "any", "a=2", "a=1-2"),
		}
	}
	return []*World{
		jumps(two, 3, true, "any", "a=1-2", "a!=2", "a=2-3"),
		jumps(bit, 4, false, "any", "a=1"),
		loops(4, "any", "a=1"),
		policies(3, "any", "a=0", "a=1"),
		none(3, "any", "a=1-2", "a!=1", "a?=3"),
		marked(3, []uint64{0, 2}, "any", "a=2", "a=1-2"),
	}
}
