package iptables

// The way of a packet through the tables: which of them look at it on each
// hook, in the order of the kernel's priorities.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// order are the tables of each hook, by priority: raw -300 (then connections
// are tracked, -200), mangle -150, nat -100 where destinations are translated,
// filter 0, security 50, nat 100 where sources are.
var order = map[string][]string{
	"PREROUTING":  {"raw", "mangle", "nat"},
	"INPUT":       {"mangle", "filter", "security", "nat"},
	"FORWARD":     {"mangle", "filter", "security"},
	"OUTPUT":      {"raw", "mangle", "nat", "filter", "security"},
	"POSTROUTING": {"mangle", "nat"},
}

// Hooks returns the hooks that a packet comes by: of one to the machine
// itself ("input"), of one that it forwards ("forward"), of one of its own
// ("output"); nil for other names.
func Hooks(way string) []string {
	switch way {
	case "input":
		return []string{"PREROUTING", "INPUT"}
	case "forward":
		return []string{"PREROUTING", "FORWARD", "POSTROUTING"}
	case "output":
		return []string{"OUTPUT", "POSTROUTING"}
	}
	return nil
}

// Path returns the stops of a packet that comes by the hooks, which are named
// as their chains: "PREROUTING", "INPUT". Tables that the file does not have
// are left out. Behind PREROUTING a packet that comes to FORWARD has a TTL that is
// lower by one; that the kernel forwards none whose TTL was 0 or 1 is the
// caller's to see.
func (rs *Ruleset) Path(hooks ...string) (rules.Path, error) {
	var path rules.Path
	received := false
	for _, h := range hooks {
		tables, ok := order[h]
		if !ok {
			return nil, fmt.Errorf("no hook %s: choose one of %s", h, joinNames(hookNames))
		}
		for _, name := range tables {
			t := rs.Table(name)
			if t == nil {
				continue
			}
			if chain := t.Find(h); chain >= 0 {
				routed := received && h == "FORWARD"
				path = append(path, rules.Stop{Table: t, Chain: chain, Routed: routed})
				received = received && !routed
			}
		}
		received = received || h == "PREROUTING"
	}
	return path, nil
}
