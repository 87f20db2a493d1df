package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
)

// result is what a run left.
type result struct {
	code           int
	stdout, stderr string
}

// little is as little effort as there can be: the tests ask for answers, not
// for times.
var little = effort{most: time.Millisecond, least: time.Microsecond, packets: 2000,
	edits: 400, round: 2 * time.Millisecond}

// invoke runs the program.
func invoke(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return invokeTampered(t, nil, stdin, args...)
}

func invokeTampered(t *testing.T, tamper func(string, []int32), stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, effort: little, tamper: tamper}
	code := a.run(args)
	return result{code, stdout.String(), stderr.String()}
}

// object runs the program with --json, which must succeed, and returns what it
// printed.
func object(t *testing.T, stdin string, args ...string) map[string]any {
	t.Helper()
	r := invoke(t, stdin, append(args, "--json")...)
	require.Equal(t, result{code: exitOK, stdout: r.stdout}, r)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &v), "one object and nothing else")
	return v
}

// file writes a file and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

const nativeRules = `hipac 1
schema ipv4
rule src=10.0.0.0/8 dport=80,443 proto=tcp => ACCEPT
rule @7 dport!=22 => DROP
`

const classbenchRules = "@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0200/0x0200\n" +
	"@0.0.0.0/0\t192.0.2.0/24\t0 : 65535\t0 : 65535\t0x11/0xFF\t0x0000/0x0000\n"

const iptablesRules = "*filter\n:INPUT DROP\n:FORWARD DROP\n:web -\n-A INPUT -p tcp -j web\n-A web -p tcp -m tcp --dport 80 -j ACCEPT\n-A FORWARD -s 10.0.0.0/8 -j ACCEPT\nCOMMIT\n"

const trace1 = "167772161 3221225985 1234 80 6 0 0\n" +
	"167772161 3221225985 1234 22 6 0 0\n" +
	"1 3221225985 1 53 17\n"

// pcap returns a capture of packets from 10.0.0.1 to 192.0.2.1 with these ports,
// and of a frame that is no packet.
func pcap(t *testing.T, ports ...uint16) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, capture.WritePcap(&b, packet.LinkEthernet, func(yield func(time.Time, []byte) bool) {
		for _, port := range ports {
			p := packet.Packet{Family: 4, Proto: packet.TCP, SrcPort: 1234, DstPort: port, Length: 1000}
			p.Src, p.Dst = [4]uint32{0, 0, 0xffff, 10<<24 | 1}, [4]uint32{0, 0, 0xffff, 192<<24 | 2<<8 | 1}
			if !yield(time.Time{}, p.AppendEthernet(nil)) {
				return
			}
		}
		yield(time.Time{}, make([]byte, 60))
	}))
	return b.String()
}

func TestHelpNamesTheCommandsAndTheirFlags(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}} {
		got := invoke(t, "", args...)
		require.Equal(t, exitOK, got.code)
		require.Contains(t, got.stdout, "  lookup    ")
		require.Contains(t, got.stdout, "  packet    ")
		require.Contains(t, got.stdout, "  update    ")
		require.Contains(t, got.stdout, "  compare    ")
		require.Contains(t, got.stdout, "  all    ")
	}
	for command, flags := range map[string][]string{
		"lookup": {"--rules", "--packets", "--check", "--engines", "--seed", "--json"},
		"packet": {"--rules", "--pcap", "--table", "--chain", "--check", "--seed", "--json"},
		"update": {"--rules", "--packets", "--seed", "--kernel", "--json"},

		"compare": {"--family", "--rules", "--file", "--seed", "--engines", "--[no-]peers", "--timeout", "--memory", "--check", "--traffic", "--json"},
		"build":   {"--family", "--rules", "--file", "--engines", "--workers", "--rounds", "--json"},
		"memory":  {"--family", "--rules", "--file", "--engines", "--json"},
		"scale":   {"--family", "--rules", "--file", "--engines", "--cores", "--json"},
		"all":     {"--family", "--rules", "--file", "--engines", "--out", "--minutes", "--quick", "--json"},
	} {
		got := invoke(t, "", command, "--help")
		require.Equal(t, exitOK, got.code)
		for _, f := range flags {
			require.Contains(t, got.stdout, f)
		}
		for _, line := range strings.Split(got.stdout, "\n") {
			require.LessOrEqual(t, len([]rune(line)), 100, line)
		}
	}
}

func TestBadUsageHasItsOwnExitCode(t *testing.T) {
	r, p := file(t, "r", classbenchRules), file(t, "p", trace1)
	ipt, n := file(t, "i", iptablesRules), file(t, "n", nativeRules)
	for _, tt := range []struct{ args, want string }{
		{"lookup --packets " + p, "--rules FILE is missing"},
		{"packet", "--rules FILE is missing"},
		{"update", "--rules FILE is missing"},
		{"update --rules - --packets -", "rules and packets cannot both be standard input"},
		{"update --rules " + ipt, ipt + " holds iptables rules, which are chains and no list"},
		{"nothing", `there is no command "nothing"; choose from lookup, packet, update, compare, build,`},
		{"gen nothing", `there is no command "nothing"; choose from rules, packets, connections`},
		{"lookup nothing", "unexpected argument nothing"},
		{"lookup --nothing", "unknown flag --nothing"},
		{"lookup --rules - --packets -", "rules and packets cannot both be standard input"},
		{"packet --rules - --pcap -", "rules and packets cannot both be standard input"},
		{"lookup --rules " + r + " --check=-1", "--check -1 is negative"},
		{"packet --rules " + r + " --check=-1", "--check -1 is negative"},
		{"lookup --rules " + r + " --engines tree,oak", `--engines: there is no "oak"; choose from tree,tree-go,`},
		{"lookup --rules " + r + " --engines ,", `--engines: there is no ""`},
		{"lookup --rules " + ipt, ipt + " holds iptables rules, which are chains and no list: bench packet measures them"},
		{"packet --rules " + r + " --table filter", "--table and --chain are for iptables and nftables rules"},
		{"packet --rules " + ipt + " --table nat", "has no table nat"},
		{"packet --rules " + ipt + " --chain web", "packets do not enter table filter at chain web"},
		{"packet --rules " + n + " --in-interface eth0 --pcap " + file(t, "c", pcap(t, 80)), "--in-interface: the rules have no field iif"},
	} {
		got := invoke(t, "", strings.Fields(tt.args)...)
		require.Equal(t, exitUsage, got.code, tt.args)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, tt.want)
		require.True(t, strings.HasPrefix(got.stderr, "bench: "), got.stderr)
	}
}

func TestEmptyValuesAreRefused(t *testing.T) {
	for flag, commands := range map[string]string{
		"--engines": "lookup compare build memory scale all", "--family": "compare build memory scale all", "--rules": "lookup packet update compare build iptables",
		"--traffic": "compare", "--workers": "build", "--cores": "scale", "--walk": "iptables", "--file": "memory", "--out": "all report", "--packets": "lookup update",
		"--plots": "report", "--sets": "report", "--results": "report", "--pcap": "packet",
	} {
		for command := range strings.FieldsSeq(commands) {
			args := []string{command, flag, ""}
			if command == "report" && flag != "--out" {
				args = append(args, "--out", "x")
			}
			got := invoke(t, "", args...)
			require.Equal(t, exitUsage, got.code, args)
			require.Empty(t, got.stdout)
			require.Regexp(t, "^bench: "+flag+": .* empty "+`\("bench --help" tells more\)\n$`, got.stderr)
		}
	}
	got := invoke(t, "", "memory", "--engines", ",hipac")
	require.Equal(t, exitUsage, got.code)
	require.Equal(t, "bench: --engines: the list, or a part of it between commas, is empty (\"bench --help\" tells more)\n", got.stderr)
}

func TestNegativeNumbersAreNoFlags(t *testing.T) {
	require.Equal(t, []string{"a", "--rules=-5", "-o", "-5", "--x=1", "-2", "--", "--y", "-3"},
		signed([]string{"a", "--rules", "-5", "-o", "-5", "--x=1", "-2", "--", "--y", "-3"}))
}

func TestBadDataIsNamedWithItsPlace(t *testing.T) {
	r, p := file(t, "r", classbenchRules), file(t, "p", trace1)
	missing := filepath.Join(t.TempDir(), "none")
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"lookup", "--rules", missing}, missing + ": no such file"},
		{"", []string{"lookup", "--rules", r, "--packets", missing}, missing + ": no such file"},
		{"", []string{"lookup", "--rules", t.TempDir()}, ": is a directory"},
		{"", []string{"update", "--rules", missing}, missing + ": no such file"},
		{"hipac 1\nschema ipv4\n", []string{"update", "--rules", "-"}, "no rules, and so nothing to edit"},
		{"1 2 3 4 5\n1 2 3 4 x\n", []string{"update", "--rules", r, "--packets", "-"}, "standard input:2:"},
		{"@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t80 : 80\t0x06/0xFF\n@10.0.0.0/99\n", []string{"lookup", "--rules", "-", "--packets", p}, "standard input:2:"},
		{"1 2 3 4 5\n1 2 3 4 x\n", []string{"lookup", "--rules", r, "--packets", "-"}, "standard input:2:"},
		{"", []string{"lookup", "--rules", r, "--packets", "-"}, "standard input: "},
		{"src,dst\n", []string{"lookup", "--rules", r, "--packets", "-"}, "-: no packets that the rules are about"},
		{pcap(t, 80)[:80], []string{"lookup", "--rules", r, "--packets", "-"}, "standard input: packet 1 at byte "},
		{pcap(t, 80)[:80], []string{"packet", "--rules", r, "--pcap", "-"}, "standard input: packet 1 at byte "},
		{pcap(t), []string{"packet", "--rules", r, "--pcap", "-"}, "-: no packets that can be decoded"},
		{trace1, []string{"packet", "--rules", r, "--pcap", "-"}, "standard input: a capture is wanted, pcap or pcapng, and this is classbench text"},
		{"*filter\n-A INPUT -m owner --uid-owner 1 -j DROP\nCOMMIT\n", []string{"packet", "--rules", "-"}, "standard input:2:"},
	} {
		got := invoke(t, tt.stdin, tt.args...)
		require.Equal(t, exitData, got.code, tt.args)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, tt.want)
	}
}

func TestPacketsThatCannotBeMeasuredAreReported(t *testing.T) {
	r, c := file(t, "r", "hipac 1\nschema ipv6\nrule any => X\n"), file(t, "c", pcap(t, 80, 443))
	got := invoke(t, "", "lookup", "--rules", r, "--packets", c)
	require.Equal(t, exitData, got.code)
	require.Equal(t, fmt.Sprintf("bench: %[1]s: 1 of 3 packets left out: not IP, or damaged\n"+
		"bench: %[1]s: 2 of 3 packets have addresses of a family that the rules are not about\n"+
		"bench: %[1]s: no packets that the rules are about\n", c), got.stderr)
	// bench packet measures what becomes of such packets too.
	got = invoke(t, "", "packet", "--rules", r, "--pcap", c, "--json")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, `"packets": 2,`)
}

func TestErrorsAreSafeToPrint(t *testing.T) {
	got := invoke(t, "\x1b[31m\n", "lookup", "--rules", "-")
	require.Equal(t, exitData, got.code)
	require.NotContains(t, got.stderr, "\x1b")
}

// keys returns the sorted keys of an object.
func keys(v any) []string { return slices.Sorted(maps.Keys(v.(map[string]any))) }
