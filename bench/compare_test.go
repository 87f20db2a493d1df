package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// measured runs a command with --json, and returns what it printed.
func measured(t *testing.T, args ...string) *results.Run {
	t.Helper()
	got := invoke(t, "", append(args, "--json")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Equal(t, []string{"bench " + strings.Join(args, " ") + " --json"}, run.Commands)
	return run
}

// of returns the metrics of an engine and a set.
func of(run *results.Run, engine, set string, n int) map[string]results.Point {
	list := map[string]results.Point{}
	for _, p := range run.Points {
		if p.Engine == engine && p.Set == set && p.Rules == n {
			list[p.Command+" "+p.Metric] = p
		}
	}
	return list
}

func TestCompareHasAFigureForEveryContestantSetAndSize(t *testing.T) {
	run := measured(t, "compare", "--family", "acl1,fw1", "--rules", "200,50", "--traffic", "uniform,misses")
	require.Empty(t, run.Missing)
	for _, m := range localMakers() {
		for _, set := range []string{"acl1", "fw1"} {
			for _, n := range []int{50, 200} {
				points := of(run, m.Name, set, n)
				if m.Name == slowName {
					require.Empty(t, points)
					continue
				}
				require.Len(t, points, 4, "%s %s %d", m.Name, set, n)
				for _, name := range []string{"lookup lookup", "lookup lookup_misses"} {
					p := points[name]
					require.Equal(t, "ns", p.Unit)
					require.Equal(t, m.Title, p.Title)
					require.Equal(t, passes, p.Rounds)
					require.Positive(t, p.Low)
					require.LessOrEqual(t, p.Low, p.Value)
					require.LessOrEqual(t, p.Value, p.High)
				}
				require.InEpsilon(t, points["memory bytes"].Value, points["memory bytes_per_rule"].Value*float64(n), 1e-9)
			}
		}
	}
}

func TestCompareJSONHasTheAgreedKeys(t *testing.T) {
	got := invoke(t, "", "compare", "--rules", "30", "--engines", "hipac,linear", "--json")
	require.Equal(t, exitOK, got.code)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &v))
	require.Equal(t, []string{"commands", "engines", "format", "machine", "points", "settings"}, keys(v))
	delete(v["machine"].(map[string]any), "load_average") // where the system tells
	require.Equal(t, []string{"commit", "cores", "cpu", "go", "memory_bytes", "os", "started"}, keys(v["machine"]))
	require.Equal(t, []string{"command", "different_packets", "engine", "high", "low", "metric", "packets", "rounds", "rules", "set", "title", "unit", "value"}, keys(v["points"].([]any)[4]))
}

func TestComparePrintsABenchmarkForEveryRound(t *testing.T) {
	got := invoke(t, "", "compare", "--rules", "100", "--engines", "hipac,hipac-index,tuplemerge,bitvector", "--edits", "100")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Empty(t, got.stderr)
	count := map[string]int{}
	for _, b := range benchmarks(t, got.stdout) {
		count[string(b.Name)]++
		for _, v := range b.Values {
			if strings.HasPrefix(string(b.Name), "Edit/") { // which may take no longer than the clock varies
				require.GreaterOrEqual(t, v.Value, 0., "%s %s", b.Name, v.Unit)
				continue
			}
			require.Positive(t, v.Value, "%s %s", b.Name, v.Unit)
		}
	}
	want := map[string]int{}
	for _, e := range []string{"hipac", "hipac-index", "tuplemerge", "bitvector"} {
		want["Lookup/engine="+e+"/set=fw1/n=100"] = passes
		want["Memory/engine="+e+"/set=fw1/n=100"] = 1
	}
	for _, kind := range []string{"delete", "insert"} {
		want["Edit/engine=tuplemerge/set=fw1/kind="+kind+"/n=100"] = 1
	}
	require.Equal(t, want, count)
}

func TestCompareReadsFilesOfRules(t *testing.T) {
	for format, text := range map[string]string{"native": nativeRules, "classbench": classbenchRules} {
		path := file(t, "office.rules", text)
		run := measured(t, "compare", "--file", path, "--engines", "hipac,tuplespace", "--edits", "3")
		require.Empty(t, run.Missing)
		require.Contains(t, of(run, "hipac", "office.rules", 2), "lookup lookup", format)
		require.Contains(t, of(run, "tuplespace", "office.rules", 2), "update insert_cpu_p50", format)
	}
}

func TestAContestantThatAnswersWronglyIsReportedAndNotTimed(t *testing.T) {
	for _, packet := range []int{7, 1500} { // one that is walked for, and one behind them
		seen := 0
		tamper := func(name string, positions []int32) {
			if name != "tuplemerge" {
				return
			}
			if seen <= packet && packet < seen+len(positions) {
				positions[packet-seen] += 5
			}
			seen += len(positions)
		}
		got := invokeTampered(t, tamper, "", "compare", "--rules", "100", "--engines", "hipac,tuplemerge,abv", "--check", "1000", "--json")
		require.Equal(t, exitData, got.code)
		require.Contains(t, got.stderr, "bench: tuplemerge, fw1, 100 rules: wrong: 1 of ")
		require.Contains(t, got.stderr, fmt.Sprintf("the first is packet %d (src=", packet))
		require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
		run, err := results.Read(strings.NewReader(got.stdout))
		require.NoError(t, err)
		require.Len(t, run.Missing, 1)
		require.Equal(t, "tuplemerge", run.Missing[0].Engine)
		require.Empty(t, of(run, "tuplemerge", "fw1", 100), "the others go on")
		require.NotEmpty(t, of(run, "hipac", "fw1", 100))
		require.NotEmpty(t, of(run, "abv", "fw1", 100))
	}
}

func TestTheOneThatOthersAreComparedWithMayBeTheWrongOne(t *testing.T) {
	seen := 0
	tamper := func(name string, positions []int32) {
		if name == "hipac" {
			if seen += len(positions); seen == 2000 {
				positions[len(positions)-1] += 5
			}
		}
	}
	got := invokeTampered(t, tamper, "", "compare", "--rules", "100", "--engines", "hipac,tuplemerge,abv", "--check", "1000", "--json")
	require.Equal(t, exitData, got.code)
	require.Contains(t, got.stderr, "bench: hipac, fw1, 100 rules: wrong: 1 of 2000 packets are answered wrongly; the first is packet 1999 (src=")
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Len(t, run.Missing, 1)
	require.Empty(t, of(run, "hipac", "fw1", 100))
	require.NotEmpty(t, of(run, "tuplemerge", "fw1", 100))
	require.NotEmpty(t, of(run, "abv", "fw1", 100))
}

// odd is a contestant of other projects, for tests: what goes wrong with it is
// its name.
type odd struct {
	compare.Contestant
	name string
	load error
}

func (o *odd) About() compare.About {
	a := compare.About{Name: o.name, Title: o.name}
	if o.name == "absent" {
		a.Skip = "its library is not installed"
	}
	return a
}

func (o *odd) Load(ctx context.Context, l *rules.List[string], bytes int64) (compare.Built, error) {
	if o.name == "slow" {
		<-ctx.Done()
		return compare.Built{}, ctx.Err()
	}
	if o.load != nil {
		return compare.Built{}, o.load
	}
	return o.Contestant.Load(ctx, l, bytes)
}

func (o *odd) Pass(ctx context.Context, from, to, repeat int) (time.Duration, error) {
	if o.name == "crashing" {
		return 0, &compare.ProcessError{Name: o.name, Why: compare.ErrCrashed, Asked: "pass"}
	}
	if o.name == "hanging" {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return o.Contestant.Pass(ctx, from, to, repeat)
}

// invokeWith runs the program with peers.
func invokeWith(peers func(context.Context, string) ([]compare.Contestant, error), args ...string) result {
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, effort: little, peers: peers}
	code := a.run(args)
	return result{code, stdout.String(), stderr.String()}
}

func TestWhatAPeerCannotDoIsAGapWithItsReason(t *testing.T) {
	peers := func(context.Context, string) (all []compare.Contestant, err error) {
		for _, o := range []*odd{
			{name: "good"}, {name: "absent"}, {name: "slow"}, {name: "crashing"},
			{name: "choosy", load: fmt.Errorf("choosy: %w: rule 3 asks for a port", compare.ErrUnsupported)},
			{name: "huge", load: fmt.Errorf("huge: %w: it takes 9 GB", compare.ErrMemory)},
		} {
			o.Contestant = compare.Local(localMakers()[0])
			all = append(all, o)
		}
		return all, nil
	}
	got := invokeWith(peers, "compare", "--rules", "50,60", "--engines", "hipac,good,absent,slow,crashing,choosy,huge", "--timeout", "300ms", "--json")
	require.Equal(t, exitOK, got.code, got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	for _, n := range []int{50, 60} {
		require.Contains(t, of(run, "good", "fw1", n), "lookup lookup")
		require.NotContains(t, of(run, "crashing", "fw1", n), "lookup lookup")
	}
	var gaps []string
	for _, g := range run.Missing {
		require.Equal(t, "lookup", g.Command)
		gaps = append(gaps, fmt.Sprintf("%s %d: %s", g.Engine, g.Rules, g.Why))
	}
	require.ElementsMatch(t, []string{
		"absent 0: its library is not installed",
		"slow 50: its build takes longer than 1.5s by the clock",
		"slow 60: not tried: with 50 rules, its build takes longer than 1.5s by the clock",
		"crashing 50: crashed (asked to pass)", "crashing 60: crashed (asked to pass)",
		"choosy 50: not supported: rule 3 asks for a port", "choosy 60: not supported: rule 3 asks for a port",
		"huge 50: too much memory: it takes 9 GB", "huge 60: not tried: with 50 rules, too much memory: it takes 9 GB",
	}, gaps)
	require.Equal(t, len(gaps), strings.Count(got.stderr, ": not measured: "))
}

// shy is a contestant that can be asked about the first packets only.
type shy struct {
	compare.Contestant
	asked func(packets int) int
	last  int
}

func (s *shy) About() compare.About { return compare.About{Name: "shy"} }

func (s *shy) Keys(ctx context.Context, keys []uint32) (int, error) {
	s.last = s.asked(len(keys) / rules.IPv4Tuple.KeyLen())
	_, err := s.Contestant.Keys(ctx, keys)
	return len(keys)/rules.IPv4Tuple.KeyLen() - s.last, err
}

func (s *shy) Answers(ctx context.Context, from int, out []int32) error {
	err := s.Contestant.Answers(ctx, from, out)
	for i := range out {
		if from+i >= s.last {
			out[i] = compare.NotAsked
		}
	}
	return err
}

func TestAPeerThatCanBeAskedAboutFewPacketsIsNotTimedOverThose(t *testing.T) {
	times := 0
	peers := func(context.Context, string) ([]compare.Contestant, error) {
		return []compare.Contestant{&shy{Contestant: compare.Local(localMakers()[0]), asked: func(n int) int {
			if times++; times == 1 {
				return n - 10
			}
			return 7
		}}}, nil
	}
	got := invokeWith(peers, "compare", "--rules", "50", "--engines", "hipac,shy", "--traffic", "uniform,zipf", "--json")
	require.Equal(t, exitOK, got.code)
	require.Equal(t, "bench: shy, fw1, 50 rules: it cannot be asked about 10 of 2000 packets, and others take their places\n"+
		"bench: shy, fw1, 50 rules: not measured: it can be asked about too few of the packets: 7 of 2000\n", got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Contains(t, of(run, "shy", "fw1", 50), "lookup lookup")
	require.NotContains(t, of(run, "shy", "fw1", 50), "lookup lookup_zipf")
	require.Contains(t, of(run, "hipac", "fw1", 50), "lookup lookup_zipf")
}

func TestWarningsHaveALineOfTheirOwnBesideProgress(t *testing.T) {
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, effort: little, terminal: true}
	require.Equal(t, exitOK, a.run([]string{"memory", "--rules", "1000", "--engines", "hipac,dimtree", "--memory", "1"}))
	require.Contains(t, stderr.String(), "building for fw1, 1000 rules")
	require.Contains(t, stderr.String(), "\rbench: dimtree, fw1, 1000 rules: not measured: too much memory")
	require.NotContains(t, stdout.String(), "\r")
}

func TestPeersThatCannotBeBuiltAreSaidOnce(t *testing.T) {
	none := func(context.Context, string) ([]compare.Contestant, error) {
		return nil, errors.New("no peers of other projects: no compiler")
	}
	got := invokeWith(none, "memory", "--rules", "20,30")
	require.Equal(t, exitOK, got.code)
	require.Equal(t, "bench: peers: not measured: no peers of other projects: no compiler\n", got.stderr)
	got = invokeWith(none, "memory", "--rules", "20", "--no-peers")
	require.Equal(t, result{code: exitOK, stdout: got.stdout}, got)
	got = invokeWith(none, "memory", "--rules", "20", "--peers")
	require.Equal(t, result{code: exitData, stderr: "bench: no peers of other projects: no compiler\n"}, got)
	got = invokeWith(none, "memory", "--rules", "20", "--engines", "hipac,tailscale")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stderr, "bench: tailscale: not measured: it is none of hipac,hipac-batch,")
	require.Contains(t, got.stdout, "engine=hipac/")
}

func TestBuildTimesContestantsAndWorkers(t *testing.T) {
	run := measured(t, "build", "--rules", "40", "--engines", "hipac,linear", "--workers", "1,2")
	require.Empty(t, run.Missing)
	seen := map[string]int{}
	for _, p := range run.Points {
		require.Equal(t, "build", p.Command)
		require.Equal(t, "s", p.Unit)
		require.Equal(t, 1, p.Rounds, "a build is repeated when there is time")
		require.Positive(t, p.Value)
		seen[fmt.Sprintf("%s %d %s", p.Engine, p.Cores, p.Metric)]++
	}
	require.Equal(t, map[string]int{
		"hipac 0 build_cpu": 1, "hipac 0 build_wall": 1, "hipac 1 build_cpu": 1, "hipac 1 build_wall": 1,
		"hipac 2 build_cpu": 1, "hipac 2 build_wall": 1, "linear 0 build_cpu": 1, "linear 0 build_wall": 1,
	}, seen)

	got := invoke(t, "", "build", "--rules", "40", "--engines", "hipac", "--workers", "2")
	require.Equal(t, exitOK, got.code)
	all := benchmarks(t, got.stdout)
	require.Len(t, all, 2)
	require.Equal(t, "Build/engine=hipac/set=fw1/workers=2/n=40", string(all[1].Name))
}

func TestMemoryTellsBytesAndBytesPerRule(t *testing.T) {
	run := measured(t, "memory", "--family", "ipc1", "--rules", "30,300", "--ipv6")
	require.Empty(t, run.Missing)
	for _, m := range localMakers() {
		if m.Name != slowName {
			require.Len(t, of(run, m.Name, "ipc1", 300), 2, m.Name)
		}
	}
	got := invoke(t, "", "memory", "--rules", "30", "--engines", "abv")
	all := benchmarks(t, got.stdout)
	require.Len(t, all, 1)
	require.Equal(t, "Memory/engine=abv/set=fw1/n=30", string(all[0].Name))
}

func TestTooMuchMemoryIsAGap(t *testing.T) {
	got := invoke(t, "", "memory", "--rules", "5000,6000", "--engines", "hipac,bitvector", "--memory", "1", "--json")
	require.Equal(t, exitOK, got.code)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Len(t, run.Missing, 2)
	require.Contains(t, run.Missing[0].Why, "too much memory")
	require.Contains(t, run.Missing[1].Why, "not tried: with 5000 rules, ")
	require.NotEmpty(t, of(run, "hipac", "fw1", 6000))
}

func TestBadUsageOfContestsHasItsOwnExitCode(t *testing.T) {
	ipt, r := file(t, "i", iptablesRules), file(t, "r", nativeRules)
	for _, command := range []string{"compare", "build", "memory"} {
		for args, want := range map[string]string{
			"--family fw9":                `--family: there is no family "fw9"`,
			"--family kube-proxy":         "--family: sets of kube-proxy are chains",
			"--family nested --ipv6":      "--ipv6: sets of nested are IPv4 only",
			"--rules 0":                   "--rules 0: not in 1..",
			"--rules 10,x":                "--rules",
			"--engines oak":               `--engines: there is no "oak"; choose from hipac,`,
			"--engines oak --no-peers":    `--engines: there is no "oak"; choose from hipac,`,
			"--timeout 0s":                "--timeout 0s: not above 0",
			"--memory=-1":                 "--memory -1: not in 1..",
			"--memory 0":                  "--memory 0: not in 1..",
			"--rules -5":                  "--rules -5: not in 1..",
			"--check 0":                   "--check 0: nothing is timed whose answers were not checked",
			"--file " + r + " --rules 10": "--file is instead of --family, --rules and --ipv6",
			"--file " + ipt:               ipt + " holds iptables rules, which are chains and no list",
			"--family fw1 extra":          "unexpected argument extra",
		} {
			got := invoke(t, "", strings.Fields(command+" "+args)...)
			require.Equal(t, exitUsage, got.code, "%s %s: %s", command, args, got.stderr)
			require.Empty(t, got.stdout)
			require.Contains(t, got.stderr, want)
		}
	}
	for args, want := range map[string]string{
		"compare --traffic rain": `--traffic: there is no "rain"; choose from uniform,zipf,misses,worst`,
		"compare --packets=-1":   "--packets -1: not in 1..",
		"compare --packets 0":    "--packets 0: not in 1..",
		"compare --edits=-1":     "--edits -1: not in 0..",
		"build --rounds 0":       "--rounds 0: not in 1..1000",
		"build --workers 0":      "--workers 0: not in 1..256",
	} {
		got := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitUsage, got.code, args)
		require.Contains(t, got.stderr, want)
	}
}

func TestContestsNameBadData(t *testing.T) {
	got := invoke(t, "", "compare", "--file", "none/rules")
	require.Equal(t, result{code: exitData, stderr: "bench: none/rules: no such file or directory\n"}, got)
	got = invoke(t, "hipac 1\nschema ipv4\n", "compare", "--file", "-")
	require.Equal(t, result{code: exitData, stderr: "bench: standard input: no rules, and so nothing to measure\n"}, got)
}

func TestNothingMeasuredIsAFailure(t *testing.T) {
	got := invoke(t, "", "build", "--rules", "40", "--engines", "hipac,abv", "--workers", "1,2", "--timeout", "1ns")
	require.Equal(t, result{code: exitData, stderr: "bench: hipac, fw1, 40 rules: not measured: its build takes longer than 5ns by the clock\n" +
		"bench: abv, fw1, 40 rules: not measured: its build takes longer than 5ns by the clock\nbench: nothing was measured\n"}, got)
	got = invoke(t, "", "memory", "--rules", "40", "--engines", "abv", "--timeout", "1ns", "--json")
	require.Equal(t, exitData, got.code)
	require.Contains(t, got.stderr, "\nbench: nothing was measured\n")
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Len(t, run.Missing, 1)
}

func TestListsMayNameAThingTwice(t *testing.T) {
	run := measured(t, "compare", "--family", "fw1,acl1,fw1", "--rules", "30,30", "--engines", "hipac,hipac", "--traffic", "zipf,zipf")
	require.Len(t, run.Points, 2*3)
	run = measured(t, "build", "--rules", "30", "--engines", "hipac", "--workers", "2,2")
	require.Len(t, run.Points, 2*2)
}

func TestABuildThatWorksTooLongIsToldFromOneThatWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no clock of CPU time")
	}
	work := func(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	busy := func(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
		for ctx.Err() == nil {
		}
		return nil, ctx.Err()
	}
	peers := func(context.Context, string) ([]compare.Contestant, error) {
		return []compare.Contestant{compare.Local(&compare.Maker{Name: "busy", Make: busy}), compare.Local(&compare.Maker{Name: "waiting", Make: work})}, nil
	}
	got := invokeWith(peers, "memory", "--rules", "50,60", "--engines", "hipac,busy,waiting", "--timeout", "200ms", "--json")
	require.Equal(t, exitOK, got.code, got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Contains(t, of(run, "hipac", "fw1", 60), "memory bytes")
	var gaps []string
	for _, g := range run.Missing {
		gaps = append(gaps, fmt.Sprintf("%s %d: %s", g.Engine, g.Rules, g.Why))
	}
	require.Equal(t, []string{
		"busy 50: its build takes longer than 200ms of CPU time",
		"waiting 50: its build takes longer than 1s by the clock",
		"busy 60: not tried: with 50 rules, its build takes longer than 200ms of CPU time",
		"waiting 60: not tried: with 50 rules, its build takes longer than 1s by the clock",
	}, gaps)
}

func TestARunSaysWhatItsFiguresDependOn(t *testing.T) {
	peers := func(context.Context, string) ([]compare.Contestant, error) {
		m := *localMakers()[0]
		m.Name, m.Title, m.Source, m.Note = "peer", "A peer", "example.com/peer v1.2.3", "Built for speed."
		return []compare.Contestant{compare.Local(&m)}, nil
	}
	got := invokeWith(peers, "compare", "--rules", "50", "--engines", "hipac-live,peer", "--packets", "700", "--traffic", "uniform,worst",
		"--edits", "64", "--seed", "9", "--ipv6", "--memory", "100", "--timeout", "30s", "--json")
	require.Equal(t, exitOK, got.code, got.stderr)
	run, err := results.Read(strings.NewReader(got.stdout))
	require.NoError(t, err)
	require.Equal(t, &results.Settings{Seed: 9, Family: "IPv6", Packets: 700, Clock: compare.Clock, Timeout: 30, Memory: 100 << 20}, run.Settings)
	require.Len(t, run.Engines, 2)
	require.Equal(t, "hipac-live", run.Engines[0].Name)
	require.Equal(t, results.Engine{Name: "peer", Title: "A peer", Source: "example.com/peer v1.2.3", Note: "Built for speed."}, run.Engines[1])
	points := of(run, "hipac-live", "fw1", 50)
	for _, metric := range []string{"lookup lookup", "lookup lookup_worst"} {
		require.Equal(t, 700, points[metric].Packets)
		require.Positive(t, points[metric].Different)
		require.LessOrEqual(t, points[metric].Different, 700)
	}
	require.Equal(t, 75, points["update insert_cpu_p50"].Edits) // 25 at a time, half of the rules
	require.Zero(t, points["update insert_cpu_p50"].Packets)
}

func TestDifferentPacketsAreCountedOnce(t *testing.T) {
	words := []uint32{0, 1, 0, 2, 1, 1, 0, 1, 0, 2}
	tr := &trace{words: words, width: 2, n: 5}
	require.Equal(t, 3, tr.different())
	require.Equal(t, []uint32{0, 1, 0, 2, 1, 1, 0, 1, 0, 2}, tr.words)
	require.Zero(t, (&trace{width: 2}).different())
}

func TestWorstPacketsAreAsManyDifferentOnesAsThereAre(t *testing.T) {
	l, err := workload.Generate(workload.Config{Family: "fw1", Rules: 200, Seed: 1})
	require.NoError(t, err)
	for _, n := range []int{1, 3000} {
		worst, err := traffic(l, "worst", n, 1)
		require.NoError(t, err)
		require.Equal(t, n, worst.n)
		require.Equal(t, n, worst.different())
	}
}
