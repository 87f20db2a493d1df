package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExplanationsSayWhatDecidesAndWhyOthersDoNot(t *testing.T) {
	gate, short := file(t, "gate", gateBefore), file(t, "short", shortBefore)
	for name, args := range map[string][]string{
		"chain": {"--rules", gate, "--chain", "INPUT", "--rule", "4", "--rule", "web/1", "--rule", "INPUT/2", "-p", "tcp 10.1.0.1:5 > 192.0.2.1:22", "-p", "tcp 192.0.2.7:5 > 192.0.2.1:80 ctstate=NEW"},
		"list":  {"--rules", short, "--rule", "1", "--rule", "3", "--rule", "4", "-p", "tcp 10.1.0.1:5 > 192.0.2.1:80", "-p", "src=10.2.0.1 dport=22 proto=tcp"},
	} {
		golden(t, "explain-"+name+".text", output(t, "", append([]string{"explain"}, args...)...))
		data := output(t, "", append([]string{"explain", "--output", "json"}, args...)...)
		golden(t, "explain-"+name+".json", data)
		for line := range strings.Lines(data) {
			require.True(t, json.Valid([]byte(line)))
		}
	}
	golden(t, "explain-help.golden", output(t, "", "explain", "--help"))
}

func TestPacketsOfFilesAreExplained(t *testing.T) {
	set := file(t, "set", classbenchRules)
	got := output(t, trace, "explain", "--rules", set, "--packets", "-", "--rule", "2")
	require.Equal(t, 4, strings.Count(got, "packet "))
	require.Contains(t, got, "verdict  MATCH  rule 1  line 1: ")
	require.Equal(t, 1, strings.Count(output(t, trace, "explain", "--rules", set, "--packets", "-", "--number", "2"), "packet "))
	r := invoke(t, trace, "explain", "--rules", set, "--packets", "-", "--number", "5")
	require.Equal(t, result{code: exitData, stderr: "hipac: standard input: no packet 5: there are 4\n"}, r)
}

func TestWhatCannotBeExplainedIsBadUsage(t *testing.T) {
	gate, short := file(t, "gate", gateBefore), file(t, "short", shortBefore)
	const p = "tcp 10.1.0.1:5 > 192.0.2.1:22"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--rules FILE is missing"},
		{[]string{"--rules", gate}, "no packet"},
		{[]string{"--rules", gate, "-p", p, "--packets", "x"}, "not both"},
		{[]string{"--rules", gate, "-p", p, "--number", "1"}, "--number is for --packets"},
		{[]string{"--rules", gate, "-p", p, "--rule", "aside/1"}, "no chain aside"},
		{[]string{"--rules", gate, "-p", p, "--rule", "web/9"}, "has no such rule; it has 2"},
		{[]string{"--rules", gate, "-p", "src=10.0.0.1"}, "whole packets"},
		{[]string{"--rules", gate, "-p", "icmpv6 2001:db8::1 > 2001:db8::2"}, "the other family"},
		{[]string{"--rules", short, "-p", p, "--rule", "0"}, "a number from 1 to 4"},
		{[]string{"--rules", short, "-p", "ttl=3"}, "FIELD=VALUE, of src, dst"},
		{[]string{"--rules", short, "-p", "dport=x1"}, "is not a port"},
		{[]string{"--rules", short, "-p", p, "--chain", "INPUT"}, "--table and --chain are for iptables and nftables rules"},
	} {
		r := invoke(t, "", append([]string{"explain"}, tt.args...)...)
		require.Equal(t, exitUsage, r.code, "%v", tt.args)
		require.Contains(t, r.stderr, tt.want)
		require.Empty(t, r.stdout)
	}
}

func TestQueriesAreAnsweredWithRegions(t *testing.T) {
	gate, short := file(t, "gate", gateBefore), file(t, "short", shortBefore)
	for _, tt := range []struct {
		name string
		code int
		args []string
	}{
		{"some", 0, []string{"--rules", gate, "--chain", "INPUT", "--verdict", "ACCEPT", "src=10.0.0.0/8 dport=22", "ctstate=NEW"}},
		{"all", 0, []string{"--rules", short, "--verdict", "DROP", "-s", "10.1.0.0/16", "-p", "udp"}},
		{"any", 0, []string{"--rules", short, "-s", "!10.0.0.0/8", "--dport", "80:443"}},
		{"no", 1, []string{"--rules", gate, "--chain", "INPUT", "--verdict", "ACCEPT", "--in-interface", "!lo", "-p", "udp", "ctstate=NEW"}},
		{"match", 0, []string{"--rules", file(t, "c", classbenchRules), "--verdict", "MATCH", "proto=udp"}},
	} {
		clean := strings.NewReplacer(gate, "GATE", short, "SHORT")
		golden(t, "query-"+tt.name+".text", answer(t, tt.code, "", append([]string{"query"}, tt.args...)...))
		var q queryJSON
		data := clean.Replace(answer(t, tt.code, "", append([]string{"query", "--output", "json"}, tt.args...)...))
		require.NoError(t, json.Unmarshal([]byte(data), &q))
		require.Equal(t, map[string]string{"some": "some", "all": "all", "any": "all", "no": "no", "match": "some"}[tt.name], q.Answer)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--rules FILE is missing"},
		{[]string{"--rules", gate, "--verdict", "ACEPT"}, "no rule says so"},
		{[]string{"--rules", short, "--verdict", "REFUSE"}, "no rule says so; there are ACCEPT, DROP, NO MATCH"},
		{[]string{"--rules", gate, "oif=eth0"}, "no rule of " + gate + " asks for oif"},
		{[]string{"--rules", gate, "src=10.0.0.0/99"}, "src"},
		{[]string{"--rules", gate, "what"}, "what"},
		{[]string{"--rules", gate, "--chain", "INPUT", "--verdict", "ACCEPT", "proto=icmp", "ctstate=NEW", "iif!=lo"}, "it cannot be said"},
	} {
		r := invoke(t, "", append([]string{"query"}, tt.args...)...)
		require.Equal(t, exitTrouble, r.code, "%v", tt.args)
		require.Contains(t, r.stderr, tt.want)
	}
	golden(t, "query-help.golden", output(t, "", "query", "--help"))
}
