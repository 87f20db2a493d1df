package nftables

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

// listing returns a listing with one inet table of a base chain "in" and a chain
// "user"; the statements are those of one rule of "in", and more stands in front
// of it.
func listing(statements string, more ...string) string {
	objects := append([]string{
		`{"table": {"family": "inet", "name": "t"}}`,
		`{"chain": {"family": "inet", "table": "t", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}`,
		`{"chain": {"family": "inet", "table": "t", "name": "user"}}`}, more...)
	objects = append(objects, fmt.Sprintf("\n"+`{"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 7, "expr": [%s]}}`, statements))
	return `{"nftables": [` + strings.Join(objects, ", ") + `]}`
}

func match(left, op, right string) string {
	return fmt.Sprintf(`{"match": {"op": %q, "left": %s, "right": %s}}`, op, left, right)
}

const (
	dport = `{"payload": {"protocol": "tcp", "field": "dport"}}`
	saddr = `{"payload": {"protocol": "ip", "field": "saddr"}}`
)

func TestErrorsSayWhereAndWhatWouldBeAcceptable(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "f.json:1:1: the listing ends too early"},
		{"[", "f.json:1:2: the listing ends too early"},
		{"{]", "f.json:1:2: not JSON: "},
		{"{} {}", "f.json:1:4: something stands behind the end of the listing"},
		{`{"a": 1, "a": 2}`, `f.json:1:10: the key stands twice in an object: "a"`},
		{"\xff", "f.json:1:1: not UTF-8"},
		{`{"nftables": {}}`, `expected an object with one member "nftables", a list`},
		{`{"nftables": [1]}`, `f.json:1:15: expected an object of the ruleset: table, chain, set, rule or another: "1"`},
		{`{"nftables": [{"metainfo": {"json_schema_version": 2}}]}`, `a version of the format that is not known; 1 is: "2"`},
		{`{"nftables": [{"add": {"table": {"family": "ip", "name": "t"}}}]}`, `a command, of which a listing has none`},
		{`{"nftables": [{"table": {"family": "ipx", "name": "t"}}]}`, `expected a family: ip, ip6, inet, arp, bridge or netdev: "ipx"`},
		{`{"nftables": [{"table": {"family": "ip"}}]}`, `expected a member "name"`},
		{`{"nftables": [{"table": {"family": "ip", "name": "t"}}, {"table": {"family": "ip", "name": "t"}}]}`, `the table stands twice: "ip:t"`},
		{`{"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c"}}]}`, `the table does not stand before: "ip:t"`},
		{listing("", `{"chain": {"family": "inet", "table": "t", "name": "in"}}`), `the chain stands twice: "in"`},
		{listing("", `{"chain": {"family": "inet", "table": "t", "name": "x", "hook": "in"}}`), `expected a hook: prerouting, input, forward, output, postrouting, ingress or egress: "in"`},
		{listing("", `{"chain": {"family": "inet", "table": "t", "name": "x", "hook": "input", "prio": "a"}}`), `expected a priority, a whole number: "a"`},
		{listing("", `{"chain": {"family": "inet", "table": "t", "name": "x", "hook": "input", "policy": "reject"}}`), `expected accept or drop: "reject"`},
		{listing("", `{"chain": {"family": "inet", "table": "t", "name": "x", "hook": "input", "type": "mangle"}}`), `expected filter, route or nat: "mangle"`},
		{`{"nftables": [{"table": {"family": "ip", "name": "t"}}, {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": []}}]}`, `the table has no such chain: "c"`},
		{listing(`1`), `f.json:2:80: inet:t in/1: expected a statement: match, counter, a verdict or another: "1"`},
		{listing(`{"accept": null}, {"drop": null}`), `inet:t in/1: nothing can stand behind a verdict: "drop"`},
		{listing(`{"jump": {"target": "nowhere"}}`), `inet:t in/1: the table has no such chain: "nowhere"`},
		{listing(`{"jump": {"target": "in"}}`), `a base chain, which no rule can go to: "in"`},
		{listing(match(dport, "=", "22")), `expected one of ==, !=, <, >, <=, >=, in and !: "="`},
		{listing(match(dport, "==", `"no-such-service"`)), `inet:t in/1: expected a port: "no-such-service"`},
		{listing(match(dport, "==", "65536")), `expected a port: "65536"`},
		{listing(match(dport, "==", "-1")), `expected a port: "-1"`},
		{listing(match(dport, "==", "1.5")), `expected a port: "1.5"`},
		{listing(match(dport, "==", "null")), `expected a port: "null"`},
		{listing(match(dport, "==", `{"range": [9, 1]}`)), `the range is reversed`},
		{listing(match(dport, "==", `{"range": [9]}`)), `expected a list of two values: "a list"`},
		{listing(match(dport, "<", `{"range": [1, 9]}`)), `expected one value`},
		{listing(match(dport, "!", "22")), `only sets of bits are compared by it: "!"`},
		{listing(match(saddr, "==", `"10.0.0.256"`)), `expected an IPv4 address: "10.0.0.256"`},
		{listing(match(saddr, "==", `"::1"`)), `expected an IPv4 address: "::1"`},
		{listing(match(saddr, "==", `{"prefix": {"addr": "10.0.0.0", "len": 33}}`)), `expected a length in 0..32: "33"`},
		{listing(match(saddr, "==", `"@gone"`)), `the table has no such set: "@gone"`},
		{listing(match(dport, "==", `"@m"`), `{"map": {"family": "inet", "table": "t", "name": "m", "type": "inet_service", "map": "verdict"}}`), `a map, where a set is expected: "@m"`},
		{listing(match(`{"concat": [`+saddr+`, `+dport+`]}`, "==", `{"set": ["10.0.0.1"]}`)), `expected a concatenation of 2 values: "10.0.0.1"`},
		{listing(`{"vmap": {"key": ` + dport + `, "data": {"set": [22]}}}`), `expected a list of a value and a verdict: "22"`},
		{listing(`{"vmap": {"key": ` + dport + `, "data": {"set": [[22, {"log": null}]]}}}`), `expected a verdict: accept, drop, continue, return, jump or goto`},
		{listing(`{"match": {"op": "==", "left": ` + dport + `, "right": 1, "more": 1}}`), `match has a member that is not known: "more"`},
		{listing(match(`{"meta": {"key": "iif"}}`, "==", "true")), `expected the name of an interface: "true"`},
		{listing(`{"limit": {"rate": 5, "per": "fortnight"}}`), `expected a unit: second, minute, hour, day or week; bytes, kbytes or mbytes: "fortnight"`},
		{listing(`{"limit": {"rate": 0, "per": "day"}}`), `expected a rate, a whole number above 0: "0"`},
		{listing(`{"limit": "gone"}`), `the table has no such limit: "gone"`},
		{listing(`{"counter": {"packets": "many"}}`), `expected a whole number: "many"`},
		{listing(`{"reject": {"type": "icmp4"}}`), `expected icmp, icmpv6, icmpx or tcp reset: "icmp4"`},
		{listing(`{"jump": {"target": "user"}}`, `{"rule": {"family": "inet", "table": "t", "chain": "user", "expr": [{"goto": {"target": "user"}}]}}`), `loop: user is reached from itself`},
	} {
		rs, err := Read(strings.NewReader(c.text), Options{File: "f.json"})
		require.Nil(t, rs)
		require.ErrorContains(t, err, c.want, c.text)
		var placed *rules.ParseError
		require.True(t, errors.As(err, &placed), c.text)
		require.NotZero(t, placed.Line, c.text)
		_, err = Read(strings.NewReader(c.text), Options{File: "f.json", AllowUnknown: true})
		require.ErrorContains(t, err, c.want, c.text)
	}
}

func TestLimitsAreKept(t *testing.T) {
	var ports, pairs strings.Builder
	for i := range 300 {
		fmt.Fprintf(&ports, "%d,", 2*i)
		fmt.Fprintf(&pairs, `{"concat": ["10.0.0.%d", %d]},`, i%256, i)
	}
	set := match(dport, "==", `{"set": [`+strings.TrimSuffix(ports.String(), ",")+`]}`)
	concat := match(`{"concat": [`+saddr+`, `+dport+`]}`, "==", `{"set": [`+strings.TrimSuffix(pairs.String(), ",")+`]}`)
	jump := `{"jump": {"target": "user"}}`
	for name, c := range map[string]struct {
		text   string
		limits rules.Limits
	}{
		"bytes of the file":   {listing(set), rules.Limits{MaxInput: 100}},
		"memory":              {listing(set), rules.Limits{MaxMemory: 20000}},
		"nested values":       {listing(set), rules.Limits{MaxDepth: 4}},
		"nested values, ever": {strings.Repeat("[", 1000), rules.Limits{}},
		"members":             {`{"a` + strings.Join(strings.Split(strings.Repeat("x", 600), ""), `": 1, "`) + `": 1}`, rules.Limits{}},
		"chains":              {listing(""), rules.Limits{MaxChains: 1}},
		"rules":               {listing(concat), rules.Limits{MaxRules: 10}},
		"rules of one":        {listing(concat), rules.Limits{MaxElements: 10}},
		"rules of two sets":   {listing(concat + "," + concat), rules.Limits{MaxElements: 1000}},
		"jumps":               {listing(jump), rules.Limits{MaxDepth: 1}},
	} {
		_, err := Read(strings.NewReader(c.text), Options{Limits: c.limits})
		if name == "members" {
			require.Error(t, err, name)
			continue
		}
		require.ErrorIs(t, err, rules.ErrLimit, name)
	}
	_, err := Read(strings.NewReader(listing(concat+","+set)), Options{})
	require.NoError(t, err)
}

func TestConcatenationsThatOverlapInTooManyWaysAreRefused(t *testing.T) {
	var items []string
	for i := range 400 {
		items = append(items, fmt.Sprintf(`{"concat": [{"range": [%d, %d]}, {"range": [%d, %d]}, {"range": [%d, %d]}]}`, i, 60000-i, i*7%400, 50000+i*7%400, i*11%400, 40000+i*11%400))
	}
	sport := `{"payload": {"protocol": "tcp", "field": "sport"}}`
	mark := `{"meta": {"key": "mark"}}`
	_, err := Read(strings.NewReader(listing(match(`{"concat": [`+sport+`, `+dport+`, `+mark+`]}`, "!=", `{"set": [`+strings.Join(items, ",")+`]}`))), Options{})
	require.ErrorIs(t, err, rules.ErrLimit)
}
