package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules/files"
)

// readSet reads a rule file as all commands do.
func readSet(t *testing.T, path string) *files.Rules {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	set, err := files.ReadRules(f, path, &files.RuleFlags{RulesFormat: "auto", Fields: 5})
	require.NoError(t, err)
	return set
}

func TestGeneratedFilesAreReadByTheirContent(t *testing.T) {
	dir := t.TempDir()
	for i, tt := range []struct{ args, format string }{
		{"--family fw1 --rules 300", files.Native},
		{"--family nf-hipac --rules 300 --base acl2", files.Native},
		{"--family firewall --rules 300 --ipv6", files.Native},
		{"--family acl3 --rules 300 --ipv6 --format classbench --smoothness 0 --address-scope=-0.5 --application-scope 1", files.ClassBench},
		{"--family blocklist --rules 300 --prefixes 0.5 --format iptables", files.Iptables},
		{"--family kube-proxy --rules 300 --ipv6", files.Iptables},
		{"--family chains --rules 300 --chains 20", files.Iptables},
		{"--family nested --rules 300", files.Native},
	} {
		path := filepath.Join(dir, string(rune('a'+i)))
		args := append([]string{"gen", "rules", "--out", path, "--seed", "5"}, strings.Fields(tt.args)...)
		require.Equal(t, result{}, invoke(t, "", args...), tt.args)
		set := readSet(t, path)
		require.Equal(t, tt.format, set.Format, tt.args)
		switch {
		case set.Native != nil:
			require.Equal(t, 300, set.Native.Len())
		case set.ClassBench != nil:
			require.Equal(t, 300, set.ClassBench.Len())
		}
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		args[3] = "-"
		require.Equal(t, result{stdout: string(whole)}, invoke(t, "", args...), "the same on standard output")
	}
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 8, "nothing else is left")
}

func TestStatisticsOfGeneratedRulesArePrinted(t *testing.T) {
	r := invoke(t, "", "gen", "rules", "--family", "acl1", "--rules", "500", "--stats")
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.stdout, "rules 500, hidden ")
	require.Contains(t, r.stdout, "dport    wildcard")
	r = invoke(t, "", "gen", "rules", "--family", "kube-proxy", "--rules", "500", "--stats", "--out", "-")
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.stdout, "*nat\n")
	require.Contains(t, r.stderr, "table nat: rules ")
}

func TestAllFamiliesAreListed(t *testing.T) {
	list := invoke(t, "", "gen", "rules", "--family", "list").stdout
	help := invoke(t, "", "gen", "rules", "--help").stdout
	for _, k := range workload.Kinds() {
		require.Contains(t, list, k.Summary)
		require.Contains(t, help, k.Summary)
	}
	require.Contains(t, list, "(13 to 700,000 rules)")
	require.Contains(t, strings.Join(strings.Fields(help), " "), "1 to 4,194,304 where the list above does not say otherwise")
	require.Equal(t, 15, strings.Count(list, "\n"), "numbered families share a line")
}

func TestBadRequestsForRulesSayWhatWouldBeGood(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	for _, tt := range []struct {
		code       int
		args, want string
	}{
		{exitUsage, "--rules 10", `bench: missing flags: --family=NAME ("bench --help" tells more)`},
		{exitUsage, "--family fw6", `bench: --family: there is no family "fw6"; near it: fw1, fw2, fw3, fw4, fw5`},
		{exitUsage, "--family fw1 --rules 0", "bench: --rules 0: not in 1..4194304, which sets of fw1 can have"},
		{exitUsage, "--family fw1 --rules 5000000", "bench: --rules 5000000: not in 1..4194304, which sets of fw1 can have"},
		{exitUsage, "--family kube-proxy --rules 5", "bench: --rules 5: not in 13..700000, which sets of kube-proxy can have"},
		{exitUsage, "--family kube-proxy --format native", "bench: --format native: kube-proxy is chains that call one another, and the native format holds one list; iptables can hold it"},
		{exitUsage, "--family firewall --format iptables", "bench: --format iptables: firewall asks for VLANs, for which iptables has no match; native can hold it"},
		{exitUsage, "--family firewall --format iptables --ipv6", "bench: --format iptables: firewall asks for VLANs, for which iptables has no match; native can hold it"},
		{exitUsage, "--family wide --rules 2 --format iptables", "a range of protocols: not supported; native can hold it"},
		{exitUsage, "--family wide --rules 2 --format classbench", "is no prefix: not supported; native can hold it"},
		{exitUsage, "--family fw1 --rules 10q", `bench: --rules: "10q" is no whole number; 1000, 10k and 1M are`},
		{exitUsage, "--family fw1 --rules 5M", "bench: --rules 5000000: not in 1..4194304, which sets of fw1 can have"},
		{exitUsage, "--family fw1 --base=", "bench: --base: its value is empty"},
		{exitUsage, "--family wide --ipv6", "bench: --ipv6: sets of wide are IPv4 only"},
		{exitUsage, "--family acl1 --prefixes 0.5", "bench: --prefixes is not for sets of acl1"},
		{exitUsage, "--family blocklist --prefixes NaN", "bench: --prefixes NaN: not in 0..1"},
		{exitUsage, "--family acl1 --smoothness 65", "bench: --smoothness 65: not in 0..64"},
		{exitUsage, "--family acl1 --address-scope 1.5", "bench: --address-scope 1.5: not in -1..1"},
		{exitUsage, "--family acl1 --application-scope=-2", "bench: --application-scope -2: not in -1..1"},
		{exitUsage, "--family chains --rules 10 --chains 0", "bench: --chains 0: not in 1..5"},
		{exitUsage, "--family chains --rules 10 --chains 6", "bench: --chains 6: not in 1..5; each takes a rule to enter it and one of its own"},
		{exitUsage, "--family nf-hipac --base chains", "bench: --base chains: not one of the families acl1, acl2,"},
	} {
		r := invoke(t, "", append([]string{"gen", "rules", "--out", out}, strings.Fields(tt.args)...)...)
		require.Equal(t, tt.code, r.code, tt.args)
		require.Contains(t, r.stderr, tt.want)
		require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
		require.Empty(t, r.stdout)
	}
	require.Equal(t, result{code: exitUsage, stderr: "bench: --out FILE is missing; - is standard output\n"}, invoke(t, "", "gen", "rules", "--family", "fw1"))
	for path, want := range map[string]string{dir: ": is a directory", dir + "/none/out": ": no such file or directory"} {
		r := invoke(t, "", "gen", "rules", "--family", "fw1", "--out", path)
		require.Equal(t, result{code: exitData, stderr: "bench: " + path + want + "\n"}, r)
	}
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list, "no file that looks whole, and none beside it")
}

func TestFilesAppearWhenTheyAreWhole(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "x"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, os.Symlink("x", link))
	a := &app{stdout: io.Discard}
	boom := errors.New("boom")
	require.Equal(t, boom, a.writeOut(path, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		return boom
	}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(data), "a run that fails leaves the old file")
	require.NoError(t, a.writeOut(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }))
	data, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.NoError(t, a.writeOut(os.DevNull, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }))
	require.NoError(t, checkMemory("this", 1))
	if _, ok := availableMemory(); ok {
		require.ErrorContains(t, checkMemory("this", 1<<60), "this takes about ")
	}
}
