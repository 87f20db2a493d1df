package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

func TestDescribeListsEveryMatchAndTargetALineEach(t *testing.T) {
	for kind, list := range map[string][]*iptables.Extension{"match": iptables.Describe().Matches, "target": iptables.Describe().Targets} {
		lines := strings.Split(strings.TrimSuffix(output(t, "", "describe", kind), "\n"), "\n")
		require.Len(t, lines, len(list))
		for i, e := range list {
			require.Equal(t, e.Name, strings.Fields(lines[i])[0])
		}
	}
}

func TestDescribeShowsAPageOfEveryName(t *testing.T) {
	c := iptables.Describe()
	for _, e := range append(append([]*iptables.Extension{}, c.Matches...), c.Targets...) {
		page := output(t, "", "describe", e.Kind, e.Name)
		require.True(t, strings.HasPrefix(page, e.Kind+" "+e.Name), page)
		for _, p := range e.Params {
			require.Contains(t, page, "--"+p.Name)
			text := output(t, "", "describe", e.Kind, e.Name, p.Name)
			require.True(t, strings.HasPrefix(text, e.Kind+" "+e.Name+" --"+p.Name), text)
		}
		for _, line := range strings.Split(page, "\n") {
			require.Equal(t, strings.TrimRight(line, " "), line)
		}
	}
	require.Contains(t, output(t, "", "describe", "REJECT"), "target REJECT")
	require.Contains(t, output(t, "", "describe", "option", "s"), "--source")
	require.Contains(t, output(t, "", "describe", "table", "raw"), "PREROUTING OUTPUT")
	require.Contains(t, output(t, "", "describe", "hook"), "FORWARD")
	require.Contains(t, output(t, "", "describe"), "matches")
}

func TestDescribedPagesAreLaidOut(t *testing.T) {
	golden(t, "describe.text", output(t, "", "describe", "match", "multiport")+"----\n"+output(t, "", "describe", "match", "tcp", "dport")+"----\n"+
		output(t, "", "describe", "target", "REJECT")+"----\n"+output(t, "", "describe", "option", "p")+"----\n"+output(t, "", "describe", "hook"))
}

func TestDescribeWritesJSON(t *testing.T) {
	var e struct {
		Name, Class string
		Params      []struct{ Name string }
	}
	require.NoError(t, json.Unmarshal([]byte(output(t, "", "describe", "--output", "json", "match", "multiport")), &e))
	require.Equal(t, "multiport", e.Name)
	require.Equal(t, "native", e.Class)
	require.Len(t, e.Params, 3)
	for _, args := range [][]string{{"--schema"}, {"--output", "schema"}, {"--output", "json"}, {"--output=json", "match"}, {"--output=json", "table"},
		{"--output=json", "hook", "INPUT"}, {"--output=json", "option"}, {"--output=json", "target", "LOG", "log-prefix"}} {
		require.True(t, json.Valid([]byte(output(t, "", append([]string{"describe"}, args...)...))), args)
	}
}

func TestDescribeKnowsWhatIsMeant(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"match tpc", `there is no match "tpc": did you mean tcp?`},
		{"target tcp", `there is no target "tcp"`},
		{"tpc", `there is no match or target "tpc": did you mean tcp or`},
		{"match tcp dprot", `there is no option of match tcp "dprot": did you mean dport?`},
		{"match tcp dport x", `"x" is one word too many`},
		{"matc tcp", `there is no match or target "matc": did you mean match?`},
		{"option -k", "unknown flag -k"},
		{"table x", `there is no table "x": the tables are raw, mangle, nat, filter, security`},
		{"hook raw", `there is no hook "raw"`},
		{"option x", `there is no option of every rule "x"`},
		{"--schema match", "it takes no name"},
	} {
		r := invoke(t, "", append([]string{"describe"}, strings.Fields(c.args)...)...)
		require.Equal(t, exitUsage, r.code, c.args)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, c.want)
	}
}

func TestDescribeTakesOptionsAsTheyStandInRules(t *testing.T) {
	for _, c := range [][2]string{{"option -s", "option source"}, {"match tcp --dport", "match tcp dport"}, {"tcp --dport --output json", "tcp dport --output json"},
		{"option --source --value 1.2.3.4", "option source --value 1.2.3.4"}} {
		want := output(t, "", append([]string{"describe"}, strings.Fields(c[1])...)...)
		require.Equal(t, want, output(t, "", append([]string{"describe"}, strings.Fields(c[0])...)...), c[0])
	}
}

func TestDescribeChecksValues(t *testing.T) {
	require.Equal(t, "80:443\n", output(t, "", "describe", "match", "tcp", "dport", "--value", "http:443"))
	require.Equal(t, "80\n", output(t, "", "describe", "tcp", "dport", "--value", "http", "--not"))
	require.Equal(t, "2001:db8::/32\n", output(t, "", "describe", "option", "source", "--value", "2001:db8::/32", "--family", "6"))
	r := invoke(t, "", "describe", "match", "icmp", "icmp-type", "--value", "echo-requst")
	require.Equal(t, exitData, r.code)
	require.Contains(t, r.stderr, "did you mean echo-request?")
	r = invoke(t, "", "describe", "match", "icmp", "--value", "1")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "--value needs a PARAM")
}
