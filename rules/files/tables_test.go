package files

import (
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

// nftListing is what nft -j list ruleset prints of two tables.
const nftListing = `{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
{"table": {"family": "inet", "name": "filter", "handle": 1}},
{"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
{"chain": {"family": "inet", "table": "filter", "name": "forward", "handle": 2, "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
{"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 3, "comment": "hipac-iptables", "expr": [
  {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null}]}},
{"table": {"family": "ip", "name": "other", "handle": 2}},
{"chain": {"family": "ip", "table": "other", "name": "user", "handle": 1}}]}`

func TestListingsOfNftablesAreTables(t *testing.T) {
	read := func(text string, f RuleFlags) (*Rules, error) {
		return ReadRules(strings.NewReader(text), "r", &f)
	}
	set, err := read(nftListing, *anyRules)
	require.NoError(t, err)
	require.Equal(t, Nftables, set.Format)
	require.Nil(t, set.Tables.Iptables)
	require.Equal(t, 0, set.Tables.Family)
	text, line := set.Tables.Rule("inet:filter", "input", 1)
	require.Equal(t, `tcp dport 22 accept comment "hipac-iptables" # handle 3`, text)
	require.Equal(t, 5, line)

	for _, c := range []struct{ table, chain, want string }{
		{"", "", "inet:filter/forward"}, {"filter", "input", "inet:filter/input"}, {"inet filter", "", "inet:filter/forward"}, {"inet:filter", "", "inet:filter/forward"},
	} {
		table, entry, err := set.Choose(c.table, c.chain)
		require.NoError(t, err)
		require.Equal(t, c.want, table.Name+"/"+table.Chains[entry].Name)
	}
	for _, c := range []struct{ table, chain, want string }{
		{"nat", "", "r has no table nat; it has inet:filter, ip:other: choose one with --table"},
		{"filter", "user", "packets do not enter table inet:filter at chain user: choose one of input, forward with --chain"},
		{"other", "", "packets do not enter table ip:other: it has no base chain"},
	} {
		_, _, err := set.Choose(c.table, c.chain)
		require.EqualError(t, err, c.want)
		require.ErrorAs(t, err, new(UsageError))
	}
	path, err := set.Tables.Path("PREROUTING", "INPUT")
	require.NoError(t, err)
	require.Len(t, path, 1)

	set, err = read(strings.Replace(nftListing, `"name": "filter"`, `"name": "main"`, 1), *anyRules)
	require.ErrorContains(t, err, "the table does not stand before")
	require.Nil(t, set)
	set, err = read(strings.ReplaceAll(nftListing, "filter\"", "main\""), *anyRules)
	require.ErrorContains(t, err, `expected filter, route or nat: "main"`)
	require.Nil(t, set)
	set, err = read(strings.NewReplacer(`"name": "filter"`, `"name": "main"`, `"table": "filter"`, `"table": "main"`).Replace(nftListing), *anyRules)
	require.NoError(t, err)
	_, _, err = set.Choose("", "")
	require.EqualError(t, err, "r has 2 tables: choose one with --table: inet:main, ip:other")

	f := *anyRules
	f.Family = 4
	_, err = read(nftListing, f)
	require.EqualError(t, err, "--family is for iptables rules, and r holds nftables rules")
	_, err = read("table inet filter {\n}\n", *anyRules)
	require.EqualError(t, err, `r:1:1: rules in nft's own words, which are not read: nft -j list ruleset prints what is: "table inet filter {"`)
	_, err = read(strings.Replace(nftListing, `"accept": null`, `"masquerade": null`, 1), *anyRules)
	require.ErrorIs(t, err, rules.ErrUnsupported)
	f = *anyRules
	f.AllowUnknown = true
	set, err = read(strings.Replace(nftListing, `"accept": null`, `"masquerade": null`, 1), f)
	require.NoError(t, err)
	require.Equal(t, "statement masquerade", set.Tables.Tables[0].Chains[0].Rules.At(0).Unknown)
}
