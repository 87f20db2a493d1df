package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func durationOf(n int64) time.Duration { return time.Duration(n) }

func TestStatsText(t *testing.T) {
	// What numbers come out is the compiler's business.
	text := regexp.MustCompile(`[0-9]+(\.[0-9]+)?`).ReplaceAllString(output(t, "", "stats"), "N")
	text = regexp.MustCompile(`  +`).ReplaceAllString(text, "  ")
	for one, many := range map[string]string{"leaf": "leaves", "step": "steps", "table": "tables", "interval node": "interval nodes", "rule compared": "rules compared"} {
		text = regexp.MustCompile(`N `+one+`\b`).ReplaceAllString(text, "N "+many)
	}
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
	require.Positive(t, r.Tables[0].Nodes.Leaves)
	require.Positive(t, r.Tables[0].BytesPerRule)
	sum := 0
	for _, p := range r.Tables[0].Parts {
		require.Positive(t, p.Bytes, p.Name)
		sum += p.Bytes
	}
	require.Equal(t, r.Tables[0].Bytes, sum)
	require.Len(t, r.Tables[0].Costliest, 10)
	require.Positive(t, r.Tables[0].Mean.Leaves)
	require.GreaterOrEqual(t, r.Tables[0].Worst.Leaves, r.Tables[0].Mean.Leaves)
	require.Len(t, read(list, "--top", "3").Tables[0].Costliest, 3)

	r = read(unknownRules, "--allow-unknown")
	require.Len(t, r.Tables, 2)
	require.Equal(t, "nat", r.Tables[0].Table)
	require.Equal(t, 4, r.Tables[1].Rules)
	r = read(unknownRules, "--allow-unknown", "--table", "filter")
	require.Len(t, r.Tables, 1)
	require.Equal(t, 4, r.Tables[0].Chains)

	require.Empty(t, read("# empty\n", "--rules-format", "classbench").Tables[0].Fields)
}

// Three rules lie behind one that matches all they match; one matches nothing.
const coveredRules = `hipac 1
schema ipv4
rule src=10.0.0.0/8 => ACCEPT
rule src=10.1.0.0/16 dport=80 => DROP
rule src=10.2.0.0/16 => DROP
rule dport=22,80 src=10.0.0.0/9 => DROP
rule dport!=0-65535 => DROP
rule dport!=22 => DROP
`

func TestStatsListRulesWithoutMemory(t *testing.T) {
	short := output(t, coveredRules, "stats", "--rules", "-")
	require.Regexp(t, `(?m)^rules +6 +0 continue, 1 never match, 2 not intervals$`, short)
	require.Regexp(t, `(?m)^no memory +3 +of them, which earlier ones hide$`, short)
	require.NotContains(t, short, "dport=22,80")
	long := output(t, coveredRules, "stats", "--rules", "-", "--verbose", "--top", "2")
	require.True(t, strings.HasPrefix(long, short[:strings.Index(short, "build time")]))
	require.Contains(t, long, `
Rules that take no memory, since earlier ones hide them
  2  src=10.1.0.0/16 dport=80
  3  src=10.2.0.0/16
  and 1 other (--top 3 lists all)
`)
	var r struct{ Tables []tableStats }
	out := output(t, coveredRules, "stats", "--rules", "-", "--output", "json", "--top", "0")
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, []costStats{{Rule: "2", Text: "src=10.1.0.0/16 dport=80"}, {Rule: "3", Text: "src=10.2.0.0/16"},
		{Rule: "4", Text: "dport=22,80 src=10.0.0.0/9"}}, r.Tables[0].NoMemory)
	require.Empty(t, r.Tables[0].Costliest)
}

func TestVerboseStatsOfATableNameItsRules(t *testing.T) {
	r := file(t, "r", deadTable)
	text := output(t, "", "stats", "--rules", r, "--verbose", "--top", "1000")
	for _, part := range []string{
		"\nBy field: ", "\nBy depth; ", "\nMemory\n", "\nLookups: ", "\nThe rules that take the most\n",
		"\n  INPUT/2  -s 10.1.0.0/16 -p tcp -j DROP\n", "\n  INPUT/3  -s 10.2.0.0/16 -j LOG\n",
	} {
		require.Contains(t, text, part)
	}
	require.Regexp(t, `(?m)^  rule +rows +bytes$`, text)
	require.Regexp(t, `(?m)^  FORWARD/1 +[1-9][0-9]* +[1-9][0-9]*  -s 10\.0\.0\.0/8 -j web$`, text)
	require.Regexp(t, `(?m)^  src +32 +[0-9]+ +[0-9]+$`, text)
	for _, line := range strings.Split(text, "\n") {
		require.Equal(t, strings.TrimRight(line, " "), line)
	}
}

func TestGridsAlign(t *testing.T) {
	var out bytes.Buffer
	g := grid{indent: "  ", notes: true}
	g.add("part", "bytes", "")
	g.add("größe", "7", "in short")
	g.add("all", "123456", "x")
	g.write(&out)
	require.Equal(t, "  part    bytes\n  größe       7  in short\n  all    123456  x\n", out.String())
}
