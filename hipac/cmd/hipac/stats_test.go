package main

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func durationOf(n int64) time.Duration { return time.Duration(n) }

func TestStatsText(t *testing.T) {
	// What numbers come out is the compiler's business.
	text := regexp.MustCompile(`[0-9]+(\.[0-9]+)?`).ReplaceAllString(output(t, "", "stats"), "N")
	text = regexp.MustCompile(`  +`).ReplaceAllString(text, "  ")
	text = regexp.MustCompile(`(  at depth N  N\n)+`).ReplaceAllString(text, "  at depth N  N\n")
	golden(t, "stats.text", text)
}

func TestStatsCountWhatTheFileHolds(t *testing.T) {
	type report struct {
		Format string       `json:"rules_format"`
		Tables []tableStats `json:"tables"`
	}
	read := func(rules string, args ...string) (r report) {
		out := output(t, rules, append([]string{"stats", "--rules", "-", "--output", "json"}, args...)...)
		require.NoError(t, json.Unmarshal([]byte(out), &r))
		return r
	}
	list, _ := randomSet(1, 500, 0)
	r := read(list)
	require.Equal(t, "classbench", r.Format)
	require.Len(t, r.Tables, 1)
	require.Equal(t, 500, r.Tables[0].Rules)
	require.Len(t, r.Tables[0].Fields, 5)
	require.Positive(t, r.Tables[0].Nodes["leaf"])
	require.Positive(t, r.Tables[0].BytesPerRule)

	r = read(unknownRules, "--allow-unknown")
	require.Len(t, r.Tables, 2)
	require.Equal(t, "nat", r.Tables[0].Table)
	require.Equal(t, 4, r.Tables[1].Rules)
	r = read(unknownRules, "--allow-unknown", "--table", "filter")
	require.Len(t, r.Tables, 1)
	require.Equal(t, 4, r.Tables[0].Chains)

	require.Empty(t, read("# empty\n", "--rules-format", "classbench").Tables[0].Fields)
}
