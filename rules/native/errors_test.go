package native

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules"
)

func TestBadTextIsRefusedWithItsPlace(t *testing.T) {
	const head = "hipac 1\nschema ipv4\n"
	for in, want := range map[string]string{
		"":                               `f: the header "hipac 1" is missing`,
		"# x\n\n":                        `f:2: the header "hipac 1" is missing`,
		"hipac 1\n":                      `f:1: the schema is missing`,
		"rule any":                       `f:1:1: expected the header "hipac 1": "rule"`,
		"hipac 2":                        `f:1:7: expected version 1 of the format: "2"`,
		"hipac":                          `f:1:6: expected version 1 of the format, but the line ends`,
		"hipac 1 x":                      `f:1:9: text behind the version: "x"`,
		"hipac 1\nrule any":              `f:2:1: expected "schema": "rule"`,
		"hipac 1\nschema":                `f:2:7: expected a schema: fields, or one of ipv4, ipv6, ip, firewall, none, but the line ends`,
		"hipac 1\nschema # x":            `f:2:8: expected a schema: fields, or one of ipv4, ipv6, ip, firewall, none`,
		"hipac 1\nschema ipv5":           `f:2:8: "ipv5" is neither a schema nor a field, name:kind[:bits][:symbols]`,
		"hipac 1\nschema ipv4 ipv6":      `f:2:8: "ipv4" is neither a schema nor a field, name:kind[:bits][:symbols]`,
		"hipac 1\nschema a:colour":       `f:2:8: field "a": unknown kind "colour"`,
		"hipac 1\nschema a:number:x":     `f:2:8: field "a": "x" is not a width in bits`,
		"hipac 1\nschema a:number:0":     `f:2:8: field "a": "0" is not a width in bits`,
		"hipac 1\nschema a:number":       `f:2:8: schema: field "a": width 0 is not in 1..128`,
		"hipac 1\nschema a:number:129":   `f:2:8: schema: field "a": width 129 is not in 1..128`,
		"hipac 1\nschema a:ipv4:31":      `f:2:8: schema: field "a": kind ipv4 needs 32 bits, not 31`,
		"hipac 1\nschema a:ipv4 a:ipv4":  `f:2:8: schema: field "a" appears twice`,
		"hipac 1\nschema a:bits:4:X=16":  `f:2:8: schema: field "a": symbol X=0x10 does not fit 4 bits`,
		"hipac 1\nschema a:bits:4:X":     `f:2:8: field "a": "X" is not a symbol, name=number`,
		"hipac 1\nschema a:bits:4:X=1,":  `f:2:8: field "a": "" is not a symbol, name=number`,
		"hipac 1\nschema a:bits:4:X=1:Y": `f:2:8: "a:bits:4:X=1:Y" is neither a schema nor a field, name:kind[:bits][:symbols]`,
		"hipac 1\nschema a:bits:X=1:4":   `f:2:8: "a:bits:X=1:4" is not a field, name:kind[:bits][:symbols]`,
		"hipac 1\nschema" + strings.Repeat(" a:ipv4", 33): `f:2:8: schema: 33 fields: limit exceeded (at most 32)`,
		head + "schema ipv4":                              `f:3:1: appears for the second time: "schema"`,
		head + "rules any":                                `f:3:1: expected "rule": "rules"`,
		head + "rule":                                     `f:3:5: expected conditions or "any", but the line ends`,
		head + "rule # x":                                 `f:3:6: expected conditions or "any": "#"`,
		head + "rule continue => A":                       `f:3:15: expected conditions or "any": "=>"`,
		head + "rule any dport=80":                        `f:3:10: text behind "any": "dport=80"`,
		head + "rule dport=80 any":                        `f:3:15: stands among conditions: "any"`,
		head + "rule any =>":                              `f:3:12: expected a value behind "=>", but the line ends`,
		head + "rule any => # x":                          `f:3:13: expected a value behind "=>"`,
		head + `rule any => "x`:                           `f:3:13: quoted string that does not end, or with an unknown escape: "\"x"`,
		head + `rule any => "\q"`:                         `f:3:13: quoted string that does not end, or with an unknown escape: "\"\\q\""`,
		head + `rule any => "x"y`:                         `f:3:13: expected a blank behind the quoted string: "\"x\"y"`,
		head + `rule any => "x" y`:                        `f:3:17: text behind the value: "y"`,
		head + `rule dport=80 continue`:                   `f:3:15: must stand before the conditions: "continue"`,
		head + `rule dport=80 @7`:                         `f:3:15: must stand before the conditions: "@7"`,
		head + `rule continue continue any`:               `f:3:15: appears twice: "continue"`,
		head + `rule @1 @1 any`:                           `f:3:9: second identity: "@1"`,
		head + `rule @0 any`:                              `f:3:6: expected an identity, @ and a number from 1 to 2^64-1: "@0"`,
		head + `rule @18446744073709551616 any`:           `f:3:6: expected an identity, @ and a number from 1 to 2^64-1: "@18446744073709551616"`,
		head + `rule @ any`:                               `f:3:6: expected an identity, @ and a number from 1 to 2^64-1: "@"`,
		head + "rule any\nrule @1 any":                    `f:4: rule 2: duplicate rule identity: 1`,
		head + `rule unknown any`:                         `f:3:14: expected a quoted string: "any"`,
		head + `rule unknown`:                             `f:3:13: expected a quoted string, but the line ends`,
		head + `rule unknown "" any`:                      `f:3:14: the reason of unknown is empty: "\"\""`,
		head + `rule unknown "x"`:                         `f:3:17: expected conditions or "any", but the line ends`,
		head + `rule unknown "x" unknown "y" any`:         `f:3:18: appears twice: "unknown"`,
		head + "rule dport=65536":                         `f:3:6: 65536 does not fit the 16 bits of dport: "dport=65536"`,
		head + "rule src=10.0.0.0/33":                     `f:3:6: src: prefix length "33" is not in 0..32: "src=10.0.0.0/33"`,
		head + "rule src=::1":                             `f:3:6: "::1" is not an ipv4 address: "src=::1"`,
		head + "rule dport=9-8":                           `f:3:6: dport: range "9-8" is reversed: "dport=9-8"`,
		head + "rule dport=80,":                           `f:3:6: dport: empty value: "dport=80,"`,
		head + "rule dport=80=>A":                         `f:3:6: "80=>A" is not a port: "dport=80=>A"`,
		head + "rule dport":                               `f:3:6: "dport" has no '=': "dport"`,
		head + "rule =":                                   `f:3:6: unknown field "": "="`,
		head + "rule any\xff":                             `f:3:9: byte 0xff is not UTF-8`,
		head + "rule any\x00":                             `f:3:9: NUL byte: this is not a text file`,
	} {
		l, err := Read(strings.NewReader(in), Options{File: "f"})
		require.EqualError(t, err, want, "%q", in)
		require.Nil(t, l)
		var p *rules.ParseError
		require.ErrorAs(t, err, &p)
	}
}

func TestBadJSONIsRefusedWithItsPlace(t *testing.T) {
	const head = `{"hipac":1,"schema":{"name":"ipv4"},` + "\n" + `"rules":[`
	for in, want := range map[string]string{
		``:                        `f:1:1: expected list, an object`,
		`[]`:                      `f:1:1: expected list, an object: "["`,
		`{`:                       `f:1:2: expected a member's name in quotes`,
		`{}`:                      `f:1:1: list without the member "hipac"`,
		`{"hipac":2}`:             `f:1:10: expected version 1 of the format: "2"`,
		`{"hipac":"1"}`:           `f:1:10: expected version 1 of the format: "1"`,
		`{"rules":[]}`:            `f:1:10: "hipac" must be the first member: "["`,
		`{"hipac":1,"rules":[]}`:  `f:1:20: "schema" must stand before "rules": "["`,
		`{"hipac":1,"hipac":1}`:   `f:1:12: member appears twice in list: "hipac"`,
		`{"hipac":1,"extra":1}`:   `f:1:12: unknown member of list: "extra"`,
		`{"hipac":1,}`:            `f:1:12: expected a member's name in quotes: "}"`,
		`{"hipac":1 "x":1}`:       `f:1:12: expected ',' or '}': "x"`,
		`{"hipac" 1}`:             `f:1:10: expected ':': "1"`,
		`{"hipac":1,"schema":{}}`: `f:1:21: the schema must have one of the members "name" and "fields"`,
		`{"hipac":1,"schema":{"name":"ipv4","fields":[]}}`:                                              `f:1:21: the schema must have one of the members "name" and "fields"`,
		`{"hipac":1,"schema":{"name":"ipv5"}}`:                                                          `f:1:29: unknown schema: "ipv5"`,
		`{"hipac":1,"schema":"ipv4"}`:                                                                   `f:1:21: expected the schema, an object: "ipv4"`,
		`{"hipac":1,"schema":{"fields":[{"name":"a"}]}}`:                                                `f:1:32: a field without the member "kind"`,
		`{"hipac":1,"schema":{"fields":[{"kind":"blue"}]}}`:                                             `f:1:40: unknown kind: "blue"`,
		`{"hipac":1,"schema":{"fields":[{"bits":0}]}}`:                                                  `f:1:40: expected the width of a field in bits, a number from 1 to 128: "0"`,
		`{"hipac":1,"schema":{"fields":[{"name":"a","kind":"number","bits":200}]}}`:                     `f:1:21: schema: field "a": width 200 is not in 1..128`,
		`{"hipac":1,"schema":{"fields":[{"symbols":[{"name":"A"}]}]}}`:                                  `f:1:44: a symbol without the member "value"`,
		`{"hipac":1,"schema":{"fields":[{"symbols":[{"value":-1}]}]}}`:                                  `f:1:53: expected the value of a symbol, a whole number from 0 to 18446744073709551615: "-1"`,
		`{"hipac":1,"schema":{"fields":[` + strings.Repeat(`{"name":"a","kind":"ipv4"},`, 32) + `{}]}}`: `f:1:896: more than 32 fields: "{"`,
		head + `{}]}`:                                          `f:2:10: a rule without the member "match"`,
		head + `{"match":"dport=80"}]}`:                        `f:2:19: expected the conditions, an array: "dport=80"`,
		head + `{"match":[80]}]}`:                              `f:2:20: expected a condition, a string: "80"`,
		head + `{"match":[[]]}]}`:                              `f:2:20: expected a condition, a string: "["`,
		head + `{"match":["dport=x"]}]}`:                       `f:2:20: "x" is not a port: "dport=x"`,
		head + `{"match":[],"match":[]}]}`:                     `f:2:22: member appears twice in a rule: "match"`,
		head + `{"match":[],"vlaue":"x"}]}`:                    `f:2:22: unknown member of a rule: "vlaue"`,
		head + `{"match":[],"value":null}]}`:                   `f:2:30: expected the value, a string: "null"`,
		head + `{"match":[],"id":0}]}`:                         `f:2:27: 0 is no identity: "0"`,
		head + `{"match":[],"id":01}]}`:                        `f:2:27: expected the identity, a whole number from 0 to 18446744073709551615: "01"`,
		head + `{"match":[],"id":1e3}]}`:                       `f:2:27: expected the identity, a whole number from 0 to 18446744073709551615: "1e3"`,
		head + `{"match":[],"continue":1}]}`:                   `f:2:33: expected continue to be true or false: "1"`,
		head + `{"match":[],"unknown":""}]}`:                   `f:2:32: the reason of unknown is empty`,
		head + "{\"match\":[]},\n\n {\"match\":[],\"id\":1}]}": `f:4:2: rule 2: duplicate rule identity: 1`,
		head + `{"match":[]},]}`:                               `f:2:23: expected a rule, an object: "]"`,
		head + `{"match":[]} {"match":[]}]}`:                   `f:2:23: expected ',' or ']': "{"`,
		head + `{"match":[`:                                    `f:2:20: expected a condition, a string`,
		head + `]} x`:                                          `f:2:13: not JSON: "x"`,
		head + `]} {}`:                                         `f:2:13: text behind the list: "{"`,
		head + `{"match":[],"value":"x`:                        `f:2:30: string does not end: "x"`,
		head + `{"match":[],"value":"a\qb"}`:                   `f:2:32: unknown escape in a string`,
		head + `{"match":[],"value":"\u12"}`:                   `f:2:31: \u needs four hexadecimal digits`,
		head + `{"match":[],"value":"\ud800x"}`:                `f:2:31: half of a surrogate pair`,
		head + `{"match":[],"value":"\ud800\u0041"}`:           `f:2:31: half of a surrogate pair`,
		head + `{"match":[],"value":"\udc00\ud800"}`:           `f:2:31: half of a surrogate pair`,
		head + "{\"match\":[],\"value\":\"a\nb\"}":             `f:2:32: control character in a string`,
		head + "{\"match\":[],\"value\":\"a\x00b\"}":           `f:2:32: control character in a string`,
		head + "{\"match\":[],\"value\":\"a\xffb\"}":           `f:2:30: string is not UTF-8: "a\xffb"`,
		"\x00":                          `f:1:1: not JSON: "\x00"`,
		head + "\xff":                   `f:2:10: not JSON: "\xff"`,
		head + strings.Repeat("1", 100): `f:2:10: number or word of more than 64 bytes: "` + strings.Repeat("1", 65) + `"`,
		`{"hipac":` + strings.Repeat("[", 100000): `f:1:10: expected version 1 of the format: "["`,
	} {
		l, err := ReadJSON(strings.NewReader(in), Options{File: "f"})
		require.EqualError(t, err, want, "%.200q", in)
		require.Nil(t, l)
		var p *rules.ParseError
		require.ErrorAs(t, err, &p)
	}
}

func TestReadersKeepToTheirLimits(t *testing.T) {
	rule, ruleJSON := "rule dport=1,3,5\n", `{"match":["dport=1,3,5"]}`
	read := func(n int, limits rules.Limits) error {
		_, err := Read(strings.NewReader("hipac 1\nschema ipv4\n"+strings.Repeat(rule, n)), Options{Limits: limits, AllowUnknown: true})
		_, err2 := ReadJSON(strings.NewReader(`{"hipac":1,"schema":{"name":"ipv4"},"rules":[`+strings.Repeat(ruleJSON+",", n-1)+ruleJSON+"]}"), Options{Limits: limits, AllowUnknown: true})
		require.Equal(t, err == nil, err2 == nil, "%v\n%v", err, err2)
		require.Equal(t, errors.Is(err, rules.ErrLimit), errors.Is(err2, rules.ErrLimit))
		return err
	}
	require.NoError(t, read(5, rules.Limits{MaxRules: 5}))
	require.ErrorIs(t, read(6, rules.Limits{MaxRules: 5}), rules.ErrLimit)
	require.NoError(t, read(5, rules.Limits{MaxElements: 3}))
	require.ErrorIs(t, read(5, rules.Limits{MaxElements: 2}), rules.ErrLimit)
	require.ErrorIs(t, read(5, rules.Limits{MaxInput: 60}), rules.ErrLimit)
	require.ErrorIs(t, read(5, rules.Limits{MaxLine: 10}), rules.ErrLimit)
}

// endless yields one byte for ever, behind a beginning.
type endless struct {
	beginning string
	c         byte
	n         int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.beginning)
	e.beginning = e.beginning[n:]
	for i := n; i < len(p); i++ {
		p[i] = e.c
	}
	e.n += len(p)
	return len(p), nil
}

func TestEndlessInputIsRefusedAfterALimitedNumberOfBytes(t *testing.T) {
	limits := rules.Limits{MaxLine: 1 << 16, MaxInput: 1 << 20}
	for _, c := range []byte("x ,\n\"1[\\\x00") {
		src := &endless{beginning: "hipac 1\nschema ipv4\nrule any => ", c: c}
		_, err := Read(src, Options{Limits: limits})
		require.Error(t, err)
		require.LessOrEqual(t, src.n, 2<<20)
		for _, beginning := range []string{`{"hipac":1,"schema":{"name":"ipv4"},"rules":[{"match":["`, `{"hipac":1,"schema":{"name":"ipv4"},"rules":[`} {
			src = &endless{beginning: beginning, c: c}
			_, err = ReadJSON(src, Options{Limits: limits})
			require.Error(t, err)
			require.LessOrEqual(t, src.n, 2<<20)
		}
	}
}

// full refuses to be written to.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestFailingReadersAndWritersAreReported(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := Read(io.MultiReader(strings.NewReader("hipac 1\n"), iotest.ErrReader(broken)), Options{})
	require.ErrorIs(t, err, broken)
	_, err = ReadJSON(io.MultiReader(strings.NewReader(`{"hipac"`), iotest.ErrReader(broken)), Options{})
	require.ErrorIs(t, err, broken)
	_, err = ReadJSON(iotest.ErrReader(broken), Options{})
	require.ErrorIs(t, err, broken)

	l, err := rules.NewList(none, rules.Rule[string]{Value: strings.Repeat("x", 10000)})
	require.NoError(t, err)
	require.EqualError(t, Write(full{}, l), "disk full")
	require.EqualError(t, WriteJSON(full{}, l), "disk full")
}
