package rules

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// textSchema has a field of every kind, with symbols that are easily confused.
var textSchema = MustSchema(
	Field{Name: "number", Bits: 100}, Field{Name: "small", Bits: 3}, Field{Name: "hex", Kind: Hex, Bits: 128},
	Field{Name: "v4", Kind: IPv4}, Field{Name: "v6", Kind: IPv6}, Field{Name: "ip", Kind: IP},
	Field{Name: "port", Kind: Port}, Field{Name: "proto", Kind: Proto}, Field{Name: "if", Kind: Name}, Field{Name: "mac", Kind: MAC},
	Field{Name: "bits", Kind: Bits, Bits: 8, Symbols: []Symbol{{"A", 1}, {"B-C", 2}, {"AB", 3}, {"Z", 0}, {"TOP", 0x80}}},
	Field{Name: "plainbits", Kind: Bits, Bits: 70},
	Field{Name: "enum", Kind: Enum, Bits: 4, Symbols: []Symbol{{"a", 1}, {"b", 2}, {"a-b", 3}, {"none", 4}, {"also-a", 1}, {"x0", 5}}},
	Field{Name: "a.b-c_d", Kind: Enum, Bits: 64},
)

// randomFieldValue returns a value of f; mapped addresses and names are common.
func randomFieldValue(rnd *rand.Rand, f *Field) Value {
	names := []string{"eth0", "br-lan", "lo", "eth+", "+", "*", "{}", "a,b", "#x", "a b", "a/b", "a&b", "=", "ä", `"`, "any", "fifteen-bytes-x", "-", "x-y-z", "!"}
	switch {
	case f.Kind == Name && rnd.IntN(2) == 0:
		return NameValue(names[rnd.IntN(len(names))])
	case f.Bits == 128 && rnd.IntN(3) == 0:
		return Value{0, mapped4 | uint64(rnd.Uint32())>>rnd.IntN(33)}
	}
	return randomValue(rnd, f.Bits)
}

func randomCond(rnd *rand.Rand, s *Schema) Cond {
	i := rnd.IntN(s.Len())
	f := s.Field(i)
	var ivs []Interval
	for range rnd.IntN(4) {
		a, b := randomFieldValue(rnd, f), randomFieldValue(rnd, f)
		switch rnd.IntN(3) {
		case 0:
			b = a
		case 1:
			iv := PrefixInterval(a, rnd.IntN(f.Bits+1), f.Bits)
			a, b = iv.Lo, iv.Hi
		}
		if b.Less(a) {
			a, b = b, a
		}
		ivs = append(ivs, Interval{a, b})
	}
	c := In(i, ivs...)
	mask := randomFieldValue(rnd, f)
	if rnd.IntN(2) == 0 {
		mask = Ones(rnd.IntN(f.Bits + 1)).Shl(rnd.IntN(f.Bits)).And(f.Max())
	}
	want := randomFieldValue(rnd, f)
	if rnd.IntN(4) > 0 {
		want = want.And(mask)
	}
	switch rnd.IntN(5) {
	case 0:
		c = Masked(i, want, mask)
	case 1:
		c = c.AndMasked(want, mask)
	case 2:
		if rnd.IntN(3) == 0 {
			c = s.Present(i)
		}
	}
	if rnd.IntN(3) == 0 {
		c = c.Negate()
	}
	if rnd.IntN(3) == 0 {
		c = c.OrAbsent()
	}
	return c
}

func TestParseCondReadsWhatFormatCondWrites(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	kinds := map[Kind]int{}
	for range 60000 {
		c := randomCond(rnd, textSchema)
		text := textSchema.FormatCond(&c)
		require.False(t, strings.ContainsAny(text, " \t\r\n\x00"), "%q is one word", text)
		d, err := textSchema.ParseCond(text)
		require.NoError(t, err, "%s of %+v", text, c)
		require.True(t, c.Equal(&d), "%s:\n%+v\n%+v", text, c, d)
		kinds[textSchema.Field(c.Field()).Kind]++
	}
	require.Len(t, kinds, int(numKinds))
}

func TestParseValueReadsWhatFormatValueWrites(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 2))
	for i := range textSchema.Len() {
		f := textSchema.Field(i)
		for range 2000 {
			v := randomFieldValue(rnd, f)
			got, err := f.ParseValue(f.FormatValue(v))
			require.NoError(t, err, "%s %v", f.Name, v)
			require.Equal(t, v, got, "%s %s", f.Name, f.FormatValue(v))
		}
	}
}

func TestConditionsAreWrittenInTheirShortestForm(t *testing.T) {
	for in, want := range map[string]string{
		"number=1-1,2,4-5":                       "number=1-2,4-5",
		"number=0x10":                            "number=16",
		"number=1267650600228229401496703205375": "number=0xfffffffffffffffffffffffff",
		"small=0-7":                              "small=*",
		"small!=0-7":                             "small!=*",
		"small=1,0,2-7":                          "small=*",
		"small?=*":                               "small?=*",
		"small?!={}":                             "small?!={}",
		"small=1/3":                              "small=1/0x3",
		"small=4/3":                              "small={}",
		"small=0-3&1/1":                          "small=0-3&1/0x1",
		"hex=255":                                "hex=0xff",
		"v4=10.1.2.3/8":                          "v4=10.0.0.0/8",
		"v4=10.1.2.3/32":                         "v4=10.1.2.3",
		"v4=0.0.0.0/0":                           "v4=*",
		"v4=10.0.0.0-10.255.255.255":             "v4=10.0.0.0/8",
		"v4=10.0.0.1-10.0.0.2":                   "v4=10.0.0.1-10.0.0.2",
		"v4=10.1.2.3/255.0.0.255":                "v4=10.0.0.3/255.0.0.255",
		"v4=10.0.0.0/8,11.0.0.0/8":               "v4=10.0.0.0/7",
		"v6=2001:DB8::/32":                       "v6=2001:db8::/32",
		"v6=::ffff:10.0.0.0/104":                 "v6=::ffff:10.0.0.0/104",
		"v6=::1/ffff::ffff":                      "v6=0000:0000:0000:0000:0000:0000:0000:0001/ffff:0000:0000:0000:0000:0000:0000:ffff",
		"ip=10.0.0.0/8":                          "ip=10.0.0.0/8",
		"ip=::ffff:10.0.0.0/104":                 "ip=10.0.0.0/8",
		"ip=0.0.0.0/0":                           "ip=0.0.0.0/0",
		"ip=::/0":                                "ip=*",
		"ip=10.1.2.3/255.0.0.255":                "ip=10.0.0.3/255.0.0.255",
		"port=http,https":                        "port=80,443",
		"port=ftp-data":                          "port=20",
		"port=ssh-http":                          "port=22-80",
		"proto=6,17":                             "proto=tcp,udp",
		"proto=TCP":                              "proto=tcp",
		"proto=253":                              "proto=253",
		"proto=1-6":                              "proto=icmp-tcp",
		"proto=58-89":                            "proto=58-89",
		"if=eth+":                                "if=eth+",
		"if=+":                                   "if=*",
		"if=br-lan":                              "if=br-lan",
		"if=br-l+":                               "if=br-l+",
		"if=#65746830000000000000000000000000":   "if=eth0",
		"mac=AA:bb:00:00:00:01":                  "mac=aa:bb:00:00:00:01",
		"mac=aa:00:00:00:00:00/ff:00:00:00:00:00": "mac=aa:00:00:00:00:00/ff:00:00:00:00:00",
		"bits=b-c+a":   "bits=A+B-C",
		"bits=none":    "bits=none",
		"bits=A/A+TOP": "bits=A/A+TOP",
		"bits=4":       "bits=4",
		"enum=A,2":     "enum=1-2",
		"enum=1,b":     "enum=1-2",
		"enum=b-a-b":   "enum=2-3",
	} {
		c, err := textSchema.ParseCond(in)
		require.NoError(t, err, in)
		require.Equal(t, want, textSchema.FormatCond(&c), in)
	}
}

func TestIPFieldTellsTheFamiliesApart(t *testing.T) {
	s := IPTuple
	for text, want := range map[string][2]bool{ // an IPv4 and an IPv6 packet
		"src=0.0.0.0/0":            {true, false},
		"src=::/0":                 {true, true},
		"src=10.0.0.0/8":           {true, false},
		"src=2000::/3":             {false, true},
		"src!=10.0.0.0/8":          {false, true},
		"src=10.0.0.1/255.0.0.255": {true, false},
		"src=::1/::ffff":           {true, true},
	} {
		c, err := s.ParseCond(text)
		require.NoError(t, err)
		for i, addr := range []string{"10.2.0.1", "2001:db8::1"} {
			require.Equal(t, want[i], c.Holds(Addr16(netip.MustParseAddr(addr)), true), "%s %s", text, addr)
		}
	}
}

func TestBadConditionIsRefusedWithItsReason(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       `"" has no '='`,
		"port":                                   `"port" has no '='`,
		"nope=1":                                 `unknown field "nope"`,
		"!=1":                                    `unknown field ""`,
		"port!?=1":                               `unknown field "port!"`,
		"port=":                                  `port: empty value`,
		"port=,":                                 `port: empty value`,
		"port=80,":                               `port: empty value`,
		"port=80,,81":                            `port: empty value`,
		"port=65536":                             `65536 does not fit the 16 bits of port`,
		"port=-1":                                `port: empty value`,
		"port=1-":                                `port: empty value`,
		"port=9-8":                               `port: range "9-8" is reversed`,
		"port=1-2-3":                             `"2-3" is not a port`,
		"port=080":                               `"080" is not a port`,
		"port=0x":                                `"0x" is not a port`,
		"port=+80":                               `"+80" is not a port`,
		"port=8_0":                               `"8_0" is not a port`,
		"port=http/1/2":                          `"1/2" is not a hex`,
		"port=80&":                               `port: "" is not value/mask`,
		"port=&80/1":                             `port: empty value`,
		"port={},1":                              `"{}" is not a port`,
		"port=*,1":                               `"*" is not a port`,
		"number=1267650600228229401496703205376": `1267650600228229401496703205376 does not fit the 100 bits of number`,
		"number=0x" + strings.Repeat("f", 65):    `"0x` + strings.Repeat("f", 65) + `" is not a number`,
		"number=" + strings.Repeat("9", 1000):    `"` + strings.Repeat("9", 80) + `..." is not a number`,
		"small=1/8":                              `8 does not fit the 3 bits of small`,
		"v4=10.0.0.0/33":                         `v4: prefix length "33" is not in 0..32`,
		"v4=10.0.0.0/":                           `v4: prefix length "" is not in 0..32`,
		"v4=10.0.0.0/08":                         `v4: prefix length "08" is not in 0..32`,
		"v4=10.0.0.0/+8":                         `v4: prefix length "+8" is not in 0..32`,
		"v4=10.0.0.0/-0":                         `v4: prefix length "-0" is not in 0..32`,
		"v4=10.0.0":                              `"10.0.0" is not an ipv4 address`,
		"v4=010.0.0.1":                           `"010.0.0.1" is not an ipv4 address`,
		"v4=::1":                                 `"::1" is not an ipv4 address`,
		"v4=10.0.0.0/255.0.0":                    `"255.0.0" is not an ipv4 address`,
		"v6=10.0.0.1":                            `"10.0.0.1" is not an ipv6 address`,
		"v6=fe80::1%eth0":                        `"fe80::1%eth0" is not an ipv6 address`,
		"v6=::/129":                              `v6: prefix length "129" is not in 0..128`,
		"ip=10.0.0.0/33":                         `ip: prefix length "33" is not in 0..32`,
		"if=sixteen-bytes-xx":                    `interface name "sixteen-bytes-xx" is longer than 15 bytes`,
		"if=sixteen-bytes-xx+":                   `interface name "sixteen-bytes-xx" is longer than 15 bytes`,
		"if=a,#1":                                `"#1" is not # and 32 hexadecimal digits`,
		"if=a#":                                  `"a#" is not an interface name`,
		"if=a++":                                 `"a+" is not an interface name`,
		"mac=aa:bb:cc:dd:ee":                     `"aa:bb:cc:dd:ee" is not a MAC address`,
		"mac=a:bb:cc:dd:ee:f":                    `"a:bb:cc:dd:ee:f" is not a MAC address`,
		"bits=A+":                                `"A+" is not a bits`,
		"bits=D":                                 `"D" is not a bits`,
		"enum=16":                                `16 does not fit the 4 bits of enum`,
		"proto=256":                              `256 does not fit the 8 bits of proto`,
		"proto=nonsense":                         `"nonsense" is not a proto`,
	} {
		_, err := textSchema.ParseCond(in)
		require.EqualError(t, err, want, "%.100q", in)
	}
	_, err := textSchema.ParseCond("nope=1")
	require.ErrorIs(t, err, ErrUnknownField)
	_, err = textSchema.ParseCond("port=" + strings.Repeat("1,", DefaultLimits.MaxElements) + "1")
	require.ErrorIs(t, err, ErrLimit)
}

func TestRuleIsFormattedAsItsConditions(t *testing.T) {
	r := Rule[int]{}
	require.Equal(t, "any", FormatRule(IPv4Tuple, &r))
	r.Conds = []Cond{In(3, Point(80)), In(0, PrefixInterval(U64(10<<24), 8, 32)).Negate()}
	require.Equal(t, "dport=80 src!=10.0.0.0/8", FormatRule(IPv4Tuple, &r))
}

func TestParseErrorSaysWhere(t *testing.T) {
	cause := errors.New("cause")
	for want, e := range map[string]*ParseError{
		"input: bad":        {Reason: "bad"},
		`f:3:7: bad: "x y"`: {File: "f", Line: 3, Column: 7, Reason: "bad", Token: "x y"},
		`f:3: bad`:          {File: "f", Line: 3, Reason: "bad"},
		`f: bad`:            {File: "f", Column: 7, Reason: "bad", Err: cause},
		`f: bad: "` + strings.Repeat("x", 80) + `..."`: {File: "f", Reason: "bad", Token: strings.Repeat("x", 1000)},
	} {
		require.EqualError(t, e, want)
		require.Equal(t, e.Err != nil, errors.Is(e, cause))
	}
}

func TestZeroLimitsAreTheDefaults(t *testing.T) {
	require.Equal(t, DefaultLimits, Limits{}.OrDefault())
	l := Limits{MaxRules: 1, MaxLine: 2, MaxInput: 3, MaxChains: 4, MaxDepth: 5, MaxElements: 6, MaxWalk: 7, MaxMemory: 8}
	require.Equal(t, l, l.OrDefault())
}

// FuzzParseCond looks for text that is accepted and not printed so that it is
// read back to the same condition.
func FuzzParseCond(f *testing.F) {
	for _, seed := range []string{"number=1-5,7&1/3", "ip?!=10.0.0.0/8,::1", "v6=::1/::ff", "if=eth+,br-lan,#65746830000000000000000000000000",
		"bits!=A+B-C/TOP", "enum=a-b,none", "proto=tcp-udp", "mac=aa:bb:cc:dd:ee:ff", "port=http", "small={}", "hex=*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := textSchema.ParseCond(text)
		if err != nil {
			return
		}
		printed := textSchema.FormatCond(&c)
		d, err := textSchema.ParseCond(printed)
		require.NoError(t, err, "%q printed as %q", text, printed)
		require.True(t, c.Equal(&d), "%q printed as %q", text, printed)
	})
}
