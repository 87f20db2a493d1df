package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/packet/describe"
)

const (
	tracedRules = "testdata/trace.rules"
	newWeb      = "tcp 198.51.100.1:4242 > 192.0.2.7:443 in=eth0 ctstate=NEW"
)

func traced(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, "", append([]string{"trace", "--rules", tracedRules}, args...)...)
}

func TestTraceOutputs(t *testing.T) {
	golden(t, "trace.text", traced(t, "--packet", newWeb))
	golden(t, "trace.color", traced(t, "--packet", newWeb, "--color", "always"))
	golden(t, "trace-all.text", traced(t, "--packet", newWeb, "--all", "--near", "0"))
	golden(t, "trace.json", traced(t, "--packet", newWeb, "--output", "json"))
	golden(t, "trace.kernel", traced(t, "--packet", newWeb, "--output", "kernel"))
	golden(t, "trace-ways.text", traced(t,
		"--packet", "tcp 198.51.100.1:4242 > 192.0.2.7:80 in=eth0 ctstate=ESTABLISHED",
		"--packet", "tcp 198.51.100.1:4242 > 192.0.2.7:80 in=eth0 ctstate=NEW",
		"--packet", "udp 198.51.100.1:53 > 192.0.2.7:53 in=eth0 out=eth1",
		"--packet", "tcp [2001:db8::1]:1 > [2001:db8::2]:2 out=eth0"))
}

func TestATraceSaysWhatIsNotKnown(t *testing.T) {
	r := file(t, "r", "*filter\n-A OUTPUT -m owner --uid-owner 5 -j ACCEPT\n-A OUTPUT -d a.example -p tcp -j LOG\n"+
		"-A OUTPUT -d a.example -p tcp -j DROP\nCOMMIT\n")
	out := output(t, "", "trace", "--rules", r, "--allow-unknown", "--packet", "tcp 10.0.0.1:1 > 10.0.0.2:2 out=eth0",
		"--packet", "tcp 10.0.0.1:1 > 10.0.0.2:2 out=eth0 uid=7")
	golden(t, "trace-unknown.text", out)
	got := invoke(t, "", "trace", "--rules", r, "--allow-unknown", "--output", "kernel", "--packet", "tcp 10.0.0.1:1 > 10.0.0.2:2 out=eth0")
	require.Equal(t, result{stderr: "hipac: packet 1: no line of filter OUTPUT/1, which may match or not: needs owner: say uid=\n"}, got)
}

func TestAPacketGoesToTheOneChainThatHasRules(t *testing.T) {
	const web = "tcp 198.51.100.1:4242 > 192.0.2.7:80"
	r := file(t, "r", "*nat\n:PREROUTING ACCEPT\nCOMMIT\n*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:web -\n-A OUTPUT -p tcp -j web\n-A web -p tcp --dport 80 -j DROP\nCOMMIT\n")
	out := output(t, "", "trace", "--rules", r, "--packet", web)
	require.Contains(t, out, "OUTPUT")
	require.Contains(t, out, "DROP")
	for _, rules := range []string{
		"*filter\n-A INPUT -p tcp -j DROP\n-A OUTPUT -p tcp -j DROP\nCOMMIT\n",
		"*raw\n-A OUTPUT -p tcp -j ACCEPT\nCOMMIT\n*filter\n-A OUTPUT -p tcp -j DROP\nCOMMIT\n",
		"*filter\n:FORWARD DROP\n-A INPUT -p tcp -j DROP\nCOMMIT\n",
		"*filter\n:web -\n-A web -p tcp -j DROP\nCOMMIT\n",
	} {
		got := invoke(t, "", "trace", "--rules", file(t, "two", rules), "--packet", web)
		require.Equal(t, exitUsage, got.code, rules)
		require.Contains(t, got.stderr, "where does the packet go?", rules)
	}
}

func TestRulesRememberThePacketsTracedBefore(t *testing.T) {
	var lines []traceJSON
	for _, line := range strings.Split(strings.TrimSpace(traced(t, "--output", "json", "--near", "9", "--packet", newWeb, "--packet", newWeb)), "\n") {
		var j traceJSON
		require.NoError(t, json.Unmarshal([]byte(line), &j))
		lines = append(lines, j)
	}
	logged := func(j traceJSON) (found bool) {
		for _, stop := range j.Stops {
			for _, s := range stop.Steps {
				found = found || len(s.Effects) > 0 && s.Effects[0].Target == "LOG"
			}
		}
		return found
	}
	require.Equal(t, []bool{true, false}, []bool{logged(lines[0]), logged(lines[1])}, "the limit is one at once")
	var failed []string
	for _, n := range lines[1].Near {
		failed = append(failed, n.Failed.Wanted)
	}
	require.Contains(t, failed, "limit --limit 3/min --limit-burst 1")
}

// described returns a capture of described packets, a second apart.
func described(t *testing.T, texts ...string) string {
	var b bytes.Buffer
	require.NoError(t, capture.WritePcap(&b, packet.LinkRaw, func(yield func(time.Time, []byte) bool) {
		for i, text := range texts {
			p, err := describe.Parse(text)
			require.NoError(t, err)
			if !yield(time.Unix(1700000000+int64(i), 0), p.Data) {
				return
			}
		}
	}))
	return file(t, "p.pcap", b.String())
}

func TestPacketsOfACaptureAreTraced(t *testing.T) {
	p := described(t, "tcp 198.51.100.1:4242 > 192.0.2.7:443", `tcp 198.51.100.1:4242 > 192.0.2.7:443 ACK payload="GET /"`, "udp 10.0.0.1:1 > 10.0.0.2:2")
	all := traced(t, "--packets", p, "--in-interface", "eth0", "--ctstate", "NEW")
	require.Equal(t, 3, strings.Count(all, "\nverdict "))
	second := traced(t, "--packets", p, "--in-interface", "eth0", "--meta", "ctstate=NEW", "--number", "2")
	require.Contains(t, all, strings.TrimSpace(second))
	require.Contains(t, second, "packet              tcp 198.51.100.1:4242 > 192.0.2.7:443 ACK length=45 in=eth0 ctstate=NEW\n")
	require.NotContains(t, second, "LOG: ", "the packet before took the limit's one")
	r := invoke(t, "", "trace", "--rules", tracedRules, "--packets", p, "--hook", "input", "--number", "4")
	require.Equal(t, exitData, r.code)
	require.Contains(t, r.stderr, "no packet 4: there are 3")
}

func TestUsageErrorsOfTrace(t *testing.T) {
	list := file(t, "l", nativeRules)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--rules FILE is missing"},
		{[]string{"--rules", tracedRules}, "no packet: --packet 'tcp 10.0.0.1:4242 > "},
		{[]string{"--rules", tracedRules, "--packet", newWeb, "--packets", "x"}, "--packet or --packets, not both"},
		{[]string{"--rules", tracedRules, "--packet", newWeb, "--number", "2"}, "--number is for --packets"},
		{[]string{"--rules", tracedRules, "--packet", newWeb, "--near=-1"}, "a negative number"},
		{[]string{"--rules", "-", "--packets", "-"}, "rules and packets cannot both be standard input"},
		{[]string{"--rules", tracedRules, "--packet", "tcp 1.2.3.4:5 > 1.2.3.400:80"}, `--packet: column 17: "1.2.3.400:80": not an address`},
		{[]string{"--rules", tracedRules, "--packet", "tcp 1.2.3.4:5 > 1.2.3.4:80"}, "where does the packet go? in=NAME: to this machine"},
		{[]string{"--rules", tracedRules, "--packet", newWeb, "--table", "mangle", "--chain", "web"}, "packets do not enter table mangle at chain web"},
		{[]string{"--rules", list, "--packet", newWeb}, "trace is for iptables and nftables rules, and " + list + " holds native rules"},
	} {
		r := invoke(t, "", append([]string{"trace"}, tt.args...)...)
		require.Equal(t, exitUsage, r.code, tt.args)
		require.Contains(t, r.stderr, tt.want)
		require.Empty(t, r.stdout)
	}
}

func TestATraceAgreesWithClassify(t *testing.T) {
	texts := []string{"tcp 198.51.100.1:4242 > 192.0.2.7:80", "tcp 10.0.0.1:4242 > 192.0.2.7:22", "tcp 203.0.113.66:1 > 192.0.2.7:22", "udp 10.0.0.1:4242 > 192.0.2.7:22",
		`tcp 10.0.0.1:4242 > 192.0.2.7:443 payload="GET /"`}
	p := described(t, texts...)
	args := []string{"--rules", tracedRules, "--packets", p, "--hook", "input", "--meta", "in=eth0 ctstate=NEW", "--output", "json"}
	classified := strings.Split(output(t, "", args...), "\n")
	lines := strings.Split(output(t, "", append([]string{"trace"}, args...)...), "\n")
	for i := range texts {
		var c packetJSON
		var j traceJSON
		require.NoError(t, json.Unmarshal([]byte(classified[i]), &c))
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &j))
		require.Equal(t, []any{c.Verdict, c.Table, c.Chain, c.Rule}, []any{j.Verdict, j.By.Table, j.By.Chain, j.By.Rule})
	}
}

func TestTheRulesOfTheTraceTestsAreCanonical(t *testing.T) {
	text, err := os.ReadFile(tracedRules)
	require.NoError(t, err)
	trace := traced(t, "--packet", newWeb, "--all")
	n := 0
	for _, line := range strings.Split(string(text), "\n") {
		if _, rule, ok := strings.Cut(line, "-A INPUT "); ok {
			require.Contains(t, trace, "  "+rule)
			n++
		}
	}
	require.Equal(t, 6, n)
}

func TestTheReadmeShowsWhatTraceShows(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	const packet = "tcp 192.0.2.9:4242 > 198.51.100.2:22 in=wan0 out=dmz0"
	require.Contains(t, string(text), "\nhipac trace --rules office.rules --packet '"+packet+"' --near 1\n```\n\n```\n"+
		output(t, "", "trace", "--rules", "demo/office.rules", "--packet", packet, "--near", "1")+"```\n")
}
