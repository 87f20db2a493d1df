package capture

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

// keyText writes the fields that a key has.
func keyText(s *rules.Schema, k rules.Key) string {
	var out []string
	for i := range s.Len() {
		if v, ok := s.Get(k, i); ok {
			out = append(out, s.Field(i).Name+"="+s.Field(i).FormatValue(v))
		}
	}
	return strings.Join(out, " ")
}

// readCSV returns the lines' keys as text, with their line numbers.
func readCSV(t testing.TB, s *rules.Schema, text string, opts Options) ([]string, error) {
	t.Helper()
	c, err := NewCSV(strings.NewReader(text), s, opts)
	if err != nil {
		return nil, err
	}
	var out []string
	k := s.NewKey()
	for {
		for i := range k {
			k[i] = 0xffffffff
		}
		info, err := c.Next(k)
		if err != nil {
			_, again := c.Next(k)
			require.Equal(t, err, again)
			return out, err
		}
		require.NoError(t, s.CheckKey(k))
		require.Equal(t, len(out)+1, info.Number)
		out = append(out, fmt.Sprintf("%d: %s", info.Line, keyText(s, k)))
	}
}

func TestCSVIsRead(t *testing.T) {
	tests := []struct {
		name   string
		schema *rules.Schema
		text   string
		want   []string
	}{
		{"a 5-tuple", rules.IPv4Tuple, "src,dst,sport,dport,proto\n10.0.0.1,192.0.2.7,4242,https,tcp\n10.0.0.2,192.0.2.7,,,1\n", []string{
			"2: src=10.0.0.1 dst=192.0.2.7 sport=4242 dport=443 proto=tcp", "3: src=10.0.0.2 dst=192.0.2.7 proto=icmp"}},
		{"columns in another order, some missing", rules.IPTuple, "proto,dst\r\n\r\nudp,2001:db8::1\r\n17,10.0.0.1", []string{
			"3: dst=2001:db8::1 proto=udp", "4: dst=10.0.0.1 proto=udp"}},
		{"blanks, quotes and comments", rules.IPv4Tuple, "\xef\xbb\xbf# flows\n \"src\" ,\tdport\n\"10.0.0.1\" , \"80\"\n \"\",\t 81 \n", []string{
			"3: src=10.0.0.1 dport=80", "4: dport=81"}},
		{"the firewall's fields", rules.Firewall, "iif,tcpflags,ctstate,smac,pkttype,mark\neth0,SYN+ACK,NEW,0a:00:00:00:00:01,broadcast,0x2a\n#65746830000000000000000000000000,none,8,,2,0\n", []string{
			"2: iif=eth0 tcpflags=SYN+ACK ctstate=NEW mark=0x2a smac=0a:00:00:00:00:01 pkttype=broadcast",
			"3: iif=eth0 tcpflags=none ctstate=NEW mark=0x0 pkttype=multicast"}},
		{"fields that the rules have not got", rules.IPv4Tuple, "iif,src,mark,vlan\neth0,10.0.0.1,7,12\n", []string{"2: src=10.0.0.1"}},
		{"rows of nothing", rules.IPv4Tuple, "src,dport\n,\n \n", []string{"2: "}},
		{"a quoted empty value alone", rules.IPv4Tuple, "dport\n\"\"\n", []string{"2: "}},
		{"a header alone", rules.IPv4Tuple, "src", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readCSV(t, tc.schema, tc.text, Options{})
			require.Equal(t, io.EOF, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestAddressesOfTheOtherFamilyPutPacketsOutside(t *testing.T) {
	six := rules.MustSchema(rules.Field{Name: "src", Kind: rules.IPv6, Bits: 128}, rules.Field{Name: "dport", Kind: rules.Port, Bits: 16})
	for schema, want := range map[*rules.Schema][]bool{rules.IPv4Tuple: {false, true, false}, six: {true, false, false}, rules.IPTuple: {false, false, false}} {
		c, err := NewCSV(strings.NewReader("src,dport\n10.0.0.1,1\n2001:db8::1,1\n,1\n"), schema, Options{})
		require.NoError(t, err)
		for _, outside := range want {
			info, err := c.Next(schema.NewKey())
			require.NoError(t, err)
			require.Equal(t, outside, info.Outside)
		}
	}
}

func TestCSVIsRefused(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		at    string // line:column
		token string
		text2 string
		cause error
	}{
		{"no header", "\n \n", "1:0", "", "no header line", nil},
		{"an unknown field", "src,user\n", "1:5", "user", "no such field; they have src, dst, sport, dport, proto", rules.ErrUnknownField},
		{"a field twice", "src, dst ,\"src\"\n", "1:11", "src", "twice", nil},
		{"an empty field name", "src,,dst\n", "1:5", "", "empty field name", nil},
		{"data instead of a header", "10.0.0.1,10.0.0.2\n", "1:1", "10.0.0.1", "no such field", rules.ErrUnknownField},
		{"an address out of range", "src,dport\n10.0.0.1,80\n10.0.0.256,80\n", "3:1", "10.0.0.256", "not an ipv4 address", nil},
		{"a port out of range", "src,dport\n10.0.0.1,  65536\n", "2:12", "65536", "does not fit", nil},
		{"a bad value of a field that no rule asks for", "src,ctstate\n10.0.0.1,OLD\n", "2:10", "OLD", "", nil},
		{"another field twice", "mark,src,mark\n", "1:10", "mark", "twice", nil},
		{"a prefix", "src\n10.0.0.0/8\n", "2:1", "10.0.0.0/8", "not an ipv4 address", nil},
		{"a value too many", "src,dport\n10.0.0.1,80,6\n", "2:13", "6", "more values than the header's 2", nil},
		{"an empty value too many", "src,dport\n10.0.0.1,80,\n", "2:13", "", "more values", nil},
		{"a value too few", "src,dport\n\n10.0.0.1\n", "3:9", "", "1 values, the header has 2", nil},
		{"an open quote", "src,dport\n10.0.0.1,\"80\n\"", "2:10", "\"80", "not closed on its line", nil},
		{"text behind a quote", "src,dport\n\"10.0.0.1\" x,80\n", "2:12", "x,80", "text behind", nil},
		{"a quote inside", "src,dport\n10.0\"0.1,80\n", "2:5", "10.0\"0.1", "a quote inside", nil},
		{"a doubled quote", "src,dport\n\"10.0\"\"0.1\",80\n", "2:1", "10.0\"0.1", "not an ipv4", nil},
		{"a NUL byte", "src,dport\n10.0.0.1,8\x000\n", "2:11", "", "NUL", nil},
		{"a long line", "src,dport\n" + strings.Repeat("x", 100) + "\n", "2:65", "", "longer than 64", rules.ErrLimit},
		{"a long header", "src," + strings.Repeat(" ", 100), "1:65", "", "longer than 64", rules.ErrLimit},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readCSV(t, rules.IPv4Tuple, tc.text, Options{File: "flows.csv", Limits: rules.Limits{MaxLine: 64}})
			var typed *rules.ParseError
			require.ErrorAs(t, err, &typed)
			require.ErrorContains(t, err, tc.text2)
			require.Equal(t, tc.at, fmt.Sprintf("%d:%d", typed.Line, typed.Column))
			require.Equal(t, tc.token, typed.Token)
			require.Equal(t, "flows.csv", typed.File)
			if tc.cause != nil {
				require.ErrorIs(t, err, tc.cause)
			}
		})
	}
}

// endless is a line without an end; it counts what was read of it.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '1'
	}
	e.n += len(b)
	return len(b), nil
}

func TestCSVOfOneEndlessLineIsRefusedEarly(t *testing.T) {
	e := &endless{}
	c, err := NewCSV(io.MultiReader(strings.NewReader("src\n"), e), rules.IPv4Tuple, Options{})
	require.NoError(t, err)
	_, err = c.Next(rules.IPv4Tuple.NewKey())
	require.ErrorIs(t, err, rules.ErrLimit)
	require.Less(t, e.n, 4*rules.DefaultLimits.MaxLine)
}

func TestCSVOfSchemaWithoutFields(t *testing.T) {
	s := rules.MustSchema()
	_, err := NewCSV(strings.NewReader("colour\n"), s, Options{})
	require.ErrorIs(t, err, rules.ErrUnknownField)
	require.Error(t, WriteCSV(io.Discard, s, slices.Values([]rules.Key{s.NewKey()})))
}

func TestNewCSVIsReverseOfWriteCSV(t *testing.T) {
	one := rules.MustSchema(rules.Field{Name: "iif", Kind: rules.Name})
	for _, s := range []*rules.Schema{rules.IPTuple, rules.Firewall, one} {
		var keys []rules.Key
		for n := range 40 {
			k := s.NewKey()
			for i := range s.Len() {
				f := s.Field(i)
				switch (n + i) % 4 {
				case 0:
					s.SetAbsent(k, i)
				case 1:
					s.Set(k, i, f.Max())
				case 2:
					s.Set(k, i, rules.NameValue("br-lan.1").Shr(128-f.Bits))
				}
			}
			keys = append(keys, k)
		}
		var b bytes.Buffer
		require.NoError(t, WriteCSV(&b, s, slices.Values(keys)))
		c, err := NewCSV(iotest.HalfReader(&b), s, Options{})
		require.NoError(t, err)
		for _, want := range keys {
			got := s.NewKey()
			_, err := c.Next(got)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		_, err = c.Next(s.NewKey())
		require.Equal(t, io.EOF, err)
	}
}

func TestWritersPassErrorsOn(t *testing.T) {
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	many := make([]rules.Key, 1000)
	for i := range many {
		many[i] = rules.IPTuple.NewKey()
	}
	require.ErrorIs(t, WriteCSV(w, rules.IPTuple, slices.Values(many)), io.ErrClosedPipe)
}

func FuzzCSV(f *testing.F) {
	f.Add("src,dst,sport,dport,proto\n10.0.0.1,192.0.2.7,4242,https,tcp\n")
	f.Add("iif,tcpflags\n\"eth0\",\"SYN+ACK\"\n#65746830000000000000000000000000,\n")
	f.Add("# x\n\"src\" , mark\r\n::1,\"0x\"\"2\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := rules.Firewall
		_, err := readCSV(t, s, text, Options{})
		if err != io.EOF {
			var typed *rules.ParseError
			require.ErrorAs(t, err, &typed)
			require.Positive(t, typed.Line)
		}
	})
}
