package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// compiledFile compiles a rule file and returns the path of what comes of it.
func compiledFile(t *testing.T, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "compiled.hipac")
	got := output(t, "", append([]string{"compile", "-o", path, "--rules"}, args...)...)
	require.Regexp(t, `^\S+compiled\.hipac: \d+ rules( in \d+ tables?)?, [\d.]+ kB, in \d+ms\n$`, got)
	return path
}

func TestHelpOfCompile(t *testing.T) {
	golden(t, "compile-help.golden", output(t, "", "compile", "--help"))
}

func TestCompiledRulesAreTakenWhereRulesAre(t *testing.T) {
	packets := file(t, "trace", trace)
	for _, source := range []string{file(t, "rules", nativeRules), file(t, "rules", classbenchRules), "demo/office.rules", tracedRules} {
		compiled := compiledFile(t, source)
		same := func(args ...string) {
			t.Helper()
			replaced := func(s string) string { return strings.ReplaceAll(s, compiled, source) }
			want, got := invoke(t, "", append(args, "--rules", source)...), invoke(t, "", append(args, "--rules", compiled)...)
			require.Equal(t, want, result{got.code, replaced(got.stdout), replaced(got.stderr)}, "%v", args)
			require.Equal(t, exitOK, got.code, "%v: %s", args, got.stderr)
		}
		same("print")
		same("classify", "--packets", packets, "--output", "id")
		same("classify", "--packets", packets, "--output", "id", "--engine", "index")
		same("classify", "--packets", packets, "--output", "id", "--engine", "linear")
		same("diff", "--to", source)
		require.Contains(t, output(t, "", "diff", "--edits", "--rules", source, "--to", compiled), " kept, 0 inserted, 0 deleted, 0 moved, 0 replaced")
		stats := func(path string) string {
			var lines []string
			for _, l := range strings.Split(output(t, "", "stats", "--rules", path), "\n")[1:] {
				if !strings.HasPrefix(l, "bytes") && !strings.HasPrefix(l, "build time") {
					lines = append(lines, l)
				}
			}
			return strings.Join(lines, "\n")
		}
		require.Equal(t, stats(source), stats(compiled))
	}
}

func TestCompiledTablesSayWhichLineOfTheirSource(t *testing.T) {
	compiled := compiledFile(t, "demo/office.rules")
	args := []string{"trace", "--packet", "tcp 203.0.113.5:4444 > 192.0.2.10:22 in=eth0 out=eth1", "--rules"}
	want := strings.ReplaceAll(output(t, "", append(args, "demo/office.rules")...), "demo/office.rules", "office.rules")
	require.Equal(t, want, output(t, "", append(args, compiled)...))
	require.Contains(t, want, "office.rules:")
	compiled = compiledFile(t, tracedRules)
	require.Equal(t, output(t, "", "lint", "--cost", "--rules", tracedRules), strings.ReplaceAll(output(t, "", "lint", "--cost", "--rules", compiled), compiled, tracedRules))
}

func TestWhatIsBesideTablesIsCompiledWithThem(t *testing.T) {
	save := file(t, "save", "*filter\n:INPUT DROP\n:OUTPUT DROP\n-A INPUT -m set --match-set friends src -j ACCEPT\n-A OUTPUT -m owner --uid-owner ann -j ACCEPT\nCOMMIT\n")
	sets := file(t, "sets", "create friends hash:ip family inet hashsize 1024 maxelem 65536\nadd friends 10.0.0.1\n")
	users := file(t, "users", "ann:x:1001:1001::/home/ann:/bin/sh\n")
	compiled := compiledFile(t, save, "--sets", sets, "--users", users)
	for _, path := range []string{sets, users, save} {
		require.NoError(t, os.Remove(path))
	}
	for from, want := range map[string]string{"10.0.0.1": "ACCEPT", "10.0.0.2": "DROP"} {
		got := output(t, "", "trace", "--rules", compiled, "--hook", "input", "--packet", "tcp "+from+":1 > 10.9.9.9:80")
		require.Contains(t, got, want)
	}
	require.Contains(t, output(t, "", "print", "--rules", compiled), "--uid-owner 1001")
}

func TestTheSameRulesCompileToTheSameFile(t *testing.T) {
	for _, source := range []string{file(t, "rules", nativeRules), tracedRules} {
		a, err := os.ReadFile(compiledFile(t, source))
		require.NoError(t, err)
		b, err := os.ReadFile(compiledFile(t, source))
		require.NoError(t, err)
		require.Equal(t, a, b)
		r := invoke(t, "", "compile", "--rules", source, "--out", "-")
		require.Equal(t, exitOK, r.code)
		require.Equal(t, string(a), r.stdout)
		require.Regexp(t, `^-: \d+ rules.*\n$`, r.stderr)
		require.Equal(t, output(t, r.stdout, "print", "--rules", "-"), output(t, "", "print", "--rules", source))
	}
}

func TestAFileIsReplacedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	source, path, link := file(t, "rules", nativeRules), filepath.Join(dir, "a.hipac"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, os.Symlink("a.hipac", link))
	old, err := os.Open(path)
	require.NoError(t, err)
	defer old.Close()
	output(t, "", "compile", "--rules", source, "-o", link)
	kept := make([]byte, 10)
	n, _ := old.Read(kept)
	require.Equal(t, "old", string(kept[:n]), "who has it open keeps it")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	info, err = os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	output(t, "", "print", "--rules", path)

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, exitData, invoke(t, "", "compile", "--rules", file(t, "bad", "hipac 1\nschema ipv4\nrule x=1\n"), "-o", path).code)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing is left behind")
}

func TestErrorsOfCompile(t *testing.T) {
	source := file(t, "rules", nativeRules)
	compiled := compiledFile(t, source)
	data, err := os.ReadFile(compiled)
	require.NoError(t, err)
	broken := append([]byte{}, data...)
	broken[len(broken)-1] ^= 4
	newer := append([]byte{}, data...)
	newer[8]++
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"compile -o x", exitUsage, "--rules FILE is missing"},
		{"compile --rules " + source, exitUsage, "--out FILE is missing"},
		{"compile --rules " + compiled + " -o x", exitUsage, "is compiled"},
		{"compile --rules " + source + " -o " + t.TempDir(), exitData, "is a directory"},
		{"compile --rules " + source + " -o /nowhere/at/all", exitData, "no such file or directory"},
		{"print --rules-format native --rules " + compiled, exitUsage, "--rules-format says how rules are read"},
		{"print --rules " + file(t, "cut", string(data[:len(data)-1])), exitData, "truncated file: "},
		{"stats --rules " + file(t, "broken", string(broken)), exitData, "damaged file: section "},
		{"stats --rules " + file(t, "newer", string(newer)), exitData, "damaged file: header: wrong checksum"},
		{"trace --rules " + compiled, exitUsage, ""},
	} {
		r := invoke(t, "", strings.Fields(tt.args)...)
		require.Equal(t, tt.code, r.code, "%s: %s", tt.args, r.stderr)
		require.Contains(t, r.stderr, tt.want)
		require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
	}
}
