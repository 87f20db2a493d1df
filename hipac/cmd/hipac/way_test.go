package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wayRules are rules in all places that a packet to this machine passes.
const wayRules = `*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -s 203.0.113.66/32 -j DROP
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -i eth0 -p tcp -j MARK --set-xmark 0x7/0xffffffff
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j ACCEPT
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -m mark --mark 0x7 -m tcp -p tcp --dport 22 -j ACCEPT
-A INPUT -p udp -m udp --dport 53 -j ACCEPT
COMMIT
`

func TestAHookSendsPacketsThroughAllTablesOnTheWay(t *testing.T) {
	r := file(t, "r", wayRules)
	csv := "src,dst,sport,dport,proto,ctstate\n" +
		"203.0.113.66,192.0.2.1,5,22,tcp,NEW\n" +
		"198.51.100.1,192.0.2.1,5,22,tcp,NEW\n" +
		"198.51.100.1,192.0.2.1,5,80,tcp,NEW\n" +
		"198.51.100.1,192.0.2.1,5,80,tcp,ESTABLISHED\n" +
		"2001:db8::1,2001:db8::2,5,80,tcp,NEW\n"
	for _, e := range []string{"tree", "index", "linear"} {
		require.Equal(t, "DROP\traw:PREROUTING/1\nACCEPT\tfilter:INPUT/2\nDROP\tfilter:INPUT/policy\nACCEPT\tfilter:INPUT/1\nNONE\traw:PREROUTING/family\n",
			output(t, csv, "--rules", r, "--packets", "-", "--hook", "input", "--in-interface", "eth0", "--output", "id", "--engine", e))
	}
	require.Contains(t, output(t, csv, "--rules", r, "--packets", "-", "--hook", "input", "--in-interface", "eth0"),
		"\nrules    6 rules in 14 chains of tables raw, mangle, nat, filter on the way input (")
	// Alone, each table sees the packet as it is.
	require.Equal(t, "NONE\tPREROUTING/known\n", output(t, "src,dst,dport,proto,ctstate\n198.51.100.1,192.0.2.1,8080,tcp,ESTABLISHED\n",
		"--rules", r, "--packets", "-", "--table", "nat", "--output", "id"))

	out := output(t, csv, "--rules", r, "--packets", "-", "--hook", "input", "--in-interface", "eth0", "--output", "json")
	var p packetJSON
	require.NoError(t, json.Unmarshal([]byte(strings.Split(out, "\n")[1]), &p))
	require.Equal(t, []string{"filter", "INPUT"}, []string{p.Table, p.Chain})
	require.Equal(t, []string{"MARK: mark 0x0 -> 0x7"}, p.Effects)
	require.Contains(t, output(t, csv, "--rules", r, "--packets", "-", "--hook", "input", "--in-interface", "eth0", "--verbose"), "  [MARK: mark 0x0 -> 0x7]\n")
}

func TestUsageErrorsOfWays(t *testing.T) {
	r, list, p := file(t, "r", wayRules), file(t, "l", nativeRules), file(t, "p", trace)
	for args, want := range map[string]string{
		"--hook input --table raw --rules " + r + " --packets " + p: "--hook goes through all tables",
		"--hook input --rules " + list + " --packets " + p:          "--hook is for iptables and nftables rules",
		"--hook sideways --rules " + r + " --packets " + p:          `--hook: must be one of input, forward and output, not "sideways"`,
		"--meta uid=1 --rules " + list + " --packets " + p:          "--meta is for iptables rules",
		"--meta uid=x --rules " + r + " --packets " + p:             `--meta: column 1: "uid=x": not a number`,
		"--meta ttl=5 --rules " + r + " --packets " + p:             "a word about a packet's bytes",
	} {
		got := invoke(t, "", strings.Fields(args)...)
		require.Equal(t, exitUsage, got.code, args)
		require.Contains(t, got.stderr, want)
	}
	got := invoke(t, trace, "--rules", file(t, "e", "*nat\nCOMMIT\n"), "--packets", "-", "--hook", "forward", "--output", "id")
	require.Equal(t, exitOK, got.code, got.stderr)
}

func TestWhatIsKnownOfPacketsBesideTheirBytesIsSaidByMeta(t *testing.T) {
	r := file(t, "r", "*filter\n-A FORWARD -m mark --mark 5 -j DROP\n-A FORWARD -m conntrack --ctstate RELATED -j REJECT\nCOMMIT\n")
	ids := func(args ...string) string {
		return output(t, "src,dst,proto\n10.0.0.1,10.0.0.2,udp\n", append([]string{"--rules", r, "--packets", "-", "--output", "id"}, args...)...)
	}
	require.Equal(t, "DROP\tFORWARD/1\n", ids("--meta", "mark=5 ctstate=NEW"))
	require.Equal(t, "REJECT\tFORWARD/2\n", ids("--meta", "ctstate=RELATED ctmark=7"))
	require.Equal(t, "ACCEPT\tFORWARD/policy\n", ids("--ctstate", "NEW", "--meta", "ctmark=7"))
}

func TestSetsAndRoutesComeFromFilesOfTheirOwn(t *testing.T) {
	r := file(t, "r", "*filter\n-A FORWARD -m set --match-set bad src -j DROP\n-A FORWARD -m addrtype --dst-type LOCAL -j REJECT\nCOMMIT\n")
	sets := file(t, "sets", "create bad hash:net family inet\nadd bad 203.0.113.0/24\n")
	routes := file(t, "routes", "local 192.0.2.1 dev eth0 table local proto kernel scope host src 192.0.2.1\ndefault via 192.0.2.254 dev eth0\n")
	csv := "src,dst\n203.0.113.5,192.0.2.1\n10.0.0.1,192.0.2.1\n10.0.0.1,192.0.2.2\n"
	got := output(t, csv, "--rules", r, "--packets", "-", "--sets", sets, "--routes", routes, "--output", "id")
	require.Equal(t, "DROP\tFORWARD/1\nREJECT\tFORWARD/2\nACCEPT\tFORWARD/policy\n", got)
	for args, want := range map[string]string{
		"--sets " + r + " --rules " + r:                            r + ":1:",
		"--routes " + sets + " --rules " + r:                       sets + ":1:",
		"--sets /does/not/exist --rules " + r:                      "/does/not/exist: no such file",
		"--sets - --rules " + r:                                    "standard input is for rules and packets",
		"--sets " + sets + " --rules " + file(t, "l", nativeRules): "--sets is for iptables rules",
	} {
		e := invoke(t, "", append(strings.Fields(args), "--packets", "-")...)
		require.NotZero(t, e.code)
		require.Contains(t, e.stderr, want)
	}
}

func TestEnginesAgreeOnWhatTargetsDo(t *testing.T) {
	r := file(t, "r", `*mangle
-A PREROUTING -p tcp -m statistic --mode random --probability 0.5 -j MARK --set-mark 1
-A PREROUTING -m mark --mark 1 -j TTL --ttl-dec 1
-A POSTROUTING -m ttl --ttl-lt 64 -j DSCP --set-dscp 10
COMMIT
*nat
-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.9:80
-A POSTROUTING -o wan0 -j SNAT --to-source 192.0.2.1
COMMIT
*filter
:FORWARD DROP
:web -
-A FORWARD -d 10.0.0.9/32 -j web
-A FORWARD -m limit --limit 1/s --limit-burst 2 -j LOG --log-prefix "dropped "
-A web -p tcp -m tcp --dport 80 -m limit --limit 2/s --limit-burst 3 -j ACCEPT
-A web -j LOG
COMMIT
`)
	var texts []string
	for i := range 40 {
		texts = append(texts, "tcp 198.51.100.1:4242 > 198.51.100.2:"+[]string{"8080", "22"}[i/3%2])
	}
	p := described(t, texts...)
	run := func(args ...string) string {
		out := output(t, "", append([]string{"--rules", r, "--packets", p, "--hook", "forward", "--meta", "in=lan0 out=wan0 ctstate=NEW", "--output", "json"}, args...)...)
		packets, _, ok := strings.Cut(out, `{"summary"`)
		require.True(t, ok)
		return packets
	}
	want := run("--engine", "linear")
	for _, effect := range []string{"MARK: mark 0x0 -> 0x1", "TTL: ttl 64 -> 63", "DSCP: dscp ", "DNAT: ", "SNAT: ", "LOG"} {
		require.Contains(t, want, effect)
	}
	for _, verdict := range []string{`"verdict":"ACCEPT","table":"filter","chain":"web"`, `"verdict":"DROP","table":"filter","chain":"FORWARD","rule":"policy"`} {
		require.Contains(t, want, verdict)
	}
	for _, e := range []string{"tree", "index"} {
		require.Equal(t, want, run("--engine", e), e)
	}
	require.Equal(t, want, run(), "a run can be repeated")
	require.NotEqual(t, want, run("--seed", "2"))
	traced := output(t, "", "trace", "--rules", r, "--packets", p, "--hook", "forward", "--meta", "in=lan0 out=wan0 ctstate=NEW", "--output", "json")
	for i, line := range strings.Split(strings.TrimSpace(traced), "\n") {
		var c packetJSON
		var j traceJSON
		require.NoError(t, json.Unmarshal([]byte(strings.Split(want, "\n")[i]), &c))
		require.NoError(t, json.Unmarshal([]byte(line), &j))
		var effects []string
		for _, stop := range j.Stops {
			for _, s := range stop.Steps {
				for _, e := range s.Effects {
					effects = append(effects, strings.TrimSuffix(e.Target+": "+e.Text, ": "))
				}
			}
		}
		require.Equal(t, c.Effects, effects, "packet %d", i+1)
		require.Equal(t, []any{c.Verdict, c.Chain, c.Rule}, []any{j.Verdict, j.By.Chain, j.By.Rule})
	}
}
