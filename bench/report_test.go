package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	results "github.com/hipac-go/classifier/bench/result"
)

// resultsText is a file of results with two engines.
func resultsText(t *testing.T) string {
	t.Helper()
	run := results.Run{Machine: results.Machine{CPU: "example", Cores: 2}, Points: []results.Point{
		{Command: "lookup", Engine: "hipac", Set: "fw1", Rules: 1000, Metric: "lookup", Unit: "ns", Value: 80},
		{Command: "lookup", Engine: "linear", Set: "fw1", Rules: 1000, Metric: "lookup", Unit: "ns", Value: 4000},
	}}
	var b bytes.Buffer
	require.NoError(t, run.Write(&b))
	return b.String()
}

func TestReportWritesAPageAndItsPlots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	got := invoke(t, resultsText(t), "report", "--results", "-", "--out", dir)
	require.Equal(t, result{stdout: "lookup.svg\nlookup.png\nindex.html\n"}, got)
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "bench report --results - --out "+dir)

	got = invoke(t, resultsText(t), "report", "--results", "-", "--out", dir, "--plots", "lookup")
	require.Equal(t, result{stdout: "lookup.svg\nlookup.png\n"}, got)
}

func TestReportSaysWhatIsWrong(t *testing.T) {
	good, blocked := file(t, "r", resultsText(t)), file(t, "f", "")
	for _, tt := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"--results", good}, "missing flags: --out=DIR"},
		{exitUsage, []string{"--results", good, "--out", "x", "--plots", "pie"}, `--plots: there is no "pie"; choose from lookup,`},
		{exitData, []string{"--results", good, "--out", "x", "--sets", "acl9"}, `no results for a set "acl9"`},
		{exitData, []string{"--results", good, "--out", blocked}, blocked + ": not a directory"},
		{exitData, []string{"--results", blocked, "--out", "x"}, blocked + ": no results: the file is empty"},
		{exitData, []string{"--results", file(t, "b", "{]"), "--out", "x"}, "no results of bench: not the JSON of results: invalid character ']' looking for beginning of object key string; bench all writes them"},
		{exitData, []string{"--results", file(t, "c", `{"format":2}`), "--out", "x"}, "results of format 2"},
		{exitData, []string{"--results", file(t, "d", `{"rules":2}`), "--out", "x"}, `no results of bench: JSON without a "format"; bench all writes them with --out, and compare,`},
		{exitData, []string{"--results", "/nowhere", "--out", "x"}, "/nowhere: no such file"},
	} {
		got := invoke(t, "", append([]string{"report"}, tt.args...)...)
		require.Equal(t, tt.code, got.code, tt.args)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, tt.want)
		require.NoDirExists(t, "x")
	}
}

func TestReportMeasuresWhenThereAreNoResults(t *testing.T) {
	families, sizes, scale := quickFamilies, quickSizes, quickScale
	t.Cleanup(func() { quickFamilies, quickSizes, quickScale = families, sizes, scale })
	quickFamilies, quickSizes, quickScale = []string{"fw1"}, []int{100, 300}, []int{100, 300}
	dir := t.TempDir()
	got := invoke(t, "", "report", "--quick", "--out", dir)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "\nindex.html\n")
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "bench all --out "+filepath.Join(dir, "results.json")+" --quick")
	require.Contains(t, string(page), "What is missing, and why")

	got = invoke(t, "", "report", "--quick", "--results", filepath.Join(dir, "results.json"), "--out", dir)
	require.Equal(t, exitUsage, got.code)
	got = invoke(t, "", "report", "--results", filepath.Join(dir, "results.json"), "--out", filepath.Join(dir, "again"))
	require.Equal(t, exitOK, got.code, got.stderr)
}
