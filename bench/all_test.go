package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
)

func TestScaleHasTimeAndMemoryBySizeAndLookupsByCores(t *testing.T) {
	run := measured(t, "scale", "--rules", "20,80", "--engines", "hipac,hipac-live,abv", "--cores", "1")
	require.Empty(t, run.Missing)
	for _, engine := range []string{"hipac", "hipac-live", "abv"} {
		for _, n := range []int{20, 80} {
			points := of(run, engine, "fw1", n)
			for _, metric := range []string{"lookup", "build_cpu", "build_wall", "bytes", "bytes_per_rule"} {
				require.Positive(t, points["scale "+metric].Value, "%s %d %s", engine, n, metric)
			}
			p, ok := points["scale throughput"]
			require.Equal(t, engine != "abv" && n == 80, ok, "%s %d", engine, n)
			if ok {
				require.Equal(t, "lookups/s", p.Unit)
				require.Equal(t, 1, p.Cores)
				require.Equal(t, passes, p.Rounds)
				require.Positive(t, p.Low)
			}
		}
	}
	got := invoke(t, "", "scale", "--rules", "20", "--engines", "hipac")
	require.Equal(t, exitOK, got.code)
	seen := map[string]bool{}
	for _, b := range benchmarks(t, got.stdout) {
		seen[string(b.Name.Base())] = true
	}
	require.Equal(t, map[string]bool{"ScaleBuild": true, "ScaleMemory": true, "ScaleLookup": true, "Throughput": true}, seen)
}

func TestSeveralCoresLookUpInTheLargestSetThatIsNotTooLarge(t *testing.T) {
	set := func(name string, n int) ruleset { return ruleset{name: name, rules: n} }
	require.Equal(t, []ruleset{set("a", 100_000), set("b", 10), set("c", 300_000)}, onCores([]ruleset{
		set("a", 100), set("a", 100_000), set("a", 300_000), set("b", 10), set("c", 300_000), set("c", 400_000)}))
}

func TestCoresAreThoseThatThereAre(t *testing.T) {
	got := invoke(t, "", "scale", "--cores", "1,100000")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, "--cores 100000: not in 1..")
	require.Equal(t, []int{1, 2, 4, 6}, doubling(6))
	require.Equal(t, []int{1}, doubling(1))
}

func TestAWrongEngineOnSeveralCoresIsNotTimed(t *testing.T) {
	calls := 0
	tamper := func(name string, positions []int32) {
		// The first calls are those of the contest; the last is of all keys walked for.
		if calls++; len(positions) == 2000 {
			positions[3] += 5
		}
	}
	got := invokeTampered(t, tamper, "", "scale", "--rules", "20", "--engines", "hipac", "--cores", "1", "--json")
	require.Equal(t, exitData, got.code)
	require.Contains(t, got.stderr, "bench: hipac, fw1, 20 rules: wrong: 1 of 2000 packets")
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.NotContains(t, of(run, "hipac", "fw1", 20), "scale throughput")
	require.Contains(t, of(run, "hipac", "fw1", 20), "scale lookup")
}

func TestAllMeasuresEveryPartAndWritesAFile(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run.json")
	got := invoke(t, "", "all", "--family", "fw1,ipc1", "--rules", "60", "--engines", "hipac,hipac-live,tuplemerge", "--out", out)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stderr, "bench: 6 of 6 done after ")
	benchmarks(t, got.stdout)
	f, err := os.Open(out)
	require.NoError(t, err)
	defer f.Close()
	run, err := results.Read(f)
	require.NoError(t, err)
	require.Empty(t, run.Missing)
	want := map[string][]string{
		"hipac":      {"lookup lookup", "lookup lookup_worst", "build build_cpu", "build build_wall", "memory bytes", "memory bytes_per_rule", "scale lookup", "scale throughput"},
		"hipac-live": {"update insert_p50", "update delete_max", "update slowdown_during", "update rebuild"},
		"tuplemerge": {"lookup lookup", "update insert_cpu_max", "update delete_cpu_max", "scale bytes"},
	}
	for engine, metrics := range want {
		points := of(run, engine, "fw1", 60)
		for _, metric := range metrics {
			require.Positive(t, points[metric].Value, "%s %s", engine, metric)
		}
	}
	for engine := range want {
		points := of(run, engine, "fw1", 60)
		for scale, measured := range map[string]string{"scale lookup": "lookup lookup", "scale build_cpu": "build build_cpu", "scale build_wall": "build build_wall",
			"scale bytes": "memory bytes", "scale bytes_per_rule": "memory bytes_per_rule"} {
			p := points[scale]
			p.Command = points[measured].Command
			require.Equal(t, points[measured], p, "%s %s: one figure for one thing", engine, scale)
		}
	}
	require.Equal(t, "IPv4", run.Settings.Family)
	require.Len(t, run.Engines, 3)
	require.Contains(t, of(run, "hipac-live", "fw1", 60), "update growth_after") // of so little memory that it may be 0
	require.Contains(t, of(run, "hipac-live", "ipc1", 60), "update insert_p50")
	require.NotContains(t, of(run, "hipac", "ipc1", 60), "scale lookup", "of one family")
}

func TestAllReadsAFileOfRules(t *testing.T) {
	run := measured(t, "all", "--file", file(t, "office.rules", nativeRules), "--engines", "hipac", "--quick")
	require.Empty(t, run.Missing)
	points := of(run, "hipac", "office.rules", 2)
	require.Contains(t, points, "lookup lookup_worst")
	require.Contains(t, points, "scale throughput")
}

func TestAllWithoutTimeForAnythingFailsAndSaysWhatIsMissing(t *testing.T) {
	got := invoke(t, "", "all", "--rules", "50", "--engines", "hipac", "--minutes", "0.000001", "--json")
	require.Equal(t, exitData, got.code, got.stderr)
	require.Equal(t, "bench: time ran out before anything was measured\n", got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.NotEmpty(t, run.Missing)
	for _, g := range run.Missing {
		require.Equal(t, "time ran out", g.Why)
	}
}

func TestAllKeepsWhatItHadWhenItsTimeIsOver(t *testing.T) {
	peers := func(context.Context, string) ([]compare.Contestant, error) {
		return []compare.Contestant{&odd{name: "hanging", Contestant: compare.Local(localMakers()[0])}}, nil
	}
	got := invokeWith(peers, "all", "--family", "fw1", "--rules", "50", "--engines", "hipac,hanging", "--minutes", "0.02", "--json")
	require.Equal(t, exitOK, got.code, got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	for _, engine := range []string{"hipac", "hanging"} {
		points := of(run, engine, "fw1", 50)
		require.Contains(t, points, "build build_cpu", engine)
		require.NotContains(t, points, "lookup lookup", engine)
	}
	var gaps []string
	for _, g := range run.Missing {
		require.Equal(t, "time ran out", g.Why)
		gaps = append(gaps, g.Command+" "+g.Engine)
	}
	require.Regexp(t, `\nbench: time ran out: \d of \d parts are missing or not whole, from lookup, fw1, 50 rules on\n$`, "\n"+got.stderr)
	require.Subset(t, gaps, []string{"lookup hipac", "lookup hanging", "lookup all", "update all", "scale all"})
}

func TestAllFindsOutFirstThatAFileCannotBeWritten(t *testing.T) {
	asked := false
	peers := func(context.Context, string) ([]compare.Contestant, error) {
		asked = true
		return nil, errors.New("none")
	}
	out := filepath.Join(t.TempDir(), "none", "run.json")
	got := invokeWith(peers, "all", "--out", out)
	require.Equal(t, result{code: exitData, stderr: "bench: " + out + ": no such file or directory\n"}, got)
	require.False(t, asked)
}

func TestAllWithWrongAnswersFailsAndKeepsTheFile(t *testing.T) {
	tamper := func(name string, positions []int32) {
		if name == "tuplemerge" {
			positions[0] += 5
		}
	}
	out := filepath.Join(t.TempDir(), "run.json")
	got := invokeTampered(t, tamper, "", "all", "--family", "fw1", "--rules", "40", "--engines", "hipac,tuplemerge", "--out", out)
	require.Equal(t, exitData, got.code)
	require.Contains(t, got.stderr, "bench: tuplemerge, fw1, 40 rules: wrong: ")
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	run, err := results.Read(bytes.NewReader(data))
	require.NoError(t, err)
	require.Empty(t, of(run, "tuplemerge", "fw1", 40))
	require.NotEmpty(t, of(run, "hipac", "fw1", 40))
}

func TestAllTakesSmallSetsOfEverythingFirst(t *testing.T) {
	a := &app{effort: little}
	r := &allRun{a: a, cmd: &allCmd{}, sets: &contest{}, scale: &contest{}}
	sets, err := r.cmd.sets(a, allFamilies, allSizes)
	require.NoError(t, err)
	parts := r.parts(sets, scaleSizes)
	seen := map[string]bool{}
	for i, p := range parts {
		require.Positive(t, p.weight)
		if i > 0 {
			require.LessOrEqual(t, parts[i-1].set.rules, p.set.rules)
		}
		seen[p.command+" "+p.set.name] = true
	}
	for _, want := range []string{"lookup acl1", "lookup nf-hipac", "lookup crossing", "update fw1", "scale fw1"} {
		require.True(t, seen[want], want)
	}
	require.Equal(t, 1_000_000, parts[len(parts)-1].set.rules)
}

func TestBadUsageOfAllHasItsOwnExitCode(t *testing.T) {
	for args, want := range map[string]string{
		"all --minutes=-1":    "--minutes -1: not above 0 and",
		"all --minutes NaN":   "--minutes NaN: not above 0 and",
		"all --minutes 0":     "--minutes 0: not above 0 and",
		"all --family fw9":    "--family: there is no family",
		"all --engines oak":   `--engines: there is no "oak"`,
		"all --timeout 0s":    "--timeout 0s: not above 0",
		"all --rules 1,2 now": "unexpected argument now",
	} {
		got := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitUsage, got.code, args)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, want)
	}
}
