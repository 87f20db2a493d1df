package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestToolsThatAreNotThereAreSkippedWithAReason(t *testing.T) {
	k := kernelChanges(3, func(string) (string, error) { return "", errors.New("not found") })
	require.Nil(t, k.Append)
	require.Len(t, k.Skipped, 3)
	var b bytes.Buffer
	k.text(&b, 3)
	require.Equal(t, 3, strings.Count(b.String(), "  skipped: "), b.String())
	for _, tool := range kernelTools() {
		require.NotEmpty(t, k.Skipped[tool.name])
		require.Contains(t, b.String(), "\n  "+tool.name)
	}
}

func TestKernelToolsAreGivenAsManyRules(t *testing.T) {
	for i, want := range []string{
		"*filter\n:FORWARD ACCEPT\n-A FORWARD -s 10.0.0.0/32 -p tcp -m tcp --dport 1 -j DROP\n-A FORWARD -s 10.0.0.1/32 -p tcp -m tcp --dport 2 -j DROP\nCOMMIT\n",
		"table ip rules {\nchain forward {\nip saddr 10.0.0.0 tcp dport 1 drop\nip saddr 10.0.0.1 tcp dport 2 drop\n}\n}\n",
		"table ip sets {\nset s {\ntype ipv4_addr . inet_service\nelements = {\n10.0.0.0 . 1,\n10.0.0.1 . 2,\n}\n}\n}\n",
	} {
		require.Equal(t, want, kernelTools()[i].input(2))
	}
}

func TestUpdateTellsOfTheKernelsToolsWhenAsked(t *testing.T) {
	r := file(t, "r", classbenchRules)
	v := object(t, "", "update", "--rules", r, "--kernel")
	require.Contains(t, keys(v), "kernel")
	k := v["kernel"].(map[string]any)
	skipped, _ := k["skipped"].(map[string]any)
	for key, tool := range map[string]string{
		"iptables_legacy_append_us": "iptables-legacy -A", "nft_add_rule_us": "nft add rule", "nft_add_element_us": "nft add element",
	} {
		require.Contains(t, k, key)
		require.Equal(t, k[key] == nil, skipped[tool] != nil, "%s: a time or a reason", tool)
	}
	require.NotContains(t, invoke(t, "", "update", "--rules", r).stdout, "iptables")
	require.Contains(t, invoke(t, "", "update", "--rules", r, "--kernel").stdout, "with 2 rules or elements there:\n")
}
