//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/compare"
	results "github.com/hipac-go/classifier/bench/result"
	"github.com/hipac-go/classifier/rules"
)

// The program of the tests is the command, and that of its peers, when it is told
// so: signals are sent to a process of its own.
const (
	runAs   = "BENCH_TEST_RUN_AS"
	markers = "BENCH_TEST_MARKERS" // a folder
)

func TestMain(m *testing.M) {
	switch os.Getenv(runAs) {
	case "":
		os.Exit(m.Run())
	case "command", "command on a terminal":
		a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, effort: little, peers: stuckPeers}
		if a.terminal = os.Getenv(runAs) != "command"; a.terminal {
			// Passes and rounds of a quarter of a second, so that each is seen.
			a.effort.most, a.effort.least, a.effort.round = 25*time.Millisecond, 25*time.Millisecond, 80*time.Millisecond
		}
		os.Setenv(runAs, "peers")
		os.Exit(a.run(os.Args[1:]))
	case "peers":
		maker := compare.Own()[0]
		inner := maker.Make
		maker.Name, maker.Title = "stuck", "stuck"
		maker.Make = func(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
			mark("stuck is there")
			e, err := inner(ctx, l, bytes)
			return &stuck{e, l.Len() > 20}, err
		}
		if err := compare.Serve(os.Stdin, os.Stdout, []*compare.Maker{maker}); err != nil {
			os.Exit(1)
		}
	}
}

// mark leaves a file with the number of the process.
func mark(name string) {
	path := filepath.Join(os.Getenv(markers), name)
	if err := os.WriteFile(path+"~", []byte(strconv.Itoa(os.Getpid())), 0o644); err == nil {
		os.Rename(path+"~", path)
	}
}

// stuck is an engine that never answers, of many rules.
type stuck struct {
	compare.Engine
	many bool
}

func (s *stuck) First(keys []uint32, out []int32) {
	if s.many {
		mark("stuck")
		for {
			time.Sleep(time.Hour)
		}
	}
	s.Engine.First(keys, out)
}

// deaf is a contestant that does not listen to its context.
type deaf struct{ compare.Contestant }

func (deaf) About() compare.About { return compare.About{Name: "deaf"} }

func (deaf) Load(context.Context, *rules.List[string], int64) (compare.Built, error) {
	mark("deaf")
	for {
		time.Sleep(time.Hour)
	}
}

// stuckPeers leaves a file in the folder, as the build of peers does.
func stuckPeers(ctx context.Context, dir string) ([]compare.Contestant, error) {
	if err := os.WriteFile(filepath.Join(dir, "peers"), nil, 0o644); err != nil {
		return nil, err
	}
	p, err := compare.Start(ctx, os.Args[0])
	if err != nil {
		return nil, err
	}
	return append(p.Contestants(), deaf{}), nil
}

// running is the command in a process.
type running struct {
	t              *testing.T
	cmd            *exec.Cmd
	temp, marks    string
	stdout, stderr safeBuffer
}

// safeBuffer is a buffer that can be read while it is written to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func start(t *testing.T, as string, stdout io.Writer, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(os.Args[0], args...), temp: t.TempDir(), marks: t.TempDir()}
	r.cmd.Env = append(os.Environ(), runAs+"="+as, markers+"="+r.marks, "TMPDIR="+r.temp)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stdout, r.cmd.Stderr = stdout, &r.stderr
	if stdout == nil {
		r.cmd.Stdout = &r.stdout
	}
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() { syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) })
	return r
}

// signal sends signals to the group, as a terminal does.
func (r *running) signal(list ...syscall.Signal) {
	r.t.Helper()
	for _, s := range list {
		require.NoError(r.t, syscall.Kill(-r.cmd.Process.Pid, s))
	}
}

// until waits for something.
func (r *running) until(what string, there func() bool) {
	r.t.Helper()
	require.Eventually(r.t, there, 60*time.Second, 5*time.Millisecond, "%s: %s", what, &r.stderr)
}

// marked waits until something is marked, and returns the number of its process.
func (r *running) marked(name string) (pid int) {
	r.t.Helper()
	r.until(name, func() bool {
		data, err := os.ReadFile(filepath.Join(r.marks, name))
		pid, _ = strconv.Atoi(string(data))
		return err == nil
	})
	return pid
}

// ended waits for the end, and checks that nothing is left.
func (r *running) ended(pids ...int) (code int) {
	r.t.Helper()
	_ = r.cmd.Wait()
	left, err := os.ReadDir(r.temp)
	require.NoError(r.t, err)
	require.Empty(r.t, left)
	for _, pid := range pids {
		r.until("a process of peers ends", func() bool {
			// Whoever has it now may not have waited for it.
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return syscall.Kill(pid, 0) == syscall.ESRCH || err == nil && len(line) == 0
		})
	}
	return r.cmd.ProcessState.ExitCode()
}

func TestAnInterruptedContestPrintsWhatItHasAndLeavesNothing(t *testing.T) {
	for _, tt := range []struct {
		command string
		signal  syscall.Signal
		json    bool
		want    string // of the set that was whole
		from    string
		of      int
	}{
		{"compare", syscall.SIGINT, false, "BenchmarkLookup/engine=stuck/set=fw1/n=20", "lookup", 2},
		{"compare", syscall.SIGTERM, true, "lookup", "lookup", 2},
		{"build --workers 1", syscall.SIGTERM, false, "BenchmarkBuild/engine=stuck/set=fw1/n=20", "build", 2},
		{"build --workers 1", syscall.SIGINT, true, "build_cpu", "build", 2},
		{"memory", syscall.SIGHUP, false, "BenchmarkMemory/engine=stuck/set=fw1/n=20", "memory", 2},
		{"memory", syscall.SIGINT, true, "bytes", "memory", 2},
		{"scale --cores 1", syscall.SIGINT, false, "BenchmarkScaleLookup/engine=stuck/set=fw1/n=20", "scale", 3},
		{"scale --cores 1", syscall.SIGTERM, true, "lookup", "scale", 3},
	} {
		if signal.Ignored(tt.signal) {
			continue // as with nohup: the command leaves it so
		}
		args := append(strings.Fields(tt.command), "--rules", "20,30", "--engines", "hipac,stuck")
		if tt.json {
			args = append(args, "--json")
		}
		r := start(t, "command", nil, args...)
		pid := r.marked("stuck")
		r.signal(tt.signal)
		require.Equal(t, exitData, r.ended(pid), "%s: %s", args, &r.stderr)
		require.Equal(t, fmt.Sprintf("bench: interrupted: %d of %d parts are missing or not whole, from %s, fw1, 30 rules on\n", tt.of-1, tt.of, tt.from), r.stderr.String())
		if !tt.json {
			require.NotEmpty(t, benchmarks(t, r.stdout.String()))
			require.Contains(t, r.stdout.String(), tt.want)
			continue
		}
		run, err := results.Read(strings.NewReader(r.stdout.String()))
		require.NoError(t, err)
		require.Contains(t, of(run, "stuck", "fw1", 20), tt.from+" "+tt.want)
		require.NotContains(t, of(run, "stuck", "fw1", 30), tt.from+" "+tt.want)
		require.Contains(t, run.Missing, results.Gap{Command: tt.from, Engine: "all", Set: "fw1", Rules: 30, Why: "interrupted"})
		require.Contains(t, run.Missing, results.Gap{Command: tt.from, Engine: "stuck", Set: "fw1", Rules: 30, Why: "interrupted"})
		for _, g := range run.Missing {
			require.Equal(t, "interrupted", g.Why)
		}
	}
}

func TestAnInterruptedRunOfAllWritesItsFileAndFails(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run.json")
	r := start(t, "command", nil, "all", "--rules", "20,30", "--family", "fw1", "--engines", "hipac,stuck", "--out", out)
	pid := r.marked("stuck")
	r.signal(syscall.SIGINT)
	require.Equal(t, exitData, r.ended(pid))
	require.Contains(t, r.stderr.String(), "\nbench: interrupted: 4 of 7 parts are missing or not whole, from lookup, fw1, 30 rules on\n")
	f, err := os.Open(out)
	require.NoError(t, err)
	defer f.Close()
	run, err := results.Read(f)
	require.NoError(t, err)
	require.Contains(t, of(run, "stuck", "fw1", 20), "lookup lookup")
	require.Contains(t, of(run, "hipac-live", "fw1", 20), "update growth_after")
	require.Contains(t, run.Missing, results.Gap{Command: "update", Engine: "all", Set: "fw1", Rules: 30, Why: "interrupted"})
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestAnInterruptBeforeAnythingWasMeasuredSaysSo(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{"memory --rules 30 --engines stuck --json", "all --family fw1 --rules 30 --engines stuck --out " + filepath.Join(dir, "run.json")} {
		r := start(t, "command", nil, strings.Fields(args)...)
		pid := r.marked("stuck")
		r.signal(syscall.SIGTERM)
		require.Equal(t, exitData, r.ended(pid))
		require.Equal(t, "bench: interrupted before anything was measured\n", r.stderr.String())
	}
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list, "a file without results takes the place of none")
}

func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{"compare --rules 20 --engines hipac,stuck,deaf", "all --family fw1 --rules 20 --engines hipac,stuck,deaf --out " + filepath.Join(dir, "run.json")} {
		r := start(t, "command", nil, strings.Fields(args)...)
		r.marked("deaf")
		r.signal(syscall.SIGINT, syscall.SIGTERM)
		require.Equal(t, exitData, r.ended(r.marked("stuck is there")))
	}
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestAReaderThatGoesAwayEndsTheRun(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, read.Close())
	r := start(t, "command", write, "memory", "--rules", "20,30", "--engines", "hipac,stuck")
	require.NoError(t, write.Close())
	require.Equal(t, exitOK, r.ended(r.marked("stuck is there")), "as elsewhere")
	require.Empty(t, r.stderr.String())
}

func TestAnInterruptedIptablesSaysWhatIsMissing(t *testing.T) {
	r := start(t, "command", nil, "iptables", "--chain-rules", "0", "--rules", "50", "--walk", "50", "--rounds", "1000")
	r.until("a line", func() bool { return strings.Contains(r.stdout.String(), "BenchmarkIptables") })
	r.signal(syscall.SIGINT)
	require.Equal(t, exitData, r.ended())
	require.Equal(t, "bench: interrupted: 2 of 2 parts are missing or not whole, from loading, flat, 50 rules on\n", r.stderr.String())
	benchmarks(t, r.stdout.String())
}

// object reads what was printed.
func (r *running) object() (v map[string]any) {
	r.t.Helper()
	require.NoError(r.t, json.Unmarshal([]byte(r.stdout.String()), &v), r.stdout.String())
	return v
}

func TestAnInterruptedLookupPrintsThePassesThatItHas(t *testing.T) {
	file := generatedFile(t, 300)
	for _, asJSON := range []bool{false, true} {
		args := []string{"lookup", "--rules", file, "--engines", "tree,tree-go,reference"}
		if asJSON {
			args = append(args, "--json")
		}
		r := start(t, "command on a terminal", nil, args...)
		r.until("some passes", func() bool { return strings.Contains(r.stderr.String(), "timing  44%") })
		r.signal(syscall.SIGINT)
		require.Equal(t, exitData, r.ended(), &r.stderr)
		require.Regexp(t, `bench: interrupted: [4-8] of 9 passes were timed\n$`, r.stderr.String())
		if !asJSON {
			require.Regexp(t, `medians of [4-8] passes`, r.stdout.String())
			continue
		}
		v := r.object()
		require.GreaterOrEqual(t, v["passes"], 4.)
		tree := v["engines"].(map[string]any)["tree"].(map[string]any)
		require.Positive(t, tree["single_ns"])
		require.Zero(t, tree["mismatches"])
	}
}

func TestAnInterruptBeforeLookupsAreTimedLeavesWhatIsKnown(t *testing.T) {
	l, tr := generatedSet(t, 200, 300)
	ctx, cancel := context.WithCancel(t.Context())
	r := &lookupRun[string]{a: &app{effort: little}, cmd: &lookupCmd{Check: 100}, list: l, trace: tr,
		res:   &lookupResult{Engines: map[string]engineResult{}, paths: []string{pathTree, pathReference}, timed: map[string]int{}},
		built: map[string]path{pathReference: referencePath[string]{l}}, bytes: map[string]int64{}, times: map[string][]*timed{}}
	require.NoError(t, r.build(ctx, 0))
	cancel()
	require.ErrorIs(t, r.time(ctx, time.Now()), context.Canceled)
	r.results(ctx)
	require.ErrorIs(t, r.res.verdict(), errInterrupted)
	var out bytes.Buffer
	require.NoError(t, r.res.print(&out, true))
	var v map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &v))
	require.Equal(t, map[string]any{"tree": "interrupted", "reference": "interrupted"}, v["missing"])
	require.Positive(t, v["build_cpu_seconds"])
	tree := v["engines"].(map[string]any)["tree"].(map[string]any)
	require.Positive(t, tree["memory_bytes"])
	require.Nil(t, tree["single_ns"])
	require.Nil(t, tree["mismatches"])
	out.Reset()
	require.NoError(t, r.res.print(&out, false))
	require.Regexp(t, `\n +tree +- +- +- +[\d.]+ +[\d.]+ \w+ +-\n`, out.String())
}

func TestAnInterruptedUpdatePrintsThePhasesThatItHas(t *testing.T) {
	file := generatedFile(t, 300)
	for _, asJSON := range []bool{false, true} {
		args := []string{"update", "--rules", file}
		if asJSON {
			args = append(args, "--json")
		}
		r := start(t, "command on a terminal", nil, args...)
		r.until("lookups", func() bool { return strings.Contains(r.stderr.String(), "looking up  22%") })
		r.signal(syscall.SIGTERM)
		require.Equal(t, exitData, r.ended(), &r.stderr)
		require.Regexp(t, `bench: interrupted: [2-8] of 9 rounds of lookups beside edits; nothing after random edits\n$`, r.stderr.String())
		require.NotContains(t, r.stderr.String(), "time ran out")
		if !asJSON {
			require.Regexp(t, `\n +insert +\d+ `, r.stdout.String())
			require.Regexp(t, `\n +alone `, r.stdout.String())
			require.NotRegexp(t, `\n +(random|NewLive) `, r.stdout.String())
			continue
		}
		v := r.object()
		require.Equal(t, append(updateKeys[:len(updateKeys):len(updateKeys)], "missing"), sortedLast(keys(v), "missing"))
		for _, key := range updateKeys {
			if why := v["missing"].(map[string]any)[key]; why != nil {
				require.Equal(t, "interrupted", why)
				require.Nil(t, v[key])
			} else {
				require.Positive(t, v[key], key)
			}
		}
		require.Len(t, v["missing"], 4)
		require.Nil(t, v["memory_growth_after"])
	}
}

// sortedLast puts a key at the end.
func sortedLast(list []string, last string) (out []string) {
	for _, key := range list {
		if key != last {
			out = append(out, key)
		}
	}
	return append(out, last)
}

func TestEveryPhaseHasItsKeys(t *testing.T) {
	var all []string
	for _, list := range phaseKeys {
		all = append(all, list...)
	}
	require.ElementsMatch(t, updateKeys, all)
	r := &updateResult{interrupted: true}
	require.EqualError(t, r.ended(little), "interrupted before anything was measured")
	r.reached = rebuilt
	require.EqualError(t, r.ended(little), "interrupted: no inserts and deletes; 0 of 9 rounds of lookups beside edits; nothing after random edits")
	var out bytes.Buffer
	require.NoError(t, r.text(&out))
	require.Contains(t, out.String(), "rebuild")
	require.NotContains(t, out.String(), "insert")
}

func TestASignalThatComesTwiceAtOnceIsOne(t *testing.T) {
	r := start(t, "command", nil, "iptables", "--chain-rules", "0", "--rules", "50", "--walk", "50", "--rounds", "1000")
	r.until("a line", func() bool { return strings.Contains(r.stdout.String(), "BenchmarkIptables") })
	r.signal(syscall.SIGINT, syscall.SIGINT, syscall.SIGINT)
	require.Equal(t, exitData, r.ended())
	require.Contains(t, r.stderr.String(), "interrupted: 2 of 2 parts")
}
