//go:build linux

package kernel

// Rules that are refused: by the tool, which knows the options, or by the
// kernel, which has the last word on what fits together.

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/stretchr/testify/require"
)

// refusedRules are "[TABLE ]CHAIN RULE", in IPv4 unless they begin with @6.
var refusedRules = []string{
	"INPUT -p tcp -m tcp --sport 65536", "INPUT -m tcp --dport 80", "INPUT ! -p all -j ACCEPT", "INPUT -p tcp -m tcp --tcp-option 0", "INPUT -p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "INPUT -m multiport --ports 80",
	"INPUT -o eth0", "OUTPUT -i eth0", "raw PREROUTING -o eth0", "mangle POSTROUTING -i eth0", "@6 INPUT -f", "@6 INPUT -m ttl --ttl-eq 3", "INPUT -m hl --hl-eq 3", "INPUT -m length --length 70000", "INPUT -m dscp --dscp 64", "INPUT -m ecn --ecn-ip-ect 4", "INPUT -m ecn --ecn-tcp-cwr",
	"INPUT -m limit --limit 1/day --limit-burst 10000", "INPUT -m limit --limit 0/s", "INPUT -m limit --limit 100000/s", "INPUT -m limit ! --limit 1/s", "INPUT -m string --string x --algo bm --from 100 --to 50", "INPUT -m string --string x", "INPUT -m string --algo bm", "INPUT -m string --algo none --string x",
	"INPUT -m quota --quota 18446744073709551616", "INPUT -m statistic --mode nth --every 0 --packet 0", "INPUT -m statistic --mode nth --every 3 --packet 3", "INPUT -m statistic --mode random --probability 1.5", "INPUT -m recent --rcheck --hitcount 65536", "INPUT -m recent", "INPUT -m recent --set --rcheck", "INPUT -m recent --set --seconds 5", "INPUT -m recent --set --rttl",
	"INPUT -m hashlimit --hashlimit-upto 1/s", "INPUT -m hashlimit --hashlimit-name x --hashlimit-upto 1/s --hashlimit-mode srcip,host", "INPUT -m connlimit", "INPUT -m connlimit --connlimit-upto 1 --connlimit-above 2", "INPUT -m connbytes --connbytes 1:2", "INPUT -m connbytes --connbytes 1 --connbytes-mode packets",
	"INPUT -m u32", "INPUT -m u32 --u32 0=0x", "INPUT -m bpf --bytecode 1", "INPUT -m time --timestart 25:00", "INPUT -m time --monthdays 32", "INPUT -m time --weekdays Xyz", "INPUT -m mac --mac-source 00:11", "OUTPUT -m mac --mac-source 00:11:22:33:44:55", "INPUT -m owner --uid-owner 0", "INPUT -m pkttype --pkt-type some", "INPUT -m mark --mark x",
	"INPUT -m policy --pol ipsec", "OUTPUT -m policy --dir in --pol ipsec", "INPUT -m addrtype", "INPUT -m addrtype --dst-type NOWHERE", "INPUT -m addrtype --dst-type LOCAL --limit-iface-out", "INPUT -m conntrack", "INPUT -m conntrack --ctstate OLD", "INPUT -m state", "INPUT -m helper", "INPUT -m cluster --cluster-total-nodes 33 --cluster-local-node 1 --cluster-hash-seed 1", "INPUT -m cluster --cluster-total-nodes 2 --cluster-local-node 3 --cluster-hash-seed 1",
	"INPUT -m rpfilter", "INPUT -m devgroup", "INPUT -m devgroup --dst-group 1", "INPUT -m physdev", "INPUT -m cgroup --cgroup 1 --path /", "FORWARD -m cgroup --cgroup 1", "FORWARD -m socket", "raw PREROUTING -m realm --realm 1",
	"INPUT -j TTL --ttl-set 1", "mangle INPUT -j TTL --ttl-inc 0", "mangle INPUT -j TTL --ttl-dec 0", "mangle INPUT -j TTL --ttl-set 256", "mangle INPUT -j TTL", "INPUT -j TOS --set-tos 0", "mangle INPUT -j TOS", "mangle INPUT -j DSCP --set-dscp 64", "mangle INPUT -j DSCP", "mangle INPUT -j ECN --ecn-tcp-remove", "INPUT -j MARK", "INPUT -j MARK --set-mark 0x100000000",
	"mangle FORWARD -j TCPMSS --set-mss 1000", "mangle FORWARD -p tcp -j TCPMSS --set-mss 1000", "mangle PREROUTING -p tcp -m tcp --syn -j TCPMSS --clamp-mss-to-pmtu", "mangle FORWARD -j TCPOPTSTRIP --strip-options 2", "mangle FORWARD -p tcp -j TCPOPTSTRIP --strip-options 1", "raw PREROUTING -j CLASSIFY --set-class 1:1", "INPUT -j CHECKSUM --checksum-fill", "mangle INPUT -j CHECKSUM",
	"mangle INPUT -j REJECT", "INPUT -j REJECT --reject-with nothing", "INPUT -j REJECT --reject-with tcp-reset", "INPUT -p udp -j REJECT --reject-with tcp-reset", "INPUT -j LOG --log-level loud", "INPUT -j LOG --log-prefix", "INPUT -j NFLOG --nflog-group 65536", "INPUT -j NFQUEUE --queue-num 65536", "INPUT -j NFQUEUE --queue-balance 3:1", "INPUT -j TRACE", "INPUT -j AUDIT", "INPUT -j AUDIT --type maybe", "INPUT -j NOTRACK", "INPUT -j CT --notrack", "nat PREROUTING -j DROP",
	"INPUT -j DNAT --to-destination 1.2.3.4", "nat PREROUTING -j DNAT", "nat POSTROUTING -j DNAT --to-destination 1.2.3.4", "nat PREROUTING -j DNAT --to-destination 1.2.3.4:80", "nat PREROUTING -j SNAT --to-source 1.2.3.4", "nat PREROUTING -j MASQUERADE", "nat POSTROUTING -j REDIRECT", "nat PREROUTING -j REDIRECT --to-ports 80", "nat PREROUTING -j NETMAP", "mangle PREROUTING -j TPROXY --on-port 80", "mangle INPUT -p tcp -j TPROXY --on-port 80", "INPUT -j SYNPROXY", "@6 mangle PREROUTING -j DNPT --src-pfx 2001:db8::/48",
	"@6 mangle PREROUTING -j DNPT --src-pfx 2001:db8:1::/60 --dst-pfx fd01:203:405:f::/60",
	"@6 INPUT -p ipv6-mh -m mh --mh-type 999", "@6 INPUT -m mh --mh-type 1", "@6 INPUT -m rt --rt-0-addrs ::1", "@6 INPUT -m frag --fragmore --fraglast", "@6 INPUT -m ipv6header", "@6 INPUT -m ipv6header --header foo", "@6 INPUT -m hbh --hbh-opts 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "@6 OUTPUT -m eui64",
	"INPUT -j nosuch", "INPUT -g nosuch", "INPUT -g ACCEPT", "INPUT -j FORWARD", "INPUT -m nosuch", "INPUT --nosuch 5", "INPUT -s 1.2.3.4.5", "INPUT -s 1.2.3.4/33", "INPUT ! -s 1.2.3.4,5.6.7.8", "INPUT -i abcdefghijklmnop", "INPUT -p nosuch", "INPUT -s ::1", "@6 INPUT -s 1.2.3.4",
}

func TestRulesThatTheKernelRefusesAreRefused(t *testing.T) {
	worlds := map[int]*world{}
	for _, rule := range refusedRules {
		family, text := 4, rule
		if rest, ok := strings.CutPrefix(rule, "@6 "); ok {
			family, text = 6, rest
		}
		if worlds[family] == nil {
			worlds[family] = newWorld(t, family)
		}
		table := "filter"
		if word, rest, _ := strings.Cut(text, " "); strings.ToLower(word) == word {
			table, text = word, rest
		}
		file := fmt.Sprintf("*%s\n-A %s\nCOMMIT\n", table, text)
		if _, err := tryRun(file, worlds[family].tool()+"-restore"); err == nil {
			t.Errorf("the kernel takes %s", rule)
			run(t, "*"+table+"\nCOMMIT\n", worlds[family].tool()+"-restore")
			continue
		}
		rs, err := iptables.Read(strings.NewReader(file), iptables.Options{Family: family})
		if err == nil {
			t.Errorf("we take %s", rule)
			continue
		}
		require.Nil(t, rs)
		if errors.Is(err, rules.ErrUnsupported) {
			if e := notSupported(text); e == "" {
				t.Errorf("refused as not modelled: %s: %v", rule, err)
			}
		}
	}
}

// notSupported returns the first match, target or option of a rule that is not
// modelled, or that nobody knows.
func notSupported(rule string) string {
	words := strings.Fields(rule)
	for i, w := range words {
		if strings.HasPrefix(strings.TrimLeft(w, "-"), "nosuch") {
			return w
		}
		if kind := map[string]string{"-m": "match", "-j": "target"}[w]; kind != "" && i+1 < len(words) {
			if e := iptables.Describe().Find(kind, words[i+1]); e != nil && !e.Supported {
				return words[i+1]
			}
		}
	}
	return ""
}
