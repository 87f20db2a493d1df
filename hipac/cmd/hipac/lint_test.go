package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// found runs the program, which must find something.
func found(t *testing.T, args ...string) string {
	t.Helper()
	r := invoke(t, "", append([]string{"lint"}, args...)...)
	require.Equal(t, result{code: exitData, stdout: r.stdout}, r)
	return r.stdout
}

func TestLintListsWhatIsWrongWithRules(t *testing.T) {
	golden(t, "lint.text", found(t, "--rules", "testdata/lint.rules"))
	golden(t, "lint.json", found(t, "--rules", "testdata/lint.rules", "--output", "json"))
	golden(t, "lint.sarif", found(t, "--rules", "testdata/lint.rules", "--output", "sarif"))
	golden(t, "lint-native.text", found(t, "--rules", "testdata/lint.native", "--allow-unknown"))
	golden(t, "lint-native.json", found(t, "--rules", "testdata/lint.native", "--allow-unknown", "--output", "json"))
}

func TestLintSaysOnWhichLineARuleOfAListIs(t *testing.T) {
	var r lintReport
	set := "# first\n" + "\n" + "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x06/0xFF\n" + "\n" +
		"  @10.1.0.0/16\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\r\n"
	require.NoError(t, json.Unmarshal([]byte(found(t, "--rules", file(t, "set", set), "--output", "json")), &r))
	require.Equal(t, "hidden", r.Findings[0].Code)
	require.Equal(t, 5, r.Findings[0].Rules[0].Line)
	require.Equal(t, 3, r.Findings[0].Others[0].Line)
}

func TestTheExitCodeOfLintIsByTheWorstFinding(t *testing.T) {
	clean := file(t, "clean", "hipac 1\nschema ipv4\nrule src=10.0.0.0/8 => ACCEPT\nrule src=192.0.2.0/24 => DROP\n")
	note := file(t, "note", "hipac 1\nschema ipv4\nrule src=10.0.0.0/9 => ACCEPT\nrule src=10.128.0.0/9 => ACCEPT\n")
	hidden := file(t, "hidden", "hipac 1\nschema ipv4\nrule src=10.0.0.0/9 => ACCEPT\nrule src=10.0.0.0/10 => ACCEPT\n")
	wrong := file(t, "wrong", "hipac 1\nschema ipv4\nrule src=10.0.0.0/9 => ACCEPT\nrule src=10.0.0.0/10 => DROP\n")
	for _, c := range []struct {
		path, failOn string
		code         int
	}{
		{clean, "note", 0}, {note, "note", 1}, {note, "warning", 0},
		{hidden, "warning", 1}, {hidden, "error", 0}, {wrong, "error", 1}, {wrong, "never", 0},
	} {
		r := invoke(t, "", "lint", "--rules", c.path, "--fail-on", c.failOn)
		require.Equal(t, c.code, r.code, "%s %s", c.path, c.failOn)
		require.Empty(t, r.stderr)
	}
	r := invoke(t, "", "lint", "--rules", file(t, "bad", "hipac 1\nschema ipv4\nrule src=10.0.0.0/99\n"))
	require.Equal(t, exitTrouble, r.code)
	require.Contains(t, r.stderr, ":3:")
	require.Empty(t, r.stdout)
}

func TestLintListsSomeCodesOnly(t *testing.T) {
	var r lintReport
	require.NoError(t, json.Unmarshal([]byte(found(t, "--rules", "testdata/lint.rules", "--output", "json", "--only", "hidden,unreached", "--table", "filter")), &r))
	for _, c := range r.Counts {
		require.Contains(t, []string{"hidden", "unreached"}, c.Code)
	}
	require.Len(t, r.Counts, 3) // hidden rules as errors and as warnings
}

func TestALongListOfFindingsIsCut(t *testing.T) {
	text := found(t, "--rules", "testdata/lint.rules", "--top", "1")
	require.Contains(t, text, "(--top 0 lists all)")
	require.NotContains(t, found(t, "--rules", "testdata/lint.rules", "--top", "0"), "--top 0")
}

// The properties that SARIF 2.1.0 asks for, by its sections 3.13 and following.
func TestSarifHasWhatTheStandardAsksFor(t *testing.T) {
	var log map[string]any
	require.NoError(t, json.Unmarshal([]byte(found(t, "--rules", "testdata/lint.rules", "--output", "sarif")), &log))
	require.Equal(t, "2.1.0", log["version"])
	run := log["runs"].([]any)[0].(map[string]any)
	driver := run["tool"].(map[string]any)["driver"].(map[string]any)
	require.NotEmpty(t, driver["name"])
	var ids []any
	for _, r := range driver["rules"].([]any) {
		ids = append(ids, r.(map[string]any)["id"])
	}
	require.Equal(t, true, run["invocations"].([]any)[0].(map[string]any)["executionSuccessful"])
	results := run["results"].([]any)
	require.NotEmpty(t, results)
	for _, r := range results {
		r := r.(map[string]any)
		require.Equal(t, ids[int(r["ruleIndex"].(float64))], r["ruleId"])
		require.Contains(t, []any{"error", "warning", "note"}, r["level"])
		require.NotEmpty(t, r["message"].(map[string]any)["text"])
		locations := r["locations"].([]any)
		if related, ok := r["relatedLocations"]; ok {
			locations = append(locations, related.([]any)...)
		}
		for _, l := range locations {
			p := l.(map[string]any)["physicalLocation"].(map[string]any)
			require.Equal(t, "testdata/lint.rules", p["artifactLocation"].(map[string]any)["uri"])
			if region, ok := p["region"]; ok {
				require.GreaterOrEqual(t, region.(map[string]any)["startLine"], 1.0)
			}
		}
	}
}

func TestUsageErrorsOfLint(t *testing.T) {
	for args, want := range map[string]string{
		"lint":        "--rules FILE is missing",
		"lint --cost": "--rules FILE is missing",
		"lint --rules testdata/lint.rules --only hiden":                    "there is no such code; choose from never, hidden",
		"lint --rules testdata/lint.rules --top=-1":                        "at least 0 is wanted",
		"lint --rules testdata/lint.rules --timeout=-1s":                   "more than 0 is wanted",
		"lint --rules testdata/lint.native --table filter --allow-unknown": "--table is for iptables and nftables rules",
		"lint --cost --rules testdata/trace.rules --table ACCEPT":          "has no table ACCEPT",
		"lint --cost --rules " + file(t, "l", nativeRules):                 "--cost is for iptables and nftables rules",
	} {
		r := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.stderr, want)
	}
}

func TestALintThatIsGivenUpSaysSo(t *testing.T) {
	r := invoke(t, "", "lint", "--rules", "testdata/lint.rules", "--timeout", "1ns")
	require.Equal(t, exitTrouble, r.code)
	require.Contains(t, r.stdout, "partial: ")
	require.Contains(t, r.stderr, "there may be more")
}

func TestATableThatNoPacketEntersHasNoFindings(t *testing.T) {
	const listing = `{"nftables":[{"table":{"family":"inet","name":"x","handle":1}},{"chain":{"family":"inet","table":"x","name":"c","handle":2}},` +
		`{"rule":{"family":"inet","table":"x","chain":"c","handle":3,"expr":[{"accept":null}]}}]}`
	r := invoke(t, "", "lint", "--rules", file(t, "l", listing))
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "1 rule, 0 errors")
}
