package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// looseRules say things in other ways than iptables-save does.
const looseRules = `*filter
:own - [0:0]
:INPUT DROP [7:420]
[3:180] -A INPUT -j own --proto tcp --dport http
[0:0] -A INPUT -m comment --comment remark -s 10.1.2.3/8 -j ACCEPT
-A own -j RETURN
COMMIT
*nat
-A POSTROUTING -o wan0 -j MASQUERADE
COMMIT
`

func TestPrintShowsRulesInCanonicalForm(t *testing.T) {
	r := file(t, "r", looseRules)
	golden(t, "print.text", output(t, "", "print", "--rules", r))
	golden(t, "print-counters.text", output(t, "", "print", "--rules", r, "--counters", "--table", "filter"))
	golden(t, "print.json", output(t, "", "print", "--rules", r, "--output", "json", "--counters"))
	golden(t, "print-help.golden", output(t, "", "print", "--help"))
	golden(t, "print-native.json", output(t, nativeRules, "print", "--rules", "-", "--output", "json"))
}

func TestWhatIsPrintedPrintsTheSameAgain(t *testing.T) {
	canonical, err := os.ReadFile(tracedRules)
	require.NoError(t, err)
	for _, rules := range []string{looseRules, string(canonical), nativeRules, classbenchRules} {
		text := output(t, rules, "print", "--rules", "-")
		require.Equal(t, text, output(t, text, "print", "--rules", "-"))
		if rules != classbenchRules {
			json := output(t, rules, "print", "--rules", "-", "--output", "json")
			require.Equal(t, text, output(t, json, "print", "--rules", "-"))
			require.Equal(t, json, output(t, json, "print", "--rules", "-", "--output", "json"))
		}
	}
}

func TestPrintChecksAFile(t *testing.T) {
	require.Empty(t, output(t, looseRules, "print", "--rules", "-", "--output", "none"))
	for _, form := range []string{"none", "text", "json"} {
		r := invoke(t, "*filter\n-A INPUT --nonsense -j DROP\nCOMMIT\n", "print", "--rules", "-", "--output", form)
		require.Equal(t, exitData, r.code)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, "standard input:2:")
	}
	r := invoke(t, "*filter\n-A INPUT -s a.example -j DROP\nCOMMIT\n", "print", "--rules", "-", "--allow-unknown")
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.stdout, "-A INPUT -s a.example -j DROP\n")
}

func TestUsageErrorsOfPrint(t *testing.T) {
	rules, list, columns := file(t, "r", looseRules), file(t, "l", nativeRules), file(t, "c", classbenchRules)
	for args, want := range map[string]string{
		"print":                                                 "--rules FILE is missing",
		"print --rules " + list + " --table nat":                "--table and --chain are for iptables and nftables rules",
		"print --rules " + list + " --counters":                 "--counters is for iptables rules",
		"print --rules " + rules + " --table raw":               "has no table raw; it has filter, nat",
		"print --rules " + rules + " --table nat --output json": "--table is for text",
		"print --rules " + columns + " --output json":           "ClassBench rules have no JSON form",
	} {
		r := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.stderr, want, args)
		require.Empty(t, r.stdout, args)
	}
}

func TestAReaderOfTheHelpThatGoesAwayIsNoError(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"trace", "--help"}} {
		var stderr strings.Builder
		require.Equal(t, exitOK, testApp(t.Context(), nil, &brokenPipe{}, &stderr).run(args))
		require.Empty(t, stderr.String())
	}
}
