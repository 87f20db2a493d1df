package histories

// Kinds of rules: schemas of every sort, and sets of which each brings out one
// part of the structure.

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// kind is a source of rules: first ones, that the list begins with, and more,
// that edits bring too.
type kind struct {
	name   string
	schema *rules.Schema
	first  func(seed uint64, n int) ([]rules.Rule[string], error)
	more   func(seed uint64, n int) ([]rules.Rule[string], error) // nil for more of first
}

var (
	tiny = rules.MustSchema(rules.Field{Name: "a", Bits: 2}, rules.Field{Name: "b", Bits: 3}, rules.Field{Name: "c", Bits: 2})
	wide = rules.MustSchema(rules.Field{Name: "a", Bits: 128}, rules.Field{Name: "b", Bits: 33}, rules.Field{Name: "c", Bits: 65})
	odd  = rules.MustSchema(rules.Field{Name: "bit", Bits: 1}, rules.Field{Name: "small", Bits: 5}, rules.Field{Name: "port", Kind: rules.Port},
		rules.Field{Name: "v4", Kind: rules.IPv4}, rules.Field{Name: "mac", Kind: rules.MAC}, rules.Field{Name: "long", Bits: 77},
		rules.Field{Name: "addr", Kind: rules.IP}, rules.Field{Name: "name", Kind: rules.Name})
	none   = rules.MustSchema()
	many   = manyFields(rules.MaxFields)
	narrow = manyFields(9)
)

func manyFields(n int) *rules.Schema {
	fields := make([]rules.Field, n)
	for i := range fields {
		fields[i] = rules.Field{Name: fmt.Sprintf("f%d", i), Bits: 4 + i*5%29}
	}
	return rules.MustSchema(fields...)
}

var kinds = []kind{
	{"ipv4", rules.IPv4Tuple, everything(rules.IPv4Tuple, 0.5, 6), nil},
	{"boxes", rules.IPv4Tuple, random(rules.IPv4Tuple, workload.RandomConfig{Constrain: 0.6, Pool: 60, Continue: true}), nil},
	{"narrowboxes", rules.IPv4Tuple, random(rules.IPv4Tuple, workload.RandomConfig{Constrain: 0.95, Pool: 300, Identical: true}), nil},
	{"masks", rules.IPv4Tuple, random(rules.IPv4Tuple, workload.RandomConfig{Constrain: 0.9, Pool: 50, Masks: true, Negation: true}), nil},
	{"ipv6", rules.IPv6Tuple, everything(rules.IPv6Tuple, 0.5, 6), nil},
	{"ip", rules.IPTuple, mapped(rules.IPTuple, everything(rules.IPTuple, 0.5, 8)), nil},
	{"ipboxes", rules.IPTuple, mapped(rules.IPTuple, random(rules.IPTuple, workload.RandomConfig{Constrain: 0.7, Pool: 40})), nil},
	{"firewall", rules.Firewall, firewallSet, mapped(rules.Firewall, everything(rules.Firewall, 0.2, 6))},
	{"firewallrandom", rules.Firewall, mapped(rules.Firewall, everything(rules.Firewall, 0.25, 5)), firewallSet},
	{"tiny", tiny, everything(tiny, 0.6, 6), nil},
	{"wide", wide, everything(wide, 0.6, 6), nil},
	{"odd", odd, mapped(odd, everything(odd, 0.4, 6)), nil},
	{"many", many, random(many, workload.RandomConfig{Constrain: 0.08, Pool: 5, Continue: true}), everything(many, 0.2, 5)},
	{"narrow", narrow, random(narrow, workload.RandomConfig{Constrain: 0.9, Pool: 30}), everything(narrow, 0.6, 30)},
	{"none", none, everything(none, 0.5, 2), nil},
	{"nested", rules.IPv4Tuple, adversarial(workload.Nested), random(rules.IPv4Tuple, workload.RandomConfig{Constrain: 0.6, Pool: 60})},
	{"shifted", rules.IPv4Tuple, adversarial(workload.Shifted), adversarial(workload.Nested)},
	{"crossing", rules.IPv4Tuple, adversarial(workload.Crossing), adversarial(workload.Wide)},
	{"bands", rules.IPv4Tuple, adversarial(workload.Wide), nil},
	{"shortprefixes", rules.IPv4Tuple, adversarial(workload.ShortPrefixes), adversarial(workload.Crossing)},
	{"same", rules.IPv4Tuple, adversarial(workload.Same), everything(rules.IPv4Tuple, 0.5, 6)},
	{"wild", rules.IPv4Tuple, adversarial(workload.Wild), everything(rules.IPv4Tuple, 0.5, 6)},
	{"acl", rules.IPv4Tuple, family("acl1", false), adversarial(workload.Wide)},
	{"fw", rules.IPv4Tuple, family("fw1", false), nil},
	{"ipc", rules.IPv4Tuple, family("ipc1", false), adversarial(workload.Crossing)},
	{"acl6", rules.IPv6Tuple, family("acl3", true), everything(rules.IPv6Tuple, 0.3, 6)},
}

// Kinds returns the names of the kinds of rules.
func Kinds() []string {
	out := make([]string, len(kinds))
	for i := range kinds {
		out[i] = kinds[i].name
	}
	return out
}

type source func(seed uint64, n int) ([]rules.Rule[string], error)

func collect(l *rules.List[string], err error) ([]rules.Rule[string], error) {
	if err != nil {
		return nil, err
	}
	var out []rules.Rule[string]
	for _, r := range l.All() {
		out = append(out, *r)
	}
	return out, nil
}

func random(s *rules.Schema, c workload.RandomConfig) source {
	return func(seed uint64, n int) ([]rules.Rule[string], error) {
		c.Seed, c.Rules = seed, n
		return collect(workload.Random(s, c))
	}
}

func everything(s *rules.Schema, constrain float64, pool int) source {
	return random(s, workload.RandomConfig{Constrain: constrain, Pool: pool}.Everything())
}

func adversarial(a workload.Adversary) source {
	return func(seed uint64, n int) ([]rules.Rule[string], error) {
		return collect(workload.Adversarial(a, n, seed))
	}
}

func family(name string, six bool) source {
	return func(seed uint64, n int) ([]rules.Rule[string], error) {
		return collect(workload.Generate(workload.Config{Family: name, Rules: n, Seed: seed, IPv6: six}))
	}
}

func firewallSet(seed uint64, n int) ([]rules.Rule[string], error) {
	return collect(workload.FirewallSet(workload.Config{Family: "fw2", Rules: n, Seed: seed}))
}

// mapped makes some of the addresses of either family IPv4 ones.
func mapped(s *rules.Schema, f source) source {
	return func(seed uint64, n int) ([]rules.Rule[string], error) {
		list, err := f(seed, n)
		r := rand.New(rand.NewPCG(seed, 44))
		for i := range list {
			if r.IntN(3) == 0 {
				continue
			}
			list[i].Conds = slices.Clone(list[i].Conds)
			for j := range list[i].Conds {
				c := &list[i].Conds[j]
				if s.Field(c.Field()).Kind == rules.IP && r.IntN(4) > 0 {
					*c = toIPv4(c)
				}
			}
		}
		return list, err
	}
}

// toIPv4 returns the condition with its intervals among the IPv4 addresses.
func toIPv4(c *rules.Cond) rules.Cond {
	ivs, ranged := c.Intervals()
	if !ranged || len(ivs) == 0 {
		return *c
	}
	out := make([]rules.Interval, len(ivs))
	for i, iv := range ivs {
		lo, hi := iv.Lo.Lo&0xffffffff, iv.Hi.Lo&0xffffffff
		if lo > hi {
			lo, hi = hi, lo
		}
		out[i] = rules.Span(0xffff<<32|lo, 0xffff<<32|hi)
	}
	n := rules.In(c.Field(), out...)
	if c.Negated() {
		n = n.Negate()
	}
	if c.AllowsAbsent() {
		n = n.OrAbsent()
	}
	return n
}

// pool draws rules of a kind: n that lists begin with, and then more.
func (k *kind) pool(seed uint64, n int) ([]rules.Rule[int], error) {
	more := 24 + min(n/2, 500)
	source := k.first
	if k.more == nil {
		n += more
	}
	list, err := source(seed, max(n, 1))
	if err == nil && k.more != nil {
		var rest []rules.Rule[string]
		rest, err = k.more(seed+1, more)
		list = append(list, rest...)
	}
	if err != nil {
		return nil, err
	}
	out := make([]rules.Rule[int], len(list))
	for i := range list {
		r := &list[i]
		out[i] = rules.Rule[int]{Conds: r.Conds, Continue: r.Continue, Unknown: r.Unknown}
	}
	return out, nil
}
