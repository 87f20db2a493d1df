//go:build linux

package kernel

// A user's own chains: what is made of them, and that they are compared.

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/iptables"
)

const ownRules = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:OUTPUT-web - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -i eth+ -p tcp -m tcp --dport 22 -m comment --comment "-i lo -j DROP" -j OUTPUT-web
-A INPUT -s 10.0.0.0/8 ! -i eth0 -j LOG --log-prefix "ten "
-A INPUT -s 192.0.2.0/24 -g OUTPUT-web
-A INPUT -m limit --limit 3/sec -j ACCEPT
-A OUTPUT-web -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT-web -m mark ! --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff
-A OUTPUT-web -j RETURN
-A OUTPUT -m owner --uid-owner 0 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i eth1 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.0.1
-A POSTROUTING -o eth0 -j MASQUERADE
COMMIT
`

func ownChains(t *testing.T, text string) ([]*Own, []string) {
	t.Helper()
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{})
	require.NoError(t, err)
	list, skipped, err := OwnChains(rs)
	require.NoError(t, err)
	return list, skipped
}

func TestOwnChainsAreMadeReady(t *testing.T) {
	list, skipped := ownChains(t, ownRules)
	require.Equal(t, []string{"table filter, chain OUTPUT: without the rules that ask or do more than can be compared: 1 with match owner"}, skipped)
	require.Len(t, list, 3)
	o := list[0]
	require.Equal(t, "table filter, chain INPUT", o.Name)
	require.Equal(t, 7, o.Rules)
	require.Equal(t, "without the rules that ask or do more than can be compared: 1 with match conntrack, 1 with match limit", o.Leaves())
	require.Equal(t, []string{"eth+", "eth0", "lo"}, o.interfaces)
	_, program, _ := strings.Cut(o.program, "*raw\n")
	program, _, _ = strings.Cut(program, "COMMIT")
	require.Equal(t, `:PREROUTING DROP [0:0]
:OUTPUT ACCEPT [0:0]
:OUTPUT-web - [0:0]
:your-INPUT - [0:0]
-A PREROUTING
-A PREROUTING -g your-INPUT
-A OUTPUT-web -p tcp -j DROP
-A OUTPUT-web -m mark ! --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff
-A OUTPUT-web -j RETURN
-A your-INPUT -i lo -j ACCEPT
-A your-INPUT -i eth+ -p tcp -m tcp --dport 22 -m comment --comment "-i lo -j DROP" -j OUTPUT-web
-A your-INPUT -s 10.0.0.0/8 ! -i eth0
-A your-INPUT -s 192.0.2.0/24 -g OUTPUT-web
`, program)
	require.Equal(t, "table nat, chain PREROUTING", list[1].Name)
	require.Contains(t, list[1].program, "-A your-PREROUTING -i eth1 -p udp -m udp --dport 53 -j ACCEPT\n")
	require.Contains(t, list[2].program, "-A your-POSTROUTING -o eth0 -j ACCEPT\n")
}

func TestOwnRulesThatAreNotModelledAreLeftOut(t *testing.T) {
	rs, err := iptables.Read(strings.NewReader("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s host.example -j DROP\n-A INPUT -p tcp -j DROP\nCOMMIT\n"), iptables.Options{AllowUnknown: true})
	require.NoError(t, err)
	list, skipped, err := OwnChains(rs)
	require.NoError(t, err)
	require.Empty(t, skipped)
	require.Len(t, list, 1)
	require.Equal(t, map[string]int{"what is not modelled": 1}, list[0].Left)
	require.NotContains(t, list[0].program, "example")
}

func TestOwnChainsOfTooManyRulesAreSkipped(t *testing.T) {
	var b strings.Builder
	b.WriteString("*filter\n:INPUT ACCEPT [0:0]\n")
	for range mostOwn + 1 {
		b.WriteString("-A INPUT -p tcp -j DROP\n")
	}
	list, skipped := ownChains(t, b.String()+"COMMIT\n")
	require.Empty(t, list)
	require.Equal(t, []string{"table filter, chain INPUT: 30001 rules, and up to 30000 are compared"}, skipped)
}

func TestOwnChainsCountAsTheKernelDoes(t *testing.T) {
	needWay(t, wayLegacy)
	list, _ := ownChains(t, ownRules)
	for _, o := range list {
		r, err := Run(t.Context(), Options{Own: o, Sets: 6, Packets: 200, Seed: *seed}, nil)
		require.NoError(t, err, o.Name)
		if r.Difference != nil {
			t.Fatal(r.Difference)
		}
		n := r.Total()
		t.Logf("%s: %d packets arrived, %d matched, %d of %d rules hit", o.Name, n.Arrived, n.Matched, n.Hit, n.Rules)
		require.EqualValues(t, 6, n.Sets)
		require.EqualValues(t, 6*(o.Rules+2), n.Rules)
		require.Greater(t, n.Arrived, int64(600))
		if o == list[0] {
			require.Greater(t, n.Hit, n.Rules*6/10)
			require.Less(t, n.Matched, n.Arrived)
		}
	}
}

func TestPlainMatchesAreThoseOfRandomPrograms(t *testing.T) {
	mixed := map[string]bool{}
	for _, family := range []int{4, 6} {
		for _, f := range fragments(family) {
			words := strings.Fields(f.text)
			for i, w := range words {
				if w == "-m" {
					mixed[words[i+1]] = true
				}
			}
		}
	}
	for _, name := range plainMatches {
		require.True(t, mixed[name], name)
	}
}
