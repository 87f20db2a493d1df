package nftables

import (
	"strings"
	"testing"

	"github.com/hipac-go/classifier/rules"
	"github.com/stretchr/testify/require"
)

// only reads a listing of one rule and returns the conditions and the verdicts that it
// becomes.
func only(t *testing.T, text string) (out []string) {
	t.Helper()
	rs, err := Read(strings.NewReader(text), Options{})
	require.NoError(t, err, text)
	for _, r := range rs.Tables[0].Chains[0].Rules.All() {
		line := rules.FormatRule(rs.Tables[0].Schema, r)
		if r.Value.Kind == rules.Decide {
			line += " => " + r.Value.Verdict.String()
		}
		out = append(out, line)
	}
	return out
}

// Other versions write some things otherwise than 1.0.6 does.
func TestFormsOfOtherVersionsAreRead(t *testing.T) {
	flags := `{"payload": {"protocol": "tcp", "field": "flags"}}`
	for _, c := range []struct{ text, want string }{
		{listing(match(flags, "==", `{"set": [{"|": ["syn", "ack", "rst"]}]}`)), "proto=tcp tcpflags=SYN+RST+ACK"},
		{listing(match(`{"&": [`+flags+`, {"|": ["syn", "ack", "rst", "fin"]}]}`, "==", `"syn"`)), "proto=tcp tcpflags=SYN/FIN+SYN+RST+ACK"},
		{listing(match(flags, "in", `"2"`)), "proto=tcp tcpflags!=none/SYN"},
		{listing(match(dport, "==", `"0x16"`)), "dport=22 proto=tcp"},
		{listing(match(dport, "==", `{"set": 22}`)), "dport=22 proto=tcp"},
		{listing(match(`{"meta": {"key": "l4proto"}}`, "==", `6`)), "proto=tcp"},
		{listing(match(`{"meta": {"key": "l4proto"}}`, "==", `"hopopt"`)), "proto=0"},
		{listing(match(`{"payload": {"protocol": "ip", "field": "dscp"}}`, "==", `{"set": [{"range": [47, 255]}]}`)), "src=0.0.0.0/0 dscp=0x2f-0x3f"},
		{listing(`{"counter": null}, {"reject": null}`), "any => REJECT"},
		{listing(`{"log": {"level": "warn"}}, {"queue": {"num": {"range": [1, 5]}, "flags": ["bypass", "fanout"]}}`), "any => QUEUE"},
		{listing(match(saddr, "==", `"@s"`), `{"set": {"family": "inet", "table": "t", "name": "s", "type": {"typeof": `+saddr+`}, "flags": "interval", "auto-merge": true, "gc-interval": 3,
			"elem": {"elem": {"val": {"prefix": {"addr": "10.0.0.0", "len": 8}}, "timeout": 9, "expires": 3, "last": {"used": 5}}}}}`), "src=10.0.0.0/8"},
		{listing(match(saddr, "!=", `"@s"`), `{"set": {"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr"}}`), "src=0.0.0.0/0"},
		{listing(match(saddr, "==", `"@s"`), `{"set": {"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr"}}`), "src={}"},
		{listing(match(saddr, ">", `{"prefix": {"addr": "10.0.0.0", "len": 8}}`)), "src=11.0.0.0-255.255.255.255"},
		{listing(match(saddr, "<=", `{"prefix": {"addr": "10.0.0.0", "len": 8}}`)), "src=0.0.0.0-10.255.255.255"},
	} {
		require.Equal(t, []string{c.want}, only(t, c.text), c.text)
	}
}

func TestARuleThatChangesWhatItAsksMeetsAPacketOnce(t *testing.T) {
	mark := `{"meta": {"key": "mark"}}`
	two := match(`{"&": [`+mark+`, 18]}`, "==", `{"set": [2, 16]}`)
	require.Len(t, only(t, listing(two)), 2)
	require.Equal(t, []string{"proto=tcp"}, only(t, listing(match(`{"meta": {"key": "l4proto"}}`, "==", `"tcp"`)+", "+two+`, {"mangle": {"key": `+mark+`, "value": 16}}`)), "one rule, which asks for the mark by a test")

	sets := `{"rule": {"family": "inet", "table": "t", "chain": "user", "expr": [{"mangle": {"key": ` + mark + `, "value": 16}}]}}`
	jump := `{"jump": {"target": "user"}}`
	require.Len(t, only(t, listing(two+", "+jump)), 2)
	require.Equal(t, []string{"any"}, only(t, listing(two+", "+jump, sets)))

	vmap := func(key, a, b string) string {
		return `{"vmap": {"key": ` + key + `, "data": {"set": [[1, ` + a + `], [16, ` + b + `]]}}}`
	}
	require.Equal(t, []string{"mark=0x10 => DROP", "mark=0x1"}, only(t, listing(vmap(mark, jump, `{"drop": null}`), sets)), "what jumps is the last")
	require.Len(t, only(t, listing(vmap(dport, jump, jump), sets)), 1)
	_, err := Read(strings.NewReader(listing(vmap(mark, jump, `{"jump": {"target": "user2"}}`), sets, `{"chain": {"family": "inet", "table": "t", "name": "user2"}}`)), Options{})
	require.ErrorIs(t, err, rules.ErrUnsupported)
	require.ErrorContains(t, err, "vmap whose jumps change what it asks is not modelled")
}

func TestWhatIsInFrontOfConnectionTrackingIsTold(t *testing.T) {
	raw := strings.NewReplacer(`"prio": 0`, `"prio": -300`, `"hook": "input"`, `"hook": "prerouting"`)
	state := match(`{"ct": {"key": "state"}}`, "in", `"new"`)
	_, err := Read(strings.NewReader(raw.Replace(listing(state))), Options{})
	require.ErrorContains(t, err, "inet:t in/1: match ct state in front of connection tracking is not modelled")
	require.NoError(t, func() error {
		_, err := Read(strings.NewReader(raw.Replace(listing(`{"notrack": null}`))), Options{})
		return err
	}())
	_, err = Read(strings.NewReader(listing(`{"notrack": null}`)), Options{})
	require.ErrorContains(t, err, "statement notrack behind connection tracking is not modelled")
	// A chain that both lead to.
	both := `{"chain": {"family": "inet", "table": "t", "name": "early", "type": "filter", "hook": "output", "prio": -300, "policy": "accept"}},
		{"rule": {"family": "inet", "table": "t", "chain": "early", "expr": [{"vmap": {"key": ` + dport + `, "data": {"set": [[1, {"goto": {"target": "user"}}]]}}}]}},
		{"rule": {"family": "inet", "table": "t", "chain": "user", "expr": [` + state + `]}}`
	_, err = Read(strings.NewReader(listing(`{"jump": {"target": "user"}}`, both)), Options{})
	require.ErrorContains(t, err, "inet:t user/1: match ct state in front of connection tracking is not modelled")
}
