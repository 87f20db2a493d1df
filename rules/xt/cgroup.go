package xt

// Match cgroup: which control group the packet's socket belongs to.

import (
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// CgroupPath returns the test that the packet's socket is in a control group
// of the unified hierarchy, or in one below it. Without a socket the test does
// not hold, negated or not. It needs packet.Env.Cgroup.
func CgroupPath(path string, not bool) rules.Test {
	return &cgroupTest{byPath: true, path: cleanPath(path), not: not}
}

// CgroupClass returns the test that the packet's socket has a net_cls class.
// Without a socket the test does not hold, negated or not. It needs
// packet.Env.Cgroup.
func CgroupClass(id uint32, not bool) rules.Test { return &cgroupTest{class: id, not: not} }

type cgroupTest struct {
	byPath bool
	path   string // "a/b", "" for the root
	class  uint32
	not    bool
}

// cleanPath returns the path without slashes around it and without empty
// parts. It allocates only when there are such parts inside.
func cleanPath(s string) string {
	s = strings.Trim(s, "/")
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

func (c *cgroupTest) Ask(s rules.Subject) (rules.Outcome, string) {
	t := of(s)
	if t == nil || t.Packet.Env == nil || t.Packet.Env.Cgroup == nil {
		return rules.Unsure, "cgroup"
	}
	g := t.Packet.Env.Cgroup
	if !g.Exists {
		return rules.No, ""
	}
	if !c.byPath {
		return answer((g.ClassID == c.class) != c.not), ""
	}
	rest, in := strings.CutPrefix(cleanPath(g.Path), c.path)
	in = in && (c.path == "" || rest == "" || rest[0] == '/')
	return answer(in != c.not), ""
}
