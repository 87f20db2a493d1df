package hipac_test

// What targets change and what they say that they change: the compiler copies
// chains by it, so that a field that is left out is a wrong answer.

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/xt"
)

func TestTargetsChangeNoFieldBesidesThoseThatTheyName(t *testing.T) {
	// Rules that ask for every field that a target might change, so that the
	// table's schema has them.
	const asking = `
-A asking -s 10.0.0.1 -d 10.0.0.2 -p tcp -m tcp --sport 1 --dport 2 --tcp-flags SYN,ACK SYN --tcp-option 2
-A asking -p tcp -m tcp --tcp-option 200
-A asking -p tcp -m tcpmss --mss 1000
-A asking -p tcp -m ecn --ecn-tcp-cwr
-A asking -p tcp -m ecn --ecn-ip-ect 1
-A asking -m dscp --dscp 3 -m ttl --ttl-eq 9 -m length --length 40 -m mark --mark 7 -m connmark --mark 8
-A asking -m tos --tos 0x13/0x12
-A asking -m tos ! --tos 0x13/0x12
-A asking -m conntrack --ctstate NEW --ctstatus SEEN_REPLY --ctorigsrc 10.0.0.1 --ctrepldst 10.0.0.2 --ctreplsrcport 9 --ctrepldstport 9
-A asking -m conntrack --ctreplsrc 10.0.0.2 --ctorigdst 10.0.0.1
-A asking -m addrtype --src-type LOCAL --dst-type UNICAST
`
	targets := map[string][]string{
		"mangle": {"MARK --set-mark 1", "MARK --xor-mark 3", "CONNMARK --restore-mark", "CONNMARK --set-mark 9", "TOS --set-tos 0x12/0xff", "TOS --xor-tos 0x43",
			"DSCP --set-dscp 5", "TTL --ttl-dec 1", "TTL --ttl-set 3", "HMARK --hmark-tuple src --hmark-mod 4 --hmark-rnd 7",
			"-p tcp|ECN --ecn-tcp-remove", "-p tcp --syn|TCPMSS --set-mss 1000", "-p tcp|TCPOPTSTRIP --strip-options mss", "-p tcp|TCPOPTSTRIP --strip-options 2,8,200"},
		"raw": {"NOTRACK", "CT --notrack"},
	}
	for table, list := range targets {
		for _, target := range list {
			match, target, ok := strings.Cut(target, "|")
			if !ok {
				match, target = "", match
			}
			rs, err := iptables.Read(strings.NewReader("*"+table+"\n:asking -\n-A PREROUTING "+match+" -j "+target+asking+"COMMIT\n"), iptables.Options{})
			require.NoError(t, err, target)
			tab := rs.Tables[0]
			pre := tab.Find("PREROUTING")
			writes := tab.Chains[pre].Rules.At(0).Value.Ext.Writes
			tr := xt.NewTraversal(tab.Schema)
			tr.State = &xt.State{Random: func() uint32 { return 77 }}
			rng := rand.New(rand.NewPCG(1, 2))
			changed := map[string]bool{}
			for range 3000 {
				p := randomPacket(rng)
				tr.Start(&p)
				require.True(t, tr.Enters(tab))
				before := append(rules.Key(nil), tr.Key()...)
				tab.Run(tr, pre, nil)
				after := tr.Key()
				for f := range tab.Schema.Len() {
					v, had := tab.Schema.Get(before, f)
					w, has := tab.Schema.Get(after, f)
					if name := tab.Schema.Field(f).Name; v != w || had != has {
						changed[name] = true
						require.Contains(t, writes, name, "%s changes %s from %v to %v", target, name, v, w)
					}
				}
			}
			if target != "CONNMARK --save-mark" {
				require.NotEmpty(t, changed, target)
			}
		}
	}
}
