package main

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
)

// benchmarks reads what a command printed, all of which must be benchmarks.
func benchmarks(t *testing.T, text string) (all []*benchfmt.Result) {
	t.Helper()
	r := benchfmt.NewReader(strings.NewReader(text), "stdout")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			all = append(all, rec.Clone())
		default:
			require.Fail(t, "no benchmark", "%v", rec)
		}
	}
	require.NoError(t, r.Err())
	lines := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Benchmark") {
			lines++
		}
	}
	require.Len(t, all, lines)
	return all
}

func TestLinesAreThoseOfGoBenchmarks(t *testing.T) {
	var out bytes.Buffer
	r := (&app{stdout: &out}).newRecorder(false)
	r.line("Lookup", []label{{"engine", "hipac"}, {"set", "a b/c\n"}, {"n", 1000}}, 12345, figure{17.25, "ns/op"}, figure{0.001, "B/rule"})
	r.line("Lookup", nil, 0, figure{1e9, "ns/op"})
	require.NoError(t, r.end())
	all := benchmarks(t, out.String())
	require.Len(t, all, 2)
	require.Equal(t, `Lookup/engine=hipac/set=a_b_c\n/n=1000`, string(all[0].Name))
	require.Equal(t, 12345, all[0].Iters)
	require.Equal(t, runtime.GOARCH, all[0].GetConfig("goarch"))
	require.Equal(t, "github.com/hipac-go/classifier/bench", all[0].GetConfig("pkg"))
	ns, ok := all[0].Value("sec/op")
	require.True(t, ok)
	require.InDelta(t, 17.25e-9, ns, 1e-12)
	bytes, ok := all[0].Value("B/rule")
	require.True(t, ok)
	require.InDelta(t, 0.001, bytes, 1e-12)
	require.Equal(t, 1, all[1].Iters)
}

func TestPointsAreMediansWithQuartiles(t *testing.T) {
	var out, errs bytes.Buffer
	r := (&app{stdout: &out, stderr: &errs, args: []string{"compare", "--file", "my rules"}}).newRecorder(true)
	r.point(results.Point{Metric: "lookup"}, 9, 1, 5, 3, 7)
	r.point(results.Point{Metric: "bytes"}, 8)
	r.gap(t.Context(), results.Gap{Command: "lookup", Engine: "oak", Set: "fw1", Rules: 10}, errors.New("oak: it has \x1b leaves"))
	require.NoError(t, r.end())
	run, err := results.Read(&out)
	require.NoError(t, err)
	require.Equal(t, []string{"bench compare --file 'my rules'"}, run.Commands)
	require.Equal(t, []results.Point{{Metric: "lookup", Value: 5, Low: 3, High: 7, Rounds: 5}, {Metric: "bytes", Value: 8, Rounds: 1}}, run.Points)
	require.Equal(t, []results.Gap{{Command: "lookup", Engine: "oak", Set: "fw1", Rules: 10, Why: `it has \x1b leaves`}}, run.Missing)
	require.Equal(t, "bench: oak, fw1, 10 rules: not measured: it has \\x1b leaves\n", errs.String())
	require.Equal(t, runtime.Version(), run.Machine.Go)
	require.Positive(t, run.Machine.Cores)
}

func TestWrongAnswersAreWhatARecordEndsWith(t *testing.T) {
	var errs bytes.Buffer
	r := (&app{stdout: &bytes.Buffer{}, stderr: &errs}).newRecorder(false)
	wrong := &compare.WrongError{Checked: compare.Checked{Packets: 3, Wrong: 2, First: &compare.Mismatch{Text: "dport=1", Got: 1, Want: -1}}}
	r.gap(t.Context(), results.Gap{Engine: "oak", Set: "fw1", Rules: 10}, wrong)
	require.EqualError(t, r.end(), "oak, fw1, 10 rules: "+wrong.Error())
	require.Empty(t, errs.String(), "it is said once, by the end of the command")
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestARecordThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		r := (&app{stdout: fullDisk{}}).newRecorder(asJSON)
		r.line("Lookup", nil, 1, figure{1, "ns/op"})
		require.EqualError(t, r.end(), "no space left")
	}
}
