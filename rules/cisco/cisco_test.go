package cisco

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func read(text string) ([]List, error) { return Read(strings.NewReader(text), Options{}) }

func TestConfigurationsAreToldFromOtherTexts(t *testing.T) {
	for text, want := range map[string]bool{
		"Building configuration...\n\nCurrent configuration : 12 bytes\n!\n": true,
		"!\r\n! Last configuration change\r\nversion 15.7\r\n":               true,
		"!\nhostname r1\n":                                     true,
		"ip access-list extended A\n":                          true,
		"access-list 101 permit ip any any\n":                  true,
		"r1#show ip access-lists\nExtended IP access list A\n": true,
		"object-group network A\n":                             true,
		"":                                                     false,
		"hipac 1\nschema ipv4\n":                               false,
		"# comment\n@10.0.0.0/8 0.0.0.0/0\n":                   false,
		"*filter\n:INPUT ACCEPT [0:0]\n":                       false,
		"{\"SecurityGroups\": []}":                             false,
		"! a remark\nversion\n":                                false,
		"version 1\n":                                          false,
		"access-list OUT extended permit ip any any\n":         false,
	} {
		require.Equal(t, want, IsText([]byte(text)), text)
	}
}

func TestLinesAreTakenInWhateverFormTheyCome(t *testing.T) {
	for _, text := range []string{
		"ip access-list extended A\n permit tcp any any eq www\n",
		"ip access-list extended A\npermit tcp any any eq www\nexit\n",
		"ip access-list extended A\r\n\t10\tPERMIT  TCP any  ANY eq WWW   \r\n exit\r\n",
		" ip access-list extended A\n   permit tcp any any eq 80\n",
		"ip access-list extended A\n!\n permit tcp any any eq www\n!\nend\n",
		"ip access-list extended A\nip access-list standard B\n permit any\nip access-list extended A\n permit tcp any any eq www\n",
		"Extended IP access list A (Compiled)\n    10 permit tcp any any eq www (1 match)\n",
		"banner login #access-list 1 permit#\nbanner motd Xaccess-list\naccess-list\nX\nip access-list extended A\n permit tcp any any eq www\n",
		"no ip access-list logging interval 10\nip access-list logging interval 10\naccess-list compiled\nip access-list extended A\n permit tcp any any eq www\n",
		"route-map X permit 10\n match ip address A\nip as-path access-list 1 permit .*\nip community-list expanded C\n permit 1:1\n" +
			"ip access-list extended A\n permit tcp any any eq www\n",
		"interface X\n description gr\xfc\xdfe\nip access-list extended A\n permit tcp any any eq www\n",
		"access-list 120 permit tcp any any eq 80 log WORD-1\n",
	} {
		lists, err := read(text)
		require.NoError(t, err, text)
		l := lists[0].Rules
		require.Equal(t, 3, l.Len(), text)
		require.Equal(t, "proto=tcp dport=80", rules.FormatRule(Schema, l.At(0)), text)
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for text, want := range map[string]string{
		"access-list":                                                                "1:12: expected the number of an access list, 1 to 2799; lists with names begin with `ip access-list` (those of an ASA are another format), but the line ends",
		"access-list 2800 permit ip any any":                                         `1:13: expected the number of an access list`,
		"access-list 1 permit any\nip access-list extended 1":                        `2:25: the number is not one of extended lists: "1"`,
		"ip access-list extended A\nip access-list standard A":                       `2:25: list A begins at line 1 as one that is extended: "A"`,
		"ip access-list extended":                                                    `1:24: expected the name of the list, but the line ends`,
		"ip access-list extended A B":                                                `1:27: A: text behind the end: "B"`,
		"ip access-list A":                                                           `1:16: expected standard or extended: "A"`,
		"access-l 101 permit ip any any":                                             `1:1: an abbreviated command`,
		"no access-list 101":                                                         `1:4: not modelled: a command that takes away`,
		"no acce 101":                                                                `1:4: not modelled: a command that takes away`,
		"default ip access-list extended A":                                          `1:12: not modelled: a command that takes away`,
		"no object-group network A":                                                  `1:4: not modelled: a command that takes away`,
		"access-list rate-limit 1 2":                                                 `1:13: not modelled: access lists of the kind rate-limit`,
		"access-list 1100 permit 0 1":                                                `1:13: 1100: not modelled: access lists of MAC addresses: "1100"`,
		"mac access-list extended M":                                                 `1:26: M: not modelled: access lists of the kind mac: "M"`,
		"IPv6 access list SIX\n permit ipv6 any any (3 matches)":                     `1:18: SIX: not modelled: access lists of the kind ipv6: "SIX"`,
		"Extended MAC access list M":                                                 `1:26: M: not modelled: extended mac access lists: "M"`,
		"Reflexive IP access list M":                                                 `1:26: M: not modelled: reflexive ip access lists: "M"`,
		"Extended IP access lists M":                                                 `1:20: expected "access list": "lists"`,
		"Extended IP access list":                                                    `1:24: expected the name of the list, but the line ends`,
		"Extended IP access list A B":                                                `1:27: A: text behind the name of the list: "B"`,
		"Extended IP access list A\n 10 permit ip any any (12 hits)":                 `2:27: A: expected "matches)": "hits)"`,
		"Extended IP access list A\n 10 permit ip any any (active)":                  `2:23: A: not modelled: expected the number of matches`,
		"Extended IP access list A\n 10 permit ip any any (1 match) x":               `2:33: A: text behind the end: "x"`,
		"Standard IP access list A\n 10 permit 1.2.3.4, wildcard 0.0.0.1":            `2:30: A: expected "wildcard bits"`,
		"Standard IP access list A\n 10 permit 1.2.3.4, wildcard bits x":             `2:35: A: expected the wildcard bits: "x"`,
		"access-list 1 permit 1.2.3.4, wildcard bits 0.0.0.1":                        `1:22: 1: expected an address, any, or host and an address`,
		"access-list 1 permit tcp any any":                                           `1:22: 1: expected an address, any, or host and an address: "tcp"`,
		"access-list 101 permit":                                                     `1:23: 101: expected a protocol`,
		"access-list 101 permit 256 any any":                                         `1:24: 101: expected the number of a protocol, 0 to 255: "256"`,
		"access-list 101 permit tcp any any portgroup P":                             `1:36: 101: not modelled: ports given by portgroup: "portgroup"`,
		"access-list 101 permit ip any any eq 80":                                    `1:35: 101: ports are for tcp and udp, by these names: "eq"`,
		"access-list 101 permit 6 any any eq 80":                                     `1:34: 101: ports are for tcp and udp, by these names: "eq"`,
		"access-list 101 permit tcp any any dscp ef eq 80":                           `1:44: 101: ports stand behind the address that they belong to: "eq"`,
		"access-list 101 permit udp any any eq www":                                  `1:39: 101: expected a port: a number from 0 to 65535, or a name that IOS has for udp: "www"`,
		"access-list 101 permit tcp any any established syn":                         `1:48: 101: not modelled: several flags`,
		"access-list 101 permit tcp any any syn established":                         `1:40: 101: flags are asked for already: "established"`,
		"access-list 101 permit tcp any any log established extra":                   `1:52: 101: not an option that is known here: "extra"`,
		"access-list 101 permit tcp any any log two words":                           `1:40: 101: neither an option that is known here nor, as the last word, one for the log: "two"`,
		"access-list 101 permit ip any any ttl 5":                                    `1:39: 101: expected eq, neq, lt, gt or range: "5"`,
		"access-list 101 permit icmp any any log echo":                               `1:41: 101: neither an option nor, in front of all others, an ICMP message`,
		"access-list 101 permit icmp any any 300":                                    `1:37: 101: expected an ICMP type, 0 to 255: "300"`,
		"access-list 101 permit ip object-group any any":                             `1:40: 101: no object group of the name is in the file: "any"`,
		"ip access-list extended A\n 0 permit ip any any":                            `2:2: A: expected a sequence number, 1 to 2147483647: "0"`,
		"ip access-list extended A\n 2147483648 permit ip any any":                   `2:2: A: expected a sequence number`,
		"ip access-list extended A\n 2147483645 permit ip any any\n deny ip any any": `3:1: A: no sequence number is left behind 2147483645: "deny ip any any"`,
		"ip access-list extended A\n no permit ip any any":                           `2:2: A: not modelled: a command that takes away`,
		"ip access-list extended A\n permit ip \xff any":                             `2:12: A: byte 0xff is not UTF-8`,
		"ip access-list role-based R\n permit ip":                                    `1:27: R: not modelled: role-based access lists: "R"`,
		"object-group":                                          `1:13: expected network or service, but the line ends`,
		"object-group network":                                  `1:21: expected the name of the object group, but the line ends`,
		"object-group service A tcp":                            `1:24: object-group A: text behind the name (groups of an ASA are another format): "tcp"`,
		"object-group service A\nobject-group network A":        `2:22: object group A begins at line 1 as one of the kind service: "A"`,
		"object-group network A\n host":                         `2:6: object-group A: expected an address, but the line ends`,
		"object-group network A\n range 10.0.0.2 10.0.0.1":      `2:17: object-group A: the range ends below its beginning: "10.0.0.1"`,
		"object-group network A\n range 10.0.0.2":               `2:16: object-group A: expected two addresses behind range, but the line ends`,
		"object-group network A\n 10.0.0.0 /33":                 `2:11: object-group A: expected the length of a prefix, /0 to /32: "/33"`,
		"object-group network A\n network-object host 10.0.0.0": `2:2: object-group A: expected host, range, any, group-object, or an address`,
		"object-group network A\n no host 10.0.0.0":             `2:2: object-group A: not modelled: a command that takes away`,
		"object-group network A\n group-object":                 `2:14: object-group A: expected the name of an object group, but the line ends`,
		"object-group service A\n service-object tcp":           `2:2: object-group A: expected a protocol`,
		"object-group service A\n 0":                            `2:2: object-group A: expected the number of a protocol, 1 to 255: "0"`,
		"object-group service A\n gre 80":                       `2:6: object-group A: ports are for tcp, udp and tcp-udp, by these names: "80"`,
		"object-group service A\n tcp neq 80":                   `2:6: object-group A: expected eq, lt, gt, range or a port: "neq"`,
		"object-group service A\n tcp-udp eq www":               `2:13: object-group A: expected a port: a number from 0 to 65535, or a name that IOS has for both tcp and udp: "www"`,
		"object-group service A\n tcp eq 80 443":                `2:12: object-group A: text behind the end: "443"`,
		"object-group service A\n icmp ping":                    `2:7: object-group A: expected an ICMP message that IOS has a name for, or a type from 0 to 255: "ping"`,
		"object-group service A\n icmp 3 256":                   `2:9: object-group A: expected an ICMP code, 0 to 255: "256"`,
		"object-group service A\n tcp 80\naccess-list 101 permit object-group A any any fragments": `3:1: 101: fragments other than the first have no ports and messages, and object group A asks for some`,
		"object-group network A\naccess-list 101 permit ip object-group A any":                     `2:40: 101: the object group of line 1 has no members`,
		"object-group ip port P\n eq 80\naccess-list 101 permit ip object-group P any":             `3:40: 101: not modelled: object groups of the kind ip port`,
		" permit ip any any":                                `1:2: an entry of a list, but no access list begins before it: "permit"`,
		"interface X\n 10 permit ip any any":                `2:2: an entry of a list, but no access list begins before it: "10"`,
		"banner motd ^C\nhello":                             `1:13: the banner does not end: no line has "^C" again: "^C"`,
		"ip access-list extended A\n permit ip any any\x00": `2:19: NUL byte`,
	} {
		_, err := read(text)
		require.ErrorContains(t, err, "input:"+want, text)
		var typed *rules.ParseError
		require.ErrorAs(t, err, &typed)
		require.Equal(t, strings.Contains(want, "not modelled: "), errors.Is(err, rules.ErrUnsupported), text)
	}
}

func TestLimitsEndTheReading(t *testing.T) {
	nested := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "object-group network G%d\n host 10.0.%d.%d\n", i, i>>7, i&127<<1)
			if i > 0 {
				fmt.Fprintf(&b, " group-object G%d\n", i-1)
			}
		}
		fmt.Fprintf(&b, "access-list 101 permit ip object-group G%d any\n", n-1)
		return b.String()
	}
	_, err := Read(strings.NewReader(nested(100)), Options{Limits: rules.Limits{MaxDepth: 100, MaxElements: 100, MaxChains: 100}})
	require.NoError(t, err)
	for _, tt := range []struct {
		text   string
		limits rules.Limits
		want   string
	}{
		{strings.Repeat("access-list 101 permit ip any any\n", 5), rules.Limits{MaxRules: 4}, "input:5: more than 4 entries"},
		{strings.Repeat("access-list 101 permit tcp any any\n", 4), rules.Limits{MaxRules: 4}, "101: rule 5: limit exceeded: at most 4 rules"},
		{"access-list 101 permit tcp any any eq 1\n", rules.Limits{MaxRules: 1}, "input:1: 101: rule 2: limit exceeded"},
		{"access-list 101 permit ip any any\naccess-list 102 permit ip any any\n", rules.Limits{MaxChains: 1}, "input:2: more than 1 lists"},
		{"object-group network A\nobject-group network B\n", rules.Limits{MaxChains: 1}, "input:2: more than 1 object groups"},
		{"object-group network A\n any\n any\n", rules.Limits{MaxElements: 1}, "input:3: more than 1 members in a group"},
		{nested(100), rules.Limits{MaxElements: 99}, "object group G99 has more than 99 members"},
		{nested(100), rules.Limits{MaxDepth: 99}, "object groups nest deeper than 99"},
		{nested(1000), rules.Limits{MaxMemory: 1_000_000}, "object groups take more than 1000000 bytes of memory"},
		{nested(100), rules.Limits{MaxMemory: 5000}, "the lists take more than 5000 bytes of memory"},
		{"access-list 101 permit ip any any\n", rules.Limits{MaxLine: 20}, "input:1:21: line is longer than 20 bytes"},
		{strings.Repeat("access-list 101 remark 12345\n", 20), rules.Limits{MaxLine: 40}, "remarks of one entry that are longer than 40 bytes"},
		{strings.Repeat("!\n", 20), rules.Limits{MaxInput: 30}, "input is longer than 30 bytes"},
	} {
		lists, err := Read(strings.NewReader(tt.text), Options{Limits: tt.limits})
		require.ErrorContains(t, err, tt.want)
		require.ErrorIs(t, err, rules.ErrLimit)
		require.Nil(t, lists)
	}
}

func TestManyErrorsAreCounted(t *testing.T) {
	_, err := read(strings.Repeat("access-list 101 permit\n", maxFaults+500) + "access-list 102 permit\n")
	require.ErrorContains(t, err, "input:1:23: 101: expected a protocol")
	require.ErrorContains(t, err, fmt.Sprintf("input:%d:23: 102: ", maxFaults+501))
	require.ErrorContains(t, err, "input: and 500 more errors")
	require.Equal(t, maxFaults+1, strings.Count(err.Error(), "\n"))
}

func TestGroupsThatHoldOneAnotherAreRefused(t *testing.T) {
	_, err := read("object-group network A\n group-object B\nobject-group network B\n group-object A\naccess-list 101 permit ip object-group A any\n")
	require.EqualError(t, err, `input:4:15: 101: the object group holds itself: "A"`)
	lists, err := read("object-group network A\n group-object B\n group-object B\nobject-group network B\n host 10.0.0.1\naccess-list 101 permit ip object-group A object-group B\n")
	require.NoError(t, err)
	require.Equal(t, "src=10.0.0.1 dst=10.0.0.1", rules.FormatRule(Schema, lists[0].Rules.At(0)))
}

func TestRulesForFragmentsThatEarlierOnesTakeAreLeftOut(t *testing.T) {
	for entries, want := range map[string]int{ // rules, with the implicit deny
		"permit tcp any any eq 80":                                                      3,
		"permit tcp any any eq 80\npermit tcp any any eq 443":                           4,
		"permit tcp any any eq 80\npermit tcp any host 10.0.0.1 eq 443":                 4,
		"permit tcp any any established\npermit tcp host 10.0.0.2 host 10.0.0.1 eq 443": 4,
		"permit tcp any host 10.0.0.1 eq 443\npermit tcp any any eq 80":                 5,
		"deny ip any any fragments\npermit tcp any any eq 80":                           3,
		"deny ip any host 10.0.0.1\npermit tcp any host 10.0.0.1 eq 80":                 3,
		"deny ip any host 10.0.0.2\npermit tcp any host 10.0.0.1 eq 80":                 4,
		"deny tcp any any fragments\npermit tcp any any eq 80":                          3,
		"deny udp any any fragments\npermit tcp any any eq 80":                          4,
		"deny tcp any any eq 80\npermit tcp any any eq 80":                              4,
		"deny ip any any dscp ef fragments\npermit tcp any any eq 80":                   4,
		"deny ip any any dscp ef fragments\npermit tcp any any eq 80 dscp ef":           3,
		"permit ip any any":                           1,
		"permit ip any any\npermit tcp any any eq 80": 2,
	} {
		lists, err := read("ip access-list extended A\n" + entries)
		require.NoError(t, err)
		require.Equal(t, want, lists[0].Rules.Len(), entries)
	}
}

func TestNamesStandForTheirNumbers(t *testing.T) {
	// Names that IOS has for one number with tcp and for another, or none, with udp.
	for name, want := range map[string][2]int{
		"biff": {-1, 512}, "exec": {512, -1}, "login": {513, -1}, "who": {-1, 513}, "cmd": {514, -1}, "syslog": {514, 514},
		"domain": {53, 53}, "www": {80, -1}, "snmp": {-1, 161}, "rip": {-1, 520}, "lpd": {515, -1}, "tftp": {-1, 69},
	} {
		for i, ports := range []map[string]uint16{tcpPorts, udpPorts} {
			n, ok := ports[name]
			require.Equal(t, want[i] >= 0, ok, name)
			if ok {
				require.EqualValues(t, want[i], n, name)
			}
		}
	}
	require.Len(t, icmpMessages, 44)
	require.Len(t, dscps, 21)
}
