//go:build linux

package kernel

// Cases of match set and target SET, with sets of every type that the kernel
// has. They need the tool ipset.

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules/ipset"
	"github.com/stretchr/testify/require"
)

const sets4 = `create ip hash:ip family inet hashsize 1024 maxelem 65536
add ip 10.0.0.1
add ip 192.0.2.9
create net hash:net family inet hashsize 1024 maxelem 65536
add net 10.0.0.0/8
add net 10.0.1.0/24 nomatch
add net 10.0.1.2
add net 192.0.2.8/30
create ipport hash:ip,port family inet hashsize 1024 maxelem 65536
add ipport 192.0.2.9,udp:53
add ipport 192.0.2.10,tcp:80
add ipport 10.0.0.1,udp:1000
create ipportip hash:ip,port,ip family inet hashsize 1024 maxelem 65536
add ipportip 10.0.0.1,udp:53,192.0.2.9
add ipportip 10.0.0.2,tcp:80,198.51.100.1
create ipportnet hash:ip,port,net family inet hashsize 1024 maxelem 65536
add ipportnet 10.0.0.1,udp:53,192.0.2.0/24
create netport hash:net,port family inet hashsize 1024 maxelem 65536
add netport 192.0.2.0/24,udp:53
add netport 192.0.2.10,udp:53 nomatch
add netport 198.51.100.0/24,tcp:80
create netiface hash:net,iface family inet hashsize 1024 maxelem 65536
add netiface 10.0.0.0/8,hipac0
add netiface 10.0.1.0/24,hipac0 nomatch
add netiface 10.1.0.0/16,eth9
create bip bitmap:ip range 10.0.0.0-10.0.0.255
add bip 10.0.0.1
create bport bitmap:port range 0-2000
add bport 53
add bport 1000-1001
create all list:set size 8
add all ip
add all net
create count hash:ip family inet hashsize 1024 maxelem 65536 counters
add count 10.0.0.1 packets 3 bytes 500
add count 10.0.0.2 packets 0 bytes 0
create seen hash:ip family inet hashsize 1024 maxelem 65536
create seenports hash:ip,port family inet hashsize 1024 maxelem 65536 timeout 3600
create map hash:net family inet hashsize 1024 maxelem 65536 skbinfo
add map 10.0.0.0/24 skbmark 0x55 skbprio 1:2
add map 10.1.0.0/16 skbmark 0x20/0xf0
`

// sets6 is the same with addresses of IPv6, where there are such sets.
func sets6() string {
	text := strings.NewReplacer("family inet ", "family inet6 ", "10.0.0.0/8", "2001:db8::/48", "10.0.1.0/24", "2001:db8:0:1::/64", "10.0.1.2", "2001:db8:0:1::2", "192.0.2.8/30", "2001:db8:9::8/126", "10.0.0.0/24", "2001:db8::/64", "10.1.0.0/16", "2001:db8:1::/48",
		"192.0.2.0/24", "2001:db8:9::/64", "198.51.100.0/24", "2001:db8:8::/64", "192.0.2.10", "2001:db8:9::a", "192.0.2.9", "2001:db8:9::9", "198.51.100.1", "2001:db8:8::1").Replace(sets4)
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if !strings.Contains(line, " bip ") {
			line = strings.NewReplacer(" 10.0.0.1", " 2001:db8::1", " 10.0.0.2", " 2001:db8::2").Replace(line)
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// makeSets makes the sets in the namespace, and reads them.
func makeSets(t *testing.T, w *world) {
	if _, err := exec.LookPath("ipset"); err != nil {
		skip(t, "needs ipset")
	}
	text := sets4
	if w.family == 6 {
		text = sets6()
	}
	run(t, text, "ipset", "restore")
	var err error
	w.sets, err = ipset.Read(strings.NewReader(text), ipset.Options{})
	require.NoError(t, err)
}

var _ = register(
	extension{kind: "match", name: "set", setup: makeSets, shots: talk, rules: []string{
		"-m set --match-set ip src", "-m set ! --match-set ip src", "-m set --match-set ip dst", "-m set --match-set net src", "-m set ! --match-set net src", "-m set --match-set net src --return-nomatch", "-m set ! --match-set net src --return-nomatch", "-m set --match-set net dst",
		"-m set --match-set ipport dst,dst", "-m set --match-set ipport src,src", "-m set --match-set ipport dst,src", "-m set ! --match-set ipport dst,dst", "-m set --match-set ipportip src,dst,dst", "-m set --match-set ipportip dst,dst,src", "-m set --match-set ipportnet src,dst,dst", "-m set --match-set netport dst,dst", "-m set ! --match-set netport dst,dst", "-m set --match-set netport dst,dst --return-nomatch",
		"-m set --match-set netiface src,src", "-m set ! --match-set netiface src,src", "-m set --match-set netiface src,dst", "-m set --match-set bport dst", "-m set ! --match-set bport src", "-m set --match-set all src", "-m set ! --match-set all dst",
	}, rules4: []string{"-m set --match-set bip src", "-m set ! --match-set bip src"}},
	extension{kind: "match", name: "set with counters", setup: makeSets, shots: talk, noPool: true, rules: []string{
		"-m set --match-set count src ! --update-counters", "-m set --match-set count src --packets-eq 3 ! --update-counters", "-m set --match-set count src ! --packets-eq 0 ! --update-counters", "-m set --match-set count src --bytes-gt 400 ! --update-counters", "-m set --match-set count src --bytes-lt 400 ! --update-counters",
		"-m set --match-set count src --packets-lt 12", "-m set --match-set count src --packets-gt 5", "-m set ! --match-set count src", "-m set --match-set count src --bytes-eq 500 ! --update-counters", "-m set --match-set count src ! --bytes-eq 500 ! --update-subcounters",
	}},
	extension{kind: "target", name: "SET", table: "mangle", setup: makeSets, shots: talk, noPool: true, rules: []string{
		"-m set --match-set seen src", "-p tcp -j SET --add-set seen src", "-m set --match-set seen src", "-m set --match-set seen dst", "-p udp -m udp --dport 54 -j SET --del-set seen src", "-m set ! --match-set seen src",
		"-p udp -j SET --add-set seenports src,dst --exist --timeout 1000", "-m set --match-set seenports src,dst", "-p tcp -j SET --add-set seenports dst,dst", "-m set --match-set seenports dst,dst", "-p udp -j SET --del-set seenports src,dst",
		"-j SET --map-set map src --map-mark", "-m mark --mark 0x55", "-m mark --mark 0x20/0xf0", "-m mark --mark 0",
	}},
	extension{kind: "target", name: "SET when forwarding", table: "mangle", chain: "FORWARD", routes: true, setup: makeSets, shots: talk, noPool: true, rules: []string{
		"-j SET --map-set map src --map-prio --map-queue", "-m mark --mark 0", "-j SET --map-set map src --map-mark --map-prio", "-m mark --mark 0x55",
	}},
)
