package nftables

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBaseChainsOfAHookStandInTheOrderOfTheirPriorities(t *testing.T) {
	chain := func(family, table, name, hook, prio string) string {
		return `{"chain": {"family": "` + family + `", "table": "` + table + `", "name": "` + name + `", "type": "filter", "hook": "` + hook + `", "prio": ` + prio + `, "policy": "accept"}}`
	}
	text := `{"nftables": [` + strings.Join([]string{
		`{"table": {"family": "inet", "name": "a"}}`, `{"table": {"family": "ip", "name": "b"}}`, `{"table": {"family": "ip6", "name": "b"}}`,
		chain("inet", "a", "late", "forward", "10"), chain("inet", "a", "first", "forward", "-5"), chain("inet", "a", "second", "forward", "-5"),
		chain("inet", "a", "pre", "prerouting", "0"), chain("ip", "b", "forward", "forward", "0"), chain("ip6", "b", "forward", "forward", "0"),
		`{"chain": {"family": "ip", "table": "b", "name": "user"}}`}, ", ") + `]}`
	rs, err := Read(strings.NewReader(text), Options{})
	require.NoError(t, err)
	path, err := rs.Path("PREROUTING", "FORWARD", "POSTROUTING")
	require.NoError(t, err)
	var names []string
	for _, s := range path {
		name := s.Table.Name + "/" + s.Table.Chains[s.Chain].Name
		if s.Routed {
			name = "routed " + name
		}
		names = append(names, name)
	}
	require.Equal(t, []string{"inet:a/pre", "routed inet:a/second", "inet:a/first", "ip6:b/forward", "ip:b/forward", "inet:a/late"}, names)
	_, err = rs.Path("ingress")
	require.ErrorContains(t, err, "no hook ingress: choose one of prerouting, input, forward, output, postrouting")

	require.Same(t, rs.Tables[0], rs.Table("a"))
	require.Same(t, rs.Tables[0], rs.Table("inet a"))
	require.Same(t, rs.Tables[2], rs.Table("ip6:b"))
	require.Nil(t, rs.Table("b"), "two of the name")
	require.Nil(t, rs.Table("ip:a"))
	hook, priority := rs.Hook("inet:a", "late")
	require.Equal(t, "forward", hook)
	require.Equal(t, int64(10), priority)
	hook, _ = rs.Hook("ip:b", "user")
	require.Empty(t, hook)
}
