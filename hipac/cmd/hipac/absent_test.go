package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const askingRules = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:used - [0:0]
:unused - [0:0]
-A INPUT -m conntrack --ctstate NEW -j DROP
-A FORWARD -i eth0 -j used
-A FORWARD ! -i eth1 -p tcp -m tcp --syn -j DROP
-A FORWARD -i eth2 -p icmp -m icmp --icmp-type 8 -j DROP
-A used -o eth0 -j DROP
-A unused -i eth4 -j DROP
COMMIT
`

func TestFieldsThatNoPacketHasAreNamedInTheEnd(t *testing.T) {
	udpOnly, ng := pcap(t, frame(udp(1, 2))), string(demoCapture)
	damaged := "hipac: standard input: packet 23 at byte 4072: truncated packet: ends inside the IP header\n"
	iif := "hipac: 3 rules ask for iif, which no packet has: see --in-interface"
	oif := "hipac: 1 rule asks for oif, which no packet has: see --out-interface"
	for _, tt := range []struct{ name, args, packets, stderr string }{
		{"a pcap file", "", udpOnly, iif + "\n" + oif + "\n"},
		{"flags", "--in-interface x --out-interface y", udpOnly, ""},
		{"a pcapng file", "", ng, damaged + iif + ", --capture-interface\n" + oif + ", --capture-interface\n"},
		{"a pcapng file's interfaces", "--capture-interface in", ng, damaged + oif + ", --capture-interface\n"},
		{"another chain", "--chain INPUT", udpOnly, "hipac: 1 rule asks for ctstate, which no packet has: see --ctstate\n"},
		{"a chain without rules", "--chain OUTPUT", udpOnly, ""},
		{"csv", "", "src,dst,iif\n1.1.1.1,1.1.1.2,\n1.1.1.1,1.1.1.2,a\n", oif + ", or a column oif\n" +
			"hipac: 2 rules ask for proto, which no packet has: a column of that name would give it\n" +
			"hipac: 1 rule asks for tcpflags, which no packet has: a column of that name would give it\n" +
			"hipac: 1 rule asks for icmptype, which no packet has: a column of that name would give it\n"},
		{"a trace", "--out-interface y", trace, iif + "\n" +
			"hipac: 1 rule asks for tcpflags, which no packet has: a trace has addresses, ports and a protocol only\n" +
			"hipac: 1 rule asks for icmptype, which no packet has: a trace has addresses, ports and a protocol only\n"},
		{"no packets", "", "src,dst\n", ""},
		{"packets of another family", "", "src,dst\n::1,::2\n", ""},
	} {
		for _, form := range []string{"id", "text"} {
			args := append([]string{"--rules", file(t, "r", askingRules), "--packets", "-", "--output", form}, strings.Fields(tt.args)...)
			got := invoke(t, tt.packets, args...)
			require.Equal(t, exitOK, got.code)
			require.ElementsMatch(t, strings.Split(tt.stderr, "\n"), strings.Split(got.stderr, "\n"), tt.name)
		}
	}
}

func TestTheSixthColumnOfATraceIsSaidToCountForNothing(t *testing.T) {
	got := invoke(t, trace, "--rules", file(t, "r", classbenchRules), "--packets", "-", "--output", "id", "--fields", "6")
	require.Equal(t, result{exitOK, "0\n0\n0\n2\n", "hipac: 1 rule asks for flags, which no packet has: the trace's sixth column is informational\n"}, got)
	output(t, trace, "--rules", file(t, "r", classbenchRules), "--packets", "-", "--output", "id")
}

func TestMetaGivesPacketsWhatTheirLinkLayerDidNot(t *testing.T) {
	r := file(t, "r", "*filter\n:INPUT ACCEPT\n-A INPUT -m pkttype --pkt-type broadcast -j DROP\n-A INPUT -m mac --mac-source 02:00:00:00:00:09 -j DROP\n"+
		"-A INPUT -p tcp -m tcp --tcp-option 5 -j DROP\nCOMMIT\n")
	bare := described(t, "udp 10.0.0.1 > 10.0.0.2:5")
	args := []string{"--rules", r, "--packets", bare, "--output", "id"}
	for _, table := range [][]string{{"--chain", "INPUT"}, {"--hook", "input"}} {
		got := invoke(t, "", append(args, table...)...)
		require.Equal(t, "hipac: 1 rule asks for smac, which no packet has: see --meta 'mac=...'\n"+
			"hipac: 1 rule asks for pkttype, which no packet has: see --meta 'pkttype=...'\n", got.stderr)
	}
	require.Equal(t, "DROP\tINPUT/1\n", invoke(t, "", append(args, "--chain", "INPUT", "--meta", "pkttype=broadcast")...).stdout)
	require.Equal(t, "DROP\tINPUT/2\n", invoke(t, "", append(args, "--chain", "INPUT", "--meta", "pkttype=unicast mac=02:00:00:00:00:09")...).stdout)
	trace := output(t, "", "trace", "--rules", r, "--packets", bare, "--hook", "input")
	require.Contains(t, trace, "no: pkttype= is not given, the rule wants broadcast\n")
	require.Contains(t, trace, "no: mac= is not given, the rule wants 02:00:00:00:00:09\n")
	// What the frames say goes before.
	framed := file(t, "f", pcap(t, frame(udp(1, 5))))
	require.Equal(t, "ACCEPT\tINPUT/policy\n", invoke(t, "", "--rules", r, "--packets", framed, "--output", "id", "--chain", "INPUT", "--meta", "pkttype=broadcast mac=02:00:00:00:00:09").stdout)
}

func TestWhatWouldDecideUnknownPacketsIsNamedInTheEnd(t *testing.T) {
	r := file(t, "r", "*filter\n:OUTPUT ACCEPT\n-A OUTPUT -s 10.0.0.1 -m owner --uid-owner 5 -j DROP\n-A OUTPUT -s 10.0.0.2 -m addrtype --dst-type LOCAL -j DROP\n"+
		"-A OUTPUT -s 10.0.0.3 -m set --match-set blocked dst -j DROP\n-A OUTPUT -s 10.0.0.4 -d a.example -j DROP\nCOMMIT\n")
	csv := "src,dst\n10.0.0.1,10.0.0.9\n10.0.0.1,10.0.0.8\n10.0.0.2,10.0.0.9\n10.0.0.3,10.0.0.9\n10.0.0.4,10.0.0.9\n"
	got := invoke(t, csv, "--rules", r, "--packets", "-", "--output", "id", "--chain", "OUTPUT", "--allow-unknown")
	require.Equal(t, result{stdout: "UNKNOWN\tOUTPUT/1\nUNKNOWN\tOUTPUT/1\nUNKNOWN\tOUTPUT/2\nUNKNOWN\tOUTPUT/3\nUNKNOWN\tOUTPUT/4\n",
		stderr: "hipac: 1 packet is UNKNOWN for lack of addrtype: say srctype= or dsttype= in --meta, or give --routes\n" +
			"hipac: 2 packets are UNKNOWN for lack of owner: say uid= in --meta\n" +
			"hipac: 1 packet is UNKNOWN for lack of set blocked: give --sets\n"}, got)
	output(t, "src,dst\n10.0.0.1,10.0.0.9\n", "--rules", r, "--packets", "-", "--output", "id", "--chain", "OUTPUT", "--allow-unknown", "--meta", "uid=5")
}
