package iptables

// Matches on headers: what is printed of them, what is said of bad ones, and
// which packets they meet, asked with packets made of bytes.

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/packet"
	"github.com/hipac-go/classifier/rules/xt"
	"github.com/stretchr/testify/require"
)

func TestPacketMatchesArePrintedAsTheToolsDo(t *testing.T) {
	checkPrinted(t, "testdata/packet.txt")
}

// bytesOf makes bytes of hexadecimal digits with blanks between them.
func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// ip4 makes an IPv4 packet, ip6 an IPv6 packet, of what stands behind their
// fixed headers.
func ip4(t *testing.T, proto byte, offset uint16, body string) []byte {
	b := bytesOf(t, body)
	n := 20 + len(b)
	return append([]byte{0x45, 0, byte(n >> 8), byte(n), 0, 1, byte(offset >> 8), byte(offset), 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}, b...)
}

func ip6(t *testing.T, next byte, body string) []byte {
	b := bytesOf(t, body)
	h := []byte{0x60, 0, 0, 0, byte(len(b) >> 8), byte(len(b)), next, 64}
	h = append(h, bytesOf(t, "20010db8 00000000 021122ff fe334455 20010db8 00000000 00000000 00000002")...)
	return append(h, b...)
}

// outcome says what a rule makes of a packet: "yes", "no", "drop" for a packet
// that cannot be read, or what is missing.
func outcome(t *testing.T, rule string, family int, data []byte, prepare func(*packet.Packet)) string {
	t.Helper()
	rs, err := Read(strings.NewReader("*mangle\n:c - [0:0]\n-A c "+rule+" -j DROP\nCOMMIT\n"), Options{Family: family})
	require.NoError(t, err, rule)
	tr := xt.NewTraversal(rs.Tables[0].Schema)
	tr.State = &xt.State{}
	require.NoError(t, tr.Packet.Decode(data, packet.LinkRaw))
	if prepare != nil {
		prepare(&tr.Packet)
	}
	switch r := rs.Tables[0].Run(tr, rs.Tables[0].Find("c"), nil); {
	case r.Dropped:
		return "drop"
	case r.Needs != "":
		return r.Needs
	case r.Verdict == rules.Drop:
		return "yes"
	}
	return "no"
}

const (
	tcpPlain   = "1f90 0050 00000001 00000000 50 02 ffff 0000 0000"
	tcpOptions = "1f90 0050 00000001 00000000 70 c2 ffff 0000 0000 020405b4 01030307"
	udpPlain   = "1f90 0050 0008 0000"
	auth       = "06 02 0000 00000064 00000001" // and 4 bytes of its value
)

func TestPacketMatchesMeetWhatTheKernelMeets(t *testing.T) {
	for _, c := range []struct {
		rule   string
		family int
		packet []byte
		want   string
	}{
		{"-p tcp --tcp-option 2", 4, ip4(t, 6, 0, tcpOptions), "yes"},
		{"-p tcp --tcp-option 3", 4, ip4(t, 6, 0, tcpOptions), "yes"},
		{"-p tcp --tcp-option 4", 4, ip4(t, 6, 0, tcpOptions), "no"},
		{"-p tcp --tcp-option 200", 4, ip4(t, 6, 0, tcpOptions), "no"},
		{"-p tcp ! --tcp-option 200", 4, ip4(t, 6, 0, tcpOptions), "yes"},
		{"-p tcp ! --tcp-option 2", 4, ip4(t, 6, 0, tcpPlain), "yes"},
		{"-p tcp --tcp-option 2 --sport 1", 4, ip4(t, 6, 0, "1f90 0050 00000001 00000000 f0 02 ffff 0000 0000"), "no"},
		{"-p tcp --tcp-option 2 --sport 8080", 4, ip4(t, 6, 0, "1f90 0050 00000001 00000000 f0 02 ffff 0000 0000"), "drop"},
		{"-p tcp --sport 8080", 4, ip4(t, 6, 0, "1f90 0050 00000001 00000000 f0 02 ffff 0000 0000"), "yes"},
		{"-p tcp --sport 1", 4, ip4(t, 6, 0, "1f90 0050 0000"), "drop"},
		{"-p tcp", 4, ip4(t, 6, 0, "1f90 0050 0000"), "yes"},
		{"-s 1.1.1.1 -p tcp --sport 1", 4, ip4(t, 6, 0, "1f90 0050 0000"), "no"},
		{"-p tcp -m multiport --sports 8080", 4, ip4(t, 6, 0, "1f90 0050 0000"), "yes"},
		{"-p tcp -m multiport --sports 8080", 4, ip4(t, 6, 0, "1f90 00"), "drop"},
		{"-p tcp -m tcp", 4, ip4(t, 6, 1, tcpPlain), "drop"},
		{"-p tcp -m tcp", 4, ip4(t, 6, 2, tcpPlain), "no"},
		{"-p tcp -m limit --limit 5/s -m multiport --sports 8080", 4, ip4(t, 6, 0, "1f90 0050 0000 0000"), "yes"},
		{"-p tcp -m limit --limit 5/s -m multiport --sports 8080", 4, ip4(t, 6, 0, "1f90 00"), "drop"},
		{"-p tcp -m limit --limit 5/s -m tcp --sport 8080", 4, ip4(t, 6, 0, "1f90 0050 0000 0000"), "drop"},
		{"-p sctp -m sctp --chunk-types any DATA -m length --length 0:1", 4, ip4(t, 132, 0, "e3f5 0000 00000001 00000000"), "drop"},
		{"-m length --length 0:1 -p sctp -m sctp --chunk-types any DATA", 4, ip4(t, 132, 0, "e3f5 0000 00000001 00000000"), "no"},
		{"-m hashlimit --hashlimit-upto 1/hour --hashlimit-mode dstport --hashlimit-name h", 6, ip6(t, 44, "2c 00 0019 00000009 11 00 0001 00000009"+udpPlain), "yes"}, // no further than the first fragment header
		{"-m hashlimit --hashlimit-upto 1/hour --hashlimit-mode dstport --hashlimit-name h", 6, ip6(t, 44, "2c 00 0001 00000009 11 00"), "drop"},
		{"-p udp --sport 8080", 4, ip4(t, 17, 0, udpPlain), "yes"},
		{"-p udp --sport 8080", 4, ip4(t, 17, 0, "1f90 0050 00"), "drop"},
		{"-p icmp --icmp-type any", 4, ip4(t, 1, 0, "0800 0000"), "drop"},

		{"-p tcp -m tcpmss --mss 1400:1500", 4, ip4(t, 6, 0, tcpOptions), "yes"},
		{"-p tcp -m tcpmss ! --mss 1400:1500", 4, ip4(t, 6, 0, tcpOptions), "no"},
		{"-p tcp -m tcpmss --mss 0:65535", 4, ip4(t, 6, 0, tcpPlain), "no"},
		{"-p tcp -m tcpmss ! --mss 0:65535", 4, ip4(t, 6, 0, tcpPlain), "yes"},
		{"-p tcp -m tcpmss --mss 1", 4, ip4(t, 6, 0, "1f90 0050"), "drop"},
		{"-p tcp -m ecn --ecn-tcp-cwr --ecn-tcp-ece", 4, ip4(t, 6, 0, tcpOptions), "yes"},
		{"-p tcp -m ecn ! --ecn-tcp-cwr", 4, ip4(t, 6, 0, tcpOptions), "no"},
		{"-p tcp -m ecn ! --ecn-tcp-cwr ! --ecn-tcp-ece --ecn-ip-ect 0", 4, ip4(t, 6, 0, tcpPlain), "yes"},

		{"-p tcp -m ecn ! --ecn-tcp-cwr", 4, ip4(t, 6, 9, tcpPlain), "yes"}, // payload in the header's place
		{"-p tcp -m ecn ! --ecn-tcp-cwr", 4, ip4(t, 6, 9, "1f90"), "no"},

		{"-p esp -m esp --espspi 100:200", 4, ip4(t, 50, 0, "00000064 00000001"), "yes"},
		{"-p esp -m esp ! --espspi 100:200", 4, ip4(t, 50, 0, "00000064 00000001"), "no"},
		{"-p esp -m esp ! --espspi :", 4, ip4(t, 50, 0, "00000064 00000001"), "no"},
		{"-p esp -m esp", 4, ip4(t, 50, 0, "00000064 00"), "drop"},
		{"-p esp -m esp", 4, ip4(t, 50, 8, "00000064 00000001"), "no"},
		{"-p esp -m esp --espspi 100", 6, ip6(t, 50, "00000064 00000001"), "yes"},
		{"-p ah -m ah --ahspi 100", 4, ip4(t, 51, 0, auth), "yes"},
		{"-p ah -m ah ! --ahspi 100", 4, ip4(t, 51, 0, auth), "no"},
		{"-m ah --ahspi 100 --ahlen 16 --ahres", 6, ip6(t, 51, auth+"00000000"+tcpPlain), "yes"},
		{"-m ah ! --ahlen 16", 6, ip6(t, 51, auth+"00000000"+tcpPlain), "no"},
		{"-m ah --ahlen 17", 6, ip6(t, 51, auth+"00000000"+tcpPlain), "no"},
		{"-m ah ! --ahlen 0", 6, ip6(t, 51, auth+"00000000"+tcpPlain), "yes"},
		{"-m ah --ahres", 6, ip6(t, 51, "06 02 0001 00000064 00000001 00000000"+tcpPlain), "no"},
		{"-m ah", 6, ip6(t, 6, tcpPlain), "no"},
		{"-p ipcomp -m ipcomp --ipcompspi 18", 4, ip4(t, 108, 0, "06 00 0012"), "yes"},
		{"-p ipcomp -m ipcomp", 4, ip4(t, 108, 0, "06 00 0012"), "no"},
		{"-p ipcomp -m ipcomp --ipcompspi 0:", 4, ip4(t, 108, 0, "06 00 0012"), "yes"},
		{"-p ipcomp -m ipcomp --compres --ipcompspi 0:", 4, ip4(t, 108, 12, "06 00 0012"), "no"}, // a later fragment
		{"-p ipcomp -m ipcomp --compres", 4, ip4(t, 108, 0, "06 01 0000"), "yes"},
		{"-p ipcomp -m ipcomp --ipcompspi 0:70000", 4, ip4(t, 108, 0, "06 00 0012"), "yes"},
		{"-p ipcomp -m ipcomp --ipcompspi 70000", 4, ip4(t, 108, 0, "06 00 0012"), "no"},
		{"-p ipcomp -m ipcomp ! --ipcompspi 70000", 4, ip4(t, 108, 0, "06 00 0012"), "yes"},

		{"-p dccp --dccp-types REQUEST,DATA", 4, ip4(t, 33, 0, "1f90 0050 04 00 0000 00 000001 00000000"), "yes"},
		{"-p dccp ! --dccp-types REQUEST,DATA", 4, ip4(t, 33, 0, "1f90 0050 04 00 0000 00 000001 00000000"), "no"},
		{"-p dccp --dccp-types INVALID", 4, ip4(t, 33, 0, "1f90 0050 04 00 0000 14 000001 00000000 00000000"), "yes"},
		{"-p dccp --dccp-option 5", 4, ip4(t, 33, 0, "1f90 0050 05 00 0000 00 000001 00000000 05040000"), "yes"},
		{"-p dccp ! --dccp-option 6", 4, ip4(t, 33, 0, "1f90 0050 05 00 0000 00 000001 00000000 05040000"), "yes"},
		{"-p dccp --dccp-option 6 --sport 1", 4, ip4(t, 33, 0, "1f90 0050 09 00 0000 00 000001 00000000 05040000"), "no"},
		{"-p dccp --dccp-option 6", 4, ip4(t, 33, 0, "1f90 0050 09 00 0000 00 000001 00000000 05040000"), "drop"},

		{"-m frag --fragid 5 --fragfirst --fragmore", 6, ip6(t, 44, "06 00 0001 00000005"+tcpPlain), "yes"},
		{"-m frag --fragid 6", 6, ip6(t, 44, "06 00 0001 00000005"+tcpPlain), "no"},
		{"-m frag --fraglast", 6, ip6(t, 44, "06 00 0001 00000005"+tcpPlain), "no"},
		{"-m frag --fraglast ! --fragid 6 --fraglen 3", 6, ip6(t, 44, "06 00 0010 00000005"+tcpPlain), "yes"},
		{"-m frag --fragfirst", 6, ip6(t, 44, "06 00 0010 00000005"+tcpPlain), "no"},
		{"-m frag --fragres", 6, ip6(t, 44, "06 01 0000 00000005"+tcpPlain), "no"},
		{"-m frag --fragres", 6, ip6(t, 44, "06 00 0000 00000005"+tcpPlain), "yes"},
		{"-m frag", 6, ip6(t, 44, "06 00 0000 00000005"+tcpPlain), "yes"},
		{"-m frag", 6, ip6(t, 6, tcpPlain), "no"},

		{"-m rt --rt-type 0 --rt-segsleft 1:300 --rt-len 24 --rt-0-res", 6, ip6(t, 43, "06 02 00 01 00000000"+addr1+tcpPlain), "yes"},
		{"-m rt --rt-type 0 --rt-0-res", 6, ip6(t, 43, "06 02 00 01 00000001"+addr1+tcpPlain), "no"},
		{"-m rt ! --rt-type 0", 6, ip6(t, 43, "06 02 00 01 00000001"+addr1+tcpPlain), "no"},
		{"-m rt ! --rt-type 300 ! --rt-len 300000", 6, ip6(t, 43, "06 02 00 01 00000001"+addr1+tcpPlain), "yes"},
		{"-m rt --rt-type 0 --rt-0-addrs 2001:db8::a", 6, ip6(t, 43, "06 02 00 01 00000000"+addr1+tcpPlain), "yes"},
		{"-m rt --rt-type 0 --rt-0-addrs 2001:db8::b", 6, ip6(t, 43, "06 02 00 01 00000000"+addr1+tcpPlain), "no"},
		{"-m rt --rt-type 0 --rt-0-addrs 2001:db8::a", 6, ip6(t, 43, "06 04 00 01 00000000"+addr1+addr2+tcpPlain), "no"},
		{"-m rt --rt-type 0 --rt-0-addrs 2001:db8::a,2001:db8::b", 6, ip6(t, 43, "06 04 00 01 00000000"+addr1+addr2+tcpPlain), "yes"},
		{"-m rt --rt-type 0 --rt-0-addrs 2001:db8::b --rt-0-not-strict", 6, ip6(t, 43, "06 04 00 01 00000000"+addr1+addr2+tcpPlain), "yes"},
		{"-m rt --rt-type 0 --rt-0-addrs 2001:db8::b,2001:db8::a --rt-0-not-strict", 6, ip6(t, 43, "06 04 00 01 00000000"+addr1+addr2+tcpPlain), "no"},
		{"-m rt", 6, ip6(t, 6, tcpPlain), "no"},

		{"-m hbh --hbh-len 8", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "yes"},
		{"-m hbh ! --hbh-len 8", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "no"},
		{"-m hbh ! --hbh-len 8", 6, ip6(t, 6, tcpPlain), "no"},
		{"-m hbh --hbh-opts 5:2,1", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "yes"},
		{"-m hbh --hbh-opts 5", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "yes"},
		{"-m hbh --hbh-opts 5:3", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "no"},
		{"-m hbh --hbh-opts 1,5", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "no"},
		{"-m hbh --hbh-opts 5,1,1", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "no"},
		{"-m dst --dst-opts 0,5:2", 6, ip6(t, 60, "06 00 00 0502 0000 00"+tcpPlain), "yes"},
		{"-m dst", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "no"},

		{"-m ipv6header --header hop,prot", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "yes"},
		{"-m ipv6header --header hop", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "no"},
		{"-m ipv6header --header hop --soft", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "yes"},
		{"-m ipv6header ! --header hop --soft", 6, ip6(t, 6, tcpPlain), "yes"},
		{"-m ipv6header ! --header dst,prot --soft", 6, ip6(t, 6, tcpPlain), "no"},
		{"-m ipv6header ! --header prot", 6, ip6(t, 0, "06 00 0502 0000 0100"+tcpPlain), "yes"},
		{"-m ipv6header ! --header prot", 6, ip6(t, 6, tcpPlain), "no"},
		{"-m ipv6header ! --header hop,dst,route,frag,auth,esp,none", 6, ip6(t, 6, tcpPlain), "yes"},
		{"-p mh --mh-type bu", 6, ip6(t, 135, "3b 00 05 00 0000 0000"), "yes"},
		{"-p mh ! --mh-type bu", 6, ip6(t, 135, "3b 00 05 00 0000 0000"), "no"},
		{"-p mh -m mh", 6, ip6(t, 135, "3b 00 05"), "drop"},
		{"-p mh -m mh", 6, ip6(t, 135, "06 00 05 00 0000 0000"), "drop"},

		{"-m srh --srh-next-hdr 6 --srh-hdr-len-eq 2 --srh-segs-left-lt 1 --srh-last-entry-eq 0", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "yes"},
		{"-m srh --srh-tag 0x201", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "yes"},
		{"-m srh --srh-tag 0x102", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "no"},
		{"-m srh ! --srh-hdr-len-gt 1", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "no"},
		{"-m srh --srh-hdr-len-gt 255", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "no"},
		{"-m srh ! --srh-hdr-len-lt 0", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "yes"},
		{"-m srh --srh-hdr-len-gt 1 --srh-hdr-len-lt 3", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "no"}, // they share one number
		{"-m srh --srh-lsid 2001:db8::/32", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "yes"},
		{"-m srh ! --srh-lsid 2001:db8::/32", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "no"},
		{"-m srh ! --srh-nsid 2001:db8::/32", 6, ip6(t, 43, "06 02 04 00 00 00 0102"+addr1+tcpPlain), "no"}, // there is no next one
		{"-m srh", 6, ip6(t, 43, "06 02 00 01 00000000"+addr1+tcpPlain), "no"},
		{"-p tcp", 6, ip6(t, 0, "06 09 0502 0000 0100"), "yes"},
		{"-p tcp", 6, ip6(t, 0, "2b 09 0502 0000 0100"), "drop"},
		{"! -p tcp", 6, ip6(t, 0, "2b 09 0502 0000 0100"), "drop"},
		{"-s ::1 -p tcp", 6, ip6(t, 0, "2b 09 0502 0000 0100"), "no"},
		{"-m mark --mark 0", 6, ip6(t, 0, "2b 09 0502 0000 0100"), "yes"},
		{"-m hbh", 6, ip6(t, 0, "06"), "drop"},
		{"-m hashlimit --hashlimit-upto 9/s --hashlimit-mode dstport --hashlimit-name a", 6, ip6(t, 59, "2755 27d3 5e73 20d0 d576 d9f7 7d9a d68f 2b"), "drop"}, // no protocol, no ports
		{"-m hashlimit --hashlimit-upto 9/s --hashlimit-mode srcip --hashlimit-name a", 6, ip6(t, 59, "2755 27d3"), "yes"},
	} {
		require.Equal(t, c.want, outcome(t, c.rule, c.family, c.packet, nil), "%s on %x", c.rule, c.packet)
	}
}

const (
	addr1 = "20010db800000000000000000000000a"
	addr2 = "20010db800000000000000000000000b"
)

func TestMatchesOnWhatTheSystemSaysNeedItSaid(t *testing.T) {
	env := func(e packet.Env) func(*packet.Packet) {
		return func(p *packet.Packet) { p.Env = &e }
	}
	data := ip4(t, 6, 0, tcpPlain)
	for _, c := range []struct {
		rule string
		env  packet.Env
		want string
	}{
		{"-m cpu --cpu 3", packet.Env{Has: packet.HasCPU, CPU: 3}, "yes"},
		{"-m cpu ! --cpu 3", packet.Env{Has: packet.HasCPU, CPU: 3}, "no"},
		{"-m devgroup --src-group 5/3", packet.Env{Has: packet.HasInGroup, InGroup: 0xd}, "yes"}, // only the mask's bits count
		{"-m devgroup --src-group 5/3", packet.Env{Has: packet.HasInGroup, InGroup: 2}, "no"},
		{"-m devgroup ! --dst-group 4", packet.Env{Has: packet.HasOutGroup, OutGroup: 5}, "yes"},
		{"-m realm --realm 5/3", packet.Env{Has: packet.HasRealm, Realm: 5}, "no"}, // bits outside the mask: never
		{"-m realm --realm 1/3", packet.Env{Has: packet.HasRealm, Realm: 5}, "yes"},
		{"-m realm --realm 1", packet.Env{}, "realm"},
		{"-m realm ! --realm 1", packet.Env{}, "realm"},
		{"-m cpu --cpu 1", packet.Env{}, "cpu"},
		{"-m cpu ! --cpu 1", packet.Env{}, "cpu"},
		{"-m devgroup --src-group 1", packet.Env{Has: packet.HasOutGroup, OutGroup: 1}, "devgroup"},
		{"-m devgroup ! --dst-group 1", packet.Env{Has: packet.HasInGroup, InGroup: 1}, "devgroup"},
		{"-m devgroup --src-group 1 --dst-group 1", packet.Env{Has: packet.HasOutGroup, OutGroup: 2}, "no"}, // whatever the other is
		{"-m cpu ! --cpu 1 -m mark --mark 1", packet.Env{}, "no"},
		// Without a connection or an Ethernet header there is nothing to ask.
		{"-m conntrack ! --ctstate NEW", packet.Env{}, "no"},
		{"-m connmark ! --mark 1", packet.Env{}, "no"},
		{"-m helper ! --helper ftp", packet.Env{}, "yes"}, // as the kernel has it
		{"-m connlabel ! --label 1", packet.Env{}, "yes"},
		{"-m mac ! --mac-source 02:00:00:00:00:01", packet.Env{}, "no"},
	} {
		require.Equal(t, c.want, outcome(t, c.rule, 4, data, env(c.env)), c.rule)
	}
	for name, reads := range map[string][]string{"cpu": {"cpu"}, "devgroup": {"ingroup", "outgroup"}, "realm": {"realm"}} {
		e := Describe().Find("match", name)
		require.Equal(t, []string{name}, e.Supply)
		require.Equal(t, reads, e.Reads)
	}
	require.Equal(t, []string{"addrtype"}, Describe().Find("match", "addrtype").Supply)
	looped := func(p *packet.Packet) { p.PktType, p.Has = packet.Loopback, p.Has|packet.HasPktType }
	multi := ip4(t, 17, 0, udpPlain)
	multi[16] = 224
	require.Equal(t, "yes", outcome(t, "-m pkttype --pkt-type multicast", 4, multi, looped))
	require.Equal(t, "yes", outcome(t, "-m pkttype --pkt-type broadcast", 4, data, looped))
	require.Equal(t, "yes", outcome(t, "-m pkttype --pkt-type multicast", 6, ip6(t, 6, tcpPlain), looped))
	mac := func(p *packet.Packet) { p.SMAC, p.Has = 0x001122334455, p.Has|packet.HasSMAC }
	require.Equal(t, "yes", outcome(t, "-m eui64", 6, ip6(t, 6, tcpPlain), mac))
	require.Equal(t, "no", outcome(t, "-m eui64", 6, ip6(t, 6, tcpPlain), nil))
}

func TestCornersAreAsTheToolsHaveThem(t *testing.T) {
	checkPrinted(t, "testdata/corners.txt")
}

// The tools print nothing for the full range of match ipcomp, but read nothing
// as the index 0.
func TestFullRangeOfIPCompIsPrintedAsNothing(t *testing.T) {
	rs, err := Read(strings.NewReader("*filter\n-A INPUT -p ipcomp -m ipcomp --ipcompspi :\nCOMMIT\n"), Options{Family: 4})
	require.NoError(t, err)
	text, _ := rs.Rule("filter", "INPUT", 1)
	require.Equal(t, "-p ipcomp -m ipcomp", text)
}

func TestARuleWithoutADCCPOptionCountsWhereItDrops(t *testing.T) {
	broken := ip4(t, 33, 0, "1f90 0050 09 00 0000 00 000001 00000000 05040000")
	rs, err := Read(strings.NewReader("*raw\n-A PREROUTING -p dccp -m dccp ! --dccp-option 6\n-A PREROUTING -j ACCEPT\nCOMMIT\n"), Options{Family: 4})
	require.NoError(t, err)
	table := rs.Tables[0]
	tr := xt.NewTraversal(table.Schema)
	require.NoError(t, tr.Packet.Decode(broken, packet.LinkRaw))
	chain := table.Find("PREROUTING")
	var executed []rules.Place
	r := table.Run(tr, chain, func(p rules.Place) { executed = append(executed, p) })
	require.Equal(t, rules.Result{Verdict: rules.Drop, By: rules.Place{Chain: chain}}, r)
	require.Equal(t, []rules.Place{{Chain: chain}}, executed)
}
