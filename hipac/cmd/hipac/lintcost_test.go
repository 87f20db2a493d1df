package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLintListsTheRulesThatAreAskedOneByOne(t *testing.T) {
	golden(t, "lint-cost.text", output(t, "", "lint", "--cost", "--rules", "testdata/trace.rules"))
	golden(t, "lint-cost.json", output(t, "", "lint", "--cost", "--rules", "testdata/trace.rules", "--output", "json"))
	one := output(t, "", "lint", "--cost", "--rules", "testdata/trace.rules", "--table", "raw")
	require.Equal(t, "No rule of testdata/trace.rules is asked one by one (1 rule).\n", one)
}

func TestLintSaysWhatOfARuleIsMoreThanConditions(t *testing.T) {
	text, err := os.ReadFile("testdata/trace.rules")
	require.NoError(t, err)
	for rule, want := range map[string]string{
		"-p tcp -m tcp --dport 80 -j ACCEPT":                         "",
		"-m comment --comment x -j ACCEPT":                           "",
		"-m limit --limit 1/s -j ACCEPT":                             "remembers limit",
		"-m string --string x --algo bm -m limit --limit 1/s -j LOG": "reads bytes string, remembers limit, reports LOG",
		"-s a.example -j ACCEPT":                                     "unknown host name a.example",
		"-m recent --name a --set":                                   "remembers recent",
		"-p tcp -m multiport --ports 1,2 -m statistic --mode nth --every 2 --packet 0 -j LOG": "remembers statistic, reports LOG",
	} {
		rules := strings.Replace(string(text), "-A INPUT -i lo -j ACCEPT", "-A INPUT "+rule, 1)
		var r costReport
		out := output(t, "", "lint", "--cost", "--rules", file(t, "r", rules), "--table", "filter", "--output", "json", "--allow-unknown")
		require.NoError(t, json.Unmarshal([]byte(out), &r))
		var got []string
		if r.Rules[0].Chain == "INPUT" && r.Rules[0].Rule == 1 {
			for i := range r.Rules[0].Kinds {
				got = append(got, r.Rules[0].Kinds[i]+" "+r.Rules[0].What[i])
			}
		}
		require.Equal(t, want, strings.Join(got, ", "), rule)
	}
}
