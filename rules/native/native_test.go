package native

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func text(t testing.TB, l *rules.List[string]) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, Write(&b, l))
	return b.String()
}

func jsonText(t testing.TB, l *rules.List[string]) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, WriteJSON(&b, l))
	return b.String()
}

func requireEqual(t testing.TB, want, got *rules.List[string]) {
	t.Helper()
	require.True(t, want.Schema().Equal(got.Schema()), "%v\n%v", want.Schema(), got.Schema())
	require.Equal(t, want.Len(), got.Len())
	for i, w := range want.All() {
		g := *got.At(i)
		require.Equal(t, rules.FormatRule(want.Schema(), w), rules.FormatRule(want.Schema(), &g))
		require.Len(t, g.Conds, len(w.Conds))
		for j := range w.Conds {
			require.True(t, w.Conds[j].Equal(&g.Conds[j]), "rule %d, condition %d", i, j)
		}
		g.Conds = w.Conds
		require.Equal(t, *w, g)
	}
}

func TestFileOfEverythingIsPrintedAsTheGoldenFiles(t *testing.T) {
	f, err := os.ReadFile("testdata/all.hipac")
	require.NoError(t, err)
	l, err := Read(bytes.NewReader(f), Options{File: "all.hipac"})
	require.NoError(t, err)
	require.Same(t, rules.Firewall, l.Schema())
	golden(t, "all.printed", text(t, l))
	golden(t, "all.json", jsonText(t, l))

	again, err := Read(strings.NewReader(text(t, l)), Options{})
	require.NoError(t, err)
	requireEqual(t, l, again)
	again, err = ReadJSON(strings.NewReader(jsonText(t, l)), Options{})
	require.NoError(t, err)
	require.Same(t, rules.Firewall, again.Schema())
	requireEqual(t, l, again)
}

func TestValuesAndCommentsAreReadAsWritten(t *testing.T) {
	for line, want := range map[string][2]string{
		`rule any => ACCEPT`:                 {"ACCEPT", ""},
		`rule any => ACCEPT # x`:             {"ACCEPT", "x"},
		`rule any => ACCEPT #x`:              {"ACCEPT", "x"},
		`rule any => ACCEPT#x`:               {"ACCEPT#x", ""},
		"rule any =>\tACCEPT\t#\tx y \t":     {"ACCEPT", "x y"},
		`rule any => a => b`:                 {"a => b", ""},
		`rule any # => b`:                    {"", "=> b"},
		`rule any #`:                         {"", ""},
		`rule any => "" # "" `:               {"", ""},
		`rule any => "a # b" # "c" d`:        {"a # b", `"c" d`},
		`rule any => "\x00\n\u20ac\"" # "`:   {"\x00\n€\"", `"`},
		`rule any => a "b" # "c`:             {`a "b"`, `"c`},
		`rule any => naïve # größe`:          {"naïve", "größe"},
		`rule any => ` + "`" + ` # ` + "`x`": {"`", "`x`"},
	} {
		l, err := Read(strings.NewReader("hipac 1\nschema ipv4\n"+line), Options{})
		require.NoError(t, err, line)
		require.Equal(t, want, [2]string{l.At(0).Value, l.At(0).Comment}, line)
	}
}

func TestIdentitiesAreKept(t *testing.T) {
	const head = "hipac 1\nschema none\n"
	l, err := Read(strings.NewReader(head+"rule @18446744073709551615 any\nrule any\nrule continue @7 any\nrule @3 unknown \"x\" any\nrule any\n"), Options{})
	require.NoError(t, err)
	var ids []rules.ID
	for _, r := range l.All() {
		ids = append(ids, r.ID)
	}
	require.Equal(t, []rules.ID{1<<64 - 1, 2, 7, 3, 5}, ids)
	for _, again := range []func() (*rules.List[string], error){
		func() (*rules.List[string], error) { return Read(strings.NewReader(text(t, l)), Options{}) },
		func() (*rules.List[string], error) { return ReadJSON(strings.NewReader(jsonText(t, l)), Options{}) },
	} {
		m, err := again()
		require.NoError(t, err)
		requireEqual(t, l, m)
	}
}

func TestListOfUnknownRulesSurvivesPrinting(t *testing.T) {
	const in = "hipac 1\nschema ipv4\nrule src=10.0.0.0/8 owner=root dport=80/x => A\nrule owner=root\n" +
		"rule unknown \"-m set\" state=NEW => B\nrule dport=80 weird\n"
	_, err := Read(strings.NewReader(in), Options{File: "f"})
	require.EqualError(t, err, `f:3:21: unknown field "owner": "owner=root"`)
	require.ErrorIs(t, err, rules.ErrUnknownField)

	l, err := Read(strings.NewReader(in), Options{AllowUnknown: true})
	require.NoError(t, err)
	var unknown []string
	for _, r := range l.All() {
		unknown = append(unknown, r.Unknown)
	}
	require.Equal(t, []string{"owner=root; dport=80/x", "owner=root", "-m set; state=NEW", "weird"}, unknown)
	require.Equal(t, "src=10.0.0.0/8", rules.FormatRule(l.Schema(), l.At(0)))
	require.Empty(t, l.At(1).Conds)

	m, err := Read(strings.NewReader(text(t, l)), Options{})
	require.NoError(t, err)
	requireEqual(t, l, m)
	m, err = ReadJSON(strings.NewReader(jsonText(t, l)), Options{})
	require.NoError(t, err)
	requireEqual(t, l, m)

	const inJSON = `{"hipac":1,"schema":{"name":"ipv4"},"rules":[{"unknown":"-m set","match":["state=NEW","dport=80"]}]}`
	_, err = ReadJSON(strings.NewReader(inJSON), Options{File: "f"})
	require.EqualError(t, err, `f:1:75: unknown field "state": "state=NEW"`)
	m, err = ReadJSON(strings.NewReader(inJSON), Options{AllowUnknown: true})
	require.NoError(t, err)
	require.Equal(t, "-m set; state=NEW", m.At(0).Unknown)
}

func TestReadySchemasAreThemselves(t *testing.T) {
	for name, s := range map[string]*rules.Schema{
		"ipv4": rules.IPv4Tuple, "ipv6": rules.IPv6Tuple, "ip": rules.IPTuple, "firewall": rules.Firewall, "none": none,
	} {
		require.Equal(t, name, FormatSchema(s))
		for _, header := range []string{name, s.String()} {
			if header == "" {
				continue
			}
			l, err := Read(strings.NewReader("hipac 1\nschema "+header+"\n"), Options{})
			require.NoError(t, err)
			require.Same(t, s, l.Schema())
			p, err := ParseSchema(header)
			require.NoError(t, err)
			require.Same(t, s, p)
		}
	}
	own := rules.MustSchema(rules.Field{Name: "x", Bits: 7}, rules.Field{Name: "y", Bits: 3, Kind: rules.Enum, Symbols: []rules.Symbol{{Name: "a-b", Value: 1}, {Name: "c", Value: 2}}},
		rules.Field{Name: "p", Kind: rules.Port, Symbols: []rules.Symbol{{Name: "q", Value: 1}}})
	require.Equal(t, "x:number:7 y:enum:3:a-b=1,c=2 p:port:q=1", FormatSchema(own))
	other, err := ParseSchema(FormatSchema(own))
	require.NoError(t, err)
	require.True(t, other.Equal(own))
	l, err := rules.NewList(own, rules.Rule[string]{Conds: []rules.Cond{rules.In(0, rules.Span(1, 5))}})
	require.NoError(t, err)
	m, err := Read(strings.NewReader(text(t, l)), Options{Schemas: []*rules.Schema{own}})
	require.NoError(t, err)
	require.Same(t, own, m.Schema())
	m, err = ReadJSON(strings.NewReader(jsonText(t, l)), Options{Schemas: []*rules.Schema{own}})
	require.NoError(t, err)
	require.Same(t, own, m.Schema())
	requireEqual(t, l, m)
}

// nasty are texts that a careless printer or parser breaks on.
var nasty = []string{"", "", "", "ACCEPT", "a b", " a", "a ", "#", "a #b", "a#b", `"`, `"a"`, `""`, "=>", "a => b", "\n", "\t", "a\tb", "\r", "\x00", "€", "\u00a0", "\u2028",
	"\ufeff", "\ufffd", "{}", "any", "rule", `\`, `\"`, "# #", "'", "`", "<a&b>", strings.Repeat("long ", 100)}

func randomList(rnd *rand.Rand) *rules.List[string] {
	pool := []*rules.Schema{rules.IPv4Tuple, rules.IPv6Tuple, rules.IPTuple, rules.Firewall, none,
		rules.MustSchema(rules.Field{Name: "any", Bits: 100}, rules.Field{Name: "rule", Kind: rules.Hex, Bits: 128},
			rules.Field{Name: "id", Bits: 1}, rules.Field{Name: "continue", Kind: rules.Name})}
	s := pool[rnd.IntN(len(pool))]
	b := rules.NewBuilder[string](s)
	for range rnd.IntN(8) {
		var r rules.Rule[string]
		if rnd.IntN(4) == 0 {
			r.ID = rules.ID(rnd.Uint64() >> rnd.IntN(64))
		}
		for s.Len() > 0 && rnd.IntN(3) > 0 {
			r.Conds = append(r.Conds, randomCond(rnd, s))
		}
		r.Value = nasty[rnd.IntN(len(nasty))]
		r.Comment = nasty[rnd.IntN(len(nasty))]
		r.Continue = rnd.IntN(4) == 0
		if rnd.IntN(4) == 0 {
			r.Unknown = nasty[rnd.IntN(len(nasty))]
		}
		b.Add(r) // a used identity is refused, which is fine here
	}
	return b.List()
}

func randomCond(rnd *rand.Rand, s *rules.Schema) rules.Cond {
	i := rnd.IntN(s.Len())
	f := s.Field(i)
	value := func() rules.Value {
		return rules.Value{Hi: rnd.Uint64(), Lo: rnd.Uint64()}.And(rules.Ones(rnd.IntN(f.Bits + 1)))
	}
	var ivs []rules.Interval
	for range rnd.IntN(4) {
		a, b := value(), value()
		if b.Less(a) {
			a, b = b, a
		}
		switch rnd.IntN(3) {
		case 0:
			b = a
		case 1:
			iv := rules.PrefixInterval(a, rnd.IntN(f.Bits+1), f.Bits)
			a, b = iv.Lo, iv.Hi
		}
		ivs = append(ivs, rules.Interval{Lo: a, Hi: b})
	}
	c := rules.In(i, ivs...)
	switch {
	case rnd.IntN(4) == 0:
		c = rules.Masked(i, value(), value())
	case rnd.IntN(4) == 0 && len(ivs) > 0:
		c = c.AndMasked(value(), value())
	case rnd.IntN(8) == 0:
		c = s.Present(i)
	}
	if rnd.IntN(3) == 0 {
		c = c.Negate()
	}
	if rnd.IntN(3) == 0 {
		c = c.OrAbsent()
	}
	return c
}

func TestReadAfterWriteGivesAnEqualList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		l := randomList(rnd)
		in := text(t, l)
		m, err := Read(strings.NewReader(in), Options{})
		require.NoError(t, err, in)
		requireEqual(t, l, m)
		require.Equal(t, in, text(t, m))

		inJSON := jsonText(t, l)
		require.True(t, json.Valid([]byte(inJSON)), inJSON)
		m, err = ReadJSON(strings.NewReader(inJSON), Options{})
		require.NoError(t, err, inJSON)
		requireEqual(t, l, m)
		require.Equal(t, inJSON, jsonText(t, m))
	}
}

func TestBrokenUTF8SurvivesTheTextFormatOnly(t *testing.T) {
	l, err := rules.NewList(none, rules.Rule[string]{Value: "a\xffb", Comment: "\xfe"})
	require.NoError(t, err)
	m, err := Read(strings.NewReader(text(t, l)), Options{})
	require.NoError(t, err)
	requireEqual(t, l, m)
	require.ErrorIs(t, WriteJSON(&strings.Builder{}, l), rules.ErrUnsupported)
}

func TestFormatsAreToldApartByTheirBeginning(t *testing.T) {
	for in, want := range map[string][2]bool{
		"hipac 1\n":                  {true, false},
		"# x\n\n  hipac\t1":          {true, false},
		"\xef\xbb\xbfhipac 1\r\n":    {true, false},
		"{\"hipac\"":                 {false, true},
		"\xef\xbb\xbf\r\n\t {":       {false, true},
		"":                           {},
		"# only a comment":           {},
		"hipacx 1":                   {},
		"*filter\n:INPUT ACCEPT [0]": {},
		"@10.0.0.0/8":                {},
		"[{}]":                       {},
	} {
		require.Equal(t, want, [2]bool{IsText([]byte(in)), IsJSON([]byte(in))}, "%q", in)
	}
}
