package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
)

func TestUsageErrorsExitWith2(t *testing.T) {
	rules, list := file(t, "r", "*filter\nCOMMIT\n*nat\nCOMMIT\n"), file(t, "l", nativeRules)
	packets := file(t, "p", trace)
	for _, tt := range []struct {
		args   string
		reason string
	}{
		{"clasify", "unexpected argument clasify"},
		{"--nonsense", "unknown flag --nonsense"},
		{"classify --engine fast", `--engine must be one of "tree","index","linear" but got "fast"`},
		{"classify --output xml", "--output must be one of"},
		{"classify --rules-format pf", "--rules-format must be one of"},
		{"classify --packets-format erf", "--packets-format must be one of"},
		{"classify --fields 7", "--fields must be one of"},
		{"classify --top x", "--top: expected a valid"},
		{"classify --top=-1", "--top -1 is negative"},
		{"classify --rules x", "--rules needs --packets FILE"},
		{"classify --packets x", "--packets needs --rules FILE"},
		{"classify --rules - --packets -", "rules and packets cannot both be standard input"},
		{"classify --table mangle --rules " + rules + " --packets " + packets, "has no table mangle; it has filter, nat: choose one with --table"},
		{"classify --chain user --rules " + rules + " --packets " + packets, "packets do not enter table filter at chain user: choose one of INPUT, FORWARD, OUTPUT with --chain"},
		{"classify --chain FORWARD --table nat --rules " + rules + " --packets " + packets, "packets do not enter table nat at chain FORWARD"},
		{"classify --chain FORWARD --rules " + list + " --packets " + packets, "--table and --chain are for iptables and nftables rules"},
		{"classify --fields 6 --rules " + list + " --packets " + packets, "--fields 6 is for ClassBench rules"},
		{"classify --family 6 --rules " + list + " --packets " + packets, "--family is for iptables rules"},
		{"classify --in-interface eth0 --rules " + list + " --packets " + packets, "--in-interface: the rules have no field iif"},
		{"classify --ctstate OLD --rules " + rules + " --packets " + packets, "--ctstate: "},
		{"stats --table mangle --rules " + rules, "has no table mangle"},
	} {
		r := invoke(t, "", strings.Fields(tt.args)...)
		require.Equal(t, exitUsage, r.code, tt.args)
		require.Contains(t, r.stderr, tt.reason, tt.args)
		require.True(t, strings.HasPrefix(r.stderr, "hipac: "), r.stderr)
		require.Empty(t, r.stdout, tt.args)
	}
}

func TestBadDataExitsWith1AndSaysWhere(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, rules, packets, reason string }{
		{"native token", "hipac 1\nschema ipv4\nrule sport=99999 => DROP\n", trace, "RULES:3:6: "},
		{"native field", "hipac 1\nschema ipv4\nrule vlan=7 => DROP\n", trace, `RULES:3:6: unknown field "vlan"`},
		{"native JSON", `{"hipac": 1, "schema": {"name": "ipv5"}, "rules": []}`, trace, "RULES:1:"},
		{"native NUL", "hipac 1\nschema ipv4\nrule src=\x00 => DROP\n", trace, "RULES:3:10: "},
		{"gzip as rules", "\x1f\x8b\x08", trace, "RULES: not a text file (it begins with 1f 8b 08)"},
		{"classbench prefix", "@1.2.3.4/33 0.0.0.0/0 0 : 1 0 : 1 0/0\n", trace, "RULES:1:"},
		{"classbench range", "@1.2.3.4/32 0.0.0.0/0 5 : 1 0 : 1 0/0\n", trace, "RULES:1:"},
		{"iptables chain", "*filter\n-A FORWARD -j nowhere\nCOMMIT\n", trace, "RULES:2:15: "},
		{"iptables without COMMIT", "*filter\n", trace, "COMMIT"},
		{"iptables loop", "*filter\n:a - [0:0]\n-A FORWARD -j a\n-A a -j a\nCOMMIT\n", trace, "loop"},
		{"no format", "permit ip any any\n", trace, `RULES:1:1: cannot tell the format of the rules: native rules begin with "hipac 1"`},
		{"other JSON", `{"rules": []}`, trace, `RULES: JSON, but not of a known form: rules are told by a member: native ones by "hipac"`},
		{"empty rules", "", trace, "RULES: the file is empty"},
		{"only remarks", "# nothing\n\n", trace, "RULES: no rules"},
		{"a capture as rules", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00", trace, "RULES: not a text file (it begins with d4 c3 b2 a1)"},
		{"trace column", nativeRules, trace + "1 2 3 4\n", "PACKETS:5:"},
		{"trace port", nativeRules, "1 2 70000 4 6\n", "PACKETS:1:5: "},
		{"csv field", nativeRules, "src,dst,colour\n1.1.1.1,2.2.2.2,red\n", "PACKETS:1:9: the rules have no such field"},
		{"csv value", nativeRules, "src,dst\n1.1.1.1,2.2.2\n", "PACKETS:2:9: "},
		{"empty packets", nativeRules, "", "PACKETS: "},
		{"packets of no format", nativeRules, "GET / HTTP/1.1\n", "PACKETS: "},
		{"gzip", nativeRules, "\x1f\x8b\x08\x00", "compressed"},
		{"capture cut in its header", nativeRules, "\xd4\xc3\xb2\xa1\x02\x00\x04\x00", "PACKETS: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, packets := dir+"/rules", dir+"/packets"
			require.NoError(t, os.WriteFile(rules, []byte(tt.rules), 0o644))
			require.NoError(t, os.WriteFile(packets, []byte(tt.packets), 0o644))
			r := invoke(t, "", "classify", "--rules", rules, "--packets", packets)
			require.Equal(t, exitData, r.code, r.stderr)
			stderr := strings.NewReplacer(rules, "RULES", packets, "PACKETS").Replace(r.stderr)
			require.Contains(t, stderr, tt.reason)
			for line := range strings.Lines(r.stderr) {
				require.True(t, strings.HasPrefix(line, "hipac: "), line)
			}
		})
	}
}

func TestFilesThatCannotBeReadExitWith1(t *testing.T) {
	rules := file(t, "r", nativeRules)
	r := invoke(t, "", "classify", "--rules", "/does/not/exist", "--packets", "x")
	require.Equal(t, result{exitData, "", "hipac: /does/not/exist: no such file or directory\n"}, r)
	r = invoke(t, "", "classify", "--rules", rules, "--packets", "/does/not/exist")
	require.Equal(t, result{exitData, "", "hipac: /does/not/exist: no such file or directory\n"}, r)
	r = invoke(t, "", "stats", "--rules", os.TempDir())
	require.Equal(t, exitData, r.code)
	require.Contains(t, r.stderr, "is a directory")
}

func TestEveryUnsupportedFeatureIsALineOfItsOwn(t *testing.T) {
	rules := file(t, "r", "*filter\n-A FORWARD -s a.example -j ACCEPT\n-A FORWARD -d b.example -j ACCEPT\nCOMMIT\n")
	r := invoke(t, "", "stats", "--rules", rules)
	require.Equal(t, exitData, r.code)
	lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
	require.Len(t, lines, 3)
	require.True(t, strings.HasPrefix(lines[0], "hipac: "+rules+":2:"), lines[0])
	require.True(t, strings.HasPrefix(lines[1], "hipac: "+rules+":3:"), lines[1])
	require.Contains(t, lines[2], "--allow-unknown")
}

func TestHelpIsPrintedAndIsNoError(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	for _, args := range []string{"--help", "classify --help", "trace --help", "lint --help", "stats --help"} {
		text := output(t, "", strings.Fields(args)...)
		golden(t, strings.ReplaceAll(strings.ReplaceAll(args, "--", ""), " ", "-")+".golden", text)
	}
}

func TestVersionNamesTheProgram(t *testing.T) {
	version := output(t, "", "version")
	require.Regexp(t, `^hipac \S+.* go1\.`, version)
	require.Equal(t, version, output(t, "", "--version"))
	require.Equal(t, version, output(t, "", "stats", "--version"))
}

// brokenPipe is the writer of a pipe whose reader has gone.
type brokenPipe struct{ n int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	b.n++
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestAReaderThatGoesAwayEndsTheRunQuietly(t *testing.T) {
	rules, packets := randomSet(1, 10, 50000)
	for _, args := range []string{"--output id", "--output json", "--output csv", "--verbose", "--output text", "stats"} {
		var pipe brokenPipe
		var stderr bytes.Buffer
		all := append(strings.Fields(args), "--rules", file(t, "r", rules))
		if args != "stats" {
			all = append(all, "--packets", file(t, "p", packets))
		}
		code := testApp(t.Context(), nil, &pipe, &stderr).run(all)
		require.Equal(t, exitOK, code, args)
		require.Empty(t, stderr.String(), args)
		require.Equal(t, 1, pipe.n, args)
	}
}

func TestAnInterruptEndsWithTheSummaryOfWhatWasDone(t *testing.T) {
	rules := file(t, "r", nativeRules)
	for _, tt := range []struct{ output, want string }{
		{"json", `{"summary":{"packets":4,"damaged":0,"not_ip":0,"cut":0,"short":0,"interrupted":true,`},
		{"id", "1\n0\nUNKNOWN\t2\n3\n"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		in, w := io.Pipe()
		var stderr bytes.Buffer
		stdout := &notify{want: 4, done: cancel}
		go func() { _, _ = io.WriteString(w, trace) }()
		code := testApp(ctx, in, stdout, &stderr).run([]string{"--rules", rules, "--packets", "-", "--output", tt.output})
		require.Equal(t, exitData, code)
		require.Equal(t, "hipac: interrupted\n", stderr.String())
		require.Contains(t, stdout.String(), tt.want)
		require.NoError(t, in.Close())
	}
}

// interrupting is a program that is interrupted while it decides a packet.
type interrupting struct {
	program
	mu      sync.Mutex
	decided int
	at      int
	cancel  func()
}

func (p *interrupting) decide(k rules.Key, e *entry) outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.decided++; p.decided == p.at {
		p.cancel()
	}
	return p.program.decide(k, e)
}

func TestAnInterruptEndsWithinAPacket(t *testing.T) {
	list, err := classbench.Read(strings.NewReader(classbenchRules), classbench.Options{})
	require.NoError(t, err)
	for _, e := range []engine{engineTree, engineIndex, engineLinear} {
		for _, at := range []int{1, 2, blockSize, blockSize + 1, 777, 1000} {
			ctx, cancel := context.WithCancel(t.Context())
			inner, err := newListProgram(t.Context(), list, e, nil)
			require.NoError(t, err)
			p := &interrupting{program: inner, at: at, cancel: cancel}
			a := testApp(ctx, nil, io.Discard, io.Discard)
			r := &classification{app: a, prog: &compiled{program: p, engine: e}, sum: &summary{}}
			const n = 1000
			c := &chunk{keys: make([]uint32, n*list.Schema().KeyLen()), entries: make([]entry, n)}
			r.classify(ctx, c)
			require.Len(t, c.outcomes, len(c.entries))
			// Each of the workers ends the packet that it is at; what others have
			// decided behind the first undecided packet does not count.
			require.LessOrEqual(t, len(c.entries), p.decided, "%s %d", e, at)
			if e == engineTree {
				require.Equal(t, at, p.decided)
				require.Len(t, c.entries, at)
			} else {
				require.Less(t, p.decided, at+runtime.GOMAXPROCS(0), "%s %d", e, at)
			}
		}
	}
}

// hostileRules are a table in which every packet walks 2^depth rules and more:
// each chain jumps twice to the next.
func hostileRules(depth int) string {
	var b strings.Builder
	b.WriteString("*filter\n")
	for i := range depth {
		fmt.Fprintf(&b, ":c%d - [0:0]\n", i)
	}
	b.WriteString("-A FORWARD -j c0\n")
	for i := range depth - 1 {
		fmt.Fprintf(&b, "-A c%d -j c%d\n-A c%d -j c%d\n", i, i+1, i, i+1)
	}
	fmt.Fprintf(&b, "-A c%d -s 255.255.255.255 -j DROP\nCOMMIT\n", depth-1)
	return b.String()
}

// cancelling gives a text and, when a reader comes back for more, calls done.
type cancelling struct {
	text io.Reader
	done func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.text.Read(p)
	if err == io.EOF {
		c.done()
	}
	return n, err
}

func TestAnInterruptAmongSlowPacketsPrintsWhatWasDecided(t *testing.T) {
	rules := file(t, "r", hostileRules(20))
	for _, e := range []string{"tree", "index", "linear"} {
		ctx, cancel := context.WithCancel(t.Context())
		var stdout, stderr bytes.Buffer
		in := &cancelling{strings.NewReader(strings.Repeat(trace, 100)), cancel}
		code := testApp(ctx, in, &stdout, &stderr).run([]string{"--rules", rules, "--packets", "-", "--output", "json", "--engine", e})
		require.Equal(t, exitData, code)
		require.Equal(t, "hipac: interrupted\n", stderr.String())
		lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		require.Less(t, len(lines)-1, 400, e)
		var s map[string]summaryJSON
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &s))
		require.True(t, s["summary"].Interrupted)
		require.Equal(t, len(lines)-1, s["summary"].Packets)
	}
}

func TestAnInterruptedTableIsStillPrinted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, trace)
		_, _ = io.WriteString(w, "#") // taken when the trace has been passed on
		cancel()
	}()
	var stdout, stderr bytes.Buffer
	code := testApp(ctx, in, &stdout, &stderr).run([]string{"--rules", file(t, "r", nativeRules), "--packets", "-"})
	require.Equal(t, exitData, code)
	require.Regexp(t, `(?m)^[04] packets so far \(interrupted\)$`, stdout.String())
	require.NoError(t, in.Close())
}

// notify is a buffer that calls done when it holds want lines.
type notify struct {
	bytes.Buffer
	want int
	done func()
}

func (n *notify) Write(p []byte) (int, error) {
	n.Buffer.Write(p)
	if bytes.Count(n.Bytes(), []byte("\n")) >= n.want {
		n.done()
	}
	return len(p), nil
}

func TestAnInterruptEndsTheReadingOfRulesFromAPipe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, w := io.Pipe()
	defer w.Close()
	go func() {
		_, _ = io.WriteString(w, "hipac 1\n")
		cancel()
	}()
	var stdout, stderr bytes.Buffer
	code := testApp(ctx, in, &stdout, &stderr).run([]string{"stats", "--rules", "-"})
	require.Equal(t, exitData, code)
	require.Equal(t, "hipac: interrupted\n", stderr.String())
}
