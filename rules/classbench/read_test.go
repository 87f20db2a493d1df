package classbench

import (
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func texts(l *rules.List[Flags]) (out []string) {
	for _, r := range l.All() {
		out = append(out, rules.FormatRule(l.Schema(), r))
	}
	return out
}

const sample = "# a comment\n" +
	"@10.1.2.3/8\t192.0.2.7/32\t0 : 65535\t80 : 80\t0x06/0xFF\t0x1000/0x1000\t\n" +
	"\n" +
	"@0.0.0.0/0 0.0.0.0/0 1024:65535  0 :65535 0x00/0x00 0x0000/0x0000  \r\n" +
	"  @203.0.113.9/31\t0.0.0.0/0\t53 : 53\t0 : 1023\t17/255\t0xffff/0x0200\n" +
	"@0.0.0.0/0\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0xF6/0x0f"

func TestRulesAreReadInTheOrderOfTheFile(t *testing.T) {
	l, err := Read(iotest.OneByteReader(strings.NewReader(sample)), Options{})
	require.NoError(t, err)
	require.Same(t, rules.IPv4Tuple, l.Schema())
	require.Equal(t, []string{
		"src=10.0.0.0/8 dst=192.0.2.7 dport=80 proto=tcp",
		"sport=1024-65535",
		"src=203.0.113.8/31 sport=53 dport=0-1023 proto=udp",
		"proto=tcp/0xf",
	}, texts(l))
	var values []Flags
	for _, r := range l.All() {
		values = append(values, r.Value)
	}
	require.Equal(t, []Flags{{0x1000, 0x1000}, {}, {0xffff, 0x0200}, {}}, values)
	require.True(t, l.SequentialIDs())
}

func TestFlagsAreMatchedOnlyWithSixFields(t *testing.T) {
	text := strings.Join(strings.SplitAfter(sample, "\n")[:5], "")
	l, err := Read(strings.NewReader(text), Options{Fields: 6})
	require.NoError(t, err)
	require.Same(t, Schema6, l.Schema())
	require.Equal(t, []string{
		"src=10.0.0.0/8 dst=192.0.2.7 dport=80 proto=tcp flags=0x1000/0x1000",
		"sport=1024-65535",
		"src=203.0.113.8/31 sport=53 dport=0-1023 proto=udp flags=0x200/0x200",
	}, texts(l))
	require.Equal(t, Flags{0xffff, 0x0200}, l.At(2).Value, "the value keeps the bits outside the mask")

	k := Schema6.NewKey()
	Schema6.Set(k, proto, rules.U64(17))
	Schema6.Set(k, src, rules.U64(0xcb007109))
	Schema6.Set(k, sport, rules.U64(53))
	Schema6.Set(k, flags, rules.U64(0x0300))
	i, ok := l.First(k)
	require.True(t, ok)
	require.Equal(t, 2, i)
	Schema6.Set(k, flags, rules.U64(0x0100))
	_, ok = l.First(k)
	require.False(t, ok)
}

func TestColumnsThatAskForNothingMatchPacketsWithoutPorts(t *testing.T) {
	l, err := Read(strings.NewReader("@10.0.0.0/8\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\n"), Options{})
	require.NoError(t, err)
	k := rules.Tuple4{Src: 10 << 24, Proto: 1, NoPorts: true}.Key()
	_, ok := l.First(k[:])
	require.True(t, ok)

	l, err = Read(strings.NewReader("@10.0.0.0/8\t0.0.0.0/0\t0 : 65534\t0 : 65535\t0x00/0x00\n"), Options{})
	require.NoError(t, err)
	_, ok = l.First(k[:])
	require.False(t, ok)
}

func TestIPv6RulesGiveAnIPv6List(t *testing.T) {
	text := "@2001:db8::/32\t::/0\t0 : 65535\t443 : 443\t0x06/0xff\t0x0200/0x0200\n@::ffff:192.0.2.1/128 fe80::1/64 0:65535 0:65535 0/0 0/0\n"
	l, err := Read(strings.NewReader(text), Options{})
	require.NoError(t, err)
	require.Same(t, rules.IPv6Tuple, l.Schema())
	require.Equal(t, []string{"src=2001:db8::/32 dport=443 proto=tcp", "src=::ffff:192.0.2.1 dst=fe80::/64"}, texts(l))
	l, err = Read(strings.NewReader(text), Options{Fields: 6})
	require.NoError(t, err)
	require.Same(t, Schema6IPv6, l.Schema())
}

func TestFileWithoutRulesIsAnEmptyList(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing\n", "   \t\n"} {
		l, err := Read(strings.NewReader(text), Options{})
		require.NoError(t, err)
		require.Zero(t, l.Len())
		require.Same(t, rules.IPv4Tuple, l.Schema())
	}
}

func TestBadRuleIsRefusedWithItsPlace(t *testing.T) {
	const tail = " 0:65535 0:65535 6/255 0/0"
	for text, want := range map[string]string{
		"10.0.0.0/8":                      `f:1:1: expected a rule, which begins with '@': "10.0.0.0/8"`,
		"@":                               `f:1:2: expected the source address, but the line ends`,
		"@10.0.0/8 1.2.3.4/32" + tail:     `f:1:2: expected the source address, such as 10.0.0.0: "10.0.0/8"`,
		"@10.0.0.0.0/8 1.2.3.4/32" + tail: `f:1:10: expected '/' behind the source address: ".0/8"`,
		"@10.0.0.256/8 1.2.3.4/32" + tail: `f:1:9: source address has a part above 255: "256/8"`,
		"@10.0.0.99999999999/8 1.2.3.4/32" + tail:               `f:1:9: source address is above 4294967295: "99999999999/8"`,
		"@10.0.0.010/8 1.2.3.4/32" + tail:                       `f:1:2: source address has a part with a leading zero, which some read as octal: "10.0.0.010/8"`,
		"@10..0.0/8 1.2.3.4/32" + tail:                          `f:1:5: expected the source address: ".0.0/8"`,
		"@10.0.0.0 1.2.3.4/32" + tail:                           `f:1:10: expected '/' behind the source address`,
		"@10.0.0.0/33 1.2.3.4/32" + tail:                        `f:1:11: prefix length is above 32: "33"`,
		"@10.0.0.0/ 1.2.3.4/32" + tail:                          `f:1:11: expected the prefix length`,
		"@10.0.0.0/-1 1.2.3.4/32" + tail:                        `f:1:11: expected the prefix length: "-1"`,
		"@10.0.0.0/8x 1.2.3.4/32" + tail:                        `f:1:12: expected a blank before the destination address: "x"`,
		"@10.0.0.0/8 1.2.3.4/32" + strings.ToUpper(tail) + " !": `f:1:50: text behind the last column: "!"`,
		"@10.0.0.0/8 1.2.3.4/32 0:65536 0:0 6/255":              `f:1:26: source port is above 65535: "65536"`,
		"@10.0.0.0/8 1.2.3.4/32 9:8 0:0 6/255":                  `f:1:24: source port range ends at 8, below its beginning: "9:8"`,
		"@10.0.0.0/8 1.2.3.4/32 9 8 : 9 6/255":                  `f:1:26: expected ':' behind the source port: "8"`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 0x100/255":              `f:1:32: protocol is above 0xff: "0x100/255"`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 0x/255":                 `f:1:32: expected hexadecimal digits in the protocol: "0x/255"`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 6/256":                  `f:1:34: protocol mask is above 255: "256"`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 tcp":                    `f:1:32: expected the protocol: "tcp"`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1":                        `f:1:31: expected a blank before the protocol, but the line ends`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 6/255 0x10000/0":        `f:1:38: flags is above 0xffff: "0x10000/0"`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 6/255 1":                `f:1:39: expected '/' behind the flags, but the line ends`,
		"@10.0.0.0/8 1.2.3.4/32 0:1 0:1 6/255x":                 `f:1:37: expected a blank before the flags: "x"`,
		"@10.0.0.0/8 ::1/128" + tail:                            `f:1:13: IPv4 and IPv6 addresses in one rule: "::1/128"`,
		"@fe80::1%eth0/64 ::1/128" + tail:                       `f:1:2: expected the source address as an IPv6 address: "fe80::1%eth0/64"`,
		"@fe80::/129 ::1/128" + tail:                            `f:1:9: prefix length is above 128: "129"`,
		"@1:2/3 ::1/128" + tail:                                 `f:1:2: expected the source address as an IPv6 address: "1:2/3"`,
		"@1.2.3.4/8 1.2.3.4/8" + tail + "\n @::/0 ::/0" + tail:  `f:2:2: IPv4 and IPv6 rules in one file: "@::/0"`,
		"@1.2.3.4/8\x00":                                        `f:1:11: NUL byte: this is not a text file`,
		"iptables -A INPUT":                                     `f:1:1: expected a rule, which begins with '@': "iptables"`,
	} {
		l, err := Read(strings.NewReader(text), Options{File: "f"})
		require.EqualError(t, err, want, "%q", text)
		require.Nil(t, l)
		var p *rules.ParseError
		require.ErrorAs(t, err, &p)
	}
	_, err := Read(strings.NewReader("@1.2.3.4/8 1.2.3.4/8 0:1 0:1 6/255"), Options{File: "f", Fields: 6})
	require.EqualError(t, err, "f:1:35: expected the flags, but the line ends")
	_, err = Read(strings.NewReader(""), Options{File: "f", Fields: 7})
	require.EqualError(t, err, "f: cannot match on 7 fields, only on 5 or 6")
}

func TestReadKeepsToItsLimits(t *testing.T) {
	rule := "@1.2.3.4/8 1.2.3.4/8 0:1 0:1 6/255\n"
	_, err := Read(strings.NewReader(strings.Repeat(rule, 3)), Options{Limits: rules.Limits{MaxRules: 3}})
	require.NoError(t, err)
	_, err = Read(strings.NewReader(strings.Repeat(rule, 4)), Options{Limits: rules.Limits{MaxRules: 3}})
	require.ErrorIs(t, err, rules.ErrLimit)
	require.ErrorContains(t, err, "input:4: ")
	_, err = Read(strings.NewReader(rule), Options{Limits: rules.Limits{MaxLine: 20}})
	require.ErrorIs(t, err, rules.ErrLimit)
	_, err = Read(strings.NewReader(strings.Repeat(rule, 4)), Options{Limits: rules.Limits{MaxInput: 100}})
	require.ErrorIs(t, err, rules.ErrLimit)
}

func TestRuleFilesAreKnownByTheirBeginning(t *testing.T) {
	for in, want := range map[string]bool{
		sample: true, "\n# x\r\n  @1": true, "\xef\xbb\xbf@": true,
		"": false, "# @": false, "hipac 1\n@": false, "*filter": false,
	} {
		require.Equal(t, want, IsRules([]byte(in)), "%q", in)
	}
}
