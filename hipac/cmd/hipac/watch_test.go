package main

// Tests of reloading. They wait for what is to come, however long it takes, and
// never for a time.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/packet"
)

// patience is how long a test waits before it fails.
const patience = time.Minute

// screen is what a run under way has written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// watching is a run of classify --watch whose packets the test sends.
type watching struct {
	t              *testing.T
	rules          string // the file
	packets        *io.PipeWriter
	stdout, stderr screen
	hangups        chan os.Signal
	done           chan int
	sent           int
}

// watch begins a run with the rules in a file.
func watch(t *testing.T, rules string, args ...string) *watching {
	w := &watching{t: t, rules: rules, hangups: make(chan os.Signal), done: make(chan int, 1)}
	in, out := io.Pipe()
	w.packets = out
	a := testApp(t.Context(), in, &w.stdout, &w.stderr)
	a.hangups = func() (<-chan os.Signal, func()) { return w.hangups, func() {} }
	go func() {
		w.done <- a.run(append([]string{"classify", "--watch", "--rules", rules, "--packets", "-"}, args...))
		in.Close()
	}()
	t.Cleanup(func() { out.Close() })
	return w
}

// await waits until the condition holds.
func (w *watching) await(what string, cond func() bool) {
	w.t.Helper()
	require.Eventually(w.t, cond, patience, time.Millisecond, "%s; stdout %q, stderr %q", what, &w.stdout, &w.stderr)
}

// says waits for a text on stderr.
func (w *watching) says(text string) {
	w.t.Helper()
	w.await(text, func() bool { return strings.Contains(w.stderr.String(), text) })
}

// answer sends a packet and returns its line.
func (w *watching) answer(packet string) string {
	w.t.Helper()
	_, err := io.WriteString(w.packets, packet)
	require.NoError(w.t, err, w.stderr.String())
	w.sent++
	w.await("an answer", func() bool { return strings.Count(w.stdout.String(), "\n") >= w.sent })
	lines := strings.Split(w.stdout.String(), "\n")
	return lines[w.sent-1]
}

// becomes sends a packet until the answer is the wanted one.
func (w *watching) becomes(packet, want string) {
	w.t.Helper()
	w.await(want, func() bool { return w.answer(packet) == want })
}

// end ends the packets, and returns what was written behind the answers.
func (w *watching) end() string {
	w.t.Helper()
	require.NoError(w.t, w.packets.Close())
	require.Equal(w.t, exitOK, <-w.done, w.stderr.String())
	lines := strings.SplitAfterN(w.stdout.String(), "\n", w.sent+1)
	return lines[w.sent]
}

// put gives a file another content.
func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// replace puts another file in the place of one.
func replace(t *testing.T, path, text string) {
	t.Helper()
	put(t, path+".new", text)
	require.NoError(t, os.Rename(path+".new", path))
}

// web is a packet that the rules of these tests are about: tcp to port 80.
const web = "167772161 3221225985 1234 80 6 0 0\n"

const (
	classbenchWeb  = "@0.0.0.0/0 0.0.0.0/0 0 : 65535 80 : 80 0x06/0xFF\n"
	classbenchMail = "@0.0.0.0/0 0.0.0.0/0 0 : 65535 25 : 25 0x06/0xFF\n"
)

func TestPacketsAreDecidedByTheRulesThatAreInForceWhenTheyAreRead(t *testing.T) {
	const head, table = "hipac 1\nschema ipv4\n", "*filter\n:FORWARD ACCEPT [0:0]\n"
	for _, tt := range []struct {
		name   string
		before string
		answer string
		bad    string
		where  string // of the error
		after  string
		says   string
		then   string
		args   string
	}{
		{"native", head + "rule dport=80 => A\nrule any => B\n", "1", head + "rule dport=x => A\n", ":3:6: ",
			head + "rule dport=25 => C\nrule any => B\nrule dport=80 => A\n", ": 1 rule kept, 1 inserted, 0 deleted, 1 moved, 0 replaced\n", "2", ""},
		{"native, walked", head + "rule dport=80 => A\nrule any => B\n", "1", head + "rule dport=x => A\n", ":3:6: ",
			head + "rule dport=25 => C\nrule dport=80 => D\n", ": 0 rules kept, 1 inserted, 1 deleted, 0 moved, 1 replaced\n", "2", "--engine linear"},
		{"native, indexed", head + "rule dport=80 => A\nrule any => B\n", "1", head + "rule dport=x => A\n", ":3:6: ",
			head + "rule any => B\n", ": 1 rule kept, 0 inserted, 1 deleted, 0 moved, 0 replaced\n", "1", "--engine index"},
		{"classbench", classbenchWeb, "1", classbenchWeb + "@1.2.3.4/33\n", ":2:", classbenchMail + classbenchWeb,
			": 1 rule kept, 1 inserted, 0 deleted, 0 moved, 0 replaced\n", "2", ""},
		{"iptables", table + "-A FORWARD -p tcp -j DROP\nCOMMIT\n", "DROP\tFORWARD/1", table + "-A FORWARD -p tcp -j nowhere\nCOMMIT\n", ":3:",
			table + ":web - [0:0]\n-A FORWARD -p tcp -j web\n-A web -p tcp --dport 80 -j REJECT\nCOMMIT\n",
			": 0 rules kept, 1 inserted, 0 deleted, 0 moved, 1 replaced; 1 chain added\n", "REJECT\tweb/1", ""},
		{"iptables, other fields", table + "-A FORWARD -p tcp -j DROP\nCOMMIT\n", "DROP\tFORWARD/1", table + "-A FORWARD -j DROP\n", "COMMIT",
			"*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m ttl --ttl-eq 64 -j REJECT\nCOMMIT\n",
			": 0 rules kept, 1 inserted, 1 deleted, 0 moved, 0 replaced; 1 policy changed\n", "REJECT\tFORWARD/1", ""},
		{"iptables, another table", table + "COMMIT\n", "ACCEPT\tFORWARD/policy", "*nat\nCOMMIT\n", "has no table filter",
			"*nat\nCOMMIT\n*filter\n-A FORWARD -p tcp -j DROP\nCOMMIT\n", "; 1 table added; ", "DROP\tFORWARD/1", ""},
		{"another format", head + "rule any => A\n", "1", classbenchMail, "start anew",
			head + "rule dport=25 => C\nrule any => B\n", ": 0 rules kept, 1 inserted, 0 deleted, 0 moved, 1 replaced\n", "2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, file(t, "r", tt.before), append([]string{"--output", "id"}, strings.Fields(tt.args)...)...)
			require.Equal(t, tt.answer, w.answer(web))
			replace(t, w.rules, tt.bad)
			w.says(tt.where)
			w.says(w.rules + ": not reloaded: the rules of before stay in force\n")
			require.Equal(t, tt.answer, w.answer(web))
			replace(t, w.rules, tt.after)
			w.says(tt.says)
			require.Equal(t, tt.then, w.answer(web))
			require.Empty(t, w.end())
		})
	}
}

func TestRulesAreReloadedHoweverTheirFileChanges(t *testing.T) {
	rules := func(verdict string) string {
		return "*filter\n-A FORWARD -p tcp -j " + verdict + "\nCOMMIT\n"
	}
	for name, tt := range map[string]struct {
		begin  func(t *testing.T, dir string) string // returns the file
		change func(t *testing.T, dir string)
	}{
		"written": {nil, func(t *testing.T, dir string) { put(t, dir+"/r", rules("DROP")) }},
		"renamed": {nil, func(t *testing.T, dir string) { replace(t, dir+"/r", rules("DROP")) }},
		"moved away and written": {nil, func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(dir+"/r", dir+"/r~"))
			put(t, dir+"/r", rules("DROP"))
		}},
		"grown": {nil, func(t *testing.T, dir string) {
			f, err := os.OpenFile(dir+"/r", os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString(rules("DROP"))
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}},
		"another target of the link": {
			func(t *testing.T, dir string) string {
				put(t, dir+"/r2", rules("DROP"))
				require.NoError(t, os.Symlink("r", dir+"/link"))
				return dir + "/link"
			},
			func(t *testing.T, dir string) {
				require.NoError(t, os.Symlink("r2", dir+"/link2"))
				require.NoError(t, os.Rename(dir+"/link2", dir+"/link"))
			},
		},
		"the target of the link": {
			func(t *testing.T, dir string) string {
				require.NoError(t, os.Mkdir(dir+"/sub", 0o755))
				require.NoError(t, os.Symlink("../r", dir+"/sub/link"))
				return dir + "/sub/link"
			},
			func(t *testing.T, dir string) { replace(t, dir+"/r", rules("DROP")) },
		},
		"a link on the way": { // as volumes of configuration are changed
			func(t *testing.T, dir string) string {
				for sub, verdict := range map[string]string{"one": "ACCEPT", "two": "DROP"} {
					require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
					put(t, filepath.Join(dir, sub, "r"), rules(verdict))
				}
				require.NoError(t, os.Symlink("one", dir+"/data"))
				require.NoError(t, os.Symlink("data/r", dir+"/link"))
				return dir + "/link"
			},
			func(t *testing.T, dir string) {
				require.NoError(t, os.Symlink("two", dir+"/data2"))
				require.NoError(t, os.Rename(dir+"/data2", dir+"/data"))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, "r", rules("ACCEPT"))
			dir := filepath.Dir(path)
			if tt.begin != nil {
				path = tt.begin(t, dir)
			}
			w := watch(t, path, "--output", "id")
			require.Equal(t, "ACCEPT\tFORWARD/1", w.answer(web))
			tt.change(t, dir)
			w.becomes(web, "DROP\tFORWARD/1")
			w.end()
		})
	}
}

func TestRulesThatAreGoneAreReloadedWhenTheyComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sub")
	require.NoError(t, os.Mkdir(dir, 0o755))
	rules := dir + "/r"
	put(t, rules, "hipac 1\nschema ipv4\nrule any => A\n")
	w := watch(t, rules, "--output", "id")
	require.Equal(t, "1", w.answer(web))
	require.NoError(t, os.Remove(rules))
	w.says("hipac: " + rules + ": no such file or directory\n")
	require.Equal(t, "1", w.answer(web))
	put(t, rules, "hipac 1\nschema ipv4\nrule dport=25 => B\nrule any => A\n")
	w.becomes(web, "2")
	// The whole directory, too.
	require.NoError(t, os.RemoveAll(dir))
	w.await("a second complaint", func() bool { return strings.Count(w.stderr.String(), "no such file") >= 2 })
	require.Equal(t, "2", w.answer(web))
	require.NoError(t, os.Mkdir(dir, 0o755))
	put(t, rules, "hipac 1\nschema ipv4\nrule dport=25 => B\nrule dport=26 => B\nrule any => A\n")
	w.becomes(web, "3")
	put(t, rules, "hipac 1\nschema ipv4\nrule any => A\n")
	w.becomes(web, "1")
	w.end()
}

func TestASignalReloads(t *testing.T) {
	w := watch(t, file(t, "r", nativeRules), "--output", "id")
	require.Equal(t, "1", w.answer(web))
	w.hangups <- syscall.SIGHUP
	w.says(": 3 rules kept, 0 inserted, 0 deleted, 0 moved, 0 replaced\n")
	require.Equal(t, "1", w.answer(web))
	w.end()
}

func TestFilesBesideTheRulesAreWatched(t *testing.T) {
	sets := file(t, "sets", "create blocked hash:ip\nadd blocked 192.0.2.9\n")
	w := watch(t, file(t, "r", "*filter\n-A FORWARD -m set --match-set blocked dst -j DROP\nCOMMIT\n"), "--sets", sets, "--output", "id")
	require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(web))
	put(t, sets, "create blocked hash:ip\nadd blocked nowhere\n")
	w.says(sets + ":2:")
	require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(web))
	put(t, sets, "create blocked hash:ip\nadd blocked 192.0.2.1\n")
	w.becomes(web, "DROP\tFORWARD/1")
	w.end()
}

func TestCountsOfRulesGoOnThroughReloads(t *testing.T) {
	const head = "hipac 1\nschema ipv4\n"
	for _, tt := range []struct{ name, before, after, want string }{
		{"list", head + "rule dport=80 => A\nrule any => B\n", head + "rule dport=25 => C\nrule dport=80 => A\n",
			`[{"rule":2,"packets":3,"verdict":"A","text":"dport=80"},{"rule":2,"packets":1,"verdict":"B","text":"any","earlier":true}]`},
		{"replaced rule", head + "rule dport=80 => A\nrule any => B\n", head + "rule any => B\n",
			`[{"rule":1,"packets":2,"verdict":"B","text":"any"},{"rule":1,"packets":2,"verdict":"A","text":"dport=80","earlier":true}]`},
		{"tables", "*filter\n-A FORWARD -p tcp --dport 80 -j DROP\nCOMMIT\n", "*filter\n:own - [0:0]\n:FORWARD DROP [0:0]\n-A FORWARD -j own\n-A FORWARD -p tcp --dport 80 -j DROP\nCOMMIT\n",
			`[{"chain":"FORWARD","rule":2,"packets":3,"verdict":"DROP","text":"-p tcp -m tcp --dport 80 -j DROP"},` +
				`{"chain":"FORWARD","rule":"policy","packets":1,"verdict":"ACCEPT","text":"policy ACCEPT","earlier":true}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, file(t, "r", tt.before), "--output", "json")
			w.answer(web)
			w.answer(web)
			w.answer(strings.Replace(web, " 80 ", " 81 ", 1))
			replace(t, w.rules, tt.after)
			w.says("reloaded in")
			w.answer(web)
			var s struct {
				Summary struct {
					Packets, Reloads int
					Rules            json.RawMessage
				}
			}
			require.NoError(t, json.Unmarshal([]byte(w.end()), &s))
			require.Equal(t, 4, s.Summary.Packets)
			require.NotZero(t, s.Summary.Reloads)
			require.JSONEq(t, tt.want, string(s.Summary.Rules))
		})
	}
}

// reload puts other rules in the file and waits for what is said of them.
func (w *watching) reload(rules, says string) {
	w.t.Helper()
	n := strings.Count(w.stderr.String(), "reloaded in")
	replace(w.t, w.rules, rules)
	w.await(says, func() bool { return strings.Count(w.stderr.String(), "reloaded in") > n })
	lines := strings.Split(strings.TrimSuffix(w.stderr.String(), "\n"), "\n")
	require.Contains(w.t, lines[len(lines)-1], says)
}

func TestRulesThatStayRememberThroughReloads(t *testing.T) {
	const (
		begin   = "*filter\n:FORWARD ACCEPT [0:0]\n:other - [0:0]\n"
		another = "*filter\n:other - [0:0]\n:more - [0:0]\n-A other -p udp -j DROP\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p udp -j other\n"
		kept    = "1 rule kept, "
	)
	var b bytes.Buffer
	p := packet.Packet{Family: 4, Proto: packet.TCP, DstPort: 80, TTL: 64, Has: packet.HasPorts, Length: 40}
	require.NoError(t, capture.WritePcap(&b, packet.LinkEthernet, func(yield func(time.Time, []byte) bool) {
		yield(time.Unix(1, 0), p.AppendEthernet(nil))
	}))
	const headerLen = 24
	pcap := [2]string{b.String(), b.String()[headerLen:]}
	for name, tt := range map[string]struct {
		match, other string
		packets      [2]string // the first one, and the others
	}{
		"limit": {"-m limit --limit 1/hour --limit-burst 3", "-m limit --limit 1/hour --limit-burst 4", [2]string{web, web}},
		"nth":   {"-m statistic --mode nth ! --every 4 --packet 3", "-m statistic --mode nth ! --every 5 --packet 3", [2]string{web, web}},
		"quota": {"-m quota --quota 120", "-m quota --quota 121", pcap},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rule := "-A FORWARD " + tt.match + " -j REJECT\n"
			w := watch(t, file(t, "r", begin+rule+"COMMIT\n"), "--output", "id")
			require.Equal(t, "REJECT\tFORWARD/1", w.answer(tt.packets[0]))
			w.reload(another+rule+"COMMIT\n", kept+"2 inserted, 0 deleted, 0 moved, 0 replaced; 1 chain added")
			require.Equal(t, "REJECT\tFORWARD/2", w.answer(tt.packets[1]))
			w.reload(begin+rule+"-A FORWARD -m ttl --ttl-eq 1 -j DROP\nCOMMIT\n", kept+"1 inserted, 2 deleted, 0 moved, 0 replaced; 1 chain dropped")
			require.Equal(t, "REJECT\tFORWARD/1", w.answer(tt.packets[1]), "with other fields, too")
			w.reload(begin+rule+"COMMIT\n", kept+"0 inserted, 1 deleted, 0 moved, 0 replaced")
			require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(tt.packets[1]), "the fourth packet")
			w.reload(begin+strings.Replace(rule, tt.match, tt.other, 1)+"COMMIT\n", "0 rules kept, 1 inserted, 1 deleted, 0 moved, 0 replaced")
			require.Equal(t, "REJECT\tFORWARD/1", w.answer(tt.packets[1]), "another rule begins anew")
			w.reload(begin+rule+"COMMIT\n", "0 rules kept, 1 inserted")
			require.Equal(t, "REJECT\tFORWARD/1", w.answer(tt.packets[1]), "and so does one that comes back")
			w.end()
		})
	}
}

func TestOtherEnginesForgetOnAReload(t *testing.T) {
	for _, engine := range []string{"index", "linear"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			const rule = "*filter\n-A FORWARD -m limit --limit 1/hour --limit-burst 1 -j DROP\n"
			w := watch(t, file(t, "r", rule+"COMMIT\n"), "--output", "id", "--engine", engine)
			require.Equal(t, "DROP\tFORWARD/1", w.answer(web))
			require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(web))
			w.reload(rule+"-A FORWARD -p udp -j DROP\nCOMMIT\n", "1 rule kept, 1 inserted")
			require.Equal(t, "DROP\tFORWARD/1", w.answer(web))
			w.end()
		})
	}
}

func TestSetsGoOnUntilTheirFileChanges(t *testing.T) {
	const rules = "*filter\n-A FORWARD -m set --match-set seen src -m limit --limit 1/hour --limit-burst 2 -j DROP\n-A FORWARD -j SET --add-set seen src\n"
	sets := file(t, "sets", "create seen hash:ip\n")
	w := watch(t, file(t, "r", rules+"COMMIT\n"), "--sets", sets, "--output", "id")
	require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(web))
	require.Equal(t, "DROP\tFORWARD/1", w.answer(web))
	w.reload(rules+"-A FORWARD -p udp -j DROP\nCOMMIT\n", "2 rules kept, 1 inserted, 0 deleted, 0 moved, 0 replaced")
	require.Equal(t, "DROP\tFORWARD/1", w.answer(web))
	require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(web), "the limit is used up")
	put(t, sets, "create seen hash:ip maxelem 9\n")
	w.says("1 rule kept, 0 inserted, 0 deleted, 0 moved, 2 replaced\n")
	require.Equal(t, "ACCEPT\tFORWARD/policy", w.answer(web), "the set is empty")
	require.Equal(t, "DROP\tFORWARD/1", w.answer(web))
	w.end()
}

func TestChainsComeAndGoAndChangePlaces(t *testing.T) {
	const (
		before = "*filter\n:a - [0:0]\n:b - [0:0]\n:c - [0:0]\n-A FORWARD -j b\n-A FORWARD -j c\n-A a -j DROP\n-A b -p udp -j DROP\n-A c -p tcp -j REJECT\nCOMMIT\n"
		after  = "*filter\n:c - [0:0]\n:b - [0:0]\n-A b -p udp -j DROP\n-A c -p tcp -j REJECT\n-A FORWARD -j b\n-A FORWARD -j c\nCOMMIT\n"
		raw    = "*raw\n-A PREROUTING -p tcp --dport 80 -j DROP\nCOMMIT\n"
	)
	w := watch(t, file(t, "r", before), "--output", "id", "--hook", "forward")
	require.Equal(t, "REJECT\tfilter:c/1", w.answer(web))
	w.reload(after, ": 4 rules kept, 0 inserted, 1 deleted, 0 moved, 0 replaced; 1 chain dropped")
	require.Equal(t, "REJECT\tfilter:c/1", w.answer(web))
	w.reload("# the same\n"+after, ": 4 rules kept, 0 inserted, 0 deleted, 0 moved, 0 replaced")
	require.NotContains(t, w.stderr.String(), "replaced; 1 chain dropped; ")
	require.Equal(t, 1, strings.Count(w.stderr.String(), "dropped"), w.stderr.String())
	w.reload(raw+after, ": 4 rules kept, 1 inserted, 0 deleted, 0 moved, 0 replaced; 1 table added; ")
	require.Equal(t, "DROP\traw:PREROUTING/1", w.answer(web))
	require.Equal(t, "REJECT\tfilter:c/1", w.answer(strings.Replace(web, " 80 ", " 81 ", 1)))
	w.reload(before, ": 4 rules kept, 1 inserted, 1 deleted, 0 moved, 0 replaced; 1 table dropped; 1 chain added; ")
	require.Equal(t, "REJECT\tfilter:c/1", w.answer(web))
	w.end()
}

func TestRulesMayGetOtherFieldsWhilePacketsOfACaptureAreRead(t *testing.T) {
	var b bytes.Buffer
	record := func(mac byte) string {
		p := packet.Packet{Family: 4, Proto: packet.TCP, DstPort: 80, TTL: 7, Has: packet.HasPorts}
		frame := p.AppendEthernet(nil)
		frame[11] = mac // of the source
		b.Reset()
		require.NoError(t, capture.WritePcap(&b, packet.LinkEthernet, func(yield func(time.Time, []byte) bool) {
			yield(time.Unix(1, 0), frame)
		}))
		return b.String()
	}
	const headerLen = 24
	w := watch(t, file(t, "r", "hipac 1\nschema ipv4\nrule dport=80 => A\n"), "--output", "id")
	require.Equal(t, "1", w.answer(record(5)))
	replace(t, w.rules, "hipac 1\nschema firewall\nrule smac=00:00:00:00:00:09 => A\nrule smac=00:00:00:00:00:05 => B\n")
	w.says("; other fields\n")
	require.Equal(t, "2", w.answer(record(5)[headerLen:]))
	require.Equal(t, "1", w.answer(record(9)[headerLen:]))
	replace(t, w.rules, "hipac 1\nschema ipv4\nrule dport=25 => A\nrule dport=26 => A\nrule dport=80 => A\n")
	w.becomes(record(5)[headerLen:], "3")
	w.end()
}

func TestOtherFieldsThanTheColumnsOfTextAreRefused(t *testing.T) {
	w := watch(t, file(t, "r", "hipac 1\nschema ipv4\nrule any => A\n"), "--output", "id")
	require.Equal(t, "1", w.answer(web))
	replace(t, w.rules, "hipac 1\nschema ip\nrule dport=25 => A\nrule any => A\n")
	w.says("the packets are text")
	require.Equal(t, "1", w.answer(web))
	w.end()
}

func TestRulesThatChangeBeforeTheFirstPacketAreReloaded(t *testing.T) {
	w := watch(t, file(t, "r", "*filter\n-A FORWARD -j ACCEPT\nCOMMIT\n"), "--output", "id")
	// The run has not seen a packet, and cannot know that there is one.
	w.await("the first reading", func() bool {
		select {
		case w.hangups <- syscall.SIGHUP:
			return true
		default:
			return false
		}
	})
	replace(t, w.rules, "*filter\n-A FORWARD -m ttl --ttl-eq 64 -j DROP\nCOMMIT\n")
	w.says(": 0 rules kept, 1 inserted, 1 deleted")
	require.Equal(t, "DROP\tFORWARD/1", w.answer(web))
	w.end()
}

func TestWhatCannotBeWatchedIsBadUsage(t *testing.T) {
	rules, dir := file(t, "r", nativeRules), t.TempDir()
	for args, want := range map[string]string{
		"--watch":                                 "--watch needs --rules FILE",
		"--watch --rules - --packets x":           "--watch: standard input cannot be read again",
		"--watch --rules " + dir + " --packets x": dir + " is no regular file",
		"--watch --rules " + rules + " --packets x --sets " + dir: dir + " is no regular file",
	} {
		r := invoke(t, "", append([]string{"classify"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.stderr, want)
	}
	r := invoke(t, "", "classify", "--watch", "--rules", dir+"/none", "--packets", "x")
	require.Equal(t, result{exitData, "", "hipac: " + dir + "/none: no such file or directory\n"}, r)
}

func TestAnInterruptEndsTheWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	defer in.Close()
	var stdout, stderr screen
	done := make(chan int)
	rules := file(t, "r", nativeRules)
	go func() {
		done <- testApp(ctx, in, &stdout, &stderr).run([]string{"classify", "--watch", "--rules", rules, "--packets", "-", "--output", "id"})
	}()
	_, err := io.WriteString(out, web)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return stdout.String() == "1\n" }, patience, time.Millisecond)
	cancel()
	require.Equal(t, exitData, <-done)
	require.Equal(t, "hipac: interrupted\n", stderr.String())
	put(t, rules, "")
	require.Equal(t, "hipac: interrupted\n", stderr.String(), "nobody reads the rules any more")
}
