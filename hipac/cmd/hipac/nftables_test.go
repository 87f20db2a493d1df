package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nftRules returns a listing of package rules/nftables' testdata, under a name that
// tests may print.
func nftRules(t *testing.T, name string, change ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../rules/nftables/testdata", name+".json"))
	require.NoError(t, err)
	return file(t, name, strings.NewReplacer(change...).Replace(string(text)))
}

const nftPackets = "src,dst,sport,dport,proto,iif,ctstate\n" +
	"192.0.2.9,192.0.2.200,4242,22,tcp,eth0,NEW\n" +
	"10.0.0.9,192.0.2.200,4242,8005,tcp,vm1,NEW\n" +
	"10.0.0.9,192.0.2.200,4242,8005,tcp,eth1,NEW\n" +
	"2001:db8::1,2001:db8::2,4242,443,tcp,eth1,NEW\n" +
	"2001:db8::1,2001:db8::2,4242,444,tcp,eth1,ESTABLISHED\n" +
	"2001:db8::1,2001:db8::2,4242,5353,udp,eth1,NEW\n" +
	"2001:db8::1,ff02::fb,4242,5353,udp,eth1,NEW\n"

func TestListingsOfNftablesGoThroughTheCommands(t *testing.T) {
	r := nftRules(t, "host")
	want := "ACCEPT\tssh/1\nACCEPT\tlab/1\nREJECT\tlab/2\nACCEPT\tinput/5\nACCEPT\tinput/2\nDROP\tinput/policy\nACCEPT\tinput/7\n"
	classify := func(rules string, more ...string) string {
		run := invoke(t, nftPackets, append([]string{"classify", "--rules", rules, "--packets", "-", "--output", "id"}, more...)...)
		require.Equal(t, exitOK, run.code, run.stderr)
		return run.stdout
	}
	for _, e := range []string{"tree", "index", "linear"} {
		require.Equal(t, want, classify(r, "--chain", "input", "--engine", e))
		require.Equal(t, want, classify(r, "--chain", "input", "--table", "inet:filter", "--engine", e))
		require.Equal(t, strings.NewReplacer("\t", "\tinet:filter:").Replace(want), classify(r, "--hook", "input", "--engine", e))
	}
	compiled := filepath.Join(t.TempDir(), "host.hipac")
	output(t, "", "compile", "--rules", r, "-o", compiled)
	require.Equal(t, want, classify(compiled, "--chain", "input"))

	require.Contains(t, answer(t, exitOK, "", "explain", "--rules", r, "--chain", "input", "--packet", "tcp 192.0.2.9:4242 > 192.0.2.200:8005 in=eth0 ctstate=NEW"),
		"verdict  REJECT  lab/2  line 1: meta l4proto tcp counter reject with tcp reset # handle 14\n")
	require.Contains(t, answer(t, exitOK, "", "query", "--rules", r, "--chain", "input", "src=192.0.2.0/27", "dport=22", "proto=tcp", "ctstate=NEW"), "yes, all\n  ACCEPT  all packets")
	require.Contains(t, output(t, "", "stats", "--rules", r), "table inet:filter, 5 chains\nrules         20 ")

	lint := invoke(t, "", "lint", "--rules", r, "--output", "json", "--fail-on", "note")
	require.Equal(t, exitFound, lint.code, lint.stderr)
	require.NotContains(t, lint.stdout, `"unreached"`, "a chain that a map of verdicts leads to is reached")
	var report struct{ Rules int }
	require.NoError(t, json.Unmarshal([]byte(lint.stdout), &report))
	require.Equal(t, 17, report.Rules, "of the listing")
	require.Contains(t, output(t, "", "lint", "--rules", r, "--cost"), "ssh/2     remembers (limit), reports (log)")

	next := nftRules(t, "host", "192.0.2.0", "192.0.3.0")
	require.Contains(t, answer(t, exitOK, "", "diff", r, r), "the same for all packets (0 of 3 built-in chains differ)")
	diff := answer(t, exitDifferent, "", "diff", r, next)
	require.Contains(t, diff, "inet:filter input\n  ACCEPT -> DROP ")
	require.Equal(t, diff, answer(t, exitDifferent, "", "diff", r, next, "--table", "filter"))
	require.Contains(t, answer(t, exitDifferent, "", "diff", "--edits", r, next), "inet:filter ssh\n  delete   1     ip saddr @admins")

	require.Contains(t, output(t, "", "trace", "--rules", nftRules(t, "router"), "--packet", "tcp 10.1.0.9:4242 > 10.2.0.200:443 in=lan0 out=wan0 ctstate=NEW"),
		"-> MARK: mark 0x0 -> 0x2\n")
}

func TestWhatListingsOfNftablesAreNotForIsSaid(t *testing.T) {
	r := nftRules(t, "host")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"print", "--rules", r}, "holds nftables rules, which nft list ruleset prints: print has no form of them but --output none"},
		{[]string{"print", "--rules", r, "--output", "json"}, "print has no form of them but --output none"},
		{[]string{"trace", "--rules", r, "--output", "kernel", "--packet", "icmp 10.0.0.1 > 10.0.0.2 in=a"}, "--output kernel writes the lines of the target TRACE, which is one of iptables, and " + r + " holds nftables rules"},
		{[]string{"classify", "--rules", r, "--packets", "-", "--sets", r}, "--sets is for iptables rules, and " + r + " holds nftables rules"},
		{[]string{"classify", "--rules", r, "--packets", "-", "--table", "nat"}, r + " has no table nat; it has inet:filter: choose one with --table"},
	} {
		got := invoke(t, nftPackets, c.args...)
		require.Equal(t, exitUsage, got.code, got.stderr)
		require.Contains(t, got.stderr, c.want)
	}
	require.Empty(t, output(t, "", "print", "--rules", r, "--output", "none"))
	got := invoke(t, "", "stats", "--rules", nftRules(t, "unmodelled"))
	require.Equal(t, exitData, got.code)
	require.Contains(t, got.stderr, "inet:filter input/7: statement quota is not modelled\n")
	require.Contains(t, output(t, "", "stats", "--rules", nftRules(t, "unmodelled"), "--allow-unknown"), "table inet:filter, 2 chains")
}
