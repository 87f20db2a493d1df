package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hipac-go/classifier/rules/files"
)

const deadTable = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:web - [0:0]
:old - [0:0]
:older - [0:0]
-A INPUT -s 10.0.0.0/8 -j ACCEPT
-A INPUT -s 10.1.0.0/16 -p tcp -j DROP
-A INPUT -s 10.2.0.0/16 -j LOG
-A FORWARD -s 10.0.0.0/8 -j web
-A FORWARD -s 10.1.0.0/16 -j ACCEPT
-A FORWARD -s 10.1.2.0/24 -j web
-A FORWARD -p tcp -m multiport --dports 80,443 -j ACCEPT
-A FORWARD -p tcp -m tcp --dport 443 -j DROP
-A web -s 192.0.2.0/24 -j DROP
-A web -s 10.3.0.0/16 -j RETURN
-A web -s 10.3.1.0/24 -j DROP
-A web ! -s 10.0.0.0/8 -j DROP
-A old -j older
-A older -s 10.0.0.0/8 -j DROP
-A older -s 10.0.0.0/8 -j DROP
COMMIT
`

// behind returns what stands behind the usual statistics.
func behind(t *testing.T, stats string) string {
	t.Helper()
	at := strings.Index(stats, "\nhidden ")
	require.Positive(t, at)
	return stats[at+1:]
}

func TestHiddenRulesOfATable(t *testing.T) {
	r := file(t, "r", deadTable)
	golden(t, "hidden.text", behind(t, output(t, "", "stats", "--rules", r, "--hidden")))
	golden(t, "hidden-top.text", behind(t, output(t, "", "stats", "--rules", r, "--hidden", "--top", "1")))
	require.NotContains(t, output(t, "", "stats", "--rules", r), "hidden ")

	var got struct {
		Tables []map[string]json.RawMessage
	}
	out := output(t, "", "stats", "--rules", r, "--hidden", "--top", "1", "--output", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Tables, 1)
	require.JSONEq(t, `[
		{"chain": "INPUT", "rule": 2, "text": "-s 10.1.0.0/16 -p tcp -j DROP", "hidden_by": [1]},
		{"chain": "FORWARD", "rule": 3, "text": "-s 10.1.2.0/24 -j web", "hidden_by": [2]},
		{"chain": "FORWARD", "rule": 5, "text": "-p tcp -m tcp --dport 443 -j DROP", "hidden_by": [4]},
		{"chain": "web", "rule": 3, "text": "-s 10.3.1.0/24 -j DROP", "hidden_by": [2]},
		{"chain": "older", "rule": 2, "text": "-s 10.0.0.0/8 -j DROP", "hidden_by": [1]}
	]`, string(got.Tables[0]["hidden"]))
	require.JSONEq(t, `[
		{"chain": "web", "rule": 1, "text": "-s 192.0.2.0/24 -j DROP"},
		{"chain": "web", "rule": 4, "text": "! -s 10.0.0.0/8 -j DROP"}
	]`, string(got.Tables[0]["unreached"]))
	require.JSONEq(t, `[{"chain": "old", "rules": 1}, {"chain": "older", "rules": 2}]`, string(got.Tables[0]["unreached_chains"]))

	got.Tables = nil
	require.NoError(t, json.Unmarshal([]byte(output(t, "", "stats", "--rules", r, "--output", "json")), &got))
	require.NotContains(t, got.Tables[0], "hidden")
	require.NotContains(t, got.Tables[0], "unreached")
}

func TestHiddenRulesOfLists(t *testing.T) {
	native := "hipac 1\nschema ipv4\nrule dport=80-90 => A\nrule dport=80 => B\nrule dport=91 => C\n"
	hidden := func(rules string) string {
		return behind(t, output(t, rules, "stats", "--rules", "-", "--hidden"))
	}
	require.Equal(t, "hidden       1 rule that can never decide, because an earlier one matches all they match\n  2  dport=80  hidden by 1\n", hidden(native))
	require.Contains(t, hidden(classbenchRules+classbenchRules), "  4  dst=192.0.2.0/24 proto=udp  hidden by 2\n")
	require.Equal(t, "hidden       0 rules that can never decide, because an earlier one matches all they match\n", hidden(nativeRules))
}

func TestWhatIsHiddenAgreesWithPacketsThatRulesDecide(t *testing.T) {
	for seed := range uint64(6) {
		set, packets := randomSet(seed, 300, 4000)
		r := file(t, "r", set)
		var got struct{ Tables []deadRules }
		require.NoError(t, json.Unmarshal([]byte(output(t, "", "stats", "--rules", r, "--hidden", "--output", "json")), &got))
		require.NotEmpty(t, got.Tables[0].Hidden)
		dead := map[string]bool{}
		for _, d := range got.Tables[0].Hidden {
			dead[strconv.Itoa(d.Rule)] = true
			require.Less(t, d.By[0], d.Rule)
		}
		for id := range strings.Lines(output(t, packets, "--rules", r, "--packets", "-", "--output", "id")) {
			require.False(t, dead[strings.TrimSpace(id)], "rule %s decides", id)
		}
	}
}

// interruptedAt is a context that ends at the n-th look.
type interruptedAt struct {
	context.Context
	left int
}

func (c *interruptedAt) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestAnInterruptEndsTheSearchForHiddenRules(t *testing.T) {
	set, _ := randomSet(1, 200, 0)
	for _, rules := range []string{set, deadTable} {
		ended := false
		for looks := 0; !ended; looks++ {
			f, err := files.ReadRules(strings.NewReader(rules), "r", &files.RuleFlags{RulesFormat: "auto", Fields: 5})
			require.NoError(t, err)
			a := testApp(&interruptedAt{t.Context(), looks}, nil, &bytes.Buffer{}, &bytes.Buffer{})
			table, _, err := f.Choose("", "")
			require.NoError(t, err)
			if _, err = a.findDead(f, table); err == nil {
				ended = true
				require.Greater(t, looks, 10)
				continue
			}
			require.Equal(t, errInterrupted, err)
		}
	}
}

func TestAFileRuleOfSeveralPartsIsHiddenWhenAllOfThemAre(t *testing.T) {
	rules := "*filter\n-A FORWARD -p udp -m multiport --ports 1,2 -j DROP\n-A FORWARD -p udp -m multiport --ports 1,2 -j ACCEPT\n" +
		"-A FORWARD -p udp -m multiport --ports 1,3 -j ACCEPT\nCOMMIT\n"
	out := output(t, rules, "stats", "--rules", "-", "--hidden")
	require.Contains(t, out, "\nhidden       1 rule that")
	require.Contains(t, out, "  FORWARD/2  -p udp -m multiport --ports 1,2 -j ACCEPT  hidden by FORWARD/1\n")
}
