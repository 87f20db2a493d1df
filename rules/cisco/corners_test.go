package cisco

// Corners: zeros, words that may be left out, and what is beside what is asked for.

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestEntriesBecomeTheseConditions(t *testing.T) {
	for entry, want := range map[string]string{
		"permit ip any any dscp default":                "dscp=0x0",
		"permit ip any any dscp 0":                      "dscp=0x0",
		"permit ip any any precedence routine":          "dscp=0x0/0x38",
		"permit ip any any precedence 0 tos 0":          "dscp=0x0/0x38 dscp=0x0/0x7 ecn=0/0x2",
		"permit ip any any tos normal":                  "dscp=0x0/0x7 ecn=0/0x2",
		"permit ip any any tos 15":                      "dscp=0x7/0x7 ecn=2/0x2",
		"permit icmp any any echo-reply":                "proto=icmp icmptype=0",
		"permit icmp any any 0 0":                       "proto=icmp icmptype=0 icmpcode=0",
		"permit icmp any any net-unreachable":           "proto=icmp icmptype=3 icmpcode=0",
		"permit icmp any any 255 255":                   "proto=icmp icmptype=255 icmpcode=255",
		"permit icmp any any log":                       "proto=icmp",
		"permit 1 any any":                              "proto=icmp",
		"permit 255 any any":                            "proto=255",
		"permit pcp any any":                            "proto=ipcomp",
		"permit ip 0.0.0.1 128.0.0.0 any":               "src=0.0.0.1/127.255.255.255",
		"permit ip 10.0.0.7 0.0.0.0 any":                "src=10.0.0.7",
		"permit ip 10.0.0.7 0.0.0.1 any":                "src=10.0.0.6/31",
		"permit ip 1.2.3.4 127.255.255.255 any":         "src=0.0.0.0/1",
		"permit ip any 200.2.3.4 127.255.255.255":       "dst=128.0.0.0/1",
		"permit tcp any any eq 0 65535":                 "proto=tcp dport=0,65535",
		"permit tcp any any range 0 65535":              "proto=tcp dport=*",
		"permit tcp any any lt 1":                       "proto=tcp dport=0",
		"permit tcp any any gt 65534":                   "proto=tcp dport=65535",
		"permit tcp any any lt 0":                       "proto=tcp dport={}",
		"permit tcp any any gt 65535":                   "proto=tcp dport={}",
		"permit tcp any any eq 1 2 3 4 5 6 7 8 9 10":    "proto=tcp dport=1-10",
		"permit tcp any neq 22 any neq telnet 80":       "proto=tcp sport!=22 dport!=23,80",
		"permit udp any eq syslog any eq biff":          "proto=udp sport=514 dport=512",
		"permit ip any any ttl eq 0":                    "ttl=0",
		"permit ip any any ttl lt 255":                  "ttl=0-254",
		"permit ip any any ttl gt 254":                  "ttl=255",
		"permit ip any any ttl gt 255":                  "ttl={}",
		"permit tcp any any match-all +urg -psh":        "proto=tcp tcpflags=URG/PSH+URG",
		"permit tcp any any match-any -fin":             "proto=tcp tcpflags!=FIN/FIN",
		"permit tcp any any rst log-input":              "proto=tcp tcpflags!=none/RST",
		"permit tcp any any log COOKIE_1":               "proto=tcp",
		"permit tcp any any log fragments":              "proto=tcp frag=1",
		"permit tcp any any fragments dscp ef log":      "proto=tcp dscp=0x2e frag=1",
		"permit tcp any any established ttl eq 1 2 log": "proto=tcp ttl=1-2 tcpflags!=none/RST+ACK",
		"permit ip object-group ALL object-group HALF":  "dst=0.0.0.0/1",
		"permit object-group ONE any any":               "proto=tcp sport=20",
		"permit object-group TWO any any":               "proto=tcp,udp sport=1024-65535 dport=53",
		"permit object-group THREE any any":             "proto=icmp icmptype=3 icmpcode=0",
		"permit object-group FOUR any any log":          "proto=gre",
		"permit object-group FIVE any any":              "any",
		"deny object-group SIX any any":                 "proto=icmp icmptype=11 icmpcode=0",
	} {
		text := `object-group network ALL
any
object-group network HALF
0.0.0.0 128.0.0.0
description lower
object-group service ONE
tcp source eq ftp-data
object-group service TWO
tcp-udp source gt 1023 domain
object-group service THREE
icmp 3 0
object-group service FOUR
47
object-group service FIVE
 ip
object-group service SIX
icmp ttl-exceeded
exit
ip access-list extended A
` + entry
		lists, err := read(text)
		require.NoError(t, err, entry)
		require.Equal(t, want, rules.FormatRule(Schema, lists[0].Rules.At(0)), entry)
	}
}

func TestStandardEntriesBecomeTheseConditions(t *testing.T) {
	for entry, want := range map[string]string{
		"access-list 1 permit any":                                                                   "any",
		"access-list 1 permit any log":                                                               "any",
		"access-list 99 permit host 10.0.0.1":                                                        "src=10.0.0.1",
		"access-list 1300 permit 10.0.0.1 log WORD":                                                  "src=10.0.0.1",
		"access-list 1999 deny 10.0.0.0 0.0.0.255":                                                   "src=10.0.0.0/24",
		"Standard IP access list 7\n    10 permit 10.0.0.1":                                          "src=10.0.0.1",
		"Standard IP access list 7\n    10 permit 10.0.1.0, wildcard bits 0.0.255.0 log (2 matches)": "src=10.0.0.0/255.255.0.255",
	} {
		lists, err := read(entry)
		require.NoError(t, err, entry)
		require.Equal(t, want, rules.FormatRule(Schema, lists[0].Rules.At(0)), entry)
	}
	for entry, want := range map[string]string{
		"access-list 1 permit host":                                                                                           "1:26: 1: expected an address",
		"access-list 1 permit any log two words":                                                                              "1:30: 1: neither an option",
		"Extended IP access list A\n 10 permit ip any any log (tag : x)":                                                      `2:32: A: expected "(tag = WORD)": ":"`,
		"access-list 101 permit tcp any any match-all +foo":                                                                   "1:46: 101: expected +FLAG or -FLAG, with ack",
		"access-list 101 permit object-group":                                                                                 "1:36: 101: expected the name of an object group, but the line ends",
		"access-list 101 permit ip nowhere any":                                                                               "1:27: 101: expected any, host and an address",
		"access-list 101 permit ip any any dscp default tos 0":                                                                "1:1: dscp does not go with precedence and tos",
		"access-list 101 permit ip any any precedence 0 dscp 0":                                                               "1:1: dscp does not go with precedence and tos",
		"access-list 101 permit ip fe80::1 0.0.0.0 any":                                                                       "1:27: 101: expected any, host and an address",
		"object-group service A\n tcp source nowhere":                                                                         "2:13: object-group A: expected eq, lt, gt, range or a port",
		"object-group service A\n tcp source 1 nowhere":                                                                       "2:15: object-group A: expected eq, lt, gt, range or a port",
		"object-group service A\n group-object B\naccess-list 101 permit object-group A any any":                              `2:15: 101: no object group of the name is in the file: "B"`,
		"object-group network A\n group-object B\nobject-group service B\n tcp\naccess-list 101 permit ip object-group A any": `2:15: 101: an object group of the kind service, of line 3: expected one of the kind network: "B"`,
	} {
		_, err := read(entry)
		require.ErrorContains(t, err, want[strings.Index(want, ": ")+2:], entry)
		require.ErrorContains(t, err, "input:"+want[:strings.Index(want, ": ")+2], entry)
	}
}

func TestRemarksGoToTheEntryBehindThem(t *testing.T) {
	lists, err := read("access-list 101 remark\naccess-list 101 remark one \naccess-list 101 remark  two\naccess-list 101 permit tcp any any\naccess-list 101 deny udp any any\n")
	require.NoError(t, err)
	require.Equal(t, "permit tcp any any (one two)", lists[0].Rules.At(0).Comment)
	require.Equal(t, "deny udp any any", lists[0].Rules.At(1).Comment)
}

func TestEntriesHaveTheOrderOfTheirNumbers(t *testing.T) {
	for text, want := range map[string][]int{
		"permit tcp any any\n permit udp any any\n 15 permit gre any any":               {2, 4, 3, 0},
		"15 permit tcp any any\n permit udp any any\n 24 permit gre any any":            {2, 4, 3, 0},
		"5 permit tcp any any\n 4 permit udp any any\n 3 permit gre any any":            {4, 3, 2, 0},
		"2147483637 permit tcp any any\n permit udp any any":                            {2, 3, 0},
		"10 remark x\n 10 permit tcp any any\n 20 remark y\n 20 permit udp any any":     {3, 5, 0},
		"2147483647 permit tcp any any\n 1 permit udp any any\n 2 permit esp any any\n": {3, 4, 2, 0},
	} {
		lists, err := read("ip access-list extended A\n " + text)
		require.NoError(t, err, text)
		require.Equal(t, want, lists[0].Lines, text)
	}
	_, err := read("ip access-list extended A\n 2147483638 permit tcp any any\n permit udp any any")
	require.ErrorContains(t, err, "no sequence number is left behind 2147483638")
	_, err = read("ip access-list extended A\n permit tcp any any\n 10 permit udp any any")
	require.ErrorContains(t, err, "line 2 has the sequence number 10, too")
}

func TestAGroupInErrorMattersToListsThatNameIt(t *testing.T) {
	const text = "object-group network BAD\n host x\nobject-group network OUTER\n group-object BAD\nobject-group service WORSE\n tcp 99999\n" +
		"access-list 101 permit ip object-group BAD any\naccess-list 102 permit ip any object-group OUTER\naccess-list 103 permit object-group WORSE any any\naccess-list 104 permit ip any any\n"
	for list, want := range map[string]string{
		"101": "input:2:7: object-group BAD: not modelled: the name of a host, whose address is not in the file: \"x\"",
		"102": "input:2:7: object-group BAD: not modelled: the name of a host, whose address is not in the file: \"x\"",
		"103": "input:6:6: object-group WORSE: expected eq, lt, gt, range or a port: a number from 0 to 65535, or a name that IOS has for tcp: \"99999\"",
	} {
		lists, err := Read(strings.NewReader(text), Options{List: list})
		require.EqualError(t, err, want)
		require.Len(t, lists, 4)
	}
	lists, err := Read(strings.NewReader(text), Options{List: "104"})
	require.NoError(t, err)
	require.Equal(t, 1, lists[3].Rules.Len())
	_, err = read(text)
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "each one once: %v", err)
}

func TestGroupsNestBesideOneAnother(t *testing.T) {
	var b strings.Builder
	b.WriteString("object-group network A\n")
	for i := range 20 {
		b.WriteString(" group-object N" + string(rune('a'+i)) + "\n")
	}
	for i := range 20 {
		b.WriteString("object-group network N" + string(rune('a'+i)) + "\n host 10.0.0." + string(rune('1'+i%9)) + "\n")
	}
	b.WriteString("access-list 101 permit ip object-group A any\n")
	lists, err := Read(strings.NewReader(b.String()), Options{Limits: rules.Limits{MaxDepth: 2}})
	require.NoError(t, err, "side by side is not deep")
	require.Equal(t, "src=10.0.0.1-10.0.0.9", rules.FormatRule(Schema, lists[0].Rules.At(0)))

	services := "object-group service A\n tcp 1\n group-object B\nobject-group service B\n tcp 2\n tcp 3\naccess-list 101 permit object-group A any any\n"
	lists, err = Read(strings.NewReader(services), Options{Limits: rules.Limits{MaxElements: 3}})
	require.NoError(t, err)
	require.Equal(t, 5, lists[0].Rules.Len())
	_, err = Read(strings.NewReader(services), Options{Limits: rules.Limits{MaxElements: 2}})
	require.ErrorContains(t, err, "object group A has more than 2 members, with those of groups in it")
}

func TestSectionsEndWhereTheyEnd(t *testing.T) {
	good := "access-list 120 permit tcp any any\n"
	for text, want := range map[string]string{ // what is wrong, "" nothing
		"ipv6 access-list SIX\n permit tcp any any\n permit udp any any\n sequence 30 deny ipv6 any any\n": "1:18: SIX: not modelled: access lists of the kind ipv6",
		"ipv6 access-list SIX\npermit tcp any any\npermit udp any any\n10 permit gre any any\n":            "1:18: SIX: not modelled: access lists of the kind ipv6",
		"mac access-list extended M\n permit any any\n deny any any\n":                                     "1:26: M: not modelled: access lists of the kind mac",
		"mac access-list standard M\n permit any\n":                                                        "1:26: M: not modelled: access lists of the kind mac",
		"arp access-list A\n permit ip any mac any\n":                                                      "1:17: A: not modelled: access lists of the kind arp",
		"mac access-list\n":                                                 "1:16: not modelled: access lists of the kind mac, but the line ends",
		"ipv6 access list\n":                                                "1:17: not modelled: access lists of the kind ipv6, but the line ends",
		"ipv6 access lists SIX\n":                                           "1:6: an abbreviated command",
		"ip access-list hardware permit fragments\n":                        "1:16: not modelled: what hardware does",
		"ip access-list fqdn F\n permit ip any any\n":                       "1:21: F: not modelled: fqdn access lists",
		"access-list compiled now\n":                                        "1:22: text behind the end",
		"access-list 2799 permit 1\n":                                       "1:13: 2799: not modelled: access lists of MPLS",
		"access-list 299 permit 0x0 0xFFFF\n":                               "1:13: 299: not modelled: access lists by protocol type code",
		"ip access-list extended A\nexit\n permit ip any any\n":             "3:2: an entry of a list, but no access list begins before it",
		"ip access-list extended A\n exit\n permit ip any any\n":            "3:2: an entry of a list, but no access list begins before it",
		"ip access-list extended A\nend\npermit ip any any\n":               "3:1: an entry of a list, but no access list begins before it",
		"object-group network G\n host 10.0.0.1\n exit\n host nowhere\n":    "",
		"object-group network G\n host 10.0.0.1\n end\npermit ip any any\n": "4:1: an entry of a list, but no access list begins before it",
		"object-group network G\nhost 10.0.0.1\nany\nrange 10.0.0.1 10.0.0.2\ngroup-object G\n10.0.0.0 /8\ninterface X\n host nowhere\n": "",
		"object-group network G\n host gr\xfcn\n":                                      "2:9: object-group G: byte 0xfc is not UTF-8",
		"access-list 101 remark gr\xfcn\n":                                             "1:26: 101: byte 0xfc is not UTF-8",
		"ip prefix-list P\n permit 10.0.0.0/8\nip as-path access-list 1\n permit .*\n": "",
		"ip community-list C\n permit 1\nip extcommunity-list C\n 10 permit rt 1:1\nipv6 prefix-list P\n deny ::/0\ncts x\n permit\nparser view V\n permit\npolicy-map P\n deny\n": "",
		"policy-mapper X\n permit ip any any\n":                                                                     "2:2: an entry of a list, but no access list begins before it",
		"ip prefix-list P\npermit 10.0.0.0/8\n":                                                                     "2:1: an entry of a list, but no access list begins before it",
		"banner # access-list 1 #\nbanner exec\nbanner\n":                                                           "",
		"banner motd #\naccess-list here\npermit all #\n":                                                           "",
		"banner motd # open\naccess-list here\n":                                                                    `1:13: the banner does not end: no line has "#" again: "# open"`,
		"no ip http server\nno ip access-list persistent\nno ip access-list logging interval\ndefault ip routing\n": "",
		"line vty 0 4\n access-class 23 in\n no exec\nip access-group 101 in\n":                                     "",
		"   \n\t\n!\n !permit\n":                                                                                    "",
	} {
		for _, whole := range []string{text, good + text, text + good} {
			lists, err := read(whole)
			if want == "" {
				require.NoError(t, err, whole)
				require.LessOrEqual(t, len(lists), 1)
				continue
			}
			place, rest, _ := strings.Cut(want, ": ")
			require.ErrorContains(t, err, ": "+rest, whole)
			if !strings.HasPrefix(whole, good) {
				require.ErrorContains(t, err, "input:"+place+": ", whole)
			}
			if strings.HasPrefix(rest, "the banner") {
				continue
			}
			require.NotContains(t, err.Error(), "\n", "only that: %s", whole)
		}
	}
}
