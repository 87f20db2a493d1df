package main

// Lists from elsewhere go wherever native lists go.

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const ciscoConfig = `hostname r1
!
ip access-list extended WEB
 remark the web server
 10 permit tcp any host 192.0.2.1 eq www
 20 deny tcp any any
!
access-list 101 permit ip any any
!
end
`

func TestListsFromElsewhereGoWhereNativeOnesGo(t *testing.T) {
	rules := file(t, "r1.cfg", ciscoConfig)
	packets := file(t, "p.csv", "src,dst,proto,dport,frag\n10.0.0.1,192.0.2.1,tcp,80,0\n10.0.0.1,192.0.2.1,tcp,81,0\n10.0.0.1,192.0.2.1,udp,80,0\n")
	web := []string{"--rules", rules, "--list", "WEB"}
	run := func(code int, name string, args ...string) string {
		return answer(t, code, "", append([]string{name}, args...)...)
	}

	golden(t, "print-elsewhere.golden", run(exitOK, "print", web...))
	require.Equal(t, "1\n3\n4\n", run(exitOK, "classify", append(web, "--packets", packets, "--output", "id")...))
	golden(t, "explain-elsewhere.golden", run(exitOK, "explain", append(web, "--packet", "dst=192.0.2.1 proto=tcp dport=80", "--rule", "2")...))
	golden(t, "query-elsewhere.golden", run(exitOK, "query", append(web, "--verdict", "ACCEPT", "dport=80")...))
	require.Contains(t, run(exitDifferent, "lint", web...), "3  proto=tcp => DROP  # 20 deny tcp any any  "+rules+":6\n")
	require.Contains(t, run(exitOK, "stats", web...), "r1.cfg, cisco")

	compiled := filepath.Join(t.TempDir(), "web.hipac")
	run(exitOK, "compile", append(web, "-o", compiled)...)
	require.Equal(t, run(exitOK, "print", web...), run(exitOK, "print", "--rules", compiled))
	require.Contains(t, run(exitOK, "diff", "--list", "WEB", rules, compiled), "the same for all packets")
	require.Contains(t, run(exitOK, "diff", "--list", "WEB", compiled, rules), "the same for all packets")
	native := file(t, "web.rules", "hipac 1\nschema ipv4\nrule dst=192.0.2.1 dport=80 proto=tcp => ACCEPT\nrule any => DROP\n")
	different := run(exitDifferent, "diff", "--list", "WEB", rules, native)
	require.Contains(t, different, "rule 2  line 5: ", "fragments of the web")
	require.Contains(t, run(exitDifferent, "diff", "--list", "WEB", "--to-list", "101", rules, rules), "DROP -> ACCEPT")
}

func TestListsAreChosenWhereThereAreSeveral(t *testing.T) {
	rules := file(t, "r1.cfg", ciscoConfig)
	native := file(t, "n.rules", nativeRules)
	for args, want := range map[string]string{
		"print --rules " + rules:                                    "r1.cfg has 2 lists: choose one with --list: WEB, 101",
		"print --rules " + rules + " --list OUT":                    "r1.cfg has no list OUT; it has WEB, 101: choose one with --list",
		"print --rules " + native + " --list OUT":                   "--list is for files with several lists",
		"print --table nat --list WEB --rules " + rules:             "--table and --chain are for iptables and nftables rules",
		"print --rules-format iptables --list WEB --rules " + rules: "--list is for files with several lists",
	} {
		r := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.stderr, want)
	}
	for args, want := range map[string]string{
		"diff " + rules + " " + native:                          "r1.cfg has 2 lists",
		"diff --list WEB " + native + " " + native:              "--list is for files with several lists, and",
		"diff --list WEB --to-list X " + rules + " " + native:   "--list is for files with several lists, and",
		"diff --list WEB --to-list 101 " + native + " " + rules: "--list is for files with several lists, and",
		"diff --list WEB --to-list NO " + rules + " " + rules:   "r1.cfg has no list NO",
	} {
		r := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitTrouble, r.code, args)
		require.Contains(t, r.stderr, want)
	}
}

func TestListsFromElsewhereAreReloaded(t *testing.T) {
	rules := file(t, "r1.cfg", ciscoConfig)
	w := watch(t, rules, "--list", "101", "--output", "id")
	require.Equal(t, "1", w.answer(web))
	replace(t, rules, "! shifted by a line\n"+strings.Replace(ciscoConfig, "access-list 101", "access-list 101 deny udp any any\naccess-list 101", 1))
	w.says("1 rule kept, 1 inserted, 0 deleted")
	require.Equal(t, "2", w.answer(web))
	replace(t, rules, strings.Replace(ciscoConfig, "101", "102", 1))
	w.says("has no list 101; it has WEB, 102: choose one with --list")
	require.Equal(t, "2", w.answer(web))
	w.end()
}

func TestWhatRulesLeaveOutIsSaid(t *testing.T) {
	const pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nstatus: {phase: Pending}\n"
	var text strings.Builder
	for i := range 7 {
		fmt.Fprintf(&text, pod, i)
	}
	cluster := file(t, "c.yaml", text.String())
	packets := file(t, "p.csv", "src,dst,proto\n10.0.0.1,10.0.0.2,tcp\n")
	for _, args := range []string{"print", "stats", "lint", "query --verdict DROP", "classify --packets " + packets, "explain -p src=10.0.0.1", "compile -o " + filepath.Join(t.TempDir(), "c")} {
		r := invoke(t, "", append(strings.Fields(args), "--rules", cluster, "--list", "ingress")...)
		lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
		require.GreaterOrEqual(t, len(lines), maxWarnings+1, args)
		require.Equal(t, "hipac: "+cluster+":2: the Pod default/p0 is left out: it has no address", lines[0], args)
		require.Equal(t, "hipac: "+cluster+": 2 more are left out", lines[maxWarnings], args)
	}
}

func TestAChangedSetIsNamed(t *testing.T) {
	const listing = `{"nftables": [{"table": {"family": "ip", "name": "f"}},
{"set": {"family": "ip", "name": "bad", "table": "f", "type": "ipv4_addr", "elem": ["10.0.0.1"]}},
{"chain": {"family": "ip", "table": "f", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
{"rule": {"family": "ip", "table": "f", "chain": "in", "handle": 4, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@bad"}}, {"drop": null}]}}]}`
	r := invoke(t, "", "diff", "--edits", file(t, "a.json", listing), file(t, "b.json", strings.Replace(listing, "10.0.0.1", "10.0.0.3", 1)))
	require.Equal(t, exitDifferent, r.code)
	require.Contains(t, r.stdout, "insert      1  ip saddr @bad drop # handle 4\n                 written alike: set bad is another\n")

	odd := file(t, "odd.json", strings.Replace(listing, `{"drop": null}`, `{"masquerade": null}`, 1))
	r = invoke(t, "", "lint", "--rules", odd)
	require.Equal(t, exitTrouble, r.code)
	require.Contains(t, r.stderr, "\nhipac: --allow-unknown keeps such rules")
	require.Equal(t, exitTrouble, invoke(t, "", "lint", "--allow-unknown", "--rules", file(t, "none.json", "{}")).code)

	regular := strings.Replace(listing, `, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"`, "", 1)
	r = invoke(t, "", "trace", "--rules", file(t, "c.json", regular), "-p", "tcp 10.0.0.1:5 > 10.0.0.2:22")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "c.json: no table has a base chain")
}

func TestFindingsAreAboutWholeEntries(t *testing.T) {
	lint := func(text string, args ...string) result {
		return invoke(t, "", append([]string{"lint", "--rules", file(t, "r", text)}, args...)...)
	}
	// The second rule, of the first entry's fragments, is not needed beside the fourth.
	r := lint("ip access-list extended X\n permit tcp 10.0.0.0 0.255.255.255 any eq 22\n permit tcp any any eq 80\n")
	require.Equal(t, exitOK, r.code, r.stdout)
	require.Contains(t, r.stdout, "5 rules, 0 errors, 0 warnings, 0 notes")
	r = lint("ip access-list extended X\n permit tcp any any eq 80\n permit tcp 10.0.0.0 0.255.255.255 any eq 80\n")
	require.Equal(t, exitFound, r.code)
	require.Contains(t, r.stdout, "hidden  1 can never decide\n  3  src=10.0.0.0/8")
	require.Contains(t, r.stdout, "      fix: remove it\n")
	// The last entry of a network ACL cannot be removed.
	const acl = `{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [
{"CidrBlock": "0.0.0.0/0", "Egress": false, "Protocol": "6", "PortRange": {"From": 1, "To": 9}, "RuleAction": "allow", "RuleNumber": 100},
{"CidrBlock": "0.0.0.0/0", "Egress": false, "Protocol": "-1", "RuleAction": "deny", "RuleNumber": 32767}]}]}`
	r = lint(acl, "--list", "acl-1/ingress")
	require.Equal(t, exitOK, r.code, r.stdout+r.stderr)
	require.Contains(t, r.stdout, "0 errors, 0 warnings, 0 notes")
}

func TestThatNothingIsAcceptedIsANo(t *testing.T) {
	rules := file(t, "none.rules", "hipac 1\nschema ipv4\nrule any => DROP\n")
	require.Equal(t, 1, invoke(t, "", "query", "--rules", rules, "--verdict", "ACCEPT").code)
	require.Equal(t, 1, invoke(t, "", "query", "--rules", file(t, "e.rules", "hipac 1\nschema ipv4\n"), "--verdict", "DROP").code)
	require.Equal(t, exitUsage, invoke(t, "", "lint", "--memory", "0", "--rules", rules).code)
}
