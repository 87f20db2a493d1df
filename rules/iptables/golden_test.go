package iptables

// Golden files: what is printed of a rule, and what is said of a bad one.

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func printed(t *testing.T, rs *Ruleset, counters bool) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, rs, counters))
	return b.String()
}

// printRule reads a rule into chain c of a table of its own and returns what
// is printed for it, one line per rule.
func printRule(t *testing.T, rule string) string {
	t.Helper()
	o := Options{Family: 4}
	if text, ok := strings.CutPrefix(rule, "@6 "); ok {
		o.Family, rule = 6, text
	}
	head := "*filter\n:INPUT ACCEPT [0:0]\n:c - [0:0]\n:d - [0:0]\n"
	rs, err := Read(strings.NewReader(head+rule+"\nCOMMIT\n"), o)
	if err != nil {
		return err.Error() + "\n"
	}
	var got []string
	text := printed(t, rs, strings.HasPrefix(rule, "[") || strings.Contains(rule, " -c "))
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "-A ") {
			got = append(got, line)
		}
	}
	again, err := Read(strings.NewReader(text), Options{})
	require.NoError(t, err, "what is printed reads back")
	require.Equal(t, rs.Family, again.Family)
	require.Equal(t, text, printed(t, again, strings.Contains(text, "[3:") || strings.Contains(text, "[2:")), "and prints the same again")
	c, c2 := rs.Tables[0].Chains[3].Rules, again.Tables[0].Chains[3].Rules
	require.Equal(t, c.Len(), c2.Len())
	diff, err := rules.DiffTables(rs.Tables, again.Tables)
	require.NoError(t, err)
	require.True(t, diff.Empty(), "and is the same again")
	for i := range c.Len() {
		require.Equal(t, c.At(i), c2.At(i), "and means the same")
	}
	return strings.Join(got, "\n") + "\n"
}

// checkPrinted rewrites what is printed of the rules in a golden file.
func checkPrinted(t *testing.T, file string) {
	t.Helper()
	in, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimRight(string(in), "\n"), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "  "):
		case line[0] == '#':
			out.WriteString(line + "\n")
		default:
			out.WriteString(line + "\n")
			for _, p := range strings.Split(strings.TrimRight(printRule(t, line), "\n"), "\n") {
				out.WriteString("  " + p + "\n")
			}
		}
	}
	checkGolden(t, file, out.String())
}

func TestPrintedRulesAreCanonical(t *testing.T) { checkPrinted(t, "testdata/print.txt") }

func TestBadFilesAreRefusedWithPlaceAndReason(t *testing.T) {
	in, err := os.ReadFile("testdata/errors.txt")
	require.NoError(t, err)
	blocks := strings.Split(string(in), "---\n")
	out := blocks[0]
	for _, block := range blocks[1:] {
		text, _, _ := strings.Cut(block, "===\n")
		rs, err := Read(strings.NewReader(text), Options{File: "f"})
		require.Error(t, err, text)
		require.Nil(t, rs)
		out += "---\n" + text + "===\n" + err.Error() + "\n"
	}
	checkGolden(t, "testdata/errors.txt", out)
}
