package iptables_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/xt"
)

func TestTargetSETChangesWhatLaterRulesAndPacketsSeeOfASet(t *testing.T) {
	sets, err := ipset.Read(strings.NewReader(`create seen hash:ip timeout 60
create pairs hash:ip,port maxelem 2
create values hash:ip skbinfo
add values 10.0.0.1 skbmark 0x5/0xf skbprio 1:10 skbqueue 3
add values 10.0.0.2
`), ipset.Options{})
	require.NoError(t, err)
	rs, err := iptables.Read(strings.NewReader(`*mangle
-A FORWARD -m set --match-set seen src -j MARK --or-mark 0x100
-A FORWARD -p udp -j SET --add-set seen src --exist --timeout 10
-A FORWARD -p udp -m set ! --match-set seen src -j DROP
-A FORWARD -p tcp -j SET --add-set pairs src,dst
-A FORWARD -p icmp -j SET --del-set seen src
-A FORWARD -j SET --map-set values src --map-mark --map-prio --map-queue
-A FORWARD -m mark --mark 5/0xf -j ACCEPT
COMMIT
`), iptables.Options{Family: 4, Sets: sets})
	require.NoError(t, err)
	table := rs.Tables[0]
	now := time.Unix(1000, 0)
	tr := xt.NewTraversal(table.Schema)
	tr.State = &xt.State{Now: func() time.Time { return now }}
	run := func(text string) (effects []string, r rules.Result) {
		tr.Packet = *packetWith(t, text)
		tr.Reset()
		r = table.Run(tr, table.Find("FORWARD"), nil)
		for i := range tr.Effects {
			effects = append(effects, tr.Effects[i].String())
		}
		return effects, r
	}
	effects, r := run("udp 10.0.0.1:1 > 10.0.0.9:2 mark=0xf0")
	require.Equal(t, []string{"SET: added to seen", "SET: mark 0xf0 -> 0xf5", "SET: priority 0:0 -> 1:10", "SET: queue 3"}, effects)
	require.Equal(t, 6, r.By.Rule)
	effects, _ = run("tcp 10.0.0.1:1 > 10.0.0.9:2")
	require.Equal(t, []string{"MARK: mark 0x0 -> 0x100", "SET: added to pairs", "SET: mark 0x100 -> 0x105", "SET: priority 0:0 -> 1:10", "SET: queue 3"}, effects)
	now = now.Add(11 * time.Second) // the entry has ended
	effects, _ = run("tcp 10.0.0.1:1 > 10.0.0.9:2")
	require.Equal(t, []string{"SET: not added to pairs", "SET: mark 0x0 -> 0x5", "SET: priority 0:0 -> 1:10", "SET: queue 3"}, effects, "it was there")
	effects, _ = run("tcp 10.0.0.3:1 > 10.0.0.9:2")
	require.Equal(t, []string{"SET: added to pairs", "SET: not in values"}, effects)
	effects, _ = run("tcp 10.0.0.4:1 > 10.0.0.9:2")
	require.Equal(t, []string{"SET: no room in pairs", "SET: not in values"}, effects)
	run("udp 10.0.0.5:1 > 10.0.0.9:2")
	effects, _ = run("icmp 10.0.0.5 > 10.0.0.9")
	require.Equal(t, []string{"MARK: mark 0x0 -> 0x100", "SET: deleted from seen", "SET: not in values"}, effects)
	effects, _ = run("icmp 10.0.0.5 > 10.0.0.9")
	require.Equal(t, []string{"SET: not in seen", "SET: not in values"}, effects)

	tr.State = nil
	_, r = run("icmp 10.0.0.5 > 10.0.0.9")
	require.Equal(t, rules.Unknown, r.Verdict, "nothing is remembered without a State")
	require.NotEmpty(t, r.Needs)
}

func TestTargetSETIsRefusedWhereTheKernelRefusesIt(t *testing.T) {
	for rule, want := range map[string]string{
		"*mangle\n-A PREROUTING -j SET":                                              "needs --add-set, --del-set or --map-set",
		"*mangle\n-A PREROUTING -j SET --exist --del-set s src":                      "--exist needs --add-set",
		"*mangle\n-A PREROUTING -j SET --map-set s src":                              "--map-set needs",
		"*mangle\n-A PREROUTING -j SET --map-mark --add-set s src":                   "--map-mark needs --map-set",
		"*raw\n-A PREROUTING -j SET --map-set s src --map-mark":                      "only in mangle",
		"*mangle\n-A PREROUTING -j SET --map-set s src --map-prio":                   "only in FORWARD, OUTPUT or POSTROUTING",
		"*mangle\n:c -\n-A c -j SET --map-set s src --map-queue\n-A INPUT -j c":      "which is reached from INPUT",
		"*mangle\n-A PREROUTING -j SET --add-set s src,up":                           "not src or dst",
		"*mangle\n-A PREROUTING -j SET --add-set s src --add-set t src":              "given twice",
		"*mangle\n-A PREROUTING -j SET --add-set s src --timeout 4294967295":         "--timeout",
		"*mangle\n-A PREROUTING -j SET --add-set s src,src,src,src,src,src,src":      "more than 6 directions",
		"*mangle\n-A PREROUTING -j SET --add-set aaaaaaaaaabbbbbbbbbbccccccccccdd s": "1 to 31 bytes",
	} {
		_, err := iptables.Read(strings.NewReader(rule+"\nCOMMIT\n"), iptables.Options{Family: 4})
		require.ErrorContains(t, err, want, rule)
	}
}
