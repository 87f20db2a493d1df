package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/files/commandline"
)

// module writes the small module of testdata with some of its tests to a folder.
func smallModule(t *testing.T, tests ...string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command:", err)
	}
	dir := t.TempDir()
	for _, name := range append([]string{"go.mod", "small.go"}, tests...) {
		text, err := os.ReadFile(filepath.Join("testdata", "small", name+".txt"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	return dir
}

// runMutate runs the command in a folder.
func runMutate(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{ctx: context.Background(), stdout: &out, stderr: &complaints, dir: dir}
	code = a.run(append(args, "--patience", "1s"))
	return code, out.String(), complaints.String()
}

func TestAWeakTestLeavesSurvivorsThatAStrongOneCatches(t *testing.T) {
	dir, work := smallModule(t, "weak_test.go"), t.TempDir()
	args := []string{"--package", ".", "--func", "Clamp", "--results", filepath.Join(work, "results"), "--work", work}
	code, out, _ := runMutate(t, dir, args...)
	require.Equal(t, commandline.OK, code)
	require.Contains(t, out, "Clamp leave (not covered)\n- return lo\n+ _ = lo\n")
	require.Contains(t, out, "Clamp border (survived)\n- if x < lo {\n+ if x <= lo {\n")

	text, err := os.ReadFile(filepath.Join("testdata", "small", "strong_test.go.txt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "strong_test.go"), text, 0o644))
	code, out, _ = runMutate(t, dir, append(args, "--again")...)
	require.Equal(t, commandline.OK, code)
	require.NotContains(t, out, "not covered)")
	// At its borders Clamp returns the same either way.
	require.Equal(t, 2, strings.Count(out, "(survived)"), out)
	require.Contains(t, out, "- if x < lo {\n+ if x <= lo {\n")
	require.Contains(t, out, "- if x > hi {\n+ if x >= hi {\n")
}

func TestEveryFunctionHasItsMutantsInOneProgram(t *testing.T) {
	dir, work := smallModule(t, "strong_test.go", "rest_test.go"), t.TempDir()
	code, out, complaints := runMutate(t, dir, "--package", ".", "--work", work, "--results", filepath.Join(work, "results"))
	require.Equal(t, commandline.OK, code, complaints)
	table := strings.Fields(strings.Split(out, "\n")[1])
	require.Equal(t, ".", table[0])
	require.Greater(t, len(table), 10)
	require.Contains(t, out, "Unused early (not covered)")
	require.Contains(t, out, "changes do not compile")
	require.NotContains(t, out, "(*Set).Has border")
	require.NotContains(t, out, "mutants not run")

	left, err := filepath.Glob(filepath.Join(work, "build-*"))
	require.NoError(t, err)
	require.Empty(t, left, "programs are removed")

	again, out2, _ := runMutate(t, dir, "--package", ".", "--report", "--results", filepath.Join(work, "results"))
	require.Equal(t, commandline.OK, again)
	require.Equal(t, out, out2, "what was kept gives the same report")
}

func TestEquivalentsAreNotRunAndCounted(t *testing.T) {
	dir, work := smallModule(t, "strong_test.go"), t.TempDir()
	list := filepath.Join(work, "list")
	require.NoError(t, os.WriteFile(list, []byte("small.go Clamp\n- if x < lo {\n+ if x <= lo {\n- if x > hi {\n+ if x >= hi {\n= at a border both are the same\n\nsmall.go Unused\ncost\n= nobody calls it\n"), 0o600))
	code, out, complaints := runMutate(t, dir, "--package", ".", "--func", "Clamp", "--func", "Unused", "--equivalent", list, "--work", work)
	require.Equal(t, commandline.OK, code, complaints)
	require.NotContains(t, out, "(survived)")
	require.NotContains(t, out, "(not covered)")
	require.Contains(t, out, "100.0")
}

func TestASampleIsTheSameForTheSameSeed(t *testing.T) {
	dir := smallModule(t)
	_, a, _ := runMutate(t, dir, "--package", ".", "--list", "--sample", "5")
	_, b, _ := runMutate(t, dir, "--package", ".", "--list", "--sample", "5")
	_, c, _ := runMutate(t, dir, "--package", ".", "--list", "--sample", "5", "--seed", "2")
	require.Equal(t, a, b)
	require.NotEqual(t, a, c)
	require.Contains(t, a, "5 mutants")
}

func TestBadUsageExitsWith2AndBadDataWith1(t *testing.T) {
	dir := smallModule(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--nonsense"}, commandline.Usage, "--nonsense"},
		{[]string{"--package", ".", "--file", "nofile.go"}, commandline.Usage, "nothing to mutate"},
		{[]string{"--report"}, commandline.Usage, "--results"},
		{[]string{"--file", "["}, commandline.Usage, "not a pattern"},
		{[]string{"--package", "nowhere"}, commandline.Data, "nowhere"},
		{[]string{"--package", ".", "--equivalent", filepath.Join(dir, "missing")}, commandline.Data, "missing"},
		{[]string{"--package", ".", "--results", filepath.Join(dir, "go.mod")}, commandline.Data, "not a line of results"},
	} {
		code, _, complaints := runMutate(t, dir, c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, complaints)
		require.Contains(t, complaints, c.want)
	}
}

func TestProcessesSayInWhichWayTheyEnded(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no program that takes long:", err)
	}
	ran := limits{timeout: 50 * time.Millisecond}.run(context.Background(), sleep, t.TempDir(), []string{"60"}, nil)
	require.Equal(t, "timed out", ran.how())
	require.Equal(t, "memory", outcome{failed: true, tooMuch: true}.how())
	require.Equal(t, "", outcome{}.how())
}

func TestQuickTestsComeFirstAndTheBudgetBoundsThem(t *testing.T) {
	a, b := &suite{path: "a"}, &suite{path: "b"}
	tests := []*test{{Name: "1", Seconds: 0.1, suite: a}, {Name: "2", Seconds: 0.2, suite: b}, {Name: "3", Seconds: 0.3, suite: a}, {Name: "4", Seconds: 5, suite: a}, {Name: "5", Seconds: 6, suite: a}}
	steps, left := plan(tests, nil, 6)
	require.Equal(t, tests[4:], left)
	var order []string
	for _, s := range steps {
		for _, one := range s.tests {
			require.Equal(t, s.suite, one.suite)
			order = append(order, one.Name)
		}
	}
	require.Equal(t, []string{"1", "2", "3", "4"}, order)
	steps, _ = plan(tests, tests[2:3], 6)
	require.Equal(t, "3", steps[0].tests[0].Name, "what caught the last mutant comes first")

	j := &judge{catches: map[*test]int{tests[4]: 2}}
	steps = j.begun(tests)
	require.Len(t, steps, mostBegun)
	require.Equal(t, tests[4:], steps[0].tests, "of those for which there is no time, what caught most is begun")
}
