package nftables

// The way of a packet through the base chains of all tables: those of a hook, in
// the order of their priorities.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// hooks are those that packets come by.
var hooks = []string{"prerouting", "input", "forward", "output", "postrouting"}

// Path returns the stops of a packet that comes by the hooks, in upper or lower
// case: "prerouting", "input". Base chains of one hook stand in the order of their
// priorities; of those with the same one, the kernel asks the one that was made
// last first, and so those that the listing has last stand first. Behind prerouting a
// packet that comes to forward has a TTL that is lower by one; that the kernel
// forwards none whose TTL was 0 or 1 is the caller's to see.
func (rs *Ruleset) Path(names ...string) (rules.Path, error) {
	var path rules.Path
	received := false
	for _, name := range names {
		hook := strings.ToLower(name)
		if !slices.Contains(hooks, hook) {
			return nil, fmt.Errorf("no hook %s: choose one of %s", name, strings.Join(hooks, ", "))
		}
		type stop struct {
			rules.Stop
			priority int64
		}
		var stops []stop
		for i := len(rs.Tables) - 1; i >= 0; i-- {
			for c := len(rs.bases[i]) - 1; c >= 0; c-- {
				if b := rs.bases[i][c]; b.hook == hook {
					stops = append(stops, stop{rules.Stop{Table: rs.Tables[i], Chain: c}, b.priority})
				}
			}
		}
		slices.SortStableFunc(stops, func(a, b stop) int {
			switch {
			case a.priority < b.priority:
				return -1
			case a.priority > b.priority:
				return 1
			}
			return 0
		})
		for n, s := range stops {
			s.Routed = n == 0 && received && hook == "forward"
			path = append(path, s.Stop)
		}
		if hook == "prerouting" && len(stops) > 0 {
			received = true
		}
		if hook == "forward" && len(stops) > 0 {
			received = false
		}
	}
	return path, nil
}

// Hook returns the hook and the priority of a base chain; "" for other chains.
func (rs *Ruleset) Hook(table, chain string) (hook string, priority int64) {
	if i := rs.find(table); i >= 0 {
		if c := rs.Tables[i].Find(chain); c >= 0 {
			return rs.bases[i][c].hook, rs.bases[i][c].priority
		}
	}
	return "", 0
}
